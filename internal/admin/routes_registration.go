package admin

import (
	"errors"
	"net/http"
	"strings"

	"latchkey/internal/clients"
	"latchkey/internal/rep"
	"latchkey/internal/web"
)

// registrationRoutes are about clients that register themselves.
// Keycloak: ClientInitialAccessResource, ClientRegistrationPolicyResource.
func (h *Handler) registrationRoutes() []Route {
	const at = "/admin/realms/{realm}/clients-initial-access"
	return []Route{
		{"GET " + at, ViewClients, None, "", h.listInitialAccess, Silent},
		{"POST " + at, ManageClients, Create, "CLIENT_INITIAL_ACCESS_MODEL", h.addInitialAccess, ByMethod},
		{"DELETE " + at + "/{token}", ManageClients, Delete, "CLIENT_INITIAL_ACCESS_MODEL", h.removeInitialAccess, ByMethod},
		{"POST /admin/realms/{realm}/clients/{client}/registration-access-token", ManageClient, Action, "CLIENT",
			h.newRegistrationToken, ByMethod},
		{"GET /admin/realms/{realm}/client-registration-policy/providers", ViewRealm, None, "", h.registrationPolicyProviders, ByMethod},
		{"POST /admin/realms/{realm}/client-description-converter", ManageClients, None, "", h.convertDescription, ByMethod},
	}
}

func (h *Handler) listInitialAccess(c *Call) (any, error) {
	return h.Clients.InitialAccesses(c, c.Realm)
}

func (h *Handler) addInitialAccess(c *Call) (any, error) {
	given, err := Body[rep.ClientInitialAccessCreate](c)
	if err != nil {
		return nil, err
	}
	made, err := h.Clients.AddInitialAccess(c, c.Realm, c.issuer(), given)
	if err != nil {
		return nil, refusal(err)
	}
	c.Created(made.ID)
	return made, nil
}

func (h *Handler) removeInitialAccess(c *Call) (any, error) {
	return nil, h.Clients.RemoveInitialAccess(c, c.Realm, c.Path("token"))
}

// issuer is the realm's issuer URL as this request sees it.
func (c *Call) issuer() string { return c.URLs.Frontend + c.Realm.Path() }

func (h *Handler) newRegistrationToken(c *Call) (any, error) {
	cl, err := clientOf(c)
	if err != nil {
		return nil, err
	}
	id, err := h.Clients.NewRegistrationID(c, c.Realm, cl.ID)
	if err != nil {
		return nil, err
	}
	token, err := h.Clients.RegistrationToken(c, c.Realm, c.issuer(), id, "authenticated", nil)
	if err != nil {
		return nil, err
	}
	v, err := h.viewClient(c, cl)
	if err != nil {
		return nil, err
	}
	v.Access, v.RegistrationAccessToken = nil, &token
	c.Represent(v)
	shown := withoutSecrets(v).(*rep.Client) // the reference masks the secret here as in the event
	shown.RegistrationAccessToken = &token
	return shown, nil
}

// convertDescription reads a description of a client, Keycloak's own or that of
// OpenID Connect, whatever its media type, and shows the client it would be.
// Keycloak: RealmAdminResource.convertClientDescription.
func (h *Handler) convertDescription(c *Call) (any, error) {
	data, err := web.ReadBody(c.R)
	if err != nil {
		return nil, err
	}
	text := strings.TrimSpace(string(data))
	object := strings.HasPrefix(text, "{") && strings.HasSuffix(text, "}")
	switch {
	case object && strings.Contains(text, `"clientId"`):
		v := new(rep.Client)
		return v, rep.Decode(data, v)
	case object && strings.Contains(text, `"redirect_uris"`):
		o := new(rep.OIDCClient)
		if err := rep.Decode(data, o); err != nil {
			return nil, err
		}
		v, err := clients.FromMetadata(o)
		if input, ok := errors.AsType[*clients.InputError](err); ok {
			return nil, Plain(http.StatusBadRequest, input.Description)
		}
		if err == nil && v.DirectAccessGrantsEnabled == nil {
			v.DirectAccessGrantsEnabled = new(false)
		}
		return v, err
	}
	return nil, Plain(http.StatusBadRequest, "Unsupported format")
}
