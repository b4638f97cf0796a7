package users

import "testing"

// A path that any door takes for a group's is judged as that group's.
func TestGroupAtPath(t *testing.T) {
	plain, slashed, first := &Group{}, &Group{}, &Group{}
	plain.Name, slashed.Name, first.Name = "staff", "staff/", "/staff"
	below := &Group{Up: slashed}
	below.Name = "b"
	for _, x := range []struct {
		g     *Group
		paths []string
		not   string
	}{
		{plain, []string{"staff", "/staff", "/staff/", "staff/"}, "staff//"},
		{slashed, []string{"staff/", "/staff/", "/staff//", "staff//"}, "/staff"},
		{first, []string{"/staff", "//staff", "//staff/"}, "staff"},
		{below, []string{"staff//b", "/staff//b", "/staff//b/"}, "/staff/b"},
	} {
		for _, path := range x.paths {
			if !x.g.At(path) {
				t.Errorf("%s is not at %s", x.g.Path(), path)
			}
		}
		if x.g.At(x.not) {
			t.Errorf("%s is at %s", x.g.Path(), x.not)
		}
	}
}
