package realms

import (
	"context"
	"errors"
	"maps"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// maxName bounds the names of roles, as Keycloak's database does.
const maxName = 255

var errNameTooLong = &iam.Error{Kind: iam.Invalid, Msg: "The name is too long"}

// CreateRole stores a new role of the realm (client "") or of a client and
// fills in its id. A name that is taken is an *iam.Error of kind Conflict.
// Composites named in the representation become part of it if it says that it
// is composite.
func (m *Manager) CreateRole(ctx context.Context, r *Realm, client iam.ClientID, v *rep.Role) error {
	if len([]rune(v.Name)) > maxName {
		return errNameTooLong
	}
	setID(&v.ID)
	doc, err := roleDoc(v)
	if err != nil {
		return err
	}
	var parts []iam.RoleID
	if c := v.Composites; c != nil && v.Composite {
		for _, name := range c.Realm {
			role := r.RoleByName("", name)
			if role == nil {
				return iam.Errorf(iam.NotFound, "Realm Role with name %s does not exist", name)
			}
			parts = append(parts, role.ID)
		}
		for clientID, names := range c.Client {
			owner, err := r.ClientByName(ctx, clientID)
			if errors.Is(err, store.ErrNotFound) {
				return iam.Errorf(iam.NotFound, "Client with client id %s does not exist", clientID)
			}
			if err != nil {
				return err
			}
			for _, name := range names {
				role := r.RoleByName(owner.ID, name)
				if role == nil {
					return iam.Errorf(iam.NotFound, "Client Role with name %s does not exist", name)
				}
				parts = append(parts, role.ID)
			}
		}
	}
	err = m.Cache.Change(ctx, r.ID, func(tx *store.Tx) error {
		if err := tx.InsertRole(ctx, r.ID, store.RoleRow{ID: iam.RoleID(v.ID), Client: client, Name: v.Name, Doc: doc}); err != nil {
			return err
		}
		for _, part := range parts {
			if err := tx.AddComposite(ctx, r.ID, iam.RoleID(v.ID), part); err != nil {
				return err
			}
		}
		return nil
	})
	return roleTaken(err, v.Name)
}

func roleTaken(err error, name string) error {
	if _, exists := store.Exists(err); exists {
		return iam.Errorf(iam.Conflict, "Role with name %s already exists", name)
	}
	return err
}

// roleDoc is a role as it is stored: what has columns and rows of its own is left out.
func roleDoc(v *rep.Role) ([]byte, error) {
	doc := *v
	doc.Composite, doc.Composites, doc.ScopeParamRequired = false, nil, nil
	doc.Attributes = maps.Clone(doc.Attributes)
	maps.DeleteFunc(doc.Attributes, func(_ string, values []string) bool { return len(values) == 0 })
	return rep.Marshal(&doc)
}

// UpdateRole renames and describes a role, and replaces its attributes where
// there are any in the representation.
// Keycloak: RoleContainerResource.updateRole.
func (m *Manager) UpdateRole(ctx context.Context, r *Realm, role *Role, v *rep.Role) error {
	next, err := rep.Clone(role.Rep)
	if err != nil {
		return err
	}
	if len([]rune(v.Name)) > maxName {
		return errNameTooLong
	}
	if v.Name != "" {
		next.Name = v.Name
	}
	next.Description = v.Description
	if v.Attributes != nil {
		next.Attributes = v.Attributes
	}
	doc, err := roleDoc(next)
	if err != nil {
		return err
	}
	err = m.Cache.Change(ctx, r.ID, func(tx *store.Tx) error {
		row, err := tx.Role(ctx, r.ID, role.ID)
		if err != nil {
			return err
		}
		was := row.Name
		row.Name, row.Doc = next.Name, doc
		if err := tx.UpdateRole(ctx, r.ID, row); err != nil || was == next.Name {
			return err
		}
		client, err := r.clientNameIn(ctx, tx, role.Client)
		if err != nil {
			return err
		}
		return r.RenameInMappers(ctx, tx, "role", func(name string) string {
			if name == client+was {
				return client + next.Name
			}
			return name
		})
	})
	return roleTaken(err, next.Name)
}

// clientNameIn is what stands before the names of a client's roles in mappers of
// identity providers, nothing for roles of the realm.
func (r *Realm) clientNameIn(ctx context.Context, tx *store.Tx, id iam.ClientID) (string, error) {
	if id == "" {
		return "", nil
	}
	c, err := r.ClientIn(ctx, tx, id)
	if err != nil {
		return "", err
	}
	return c.ClientID + ".", nil
}

// DeleteRole removes a role from the realm and from all that have it. The
// default role cannot be removed.
func (m *Manager) DeleteRole(ctx context.Context, r *Realm, role *Role) error {
	if role.ID == r.DefaultRole {
		return iam.Errorf(iam.Invalid, "%s is default role of the realm and cannot be removed.", role.Name)
	}
	return m.Cache.Change(ctx, r.ID, func(tx *store.Tx) error { return tx.DeleteRole(ctx, r.ID, role.ID) })
}

// Compose makes roles part of a role, or with add false takes them out.
func (m *Manager) Compose(ctx context.Context, r *Realm, role iam.RoleID, parts []iam.RoleID, add bool) error {
	return m.Cache.Change(ctx, r.ID, func(tx *store.Tx) error {
		for _, part := range parts {
			var err error
			if add {
				err = tx.AddComposite(ctx, r.ID, role, part)
			} else {
				err = tx.RemoveComposite(ctx, r.ID, role, part)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}
