package records

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
)

// An OfflineGrant is a client's part in an offline session, as its user sees it.
// Times are seconds since 1970, as in the account API.
type OfflineGrant struct {
	Client      string        `json:"clientId"`
	Name        string        `json:"clientName,omitzero"`
	Session     iam.SessionID `json:"session"`
	Started     int64         `json:"started"`
	LastAccess  int64         `json:"lastAccess"`
	ExpiresIdle int64         `json:"expiresIdle"`         // if it is not used until then
	ExpiresMax  int64         `json:"expiresMax,omitzero"` // in any case; absent for never
	Scopes      []Scope       `json:"scopes"`
	May         string        `json:"may"` // what the client can do with it, in a sentence
	Browser     string        `json:"browser,omitzero"`
	OS          string        `json:"os,omitzero"`
	OSVersion   string        `json:"osVersion,omitzero"`
	Device      string        `json:"device,omitzero"`
	Mobile      bool          `json:"mobile"`
	Refreshes   int64         `json:"refreshes"`
}

// OfflineGrants lists what clients may do for a user in the user's absence, the
// latest use first. What has timed out is not listed.
func (x *Explorer) OfflineGrants(ctx context.Context, r *realms.Realm, user iam.UserID) ([]*OfflineGrant, error) {
	list, err := x.Sessions.OfUser(ctx, r, user, iam.Offline)
	if err != nil {
		return nil, err
	}
	of := map[iam.SessionID]*iam.UserSession{}
	refs := iam.SessionRefs{Kind: iam.Offline, User: user}
	for _, s := range list {
		of[s.ID] = s.UserSession
		refs.IDs = append(refs.IDs, s.ID)
	}
	parts, err := x.Sessions.ClientSessions(ctx, r, refs)
	if err != nil {
		return nil, err
	}
	out := []*OfflineGrant{}
	now := x.DB.Now()
	for _, p := range parts {
		c, err := r.Client(ctx, p.Client)
		if realms.Missing(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		us := of[p.Session]
		end := sessions.OfClientSession(&r.Realm, &c.Client, us, p)
		if end.At(now) {
			continue
		}
		d := sessions.DeviceOf(us)
		g := &OfflineGrant{
			Client: c.ClientID, Name: c.Name, Session: p.Session, Started: p.Started.Unix(), LastAccess: p.LastAccess.Unix(),
			ExpiresIdle: end.Idle.Unix(),
			Scopes:      scopesOf(p.Origin.Scopes), Browser: d.Browser, OS: d.OS, OSVersion: d.OSVersion, Device: d.Device, Mobile: d.Mobile,
			Refreshes: p.Refreshes,
		}
		if g.Scopes == nil {
			g.Scopes = []Scope{}
		}
		g.May = may(cmp.Or(plainName(c.Name), c.ClientID), end.Idle.Sub(p.LastAccess))
		if !end.Max.IsZero() {
			g.ExpiresMax = end.Max.Unix()
			g.May += ", and no longer than until " + clock(end.Max)
		}
		g.May += "."
		out = append(out, g)
	}
	slices.SortStableFunc(out, func(a, b *OfflineGrant) int {
		return cmp.Or(cmp.Compare(b.LastAccess, a.LastAccess), cmp.Compare(a.Client, b.Client), cmp.Compare(a.Session, b.Session))
	})
	return out, nil
}

// may says what a client can do with an offline grant.
func may(client string, idle time.Duration) string {
	return client + " can get new tokens for you without asking, until " + span(idle) + " after it last did so"
}

// plainName is a client's name, "" for one that is the key of a message.
func plainName(name string) string {
	if strings.HasPrefix(name, "${") {
		return ""
	}
	return name
}
