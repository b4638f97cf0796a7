package oidc

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
)

// checkVerifier holds a code verifier against the challenge that came with the
// login (RFC 7636 4.6). Keycloak: PkceUtils.
func (t *tokenCall) checkVerifier(challenge, method string) error {
	verifier, given := t.form.Get("code_verifier"), t.form.Has("code_verifier")
	enforced := t.client.OIDC.PKCE != ""
	switch {
	case !given && (enforced || challenge != ""):
		return t.deny(refusal{word: "code_verifier_missing", code: "invalid_grant", description: "PKCE code verifier not specified"})
	case !given:
		return nil
	case challenge == "" && !enforced:
		return t.deny(refusal{word: "invalid_code_verifier", code: "invalid_grant",
			description: "PKCE code verifier specified but challenge not present in authorization"})
	case !validVerifier(verifier):
		return t.verifierError("invalid_code_verifier", "Invalid code verifier")
	}
	if method == "S256" {
		sum := sha256.Sum256([]byte(verifier))
		verifier = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	if subtle.ConstantTimeCompare([]byte(verifier), []byte(challenge)) != 1 {
		return t.verifierError("pkce_verification_failed", "Code mismatch")
	}
	return nil
}

func (t *tokenCall) verifierError(word, what string) error {
	t.detail("reason", what)
	return t.deny(refusal{word: word, code: "invalid_grant", description: "PKCE verification failed: " + what, detail: untold})
}

// validVerifier: 43 to 128 unreserved characters (RFC 7636 4.1).
func validVerifier(s string) bool {
	if len(s) < 43 || len(s) > 128 {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '~', c == '_':
		default:
			return false
		}
	}
	return true
}
