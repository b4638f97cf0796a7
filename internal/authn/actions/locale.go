package actions

import (
	"context"

	"latchkey/internal/authn"
	"latchkey/internal/authn/tabs"
	"latchkey/internal/iam"
)

// UpdateUserLocale is the provider id of the action that keeps the user's language.
const UpdateUserLocale = "update_user_locale"

// localeDue keeps the language that the user picked: it is never due, but done
// whenever the login looks at what is. Keycloak: UpdateUserLocaleAction, DefaultLocaleUpdaterProvider.
func (w Rooms) localeDue(ctx context.Context, r *authn.Run) (bool, error) {
	picked, had := r.Note(tabs.NoteLocale), r.User.Attr("locale")
	if picked == "" || picked == had {
		return false, nil
	}
	if _, err := w.Users.SetAttr(ctx, r.Realm, r.User.ID, "locale", picked); err != nil {
		return false, err
	}
	u := *r.User
	u.Attrs = map[string][]string{}
	for name, values := range r.User.Attrs {
		u.Attrs[name] = values
	}
	u.Attrs["locale"] = []string{picked}
	r.User = &u
	e := iam.Event{Kind: "UPDATE_PROFILE", Client: r.Client.ClientID, User: u.ID, IP: r.IP,
		Details: map[string]string{"updated_locale": picked}}
	if had != "" {
		e.Details["previous_locale"] = had
	}
	r.Events = append(r.Events, e)
	return false, nil
}

// KeptLocale is the language of the user whose login ends, empty when there is none, and whether the browser's cookie is to be
// brought in line with it: in a realm that keeps it, unless it was picked in this login. Keycloak: UpdateUserLocaleAction.evaluateTriggers.
func KeptLocale(r *authn.Run) (locale string, due bool) {
	for _, x := range r.Actions {
		due = due || x.Provider == UpdateUserLocale && x.Enabled
	}
	if !due || r.Note(tabs.NoteLocale) != "" {
		return "", false
	}
	return r.User.Attr("locale"), true
}

// passOver is an action without a page.
func passOver(context.Context, *authn.Run) (authn.Result, error) { return authn.Attempted{}, nil }
