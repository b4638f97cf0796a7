package oidc

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	"latchkey/internal/authn"
	"latchkey/internal/authn/steps"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/tokens"
	"latchkey/internal/web"
)

// An asking is an authorization request while it is checked.
type asking struct {
	realm  *realms.Realm
	client *realms.Client
	urls   web.URLs
	issuer string
	from   source
	given  authParams // as it was sent
	req    request    // as the login and its end go by it
	types  responseType
	mode   string // how the answer goes back: "query", "fragment", "form_post"
	event  *iam.Event
}

// A source is how the parameters came.
type source struct {
	pushed   bool   // they were pushed before (RFC 9126)
	pushing  bool   // they are pushed now, or are a device's
	object   string // see own
	mismatch bool   // the request object's response_type is not the parameter's
}

// A check refuses a request, or fills in more of it. Before the redirect URI is known
// to be the client's, refusals are pages; after it, the client is told.
type check struct {
	rule string
	// One of both: take also asks what the realm keeps, or other servers.
	judge func(*asking) error
	take  func(*call, *asking, web.Form) error
	// Its place among those of a pushed request and of a device's; 0 where that is not asked.
	pushed, device int
}

// authChecks is what an authorization request must pass: at the authorization endpoint
// in this order, at the others in their own.
// Keycloak: AuthorizationEndpoint.process, AuthorizationEndpointChecker, ParEndpoint.request.
var authChecks = []check{
	{rule: "client_id is given once", take: (*call).takeClientID},
	{rule: "HTTPS where the realm demands it", take: (*call).checkSecure},
	{rule: "the realm is enabled", judge: (*asking).checkRealm},
	{rule: "the client exists, is enabled and logs people in", take: (*call).takeClient},
	{rule: "a pushed request is the client's, and comes once", take: (*call).takePushed},
	{rule: "a request object is the client's", take: (*call).takeRequestObject, pushed: 1},
	{rule: "parameters can be read", take: (*call).takeParams, pushed: 2, device: 1},
	{rule: "redirect_uri is the client's", judge: (*asking).checkRedirectURI, pushed: 3},
	{rule: "response_type and response_mode, as the client may use them", judge: (*asking).checkResponse, pushed: 4},
	{rule: "no pushed request is demanded", judge: (*asking).checkPushed},
	{rule: "no parameter twice", judge: (*asking).checkDuplicates, pushed: 6},
	{rule: "scopes are the client's", judge: (*asking).checkScope, pushed: 5},
	{rule: "a nonce where tokens come in the answer", judge: (*asking).checkNonce, pushed: 7},
	{rule: "PKCE", judge: (*asking).checkPKCE, pushed: 8, device: 2},
	{rule: "an essential acr is one that there is, and not below the client's minimum", judge: (*asking).checkACR},
}

// checksOf are those of another endpoint, which says where it has them.
func checksOf(place func(check) int) []check {
	list := slices.DeleteFunc(slices.Clone(authChecks), func(x check) bool { return place(x) == 0 })
	slices.SortFunc(list, func(a, b check) int { return place(a) - place(b) })
	return list
}

func (x check) placeOfPushed() int { return x.pushed }
func (x check) placeOfDevice() int { return x.device }

// asking begins to check an authorization request. client is nil until it is known.
func (c *call) asking(client *realms.Client) *asking {
	return &asking{realm: c.realm, client: client, urls: c.urls, issuer: c.issuer(), event: &c.event}
}

// check makes checks in their order.
func (c *call) check(a *asking, form web.Form, list []check) error {
	for _, x := range list {
		var err error
		if x.take != nil {
			err = x.take(c, a, form)
		} else {
			err = x.judge(a)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

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

// authorizeAs serves the authorization endpoint; path is of the login door, "" for its usual one.
func (h *Handler) authorizeAs(c *call, path string) error {
	form, err := readParams(c.r)
	if err != nil {
		return err
	}
	a := c.asking(nil)
	err = c.check(a, form, authChecks)
	if no, ok := err.(*browserRefusal); ok && no.page == "" { //nolint:errorlint // checks return it bare
		c.record(&no.Refusal)
		return c.sendError(a.mode, &a.client.Client, &a.req, no.Answer(), no.Description)
	}
	if err != nil {
		return err
	}
	if a.req.Prompt == "create" {
		if !c.realm.Login.Registration {
			return badPage("registrationNotAllowedMessage")
		}
		path = authn.PathRegistration
	}
	kind := "code"
	if path != "" { // which the reference tells of logins alone
		kind = ""
	}
	if a.req.Direct = !a.from.pushed; a.req.Direct {
		a.req.Object = a.from.object
	}
	c.login.Start(c.w, c.r, &authn.Begin{
		Realm: c.realm.ID, Client: &a.client.Client, Request: a.req.seal(), Path: path, Type: kind, Redirect: a.from.pushed,
		Passive: path == "" && slices.Contains(strings.Fields(a.req.Prompt), "none"),
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

func (*call) takeClientID(_ *asking, form web.Form) error {
	if len(form.Values["client_id"]) != 1 {
		return authClientID
	}
	return nil
}

func (c *call) checkSecure(*asking, web.Form) error {
	if !c.secure() {
		return authHTTPS
	}
	return nil
}

func (a *asking) checkRealm() error {
	if !a.realm.Enabled {
		return authRealmOff
	}
	return nil
}

func (c *call) takeClient(a *asking, form web.Form) error {
	id := form.Get("client_id")
	a.event.Client = id
	client, err := a.realm.ClientByName(c.ctx(), id)
	switch {
	case realms.Missing(err):
		return authNoClient
	case err != nil:
		return err
	case !client.Enabled:
		return authClientOff
	case client.Access == iam.BearerOnly:
		return authBearerOnly
	case client.Protocol != iam.OIDC:
		return authProtocol
	}
	a.client, c.asks = client, c.pageClient(client)
	return nil
}

func (a *asking) checkRedirectURI() error {
	sent := a.req.Extra[noteRedirectParam]
	a.event.Detail("redirect_uri", sent)
	rule := iam.RedirectsOf(&a.client.Client, a.urls.Of(a.client.RootURL))
	ok := false
	switch p := a.given.redirectURI; {
	case p.Given && len(p.Text) <= iam.MaxParam:
		a.req.RedirectURI, ok = rule.Match(printable(p.Text))
	case !tokens.HasScope(a.req.Scope, tokens.ScopeOpenID):
		a.req.RedirectURI, ok = rule.Only()
	}
	if !ok {
		a.event.Cause.Redirect = sent
		return authRedirect
	}
	if a.req.RedirectURI == installedApp {
		a.req.RedirectURI = a.issuer + "/protocol/openid-connect/oauth/oob"
	}
	return nil
}

// installedApp is the redirect URI of programs that have no address: the code
// is shown to the user. Keycloak: Constants.INSTALLED_APP_URN.
const installedApp = "urn:ietf:wg:oauth:2.0:oob"

func (a *asking) checkResponse() error {
	var known bool
	typ := a.req.ResponseType
	a.mode, _ = responseMode(a.req.ResponseMode, "query")
	if typ == "" {
		return authNoType
	}
	a.event.Detail("response_type", typ)
	switch a.types, known = parseResponseType(typ); {
	case !known && a.types.none:
		return authNoneAlone
	case !known:
		return authTypeUnknown
	}
	preset := "fragment"
	if !a.types.implicit() {
		preset = "query"
	}
	mode, known := responseMode(a.req.ResponseMode, preset)
	if !known {
		a.mode = "query"
		return authMode
	}
	a.mode = mode
	if a.types.implicit() && a.mode == "query" {
		return authModeQuery
	}
	a.event.Detail("response_mode", strings.ReplaceAll(a.mode, ".", "_"))
	response := a.client.OIDC.Response
	switch setting := flowOff(a.client, a.types); {
	case a.types.implicit() && a.mode == "query"+jarm && (response.Alg == "" || response.Enc == ""):
		return authModeJWT
	case a.types.implicit() && a.client.OIDC.DPoP:
		return authImplicitBound
	case setting == iam.SettingStandardFlow:
		return authStandardOff
	case setting == iam.SettingImplicitFlow:
		return authImplicitOff
	}
	return nil
}

// flowOff is the setting that keeps a client from a response type, "" for none.
func flowOff(c *realms.Client, t responseType) (setting string) {
	switch {
	case (t.code || t.none) && !c.StandardFlow:
		return iam.SettingStandardFlow
	case t.implicit() && !c.ImplicitFlow:
		return iam.SettingImplicitFlow
	}
	return ""
}

func (a *asking) checkPushed() error {
	if !a.from.pushed && mustPush(a.realm, a.client) {
		return authPushedOnly
	}
	return nil
}

// mustPush tells whether a client's requests must be pushed (RFC 9126).
func mustPush(r *realms.Realm, c *realms.Client) bool {
	return c.OIDC.PushedOnly || r.Attrs["requirePushedAuthorizationRequests"] == "true"
}

func (a *asking) checkDuplicates() error {
	switch {
	case a.from.mismatch:
		return authMismatch
	case a.given.twice:
		return authTwice
	}
	return nil
}

func (a *asking) checkScope() error {
	if p := a.given.scope; p.Given && p.Text == "" || !tokens.ValidScope(a.realm, &a.client.Client, a.req.Scope) {
		return authScope.with("$scope", a.req.Scope)
	}
	return nil
}

func (a *asking) checkNonce() error {
	if a.types.idToken && !a.given.nonce {
		return authNonce
	}
	return nil
}

// challengePattern is RFC 7636 4.2.
var challengePattern = regexp.MustCompile(`^[0-9a-zA-Z\-._~]{43,128}$`)

// checkPKCE verifies RFC 7636's parameters; a client's attribute may demand
// them with one method. Keycloak: AuthorizationEndpointChecker.checkPKCEParams.
func (a *asking) checkPKCE() error {
	if a.types.implicit() && !a.types.code {
		return nil
	}
	challenge, method := a.given.challenge, a.given.challengeAlg
	demanded := a.client.OIDC.PKCE
	switch {
	case demanded != "" && !method:
		return pkceNoMethod
	case demanded != "" && a.req.ChallengeAlg != demanded:
		return pkceOtherMethod
	case (demanded != "" || method) && !challenge:
		return pkceNoChallenge
	case !challenge:
		return nil
	case method && a.req.ChallengeAlg != "S256" && a.req.ChallengeAlg != "plain":
		return pkceMethod
	case !challengePattern.MatchString(a.req.Challenge):
		return pkceChallenge
	}
	return nil
}

// checkACR refuses an essential claim that no login could fulfil, or that is below
// the client's minimum (OpenID Connect Core 5.5.1.1).
// Keycloak: AuthorizationEndpoint.updateAuthenticationSession.
func (a *asking) checkACR() error {
	asked := a.req.seal()
	wanted, essential := steps.AskedACR(&a.client.Client, &asked)
	if !essential {
		return nil
	}
	for _, acr := range wanted {
		if _, ok := steps.LevelOf(a.realm, &a.client.Client, acr); !ok {
			return authACR
		}
	}
	if !slices.Equal(wanted, steps.AtLeastMinimum(a.realm, &a.client.Client, wanted)) {
		return authACR
	}
	return nil
}
