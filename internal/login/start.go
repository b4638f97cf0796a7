package login

import (
	"maps"
	"net/http"
	"time"

	"latchkey/internal/authn"
	"latchkey/internal/authn/steps"
	"latchkey/internal/authn/tabs"
	"latchkey/internal/iam"
)

// Start begins a login that a protocol's door has checked, and answers the
// request. Keycloak: AuthorizationEndpointBase.handleBrowserAuthenticationRequest.
func (h *Handler) Start(w http.ResponseWriter, r *http.Request, b *authn.Begin) {
	a := &attempt{h: h, w: w, r: r, ctx: r.Context(), kind: "LOGIN", details: map[string]string{}, starting: true, passive: b.Passive}
	realm, err := h.Realms.ByID(a.ctx, b.Realm)
	if err != nil {
		a.broken(err)
		return
	}
	if !a.enter(realm) {
		return
	}
	a.form = nil // what was posted was the authorization request, not a page's form
	path := b.Path
	if path == "" {
		path = authn.PathAuthenticate
	}
	client, err := realm.Client(a.ctx, b.Client.ID)
	if err != nil {
		a.broken(err)
		return
	}
	a.client = client
	if !a.allowed(path) {
		return
	}
	if err := a.readRoot(); err != nil {
		a.broken(err)
		return
	}
	if err := a.readIdentity(); err != nil {
		a.broken(err)
		return
	}
	a.tab = a.newTab(b.Request, path)
	if b.Type != "" && path == authn.PathAuthenticate {
		a.tab.Notes = map[string]string{tabs.NoteType: b.Type}
	}
	a.noteAsked()
	if a.passive || path != authn.PathAuthenticate {
		a.root.Kind = rootPlain
	}
	if err := a.setRoot(); err != nil {
		a.broken(err)
		return
	}
	if !a.passive && path == authn.PathAuthenticate {
		if err := a.setRestart(true); err != nil {
			a.broken(err)
			return
		}
	}
	if b.Redirect && !a.passive {
		a.toPage(path, "", "")
		return
	}
	a.walk("")
}

func (a *attempt) newTab(q iam.LoginRequest, path string) *iam.AuthTab {
	return &iam.AuthTab{Root: a.root.ID, ID: random(8), Request: q, Flow: path, Created: a.h.Tabs.Now()}
}

// allowed tells whether the realm offers a path at all; when not, that has been answered.
func (a *attempt) allowed(path string) bool {
	switch {
	case path == authn.PathRegistration && !a.realm.Login.Registration:
		a.kind = "REGISTER"
		a.emitError("registration_disabled")
		a.errorPage(http.StatusBadRequest, "registrationNotAllowedMessage")
	case path == authn.PathReset && !a.realm.Login.ResetPassword:
		a.kind = "RESET_PASSWORD"
		a.emitError("not_allowed")
		a.errorPage(http.StatusBadRequest, "resetCredentialNotAllowedMessage")
	default:
		return true
	}
	return false
}

// flow returns the flow of a path, nil when there is none. Keycloak: AuthenticationFlowResolver.
func (a *attempt) flow(path string) *iam.Flow {
	if within := a.tab.Entered; within != nil && path == a.tab.Flow {
		return a.realm.Flow(within.Flow)
	}
	switch path {
	case pathFirstBroker, pathPostBroker:
		return nil
	case authn.PathRegistration:
		return a.realm.Flow(a.realm.Flows.Registration)
	case authn.PathReset:
		return a.realm.Flow(a.realm.Flows.ResetCredentials)
	}
	if id := a.client.FlowOverrides["browser"]; id != "" {
		return a.realm.FlowByID(id)
	}
	return a.realm.Flow(a.realm.Flows.Browser)
}

// The paths of flows that steps enter.
const (
	pathFirstBroker = "first-broker-login"
	pathPostBroker  = "post-broker-login"
)

// newRun prepares a walk. The user is read anew: what the tab knows may be old.
func (a *attempt) newRun(kind iam.EventKind) error {
	if a.run != nil {
		return nil
	}
	req := &a.tab.Request
	a.run = &authn.Run{
		Realm: a.realm, Client: &a.client.Client, Tab: a.tab, Now: a.h.Tabs.Now(), IP: a.addr(), Form: a.form, Query: a.query,
		Identity: a.identity, Remember: a.remembered(), Browser: a.realm.Flow(a.realm.Flows.Browser),
		Event: iam.Event{Kind: kind, Client: a.client.ClientID, IP: a.addr(), Details: map[string]string{
			"auth_method": string(req.Protocol), "code_id": string(a.tab.Root)}, Cause: iam.Cause{Agent: a.r.UserAgent()}},
	}
	if req.RedirectURI != "" || !req.Confirm { // a device has none
		a.run.Detail("redirect_uri", req.RedirectURI)
	}
	if t := a.tab.Notes[tabs.NoteType]; t != "" {
		a.run.Detail("auth_type", t)
	}
	if a.starting { // events are the authorization endpoint's
		a.requestDetails()
	}
	if a.realm.Locale.Enabled {
		a.run.Wishes = a.wishes()
	}
	for _, x := range a.realm.RequiredActions {
		a.run.Actions = append(a.run.Actions, x.RequiredAction)
	}
	if said := a.tab.Brokered; said != nil && (a.tab.Flow == pathFirstBroker || a.tab.Flow == pathPostBroker) {
		maps.Copy(a.run.Event.Details, brokerDetails(said))
		delete(a.run.Event.Details, "auth_type")
		if a.form != nil {
			a.run.Detail("code_id", a.tab.ID)
		}
	}
	if a.tab.User == "" {
		return nil
	}
	u, err := a.h.Users.ByID(a.ctx, a.realm, a.tab.User)
	if err != nil {
		return err
	}
	if u == nil { // gone meanwhile
		authn.Reset(a.run)
		return nil
	}
	a.run.User = u
	return nil
}

// outdated ends a login whose user, or all of the realm, have been logged out since
// it was said who that is, and answers: what proved them may be worth nothing now.
func (a *attempt) outdated() bool {
	if a.run.User == nil || a.tab.Version == 0 || a.tab.Named.IsZero() {
		return false
	}
	for _, since := range []time.Time{a.run.User.NotBefore, a.realm.NotBefore} {
		if !since.IsZero() && a.tab.Named.Before(since) {
			a.expired()
			return true
		}
	}
	return false
}

// loginEvent makes the run's event that of a login past its flow.
// Keycloak: LoginActionsService.initLoginEvent.
func (a *attempt) loginEvent(kind iam.EventKind) {
	r := a.run
	r.Event.Kind = kind
	delete(r.Event.Details, "auth_type")
	a.requestDetails()
	r.Detail("remember_me", "false")
	if r.Note(steps.NoteRemember) == "true" {
		r.Detail("remember_me", "true")
	}
	if r.User != nil {
		r.Event.User = r.User.ID
		r.Detail("username", a.loginName())
	}
	for _, name := range []string{detailProvider, detailIdentity} {
		if v := a.tab.UserNotes[name]; v != "" {
			r.Detail(name, v)
		}
	}
}

// requestDetails puts into the event what the protocol tells of the request.
func (a *attempt) requestDetails() {
	for name, value := range a.protocol().Details(&a.tab.Request) {
		a.run.Detail(name, value)
	}
}

// loginName is the user name as typed, else the user's own.
func (a *attempt) loginName() string {
	if name := a.run.Note(steps.NoteAttempted); name != "" {
		return name
	}
	return a.run.User.Username
}
