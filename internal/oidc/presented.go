package oidc

import (
	"net/http"
	"strings"

	"latchkey/internal/bearer"
	"latchkey/internal/iam"
	"latchkey/internal/tokens"
)

// bearerOf returns the token of an Authorization header: a scheme, one space and
// the token. Keycloak: AppAuthManager.extractTokenStringFromAuthHeader.
func bearerOf(r *http.Request) (token string, ok bool) {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
	if rest == "" || strings.Contains(rest, " ") || !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, schemeDPoP) {
		return "", false
	}
	return rest, true
}

const schemeDPoP = "DPoP"

// byDPoP tells whether the Authorization header has a token bound to a key (RFC 9449 7.1).
func byDPoP(r *http.Request) bool {
	scheme, _, _ := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
	_, ok := bearerOf(r)
	return ok && strings.EqualFold(scheme, schemeDPoP)
}

// accessTypes are the types of access tokens.
var accessTypes = []string{tokens.TypeBearer, tokens.TypeDPoP}

// refreshTypes are the types of refresh tokens.
var refreshTypes = []string{tokens.TypeRefresh, tokens.TypeOffline}

// judge asks about a presented token. The record of a refusal will know which token
// it was and what was wrong with it.
func (c *call) judge(raw string, want bearer.Want) (*bearer.Verdict, error) {
	want.Issuer = c.issuer()
	v, err := c.door.Bearer.Judge(c.ctx(), c.realm, raw, want)
	if err != nil {
		return nil, err
	}
	v.Record(&c.event)
	return v, nil
}

// A saying is how an endpoint refuses a token: the words of the event, those of the
// answer, and of whom the event tells.
type saying struct {
	word, reason, description string
	tells                     telling
	open                      bool // scripts of every origin may read it
}

// telling is of whom a refusal's event tells, each with those before it.
type telling int

const (
	nobody telling = iota
	theClient
	theSession
	theUser
)

// standing are the error words of a token that stands on nothing any more.
// Keycloak: UserSessionUtil.findValidSession.
var standing = map[bearer.Refusal]string{
	bearer.SessionGone: "user_session_not_found", bearer.SessionTimedOut: "user_session_not_found",
	bearer.ClientSessionGone: "user_session_not_found",
	bearer.RealmOff:          "user_session_not_found", bearer.SessionForgotten: "session_expired",
	bearer.ClientSessionTimedOut: "session_expired",
	bearer.OlderThanSession:      "invalid_token", bearer.OlderThanClientSession: "invalid_token", bearer.UserGone: "user_not_found",
	bearer.AccountOff: "user_disabled",
}

// sayingOf looks up an endpoint's table. What stands on nothing any more is refused by
// its word, with a reason where the endpoint says before what it is about.
func sayingOf(table map[bearer.Refusal]saying, no bearer.Refusal, before string) saying {
	word, stood := standing[no]
	switch {
	case !stood:
		return table[no]
	case before != "":
		before += word
	}
	return saying{word: word, reason: before, description: word, tells: theSession}
}

// fill puts what is known of a token into a text of a table.
func (c *call) fill(text string, v *bearer.Verdict) string {
	if !strings.Contains(text, "$") || v.Token == nil {
		return text
	}
	return strings.NewReplacer("$issuer", c.issuer(), "$type", v.Token.Type, "$client", v.Token.Client, "$session", sessionOf(v), "$proof",
		v.Proof).Replace(text)
}

func sessionOf(v *bearer.Verdict) string {
	if v.View == nil {
		return ""
	}
	return string(v.View.Session.ID)
}

// tell has the event say whose a token is, as far as its endpoint does; its client
// where no other asks.
func (b *backCall) tell(v *bearer.Verdict, how telling) {
	if how >= theClient && b.client == nil {
		b.event.Client = v.Token.Client
	}
	if how >= theSession {
		b.event.Session = iam.SessionID(v.Token.Session)
	}
	if how >= theUser && v.User != nil {
		b.event.User = v.User.ID
	}
}

// partFor is the client's part in the session of a token, or what stands in for it.
func (c *call) partFor(v *bearer.Verdict) *iam.ClientSession {
	if v.View != nil && v.View.ClientSession != nil {
		return v.View.ClientSession
	}
	now := c.door.Now()
	p := &iam.ClientSession{Realm: c.realm.ID, Client: v.Client.ID, Started: now, LastAccess: now, Notes: map[string]string{"iss": c.issuer()}}
	if v.View != nil {
		p.Session, p.Offline = v.View.Session.ID, v.View.Session.Offline
	}
	return p
}

// grantOf is the grant that a presented token came from, for mappers that run
// again over it. Its scopes are for the issuer to find.
func (c *call) grantOf(v *bearer.Verdict) *iam.Grant {
	g := &iam.Grant{
		Client: &v.Client.Client, User: v.User, Session: c.door.Bearer.SessionOf(c.realm, v, c.event.IP), ClientSession: c.partFor(v),
		Nonce: v.Token.Nonce, Issuer: c.issuer(), OpenID: tokens.HasScope(v.Token.Scope, tokens.ScopeOpenID),
	}
	if v.View != nil {
		v.View.SetRoles(g)
	}
	return g
}
