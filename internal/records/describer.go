package records

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
	"latchkey/internal/store"
)

// A describer turns records into words; it holds what several of them need.
type describer struct {
	ctx     context.Context
	x       *Explorer
	r       *realms.Realm
	names   map[iam.UserID]string // of users
	clients clientNames
	live    []*iam.ClientSession
	ended   []*iam.EndedClientSession
}

// nameClients finds the names of all clients that records and parts speak of,
// also of those that are gone.
func (t *describer) nameClients(list []*store.Record) error {
	var ids []iam.ClientID
	for _, rec := range list {
		ids = append(ids, rec.Origin.Client, rec.End.Client)
		if rec.Occurrence != nil {
			ids = append(ids, rec.Occurrence.Client)
		}
	}
	for _, p := range t.live {
		ids = append(ids, p.Client)
	}
	for _, p := range t.ended {
		ids = append(ids, p.Client, p.End.Client)
	}
	return t.clients.read(t.ctx, t.x.DB, t.r, ids)
}

func (t *describer) client(id iam.ClientID) string { return t.clients.of(id) }

// user is a user's name for sentences.
func (t *describer) user(id iam.UserID) string {
	if name := t.names[id]; name != "" {
		return name
	}
	return string(id)
}

func ms(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixMilli()
}

func (t *describer) entry(rec *store.Record) *Entry {
	e := &Entry{
		ID: id(rec), User: rec.User, Username: t.names[rec.User], Address: t.r.KeptAddress(rec.IP), RememberMe: rec.Remember,
		Start: ms(rec.Started), LastAccess: ms(rec.LastAccess), Clients: []*ClientSession{},
	}
	if rec.Occurrence != nil {
		t.occurrence(e, rec.Occurrence)
		return e
	}
	if e.Username == "" {
		e.Username = rec.Username
	}
	e.Kind, e.Session, e.State = KindOnline, iam.SessionID(rec.ID), StateEnded
	if rec.Source.Offline {
		e.Kind = KindOffline
	}
	if rec.Device != "" {
		d := new(Device)
		if json.Unmarshal([]byte(rec.Device), d) == nil {
			e.Device = d
		}
	}
	e.Began = t.beginning(rec)
	switch {
	case !rec.Ended.IsZero():
		e.End = t.ending(rec.Ended, rec.End)
	default:
		t.standing(e, rec)
	}
	for _, p := range t.live {
		if rec.Ended.IsZero() && string(p.Session) == rec.ID && p.Offline == rec.Source.Offline {
			part := t.part(p)
			if part.End = e.End; part.End == nil {
				part.End = t.partTimedOut(rec, p)
			}
			if part.End != nil {
				part.State = StateEnded
			}
			e.Clients = append(e.Clients, part)
		}
	}
	for _, p := range t.ended {
		// Of several sessions that had this id one after another, the one it was in.
		if string(p.Session) == rec.ID && p.Offline == rec.Source.Offline && !p.Started.Before(rec.Started) && (rec.Ended.IsZero() ||
			p.Ended <= ms(rec.Ended)) {
			part := t.part(&p.ClientSession)
			part.State, part.End = StateEnded, t.ending(time.UnixMilli(p.Ended), p.End)
			e.Clients = append(e.Clients, part)
		}
	}
	return e
}

// standing fills in what a stored session is good for, or that it has timed out.
func (t *describer) standing(e *Entry, rec *store.Record) {
	us := userSession(t.r, rec)
	life, live := t.x.Sessions.Life(t.r, us)
	e.LastAccess = ms(us.LastAccess)
	if !live {
		e.End = t.ending(life.First(), t.x.Sessions.TimedOut(t.r, us))
		return
	}
	e.State = StateLive
	e.GoodFor = &GoodFor{SingleSignOn: !rec.Source.Offline, Refresh: true, UntilIdle: ms(life.Idle), UntilMax: ms(life.Max)}
}

// partTimedOut is the end of a client's part in a live session, nil while it goes on.
func (t *describer) partTimedOut(rec *store.Record, p *iam.ClientSession) *Ending {
	c, err := t.r.Client(t.ctx, p.Client)
	if err != nil {
		return nil
	}
	us := userSession(t.r, rec)
	life := sessions.OfClientSession(&t.r.Realm, &c.Client, us, p)
	if !life.At(t.x.DB.Now()) {
		return nil
	}
	return t.ending(life.First(), t.x.Sessions.ClientSessionTimedOut(t.r, &c.Client, us, p))
}

func userSession(r *realms.Realm, rec *store.Record) *iam.UserSession {
	return &iam.UserSession{ID: iam.SessionID(rec.ID), Realm: r.ID, User: rec.User, Offline: rec.Source.Offline, Remember: rec.Remember,
		Started: rec.Started, LastAccess: rec.LastAccess}
}

func (t *describer) part(p *iam.ClientSession) *ClientSession {
	return &ClientSession{
		ID: p.Client, ClientID: t.clients[p.Client], State: StateLive, Start: ms(p.Started), LastAccess: ms(p.LastAccess), Refreshes: p.Refreshes,
		How: p.Origin.How, Again: p.Origin.Again, Scope: p.Origin.Scope, Scopes: scopesOf(p.Origin.Scopes),
	}
}

var whyWords = map[iam.ScopeWhy]string{
	iam.ScopeRequested: "requested",
	iam.ScopeDefault:   "default of the client",
	iam.ScopeInherited: "default of the realm when the client was made",
}

func scopesOf(s iam.Scopes) []Scope {
	var out []Scope
	s.Each(func(name string, why iam.ScopeWhy) { out = append(out, Scope{name, whyWords[why]}) })
	return out
}

func (t *describer) beginning(rec *store.Record) *Beginning {
	o := rec.Origin
	b := &Beginning{How: o.How, Flow: o.Flow, Client: t.clients[o.Client], Asked: o.Asked, Named: o.Named, ByAdmin: o.By,
		Recorded: o.How != ""}
	if info, ok := o.Asked.Info(); ok {
		b.Why = "The login page was shown " + info.Text + "."
	}
	return b
}

func (t *describer) ending(at time.Time, e iam.End) *Ending {
	info, _ := e.Reason.Info()
	out := &Ending{At: ms(at), Reason: e.Reason, Text: info.Text, By: e.By, Actor: e.Actor, Client: t.clients[e.Client],
		Rule: e.Rule, Token: e.Token}
	out.ActorName, out.ActorRealm = t.actor(e)
	return out
}

// actor is the name of who ended something, and the realm where an
// administrator of another one is at home; "" for what is not to be had any more.
func (t *describer) actor(e iam.End) (name, realm string) {
	if e.Realm == "" {
		return t.names[e.Actor], ""
	}
	home, err := t.x.Realms.ByID(t.ctx, e.Realm)
	if err != nil {
		return "", string(e.Realm)
	}
	names, err := t.x.DB.Usernames(t.ctx, home.ID, []iam.UserID{e.Actor})
	if err != nil {
		return "", home.Name
	}
	return names[e.Actor], home.Name
}

func (t *describer) occurrence(e *Entry, o *store.Occurrence) {
	e.Kind, e.Count, e.Session, e.Token = KindTransient, o.Count, o.Doc.Session, o.Doc.Token
	if o.Client != "" {
		e.Clients = append(e.Clients, &ClientSession{ID: o.Client, ClientID: t.clients[o.Client], Start: ms(o.First), LastAccess: ms(o.Last)})
	}
	if o.Kind == store.TransientToken {
		e.State = StateLive
		if o.Doc.Expires > 0 && o.Doc.Expires*1000 <= ms(t.x.DB.Now()) {
			e.State = StateEnded
		}
		for _, part := range e.Clients {
			part.State = e.State
		}
		e.Began = &Beginning{How: iam.How(o.Reason), Client: t.clients[o.Client], Recorded: true}
		e.Scopes = scopesOf(o.Doc.Scopes)
		return
	}
	e.Kind, e.Reason = KindRefused, iam.Reason(o.Reason)
	info, _ := e.Reason.Info()
	what := "A token was"
	if o.Doc.Event.Tried() == "LOGIN" {
		what = "A login was"
	}
	e.Text = what + " refused " + info.Text + times(o.Count) + "."
}

func times(n int64) string {
	if n == 1 {
		return ""
	}
	return " (" + strconv.FormatInt(n, 10) + " times within an hour)"
}

// clock is how sentences tell the time.
func clock(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 UTC") }

// span is how sentences tell a length of time.
func span(d time.Duration) string {
	for _, u := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if d >= u.size && d%u.size == 0 {
			n := int64(d / u.size)
			if n == 1 {
				return "1 " + u.name
			}
			return strconv.FormatInt(n, 10) + " " + u.name + "s"
		}
	}
	return d.String()
}

// rule says the name of the setting that an end followed from, and where it is set.
func (t *describer) rule(e iam.End) string {
	switch e.Setting.Of {
	case iam.OfRealm:
		return e.Setting.Name + " of the realm, now " + span(realmLimits(t.r.Lifespans)[e.Setting.Name])
	case iam.OfClient:
		return e.Setting.Name + " of client " + t.client(e.Client)
	}
	return e.Rule
}

// liveOf finds the live parts of a session.
func (t *describer) liveOf(id iam.SessionID, offline bool) []*iam.ClientSession {
	return slices.DeleteFunc(slices.Clone(t.live), func(p *iam.ClientSession) bool { return p.Session != id || p.Offline != offline })
}
