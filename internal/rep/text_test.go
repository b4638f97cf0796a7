package rep_test

import (
	"testing"

	"latchkey/internal/rep"
)

// TestTextsForObjects: representations that Jackson makes of a text, through a
// constructor of one String, and others that it does not. Oracle only: each was
// posted to the reference.
func TestTextsForObjects(t *testing.T) {
	for text, want := range map[string]bool{
		`{"clients":[{"authorizationSettings":{"scopes":["v"],"resources":[{"name":"r","scopes":["view"]}]}}]}`: true,
		`{"organizations":[{"name":"o","domains":["x.test"]}]}`:                                                 true,
		`{"clients":[{"authorizationSettings":{"resources":["r"]}}]}`:                                           false,
		`{"clients":[{"authorizationSettings":{"policies":["r"]}}]}`:                                            false,
		`{"groups":["g"]}`: false, `{"roles":{"realm":["r"]}}`: false, `{"clients":["c"]}`: false, `{"users":["u"]}`: false,
		`{"authenticationFlows":["f"]}`: false, `{"identityProviders":["i"]}`: false, `{"users":[{"credentials":["c"]}]}`: false,
	} {
		for how, read := range map[string]func([]byte, any) error{"file": rep.Unmarshal, "request": rep.Decode} {
			r := new(rep.Realm)
			if err := read([]byte(text), r); (err == nil) != want {
				t.Errorf("%s by %s: %v", text, how, err)
			}
		}
	}
	r, p := new(rep.Realm), new(rep.UPConfig)
	if err := rep.Unmarshal([]byte(`{"clients":[{"authorizationSettings":{"scopes":["v",{"name":"w"}]}}]}`), r); err != nil {
		t.Fatal(err)
	}
	if list := r.Clients[0].AuthorizationSettings.Scopes; list[0].Name != "v" || list[1].Name != "w" {
		t.Errorf("%+v", list)
	}
	if err := rep.Unmarshal([]byte(`{"attributes":["username"],"groups":["g"]}`), p); err != nil || p.Attributes[0].Name != "username" ||
		p.Groups[0].Name != "g" {
		t.Errorf("%+v, %v", p, err)
	}
}
