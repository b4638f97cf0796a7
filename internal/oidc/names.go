package oidc

import (
	"maps"
	"slices"

	"github.com/go-json-experiment/json"
)

// sortedNames returns the member names of a JSON object of numbers, nothing
// when it is none: the realm's map from names of authentication contexts to
// levels is an attribute, and administrators may have written anything.
func sortedNames(object string) []string {
	var m map[string]any
	if object == "" || json.Unmarshal([]byte(object), &m) != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(m))
}
