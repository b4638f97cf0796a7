package realms_test

import (
	"errors"
	"sync"
	"testing"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

func insertRealm(t *testing.T, db *store.DB) {
	t.Helper()
	ctx := t.Context()
	err := db.Tx(ctx, func(tx *store.Tx) error {
		return errors.Join(
			tx.InsertRealm(ctx, store.RealmRow{ID: "r", Name: "shop", Enabled: true, Doc: []byte(`{"realm":"shop","ssoSessionIdleTimeout":1800}`)}),
			tx.InsertObject(ctx, "r", store.Object{Kind: store.KindClientScope, ID: "s1", Name: "email", UniqueName: "email",
				Doc: []byte(`{"id":"s1","name":"email","protocol":"openid-connect"}`)}),
			tx.InsertObject(ctx, "r", store.Object{Kind: store.KindFlow, ID: "f1", Name: "browser", UniqueName: "browser",
				Doc: []byte(`{"id":"f1","alias":"browser","providerId":"basic-flow","topLevel":true}`)}),
			tx.InsertObject(ctx, "r", store.Object{Kind: store.KindFlow, ID: "f2", Name: "forms", UniqueName: "forms",
				Doc: []byte(`{"id":"f2","alias":"forms","providerId":"basic-flow"}`)}),
			tx.InsertObject(ctx, "r", store.Object{Kind: store.KindExecution, ID: "e2", Parent: "f1", Position: 20,
				Doc: []byte(`{"id":"e2","authenticatorFlow":true,"flowId":"f2","requirement":"ALTERNATIVE","priority":20}`)}),
			tx.InsertObject(ctx, "r", store.Object{Kind: store.KindExecution, ID: "e1", Parent: "f1", Position: 10,
				Doc: []byte(`{"id":"e1","authenticator":"auth-cookie","requirement":"ALTERNATIVE","priority":10}`)}),
			tx.InsertObject(ctx, "r", store.Object{Kind: store.KindExecution, ID: "e3", Parent: "f2", Position: 10,
				Doc: []byte(`{"id":"e3","authenticator":"auth-username-password-form","requirement":"REQUIRED","priority":10}`)}),
			tx.InsertClient(ctx, "r", store.ClientRow{ID: "c1", ClientID: "till", Enabled: true,
				Doc: []byte(`{"clientId":"till","publicClient":true}`)}),
			tx.InsertRole(ctx, "r", store.RoleRow{ID: "o1", Name: "boss", Doc: []byte(`{"composite":true}`)}),
			tx.InsertRole(ctx, "r", store.RoleRow{ID: "o2", Client: "c1", Name: "clerk", Doc: []byte(`{}`)}),
			tx.AddComposite(ctx, "r", "o1", "o2"),
		)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Tx(ctx, func(tx *store.Tx) error {
		_, err := tx.BindScope(ctx, "r", store.ScopeBinding{Client: "c1", Scope: "s1", Optional: true})
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func TestSnapshotCompilesWhatIsStored(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		insertRealm(t, db)
		r, err := realms.NewCache(db).Get(t.Context(), "shop")
		if err != nil {
			t.Fatal(err)
		}
		flow := r.Flow("browser")
		if flow == nil || len(flow.Executions) != 2 || flow.Executions[0].Authenticator != "auth-cookie" ||
			flow.Executions[1].Sub == nil || flow.Executions[1].Sub.Executions[0].ID != "e3" {
			t.Errorf("browser flow: %+v", flow)
		}
		if r.Flow("forms") != nil {
			t.Error("a sub-flow is found as a top-level flow")
		}
		c, err := r.ClientByName(t.Context(), "till")
		if err != nil || c.Access != iam.Public || len(c.OptionalScopes) != 1 || c.Rep.OptionalClientScopes[0] != "email" {
			t.Errorf("client: %+v, %v", c, err)
		}
		boss := r.RoleByName("", "boss")
		if boss == nil || len(boss.Composites) != 1 || r.Role(boss.Composites[0]).Name != "clerk" {
			t.Errorf("role: %+v", boss)
		}
		if _, err := realms.NewCache(db).Get(t.Context(), "nowhere"); !errors.Is(err, realms.ErrNotFound) {
			t.Errorf("a realm that is not there: %v", err)
		}
	})
}

func TestChangesAreSeenAtOnceHereAndByThePollElsewhere(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		insertRealm(t, db)
		here, there := realms.NewCache(db), realms.NewCache(db)
		for _, c := range []*realms.Cache{here, there} {
			if _, err := c.Get(ctx, "shop"); err != nil {
				t.Fatal(err)
			}
		}
		err := here.Change(ctx, "r", func(tx *store.Tx) error {
			return tx.InsertRole(ctx, "r", store.RoleRow{ID: "new", Name: "new", Doc: []byte(`{}`)})
		})
		if err != nil {
			t.Fatal(err)
		}
		has := func(c *realms.Cache) bool {
			r, err := c.Get(ctx, "shop")
			if err != nil {
				t.Fatal(err)
			}
			return r.RoleByName("", "new") != nil
		}
		if !has(here) {
			t.Error("the node that wrote does not see its change")
		}
		if has(there) {
			t.Error("the other node sees the change without looking: the cache does not cache")
		}
		there.PollOnce(ctx)
		if !has(there) {
			t.Error("the other node does not see the change after its poll")
		}
	})
}

// A snapshot that was being loaded while a change was committed must not stay.
func TestRacingLoadsNeverKeepAnOldSnapshot(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		insertRealm(t, db)
		cache := realms.NewCache(db)
		var wg sync.WaitGroup
		stop := make(chan struct{})
		for range 4 {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if _, err := cache.Get(ctx, "shop"); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		for i := range 20 {
			id := iam.RoleID(rune('a' + i))
			if err := cache.Change(ctx, "r", func(tx *store.Tx) error {
				return tx.InsertRole(ctx, "r", store.RoleRow{ID: id, Name: string(id), Doc: []byte(`{}`)})
			}); err != nil {
				t.Fatal(err)
			}
			r, err := cache.Get(ctx, "shop")
			if err != nil || r.Role(id) == nil {
				t.Fatalf("change %d is not in the snapshot after it (%v)", i, err)
			}
		}
		close(stop)
		wg.Wait()
	})
}
