package broker

import (
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/jose"
)

// openid are OpenID providers. Keycloak: OIDCIdentityProvider, KeycloakOIDCIdentityProvider.
type openid struct {
	s        *Service
	keycloak bool   // its access tokens are JWTs, whose roles mappers read
	social   social // of a well-known one: what its profile says, where that is no userinfo
}

func (k openid) To(_ context.Context, v *Visit) (string, error) { return authorize(v, true) }

// Out is OpenID Connect RP-Initiated Logout 1.0. Keycloak: OIDCIdentityProvider.keycloakInitiatedBrowserLogout.
func (k openid) Out(p *iam.IdentityProvider, o Outgoing) string {
	u, err := url.Parse(p.Config["logoutUrl"])
	if err != nil || u.Host == "" {
		return ""
	}
	q := u.Query()
	q.Set("state", o.Session)
	if sends := p.Config["sendIdTokenOnLogout"]; o.IDToken != "" && sends != "false" {
		q.Set("id_token_hint", o.IDToken)
	}
	if p.Flag("sendClientIdOnLogout") {
		q.Set("client_id", p.Config["clientId"])
	}
	if o.Back != "" {
		q.Set("post_logout_redirect_uri", o.Back)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// Came redeems the code, checks the ID token (OpenID Connect Core 3.1.3.7) and reads the userinfo.
// Keycloak: OIDCIdentityProvider.getFederatedIdentity.
func (k openid) Came(ctx context.Context, v *Visit, q url.Values) (*iam.Brokered, error) {
	p := v.Provider
	got, err := k.s.redeem(ctx, v, q.Get("code"))
	if err != nil {
		return nil, err
	}
	if got.ID == "" {
		return nil, refuse("there is no ID token")
	}
	token, err := k.s.verify(ctx, p, got.ID)
	if err != nil {
		return nil, err
	}
	if iss := q.Get("iss"); iss != "" && !trusted(p, iss) { // RFC 9207; each provider has a redirect URI of its own besides
		return nil, refuse("the answer is of issuer %s", iam.Cut(iss, 200))
	}
	c := claimsOf(token.Payload)
	if want := v.Nonce; !p.Flag("disableNonce") && subtle.ConstantTimeCompare([]byte(c.text("nonce")), []byte(want)) != 1 {
		return nil, &Refused{Why: "the ID token's nonce is not this login's", Reason: iam.ProviderState}
	}
	if p.Flag("filteredByClaim") && !essential(p, c) {
		return nil, &Refused{Why: "the ID token lacks the essential claim", Key: "federatedIdentityUnmatchedEssentialClaimMessage"}
	}
	if !hosted(p, c) {
		return nil, refuse("the account is of none of the domains that the provider's settings name")
	}
	all := claims{}
	if address := p.Config["userInfoUrl"]; address != "" && !p.Flag("disableUserInfo") && got.Access != "" {
		doc, err := k.s.profile(ctx, v, got.Access, k.social)
		if err != nil {
			return nil, err
		}
		if k.social.id != "" {
			said := k.social.identity(p, doc)
			if said.ID != c.text("sub") {
				return nil, refuse("the profile is about somebody else than the ID token")
			}
			said.IDToken, said.Kept = got.ID, string(got.raw)
			return named(said)
		}
		if t, err := jose.Parse(strings.TrimSpace(string(doc))); err == nil { // application/jwt
			if doc = nil; k.s.signature(ctx, p, t) == nil {
				doc = t.Payload
			}
		}
		all = claimsOf(doc)
		if all.text("sub") != c.text("sub") { // OpenID Connect Core 5.3.2
			return nil, refuse("the userinfo is about somebody else than the ID token")
		}
	}
	if a, b := c.text("email"), all.text("email"); a != "" && b != "" && !strings.EqualFold(a, b) && (c["email_verified"] != nil ||
		all["email_verified"] != nil) {
		for _, doc := range []claims{c, all} { // what is said of one address is not said of the other
			if doc["email_verified"] == nil {
				doc["email_verified"] = false
			}
		}
	}
	// userinfo is the newer
	for _, name := range []string{"name", "given_name", "family_name", "email", "email_verified", "preferred_username"} {
		if own, ok := c[name]; ok && all[name] == nil {
			all[name] = own
		}
	}
	return k.identity(v, got, c, all, q.Get("user"))
}

// identity is who the claims are about. Keycloak: OIDCIdentityProvider.extractIdentity.
func (k openid) identity(v *Visit, got *answer, id, all claims, form string) (*iam.Brokered, error) {
	p := v.Provider
	said := &iam.Brokered{Provider: p.Alias, ID: id.text("sub"), Username: all.text(cmp.Or(p.Config["userNameClaim"], "preferred_username")),
		Email:    all.text("email"),
		Verified: all.truth("email_verified"), FirstName: all.text("given_name"), LastName: all.text("family_name"), IDToken: got.ID,
		Kept: string(got.raw)}
	if said.FirstName == "" && said.LastName == "" {
		said.FirstName, said.LastName = splitName(all.text("name"))
	}
	if sid := cmp.Or(got.Session, id.text("sid")); sid != "" {
		said.Session = p.Alias + "." + sid
	}
	if p.Provider == "apple" {
		appleName(said, form)
	}
	maps.Copy(all, id)
	doc, err := json.Marshal(all)
	if err != nil {
		return nil, err
	}
	said.Claims = doc
	if k.keycloak {
		if t, err := jose.Parse(got.Access); err == nil && json.Valid(t.Payload) { // the provider's own word, straight from it
			said.Access = t.Payload
		}
	}
	return named(said)
}

// appleName takes what Apple tells of a name, once, through the browser: of the address only its ID token is believed.
func appleName(said *iam.Brokered, form string) {
	var user struct {
		Name struct {
			First string `json:"firstName"`
			Last  string `json:"lastName"`
		} `json:"name"`
	}
	if json.Unmarshal([]byte(form), &user) == nil {
		said.FirstName, said.LastName = iam.Cut(user.Name.First, iam.MaxName), iam.Cut(user.Name.Last, iam.MaxName)
	}
}

// trusted tells whether an issuer is the provider's, or whether it says none.
func trusted(p *iam.IdentityProvider, issuer string) bool {
	names := strings.Split(p.Config["issuer"], ",")
	return p.Config["issuer"] == "" || slices.ContainsFunc(names, func(n string) bool { return strings.TrimSpace(n) == issuer })
}

// essential tells whether the claim that a provider must say is there.
func essential(p *iam.IdentityProvider, c claims) bool {
	value, err := regexp.Compile("^(?:" + p.Config["claimFilterValue"] + ")$")
	return err == nil && slices.ContainsFunc(texts(c.at(p.Config["claimFilterName"])), value.MatchString)
}

// hosted tells whether a Google account is of one of the domains that the settings name: what is asked for by the parameter hd
// is the browser's to change. Keycloak: GoogleIdentityProvider.validateToken.
func hosted(p *iam.IdentityProvider, c claims) bool {
	list := p.Config["hostedDomain"]
	if p.Provider != "google" || list == "" {
		return true
	}
	domain := c.text("hd")
	return domain != "" && (list == "*" || slices.ContainsFunc(strings.Split(list, ","),
		func(d string) bool { return strings.TrimSpace(d) == domain }))
}

// verify checks a token that a provider signed for the realm: who signed it, for whom, and when.
// Keycloak: OIDCIdentityProvider.validateToken.
func (s *Service) verify(ctx context.Context, p *iam.IdentityProvider, raw string) (*jose.Token, error) {
	t, err := jose.Parse(raw)
	if err != nil {
		return nil, refuse("the token is none: %v", err)
	}
	if err := s.signature(ctx, p, t); err != nil {
		return nil, err
	}
	var c struct {
		Issuer    string   `json:"iss"`
		Party     string   `json:"azp"`
		Expires   *float64 `json:"exp"`
		NotBefore float64  `json:"nbf"`
	}
	if err := json.Unmarshal(t.Payload, &c); err != nil {
		return nil, refuse("the token cannot be read")
	}
	skew, _ := strconv.ParseFloat(p.Config["allowedClockSkew"], 64)
	now := float64(s.Now().UnixMilli()) / 1000
	client := p.Config["clientId"]
	switch {
	case !trusted(p, c.Issuer):
		return nil, refuse("the token is of issuer %s", iam.Cut(c.Issuer, 200))
	case !slices.Contains(texts(claimsOf(t.Payload)["aud"]), client):
		return nil, refuse("the token is for somebody else")
	case c.Party != "" && c.Party != client:
		return nil, refuse("the token was issued for somebody else")
	case c.Expires != nil && *c.Expires+skew <= now:
		return nil, refuse("the token has expired")
	case c.NotBefore-skew > now:
		return nil, refuse("the token is not good yet")
	}
	return t, nil
}

// signature checks a token's signature by the provider's keys, or by the key that its settings
// hold. One that no key is for is refused whenever signatures are checked, "none" among them.
func (s *Service) signature(ctx context.Context, p *iam.IdentityProvider, t *jose.Token) error {
	if !p.Flag("validateSignature") {
		return nil
	}
	var set jose.Set
	switch {
	case jose.Symmetric(t.Header.Alg):
		set = jose.Set{{Alg: t.Header.Alg, Secret: []byte(p.Config["clientSecret"]), KID: t.Header.KID}}
		// only where it is said: a public key is no secret, and secrets sign nothing by default
		if asked := p.Config["jwtSigningAlg"]; asked != t.Header.Alg {
			return refuse("the token is signed with %s", t.Header.Alg)
		}
	case p.Flag("useJwksUrl"):
		var err error
		if set, err = s.keysAt(ctx, p.Config["jwksUrl"], t.Header.KID); err != nil {
			return err
		}
	default:
		pub, err := jose.ParsePublicKey(p.Config["publicKeySignatureVerifier"])
		if err != nil {
			return refuse("the provider's key cannot be read")
		}
		key := &jose.Key{Public: pub, KID: t.Header.KID}
		if kid := p.Config["publicKeySignatureVerifierKeyId"]; kid != "" {
			key.KID = kid
		}
		set = jose.Set{key}
	}
	if _, err := set.Verify(t); err != nil {
		return refuse("the token's signature is not good: %v", err)
	}
	return nil
}

// NoteIDToken is the session's note of the provider's ID token, with which it is asked to end its session.
// Keycloak: AbstractOAuth2IdentityProvider.FEDERATED_ID_TOKEN.
const NoteIDToken = "FEDERATED_ID_TOKEN"

// EndThere asks a provider itself to end its session, and tells whether it was asked.
// Keycloak: OIDCIdentityProvider.backchannelLogout.
func (s *Service) EndThere(ctx context.Context, p *iam.IdentityProvider, o Outgoing) (asked bool, err error) {
	kind, err := s.Kind(p.Provider)
	if err != nil {
		return false, err
	}
	to := kind.Out(p, o)
	if to == "" {
		return false, nil
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, to, nil)
	if err != nil {
		return false, &Unreachable{"logout", errors.New("not an address")}
	}
	if _, status, err := s.ask(q); err != nil {
		return true, &Unreachable{"logout", err}
	} else if status/100 != 2 && status != http.StatusFound {
		return true, refuse("the logout was answered %d", status)
	}
	return true, nil
}

// A Logout is what a provider tells by its back channel (OpenID Connect Back-Channel Logout 1.0).
type Logout struct {
	Provider string
	Subject  string // "" or the user's id there
	Session  string // "" or the session's, as sessions hold it: "alias.sid"
	Offline  bool   // offline sessions end, too
}

// backEvent is the event of a logout token.
const backEvent = "http://schemas.openid.net/event/backchannel-logout"

// ReadLogout checks a logout token. Keycloak: TokenManager.verifyLogoutToken, LogoutTokenValidationCode.
func (s *Service) ReadLogout(ctx context.Context, list []*iam.IdentityProvider, raw string) (out []Logout, err error) {
	t, err := jose.Parse(raw)
	if err != nil {
		return nil, refuse("The decode of the logoutToken failed")
	}
	var c struct {
		Issuer  string                     `json:"iss"`
		Subject string                     `json:"sub"`
		Session string                     `json:"sid"`
		Nonce   string                     `json:"nonce"`
		ID      string                     `json:"jti"`
		Issued  float64                    `json:"iat"`
		Events  map[string]json.RawMessage `json:"events"`
	}
	if json.Unmarshal(t.Payload, &c) != nil {
		return nil, refuse("The decode of the logoutToken failed")
	}
	var known bool
	for _, p := range list {
		p = Complete(p)
		if p.Config["issuer"] == "" || !trusted(p, c.Issuer) || !p.Enabled {
			continue
		}
		known = true
		if !p.Flag("validateSignature") { // anybody may write such a token: it comes from no token endpoint
			continue
		}
		if _, err := s.verify(ctx, p, raw); err != nil {
			continue
		}
		skew, _ := strconv.ParseFloat(p.Config["allowedClockSkew"], 64)
		if float64(s.Now().Unix())-c.Issued > time.Minute.Seconds()*2+skew {
			continue // it is too old
		}
		l := Logout{Provider: p.Alias, Subject: c.Subject}
		if c.Session != "" {
			l.Session = p.Alias + "." + c.Session
		}
		var how struct {
			Offline bool `json:"revoke_offline_access"`
		}
		_ = json.Unmarshal(c.Events[backEvent], &how)
		l.Offline = how.Offline
		out = append(out, l)
	}
	_, event := c.Events[backEvent]
	switch {
	case !known:
		return nil, refuse("No Identity Provider has been found")
	case len(out) == 0:
		return nil, refuse("The signature verification of the logoutToken failed")
	case c.Subject == "" && c.Session == "":
		return nil, refuse("The logoutToken must contain a sub or a sid")
	case !event:
		return nil, refuse("The logoutToken event claim is missing")
	case c.Nonce != "":
		return nil, refuse("The logoutToken must not contain a nonce")
	case c.ID == "":
		return nil, refuse("The logoutToken must contain a jti")
	}
	return out, nil
}
