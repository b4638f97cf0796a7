package realms_test

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
)

// canonical makes documents comparable: lists sorted, and without what is
// random (drop) at any depth.
func canonical(v any, drop ...string) any {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range drop {
			delete(v, k)
		}
		for k := range v {
			v[k] = canonical(v[k], drop...)
		}
	case []any:
		keys := make(map[int]string, len(v))
		order := make([]int, len(v))
		for i := range v {
			v[i] = canonical(v[i], drop...)
			text, _ := json.Marshal(v[i])
			keys[i], order[i] = nameOf(v[i])+string(text), i
		}
		sort.Slice(order, func(a, b int) bool { return keys[order[a]] < keys[order[b]] })
		out := make([]any, len(v))
		for i, j := range order {
			out[i] = v[j]
		}
		return out
	}
	return v
}

// nameOf is what an object in a list is known by, so that differences are told
// between objects that belong together.
func nameOf(v any) string {
	m, _ := v.(map[string]any)
	for _, k := range []string{"clientId", "alias", "username", "name"} {
		if s, ok := m[k].(string); ok {
			return s
		}
	}
	return ""
}

func document(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// differences lists where two documents differ, as paths.
func differences(path string, want, got any) []string {
	if reflect.DeepEqual(want, got) {
		return nil
	}
	wm, ok1 := want.(map[string]any)
	gm, ok2 := got.(map[string]any)
	if ok1 && ok2 {
		var list []string
		for k := range wm {
			list = append(list, differences(path+"/"+k, wm[k], gm[k])...)
		}
		for k := range gm {
			if _, ok := wm[k]; !ok {
				list = append(list, differences(path+"/"+k, nil, gm[k])...)
			}
		}
		slices.Sort(list)
		return list
	}
	wl, ok1 := want.([]any)
	gl, ok2 := got.([]any)
	if ok1 && ok2 && len(wl) == len(gl) {
		var list []string
		for i := range wl {
			list = append(list, differences(path+"/-", wl[i], gl[i])...)
		}
		return list
	}
	w, _ := json.Marshal(want)
	g, _ := json.Marshal(got)
	return []string{path + ": want " + string(w) + ", got " + string(g)}
}

// TestNewIsKeycloaksDefault compares with what the reference itself exported:
// a realm created with nothing but a name, and its master realm (in which the
// first realm has its client).
// Keycloak: RealmManager.importRealm, ApplianceBootstrap. Oracle: realms/defaults
func TestNewIsKeycloaksDefault(t *testing.T) {
	drop := []string{"id", "containerId"}
	for _, name := range []string{"plain", realms.Master} {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile("testdata/default-" + name + ".json")
			if err != nil {
				t.Fatal(err)
			}
			r, err := realms.New(name, time.Unix(1, 0))
			if err != nil {
				t.Fatal(err)
			}
			if name == realms.Master {
				if err := realms.AddToMaster(r, "plain"); err != nil {
					t.Fatal(err)
				}
			}
			got, err := rep.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range differences("", canonical(document(t, text), drop...), canonical(document(t, got), drop...)) {
				t.Error(d)
			}
		})
	}
}

// TestIDs: everything in a new realm has an id of its own.
func TestIDs(t *testing.T) {
	r, err := realms.New("x", time.Unix(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	claim := func(what, id string) {
		if id == "" || seen[id] != "" {
			t.Errorf("%s: id %q, as %q", what, id, seen[id])
		}
		seen[id] = what
	}
	for _, c := range r.Clients {
		claim(c.ClientID, c.ID)
		for _, m := range c.ProtocolMappers {
			claim(m.Name, m.ID)
		}
	}
	for _, s := range r.ClientScopes {
		claim(s.Name, s.ID)
		for _, m := range s.ProtocolMappers {
			claim(m.Name, m.ID)
		}
	}
	for _, f := range r.AuthenticationFlows {
		claim(f.Alias, f.ID)
	}
	for _, list := range r.Components {
		for _, c := range list {
			claim(c.Name, c.ID)
		}
	}
	for _, role := range r.Roles.Realm {
		claim(role.Name, role.ID)
	}
	for client, list := range r.Roles.Client {
		for _, role := range list {
			claim(client+" "+role.Name, role.ID)
		}
	}
}

// TestNames holds the characters that the reference refuses in a realm's name.
// Keycloak: ReservedCharValidator
func TestNames(t *testing.T) {
	for _, name := range []string{".", "..", "", " "} {
		if _, err := realms.New(name, time.Unix(1, 0)); err == nil {
			t.Errorf("%q is a realm's name", name)
		}
	}
	for _, c := range strings.Split(": / ? # [ ] @ ! $ & ( ) * + , ; = \\", " ") {
		if _, err := realms.New("a"+c+"b", time.Unix(1, 0)); !errors.Is(err, realms.ErrBadRequest) || !strings.HasPrefix(err.Error(),
			"Character '"+c+"' not allowed.") {
			t.Errorf("%q: %v", c, err)
		}
	}
	for _, c := range strings.Split("< % ' ^ ` { | ~ é \"", " ") {
		r, err := realms.New("a"+c+"b", time.Unix(1, 0))
		if err != nil {
			t.Errorf("%q: %v", c, err)
		} else if uri := r.Clients[0].RedirectURIs[0]; !strings.Contains(uri, iam.PathName("a"+c+"b")) {
			t.Errorf("%q: redirect URI %q", c, uri)
		}
	}
	for _, name := range []string{"", "  "} {
		if _, err := realms.New(name, time.Unix(1, 0)); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
}

// TestComplete holds what the reference made of realms that were posted with
// some things and without others.
// Keycloak: RealmManager.importRealm, DefaultExportImportManager.importRealm
func TestComplete(t *testing.T) {
	text, err := os.ReadFile("testdata/complete.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Given json.RawMessage
		Want  map[string]any
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		given := new(rep.Realm)
		if err := rep.Unmarshal(c.Given, given); err != nil {
			t.Fatal(err)
		}
		t.Run(given.Realm, func(t *testing.T) {
			before, _ := rep.Marshal(given)
			r, err := realms.Complete(given, time.Unix(1, 0))
			if err != nil {
				t.Fatal(err)
			}
			if after, _ := rep.Marshal(given); string(after) != string(before) {
				t.Error("the given realm was changed")
			}
			for i := range r.Clients {
				if cl := &r.Clients[i]; (cl.Secret == nil) != (*cl.PublicClient || cl.Attributes["realm_client"] == "true" && cl.Name != nil) {
					t.Errorf("%s: secret %v", cl.ClientID, cl.Secret != nil)
				}
			}
			whole, err := rep.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]any{}
			for k, v := range document(t, whole).(map[string]any) {
				if _, ok := c.Want[k]; !ok {
					continue
				}
				got[k] = v
			}
			onlyMember(got, "name", "clientScopes")
			onlyMember(got, "alias", "requiredActions", "authenticationFlows")
			for kind, list := range got["components"].(map[string]any) {
				m := map[string]any{kind: list}
				onlyMember(m, "providerId", kind)
				got["components"].(map[string]any)[kind] = m[kind]
			}
			// The service of authorization adds its role when it exists.
			delete(got["roles"].(map[string]any)["client"].(map[string]any), "azs")
			drop := []string{"id", "containerId", "secret", "client.secret.creation.time"}
			for _, d := range differences("", canonical(any(c.Want), drop...), canonical(any(got), drop...)) {
				t.Error(d)
			}
		})
	}
}

// onlyMember reduces the objects in the named lists to one member.
func onlyMember(doc map[string]any, member string, lists ...string) {
	for _, list := range lists {
		for i, v := range doc[list].([]any) {
			doc[list].([]any)[i] = map[string]any{member: v.(map[string]any)[member]}
		}
	}
}
