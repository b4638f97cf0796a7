package iam

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// A LoginRequest is what a login needs to know of who asked for it, by whichever
// protocol. It was validated once, at the protocol's door. RedirectURI is where the
// answer goes.
type LoginRequest struct {
	Client      ClientID `json:"client"`
	Protocol    Protocol `json:"protocol,omitempty"`
	Issuer      string   `json:"iss,omitempty"` // the realm's address as the browser saw it
	RedirectURI string   `json:"redirect_uri,omitempty"`
	Scope       string   `json:"scope,omitempty"` // which optional client scopes are asked for
	Force       bool     `json:"force,omitempty"` // a session is not enough: prompt=login, ForceAuthn
	Consent     bool     `json:"consent,omitempty"`
	// consent is asked for whatever the client's settings and the consent before say: a device is let in
	Confirm     bool     `json:"confirm,omitempty"`
	MaxAge      string   `json:"max_age,omitempty"` // seconds; "" when absent
	Contexts    []string `json:"contexts,omitempty"`
	Essential   bool     `json:"essential,omitempty"` // one of Contexts must be reached
	LoginHint   string   `json:"login_hint,omitempty"`
	UILocales   string   `json:"ui_locales,omitempty"`
	IDPHint     string   `json:"kc_idp_hint,omitempty"`
	HasIDPHint  bool     `json:"has_idp_hint,omitempty"`        // kc_idp_hint was given, perhaps as "": no provider by default
	Action      string   `json:"kc_action,omitempty"`           // application initiated action
	ActionParam string   `json:"kc_action_parameter,omitempty"` // what follows its name after a colon
	// Own is an object with the rest of the request, which the protocol's door wrote and reads.
	Own json.RawMessage `json:"-"`
}

// plainRequest is the members that logins know.
type plainRequest LoginRequest

// MarshalJSON writes the protocol's own members beside the others. So the
// requests of OpenID Connect are what they were when logins knew no other protocol,
// and nodes of both versions read what the other has stored.
func (q LoginRequest) MarshalJSON() ([]byte, error) {
	doc, err := json.Marshal(plainRequest(q))
	if err != nil || len(q.Own) <= len("{}") {
		return doc, err
	}
	return slices.Concat(doc[:len(doc)-1], []byte(","), q.Own[1:]), nil
}

// UnmarshalJSON reads what MarshalJSON writes, and what the version before wrote:
// there the protocol's own members tell all.
func (q *LoginRequest) UnmarshalJSON(doc []byte) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(doc, &all); err != nil {
		return err
	}
	if err := json.Unmarshal(doc, (*plainRequest)(q)); err != nil {
		return err
	}
	for t, i := reflect.TypeFor[LoginRequest](), 0; i < t.NumField(); i++ {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		delete(all, name)
	}
	var err error
	if q.Own = nil; len(all) > 0 {
		q.Own, err = json.Marshal(all)
	}
	if q.Protocol == "" {
		q.Protocol = OIDC
		q.Ask(q.Own)
	}
	return err
}

// Ask fills in what the members prompt, acr_values and claims of an authorization
// request mean for the login.
func (q *LoginRequest) Ask(own json.RawMessage) {
	var p struct {
		Prompt string
		ACRs   string `json:"acr_values"`
		Claims string
	}
	_ = json.Unmarshal(own, &p) // asks for nothing where there is nothing to read
	words := strings.Fields(p.Prompt)
	q.Force, q.Consent = slices.Contains(words, "login"), slices.Contains(words, "consent")
	q.Contexts, q.Essential = contextsOf(p.ACRs, p.Claims)
}

// contextsOf are the authentication contexts that the parameters claims or
// acr_values name, and whether as an essential claim (OpenID Connect Core 5.5.1.1).
func contextsOf(values, text string) (acrs []string, essential bool) {
	var claims struct {
		IDToken map[string]*struct {
			Essential bool
			Value     string
			Values    []string
		} `json:"id_token"`
	}
	if text != "" && json.Unmarshal([]byte(text), &claims) == nil {
		if acr := claims.IDToken["acr"]; acr != nil {
			if acr.Value != "" {
				acrs = append(acrs, acr.Value)
			}
			if acrs = append(acrs, acr.Values...); len(acrs) > 0 {
				return acrs, acr.Essential
			}
		}
	}
	return strings.Fields(values), false
}
