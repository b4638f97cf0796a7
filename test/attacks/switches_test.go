package attacks

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"latchkey/test/harness"
	"latchkey/test/visitor"
)

// switches are the settings of a realm that turn on what is not built.
var switches = map[string]string{
	"organizations":            `{"organizationsEnabled": true}`,
	"fine-grained permissions": `{"adminPermissionsEnabled": true}`,
	"SCIM":                     `{"scimApiEnabled": true}`,
	"user-managed access":      `{"userManagedAccessAllowed": true}`,
	"client policies":          `{"clientPolicies": {"policies": [{"name": "p", "enabled": true, "conditions": [], "profiles": []}]}}`,
}

// TestSwitchesThatDoNothing: a request does not turn on what is not there, be it
// for a new realm or an old one, and nothing of it is stored.
func TestSwitchesThatDoNothing(t *testing.T) {
	s := harness.Start(t, harness.Options{})
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	admin := visitor.NewAdmin(s.URL)
	if _, err := admin.Post(ctx, "", json.RawMessage(`{"realm": "plain", "enabled": true}`)); err != nil {
		t.Fatal(err)
	}
	shown := func() map[string]any {
		v := map[string]any{}
		if err := admin.Get(ctx, "/plain", &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	before := shown()
	for name, doc := range switches {
		t.Run(name, func(t *testing.T) {
			refused(t, admin.Put(ctx, "/plain", json.RawMessage(doc)))
			for member, value := range shown() {
				if !reflect.DeepEqual(value, before[member]) {
					t.Errorf("%s is %v, was %v", member, value, before[member])
				}
			}
			_, err := admin.Post(ctx, "", json.RawMessage(`{"realm": "new", "enabled": true, `+doc[1:]))
			defer func() { _ = admin.Delete(ctx, "/new") }()
			refused(t, err)
			if err := admin.Get(ctx, "/new", &map[string]any{}); !status(err, 404) {
				t.Errorf("the realm is there: %v", err)
			}
		})
	}
	t.Run("sent back as it is read", func(t *testing.T) {
		if err := admin.Put(ctx, "/plain", shown()); err != nil {
			t.Error(err)
		}
	})
}

func refused(t *testing.T, err error) {
	t.Helper()
	if !status(err, 400) {
		t.Errorf("not refused: %v", err)
	}
}

func status(err error, code int) bool {
	e, ok := errors.AsType[*visitor.StatusError](err)
	return ok && e.Status == code
}

// TestLoginsWithAcceptedGaps: a file that turns on what is not there has gaps
// that say which step is affected and whom; with them accepted everybody logs
// in who would without, and the realm can be sent back as it is read.
func TestLoginsWithAcceptedGaps(t *testing.T) {
	harness.Each(t, func(t *testing.T, e harness.Engine) {
		s := harness.Prepare(t, harness.Options{Engine: e})
		file := filepath.Join(t.TempDir(), "realm.json")
		const doc = `{"realm": "firm", "enabled": true, "organizationsEnabled": true, "adminPermissionsEnabled": true, "scimApiEnabled": true,
			"userManagedAccessAllowed": true,
			"organizations": [{"name": "acme", "alias": "acme", "enabled": true, "domains": [{"name": "acme.example"}]}],
			"clientPolicies": {"policies": [{"name": "p", "enabled": true, "conditions": [], "profiles": []}]},
			"clients": [{"clientId": "app", "secret": "app-secret", "redirectUris": ["http://app.example/*"], "directAccessGrantsEnabled": true}],
			"users": [{"username": "kim", "enabled": true, "email": "kim@acme.example", "firstName": "K", "lastName": "M",
				"credentials": [{"type": "password", "value": "kim-password"}]}]}`
		if err := os.WriteFile(file, []byte(doc), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := s.Command("import", file)
		if err == nil {
			t.Errorf("imported without a question:\n%s", out)
		}
		for _, want := range []string{"authenticator organization in flow", "everybody who logs in by browser", "1 organization is kept",
			"fine-grained admin permissions",
			"SCIM API", "user-managed access", "1 policy is not enforced"} {
			if !strings.Contains(out, want) {
				t.Errorf("the gaps do not say %q:\n%s", want, out)
			}
		}
		if out, err := s.Command("import", "--accept-gaps", file); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		s.Restart(t)
		ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
		defer cancel()
		party := visitor.Party{Base: s.URL, Realm: "firm", ClientID: "app", Secret: "app-secret", Redirect: "http://app.example/cb"}
		if _, err := party.Code(ctx, visitor.NewBrowser(), "kim", "kim-password"); err != nil {
			t.Errorf("login by browser: %v", err)
		}
		admin := visitor.NewAdmin(s.URL)
		v, policies := map[string]any{}, json.RawMessage{}
		if err := admin.Get(ctx, "/firm", &v); err != nil {
			t.Fatal(err)
		}
		if err := admin.Put(ctx, "/firm", v); err != nil {
			t.Errorf("the realm is not taken back: %v", err)
		}
		if err := admin.Get(ctx, "/firm/client-policies/policies", &policies); err != nil {
			t.Fatal(err)
		}
		if err := admin.Put(ctx, "/firm/client-policies/policies", policies); err != nil {
			t.Errorf("its policies are not taken back: %v", err)
		}
	})
}
