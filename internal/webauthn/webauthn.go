package webauthn

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/google/uuid"

	"latchkey/internal/iam"
)

// NotSpecified is what a policy says where it leaves the choice to the browser.
const NotSpecified = "not specified"

// algorithms are the COSE identifiers of the names that policies use.
// Keycloak: WebAuthnRegister.convertSignatureAlgorithms.
var algorithms = map[string]int{
	"ES256": -7, "ES384": -35, "ES512": -36, "RS256": -257, "RS384": -258, "RS512": -259, "Ed25519": -8, "RS1": -65535,
}

// usual are the algorithms of a policy that names none.
var usual = []string{"ES256", "RS256"}

// Algorithms are those of a policy by their COSE identifiers, as pages name them.
func Algorithms(names []string) []int {
	out := []int{}
	for _, name := range names {
		if id, ok := algorithms[name]; ok {
			out = append(out, id)
		}
	}
	return out
}

// NewChallenge returns 16 random bytes in base64url.
func NewChallenge() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// A Party is the relying party: the id that authenticators sign for, and the
// origins of pages that may ask them.
type Party struct {
	ID      string
	Origins []string
}

// PartyOf is the party of a realm whose issuer is at an address.
func PartyOf(p iam.WebAuthnPolicy, issuer string) Party {
	out := Party{ID: p.RPID, Origins: slices.Clone(p.ExtraOrigins)}
	if u, err := url.Parse(issuer); err == nil {
		out.Origins = append(out.Origins, u.Scheme+"://"+u.Host)
		if out.ID == "" {
			out.ID = u.Hostname()
		}
	}
	return out
}

// Decode reads base64, in the alphabet for URLs or the other, padded or not.
func Decode(text string) ([]byte, error) {
	text = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(text, "="))
	return base64.RawURLEncoding.DecodeString(text)
}

// Encode writes base64url as browsers do.
func Encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// A Creation is a browser's answer to the wish for a new credential.
type Creation struct {
	ClientData, Attestation []byte
	Transports              []string
	Attachment              string // of the authenticator, as the browser says
}

// A Key is a registered credential. Keycloak: WebAuthnCredentialData. Its form has
// no place for the backup flags, and Keycloak refuses members that it does not know.
type Key struct {
	AAGUID     string   `json:"aaguid"`
	ID         string   `json:"credentialId"` // base64
	Counter    uint32   `json:"counter"`
	Public     string   `json:"credentialPublicKey"` // COSE, base64url
	Format     string   `json:"attestationStatementFormat,omitempty"`
	Transports []string `json:"transports,omitempty"`

	Rest jsontext.Value `json:",embed"` // members that are unknown here
}

// ParseKey reads a stored credential.
func ParseKey(data []byte) (*Key, error) {
	k := new(Key)
	if err := json.Unmarshal(data, k); err != nil {
		return nil, err
	}
	if id, err := Decode(k.ID); err != nil || len(id) == 0 {
		return nil, errors.New("webauthn: a credential without an id")
	}
	public, err := Decode(k.Public)
	if err != nil {
		return nil, err
	}
	if _, err := webauthncose.ParsePublicKey(public); err != nil {
		return nil, fmt.Errorf("webauthn: public key: %w", err)
	}
	return k, nil
}

// Is tells whether the credential has an id.
func (k *Key) Is(id []byte) bool {
	own, err := Decode(k.ID)
	return err == nil && bytes.Equal(own, id)
}

// URLID is the id as pages and browsers write it.
func (k *Key) URLID() string {
	id, err := Decode(k.ID)
	if err != nil {
		return ""
	}
	return Encode(id)
}

// Marshal is the form that is stored.
func (k *Key) Marshal() ([]byte, error) { return json.Marshal(k) }

// Register judges a new credential under a policy. The errors are for events and pages.
// Keycloak: WebAuthnRegister.processAction, with webauthn4j's checks.
func Register(p iam.WebAuthnPolicy, party Party, challenge string, c Creation) (*Key, error) {
	if challenge == "" {
		return nil, errors.New("no challenge is open")
	}
	raw := protocol.CredentialCreationResponse{AttestationResponse: protocol.AuthenticatorAttestationResponse{
		AuthenticatorResponse: protocol.AuthenticatorResponse{ClientDataJSON: c.ClientData}, AttestationObject: c.Attestation,
		Transports: c.Transports}}
	parsed, err := raw.AttestationResponse.Parse()
	if err != nil {
		return nil, words(err)
	}
	att := &parsed.AttestationObject
	data := protocol.ParsedCredentialCreationData{Response: *parsed, Raw: raw}
	data.RawID = att.AuthData.AttData.CredentialID
	names := p.Algorithms
	if len(names) == 0 {
		names = usual
	}
	var accepted []protocol.CredentialParameter
	for _, id := range Algorithms(names) {
		accepted = append(accepted, protocol.CredentialParameter{Type: protocol.PublicKeyCredentialType,
			Algorithm: webauthncose.COSEAlgorithmIdentifier(id)})
	}
	if _, err := data.Verify(challenge, party.ID, party.Origins, party.Origins, nil, protocol.TopOriginExplicitVerificationMode, false,
		p.UserVerification == "required", true, nil, accepted, protocol.AttestationPolicy{}, protocol.SignaturePolicy{}); err != nil {
		return nil, words(err)
	}
	if len(att.AuthData.AttData.CredentialID) == 0 {
		return nil, errors.New("the credential has no id")
	}
	aaguid, err := uuid.FromBytes(att.AuthData.AttData.AAGUID)
	if err != nil {
		return nil, errors.New("the authenticator's model is malformed")
	}
	if err := complies(p, data.Response.AttestationObject, aaguid.String(), c.Attachment); err != nil {
		return nil, err
	}
	return &Key{AAGUID: aaguid.String(), ID: base64.StdEncoding.EncodeToString(att.AuthData.AttData.CredentialID),
		Counter: att.AuthData.Counter,
		Public:  Encode(att.AuthData.AttData.CredentialPublicKey), Format: att.Format, Transports: c.Transports}, nil
}

// complies judges what the library leaves to the policy.
// Keycloak: WebAuthnRegister.PolicyVerifier, createWebAuthnRegistrationManager.
func complies(p iam.WebAuthnPolicy, att protocol.AttestationObject, aaguid, attachment string) error {
	free := p.Attestation == "" || p.Attestation == NotSpecified || p.Attestation == "none"
	none := att.Format == "none"
	_, chained := att.AttStatement["x5c"]
	switch {
	case none && !free:
		return errors.New("the policy wants an attestation")
	case len(p.AAGUIDs) == 0:
	case none:
		return errors.New("acceptable AAGUIDs require an attestation format other than 'none'")
	case !chained: // who attests itself may say any model
		return errors.New("self attestation does not prove the authenticator's model")
	case !slices.ContainsFunc(p.AAGUIDs, func(a string) bool { return strings.EqualFold(a, aaguid) }):
		return errors.New("not acceptable authenticator model (based on the AAGUID)")
	}
	if p.Attachment != "" && p.Attachment != NotSpecified && p.Attachment != attachment {
		return fmt.Errorf("policy requires '%s' authenticator attachment", p.Attachment)
	}
	return nil
}

// An Assertion is a browser's answer to the wish for a signature.
type Assertion struct {
	ID, ClientData, AuthenticatorData, Signature []byte
}

// Verify judges an assertion by a registered credential, and returns the counter
// to store. Flags and counter are those of the assertion: a counter that does
// not grow is that of a copy, 0 is that of a key without one.
// Keycloak: WebAuthnCredentialProvider.isValid.
func (k *Key) Verify(p iam.WebAuthnPolicy, party Party, challenge string, a Assertion) (uint32, error) {
	if challenge == "" {
		return 0, errors.New("no challenge is open")
	}
	if !k.Is(a.ID) {
		return 0, errors.New("the assertion is by another credential")
	}
	public, err := Decode(k.Public)
	if err != nil {
		return 0, err
	}
	raw := protocol.CredentialAssertionResponse{
		PublicKeyCredential: protocol.PublicKeyCredential{Credential: protocol.Credential{ID: Encode(a.ID),
			Type: string(protocol.PublicKeyCredentialType)}, RawID: a.ID},
		AssertionResponse: protocol.AuthenticatorAssertionResponse{AuthenticatorResponse: protocol.AuthenticatorResponse{
			ClientDataJSON: a.ClientData},
			AuthenticatorData: a.AuthenticatorData, Signature: a.Signature},
	}
	parsed, err := raw.Parse()
	if err != nil {
		return 0, words(err)
	}
	if err := parsed.Verify(challenge, party.ID, "", party.Origins, party.Origins, nil, protocol.TopOriginExplicitVerificationMode, false,
		p.UserVerification == "required", true, public, protocol.SignaturePolicy{}); err != nil {
		return 0, words(err)
	}
	data := parsed.Response.AuthenticatorData
	if data.Flags.HasBackupState() && !data.Flags.HasBackupEligible() {
		return 0, errors.New("a key is said to be backed up that cannot be")
	}
	if (k.Counter > 0 || data.Counter > 0) && data.Counter <= k.Counter {
		return 0, errors.New("the counter does not grow: the authenticator may have been cloned")
	}
	return data.Counter, nil
}

// words are those of the library without what it knows of this server.
func words(err error) error {
	if e, ok := errors.AsType[*protocol.Error](err); ok && e.Details != "" {
		return errors.New(strings.ToLower(e.Details[:1]) + e.Details[1:])
	}
	return errors.New("the answer of the authenticator cannot be read")
}
