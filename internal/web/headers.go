package web

import (
	"net/http"
	"strings"
)

// securityHeaders maps the names of a realm's browserSecurityHeaders to the
// headers of HTTP in their canonical form, with Keycloak's defaults (BrowserSecurityHeaders), and says
// which answers carry them: every one, those with a body, or pages.
var securityHeaders = []struct{ key, header, preset, on string }{
	{"contentSecurityPolicy", "Content-Security-Policy", "frame-src 'self'; frame-ancestors 'self'; object-src 'none';", "page"},
	{"contentSecurityPolicyReportOnly", "Content-Security-Policy-Report-Only", "", "page"},
	{"xFrameOptions", "X-Frame-Options", "SAMEORIGIN", "body"},
	{"referrerPolicy", "Referrer-Policy", "no-referrer", "every"},
	{"strictTransportSecurity", "Strict-Transport-Security", "max-age=31536000; includeSubDomains", "every"},
	{"xContentTypeOptions", "X-Content-Type-Options", "nosniff", "every"},
	{"xRobotsTag", "X-Robots-Tag", "none", "every"},
}

// DefaultPolicy is the Content-Security-Policy of realms that have chosen none.
func DefaultPolicy() string { return securityHeaders[0].preset }

// SecurityHeaders sets the headers for an answer of the content type (empty for
// one without a body). realm is the realm's browserSecurityHeaders, nil outside
// of realms: then Keycloak's defaults hold. A header that is set already stays.
// Keycloak: DefaultSecurityHeadersProvider.
func SecurityHeaders(h http.Header, realm map[string]string, contentType string) {
	for _, s := range securityHeaders {
		switch {
		case s.on == "body" && contentType == "", s.on == "page" && !strings.HasPrefix(contentType, "text/html"):
			continue
		}
		value := s.preset
		if realm != nil {
			value = realm[s.key]
		}
		if value != "" && len(h[s.header]) == 0 {
			h[s.header] = []string{value}
		}
	}
}

// Cache-Control as Keycloak writes it (CacheControlUtil): for tokens, for
// pages, and for documents that must be asked for again.
const (
	CacheNoStore    = "no-store"
	CacheNoPage     = "no-store, must-revalidate, max-age=0"
	CacheNoCache    = "no-cache"
	CacheNoDocument = "no-cache, must-revalidate, no-transform, no-store"
)
