package steps

import (
	"context"

	"latchkey/internal/authn"
	"latchkey/internal/iam"
	"latchkey/internal/users"
)

// Settle tells brute force protection how a walk went: it counts the failure,
// or gives the place of the guess back. It returns the events of a lockout. A
// browser that has gone away does not keep a failure from being counted.
func Settle(ctx context.Context, people *users.Service, e *authn.Engine, r *authn.Run) ([]iam.Event, error) {
	ctx = context.WithoutCancel(ctx)
	failures, g := r.Failures, r.Guess
	r.Failures, r.Guess = nil, nil
	if !r.Realm.Brute.Enabled {
		return nil, nil
	}
	if len(failures) == 0 {
		var err error
		if g != nil {
			r.Clean, err = people.EndGuess(ctx, g)
		}
		return nil, err
	}
	var user iam.UserID
	switch name := r.Note(NoteAttempted); {
	case g != nil:
		user = g.User
	case r.User != nil:
		user = r.User.ID
	case name != "":
		u, err := people.FindStored(ctx, r.Realm, name)
		if u == nil || err != nil {
			return nil, err
		}
		user = u.ID
	default:
		return nil, nil
	}
	return people.Failed(ctx, r.Realm, user, r.IP, e.Second(failures[0]), g)
}
