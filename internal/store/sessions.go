package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"latchkey/internal/iam"
)

// A SessionView is a session with all that decides whether it may be used, as
// one statement read it: never from a cache.
type SessionView struct {
	Session         *iam.UserSession
	ClientSession   *iam.ClientSession // nil when the client has no part in it, or none was asked for
	User            *iam.User          // nil when the user is gone
	RealmEnabled    bool
	RealmNotBefore  time.Time
	ClientEnabled   bool // false when the client is gone
	ClientNotBefore time.Time
	Grouped         bool        // the user is in a group
	Roles           iam.RoleIDs // that were given to the user, not by way of a group
	Revoked         bool        // the single-use key that was asked for is stored: the token is revoked
}

// SetRoles tells a grant the roles that the user was given, as far as the
// session's statement knows it.
func (v *SessionView) SetRoles(g *iam.Grant) { g.NoGroups, g.Roles = !v.Grouped, v.Roles }

// A session's columns. The short ones leave out its documents, which lists of
// many rows seldom look at: to decode them is most of what a row costs.
const (
	sessionColumns = sessionShort + `, s.notes, s.origin`
	sessionShort   = `s.id, s.offline, s.user_id, s.remember, s.username, s.ip, s.auth_method, s.broker_session, s.broker_user, s.started_at, s.last_access`
)

// A sessionRow is a session as its columns say it. It can take one row after the other.
type sessionRow struct {
	iam.UserSession
	started, access int64
	notes, origin   []byte
}

// dest is where sessionShort goes, or with full sessionColumns; others may be appended.
func (s *sessionRow) dest(full bool) []any {
	list := append(make([]any, 0, 48), &s.ID, &s.Offline, &s.User, &s.Remember, &s.Username, &s.IP, &s.AuthMethod, &s.BrokerID, &s.BrokerUser,
		&s.started, &s.access)
	if full {
		list = append(list, &s.notes, &s.origin)
	}
	return list
}

// session returns what was scanned, and makes room for the next row.
func (s *sessionRow) session(realm iam.RealmID) (*iam.UserSession, error) {
	out := s.UserSession
	out.Realm, out.Started, out.LastAccess = realm, fromMillis(s.started), fromMillis(s.access)
	notes, origin := s.notes, s.origin
	*s = sessionRow{}
	if err := readOrigin(origin, &out.Origin); err != nil {
		return nil, err
	}
	return &out, readNotes(notes, &out.Notes)
}

// readOrigin leaves the origin empty for what began before origins were kept.
func readOrigin(doc []byte, into *iam.Origin) error {
	if len(doc) <= len("{}") {
		return nil
	}
	return readDoc(doc, into)
}

// readNotes makes a map also where there are none: who has it may add some. It
// makes none where they were not read.
func readNotes(doc []byte, into *map[string]string) error {
	if doc == nil {
		return nil
	}
	if string(doc) == "{}" {
		*into = map[string]string{}
		return nil
	}
	var ok bool
	if *into, ok = plainNotes(string(doc)); ok {
		return nil
	}
	return readDoc(doc, into)
}

// plainNotes reads an object of texts as notes writes it, in a fraction of the
// time that JSON takes, unless something in it is escaped.
func plainNotes(text string) (map[string]string, bool) {
	if strings.IndexByte(text, '\\') >= 0 {
		return nil, false
	}
	m := make(map[string]string, strings.Count(text, `":"`))
	for before := "{"; ; before = "," {
		member, ok := strings.CutPrefix(text, before+`"`)
		name, rest, ok2 := strings.Cut(member, `":"`)
		value, rest, ok3 := strings.Cut(rest, `"`)
		if !ok || !ok2 || !ok3 {
			return nil, false
		}
		m[name] = value
		if rest == "}" {
			return m, true
		}
		text = rest
	}
}

// scanSession scans sessionColumns.
func scanSession(realm iam.RealmID) func(row) (*iam.UserSession, error) {
	s := new(sessionRow)
	dest := s.dest(true)
	return func(r row) (*iam.UserSession, error) {
		if err := r.Scan(dest...); err != nil {
			return nil, err
		}
		return s.session(realm)
	}
}

// clientSessionColumns are a part's.
const clientSessionColumns = `c.session_id, c.offline, c.client_id, c.refresh_chains, c.chains_version, c.started_at, c.last_access, c.refreshes, c.version,
	c.notes, c.origin, c.issued`

func scanClientSession(realm iam.RealmID) func(row) (*iam.ClientSession, error) {
	var p struct {
		iam.ClientSession
		started, access, chained int64
		chains                   string
		notes, origin            []byte
	}
	dest := []any{&p.Session, &p.Offline, &p.Client, &p.chains, &p.chained, &p.started, &p.access, &p.Refreshes, &p.Version, &p.notes,
		&p.origin, &p.Issued}
	return func(r row) (*iam.ClientSession, error) {
		p.ClientSession, p.notes, p.origin = iam.ClientSession{Realm: realm}, nil, nil
		if err := r.Scan(dest...); err != nil {
			return nil, err
		}
		out := p.ClientSession
		out.Started, out.LastAccess = fromMillis(p.started), fromMillis(p.access)
		if err := readOrigin(p.origin, &out.Origin); err != nil {
			return nil, err
		}
		if err := readNotes(p.notes, &out.Notes); err != nil {
			return nil, err
		}
		return &out, readChains(&out, p.chains, p.chained == p.Version)
	}
}

// Session reads a session without its origin, the part of one client in it ("" for none), its user
// and the switches that must never lag, in one statement. ErrNotFound when
// there is no such session. Whether it has timed out is for package sessions.
func (r *Reader) Session(ctx context.Context, realm iam.RealmID, ref iam.SessionRef, client iam.ClientID) (*SessionView, error) {
	return r.SessionAndSingleUse(ctx, realm, ref, client, "", time.Time{})
}

// SessionAndSingleUse is Session and HasSingleUse in one statement: a presented token
// needs both. A reference that names a user of the realm finds that user's session
// alone. One that does not - a pairwise subject, say - goes by the id.
func (r *Reader) SessionAndSingleUse(ctx context.Context, realm iam.RealmID, ref iam.SessionRef, client iam.ClientID, key string,
	now time.Time) (*SessionView, error) {
	return one(ctx, r.quick(), scanSessionView(realm, ref), sessionAndSingleUse, realm, ref.ID, ref.Kind, client, key, millis(now), ref.User)
}

func scanSessionView(realm iam.RealmID, ref iam.SessionRef) func(row) (*SessionView, error) {
	return func(row row) (*SessionView, error) {
		v := new(SessionView)
		var session sessionRow
		var realmNB int64
		var part struct {
			client, chains, notes             sql.Null[string]
			chained, started, access, version sql.Null[int64]
		}
		var clientEnabled sql.Null[bool]
		var clientNB sql.Null[int64]
		dest := append(session.dest(false), &session.notes, &v.RealmEnabled, &realmNB, &part.client, &part.chains, &part.chained,
			&part.started, &part.access,
			&part.notes, &part.version, &clientEnabled, &clientNB, &v.Grouped, &v.Roles, &v.Revoked)
		user := nullUser{realm: realm}
		dest = append(dest, user.dest()...)
		if err := row.Scan(dest...); err != nil {
			return nil, err
		}
		var err error
		if v.Session, err = session.session(realm); err != nil {
			return nil, err
		}
		v.RealmNotBefore, v.ClientEnabled, v.ClientNotBefore = fromMillis(realmNB), clientEnabled.V, fromMillis(clientNB.V)
		if part.client.Valid {
			v.ClientSession = &iam.ClientSession{Session: ref.ID, Realm: realm, Client: iam.ClientID(part.client.V), Offline: bool(ref.Kind),
				Started: fromMillis(part.started.V), LastAccess: fromMillis(part.access.V), Version: part.version.V}
			if err := readNotes([]byte(part.notes.V), &v.ClientSession.Notes); err != nil {
				return nil, err
			}
			if err := readChains(v.ClientSession, part.chains.V, part.chained.V == part.version.V); err != nil {
				return nil, err
			}
		}
		v.User, err = user.value()
		return v, err
	}
}

const sessionAndSingleUse = `select ` + sessionShort + `, s.notes, m.enabled, m.not_before,
		c.client_id, c.refresh_chains, c.chains_version, c.started_at, c.last_access, c.notes, c.version, k.enabled, k.not_before,
		exists (select 1 from user_groups g where g.realm_id = s.realm_id and g.user_id = s.user_id),
		coalesce((select string_agg(h.role_id, ' ') from user_roles h where h.realm_id = s.realm_id and h.user_id = s.user_id), ''),
		exists (select 1 from single_use o where o.realm_id = s.realm_id and o.key = $5 and o.expires_at > $6), ` + nullUserColumns + `
		from user_sessions s
		join realms m on m.id = s.realm_id
		left join client_sessions c on c.realm_id = s.realm_id and c.session_id = s.id and c.offline = s.offline and c.client_id = $4
		left join clients k on k.realm_id = s.realm_id and k.id = $4
		left join users u on u.realm_id = s.realm_id and u.id = s.user_id
		where s.realm_id = $1 and s.id = $2 and s.offline = $3 and ($7 = '' or s.user_id = $7 or not exists (select 1 from users x where x.realm_id = $1 and x.id = $7))`

// nullUser scans userColumns where the user may be missing.
type nullUser struct {
	realm                            iam.RealmID
	id, username, email, first, last sql.Null[string]
	service, federation, doc         sql.Null[string]
	verified, enabled                sql.Null[bool]
	created, notBefore, version      sql.Null[int64]
}

const nullUserColumns = `u.id, u.username, u.email, u.email_verified, u.first_name, u.last_name, u.enabled, u.service_client_id, u.federation,
	u.created_at, u.not_before, u.doc, u.version`

func (n *nullUser) dest() []any {
	return []any{&n.id, &n.username, &n.email, &n.verified, &n.first, &n.last, &n.enabled, &n.service, &n.federation, &n.created,
		&n.notBefore, &n.doc, &n.version}
}

func (n *nullUser) value() (*iam.User, error) {
	if !n.id.Valid {
		return nil, nil
	}
	d, err := readUserDoc([]byte(n.doc.V))
	if err != nil {
		return nil, err
	}
	return &iam.User{ID: iam.UserID(n.id.V), Realm: n.realm, Username: n.username.V, Email: n.email.V, EmailVerified: n.verified.V,
		FirstName: n.first.V, LastName: n.last.V,
		Enabled: n.enabled.V, ServiceAccount: iam.ClientID(n.service.V), Federation: n.federation.V, CreatedAt: fromMillis(n.created.V),
		NotBefore: fromMillis(n.notBefore.V),
		Attrs:     d.Attrs, Required: d.Required, Extra: d.Extra, Version: n.version.V}, nil
}

func notes(m map[string]string) string {
	if len(m) == 0 {
		return "{}"
	}
	b, _ := json.Marshal(m) // strings always marshal
	return string(b)
}

const beginSession = `insert into user_sessions (realm_id, id, offline, user_id, remember, username, ip, auth_method, broker_session, broker_user,
	started_at, last_access, notes, origin, version)
	select $1, $2, coalesce((select o.offline from user_sessions o where o.realm_id = $1 and o.id = $2 and (not $3 or o.user_id <> $4) limit
		1), $3), $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 1
	where not exists (select 1 from ended_sessions e where e.realm_id = $1 and e.session_id = $2 and (not $3 or e.user_id <> $4))
	on conflict (realm_id, id, offline) do nothing`

// BeginSession adds a user session unless its id is taken, and reports whether it
// did. An id belongs to one login of one user: an online session begins under an id
// that no session has or had, as far as records are kept; an offline one shares its
// id with sessions of its own user only.
//
// Where a live session stands in the way, the row to be added is given that session's
// key, so that it conflicts. A condition on user_sessions would be clearer, but
// SQLite then copies the row through a temporary table, for 0.2 ms of each login.
func (tx *Tx) BeginSession(ctx context.Context, s *iam.UserSession) (bool, error) {
	n, err := tx.exec(ctx, beginSession,
		s.Realm, s.ID, s.Offline, s.User, s.Remember, s.Username, s.IP, s.AuthMethod, s.BrokerID, s.BrokerUser, millis(s.Started),
		millis(s.LastAccess),
		notes(s.Notes), text(s.Origin))
	return n > 0, err
}

// PutUserSessionNotes replaces the notes of a user session; ErrNotFound when it is gone.
func (tx *Tx) PutUserSessionNotes(ctx context.Context, s *iam.UserSession) error {
	n, err := tx.exec(ctx,
		`update user_sessions set notes = $1, version = version + 1 where realm_id = $2 and id = $3 and offline = $4 and user_id = $5`,
		notes(s.Notes), s.Realm, s.ID, s.Offline, s.User)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

// PutClientSession adds a client's part to a user session, or replaces it unless
// somebody changed it since it was read - p.Version, 0 for one that was not there -
// and reports whether it did. ErrOrphan when the session is gone.
func (tx *Tx) PutClientSession(ctx context.Context, p *iam.ClientSession) (bool, error) {
	s := putClientSession(p)
	err := tx.together(ctx, s)
	return s.Touched > 0, err
}

// putClientSession leaves refresh_id, refresh_use and redirect_to empty: nothing has
// ever read them, but the version before names them.
func putClientSession(p *iam.ClientSession) *statement {
	chains, notes := writeChains(p)
	return &statement{Query: `insert into client_sessions (realm_id, session_id, offline, client_id, refresh_id, refresh_use, redirect_to, started_at, last_access, notes, origin,
		version, refresh_chains, chains_version) values ($1, $2, $3, $4, '', 0, '', $5, $6, $7, $8, 1, $9, 1)
		on conflict (realm_id, session_id, offline, client_id) do update set started_at = excluded.started_at, last_access =
			excluded.last_access, notes = excluded.notes,
		origin = excluded.origin, refresh_chains = excluded.refresh_chains, chains_version = client_sessions.version + 1,
		version = client_sessions.version + 1 where client_sessions.version = $10`,
		Args: []any{p.Realm, p.Session, p.Offline, p.Client, millis(p.Started), millis(p.LastAccess), notes, text(p.Origin), chains, p.Version}}
}

// Rejoin is PutClientSession for a session that is there, and PutSingleUse, in one
// round trip: for DB.Single. The values are stored also when the part is not:
// nobody knows their keys then.
func (tx *Tx) Rejoin(ctx context.Context, p *iam.ClientSession, values []SingleUse) (bool, error) {
	s := putClientSession(p)
	list := []*statement{s}
	for _, v := range values {
		list = append(list, tx.putSingleUse(p.Realm, v))
	}
	err := tx.together(ctx, list...)
	return s.Touched > 0, err
}

// SwapClientSession writes a client's part back if nobody changed it since it
// was read, and reports whether it did. Of two that rotate one refresh token
// only one is told true.
func (tx *Tx) SwapClientSession(ctx context.Context, p *iam.ClientSession) (bool, error) {
	chains, notes := writeChains(p)
	n, err := tx.exec(ctx,
		`update client_sessions set last_access = $1, notes = $2, refresh_chains = $3, chains_version = version + 1, version = version + 1
		where realm_id = $4 and session_id = $5 and offline = $6 and client_id = $7 and version = $8`,
		millis(p.LastAccess), notes, chains, p.Realm, p.Session, p.Offline, p.Client, p.Version)
	return n > 0, err
}

// ClientSessionsOf returns the parts of several user sessions, sorted by session.
func (r *Reader) ClientSessionsOf(ctx context.Context, realm iam.RealmID, refs iam.SessionRefs) ([]*iam.ClientSession, error) {
	var list []*iam.ClientSession
	for chunk := range slices.Chunk(refs.IDs, chunkSize) {
		chunk = even(chunk)
		args := []any{realm, refs.Kind, refs.User}
		for _, id := range chunk {
			args = append(args, id)
		}
		part, err := all(ctx, few(r, len(chunk)), scanClientSession(realm), `select `+clientSessionColumns+
			` from client_sessions c where c.realm_id = $1 and c.offline = $2
			and c.session_id in (`+binds(4, len(chunk))+`) and ($3 = '' or exists (select 1 from user_sessions s where s.realm_id = $1 and s.id = c.session_id and s.offline = $2
			and s.user_id = $3)) order by c.session_id, c.client_id`, args...)
		if err != nil {
			return nil, err
		}
		list = append(list, part...)
	}
	return list, nil
}

const chunkSize = 500

const clientSessionsOfUser = `select ` + clientSessionColumns + ` from client_sessions c where c.realm_id = $1 and c.offline = $3
	and c.session_id in (select id from user_sessions where realm_id = $1 and user_id = $2 and offline = $3) order by c.session_id, c.client_id`

// ClientSessionsOfUser returns all parts of a user's sessions, ordered as ClientSessionsOf.
func (r *Reader) ClientSessionsOfUser(ctx context.Context, realm iam.RealmID, user iam.UserID,
	kind iam.SessionKind) ([]*iam.ClientSession, error) {
	return all(ctx, r.quick(), scanClientSession(realm), clientSessionsOfUser, realm, user, kind)
}

// SessionsOfUser returns a user's sessions, the latest access first.
func (r *Reader) SessionsOfUser(ctx context.Context, realm iam.RealmID, user iam.UserID, kind iam.SessionKind) ([]*iam.UserSession, error) {
	return all(ctx, r.quick(), scanSession(realm), `select `+sessionColumns+
		` from user_sessions s where s.realm_id = $1 and s.user_id = $2 and s.offline = $3
		order by s.last_access desc, s.id`, realm, user, kind)
}

// SessionsOfBroker returns the sessions that came out of one session at an identity provider ("alias.sid"), the latest access first.
func (r *Reader) SessionsOfBroker(ctx context.Context, realm iam.RealmID, there string, kind iam.SessionKind) ([]*iam.UserSession, error) {
	return all(ctx, r.quick(), scanSession(realm), `select `+sessionColumns+
		` from user_sessions s where s.realm_id = $1 and s.broker_session = $2 and s.broker_session <> '' and s.offline = $3
		order by s.last_access desc, s.id`, realm, there, kind)
}

// A SessionOutline is a session without its documents, and who has to do with it.
type SessionOutline struct {
	*iam.UserSession
	UserName string         // as it is now, "" when the user is gone
	Clients  []iam.ClientID // that have a part in it, sorted
}

// OutlinesOfUser is SessionsOfUser for lists that show little: one statement finds it all.
func (r *Reader) OutlinesOfUser(ctx context.Context, realm iam.RealmID, user iam.UserID, kind iam.SessionKind) ([]SessionOutline, error) {
	s := new(sessionRow)
	var name, clients string
	dest := append(s.dest(false), &name, &clients)
	return all(ctx, r.quick(), func(row row) (SessionOutline, error) {
		if err := row.Scan(dest...); err != nil {
			return SessionOutline{}, err
		}
		us, err := s.session(realm)
		out := SessionOutline{UserSession: us, UserName: name}
		for id := range strings.FieldsSeq(clients) {
			out.Clients = append(out.Clients, iam.ClientID(id))
		}
		slices.Sort(out.Clients)
		return out, err
	}, `select `+sessionShort+`, coalesce(u.username, ''), coalesce((select string_agg(c.client_id, ' ') from client_sessions c
			where c.realm_id = s.realm_id and c.session_id = s.id and c.offline = s.offline), '')
		from user_sessions s left join users u on u.realm_id = s.realm_id and u.id = s.user_id
		where s.realm_id = $1 and s.user_id = $2 and s.offline = $3 order by s.last_access desc, s.id`, realm, user, kind)
}

// SessionsOfClient returns a page of the user sessions that a client has a part in; max < 0 means all.
func (r *Reader) SessionsOfClient(ctx context.Context, realm iam.RealmID, client iam.ClientID, kind iam.SessionKind, first,
	max int) ([]*iam.UserSession, error) {
	return all(ctx, r, scanSession(realm), `select `+sessionColumns+` from client_sessions c
		join user_sessions s on s.realm_id = c.realm_id and s.id = c.session_id and s.offline = c.offline
		where c.realm_id = $1 and c.client_id = $2 and c.offline = $3 order by s.started_at, s.id limit $4 offset $5`, realm, client, kind, limit(max), first)
}

// SessionsOfRealm returns a page of a realm's sessions; max < 0 means all.
func (r *Reader) SessionsOfRealm(ctx context.Context, realm iam.RealmID, kind iam.SessionKind, first, max int) ([]*iam.UserSession, error) {
	last := -1
	if max >= 0 {
		last = first + max
	}
	// Their index tells the remembered from the others.
	half := func(remember string) string {
		return `select ` + sessionColumns + ` from (select ` + sessionColumns +
			` from user_sessions s where s.realm_id = $1 and s.offline = $2 and s.remember = ` + remember + `
			order by s.started_at, s.id limit $3) as s`
	}
	return all(ctx, r, scanSession(realm), half("false")+` union all `+half("true")+` order by started_at, id limit $4 offset $5`,
		realm, kind, limit(last), limit(max), first)
}

// A SessionCount says how many sessions a client has a part in.
type SessionCount struct {
	Client iam.ClientID
	Count  int64
}

// SessionCounts counts the parts of clients in sessions that were used since
// and begun since, leaving out what has timed out; clients without any are
// left out. A zero time sets no bound.
func (r *Reader) SessionCounts(ctx context.Context, realm iam.RealmID, kind iam.SessionKind, usedSince,
	begunSince time.Time) ([]SessionCount, error) {
	return all(ctx, r, func(row row) (v SessionCount, err error) { return v, row.Scan(&v.Client, &v.Count) },
		`select c.client_id, count(*) from client_sessions c
		join user_sessions s on s.realm_id = c.realm_id and s.id = c.session_id and s.offline = c.offline
		where c.realm_id = $1 and c.offline = $2 and s.last_access >= $3 and s.started_at >= $4 group by c.client_id order by c.client_id`,
		realm, kind, millis(usedSince), millis(begunSince))
}

// A Touch is a use of a session, or of one client's part in it, that is written behind.
type Touch struct {
	Realm     iam.RealmID
	Session   iam.SessionID
	Kind      iam.SessionKind
	Client    iam.ClientID // whose part it is, "" for the session itself
	At        time.Time
	Refreshes int64  // of a part: so many more than are stored
	Issued    string // of a part: tokens issued since, the newest first; see iam.Issuance
}

// TouchSessions moves last accesses forward, never back, and adds what was
// issued; sessions that are gone are left gone. Callers sort touches, so that
// two nodes cannot deadlock.
func (tx *Tx) TouchSessions(ctx context.Context, touches []Touch) error {
	for _, t := range touches {
		var err error
		switch {
		case t.Client == "":
			_, err = tx.exec(ctx, `update user_sessions set last_access = $1 where realm_id = $2 and id = $3 and offline = $4 and last_access < $1`,
				millis(t.At), t.Realm, t.Session, t.Kind)
		case t.Refreshes == 0 && t.Issued == "":
			_, err = tx.exec(ctx,
				`update client_sessions set last_access = $1 where realm_id = $2 and session_id = $3 and offline = $4 and client_id = $5 and last_access < $1`,
				millis(t.At), t.Realm, t.Session, t.Kind, t.Client)
		default:
			_, err = tx.exec(ctx, `update client_sessions set last_access = case when last_access < $1 then $1 else last_access end,
				refreshes = refreshes + $6, issued = substr($7 || issued, 1, $8) where realm_id = $2 and session_id = $3 and offline = $4 and client_id
					= $5`,
				millis(t.At), t.Realm, t.Session, t.Kind, t.Client, t.Refreshes, t.Issued, iam.MaxIssued)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// CompareTouches orders touches as TouchSessions wants them.
func CompareTouches(a, b Touch) int {
	if c := strings.Compare(string(a.Realm), string(b.Realm)); c != 0 {
		return c
	}
	if c := strings.Compare(string(a.Session), string(b.Session)); c != 0 {
		return c
	}
	return strings.Compare(string(a.Client), string(b.Client))
}
