package admin

import (
	"slices"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
)

// flowRoutes are flows and required actions.
// Keycloak: AuthenticationManagementResource.
func (h *Handler) flowRoutes() []Route {
	return []Route{
		{"GET /admin/realms/{realm}/authentication/flows", ViewRealm, None, "", h.listFlows, ByMethod},
		{"GET /admin/realms/{realm}/authentication/flows/{id}", ViewRealm, None, "", h.getFlow, ByMethod},
		{"GET /admin/realms/{realm}/authentication/flows/{alias}/executions", ViewRealm, None, "", h.listExecutions, ByMethod},
		{"PUT /admin/realms/{realm}/authentication/flows/{alias}/executions", ManageRealm, Update, "AUTH_EXECUTION", h.updateExecution, NoCache},
		{"POST /admin/realms/{realm}/authentication/executions/{execution}/config", ManageRealm, Create, "AUTHENTICATOR_CONFIG", h.createAuthConfig, NoCache},
		{"GET /admin/realms/{realm}/authentication/config/{id}", ViewRealm, None, "", h.getAuthConfig, ByMethod},
		{"PUT /admin/realms/{realm}/authentication/config/{id}", ManageRealm, Update, "AUTHENTICATOR_CONFIG", h.updateAuthConfig, NoCache},
		{"GET /admin/realms/{realm}/authentication/required-actions", ViewRealm, None, "", h.listRequiredActions, ByMethod},
		{"GET /admin/realms/{realm}/authentication/required-actions/{alias}", ViewRealm, None, "", h.getRequiredAction, ByMethod},
		{"PUT /admin/realms/{realm}/authentication/required-actions/{alias}", ManageRealm, Update, "REQUIRED_ACTION", h.updateRequiredAction, ByMethod},
		{"GET /admin/realms/{realm}/credential-registrators", ViewRealm, None, "", h.credentialRegistrators, ByMethod},
	}
}

var errNoFlow = &iam.Error{Kind: iam.NotFound, Msg: "Flow not found"}

// flowRep is a flow with its executions as they stand in realm files.
func flowRep(r *realms.Realm, f *realms.FlowDoc) rep.Flow {
	v := *f.Flow
	v.AuthenticationExecutions = []rep.ExecutionExport{}
	for _, e := range f.Executions {
		x := rep.ExecutionExport{
			Authenticator: e.Authenticator, AuthenticatorFlow: e.AuthenticatorFlow, AutheticatorFlow: e.AuthenticatorFlow,
			Requirement: e.Requirement, Priority: e.Priority,
		}
		if sub := flowByID(r, e.FlowID); sub != nil {
			x.FlowAlias = sub.Alias
		}
		if c := authConfig(r, e.AuthenticatorConfig); c != nil {
			x.AuthenticatorConfig = c.Alias
		}
		v.AuthenticationExecutions = append(v.AuthenticationExecutions, x)
	}
	return v
}

func flowByID(r *realms.Realm, id *string) *realms.FlowDoc {
	for _, f := range r.FlowDocs {
		if id != nil && f.ID == *id {
			return f
		}
	}
	return nil
}

func authConfig(r *realms.Realm, id string) *rep.AuthenticatorConfig {
	for _, c := range r.AuthConfigs {
		if c.ID == id && id != "" {
			return c
		}
	}
	return nil
}

func (h *Handler) listFlows(c *Call) (any, error) {
	list := []rep.Flow{}
	for _, f := range c.Realm.FlowDocs {
		if f.TopLevel && f.Alias != "saml ecp" { // which Keycloak does not list
			list = append(list, flowRep(c.Realm, f))
		}
	}
	return list, nil
}

func (h *Handler) getFlow(c *Call) (any, error) {
	id := c.Path("id")
	if f := flowByID(c.Realm, &id); f != nil {
		return flowRep(c.Realm, f), nil
	}
	return nil, iam.Errorf(iam.NotFound, "Could not find flow with id")
}

// A providerInfo is what the console shows of an authenticator.
type providerInfo struct {
	name         string
	choices      string // R, A, D, C: the requirements that it may have
	configurable bool
}

// authenticatorInfos by Keycloak's provider id: what 26.7.3 says of them.
var authenticatorInfos = map[string]providerInfo{
	"auth-cookie":                       {"Cookie", "RAD", false},
	"auth-spnego":                       {"Kerberos", "RAD", false},
	"identity-provider-redirector":      {"Identity Provider Redirector", "RAD", true},
	"conditional-user-configured":       {"Condition - user configured", "RD", false},
	"conditional-credential":            {"Condition - credential", "RD", true},
	"conditional-user-role":             {"Condition - user role", "RD", true},
	"conditional-user-attribute":        {"Condition - user attribute", "RD", true},
	"organization":                      {"Organization Identity-First Login", "RAD", true},
	"auth-username-password-form":       {"Username Password Form", "R", false},
	"auth-username-form":                {"Username Form", "R", false},
	"auth-password-form":                {"Password Form", "R", false},
	"auth-otp-form":                     {"OTP Form", "RAD", false},
	"webauthn-authenticator":            {"WebAuthn Authenticator", "RAD", false},
	"auth-recovery-authn-code-form":     {"Recovery Authentication Code Form", "RAD", false},
	"direct-grant-validate-username":    {"Username Validation", "R", false},
	"direct-grant-validate-password":    {"Password", "RAD", false},
	"direct-grant-validate-otp":         {"OTP", "RAD", false},
	"registration-page-form":            {"Registration Page", "RD", false},
	"registration-user-creation":        {"Registration User Profile Creation", "RD", false},
	"registration-password-action":      {"Password Validation", "RD", true},
	"registration-recaptcha-action":     {"reCAPTCHA", "RD", true},
	"registration-terms-and-conditions": {"Terms and conditions", "RD", false},
	"reset-credentials-choose-user":     {"Choose User", "R", false},
	"reset-credential-email":            {"Send Reset Email", "R", true},
	"reset-password":                    {"Reset Password", "RAD", false},
	"reset-otp":                         {"Reset OTP", "RAD", true},
	"client-secret":                     {"Client Id and Secret", "RAD", false},
	"client-jwt":                        {"Signed JWT", "RAD", false},
	"client-secret-jwt":                 {"Signed JWT with Client Secret", "RAD", false},
	"client-x509":                       {"X509 Certificate", "RAD", false},
	"federated-jwt":                     {"Signed JWT - Federated", "RAD", false},
	"idp-review-profile":                {"Review Profile", "RAD", true},
	"idp-create-user-if-unique":         {"Create User If Unique", "RAD", true},
	"idp-confirm-link":                  {"Confirm link existing account", "RAD", false},
	"idp-email-verification":            {"Verify existing account by Email", "RAD", false},
	"idp-username-password-form":        {"Username Password Form for identity provider reauthentication", "R", false},
	"idp-add-organization-member":       {"Organization Member Onboard", "RAD", false},
	"docker-http-basic-authenticator":   {"Docker Authenticator", "R", false},
	"deny-access-authenticator":         {"Deny access", "RD", true},
	"allow-access-authenticator":        {"Allow access", "RD", false},
}

var requirements = map[rune]string{'R': string(iam.Required), 'A': string(iam.Alternative), 'D': string(iam.Disabled), 'C': string(iam.Conditional)}

func infoOf(authenticator string) providerInfo {
	if info, ok := authenticatorInfos[authenticator]; ok {
		return info
	}
	if strings.HasPrefix(authenticator, "conditional-") {
		return providerInfo{authenticator, "RD", true}
	}
	return providerInfo{authenticator, "RAD", true}
}

func choices(letters string) []string {
	var list []string
	for _, l := range letters {
		list = append(list, requirements[l])
	}
	return list
}

func (h *Handler) listExecutions(c *Call) (any, error) {
	f := c.Realm.FlowDoc(c.Path("alias"))
	if f == nil {
		return nil, errNoFlow
	}
	list := []rep.ExecutionInfo{}
	executionsBelow(c.Realm, f, 0, &list)
	return list, nil
}

// executionsBelow lists a flow's executions and those of its sub-flows, depth
// first. Keycloak: AuthenticationManagementResource.recurseExecutions.
func executionsBelow(r *realms.Realm, f *realms.FlowDoc, level int, list *[]rep.ExecutionInfo) {
	if level > len(r.FlowDocs) {
		return // a flow that contains itself
	}
	for i, e := range f.Executions {
		v := rep.ExecutionInfo{ID: e.ID, Requirement: e.Requirement, Level: level, Index: i, Priority: rep.Val(e.Priority), Configurable: new(false)}
		sub := flowByID(r, e.FlowID)
		if sub != nil {
			v.DisplayName, v.FlowID, v.AuthenticationFlow = sub.Alias, sub.ID, new(true)
			v.Description = rep.Val(sub.Description)
			v.RequirementChoices = choices("RADC")
			if e.Authenticator != "" { // a form
				v.ProviderID = e.Authenticator
				v.RequirementChoices = choices(infoOf(e.Authenticator).choices)
			}
			if f.ProviderID == "client-flow" {
				v.RequirementChoices = choices("RAD")
			}
		} else {
			info := infoOf(e.Authenticator)
			v.ProviderID, v.DisplayName, v.RequirementChoices, v.Configurable = e.Authenticator, info.name, choices(info.choices), &info.configurable
		}
		if config := authConfig(r, e.AuthenticatorConfig); config != nil {
			v.AuthenticationConfig, v.Alias = config.ID, config.Alias
		}
		*list = append(*list, v)
		if sub != nil {
			executionsBelow(r, sub, level+1, list)
		}
	}
}

func (h *Handler) updateExecution(c *Call) (any, error) {
	f := c.Realm.FlowDoc(c.Path("alias"))
	if f == nil {
		return nil, iam.Errorf(iam.NotFound, "flow not found")
	}
	v, err := Body[rep.ExecutionInfo](c)
	if err != nil {
		return nil, err
	}
	list := []rep.ExecutionInfo{}
	executionsBelow(c.Realm, f, 0, &list)
	i := slices.IndexFunc(list, func(e rep.ExecutionInfo) bool { return e.ID == v.ID })
	if i < 0 {
		return nil, iam.Errorf(iam.NotFound, "Illegal execution")
	}
	var priority *int
	if v.Priority != 0 && v.Priority != list[i].Priority {
		priority = &v.Priority
	}
	return nil, h.Manager.SetExecution(c, c.Realm, v.ID, iam.Requirement(v.Requirement), priority)
}

func (h *Handler) createAuthConfig(c *Call) (any, error) {
	v, err := Body[rep.AuthenticatorConfig](c)
	if err != nil {
		return nil, err
	}
	if err := h.Manager.PutAuthConfig(c, c.Realm, c.Path("execution"), v); err != nil {
		return nil, err
	}
	c.CreatedAt("authentication", "executions", c.Path("execution"), "config", v.ID)
	return nil, nil
}

func (h *Handler) getAuthConfig(c *Call) (any, error) {
	v := authConfig(c.Realm, c.Path("id"))
	if v == nil {
		return nil, iam.Errorf(iam.NotFound, "Could not find authenticator config")
	}
	shown := *v
	if hidesConfig(c.Realm, v.ID) {
		shown.Config = map[string]string{}
		for name := range v.Config {
			shown.Config[name] = masked
		}
	}
	return &shown, nil
}

// hidesConfig reports whether a configuration belongs to an authenticator that
// has no settings: what it holds is unknown, and shown masked.
func hidesConfig(r *realms.Realm, id string) bool {
	for _, f := range r.FlowDocs {
		for _, e := range f.Executions {
			if e.AuthenticatorConfig == id {
				return !infoOf(e.Authenticator).configurable
			}
		}
	}
	return true
}

func (h *Handler) updateAuthConfig(c *Call) (any, error) {
	v, err := Body[rep.AuthenticatorConfig](c)
	if err != nil {
		return nil, err
	}
	v.ID = c.Path("id")
	if old := authConfig(c.Realm, v.ID); old != nil {
		for name, value := range v.Config {
			if value == masked {
				v.Config[name] = old.Config[name]
			}
		}
	}
	return nil, h.Manager.PutAuthConfig(c, c.Realm, "", v)
}

func (h *Handler) listRequiredActions(c *Call) (any, error) {
	list := []*rep.RequiredAction{}
	for _, a := range c.Realm.RequiredActions {
		list = append(list, a.Rep)
	}
	return list, nil
}

func (h *Handler) getRequiredAction(c *Call) (any, error) {
	a := c.Realm.RequiredAction(c.Path("alias"))
	if a == nil {
		return nil, iam.Errorf(iam.NotFound, "Failed to find required action")
	}
	return a.Rep, nil
}

func (h *Handler) updateRequiredAction(c *Call) (any, error) {
	have := c.Realm.RequiredAction(c.Path("alias"))
	if have == nil {
		return nil, iam.Errorf(iam.NotFound, "Failed to find required action")
	}
	v, err := Body[rep.RequiredAction](c)
	if err != nil {
		return nil, err
	}
	if v.Alias == "" {
		v.Alias = have.Rep.Alias
	}
	if v.ProviderID == "" {
		v.ProviderID = have.Rep.ProviderID
	}
	if v.Config == nil {
		v.Config = have.Rep.Config
	}
	v.Unknown = have.Rep.Unknown
	return nil, h.Manager.PutRequiredAction(c, c.Realm, have.Alias, v)
}

// registrators are the required actions that set up a credential.
// Keycloak: CredentialRegistrator.
var registrators = []string{"CONFIGURE_RECOVERY_AUTHN_CODES", "CONFIGURE_TOTP", "webauthn-register", "webauthn-register-passwordless"}

func (h *Handler) credentialRegistrators(c *Call) (any, error) {
	list := []string{}
	for _, a := range c.Realm.RequiredActions {
		if a.Enabled && slices.Contains(registrators, a.Provider) {
			list = append(list, a.Alias)
		}
	}
	return list, nil
}
