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
		"length(8)":                              {{"length", "8", true}},
		"length(8) and notUsername":              {{"length", "8", true}, {"notUsername", "", false}},
		"notUsername(undefined) and length":      {{"notUsername", "undefined", true}, {"length", "", false}},
		"length(8) and digits(1) and length(12)": {{"length", "12", true}, {"digits", "1", true}},
		"regexPattern(^(a|b)+$)":                 {{"regexPattern", "^(a|b)+$", true}},
		" length ( 8 ) ":                         {{"length", " 8 ", true}},
		" and ":                                  nil,
		"length()":                               {{"length", "", true}},
		"length(":                                {{"length", "", true}},
	} {
		got := iam.ParsePasswordPolicy(text)
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
		if again := iam.ParsePasswordPolicy(got.String()); again.String() != got.String() {
			t.Errorf("%q: reads back as %v", got.String(), again)
		}
	}
	if v, ok := iam.ParsePasswordPolicy("length(8) and digits(1)").Rule("digits"); v != "1" || !ok {
		t.Errorf("Rule: %q, %v", v, ok)
	}
}
