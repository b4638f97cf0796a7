package tokens

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"latchkey/internal/iam"
	"latchkey/internal/jose"
	"latchkey/internal/keys"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
)

// The "typ" claims of tokens.
const (
	TypeBearer  = "Bearer"
	TypeDPoP    = "DPoP"
	TypeID      = "ID"
	TypeRefresh = "Refresh"
	TypeOffline = "Offline"
)

// Why a presented token is refused. All are Keycloak's TokenVerifier's and
// NotBeforeCheck's words.
var (
	ErrInvalid = errors.New("token: not signed by the realm, or malformed")
	// ErrUnknownKey is an ErrInvalid of what names a key that the realm does
	// not have, or no longer accepts.
	ErrUnknownKey = fmt.Errorf("%w: by no key that it has", ErrInvalid)
	ErrIssuer     = errors.New("Invalid token issuer") //nolint:staticcheck // shown to clients in the reference's words
	ErrNotActive  = errors.New("Token is not active")  //nolint:staticcheck // likewise
	ErrStale      = errors.New("Stale token")          //nolint:staticcheck // likewise
)

// A Token is a token that was presented. Times are seconds since the epoch, 0
// when absent.
type Token struct {
	ID        string   `json:"jti"`
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Type      string   `json:"typ"`
	Client    string   `json:"azp"` // client_id
	Session   string   `json:"sid"`
	Scope     string   `json:"scope"`
	Nonce     string   `json:"nonce"`
	Username  string   `json:"preferred_username"`
	ReuseID   string   `json:"reuse_id"`
	Audience  textList `json:"aud"`
	Requested textList `json:"req-aud"` // what token exchange had asked for
	Expires   int64    `json:"exp"`
	NotBefore int64    `json:"nbf"`
	IssuedAt  int64    `json:"iat"`
	Confirm   struct {
		JKT string `json:"jkt"`
		X5T string `json:"x5t#S256"`
	} `json:"cnf"`
	Payload []byte `json:"-"` // JSON
}

// ACR is the authentication context that a token names, "" for none.
func (t *Token) ACR() string {
	var claims struct {
		ACR any `json:"acr"` // a mapper may have made it anything
	}
	if json.Unmarshal(t.Payload, &claims) != nil {
		return ""
	}
	acr, _ := claims.ACR.(string)
	return acr
}

// textList is a text or a list of texts (RFC 7519 4.1.3).
type textList []string

// UnmarshalJSON reads either form.
func (l *textList) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*l = make(textList, 1)
		return json.Unmarshal(b, &(*l)[0])
	}
	return json.Unmarshal(b, (*[]string)(l))
}

// Parse checks that a key of the realm signed a token, with the one algorithm
// of that key, and reads it. Nothing else is checked. The error is ErrInvalid.
// What it returns may be shared in its slices, which nobody writes to.
func Parse(ctx context.Context, r *realms.Realm, raw string) (*Token, error) {
	known, err := realms.Recall(r, readToken(raw), func() (Token, error) { return read(ctx, r, raw) })
	if err != nil {
		return nil, err
	}
	return &known, nil
}

// readToken is a token that was read lately. It stays so as long as the keys that
// signed it, for what it says does not change; what it is worth is asked anew each time.
type readToken string

func read(ctx context.Context, r *realms.Realm, raw string) (Token, error) {
	t, err := jose.Parse(raw)
	if err != nil {
		return Token{}, ErrInvalid
	}
	// A token without a kid is an offline token of a Keycloak of long ago: any key of the realm may have signed it.
	if accepted := keys.Of(r).Accepted(iam.Sig); t.Header.KID != "" && !accepted.Has(t.Header.KID) {
		return Token{}, ErrUnknownKey
	} else if _, err := accepted.Verify(t); err != nil {
		return Token{}, ErrInvalid
	}
	out := Token{Payload: t.Payload}
	if err := t.Claims(&out); err != nil {
		return Token{}, ErrInvalid
	}
	return out, nil
}

// Use is the token as a refresh token that is presented.
func (t *Token) Use() sessions.RefreshUse {
	use := sessions.RefreshUse{ID: t.ID, ReuseID: t.ReuseID, Issued: t.Issued()}
	if t.Expires != 0 {
		use.Expires = time.Unix(t.Expires, 0)
	}
	return use
}

// Kind is the kind of the session that the token was given for.
func (t *Token) Kind() iam.SessionKind {
	return iam.SessionKind(t.Type == TypeOffline || t.Context().Offline)
}

// Ref names the session of one kind that the token was given for.
func (t *Token) Ref(kind iam.SessionKind) iam.SessionRef {
	return iam.SessionRef{ID: iam.SessionID(t.Session), Kind: kind, User: iam.UserID(t.Subject)}
}

// clockSkew is by how many seconds a token's nbf may lie ahead.
const clockSkew = 10

// Issued is when the token was made.
func (t *Token) Issued() time.Time { return time.Unix(t.IssuedAt, 0) }

// RevokedKey is under which a revoked access token's id is kept until it
// expires, by sessions.PutSingleUse. Keycloak: SingleUseObjectProvider, ".revoked".
func (t *Token) RevokedKey() string { return "revoked " + t.ID }

// Active reports whether a time lies within the token's life.
// Keycloak: JsonWebToken.isActive: the second of its end still counts.
func (t *Token) Active(now time.Time) bool {
	return (t.Expires == 0 || now.Unix() <= t.Expires) && now.Unix()+clockSkew >= t.NotBefore
}

// Check returns ErrIssuer, ErrNotActive, or ErrStale when the token was issued
// before one of the not-befores (zero ones do not count).
func (t *Token) Check(issuer string, now time.Time, notBefore ...time.Time) error {
	if t.Issuer != issuer {
		return ErrIssuer
	}
	if !t.Active(now) {
		return ErrNotActive
	}
	if t.Before(notBefore...) {
		return ErrStale
	}
	return nil
}

// Before reports whether the token was issued before one of the times, in
// whole seconds as the claim counts. Keycloak: TokenManager.NotBeforeCheck.
func (t *Token) Before(times ...time.Time) bool {
	return slices.ContainsFunc(times, func(at time.Time) bool { return !at.IsZero() && t.IssuedAt < at.Unix() })
}

// BeforeSession reports whether the token is older than the session, or the
// client's part in it, that it names: it belongs to an earlier one of that id.
// Keycloak: AccessToken.isIssuedBeforeSessionStart, which grants a second.
func (t *Token) BeforeSession(started time.Time) bool { return t.IssuedAt+1 < started.Unix() }

// A Context is what a token's id tells of how it came about.
type Context struct {
	Offline   bool // made for an offline session
	Transient bool // no session was stored
	Guest     bool // a passing part in a stored session (token exchange)
	Light     bool // a lightweight access token
	Unknown   bool // no access token of this server: an ID token
	Grant     string
}

// Context reads a token's id. Keycloak: DefaultTokenContextEncoderProvider.
func (t *Token) Context() Context {
	code, _, ok := strings.Cut(t.ID, ":")
	if !ok || len(code) != 6 {
		return Context{Unknown: true}
	}
	c := Context{Grant: code[4:], Light: code[2:4] == "lt"}
	switch code[:2] {
	case "of":
		c.Offline = true
	case "tr":
		c.Transient = true
	case "nt":
		c.Guest = true
	case "ft":
		c.Guest, c.Offline = true, true
	case "on":
	default:
		c.Unknown = true
	}
	return c
}
