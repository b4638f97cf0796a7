package realms_test

import (
	"encoding/json"
	"os"
	"regexp"
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
			"CONFIGURE_TOTP:54 TERMS_AND_CONDITIONS:20 UPDATE_PASSWORD:57 VERIFY_EMAIL:50 delete_account:60 delete_credential:110 idp_link:120 " +
				"update_user_locale:1000",
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
			is("required actions", sorted(r.RequiredActions, func(a rep.RequiredAction) string { return a.Alias + ":" + strconv.Itoa(a.Priority) }),
				c.actions)
			is("HMAC keys", sorted(r.Components[realms.TypeKeyProvider], func(k rep.ComponentExport) string { return k.Config["algorithm"][0] }),
				c.keys)
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
			if got := len(profile) == 1 && strings.Contains(profile[0].Config["kc.user.profile.config"][0],
				`"unmanagedAttributePolicy":"ENABLED"`); got != c.unmanaged {
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
	for _, version := range []string{"", "8.0.1", "9.0.3", "10.0.2", "12.0.4", "13.0.1", "15.0.2", "16.1.1", "18.0.2", "19.0.3", "20.0.5",
		"21.1.2", "22.0.5", "24.0.4", "26.0.5", "26.7.3"} {
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

// migrations are all of Keycloak's up to 26.7, with what becomes of each when a
// realm file is read: brought (with the step's name), nothing (Keycloak's does
// nothing to files, or what every import does anyway), or in doc/DIVERGENCES.md.
var migrations = map[string]string{
	"1.2.0": "brought: clientNames; the client broker by every import", "1.3.0": "divergence: LDAP providers",
	"1.4.0": "divergence: LDAP mappers; addresses in small letters by every import",
	"1.5.0": "brought: usualFlows", "1.6.0": "brought: offlineIdle; roles and the locale mapper by every import",
	"1.7.0": "brought: implicitLifespan; clients and flows by every import",
	"1.8.0": "divergence: LDAP mappers", "1.9.0": "nothing: the master realm's name", "1.9.2": "brought: header",
	"2.0.0": "nothing: by every import",
	"2.1.0": "nothing: the action's name by every import; policies of authorization are not built", "2.2.0": "nothing: by every import",
	"2.3.0": "nothing: by every import",
	"2.5.0": "brought: strongerSecret", "3.0.0": "brought: accountLinks", "3.1.0": "brought: header", "3.2.0": "brought: queryRoles",
	"3.4.0": "brought: aesKey, header",
	"3.4.1": "brought: contentPolicy", "3.4.2": "brought: narrowAdmins", "4.0.0": "brought: offlineScope; names of scopes by every import",
	"4.2.0": "brought: actionOrder",
	"4.6.0": "brought: rolesScopes", "6.0.0": "brought: microprofile", "8.0.0": "brought: consoleAddresses; optional steps by every import",
	"8.0.2": "brought: alternativesToSubflows", "9.0.0": "brought: accountConsole", "9.0.4": "nothing", "12.0.0": "nothing",
	"14.0.0": "nothing",
	"18.0.0": "brought: scopeForAll", "20.0.0": "brought: accountRole", "21.0.0": "brought: themes", "22.0.0": "brought: themes, removeFlow",
	"23.0.0": "brought: registrationProfile, unmanagedAttributes",
	"24.0.0": "brought: unmanagedAttributes, truststore, strongerSecret", "24.0.3": "brought: requiredAction",
	"25.0.0": "brought: scopeForAll", "26.0.0": "brought: lightweightAdmins",
	"26.1.0": "brought: scope", "26.2.0": "nothing: the reference fails to remove the header", "26.3.0": "brought: requiredAction",
	"26.4.0": "nothing: sessions",
	"26.4.3": "nothing: fine-grained permissions are not built", "26.5.0": "nothing", "26.6.0": "brought: organizationStep, with 26.6.1",
	"26.6.1": "brought: organizationStep",
	"26.6.2": "nothing: fine-grained permissions are not built", "26.7.0": "brought: passwordAfterEmail, scopeForAll; roles by every import",
}

// TestEveryMigration: the steps of migrate are those of the table, and no other.
func TestEveryMigration(t *testing.T) {
	source, err := os.ReadFile("migrate.go")
	if err != nil {
		t.Fatal(err)
	}
	built := map[string][]string{}
	for _, m := range regexp.MustCompile(`\{\[3\]int\{(\d+), (\d+), (\d+)\}, .*?c\.(\w+)`).FindAllStringSubmatch(string(source), -1) {
		version := m[1] + "." + m[2] + "." + m[3]
		built[version] = append(built[version], m[4])
	}
	for version, steps := range built {
		what, ok := strings.CutPrefix(migrations[version], "brought: ")
		for _, step := range steps {
			if !ok || !strings.Contains(what, step) {
				t.Errorf("%s: %s is built, and the table says %q", version, step, migrations[version])
			}
		}
	}
	divergences, err := os.ReadFile("../../doc/DIVERGENCES.md")
	if err != nil {
		t.Fatal(err)
	}
	for version, what := range migrations {
		switch {
		case strings.HasPrefix(what, "brought: ") && built[version] == nil && version != "21.0.0" && version != "26.6.0":
			t.Errorf("%s: %s, but no step is built", version, what)
		case strings.HasPrefix(what, "divergence: ") && !strings.Contains(string(divergences), "MigrateTo"+strings.ReplaceAll(version, ".", "_")):
			t.Errorf("%s is not in doc/DIVERGENCES.md", version)
		}
	}
}

// TestVersions reads what files say they are from as Keycloak does.
// Keycloak: ModelVersion, DefaultMigrationManager.convertRHSSOVersionToKeycloakVersion
func TestVersions(t *testing.T) {
	scopes := func(version string) string {
		r, err := realms.Complete(parse(t, `{"realm":"x","keycloakVersion":"`+version+`","clientScopes":[]}`), time.Unix(1, 0))
		if err != nil {
			t.Fatal(err)
		}
		return sorted(r.ClientScopes, func(s rep.ClientScope) string { return s.Name })
	}
	const (
		all     = "AuthnContextClassRef acr basic microprofile-jwt offline_access roles service_account web-origins"
		from6   = "AuthnContextClassRef acr basic offline_access service_account"
		from18  = "AuthnContextClassRef basic offline_access service_account"
		from25  = "AuthnContextClassRef offline_access service_account"
		current = "offline_access"
	)
	for version, want := range map[string]string{
		"": current, "26.7.0": current, "27.0.0": current, "999.0.0-SNAPSHOT": current,
		"7.0.0.GA": all, "7.3.8.GA": "AuthnContextClassRef acr basic microprofile-jwt offline_access service_account",
		"7.4.1.GA": from6, "6": from6,
		"6.0.1": from6, "4.5.0.Final": all, "17.0.1": from6, "18.0.0": from18, "18.0.0.redhat-00001": from6, "25.0.0": from25,
		"25.0.2.redhat-00001": from18,
		"26.0.0-SNAPSHOT":     from25,
	} {
		if got := scopes(version); got != want {
			t.Errorf("%s: got %s, want %s", version, got, want)
		}
	}
}

// oldest is a realm file of Keycloak 2 in little.
const oldest = `{"realm":"old","enabled":true,"keycloakVersion":"2.2.1.Final","passwordPolicy":"hashIterations(20000) and length(3)",
"browserSecurityHeaders":{"xFrameOptions":"SAMEORIGIN","contentSecurityPolicy":"frame-src 'self'"},
"roles":{"client":{"account":[{"name":"manage-account"}],"realm-management":[{"name":"view-users"},{"name":"realm-admin"}]}},
"requiredActions":[{"alias":"UPDATE_PROFILE","name":"Update Profile","providerId":"UPDATE_PROFILE"},{"alias":"CONFIGURE_TOTP","name":"Configure Totp","providerId":"CONFIGURE_TOTP"}],
"clients":[{"clientId":"account","baseUrl":"/auth/realms/old/account","redirectUris":["/auth/realms/old/account/*"]},{"clientId":"realm-management","bearerOnly":true},
{"clientId":"security-admin-console","baseUrl":"/auth/admin/old/console/index.html","redirectUris":["/auth/admin/old/console/*"],"publicClient":true,"fullScopeAllowed":true}],
"clientScopeMappings":{"realm-management":[{"client":"security-admin-console","roles":["realm-admin"]}]}}`

// TestMigrateOldest holds what the reference makes of it.
func TestMigrateOldest(t *testing.T) {
	r, err := realms.Complete(parse(t, oldest), time.Unix(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{"clients": r.Clients, "roles": r.Roles, "actions": r.RequiredActions,
		"headers": r.BrowserSecurityHeaders,
		"policy":  *r.PasswordPolicy, "mappings": r.ClientScopeMappings["realm-management"]})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"policy":"length(3)","mappings":[],"headers":{"contentSecurityPolicy":"frame-src 'self'; frame-ancestors 'self'; object-src 'none';","xXSSProtection":"1; mode=block","xRobotsTag":"none"},
		"clients":[{"clientId":"account","rootUrl":"${authBaseUrl}","baseUrl":"/realms/old/account/","redirectUris":["/realms/old/account/*"]},
		{"clientId":"security-admin-console","name":null,"rootUrl":"${authAdminUrl}","baseUrl":"/admin/old/console/","redirectUris":["/admin/old/console/*"],"webOrigins":["+"],"fullScopeAllowed":true}],
		"actions":[{"alias":"UPDATE_PROFILE","priority":30},{"alias":"CONFIGURE_TOTP","name":"Configure OTP","priority":10},{"alias":"delete_account","priority":20}],
		"roles":{"client":{"account":[{"name":"manage-account","composites":{"client":{"account":["manage-account-links"]}}}],
		"realm-management":[{"name":"view-users","composites":{"client":{"realm-management":["query-users","query-groups"]}}}]}}}`
	if missing := missing("", document(t, []byte(want)), document(t, text)); missing != "" {
		t.Errorf("%s, in %s", missing, text)
	}
}
