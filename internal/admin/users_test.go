package admin

import (
	"fmt"
	"strings"
	"testing"

	"latchkey/internal/rep"
)

// Oracle: users/crud, users/credentials, users/profile-validation, users/required-actions.
func TestUserFromCreationToDeletion(t *testing.T) {
	s := newShop(t)
	id := s.want("POST", "/users",
		`{"username":"Carol","email":"C@x.test","enabled":true,"credentials":[{"type":"password","value":"one","temporary":true}]}`, 201, "")
	s.want("GET", "/users/"+id, "", 200, `"username":"carol"`)
	s.want("GET", "/users/"+id, "", 200, `"requiredActions":["UPDATE_PASSWORD"]`)
	s.want("POST", "/users", `{"username":"CAROL"}`, 409, `{"errorMessage":"User exists with same username"}`)
	s.want("POST", "/users", `{"username":"other","email":"c@X.test"}`, 409, `{"errorMessage":"User exists with same email"}`)
	s.want("POST", "/users", `{"username":"CAROL","email":"c@X.test"}`, 409, `{"errorMessage":"User exists with same email"}`)
	s.want("POST", "/users", `{}`, 400, `{"errorMessage":"User name is missing"}`)
	s.want("POST", "/users", `{"username":"ab"}`, 400,
		`{"field":"username","errorMessage":"error-invalid-length","params":["username",3,255]}`)
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
	if got := s.want("GET", "/admin-events", "", 200, `"resourcePath":"users/`+id); strings.Contains(got, `\"credentials\"`) ||
		strings.Contains(got, "two") {
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
		s.want(c.method, c.path, c.body, 400,
			`{"error":"invalidPasswordMinLengthMessage","error_description":"Invalid password: minimum length 8."}`)
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
		// Keycloak: UsersResource.getUsers
		"search=an&exact=true": "anna bert", "enabled=": "anna bert", "idpUserId=x": "", "search=username:anna": "anna",
		"search=username:bert%20ANNA": "anna bert",
		"search=username:ann":         "", "search=email:bert@north.test&enabled=false": "bert", "search=id:": "", "q=username:ann": "anna",
		"q=lastName:and": "bert",
		"q=enabled:true": "bert", "q=username:anna&username=bert": "anna",
		// Keycloak: SearchQueryUtils.getFields
		"q=:": "", "q=:x": "", "q=nonsense": "anna bert", `q=firstName:x%20firstName:%22Ann%22`: "anna",
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
		{"manage-users", "manage-users", 204}, {"manage-users", "query-realms", 204}, {"view-users", "view-users", 403},
		{"all", "realm-admin", 204},
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
	u, err := s.h.Users.ByName(t.Context(), shop, "carol")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.h.Users.Failed(t.Context(), shop, u.ID, "10.0.0.9", false, nil); err != nil {
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

// Keycloak: UserResource.updateUser, UserRepresentation.getRawAttributes, RepresentationToModel.createCredentials.
func TestWhatUsersArePostedWith(t *testing.T) {
	s := newShop(t)
	id := s.want("POST", "/users", `{"username":"anna","credentials":[{"type":"password","value":"one"},{"type":"password","value":"two"}]}`,
		201, "")
	if got := s.want("GET", "/users/"+id+"/credentials", "", 200, ""); strings.Count(got, `"type":"password"`) != 1 {
		t.Errorf("a user has one password: %s", got)
	}
	s.want("POST", "/users", `{"username":"bert"}`, 201, "")
	for _, c := range []string{`{"type":"password"}`, `{"type":"password","credentialData":"x","secretData":"{}"}`} {
		s.want("POST", "/users", `{"username":"dora","credentials":[`+c+`]}`, 400, "Could not create user")
	}
	s.want("POST", "/users", `{"username":"anna","email":"anna@x.test"}`, 409, "same username")
	s.want("PUT", "/users/"+id, `{"username":"bert"}`, 409, "User exists with same username")
	s.want("PUT", "/users/"+id, `{"username":""}`, 400, `{"errorMessage":"User name is missing"}`)
	s.want("PUT", "/users/"+id, ``, 400, `{"errorMessage":"Could not update user!"}`)
	s.want("PUT", "/users/"+id, `{"attributes":{"firstName":["Zoe"],"username":["zoe"]}}`, 204, "")
	s.want("GET", "/users/"+id, "", 200, `"firstName":"Zoe"`)
	s.want("GET", "/users/"+id, "", 200, `"username":"anna"`)
}

// Keycloak: DeclarativeUserProfileProvider, UPConfigUtils.validate, MultiValueValidator, EmailValidator.
func TestProfilesOfOtherShapes(t *testing.T) {
	s := newShop(t)
	id := s.want("POST", "/users", `{"username":"anna","firstName":"Anna","email":"anna@x.test"}`, 201, "")
	s.want("PUT", "/users/profile", `{"attributes":[]}`, 400, "can not be removed")
	s.want("PUT", "/users/profile", `{}`, 200, `{"groups":[]}`)
	s.want("GET", "/users/profile/metadata", "", 200, `"name":"username","displayName":"${username}"`)
	s.want("PUT", "/users/"+id, `{"email":"bad"}`, 204, "")
	for _, path := range []string{"/users/" + id, "/users?search=anna", "/users?briefRepresentation=true"} {
		if got := s.want("GET", path, "", 200, `"username":"anna"`); strings.Contains(got, "firstName") {
			t.Errorf("%s shows what the profile does not know: %s", path, got)
		}
	}
	const p = `"permissions":{"view":["admin"],"edit":["admin"]}`
	s.want("PUT", "/users/profile",
		`{"unmanagedAttributePolicy":"ADMIN_VIEW","attributes":[{"name":"username"},{"name":"email","validations":{"email":{"max-local-length":3}}},
		{"name":"nick",`+p+`},{"name":"two","multivalued":true,`+p+`,"validations":{"multivalued":{"min":2,"max":3}}},{"name":"theirs","permissions":{"view":["user"],"edit":["user"]}}]}`, 200, "")
	s.want("GET", "/users/"+id+"/unmanagedAttributes", "", 200, `{"firstName":["Anna"]}`)
	s.want("GET", "/users/profile/metadata", "", 200, `"name":"nick","displayName":"nick"`)
	s.want("GET", "/users/profile/metadata", "", 200, `"ignore.empty.value":true`)
	s.want("POST", "/users", `{"username":"bert"}`, 400,
		`{"field":"two","errorMessage":"error-invalid-multivalued-size","params":["two",2,3]}`)
	s.want("POST", "/users", `{"username":"bert","email":"bert@x.test","attributes":{"two":["a","b"]}}`, 400, `error-invalid-email`)
	bert := s.want("POST", "/users", `{"username":"bert","attributes":{"two":["a","b"],"theirs":["x"]}}`, 201, "")
	s.want("PUT", "/users/"+bert, `{"attributes":{"two":["a","b"],"theirs":["x"]}}`, 400, "error-user-attribute-read-only")
}

// Keycloak: GroupsResource, GroupResource.
func TestGroupsAreFoundAndMoved(t *testing.T) {
	s := newShop(t)
	a := s.want("POST", "/groups", `{"name":"alpha","attributes":{"x":["y"]}}`, 201, "")
	b := s.want("POST", "/groups", `{"name":"beta","attributes":{"none":[]}}`, 201, "")
	s.want("GET", "/groups/"+b, "", 200, `"attributes":{}`)
	s.want("POST", "/groups/"+a+"/children", `{"name":"inner"}`, 201, "")
	for query, want := range map[string]int{"search=*": 3, "search=a*h": 1, "search=l*p*a": 1, "search=*&exact=true": 0, "search=_": 0,
		"search=": 2, "q=x:y&search=beta": 1, "q=x&search=beta": 3} {
		if got := s.want("GET", "/groups?populateHierarchy=false&"+query, "", 200, ""); strings.Count(got, `"path"`) != want {
			t.Errorf("%s: %s", query, got)
		}
	}
	s.want("GET", "/groups/count?search=*", "", 200, `{"count":3}`)
	s.want("GET", "/groups/"+a+"/children?q=x:y", "", 200, `"name":"inner"`)
	for query, want := range map[string]int{"search=": 1, "search=INN": 1, "search=nner": 0, "search=*er": 1, "search=i*r": 1,
		"search=%20inner":         0,
		"search=inner&exact=true": 1, "search=Inner&exact=true": 0, "exact=true": 0} {
		if got := s.want("GET", "/groups/"+a+"/children?"+query, "", 200, ""); strings.Count(got, `"path"`) != want {
			t.Errorf("children with %s: %s", query, got)
		}
	}
	account := s.want("GET", "/clients?clientId=account", "", 200, "")
	var of []rep.Client
	if err := rep.Unmarshal([]byte(account), &of); err != nil {
		t.Fatal(err)
	}
	// What a group inherits shows among the realm's roles, and not among a client's.
	// Keycloak: RoleMapperResource, RoleUtils.getDeepRoleMappings.
	var role rep.Role
	if err := rep.Unmarshal([]byte(s.want("GET", "/clients/"+of[0].ID+"/roles/manage-account", "", 200, "")), &role); err != nil {
		t.Fatal(err)
	}
	s.want("POST", "/groups/"+a+"/role-mappings/clients/"+of[0].ID, `[{"id":"`+role.ID+`","name":"manage-account"}]`, 204, "")
	var offline rep.Role
	if err := rep.Unmarshal([]byte(s.want("GET", "/roles/offline_access", "", 200, "")), &offline); err != nil {
		t.Fatal(err)
	}
	s.want("POST", "/groups/"+a+"/role-mappings/realm", `[{"id":"`+offline.ID+`","name":"offline_access"}]`, 204, "")
	var below []rep.Group
	if err := rep.Unmarshal([]byte(s.want("GET", "/groups/"+a+"/children", "", 200, "")), &below); err != nil {
		t.Fatal(err)
	}
	s.want("GET", "/groups/"+a+"/role-mappings/clients/"+of[0].ID+"/composite", "", 200, `"name":"manage-account-links"`)
	s.want("GET", "/groups/"+below[0].ID+"/role-mappings/realm/composite", "", 200, `"name":"offline_access"`)
	if got := s.want("GET", "/groups/"+below[0].ID+"/role-mappings/clients/"+of[0].ID+"/composite", "", 200, ""); got != "[]" {
		t.Errorf("a client's roles of a group below: %s", got)
	}
	s.want("GET", "/group-by-path/", "", 404, "Group path does not exist")
	s.want("PUT", "/groups/"+b, `{"id":"`+a+`","name":"beta"}`, 400, `{"errorMessage":"Invalid group id"}`)
	s.want("PUT", "/groups/"+b, `{"name":"alpha"}`, 409, "Sibling group named 'alpha' already exists.")
	s.want("POST", "/groups/"+b+"/children", `{"id":"`+b+`","name":"beta"}`, 204, "")
	s.want("POST", "/groups/"+b+"/children", `{"name":"inner"}`, 201, "")
	inner := s.want("POST", "/groups", `{"name":"inner"}`, 201, "")
	s.want("POST", "/groups/"+b+"/children", `{"id":"`+inner+`","name":"posted"}`, 409, "Sibling group named 'posted' already exists.")
	anna := s.want("POST", "/users", `{"username":"anna","email":"anna@x.test"}`, 201, "")
	s.want("PUT", "/users/"+anna+"/groups/"+a, "", 204, "")
	s.want("GET", "/admin-events?resourceTypes=GROUP_MEMBERSHIP", "", 200, `"email":"anna@x.test"`)
}

// Keycloak: RoleContainerResource.getRoles, RoleByIdResource.getRoleComposites.
func TestPagesOfRoles(t *testing.T) {
	s := newShop(t)
	s.want("POST", "/roles", `{"name":"empty","attributes":{"none":[]}}`, 201, "")
	s.want("GET", "/roles/empty", "", 200, `"attributes":{}`)
	s.want("DELETE", "/roles/empty", "", 204, "")
	for query, want := range map[string]int{"first=1": 3, "max=1": 3, "first=1&max=1": 1, "search=o&max=1": 1, "search=o&first=1": 2} {
		if got := s.want("GET", "/roles?"+query, "", 200, ""); strings.Count(got, `"name"`) != want {
			t.Errorf("%s: %s", query, got)
		}
	}
}

// Keycloak: UserResource.setCredentialUserLabel, UserResource.removeCredential.
func TestLabelsOfCredentials(t *testing.T) {
	s := newShop(t)
	id := s.want("POST", "/users", `{"username":"anna","credentials":[{"type":"password","value":"one","userLabel":"mine"}]}`, 201, "")
	got := s.want("GET", "/users/"+id+"/credentials", "", 200, "")
	_, rest, _ := strings.Cut(got, `"id":"`)
	cred, _, _ := strings.Cut(rest, `"`)
	s.want("DELETE", "/users/"+id+"/credentials/"+cred, "", 204, "")
	s.want("GET", "/admin-events?operationTypes=ACTION", "", 200, `"credential_type":"password"`)
}

// Keycloak: UserProfileResource, RealmAdminResource, RoleMapperResource.getAvailableRealmRoleMappings, ClientsResource.
func TestRightsOfDelegatedAdministrators(t *testing.T) {
	s := newShop(t)
	id := s.want("POST", "/users", `{"username":"anna"}`, 201, "")
	for _, c := range []struct {
		role, path string
		code       int
		body       string
	}{
		{"view-clients", "/users/profile", 403, ""}, {"query-groups", "/users/profile/metadata", 403, ""}, {"query-users", "/users/profile", 200,
			""}, {"view-realm", "/users/profile", 200, ""},
		{"impersonation", "", 403, ""}, {"impersonation", "/localization", 403, ""}, {"query-realms", "/roles", 403, ""},
		{"query-clients", "/clients", 200, "[]"},
		{"view-users", "/users/" + id + "/role-mappings/realm/available", 200, "[]"},
	} {
		code, got := s.call(c.role, "GET", c.path, "")
		if code != c.code || c.body != "" && got != c.body {
			t.Errorf("%s: %s: %d %s", c.role, c.path, code, got)
		}
	}
}

// Keycloak: UsersResource.createUser, UserResource.updateUser, ReadOnlyAttributeUnchangedValidator.
func TestAddressesAsNames(t *testing.T) {
	s := newShop(t)
	s.want("PUT", "", `{"registrationEmailAsUsername":true}`, 204, "")
	id := s.want("POST", "/users", `{"username":"ignored","email":"anna@x.test"}`, 201, "")
	s.want("GET", "/users/"+id, "", 200, `"username":"anna@x.test"`)
	s.want("POST", "/users", `{}`, 400, `User name is missing`)
	s.want("POST", "/users", `{"username":"bert"}`, 400, `{"field":"email","errorMessage":"error-user-attribute-required"`)
	s.want("POST", "/users", `{"username":"anna@x.test"}`, 409, `same username`)
	s.want("POST", "/users", `{"email":"anna@x.test"}`, 409, `same email`)
	s.want("PUT", "/users/"+id, `{"email":""}`, 400, `User name is missing`)
	s.want("PUT", "/users/"+id, `{"attributes":{"LDAP_ID":["x"]},"email":"anna@x.test"}`, 204, "")
	s.want("PUT", "/users/profile", `{"unmanagedAttributePolicy":"ENABLED","attributes":[{"name":"username"},{"name":"email"}]}`, 200, "")
	s.want("PUT", "/users/"+id, `{"attributes":{"LDAP_ID":["x"]},"email":"anna@x.test"}`, 400, `updateReadOnlyAttributesRejectedMessage`)
}

// Hashed credentials come with an update as they come with a new user: a
// password replaces the one that is there, others are added, and those that the
// user has already, by their id, stay. Keycloak: RepresentationToModel.createCredentials.
func TestHashedCredentialsOfAnUpdate(t *testing.T) {
	s := newShop(t)
	hashed := func(id string, iterations int) string {
		return fmt.Sprintf(`{"credentials":[{"id":%q,"type":"password","secretData":"{\"value\":\"aaaa\",\"salt\":\"aaaa\"}","credentialData":"{\"hashIterations\":%d,\"algorithm\":\"pbkdf2-sha256\"}"}]}`, id, iterations)
	}
	id := s.want("POST", "/users", `{"username":"anna","credentials":[{"type":"password","value":"one"}]}`, 201, "")
	iterations := func(want int, kinds int) string {
		t.Helper()
		var list []rep.Credential
		if err := rep.Unmarshal([]byte(s.want("GET", "/users/"+id+"/credentials", "", 200, "")), &list); err != nil || len(list) != kinds {
			t.Fatalf("%+v (%v)", list, err)
		}
		if !strings.Contains(list[0].CredentialData, fmt.Sprintf(`"hashIterations":%d,`, want)) {
			t.Errorf("the password is %s, want %d iterations", list[0].CredentialData, want)
		}
		return list[0].ID
	}
	s.want("PUT", "/users/"+id, hashed("", 20), 204, "")
	own := iterations(20, 1)
	s.want("PUT", "/users/"+id, hashed(own, 30), 204, "")
	iterations(20, 1)
	s.want("PUT", "/users/"+id, hashed("99999999-1111-1111-1111-111111111111", 40), 204, "")
	if now := iterations(40, 1); now != own {
		t.Errorf("the password's id was %s and is %s", own, now)
	}
	const otp = `{"credentials":[{"type":"otp","secretData":"{\"value\":\"abc\"}","credentialData":"{\"subType\":\"totp\",\"digits\":6,\"period\":30,\"algorithm\":\"HmacSHA1\"}"}]}`
	s.want("PUT", "/users/"+id, otp, 204, "")
	iterations(40, 2)
	s.want("PUT", "/users/"+id, otp, 204, "")
	iterations(40, 3)
	for _, bad := range []string{`{"type":"password"}`, `{"type":"otp","secretData":"x","credentialData":"{}"}`} {
		s.want("PUT", "/users/"+id, `{"credentials":[`+bad+`]}`, 400, `{"errorMessage":"Could not update user!"}`)
	}
}

// Keycloak 26.7.3, asked: DuplicateEmailValidator, DuplicateUsernameValidator. Where
// people log in by name or address, no name may be somebody else's address.
func TestNamesAndAddressesAreKeptApart(t *testing.T) {
	s := newShop(t)
	s.want("POST", "/users", `{"username":"a@b.test","email":"other@b.test"}`, 201, "")
	id := s.want("POST", "/users", `{"username":"dora","email":"dora@b.test"}`, 201, "")
	s.want("POST", "/users", `{"username":"second","email":"a@b.test"}`, 409, `{"errorMessage":"User exists with same email"}`)
	s.want("POST", "/users", `{"username":"other@b.test"}`, 409, `{"errorMessage":"User exists with same username"}`)
	s.want("PUT", "/users/"+id, `{"email":"A@B.test"}`, 409, `{"errorMessage":"User exists with same email"}`)
	s.want("PUT", "", `{"editUsernameAllowed":true}`, 204, "")
	s.want("PUT", "/users/"+id, `{"username":"other@b.test"}`, 409, `{"errorMessage":"User exists with same username"}`)
	s.want("PUT", "/users/"+id, `{"username":"dora@b.test"}`, 204, "") // one's own
	s.want("PUT", "", `{"loginWithEmailAllowed":false}`, 204, "")
	s.want("POST", "/users", `{"username":"other@b.test","email":"third@b.test"}`, 201, "")
}

// A client's own user may have any attribute. Keycloak: ServiceAccountAttributes.
func TestAttributesOfServiceAccounts(t *testing.T) {
	s := newShop(t)
	client := s.want("POST", "/clients", `{"clientId":"worker","serviceAccountsEnabled":true}`, 201, "")
	var account rep.User
	if err := rep.Unmarshal([]byte(s.want("GET", "/clients/"+client+"/service-account-user", "", 200, "")), &account); err != nil {
		t.Fatal(err)
	}
	s.want("PUT", "/users/"+account.ID, `{"attributes":{"tenant":["north"]}}`, 204, "")
	s.want("GET", "/users/"+account.ID, "", 200, `"attributes":{"tenant":["north"]}`)
	s.want("GET", "/users/"+account.ID+"/unmanagedAttributes", "", 200, `{"tenant":["north"]}`)
	other := s.want("POST", "/users", `{"username":"anna","attributes":{"tenant":["north"]}}`, 201, "")
	if got := s.want("GET", "/users/"+other, "", 200, `"username":"anna"`); strings.Contains(got, "tenant") {
		t.Errorf("an attribute that the profile does not know: %s", got)
	}
}
