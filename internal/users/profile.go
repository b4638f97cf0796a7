package users

import (
	"maps"
	"slices"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
)

// A Context says on whose behalf and on which occasion a profile is looked at.
// Keycloak: UserProfileContext.
type Context int

// The contexts.
const (
	AdminAPI Context = iota
	Registration
	UpdateProfile
	Account
	BrokerReview
	UpdateEmail
)

// EmailPending is the attribute of an address that is to take the place of the user's once it is verified.
// Keycloak: UserModel.EMAIL_PENDING.
const EmailPending = "kc.email.pending"

// role is the pseudo role of permissions and requirements.
func (c Context) role() string {
	if c == AdminAPI {
		return "admin"
	}
	return "user"
}

// inFlow reports whether a client asks for scopes while the profile is looked at.
func (c Context) inFlow() bool { return c == Registration || c == UpdateProfile || c == BrokerReview }

// The values of unmanagedAttributePolicy; absent is none at all.
const (
	unmanagedEnabled   = "ENABLED"
	unmanagedAdminView = "ADMIN_VIEW"
	unmanagedAdminEdit = "ADMIN_EDIT"
)

// A Profile is a realm's user profile, compiled.
type Profile struct {
	Config *rep.UPConfig
	attrs  []*attribute
	byName map[string]*attribute
	realm  *realms.Realm
}

// attribute is a managed attribute.
type attribute struct {
	*rep.UPAttribute
	checks []check
	added  bool // not in the profile's configuration
}

// profileProvider is what keeps a realm's profile. Keycloak: DeclarativeUserProfileProvider.
const profileProvider = "declarative-user-profile"

type profileKey struct{}

// ProfileOf returns a realm's user profile, Keycloak's default when it has none
// of its own. A profile that cannot be understood is an error: then no user can
// be changed, as in Keycloak.
func ProfileOf(r *realms.Realm) (*Profile, error) {
	v, err := r.Derive(profileKey{}, func() (any, error) {
		text, err := realms.DefaultProfile()
		if err != nil {
			return nil, err
		}
		if own := r.ProfileText(); own != "" {
			text = []byte(own)
		}
		cfg := new(rep.UPConfig)
		if err := rep.Unmarshal(text, cfg); err != nil {
			return nil, err
		}
		if cfg.Groups == nil {
			cfg.Groups = []rep.UPGroup{} // which Keycloak always shows
		}
		return compileProfile(r, cfg)
	})
	if err != nil {
		return nil, err
	}
	return v.(*Profile), nil
}

func compileProfile(r *realms.Realm, cfg *rep.UPConfig) (*Profile, error) {
	p := &Profile{Config: cfg, byName: map[string]*attribute{}, realm: r}
	for i := range cfg.Attributes {
		a := &attribute{UPAttribute: &cfg.Attributes[i]}
		if _, own := a.Validations["length"]; !own {
			a.checks = append(a.checks, valueLength)
		}
		for _, id := range slices.Sorted(maps.Keys(a.Validations)) {
			c, err := newCheck(id, a.Validations[id])
			if err != nil {
				return nil, err
			}
			a.checks = append(a.checks, c)
		}
		if !a.Multivalued {
			a.checks = append(a.checks, single)
		}
		p.attrs = append(p.attrs, a)
		p.byName[a.Name] = a
	}
	for _, name := range []string{"username", "email"} { // always there, also in a profile without attributes
		if p.byName[name] == nil {
			a := &attribute{UPAttribute: &rep.UPAttribute{Name: name}, checks: []check{valueLength, single}}
			p.byName[name] = a
			p.attrs = append(p.attrs, a)
		}
	}
	if r.Locale.Enabled && p.byName["locale"] == nil {
		a := &attribute{UPAttribute: &rep.UPAttribute{Name: "locale", Permissions: &rep.UPAttributePermissions{View: bothRoles, Edit: bothRoles}},
			added: true}
		p.byName["locale"] = a
		p.attrs = append(p.attrs, a)
	}
	// Keycloak: DeclarativeUserProfileProviderFactory.isTermAndConditionsEnabled
	if terms := r.RequiredAction("TERMS_AND_CONDITIONS"); terms != nil && terms.Enabled && p.byName[TermsAccepted] == nil {
		a := &attribute{UPAttribute: &rep.UPAttribute{Name: TermsAccepted, Permissions: &rep.UPAttributePermissions{View: []string{"admin"}}},
			added: true}
		p.byName[TermsAccepted] = a
		p.attrs = append(p.attrs, a)
	}
	return p, nil
}

// TermsAccepted is the attribute that says when a user accepted the terms, in seconds since 1970.
// Keycloak: TermsAndConditions.USER_ATTRIBUTE.
const TermsAccepted = "terms_and_conditions"

var bothRoles = []string{"admin", "user"}

// A View is one look at a profile: in which context, of which user (nil for
// one to be made), with which scopes asked for.
type View struct {
	*Profile
	Context Context
	User    *iam.User
	Scopes  []string
}

// In begins a look at the profile.
func (p *Profile) In(c Context, u *iam.User, scopes ...string) *View { return &View{p, c, u, scopes} }

func (v *View) asksFor(scopes []string) bool {
	return slices.ContainsFunc(scopes, func(s string) bool { return slices.Contains(v.Scopes, s) })
}

func root(name string) bool { return name == "username" || name == "email" }

// selected reports whether an attribute is there at all on this occasion.
func (v *View) selected(a *attribute) bool {
	// Keycloak: DeclarativeUserProfileProviderFactory adds the language for the account and the administrator
	if a.added && (v.Context == UpdateProfile || a.Name == TermsAccepted && v.Context != AdminAPI) {
		return false
	}
	return a.Selector == nil || len(a.Selector.Scopes) == 0 || root(a.Name) || !v.Context.inFlow() || v.asksFor(a.Selector.Scopes)
}

// managed returns an attribute of the profile, nil when it has none of that name.
func (v *View) managed(name string) *attribute {
	if a := v.byName[name]; a != nil && v.selected(a) {
		return a
	}
	return nil
}

// canEdit reports whether a managed attribute may be changed.
// Keycloak: DeclarativeUserProfileProviderFactory.editUsernameCondition and editEmailCondition.
func (v *View) canEdit(a *attribute) bool {
	login := v.realm.Login
	switch {
	case a.Name == "username" && v.Context != AdminAPI && login.RegistrationEmailAsUsername:
		return false
	case a.Name == "username" && v.User != nil && v.Context != Registration && v.Context != BrokerReview && !login.EditUsername:
		return false
	case a.Name == "email" && v.emailKept():
		return false
	case a.Name == "email" && (v.Context == UpdateProfile || v.Context == Account) && login.RegistrationEmailAsUsername && !login.EditUsername:
		return false
	}
	if a.Permissions == nil {
		return root(a.Name)
	}
	return slices.Contains(a.Permissions.Edit, v.Context.role())
}

// EmailByAction reports whether the address is changed by the required action UPDATE_EMAIL alone.
// Keycloak: UpdateEmail.isEnabled.
func (p *Profile) EmailByAction() bool {
	a := p.realm.RequiredAction("UPDATE_EMAIL")
	return a != nil && a.Enabled
}

// emailKept reports whether the address is not for this occasion to change. Who has none is asked for one by a page all the same.
func (v *View) emailKept() bool {
	return (v.Context == Account || v.Context == UpdateProfile && v.User != nil && v.User.Email != "") && v.EmailByAction()
}

// canView reports whether a managed attribute is shown.
func (v *View) canView(a *attribute) bool {
	login := v.realm.Login
	if a.Name == "username" {
		switch v.Context {
		case AdminAPI, Account:
			return true
		case UpdateProfile:
			return !login.RegistrationEmailAsUsername && login.EditUsername
		default:
			return !login.RegistrationEmailAsUsername
		}
	}
	if a.Name == "email" && v.Context == UpdateProfile && v.emailKept() {
		return false
	}
	if a.Permissions == nil {
		return root(a.Name)
	}
	return slices.Contains(a.Permissions.View, v.Context.role()) || v.canEdit(a)
}

// required reports whether a managed attribute must have a value.
func (v *View) required(a *attribute) bool {
	switch a.Name {
	case "username":
		return !v.realm.Login.RegistrationEmailAsUsername
	case "email":
		if v.realm.Login.RegistrationEmailAsUsername && (v.Context != AdminAPI || v.User == nil) {
			return true
		}
	}
	if a.Required == nil {
		return false
	}
	if len(a.Required.Roles) == 0 && len(a.Required.Scopes) == 0 {
		return true
	}
	return slices.Contains(a.Required.Roles, v.Context.role()) || v.Context.inFlow() && v.asksFor(a.Required.Scopes)
}

// unmanaged reports whether attributes that the profile does not know may be
// seen and changed in this context.
func (v *View) unmanaged() (view, edit bool) {
	if v.Context == AdminAPI && v.User != nil && v.User.ServiceAccount != "" {
		return true, true // Keycloak: ServiceAccountAttributes
	}
	switch v.Config.UnmanagedAttributePolicy {
	case unmanagedEnabled:
		return true, true
	case unmanagedAdminEdit:
		return v.Context == AdminAPI, v.Context == AdminAPI
	case unmanagedAdminView:
		return v.Context == AdminAPI, false
	}
	return false, false
}

// An Attribute is what a form or an API tells about a managed attribute.
type Attribute struct {
	*rep.UPAttribute
	Required bool
	ReadOnly bool
	Values   []string // what the user has
}

// Attributes returns the managed attributes that are shown, in their order.
func (v *View) Attributes() []Attribute {
	var list []Attribute
	for _, a := range v.attrs {
		if v.Context == Registration && !v.canEdit(a) {
			continue // a newcomer has nothing to be shown
		}
		if v.selected(a) && v.canView(a) {
			list = append(list, Attribute{UPAttribute: a.UPAttribute, Required: v.required(a), ReadOnly: !v.canEdit(a),
				Values: valuesOf(v.User, a.Name)})
		}
	}
	return list
}

// Metadata is what the admin and the account REST tell about the profile.
// Keycloak: UserProfileUtil.createUserProfileMetadata.
func (v *View) Metadata() *rep.UserProfileMetadata {
	m := &rep.UserProfileMetadata{Attributes: []rep.UserProfileAttributeMetadata{}, Groups: []rep.UserProfileAttributeGroupMetadata{}}
	for _, a := range v.Attributes() {
		m.Attributes = append(m.Attributes, rep.UserProfileAttributeMetadata{
			Name: a.Name, DisplayName: Shown(a.UPAttribute), Required: a.Required, ReadOnly: a.ReadOnly, Annotations: a.Annotations,
			Validators: shownValidations(a.UPAttribute), Group: rep.Val(a.Group), Multivalued: a.Multivalued, DefaultValue: rep.Val(a.DefaultValue),
		})
	}
	for _, g := range v.Config.Groups {
		m.Groups = append(m.Groups, rep.UserProfileAttributeGroupMetadata{Name: g.Name, DisplayHeader: rep.Val(g.DisplayHeader),
			DisplayDescription: rep.Val(g.DisplayDescription), Annotations: g.Annotations})
	}
	return m
}

// Shown is the name by which people know an attribute: its display name, which
// may be a ${key}, or else its own. Keycloak: AttributeMetadata.getAttributeDisplayName.
func Shown(a *rep.UPAttribute) string {
	switch {
	case rep.Val(a.DisplayName) != "":
		return *a.DisplayName
	case root(a.Name):
		return "${" + a.Name + "}"
	}
	return a.Name
}

// Shows reports whether the profile has an attribute that may be seen in this context.
func (v *View) Shows(name string) bool {
	a := v.managed(name)
	return a != nil && v.canView(a)
}

// valuesOf returns what a user has of an attribute, those with fields of their own included.
func valuesOf(u *iam.User, name string) []string {
	if u == nil {
		return nil
	}
	one := ""
	switch name {
	case "username":
		one = u.Username
	case "email":
		one = u.Email
	case "firstName":
		one = u.FirstName
	case "lastName":
		one = u.LastName
	default:
		return u.Attrs[name]
	}
	if one == "" {
		return nil
	}
	return []string{one}
}

func setValues(u *iam.User, name string, values []string) {
	one := ""
	if len(values) > 0 {
		one = values[0]
	}
	switch name {
	case "username":
		u.Username = strings.ToLower(one)
	case "email":
		u.Email = strings.ToLower(one)
	case "firstName":
		u.FirstName = one
	case "lastName":
		u.LastName = one
	default:
		if u.Attrs == nil {
			u.Attrs = map[string][]string{}
		}
		if len(values) == 0 {
			delete(u.Attrs, name)
		} else {
			u.Attrs[name] = values
		}
	}
}

// names returns the names of all attributes that a user has.
func names(u *iam.User) []string {
	list := slices.Sorted(maps.Keys(u.Attrs))
	for _, name := range []string{"username", "email", "firstName", "lastName"} {
		if len(valuesOf(u, name)) > 0 {
			list = append(list, name)
		}
	}
	return list
}

// Readable returns the attributes that may be seen in this context, without
// those that have fields of their own in representations.
func (v *View) Readable() map[string][]string {
	out := map[string][]string{}
	unmanaged, _ := v.unmanaged()
	for name, values := range v.User.Attrs {
		if a := v.managed(name); a != nil && v.canView(a) || a == nil && (unmanaged || v.Context == AdminAPI && (ownAttribute(name) ||
			name == EmailPending)) {
			out[name] = values
		}
	}
	return out
}

// Unmanaged returns the user's attributes that the profile does not know,
// nothing where such attributes are not to be seen.
func (v *View) Unmanaged() map[string][]string {
	out := map[string][]string{}
	if view, _ := v.unmanaged(); view {
		for _, name := range names(v.User) {
			if v.byName[name] == nil {
				out[name] = valuesOf(v.User, name)
			}
		}
	}
	return out
}
