package realms_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"latchkey/internal/iam"
	"latchkey/internal/passhash"
	"latchkey/internal/policy"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
	"latchkey/internal/users"
)

// write makes files in a folder of the test's own.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func noEnv(string) (string, bool) { return "", false }

func TestReadFilesPlacesMistakes(t *testing.T) {
	good := "{\"realm\":\"shop\",\n \"clients\":[\n  {\"clientId\":\"a\"}]}"
	for _, test := range []struct {
		name  string
		files map[string]string
		want  string // after the folder's name
	}{
		{"no JSON", map[string]string{"x-realm.json": "{\n \"realm\": nonsense}"}, "x-realm.json: line 2 column 12: "},
		{"wrong type", map[string]string{"x-realm.json": "{\"realm\":\"x\",\n\"clients\":[{\"enabled\":[]}]}"}, "x-realm.json: line 2 column "},
		{"a reference to nothing",
			map[string]string{"x-realm.json": "{\"realm\":\"x\",\n \"users\":[{\"username\":\"u\",\n  \"groups\":[\"/nix\"]}]}"},
			`x-realm.json: line 3 column 13: /users/0/groups/0: there is no group "/nix"`},
		{"in a file of users", map[string]string{"shop-realm.json": good, "shop-users-0.json": `{"realm":"shop","users":[{"username":"u"}]}`,
			"shop-users-1.json": "{\"realm\":\"shop\",\"users\":[{\"username\":\"v\"},\n{\"username\":\"u\"}]}"},
			`shop-users-1.json: line 2 column 2: /users/1/username: user "u" is there twice`},
		{"in a file of federated users", map[string]string{"shop-realm.json": good,
			"shop-federated-users-0.json": `{"realm":"shop","federatedUsers":[{"id":"f:1:a"}]}`,
			"shop-federated-users-1.json": "{\"realm\":\"shop\",\"federatedUsers\":[{\"id\":\"f:1:b\"},\n{\"id\":\"f:1:a\"}]}"},
			`shop-federated-users-1.json: line 2 column 2: /federatedUsers/1/id: id of a federated user "f:1:a" is there twice`},
		{"users of no realm", map[string]string{"shop-realm.json": good, "other-users-0.json": `{"realm":"other","users":[]}`},
			`other-users-0.json: line 1 column 2: /realm: there is no file for realm "other"`},
		{"two of one name", map[string]string{"a.json": good, "b.json": good}, `b.json: line 1 column 2: /realm: realm "shop" is there twice`},
		{"in a list", map[string]string{"a.json": "[" + good +
			",\n{\"realm\":\"x\",\"clients\":[{\"clientId\":\"a\"},\n {\"clientId\":\"a\"}]}]"},
			`a.json: line 5 column 3: /1/clients/1/clientId: client "a" is there twice`},
		{"no name", map[string]string{"a.json": "{}"},
			"a.json: line 1 column 1: /realm: Realm name cannot be empty; a realm file has a member \"realm\""},
		{"a role of no client", map[string]string{"a.json": "{\"realm\":\"x\",\"roles\":{\"client\":{\n\"nix\":[]}}}"},
			`a.json: line 2 column 1: /roles/client/nix: there is no client "nix"`},
		{"a character in a name", map[string]string{"a.json": "{\n\"realm\":\"a/b\"}"},
			"a.json: line 2 column 1: /realm: Character '/' not allowed."},
		{"a setting", map[string]string{"a.json": "{\"realm\":\"x\",\n\"sslRequired\":\"y\"}"},
			`a.json: line 2 column 1: /sslRequired: sslRequired: "y" is none of none, external, all`},
		{"a flow that is bound", map[string]string{"a.json": "{\"realm\":\"x\",\n\"browserFlow\":\"y\"}"},
			`a.json: line 2 column 1: /browserFlow: browserFlow: there is no flow "y" in authenticationFlows`},
		{"one id twice", map[string]string{
			"a.json": "{\"realm\":\"x\",\"clients\":[{\"id\":\"i\",\"clientId\":\"a\"},\n{\"id\":\"i\",\"clientId\":\"b\"}]}"},
			`a.json: line 2 column 2: /clients/1/id: id "i" is there twice`},
		{"an old name", map[string]string{"a.json": "{\"realm\":\"x\",\"applications\":[{\"name\":\"a\"},\n{\"name\":\"a\"}]}"},
			`a.json: line 2 column 1: /applications/1/clientId: client "a" is there twice`},
		{"nothing", map[string]string{"a.json": " "}, "a.json: line 1 column 2: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			db := storetest.SQLite(t)
			m := newManager(db)
			dir := write(t, test.files)
			files, err := realms.ReadFiles(dir, noEnv)
			if err == nil {
				_, err = m.Import(t.Context(), files, realms.ImportOptions{OnConflict: realms.Fail})
			}
			problem, ok := errors.AsType[*realms.Problem](err)
			if !ok {
				t.Fatalf("%v (%T)", err, err)
			}
			got := strings.TrimPrefix(problem.Error(), dir+"/")
			if name, place, _ := strings.Cut(test.want, ": : "); !strings.HasPrefix(got, test.want) && !(strings.HasPrefix(got, name) &&
				strings.HasSuffix(got, place)) {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if names, err := m.Cache.Names(t.Context()); err != nil || len(names) > 0 {
				t.Errorf("stored: %v, %v", names, err)
			}
		})
	}
}

// Keycloak: StringPropertyReplacer
func TestPlaceholders(t *testing.T) {
	env := map[string]string{"NAME": "shop", "SECRET": "a\"b\\c\nd", "ON": "true"}
	dir := write(t, map[string]string{"r.json": `{"realm":"${NAME}","enabled":${ON},"displayName":"${NOT_SET:none} of ${NAME}",
		"clients":[{"clientId":"a","name":"${client_a}","secret":"${SECRET}","rootUrl":"${NOT_SET,NAME}"},{"clientId":"b","name":"\"${NAME}\""}]}`})
	files, err := realms.ReadFiles(dir, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	r := files[0].Realm
	a := r.Clients[0]
	if r.Realm != "shop" || !*r.Enabled || *r.DisplayName != "none of shop" || *a.Name != "${client_a}" || *a.Secret != env["SECRET"] ||
		*a.RootURL != "shop" {
		t.Errorf("realm %s %s, client %s %q %s", r.Realm, *r.DisplayName, *a.Name, *a.Secret, *a.RootURL)
	}
	if *r.Clients[1].Name != `"shop"` {
		t.Errorf("quoted: %s", *r.Clients[1].Name)
	}
}

func TestOnConflict(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		m := newManager(db)
		imp := func(text string, o realms.OnConflict) ([]realms.Imported, error) {
			t.Helper()
			files, err := realms.ReadFiles(write(t, map[string]string{"r.json": text}), noEnv)
			if err != nil {
				t.Fatal(err)
			}
			return m.Import(ctx, files, realms.ImportOptions{OnConflict: o})
		}
		two := `[{"realm":"shop","displayName":"%"},{"realm":"master","displayName":"%"}]`
		version := func(s string) string { return strings.ReplaceAll(two, "%", s) }
		if _, err := imp(version("1"), realms.Fail); err != nil {
			t.Fatal(err)
		}
		shown := func(realm string) string {
			t.Helper()
			r, err := m.Cache.Get(ctx, realm)
			if err != nil {
				t.Fatal(err)
			}
			return *r.Rep.DisplayName
		}
		_, err := imp(`[{"realm":"another"},{"realm":"shop","displayName":"2"}]`, realms.Fail)
		if refused, ok := errors.AsType[*iam.Error](err); !ok || refused.Kind != iam.Conflict {
			t.Errorf("fail: %v", err)
		}
		if _, err := m.Cache.Get(ctx, "another"); !errors.Is(err, realms.ErrNotFound) {
			t.Errorf("half of a refused import is stored: %v", err)
		}
		done, err := imp(version("2"), realms.Skip)
		if err != nil || !done[0].Skipped || shown("shop") != "1" {
			t.Errorf("skip: %+v, %v", done, err)
		}
		if done, err = imp(version("3"), realms.Replace); err != nil || done[1].Skipped || shown("shop") != "3" || shown("master") != "3" {
			t.Errorf("replace: %+v, %v", done, err)
		}
		master, err := m.Cache.Get(ctx, realms.Master)
		if err != nil {
			t.Fatal(err)
		}
		if admin := master.RoleByName("", "admin"); len(admin.Composites) != 1+2*21 {
			t.Errorf("a replaced master realm's admin has %d roles", len(admin.Composites))
		}
	})
}

// TestGaps: what would not work is named with whom it affects, and keeps a
// realm out unless that is accepted.
func TestGaps(t *testing.T) {
	ctx := t.Context()
	db := storetest.SQLite(t)
	m := newManager(db)
	m.CheckCredential = users.New(db, passhash.New(64<<20, passhash.DefaultQueue), policy.New(""), nil, nil).CheckStored
	lacking := []string{"workflows", "google", "saml", "ldap", "conditional-level-of-authentication", "smartcard", "authorization",
		"client-policies", "oidc-script", "user-federation", "CONFIGURE_X", "java-keystore"}
	m.Can = func(_ realms.Capability, id string) bool { return !slices.Contains(lacking, id) }
	user := func(name, more string) string { return `{"username":"` + name + `"` + more + `}` }
	credential := func(kind, secret, data string) string {
		return `,"credentials":[{"type":"` + kind + `","secretData":` + strconv.Quote(secret) + `,"credentialData":` + strconv.Quote(data) + `}]`
	}
	const hash = `{"value":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","salt":"AAAAAAAAAAAAAAAAAAAAAA=="}`
	text := `{"realm":"shop","registrationAllowed":false,
		"identityProviders":[{"alias":"goo","providerId":"google"},{"alias":"off","providerId":"google","enabled":false}],
		"components":{"org.keycloak.storage.UserStorageProvider":[{"id":"ldap-1","name":"staff","providerId":"ldap"}],
			"org.keycloak.keys.KeyProvider":[{"name":"jks","providerId":"java-keystore"}],
			"org.keycloak.models.workflow.WorkflowProvider":[{"name":"leavers","providerId":"default"}],"own.Kind":[{"name":"k","providerId":"p"}]},
		"clients":[{"clientId":"hush","secret":"**********"},{"clientId":"sp","protocol":"saml"},{"clientId":"dead","protocol":"saml","enabled":false},
			{"clientId":"rs","authorizationServicesEnabled":true,"serviceAccountsEnabled":true},
			{"clientId":"sc","protocolMappers":[{"name":"x","protocol":"openid-connect","protocolMapper":"oidc-script"}]}],
		"clientPolicies":{"policies":[{"name":"p","enabled":true}]},"future":1,"roles":{"client":{"hush":[{"name":"r","own":{}}]}},
		"smtpServer":{"from":"a@b.example","password":"**********"},"identityProviderMappers":[{"name":"left","identityProviderAlias":"gone"}],
		"users":[` + strings.Join([]string{
		user("a", `,"federatedIdentities":[{"identityProvider":"goo","userId":"1"}]`),
		user("b", `,"federatedIdentities":[{"identityProvider":"goo","userId":"2"}]`+credential("password", hash,
			`{"algorithm":"argon2","hashIterations":5}`)),
		user("c", `,"federationLink":"ldap-1"`),
		user("d", `,"credentials":[{"type":"smartcard","secretData":"{}","credentialData":"{}"}]`),
		user("e", credential("password", hash, `{"algorithm":"argon3","hashIterations":5}`)+`,"requiredActions":["CONFIGURE_X"]`),
		user("f", credential("password", `{}`, `{"algorithm":"argon2","hashIterations":5}`)),
		user("g", credential("password", `{"value":"AAAA","salt":"%"}`, `{"algorithm":"argon2","hashIterations":5}`)),
		user("h", credential("password", hash, `{"algorithm":"argon2","hashIterations":5,"additionalParameters":{"type":["x"]}}`)),
		user("i", credential("otp", `{"value":"x"}`, `{"subType":"totp","period":30,"algorithm":"HmacSHA1"}`)),
	}, ",") + `],"federatedUsers":[{"id":"f:ldap-1:z"}]}`
	files, err := realms.ReadFiles(write(t, map[string]string{"r.json": text}), noEnv)
	if err != nil {
		t.Fatal(err)
	}
	done, err := m.Check(ctx, files)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range done[0].Gaps {
		got = append(got, g.String())
	}
	want := []string{
		"shop: authorization services: client rs",
		"shop: client policies: 1 policy is not enforced",
		"shop: component k (own.Kind): kept but not used",
		"shop: credential otp that cannot be checked (otp: unusable credential: 0 digits): 1 user has one",
		`shop: credential password that cannot be checked (passhash: corrupt credential: a hash of 0 bytes, a salt of 0): 1 user has one`,
		`shop: credential password that cannot be checked (passhash: corrupt credential: secretData): 1 user has one`,
		`shop: credential password that cannot be checked (passhash: unsupported: algorithm "argon3"): 1 user has one`,
		`shop: credential password that cannot be checked (passhash: unsupported: argon2x version 1.3): 1 user has one`,
		"shop: credential smartcard: 1 user has no password and no other way to log in",
		"shop: credential smartcard: 1 user has one",
		"shop: federated users: 1 user is kept but cannot log in",
		"shop: identity provider goo (google): 1 user has only this link",
		"shop: identity provider goo (google): 2 users are linked to it",
		"shop: key provider jks (java-keystore): what its keys have signed is refused",
		"shop: member future: not known to this version: kept but not used",
		"shop: member own in roles/client: not known to this version: kept but not used",
		"shop: protocol mapper oidc-script: client sc",
		"shop: protocol saml: client sp",
		"shop: required action CONFIGURE_X: 1 user has to do it before they can log in",
		"shop: secrets that the file holds back: new ones are made for the clients hush",
		"shop: user storage staff (ldap): 1 user comes from it, and nobody new will",
		"shop: workflow leavers: its steps are not run for anybody",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	var notes []string
	for _, n := range done[0].Notes {
		notes = append(notes, n.String())
	}
	if want := []string{
		"shop: identity provider mapper left: left out with its provider gone, which is not there",
		"shop: mail server: its password is held back in the file",
	}; !slices.Equal(notes, want) {
		t.Errorf("notes\n%s\nwant\n%s", strings.Join(notes, "\n"), strings.Join(want, "\n"))
	}
	if _, err := m.Import(ctx, files, realms.ImportOptions{OnConflict: realms.Fail}); !isGaps(err) {
		t.Errorf("imported in spite of gaps: %v", err)
	}
	if _, err := m.Cache.Get(ctx, "shop"); !errors.Is(err, realms.ErrNotFound) {
		t.Errorf("stored: %v", err)
	}
	if _, err := m.Import(ctx, files, realms.ImportOptions{OnConflict: realms.Fail, AcceptGaps: true}); err != nil {
		t.Error(err)
	}
	again, err := m.Import(ctx, files, realms.ImportOptions{OnConflict: realms.Skip})
	if err != nil || !again[0].Skipped {
		t.Errorf("gaps of a realm that is there and stays are asked again: %v, %v", again, err)
	}
	plain, err := realms.ReadFiles(write(t, map[string]string{"r.json": `{"realm":"plain"}`}), noEnv)
	if err != nil {
		t.Fatal(err)
	}
	if done, err := m.Check(ctx, plain); err != nil || len(done[0].Gaps) > 0 {
		t.Errorf("a realm of defaults: %v, %v", done, err)
	}
}

// TestGapsElsewhere: what is kept here and refused by the reference (26.7.3,
// each was asked) is named with its place.
func TestGapsElsewhere(t *testing.T) {
	m := newManager(storetest.SQLite(t))
	for given, want := range map[string]string{
		`"clients":[{"clientId":"c","protocol":"docker-v2","enabled":false}]`:                                                                             "/clients/0/protocol: there is no protocol docker-v2",
		`"clients":[{"clientId":"c","protocolMappers":[{"name":"m","protocolMapper":"oidc-full-name-mapper"}]}]`:                                          "/clients/0/protocolMappers/0: mapper m has no protocol",
		`"clientScopes":[{"name":"c","protocol":"openid-connect","protocolMappers":[{"name":"m","protocolMapper":"oidc-full-name-mapper"}]}]`:             "/clientScopes/0/protocolMappers/0: mapper m has no protocol",
		`"identityProviders":[{"alias":"i","providerId":"zz"}]`:                                                                                           `/identityProviders/0/providerId: there is no type of identity providers "zz"`,
		`"identityProviders":[{"alias":"i","providerId":"zz","enabled":false}]`:                                                                           `/identityProviders/0/providerId: there is no type of identity providers "zz"`,
		`"identityProviders":[{"alias":"i","providerId":"oidc","config":{"tokenUrl":"http://example.com/x"}}]`:                                            "/identityProviders/0/config/tokenUrl: the address is not https, and sslRequired is external",
		`"identityProviders":[{"alias":"i","providerId":"saml","config":{"singleLogoutServiceUrl":"http://example.com/x"}}]`:                              "/identityProviders/0/config/singleLogoutServiceUrl: the address is not https, and sslRequired is external",
		`"sslRequired":"all","identityProviders":[{"alias":"i","providerId":"oidc","config":{"tokenUrl":"http://example.com/x"}}]`:                        "/identityProviders/0/config/tokenUrl: the address is not https, and sslRequired is all",
		`"sslRequired":"none","identityProviders":[{"alias":"i","providerId":"oidc","config":{"tokenUrl":"http://example.com/x"}}]`:                       "",
		`"identityProviders":[{"alias":"i","providerId":"oidc","config":{"tokenUrl":"http://127.0.0.1/x"}}]`:                                              "",
		`"identityProviders":[{"alias":"i","providerId":"oidc","config":{"issuer":"http://example.com/x"}}]`:                                              "",
		`"components":{"org.keycloak.services.clientregistration.policy.ClientRegistrationPolicy":[{"name":"k","providerId":"p","subType":"anonymous"}]}`: "/components/org.keycloak.services.clientregistration.policy.ClientRegistrationPolicy/0/providerId: there is no client registration policy \"p\"",
	} {
		files, err := realms.ReadFiles(write(t, map[string]string{"r.json": `{"realm":"shop",` + given + `}`}), noEnv)
		if err != nil {
			t.Fatal(err)
		}
		done, err := m.Check(t.Context(), files)
		if err != nil {
			t.Fatalf("%s: %v", given, err)
		}
		var got, wanted []string
		for _, g := range done[0].Gaps {
			got = append(got, g.String())
		}
		if want != "" {
			wanted = []string{"shop: " + want + ": Keycloak refuses the whole file for it"}
		}
		if !slices.Equal(got, wanted) {
			t.Errorf("%s: %q, want %q", given, got, wanted)
		}
	}
}

func isGaps(err error) bool {
	_, ok := errors.AsType[*realms.GapsError](err)
	return ok
}

// Keycloak of a later version may write members that are not known here.
func TestUnknownMembersSurvive(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		m := newManager(db)
		text := `{"realm":"x","new":{"a":[1]},"clients":[{"clientId":"c","new":2,"protocolMappers":[{"name":"m","protocolMapper":"oidc-full-name-mapper","new":3}]}],
			"roles":{"realm":[{"name":"r","new":4}]},"groups":[{"name":"g","new":5}],"users":[{"username":"u","new":6,"credentials":[{"type":"otp","secretData":"{\"value\":\"x\"}","credentialData":"{\"digits\":6,\"subType\":\"totp\"}","new":15}],
				"federatedIdentities":[{"identityProvider":"i","userId":"e","userName":"e","new":16}],"clientConsents":[{"clientId":"c","new":17}]}],
			"clientScopes":[{"name":"s","protocol":"openid-connect","new":7}],"identityProviders":[{"alias":"i","providerId":"oidc","new":8}],
			"components":{"t":[{"name":"n","providerId":"p","new":9,"subComponents":{"t2":[{"name":"n2","providerId":"p","new":10}]}}]},
			"authenticationFlows":[{"alias":"browser","providerId":"basic-flow","topLevel":true,"new":11,"authenticationExecutions":[{"authenticator":"auth-cookie","requirement":"REQUIRED","new":12}]},
				{"alias":"registration"},{"alias":"direct grant"}],
			"authenticatorConfig":[{"alias":"a","new":13}],"requiredActions":[{"alias":"A","new":14}]}`
		create(t, m, text)
		got := string(exported(t, m, "x"))
		for _, want := range []string{`"new":{"a":[1]}`, `"new":2`, `"new":3`, `"new":4`, `"new":5`, `"new":6`, `"new":7`, `"new":8`, `"new":9`,
			`"new":10`, `"new":11`, `"new":12`, `"new":13`, `"new":14`, `"new":15`, `"new":16`, `"new":17`} {
			if !strings.Contains(got, want) {
				t.Errorf("lost: %s", want)
			}
		}
	})
}

// An unknown member may be a secret: it is not in the user's document, which is
// not sealed. It goes with the user; documents of users from before have it.
func TestUnknownMembersOfUsersAreSealed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		m := newManager(db)
		r := create(t, m, `{"realm":"x","users":[{"username":"u","new":1,"credentials":[{"id":"k","type":"otp","secretData":"{}","credentialData":"{}","new":2}]}]}`)
		u, err := db.UserByName(t.Context(), r.ID, "u")
		if err != nil || u.Extra != nil {
			t.Fatalf("in clear: %s, %v", u.Extra, err)
		}
		old := &iam.User{ID: "o", Realm: r.ID, Username: "old", Extra: []byte(`{"new":3,"credentials":[{"id":"k2","new":4}]}`)}
		err = db.Tx(t.Context(), func(tx *store.Tx) error {
			return errors.Join(tx.InsertUser(t.Context(), old, false),
				tx.InsertCredential(t.Context(), r.ID, &iam.Credential{ID: "k2", User: "o", Kind: iam.OTP, Data: []byte("{}"),
					Secret: iam.Secret("{}")}))
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range parse(t, string(exported(t, m, "x"))).Users {
			want := map[string][2]string{"u": {`{"new":1}`, `{"new":2}`}, "old": {`{"new":3}`, `{"new":4}`}}[u.Username]
			if got := [2]string{string(u.Unknown), string(u.Credentials[0].Unknown)}; got != want {
				t.Errorf("%s: %s, want %s", u.Username, got, want)
			}
		}
		err = db.Tx(t.Context(), func(tx *store.Tx) error {
			_, err := tx.DeleteUser(t.Context(), r.ID, u.ID, func(*store.Ending) {})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if o, err := db.Object(t.Context(), r.ID, store.KindUserExtra, string(u.ID)); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("after the user is gone: %s, %v", o.Doc, err)
		}
	})
}

func FuzzRealmFile(f *testing.F) {
	f.Add(`{"realm":"shop","clients":[{"clientId":"a"}]}`)
	f.Add(`[{"realm":"a","users":[{"username":"u","credentials":[{"type":"password","value":"x"}]}]},{"realm":"${B:b}"}]`)
	f.Add(`{"realm":"x","authenticationFlows":[{"alias":"browser","authenticationExecutions":[{"flowAlias":"browser","requirement":"REQUIRED"}]}]}`)
	f.Add(`{"realm":"x","defaultRole":{"name":"d"},"roles":{"realm":[{"name":"d","composites":{"realm":["d"]}}],"client":{"account":[]}}}`)
	m := newManager(storetest.SQLite(f))
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "r.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		files, err := realms.ReadFiles(path, noEnv)
		if err != nil {
			return
		}
		for _, file := range files {
			// Keys take long and are not what is looked for.
			file.Realm.Components = map[string][]rep.ComponentExport{realms.TypeKeyProvider: {{Name: "k", ProviderID: "none"}}}
		}
		done, err := m.Import(t.Context(), files, realms.ImportOptions{OnConflict: realms.Replace, AcceptGaps: true})
		if err != nil {
			var problem *realms.Problem
			var refused *iam.Error
			if !errors.As(err, &problem) && !errors.As(err, &refused) {
				t.Fatalf("neither refused nor stored: %v", err)
			}
			return
		}
		for _, d := range done {
			exported(t, m, d.Realm)
		}
	})
}
