package oidc

import (
	"net/http"
	"slices"

	"latchkey/internal/iam"
	"latchkey/internal/pages"
	"latchkey/internal/realms"
	"latchkey/internal/web"
)

// frame answers with a page that clients' scripts embed, so other sites may.
// Keycloak: IframeUtil.
func (c *call) frame(v pages.View) error {
	h := c.w.Header()
	h.Set("Cache-Control", web.CacheNoDocument)
	h.Set("Content-Security-Policy", "frame-src 'self'; object-src 'none';")
	c.render(http.StatusOK, pages.Request{}, v, true)
	return nil
}

// statusFrame watches the session for keycloak-js (OpenID Connect Session
// Management 1.0). Keycloak: LoginStatusIframeEndpoint.
func (h *Handler) statusFrame(c *call) error { return c.frame(pages.LoginStatusIframe{}) }

// statusInit tells the frame whether a client may ask from an origin.
func (h *Handler) statusInit(c *call) error {
	web.SecurityHeaders(c.w.Header(), c.realm.SecurityHeaders, "")
	q := c.r.URL.Query()
	client, err := c.realm.ClientByName(c.ctx(), q.Get("client_id"))
	if err != nil && !realms.Missing(err) {
		return err
	}
	status := http.StatusForbidden
	if err == nil && client.Enabled && mayEmbed(&client.Client, q.Get("origin"), c.urls.Of(client.RootURL)) {
		status = http.StatusNoContent
	}
	c.w.WriteHeader(status)
	return nil
}

// mayEmbed reports whether a client's pages live at an origin; those of this
// server always may.
func mayEmbed(c *iam.Client, origin, base string) bool {
	allowed := c.Origins(base)
	return origin != "" && (slices.Contains(allowed, "*") || slices.Contains(allowed, origin) || origin == iam.OriginOf(base))
}

// cookies1 and cookies2 find out for keycloak-js whether the browser keeps
// cookies of embedded pages. Keycloak: ThirdPartyCookiesIframeEndpoint.
func (h *Handler) cookies1(c *call) error { return c.frame(pages.ThirdPartyCookies1{}) }

func (h *Handler) cookies2(c *call) error { return c.frame(pages.ThirdPartyCookies2{}) }

// showCode is where a program without an address finds its code.
// Keycloak: OIDCLoginProtocolService.installedAppUrnCallback.
func (h *Handler) showCode(c *call) error {
	q := c.r.URL.Query()
	c.page(http.StatusOK, pages.Request{}, pages.Code{Code: q.Get("code"), Error: q.Get("error")})
	return nil
}
