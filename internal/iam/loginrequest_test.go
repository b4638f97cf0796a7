package iam_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"latchkey/internal/iam"
)

// A request that the version before has stored, in a tab or sealed in a page, is
// read, and nodes of that version read what this one stores: it is the same object
// with more members.
func TestLoginRequestOfTheVersionBefore(t *testing.T) {
	const old = `{"client":"c1","redirect_uri":"https://app.test/cb?x=<1>","response_type":"code","response_mode":"form_post","scope":"openid roles","state":"s&t",` +
		`"nonce":"n","prompt":"login consent","max_age":"300","login_hint":"ann","acr_values":"silver gold","kc_action":"UPDATE_PASSWORD","code_challenge":"cc",` +
		`"code_challenge_method":"S256","iss":"https://id.test/realms/r","direct":true,"extra":{"redirect_uri":"https://app.test/cb"}}`
	var q iam.LoginRequest
	if err := json.Unmarshal([]byte(old), &q); err != nil {
		t.Fatal(err)
	}
	want := iam.LoginRequest{Client: "c1", Protocol: iam.OIDC, Issuer: "https://id.test/realms/r", RedirectURI: "https://app.test/cb?x=<1>",
		Scope: "openid roles", Force: true,
		Consent: true, MaxAge: "300", Contexts: []string{"silver", "gold"}, LoginHint: "ann", Action: "UPDATE_PASSWORD", Own: q.Own}
	if !reflect.DeepEqual(q, want) {
		t.Errorf("read as\n%+v, want\n%+v", q, want)
	}
	doc, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	var before, after map[string]any
	if err := json.Unmarshal([]byte(old), &before); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(doc, &after); err != nil {
		t.Fatal(err)
	}
	for name, v := range before {
		if !reflect.DeepEqual(after[name], v) {
			t.Errorf("%s is stored as %v, was %v", name, after[name], v)
		}
	}
	var again iam.LoginRequest
	if err := json.Unmarshal(doc, &again); err != nil || !reflect.DeepEqual(again, q) {
		t.Errorf("comes back as\n%+v, was\n%+v, %v", again, q, err)
	}
}

// The claims parameter goes before acr_values, and alone makes a context essential.
func TestContextsAskedFor(t *testing.T) {
	for own, want := range map[string]iam.LoginRequest{
		`{"acr_values":"a b"}`: {Contexts: []string{"a", "b"}},
		`{"acr_values":"a","claims":"{\"id_token\":{\"acr\":{\"essential\":true,\"values\":[\"c\"]}}}"}`: {Contexts: []string{"c"},
			Essential: true},
		`{"acr_values":"a","claims":"nonsense"}`: {Contexts: []string{"a"}},
		`{"prompt":"none"}`:                      {},
		``:                                       {},
	} {
		var q iam.LoginRequest
		q.Ask(json.RawMessage(own))
		if q.Force || q.Consent || q.Essential != want.Essential || len(q.Contexts) != len(want.Contexts) || len(want.Contexts) > 0 &&
			q.Contexts[0] != want.Contexts[0] {
			t.Errorf("%s: %+v", own, q)
		}
	}
}
