package doctor

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"latchkey/internal/rep"
)

func directGrantsUnused(a *answer) {
	a.applications(func(c *rep.Client, s Subject) {
		if !rep.Val(c.DirectAccessGrantsEnabled) {
			return
		}
		uses, ok := need(a, a.e.Uses)
		if !ok {
			return
		}
		n, ok := need(a, uses[c.ID].Passwords)
		if !ok || n.N > 0 {
			return
		}
		a.find(s, Finding{
			What:     fmt.Sprintf("Client %s may log users in by their password alone, and never does.", c.ClientID),
			Evidence: []string{"directAccessGrantsEnabled is true", "0 logins by the password grant in the last " + span(a.e.UnusedAfter)},
			Consequence: "Whoever has a user's password gets tokens without the login page: no second factor of the browser flow, no consent, no " +
				"single sign-on.",
			Remedy: "Switch direct access grants off where nothing uses them.",
			Fixes: []Fix{{ID: "off", Title: "switch direct access grants off",
				Changes: []Change{setting(s, "directAccessGrantsEnabled", true, false)},
				Effects: []string{"Requests with grant_type=password are refused from then on.", "No session ends, and no token stops working."}}},
		})
	})
}

func implicitFlow(a *answer) {
	a.clients(func(c *rep.Client, s Subject) {
		if !rep.Val(c.ImplicitFlowEnabled) {
			return
		}
		a.find(s, Finding{
			What:     fmt.Sprintf("Client %s (%s) may take tokens out of the browser's address.", c.ClientID, access(c)),
			Evidence: []string{"implicitFlowEnabled is true"},
			Consequence: "Access tokens end up in histories, logs and referrers, and there is no refresh: users are sent to the login page again " +
				"and again (RFC 9700, section 2.1.2).",
			Remedy: "Use the authorization code flow with PKCE, and switch the implicit flow off.",
			Fixes: []Fix{{ID: "off", Title: "switch the implicit flow off", Changes: []Change{setting(s, "implicitFlowEnabled", true, false)},
				Effects: []string{"Requests with response_type=token or id_token are refused from then on, hybrid ones too.",
					"Tokens that were given out already are good until they expire; " + say(a.e.numbers(c.ID).Online, "live session") + " go on."}}},
		})
	})
}

// resolved are a client's redirect URIs, those that are relative made absolute
// with its root URL, if that is one.
func resolved(c *rep.Client) []string {
	var list []string
	for _, u := range c.RedirectURIs {
		if strings.HasPrefix(u, "/") && strings.Contains(rep.Val(c.RootURL), "://") {
			u = strings.TrimSuffix(rep.Val(c.RootURL), "/") + u
		}
		list = append(list, u)
	}
	return list
}

// wildcards sorts redirect URIs with a wildcard into those that let any host
// in, and those that let in any path of one host.
func wildcards(c *rep.Client) (hosts, paths []string) {
	for _, u := range resolved(c) {
		star := strings.IndexByte(u, '*')
		if star < 0 {
			continue
		}
		_, rest, absolute := strings.Cut(u, "://")
		host, _, path := strings.Cut(rest, "/")
		switch {
		case strings.HasPrefix(u, "/"): // relative to the realm's own address
			paths = append(paths, u)
		case !absolute || !path || strings.Contains(host, "*"):
			hosts = append(hosts, u)
		default:
			paths = append(paths, u)
		}
	}
	return hosts, paths
}

func redirectWildcard(a *answer) {
	a.applications(func(c *rep.Client, s Subject) {
		if !browser(c) {
			return
		}
		hosts, paths := wildcards(c)
		switch {
		case len(hosts) > 0:
			a.find(s, Finding{
				What:        fmt.Sprintf("Client %s (%s) sends codes and tokens to any host that matches %s.", c.ClientID, access(c), quoted(hosts)),
				Evidence:    []string{"redirectUris contains " + quoted(hosts)},
				Consequence: "A link to the login page can carry any address of that pattern; who follows it hands over an authorization code.",
				Remedy: "Name every redirect URI in full. The doctor does not know them: look at redirect_uri in the client's code, or in its " +
					"stored LOGIN events.",
			})
		case len(paths) > 0:
			a.find(s, Finding{
				Severity:    Info,
				What:        fmt.Sprintf("Client %s (%s) lets a login end at any path of %s.", c.ClientID, access(c), quoted(paths)),
				Evidence:    []string{"redirectUris contains " + quoted(paths)},
				Consequence: "Any page of that host that redirects further or shows its address to others gives the code away (RFC 9700, section 2.1).",
				Remedy:      "Name the one or two paths at which the client takes logins back.",
			})
		}
	})
}

// loopback reports whether a host is the machine itself (RFC 8252, section 7.3).
func loopback(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || host == "127.0.0.1" || host == "::1" ||
		strings.HasPrefix(host, "127.")
}

func redirectHTTP(a *answer) {
	a.applications(func(c *rep.Client, s Subject) {
		if !browser(c) {
			return
		}
		var plain []string
		for _, uri := range resolved(c) {
			u, err := url.Parse(strings.ReplaceAll(uri, "*", "x"))
			if err == nil && u.Scheme == "http" && !loopback(u.Hostname()) {
				plain = append(plain, uri)
			}
		}
		if len(plain) == 0 {
			return
		}
		a.find(s, Finding{
			What:        fmt.Sprintf("Client %s (%s) takes its codes over plain http at %s.", c.ClientID, access(c), quoted(plain)),
			Evidence:    []string{"redirectUris contains " + quoted(plain)},
			Consequence: "Whoever is on the way can read the code and, of a public client, redeem it; the client's own cookies cannot be Secure.",
			Remedy:      "Serve the client over https and name its https address. Addresses of the machine itself (localhost, 127.0.0.1) may stay.",
		})
	})
}

func webOriginsAny(a *answer) {
	a.clients(func(c *rep.Client, s Subject) {
		if !slices.Contains(c.WebOrigins, "*") {
			return
		}
		a.find(s, Finding{
			What:        fmt.Sprintf("Scripts of any web site may call the server with tokens of client %s (%s).", c.ClientID, access(c)),
			Evidence:    []string{"webOrigins contains *"},
			Consequence: "A page of somebody else may use a token of this client that it got hold of, from its visitor's browser.",
			Remedy:      "Allow the origins of the client's redirect URIs (+), or name them.",
			Fixes: []Fix{{ID: "redirects", Title: "allow the origins of its redirect URIs (+)",
				Changes: []Change{setting(s, "webOrigins", c.WebOrigins, []string{"+"})},
				Effects: []string{"Scripts at other origins than those of the redirect URIs are refused by the browser, at once for new tokens.",
					"No session ends, and no token stops working."}}},
		})
	})
}

func clientUnused(a *answer) {
	a.applications(func(c *rep.Client, s Subject) {
		uses, ok := need(a, a.e.Uses)
		if !ok {
			return
		}
		last, ok := need(a, uses[c.ID].Last)
		if !ok || !last.IsZero() {
			return
		}
		n := a.e.numbers(c.ID)
		a.find(s, Finding{
			What:     fmt.Sprintf("Client %s (%s) has not been used for %s.", c.ClientID, access(c), span(a.e.UnusedAfter)),
			Evidence: []string{"no session of it was used and no event of it was stored in the last " + span(a.e.UnusedAfter)},
			Consequence: fmt.Sprintf("It is a door that nobody watches; %s and %s live on.", say(n.Online, "online session"),
				say(n.Offline, "offline session")),
			Remedy: "Disable the client, and remove it when nobody misses it.",
			Fixes: []Fix{{ID: "disable", Title: "disable the client", Changes: []Change{setting(s, "enabled", true, false)}, Effects: []string{
				"Logins and refreshes of the client are refused from then on.",
				"Its sessions are not ended by this: they work again when it is enabled before they time out.",
			}, Lasting: "sessions that timed out meanwhile"}},
		})
	})
}

func consentThirdParty(a *answer) {
	a.applications(func(c *rep.Client, s Subject) {
		if !browser(c) || rep.Val(c.ConsentRequired) {
			return
		}
		issuer, ok := need(a, a.e.Issuer)
		if !ok {
			return
		}
		own, why := site(issuer)
		if why != "" {
			a.cannot("the realm's address " + why)
			return
		}
		hosts := otherSites(c, own)
		if len(hosts) == 0 {
			return
		}
		live := a.e.numbers(c.ID).live()
		a.find(s, Finding{
			What: fmt.Sprintf("Client %s (%s) is on another site than the realm and never asks users whether it may have their data.",
				c.ClientID, access(c)),
			Evidence: []string{"consentRequired is false", "its redirect URIs are at " + quoted(hosts) + ", the realm is at " + own},
			Consequence: "Whoever is signed on hands their data to that site by following a link. " + capital(say(live, "live session")) +
				" began without being asked.",
			Remedy: "Ask for consent, if the client belongs to somebody else. If the other site is your own, all is well: that it is on " +
				"another site is all that can be seen.",
			Fixes: []Fix{{ID: "ask", Title: "ask for consent", Changes: []Change{setting(s, "consentRequired", false, true)}, Effects: []string{
				"Each user is asked at the next login to the client.",
				capital(say(live, "live session")) + ": those of users who have not consented fail at their next refresh.",
			}, Lasting: "sessions whose refresh failed meanwhile"}},
		})
	})
}
