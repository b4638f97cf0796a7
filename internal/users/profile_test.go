package users_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/users"
)

func told(errs iam.Errors) string {
	var list []string
	for _, e := range errs {
		list = append(list, fmt.Sprint(e.Field, ": ", e.Msg, " ", e.Params))
	}
	slices.Sort(list)
	return strings.Join(list, "; ")
}

// Oracle: users/profile-validation, badinput/limits.
func TestDefaultProfileChecks(t *testing.T) {
	each(t, `{"editUsernameAllowed":false}`, func(w *world) {
		p, err := users.ProfileOf(w.realm)
		w.must(err)
		long := strings.Repeat("x", 300)
		for _, c := range []struct {
			context users.Context
			user    *iam.User
			draft   users.Draft
			want    string
		}{
			{users.AdminAPI, nil, users.Draft{"username": {"bob"}}, ""},
			{users.AdminAPI, nil, users.Draft{"username": {"ab"}}, "username: error-invalid-length [username 3 255]"},
			{users.AdminAPI, nil, users.Draft{"username": {"with space"}}, "username: error-username-invalid-character [username]"},
			{users.AdminAPI, nil, users.Draft{"username": {"mail"}, "email": {"not-an-email"}}, "email: error-invalid-email [email not-an-email]"},
			{users.AdminAPI, nil, users.Draft{"username": {"nam"}, "firstName": {"<script>"}},
				"firstName: error-person-name-invalid-character [firstName]"},
			{users.AdminAPI, nil, users.Draft{"username": {"bob"}, "lastName": {long}},
				"lastName: error-invalid-length-too-long [lastName <nil> 255]"},
			{users.AdminAPI, w.anna, users.Draft{"username": {"hanna"}}, "username: error-user-attribute-read-only [username]"},
			// Keycloak: ImmutableAttributeValidator is one validator among those of the attribute.
			{users.AdminAPI, w.anna, users.Draft{"username": {"ha"}}, "username: error-invalid-length [username 3 255]; username: " +
				"error-user-attribute-read-only [username]"},
			{users.AdminAPI, w.anna, users.Draft{"username": {"ANNA"}}, ""},
			{users.AdminAPI, w.anna, users.Draft{"LDAP_ID": {"x"}}, ""},
			{users.AdminAPI, nil, users.Draft{"username": {"bob"}, "LDAP_ID": {"x"}}, ""}, // passed over, as what has no place
			{users.UpdateProfile, w.anna, users.Draft{"email": {"a@b.test"}},
				"firstName: error-user-attribute-required [firstName]; lastName: error-user-attribute-required [lastName]"},
			{users.UpdateProfile, w.anna, users.Draft{"firstName": {"A"}, "lastName": {"B"}}, "email: missingEmailMessage [email]"},
			{users.Registration, nil, users.Draft{"email": {"a@b.test"}, "firstName": {"A"}, "lastName": {"B"}},
				"username: missingUsernameMessage [username]"},
			{users.AdminAPI, nil, users.Draft{"username": {"рaypal"}}, "username: error-username-invalid-character [username]"},
			{users.AdminAPI, nil, users.Draft{"username": {"bob"}, "firstName": {"A", "B"}},
				"firstName: error-invalid-multivalued-size [firstName 0 1]"},
		} {
			got := told(p.In(c.context, c.user).Check(c.draft))
			if got != c.want {
				w.Errorf("%v: %s, want %s", c.draft, got, c.want)
			}
		}
	})
}

func TestValidators(t *testing.T) {
	each(t, `{}`, func(w *world) {
		cfg := new(rep.UPConfig)
		w.must(rep.Unmarshal([]byte(`{"attributes":[{"name":"username"},{"name":"email"},
			{"name":"code","multivalued":true,"permissions":{"edit":["admin"]},"validations":{"pattern":{"pattern":"(?=.*\\d)[a-z0-9]+"},"multivalued":{"max":2}}},
			{"name":"size","permissions":{"edit":["admin"]},"validations":{"options":{"options":["S","L"]}}},
			{"name":"age","permissions":{"edit":["admin"]},"validations":{"integer":{"min":"18","max":99}}},
			{"name":"weight","permissions":{"edit":["admin"]},"validations":{"double":{"min":0.5}}},
			{"name":"home","permissions":{"edit":["admin"]},"validations":{"uri":{}}},
			{"name":"born","permissions":{"edit":["admin"]},"validations":{"iso-date":{}}},
			{"name":"badge","permissions":{"edit":["admin"]},"required":{"roles":["admin"]}},
			{"name":"seen","permissions":{"view":["admin"],"edit":["user"]}}]}`), cfg))
		cache := realms.NewCache(w.db)
		_, err := w.s.SetProfile(w.Context(), cache, w.realm, cfg)
		w.must(err)
		r, err := cache.Get(w.Context(), "shop")
		w.must(err)
		p, err := users.ProfileOf(r)
		w.must(err)
		const ok = "badge"
		for _, c := range []struct {
			name   string
			values []string
			want   string
		}{
			{"code", []string{"a1"}, ""},
			{"code", []string{"abc"}, `code: error-pattern-no-match [code (?=.*\d)[a-z0-9]+]`},
			{"code", []string{"a1", "b2", "c3"}, "code: error-invalid-multivalued-size [code 0 2]"},
			{"size", []string{"M"}, "size: error-invalid-value [size]"},
			{"age", []string{"x"}, "age: error-invalid-number [age]"},
			{"age", []string{"17"}, "age: error-number-out-of-range [age 18 99]"},
			{"weight", []string{"0.1"}, "weight: error-number-out-of-range-too-small [weight 0.5 <nil>]"},
			{"home", []string{"ftp://x"}, "home: error-invalid-uri-scheme [home ftp://x ftp]"}, // Keycloak: UriValidator
			{"home", []string{"/x"}, "home: error-invalid-uri [home /x URI is not absolute]"},
			{"home", []string{"http://"}, "home: error-invalid-uri [home http:// Expected authority at index 7: http://]"},
			{"home", []string{"http://x.test/a b"}, "home: error-invalid-uri [home http://x.test/a b Illegal character in path at index 15: " +
				"http://x.test/a b]"},
			{"home", []string{"http:x"}, ""},
			{"home", []string{"http://x.test/"}, ""},
			{"born", []string{"yesterday"}, "born: error-invalid-date [born yesterday]"},
			{"seen", []string{"now"}, "seen: error-user-attribute-read-only [seen]"},
			{"unknown", []string{"x"}, ""},
		} {
			d := users.Draft{"username": {"bob"}, ok: {"1"}, c.name: c.values}
			if got := told(p.In(users.AdminAPI, nil).Check(d)); got != c.want {
				w.Errorf("%s %q: %s, want %s", c.name, c.values, got, c.want)
			}
		}
		if got := told(p.In(users.AdminAPI, nil).Check(users.Draft{"username": {"bob"}})); got != "badge: error-user-attribute-required [badge]" {
			w.Error(got)
		}
	})
}

// Keycloak: UPConfigUtils.validate. Oracle: users/profile-validation.
func TestProfilesThatMakeNoSense(t *testing.T) {
	each(t, `{}`, func(w *world) {
		for text, want := range map[string]string{
			`{"attributes":[{"name":"email"}]}`: "[The attribute 'username' can not " +
				"be removed]",
			`{"attributes":[{"name":"username"},{"name":"email"},{"name":"bad name"}]}`: "[Invalid attribute name (only " +
				"letters, numbers and '.' '_' '-' special characters allowed): bad name']",
			`{"attributes":[{"name":"username"},{"name":"email"},{"name":"x","validations":{"none":{}}}]}`: "[Validator 'none' defined for " +
				"attribute 'x' doesn't exist]",
			`{"attributes":[{"name":"username"},{"name":"email"},{"name":"x","group":"g"}]}`: "[Attribute 'x' references unknown " +
				"group 'g']",
			`{"attributes":[{"name":"username"},{"name":"email","permissions":{"view":["everybody"]}}]}`: "['permissions.view' configuration " +
				"for attribute 'email' contains unsupported role 'everybody']",
			`{"attributes":[{"name":"username"},{"name":"email","required":{"scopes":["nothing"]}}]}`: "['required.scopes' configuration " +
				"for attribute 'email' contains unsupported scope 'nothing']",
			`{"attributes":[{"name":"username"},{"name":"username"},{"name":"email"}]}`: "[Attribute configuration already " +
				"exists with 'name':'username']",
			`{"attributes":[{"name":"username"},{"name":"email"}],"groups":[{"displayHeader":"nameless"}]}`: "[Name is mandatory for groups, " +
				"found 1 group(s) without name.]",
		} {
			cfg := new(rep.UPConfig)
			w.must(rep.Unmarshal([]byte(text), cfg))
			if _, err := w.s.SetProfile(w.Context(), realms.NewCache(w.db), w.realm, cfg); err == nil || err.Error() != want {
				w.Errorf("%s: %v", text, err)
			}
		}
	})
}

// Oracle: users/attributes, users/crud.
func TestApply(t *testing.T) {
	each(t, `{}`, func(w *world) {
		p, err := users.ProfileOf(w.realm)
		w.must(err)
		person := func() *iam.User {
			return &iam.User{ID: "u", Username: "anna", Email: "a@x.test", FirstName: "Anna", LastName: "B", EmailVerified: true,
				Attrs: map[string][]string{"old": {"1"}}}
		}
		tell := func(u *iam.User) string {
			return fmt.Sprint(u.Username, " ", u.Email, " ", u.FirstName, " ", u.LastName, " ", u.EmailVerified, " ", u.Attrs)
		}
		for _, c := range []struct {
			context users.Context
			draft   users.Draft
			replace bool
			want    string
		}{
			{users.AdminAPI, users.Kept(person(), users.Draft{"firstName": {"Ann"}}), false, "anna a@x.test Ann B true map[old:[1]]"},
			{users.AdminAPI, users.Kept(person(), users.Draft{"firstName": {""}}), false, "anna a@x.test  B true map[old:[1]]"},
			{users.AdminAPI, users.Draft{"team": {"blue"}}, true, "anna    true map[old:[1]]"},
			{users.UpdateProfile, users.Draft{"email": {"N@x.test"}, "firstName": {"A"}, "lastName": {"B"}}, false,
				"anna n@x.test A B false map[old:[1]]"},
		} {
			u := person()
			p.In(c.context, u).Apply(u, c.draft, c.replace)
			if got := tell(u); got != c.want {
				w.Errorf("%v: %s, want %s", c.draft, got, c.want)
			}
		}
	})
}

func TestEmailAddresses(t *testing.T) {
	each(t, `{}`, func(w *world) {
		p, err := users.ProfileOf(w.realm)
		w.must(err)
		for email, ok := range map[string]bool{
			"a@b": true, "a.b+c@sub.example.test": true, `"a b"@x.test`: true, "ü@exämple.test": true, "a@[127.0.0.1]": true,
			"a": false, "@b": false, "a@": false, "a..b@c": false, "a b@c": false, "a@-b": false, "a@b..c": false,
			strings.Repeat("a", 65) + "@b": false, "a@[1.2]": false,
		} {
			if errs := p.In(users.AdminAPI, nil).Check(users.Draft{"username": {"bob"}, "email": {email}}); (len(errs) == 0) != ok {
				w.Errorf("%s: %v", email, errs)
			}
		}
	})
}
