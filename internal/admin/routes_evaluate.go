package admin

import (
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"latchkey/internal/claims"
	"latchkey/internal/clients"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/tokens"
	"latchkey/internal/users"
)

// evaluateRoutes show what a client's scopes come to.
// Keycloak: ClientScopeEvaluateResource, ClientScopeEvaluateScopeMappingsResource.
func (h *Handler) evaluateRoutes() []Route {
	const at = "/admin/realms/{realm}/clients/{client}/evaluate-scopes"
	return []Route{
		{"GET " + at + "/protocol-mappers", ViewClients, None, "", h.evaluatedMappers, ByMethod},
		{"GET " + at + "/scope-mappings/{container}/granted", ViewClients, None, "", h.evaluatedRoles(true), ByMethod},
		{"GET " + at + "/scope-mappings/{container}/not-granted", ViewClients, None, "", h.evaluatedRoles(false), ByMethod},
		{"GET " + at + "/generate-example-access-token", ViewClients, None, "", h.example(exampleAccessToken), ByMethod},
		{"GET " + at + "/generate-example-id-token", ViewClients, None, "", h.example(exampleIDToken), ByMethod},
		{"GET " + at + "/generate-example-userinfo", ViewClients, None, "", h.example(exampleUserInfo), ByMethod},
	}
}

// evaluated is Keycloak's ProtocolMapperEvaluationRepresentation.
type evaluated struct {
	ID            string `json:"mapperId"`
	Name          string `json:"mapperName"`
	ContainerID   string `json:"containerId"`
	ContainerName string `json:"containerName"`
	ContainerType string `json:"containerType"`
	Provider      string `json:"protocolMapper"`
}

func (h *Handler) evaluatedMappers(c *Call) (any, error) {
	cl, err := clientOf(c)
	if err != nil {
		return nil, err
	}
	list := []evaluated{}
	add := func(mappers []iam.ProtocolMapper, id, name, kind string) {
		for _, m := range mappers {
			if m.Protocol == cl.Protocol && claims.Known(m.Mapper) {
				list = append(list, evaluated{m.ID, m.Name, id, name, kind, m.Mapper})
			}
		}
	}
	add(cl.Mappers, string(cl.ID), cl.Name, "client")
	for _, s := range tokens.Requested(c.Realm, &cl.Client, c.Query("scope")) {
		add(s.Mappers, string(s.ID), s.Name, "client-scope")
	}
	return list, nil
}

// evaluatedRoles lists the roles of the realm, by its name, or of a client, by
// its id, that are in the scope of a request.
func (h *Handler) evaluatedRoles(granted bool) func(*Call) (any, error) {
	return func(c *Call) (any, error) {
		cl, err := clientOf(c)
		if err != nil {
			return nil, err
		}
		var of iam.ClientID
		if name := c.Path("container"); name != c.Realm.Name {
			container, err := clients.Get(c, c.Realm, name)
			if errors.Is(err, clients.ErrNoClient) {
				return nil, Plain(http.StatusNotFound, "Role Container not found")
			}
			if err != nil {
				return nil, err
			}
			of = container.ID
		}
		owners := []clients.Owner{{Client: cl}}
		for _, s := range tokens.Requested(c.Realm, &cl.Client, c.Query("scope")) {
			owners = append(owners, clients.Owner{Scope: c.Realm.Scope(s.ID)})
		}
		list := []rep.Role{}
		for _, role := range c.Realm.RolesOf(of) {
			in := slices.ContainsFunc(owners, func(o clients.Owner) bool { return o.HasScope(c.Realm, role) })
			if in == granted {
				list = append(list, mappedRole(c.Realm, role, true))
			}
		}
		return byName(list), nil
	}
}

// example makes an example of what a user's login at the client would come to,
// with a session that is never stored.
func (h *Handler) example(of func(*Call, *tokens.Issuer, *realms.Realm, *iam.Grant) ([]byte, error)) func(*Call) (any, error) {
	return func(c *Call) (any, error) {
		cl, err := clientOf(c)
		if err != nil {
			return nil, err
		}
		id := c.Query("userId")
		if id == "" {
			return nil, Plain(http.StatusNotFound, "No userId provided")
		}
		if !c.Can(ViewUsers, onUser(iam.UserID(id))) {
			return nil, Plain(http.StatusForbidden, "You have no access to this user")
		}
		u, err := h.Users.Get(c, c.Realm, iam.UserID(id))
		if errors.Is(err, users.ErrNotFound) {
			return nil, Plain(http.StatusNotFound, "No user found")
		}
		if err != nil {
			return nil, err
		}
		scope, now := c.Query("scope"), h.Manager.Clock()
		requested := tokens.Requested(c.Realm, &cl.Client, scope)
		session := iam.SessionID(uuid.NewString())
		g := &iam.Grant{
			Client: &cl.Client, User: u, Scopes: requested, Asked: scope, OpenID: tokens.HasScope(scope, tokens.ScopeOpenID), Type: "na",
			Offline: tokens.OfflineRequested(requested), Issuer: c.issuer(),
			Session: &iam.UserSession{ID: session, Realm: c.Realm.ID, User: u.ID, Username: u.Username, Started: now, LastAccess: now},
			ClientSession: &iam.ClientSession{Session: session, Realm: c.Realm.ID, Client: cl.ID, Started: now, LastAccess: now,
				Notes: map[string]string{"response_type": "code"}}, // not implicit, whose tokens live longer
		}
		for _, name := range c.R.URL.Query()["audience"] {
			if audience, err := clients.ByClientID(c, c.Realm, name); err != nil {
				return nil, err
			} else if audience != nil {
				g.Audience = append(g.Audience, name)
			}
		}
		data, err := of(c, h.Issuer, c.Realm, g)
		if err != nil {
			return nil, err
		}
		return Raw{Type: "application/json", Data: data}, nil
	}
}

func exampleAccessToken(c *Call, s *tokens.Issuer, r *realms.Realm, g *iam.Grant) ([]byte, error) {
	res, err := s.Issue(c, r, g, tokens.Want{})
	if err != nil {
		return nil, err
	}
	return payload(res.Access)
}

func exampleIDToken(c *Call, s *tokens.Issuer, r *realms.Realm, g *iam.Grant) ([]byte, error) {
	g.OpenID = true
	res, err := s.Issue(c, r, g, tokens.Want{NoAccess: true})
	if err != nil {
		return nil, err
	}
	return payload(res.ID)
}

func exampleUserInfo(c *Call, s *tokens.Issuer, r *realms.Realm, g *iam.Grant) ([]byte, error) {
	t := new(claims.Set)
	t.Put("sub", string(g.User.ID))
	if err := s.Map(c, r, g, c.Query("scope"), claims.UserInfo, t); err != nil {
		return nil, err
	}
	return t.JSON()
}

// payload is what a JWS that was just made says.
func payload(token string) ([]byte, error) {
	_, rest, _ := strings.Cut(token, ".")
	text, _, _ := strings.Cut(rest, ".")
	return base64.RawURLEncoding.DecodeString(text)
}
