package oidc

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/jose"
	"latchkey/internal/tokens"
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
		Access: access, Now: c.Now(),
		Once: func(key string, until time.Time) (bool, error) {
			return c.Sessions.PutSingleUse(c.ctx(), c.realm, key, []byte("1"), until)
		},
	}
}

// bind takes the proof of the key that the tokens of this request are to be
// bound to; a client's attribute may demand one. Bindings to a certificate are
// not built, and a token without one would be worth more than the client was told.
// Keycloak: DPoPUtil.handleDPoPHeader, MtlsHoKTokenUtil without a certificate.
func (t *tokenCall) bind() error {
	if proofs(t.r) != nil || t.client.OIDC.DPoP {
		jkt, err := t.proof("").Check()
		if err != nil {
			return t.badProof(err)
		}
		t.jkt = jkt
	}
	if t.client.OIDC.MTLS {
		return t.deny(refusal{word: "invalid_request", description: "Client Certification missing for MTLS HoK Token Binding"})
	}
	return nil
}

// badProof refuses with an event when err is a ProofError.
func (t *tokenCall) badProof(err error) error {
	if refused, ok := errors.AsType[tokens.ProofError](err); ok {
		return t.deny(refusal{word: "invalid_dpop_proof", code: "invalid_request", description: refused.Error()})
	}
	return err
}

// checkThumbprint holds the key of the request against the one that the login
// named (RFC 9449 10). Keycloak: DPoPUtil.validateDPoPJkt.
func (t *tokenCall) checkThumbprint(wanted string) error {
	switch {
	case wanted == "" || wanted == t.jkt:
		return nil
	case t.jkt == "":
		return t.deny(refusal{word: "invalid_request", description: "DPoP Proof missing"})
	}
	return t.deny(refusal{word: "invalid_request", description: "DPoP Proof public key thumbprint does not match dpop_jkt"})
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
		return b.worthless(iam.TokenInvalid, refused)
	}
	return err
}

// proveForLogin notes the key of a pushed request's proof as the one that the
// code will be bound to. Keycloak: ParEndpoint.request.
func (b *backCall) proveForLogin() error {
	if proofs(b.r) == nil {
		return nil
	}
	jkt, err := b.proof("").Check()
	if refused, ok := errors.AsType[tokens.ProofError](err); ok {
		return b.deny(refusal{word: "invalid_request", description: refused.Error(), detail: "detail"})
	}
	switch {
	case err != nil:
		return err
	case b.form.Has("dpop_jkt") && b.form.Get("dpop_jkt") != jkt:
		return b.deny(refusal{word: "invalid_request", description: "DPoP Proof public key thumbprint does not match dpop_jkt.",
			detail: "detail"})
	}
	b.form.Set("dpop_jkt", jkt)
	return nil
}
