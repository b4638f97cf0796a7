package sessions

import (
	"strconv"
	"time"

	"latchkey/internal/iam"
)

// Expiry is when a session ends for want of use, and at the latest. A zero Max
// means never.
type Expiry struct{ Idle, Max time.Time }

// At reports whether the session has ended at a time.
func (e Expiry) At(now time.Time) bool {
	return !now.Before(e.Idle) || !e.Max.IsZero() && !now.Before(e.Max)
}

// First returns the earlier of both.
func (e Expiry) First() time.Time {
	if e.Max.IsZero() || e.Idle.Before(e.Max) {
		return e.Idle
	}
	return e.Max
}

// OfUserSession says when a user session ends by the realm's settings.
// Keycloak: SessionExpirationUtils.calculateUserSession{Idle,MaxLifespan}Timestamp.
func OfUserSession(r *iam.Realm, s *iam.UserSession) Expiry {
	idle, max := userLifespans(r, s)
	e := Expiry{Idle: s.LastAccess.Add(idle)}
	if max > 0 {
		e.Max = s.Started.Add(max)
	}
	return e
}

// userLifespans returns the idle time and the life of a session, 0 for no end.
func userLifespans(r *iam.Realm, s *iam.UserSession) (idle, max time.Duration) {
	l := r.Lifespans
	if s.Offline {
		if l.OfflineMaxEnabled {
			max = l.OfflineMax
		}
		return l.OfflineIdle, max
	}
	idle, max = l.SSOIdle, l.SSOMax
	if s.Remember && l.SSOIdleRememberMe > 0 {
		idle = l.SSOIdleRememberMe
	}
	if s.Remember && l.SSOMaxRememberMe > 0 {
		max = l.SSOMaxRememberMe
	}
	return idle, max
}

// OfClientSession says when a client's part in a session ends: a client's own
// lifespans can shorten the session's, never lengthen them.
// Keycloak: SessionExpirationUtils.calculateClientSession{Idle,MaxLifespan}Timestamp.
func OfClientSession(r *iam.Realm, c *iam.Client, s *iam.UserSession, p *iam.ClientSession) Expiry {
	e := OfUserSession(r, s)
	idle, max := clientLifespans(r, c, s.Offline)
	userIdle, _ := userLifespans(r, s)
	e.Idle = p.LastAccess.Add(userIdle)
	if idle > 0 {
		e.Idle = earlier(e.Idle, p.LastAccess.Add(idle))
	}
	if max > 0 && (!s.Offline || r.Lifespans.OfflineMaxEnabled) {
		e.Max = earlier(e.Max, p.Started.Add(max))
	}
	return e
}

func clientLifespans(r *iam.Realm, c *iam.Client, offline bool) (idle, max time.Duration) {
	if offline {
		return seconds(c.Attr("client.offline.session.idle.timeout"), r.Lifespans.ClientOfflineIdle),
			seconds(c.Attr("client.offline.session.max.lifespan"), r.Lifespans.ClientOfflineMax)
	}
	return seconds(c.Attr("client.session.idle.timeout"), r.Lifespans.ClientIdle),
		seconds(c.Attr("client.session.max.lifespan"), r.Lifespans.ClientMax)
}

// accessTokenLifespan is how long a client's access tokens live by the
// settings, before the session's end shortens it. -1 in the client's attribute
// means until the session ends, and is returned as 0.
func accessTokenLifespan(r *iam.Realm, c *iam.Client, implicit bool) time.Duration {
	if v := c.Attr("access.token.lifespan"); v != "" {
		if n, err := strconv.Atoi(v); err == nil {
			if n < 0 {
				return 0
			}
			return time.Duration(n) * time.Second
		}
	}
	if implicit {
		return r.Lifespans.AccessTokenImplicit
	}
	return r.Lifespans.AccessToken
}

// AccessTokenExpiry is when an access token ends that a client is given now for
// its part in a session; s.Offline says by which lifespans.
// Keycloak: TokenManager.getTokenExpiration.
func AccessTokenExpiry(r *iam.Realm, c *iam.Client, s *iam.UserSession, p *iam.ClientSession, implicit bool, now time.Time) time.Time {
	end := OfClientSession(r, c, s, p).Max
	var exp time.Time
	if life := accessTokenLifespan(r, c, implicit); life != 0 {
		exp = now.Add(life)
	} else { // until the session ends, whatever kind it is
		online := *s
		online.Offline = false
		exp = OfUserSession(r, &online).Max
	}
	if !end.IsZero() && end.Before(exp) {
		return end
	}
	return exp
}

// seconds parses an attribute, falling back where it is absent or malformed.
func seconds(v string, fallback time.Duration) time.Duration {
	if n, err := strconv.Atoi(v); err == nil {
		return time.Duration(n) * time.Second
	}
	return fallback
}

// earlier returns the earlier of two times, of which a zero one is no bound.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
