package realms

import (
	"context"
	"slices"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// editActions runs edit in a transaction with a realm's required actions, by priority.
func (m *Manager) editActions(ctx context.Context, r *Realm, edit func(s *flowSet, list []*stored[rep.RequiredAction]) error) error {
	return m.alone(ctx, r.ID, func(tx *store.Tx) error {
		objects, err := tx.Objects(ctx, r.ID)
		if err != nil {
			return err
		}
		var list []*stored[rep.RequiredAction]
		for _, o := range objects {
			if o.Kind == store.KindRequiredAction {
				if list, err = decoded(list, o); err != nil {
					return err
				}
			}
		}
		return edit(&flowSet{tx: tx, realm: r.ID}, list)
	})
}

func action(list []*stored[rep.RequiredAction], alias, missing string) (*stored[rep.RequiredAction], error) {
	i := slices.IndexFunc(list, func(a *stored[rep.RequiredAction]) bool { return a.doc.Alias == alias })
	if i < 0 {
		return nil, iam.Errorf(iam.NotFound, "%s", missing)
	}
	return list[i], nil
}

// SetAction changes a required action by a function of its document.
// Keycloak: AuthenticationManagementResource.updateRequiredAction.
func (m *Manager) SetAction(ctx context.Context, r *Realm, alias string, change func(*rep.RequiredAction)) error {
	err := m.editActions(ctx, r, func(s *flowSet, list []*stored[rep.RequiredAction]) error {
		a, err := action(list, alias, "Failed to find required action")
		if err != nil {
			return err
		}
		change(a.doc)
		a.Name, a.UniqueName, a.Position = a.doc.Alias, a.doc.Alias, int64(a.doc.Priority)
		return write(ctx, s, a)
	})
	return duplicate(err)
}

// RegisterAction adds a required action, after all others, and returns its id.
// Keycloak: AuthenticationManagementResource.registerRequiredAction.
func (m *Manager) RegisterAction(ctx context.Context, r *Realm, provider, name string) (id string, err error) {
	err = m.editActions(ctx, r, func(s *flowSet, list []*stored[rep.RequiredAction]) error {
		a := &rep.RequiredAction{Alias: provider, Name: name, ProviderID: provider, Enabled: true, Config: map[string]string{}}
		if len(list) > 0 {
			a.Priority = list[len(list)-1].doc.Priority + 1
		}
		doc, err := rep.Marshal(a)
		if err != nil {
			return err
		}
		id = NewID()
		return s.tx.InsertObject(ctx, s.realm, store.Object{
			Kind: store.KindRequiredAction, ID: id, Name: provider, UniqueName: provider, Position: int64(a.Priority), Doc: doc})
	})
	if _, exists := store.Exists(err); exists {
		err = &iam.Error{Kind: iam.Conflict, Msg: "A Required Action Provider with given alias already exists.", Err: ErrDuplicate}
	}
	return id, err
}

const noAction = "Failed to find required action."

// DeleteAction removes a required action.
// Keycloak: AuthenticationManagementResource.removeRequiredAction.
func (m *Manager) DeleteAction(ctx context.Context, r *Realm, alias string) error {
	return m.editActions(ctx, r, func(s *flowSet, list []*stored[rep.RequiredAction]) error {
		a, err := action(list, alias, noAction)
		if err != nil {
			return err
		}
		return s.remove(ctx, store.KindRequiredAction, a.ID)
	})
}

// MoveAction swaps a required action's priority with that of the one before
// it, or after it when down; false when there is none.
// Keycloak: AuthenticationManagementResource.raiseRequiredActionPriority and lowerRequiredActionPriority.
func (m *Manager) MoveAction(ctx context.Context, r *Realm, alias string, down bool) (moved bool, err error) {
	err = m.editActions(ctx, r, func(s *flowSet, list []*stored[rep.RequiredAction]) error {
		a, err := action(list, alias, noAction)
		if err != nil {
			return err
		}
		moved, err = move(ctx, s, list, a, down, func(a, b *rep.RequiredAction) { a.Priority, b.Priority = b.Priority, a.Priority })
		return err
	})
	return moved, err
}
