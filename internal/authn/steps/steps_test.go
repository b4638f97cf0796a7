package steps_test

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/internal/authn"
	"latchkey/internal/authn/steps"
	"latchkey/internal/iam"
	"latchkey/internal/pages"
)

// people is a world of a few users whose passwords are their names + "-pw"
// and whose one-time code is 123456.
type people struct {
	users  []*iam.User
	locked string
	otp    map[iam.UserID]bool
	nopass map[iam.UserID]bool
	hashed int // passwords, for those who are not there too
}

func (p *people) world() steps.World {
	return steps.World{
		FindUser: func(_ context.Context, _ *iam.Realm, login string) (*iam.User, error) {
			for _, u := range p.users {
				if u.Username == login || u.Email == login {
					return u, nil
				}
			}
			return nil, nil
		},
		Password: func(_ context.Context, _ *iam.Realm, u *iam.User, _ *iam.Guess, pw string) (bool, error) {
			p.hashed++
			return u != nil && !p.nopass[u.ID] && pw == u.Username+"-pw", nil
		},
		Guess: func(context.Context, *iam.Realm, *iam.User) (*iam.Guess, string, error) { return nil, p.locked, nil },
		OTP: func(_ context.Context, _ *iam.Realm, _ *iam.User, _ *iam.Guess, id, code string) (bool, error) {
			return id == "device" && code == "123456", nil
		},
		Credentials: func(_ context.Context, _ *iam.Realm, u *iam.User) (out []iam.Credential, err error) {
			if p.otp[u.ID] {
				out = append(out, iam.Credential{ID: "device", Kind: iam.OTP})
			}
			if !p.nopass[u.ID] {
				out = append(out, iam.Credential{ID: "pw", Kind: iam.Password})
			}
			return out, nil
		},
		Locked: func(context.Context, *iam.Realm, *iam.User) (string, error) { return p.locked, nil },
		HasRole: func(_ context.Context, _ *iam.Realm, u *iam.User, role string) (bool, error) {
			return u.Attr("role") == role, nil
		},
		HasProvider: func(_ context.Context, _ *iam.Realm, alias string) bool { return alias == "google" },
		CheckProfile: func(_ context.Context, _ *iam.Realm, typed url.Values) ([]authn.FieldError, error) {
			if typed.Get("username") == "ann" {
				return []authn.FieldError{{Field: "username", Key: "usernameExistsMessage"}}, nil
			}
			return nil, nil
		},
		Profile:          func(context.Context, *iam.Realm, url.Values) ([]pages.Attribute, error) { return nil, nil },
		CheckNewPassword: func(context.Context, *iam.Realm, url.Values, string) (*authn.FieldError, error) { return nil, nil },
		Register: func(_ context.Context, _ *iam.Realm, typed url.Values) (*iam.User, error) {
			u := &iam.User{ID: "new", Username: typed.Get("username"), Enabled: true}
			p.users = append(p.users, u)
			return u, nil
		},
		SetPassword: func(context.Context, *iam.Realm, *iam.User, string) error { return nil },
		SendReset:   func(context.Context, *authn.Run) error { return &iam.Error{Msg: "no mail server"} },
	}
}

func (p *people) engine() *authn.Engine {
	w := p.world()
	return authn.New(steps.All(w), func(ctx context.Context, r *authn.Run) (kinds []iam.CredentialKind, err error) {
		creds, err := w.Credentials(ctx, r.Realm, r.User)
		for _, c := range creds {
			kinds = append(kinds, c.Kind)
		}
		return kinds, err
	})
}

func newPeople() *people {
	return &people{
		users: []*iam.User{
			{ID: "ann", Username: "ann", Email: "ann@example.test", Enabled: true},
			{ID: "otto", Username: "otto", Enabled: true},
			{ID: "off", Username: "off", Enabled: false},
			{ID: "nopass", Username: "nopass", Enabled: true},
			{ID: "service", Username: "service-account-x", Enabled: true, ServiceAccount: "x"},
		},
		otp: map[iam.UserID]bool{"otto": true}, nopass: map[iam.UserID]bool{"nopass": true},
	}
}

// The time of an answer tells nobody who exists, has a password, is locked out or
// disabled: each costs as many hashes as a wrong password.
func TestAnswersTakeAsLong(t *testing.T) {
	for _, door := range []struct{ step, password, name string }{
		{"auth-username-password-form", "wrong", "the form"},
		{"auth-username-password-form", "", "the form, without a password"},
		{"direct-grant-validate-username", "wrong", "the grant"},
	} {
		hashes := func(username, locked string) int {
			p := newPeople()
			p.locked = locked
			r, e := newRun(), p.engine()
			f := flow(exec(iam.Required, door.step))
			if door.step != "auth-username-password-form" {
				f.Executions = append(f.Executions, exec(iam.Required, "direct-grant-validate-password"))
			} else if _, err := e.Start(t.Context(), r, f); err != nil {
				t.Fatal(err)
			}
			r.Form = form("username", username, "password", door.password)
			var err error
			if door.step == "auth-username-password-form" {
				_, err = e.Submit(t.Context(), r, f, iam.ExecID(door.step))
			} else {
				_, err = e.Start(t.Context(), r, f)
			}
			if err != nil {
				t.Fatal(err)
			}
			return p.hashed
		}
		want := hashes("ann", "")
		for _, c := range []struct{ username, locked string }{
			{"nobody", ""}, {"service-account-x", ""}, {"nopass", ""}, {"off", ""}, {"ann", "user_temporarily_disabled"}, {"ann", "user_disabled"},
		} {
			if got := hashes(c.username, c.locked); got != want {
				t.Errorf("%s: %s %s costs %d hashes, a wrong password %d", door.name, c.username, c.locked, got, want)
			}
		}
	}
}

func exec(req iam.Requirement, id string, config ...string) iam.Execution {
	x := iam.Execution{ID: iam.ExecID(id), Requirement: req, Authenticator: id, Config: map[string]string{}}
	for i := 0; i+1 < len(config); i += 2 {
		x.Config[config[i]] = config[i+1]
	}
	return x
}

func sub(req iam.Requirement, alias string, xs ...iam.Execution) iam.Execution {
	return iam.Execution{ID: iam.ExecID(alias), Requirement: req, Sub: &iam.Flow{Alias: alias, Provider: "basic-flow", Executions: xs}}
}

func flow(xs ...iam.Execution) *iam.Flow {
	return &iam.Flow{Alias: "top", Provider: "basic-flow", TopLevel: true, Executions: xs}
}

// browser is the default browser flow of Keycloak 26.7.
func browser() *iam.Flow {
	return flow(
		exec(iam.Alternative, "auth-cookie"),
		exec(iam.Disabled, "auth-spnego"),
		exec(iam.Alternative, "identity-provider-redirector"),
		sub(iam.Alternative, "forms",
			exec(iam.Required, "auth-username-password-form"),
			sub(iam.Conditional, "2FA",
				exec(iam.Required, "conditional-user-configured"),
				exec(iam.Required, "conditional-credential", "credentials", "webauthn-passwordless", "included", "false"),
				exec(iam.Alternative, "auth-otp-form"),
				exec(iam.Disabled, "webauthn-authenticator"),
			)))
}

func directGrant() *iam.Flow {
	return flow(
		exec(iam.Required, "direct-grant-validate-username"),
		exec(iam.Required, "direct-grant-validate-password"),
		sub(iam.Conditional, "OTP",
			exec(iam.Required, "conditional-user-configured"),
			exec(iam.Required, "direct-grant-validate-otp")))
}

var now = time.Unix(1_800_000_000, 0)

func newRun() *authn.Run {
	return &authn.Run{Realm: &iam.Realm{Login: iam.LoginPolicy{LoginWithEmail: true, RememberMe: true}}, Client: &iam.Client{}, Tab: &iam.AuthTab{}, Now: now, Event: iam.Event{Kind: "LOGIN"}}
}

func form(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

// outcome tells an outcome in a few words: where it stands, what it says, what was written.
func outcome(t *testing.T, r *authn.Run, out authn.Outcome, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	switch out := out.(type) {
	case authn.Passed:
		words = append(words, "passed", string(r.User.ID))
	case authn.Failed:
		words = append(words, "failed", out.Err.Error())
	case authn.Forked:
		words = append(words, "forked", out.Success.Key)
	case authn.Show:
		words = append(words, string(out.Exec))
		switch p := out.Page.(type) {
		case authn.Page:
			if p.Message != nil {
				words = append(words, p.Message.Key)
			}
			for _, e := range p.Errors {
				words = append(words, e.Field+":"+e.Key)
			}
		case authn.Denial:
			words = append(words, p.Description)
		}
	}
	for _, e := range r.Events {
		words = append(words, "!"+string(e.Kind)+"/"+e.Error)
	}
	r.Events = nil
	return strings.Join(words, " ")
}

func TestUsernamePassword(t *testing.T) {
	for _, c := range []struct{ name, password, locked, want string }{
		{"ann", "ann-pw", "", "passed ann"},
		{" ann@example.test ", "ann-pw", "", "passed ann"},
		{"ann", "wrong", "", "auth-username-password-form password:invalidUserMessage !LOGIN_ERROR/invalid_user_credentials"},
		{"ann", "", "", "auth-username-password-form password:invalidUserMessage !LOGIN_ERROR/invalid_user_credentials"},
		{"nobody", "x", "", "auth-username-password-form username:invalidUserMessage !LOGIN_ERROR/user_not_found"},
		{"", "", "", "auth-username-password-form username:invalidUserMessage !LOGIN_ERROR/user_not_found"},
		{"service-account-x", "x", "", "auth-username-password-form username:invalidUserMessage !LOGIN_ERROR/user_not_found"},
		{"off", "off-pw", "", "auth-username-password-form accountDisabledMessage !LOGIN_ERROR/user_disabled"},
		{"off", "wrong", "", "auth-username-password-form password:invalidUserMessage !LOGIN_ERROR/invalid_user_credentials"},
		{"nopass", "x", "", "auth-username-password-form password:invalidUserMessage !LOGIN_ERROR/invalid_user_credentials"},
		{"ann", "ann-pw", "user_temporarily_disabled", "auth-username-password-form username:accountTemporarilyDisabledMessage !LOGIN_ERROR/user_temporarily_disabled"},
		{"otto", "otto-pw", "", "auth-otp-form"},
	} {
		p := newPeople()
		p.locked = c.locked
		r := newRun()
		out, err := p.engine().Start(context.Background(), r, browser())
		if got := outcome(t, r, out, err); got != "auth-username-password-form" {
			t.Fatal(got)
		}
		r.Form = form("username", c.name, "password", c.password)
		out, err = p.engine().Submit(context.Background(), r, browser(), "auth-username-password-form")
		if got := outcome(t, r, out, err); got != c.want {
			t.Errorf("%s/%s: got %q, want %q", c.name, c.password, got, c.want)
		}
	}
}

func TestOTPIsAskedForAndCannotBePassedBy(t *testing.T) {
	p, r := newPeople(), newRun()
	e, ctx, f := p.engine(), context.Background(), browser()
	must := func(want string, out authn.Outcome, err error) {
		t.Helper()
		if got := outcome(t, r, out, err); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	out, err := e.Start(ctx, r, f)
	must("auth-username-password-form", out, err)
	r.Form = form("username", "otto", "password", "otto-pw")
	out, err = e.Submit(ctx, r, f, "auth-username-password-form")
	must("auth-otp-form", out, err)
	r.Form = form("otp", "000000")
	out, err = e.Submit(ctx, r, f, "auth-otp-form")
	must("auth-otp-form totp:invalidTotpMessage !LOGIN_ERROR/invalid_user_credentials", out, err)
	r.Form = form("username", "otto", "password", "otto-pw")
	if out, err := e.Submit(ctx, r, f, "auth-username-password-form"); out != (authn.Stale{}) || err != nil {
		t.Fatal(out, err)
	}
	r.Form = nil
	out, err = e.Start(ctx, r, f)
	must("auth-otp-form", out, err)
	r.Form = form("otp", "123456", "selectedCredentialId", "of-somebody-else")
	out, err = e.Submit(ctx, r, f, "auth-otp-form")
	must("auth-otp-form totp:invalidTotpMessage !LOGIN_ERROR/invalid_user_credentials", out, err)
	r.Form = form("otp", "123456")
	out, err = e.Submit(ctx, r, f, "auth-otp-form")
	must("passed otto", out, err)
}

func TestDirectGrant(t *testing.T) {
	for _, c := range []struct{ form, want string }{
		{"username=ann&password=ann-pw", "passed ann"},
		{"username=ann&password=x", "direct-grant-validate-password Invalid user credentials !LOGIN_ERROR/invalid_user_credentials"},
		{"username=ann", "direct-grant-validate-password Invalid user credentials !LOGIN_ERROR/invalid_user_credentials"},
		{"username=x&password=x", "direct-grant-validate-username Invalid user credentials !LOGIN_ERROR/user_not_found"},
		{"username=off&password=off-pw", "direct-grant-validate-username Account disabled !LOGIN_ERROR/user_disabled"},
		{"password=x", "direct-grant-validate-username Missing parameter: username !LOGIN_ERROR/user_not_found"},
		// An imported user with a one-time code device gets nothing for the password alone.
		{"username=otto&password=otto-pw", "direct-grant-validate-otp Invalid user credentials !LOGIN_ERROR/invalid_user_credentials"},
		{"username=otto&password=otto-pw&otp=000000", "direct-grant-validate-otp Invalid user credentials !LOGIN_ERROR/invalid_user_credentials"},
		{"username=otto&password=otto-pw&totp=123456", "passed otto"},
		{"username=otto&password=otto-pw&otp=123456", "passed otto"},
	} {
		p, r := newPeople(), newRun()
		r.Form, _ = url.ParseQuery(c.form)
		out, err := p.engine().Start(context.Background(), r, directGrant())
		if got := outcome(t, r, out, err); got != c.want {
			t.Errorf("%s: got %q, want %q", c.form, got, c.want)
		}
	}
}

func TestCookie(t *testing.T) {
	p := newPeople()
	for _, c := range []struct{ prompt, maxAge, action, authTime, want, info string }{
		{"", "", "", "1799999000", "passed ann", ""},
		{"login", "", "", "1799999000", "auth-username-password-form", "reauthenticate"},
		{"", "2000", "", "1799999000", "passed ann", ""},
		{"", "1000", "", "1799999000", "passed ann", ""}, // Keycloak 26.7.3, asked: a login of this very second passes max_age=0
		{"", "999", "", "1799999000", "auth-username-password-form", "reauthenticate"},
		{"", "0", "", "1800000000", "passed ann", ""},
		{"", "0", "", "1799999999", "auth-username-password-form", "reauthenticate"},
		// An application's action needs a young login: RequiredActionProvider.getMaxAuthAge.
		{"", "", "UPDATE_PROFILE", "1799999700", "passed ann", ""},
		{"", "", "UPDATE_PROFILE", "1799999699", "auth-username-password-form", "reauthenticate"},
		{"", "", "CONFIGURE_TOTP", "1799999950", "auth-username-password-form", "reauthenticate"},
		{"", "", "delete_account", "1799999999", "auth-username-password-form", "reauthenticate"},
		{"", "", "nonsense", "1799999000", "passed ann", ""},
		{"", "-1", "", "1800000000", "auth-username-password-form", "reauthenticate"}, // nothing is that young
	} {
		r := newRun()
		r.Actions = []iam.RequiredAction{{Alias: "UPDATE_PROFILE", Provider: "UPDATE_PROFILE"}, {Alias: "delete_account", Provider: "delete_account"},
			{Alias: "CONFIGURE_TOTP", Provider: "CONFIGURE_TOTP", Config: map[string]string{"max_auth_age": "20"}}}
		r.Tab.Request = iam.AuthRequest{Prompt: c.prompt, MaxAge: c.maxAge, Action: c.action}
		r.Identity = &authn.Identity{User: p.users[0], Session: &iam.UserSession{ID: "s", Notes: map[string]string{"AUTH_TIME": c.authTime}}}
		out, err := p.engine().Start(context.Background(), r, browser())
		if got := outcome(t, r, out, err); got != c.want || r.Note(steps.NoteInfo) != c.info {
			t.Errorf("%+v: got %q, info %q", c, got, r.Note(steps.NoteInfo))
		}
		if joined := r.Session != nil; joined != (c.want == "passed ann") {
			t.Errorf("%+v: session %v", c, r.Session)
		}
	}
}

// Asked again, only the same user's password will do.
func TestReauthenticationKeepsTheUser(t *testing.T) {
	p, r := newPeople(), newRun()
	r.Tab.Request.Prompt = "login"
	r.Identity = &authn.Identity{User: p.users[0], Session: &iam.UserSession{}}
	out, err := p.engine().Start(context.Background(), r, browser())
	if v := out.(authn.Show).Page.(authn.Page).View.(pages.Login); !v.UsernameHidden || err != nil {
		t.Fatalf("%+v %v", v, err)
	}
	r.Form = form("username", "otto", "password", "otto-pw")
	out, err = p.engine().Submit(context.Background(), r, browser(), "auth-username-password-form")
	if got := outcome(t, r, out, err); got != "auth-username-password-form password:invalidUserMessage !LOGIN_ERROR/invalid_user_credentials" {
		t.Fatal(got)
	}
	r.Form = form("password", "ann-pw")
	out, err = p.engine().Submit(context.Background(), r, browser(), "auth-username-password-form")
	if got := outcome(t, r, out, err); got != "passed ann" {
		t.Fatal(got)
	}
}

func TestRedirectorFailsForARealProvider(t *testing.T) {
	for hint, want := range map[string]string{
		"google": "failed authenticator \"identity provider google\" is not available",
		"none":   "auth-username-password-form",
		"":       "auth-username-password-form",
	} {
		p, r := newPeople(), newRun()
		r.Tab.Request.IDPHint = hint
		out, err := p.engine().Start(context.Background(), r, browser())
		if got := outcome(t, r, out, err); got != want {
			t.Errorf("%q: got %q", hint, got)
		}
	}
}

func TestConditions(t *testing.T) {
	user := &iam.User{ID: "ann", Username: "ann", Enabled: true, Attrs: map[string][]string{"role": {"admin"}, "team": {"red", "blue"}}}
	for _, c := range []struct {
		id     string
		config []string
		want   bool
	}{
		{"conditional-user-role", []string{"condUserRole", "admin"}, true},
		{"conditional-user-role", []string{"condUserRole", "admin", "negate", "true"}, false},
		{"conditional-user-role", []string{"condUserRole", "other"}, false},
		{"conditional-user-attribute", []string{"attribute_name", "team", "attribute_expected_value", "blue"}, true},
		{"conditional-user-attribute", []string{"attribute_name", "team", "attribute_expected_value", "blu"}, false},
		{"conditional-user-attribute", []string{"attribute_name", "team", "attribute_expected_value", "bl.*", "regex", "true"}, true},
		{"conditional-user-attribute", []string{"attribute_name", "team", "attribute_expected_value", "blue", "not", "true"}, false},
		{"conditional-user-attribute", []string{"attribute_name", "username", "attribute_expected_value", "ann"}, true},
		{"conditional-credential", []string{"credentials", "none", "included", "true"}, true},
		{"conditional-credential", []string{"credentials", "password##otp", "included", "true"}, false},
		{"conditional-credential", []string{"credentials", "password", "included", "false"}, true},
	} {
		p, r := newPeople(), newRun()
		r.User = user
		f := flow(sub(iam.Conditional, "sub", exec(iam.Required, c.id, c.config...), exec(iam.Required, "deny-access-authenticator")), exec(iam.Required, "allow-access-authenticator"))
		out, err := p.engine().Start(context.Background(), r, f)
		if err != nil {
			t.Fatal(err)
		}
		if _, denied := out.(authn.Show); denied != c.want {
			t.Errorf("%s %v: got %v", c.id, c.config, denied)
		}
	}
}

// Keycloak: ConditionalLoaAuthenticator, the step-up flow of its documentation.
func TestLevelsOfAuthentication(t *testing.T) {
	f := flow(
		exec(iam.Alternative, "auth-cookie"),
		sub(iam.Alternative, "levels",
			sub(iam.Conditional, "1", exec(iam.Required, "conditional-level-of-authentication", "loa-condition-level", "1", "loa-max-age", "36000"), exec(iam.Required, "auth-username-password-form")),
			func() iam.Execution {
				x := sub(iam.Conditional, "2", exec(iam.Required, "conditional-level-of-authentication", "loa-condition-level", "2", "loa-max-age", "300"), exec(iam.Required, "auth-otp-form"))
				x.Sub.Executions[0].ID = "second-condition"
				return x
			}()))
	p, ctx := newPeople(), context.Background()
	e := p.engine()
	r := newRun()
	out, err := e.Start(ctx, r, f)
	if got := outcome(t, r, out, err); got != "auth-username-password-form" {
		t.Fatal(got)
	}
	r.Form = form("username", "otto", "password", "otto-pw")
	out, err = e.Submit(ctx, r, f, "auth-username-password-form")
	if got := outcome(t, r, out, err); got != "passed otto" || authn.Level(r.Tab) != 1 {
		t.Fatal(got, r.Tab.Notes)
	}
	session := &iam.UserSession{Notes: map[string]string{"loa-map": r.Tab.UserNotes["loa-map"]}}

	step := newRun()
	step.Identity = &authn.Identity{User: p.users[1], Session: session}
	step.Tab.Request.ACRValues = "gold"
	step.Realm.Attrs = map[string]string{"acr.loa.map": `{"silver":1,"gold":2}`}
	out, err = e.Start(ctx, step, f)
	if got := outcome(t, step, out, err); got != "auth-otp-form" {
		t.Fatal(got)
	}
	step.Form = form("otp", "123456")
	out, err = e.Submit(ctx, step, f, "auth-otp-form")
	if got := outcome(t, step, out, err); got != "passed otto" || authn.Level(step.Tab) != 2 {
		t.Fatal(got, step.Tab.Notes)
	}

	again := newRun()
	again.Identity = &authn.Identity{User: p.users[1], Session: session}
	again.Tab.Request.ACRValues = "silver"
	again.Realm.Attrs = step.Realm.Attrs
	out, err = e.Start(ctx, again, f)
	if got := outcome(t, again, out, err); got != "passed otto" || again.Session == nil {
		t.Fatal(got)
	}
}

// Keycloak: AcrUtils.getAcrValues, enforceMinimumAcr.
func TestMinimumACR(t *testing.T) {
	realm := &iam.Realm{Attrs: map[string]string{"acr.loa.map": `{"silver":"1","gold":2}`}}
	for _, c := range []struct{ minimum, preset, asked, want string }{
		{"", "", "silver", "silver"},
		{"gold", "", "", "gold"},
		{"gold", "", "silver", "gold"},
		{"gold", "", "silver gold", "gold"},
		{"gold", "silver", "", "gold"},
		{"silver", "gold", "", "gold"},
		{"gold", "", "elsewhere", "gold"}, // stands for no level
		{"elsewhere", "", "silver", "silver"},
	} {
		client := &iam.Client{Attrs: map[string]string{"minimum.acr.value": c.minimum, "default.acr.values": c.preset}}
		got, _ := steps.RequestedACR(realm, client, &iam.AuthRequest{ACRValues: c.asked})
		if strings.Join(got, " ") != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestRegistration(t *testing.T) {
	x := sub(iam.Required, "registration-page-form", exec(iam.Required, "registration-user-creation"), exec(iam.Required, "registration-password-action"), exec(iam.Disabled, "registration-recaptcha-action"))
	x.Authenticator, x.Sub.Provider = "registration-page-form", "form-flow"
	f := flow(x)
	for _, c := range []struct{ form, want string }{
		{"username=new&password=p&password-confirm=p", "passed new !REGISTER/"},
		{"username=ann&password=p&password-confirm=p", "registration-page-form username:usernameExistsMessage !REGISTER_ERROR/username_in_use"},
		{"username=new&password=p&password-confirm=q", "registration-page-form password-confirm:invalidPasswordConfirmMessage !REGISTER_ERROR/invalid_registration"},
		{"username=new", "registration-page-form password:missingPasswordMessage !REGISTER_ERROR/invalid_registration"},
	} {
		p, r := newPeople(), newRun()
		r.Event.Kind = "REGISTER"
		out, err := p.engine().Start(context.Background(), r, f)
		if got := outcome(t, r, out, err); got != "registration-page-form" {
			t.Fatal(got)
		}
		r.Form, _ = url.ParseQuery(c.form)
		out, err = p.engine().Submit(context.Background(), r, f, "registration-page-form")
		if got := outcome(t, r, out, err); got != c.want {
			t.Errorf("%s: got %q, want %q", c.form, got, c.want)
		}
		if r.User != nil && r.Event.Kind != "LOGIN" {
			t.Errorf("a login follows, not %s", r.Event.Kind)
		}
	}
}

func TestResetTellsNobodyWhoExists(t *testing.T) {
	f := flow(exec(iam.Required, "reset-credentials-choose-user"), exec(iam.Required, "reset-credential-email"), exec(iam.Required, "reset-password"))
	for name, want := range map[string]string{
		"nobody": "forked emailSentMessage !RESET_PASSWORD_ERROR/user_not_found",
		"off":    "forked emailSentMessage !RESET_PASSWORD_ERROR/user_disabled",
		"otto":   "forked emailSentMessage !RESET_PASSWORD_ERROR/invalid_email",
		"ann":    "forked emailSentMessage !SEND_RESET_PASSWORD_ERROR/email_send_failed",
		"":       "reset-credentials-choose-user username:missingUsernameMessage !RESET_PASSWORD_ERROR/username_missing",
	} {
		p, r := newPeople(), newRun()
		r.Event.Kind = "RESET_PASSWORD"
		out, err := p.engine().Start(context.Background(), r, f)
		if got := outcome(t, r, out, err); got != "reset-credentials-choose-user" {
			t.Fatal(got)
		}
		r.Form = form("username", name)
		out, err = p.engine().Submit(context.Background(), r, f, "reset-credentials-choose-user")
		if got := outcome(t, r, out, err); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

// Every provider of a default realm's flows is either here or one of those
// that Latchkey has not: this list only ever shrinks.
func TestWhatIsBuilt(t *testing.T) {
	missing := []string{"auth-spnego", "webauthn-authenticator", "auth-recovery-authn-code-form", "registration-recaptcha-action",
		"idp-review-profile", "idp-create-user-if-unique", "idp-confirm-link", "idp-email-verification", "idp-username-password-form", "docker-http-basic-authenticator"}
	e := newPeople().engine()
	if i := slices.IndexFunc(missing, e.Knows); i >= 0 {
		t.Errorf("%s is built by now", missing[i])
	}
}
