package oidc

import (
	"net/netip"
	"slices"
	"strings"
	"unicode"

	"latchkey/internal/clientauth"
	"latchkey/internal/iam"
	"latchkey/internal/oauth"
	"latchkey/internal/realms"
	"latchkey/internal/web"
)

// A backCall is a request that a client's own program makes, and the client that it
// proves to be.
type backCall struct {
	*call
	credentials clientauth.Credentials
	client      *realms.Client
}

// asWritten are the parameters that say who somebody is, which must be right
// to the letter.
var asWritten = []string{"client_id", "client_secret", "client_assertion", "client_assertion_type", "username", "password"}

// back begins a back-channel call: HTTPS where the realm demands it, an enabled
// realm, the form with control characters taken out but where they say who asks.
func (c *call) back() (*backCall, web.Form, error) {
	form, err := web.ReadForm(c.r)
	if err != nil {
		return nil, form, err
	}
	b, err := c.backAnyway(form)
	if err == nil && !c.realm.Enabled {
		err = oauth.RealmOff
	}
	return b, form, err
}

// backAnyway is back for a form that was read already, also for a realm that is switched off.
func (c *call) backAnyway(form web.Form) (*backCall, error) {
	c.cors = &web.CORS{Methods: []string{"POST"}, Expose: []string{"Access-Control-Allow-Methods"}, Auth: true}
	for name, values := range form.Values {
		if slices.Contains(asWritten, name) {
			continue
		}
		for i, v := range values {
			values[i] = printable(v)
		}
	}
	if !c.secure() {
		return nil, httpsRequired
	}
	return &backCall{call: c, credentials: clientauth.Read(form, c.r.Header.Get("Authorization"))}, nil
}

// authenticateClient says which client sent the request, or refuses it with an
// event. word and answer of a refusal are the reference's.
func (b *backCall) authenticateClient() error {
	p, err := b.door.ClientAuth.Authenticate(b.ctx(), b.realm, clientauth.Request{
		Credentials: b.credentials, Base: b.urls.Frontend, Backchannel: b.urls.Backchannel,
	})
	if err != nil {
		return err
	}
	b.event.Client = p.Named
	for name, value := range p.Details {
		b.detail(name, value)
	}
	if p.Refusal != nil {
		return p.Refusal
	}
	b.client = p.Client
	return clientauth.Admit(&b.client.Client)
}

// printable: StringUtil.removeControlCharacters.
func printable(s string) string {
	if strings.IndexFunc(s, unicode.IsControl) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, s)
}

// secure tells whether the realm's rule about HTTPS is kept.
func (c *call) secure() bool {
	q := web.RequestOf(c.r)
	switch {
	case q.Secure || c.realm.SSL == iam.SSLNone:
		return true
	case c.realm.SSL == iam.SSLAll:
		return false
	}
	// Keycloak: SslRequired.isLocal.
	ip, err := netip.ParseAddr(q.Addr)
	return err == nil && (ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast())
}

// anyOrigin lets scripts of every origin read a refusal that comes before the
// client is known.
func (c *call) anyOrigin() {
	if c.cors == nil {
		return
	}
	open := *c.cors
	open.Origins = []string{"*"}
	open.Apply(c.w, c.r)
}

// checkOrigin refuses scripts of origins that the client does not allow. The
// server's own pages are of no other origin. Keycloak: DefaultCors.add.
func (c *call) checkOrigin(client *realms.Client) error {
	c.cors.Origins = client.Origins(c.urls.Of(client.RootURL))
	if !c.cors.Apply(c.w, c.r) && c.r.Header.Get("Origin") != iam.OriginOf(c.urls.Frontend) {
		return wrongOrigin
	}
	return nil
}

// noStore keeps tokens out of caches (RFC 6749 5.1).
func (c *call) noStore() {
	c.w.Header().Set("Cache-Control", "no-store")
	c.w.Header().Set("Pragma", "no-cache")
}

// postPreflight answers the preflight of an endpoint that is posted to.
func (h *Handler) postPreflight(c *call) error {
	web.SecurityHeaders(c.w.Header(), c.realm.SecurityHeaders, "")
	web.CORS{Methods: []string{"POST", "OPTIONS"}, Auth: true}.Preflight(c.w, c.r)
	return nil
}
