package sessions

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/store"
)

// The reasons why a rotating refresh token is refused. Its client session has ended then.
var (
	ErrReused = errors.New("session: the refresh token was used more often than the realm allows")
	ErrStale  = errors.New("session: the refresh token is older than the one that was used last")
)

// A RefreshUse is a refresh token that is presented.
type RefreshUse struct {
	ID, ReuseID string
	Issued      time.Time
	Expires     time.Time // zero for never
}

const chainSlack = 10 * time.Minute // that nodes' clocks may differ

// Rotate spends a refresh token in a realm that rotates them, before its successor
// is made, and returns the id for that. Of two requests with one token, the one that
// writes the client session first gets through. Within the realm's grace the others
// get the same successor, and nothing is written. A token that has been spent too
// often ends the client session, since one of its two bearers is not the client.
// ErrReused, ErrStale; ErrGone or ErrNoClientSession when it ended since v was read. v is
// the session with the client session as they are then.
//
// Keycloak: TokenManager.validateTokenReuse; it compares seconds instead of
// remembering the newest, which lets an old one pass once more within one second.
func (s *Service) Rotate(ctx context.Context, r *realms.Realm, v *View, client *iam.Client, use RefreshUse) (next string, err error) {
	err = s.change(ctx, r, v, client, func(p *iam.ClientSession) (bool, error) {
		c, now := chainOf(p, use.ReuseID), s.db.Now()
		if justRotated(c, use.ID, now, r.RefreshGrace()) {
			next = c.Newest
			return false, nil
		}
		c.Expires = keep(c, use.Expires, RefreshTokenExpiry(&r.Realm, client, v.Session, p, now))
		if err := spend(&c, use, r.Refresh.MaxReuse); err != nil {
			return false, cmp.Or(s.Detach(ctx, r, v.Session.Ref(), client.ID, reused(c, use.ID, client.ID)), err)
		}
		next = uuid.NewString()
		c.Newest, c.Issued = next, now
		p.Chains, p.LastAccess = with(p.Chains, c, now), now
		return true, nil
	})
	return next, err
}

// Spent reports whether a realm that rotates refresh tokens would refuse one
// because it has been used up.
func Spent(r *realms.Realm, p *iam.ClientSession, use RefreshUse) bool {
	c := chainOf(p, use.ReuseID)
	return r.Refresh.Rotate && spend(&c, use, r.Refresh.MaxReuse) != nil
}

// PutNote keeps a note of a client session.
func (s *Service) PutNote(ctx context.Context, r *realms.Realm, v *View, client *iam.Client, name, value string) error {
	return s.change(ctx, r, v, client, func(p *iam.ClientSession) (bool, error) {
		if p.Notes[name] == value {
			return false, nil
		}
		p.Notes[name] = value
		return true, nil
	})
}

// change writes the client session of a view as f leaves it, where f says so. When
// somebody else changed it since it was read, it is read again and left to f.
func (s *Service) change(ctx context.Context, r *realms.Realm, v *View, client *iam.Client,
	f func(p *iam.ClientSession) (write bool, err error)) error {
	return RetryChanged(func() (err error) {
		write, err := f(v.ClientSession)
		if err != nil || !write {
			return err
		}
		var won bool
		err = s.db.Tx(ctx, func(tx *store.Tx) error {
			won, err = tx.SwapClientSession(ctx, v.ClientSession)
			return err
		})
		switch {
		case err != nil:
			return err
		case won:
			v.ClientSession.Version++
			return nil
		}
		now, err := s.Find(ctx, r, v.Session.Ref(), client)
		if err != nil {
			return err
		}
		v.ClientSession = now.ClientSession
		return ErrChanged
	})
}

func chainOf(p *iam.ClientSession, reuseID string) iam.RefreshChain {
	i := slices.IndexFunc(p.Chains, func(c iam.RefreshChain) bool { return c.ReuseID == reuseID })
	if i < 0 {
		return iam.RefreshChain{ReuseID: reuseID}
	}
	return p.Chains[i]
}

// with puts a chain among others. Those whose tokens have all expired are left out:
// none of them can be used again.
func with(list []iam.RefreshChain, c iam.RefreshChain, now time.Time) []iam.RefreshChain {
	var out []iam.RefreshChain
	for _, o := range list {
		if o.ReuseID != c.ReuseID && (o.Expires.IsZero() || !o.Expires.Before(now)) {
			out = append(out, o)
		}
	}
	return append(out, c)
}

// keep returns until when a chain is remembered: as long as any of its tokens, the one
// that is used now, or the next one lives; zero where one of them never expires.
func keep(c iam.RefreshChain, used, next time.Time) time.Time {
	if c.Used != "" && c.Expires.IsZero() || used.IsZero() || next.IsZero() {
		return time.Time{}
	}
	until := c.Expires
	for _, end := range []time.Time{used, next} {
		if end = end.Add(chainSlack); end.After(until) {
			until = end
		}
	}
	return until
}

// spend counts a use of a token, if there is one left. Where the newest token is not known, since
// another server gave it out, each is taken for it that is no older than the last use.
func spend(c *iam.RefreshChain, use RefreshUse, reuse int) error {
	unknown := c.Newest == "" && use.ID != c.Used && !use.Issued.Before(c.Issued)
	switch {
	case c.Used == "", use.ID == c.Newest, unknown:
		c.Used, c.Uses = use.ID, 0
	case use.ID != c.Used:
		return ErrStale
	case c.Uses > reuse:
		return ErrReused
	}
	c.Uses++
	return nil
}

// justRotated reports whether a token is the one that was used last, and its
// successor so young that it is given out again: for tabs that refresh at once,
// and for answers that were lost.
func justRotated(c iam.RefreshChain, id string, now time.Time, grace time.Duration) bool {
	return grace > 0 && c.Newest != "" && id == c.Used && !c.Issued.IsZero() && now.Sub(c.Issued) < grace
}

// reused is the end of a client session whose spent token somebody presents: its
// rule says when what came after the token was given out.
func reused(c iam.RefreshChain, id string, client iam.ClientID) iam.End {
	rule := "revokeRefreshToken"
	if !c.Issued.IsZero() {
		what := ": its successor was issued "
		if id != c.Used {
			what = ": a later one had been used, whose successor was issued "
		}
		rule += what + c.Issued.UTC().Format(time.RFC3339Nano)
	}
	return iam.End{Reason: iam.TokenReuse, By: iam.ActorServer, Client: client, Rule: rule, Token: id}
}
