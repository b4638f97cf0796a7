package iam

import (
	"strings"
	"time"
)

// An EventKind is one of Keycloak's event types, "LOGIN" or "CODE_TO_TOKEN_ERROR".
type EventKind string

// Tried is the kind without its failure: LOGIN of LOGIN_ERROR.
func (k EventKind) Tried() EventKind { return EventKind(strings.TrimSuffix(string(k), "_ERROR")) }

// An Event is what a user or client did, or failed to do.
type Event struct {
	ID      string
	Time    time.Time
	Realm   RealmID
	Kind    EventKind
	Client  string // OAuth's client_id
	User    UserID
	Session SessionID
	IP      string
	Error   string // Keycloak's error word, "" when all went well
	Details map[string]string
	Cause   Cause  // of an error; not part of what is stored as the event
	Support string // code of a refusal that was counted, for who is refused; likewise
}

// Detail adds a detail; an empty value is left out.
func (e *Event) Detail(name, value string) {
	if value == "" {
		return
	}
	if e.Details == nil {
		e.Details = map[string]string{}
	}
	e.Details[name] = value
}

// A Cause is what is known of a refusal beyond the words of its event.
type Cause struct {
	Reason  Reason    // "" for what Kind and Error say
	User    UserID    // whom the refused token was about, where the event names nobody
	Session SessionID // that the refused token named
	Token   string    // id of the refused token
	Agent   string    // the User-Agent of the browser that it was refused to; it is not kept as it is
	Refusal
}

// A Refusal is what was refused, as far as the reason alone does not say it.
type Refusal struct {
	Offline  bool   `json:"offline,omitempty"`  // what named an offline session
	Prompted bool   `json:"prompted,omitempty"` // to be signed on without a login: its page was shown, or would have been
	Redirect string `json:"redirect,omitempty"` // this redirect URI
	Told     string `json:"told,omitempty"`     // what an identity provider answered, for people to read
	Setting  string `json:"setting,omitempty"`  // what this setting of the client would allow: SettingStandardFlow...
}

// The settings of clients that allow flows, by the names that realm files have for them.
const (
	SettingStandardFlow = "standardFlowEnabled"
	SettingImplicitFlow = "implicitFlowEnabled"
	// AttrDeviceGrant allows the device authorization grant (RFC 8628).
	AttrDeviceGrant     = "oauth2.device.authorization.grant.enabled"
	SettingDirectGrants = "directAccessGrantsEnabled"
)

// An AdminEvent is a change made through the admin API.
type AdminEvent struct {
	ID             string
	Time           time.Time
	Realm          RealmID
	AuthRealm      RealmID // where the administrator is at home
	AuthClient     ClientID
	AuthUser       UserID
	IP             string
	Operation      string // "CREATE", "UPDATE", "DELETE", "ACTION"
	ResourceType   string // "USER", "REALM_ROLE_MAPPING"...
	ResourcePath   string // "users/<id>"
	Representation string // JSON, "" when the realm does not keep details
	Error          string
	Details        map[string]string
}
