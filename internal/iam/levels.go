package iam

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// ParseLevels reads the attribute acr.loa.map: levels of authentication (LoA) by
// the names of authentication contexts (ACR). A level may be written as a text,
// as Keycloak's AcrUtils takes it.
func ParseLevels(text string) (map[string]int, error) {
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return nil, err
	}
	levels := make(map[string]int, len(m))
	for name, v := range m {
		switch v := v.(type) {
		case float64:
			levels[name] = int(v)
		case string:
			n, err := strconv.Atoi(strings.TrimSpace(v))
			if err != nil {
				return nil, err
			}
			levels[name] = n
		default:
			return nil, strconv.ErrSyntax
		}
	}
	return levels, nil
}

// LevelOf is the level that a name stands for by a map of levels; numbers stand
// for themselves.
func LevelOf(levels map[string]int, acr string) (int, bool) {
	if n, ok := levels[acr]; ok {
		return n, true
	}
	n, err := strconv.Atoi(acr)
	return n, err == nil
}

// AtLeast drops contexts below a client's minimum, which stands in when none is
// left; what stands for no level is below every minimum. A minimum that itself
// stands for none changes nothing. Keycloak: AcrUtils.enforceMinimumAcr.
func AtLeast(levels map[string]int, minimum string, acrs []string) []string {
	least, ok := LevelOf(levels, minimum)
	if !ok {
		return acrs
	}
	kept := slices.DeleteFunc(slices.Clone(acrs), func(acr string) bool {
		level, ok := LevelOf(levels, acr)
		return !ok || level < least
	})
	if len(kept) == 0 {
		kept = []string{minimum}
	}
	return kept
}
