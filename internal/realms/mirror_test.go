package realms_test

import (
	"testing"

	"latchkey/internal/iam"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

// A mirrored realm becomes what it is now; users and records stay, and a client that
// is gone leaves its name.
func TestMirror(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		m := newManager(db)
		for n, text := range []string{
			`{"id":"r1","realm":"shop","enabled":true,"clients":[{"id":"c1","clientId":"web"},{"id":"c2","clientId":"old"}]}`,
			`{"id":"r1","realm":"market","enabled":false,"clients":[{"id":"c1","clientId":"site","enabled":false},{"id":"c3","clientId":"new"}]}`,
		} {
			if err := m.Mirror(ctx, parse(t, text)); err != nil {
				t.Fatal(err)
			}
			if n > 0 {
				continue
			}
			err := db.Tx(ctx, func(tx *store.Tx) error {
				return tx.InsertUser(ctx, &iam.User{ID: "u", Realm: "r1", Username: "u"}, false)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		r, err := m.Cache.ByID(ctx, "r1")
		if err != nil || r.Name != "market" || r.Enabled {
			t.Fatalf("%+v %v", r, err)
		}
		for id, want := range map[iam.ClientID]string{"c1": "site", "c2": "", "c3": "new"} {
			if name, err := r.ClientName(ctx, id); err != nil || name != want {
				t.Errorf("client %s is %q, %v", id, name, err)
			}
		}
		if _, err := db.User(ctx, "r1", "u"); err != nil {
			t.Error(err)
		}
		gone, err := db.RemovedClients(ctx, "r1", []iam.ClientID{"c2"})
		if err != nil || gone["c2"] != "old" {
			t.Errorf("%v %v", gone, err)
		}
		// Once more the same is as it was.
		if err := m.Mirror(ctx, parse(t, `{"id":"r1","realm":"market","enabled":true,"clients":[]}`)); err != nil {
			t.Error(err)
		}
	})
}
