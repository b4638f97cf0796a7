package grants

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"

	"latchkey/internal/authn"
	"latchkey/internal/authn/actions"
	"latchkey/internal/authn/steps"
	"latchkey/internal/iam"
	"latchkey/internal/oauth"
	"latchkey/internal/sessions"
	"latchkey/internal/telemetry"
)

// password answers a user's own credentials with tokens (RFC 6749 4.3), by the
// realm's direct grant flow.
// Keycloak: ResourceOwnerPasswordCredentialsGrantType.process.
func (s *Service) password(ctx context.Context, q *Request) (*Decision, error) {
	q.Event.Detail("auth_method", "oauth_credentials")
	switch {
	case !q.Client.DirectGrants:
		return nil, directOff
	case q.Client.ConsentRequired:
		return nil, directConsent
	}
	scope, err := q.scope()
	if err != nil {
		return nil, err
	}
	q.Event.Detail("auth_method", "openid-connect")
	run, err := s.login(ctx, q, scope)
	if err != nil {
		return nil, err
	}
	now := s.Now()
	us := &iam.UserSession{
		ID: run.Tab.Root, Realm: q.Realm.ID, User: run.User.ID, Username: q.Params.Sent.Get("username"), IP: q.Event.IP,
		AuthMethod: "openid-connect", Started: now, LastAccess: now, Notes: run.Tab.UserNotes,
	}
	sessions.NoteDevice(us, q.Agent)
	part := q.newPart(us, scope, iam.HowDirect)
	us.Origin = iam.Origin{How: iam.HowDirect, Flow: q.Realm.Flows.DirectGrant, Client: q.Client.ID}
	q.Event.User, q.Event.Session = us.User, us.ID
	g := q.grant("ro", scope)
	g.User, g.Session, g.ClientSession = run.User, us, part
	d := &Decision{Grant: g}
	if locale, due := actions.KeptLocale(run); due {
		d.Locale = &locale
	}
	return d, s.begin(ctx, q, g)
}

// login walks the direct grant flow. What it wants said in refusal stands in
// the flow's own answers, and its events are written here.
func (s *Service) login(ctx context.Context, q *Request, scope string) (*authn.Run, error) {
	alias := q.Realm.Flows.DirectGrant
	flow := q.Realm.Flow(alias)
	if id := q.Client.FlowOverrides["direct_grant"]; id != "" {
		flow = q.Realm.FlowByID(id)
	}
	if flow == nil {
		return nil, flowMissing.With("$flow", alias)
	}
	required := make([]iam.RequiredAction, len(q.Realm.RequiredActions))
	for i, a := range q.Realm.RequiredActions {
		required[i] = a.RequiredAction
	}
	run := &authn.Run{
		Realm: q.Realm, Client: &q.Client.Client, Actions: required, Now: s.Now(), IP: q.Event.IP, Form: q.Params.Sent, Event: *q.Event,
		Tab: &iam.AuthTab{Root: sessions.NewID(), Request: iam.LoginRequest{Client: q.Client.ID, Scope: scope, Issuer: q.Issuer},
			Created: s.Now()},
	}
	out, err := s.Engine.Start(ctx, run, flow)
	for i := range run.Events {
		s.Events.Emit(ctx, q.Realm, &run.Events[i])
		q.Event.Support = cmp.Or(q.Event.Support, run.Events[i].Support)
	}
	q.Event.Details = run.Event.Details
	lockouts, unsettled := steps.Settle(ctx, s.Users, s.Engine, run)
	for i := range lockouts {
		s.Events.Emit(ctx, q.Realm, &lockouts[i])
	}
	err = errors.Join(err, unsettled)
	if errors.Is(err, iam.ErrBusy) {
		q.Event.User = run.Event.User
		return nil, overloaded
	}
	if err != nil {
		return nil, err
	}
	if err := s.outcome(ctx, q, run, flow, out); err != nil {
		return nil, err
	}
	return run, s.ready(ctx, q, run)
}

// A Shown refuses with a page: a step that knows people alone ended the flow with it.
type Shown struct{ Page authn.Page }

func (Shown) Error() string { return "a page" }

// outcome is the refusal that a walk comes to, nil when it passed.
func (s *Service) outcome(ctx context.Context, q *Request, run *authn.Run, flow *iam.Flow, out authn.Outcome) error {
	switch out := out.(type) {
	case authn.Passed:
		return nil
	case authn.Show:
		if d, ok := out.Page.(authn.Denial); ok {
			return &oauth.Refusal{Status: d.Status, Code: d.Error, Description: d.Description}
		}
		if p, ok := out.Page.(authn.Page); ok && p.Status != 0 && p.Message != nil {
			return Shown{p}
		}
	case authn.Failed:
		if run.Event.User != "" {
			q.Event.User = run.Event.User
		}
		q.Event.Cause.Reason = out.Err.Cause()
		if out.Err.Code == authn.NotBuilt {
			s.Log.WarnContext(ctx, "a flow needs what is not there", "realm", q.Realm.Name, "flow", flow.Alias, telemetry.KeyError, out.Err)
		}
		no := *notLoggedIn
		no.Word, no.Status = out.Err.Event(), http.StatusUnauthorized
		return &no
	}
	return notLoggedIn
}

// ready refuses a user who has something to do first, since nobody can show it
// here. Otherwise the login is over, and failures before it are forgotten.
func (s *Service) ready(ctx context.Context, q *Request, run *authn.Run) error {
	if err := s.Actions.Evaluate(ctx, run); err != nil {
		return err
	}
	if slices.Concat(run.User.Required, run.Tab.Required) != nil {
		q.Event.Cause.User = run.User.ID // the event names nobody
		return notReady
	}
	if run.Clean {
		return nil
	}
	return s.Users.Succeeded(ctx, q.Realm, run.User.ID, steps.SecondFactor(run.Tab.Notes))
}
