package authn

import (
	"time"

	"latchkey/internal/iam"
)

// A Begin says which login a protocol's door wants started. The login door has
//
//	Start(w http.ResponseWriter, r *http.Request, b *authn.Begin)
//
// which answers the request: with a page, a redirect to a page, or through the
// protocol's Finish or Refuse (see Done and Refused). The request was checked
// before: client, redirect URI, response type and mode, scope, PKCE.
type Begin struct {
	Realm   iam.RealmID
	Client  *iam.Client
	Request iam.LoginRequest
	Path    string // "" or PathAuthenticate, PathRegistration, PathReset
	Type    string // auth_type of the events: "code"
	Passive bool   // prompt=none: no page may be shown
	// Redirect leads the browser to the login's own address before it goes on,
	// so that the request is not sent again by reloading the page.
	Redirect bool
}

// The paths below /login-actions that walk a flow.
const (
	PathAuthenticate = "authenticate"
	PathRegistration = "registration"
	PathReset        = "reset-credentials"
	PathReturn       = "return"        // from another site
	PathNotice       = "detached-info" // says in another language what a page said that belongs to no login
)

// A Done is a login at its end: flow, required actions and consent are behind
// it. The protocol's door has
//
//	Finish(w http.ResponseWriter, r *http.Request, d *authn.Done)
//
// which makes the client's part in the session, stores both in one transaction
// (sessions.Service.Login with Session, New, Notes and Tab), calls Stored,
// and then answers with the redirect to the client. When storing fails it
// answers with an error page and does not call Stored.
type Done struct {
	Realm   iam.RealmID
	Client  *iam.Client
	User    *iam.User
	Session *iam.UserSession // its notes are up to date; not stored yet
	New     bool             // the session begins with this login
	Noted   bool             // the notes of a session that is there have changed
	Joined  *Joined          // what the client has in a session that is there; nil: not known yet
	Root    iam.SessionID    // of the tab to forget
	Tab     string           // the tab to forget, "" when none is stored
	Request iam.LoginRequest
	Origin  iam.Origin // of the session, or of the client's part in it: as far as the login knows
	// SSO: the cookie alone sufficed. Keycloak's acr is then "0", unless Level says more.
	SSO bool
	// Level of authentication (LoA) that the flow reached; -1 when the flow has no levels.
	Level    int
	AuthTime time.Time // of the last real authentication in this session
	// ActionStatus is kc_action_status for the redirect: "success", "cancelled", "error", "" without kc_action.
	ActionStatus string
	Action       string // kc_action for the redirect: the action, if it was begun
	// Stored sets the session's cookies on the response and writes the LOGIN
	// event, with further details. Session.ID may have changed by then (two tabs
	// that finish at once share a session): it is read now.
	Stored func(details map[string]string)
}

// A Joined is a client's part in the session that a login joins, as it was when
// the session was read.
type Joined struct {
	ClientSession *iam.ClientSession // nil when there is none
	Live          bool               // it can be gone on with
}

// An IdentityToken is what the KEYCLOAK_IDENTITY cookie says: a JWT signed with
// the realm's HMAC key. Keycloak: IdentityCookieToken.
type IdentityToken struct {
	Type         string        `json:"typ"` // IdentityTokenType
	ID           string        `json:"jti"`
	Issuer       string        `json:"iss"`
	Subject      iam.UserID    `json:"sub"`
	Session      iam.SessionID `json:"sid"`
	Issued       int64         `json:"iat"`           // seconds since 1970
	Expires      int64         `json:"exp,omitempty"` // 0: with the session
	StateChecker string        `json:"state_checker"`
}

// IdentityTokenType is the typ claim of identity cookies.
const IdentityTokenType = "Serialized-ID"

// A Refused is a login that ended at the client with an error. The protocol's
// door has
//
//	Refuse(w http.ResponseWriter, r *http.Request, x *authn.Refused)
type Refused struct {
	Realm   iam.RealmID
	Client  *iam.Client
	Request iam.LoginRequest
	Why     Why
	Message string // message key that says more, "" for none
}

// A Why is why a login ended at the client without a user. Keycloak: LoginProtocol.Error.
type Why int

// The reasons.
const (
	Denied              Why = iota // the user, or a step, said no
	LoginRequired                  // no page may be shown, and nobody is logged in
	InteractionRequired            // no page may be shown, and there is something to do
	AlreadyLoggedIn                // in another tab, by now
)

// An Unfit request is one that its protocol accepts no more.
type Unfit struct {
	Status  int // of the page
	Event   string
	Message string // message key
	Refusal iam.Refusal
}
