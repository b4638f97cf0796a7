package claims

import (
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A Set is a JSON object of claims. Values are string, bool, int64, []string,
// []any, *Set, or what the JSON library writes. The zero Set is empty.
type Set struct{ list []claim } // some dozens: looking through is faster than hashing

type claim struct {
	name  string
	value any
}

func (s *Set) find(name string) int {
	for i := range s.list {
		if s.list[i].name == name {
			return i
		}
	}
	return -1
}

// NewSet returns an empty Set with room for as many claims as a token has.
func NewSet() *Set { return &Set{make([]claim, 0, 32)} }

// Get returns a claim, nil when there is none.
func (s *Set) Get(name string) any {
	if i := s.find(name); i >= 0 {
		return s.list[i].value
	}
	return nil
}

// Text returns a claim that is a text, else "".
func (s *Set) Text(name string) string { t, _ := s.Get(name).(string); return t }

// Put sets a claim.
func (s *Set) Put(name string, v any) {
	if i := s.find(name); i >= 0 {
		s.list[i].value = v
		return
	}
	s.list = append(s.list, claim{name, v})
}

// Remove takes a claim out.
func (s *Set) Remove(name string) {
	if i := s.find(name); i >= 0 {
		s.list = slices.Delete(s.list, i, i+1)
	}
}

// Len is the number of claims.
func (s *Set) Len() int { return len(s.list) }

// All calls yield for each claim, in the order in which they were put. yield
// may Put and Remove.
func (s *Set) All(yield func(string, any) bool) {
	for _, c := range slices.Clone(s.list) {
		if !yield(c.name, c.value) {
			return
		}
	}
}

// AddAudience adds to the aud claim what is not in it yet.
func (s *Set) AddAudience(name string) {
	list := s.Audience()
	if !slices.Contains(list, name) {
		s.Put("aud", append(slices.Clip(list), name))
	}
}

// Audience returns the aud claim.
func (s *Set) Audience() []string { list, _ := s.Get("aud").([]string); return list }

// order is how Keycloak's JsonWebToken, IDToken and AccessToken list their own
// claims; all others follow as they were put.
var order = map[string]int{
	"exp": 1, "nbf": 2, "iat": 3, "auth_time": 4, "jti": 5, "iss": 6, "aud": 7, "sub": 8, "typ": 9, "azp": 10, "nonce": 11,
	"sid": 12, "at_hash": 13, "c_hash": 14, "s_hash": 15, "acr": 16, "allowed-origins": 17, "realm_access": 18,
	"resource_access": 19, "authorization": 20, "cnf": 21, "scope": 22,
}

// JSON writes the claims, Keycloak's own first. An aud of one is a text.
func (s *Set) JSON() ([]byte, error) {
	own, sorted := make([]*claim, len(order)+1), make([]claim, 0, len(s.list))
	for i := range s.list {
		own[order[s.list[i].name]] = &s.list[i]
	}
	for _, c := range own[1:] {
		if c != nil {
			sorted = append(sorted, *c)
		}
	}
	for _, c := range s.list {
		if order[c.name] == 0 {
			sorted = append(sorted, c)
		}
	}
	return writeAll(room(sorted), sorted)
}

// MarshalJSON is for a Set inside of another value.
func (s *Set) MarshalJSON() ([]byte, error) { return s.JSON() }

func writeAll(b []byte, list []claim) (_ []byte, err error) {
	b = append(b, '{')
	for i, c := range list {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = quote(b, c.name); err != nil {
			return nil, err
		}
		b = append(b, ':')
		v := c.value
		if aud, ok := v.([]string); ok && c.name == "aud" && len(aud) == 1 {
			v = aud[0]
		}
		if b, err = write(b, v); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func write(b []byte, v any) (_ []byte, err error) {
	switch v := v.(type) {
	case string:
		return quote(b, v)
	case bool:
		return strconv.AppendBool(b, v), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case *Set:
		return writeAll(b, v.list)
	case []string:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = quote(b, e); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = write(b, e); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	}
	raw, err := json.Marshal(v, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	return append(b, raw...), err
}

// quote writes a text; invalid UTF-8, which no door lets in, is replaced.
func quote(b []byte, s string) ([]byte, error) {
	out, err := jsontext.AppendQuote(b, s)
	if err != nil {
		return jsontext.AppendQuote(b, string([]rune(s)))
	}
	return out, nil
}

// Plain writes the claims in the order in which they were put.
func (s *Set) Plain() ([]byte, error) { return writeAll(room(s.list), s.list) }

// room is an empty buffer of about the size that the claims take.
func room(list []claim) []byte {
	size := 64
	for _, c := range list {
		size += len(c.name) + 24
		if v, ok := c.value.(string); ok {
			size += len(v)
		}
	}
	return make([]byte, 0, size)
}
