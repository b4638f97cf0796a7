package grants

import (
	"net/url"
	"slices"

	"latchkey/internal/iam"
	"latchkey/internal/logout"
	"latchkey/internal/web"
)

// Params are those of a token request.
type Params struct {
	GrantType      web.Param
	Scope          web.Param
	Code           web.Param
	RedirectURI    web.Param
	Verifier       web.Param
	RefreshToken   web.Param
	DeviceCode     web.Param
	Assertion      web.Param
	Audience       []string
	AdapterSession string
	Exchange       Exchange
	Twice          []string   // the names that were given more than once
	Sent           url.Values // all, as the steps of a flow read them
}

// Exchange are the parameters of token exchange (RFC 8693 2.1).
type Exchange struct {
	Subject     web.Param
	SubjectType web.Param
	Wanted      string // requested_token_type
	Foreign     string // the name of the first that belongs to an older token exchange
}

// foreign are parameters of the token exchange that the reference had before the standard's.
var foreign = []string{"requested_subject", "requested_issuer", "subject_issuer"}

// longParams hold tokens, and may be longer than others.
var longParams = []string{"subject_token", "actor_token", "assertion", "refresh_token"}

const maxToken = 20_000

// Read reads the parameters. Those that are too long are passed over, as in the reference;
// the steps of a flow still see them. Keycloak: TokenEndpoint.checkParameters.
func Read(form web.Form) Params {
	values := func(name string) []string {
		limit, size := iam.MaxParam, 0
		if slices.Contains(longParams, name) {
			limit = maxToken
		}
		for _, v := range form.Values[name] {
			size += len(v)
		}
		if size > limit {
			return nil
		}
		return form.Values[name]
	}
	one := func(name string) web.Param {
		if list := values(name); len(list) > 0 {
			return web.Param{Text: list[0], Given: true}
		}
		return web.Param{}
	}
	p := Params{
		GrantType: form.Param("grant_type"), Scope: one("scope"), Code: one("code"),
		RedirectURI: one("redirect_uri"), Verifier: one("code_verifier"),
		RefreshToken: one("refresh_token"), DeviceCode: one("device_code"), Assertion: one("assertion"),
		Audience: values("audience"), AdapterSession: one(logout.NoteAdapter).Text, Sent: form.Values,
		Exchange: Exchange{Subject: one("subject_token"), SubjectType: one("subject_token_type"), Wanted: one("requested_token_type").Text},
	}
	for name, values := range form.Values {
		if len(values) > 1 {
			p.Twice = append(p.Twice, name)
		}
	}
	if i := slices.IndexFunc(foreign, func(name string) bool { return one(name).Given }); i >= 0 {
		p.Exchange.Foreign = foreign[i]
	}
	return p
}
