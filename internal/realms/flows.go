package realms

import (
	"context"
	"errors"

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

// putObject replaces the document of an object by what change makes of it.
func (m *Manager) putObject(ctx context.Context, realm iam.RealmID, kind, id, missing string, change func(o *store.Object) error) error {
	err := m.Cache.Change(ctx, realm, func(tx *store.Tx) error {
		o, err := tx.Object(ctx, realm, kind, id)
		if err != nil {
			return err
		}
		if err := change(&o); err != nil {
			return err
		}
		return tx.UpdateObject(ctx, realm, o)
	})
	if errors.Is(err, store.ErrNotFound) {
		return iam.Errorf(iam.NotFound, "%s", missing)
	}
	return err
}

// SetExecution changes the requirement of an execution, and its priority when
// that is not nil. Keycloak: AuthenticationManagementResource.updateExecutions.
func (m *Manager) SetExecution(ctx context.Context, r *Realm, id string, requirement iam.Requirement, priority *int) error {
	switch requirement {
	case iam.Required, iam.Alternative, iam.Conditional, iam.Disabled:
	default:
		return iam.Errorf(iam.Invalid, "%q is none of REQUIRED, ALTERNATIVE, CONDITIONAL, DISABLED", requirement)
	}
	return m.putObject(ctx, r.ID, store.KindExecution, id, "Illegal execution", func(o *store.Object) error {
		e := new(rep.Execution)
		if err := rep.Unmarshal(o.Doc, e); err != nil {
			return err
		}
		e.Requirement = string(requirement)
		if priority != nil {
			e.Priority, o.Position = priority, int64(*priority)
		}
		var err error
		o.Doc, err = rep.Marshal(e)
		return err
	})
}

// PutAuthConfig stores an authenticator's configuration: a new one for an
// execution, or, without execution, a change of one that is there.
func (m *Manager) PutAuthConfig(ctx context.Context, r *Realm, execution string, c *rep.AuthenticatorConfig) error {
	if execution == "" {
		return m.putObject(ctx, r.ID, store.KindAuthConfig, c.ID, "Could not find authenticator config", func(o *store.Object) (err error) {
			o.Name = c.Alias
			o.Doc, err = rep.Marshal(c)
			return err
		})
	}
	c.ID = NewID()
	doc, err := rep.Marshal(c)
	if err != nil {
		return err
	}
	err = m.Cache.Change(ctx, r.ID, func(tx *store.Tx) error {
		o, err := tx.Object(ctx, r.ID, store.KindExecution, execution)
		if err != nil {
			return err
		}
		e := new(rep.Execution)
		if err := rep.Unmarshal(o.Doc, e); err != nil {
			return err
		}
		e.AuthenticatorConfig = c.ID
		if o.Doc, err = rep.Marshal(e); err != nil {
			return err
		}
		if err := tx.InsertObject(ctx, r.ID, store.Object{Kind: store.KindAuthConfig, ID: c.ID, Name: c.Alias, Doc: doc}); err != nil {
			return err
		}
		return tx.UpdateObject(ctx, r.ID, o)
	})
	if errors.Is(err, store.ErrNotFound) {
		return iam.Errorf(iam.NotFound, "Illegal execution")
	}
	return err
}

// PutRequiredAction changes a required action. Keycloak:
// AuthenticationManagementResource.updateRequiredAction.
func (m *Manager) PutRequiredAction(ctx context.Context, r *Realm, alias string, a *rep.RequiredAction) error {
	have := r.RequiredAction(alias)
	if have == nil {
		return iam.Errorf(iam.NotFound, "Failed to find required action")
	}
	return m.putObject(ctx, r.ID, store.KindRequiredAction, have.ID, "Failed to find required action", func(o *store.Object) (err error) {
		o.Name, o.UniqueName, o.Position = a.Alias, a.Alias, int64(a.Priority)
		o.Doc, err = rep.Marshal(a)
		return err
	})
}
