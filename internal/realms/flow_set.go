package realms

import (
	"context"
	"slices"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// A flowSet is the flows of a realm as one transaction reads and changes them:
// what refers to what is decided on what the transaction sees, never on a
// snapshot that may be a second old.
type flowSet struct {
	tx         *store.Tx
	realm      iam.RealmID
	flows      []*stored[rep.Flow]
	executions []*stored[rep.Execution] // by priority
	configs    []*stored[rep.AuthenticatorConfig]
	providers  []*stored[rep.IdentityProvider]
}

// stored is an object with its document.
type stored[T any] struct {
	store.Object
	doc *T
}

func decoded[T any](list []*stored[T], o store.Object) ([]*stored[T], error) {
	s := &stored[T]{o, new(T)}
	return append(list, s), rep.Unmarshal(o.Doc, s.doc)
}

// editFlows runs edit in a transaction that changes the flows of a realm.
func (m *Manager) editFlows(ctx context.Context, r *Realm, edit func(*flowSet) error) error {
	return m.alone(ctx, r.ID, func(tx *store.Tx) error {
		objects, err := tx.Objects(ctx, r.ID)
		if err != nil {
			return err
		}
		s := &flowSet{tx: tx, realm: r.ID}
		for _, o := range objects {
			switch o.Kind {
			case store.KindFlow:
				s.flows, err = decoded(s.flows, o)
			case store.KindExecution:
				s.executions, err = decoded(s.executions, o)
			case store.KindAuthConfig:
				s.configs, err = decoded(s.configs, o)
			case store.KindIdentityProvider:
				s.providers, err = decoded(s.providers, o)
			}
			if err != nil {
				return err
			}
		}
		return edit(s)
	})
}

// alone is Cache.Change for changes that add up what they read: it marks the
// realm as changed first, so that of two the second waits, and reads what the
// first has written.
func (m *Manager) alone(ctx context.Context, realm iam.RealmID, f func(tx *store.Tx) error) error {
	return m.Cache.db.Tx(ctx, func(tx *store.Tx) error {
		if err := m.Cache.Changed(ctx, tx, realm); err != nil {
			return err
		}
		return f(tx)
	})
}

func byID[T any](list []*stored[T], id string) *stored[T] {
	for _, s := range list {
		if s.ID == id {
			return s
		}
	}
	return nil
}

func (s *flowSet) flow(alias string) *stored[rep.Flow] {
	for _, f := range s.flows {
		if f.doc.Alias == alias {
			return f
		}
	}
	return nil
}

// of lists a flow's executions by priority.
func (s *flowSet) of(flow string) []*stored[rep.Execution] {
	var list []*stored[rep.Execution]
	for _, e := range s.executions {
		if e.Parent == flow {
			list = append(list, e)
		}
	}
	return list
}

// next is the priority of what is added to a flow: after all others.
// Keycloak: AuthenticationManagementResource.getNextPriority.
func (s *flowSet) next(flow string) int {
	list := s.of(flow)
	if len(list) == 0 {
		return 0
	}
	return rep.Val(list[len(list)-1].doc.Priority) + 1
}

func (s *flowSet) addFlow(ctx context.Context, f *rep.Flow) error {
	setID(&f.ID)
	doc := *f
	doc.AuthenticationExecutions = nil
	text, err := rep.Marshal(&doc)
	if err != nil {
		return err
	}
	o := store.Object{Kind: store.KindFlow, ID: f.ID, Name: f.Alias, UniqueName: f.Alias, Position: 1, Doc: text}
	for _, other := range s.flows {
		o.Position = max(o.Position, other.Position+1)
	}
	if err := s.tx.InsertObject(ctx, s.realm, o); err != nil {
		return err
	}
	s.flows = append(s.flows, &stored[rep.Flow]{o, &doc})
	return nil
}

func (s *flowSet) addExecution(ctx context.Context, parent *stored[rep.Flow], e *rep.Execution) error {
	setID(&e.ID)
	e.ParentFlow, e.AutheticatorFlow = &parent.ID, e.AuthenticatorFlow
	doc, err := rep.Marshal(e)
	if err != nil {
		return err
	}
	o := store.Object{Kind: store.KindExecution, ID: e.ID, Parent: parent.ID, Name: parent.doc.Alias,
		Position: int64(rep.Val(e.Priority)), Doc: doc}
	if err := s.tx.InsertObject(ctx, s.realm, o); err != nil {
		return err
	}
	s.executions = append(s.executions, &stored[rep.Execution]{o, e})
	return nil
}

func (s *flowSet) addConfig(ctx context.Context, c *rep.AuthenticatorConfig) error {
	setID(&c.ID)
	doc, err := rep.Marshal(c)
	if err != nil {
		return err
	}
	o := store.Object{Kind: store.KindAuthConfig, ID: c.ID, Name: c.Alias, Doc: doc}
	if err := s.tx.InsertObject(ctx, s.realm, o); err != nil {
		return err
	}
	s.configs = append(s.configs, &stored[rep.AuthenticatorConfig]{o, c})
	return nil
}

// write stores what became of an object's document.
func write[T any](ctx context.Context, s *flowSet, o *stored[T]) (err error) {
	if o.Doc, err = rep.Marshal(o.doc); err != nil {
		return err
	}
	if err := s.tx.UpdateObject(ctx, s.realm, o.Object); err != nil {
		return err
	}
	o.Version++
	return nil
}

// move swaps an object's place in a list with that of the one before it, or after
// it when down; swap does so in their documents. False when there is none.
func move[T any](ctx context.Context, s *flowSet, list []*stored[T], o *stored[T], down bool, swap func(a, b *T)) (bool, error) {
	other := neighbour(list, o.ID, down)
	if other == nil {
		return false, nil
	}
	swap(o.doc, other.doc)
	o.Position, other.Position = other.Position, o.Position
	if err := write(ctx, s, o); err != nil {
		return true, err
	}
	return true, write(ctx, s, other)
}

func (s *flowSet) remove(ctx context.Context, kind, id string) error {
	return s.tx.DeleteObject(ctx, s.realm, kind, id)
}

// removeExecution removes an execution with its configuration and its sub-flow,
// unless something else still refers to that.
// Keycloak: KeycloakModelUtils.deepDeleteAuthenticationExecutor.
func (s *flowSet) removeExecution(ctx context.Context, e *stored[rep.Execution]) error {
	if err := s.remove(ctx, store.KindExecution, e.ID); err != nil {
		return err
	}
	s.executions = slices.DeleteFunc(s.executions, func(x *stored[rep.Execution]) bool { return x.ID == e.ID })
	if id := e.doc.AuthenticatorConfig; id != "" {
		shared := slices.ContainsFunc(s.executions, func(x *stored[rep.Execution]) bool { return x.doc.AuthenticatorConfig == id })
		if !shared && byID(s.configs, id) != nil {
			if err := s.remove(ctx, store.KindAuthConfig, id); err != nil {
				return err
			}
		}
	}
	sub := byID(s.flows, rep.Val(e.doc.FlowID))
	if sub == nil || slices.ContainsFunc(s.executions, func(x *stored[rep.Execution]) bool { return rep.Val(x.doc.FlowID) == sub.ID }) {
		return nil
	}
	return s.removeFlow(ctx, sub)
}

// removeFlow removes a flow and all below it.
// Keycloak: KeycloakModelUtils.deepDeleteAuthenticationFlow, RealmAdapter.removeAuthenticationFlow.
func (s *flowSet) removeFlow(ctx context.Context, f *stored[rep.Flow]) error {
	if f.doc.BuiltIn {
		return refused("Can't delete built in flow")
	}
	by, err := s.user(ctx, f)
	if err != nil {
		return err
	}
	if by != "" {
		return refused("Cannot remove the authentication flow " + f.doc.Alias + ": it is in use by " + by)
	}
	s.flows = slices.DeleteFunc(s.flows, func(x *stored[rep.Flow]) bool { return x.ID == f.ID })
	for _, e := range s.of(f.ID) {
		if err := s.removeExecution(ctx, e); err != nil {
			return err
		}
	}
	return s.remove(ctx, store.KindFlow, f.ID)
}

// user tells who logs in by a flow, "" when nobody does.
// Keycloak: KeycloakModelUtils.isFlowUsed.
func (s *flowSet) user(ctx context.Context, f *stored[rep.Flow]) (string, error) {
	_, doc, err := realmDoc(ctx, s.tx, s.realm)
	if err != nil {
		return "", err
	}
	for _, alias := range boundFlows(doc) {
		if *alias == f.doc.Alias {
			return "the realm", nil
		}
	}
	for _, p := range s.providers {
		if rep.Val(p.doc.FirstBrokerLoginFlowAlias) == f.doc.Alias || rep.Val(p.doc.PostBrokerLoginFlowAlias) == f.doc.Alias {
			return "identity provider " + p.doc.Alias, nil
		}
	}
	const page = 500
	for first := 0; ; first += page {
		rows, err := s.tx.Clients(ctx, s.realm, "", first, page)
		if err != nil {
			return "", err
		}
		for _, row := range rows {
			c := new(rep.Client)
			if err := rep.Unmarshal(row.Doc, c); err != nil {
				return "", err
			}
			for _, id := range c.AuthenticationFlowBindingOverrides {
				if id == f.ID {
					return "client " + c.ClientID, nil
				}
			}
		}
		if len(rows) < page {
			return "", nil
		}
	}
}

// boundFlows are the members of a realm's document that name a flow.
func boundFlows(r *rep.Realm) []*string {
	list := []*string{&r.BrowserFlow, &r.RegistrationFlow, &r.DirectGrantFlow, &r.ResetCredentialsFlow, &r.ClientAuthenticationFlow,
		&r.DockerAuthenticationFlow}
	if r.FirstBrokerLoginFlow != nil {
		list = append(list, r.FirstBrokerLoginFlow)
	}
	return list
}

// rename gives a flow another alias, and everything that names it: Keycloak
// refers to flows by id where realm files have aliases.
func (s *flowSet) rename(ctx context.Context, f *stored[rep.Flow], alias string) error {
	old := f.doc.Alias
	if old == alias {
		return nil
	}
	if s.flow(alias) != nil {
		return errExists("Flow alias name already exists")
	}
	f.doc.Alias, f.Name, f.UniqueName = alias, alias, alias
	row, doc, err := realmDoc(ctx, s.tx, s.realm)
	if err != nil {
		return err
	}
	bound := false
	for _, name := range boundFlows(doc) {
		if *name == old {
			*name, bound = alias, true
		}
	}
	if bound {
		if row.Doc, err = rep.Marshal(doc); err != nil {
			return err
		}
		if err := s.tx.UpdateRealm(ctx, row); err != nil {
			return err
		}
	}
	for _, p := range s.providers {
		changed := false
		for _, name := range []*string{p.doc.FirstBrokerLoginFlowAlias, p.doc.PostBrokerLoginFlowAlias} {
			if rep.Val(name) == old {
				*name, changed = alias, true
			}
		}
		if changed {
			if err := write(ctx, s, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// reaches reports whether a flow is another or has it somewhere below.
func (s *flowSet) reaches(from, to string, seen map[string]bool) bool {
	if from == to {
		return true
	}
	if seen[from] {
		return false
	}
	seen[from] = true
	return slices.ContainsFunc(s.of(from), func(e *stored[rep.Execution]) bool {
		return rep.Val(e.doc.FlowID) != "" && s.reaches(*e.doc.FlowID, to, seen)
	})
}

// refused is what Keycloak refuses by BadRequestException.
func refused(msg string) error { return &iam.Error{Kind: iam.Invalid, Msg: msg, Err: ErrBadRequest} }
