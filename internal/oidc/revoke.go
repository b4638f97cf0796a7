package oidc

import (
	"net/http"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/tokens"
	"latchkey/internal/web"
)

// revoke makes a token worthless (RFC 7009): a refresh token with the client's
// part in its session, an access token alone.
// Keycloak: TokenRevocationEndpoint.
func (h *Handler) revoke(c *call) error {
	b, err := c.back()
	if err != nil {
		return err
	}
	if err := b.authenticateClient(); err != nil {
		return err
	}
	if err := b.openToClient(); err != nil {
		return err
	}
	if err := b.errDuplicate(); err != nil {
		return err
	}
	tok, err := b.revocable()
	if err != nil {
		return err
	}
	p, word, err := b.live(tok, b.client)
	if err != nil {
		return err
	}
	if word != "" {
		return b.refuse(word, errWorthless)
	}
	b.event.User = p.user.ID
	if tok.Type == tokens.TypeRefresh || tok.Type == tokens.TypeOffline {
		_, err = b.Sessions.EndLastPart(b.ctx(), b.realm, iam.SessionID(tok.Session), tok.Type == tokens.TypeOffline, b.client.ID)
		if err != nil {
			return err
		}
		b.detail("revoked_client", b.client.ClientID)
		b.event.Session = iam.SessionID(tok.Session)
		b.detail("refresh_token_id", tok.ID)
		b.detail("refresh_token_type", tok.Type)
	} else {
		// Ten seconds at least, as the reference keeps it: clocks differ.
		left := max(tok.Expires-b.Now().Unix()+1, 10)
		if _, err := b.Sessions.PutOnce(b.ctx(), b.realm, revokedKey(tok.ID), []byte("1"), b.Now().Add(time.Duration(left)*time.Second)); err != nil {
			return err
		}
		b.detail("token_id", tok.ID)
	}
	b.emit()
	web.SecurityHeaders(b.w.Header(), b.realm.SecurityHeaders, "")
	b.w.WriteHeader(http.StatusOK)
	return nil
}

// errWorthless is the answer to a token that is worth nothing already: RFC 7009
// 2.2 wants 200.
var errWorthless = &Error{http.StatusOK, "invalid_token", "Invalid token"}

func (b *backCall) revocable() (*tokens.Token, error) {
	if !b.form.Has("token") {
		return nil, b.bad("invalid_request", "invalid_request", "Token not provided")
	}
	tok, err := tokens.Parse(b.ctx(), b.realm, b.form.Get("token"))
	if err != nil {
		return nil, b.refuse("invalid_token", errWorthless)
	}
	switch tok.Type {
	case tokens.TypeRefresh, tokens.TypeOffline, tokens.TypeBearer, tokens.TypeDPoP:
	default:
		return nil, b.bad("invalid_token_type", "unsupported_token_type", "Unsupported token type")
	}
	switch tok.Client {
	case "":
		b.detail("reason", "Issued for not set")
		return nil, b.refuse("invalid_token", errWorthless)
	case b.client.ClientID:
		return tok, nil
	}
	return nil, b.bad("invalid_request", "invalid_request", "Unmatching clients")
}
