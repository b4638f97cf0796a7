package authn_test

import (
	"slices"
	"testing"

	"latchkey/internal/authn"
)

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
