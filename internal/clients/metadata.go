package clients

import (
	"crypto/x509"
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/jose"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
)

// The grant types that are switches of a client.
const (
	grantCode     = "authorization_code"
	grantImplicit = "implicit"
	grantRefresh  = "refresh_token"
	grantPassword = "password"
	grantClient   = "client_credentials"
)

// attrGrants are grant types that are switched by attributes.
var attrGrants = map[string]string{
	"urn:ietf:params:oauth:grant-type:device_code":    "oauth2.device.authorization.grant.enabled",
	"urn:openid:params:grant-type:ciba":               "oidc.ciba.grant.enabled",
	"urn:ietf:params:oauth:grant-type:token-exchange": "standard.token.exchange.enabled",
	"urn:ietf:params:oauth:grant-type:jwt-bearer":     "oauth2.jwt.authorization.grant.enabled",
}

// authMethods are the client authenticators by their OIDC names.
var authMethods = map[string]string{
	"client_secret_basic": "client-secret", "client_secret_post": "client-secret", "client_secret_jwt": "client-secret-jwt",
	"private_key_jwt": "client-jwt", "tls_client_auth": "client-x509",
}

// errMetadata is the reference's answer to whatever it cannot make a client of.
func errMetadata() error {
	return &InputError{Code: "invalid_client_metadata", Description: "Client metadata invalid"}
}

const pairwiseMapper = "oidc-sha256-pairwise-sub-mapper"

const attrAuthMethod = "client.secret.authentication.allowed.method"

// textAttrs are members that are attributes of one value.
func textAttrs(o *rep.OIDCClient) map[string]**string {
	return map[string]**string{
		"id.token.signed.response.alg": &o.IDTokenSignedAlg, "id.token.encrypted.response.alg": &o.IDTokenEncryptedAlg,
		"id.token.encrypted.response.enc": &o.IDTokenEncryptedEnc, "user.info.response.signature.alg": &o.UserinfoSignedAlg,
		"user.info.encrypted.response.alg": &o.UserinfoEncryptedAlg, "user.info.encrypted.response.enc": &o.UserinfoEncryptedEnc,
		"request.object.signature.alg": &o.RequestObjectSigningAlg, "request.object.encryption.alg": &o.RequestObjectEncryptionAlg,
		"request.object.encryption.enc": &o.RequestObjectEncryptionEnc, "authorization.signed.response.alg": &o.AuthorizationSignedAlg,
		"authorization.encrypted.response.alg": &o.AuthorizationEncryptedAlg,
		"authorization.encrypted.response.enc": &o.AuthorizationEncryptedEnc,
		"token.endpoint.auth.signing.alg":      &o.AuthSigningAlg,
		"backchannel.logout.url":               &o.BackchannelLogoutURI, "frontchannel.logout.url": &o.FrontchannelLogoutURI,
		"x509.subjectdn": &o.TLSSubjectDN, "ciba.backchannel.token.delivery.mode": &o.BackchannelDeliveryMode,
		"ciba.backchannel.client.notification.endpoint": &o.BackchannelNotification,
		"ciba.backchannel.auth.request.signing.alg":     &o.BackchannelSigningAlg,
	}
}

// flagAttrs are members that are switches among the attributes.
func flagAttrs(o *rep.OIDCClient) map[string]**bool {
	return map[string]**bool{
		"tls.client.certificate.bound.access.tokens": &o.TLSBoundTokens, "dpop.bound.access.tokens": &o.DPoPBound,
		"require.pushed.authorization.requests": &o.RequirePAR,
	}
}

// FromMetadata is the client that metadata of OpenID Connect Dynamic Client
// Registration 1.0 describes; an InputError of code invalid_client_metadata for
// what makes no sense. Keycloak: DescriptionConverter.toInternal.
func FromMetadata(o *rep.OIDCClient) (*rep.Client, error) {
	cl := &rep.Client{
		ClientID: o.ClientID, Name: o.ClientName, BaseURL: o.ClientURI, RedirectURIs: o.RedirectURIs, Protocol: string(iam.OIDC),
		PublicClient: new(o.AuthMethod == "none"), Attributes: map[string]string{},
		FrontchannelLogout: new(o.FrontchannelLogoutURI != nil),
	}
	if err := flows(o, cl); err != nil {
		return nil, err
	}
	if o.Scope != nil {
		cl.OptionalClientScopes = strings.Fields(*o.Scope)
		cl.DefaultClientScopes = []string{"basic"} // without which tokens lack sub
	}
	switch o.AuthMethod {
	case "":
		cl.ClientAuthenticatorType = "client-secret"
	case "none":
		cl.ClientAuthenticatorType = "none"
	default:
		kind, ok := authMethods[o.AuthMethod]
		if !ok {
			return nil, errMetadata()
		}
		cl.ClientAuthenticatorType = kind
		if kind == "client-secret" {
			cl.Attributes[attrAuthMethod] = o.AuthMethod
		}
	}
	if err := keysOf(o, cl); err != nil {
		return nil, err
	}
	for name, v := range textAttrs(o) {
		if *v != nil {
			cl.Attributes[name] = **v
		}
	}
	// The answers do not repeat these.
	for name, v := range map[string]*string{"logoUri": o.LogoURI, "policyUri": o.PolicyURI, "tosUri": o.TosURI} {
		if v != nil {
			cl.Attributes[name] = *v
		}
	}
	if rep.Val(o.SectorIdentifierURI) != "" {
		// Not fetched: a server that calls addresses anybody may give is a risk.
		return nil, &InputError{Code: "invalid_client_metadata", Description: "Failed to get redirect URIs from the Sector Identifier URI."}
	}
	switch rep.Val(o.SubjectType) {
	case "", "public":
	case "pairwise":
		cl.ProtocolMappers = []rep.ProtocolMapper{{
			Name: "pairwise subject identifier", Protocol: string(iam.OIDC), ProtocolMapper: pairwiseMapper,
			Config: map[string]string{"pairwiseSubAlgorithmSalt": realms.NewID()},
		}}
	default:
		return nil, errMetadata()
	}
	if o.TLSSubjectDN != nil {
		cl.Attributes["x509.allow.regex.pattern.comparison"] = "false"
	}
	for name, v := range flagAttrs(o) {
		if *v != nil {
			cl.Attributes[name] = strconv.FormatBool(**v)
		}
	}
	for name, list := range map[string][]string{
		"request.uris": o.RequestURIs, "post.logout.redirect.uris": o.PostLogoutRedirectURIs, "default.acr.values": o.DefaultACRValues,
	} {
		if list != nil {
			cl.Attributes[name] = strings.Join(list, "##")
		}
	}
	cl.Attributes["backchannel.logout.session.required"] = strconv.FormatBool(o.BackchannelLogoutSession == nil || *o.BackchannelLogoutSession)
	cl.Attributes["backchannel.logout.revoke.offline.tokens"] = strconv.FormatBool(rep.Val(o.BackchannelLogoutOffline))
	cl.Attributes["frontchannel.logout.session.required"] = strconv.FormatBool(rep.Val(o.FrontchannelLogoutSession))
	return cl, nil
}

// flows sets the switches of a client from response types or, where none are
// given, from grant types; those that are not given leave what there is, or what
// a new client has. Keycloak: DescriptionConverter.toInternal.
func flows(o *rep.OIDCClient, cl *rep.Client) error {
	code, implicit := true, false
	has := func(t string) bool { return slices.Contains(o.GrantTypes, t) }
	switch {
	case len(o.ResponseTypes) > 0:
		code = false
		for _, combination := range o.ResponseTypes {
			for _, t := range strings.Fields(combination) {
				switch t {
				case "code", "none":
					code = true
				case "token", "id_token":
					implicit = true
				default:
					return errMetadata()
				}
			}
		}
	case len(o.GrantTypes) > 0:
		code, implicit = has(grantCode), has(grantImplicit)
	}
	cl.StandardFlowEnabled, cl.ImplicitFlowEnabled = &code, &implicit
	if o.GrantTypes == nil {
		if cl.ClientID == "" {
			cl.DirectAccessGrantsEnabled = new(false)
		}
		return nil
	}
	cl.DirectAccessGrantsEnabled, cl.ServiceAccountsEnabled = new(has(grantPassword)), new(has(grantClient))
	cl.Attributes["use.refresh.tokens"] = strconv.FormatBool(has(grantRefresh))
	for grant, name := range attrGrants {
		cl.Attributes[name] = strconv.FormatBool(has(grant))
	}
	return nil
}

// keysOf takes over the client's own keys.
func keysOf(o *rep.OIDCClient, cl *rep.Client) error {
	switch {
	case o.JWKSURI != nil && o.JWKS != nil:
		return errMetadata()
	case o.JWKSURI != nil:
		cl.Attributes["use.jwks.url"], cl.Attributes["use.jwks.string"], cl.Attributes["jwks.url"] = "true", "false", *o.JWKSURI
	case o.JWKS != nil:
		cl.Attributes["use.jwks.url"], cl.Attributes["use.jwks.string"], cl.Attributes["jwks.string"] = "false", "true", string(o.JWKS)
		// The first of them also stands where adapters looked for the one key.
		set, err := jose.ParseSet(o.JWKS)
		if err != nil {
			return errMetadata()
		}
		if i := slices.IndexFunc(set, func(k *jose.Key) bool { return k.Use == "sig" }); i >= 0 {
			der, err := x509.MarshalPKIXPublicKey(set[i].Public)
			if err != nil {
				return errMetadata()
			}
			cl.Attributes["jwt.credential.public.key"], cl.Attributes["jwt.credential.kid"] = base64.StdEncoding.EncodeToString(der), set[i].KID
		}
	case o.AuthMethod == "private_key_jwt":
		return errMetadata()
	}
	return nil
}

func list(c *realms.Client, name string) []string {
	return slices.DeleteFunc(strings.Split(c.Attr(name), "##"), func(v string) bool { return v == "" })
}

// Metadata describes a client as OpenID Connect Dynamic Client Registration 1.0
// does, without what belongs to its registration: addresses, tokens and times.
// Keycloak: DescriptionConverter.toExternalResponse.
func Metadata(r *realms.Realm, cl *realms.Client) *rep.OIDCClient {
	v := View(r, cl)
	o := &rep.OIDCClient{
		ClientID:   cl.ClientID,
		ClientName: v.Name, ClientURI: v.BaseURL, RedirectURIs: append([]string{}, v.RedirectURIs...),
		GrantTypes: grantTypes(cl), ResponseTypes: responseTypes(cl), SubjectType: new("public"), RequestURIs: list(cl, "request.uris"),
		BackchannelLogoutSession:  new(false), // whatever it is: the reference does not tell
		FrontchannelLogoutSession: new(cl.Attr("frontchannel.logout.session.required") != "false"),
		Scope:                     new(strings.Join(v.OptionalClientScopes, " ")),
	}
	o.PostLogoutRedirectURIs = list(cl, "post.logout.redirect.uris")
	if len(o.PostLogoutRedirectURIs) == 0 || slices.Equal(o.PostLogoutRedirectURIs, []string{"+"}) {
		o.PostLogoutRedirectURIs = o.RedirectURIs
	}
	showAuth(cl, v, o)
	for name, to := range textAttrs(o) {
		if text := cl.Attr(name); text != "" {
			*to = &text
		}
	}
	for name, to := range flagAttrs(o) {
		*to = new(cl.Flag(name))
	}
	if cl.Flag("use.jwks.url") {
		o.JWKSURI = new(cl.Attr("jwks.url"))
	}
	if cl.Flag("use.jwks.string") {
		o.JWKS = []byte(cl.Attr("jwks.string"))
	}
	if acr := list(cl, "default.acr.values"); len(acr) > 0 {
		o.DefaultACRValues = acr
	}
	if slices.ContainsFunc(cl.Mappers, func(m iam.ProtocolMapper) bool { return m.Mapper == pairwiseMapper }) {
		o.SubjectType = new("pairwise")
	}
	return o
}

// showAuth tells how the client authenticates, and its secret if by that.
func showAuth(cl *realms.Client, v *rep.Client, o *rep.OIDCClient) {
	if cl.AuthMethod == "none" {
		o.AuthMethod = "none"
		return
	}
	o.AuthMethod = cl.Attr(attrAuthMethod)
	for _, name := range slices.Sorted(maps.Keys(authMethods)) {
		if o.AuthMethod == "" && authMethods[name] == cl.AuthMethod {
			o.AuthMethod = name
		}
	}
	if strings.HasPrefix(cl.AuthMethod, "client-secret") {
		o.ClientSecret, o.ClientSecretExpiresAt = rep.Val(v.Secret), new(int64(0))
	}
}

func responseTypes(cl *realms.Client) []string {
	types := []string{}
	if cl.StandardFlow {
		types = append(types, "code", "none")
	}
	if cl.ImplicitFlow {
		types = append(types, "id_token", "id_token token")
	}
	if cl.StandardFlow && cl.ImplicitFlow {
		types = append(types, "code id_token", "code token", "code id_token token")
	}
	return types
}

func grantTypes(cl *realms.Client) []string {
	types := []string{}
	for _, g := range []struct {
		name string
		on   bool
	}{
		{grantCode, cl.StandardFlow}, {grantImplicit, cl.ImplicitFlow}, {grantPassword, cl.DirectGrants}, {grantClient, cl.ServiceAccounts},
	} {
		if g.on {
			types = append(types, g.name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(attrGrants)) {
		if cl.Flag(attrGrants[name]) {
			types = append(types, name)
		}
	}
	if cl.Attr("use.refresh.tokens") != "false" {
		types = append(types, grantRefresh)
	}
	return types
}
