package admin

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"latchkey/internal/events"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/users"
)

const (
	usersPath = "/admin/realms/{realm}/users"
	userPath  = usersPath + "/{user}"
)

// userRoutes: Keycloak's UsersResource and UserResource.
func (h *Handler) userRoutes() []Route {
	return []Route{
		{"GET " + usersPath, QueryUsers, None, "", h.listUsers, ByMethod},
		{"GET " + usersPath + "/count", QueryUsers, None, "", h.countUsers, ByMethod},
		{"POST " + usersPath, ManageUsers, Create, "USER", h.createUser, ByMethod},
		{"GET " + userPath, ViewUsers, None, "", h.getUser, ByMethod},
		{"PUT " + userPath, ManageUser, Update, "USER", h.updateUser, ByMethod},
		{"DELETE " + userPath, ManageUser, Delete, "USER", h.deleteUser, NoCache},
		{"GET " + userPath + "/unmanagedAttributes", ViewUsers, None, "", h.unmanagedAttributes, ByMethod},
	}
}

// user is the user that the path names.
func (h *Handler) user(c *Call) (*iam.User, error) {
	return h.Users.Get(c, c.Realm, iam.UserID(c.Path("user")))
}

// withUser makes a handler of one that needs the user of the path.
func (h *Handler) withUser(f func(c *Call, u *iam.User) (any, error)) func(*Call) (any, error) {
	return func(c *Call) (any, error) {
		u, err := h.user(c)
		if err != nil {
			return nil, err
		}
		return f(c, u)
	}
}

// namedUsers finds the users whom a search names one by one: "id:" and their ids,
// "username:" and their names, "email:" and their addresses, with spaces between.
// Nothing else in the query counts then. Keycloak: UsersResource.getUsers.
func (h *Handler) namedUsers(c *Call) (list []*iam.User, named bool, err error) {
	by, rest, _ := strings.Cut(strings.TrimSpace(c.Query("search")), ":")
	var find func(string) (*iam.User, error)
	switch by {
	case "id":
		find = func(id string) (*iam.User, error) { return h.Users.ByID(c, c.Realm, iam.UserID(id)) }
	case "username":
		find = func(name string) (*iam.User, error) { return h.Users.ByName(c, c.Realm, name) }
	case "email":
		find = func(email string) (*iam.User, error) { return h.Users.ByEmail(c, c.Realm, email) }
	default:
		return nil, false, nil
	}
	names := strings.Fields(rest)
	if len(names) > iam.MaxNamed {
		return nil, true, Plain(http.StatusBadRequest, "Too many users are named")
	}
	for _, one := range names {
		u, err := find(one)
		if err != nil {
			return nil, true, err
		}
		if u != nil {
			list = append(list, u)
		}
	}
	return list, true, nil
}

// userFilter reads the query of a search for users.
func userFilter(c *Call) (f *users.Filter, err error) {
	f = &users.Filter{Enabled: c.BoolPtr("enabled"), EmailVerified: c.BoolPtr("emailVerified")}
	for name, to := range map[string]*time.Time{"createdAfter": &f.From, "createdBefore": &f.To} {
		if c.Has(name) {
			at, ok := events.ParseTime(c.Query(name), name == "createdBefore")
			if !ok {
				return nil, Plain(http.StatusBadRequest, "Invalid value for '"+name+"', expected format is yyyy-MM-dd or an Epoch timestamp")
			}
			*to = at
		}
	}
	if f.Terms = strings.Fields(c.Query("search")); len(f.Terms) > 0 {
		return f, nil
	}
	// A search by any member finds service accounts, too; a plain list does not.
	for _, name := range []string{"username", "email", "firstName", "lastName", "enabled", "emailVerified", "exact", "idpAlias", "idpUserId",
		"createdAfter", "createdBefore"} {
		f.ServiceAccounts = f.ServiceAccounts || c.Query(name) != ""
	}
	f.Username, f.Email, f.FirstName, f.LastName = c.Query("username"), c.Query("email"), c.Query("firstName"), c.Query("lastName")
	f.Exact = c.Bool("exact", false)
	f.Provider, f.ExternalID = c.Query("idpAlias"), c.Query("idpUserId")
	exact := c.BoolPtr("exact")
	f.AttrsPart = exact != nil && !*exact // they are compared whole unless told otherwise
	for _, a := range attributeQuery(c.Query("q")) {
		f.ServiceAccounts = true
		switch name, value := a[0], a[1]; name { // as if they were parameters
		case "username":
			f.Username = value
		case "email":
			f.Email = value
		case "firstName":
			f.FirstName = value
		case "lastName":
			f.LastName = value
		case "enabled":
			f.Enabled = new(strings.EqualFold(value, "true"))
		case "emailVerified":
			f.EmailVerified = new(strings.EqualFold(value, "true"))
		default:
			f.Attrs = append(f.Attrs, a)
		}
	}
	return f, nil
}

// attributeQuery reads `name:value other:"some text"` of the parameter q; of two
// values of a name the last counts. Keycloak: SearchQueryUtils.getFields.
func attributeQuery(q string) [][2]string {
	var list [][2]string
	for q = strings.TrimSpace(q); q != ""; q = strings.TrimSpace(q) {
		var name, value string
		if name, q = word(q, ':'); !strings.HasPrefix(q, ":") {
			continue
		}
		value, q = word(q[1:], ' ')
		list = slices.DeleteFunc(list, func(a [2]string) bool { return a[0] == name })
		list = append(list, [2]string{name, value})
	}
	return list
}

// word cuts a word off the front of a text. It ends at end, even within quotes,
// or at a space outside of them. Quotes that begin a word are dropped with those
// that close it, and a backslash keeps one.
func word(s string, end byte) (w, rest string) {
	var b strings.Builder
	quoted, inside := false, false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == end && end != ' ', s[i] == ' ' && !quoted:
			return b.String(), s[i:]
		case strings.HasPrefix(s[i:], `\"`):
			i++
		case s[i] == '"' && !quoted && b.Len() > 0:
			inside = true
		case s[i] == '"' && inside:
			inside = false
		case s[i] == '"':
			quoted = !quoted
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String(), ""
}

func (h *Handler) listUsers(c *Call) (any, error) {
	f, err := userFilter(c)
	if err != nil {
		return nil, err
	}
	if f.First, f.Max, err = c.Page(defaultPage); err != nil {
		return nil, err
	}
	if !c.Can(ViewUsers, onAll) {
		return []any{}, nil
	}
	list, named, err := h.namedUsers(c)
	if err == nil && !named {
		list, err = h.Users.Search(c, c.Realm, f)
	}
	if err != nil {
		return nil, err
	}
	return h.viewUsers(c, list, c.Bool("briefRepresentation", false), map[string]bool{"manage": c.Can(ManageUsers, onAll)})
}

func (h *Handler) countUsers(c *Call) (any, error) {
	f, err := userFilter(c)
	if err != nil {
		return nil, err
	}
	if list, named, err := h.namedUsers(c); err != nil || named {
		return len(list), err
	}
	return h.Users.Count(c, c.Realm, f)
}

// viewUsers renders users, brief or whole. Keycloak:
// ModelToRepresentation.toBriefRepresentation and toRepresentation.
func (h *Handler) viewUsers(c *Call, list []*iam.User, brief bool, access map[string]bool) ([]*rep.User, error) {
	out := make([]*rep.User, 0, len(list))
	if len(list) == 0 {
		return out, nil
	}
	profile, err := users.ProfileOf(c.Realm)
	if err != nil {
		return nil, err
	}
	var kinds map[iam.UserID][]iam.CredentialKind
	if !brief {
		ids := make([]iam.UserID, len(list))
		for i, u := range list {
			ids[i] = u.ID
		}
		if kinds, err = h.Users.Kinds(c, c.Realm, ids...); err != nil {
			return nil, err
		}
	}
	for _, u := range list {
		v := rep.FromUser(u)
		v.Access = access
		view := profile.In(users.AdminAPI, u)
		if v.Attributes = view.Readable(); len(v.Attributes) == 0 {
			v.Attributes = nil
		}
		if !view.Shows("firstName") {
			v.FirstName = nil
		}
		if !view.Shows("lastName") {
			v.LastName = nil
		}
		v.TOTP = new(slices.Contains(kinds[u.ID], iam.OTP))
		if brief {
			v.Attributes, v.TOTP, v.NotBefore, v.RequiredActions, v.DisableableCredentialTypes = nil, nil, nil, nil, nil
		}
		out = append(out, v)
	}
	return out, nil
}

// draftOf is what a representation says about a user's attributes. Keycloak:
// UserRepresentation.getRawAttributes.
func draftOf(v *rep.User) users.Draft {
	d := users.Draft{}
	for name, values := range v.Attributes {
		d[name] = values
	}
	delete(d, "username") // they have members of their own
	delete(d, "email")
	if v.Username != "" {
		d["username"] = []string{v.Username}
	}
	for name, p := range map[string]*string{"email": v.Email, "firstName": v.FirstName, "lastName": v.LastName} {
		if p != nil {
			d[name] = []string{*p}
		}
	}
	return d
}

// settle puts what of a representation is no attribute into a user.
// Keycloak: UserResource.updateUserFromRep.
func settle(c *Call, u *iam.User, v *rep.User, existing bool) {
	if v.Enabled != nil {
		u.Enabled = *v.Enabled
	}
	if v.EmailVerified != nil {
		u.EmailVerified = *v.EmailVerified
	}
	if v.FederationLink != "" {
		u.Federation = v.FederationLink
	}
	if v.RequiredActions != nil {
		for _, a := range c.Realm.RequiredActions {
			has := slices.Contains(u.Required, a.Provider)
			switch wanted := slices.Contains(v.RequiredActions, a.Provider); {
			case wanted && !has:
				u.Required = append(u.Required, a.Provider)
			case !wanted && has && existing:
				u.Required = slices.DeleteFunc(u.Required, func(s string) bool { return s == a.Provider })
			}
		}
	}
	for _, cred := range v.Credentials {
		if cred.Type == string(iam.Password) && rep.Val(cred.Temporary) && !slices.Contains(u.Required, "UPDATE_PASSWORD") {
			u.Required = append(u.Required, "UPDATE_PASSWORD")
		}
	}
}

// taken says in the admin API's words that an address or a name is somebody's.
func (h *Handler) taken(c *Call, v *rep.User, username string) error {
	type find func(context.Context, *realms.Realm, string) (*iam.User, error)
	free := func(value, msg string, finders ...find) error {
		for _, by := range finders {
			other, err := by(c, c.Realm, value)
			if err == nil && other != nil {
				err = Message(http.StatusConflict, msg)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	ofEmail, ofName := []find{h.Users.ByEmail}, []find{h.Users.ByName}
	if c.Realm.Login.ByEither() {
		ofEmail, ofName = append(ofEmail, h.Users.ByName), append(ofName, h.Users.ByEmail)
	}
	if email := rep.Val(v.Email); email != "" && !c.Realm.Login.DuplicateEmails {
		if err := free(email, users.ErrEmailTaken.Msg, ofEmail...); err != nil {
			return err
		}
	}
	return free(username, users.ErrNameTaken.Msg, ofName...)
}

func (h *Handler) createUser(c *Call) (any, error) {
	v, err := Body[rep.User](c)
	if err != nil {
		return nil, err
	}
	username := v.Username
	if email := rep.Val(v.Email); c.Realm.Login.RegistrationEmailAsUsername && email != "" {
		username = email
	}
	if strings.TrimSpace(username) == "" {
		return nil, Message(http.StatusBadRequest, "User name is missing")
	}
	if err := h.taken(c, v, username); err != nil {
		return nil, err
	}
	profile, err := users.ProfileOf(c.Realm)
	if err != nil {
		return nil, err
	}
	view, draft := profile.In(users.AdminAPI, nil), draftOf(v)
	if errs := view.Check(draft); len(errs) > 0 {
		return nil, errs
	}
	made := &users.Newcomer{User: &iam.User{}}
	view.Apply(made.User, draft, true)
	settle(c, made.User, v, false)
	for _, path := range iam.Distinct(v.Groups) {
		g, err := h.Users.GroupAt(c, c.Realm, path)
		if err != nil {
			return nil, err
		}
		if g == nil {
			return nil, Message(http.StatusBadRequest, "Unable to find group specified by path: "+path)
		}
		if err := c.mayGive(g.Given()...); err != nil {
			return nil, err
		}
		made.Groups = append(made.Groups, g.ID)
	}
	for _, l := range v.FederatedIdentities {
		made.Links = append(made.Links, &iam.FederatedIdentity{Provider: l.IdentityProvider, ExternalID: l.UserID, ExternalUsername: l.UserName})
	}
	if made.Credentials, err = h.newCredentials(c, made.User, v.Credentials); err != nil {
		return nil, err
	}
	if v.CreatedTimestamp != nil {
		made.CreatedAt = time.UnixMilli(*v.CreatedTimestamp)
	}
	if err := h.Users.Create(c, c.Realm, made); err != nil {
		return nil, err
	}
	c.Created(string(made.ID))
	return nil, nil
}

func (h *Handler) getUser(c *Call) (any, error) {
	u, err := h.user(c)
	one := c.named("user")
	manage := c.Can(ManageUsers, one)
	access := map[string]bool{"view": true, "manage": manage, "mapRoles": manage, "manageGroupMembership": manage, "resetPassword": manage,
		"impersonate": c.Can(Impersonate, one)}
	if errors.Is(err, users.ErrNotFound) && c.Path("user") == string(c.Caller.User.ID) {
		// The console asks for its user by the realm that it shows. The reference finds
		// callers of another realm by a cache of the request; so are they here, and nobody else of their realm.
		home := *c
		home.Realm, c = c.Caller.Realm, &home
		u, err = h.user(c)
	}
	if err != nil {
		return nil, err
	}
	list, err := h.viewUsers(c, []*iam.User{u}, false, access)
	if err != nil {
		return nil, err
	}
	v := list[0]
	if len(c.Realm.IDPs) > 0 {
		links, err := h.Users.Links(c, c.Realm, u.ID)
		if err != nil {
			return nil, err
		}
		v.FederatedIdentities = []rep.FederatedIdentity{}
		for _, l := range links {
			v.FederatedIdentities = append(v.FederatedIdentities, rep.FromFederatedIdentity(l))
		}
	}
	if c.Bool("userProfileMetadata", false) {
		profile, err := users.ProfileOf(c.Realm)
		if err != nil {
			return nil, err
		}
		v.UserProfileMetadata = profile.In(users.AdminAPI, u).Metadata()
	}
	return v, nil
}

func (h *Handler) updateUser(c *Call) (any, error) {
	u, err := h.user(c)
	if err != nil {
		return nil, err
	}
	v, err := BodyInto(c, &rep.User{Username: unsaid})
	if errors.Is(err, rep.ErrNoBody) {
		return nil, Message(http.StatusBadRequest, "Could not update user!")
	}
	if err != nil {
		return nil, err
	}
	profile, err := users.ProfileOf(c.Realm)
	if err != nil {
		return nil, err
	}
	draft, replace := draftOf(v), v.Attributes != nil
	switch v.Username {
	case unsaid:
		v.Username = ""
		delete(draft, "username")
	case "":
		draft["username"] = []string{""}
	}
	if !replace {
		draft = users.Kept(u, draft)
	}
	view := profile.In(users.AdminAPI, u)
	taken, err := h.Users.CheckTaken(c, view, draft)
	if err != nil {
		return nil, err
	}
	if errs := append(taken, view.Check(draft)...); len(errs) > 0 {
		return nil, profileRefusal(errs)
	}
	for i := range v.Credentials {
		cred := &v.Credentials[i]
		if stored(cred) && hashed(cred) == nil || !stored(cred) && cred.Value == nil && cred.ID == "" {
			return nil, Message(http.StatusBadRequest, "Could not update user!")
		}
		if password := rep.Val(cred.Value); password != "" {
			if u.ServiceAccount != "" {
				return nil, errNoPasswords()
			}
			if err := policyRefusal(h.Users.CheckNewPassword(c, &c.Realm.Realm, u, password)); err != nil {
				return nil, err
			}
		}
	}
	unlocks := rep.Val(v.Enabled) && c.Realm.Brute.Enabled
	_, err = h.Users.Change(c, c.Realm, u.ID, func(u *iam.User) error {
		if unlocks {
			users.Unlock(u)
		}
		profile.In(users.AdminAPI, u).Apply(u, draft, replace)
		if err := c.Realm.FillDefaults(u); err != nil {
			return err
		}
		settle(c, u, v, true)
		return nil
	})
	if e, ok := errors.AsType[*iam.Error](err); ok && e.Kind == iam.Conflict {
		return nil, Message(http.StatusConflict, "User exists with same username or email")
	}
	if err != nil {
		return nil, err
	}
	if unlocks {
		if err := h.forgetFailures(c, u); err != nil {
			return nil, err
		}
	}
	return nil, h.resetPosted(c, u, v.Credentials)
}

// unsaid is a username that no representation has: what a body leaves alone.
const unsaid = "\x00"

// profileRefusal answers what a profile refuses; a few mistakes have words of
// their own in the admin API. Keycloak: UserResource.validateUserProfile.
func profileRefusal(errs iam.Errors) error {
	for _, own := range []struct {
		key    string
		status int
		msg    string
	}{
		{"missingUsernameMessage", http.StatusBadRequest, "User name is missing"},
		{"emailExistsMessage", http.StatusConflict, users.ErrEmailTaken.Msg},
		{"usernameExistsMessage", http.StatusConflict, users.ErrNameTaken.Msg},
	} {
		if slices.ContainsFunc(errs, func(e *iam.Error) bool { return e.Msg == own.key }) {
			return Message(own.status, own.msg)
		}
	}
	return errs
}

// forgetFailures forgets the failed logins of a user who is enabled, with an
// event of its own before the update's. Keycloak: UserResource.updateUser.
func (h *Handler) forgetFailures(c *Call, u *iam.User) error {
	f, err := h.Users.Failures(c, c.Realm, u.ID)
	if err != nil || f == nil {
		return err
	}
	c.Event(Delete, "USER_LOGIN_FAILURE", c.resource(), nil)
	c.Event(Update, "USER", c.resource(), c.body)
	return h.Users.ClearFailures(c, c.Realm, u.ID)
}

func (h *Handler) deleteUser(c *Call) (any, error) {
	u, err := h.user(c)
	if err != nil {
		return nil, err
	}
	c.Represent(&rep.User{ID: string(u.ID), Username: u.Username})
	return nil, h.Users.Delete(c, c.Realm, u.ID, c.ending("DELETE users/{user}"))
}

func (h *Handler) unmanagedAttributes(c *Call) (any, error) {
	u, err := h.user(c)
	if err != nil {
		return nil, err
	}
	profile, err := users.ProfileOf(c.Realm)
	if err != nil {
		return nil, err
	}
	return profile.In(users.AdminAPI, u).Unmanaged(), nil
}

// profileRoutes: Keycloak's UserProfileResource.
func (h *Handler) profileRoutes() []Route {
	return []Route{
		{"GET " + usersPath + "/profile", ViewProfile, None, "", h.getProfile, Silent},
		{"GET " + usersPath + "/profile/metadata", ViewProfile, None, "", h.profileMetadata, Silent},
		{"PUT " + usersPath + "/profile", ManageRealm, Update, "USER_PROFILE", h.putProfile, ByMethod},
	}
}

func (h *Handler) getProfile(c *Call) (any, error) {
	p, err := users.ProfileOf(c.Realm)
	if err != nil {
		return nil, err
	}
	return p.Config, nil
}

func (h *Handler) profileMetadata(c *Call) (any, error) {
	p, err := users.ProfileOf(c.Realm)
	if err != nil {
		return nil, err
	}
	return p.In(users.AdminAPI, nil).Metadata(), nil
}

func (h *Handler) putProfile(c *Call) (any, error) {
	cfg, err := Body[rep.UPConfig](c)
	if err != nil && !errors.Is(err, rep.ErrNoBody) {
		return nil, err
	}
	if err != nil {
		cfg = nil // nothing stands for the default
	}
	return h.Users.SetProfile(c, h.Realms, c.Realm, cfg)
}
