package roles_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/roles"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

// realm has a composite of a composite, a client with roles, and a loop.
func realm(t *testing.T) (*realms.Realm, *store.DB) {
	t.Helper()
	db := storetest.SQLite(t)
	ctx := t.Context()
	err := db.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.InsertRealm(ctx, store.RealmRow{ID: "r", Name: "r", Enabled: true, Doc: []byte(`{}`)}); err != nil {
			return err
		}
		if err := tx.InsertClient(ctx, "r", store.ClientRow{ID: "c1", ClientID: "app", Enabled: true,
			Doc: []byte(`{"clientId":"app"}`)}); err != nil {
			return err
		}
		for _, v := range []store.RoleRow{{ID: "boss", Name: "boss"}, {ID: "lead", Name: "lead"}, {ID: "user", Name: "user"},
			{ID: "loop", Name: "loop"}, {ID: "view", Client: "c1", Name: "view"}} {
			v.Doc = []byte(`{}`)
			if err := tx.InsertRole(ctx, "r", v); err != nil {
				return err
			}
		}
		for _, p := range [][2]iam.RoleID{{"boss", "lead"}, {"lead", "user"}, {"lead", "view"}, {"loop", "loop"}, {"loop", "user"}} {
			if err := tx.AddComposite(ctx, "r", p[0], p[1]); err != nil {
				return err
			}
		}
		return tx.InsertUser(ctx, &iam.User{ID: "u", Realm: "r", Username: "u", Enabled: true}, false)
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := realms.NewCache(db).Get(ctx, "r")
	if err != nil {
		t.Fatal(err)
	}
	return r, db
}

func noKey(context.Context, string, string, map[string][]string) error { return nil }

func list(s roles.Set) string {
	var out []string
	for id := range maps.Keys(s) {
		out = append(out, string(id))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// Keycloak: RoleUtils.expandCompositeRoles.
func TestExpand(t *testing.T) {
	r, _ := realm(t)
	for given, want := range map[iam.RoleID]string{"boss": "boss lead user view", "lead": "lead user view", "loop": "loop user", "gone": ""} {
		if got := list(roles.Expand(r, given)); got != want {
			t.Errorf("%s: %q, want %q", given, got, want)
		}
	}
}

// Keycloak: TokenManager.getAccess.
func TestInScope(t *testing.T) {
	r, _ := realm(t)
	held := roles.Expand(r, "boss")
	scope := []*iam.ClientScope{{Roles: []iam.RoleID{"lead"}}}
	for name, c := range map[string]struct {
		client iam.Client
		scopes []*iam.ClientScope
		want   string
	}{
		"full":           {iam.Client{FullScope: true}, nil, "boss lead user view"},
		"nothing mapped": {iam.Client{ID: "other"}, nil, ""},
		"own roles":      {iam.Client{ID: "c1"}, nil, "view"},
		"mapped":         {iam.Client{ID: "other", ScopeRoles: []iam.RoleID{"user", "loop"}}, nil, "user"},
		"by a scope":     {iam.Client{ID: "other"}, scope, "lead user view"},
	} {
		if got := list(roles.InScope(r, held, &c.client, c.scopes)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Keycloak: DefaultClientSessionContext.isClientScopePermittedForUser.
func TestPermitted(t *testing.T) {
	r, _ := realm(t)
	open, narrow := &iam.ClientScope{Name: "open"}, &iam.ClientScope{Name: "narrow", Roles: []iam.RoleID{"loop"}}
	given := []*iam.ClientScope{open, narrow}
	if got := roles.Permitted(r, roles.Expand(r, "user"), given); len(got) != 2 {
		t.Errorf("a role that the scope's role is composed of: %d scopes", len(got))
	}
	if got := roles.Permitted(r, roles.Expand(r, "view"), given); len(got) != 1 || got[0] != open {
		t.Errorf("without the role: %v", got)
	}
	if given[1] != narrow {
		t.Error("the caller's list was changed")
	}
}

func TestStandingNamesPathsAndRoles(t *testing.T) {
	r, db := realm(t)
	ctx := t.Context()
	err := db.Tx(ctx, func(tx *store.Tx) error {
		for _, g := range []store.GroupRow{{ID: "g1", Name: "sales", Doc: []byte(`{"attributes":{"floor":["2"]}}`)},
			{ID: "g2", Parent: "g1", Name: "north", Doc: []byte(`{}`)}} {
			if err := tx.InsertGroup(ctx, "r", g); err != nil {
				return err
			}
		}
		if err := tx.AddGroupRole(ctx, "r", "g1", "lead"); err != nil {
			return err
		}
		_, err := tx.JoinGroup(ctx, "r", "u", "g2")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := roles.New(db).Of(ctx, r, "u")
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Groups) != 1 || s.Groups[0].Path() != "/sales/north" || s.Groups[0].Up.Attrs["floor"][0] != "2" {
		t.Errorf("groups: %+v", s.Groups)
	}
	a, err := roles.Names(ctx, r, s.Roles)
	if err != nil || strings.Join(a.Realm, " ") != "lead user" || strings.Join(a.Clients["app"], " ") != "view" {
		t.Errorf("names: %+v, %v", a, err)
	}
}
