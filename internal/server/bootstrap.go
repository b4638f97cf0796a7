package server

import (
	"context"
	"errors"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
)

// bootstrap makes the master realm where there is none, with the administrator
// that the options name. Of nodes that start at once, one makes it.
func bootstrap(ctx context.Context, cfg Config, cache *realms.Cache, manager *realms.Manager) error {
	_, err := cache.Get(ctx, realms.Master)
	if !realms.Missing(err) {
		return err
	}
	_, err = manager.Create(ctx, masterRealm(cfg.Bootstrap))
	var refusal *iam.Error
	if errors.As(err, &refusal) && refusal.Kind == iam.Conflict {
		return nil
	}
	return err
}

// masterRealm is the master realm with its first administrator: a user, or a
// client's service account. Both are marked as temporary, as in the reference.
// Keycloak: ApplianceBootstrap.
func masterRealm(b Bootstrap) *rep.Realm {
	yes := true
	r := &rep.Realm{Realm: realms.Master, Enabled: &yes}
	admin := []string{"default-roles-" + realms.Master, "admin"}
	if b.Username != "" {
		password := string(b.Password)
		r.Users = append(r.Users, rep.User{
			Username: strings.ToLower(b.Username), Enabled: &yes, RealmRoles: admin,
			Attributes:  map[string][]string{"is_temporary_admin": {"true"}},
			Credentials: []rep.Credential{{Type: "password", Value: &password}},
		})
	}
	if b.ClientID != "" {
		secret := string(b.ClientSecret)
		r.Clients = append(r.Clients, rep.Client{
			ClientID: b.ClientID, Secret: &secret, ServiceAccountsEnabled: &yes, Enabled: &yes,
			Attributes: map[string]string{"is_temporary_admin": "true"},
		})
		r.Users = append(r.Users, rep.User{
			Username: "service-account-" + strings.ToLower(b.ClientID), Enabled: &yes, RealmRoles: admin, ServiceAccountClientID: b.ClientID,
		})
	}
	return r
}
