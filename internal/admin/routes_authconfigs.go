package admin

import (
	"latchkey/internal/iam"
	"latchkey/internal/rep"
)

var errNoAuthenticator = &iam.Error{Kind: iam.NotFound, Msg: "Could not find authenticator provider"}

func (h *Handler) createExecutionConfig(c *Call) (any, error) {
	v, err := Body[rep.AuthenticatorConfig](c)
	if err != nil {
		return nil, err
	}
	execution := c.Path("execution")
	if err := h.Manager.AddAuthConfig(c, c.Realm, execution, v); err != nil {
		return nil, flowError(err)
	}
	c.CreatedAt("authentication", "executions", execution, "config", v.ID)
	var properties []rep.ConfigProperty
	if e := executionByID(c.Realm, execution); e != nil {
		properties = infoOf(e.Authenticator).Properties
	}
	c.Represent(maskedFor(properties, v))
	return nil, nil
}

// createAuthConfig stores a configuration that no execution has yet.
// Keycloak: AuthenticationManagementResource.createAuthenticatorConfig, which is deprecated.
func (h *Handler) createAuthConfig(c *Call) (any, error) {
	v, err := Body[rep.AuthenticatorConfig](c)
	if err != nil {
		return nil, err
	}
	if err := h.Manager.AddAuthConfig(c, c.Realm, "", v); err != nil {
		return nil, flowError(err)
	}
	c.Created(v.ID)
	shown := maskedFor(nil, v)
	shown.ID = ""
	c.Represent(shown)
	return nil, nil
}

func (h *Handler) getAuthConfig(c *Call) (any, error) {
	v := authConfig(c.Realm, c.Path("id"))
	if v == nil {
		return nil, iam.Errorf(iam.NotFound, "Could not find authenticator config")
	}
	return shownConfig(c.Realm, v), nil
}

func (h *Handler) updateAuthConfig(c *Call) (any, error) {
	v, err := Body[rep.AuthenticatorConfig](c)
	if err != nil {
		return nil, err
	}
	id := c.Path("id")
	if err := h.Manager.SetAuthConfig(c, c.Realm, id, v); err != nil {
		return nil, flowError(err)
	}
	given := v.ID
	v.ID = id
	shown := shownConfig(c.Realm, v)
	shown.ID = given
	if shown.Config == nil {
		shown.Config = map[string]string{}
	}
	c.Represent(shown)
	return nil, nil
}

func (h *Handler) deleteAuthConfig(c *Call) (any, error) {
	return nil, flowError(h.Manager.DeleteAuthConfig(c, c.Realm, c.Path("id")))
}
