package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"latchkey/internal/iam"
)

// The kinds of occurrences: refused logins and tokens, and tokens without a session.
const (
	Refused        = "refused"
	TransientToken = "transient"
)

// An OccurrenceKey is what tells occurrences apart: those of one key are one row.
type OccurrenceKey struct {
	Realm  iam.RealmID
	Kind   string
	User   iam.UserID   // "" when nobody in particular
	Client iam.ClientID // "" when none that is there
	IP     string       // as the realm keeps addresses, "" for all that are not told apart
	Reason string       // an iam.Reason, or an iam.How
	Hour   int64        // since 1970
}

// ID is the row's id. It is hexadecimal, whose order is the same in every database, so that a beginning finds it.
func (k OccurrenceKey) ID() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q %q %d", k.Kind, k.User, k.Client, k.IP, k.Reason, k.Hour))
	return hex.EncodeToString(sum[:16])
}

// RefusalOf returns the id of the latest refusal whose id begins so; ErrNotFound when there is none.
func (r *Reader) RefusalOf(ctx context.Context, realm iam.RealmID, beginning string) (string, error) {
	return one(ctx, r, scanValue[string], `select o.id from occurrences o where o.realm_id = $1 and o.id >= $2 and o.id < $3 and o.kind = $4
		order by o.last_at desc, o.id limit 1`, realm, beginning, beginning+"g", Refused)
}

// An Occurrence is something that happened, and how often within an hour.
type Occurrence struct {
	OccurrenceKey
	ID          string // as stored
	Count       int64
	First, Last time.Time
	Doc         OccurrenceDoc // of the last time
}

// An OccurrenceDoc tells of the last time that something happened.
type OccurrenceDoc struct {
	Event   iam.EventKind `json:"event,omitempty"`   // of the user event
	Error   string        `json:"error,omitempty"`   // its word
	Text    string        `json:"text,omitempty"`    // its reason in the reference's words, for people to read
	Session iam.SessionID `json:"session,omitempty"` // that the token or cookie named
	Token   string        `json:"token,omitempty"`   // id
	Device  string        `json:"device,omitempty"`  // that was used last: operating system and browser
	Scopes  iam.Scopes    `json:"scopes,omitempty"`  // of a token without a session
	Expires int64         `json:"expires,omitempty"` // seconds since 1970
	Facts   bool          `json:"facts,omitempty"`   // the refusal's are stored: older nodes store none
	iam.Refusal
}

// AddOccurrences adds to the counts of rows, making those that are not there.
// Addresses of users who are gone meanwhile are left out.
func (tx *Tx) AddOccurrences(ctx context.Context, list []*Occurrence) error {
	sorted := slices.Clone(list) // in one order, so that two nodes cannot deadlock
	slices.SortFunc(sorted, func(a, b *Occurrence) int {
		return cmp.Or(cmp.Compare(a.Realm, b.Realm), cmp.Compare(a.OccurrenceKey.ID(), b.OccurrenceKey.ID()))
	})
	for _, x := range sorted {
		_, err := tx.exec(ctx, `insert into occurrences (realm_id, id, kind, user_id, client_id, ip, reason, count, first_at, last_at, doc)
			select $1, $2, $3, $4, $5, case when $4 = '' or exists (select 1 from users u where u.realm_id = $1 and u.id = $4) then $6 else '' end,
				$7, cast($8 as bigint), cast($9 as bigint), cast($10 as bigint), $11 where exists (select 1 from realms where id = $1)
			on conflict (realm_id, id) do update set count = occurrences.count + excluded.count, last_at = excluded.last_at, doc = excluded.doc`,
			x.Realm, x.OccurrenceKey.ID(), x.Kind, x.User, x.Client, x.IP, x.Reason, x.Count, millis(x.First), millis(x.Last), text(x.Doc))
		if err != nil {
			return err
		}
	}
	return nil
}
