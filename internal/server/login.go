package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"latchkey/internal/authn"
	"latchkey/internal/authn/actions"
	"latchkey/internal/authn/steps"
	"latchkey/internal/iam"
	"latchkey/internal/logout"
	"latchkey/internal/pages"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/roles"
	"latchkey/internal/sessions"
	"latchkey/internal/store"
	"latchkey/internal/users"
)

// A world is what flows and required actions see of the house.
type world struct {
	db       *store.DB
	realms   *realms.Cache
	users    *users.Service
	roles    *roles.Service
	sessions *sessions.Service
	ender    *logout.Ender
}

// errNoSender is the reference's complaint about a realm without a mail server.
// Keycloak: DefaultEmailSenderProvider.
var errNoSender = errors.New("Invalid sender address 'null'. If the address contains UTF-8 characters in the local part please ensure the SMTP server supports the SMTPUTF8 extension and enable 'Allow UTF-8' in the email realm configuration.") //nolint:staticcheck // the reference's words, which events show

// credentials lists a user's credentials by value.
func (w world) credentials(ctx context.Context, r *iam.Realm, u *iam.User) ([]iam.Credential, error) {
	list, err := w.users.Credentials(ctx, r, u.ID)
	out := make([]iam.Credential, len(list))
	for i, c := range list {
		out[i] = *c
	}
	return out, err
}

// kinds lists the kinds of a user's credentials, for the engine.
func (w world) kinds(ctx context.Context, r *authn.Run) (kinds []iam.CredentialKind, err error) {
	list, err := w.users.Credentials(ctx, r.Realm, r.User.ID)
	for _, c := range list {
		kinds = append(kinds, c.Kind)
	}
	return kinds, err
}

// profile begins a look at the user profile; u is nil for a registration.
func (w world) profile(ctx context.Context, r *iam.Realm, u *iam.User) (*realms.Realm, *users.View, error) {
	realm, err := w.realms.ByID(ctx, r.ID)
	if err != nil {
		return nil, nil, err
	}
	p, err := users.ProfileOf(realm)
	if err != nil {
		return nil, nil, err
	}
	if u == nil {
		return realm, p.In(users.Registration, nil), nil
	}
	return realm, p.In(users.UpdateProfile, u), nil
}

// attributes are what a form shows, with what was typed in place of what is stored.
func (w world) attributes(ctx context.Context, r *iam.Realm, u *iam.User, typed url.Values) ([]pages.Attribute, error) {
	_, v, err := w.profile(ctx, r, u)
	if err != nil {
		return nil, err
	}
	groups := map[string]*pages.Group{}
	for _, g := range v.Config.Groups {
		groups[g.Name] = &pages.Group{Name: g.Name, DisplayHeader: rep.Val(g.DisplayHeader), DisplayDescription: rep.Val(g.DisplayDescription)}
	}
	var out []pages.Attribute
	for _, a := range v.Attributes() {
		x := pages.Attribute{Name: a.Name, DisplayName: rep.Val(a.DisplayName), Required: a.Required, ReadOnly: a.ReadOnly, Multivalued: a.Multivalued,
			Values: a.Values, Default: rep.Val(a.DefaultValue), Annotations: plain(a.Annotations), Validators: validators(a.Validations), Group: groups[rep.Val(a.Group)]}
		if typed != nil && !a.ReadOnly {
			x.Values = typed[a.Name]
		}
		out = append(out, x)
	}
	place := func(a pages.Attribute) int { // those without a group come first
		if a.Group == nil {
			return -1
		}
		return slices.IndexFunc(v.Config.Groups, func(g rep.UPGroup) bool { return g.Name == a.Group.Name })
	}
	slices.SortStableFunc(out, func(x, y pages.Attribute) int { return cmp.Compare(place(x), place(y)) })
	return out, nil
}

// plain decodes JSON members; one that is broken is left out.
func plain(m map[string]jsontext.Value) map[string]any {
	out := make(map[string]any, len(m))
	for k, text := range m {
		var v any
		if json.Unmarshal(text, &v) == nil {
			out[k] = v
		}
	}
	return out
}

func validators(m map[string]map[string]jsontext.Value) map[string]map[string]any {
	out := make(map[string]map[string]any, len(m))
	for k, v := range m {
		out[k] = plain(v)
	}
	return out
}

// draft is what a form says about a profile: fields that belong to the form are left out.
func draft(typed url.Values) users.Draft {
	d := users.Draft{}
	for name, values := range typed {
		switch name {
		case "password", "password-confirm", "termsAccepted", "cancel-aia", "g-recaptcha-response":
			continue
		}
		d[name] = trimmed(values)
	}
	return d
}

func trimmed(values []string) []string {
	out := slices.Clone(values)
	for i := range out {
		out[i] = strings.TrimSpace(out[i])
	}
	return out
}

// stored is a user's profile as a draft, to see whether it would pass.
func stored(v *users.View) users.Draft {
	d := users.Draft{}
	for _, a := range v.Attributes() {
		d[a.Name] = a.Values
	}
	return d
}

func fieldErrors(errs iam.Errors) []authn.FieldError {
	var out []authn.FieldError
	for _, e := range errs {
		out = append(out, authn.FieldError{Field: e.Field, Key: e.Msg, Params: e.Params})
	}
	return out
}

// check says what is wrong with a profile; typed nil checks what is stored.
func (w world) check(ctx context.Context, r *iam.Realm, u *iam.User, typed url.Values) ([]authn.FieldError, error) {
	_, v, err := w.profile(ctx, r, u)
	if err != nil {
		return nil, err
	}
	if typed == nil {
		return fieldErrors(v.Check(stored(v))), nil
	}
	given := draft(typed)
	errs := v.Check(given)
	taken, err := w.users.CheckTaken(ctx, v, given)
	return fieldErrors(append(errs, taken...)), err
}

func (w world) updateProfile(ctx context.Context, r *iam.Realm, u *iam.User, typed url.Values) (*iam.User, []authn.FieldError, error) {
	realm, err := w.realms.ByID(ctx, r.ID)
	if err != nil {
		return nil, nil, err
	}
	after, err := w.users.UpdateProfile(ctx, realm, users.UpdateProfile, u.ID, draft(typed), false)
	var wrong iam.Errors
	if errors.As(err, &wrong) {
		return nil, fieldErrors(wrong), nil
	}
	return after, nil, err
}

func (w world) register(ctx context.Context, r *iam.Realm, typed url.Values) (*iam.User, error) {
	realm, err := w.realms.ByID(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	return w.users.Register(ctx, realm, draft(typed))
}

// checkNewPassword asks the policy about a registration's password.
func (w world) checkNewPassword(ctx context.Context, r *iam.Realm, typed url.Values, password string) (*authn.FieldError, error) {
	name := typed.Get("username")
	if r.Login.RegistrationEmailAsUsername {
		name = typed.Get("email")
	}
	err := w.users.CheckNewPassword(ctx, r, &iam.User{Username: name, Email: typed.Get("email")}, password)
	var refused *iam.Error
	if errors.As(err, &refused) {
		return &authn.FieldError{Field: "password", Key: refused.Msg, Params: refused.Params}, nil
	}
	return nil, err
}

// hasRole finds a role by "name" or "clientId.name" among a user's.
func (w world) hasRole(ctx context.Context, r *iam.Realm, u *iam.User, name string) (bool, error) {
	realm, err := w.realms.ByID(ctx, r.ID)
	if err != nil {
		return false, err
	}
	role := realm.RoleByName("", name)
	// A client_id may have dots in it, as may a role's name: every split counts.
	for i := 0; role == nil && i < len(name); i++ {
		if name[i] != '.' {
			continue
		}
		c, err := realm.ClientByName(ctx, name[:i])
		if err == nil {
			role = realm.RoleByName(c.ID, name[i+1:])
		}
	}
	if role == nil {
		return false, nil
	}
	s, err := w.roles.Of(ctx, realm, u.ID)
	if err != nil {
		return false, err
	}
	_, has := s.Roles[role.ID]
	return has, nil
}

// groupAttrs returns the values that a user's groups give an attribute.
func (w world) groupAttrs(ctx context.Context, r *iam.Realm, u *iam.User, name string) (values []string, err error) {
	realm, err := w.realms.ByID(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	s, err := w.roles.Of(ctx, realm, u.ID)
	if err != nil {
		return nil, err
	}
	for _, g := range s.Groups {
		for ; g != nil; g = g.Up {
			values = append(values, g.Attrs[name]...)
		}
	}
	return values, nil
}

func (w world) user(ctx context.Context, r *iam.Realm, id iam.UserID) (*iam.User, error) {
	u, err := w.users.Get(ctx, r, id)
	if errors.Is(err, users.ErrNotFound) {
		return nil, nil
	}
	return u, err
}

// logoutOthers ends a user's sessions but for the one that is logging in, and
// tells their clients. Keycloak: AuthenticatorUtil.logoutOtherSessions.
func (w world) logoutOthers(ctx context.Context, run *authn.Run) error {
	realm, err := w.realms.ByID(ctx, run.Realm.ID)
	if err != nil {
		return err
	}
	for _, offline := range []bool{false, true} {
		list, err := w.sessions.OfUser(ctx, realm, run.User.ID, offline)
		if err != nil {
			return err
		}
		for _, s := range list {
			if s.ID == run.Tab.Root && !offline {
				continue
			}
			if _, err := w.ender.Session(ctx, realm, run.Tab.Request.Issuer, s.ID, offline, iam.End{Reason: iam.CredentialsChanged, By: iam.ActorUser, Actor: run.User.ID, Client: run.Client.ID,
				Rule: "sign out from other devices"}); err != nil && !errors.Is(err, sessions.ErrGone) {
				return fmt.Errorf("log out the user's other sessions: %w", err)
			}
		}
	}
	return nil
}

// ownSessions lists the online sessions of who is logging in.
func (w world) ownSessions(ctx context.Context, r *iam.Realm, u *iam.User) ([]steps.OwnSession, error) {
	realm, err := w.realms.ByID(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	list, err := w.sessions.Overview(ctx, realm, u.ID, false)
	out := make([]steps.OwnSession, len(list))
	for i, s := range list {
		out[i] = steps.OwnSession{ID: s.ID, Used: s.LastAccess, Clients: s.Clients}
	}
	return out, err
}

// endOwn ends one of them, since there are too many.
func (w world) endOwn(ctx context.Context, run *authn.Run, id iam.SessionID, limit iam.Setting) error {
	realm, err := w.realms.ByID(ctx, run.Realm.ID)
	if err != nil {
		return err
	}
	_, err = w.ender.Session(ctx, realm, run.Tab.Request.Issuer, id, false, iam.End{Reason: iam.SessionLimit, By: iam.ActorServer, Client: run.Client.ID,
		Rule: limit.Name + ": " + limit.Value, Setting: limit})
	if errors.Is(err, sessions.ErrGone) {
		return nil
	}
	return err
}

func (w world) removeUser(ctx context.Context, r *iam.Realm, u *iam.User) error {
	realm, err := w.realms.ByID(ctx, r.ID)
	if err != nil {
		return err
	}
	return w.users.Delete(ctx, realm, u.ID, iam.End{By: iam.ActorUser, Actor: u.ID, Rule: "delete_account"})
}

func noSender(context.Context, *authn.Run) error { return errNoSender }

// steps is the world as the steps of flows see it.
func (w world) steps() steps.World {
	return steps.World{
		FindUser: w.users.Find,
		Guess:    w.users.Guess,
		Password: w.users.CheckPassword,
		OTP: func(ctx context.Context, r *iam.Realm, u *iam.User, g *iam.Guess, credential, code string) (bool, error) {
			return w.users.CheckOTP(ctx, r, u.ID, g, credential, code)
		},
		Credentials: w.credentials,
		Locked:      w.users.Locked,
		HasRole:     w.hasRole,
		GroupAttrs:  w.groupAttrs,
		HasProvider: func(ctx context.Context, r *iam.Realm, alias string) bool {
			realm, err := w.realms.ByID(ctx, r.ID)
			if err != nil {
				return true // not known: the step then fails instead of passing the provider by
			}
			idp := realm.IDP(alias)
			return idp != nil && idp.Enabled
		},
		Profile: func(ctx context.Context, r *iam.Realm, typed url.Values) ([]pages.Attribute, error) {
			return w.attributes(ctx, r, nil, typed)
		},
		CheckProfile: func(ctx context.Context, r *iam.Realm, typed url.Values) ([]authn.FieldError, error) {
			return w.check(ctx, r, nil, typed)
		},
		CheckNewPassword: w.checkNewPassword,
		Sessions:         w.ownSessions,
		EndSession:       w.endOwn,
		Register:         w.register,
		SetPassword:      w.users.SetPassword,
		SendReset:        noSender,
	}
}

// actions is the world as required actions see it.
func (w world) actions() actions.World {
	return actions.World{
		SetPassword:     w.users.SetPassword,
		PasswordExpired: w.users.PasswordExpired,
		Credentials:     w.credentials,
		AddOTP: func(ctx context.Context, r *iam.Realm, u *iam.User, secret, label, code string) (bool, error) {
			return w.users.AddOTP(ctx, r, u.ID, secret, label, code)
		},
		Profile:       w.attributes,
		CheckProfile:  w.check,
		UpdateProfile: w.updateProfile,
		SetAttr: func(ctx context.Context, r *iam.Realm, u *iam.User, name string, values ...string) error {
			_, err := w.users.SetAttr(ctx, r, u.ID, name, values...)
			return err
		},
		Done: func(ctx context.Context, r *iam.Realm, u *iam.User, alias string) error {
			_, err := w.users.Done(ctx, r, u.ID, alias)
			return err
		},
		LogoutOthers: w.logoutOthers,
		RemoveCredential: func(ctx context.Context, r *iam.Realm, u *iam.User, id string) error {
			return w.users.RemoveCredential(ctx, r, u.ID, id)
		},
		HasRole:          w.hasRole,
		RemoveUser:       w.removeUser,
		SendVerification: noSender,
	}
}
