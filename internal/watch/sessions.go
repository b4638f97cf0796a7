package watch

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"latchkey/internal/doctor/remote"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/sessions"
	"latchkey/internal/store"
	"latchkey/internal/tokens"
)

// The types of refresh tokens, as events name them.
const (
	typeRefresh = "Refresh"
	typeOffline = "Offline"
)

// mostOfSession bounds how many events of one session are looked at.
const mostOfSession = 500

// A life is what is known of one session of one kind: what events tell, and how the
// server has it now.
type life struct {
	ref      iam.SessionRef
	events   []*iam.Event // of the session's id, the oldest first
	live     *rep.UserSession
	begun    *iam.Event // that began it; nil when none tells
	last     time.Time  // the last sign of life
	username string
	remember bool
	parts    []*liveClientSession
}

// A liveClientSession is a client's part in a life, as events tell.
type liveClientSession struct {
	client    iam.ClientID
	how       iam.How
	scope     string
	first     time.Time
	last      time.Time
	refreshes int64
	issued    []iam.Issuance // the newest first
}

func (l *life) part(client iam.ClientID, e *iam.Event, how iam.How) *liveClientSession {
	for _, p := range l.parts {
		if p.client == client {
			p.last = e.Time
			return p
		}
	}
	p := &liveClientSession{client: client, how: how, first: e.Time, last: e.Time}
	l.parts = append(l.parts, p)
	return p
}

// shortcuts are the grants of events as Issuance names them.
var shortcuts = map[iam.EventKind]string{"CODE_TO_TOKEN": "ac", "REFRESH_TOKEN": "rt", "LOGIN": "ro", "TOKEN_EXCHANGE": "te",
	"CLIENT_LOGIN": "cc", "OAUTH2_DEVICE_CODE_TO_TOKEN": "dg"}

// lifeOf reads what events tell of a session of one kind.
func (w *Watch) lifeOf(ctx context.Context, x *Subject, ref iam.SessionRef, list []*iam.Event, live *rep.UserSession) (*life, error) {
	l := &life{ref: ref, events: list, live: live}
	for _, e := range list {
		if e.Error != "" || shortcuts[e.Kind] == "" {
			continue
		}
		typ := e.Details["refresh_token_type"]
		how := iam.HowBrowser
		switch {
		case e.Kind == "LOGIN" && e.Details["grant_type"] != "":
			how = iam.HowDirect
		case e.Kind == "CLIENT_LOGIN":
			how = iam.HowService
		case e.Kind == "TOKEN_EXCHANGE":
			how = iam.HowExchange
		case e.Kind == "OAUTH2_DEVICE_CODE_TO_TOKEN":
			how = iam.HowDevice
		case l.begun != nil:
			how = iam.HowSSO
		}
		if bool(ref.Kind) != (typ == typeOffline) {
			continue
		}
		if bool(ref.Kind) {
			how = iam.HowOffline
		}
		if l.begun == nil {
			l.begun = e
		}
		l.last = e.Time
		l.username = cmp.Or(l.username, e.Details["username"])
		l.remember = l.remember || e.Details["remember_me"] == "true"
		client, err := w.clientNamed(ctx, x, e.Client)
		if err != nil {
			return nil, err
		}
		if client == "" {
			continue
		}
		p := l.part(client, e, how)
		if e.Kind == "REFRESH_TOKEN" {
			p.refreshes++
		}
		if scope := e.Details["scope"]; scope != "" {
			p.scope = scope
		}
		if id := e.Details["token_id"]; id != "" {
			p.issued = slices.Insert(p.issued, 0, iam.Issuance{At: e.Time.UnixMilli(), Grant: shortcuts[e.Kind], Access: id,
				RefreshType: typ, Refresh: e.Details["refresh_token_id"]})
		}
	}
	return l, nil
}

// putSessions brings the stored sessions of a user, online and offline, to what events
// tell and to what the server has now. It must be given events that were read before
// the sessions: one that began in between is then no session that is gone.
func (w *Watch) putSessions(ctx context.Context, x *Subject, user iam.UserID, u *rep.User, now *remote.Standing) error {
	live := map[iam.SessionRef]*rep.UserSession{}
	for kind, list := range map[iam.SessionKind][]rep.UserSession{iam.Online: now.Online, iam.Offline: now.Offline} {
		for i := range list {
			live[iam.SessionRef{ID: iam.SessionID(list[i].ID), Kind: kind, User: user}] = &list[i]
		}
	}
	known, err := w.DB.Events(ctx, x.ID, store.EventFilter{User: user, Ascending: true, Max: -1})
	if err != nil {
		return err
	}
	of := map[iam.SessionID][]*iam.Event{}
	var ids []iam.SessionID
	add := func(id iam.SessionID) {
		if _, ok := of[id]; !ok && id != "" {
			of[id] = nil
			ids = append(ids, id)
		}
	}
	for _, e := range known {
		if e.Session != "" {
			add(e.Session)
			of[e.Session] = append(of[e.Session], e)
		}
	}
	for ref := range live {
		add(ref.ID)
	}
	for _, kind := range iam.SessionKinds() {
		refs, err := w.DB.SessionRefsOfUser(ctx, x.ID, user, kind)
		if err != nil {
			return err
		}
		for _, id := range refs.IDs {
			add(id)
		}
	}
	for _, id := range ids {
		list := of[id]
		for _, kind := range iam.SessionKinds() {
			ref := iam.SessionRef{ID: id, Kind: kind, User: user}
			l, err := w.lifeOf(ctx, x, ref, list[:min(len(list), mostOfSession)], live[ref])
			if err != nil {
				return err
			}
			if err := w.putLife(ctx, x, u, l, known); err != nil {
				return err
			}
			if l.live != nil {
				if err := w.partsGone(ctx, x, l); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// putLife writes one session: that it began, how it goes on, and that it ended.
func (w *Watch) putLife(ctx context.Context, x *Subject, u *rep.User, l *life, all []*iam.Event) error {
	var stored *iam.UserSession
	err := w.DB.Tx(ctx, func(tx *store.Tx) error {
		stored = nil
		if s := l.session(x, l.ref.User); s != nil {
			if _, err := tx.BeginSession(ctx, s); err != nil {
				return err
			}
		}
		v, err := tx.Session(ctx, x.ID, l.ref, "")
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		stored = v.Session
		if stored.User != l.ref.User {
			stored = nil
			return nil
		}
		return w.putParts(ctx, tx, x, l, stored)
	})
	if err != nil || stored == nil || l.live != nil || u == nil { // where the user is gone, it ends with them
		return err
	}
	end, at, err := w.ending(ctx, x, u, l, stored, all)
	if err != nil || end == nil {
		return err
	}
	return w.Clock.at(at, func() error {
		return w.DB.Tx(ctx, func(tx *store.Tx) error {
			_, err := tx.EndSessions(ctx, x.ID, l.ref.Only(), func(e *store.Ending) { e.End = *end })
			return err
		})
	})
}

// session is the session as it began, nil when nothing tells that it did.
func (l *life) session(x *Subject, user iam.UserID) *iam.UserSession {
	s := &iam.UserSession{ID: l.ref.ID, Realm: x.ID, User: user, Offline: bool(l.ref.Kind), Username: l.username, Remember: l.remember,
		AuthMethod: string(iam.OIDC)}
	switch {
	case l.live != nil:
		s.Started, s.LastAccess, s.IP, s.Remember = time.UnixMilli(l.live.Start), time.UnixMilli(l.live.LastAccess), l.live.IPAddress,
			l.live.RememberMe
		s.Username = cmp.Or(s.Username, l.live.Username)
	case l.begun != nil:
		s.Started, s.LastAccess, s.IP = l.begun.Time, l.last, l.begun.IP
	default:
		return nil
	}
	if l.begun != nil && len(l.parts) > 0 {
		s.Origin = iam.Origin{How: l.parts[0].how, Client: l.parts[0].client, Online: bool(l.ref.Kind)}
	}
	return s
}

// putParts writes the parts of clients in a session, and its last use.
func (w *Watch) putParts(ctx context.Context, tx *store.Tx, x *Subject, l *life, s *iam.UserSession) error {
	have, err := tx.ClientSessionsOf(ctx, x.ID, l.ref.Only())
	if err != nil {
		return err
	}
	left, err := tx.EndedClientSessions(ctx, x.ID, l.ref.ID)
	if err != nil {
		return err
	}
	used := l.last
	if l.live != nil && time.UnixMilli(l.live.LastAccess).After(used) {
		used = time.UnixMilli(l.live.LastAccess)
	}
	touches := []store.Touch{{Realm: x.ID, Session: s.ID, Kind: l.ref.Kind, At: used}}
	told := slices.Clone(l.parts)
	if l.live != nil {
		for id := range l.live.Clients {
			if !slices.ContainsFunc(told, func(p *liveClientSession) bool { return p.client == iam.ClientID(id) }) {
				told = append(told, &liveClientSession{client: iam.ClientID(id), first: s.Started, last: used})
			}
		}
	}
	for _, p := range told {
		i := slices.IndexFunc(have, func(h *iam.ClientSession) bool { return h.Client == p.client })
		if i < 0 {
			if slices.ContainsFunc(left, func(e *iam.EndedClientSession) bool {
				return e.Client == p.client && e.Offline == s.Offline && !p.first.After(e.Started)
			}) {
				continue // it has ended
			}
			scopes, err := w.granted(ctx, x, p.client, p.scope)
			if err != nil {
				return err
			}
			first := p.first
			if first.Before(s.Started) {
				first = s.Started
			}
			part := &iam.ClientSession{Session: s.ID, Realm: x.ID, Client: p.client, Offline: s.Offline, Started: first, LastAccess: p.last,
				Origin: iam.Origin{How: p.how, Client: p.client, Scope: p.scope, Scopes: scopes, Online: s.Offline && l.begun != nil}}
			if _, err := tx.PutClientSession(ctx, part); err != nil {
				return err
			}
			have = append(have, part)
			i = len(have) - 1
		}
		touches = append(touches, p.touch(x.ID, l.ref, have[i]))
	}
	slices.SortFunc(touches, store.CompareTouches)
	return tx.TouchSessions(ctx, touches)
}

// touch is what a part has to add to what is stored of it.
func (p *liveClientSession) touch(realm iam.RealmID, ref iam.SessionRef, have *iam.ClientSession) store.Touch {
	t := store.Touch{Realm: realm, Session: ref.ID, Kind: ref.Kind, Client: p.client, At: p.last, Refreshes: max(0,
		p.refreshes-have.Refreshes)}
	var newest int64
	if list := iam.Issuances(have.Issued); len(list) > 0 {
		newest = list[0].At
	}
	for _, i := range p.issued {
		if i.At > newest {
			t.Issued += i.String()
		}
	}
	return t
}

// partsGone ends the parts that a live session has no more.
func (w *Watch) partsGone(ctx context.Context, x *Subject, l *life) error {
	v, err := w.DB.Session(ctx, x.ID, l.ref, "")
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	s := v.Session
	have, err := w.DB.ClientSessionsOf(ctx, x.ID, l.ref.Only())
	if err != nil {
		return err
	}
	for _, p := range have {
		if _, ok := l.live.Clients[string(p.Client)]; ok {
			continue
		}
		client, err := x.Client(ctx, p.Client)
		if realms.Missing(err) {
			continue // it went with its client
		}
		if err != nil {
			return err
		}
		if sessions.OfClientSession(&x.Realm.Realm, &client.Client, s, p).At(w.DB.Now()) {
			continue // its time is over, and the rules tell so
		}
		end, at, err := w.partEnding(ctx, x, l, p, client.ClientID)
		if err != nil {
			return err
		}
		err = w.Clock.at(at, func() error {
			return w.DB.Tx(ctx, func(tx *store.Tx) error {
				_, err := tx.EndClientSessions(ctx, x.ID, l.ref.Only(), p.Client, func(*iam.ClientSession) {}, end)
				return err
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// partEnding finds out why a client's part ended in a session that goes on.
func (w *Watch) partEnding(ctx context.Context, x *Subject, l *life, p *iam.ClientSession, name string) (iam.End, time.Time, error) {
	for _, e := range slices.Backward(l.events) {
		if e.Client != name || e.Time.Before(p.Started) {
			continue
		}
		if end := partEnds(e, p.Client); end != nil {
			return *end, e.Time, nil
		}
	}
	end, at, err := w.withdrawn(ctx, x, l.ref.User, name, p.Started)
	if err != nil || end != nil {
		return *cmp.Or(end, &iam.End{}), at, err
	}
	return iam.End{Reason: iam.Untold, By: iam.ActorServer}, w.DB.Now(), nil
}

// partEnds is how an event ended a client's part, nil when it did not.
func partEnds(e *iam.Event, client iam.ClientID) *iam.End {
	switch {
	case e.Kind == "REVOKE_GRANT" && e.Error == "":
		return &iam.End{Reason: iam.Revoked, By: iam.ActorClient, Client: client, Token: e.Details["refresh_token_id"]}
	case e.Kind == "REFRESH_TOKEN_ERROR" && said[e.Details["reason"]] == iam.TokenReuse:
		return &iam.End{Reason: iam.TokenReuse, By: iam.ActorServer, Client: client, Token: e.Details["refresh_token_id"]}
	case e.Kind == "CODE_TO_TOKEN_ERROR" && e.Error == "invalid_code":
		return &iam.End{Reason: iam.CodeReplayed, By: iam.ActorServer, Client: client}
	}
	return nil
}

// withdrawn tells whether the consent for a client was withdrawn since a time.
func (w *Watch) withdrawn(ctx context.Context, x *Subject, user iam.UserID, client string, since time.Time) (*iam.End, time.Time, error) {
	list, err := w.DB.Events(ctx, x.ID, store.EventFilter{User: user, Kinds: []string{"REVOKE_GRANT"}, From: since, Max: 50})
	if err != nil {
		return nil, time.Time{}, err
	}
	for _, e := range list {
		if e.Session == "" && e.Error == "" && e.Details["revoked_client"] == client {
			return &iam.End{Reason: iam.ConsentWithdrawn, By: iam.ActorUser, Actor: user}, e.Time, nil
		}
	}
	admin, err := w.adminEvent(ctx, x, since, "users/"+string(user)+"/consents/"+client)
	if err != nil || admin == nil {
		return nil, time.Time{}, err
	}
	return byAdmin(x, iam.ConsentWithdrawn, admin), admin.Time, nil
}

// adminEvent is the oldest admin event since a time that went well and is about one of some paths.
func (w *Watch) adminEvent(ctx context.Context, x *Subject, since time.Time, paths ...string) (found *iam.AdminEvent, err error) {
	for _, path := range paths {
		list, err := w.DB.AdminEvents(ctx, x.ID, store.AdminEventFilter{ResourcePath: path, From: since, Ascending: true, Max: 20})
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			if e.Error == "" && (e.Operation == "DELETE" || e.Operation == "ACTION") && (found == nil || e.Time.Before(found.Time)) {
				found = e
			}
		}
	}
	return found, nil
}

func byAdmin(x *Subject, reason iam.Reason, e *iam.AdminEvent) *iam.End {
	end := &iam.End{Reason: reason, By: iam.ActorAdmin, Actor: e.AuthUser}
	if e.AuthRealm != x.ID {
		end.Realm = e.AuthRealm
	}
	return end
}

// ending finds out why a session that the server has no more ended, and when: by
// what events tell, by a not-before, else by nothing that is known. It is nil where
// the session's time is over: the rules tell that by themselves.
func (w *Watch) ending(ctx context.Context, x *Subject, u *rep.User, l *life, s *iam.UserSession, all []*iam.Event) (*iam.End,
	time.Time, error) {
	lifetime, still := w.Sessions.Life(x.Realm, s)
	for _, e := range slices.Backward(l.events) {
		if e.Time.Before(s.Started) {
			break
		}
		client, err := w.clientNamed(ctx, x, e.Client)
		if err != nil {
			return nil, time.Time{}, err
		}
		if end := l.ends(e, client); end != nil {
			if end.Reason == iam.ReplacedByOffline {
				scopes, err := w.granted(ctx, x, client, e.Details["scope"])
				if err != nil {
					return nil, time.Time{}, err
				}
				end.Scopes = scopes.Only(tokens.ScopeOffline)
				end.Rule = string(end.Scopes)
			}
			return end, e.Time, nil
		}
	}
	admin, err := w.adminEvent(ctx, x, s.Started, "sessions/"+string(s.ID), "users/"+string(l.ref.User)+"/logout", "logout-all")
	if err != nil {
		return nil, time.Time{}, err
	}
	if admin != nil && (still || admin.Time.Before(lifetime.First())) {
		return byAdmin(x, iam.LogoutByAdmin, admin), admin.Time, nil
	}
	// "Sign out" of the user sets it, in seconds.
	if at := rep.Epoch(u.NotBefore); !at.Before(s.Started.Truncate(time.Second)) && at.Before(lifetime.First()) {
		if at.Before(l.last) {
			at = l.last
		}
		return &iam.End{Reason: iam.LogoutByAdmin, By: iam.ActorAdmin, Rule: "not-before of the user"}, at, nil
	}
	for _, p := range l.parts { // a session goes with its last client's consent
		name, err := x.ClientName(ctx, p.client)
		if err != nil {
			return nil, time.Time{}, err
		}
		if end, at, err := w.withdrawn(ctx, x, l.ref.User, name, s.Started); err != nil || end != nil {
			return end, at, err
		}
	}
	if !still {
		return nil, time.Time{}, nil
	}
	for _, e := range all { // a change of credentials may sign others out, without an event for each
		if e.Error == "" && e.Time.After(l.last) && e.Session != s.ID && changesCredentials[e.Kind] &&
			strings.EqualFold(e.Details["logout_sessions"], "true") {
			return &iam.End{Reason: iam.CredentialsChanged, By: iam.ActorUser, Actor: l.ref.User}, e.Time, nil
		}
	}
	return &iam.End{Reason: iam.Untold, By: iam.ActorServer}, w.DB.Now(), nil
}

var changesCredentials = map[iam.EventKind]bool{"UPDATE_PASSWORD": true, "UPDATE_CREDENTIAL": true, "UPDATE_TOTP": true,
	"RESET_PASSWORD": true}

// ends is how an event of a session's id ended the session, nil when it did not. A
// session that an event has ended shows no life after it.
func (l *life) ends(e *iam.Event, client iam.ClientID) *iam.End {
	switch {
	case e.Kind == "LOGOUT" && e.Error == "":
		if e.Details["client_auth_method"] != "" { // a client came with a refresh token
			return &iam.End{Reason: iam.LogoutByClient, By: iam.ActorClient, Client: client}
		}
		if !bool(l.ref.Kind) { // a browser's logout leaves an offline session
			return &iam.End{Reason: iam.LogoutByUser, By: iam.ActorUser, Actor: l.ref.User, Client: client}
		}
	case e.Kind == "REVOKE_GRANT" && bool(l.ref.Kind) == (e.Details["refresh_token_type"] == typeOffline):
		return partEnds(e, client)
	case e.Kind == "REFRESH_TOKEN_ERROR" && bool(l.ref.Kind) == (e.Details["refresh_token_type"] == typeOffline),
		e.Kind == "CODE_TO_TOKEN_ERROR":
		return partEnds(e, client)
	case !bool(l.ref.Kind) && e.Details["refresh_token_type"] == typeOffline && e.Error == "" && e.Kind == "CODE_TO_TOKEN" &&
		!e.Time.Before(l.last) && l.firstCode(e):
		return &iam.End{Reason: iam.ReplacedByOffline, By: iam.ActorClient, Client: client, Token: e.Details["token_id"]}
	}
	return nil
}

// firstCode tells whether an event redeemed the first code of its session.
func (l *life) firstCode(e *iam.Event) bool {
	for _, x := range l.events {
		if x.Kind == "CODE_TO_TOKEN" && x.Error == "" {
			return x.ID == e.ID
		}
	}
	return false
}

// putListed writes sessions that live, as a list of the server's has them. Of those that
// are not on the list it says nothing.
func (w *Watch) putListed(ctx context.Context, x *Subject, kind iam.SessionKind, list []rep.UserSession) error {
	for i := range list {
		live := &list[i]
		ref := iam.SessionRef{ID: iam.SessionID(live.ID), Kind: kind, User: iam.UserID(live.UserID)}
		if _, err := w.DB.User(ctx, x.ID, ref.User); errors.Is(err, store.ErrNotFound) {
			err = w.putUser(ctx, x, &rep.User{ID: live.UserID, Username: live.Username, Enabled: new(true)}, nil)
			if err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
		told, err := w.DB.Events(ctx, x.ID, store.EventFilter{Session: ref.ID, Ascending: true, Max: mostOfSession})
		if err != nil {
			return err
		}
		l, err := w.lifeOf(ctx, x, ref, told, live)
		if err != nil {
			return err
		}
		if err := w.putLife(ctx, x, nil, l, nil); err != nil {
			return err
		}
	}
	return nil
}
