package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"latchkey/internal/records"
	"latchkey/internal/server"
)

// inUTC makes the local zone a known one.
func inUTC(t *testing.T) {
	was := time.Local
	time.Local = time.UTC
	t.Cleanup(func() { time.Local = was })
}

// golden compares a print with a file of testdata, whose lines are 100 columns at most.
func golden(t *testing.T, name, got string) {
	t.Helper()
	want, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
	}
	for line := range strings.SplitSeq(got, "\n") {
		if n := len([]rune(line)); n > columns {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func decode[T any](t *testing.T, text string) *T {
	t.Helper()
	v := new(T)
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatal(err)
	}
	return v
}

const onlineEntry = `{"id":"online.10a41c8b-4f7e-4b2f-b0cd-35291dd461fd.mwwm8img","kind":"online","state":"ended","sessionId":"10a41c8b-4f7e-4b2f-b0cd-35291dd461fd",
	"userId":"5c8966ef-4fd8-497a-89a3-5bf1baafab0e","username":"ada","ipAddress":"2001:db8:1234:5678:9abc:def0:1234:5678",
	"device":{"os":"Linux","osVersion":"","device":"Other","browser":"Firefox/140.0","mobile":false},
	"clients":[{"id":"c","clientId":"web","state":"ended","start":1790000000000,"lastAccess":1790000001000,"refreshes":0,"how":"browser",
		"end":{"at":1790000001000,"reason":"replaced-by-offline","text":"because ...","by":"client"}}],
	"start":1790000000000,"lastAccess":1790000001000,"began":{"how":"browser","recorded":true},
	"end":{"at":1790000001000,"reason":"replaced-by-offline","text":"because ...","by":"client"}`

func TestPrints(t *testing.T) {
	inUTC(t)
	var b strings.Builder
	printSessions(&b, decode[records.Page](t, `{"sessions":[`+onlineEntry+`},
		{"id":"offline.10a41c8b-4f7e-4b2f-b0cd-35291dd461fd.mwwm8imh","kind":"offline","state":"live","username":"somebody-with-a-very-long-name\u001b[2J","clients":[
			{"id":"c","clientId":"web","state":"live","start":1,"lastAccess":1,"refreshes":0},{"id":"d","clientId":"another-application","state":"live","start":1,"lastAccess":1,"refreshes":0}],
		"start":1790000001000,"lastAccess":1790000001000},
		{"id":"refused.abcdefghijklmnopqrstuvwx","kind":"refused","reason":"token-of-past-session","clients":[],"count":41,"start":1790000001000,"lastAccess":1790003601000,"ipAddress":"192.0.2.1"}],
		"next":"MTc5","count":{"number":10000,"exact":false,"text":"more than 10,000"}}`))
	golden(t, "sessions.txt", b.String())

	b.Reset()
	printStory(&b, decode[records.Story](t, onlineEntry+
		`,"sentence":"Began 2026-09-21 14:13:20 UTC by a login in a browser (flow browser) for client web. Ended 2026-09-21 14:13:21 UTC when its first code was redeemed with offline_access, which client web has as a default scope (inherited from the realm when the client was made).",
		"timeline":[{"at":1790000000000,"what":"began","text":"Began by a login in a browser (flow browser) for client web."},
			{"at":1790000001000,"what":"client","text":"Client web took part, with the scopes openid (requested), offline_access (default of the realm when the client was made), email (default of the client)."}],
		"relations":[{"id":"offline.10a41c8b-4f7e-4b2f-b0cd-35291dd461fd.mwwm8imh","kind":"offline","state":"live","text":"The offline session that came out of this one."}],
		"events":"The realm stores no user events: the timeline is made of records alone."}`))
	golden(t, "story.txt", b.String())

	b.Reset()
	printWhy(&b, *decode[[]records.Finding](t,
		`[{"question":"no-session","reason":"replaced-by-offline","at":1790000001000,"holds":true,"sentence":"The session ended when its first code was redeemed with offline_access, and that will happen again at the next login.",
		"evidence":[{"kind":"session","id":"online.x.1","at":1790000001000},{"kind":"setting","name":"defaultClientScopes","value":"offline_access","where":"client web"},{"kind":"refusal","text":"A token was refused","count":3}],
		"remedy":"Make offline_access an optional scope of client web."},{"question":"something-new","reason":"idle","at":1790000001000,"holds":false,"sentence":"It was not used.","evidence":[],"remedy":""}]`))
	printWhy(&b, nil)
	golden(t, "why.txt", b.String())

	b.Reset()
	printInspection(&b, decode[records.Inspection](t,
		`{"kind":"refresh token","tokenId":"a0e3c78c","clientId":"web","userId":"u","username":"ada","sessionId":"10a41c8b","scope":"openid email profile address phone microprofile-jwt offline_access organization web-origins roles basic acr","audience":["http://id.test/realms/shop"],
		"issued":1790000001000,"expires":1790001801000,"works":false,"where":[{"at":"token endpoint","works":false,"text":"for client web alone"}],
		"why":[{"reason":"logout-by-admin","text":"It does not work because an administrator ended it. Its session: Ended 2026-09-21 14:13:21 UTC because administrator admin ended it."}],
		"story":"online.10a41c8b.x","sentence":"This refresh token does not work. It does not work because an administrator ended it.","wouldEnd":[],"signature":{"keyId":"k1","alg":"HS512","status":"ACTIVE"}}`), "shop")
	golden(t, "inspection.txt", b.String())
}

func TestMoments(t *testing.T) {
	at := time.Date(2026, 9, 21, 14, 0, 0, 0, time.FixedZone("X", 2*3600))
	for text, want := range map[string]string{
		"": "", "2026-09-20": "2026-09-20T00:00:00+02:00", "2026-09-20 10:30": "2026-09-20T10:30:00+02:00",
		"2026-09-20T10:30:05":  "2026-09-20T10:30:05+02:00",
		"2026-09-20T10:30:05Z": "2026-09-20T12:30:05+02:00", "90m": "2026-09-21T12:30:00+02:00", "3d": "2026-09-18T14:00:00+02:00",
		"1d12h":         "2026-09-20T02:00:00+02:00",
		"1790000000000": "2026-09-21T16:13:20+02:00", "yesterday": "error", "-3h": "error", "d": "error", "2026-13-01": "error",
	} {
		ms, err := parseMoment(text, at, false)
		got := "error"
		switch {
		case err == nil && ms == 0:
			got = ""
		case err == nil:
			got = time.UnixMilli(ms).In(at.Location()).Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("%q: %s, want %s (%v)", text, got, want, err)
		}
	}
	if ms, err := parseMoment("2026-09-20", at, true); err != nil || ms != time.Date(2026, 9, 21, 0, 0, 0, 0, at.Location()).UnixMilli()-1 {
		t.Error("the end of a day:", ms, err)
	}
}

func TestWhereThisMachinesServerIs(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "http://127.0.0.1:8080"}, {[]string{"--http-port=81", "--http-relative-path=/auth"}, "http://127.0.0.1:81/auth"},
		{[]string{"--http-host=::1"}, "http://[::1]:8080"},
		{[]string{"--https-certificate-file=c", "--hostname=id.test"}, "https://id.test:8443"},
		{[]string{"--https-certificate-file=c", "--hostname=https://id.test/x"}, "https://id.test/x"},
		{[]string{"--https-certificate-file=c", "--hostname=id.test", "--http-enabled"}, "http://127.0.0.1:8080"},
	} {
		t.Chdir(t.TempDir())
		parsed, _, err := read(t.Context(), append([]string{"sessions"}, c.args...), nil, os.Stdout, os.Stderr)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := parsed.config(server.Defaults())
		if err != nil || here(cfg) != c.want {
			t.Errorf("%v: %s, want %s (%v)", c.args, here(cfg), c.want, err)
		}
	}
}

// What narrows a list is given with the call, never by what surrounds it; and a
// token never is.
func TestFiltersComeFromTheCommandLineAlone(t *testing.T) {
	t.Chdir(t.TempDir())
	env := []string{"LATCHKEY_USER=admin", "LATCHKEY_STATE=live", "LATCHKEY_CLIENT=x", "LATCHKEY_MAX=1", "LATCHKEY_REALM=shop",
		"LATCHKEY_ADMIN_USER=root", "LATCHKEY_ADMIN_PASSWORD=geheim"}
	parsed, _, err := read(t.Context(), []string{"sessions"}, env, os.Stdout, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	s := parsed.kong.Selected().Target.Addr().Interface().(*sessionsCmd)
	if s.User != "" || s.State != "" || s.Client != "" || s.Max != 50 {
		t.Errorf("filters out of the environment: %+v", s)
	}
	if s.Realm != "shop" || s.AdminUser != "root" || string(s.AdminPassword.Secret) != "geheim" {
		t.Errorf("not out of the environment: %s %s", s.Realm, s.AdminUser)
	}
	if err := os.WriteFile(defaultConfigFile, []byte("state=live\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err = read(t.Context(), []string{"sessions"}, nil, os.Stdout, os.Stderr); err == nil {
		t.Error("a file may set a filter")
	}
}

func TestAskingRefuses(t *testing.T) {
	t.Chdir(t.TempDir())
	login := []string{"LATCHKEY_ADMIN_USER=admin", "LATCHKEY_ADMIN_PASSWORD=geheim"}
	for _, c := range []struct {
		args, want string
		env        []string
	}{
		{"sessions --server ftp://x", "must begin with http", login},
		{"sessions --server http://127.0.0.1:1", "cannot be reached", login},
		{"sessions --server http://127.0.0.1:1", "whom to log in as? give --admin-user", nil},
		{"why", "name a user, or a support code with --code", nil},
		{"why ada --realm shop --at never --server http://127.0.0.1:1", "--at", login},
		{"inspect-token eyJhbGciOiJub25lIn0.e30.geheim", "a token on the command line is seen", login},
		{"inspect-token --file /nonexistent", "no such file", login},
		{"sessions --sort x", "sort", login},
	} {
		var out, errOut strings.Builder
		code := Main(t.Context(), strings.Fields(c.args), c.env, &out, &errOut)
		if code != 2 || !strings.Contains(errOut.String(), c.want) {
			t.Errorf("%s: %d %s", c.args, code, errOut.String())
		}
		if strings.Contains(out.String()+errOut.String(), "geheim") {
			t.Errorf("%s shows a secret: %s", c.args, errOut.String())
		}
	}
}

func TestRealmOfAToken(t *testing.T) {
	for token, want := range map[string]string{
		"x." + "eyJpc3MiOiJodHRwOi8vaWQudGVzdC9yZWFsbXMvc2hvcCJ9" + ".y": "shop", "x.y.z": "", "": "", "opaque": "",
	} {
		if got := realmOf(token); got != want {
			t.Errorf("%s: %q", token, got)
		}
	}
}
