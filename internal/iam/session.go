package iam

import "time"

// An AuthSession is one browser's unfinished logins in a realm (Keycloak's root
// authentication session); its id is what the AUTH_SESSION_ID cookie names.
type AuthSession struct {
	ID      SessionID // becomes the id of the user session
	Realm   RealmID
	Created time.Time
	Expires time.Time
}

// ExecStatus is how far an execution of a flow has got in one login.
type ExecStatus string

// Keycloak's CommonClientSessionModel.ExecutionStatus.
const (
	ExecFailed         ExecStatus = "FAILED"
	ExecSuccess        ExecStatus = "SUCCESS"
	ExecSetupRequired  ExecStatus = "SETUP_REQUIRED"
	ExecAttempted      ExecStatus = "ATTEMPTED"
	ExecSkipped        ExecStatus = "SKIPPED"
	ExecChallenged     ExecStatus = "CHALLENGED"
	ExecEvaluatedTrue  ExecStatus = "EVALUATED_TRUE"
	ExecEvaluatedFalse ExecStatus = "EVALUATED_FALSE"
)

// An AuthTab is where one login has got to: one per client opened in a browser.
type AuthTab struct {
	Root      SessionID             `json:"root"`
	ID        string                `json:"id"`              // tab_id
	First     string                `json:"first,omitempty"` // the id that it began under, where it is another: KC_RESTART lists that
	Request   LoginRequest          `json:"request"`
	User      UserID                `json:"user,omitempty"`
	Named     time.Time             `json:"named,omitzero"`    // when it was said who User is: not-befores since end the login
	Flow      string                `json:"flow,omitempty"`    // the path: "authenticate", "registration", "reset-credentials"
	Current   ExecID                `json:"current,omitempty"` // the execution that shows its page
	Code      string                `json:"code,omitempty"`    // the session code that the next POST must carry
	Status    map[ExecID]ExecStatus `json:"status,omitempty"`
	Notes     map[string]string     `json:"notes,omitempty"`     // for the authenticators' own use
	UserNotes map[string]string     `json:"userNotes,omitempty"` // copied to the user session on success
	Required  []string              `json:"required,omitempty"`  // required actions of this login alone
	Left      *Left                 `json:"left,omitempty"`      // the browser is at another site
	Entered   *Entered              `json:"entered,omitempty"`   // Flow is walked for an execution of another
	Brokered  *Brokered             `json:"brokered,omitempty"`  // what an identity provider says of who logs in
	Created   time.Time             `json:"created"`
	Touched   time.Time             `json:"touched,omitzero"` // when it was last stored: how long a page may be left open counts from here
	Version   int64                 `json:"-"`                // compare-and-swap
}

// A Left login waits for its browser to come back from another site to an
// execution. State begins with the tab's id and a dot.
type Left struct {
	Exec  ExecID `json:"exec"`
	State string `json:"state"` // what the other site gives back
	// Provider is the alias of the identity provider that no execution sent the browser to; Exec is "".
	Provider string `json:"provider,omitempty"`
	Nonce    string `json:"nonce,omitempty"`
	Verifier string `json:"verifier,omitempty"` // RFC 7636
	Link     bool   `json:"link,omitempty"`     // the account is to be linked to the user who is logged in
}

// An Entered flow is walked before the flow that it was begun in goes on.
type Entered struct {
	Flow string `json:"flow"` // its alias
	Exec ExecID `json:"exec"` // the execution that began it, "" when an identity provider's answer did
	Path string `json:"path"` // of the flow that this one stands in
}

// A UserSession is one signed-in browser, one direct grant, or one offline grant.
type UserSession struct {
	ID         SessionID
	Realm      RealmID
	User       UserID
	Offline    bool
	Remember   bool
	Username   string // as typed at login (loginUsername)
	IP         string
	AuthMethod string // "openid-connect"
	BrokerID   string // broker session id
	BrokerUser string
	Started    time.Time
	LastAccess time.Time // written behind; may lag by the flush interval
	Notes      map[string]string
	Origin     Origin
}

// A SessionRef names a session that somebody asks for: by a token, a code or a
// cookie. User is whom that is about; a session of somebody else is not there for
// it. "" is for those who have the id alone.
type SessionRef struct {
	ID   SessionID
	Kind SessionKind
	User UserID
}

// Ref names the session.
func (s *UserSession) Ref() SessionRef { return SessionRef{s.ID, SessionKind(s.Offline), s.User} }

// Only is the list of this session alone.
func (ref SessionRef) Only() SessionRefs {
	return SessionRefs{Kind: ref.Kind, User: ref.User, IDs: []SessionID{ref.ID}}
}

// SessionRefs names sessions of one kind, as SessionRef does one: of one user, or
// of anybody where User is "".
type SessionRefs struct {
	Kind SessionKind
	User UserID
	IDs  []SessionID
}

// A SessionKind tells the sessions that browsers see from those that offline tokens
// stand for.
type SessionKind bool

// The kinds of sessions.
const (
	Online  SessionKind = false
	Offline SessionKind = true
)

// SessionKinds lists both.
func SessionKinds() []SessionKind { return []SessionKind{Online, Offline} }

// A ClientSession is one client's part in a UserSession.
type ClientSession struct {
	Session    SessionID
	Realm      RealmID
	Client     ClientID
	Offline    bool
	Started    time.Time
	LastAccess time.Time
	Notes      map[string]string
	Chains     []RefreshChain // one for each login of the client, where the realm rotates refresh tokens
	Origin     Origin
	Refreshes  int64  // how often tokens were refreshed; written behind
	Issued     string // the newest tokens, see Issuance; written behind
	Version    int64
}

// A RefreshChain is what a client session remembers of the refresh tokens that
// follow one another: which was used last and how often, and which was given out for it.
type RefreshChain struct {
	ReuseID string    `json:"reuse_id,omitempty"` // that all its tokens carry
	Used    string    `json:"used"`
	Uses    int       `json:"uses"`
	Newest  string    `json:"newest"`
	Issued  time.Time `json:"issued,omitzero"`  // when Newest was first given out; zero when that is not known
	Expires time.Time `json:"expires,omitzero"` // when all its tokens have expired; zero for never
}

// A Confirmation binds a token to a key (RFC 7800): a DPoP thumbprint or a
// certificate's hash. The zero value binds nothing.
type Confirmation struct{ JKT, X5T string }

// A RefreshKind says which refresh token a grant comes with.
type RefreshKind string

// The "typ" claims of refresh tokens; NoRefresh gives none.
const (
	NoRefresh      RefreshKind = ""
	RefreshOnline  RefreshKind = "Refresh"
	RefreshOffline RefreshKind = "Offline"
)

// A Grant is the decision a token request comes to, before any token exists:
// who, for whom, through which session, with which scopes. Every grant type
// ends in one, and tokens.Issuer is the only place that turns one into bytes.
// How strong the login was, its time and the claims parameter stand in the
// notes of Session and ClientSession, where mappers look for them.
type Grant struct {
	Client        *Client
	User          *User // never nil: a service account is a user
	Session       *UserSession
	ClientSession *ClientSession
	Transient     Transience     // whether the session is stored
	Scopes        []*ClientScope // granted, openid itself excluded
	OpenID        bool           // openid was asked for: an ID token is due
	Asked         string         // the scope parameter
	Offline       bool           // offline_access was asked for, or the session is an offline one
	Audience      []string       // requested by token exchange, as client_ids; nil: as mappers say
	Nonce         string
	Refresh       RefreshKind
	KeepScope     string // the scope of the refresh token this one comes from, "" for as granted
	ReuseID       string // of the refresh token that is rotated
	Chained       bool   // a refresh token is rotated, maybe one without a ReuseID: from before the realm rotated them
	RefreshID     string // id of the refresh token to make, "" for any
	Type          string // Keycloak's grant shortcut in token ids: "ac", "rt", "ro", "cc", "te", "na"
	Confirm       Confirmation
	Issuer        string  // the realm's issuer URL for this request
	NoGroups      bool    // the user was seen to be in no group, by the statement that read the session;
	Roles         RoleIDs // then these were given to the user, composites not expanded
}

// A Transience says whether a grant's session is stored.
type Transience int

// Stored sessions are the rule. A Transient one lives for one response, whose
// tokens carry no sid; a TransientClient is a passing part in a stored session
// (token exchange).
const (
	Stored Transience = iota
	Transient
	TransientClient
)

// NoteExchanged begins the notes of a client's part that say by which token of
// which client it came into the session.
const NoteExchanged = "token_exchange_subject_client"

// Notes of a session in which an administrator acts as the user: the
// administrator's id and name. Keycloak: ImpersonationSessionNote.
const (
	NoteImpersonator     = "IMPERSONATOR_ID"
	NoteImpersonatorName = "IMPERSONATOR_USERNAME"
)
