package iam

import "encoding/json"

// A Brokered identity is what came back from an identity provider. It is kept
// with the login until that is over.
type Brokered struct {
	Provider  string              `json:"provider"` // alias
	ID        string              `json:"id"`       // of the user, at the provider
	Username  string              `json:"username,omitempty"`
	Local     string              `json:"local,omitempty"` // the name that a new user gets, where a mapper says another
	Email     string              `json:"email,omitempty"`
	Verified  *bool               `json:"verified,omitempty"` // what the provider says of the address, nil for nothing
	FirstName string              `json:"first,omitempty"`
	LastName  string              `json:"last,omitempty"`
	Attrs     map[string][]string `json:"attrs,omitempty"`
	Session   string              `json:"session,omitempty"`  // the provider's session: "alias.sid"
	Claims    json.RawMessage     `json:"claims,omitempty"`   // of ID token and userinfo, or of the profile
	Access    json.RawMessage     `json:"access,omitempty"`   // the access token's, where the provider is a Keycloak
	Kept      string              `json:"kept,omitempty"`     // the tokens, where the provider's are stored
	IDToken   string              `json:"id_token,omitempty"` // to log out there
	Notes     map[string]string   `json:"notes,omitempty"`    // for the user session
	Mapped    []Mapped            `json:"mapped,omitempty"`   // roles and groups, for the session's record
	Walked    string              `json:"walked,omitempty"`   // the path of the flow that has succeeded
	New       bool                `json:"new,omitempty"`      // the first login made the user
	First     bool                `json:"firstTime,omitempty"`
	Review    bool                `json:"review,omitempty"`   // the profile is looked at, whatever the step's settings say
	Changed   bool                `json:"changed,omitempty"`  // the user has changed the address
	Proved    UserID              `json:"proved,omitempty"`   // who has followed the link of a mail
	Existing  UserID              `json:"existing,omitempty"` // whose account it may be
	Same      string              `json:"same,omitempty"`     // what they share: "email" or "username"
	SameAs    string              `json:"sameAs,omitempty"`
}
