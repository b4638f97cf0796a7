package authn_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"latchkey/internal/authn"
	"latchkey/internal/iam"
)

// Keycloak: AmrUtils reads what AuthenticatorUtils.updateCompletedExecutions wrote.
func TestStepsWithAReferenceAreNoted(t *testing.T) {
	ok := func(context.Context, *authn.Run) (authn.Result, error) { return authn.Success{}, nil }
	e := authn.New([]authn.Spec{{ID: "a", Begin: ok}, {ID: "b", Begin: ok}}, nil)
	f := parseTree(t, "REQUIRED a\nREQUIRED b")
	f.Executions[1].Config = map[string]string{"default.reference.value": "otp"}
	r := newRun()
	r.User, r.Now = &iam.User{ID: "ann", Enabled: true}, time.Unix(5, 0)
	r.Identity = &authn.Identity{Session: &iam.UserSession{Notes: map[string]string{"authenticators-completed": `{"old":3}`}}}
	if out, err := e.Start(t.Context(), r, f); out != (authn.Passed{}) || err != nil {
		t.Fatal(out, err)
	}
	if got := r.Tab.UserNotes["authenticators-completed"]; got != `{"b":5,"old":3}` {
		t.Error(got)
	}
}

// Keycloak: ClientAuthenticationFlow.findExecutionsToRun
func TestClientAuthenticators(t *testing.T) {
	for _, c := range []struct {
		tree string
		want []string
	}{
		{"ALTERNATIVE client-secret\nALTERNATIVE client-jwt\nDISABLED client-x509", []string{"client-secret", "client-jwt"}},
		{"ALTERNATIVE client-secret\nREQUIRED client-jwt", []string{"client-jwt"}},
		{"DISABLED client-secret", nil},
	} {
		if got := authn.ClientAuthenticators(parseTree(t, c.tree)); !slices.Equal(got, c.want) {
			t.Errorf("%q: got %q", c.tree, got)
		}
	}
}
