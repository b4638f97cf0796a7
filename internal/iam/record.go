package iam

import (
	"strconv"
	"strings"
)

// How says by what a session, a part in one, or a token without one began.
type How string

// The ways to begin.
const (
	HowBrowser     How = "browser"            // a login in a browser, by the flow that Origin names
	HowSSO         How = "single-sign-on"     // a part: the browser's session was enough
	HowDirect      How = "direct-grant"       // the password grant
	HowService     How = "client-credentials" // a client's own account
	HowOffline     How = "offline-grant"      // an offline session: out of an online one, or of a grant with offline_access
	HowDevice      How = "device-code"        // a part: a device was let in by a user code that was typed in a browser
	HowExchange    How = "token-exchange"     // a part: a token was exchanged for one of this client's
	HowImpersonate How = "impersonation"
	HowMigrated    How = "migrated" // it was copied out of a Keycloak's database, which does not say how it began
)

// ScopeWhy says why a scope was granted.
type ScopeWhy byte

// The reasons of scopes. ScopeInherited is a default of the client that it has
// because the realm had it as a default when the client was made.
const (
	ScopeRequested ScopeWhy = 'r'
	ScopeDefault   ScopeWhy = 'd'
	ScopeInherited ScopeWhy = 'i'
)

// Scopes lists granted scopes with the reason of each, "openid:r email:d": the
// form in which they are stored.
type Scopes string

// Each calls f for every scope.
func (s Scopes) Each(f func(name string, why ScopeWhy)) {
	for word := range strings.FieldsSeq(string(s)) {
		if i := strings.LastIndexByte(word, ':'); i > 0 && i+2 == len(word) {
			f(word[:i], ScopeWhy(word[i+1]))
		}
	}
}

// Why returns the reason of one scope; ok is false when it was not granted.
func (s Scopes) Why(name string) (why ScopeWhy, ok bool) {
	s.Each(func(n string, w ScopeWhy) {
		if n == name {
			why, ok = w, true
		}
	})
	return why, ok
}

// Only is one scope with its reason, "" when it was not granted.
func (s Scopes) Only(name string) Scopes {
	why, ok := s.Why(name)
	if !ok {
		return ""
	}
	return Scopes(name + ":" + string(rune(why)))
}

// An Origin is how a session, or a client's part in one, began. It holds
// neither addresses nor names of people: these stand in columns of their own,
// where they can be erased.
type Origin struct {
	How    How       `json:"how,omitzero"`
	Flow   string    `json:"flow,omitzero"`   // alias of the authentication flow
	Client ClientID  `json:"client,omitzero"` // for which it began
	Scope  string    `json:"scope,omitzero"`  // the parameter, as sent
	Scopes Scopes    `json:"scopes,omitzero"` // granted
	Asked  Reason    `json:"asked,omitzero"`  // why the browser had to log in instead of being signed on
	Named  SessionID `json:"named,omitzero"`  // the session that the browser's cookie named then
	Online bool      `json:"online,omitzero"` // of an offline session: it came out of the online one of the same id
	Again  bool      `json:"again,omitzero"`  // of a part: the client had one before; this is how it came last
	By     UserID    `json:"by,omitzero"`     // the administrator who acts as the user
	From   string    `json:"from,omitzero"`   // of what was migrated: "Keycloak 26.7.3"
	Issuer string    `json:"issuer,omitzero"` // the realm's address as the client saw it

	Provider string   `json:"provider,omitzero"` // alias of the identity provider that the user came from
	Mapped   []Mapped `json:"mapped,omitempty"`  // roles and groups that its mappers gave
}

// A Mapped is what one mapper of an identity provider gave a user.
type Mapped struct {
	Mapper string `json:"mapper"` // its name
	Role   string `json:"role,omitempty"`
	Group  string `json:"group,omitempty"`
}

// MaxIssued bounds ClientSession.Issued, in bytes: about ten issuances.
const MaxIssued = 1200

// An Issuance is one answer with tokens: their ids and types, never themselves.
type Issuance struct {
	At          int64  // milliseconds since 1970
	Grant       string // Keycloak's shortcut: "ac", "rt", "ro"...
	Access      string // id of the access token
	RefreshType string // "Refresh", "Offline", "" for none
	Refresh     string // id of the refresh token
}

// String is the form of ClientSession.Issued: entries end in a space.
func (i Issuance) String() string {
	return strconv.FormatInt(i.At, 36) + "," + i.Grant + "," + i.Access + "," + i.RefreshType + "," + i.Refresh + " "
}

// Issuances reads ClientSession.Issued, the newest first. An entry that was cut
// off at the end is left out.
func Issuances(issued string) []Issuance {
	var out []Issuance
	for {
		entry, rest, ok := strings.Cut(issued, " ")
		if !ok {
			return out
		}
		issued = rest
		f := strings.Split(entry, ",")
		if len(f) != 5 {
			continue
		}
		at, err := strconv.ParseInt(f[0], 36, 64)
		if err == nil {
			out = append(out, Issuance{At: at, Grant: f[1], Access: f[2], RefreshType: f[3], Refresh: f[4]})
		}
	}
}

// An ActorKind says who did something.
type ActorKind string

// The actors. Server is the server itself, by a setting; Sweep is the server's
// housekeeping, which notices ends that nobody came back to see.
const (
	ActorUser   ActorKind = "user"
	ActorAdmin  ActorKind = "administrator"
	ActorClient ActorKind = "client"
	ActorServer ActorKind = "server"
	ActorSweep  ActorKind = "sweep"
)

// An End is why, by whom and by which rule something ended. Like Origin it
// holds ids alone.
type End struct {
	Reason  Reason    `json:"reason"`
	By      ActorKind `json:"by"`
	Actor   UserID    `json:"actor,omitzero"`      // the administrator, or the user
	Realm   RealmID   `json:"actorRealm,omitzero"` // the administrator's, where it is another
	Client  ClientID  `json:"client,omitzero"`     // through which it was done, or that did it
	Rule    string    `json:"rule,omitzero"`       // the setting or action that led to it, for people to read: no code reads it
	Token   string    `json:"token,omitzero"`      // id of the token that it was about
	Setting Setting   `json:"setting,omitzero"`    // that it followed from: of Idle, MaxAge and SessionLimit
	Scopes  Scopes    `json:"scopes,omitzero"`     // granted, that it followed from: of ReplacedByOffline
}

// A SettingOwner says what a setting is set at.
type SettingOwner string

// The owners of settings.
const (
	OfRealm  SettingOwner = "realm"
	OfClient SettingOwner = "client"
	OfStep   SettingOwner = "step" // of an authentication flow
)

// A Setting is one that something followed from, by the name that realm files have for it.
type Setting struct {
	Of    SettingOwner `json:"of"`
	Name  string       `json:"name"`
	Value string       `json:"value,omitzero"` // as it was, where it cannot be looked up later
}

// An EndedClientSession is what is kept of a client's part that has ended, alone or with
// its session.
type EndedClientSession struct {
	ClientSession
	User  UserID
	Ended int64 // milliseconds since 1970
	End   End
}
