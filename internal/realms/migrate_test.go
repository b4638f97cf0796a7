package realms_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/store/storetest"
)

// older is a realm file as versions up to 8 wrote it, in little.
const older = `{"realm":"old","enabled":true,"keycloakVersion":"VERSION","accountTheme":"keycloak","supportedLocales":[],
"attributes":{"_browser_header.xFrameOptions":"no","bruteForceProtected":"true","mine":"kept"},
"browserSecurityHeaders":{"xFrameOptions":"DENY","xXSSProtection":"1; mode=block"},
"otpPolicyType":"totp","otpPolicyAlgorithm":"HmacSHA1","otpPolicyDigits":6,"otpPolicyPeriod":30,"otpSupportedApplications":["FreeOTP"],
"clients":[{"clientId":"account"},{"clientId":"app","publicClient":true},{"clientId":"bare","bearerOnly":true},{"clientId":"sp","protocol":"saml"},
 {"clientId":"admin-cli","publicClient":true,"fullScopeAllowed":false}],
"clientScopes":[{"name":"web-origins","protocol":"openid-connect"}],"defaultDefaultClientScopes":["web-origins"],
"requiredActions":[{"alias":"terms_and_conditions","providerId":"terms_and_conditions","priority":20},{"alias":"CONFIGURE_TOTP","providerId":"CONFIGURE_TOTP","priority":10},
 {"alias":"UPDATE_PASSWORD","providerId":"UPDATE_PASSWORD","priority":30},{"alias":"VERIFY_EMAIL","providerId":"VERIFY_EMAIL","priority":50}],
"components":{"org.keycloak.keys.KeyProvider":[{"name":"hmac","providerId":"hmac-generated","config":{"algorithm":["HS256"]}}]},
"browserFlow":"browser","registrationFlow":"browser","directGrantFlow":"browser",
"authenticationFlows":[{"alias":"browser","providerId":"basic-flow","topLevel":true,"authenticationExecutions":[
  {"authenticator":"auth-cookie","requirement":"ALTERNATIVE","priority":10}]},
 {"alias":"http challenge","providerId":"basic-flow","topLevel":true,"builtIn":true,"authenticationExecutions":[
  {"authenticator":"no-cookie-redirect","requirement":"REQUIRED","priority":10},
  {"authenticatorFlow":true,"requirement":"REQUIRED","priority":20,"flowAlias":"Authentication Options"}]},
 {"alias":"Authentication Options","providerId":"basic-flow","builtIn":true,"authenticationExecutions":[{"authenticator":"basic-auth","requirement":"REQUIRED","priority":10}]},
 {"alias":"mixed","providerId":"basic-flow","topLevel":true,"authenticationExecutions":[
  {"authenticator":"idp-review-profile","requirement":"REQUIRED","priority":10},
  {"authenticator":"idp-create-user-if-unique","requirement":"ALTERNATIVE","priority":20},
  {"authenticator":"idp-auto-link","requirement":"ALTERNATIVE","priority":30}]}]}`

// TestMigrate holds what the reference makes of one realm file under several
// versions. Keycloak: DefaultMigrationManager, MigrateTo8_0_2 to MigrateTo26_7_0
func TestMigrate(t *testing.T) {
	for _, c := range []struct {
		version, scopes, app, saml, actions, keys, mixed, flows string
		console, unmanaged, full                                bool
	}{
		{"8.0.1", "AuthnContextClassRef acr basic offline_access service_account web-origins", "acr basic web-origins", "AuthnContextClassRef",
			"CONFIGURE_TOTP:54 TERMS_AND_CONDITIONS:20 UPDATE_PASSWORD:57 VERIFY_EMAIL:50 delete_account:60 delete_credential:110 idp_link:120 update_user_locale:1000",
			"HS256 HS512", "idp-review-profile mixed - Alternatives - 0", "", true, true, true},
		{"19.0.0", "AuthnContextClassRef basic offline_access service_account web-origins", "basic web-origins", "AuthnContextClassRef",
			"CONFIGURE_TOTP:54 TERMS_AND_CONDITIONS:20 UPDATE_PASSWORD:57 VERIFY_EMAIL:50 delete_account:60 delete_credential:110 idp_link:120",
			"HS256 HS512", "idp-auto-link idp-create-user-if-unique idp-review-profile", "", false, true, true},
		{"25.0.0", "AuthnContextClassRef offline_access service_account web-origins", "web-origins", "AuthnContextClassRef",
			"CONFIGURE_TOTP:54 TERMS_AND_CONDITIONS:20 UPDATE_PASSWORD:57 VERIFY_EMAIL:50 delete_account:60 idp_link:120",
			"HS256", "idp-auto-link idp-create-user-if-unique idp-review-profile", "http challenge", false, false, true},
		{"26.7.3", "offline_access web-origins", "web-origins", "",
			"CONFIGURE_TOTP:10 TERMS_AND_CONDITIONS:20 UPDATE_PASSWORD:30 VERIFY_EMAIL:50 delete_account:60",
			"HS256", "idp-auto-link idp-create-user-if-unique idp-review-profile", "http challenge", false, false, false},
	} {
		t.Run(c.version, func(t *testing.T) {
			r, err := realms.Complete(parse(t, strings.Replace(older, "VERSION", c.version, 1)), time.Unix(1, 0))
			if err != nil {
				t.Fatal(err)
			}
			is := func(what, got, want string) {
				t.Helper()
				if got != want {
					t.Errorf("%s: got %s, want %s", what, got, want)
				}
			}
			is("client scopes", sorted(r.ClientScopes, func(s rep.ClientScope) string { return s.Name }), c.scopes)
			clients := map[string]rep.Client{}
			for _, cl := range r.Clients {
				clients[cl.ClientID] = cl
			}
			name := func(s string) string { return s }
			is("scopes of app", sorted(clients["app"].DefaultClientScopes, name), c.app)
			is("scopes of bare", sorted(clients["bare"].DefaultClientScopes, name), "web-origins")
			is("scopes of sp", sorted(clients["sp"].DefaultClientScopes, name), c.saml)
			is("required actions", sorted(r.RequiredActions, func(a rep.RequiredAction) string { return a.Alias + ":" + strconv.Itoa(a.Priority) }), c.actions)
			is("HMAC keys", sorted(r.Components[realms.TypeKeyProvider], func(k rep.ComponentExport) string { return k.Config["algorithm"][0] }), c.keys)
			flows := map[string]rep.Flow{}
			for _, f := range r.AuthenticationFlows {
				flows[f.Alias] = f
			}
			step := func(e rep.ExecutionExport) string { return e.Authenticator + e.FlowAlias }
			is("steps of mixed", sorted(flows["mixed"].AuthenticationExecutions, step), c.mixed)
			is("http challenge", flows["http challenge"].Alias, c.flows)
			if _, ok := clients[realms.ClientAccountConsole]; ok != c.console {
				t.Errorf("account-console: %v", ok)
			}
			profile := r.Components[realms.TypeUserProfile]
			if got := len(profile) == 1 && strings.Contains(profile[0].Config["kc.user.profile.config"][0], `"unmanagedAttributePolicy":"ENABLED"`); got != c.unmanaged {
				t.Errorf("unmanaged attributes: %v", got)
			}
			if got := *clients[realms.ClientAdminCLI].FullScopeAllowed; got != c.full {
				t.Errorf("admin-cli's full scope: %v", got)
			}
			is("X-XSS-Protection", r.BrowserSecurityHeaders["xXSSProtection"], "1; mode=block")
			is("X-Frame-Options", r.BrowserSecurityHeaders["xFrameOptions"], "DENY")
			is("Referrer-Policy", r.BrowserSecurityHeaders["referrerPolicy"], "no-referrer")
			is("attributes", r.Attributes["mine"]+r.Attributes["bruteForceProtected"]+r.Attributes["_browser_header.xFrameOptions"], "kept")
			is("OTP apps", strings.Join(r.OTPSupportedApplications, " "), "totpAppFreeOTPName totpAppGoogleName totpAppMicrosoftAuthenticatorName")
		})
	}
}

// TestOlderFilesAreTaken: what a file says is judged before it is migrated, so
// that it may speak of what the migration removes.
func TestOlderFilesAreTaken(t *testing.T) {
	m := newManager(storetest.SQLite(t))
	for _, version := range []string{"", "8.0.1", "9.0.3", "10.0.2", "12.0.4", "13.0.1", "15.0.2", "16.1.1", "18.0.2", "19.0.3", "20.0.5", "21.1.2", "22.0.5", "24.0.4", "26.0.5", "26.7.3"} {
		given := parse(t, strings.Replace(older, "VERSION", version, 1))
		given.Realm = "of " + version
		given.Components[realms.TypeKeyProvider][0].ProviderID = "none"
		if _, err := m.Create(t.Context(), given); err != nil {
			t.Errorf("%s: %v", version, err)
		}
	}
}

// sorted lists what f says of each element.
func sorted[T any](list []T, f func(T) string) string {
	var out []string
	for _, v := range list {
		out = append(out, f(v))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}
