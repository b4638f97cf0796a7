package watch

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"latchkey/internal/doctor/remote"
	"latchkey/internal/events"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/records"
	"latchkey/internal/rep"
	"latchkey/internal/sessions"
	"latchkey/internal/store"
	"latchkey/internal/tokens"
)

// A Clock is the time of a database into which what happened before is written:
// records tell the time at which something was, not the one at which it was heard of.
type Clock struct {
	now  func() time.Time
	then atomic.Int64 // milliseconds since 1970; 0 for now
}

// NewClock makes a Clock that tells the time.
func NewClock(now func() time.Time) *Clock { return &Clock{now: now} }

// Now is the time, or the one that is written about.
func (c *Clock) Now() time.Time {
	if at := c.then.Load(); at != 0 {
		return time.UnixMilli(at)
	}
	return c.now()
}

// at has f write about another time.
func (c *Clock) at(when time.Time, f func() error) error {
	c.then.Store(when.UnixMilli())
	defer c.then.Store(0)
	return f()
}

// A Watch is a database about realms of one other server. Its fields are set
// once. It serves one caller at a time.
type Watch struct {
	DB        *store.DB
	Clock     *Clock // the database's
	Realms    *realms.Cache
	Manager   *realms.Manager
	Sessions  *sessions.Service
	Events    *events.Writer
	Explorer  *records.Explorer
	Explainer *records.Explainer
}

// A Subject is a realm of another server, as it was read last.
type Subject struct {
	*realms.Realm
	server *remote.Server
	rep    *rep.Realm // as the server has it
	gaps   []string   // what of the evidence is missing beside events, in words
	rights string     // why events could not be read at all, "" when they could
	oldest time.Time  // of the events that were read; zero when all there are were
}

// Read reads what a realm is made of.
func (w *Watch) Read(ctx context.Context, s *remote.Server, realm string) (*Subject, error) {
	have, err := s.Configuration(ctx, realm)
	if err != nil {
		return nil, err
	}
	bare, err := rep.Clone(have)
	if err != nil {
		return nil, err
	}
	strip(bare)
	if err := w.Manager.Mirror(ctx, bare); err != nil {
		return nil, err
	}
	r, err := w.Realms.ByID(ctx, iam.RealmID(bare.ID))
	if err != nil {
		return nil, err
	}
	return &Subject{Realm: r, server: s, rep: have}, nil
}

// strip takes away what does not decide about sessions that began, secrets before
// all: what is kept of another server is what is needed.
func strip(r *rep.Realm) {
	r.BrowserFlow, r.RegistrationFlow, r.DirectGrantFlow, r.ResetCredentialsFlow, r.ClientAuthenticationFlow,
		r.DockerAuthenticationFlow = "", "", "", "", "", ""
	r.FirstBrokerLoginFlow, r.SMTPServer, r.PasswordPolicy, r.LocalizationTexts, r.BrowserSecurityHeaders = nil, nil, nil, nil, nil
	r.ClientProfiles, r.ClientPolicies, r.OrganizationsEnabled, r.Organizations = nil, nil, nil, nil
	r.Components, r.IdentityProviders, r.IdentityProviderMappers = nil, nil, nil
	r.AuthenticationFlows, r.AuthenticatorConfig, r.RequiredActions = nil, nil, nil
	r.Roles, r.DefaultRole, r.DefaultRoles, r.Groups, r.DefaultGroups, r.Users, r.FederatedUsers = nil, nil, nil, nil, nil, nil, nil
	r.ClientScopeMappings, r.ApplicationScopeMappings = nil, nil
	r.ScopeMappings = []rep.ScopeMapping{{ClientScope: tokens.ScopeOffline, Roles: []string{tokens.ScopeOffline}}}
	r.KeycloakVersion, r.Unknown = "", nil
	for i := range r.Clients {
		c := &r.Clients[i]
		c.Secret, c.RegistrationAccessToken, c.ProtocolMappers, c.AuthenticationFlowBindingOverrides = nil, nil, nil, nil
		c.AuthorizationSettings, c.AuthorizationServicesEnabled, c.Unknown = nil, nil, nil
		for name := range c.Attributes {
			if strings.Contains(name, "secret") || strings.Contains(name, "private") {
				delete(c.Attributes, name)
			}
		}
	}
	for i := range r.ClientScopes {
		r.ClientScopes[i].ProtocolMappers = nil
	}
}

// putUser writes a user and how the user stands.
func (w *Watch) putUser(ctx context.Context, x *Subject, u *rep.User, s *remote.Standing) error {
	user := u.IAM()
	user.Realm, user.Federation = x.ID, ""
	for name := range user.Attrs {
		if name != "disabledReason" { // why brute force protection disabled the user: all that is looked at
			delete(user.Attrs, name)
		}
	}
	return w.DB.Tx(ctx, func(tx *store.Tx) error {
		if err := w.makeRoom(ctx, tx, x, user); err != nil {
			return err
		}
		have, err := tx.User(ctx, x.ID, user.ID)
		switch {
		case errors.Is(err, store.ErrNotFound):
			err = tx.InsertUser(ctx, user, true)
		case err == nil:
			user.Version = have.Version
			err = tx.UpdateUser(ctx, user, true)
		}
		if err != nil || s == nil {
			return err
		}
		if role := x.RoleByName("", tokens.ScopeOffline); role != nil {
			set := tx.AddUserRole
			if !s.OfflineRole {
				set = tx.RemoveUserRole
			}
			if _, err := set(ctx, x.ID, user.ID, role.ID); err != nil {
				return err
			}
		}
		return w.putConsents(ctx, tx, x, user.ID, s.Consents)
	})
}

// makeRoom removes who had a user's name before: that user was removed, and the name given anew.
func (w *Watch) makeRoom(ctx context.Context, tx *store.Tx, x *Subject, u *iam.User) error {
	was, err := tx.UserByName(ctx, x.ID, u.Username)
	if errors.Is(err, store.ErrNotFound) || err == nil && was.ID == u.ID {
		return nil
	}
	if err != nil {
		return err
	}
	return w.Sessions.DeleteUser(ctx, tx, x.Realm, was.ID, iam.End{By: iam.ActorServer})
}

func (w *Watch) putConsents(ctx context.Context, tx *store.Tx, x *Subject, user iam.UserID, list []rep.UserConsent) error {
	have, err := tx.Consents(ctx, x.ID, user)
	if err != nil {
		return err
	}
	given := map[iam.ClientID]bool{}
	for _, c := range list {
		client, err := x.ClientByName(ctx, c.ClientID)
		if realms.Missing(err) || err == nil && !client.ConsentRequired {
			continue
		}
		if err != nil {
			return err
		}
		given[client.ID] = true
		v := &iam.Consent{User: user, Client: client.ID, Created: millis(c.CreatedDate), Updated: millis(c.LastUpdatedDate)}
		for _, name := range c.GrantedClientScopes {
			if s := x.ScopeByName(name); s != nil {
				v.Scopes = append(v.Scopes, s.ID)
			}
		}
		if err := tx.PutConsent(ctx, x.ID, v); err != nil {
			return err
		}
	}
	for _, c := range have {
		if !given[c.Client] {
			if _, err := tx.DeleteConsent(ctx, x.ID, user, c.Client); err != nil {
				return err
			}
		}
	}
	return nil
}

func millis(at *int64) time.Time {
	if at == nil {
		return time.Time{}
	}
	return time.UnixMilli(*at)
}

// mostFailures bounds what is counted of failed logins.
const mostFailures = 50

// putFailures writes a user's failed logins, as the other server counts them.
func (w *Watch) putFailures(ctx context.Context, x *Subject, user iam.UserID, f remote.Failures) error {
	if err := w.DB.Tx(ctx, func(tx *store.Tx) error { return tx.ClearFailures(ctx, x.ID, user) }); err != nil || f.Number == 0 &&
		!f.Disabled {
		return err
	}
	last := time.UnixMilli(f.Last)
	until := time.Unix(f.NotBefore, 0)
	if f.NotBefore == 0 && f.Disabled { // it is too old to say until when
		until = last.Add(x.Brute.WaitIncrement)
	}
	return w.Clock.at(last, func() error {
		return w.DB.Tx(ctx, func(tx *store.Tx) error {
			for range min(max(f.Number, 1), mostFailures) {
				if _, err := tx.CountFailure(ctx, x.ID, user, f.IP, 0, 0, nil); err != nil {
					return err
				}
			}
			if !f.Disabled {
				return nil
			}
			_, err := tx.LockOut(ctx, x.ID, user, until, 0)
			return err
		})
	})
}

// removed writes that a user is gone, with what events tell of their sessions.
func (w *Watch) removed(ctx context.Context, x *Subject, user iam.UserID) error {
	_, err := w.DB.User(ctx, x.ID, user)
	if errors.Is(err, store.ErrNotFound) {
		list, err := w.DB.Events(ctx, x.ID, store.EventFilter{User: user, Kinds: []string{"LOGIN"}, Max: 1})
		if err != nil || len(list) == 0 {
			return err
		}
		if ended, err := w.DB.RecordsOfSession(ctx, x.ID, list[0].Session); err != nil || len(ended) > 0 {
			return err
		}
		u := &rep.User{ID: string(user), Username: list[0].Details["username"]}
		if err := w.putUser(ctx, x, u, nil); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	if err := w.putSessions(ctx, x, user, nil, &remote.Standing{}); err != nil {
		return err
	}
	end, at := iam.End{By: iam.ActorServer}, w.DB.Now()
	admin, err := w.adminEvent(ctx, x, time.Time{}, "users/"+string(user))
	if err != nil {
		return err
	}
	if admin != nil {
		end, at = *byAdmin(x, iam.UserRemoved, admin), admin.Time
	}
	return w.Clock.at(at, func() error {
		return w.DB.Tx(ctx, func(tx *store.Tx) error { return w.Sessions.DeleteUser(ctx, tx, x.Realm, user, end) })
	})
}

// clientNamed is the id of a client, "" when there is none.
func (w *Watch) clientNamed(ctx context.Context, x *Subject, name string) (iam.ClientID, error) {
	if name == "" {
		return "", nil
	}
	c, err := x.ClientByName(ctx, name)
	if realms.Missing(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return c.ID, nil
}

// granted says why each scope of a list was granted, as far as the client's default scopes tell.
func (w *Watch) granted(ctx context.Context, x *Subject, client iam.ClientID, scope string) (iam.Scopes, error) {
	c, err := x.Client(ctx, client)
	if realms.Missing(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var list []string
	for name := range strings.FieldsSeq(scope) {
		why := iam.ScopeRequested
		if s := x.ScopeByName(name); s != nil && slices.Contains(c.DefaultScopes, s.ID) {
			why = iam.ScopeDefault
		}
		list = append(list, name+":"+string(rune(why)))
	}
	return iam.Scopes(strings.Join(list, " ")), nil
}
