package policy

import (
	"strings"
	"testing"
)

// A password on which a pattern takes too long is refused: it is no fault of
// the server.
func TestPatternThatTakesTooLong(t *testing.T) {
	key, params, err := regexPattern(t.Context(), nil, nil, "(a+)+b", strings.Repeat("a", 60))
	if err != nil || key != "invalidPasswordRegexPatternMessage" || len(params) != 1 {
		t.Errorf("%q %v %v", key, params, err)
	}
}
