package pages

import "time"

// An Assertion is what a page asks an authenticator to sign. Its script reads it
// as JSON, under the names of Keycloak's pages.
type Assertion struct {
	Challenge        string `json:"challenge"`
	UserVerification string `json:"userVerification"`
	RPID             string `json:"rpId"`
	Timeout          int    `json:"createTimeout"`    // seconds, 0 for the browser's
	Known            bool   `json:"isUserIdentified"` // the user is known, and one of the credentials below is wanted
	Mediation        string `json:"mediation,omitempty"`
	Attachment       string `json:"authenticatorAttachment,omitempty"`

	Authenticators []Authenticator `json:"-"`
}

// An Authenticator is a credential that the user has registered.
type Authenticator struct {
	ID         string // base64url
	Label      string
	Transports []string
	Created    time.Time
}

// Reached are the message keys of how an authenticator is reached, as far as there are texts.
func (a Authenticator) Reached() (keys []string) {
	for _, t := range a.Transports {
		if key := map[string]string{"usb": "usb", "nfc": "nfc", "ble": "bluetooth", "internal": "internal"}[t]; key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

// LoginWebAuthn asks for a signature. Keycloak: webauthn-authenticate.ftl.
type LoginWebAuthn struct {
	Assertion
	Listed bool // the user sees which authenticators there are
}

// WebAuthnRegister asks an authenticator for a new credential. Keycloak: webauthn-register.ftl.
type WebAuthnRegister struct {
	Challenge          string `json:"challenge"`
	UserID             string `json:"userid"` // base64url
	Username           string `json:"username"`
	Algorithms         []int  `json:"signatureAlgorithms"`
	RPName             string `json:"rpEntityName"`
	RPID               string `json:"rpId"`
	Attestation        string `json:"attestationConveyancePreference"`
	Attachment         string `json:"authenticatorAttachment"`
	RequireResidentKey string `json:"requireResidentKey"`
	ResidentKey        string `json:"residentKey"`
	UserVerification   string `json:"userVerificationRequirement"`
	Timeout            int    `json:"createTimeout"`
	Exclude            string `json:"excludeCredentialIds"` // with commas

	Retry bool `json:"-"`
}

// WebAuthnError says what was wrong with an authenticator's answer. Keycloak: webauthn-error.ftl.
type WebAuthnError struct{ Execution string }
