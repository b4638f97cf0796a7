package realms

import (
	"context"
	"errors"

	"latchkey/internal/iam"
	"latchkey/internal/store"
)

// EnabledNow reports whether the realm and a client are enabled at this moment,
// whatever the snapshot says: what another node switched off a moment ago is
// off. For whoever decides without reading a session, which tells the same.
func (r *Realm) EnabledNow(ctx context.Context, client iam.ClientID) (realm, enabled bool, err error) {
	s, err := r.db.EnabledNow(ctx, r.ID, client)
	if errors.Is(err, store.ErrNotFound) {
		return false, false, nil
	}
	return s.Realm, s.Client, err
}
