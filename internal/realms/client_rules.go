package realms

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
)

// localBase stands for the server where relative URLs are checked.
const localBase = "https://localhost/auth"

// A urlRule says what is demanded of one of a client's URLs, and in which words
// it is refused. Keycloak: DefaultClientValidationProvider.FieldMessages.
type urlRule struct {
	member   string // "-" stands for the index in a list
	values   func(c *rep.Client) []string
	invalid  string
	fragment string // "" where one is allowed
	scheme   string
	absolute bool // it must be a URL that Java can open
	data     bool // the scheme "data" is allowed
}

func urlOf(member, name, subject string, values func(c *rep.Client) []string) urlRule {
	return urlRule{member: member, values: values, invalid: subject + " is not a valid " + name, scheme: subject + " uses an illegal scheme",
		absolute: name == "URL"}
}

func withFragment(r urlRule) urlRule {
	r.fragment = strings.TrimSuffix(r.scheme, " uses an illegal scheme") + " must not contain an URL fragment"
	return r
}

func attribute(name string, relative bool) func(c *rep.Client) []string {
	return func(c *rep.Client) []string {
		v := c.Attributes[name]
		if relative {
			v = resolve(localBase, v)
		}
		return []string{v}
	}
}

func attributeList(name string) func(c *rep.Client) []string {
	return func(c *rep.Client) []string {
		list := strings.Split(c.Attributes[name], "##")
		return slices.DeleteFunc(list, func(v string) bool { return v == "" || v == "+" || v == "-" })
	}
}

// resolve makes a URI that begins with a slash absolute.
// Keycloak: ResolveRelative.resolveRelativeUri.
func resolve(root, uri string) string {
	if strings.HasPrefix(uri, "/") {
		return strings.TrimSuffix(root, "/") + uri
	}
	return uri
}

func rootURL(c *rep.Client) string {
	switch root := rep.Val(c.RootURL); root {
	case "${authBaseUrl}", "${authAdminUrl}":
		return localBase
	default:
		return root
	}
}

func redirects(c *rep.Client) []string {
	root := rootURL(c)
	if root == "" {
		root = localBase
	}
	list := make([]string, len(c.RedirectURIs))
	for i, uri := range c.RedirectURIs {
		list[i] = resolve(root, uri)
	}
	return list
}

func urlRules() []urlRule {
	logo := urlOf("attributes/logoUri", "URL", "Logo URL", attribute("logoUri", false))
	logo.absolute, logo.data = false, true
	requests := urlRule{
		member: "attributes/request.uris", values: attributeList("request.uris"), absolute: true,
		invalid: "Valid request URIs has an invalid value", scheme: "Valid request URIs has a value with illegal scheme",
	}
	jwks := urlOf("attributes/jwks.url", "URL", "JWKS URL", attribute("jwks.url", true))
	return []urlRule{
		withFragment(urlOf("rootUrl", "URL", "Root URL", func(c *rep.Client) []string { return []string{rootURL(c)} })),
		urlOf("baseUrl", "URL", "Base URL", func(c *rep.Client) []string { return []string{resolve(localBase, rep.Val(c.BaseURL))} }),
		logo,
		urlOf("attributes/backchannel.logout.url", "URL", "Backchannel logout URL", attribute("backchannel.logout.url", true)),
		withFragment(urlOf("redirectUris/-", "URI", "A redirect URI", redirects)),
		withFragment(urlOf("attributes/post.logout.redirect.uris", "URI", "A post-logout redirect URI",
			attributeList("post.logout.redirect.uris"))),
		requests,
		urlOf("attributes/tosUri", "URL", "Terms of service URL", attribute("tosUri", false)),
		urlOf("attributes/policyUri", "URL", "Policy URL", attribute("policyUri", false)),
		urlOf("adminUrl", "URL", "Admin URL", func(c *rep.Client) []string { return []string{resolve(localBase, rep.Val(c.AdminURL))} }),
		jwks,
		urlOf("attributes/frontchannel.logout.url", "URL", "Front-channel logout URL", attribute("frontchannel.logout.url", true)),
	}
}

// check returns what is wrong with a URL, "" for nothing.
func (r urlRule) check(uri string) string {
	if uri == "" {
		return ""
	}
	scheme, fragment, ok := parseURI(uri)
	switch {
	case !ok:
		return r.invalid
	case scheme == "javascript", scheme == "data" && !r.data:
		return r.scheme
	case fragment && r.fragment != "":
		return r.fragment
	case r.absolute && !slices.Contains([]string{"http", "https", "ftp", "file", "jar", "mailto"}, scheme):
		return r.invalid
	}
	return ""
}

// parseURI reads as much of a URI as java.net.URI would object to.
func parseURI(s string) (scheme string, fragment, ok bool) {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c <= ' ', c == 0x7f, strings.IndexByte("\"<>\\^`{|}", c) >= 0:
			return "", false, false
		case c == '%':
			if _, err := url.PathUnescape(s[i:min(i+3, len(s))]); err != nil {
				return "", false, false
			}
		}
	}
	before, _, fragment := strings.Cut(s, "#")
	if i := strings.IndexAny(before, ":/?"); i >= 0 && before[i] == ':' {
		scheme = strings.ToLower(before[:i])
		if rest := before[i+1:]; scheme == "" || rest == "" || rest == "//" || strings.ContainsAny(rest, "[") && !strings.Contains(rest, "]") {
			return "", false, false
		}
	}
	return scheme, fragment, true
}

// A ClientProblem is what Keycloak refuses in a client, in its words. Member is
// a JSON pointer from the client, without its leading slash.
type ClientProblem struct{ Member, Msg string }

// ClientProblems looks for what is wrong with a client's own settings in a realm
// whose browser flow asks for those levels. Keycloak: DefaultClientValidationProvider.validate.
func ClientProblems(r *rep.Realm, inFlow []string, c *rep.Client) []ClientProblem {
	var found []ClientProblem
	add := func(member, msg string) {
		if !slices.ContainsFunc(found, func(p ClientProblem) bool { return p.Msg == msg }) {
			found = append(found, ClientProblem{member, msg})
		}
	}
	for _, rule := range urlRules() {
		for i, uri := range rule.values(c) {
			if msg := rule.check(uri); msg != "" {
				add(strings.Replace(rule.member, "-", strconv.Itoa(i), 1), msg)
			}
		}
	}
	if truth(c, "use.jwks.url") && truth(c, "use.jwks.string") {
		add("attributes/use.jwks.url", `The "Use JWKS" switch and the switch "Use JWKS URL" cannot be ON at the same time.`)
	}
	if c.Protocol == string(iam.OIDC) {
		checkLevels(r, inFlow, c, add)
	}
	checkClientTimeouts(r, c, add)
	return found
}

// browserLevels are the levels that conditions of a realm's browser flow ask for.
// Keycloak: LoAUtil.getLoAConfiguredInRealmBrowserFlow.
func browserLevels(r *rep.Realm) []string {
	var list []string
	var below func(alias string, path []string)
	below = func(alias string, path []string) {
		i := named(r.AuthenticationFlows, flowAlias, alias)
		if i < 0 || slices.Contains(path, alias) {
			return
		}
		for _, e := range r.AuthenticationFlows[i].AuthenticationExecutions {
			if j := named(r.AuthenticatorConfig, configAlias, e.AuthenticatorConfig); j >= 0 {
				if level := r.AuthenticatorConfig[j].Config["loa-condition-level"]; level != "" {
					list = append(list, level)
				}
			}
			below(e.FlowAlias, append(path, alias))
		}
	}
	below(r.BrowserFlow, nil)
	return list
}

func truth(c *rep.Client, name string) bool { return strings.EqualFold(c.Attributes[name], "true") }

// checkLevels checks the client's authentication context classes.
func checkLevels(r *rep.Realm, inFlow []string, c *rep.Client, add func(member, msg string)) {
	var levels map[string]int
	if text := strings.TrimSpace(c.Attributes["acr.loa.map"]); text != "" {
		var err error
		if levels, err = iam.ParseLevels(text); err != nil {
			add("attributes/acr.loa.map", "Invalid client configuration (ACR-LOA map) for client")
		}
	}
	if len(levels) == 0 {
		// A malformed map of the realm knows no class, as in Keycloak's AcrUtils.
		levels, _ = iam.ParseLevels(r.Attributes["acr.loa.map"])
	}
	if len(inFlow) == 0 {
		inFlow = []string{"0", "1"} // what a login without levels comes to
	}
	known := func(acr string) bool {
		_, ok := levels[acr]
		return ok || slices.Contains(inFlow, acr)
	}
	for _, acr := range attributeList("default.acr.values")(c) {
		if !known(acr) {
			add("attributes/default.acr.values", "Default ACR values need to contain values specified in the ACR-To-Loa mapping or number levels "+
				"from set realm browser flow")
		}
	}
	if acr := c.Attributes["minimum.acr.value"]; acr != "" && !known(acr) {
		add("attributes/minimum.acr.value", "Minimum ACR value needs to be value specified in the ACR-To-Loa mapping or number level from set "+
			"realm browser flow")
	}
}

// checkClientTimeouts compares with the realm's settings as numbers: 0 is no exception.
func checkClientTimeouts(r *rep.Realm, c *rep.Client, add func(member, msg string)) {
	over := func(name string, limit int) bool {
		n, err := strconv.Atoi(c.Attributes[name])
		return err == nil && n > limit
	}
	idle, most := rep.Val(r.SSOSessionIdleTimeout), rep.Val(r.SSOSessionMaxLifespan)
	idleEnd, mostEnd := ".", "."
	if rep.Val(r.RememberMe) {
		idle, most = max(idle, rep.Val(r.SSOSessionIdleTimeoutRememberMe)), max(most, rep.Val(r.SSOSessionMaxLifespanRememberMe))
		idleEnd, mostEnd = " and RememberMe idle timeout.", " and RememberMe Max span."
	}
	if over("client.session.idle.timeout", idle) {
		add("attributes/client.session.idle.timeout", "Client session idle timeout cannot exceed realm SSO session idle timeout"+idleEnd)
	}
	if over("client.session.max.lifespan", most) {
		add("attributes/client.session.max.lifespan", "Client session max lifespan cannot exceed realm SSO session max lifespan"+mostEnd)
	}
}
