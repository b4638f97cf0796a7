package store_test

import (
	"fmt"
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

// A browser has so many logins under way and no more; those that have come
// furthest stay. Keycloak: RootAuthenticationSessionAdapter, where the oldest goes.
func TestTabsOfABrowser(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		root := iam.AuthSession{ID: "root", Realm: "r", Created: db.Now(), Expires: db.Now().Add(time.Hour)}
		open := func(id string) (fresh bool) {
			must(db.Tx(ctx, func(tx *store.Tx) (err error) {
				fresh, err = tx.OpenAuthTab(ctx, root, &iam.AuthTab{Root: "root", ID: id})
				return err
			}))
			return fresh
		}
		must(db.Tx(ctx, func(tx *store.Tx) error {
			return tx.InsertRealm(ctx, store.RealmRow{ID: "r", Name: "r", Enabled: true, Doc: []byte("{}")})
		}))
		open("far")
		must(db.Tx(ctx, func(tx *store.Tx) error {
			won, err := tx.SwapAuthTab(ctx, "r", "far", &iam.AuthTab{Root: "root", ID: "far", Version: 1}, root.Expires)
			if !won {
				t.Error("a login does not go on")
			}
			return err
		}))
		for i := range iam.MaxTabs + 20 {
			id := fmt.Sprintf("t%03d", i)
			if !open(id) {
				t.Errorf("%s is not stored", id)
			}
			if i%50 == 49 && open(id) {
				t.Errorf("%s is stored twice", id)
			}
			if _, err := db.AuthTab(ctx, "r", "root", id, db.Now().UnixMilli()); err != nil {
				t.Errorf("%s: %v", id, err)
			}
		}
		ids, err := db.AuthTabs(ctx, "r", "root", db.Now().UnixMilli())
		must(err)
		if len(ids) != iam.MaxTabs || ids[0] != "far" {
			t.Errorf("%d tabs, the first is %s", len(ids), ids[0])
		}
	})
}
