package admin

import (
	"net/http"
	"slices"
	"strings"

	"latchkey/internal/clients"
	"latchkey/internal/iam"
	"latchkey/internal/web"
)

// acceptsJSON reports whether an answer in JSON is what the request wants.
func acceptsJSON(r *http.Request) bool {
	accept := strings.Join(r.Header.Values("Accept"), ",")
	return accept == "" || strings.Contains(accept, "*/*") || web.Accepts(r, "application/json")
}

// unmatched answers for paths and methods without a route. As in the reference,
// the token, the realm and what the path names above its end come first.
func (h *Handler) unmatched(routes []Route) func(http.ResponseWriter, *http.Request, int) {
	methods := methodsByClass(routes)
	return func(w http.ResponseWriter, r *http.Request, status int) {
		rest, below := strings.CutPrefix(r.URL.Path, "/admin/realms")
		if !below {
			h.fail(w, r, plain(status))
			return
		}
		caller, err := h.Authenticate(r)
		if err == nil {
			err = h.locate(r, caller, strings.Split(strings.Trim(rest, "/"), "/"))
		}
		if err != nil {
			h.fail(w, r, err)
			return
		}
		if status == http.StatusMethodNotAllowed && slices.Contains(methods[classOf(r.URL.Path)], r.Method) {
			status = http.StatusNotFound
		}
		h.fail(w, r, plain(status))
	}
}

// locate finds what a path names on its way: the realm, and the user, group,
// client or component below it.
func (h *Handler) locate(r *http.Request, caller *Caller, path []string) error {
	if path[0] == "" {
		return nil
	}
	realm, err := h.Realms.Get(r.Context(), path[0])
	if err != nil {
		return err
	}
	if caller.Realm.Name != masterRealm && caller.Realm.ID != realm.ID {
		return errForbidden
	}
	if len(path) < 4 {
		return nil
	}
	switch id := path[2]; path[1] {
	case "users":
		_, err = h.Users.Get(r.Context(), realm, iam.UserID(id))
	case "groups":
		_, err = h.Users.Group(r.Context(), realm, iam.GroupID(id))
	case "clients":
		_, err = clients.Get(r.Context(), realm, id)
	case "user-storage": // Keycloak: UserStorageProviderResource
		if realm.Component(id) == nil {
			return errNoComponent
		}
	}
	return err
}

// classes are the paths at which one of Keycloak's resource classes hands over
// to another; * stands for a segment. A method that a class has for no path at
// all is 405 below it, one that it has for other paths is 404.
var classes = []string{
	"users", "users/profile", "users/*", "users/*/role-mappings", "users/*/role-mappings/clients/*",
	"groups", "groups/*", "groups/*/role-mappings", "groups/*/role-mappings/clients/*",
	"roles", "roles-by-id", "clients", "clients/*", "clients/*/roles", "clients/*/protocol-mappers", "clients/*/scope-mappings",
	"clients/*/scope-mappings/clients/*", "client-scopes", "client-scopes/*", "client-scopes/*/protocol-mappers",
	"client-scopes/*/scope-mappings", "client-scopes/*/scope-mappings/clients/*", "components", "authentication", "attack-detection",
	"client-policies", "client-registration-policy", "identity-provider", "identity-provider/instances/*", "keys", "localization", "ui-ext",
	"ui-ext/role-mapping-delete",
}

// classOf is the class that serves a path, "" for the realm's own. Names in
// braces are segments like any other.
func classOf(path string) string {
	_, rest, _ := strings.Cut(strings.TrimPrefix(path, "/admin/realms/"), "/")
	segments := strings.Split(rest, "/")
	best, length := "", 0
	for _, c := range classes {
		parts := strings.Split(c, "/")
		if len(parts) <= length || len(parts) > len(segments) {
			continue
		}
		fits := true
		for i, part := range parts {
			fits = fits && (part == "*" || part == segments[i])
		}
		if fits {
			best, length = c, len(parts)
		}
	}
	return best
}

// methodsByClass lists the methods that each class has.
func methodsByClass(routes []Route) map[string][]string {
	out := map[string][]string{}
	for _, rt := range routes {
		method, path, _ := strings.Cut(rt.Pattern, " ")
		class := classOf(path)
		if !slices.Contains(out[class], method) {
			out[class] = append(out[class], method)
		}
	}
	return out
}
