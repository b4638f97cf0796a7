package actions_test

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/internal/authn"
	"latchkey/internal/authn/actions"
	"latchkey/internal/iam"
	"latchkey/internal/pages"
)

// A life is a world with one user, which writes down what was done to it.
type life struct {
	did     []string
	expired bool
	wrong   []authn.FieldError
	mail    error
	otp     int  // devices that the user has
	may     bool // delete the own account
}

func (l *life) world() actions.World {
	do := func(what string) { l.did = append(l.did, what) }
	return actions.World{
		SetPassword: func(_ context.Context, _ *iam.Realm, _ *iam.User, pw string) error {
			if len(pw) < 6 {
				return &iam.Error{Kind: iam.Invalid, Msg: "invalidPasswordMinLengthMessage", Params: []any{6}}
			}
			do("password")
			return nil
		},
		PasswordExpired: func(context.Context, *iam.Realm, *iam.User) (bool, error) { return l.expired, nil },
		Credentials: func(context.Context, *iam.Realm, *iam.User) ([]iam.Credential, error) {
			return slices.Repeat([]iam.Credential{{ID: "device", Kind: iam.OTP, Label: "phone"}}, l.otp), nil
		},
		AddOTP: func(_ context.Context, _ *iam.Realm, _ *iam.User, _, label, code string) (bool, error) {
			if code != "123456" {
				return false, nil
			}
			do("otp " + label)
			return true, nil
		},
		Profile: func(context.Context, *iam.Realm, *iam.User, url.Values) ([]pages.Attribute, error) { return nil, nil },
		CheckProfile: func(context.Context, *iam.Realm, *iam.User, url.Values) ([]authn.FieldError, error) {
			return l.wrong, nil
		},
		UpdateProfile: func(_ context.Context, _ *iam.Realm, u *iam.User, typed url.Values) (*iam.User, []authn.FieldError, error) {
			if typed.Get("email") == "" {
				return nil, []authn.FieldError{{Field: "email", Key: "error-user-attribute-required"}}, nil
			}
			after := *u
			after.Email = typed.Get("email")
			return &after, nil, nil
		},
		SetAttr: func(_ context.Context, _ *iam.Realm, _ *iam.User, name string, values ...string) error {
			do(name + "=" + strings.Join(values, ","))
			return nil
		},
		Done: func(_ context.Context, _ *iam.Realm, _ *iam.User, alias string) error {
			do("done " + alias)
			return nil
		},
		RemoveCredential: func(_ context.Context, _ *iam.Realm, _ *iam.User, id string) error { do("remove " + id); return nil },
		HasRole:          func(context.Context, *iam.Realm, *iam.User, string) (bool, error) { return l.may, nil },
		RemoveUser:       func(context.Context, *iam.Realm, *iam.User) error { do("remove user"); return nil },
		LogoutOthers:     func(context.Context, *authn.Run) error { do("logout others"); return nil },
		SendVerification: func(context.Context, *authn.Run) error { return l.mail },
	}
}

func newRun(required ...string) *authn.Run {
	r := &authn.Run{Realm: &iam.Realm{Name: "shop"}, Tab: &iam.AuthTab{}, Now: time.Unix(1_800_000_000, 0), Event: iam.Event{Kind: "CUSTOM_REQUIRED_ACTION"},
		User: &iam.User{ID: "ann", Username: "ann", Email: "old@x.test", Enabled: true, Required: required}}
	for i, id := range []string{"TERMS_AND_CONDITIONS", "UPDATE_PROFILE", "VERIFY_EMAIL", "CONFIGURE_TOTP", "UPDATE_PASSWORD", "webauthn-register", "VERIFY_PROFILE"} {
		r.Actions = append(r.Actions, iam.RequiredAction{Alias: id, Provider: id, Enabled: true, Priority: 10 * i})
	}
	return r
}

func TestNext(t *testing.T) {
	for _, c := range []struct {
		name     string
		required []string
		kcAction string
		prepare  func(*life, *authn.Run)
		want     string
		status   string
	}{
		{name: "nothing"},
		{name: "by priority", required: []string{"UPDATE_PASSWORD", "UPDATE_PROFILE"}, want: "UPDATE_PROFILE"},
		{name: "the login's own", prepare: func(_ *life, r *authn.Run) { r.Require("CONFIGURE_TOTP") }, want: "CONFIGURE_TOTP"},
		{name: "switched off", required: []string{"UPDATE_PROFILE"}, prepare: func(_ *life, r *authn.Run) { r.Actions[1].Enabled = false }},
		{name: "unknown to the realm", required: []string{"made-up"}},
		{name: "expired password", prepare: func(l *life, _ *authn.Run) { l.expired = true }, want: "UPDATE_PASSWORD"},
		{name: "address to verify", prepare: func(_ *life, r *authn.Run) { r.Realm.Login.VerifyEmail = true }, want: "VERIFY_EMAIL"},
		{name: "incomplete profile", prepare: func(l *life, _ *authn.Run) { l.wrong = []authn.FieldError{{Field: "lastName"}} }, want: "VERIFY_PROFILE"},
		{name: "a complete profile needs no look", required: []string{"VERIFY_PROFILE"}},
		{name: "the application's comes last", required: []string{"VERIFY_EMAIL"}, kcAction: "TERMS_AND_CONDITIONS", want: "VERIFY_EMAIL"},
		{name: "the application's", kcAction: "UPDATE_PASSWORD", want: "UPDATE_PASSWORD"},
		{name: "the application's, unknown", kcAction: "made-up", status: "error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, r := &life{}, newRun(c.required...)
			r.Tab.Request.Action = c.kcAction
			if c.prepare != nil {
				c.prepare(l, r)
			}
			got, err := actions.New(l.world()).Next(t.Context(), r, nil)
			if err != nil || got != c.want || r.Note(actions.NoteStatus) != c.status {
				t.Errorf("got %q, status %q, %v", got, r.Note(actions.NoteStatus), err)
			}
		})
	}
}

// What is asked for by nobody but the application may be refused it.
func TestApplicationsAction(t *testing.T) {
	s := actions.New((&life{}).world())
	r := newRun()
	r.Tab.Request.Action = "VERIFY_PROFILE" // Keycloak: InitiatedActionSupport.NOT_SUPPORTED
	res, err := s.Show(t.Context(), r, "VERIFY_PROFILE")
	if _, ok := res.(authn.Attempted); !ok || err != nil || r.Note(actions.NoteStatus) != "error" {
		t.Errorf("%T %v, status %q", res, err, r.Note(actions.NoteStatus))
	}
	r = newRun("UPDATE_PASSWORD")
	r.Tab.Request.Action = "UPDATE_PASSWORD"
	if s.Initiated(r, "UPDATE_PASSWORD") {
		t.Error("what an administrator wants cannot be cancelled")
	}
}

func TestNotBuiltFailsByName(t *testing.T) {
	r := newRun("webauthn-register")
	res, err := actions.New((&life{}).world()).Show(t.Context(), r, "webauthn-register")
	abort, ok := res.(authn.Abort)
	if !ok || err != nil || abort.Err.Code != authn.NotBuilt || !strings.Contains(abort.Err.Provider, "webauthn-register") {
		t.Errorf("%+v %v", res, err)
	}
}

func TestSubmit(t *testing.T) {
	secret := "abcdefghij0123456789"
	for _, c := range []struct {
		action, form string
		otp          int
		want         string // what the page says, or how it ended, and what was done and written
	}{
		{"UPDATE_PASSWORD", "password-new=&password-confirm=", 0, "password:missingPasswordMessage !UPDATE_PASSWORD_ERROR/password_missing !UPDATE_CREDENTIAL_ERROR/password_missing"},
		{"UPDATE_PASSWORD", "password-new=long-enough&password-confirm=x", 0, "password-confirm:notMatchPasswordMessage !UPDATE_PASSWORD_ERROR/password_confirm_error !UPDATE_CREDENTIAL_ERROR/password_confirm_error"},
		{"UPDATE_PASSWORD", "password-new=short&password-confirm=short", 0, "invalidPasswordMinLengthMessage !UPDATE_PASSWORD_ERROR/password_rejected !UPDATE_CREDENTIAL_ERROR/password_rejected"},
		{"UPDATE_PASSWORD", "password-new=long-enough&password-confirm=long-enough", 0, "success password, done UPDATE_PASSWORD !UPDATE_PASSWORD/ !UPDATE_CREDENTIAL/"},
		{"UPDATE_PASSWORD", "password-new=long-enough&password-confirm=long-enough&logout-sessions=on", 0, "success password, logout others, done UPDATE_PASSWORD !UPDATE_PASSWORD/ !UPDATE_CREDENTIAL/"},
		{"CONFIGURE_TOTP", "totp=&totpSecret=" + secret, 0, "totp:missingTotpMessage"},
		{"CONFIGURE_TOTP", "totp=123456&totpSecret=short", 0, "totp:invalidTotpMessage"},
		{"CONFIGURE_TOTP", "totp=000000&totpSecret=" + secret, 0, "totp:invalidTotpMessage"},
		{"CONFIGURE_TOTP", "totp=123456&totpSecret=" + secret, 1, "userLabel:missingTotpDeviceNameMessage"},
		{"CONFIGURE_TOTP", "totp=123456&userLabel=phone&totpSecret=" + secret, 1, "success otp phone, done CONFIGURE_TOTP !UPDATE_TOTP/ !UPDATE_CREDENTIAL/"},
		{"TERMS_AND_CONDITIONS", "accept=1", 0, "success terms_and_conditions=1800000000, done TERMS_AND_CONDITIONS !CUSTOM_REQUIRED_ACTION/"},
		{"TERMS_AND_CONDITIONS", "cancel=1", 0, "failure termsAndConditionsDeclined terms_and_conditions="},
		{"UPDATE_PROFILE", "email=", 0, "email:error-user-attribute-required"},
		{"UPDATE_PROFILE", "email=new@x.test", 0, "success done UPDATE_PROFILE !UPDATE_PROFILE/"},
		{"VERIFY_EMAIL", "", 0, "emailSendErrorMessage !SEND_VERIFY_EMAIL_ERROR/email_send_failed"},
	} {
		l, r := &life{otp: c.otp, mail: context.DeadlineExceeded}, newRun(c.action)
		r.Form, _ = url.ParseQuery(c.form)
		res, err := actions.New(l.world()).Submit(t.Context(), r, c.action)
		if err != nil {
			t.Fatal(err)
		}
		var words []string
		switch res := res.(type) {
		case authn.Success:
			words = append(words, "success")
			if len(r.User.Required) > 0 {
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
		if len(l.did) > 0 {
			words = append(words, strings.Join(l.did, ", "))
		}
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
	r := newRun("UPDATE_PROFILE")
	r.Form = url.Values{"email": {"new@x.test"}}
	if _, err := actions.New((&life{}).world()).Submit(t.Context(), r, "UPDATE_PROFILE"); err != nil {
		t.Fatal(err)
	}
	d := r.Events[0].Details
	if d["previous_email"] != "old@x.test" || d["updated_email"] != "new@x.test" || d["context"] != "UPDATE_PROFILE" {
		t.Errorf("%v", d)
	}
}

// What an application may have the user delete. Keycloak: DeleteCredentialAction, DeleteAccount.
func TestDeletions(t *testing.T) {
	for _, c := range []struct {
		action, param string
		submit, may   bool
		want          string
	}{
		{"delete_credential", "", false, false, "attempted error !CUSTOM_REQUIRED_ACTION_ERROR/missing_credential_id"},
		{"delete_credential", "other", false, false, "attempted error !CUSTOM_REQUIRED_ACTION_ERROR/credential_not_found"},
		{"delete_credential", "device", false, false, "challenge"},
		{"delete_credential", "device", true, false, "success success remove device !REMOVE_CREDENTIAL/ !REMOVE_TOTP/"},
		{"delete_credential", "other", true, false, "challenge Credential not found !REMOVE_CREDENTIAL_ERROR/delete_credential_failed"},
		{"delete_account", "", false, false, "challenge deletingAccountForbidden"},
		{"delete_account", "", false, true, "challenge"},
		{"delete_account", "", true, false, "challenge deletingAccountForbidden !DELETE_ACCOUNT_ERROR/user_delete_error"},
		{"delete_account", "", true, true, "challenge userDeletedSuccessfully remove user !DELETE_ACCOUNT/"},
		{"update_user_locale", "", false, true, "attempted error"},
	} {
		l, r := &life{otp: 1, may: c.may}, newRun()
		r.Actions = append(r.Actions, iam.RequiredAction{Alias: c.action, Provider: c.action, Enabled: true})
		r.Tab.Request.Action, r.Tab.Request.ActionParam = c.action, c.param
		do := actions.New(l.world()).Show
		if c.submit {
			r.Form = url.Values{}
			do = actions.New(l.world()).Submit
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
		words = append(words, l.did...)
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
	for picked, want := range map[string]string{"": "", "de": "locale=de !UPDATE_PROFILE", "fr": ""} {
		l, r := &life{}, newRun()
		r.Client = &iam.Client{ClientID: "shop"}
		r.User.Attrs = map[string][]string{"locale": {"fr"}}
		r.Actions = append(r.Actions, iam.RequiredAction{Alias: "update_user_locale", Provider: actions.UpdateUserLocale, Enabled: true})
		r.SetNote(actions.NoteLocale, picked)
		if next, err := actions.New(l.world()).Next(t.Context(), r, nil); err != nil || next != "" {
			t.Fatal(next, err)
		}
		got := strings.Join(l.did, " ")
		for _, e := range r.Events {
			got += " !" + string(e.Kind)
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", picked, got, want)
		}
	}
}
