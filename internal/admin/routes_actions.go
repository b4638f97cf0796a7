package admin

import (
	"net/http"
	"slices"
	"strconv"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
)

// actionRoutes are required actions.
// Keycloak: AuthenticationManagementResource, RequiredActionHelper.
func (h *Handler) actionRoutes() []Route {
	const at = "/admin/realms/{realm}/authentication"
	return []Route{
		{"GET " + at + "/unregistered-required-actions", ViewRealm, None, "", h.unregisteredActions, ByMethod},
		{"POST " + at + "/register-required-action", ManageRealm, Create, "REQUIRED_ACTION", h.registerAction, NoCache},
		{"GET " + at + "/required-actions", ViewActions, None, "", h.listRequiredActions, ByMethod},
		{"GET " + at + "/required-actions/{alias}", ViewRealm, None, "", h.getRequiredAction, ByMethod},
		{"PUT " + at + "/required-actions/{alias}", ManageRealm, Update, "REQUIRED_ACTION", h.updateRequiredAction, ByMethod},
		{"DELETE " + at + "/required-actions/{alias}", ManageRealm, Delete, "REQUIRED_ACTION", h.deleteRequiredAction, ByMethod},
		{"POST " + at + "/required-actions/{alias}/raise-priority", ManageRealm, Update, "REQUIRED_ACTION", h.moveAction(false), NoCache},
		{"POST " + at + "/required-actions/{alias}/lower-priority", ManageRealm, Update, "REQUIRED_ACTION", h.moveAction(true), NoCache},
		{"GET " + at + "/required-actions/{alias}/config-description", ViewRealm, None, "", h.describeAction, ByMethod},
		{"GET " + at + "/required-actions/{alias}/config", ViewRealm, None, "", h.getActionConfig, ByMethod},
		{"PUT " + at + "/required-actions/{alias}/config", ManageRealm, Update, "REQUIRED_ACTION_CONFIG", h.updateActionConfig, NoCache},
		{"DELETE " + at + "/required-actions/{alias}/config", ManageRealm, Delete, "REQUIRED_ACTION_CONFIG", h.deleteActionConfig, NoCache},
		{"GET /admin/realms/{realm}/credential-registrators", ViewRealm, None, "", h.credentialRegistrators, ByMethod},
	}
}

func (h *Handler) listRequiredActions(c *Call) (any, error) {
	list := []*rep.RequiredAction{}
	for _, a := range c.Realm.RequiredActions {
		list = append(list, a.Rep)
	}
	return list, nil
}

func (h *Handler) getRequiredAction(c *Call) (any, error) {
	a := c.Realm.RequiredAction(c.Path("alias"))
	if a == nil {
		return nil, iam.Errorf(iam.NotFound, "Failed to find required action")
	}
	return a.Rep, nil
}

// updateRequiredAction changes all but the provider.
func (h *Handler) updateRequiredAction(c *Call) (any, error) {
	v, err := Body[rep.RequiredAction](c)
	if err != nil {
		return nil, err
	}
	return nil, flowError(h.Manager.SetAction(c, c.Realm, c.Path("alias"), func(a *rep.RequiredAction) {
		if v.Alias != "" {
			a.Alias = v.Alias
		}
		a.Name, a.Enabled, a.DefaultAction, a.Priority, a.Config = v.Name, v.Enabled, v.DefaultAction, v.Priority, v.Config
		if a.Config == nil {
			a.Config = map[string]string{}
		}
	}))
}

func (h *Handler) deleteRequiredAction(c *Call) (any, error) {
	return nil, h.Manager.DeleteAction(c, c.Realm, c.Path("alias"))
}

func (h *Handler) moveAction(down bool) func(*Call) (any, error) {
	return func(c *Call) (any, error) {
		moved, err := h.Manager.MoveAction(c, c.Realm, c.Path("alias"), down)
		if !moved {
			c.NoEvent()
		}
		return nil, err
	}
}

func (h *Handler) unregisteredActions(c *Call) (any, error) {
	list := []rep.UnregisteredAction{}
	for _, p := range authProvidersOf().RequiredActions {
		registered := false
		for _, a := range c.Realm.RequiredActions {
			registered = registered || a.Provider == p.ProviderID
		}
		if !registered {
			list = append(list, rep.UnregisteredAction{Name: p.Name, ProviderID: p.ProviderID})
		}
	}
	return list, nil
}

func (h *Handler) registerAction(c *Call) (any, error) {
	v, err := Body[rep.UnregisteredAction](c)
	if err != nil {
		return nil, err
	}
	if authProvidersOf().action(v.ProviderID) == nil {
		return nil, Plain(http.StatusBadRequest, "Required Action Provider with given providerId not found")
	}
	v.ID, err = h.Manager.RegisterAction(c, c.Realm, v.ProviderID, v.Name)
	return nil, flowError(err)
}

func (h *Handler) describeAction(c *Call) (any, error) {
	p := actionOf(c)
	if p == nil {
		return nil, iam.Errorf(iam.NotFound, "Could not find configurable RequiredAction provider")
	}
	return &rep.RequiredActionConfigInfo{Properties: p.Properties}, nil
}

// actionOf is the provider of the action that the path names, nil when it
// cannot be configured. Keycloak: RequiredActionHelper.lookupConfigurableRequiredActionFactory.
func actionOf(c *Call) *actionProvider {
	provider := c.Path("alias")
	if a := c.Realm.RequiredAction(provider); a != nil {
		provider = a.Provider
	}
	if p := authProvidersOf().action(provider); p != nil && p.Properties != nil {
		return p
	}
	return nil
}

var (
	errFixedAction    = &Error{Status: http.StatusBadRequest, Body: plainBody{Error: "RequiredAction is not configurable"}}
	errNoActionConfig = &iam.Error{Kind: iam.NotFound, Msg: "Could not find RequiredAction config"}
)

// settable finds the action that the path names, if it can be configured.
func settable(c *Call) (*rep.RequiredAction, error) {
	if actionOf(c) == nil {
		return nil, errFixedAction
	}
	a := c.Realm.RequiredAction(c.Path("alias"))
	if a == nil {
		return nil, errNoActionConfig
	}
	return a.Rep, nil
}

func (h *Handler) getActionConfig(c *Call) (any, error) {
	a, err := settable(c)
	if err != nil {
		return nil, err
	}
	config := a.Config
	if config == nil {
		config = map[string]string{}
	}
	return &rep.RequiredActionConfig{Config: config}, nil
}

func (h *Handler) updateActionConfig(c *Call) (any, error) {
	a, err := settable(c)
	if err != nil {
		return nil, err
	}
	v, err := Body[rep.RequiredActionConfig](c)
	if err != nil {
		return nil, err
	}
	if v.Config == nil {
		v.Config = map[string]string{}
	}
	config := map[string]string{}
	for name, value := range v.Config {
		if value != "" {
			config[name] = value
		}
	}
	if err := checkActionConfig(a.ProviderID, config); err != nil {
		return nil, err
	}
	return nil, h.Manager.SetAction(c, c.Realm, a.Alias, func(a *rep.RequiredAction) { a.Config = config })
}

// checkActionConfig looks at the numbers in an action's settings.
// Keycloak: MaxAuthAge and RecoveryAuthnCodesAction, validateConfig.
func checkActionConfig(provider string, config map[string]string) error {
	names := []string{"max_auth_age"}
	if provider == "CONFIGURE_RECOVERY_AUTHN_CODES" {
		names = append(names, "warning_threshold")
	}
	for _, name := range names {
		value, given := config[name]
		if !given && name == "max_auth_age" {
			continue
		}
		n, err := strconv.ParseInt(value, 10, 32)
		switch {
		case err != nil:
			return &iam.Error{Kind: iam.Invalid, Field: name, Msg: "error-invalid-value", Params: []any{name}}
		case n < 0:
			return &iam.Error{Kind: iam.Invalid, Field: name, Msg: "error-number-out-of-range-too-small", Params: []any{name, 0}}
		}
	}
	return nil
}

func (h *Handler) deleteActionConfig(c *Call) (any, error) {
	a, err := settable(c)
	if err != nil {
		return nil, err
	}
	return nil, h.Manager.SetAction(c, c.Realm, a.Alias, func(a *rep.RequiredAction) { a.Config = map[string]string{} })
}

// credentialRegistrators lists the required actions that set up a credential.
// Keycloak: CredentialRegistrator.
func (h *Handler) credentialRegistrators(c *Call) (any, error) {
	list := []string{}
	for _, a := range c.Realm.RequiredActions {
		if a.Enabled && slices.ContainsFunc(iam.CredentialTypes, func(t iam.CredentialType) bool { return t.Create == a.Provider }) {
			list = append(list, a.Alias)
		}
	}
	return list, nil
}
