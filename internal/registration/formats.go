package registration

import (
	"net/http"

	"latchkey/internal/clients"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/web"
)

func decode[T any](c *call) (*T, error) {
	if t := c.r.Header.Get("Content-Type"); t != "" && web.MediaType(c.r) != "application/json" {
		return nil, &Error{http.StatusUnsupportedMediaType, "The content-type header value did not match the value in @Consumes", ""}
	}
	data, err := web.ReadBody(c.r)
	if err != nil {
		return nil, err
	}
	if err := rep.CheckText(data); err != nil {
		return nil, err
	}
	v := new(T)
	return v, rep.Decode(data, v)
}

// ownFormat is Keycloak's own representation.
type ownFormat struct{}

func (ownFormat) read(c *call, _ bool) (*rep.Client, error) { return decode[rep.Client](c) }

func (ownFormat) show(c *call, cl *realms.Client, token string, _ bool) any {
	v := clients.View(c.realm, cl)
	v.DefaultRoles = []string{}
	if def := c.realm.Role(c.realm.DefaultRole); def != nil {
		for _, id := range def.Composites {
			if role := c.realm.Role(id); role != nil && role.Client == cl.ID {
				v.DefaultRoles = append(v.DefaultRoles, role.Name)
			}
		}
	}
	if token != "" {
		v.RegistrationAccessToken = &token
	}
	return v
}

// installFormat is what an application configures itself with.
type installFormat struct{}

func (installFormat) read(*call, bool) (*rep.Client, error) { return new(rep.Client), nil }

func (installFormat) show(c *call, cl *realms.Client, _ string, _ bool) any {
	return clients.Adapter(c.realm, cl, c.urls.Frontend+"/")
}

// oidcFormat is that of OpenID Connect Dynamic Client Registration 1.0.
// Keycloak: OIDCClientRegistrationProvider, DescriptionConverter.
type oidcFormat struct{}

func (oidcFormat) read(c *call, update bool) (*rep.Client, error) {
	o, err := decode[rep.OIDCClient](c)
	if err != nil {
		return nil, err
	}
	if !update && o.ClientID != "" {
		return nil, &Error{http.StatusBadRequest, "invalid_client_metadata", "Client Identifier included"}
	}
	return clients.FromMetadata(o)
}

func (oidcFormat) show(c *call, cl *realms.Client, token string, created bool) any {
	o := clients.Metadata(c.realm, cl)
	o.RegistrationAccessToken, o.RegistrationClientURI = token, c.address(cl.ClientID)
	if created {
		o.ClientIDIssuedAt = new(int(c.Now().Unix()))
	}
	return o
}
