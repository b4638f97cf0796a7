package clients

import (
	"context"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// ScopeView is a client scope as administrators see it.
func ScopeView(s *realms.Scope) *rep.ClientScope {
	v := *s.Rep
	v.Protocol = string(s.Protocol)
	if v.Attributes == nil {
		v.Attributes = map[string]string{}
	}
	if len(v.ProtocolMappers) == 0 {
		v.ProtocolMappers = nil
	}
	return &v
}

// GetScope returns a client scope by its id, or the refusal given.
func GetScope(r *realms.Realm, id string, refusal *iam.Error) (*realms.Scope, error) {
	if s := r.Scope(iam.ScopeID(id)); s != nil {
		return s, nil
	}
	return nil, refusal
}

// validScopeName tells whether a name can stand in a scope parameter (RFC 6749,
// section 3.3). Keycloak: ClientScopeResource.validateClientScopeName.
func validScopeName(name string) bool {
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return name != ""
}

func checkScope(s *rep.ClientScope) error {
	switch {
	case !validScopeName(s.Name):
		return &iam.Error{Kind: iam.Invalid, Msg: `Unexpected name "` + s.Name + `" for ClientScope`}
	case len(s.Name) > 255:
		return iam.Errorf(iam.Invalid, "Client scope names must not be longer than 255 characters") // the reference's database breaks down
	case s.Protocol != string(iam.OIDC) && s.Protocol != string(iam.SAML):
		return iam.Errorf(iam.Invalid, "Unexpected protocol")
	}
	return nil
}

// CreateScope makes a client scope and gives it and its mappers ids.
// Keycloak: ClientScopesResource.createClientScope.
func (s *Service) CreateScope(ctx context.Context, r *realms.Realm, given *rep.ClientScope) (*rep.ClientScope, error) {
	if err := checkScope(given); err != nil {
		return nil, err
	}
	c, err := rep.Clone(given)
	if err != nil {
		return nil, err
	}
	if c.ID == "" {
		c.ID = realms.NewID()
	}
	if c.Attributes == nil {
		c.Attributes = map[string]string{}
	}
	taken := iam.Errorf(iam.Conflict, "Client Scope %s already exists", c.Name)
	if !completeMappers(c.ProtocolMappers) {
		return nil, taken
	}
	doc, err := rep.Marshal(c)
	if err != nil {
		return nil, err
	}
	err = s.cache.Change(ctx, r.ID, func(tx *store.Tx) error {
		return tx.InsertObject(ctx, r.ID, store.Object{Kind: store.KindClientScope, ID: c.ID, Name: c.Name, UniqueName: c.Name, Doc: doc})
	})
	if _, ok := store.Exists(err); ok {
		return nil, taken
	}
	return c, err
}

// changeScope reads a client scope's document, lets f change it, and writes it back.
func (s *Service) changeScope(ctx context.Context, r *realms.Realm, id iam.ScopeID, f func(*rep.ClientScope) error) error {
	return s.cache.Change(ctx, r.ID, func(tx *store.Tx) error {
		o, err := tx.Object(ctx, r.ID, store.KindClientScope, string(id))
		if err != nil {
			return missing(err, ErrNoScope)
		}
		doc := new(rep.ClientScope)
		if err := rep.Unmarshal(o.Doc, doc); err != nil {
			return err
		}
		if err := f(doc); err != nil {
			return err
		}
		o.Name, o.UniqueName = doc.Name, doc.Name
		if o.Doc, err = rep.Marshal(doc); err != nil {
			return err
		}
		return tx.UpdateObject(ctx, r.ID, o)
	})
}

// UpdateScope changes of a client scope what the representation names;
// attributes are merged, mappers are left alone.
// Keycloak: RepresentationToModel.updateClientScope.
func (s *Service) UpdateScope(ctx context.Context, r *realms.Realm, id iam.ScopeID, given *rep.ClientScope) error {
	name := given.Name
	err := s.changeScope(ctx, r, id, func(doc *rep.ClientScope) error {
		if name == "" {
			name = doc.Name // the reference breaks down
		}
		doc.Name = name
		put(&doc.Description, given.Description)
		if given.Protocol != "" {
			doc.Protocol = given.Protocol
		}
		if doc.Attributes == nil {
			doc.Attributes = map[string]string{}
		}
		for k, v := range given.Attributes {
			doc.Attributes[k] = v
		}
		return checkScope(doc)
	})
	if _, ok := store.Exists(err); ok {
		return iam.Errorf(iam.Conflict, "Client Scope %s already exists", name)
	}
	return err
}

// DeleteScope removes a client scope and takes it from all clients and from the
// realm's defaults.
func (s *Service) DeleteScope(ctx context.Context, r *realms.Realm, id iam.ScopeID) error {
	return s.cache.Change(ctx, r.ID, func(tx *store.Tx) error {
		if err := tx.DeleteObject(ctx, r.ID, store.KindClientScope, string(id)); err != nil {
			return missing(err, ErrNoScope)
		}
		return tx.UnbindScopeEverywhere(ctx, r.ID, id)
	})
}

// Assign gives a client a scope. One that it has already stays as it is,
// default or optional.
func (s *Service) Assign(ctx context.Context, r *realms.Realm, client iam.ClientID, scope *realms.Scope, optional bool) error {
	return s.cache.Change(ctx, r.ID, func(tx *store.Tx) error { return s.AssignIn(ctx, tx, r, client, scope, optional) })
}

// AssignIn is Assign as a part of a realms.Cache.Change.
func (s *Service) AssignIn(ctx context.Context, tx *store.Tx, r *realms.Realm, client iam.ClientID, scope *realms.Scope,
	optional bool) error {
	if !optional && parameterized(scope) {
		return &InputError{Code: "invalid_request", Description: "Can't assign a Parameterized Scope to a Client as a Default Scope"}
	}
	_, err := tx.BindScope(ctx, r.ID, store.ScopeBinding{Client: client, Scope: scope.ID, Optional: optional})
	return err
}

func parameterized(s *realms.Scope) bool {
	return strings.EqualFold(s.Attrs["is.parameterized.scope"], "true")
}

// Unassign takes a scope from a client; one that it does not have is no error.
func (s *Service) Unassign(ctx context.Context, r *realms.Realm, client iam.ClientID, scope *realms.Scope) error {
	return s.cache.Change(ctx, r.ID, func(tx *store.Tx) error { return s.UnassignIn(ctx, tx, r, client, scope) })
}

// UnassignIn is Unassign as a part of a realms.Cache.Change.
func (s *Service) UnassignIn(ctx context.Context, tx *store.Tx, r *realms.Realm, client iam.ClientID, scope *realms.Scope) error {
	_, err := tx.UnbindScope(ctx, r.ID, client, scope.ID)
	return err
}
