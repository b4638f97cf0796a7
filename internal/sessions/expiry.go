package sessions

import (
	"strconv"
	"strings"
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
	if forgotten(r, s) {
		return Expiry{Idle: s.LastAccess, Max: s.LastAccess}
	}
	idle, max := userLifespans(r, s)
	e := Expiry{Idle: s.LastAccess.Add(idle)}
	if max > 0 {
		e.Max = s.Started.Add(max)
	}
	return e
}

// forgotten tells whether a session, online or offline, began with "remember me" in
// a realm that has switched that off since: it has ended then, whatever its times.
// Keycloak: AuthenticationManager.isSessionValid. Oracle: sessions/remember-me-off.
func forgotten(r *iam.Realm, s *iam.UserSession) bool { return s.Remember && !r.Login.RememberMe }

// userLifespans returns the idle time and the life of a session, 0 for no end.
// Keycloak: RealmExpiration.
func userLifespans(r *iam.Realm, s *iam.UserSession) (idle, most time.Duration) {
	l := r.Lifespans
	if s.Offline {
		if l.OfflineMaxEnabled {
			most = l.OfflineMax
		}
		return l.OfflineIdle, most
	}
	if s.Remember {
		return max(l.SSOIdle, l.SSOIdleRememberMe), max(l.SSOMax, l.SSOMaxRememberMe)
	}
	return l.SSOIdle, l.SSOMax
}

// OfClientSession says when a client's part in a session ends. A client's own
// maximum can shorten the session's, never lengthen it; its own idle time takes
// the place of the session's, which ends for want of use all the same.
// Keycloak: SessionExpirationUtils.calculateClientSession{Idle,MaxLifespan}Timestamp.
func OfClientSession(r *iam.Realm, c *iam.Client, s *iam.UserSession, p *iam.ClientSession) Expiry {
	e := OfUserSession(r, s)
	idle, most := clientLifespans(r, c, s.Ref().Kind)
	if idle <= 0 {
		idle, _ = userLifespans(r, s)
	}
	e.Idle = p.LastAccess.Add(idle)
	if most > 0 {
		e.Max = earlier(e.Max, p.Started.Add(most))
	}
	return e
}

// clientLifespans returns what the client and the realm's settings for clients
// say, 0 for nothing. Without a maximum for offline sessions in the realm only
// the client's own counts.
func clientLifespans(r *iam.Realm, c *iam.Client, kind iam.SessionKind) (idle, most time.Duration) {
	l := r.Lifespans
	if kind == iam.Online {
		return seconds(c.Attr("client.session.idle.timeout"), l.ClientIdle), seconds(c.Attr("client.session.max.lifespan"), l.ClientMax)
	}
	if l.OfflineMaxEnabled {
		most = l.ClientOfflineMax
	}
	return seconds(c.Attr("client.offline.session.idle.timeout"), l.ClientOfflineIdle),
		seconds(c.Attr("client.offline.session.max.lifespan"), most)
}

// untilSessionEnds is the lifespan of access tokens that live as long as an online
// session may, whatever kind theirs is.
const untilSessionEnds = -time.Second

// accessTokenLifespan is how long a client's access tokens live by the settings. It
// may be 0 or negative: such tokens have expired when they are issued. The client's own
// lifespan is none for the implicit flow.
func accessTokenLifespan(r *iam.Realm, c *iam.Client, implicit bool) time.Duration {
	if implicit {
		return r.Lifespans.AccessTokenImplicit
	}
	if n, err := strconv.Atoi(strings.TrimSpace(c.Attr("access.token.lifespan"))); err == nil {
		return time.Duration(n) * time.Second
	}
	return r.Lifespans.AccessToken
}

// AccessTokenExpiry is when an access token ends that a client is given now for
// its part in a session; s.Offline says by which lifespans.
// Keycloak: TokenManager.getTokenExpiration. Oracle: tokens/lifespans.
func AccessTokenExpiry(r *iam.Realm, c *iam.Client, s *iam.UserSession, p *iam.ClientSession, implicit bool, now time.Time) time.Time {
	exp := now.Add(accessTokenLifespan(r, c, implicit))
	if accessTokenLifespan(r, c, implicit) == untilSessionEnds {
		most := r.Lifespans.SSOMax
		if s.Remember && r.Lifespans.SSOMaxRememberMe > 0 {
			most = r.Lifespans.SSOMaxRememberMe
		}
		exp = s.Started.Add(most)
	}
	return earlier(OfClientSession(r, c, s, p).Max, exp)
}

// RefreshTokenExpiry is when a refresh token expires that a client is given now for
// its part in a session, zero for never. Oracle: tokens/lifespans.
func RefreshTokenExpiry(r *iam.Realm, c *iam.Client, s *iam.UserSession, p *iam.ClientSession, now time.Time) time.Time {
	if s.Offline && !r.Lifespans.OfflineMaxEnabled {
		return time.Time{}
	}
	used := *p
	used.LastAccess = now
	return OfClientSession(r, c, s, &used).First()
}

// seconds parses an attribute, falling back where it is absent, malformed or not positive.
func seconds(v string, fallback time.Duration) time.Duration {
	if n, err := strconv.Atoi(v); err == nil && n > 0 {
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
