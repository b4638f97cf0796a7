package doctor

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"latchkey/internal/doctor"
	"latchkey/internal/doctor/remote"
	"latchkey/internal/iam"
	"latchkey/internal/web"
	"latchkey/test/harness"
	"latchkey/test/ports"
	"latchkey/test/visitor"
)

const (
	realm    = "motoshare"
	client   = "motoshare"
	callback = "http://127.0.0.1:7070/callback"
	password = "admin"
)

// A patient is a server with the realm motoshare, where offline_access is a
// default client scope.
type patient struct {
	*testing.T
	base    string
	dir     string // where the program runs
	admin   *visitor.Admin
	browser *visitor.Browser
	user    string // ada's id
	client  string // the client's database id
	config  *oauth2.Config
}

func newPatient(t *testing.T, base string) *patient {
	t.Helper()
	p := &patient{T: t, base: base, dir: t.TempDir(), admin: visitor.NewAdmin(base), browser: visitor.NewBrowser()}
	file, err := os.ReadFile(filepath.Join(harness.Root(t), "doc", "examples", "motoshare", "motoshare-realm.json"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.admin.Post(t.Context(), "", json.RawMessage(file))
	p.must(err)
	p.user, err = p.admin.ID(t.Context(), "/"+realm+"/users?username=ada&exact=true", "username", "ada")
	p.must(err)
	p.client, err = p.admin.ID(t.Context(), "/"+realm+"/clients?clientId="+client, "clientId", client)
	p.must(err)
	provider, err := oidc.NewProvider(t.Context(), base+"/realms/"+realm)
	p.must(err)
	p.config = &oauth2.Config{ClientID: client, ClientSecret: "motoshare-secret", Endpoint: provider.Endpoint(), RedirectURL: callback,
		Scopes: []string{oidc.ScopeOpenID}}
	return p
}

func (p *patient) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

// logIn logs ada in to the client, and says whether the password was asked for.
func (p *patient) logIn() (token *oauth2.Token, asked bool) {
	p.Helper()
	ctx := p.Context()
	state, verifier := oauth2.GenerateVerifier(), oauth2.GenerateVerifier()
	page, err := p.browser.Open(ctx, p.config.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier)))
	p.must(err)
	if asked = page.Asks("password"); asked {
		page, err = page.Login(ctx, "ada", "ada-rides")
		p.must(err)
	}
	if !page.Away || page.Param("state") != state {
		p.Fatalf("the browser is at %s, status %d", page.URL, page.Status)
	}
	token, err = p.config.Exchange(ctx, page.Param("code"), oauth2.VerifierOption(verifier))
	p.must(err)
	return token, asked
}

// refresh uses a refresh token.
func (p *patient) refresh(token *oauth2.Token) error {
	_, err := p.config.TokenSource(p.Context(), &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
	return err
}

// kind is the type of a refresh token: Refresh or Offline.
func (p *patient) kind(token *oauth2.Token) string {
	p.Helper()
	parts := strings.Split(token.RefreshToken, ".")
	if len(parts) != 3 {
		p.Fatal("the refresh token is no JWS")
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	p.must(err)
	var claims struct{ Typ string }
	p.must(json.Unmarshal(data, &claims))
	return claims.Typ
}

// sessions counts what the console shows among the user's sessions.
func (p *patient) sessions() int {
	p.Helper()
	var list []struct{ ID string }
	p.must(p.admin.Get(p.Context(), "/"+realm+"/users/"+p.user+"/sessions", &list))
	return len(list)
}

// scopes are the client's default or optional scopes, or the realm's.
func (p *patient) scopes(path string) []string {
	p.Helper()
	var list []struct{ Name string }
	p.must(p.admin.Get(p.Context(), "/"+realm+path, &list))
	var names []string
	for _, x := range list {
		names = append(names, x.Name)
	}
	return names
}

// doctor runs the program against the server and demands its exit code. What it
// prints must not hold the password.
func (p *patient) doctor(code int, args ...string) string {
	p.Helper()
	cmd := exec.CommandContext(p.Context(), harness.Binary(p), append([]string{"doctor", "--server", p.base, "--user", "admin"}, args...)...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "LATCHKEY_DOCTOR_PASSWORD="+password)
	var out, errOut strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		p.Fatalf("doctor %q: exit code %d, want %d\n%s%s", args, got, code, out.String(), errOut.String())
	}
	return out.String() + errOut.String()
}

func (p *patient) wants(text string, parts ...string) {
	p.Helper()
	text = strings.Join(strings.Fields(text), " ") // as if it was not wrapped
	for _, part := range parts {
		if !strings.Contains(text, part) {
			p.Errorf("no %q in\n%s", part, text)
		}
	}
}

// play is the story: a login without a session, the finding, the preview, the
// fix, and a login with one; and undone, as it was.
func (p *patient) play() {
	lost, _ := p.logIn()
	if kind, n := p.kind(lost), p.sessions(); kind != "Offline" || n != 0 {
		p.Fatalf("before the fix: a token of type %s, %d sessions", kind, n)
	}
	if _, asked := p.logIn(); !asked {
		p.Fatal("before the fix there is single sign-on")
	}

	var reports []*doctor.Report
	text := p.doctor(1, "--realm", realm, "--json")
	if err := json.Unmarshal([]byte(text), &reports); err != nil || len(reports) != 1 {
		p.Fatalf("%v in %s", err, text)
	}
	id := "offline-access-client-default." + p.client
	f := reports[0].Finding(id)
	if f == nil || reports[0].Finding("offline-access-realm-default.realm") == nil {
		p.Fatalf("the default offline_access is not found: %s", text)
	}
	if f.Severity != doctor.Error || !strings.Contains(f.Consequence, "2 offline sessions begun this week, 0 refreshed; 2 live in all.") {
		p.Errorf("%+v", f)
	}
	p.wants(p.doctor(1, "--realm", realm), "The browser client motoshare (confidential) gets offline_access with every login", "finding: "+id)
	p.wants(p.doctor(2, "--realm", realm, "--fix"), "--yes does not ask") // a test has no terminal

	fixed := p.doctor(1, "--realm", realm, "--fix", "--yes", "--check", "offline-access-client-default")
	p.wants(fixed, `change: client motoshare: client scope offline_access: "default" -> "optional"`,
		"effect: 2 live offline tokens keep working.",
		"To undo it: latchkey doctor --server "+p.base+" --user admin --undo doctor-", "kcadm.sh delete clients/"+p.client+
			"/optional-client-scopes/")
	p.doctor(0, "--realm", realm, "--check", "offline-access-client-default")
	if err := p.refresh(lost); err != nil {
		p.Errorf("the preview says that live offline tokens keep working: %v", err)
	}
	p.browser.Forget()
	found, _ := p.logIn()
	if kind, n := p.kind(found), p.sessions(); kind != "Refresh" || n != 1 {
		p.Errorf("after the fix: a token of type %s, %d sessions", kind, n)
	}
	if _, asked := p.logIn(); asked {
		p.Error("after the fix there is no single sign-on")
	}

	p.doctor(1, "--realm", realm, "--fix", "--yes", "--check", "offline-access-realm-default")
	if names := p.scopes("/default-optional-client-scopes"); !slices.Contains(names, "offline_access") {
		p.Errorf("the realm's optional scopes: %v", names)
	}
	p.doctor(1, "--realm", realm, "--fix", "--yes", "--check", "brute-force-off")
	p.doctor(0, "--realm", realm, "--check", "brute-force-off")

	records, err := filepath.Glob(filepath.Join(p.dir, "doctor-*.json"))
	if err != nil || len(records) != 3 {
		p.Fatalf("records: %v %v", records, err)
	}
	for _, name := range records {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			p.Errorf("%s: %v %v", name, info.Mode(), err)
		}
		p.wants(p.doctor(0, "--undo", name), "Undone: ")
	}
	p.wants(p.doctor(2, "--undo", records[0])) // it is as it was: there is nothing to undo
	at := "/clients/" + p.client
	if a, b := p.scopes(at+"/default-client-scopes"), p.scopes("/default-default-client-scopes"); !slices.Contains(a, "offline_access") ||
		!slices.Contains(b, "offline_access") {
		p.Errorf("undone: client %v, realm %v", a, b)
	}
}

// removed verifies the other fix: a token whose scope is taken away fails, as the preview says.
func (p *patient) removed() {
	p.browser.Forget()
	token, _ := p.logIn()
	s := p.remote()
	r, err := s.Examine(p.Context(), realm, 0, doctor.Filter{Check: "offline-access-client-default"})
	p.must(err)
	f := r.Finding("offline-access-client-default." + p.client)
	preview, err := f.Preview(f.Fix("remove"))
	p.must(err)
	p.wants(strings.Join(preview.Effects, " "), "fail at their next refresh.")
	rec, err := s.Apply(p.Context(), realm, r.Server, preview)
	p.must(err)
	if err := p.refresh(token); err == nil {
		p.Error("the preview says that live offline tokens fail at their next refresh")
	}
	p.must(s.Undo(p.Context(), realm, r.Server, rec))
}

func (p *patient) remote() *remote.Server {
	return &remote.Server{Base: p.base, HTTP: web.NewClient(web.AnotherServer), Now: time.Now, Credentials: remote.Credentials{User: "admin",
		Password: iam.Secret(password)}}
}

// differing tells that a change of somebody else is not undone.
func (p *patient) differing() {
	s := p.remote()
	ctx := p.Context()
	r, err := s.Examine(ctx, realm, 0, doctor.Filter{Check: "brute-force-off"})
	p.must(err)
	f := r.Finding("brute-force-off.realm")
	preview, err := f.Preview(f.Fix(""))
	p.must(err)
	rec, err := s.Apply(ctx, realm, r.Server, preview)
	p.must(err)
	p.must(p.admin.Put(ctx, "/"+realm, map[string]bool{"bruteForceProtected": false}))
	if err = s.Undo(ctx, realm, r.Server, rec); err == nil || !strings.Contains(err.Error(), "changed since") {
		p.Errorf("undone although it has changed: %v", err)
	}
}

func TestLatchkey(t *testing.T) {
	harness.Each(t, func(t *testing.T, e harness.Engine) {
		server := harness.Start(t, harness.Options{Engine: e})
		p := newPatient(t, server.URL)
		p.play()
		p.removed()
		p.differing()
		p.outside()
		p.inside(server)
	})
}

// outside compares what is found through the admin REST alone with what the
// server finds about itself.
func (p *patient) outside() {
	p.must(p.admin.Put(p.Context(), "/"+realm, map[string]any{"revokeRefreshToken": true, "ssoSessionIdleTimeout": 99999,
		"resetPasswordAllowed": true, "eventsEnabled": true}))
	p.must(p.admin.Put(p.Context(), "/"+realm+"/clients/"+p.client, map[string]any{"implicitFlowEnabled": true, "webOrigins": []string{"*"},
		"redirectUris": []string{callback, "http://*"}}))
	own, err := p.remote().Examine(p.Context(), realm, 0, doctor.Filter{})
	p.must(err)
	e, err := p.remote().Collect(p.Context(), realm, 0)
	p.must(err)
	e.Server = doctor.Latchkey // settings of its own count
	ids := func(r *doctor.Report) (list []string) {
		for _, f := range r.Findings {
			list = append(list, f.ID)
		}
		return list
	}
	if a, b := ids(own), ids(doctor.Examine(e, doctor.Filter{})); !slices.Equal(a, b) || len(a) < 8 {
		p.Errorf("inside %q\noutside %q", a, b)
	}
}

// inside runs the program on the database, while the server runs and after.
func (p *patient) inside(server *harness.Server) {
	out, err := server.Command("doctor", "--realm", realm, "--check", "web-origins-any")
	if err == nil {
		p.Error("a finding and exit code 0")
	}
	p.wants(out, "Scripts of any web site", "Realm motoshare (Latchkey)")
	out, _ = server.Command("doctor", "--realm", realm, "--check", "web-origins-any", "--fix", "--yes")
	p.wants(out, `webOrigins: ["*"] -> ["+"]`, "latchkey doctor --undo doctor-")
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) { // a server notices within a second or two
		var c struct{ WebOrigins []string }
		p.must(p.admin.Get(p.Context(), "/"+realm+"/clients/"+p.client, &c))
		if slices.Equal(c.WebOrigins, []string{"+"}) {
			break
		}
		if time.Now().After(end) {
			p.Fatalf("the server still has %v", c.WebOrigins)
		}
	}
	server.Stop(p)
	records, _ := filepath.Glob(filepath.Join(server.Dir, "doctor-*.json"))
	if len(records) != 1 {
		p.Fatalf("records: %v", records)
	}
	out, err = server.Command("doctor", "--undo", records[0])
	p.must(err)
	p.wants(out, "Undone: web-origins-any")
	if out, _ = server.Command("doctor", "--realm", realm, "--json"); !strings.Contains(out, "web-origins-any."+p.client) {
		p.Errorf("undone, and not found any more: %s", out)
	}
	if out, err := server.Command("doctor", "--realm", "nothing"); err == nil || !strings.Contains(out, "Realm not found") {
		p.Errorf("a realm that is not there: %v %s", err, out)
	}
}

// Measure: the doctor finds the default offline_access on the real reference
// and shows the preview; with --fix the story ends well there.
func TestReference(t *testing.T) {
	for _, program := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("the reference needs Java and Maven: " + err.Error())
		}
	}
	script := filepath.Join(harness.Root(t), "test", "oracle", "reference.sh")
	base := os.Getenv("REFERENCE_URL") // one that runs already
	if base == "" {
		port := strconv.Itoa(ports.Free(t, 2)) // and one for its management
		// It may not be had here, or not be up in time on a busy machine: neither is ours.
		if out, err := start(t, script, port); err != nil {
			run(t, script, "stop", port)
			t.Skipf("the reference could not be started: %v\n%s", err, out)
		}
		t.Cleanup(func() { run(t, script, "stop", port) })
		base = "http://127.0.0.1:" + port
	}
	p := newPatient(t, base)
	p.play()
	p.removed()
	p.differing()
	p.must(p.admin.Delete(p.Context(), "/"+realm))
	sessionsOutside(t, base)
}

// sessionsOutside has test/situations ask the same reference: a start takes longer than the questions.
func sessionsOutside(t *testing.T, base string) {
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-run", "^TestOutsideReference$", "./test/situations")
	cmd.Dir = harness.Root(t)
	cmd.Env = append(os.Environ(), "REFERENCE_URL="+base)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func start(t *testing.T, script, port string) (out []byte, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	return exec.CommandContext(ctx, script, "start", port).CombinedOutput()
}

func run(t *testing.T, program string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, program, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v\n%s", program, args, err, out)
	}
}
