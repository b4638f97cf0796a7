package oidc

import (
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"latchkey/internal/iam"
	"latchkey/internal/sessions"
)

// A loginCode is what an authorization code stands for. Keycloak: OAuth2Code.
type loginCode struct {
	Session      iam.SessionID `json:"sid"`
	User         iam.UserID    `json:"sub,omitempty"` // whose session it is; "" in codes of an earlier version
	Client       iam.ClientID  `json:"client"`
	Scope        string        `json:"scope"`
	RedirectURI  string        `json:"redirect_uri,omitempty"` // the parameter, "" when there was none
	Nonce        string        `json:"nonce,omitempty"`
	Challenge    string        `json:"code_challenge,omitempty"`
	ChallengeAlg string        `json:"code_challenge_method,omitempty"`
	JKT          string        `json:"dpop_jkt,omitempty"` // of the key that must redeem it
}

// Notes of a client's part in a session that its tokens need, under Keycloak's
// names; see also package claims.
const (
	noteScope        = "scope"
	noteResponseType = "response_type"
	noteFirstOffline = "first.offline.access" // the session began with this client's request for offline access
)

// newCode makes a code: its text for the client, and what to store with the
// login. It names session and client, as Keycloak's codes do, so that a code
// that is used twice can be told whose it was: its id is sealed for both, so that
// nobody can invent one.
func (c *call) newCode(l *loginCode, expires time.Time) (text string, once sessions.SingleUse, err error) {
	id, err := c.Tabs.Seal(c.codePurpose(l.Session, l.Client), nil)
	if err != nil {
		return "", sessions.SingleUse{}, err
	}
	value, err := json.Marshal(l)
	return id + "." + string(l.Session) + "." + string(l.Client), sessions.SingleUse{Key: codeKey(id), Value: value, Expires: expires}, err
}

func (c *call) codePurpose(session iam.SessionID, client iam.ClientID) string {
	return "oidc code " + string(c.realm.ID) + " " + string(session) + " " + string(client)
}

// wasGiven tells whether this server made a code's id for a session and client.
// Codes of an earlier version cannot be told.
func (c *call) wasGiven(id string, session iam.SessionID, client iam.ClientID) bool {
	var nothing any
	return c.Tabs.Open(c.codePurpose(session, client), id, &nothing) == nil
}

func codeKey(id string) string { return "code " + id }

// splitCode takes a code's text apart.
func splitCode(text string) (id string, session iam.SessionID, client iam.ClientID, ok bool) {
	id, rest, _ := strings.Cut(text, ".")
	sid, client2, ok := strings.Cut(rest, ".")
	return id, iam.SessionID(sid), iam.ClientID(client2), ok && id != ""
}
