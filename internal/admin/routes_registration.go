package admin

import (
	"latchkey/internal/rep"
)

// registrationRoutes are about clients that register themselves.
// Keycloak: ClientInitialAccessResource, ClientRegistrationPolicyResource.
func (h *Handler) registrationRoutes() []Route {
	const at = "/admin/realms/{realm}/clients-initial-access"
	return []Route{
		{"GET " + at, ViewClients, None, "", h.listInitialAccess, Silent},
		{"POST " + at, ManageClients, Create, "CLIENT_INITIAL_ACCESS_MODEL", h.addInitialAccess, ByMethod},
		{"DELETE " + at + "/{token}", ManageClients, Delete, "CLIENT_INITIAL_ACCESS_MODEL", h.removeInitialAccess, ByMethod},
		{"POST /admin/realms/{realm}/clients/{client}/registration-access-token", ManageClients, Action, "CLIENT", h.newRegistrationToken, ByMethod},
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
func (c *Call) issuer() string { return c.URLs.Frontend + "/realms/" + c.Realm.Name }

func (h *Handler) newRegistrationToken(c *Call) (any, error) {
	cl, err := changeableClient(c)
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
	v := viewClient(c, cl)
	v.Access, v.RegistrationAccessToken = nil, &token
	c.Represent(v)
	shown := withoutSecrets(v).(*rep.Client) // the reference masks the secret here as in the event
	shown.RegistrationAccessToken = &token
	return shown, nil
}
