package oidc

import (
	"maps"
	"slices"
	"strings"

	"latchkey/internal/bearer"
	"latchkey/internal/claims"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
	"latchkey/internal/tokens"
)

// Types of tokens in token exchange (RFC 8693 3).
const (
	typeAccess  = "urn:ietf:params:oauth:token-type:access_token"
	typeID      = "urn:ietf:params:oauth:token-type:id_token"
	typeRefresh = "urn:ietf:params:oauth:token-type:refresh_token"
)

// exchange gives a token for another one of the same user (RFC 8693).
// Keycloak: StandardTokenExchangeProvider.
func (t *tokenCall) exchange() (*decision, error) {
	t.detail("auth_method", "token_exchange")
	if why := t.unsupported(); why != "" {
		return nil, t.deny(refusal{word: "invalid_request", description: why})
	}
	t.detail("requested_token_type", t.form.Get("requested_token_type"))
	v, err := t.subject()
	if err != nil {
		return nil, err
	}
	t.tell(v, theUser)
	t.detail("username", v.User.Username)
	t.detail("subject_token_client_id", v.Token.Client)
	kind := t.form.Get("requested_token_type")
	if kind == "" {
		kind = typeAccess
	}
	renewable := t.client.OIDC.Refresh && t.client.OIDC.ExchangeRefresh
	if kind != typeAccess && kind != typeID && (kind != typeRefresh || !renewable) {
		return nil, t.deny(refusal{word: "invalid_request", description: "requested_token_type unsupported"})
	}
	t.detail("requested_token_type", kind)
	if err := t.checkAudience(v.Token); err != nil {
		return nil, err
	}
	scope, err := t.requestedScope()
	if err != nil {
		return nil, err
	}
	g, err := t.exchangeGrant(v, scope, kind)
	if err != nil {
		return nil, err
	}
	want := tokens.Want{ID: kind == typeID, NoAccess: kind == typeID, NoID: kind != typeID && scope == ""}
	return &decision{grant: g, want: want, finish: func(res *tokens.Response) error { return t.exchanged(res, kind) }}, nil
}

// unsupported: StandardTokenExchangeProvider.supports, in its words.
func (t *tokenCall) unsupported() string {
	for _, name := range []string{"requested_subject", "requested_issuer", "subject_issuer"} {
		if t.form.Has(name) {
			return "Parameter '" + name + "' is not supported for standard token exchange"
		}
	}
	switch {
	case !t.client.OIDC.Exchange:
		return "Standard token exchange is not enabled for the requested client"
	case !t.form.Has("subject_token"):
		return "Parameter 'subject_token' required for standard token exchange"
	case !t.form.Has("subject_token_type"):
		return "Parameter 'subject_token_type' required for standard token exchange"
	case t.form.Get("subject_token_type") != typeAccess:
		return "Parameter 'subject_token' supports access tokens only"
	}
	return ""
}

// subject is the token to exchange, if it is one.
func (t *tokenCall) subject() (*bearer.Verdict, error) {
	v, err := t.judge(t.form.Get("subject_token"), bearer.Want{Checks: accessChecks, Types: accessTypes})
	if err != nil {
		return nil, err
	}
	tok := v.Token
	switch {
	case !v.Good():
		t.detail("reason", "subject_token validation failure")
		return nil, t.deny(refusal{word: "invalid_token", code: "invalid_request", description: "Invalid token", detail: untold})
	case tok.Confirm.X5T != "", tok.Confirm.JKT != "" && tok.Client != t.client.ClientID:
		// Nobody can prove a certificate here: that is not built.
		return nil, t.deny(refusal{word: "invalid_request",
			description: "Sender-constrained token exchange rejected as the token was not issued for the requesting client"})
	}
	if err := tok.Bound(t.jkt); err != nil {
		return nil, t.badProof(err)
	}
	return v, nil
}

// checkAudience: AbstractTokenExchangeProvider.getTargetAudienceClients,
// StandardTokenExchangeProvider.validateAudience.
func (t *tokenCall) checkAudience(subject *tokens.Token) error {
	for _, name := range t.form.Values["audience"] {
		target, err := t.realm.ClientByName(t.ctx(), name)
		if realms.Missing(err) {
			t.detail("reason", "audience not found")
			t.detail("audience", name)
			return t.deny(refusal{word: "client_not_found", code: "invalid_client", description: "Audience not found", detail: untold})
		}
		if err != nil {
			return err
		}
		if !target.Enabled {
			t.detail("reason", "audience client disabled")
			t.detail("audience", name)
			return t.deny(refusal{word: "client_disabled", code: "invalid_client", description: "Client disabled", detail: untold})
		}
	}
	if t.client.Access == iam.Public {
		return t.deny(refusal{word: "invalid_client", description: "Public client is not allowed to exchange token"})
	}
	if subject.Client != t.client.ClientID && !slices.Contains(subject.Audience, t.client.ClientID) {
		t.detail("reason", "client is not within the token audience")
		return t.deny(refusal{word: "not_allowed", status: 403, code: "access_denied", description: "Client is not within the token audience",
			detail: untold})
	}
	return nil
}

// exchangeGrant makes the grant: within the subject's session when the client
// has a part in it, else with a part that passes with the response.
func (t *tokenCall) exchangeGrant(v *bearer.Verdict, scope, kind string) (*iam.Grant, error) {
	us := *t.sessionFor(v)
	g := &iam.Grant{
		Client: &t.client.Client, User: v.User, Session: &us, Type: "te", Audience: t.form.Values["audience"],
		Scopes: tokens.Requested(t.realm, &t.client.Client, scope), Asked: scope, OpenID: tokens.HasScope(scope, tokens.ScopeOpenID),
	}
	g.Offline = us.Offline
	if v.View != nil {
		v.View.SetRoles(g)
	}
	ok, err := t.consented(v.User.ID, &t.client.Client, g.Scopes)
	if err != nil {
		return nil, err
	}
	if !ok {
		t.detail("reason", "Missing consents for Token Exchange in client "+t.client.ClientID)
		return nil, t.deny(refusal{word: "consent_denied", code: "invalid_scope", description: "Missing consents for Token Exchange in client " +
			t.client.ClientID, detail: untold})
	}
	stale := int64(0) // the version of a part that has timed out
	own := func() {
		if v.View == nil || us.Offline {
			return
		}
		mine, err := t.Sessions.Find(t.ctx(), t.realm, us.Ref(), &t.client.Client)
		if err == nil {
			g.Session, g.ClientSession = mine.Session, mine.ClientSession
			// A request without scope asks for the scope "openid" as the client's login did.
			if scope == "" {
				g.OpenID = tokens.HasScope(mine.ClientSession.Notes[noteScope], tokens.ScopeOpenID)
			}
		} else if mine != nil && mine.ClientSession != nil {
			stale = mine.ClientSession.Version
		}
	}
	if kind == typeRefresh {
		switch {
		case us.Offline || v.View == nil || v.Token.Context().Guest:
			return nil, t.deny(refusal{word: "invalid_request",
				description: "Refresh token not valid as requested_token_type because creating a new session is needed"})
		case tokens.OfflineRequested(g.Scopes):
			return nil, t.deny(refusal{word: "invalid_request", description: "Scope offline_access not allowed for token exchange"})
		}
		g.Refresh = iam.RefreshOnline
		return g, sessions.RetryChanged(func() error {
			if own(); g.ClientSession == nil {
				g.ClientSession = t.newPart(&us, scope, iam.HowExchange)
				g.ClientSession.Version = stale
			}
			if g.ClientSession.Notes == nil {
				g.ClientSession.Notes = map[string]string{}
			}
			g.ClientSession.Notes[iam.NoteExchanged+v.Token.Client] = v.Token.ID
			if scope != "" {
				g.ClientSession.Notes[noteScope] = scope
			}
			return t.Sessions.Join(t.ctx(), g.ClientSession)
		})
	}
	if err := t.rememberScope(own, g, scope); err != nil {
		return nil, err
	}
	if g.ClientSession == nil {
		g.Transient = iam.TransientClient
		if v.View == nil {
			g.Transient = iam.Transient
			t.event.Session = ""
		}
		now := t.Now()
		g.ClientSession = t.newPart(&us, scope, iam.HowExchange)
		g.ClientSession.Started, g.ClientSession.LastAccess = now, now
	}
	return g, nil
}

// rememberScope finds what the client has in the session itself. The scope of a
// request becomes that of its login: later requests without scope, and their openid,
// go by it. Keycloak: TokenManager.attachAuthenticationSession.
func (t *tokenCall) rememberScope(own func(), g *iam.Grant, scope string) error {
	return sessions.RetryChanged(func() error {
		if own(); g.ClientSession == nil || scope == "" || g.ClientSession.Notes[noteScope] == scope {
			return nil
		}
		g.ClientSession.Notes = maps.Clone(g.ClientSession.Notes)
		if g.ClientSession.Notes == nil {
			g.ClientSession.Notes = map[string]string{}
		}
		g.ClientSession.Notes[noteScope] = scope
		return t.Sessions.Join(t.ctx(), g.ClientSession)
	})
}

// exchanged checks that the token is for whom it was asked for, and says what it is.
func (t *tokenCall) exchanged(res *tokens.Response, kind string) error {
	if missing := lacking(res.Audience, t.form.Values["audience"]); len(missing) > 0 {
		return t.deny(refusal{word: "invalid_request", description: "Requested audience not available: " + strings.Join(missing, " ")})
	}
	t.detail("audience", strings.Join(res.Audience, " "))
	if kind == typeID {
		res.Access, res.ID, res.Type = res.ID, "", "N_A"
	}
	if res.Extra == nil {
		res.Extra = new(claims.Set)
	}
	res.Extra.Put("issued_token_type", kind)
	return nil
}

func lacking(have, wanted []string) []string {
	return slices.DeleteFunc(slices.Clone(wanted), func(w string) bool { return slices.Contains(have, w) })
}
