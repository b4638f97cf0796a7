package admin

import (
	"net/http"

	"latchkey/internal/clients"
	"latchkey/internal/realms"
	"latchkey/internal/web"
)

// trustRoutes are Latchkey's own: users of another realm of this server log in to the
// realm, by an identity provider here and a client there that are made together.
func (h *Handler) trustRoutes() []Route {
	const at = "/admin/realms/{realm}/trust/{home}"
	return []Route{
		{"POST " + at, ManageIDPs, None, "", h.makeTrust, NoCache},
		{"DELETE " + at, ManageIDPs, None, "", h.undoTrust, NoCache},
	}
}

// homeRealm is the other realm, whose clients the caller must manage.
func (h *Handler) homeRealm(c *Call) (*realms.Realm, error) {
	home, err := h.Realms.Get(c, c.Path("home"))
	if err != nil {
		return nil, err
	}
	if !c.Can(ManageClients, onRealm(home)) {
		return nil, errForbidden
	}
	if home.ID == c.Realm.ID {
		return nil, Message(http.StatusBadRequest, "A realm needs no trust in itself")
	}
	return home, nil
}

// makeTrust makes client and provider, or with dry-run=true says what they would be.
func (h *Handler) makeTrust(c *Call) (any, error) {
	home, err := h.homeRealm(c)
	if err != nil {
		return nil, err
	}
	at := h.Hostname.URLs(web.RequestOf(c.R), home.Attrs["frontendUrl"]).Frontend + home.Path()
	t := clients.PlanTrust(home, at, c.Realm, c.issuer())
	if !c.Bool("dry-run", false) {
		if err := h.Clients.MakeTrust(c, h.Manager, home, c.Realm, t); err != nil {
			return nil, badAlias(err)
		}
		c.Event(Create, "IDENTITY_PROVIDER", "identity-provider/instances/"+t.Provider.Alias, t.Provider)
		h.Events.EmitAdmin(c, home, c.adminEvent(Create, "CLIENT", "clients/"+t.Client.ID, t.Client, nil))
	}
	return &clients.Trust{Client: clients.WithoutSecrets(t.Client), Provider: representProvider(t.Provider)}, nil
}

// undoTrust removes what makeTrust has made, by the record that it left, and nothing else.
func (h *Handler) undoTrust(c *Call) (any, error) {
	home, err := h.homeRealm(c)
	if err != nil {
		return nil, err
	}
	p := c.Realm.IDP(home.Name)
	if p == nil {
		return nil, plain(http.StatusNotFound)
	}
	realm, id, ok := clients.ClientOfTrust(p)
	if !ok || realm != home.ID {
		return nil, Message(http.StatusConflict, "The identity provider "+p.Alias+" was not made by a trust in realm "+home.Name)
	}
	if err := h.overProvider(c, p); err != nil {
		return nil, err
	}
	if err := h.Manager.DeleteProvider(c, c.Realm, p); err != nil {
		return nil, err
	}
	c.Event(Delete, "IDENTITY_PROVIDER", "identity-provider/instances/"+p.Alias, nil)
	client, err := home.Client(c, id)
	if realms.Missing(err) {
		return nil, nil // somebody has removed it before
	}
	if err != nil {
		return nil, err
	}
	if err := h.Clients.Delete(c, home, client); err != nil {
		return nil, err
	}
	h.Events.EmitAdmin(c, home, c.adminEvent(Delete, "CLIENT", "clients/"+string(id), nil, nil))
	return nil, nil
}
