package claims_test

import (
	"strconv"
	"testing"

	"latchkey/internal/claims"
	"latchkey/internal/iam"
	"latchkey/internal/roles"
)

// input is a user with attributes, groups and roles behind a client.
func input(mappers ...iam.ProtocolMapper) *claims.Input {
	top := &roles.Group{Group: iam.Group{Name: "sales", Attrs: map[string][]string{"floor": {"2"}, "desk": {"g"}}}}
	return &claims.Input{
		Grant: &iam.Grant{
			User: &iam.User{ID: "7d6f", Username: "ann", Email: "ann@example.org", FirstName: "Ann", LastName: "Lee", EmailVerified: true,
				Attrs: map[string][]string{"desk": {"a", "b"}, "age": {"42"}, "odd": {"x"}, "street": {"Main 1"}, "json": {`{"k":[1]}`}}},
			Client: &iam.Client{ClientID: "app", WebOrigins: []string{"+"}, RedirectURIs: []string{"https://app.example.org/*"},
				Mappers: mappers},
			Session:       &iam.UserSession{ID: "s1", Notes: map[string]string{"AUTH_TIME": "1700000000"}},
			ClientSession: &iam.ClientSession{Notes: map[string]string{}},
			Nonce:         "n",
		},
		Effective: &roles.Effective{Groups: []*roles.Group{{Group: iam.Group{Name: "north"}, Up: top}}},
		Access:    &roles.Access{Realm: []string{"user"}, Clients: map[string][]string{"app": {"own"}, "api.v1": {"read", "write"}}},
		Origins:   func() []string { return []string{"https://app.example.org"} },
	}
}

func mapper(id string, kv ...string) iam.ProtocolMapper {
	m := iam.ProtocolMapper{Mapper: id, Protocol: iam.OIDC, Config: map[string]string{"access.token.claim": "true", "id.token.claim": "true",
		"claim.name": "c"}}
	for i := 0; i < len(kv); i += 2 {
		m.Config[kv[i]] = kv[i+1]
	}
	return m
}

func run(t *testing.T, in *claims.Input, kind claims.Kind) string {
	t.Helper()
	s := new(claims.Set)
	claims.Of(in.Grant).Apply(in, kind, s)
	b, err := s.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Each line is one of Keycloak's mappers in org.keycloak.protocol.oidc.mappers.
func TestMappers(t *testing.T) {
	attr := "oidc-usermodel-attribute-mapper"
	for _, c := range []struct {
		name string
		m    iam.ProtocolMapper
		want string
	}{
		{"attribute", mapper(attr, "user.attribute", "desk"), `{"c":"a"}`},
		{"attribute, several", mapper(attr, "user.attribute", "desk", "multivalued", "true"), `{"c":["a","b"]}`},
		{"attribute, with those of groups", mapper(attr, "user.attribute", "desk", "multivalued", "true", "aggregate.attrs", "true"),
			`{"c":["a","b","g"]}`},
		{"attribute of a group above", mapper(attr, "user.attribute", "floor", "jsonType.label", "int"), `{"c":2}`},
		{"attribute, as number", mapper(attr, "user.attribute", "age", "jsonType.label", "long"), `{"c":42}`},
		{"attribute, no number", mapper(attr, "user.attribute", "odd", "jsonType.label", "long"), `{}`},
		{"attribute, as JSON", mapper(attr, "user.attribute", "json", "jsonType.label", "JSON"), `{"c":{"k":[1]}}`},
		{"attribute, absent", mapper(attr, "user.attribute", "none"), `{}`},
		{"attribute that is a field", mapper(attr, "user.attribute", "username"), `{"c":"ann"}`},
		{"nested claim", mapper(attr, "user.attribute", "age", "claim.name", `a.b\.c`), `{"a":{"b.c":"42"}}`},
		{"claims that none may set", mapper(attr, "user.attribute", "age", "claim.name", "exp"), `{}`},
		{"subject by attribute", mapper(attr, "user.attribute", "age", "claim.name", "sub"), `{"sub":"42"}`},
		{"property", mapper("oidc-usermodel-property-mapper", "user.attribute", "emailVerified", "jsonType.label", "boolean"), `{"c":true}`},
		{"full name", mapper("oidc-full-name-mapper"), `{"name":"Ann Lee"}`},
		{"address", mapper("oidc-address-mapper", "user.attribute.street", "street"), `{"address":{"street_address":"Main 1"}}`},
		{"groups by path", mapper("oidc-group-membership-mapper", "full.path", "true"), `{"c":["/sales/north"]}`},
		{"groups by name", mapper("oidc-group-membership-mapper"), `{"c":["north"]}`},
		{"realm roles", mapper("oidc-usermodel-realm-role-mapper", "claim.name", "realm_access.roles", "multivalued", "true"),
			`{"realm_access":{"roles":["user"]}}`},
		{"realm roles with a prefix", mapper("oidc-usermodel-realm-role-mapper", "multivalued", "true", "usermodel.realmRoleMapping.rolePrefix",
			"R_"), `{"c":["R_user"]}`},
		{"roles of all clients", mapper("oidc-usermodel-client-role-mapper", "claim.name", "resource_access.${client_id}.roles",
			"multivalued", "true"),
			`{"resource_access":{"api.v1":{"roles":["read","write"]},"app":{"roles":["own"]}}}`},
		{"roles of one client", mapper("oidc-usermodel-client-role-mapper", "usermodel.clientRoleMapping.clientId", "app", "multivalued", "true"),
			`{"c":["own"]}`},
		{"audience", mapper("oidc-audience-mapper", "included.client.audience", "api"), `{"aud":"api"}`},
		{"audience, custom", mapper("oidc-audience-mapper", "included.custom.audience", "x"), `{"aud":"x"}`},
		{"audience by roles", mapper("oidc-audience-resolve-mapper"), `{"aud":"api.v1"}`},
		{"allowed origins", mapper("oidc-allowed-origins-mapper"), `{"allowed-origins":["https://app.example.org"]}`},
		{"hardcoded", mapper("oidc-hardcoded-claim-mapper", "claim.value", "true", "jsonType.label", "boolean"), `{"c":true}`},
		{"session note", mapper("oidc-usersessionmodel-note-mapper", "user.session.note", "AUTH_TIME", "claim.name", "auth_time",
			"jsonType.label", "long"), `{"auth_time":1700000000}`},
		{"session state", mapper("oidc-session-state-mapper"), `{"session_state":"s1"}`},
		{"nonce", mapper("oidc-nonce-backwards-compatible-mapper"), `{"nonce":"n"}`},
		{"sub", mapper("oidc-sub-mapper"), `{"sub":"7d6f"}`},
		{"acr", mapper("oidc-acr-mapper"), `{"acr":"1"}`},
		{"unknown provider", mapper("script-nobody-wrote"), `{}`},
	} {
		in := input(c.m)
		if got := run(t, in, claims.AccessToken); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		bare := input(c.m)
		bare.Effective, bare.Access = nil, &roles.Access{Clients: map[string][]string{}}
		needs := claims.Of(in.Grant).Needs(in, claims.AccessToken)
		if got := run(t, bare, claims.AccessToken); !needs && got != c.want {
			t.Errorf("%s: without effective roles, which it does not need: %s, want %s", c.name, got, c.want)
		}
	}
}

// Who is in no group needs Effective for roles alone.
func TestNeeds(t *testing.T) {
	for provider, want := range map[string][2]bool{ // in groups, in none
		"oidc-usermodel-attribute-mapper":   {true, false},
		"oidc-group-membership-mapper":      {true, false},
		"oidc-usermodel-realm-role-mapper":  {true, true},
		"oidc-usermodel-client-role-mapper": {true, true},
		"oidc-audience-resolve-mapper":      {true, true},
		"oidc-hardcoded-role-mapper":        {false, false},
		"oidc-usermodel-property-mapper":    {false, false},
	} {
		in := input(mapper(provider))
		chain := claims.Of(in.Grant)
		grouped := chain.Needs(in, claims.AccessToken)
		in.Grant.NoGroups = true
		if got := [2]bool{grouped, chain.Needs(in, claims.AccessToken)}; got != want {
			t.Errorf("%s: %v, want %v", provider, got, want)
		}
		if chain.Needs(in, claims.Response) {
			t.Errorf("%s: needed where it does not run", provider)
		}
	}
}

// Keycloak: OIDCAttributeMapperHelper.includeIn*, with their fallbacks.
func TestSwitches(t *testing.T) {
	hard := func(kv ...string) iam.ProtocolMapper {
		m := iam.ProtocolMapper{Mapper: "oidc-hardcoded-claim-mapper", Protocol: iam.OIDC, Config: map[string]string{"claim.name": "c",
			"claim.value": "v"}}
		for i := 0; i < len(kv); i += 2 {
			m.Config[kv[i]] = kv[i+1]
		}
		return m
	}
	for _, c := range []struct {
		name  string
		m     iam.ProtocolMapper
		light bool
		kinds claims.Kind // where the claim is
	}{
		{"nowhere", hard(), false, 0},
		{"access, and by it introspection", hard("access.token.claim", "true"), false, claims.AccessToken | claims.Introspection},
		{"not introspection", hard("access.token.claim", "true", "introspection.token.claim", "false"), false, claims.AccessToken},
		{"ID, and by it userinfo", hard("id.token.claim", "true"), false, claims.IDToken | claims.UserInfo},
		{"not userinfo", hard("id.token.claim", "true", "userinfo.token.claim", "false"), false, claims.IDToken},
		{"not lightweight", hard("access.token.claim", "true"), true, claims.Introspection},
		{"lightweight", hard("lightweight.claim", "true"), true, claims.AccessToken},
		{"response", hard("access.tokenResponse.claim", "true"), false, claims.Response},
	} {
		for _, kind := range []claims.Kind{claims.AccessToken, claims.IDToken, claims.UserInfo, claims.Introspection, claims.Response} {
			in := input(c.m)
			in.Grant.Client.Attrs = map[string]string{"client.use.lightweight.access.token.enabled": strconv.FormatBool(c.light)}
			want := `{}`
			if c.kinds&kind != 0 {
				want = `{"c":"v"}`
			}
			if got := run(t, in, kind); got != want {
				t.Errorf("%s, kind %d: %s", c.name, kind, got)
			}
		}
	}
}

// Keycloak: RoleNameMapper and HardcodedRole run before the mappers that write roles.
func TestRolesAreRenamedAndAddedFirst(t *testing.T) {
	got := run(t, input(
		mapper("oidc-usermodel-client-role-mapper", "usermodel.clientRoleMapping.clientId", "app", "multivalued", "true"),
		mapper("oidc-hardcoded-role-mapper", "role", "app.extra"),
		mapper("oidc-role-name-mapper", "role", "user", "new.role.name", "app.renamed"),
		mapper("oidc-usermodel-realm-role-mapper", "claim.name", "r", "multivalued", "true"),
	), claims.AccessToken)
	if want := `{"c":["own","renamed","extra"]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Keycloak: AcrProtocolMapper.getAcr.
func TestACR(t *testing.T) {
	levels := map[string]int{"silver": 1, "gold": 2}
	for _, c := range []struct {
		name   string
		notes  map[string]string
		levels map[string]int
		want   string
	}{
		{"a login", nil, nil, "1"},
		{"by cookie", map[string]string{"SSO_AUTH": "true"}, nil, "0"},
		{"a level", map[string]string{"level-of-authentication": "2"}, nil, "2"},
		{"a level with a name", map[string]string{"level-of-authentication": "2"}, levels, "gold"},
		{"what was asked for", map[string]string{"level-of-authentication": "2", "acr_values": "silver"}, levels, "silver"},
		{"what was asked for and not reached", map[string]string{"level-of-authentication": "1", "acr_values": "gold"}, levels, "silver"},
		{"essential", map[string]string{"level-of-authentication": "2", "acr_values": "gold",
			"claims": `{"id_token":{"acr":{"essential":true,"values":["silver"]}}}`}, levels, "silver"},
	} {
		in := input(mapper("oidc-acr-mapper"))
		in.Grant.ClientSession.Notes, in.Levels = c.notes, c.levels
		if got, want := run(t, in, claims.IDToken), `{"acr":"`+c.want+`"}`; got != want {
			t.Errorf("%s: %s, want %s", c.name, got, want)
		}
	}
}

// Keycloak: SHA256PairwiseSubMapper; the value was computed by its Java code's steps:
// a version 3 UUID of the SHA-256 of sector, user id and salt.
func TestPairwiseSubject(t *testing.T) {
	c := &iam.Client{RedirectURIs: []string{"https://app.example.org/a", "https://app.example.org/b"}}
	m := &iam.ProtocolMapper{Config: map[string]string{"pairwiseSubAlgorithmSalt": "salt"}}
	a, b := claims.PairwiseSubject(c, m, "u1"), claims.PairwiseSubject(c, m, "u2")
	if a == b || len(a) != 36 || a[14] != '3' {
		t.Errorf("subjects %q and %q", a, b)
	}
	same := &iam.Client{}
	m2 := &iam.ProtocolMapper{Config: map[string]string{"pairwiseSubAlgorithmSalt": "salt",
		"sectorIdentifierUri": "https://app.example.org/sector.json"}}
	if got := claims.PairwiseSubject(same, m2, "u1"); got != a {
		t.Errorf("the same sector gives %q, not %q", got, a)
	}
	c.RedirectURIs = append(c.RedirectURIs, "https://elsewhere.example.org/")
	if got := claims.PairwiseSubject(c, m, "u1"); got != "" {
		t.Errorf("without a single sector: %q", got)
	}
}

// Keycloak: JsonWebToken's property order.
func TestOrderOfClaims(t *testing.T) {
	s := new(claims.Set)
	for _, name := range []string{"zeta", "sub", "alpha", "exp", "iss"} {
		s.Put(name, name)
	}
	b, err := s.JSON()
	if want := `{"exp":"exp","iss":"iss","sub":"sub","zeta":"zeta","alpha":"alpha"}`; err != nil || string(b) != want {
		t.Errorf("got %s, %v", b, err)
	}
}
