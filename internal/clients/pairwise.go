package clients

import (
	"net/url"
	"strings"

	"latchkey/internal/rep"
)

// pairwiseSuffix is how the provider ids of mappers of pairwise subjects end.
const pairwiseSuffix = "-pairwise-sub-mapper"

// A pairwiseError says why subjects cannot be pairwise: briefly, and in the
// words of the administrator's messages.
type pairwiseError struct{ brief, text string }

// checkPairwise refuses a mapper of pairwise subjects, for a client whose redirect
// URIs do not say which sector it belongs to. What stands at a sector identifier
// URI is not fetched: a server that calls addresses anybody may give is a risk.
// nil when m is fine, or another mapper. Keycloak: PairwiseSubMapperValidator.
func checkPairwise(c *rep.Client, m *rep.ProtocolMapper) *pairwiseError {
	if !strings.HasSuffix(m.ProtocolMapper, pairwiseSuffix) {
		return nil
	}
	if sector := m.Config["sectorIdentifierUri"]; sector != "" {
		if u, err := url.Parse(sector); err != nil || u.Scheme == "" || u.Hostname() == "" {
			return &pairwiseError{"Invalid Sector Identifier URI.", "Malformed Sector Identifier URI."}
		}
		return nil
	}
	hosts := map[string]bool{}
	for _, uri := range c.RedirectURIs {
		if strings.HasPrefix(uri, "/") {
			if rep.Val(c.RootURL) == "" {
				continue
			}
			uri = *c.RootURL + uri
		}
		if strings.TrimSpace(uri) == "" {
			continue
		}
		u, err := url.Parse(uri)
		if err != nil {
			return &pairwiseError{"Client contained an invalid redirect URI.", "Client contained an invalid redirect URI."}
		}
		hosts[u.Hostname()] = true // a URI without a host counts as one of its own
	}
	switch text := ""; len(hosts) {
	case 0:
		text = "Client redirect URIs must contain a valid host component."
		return &pairwiseError{text, text}
	case 1:
		return nil
	default:
		text = "Without a configured Sector Identifier URI, client redirect URIs must not contain multiple host components."
		return &pairwiseError{text, text}
	}
}

// checkPairwiseMappers is checkPairwise for mappers that are added or changed.
func checkPairwiseMappers(o Owner, list []rep.ProtocolMapper) error {
	if o.Client == nil {
		return nil
	}
	for i := range list {
		if e := checkPairwise(o.Client.Rep, &list[i]); e != nil {
			return &InputError{Code: e.brief, Description: e.text}
		}
	}
	return nil
}
