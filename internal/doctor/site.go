package doctor

import (
	"cmp"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"latchkey/internal/rep"
)

// hostOf is the host of an address, without its port.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

// originOf cuts scheme://host[:port] from an address.
func originOf(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	return u.Scheme + "://" + strings.ToLower(u.Host), nil
}

// siteOf is the registrable domain of a host, which is what browsers compare
// when they speak of third parties; "" for an address of numbers and for a name
// that nobody can register.
func siteOf(host string) string {
	if _, err := netip.ParseAddr(host); err == nil || loopback(host) {
		return ""
	}
	name, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil {
		return ""
	}
	return name
}

// site is the registrable domain of the realm's address, or why it has none.
func site(issuer string) (name, why string) {
	if name = siteOf(hostOf(issuer)); name == "" {
		return "", hostOf(issuer) + " has no registrable domain to compare with"
	}
	return name, ""
}

// otherSites are the hosts of a client's redirect URIs on other sites than the
// realm's; those of the machine itself, of apps and with wildcards say nothing.
func otherSites(c *rep.Client, own string) []string {
	var list []string
	for _, uri := range resolved(c) {
		if !strings.HasPrefix(uri, "http://") && !strings.HasPrefix(uri, "https://") {
			continue
		}
		_, rest, _ := strings.Cut(uri, "://")
		host, _, _ := strings.Cut(rest, "/")
		if strings.Contains(host, "*") {
			continue
		}
		name := hostOf("https://" + host)
		if of := siteOf(name); of != "" && of != own && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

// capital begins a sentence.
func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// join puts sentences together.
func join(a, b string) string { return strings.TrimSpace(a + " " + b) }

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
