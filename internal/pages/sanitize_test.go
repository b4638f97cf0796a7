package pages

import (
	"strings"
	"testing"

	"golang.org/x/net/html"
)

func FuzzSanitize(f *testing.F) {
	for _, seed := range []string{`<b>x`, `</div><a href=javascript:x>`, `<svg><style><a title="</style><img src=x onerror=y>">`,
		`<p/onclick=x>`, `<!--><script>-->`, `<textarea></div>`, `&lt;b&gt;`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		out := string(sanitize(text))
		if again := string(sanitize(out)); again != out {
			t.Fatalf("not stable: %q, then %q", out, again)
		}
		doc, err := html.Parse(strings.NewReader(`<body><div id="in">` + out + `</div><i id="out"></i>`))
		if err != nil {
			t.Fatal(err)
		}
		var inside func(n *html.Node)
		inside = func(n *html.Node) {
			for c := n.FirstChild; c != nil; c = c.NextSibling {
				if c.Type == html.CommentNode || c.Type == html.ElementNode && !strings.Contains(harmless+"tbody colgroup ", " "+c.Data+" ") {
					t.Fatalf("%q lets <%s> through: %q", text, c.Data, out)
				}
				for _, a := range c.Attr {
					if a.Val == "out" && a.Key == "id" {
						t.Fatalf("%q swallows what follows: %q", text, out)
					}
					if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "id" {
						t.Fatalf("%q lets the attribute %s through: %q", text, a.Key, out)
					}
				}
				inside(c)
			}
		}
		for n := range doc.Descendants() {
			for _, a := range n.Attr {
				if a.Key == "id" && a.Val == "in" {
					inside(n)
				}
			}
		}
	})
}
