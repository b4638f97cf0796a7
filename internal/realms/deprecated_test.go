package realms_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/internal/realms"
	"latchkey/internal/rep"
)

// TestOldWays holds what the reference makes of what older files say, and of
// what hand-written ones leave to it: the answer of its partial export.
func TestOldWays(t *testing.T) {
	client := func(id string) func(r *rep.Realm) any {
		return func(r *rep.Realm) any {
			for _, c := range r.Clients {
				if c.ClientID == id {
					return c
				}
			}
			return nil
		}
	}
	roles := func(r *rep.Realm) any { return r.Roles }
	for _, c := range []struct {
		name  string
		given string
		of    func(r *rep.Realm) any
		want  string // a JSON document that the answer has, up to members that it does not name
		lacks string // a word that the answer has not
	}{
		{"a step is optional",
			`"browserFlow":"b","authenticationFlows":[{"alias":"b","providerId":"basic-flow","topLevel":true,"builtIn":true,"authenticationExecutions":[
			{"authenticator":"auth-username-password-form","requirement":"REQUIRED","priority":10},{"authenticator":"auth-otp-form","requirement":"OPTIONAL","priority":20}]}]`,
			func(r *rep.Realm) any { return r.AuthenticationFlows },
			`[{"alias":"b","authenticationExecutions":[{"authenticator":"auth-username-password-form","requirement":"REQUIRED","priority":10},
			{"flowAlias":"b - auth-otp-form - Conditional","requirement":"CONDITIONAL","priority":20,"authenticatorFlow":true}]},
			{"alias":"b - auth-otp-form - Conditional","topLevel":false,"builtIn":true,"authenticationExecutions":[
			{"authenticator":"conditional-user-configured","requirement":"REQUIRED","priority":10},{"authenticator":"auth-otp-form","requirement":"REQUIRED","priority":20}]}]`, ""},
		{"groups imply roles",
			`"clients":[{"clientId":"c"}],"groups":[{"name":"g","realmRoles":[" r "],"clientRoles":{"c":["s"]},"subGroups":[{"name":"h","realmRoles":["t"]}]}]`,
			roles, `{"realm":[{"name":"r"},{"name":"t"}],"client":{"c":[{"name":"s"}]}}`, ""},
		{"applications", `"applications":[{"name":"a1","claims":{"name":true}},{"name":"a2","directGrantsOnly":true}],"oauthClients":[{"name":"o1"}],
			"roles":{"application":{"a1":[{"name":"ar","composites":{"application":{"a2":["zz"]}}}],"a2":[{"name":"zz"}]}},
			"applicationScopeMappings":{"a1":[{"client":"o1","roles":["ar"]}]}`,
			func(r *rep.Realm) any { return []any{r.Clients, r.Roles.Client, r.ClientScopeMappings} },
			`[[{"clientId":"a1","consentRequired":false,"fullScopeAllowed":true},{"clientId":"a2","standardFlowEnabled":false,"directAccessGrantsEnabled":true},
			{"clientId":"o1","consentRequired":true,"fullScopeAllowed":false}],{"a1":[{"name":"ar","composites":{"client":{"a2":["zz"]}}}]},{"a1":[{"client":"o1","roles":["ar"]}]}]`, "claims"},
		{"application roles of users",
			`"clients":[{"clientId":"a1"}],"roles":{"application":{"a1":[{"name":"ar"}]}},"users":[{"username":"u","applicationRoles":{"a1":["ar"]},
			"socialLinks":[{"socialProvider":"google","socialUserId":"1","socialUserName":"n","socialUsername":"n"}],"requiredActions":["update_password"],
			"clientConsents":[{"clientId":"a1","grantedRealmRoles":["offline_access"]}]}]`,
			func(r *rep.Realm) any { return r.Users },
			`[{"clientRoles":{"a1":["ar"]},"requiredActions":["UPDATE_PASSWORD"],"federatedIdentities":[{"identityProvider":"google","userId":"1","userName":"n"}],
			"clientConsents":[{"clientId":"a1","grantedClientScopes":["offline_access"]}]}]`, ""},
		{"social providers", `"social":true,"socialProviders":{"google.key":"k","google.secret":"s"}`,
			func(r *rep.Realm) any { return r.IdentityProviders },
			`[{"alias":"google","providerId":"google","enabled":true,"config":{"clientId":"k","clientSecret":"s"}}]`, ""},
		{"client templates",
			`"clientTemplates":[{"name":"t 1","protocol":"openid-connect","fullScopeAllowed":true,"protocolMappers":[{"name":"m","protocol":"openid-connect",
			"protocolMapper":"oidc-full-name-mapper","consentRequired":true,"consentText":"x","config":{"id.token.claim":"true"}}]}],
			"clients":[{"clientId":"c","clientTemplate":"t 1","useTemplateScope":true}],"scopeMappings":[{"clientTemplate":"t 1","roles":["q"]}]`,
			func(r *rep.Realm) any { return []any{r.ClientScopes, client("c")(r), r.ScopeMappings} },
			`[[{"name":"profile"},{"name":"t_1","protocolMappers":[{"consentRequired":false,"config":{"id.token.claim":"true","userinfo.token.claim":"true"}}]}],
			{"defaultClientScopes":["basic","t_1"]},[{"clientScope":"t_1","roles":["q"]}]]`, "useTemplate"},
		{"federation providers",
			`"userFederationProviders":[{"displayName":"l","providerName":"ldap","priority":1,"fullSyncPeriod":-1,"config":{"vendor":"other"}},{"displayName":"c","providerName":"own"}],
			"userFederationMappers":[{"name":"m","federationProviderDisplayName":"l","federationMapperType":"user-attribute-ldap-mapper","config":{"a":"b"}}]`,
			func(r *rep.Realm) any { return r.Components[realms.TypeUserStorage] },
			`[{"name":"l","providerId":"ldap","config":{"vendor":["other"],"priority":["1"],"fullSyncPeriod":["-1"]},
			"subComponents":{"org.keycloak.storage.ldap.mappers.LDAPStorageMapper":[{"name":"m","providerId":"user-attribute-ldap-mapper","config":{"a":["b"]}}]}}]`, `"name":"c"`},
		{"offline_access is declared", `"roles":{"realm":[{"name":"offline_access","id":"mine","description":"mine"}]}`, roles,
			`{"realm":[{"name":"offline_access","description":"${role_offline-access}"},{"name":"default-roles-x","composites":{"realm":["offline_access","uma_authorization"]}}]}`, "mine"},
		{"offline_access is declared with its scope",
			`"roles":{"realm":[{"name":"offline_access","description":"mine"}]},"clientScopes":[{"name":"offline_access","protocol":"openid-connect"}]`, roles,
			`{"realm":[{"name":"offline_access","description":"mine"},{"name":"default-roles-x","composites":{"realm":["uma_authorization"]}}]}`,
			""},
		{"uma_authorization is implied", `"users":[{"username":"u","realmRoles":["uma_authorization"]}]`, roles,
			`{"realm":[{"name":"default-roles-x","composites":{"realm":["offline_access"]}},{"name":"uma_authorization"}]}`,
			"role_uma_authorization"},
		{"a service account with its user",
			`"clients":[{"clientId":"c","serviceAccountsEnabled":true,"defaultClientScopes":["email"]}],"users":[{"username":"service-account-c","serviceAccountClientId":"c"}]`,
			client("c"), `{"defaultClientScopes":["email"]}`, "service_account"},
		{"a service account without its user", `"clients":[{"clientId":"c","serviceAccountsEnabled":true,"defaultClientScopes":["email"]}]`,
			client("c"), `{"defaultClientScopes":["email","service_account"]}`, ""},
		{"an empty attribute, an address twice, a scope of SAML",
			`"clients":[{"clientId":"c","attributes":{"null":null,"empty":""},"redirectUris":["http://a/*","http://a/*"],"defaultClientScopes":["email","role_list"]}]`,
			client("c"), `{"redirectUris":["http://a/*"],"webOrigins":["http://a"],"attributes":{"post.logout.redirect.uris":"+"},"defaultClientScopes":["email"]}`, `"null":`},
		{"mappers without userinfo",
			`"clients":[{"clientId":"c","protocolMappers":[{"name":"m","protocol":"openid-connect","protocolMapper":"oidc-full-name-mapper","config":{"id.token.claim":"false"}}]}]`,
			client("c"), `{"protocolMappers":[{"config":{"id.token.claim":"false","userinfo.token.claim":"false"}}]}`, ""},
		{"a provider that hides",
			`"identityProviders":[{"alias":"g","providerId":"google","updateProfileFirstLoginMode":"on","config":{"hideOnLoginPage":"true"}}]`,
			func(r *rep.Realm) any { return r.IdentityProviders }, `[{"alias":"g","hideOnLogin":true}]`, "updateProfile"},
		{"a provider for everybody",
			`"authenticationFlows":[{"alias":"browser","providerId":"basic-flow","topLevel":true,"authenticationExecutions":[
			{"authenticator":"auth-cookie","requirement":"ALTERNATIVE","priority":10},{"authenticator":"auth-username-password-form","requirement":"ALTERNATIVE","priority":30}]}],
			"identityProviders":[{"alias":"g","providerId":"google","enabled":true,"authenticateByDefault":true}]`,
			func(r *rep.Realm) any { return []any{r.AuthenticationFlows, r.AuthenticatorConfig} },
			`[[{"alias":"browser","authenticationExecutions":[{"authenticator":"auth-cookie"},{"authenticator":"identity-provider-redirector","requirement":"ALTERNATIVE","priority":25,
			"authenticatorConfig":"google"},{"authenticator":"auth-username-password-form"}]}],[{"alias":"google","config":{"defaultProvider":"google"}}]]`, ""},
		{"a configuration of a built-in flow's step without flows",
			`"authenticatorConfig":[{"alias":"create unique user config","config":{"a":"b"}}]`,
			func(r *rep.Realm) any { return r.AuthenticatorConfig },
			`[{"alias":"create unique user config","config":{"a":"b"}},{"alias":"review profile config"}]`, "require.password"},
		{"required actions",
			`"requiredActions":[{"alias":"terms_and_conditions","providerId":"terms_and_conditions"},{"alias":"CONFIGURE_TOTP","providerId":"CONFIGURE_TOTP","name":"Configure Totp"}]`,
			func(r *rep.Realm) any { return r.RequiredActions },
			`[{"alias":"TERMS_AND_CONDITIONS","providerId":"TERMS_AND_CONDITIONS"},{"alias":"CONFIGURE_TOTP","name":"Configure OTP"},{"alias":"delete_account"}]`, ""},
		{"settings among the attributes",
			`"failureFactor":7,"attributes":{"bruteForceProtected":"true","failureFactor":"5","clientSessionIdleTimeout":"100","maxDeltaTimeSeconds":"x",
			"offlineSessionMaxLifespanEnabled":"true","webAuthnPolicyRpIdPasswordless":"pp","webAuthnPolicySignatureAlgorithms":"RS256,ES256","displayName":"d",
			"maxSecondaryAuthFailures":"4","own":"kept"}`,
			func(r *rep.Realm) any { return r },
			`{"bruteForceProtected":true,"failureFactor":7,"clientSessionIdleTimeout":100,"maxDeltaTimeSeconds":43200,"offlineSessionMaxLifespanEnabled":true,"webAuthnPolicyPasswordlessRpId":"pp",
			"webAuthnPolicySignatureAlgorithms":["RS256","ES256"],"maxSecondaryAuthFailures":4,"attributes":{"own":"kept"}}`, `"displayName":"d"`},
		{"what has a value is the password, and the last one",
			`"users":[{"username":"u","credentials":[{"type":"totp","value":"first"},{"type":"kerberos"},{"type":"password","value":"last","temporary":true}]}]`,
			func(r *rep.Realm) any { return r.Users[0].Credentials }, `[{"type":"password","value":"last"}]`, "first"},
		{"a default group without a slash", `"groups":[{"name":"g"}],"defaultGroups":["g"]`, func(r *rep.Realm) any { return r.DefaultGroups },
			`["/g"]`, ""},
		{"a default role's own description",
			`"defaultRole":{"name":"d","description":"mine"},"roles":{"realm":[{"name":"d","composites":{"realm":["x"]}},{"name":"x"}]}`, roles,
			`{"realm":[{"name":"d","description":"mine","composites":{"realm":["x"]}}]}`, ""},
		{"empty addresses", `"clients":[{"clientId":"c","redirectUris":["","http://a/*"],"webOrigins":[""]}]`, client("c"),
			`{"redirectUris":["http://a/*"]}`, `[""`},
		{"authorization settings without the flag",
			`"clients":[{"clientId":"c","publicClient":true,"authorizationServicesEnabled":false,"authorizationSettings":{"resources":[]}}]`,
			func(r *rep.Realm) any { return []any{client("c")(r), r.Roles.Client["c"]} },
			`[{"authorizationServicesEnabled":true,"serviceAccountsEnabled":true,"publicClient":false},[{"name":"uma_protection"}]]`, ""},
		{"an authenticator configuration twice", `"authenticatorConfig":[{"alias":"x","config":{"a":"b"}},{"alias":"x","config":{"a":"c"}}]`,
			func(r *rep.Realm) any { return r.AuthenticatorConfig }, `[{"alias":"x","config":{"a":"b"}}]`, `"c"`},
		{"a mapper without its identity provider",
			`"identityProviderMappers":[{"name":"m","identityProviderAlias":"g","identityProviderMapper":"oidc-role-idp-mapper","config":{}}]`,
			func(r *rep.Realm) any { return r }, `{"realm":"x"}`, "oidc-role-idp-mapper"},
		{"client policies that are null or of Keycloak 13",
			`"clientProfiles":null,"clientPolicies":{"policies":[{"name":"p","builtin":true,"enable":true}]}`,
			func(r *rep.Realm) any { return []any{r.ClientPolicies, r.ClientProfiles} }, `[]`, "builtin"},
		{"codes may be used twice, says an attribute", `"attributes":{"realmReusableOtpCode":"true"}`, func(r *rep.Realm) any { return r },
			`{"otpPolicyCodeReusable":true,"attributes":{"realmReusableOtpCode":"true"}}`, ""},
		{"an attribute goes before the policy",
			`"otpPolicyType":"totp","otpPolicyCodeReusable":true,"attributes":{"realmReusableOtpCode":"false"}`,
			func(r *rep.Realm) any { return r }, `{"otpPolicyCodeReusable":false}`, ""},
		{"the policy is an attribute", `"otpPolicyType":"totp","otpPolicyCodeReusable":true`,
			func(r *rep.Realm) any { return r }, `{"otpPolicyCodeReusable":true,"attributes":{"realmReusableOtpCode":"true"}}`, ""},
		{"a provider is on that does not say so",
			`"identityProviders":[{"alias":"a","providerId":"oidc"},{"alias":"b","providerId":"oidc","enabled":false}]`,
			func(r *rep.Realm) any { return r.IdentityProviders }, `[{"alias":"a","enabled":true},{"alias":"b","enabled":false}]`, ""},
		{"verifiable credentials", `"verifiableCredentialsEnabled":true`, func(r *rep.Realm) any { return r }, `{"realm":"x"}`,
			`"verifiableCredentialsEnabled":true`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := realms.Complete(parse(t, `{"realm":"x","enabled":true,`+c.given+`}`), time.Unix(1, 0))
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(c.of(r))
			if err != nil {
				t.Fatal(err)
			}
			if missing := missing("", document(t, []byte(c.want)), document(t, text)); missing != "" {
				t.Errorf("%s, in %s", missing, text)
			}
			if c.lacks != "" && strings.Contains(string(text), c.lacks) {
				t.Errorf("has %s: %s", c.lacks, text)
			}
		})
	}
}

// missing says what of a document another lacks: members, and elements of
// lists in their order.
func missing(path string, want, got any) string {
	switch want := want.(type) {
	case map[string]any:
		have, _ := got.(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(want)) {
			if m := missing(path+"/"+name, want[name], have[name]); m != "" {
				return m
			}
		}
		return ""
	case []any:
		have, _ := got.([]any)
		at := 0
		for i, w := range want {
			for ; at < len(have) && missing("", w, have[at]) != ""; at++ {
			}
			if at == len(have) {
				text, _ := json.Marshal(w)
				return path + ": no element " + string(text) + " at or behind its place, " + string(rune('0'+i))
			}
			at++
		}
		return ""
	}
	if want != got {
		a, _ := json.Marshal(want)
		b, _ := json.Marshal(got)
		return path + ": want " + string(a) + ", got " + string(b)
	}
	return ""
}

// TestNoClientID: a client without a name is called by its id.
func TestNoClientID(t *testing.T) {
	r, err := realms.Complete(parse(t, `{"realm":"x","clients":[{"redirectUris":["http://x/*"]},{"id":"given"}]}`), time.Unix(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	if a, b := r.Clients[0], r.Clients[1]; a.ClientID == "" || a.ClientID != a.ID || b.ClientID != "given" {
		t.Errorf("%q of %q, %q", a.ClientID, a.ID, b.ClientID)
	}
}
