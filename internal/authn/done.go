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
	Request iam.AuthRequest
	Path    string // "" or PathAuthenticate, PathRegistration, PathReset
	Type    string // auth_type of the events: "code"
	Passive bool   // prompt=none: no page may be shown
}

// The paths below /login-actions that walk a flow.
const (
	PathAuthenticate = "authenticate"
	PathRegistration = "registration"
	PathReset        = "reset-credentials"
)

// A Done is a login at its end: flow, required actions and consent are behind
// it, the user session is stored (new or joined), its cookies are set on the
// response, and the LOGIN event is written. The protocol's door has
//
//	Finish(w http.ResponseWriter, r *http.Request, d *authn.Done)
//
// which makes the client's part in the session and redirects to the client.
type Done struct {
	Realm   iam.RealmID
	Client  *iam.Client
	User    *iam.User
	Session *iam.UserSession
	Request iam.AuthRequest
	// SSO: the cookie alone sufficed. Keycloak's acr is then "0", unless Level says more.
	SSO bool
	// Level of authentication (LoA) that the flow reached; -1 when the flow has no levels.
	Level    int
	AuthTime time.Time // of the last real authentication in this session
	First    bool      // this is the first client of a session that this login made
	// ActionStatus is kc_action_status for the redirect: "success", "cancelled", "error", "" without kc_action.
	ActionStatus string
	Notes        map[string]string // notes for the client's part of the session
}

// A Refused is a login that ended at the client with an error. The protocol's
// door has
//
//	Refuse(w http.ResponseWriter, r *http.Request, x *authn.Refused)
type Refused struct {
	Realm       iam.RealmID
	Client      *iam.Client
	Request     iam.AuthRequest
	Error       string // OAuth's: "login_required", "interaction_required", "access_denied", "temporarily_unavailable"
	Description string
}
