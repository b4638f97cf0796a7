package users

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// readOnlyAttributes may not be changed by users; the first ones not by
// administrators either. A * at the end stands for anything.
// Keycloak: DeclarativeUserProfileProviderFactory.DEFAULT_READ_ONLY_ATTRIBUTES.
var readOnlyAttributes = []struct {
	name  string
	admin bool // holds for administrators, too
}{
	{"KERBEROS_PRINCIPAL", true}, {"LDAP_ID", true}, {"LDAP_ENTRY_DN", true}, {"CREATED_TIMESTAMP", true}, {"createTimestamp", true},
	{"modifyTimestamp", true},
	{"userCertificate", false}, {"saml.persistent.name.id.for.*", false}, {"ENABLED", false}, {"EMAIL_VERIFIED", false},
	{"disabledReason", false}, {"is_temporary_admin", false},
}

// ownAttribute reports whether an attribute is one that the server keeps for
// itself in any context.
func ownAttribute(name string) bool {
	return (&View{Context: Account}).internal(name)
}

// internal reports whether an attribute is the server's own in this context.
func (v *View) internal(name string) bool {
	for _, a := range readOnlyAttributes {
		if v.Context == AdminAPI && !a.admin {
			continue
		}
		prefix, open := strings.CutSuffix(a.name, "*")
		if strings.EqualFold(a.name, name) || open && len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
			return true
		}
	}
	return false
}

// A Draft is what a user's attributes are to become. Username, email, first and
// last name are among them, under the names of the representation.
type Draft map[string][]string

// Typed is what a page's form says about a profile: fields of the form itself are left out.
func Typed(form url.Values) Draft {
	d := Draft{}
	for name, values := range form {
		switch name {
		case "password", "password-confirm", "termsAccepted", "cancel-aia", "g-recaptcha-response":
			continue
		}
		d[name] = slices.Clone(values)
		for i, v := range values {
			d[name][i] = strings.TrimSpace(v)
		}
	}
	return d
}

// Stored is the user's profile as a draft, to see whether it would pass.
func (v *View) Stored() Draft {
	d := Draft{}
	for _, a := range v.Attributes() {
		d[a.Name] = a.Values
	}
	return d
}

// Kept is a draft with all that a user has and that it does not name.
func Kept(u *iam.User, given Draft) Draft {
	d := Draft{}
	for _, name := range names(u) {
		d[name] = valuesOf(u, name)
	}
	maps.Copy(d, given)
	return d
}

// complete adds to a draft what the profile always holds: attributes that may
// not be changed keep their values, and what has no place is dropped.
// Keycloak: DefaultAttributes.normalizeAttributes.
func (v *View) complete(given Draft) Draft {
	_, unmanaged := v.unmanaged()
	d := Draft{}
	for name, values := range given {
		if v.managed(name) != nil || unmanaged || v.internal(name) {
			d[name] = values
		}
	}
	for _, a := range v.attrs {
		if !v.selected(a) {
			continue
		}
		if _, ok := d[a.Name]; ok && !(a.added && !v.canEdit(a)) {
			continue
		}
		d[a.Name] = nil
		if v.User != nil && !v.canEdit(a) {
			d[a.Name] = valuesOf(v.User, a.Name)
		}
	}
	if u := d["username"]; len(u) > 0 {
		d["username"] = []string{strings.ToLower(u[0])}
	}
	if e := d["email"]; len(e) > 0 {
		d["email"] = []string{strings.ToLower(e[0])}
	}
	absent := count(d["username"]) == 0
	if v.Context == AdminAPI { // where an empty name is one that is missing
		absent = len(d["username"]) == 0
	}
	if name := v.byName["username"]; v.User != nil && (name == nil || !v.canEdit(name)) && absent {
		d["username"] = []string{v.User.Username}
	}
	if v.realm.Login.RegistrationEmailAsUsername && count(d["email"]) > 0 {
		d["username"] = d["email"]
	}
	return d
}

// Check says what is wrong with a draft; nil when nothing is. Whether name and
// address are free is for CheckTaken.
func (v *View) Check(given Draft) iam.Errors {
	d := v.complete(given)
	var errs iam.Errors
	add := func(name, key string, params []any) {
		errs = append(errs, &iam.Error{Kind: iam.Invalid, Field: name, Msg: key, Params: append([]any{name}, params...)})
	}
	for _, name := range slices.Sorted(maps.Keys(d)) {
		values := d[name]
		if now := valuesOf(v.User, name); v.internal(name) && !slices.Equal(values, now) {
			if _, unmanaged := v.unmanaged(); len(now) == 0 && !unmanaged {
				continue // passed over like others that have no place
			}
			add(name, "updateReadOnlyAttributesRejectedMessage", nil)
			continue
		}
		a := v.managed(name)
		if a == nil {
			if v.changes(name, values) {
				for _, refused := range valueLength(values) {
					add(name, refused.key, refused.params)
				}
			}
			continue
		}
		for _, m := range v.missing(a, values) {
			add(name, m, nil)
		}
		if !v.canEdit(a) {
			if v.User == nil && (v.Context == Registration || !v.canView(a)) {
				continue // not there for who makes a user
			}
			if v.derived(name) || !v.changes(name, values) {
				continue
			}
			add(name, "error-user-attribute-read-only", nil)
			if name == "username" && v.Context != AdminAPI { // Keycloak: UsernameMutationValidator
				add(name, "readOnlyUsernameMessage", nil)
			}
		}
		for _, c := range a.checks {
			for _, refused := range c(values) {
				add(name, refused.key, refused.params)
			}
		}
	}
	return v.checkRoom(d, errs)
}

// checkRoom adds what of a draft is more than is kept of one user: names that
// the reference has no room for either, and by the user's own doing more
// values than iam.MaxValues, or longer ones than iam.MaxProfile. What is there
// already may stay.
func (v *View) checkRoom(d Draft, errs iam.Errors) iam.Errors {
	values, bytes, mostValues, mostBytes := 0, 0, 0, 0
	if v.User != nil {
		if v.Context == UpdateProfile { // a form replaces only what it names
			d = Kept(v.User, d)
		}
		for _, name := range names(v.User) {
			for _, s := range valuesOf(v.User, name) {
				mostValues++
				mostBytes += len(name) + len(s)
			}
		}
	}
	mostValues, mostBytes = max(mostValues, iam.MaxValues), max(mostBytes, iam.MaxProfile)
	for _, name := range slices.Sorted(maps.Keys(d)) {
		changes, short := v.changes(name, d[name]), iam.Cut(name, iam.MaxLabel)
		add := func(key string, most int) {
			errs = append(errs, &iam.Error{Kind: iam.Invalid, Field: short, Msg: key, Params: []any{short, 0, most}})
		}
		refused := slices.ContainsFunc(errs, func(e *iam.Error) bool { return e.Field == short })
		if changes && !refused && (tooLong(name) || columns[name] && slices.ContainsFunc(d[name], tooLong)) {
			add("error-invalid-length", iam.MaxLabel)
		}
		for _, s := range d[name] {
			values++
			bytes += len(name) + len(s)
		}
		switch {
		case v.Context == AdminAPI:
		case values > mostValues:
			add("error-invalid-multivalued-size", mostValues)
			return errs
		case bytes > mostBytes:
			add("error-invalid-length", mostBytes)
			return errs
		}
	}
	return errs
}

// columns are the attributes that the reference keeps apart from others, with
// less room.
var columns = map[string]bool{"username": true, "email": true, "firstName": true, "lastName": true}

func tooLong(text string) bool { return iam.Characters(text) > iam.MaxLabel }

// derived reports whether a value is computed and not the sender's.
func (v *View) derived(name string) bool {
	return name == "username" && v.realm.Login.RegistrationEmailAsUsername
}

// changes reports whether values differ from what the user has.
func (v *View) changes(name string, values []string) bool {
	now := valuesOf(v.User, name)
	if count(values) == 0 && count(now) == 0 {
		return false
	}
	if name == "username" && len(values) == 1 && len(now) == 1 {
		return !strings.EqualFold(values[0], now[0])
	}
	return !slices.Equal(values, now)
}

// missing returns message keys for an attribute that should have a value.
// Keycloak: BlankAttributeValidator, UsernameHasValueValidator, AttributeRequiredByMetadataValidator.
func (v *View) missing(a *attribute, values []string) []string {
	if count(values) > 0 {
		return nil
	}
	if a.Name == "email" && len(values) > 0 && v.Context == AdminAPI && v.User != nil && v.realm.Login.RegistrationEmailAsUsername {
		return []string{"missingUsernameMessage"} // it is the name, too
	}
	if !v.required(a) || rep.Val(a.DefaultValue) != "" {
		return nil
	}
	switch {
	case a.Name == "username":
		return []string{"missingUsernameMessage"}
	case a.Name == "email" && v.Context != AdminAPI && len(values) > 0: // blank rather than left out
		return []string{"missingEmailMessage", "error-user-attribute-required"}
	case a.Name == "email" && v.Context == Account:
	case a.Name == "email" && v.Context != AdminAPI:
		return []string{"missingEmailMessage"}
	case !v.canEdit(a):
		return nil
	}
	return []string{"error-user-attribute-required"}
}

// CheckStored lists what is wrong with what the user has. Of an address that is not there it says
// what it says of other attributes, since nobody has left out a field of a form.
func (v *View) CheckStored() iam.Errors {
	errs := v.Check(v.Stored())
	for i, e := range errs {
		if e.Msg == "missingEmailMessage" {
			again := *e
			again.Msg = "error-user-attribute-required"
			errs[i] = &again
		}
	}
	return errs
}

// Apply puts a draft into a user: attributes of the profile that it does not
// name are emptied (see Kept), unless they may not be changed. With replace,
// so are attributes that the profile does not know.
// Keycloak: DefaultUserProfile.updateAttributes.
func (v *View) Apply(u *iam.User, given Draft, replace bool) {
	d := v.complete(given)
	for name, values := range d {
		a := v.managed(name)
		if v.internal(name) || a != nil && !v.canEdit(a) && !v.derived(name) {
			continue
		}
		values = slices.DeleteFunc(slices.Clone(values), func(s string) bool { return strings.TrimSpace(s) == "" })
		if len(values) == 0 {
			values = nil
		}
		if values == nil && name == "username" {
			continue
		}
		if name == "email" && (len(values) == 0 || !strings.EqualFold(values[0], u.Email)) && v.Context != AdminAPI {
			u.EmailVerified = false
		}
		setValues(u, name, values)
	}
	if !replace {
		return
	}
	_, unmanaged := v.unmanaged()
	for _, name := range names(u) {
		if _, kept := d[name]; kept || name == "username" || v.internal(name) {
			continue
		}
		pending := name == EmailPending && v.Context == AdminAPI && given[name] == nil // administrators can call the change off
		if a := v.managed(name); a == nil && !unmanaged && !pending || a != nil && !v.canEdit(a) {
			continue
		}
		setValues(u, name, nil)
	}
}

// CheckTaken says whether a draft's name or address is another user's, with the
// message keys of forms.
// Keycloak: DuplicateUsernameValidator, DuplicateEmailValidator, EmailExistsAsUsernameValidator, RegistrationUsernameExistsValidator.
func (s *Service) CheckTaken(ctx context.Context, v *View, given Draft) (iam.Errors, error) {
	d := v.complete(given)
	var errs iam.Errors
	taken := func(field, key, value string, find func(context.Context, *realms.Realm, string) (*iam.User, error)) error {
		if value == "" {
			return nil
		}
		u, err := find(ctx, v.realm, value)
		if err != nil || u == nil || v.User != nil && u.ID == v.User.ID {
			return err
		}
		if !slices.ContainsFunc(errs, func(e *iam.Error) bool { return e.Field == field && e.Msg == key }) {
			errs = append(errs, &iam.Error{Kind: iam.Conflict, Field: field, Msg: key})
		}
		return nil
	}
	first := func(name string) string {
		if len(d[name]) == 0 {
			return ""
		}
		return strings.TrimSpace(d[name][0])
	}
	email := first("email")
	either := v.realm.Login.ByEither()
	if !v.realm.Login.DuplicateEmails {
		if err := taken("email", "emailExistsMessage", email, s.ByEmail); err != nil {
			return nil, err
		}
		if either && !v.realm.Login.RegistrationEmailAsUsername {
			if err := taken("email", "emailExistsMessage", email, s.ByName); err != nil {
				return nil, err
			}
		}
		if v.realm.Login.RegistrationEmailAsUsername {
			if err := taken("email", "usernameExistsMessage", email, s.ByName); err != nil {
				return nil, err
			}
		}
	}
	if !v.realm.Login.RegistrationEmailAsUsername {
		if err := taken("username", "usernameExistsMessage", first("username"), s.ByName); err != nil {
			return nil, err
		}
		if either {
			if err := taken("username", "usernameExistsMessage", first("username"), s.ByEmail); err != nil {
				return nil, err
			}
		}
	}
	return errs, nil
}

// UpdateProfile checks a draft for a user and stores it. What is wrong is
// iam.Errors, and nothing is stored then.
func (s *Service) UpdateProfile(ctx context.Context, r *realms.Realm, c Context, id iam.UserID, given Draft,
	replace bool) (*iam.User, error) {
	p, err := ProfileOf(r)
	if err != nil {
		return nil, err
	}
	u, err := s.Get(ctx, r, id)
	if err != nil {
		return nil, err
	}
	errs, err := s.CheckDraft(ctx, p.In(c, u), given)
	if err != nil {
		return nil, err
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return s.Change(ctx, r, id, func(u *iam.User) error {
		p.In(c, u).Apply(u, given, replace)
		return r.FillDefaults(u)
	})
}

// CheckEmail lists what is wrong with a new address for a user.
// Keycloak: UpdateEmail.validateEmailUpdate.
func (s *Service) CheckEmail(ctx context.Context, r *realms.Realm, u *iam.User, email string) (iam.Errors, error) {
	p, err := ProfileOf(r)
	if err != nil {
		return nil, err
	}
	return s.CheckDraft(ctx, p.In(UpdateEmail, u), emailDraft(u, email))
}

func emailDraft(u *iam.User, email string) Draft {
	return Kept(u, Draft{"username": {u.Username}, "email": {strings.TrimSpace(email)}})
}

// UpdateEmail gives a user another address, which is checked before: what is wrong with it is iam.Errors.
// What waited for it is done. Keycloak: UpdateEmail.updateEmailNow.
func (s *Service) UpdateEmail(ctx context.Context, r *realms.Realm, u *iam.User, email string, verified bool) (*iam.User, error) {
	errs, err := s.CheckEmail(ctx, r, u, email)
	if err != nil {
		return nil, err
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return s.Change(ctx, r, u.ID, func(u *iam.User) error {
		before := u.Email
		setValues(u, "email", []string{strings.TrimSpace(email)})
		if verified {
			u.EmailVerified = true
		} else if u.Email != before {
			u.EmailVerified = false
		}
		delete(u.Attrs, EmailPending)
		u.Required = slices.DeleteFunc(u.Required, func(alias string) bool {
			return alias == "UPDATE_EMAIL" || verified && alias == "VERIFY_EMAIL"
		})
		return nil
	})
}

// CheckDraft lists what is wrong with a draft: by the profile's rules, and because
// somebody else has the name or the address.
func (s *Service) CheckDraft(ctx context.Context, v *View, given Draft) (iam.Errors, error) {
	taken, err := s.CheckTaken(ctx, v, given)
	return append(v.Check(given), taken...), err
}

// Register makes a user out of a checked registration.
func (s *Service) Register(ctx context.Context, r *realms.Realm, given Draft) (*iam.User, error) {
	p, err := ProfileOf(r)
	if err != nil {
		return nil, err
	}
	u := &iam.User{Enabled: true}
	p.In(Registration, nil).Apply(u, given, true)
	return u, s.Create(ctx, r, &Newcomer{User: u})
}

// SetProfile replaces a realm's user profile, nil for Keycloak's default, and
// returns the one that holds from now on. What is wrong with it is an
// *iam.Error with Keycloak's list of mistakes.
func (s *Service) SetProfile(ctx context.Context, cache *realms.Cache, r *realms.Realm, cfg *rep.UPConfig) (*rep.UPConfig, error) {
	text := ""
	if cfg != nil {
		if err := CheckProfile(r, cfg); err != nil {
			return nil, err
		}
		if cfg.Groups == nil {
			cfg.Groups = []rep.UPGroup{}
		}
		b, err := rep.Marshal(cfg)
		if err != nil {
			return nil, err
		}
		text = string(b)
	}
	if err := cache.Change(ctx, r.ID, func(tx *store.Tx) error { return putProfile(ctx, tx, r, text) }); err != nil {
		return nil, err
	}
	now, err := cache.ByID(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	p, err := ProfileOf(now)
	if err != nil {
		return nil, err
	}
	return p.Config, nil
}

func putProfile(ctx context.Context, tx *store.Tx, r *realms.Realm, text string) error {
	c := r.Profile()
	doc := &rep.Component{ProviderID: profileProvider, ProviderType: realms.ProfileType, ParentID: string(r.ID)}
	if c != nil {
		var err error
		if doc, err = rep.Clone(c.Rep); err != nil {
			return err
		}
	} else {
		doc.ID = realms.NewID()
	}
	doc.Config = maps.Clone(doc.Config)
	if doc.Config == nil {
		doc.Config = map[string][]string{}
	}
	delete(doc.Config, realms.ProfileConfig)
	if text != "" {
		doc.Config[realms.ProfileConfig] = []string{text}
	}
	b, err := rep.Marshal(doc)
	if err != nil {
		return err
	}
	if c == nil {
		return tx.InsertObject(ctx, r.ID, store.Object{Kind: store.KindComponent, ID: doc.ID, Parent: doc.ParentID, Name: doc.Name, Doc: b})
	}
	o, err := tx.Object(ctx, r.ID, store.KindComponent, c.ID)
	if err != nil {
		return err
	}
	o.Doc = b
	return tx.UpdateObject(ctx, r.ID, o)
}

// CheckProfile says what is wrong with a profile, nil for nothing.
func CheckProfile(r *realms.Realm, cfg *rep.UPConfig) error {
	if mistakes := profileMistakes(r, cfg); len(mistakes) > 0 {
		return iam.Errorf(iam.Invalid, "[%s]", strings.Join(mistakes, ", "))
	}
	return nil
}

// profileMistakes is Keycloak's UPConfigUtils.validate.
func profileMistakes(r *realms.Realm, cfg *rep.UPConfig) []string {
	var list []string
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	seen := map[string]bool{}
	for i := range cfg.Attributes {
		a := &cfg.Attributes[i]
		switch {
		case strings.TrimSpace(a.Name) == "":
			add("Attribute configuration without 'name' is not allowed")
		case seen[a.Name]:
			add("Attribute configuration already exists with 'name':'%s'", a.Name)
		case strings.ContainsFunc(a.Name, func(c rune) bool { return !alphanumeric(c) && !strings.ContainsRune("._-", c) }):
			add("Invalid attribute name (only letters, numbers and '.' '_' '-' special characters allowed): %s'", a.Name)
		}
		seen[a.Name] = true
		for _, id := range slices.Sorted(maps.Keys(a.Validations)) {
			_, known := validators[id]
			_, err := newCheck(id, a.Validations[id])
			switch bad, wrong := errors.AsType[mistakes](err); {
			case strings.TrimSpace(id) == "":
				add("Validation without validator id is defined for attribute '%s'", a.Name)
			case !known:
				add("Validator '%s' defined for attribute '%s' doesn't exist", id, a.Name)
			case wrong:
				add("Validator '%s' defined for attribute '%s' has incorrect configuration: %s", id, a.Name, bad.of(id))
			}
		}
		roles := func(where string, given []string) {
			for _, role := range given {
				if role != "admin" && role != "user" {
					add("'%s' configuration for attribute '%s' contains unsupported role '%s'", where, a.Name, role)
				}
			}
		}
		scopes := func(where string, given []string) {
			for _, scope := range given {
				if r.ScopeByName(scope) == nil {
					add("'%s' configuration for attribute '%s' contains unsupported scope '%s'", where, a.Name, scope)
				}
			}
		}
		if p := a.Permissions; p != nil {
			roles("permissions.view", p.View)
			roles("permissions.edit", p.Edit)
		}
		if q := a.Required; q != nil {
			roles("required.roles", q.Roles)
			scopes("required.scopes", q.Scopes)
		}
		if a.Selector != nil {
			scopes("selector.scopes", a.Selector.Scopes)
		}
		if a.Group != nil && !slices.ContainsFunc(cfg.Groups, func(g rep.UPGroup) bool { return g.Name == *a.Group }) {
			add("Attribute '%s' references unknown group '%s'", a.Name, *a.Group)
		}
	}
	for _, name := range []string{"username", "email"} {
		if !seen[name] && cfg.Attributes != nil {
			add("The attribute '%s' can not be removed", name)
		}
	}
	nameless := 0
	for _, g := range cfg.Groups {
		if g.Name == "" {
			nameless++
		}
	}
	if nameless > 0 {
		add("Name is mandatory for groups, found %d group(s) without name.", nameless)
	}
	return list
}
