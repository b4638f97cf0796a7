package realms_test

import (
	"context"
	"errors"
	"testing"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

// deleteUser is sessions.Service.DeleteUser for users without sessions.
func deleteUser(ctx context.Context, tx *store.Tx, r *realms.Realm, id iam.UserID, _ iam.End) error {
	_, err := tx.DeleteUser(ctx, r.ID, id, func(*store.Ending) {})
	return err
}

// Keycloak: PartialImportManager
func TestPartialImport(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		m := newManager(db)
		r := create(t, m, `{"realm":"shop","enabled":true,"defaultGroups":[],"groups":[{"name":"old"}],"clients":[{"clientId":"old","secret":"s"}],"roles":{"client":{"old":[{"name":"x"}]}}}`)
		more := func(policy string) (string, error) {
			t.Helper()
			p := new(rep.PartialImport)
			text := `{"ifResourceExists":"` + policy + `","clients":[{"clientId":"pc","serviceAccountsEnabled":true}],
				"roles":{"realm":[{"name":"pr","composites":{"client":{"old":["x"]}}}],"client":{"pc":[{"name":"pcr"}],"old":[{"name":"y"}]}},
				"groups":[{"name":"pg","realmRoles":["pr"],"subGroups":[{"name":"sub"}]}],
				"identityProviders":[{"alias":"pi","providerId":"oidc"}],"identityProviderMappers":[{"name":"m","identityProviderAlias":"pi"}],
				"users":[{"username":"PU","enabled":true,"realmRoles":["pr"],"clientRoles":{"pc":["pcr"],"old":["x"]},"groups":["/pg/sub","/old"]}]}`
			if err := rep.Unmarshal([]byte(text), p); err != nil {
				t.Fatal(err)
			}
			now, err := m.Cache.ByID(ctx, r.ID)
			if err != nil {
				t.Fatal(err)
			}
			done, err := m.PartialImport(ctx, now, p, iam.End{})
			actions := ""
			for _, d := range done {
				actions += d.Action[:1]
				if d.ID == "" {
					t.Errorf("no id: %+v", d)
				}
			}
			return actions, err
		}
		check := func(step string) {
			t.Helper()
			now, err := m.Cache.ByID(ctx, r.ID)
			if err != nil {
				t.Fatal(err)
			}
			u, err := db.UserByName(ctx, r.ID, "pu")
			if err != nil {
				t.Fatal(step, err)
			}
			roles, err := db.UserRoles(ctx, r.ID, u.ID)
			if err != nil || len(roles) != 3 {
				t.Errorf("%s: roles %v, %v", step, roles, err)
			}
			for _, id := range roles {
				if now.Role(id) == nil {
					t.Errorf("%s: role %s is not there", step, id)
				}
			}
			if groups, err := db.UserGroups(ctx, r.ID, u.ID); err != nil || len(groups) != 2 {
				t.Errorf("%s: groups %v, %v", step, groups, err)
			}
			if pr := now.RoleByName("", "pr"); pr == nil || len(pr.Composites) != 1 {
				t.Errorf("%s: composite %+v", step, pr)
			}
			pc, err := now.ClientByName(ctx, "pc")
			if err != nil || len(pc.DefaultScopes) != 7 {
				t.Fatalf("%s: client %+v, %v", step, pc, err)
			}
			if _, err := db.ServiceAccount(ctx, r.ID, pc.ID); err != nil {
				t.Errorf("%s: service account: %v", step, err)
			}
			if len(now.IDPs) != 1 || now.Role(now.DefaultRole) == nil {
				t.Errorf("%s: %d identity providers", step, len(now.IDPs))
			}
		}
		if got, err := more("FAIL"); err != nil || got != "AAAAAAAA" {
			t.Fatalf("added: %s, %v", got, err)
		}
		check("added")
		_, err := more("FAIL")
		if refused, ok := errors.AsType[*iam.Error](err); !ok || refused.Kind != iam.Conflict || refused.Msg != "Client id 'pc' already exists" {
			t.Errorf("again: %v", err)
		}
		if got, err := more("SKIP"); err != nil || got != "SSSSSSSS" {
			t.Errorf("skipped: %s, %v", got, err)
		}
		check("skipped")
		if got, err := more("OVERWRITE"); err != nil || got != "OOAOAAOOOO" {
			t.Errorf("overwritten: %s, %v", got, err)
		}
		check("overwritten")
		// A mapper for a provider that is there already belongs to it.
		p, now := new(rep.PartialImport), parse(t, string(exported(t, m, "shop")))
		p.IdentityProviderMappers = []rep.IdentityProviderMapper{{Name: "second", IdentityProviderAlias: "pi"}}
		r, err = m.Cache.ByID(ctx, r.ID)
		if err != nil {
			t.Fatal(err)
		}
		done, err := m.PartialImport(ctx, r, p, iam.End{})
		if err != nil || len(done) != 1 || done[0].ResourceType != "IDP_MAPPER" || done[0].ResourceName != "second" {
			t.Errorf("a mapper alone: %+v, %v", done, err)
		}
		objects, err := db.Objects(ctx, r.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objects {
			if o.Kind == store.KindIDPMapper && o.Parent != now.IdentityProviders[0].InternalID {
				t.Errorf("mapper %s belongs to %q", o.Name, o.Parent)
			}
		}
	})
}
