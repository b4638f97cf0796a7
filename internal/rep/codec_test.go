package rep_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"latchkey/internal/rep"
)

// TestDecodeAnswers holds what Keycloak 26.7.3 answered to these bodies.
// Keycloak: KeycloakErrorHandler, Jackson's UnrecognizedPropertyException. Oracle: badinput/bodies
func TestDecodeAnswers(t *testing.T) {
	const (
		syntax  = "invalid_request"
		mapping = "HTTP 400 Bad Request"
		kind    = "unknown_error"
		fine    = ""
	)
	user := func() any { return new(rep.User) }
	role := func() any { return new(rep.Role) }
	client := func() any { return new(rep.Client) }
	unknown := func(class, field, at string) string {
		return `Invalid json representation for ` + class + `Representation. Unrecognized field "` + field + `" at ` + at + `.`
	}
	for _, test := range []struct {
		into func() any
		body string
		want string
	}{
		{user, `{nonsense`, syntax},
		{user, `[]`, kind},
		{user, `"text"`, kind},
		{user, `""`, kind},
		{user, `1`, kind},
		{user, `true`, kind},
		{user, `{`, syntax},
		{user, `{"nonsense":1,"username":"known"}`, unknown("User", "nonsense", "line 1 column 14")},
		{user, `{"username":17}`, fine},
		{user, `{"username":true}`, fine},
		{user, `{"username":1.50}`, fine},
		{user, `{"username":["a"]}`, kind},
		{user, `{"username":{"a":1}}`, kind},
		{user, `{"enabled":"perhaps"}`, kind},
		{user, `{"enabled":"true"}`, fine},
		{user, `{"enabled":"TRUE"}`, fine},
		{user, `{"enabled":1}`, fine},
		{user, `{"enabled":""}`, fine},
		{user, `{"enabled":null}`, fine},
		{user, `{"totp":"yes"}`, kind},
		{user, `{"totp":"True"}`, fine},
		{user, `{"totp":"tRue"}`, kind},
		{user, `{"totp":1.5}`, kind},
		{user, `{"totp":" true "}`, fine},
		{user, `{"totp":"null"}`, fine},
		{user, `{"createdTimestamp":"17"}`, fine},
		{user, `{"createdTimestamp":1.5}`, fine},
		{user, `{"createdTimestamp":"x"}`, kind},
		{user, `{"createdTimestamp":99999999999999999999}`, mapping},
		{user, `{"notBefore":99999999999}`, mapping},
		{user, `{"notBefore":"99999999999"}`, kind},
		{user, `{"notBefore":true}`, kind},
		{user, `{"notBefore":""}`, fine},
		{user, `{"notBefore":"1.5"}`, kind},
		{user, `{"notBefore":"null"}`, fine},
		{user, `{"notBefore":" 5 "}`, fine},
		{user, `{"notBefore":1e2}`, fine},
		{user, `{"notBefore":1e20}`, mapping},
		{user, `{"notBefore":01}`, syntax},
		{user, `{"notBefore":NaN}`, syntax},
		{user, `{"requiredActions":"X"}`, kind},
		{user, `{"requiredActions":"X"`, kind},
		{user, `{"requiredActions":[1,true]}`, fine},
		{user, `{"requiredActions":[["a"]]}`, kind},
		{user, `{"requiredActions":[null]}`, fine},
		{user, `{"attributes":"text"}`, fine},
		{user, `{"attributes":[]}`, fine},
		{user, `{"attributes":[{"a":["b"]}]}`, fine},
		{user, `{"attributes":{"a":"b","c":1,"d":[1,"x"],"e":{"f":1},"g":null}}`, fine},
		{user, `{"clientRoles":{"a":"b"}}`, kind},
		{user, `{"clientRoles":""}`, kind},
		{user, `{"clientRoles":"a}`, mapping},
		{user, `{"requiredActions":"a}`, mapping},
		{user, `{"attributes":tru}`, syntax},
		{user, `{"attributes":{"a":[}}`, mapping},
		{user, `{"access":{"a":"true"}}`, fine},
		{user, `{"credentials":{}}`, kind},
		{user, `{"credentials":""}`, kind},
		{user, `{"credentials":[""]}`, kind},
		{user, `{"username":"bbb4"} trailing`, fine},
		{user, `{"username":"bbb5","username":"bbb6"}`, fine},
		{user, `{'username':'bbb9'}`, syntax},
		{user, `{"username":"ccc1",}`, syntax},
		{user, `{"username":"ccc7"`, syntax},
		{user, `{"username":"hhh4`, mapping},
		{user, `{"credentials":[`, mapping},
		{user, `{"credentials":[{"type":`, mapping},
		{user, `{"credentials":[{"type":"password","value":01}]}`, mapping},
		{user, "{\"firstName\":\"a\tb\"}", mapping},
		{user, `{"firstName":"\ud800"}`, fine},
		{user, `/* c */{"username":"ggg4"}`, syntax},
		{user, `{"x":"unterminated`, unknown("User", "x", "line 1 column 7")},
		{user, `{"username":"bbb7","credentials":[{"type":"password","value":"x","foo":1}]}`, unknown("Credential", "foo", "line 1 column 73")},
		{user, "{\"username\":\"bbb8\",\"credentials\":[{\"type\":\"password\",\"value\":\"x\"},\n   {\"foo\":{\"a\":1}}]}",
			unknown("Credential", "foo", "line 2 column 12")},
		{user, `{"credentials":[{"type":"password","value":"x","device":"foo"}]}`, fine},
		{role, `{"x":"string","name":"q"}`, unknown("Role", "x", "line 1 column 7")},
		{role, `{"x":true,"name":"q"}`, unknown("Role", "x", "line 1 column 10")},
		{role, `{"x":false,"name":"q"}`, unknown("Role", "x", "line 1 column 11")},
		{role, `{"x":null,"name":"q"}`, unknown("Role", "x", "line 1 column 10")},
		{role, `{"x":-1,"name":"q"}`, unknown("Role", "x", "line 1 column 8")},
		{role, `{"x":1.25,"name":"q"}`, unknown("Role", "x", "line 1 column 10")},
		{role, `{"x":[1],"name":"q"}`, unknown("Role", "x", "line 1 column 7")},
		{role, `{"x" : 1 }`, unknown("Role", "x", "line 1 column 9")},
		{role, `{"x":1`, unknown("Role", "x", "line 1 column 7")},
		{role, "{\"x\":12\n,\"name\":\"a\"}", unknown("Role", "x", "line 1 column 8")},
		{role, "\n  {\n \"x\":1}", unknown("Role", "x", "line 3 column 7")},
		{role, `{"name":"é","zz":1}`, unknown("Role", "zz", "line 1 column 20")},
		{role, `{"name":"g","composites":{"client":{"a":"b"}}}`, kind},
		{role, `{"composite":"nonsense"}`, kind},
		{role, `{"name":"g","composites":{"zz":{"a":"b"}}}`,
			`Invalid json representation for Composites. Unrecognized field "zz" at line 1 column 33.`},
		{client, `{"attributes":{"a":1,"b":true,"c":null}}`, fine},
		{client, `{"attributes":{"a":["x"]}}`, kind},
		{client, `{"redirectUris":"x"}`, kind},
		{client, `{"clientId":"c6","authorizationSettings":{"zzz":1}}`, unknown("ResourceServer", "zzz", "line 1 column 50")},
		{client, `{"clientTemplate":{"x":[1]}}`, kind},
		{func() any { return new(rep.Component) }, `{"config":{"priority":"100"}}`, kind},
		{func() any { return new(rep.Component) }, `{"config":{"priority":[100]}}`, fine},
		{func() any { return new(rep.ClientScope) }, `{"name":"x","nonsense":1}`, fine},
		{func() any { return new(rep.ClientScope) }, `{"zz":[}`, syntax},
		{func() any { return new([]rep.Role) }, `[{"id":"x","zz":1}]`, unknown("Role", "zz", "line 1 column 18")},
	} {
		err := rep.Decode([]byte(test.body), test.into())
		got := ""
		var answer rep.DecodeError
		if errors.As(err, &answer) {
			got, _ = answer.Answer()
		} else if err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s:\n got %q (%v)\nwant %q", test.body, got, err, test.want)
		}
	}
}

func TestDecodeNothing(t *testing.T) {
	for _, body := range []string{"", "  \n", "null"} {
		if err := rep.Decode([]byte(body), new(rep.User)); !errors.Is(err, rep.ErrNoBody) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

// TestDecodeCoercions looks at the values that Jackson makes of odd text.
func TestDecodeCoercions(t *testing.T) {
	var u rep.User
	err := rep.Decode([]byte(`{"username":17,"enabled":"TRUE","totp":"","notBefore":" 5 ","createdTimestamp":1.9,
		"requiredActions":[1,true],"attributes":{"a":"b","c":1,"d":[1,"x",null,{"q":1},["z"]],"e":{"f":1},"g":null}}`), &u)
	if err != nil {
		t.Fatal(err)
	}
	want := rep.User{
		Username: "17", Enabled: new(true), NotBefore: new(5), CreatedTimestamp: new(int64(1)),
		RequiredActions: []string{"1", "true"},
		Attributes:      map[string][]string{"a": {"b"}, "c": {"1"}, "d": {"1", "x"}},
	}
	if !reflect.DeepEqual(u, want) {
		t.Errorf("got  %+v\nwant %+v", u, want)
	}
}

// TestDecodeOntoClone holds the semantics of PUT: absent and null members
// stay, the others are replaced as a whole, and the original is not touched.
func TestDecodeOntoClone(t *testing.T) {
	stored := &rep.Client{
		ClientID: "shop", Name: new("Shop"), Enabled: new(true), RedirectURIs: []string{"/a", "/b"},
		Attributes: map[string]string{"x": "1", "y": "2"}, Unknown: []byte(`{"later":{"a":1}}`),
	}
	c, err := rep.Clone(stored)
	if err != nil {
		t.Fatal(err)
	}
	if err := rep.Decode([]byte(`{"name":"","enabled":null,"redirectUris":["/c"],"attributes":{"y":"3"}}`), c); err != nil {
		t.Fatal(err)
	}
	want := &rep.Client{
		ClientID: "shop", Name: new(""), Enabled: new(true), RedirectURIs: []string{"/c"},
		Attributes: map[string]string{"y": "3"}, Unknown: []byte(`{"later":{"a":1}}`),
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
	if stored.Attributes["x"] != "1" || len(stored.RedirectURIs) != 2 {
		t.Error("Decode reached the original")
	}
}

// TestUnmarshalForgives: what people write by hand is read like what Keycloak
// writes, and the members nobody knows are still there.
func TestUnmarshalForgives(t *testing.T) {
	var r rep.Realm
	in := "\xef\xbb\xbf" +
		`{"realm":"r","later":1,"enabled":"true","clients":[{"clientId":"c","publicClient":"false","more":[{}],"less":null}]}`
	if err := rep.Unmarshal([]byte(in), &r); err != nil {
		t.Fatal(err)
	}
	out, err := rep.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"realm":"r","enabled":true,"clients":[{"clientId":"c","publicClient":false,"more":[{}],"less":null}],"later":1}`
	if string(out) != want {
		t.Errorf("got  %s\nwant %s", out, want)
	}
}

// TestUnmarshalSaysWhere: a mistake in a realm file is named with its place.
func TestUnmarshalSaysWhere(t *testing.T) {
	for in, want := range map[string]string{
		"{\"realm\":\"r\",\n \"clients\":[{\"redirectUris\":7}]}": "line 2 column 30: /clients/0/redirectUris: not a list",
		"{\"realm\":\"r\",\n \"clients\":[{\"redirectUris\":[}]}": "line 2 column 30",
		"{\"realm\":\"r\"} x": "line 1 column",
		"{\"realm\":\"r\"":    "line 1 column 13: unexpected end of the text",
	} {
		err := rep.Unmarshal([]byte(in), new(rep.Realm))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s:\n got %v\nwant %s", in, err, want)
		}
	}
}
