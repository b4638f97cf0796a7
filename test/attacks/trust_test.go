package attacks

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"latchkey/test/harness"
	"latchkey/test/visitor"
)

// A trust makes users of one realm log in to another, says beforehand what it makes,
// takes rights in both, and is undone by its own record and by nothing else.
func TestTrustBetweenRealms(t *testing.T) {
	t.Parallel()
	harness.Each(t, func(t *testing.T, e harness.Engine) {
		s := harness.Start(t, harness.Options{Engine: e})
		ctx, root := t.Context(), visitor.NewAdmin(s.URL)
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		user := `{"username":"alice","enabled":true,"email":"alice@example.org","emailVerified":true,"firstName":"A","lastName":"B","credentials":[{"type":"password","value":"alice-pw"}]}`
		for name, more := range map[string]string{
			"home-town": `"users":[` + user + `]`,
			"village":   `"clients":[{"clientId":"web","enabled":true,"publicClient":true,"redirectUris":["http://app.example/*"]}]`,
		} {
			_, err := root.Post(ctx, "", json.RawMessage(`{"realm":"`+name+`","enabled":true,`+more+`}`))
			must(err)
		}
		providers := func() (list []struct {
			Alias  string
			Config map[string]string
		}) {
			t.Helper()
			must(root.Get(ctx, "/village/identity-provider/instances", &list))
			return list
		}
		clients := func() (list []struct{ ClientID string }) {
			t.Helper()
			must(root.Get(ctx, "/home-town/clients?clientId=realm-village", &list))
			return list
		}
		var plan struct {
			Client   struct{ ClientID, Secret string }
			Provider struct{ Alias string }
		}
		_, err := root.Do(ctx, http.MethodPost, "/village/trust/home-town?dry-run=true", nil, &plan)
		must(err)
		if plan.Client.ClientID != "realm-village" || plan.Provider.Alias != "home-town" || len(providers()) > 0 || len(clients()) > 0 {
			t.Fatalf("a dry run: %+v, and then there are %v and %v", plan, providers(), clients())
		}
		_, err = root.Do(ctx, http.MethodPost, "/village/trust/home-town", nil, &plan)
		must(err)
		if len(providers()) != 1 || len(clients()) != 1 || strings.Trim(plan.Client.Secret, "*") != "" {
			t.Fatalf("a trust: %+v, and then there are %v and %v", plan, providers(), clients())
		}
		if _, err = root.Do(ctx, http.MethodPost, "/village/trust/home-town", nil, nil); err == nil || len(clients()) != 1 {
			t.Errorf("a second trust: %v, %v", err, clients())
		}

		b := visitor.NewBrowser()
		app := visitor.Party{Base: s.URL, Realm: "village", ClientID: "web", Redirect: "http://app.example/cb"}
		page, err := b.Open(ctx, app.AuthURL())
		must(err)
		page, err = page.Follow(ctx, "/broker/home-town/login")
		must(err)
		page, err = page.Login(ctx, "alice", "alice-pw")
		must(err)
		if _, err := page.Code(); err != nil {
			t.Errorf("the login by the other realm: %v", err)
		}

		must(root.Delete(ctx, "/village/trust/home-town"))
		if len(providers()) > 0 || len(clients()) > 0 {
			t.Errorf("after it was undone there are %v and %v", providers(), clients())
		}
		_, err = root.Post(ctx, "/village/identity-provider/instances", json.RawMessage(`{"alias":"home-town","providerId":"oidc"}`))
		must(err)
		if err := root.Delete(ctx, "/village/trust/home-town"); err == nil || len(providers()) != 1 {
			t.Error("a provider that no trust has made goes with one")
		}
	})
}

// The command trust shows what it would make, makes it, says that it is there already, and takes it back.
func TestTrustCommand(t *testing.T) {
	t.Parallel()
	harness.Each(t, func(t *testing.T, e harness.Engine) {
		s := harness.Start(t, harness.Options{Engine: e})
		root := visitor.NewAdmin(s.URL)
		for _, name := range []string{"town", "village"} {
			if _, err := root.Post(t.Context(), "", map[string]any{"realm": name, "enabled": true}); err != nil {
				t.Fatal(err)
			}
		}
		run := func(code int, says string, args ...string) {
			t.Helper()
			cmd := exec.Command(harness.Binary(t), append([]string{"trust", "village", "town", "--server", s.URL}, args...)...)
			cmd.Dir = t.TempDir()
			cmd.Env = append(os.Environ(), "LATCHKEY_ADMIN_USER=admin", "LATCHKEY_ADMIN_PASSWORD="+root.Password)
			out, _ := cmd.CombinedOutput()
			if cmd.ProcessState.ExitCode() != code || !strings.Contains(string(out), says) {
				t.Errorf("trust %v ends with %d, want %d: %s", args, cmd.ProcessState.ExitCode(), code, out)
			}
			var list []any
			if err := root.Get(t.Context(), "/village/identity-provider/instances", &list); err != nil {
				t.Fatal(err)
			}
			if made := len(list) == 1; made != strings.Contains("Made already", says) {
				t.Errorf("trust %v: %d providers are there", args, len(list))
			}
		}
		run(0, "Would make client realm-village in realm town, and identity provider town in realm village.", "--dry-run")
		run(0, "Made")
		run(2, "already")
		run(0, "Taken back", "--undo")
	})
}
