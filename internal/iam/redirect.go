package iam

import (
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

// Redirects is the rule by which one client's redirect URIs are taken.
// Keycloak: RedirectUtils.
type Redirects struct {
	Patterns  []string // absolute, or relative to Root; * at the end stands for anything
	Root      string   // the client's root URL, resolved; "" takes Origin
	Origin    string   // this server's, scheme://host[:port]
	Forbidden []string // parameters, in lower case, that a redirect URI must not bring itself
}

// ResponseParameters are those that the answer of an authorization request
// adds to the redirect URI, which a URI must therefore not bring along.
var ResponseParameters = []string{
	"code", "id_token", "access_token", "token_type", "expires_in", "state", "iss", "error", "error_description", "session_state",
	"response", "kc_action", "kc_action_status",
}

// RedirectsOf is the rule for a client's redirect URIs; frontend is the base
// URL of this server as browsers see it.
func RedirectsOf(c *Client, frontend string) Redirects {
	return Redirects{Patterns: c.RedirectURIs, Root: rootOf(c, frontend), Origin: originOf(frontend), Forbidden: ResponseParameters}
}

// PostLogoutRedirectsOf is the rule for where a logout may lead: the client's
// own list; "+" in it, or none, takes its redirect URIs, "-" allows nothing.
// Keycloak: OIDCAdvancedConfigWrapper.getPostLogoutRedirectUris.
func PostLogoutRedirectsOf(c *Client, frontend string) Redirects {
	r := RedirectsOf(c, frontend)
	text := c.Attr("post.logout.redirect.uris")
	if text == "" {
		return r
	}
	list := strings.Split(text, "##")
	if list[0] == "-" {
		r.Patterns = nil
		return r
	}
	r.Patterns = nil
	for _, p := range list {
		if p == "+" {
			r.Patterns = append(r.Patterns, c.RedirectURIs...)
		} else {
			r.Patterns = append(r.Patterns, p)
		}
	}
	return r
}

// rootOf resolves a client's root URL.
// Keycloak: ResolveRelative.resolveRootUrl.
func rootOf(c *Client, frontend string) string {
	if c.RootURL == "${authBaseUrl}" || c.RootURL == "${authAdminUrl}" {
		return strings.TrimSuffix(frontend, "/")
	}
	return c.RootURL
}

// Only returns the redirect URI that is meant when a request names none: the
// single one that there is.
func (r Redirects) Only() (string, bool) {
	if len(r.Patterns) != 1 {
		return "", false
	}
	uri, _, _ := strings.Cut(r.Patterns[0], "/*")
	return uri, true
}

// Match returns the URI to redirect to, absolute, if the rule takes it.
func (r Redirects) Match(uri string) (string, bool) {
	u, ok := parseURI(uri)
	if !ok || len(r.Patterns) == 0 || hasParameter(u.query, r.Forbidden) || hasParameter(u.fragment, r.Forbidden) {
		return "", false
	}
	wild := u.user == "" && (u.authority == "" || u.host != "") && !unsafePath.MatchString(u.path)
	matched, ok := r.find(uri, wild)
	if !ok && u.scheme == "http" && loopback[u.host] { // RFC 8252 7.3: any port
		matched, ok = r.find(strings.Replace(uri, u.authority, u.host, 1), wild)
	}
	if !ok {
		return "", false
	}
	if u.scheme == "" {
		if !strings.HasPrefix(uri, "/") {
			uri = "/" + uri
		}
		return r.absolute(uri), true
	}
	if !strings.HasPrefix(matched, u.scheme+":") && !strings.EqualFold(u.scheme, "http") && !strings.EqualFold(u.scheme, "https") {
		return "", false // a wildcard stands for the schemes of the web only
	}
	return uri, true
}

func (r Redirects) absolute(path string) string {
	if r.Root != "" {
		return r.Root + path
	}
	return r.Origin + path
}

// find returns the pattern, without its wildcard, that a URI goes by.
func (r Redirects) find(uri string, wild bool) (string, bool) {
	for _, p := range r.Patterns {
		if strings.HasPrefix(p, "/") {
			p = r.absolute(p)
		}
		if p == "*" {
			return p, true
		}
		w := ""
		if wild {
			w = wildcard(p)
		}
		if w == "" {
			if p == uri {
				return p, true
			}
			continue
		}
		bare := uri
		if i := strings.IndexByte(uri, '?'); i >= 0 {
			bare = uri[:i]
		} else if i := strings.IndexByte(uri, '#'); i >= 0 {
			bare = uri[:i]
		}
		w = w[:len(w)-1]
		if strings.HasPrefix(bare, w) {
			return w, true
		}
		if len(w) > 1 && w[len(w)-1] == '/' {
			w = w[:len(w)-1]
		}
		if w == bare {
			return w, true
		}
	}
	return "", false
}

// patternParts takes apart a pattern that is no opaque URI.
var patternParts = regexp.MustCompile(`^(?:([^:/?#{]+):)?(?://([^/?#]*))?([^?#]*)$`)

// opaquePattern is one without slashes after its scheme: "myapp:*".
var opaquePattern = regexp.MustCompile(`^[^:/?#{]+:[^/]`)

// wildcard returns a pattern with a wildcard that counts, "" if it has none. A
// wildcard right behind a host is one for its paths: nobody means the host
// example.com.evil.test by https://example.com*.
func wildcard(p string) string {
	if !strings.HasSuffix(p, "*") || strings.ContainsAny(p, "?#") {
		return ""
	}
	if opaquePattern.MatchString(p) {
		return p
	}
	m := patternParts.FindStringSubmatch(p)
	switch {
	case m == nil:
		return ""
	case m[3] != "", m[2] == "*", strings.HasSuffix(m[2], ":*"):
		return p
	case m[2] != "":
		return p[:len(p)-1] + "/*"
	}
	return ""
}

// unsafePath finds a step to the parent folder, however it is written.
var unsafePath = regexp.MustCompile(`(/|%2[fF]|%5[cC]|\\)(%2[eE]|%252[eE]|\.){2}(/|%2[fF]|%5[cC]|\\|;|%3[bB]|%09|%0[aAdD]|%00|$)`)

var loopback = map[string]bool{"localhost": true, "127.0.0.1": true, "[::1]": true}

// hasParameter reports whether a query or fragment has one of the parameters.
func hasParameter(query string, names []string) bool {
	if query == "" || len(names) == 0 {
		return false
	}
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		for _, n := range names {
			if strings.ToLower(name) == n {
				return true
			}
		}
	}
	return false
}

// A javaURI is a URI as java.net.URI takes it apart, nothing decoded.
type javaURI struct{ scheme, authority, user, host, path, query, fragment string }

var (
	uriScheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*$`)
	uriServer = regexp.MustCompile(
		`^(?:([^@]*)@)?((?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.?|\d+\.\d+\.\d+\.\d+|\[[0-9A-Fa-f:.]+\])(?::\d*)?$`)
)

// parseURI takes a URI apart, refusing what java.net.URI.create refuses.
func parseURI(s string) (u javaURI, ok bool) {
	if !legal(s) {
		return u, false
	}
	rest, fragment, _ := strings.Cut(s, "#")
	u.fragment = fragment
	if strings.Contains(fragment, "#") {
		return u, false
	}
	if i := strings.IndexAny(rest, ":/?"); i >= 0 && rest[i] == ':' {
		if u.scheme = rest[:i]; !uriScheme.MatchString(u.scheme) {
			return u, false
		}
		rest = rest[i+1:]
		if rest == "" {
			return u, false
		}
		if rest[0] != '/' {
			return u, true // opaque: nothing in it to look at
		}
	}
	rest, u.query, _ = strings.Cut(rest, "?")
	if after, found := strings.CutPrefix(rest, "//"); found {
		i := strings.IndexByte(after, '/')
		if i < 0 {
			i = len(after)
		}
		u.authority, rest = after[:i], after[i:]
		if u.authority == "" && rest == "" && u.query == "" && fragment == "" {
			return u, false
		}
		if m := uriServer.FindStringSubmatch(u.authority); m != nil && validIPv6(m[2]) {
			u.user, u.host = m[1], m[2]
			if strings.Contains(u.authority, "@") && u.user == "" {
				u.user = "@" // an empty one is one, too
			}
		} else if strings.ContainsAny(u.authority, "[]") {
			return u, false
		}
	}
	u.path = rest
	return u, !strings.ContainsAny(rest, "[]")
}

func validIPv6(host string) bool {
	inner, ok := strings.CutPrefix(host, "[")
	if !ok {
		return true
	}
	_, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
	return err == nil
}

// legal tells whether every character may stand in a URI at all, and escapes
// are whole.
func legal(s string) bool {
	for i, c := range s {
		switch {
		case c <= ' ', c == 0x7f, strings.ContainsRune("\"<>\\^`{|}", c), c == unicode.ReplacementChar:
			return false
		case c > 0x7f && (unicode.IsSpace(c) || unicode.IsControl(c) || unicode.Is(unicode.Z, c)):
			return false
		case c == '%' && (len(s) < i+3 || !hexDigit(s[i+1]) || !hexDigit(s[i+2])):
			return false
		}
	}
	return true
}

func hexDigit(b byte) bool {
	return '0' <= b && b <= '9' || 'a' <= b && b <= 'f' || 'A' <= b && b <= 'F'
}

// Home is where "back to the application" leads: the client's base URL, which
// may be relative to its root URL or, without one, to the server's address;
// "" when it has no base URL. Keycloak: ResolveRelative.resolveRelativeUri.
func (c *Client) Home(server string) string {
	if !strings.HasPrefix(c.BaseURL, "/") {
		return c.BaseURL
	}
	root := strings.NewReplacer("${authBaseUrl}", server, "${authAdminUrl}", server).Replace(c.RootURL)
	if root == "" {
		root = server
	}
	return strings.TrimSuffix(root, "/") + c.BaseURL
}
