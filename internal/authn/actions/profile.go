package actions

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"latchkey/internal/authn"
	"latchkey/internal/iam"
	"latchkey/internal/pages"
	"latchkey/internal/rep"
	"latchkey/internal/users"
)

// Keycloak: UpdateProfile, VerifyUserProfile.

// viewOf looks at the user's profile as the user may change it.
func viewOf(r *authn.Run) (*users.View, error) {
	p, err := users.ProfileOf(r.Realm)
	if err != nil {
		return nil, err
	}
	return p.In(users.UpdateProfile, r.User), nil
}

func showProfile(_ context.Context, r *authn.Run) (authn.Result, error) {
	v, err := viewOf(r)
	if err != nil {
		return nil, err
	}
	return authn.Challenge{Page: page(pages.UpdateProfile{Attributes: Attributes(v, nil)}, "updateProfileMessage")}, nil
}

func profileDue(_ context.Context, r *authn.Run) (bool, error) {
	v, err := viewOf(r)
	return err == nil && len(v.CheckStored()) > 0, err
}

func showVerify(_ context.Context, r *authn.Run) (authn.Result, error) {
	v, err := viewOf(r)
	if err != nil {
		return nil, err
	}
	errs := v.CheckStored()
	if len(errs) == 0 {
		return authn.Success{}, nil
	}
	var fields []string
	for _, e := range errs {
		if !slices.Contains(fields, e.Field) {
			fields = append(fields, e.Field)
		}
	}
	// Keycloak: VerifyUserProfile names the keys of a HashMap; where two share a bucket, the last comes first.
	slices.Reverse(fields)
	iam.HashOrder(fields, 0, func(name string) string { return name })
	r.Detail("fields_to_update", strings.Join(fields, ","))
	r.EmitAs("VERIFY_PROFILE", "")
	delete(r.Event.Details, "fields_to_update")
	return authn.Challenge{Page: page(pages.UpdateProfile{Attributes: Attributes(v, nil)}, "", FieldErrors(errs)...)}, nil
}

func (w Rooms) updateProfile(ctx context.Context, r *authn.Run) (authn.Result, error) {
	r.Event.Kind = "UPDATE_PROFILE"
	r.Detail("context", "UPDATE_PROFILE")
	before := *r.User
	after, err := w.Users.UpdateProfile(ctx, r.Realm, users.UpdateProfile, r.User.ID, users.Typed(r.Form), false)
	if wrong, is := errors.AsType[iam.Errors](err); is {
		v, err := viewOf(r)
		if err != nil {
			return nil, err
		}
		return authn.Challenge{Page: page(pages.UpdateProfile{Attributes: Attributes(v, r.Form)}, "", FieldErrors(wrong)...)}, nil
	}
	if err != nil {
		return nil, err
	}
	r.User = after
	tellChanges(r, &before, after)
	r.Emit("")
	return authn.Success{}, nil
}

// FieldErrors are what a page says of mistakes in a profile.
func FieldErrors(errs iam.Errors) []authn.FieldError {
	var out []authn.FieldError
	for _, e := range errs {
		out = append(out, authn.FieldError{Field: e.Field, Key: e.Msg, Params: e.Params})
	}
	return out
}

// Attributes are what a page shows of a profile, those without a group first, with
// what was typed in place of what is stored.
func Attributes(v *users.View, typed url.Values) []pages.Attribute {
	groups := map[string]*pages.Group{}
	for _, g := range v.Config.Groups {
		groups[g.Name] = &pages.Group{Name: g.Name, DisplayHeader: rep.Val(g.DisplayHeader), DisplayDescription: rep.Val(g.DisplayDescription)}
	}
	var out []pages.Attribute
	for _, a := range v.Attributes() {
		x := pages.Attribute{Name: a.Name, DisplayName: rep.Val(a.DisplayName), Required: a.Required, ReadOnly: a.ReadOnly,
			Multivalued: a.Multivalued,
			Values:      a.Values, Default: rep.Val(a.DefaultValue), Annotations: plain(a.Annotations), Validators: map[string]map[string]any{},
			Group: groups[rep.Val(a.Group)]}
		for name, settings := range a.Validations {
			x.Validators[name] = plain(settings)
		}
		if typed != nil && !a.ReadOnly {
			x.Values = typed[a.Name]
		}
		out = append(out, x)
	}
	place := func(a pages.Attribute) int {
		if a.Group == nil {
			return -1
		}
		return slices.IndexFunc(v.Config.Groups, func(g rep.UPGroup) bool { return g.Name == a.Group.Name })
	}
	slices.SortStableFunc(out, func(x, y pages.Attribute) int { return cmp.Compare(place(x), place(y)) })
	return out
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

// tellChanges puts what a profile's change did into the event.
// Keycloak: EventAuditingAttributeChangeListener.
func tellChanges(r *authn.Run, before, after *iam.User) {
	tell := func(name, old, new string) {
		if old == new {
			return
		}
		if old != "" {
			r.Detail("previous_"+name, old)
		}
		if new != "" {
			r.Detail("updated_"+name, new)
		}
	}
	tell("username", before.Username, after.Username)
	tell("email", before.Email, after.Email)
	tell("first_name", before.FirstName, after.FirstName)
	tell("last_name", before.LastName, after.LastName)
	names := maps.Clone(before.Attrs)
	if names == nil {
		names = map[string][]string{}
	}
	maps.Copy(names, after.Attrs)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		tell(name, strings.Join(before.Attrs[name], ", "), strings.Join(after.Attrs[name], ", "))
	}
}
