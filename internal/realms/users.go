package realms

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// A preparedUser is a user of a realm file, compiled.
type preparedUser struct {
	user        *iam.User
	credentials []*iam.Credential
	rep         *rep.User
	extra       []byte // see extraOf; nil when there is nothing
}

// prepareUsers compiles the users of a realm, hashes passwords in clear, and
// adds the service accounts that are missing. Keycloak:
// DefaultExportImportManager.createUser, ClientManager.enableServiceAccount.
func (m *Manager) prepareUsers(ctx context.Context, r *rep.Realm, now time.Time) ([]preparedUser, error) {
	realm, err := r.IAM()
	if err != nil {
		return nil, iam.Errorf(iam.Invalid, "%v", err)
	}
	clients, servers := map[string]iam.ClientID{}, map[string]bool{}
	for i := range r.Clients {
		clients[r.Clients[i].ClientID] = iam.ClientID(r.Clients[i].ID)
		servers[r.Clients[i].ClientID] = rep.Val(r.Clients[i].AuthorizationServicesEnabled)
	}
	defaults, err := defaultsOfFile(r)
	if err != nil {
		return nil, iam.Errorf(iam.Invalid, "%v", err)
	}
	have := map[string]bool{}
	users := make([]preparedUser, 0, len(r.Users))
	for i := range r.Users {
		ur := &r.Users[i]
		u := ur.IAM()
		u.Realm = realm.ID
		if u.ID == "" {
			u.ID = iam.UserID(NewID())
		}
		if ur.CreatedTimestamp == nil {
			u.CreatedAt = now
		}
		if ur.ServiceAccountClientID != "" {
			u.ServiceAccount = clients[ur.ServiceAccountClientID]
			have[ur.ServiceAccountClientID] = true
			if servers[ur.ServiceAccountClientID] {
				addClientRole(ur, ur.ServiceAccountClientID, roleProtection)
			}
		}
		defaults.fill(u)
		p := preparedUser{user: u, rep: ur}
		for j := range ur.Credentials {
			c, err := m.credential(ctx, realm, u, &ur.Credentials[j], now, fmt.Sprintf("/users/%d/credentials/%d", i, j))
			if err != nil {
				return nil, err
			}
			c.User = u.ID
			if c.ID == "" {
				c.ID = NewID()
			}
			if ur.Credentials[j].Priority == nil { // the list's order is the user's preference; Keycloak: JpaUserCredentialStore
				c.Priority = 10 * (j + 1)
			}
			p.credentials = append(p.credentials, c)
		}
		if p.extra, err = extraOf(&p, clients); err != nil {
			return nil, err
		}
		users = append(users, p)
	}
	for i := range r.Clients {
		c := &r.Clients[i]
		if !rep.Val(c.ServiceAccountsEnabled) || have[c.ClientID] {
			continue
		}
		u := &iam.User{
			ID: iam.UserID(NewID()), Realm: realm.ID, Enabled: true, CreatedAt: now,
			Username: "service-account-" + strings.ToLower(c.ClientID), ServiceAccount: iam.ClientID(c.ID),
		}
		for _, a := range r.RequiredActions {
			if a.Enabled && a.DefaultAction {
				u.Required = append(u.Required, a.Alias)
			}
		}
		defaults.fill(u)
		made := &rep.User{RealmRoles: []string{r.DefaultRole.Name}, Groups: r.DefaultGroups}
		if servers[c.ClientID] {
			addClientRole(made, c.ClientID, roleProtection)
		}
		users = append(users, preparedUser{user: u, rep: made})
	}
	return users, nil
}

func addClientRole(u *rep.User, client, name string) {
	if u.ClientRoles == nil {
		u.ClientRoles = map[string][]string{}
	}
	list := u.ClientRoles[client]
	addName(&list, name)
	u.ClientRoles[client] = list
}

// credential compiles the credential at a place in a realm's representation. A
// password in clear has to please the realm's own policy, as in Keycloak:
// RepresentationToModel.createCredentials, PasswordCredentialProvider.
func (m *Manager) credential(ctx context.Context, realm *iam.Realm, u *iam.User, c *rep.Credential, now time.Time,
	place string) (*iam.Credential, error) {
	out, err := c.IAM()
	if err == nil {
		return out, nil
	}
	if !errors.Is(err, rep.ErrPlainPassword) {
		return nil, &Problem{Path: place, Msg: err.Error()}
	}
	out, err = m.Hash(ctx, realm, u, *c.Value)
	if refused, ok := errors.AsType[*iam.Error](err); ok {
		why := refused.Msg
		for _, p := range refused.Params {
			why += fmt.Sprintf(" %v", p)
		}
		return nil, &Problem{Path: place, Msg: "Password policy not met: " + why}
	}
	if err != nil {
		return nil, err
	}
	out.ID, out.Kind, out.Label, out.Priority, out.Created = c.ID, iam.Password, rep.Val(c.UserLabel), rep.Val(c.Priority), now
	return out, nil
}

// extraOf is what a user's representation has beyond iam.User and the tables
// beside it: a representation that has nothing but that, with the unknown members
// of what belongs to the user under its id, provider, or client's id. Any of
// them may be a secret: it is stored sealed, beside the user's own document.
func extraOf(p *preparedUser, clients map[string]iam.ClientID) ([]byte, error) {
	u := p.rep
	x := rep.User{
		VerifiableCredentials: u.VerifiableCredentials, IssuedVerifiableCredentials: u.IssuedVerifiableCredentials, Unknown: u.Unknown,
	}
	for i, c := range p.credentials {
		if unknown := u.Credentials[i].Unknown; len(unknown) > 0 {
			x.Credentials = append(x.Credentials, rep.Credential{ID: c.ID, Unknown: unknown})
		}
	}
	for _, l := range u.FederatedIdentities {
		if len(l.Unknown) > 0 {
			x.FederatedIdentities = append(x.FederatedIdentities, rep.FederatedIdentity{IdentityProvider: l.IdentityProvider, Unknown: l.Unknown})
		}
	}
	for _, c := range u.ClientConsents {
		if len(c.Unknown) > 0 {
			x.ClientConsents = append(x.ClientConsents, rep.UserConsent{ClientID: string(clients[c.ClientID]), Unknown: c.Unknown})
		}
	}
	text, err := rep.Marshal(&x)
	if err != nil || string(text) == "{}" {
		return nil, err
	}
	return text, nil
}

func (w *writer) writeUser(ctx context.Context, p *preparedUser) error {
	u, r := p.user, p.rep
	if err := w.tx.InsertUser(ctx, u, rep.Val(w.r.DuplicateEmailsAllowed)); err != nil {
		return fmt.Errorf("user %s: %w", u.Username, err)
	}
	if p.extra != nil {
		if err := w.tx.InsertObject(ctx, w.id, store.Object{Kind: store.KindUserExtra, ID: string(u.ID), Doc: p.extra}); err != nil {
			return fmt.Errorf("user %s: %w", u.Username, err)
		}
	}
	for _, c := range p.credentials {
		if err := w.tx.InsertCredential(ctx, w.id, c); err != nil {
			return fmt.Errorf("credential of user %s: %w", u.Username, err)
		}
	}
	for _, role := range iam.Distinct(w.roleIDs(r.RealmRoles, r.ClientRoles)) {
		if _, err := w.tx.AddUserRole(ctx, w.id, u.ID, role); err != nil {
			return err
		}
	}
	for _, path := range iam.Distinct(r.Groups) {
		if _, err := w.tx.JoinGroup(ctx, w.id, u.ID, w.groups[groupPath(path)]); err != nil {
			return err
		}
	}
	for i := range r.FederatedIdentities {
		link := r.FederatedIdentities[i].IAM()
		link.User = u.ID
		if err := w.tx.InsertLink(ctx, w.id, link); err != nil {
			return fmt.Errorf("federated identity of user %s: %w", u.Username, err)
		}
	}
	for i := range r.ClientConsents {
		if err := w.writeConsent(ctx, u.ID, &r.ClientConsents[i]); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) writeConsent(ctx context.Context, user iam.UserID, c *rep.UserConsent) error {
	consent := &iam.Consent{User: user, Client: w.clients[c.ClientID], Created: w.tx.Now, Scopes: []iam.ScopeID{}}
	if c.CreatedDate != nil {
		consent.Created = time.UnixMilli(*c.CreatedDate)
	}
	consent.Updated = consent.Created
	if c.LastUpdatedDate != nil {
		consent.Updated = time.UnixMilli(*c.LastUpdatedDate)
	}
	for _, name := range c.GrantedClientScopes {
		// A client that acts as a scope of its own is granted by its id.
		if id, ok := w.scopes[name]; ok {
			consent.Scopes = append(consent.Scopes, id)
		} else {
			consent.Scopes = append(consent.Scopes, iam.ScopeID(w.clients[name]))
		}
	}
	return w.tx.PutConsent(ctx, w.id, consent)
}

// groupPath is a path as groups are found by it, with its leading slash.
func groupPath(path string) string {
	if strings.HasPrefix(path, "/") {
		return path
	}
	return "/" + path
}
