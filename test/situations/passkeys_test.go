package situations

import (
	"encoding/base64"
	"encoding/json"

	"latchkey/internal/iam"
	"latchkey/test/visitor"
)

// A key of P-256 as Keycloak stores it: nobody has its other half.
const (
	keyID     = "a2V5LW9mLWtpbQ"
	publicKey = "pQECAyYgASFYIGsX0fLhLEJH-Lzm5WOkQPJ3A32BLeszoPShOUXYmMKWIlggT-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"
)

// keyed are settings of a realm in which kim has a security key as a second factor.
func keyed() settings {
	data, err := json.Marshal(settings{"aaguid": "00000000-0000-0000-0000-000000000000", "credentialId": keyID, "counter": 3,
		"credentialPublicKey":        publicKey,
		"attestationStatementFormat": "none"})
	if err != nil {
		panic(err) // it is made of text
	}
	return settings{"kim": settings{"credentials": []settings{{"type": "password", "value": password},
		{"type": "webauthn", "secretData": "{}", "credentialData": string(data)}}}}
}

// answer is what a browser sends for an authenticator.
func answer(id string) map[string]string {
	text := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return map[string]string{"credentialId": id, "clientDataJSON": text(
		`{"type":"webauthn.get","challenge":"b2xk","origin":"https://id.example.test"}`),
		"authenticatorData": text("0123456789012345678901234567890\x01\x05\x00\x00\x00\x04"), "signature": text("signed")}
}

// tapped is the page at which kim's key was asked for.
func tapped(w *world, id string) *visitor.Page {
	require(w, "webauthn-authenticator", "ALTERNATIVE")
	return stays(w, w.submit(w.asked(w.b, "shop", nil), right), answer(id))
}

// passkeys are logins at which the answer of an authenticator proves nothing.
var passkeys = []situation{
	{name: "a passkey that was removed", reason: iam.PasskeyUnknown, ask: noSession("shop"), two: true, realm: keyed(),
		happens: func(w *world) {
			w.wrongPassword(w.b, "shop")
			tapped(w, "YW5vdGhlcg")
		},
		mended: func(w *world) {
			require(w, "webauthn-authenticator", "DISABLED")
			w.again("shop")
		}},
	{name: "a passkey's answer to another question", reason: iam.PasskeyRefused, ask: noSession("shop"), two: true, realm: keyed(),
		happens: func(w *world) {
			w.wrongPassword(w.b, "shop")
			tapped(w, keyID)
		},
		mended: func(w *world) {
			require(w, "webauthn-authenticator", "DISABLED")
			w.again("shop")
		}},
}
