package account

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
	"latchkey/internal/sessions"
)

// listSessions shows the caller's online sessions. Keycloak: SessionResource.
func (h *Handler) listSessions(c *call) (any, error) {
	list, err := h.Sessions.OfUser(c, c.realm, c.caller.User.ID, iam.Online)
	if err != nil {
		return nil, err
	}
	out := make([]rep.AccountSession, 0, len(list))
	for _, s := range list {
		one, err := c.session(s)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

// listDevices shows online and offline sessions by the system they were begun on.
func (h *Handler) listDevices(c *call) (any, error) {
	list, err := h.all(c)
	if err != nil {
		return nil, err
	}
	out := []*rep.AccountDevice{}
	for _, s := range list {
		one, err := c.session(s)
		if err != nil {
			return nil, err
		}
		d := sessions.DeviceOf(s.UserSession)
		i := slices.IndexFunc(out, func(o *rep.AccountDevice) bool { return o.OS == d.OS && o.OSVersion == d.OSVersion })
		if i < 0 {
			i = len(out)
			out = append(out, &rep.AccountDevice{OS: d.OS, OSVersion: d.OSVersion, Device: d.Device, Mobile: d.Mobile})
		}
		device := out[i]
		device.Sessions = append(device.Sessions, one)
		device.Current = cmp.Or(device.Current, one.Current)
		device.LastAccess = max(device.LastAccess, one.LastAccess)
	}
	return out, nil
}

// all lists the caller's sessions, online and offline.
func (h *Handler) all(c *call) ([]sessions.Listed, error) {
	online, err := h.Sessions.OfUser(c, c.realm, c.caller.User.ID, iam.Online)
	if err != nil {
		return nil, err
	}
	offline, err := h.Sessions.OfUser(c, c.realm, c.caller.User.ID, iam.Offline)
	return append(online, offline...), err
}

// current reports whether the caller's token is the session's.
func (c *call) current(s *iam.UserSession) bool {
	return s.ID == c.caller.Session && s.Offline == c.caller.Offline
}

func (c *call) session(s sessions.Listed) (rep.AccountSession, error) {
	l := c.realm.Lifespans
	lifespan := l.SSOMax
	switch {
	case s.Offline && l.OfflineMaxEnabled:
		lifespan = l.OfflineMax
	case s.Offline:
		lifespan = l.OfflineIdle
	case s.Remember && l.SSOMaxRememberMe > 0:
		lifespan = l.SSOMaxRememberMe
	}
	out := rep.AccountSession{
		ID: string(s.ID), IPAddress: s.IP, Started: seconds(s.Started), LastAccess: seconds(s.LastAccess),
		Expires: seconds(s.Started.Add(lifespan)), Browser: sessions.DeviceOf(s.UserSession).Browser, Clients: []rep.AccountClient{},
	}
	if c.current(s.UserSession) {
		out.Current = new(true)
	}
	for _, p := range s.ClientSessions {
		client, err := c.client(p.Client)
		if err != nil {
			return out, err
		}
		if client != nil {
			out.Clients = append(out.Clients, rep.AccountClient{ClientID: client.ClientID, ClientName: client.Name})
		}
	}
	return out, nil
}

func seconds(t time.Time) int { return int(t.Unix()) }

// endSessions ends the caller's sessions, the current one only if asked to.
func (h *Handler) endSessions(c *call) (any, error) {
	list, err := h.all(c)
	if err != nil {
		return nil, err
	}
	for _, s := range list {
		if c.current(s.UserSession) && !c.flag("current", false) {
			continue
		}
		if err := h.end(c, s.UserSession); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// endSession ends what there is of a session, online and offline; one that is
// not the caller's is left alone without a word.
func (h *Handler) endSession(c *call) (any, error) {
	for _, kind := range iam.SessionKinds() {
		v, err := h.Sessions.Find(c, c.realm, iam.SessionRef{ID: iam.SessionID(c.r.PathValue("session")), Kind: kind,
			User: c.caller.User.ID}, nil)
		switch {
		case errors.Is(err, sessions.ErrGone):
			continue
		case v == nil:
			return nil, err
		}
		if err := h.end(c, v.Session); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// end ends a session.
func (h *Handler) end(c *call, s *iam.UserSession) error {
	_, err := h.Ender.Session(c, c.realm, c.issuer(), s.Ref(), c.ending("account: sessions"))
	if errors.Is(err, sessions.ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	h.emit(c, "LOGOUT", s.ID, nil)
	return nil
}

// ending is the end of what the caller ends.
func (c *call) ending(rule string) iam.End {
	return iam.End{Reason: iam.LogoutByUser, By: iam.ActorUser, Actor: c.caller.User.ID, Rule: rule}
}

// tell lets clients know that their parts in sessions ended.
func (h *Handler) tell(c *call, parts []*iam.ClientSession) {
	h.Ender.Notifier.Notify(c, c.realm, c.issuer(), c.caller.User.ID, parts)
}

// issuer is the realm's address as the request sees it.
func (c *call) issuer() string { return c.urls.Frontend + c.realm.Path() }
