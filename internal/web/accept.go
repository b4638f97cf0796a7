package web

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// weighted is an element of Accept or Accept-Language.
type weighted struct {
	value string
	q     float64
}

// weights reads a list with qualities, best first; equals keep their order, and
// what has quality 0 is left out.
func weights(values []string) []weighted {
	var out []weighted
	for _, element := range splitQuoted(strings.Join(values, ","), ',') {
		value, params, _ := strings.Cut(element, ";")
		w := weighted{strings.ToLower(strings.TrimSpace(value)), 1}
		for p := range strings.SplitSeq(params, ";") {
			if k, v, _ := strings.Cut(strings.TrimSpace(p), "="); strings.EqualFold(strings.TrimSpace(k), "q") {
				q, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
				if err != nil || q < 0 || q > 1 {
					q = 0
				}
				w.q = q
			}
		}
		if w.value != "" && w.q > 0 {
			out = append(out, w)
		}
	}
	slices.SortStableFunc(out, func(a, b weighted) int { return cmp.Compare(b.q, a.q) })
	return out
}

// Accepts says whether the request names the media type, or its family
// ("text/*"), among what it accepts. "*/*" does not count: it is what clients
// say that have not thought about it. Keycloak: MediaTypeMatcher.
func Accepts(r *http.Request, mediaType string) bool {
	family, _, _ := strings.Cut(mediaType, "/")
	return slices.ContainsFunc(weights(r.Header.Values("Accept")), func(w weighted) bool {
		return w.value == mediaType || w.value == family+"/*"
	})
}

// AcceptsHTML says whether a page rather than JSON is to be answered.
func AcceptsHTML(r *http.Request) bool { return Accepts(r, "text/html") }

// Languages returns the tags of Accept-Language in lower case, best first,
// without "*".
func Languages(r *http.Request) []string {
	var out []string
	for _, w := range weights(r.Header.Values("Accept-Language")) {
		if w.value != "*" {
			out = append(out, w.value)
		}
	}
	return out
}
