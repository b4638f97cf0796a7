package web

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"latchkey/internal/iam"
)

// Gate lets in what every door and the database can read alike. A path with
// NUL, a ';' or bytes that are no UTF-8 is answered 400, and so is a query with
// such text, with a control character or a broken escape, in the reference's
// words. A ';' separates parameters of a query as '&' does; of forms it is a
// letter (see ParseForm, the gate of forms). Headers that are no UTF-8 are made
// so, as the reference, which reads them by another charset, takes them.
func Gate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.IndexByte(r.URL.EscapedPath(), ';') >= 0 {
			WriteProblem(w, http.StatusBadRequest, "invalidCharacter", "Request path contains invalid character ';'")
			return
		}
		if !iam.Storable(r.URL.Path) {
			WriteProblem(w, http.StatusBadRequest, "invalidCharacter", "Request path contains an invalid character")
			return
		}
		switch judgeQuery(r.URL.RawQuery) {
		case blockedQuery:
			WriteProblem(w, http.StatusBadRequest, "Blocking invalid query parameter value", "")
			return
		case brokenQuery:
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if strings.IndexByte(r.URL.RawQuery, ';') >= 0 {
			u := *r.URL
			u.RawQuery = strings.ReplaceAll(u.RawQuery, ";", "&")
			other := *r
			other.URL = &u
			defer func() { r.Pattern = other.Pattern }()
			r = &other
		}
		for _, values := range r.Header {
			for i, v := range values {
				if !ascii(v) {
					values[i] = strings.ToValidUTF8(v, "\uFFFD")
				}
			}
		}
		next.ServeHTTP(w, r)
	})
}

const (
	goodQuery = iota
	blockedQuery
	brokenQuery
)

// judgeQuery looks at a query as it stands in the address.
func judgeQuery(q string) int {
	high := false
	for i := 0; i < len(q); i++ {
		c := q[i]
		if c == '%' {
			if i+2 >= len(q) || !hexadecimal(q[i+1]) || !hexadecimal(q[i+2]) {
				return brokenQuery
			}
			c = number(q[i+1])<<4 | number(q[i+2])
			i += 2
		}
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' {
			return blockedQuery
		}
		high = high || c >= utf8.RuneSelf
	}
	if !high {
		return goodQuery
	}
	if plain, err := url.QueryUnescape(q); err != nil || !utf8.ValidString(plain) {
		return blockedQuery
	}
	return goodQuery
}

func hexadecimal(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func number(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^('a'-'A') - 'A' + 10
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
