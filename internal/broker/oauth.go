package broker

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"latchkey/internal/iam"
	"latchkey/internal/jose"
	"latchkey/internal/realms"
)

// oauth are providers that tell who somebody is by a profile, which their access token opens.
// Keycloak: AbstractOAuth2IdentityProvider.
type oauth struct {
	s *Service
	social
}

// authorize makes the address of an authorization request (RFC 6749 4.1.1).
// Keycloak: AbstractOAuth2IdentityProvider.createAuthorizationUrl, OIDCIdentityProvider.createAuthorizationUrl.
func authorize(v *Visit, openID bool) (string, error) {
	p := v.Provider
	u, err := url.Parse(p.Config["authorizationUrl"])
	if err != nil || u.Host == "" {
		return "", refuse("the provider has no authorization URL")
	}
	q := u.Query()
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	scope := p.Config["defaultScope"]
	if openID && !slices.Contains(strings.Fields(scope), "openid") {
		scope = strings.TrimSpace("openid " + scope)
	}
	set("scope", scope)
	set("state", v.State)
	set("response_type", "code")
	set("client_id", p.Config["clientId"])
	set("redirect_uri", v.Back())
	if p.Flag("loginHint") {
		set("login_hint", v.LoginHint)
	}
	if p.Flag("uiLocales") {
		set("ui_locales", v.Locale)
	}
	set("prompt", cmp.Or(p.Config["prompt"], v.Params["prompt"]))
	if p.Provider == "google" { // Keycloak: GoogleIdentityProvider.createAuthorizationUrl
		set("hd", p.Config["hostedDomain"])
		if p.Flag("offlineAccess") {
			set("access_type", "offline")
		}
	}
	for name, value := range socials[p.Provider].ask {
		set(name, value)
	}
	if openID {
		if p.Flag("passMaxAge") {
			set("max_age", v.Params["max_age"])
		}
		if !p.Flag("disableNonce") {
			set("nonce", v.Nonce)
		}
	}
	if p.Flag("pkceEnabled") {
		challenge, method := v.Verifier, "plain"
		if p.Config["pkceMethod"] != "plain" {
			sum := sha256.Sum256([]byte(v.Verifier))
			challenge, method = base64.RawURLEncoding.EncodeToString(sum[:]), "S256"
		}
		set("code_challenge", challenge)
		set("code_challenge_method", method)
	}
	for _, name := range strings.Split(p.Config["forwardParameters"], ",") {
		if name = strings.TrimSpace(name); name != "" && !q.Has(name) {
			set(name, v.Params[name])
		}
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}

func (k oauth) To(ctx context.Context, v *Visit) (string, error) {
	if err := k.s.found(ctx, k.social, v.Provider); err != nil {
		return "", err
	}
	return authorize(v, false)
}

// Out: OAuth 2.0 knows no logout.
func (oauth) Out(*iam.IdentityProvider, Outgoing) string { return "" }

// Came redeems the code and reads the profile.
func (k oauth) Came(ctx context.Context, v *Visit, q url.Values) (*iam.Brokered, error) {
	if err := k.s.found(ctx, k.social, v.Provider); err != nil {
		return nil, err
	}
	got, err := k.s.redeem(ctx, v, q.Get("code"))
	if err != nil {
		return nil, err
	}
	doc, err := k.s.profile(ctx, v, got.Access, k.social)
	if err != nil {
		return nil, err
	}
	said := k.identity(v.Provider, doc)
	said.Kept = string(got.raw)
	if said.Email == "" && k.emails != "" {
		if err := k.s.addEmail(ctx, k.social, v, got.Access, said); err != nil {
			return nil, err
		}
	}
	return named(said)
}

// named fills in what a provider may leave out. Without an id nobody is known.
func named(said *iam.Brokered) (*iam.Brokered, error) {
	if said.ID == "" || !iam.Storable(said.ID) || len(said.ID) > iam.MaxName {
		return nil, refuse("the provider did not say who that is")
	}
	said.Username = cmp.Or(said.Username, said.Email, said.ID)
	return said, nil
}

// splitName is what a full name says of first and last. Keycloak: BrokeredIdentityContext.setName.
func splitName(full string) (first, last string) {
	full = strings.TrimSpace(full)
	if i := strings.LastIndexByte(full, ' '); i > 0 {
		return full[:i], full[i+1:]
	}
	return full, ""
}

// An answer is what a token endpoint says (RFC 6749 5.1).
type answer struct {
	Access  string `json:"access_token"`
	ID      string `json:"id_token"`
	Session string `json:"session_state"`
	Error   string `json:"error"`
	raw     []byte
}

// redeem gives a code back for tokens. Keycloak: AbstractOAuth2IdentityProvider.Endpoint.authResponse.
func (s *Service) redeem(ctx context.Context, v *Visit, code string) (*answer, error) {
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {v.Back()}}
	if v.Provider.Flag("pkceEnabled") {
		form.Set("code_verifier", v.Verifier)
	}
	return s.tokens(ctx, v.Realm, v.Provider, v.Issuer, form)
}

// tokens asks a provider's token endpoint.
func (s *Service) tokens(ctx context.Context, r *realms.Realm, p *iam.IdentityProvider, issuer string, form url.Values) (*answer, error) {
	header := http.Header{}
	if err := s.prove(ctx, r, p, issuer, form, header); err != nil {
		return nil, err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, p.Config["tokenUrl"], strings.NewReader(form.Encode()))
	if err != nil {
		return nil, &Unreachable{"token endpoint", errors.New("not an address")}
	}
	q.Header = header
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	q.Header.Set("Accept", "application/json")
	doc, status, err := s.ask(q)
	if err != nil {
		return nil, &Unreachable{"token endpoint", err}
	}
	got := &answer{raw: doc}
	if err := json.Unmarshal(doc, got); err != nil {
		values, failed := url.ParseQuery(string(doc)) // as some did before RFC 6749
		if failed != nil || !values.Has("access_token") {
			return nil, &Unreachable{"token endpoint", fmt.Errorf("answered %d, which is no JSON", status)}
		}
		got.Access = values.Get("access_token")
	}
	if status/100 == 5 {
		return nil, &Unreachable{"token endpoint", fmt.Errorf("answered %d %s", status, iam.Cut(got.Error, 100))}
	}
	if status/100 != 2 || got.Error != "" || got.Access == "" && got.ID == "" {
		return nil, refuse("the token endpoint answered %d %s", status, iam.Cut(got.Error, 100))
	}
	return got, nil
}

// prove says who the realm is to its provider. Keycloak: AbstractOAuth2IdentityProvider.authenticateTokenRequest.
func (s *Service) prove(ctx context.Context, r *realms.Realm, p *iam.IdentityProvider, issuer string, form url.Values,
	header http.Header) error {
	id, secret := p.Config["clientId"], p.Config["clientSecret"]
	switch method := p.Config["clientAuthMethod"]; method {
	case "client_secret_basic":
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret))))
	case "client_secret_basic_unencoded":
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(id+":"+secret)))
	case methodApple:
		jwt, err := s.appleSecret(p)
		if err != nil {
			return err
		}
		form.Set("client_id", id)
		form.Set("client_secret", jwt)
	case "private_key_jwt", "client_secret_jwt":
		key := &jose.Key{Alg: cmp.Or(p.Config["clientAssertionSigningAlg"], "HS256"), Secret: []byte(secret)}
		if method == "private_key_jwt" {
			k, err := s.Keys.Signer(ctx, r, cmp.Or(p.Config["clientAssertionSigningAlg"], "RS256"))
			if err != nil {
				return err
			}
			key = k.Key
		}
		now := s.Now()
		jwt, err := key.SignJSON("JWT", map[string]any{
			"jti": uuid.NewString(), "iss": id, "sub": id, "aud": cmp.Or(p.Config["clientAssertionAudience"], p.Config["tokenUrl"]),
			"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Minute).Unix(),
		})
		if err != nil {
			return err
		}
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", jwt)
	default:
		form.Set("client_id", id)
		if secret != "" {
			form.Set("client_secret", secret)
		}
	}
	return nil
}

// methodApple is how Apple is told who asks: the secret is a token of a minute that the team's key signs.
// https://developer.apple.com/documentation/accountorganizationaldatasharing/creating-a-client-secret
const methodApple = "apple"

func (s *Service) appleSecret(p *iam.IdentityProvider) (string, error) {
	private, err := jose.ParsePrivateKey(p.Config["clientSecret"])
	if err != nil {
		return "", refuse("the team's key cannot be read")
	}
	now := s.Now()
	audience, _, _ := strings.Cut(p.Config["issuer"], ",")
	key := &jose.Key{Alg: "ES256", KID: p.Config["keyId"], Private: private}
	return key.SignJSON("JWT", map[string]any{"iss": p.Config["teamId"], "sub": p.Config["clientId"], "aud": audience,
		"iat": now.Unix(), "exp": now.Add(time.Minute).Unix()})
}

// profile reads what a provider tells of whom an access token is of.
func (s *Service) profile(ctx context.Context, v *Visit, access string, k social) ([]byte, error) {
	address := v.Provider.Config["userInfoUrl"] + k.fill(v.Provider, access)
	if strings.Contains(k.query, "{token}") {
		access = "" // it is in the address
	}
	doc, err := s.get(ctx, address, access)
	if err != nil {
		return nil, err
	}
	return k.narrow(doc)
}

func (s *Service) get(ctx context.Context, address, access string) ([]byte, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, &Unreachable{"profile", errors.New("not an address")}
	}
	if access != "" {
		q.Header.Set("Authorization", "Bearer "+access)
	}
	q.Header.Set("Accept", "application/json")
	doc, status, err := s.ask(q)
	if err != nil {
		return nil, &Unreachable{"profile", err}
	}
	if status/100 == 5 {
		return nil, &Unreachable{"profile", fmt.Errorf("answered %d", status)}
	}
	if status/100 != 2 {
		return nil, refuse("the profile was answered %d", status)
	}
	return doc, nil
}

func (s *Service) ask(q *http.Request) (doc []byte, status int, err error) {
	a, err := s.Client.Do(q, iam.ReachAll)
	if err != nil {
		if inner, ok := errors.AsType[*url.Error](err); ok { // the address may hold a token
			err = inner.Err
		}
		return nil, 0, err
	}
	defer a.Body.Close()
	doc, err = io.ReadAll(a.Body)
	return doc, a.StatusCode, err
}
