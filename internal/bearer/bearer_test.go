package bearer

import (
	"go/ast"
	"go/parser"
	"go/token"
	"testing"
)

// Each refusal is recorded for a reason of the closed list, and each check is asked by something.
func TestRefusalsHaveReasons(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "refusal.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	ast.Inspect(file, func(x ast.Node) bool {
		spec, ok := x.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		text, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			return true
		}
		n++
		no := Refusal(text.Value[1 : len(text.Value)-1])
		if info, ok := no.Reason().Info(); !ok || !info.Refuses && !info.Ends {
			t.Errorf("%s: no reason of the closed list", spec.Names[0].Name)
		}
		return true
	})
	if n != len(reasons) {
		t.Errorf("%d refusals, %d reasons", n, len(reasons))
	}
	for i, check := range checks {
		if check == nil {
			t.Errorf("check %d asks nothing", i)
		}
	}
}
