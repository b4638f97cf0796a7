package iam

import "time"

// A User is a person or a service account. Credentials are not part of it.
type User struct {
	ID             UserID
	Realm          RealmID
	Username       string // lower-cased
	Email          string // lower-cased
	EmailVerified  bool
	FirstName      string
	LastName       string
	Enabled        bool
	Federation     string   // component that owns the user, "" when local
	ServiceAccount ClientID // the client whose service account this is, "" for people
	Required       []string // required actions
	Attrs          map[string][]string
	CreatedAt      time.Time
	NotBefore      time.Time
	Extra          []byte // JSON of members that Latchkey does not know, of users stored before these were sealed apart
	Version        int64
}

// Attr returns the first value of an attribute, "" when absent.
func (u *User) Attr(name string) string {
	if v := u.Attrs[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// A Credential is one way for a user to prove who they are. Data is public
// (algorithm, iterations, counters); Secret is not, and is sealed at rest.
// Both are JSON in Keycloak's own encoding (credentialData, secretData).
type Credential struct {
	ID       string
	User     UserID
	Kind     CredentialKind
	Label    string
	Data     []byte
	Secret   Secret
	Priority int
	Created  time.Time
	Version  int64
}

// A FederatedIdentity links a user to an account at an identity provider.
type FederatedIdentity struct {
	User             UserID
	Provider         string // the identity provider's alias
	ExternalID       string
	ExternalUsername string
	Token            Secret // the stored broker token, nil when none
}

// A Consent is what a user allowed a client.
type Consent struct {
	User    UserID
	Client  ClientID
	Scopes  []ScopeID
	Created time.Time
	Updated time.Time
}

// A Guess is a place among the attempts at a user's credentials that brute
// force protection allows to be compared at a time.
type Guess struct {
	Realm  RealmID
	User   UserID
	Minute int64     // since 1970, in which it was taken
	Until  time.Time // it may be compared until then
}

// LoginFailures is what brute force protection knows of one user.
type LoginFailures struct {
	User              UserID
	Failures          int
	TemporaryLockouts int
	LastFailure       time.Time
	LastIP            string
	NotBefore         time.Time // locked until
	SecondaryFailures int
	Pause             time.Duration // between the last two failures, negative when there was only one
}
