package sessions

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"latchkey/internal/deliveries"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/store"
)

// A Service begins, finds and ends sessions. It is safe for concurrent use.
type Service struct {
	db      *store.DB
	hooks   *deliveries.Hooks
	toucher *Toucher
}

// An Ending is a session that has ended, with the parts that clients had in it.
type Ending = store.Ending

// New makes a Service. It notes last accesses and writes them at each Flush.
// What begins and ends is told to hooks, inside the transaction; nil tells nobody.
func New(db *store.DB, hooks *deliveries.Hooks) *Service {
	return &Service{db: db, hooks: hooks, toucher: newToucher(db)}
}

// The reasons why a session cannot be used. Each is told apart by Find, since
// protocols answer differently and people want to know.
var (
	ErrGone                 = errors.New("session: there is no such session")
	ErrExpired              = errors.New("session: it has timed out")
	ErrNoClientSession      = errors.New("session: the client has no part in it")
	ErrClientSessionExpired = errors.New("session: the client's part has timed out")
	ErrUserGone             = errors.New("session: its user is gone")
	ErrUserDisabled         = errors.New("session: its user is disabled")
	ErrClientDisabled       = errors.New("session: the client is disabled or gone")
	ErrRealmDisabled        = errors.New("session: the realm is disabled")
	ErrUsed                 = errors.New("session: the id of a new one has been used by another")
	ErrChanged              = errors.New("session: the client's part was changed since it was read")
	ErrBeforeNotBefore      = errors.New("session: the token was issued before a not-before of realm, client or user")
	// ErrForgotten is an ErrExpired: of a remembered session, in a realm that remembers none.
	ErrForgotten        = fmt.Errorf("%w: remember me is switched off", ErrExpired)
	errNothingToLogInto = errors.New("session: Login needs a user session")
)

// A View is a session that was found, with the switches as of now.
type View = store.SessionView

// Find returns a live session with the client's part in it. client nil asks
// for the user session alone. The view comes with the error, too, unless the
// session is gone: what timed out can still be told about.
func (s *Service) Find(ctx context.Context, r *realms.Realm, ref iam.SessionRef, client *iam.Client) (*View, error) {
	return s.FindFor(ctx, r, ref, client, "")
}

// FindFor is Find for a presented token, whose key is looked up in the same
// statement: the view's Revoked tells whether the token is revoked.
func (s *Service) FindFor(ctx context.Context, r *realms.Realm, ref iam.SessionRef, client *iam.Client, key string) (*View, error) {
	var clientID iam.ClientID
	if client != nil {
		clientID = client.ID
	}
	if ref.ID == "" {
		return nil, ErrGone
	}
	now := s.db.Now()
	v, err := s.db.SessionAndSingleUse(ctx, r.ID, ref, clientID, key, now)
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrGone
	}
	if err != nil {
		return nil, err
	}
	return v, s.judge(r, v, client, now)
}

// judge brings a view up to date and says what Find says of it.
func (s *Service) judge(r *realms.Realm, v *View, client *iam.Client, now time.Time) error {
	s.toucher.adjust(v)
	switch {
	case !v.RealmEnabled:
		return ErrRealmDisabled
	case v.User == nil:
		return ErrUserGone
	case forgotten(&r.Realm, v.Session):
		return ErrForgotten
	case grace(OfUserSession(&r.Realm, v.Session), v.Session, &r.Realm).At(now):
		return ErrExpired
	case client == nil:
		return nil
	case v.ClientSession == nil:
		return ErrNoClientSession
	case OfClientSession(&r.Realm, client, v.Session, v.ClientSession).At(now):
		return ErrClientSessionExpired
	case !v.ClientEnabled:
		return ErrClientDisabled
	}
	return nil
}

// Look is Find for who minds the online session alone, and takes the client's
// part along: live tells whether it can be gone on with.
func (s *Service) Look(ctx context.Context, r *realms.Realm, ref iam.SessionRef, client *iam.Client) (v *View, live bool, err error) {
	v, err = s.Find(ctx, r, ref, client)
	if errors.Is(err, ErrNoClientSession) || errors.Is(err, ErrClientSessionExpired) || errors.Is(err, ErrClientDisabled) {
		return v, false, nil
	}
	return v, err == nil, err
}

// grace lengthens idle times by what the last access may lag behind, so that
// nobody is logged out by our saving of writes.
func grace(e Expiry, s *iam.UserSession, r *iam.Realm) Expiry {
	idle, _ := userLifespans(r, s)
	e.Idle = e.Idle.Add(touchLag(idle))
	return e
}

// Life says until when a stored session lives, with its last access as this
// node knows it, and whether it still does.
func (s *Service) Life(r *realms.Realm, us *iam.UserSession) (e Expiry, live bool) {
	s.toucher.adjust(&View{Session: us})
	e = OfUserSession(&r.Realm, us)
	return e, !grace(e, us, &r.Realm).At(s.db.Now())
}

// ClientSessions returns the parts of clients in live sessions, with what is
// not written yet.
func (s *Service) ClientSessions(ctx context.Context, r *realms.Realm, refs iam.SessionRefs) ([]*iam.ClientSession, error) {
	list, err := s.db.ClientSessionsOf(ctx, r.ID, refs)
	for _, p := range list {
		s.toucher.adjustClientSession(p)
	}
	return list, err
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

// A SingleUse is a value to store with a login that can be taken once: its code.
type SingleUse = store.SingleUse

// A Login is what a login stores, in one transaction.
type Login struct {
	Realm         *realms.Realm
	Session       *iam.UserSession // inserted when New, else only its part is added
	New           bool
	Notes         bool // Session's notes changed and are written
	ClientSession *iam.ClientSession
	SingleUse     []SingleUse
	Root          iam.SessionID // of Tab
	Tab           string        // the authentication tab to remove, "" for none
}

// Login stores a login whole or not at all. A session id that is taken already
// - two tabs finishing at once - joins that session instead, if it is the same
// user's. An id that another login has, or had, is ErrUsed: the caller takes a new
// one. A part that somebody changed since it was read is not
// written over, since a refresh token that was spent must stay spent: ErrChanged.
func (s *Service) Login(ctx context.Context, l *Login) error {
	if l.Session == nil {
		return errNothingToLogInto
	}
	if !l.New && !l.Notes && l.Tab == "" && l.ClientSession != nil {
		return s.db.Single(ctx, func(tx *store.Tx) error { return won(tx.Rejoin(ctx, l.ClientSession, l.SingleUse)) })
	}
	return s.db.Tx(ctx, func(tx *store.Tx) error {
		if l.New {
			isNew, err := s.insertOrJoin(ctx, tx, l.Session)
			if err != nil {
				return err
			}
			if isNew {
				if err := s.began(ctx, tx, l.Realm, l.Session, l.ClientSession); err != nil {
					return err
				}
			}
		} else if l.Notes {
			if err := tx.PutUserSessionNotes(ctx, l.Session); errors.Is(err, store.ErrNotFound) {
				return ErrGone
			} else if err != nil {
				return err
			}
		}
		if l.ClientSession != nil {
			if err := put(ctx, tx, l.ClientSession); err != nil {
				return err
			}
		}
		for _, o := range l.SingleUse {
			if _, err := tx.PutSingleUse(ctx, l.Session.Realm, o); err != nil {
				return err
			}
		}
		if l.Tab != "" {
			return tx.DeleteAuthTab(ctx, l.Session.Realm, l.Root, l.Tab)
		}
		return nil
	})
}

// RetryChanged runs f, which reads a client's part and writes it, and again while
// others change the part in between: ten times at most.
func RetryChanged(f func() error) (err error) {
	for range 10 {
		if err = f(); !errors.Is(err, ErrChanged) {
			return err
		}
	}
	return err
}

func put(ctx context.Context, tx *store.Tx, p *iam.ClientSession) error {
	return won(tx.PutClientSession(ctx, p))
}

// won is the error of writing a client's part.
func won(was bool, err error) error {
	switch {
	case errors.Is(err, store.ErrOrphan):
		return ErrGone
	case err == nil && !was:
		return ErrChanged
	}
	return err
}

func (s *Service) insertOrJoin(ctx context.Context, tx *store.Tx, us *iam.UserSession) (isNew bool, err error) {
	inserted, err := tx.BeginSession(ctx, us)
	if err != nil || inserted {
		return inserted, err
	}
	v, err := tx.Session(ctx, us.Realm, us.Ref(), "")
	if errors.Is(err, store.ErrNotFound) || err == nil && v.Session.User != us.User {
		return false, ErrUsed
	}
	return false, err
}

func (s *Service) began(ctx context.Context, tx *store.Tx, r *realms.Realm, us *iam.UserSession, part *iam.ClientSession) error {
	if s.hooks == nil {
		return nil
	}
	return s.hooks.Began(ctx, tx, r, us, part)
}

// An OfflineGrant is what an offline session is made of.
type OfflineGrant struct {
	Online        *iam.UserSession   // that it comes out of, or would have been
	ClientSession *iam.ClientSession // the client's, with the origin of the offline part
	EndOnline     bool               // the online session ends in the same step
	Stored        bool               // Online is stored: the offline session came out of it
	Token         string             // id of the code or token that led to it, for the record
}

// GoOffline makes the offline session that an offline token stands for, or adds
// the client's part to the one that is there; ErrGone when that is another user's.
// With EndOnline the online session
// ends in the same transaction: Keycloak does that when the first code of a
// login is redeemed with offline_access.
// Keycloak: UserSessionManager.createOrUpdateOfflineSession, AuthenticationProcessor.FIRST_OFFLINE_ACCESS.
func (s *Service) GoOffline(ctx context.Context, r *realms.Realm, g OfflineGrant) (us *iam.UserSession, p *iam.ClientSession, err error) {
	write := func(tx *store.Tx) error {
		newSession, newPart := *g.Online, *g.ClientSession
		us, p = &newSession, &newPart
		us.Offline, p.Offline = true, true
		if g.Stored {
			us.Origin = iam.Origin{How: iam.HowOffline, Client: p.Client, Online: true}
		}
		p.Chains, p.Refreshes, p.Issued, p.Version = nil, 0, "", 0
		us.Started, us.LastAccess, p.Started, p.LastAccess = tx.Now, tx.Now, tx.Now, tx.Now
		inserted, err := tx.BeginSession(ctx, us)
		if err != nil {
			return err
		}
		if inserted {
			if err = put(ctx, tx, p); err == nil {
				err = s.began(ctx, tx, r, us, p)
			}
		} else {
			us, p, err = joinOffline(ctx, tx, us, p)
		}
		if err == nil && g.EndOnline {
			scope := p.Origin.Scopes.Only(scopeOffline)
			_, err = s.endAll(ctx, tx, r, iam.SessionRef{ID: us.ID, Kind: iam.Online, User: us.User}.Only(), iam.End{Reason: iam.ReplacedByOffline,
				By: iam.ActorClient, Client: p.Client,
				Rule: cmp.Or(string(scope), scopeOffline+":"), Scopes: scope, Token: g.Token})
		}
		return err
	}
	err = RetryChanged(func() error { return s.db.Tx(ctx, write) })
	return us, p, err
}

// scopeOffline is tokens.ScopeOffline, of a room above this one.
const scopeOffline = "offline_access"

// joinOffline adds a client's part to an offline session that is there. A part
// that is there stays as it began: its older tokens are still good, and those
// that were spent are still spent. One of another user is not there for this one.
func joinOffline(ctx context.Context, tx *store.Tx, us *iam.UserSession,
	p *iam.ClientSession) (*iam.UserSession, *iam.ClientSession, error) {
	v, err := tx.Session(ctx, us.Realm, us.Ref(), p.Client)
	if errors.Is(err, store.ErrNotFound) || err == nil && v.Session.User != us.User {
		return nil, nil, ErrGone
	}
	if err != nil {
		return nil, nil, err
	}
	touch := store.Touch{Realm: us.Realm, Session: us.ID, Kind: iam.Offline, At: tx.Now}
	if v.ClientSession != nil {
		p, touch.Client = v.ClientSession, p.Client
	} else if err := put(ctx, tx, p); err != nil {
		return nil, nil, err
	}
	return v.Session, p, tx.TouchSessions(ctx, []store.Touch{touch})
}

// endAll ends what there is of some sessions, with a record of each.
func (s *Service) endAll(ctx context.Context, tx *store.Tx, r *realms.Realm, refs iam.SessionRefs, e iam.End) ([]*Ending, error) {
	list, err := tx.EndSessions(ctx, r.ID, refs, func(x *Ending) { s.complete(r, x); x.End = e })
	if err != nil {
		return nil, err
	}
	return list, s.tell(ctx, tx, r, list)
}

// DeleteUser removes a user with all that belongs to them, as a part of tx: the
// sessions that end with the user are recorded and told of like others. by says
// who removed the user; its reason is UserRemoved.
func (s *Service) DeleteUser(ctx context.Context, tx *store.Tx, r *realms.Realm, id iam.UserID, by iam.End) error {
	by.Reason = iam.UserRemoved
	list, err := tx.DeleteUser(ctx, r.ID, id, func(x *Ending) {
		s.complete(r, x)
		x.End = by
	})
	if err != nil {
		return err
	}
	return s.tell(ctx, tx, r, list)
}

// complete fills in what of a session is not written yet, and leaves of its
// address what the realm keeps in records.
func (s *Service) complete(r *realms.Realm, x *Ending) {
	s.toucher.adjust(&View{Session: x.Session})
	x.Session.IP = r.KeptAddress(x.Session.IP)
	for _, p := range x.ClientSessions {
		s.toucher.adjustClientSession(p)
	}
}

func (s *Service) tell(ctx context.Context, tx *store.Tx, r *realms.Realm, list []*Ending) error {
	if s.hooks == nil || len(list) == 0 {
		return nil
	}
	return s.hooks.Ended(ctx, tx, r, list)
}

func partsOf(list []*Ending) (parts []*iam.ClientSession) {
	for _, x := range list {
		parts = append(parts, x.ClientSessions...)
	}
	return parts
}

// End ends a user session and returns what clients had a part in it, for
// logout calls; ErrGone when there is no such session.
func (s *Service) End(ctx context.Context, r *realms.Realm, ref iam.SessionRef, e iam.End) (parts []*iam.ClientSession, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		_, parts, err = s.endOne(ctx, tx, r, ref, e)
		return err
	})
	return parts, err
}

func (s *Service) endOne(ctx context.Context, tx *store.Tx, r *realms.Realm, ref iam.SessionRef,
	e iam.End) ([]*Ending, []*iam.ClientSession, error) {
	list, err := s.endAll(ctx, tx, r, ref.Only(), e)
	if err == nil && len(list) == 0 {
		err = ErrGone
	}
	return list, partsOf(list), err
}

// A Within is run in the transaction that ends sessions: what it stores is
// stored if, and only if, they end. It may run more than once.
type Within func(ctx context.Context, tx *store.Tx, list []*Ending) error

// Logout is End for a session that somebody ended on purpose, with more in the
// same transaction. With an offline session the online one goes that it came out
// of; its clients are not among those that are returned and told.
// Keycloak: AuthenticationManager.backchannelLogout.
func (s *Service) Logout(ctx context.Context, r *realms.Realm, ref iam.SessionRef, e iam.End,
	within Within) (parts []*iam.ClientSession, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		var list []*Ending
		if list, parts, err = s.endOne(ctx, tx, r, ref, e); err != nil {
			return err
		}
		if ref.Kind == iam.Offline {
			online := e
			online.Rule = strings.TrimPrefix(e.Rule+", with its offline session", ", ")
			if _, err := s.endAll(ctx, tx, r, iam.SessionRef{ID: ref.ID, Kind: iam.Online, User: ref.User}.Only(), online); err != nil {
				return err
			}
		}
		return within.run(ctx, tx, list, nil)
	})
	return parts, err
}

func (w Within) run(ctx context.Context, tx *store.Tx, list []*Ending, err error) error {
	if err != nil || w == nil {
		return err
	}
	return w(ctx, tx, list)
}

// EndLastClientSession ends one client's part in a session, and the session with its last
// part, online ones too: for a revoked refresh token.
// Keycloak: TokenRevocationEndpoint.revokeClientSession.
func (s *Service) EndLastClientSession(ctx context.Context, r *realms.Realm, ref iam.SessionRef, client iam.ClientID,
	e iam.End) (was bool, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		parts, err := tx.EndClientSessions(ctx, r.ID, ref.Only(), client, s.toucher.adjustClientSession, e)
		if was = len(parts) > 0; err != nil || !was {
			return err
		}
		_, err = s.endEmpty(ctx, tx, r, ref.Only(), e)
		return err
	})
	return was, err
}

func (s *Service) endEmpty(ctx context.Context, tx *store.Tx, r *realms.Realm, refs iam.SessionRefs, e iam.End) ([]*Ending, error) {
	list, err := tx.EndEmptySessions(ctx, r.ID, refs, func(x *Ending) { s.complete(r, x); x.End = e })
	if err != nil {
		return nil, err
	}
	return list, s.tell(ctx, tx, r, list)
}

// EndOfUser ends all online sessions of a user and returns their clients'
// parts. Offline sessions stay, as in Keycloak's "logout all sessions". within,
// which may be nil, runs in the same transaction.
func (s *Service) EndOfUser(ctx context.Context, r *realms.Realm, user iam.UserID, e iam.End,
	within Within) (parts []*iam.ClientSession, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		refs, err := tx.SessionRefsOfUser(ctx, r.ID, user, iam.Online)
		if err != nil {
			return err
		}
		list, err := s.endAll(ctx, tx, r, refs, e)
		parts = partsOf(list)
		return within.run(ctx, tx, list, err)
	})
	return parts, err
}

// EndOfRealm ends all sessions of a realm, offline ones included. It does so in
// steps: whoever wants them all refused at once sets the realm's not-before first.
// Keycloak: RealmAdminResource.logoutAll.
func (s *Service) EndOfRealm(ctx context.Context, r *realms.Realm, e iam.End) error {
	for _, kind := range iam.SessionKinds() {
		err := s.db.InChunks(ctx, sweepChunk, func(tx *store.Tx) (int64, error) {
			refs, err := tx.SessionRefsOfRealm(ctx, r.ID, kind, sweepChunk)
			if err != nil {
				return 0, err
			}
			_, err = s.endAll(ctx, tx, r, refs, e)
			return int64(len(refs.IDs)), err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// RevokeClient ends a client's part in all sessions of a user, online or
// offline, for a withdrawn consent or a revoked token. Offline sessions end
// with their last part. It reports whether there was any.
func (s *Service) RevokeClient(ctx context.Context, r *realms.Realm, client iam.ClientID, user iam.UserID, kind iam.SessionKind,
	e iam.End) (was bool, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		refs, err := tx.SessionRefsWith(ctx, r.ID, client, user, kind)
		if err != nil {
			return err
		}
		parts, err := tx.EndClientSessions(ctx, r.ID, refs, client, s.toucher.adjustClientSession, e)
		if err != nil {
			return err
		}
		was = len(parts) > 0
		if kind == iam.Offline {
			_, err = s.endEmpty(ctx, tx, r, refs, e)
		}
		return err
	})
	return was, err
}

// A Listed is a session as lists show it: with its clients' parts, and its
// user's name as it is now, "" when the user is gone.
type Listed struct {
	*iam.UserSession
	UserName       string
	ClientSessions []*iam.ClientSession
}

// OfUser returns a user's live sessions of one kind, the latest access first.
func (s *Service) OfUser(ctx context.Context, r *realms.Realm, user iam.UserID, kind iam.SessionKind) ([]Listed, error) {
	var list []*iam.UserSession
	var parts []*iam.ClientSession
	var names map[iam.UserID]string
	err := s.db.Together(
		func() (err error) { list, err = s.db.SessionsOfUser(ctx, r.ID, user, kind); return err },
		func() (err error) { parts, err = s.db.ClientSessionsOfUser(ctx, r.ID, user, kind); return err },
		func() (err error) { names, err = s.db.Usernames(ctx, r.ID, []iam.UserID{user}); return err },
	)
	if err != nil {
		return nil, err
	}
	return listed(s.live(r, list), names, parts), nil
}

// OfBroker returns the live sessions that came out of one session at an identity provider ("alias.sid").
func (s *Service) OfBroker(ctx context.Context, r *realms.Realm, there string, kind iam.SessionKind) ([]*iam.UserSession, error) {
	list, err := s.db.SessionsOfBroker(ctx, r.ID, there, kind)
	return s.live(r, list), err
}

// An Outline is a session of Overview.
type Outline = store.SessionOutline

// Overview is OfUser without the notes and origins of sessions, and without what
// is known of the parts but whose they are: that is most of what OfUser takes.
func (s *Service) Overview(ctx context.Context, r *realms.Realm, user iam.UserID, kind iam.SessionKind) ([]Outline, error) {
	list, err := s.db.OutlinesOfUser(ctx, r.ID, user, kind)
	now := s.db.Now()
	return slices.DeleteFunc(list, func(x Outline) bool { return s.over(r, x.UserSession, now) }), err
}

// OfClient returns a page of the live sessions that a client has a part in.
func (s *Service) OfClient(ctx context.Context, r *realms.Realm, client iam.ClientID, kind iam.SessionKind, first,
	max int) ([]Listed, error) {
	list, err := s.db.SessionsOfClient(ctx, r.ID, client, kind, first, max)
	if err != nil {
		return nil, err
	}
	return s.withParts(ctx, r, list, kind)
}

// OfRealm returns a page of a realm's live sessions.
func (s *Service) OfRealm(ctx context.Context, r *realms.Realm, kind iam.SessionKind, first, max int) ([]Listed, error) {
	list, err := s.db.SessionsOfRealm(ctx, r.ID, kind, first, max)
	if err != nil {
		return nil, err
	}
	return s.withParts(ctx, r, list, kind)
}

func (s *Service) withParts(ctx context.Context, r *realms.Realm, list []*iam.UserSession, kind iam.SessionKind) ([]Listed, error) {
	list = s.live(r, list)
	ids := make([]iam.SessionID, len(list))
	var users []iam.UserID
	for i, us := range list {
		ids[i] = us.ID
		if !slices.Contains(users, us.User) {
			users = append(users, us.User)
		}
	}
	var names map[iam.UserID]string
	var parts []*iam.ClientSession
	err := s.db.Together(
		func() (err error) { names, err = s.db.Usernames(ctx, r.ID, users); return err },
		func() (err error) {
			parts, err = s.db.ClientSessionsOf(ctx, r.ID, iam.SessionRefs{Kind: kind, IDs: ids})
			return err
		},
	)
	if err != nil {
		return nil, err
	}
	return listed(list, names, parts), nil
}

// live leaves out sessions whose time is over.
func (s *Service) live(r *realms.Realm, list []*iam.UserSession) []*iam.UserSession {
	now := s.db.Now()
	return slices.DeleteFunc(list, func(us *iam.UserSession) bool { return s.over(r, us, now) })
}

// over brings a session up to date and tells whether its time is over.
func (s *Service) over(r *realms.Realm, us *iam.UserSession, now time.Time) bool {
	s.toucher.adjust(&View{Session: us})
	return grace(OfUserSession(&r.Realm, us), us, &r.Realm).At(now)
}

// listed brings together what was read apart; parts of other sessions are left out.
func listed(list []*iam.UserSession, names map[iam.UserID]string, parts []*iam.ClientSession) []Listed {
	out := make([]Listed, len(list))
	at := make(map[iam.SessionID]*Listed, len(list))
	for i, us := range list {
		out[i] = Listed{UserSession: us, UserName: names[us.User]}
		at[us.ID] = &out[i]
	}
	for _, p := range parts {
		if l := at[p.Session]; l != nil {
			l.ClientSessions = append(l.ClientSessions, p)
		}
	}
	return out
}

// Together runs reads that do not need each other's answers at once, where that
// saves round trips to the database. It returns the first error in their order.
func (s *Service) Together(reads ...func() error) error { return s.db.Together(reads...) }

// Counts counts the live sessions that each client has a part in.
func (s *Service) Counts(ctx context.Context, r *realms.Realm, kind iam.SessionKind) (map[iam.ClientID]int64, error) {
	idle, life := userLifespans(&r.Realm, &iam.UserSession{Offline: bool(kind)})
	if kind == iam.Online {
		idle, life = max(idle, r.Lifespans.SSOIdleRememberMe), max(life, r.Lifespans.SSOMaxRememberMe)
	}
	now := s.db.Now()
	var begun time.Time
	if life > 0 {
		begun = now.Add(-life)
	}
	list, err := s.db.SessionCounts(ctx, r.ID, kind, now.Add(-idle-touchLag(idle)), begun)
	if err != nil {
		return nil, err
	}
	counts := make(map[iam.ClientID]int64, len(list))
	for _, c := range list {
		counts[c.Client] = c.Count
	}
	return counts, nil
}
