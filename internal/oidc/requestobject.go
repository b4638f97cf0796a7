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
)

// What the reference says, in events, of objects that it cannot read.
var (
	errNotBuilt    = errors.New("Failed to build JWS")                            //nolint:staticcheck // the reference's words
	errNotVerified = errors.New("Failed to verify signature on 'request' object") //nolint:staticcheck // the same
)

// readRequestObject lays what a request object says over the parameters (OpenID
// Connect Core 6, RFC 9101). Keycloak: AuthorizationEndpointRequestParserProcessor.
func (a *authCall) readRequestObject() error {
	if !a.pushed && !a.pushing && !a.form.Has("response_type") && tokens.HasScope(a.form.Get("scope"), tokens.ScopeOpenID) {
		// OpenID Connect Core 6.1 wants it beside the object; nothing of that counts.
		return nil
	}
	refused := func(reason string) error {
		a.detail("reason", reason)
		return a.refuse("invalid_request", badPage("invalidRequestMessage"))
	}
	byValue, byURI := a.form.Has("request"), a.form.Has("request_uri") && !a.pushed
	if byValue && byURI {
		return refused("Illegal to use both 'request' and 'request_uri' parameters together")
	}
	a.object = iam.ObjectNone
	switch {
	case byValue:
		a.object = iam.ObjectByValue
	case byURI:
		a.object = iam.ObjectByURI
	}
	if d := a.client.OIDC.RequestObjects.Demand; !d.Met(a.object) && !a.pushed && !(a.pushing && d.ByURI && !d.ByValue) {
		return refused(d.Problem)
	}
	text := a.form.Get("request")
	switch {
	case byURI:
		allowed := iam.RedirectsOf(&a.client.Client, a.urls.Of(a.client.RootURL))
		allowed.Patterns, allowed.Forbidden = splitList(a.client.OIDC.RequestObjects.URIs), nil
		uri, ok := allowed.Match(a.form.Get("request_uri"))
		if !ok {
			return refused("Specified 'request_uri' not allowed for this client.")
		}
		var err error
		if text, err = a.fetchRequestObject(uri); err != nil {
			return refused("The request object could not be fetched")
		}
	case !byValue:
		return nil
	}
	said, err := a.openRequestObject(text)
	if err != nil {
		return refused(err.Error())
	}
	if _, ok := said["request_uri"]; ok {
		return refused("The request_uri claim should not be set in the request object")
	}
	if v, ok := said["client_id"]; ok && !a.pushing && textOf(v) != a.client.ClientID {
		return refused("The client_id parameter doesn't match the one from OIDC 'request' or 'request_uri'")
	}
	delete(said, "client_id")
	delete(said, "request")
	if v, ok := said["response_type"]; ok && a.form.Has("response_type") && a.form.Get("response_type") != textOf(v) {
		a.mismatch = true
	}
	for name, v := range said {
		a.form.Set(name, textOf(v))
	}
	return nil
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
func (a *authCall) openRequestObject(text string) (map[string]jsontext.Value, error) {
	if strings.Count(text, ".") != 4 {
		return a.verifyRequestObject(text)
	}
	header, ok := jwtHeader(text)
	if !ok {
		return nil, errNotVerified
	}
	if alg := a.client.OIDC.RequestObjects.Encryption.Alg; alg != "" && alg != "any" && alg != header.Alg {
		//nolint:staticcheck // the reference's words
		return nil, errors.New("Request object encrypted with different algorithm than client requested algorithm")
	}
	if enc := a.client.OIDC.RequestObjects.Encryption.Enc; enc != "" && enc != "any" && enc != header.Enc {
		//nolint:staticcheck // the same
		return nil, errors.New("Request object content encrypted with different algorithm than client requested algorithm")
	}
	for _, k := range keys.Of(a.realm).Accepted(iam.Enc) {
		if k.Private == nil || header.KID != "" && header.KID != k.KID {
			continue
		}
		if plain, err := k.Decrypt(text); err == nil {
			if strings.Count(string(plain), ".") == 2 && !strings.HasPrefix(string(plain), "{") {
				return a.verifyRequestObject(string(plain))
			}
			if demanded := a.signatureDemanded(); demanded != "" && demanded != "none" {
				return nil, errNotVerified
			}
			return claimsOf(plain)
		}
	}
	return nil, errNotVerified
}

func (a *authCall) signatureDemanded() string {
	if alg := a.client.OIDC.RequestObjects.Signature; alg != "any" {
		return alg
	}
	return ""
}

// verifyRequestObject checks the signature; an object without one will do where
// the client does not demand an algorithm (OpenID Connect Core 6.1).
func (a *authCall) verifyRequestObject(text string) (map[string]jsontext.Value, error) {
	header, ok := jwtHeader(text)
	if !ok {
		return nil, errors.New("Failed to parse JWT header") //nolint:staticcheck // the reference's words
	}
	if demanded := a.signatureDemanded(); demanded != "" && demanded != header.Alg {
		return nil, errors.New("Request object signed with different algorithm than client requested algorithm") //nolint:staticcheck // the same
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
	set, err := a.ClientAuth.Keys(a.ctx(), a.realm, &a.client.Client, a.urls.Frontend, t.Header.KID, "sig")
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
func (a *authCall) fetchRequestObject(uri string) (string, error) {
	b, err := a.objects.Get(a.ctx(), uri, a.realm.Reach(&a.client.Client))
	return strings.TrimSpace(string(b)), err
}
