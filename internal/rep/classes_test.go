package rep_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestFieldsAreKeycloaks compares every representation with its class in
// Keycloak 26.7.3: testdata/classes.txt lists the struct, the class and its
// properties with their Java types, as Jackson sees them.
func TestFieldsAreKeycloaks(t *testing.T) {
	classes := map[string]map[string]string{}
	simple := map[string]string{}
	var class string
	for line := range strings.Lines(string(read(t, "classes.txt"))) {
		name, kind, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !strings.HasPrefix(line, "\t") {
			class = name
			classes[class] = map[string]string{}
			simple[class] = kind[strings.LastIndexAny(kind, ".$")+1:]
			continue
		}
		classes[class][name] = kind
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			s, ok := spec.Type.(*ast.StructType)
			if !ok || !isRepresentation(s) {
				return true
			}
			compare(t, spec.Name.Name, s, classes[spec.Name.Name], simple[spec.Name.Name])
			delete(classes, spec.Name.Name)
			return true
		})
	}
	for class := range classes {
		t.Errorf("%s has no struct", class)
	}
}

// isRepresentation says whether a struct keeps unknown members.
func isRepresentation(s *ast.StructType) bool {
	last := s.Fields.List[len(s.Fields.List)-1]
	return len(last.Names) == 1 && last.Names[0].Name == "Unknown"
}

func compare(t *testing.T, name string, s *ast.StructType, class map[string]string, simple string) {
	t.Helper()
	if class == nil {
		t.Errorf("%s is no class of Keycloak's", name)
		return
	}
	for _, f := range s.Fields.List {
		if f.Tag == nil {
			t.Errorf("%s.%s has no tag", name, f.Names[0])
			continue
		}
		tag := reflect.StructTag(strings.Trim(f.Tag.Value, "`"))
		field, _, _ := strings.Cut(tag.Get("json"), ",")
		if field == "" {
			if got, _, _ := strings.Cut(tag.Get("rep"), ","); got != simple {
				t.Errorf("%s says that Keycloak calls it %s, which is %s", name, got, simple)
			}
			continue
		}
		if field == "-" {
			continue // for ourselves, never on the wire
		}
		java, ok := class[field]
		if !ok {
			t.Errorf("%s.%s: %s has no %q", name, f.Names[0], simple, field)
			continue
		}
		delete(class, field)
		if got := javaKind(f.Type); !agree(got, java) {
			t.Errorf("%s.%s is a %s, in Keycloak %s", name, f.Names[0], got, java)
		}
	}
	for field := range class {
		t.Errorf("%s lacks %q", name, field)
	}
}

// javaKind is the kind of Java type that a field stands for.
func javaKind(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return javaKind(e.X)
	case *ast.ArrayType:
		return "list"
	case *ast.MapType:
		return "map"
	case *ast.Ident:
		if kind, ok := map[string]string{"string": "text", "bool": "boolean", "int": "integer", "int64": "long"}[e.Name]; ok {
			return kind
		}
	}
	return "object"
}

func agree(kind, java string) bool {
	switch java {
	case "String":
		return kind == "text"
	case "Boolean", "boolean":
		return kind == "boolean"
	case "Integer", "int":
		return kind == "integer"
	case "Long", "long":
		return kind == "long"
	}
	switch {
	case strings.HasPrefix(java, "List<"), strings.HasPrefix(java, "Set<"), strings.HasPrefix(java, "["):
		return kind == "list"
	case strings.HasPrefix(java, "Map<"), strings.Contains(java, "MultivaluedHashMap<"):
		return kind == "map"
	}
	return kind == "object" || kind == "text" // a class, or an enum
}
