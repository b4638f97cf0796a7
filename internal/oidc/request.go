package oidc

import (
	"encoding/json"

	"latchkey/internal/iam"
)

// A request is an authorization request: what the login needs to know, and what
// this door alone reads again when the login is over.
type request struct {
	iam.LoginRequest
	own
}

// own is iam.LoginRequest's Own. Its names are those that the version before has stored.
type own struct {
	ResponseType string            `json:"response_type,omitempty"`
	ResponseMode string            `json:"response_mode,omitempty"` // as asked for; "" for the default of the type
	State        string            `json:"state,omitempty"`
	EmptyState   bool              `json:"emptyState,omitempty"` // a state of no letters was given, and is given back
	Nonce        string            `json:"nonce,omitempty"`
	Prompt       string            `json:"prompt,omitempty"`
	ACRValues    string            `json:"acr_values,omitempty"`
	Claims       string            `json:"claims,omitempty"`
	Display      string            `json:"display,omitempty"`
	Challenge    string            `json:"code_challenge,omitempty"`
	ChallengeAlg string            `json:"code_challenge_method,omitempty"`
	JKT          string            `json:"dpop_jkt,omitempty"` // of the key that must redeem the code
	Direct       bool              `json:"direct,omitempty"`   // it was not pushed (RFC 9126); false in those of an earlier version, too
	Object       string            `json:"object,omitempty"`   // iam.ObjectNone...; "" in pushed ones and those of an earlier version
	Device       string            `json:"device,omitempty"`   // the device code that the login answers (RFC 8628), in place of a redirect URI
	Extra        map[string]string `json:"extra,omitempty"`    // further parameters, kept as client notes
}

// read takes a request that a login brings back.
func read(q *iam.LoginRequest) *request {
	r := &request{LoginRequest: *q}
	if len(q.Own) > 0 {
		_ = json.Unmarshal(q.Own, &r.own) // this door has written it
	}
	return r
}

// seal writes the door's own part into the login's, and what it means for the login.
func (q *request) seal() iam.LoginRequest {
	doc, err := json.Marshal(q.own)
	if err != nil {
		panic(err) // texts always marshal
	}
	q.Own, q.Protocol = doc, iam.OIDC
	q.Ask(doc)
	return q.LoginRequest
}
