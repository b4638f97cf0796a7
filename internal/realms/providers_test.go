package realms

import (
	"testing"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
)

// A snapshot holds identity providers compiled: their flows by id, a flow that
// is not there by its name, and each provider's mappers.
func TestProvidersCompiled(t *testing.T) {
	r := &Realm{flows: map[iam.FlowID]*iam.Flow{"f1": {ID: "f1", Alias: "first broker login", TopLevel: true},
		"f2": {ID: "f2", Alias: "below"}}}
	for _, c := range []struct {
		alias   *string
		flow    iam.FlowID
		missing int
	}{{nil, "", 0}, {new(""), "", 0}, {new("first broker login"), "f1", 0}, {new("below"), "", 1}, {new("gone"), "", 1}} {
		p := &IdentityProvider{IdentityProvider: *(&rep.IdentityProvider{Alias: "one"}).IAM()}
		if got := r.flowOf(p, c.alias); got != c.flow || len(p.Missing) != c.missing {
			t.Errorf("flow %v: %q, missing %v", rep.Val(c.alias), got, p.Missing)
		}
	}
	for _, c := range []struct{ own, provider, want iam.SyncMode }{
		{"INHERIT", "FORCE", iam.SyncForce}, {"INHERIT", "", iam.SyncLegacy}, {"", "FORCE", iam.SyncLegacy}, {"IMPORT", "FORCE", iam.SyncImport},
	} {
		p := &iam.IdentityProvider{Config: map[string]string{"syncMode": string(c.provider)}}
		m := &iam.IdentityProviderMapper{Config: map[string]string{"syncMode": string(c.own)}}
		if got := m.SyncMode(p); got != c.want {
			t.Errorf("mapper %q of provider %q: %s", c.own, c.provider, got)
		}
	}
}
