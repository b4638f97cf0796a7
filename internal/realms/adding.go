package realms

import (
	"context"
	"errors"
	"fmt"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// A UserWriter adds users to a realm that is there, page by page: one that has
// more of them than fit into memory at once. It goes by the realm as it was when the
// writer was made.
type UserWriter struct {
	m     *Manager
	r     *Realm
	whole *rep.Realm
	w     writer
}

// UserWriter makes a writer of a realm's users.
func (m *Manager) UserWriter(ctx context.Context, name string) (*UserWriter, error) {
	r, err := m.Cache.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	whole, err := m.Export(ctx, name)
	if err != nil {
		return nil, err
	}
	x := &UserWriter{m: m, r: r, whole: whole, w: *writerOf(r, whole)}
	whole.Clients = nil // their service accounts are there
	return x, nil
}

// Realm is the id of the realm.
func (x *UserWriter) Realm() iam.RealmID { return x.r.ID }

// Add stores users with all that belongs to them, and an object in the place of the one
// that has its id, in one transaction: how far whoever adds them has got.
func (x *UserWriter) Add(ctx context.Context, list []rep.User, progress store.Object) error {
	page := *x.whole
	page.Users = list
	users, err := x.m.prepareUsers(ctx, &page, x.m.Clock())
	if err != nil {
		return err
	}
	return x.m.Cache.db.Tx(ctx, func(tx *store.Tx) error {
		w := x.w
		w.tx = tx
		for i := range users {
			if err := w.writeUser(ctx, &users[i]); err != nil {
				return err
			}
		}
		return tx.ReplaceObject(ctx, x.r.ID, progress)
	})
}

// Moved is what is kept of where a realm was copied from, nil for one that was not.
func (m *Manager) Moved(ctx context.Context, name string) (iam.RealmID, []byte, error) {
	row, err := m.Cache.db.RealmByName(ctx, name)
	if err != nil {
		return "", nil, err
	}
	o, err := m.Cache.db.Object(ctx, row.ID, store.KindMigration, MigrationID)
	if errors.Is(err, store.ErrNotFound) {
		return row.ID, nil, nil
	}
	return row.ID, o.Doc, err
}

// MigrationID is the one object of store.KindMigration that a realm has.
const MigrationID = "keycloak"

// Drop removes a realm with all that is in it, and leaves its client in the master
// realm: it is about to be copied again.
func (m *Manager) Drop(ctx context.Context, name string) error {
	return m.Cache.db.Tx(ctx, func(tx *store.Tx) error {
		row, err := tx.RealmByName(ctx, name)
		if err != nil {
			return fmt.Errorf("realm %s: %w", name, err)
		}
		if err := tx.DeleteRealm(ctx, row.ID); err != nil {
			return err
		}
		return m.Cache.Changed(ctx, tx, row.ID)
	})
}
