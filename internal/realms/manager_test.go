package realms_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/keys"
	"latchkey/internal/policy"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

func newManager(db *store.DB) *realms.Manager {
	return realms.NewManager(realms.NewCache(db), time.Now, realms.Rules{NewKey: newKey, CheckPolicy: policy.New("").Valid,
		DeleteUser: deleteUser,
		Hash: func(_ context.Context, _ *iam.Realm, _ *iam.User, password string) (*iam.Credential, error) {
			return &iam.Credential{Data: []byte(`{"algorithm":"test"}`), Secret: iam.Secret(`{"value":"` + password + `"}`)}, nil
		}})
}

// rsaConfig is one RSA key for all tests: making them takes most of the time.
var rsaConfig = sync.OnceValues(func() (map[string][]string, error) {
	config := map[string][]string{}
	return config, keys.NewMaker(time.Now).Fill(context.Background(), "test", "rsa-generated", config)
})

func newKey(ctx context.Context, realm, providerID string, config map[string][]string) error {
	if strings.HasPrefix(providerID, "rsa") && config["privateKey"] == nil {
		made, err := rsaConfig()
		if err != nil {
			return err
		}
		maps.Copy(config, made)
		return nil
	}
	return keys.NewMaker(time.Now).Fill(ctx, realm, providerID, config)
}

func parse(t *testing.T, text string) *rep.Realm {
	t.Helper()
	r := new(rep.Realm)
	if err := rep.Unmarshal([]byte(text), r); err != nil {
		t.Fatal(err)
	}
	return r
}

func create(t *testing.T, m *realms.Manager, text string) *realms.Realm {
	t.Helper()
	made, err := m.Create(t.Context(), parse(t, text))
	if err != nil {
		t.Fatal(err)
	}
	r, err := m.Cache.Get(t.Context(), made.Realm)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCreate(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		m := newManager(db)
		create(t, m, `{"realm":"master","enabled":true}`)
		r := create(t, m, `{"realm":"shop","id":"shop-id","enabled":true,
			"roles":{"realm":[{"name":"clerk"}]},"groups":[{"name":"g1","subGroups":[{"name":"g2","realmRoles":["clerk"]}]}],"defaultGroups":["/g1"],
			"clients":[{"clientId":"till","secret":"s","serviceAccountsEnabled":true}],
			"users":[{"username":"Ann","email":"Ann@Shop.example","enabled":true,"realmRoles":["clerk","made-up"],"groups":["/g1/g2"],
				"credentials":[{"type":"password","value":"pw","temporary":true}]}]}`)
		if r.ID != "shop-id" || !r.Enabled || r.DefaultRole == "" || r.Role(r.DefaultRole).Name != "default-roles-shop" {
			t.Errorf("realm %s, enabled %v, default role %s", r.ID, r.Enabled, r.DefaultRole)
		}
		till, err := r.ClientByName(ctx, "till")
		if err != nil || !till.Secret.Equal("s") || len(till.DefaultScopes) != 7 || len(till.OptionalScopes) != 5 {
			t.Errorf("client: %+v, %v", till, err)
		}
		flow := r.Flow("browser")
		if flow == nil || len(flow.Executions) != 5 || flow.Executions[4].Sub == nil || flow.Executions[4].Sub.Alias != "forms" {
			t.Fatalf("browser flow: %+v", flow)
		}
		second := flow.Executions[4].Sub.Executions[1].Sub
		if second == nil || second.Executions[1].ConfigAlias != "browser-conditional-credential" ||
			second.Executions[1].Config["credentials"] == "" {
			t.Errorf("second factors: %+v", second)
		}
		if got := keys.Of(r).Active(iam.Sig, "RS256"); got == nil {
			t.Error("no key for RS256")
		}
		ann, err := db.UserByName(ctx, r.ID, "ann")
		if err != nil || ann.Email != "ann@shop.example" || len(ann.Required) != 0 {
			t.Fatalf("user: %+v, %v", ann, err)
		}
		roles, err := db.UserRoles(ctx, r.ID, ann.ID)
		if err != nil || len(roles) != 2 || r.RoleByName("", "made-up") == nil {
			t.Errorf("roles of the user: %v, %v", roles, err)
		}
		service, err := db.ServiceAccount(ctx, r.ID, till.ID)
		if err != nil || service.Username != "service-account-till" {
			t.Errorf("service account: %+v, %v", service, err)
		}
		if groups, err := db.Groups(ctx, r.ID); err != nil || len(groups) != 2 || !groups[0].Default || groups[1].Default {
			t.Errorf("groups: %+v, %v", groups, err)
		}

		master, err := m.Cache.Get(ctx, realms.Master)
		if err != nil {
			t.Fatal(err)
		}
		client, err := master.ClientByName(ctx, "shop-realm")
		if err != nil {
			t.Fatal(err)
		}
		manage := master.RoleByName(client.ID, "manage-users")
		if admin := master.RoleByName("", "admin"); manage == nil || len(admin.Composites) != 1+2*21 {
			t.Errorf("admin has %d roles, manage-users is %v", len(admin.Composites), manage)
		}

		for _, again := range []string{`{"realm":"shop"}`, `{"realm":"other","id":"shop-id"}`} {
			_, err := m.Create(ctx, parse(t, again))
			if refused, ok := errors.AsType[*iam.Error](err); !ok || refused.Kind != iam.Conflict {
				t.Errorf("%s: %v", again, err)
			}
		}
		if err := m.Delete(ctx, "shop"); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Cache.Get(ctx, "shop"); !errors.Is(err, realms.ErrNotFound) {
			t.Errorf("a deleted realm: %v", err)
		}
		if master, err = m.Cache.Get(ctx, realms.Master); err != nil {
			t.Fatal(err)
		}
		if _, err := master.ClientByName(ctx, "shop-realm"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the deleted realm's client in master: %v", err)
		}
		if admin := master.RoleByName("", "admin"); len(admin.Composites) != 1+21 {
			t.Errorf("admin still has %d roles", len(admin.Composites))
		}
		if err := m.Delete(ctx, "shop"); !errors.Is(err, realms.ErrNotFound) {
			t.Errorf("deleting again: %v", err)
		}
		if err := m.Delete(ctx, realms.Master); err == nil || err.Error() != "Can't remove master realm" {
			t.Errorf("deleting master: %v", err)
		}
	})
}

// TestCreateRefuses: a realm with a mistake is refused whole, with the place.
func TestCreateRefuses(t *testing.T) {
	db := storetest.SQLite(t)
	m := newManager(db)
	for text, want := range map[string]string{
		`{"realm":"x","clients":[{"clientId":"a"},{"clientId":"a"}]}`:                                                           `/clients/1/clientId: client "a" is there twice`,
		`{"realm":"x","clients":[{"clientId":"a","redirectUris":["javascript:alert(1)"]}]}`:                                     `/clients/0/redirectUris/0: A redirect URI uses an illegal scheme`,
		`{"realm":"x","users":[{"username":"u","groups":["/nix"]}]}`:                                                            `/users/0/groups/0: there is no group "/nix"`,
		`{"realm":"x","users":[{"username":"u","clientRoles":{"nix":["a"]}}]}`:                                                  `/users/0/clientRoles/nix: there is no client "nix"`,
		`{"realm":"x","users":[{"username":"u"},{"username":"U"}]}`:                                                             `/users/1/username: user "u" is there twice`,
		`{"realm":"x","roles":{"realm":[{"name":"a","composites":{"realm":["nix"]}}]}}`:                                         `/roles/realm/0/composites/realm/0: there is no realm role "nix"`,
		`{"realm":"x","scopeMappings":[{"client":"nix","roles":["a"]}]}`:                                                        `/scopeMappings/0/client: there is no client "nix"`,
		`{"realm":"x","sslRequired":"sometimes"}`:                                                                               `sslRequired: "sometimes" is none of none, external, all`,
		`{"realm":"x","identityProviders":[{"alias":"i","providerId":"oidc","firstBrokerLoginFlowAlias":"nix"}]}`:               `/identityProviders/0: No available authentication flow with alias: nix`,
		`{"realm":"x","identityProviders":[{"alias":"i","providerId":"oidc","postBrokerLoginFlowAlias":"nix"}]}`:                `/identityProviders/0: No available authentication flow with alias: nix`,
		`{"realm":"x","browserFlow":"nix"}`:                                                                                     `browserFlow: there is no flow "nix" in authenticationFlows`,
		`{"realm":"x","users":[{"username":"u","credentials":[{"type":"password","secretData":"nix","credentialData":"{}"}]}]}`: `/users/0/credentials/0/secretData: not a JSON object`,
	} {
		_, err := m.Create(t.Context(), parse(t, text))
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v", text, err)
		}
		if _, ok := errors.AsType[*iam.Error](err); !ok {
			t.Errorf("%s: not an *iam.Error: %T", text, err)
		}
	}
	if names, err := m.Cache.Names(t.Context()); err != nil || len(names) != 0 {
		t.Errorf("stored: %v, %v", names, err)
	}
}

// What Keycloak 26.7.3 answers to RealmAdminResource.updateRealm; realms that are
// made so are taken.
func TestClientTimeoutsFitIntoTheSessions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		m := newManager(db)
		r := create(t, m, `{"realm":"shop","enabled":true}`)
		for _, c := range []struct{ text, want string }{
			{`{"clientSessionIdleTimeout":1801}`, "Client Session Idle Timeout cannot be greater than Realm SSO Idle Timeout."},
			{`{"clientSessionMaxLifespan":36001}`, "Client session max lifespan cannot exceed realm SSO session max lifespan."},
			{`{"rememberMe":true,"clientSessionIdleTimeout":1801}`, "Client session idle timeout cannot exceed realm SSO session idle timeout and " +
				"RememberMe idle timeout."},
			{`{"rememberMe":true,"ssoSessionMaxLifespanRememberMe":40000,"clientSessionMaxLifespan":40001}`,
				"Client session max lifespan cannot exceed realm SSO session max lifespan and RememberMe Max span."},
			{`{"ssoSessionIdleTimeout":0,"clientSessionIdleTimeout":1}`,
				"Client Session Idle Timeout cannot be greater than Realm SSO Idle Timeout."},
			{`{"ssoSessionMaxLifespanRememberMe":0,"clientSessionIdleTimeout":1800,"clientSessionMaxLifespan":36000}`, ""},
			{`{"ssoSessionIdleTimeout":1799}`, "Client Session Idle Timeout cannot be greater than Realm SSO Idle Timeout."},
			{`{"clientSessionIdleTimeout":0,"clientSessionMaxLifespan":0}`, ""},
		} {
			got := ""
			if err := m.Update(ctx, r.ID, parse(t, c.text)); err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("%s: %q, want %q", c.text, got, c.want)
			}
		}
		made := create(t, m, `{"realm":"made","clientSessionIdleTimeout":1801}`)
		if err := m.Set(ctx, made.ID, parse(t, `{"notBefore":1700000000}`)); err != nil {
			t.Errorf("a single setting: %v", err)
		}
		if err := m.Update(ctx, made.ID, parse(t, `{"displayName":"x"}`)); err == nil {
			t.Error("the whole realm is taken as it is")
		}
	})
}

// Oracle: realms/update, realms/rename-and-delete
func TestUpdate(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		m := newManager(db)
		create(t, m, `{"realm":"master","enabled":true}`)
		r := create(t, m, `{"realm":"shop","enabled":true,"groups":[{"name":"a","subGroups":[{"name":"b"}]}]}`)
		create(t, m, `{"realm":"other"}`)
		update := func(text string) error {
			t.Helper()
			return m.Update(ctx, r.ID, parse(t, text))
		}
		current := func() *realms.Realm {
			t.Helper()
			now, err := m.Cache.ByID(ctx, r.ID)
			if err != nil {
				t.Fatal(err)
			}
			return now
		}
		for _, text := range []string{
			`{"accessTokenLifespan":77,"attributes":{"custom":"value"}}`,
			`{"attributes":{"other":"thing"},"otpPolicyDigits":8,"supportedLocales":["en","de"],"enabled":false,"notBefore":1700000000}`,
			`{"smtpServer":{"host":"mail","from":"a@b","auth":"true","user":"u","password":"pw"},"defaultGroups":["/a/b"]}`,
			`{"smtpServer":{"host":"post","from":"a@b","auth":"true","password":"**********"},"oauth2DeviceCodeLifespan":700}`,
		} {
			if err := update(text); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
		}
		now := current()
		if d := now.Rep; *d.AccessTokenLifespan != 77 || *d.OTPPolicyDigits != 6 || d.SupportedLocales[0] != "de" ||
			d.SMTPServer["password"] != "pw" ||
			d.SMTPServer["host"] != "post" || d.Attributes["custom"] != "" || d.Attributes["other"] != "thing" ||
			d.Attributes["cibaInterval"] != "5" ||
			d.Attributes["oauth2DeviceCodeLifespan"] != "700" || d.Attributes["realmReusableOtpCode"] != "" {
			t.Errorf("changed to %+v", d)
		}
		// What an update does not name of these means what a new realm has; texts have routes of their own.
		// Keycloak: DefaultExportImportManager.updateRealm.
		for _, text := range []string{
			`{"clientSessionIdleTimeout":7,"attributes":{"cibaInterval":"9","parRequestUriLifespan":"77","other":"thing"},"localizationTexts":{"en":{"k":"v"}}}`,
			`{"displayName":"Shop"}`,
		} {
			if err := update(text); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
		}
		if d := current().Rep; *d.OAuth2DeviceCodeLifespan != 600 || d.Attributes["oauth2DeviceCodeLifespan"] != "600" ||
			d.Attributes["cibaInterval"] != "5" ||
			d.Attributes["parRequestUriLifespan"] != "60" || *d.ClientSessionIdleTimeout != 7 || d.Attributes["clientSessionIdleTimeout"] != "7" ||
			len(d.LocalizationTexts) > 0 {
			t.Errorf("named by nothing: %+v", d)
		}
		// What Terraform writes where its configuration says nothing. Keycloak: DefaultExportImportManager.getWebAuthnPolicy.
		for _, text := range []string{
			`{"defaultSignatureAlgorithm":"PS256"}`,
			`{"defaultSignatureAlgorithm":"","supportedLocales":[],"webAuthnPolicyPasswordlessRpEntityName":"x","webAuthnPolicyPasswordlessSignatureAlgorithms":[]}`,
		} {
			if err := update(text); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
		}
		if d := current(); *d.Rep.DefaultSignatureAlgorithm != "" || d.SignatureAlg != "RS256" || d.Rep.SupportedLocales != nil ||
			len(d.Rep.WebAuthnPolicyPasswordlessSignatureAlgorithms) != 2 {
			t.Errorf("settings without a value: %+v", d.Rep)
		}
		if err := update(`{"supportedLocales":["en","de"],"attributes":{"other":"thing"}}`); err != nil ||
			*current().Rep.ClientSessionIdleTimeout != 0 {
			t.Errorf("a timeout that is an attribute too: %v, %v", *current().Rep.ClientSessionIdleTimeout, err)
		}
		if now.Enabled || now.NotBefore.Unix() != 1700000000 {
			t.Errorf("enabled %v, not before %v", now.Enabled, now.NotBefore)
		}
		if err := update(`{"smtpServer":{"host":"post","from":"a@b","user":"u","password":"pw"}}`); err != nil {
			t.Fatal(err)
		}
		if smtp := current().Rep.SMTPServer; smtp["password"] != "" || smtp["user"] != "" {
			t.Errorf("credentials that are not used: %v", smtp)
		}
		groups, err := db.Groups(ctx, r.ID)
		if err != nil || groups[0].Default || !groups[1].Default {
			t.Errorf("default groups: %+v, %v", groups, err)
		}
		// A console reads the whole realm, changes a member and writes it all back.
		before := current().Rep
		whole, err := rep.Clone(before)
		if err != nil {
			t.Fatal(err)
		}
		whole.DisplayName = new("Shop")
		if err := m.Update(ctx, r.ID, whole); err != nil {
			t.Fatal(err)
		}
		after, err := rep.Clone(current().Rep)
		if err != nil {
			t.Fatal(err)
		}
		after.DisplayName = before.DisplayName
		for name := range after.Attributes {
			if strings.HasPrefix(name, "client") || name == "realmReusableOtpCode" { // what was only a setting is an attribute too once it is posted
				delete(after.Attributes, name)
			}
		}
		a, _ := rep.Marshal(before)
		if b, _ := rep.Marshal(after); string(a) != string(b) {
			t.Errorf("written back:\n%s\nwas\n%s", b, a)
		}
		for text, want := range map[string]string{
			`{"passwordPolicy":"nonsense(1)"}`:   "Password policy not found",
			`{"passwordPolicy":"length(x)"}`:     "Invalid config for length: Not a valid number",
			`{"passwordPolicy":"length()"}`:      "Invalid config for length: Not a valid number",
			`{"waitIncrementSeconds":-1}`:        "Wait increment seconds may not be a negative value",
			`{"privateKey":"x","publicKey":"y"}`: "Failed to decode private key",
			`{"certificate":"x"}`:                "Failed to decode certificate",
			`{"sslRequired":"sometimes"}`:        `sslRequired: "sometimes" is none of none, external, all`,
			`{"browserFlow":"nix"}`:              "Failed to update realm",
			`{"defaultGroups":["/nix"]}`:         "Failed to update realm",
			`{"realm":"other"}`:                  "Realm with same name exists",
			`{"realm":" "}`:                      "Realm name cannot be empty",
		} {
			if err := update(text); err == nil || err.Error() != want {
				t.Errorf("%s: %v", text, err)
			}
		}
		// Keycloak: PasswordPolicy.Builder, RealmAdapter's setters, OAuth2DeviceConfig.
		for _, c := range []struct {
			text string
			ok   func(d *rep.Realm) bool
		}{
			{`{"passwordPolicy":"length(8) and  digits(1) and length(9)"}`,
				func(d *rep.Realm) bool { return *d.PasswordPolicy == "length(9) and digits(1)" }},
			{`{"passwordPolicy":" and "}`, func(d *rep.Realm) bool { return d.PasswordPolicy == nil }},
			{`{"registrationEmailAsUsername":true}`, func(d *rep.Realm) bool { return *d.RegistrationEmailAsUsername }},
			{`{"duplicateEmailsAllowed":true}`, func(d *rep.Realm) bool { return !*d.LoginWithEmailAllowed && !*d.RegistrationEmailAsUsername }},
			{`{"loginWithEmailAllowed":true}`, func(d *rep.Realm) bool { return *d.LoginWithEmailAllowed && !*d.DuplicateEmailsAllowed }},
			{`{"otpPolicyType":"totp","otpPolicyCodeReusable":true}`, func(d *rep.Realm) bool {
				return *d.OTPPolicyCodeReusable && d.Attributes["realmReusableOtpCode"] == "true"
			}},
			{`{"attributes":{"a":"b"}}`, func(d *rep.Realm) bool {
				return !*d.OTPPolicyCodeReusable && *d.OAuth2DeviceCodeLifespan == 600 && d.Attributes["oauth2DeviceCodeLifespan"] == "600"
			}},
			{`{"supportedLocales":[],"codeSecret":"x","localizationTexts":{"en":{"a":"b"}}}`, func(d *rep.Realm) bool {
				return d.SupportedLocales == nil && d.CodeSecret == nil && len(d.LocalizationTexts) == 0
			}},
		} {
			if err := update(c.text); err != nil || !c.ok(current().Rep) {
				t.Errorf("%s: %v, %+v", c.text, err, current().Rep)
			}
		}
		if err := update(`{"realm":"store"}`); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Cache.Get(ctx, "shop"); !errors.Is(err, realms.ErrNotFound) {
			t.Errorf("the old name: %v", err)
		}
		renamed, err := m.Cache.Get(ctx, "store")
		if err != nil || renamed.ID != r.ID || renamed.Rep.Realm != "store" {
			t.Fatalf("the new name: %v", err)
		}
		account, err := renamed.ClientByName(ctx, "account")
		if err != nil || account.BaseURL != "/realms/store/account/" || account.RedirectURIs[0] != "/realms/store/account/*" {
			t.Errorf("account client: %+v, %v", account, err)
		}
		master, err := m.Cache.Get(ctx, realms.Master)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := master.ClientByName(ctx, "store-realm"); err != nil {
			t.Errorf("client in master: %v", err)
		}
		if err := m.Update(ctx, master.ID, parse(t, `{"realm":"x"}`)); err == nil || err.Error() != "Can't rename master realm" {
			t.Errorf("renaming master: %v", err)
		}
	})
}

// Keycloak: ModelToRepresentation.toRepresentation, which says only where there are authorization services.
func TestExportOfClientsWithoutAuthorizationServices(t *testing.T) {
	m := newManager(storetest.SQLite(t))
	create(t, m, `{"realm":"master","enabled":true}`)
	create(t, m, `{"realm":"shop","clients":[{"clientId":"a","authorizationServicesEnabled":false},{"clientId":"b"}]}`)
	out, err := m.Export(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range out.Clients {
		if c.AuthorizationServicesEnabled != nil {
			t.Errorf("client %s: %v", c.ClientID, *c.AuthorizationServicesEnabled)
		}
	}
}
