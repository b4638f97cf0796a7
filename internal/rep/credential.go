package rep

import (
	"errors"
	"fmt"
	"time"

	"latchkey/internal/iam"
)

// ErrPlainPassword says that a credential is a password in clear, which has to
// be hashed before it can be one of iam's.
var ErrPlainPassword = errors.New("rep: password in clear")

// IAM compiles a credential; User is left to the caller. The form that Keycloak
// used before version 8 (hashedSaltedValue and so on) is understood, as
// Keycloak still does (RepresentationToModel.convertDeprecatedCredentialsFormat).
func (c *Credential) IAM() (*iam.Credential, error) {
	m := &iam.Credential{
		ID: c.ID, Kind: iam.CredentialKind(c.Type), Label: Val(c.UserLabel), Priority: Val(c.Priority),
		Data: []byte(c.CredentialData), Secret: iam.Secret(c.SecretData),
	}
	if c.CreatedDate != nil {
		m.Created = time.UnixMilli(*c.CreatedDate)
	}
	if c.CredentialData != "" && c.SecretData != "" {
		return m, nil
	}
	if c.Value != nil {
		return nil, ErrPlainPassword
	}
	if c.HashedSaltedValue == nil {
		return nil, fmt.Errorf("credential %q has no secretData", c.Type)
	}
	var data, secret any
	switch c.Type {
	case "password", "password-history":
		if c.HashIterations == nil {
			return nil, fmt.Errorf("credential %q has no hashIterations", c.Type)
		}
		data = struct {
			Iterations int    `json:"hashIterations"`
			Algorithm  string `json:"algorithm"`

			More map[string][]string `json:"additionalParameters"`
		}{*c.HashIterations, or(c.Algorithm, "pbkdf2"), map[string][]string{}}
		secret = struct {
			Value string `json:"value"`
			Salt  string `json:"salt"`
		}{*c.HashedSaltedValue, Val(c.Salt)}
	case "totp", "hotp":
		m.Kind = iam.OTP
		if m.Label == "" {
			m.Label = Val(c.Device)
		}
		data = struct {
			SubType   string `json:"subType"`
			Digits    int    `json:"digits"`
			Counter   int    `json:"counter"`
			Period    int    `json:"period"`
			Algorithm string `json:"algorithm"`
		}{c.Type, or(c.Digits, 6), Val(c.Counter), or(c.Period, 30), or(c.Algorithm, "HmacSHA1")}
		secret = struct {
			Value string `json:"value"`
		}{*c.HashedSaltedValue}
	default:
		return nil, fmt.Errorf("credential %q has no secretData", c.Type)
	}
	var err error
	if m.Data, err = Marshal(data); err != nil {
		return nil, err
	}
	m.Secret, err = Marshal(secret)
	return m, err
}

// FromCredential is a credential as realm files have it, secret included; see
// ShownCredential for everybody else.
func FromCredential(c *iam.Credential) Credential {
	r := Credential{
		ID: c.ID, Type: string(c.Kind), CreatedDate: new(c.Created.UnixMilli()),
		SecretData: string(c.Secret), CredentialData: string(c.Data),
	}
	if c.Label != "" {
		r.UserLabel = &c.Label
	}
	if c.Priority != 0 {
		r.Priority = &c.Priority
	}
	return r
}

// ShownCredential is a credential as its owner and administrators see it: without its secret.
func ShownCredential(c *iam.Credential) Credential {
	r := FromCredential(c)
	r.SecretData, r.Priority = "", nil
	return r
}

// FromUser is a user as both realm files and the admin REST have it, as far as
// package iam knows: credentials, roles, groups, links, consents, Access and
// whether there is an OTP are for the caller to add.
func FromUser(u *iam.User) *User {
	r := &User{
		ID: string(u.ID), Username: u.Username, Email: text(u.Email), EmailVerified: &u.EmailVerified,
		FirstName: text(u.FirstName), LastName: text(u.LastName), Enabled: &u.Enabled,
		CreatedTimestamp: new(u.CreatedAt.UnixMilli()), TOTP: new(false), NotBefore: new(0),
		FederationLink: u.Federation, RequiredActions: u.Required, DisableableCredentialTypes: []string{},
	}
	if len(u.Attrs) > 0 {
		r.Attributes = u.Attrs
	}
	if r.RequiredActions == nil {
		r.RequiredActions = []string{}
	}
	if !u.NotBefore.IsZero() {
		*r.NotBefore = int(u.NotBefore.Unix())
	}
	return r
}

// FromFederatedIdentity is a link to an account at an identity provider.
func FromFederatedIdentity(f *iam.FederatedIdentity) FederatedIdentity {
	return FederatedIdentity{IdentityProvider: f.Provider, UserID: f.ExternalID, UserName: f.ExternalUsername}
}

// text is s, or nil when it is empty.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// or is what p points to, or what is used when there is nothing.
func or[T any](p *T, absent T) T {
	if p == nil {
		return absent
	}
	return *p
}
