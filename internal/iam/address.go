package iam

import (
	"net/url"
	"strings"
)

// PathName is a realm's name as a segment of a path, escaped as Keycloak's addresses
// have it: issuers are compared letter by letter. It is the one place that puts names
// of realms into addresses. Keycloak: UriBuilder.build.
func PathName(realm string) string {
	return apostrophes.Replace(url.PathEscape(realm))
}

// apostrophes leaves a sub-delimiter of RFC 3986 as it is that net/url escapes; others
// are not allowed in names of realms.
var apostrophes = strings.NewReplacer("%27", "'")

// Path is where a realm is, below the address of the server.
func (r *Realm) Path() string { return "/realms/" + PathName(r.Name) }
