package steps

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/internal/authn"
	"latchkey/internal/iam"
	"latchkey/internal/pages"
)

// An OwnSession is one of the online sessions of who is logging in.
type OwnSession struct {
	ID      iam.SessionID
	Used    time.Time      // last
	Clients []iam.ClientID // that have a part in it
}

const sessionLimits = "user-session-limits"

// limits holds a user to a number of sessions, in the realm and with the client:
// one more is refused, or the oldest end for it. Keycloak: UserSessionLimitsAuthenticator.
func (w World) limits() []authn.Spec { return []authn.Spec{{ID: sessionLimits, Begin: w.limit}} }

func (w World) limit(ctx context.Context, r *authn.Run) (authn.Result, error) {
	if len(r.Execution().Config) == 0 {
		return authn.Abort{Err: &authn.FlowError{Code: authn.InternalError, Provider: sessionLimits}}, nil
	}
	if r.User == nil {
		return authn.Success{}, nil
	}
	all, err := w.Sessions(ctx, r.Realm, r.User)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b OwnSession) int {
		return cmp.Or(a.Used.Compare(b.Used), strings.Compare(string(a.ID), string(b.ID)))
	})
	inRealm, withClient := limitOf(r, "userRealmLimit"), limitOf(r, "userClientLimit")
	has := func(s OwnSession) bool { return slices.Contains(s.Clients, r.Client.ID) }
	joins := r.Identity != nil // a session of this browser
	back := joins && slices.ContainsFunc(all, func(s OwnSession) bool { return s.ID == r.Identity.Session.ID && has(s) })
	var ofClient []OwnSession
	if withClient > 0 {
		ofClient = slices.DeleteFunc(slices.Clone(all), func(s OwnSession) bool { return !has(s) })
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
		rest := slices.DeleteFunc(all, func(s OwnSession) bool { return slices.Contains(ended, s.ID) })
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
func excess(list []OwnSession, limit int) int {
	if limit <= 0 {
		return 0
	}
	return max(0, len(list)-(limit-1))
}

// endOldest ends those of the sessions, the least recently used first, that are too many.
func (w World) endOldest(ctx context.Context, r *authn.Run, list []OwnSession, limit int, setting string) (ended []iam.SessionID, err error) {
	for _, s := range list[:excess(list, limit)] {
		if err := w.EndSession(ctx, r, s.ID, iam.Setting{Of: iam.OfStep, Name: setting, Value: strconv.Itoa(limit)}); err != nil {
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
		View: pages.Error{}, Message: &authn.Message{Tone: pages.Problem, Key: cmp.Or(r.Config("errorMessage"), "sessionLimitExceeded")}, Status: 403}}, nil
}
