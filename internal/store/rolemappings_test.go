package store_test

import (
	"slices"
	"testing"

	"latchkey/internal/iam"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

// TestStandingCountsGroupsAbove: a role of a group is its members' and those of
// the groups below it.
func TestStandingCountsGroupsAbove(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		addRealm(t, db, "r")
		err := db.Tx(ctx, func(tx *store.Tx) error {
			if err := tx.InsertUser(ctx, &iam.User{ID: "u", Realm: "r", Username: "u", Enabled: true}, false); err != nil {
				return err
			}
			for _, g := range []store.GroupRow{{ID: "top", Name: "top"}, {ID: "mid", Parent: "top", Name: "mid"},
				{ID: "leaf", Parent: "mid", Name: "leaf"}, {ID: "other", Name: "other"}} {
				g.Doc = []byte(`{}`)
				if err := tx.InsertGroup(ctx, "r", g); err != nil {
					return err
				}
				if err := tx.AddGroupRole(ctx, "r", g.ID, iam.RoleID("role-"+g.ID)); err != nil {
					return err
				}
			}
			if _, err := tx.AddUserRole(ctx, "r", "u", "own"); err != nil {
				return err
			}
			if _, err := tx.BeginSession(ctx, &iam.UserSession{ID: "s", Realm: "r", User: "u"}); err != nil {
				return err
			}
			for _, g := range []iam.GroupID{"leaf", "top"} {
				if _, err := tx.JoinGroup(ctx, "r", "u", g); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		s, err := db.RoleMappings(ctx, "r", "u")
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(s.Roles)
		if want := []iam.RoleID{"own", "role-leaf", "role-mid", "role-top"}; !slices.Equal(s.Roles, want) {
			t.Errorf("roles %v, want %v", s.Roles, want)
		}
		if v, err := db.Session(ctx, "r", iam.SessionRef{ID: "s"}, ""); err != nil || !v.Grouped || v.Roles != "own" {
			t.Errorf("with the session %+v, %v", v, err)
		}
		err = db.Tx(ctx, func(tx *store.Tx) error {
			for _, g := range []iam.GroupID{"leaf", "top"} {
				if _, err := tx.LeaveGroup(ctx, "r", "u", g); err != nil {
					return err
				}
			}
			_, err := tx.AddUserRole(ctx, "r", "u", "second")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		v, err := db.Session(ctx, "r", iam.SessionRef{ID: "s"}, "")
		if err != nil {
			t.Fatal(err)
		}
		if v.Grouped || v.Roles != "own second" && v.Roles != "second own" {
			t.Errorf("with the session of a user in no group %+v", v)
		}
		var direct []iam.GroupID
		for _, g := range s.Groups {
			if g.Direct {
				direct = append(direct, g.ID)
			}
		}
		if len(s.Groups) != 3 || !slices.Equal(direct, []iam.GroupID{"leaf", "top"}) {
			t.Errorf("groups %+v", s.Groups)
		}
		if none, err := db.RoleMappings(ctx, "r", "nobody"); err != nil || len(none.Roles)+len(none.Groups) > 0 {
			t.Errorf("nobody: %+v, %v", none, err)
		}
	})
}
