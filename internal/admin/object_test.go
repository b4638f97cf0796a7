package admin

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"latchkey/internal/realms"
)

// notObjects are the wildcards of paths that name nothing which a permission can be
// given for, or what is looked up by who serves it.
var notObjects = []string{"after", "alias", "attr", "code", "container", "credential", "execution", "finding", "flow", "home", "id", "key",
	"locale", "mapper", "name", "node", "path...",
	"protocol", "provider", "realm", "record", "resource", "rest...", "scope", "session", "token", "type", "workflow"}

// Each route with an object in its path asks about that object: the user of
// users/{user}, whatever follows; a wildcard is named for what it names.
func TestRoutesAskAboutTheirObject(t *testing.T) {
	below := map[string]ObjectType{"users": OneUser, "clients": OneClient, "groups": OneGroup, "default-groups": OneGroup, "roles": OneRole,
		"roles-by-id": OneRole}
	wildcard := regexp.MustCompile(`([^/]*)/\{([^}]*)\}`)
	h := new(Handler)
	for _, rt := range h.Routes() {
		mux := http.NewServeMux()
		var got Object
		mux.HandleFunc(rt.Pattern, func(_ http.ResponseWriter, r *http.Request) {
			got = (&Call{R: r, Realm: new(realms.Realm)}).named(objectOf(rt.Pattern))
		})
		method, path, _ := strings.Cut(rt.Pattern, " ")
		mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, wildcard.ReplaceAllString(path, "$1/the-$2"), nil))
		want := onAll
		for _, m := range wildcard.FindAllStringSubmatch(path, -1) {
			kind, name := below[m[1]], m[2]
			if pathObjects[name] == "" && !slices.Contains(notObjects, name) {
				t.Errorf("%s: is {%s} an object of permissions? pathObjects or notObjects must say so", rt.Pattern, name)
			}
			if kind != "" && !slices.Contains(notObjects, name) && want == onAll {
				want = Object{Type: kind, ID: "the-" + name}
			}
		}
		if got != want {
			t.Errorf("%s asks about %+v, want %+v", rt.Pattern, got, want)
		}
	}
}
