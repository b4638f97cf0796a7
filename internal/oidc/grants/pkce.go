package grants

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
)

// checkVerifier holds a code verifier against the challenge that came with the
// login (RFC 7636 4.6). Keycloak: PkceUtils.
func checkVerifier(q *Request, challenge, method string) error {
	verifier, given := q.Params.Verifier.Text, q.Params.Verifier.Given
	enforced := q.Client.OIDC.PKCE != ""
	switch {
	case !given && (enforced || challenge != ""):
		return verifierMissing
	case !given:
		return nil
	case challenge == "" && !enforced:
		return verifierUnasked
	case !validVerifier(verifier):
		return verifierInvalid
	}
	if method == "S256" {
		sum := sha256.Sum256([]byte(verifier))
		verifier = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	if subtle.ConstantTimeCompare([]byte(verifier), []byte(challenge)) != 1 {
		return verifierWrong
	}
	return nil
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
