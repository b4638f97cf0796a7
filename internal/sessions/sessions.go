package sessions

import (
	"context"
	"errors"
	"slices"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/store"
)

// A Service begins, finds and ends sessions. It is safe for concurrent use.
type Service struct {
	db      *store.DB
	toucher *Toucher
}

// New makes a Service. Its Run writes last accesses behind.
func New(db *store.DB) *Service {
	return &Service{db: db, toucher: newToucher(db)}
}

// Run writes behind and sweeps until ctx ends; then it writes what is left.
func (s *Service) Run(ctx context.Context, cache *realms.Cache) {
	s.toucher.run(ctx, func(ctx context.Context) { s.sweep(ctx, cache) })
}

// The reasons why a session cannot be used. Each is told apart by Find, since
// protocols answer differently and people want to know.
var (
	ErrGone             = errors.New("session: there is no such session")
	ErrExpired          = errors.New("session: it has timed out")
	ErrNoPart           = errors.New("session: the client has no part in it")
	ErrPartExpired      = errors.New("session: the client's part has timed out")
	ErrUserGone         = errors.New("session: its user is gone")
	ErrUserDisabled     = errors.New("session: its user is disabled")
	ErrClientDisabled   = errors.New("session: the client is disabled or gone")
	ErrRealmDisabled    = errors.New("session: the realm is disabled")
	ErrBeforeNotBefore  = errors.New("session: the token was issued before a not-before of realm, client or user")
	errNothingToLogInto = errors.New("session: Login needs a user session")
)

// A View is a session that was found, with the switches as of now.
type View = store.SessionView

// Find returns a live session with the client's part in it. client nil asks
// for the user session alone. The view comes with the error, too, unless the
// session is gone: what timed out can still be told about.
func (s *Service) Find(ctx context.Context, r *realms.Realm, id iam.SessionID, offline bool, client *iam.Client) (*View, error) {
	return s.FindFor(ctx, r, id, offline, client, "")
}

// FindFor is Find for a presented token, whose key is looked up in the same
// statement: the view's Once tells whether the token is revoked.
func (s *Service) FindFor(ctx context.Context, r *realms.Realm, id iam.SessionID, offline bool, client *iam.Client, key string) (*View, error) {
	var clientID iam.ClientID
	if client != nil {
		clientID = client.ID
	}
	if id == "" {
		return nil, ErrGone
	}
	now := s.db.Now()
	v, err := s.db.SessionAndOnce(ctx, r.ID, id, offline, clientID, key, now)
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrGone
	}
	if err != nil {
		return nil, err
	}
	s.toucher.adjust(v)
	switch {
	case !v.RealmEnabled:
		return v, ErrRealmDisabled
	case v.User == nil:
		return v, ErrUserGone
	case grace(OfUserSession(&r.Realm, v.Session), v.Session, &r.Realm).At(now):
		return v, ErrExpired
	case client == nil:
		return v, nil
	case v.Part == nil:
		return v, ErrNoPart
	case OfClientSession(&r.Realm, client, v.Session, v.Part).At(now):
		return v, ErrPartExpired
	case !v.ClientEnabled:
		return v, ErrClientDisabled
	}
	return v, nil
}

// grace lengthens idle times by what the last access may lag behind, so that
// nobody is logged out by our saving of writes.
func grace(e Expiry, s *iam.UserSession, r *iam.Realm) Expiry {
	idle, _ := userLifespans(r, s)
	e.Idle = e.Idle.Add(touchLag(idle))
	return e
}

// IssuedBeforeNotBefore reports whether a token issued at a time is refused by
// a not-before of the realm, the client or the user, all read with the session.
// Keycloak: TokenManager.NotBeforeCheck: issued at must not be before it, in seconds.
func IssuedBeforeNotBefore(v *View, issued time.Time) bool {
	if issued.Before(v.RealmNotBefore) || issued.Before(v.ClientNotBefore) {
		return true
	}
	return v.User != nil && issued.Before(v.User.NotBefore)
}

// Touch notes that a session, and a client's part in it, was used now.
func (s *Service) Touch(r *realms.Realm, id iam.SessionID, offline bool, client iam.ClientID) {
	s.toucher.touch(store.Touch{Realm: r.ID, Session: id, Offline: offline, Client: client, At: s.db.Now()})
}

// An Once is a value to store with a login that can be taken once: its code.
type Once struct {
	Key     string
	Value   []byte
	Expires time.Time
}

// A Login is what a login stores, in one transaction.
type Login struct {
	Session *iam.UserSession // inserted when New, else only its part is added
	New     bool
	Notes   bool // Session's notes changed and are written
	Part    *iam.ClientSession
	Once    []Once
	Tab     string // the authentication tab to remove, "" for none
}

// Login stores a login whole or not at all. A session id that is taken already
// - two tabs finishing at once - joins that session instead, if it is the same
// user's; else ErrGone.
func (s *Service) Login(ctx context.Context, l *Login) error {
	if l.Session == nil {
		return errNothingToLogInto
	}
	return s.db.Tx(ctx, func(tx *store.Tx) error {
		if l.New {
			err := s.insertOrJoin(ctx, tx, l.Session)
			if err != nil {
				return err
			}
		} else if l.Notes {
			if err := tx.PutUserSessionNotes(ctx, l.Session); errors.Is(err, store.ErrNotFound) {
				return ErrGone
			} else if err != nil {
				return err
			}
		}
		if l.Part != nil {
			if err := tx.PutClientSession(ctx, l.Part); err != nil {
				return err
			}
		}
		for _, o := range l.Once {
			if _, err := tx.PutOnce(ctx, l.Session.Realm, o.Key, o.Value, o.Expires); err != nil {
				return err
			}
		}
		if l.Tab != "" {
			return tx.DeleteAuthTab(ctx, l.Session.Realm, l.Session.ID, l.Tab)
		}
		return nil
	})
}

func (s *Service) insertOrJoin(ctx context.Context, tx *store.Tx, us *iam.UserSession) error {
	inserted, err := tx.InsertUserSessionIfAbsent(ctx, us)
	if err != nil || inserted {
		return err
	}
	v, err := tx.Session(ctx, us.Realm, us.ID, us.Offline, "")
	if err != nil {
		return err
	}
	if v.Session.User != us.User {
		return ErrGone
	}
	return nil
}

// GoOffline makes the offline session that an offline token stands for, or adds
// the client's part to the one that is there. With removeOnline the online
// session ends in the same transaction: Keycloak does that when the first code
// of a login is redeemed with offline_access.
// Keycloak: UserSessionManager.createOrUpdateOfflineSession, AuthenticationProcessor.FIRST_OFFLINE_ACCESS.
func (s *Service) GoOffline(ctx context.Context, online *iam.UserSession, part *iam.ClientSession, removeOnline bool) (us *iam.UserSession, p *iam.ClientSession, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		newSession, newPart := *online, *part
		us, p = &newSession, &newPart
		us.Offline, p.Offline = true, true
		p.RefreshID, p.RefreshUse = "", 0
		us.Started, us.LastAccess, p.Started, p.LastAccess = tx.Now, tx.Now, tx.Now, tx.Now
		inserted, err := tx.InsertUserSessionIfAbsent(ctx, us)
		if err != nil {
			return err
		}
		if inserted {
			err = tx.PutClientSession(ctx, p)
		} else {
			us, p, err = joinOffline(ctx, tx, us, p)
		}
		if err == nil && removeOnline {
			_, err = tx.DeleteUserSession(ctx, us.Realm, us.ID, false)
		}
		return err
	})
	return us, p, err
}

// joinOffline adds a client's part to an offline session that is there. A part
// that is there stays as it began: its older tokens are still good, and those
// that were spent are still spent.
func joinOffline(ctx context.Context, tx *store.Tx, us *iam.UserSession, p *iam.ClientSession) (*iam.UserSession, *iam.ClientSession, error) {
	v, err := tx.Session(ctx, us.Realm, us.ID, true, p.Client)
	if err != nil {
		return nil, nil, err
	}
	touch := store.Touch{Realm: us.Realm, Session: us.ID, Offline: true, At: tx.Now}
	if v.Part != nil {
		p, touch.Client = v.Part, p.Client
	} else if err := tx.PutClientSession(ctx, p); err != nil {
		return nil, nil, err
	}
	return v.Session, p, tx.TouchSessions(ctx, []store.Touch{touch})
}

// Swap writes a client's part back unless somebody changed it since it was
// read, and reports whether it did: the gate that a rotating refresh passes.
func (s *Service) Swap(ctx context.Context, p *iam.ClientSession) (won bool, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		won, err = tx.SwapClientSession(ctx, p)
		return err
	})
	return won, err
}

// End ends a user session and returns what clients had a part in it, for
// logout calls; ErrGone when there is no such session.
func (s *Service) End(ctx context.Context, r *realms.Realm, id iam.SessionID, offline bool) (parts []*iam.ClientSession, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		if parts, err = tx.ClientSessions(ctx, r.ID, id, offline); err != nil {
			return err
		}
		was, err := tx.DeleteUserSession(ctx, r.ID, id, offline)
		if err == nil && !was {
			return ErrGone
		}
		return err
	})
	return parts, err
}

// EndPart ends one client's part in a session, and an offline session with its
// last part; it reports whether the client had one.
// Keycloak: UserSessionManager.removeClientFromOfflineUserSession.
func (s *Service) EndPart(ctx context.Context, r *realms.Realm, id iam.SessionID, offline bool, client iam.ClientID) (was bool, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		if was, err = tx.DeleteClientSession(ctx, r.ID, id, offline, client); err != nil || !offline {
			return err
		}
		return tx.DeleteEmptySessions(ctx, r.ID, []iam.SessionID{id}, true)
	})
	return was, err
}

// EndLastPart ends one client's part in a session, and the session with its last
// part, online ones too: for a revoked refresh token.
// Keycloak: TokenRevocationEndpoint.revokeClientSession.
func (s *Service) EndLastPart(ctx context.Context, r *realms.Realm, id iam.SessionID, offline bool, client iam.ClientID) (was bool, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		if was, err = tx.DeleteClientSession(ctx, r.ID, id, offline, client); err != nil {
			return err
		}
		return tx.DeleteEmptySessions(ctx, r.ID, []iam.SessionID{id}, offline)
	})
	return was, err
}

// EndOfUser ends all online sessions of a user and returns their clients'
// parts. Offline sessions stay, as in Keycloak's "logout all sessions".
func (s *Service) EndOfUser(ctx context.Context, r *realms.Realm, user iam.UserID) (parts []*iam.ClientSession, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		list, err := tx.SessionsOfUser(ctx, r.ID, user, false)
		if err != nil {
			return err
		}
		ids := make([]iam.SessionID, len(list))
		for i, us := range list {
			ids[i] = us.ID
		}
		if parts, err = tx.ClientSessionsOf(ctx, r.ID, ids, false); err != nil {
			return err
		}
		_, err = tx.DeleteSessionsOfUser(ctx, r.ID, user, false)
		return err
	})
	return parts, err
}

// EndOfRealm ends all sessions of a realm, offline ones included.
// Keycloak: RealmAdminResource.logoutAll.
func (s *Service) EndOfRealm(ctx context.Context, r *realms.Realm) error {
	return s.db.Tx(ctx, func(tx *store.Tx) error {
		return errors.Join(tx.DeleteSessionsOfRealm(ctx, r.ID, false), tx.DeleteSessionsOfRealm(ctx, r.ID, true))
	})
}

// RevokeClient ends a client's part in all sessions of a user, online or
// offline, for a withdrawn consent or a revoked token. Offline sessions end
// with their last part. It reports whether there was any.
func (s *Service) RevokeClient(ctx context.Context, r *realms.Realm, client iam.ClientID, user iam.UserID, offline bool) (was bool, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		ids, err := tx.DeleteClientSessionsOf(ctx, r.ID, client, user, offline)
		if err != nil {
			return err
		}
		was = len(ids) > 0
		if offline {
			return tx.DeleteEmptySessions(ctx, r.ID, ids, true)
		}
		return nil
	})
	return was, err
}

// A Listed is a session as lists show it: with its clients' parts, and its
// user's name as it is now, "" when the user is gone.
type Listed struct {
	*iam.UserSession
	UserName string
	Parts    []*iam.ClientSession
}

// OfUser returns a user's live sessions of one kind, the latest access first.
func (s *Service) OfUser(ctx context.Context, r *realms.Realm, user iam.UserID, offline bool) ([]Listed, error) {
	list, err := s.db.SessionsOfUser(ctx, r.ID, user, offline)
	if err != nil {
		return nil, err
	}
	return s.withParts(ctx, r, list, offline)
}

// OfClient returns a page of the live sessions that a client has a part in.
func (s *Service) OfClient(ctx context.Context, r *realms.Realm, client iam.ClientID, offline bool, first, max int) ([]Listed, error) {
	list, err := s.db.SessionsOfClient(ctx, r.ID, client, offline, first, max)
	if err != nil {
		return nil, err
	}
	return s.withParts(ctx, r, list, offline)
}

// OfRealm returns a page of a realm's live sessions.
func (s *Service) OfRealm(ctx context.Context, r *realms.Realm, offline bool, first, max int) ([]Listed, error) {
	list, err := s.db.SessionsOfRealm(ctx, r.ID, offline, first, max)
	if err != nil {
		return nil, err
	}
	return s.withParts(ctx, r, list, offline)
}

func (s *Service) withParts(ctx context.Context, r *realms.Realm, list []*iam.UserSession, offline bool) ([]Listed, error) {
	now := s.db.Now()
	live := make([]Listed, 0, len(list))
	ids := make([]iam.SessionID, 0, len(list))
	var users []iam.UserID
	at := map[iam.SessionID]int{}
	for _, us := range list {
		s.toucher.adjust(&View{Session: us})
		if grace(OfUserSession(&r.Realm, us), us, &r.Realm).At(now) {
			continue
		}
		at[us.ID] = len(live)
		live = append(live, Listed{UserSession: us})
		ids = append(ids, us.ID)
		if !slices.Contains(users, us.User) {
			users = append(users, us.User)
		}
	}
	names, err := s.db.Usernames(ctx, r.ID, users)
	if err != nil {
		return nil, err
	}
	for i := range live {
		live[i].UserName = names[live[i].User]
	}
	parts, err := s.db.ClientSessionsOf(ctx, r.ID, ids, offline)
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		l := &live[at[p.Session]]
		l.Parts = append(l.Parts, p)
	}
	return live, nil
}

// Counts counts the live sessions that each client has a part in.
func (s *Service) Counts(ctx context.Context, r *realms.Realm, offline bool) (map[iam.ClientID]int64, error) {
	idle, life := userLifespans(&r.Realm, &iam.UserSession{Offline: offline})
	if !offline {
		idle, life = max(idle, r.Lifespans.SSOIdleRememberMe), max(life, r.Lifespans.SSOMaxRememberMe)
	}
	now := s.db.Now()
	var begun time.Time
	if life > 0 {
		begun = now.Add(-life)
	}
	list, err := s.db.SessionCounts(ctx, r.ID, offline, now.Add(-idle-touchLag(idle)), begun)
	if err != nil {
		return nil, err
	}
	counts := make(map[iam.ClientID]int64, len(list))
	for _, c := range list {
		counts[c.Client] = c.Count
	}
	return counts, nil
}
