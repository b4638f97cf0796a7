package sessions

import (
	"latchkey/internal/iam"
	"latchkey/internal/realms"
)

// TimedOut is the end of a session that somebody came back to too late.
func (s *Service) TimedOut(r *realms.Realm, us *iam.UserSession) iam.End {
	return s.timedOut(r, us, iam.ActorServer)
}

func (s *Service) timedOut(r *realms.Realm, us *iam.UserSession, by iam.ActorKind) iam.End {
	if forgotten(&r.Realm, us) {
		return iam.End{Reason: iam.NotRemembered, By: by, Rule: "rememberMe"}
	}
	e := OfUserSession(&r.Realm, us)
	if !e.Max.IsZero() && e.Max.Before(e.Idle) {
		return overtime(iam.MaxAge, by, iam.Setting{Of: iam.OfRealm, Name: maxRule(&r.Realm, us)})
	}
	return overtime(iam.Idle, by, iam.Setting{Of: iam.OfRealm, Name: idleRule(&r.Realm, us)})
}

// overtime is the end of what lasted longer than a setting allows.
func overtime(reason iam.Reason, by iam.ActorKind, s iam.Setting) iam.End {
	return iam.End{Reason: reason, By: by, Rule: s.Name, Setting: s}
}

// idleRule and maxRule name the realm's setting that a session's life follows,
// as realm files spell it.
func idleRule(r *iam.Realm, us *iam.UserSession) string {
	switch {
	case us.Offline:
		return "offlineSessionIdleTimeout"
	case us.Remember && r.Lifespans.SSOIdleRememberMe > 0:
		return "ssoSessionIdleTimeoutRememberMe"
	}
	return "ssoSessionIdleTimeout"
}

func maxRule(r *iam.Realm, us *iam.UserSession) string {
	switch {
	case us.Offline:
		return "offlineSessionMaxLifespan"
	case us.Remember && r.Lifespans.SSOMaxRememberMe > 0:
		return "ssoSessionMaxLifespanRememberMe"
	}
	return "ssoSessionMaxLifespan"
}

// ClientSessionTimedOut is the end of a client's part whose time was over before the
// session's.
func (s *Service) ClientSessionTimedOut(r *realms.Realm, c *iam.Client, us *iam.UserSession, p *iam.ClientSession) iam.End {
	e := OfClientSession(&r.Realm, c, us, p)
	kind, reason := "idle.timeout", iam.Idle
	if !e.Max.IsZero() && e.Max.Before(e.Idle) {
		kind, reason = "max.lifespan", iam.MaxAge
	}
	attr := "client.session." + kind
	if us.Offline {
		attr = "client.offline.session." + kind
	}
	rule := iam.Setting{Of: iam.OfClient, Name: attr}
	if c.Attr(attr) == "" {
		rule = iam.Setting{Of: iam.OfRealm, Name: map[string]string{
			"client.session.idle.timeout": "clientSessionIdleTimeout", "client.session.max.lifespan": "clientSessionMaxLifespan",
			"client.offline.session.idle.timeout": "clientOfflineSessionIdleTimeout",
			"client.offline.session.max.lifespan": "clientOfflineSessionMaxLifespan",
		}[attr]}
	}
	end := overtime(reason, iam.ActorServer, rule)
	end.Client = c.ID
	return end
}

// Touch notes that a session, and a client's part in it, was used now.
func (s *Service) Touch(r *realms.Realm, ref iam.SessionRef, client iam.ClientID) {
	s.toucher.touch(touchKey{r.ID, ref.ID, ref.Kind, client}, use{at: s.db.Now()})
}

// Issued notes tokens that were given to a client for its part in a session;
// their ids alone are kept. A refresh counts as one.
func (s *Service) Issued(r *realms.Realm, ref iam.SessionRef, client iam.ClientID, i iam.Issuance, refresh bool) {
	now := s.db.Now()
	i.At = now.UnixMilli()
	u := use{at: now, issued: i.String()}
	if refresh {
		u.refreshes = 1
	}
	s.toucher.touch(touchKey{r.ID, ref.ID, ref.Kind, client}, u)
}
