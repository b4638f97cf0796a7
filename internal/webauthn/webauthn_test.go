package webauthn_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"latchkey/internal/iam"
	"latchkey/internal/webauthn"
)

// An authenticator holds one key, and does what the test wants it to.
type authenticator struct {
	key     *ecdsa.PrivateKey
	id      []byte
	rpID    string
	origin  string
	kind    string // "", or what client data say instead of the right type
	flags   byte
	counter uint32
	format  string
}

const (
	present  = 1
	verified = 4
	eligible = 8
	backedUp = 16
	attested = 64
)

func newAuthenticator(t *testing.T) *authenticator {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &authenticator{key: key, id: []byte("an id of a key"), rpID: "id.example.test", origin: "https://id.example.test",
		flags: present | verified, format: "none"}
}

func (a *authenticator) clientData(kind, challenge string) []byte {
	if a.kind != "" {
		kind = a.kind
	}
	data, err := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": a.origin})
	if err != nil {
		panic(err) // it is made of text
	}
	return data
}

func (a *authenticator) data(flags byte) []byte {
	rp := sha256.Sum256([]byte(a.rpID))
	return binary.BigEndian.AppendUint32(append(rp[:], flags), a.counter)
}

func (a *authenticator) create(t *testing.T, challenge string) webauthn.Creation {
	public, err := a.key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	data := append(a.data(a.flags|attested), make([]byte, 16)...)
	data = append(binary.BigEndian.AppendUint16(data, uint16(len(a.id))), a.id...)
	data = append(data, "\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20"...) // COSE: EC2, ES256, P-256
	data = append(append(append(data, public[1:33]...), "\x22\x58\x20"...), public[33:]...)
	object := append([]byte("\xa3\x63fmt"), byte(0x60+len(a.format)))
	object = append(append(object, a.format...), "\x67attStmt\xa0\x68authData\x58"...)
	return webauthn.Creation{ClientData: a.clientData("webauthn.create", challenge), Attestation: append(append(object, byte(len(data))),
		data...), Transports: []string{"usb"}}
}

func (a *authenticator) get(t *testing.T, challenge string) webauthn.Assertion {
	a.counter++
	out := webauthn.Assertion{ID: a.id, ClientData: a.clientData("webauthn.get", challenge), AuthenticatorData: a.data(a.flags)}
	hash := sha256.Sum256(out.ClientData)
	digest := sha256.Sum256(slices.Concat(out.AuthenticatorData, hash[:]))
	var err error
	if out.Signature, err = ecdsa.SignASN1(rand.Reader, a.key, digest[:]); err != nil {
		t.Fatal(err)
	}
	return out
}

var (
	policy = iam.WebAuthnPolicy{Algorithms: []string{"ES256"}, UserVerification: "required", Attestation: webauthn.NotSpecified,
		Attachment: webauthn.NotSpecified}
	party = webauthn.PartyOf(policy, "https://id.example.test/realms/shop")
)

// spoils are what may be wrong with an answer, whichever it is.
var spoils = map[string]func(*authenticator){
	"another site's page": func(a *authenticator) { a.origin = "https://evil.test" },
	"a host below":        func(a *authenticator) { a.origin = "https://x.id.example.test" },
	"without TLS":         func(a *authenticator) { a.origin = "http://id.example.test" },
	"another site's key":  func(a *authenticator) { a.rpID = "evil.test" },
	"nobody was verified": func(a *authenticator) { a.flags = present },
	"nobody was there":    func(a *authenticator) { a.flags = verified },
	"another ceremony":    func(a *authenticator) { a.kind = "payment.get" },
}

func TestRegister(t *testing.T) {
	refused := func(name string, p iam.WebAuthnPolicy, challenge string, spoil func(*authenticator)) {
		t.Helper()
		a := newAuthenticator(t)
		spoil(a)
		if key, err := webauthn.Register(p, webauthn.PartyOf(p, "https://id.example.test/realms/shop"), challenge,
			a.create(t, "Y2hhbGxlbmdl")); err == nil {
			t.Errorf("%s: registered as %+v", name, key)
		}
	}
	nothing := func(*authenticator) {}
	for name, spoil := range spoils {
		refused(name, policy, "Y2hhbGxlbmdl", spoil)
	}
	refused("another challenge", policy, "b3RoZXI", nothing)
	refused("no challenge", policy, "", nothing)
	refused("another format", policy, "Y2hhbGxlbmdl", func(a *authenticator) { a.format = "mine" })
	refused("no id", policy, "Y2hhbGxlbmdl", func(a *authenticator) { a.id = nil })
	for name, change := range map[string]func(*iam.WebAuthnPolicy){
		"another algorithm":     func(p *iam.WebAuthnPolicy) { p.Algorithms = []string{"RS256"} },
		"attestation is wanted": func(p *iam.WebAuthnPolicy) { p.Attestation = "direct" },
		"models are wanted":     func(p *iam.WebAuthnPolicy) { p.AAGUIDs = []string{"00000000-0000-0000-0000-000000000000"} },
		"built-in ones alone":   func(p *iam.WebAuthnPolicy) { p.Attachment = "platform" },
		"another party":         func(p *iam.WebAuthnPolicy) { p.RPID = "example.test" },
	} {
		p := policy
		change(&p)
		refused(name, p, "Y2hhbGxlbmdl", nothing)
	}
}

// The stored form is Keycloak's, and an assertion is judged by it.
func TestVerify(t *testing.T) {
	a := newAuthenticator(t)
	made, err := webauthn.Register(policy, party, "Y2hhbGxlbmdl", a.create(t, "Y2hhbGxlbmdl"))
	if err != nil {
		t.Fatal(err)
	}
	stored, err := made.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"aaguid":"00000000-0000-0000-0000-000000000000","credentialId":"` + base64.StdEncoding.EncodeToString(a.id) +
		`","counter":0,"credentialPublicKey":"`
	if !strings.HasPrefix(string(stored), want) || !strings.HasSuffix(string(stored),
		`","attestationStatementFormat":"none","transports":["usb"]}`) {
		t.Errorf("stored as %s", stored)
	}
	key, err := webauthn.ParseKey(stored)
	if err != nil {
		t.Fatal(err)
	}
	n, err := key.Verify(policy, party, "YWdhaW4", a.get(t, "YWdhaW4"))
	if n != 1 || err != nil {
		t.Fatal(n, err)
	}
	key.Counter = n
	synced := *a
	synced.flags |= eligible | backedUp // as Keycloak's credentials do not say
	if _, err := key.Verify(policy, party, "YWdhaW4", synced.get(t, "YWdhaW4")); err != nil {
		t.Error(err)
	}
	refused := func(name, challenge string, got webauthn.Assertion) {
		t.Helper()
		if _, err := key.Verify(policy, party, challenge, got); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for name, spoil := range spoils {
		other := *a
		spoil(&other)
		refused(name, "YWdhaW4", other.get(t, "YWdhaW4"))
	}
	copied := *a
	copied.counter = 0
	refused("a counter that stands still", "YWdhaW4", copied.get(t, "YWdhaW4"))
	odd := *a
	odd.flags |= backedUp
	refused("backed up but not eligible", "YWdhaW4", odd.get(t, "YWdhaW4"))
	refused("another challenge", "b3RoZXI", a.get(t, "YWdhaW4"))
	refused("no challenge", "", a.get(t, ""))
	stranger := newAuthenticator(t)
	stranger.counter = 9
	refused("another key", "YWdhaW4", stranger.get(t, "YWdhaW4"))
	wrong := a.get(t, "YWdhaW4")
	wrong.Signature = nil
	refused("no signature", "YWdhaW4", wrong)
	refused("nothing", "YWdhaW4", webauthn.Assertion{ID: a.id})
	refused("another id", "YWdhaW4", webauthn.Assertion{ID: []byte("other")})
}
