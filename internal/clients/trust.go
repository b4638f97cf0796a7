package clients

import (
	"context"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
)

// A Trust is the pair that lets users of one realm log in to another one: a
// client where they are at home, and an identity provider where they come to.
type Trust struct {
	Client   *rep.Client           `json:"client"`
	Provider *rep.IdentityProvider `json:"provider"`
}

// trustRecord is the setting of the provider that says which client belongs to
// it: by it a trust is undone, and by nothing else.
const trustRecord = "latchkey.trust"

// PlanTrust says what a trust would be made of. issuer is the address of the realm
// where users are at home, guest that of the one where they come to.
func PlanTrust(home *realms.Realm, issuer string, to *realms.Realm, guest string) *Trust {
	oidc, back := issuer+"/protocol/openid-connect/", guest+"/broker/"+home.Name+"/endpoint"
	id := "realm-" + to.Name
	return &Trust{
		Client: &rep.Client{
			ClientID: id, Name: new("Realm " + to.Name), Enabled: new(true), Protocol: string(iam.OIDC), PublicClient: new(false),
			ClientAuthenticatorType: "client-secret",
			StandardFlowEnabled:     new(true), ImplicitFlowEnabled: new(false), DirectAccessGrantsEnabled: new(false),
			ServiceAccountsEnabled: new(false),
			FullScopeAllowed:       new(false), // roles here are no roles there
			RedirectURIs:           []string{back},
			Attributes: map[string]string{
				"backchannel.logout.url": guest + "/protocol/openid-connect/logout/backchannel-logout", "backchannel.logout.session.required": "true",
				"post.logout.redirect.uris": back + "/logout_response", "pkce.code.challenge.method": "S256",
			},
		},
		Provider: &rep.IdentityProvider{
			Alias: home.Name, DisplayName: home.Rep.DisplayName, ProviderID: "keycloak-oidc", Enabled: new(true), TrustEmail: new(false),
			Config: map[string]string{
				"issuer": issuer, "authorizationUrl": oidc + "auth", "tokenUrl": oidc + "token", "userInfoUrl": oidc + "userinfo",
				"logoutUrl": oidc + "logout",
				"jwksUrl":   oidc + "certs", "useJwksUrl": "true", "validateSignature": "true",
				"clientId": id, "clientAuthMethod": "client_secret_basic",
				"pkceEnabled": "true", "pkceMethod": "S256", "backchannelSupported": "true", "defaultScope": "openid profile email",
				"syncMode": string(iam.SyncImport),
			},
		},
	}
}

// MakeTrust makes a trust that was planned. Where the provider cannot be made the
// client goes again.
func (s *Service) MakeTrust(ctx context.Context, m *realms.Manager, home, to *realms.Realm, t *Trust) error {
	secret := realms.NewSecret()
	t.Client.Secret = &secret
	made, err := s.Create(ctx, home, t.Client)
	if err != nil {
		return err
	}
	t.Client = made
	t.Provider.Config["clientSecret"], t.Provider.Config[trustRecord] = secret, string(home.ID)+"/"+made.ID
	if err := m.CreateProvider(ctx, to, t.Provider); err != nil {
		client, gone := home.Client(ctx, iam.ClientID(made.ID))
		if gone == nil {
			gone = s.Delete(ctx, home, client)
		}
		if gone != nil && !realms.Missing(gone) {
			return gone
		}
		return err
	}
	return nil
}

// ClientOfTrust says which client, of which realm, belongs to a provider that a trust
// made; false for any other provider.
func ClientOfTrust(p *realms.IdentityProvider) (realm iam.RealmID, client iam.ClientID, ok bool) {
	r, c, ok := strings.Cut(p.Get(trustRecord), "/")
	return iam.RealmID(r), iam.ClientID(c), ok
}
