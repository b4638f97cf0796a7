package migrate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// A step of a copy. Each goes on after the last row that was stored.
type step string

const (
	stepUsers       step = "users"
	stepClear       step = "clear" // what is copied anew each time is removed first
	stepOnline      step = "online sessions"
	stepOffline     step = "offline sessions"
	stepEvents      step = "events"
	stepAdminEvents step = "admin events"
	stepTokens      step = "tokens"
	stepDone        step = "done"
)

// A state is how far the copy of a realm has got. It is stored with what it speaks of.
type state struct {
	From  string    `json:"from"`  // "Keycloak 26.7.3"
	Began time.Time `json:"began"` // of the last copy or delta
	Taken time.Time `json:"taken"` // the source's time of the snapshot
	Step  step      `json:"step"`
	After string    `json:"after,omitempty"` // the last row of the step
	Print string    `json:"print"`           // of the configuration and its service accounts
	Users []byte    `json:"users,omitempty"` // of the users so far
}

func (st *state) object() (store.Object, error) {
	doc, err := json.Marshal(st)
	return store.Object{Kind: store.KindMigration, ID: realms.MigrationID, Name: realms.MigrationID, Doc: doc}, err
}

// A Mover copies realms from a source.
type Mover struct {
	Source   *Source
	Manager  *realms.Manager
	Days     int                                  // how many days of events are taken
	Progress func(realm, what string, done int64) // is told after each page
}

// ErrNotMoved refuses a realm that is here and was not copied from a Keycloak.
var ErrNotMoved = errors.New("exists here already and was not copied from a Keycloak: " +
	"begin with an empty database, or name another realm with --realm")

// Copy copies realms, or goes on with what was begun. again begins anew with those that are there.
func (m *Mover) Copy(ctx context.Context, only string, again bool) error {
	return m.each(ctx, only, func(of RealmID, st *state) error {
		switch {
		case st == nil:
			return m.begin(ctx, of)
		case again:
			return m.again(ctx, of)
		case st.Step == stepDone:
			m.tell(of, "is copied already; what has changed since comes with delta", 0)
			return nil
		}
		print, err := m.print(ctx, of)
		if err != nil {
			return err
		}
		if print != st.Print {
			return fmt.Errorf("realm %s: its configuration has changed since its copy began: copy it from the beginning with --again", of.Name)
		}
		return m.run(ctx, of, st)
	})
}

// Delta brings what has changed since the copy. Where configuration or users have, the realm is
// copied anew: no table of theirs says what changed. Sessions and events always are.
func (m *Mover) Delta(ctx context.Context, only string) error {
	return m.each(ctx, only, func(of RealmID, st *state) error {
		if st == nil {
			return m.begin(ctx, of)
		}
		if st.Step != stepDone {
			return fmt.Errorf("realm %s: its copy has not been finished: run copy again, which goes on with it", of.Name)
		}
		print, err := m.print(ctx, of)
		if err != nil {
			return err
		}
		users, err := m.usersPrint(ctx, of)
		if err != nil {
			return err
		}
		if print != st.Print || string(users) != string(st.Users) {
			return m.again(ctx, of)
		}
		st.Step, st.After, st.Began, st.Taken = stepClear, "", m.Manager.Clock(), m.Source.Taken
		return m.run(ctx, of, st)
	})
}

// each finds how far every realm has got.
func (m *Mover) each(ctx context.Context, only string, f func(of RealmID, st *state) error) error {
	list, err := m.Source.selected(ctx, only)
	if err != nil {
		return err
	}
	for _, of := range list {
		st, err := m.state(ctx, of)
		if err == nil {
			err = f(of, st)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// state is nil where there is no such realm yet.
func (m *Mover) state(ctx context.Context, of RealmID) (*state, error) {
	_, doc, err := m.Manager.Moved(ctx, of.Name)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case doc == nil:
		return nil, fmt.Errorf("realm %s %w", of.Name, ErrNotMoved)
	}
	st := new(state)
	return st, json.Unmarshal(doc, st)
}

func (m *Mover) tell(of RealmID, what string, done int64) {
	if m.Progress != nil {
		m.Progress(of.Name, what, done)
	}
}

// begin stores a realm with the users that stand for its clients, and then all the rest.
func (m *Mover) begin(ctx context.Context, of RealmID) error {
	r, err := m.Source.Realm(ctx, of)
	if err != nil {
		return err
	}
	st := &state{From: "Keycloak " + m.Source.Version.Text, Began: m.Manager.Clock(), Taken: m.Source.Taken, Step: stepUsers}
	if st.Print, err = fingerprint(r); err != nil {
		return err
	}
	o, err := st.object()
	if err != nil {
		return err
	}
	_, err = m.Manager.Import(ctx, []*realms.RealmFile{realms.FileOf(m.Source.where(of), r)},
		realms.ImportOptions{OnConflict: realms.Fail, AcceptGaps: true, Objects: []store.Object{o}})
	if err != nil {
		return err
	}
	m.tell(of, "configuration", int64(len(r.Clients)))
	return m.run(ctx, of, st)
}

func (m *Mover) again(ctx context.Context, of RealmID) error {
	if err := m.Manager.Drop(ctx, of.Name); err != nil {
		return err
	}
	return m.begin(ctx, of)
}

// fingerprint tells whether two readings of a realm are the same.
func fingerprint(v any) (string, error) {
	text, err := json.Marshal(v)
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), err
}

func (m *Mover) print(ctx context.Context, of RealmID) (string, error) {
	r, err := m.Source.Realm(ctx, of)
	if err != nil {
		return "", err
	}
	return fingerprint(r)
}

// chained is the fingerprint of a page of users and of those before it, with the tokens
// of identity providers, which no representation shows.
func chained(before []byte, page []rep.User) ([]byte, error) {
	text, err := json.Marshal(page)
	h := sha256.New()
	h.Write(before)
	h.Write(text)
	for i := range page {
		for _, link := range page[i].FederatedIdentities {
			h.Write([]byte(link.Token))
		}
	}
	return h.Sum(nil), err
}

func (m *Mover) usersPrint(ctx context.Context, of RealmID) (print []byte, err error) {
	for page, err := range m.Source.Users(ctx, of, "") {
		if err != nil {
			return nil, err
		}
		if print, err = chained(print, page.List); err != nil {
			return nil, err
		}
	}
	return print, nil
}

// run does the steps that are left.
func (m *Mover) run(ctx context.Context, of RealmID, st *state) error {
	for st.Step != stepDone {
		if err := m.steps()[st.Step](ctx, of, st); err != nil {
			return fmt.Errorf("realm %s, %s: %w", of.Name, st.Step, err)
		}
		if err := m.next(ctx, of, st); err != nil {
			return err
		}
	}
	return nil
}

func (m *Mover) steps() map[step]func(context.Context, RealmID, *state) error {
	return map[step]func(context.Context, RealmID, *state) error{
		stepUsers: m.users, stepClear: m.clear, stepOnline: m.online, stepOffline: m.offline, stepEvents: m.events,
		stepAdminEvents: m.adminEvents, stepTokens: m.tokens,
	}
}

// order is that of the steps: a session that is there online and offline begins online.
var order = map[step]step{stepUsers: stepClear, stepClear: stepOnline, stepOnline: stepOffline, stepOffline: stepEvents,
	stepEvents: stepAdminEvents, stepAdminEvents: stepTokens, stepTokens: stepDone}

// next stores that a step is over.
func (m *Mover) next(ctx context.Context, of RealmID, st *state) error {
	st.Step, st.After = order[st.Step], ""
	return m.store(ctx, of, st, func(*store.Tx) error { return nil })
}

// store writes something, and how far the copy has got with it, in one transaction.
func (m *Mover) store(ctx context.Context, of RealmID, st *state, write func(*store.Tx) error) error {
	o, err := st.object()
	if err != nil {
		return err
	}
	return m.Manager.Cache.DB().Tx(ctx, func(tx *store.Tx) error {
		if err := write(tx); err != nil {
			return err
		}
		return tx.ReplaceObject(ctx, iam.RealmID(of.ID), o)
	})
}

func (m *Mover) users(ctx context.Context, of RealmID, st *state) error {
	w, err := m.Manager.UserWriter(ctx, of.Name)
	if err != nil {
		return err
	}
	done := int64(0)
	for page, err := range m.Source.Users(ctx, of, st.After) {
		if err != nil {
			return err
		}
		if st.Users, err = chained(st.Users, page.List); err != nil {
			return err
		}
		st.After = page.Last
		o, err := st.object()
		if err != nil {
			return err
		}
		if err := w.Add(ctx, page.List, o); err != nil {
			return err
		}
		done += int64(len(page.List))
		m.tell(of, "users", done)
	}
	return nil
}

func (m *Mover) clear(ctx context.Context, of RealmID, st *state) error {
	for {
		var n int64
		err := m.store(ctx, of, st, func(tx *store.Tx) (err error) {
			n, err = tx.ClearMoved(ctx, iam.RealmID(of.ID), pageSize)
			return err
		})
		if err != nil {
			return err
		}
		if n == 0 {
			return m.store(ctx, of, st, func(tx *store.Tx) error {
				return errors.Join(tx.ClearEvents(ctx, iam.RealmID(of.ID)), tx.ClearAdminEvents(ctx, iam.RealmID(of.ID)))
			})
		}
	}
}

func (m *Mover) online(ctx context.Context, of RealmID, st *state) error {
	return m.sessions(ctx, of, st, iam.Online)
}

func (m *Mover) offline(ctx context.Context, of RealmID, st *state) error {
	return m.sessions(ctx, of, st, iam.Offline)
}

func (m *Mover) sessions(ctx context.Context, of RealmID, st *state, kind iam.SessionKind) error {
	if kind == iam.Online && !m.Source.onlineSessions() {
		return nil // rows that are there are of a preview, and nobody knows how whole they are
	}
	return pages(ctx, m, of, st, m.Source.Sessions(ctx, of, kind, st.After), func(tx *store.Tx, x store.MovedSession) error {
		if _, err := tx.AddMoved(ctx, x); err != nil {
			return fmt.Errorf("session %s: %w", x.Session.ID, err)
		}
		return nil
	})
}

// since is from when on events are taken, in milliseconds.
func (m *Mover) since() int64 { return m.Source.Taken.AddDate(0, 0, -m.Days).UnixMilli() }

func (m *Mover) events(ctx context.Context, of RealmID, st *state) error {
	list := paged(st.After, func(after string) (Page[*iam.Event], error) { return m.Source.eventPage(ctx, of, after, m.since()) })
	return pages(ctx, m, of, st, list, func(tx *store.Tx, e *iam.Event) error { return tx.InsertEvent(ctx, e) })
}

func (m *Mover) adminEvents(ctx context.Context, of RealmID, st *state) error {
	list := paged(st.After, func(after string) (Page[*iam.AdminEvent], error) {
		return m.Source.adminEventPage(ctx, of, after, m.since())
	})
	return pages(ctx, m, of, st, list, func(tx *store.Tx, e *iam.AdminEvent) error { return tx.InsertAdminEvent(ctx, e) })
}

// pages stores what is read page by page, each with how far the copy has got by it.
func pages[T any](ctx context.Context, m *Mover, of RealmID, st *state, list iter.Seq2[Page[T], error],
	write func(*store.Tx, T) error) error {
	done := int64(0)
	for page, err := range list {
		if err != nil {
			return err
		}
		st.After = page.Last
		err = m.store(ctx, of, st, func(tx *store.Tx) error {
			for _, x := range page.List {
				if err := write(tx, x); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		done += int64(len(page.List))
		m.tell(of, string(st.Step), done)
	}
	return nil
}

// tokens takes initial access tokens, and the ids of revoked tokens. These do not say of
// which realm they are: every realm refuses them.
func (m *Mover) tokens(ctx context.Context, of RealmID, st *state) error {
	return m.store(ctx, of, st, func(tx *store.Tx) error {
		err := m.Source.each(ctx, func(x row) error {
			a := rep.ClientInitialAccess{ID: x.text("id"), Timestamp: x.integer("timestamp"), Expiration: x.integer("expiration"),
				Count:          x.integer("count"),
				RemainingCount: x.integer("remaining_count")}
			doc, err := rep.Marshal(&a)
			if err != nil {
				return err
			}
			return tx.ReplaceObject(ctx, iam.RealmID(of.ID), store.Object{Kind: store.KindInitialAccess, ID: a.ID, Name: a.ID,
				Position: x.num("timestamp") * 1000, Doc: doc})
		}, `select * from CLIENT_INITIAL_ACCESS where REALM_ID = ?`, of.ID)
		if err != nil || !m.Source.has("REVOKED_TOKEN") {
			return err
		}
		return m.Source.each(ctx, func(x row) error {
			_, err := tx.PutSingleUse(ctx, iam.RealmID(of.ID), store.SingleUse{Key: "revoked " + x.text("id"), Value: []byte("{}"),
				Expires: time.Unix(x.num("expire"), 0)})
			return err
		}, `select * from REVOKED_TOKEN where EXPIRE > ?`, m.Source.Taken.Unix())
	})
}
