package oidc

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"latchkey/internal/claims"
	"latchkey/internal/iam"
	"latchkey/internal/pages"
	"latchkey/internal/web"
)

// A responseType is what an authorization request asks to be answered with.
type responseType struct{ code, none, token, idToken bool }

// implicit reports whether tokens come in the answer itself.
func (t responseType) implicit() bool { return t.token || t.idToken }

// parseResponseType reads response_type: a set of words, whose order does not
// count. Keycloak: OIDCResponseType.parse.
func parseResponseType(s string) (t responseType, ok bool) {
	words := strings.Split(strings.TrimSpace(s), " ")
	for _, w := range words {
		switch w {
		case "code":
			t.code = true
		case "none":
			t.none = true
		case "token":
			t.token = true
		case "id_token":
			t.idToken = true
		default:
			return t, false
		}
	}
	return t, len(words) > 0 && (!t.none || len(words) == 1)
}

// responseMode reads response_mode; preset is what counts when it is not given.
// Keycloak: OIDCResponseMode.parse.
func responseMode(s, preset string) (mode string, ok bool) {
	if s == "" {
		return preset, true
	}
	if s == "jwt" {
		return preset + jarm, true
	}
	if slices.Contains(responseModes, s) {
		return s, true
	}
	return "query", false
}

// modeOf is the response mode of a request that has been checked.
func modeOf(q *request) string {
	preset := "query"
	if t, _ := parseResponseType(q.ResponseType); t.implicit() {
		preset = "fragment"
	}
	mode, _ := responseMode(q.ResponseMode, preset)
	return mode
}

// params are what goes back to the client, in order; empty values are left out.
type params []pages.Parameter

func (p *params) add(name, value string) {
	if value != "" {
		*p = append(*p, pages.Parameter{Name: name, Value: value})
	}
}

// state gives the request's state back, also one of no letters.
func (p *params) state(q *request) {
	if q.EmptyState {
		*p = append(*p, pages.Parameter{Name: "state"})
	}
	p.add("state", q.State)
}

func (p params) encode() string {
	var b strings.Builder
	for i, x := range p {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(x.Name) + "=" + url.QueryEscape(x.Value))
	}
	return b.String()
}

// sendError tells the client of a refusal. Keycloak: AuthorizationEndpoint.redirectErrorToClient.
func (c *call) sendError(mode string, client *iam.Client, q *request, code, description string) error {
	var p params
	p.add("error", code)
	p.add("error_description", description)
	p.state(q)
	if client.OIDC.IssuerParam {
		p.add("iss", q.Issuer)
	}
	return c.send(mode, client, q.RedirectURI, p)
}

// jarm ends the modes that wrap the answer in a JWT (JWT Secured Authorization
// Response Mode for OAuth 2.0).
const jarm = ".jwt"

// wrap makes one signed parameter of an answer's parameters, encrypted for a
// client that wants that.
// Keycloak: OIDCRedirectUriBuilder.
func (c *call) wrap(client *iam.Client, p params) (params, error) {
	t := new(claims.Set)
	for _, x := range p {
		t.Put(x.Name, x.Value)
	}
	t.Put("aud", client.ClientID)
	t.Put("iss", c.issuer())
	t.Put("exp", c.door.Now().Add(c.realm.Lifespans.AccessCode).Unix())
	token, err := c.door.Issuer.Sign(c.ctx(), c.realm, t, client.OIDC.ResponseAlg, "JWT")
	if encrypt := c.encryption(client, client.OIDC.Response, "JWT"); err == nil && encrypt != nil {
		token, err = encrypt(token)
	}
	return params{{Name: "response", Value: token}}, err
}

// send takes an answer to the client by way of the browser.
// Keycloak: OIDCRedirectUriBuilder.
func (c *call) send(mode string, client *iam.Client, to string, p params) error {
	if c.login != nil { // the login door has said it otherwise
		c.w.Header().Set("Cache-Control", web.CacheNoPage)
	}
	mode, wrapped := strings.CutSuffix(mode, jarm)
	if wrapped {
		var err error
		if p, err = c.wrap(client, p); err != nil {
			return err
		}
	}
	switch mode {
	case "form_post":
		c.page(http.StatusOK, pages.Request{}, pages.FormPost{URL: to, Parameters: p})
		return nil
	case "fragment":
		sep := "#"
		if i := strings.IndexByte(to, '#'); i >= 0 {
			if sep = "&"; i == len(to)-1 {
				sep = ""
			}
		}
		c.redirect(to + sep + p.encode())
		return nil
	}
	bare, fragment, has := strings.Cut(to, "#")
	sep := "?"
	if i := strings.IndexByte(bare, '?'); i >= 0 {
		if sep = "&"; i == len(bare)-1 {
			sep = ""
		}
	}
	if bare += sep + p.encode(); has {
		bare += "#" + fragment
	}
	c.redirect(bare)
	return nil
}

func (c *call) redirect(to string) {
	web.SecurityHeaders(c.w.Header(), c.realm.SecurityHeaders, "")
	c.w.Header().Set("Location", ascii(to))
	c.w.WriteHeader(http.StatusFound)
}

// ascii escapes the letters of an address that a header cannot carry.
func ascii(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r > unicode.MaxASCII }) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if r > unicode.MaxASCII {
			b.WriteString(url.QueryEscape(string(r)))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
