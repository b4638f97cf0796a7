package realms

import (
	"context"
	"maps"
	"slices"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// FlowDoc returns a flow's document by its alias, nil when there is none.
func (r *Realm) FlowDoc(alias string) *FlowDoc {
	for _, f := range r.FlowDocs {
		if f.Alias == alias {
			return f
		}
	}
	return nil
}

var errNoAuthConfig = &iam.Error{Kind: iam.NotFound, Msg: "Could not find authenticator config"}

// clean drops settings without value. Keycloak: RepresentationToModel.removeEmptyString.
func clean(config map[string]string) map[string]string {
	out := map[string]string{}
	for name, value := range config {
		if value != "" {
			out[name] = value
		}
	}
	return out
}

// AddAuthConfig stores a configuration, which gets an id, and gives it to an
// execution, whose former one goes. Without execution ("") it belongs to none.
// Keycloak: AuthenticationManagementResource.newExecutionConfig, createAuthenticatorConfig.
func (m *Manager) AddAuthConfig(ctx context.Context, r *Realm, execution string, c *rep.AuthenticatorConfig) error {
	if err := CheckReserved(c.Alias); err != nil {
		return err
	}
	c.ID = NewID()
	doc := *c
	doc.Config = clean(c.Config)
	return m.editFlows(ctx, r, func(s *flowSet) error {
		if execution == "" {
			return s.addConfig(ctx, &doc)
		}
		if c.Alias == "" {
			return errExists("Failed to create authentication execution configuration with empty alias name")
		}
		e := byID(s.executions, execution)
		if e == nil {
			return iam.Errorf(iam.NotFound, "Illegal execution")
		}
		if slices.ContainsFunc(s.configs, func(have *stored[rep.AuthenticatorConfig]) bool { return have.doc.Alias == c.Alias }) {
			return errExists("Authentication execution configuration " + c.Alias + " already exists")
		}
		if byID(s.configs, e.doc.AuthenticatorConfig) != nil {
			if err := s.remove(ctx, store.KindAuthConfig, e.doc.AuthenticatorConfig); err != nil {
				return err
			}
		}
		if err := s.addConfig(ctx, &doc); err != nil {
			return err
		}
		e.doc.AuthenticatorConfig = c.ID
		return write(ctx, s, e)
	})
}

// SetAuthConfig changes a configuration; settings that are masked stay.
// Keycloak: AuthenticationManagementResource.updateAuthenticatorConfig.
func (m *Manager) SetAuthConfig(ctx context.Context, r *Realm, id string, c *rep.AuthenticatorConfig) error {
	if err := CheckReserved(c.Alias); err != nil {
		return err
	}
	return m.editFlows(ctx, r, func(s *flowSet) error {
		have := byID(s.configs, id)
		if have == nil {
			return errNoAuthConfig
		}
		config := clean(c.Config)
		maps.DeleteFunc(config, func(name, value string) bool { return value == Masked && have.doc.Config[name] == "" })
		for name, value := range config {
			if value == Masked {
				config[name] = have.doc.Config[name]
			}
		}
		have.Name, have.doc.Alias, have.doc.Config = c.Alias, c.Alias, config
		return write(ctx, s, have)
	})
}

// DeleteAuthConfig removes a configuration from whatever has it.
// Keycloak: AuthenticationManagementResource.removeAuthenticatorConfig.
func (m *Manager) DeleteAuthConfig(ctx context.Context, r *Realm, id string) error {
	return m.editFlows(ctx, r, func(s *flowSet) error {
		if byID(s.configs, id) == nil {
			return errNoAuthConfig
		}
		for _, e := range s.executions {
			if e.doc.AuthenticatorConfig == id {
				e.doc.AuthenticatorConfig = ""
				if err := write(ctx, s, e); err != nil {
					return err
				}
			}
		}
		return s.remove(ctx, store.KindAuthConfig, id)
	})
}
