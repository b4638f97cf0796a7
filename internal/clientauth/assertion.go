package clientauth

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/go-json-experiment/json"

	"latchkey/internal/iam"
	"latchkey/internal/jose"
	"latchkey/internal/oauth"
)

const assertionJWT = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// assertionSkew is by how many seconds a client's clock may differ.
const assertionSkew = 15

// An assertion is a JWT with which a client proves who it is (RFC 7523).
type assertion struct {
	jws *jose.Token
	err error // that it could not be read
	assertionClaims
}

type assertionClaims struct {
	ID        string    `json:"jti"`
	Issuer    string    `json:"iss"`
	Subject   string    `json:"sub"`
	Audience  audiences `json:"aud"`
	Expires   *int64    `json:"exp"`
	NotBefore int64     `json:"nbf"`
	IssuedAt  *int64    `json:"iat"`
}

type audiences []string

// UnmarshalJSON reads a text or a list of texts.
func (l *audiences) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*l = make(audiences, 1)
		return json.Unmarshal(b, &(*l)[0])
	}
	return json.Unmarshal(b, (*[]string)(l))
}

// read takes the assertion apart, once, and tells the event of it.
// Keycloak: ClientAssertionState.
func (a *attempt) read() *assertion {
	if a.assertion != nil {
		return a.assertion
	}
	a.assertion = new(assertion)
	if !a.sent.Assertion.Given {
		return a.assertion
	}
	t, err := jose.Parse(a.sent.Assertion.Text)
	if err == nil {
		err = t.Claims(&a.assertion.assertionClaims)
	}
	if err != nil {
		a.assertion.err = err
		return a.assertion
	}
	a.assertion.jws = t
	a.detail("client_assertion_id", a.assertion.ID)
	a.detail("client_assertion_issuer", a.assertion.Issuer)
	a.detail("client_assertion_sub", a.assertion.Subject)
	return a.assertion
}

// signed: private_key_jwt. Keycloak: JWTClientAuthenticator.
func (a *attempt) signed() error {
	return a.asserted("client-jwt", func(x *assertion) error {
		set, err := a.Keys(a.ctx, a.realm, &a.client.Client, a.sent.Base, x.jws.Header.KID, "sig")
		if err != nil {
			return noKey
		}
		a.detail("client_jwt_kid", set[0].KID)
		if _, err := set.Verify(x.jws); err != nil {
			return badAssertion.With("$why", "Client authentication with signed JWT failed: Signature on JWT token failed validation")
		}
		return nil
	})
}

// signedWithSecret: client_secret_jwt. Keycloak: JWTClientSecretAuthenticator.
func (a *attempt) signedWithSecret() error {
	return a.asserted("client-secret-jwt", func(x *assertion) error {
		if !jose.Symmetric(x.jws.Header.Alg) {
			return badHMAC.With("$why", "Signature on JWT token by client secret failed validation")
		}
		k := &jose.Key{Alg: x.jws.Header.Alg, Secret: a.client.Secret}
		if len(k.Secret) == 0 || x.jws.Verify(k) != nil {
			return badHMAC.With("$why", "Signature on JWT token by client secret  failed validation")
		}
		return nil
	})
}

// asserted checks everything about an assertion but its signature, in the
// reference's order. Keycloak: AbstractJWTClientValidator.validate.
func (a *attempt) asserted(method string, signature func(*assertion) error) error {
	x := a.read()
	if x.err != nil {
		return badAssertion.With("$why", "Client authentication with signed JWT failed: "+x.err.Error())
	}
	if kind := a.sent.AssertionType.Text; !a.sent.AssertionType.Given {
		return badAssertion.With("$why", "Parameter client_assertion_type is missing")
	} else if kind != assertionJWT {
		return badAssertion.With("$why", "Parameter client_assertion_type has value '"+kind+"' but expected is '"+assertionJWT+"'")
	}
	if x.jws == nil {
		return badAssertion.With("$why", "client_assertion parameter missing")
	}
	if x.Subject == "" {
		return badAssertion.With("$why", "Token sub claim is required")
	}
	if x.Issuer != x.Subject {
		return badAssertion.With("$why", "Token iss claim is required")
	}
	c, err := a.lookUp(x.Subject)
	if err != nil {
		return err
	}
	if id := a.sent.ID.Text; id != "" && id != c.ClientID {
		return badAssertion.With("$why", "client_id parameter does not match authenticated client")
	}
	a.client = c // the one of an assertion that does not fit the request is nobody
	a.proof.Named = c.ClientID
	if !a.client.Enabled {
		return oauth.ClientOff
	}
	if methodOf(a.client) != method {
		return badAssertion.With("$why", "Not configured authenticator for client")
	}
	alg, expected := x.jws.Header.Alg, a.client.OIDC.AssertionAlg
	if !jose.Known(alg) || method == "client-jwt" && jose.Symmetric(alg) || expected != "" && expected != alg {
		return badAssertion.With("$why", "Invalid signature algorithm")
	}
	if err := signature(x); err != nil {
		return err
	}
	if err := a.addressed(x); err != nil {
		return err
	}
	return a.timely(x)
}

// addressed: JWTClientValidator.getExpectedAudiences.
func (a *attempt) addressed(x *assertion) error {
	mine := map[string]bool{}
	for _, base := range []string{a.sent.Base + a.realm.Path(), a.sent.Backchannel + a.realm.Path()} {
		for _, path := range []string{"", "/token", "/token/introspect", "/ext/par/request", "/ext/ciba/auth"} {
			if path == "" {
				mine[base] = true
				continue
			}
			mine[base+"/protocol/openid-connect"+path] = true
		}
	}
	found := false
	for _, aud := range x.Audience {
		found = found || mine[aud]
	}
	switch {
	case !found:
		return badAssertion.With("$why", "Invalid token audience")
	case len(x.Audience) > 1:
		return badAssertion.With("$why", "Multiple audiences not allowed")
	}
	return nil
}

// timely checks times, and that the assertion was not used before.
// Keycloak: AbstractBaseJWTValidator.validateTokenActive.
func (a *attempt) timely(x *assertion) error {
	now := a.now().Unix()
	longest := cmp.Or(a.client.OIDC.AssertionLife, 60)
	if x.Expires == nil {
		return badAssertion.With("$why", "Token exp claim is required")
	}
	if now > *x.Expires || now+assertionSkew < x.NotBefore {
		return badAssertion.With("$why", "Token is not active")
	}
	life := *x.Expires - now
	if x.IssuedAt == nil {
		if life > longest {
			return badAssertion.With("$why", "Token expiration is too far in the future and iat claim not present in token")
		}
	} else {
		if *x.IssuedAt-assertionSkew > now {
			return badAssertion.With("$why", "Token was issued in the future")
		}
		life = min(life, longest)
		switch {
		case life <= 0:
			return badAssertion.With("$why", "Token is not active")
		case now-longest > *x.IssuedAt+assertionSkew:
			return badAssertion.With("$why", "Token was issued too far in the past to be used now")
		}
	}
	if x.ID == "" {
		return badAssertion.With("$why", "Token jti claim is required")
	}
	// Remembered as long as the assertion could be shown again, by whatever clock.
	id := x.ID
	if len(id) > iam.MaxKey || !iam.Storable(id) {
		sum := sha256.Sum256([]byte(id))
		id = hex.EncodeToString(sum[:])
	}
	fresh, err := a.sessions.PutSingleUse(a.ctx, a.realm, "assertion "+string(a.client.ID)+" "+id, []byte("1"),
		time.Unix(now+life+2*assertionSkew, 0))
	if err != nil {
		return err
	}
	if !fresh {
		return badAssertion.With("$why", "Token reuse detected")
	}
	return nil
}
