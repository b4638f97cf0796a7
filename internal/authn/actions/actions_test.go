package actions_test

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/internal/authn"
	"latchkey/internal/authn/actions"
	"latchkey/internal/authn/authntest"
	"latchkey/internal/authn/tabs"
	"latchkey/internal/iam"
	"latchkey/internal/sessions"
	"latchkey/internal/store/storetest"
	"latchkey/internal/users"
)

// shop has ann, who has a password and a device, and eve, who may delete her own account.
const shop = `{"realm":"shop","enabled":true,"internationalizationEnabled":true,"supportedLocales":["de","fr"],` + authntest.CheapHash + `,
	"users":[{"id":"ann","username":"ann","email":"old@x.test","firstName":"A","lastName":"B","enabled":true,"attributes":{"locale":["fr"]},
			"credentials":[{"type":"password","value":"ann-pw"},` + authntest.Device + `]},
		{"id":"bob","username":"bob","email":"bob@x.test","firstName":"B","lastName":"B","enabled":true},
		{"id":"old","username":"old","email":"old@y.test","firstName":"O","lastName":"B","enabled":true,"credentials":[{"type":"password","createdDate":1,
			"credentialData":"{\"algorithm\":\"pbkdf2-sha256\",\"hashIterations\":1}","secretData":"{\"value\":\"AAAAAAAAAAAAAAAAAAAAAA==\",\"salt\":\"AAAA\"}"}]},
		{"id":"carl","username":"carl","email":"carl@x.test","firstName":"C","lastName":"B","enabled":true},
		{"id":"eve","username":"eve","email":"eve@x.test","firstName":"E","lastName":"B","enabled":true,"clientRoles":{"account":["delete-account"]}}]}`

// A life is a realm with some users, and its required actions.
type life struct {
	*testing.T
	*authntest.House
	*actions.Set
}

func newLife(t *testing.T, doc string) *life {
	t.Helper()
	h := authntest.New(t, storetest.SQLite(t), doc, nil)
	return &life{t, h, actions.New(h.Actions())}
}

// run begins a walk of a user who has things to do, on the list and in the database.
func (l *life) run(name string, required ...string) *authn.Run {
	l.Helper()
	u, err := l.Users.Require(l.Context(), l.Realm, l.User(l.T, name).ID, required...)
	if err != nil {
		l.Fatal(err)
	}
	u.Required = required
	r := &authn.Run{Realm: l.Realm, Client: &iam.Client{ClientID: "shop"}, Tab: &iam.AuthTab{Root: "root"}, Now: time.Unix(1_800_000_000, 0),
		Event: iam.Event{Kind: "CUSTOM_REQUIRED_ACTION"}, User: u}
	for i, id := range []string{"TERMS_AND_CONDITIONS", "UPDATE_PROFILE", "VERIFY_EMAIL", "CONFIGURE_TOTP", "UPDATE_PASSWORD",
		"webauthn-register", "VERIFY_PROFILE"} {
		r.Actions = append(r.Actions, iam.RequiredAction{Alias: id, Provider: id, Enabled: true, Priority: 10 * i})
	}
	return r
}

// state is what the database says of a user, in words.
func (l *life) state(name string) map[string]bool {
	l.Helper()
	u := l.User(l.T, name)
	if u == nil {
		return map[string]bool{"gone": true}
	}
	out := map[string]bool{}
	for _, a := range u.Required {
		out["required "+a] = true
	}
	for k, v := range u.Attrs {
		out[k+"="+strings.Join(v, ",")] = true
	}
	list, err := l.Users.Credentials(l.Context(), l.Realm, u.ID)
	if err != nil {
		l.Fatal(err)
	}
	for _, c := range list {
		out[strings.TrimSpace(string(c.Kind)+" "+c.Label)] = true
	}
	if got, err := l.Users.CheckPassword(l.Context(), l.Realm, u, nil, "long-enough"); got == users.Accepted && err == nil {
		out["password long-enough"] = true
	}
	sessions, err := l.Sessions.OfUser(l.Context(), l.Realm, u.ID, false)
	if err != nil {
		l.Fatal(err)
	}
	for _, s := range sessions {
		out["session "+string(s.ID)] = true
	}
	return out
}

// changes are the words that came and, with a minus, those that went.
func changes(before, after map[string]bool) (words []string) {
	for w := range before {
		if !after[w] {
			words = append(words, "-"+w)
		}
	}
	for w := range after {
		if !before[w] {
			words = append(words, "+"+w)
		}
	}
	slices.Sort(words)
	return words
}

func TestNext(t *testing.T) {
	usual := newLife(t, shop)
	for _, c := range []struct {
		name     string
		required []string
		kcAction string
		realm    string
		user     string // "ann" if empty
		prepare  func(*authn.Run)
		want     string
		status   string
	}{
		{name: "nothing"},
		{name: "by priority", required: []string{"UPDATE_PASSWORD", "UPDATE_PROFILE"}, want: "UPDATE_PROFILE"},
		{name: "the login's own", prepare: func(r *authn.Run) { r.Require("CONFIGURE_TOTP") }, want: "CONFIGURE_TOTP"},
		{name: "switched off", required: []string{"UPDATE_PROFILE"}, prepare: func(r *authn.Run) { r.Actions[1].Enabled = false }},
		{name: "unknown to the realm", required: []string{"made-up"}},
		{name: "expired password", realm: strings.Replace(shop, "length(6)", "length(6) and forceExpiredPasswordChange(1)", 1), user: "old",
			want: "UPDATE_PASSWORD"},
		{name: "address to verify", realm: strings.Replace(shop, `"enabled":true`, `"enabled":true,"verifyEmail":true`, 1), want: "VERIFY_EMAIL"},
		{name: "incomplete profile", prepare: func(r *authn.Run) { r.User.LastName = "" }, want: "VERIFY_PROFILE"},
		{name: "a complete profile needs no look", required: []string{"VERIFY_PROFILE"}},
		{name: "the application's comes last", required: []string{"VERIFY_EMAIL"}, kcAction: "TERMS_AND_CONDITIONS", want: "VERIFY_EMAIL"},
		{name: "the application's", kcAction: "UPDATE_PASSWORD", want: "UPDATE_PASSWORD"},
		{name: "the application's, unknown", kcAction: "made-up", status: "error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := usual
			if c.realm != "" {
				l = newLife(t, c.realm)
			}
			r := l.run(cmp.Or(c.user, "ann"), c.required...)
			r.Tab.Request.Action = c.kcAction
			if c.prepare != nil {
				c.prepare(r)
			}
			got, err := l.Next(t.Context(), r, nil)
			if err != nil || got != c.want || r.Note(actions.NoteStatus) != c.status {
				t.Errorf("got %q, status %q, %v", got, r.Note(actions.NoteStatus), err)
			}
		})
	}
}

// What is asked for by nobody but the application may be refused it.
func TestApplicationsAction(t *testing.T) {
	s := newLife(t, shop)
	r := s.run("ann")
	r.Tab.Request.Action = "VERIFY_PROFILE" // Keycloak: InitiatedActionSupport.NOT_SUPPORTED
	res, err := s.Show(t.Context(), r, "VERIFY_PROFILE")
	if _, ok := res.(authn.Attempted); !ok || err != nil || r.Note(actions.NoteStatus) != "error" {
		t.Errorf("%T %v, status %q", res, err, r.Note(actions.NoteStatus))
	}
	r = s.run("ann", "UPDATE_PASSWORD")
	r.Tab.Request.Action = "UPDATE_PASSWORD"
	if s.Initiated(r, "UPDATE_PASSWORD") {
		t.Error("what an administrator wants cannot be cancelled")
	}
}

func TestNotBuiltFailsByName(t *testing.T) {
	l := newLife(t, shop)
	r := l.run("ann", "CONFIGURE_X")
	res, err := l.Show(t.Context(), r, "CONFIGURE_X")
	abort, ok := res.(authn.Abort)
	if !ok || err != nil || abort.Err.Code != authn.NotBuilt || !strings.Contains(abort.Err.Provider, "CONFIGURE_X") {
		t.Errorf("%+v %v", res, err)
	}
}

func TestSubmit(t *testing.T) {
	const secret = "ABCDEFGHIJ0123456789"
	l := newLife(t, shop)
	for _, id := range []iam.SessionID{"root", "other"} {
		us := &iam.UserSession{ID: id, Realm: l.Realm.ID, User: "carl", Started: time.Now(), LastAccess: time.Now()}
		if err := l.Sessions.Login(t.Context(), &sessions.Login{Realm: l.Realm, Session: us, New: true}); err != nil {
			t.Fatal(err)
		}
	}
	code := "totp=" + l.Code(t, secret) + "&totpSecret=" + secret
	for _, c := range []struct {
		action, user, form string
		want               string // what the page says, or how it ended, and what was done and written
	}{
		{"UPDATE_PASSWORD", "bob", "password-new=&password-confirm=", "password:missingPasswordMessage !UPDATE_PASSWORD_ERROR/password_missing " +
			"!UPDATE_CREDENTIAL_ERROR/password_missing"},
		{"UPDATE_PASSWORD", "bob", "password-new=long-enough&password-confirm=x", "password-confirm:notMatchPasswordMessage " +
			"!UPDATE_PASSWORD_ERROR/password_confirm_error !UPDATE_CREDENTIAL_ERROR/password_confirm_error"},
		{"UPDATE_PASSWORD", "bob", "password-new=short&password-confirm=short", "invalidPasswordMinLengthMessage " +
			"!UPDATE_PASSWORD_ERROR/password_rejected !UPDATE_CREDENTIAL_ERROR/password_rejected"},
		{"UPDATE_PASSWORD", "bob", "password-new=long-enough&password-confirm=long-enough",
			"success +password +password long-enough -required UPDATE_PASSWORD !UPDATE_PASSWORD/ !UPDATE_CREDENTIAL/"},
		{"UPDATE_PASSWORD", "carl", "password-new=long-enough&password-confirm=long-enough&logout-sessions=on",
			"success +password +password long-enough -required UPDATE_PASSWORD -session other !UPDATE_PASSWORD/ !UPDATE_CREDENTIAL/"},
		{"CONFIGURE_TOTP", "bob", "totp=&totpSecret=" + secret, "totp:missingTotpMessage"},
		{"CONFIGURE_TOTP", "bob", "totp=123456&totpSecret=short", "totp:invalidTotpMessage"},
		{"CONFIGURE_TOTP", "bob", "totp=000000&totpSecret=" + secret, "totp:invalidTotpMessage"},
		{"CONFIGURE_TOTP", "ann", code, "userLabel:missingTotpDeviceNameMessage"},
		{"CONFIGURE_TOTP", "ann", code + "&userLabel=tablet", "success +otp tablet -required CONFIGURE_TOTP !UPDATE_TOTP/ !UPDATE_CREDENTIAL/"},
		{"TERMS_AND_CONDITIONS", "bob", "accept=1",
			"success +terms_and_conditions=1800000000 -required TERMS_AND_CONDITIONS !CUSTOM_REQUIRED_ACTION/"},
		{"TERMS_AND_CONDITIONS", "bob", "cancel=1", "failure termsAndConditionsDeclined -terms_and_conditions=1800000000"},
		{"UPDATE_PROFILE", "bob", "firstName=B&lastName=B&email=", "email:missingEmailMessage email:error-user-attribute-required"},
		{"UPDATE_PROFILE", "bob", "firstName=B&lastName=B&email=new@x.test", "success -required UPDATE_PROFILE !UPDATE_PROFILE/"},
		{"VERIFY_EMAIL", "bob", "", "emailSendErrorMessage !SEND_VERIFY_EMAIL_ERROR/email_send_failed"},
	} {
		r := l.run(c.user, c.action)
		before := l.state(c.user)
		r.Form, _ = url.ParseQuery(c.form)
		res, err := l.Submit(t.Context(), r, c.action)
		if err != nil {
			t.Fatal(err)
		}
		var words []string
		switch res := res.(type) {
		case authn.Success:
			words = append(words, "success")
			if slices.Contains(r.User.Required, c.action) {
				t.Errorf("%s: still required", c.action)
			}
		case authn.Failure:
			words = append(words, "failure", res.Message)
		case authn.Challenge:
			p := res.Page.(authn.Page)
			if p.Message != nil {
				words = append(words, p.Message.Key)
			}
			for _, e := range p.Errors {
				words = append(words, e.Field+":"+e.Key)
			}
		}
		words = append(words, changes(before, l.state(c.user))...)
		for _, e := range r.Events {
			words = append(words, "!"+string(e.Kind)+"/"+e.Error)
		}
		if got := strings.Join(words, " "); got != c.want {
			t.Errorf("%s %s:\n got %q\nwant %q", c.action, c.form, got, c.want)
		}
	}
}

// Oracle: login/other-actions
func TestProfileChangesAreTold(t *testing.T) {
	l := newLife(t, shop)
	r := l.run("ann", "UPDATE_PROFILE")
	r.Form = url.Values{"email": {"new@x.test"}, "firstName": {"A"}, "lastName": {"B"}}
	if _, err := l.Submit(t.Context(), r, "UPDATE_PROFILE"); err != nil {
		t.Fatal(err)
	}
	d := r.Events[0].Details
	if d["previous_email"] != "old@x.test" || d["updated_email"] != "new@x.test" || d["context"] != "UPDATE_PROFILE" {
		t.Errorf("%v", d)
	}
}

// What an application may have the user delete. Keycloak: DeleteCredentialAction, DeleteAccount.
func TestDeletions(t *testing.T) {
	l := newLife(t, shop)
	for _, c := range []struct {
		action, param string
		submit        bool
		user, want    string
	}{
		{"delete_credential", "", false, "ann", "attempted error !CUSTOM_REQUIRED_ACTION_ERROR/missing_credential_id"},
		{"delete_credential", "other", false, "ann", "attempted error !CUSTOM_REQUIRED_ACTION_ERROR/credential_not_found"},
		{"delete_credential", "device", false, "ann", "challenge"},
		{"delete_credential", "device", true, "ann", "success success -otp phone !REMOVE_TOTP/ !REMOVE_CREDENTIAL/"},
		{"delete_credential", "other", true, "ann", "challenge Credential not found !REMOVE_CREDENTIAL_ERROR/delete_credential_failed"},
		{"delete_account", "", false, "ann", "challenge deletingAccountForbidden"},
		{"delete_account", "", false, "eve", "challenge"},
		{"delete_account", "", true, "ann", "challenge deletingAccountForbidden !DELETE_ACCOUNT_ERROR/user_delete_error"},
		{"delete_account", "", true, "eve", "challenge userDeletedSuccessfully +gone !DELETE_ACCOUNT/"},
		{"update_user_locale", "", false, "ann", "attempted error"},
	} {
		r := l.run(c.user)
		before := l.state(c.user)
		r.Actions = append(r.Actions, iam.RequiredAction{Alias: c.action, Provider: c.action, Enabled: true})
		r.Tab.Request.Action, r.Tab.Request.ActionParam = c.action, c.param
		do := l.Show
		if c.submit {
			r.Form = url.Values{}
			do = l.Submit
		}
		res, err := do(t.Context(), r, c.action)
		if err != nil {
			t.Fatal(err)
		}
		var words []string
		switch res := res.(type) {
		case authn.Success:
			words = append(words, "success")
		case authn.Attempted:
			words = append(words, "attempted")
		case authn.Challenge:
			words = append(words, "challenge")
			if m := res.Page.(authn.Page).Message; m != nil {
				words = append(words, m.Key)
			}
		}
		if status := r.Note(actions.NoteStatus); status != "" {
			words = append(words, status)
		}
		after := l.state(c.user)
		if after["gone"] {
			before = nil
		}
		words = append(words, changes(before, after)...)
		for _, e := range r.Events {
			words = append(words, "!"+string(e.Kind)+"/"+e.Error)
		}
		if got := strings.Join(words, " "); got != c.want {
			t.Errorf("%s %q:\n got %q\nwant %q", c.action, c.param, got, c.want)
		}
	}
}

// The language picked on a page becomes the user's. Keycloak: UpdateUserLocaleAction.
func TestLocaleIsKept(t *testing.T) {
	l := newLife(t, shop)
	for _, c := range [][2]string{{"", ""}, {"fr", ""}, {"de", "+locale=de -locale=fr !UPDATE_PROFILE"}} {
		picked, want := c[0], c[1]
		r := l.run("ann")
		before := l.state("ann")
		r.Actions = append(r.Actions, iam.RequiredAction{Alias: "update_user_locale", Provider: actions.UpdateUserLocale, Enabled: true})
		r.SetNote(tabs.NoteLocale, picked)
		if next, err := l.Next(t.Context(), r, nil); err != nil || next != "" {
			t.Fatal(next, err)
		}
		got := strings.Join(changes(before, l.state("ann")), " ")
		for _, e := range r.Events {
			got += " !" + string(e.Kind)
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", picked, got, want)
		}
	}
}
