package store

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"latchkey/internal/iam"
)

// InsertEvent stores a user event.
func (tx *Tx) InsertEvent(ctx context.Context, e *iam.Event) error {
	_, err := tx.addEvent(ctx, e, "")
	return err
}

// InsertAdminEvent stores an admin event.
func (tx *Tx) InsertAdminEvent(ctx context.Context, e *iam.AdminEvent) error {
	return tx.addAdminEvent(ctx, e, "")
}

// PutEvent stores a user event that another server wrote, and reports whether it
// was not there: of many who bring it, one is told so.
func (tx *Tx) PutEvent(ctx context.Context, e *iam.Event) (bool, error) {
	n, err := tx.addEvent(ctx, e, unlessThere)
	return n > 0, err
}

// PutAdminEvent stores an admin event that another server wrote, once.
func (tx *Tx) PutAdminEvent(ctx context.Context, e *iam.AdminEvent) error {
	return tx.addAdminEvent(ctx, e, unlessThere)
}

// unlessThere ends an insert of an event that may be stored already.
const unlessThere = ` on conflict (realm_id, id) do nothing`

func (tx *Tx) addEvent(ctx context.Context, e *iam.Event, conflict string) (int64, error) {
	return tx.exec(ctx, `insert into events (realm_id, id, time, kind, client_id, user_id, session_id, ip, error, details)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`+conflict,
		e.Realm, e.ID, millis(e.Time), string(e.Kind), e.Client, e.User, e.Session, e.IP, e.Error, notes(e.Details))
}

func (tx *Tx) addAdminEvent(ctx context.Context, e *iam.AdminEvent, conflict string) error {
	_, err := tx.exec(ctx, `insert into admin_events (realm_id, id, time, auth_realm, auth_client, auth_user, ip, operation, resource_type,
		resource_path, representation, error, details)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`+conflict,
		e.Realm, e.ID, millis(e.Time), e.AuthRealm, e.AuthClient, e.AuthUser, e.IP, e.Operation, e.ResourceType,
		e.ResourcePath, e.Representation, e.Error, notes(e.Details))
	return err
}

// An EventFilter narrows a search for user events; zero members do not.
type EventFilter struct {
	Kinds      []string
	Client     string
	User       iam.UserID
	Session    iam.SessionID
	IP         string
	From, To   time.Time // both included
	First, Max int       // Max < 0: all
	Ascending  bool
}

// Events returns user events, the latest first unless Ascending.
func (r *Reader) Events(ctx context.Context, realm iam.RealmID, f EventFilter) ([]*iam.Event, error) {
	w := new(where)
	w.and("realm_id = ?", realm)
	in(w, "kind", f.Kinds)
	if f.Client != "" {
		w.and("client_id = ?", f.Client)
	}
	if f.User != "" {
		w.and("user_id = ?", f.User)
	}
	if f.Session != "" {
		w.and("session_id = ?", f.Session)
	}
	if f.IP != "" {
		w.and("ip = ?", f.IP)
	}
	w.times(f.From, f.To)
	return all(ctx, r, func(row row) (*iam.Event, error) {
		e := &iam.Event{Realm: realm}
		var at int64
		var details []byte
		if err := row.Scan(&e.ID, &at, &e.Kind, &e.Client, &e.User, &e.Session, &e.IP, &e.Error, &details); err != nil {
			return nil, err
		}
		e.Time = fromMillis(at)
		return e, readDetails(details, &e.Details)
	}, `select id, time, kind, client_id, user_id, session_id, ip, error, details from events`+w.page(f.Ascending, f.First, f.Max), w.args...)
}

// An AdminEventFilter narrows a search for admin events; zero members do not.
type AdminEventFilter struct {
	Operations, ResourceTypes       []string
	AuthRealm, AuthClient, AuthUser string
	IP                              string
	ResourcePath                    string // with * for any text
	From, To                        time.Time
	First, Max                      int
	Ascending                       bool
}

// AdminEvents returns admin events, the latest first unless Ascending.
func (r *Reader) AdminEvents(ctx context.Context, realm iam.RealmID, f AdminEventFilter) ([]*iam.AdminEvent, error) {
	w := new(where)
	w.and("realm_id = ?", realm)
	in(w, "operation", f.Operations)
	in(w, "resource_type", f.ResourceTypes)
	for _, c := range []struct{ cond, value string }{
		{"auth_realm = ?", f.AuthRealm}, {"auth_client = ?", f.AuthClient}, {"auth_user = ?", f.AuthUser}, {"ip = ?", f.IP},
	} {
		if c.value != "" {
			w.and(c.cond, c.value)
		}
	}
	if f.ResourcePath != "" {
		w.and("resource_path like ? escape '!'", wildcard(f.ResourcePath))
	}
	w.times(f.From, f.To)
	return all(ctx, r, func(row row) (*iam.AdminEvent, error) {
		e := &iam.AdminEvent{Realm: realm}
		var at int64
		var details []byte
		if err := row.Scan(&e.ID, &at, &e.AuthRealm, &e.AuthClient, &e.AuthUser, &e.IP, &e.Operation, &e.ResourceType, &e.ResourcePath,
			&e.Representation, &e.Error, &details); err != nil {
			return nil, err
		}
		e.Time = fromMillis(at)
		return e, readDetails(details, &e.Details)
	}, `select id, time, auth_realm, auth_client, auth_user, ip, operation, resource_type, resource_path, representation, error, details from admin_events`+
		w.page(f.Ascending, f.First, f.Max), w.args...)
}

// ClearEvents removes all user events of a realm.
func (tx *Tx) ClearEvents(ctx context.Context, realm iam.RealmID) error {
	_, err := tx.exec(ctx, `delete from events where realm_id = $1`, realm)
	return err
}

// ClearAdminEvents removes all admin events of a realm.
func (tx *Tx) ClearAdminEvents(ctx context.Context, realm iam.RealmID) error {
	_, err := tx.exec(ctx, `delete from admin_events where realm_id = $1`, realm)
	return err
}

// SweepAdminEvents removes up to max admin events before a time and returns how many.
func (tx *Tx) SweepAdminEvents(ctx context.Context, realm iam.RealmID, before time.Time, max int) (int64, error) {
	return tx.exec(ctx, `delete from admin_events where (realm_id, id) in (select realm_id, id from admin_events where realm_id = $1 and time < $2 limit $3)`,
		realm, millis(before), max)
}

// SweepEvents removes up to max user events before a time and returns how many.
func (tx *Tx) SweepEvents(ctx context.Context, realm iam.RealmID, before time.Time, max int) (int64, error) {
	return tx.exec(ctx, `delete from events where (realm_id, id) in (select realm_id, id from events where realm_id = $1 and time < $2 limit $3)`, realm, millis(before), max)
}

func (w *where) times(from, to time.Time) {
	if !from.IsZero() {
		w.and("time >= ?", millis(from))
	}
	if !to.IsZero() {
		w.and("time <= ?", millis(to))
	}
}

// page ends a search of events. Ids grow with time (UUID version 7), so events
// of one millisecond stay in the order in which they happened.
func (w *where) page(ascending bool, first, max int) string {
	order := " order by time desc, id desc"
	if ascending {
		order = " order by time, id"
	}
	return w.text.String() + order + " limit " + w.bind(limit(max)) + " offset " + w.bind(first)
}

// wildcard turns a pattern with * into one for like with escape '!'.
func wildcard(pattern string) string {
	return wildcards.Replace(pattern)
}

var wildcards = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_", "*", "%")

// readDetails leaves the map nil where an event has no details, as in the
// reference's answers.
func readDetails(doc []byte, into *map[string]string) error {
	if string(doc) == "{}" {
		return nil
	}
	return json.Unmarshal(doc, into)
}
