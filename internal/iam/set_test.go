package iam

import (
	"slices"
	"testing"
)

func TestDistinct(t *testing.T) {
	for _, c := range []struct{ list, want []string }{
		{nil, nil}, {[]string{}, []string{}}, {[]string{"b", "a", "b", "", "a", ""}, []string{"b", "a", ""}},
	} {
		if got := Distinct(c.list); !slices.Equal(got, c.want) || (got == nil) != (c.want == nil) {
			t.Errorf("%#v: %#v, want %#v", c.list, got, c.want)
		}
	}
}
