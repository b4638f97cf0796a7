package admin

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"latchkey/internal/clients"
	"latchkey/internal/iam"
	"latchkey/internal/logout"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
)

func (h *Handler) clientRoutes() []Route {
	const at = "/admin/realms/{realm}/clients"
	const one = at + "/{client}"
	return slices.Concat([]Route{
		{"GET " + at, QueryClients, None, "", h.listClients, ByMethod},
		{"POST " + at, ManageClients, Create, "CLIENT", h.createClient, ByMethod},
		{"GET " + one, ViewClients, None, "", h.getClient, ByMethod},
		{"PUT " + one, ManageClient, Update, "CLIENT", h.updateClient, ByMethod},
		{"DELETE " + one, ManageClient, Delete, "CLIENT", h.deleteClient, NoCache},

		{"GET " + one + "/client-secret", ClientSecret, None, "", h.getSecret, ByMethod},
		{"POST " + one + "/client-secret", ManageClient, Action, "CLIENT", h.newSecret, ByMethod},
		{"GET " + one + "/client-secret/rotated", ClientSecret, None, "", h.getRotatedSecret, ByMethod},
		{"DELETE " + one + "/client-secret/rotated", ManageClient, Delete, "CLIENT", h.dropRotatedSecret, ByMethod},

		{"GET " + one + "/service-account-user", ViewClients, None, "", h.serviceAccount, ByMethod},
		{"GET " + one + "/installation/providers/{provider}", ViewClients, None, "", h.installation, ByMethod},

		{"GET " + one + "/default-client-scopes", ViewClients, None, "", h.clientScopes(false), ByMethod},
		{"PUT " + one + "/default-client-scopes/{scope}", ManageClient, Create, "CLIENT_SCOPE_CLIENT_MAPPING", h.assignScope(false), NoCache},
		{"DELETE " + one + "/default-client-scopes/{scope}", ManageClient, Delete, "CLIENT_SCOPE_CLIENT_MAPPING", h.unassignScope, NoCache},
		{"GET " + one + "/optional-client-scopes", ViewClients, None, "", h.clientScopes(true), ByMethod},
		{"PUT " + one + "/optional-client-scopes/{scope}", ManageClient, Create, "CLIENT_SCOPE_CLIENT_MAPPING", h.assignScope(true), NoCache},
		{"DELETE " + one + "/optional-client-scopes/{scope}", ManageClient, Delete, "CLIENT_SCOPE_CLIENT_MAPPING", h.unassignScope, NoCache},

		{"POST " + one + "/nodes", ManageClient, None, "", h.addNode, ByMethod},
		{"DELETE " + one + "/nodes/{node}", ManageClient, Delete, "CLUSTER_NODE", h.removeNode, NoCache},
		{"GET " + one + "/test-nodes-available", ManageClient, None, "", h.noNodes, ByMethod},
		{"POST " + one + "/push-revocation", ManageClient, Action, "CLIENT", h.pushClientRevocation, ByMethod},

		{"GET " + one + "/management/permissions", ViewClients, None, "", clientPermissions, ByMethod},
		{"PUT " + one + "/management/permissions", ManageClients, None, "", clientPermissions, ByMethod},
	}, mapperRoutes(one, ViewClients, ManageClient, clientOwner, h), scopeMappingRoutes(one, ViewClients, ManageClient, clientOwner, h))
}

// refusal answers what the rules of clients refuse in words of their own.
func refusal(err error) error {
	if e, ok := errors.AsType[*clients.InputError](err); ok {
		return &Error{Status: http.StatusBadRequest, Body: plainBody{e.Code, e.Description}, Err: err}
	}
	if errors.Is(err, clients.ErrDuplicate) {
		return &Error{Status: http.StatusConflict, Body: plainBody{"conflict", clients.ErrDuplicate.Error()}, Err: err}
	}
	return err
}

// clientOf is the client that the path names.
func clientOf(c *Call) (*realms.Client, error) { return clients.Get(c, c.Realm, c.Path("client")) }

// seesSecrets reports whether the caller may look at a client's secrets: as it
// may at those of the route ClientSecret.
func (h *Handler) seesSecrets(c *Call, cl *realms.Client) (bool, error) {
	if !c.Can(ClientSecret, onClient(cl.ID)) {
		return false, nil
	}
	err := h.overClient(c, cl, false)
	if errors.Is(err, errForbidden) {
		return false, nil
	}
	return err == nil, err
}

// viewClient is a client as the caller may see it. Keycloak:
// ClientResource.getClient, StripSecretsUtils.
func (h *Handler) viewClient(c *Call, cl *realms.Client) (*rep.Client, error) {
	v := clients.View(c.Realm, cl)
	sees, err := h.seesSecrets(c, cl)
	if err != nil {
		return nil, err
	}
	manage := sees && !realms.Administrative(c.Realm.Name, cl.ClientID)
	v.Access = map[string]bool{"view": true, "configure": manage, "manage": manage}
	if !sees {
		v = withoutSecrets(v).(*rep.Client)
	}
	return v, nil
}

func (h *Handler) listClients(c *Call) (any, error) {
	first, max, err := c.Page(-1)
	if err != nil {
		return nil, err
	}
	if attrs := queryAttributes(c.Query("q")); len(attrs) > 0 {
		// No attribute is searchable by default. Keycloak: JpaClientProvider.searchClientsByAttributes.
		return nil, &Error{Status: http.StatusBadRequest, Body: plainBody{"invalid_request", "Attributes [" + strings.Join(attrs, ", ") +
			"] not allowed for search"}}
	}
	name := c.Query("clientId")
	var found []*realms.Client
	switch {
	case strings.TrimSpace(name) == "":
		found, err = c.Realm.Clients(c, "", first, max)
	case c.Bool("search", false):
		found, err = c.Realm.Clients(c, name, first, max)
	default:
		var cl *realms.Client
		if cl, err = clients.ByClientID(c, c.Realm, name); cl != nil {
			found = []*realms.Client{cl}
		}
	}
	if err != nil {
		return nil, err
	}
	list := make([]*rep.Client, 0, len(found))
	for _, cl := range found {
		if !c.Can(ViewClients, onClient(cl.ID)) {
			break
		}
		v, err := h.viewClient(c, cl)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// queryAttributes are the names in a search for attributes, name:value.
// Keycloak: SearchQueryUtils.getFields, which passes over what is no pair.
func queryAttributes(q string) []string {
	var names []string
	for _, pair := range strings.Fields(q) {
		if name, _, ok := strings.Cut(pair, ":"); ok {
			names = append(names, strings.Trim(name, `"`))
		}
	}
	return names
}

// postedClient reads a client, whose name may be absent and not empty.
// Keycloak: ClientValidationUtil.
func postedClient(c *Call) (*rep.Client, error) {
	const absent = "\x00"
	given, err := BodyInto(c, &rep.Client{ClientID: absent})
	if err != nil {
		return nil, err
	}
	if given.ClientID == absent {
		given.ClientID = ""
	} else if strings.TrimSpace(given.ClientID) == "" {
		return nil, refusal(&clients.InputError{Code: "invalid_input", Description: "Client ID cannot be blank"})
	}
	return given, nil
}

// mayPost refuses a new name for a client that is one of those which carry the
// rights to administer a realm, and mappers, beside those that are there, that
// give rights which the caller lacks.
func (c *Call) mayPost(name string, mappers, there []rep.ProtocolMapper) error {
	if realms.Administrative(c.Realm.Name, name) {
		return errForbidden
	}
	ok, err := c.Caller.rights().MayMap(c, c.Realm, mappers, there)
	if err == nil && !ok {
		err = errForbidden
	}
	return err
}

// createClient gives one without a name its id for it.
func (h *Handler) createClient(c *Call) (any, error) {
	given, err := postedClient(c)
	if err != nil {
		return nil, err
	}
	if err := c.mayPost(given.ClientID, given.ProtocolMappers, nil); err != nil {
		return nil, err
	}
	made, err := h.Clients.Create(c, c.Realm, given)
	if err != nil {
		return nil, refusal(err)
	}
	given.ID = made.ID
	c.Created(made.ID)
	return nil, nil
}

func (h *Handler) getClient(c *Call) (any, error) {
	cl, err := clientOf(c)
	if err != nil {
		return nil, err
	}
	return h.viewClient(c, cl)
}

func (h *Handler) updateClient(c *Call) (any, error) {
	cl, err := clientOf(c)
	if err != nil {
		return nil, err
	}
	given, err := postedClient(c)
	if err != nil {
		return nil, err
	}
	name := given.ClientID
	if name == cl.ClientID {
		name = ""
	}
	if err := c.mayPost(name, given.ProtocolMappers, cl.Rep.ProtocolMappers); err != nil {
		return nil, err
	}
	if rep.Val(given.BearerOnly) || rep.Val(given.PublicClient) {
		given.AuthorizationServicesEnabled = new(false)
	}
	_, err = h.Clients.Update(c, c.Realm, cl.ID, given)
	return nil, refusal(err)
}

func (h *Handler) deleteClient(c *Call) (any, error) {
	cl, err := clientOf(c)
	if err != nil {
		return nil, err
	}
	if realms.BuiltIn(cl.ClientID) {
		return nil, &Error{Status: http.StatusBadRequest, Body: plainBody{"invalid_request", "Could not delete client"}}
	}
	c.Represent(&rep.Client{ID: string(cl.ID), ClientID: cl.ClientID})
	return nil, h.Clients.Delete(c, c.Realm, cl)
}

// secretOf is a secret as Keycloak's CredentialRepresentation; "" has no value.
func secretOf(secret string) *rep.Credential {
	v := &rep.Credential{Type: "secret"}
	if secret != "" {
		v.Value = &secret
	}
	return v
}

func (h *Handler) getSecret(c *Call) (any, error) {
	cl, err := clientOf(c)
	if err != nil {
		return nil, err
	}
	return &rep.Credential{Type: "secret", Value: cl.Rep.Secret}, nil // which may be posted empty
}

func (h *Handler) newSecret(c *Call) (any, error) {
	cl, err := clientOf(c)
	if err != nil {
		return nil, err
	}
	secret, err := h.Clients.RegenerateSecret(c, c.Realm, cl.ID)
	if err != nil {
		return nil, err
	}
	v := secretOf(secret)
	c.Represent(v)
	return v, nil
}

func (h *Handler) getRotatedSecret(c *Call) (any, error) {
	cl, err := clientOf(c)
	if err != nil {
		return nil, err
	}
	secret := clients.RotatedSecret(cl)
	if secret == "" {
		return nil, Plain(http.StatusNotFound, "Client does not have a rotated secret")
	}
	return secretOf(secret), nil
}

func (h *Handler) dropRotatedSecret(c *Call) (any, error) {
	cl, err := clientOf(c)
	if err != nil {
		return nil, err
	}
	c.Represent(secretOf(masked)) // whether there is one or not
	return nil, h.Clients.ForgetRotatedSecret(c, c.Realm, cl.ID)
}

// serviceAccount answers without access and attributes' metadata, as the
// reference does at this one place.
func (h *Handler) serviceAccount(c *Call) (any, error) {
	cl, err := clientOf(c)
	if err != nil {
		return nil, err
	}
	u, err := h.Clients.ServiceAccount(c, c.Realm, cl)
	if refused, ok := errors.AsType[*iam.Error](err); ok {
		return nil, Plain(http.StatusBadRequest, refused.Msg)
	}
	if err != nil {
		return nil, err
	}
	v := &rep.User{
		ID: string(u.ID), Username: u.Username, EmailVerified: new(u.EmailVerified), Enabled: new(u.Enabled), TOTP: new(false),
		CreatedTimestamp: new(u.CreatedAt.UnixMilli()), DisableableCredentialTypes: []string{},
		RequiredActions: append([]string{}, u.Required...),
		NotBefore:       new(0), Attributes: u.Attrs,
	}
	if u.Email != "" {
		v.Email = &u.Email
	}
	if !u.NotBefore.IsZero() {
		v.NotBefore = new(int(u.NotBefore.Unix()))
	}
	return v, nil
}

// installation writes a client's configuration as text whose type is that of
// the file. Keycloak: ClientInstallationProvider.
func (h *Handler) installation(c *Call) (any, error) {
	cl, err := clientOf(c)
	if err != nil {
		return nil, err
	}
	sees, err := h.seesSecrets(c, cl)
	if err != nil {
		return nil, err
	}
	if !sees {
		cl = clients.Hidden(cl)
	}
	file, err := clients.Installation(c.Realm, cl, c.Path("provider"), c.URLs.Frontend+"/")
	if err != nil {
		return nil, err
	}
	if file == nil {
		return nil, Plain(http.StatusNotFound, "Unknown Provider")
	}
	return Raw{Type: file.Type, Data: file.Data}, nil
}

func (h *Handler) clientScopes(optional bool) func(*Call) (any, error) {
	return func(c *Call) (any, error) {
		cl, err := clientOf(c)
		if err != nil {
			return nil, err
		}
		ids := cl.DefaultScopes
		if optional {
			ids = cl.OptionalScopes
		}
		list := []rep.ClientScope{}
		for _, s := range clients.ScopesOf(c.Realm, cl, ids) {
			list = append(list, rep.ClientScope{ID: string(s.ID), Name: s.Name})
		}
		return list, nil
	}
}

func (h *Handler) assignScope(optional bool) func(*Call) (any, error) {
	return func(c *Call) (any, error) {
		cl, s, err := clientAndScope(c)
		if err != nil {
			return nil, err
		}
		return nil, refusal(h.Clients.Assign(c, c.Realm, cl.ID, s, optional))
	}
}

func (h *Handler) unassignScope(c *Call) (any, error) {
	cl, s, err := clientAndScope(c)
	if err != nil {
		return nil, err
	}
	return nil, h.Clients.Unassign(c, c.Realm, cl.ID, s)
}

func clientAndScope(c *Call) (*realms.Client, *realms.Scope, error) {
	cl, err := clientOf(c)
	if err != nil {
		return nil, nil, err
	}
	s, err := scopeOf(c)
	return cl, s, err
}

func (h *Handler) addNode(c *Call) (any, error) {
	cl, err := clientOf(c)
	if err != nil {
		return nil, err
	}
	form, err := Body[map[string]string](c)
	if err != nil {
		return nil, err
	}
	node, ok := (*form)["node"]
	if !ok {
		return nil, Plain(http.StatusBadRequest, "Node not found in params")
	}
	err = h.Clients.AddNode(c, c.Realm, cl.ID, node)
	if refused, ok := errors.AsType[*iam.Error](err); ok && refused.Kind == iam.Invalid {
		return nil, Plain(http.StatusBadRequest, refused.Msg)
	}
	if err != nil {
		return nil, err
	}
	c.Event(Create, "CLUSTER_NODE", c.resource()+"/"+node, nil)
	return nil, nil
}

func (h *Handler) removeNode(c *Call) (any, error) {
	cl, err := clientOf(c)
	if err != nil {
		return nil, err
	}
	return nil, h.Clients.RemoveNode(c, c.Realm, cl.ID, c.Path("node"))
}

// noNodes tells that no node was asked: Latchkey does not call adapters.
func (h *Handler) noNodes(c *Call) (any, error) {
	if _, err := clientOf(c); err != nil {
		return nil, err
	}
	result := new(rep.GlobalRequestResult)
	c.Event(Action, "CLUSTER_NODE", c.resource(), result)
	return result, nil
}

func (h *Handler) pushClientRevocation(c *Call) (any, error) {
	client, err := clientOf(c)
	if err != nil {
		return nil, err
	}
	return h.push(c, logout.PushNotBefore(), []*realms.Client{client}, c.Realm.NotBefore)
}

// featureOff answers for endpoints of features that are off, as the reference
// does by default: admin-fine-grained-authz.
func featureOff(*Call) (any, error) {
	return nil, &Error{Status: http.StatusNotImplemented, Body: plainBody{"Feature not enabled",
		"For more on this error consult the server log."}}
}

func clientPermissions(c *Call) (any, error) {
	if _, err := clientOf(c); err != nil {
		return nil, err
	}
	return featureOff(c)
}

func clientOwner(c *Call) (clients.Owner, error) {
	cl, err := clientOf(c)
	return clients.Owner{Client: cl}, err
}
