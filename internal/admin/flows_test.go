package admin

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"latchkey/internal/rep"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

// executionsOf lists a flow's executions as "level requirement name priority".
func (s *shop) executionsOf(alias string) (lines []string, list []rep.ExecutionInfo) {
	s.Helper()
	text := s.want("GET", "/authentication/flows/"+strings.ReplaceAll(alias, " ", "%20")+"/executions", "", 200, "")
	if err := rep.Unmarshal([]byte(text), &list); err != nil {
		s.Fatal(err)
	}
	for _, e := range list {
		line, err := json.Marshal([]any{e.Level, e.Requirement, e.DisplayName, e.Priority})
		if err != nil {
			s.Fatal(err)
		}
		lines = append(lines, string(line))
	}
	return lines, list
}

func (s *shop) wantExecutions(alias string, want ...string) []rep.ExecutionInfo {
	s.Helper()
	got, list := s.executionsOf(alias)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		s.Errorf("%s is\n%s\nwant\n%s", alias, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	return list
}

// A flow's life as kcadm, Terraform and keycloak-config-cli lead it.
// Keycloak: AuthenticationManagementResource.
func TestFlowsAreMadeFilledCopiedAndRemoved(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := newShopOn(t, db)
		const at = "/authentication"
		mine := s.want("POST", at+"/flows", `{"alias":"mine","providerId":"basic-flow","topLevel":true,"builtIn":false}`, 201, "")
		s.want("GET", at+"/flows/"+mine, "", 200,
			`"alias":"mine","description":"","providerId":"basic-flow","topLevel":true,"builtIn":false,"authenticationExecutions":[]`)
		for _, c := range []struct{ body, want string }{
			{`{"alias":"mine","providerId":"basic-flow"}`, `{"errorMessage":"Flow mine already exists"}`},
			{`{"providerId":"basic-flow"}`, `{"errorMessage":"Failed to create flow with empty alias name"}`},
			{`{"alias":"untyped"}`, `{"error":"conflict","error_description":"Duplicate resource error"}`},
		} {
			s.want("POST", at+"/flows", c.body, 409, c.want)
		}
		s.want("POST", at+"/flows", `{"alias":"a/b","providerId":"basic-flow"}`, 400, `{"error":"Character '/' not allowed."}`)

		cookie := s.want("POST", at+"/flows/mine/executions/execution", `{"provider":"auth-cookie"}`, 201, "")
		s.want("POST", at+"/flows/mine/executions/execution", `{"provider":"auth-username-password-form","priority":77}`, 201, "")
		sub := s.want("POST", at+"/flows/mine/executions/flow", `{"alias":"sub","type":"basic-flow","description":"Sub"}`, 201, "")
		s.want("POST", at+"/flows/mine/executions/flow", `{"alias":"form","type":"form-flow","provider":"registration-page-form"}`, 201, "")
		role := s.want("POST", at+"/flows/sub/executions/execution", `{"provider":"conditional-user-role"}`, 201, "")
		s.want("POST", at+"/flows/form/executions/execution", `{"provider":"registration-user-creation"}`, 201, "")
		config := s.want("POST", at+"/executions/"+role+"/config", `{"alias":"admins","config":{"condUserRole":"admin","negate":"","odd":"x"}}`,
			201, "")
		for _, c := range []struct {
			path, body string
			status     int
			want       string
		}{
			{"mine/executions/execution", `{"provider":"nonsense"}`, 400, `{"error":"No authentication provider found for id: nonsense"}`},
			{"mine/executions/execution", `{"provider":"client-secret"}`, 400, `{"error":"No authentication provider found for id: client-secret"}`},
			{"mine/executions/execution", `{}`, 400, `{"error":"No authentication provider found for id: null"}`},
			{"mine/executions/execution", `{"provider":"auth-cookie","priority":"high"}`, 400, `{"error":"priority must be a whole number"}`},
			{"nothing/executions/execution", `{"provider":"auth-cookie"}`, 400, `{"error":"Parent flow doesn't exist"}`},
			{"browser/executions/execution", `{"provider":"auth-cookie"}`, 400, `{"error":"It is illegal to add execution to a built in flow"}`},
			{"mine/executions/flow", `{"alias":"sub","type":"basic-flow"}`, 409, `{"errorMessage":"New flow alias name already exists"}`},
			{"mine/executions/flow", `{"alias":"sub"}`, 409, `{"errorMessage":"New flow alias name already exists"}`},
			{"mine/executions/flow", `{"alias":"x"}`, 400, `{"error":"A flow needs an alias and a type"}`},
			{"nothing/executions/flow", `{"alias":"x","type":"basic-flow"}`, 400, `{"errorMessage":"Parent flow doesn't exist"}`},
			{"browser/executions/flow", `{"alias":"x","type":"basic-flow"}`, 400, `{"error":"It is illegal to add sub-flow to a built in flow"}`},
			{"mine/copy", `{"newName":"browser"}`, 409, `{"errorMessage":"New flow alias name already exists"}`},
			{"nothing/copy", `{"newName":"x"}`, 404, `{"error":"Flow not found"}`},
			{"nothing/copy", `{}`, 404, `{"error":"Flow not found"}`},
			{"mine/copy", `{}`, 400, `{"error":"newName must not be empty"}`},
			{"mine/copy", `{"newName":"a/b"}`, 400, `{"error":"Character '/' not allowed."}`},
		} {
			s.want("POST", at+"/flows/"+c.path, c.body, c.status, c.want)
		}
		tree := []string{`[0,"DISABLED","Cookie",0]`, `[0,"REQUIRED","Username Password Form",77]`, `[0,"DISABLED","sub",78]`,
			`[1,"DISABLED","Condition - user role",0]`, `[0,"DISABLED","form",79]`, `[1,"DISABLED","Registration User Profile Creation",0]`}
		s.wantExecutions("mine", tree...)

		s.want("POST", at+"/flows/mine/copy", `{"newName":"yours"}`, 201, "")
		list := s.wantExecutions("yours", strings.Split(strings.NewReplacer(`"sub"`, `"yours sub"`, `"form"`, `"yours form"`).
			Replace(strings.Join(tree, "\n")), "\n")...)
		copied := list[3]
		if copied.Alias != "yours admins" || copied.AuthenticationConfig == config {
			t.Errorf("the copy's configuration is %q (%s)", copied.Alias, copied.AuthenticationConfig)
		}
		s.want("GET", at+"/config/"+copied.AuthenticationConfig, "", 200, `"config":{"condUserRole":"admin","odd":"**********"}`)

		s.want("DELETE", at+"/flows/"+mine, "", 204, "")
		for path, want := range map[string]string{"/flows/" + mine: "Could not find flow with id", "/flows/" + sub: "Could not find flow with id",
			"/executions/" + cookie: "Illegal execution", "/config/" + config: "Could not find authenticator config"} {
			s.want("GET", at+path, "", 404, want)
		}
		s.want("DELETE", at+"/flows/"+mine, "", 404, `{"error":"Flow not found"}`)
		s.want("GET", at+"/config/"+copied.AuthenticationConfig, "", 200, `"yours admins"`)
		browser := s.want("GET", at+"/flows", "", 200, `"alias":"browser"`)
		var flows []rep.Flow
		if err := rep.Unmarshal([]byte(browser), &flows); err != nil {
			t.Fatal(err)
		}
		for _, f := range flows {
			if f.BuiltIn {
				s.want("DELETE", at+"/flows/"+f.ID, "", 400, `{"error":"Can't delete built in flow"}`)
			}
		}
	})
}

// A flow that somebody logs in by stays, under whichever name.
// Keycloak: KeycloakModelUtils.isFlowUsed, RealmModel's flows by id.
func TestFlowsInUseAreKept(t *testing.T) {
	s := newShop(t)
	const at = "/authentication/flows"
	bound := s.want("POST", at+"/browser/copy", `{"newName":"bound"}`, 201, "")
	s.want("PUT", "", `{"browserFlow":"bound"}`, 204, "")
	s.want("DELETE", at+"/"+bound, "", 400, "in use by the realm")
	s.want("PUT", at+"/"+bound, `{"alias":"renamed","providerId":"basic-flow","topLevel":true}`, 204, "")
	s.want("GET", "", "", 200, `"browserFlow":"renamed"`)
	s.want("PUT", at+"/"+bound, `{"alias":"browser","providerId":"basic-flow"}`, 409, `{"errorMessage":"Flow alias name already exists"}`)
	s.want("PUT", at+"/"+bound, `{"alias":""}`, 409, `{"errorMessage":"Failed to update flow with empty alias name"}`)
	s.want("PUT", at+"/nothing", `{"alias":"x"}`, 404, `{"error":"Could not find flow with id"}`)
	client := s.want("POST", "/clients", `{"clientId":"app","authenticationFlowBindingOverrides":{"browser":"`+bound+`"}}`, 201, "")
	s.want("PUT", "", `{"browserFlow":"browser"}`, 204, "")
	s.want("DELETE", at+"/"+bound, "", 400, "in use by client app")
	s.want("PUT", "/clients/"+client, `{"authenticationFlowBindingOverrides":{"browser":""}}`, 204, "")
	s.want("DELETE", at+"/"+bound, "", 204, "")
}

// Keycloak: AuthenticationManagementResource.updateExecutions, raisePriority, lowerPriority, addExecution, removeExecution.
func TestExecutionsAreMovedAndChanged(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := newShopOn(t, db)
		const at = "/authentication"
		mine := s.want("POST", at+"/flows", `{"alias":"mine","providerId":"basic-flow","topLevel":true}`, 201, "")
		a := s.want("POST", at+"/flows/mine/executions/execution", `{"provider":"auth-cookie"}`, 201, "")
		b := s.want("POST", at+"/flows/mine/executions/execution", `{"provider":"auth-otp-form"}`, 201, "")
		sub := s.want("POST", at+"/flows/mine/executions/flow", `{"alias":"sub","type":"basic-flow"}`, 201, "")
		s.want("POST", at+"/executions/"+a+"/raise-priority", "", 204, "")
		s.want("POST", at+"/executions/"+b+"/raise-priority", "", 204, "")
		list := s.wantExecutions("mine", `[0,"DISABLED","OTP Form",0]`, `[0,"DISABLED","Cookie",1]`, `[0,"DISABLED","sub",2]`)
		s.want("POST", at+"/executions/"+list[2].ID+"/lower-priority", "", 204, "")
		s.want("POST", at+"/executions/"+b+"/lower-priority", "", 204, "")
		s.want("POST", at+"/executions/nothing/lower-priority", "", 404, `{"error":"Illegal execution"}`)
		for _, body := range []string{
			`{"id":"` + b + `","requirement":"ALTERNATIVE","priority":30}`,
			`{"id":"` + list[2].ID + `","requirement":"CONDITIONAL","authenticationFlow":true,"flowId":"` + sub +
				`","displayName":"not yet","priority":2}`,
			`{"id":"` + list[2].ID + `","requirement":"CONDITIONAL","authenticationFlow":true,"flowId":"` + sub +
				`","displayName":"two","priority":2}`,
		} {
			s.want("PUT", at+"/flows/mine/executions", body, 204, "")
		}
		s.wantExecutions("mine", `[0,"DISABLED","Cookie",0]`, `[0,"CONDITIONAL","two",2]`, `[0,"ALTERNATIVE","OTP Form",30]`)
		s.want("PUT", at+"/flows/mine/executions", `{"id":"`+b+`","requirement":"SOMETIMES"}`, 400, "")
		s.want("PUT", at+"/flows/mine/executions", `{"requirement":"REQUIRED"}`, 404, `{"error":"Illegal execution"}`)
		s.want("PUT", at+"/flows/nothing/executions", `{"id":"`+b+`"}`, 404, `{"error":"flow not found"}`)

		e := s.want("POST", at+"/executions", `{"authenticator":"auth-cookie","parentFlow":"`+mine+`","requirement":"REQUIRED"}`, 201, "")
		s.want("GET", at+"/executions/"+e, "", 200, `"priority":31`)
		s.want("POST", at+"/executions", `{"authenticator":"auth-cookie","requirement":"REQUIRED"}`, 400,
			`{"error":"parent flow not set on new execution"}`)
		s.want("POST", at+"/executions", `{"authenticator":"x","parentFlow":"`+mine+`","requirement":"REQUIRED"}`, 400,
			`{"error":"No authentication provider found for id: x"}`)
		s.want("POST", at+"/executions", `{"authenticatorFlow":true,"flowId":"`+mine+`","parentFlow":"`+sub+`","requirement":"REQUIRED"}`,
			400, `contain itself`)
		s.want("DELETE", at+"/executions/"+e, "", 204, "")
		s.want("DELETE", at+"/executions/"+e, "", 404, `{"error":"Illegal execution"}`)
		_, built := s.executionsOf("browser")
		s.want("DELETE", at+"/executions/"+built[0].ID, "", 400, `{"error":"It is illegal to remove execution from a built in flow"}`)
		s.want("POST", at+"/executions/"+built[0].ID+"/raise-priority", "", 400,
			`{"error":"It is illegal to modify execution in a built in flow"}`)
		s.want("PUT", at+"/flows/browser/executions", `{"id":"`+built[0].ID+`","requirement":"DISABLED"}`, 204, "")
	})
}

// Of many who add to a flow at once, each gets a place of its own.
func TestExecutionsAddedAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := newShopOn(t, db)
		s.want("POST", "/authentication/flows", `{"alias":"mine","providerId":"basic-flow","topLevel":true}`, 201, "")
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				s.want("POST", "/authentication/flows/mine/executions/execution", `{"provider":"auth-otp-form"}`, 201, "")
			})
		}
		all.Wait()
		s.wantExecutions("mine", `[0,"DISABLED","OTP Form",0]`, `[0,"DISABLED","OTP Form",1]`, `[0,"DISABLED","OTP Form",2]`,
			`[0,"DISABLED","OTP Form",3]`, `[0,"DISABLED","OTP Form",4]`, `[0,"DISABLED","OTP Form",5]`)
	})
}

// Keycloak: AuthenticationManagementResource.newExecutionConfig, updateAuthenticatorConfig, StripSecretsUtils.
func TestAuthenticatorConfigs(t *testing.T) {
	s := newShop(t)
	const at = "/authentication"
	s.want("POST", at+"/flows", `{"alias":"mine","providerId":"form-flow","topLevel":true}`, 201, "")
	e := s.want("POST", at+"/flows/mine/executions/execution", `{"provider":"registration-recaptcha-action"}`, 201, "")
	s.want("POST", at+"/executions/"+e+"/config", `{"config":{}}`, 409,
		`{"errorMessage":"Failed to create authentication execution configuration with empty alias name"}`)
	s.want("POST", at+"/executions/"+e+"/config", `{"alias":"a/b"}`, 400, `{"error":"Character '/' not allowed."}`)
	s.want("POST", at+"/executions/nothing/config", `{}`, 409,
		`{"errorMessage":"Failed to create authentication execution configuration with empty alias name"}`)
	s.want("POST", at+"/executions/nothing/config", `{"alias":"a"}`, 404, `{"error":"Illegal execution"}`)
	first := s.want("POST", at+"/executions/"+e+"/config", `{"alias":"one","config":{"secret.key":"hidden"}}`, 201, "")
	s.want("POST", at+"/executions/"+e+"/config", `{"alias":"one"}`, 409,
		`{"errorMessage":"Authentication execution configuration one already exists"}`)
	second := s.want("POST", at+"/executions/"+e+"/config", `{"alias":"two","config":{"secret.key":"hidden","action":"register","odd":"x"}}`,
		201, "")
	s.want("GET", at+"/config/"+first, "", 404, "Could not find authenticator config")
	s.want("GET", at+"/executions/"+e+"/config/"+second, "", 200,
		`"config":{"action":"register","odd":"**********","secret.key":"**********"}`)
	s.want("PUT", at+"/config/"+second, `{"alias":"three","config":{"secret.key":"**********","action":""}}`, 204, "")
	realm, err := s.h.Realms.Get(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	if c := authConfig(realm, second); c.Alias != "three" || len(c.Config) != 1 || c.Config["secret.key"] != "hidden" {
		t.Errorf("changed to %+v", c)
	}
	if events := s.want("GET", "/admin-events", "", 200, "AUTHENTICATOR_CONFIG"); strings.Contains(events, "hidden") {
		t.Error("an admin event shows a secret")
	}
	s.want("PUT", at+"/config/nothing", `{"alias":"x"}`, 404, "Could not find authenticator config")
	s.want("DELETE", at+"/config/"+second, "", 204, "")
	s.want("DELETE", at+"/config/"+second, "", 404, "Could not find authenticator config")
	s.want("GET", at+"/executions/"+e, "", 200,
		`"authenticator":"registration-recaptcha-action","authenticatorFlow":false,"requirement":"DISABLED"`)
}

// Keycloak: AuthenticationManagementResource.registerRequiredAction and what is beside it.
func TestRequiredActionsAreRegisteredMovedAndConfigured(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := newShopOn(t, db)
		const at = "/authentication/"
		order := func() string {
			var list []rep.RequiredAction
			if err := rep.Unmarshal([]byte(s.want("GET", at+"required-actions", "", 200, "")), &list); err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, a := range list {
				names = append(names, a.Alias)
			}
			return strings.Join(names, " ")
		}
		before := order()
		s.want("POST", at+"required-actions/UPDATE_PASSWORD/raise-priority", "", 204, "")
		if now := order(); now == before || strings.Index(now, "UPDATE_PASSWORD") > strings.Index(before, "UPDATE_PASSWORD") {
			t.Errorf("raised: %s", now)
		}
		s.want("POST", at+"required-actions/UPDATE_PASSWORD/lower-priority", "", 204, "")
		if now := order(); now != before {
			t.Errorf("lowered: %s, want %s", now, before)
		}
		s.want("DELETE", at+"required-actions/UPDATE_PROFILE", "", 204, "")
		s.want("DELETE", at+"required-actions/UPDATE_PROFILE", "", 404, `{"error":"Failed to find required action."}`)
		s.want("GET", at+"unregistered-required-actions", "", 200, `[{"name":"Update Profile","providerId":"UPDATE_PROFILE"}]`)
		s.want("POST", at+"register-required-action", `{"providerId":"UPDATE_PROFILE","name":"Mine"}`, 204, "")
		s.want("POST", at+"register-required-action", `{"providerId":"UPDATE_PROFILE"}`, 409,
			`{"error":"conflict","error_description":"A Required Action Provider with given alias already exists."}`)
		s.want("POST", at+"register-required-action", `{"providerId":"x"}`, 400,
			`{"error":"Required Action Provider with given providerId not found"}`)
		if now := order(); !strings.HasSuffix(now, " UPDATE_PROFILE") {
			t.Errorf("registered: %s", now)
		}

		const config = at + "required-actions/UPDATE_PASSWORD/config"
		s.want("PUT", config, `{"config":{"max_auth_age":"100","empty":""}}`, 204, "")
		s.want("GET", config, "", 200, `{"config":{"max_auth_age":"100"}}`)
		s.want("PUT", config, `{"config":{"max_auth_age":"-1"}}`, 400,
			`{"field":"max_auth_age","errorMessage":"error-number-out-of-range-too-small","params":["max_auth_age",0]}`)
		s.want("PUT", config, `{"config":{"max_auth_age":"x"}}`, 400,
			`{"field":"max_auth_age","errorMessage":"error-invalid-value","params":["max_auth_age"]}`)
		s.want("DELETE", config, "", 204, "")
		s.want("GET", config, "", 200, `{"config":{}}`)
		s.want("GET", at+"required-actions/delete_account/config", "", 400, `{"error":"RequiredAction is not configurable"}`)
		s.want("PUT", at+"required-actions/UPDATE_PASSWORD", `{"alias":"RENAMED","providerId":"other","priority":5}`, 204, "")
		s.want("GET", at+"required-actions/RENAMED", "", 200, `"providerId":"UPDATE_PASSWORD"`)
	})
}

// The lists of providers are read from a file, which must be whole; every
// authenticator of a new realm is in it.
func TestProvidersAreDescribed(t *testing.T) {
	s := newShop(t)
	p := authProvidersOf()
	if len(p.Authenticators) < 40 || len(p.ClientAuthenticators) != 5 || len(p.Forms) != 1 || len(p.FormActions) != 5 ||
		len(p.RequiredActions) < 12 {
		t.Fatal("authenticators.json is not whole")
	}
	s.want("GET", "/authentication/authenticator-providers", "", 200, `"id":"auth-cookie"`)
	s.want("GET", "/authentication/client-authenticator-providers", "", 200, `"supportsSecret":true`)
	s.want("GET", "/authentication/form-providers", "", 200, `"id":"registration-page-form"`)
	s.want("GET", "/authentication/form-action-providers", "", 200, `"id":"registration-user-creation"`)
	s.want("GET", "/authentication/per-client-config-description", "", 200, `"client-secret":[]`)
	s.want("GET", "/authentication/config-description/auth-cookie", "", 200, `"properties":[]`)
	s.want("GET", "/authentication/config-description/nothing", "", 404, `{"error":"Could not find authenticator provider"}`)
	s.want("GET", "/authentication/required-actions/UPDATE_PASSWORD/config-description", "", 200, `"name":"max_auth_age"`)
	realm, err := s.h.Realms.Get(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range realm.FlowDocs {
		for _, e := range f.Executions {
			if e.Authenticator != "" && e.FlowID == nil && p.any(e.Authenticator) == nil {
				t.Errorf("%s is not described", e.Authenticator)
			}
		}
	}
}

// Keycloak: RealmPermissions.requireViewAuthenticationFlows, requireViewRequiredActions, requireViewClientAuthenticatorProviders.
func TestWhoSeesFlows(t *testing.T) {
	s := newShop(t)
	for path, roles := range map[string]string{
		"/authentication/flows":                          "view-realm manage-realm query-clients",
		"/authentication/flows/browser/executions":       "view-realm manage-realm",
		"/authentication/required-actions":               "view-realm manage-realm query-users",
		"/authentication/client-authenticator-providers": "view-realm manage-realm query-clients view-clients manage-clients",
		"/authentication/authenticator-providers":        "view-realm manage-realm",
	} {
		for _, role := range []string{"view-realm", "manage-realm", "query-clients", "manage-clients", "view-clients", "query-users",
			"view-events", "manage-users"} {
			want := 403
			if strings.Contains(" "+roles+" ", " "+role+" ") {
				want = 200
			}
			if got, _ := s.call(role, "GET", path, ""); got != want && role != "view-clients" { // which includes query-clients
				t.Errorf("%s as %s: %d, want %d", path, role, got, want)
			}
		}
	}
	if got, _ := s.call("view-realm", "POST", "/authentication/flows", `{"alias":"x","providerId":"basic-flow"}`); got != 403 {
		t.Errorf("view-realm makes a flow: %d", got)
	}
}
