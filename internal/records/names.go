package records

import (
	"context"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/store"
)

// clientNames are client_ids by the ids that records speak of, also of clients
// that are gone.
type clientNames map[iam.ClientID]string

// read finds the names that are not known yet.
func (n clientNames) read(ctx context.Context, db *store.DB, r *realms.Realm, ids []iam.ClientID) error {
	var gone []iam.ClientID
	for _, id := range ids {
		if _, ok := n[id]; ok || id == "" {
			continue
		}
		name, err := r.ClientName(ctx, id)
		if err != nil {
			return err
		}
		if n[id] = name; name == "" {
			gone = append(gone, id)
		}
	}
	names, err := db.RemovedClients(ctx, r.ID, gone)
	for id, name := range names {
		n[id] = name
	}
	return err
}

// of is a client's name for sentences: its id where none is left.
func (n clientNames) of(id iam.ClientID) string {
	if name := n[id]; name != "" {
		return name
	}
	return string(id)
}
