package broker

import (
	"encoding/json"
	"strconv"
	"strings"

	"latchkey/internal/iam"
)

// claims are the members of a token or profile.
type claims map[string]any

func claimsOf(doc []byte) claims {
	c := claims{}
	_ = json.Unmarshal(doc, &c) // what cannot be read says nothing
	return c
}

// at finds a member by its path, whose parts dots divide; "list[0]" is the first of a list.
// Keycloak: AbstractClaimMapper.getClaimValue.
func (c claims) at(path string) any {
	if v, ok := c[path]; ok {
		return v
	}
	var v any = map[string]any(c)
	for _, name := range iam.ClaimPath(path) {
		name, index, indexed := strings.Cut(name, "[")
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
		if indexed {
			list, _ := v.([]any)
			i, err := strconv.Atoi(strings.TrimSuffix(index, "]"))
			if err != nil || i < 0 || i >= len(list) {
				return nil
			}
			v = list[i]
		}
	}
	return v
}

// text is a member that is a text, a number or a truth value.
func (c claims) text(path string) string {
	if path == "" {
		return ""
	}
	return textOf(c.at(path))
}

func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

// texts are the values of a member: of a list, or the one.
func texts(v any) []string {
	list, many := v.([]any)
	if !many {
		list = []any{v}
	}
	var out []string
	for _, x := range list {
		if s := textOf(x); s != "" {
			out = append(out, s)
		} else if x != nil && x != "" {
			if doc, err := json.Marshal(x); err == nil {
				out = append(out, string(doc))
			}
		}
	}
	return out
}

// truth is a member that is true or false, or says so; nil for none.
func (c claims) truth(path string) *bool {
	if b, err := strconv.ParseBool(c.text(path)); err == nil {
		return &b
	}
	return nil
}
