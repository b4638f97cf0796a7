package iam

import (
	"encoding/json"
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
