package iam

import (
	"maps"
	"testing"
)

// Keycloak: AcrUtils.getAcrLoaMap, which reads it by Jackson's rules.
func TestParseLevels(t *testing.T) {
	for text, want := range map[string]map[string]int{
		`{"silver":1,"gold":2}`:   {"silver": 1, "gold": 2},
		`{"silver":"1","gold":2}`: {"silver": 1, "gold": 2},
		`{}`:                      {},
		`{"silver":"first"}`:      nil,
		`{"silver":[1]}`:          nil,
		`nonsense`:                nil,
	} {
		got, err := ParseLevels(text)
		if (err != nil) != (want == nil) || !maps.Equal(got, want) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}
