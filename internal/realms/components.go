package realms

import (
	"context"
	"errors"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// PutComponent stores a component: a new one without id, or a change of one
// that is there. Key components get a key when they have none.
func (m *Manager) PutComponent(ctx context.Context, r *Realm, c *rep.Component) error {
	if c.Config == nil {
		c.Config = map[string][]string{}
	}
	if c.ProviderType == TypeKeyProvider {
		if err := m.NewKey(ctx, r.Name, c.ProviderID, c.Config); err != nil {
			return err
		}
	}
	if c.ParentID == "" {
		c.ParentID = string(r.ID)
	}
	isNew := c.ID == "" || r.Component(c.ID) == nil
	setID(&c.ID)
	doc, err := rep.Marshal(c)
	if err != nil {
		return err
	}
	err = m.Cache.Change(ctx, r.ID, func(tx *store.Tx) error {
		if isNew {
			return tx.InsertObject(ctx, r.ID, store.Object{Kind: store.KindComponent, ID: c.ID, Parent: c.ParentID, Name: c.Name, Doc: doc})
		}
		o, err := tx.Object(ctx, r.ID, store.KindComponent, c.ID)
		if err != nil {
			return err
		}
		o.Parent, o.Name, o.Doc = c.ParentID, c.Name, doc
		return tx.UpdateObject(ctx, r.ID, o)
	})
	if _, exists := store.Exists(err); exists {
		return errExists("Duplicate resource error")
	}
	return err
}

// DeleteComponent removes a component and its children.
func (m *Manager) DeleteComponent(ctx context.Context, r *Realm, id string) error {
	err := m.Cache.Change(ctx, r.ID, func(tx *store.Tx) error { return tx.DeleteObject(ctx, r.ID, store.KindComponent, id) })
	if errors.Is(err, store.ErrNotFound) {
		return iam.Errorf(iam.NotFound, "Could not find component")
	}
	return err
}

// GrantCreator gives somebody who may create realms, but does not administer
// all of them, the roles to administer the one they made.
// Keycloak: RealmsAdminResource.grantPermissionsToRealmCreator.
func (m *Manager) GrantCreator(ctx context.Context, user iam.UserID, realm string) error {
	master, err := m.Cache.Get(ctx, Master)
	if err != nil {
		return err
	}
	client, err := master.ClientByName(ctx, MasterClient(realm))
	if err != nil {
		return err
	}
	return m.Cache.db.Tx(ctx, func(tx *store.Tx) error {
		for _, role := range master.RolesOf(client.ID) {
			if _, err := tx.AddUserRole(ctx, master.ID, user, role.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// BindDefaultScope makes a client scope one of those that new clients get.
// Doing it twice is refused, as in Keycloak: RealmAdapter.addDefaultClientScope.
func (m *Manager) BindDefaultScope(ctx context.Context, r *Realm, scope iam.ScopeID, optional bool) error {
	return m.Cache.Change(ctx, r.ID, func(tx *store.Tx) error { return m.BindDefaultScopeIn(ctx, tx, r, scope, optional) })
}

// BindDefaultScopeIn is BindDefaultScope as a part of a Cache.Change.
func (m *Manager) BindDefaultScopeIn(ctx context.Context, tx *store.Tx, r *Realm, scope iam.ScopeID, optional bool) error {
	isNew, err := tx.BindScope(ctx, r.ID, store.ScopeBinding{Scope: scope, Optional: optional})
	if err == nil && !isNew {
		return errExists("Duplicate resource error")
	}
	return err
}

// UnbindDefaultScope undoes BindDefaultScope; doing it twice is fine.
func (m *Manager) UnbindDefaultScope(ctx context.Context, r *Realm, scope iam.ScopeID) error {
	return m.Cache.Change(ctx, r.ID, func(tx *store.Tx) error { return m.UnbindDefaultScopeIn(ctx, tx, r, scope) })
}

// UnbindDefaultScopeIn is UnbindDefaultScope as a part of a Cache.Change.
func (m *Manager) UnbindDefaultScopeIn(ctx context.Context, tx *store.Tx, r *Realm, scope iam.ScopeID) error {
	_, err := tx.UnbindScope(ctx, r.ID, "", scope)
	return err
}

// DefaultGroups returns the groups that new users join, with their paths.
func (m *Manager) DefaultGroups(ctx context.Context, r *Realm) ([]rep.Group, error) {
	rows, err := m.Cache.db.Groups(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	paths := pathsOf(rows)
	list := []rep.Group{}
	for _, row := range rows {
		if row.Default {
			doc := new(rep.Group)
			if err := rep.Unmarshal(row.Doc, doc); err != nil {
				return nil, err
			}
			list = append(list, rep.Group{ID: string(row.ID), Name: row.Name, Description: doc.Description, ParentID: string(row.Parent),
				Path: paths[row.ID], SubGroups: []rep.Group{}})
		}
	}
	return list, nil
}

// SetDefaultGroup makes a group one that new users join, or no longer.
func (m *Manager) SetDefaultGroup(ctx context.Context, r *Realm, id iam.GroupID, is bool) error {
	return m.Cache.Change(ctx, r.ID, func(tx *store.Tx) error {
		g, err := tx.Group(ctx, r.ID, id)
		if errors.Is(err, store.ErrNotFound) {
			return iam.Errorf(iam.NotFound, "Group not found")
		}
		if err != nil || g.Default == is {
			return err
		}
		g.Default = is
		return tx.UpdateGroup(ctx, r.ID, g)
	})
}

// realmDoc reads a realm with its own document.
func realmDoc(ctx context.Context, tx *store.Tx, id iam.RealmID) (store.RealmRow, *rep.Realm, error) {
	row, err := tx.RealmByID(ctx, id)
	if err != nil {
		return row, nil, err
	}
	doc := new(rep.Realm)
	return row, doc, rep.Unmarshal(row.Doc, doc)
}

// Edit changes a realm's own document by a function, for settings that have
// endpoints of their own.
func (m *Manager) Edit(ctx context.Context, id iam.RealmID, edit func(*rep.Realm) error) error {
	return m.Cache.Change(ctx, id, func(tx *store.Tx) error {
		row, doc, err := realmDoc(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := edit(doc); err != nil {
			return err
		}
		if row.Doc, err = rep.Marshal(doc); err != nil {
			return err
		}
		return tx.UpdateRealm(ctx, row)
	})
}
