package admin

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"latchkey/internal/events"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
	"latchkey/internal/web"
)

// checkedRoutes are the routes that decide themselves whom they serve, with the reason.
var checkedRoutes = map[string]string{
	"GET /admin/{realm}/console/whoami":                                             "tells callers about themselves",
	"GET /admin/realms/{realm}/roles-by-id/{roleid}":                                "the container decides which right: roleByID",
	"PUT /admin/realms/{realm}/roles-by-id/{roleid}":                                "as above",
	"DELETE /admin/realms/{realm}/roles-by-id/{roleid}":                             "as above",
	"GET /admin/realms/{realm}/roles-by-id/{roleid}/composites":                     "as above",
	"POST /admin/realms/{realm}/roles-by-id/{roleid}/composites":                    "as above",
	"DELETE /admin/realms/{realm}/roles-by-id/{roleid}/composites":                  "as above",
	"GET /admin/realms/{realm}/roles-by-id/{roleid}/composites/realm":               "as above",
	"GET /admin/realms/{realm}/roles-by-id/{roleid}/composites/clients/{container}": "as above",
	"GET /admin/serverinfo": "needs an administrator of any realm, and tells more " +
		"to those of the master realm",
	"GET /admin/realms":                                                       "shows of each realm what the caller may see there",
	"GET /admin/realms/{realm}/ui-ext/realms/names":                           "shows the realms that the caller administers",
	"GET /admin/realms/{realm}/ui-ext/role-mappings/roles/{id}":               "the role decides: seenRole",
	"GET /admin/realms/{realm}/ui-ext/available-roles/users/{id}":             "holderKinds says which right",
	"GET /admin/realms/{realm}/ui-ext/effective-roles/users/{id}":             "holderKinds says which right",
	"GET /admin/realms/{realm}/ui-ext/effective-roles-all/users/{id}":         "holderKinds says which right",
	"POST /admin/realms/{realm}/ui-ext/role-mapping-delete/users/{id}":        "holderKinds says which right: mayUnassign",
	"GET /admin/realms/{realm}/ui-ext/available-roles/groups/{id}":            "holderKinds says which right",
	"GET /admin/realms/{realm}/ui-ext/effective-roles/groups/{id}":            "holderKinds says which right",
	"GET /admin/realms/{realm}/ui-ext/effective-roles-all/groups/{id}":        "holderKinds says which right",
	"POST /admin/realms/{realm}/ui-ext/role-mapping-delete/groups/{id}":       "holderKinds says which right: mayUnassign",
	"GET /admin/realms/{realm}/ui-ext/available-roles/clients/{id}":           "holderKinds says which right",
	"GET /admin/realms/{realm}/ui-ext/effective-roles/clients/{id}":           "holderKinds says which right",
	"GET /admin/realms/{realm}/ui-ext/effective-roles-all/clients/{id}":       "holderKinds says which right",
	"POST /admin/realms/{realm}/ui-ext/role-mapping-delete/clients/{id}":      "holderKinds says which right: mayUnassign",
	"GET /admin/realms/{realm}/ui-ext/available-roles/clientScopes/{id}":      "holderKinds says which right",
	"GET /admin/realms/{realm}/ui-ext/effective-roles/clientScopes/{id}":      "holderKinds says which right",
	"GET /admin/realms/{realm}/ui-ext/effective-roles-all/clientScopes/{id}":  "holderKinds says which right",
	"POST /admin/realms/{realm}/ui-ext/role-mapping-delete/clientScopes/{id}": "holderKinds says which right: mayUnassign",
	"GET /admin/realms/{realm}/ui-ext/available-roles/roles/{id}":             "holderKinds says which right",
	"GET /admin/realms/{realm}/ui-ext/effective-roles/roles/{id}":             "holderKinds says which right",
	"GET /admin/realms/{realm}/ui-ext/effective-roles-all/roles/{id}":         "holderKinds says which right",
	"POST /admin/realms/{realm}/ui-ext/role-mapping-delete/roles/{id}":        "holderKinds says which right: mayUnassign",
}

// TestEveryRouteAsksForARight keeps a forgotten right from becoming an open door.
func TestEveryRouteAsksForARight(t *testing.T) {
	for _, rt := range new(Handler).Routes() {
		known := len(givenBy(rt.Perm)) > 0
		switch {
		case rt.Perm == Checked:
			if checkedRoutes[rt.Pattern] == "" {
				t.Errorf("%s: decides itself, and nobody wrote down why", rt.Pattern)
			}
		case !known && rt.Perm != CreateRealm:
			t.Errorf("%s: no role gives the right %q", rt.Pattern, rt.Perm)
		}
		if (rt.Op == None) != (rt.Kind == "") {
			t.Errorf("%s: an admin event has both an operation and a kind", rt.Pattern)
		}
		if strings.HasPrefix(rt.Pattern, "GET ") && rt.Op != None {
			t.Errorf("%s: a read that writes an event", rt.Pattern)
		}
	}
}

// small is a Handler over two realms, master and shop, with administrators by
// name: their bearer token.
func small(t *testing.T) *Handler {
	t.Helper()
	db := storetest.SQLite(t)
	ctx := t.Context()
	err := db.Tx(ctx, func(tx *store.Tx) error {
		var errs []error
		for _, name := range []string{"master", "shop"} {
			errs = append(errs, tx.InsertRealm(ctx, store.RealmRow{ID: iam.RealmID(name), Name: name, Enabled: true,
				Doc: []byte(`{"adminEventsEnabled":true,"adminEventsDetailsEnabled":true}`)}))
		}
		for _, c := range []struct{ realm, client string }{{"master", "shop-realm"}, {"master", "master-realm"}, {"shop", "realm-management"}} {
			errs = append(errs, tx.InsertClient(ctx, iam.RealmID(c.realm), store.ClientRow{ID: iam.ClientID(c.client), ClientID: c.client,
				Enabled: true, Doc: []byte(`{"id":"` + c.client + `","clientId":"` + c.client + `"}`)}))
			for _, role := range []string{"view-users", "manage-users"} {
				errs = append(errs, tx.InsertRole(ctx, iam.RealmID(c.realm), store.RoleRow{ID: iam.RoleID(c.client + role),
					Client: iam.ClientID(c.client), Name: role, Doc: []byte(`{}`)}))
			}
		}
		return errors.Join(errs...)
	})
	if err != nil {
		t.Fatal(err)
	}
	hostname, err := web.NewHostname(web.HostnameOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cache := realms.NewCache(db)
	log := slog.New(slog.DiscardHandler)
	callers := map[string]struct {
		realm string
		roles []iam.RoleID
	}{
		"root":     {"master", []iam.RoleID{"shop-realmview-users", "shop-realmmanage-users"}},
		"viewer":   {"shop", []iam.RoleID{"realm-managementview-users"}},
		"nobody":   {"shop", nil},
		"stranger": {"master", []iam.RoleID{"master-realmmanage-users"}},
	}
	return &Handler{Realms: cache, Events: events.New(db, log, nil, nil), Hostname: hostname, Log: log,
		Authenticate: func(r *http.Request) (*Caller, error) {
			name, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			who, ok := callers[name]
			if !ok {
				return nil, ErrUnauthenticated
			}
			home, err := cache.Get(r.Context(), who.realm)
			if err != nil {
				return nil, err
			}
			c := &Caller{Realm: home, Client: &iam.Client{ID: "cli"}, User: &iam.User{ID: iam.UserID(name)}, Roles: map[iam.RoleID]struct{}{},
				Origins: []string{"http://console.test"}}
			for _, role := range who.roles {
				c.Roles[role] = struct{}{}
			}
			return c, nil
		}}
}

// Oracle: badinput/authorisation, badinput/bodies, badinput/limits.
func TestMachinery(t *testing.T) {
	h := small(t)
	mux := h.mux([]Route{
		{"GET /admin/realms/{realm}/users", QueryUsers, None, "", func(c *Call) (any, error) {
			first, max, err := c.Page(defaultPage)
			return []int{first, max}, err
		}, ByMethod},
		{"POST /admin/realms/{realm}/users", ManageUsers, Create, "USER", func(c *Call) (any, error) {
			u, err := Body[rep.User](c)
			if err != nil {
				return nil, err
			}
			c.Created("a b/" + u.Username)
			return nil, nil
		}, ByMethod},
		{"DELETE /admin/realms/{realm}/users/{user}", ManageUsers, Delete, "USER", func(*Call) (any, error) { return nil, nil }, NoCache},
		{"PUT /admin/realms/{realm}/users/{user}", ManageUsers, Update, "USER", func(*Call) (any, error) {
			return nil, iam.Errors{{Kind: iam.Invalid, Msg: "error-invalid-length", Field: "username", Params: []any{"username", 255, 3}}}
		}, ByMethod},
		{"GET /admin/realms/{realm}/fault", ViewUsers, None, "", func(*Call) (any, error) { return nil, errors.New("secret detail") }, ByMethod},
	})
	for _, c := range []struct{ who, method, path, contentType, body, want string }{
		{"", "GET", "/admin/realms/shop/users", "", "", `401 {"error":"HTTP 401 Unauthorized"}`},
		{"", "GET", "/admin/realms/nothing/users", "", "", `401 {"error":"HTTP 401 Unauthorized"}`},
		{"", "GET", "/admin/realms/shop/nothing", "", "", `401 {"error":"HTTP 401 Unauthorized"}`},
		{"root", "GET", "/admin/realms/shop/nothing", "", "", `404 {"error":"HTTP 404 Not Found"}`},
		{"root", "GET", "/admin/realms/shop/users/", "", "", `200 [0,100]`},
		{"root", "GET", "/admin/realms/shop/..%2F..%2F", "", "", `404 {"error":"HTTP 404 Not Found"}`},
		{"root", "PATCH", "/admin/realms/shop/users", "", "", `405 {"error":"HTTP 405 Method Not Allowed"}`},
		{"root", "GET", "/admin/realms/nothing/users", "", "", `404 {"error":"Realm not found."}`},
		{"root", "GET", "/admin/realms/shop/users", "", "", `200 [0,100]`},
		{"root", "GET", "/admin/realms/shop/users?first=-1&max=7", "", "", `200 [0,7]`},
		{"root", "GET", "/admin/realms/shop/users?max=many", "", "", `404 {"error":"HTTP 404 Not Found"}`},
		{"viewer", "GET", "/admin/realms/shop/users", "", "", `200 [0,100]`},
		{"viewer", "GET", "/admin/realms/master/users", "", "", `403 {"error":"HTTP 403 Forbidden"}`},
		{"viewer", "POST", "/admin/realms/shop/users", "", `{}`, `403 {"error":"HTTP 403 Forbidden"}`},
		{"nobody", "GET", "/admin/realms/shop/users", "", "", `403 {"error":"HTTP 403 Forbidden"}`},
		{"stranger", "GET", "/admin/realms/shop/users", "", "", `403 {"error":"HTTP 403 Forbidden"}`},
		{"root", "POST", "/admin/realms/shop/users", "application/json", `{nonsense`,
			`400 {"error":"invalid_request","error_description":"Cannot parse the JSON"}`},
		{"root", "POST", "/admin/realms/shop/users", "text/plain", `{}`,
			`415 {"error":"The content-type header value did not match the value in @Consumes"}`},
		{"root", "POST", "/admin/realms/shop/users", "", `{"username":"x"}`, `201 http://example.com/admin/realms/shop/users/a%20b%2Fx`},
		{"root", "DELETE", "/admin/realms/shop/users/x", "", "", `204 no-cache`},
		{"root", "PUT", "/admin/realms/shop/users/x", "", "",
			`400 {"field":"username","errorMessage":"error-invalid-length","params":["username",255,3]}`},
		{"root", "GET", "/admin/realms/shop/fault", "", "",
			`500 {"error":"unknown_error","error_description":"For more on this error consult the server log."`},
	} {
		r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
		r.Header.Set("Authorization", "Bearer "+c.who)
		if c.contentType != "" {
			r.Header.Set("Content-Type", c.contentType)
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		body, _ := io.ReadAll(w.Body)
		got := w.Result().Status[:3] + " " + string(body)
		if w.Code == 201 {
			got += w.Header().Get("Location")
		}
		if w.Code == 204 {
			got += w.Header().Get("Cache-Control")
		}
		if got != c.want && (w.Code != 500 || !strings.HasPrefix(got, c.want)) {
			t.Errorf("%s %s %s: %s, want %s", c.who, c.method, c.path, got, c.want)
		}
		if strings.Contains(got, "secret detail") {
			t.Error("a fault's detail is shown")
		}
	}
	shop, err := h.Realms.Get(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	list, err := h.Events.ListAdmin(t.Context(), shop, events.AdminFilter{Max: -1, Ascending: true})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range list {
		got = append(got, e.Operation+" "+e.ResourceType+" "+e.ResourcePath+" "+e.Representation+" by "+string(e.AuthRealm)+
			"/"+string(e.AuthUser))
	}
	if want := []string{`CREATE USER users/a b/x {"username":"x"} by master/root`, `DELETE USER users/x  by master/root`}; !slices.Equal(got,
		want) {
		t.Errorf("admin events: %q", got)
	}
}

// Keycloak: AdminCorsPreflightService, AdminRoot.getRealmsAdmin.
func TestOrigins(t *testing.T) {
	mux := small(t).mux([]Route{{"GET /admin/realms/{realm}/users", QueryUsers, None, "", func(*Call) (any, error) { return 1, nil },
		ByMethod}})
	for _, c := range []struct {
		method, origin, want, allowed string
	}{
		{"OPTIONS", "http://any.test", "200 ", "http://any.test"},
		{"GET", "http://console.test", "200 1", "http://console.test"},
		{"GET", "http://example.com", "200 1", ""},
		{"GET", "http://evil.test", `403 {"error":"Invalid origin"}`, ""},
	} {
		r := httptest.NewRequest(c.method, "/admin/realms/shop/users", nil)
		r.Header.Set("Origin", c.origin)
		r.Header.Set("Authorization", "Bearer root")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		if got := w.Result().Status[:3] + " " + w.Body.String(); got != c.want || w.Header().Get("Access-Control-Allow-Origin") != c.allowed {
			t.Errorf("%s from %s: %s, allowed %q", c.method, c.origin, got, w.Header().Get("Access-Control-Allow-Origin"))
		}
	}
}

// Every right that a role of realm-management gives can be asked for by the
// role's name, or nobody could hand that role on.
func TestRolesThatCanBeHandedOn(t *testing.T) {
	defaults, err := realms.AdminRoles()
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range defaults {
		if role.Name != "realm-admin" && !strings.HasPrefix(role.Name, "query-") && len(givenBy(Perm(role.Name))) == 0 {
			t.Errorf("nobody may grant %s", role.Name)
		}
	}
}

// Rights as the reference gave them, role by role, in a realm of its own.
// Keycloak: ClientPermissions, RolePermissions, RealmPermissions, UserProfileResource, AdminRoles.ALL_REALM_ROLES.
func TestRightsToClientsScopesAndRealm(t *testing.T) {
	s := newShop(t)
	app := s.want("POST", "/clients", `{"clientId":"app","secret":"s3cret"}`, 201, "")
	s.want("POST", "/clients/"+app+"/roles", `{"name":"inner"}`, 201, "")
	s.want("POST", "/roles", `{"name":"both","composite":true,"composites":{"realm":["offline_access"],"client":{"app":["inner"]}}}`, 201, "")
	group := s.want("POST", "/groups", `{"name":"joined"}`, 201, "")
	s.want("PUT", "/default-groups/"+group, "", 204, "")
	role := func(path string) string { return "[" + s.want("GET", path, "", 200, "") + "]" }
	both, inner := role("/roles/both"), role("/clients/"+app+"/roles/inner")
	scope := "/clients/" + app + "/scope-mappings"
	for _, c := range []struct {
		role, method, path, body string
		status                   int
		want                     string
	}{
		{"create-client", "POST", "/clients", `{"clientId":"mine"}`, 403, ""},
		{"create-client", "POST", "/clients-initial-access", `{"count":1}`, 403, ""},
		{"view-clients", "GET", "/clients/" + app + "/client-secret", "", 403, ""},
		{"view-clients", "POST", "/clients/" + app + "/client-secret", "", 403, ""},
		{"query-clients", "GET", "/clients/" + app + "/client-secret", "", 403, ""},
		{"query-clients", "GET", "/clients/nothing", "", 404, `{"error":"Could not find client"}`},
		{"query-clients", "DELETE", "/clients/nothing", "", 404, `{"error":"Could not find client"}`},
		{"query-clients", "PUT", "/clients/" + app, `{}`, 403, ""},
		{"view-users", "GET", "/clients/nothing", "", 403, ""},
		{"query-clients", "GET", "/client-scopes", "", 200, `[]`},
		{"query-clients", "GET", "/client-scopes/nothing", "", 404, `{"error":"Could not find client scope"}`},
		{"query-clients", "PUT", "/default-default-client-scopes/nothing", "", 403, ""},
		{"view-users", "GET", "/client-scopes", "", 403, ""},
		{"view-clients", "GET", "/client-scopes", "", 200, `"name":"profile"`},
		{"view-clients", "GET", "/clients/" + app + "/evaluate-scopes/generate-example-access-token", "", 404, ""},
		{"view-clients", "GET", "/clients/" + app + "/evaluate-scopes/generate-example-access-token?userId=x", "", 403, ""},
		{"manage-identity-providers", "GET", "/roles", "", 200, `"offline_access"`},
		{"query-realms", "GET", "/roles", "", 403, ""},
		{"view-organizations", "GET", "", "", 200, `"realm":"shop"`},
		{"impersonation", "GET", "", "", 403, ""},
		{"impersonation", "GET", "/localization", "", 403, ""},
		{"query-users", "GET", "/users/profile", "", 200, `"attributes"`},
		{"view-events", "GET", "/users/profile", "", 403, ""},
		{"view-clients", "GET", "/users/profile/metadata", "", 403, ""},
		// Keycloak: RolePermissions.canMapClientScope.
		{"manage-clients", "GET", scope + "/realm/available", "", 200, `[]`},
		{"manage-clients", "POST", scope + "/realm", both, 403, ""},
		{"manage-clients", "DELETE", scope + "/realm", both, 403, ""},
		{"manage-clients", "POST", scope + "/realm", `[]`, 204, ""},
		{"manage-clients", "POST", scope + "/clients/" + app, inner, 204, ""},
		{"manage-clients,manage-realm", "POST", scope + "/realm", both, 204, ""},
		// Keycloak: RolePermissions.canView.
		{"view-realm", "GET", "/roles/both/composites/clients/" + app, "", 200, `[]`},
		{"view-realm,view-clients", "GET", "/roles/both/composites/clients/" + app, "", 200, `"inner"`},
		{"view-realm", "GET", "/roles/both/composites", "", 200, `"offline_access"`},
		// Keycloak: RealmAdminResource.getDefaultGroups.
		{"view-realm", "GET", "/default-groups", "", 200, `[]`},
		{"view-realm,view-users", "GET", "/default-groups", "", 200, `"joined"`},
	} {
		if got, body := s.call(c.role, c.method, c.path, c.body); got != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s %s as %s: %d %s, want %d with %s", c.method, c.path, c.role, got, body, c.status, c.want)
		}
	}
}
