package pages

import (
	"html/template"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// harmless are the elements that administrators' texts may contain.
const harmless = " a abbr b bdi bdo big blockquote br caption cite code dd del dfn div dl dt em h1 h2 h3 h4 h5 h6 hr i img ins kbd li " +
	"mark ol p pre q s samp small span strong sub sup table tbody td tfoot th thead tr u ul var "

// dropped are the elements that go with all they contain.
const dropped = " script style iframe object embed template noscript textarea title select option svg math "

// sanitize lets harmless markup through, and of the rest only the text. Keycloak: KeycloakSanitizerMethod.
func sanitize(text string) template.HTML {
	var out strings.Builder
	var open []string
	skip := ""
	for z := html.NewTokenizer(strings.NewReader(text)); ; {
		kind := z.Next()
		if kind == html.ErrorToken {
			break
		}
		t := z.Token()
		if skip != "" {
			if kind == html.EndTagToken && t.Data == skip {
				skip = ""
			}
			continue
		}
		name := " " + t.Data + " "
		switch kind {
		case html.TextToken:
			out.WriteString(html.EscapeString(t.Data))
		case html.StartTagToken, html.SelfClosingTagToken:
			if strings.Contains(dropped, name) && kind == html.StartTagToken {
				skip = t.Data
			}
			if !strings.Contains(harmless, name) {
				continue
			}
			out.WriteString("<" + t.Data)
			for _, a := range t.Attr {
				if harmlessAttribute(t.Data, a) {
					out.WriteString(" " + a.Key + `="` + html.EscapeString(a.Val) + `"`)
				}
			}
			if t.Data == "a" {
				out.WriteString(` rel="noopener noreferrer nofollow"`)
			}
			out.WriteString(">")
			if t.Data != "br" && t.Data != "hr" && t.Data != "img" {
				open = append(open, t.Data)
			}
		case html.EndTagToken:
			// What is not open cannot be closed: a text must not close the page's own elements.
			for i := len(open) - 1; i >= 0; i-- {
				if open[i] == t.Data {
					for j := len(open) - 1; j >= i; j-- {
						out.WriteString("</" + open[j] + ">")
					}
					open = open[:i]
					break
				}
			}
		}
	}
	for i := len(open) - 1; i >= 0; i-- {
		out.WriteString("</" + open[i] + ">")
	}
	return template.HTML(out.String())
}

func harmlessAttribute(element string, a html.Attribute) bool {
	switch a.Key {
	case "class", "title", "dir", "lang":
		return true
	case "alt", "width", "height":
		return element == "img"
	case "href", "src":
		if element != map[string]string{"href": "a", "src": "img"}[a.Key] {
			return false
		}
		u, err := url.Parse(a.Val)
		return err == nil && (u.Scheme == "" || u.Scheme == "http" || u.Scheme == "https" || u.Scheme == "mailto" && element == "a")
	case "target":
		return element == "a" && a.Val == "_blank"
	}
	return false
}
