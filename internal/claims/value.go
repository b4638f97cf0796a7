package claims

import (
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"latchkey/internal/iam"
)

// fixed are claims that no mapper may set; in the answer of the token endpoint
// others are. Keycloak: OIDCAttributeMapperHelper's property setters.
var (
	fixed         = []string{"jti", "typ", "iat", "exp", "iss", "scope", "nonce", "session_state"}
	fixedResponse = []string{"access_token", "token_type", "session_state", "expires_in", "id_token", "refresh_token", "refresh_expires_in",
		"not-before-policy", "scope"}
)

// set puts a mapper's value under its claim.name: converted to its jsonType.label,
// below the objects that dots in the name stand for.
// Keycloak: OIDCAttributeMapperHelper.mapClaim.
func set(m *iam.ProtocolMapper, kind Kind, t *Set, value any) {
	v := convert(m, value)
	path := iam.ClaimPath(m.Config["claim.name"])
	if v == nil || len(path) == 0 {
		return
	}
	top := path[0]
	if kind == Response {
		if !slices.Contains(fixedResponse, top) {
			nest(path, v, t, m.Config["multivalued"] == "true")
		}
		return
	}
	if slices.Contains(fixed, top) {
		return
	}
	switch top {
	case "sub", "azp", "acr":
		if len(path) == 1 {
			t.Put(top, text(v))
		}
	case "auth_time":
		if n, err := strconv.ParseInt(text(v), 10, 64); err == nil && len(path) == 1 {
			t.Put(top, n)
		}
	case "aud":
		if len(path) == 1 {
			t.Put(top, texts(v))
		}
	default:
		nest(path, v, t, m.Config["multivalued"] == "true")
	}
}

// nest puts a value at a path. With several values what is there already is kept.
// Keycloak: JsonUtils.mapClaim.
func nest(path []string, v any, t *Set, multi bool) {
	t = below(path, t)
	if t == nil {
		return
	}
	last := path[len(path)-1]
	had := t.Get(last)
	if !multi || had == nil {
		t.Put(last, v)
		return
	}
	var merged []any
	for _, e := range append(elements(had), elements(v)...) {
		if !slices.ContainsFunc(merged, func(have any) bool { return text(have) == text(e) }) {
			merged = append(merged, e)
		}
	}
	t.Put(last, merged)
}

// below finds or makes the object that the last element of a path stands in;
// nil where something else is in the way.
func below(path []string, t *Set) *Set {
	for _, name := range path[:len(path)-1] {
		switch next := t.Get(name).(type) {
		case nil:
			inner := new(Set)
			t.Put(name, inner)
			t = inner
		case *Set:
			t = next
		default:
			return nil
		}
	}
	return t
}

// convert brings a value into the mapper's shape; nil leaves the claim out.
// Keycloak: OIDCAttributeMapperHelper.mapAttributeValue.
func convert(m *iam.ProtocolMapper, value any) any {
	list, ok := value.([]string)
	if !ok {
		return typed(m.Config["jsonType.label"], value)
	}
	if len(list) == 0 {
		return nil
	}
	if m.Config["multivalued"] != "true" {
		return typed(m.Config["jsonType.label"], list[0])
	}
	out := make([]any, 0, len(list))
	for _, e := range list {
		if v := typed(m.Config["jsonType.label"], e); v != nil {
			out = append(out, v)
		}
	}
	return out
}

// typed converts one value; what does not fit its type is left out.
func typed(kind string, value any) any {
	s, ok := value.(string)
	if !ok {
		return value
	}
	switch kind {
	case "boolean":
		return strings.EqualFold(s, "true")
	case "long", "int":
		bits := 64
		if kind == "int" {
			bits = 32
		}
		n, err := strconv.ParseInt(s, 10, bits)
		if err != nil {
			return nil
		}
		return n
	case "JSON":
		if !jsontext.Value(s).IsValid() {
			return nil
		}
		return jsontext.Value(s)
	}
	return s
}

// text renders a value for a claim that can only be a text.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case jsontext.Value:
		return string(v)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}

func texts(v any) []string {
	if list, ok := v.([]any); ok {
		out := make([]string, len(list))
		for i, e := range list {
			out[i] = text(e)
		}
		return out
	}
	return []string{text(v)}
}

// List is a value as a list, nil for one that is none.
func List(v any) []any {
	switch v := v.(type) {
	case []any, []string:
		return elements(v)
	case jsontext.Value: // a mapper's JSON
		list := []any{}
		if json.Unmarshal(v, &list) == nil {
			return list
		}
	}
	return nil
}

// elements is a value as a list of values that can be compared.
func elements(v any) []any {
	switch v := v.(type) {
	case []any:
		return v
	case []string:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = e
		}
		return out
	}
	return []any{v}
}
