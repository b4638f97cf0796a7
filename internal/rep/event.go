package rep

import "github.com/go-json-experiment/json/jsontext"

// Event is Keycloak's EventRepresentation. Time is in milliseconds.
type Event struct {
	ID        string            `json:"id,omitzero"`
	Time      int64             `json:"time"`
	Type      string            `json:"type,omitzero"`
	RealmID   string            `json:"realmId,omitzero"`
	ClientID  string            `json:"clientId,omitzero"`
	UserID    string            `json:"userId,omitzero"`
	SessionID string            `json:"sessionId,omitzero"`
	IPAddress string            `json:"ipAddress,omitzero"`
	Error     string            `json:"error,omitzero"`
	Details   map[string]string `json:"details,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"EventRepresentation"`
}

// AdminEvent is Keycloak's AdminEventRepresentation. Time is in milliseconds.
type AdminEvent struct {
	ID             string            `json:"id,omitzero"`
	Time           int64             `json:"time"`
	RealmID        string            `json:"realmId,omitzero"`
	AuthDetails    *AuthDetails      `json:"authDetails,omitzero"`
	OperationType  string            `json:"operationType,omitzero"`
	ResourceType   string            `json:"resourceType,omitzero"`
	ResourcePath   string            `json:"resourcePath,omitzero"`
	Representation string            `json:"representation,omitzero"`
	Error          string            `json:"error,omitzero"`
	Details        map[string]string `json:"details,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"AdminEventRepresentation"`
}

// AuthDetails is Keycloak's AuthDetailsRepresentation.
type AuthDetails struct {
	RealmID   string `json:"realmId,omitzero"`
	ClientID  string `json:"clientId,omitzero"`
	UserID    string `json:"userId,omitzero"`
	IPAddress string `json:"ipAddress,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"AuthDetailsRepresentation"`
}

// EventsConfig is Keycloak's RealmEventsConfigRepresentation.
type EventsConfig struct {
	EventsEnabled             bool     `json:"eventsEnabled"`
	EventsExpiration          *int64   `json:"eventsExpiration,omitzero"`
	EventsListeners           []string `json:"eventsListeners,omitzero"`
	EnabledEventTypes         []string `json:"enabledEventTypes,omitzero"`
	AdminEventsEnabled        *bool    `json:"adminEventsEnabled,omitzero"`
	AdminEventsDetailsEnabled *bool    `json:"adminEventsDetailsEnabled,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"RealmEventsConfigRepresentation"`
}

// ErrorBody is Keycloak's ErrorRepresentation, the admin REST's answer with errorMessage.
type ErrorBody struct {
	Field        string           `json:"field,omitzero"`
	ErrorMessage string           `json:"errorMessage,omitzero"`
	Params       []jsontext.Value `json:"params,omitzero"`
	Errors       []ErrorBody      `json:"errors,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"ErrorRepresentation"`
}

// OAuthError is Keycloak's OAuth2ErrorRepresentation, the admin REST's answer with error and
// error_description.
type OAuthError struct {
	Error            string `json:"error,omitzero"`
	ErrorDescription string `json:"error_description,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"OAuth2ErrorRepresentation"`
}
