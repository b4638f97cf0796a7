package actions

import (
	"context"
	"maps"
	"slices"
	"strings"

	"latchkey/internal/authn"
	"latchkey/internal/iam"
	"latchkey/internal/pages"
)

// Keycloak: UpdateProfile, VerifyUserProfile.

func (w World) showProfile(ctx context.Context, r *authn.Run) (authn.Result, error) {
	attrs, err := w.Profile(ctx, r.Realm, r.User, nil)
	if err != nil {
		return nil, err
	}
	return authn.Challenge{Page: page(pages.UpdateProfile{Attributes: attrs}, "updateProfileMessage")}, nil
}

func (w World) profileDue(ctx context.Context, r *authn.Run) (bool, error) {
	errs, err := w.CheckProfile(ctx, r.Realm, r.User, nil)
	return len(errs) > 0, err
}

func (w World) showVerify(ctx context.Context, r *authn.Run) (authn.Result, error) {
	errs, err := w.CheckProfile(ctx, r.Realm, r.User, nil)
	if err != nil {
		return nil, err
	}
	if len(errs) == 0 {
		return authn.Success{}, nil
	}
	attrs, err := w.Profile(ctx, r.Realm, r.User, nil)
	if err != nil {
		return nil, err
	}
	var fields []string
	for _, e := range errs {
		if !slices.Contains(fields, e.Field) {
			fields = append(fields, e.Field)
		}
	}
	r.Detail("fields_to_update", strings.Join(fields, ","))
	r.EmitAs("VERIFY_PROFILE", "")
	delete(r.Event.Details, "fields_to_update")
	return authn.Challenge{Page: page(pages.UpdateProfile{Attributes: attrs}, "", errs...)}, nil
}

func (w World) updateProfile(ctx context.Context, r *authn.Run) (authn.Result, error) {
	r.Event.Kind = "UPDATE_PROFILE"
	r.Detail("context", "UPDATE_PROFILE")
	before := *r.User
	after, errs, err := w.UpdateProfile(ctx, r.Realm, r.User, r.Form)
	if err != nil {
		return nil, err
	}
	if len(errs) > 0 {
		attrs, err := w.Profile(ctx, r.Realm, r.User, r.Form)
		if err != nil {
			return nil, err
		}
		return authn.Challenge{Page: page(pages.UpdateProfile{Attributes: attrs}, "", errs...)}, nil
	}
	r.User = after
	tellChanges(r, &before, after)
	r.Emit("")
	return authn.Success{}, nil
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
