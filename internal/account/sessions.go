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
	list, err := h.Sessions.OfUser(c, c.realm, c.caller.User.ID, false)
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

// listDevices shows the online sessions by the system they were begun on.
func (h *Handler) listDevices(c *call) (any, error) {
	list, err := h.Sessions.OfUser(c, c.realm, c.caller.User.ID, false)
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

func (c *call) session(s sessions.Listed) (rep.AccountSession, error) {
	lifespan := c.realm.Lifespans.SSOMax
	if s.Remember && c.realm.Lifespans.SSOMaxRememberMe > 0 {
		lifespan = c.realm.Lifespans.SSOMaxRememberMe
	}
	out := rep.AccountSession{
		ID: string(s.ID), IPAddress: s.IP, Started: seconds(s.Started), LastAccess: seconds(s.LastAccess),
		Expires: seconds(s.Started.Add(lifespan)), Browser: sessions.DeviceOf(s.UserSession).Browser, Clients: []rep.AccountClient{},
	}
	if s.ID == c.caller.Session {
		out.Current = new(true)
	}
	for _, p := range s.Parts {
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

// endSessions ends the caller's online sessions, the current one only if asked to.
func (h *Handler) endSessions(c *call) (any, error) {
	list, err := h.Sessions.OfUser(c, c.realm, c.caller.User.ID, false)
	if err != nil {
		return nil, err
	}
	for _, s := range list {
		if s.ID == c.caller.Session && !c.flag("current", false) {
			continue
		}
		if err := h.end(c, s.ID); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// endSession ends one online session; one that is not the caller's is left
// alone without a word.
func (h *Handler) endSession(c *call) (any, error) {
	v, err := h.Sessions.Find(c, c.realm, iam.SessionID(c.r.PathValue("session")), false, nil)
	switch {
	case errors.Is(err, sessions.ErrGone):
		return nil, nil
	case v == nil:
		return nil, err
	case v.Session.User != c.caller.User.ID:
		return nil, nil
	}
	return nil, h.end(c, v.Session.ID)
}

func (h *Handler) end(c *call, id iam.SessionID) error {
	parts, err := h.Sessions.End(c, c.realm, id, false)
	if errors.Is(err, sessions.ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	h.tell(c, parts)
	h.emit(c, "LOGOUT", id, nil)
	return nil
}

// tell lets clients know that their parts in sessions ended.
func (h *Handler) tell(c *call, parts []*iam.ClientSession) {
	h.Ended(c, c.realm, c.urls.Frontend+"/realms/"+c.realm.Name, c.caller.User.ID, parts)
}
