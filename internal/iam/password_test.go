package iam_test

import (
	"slices"
	"testing"

	"latchkey/internal/iam"
)

// Keycloak: PasswordPolicy.Builder
func TestParsePasswordPolicy(t *testing.T) {
	for text, want := range map[string]iam.PasswordPolicy{
		"":                                       nil,
		"   ":                                    nil,
		"length(8)":                              {{"length", "8"}},
		"length(8) and notUsername":              {{"length", "8"}, {"notUsername", ""}},
		"notUsername(undefined) and length":      {{"notUsername", "undefined"}, {"length", ""}},
		"length(8) and digits(1) and length(12)": {{"length", "12"}, {"digits", "1"}},
		"regexPattern(^(a|b)+$)":                 {{"regexPattern", "^(a|b)+$"}},
		" length ( 8 ) ":                         {{"length", " 8 "}},
		"length(":                                {{"length", ""}},
	} {
		got := iam.ParsePasswordPolicy(text)
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
		if again := iam.ParsePasswordPolicy(got.String()); !slices.Equal(got, again) {
			t.Errorf("%q: reads back as %v", got.String(), again)
		}
	}
	if v, ok := iam.ParsePasswordPolicy("length(8) and digits(1)").Rule("digits"); v != "1" || !ok {
		t.Errorf("Rule: %q, %v", v, ok)
	}
}
