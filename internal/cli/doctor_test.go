package cli

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"latchkey/internal/doctor"
)

// finding is one with two fixes.
func finding() doctor.Finding {
	client := doctor.Subject{Kind: doctor.KindClient, ID: "c1", Name: "web"}
	scope := &doctor.Scope{ID: "s2", Name: "offline_access"}
	change := func(after string) []doctor.Change {
		return []doctor.Change{{Subject: client, Member: doctor.MemberScope, Scope: scope, Before: jsontext.Value(`"default"`),
			After: jsontext.Value(after)}}
	}
	return doctor.Finding{ID: "x.c1", Check: "x", Severity: doctor.Error, Subject: client, What: strings.Repeat("a long sentence ", 12),
		Evidence:    []string{"one", "two"},
		Consequence: strings.Repeat("what it means ", 20), Remedy: "what to do", Fixes: []doctor.Fix{
			{ID: "optional", Title: "make it optional", Changes: change(`"optional"`), Effects: []string{"214 live offline tokens keep working."}},
			{ID: "remove", Title: "take it away", Changes: change(`"none"`), Effects: []string{"They fail."}, Lasting: "sessions"},
		}}
}

func TestReportFitsItsColumns(t *testing.T) {
	r := &doctor.Report{Realm: "shop", Server: doctor.Keycloak, Findings: []doctor.Finding{finding()},
		CannotTell: []doctor.Undecided{{Check: "y", Title: strings.Repeat("title ", 30), Because: "nobody looked"}}}
	info := finding()
	info.Severity, info.What = doctor.Info, "Mild."
	r.Findings = append(r.Findings, info)
	var out strings.Builder
	printReport(&out, r)
	for line := range strings.Lines(out.String()) {
		if len(strings.TrimSuffix(line, "\n")) > columns {
			t.Errorf("too long: %s", line)
		}
	}
	text := out.String()
	for _, want := range []string{"ERRORS\n", "WORTH KNOWING\n", "CANNOT TELL\n", "seen:    two", "optional: make it optional (the default)",
		"finding: x.c1"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	if strings.Contains(text, "WARNINGS") || strings.Index(text, "ERRORS") > strings.Index(text, "WORTH") {
		t.Error(text)
	}
}

func TestChoose(t *testing.T) {
	for answers, want := range map[string]string{"y\n": "optional", "\nyes\n": "remove", "n\nN\n": "", "later\n\n": ""} {
		f := finding()
		var out strings.Builder
		fix, err := choose(&out, bufio.NewReader(strings.NewReader(answers)), &f)
		got := ""
		if fix != nil {
			got = fix.ID
		}
		if err != nil || got != want || !strings.Contains(out.String(),
			`change:  client web: client scope offline_access: "default" -> "optional"`) || !strings.Contains(out.String(),
			"Apply optional? [y/N]") {
			t.Errorf("%q: %s, %v\n%s", answers, got, err, out.String())
		}
	}
	f := finding()
	if _, err := choose(new(strings.Builder), bufio.NewReader(strings.NewReader("")), &f); err == nil {
		t.Error("no answer was taken for one")
	}
}

func TestKcadm(t *testing.T) {
	realm := doctor.Subject{Kind: doctor.KindRealm, ID: "r", Name: "my shop"}
	client := doctor.Subject{Kind: doctor.KindClient, ID: "c1", Name: "web"}
	for _, c := range []struct {
		change doctor.Change
		want   []string
	}{
		{finding().Fixes[0].Changes[0].Reverse(), []string{"kcadm.sh delete clients/c1/optional-client-scopes/s2 -r 'my shop'",
			"kcadm.sh update clients/c1/default-client-scopes/s2 -r 'my shop' -n -b '{}'"}},
		{doctor.Change{Subject: realm, Member: "bruteForceProtected", After: jsontext.Value("false")},
			[]string{"kcadm.sh update realms/'my shop' -s bruteForceProtected=false"}},
		{doctor.Change{Subject: client, Member: "webOrigins", After: jsontext.Value(`["*"]`)},
			[]string{`kcadm.sh update clients/c1 -r 'my shop' -s 'webOrigins=["*"]'`}},
		{doctor.Change{Subject: client, Member: "attributes.access.token.lifespan", After: jsontext.Value(`"60"`)},
			[]string{`kcadm.sh update clients/c1 -r 'my shop' -s 'attributes."access.token.lifespan"="60"'`}},
	} {
		if got := kcadm("my shop", &c.change); !slices.Equal(got, c.want) {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	if got := shell("it's"); got != `'it'\''s'` {
		t.Error(got)
	}
}

// What cannot be done is told with code 2, and without a secret.
func TestDoctorRefusals(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("not-a-record.json", []byte(`{"x":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"LATCHKEY_DOCTOR_PASSWORD=geheim"}
	for args, want := range map[string]string{
		"doctor":                                           filepath.Join("data", "latchkey.db"), // none is made
		"doctor --fix":                                     "needs a terminal",
		"doctor --server id.example.org":                   "must begin with http",
		"doctor --server http://127.0.0.1:1":               "whom to log in as?",
		"doctor --server http://127.0.0.1:1 --user a":      "refused",
		"doctor --server http://127.0.0.1:1 --client-id a": "LATCHKEY_DOCTOR_CLIENT_SECRET",
		"doctor --server http://127.0.0.1:1 --user a --undo not-a-record.json": "no record of a fix",
		"doctor --severity bad": "severity",
	} {
		var out, errOut strings.Builder
		code := Main(t.Context(), strings.Fields(args), env, &out, &errOut)
		if code != 2 || !strings.Contains(errOut.String(), want) || strings.Contains(out.String()+errOut.String(), "geheim") {
			t.Errorf("%s: %d %s%s", args, code, out.String(), errOut.String())
		}
	}
	if _, err := os.Stat(filepath.Join("data", "latchkey.db")); err == nil {
		t.Error("looking for a database has made one")
	}
}

func TestBar(t *testing.T) {
	var out strings.Builder
	bar(&out, 10, 40)
	if want := "\r[" + strings.Repeat("#", 10) + strings.Repeat(".", 30) + "] 10 requests"; out.String() != want {
		t.Errorf("%q", out.String())
	}
}
