package realms

import (
	"context"
	"errors"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// CreateFlow adds a flow without executions; f gets its id.
// Keycloak: AuthenticationManagementResource.createFlow.
func (m *Manager) CreateFlow(ctx context.Context, r *Realm, f *rep.Flow) error {
	if f.Alias == "" {
		return errExists("Failed to create flow with empty alias name")
	}
	if f.Description == nil {
		f.Description = new("")
	}
	return m.editFlows(ctx, r, func(s *flowSet) error {
		if s.flow(f.Alias) != nil {
			return errExists("Flow " + f.Alias + " already exists")
		}
		if err := CheckReserved(f.Alias); err != nil {
			return err
		}
		if f.ProviderID == "" {
			return errDuplicate()
		}
		return duplicate(s.addFlow(ctx, f))
	})
}

// ErrDuplicate marks the refusals that Keycloak's database makes, in the words
// of its exception mapper.
var ErrDuplicate = errors.New("duplicate")

func duplicate(err error) error {
	if _, exists := store.Exists(err); exists {
		return errDuplicate()
	}
	return err
}

func errDuplicate() error {
	return &iam.Error{Kind: iam.Conflict, Msg: "Duplicate resource error", Err: ErrDuplicate}
}

// UpdateFlow changes what a flow says of itself; its executions stay.
// Keycloak: AuthenticationManagementResource.updateFlow.
func (m *Manager) UpdateFlow(ctx context.Context, r *Realm, id string, f *rep.Flow) error {
	return m.editFlows(ctx, r, func(s *flowSet) error {
		have := byID(s.flows, id)
		switch {
		case have == nil:
			return iam.Errorf(iam.NotFound, "Could not find flow with id")
		case f.Alias == "":
			return errExists("Failed to update flow with empty alias name")
		}
		if err := CheckReserved(f.Alias); err != nil {
			return err
		}
		if err := s.rename(ctx, have, f.Alias); err != nil {
			return err
		}
		if f.ProviderID == "" {
			return errDuplicate()
		}
		have.doc.Description, have.doc.ProviderID, have.doc.TopLevel, have.doc.BuiltIn = f.Description, f.ProviderID, f.TopLevel, f.BuiltIn
		f.ID = id
		return write(ctx, s, have)
	})
}

// DeleteFlow removes a flow with all below it, unless it is built in or in use.
func (m *Manager) DeleteFlow(ctx context.Context, r *Realm, id string) error {
	return m.editFlows(ctx, r, func(s *flowSet) error {
		f := byID(s.flows, id)
		if f == nil {
			return iam.Errorf(iam.NotFound, "Flow not found")
		}
		return s.removeFlow(ctx, f)
	})
}

// CopyFlow copies a flow with all below it under a new alias, with which those
// of its sub-flows and configurations begin, and returns the copy's id.
// Keycloak: AuthenticationManagementResource.copyFlow.
func (m *Manager) CopyFlow(ctx context.Context, r *Realm, alias, name string) (id string, err error) {
	err = m.editFlows(ctx, r, func(s *flowSet) error {
		if s.flow(name) != nil {
			return errExists("New flow alias name already exists")
		}
		from := s.flow(alias)
		if from == nil {
			return iam.Errorf(iam.NotFound, "Flow not found")
		}
		if err := CheckReserved(name); err != nil {
			return err
		}
		to, err := s.copy(ctx, from, name, name, from.doc.TopLevel, map[string]bool{})
		if err == nil {
			id = to.ID
		}
		return err
	})
	return id, err
}

func (s *flowSet) copy(ctx context.Context, from *stored[rep.Flow], alias, prefix string, top bool,
	path map[string]bool) (*stored[rep.Flow], error) {
	if path[from.ID] {
		return nil, refused("The flow " + from.doc.Alias + " contains itself")
	}
	path[from.ID] = true
	defer delete(path, from.ID)
	if s.flow(alias) != nil {
		return nil, errExists("Flow alias name already exists")
	}
	f := *from.doc
	f.ID, f.Alias, f.TopLevel, f.BuiltIn = NewID(), alias, top, false
	if err := s.addFlow(ctx, &f); err != nil {
		return nil, err
	}
	to := byID(s.flows, f.ID)
	for _, x := range s.of(from.ID) {
		e := *x.doc
		e.ID = NewID()
		if sub := byID(s.flows, rep.Val(e.FlowID)); sub != nil {
			copied, err := s.copy(ctx, sub, prefix+" "+sub.doc.Alias, prefix, false, path)
			if err != nil {
				return nil, err
			}
			e.FlowID = &copied.ID
		}
		if c := byID(s.configs, e.AuthenticatorConfig); c != nil {
			config := *c.doc
			config.ID = NewID()
			if config.Alias != "" {
				config.Alias = prefix + " " + config.Alias
			}
			if err := s.addConfig(ctx, &config); err != nil {
				return nil, err
			}
			e.AuthenticatorConfig = config.ID
		}
		if err := s.addExecution(ctx, to, &e); err != nil {
			return nil, err
		}
	}
	return to, nil
}

// A NewExecution is what is added to a flow: an authenticator or a sub-flow.
type NewExecution struct {
	Parent    string // the flow's alias
	Execution rep.Execution
	Sub       *rep.Flow // made along with the execution, nil for an authenticator
	Last      bool      // comes after all others, whatever its priority says
}

// AddToFlow adds an execution, and the sub-flow it is for, to a flow that is not
// built in; both get their ids.
// Keycloak: AuthenticationManagementResource.addExecutionFlow and addExecutionToFlow.
func (m *Manager) AddToFlow(ctx context.Context, r *Realm, n *NewExecution) error {
	return m.editFlows(ctx, r, func(s *flowSet) error {
		parent := s.flow(n.Parent)
		e := &n.Execution
		what := "execution"
		if n.Sub != nil {
			what = "sub-flow"
		}
		if parent == nil {
			return refused("Parent flow doesn't exist")
		}
		if parent.doc.BuiltIn {
			return refused("It is illegal to add " + what + " to a built in flow")
		}
		if n.Sub != nil {
			if s.flow(n.Sub.Alias) != nil {
				return errExists("New flow alias name already exists")
			}
			if err := s.addFlow(ctx, n.Sub); err != nil {
				return err
			}
			e.FlowID = &n.Sub.ID
		}
		if n.Last {
			e.Priority = new(s.next(parent.ID))
		}
		return duplicate(s.addExecution(ctx, parent, e))
	})
}

// AddExecution adds an execution to the flow that it names by id.
// Keycloak: AuthenticationManagementResource.addExecution.
func (m *Manager) AddExecution(ctx context.Context, r *Realm, e *rep.Execution) error {
	given := rep.Val(e.ParentFlow)
	last := e.Priority == nil
	return m.editFlows(ctx, r, func(s *flowSet) error {
		parent := byID(s.flows, given)
		if given == "" {
			return refused("parent flow not set on new execution")
		}
		if parent == nil {
			return refused("execution parent flow does not exist")
		}
		if parent.doc.BuiltIn {
			return refused("It is illegal to add execution to a built in flow")
		}
		if sub := rep.Val(e.FlowID); sub != "" {
			if byID(s.flows, sub) == nil {
				return refused("execution flow does not exist")
			}
			if s.reaches(sub, parent.ID, map[string]bool{}) {
				return refused("a flow cannot contain itself")
			}
		}
		if last {
			e.Priority = new(s.next(parent.ID))
		}
		return duplicate(s.addExecution(ctx, parent, e))
	})
}

// openExecution finds an execution that may be changed.
func (s *flowSet) openExecution(id, what string) (*stored[rep.Execution], error) {
	e := byID(s.executions, id)
	if e == nil {
		return nil, iam.Errorf(iam.NotFound, "Illegal execution")
	}
	parent := byID(s.flows, e.Parent)
	if parent == nil {
		return nil, refused("execution parent flow does not exist")
	}
	if parent.doc.BuiltIn {
		return nil, refused("It is illegal to " + what + " a built in flow")
	}
	return e, nil
}

// DeleteExecution removes an execution with its configuration and sub-flow.
// Keycloak: AuthenticationManagementResource.removeExecution.
func (m *Manager) DeleteExecution(ctx context.Context, r *Realm, id string) error {
	return m.editFlows(ctx, r, func(s *flowSet) error {
		e, err := s.openExecution(id, "remove execution from")
		if err != nil {
			return err
		}
		return s.removeExecution(ctx, e)
	})
}

// MoveExecution swaps an execution's priority with that of the one before it,
// or after it when down; false when there is none.
// Keycloak: AuthenticationManagementResource.raisePriority and lowerPriority.
func (m *Manager) MoveExecution(ctx context.Context, r *Realm, id string, down bool) (moved bool, err error) {
	err = m.editFlows(ctx, r, func(s *flowSet) error {
		e, err := s.openExecution(id, "modify execution in")
		if err != nil {
			return err
		}
		moved, err = move(ctx, s, s.of(e.Parent), e, down, func(a, b *rep.Execution) { a.Priority, b.Priority = b.Priority, a.Priority })
		return err
	})
	return moved, err
}

// neighbour is what stands before an object in a list, or after it when down;
// nil when it is the first or the last.
func neighbour[T any](list []*stored[T], id string, down bool) *stored[T] {
	for i, o := range list {
		switch {
		case o.ID != id:
		case down && i+1 < len(list):
			return list[i+1]
		case !down && i > 0:
			return list[i-1]
		}
	}
	return nil
}

// SetExecution changes the requirement and the priority of an execution, or,
// where both are as they were and v is a sub-flow, that one's name and
// description; false when nothing was to be done.
// Keycloak: AuthenticationManagementResource.updateExecutions.
func (m *Manager) SetExecution(ctx context.Context, r *Realm, v *rep.ExecutionInfo) (changed bool, err error) {
	err = m.editFlows(ctx, r, func(s *flowSet) error {
		changed = true
		e := byID(s.executions, v.ID)
		if e == nil {
			return iam.Errorf(iam.NotFound, "Illegal execution")
		}
		switch iam.Requirement(v.Requirement) {
		case iam.Required, iam.Alternative, iam.Conditional, iam.Disabled:
		default:
			return refused("The requirement must be REQUIRED, ALTERNATIVE, CONDITIONAL or DISABLED")
		}
		if e.doc.Requirement != v.Requirement || rep.Val(e.doc.Priority) != v.Priority {
			e.doc.Requirement, e.doc.Priority, e.Position = v.Requirement, &v.Priority, int64(v.Priority)
			return write(ctx, s, e)
		}
		if v.AuthenticationFlow == nil {
			changed = false
			return nil
		}
		f := byID(s.flows, v.FlowID)
		if f == nil {
			return iam.Errorf(iam.NotFound, "Illegal execution")
		}
		if v.DisplayName == "" {
			return refused("A flow needs a displayName")
		}
		if err := s.rename(ctx, f, v.DisplayName); err != nil {
			return err
		}
		f.doc.Description = v.Description
		return write(ctx, s, f)
	})
	return changed, err
}
