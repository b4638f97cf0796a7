package latchkey_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/scanner"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write deps.txt anew")

// A goFile is a parsed Go file with where it is.
type goFile struct {
	path string
	fset *token.FileSet
	*ast.File
}

func (f goFile) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", f.path, f.fset.Position(n.Pos()).Line)
}

// skipped are folders that hold no source of ours.
func skipped(d fs.DirEntry) bool {
	return d.IsDir() && slices.Contains([]string{".git", "node_modules", "dist", "bin", "data"}, d.Name())
}

// files lists the files of the repository for which keep holds.
func files(t *testing.T, fsys fs.FS, keep func(p string) bool) []string {
	t.Helper()
	var out []string
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case skipped(d):
			return fs.SkipDir
		case d.Type().IsRegular() && p != ".git" && keep(p): // in a worktree .git is a file
			out = append(out, p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func read(t *testing.T, fsys fs.FS, p string) []byte {
	t.Helper()
	data, err := fs.ReadFile(fsys, p)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// product parses the Go files below internal/ and cmd/ that are not tests.
func product(t *testing.T, fsys fs.FS) []goFile {
	t.Helper()
	var out []goFile
	for _, p := range files(t, fsys, func(p string) bool {
		return (strings.HasPrefix(p, "internal/") || strings.HasPrefix(p, "cmd/")) &&
			strings.HasSuffix(p, ".go") && !strings.HasSuffix(p, "_test.go") && !strings.Contains(p, "/testdata/")
	}) {
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, p, read(t, fsys, p), parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, goFile{p, fset, f})
	}
	return out
}

// undocumented names the packages without a doc comment, and those with a name that says nothing.
func undocumented(all []goFile) (broken []string) {
	docs := map[string]bool{}
	for _, f := range all {
		dir := path.Dir(f.path)
		docs[dir] = docs[dir] || f.Doc != nil
	}
	for dir, documented := range docs {
		if !documented {
			broken = append(broken, dir+" has no doc comment: write its doc.go")
		}
		if slices.Contains([]string{"util", "utils", "common", "helper", "helpers", "pkg", "misc"}, path.Base(dir)) {
			broken = append(broken, dir+": name it for what it does")
		}
	}
	slices.Sort(broken)
	return broken
}

// pure are the calls whose results a package-level variable may hold: values that nobody changes.
var pure = []string{
	"errors.New", "fmt.Errorf", "regexp.MustCompile", "template.Must", "language.MustParse", "language.NewMatcher",
	"netip.MustParsePrefix", "netip.MustParseAddr", "strings.NewReplacer", "big.NewInt", "sync.OnceValue", "sync.OnceValues",
	"base32.StdEncoding.WithPadding",
}

// table tells whether an expression makes an error value or a table.
func table(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.CompositeLit:
		return true
	case *ast.ParenExpr:
		return table(e.X)
	case *ast.SelectorExpr: // another package's error value
		return strings.HasPrefix(e.Sel.Name, "Err")
	case *ast.UnaryExpr:
		return e.Op == token.AND && table(e.X)
	case *ast.CallExpr:
		switch f := e.Fun.(type) {
		case *ast.ArrayType, *ast.MapType: // a conversion, such as []byte("x")
			return true
		case *ast.SelectorExpr:
			return slices.Contains(pure, types.ExprString(f))
		}
	}
	return false
}

// hiddenState finds init functions and package-level variables that are more than a table.
func hiddenState(all []goFile) (broken []string) {
	for _, f := range all {
		for _, decl := range f.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				if decl.Recv == nil && decl.Name.Name == "init" {
					broken = append(broken, f.at(decl)+": no init(): let server.New call it")
				}
			case *ast.GenDecl:
				if decl.Tok != token.VAR {
					continue
				}
				for _, spec := range decl.Specs {
					v := spec.(*ast.ValueSpec)
					typ, _ := v.Type.(*ast.SelectorExpr)
					embedded := typ != nil && typ.Sel.Name == "FS" && v.Values == nil
					if v.Names[0].Name == "_" || embedded {
						continue
					}
					if len(v.Values) == 0 || !slices.ContainsFunc(v.Values, table) {
						broken = append(broken, fmt.Sprintf("%s: package-level var %s is neither an error value nor a table", f.at(v), v.Names[0].Name))
					}
				}
			}
		}
	}
	return broken
}

// clockRooms may look at the clock; everybody else is given a func() time.Time.
var clockRooms = []string{"server", "cli", "telemetry", "web", "store/pgtest", "store/storetest"}

// clockReaders finds calls of time.Now outside of clockRooms. Naming it, as the default of a clock, is no reading.
func clockReaders(all []goFile) (broken []string) {
	for _, f := range all {
		dir, inside := strings.CutPrefix(path.Dir(f.path), "internal/")
		if r, _ := room(dir); !inside || slices.Contains(clockRooms, r) {
			continue
		}
		ast.Inspect(f.File, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if s, ok := call.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "Now" {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" {
					broken = append(broken, f.at(n)+": time.Now: take a func() time.Time")
				}
			}
			return true
		})
	}
	return broken
}

// rootContexts are where a context may begin, and why none of a request does.
var rootContexts = map[string]string{
	"internal/store/engine/tx.go":       "a commit is shared by transactions, and one that ends must not break the others",
	"internal/store/engine/pipeline.go": "a round trip is shared by reads",
	"internal/store/pgtest/":            "runs databases for tests",
	"internal/store/storetest/":         "opens databases for tests",
	"internal/deliveries/queue.go":      "calls go on after the request that caused them; Close ends them",
	"cmd/latchkey/main.go":              "the process",
}

// contextLosers find work that does not end with the request that asks for it.
func contextLosers(all []goFile) (broken []string) {
	for _, f := range all {
		allowed := false
		for place := range rootContexts {
			allowed = allowed || strings.HasPrefix(f.path, place)
		}
		if allowed {
			continue
		}
		eachCall(f, func(call *ast.CallExpr, pkg, name string) {
			if pkg == "context" && (name == "Background" || name == "TODO") {
				broken = append(broken, f.at(call)+": context."+name+": take the context of who asks")
			}
		})
	}
	return broken
}

// globalLoggers finds lines of the log that no assembly decides about.
func globalLoggers(all []goFile) (broken []string) {
	for _, f := range all {
		standard := slices.ContainsFunc(f.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"log"` })
		eachCall(f, func(call *ast.CallExpr, pkg, name string) {
			logs := logMethod(name) || slices.Contains([]string{"Default", "SetDefault", "With", "Log", "LogAttrs"}, name)
			if pkg == "slog" && logs || pkg == "log" && standard {
				broken = append(broken, f.at(call)+": a global logger: take a *slog.Logger")
			}
		})
	}
	return broken
}

func logMethod(name string) bool {
	return slices.Contains([]string{"Debug", "Info", "Warn", "Error"}, strings.TrimSuffix(name, "Context"))
}

// errorKeys finds errors that are logged under another key than telemetry.KeyError.
func errorKeys(all []goFile) (broken []string) {
	for _, f := range all {
		ast.Inspect(f.File, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if s, ok := call.Fun.(*ast.SelectorExpr); !ok || !logMethod(s.Sel.Name) {
				return true
			}
			for i := 1; i+1 < len(call.Args); i++ {
				key, ok := call.Args[i].(*ast.BasicLit)
				value := types.ExprString(call.Args[i+1])
				if ok && key.Kind == token.STRING && (value == "err" || strings.HasSuffix(value, ".err") || strings.HasSuffix(value, ".Err")) {
					broken = append(broken, f.at(call)+": an error is logged as "+key.Value+": the key is telemetry.KeyError")
				}
			}
			return true
		})
	}
	return broken
}

// eachCall visits the calls of functions of packages.
func eachCall(f goFile, visit func(call *ast.CallExpr, pkg, name string)) {
	ast.Inspect(f.File, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if s, ok := call.Fun.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok {
					visit(call, x.Name, s.Sel.Name)
				}
			}
		}
		return true
	})
}

// sqlOutside finds SQL below internal/ but not in store: text that begins as a statement does.
// migrate reads the tables of another product, which store knows nothing of.
func sqlOutside(all []goFile) (broken []string) {
	for _, f := range all {
		if strings.HasPrefix(f.path, "internal/store/") || strings.HasPrefix(f.path, "internal/migrate/") {
			continue
		}
		ast.Inspect(f.File, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			text := strings.ToLower(strings.TrimSpace(strings.Trim(lit.Value, "`\"")))
			for _, s := range [][2]string{{"select ", " from "}, {"insert into ", "("}, {"update ", " set "}, {"delete from ", " where "}} {
				if strings.HasPrefix(text, s[0]) && strings.Contains(text, s[1]) {
					broken = append(broken, f.at(n)+": SQL belongs to internal/store")
				}
			}
			return true
		})
	}
	return broken
}

// callers names the rooms, apart by spaces, that may call a function which has one place.
var callers = map[string]struct{ rooms, instead string }{
	"time.NewTicker": {"jobs", "periodic work is a line in the table of server/jobs.go"},
	"time.Tick":      {"", "periodic work is a line in the table of server/jobs.go"},
	"tx.DeleteUser":  {"sessions", "sessions.Service.DeleteUser tells of the sessions that end with the user"},
}

// misplaced finds calls of functions that have one place, outside of it.
func misplaced(all []goFile) (broken []string) {
	for _, f := range all {
		dir, _ := strings.CutPrefix(path.Dir(f.path), "internal/")
		r, _ := room(dir)
		ast.Inspect(f.File, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			name := types.ExprString(call.Fun)
			if c, ok := callers[name]; ok && !slices.Contains(strings.Fields(c.rooms), r) {
				broken = append(broken, f.at(n)+": "+name+": "+c.instead)
			}
			return true
		})
	}
	return broken
}

// strayClients finds HTTP clients that are not made by web.NewClient, which bounds their time, their answers and where they lead.
func strayClients(all []goFile) (broken []string) {
	forbidden := []string{"Client", "Transport", "DefaultClient", "DefaultTransport", "Get", "Head", "Post", "PostForm"}
	for _, f := range all {
		if f.path == "internal/web/client.go" {
			continue
		}
		ast.Inspect(f.File, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok || !slices.Contains(forbidden, s.Sel.Name) {
				return true
			}
			if x, ok := s.X.(*ast.Ident); ok && x.Name == "http" {
				broken = append(broken, f.at(n)+": http."+s.Sel.Name+": call other servers by web.NewClient")
			}
			return true
		})
	}
	return broken
}

// oracleNames are the oracle's scenarios and the names in its fixtures that are no words of the trade.
func oracleNames(t *testing.T) *regexp.Regexp {
	t.Helper()
	names := []string{"motoshare", "watched", "alice", "bob"}
	for _, p := range files(t, os.DirFS("test/oracle/scenarios"), func(p string) bool { return strings.Contains(p, "/") }) {
		names = append(names, regexp.QuoteMeta(strings.TrimSuffix(p, ".yaml")))
	}
	return regexp.MustCompile(`(?:^|[^/\w])(` + strings.Join(names, "|") + `)\b`) // /account/applications is an address
}

// oracleKnown finds text of the product that names what only the oracle can know: behaviour is built, never a scenario.
func oracleKnown(all []goFile, names *regexp.Regexp) (broken []string) {
	for _, f := range all {
		ast.Inspect(f.File, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING && names.MatchString(lit.Value) {
				broken = append(broken, f.at(n)+": a name of the oracle's: "+names.FindString(lit.Value))
			}
			return true
		})
	}
	return broken
}

func TestOracleIsUnknown(t *testing.T) {
	names := oracleNames(t)
	for _, b := range oracleKnown(product(t, os.DirFS(".")), names) {
		t.Error(b)
	}
	for body, want := range map[string]int{"const c = `motoshare`": 1, "const c = `sessions/revoke-offline`": 1, "const c = `sessions/`": 0,
		"const c = `/sessions/revoke-offline`": 0} {
		all := product(t, fstest.MapFS{"internal/oidc/x.go": {Data: []byte("package oidc\n" + body)}})
		if got := oracleKnown(all, names); len(got) != want {
			t.Errorf("%s: %v", body, got)
		}
	}
}

func TestHouse(t *testing.T) {
	all := product(t, os.DirFS("."))
	for _, check := range []func([]goFile) []string{undocumented, hiddenState, clockReaders, sqlOutside, misplaced, strayClients,
		contextLosers, globalLoggers, errorKeys} {
		for _, b := range check(all) {
			t.Error(b)
		}
	}
}

func TestHouseNoticesViolations(t *testing.T) {
	for _, c := range []struct {
		check      func([]goFile) []string
		file, body string
		want       string
	}{
		{undocumented, "internal/oidc/x.go", "package oidc", "has no doc comment"},
		{undocumented, "internal/oidc/x.go", "// Package oidc is a door.\npackage oidc", ""},
		{undocumented, "internal/web/util/x.go", "// Package util is no name.\npackage util", "name it for what it does"},
		{hiddenState, "internal/oidc/x.go", "package oidc\nfunc init() {}", "no init()"},
		{hiddenState, "internal/oidc/x.go", "package oidc\nvar cache map[string]int", "var cache"},
		{hiddenState, "internal/oidc/x.go", "package oidc\nvar mu sync.Mutex", "var mu"},
		{hiddenState, "internal/oidc/x.go", "package oidc\nvar n = 3", "var n"},
		{hiddenState, "internal/oidc/x.go", "package oidc\nvar c = make(map[string]int)", "var c"},
		{hiddenState, "internal/oidc/x.go", "package oidc\nvar (\n_ error = x{}\nerrX = errors.New(`x`)\nkinds = []string{`a`}\nre = " +
			"regexp.MustCompile(`x`)\nfiles embed.FS\n)", ""},
		{clockReaders, "internal/oidc/x.go", "package oidc\nvar f = func() int64 { return time.Now().Unix() }", "time.Now"},
		{clockReaders, "internal/store/x.go", "package store\nfunc f() { g(time.Now()) }", "time.Now"},
		{clockReaders, "internal/web/x.go", "package web\nfunc f() { g(time.Now()) }", ""},
		{clockReaders, "internal/store/x.go", "package store\nfunc f() { g(time.Now) }", ""},
		{contextLosers, "internal/oidc/x.go", "package oidc\nfunc f() { g(context.Background()) }", "take the context"},
		{contextLosers, "internal/server/x.go", "package server\nfunc f() { g(context.TODO()) }", "take the context"},
		{contextLosers, "internal/server/x.go", "package server\nfunc f(ctx context.Context) { g(context.WithoutCancel(ctx)) }", ""},
		{contextLosers, "cmd/latchkey/main.go", "package main\nfunc f() { g(context.Background()) }", ""},
		{globalLoggers, "internal/keys/x.go", "package keys\nfunc f() { slog.ErrorContext(ctx, `x`) }", "a global logger"},
		{globalLoggers, "internal/keys/x.go", "package keys\nfunc f() { slog.Default().Info(`x`) }", "a global logger"},
		{globalLoggers, "internal/keys/x.go", "package keys\nimport \"log\"\nfunc f() { log.Printf(`x`) }", "a global logger"},
		{globalLoggers, "internal/keys/x.go", "package keys\nfunc f(log *slog.Logger) { log.Error(`x`, slog.String(`a`, `b`)) }", ""},
		{errorKeys, "internal/login/x.go", "package login\nfunc f() { h.Log.ErrorContext(ctx, `x`, `realm`, r, `err`, err) }",
			"telemetry.KeyError"},
		{errorKeys, "internal/login/x.go", "package login\nfunc f() { h.log.Warn(`x`, `error`, out.Err) }", "telemetry.KeyError"},
		{errorKeys, "internal/login/x.go", "package login\nfunc f() { h.log.Warn(`x`, telemetry.KeyError, err) }", ""},
		{errorKeys, "internal/login/x.go", "package login\nfunc f() { h.Error(`x`, err) }", ""},
		{sqlOutside, "internal/users/x.go", "package users\nconst q = `select id from users`", "SQL belongs"},
		{sqlOutside, "internal/users/x.go", "package users\nconst q = `select a language`", ""},
		{misplaced, "internal/users/x.go", "package users\nfunc f() { <-time.NewTicker(1).C }", "table of server/jobs.go"},
		{misplaced, "internal/users/x.go", "package users\nfunc f() { tx.DeleteUser(ctx, r, u, end) }", "sessions.Service.DeleteUser"},
		{misplaced, "internal/jobs/x.go", "package jobs\nfunc f() { <-time.NewTicker(1).C }", ""},
		{sqlOutside, "internal/store/x.go", "package store\nconst q = `select id from users`", ""},
		{strayClients, "internal/oidc/x.go", "package oidc\nfunc f() { g(&http.Client{}) }", "web.NewClient"},
		{strayClients, "internal/web/x.go", "package web\nfunc f() { http.Get(`x`) }", "web.NewClient"},
		{strayClients, "internal/web/client.go", "package web\nfunc f() { g(&http.Client{}) }", ""},
		{strayClients, "internal/oidc/x.go", "package oidc\nfunc f(r *http.Request) { g(http.MethodGet) }", ""},
	} {
		got := strings.Join(c.check(product(t, fstest.MapFS{c.file: {Data: []byte(c.body)}})), "\n")
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s %q: got %q, want %q", c.file, c.body, got, c.want)
		}
	}
}

// unwelcome is text that ties the repository to one machine or to one place to fetch packages from.
// The words are put together here so that this file does not hold them itself.
func unwelcome(p, text string) (broken []string) {
	words := []string{"/wo" + "rk/", "/ro" + "ot/", "proxy.golang" + ".org", "registry.npmjs" + ".org", "repo.maven.apache" + ".org",
		"repo1.maven" + ".org", "pypi" + ".org", "files.pythonhosted" + ".org"}
	if strings.HasSuffix(p, ".md") {
		words = append(words, "/tm"+"p/")
	}
	for i, line := range strings.Split(text, "\n") {
		for _, w := range words {
			if strings.Contains(line, w) {
				broken = append(broken, fmt.Sprintf("%s:%d says %q", p, i+1, w))
			}
		}
	}
	return broken
}

// borrowed are modules that are kept exactly as they came.
func borrowed(p string) bool {
	return strings.HasPrefix(p, "test/oracle/") || strings.HasPrefix(p, "test/load/")
}

func TestNoPlaceIsNamed(t *testing.T) {
	fsys := os.DirFS(".")
	for _, p := range files(t, fsys, func(p string) bool { return !borrowed(p) }) {
		data := read(t, fsys, p)
		if bytes.IndexByte(data, 0) >= 0 {
			continue
		}
		for _, b := range unwelcome(p, string(data)) {
			t.Error(b)
		}
	}
	if unwelcome("doc/x.md", "see /tm"+"p/notes") == nil || unwelcome("x.go", "see /wo"+"rk/notes") == nil {
		t.Error("unwelcome notices nothing")
	}
}

// subject is the first line of a commit: the room, and what it does now.
var subject = regexp.MustCompile(`^[a-zA-Z0-9_/., -]+: .{12,}$`)

// bygone begins a subject that tells what somebody has done, not what the room does now.
var bygone = regexp.MustCompile(`(?i): (added|adding|changed|changing|fixed|fixing|improved|moved|moving|refactored|refactoring|` +
	`removed|removing|renamed|renaming|updated|updating|wip)\b`)

func badSubject(s string) bool {
	return len(s) > 72 || !subject.MatchString(s) || bygone.MatchString(s) || strings.HasSuffix(s, ".")
}

// Commits that are not on the branch main yet have a subject as CONTRIBUTING.md wants it.
func TestCommits(t *testing.T) {
	for s, want := range map[string]bool{"store: a session begins without a temporary table": false, "fix": true, "store: fix": true,
		"store: ends with a full stop here.":    true,
		"store: fixed the search for users":     true,
		"store: Adding an index of sessions":    true,
		"store: what was removed stays removed": false,
		"store: " + strings.Repeat("long ", 14): true} {
		if badSubject(s) != want {
			t.Errorf("%q is refused: %v, want %v", s, !want, want)
		}
	}
	log, err := exec.Command("git", "log", "--format=%s", "main..HEAD").Output()
	if err != nil {
		t.Skip("there is no history here, or no branch main")
	}
	for s := range strings.Lines(string(log)) {
		if s = strings.TrimSuffix(s, "\n"); badSubject(s) {
			t.Errorf("the subject %q is not \"room: what it does now\" of 72 characters at most", s)
		}
	}
}

// longest is how many characters a line of Go has at most.
const longest = 140

// longLines lists the lines of a Go file that are too long. Those with a part of a raw
// string are left, which is text of another language or a struct tag, and those with a long address or token.
func longLines(name string, src []byte) []string {
	fset := token.NewFileSet()
	file := fset.AddFile(name, -1, len(src))
	var s scanner.Scanner
	s.Init(file, src, nil, 0)
	raw := map[int]bool{}
	for {
		at, kind, text := s.Scan()
		if kind == token.EOF {
			break
		}
		if kind == token.STRING && (text[0] == '`' || len(text) > longest*2/3 && !strings.Contains(text, " ")) {
			for first, n := file.Line(at), 0; n <= strings.Count(text, "\n"); n++ {
				raw[first+n] = true
			}
		}
	}
	var out []string
	for i, line := range strings.Split(string(src), "\n") {
		if n := utf8.RuneCountInString(line); n > longest && !raw[i+1] {
			out = append(out, fmt.Sprintf("%s:%d: %d characters, of %d at most", name, i+1, n, longest))
		}
	}
	return out
}

func TestLinesAreShort(t *testing.T) {
	fsys := os.DirFS(".")
	for _, p := range files(t, fsys, func(p string) bool { return strings.HasSuffix(p, ".go") }) {
		for _, line := range longLines(p, read(t, fsys, p)) {
			t.Error(line)
		}
	}
	long := strings.Repeat("x", longest)
	src := "package p\n\nvar a" + long + " int\n\nvar b = `" + long + "\n" + long + "xx`\n\n// " + long + "\n"
	if got := longLines("p.go", []byte(src)); len(got) != 2 || !strings.HasPrefix(got[0], "p.go:3:") || !strings.HasPrefix(got[1], "p.go:8:") {
		t.Errorf("of a long name, a long raw string and a long comment: %q", got)
	}
}

func TestGofmt(t *testing.T) {
	fsys := os.DirFS(".")
	for _, p := range files(t, fsys, func(p string) bool { return strings.HasSuffix(p, ".go") }) {
		src := read(t, fsys, p)
		if want, err := format.Source(src); err != nil {
			t.Errorf("%s: %v", p, err)
		} else if !bytes.Equal(src, want) {
			t.Errorf("%s is not gofmt'ed", p)
		}
	}
}

// TestDeps keeps deps.txt, the packages of others that are in the binary, so
// that a new one is a line in a review. Its answer comes from an exec'd
// command: run it with -count=1.
func TestDeps(t *testing.T) {
	if _, err := os.Stat("cmd/latchkey"); err != nil {
		t.Skip("there is no cmd/latchkey")
	}
	cmd := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "./cmd/latchkey")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	got := slices.DeleteFunc(strings.Fields(string(out)), func(p string) bool { return strings.HasPrefix(p, "latchkey/") })
	slices.Sort(got)
	if *update {
		if err := os.WriteFile("deps.txt", []byte(strings.Join(got, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	known, err := os.ReadFile("deps.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(string(known))
	for _, p := range got {
		if !slices.Contains(want, p) {
			t.Errorf("%s is new in the binary: argue for it, then go test -run TestDeps -update .", p)
		}
	}
	for _, p := range want {
		if !slices.Contains(got, p) {
			t.Errorf("%s is in deps.txt but not in the binary any more: go test -run TestDeps -update .", p)
		}
	}
}

// TestPagesNameTests: a page that says "shown by" names tests that are there.
// A name below a test, `TestX/some_words`, is the name of one of its cases.
func TestPagesNameTests(t *testing.T) {
	pages, err := filepath.Glob("doc/*.md")
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, root := range []string{"test", "internal", "doc/examples"} {
		err := filepath.WalkDir(root, func(name string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(name, "_test.go") {
				return err
			}
			text, err := os.ReadFile(name)
			source.Write(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	code := source.String()
	cases := strings.ReplaceAll(code, " ", "_") // as the names of subtests are written
	named := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("`(Test[A-Z][A-Za-z0-9]*)(?:/([^`]+))?`").FindAllStringSubmatch(string(text), -1) {
			named++
			if !strings.Contains(code, "func "+m[1]+"(") {
				t.Errorf("%s names %s, which is not there", page, m[1])
			}
			if m[2] != "" && !strings.Contains(cases, `"`+m[2]+`"`) {
				t.Errorf("%s names %s/%s: no case of that name is there", page, m[1], m[2])
			}
		}
		for _, m := range regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`).FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join("doc", m[1])); err != nil {
				t.Errorf("%s links to %s: %v", page, m[1], err)
			}
		}
	}
	if named == 0 {
		t.Error("no page names a test: this test looks in the wrong place")
	}
}
