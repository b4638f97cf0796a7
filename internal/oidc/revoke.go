package oidc

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"latchkey/internal/bearer"
	"latchkey/internal/iam"
	"latchkey/internal/tokens"
	"latchkey/internal/web"
)

// A revocation is what a client asks (RFC 7009 2.1).
type revocation struct {
	token web.Param
	twice bool // a parameter was given more than once
}

func readRevocation(form web.Form) revocation {
	return revocation{token: form.Param("token"), twice: form.Duplicate() != ""}
}

// revoke makes a token worthless (RFC 7009): a refresh token with the client's
// part in its session, an access token alone.
// Keycloak: TokenRevocationEndpoint.
func (h *Handler) revoke(c *call) error {
	b, form, err := c.back()
	if err != nil {
		return err
	}
	p := readRevocation(form)
	if err := b.admitClient(); err != nil {
		return err
	}
	if p.twice {
		return duplicated
	}
	v, err := b.revocable(p.token)
	if err != nil {
		return err
	}
	tok := v.Token
	b.event.User = v.User.ID
	if err := b.revokeExchanged(tok); err != nil {
		return err
	}
	if tok.Type == tokens.TypeRefresh || tok.Type == tokens.TypeOffline {
		if err := b.endParts(tok); err != nil {
			return err
		}
		b.detail("revoked_client", b.client.ClientID)
		b.event.Session = iam.SessionID(tok.Session)
		b.detail("refresh_token_id", tok.ID)
		b.detail("refresh_token_type", tok.Type)
	} else {
		// Ten seconds at least, as the reference keeps it: clocks differ.
		left := max(tok.Expires-b.door.Now().Unix()+1, 10)
		if _, err := b.door.Sessions.PutSingleUse(b.ctx(), b.realm, tok.RevokedKey(), []byte("1"),
			b.door.Now().Add(time.Duration(left)*time.Second)); err != nil {
			return err
		}
		b.detail("token_id", tok.ID)
	}
	b.emit()
	web.SecurityHeaders(b.w.Header(), b.realm.SecurityHeaders, "")
	b.w.WriteHeader(http.StatusOK)
	return nil
}

// endParts ends the client's part in the session of a refresh token; that of an
// offline token ends with the one in the online session it came out of.
// Keycloak: TokenRevocationEndpoint.revokeClientSession.
func (b *backCall) endParts(tok *tokens.Token) error {
	for _, kind := range []iam.SessionKind{iam.Offline, iam.Online} {
		if kind == iam.Offline && tok.Type != tokens.TypeOffline {
			continue
		}
		if _, err := b.door.Sessions.EndLastClientSession(b.ctx(), b.realm, tok.Ref(kind), b.client.ID,
			b.revoked(tok, "revocation endpoint")); err != nil {
			return err
		}
	}
	return nil
}

func (b *backCall) revoked(tok *tokens.Token, rule string) iam.End {
	return iam.End{Reason: iam.Revoked, By: iam.ActorClient, Client: b.client.ID, Rule: rule, Token: tok.ID}
}

// revokeExchanged takes out of the session those clients that came in by
// exchanging a token of this client.
// Keycloak: TokenRevocationEndpoint.revokeTokenExchangeSession.
func (b *backCall) revokeExchanged(tok *tokens.Token) error {
	if tok.Session == "" {
		return nil
	}
	gone, err := b.door.Sessions.DetachNoted(b.ctx(), b.realm, tok.Ref(iam.Online), iam.NoteExchanged+tok.Client,
		b.revoked(tok, "the token that this client's was exchanged for"))
	if err != nil || len(gone) == 0 {
		return err
	}
	names := make([]string, len(gone))
	for i, id := range gone {
		if names[i], err = b.realm.ClientName(b.ctx(), id); err != nil {
			return err
		}
	}
	b.detail("token_exchange_revoked_clients", strings.Join(names, ","))
	return nil
}

// revocationChecks are those of TokenRevocationEndpoint: a token may have expired, and its
// user or client may be disabled.
var revocationChecks = []bearer.Check{bearer.OfType, bearer.OfClient, bearer.LiveSession, bearer.LiveClientSession,
	bearer.AfterSession, bearer.AfterClientSession}

// revocable judges a token that is to be revoked.
func (b *backCall) revocable(token web.Param) (*bearer.Verdict, error) {
	if !token.Given {
		return nil, revokeNothing
	}
	v, err := b.judge(token.Text, bearer.Want{Checks: revocationChecks, Types: slices.Concat(refreshTypes, accessTypes),
		Client: b.client.ClientID})
	if err != nil {
		return nil, err
	}
	switch {
	case v.Good():
		return v, nil
	case v.Refusal == bearer.WrongType:
		return nil, revokeType
	case v.Refusal == bearer.OtherClient && v.Token.Client != "":
		return nil, revokeOfOther
	case v.Refusal == bearer.OtherClient:
		return nil, revokeUnassigned
	}
	no := *revokeWorthless
	no.Word = cmp.Or(standing[v.Refusal], no.Word)
	return nil, &no
}
