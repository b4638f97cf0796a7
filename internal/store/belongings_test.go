package store_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

func TestGroups(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		addRealm(t, db, "r")
		err := db.Tx(ctx, func(tx *store.Tx) error {
			for _, g := range []store.GroupRow{
				{ID: "a", Name: "Staff", Default: true, Doc: []byte(`{"name":"Staff"}`)},
				{ID: "b", Parent: "a", Name: "Night", Doc: []byte("{}")},
				{ID: "c", Parent: "b", Name: "Shift_1", Doc: []byte("{}")},
				{ID: "d", Name: "Guests", Doc: []byte("{}")},
			} {
				if err := tx.InsertGroup(ctx, "r", g); err != nil {
					return err
				}
			}
			if err := tx.AddGroupRole(ctx, "r", "c", "role"); err != nil {
				return err
			}
			return tx.AddGroupRole(ctx, "r", "c", "role")
		})
		if err != nil {
			t.Fatal(err)
		}
		err = db.Tx(ctx, func(tx *store.Tx) error {
			return tx.InsertGroup(ctx, "r", store.GroupRow{ID: "e", Parent: "a", Name: "Night", Doc: []byte("{}")})
		})
		if _, ok := store.Exists(err); !ok {
			t.Errorf("two siblings of one name: %v", err)
		}
		names := func(parent iam.GroupID, search string, first, max int) (out []string) {
			list, err := db.SubGroups(ctx, "r", parent, search, first, max)
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range list {
				out = append(out, g.Name)
			}
			return out
		}
		if got := names("", "", 0, -1); !reflect.DeepEqual(got, []string{"Guests", "Staff"}) {
			t.Error(got)
		}
		if got := names("", "STAF", 0, 5); !reflect.DeepEqual(got, []string{"Staff"}) {
			t.Error(got)
		}
		if got := names("b", "_", 0, 5); !reflect.DeepEqual(got, []string{"Shift_1"}) {
			t.Error(got)
		}
		if got := names("", "", 1, 1); !reflect.DeepEqual(got, []string{"Staff"}) {
			t.Error(got)
		}
		if pairs, err := db.GroupRoles(ctx, "r"); err != nil || !reflect.DeepEqual(pairs, []store.RolePair{{Owner: "c", Role: "role"}}) {
			t.Error(pairs, err)
		}
		if err := db.Tx(ctx, func(tx *store.Tx) error { return tx.DeleteGroup(ctx, "r", "a") }); err != nil {
			t.Fatal(err)
		}
		if list, err := db.Groups(ctx, "r"); err != nil || len(list) != 1 || list[0].Name != "Guests" {
			t.Errorf("below a deleted group remains %v, %v", list, err)
		}
		if pairs, err := db.GroupRoles(ctx, "r"); err != nil || len(pairs) != 0 {
			t.Errorf("roles of deleted groups remain: %v, %v", pairs, err)
		}
		if err := db.Tx(ctx, func(tx *store.Tx) error { return tx.DeleteGroup(ctx, "r", "a") }); !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
	})
}

// What belongs to a user comes back as it went in, and goes with the user.
func TestBelongings(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		addRealm(t, db, "r")
		at := time.UnixMilli(1700000000123)
		cred := &iam.Credential{ID: "c", User: "u", Kind: iam.OTP, Label: "phone", Data: []byte(`{"digits":6}`),
			Secret: iam.Secret(`{"value":"s"}`), Priority: 10, Created: at}
		link := &iam.FederatedIdentity{User: "u", Provider: "google", ExternalID: "4711", ExternalUsername: "al"}
		consent := &iam.Consent{User: "u", Client: "app", Scopes: []iam.ScopeID{"s1", "s2"}, Created: at, Updated: at}
		err := db.Tx(ctx, func(tx *store.Tx) error {
			if err := tx.InsertUser(ctx, &iam.User{Realm: "r", ID: "u", Username: "al", Enabled: true, CreatedAt: at}, false); err != nil {
				return err
			}
			if err := errors.Join(tx.InsertCredential(ctx, "r", cred), tx.InsertLink(ctx, "r", link), tx.PutConsent(ctx, "r", consent)); err != nil {
				return err
			}
			for _, again := range []bool{false, true} {
				isNew, err := tx.AddUserRole(ctx, "r", "u", "role")
				if isNew == again || err != nil {
					t.Errorf("role: %v %v", isNew, err)
				}
				if isNew, err = tx.JoinGroup(ctx, "r", "u", "group"); isNew == again || err != nil {
					t.Errorf("group: %v %v", isNew, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		list, err := db.Credentials(ctx, "r", "u")
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		cred.Version = 1
		if !reflect.DeepEqual(list[0], cred) {
			t.Errorf("credential %+v, want %+v", list[0], cred)
		}
		stale := *list[0]
		list[0].Label, list[0].Secret = "", iam.Secret(`{"value":"t"}`)
		if err := db.Tx(ctx, func(tx *store.Tx) error { return tx.UpdateCredential(ctx, "r", list[0]) }); err != nil {
			t.Fatal(err)
		}
		if err := db.Tx(ctx, func(tx *store.Tx) error { return tx.UpdateCredential(ctx, "r", &stale) }); !errors.Is(err, store.ErrConflict) {
			t.Errorf("a stale credential is written: %v", err)
		}
		if c, err := db.Credential(ctx, "r", "u", "c"); err != nil || c.Label != "" || !c.Secret.Equal(`{"value":"t"}`) {
			t.Error(c, err)
		}
		if links, err := db.Links(ctx, "r", "u"); err != nil || len(links) != 1 || !reflect.DeepEqual(links[0], link) {
			t.Error(links, err)
		}
		if u, err := db.UserByLink(ctx, "r", "google", "4711"); err != nil || u.Username != "al" {
			t.Error(u, err)
		}
		if _, err := db.UserByLink(ctx, "r", "google", "4712"); !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
		later := &iam.Consent{User: "u", Client: "app", Scopes: []iam.ScopeID{"s3"}, Created: at.Add(time.Hour), Updated: at.Add(time.Hour)}
		if err := db.Tx(ctx, func(tx *store.Tx) error { return tx.PutConsent(ctx, "r", later) }); err != nil {
			t.Fatal(err)
		}
		if c, err := db.Consent(ctx, "r", "u", "app"); err != nil || !c.Created.Equal(at) || !c.Updated.Equal(at.Add(time.Hour)) ||
			!reflect.DeepEqual(c.Scopes, later.Scopes) {
			t.Error(c, err)
		}
		if roles, err := db.UserRoles(ctx, "r", "u"); err != nil || !reflect.DeepEqual(roles, []iam.RoleID{"role"}) {
			t.Error(roles, err)
		}
		if groups, err := db.UserGroups(ctx, "r", "u"); err != nil || !reflect.DeepEqual(groups, []iam.GroupID{"group"}) {
			t.Error(groups, err)
		}
		if users, err := db.UsersAfter(ctx, "r", "", 10); err != nil || len(users) != 1 {
			t.Error(users, err)
		}
		if users, err := db.UsersAfter(ctx, "r", "al", 10); err != nil || len(users) != 0 {
			t.Error(users, err)
		}
		if err := db.Tx(ctx, func(tx *store.Tx) error {
			_, err := tx.DeleteUser(ctx, "r", "u",
				func(*store.Ending) {})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if c, err := db.Consents(ctx, "r", "u"); err != nil || len(c) != 0 {
			t.Error(c, err)
		}
		if l, err := db.Credentials(ctx, "r", "u"); err != nil || len(l) != 0 {
			t.Error(l, err)
		}
	})
}

func TestRoleIsHeldByAGroupOrByOneAboveIt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		addRealm(t, db, "r")
		held := func(want bool, why string) {
			t.Helper()
			if got, err := db.RoleIsHeld(ctx, "r", "role"); err != nil || got != want {
				t.Errorf("%s: %v, %v", why, got, err)
			}
		}
		do := func(f func(tx *store.Tx) error) {
			t.Helper()
			if err := db.Tx(ctx, f); err != nil {
				t.Fatal(err)
			}
		}
		do(func(tx *store.Tx) error {
			return errors.Join(tx.InsertUser(ctx, &iam.User{ID: "u", Realm: "r", Username: "u"}, false),
				tx.InsertGroup(ctx, "r", store.GroupRow{ID: "a", Name: "a", Doc: []byte("{}")}),
				tx.InsertGroup(ctx, "r", store.GroupRow{ID: "b", Parent: "a", Name: "b", Doc: []byte("{}")}),
				tx.AddGroupRole(ctx, "r", "a", "role"))
		})
		held(false, "a group without members")
		do(func(tx *store.Tx) error { _, err := tx.JoinGroup(ctx, "r", "u", "b"); return err })
		held(true, "a member below the group")
		do(func(tx *store.Tx) error { _, err := tx.LeaveGroup(ctx, "r", "u", "b"); return err })
		held(false, "nobody left")
		do(func(tx *store.Tx) error { _, err := tx.AddUserRole(ctx, "r", "u", "role"); return err })
		held(true, "a user")
	})
}
