package iam

import (
	"net/url"
	"strings"
)

// Origins returns a client's web origins with "+" resolved to the origins of
// its redirect URIs; relative ones stand below the client's root URL, or below
// base, the server's own address. "*" is kept as it is.
// Keycloak: WebOriginsUtils.resolveValidWebOrigins.
func (c *Client) Origins(base string) []string {
	var out []string
	seen := map[string]bool{}
	add := func(o string) {
		if o != "" && !seen[o] {
			seen[o] = true
			out = append(out, o)
		}
	}
	plus := false
	for _, o := range c.WebOrigins {
		if o == "+" {
			plus = true
			continue
		}
		add(o)
	}
	if !plus {
		return out
	}
	for _, u := range c.RedirectURIs {
		if strings.HasPrefix(u, "/") {
			u = c.ResolvedRoot(base) + u
		}
		add(originOf(u))
	}
	return out
}

// ResolvedRoot returns the root URL with Keycloak's placeholders for the
// server's own address filled in; base when the client has none.
// Keycloak: ResolveRelative.resolveRootUrl.
func (c *Client) ResolvedRoot(base string) string {
	switch root := c.RootURL; root {
	case "", "${authBaseUrl}", "${authAdminUrl}":
		return base
	default:
		return root
	}
}

// originOf cuts scheme, host and port from an http(s) URL; "" for anything else.
func originOf(u string) string {
	if !strings.HasPrefix(u, "http://") && !strings.HasPrefix(u, "https://") {
		return ""
	}
	scheme, rest, _ := strings.Cut(u, "://")
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	if _, err := url.Parse(scheme + "://" + rest); err != nil {
		return ""
	}
	return scheme + "://" + rest
}

// OriginOf is the origin of an http(s) URL, as browsers send it; "" for
// anything else.
func OriginOf(u string) string { return originOf(u) }
