package clients

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/sessions"
	"latchkey/internal/store"
	"latchkey/internal/tokens"
)

// A Service changes clients and client scopes. It is safe for concurrent use.
type Service struct {
	cache  *realms.Cache
	issuer *tokens.Issuer
	live   *sessions.Service
}

// New makes a Service; issuer signs the tokens that register clients. live ends
// the sessions of service accounts.
func New(cache *realms.Cache, issuer *tokens.Issuer, live *sessions.Service) *Service {
	return &Service{cache, issuer, live}
}

// An InputError refuses a representation in the words of Keycloak's
// ErrorResponseException: members error and error_description, status 400.
type InputError struct {
	Code, Description string
	About             string // the member at fault, "redirectUris", where that decides the code
}

func (e *InputError) Error() string { return e.Code + ": " + e.Description }

// maxID is how long the id of a new client may be, as in the reference's tables.
const maxID = 36

// ErrDuplicate is what Keycloak answers to a name that turns out to be taken
// only when it is stored: error "conflict" and this description, status 409.
var ErrDuplicate = errors.New("Duplicate resource error")

// The refusals of things that are not there, in Keycloak's words.
var (
	ErrNoClient = &iam.Error{Kind: iam.NotFound, Msg: "Could not find client"}
	ErrNoScope  = &iam.Error{Kind: iam.NotFound, Msg: "Could not find client scope"}
)

// The attributes of clients that the rules write themselves.
const (
	attrSecretTime       = "client.secret.creation.time"
	attrRealmClient      = "realm_client"
	attrLogoutURL        = "backchannel.logout.url"
	attrLogoutSession    = "backchannel.logout.session.required"
	attrLogoutOffline    = "backchannel.logout.revoke.offline.tokens"
	attrRotatedSecret    = "client.secret.rotated"
	attrRotatedTime      = "client.secret.rotated.creation.time"
	attrRotatedExpires   = "client.secret.rotated.expiration.time"
	serviceAccountScope  = "service_account"
	serviceAccountPrefix = "service-account-"
)

// Get returns a client by its database id, or ErrNoClient.
func Get(ctx context.Context, r *realms.Realm, id string) (*realms.Client, error) {
	c, err := r.Client(ctx, iam.ClientID(id))
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrNoClient
	}
	return c, err
}

// ByClientID returns a client by OAuth's client_id, nil when there is none.
func ByClientID(ctx context.Context, r *realms.Realm, clientID string) (*realms.Client, error) {
	c, err := r.ClientByName(ctx, clientID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return c, err
}

// View is a client as administrators see it. Keycloak: ModelToRepresentation.
func View(r *realms.Realm, c *realms.Client) *rep.Client {
	v := *c.Rep
	v.ID, v.ClientID = string(c.ID), c.ClientID
	if c.Access == iam.Public {
		v.Secret = nil
	}
	v.RegistrationAccessToken, v.AuthorizationSettings = nil, nil // the former is only the token's id
	if !rep.Val(v.AuthorizationServicesEnabled) {
		v.AuthorizationServicesEnabled = nil
	}
	if len(v.ProtocolMappers) == 0 {
		v.ProtocolMappers = nil
	}
	if len(v.RegisteredNodes) == 0 {
		v.RegisteredNodes = nil
	}
	v.DefaultClientScopes, v.OptionalClientScopes = scopeNames(r, c, c.DefaultScopes), scopeNames(r, c, c.OptionalScopes)
	return &v
}

// WithoutSecrets is a representation of a client for those who must not know its
// secrets. Keycloak: StripSecretsUtils.stripClient, and the keys besides.
func WithoutSecrets(v *rep.Client) *rep.Client {
	c := *v
	if c.Secret != nil {
		c.Secret = new(realms.Masked)
	}
	if c.RegistrationAccessToken != nil {
		c.RegistrationAccessToken = new(realms.Masked)
	}
	c.Attributes = maps.Clone(c.Attributes)
	for name := range c.Attributes {
		if strings.HasSuffix(name, ".private.key") || name == attrRotatedSecret {
			c.Attributes[name] = realms.Masked
		}
	}
	return &c
}

// Hidden is a client for those who must not know its secrets.
func Hidden(c *realms.Client) *realms.Client {
	h := *c
	h.Rep = WithoutSecrets(c.Rep)
	return &h
}

func scopeNames(r *realms.Realm, c *realms.Client, ids []iam.ScopeID) []string {
	names := make([]string, 0, len(ids))
	for _, s := range ScopesOf(r, c, ids) {
		names = append(names, s.Name)
	}
	return names
}

// ScopesOf resolves the client scopes assigned to a client, of which only those
// of its own protocol count. Keycloak: ClientAdapter.getClientScopes.
func ScopesOf(r *realms.Realm, c *realms.Client, ids []iam.ScopeID) []*realms.Scope {
	var list []*realms.Scope
	for _, id := range ids {
		if s := r.Scope(id); s != nil && s.Protocol == c.Protocol {
			list = append(list, s)
		}
	}
	return list
}

// Create makes a client of what is given, and its service account when it has
// one, and returns what it became. Keycloak: ClientManager.createClient.
func (s *Service) Create(ctx context.Context, r *realms.Realm, given *rep.Client) (*rep.Client, error) {
	own := *given
	own.RegistrationAccessToken = nil // Register's to give
	return s.create(ctx, r, &own, func(*store.Tx) error { return nil })
}

// create runs first in the same transaction, and makes no client when it fails.
func (s *Service) create(ctx context.Context, r *realms.Realm, given *rep.Client, first func(*store.Tx) error) (*rep.Client, error) {
	c, err := rep.Clone(given)
	if err != nil {
		return nil, err
	}
	taken := iam.Errorf(iam.Conflict, "Client %s already exists", given.ClientID)
	if c.ID == "" {
		c.ID = realms.NewID()
	}
	if len(c.ID) > maxID {
		return nil, &InputError{Code: "invalid_input", Description: "Client ID must not exceed " + strconv.Itoa(maxID) + " characters"}
	}
	if c.ClientID == "" {
		c.ClientID = c.ID
	}
	protocol := c.Protocol
	if c.FullScopeAllowed == nil {
		c.FullScopeAllowed = new(!rep.Val(c.ConsentRequired))
	}
	maps.DeleteFunc(c.Attributes, func(_, v string) bool { return v == "" })
	if err := checkFlows(r, c.AuthenticationFlowBindingOverrides); err != nil {
		return nil, err
	}
	maps.DeleteFunc(c.AuthenticationFlowBindingOverrides, func(_, v string) bool { return v == "" })
	c.ClientTemplate, c.UseTemplateConfig, c.UseTemplateScope, c.UseTemplateMappers = "", nil, nil, nil // of Keycloak 3
	realms.CompleteClient(c, s.cache.DB().Now())
	if protocol == string(iam.OIDC) {
		oidcDefaults(given, c)
	}
	c.RedirectURIs, c.WebOrigins = iam.Distinct(c.RedirectURIs), iam.Distinct(c.WebOrigins) // sets. Keycloak: ClientEntity
	if rep.Val(c.PublicClient) {
		c.Secret = nil
	}
	if _, ok := c.Attributes[attrRealmClient]; !ok {
		c.Attributes[attrRealmClient] = "false"
	}
	if !completeMappers(c.ProtocolMappers) {
		return nil, taken
	}
	if err := validate(r, c); err != nil {
		return nil, err
	}
	err = s.cache.Change(ctx, r.ID, func(tx *store.Tx) error {
		if err := first(tx); err != nil {
			return err
		}
		if err := insert(ctx, tx, r, c); err != nil {
			return err
		}
		if rep.Val(c.ServiceAccountsEnabled) {
			return enableServiceAccount(ctx, tx, r, c)
		}
		return nil
	})
	if exists, ok := store.Exists(err); ok {
		if given.ID != "" && !exists.On("clients", "client_id") {
			return nil, ErrDuplicate // the id is another client's
		}
		return nil, taken
	}
	return c, err
}

// oidcDefaults is what a new client gets that says it speaks OpenID Connect;
// one that says nothing speaks it, too, but does not get them.
// Keycloak: OIDCLoginProtocolFactory.setupClientDefaults.
func oidcDefaults(given, c *rep.Client) {
	if root := rep.Val(given.RootURL); root != "" && len(given.RedirectURIs) == 0 {
		c.RedirectURIs = []string{strings.TrimSuffix(root, "/") + "/*"}
		c.WebOrigins = []string{}
		if o := origin(root); o != "" {
			c.WebOrigins = []string{o}
		}
	}
	if given.PublicClient == nil { // also where it is bearer-only
		c.PublicClient = new(true)
	}
	if root := rep.Val(given.RootURL); given.AdminURL == nil && root != "" && root != "${authAdminUrl}" && root != "${authBaseUrl}" {
		c.AdminURL = new(root)
	}
	if given.DirectAccessGrantsEnabled == nil && given.DirectGrantsOnly == nil {
		c.DirectAccessGrantsEnabled = new(true)
	}
	if _, named := given.Attributes[attrLogoutURL]; !named { // an empty address counts
		c.Attributes[attrLogoutSession] = "true"
		c.Attributes[attrLogoutOffline] = "false"
	}
}

func checkFlows(r *realms.Realm, overrides map[string]string) error {
	for purpose, flow := range overrides {
		if flow != "" && r.FlowByID(iam.FlowID(flow)) == nil {
			return iam.Errorf(iam.Invalid, "Unable to resolve auth flow binding override for: %s", purpose)
		}
	}
	return nil
}

// document is a client as it is stored: without what has rows of its own.
func document(c *rep.Client) ([]byte, error) {
	doc := *c
	doc.DefaultClientScopes, doc.OptionalClientScopes, doc.DefaultRoles, doc.Access, doc.Origin = nil, nil, nil, nil, ""
	return rep.Marshal(&doc)
}

// rowOf is a client's row without its version.
func rowOf(c *rep.Client) (store.ClientRow, error) {
	compiled, err := c.IAM()
	if err != nil {
		return store.ClientRow{}, &InputError{Code: "invalid_input", Description: err.Error()}
	}
	doc, err := document(c)
	return store.ClientRow{ID: compiled.ID, ClientID: c.ClientID, Enabled: compiled.Enabled, NotBefore: compiled.NotBefore, Doc: doc}, err
}

func insert(ctx context.Context, tx *store.Tx, r *realms.Realm, c *rep.Client) error {
	row, err := rowOf(c)
	if err != nil {
		return err
	}
	if err := tx.InsertClient(ctx, r.ID, row); err != nil {
		return err
	}
	if c.DefaultClientScopes == nil && c.OptionalClientScopes == nil {
		return bindDefaults(ctx, tx, r, row.ID, iam.Protocol(c.Protocol))
	}
	for i, names := range [][]string{c.DefaultClientScopes, c.OptionalClientScopes} {
		for _, name := range iam.Distinct(names) {
			if scope := r.ScopeByName(name); scope != nil {
				if _, err := tx.BindScope(ctx, r.ID, store.ScopeBinding{Client: row.ID, Scope: scope.ID, Optional: i == 1}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// bindDefaults assigns the realm's default and optional scopes of a protocol.
func bindDefaults(ctx context.Context, tx *store.Tx, r *realms.Realm, client iam.ClientID, protocol iam.Protocol) error {
	for _, scope := range r.Scopes {
		if scope.Protocol != protocol || !scope.DefaultOfRealm && !scope.OptionalOfRealm {
			continue
		}
		if _, err := tx.BindScope(ctx, r.ID, store.ScopeBinding{Client: client, Scope: scope.ID, Optional: scope.OptionalOfRealm,
			Inherited: true}); err != nil {
			return err
		}
	}
	return nil
}

// change reads a client's document, lets f change it, and writes it back.
func (s *Service) change(ctx context.Context, r *realms.Realm, id iam.ClientID,
	f func(tx *store.Tx, c *rep.Client) error) (*rep.Client, error) {
	var c *rep.Client
	err := s.cache.Change(ctx, r.ID, func(tx *store.Tx) (err error) {
		c, err = changeIn(ctx, tx, r, id, f)
		return err
	})
	if _, ok := store.Exists(err); ok {
		return nil, ErrDuplicate
	}
	return c, err
}

func changeIn(ctx context.Context, tx *store.Tx, r *realms.Realm, id iam.ClientID,
	f func(tx *store.Tx, c *rep.Client) error) (*rep.Client, error) {
	old, err := tx.Client(ctx, r.ID, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrNoClient
	}
	if err != nil {
		return nil, err
	}
	c := new(rep.Client)
	if err := rep.Unmarshal(old.Doc, c); err != nil {
		return nil, err
	}
	c.ID, c.ClientID = string(old.ID), old.ClientID
	if c.Attributes == nil {
		c.Attributes = map[string]string{}
	}
	if err := f(tx, c); err != nil {
		return nil, err
	}
	row, err := rowOf(c)
	if err != nil {
		return nil, err
	}
	row.Version = old.Version
	return c, tx.UpdateClient(ctx, r.ID, row)
}

// Update changes of a client what the representation names; attributes are
// merged, and one that is null or empty is removed. Scopes are not changed.
// Keycloak: ClientResource.update, RepresentationToModel.updateClient.
func (s *Service) Update(ctx context.Context, r *realms.Realm, id iam.ClientID, given *rep.Client) (*rep.Client, error) {
	if err := checkFlows(r, given.AuthenticationFlowBindingOverrides); err != nil {
		return nil, err
	}
	return s.change(ctx, r, id, func(tx *store.Tx, c *rep.Client) error { return s.update(ctx, tx, r, c, given) })
}

// UpdateIn is Update as a part of a realms.Cache.Change.
func (s *Service) UpdateIn(ctx context.Context, tx *store.Tx, r *realms.Realm, id iam.ClientID, given *rep.Client) error {
	if err := checkFlows(r, given.AuthenticationFlowBindingOverrides); err != nil {
		return err
	}
	_, err := changeIn(ctx, tx, r, id, func(tx *store.Tx, c *rep.Client) error { return s.update(ctx, tx, r, c, given) })
	return err
}

func (s *Service) update(ctx context.Context, tx *store.Tx, r *realms.Realm, c, given *rep.Client) error {
	renamed := given.ClientID != "" && given.ClientID != c.ClientID
	protocol := c.Protocol
	merge(c, given)
	if rep.Val(c.PublicClient) {
		c.Secret = nil
	} else if c.Secret == nil {
		setSecret(c, realms.NewSecret(), tx.Now.Unix())
	}
	removeRotated(c)
	if !mergeMappers(c, given.ProtocolMappers) {
		return ErrDuplicate
	}
	if err := validate(r, c); err != nil {
		return err
	}
	if c.Protocol != protocol {
		if err := bindDefaults(ctx, tx, r, iam.ClientID(c.ID), iam.Protocol(c.Protocol)); err != nil {
			return err
		}
	}
	return s.updateServiceAccount(ctx, tx, r, c, given.ServiceAccountsEnabled, renamed)
}

func setSecret(c *rep.Client, secret string, now int64) {
	c.Secret = &secret
	c.Attributes[attrSecretTime] = strconv.FormatInt(now, 10)
}

func removeRotated(c *rep.Client) {
	for _, name := range []string{attrRotatedSecret, attrRotatedTime, attrRotatedExpires} {
		delete(c.Attributes, name)
	}
}

// put overwrites a value with one that is given.
func put[T any](to **T, given *T) {
	if given != nil {
		*to = given
	}
}

// merge takes over what is given. Keycloak: RepresentationToModel.updateClientProperties.
func merge(c, given *rep.Client) {
	for _, m := range []struct{ to, given **string }{
		{&c.Name, &given.Name}, {&c.Description, &given.Description}, {&c.Type, &given.Type}, {&c.RootURL, &given.RootURL},
		{&c.AdminURL, &given.AdminURL}, {&c.BaseURL, &given.BaseURL}, {&c.Secret, &given.Secret},
	} {
		put(m.to, *m.given)
	}
	for _, m := range []struct{ to, given **bool }{
		{&c.SurrogateAuthRequired, &given.SurrogateAuthRequired}, {&c.Enabled, &given.Enabled},
		{&c.AlwaysDisplayInConsole, &given.AlwaysDisplayInConsole}, {&c.BearerOnly, &given.BearerOnly},
		{&c.ConsentRequired, &given.ConsentRequired}, {&c.StandardFlowEnabled, &given.StandardFlowEnabled},
		{&c.ImplicitFlowEnabled, &given.ImplicitFlowEnabled}, {&c.DirectAccessGrantsEnabled, &given.DirectAccessGrantsEnabled},
		{&c.ServiceAccountsEnabled, &given.ServiceAccountsEnabled}, {&c.PublicClient, &given.PublicClient},
		{&c.FrontchannelLogout, &given.FrontchannelLogout}, {&c.FullScopeAllowed, &given.FullScopeAllowed},
		{&c.AuthorizationServicesEnabled, &given.AuthorizationServicesEnabled},
	} {
		put(m.to, *m.given)
	}
	put(&c.NotBefore, given.NotBefore)
	put(&c.NodeReRegistrationTimeout, given.NodeReRegistrationTimeout)
	for _, m := range []struct{ to, given *string }{
		{&c.ClientID, &given.ClientID}, {&c.Protocol, &given.Protocol}, {&c.ClientAuthenticatorType, &given.ClientAuthenticatorType},
	} {
		if *m.given != "" {
			*m.to = *m.given
		}
	}
	if given.RedirectURIs != nil {
		c.RedirectURIs = iam.Distinct(given.RedirectURIs)
	}
	if given.WebOrigins != nil {
		c.WebOrigins = iam.Distinct(given.WebOrigins)
	} else if len(c.WebOrigins) == 0 {
		c.WebOrigins = originsOf(c.RedirectURIs)
	}
	mergeMap(&c.Attributes, given.Attributes)
	mergeMap(&c.AuthenticationFlowBindingOverrides, given.AuthenticationFlowBindingOverrides)
	if len(given.RegisteredNodes) > 0 {
		if c.RegisteredNodes == nil {
			c.RegisteredNodes = map[string]int{}
		}
		maps.Copy(c.RegisteredNodes, given.RegisteredNodes)
	}
}

// mergeMap copies entries over; empty ones take away.
func mergeMap(to *map[string]string, given map[string]string) {
	for k, v := range given {
		if v == "" {
			delete(*to, k)
			continue
		}
		if *to == nil {
			*to = map[string]string{}
		}
		(*to)[k] = v
	}
}

func originsOf(uris []string) []string {
	list := []string{}
	for _, uri := range uris {
		if o := origin(uri); o != "" && !slices.Contains(list, o) {
			list = append(list, o)
		}
	}
	return list
}

// origin cuts the origin from an http(s) URL, "" for anything else.
// Keycloak: UriUtils.getOrigin.
func origin(uri string) string {
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok || scheme != "http" && scheme != "https" {
		return ""
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	return scheme + "://" + rest
}

// Delete removes a client with its service account.
// Keycloak: ClientManager.removeClient.
func (s *Service) Delete(ctx context.Context, r *realms.Realm, c *realms.Client) error {
	return s.cache.Change(ctx, r.ID, func(tx *store.Tx) error { return s.remove(ctx, tx, r, c.ID) })
}

func (s *Service) remove(ctx context.Context, tx *store.Tx, r *realms.Realm, id iam.ClientID) error {
	err := tx.DeleteClient(ctx, r.ID, id)
	if errors.Is(err, store.ErrNotFound) {
		return ErrNoClient
	}
	if err != nil {
		return err
	}
	return s.removeServiceAccount(ctx, tx, r, id)
}

// RegenerateSecret gives a client a new secret and returns it.
func (s *Service) RegenerateSecret(ctx context.Context, r *realms.Realm, id iam.ClientID) (string, error) {
	c, err := s.change(ctx, r, id, func(tx *store.Tx, c *rep.Client) error {
		setSecret(c, realms.NewSecret(), tx.Now.Unix())
		removeRotated(c)
		return nil
	})
	if err != nil {
		return "", err
	}
	return *c.Secret, nil
}

// RotatedSecret returns the secret that was valid before and still is, "" when
// there is none.
func RotatedSecret(c *realms.Client) string { return c.Attr(attrRotatedSecret) }

// ForgetRotatedSecret ends the validity of the secret before the current one.
func (s *Service) ForgetRotatedSecret(ctx context.Context, r *realms.Realm, id iam.ClientID) error {
	_, err := s.change(ctx, r, id, func(_ *store.Tx, c *rep.Client) error { removeRotated(c); return nil })
	return err
}

// SetAttributes writes attributes of a client; "" removes.
func (s *Service) SetAttributes(ctx context.Context, r *realms.Realm, id iam.ClientID, attrs map[string]string) (*rep.Client, error) {
	return s.change(ctx, r, id, func(_ *store.Tx, c *rep.Client) error { mergeMap(&c.Attributes, attrs); return nil })
}

// AddNode notes a cluster node of a client's application.
func (s *Service) AddNode(ctx context.Context, r *realms.Realm, id iam.ClientID, node string) error {
	if err := realms.CheckReserved(node); err != nil {
		return err
	}
	_, err := s.change(ctx, r, id, func(tx *store.Tx, c *rep.Client) error {
		if c.RegisteredNodes == nil {
			c.RegisteredNodes = map[string]int{}
		}
		c.RegisteredNodes[node] = int(tx.Now.Unix())
		return nil
	})
	return err
}

// RemoveNode forgets a cluster node.
func (s *Service) RemoveNode(ctx context.Context, r *realms.Realm, id iam.ClientID, node string) error {
	_, err := s.change(ctx, r, id, func(_ *store.Tx, c *rep.Client) error {
		if _, ok := c.RegisteredNodes[node]; !ok {
			return &iam.Error{Kind: iam.NotFound, Msg: "Client does not have node "}
		}
		delete(c.RegisteredNodes, node)
		return nil
	})
	return err
}
