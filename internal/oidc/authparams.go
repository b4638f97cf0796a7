package oidc

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/web"
)

// authParams are what an authorization request says beyond what is kept of it.
type authParams struct {
	scope        web.Param
	redirectURI  web.Param
	maxAge       web.Param
	nonce        bool // whether it was given
	challenge    bool
	challengeAlg bool
	twice        bool // a parameter was given more than once
	size         int  // of what is kept
}

// Bounds of parameters; longer ones are left unread, as in the reference.
// Keycloak: OIDCProviderConfig.
const (
	maxLoginHint = 255
	maxExtra     = 5
	maxExtraSize = 2000
)

// extraNote marks parameters that the protocol does not know among the notes.
const extraNote = "client_request_param_"

// noteRedirectParam is the redirect_uri as the client wrote it, which the token
// request must repeat.
const noteRedirectParam = "redirect_uri"

// knownParams are those of the protocol; others are kept for whoever knows them.
var knownParams = []string{
	"client_id", "response_type", "response_mode", "redirect_uri", "state", "scope", "resource", "login_hint", "prompt",
	"kc_idp_hint", "kc_action",
	"nonce", "max_age", "ui_locales", "request", "request_uri", "claims", "acr_values", "display", "code_challenge",
	"code_challenge_method", "dpop_jkt",
}

// readAuth reads the parameters, from wherever they came. Keycloak: AuthzEndpointRequestParser.
func readAuth(form web.Form) (p authParams, q request) {
	get := func(name string) string {
		v := printable(form.Get(name))
		if limit := iam.MaxParam; len(v) > limit || name == "login_hint" && len(v) > maxLoginHint {
			return ""
		}
		p.size += len(v)
		return v
	}
	q.LoginRequest = iam.LoginRequest{
		Scope: get("scope"), MaxAge: get("max_age"), LoginHint: get("login_hint"), UILocales: get("ui_locales"), IDPHint: get("kc_idp_hint"),
		HasIDPHint: form.Has("kc_idp_hint"),
	}
	q.own = own{
		ResponseType: get("response_type"), ResponseMode: get("response_mode"), State: get("state"), Nonce: get("nonce"),
		Prompt: get("prompt"), ACRValues: get("acr_values"), Claims: get("claims"), Display: get("display"),
		Challenge: get("code_challenge"), ChallengeAlg: get("code_challenge_method"), JKT: get("dpop_jkt"), Extra: map[string]string{},
	}
	q.EmptyState = form.Has("state") && q.State == ""
	q.Action, q.ActionParam, _ = strings.Cut(get("kc_action"), ":")
	for _, name := range slices.Sorted(maps.Keys(form.Values)) {
		v := printable(form.Get(name))
		if !slices.Contains(knownParams, name) && len(name) <= iam.MaxKey && iam.Storable(name) &&
			strings.TrimSpace(v) != "" && len(v) <= maxExtraSize && len(q.Extra) < maxExtra {
			q.Extra[extraNote+name] = v
			p.size += len(name) + len(v)
		}
	}
	if v := get("redirect_uri"); v != "" {
		q.Extra[noteRedirectParam] = v
	}
	p.scope, p.redirectURI, p.maxAge = form.Param("scope"), form.Param("redirect_uri"), form.Param("max_age")
	p.nonce, p.challenge, p.challengeAlg = form.Has("nonce"), form.Has("code_challenge"), form.Has("code_challenge_method")
	p.twice = form.Duplicate() != ""
	return p, q
}

// takeParams reads the parameters of an authorization request, once all of them are together.
func (*call) takeParams(a *asking, form web.Form) error {
	a.given, a.req = readAuth(form)
	a.req.Client, a.req.Issuer = a.client.ID, a.issuer
	if _, err := strconv.ParseInt(a.req.MaxAge, 10, 32); a.given.maxAge.Given && err != nil {
		return authMaxAge.with("$given", a.req.MaxAge)
	}
	if a.given.size > iam.MaxRequest {
		return authTooLong
	}
	return nil
}
