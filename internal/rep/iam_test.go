package rep_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
)

func full(t *testing.T) *rep.Realm {
	t.Helper()
	r := new(rep.Realm)
	if err := rep.Unmarshal(read(t, "export/full-realm.json"), r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRealmIAM(t *testing.T) {
	m, err := full(t).IAM()
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range []struct {
		what      string
		got, want any
	}{
		{"name", m.Name, "full"},
		{"display name", m.DisplayName, "Full"},
		{"enabled", m.Enabled, true},
		{"ssl", m.SSL, iam.SSLExternal},
		{"registration", m.Login.Registration, true},
		{"remember me", m.Login.RememberMe, true},
		{"login with e-mail", m.Login.LoginWithEmail, true},
		{"edit username", m.Login.EditUsername, false},
		{"access token", m.Lifespans.AccessToken, 5 * time.Minute},
		{"implicit access token", m.Lifespans.AccessTokenImplicit, 15 * time.Minute},
		{"code", m.Lifespans.AccessCode, time.Minute},
		{"user action", m.Lifespans.UserAction, 5 * time.Minute},
		{"login pages", m.Lifespans.Login, 30 * time.Minute},
		{"authentication session", m.Lifespans.AuthenticationSession, 30 * time.Minute},
		{"admin's action tokens", m.Lifespans.ActionTokenByAdmin, 12 * time.Hour},
		{"sso idle", m.Lifespans.SSOIdle, 30 * time.Minute},
		{"sso max", m.Lifespans.SSOMax, 10 * time.Hour},
		{"sso max remember me", m.Lifespans.SSOMaxRememberMe, 2 * time.Hour},
		{"offline idle", m.Lifespans.OfflineIdle, 720 * time.Hour},
		{"offline max", m.Lifespans.OfflineMax, 1440 * time.Hour},
		{"offline max enabled", m.Lifespans.OfflineMaxEnabled, true},
		{"client idle", m.Lifespans.ClientIdle, time.Duration(0)},
		{"password policy", m.Password[0], iam.PasswordRule{ID: "length", Value: "8", Given: true}},
		{"hash iterations", m.Password[len(m.Password)-1], iam.PasswordRule{ID: "hashIterations", Value: "20000", Given: true}},
		{"brute force", m.Brute.Enabled, true},
		{"strategy", m.Brute.Strategy, "MULTIPLE"},
		{"quick login", m.Brute.QuickLoginCheck, time.Second},
		{"max wait", m.Brute.MaxWait, 15 * time.Minute},
		{"failure factor", m.Brute.FailureFactor, 30},
		{"otp", m.OTP, iam.OTPPolicy{Type: "totp", Algorithm: "HmacSHA1", Digits: 6, LookAheadWindow: 1, Period: 30 * time.Second}},
		{"browser flow", m.Flows.Browser, "my browser"},
		{"first broker login", m.Flows.FirstBrokerLogin, "first broker login"},
		{"client authentication", m.Flows.ClientAuthentication, "clients"},
		{"events", m.Events.Enabled, true},
		{"kinds", m.Events.Kinds, map[string]bool{"LOGIN": true, "LOGOUT": true}},
		{"expiration", m.Events.Expiration, time.Hour},
		{"listeners", m.Events.Listeners, []string{"jboss-logging"}},
		{"admin events", m.Events.Admin && m.Events.AdminDetails, true},
		{"locale", m.Locale.Enabled, true},
		{"default locale", m.Locale.Default, "en"},
		{"not before", m.NotBefore, time.Unix(5, 0)},
		{"algorithm", m.SignatureAlg, "RS256"},
		{"own attribute", m.Attrs["own"], "x"},
		{"frame options", m.SecurityHeaders["xFrameOptions"], "SAMEORIGIN"},
		{"default role", m.DefaultRole != "", true},
	} {
		if !reflect.DeepEqual(check.got, check.want) {
			t.Errorf("%s: got %v, want %v", check.what, check.got, check.want)
		}
	}
	if _, err := (&rep.Realm{SSLRequired: "sometimes"}).IAM(); err == nil {
		t.Error("sslRequired takes anything")
	}
}

func TestClientIAM(t *testing.T) {
	clients := map[string]*iam.Client{}
	for _, c := range full(t).Clients {
		m, err := c.IAM()
		if err != nil {
			t.Fatalf("%s: %v", c.ClientID, err)
		}
		clients[m.ClientID] = m
	}
	web := clients["web"]
	if web.Access != iam.Public || web.Protocol != iam.OIDC || !web.ConsentRequired || web.FullScope || !web.StandardFlow ||
		web.RootURL != "https://web.example.test" || web.BaseURL != "/" || web.AdminURL != "" || !web.Enabled ||
		!slices.Equal(web.RedirectURIs, []string{"https://web.example.test/*", "/cb"}) ||
		web.Attr("access.token.lifespan") != "120" || web.Secret != nil || !web.NotBefore.IsZero() {
		t.Errorf("web: %+v", web)
	}
	api := clients["api"]
	if api.Access != iam.Confidential || !api.Secret.Equal("throwaway") || !api.ServiceAccounts || api.StandardFlow ||
		!api.ManagesOwnAccess || api.AuthMethod != "client-secret" || !slices.ContainsFunc(api.Mappers, func(m iam.ProtocolMapper) bool {
		return m.Name == "aud" && m.Mapper == "oidc-audience-mapper" && m.Config["included.client.audience"] == "web"
	}) {
		t.Errorf("api: %+v", api)
	}
	if clients["sp"].Protocol != iam.SAML || clients["realm-management"].Access != iam.BearerOnly {
		t.Error("protocol or access type lost")
	}
	c, err := (&rep.Client{AuthenticationFlowBindingOverrides: map[string]string{"browser": "x", "direct_grant": ""}, NotBefore: new(7)}).IAM()
	if err != nil || !reflect.DeepEqual(c.FlowOverrides, map[string]iam.FlowID{"browser": "x"}) || c.NotBefore.Unix() != 7 ||
		c.Protocol != iam.OIDC {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := (&rep.Client{Protocol: "telepathy"}).IAM(); err == nil {
		t.Error("any protocol goes")
	}
}

// Keycloak: ClientScopeModel
func TestClientScopeIAM(t *testing.T) {
	got, err := (&rep.ClientScope{Name: "bare"}).IAM()
	if err != nil || !got.InTokenScope || !got.ShowOnConsent || got.ConsentText != "bare" || got.Protocol != iam.OIDC {
		t.Errorf("%+v, %v", got, err)
	}
	for _, s := range full(t).ClientScopes {
		got, err := s.IAM()
		if err != nil {
			t.Fatal(err)
		}
		switch s.Name {
		case "books":
			if got.ConsentText != "Your books" || got.GUIOrder != "3" || got.Mappers[0].Name != "shelf" || !got.ShowOnConsent {
				t.Errorf("%+v", got)
			}
		case "roles":
			if got.InTokenScope {
				t.Errorf("%+v", got)
			}
		}
	}
}

func TestSmallIAM(t *testing.T) {
	r := full(t)
	if g := r.Groups[0].SubGroups[0].IAM(); g.Name != "cooks" || g.Parent != iam.GroupID(r.Groups[0].ID) {
		t.Errorf("%+v", g)
	}
	use := r.Roles.Client["api"]
	i := slices.IndexFunc(use, func(r rep.Role) bool { return r.Name == "use" })
	if m := use[i].IAM(); m.Client == "" || m.Description != "use it" {
		t.Errorf("%+v", m)
	}
	if m := r.DefaultRole.IAM(); m.Client != "" || m.Name != "default-roles-full" {
		t.Errorf("%+v", m)
	}
	if p := r.IdentityProviders[0].IAM(); p.Alias != "other" || !p.Enabled || p.ID == "" || p.Config["syncMode"] != "FORCE" {
		t.Errorf("%+v", p)
	}
	i = slices.IndexFunc(r.RequiredActions, func(a rep.RequiredAction) bool { return a.Alias == "CONFIGURE_TOTP" })
	if a := r.RequiredActions[i].IAM(); !a.Enabled || a.Default || a.Priority != 54 || a.Provider != "CONFIGURE_TOTP" {
		t.Errorf("%+v", a)
	}
	// Keycloak: IdentityProviderRepresentation, enabled unless told otherwise
	if p := (&rep.IdentityProvider{Config: map[string]string{"hideOnLoginPage": "true"}}).IAM(); !p.Enabled || !p.HideOnLogin {
		t.Errorf("%+v", p)
	}
}

func TestComponentsThereAndBack(t *testing.T) {
	r := full(t)
	list := rep.ComponentsOf(r.Components, r.ID, nil)
	if len(list) < 15 {
		t.Errorf("only %d components", len(list))
	}
	back, err := rep.Marshal(rep.ExportComponents(list, r.ID))
	if err != nil {
		t.Fatal(err)
	}
	there, err := rep.Marshal(r.Components)
	if err != nil {
		t.Fatal(err)
	}
	if string(back) != string(there) {
		t.Errorf("got  %s\nwant %s", back, there)
	}
	made := rep.ComponentsOf(map[string][]rep.ComponentExport{"a": {{
		ProviderID: "ldap", SubComponents: map[string][]rep.ComponentExport{"b": {{Name: "child"}}},
	}}}, "realm", func() string { return "made" })
	if len(made) != 2 || made[1].ParentID != "made" || made[0].ParentID != "realm" || made[1].ProviderType != "b" {
		t.Errorf("%+v", made)
	}
	if c := list[0].IAM(); c.Parent != r.ID || c.Type != list[0].ProviderType || c.Provider == "" {
		t.Errorf("%+v", c)
	}
}

// TestUsersThereAndBack: what iam holds of an exported user writes back as it was.
func TestUsersThereAndBack(t *testing.T) {
	var file rep.Realm
	if err := rep.Unmarshal(read(t, "export/full-users-0.json"), &file); err != nil {
		t.Fatal(err)
	}
	for _, u := range file.Users {
		back := rep.FromUser(u.IAM())
		// What is not part of iam.User is added by those who read it.
		back.TOTP, back.ServiceAccountClientID = u.TOTP, u.ServiceAccountClientID
		back.RealmRoles, back.ClientRoles, back.Groups = u.RealmRoles, u.ClientRoles, u.Groups
		for _, f := range u.FederatedIdentities {
			back.FederatedIdentities = append(back.FederatedIdentities, rep.FromFederatedIdentity(f.IAM()))
		}
		back.Credentials = []rep.Credential{}
		for _, c := range u.Credentials {
			m, err := c.IAM()
			if err != nil {
				t.Fatal(err)
			}
			back.Credentials = append(back.Credentials, rep.FromCredential(m))
		}
		want, err := rep.Marshal(u)
		if err != nil {
			t.Fatal(err)
		}
		got, err := rep.Marshal(back)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range differences("", tree(t, got), tree(t, want)) {
			t.Errorf("%s: %s", u.Username, d)
		}
	}
	if u := (&rep.User{Username: "Ann", Email: new("Ann@Example.test"), NotBefore: new(3)}).IAM(); u.Username != "ann" ||
		u.Email != "ann@example.test" || *rep.FromUser(u).NotBefore != 3 {
		t.Errorf("%+v", u)
	}
}

// Keycloak: RepresentationToModel.convertDeprecatedCredentialsFormat
func TestOldCredentials(t *testing.T) {
	for _, test := range []struct {
		in           rep.Credential
		data, secret string
		kind         iam.CredentialKind
	}{
		{rep.Credential{Type: "password", HashedSaltedValue: new("aGk="), Salt: new("c2E="), HashIterations: new(27500),
			Algorithm: new("pbkdf2-sha256")},
			`{"hashIterations":27500,"algorithm":"pbkdf2-sha256","additionalParameters":{}}`, `{"value":"aGk=","salt":"c2E="}`, iam.Password},
		{rep.Credential{Type: "totp", HashedSaltedValue: new("geheim"), Digits: new(8), Period: new(60), Algorithm: new("HmacSHA256")},
			`{"subType":"totp","digits":8,"counter":0,"period":60,"algorithm":"HmacSHA256"}`, `{"value":"geheim"}`, iam.OTP},
		{rep.Credential{Type: "hotp", HashedSaltedValue: new("geheim"), Counter: new(4)},
			`{"subType":"hotp","digits":6,"counter":4,"period":30,"algorithm":"HmacSHA1"}`, `{"value":"geheim"}`, iam.OTP},
	} {
		m, err := test.in.IAM()
		if err != nil || string(m.Data) != test.data || string(m.Secret) != test.secret || m.Kind != test.kind {
			t.Errorf("%+v: %s %s %v", test.in, m.Data, []byte(m.Secret), err)
		}
	}
	for _, bad := range []rep.Credential{
		{Type: "password"},
		{Type: "password", HashedSaltedValue: new("aGk=")},
		{Type: "webauthn", HashedSaltedValue: new("x")},
	} {
		if m, err := bad.IAM(); err == nil {
			t.Errorf("%+v became %+v", bad, m)
		}
	}
	if _, err := (&rep.Credential{Type: "password", Value: new("clear")}).IAM(); !errors.Is(err, rep.ErrPlainPassword) {
		t.Errorf("a password in clear: %v", err)
	}
}
