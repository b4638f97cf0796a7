package records

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
	"latchkey/internal/store"
)

// A Counter counts what robots can cause at will: refused logins, refused tokens,
// and tokens that have no session. What is alike within an hour is one row, so
// nobody can fill the store; it is written behind, so a refusal costs no write.
// A crash loses what happened in the last second. It is safe for concurrent use.
type Counter struct {
	db       *store.DB
	flushing sync.Mutex // one at a time: who has flushed reads what others flushed
	mu       sync.Mutex
	due      map[store.OccurrenceKey]*store.Occurrence
	seen     map[spread]map[string]bool // addresses of this hour
	hour     int64
	serial   atomic.Uint32 // of support codes: no two of one node are alike
}

// NewCounter makes a Counter. Its Run writes behind.
func NewCounter(db *store.DB) *Counter {
	l := &Counter{db: db, due: map[store.OccurrenceKey]*store.Occurrence{}, seen: map[spread]map[string]bool{}}
	var start [4]byte
	_, _ = rand.Read(start[:]) // never fails
	l.serial.Store(binary.BigEndian.Uint32(start[:]))
	return l
}

// A spread is what happens to a user and client, from whatever address.
type spread struct {
	realm  iam.RealmID
	user   iam.UserID
	client iam.ClientID
	reason string
}

const (
	// maxAddresses bounds how many addresses one spread is told apart by in an
	// hour, on one node; the rest are counted together.
	maxAddresses = 50
	// maxSpreads bounds what one node tells apart in an hour; beyond it users are
	// counted together.
	maxSpreads = 20_000
)

// Refused counts an error event, and gives it its support code. The client is the one that the event names, if
// there is one.
func (l *Counter) Refused(ctx context.Context, r *realms.Realm, e *iam.Event) {
	if x := Refusal(ctx, r, e); x != nil {
		l.add(r, x, l.db.Now())
		e.Support = l.supportCode(r.ID, x.OccurrenceKey.ID())
	}
}

// Refusal is what an error event comes to, nil for what is no refusal of a login or
// a token. When it was is left to the caller; see At.
func Refusal(ctx context.Context, r *realms.Realm, e *iam.Event) *store.Occurrence {
	reason := reasonOf(e)
	if reason == "" {
		return nil
	}
	x := &store.Occurrence{OccurrenceKey: store.OccurrenceKey{Realm: r.ID, Kind: store.Refused, User: e.User, IP: e.IP,
		Reason: string(reason)}, Count: 1}
	if x.User == "" {
		x.User = e.Cause.User
	}
	if e.Client != "" && reason != iam.UnknownClient {
		if c, err := r.ClientByName(ctx, e.Client); err == nil {
			x.Client = c.ID
		}
	}
	x.Doc = store.OccurrenceDoc{Event: e.Kind, Error: e.Error, Session: e.Session, Token: e.Cause.Token, Text: detailOf(e),
		Facts: true, Refusal: e.Cause.Refusal}
	if e.Cause.Agent != "" {
		x.Doc.Device = sessions.ParseAgent(e.Cause.Agent).Name()
	}
	x.Doc.Redirect, x.Doc.Told = bounded(x.Doc.Redirect), bounded(x.Doc.Told)
	if e.Cause.Session != "" {
		x.Doc.Session = e.Cause.Session
	}
	return x
}

// At says when an occurrence was, and keeps its address as the realm keeps addresses.
func At(r *realms.Realm, x *store.Occurrence, when time.Time) {
	x.First, x.Last = when, when
	x.IP = r.KeptAddress(x.IP)
	x.Hour = when.Unix() / 3600
}

// A Transient is a token without a session.
type Transient struct {
	User    iam.UserID
	Client  iam.ClientID
	IP      string
	How     iam.How
	Scopes  iam.Scopes
	Token   string // id
	Expires int64  // seconds since 1970
}

// Transient counts one.
func (l *Counter) Transient(r *realms.Realm, t Transient) {
	l.add(r, &store.Occurrence{
		OccurrenceKey: store.OccurrenceKey{Realm: r.ID, Kind: store.TransientToken, User: t.User, Client: t.Client, IP: t.IP,
			Reason: string(t.How)}, Count: 1,
		Doc: store.OccurrenceDoc{Token: t.Token, Scopes: t.Scopes, Expires: t.Expires},
	}, l.db.Now())
}

func (l *Counter) add(r *realms.Realm, x *store.Occurrence, now time.Time) {
	At(r, x, now)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bound(x)
	if was := l.due[x.OccurrenceKey]; was != nil {
		was.Count++
		was.Last, was.Doc = x.Last, x.Doc
		return
	}
	l.due[x.OccurrenceKey] = x
}

// bound makes one of what there is too much of.
func (l *Counter) bound(x *store.Occurrence) {
	if x.Hour != l.hour {
		l.hour = x.Hour
		clear(l.seen)
	}
	s := spread{x.Realm, x.User, x.Client, x.Reason}
	addresses := l.seen[s]
	if addresses == nil && len(l.seen) >= maxSpreads {
		x.User, x.IP = "", ""
		return
	}
	switch {
	case addresses[x.IP]:
	case len(addresses) >= maxAddresses:
		x.IP = ""
	case addresses == nil:
		l.seen[s] = map[string]bool{x.IP: true}
	default:
		addresses[x.IP] = true
	}
}

// FlushEvery is how long a count may wait to be written: Flush has to run as often.
const FlushEvery = time.Second

// Flush writes what is due; what cannot be written is due again.
func (l *Counter) Flush(ctx context.Context) error {
	l.flushing.Lock()
	defer l.flushing.Unlock()
	l.mu.Lock()
	due := l.due
	l.due = map[store.OccurrenceKey]*store.Occurrence{}
	l.mu.Unlock()
	if len(due) == 0 {
		return nil
	}
	list := make([]*store.Occurrence, 0, len(due))
	for _, x := range due {
		list = append(list, x)
	}
	err := l.db.Tx(ctx, func(tx *store.Tx) error { return tx.AddOccurrences(ctx, list) })
	if err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		for k, x := range due {
			if later := l.due[k]; later != nil {
				later.Count += x.Count
				later.First = x.First
			} else if len(l.due) < maxSpreads {
				l.due[k] = x
			}
		}
	}
	return err
}
