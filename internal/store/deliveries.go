package store

import (
	"context"
	"strings"
	"time"

	"latchkey/internal/iam"
)

// A DeliveryState says how far a delivery has got.
type DeliveryState string

// The states of deliveries. One that is GivenUp may be made Due again; one that
// is Delivered is done.
const (
	Due       DeliveryState = "due"
	Delivered DeliveryState = "delivered"
	GivenUp   DeliveryState = "given up"
)

// A Delivery is something that another server is to be told.
type Delivery struct {
	Realm       iam.RealmID
	ID          string // UUID version 7
	Kind        string // who knows how to make the call: package deliveries
	Event       string // what it tells of
	Hook        string // id of the component that asked for it, "" for none
	Client      iam.ClientID
	User        iam.UserID
	Session     iam.SessionID
	Created     time.Time
	DueAt       time.Time // when it is tried next; while it is tried, when others may; finished, when it did
	Attempts    int       // begun
	State       DeliveryState
	LastError   string // of the last attempt that failed, "" when none has
	DeliveredAt time.Time
	Doc         []byte // what to tell; nil once delivered, and in lists
}

// maxDeliveryError bounds last_error, in bytes.
const maxDeliveryError = 300

const deliveryColumns = `realm_id, id, kind, event, hook_id, client_id, user_id, session_id, created_at, due_at, attempts, state, last_error, delivered_at`

func deliveryDest(d *Delivery) (dest []any, finish func()) {
	var created, due, delivered int64
	dest = []any{&d.Realm, &d.ID, &d.Kind, &d.Event, &d.Hook, &d.Client, &d.User, &d.Session, &created, &due, &d.Attempts, &d.State,
		&d.LastError, &delivered}
	return dest, func() {
		d.Created, d.DueAt, d.DeliveredAt = fromMillis(created), fromMillis(due), fromMillis(delivered)
	}
}

func scanDelivery(r row) (*Delivery, error) {
	d := new(Delivery)
	dest, finish := deliveryDest(d)
	if err := r.Scan(dest...); err != nil {
		return nil, err
	}
	finish()
	return d, nil
}

func deliveryPlace(realm iam.RealmID, id string) string {
	return "delivery " + string(realm) + " " + id
}

// InsertDeliveries adds deliveries as they are; Created is the transaction's time.
func (tx *Tx) InsertDeliveries(ctx context.Context, list []*Delivery) error {
	rows := make([][]any, len(list))
	for i, d := range list {
		rows[i] = []any{d.Realm, d.ID, d.Kind, d.Event, d.Hook, d.Client, d.User, d.Session, millis(tx.Now), millis(d.DueAt), d.Attempts,
			string(d.State), d.LastError, millis(d.DeliveredAt), shard(d.ID), tx.seal(deliveryPlace(d.Realm, d.ID), d.Doc)}
	}
	return tx.insertRows(ctx, rows, func(rows string) string {
		return `insert into deliveries (` + deliveryColumns + `, shard, doc) values ` + rows
	})
}

// allShards lists the shards, for statements that look into each: without them
// in a condition an index on (shard, ...) is of no use.
func allShards() []any {
	list := make([]any, Shards)
	for i := range list {
		list[i] = i
	}
	return list
}

// HasDue reports whether a delivery is due at now. It is cheaper than to take none.
func (r *Reader) HasDue(ctx context.Context, now time.Time) (bool, error) {
	return one(ctx, r, scanValue[bool], `select exists (select 1 from deliveries where state = 'due' and shard in (`+binds(2, Shards)+
		`) and due_at <= $1)`,
		append([]any{millis(now)}, allShards()...)...)
}

// TakeDue takes up to limit deliveries that are due: an attempt is counted, and
// until a time nobody else takes them. Of many takers one gets each. One that
// cannot be read any more - the key it was sealed with is gone - comes without Doc.
func (tx *Tx) TakeDue(ctx context.Context, until time.Time, limit int) ([]*Delivery, error) {
	args := append([]any{millis(until), millis(tx.Now), limit}, allShards()...)
	// The conditions stand outside again, for an engine that looks at a row anew
	// after it has waited for another taker.
	return all(ctx, &tx.Reader, func(r row) (*Delivery, error) {
		d := new(Delivery)
		var doc []byte
		dest, finish := deliveryDest(d)
		if err := r.Scan(append(dest, &doc)...); err != nil {
			return nil, err
		}
		finish()
		if plain, err := tx.unseal(deliveryPlace(d.Realm, d.ID), doc); err == nil {
			d.Doc = plain
		}
		return d, nil
	}, `update deliveries set due_at = $1, attempts = attempts + 1 where state = 'due' and due_at <= $2 and (realm_id, id) in
		(select realm_id, id from deliveries where state = 'due' and shard in (`+binds(4, Shards)+`) and due_at <= $2 limit $3)
		returning `+deliveryColumns+`, doc`, args...)
}

// FinishDelivery notes that a delivery arrived, and forgets what it was.
func (tx *Tx) FinishDelivery(ctx context.Context, realm iam.RealmID, id string) error {
	_, err := tx.exec(ctx,
		`update deliveries set state = 'delivered', delivered_at = $1, due_at = $1, doc = null where realm_id = $2 and id = $3 and state <> 'delivered'`,
		millis(tx.Now), realm, id)
	return err
}

// FailDelivery notes that an attempt failed and when to try next. It does
// nothing when the attempt is no longer the last one: somebody else has taken
// the delivery since.
func (tx *Tx) FailDelivery(ctx context.Context, d *Delivery, next time.Time, why string) error {
	_, err := tx.exec(ctx,
		`update deliveries set due_at = $1, last_error = $2 where realm_id = $3 and id = $4 and state = 'due' and attempts = $5`,
		millis(next), cutText(why, maxDeliveryError), d.Realm, d.ID, d.Attempts)
	return err
}

// GiveUpDelivery notes that an attempt failed and that there will be no other.
// Like FailDelivery it is for the last attempt alone.
func (tx *Tx) GiveUpDelivery(ctx context.Context, d *Delivery, why string) error {
	_, err := tx.exec(ctx,
		`update deliveries set state = 'given up', due_at = $1, last_error = $2 where realm_id = $3 and id = $4 and state = 'due' and attempts = $5`,
		millis(tx.Now), cutText(why, maxDeliveryError), d.Realm, d.ID, d.Attempts)
	return err
}

// PutBackDelivery gives back a delivery that was taken and not tried: the
// attempt does not count.
func (tx *Tx) PutBackDelivery(ctx context.Context, d *Delivery, next time.Time) error {
	_, err := tx.exec(ctx,
		`update deliveries set due_at = $1, attempts = attempts - 1 where realm_id = $2 and id = $3 and state = 'due' and attempts = $4`,
		millis(next), d.Realm, d.ID, d.Attempts)
	return err
}

// RetryDelivery makes a delivery that was given up due now, as if it had never
// been tried, and reports whether there was such a one.
func (tx *Tx) RetryDelivery(ctx context.Context, realm iam.RealmID, id string) (bool, error) {
	n, err := tx.exec(ctx,
		`update deliveries set state = 'due', due_at = $1, attempts = 0 where realm_id = $2 and id = $3 and state = 'given up'`,
		millis(tx.Now), realm, id)
	return n > 0, err
}

// Delivery returns one delivery without its Doc, or ErrNotFound.
func (r *Reader) Delivery(ctx context.Context, realm iam.RealmID, id string) (*Delivery, error) {
	return one(ctx, r, scanDelivery, `select `+deliveryColumns+` from deliveries where realm_id = $1 and id = $2`, realm, id)
}

// DueDeliveries counts a realm's deliveries of a kind that are due, up to most.
func (r *Reader) DueDeliveries(ctx context.Context, realm iam.RealmID, kind string, most int) (int64, error) {
	return one(ctx, r, scanValue[int64],
		`select count(*) from (select 1 from deliveries where realm_id = $1 and state <> 'delivered' and state = 'due' and kind = $2 limit $3) as waiting`,
		realm, kind, most)
}

// A DeliveryFilter narrows a list of deliveries; zero members do not.
type DeliveryFilter struct {
	Kind    string
	State   DeliveryState
	Hook    string
	Client  iam.ClientID
	User    iam.UserID
	Session iam.SessionID
	Before  string // an id: only older ones
	Max     int    // at most so many; < 0: all
}

// Deliveries returns a realm's deliveries without their Docs, the latest first.
func (r *Reader) Deliveries(ctx context.Context, realm iam.RealmID, f DeliveryFilter) ([]*Delivery, error) {
	w := new(where)
	w.and("realm_id = ?", realm)
	for _, c := range []struct{ cond, value string }{
		{"session_id = ?", string(f.Session)}, {"user_id = ?", string(f.User)}, {"client_id = ?", string(f.Client)}, {"kind = ?", f.Kind},
		{"hook_id = ?", f.Hook}, {"id < ?", f.Before},
	} {
		if c.value != "" {
			w.and(c.cond, c.value)
		}
	}
	// Spelt out, so that the index on those which did not arrive can be used.
	switch f.State {
	case Due:
		w.and("state <> 'delivered' and state = 'due'")
	case GivenUp:
		w.and("state <> 'delivered' and state = 'given up'")
	case Delivered:
		w.and("state = 'delivered'")
	}
	return all(ctx, r, scanDelivery, `select `+deliveryColumns+` from deliveries`+w.text.String()+` order by id desc limit `+
		w.bind(limit(f.Max)), w.args...)
}

// SweepDeliveries removes up to max deliveries of a shard that finished before a
// time and returns how many.
func (tx *Tx) SweepDeliveries(ctx context.Context, shard int64, before time.Time, max int) (int64, error) {
	return tx.exec(ctx, `delete from deliveries where (realm_id, id) in
		(select realm_id, id from deliveries where state <> 'due' and shard = $1 and due_at < $2 limit $3)`, shard, millis(before), max)
}

// cutText shortens a text to at most so many bytes, at a rune's border.
func cutText(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}
