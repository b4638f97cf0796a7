package admin

import (
	"strings"
	"testing"
)

// Oracle: users/crud, users/credentials, users/profile-validation, users/required-actions.
func TestUserFromCreationToDeletion(t *testing.T) {
	s := newShop(t)
	id := s.want("POST", "/users", `{"username":"Carol","email":"C@x.test","enabled":true,"credentials":[{"type":"password","value":"one","temporary":true}]}`, 201, "")
	s.want("GET", "/users/"+id, "", 200, `"username":"carol"`)
	s.want("GET", "/users/"+id, "", 200, `"requiredActions":["UPDATE_PASSWORD"]`)
	s.want("POST", "/users", `{"username":"CAROL"}`, 409, `{"errorMessage":"User exists with same username"}`)
	s.want("POST", "/users", `{"username":"other","email":"c@X.test"}`, 409, `{"errorMessage":"User exists with same email"}`)
	s.want("POST", "/users", `{}`, 400, `{"errorMessage":"User name is missing"}`)
	s.want("POST", "/users", `{"username":"ab"}`, 400, `{"field":"username","errorMessage":"error-invalid-length","params":["username",3,255]}`)
	s.want("PUT", "/users/"+id, `{"email":"nonsense","firstName":"a$b"}`, 400, `{"errors":[{"field":"email"`)
	s.want("PUT", "/users/"+id, `{"username":"renamed"}`, 400, `error-user-attribute-read-only`)
	s.want("PUT", "/users/"+id, `{"firstName":"Carol"}`, 204, "")
	s.want("GET", "/users/"+id, "", 200, `"email":"c@x.test"`)
	s.want("PUT", "/users/"+id, `{"attributes":{"team":["blue"]}}`, 204, "")
	if got := s.want("GET", "/users/"+id, "", 200, ""); strings.Contains(got, "team") || strings.Contains(got, "c@x.test") {
		t.Errorf("unmanaged attributes are ignored, unnamed ones removed: %s", got)
	}
	if got := s.want("GET", "/users/"+id+"/credentials", "", 200, `"type":"password"`); strings.Contains(got, "secretData") {
		t.Errorf("a secret is shown: %s", got)
	}
	s.want("PUT", "/users/"+id+"/reset-password", `{"value":"two"}`, 204, "")
	s.want("PUT", "/users/"+id+"/reset-password", `{}`, 400, `{"error":"No password provided"}`)
	s.want("PUT", "/users/"+id+"/reset-password", `{"value":" "}`, 400, `{"error":"Empty password not allowed"}`)
	s.want("PUT", "/users/"+id+"/execute-actions-email", `["UPDATE_PASSWORD"]`, 400, `User email missing`)
	s.want("DELETE", "/users/"+id, "", 204, "")
	s.want("DELETE", "/users/"+id, "", 404, `{"error":"User not found"}`)
	s.want("GET", "/users/"+id+"/nonsense", "", 404, `{"error":"User not found"}`)
	if got := s.want("GET", "/admin-events", "", 200, `"resourcePath":"users/`+id); strings.Contains(got, `\"credentials\"`) || strings.Contains(got, "two") {
		t.Errorf("a password is in an event: %s", got)
	}
}

// Keycloak: PasswordPolicy, UserResource.resetPassword.
func TestPolicyRefusalsAreExplained(t *testing.T) {
	s := newShop(t)
	id := s.want("POST", "/users", `{"username":"carol"}`, 201, "")
	s.want("PUT", "", `{"passwordPolicy":"length(8)"}`, 204, "")
	for _, c := range []struct{ method, path, body string }{
		{"PUT", "/users/" + id + "/reset-password", `{"value":"short"}`},
		{"PUT", "/users/" + id, `{"credentials":[{"type":"password","value":"short"}]}`},
		{"POST", "/users", `{"username":"dora","credentials":[{"type":"password","value":"short"}]}`},
	} {
		s.want(c.method, c.path, c.body, 400, `{"error":"invalidPasswordMinLengthMessage","error_description":"Invalid password: minimum length 8."}`)
	}
	s.want("GET", "/users/count", "", 200, "1")
}

// Oracle: users/search.
func TestSearchQueries(t *testing.T) {
	s := newShop(t)
	for _, u := range []string{
		`{"username":"anna","email":"anna@north.test","firstName":"Anna","lastName":"Berg"}`,
		`{"username":"bert","email":"bert@north.test","firstName":"Bert","lastName":"Anders","enabled":true}`,
	} {
		s.want("POST", "/users", u, 201, "")
	}
	for query, want := range map[string]string{
		"search=an": "anna bert", "search=*nder*": "bert", `search=%22berg%22`: "anna", "search=ann%20berg": "anna", "username=nn": "anna",
		"username=nn&exact=true": "", "email=north": "anna bert", "enabled=true": "bert", "first=1&max=1": "bert", "max=0": "", "search=%25": "",
	} {
		got := s.want("GET", "/users?"+query, "", 200, "")
		var names []string
		for _, name := range []string{"anna", "bert"} {
			if strings.Contains(got, `"username":"`+name+`"`) {
				names = append(names, name)
			}
		}
		if strings.Join(names, " ") != want {
			t.Errorf("%s: %v, want %s", query, names, want)
		}
	}
}

// Without this, who manages users could make themselves an administrator.
// Keycloak: RolePermissions.checkAdminRoles.
func TestNobodyGivesAwayRightsTheyLack(t *testing.T) {
	s := newShop(t)
	id := s.want("POST", "/users", `{"username":"carol"}`, 201, "")
	group := s.want("POST", "/groups", `{"name":"staff"}`, 201, "")
	s.want("POST", "/roles", `{"name":"plain"}`, 201, "")
	shop, err := s.h.Realms.Get(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	admin, err := shop.ClientByName(t.Context(), "realm-management")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		who, role string
		status    int
	}{
		{"manage-users", "manage-realm", 403}, {"manage-users", "realm-admin", 403}, {"manage-users", "impersonation", 403},
		{"manage-users", "manage-users", 204}, {"manage-users", "query-realms", 204}, {"view-users", "view-users", 403}, {"all", "realm-admin", 204},
	} {
		role := shop.RoleByName(admin.ID, c.role)
		body := `[{"id":"` + string(role.ID) + `","name":"` + c.role + `"}]`
		for _, to := range []string{"/users/" + id, "/groups/" + group} {
			if status, answer := s.call(c.who, "POST", to+"/role-mappings/clients/"+string(admin.ID), body); status != c.status {
				t.Errorf("%s gives %s to %s: %d %s, want %d", c.who, c.role, to, status, answer, c.status)
			}
		}
	}
	role := shop.RoleByName(admin.ID, "manage-users")
	if status, answer := s.call("manage-realm", "POST", "/roles/plain/composites", `[{"id":"`+string(role.ID)+`"}]`); status != 403 {
		t.Errorf("a composite passes on rights: %d %s", status, answer)
	}
}

// Oracle: groups/crud, groups/members-and-roles.
func TestGroups(t *testing.T) {
	s := newShop(t)
	top := s.want("POST", "/groups", `{"name":"staff","attributes":{"floor":["2"]}}`, 201, "")
	s.want("POST", "/groups", `{"name":"staff"}`, 409, `{"errorMessage":"Top level group named 'staff' already exists."}`)
	s.want("POST", "/groups", `{}`, 400, `{"errorMessage":"Group name is missing"}`)
	s.want("POST", "/groups/"+top+"/children", `{"name":"night"}`, 201, "")
	s.want("POST", "/groups/"+top+"/children", `{"name":"night"}`, 409, `{"errorMessage":"Sibling group named 'night' already exists."}`)
	s.want("GET", "/groups?search=night", "", 200, `"path":"/staff/night"`)
	s.want("GET", "/group-by-path/staff/night", "", 200, `"name":"night"`)
	s.want("GET", "/group-by-path/staff/day", "", 404, `{"error":"Group path does not exist"}`)
	s.want("GET", "/groups/count", "", 200, `{"count":2}`)
	s.want("GET", "/groups?q=floor:2", "", 200, `"name":"staff"`)
	user := s.want("POST", "/users", `{"username":"carol","groups":["/staff/night"]}`, 201, "")
	s.want("GET", "/users/"+user+"/groups", "", 200, `"path":"/staff/night"`)
	s.want("PUT", "/users/"+user+"/groups/"+top, "", 204, "")
	s.want("GET", "/groups/"+top+"/members", "", 200, `"username":"carol"`)
	s.want("PUT", "/groups/"+top, `{"name":"crew"}`, 204, "")
	s.want("DELETE", "/groups/"+top, "", 204, "")
	s.want("GET", "/users/"+user+"/groups", "", 200, `[]`)
	s.want("GET", "/groups/"+top, "", 404, `{"error":"Could not find group by id"}`)
}

// Oracle: roles/realm-roles, roles/composites.
func TestRoles(t *testing.T) {
	s := newShop(t)
	s.want("POST", "/roles", `{"name":"driver","attributes":{"level":["1"]}}`, 201, "")
	s.want("POST", "/roles", `{"name":"driver"}`, 409, `{"errorMessage":"Role with name driver already exists"}`)
	s.want("POST", "/roles", `{}`, 400, `{"error":"role has no name"}`)
	s.want("PUT", "/roles/driver", `{"name":"pilot","description":"Flies"}`, 204, "")
	s.want("GET", "/roles/driver", "", 404, `{"error":"Could not find role"}`)
	s.want("GET", "/roles/pilot", "", 200, `"attributes":{"level":["1"]}`)
	s.want("POST", "/roles/pilot/composites", `[{"id":"nothing"}]`, 404, `{"error":"Could not find composite role"}`)
	s.want("DELETE", "/roles/default-roles-shop", "", 400, `is default role of the realm and cannot be removed.`)
	s.want("DELETE", "/roles/pilot", "", 204, "")
	s.want("GET", "/roles-by-id/nothing", "", 404, `{"error":"Could not find role with id"}`)
}

// Keycloak: AttackDetectionResource, UserResource.updateUser.
func TestAttackDetection(t *testing.T) {
	s := newShop(t)
	s.want("PUT", "", `{"bruteForceProtected":true,"failureFactor":1,"permanentLockout":true}`, 204, "")
	id := s.want("POST", "/users", `{"username":"carol","enabled":true}`, 201, "")
	shop, err := s.h.Realms.Get(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	u, err := s.h.Users.ByName(t.Context(), &shop.Realm, "carol")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.h.Users.Failed(t.Context(), &shop.Realm, u.ID, "10.0.0.9", false); err != nil {
		t.Fatal(err)
	}
	const at = "/attack-detection/brute-force/users/"
	s.want("GET", at+id, "", 200, `{"numFailures":1,"disabled":true,"lastIPFailure":"10.0.0.9"`)
	s.want("GET", "/users/"+id, "", 200, `"attributes":{"disabledReason":["permanentLockout"]}`)
	s.want("PUT", "/users/"+id, `{"enabled":true}`, 204, "")
	s.want("GET", at+id, "", 200, `{"numFailures":0,"disabled":false,"lastIPFailure":"n/a"`)
	s.want("DELETE", at+id, "", 204, "")
	s.want("GET", at+"nobody", "", 200, `"numFailures":0`)
}
