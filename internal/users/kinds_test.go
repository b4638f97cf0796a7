package users_test

import (
	"slices"
	"strings"
	"testing"

	"latchkey/internal/authn/steps"
	"latchkey/internal/emails"
	"latchkey/internal/iam"
	"latchkey/internal/logout"
	"latchkey/internal/rep"
	"latchkey/internal/roles"
	"latchkey/internal/sessions"
	"latchkey/internal/users"
)

// What the table of kinds says holds for each kind that comes to it.
func TestCredentialTypes(t *testing.T) {
	owner := map[string]iam.CredentialKind{}
	own := func(kind iam.CredentialKind, names ...string) {
		for _, name := range names {
			if other, taken := owner[name]; taken && name != "" {
				t.Errorf("%s is of %s and of %s", name, other, kind)
			}
			owner[name] = kind
		}
	}
	for i := range iam.CredentialTypes {
		k := &iam.CredentialTypes[i]
		own(k.Kind, string(k.Kind), k.Create, k.Update)
		own(k.Kind, k.Authenticators...)
		own(k.Kind, k.Others...)
		if slices.Contains([]string{k.Action(), k.Category, k.DisplayName, k.HelpText, k.Icon}, "") || len(k.Authenticators) == 0 {
			t.Errorf("%s is incomplete: %+v", k.Kind, k)
		}
		if removable := users.Removable(k.Kind); removable && !users.Checks(k.Kind) || removable && !k.Removable {
			t.Errorf("%s may be removed", k.Kind)
		}
		shown := rep.ShownCredential(&iam.Credential{ID: "1", Kind: k.Kind, Label: "mine", Data: []byte(`{"public":1}`),
			Secret: iam.Secret(`{"private":1}`), Priority: 10})
		data, err := rep.Marshal(shown)
		if err != nil || strings.Contains(string(data), "private") || !strings.Contains(string(data), "public") {
			t.Errorf("%s is shown as %s, %v", k.Kind, data, err)
		}
	}
	if users.Checks(iam.PasswordHistory) || users.Removable(iam.PasswordHistory) {
		t.Error("earlier passwords prove something")
	}
	// What a step checks is what the table says of its authenticator.
	built := map[iam.CredentialKind]bool{}
	for _, s := range steps.All(steps.Rooms{Users: new(users.Service), Roles: new(roles.Service), Sessions: new(sessions.Service),
		Ender: new(logout.Ender), Emails: new(emails.Service)}) {
		if s.Credential == "" {
			continue
		}
		built[s.Credential] = true
		if owner[s.ID] != s.Credential || s.Setup != "" && owner[s.Setup] != s.Credential {
			t.Errorf("the step %s checks %s, the table says %q, of its action %q", s.ID, s.Credential, owner[s.ID], owner[s.Setup])
		}
	}
	for _, k := range iam.CredentialTypes {
		if users.Checks(k.Kind) != built[k.Kind] {
			t.Errorf("%s: there is a check %v, there is a step %v", k.Kind, users.Checks(k.Kind), built[k.Kind])
		}
	}
}
