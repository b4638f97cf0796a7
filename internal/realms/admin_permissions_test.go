package realms

import (
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// Keycloak 26.7.3: refuses tokens to the client, by whatever grant, where the
// realm has fine-grained permissions; another realm's client of that name is an
// ordinary one.
func TestAdminPermissionsClientLogsNobodyIn(t *testing.T) {
	for _, on := range []bool{true, false} {
		r := &Realm{Rep: &rep.Realm{AdminPermissionsEnabled: &on}, scopes: map[iam.ScopeID]*Scope{}}
		for _, name := range []string{"admin-permissions", "other"} {
			c, err := r.compileClient(store.ClientRow{ID: "c", ClientID: name, Enabled: true, NotBefore: time.Time{},
				Doc: []byte(`{"clientId":"` + name +
					`","secret":"s","serviceAccountsEnabled":true,"standardFlowEnabled":true,"directAccessGrantsEnabled":true}`)}, nil)
			if err != nil {
				t.Fatal(err)
			}
			off := on && name == "admin-permissions"
			if c.ServiceAccounts == off || c.StandardFlow == off || c.DirectGrants == off || (c.Secret == nil) != off {
				t.Errorf("permissions %v: %s has %v %v %v", on, name, c.ServiceAccounts, c.StandardFlow, c.DirectGrants)
			}
		}
	}
}
