package realmfiles_test

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// versions of Keycloak of which there is a whole export of our own, each made
// by taking from one of today what its version did not have yet.
var versions = []string{"7.0.0.GA", "2.5.5.Final", "3.4.3.Final", "4.8.3.Final", "6.0.1", "7.0.1", "8.0.1", "9.0.3", "10.0.2", "11.0.3",
	"12.0.4", "13.0.1", "14.0.0",
	"15.0.2.redhat-00001", "16.1.1", "17.0.1", "18.0.2", "19.0.3", "20.0.5", "21.1.2", "22.0.5", "23.0.7", "24.0.5", "25.0.6",
	"26.0.8", "26.3.3", "26.6.1",
	"26.7.3"}

// a doc is a JSON object.
type doc = map[string]any

func objects(v any) []doc {
	var out []doc
	list, _ := v.([]any)
	for _, o := range list {
		out = append(out, o.(doc))
	}
	return out
}

func without(v any, gone func(doc) bool) []any {
	list, _ := v.([]any)
	return slices.DeleteFunc(list, func(o any) bool { return gone(o.(doc)) })
}

// major reads a version's first number, Keycloak's for Red Hat's product.
func major(version string) int {
	if strings.HasSuffix(version, ".GA") {
		return 1
	}
	n := 0
	for _, c := range version {
		if c < '0' || c > '9' {
			break
		}
		n = 10*n + int(c-'0')
	}
	return n
}

// age makes an export of an older version of one of today.
func age(r doc, version string) {
	v := major(version)
	r["keycloakVersion"] = version
	if v < 25 {
		dropScope(r, "basic")
	}
	if v < 22 {
		r["authenticationFlows"] = append(r["authenticationFlows"].([]any), httpChallenge()...)
	}
	if v < 18 {
		dropScope(r, "acr")
	}
	if v < 13 {
		delete(r, "defaultRole")
		r["defaultRoles"] = []any{"offline_access", "uma_authorization"}
		roles := r["roles"].(doc)
		roles["realm"] = without(roles["realm"], func(o doc) bool { return strings.HasPrefix(o["name"].(string), "default-roles") })
	}
	if v < 9 {
		r["clients"] = without(r["clients"], func(o doc) bool { return o["clientId"] == "account-console" })
		mappings, _ := r["clientScopeMappings"].(doc)
		delete(mappings, "account")
		delete(r["roles"].(doc)["client"].(doc), "account-console")
	}
	if v < 8 {
		for _, c := range objects(r["clients"]) {
			if base, ok := c["baseUrl"].(string); ok && strings.HasPrefix(base, "/") {
				delete(c, "rootUrl")
				c["baseUrl"] = "/auth" + base
			}
		}
		for _, f := range objects(r["authenticationFlows"]) {
			for _, e := range objects(f["authenticationExecutions"]) {
				if e["requirement"] == "CONDITIONAL" {
					delete(e, "flowAlias")
					e["authenticatorFlow"], e["authenticator"], e["requirement"] = false, "auth-otp-form", "OPTIONAL"
					if f["alias"] == "direct grant" {
						e["authenticator"] = "direct-grant-validate-otp"
					}
				}
			}
		}
		for _, u := range objects(r["users"]) {
			if len(objects(u["credentials"])) > 0 {
				u["credentials"] = []any{oldPassword(u["username"].(string) + "-pw")}
			}
		}
	}
	if v < 4 {
		for _, member := range []string{"clientScopes", "defaultDefaultClientScopes", "defaultOptionalClientScopes"} {
			delete(r, member)
		}
		r["clientTemplates"] = []any{doc{"name": "shared", "protocol": "openid-connect"}}
		r["scopeMappings"] = []any{doc{"clientTemplate": "shared", "roles": []any{"buyer"}}}
		for _, c := range objects(r["clients"]) {
			delete(c, "defaultClientScopes")
			delete(c, "optionalClientScopes")
		}
	}
}

func dropScope(r doc, name string) {
	named := func(v any) bool { return v == name }
	r["clientScopes"] = without(r["clientScopes"], func(o doc) bool { return o["name"] == name })
	for _, owner := range append(objects(r["clients"]), r) {
		for _, member := range []string{"defaultClientScopes", "defaultDefaultClientScopes"} {
			if list, ok := owner[member].([]any); ok {
				owner[member] = slices.DeleteFunc(list, named)
			}
		}
	}
}

func httpChallenge() []any {
	step := func(authenticator string, priority int) doc {
		return doc{"authenticator": authenticator, "requirement": "REQUIRED", "priority": priority, "userSetupAllowed": false,
			"autheticatorFlow": false}
	}
	return []any{
		doc{"alias": "http challenge", "providerId": "basic-flow", "topLevel": true, "builtIn": true,
			"authenticationExecutions": []any{step("no-cookie-redirect", 10),
				doc{"flowAlias": "Authentication Options", "autheticatorFlow": true, "requirement": "REQUIRED", "priority": 20}}},
		doc{"alias": "Authentication Options", "providerId": "basic-flow", "topLevel": false, "builtIn": true,
			"authenticationExecutions": []any{step("basic-auth", 10)}},
	}
}

// oldPassword is a credential as Keycloak 7 wrote it.
func oldPassword(password string) doc {
	salt := []byte("0123456789abcdef")
	key, err := pbkdf2.Key(sha256.New, password, salt, 27500, 64)
	if err != nil {
		panic(err)
	}
	return doc{"type": "password", "hashedSaltedValue": base64.StdEncoding.EncodeToString(key),
		"salt":           base64.StdEncoding.EncodeToString(salt),
		"hashIterations": 27500, "counter": 0, "algorithm": "pbkdf2-sha256", "digits": 0, "period": 0, "config": doc{}}
}

// agedFiles writes a whole export of every version, made of the one that the
// server writes of testdata/shop.json.
func agedFiles(t *testing.T, s site) []string {
	t.Helper()
	dir := t.TempDir()
	seed, err := filepath.Abs("testdata/shop.json")
	if err != nil {
		t.Fatal(err)
	}
	whole := filepath.Join(dir, "whole.json")
	if out, err := s.Command("import", seed); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := s.Command("export", "--realm", "shop", "--file", whole); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(whole); err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, version := range versions {
		var r doc
		if err := json.Unmarshal(text, &r); err != nil {
			t.Fatal(err)
		}
		age(r, version)
		out, err := json.MarshalIndent(r, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "shop-"+version+".json")
		if err := os.WriteFile(file, out, 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}
