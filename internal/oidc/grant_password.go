package oidc

import (
	"errors"
	"net/http"
	"slices"

	"latchkey/internal/authn"
	"latchkey/internal/authn/steps"
	"latchkey/internal/iam"
	"latchkey/internal/sessions"
	"latchkey/internal/telemetry"
	"latchkey/internal/tokens"
	"latchkey/internal/web"
)

// password answers a user's own credentials with tokens (RFC 6749 4.3), by the
// realm's direct grant flow.
// Keycloak: ResourceOwnerPasswordCredentialsGrantType.process.
func (t *tokenCall) password() (*decision, error) {
	t.detail("auth_method", "oauth_credentials")
	if !t.client.DirectGrants {
		t.event.Cause.Setting = iam.SettingDirectGrants
		return nil, t.deny(refusal{word: "not_allowed", code: "unauthorized_client", description: "Client not allowed for direct access grants"})
	}
	if t.client.ConsentRequired {
		return nil, t.deny(refusal{word: "consent_denied", code: "invalid_client", description: "Client requires user consent"})
	}
	scope, err := t.requestedScope()
	if err != nil {
		return nil, err
	}
	t.detail("auth_method", "openid-connect")
	run, err := t.login(scope)
	if err != nil {
		return nil, err
	}
	now := t.Now()
	us := &iam.UserSession{
		ID: run.Tab.Root, Realm: t.realm.ID, User: run.User.ID, Username: t.sent.Get("username"), IP: web.RequestOf(t.r).Addr,
		AuthMethod: "openid-connect", Started: now, LastAccess: now, Notes: run.Tab.UserNotes,
	}
	sessions.NoteDevice(us, t.r.UserAgent())
	part := t.newPart(us, scope, iam.HowDirect)
	us.Origin = iam.Origin{How: iam.HowDirect, Flow: t.realm.Flows.DirectGrant, Client: t.client.ID}
	t.event.User, t.event.Session = us.User, us.ID
	g := &iam.Grant{
		Client: &t.client.Client, User: run.User, Session: us, ClientSession: part, Type: "ro",
		Scopes: tokens.Requested(t.realm, &t.client.Client, scope), Asked: scope, OpenID: tokens.HasScope(scope, tokens.ScopeOpenID),
	}
	return &decision{grant: g}, t.begin(g)
}

// newPart makes the part that the client has in a session that begins with a
// request at this endpoint.
func (t *tokenCall) newPart(us *iam.UserSession, scope string, how iam.How) *iam.ClientSession {
	notes := map[string]string{"iss": t.issuer()}
	if scope != "" {
		notes[noteScope] = scope
	}
	return &iam.ClientSession{
		Session: us.ID, Realm: t.realm.ID, Client: t.client.ID, Started: us.Started, LastAccess: us.LastAccess, Notes: notes,
		Origin: iam.Origin{How: how, Client: t.client.ID, Scope: scope, Issuer: t.issuer(),
			Scopes: tokens.Why(&t.client.Client, scope, tokens.Requested(t.realm, &t.client.Client, scope))},
	}
}

// begin stores the session that a grant at this endpoint makes: an online one,
// or with offline access an offline one alone.
func (t *tokenCall) begin(g *iam.Grant) error {
	if g.Offline = tokens.OfflineRequested(g.Scopes); g.Offline && g.Client.OIDC.Refresh {
		g.Refresh = iam.RefreshOffline
		if err := t.mayGoOffline(g); err != nil {
			return err
		}
		_, _, err := t.Sessions.GoOffline(t.ctx(), t.realm, sessions.OfflineGrant{Online: g.Session, ClientSession: g.ClientSession})
		return err
	}
	if g.Client.OIDC.Refresh {
		g.Refresh = iam.RefreshOnline
	}
	return t.Sessions.Login(t.ctx(), &sessions.Login{Realm: t.realm, Session: g.Session, New: true, ClientSession: g.ClientSession})
}

// login walks the direct grant flow. What it wants said in refusal stands in
// the flow's own answers, and its events are written here.
func (t *tokenCall) login(scope string) (*authn.Run, error) {
	alias := t.realm.Flows.DirectGrant
	flow := t.realm.Flow(alias)
	if id := t.client.FlowOverrides["direct_grant"]; id != "" {
		flow = t.realm.FlowByID(id)
	}
	if flow == nil {
		return nil, t.deny(refusal{word: "invalid_user_credentials", code: "invalid_grant", description: "The flow " + alias + " is missing",
			detail: untold})
	}
	required := make([]iam.RequiredAction, len(t.realm.RequiredActions))
	for i, a := range t.realm.RequiredActions {
		required[i] = a.RequiredAction
	}
	run := &authn.Run{
		Realm: t.realm, Client: &t.client.Client, Actions: required, Now: t.Now(), IP: t.event.IP, Form: t.sent, Event: t.event,
		Tab: &iam.AuthTab{Root: sessions.NewID(), Request: iam.LoginRequest{Client: t.client.ID, Scope: scope, Issuer: t.issuer()},
			Created: t.Now()},
	}
	out, err := t.Engine.Start(t.ctx(), run, flow)
	for i := range run.Events {
		t.Events.Emit(t.ctx(), t.realm, &run.Events[i])
	}
	t.event.Details = run.Event.Details
	lockouts, unsettled := steps.Settle(t.ctx(), t.Users, t.Engine, run)
	for i := range lockouts {
		t.Events.Emit(t.ctx(), t.realm, &lockouts[i])
	}
	if err := errors.Join(err, unsettled); err != nil {
		return nil, err
	}
	switch out := out.(type) {
	case authn.Passed:
	case authn.Show:
		if d, ok := out.Page.(authn.Denial); ok {
			return nil, &Error{d.Status, d.Error, d.Description}
		}
		if p, ok := out.Page.(authn.Page); ok && p.Status != 0 && p.Message != nil { // a step that knows people alone ends the flow with a page
			return nil, &pageError{p.Status, p.Message.Key, p.Message.Params}
		}
		return nil, t.deny(refusal{word: "invalid_user_credentials", code: "invalid_grant", description: "Invalid user credentials",
			detail: untold})
	case authn.Failed:
		if run.Event.User != "" {
			t.event.User = run.Event.User
		}
		t.event.Cause.Reason = out.Err.Cause()
		if out.Err.Code == authn.NotBuilt {
			t.Log.WarnContext(t.ctx(), "a flow needs what is not there", "realm", t.realm.Name, "flow", flow.Alias, telemetry.KeyError, out.Err)
		}
		return nil, t.deny(refusal{word: out.Err.Event(), status: http.StatusUnauthorized, code: "invalid_grant",
			description: "Invalid user credentials", detail: untold})
	default:
		return nil, t.deny(refusal{word: "invalid_user_credentials", code: "invalid_grant", description: "Invalid user credentials",
			detail: untold})
	}
	return run, t.ready(run)
}

// ready refuses a user who has something to do first, since nobody can show it
// here. Otherwise the login is over, and failures before it are forgotten.
func (t *tokenCall) ready(run *authn.Run) error {
	if err := t.Actions.Evaluate(t.ctx(), run); err != nil {
		return err
	}
	if slices.Concat(run.User.Required, run.Tab.Required) != nil {
		t.event.Cause.User = run.User.ID // the event names nobody
		return t.deny(refusal{word: "resolve_required_actions", code: "invalid_grant", description: "Account is not fully set up"})
	}
	if run.Clean {
		return nil
	}
	return t.Users.Succeeded(t.ctx(), t.realm, run.User.ID, steps.SecondFactor(run.Tab.Notes))
}
