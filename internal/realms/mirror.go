package realms

import (
	"context"
	"errors"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// Mirror stores a realm of another server, in the place of what it was before:
// its settings, clients, client scopes and roles. Users, events, sessions and
// records of them stay. It is for looking at, not for logins: it has no keys, and
// what this server could not do with it does not matter.
func (m *Manager) Mirror(ctx context.Context, given *rep.Realm) error {
	r, err := Complete(given, m.Clock())
	if err != nil {
		return err
	}
	row, err := rowOf(r)
	if err != nil {
		return err
	}
	return m.Cache.db.Tx(ctx, func(tx *store.Tx) error {
		have, err := tx.RealmByID(ctx, row.ID)
		switch {
		case errors.Is(err, store.ErrNotFound):
			if err := tx.InsertRealm(ctx, row); err != nil {
				return err
			}
		case err != nil:
			return err
		default:
			if err := clearForMirror(ctx, tx, r); err != nil {
				return err
			}
			row.Version = have.Version
			if err := tx.UpdateRealm(ctx, row); err != nil {
				return err
			}
		}
		if _, err := writeParts(ctx, tx, r); err != nil {
			return err
		}
		return m.Cache.Changed(ctx, tx, row.ID)
	})
}

// clearForMirror makes room for what a realm is now. Clients that are gone are
// removed like others: their parts end, and their names are kept for records.
func clearForMirror(ctx context.Context, tx *store.Tx, r *rep.Realm) error {
	id := iam.RealmID(r.ID)
	names, err := tx.ClientNames(ctx, id)
	if err != nil {
		return err
	}
	for i := range r.Clients {
		delete(names, iam.ClientID(r.Clients[i].ID))
	}
	for gone := range names {
		if err := tx.DeleteClient(ctx, id, gone); err != nil {
			return err
		}
	}
	return tx.ClearConfiguration(ctx, id)
}
