package web

import (
	"errors"
	"net/url"
	"strings"
)

// HostnameOptions are Keycloak's hostname options (hostname v2).
type HostnameOptions struct {
	Hostname           string // a host name, or a full URL with the relative path; empty takes the request's
	Admin              string // full URL of the administration, if it differs; needs Hostname to be a URL
	BackchannelDynamic bool   // back-channel addresses follow the request; needs Hostname to be a URL
	Strict             bool   // refuse to start without Hostname
}

// Hostname decides which addresses the server calls its own. It is immutable.
type Hostname struct {
	name             string
	front, admin     string
	dynamicBackchann bool
}

// URLs are the server's base addresses for one request, without a slash at the
// end: append "/realms/...".
type URLs struct {
	Frontend    string // of issuer, pages and redirects
	Backchannel string // of the endpoints that clients' servers call
	Admin       string // of the administration
}

// All are the addresses under which requests come.
func (u URLs) All() []string { return []string{u.Admin, u.Frontend, u.Backchannel} }

// Of is the base address that a client with this root URL means: the
// administration's for Keycloak's placeholder of it, else that of the pages.
func (u URLs) Of(root string) string {
	if root == "${authAdminUrl}" {
		return u.Admin
	}
	return u.Frontend
}

// NewHostname checks the options. Keycloak: HostnameV2ProviderFactory, whose
// messages these are.
func NewHostname(o HostnameOptions) (*Hostname, error) {
	h := &Hostname{dynamicBackchann: o.BackchannelDynamic}
	switch {
	case o.Hostname == "":
		if o.Strict {
			return nil, errors.New("hostname is not configured; either configure hostname, or set hostname-strict to false")
		}
	case strings.HasPrefix(o.Hostname, "http://"), strings.HasPrefix(o.Hostname, "https://"):
		base, ok := baseURL(o.Hostname)
		if !ok {
			return nil, errors.New("provided hostname is neither a plain hostname nor a valid URL")
		}
		h.front = base
	default:
		if host, port := splitHost(o.Hostname); !validHost(o.Hostname) || port != "" || host != o.Hostname {
			return nil, errors.New("provided hostname is neither a plain hostname nor a valid URL")
		}
		h.name = o.Hostname
	}
	if o.Admin != "" {
		base, ok := baseURL(o.Admin)
		if !ok {
			return nil, errors.New("provided hostname-admin is not a valid URL")
		}
		if h.front == "" {
			return nil, errors.New("hostname must be set to a URL when hostname-admin is set")
		}
		h.admin = base
	}
	if o.BackchannelDynamic && h.front == "" {
		if h.name == "" {
			return nil, errors.New("hostname-backchannel-dynamic must be set to false when no hostname is provided")
		}
		return nil, errors.New("hostname-backchannel-dynamic must be set to false if hostname is not provided as full URL")
	}
	return h, nil
}

// URLs returns the addresses for a request. realmFrontend is the realm's
// frontendUrl attribute, or empty; one that is no http(s) URL is passed over.
// Keycloak: HostnameV2Provider.getBaseUri.
func (h *Hostname) URLs(q *Request, realmFrontend string) URLs {
	own := q.Scheme() + "://" + q.Host + q.Prefix
	front := h.front
	if front == "" {
		front = own
		if h.name != "" {
			host := h.name
			if _, port := splitHost(q.Host); port != "" {
				host += ":" + port
			}
			front = q.Scheme() + "://" + host + q.Prefix
		}
	}
	if realmFrontend != "" {
		if base, ok := baseURL(strings.TrimSpace(realmFrontend)); ok {
			front = base
		}
	}
	u := URLs{Frontend: front, Backchannel: front, Admin: front}
	if h.dynamicBackchann && originOf(front) != originOf(own) {
		u.Backchannel = own
	}
	if h.admin != "" {
		u.Admin = h.admin
	}
	return u
}

// Follows reports whether a realm's addresses for browsers are those of
// whatever host name a request names, for want of a configured one.
func (h *Hostname) Follows(realmFrontend string) bool {
	if _, ok := baseURL(strings.TrimSpace(realmFrontend)); ok {
		return false
	}
	return h.front == "" && h.name == ""
}

// Fixed returns the address for browsers where no request decides it, "" where one does.
func (h *Hostname) Fixed(realmFrontend string) string {
	if base, ok := baseURL(strings.TrimSpace(realmFrontend)); ok {
		return base
	}
	return h.front
}

// baseURL normalises a full URL: no slash at the end, no default port.
func baseURL(s string) (string, bool) {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || !validHost(u.Host) ||
		u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return "", false
	}
	return u.Scheme + "://" + normalHost(u.Host, u.Scheme == "https") + strings.TrimRight(u.EscapedPath(), "/"), true
}

// originOf cuts scheme://host[:port] from a base URL.
func originOf(base string) string {
	i := strings.Index(base, "://") + 3
	if j := strings.IndexByte(base[i:], '/'); j >= 0 {
		return base[:i+j]
	}
	return base
}
