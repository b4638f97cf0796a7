package steps_test

import (
	"context"
	"fmt"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"latchkey/internal/authn"
	"latchkey/internal/authn/authntest"
	"latchkey/internal/authn/steps"
	"latchkey/internal/iam"
	"latchkey/internal/pages"
	"latchkey/internal/realms"
	"latchkey/internal/store/storetest"
)

// shop has a few users whose passwords are their names + "-pw"; otto has a device.
const shop = `{"realm":"shop","enabled":true,"rememberMe":true,"loginWithEmailAllowed":true,"attributes":{` + authntest.ReusableCodes +
	`,"acr.loa.map":"{\"silver\":1,\"gold\":2}"},` + authntest.CheapHash + `,
	"roles":{"realm":[{"name":"admin"}]},"clients":[{"clientId":"x","serviceAccountsEnabled":true,"secret":"s"}],
	"identityProviders":[{"alias":"google","providerId":"google","enabled":true}],
	"users":[{"id":"ann","username":"ann","email":"ann@example.test","enabled":true,"realmRoles":["admin"],"attributes":{"team":["red","blue"]},"credentials":[{"type":"password","value":"ann-pw"}]},
		{"id":"otto","username":"otto","enabled":true,"credentials":[` + authntest.Device + `,{"type":"password","value":"otto-pw"}]},
		{"id":"off","username":"off","enabled":false,"credentials":[{"type":"password","value":"off-pw"}]},
		{"id":"nopass","username":"nopass","enabled":true},
		{"username":"service-account-x","enabled":true,"serviceAccountClientId":"x"}]}`

// people are the users of a realm, and the engine that asks for them.
type people struct {
	*authntest.House
	*authn.Engine
}

func newPeople(t *testing.T, doc string) *people {
	t.Helper()
	h := authntest.New(t, storetest.SQLite(t), doc, nil)
	return &people{h, steps.New(h.Steps())}
}

// lock has a user fail until brute force protection, if the realm has it, locks the account.
func (p *people) lock(t *testing.T, name string) {
	t.Helper()
	u := p.User(t, name)
	g, _, err := p.Users.Guess(t.Context(), p.Realm, u)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Users.Failed(t.Context(), p.Realm, u.ID, "192.0.2.1", false, g); err != nil {
		t.Fatal(err)
	}
}

func (p *people) run() *authn.Run {
	return &authn.Run{Realm: p.Realm, Client: &iam.Client{}, Tab: &iam.AuthTab{}, Now: now, Event: iam.Event{Kind: "LOGIN"}}
}

// locking is a realm in which one failure locks a user out.
func locking(permanently bool) string {
	return strings.Replace(shop, `"enabled":true,`,
		fmt.Sprintf(`"enabled":true,"bruteForceProtected":true,"failureFactor":1,"waitIncrementSeconds":900,"permanentLockout":%v,`, permanently),
		1)
}

// The time of an answer tells nobody who exists, has a password, is locked out or
// disabled: each costs as many hashes as a wrong password. A hash takes some
// milliseconds of CPU here, whatever else the machine does, and of several times the shortest is told.
func TestAnswersTakeAsLong(t *testing.T) {
	slow := func(doc string) *people {
		return newPeople(t, strings.Replace(doc, "hashIterations(1)", "hashIterations(60000)", 1))
	}
	plain, temporarily, permanently := slow(shop), slow(locking(false)), slow(locking(true))
	temporarily.lock(t, "ann")
	permanently.lock(t, "ann")
	for _, door := range []struct{ step, password, name string }{
		{"auth-username-password-form", "wrong", "the form"},
		{"auth-username-password-form", "", "the form, without a password"},
		{"direct-grant-validate-username", "wrong", "the grant"},
	} {
		took := func(p *people, username string) time.Duration {
			best := time.Hour
			for range 4 {
				r := p.run()
				f := flow(exec(iam.Required, door.step))
				if door.step != "auth-username-password-form" {
					f.Executions = append(f.Executions, exec(iam.Required, "direct-grant-validate-password"))
				} else if _, err := p.Start(t.Context(), r, f); err != nil {
					t.Fatal(err)
				}
				r.Form = form("username", username, "password", door.password)
				walk := func() (authn.Outcome, error) { return p.Start(t.Context(), r, f) }
				if door.step == "auth-username-password-form" {
					walk = func() (authn.Outcome, error) { return p.Submit(t.Context(), r, f, iam.ExecID(door.step)) }
				}
				began := cpu(t)
				_, err := walk()
				best = min(best, cpu(t)-began)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := steps.Settle(t.Context(), p.Users, p.Engine, &authn.Run{Realm: p.Realm, Tab: r.Tab, Guess: r.Guess}); err != nil {
					t.Fatal(err)
				}
			}
			return best
		}
		want := took(plain, "otto")
		for _, c := range []struct {
			in       *people
			username string
		}{{plain, "nobody"}, {plain, "service-account-x"}, {plain, "nopass"}, {plain, "off"}, {temporarily, "ann"}, {permanently, "ann"}} {
			if got := took(c.in, c.username); got > want+want/2+2*time.Millisecond || want > got+got/2+2*time.Millisecond {
				t.Errorf("%s: %s takes %v, a wrong password %v", door.name, c.username, got, want)
			}
		}
	}
}

// cpu is how long the process has computed.
func cpu(t *testing.T) time.Duration {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		t.Fatal(err)
	}
	return time.Duration(use.Utime.Nano())
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
		words = append(words, "passed", r.User.Username)
	case authn.Failed:
		words = append(words, "failed", out.Err.Error())
	case authn.Visiting:
		words = append(words, "visits", out.Provider)
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
	plain, locked := newPeople(t, shop), newPeople(t, locking(false))
	locked.lock(t, "ann")
	for _, c := range []struct {
		name, password string
		locked         bool
		want           string
	}{
		{"ann", "ann-pw", false, "passed ann"},
		{" ann@example.test ", "ann-pw", false, "passed ann"},
		{"ann", "wrong", false, "auth-username-password-form password:invalidUserMessage !LOGIN_ERROR/invalid_user_credentials"},
		{"ann", "", false, "auth-username-password-form password:invalidUserMessage !LOGIN_ERROR/invalid_user_credentials"},
		{"nobody", "x", false, "auth-username-password-form username:invalidUserMessage !LOGIN_ERROR/user_not_found"},
		{"", "", false, "auth-username-password-form username:invalidUserMessage !LOGIN_ERROR/user_not_found"},
		{"service-account-x", "x", false, "auth-username-password-form username:invalidUserMessage !LOGIN_ERROR/user_not_found"},
		{"off", "off-pw", false, "auth-username-password-form accountDisabledMessage !LOGIN_ERROR/user_disabled"},
		{"off", "wrong", false, "auth-username-password-form password:invalidUserMessage !LOGIN_ERROR/invalid_user_credentials"},
		{"nopass", "x", false, "auth-username-password-form password:invalidUserMessage !LOGIN_ERROR/invalid_user_credentials"},
		{"ann", "ann-pw", true, "auth-username-password-form username:accountTemporarilyDisabledMessage !LOGIN_ERROR/user_temporarily_disabled"},
		{"otto", "otto-pw", false, "auth-otp-form"},
	} {
		p := plain
		if c.locked {
			p = locked
		}
		r := p.run()
		out, err := p.Start(context.Background(), r, browser())
		if got := outcome(t, r, out, err); got != "auth-username-password-form" {
			t.Fatal(got)
		}
		r.Form = form("username", c.name, "password", c.password)
		out, err = p.Submit(context.Background(), r, browser(), "auth-username-password-form")
		if got := outcome(t, r, out, err); got != c.want {
			t.Errorf("%s/%s: got %q, want %q", c.name, c.password, got, c.want)
		}
	}
}

// A password that cannot be compared now is not wrong: it counts as no failure, where
// one would lock the user out.
func TestUnavailableIsNotWrong(t *testing.T) {
	p := newPeople(t, locking(false))
	var busy sync.WaitGroup
	slow := &iam.Realm{Password: iam.ParsePasswordPolicy("hashAlgorithm(pbkdf2-sha256) and hashIterations(4000000)")}
	for range runtime.GOMAXPROCS(0) { // as many as are hashed at a time
		busy.Go(func() {
			if _, err := p.Users.HashPassword(t.Context(), slow, "x"); err != nil {
				t.Error(err)
			}
		})
	}
	time.Sleep(100 * time.Millisecond)
	try := func(ctx context.Context) (*authn.Run, authn.Outcome, error) {
		r := p.run()
		if _, err := p.Start(t.Context(), r, browser()); err != nil {
			t.Fatal(err)
		}
		r.Form = form("username", "ann", "password", "ann-pw")
		out, err := p.Submit(ctx, r, browser(), "auth-username-password-form")
		if _, e := steps.Settle(ctx, p.Users, p.Engine, r); e != nil {
			t.Fatal(e)
		}
		return r, out, err
	}
	soon, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, out, err := try(soon); err == nil {
		t.Fatalf("compared all the same: %+v", out)
	}
	busy.Wait()
	r, out, err := try(t.Context())
	if got := outcome(t, r, out, err); got != "passed ann" {
		t.Error(got)
	}
}

func TestOTPIsAskedForAndCannotBePassedBy(t *testing.T) {
	p := newPeople(t, shop)
	e, r, ctx, f := p, p.run(), context.Background(), browser()
	code := p.Code(t, authntest.DeviceSecret)
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
	r.Form = form("otp", code, "selectedCredentialId", "of-somebody-else")
	out, err = e.Submit(ctx, r, f, "auth-otp-form")
	must("auth-otp-form totp:invalidTotpMessage !LOGIN_ERROR/invalid_user_credentials", out, err)
	r.Form = form("otp", code)
	out, err = e.Submit(ctx, r, f, "auth-otp-form")
	must("passed otto", out, err)
}

func TestDirectGrant(t *testing.T) {
	p := newPeople(t, shop)
	code := p.Code(t, authntest.DeviceSecret)
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
		{"username=otto&password=otto-pw&totp=" + code, "passed otto"},
		{"username=otto&password=otto-pw&otp=" + code, "passed otto"},
	} {
		r := p.run()
		r.Form, _ = url.ParseQuery(c.form)
		out, err := p.Start(context.Background(), r, directGrant())
		if got := outcome(t, r, out, err); got != c.want {
			t.Errorf("%s: got %q, want %q", c.form, got, c.want)
		}
	}
}

func TestCookie(t *testing.T) {
	p := newPeople(t, shop)
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
		r := p.run()
		r.Actions = []iam.RequiredAction{{Alias: "UPDATE_PROFILE", Provider: "UPDATE_PROFILE"},
			{Alias: "delete_account", Provider: "delete_account"},
			{Alias: "CONFIGURE_TOTP", Provider: "CONFIGURE_TOTP", Config: map[string]string{"max_auth_age": "20"}}}
		r.Tab.Request = iam.LoginRequest{Force: c.prompt == "login", MaxAge: c.maxAge, Action: c.action}
		r.Identity = &authn.Identity{User: p.User(t, "ann"), Session: &iam.UserSession{ID: "s",
			Notes: map[string]string{"AUTH_TIME": c.authTime}}}
		out, err := p.Start(context.Background(), r, browser())
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
	p := newPeople(t, shop)
	r := p.run()
	r.Tab.Request.Force = true
	r.Identity = &authn.Identity{User: p.User(t, "ann"), Session: &iam.UserSession{}}
	out, err := p.Start(context.Background(), r, browser())
	if v := out.(authn.Show).Page.(authn.Page).View.(pages.Login); !v.UsernameHidden || err != nil {
		t.Fatalf("%+v %v", v, err)
	}
	r.Form = form("username", "otto", "password", "otto-pw")
	out, err = p.Submit(context.Background(), r, browser(), "auth-username-password-form")
	if got := outcome(t, r, out, err); got != "auth-username-password-form password:invalidUserMessage !LOGIN_ERROR/invalid_user_credentials" {
		t.Fatal(got)
	}
	r.Form = form("password", "ann-pw")
	out, err = p.Submit(context.Background(), r, browser(), "auth-username-password-form")
	if got := outcome(t, r, out, err); got != "passed ann" {
		t.Fatal(got)
	}
}

func TestRedirectorVisitsARealProvider(t *testing.T) {
	p := newPeople(t, shop)
	for hint, want := range map[string]string{
		"google": "visits google",
		"none":   "auth-username-password-form",
		"":       "auth-username-password-form",
	} {
		r := p.run()
		r.Tab.Request.IDPHint = hint
		out, err := p.Start(context.Background(), r, browser())
		if got := outcome(t, r, out, err); got != want {
			t.Errorf("%q: got %q", hint, got)
		}
	}
}

func TestConditions(t *testing.T) {
	p := newPeople(t, shop)
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
		r := p.run()
		r.User = p.User(t, "ann")
		f := flow(sub(iam.Conditional, "sub", exec(iam.Required, c.id, c.config...), exec(iam.Required, "deny-access-authenticator")),
			exec(iam.Required, "allow-access-authenticator"))
		out, err := p.Start(context.Background(), r, f)
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
			sub(iam.Conditional, "1", exec(iam.Required, "conditional-level-of-authentication", "loa-condition-level", "1", "loa-max-age", "36000"),
				exec(iam.Required, "auth-username-password-form")),
			func() iam.Execution {
				x := sub(iam.Conditional, "2", exec(iam.Required, "conditional-level-of-authentication", "loa-condition-level", "2", "loa-max-age",
					"300"), exec(iam.Required, "auth-otp-form"))
				x.Sub.Executions[0].ID = "second-condition"
				return x
			}()))
	p, ctx := newPeople(t, shop), context.Background()
	e, code := p, p.Code(t, authntest.DeviceSecret)
	r := p.run()
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

	step := p.run()
	step.Identity = &authn.Identity{User: p.User(t, "otto"), Session: session}
	step.Tab.Request.Contexts = []string{"gold"}
	out, err = e.Start(ctx, step, f)
	if got := outcome(t, step, out, err); got != "auth-otp-form" {
		t.Fatal(got)
	}
	step.Form = form("otp", code)
	out, err = e.Submit(ctx, step, f, "auth-otp-form")
	if got := outcome(t, step, out, err); got != "passed otto" || authn.Level(step.Tab) != 2 {
		t.Fatal(got, step.Tab.Notes)
	}

	again := p.run()
	again.Identity = &authn.Identity{User: p.User(t, "otto"), Session: session}
	again.Tab.Request.Contexts = []string{"silver"}
	out, err = e.Start(ctx, again, f)
	if got := outcome(t, again, out, err); got != "passed otto" || again.Session == nil {
		t.Fatal(got)
	}
}

// Keycloak: AcrUtils.getAcrValues, enforceMinimumAcr.
func TestMinimumACR(t *testing.T) {
	realm := &realms.Realm{Realm: iam.Realm{Attrs: map[string]string{"acr.loa.map": `{"silver":"1","gold":2}`}}}
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
		got, _ := steps.RequestedACR(realm, client, &iam.LoginRequest{Contexts: strings.Fields(c.asked)})
		if strings.Join(got, " ") != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestRegistration(t *testing.T) {
	p := newPeople(t, shop)
	x := sub(iam.Required, "registration-page-form", exec(iam.Required, "registration-user-creation"),
		exec(iam.Required, "registration-password-action"), exec(iam.Disabled, "registration-recaptcha-action"))
	x.Authenticator, x.Sub.Provider = "registration-page-form", "form-flow"
	f := flow(x)
	for i, c := range []struct{ form, want string }{
		{"username=new&password=secret&password-confirm=secret", "passed new !REGISTER/"},
		{"username=ann&password=secret&password-confirm=secret",
			"registration-page-form username:usernameExistsMessage !REGISTER_ERROR/username_in_use"},
		{"username=fresh&password=secret&password-confirm=q", "registration-page-form password-confirm:invalidPasswordConfirmMessage " +
			"!REGISTER_ERROR/invalid_registration"},
		{"username=fresh", "registration-page-form password:missingPasswordMessage !REGISTER_ERROR/invalid_registration"},
	} {
		r := p.run()
		r.Event.Kind = "REGISTER"
		out, err := p.Start(context.Background(), r, f)
		if got := outcome(t, r, out, err); got != "registration-page-form" {
			t.Fatal(got)
		}
		r.Form, _ = url.ParseQuery(c.form + fmt.Sprintf("&firstName=N&lastName=N&email=new%d@example.test", i))
		out, err = p.Submit(context.Background(), r, f, "registration-page-form")
		if got := outcome(t, r, out, err); got != c.want {
			t.Errorf("%s: got %q, want %q", c.form, got, c.want)
		}
		if r.User != nil && r.Event.Kind != "LOGIN" {
			t.Errorf("a login follows, not %s", r.Event.Kind)
		}
	}
}

func TestResetTellsNobodyWhoExists(t *testing.T) {
	p := newPeople(t, shop)
	f := flow(exec(iam.Required, "reset-credentials-choose-user"), exec(iam.Required, "reset-credential-email"),
		exec(iam.Required, "reset-password"))
	for name, want := range map[string]string{
		"nobody": "forked emailSentMessage !RESET_PASSWORD_ERROR/user_not_found",
		"off":    "forked emailSentMessage !RESET_PASSWORD_ERROR/user_disabled",
		"otto":   "forked emailSentMessage !RESET_PASSWORD_ERROR/invalid_email",
		"ann":    "forked emailSentMessage !SEND_RESET_PASSWORD_ERROR/email_send_failed",
		"":       "reset-credentials-choose-user username:missingUsernameMessage !RESET_PASSWORD_ERROR/username_missing",
	} {
		r := p.run()
		r.Event.Kind = "RESET_PASSWORD"
		out, err := p.Start(context.Background(), r, f)
		if got := outcome(t, r, out, err); got != "reset-credentials-choose-user" {
			t.Fatal(got)
		}
		r.Form = form("username", name)
		out, err = p.Submit(context.Background(), r, f, "reset-credentials-choose-user")
		if got := outcome(t, r, out, err); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

// Every provider of a default realm's flows is either here or one of those
// that Latchkey has not: this list only ever shrinks.
func TestWhatIsBuilt(t *testing.T) {
	missing := []string{"auth-spnego", "registration-recaptcha-action",
		"docker-http-basic-authenticator"}
	if i := slices.IndexFunc(missing, steps.Built); i >= 0 {
		t.Errorf("%s is built by now", missing[i])
	}
}
