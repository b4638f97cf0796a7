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
