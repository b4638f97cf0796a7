package doctor

import (
	"strconv"
	"time"

	"latchkey/internal/rep"
)

// A Known is a piece of evidence: a value, or the reason why there is none. The
// zero value is one that nobody looked for.
type Known[T any] struct {
	value T
	known bool
	why   string
}

// Told is evidence that is there.
func Told[T any](v T) Known[T] { return Known[T]{value: v, known: true} }

// Untold is evidence that is missing; why goes on after "cannot tell, because ".
func Untold[T any](why string) Known[T] { return Known[T]{why: why} }

// Get returns the value, and whether there is one.
func (k Known[T]) Get() (T, bool) { return k.value, k.known }

// Why says why there is no value.
func (k Known[T]) Why() string {
	if !k.known && k.why == "" {
		return "nobody looked"
	}
	return k.why
}

// A Product is the kind of server that a realm lives on.
type Product string

// The servers that the doctor knows. Some settings are one's own.
const (
	Latchkey Product = "Latchkey"
	Keycloak Product = "Keycloak"
)

// Evidence is all that checks look at. Whoever collects it leaves out what
// cannot be had and says why.
type Evidence struct {
	At          time.Time // when it was collected
	Server      Product
	UnusedAfter time.Duration // for how long a client must not be used to count as unused
	Notes       []string      // what limits the examination as a whole, in sentences

	Realm     Known[*rep.Realm]           // the settings
	Clients   Known[[]*rep.Client]        // with the names of their scopes
	Scopes    Known[[]Scope]              // the realm's client scopes
	Keys      Known[[]Key]                // those that sign
	Actions   Known[[]rep.RequiredAction] // required actions
	Providers Known[[]Provider]           // identity providers

	Sessions Known[map[string]ClientSessions] // by client id; who is not in it has none
	Uses     Known[map[string]Use]            // by client id

	Issuer  Known[string] // as clients see it
	Asked   Known[string] // the address under which the server was asked
	Follows Known[bool]   // the issuer is whatever host name a request was sent to
}

// A Scope is a client scope and what new clients get of it.
type Scope struct {
	ID       string     `json:"id"`
	Name     string     `json:"name"`
	Assigned Assignment `json:"-"`
}

// An Assignment says how a client scope is assigned to a client, or to the new
// clients of a realm.
type Assignment string

// The ways in which a scope is assigned.
const (
	Default    Assignment = "default"
	Optional   Assignment = "optional"
	Unassigned Assignment = "none"
)

// A Key is a key that signs tokens.
type Key struct {
	KID       string
	Algorithm string
	Active    bool             // signs; others only verify
	Made      Known[time.Time] // when
}

// A Count is a number that was counted only so far.
type Count struct {
	N    int64
	More bool // there are more than N
}

// String writes "1,234" or "more than 1,234".
func (c Count) String() string {
	text := grouped(c.N)
	if c.More {
		return "more than " + text
	}
	return text
}

// Add adds up counts.
func (c Count) Add(other Count) Count { return Count{c.N + other.N, c.More || other.More} }

func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// CountMost is how far sessions are counted.
const CountMost = 10_000

// Refreshed is how long after its beginning a session must have been used for
// that to be a refresh: its first tokens are part of the beginning.
const Refreshed = 2 * time.Second

// ClientSessions are numbers about the parts that a client has in sessions.
type ClientSessions struct {
	Online  Known[Count]
	Offline Known[Count]
	Week    Known[Week]  // offline ones begun in the last seven days
	Older   Known[Count] // offline ones begun longer ago than the realm's maximum life of them would allow, if it was on
	Dead    Known[Count] // offline ones not used since a not-before of realm, client or user: their tokens are refused
	Left    Known[Count] // offline ones whose user has logged out of the login that they came out of
}

// Week says what became of the offline sessions that were begun in a week.
type Week struct {
	Begun       Count
	Unrefreshed Count // of Begun, those that were never used after their beginning
	Of          Count // so many offline sessions were looked at, of all times
}

// A Use says how a client was used in the time of Evidence.UnusedAfter.
type Use struct {
	Last      Known[time.Time] // the last time; zero: not at all
	Passwords Known[Count]     // logins by the password grant
}
