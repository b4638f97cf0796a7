package rep_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"latchkey/internal/rep"
)

// exports are what kc.sh export of Keycloak 26.7.3 wrote: a new realm, one with
// something of everything in it, and the users of two (users in files of their own).
var exports = []string{"plain-realm.json", "full-realm.json", "full-users-0.json", "consents-users-0.json"}

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func tree(t testing.TB, data []byte) any {
	t.Helper()
	var v any
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// differences lists where two JSON trees differ, by path.
func differences(path string, got, want any) []string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return []string{path + ": not an object"}
		}
		var list []string
		for k, v := range w {
			if _, ok := g[k]; !ok {
				list = append(list, path+"/"+k+": lost")
				continue
			}
			list = append(list, differences(path+"/"+k, g[k], v)...)
		}
		for k := range g {
			if _, ok := w[k]; !ok {
				list = append(list, fmt.Sprintf("%s/%s: appeared as %v", path, k, g[k]))
			}
		}
		return list
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return []string{path + ": not the same list"}
		}
		var list []string
		for i := range w {
			list = append(list, differences(fmt.Sprintf("%s/%d", path, i), g[i], w[i])...)
		}
		return list
	}
	if !reflect.DeepEqual(got, want) {
		return []string{fmt.Sprintf("%s: %v became %v", path, want, got)}
	}
	return nil
}

// TestExportsRoundTrip: nothing is lost, nothing appears, and lists keep their
// order. Keycloak: ExportUtils
func TestExportsRoundTrip(t *testing.T) {
	for _, name := range exports {
		data := read(t, "export/"+name)
		var r rep.Realm
		if err := rep.Decode(data, &r); err != nil {
			t.Fatalf("%s has members that rep lacks: %v", name, err)
		}
		out, err := rep.MarshalIndent(r)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range differences("", tree(t, out), tree(t, data)) {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// TestAnswersRoundTrip does the same for answers of the admin REST. Lists of
// objects that the reference writes with members of their own stay known.
func TestAnswersRoundTrip(t *testing.T) {
	for name, v := range map[string]any{
		"realm":              new(rep.Realm),
		"clients":            new([]rep.Client),
		"users":              new([]rep.User),
		"user":               new(rep.User),
		"groups":             new([]rep.Group),
		"flows":              new([]rep.Flow),
		"executions":         new([]rep.ExecutionInfo),
		"required-actions":   new([]rep.RequiredAction),
		"components":         new([]rep.Component),
		"keys":               new(rep.KeysMetadata),
		"identity-providers": new([]rep.IdentityProvider),
		"profile":            new(rep.UPConfig),
		"mappings":           new(rep.Mappings),
		"client-profiles":    new(rep.ClientProfiles),
		"client-policies":    new(rep.ClientPolicies),
		"admin-events":       new([]rep.AdminEvent),
		"events-config":      new(rep.EventsConfig),
		"serverinfo":         new(rep.ServerInfo),
	} {
		data := read(t, "rest/"+name+".json")
		if err := rep.Decode(data, v); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		out, err := rep.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range differences("", tree(t, out), tree(t, data)) {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// plant adds a member that nobody knows to every representation in a JSON tree
// of type t and returns how many.
func plant(node any, t reflect.Type) (n int) {
	switch {
	case t.Kind() == reflect.Pointer:
		return plant(node, t.Elem())
	case t.Kind() == reflect.Struct:
		object, ok := node.(map[string]any)
		if !ok {
			return 0
		}
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			if name != "" {
				n += plant(object[name], t.Field(i).Type)
			}
		}
		object["of tomorrow"] = map[string]any{"deep": []any{json.Number("1.50"), nil, "ü", map[string]any{"in": t.Name()}}}
		return n + 1
	case t.Kind() == reflect.Slice:
		list, _ := node.([]any)
		for _, v := range list {
			n += plant(v, t.Elem())
		}
	case t.Kind() == reflect.Map:
		object, _ := node.(map[string]any)
		for _, v := range object {
			n += plant(v, t.Elem())
		}
	}
	return n
}

// TestUnknownMembersSurvive: on both of Unmarshal's ways, the quick one and the
// forgiving one, and through Clone.
func TestUnknownMembersSurvive(t *testing.T) {
	for _, name := range exports {
		for _, odd := range []bool{false, true} {
			want := tree(t, read(t, "export/"+name))
			planted := plant(want, reflect.TypeFor[rep.Realm]())
			if planted < 3 || strings.HasSuffix(name, "realm.json") && planted < 200 {
				t.Errorf("%s: planted only %d", name, planted)
			}
			in := want.(map[string]any)
			if odd {
				in["enabled"] = "true" // not as Keycloak writes it
			}
			data, err := json.Marshal(in)
			if err != nil {
				t.Fatal(err)
			}
			if odd {
				in["enabled"] = true
			}
			r := new(rep.Realm)
			if err := rep.Unmarshal(data, r); err != nil {
				t.Fatal(err)
			}
			if r, err = rep.Clone(r); err != nil {
				t.Fatal(err)
			}
			out, err := rep.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range differences("", tree(t, out), want) {
				t.Errorf("%s: %s", name, d)
			}
		}
	}
}

// TestMarshalIsDeterministic: equal values, equal bytes.
func TestMarshalIsDeterministic(t *testing.T) {
	var a, b rep.Realm
	for _, r := range []*rep.Realm{&a, &b} {
		if err := rep.Unmarshal(read(t, "export/full-realm.json"), r); err != nil {
			t.Fatal(err)
		}
	}
	x, err := rep.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	if y, err := rep.Marshal(b); err != nil || string(x) != string(y) {
		t.Error("two texts for one realm", err)
	}
}

// FuzzRealmFile: whatever the file, the answer is a realm that writes back to
// what it was read from, or an error with a place.
func FuzzRealmFile(f *testing.F) {
	f.Add(read(f, "export/full-users-0.json"))
	f.Add(read(f, "export/consents-users-0.json"))
	for _, seed := range []string{
		`{"realm":"r","enabled":"true","clients":[{"clientId":"c","x":null}],"components":{"a":[{"subComponents":{"b":[{}]}}]}}`,
		`{"realm":1,"users":[{"attributes":{"a":"b","c":[1,null]},"credentials":[{"type":"password"}]}],"":{},"":[]}`,
		`{"sslRequired":"ALL","passwordPolicy":"length(","roles":{"client":{"c":[{"composites":{"x":1}}]}}}`,
		`{"notBefore":1e9,"bruteForceStrategy":"LINEAR","authenticationFlows":[{"authenticationExecutions":[{}]}]}`,
		`[`, `null`, `{"a":1}{"b":2}`, "\xef\xbb\xbf{}", "{\"realm\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var r rep.Realm
		if err := rep.Unmarshal(data, &r); err != nil {
			var at rep.DecodeError
			if !errors.As(err, &at) && !errors.Is(err, rep.ErrNoBody) {
				t.Errorf("an error of type %T: %v", err, err)
			}
			_ = rep.Decode(data, new(rep.Realm))
			return
		}
		one, err := rep.Marshal(r)
		if err != nil {
			t.Fatalf("cannot be written: %v", err)
		}
		var again rep.Realm
		if err := rep.Unmarshal(one, &again); err != nil {
			t.Fatalf("cannot be read back: %v\n%s", err, one)
		}
		two, err := rep.Marshal(again)
		if err != nil || string(one) != string(two) {
			t.Errorf("changes when read again (%v):\n%s\n%s", err, one, two)
		}
		_, _ = r.IAM()
		for i := range r.Clients {
			_, _ = r.Clients[i].IAM()
		}
		for i := range r.Users {
			r.Users[i].IAM()
			for j := range r.Users[i].Credentials {
				_, _ = r.Users[i].Credentials[j].IAM()
			}
		}
	})
}
