package doctor

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A Change is an exact change of one member of a Keycloak object.
type Change struct {
	Subject Subject        `json:"subject"`
	Member  string         `json:"member"`         // "ssoSessionIdleTimeout", "attributes.<name>", or MemberScope
	Scope   *Scope         `json:"scope,omitzero"` // with MemberScope
	Before  jsontext.Value `json:"before"`
	After   jsontext.Value `json:"after"` // with MemberScope both are an Assignment
}

// MemberScope is the Member of a Change that assigns a client scope.
const MemberScope = "clientScope"

const attributes = "attributes."

// Attribute returns the name of the attribute that is changed, if one is.
func (c *Change) Attribute() (string, bool) { return strings.CutPrefix(c.Member, attributes) }

// Reverse is the change that takes this one back.
func (c Change) Reverse() Change {
	c.Before, c.After = c.After, c.Before
	return c
}

// Reversed takes a list of changes back, the last first.
func Reversed(list []Change) []Change {
	out := make([]Change, 0, len(list))
	for i := len(list) - 1; i >= 0; i-- {
		out = append(out, list[i].Reverse())
	}
	return out
}

// value is a JSON value of a string, number, boolean or list of strings.
func value(v any) jsontext.Value {
	text, err := json.Marshal(v)
	if err != nil {
		return jsontext.Value("null") // of these types every value marshals
	}
	return text
}

// setting is a change of a member of a realm or a client.
func setting(s Subject, member string, before, after any) Change {
	return Change{Subject: s, Member: member, Before: value(before), After: value(after)}
}

// assignment is a change of how a scope is assigned.
func assignment(s Subject, scope Scope, before, after Assignment) Change {
	return Change{Subject: s, Member: MemberScope, Scope: &scope, Before: value(before), After: value(after)}
}

// Assignments reads a change of MemberScope.
func (c *Change) Assignments() (before, after Assignment, err error) {
	for to, from := range map[*Assignment]jsontext.Value{&before: c.Before, &after: c.After} {
		if err := json.Unmarshal(from, to); err != nil {
			return "", "", fmt.Errorf("%s of %s: %w", c.Member, c.Subject.Name, err)
		}
	}
	return before, after, nil
}

// absent are the values of members that a representation leaves out. An
// attribute that is not there is "".
var absent = map[string]string{
	"refreshTokenMaxReuse": "0", "webOrigins": "[]",
}

// Current reads a change's member from the object that it is about.
func (c *Change) Current(object jsontext.Value) (jsontext.Value, error) {
	var doc map[string]jsontext.Value
	if err := json.Unmarshal(object, &doc); err != nil {
		return nil, err
	}
	if name, ok := c.Attribute(); ok {
		var attrs map[string]jsontext.Value
		if len(doc["attributes"]) > 0 {
			if err := json.Unmarshal(doc["attributes"], &attrs); err != nil {
				return nil, err
			}
		}
		if v, ok := attrs[name]; ok && v.Kind() != 'n' {
			return v, nil
		}
		return jsontext.Value(`""`), nil
	}
	if v, ok := doc[c.Member]; ok && v.Kind() != 'n' {
		return v, nil
	}
	if v, ok := absent[c.Member]; ok {
		return jsontext.Value(v), nil
	}
	return jsontext.Value("false"), nil // the other members are booleans, or always there
}

// Put writes After into the object that the change is about.
func (c *Change) Put(object jsontext.Value) (jsontext.Value, error) {
	var doc map[string]jsontext.Value
	if err := json.Unmarshal(object, &doc); err != nil {
		return nil, err
	}
	if doc == nil {
		doc = map[string]jsontext.Value{}
	}
	name, ok := c.Attribute()
	if !ok {
		doc[c.Member] = c.After
		return json.Marshal(doc, json.Deterministic(true))
	}
	attrs := map[string]jsontext.Value{}
	if len(doc["attributes"]) > 0 {
		if err := json.Unmarshal(doc["attributes"], &attrs); err != nil {
			return nil, err
		}
	}
	attrs[name] = c.After
	if c.Subject.Kind == KindRealm && string(c.After) == `""` {
		delete(attrs, name) // a realm loses the attributes that are not sent; a client those that are empty
	}
	text, err := json.Marshal(attrs, json.Deterministic(true))
	if err != nil {
		return nil, err
	}
	doc["attributes"] = text
	return json.Marshal(doc, json.Deterministic(true))
}

// Same reports whether two JSON values mean the same.
func Same(a, b jsontext.Value) bool {
	x, y := a.Clone(), b.Clone()
	if x.Canonicalize() != nil || y.Canonicalize() != nil {
		return bytes.Equal(a, b)
	}
	return bytes.Equal(x, y)
}

// A Difference is a member that is not as it was expected to be.
type Difference struct {
	Change
	Now jsontext.Value `json:"now"` // what is there instead of Before
}

// A ChangedError refuses to apply or undo a fix: something has changed.
type ChangedError struct{ Differences []Difference }

func (e *ChangedError) Error() string {
	var list []string
	for _, d := range e.Differences {
		list = append(list, fmt.Sprintf("%s of %s %s is %s, not %s", d.what(), d.Subject.Kind, d.Subject.Name, d.Now, d.Before))
	}
	return "changed since: " + strings.Join(list, "; ")
}

func (c *Change) what() string {
	if c.Scope != nil {
		return "client scope " + c.Scope.Name
	}
	return c.Member
}

// String writes the change as people read it.
func (c Change) String() string {
	return fmt.Sprintf("%s %s: %s: %s -> %s", c.Subject.Kind, c.Subject.Name, c.what(), c.Before, c.After)
}

// A Request is a request to the admin REST, its path below /admin/realms/{realm}.
type Request struct {
	Method, Path string
	Body         jsontext.Value // nil for none; that of an object is the whole object with the member changed
	Whole        bool           // Body is to be put into the object as it is then
}

// Requests are what an administrator would send to make a change.
func (c *Change) Requests() ([]Request, error) {
	at := ""
	if c.Subject.Kind == KindClient {
		at = "/clients/" + url.PathEscape(c.Subject.ID)
	}
	if c.Member != MemberScope {
		body, err := c.Put(jsontext.Value("{}"))
		return []Request{{Method: "PUT", Path: at, Body: body, Whole: true}}, err
	}
	before, after, err := c.Assignments()
	if err != nil {
		return nil, err
	}
	path := func(a Assignment) string {
		if c.Subject.Kind == KindRealm {
			return "/default-" + string(a) + "-client-scopes/" + url.PathEscape(c.Scope.ID)
		}
		return at + "/" + string(a) + "-client-scopes/" + url.PathEscape(c.Scope.ID)
	}
	var list []Request
	if before != Unassigned {
		list = append(list, Request{Method: "DELETE", Path: path(before)})
	}
	if after != Unassigned {
		list = append(list, Request{Method: "PUT", Path: path(after)})
	}
	return list, nil
}

// A Trace is the admin event that an ordinary endpoint writes for a request.
type Trace struct {
	Operation, Kind, Path string         // Keycloak's OperationType and ResourceType, the path below the realm
	Body                  jsontext.Value // nil for none
}

// Traces are the admin events of changes.
func Traces(list []Change) []Trace {
	var out []Trace
	for _, c := range list {
		requests, err := c.Requests()
		if err != nil {
			continue // an assignment that cannot be read was not made
		}
		for _, r := range requests {
			t := Trace{Operation: "UPDATE", Kind: "REALM", Path: strings.TrimPrefix(r.Path, "/"), Body: r.Body}
			realm := c.Subject.Kind == KindRealm
			switch {
			case c.Member == MemberScope && realm:
				t.Kind = "CLIENT_SCOPE"
			case c.Member == MemberScope:
				t.Kind = "CLIENT_SCOPE_CLIENT_MAPPING"
			case !realm:
				t.Kind = "CLIENT"
			}
			if c.Member == MemberScope {
				t.Operation = map[string]string{"DELETE": "DELETE", "PUT": "CREATE"}[r.Method]
			}
			out = append(out, t)
		}
	}
	return out
}
