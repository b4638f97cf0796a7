package oidc

import (
	"net/http"
	"strings"

	"latchkey/internal/authn"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
)

// Judge judges a request again, by the client's rules of now: a page or cookie that
// was made under earlier ones leads nowhere else. nil: it is still good.
func (h *Handler) Judge(r *http.Request, realm *realms.Realm, client *realms.Client, asked *iam.LoginRequest) *authn.Unfit {
	c, q := h.call(nil, r, realm), read(asked)
	no := &authn.Unfit{Status: http.StatusBadRequest}
	types, _ := parseResponseType(q.ResponseType)
	off := flowOff(client, types)
	demanded := client.OIDC.PKCE
	switch own := c.issuer() + accountPath; {
	case client.Access == iam.BearerOnly:
		no.Status, no.Event, no.Message = http.StatusForbidden, "not_allowed", "bearerOnlyMessage"
	case q.RedirectURI != "" && q.RedirectURI != own && !c.redirectsTo(client, q.RedirectURI):
		no.Event, no.Message, no.Refusal.Redirect = "invalid_redirect_uri", "invalidRedirectUriMessage", q.RedirectURI
	case q.Device != "" && !client.OIDC.Device:
		no.Event, no.Message, no.Refusal.Setting = "not_allowed", "oauth2DeviceAuthorizationGrantDisabledMessage", iam.AttrDeviceGrant
	case off != "":
		no.Event, no.Message, no.Refusal.Setting = "not_allowed", "invalidRequestMessage", off
	case types.code && q.RedirectURI != own && demanded != "" && (q.Challenge == "" || q.ChallengeAlg != demanded),
		q.Direct && mustPush(realm, client),
		q.Object != "" && !client.OIDC.RequestObjects.Demand.Met(q.Object):
		no.Event, no.Message = "invalid_request", "invalidRequestMessage"
	default:
		return nil
	}
	return no
}

func (c *call) redirectsTo(client *realms.Client, uri string) bool {
	_, ok := iam.RedirectsOf(&client.Client, c.urls.Of(client.RootURL)).Match(uri)
	return ok
}

// accountPath is the account console's, below the realm.
const accountPath = "/account/"

// Unasked is the request of a login that no client has asked for: it ends at the account console.
func (h *Handler) Unasked(c *iam.Client, issuer string) iam.LoginRequest {
	q := request{iam.LoginRequest{Client: c.ID, Issuer: issuer, RedirectURI: issuer + accountPath}, own{ResponseType: "code"}}
	return q.seal()
}

// Details are response type and mode, defaults included. Keycloak: OIDCResponseMode.parse.
func (h *Handler) Details(asked *iam.LoginRequest) map[string]string {
	q := read(asked)
	typ, mode, suffix := q.ResponseType, q.ResponseMode, ""
	if typ == "" {
		typ = "code"
	}
	if mode == "jwt" { // in the type's own way, wrapped
		mode, suffix = "", "_jwt"
	}
	if mode == "" {
		mode = "fragment"
		if !strings.Contains(typ, "token") {
			mode = "query"
		}
		mode += suffix
	}
	return map[string]string{"response_type": typ, "response_mode": strings.ReplaceAll(mode, ".", "_")}
}
