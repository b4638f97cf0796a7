package sqlgrammar

import (
	"fmt"
	"go/ast"
	goparser "go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/cockroachdb-parser/pkg/sql/parser"
)

const store = "../../internal/store"

// hole stands in a statement for a part that is known at run time alone.
const hole = "\x00"

// fillings are what a hole may hold: a list of placeholders, more conditions,
// a name, an order, nothing.
var fillings = []string{"", "$901", "($901, $902)", " and x = $901", " where x = $901", " x ", " order by x ", " desc "}

var statement = regexp.MustCompile(`(?is)^\s*(select|insert|update|delete|with|create|drop|alter)\s`)

// A source is the package's constants, by name, and how to read expressions with them.
type source map[string]ast.Expr

// text evaluates an expression of strings as far as it can be without running it.
func (s source) text(e ast.Expr, depth int) string {
	if depth > 20 {
		return hole
	}
	switch e := e.(type) {
	case *ast.BasicLit:
		if t, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return t
		}
	case *ast.Ident:
		if v, ok := s[e.Name]; ok {
			return s.text(v, depth+1)
		}
	case *ast.ParenExpr:
		return s.text(e.X, depth+1)
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			return s.text(e.X, depth+1) + s.text(e.Y, depth+1)
		}
	}
	return hole
}

// statements finds the SQL of the package: each whole expression that begins as a statement does.
func statements(t *testing.T, dir string) map[string]string {
	t.Helper()
	fset := token.NewFileSet()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	files = slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, "_test.go") })
	var parsed []*ast.File
	consts := source{}
	for _, name := range files {
		f, err := goparser.ParseFile(fset, name, nil, goparser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, f)
		for _, d := range f.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
				for _, spec := range g.Specs {
					v := spec.(*ast.ValueSpec)
					for i, name := range v.Names {
						if i < len(v.Values) {
							consts[name.Name] = v.Values[i]
						}
					}
				}
			}
		}
	}
	found := map[string]string{}
	for _, f := range parsed {
		ast.Inspect(f, func(n ast.Node) bool {
			e, ok := n.(ast.Expr)
			if !ok {
				return true
			}
			switch e.(type) {
			case *ast.BasicLit, *ast.BinaryExpr:
			default:
				return true
			}
			text := consts.text(e, 0)
			if statement.MatchString(text) {
				found[fset.Position(e.Pos()).String()] = text
				return false // its parts are no statements of their own
			}
			return true
		})
	}
	return found
}

// parse tries a statement with each filling of its holes.
func parse(sql string) error {
	var first error
	for _, filling := range fillings {
		_, err := parser.Parse(strings.ReplaceAll(sql, hole, filling))
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
		if !strings.Contains(sql, hole) {
			break
		}
	}
	return first
}

func TestStatements(t *testing.T) {
	found := statements(t, store)
	if len(found) == 0 {
		t.Skip("there is no SQL in internal/store yet")
	}
	for at, sql := range found {
		if err := parse(sql); err != nil {
			t.Errorf("%s: %v\n%s", at, err, strings.ReplaceAll(sql, hole, "<...>"))
		}
	}
	t.Logf("%d statements parse", len(found))
}

func TestMigrations(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(store, "migrations", "*.sql"))
	if err != nil {
		t.Fatal(err)
	}
	if files == nil {
		t.Skip("there are no migrations yet")
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := parser.Parse(string(data))
		if err != nil || len(parsed) == 0 {
			t.Errorf("%s: %d statements, %v", file, len(parsed), err)
		}
	}
}

// TestNotice shows that the net has no holes of its own.
func TestNotice(t *testing.T) {
	dir := t.TempDir()
	src := "package x\nconst cols = `id, name`\nfunc f(a string) {\n" +
		"run(`select ` + cols + ` from t where id in (` + binds(1, 2) + `)`)\n" +
		"run(`select ` + cols + ` frm t`)\n" +
		"run(`select id from t` + a + ` limit 3`)\n" +
		"say(`a word`)\n}\n"
	if err := os.WriteFile(filepath.Join(dir, "x.go"), []byte(src), 0o644); err != nil {
		t.Fatal(err)
	}
	var good, bad int
	for _, sql := range statements(t, dir) {
		if parse(sql) == nil {
			good++
		} else {
			bad++
		}
	}
	if got := fmt.Sprint(good, bad); got != "2 1" {
		t.Errorf("good and bad statements: %s, want 2 1", got)
	}
}
