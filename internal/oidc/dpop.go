package oidc

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/jose"
	"latchkey/internal/oidc/grants"
	"latchkey/internal/tokens"
	"latchkey/internal/web"
)

// proofAlgs are the algorithms of DPoP proofs, for discovery and challenges.
func proofAlgs() []string { return slices.DeleteFunc(slices.Clone(signing), jose.Symmetric) }

// proofs are the values of a request's DPoP header, nil when it has none.
func proofs(r *http.Request) []string { return r.Header.Values("DPoP") }

// proof is the request's DPoP proof, to be checked. access is the token that it
// must be made for, "" where tokens are given.
func (c *call) proof(access string) *tokens.Proof {
	_, path, _ := strings.Cut(c.r.URL.EscapedPath(), "/realms/")
	return &tokens.Proof{
		Header: proofs(c.r), Method: c.r.Method, Bases: []string{c.urls.Frontend, c.urls.Backchannel}, Path: "/realms/" + path,
		Access: access, Now: c.door.Now(),
		Once: func(key string, until time.Time) (bool, error) {
			return c.door.Sessions.PutSingleUse(c.ctx(), c.realm, key, []byte("1"), until)
		},
	}
}

// bind takes the proof of the key that the tokens of this request are to be
// bound to; a client's attribute may demand one. Bindings to a certificate are
// not built, and a token without one would be worth more than the client was told.
// Keycloak: DPoPUtil.handleDPoPHeader, MtlsHoKTokenUtil without a certificate.
func (b *backCall) bind() (key string, err error) {
	if proofs(b.r) != nil || b.client.OIDC.DPoP {
		if key, err = b.proof("").Check(); err != nil {
			return "", grants.BadProof(err)
		}
	}
	if b.client.OIDC.MTLS {
		return "", certificateBound
	}
	return key, nil
}

// logoutBound checks the key that a refresh token is bound to, for a logout, where the
// reference takes no proof and refuses all tokens that are bound.
// Keycloak: TokenManager.verifyRefreshToken.
func (b *backCall) logoutBound(tok *tokens.Token) error {
	if tok.Confirm.JKT == "" {
		return nil
	}
	refused, err := b.proof("").Holds(tok)
	if refused != "" {
		return grants.Worthless(iam.TokenInvalid, refused)
	}
	return err
}

// proveForLogin notes the key of a pushed request's proof as the one that the
// code will be bound to. Keycloak: ParEndpoint.request.
func (b *backCall) proveForLogin(form web.Form) error {
	if proofs(b.r) == nil {
		return nil
	}
	jkt, err := b.proof("").Check()
	if refused, ok := errors.AsType[tokens.ProofError](err); ok {
		return pushedProof.With("$proof", refused.Error())
	}
	switch {
	case err != nil:
		return err
	case form.Has("dpop_jkt") && form.Get("dpop_jkt") != jkt:
		return pushedOtherKey
	}
	form.Set("dpop_jkt", jkt)
	return nil
}
