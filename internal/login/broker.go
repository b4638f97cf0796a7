package login

import (
	"cmp"
	"crypto/rand"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"latchkey/internal/authn"
	"latchkey/internal/authn/actions"
	"latchkey/internal/authn/steps"
	"latchkey/internal/authn/tabs"
	"latchkey/internal/broker"
	"latchkey/internal/iam"
	"latchkey/internal/pages"
	"latchkey/internal/realms"
	"latchkey/internal/telemetry"
	"latchkey/internal/users"
	"latchkey/internal/web"
)

// brokerRoutes are where browsers go to identity providers and come back.
// Keycloak: IdentityBrokerService.
func (h *Handler) brokerRoutes() map[string]http.HandlerFunc {
	const base = "/realms/{realm}/broker/"
	routes := map[string]http.HandlerFunc{
		"GET " + base + pathAfterFirst: h.with("IDENTITY_PROVIDER_FIRST_LOGIN", func(a *attempt) { a.afterFlow(pathFirstBroker) }),
		"GET " + base + pathAfterPost:  h.with("IDENTITY_PROVIDER_POST_LOGIN", func(a *attempt) { a.afterFlow(pathPostBroker) }),
	}
	for _, method := range []string{"GET ", "POST "} {
		routes[method+base+"{alias}/login"] = h.with("IDENTITY_PROVIDER_LOGIN", (*attempt).toProvider)
		routes[method+base+"{alias}/endpoint"] = h.with("IDENTITY_PROVIDER_LOGIN", (*attempt).fromProvider)
	}
	return routes
}

// Paths below broker, and what becomes of the notes of sessions and events.
const (
	pathAfterFirst = "after-first-broker-login"
	pathAfterPost  = "after-post-broker-login"

	detailProvider = "identity_provider"
	detailIdentity = "identity_provider_identity"
	detailSession  = "identity_provider_broker_session_id"

	notePassive = "forwarded_passive_login" // prompt=none went on to the provider
)

// providers are what a login page offers to log in with: all that are shown, or those that
// a known user has accounts at.
func (a *attempt) providers() ([]pages.Provider, error) {
	list := broker.Offered(a.realm)
	if len(list) == 0 {
		return nil, nil
	}
	if a.run.User != nil {
		links, err := a.h.Users.Links(a.ctx, a.realm, a.run.User.ID)
		if err != nil {
			return nil, err
		}
		list = slices.DeleteFunc(list, func(p *realms.IdentityProvider) bool {
			return !slices.ContainsFunc(links, func(l *iam.FederatedIdentity) bool { return l.Provider == p.Alias })
		})
	}
	var out []pages.Provider
	for _, p := range list {
		at, err := a.providerURL(p.Alias, "")
		if err != nil {
			return nil, err
		}
		out = append(out, pages.Provider{Alias: p.Alias, Name: p.DisplayName, URL: at})
	}
	return out, nil
}

// offer adds the realm's identity providers to a page that asks who logs in.
func (a *attempt) offer(page *authn.Page) (err error) {
	if a.tab.Flow != authn.PathAuthenticate {
		return nil
	}
	switch view := page.View.(type) {
	case pages.Login:
		view.Providers, err = a.providers()
		page.View = view
	case pages.LoginUsername:
		view.Providers, err = a.providers()
		page.View = view
	}
	return err
}

// providerURL is where a browser goes on to a provider from, with all of the login.
// Keycloak: Urls.identityProviderAuthnRequest.
func (a *attempt) providerURL(alias, hint string) (string, error) {
	code, err := a.sessionCode()
	if err != nil {
		return "", err
	}
	data, err := a.clientData("")
	if err != nil {
		return "", err
	}
	q := url.Values{"client_id": {a.client.ClientID}, "tab_id": {a.tab.ID}, "client_data": {data}, "session_code": {code}}
	if hint != "" {
		q.Set("login_hint", hint)
	}
	return a.base + "/broker/" + url.PathEscape(alias) + "/login?" + q.Encode(), nil
}

// visit answers a step that sends the browser to a provider.
func (a *attempt) visit(v authn.Visit, submitted bool) {
	if a.passive {
		if p := a.realm.IDP(v.Provider); !p.Flag("acceptsPromptNoneForwardFromClient") {
			a.notSignedOn()
			a.refuse(authn.LoginRequired, "")
			return
		}
		a.run.SetNote(notePassive, "true")
		if err := a.stayOpen(); err != nil {
			a.broken(err)
			return
		}
	}
	if submitted && !a.save() {
		return
	}
	to, err := a.providerURL(v.Provider, a.tab.Request.LoginHint)
	if err != nil {
		a.broken(err)
		return
	}
	a.redirectWith(http.StatusSeeOther, to)
}

// stayOpen makes a login that no page may be shown for one that goes on elsewhere, as others do.
func (a *attempt) stayOpen() error {
	if a.root.fresh {
		h := a.w.Header()
		h["Set-Cookie"] = slices.DeleteFunc(h["Set-Cookie"], func(line string) bool {
			return strings.HasPrefix(line, web.CookieAuthSession.Name+"=") || strings.HasPrefix(line, web.CookieAuthSessionHash.Name+"=")
		})
		a.root.Kind = rootLogin
		if err := a.setRoot(); err != nil {
			return err
		}
	}
	return a.setRestart(true)
}

// toProvider sends the browser to a provider. Keycloak: IdentityBrokerService.performLogin.
func (a *attempt) toProvider() {
	a.w.Header().Set("Cache-Control", web.CacheNoCache)
	alias := a.r.PathValue("alias")
	if !a.loadByCode(alias) {
		return
	}
	if err := a.newRun("IDENTITY_PROVIDER_LOGIN"); err != nil {
		a.broken(err)
		return
	}
	if hint := a.query.Get("login_hint"); hint != "" {
		a.tab.Request.LoginHint = hint
	}
	a.send(alias, false)
}

// loadByCode loads the login that a request's session code is of; false when it has been answered.
func (a *attempt) loadByCode(alias string) bool {
	err := a.loadTab()
	if err == nil {
		code := a.query.Get("session_code")
		switch sealed := (iam.AuthTab{}); {
		case a.tab.Version > 0 && code == a.tab.Code:
		case a.tab.Version > 0 || a.h.Tabs.Open(a.codePurpose(), code, &sealed) != nil:
			err = tabs.ErrGone
		default:
			sealed.Request = a.tab.Request
			a.tab, a.proved = &sealed, proved(&sealed)
		}
	}
	if err != nil && !errors.Is(err, tabs.ErrGone) {
		a.broken(err)
		return false
	}
	if err != nil {
		if alias != "" {
			a.details[detailProvider] = alias
		}
		a.client = nil
		a.emitError("invalidRequestMessage")
		a.errorPage(http.StatusBadRequest, "invalidRequestMessage")
		return false
	}
	return a.mayGoOn() && a.active(a.realm.Lifespans.Login)
}

// gate is the one by which everybody passes who comes or goes through a provider: it is there, enabled, of a
// kind that is built, and may be logged in by.
func (a *attempt) gate(alias string, link bool) (*realms.IdentityProvider, broker.Kind, error) {
	p := a.realm.IDP(alias)
	if p == nil || !p.Enabled {
		return nil, nil, &broker.Refused{Why: "there is no identity provider " + alias, Reason: iam.LoginRefused}
	}
	if p.LinkOnly && !link {
		return nil, nil, &broker.Refused{Why: "nobody logs in by the identity provider " + alias + ", which links", Reason: iam.LoginRefused}
	}
	if len(p.Missing) > 0 {
		return nil, nil, &broker.Refused{Why: "the identity provider " + alias + " is set to a flow that is not there", Reason: iam.LoginRefused}
	}
	kind, err := a.h.Broker.Kind(p.Provider)
	return p, kind, err
}

// look is a browser's way to a provider, as far as the login knows it.
func (a *attempt) look(p *realms.IdentityProvider) *broker.Visit {
	v := &broker.Visit{Realm: a.realm, Provider: broker.Complete(&p.IdentityProvider), Issuer: a.base, LoginHint: a.tab.Request.LoginHint,
		Locale: a.chooseLocale(),
		Params: a.protocol().Parameters(&a.tab.Request)}
	if a.tab.Notes[notePassive] != "" {
		v.Params["prompt"] = "none"
	}
	return v
}

// send leaves for a provider, from which the browser comes back to fromProvider.
func (a *attempt) send(alias string, link bool) {
	p, kind, err := a.gate(alias, link)
	var to string
	if err == nil {
		v := a.look(p)
		v.State, v.Nonce, v.Verifier = a.run.State()+"."+string(a.client.ID), rand.Text(), rand.Text()+rand.Text()
		a.tab.Left = &iam.Left{State: v.State, Provider: alias, Nonce: v.Nonce, Verifier: v.Verifier, Link: link}
		to, err = kind.To(a.ctx, v)
	}
	if err != nil {
		a.tab.Left = nil
		a.w.Header().Del("Cache-Control")
		a.h.Log.WarnContext(a.ctx, "nobody was sent to an identity provider", telemetry.KeyRealm, a.realm.Name, "provider", alias,
			telemetry.KeyError, err)
		a.details["code_id"], a.details[detailProvider] = string(a.tab.Root), alias
		a.emitCause("couldNotSendAuthenticationRequestMessage", causeOf(err))
		a.errorPage(http.StatusBadGateway, "couldNotSendAuthenticationRequestMessage")
		return
	}
	if a.save() {
		a.redirectWith(http.StatusSeeOther, to)
	}
}

// fromProvider takes a browser that comes back. Keycloak: AbstractOAuth2IdentityProvider.Endpoint.authResponse.
func (a *attempt) fromProvider() {
	a.w.Header().Del("Cache-Control")
	alias := a.r.PathValue("alias")
	if p := a.realm.IDP(alias); p == nil || !p.Enabled {
		a.errorPage(http.StatusNotFound, "pageNotFound")
		return
	}
	q := a.query
	if a.form != nil {
		q = a.form
	}
	state := q.Get("state")
	if state == "" {
		a.emitError("identity_provider_login_failure")
		a.errorPage(http.StatusBadRequest, "identityProviderMissingStateMessage")
		return
	}
	left := a.takeLeft(state, alias)
	if left == nil {
		return
	}
	if err := a.newRun("IDENTITY_PROVIDER_LOGIN"); err != nil {
		a.broken(err)
		return
	}
	p, kind, err := a.gate(alias, left.Link)
	if err == nil && q.Get("error") != "" {
		a.unmet(p, left, q.Get("error"))
		return
	}
	if err == nil && q.Get("code") == "" {
		a.loginFailure(&broker.Refused{Why: "neither code nor error came back"}, http.StatusBadRequest,
			"identityProviderMissingCodeOrErrorMessage")
		return
	}
	var said *iam.Brokered
	if err == nil {
		v := a.look(p)
		v.State, v.Nonce, v.Verifier = left.State, left.Nonce, left.Verifier
		said, err = kind.Came(a.ctx, v, q)
	}
	if err != nil {
		a.notBrokered(err)
		return
	}
	a.brokered(p, said, left.Link)
}

// notBrokered answers a provider's word that is not good, or cannot be had.
func (a *attempt) notBrokered(err error) {
	refused, _ := errors.AsType[*broker.Refused](err)
	unreachable, _ := errors.AsType[*broker.Unreachable](err)
	switch {
	case refused == nil && unreachable == nil && !errors.Is(err, broker.ErrNoKind):
		a.broken(err)
	case refused != nil && refused.Key != "":
		a.loginFailure(err, http.StatusBadGateway, refused.Key)
	default:
		a.loginFailure(err, http.StatusBadGateway, "identityProviderUnexpectedErrorMessage")
	}
}

func (a *attempt) loginFailure(err error, status int, key string) {
	a.h.Log.WarnContext(a.ctx, "an identity provider's answer is refused", telemetry.KeyRealm, a.realm.Name, "provider",
		a.r.PathValue("alias"), telemetry.KeyError, err)
	a.details["code_id"] = string(a.tab.Root)
	a.emitCause("identity_provider_login_failure", causeOf(err))
	a.errorPage(status, key)
}

// causeOf is why a login by a provider fails, with what the provider answered.
func causeOf(err error) iam.Cause {
	refused, _ := errors.AsType[*broker.Refused](err)
	unreachable, _ := errors.AsType[*broker.Unreachable](err)
	c := iam.Cause{Reason: iam.LoginRefused}
	switch {
	case unreachable != nil:
		c.Reason = iam.ProviderUnreachable
	case refused != nil:
		c.Reason = cmp.Or(refused.Reason, iam.ProviderRefused)
	}
	c.Told = err.Error()
	return c
}

// providerFailed is the event of a login that comes to nothing at or after its provider.
const providerFailed = "IDENTITY_PROVIDER_LOGIN_ERROR"

// notBack tells of a browser that brings a provider's answer to no login that waits for it: there is no event of it that says so.
func (a *attempt) notBack(why iam.Reason, client string) {
	cause := iam.Cause{Reason: why, Agent: a.r.UserAgent()}
	e := &iam.Event{Kind: providerFailed, Client: client, IP: a.addr(), Error: "invalidRequestMessage", Cause: cause}
	a.h.Events.Refuse(a.ctx, a.realm, e)
}

// unmet goes on with a login that a provider knows nobody for.
// Keycloak: IdentityBrokerService.cancelled, error.
func (a *attempt) unmet(p *realms.IdentityProvider, left *iam.Left, word string) {
	denied := word == "access_denied"
	a.h.Events.Refuse(a.ctx, a.realm, &iam.Event{
		Kind: providerFailed, Client: a.client.ClientID, User: a.tab.User, IP: a.addr(), Error: "identity_provider_error",
		Cause: iam.Cause{Reason: iam.ProviderRefused, Refusal: iam.Refusal{Told: "error " + iam.Cut(word, 100)}},
	})
	switch {
	case left.Link:
		status := "error"
		if denied {
			status = "cancelled"
		}
		a.w.Header().Set("Cache-Control", web.CacheNoPage)
		a.run.SetNote(actions.NoteStatus, status)
		a.loginEvent("LOGIN")
		a.nextAction()
		return
	case a.tab.Notes[notePassive] != "" && word == "interaction_required":
		a.refuse(authn.InteractionRequired, "")
		return
	case a.tab.Notes[notePassive] != "":
		a.refuse(authn.LoginRequired, "")
		return
	case denied:
		a.message = &authn.Message{Tone: pages.Problem, Key: "access-denied-when-idp-auth", Params: []any{cmp.Or(p.DisplayName, p.Alias)}}
	case word == "login_required" || word == "interaction_required":
		a.message = &authn.Message{Tone: pages.Problem, Key: word}
	default:
		a.message = &authn.Message{Tone: pages.Problem, Key: "identityProviderUnexpectedErrorMessage"}
	}
	a.w.Header().Set("Cache-Control", web.CacheNoPage)
	a.tab.Flow = authn.PathAuthenticate
	a.run.SetNote(steps.NoteVisited, p.Alias)
	a.run, a.kind = nil, "LOGIN"
	a.goOnBy(true, func(flow *iam.Flow) (authn.Outcome, error) { return a.h.Engine.Start(a.ctx, a.run, flow) })
}

// brokered goes on with who came back. Keycloak: IdentityBrokerService.authenticated.
func (a *attempt) brokered(p *realms.IdentityProvider, said *iam.Brokered, link bool) {
	a.h.Broker.Ready(a.realm, p, said)
	u, err := a.h.Users.ByLink(a.ctx, a.realm, p.Alias, said.ID)
	switch {
	case err != nil:
		a.broken(err)
	case link:
		a.link(p, said, u)
	case u == nil:
		a.firstTime(p, said)
	case !u.Enabled:
		a.run.Event.Cause.User = u.ID
		a.detailBrokered(said)
		a.brokerError("user_disabled", http.StatusBadRequest, "accountDisabledMessage")
	default:
		a.known(p, said, u)
	}
}

// brokerError ends the login with the event and page of an error.
func (a *attempt) brokerError(word string, status int, key string, params ...any) {
	a.run.Emit(word)
	if a.accounted() {
		a.errorPage(status, key, params...)
	}
}

// anew forgets what the login has learnt before somebody came from a provider.
func (a *attempt) anew() {
	kept := map[string]string{}
	for _, name := range []string{tabs.NoteAsked, tabs.NoteNamed, notePassive, tabs.NoteLocale} {
		if v := a.tab.Notes[name]; v != "" {
			kept[name] = v
		}
	}
	authn.Reset(a.run)
	a.tab.Notes, a.tab.Flow = kept, authn.PathAuthenticate
}

// firstTime begins the first broker login of somebody whom no link is of.
func (a *attempt) firstTime(p *realms.IdentityProvider, said *iam.Brokered) {
	flow := a.realm.Flow(cmp.Or(a.realm.Flows.FirstBrokerLogin, "first broker login"))
	if p.FirstLogin != "" {
		flow = a.realm.FlowByID(p.FirstLogin)
	}
	if flow == nil {
		a.notBrokered(&broker.Refused{Why: "there is no first broker login", Reason: iam.LoginRefused})
		return
	}
	a.anew()
	said.First = true
	a.enterFlow(flow, pathFirstBroker, said)
}

// enterFlow has a flow of brokering walked before the login ends.
func (a *attempt) enterFlow(flow *iam.Flow, path string, said *iam.Brokered) {
	said.Walked = ""
	a.tab.Brokered, a.tab.Current, a.tab.Status = said, "", nil
	a.tab.Entered, a.tab.Flow = &iam.Entered{Flow: flow.Alias, Path: authn.PathAuthenticate}, path
	if a.save() {
		a.toPage(path, "", "")
	}
}

// walked notes that a flow of brokering has succeeded, and leads on.
// Keycloak: LoginActionsService.redirectToAfterBrokerLoginEndpoint.
func (a *attempt) walked() {
	a.tab.Brokered.Walked = a.tab.Flow
	if !a.save() {
		return
	}
	path := pathAfterFirst
	if a.tab.Flow == pathPostBroker {
		path = pathAfterPost
	}
	data, err := a.clientData("")
	if err != nil {
		a.broken(err)
		return
	}
	q := url.Values{"session_code": {a.tab.Code}, "client_id": {a.client.ClientID}, "tab_id": {a.tab.ID}, "client_data": {data}}
	a.redirect(a.base + "/broker/" + path + "?" + q.Encode())
}

// afterFlow goes on after a flow of brokering. Keycloak: IdentityBrokerService.afterFirstBrokerLogin, afterPostBrokerLoginFlow.
func (a *attempt) afterFlow(path string) {
	a.w.Header().Set("Cache-Control", web.CacheNoCache)
	if !a.loadByCode("") {
		return
	}
	if err := a.newRun(a.kind); err != nil {
		a.broken(err)
		return
	}
	if a.outdated() {
		return
	}
	said := a.tab.Brokered
	if said == nil || a.tab.Flow != path || said.Walked != path || a.run.User == nil || !a.run.User.Enabled {
		stray := &broker.Refused{Why: "the flow was not walked", Reason: iam.ProviderState}
		a.loginFailure(stray, http.StatusBadRequest, "identityProviderUnexpectedErrorMessage")
		return
	}
	p, _, err := a.gate(said.Provider, false)
	if err != nil {
		a.notBrokered(err)
		return
	}
	a.tab.Entered, a.tab.Flow = nil, authn.PathAuthenticate
	if path == pathPostBroker {
		a.arrive(said)
		return
	}
	u, err := a.h.Broker.Sync(a.ctx, a.realm, p, said, a.run.User, true)
	if a.conflicted(p, err) {
		return
	}
	a.run.User = u
	e := iam.Event{Kind: "FEDERATED_IDENTITY_LINK", Client: a.client.ClientID, User: u.ID, IP: a.addr(),
		Details: map[string]string{"code_id": string(a.tab.Root), detailProvider: p.Alias, detailIdentity: said.Username, "username": u.Username}}
	if said.New {
		e.Kind = "REGISTER"
		e.Details["register_method"] = "broker"
		if u.Email != "" {
			e.Details["email"] = u.Email
		}
	}
	a.emit(&e)
	a.post(p, said)
}

// conflicted answers that an account at the provider is somebody else's, and other errors.
func (a *attempt) conflicted(p *realms.IdentityProvider, err error) bool {
	var taken *iam.Error
	switch {
	case err == nil:
		return false
	case errors.Is(err, users.ErrLinked):
		a.brokerError("identityProviderAlreadyLinkedMessage", http.StatusBadRequest, "identityProviderAlreadyLinkedMessage",
			cmp.Or(p.DisplayName, p.Alias))
	case errors.As(err, &taken) && taken.Kind == iam.Conflict: // what the provider says now is another user's
		a.run.Event.Cause.Reason = iam.EmailTaken
		a.brokerError("identity_provider_login_failure", http.StatusBadGateway, "identityProviderUnexpectedErrorMessage")
	default:
		a.broken(err)
	}
	return true
}

// known goes on with a user who is linked.
func (a *attempt) known(p *realms.IdentityProvider, said *iam.Brokered, u *iam.User) {
	word, err := a.h.Users.Locked(a.ctx, a.realm, u)
	if err != nil {
		a.broken(err)
		return
	}
	if word != "" {
		a.run.Event.User = u.ID
		a.brokerError(word, http.StatusBadRequest, "accountTemporarilyDisabledMessage")
		return
	}
	a.run.Event.Cause.User = u.ID
	u, err = a.h.Broker.Sync(a.ctx, a.realm, p, said, u, false)
	if a.conflicted(p, err) {
		return
	}
	a.anew()
	if res := a.run.SetUser(u); res != nil {
		a.notBrokered(&broker.Refused{Why: "the user may not log in", Reason: iam.LoginRefused})
		return
	}
	a.tab.Brokered = said
	a.post(p, said)
}

// post has the provider's post login flow walked, where it has one.
func (a *attempt) post(p *realms.IdentityProvider, said *iam.Brokered) {
	if p.PostLogin == "" {
		a.arrive(said)
		return
	}
	flow := a.realm.FlowByID(p.PostLogin)
	if flow == nil {
		a.notBrokered(&broker.Refused{Why: "there is no post login flow", Reason: iam.LoginRefused})
		return
	}
	a.enterFlow(flow, pathPostBroker, said)
}

// arrive ends brokering: the login goes on as after its flow. Keycloak: IdentityBrokerService.finishBrokerAuthentication.
func (a *attempt) arrive(said *iam.Brokered) {
	for name, value := range said.Notes {
		a.run.SetUserNote(name, value)
	}
	a.run.SetUserNote(detailProvider, said.Provider)
	a.run.SetUserNote(detailIdentity, said.Username)
	if p := a.realm.IDP(said.Provider); len(said.IDToken) <= iam.MaxNote && p != nil && p.Config["logoutUrl"] != "" {
		a.run.SetUserNote(broker.NoteIDToken, said.IDToken)
	}
	a.run.Event.Kind = "LOGIN"
	a.detailBrokered(said)
	if said.First {
		delete(a.run.Event.Details, "redirect_uri")
	}
	a.flowDone()
}

// detailBrokered has the event tell who came from a provider, and not how clients ask.
func (a *attempt) detailBrokered(said *iam.Brokered) {
	for _, name := range []string{"auth_method", "auth_type"} {
		delete(a.run.Event.Details, name)
	}
	maps.Copy(a.run.Event.Details, brokerDetails(said))
}

// brokerDetails are what events tell of who came from a provider.
func brokerDetails(said *iam.Brokered) map[string]string {
	d := map[string]string{detailProvider: said.Provider, detailIdentity: said.Username}
	if said.Session != "" {
		d[detailSession] = said.Session
	}
	return d
}

// link gives the user who is logged in an account at the provider: an application's action.
// Keycloak: IdentityBrokerService.performAccountLinking.
func (a *attempt) link(p *realms.IdentityProvider, said *iam.Brokered, owner *iam.User) {
	a.w.Header().Set("Cache-Control", web.CacheNoPage)
	a.loginEvent("FEDERATED_IDENTITY_LINK")
	a.run.Detail("custom_required_action", actions.LinkProvider)
	maps.Copy(a.run.Event.Details, brokerDetails(said))
	u := a.run.User
	switch {
	case u == nil || !u.Enabled || a.tab.Flow != pathRequired || string(a.tab.Current) != actions.LinkProvider:
		a.brokerError("not_allowed", http.StatusBadRequest, "identityProviderUnexpectedErrorMessage")
		return
	case owner != nil && owner.ID != u.ID:
		a.brokerError("identityProviderAlreadyLinkedMessage", http.StatusBadRequest, "identityProviderAlreadyLinkedMessage",
			cmp.Or(p.DisplayName, p.Alias))
		return
	}
	linked, err := a.h.Broker.Link(a.ctx, a.realm, p, said, u, owner == nil)
	if a.conflicted(p, err) {
		return
	}
	a.run.User = linked
	a.run.Emit("")
	a.run.SetNote(actions.NoteStatus, "success")
	a.run.Event.Kind = "LOGIN"
	a.nextAction()
}
