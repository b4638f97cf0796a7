package iam

import (
	"slices"
	"testing"
)

// Keycloak: JsonUtils.splitClaimPath.
func TestClaimPath(t *testing.T) {
	for _, c := range []struct {
		name string
		want []string
	}{
		{"", nil}, {"a", []string{"a"}}, {"a.b.c", []string{"a", "b", "c"}}, {`a\.b.c`, []string{"a.b", "c"}}, {`a\\b.c`, []string{`a\b`, "c"}},
		{".a.b", []string{".a", "b"}}, {"a..b", []string{"a", ".b"}}, {"a.b.", []string{"a", "b"}}, {`a\`, []string{`a\`}},
	} {
		if got := ClaimPath(c.name); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.name, got, c.want)
		}
	}
}

func BenchmarkClaimPath(b *testing.B) {
	for b.Loop() {
		ClaimPath("resource_access.${client_id}.roles")
	}
}
