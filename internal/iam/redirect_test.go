package iam

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// recorded is what the reference did with redirect URIs: for each client,
// those it took, with the address that it then redirected to. All others it
// refused. Keycloak: RedirectUtils of 26.7.3, asked at its authorization
// endpoint.
type recorded struct {
	Origin  string
	URIs    []string
	Clients []struct {
		Patterns []string
		Root     string
		Taken    map[string]string
	}
}

// rewritten are URIs that the reference writes another way when it builds the
// answer's address; Match returns them as they were asked for.
var rewritten = []string{
	"http://app.test/%00", "http://app.test/ü", "http://app.test/cb?x=[1]", "http://app.test/cb?", "http://app.test:80/cb",
	"urn:ietf:wg:oauth:2.0:oob",
}

func TestRedirectsMatchAsTheReference(t *testing.T) {
	text, err := os.ReadFile("testdata/redirects.json")
	if err != nil {
		t.Fatal(err)
	}
	var rec recorded
	if err := json.Unmarshal(text, &rec); err != nil {
		t.Fatal(err)
	}
	for _, c := range rec.Clients {
		rule := RedirectsOf(&Client{RootURL: c.Root, RedirectURIs: c.Patterns}, rec.Origin)
		for _, uri := range rec.URIs {
			if uri == "" {
				continue // no redirect_uri at all, for the reference
			}
			got, ok := rule.Match(uri)
			want, taken := c.Taken[uri]
			if ok != taken {
				t.Errorf("patterns %q, root %q: %q taken: %v, the reference: %v", c.Patterns, c.Root, uri, ok, taken)
				continue
			}
			if ok && got != want && !slices.Contains(rewritten, uri) {
				t.Errorf("patterns %q, root %q: %q becomes %q, at the reference %q", c.Patterns, c.Root, uri, got, want)
			}
		}
	}
}

func TestPostLogoutRedirects(t *testing.T) {
	for _, c := range []struct {
		attr string
		want []string
	}{
		{"", []string{"http://app.test/*"}},
		{"+", []string{"http://app.test/*"}},
		{"-", nil},
		{"http://app.test/bye##http://b.test/", []string{"http://app.test/bye", "http://b.test/"}},
		{"http://b.test/##+", []string{"http://b.test/", "http://app.test/*"}},
	} {
		client := &Client{RedirectURIs: []string{"http://app.test/*"}, Attrs: map[string]string{"post.logout.redirect.uris": c.attr}}
		if got := PostLogoutRedirectsOf(client, "http://id.test").Patterns; !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.attr, got, c.want)
		}
	}
}

func FuzzRedirects(f *testing.F) {
	for _, s := range []string{"http://app.test/cb", "http://app.test/%2e%2e/x", "http://a@app.test/", "myapp:x", "//x",
		"http://[::1]:5/cb", "/rel/../x"} {
		f.Add(s, "http://app.test/*")
	}
	f.Fuzz(func(t *testing.T, uri, pattern string) {
		rule := Redirects{Patterns: []string{pattern}, Origin: "http://id.test", Forbidden: ResponseParameters}
		got, ok := rule.Match(uri)
		if !ok {
			return
		}
		if strings.ContainsAny(got, " \r\n\t<>\"") && !strings.ContainsAny(pattern, " \r\n\t<>\"") {
			t.Errorf("%q goes by %q and becomes %q", uri, pattern, got)
		}
		// What is left of the host must end there: with a path, a query, a fragment, or at once.
		if rest, ours := strings.CutPrefix(got, "http://app.test"); pattern == "http://app.test/*" &&
			(!ours || rest != "" && strings.IndexByte("/?#", rest[0]) < 0) {
			t.Errorf("%q goes by %q", uri, pattern)
		}
	})
}
