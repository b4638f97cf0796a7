package oidc

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"latchkey/internal/authn"
	"latchkey/internal/authn/steps"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/tokens"
	"latchkey/internal/web"
)

// An authCall is a request at the authorization endpoint.
type authCall struct {
	*call
	form   web.Form
	client *realms.Client
	req    request
	types  responseType
	mode   string // how the answer goes back: "query", "fragment", "form_post"
	path   string // of the login door, "" for its usual one
	pushed bool   // the parameters were pushed before (RFC 9126)
	object string // see own

	mismatch bool // the request object's response_type is not the parameter's
	pushing  bool // the parameters are pushed now
}

// A check refuses a request, or fills in more of the call. Before the redirect
// URI is known to be the client's, refusals are pages; after it, a clientError
// goes back to the client.
type check struct {
	rule   string
	do     func(*authCall) error
	pushed int // its place among those of a pushed request, 0 where that is not asked
}

// authChecks is what an authorization request must pass: at the authorization endpoint
// in this order, at that of pushed requests in their own.
// Keycloak: AuthorizationEndpoint.process, AuthorizationEndpointChecker, ParEndpoint.request.
var authChecks = []check{
	{"client_id is given once", (*authCall).takeClientID, 0},
	{"HTTPS where the realm demands it", (*authCall).checkSecure, 0},
	{"the realm is enabled", (*authCall).checkRealm, 0},
	{"the client exists, is enabled and logs people in", (*authCall).checkClient, 0},
	{"a pushed request is the client's, and comes once", (*authCall).takePushed, 0},
	{"a request object is the client's", (*authCall).readRequestObject, 1},
	{"parameters can be read", (*authCall).parse, 2},
	{"redirect_uri is the client's", (*authCall).checkRedirectURI, 3},
	{"response_type and response_mode, as the client may use them", (*authCall).checkResponse, 4},
	{"no pushed request is demanded", (*authCall).checkPushed, 0},
	{"no parameter twice", (*authCall).checkDuplicates, 6},
	{"scopes are the client's", (*authCall).checkScope, 5},
	{"a nonce where tokens come in the answer", (*authCall).checkNonce, 7},
	{"PKCE", (*authCall).checkPKCE, 8},
	{"an essential acr is one that there is, and not below the client's minimum", (*authCall).checkACR, 0},
}

// pushedChecks are those of a pushed request.
func pushedChecks() []check {
	list := slices.DeleteFunc(slices.Clone(authChecks), func(x check) bool { return x.pushed == 0 })
	slices.SortFunc(list, func(a, b check) int { return a.pushed - b.pushed })
	return list
}

// A clientError is a refusal that the client is told by redirect.
type clientError struct{ code, description string }

func (e *clientError) Error() string { return e.code + ": " + e.description }

// authorize serves the authorization endpoint.
func (h *Handler) authorize(c *call) error { return h.authorizeAs(c, "") }

// register is the endpoint that begins with the registration page.
func (h *Handler) register(c *call) error {
	if !c.realm.Login.Registration {
		return badPage("registrationNotAllowedMessage")
	}
	return h.authorizeAs(c, authn.PathRegistration)
}

// forgot is the endpoint that begins with the reset of credentials.
func (h *Handler) forgot(c *call) error {
	if !c.realm.Login.ResetPassword {
		return badPage("resetCredentialNotAllowedMessage")
	}
	return h.authorizeAs(c, authn.PathReset)
}

func (h *Handler) authorizeAs(c *call, path string) error {
	form, err := readParams(c.r)
	if err != nil {
		return err
	}
	a := &authCall{call: c, form: form, path: path}
	for _, x := range authChecks {
		err := x.do(a)
		if e, ok := err.(*clientError); ok { //nolint:errorlint // checks return it bare
			return a.sendError(a.mode, &a.client.Client, &a.req, e.code, e.description)
		}
		if err != nil {
			return err
		}
	}
	if a.req.Prompt == "create" {
		if !c.realm.Login.Registration {
			return badPage("registrationNotAllowedMessage")
		}
		a.path = authn.PathRegistration
	}
	kind := "code"
	if a.path != "" { // which the reference tells of logins alone
		kind = ""
	}
	if a.req.Direct = !a.pushed; a.req.Direct {
		a.req.Object = a.object
	}
	c.login.Start(c.w, c.r, &authn.Begin{
		Realm: c.realm.ID, Client: &a.client.Client, Request: a.req.seal(), Path: a.path, Type: kind, Redirect: a.pushed,
		Passive: a.path == "" && slices.Contains(strings.Fields(a.req.Prompt), "none"),
	})
	return nil
}

// readParams takes the parameters of a GET from the query, of a POST from the form.
func readParams(r *http.Request) (web.Form, error) {
	if r.Method == http.MethodPost {
		return web.ReadForm(r)
	}
	return web.Query(r)
}

func (a *authCall) takeClientID() error {
	ids := a.form.Values["client_id"]
	if len(ids) != 1 {
		a.detail("reason", "Parameter 'client_id' not present or present multiple times in the HTTP request parameters")
		return a.refuse("invalid_request", badPage("invalidRequestMessage"))
	}
	return nil
}

func (a *authCall) checkSecure() error {
	if !a.secure() {
		return a.refuse("ssl_required", badPage("httpsRequiredMessage"))
	}
	return nil
}

func (a *authCall) checkRealm() error {
	if !a.realm.Enabled {
		return a.refuse("realm_disabled", badPage("realmNotEnabledMessage"))
	}
	return nil
}

func (a *authCall) checkClient() error {
	id := a.form.Get("client_id")
	a.event.Client = id
	client, err := a.realm.ClientByName(a.ctx(), id)
	switch {
	case realms.Missing(err):
		return a.refuse("client_not_found", badPage("clientNotFoundMessage"))
	case err != nil:
		return err
	case !client.Enabled:
		return a.refuse("client_disabled", badPage("clientDisabledMessage"))
	case client.Access == iam.BearerOnly:
		return a.refuse("not_allowed", &pageError{http.StatusForbidden, "bearerOnlyMessage", nil})
	case client.Protocol != iam.OIDC:
		a.detail("reason", "Wrong client protocol.")
		return a.refuse("invalid_client", badPage("Wrong client protocol."))
	}
	a.client, a.asks = client, a.pageClient(client)
	return nil
}

// Bounds of parameters; longer ones are left unread, as in the reference.
// Keycloak: OIDCProviderConfig.
const (
	maxLoginHint = 255
	maxExtra     = 5
	maxExtraSize = 2000
)

// extraNote marks parameters that the protocol does not know among the notes.
const extraNote = "client_request_param_"

// noteRedirectParam is the redirect_uri as the client wrote it, which the token
// request must repeat.
const noteRedirectParam = "redirect_uri"

// parse reads the parameters. Keycloak: AuthzEndpointRequestParser.
func (a *authCall) parse() error {
	size := 0 // of what is kept
	get := func(name string) string {
		v := printable(a.form.Get(name))
		if limit := iam.MaxParam; len(v) > limit || name == "login_hint" && len(v) > maxLoginHint {
			return ""
		}
		size += len(v)
		return v
	}
	a.req.LoginRequest = iam.LoginRequest{
		Client: a.client.ID, Issuer: a.issuer(), Scope: get("scope"), MaxAge: get("max_age"), LoginHint: get("login_hint"),
		UILocales: get("ui_locales"), IDPHint: get("kc_idp_hint"), HasIDPHint: a.form.Has("kc_idp_hint"),
	}
	a.req.own = own{
		ResponseType: get("response_type"), ResponseMode: get("response_mode"), State: get("state"), Nonce: get("nonce"), Prompt: get("prompt"),
		ACRValues: get("acr_values"), Claims: get("claims"), Display: get("display"),
		Challenge: get("code_challenge"), ChallengeAlg: get("code_challenge_method"), JKT: get("dpop_jkt"), Extra: map[string]string{},
	}
	a.req.EmptyState = a.form.Has("state") && a.req.State == ""
	a.req.Action, a.req.ActionParam, _ = strings.Cut(get("kc_action"), ":")
	if _, err := strconv.ParseInt(a.req.MaxAge, 10, 32); a.form.Has("max_age") && err != nil {
		a.detail("reason", `For input string: "`+a.req.MaxAge+`"`)
		return a.refuse("invalid_request", badPage("invalidRequestMessage"))
	}
	for _, name := range slices.Sorted(keysOf(a.form.Values)) {
		v := printable(a.form.Get(name))
		if !slices.Contains(knownParams, name) && len(name) <= iam.MaxKey && iam.Storable(name) && strings.TrimSpace(v) != "" &&
			len(v) <= maxExtraSize && len(a.req.Extra) < maxExtra {
			a.req.Extra[extraNote+name] = v
			size += len(name) + len(v)
		}
	}
	if v := get("redirect_uri"); v != "" {
		a.req.Extra[noteRedirectParam] = v
	}
	if size > iam.MaxRequest {
		a.detail("reason", "the request is too long")
		return a.refuse("invalid_request", badPage("invalidRequestMessage"))
	}
	return nil
}

func keysOf(m map[string][]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// knownParams are those of the protocol; others are kept for whoever knows them.
var knownParams = []string{
	"client_id", "response_type", "response_mode", "redirect_uri", "state", "scope", "resource", "login_hint", "prompt",
	"kc_idp_hint", "kc_action",
	"nonce", "max_age", "ui_locales", "request", "request_uri", "claims", "acr_values", "display", "code_challenge",
	"code_challenge_method", "dpop_jkt",
}

// splitList splits a client attribute that holds a list.
func splitList(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "##")
}

// reject refuses to the client, with an event that gives the reason.
func (a *authCall) reject(word, code, description string) error {
	a.detail("reason", description)
	return a.refuse(word, &clientError{code, description})
}

func (a *authCall) checkRedirectURI() error {
	param := a.req.Extra[noteRedirectParam]
	a.detail("redirect_uri", param)
	rule := iam.RedirectsOf(&a.client.Client, a.urls.Of(a.client.RootURL))
	ok := false
	switch {
	case a.form.Has("redirect_uri") && len(a.form.Get("redirect_uri")) <= iam.MaxParam:
		a.req.RedirectURI, ok = rule.Match(printable(a.form.Get("redirect_uri")))
	case !tokens.HasScope(a.req.Scope, tokens.ScopeOpenID):
		a.req.RedirectURI, ok = rule.Only()
	}
	if !ok {
		a.event.Cause.Redirect = param
		return a.refuse("invalid_redirect_uri", badPage("invalidParameterMessage", "redirect_uri"))
	}
	if a.req.RedirectURI == installedApp {
		a.req.RedirectURI = a.endpoint("/oauth/oob")
	}
	return nil
}

// installedApp is the redirect URI of programs that have no address: the code
// is shown to the user. Keycloak: Constants.INSTALLED_APP_URN.
const installedApp = "urn:ietf:wg:oauth:2.0:oob"

func (a *authCall) checkResponse() error {
	var known bool
	typ := a.req.ResponseType
	a.mode, _ = responseMode(a.req.ResponseMode, "query")
	if typ == "" {
		return a.reject("invalid_request", "invalid_request", "Missing parameter: response_type")
	}
	a.detail("response_type", typ)
	if a.types, known = parseResponseType(typ); !known {
		reason := "Unsupported response_type"
		if a.types.none {
			reason = "'None' not allowed with some other response_type"
		}
		a.detail("reason", reason)
		return a.refuse("invalid_request", &clientError{"unsupported_response_type", ""})
	}
	preset := "fragment"
	if !a.types.implicit() {
		preset = "query"
	}
	mode, known := responseMode(a.req.ResponseMode, preset)
	if !known {
		a.mode = "query"
		return a.reject("invalid_request", "invalid_request", "Invalid parameter: response_mode")
	}
	a.mode = mode
	if a.types.implicit() && a.mode == "query" {
		return a.reject("invalid_request", "invalid_request", "Response_mode 'query' not allowed for implicit or hybrid flow")
	}
	a.detail("response_mode", strings.ReplaceAll(a.mode, ".", "_"))
	if a.types.implicit() && a.mode == "query"+jarm &&
		(a.client.OIDC.Response.Alg == "" || a.client.OIDC.Response.Enc == "") {
		return a.reject("invalid_request", "invalid_request",
			"Response_mode 'query.jwt' is allowed only when the authorization response token is encrypted")
	}
	if a.types.implicit() && a.client.OIDC.DPoP {
		return a.reject("not_allowed", "unauthorized_client",
			"DPoP is not supported for implicit nor hybrid flows. Client requires DPoP bound access tokens.")
	}
	const refusal = "Client is not allowed to initiate browser login with given response_type. %s flow is disabled for the client."
	if (a.types.code || a.types.none) && !a.client.StandardFlow {
		a.event.Cause.Setting = iam.SettingStandardFlow
		return a.reject("not_allowed", "unauthorized_client", strings.Replace(refusal, "%s", "Standard", 1))
	}
	if a.types.implicit() && !a.client.ImplicitFlow {
		a.event.Cause.Setting = iam.SettingImplicitFlow
		return a.reject("not_allowed", "unauthorized_client", strings.Replace(refusal, "%s", "Implicit", 1))
	}
	return nil
}

func (a *authCall) checkPushed() error {
	if a.pushed {
		return nil
	}
	if a.client.OIDC.PushedOnly || a.realm.Attrs["requirePushedAuthorizationRequests"] == "true" {
		return a.reject("invalid_request", "invalid_request", "Pushed Authorization Request is only allowed.")
	}
	return nil
}

func (a *authCall) checkDuplicates() error {
	if a.mismatch {
		return a.refuse("invalid_request", &clientError{"invalid_request", "Parameter response_type does not match"})
	}
	if a.form.Duplicate() != "" {
		return a.refuse("invalid_request", &clientError{"invalid_request", "duplicated parameter"})
	}
	return nil
}

func (a *authCall) checkScope() error {
	if a.form.Has("scope") && a.form.Get("scope") == "" || !tokens.ValidScope(a.realm, &a.client.Client, a.req.Scope) {
		a.event.Cause.Reason = iam.WrongScope
		return a.reject("invalid_request", "invalid_scope", "Invalid scopes: "+a.req.Scope)
	}
	return nil
}

func (a *authCall) checkNonce() error {
	if a.types.idToken && !a.form.Has("nonce") {
		return a.reject("invalid_request", "invalid_request", "Missing parameter: nonce")
	}
	return nil
}

// challengePattern is RFC 7636 4.2.
var challengePattern = regexp.MustCompile(`^[0-9a-zA-Z\-._~]{43,128}$`)

// checkPKCE verifies RFC 7636's parameters; a client's attribute may demand
// them with one method. Keycloak: AuthorizationEndpointChecker.checkPKCEParams.
func (a *authCall) checkPKCE() error {
	if a.types.implicit() && !a.types.code {
		return nil
	}
	challenge, method := a.form.Has("code_challenge"), a.form.Has("code_challenge_method")
	demanded := a.client.OIDC.PKCE
	problem := ""
	switch {
	case demanded != "" && !method:
		problem = "Missing parameter: code_challenge_method"
	case demanded != "" && a.req.ChallengeAlg != demanded:
		problem = "Invalid parameter: code challenge method is not matching the configured one"
	case (demanded != "" || method) && !challenge:
		problem = "Missing parameter: code_challenge"
	case !challenge:
		return nil
	case method && a.req.ChallengeAlg != "S256" && a.req.ChallengeAlg != "plain":
		problem = "Invalid parameter: code_challenge_method"
	case !challengePattern.MatchString(a.req.Challenge):
		problem = "Invalid parameter: code_challenge"
	}
	if problem != "" {
		return a.reject("invalid_request", "invalid_request", problem)
	}
	return nil
}

// checkACR refuses an essential claim that no login could fulfil, or that is below
// the client's minimum (OpenID Connect Core 5.5.1.1).
// Keycloak: AuthorizationEndpoint.updateAuthenticationSession.
func (a *authCall) checkACR() error {
	asked := a.req.seal()
	wanted, essential := steps.AskedACR(&a.client.Client, &asked)
	refused := func() error {
		a.detail("reason", "Invalid requested essential acr value")
		return a.refuse("invalid_request", badPage("invalidParameterMessage", "claims"))
	}
	if !essential {
		return nil
	}
	for _, acr := range wanted {
		if _, ok := steps.LevelOf(a.realm, &a.client.Client, acr); !ok {
			return refused()
		}
	}
	if !slices.Equal(wanted, steps.AtLeastMinimum(a.realm, &a.client.Client, wanted)) {
		return refused()
	}
	return nil
}
