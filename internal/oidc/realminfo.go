package oidc

import (
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"

	"latchkey/internal/iam"
	"latchkey/internal/keys"
	"latchkey/internal/realms"
	"latchkey/internal/web"
)

// realmInfo describes the realm as adapters of old ask for it. Keycloak:
// PublicRealmResource.
func (h *Handler) realmInfo(c *call) error {
	c.public()
	c.w.Header().Set("Cache-Control", web.CacheNoCache)
	key, err := c.publicKey()
	if err != nil {
		return err
	}
	notBefore := int64(0)
	if t := c.realm.NotBefore; !t.IsZero() {
		notBefore = t.Unix()
	}
	return c.json(http.StatusOK, struct {
		Realm     string `json:"realm"`
		PublicKey string `json:"public_key,omitempty"`
		Tokens    string `json:"token-service"`
		Account   string `json:"account-service"`
		NotBefore int64  `json:"tokens-not-before"`
	}{c.realm.Name, key, c.endpoint(""), c.issuer() + "/account", notBefore})
}

// publicKey is the realm's RS256 key as the bare base64 that adapters of old
// paste into their configuration, "" when there is none.
func (c *call) publicKey() (string, error) {
	k := keys.Of(c.realm).Active(iam.Sig, "RS256")
	if k == nil {
		return "", nil
	}
	return k.PublicText()
}

// certs publishes the realm's keys. Keycloak: OIDCLoginProtocolService.certs.
func (h *Handler) certs(c *call) error {
	set, err := keys.Of(c.realm).JWKS()
	if err != nil {
		return err
	}
	c.public()
	c.w.Header().Set("Cache-Control", web.CacheNoCache)
	const own = "application/jwk-set+json" // RFC 7517 8.5.2
	if strings.Contains(c.r.Header.Get("Accept"), own) {
		body, err := json.Marshal(set)
		if err != nil {
			return err
		}
		c.bytes(http.StatusOK, own, body)
		return nil
	}
	return c.json(http.StatusOK, set)
}

// toClient leads to a client's home page; one that has none is answered with
// nothing. Keycloak: RealmsResource.getRedirect.
func (h *Handler) toClient(c *call) error {
	web.SecurityHeaders(c.w.Header(), c.realm.SecurityHeaders, "")
	client, err := c.realm.ClientByName(c.ctx(), c.r.PathValue("client"))
	if err != nil && !realms.Missing(err) {
		return err
	}
	home := ""
	if err == nil {
		if home = client.Home(c.urls.Frontend); home == "" {
			home = strings.NewReplacer("${authBaseUrl}", c.urls.Frontend, "${authAdminUrl}", c.urls.Admin).Replace(client.RootURL)
		}
	}
	if home == "" {
		c.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	c.w.Header().Set("Location", home)
	c.w.WriteHeader(http.StatusSeeOther)
	return nil
}
