package realms_test

import (
	"os"
	"testing"

	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

// exported is a realm as the manager writes it, users included.
func exported(t *testing.T, m *realms.Manager, name string) []byte {
	t.Helper()
	r, err := m.Export(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	err = m.ExportUsers(t.Context(), name, 2, func(page []rep.User) error {
		r.Users = append(r.Users, page...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = m.ExportFederated(t.Context(), name, 2, func(page []rep.User) error {
		r.FederatedUsers = append(r.FederatedUsers, page...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := rep.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// merged is a realm file of the reference with its file of users, if any.
func merged(t *testing.T, name string) []byte {
	t.Helper()
	dir := "../rep/testdata/export/"
	text, err := os.ReadFile(dir + name + "-realm.json")
	if err != nil {
		t.Fatal(err)
	}
	r := parse(t, string(text))
	if users, err := os.ReadFile(dir + name + "-users-0.json"); err == nil {
		r.Users = parse(t, string(users)).Users
	}
	if text, err = rep.Marshal(r); err != nil {
		t.Fatal(err)
	}
	return text
}

// TestRoundTrip: what the reference exported comes out as it went in, up to
// the order of lists, on both engines and from one to the other.
// Keycloak: ExportUtils
func TestRoundTrip(t *testing.T) {
	for _, name := range []string{"plain", "full"} {
		t.Run(name, func(t *testing.T) {
			want := merged(t, name)
			text := want
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				m := newManager(db)
				create(t, m, `{"realm":"master"}`)
				if _, err := m.Create(t.Context(), parse(t, string(text))); err != nil {
					t.Fatal(err)
				}
				got := exported(t, m, name)
				for _, d := range differences("", canonical(document(t, want)), canonical(document(t, got))) {
					t.Error(d)
				}
				text = got
			})
		})
	}
}

// TestMasterRoundTrip: the reference's master realm, with its client for
// another realm, comes out as it went in, but for the keys, which the file lacks.
func TestMasterRoundTrip(t *testing.T) {
	m := newManager(storetest.SQLite(t))
	text, err := os.ReadFile("testdata/default-master.json")
	if err != nil {
		t.Fatal(err)
	}
	create(t, m, string(text))
	keys := []string{"privateKey", "certificate", "secret", "kid", "keyUse", "users"}
	for _, d := range differences("", canonical(document(t, text), keys...), canonical(document(t, exported(t, m, "master")), keys...)) {
		t.Error(d)
	}
	create(t, m, `{"realm":"plain"}`)
	master, err := m.Cache.Get(t.Context(), realms.Master)
	if err != nil {
		t.Fatal(err)
	}
	if admin := master.RoleByName("", "admin"); len(admin.Composites) != 1+2*21 {
		t.Errorf("admin has %d roles after the realm of the client that was there is made", len(admin.Composites))
	}
}

// federatedUsers is what a realm file says of users whose directory is
// elsewhere, with members nobody knows at every depth.
const federatedUsers = `[
	{"id":"f:dir-1:anna","username":"anna","attributes":{"a":["1","2"]},"requiredActions":["UPDATE_PASSWORD"],"realmRoles":["gone"],"clientRoles":{"gone":["r"]},
		"groups":["/gone"],"notBefore":7,"new":{"deep":[1,{"x":null}]},
		"credentials":[{"id":"k","type":"otp","secretData":"{\"value\":\"s\"}","credentialData":"{\"digits\":6}","priority":10,"new":1}],
		"federatedIdentities":[{"identityProvider":"gone","userId":"1","userName":"anna","new":2}],
		"clientConsents":[{"clientId":"gone","grantedClientScopes":["gone"],"createdDate":1,"lastUpdatedDate":2,"new":3}]},
	{"id":"f:dir-1:bert","credentials":[],"notBefore":0,"groups":[]},
	{"id":"f:dir-2:cleo:x","attributes":{"a":["3"]},"notBefore":0}]`

// TestFederatedUsersAreKept: what a file says of the users of a directory comes
// out as it went in, on both engines and from one to the other, and goes with
// the directory. Keycloak: ExportUtils.exportFederatedUser,
// JpaUserFederatedStorageProvider.preRemove
func TestFederatedUsersAreKept(t *testing.T) {
	text := []byte(`{"realm":"shop","components":{"org.keycloak.storage.UserStorageProvider":[{"id":"dir-1","name":"d","providerId":"ldap"}]},
		"federatedUsers":` + federatedUsers + `}`)
	want := canonical(document(t, []byte(federatedUsers)))
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		m := newManager(db)
		if _, err := m.Create(t.Context(), parse(t, string(text))); err != nil {
			t.Fatal(err)
		}
		text = exported(t, m, "shop")
		got := document(t, text).(map[string]any)["federatedUsers"]
		for _, d := range differences("", want, canonical(got)) {
			t.Error(d)
		}
		r, err := m.Cache.Get(t.Context(), "shop")
		if err != nil {
			t.Fatal(err)
		}
		if err := m.DeleteComponent(t.Context(), r, "dir-1"); err != nil {
			t.Fatal(err)
		}
		if left := parse(t, string(exported(t, m, "shop"))).FederatedUsers; len(left) != 1 || left[0].ID != "f:dir-2:cleo:x" {
			t.Errorf("after the directory is gone: %v", left)
		}
	})
}

// A password in clear is never kept as it came.
func TestFederatedUsersPasswordsAreHashed(t *testing.T) {
	m := newManager(storetest.SQLite(t))
	create(t, m, `{"realm":"shop","federatedUsers":[{"id":"f:d:a","credentials":[{"type":"password","value":"in clear","new":1}]}]}`)
	u := parse(t, string(exported(t, m, "shop"))).FederatedUsers[0]
	c := u.Credentials[0]
	if c.Value != nil || c.CredentialData != `{"algorithm":"test"}` || c.SecretData == "" || string(c.Unknown) != `{"new":1}` {
		t.Errorf("%+v", c)
	}
}
