package realmfiles_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/test/harness"
)

var (
	folder    = flag.String("dir", "", "folder of realm files to run on")
	reference = flag.String("reference", "", "base URL of a Keycloak 26.7 with admin/admin to ask the same")
)

// A site is a server and an administrator of it.
type site struct {
	*harness.Server
	base string
}

func (s site) token(realm string, form url.Values) (int, string) {
	resp, err := http.PostForm(s.base+"/realms/"+url.PathEscape(realm)+"/protocol/openid-connect/token", form)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	var body struct {
		Token string `json:"access_token"`
		Error string `json:"error_description"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		return resp.StatusCode, err.Error()
	}
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode, body.Error
	}
	return resp.StatusCode, body.Token
}

// admin makes an administrator's request; out nil does not look at the answer.
func (s site) admin(method, path string, body []byte, out any) (int, string) {
	status, token := s.token("master", url.Values{"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {"admin"},
		"password": {"admin"}})
	if status != http.StatusOK {
		return status, token
	}
	req, err := http.NewRequest(method, s.base+"/admin/realms"+path, bytes.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && out != nil && resp.StatusCode == http.StatusOK {
		err = json.Unmarshal(text, out)
	}
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(text)
}

// verdicts reads what the reference answered to the files of a folder.
func verdicts(dir string) map[string]string {
	statuses := map[string]string{}
	for _, name := range []string{"README.md", "verdicts.tsv"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			cells := regexp.MustCompile(`\s*[|\t]\s*`).Split(strings.Trim(line, "| \n"), -1)
			i := slices.IndexFunc(cells, func(c string) bool { return regexp.MustCompile(`^[2-5]\d\d$`).MatchString(c) })
			if i > 0 && strings.HasSuffix(cells[0], ".json") {
				statuses[cells[0]] = cells[i]
			}
		}
	}
	return statuses
}

func TestRealmFiles(t *testing.T) {
	server := harness.Start(t, harness.Options{})
	s := site{server, server.URL}
	said := map[string]string{}
	var files []string
	if *folder == "" {
		files = agedFiles(t, s)
		for _, f := range files {
			said[filepath.Base(f)] = "201"
		}
	} else {
		var err error
		if files, err = filepath.Glob(filepath.Join(*folder, "*.json")); err != nil || len(files) == 0 {
			t.Fatalf("no files: %v", err)
		}
		said = verdicts(*folder)
	}
	counts := map[string]int{}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			verdict := s.takes(t, file, said[name])
			counts[verdict]++
			if *folder == "" && verdict != "works" {
				t.Errorf("verdict %s", verdict)
			}
		})
	}
	t.Logf("%d files: %d would work, %d with gaps, %d refused", len(files), counts["works"], counts["gaps"], counts["refused"])
}

// imported are the realms that the command names.
var imported = regexp.MustCompile(`(?m)^(.*): imported with \d+ users$`)

// takes imports a file and holds what the check says of it against what
// happens. It returns the check's verdict.
func (s site) takes(t *testing.T, file, reference string) string {
	check, err := s.Command("import", "--check", file)
	verdict := "gaps"
	switch {
	case err != nil:
		verdict = "refused"
	case !strings.Contains(check, "things would not work"):
		verdict = "works"
	}
	t.Logf("%s; reference %s\n%s", verdict, reference, check)
	out, err := s.Command("import", "--on-conflict", "replace", file)
	if (err == nil) != (verdict == "works") {
		t.Errorf("checked as %s, and the import: %v: %s", verdict, err, out)
	}
	if verdict == "refused" {
		if reference == "201" {
			t.Errorf("the reference takes it")
		}
		return verdict
	}
	if verdict == "gaps" {
		if out, err = s.Command("import", "--on-conflict", "replace", "--accept-gaps", file); err != nil {
			t.Fatalf("with gaps accepted: %v: %s", err, out)
		}
	}
	for _, m := range imported.FindAllStringSubmatch(out, -1) {
		realm := m[1]
		s.comesBack(t, realm)
		if realm == "master" {
			t.Fatal("a file of the master realm needs a server of its own")
		}
		s.compare(t, file, realm)
		s.login(t, file, realm, verdict == "works")
		if status, text := s.admin("DELETE", "/"+url.PathEscape(realm), nil, nil); status != http.StatusNoContent {
			t.Errorf("DELETE: %d %s", status, text)
		}
	}
	return verdict
}

// comesBack: what is exported, imported and exported again is the same.
func (s site) comesBack(t *testing.T, realm string) {
	t.Helper()
	dir := t.TempDir()
	export := func(name string) doc {
		path := filepath.Join(dir, name)
		if out, err := s.Command("export", "--realm", realm, "--file", path); err != nil {
			t.Fatalf("export: %v: %s", err, out)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var d doc
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatal(err)
		}
		return sorted(d).(doc)
	}
	first := export("1.json")
	if out, err := s.Command("import", "--on-conflict", "replace", "--accept-gaps", filepath.Join(dir, "1.json")); err != nil {
		t.Errorf("its own export is refused: %v: %s", err, out)
		return
	}
	second := export("2.json")
	for member := range first {
		if !reflect.DeepEqual(first[member], second[member]) {
			a, _ := json.Marshal(first[member])
			b, _ := json.Marshal(second[member])
			t.Errorf("export, import, export: %s: first %s, then %s", member, a, b)
		}
	}
}

// sorted makes the order of lists not count.
func sorted(v any) any {
	switch v := v.(type) {
	case doc:
		for k := range v {
			v[k] = sorted(v[k])
		}
	case []any:
		for i := range v {
			v[i] = sorted(v[i])
		}
		text := func(o any) string { out, _ := json.Marshal(o); return string(out) }
		slices.SortFunc(v, func(a, b any) int { return strings.Compare(text(a), text(b)) })
	}
	return v
}

// login: a new user logs in by password, and so do those of the file whose
// password stands in it. must says that failing is an error.
func (s site) login(t *testing.T, file, realm string, must bool) {
	t.Helper()
	const probe, password = "realmfiles-probe", "Probe-1234-probe!"
	at := "/" + url.PathEscape(realm)
	var r doc
	for end := time.Now().Add(5 * time.Second); ; {
		if status, _ := s.admin("GET", at, nil, &r); status == http.StatusOK || time.Now().After(end) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if r["enabled"] != true {
		t.Log("the realm is not enabled: nobody logs in")
		return
	}
	if status, text := s.admin("POST", at+"/clients", []byte(`{"clientId":"`+probe+`","publicClient":true,"directAccessGrantsEnabled":true}`),
		nil); status != http.StatusCreated {
		t.Errorf("POST clients: %d %s", status, text)
	}
	if status, text := s.admin("POST", at+"/users", []byte(`{"username":"`+probe+
		`","enabled":true,"email":"probe@realmfiles.test","emailVerified":true,"firstName":"P","lastName":"P",
		"credentials":[{"type":"password","value":"`+password+`"}]}`), nil); status != http.StatusCreated {
		t.Logf("POST users: %d %s", status, text)
		return
	}
	var users []doc
	s.admin("GET", at+"/users?exact=true&email=probe@realmfiles.test", nil, &users)
	if len(users) != 1 {
		t.Fatalf("users: %v", users)
	}
	s.admin("PUT", at+"/users/"+users[0]["id"].(string), []byte(`{"requiredActions":[]}`), nil)
	people := map[string]string{users[0]["username"].(string): password}
	for name, value := range passwords(file) {
		people[name] = value
	}
	for name, value := range people {
		status, text := s.token(realm, url.Values{"grant_type": {"password"}, "client_id": {probe}, "username": {name}, "password": {value}})
		// what a profile lacks, which Keycloak asks for, too
		unready := name != users[0]["username"] && strings.Contains(text, "not fully set up")
		if status != http.StatusOK && must && !unready {
			t.Errorf("everything would work, and %s cannot log in: %d %s", name, status, text)
		} else if status != http.StatusOK {
			t.Logf("%s cannot log in: %d %s", name, status, text)
		}
	}
}

// passwords are those that stand in clear in a file, of users who have nothing
// else to do before they can log in; and those that the aged files are made with.
func passwords(file string) map[string]string {
	text, err := os.ReadFile(file)
	var r doc
	if err != nil || json.Unmarshal(text, &r) != nil {
		return nil
	}
	found := map[string]string{}
	for _, u := range objects(r["users"]) {
		name, _ := u["username"].(string)
		actions, _ := u["requiredActions"].([]any)
		credentials := objects(u["credentials"])
		if u["enabled"] != true || len(actions) > 0 || len(credentials) != 1 || strings.Contains(name, "${") {
			continue
		}
		c := credentials[0]
		if value, ok := c["value"].(string); ok && c["temporary"] != true && c["type"] == "password" && !strings.Contains(value, "${") {
			found[name] = value
		}
		if *folder == "" {
			found[name] = name + "-pw"
		}
	}
	return found
}

// compare asks the reference for the same, and compares names of what is there.
func (s site) compare(t *testing.T, file, realm string) {
	t.Helper()
	if *reference == "" {
		return
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	theirs := site{nil, strings.TrimSuffix(*reference, "/")}
	at := "/" + url.PathEscape(realm)
	theirs.admin("DELETE", at, nil, nil)
	if status, answer := theirs.admin("POST", "", text, nil); status != http.StatusCreated {
		t.Logf("the reference: %d %s", status, answer)
		return
	}
	defer theirs.admin("DELETE", at, nil, nil)
	for _, list := range []struct{ path, member string }{
		{"/clients", "clientId"}, {"/roles", "name"}, {"/client-scopes", "name"}, {"/groups", "name"}, {"/authentication/flows", "alias"},
		{"/authentication/required-actions", "alias"}, {"/users?max=1000", "username"}, {"/identity-provider/instances", "alias"},
	} {
		names := func(s site) []string {
			var found []doc
			s.admin("GET", at+list.path, nil, &found)
			var names []string
			for _, o := range found {
				name, _ := o[list.member].(string)
				names = append(names, name)
			}
			slices.Sort(names)
			return names
		}
		if want, got := names(theirs), names(s); !slices.Equal(want, got) {
			t.Errorf("%s: the reference has %v, here %v", list.path, want, got)
		}
	}
}
