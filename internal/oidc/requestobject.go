package oidc

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"latchkey/internal/iam"
	"latchkey/internal/jose"
	"latchkey/internal/keys"
	"latchkey/internal/tokens"
	"latchkey/internal/web"
)

// What the reference says, in events, of objects that it cannot take.
//
//nolint:staticcheck // the reference's words
var (
	errNotBuilt     = errors.New("Failed to build JWS")
	errNotVerified  = errors.New("Failed to verify signature on 'request' object")
	errNoHeader     = errors.New("Failed to parse JWT header")
	errOtherSigning = errors.New("Request object signed with different algorithm than client requested algorithm")
	errOtherAlg     = errors.New("Request object encrypted with different algorithm than client requested algorithm")
	errOtherEnc     = errors.New("Request object content encrypted with different algorithm than client requested algorithm")
	errURI          = errors.New("Specified 'request_uri' not allowed for this client.")
	errNotFetched   = errors.New("The request object could not be fetched")
	errNested       = errors.New("The request_uri claim should not be set in the request object")
	errOtherClient  = errors.New("The client_id parameter doesn't match the one from OIDC 'request' or 'request_uri'")
)

// takeRequestObject lays what a request object says over the parameters (OpenID
// Connect Core 6, RFC 9101). Keycloak: AuthorizationEndpointRequestParserProcessor.
func (c *call) takeRequestObject(a *asking, form web.Form) error {
	from := &a.from
	if !from.pushed && !from.pushing && !form.Has("response_type") && tokens.HasScope(form.Get("scope"), tokens.ScopeOpenID) {
		// OpenID Connect Core 6.1 wants it beside the object; nothing of that counts.
		return nil
	}
	byValue, byURI := form.Has("request"), form.Has("request_uri") && !from.pushed
	if byValue && byURI {
		return authObject.with("$why", "Illegal to use both 'request' and 'request_uri' parameters together")
	}
	from.object = iam.ObjectNone
	switch {
	case byValue:
		from.object = iam.ObjectByValue
	case byURI:
		from.object = iam.ObjectByURI
	}
	if d := a.client.OIDC.RequestObjects.Demand; !d.Met(from.object) && !from.pushed && !(from.pushing && d.ByURI && !d.ByValue) {
		return authObject.with("$why", d.Problem)
	}
	if from.object == iam.ObjectNone {
		return nil
	}
	said, err := c.readRequestObject(a, form)
	if err != nil {
		return authObject.with("$why", err.Error())
	}
	if v, ok := said["response_type"]; ok && form.Has("response_type") && form.Get("response_type") != textOf(v) {
		from.mismatch = true
	}
	for name, v := range said {
		form.Set(name, textOf(v))
	}
	return nil
}

// readRequestObject is what a request object says; err is in the reference's words.
func (c *call) readRequestObject(a *asking, form web.Form) (said map[string]jsontext.Value, err error) {
	text := form.Get("request")
	if a.from.object == iam.ObjectByURI {
		allowed := iam.RedirectsOf(&a.client.Client, a.urls.Of(a.client.RootURL))
		allowed.Patterns, allowed.Forbidden = splitList(a.client.OIDC.RequestObjects.URIs), nil
		uri, ok := allowed.Match(form.Get("request_uri"))
		if !ok {
			return nil, errURI
		}
		if text, err = c.fetchRequestObject(a, uri); err != nil {
			return nil, errNotFetched
		}
	}
	if said, err = c.openRequestObject(a, text); err != nil {
		return nil, err
	}
	if _, ok := said["request_uri"]; ok {
		return nil, errNested
	}
	if v, ok := said["client_id"]; ok && !a.from.pushing && textOf(v) != a.client.ClientID {
		return nil, errOtherClient
	}
	delete(said, "client_id")
	delete(said, "request")
	return said, nil
}

// splitList splits a client attribute that holds a list.
func splitList(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "##")
}

// textOf is a claim as a parameter. Keycloak: AuthzEndpointRequestObjectParser.getParameter.
func textOf(v jsontext.Value) string {
	var s string
	if v.Kind() == '"' && json.Unmarshal(v, &s) == nil {
		return s
	}
	_ = v.Compact()
	return string(v)
}

// openRequestObject decrypts and verifies an object for the client.
// Keycloak: DefaultTokenManager.decodeClientJWT.
func (c *call) openRequestObject(a *asking, text string) (map[string]jsontext.Value, error) {
	if strings.Count(text, ".") != 4 {
		return c.verifyRequestObject(a, text)
	}
	header, ok := jwtHeader(text)
	if !ok {
		return nil, errNotVerified
	}
	if alg := a.client.OIDC.RequestObjects.Encryption.Alg; alg != "" && alg != "any" && alg != header.Alg {
		//nolint:staticcheck // the reference's words
		return nil, errOtherAlg
	}
	if enc := a.client.OIDC.RequestObjects.Encryption.Enc; enc != "" && enc != "any" && enc != header.Enc {
		//nolint:staticcheck // the same
		return nil, errOtherEnc
	}
	for _, k := range keys.Of(a.realm).Accepted(iam.Enc) {
		if k.Private == nil || header.KID != "" && header.KID != k.KID {
			continue
		}
		if plain, err := k.Decrypt(text); err == nil {
			if strings.Count(string(plain), ".") == 2 && !strings.HasPrefix(string(plain), "{") {
				return c.verifyRequestObject(a, string(plain))
			}
			if demanded := a.signatureDemanded(); demanded != "" && demanded != "none" {
				return nil, errNotVerified
			}
			return claimsOf(plain)
		}
	}
	return nil, errNotVerified
}

func (a *asking) signatureDemanded() string {
	if alg := a.client.OIDC.RequestObjects.Signature; alg != "any" {
		return alg
	}
	return ""
}

// verifyRequestObject checks the signature; an object without one will do where
// the client does not demand an algorithm (OpenID Connect Core 6.1).
func (c *call) verifyRequestObject(a *asking, text string) (map[string]jsontext.Value, error) {
	header, ok := jwtHeader(text)
	if !ok {
		return nil, errNoHeader
	}
	if demanded := a.signatureDemanded(); demanded != "" && demanded != header.Alg {
		return nil, errOtherSigning
	}
	if header.Alg == "none" {
		_, rest, _ := strings.Cut(text, ".")
		body, _, _ := strings.Cut(rest, ".")
		plain, err := base64.RawURLEncoding.DecodeString(body)
		if err != nil {
			return nil, errNotBuilt
		}
		return claimsOf(plain)
	}
	t, err := jose.Parse(text)
	if err != nil || !jose.Known(t.Header.Alg) {
		return nil, errNotBuilt
	}
	if jose.Symmetric(t.Header.Alg) {
		k := &jose.Key{Alg: t.Header.Alg, Secret: a.client.Secret}
		if len(k.Secret) == 0 || t.Verify(k) != nil {
			return nil, errNotVerified
		}
		return claimsOf(t.Payload)
	}
	set, err := c.door.ClientAuth.Keys(c.ctx(), a.realm, &a.client.Client, a.urls.Frontend, t.Header.KID, "sig")
	if err != nil {
		return nil, errNotVerified
	}
	if _, err := set.Verify(t); err != nil {
		return nil, errNotVerified
	}
	return claimsOf(t.Payload)
}

// claimsOf reads the members of an object; other JSON has none.
func claimsOf(plain []byte) (map[string]jsontext.Value, error) {
	var v jsontext.Value
	if json.Unmarshal(plain, &v) != nil {
		return nil, errNotVerified
	}
	said := map[string]jsontext.Value{}
	if v.Kind() == '{' && json.Unmarshal(v, &said) != nil {
		return nil, errNotVerified
	}
	return said, nil
}

type joseHeader struct {
	Alg string `json:"alg"`
	Enc string `json:"enc"`
	KID string `json:"kid"`
}

func jwtHeader(token string) (h joseHeader, ok bool) {
	head, _, ok := strings.Cut(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(head, "="))
	return h, ok && err == nil && json.Unmarshal(raw, &h) == nil
}

// fetchRequestObject reads an object from an address that the client's settings allow.
func (c *call) fetchRequestObject(a *asking, uri string) (string, error) {
	b, err := c.door.objects.Get(c.ctx(), uri, a.realm.Reach(&a.client.Client))
	return strings.TrimSpace(string(b)), err
}
