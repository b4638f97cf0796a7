package bearer

import "latchkey/internal/iam"

// A Refusal is what is wrong with a token: which check said no, and which no. Doors
// answer some of one iam.Reason in different words.
type Refusal string

// The refusals.
const (
	Unsigned               Refusal = "not signed by the realm"
	RetiredKey             Refusal = "signed by a key that is not accepted any more"
	WrongType              Refusal = "of another type"
	OtherHost              Refusal = "issued under another host name"
	Expired                Refusal = "expired"
	OtherClient            Refusal = "of another client"
	BoundToken             Refusal = "bound to a key, and shown without the scheme DPoP"
	UnboundToken           Refusal = "bound to no key, and shown by the scheme DPoP"
	BindingDemanded        Refusal = "bound to no key, of a client that demands it"
	WrongProof             Refusal = "shown without a proof of its key"
	NoOpenID               Refusal = "without the scope openid"
	UnknownClient          Refusal = "of no client"
	SessionGone            Refusal = "of a session that is not there"
	SessionTimedOut        Refusal = "of a session that has timed out"
	SessionForgotten       Refusal = "of a session that was to be remembered"
	ClientSessionGone      Refusal = "of a client that has no part in the session"
	ClientSessionTimedOut  Refusal = "of a client's part that has timed out"
	OlderThanSession       Refusal = "older than its session"
	OlderThanClientSession Refusal = "older than its client's part"
	RevokedToken           Refusal = "revoked"
	RealmOff               Refusal = "of a realm that is disabled"
	ClientOff              Refusal = "of a client that is disabled"
	UserGone               Refusal = "of no user"
	UserOff                Refusal = "of a user who is disabled"
	AccountOff             Refusal = "without a session, of a user who is disabled"
	BeforeRealm            Refusal = "older than the realm's not-before"
	BeforeClient           Refusal = "older than the client's not-before"
	BeforeUser             Refusal = "older than the user's not-before"
	SpentToken             Refusal = "a refresh token that was used up"
	NotGranted             Refusal = "of an offline session that is not granted any more"
)

// reasons of the closed list.
var reasons = map[Refusal]iam.Reason{
	Unsigned: iam.TokenInvalid, RetiredKey: iam.TokenRetiredKey, WrongType: iam.TokenInvalid, OtherHost: iam.TokenOtherHost,
	Expired:     iam.TokenExpired,
	OtherClient: iam.WrongClient, BoundToken: iam.TokenInvalid, UnboundToken: iam.TokenInvalid, BindingDemanded: iam.TokenInvalid,
	WrongProof: iam.TokenInvalid,
	NoOpenID:   iam.WrongScope, UnknownClient: iam.UnknownClient, SessionGone: iam.SessionEnded, SessionTimedOut: iam.SessionEnded,
	SessionForgotten:  iam.SessionEnded,
	ClientSessionGone: iam.ClientSessionEnded, ClientSessionTimedOut: iam.ClientSessionEnded,
	OlderThanSession: iam.TokenOfPast, OlderThanClientSession: iam.TokenOfPast,
	RevokedToken: iam.Revoked,
	RealmOff:     iam.RealmDisabled, ClientOff: iam.ClientDisabled, UserGone: iam.UserRemoved, UserOff: iam.UserDisabled,
	AccountOff:  iam.UserDisabled,
	BeforeRealm: iam.NotBeforeRealm, BeforeClient: iam.NotBeforeClient, BeforeUser: iam.NotBeforeUser, NotGranted: iam.OfflineNotGranted,
	SpentToken: iam.TokenReuse,
}

// Reason is that of the closed list, "" for no refusal.
func (r Refusal) Reason() iam.Reason { return reasons[r] }
