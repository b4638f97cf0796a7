package roles_test

import (
	"testing"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/roles"
	"latchkey/internal/store/storetest"
)

// Keycloak: RolePermissions.checkAdminRoles, UserPermissions.hasHigherPrivilegesThanAdmin (26.7.5).
func TestRightsCover(t *testing.T) {
	ctx := t.Context()
	cache := realms.NewCache(storetest.SQLite(t))
	manager := realms.NewManager(cache, cache.DB().Now, realms.Rules{NewKey: noKey})
	for _, name := range []string{"master", "shop", "bank"} {
		if _, err := manager.Create(ctx, &rep.Realm{Realm: name, Enabled: new(true)}); err != nil {
			t.Fatal(err)
		}
	}
	realm := func(name string) *realms.Realm {
		r, err := cache.Get(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	role := func(r *realms.Realm, client, name string) iam.RoleID {
		var of iam.ClientID
		if client != "" {
			c, err := r.ClientByName(ctx, client)
			if err != nil {
				t.Fatal(err)
			}
			of = c.ID
		}
		return r.RoleByName(of, name).ID
	}
	const rm = realms.ClientAdmin
	for _, c := range []struct {
		home, client, has string // "" for a realm role
		in, of, gives     string
		covers, mayGive   bool
	}{
		{"shop", rm, "manage-users", "shop", rm, "manage-users", true, true},
		{"shop", rm, "manage-users", "shop", rm, "view-users", true, true},
		{"shop", rm, "view-users", "shop", rm, "manage-users", false, false},
		{"shop", rm, "manage-users", "shop", rm, "query-realms", false, true},
		{"shop", rm, "manage-users", "shop", rm, "realm-admin", false, false},
		{"shop", rm, "realm-admin", "shop", rm, "realm-admin", true, true},
		{"shop", rm, "realm-admin", "shop", "", "offline_access", true, true},
		{"shop", rm, "realm-admin", "bank", rm, "view-users", false, false},
		{"master", "shop-realm", "manage-users", "shop", rm, "view-users", true, true},
		{"master", "shop-realm", "manage-users", "shop", rm, "impersonation", false, false},
		{"master", "shop-realm", "manage-users", "bank", rm, "view-users", false, false},
		{"master", "shop-realm", "manage-users", "master", "shop-realm", "view-users", true, true},
		{"master", "shop-realm", "manage-users", "master", "bank-realm", "view-users", false, false},
		{"master", "master-realm", "manage-users", "master", "", "admin", false, false},
		{"master", "master-realm", "manage-realm", "master", "", "create-realm", false, false},
		{"master", "", "create-realm", "master", "", "create-realm", true, true},
		{"master", "", "admin", "master", "", "admin", true, true},
		{"master", "", "admin", "bank", rm, "realm-admin", true, true},
	} {
		home, in := realm(c.home), realm(c.in)
		rights := roles.RightsOf(home, roles.Expand(home, role(home, c.client, c.has)))
		id := role(in, c.of, c.gives)
		if got := rights.Covers(ctx, in, id); got != c.covers {
			t.Errorf("%s %s/%s covers %s %s/%s: %v", c.home, c.client, c.has, c.in, c.of, c.gives, got)
		}
		if got := rights.MayGive(ctx, in, id); got != c.mayGive {
			t.Errorf("%s %s/%s may give %s %s/%s: %v", c.home, c.client, c.has, c.in, c.of, c.gives, got)
		}
		if all := c.has == "admin" || c.has == "realm-admin"; rights.All(ctx, home) != all {
			t.Errorf("%s has all rights: %v", c.has, !all)
		}
	}
}
