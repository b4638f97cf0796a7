package steps

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"latchkey/internal/authn"
	"latchkey/internal/iam"
	"latchkey/internal/pages"
	"latchkey/internal/sessions"
)

const sessionLimits = "user-session-limits"

// limits holds a user to a number of sessions, in the realm and with the client:
// one more is refused, or the oldest end for it. Keycloak: UserSessionLimitsAuthenticator.
func (w Rooms) limits() []authn.Spec { return []authn.Spec{{ID: sessionLimits, Begin: w.limit}} }

func (w Rooms) limit(ctx context.Context, r *authn.Run) (authn.Result, error) {
	if len(r.Execution().Config) == 0 {
		return authn.Abort{Err: &authn.FlowError{Code: authn.InternalError, Provider: sessionLimits}}, nil
	}
	if r.User == nil {
		return authn.Success{}, nil
	}
	all, err := w.Sessions.Overview(ctx, r.Realm, r.User.ID, false)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b sessions.Outline) int {
		return cmp.Or(a.LastAccess.Compare(b.LastAccess), strings.Compare(string(a.ID), string(b.ID)))
	})
	inRealm, withClient := limitOf(r, "userRealmLimit"), limitOf(r, "userClientLimit")
	has := func(s sessions.Outline) bool { return slices.Contains(s.Clients, r.Client.ID) }
	joins := r.Identity != nil // a session of this browser
	back := joins && slices.ContainsFunc(all, func(s sessions.Outline) bool { return s.ID == r.Identity.Session.ID && has(s) })
	var ofClient []sessions.Outline
	if withClient > 0 {
		ofClient = slices.DeleteFunc(slices.Clone(all), func(s sessions.Outline) bool { return !has(s) })
	}
	full := !joins && excess(all, inRealm) > 0
	switch {
	case !full && (back || excess(ofClient, withClient) == 0):
		return authn.Success{}, nil
	case r.Config("behavior") != terminateOldest:
		return deniedBy(r)
	}
	ended, err := w.endOldest(ctx, r, ofClient, withClient, "userClientLimit")
	if err == nil && full {
		rest := slices.DeleteFunc(all, func(s sessions.Outline) bool { return slices.Contains(ended, s.ID) })
		_, err = w.endOldest(ctx, r, rest, inRealm, "userRealmLimit")
	}
	if err != nil {
		return nil, err
	}
	return authn.Success{}, nil
}

// The values of the setting behavior. Keycloak: UserSessionLimitsAuthenticatorFactory.
const (
	denyNew         = "Deny new session"
	terminateOldest = "Terminate oldest session"
)

// limitOf reads a limit; what is no number above zero sets none.
func limitOf(r *authn.Run, name string) int {
	n, err := strconv.Atoi(strings.TrimSpace(r.Config(name)))
	if err != nil {
		return 0
	}
	return max(n, 0)
}

// excess is how many sessions are too many when one more begins.
func excess(list []sessions.Outline, limit int) int {
	if limit <= 0 {
		return 0
	}
	return max(0, len(list)-(limit-1))
}

// endOldest ends those of the sessions, the least recently used first, that are too many.
func (w Rooms) endOldest(ctx context.Context, r *authn.Run, list []sessions.Outline, limit int,
	setting string) (ended []iam.SessionID, err error) {
	for _, s := range list[:excess(list, limit)] {
		rule := iam.Setting{Of: iam.OfStep, Name: setting, Value: strconv.Itoa(limit)}
		_, err := w.Ender.Session(ctx, r.Realm, r.Tab.Request.Issuer, s.Ref(), iam.End{Reason: iam.SessionLimit, By: iam.ActorServer,
			Client: r.Client.ID,
			Rule:   rule.Name + ": " + rule.Value, Setting: rule})
		if err != nil && !errors.Is(err, sessions.ErrGone) {
			return nil, err
		}
		login := r.Event
		r.Event.Session, r.Event.User = s.ID, r.User.ID
		r.EmitAs("LOGOUT", "")
		r.Event = login
		ended = append(ended, s.ID)
	}
	return ended, nil
}

// deniedBy refuses the login. What the setting holds that is neither behavior
// refuses, too: the reference then comes to no answer at all.
func deniedBy(r *authn.Run) (authn.Result, error) {
	if r.Config("behavior") != denyNew {
		return authn.Abort{Err: &authn.FlowError{Code: authn.InternalError, Provider: sessionLimits}}, nil
	}
	r.Event.Cause.Reason, r.Event.Cause.User = iam.SessionLimit, r.User.ID
	return authn.Failure{Code: authn.GenericError, Event: "generic_authentication_error", Page: authn.Page{
		View: pages.Error{}, Message: &authn.Message{Tone: pages.Problem, Key: cmp.Or(r.Config("errorMessage"), "sessionLimitExceeded")},
		Status: 403}}, nil
}
