package oidc

import (
	"crypto/rand"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"latchkey/internal/iam"
	"latchkey/internal/sessions"
)

// A loginCode is what an authorization code stands for. Keycloak: OAuth2Code.
type loginCode struct {
	Session      iam.SessionID `json:"sid"`
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
// that is used twice can be told whose it was.
func newCode(c *loginCode, expires time.Time) (text string, once sessions.Once, err error) {
	id := rand.Text()
	value, err := json.Marshal(c)
	return id + "." + string(c.Session) + "." + string(c.Client), sessions.Once{Key: codeKey(id), Value: value, Expires: expires}, err
}

func codeKey(id string) string { return "code " + id }

// splitCode takes a code's text apart.
func splitCode(text string) (id string, session iam.SessionID, client iam.ClientID, ok bool) {
	id, rest, _ := strings.Cut(text, ".")
	sid, client2, ok := strings.Cut(rest, ".")
	return id, iam.SessionID(sid), iam.ClientID(client2), ok && id != ""
}
