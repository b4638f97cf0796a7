package events

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/store"
	"latchkey/internal/telemetry"
)

// A Filter narrows a list of user events; an AdminFilter one of admin events.
type (
	Filter      = store.EventFilter
	AdminFilter = store.AdminEventFilter
)

// A Writer writes events down. It is safe for concurrent use.
type Writer struct {
	db      *store.DB
	log     *slog.Logger
	metrics *telemetry.Metrics
	tell    Listener // of a refusal
	listen  []Listener
}

// A Listener hears of user events. One of those that hear of all looks into the realm whether it is asked to do something.
type Listener func(ctx context.Context, r *realms.Realm, e *iam.Event)

// New makes a Writer that stores in db, logs to log, and counts user events, nil
// for nowhere. refused is told of every error event, kept or not; nil tells nobody.
// Others hear of all events.
func New(db *store.DB, log *slog.Logger, metrics *telemetry.Metrics, refused Listener, others ...Listener) *Writer {
	if refused == nil {
		refused = func(context.Context, *realms.Realm, *iam.Event) {}
	}
	return &Writer{db: db, log: log, metrics: metrics, tell: refused, listen: others}
}

// Emit writes a user event down: Time and ID are filled in. An event that
// cannot be stored is logged as such and never fails the request it tells of.
func (w *Writer) Emit(ctx context.Context, r *realms.Realm, e *iam.Event) {
	e.Realm = r.ID
	e.Time = w.db.Now()
	bound(e)
	w.metrics.Event(string(e.Kind), e.Error)
	w.refused(ctx, r, e)
	if listens(r) {
		w.logEvent(ctx, r, e)
	}
	for _, hear := range w.listen {
		hear(ctx, r, e)
	}
	if !r.Events.Enabled || !kept(r.Events, string(e.Kind)) {
		return
	}
	e.ID = newID()
	if err := w.db.Single(context.WithoutCancel(ctx), func(tx *store.Tx) error { return tx.InsertEvent(ctx, e) }); err != nil {
		w.log.ErrorContext(ctx, "event not stored", "realm", r.Name, "type", e.Kind, telemetry.KeyError, err)
	}
}

// Refuse tells of a refusal that Keycloak writes no event of.
func (w *Writer) Refuse(ctx context.Context, r *realms.Realm, e *iam.Event) {
	e.Realm, e.Time = r.ID, w.db.Now()
	w.refused(ctx, r, e)
}

func (w *Writer) refused(ctx context.Context, r *realms.Realm, e *iam.Event) {
	if e.Error != "" {
		w.tell(ctx, r, e)
	}
}

// newID returns an id that sorts by time, so that events of one millisecond
// keep their order.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// listens reports whether the realm has Keycloak's log listener.
func listens(r *realms.Realm) bool { return slices.Contains(r.Events.Listeners, "jboss-logging") }

// savedByDefault is SavedByDefault as a set.
var savedByDefault = sync.OnceValue(func() map[string]bool {
	set := map[string]bool{}
	for _, k := range SavedByDefault() {
		set[k] = true
	}
	return set
})

func kept(cfg iam.EventsConfig, kind string) bool {
	if len(cfg.Kinds) == 0 {
		return savedByDefault()[kind]
	}
	return cfg.Kinds[kind]
}

// logEvent logs errors as warnings and successes at debug level, as Keycloak's
// jboss-logging listener does.
func (w *Writer) logEvent(ctx context.Context, r *realms.Realm, e *iam.Event) {
	level := slog.LevelDebug
	if e.Error != "" {
		level = slog.LevelWarn
	}
	if !w.log.Enabled(ctx, level) {
		return
	}
	args := []any{"type", string(e.Kind), "realm", r.Name, "client", e.Client, "user", string(e.User), "ip", e.IP}
	if e.Session != "" {
		args = append(args, "session", string(e.Session))
	}
	if e.Error != "" {
		args = append(args, "error", e.Error)
	}
	for _, k := range slices.Sorted(func(yield func(string) bool) {
		for k := range e.Details {
			if !yield(k) {
				return
			}
		}
	}) {
		args = append(args, k, e.Details[k])
	}
	w.log.Log(ctx, level, "event", args...)
}

// EmitAdmin writes an admin event down, when the realm keeps them: Time and ID
// are filled in, and the representation is left out unless the realm wants
// details.
func (w *Writer) EmitAdmin(ctx context.Context, r *realms.Realm, e *iam.AdminEvent) {
	e.Realm = r.ID
	e.Time = w.db.Now()
	e.ID = newID()
	if !r.Events.AdminDetails {
		e.Representation = ""
	}
	if listens(r) && w.log.Enabled(ctx, slog.LevelDebug) {
		w.log.DebugContext(ctx, "admin event", "operation", e.Operation, "resource", e.ResourceType, "path", e.ResourcePath, "realm", r.Name,
			"user", e.AuthUser, "ip", e.IP)
	}
	if !r.Events.Admin {
		return
	}
	if err := w.db.Single(context.WithoutCancel(ctx), func(tx *store.Tx) error { return tx.InsertAdminEvent(ctx, e) }); err != nil {
		w.log.ErrorContext(ctx, "admin event not stored", "realm", r.Name, "path", e.ResourcePath, telemetry.KeyError, err)
	}
}

// List returns a realm's stored user events.
func (w *Writer) List(ctx context.Context, r *realms.Realm, f Filter) ([]*iam.Event, error) {
	return w.db.Events(ctx, r.ID, f)
}

// ListAdmin returns a realm's stored admin events.
func (w *Writer) ListAdmin(ctx context.Context, r *realms.Realm, f AdminFilter) ([]*iam.AdminEvent, error) {
	return w.db.AdminEvents(ctx, r.ID, f)
}

// Clear removes a realm's stored user events.
func (w *Writer) Clear(ctx context.Context, r *realms.Realm) error {
	return w.db.Tx(ctx, func(tx *store.Tx) error { return tx.ClearEvents(ctx, r.ID) })
}

// ClearAdmin removes a realm's stored admin events.
func (w *Writer) ClearAdmin(ctx context.Context, r *realms.Realm) error {
	return w.db.Tx(ctx, func(tx *store.Tx) error { return tx.ClearAdminEvents(ctx, r.ID) })
}

// SweepRealm removes a realm's events of users and of administrators that are older than it keeps them,
// and none where it says nothing. Keycloak: JpaEventStoreProvider.clearExpiredEvents, clearExpiredAdminEvents.
func (w *Writer) SweepRealm(ctx context.Context, r *realms.Realm) error {
	err := w.sweep(ctx, r, r.Events.Expiration, (*store.Tx).SweepEvents)
	if err != nil {
		return err
	}
	return w.sweep(ctx, r, r.Events.AdminFor, (*store.Tx).SweepAdminEvents)
}

func (w *Writer) sweep(ctx context.Context, r *realms.Realm, kept time.Duration,
	some func(tx *store.Tx, ctx context.Context, realm iam.RealmID, before time.Time, max int) (int64, error)) error {
	if kept <= 0 {
		return nil
	}
	before := w.db.Now().Add(-kept)
	return w.db.InChunks(ctx, sweepChunk, func(tx *store.Tx) (int64, error) { return some(tx, ctx, r.ID, before, sweepChunk) })
}

const sweepChunk = 500

// Failed makes the error event of a kind: LOGIN becomes LOGIN_ERROR. A kind
// that is an error already stays.
func Failed(kind iam.EventKind) iam.EventKind {
	if strings.HasSuffix(string(kind), "_ERROR") {
		return kind
	}
	return kind + "_ERROR"
}

// ParseTime reads a date filter as Keycloak does: yyyy-MM-dd in the server's
// zone, or milliseconds since 1970. An end date means the end of that day.
func ParseTime(s string, endOfDay bool) (time.Time, bool) {
	if t, err := time.ParseInLocation(time.DateOnly, s, time.Local); err == nil {
		if endOfDay {
			t = t.AddDate(0, 0, 1).Add(-time.Millisecond)
		}
		return t, true
	}
	var ms int64
	for _, c := range s {
		if c < '0' || c > '9' || ms > 1<<52 {
			return time.Time{}, false
		}
		ms = ms*10 + int64(c-'0')
	}
	return time.UnixMilli(ms), s != ""
}
