package iam

// Ids are typed so that the database id of a thing cannot be mistaken for the
// name that protocols know it by.
type (
	RealmID   string // a realm's id; differs from its name in imported realms
	ClientID  string // a client's database id (Keycloak's "id"), never OAuth's client_id
	UserID    string // "f:<component>:<external>" for federated users, as in Keycloak
	SessionID string // the "sid" claim; a user's online and offline session may share one
	RoleID    string
	GroupID   string
	ScopeID   string // a client scope's id
	FlowID    string
	ExecID    string // an execution in an authentication flow
)

// RoleIDs are ids of roles, separated by spaces: one value, to remember by what they come to.
type RoleIDs string
