package oidc

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"latchkey/internal/bearer"
	"latchkey/internal/broker"
	"latchkey/internal/iam"
	"latchkey/internal/logout"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
	"latchkey/internal/telemetry"
	"latchkey/internal/web"
)

// logoutFromProvider is where identity providers tell of logouts (OpenID Connect Back-Channel Logout 1.0).
// What they tell ends the sessions that came of their word, and no others of the user.
// Keycloak: LogoutEndpoint.backchannelLogout.
func (h *Handler) logoutFromProvider(c *call) error {
	b, form, err := c.back()
	if err != nil {
		return err
	}
	token := form.Param("logout_token")
	if !token.Given {
		return logoutTokenNone
	}
	var list []*iam.IdentityProvider
	for _, p := range b.realm.IDPs {
		list = append(list, &p.IdentityProvider)
	}
	told, err := h.Broker.ReadLogout(b.ctx(), list, token.Text)
	if refused, is := errors.AsType[*broker.Refused](err); is {
		return logoutTokenBad.With("$why", refused.Why)
	}
	if unreachable, is := errors.AsType[*broker.Unreachable](err); is {
		h.Log.WarnContext(b.ctx(), "a provider's logout is not verified", telemetry.KeyRealm, b.realm.Name, telemetry.KeyError, unreachable)
		return logoutTokenUnread
	}
	if err != nil {
		return err
	}
	ended := 0
	for _, l := range told {
		n, err := b.endBrokered(l)
		if err != nil {
			return err
		}
		ended += n
	}
	if ended == 0 {
		b.failed("user_session_not_found")
	}
	b.w.Header().Set("Cache-Control", "no-store")
	web.SecurityHeaders(b.w.Header(), b.realm.SecurityHeaders, "")
	b.w.WriteHeader(http.StatusOK)
	return nil
}

// endBrokered ends what a provider's logout is about: one session of it there, or all of a user's.
func (b *backCall) endBrokered(l broker.Logout) (ended int, err error) {
	refs, err := b.brokeredSessions(l)
	if err != nil {
		return 0, err
	}
	for _, ref := range refs {
		end := iam.End{Reason: iam.LogoutByBackChannel, By: iam.ActorServer, Rule: "identity provider " + l.Provider}
		_, err := b.door.Ender.Here(b.ctx(), b.realm, b.issuer(), ref, end)
		if errors.Is(err, sessions.ErrGone) {
			continue
		}
		if err != nil {
			return ended, err
		}
		ended++
		e := b.event
		e.User, e.Session = ref.User, ref.ID
		b.write(&e)
	}
	return ended, nil
}

// brokeredSessions are those of one session at the provider, or else of a user there.
// Keycloak: LogoutEndpoint.backchannelLogoutWithSessionId, backchannelLogoutFederatedUserId.
func (b *backCall) brokeredSessions(l broker.Logout) (refs []iam.SessionRef, err error) {
	kinds := []iam.SessionKind{iam.Online}
	if l.Offline {
		kinds = append(kinds, iam.Offline)
	}
	for _, kind := range kinds {
		var list []*iam.UserSession
		if l.Session != "" {
			list, err = b.door.Sessions.OfBroker(b.ctx(), b.realm, l.Session, kind)
		} else {
			list, err = b.sessionsOfLinked(l, kind)
		}
		if err != nil {
			return nil, err
		}
		for _, s := range list {
			refs = append(refs, s.Ref())
		}
	}
	return refs, nil
}

// sessionsOfLinked are the sessions that came of a provider's word about one of its users.
func (b *backCall) sessionsOfLinked(l broker.Logout, kind iam.SessionKind) (out []*iam.UserSession, err error) {
	u, err := b.door.Users.ByLink(b.ctx(), b.realm, l.Provider, l.Subject)
	if u == nil || err != nil {
		return nil, err
	}
	list, err := b.door.Sessions.OfUser(b.ctx(), b.realm, u.ID, kind)
	for _, s := range list {
		if s.BrokerUser == l.Provider+"."+l.Subject {
			out = append(out, s.UserSession)
		}
	}
	return out, err
}

// A providerLogout is a logout that waits for the browser to come back from a session's identity provider.
type providerLogout struct {
	Client   string               `json:"c,omitempty"`
	Redirect string               `json:"r,omitempty"`
	State    string               `json:"s,omitempty"`
	Front    []logout.FrontClient `json:"f,omitempty"`
}

func logoutKey(id iam.SessionID) string { return "logout at provider " + string(id) }

// endAtProvider has a provider that takes calls end its session, and tells whether it was asked.
// That it cannot be reached ends nothing here.
func (c *call) endAtProvider(s *iam.UserSession) bool { return c.door.Ender.There(c.ctx(), c.realm, s) }

// toProvider sends the browser to log out at the session's provider, too; false when there is nowhere to.
// Keycloak: OIDCIdentityProvider.keycloakInitiatedBrowserLogout.
func (l *logoutCall) toProvider(s *iam.UserSession, front []logout.FrontClient) (bool, error) {
	p := logout.Provider(l.realm, s)
	if p == nil || p.Flag("backchannelSupported") {
		return false, nil
	}
	kind, err := l.door.Broker.Kind(p.Provider)
	if err != nil {
		return false, nil
	}
	to := kind.Out(&p.IdentityProvider, broker.Outgoing{Session: string(s.ID), IDToken: s.Notes[broker.NoteIDToken],
		Back: broker.Endpoint(l.issuer(), p.Alias) + "/logout_response"})
	if to == "" {
		return false, nil
	}
	doc, err := json.Marshal(providerLogout{Client: l.state.Client, Redirect: l.state.Redirect, State: l.state.State, Front: front})
	if err == nil {
		_, err = l.door.Sessions.PutSingleUse(l.ctx(), l.realm, logoutKey(s.ID), doc, l.door.Now().Add(10*time.Minute))
	}
	if err != nil {
		return false, err
	}
	l.redirect(to)
	return true, nil
}

// logoutResponse goes on with a logout when the browser is back. Keycloak: OIDCIdentityProvider.OIDCEndpoint.logoutResponse.
func (h *Handler) logoutResponse(c *call) error {
	form, err := readParams(c.r)
	if err != nil {
		return err
	}
	doc, err := c.door.Sessions.TakeSingleUse(c.ctx(), c.realm, logoutKey(iam.SessionID(form.Get("state"))))
	var waiting providerLogout
	if form.Get("state") == "" || errors.Is(err, sessions.ErrGone) || err == nil && json.Unmarshal(doc, &waiting) != nil {
		return logoutLost
	}
	if err != nil {
		return err
	}
	l := &logoutCall{call: c}
	l.state.Client, l.state.Redirect, l.state.State = waiting.Client, waiting.Redirect, waiting.State
	if waiting.Client != "" {
		if err := l.find(waiting.Client); err != nil {
			return err
		}
		if l.client != nil {
			l.asks = l.pageClient(l.client)
		}
	}
	if web.CookieValue(l.r, web.CookieIdentity) == "" {
		l.expireIdentity()
	} else if err := l.readIdentity(); err != nil { // whose session goes on is somebody else, whom the address was given to
		return err
	}
	return l.goOn(waiting.Front)
}

// brokerToken shows what a provider issued to the user of an access token, to clients that may read it.
// Keycloak: IdentityBrokerService.retrieveToken.
func (h *Handler) brokerToken(c *call) error {
	c.w.Header().Set("Cache-Control", web.CacheNoCache)
	refuse := func(status int, text string) error {
		return c.json(status, map[string]string{"errorMessage": text})
	}
	raw, _ := bearerOf(c.r)
	c.cors = &web.CORS{Methods: []string{c.r.Method}, Auth: true}
	b := &backCall{call: c}
	v, err := b.judge(raw, bearer.Want{Checks: brokerTokenChecks, Types: accessTypes, DPoP: byDPoP(c.r), Proof: b.proof(raw)})
	if err != nil {
		return err
	}
	if !v.Good() {
		return refuse(http.StatusBadRequest, "Invalid token.")
	}
	alias := c.r.PathValue("alias")
	may, err := b.mayReadToken(v)
	if err != nil {
		return err
	}
	if !may {
		return refuse(http.StatusForbidden, "Client ["+v.Client.ClientID+"] not authorized to retrieve tokens from identity provider ["+
			alias+"].")
	}
	p := c.realm.IDP(alias)
	if p == nil || !p.Enabled {
		c.w.Header().Del("Cache-Control")
		return &pageError{status: http.StatusBadGateway, key: "couldNotObtainTokenMessage"}
	}
	if !p.StoreToken {
		return refuse(http.StatusBadRequest, "Identity Provider ["+alias+"] does not support this operation.")
	}
	link, err := c.door.Users.LinkTo(c.ctx(), c.realm, v.User.ID, alias)
	if err != nil {
		return err
	}
	if link == nil {
		return refuse(http.StatusBadRequest, "User ["+string(v.User.ID)+"] is not associated with identity provider ["+alias+"].")
	}
	if len(link.Token) == 0 {
		return refuse(http.StatusNotFound, "No token stored for user ["+string(v.User.ID)+"] with associated identity provider ["+alias+"].")
	}
	token, err := b.freshToken(p, link)
	refused, _ := errors.AsType[*broker.Refused](err)
	unreachable, _ := errors.AsType[*broker.Unreachable](err)
	if refused != nil || unreachable != nil {
		c.door.Log.WarnContext(c.ctx(), "an identity provider's token was not refreshed",
			telemetry.KeyRealm, c.realm.Name, "provider", alias, telemetry.KeyError, err)
		return refuse(http.StatusBadGateway, "Unable to refresh token")
	}
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, json.RawMessage(token))
}

// One node at a time refreshes the tokens of a link; the others wait for what it stores, but not for longer than this.
const (
	refreshLease = 20 * time.Second
	refreshPoll  = 100 * time.Millisecond
)

// freshToken is what is stored with a link, refreshed where it is due.
func (b *backCall) freshToken(p *realms.IdentityProvider, link *iam.FederatedIdentity) (iam.Secret, error) {
	key := "refresh at provider " + string(link.User) + " " + link.Provider
	for until := b.door.Now().Add(refreshLease); b.door.Broker.Stale(p, link.Token) && b.door.Now().Before(until); {
		mine, err := b.door.Sessions.PutSingleUse(b.ctx(), b.realm, key, nil, b.door.Now().Add(refreshLease))
		if err != nil {
			return nil, err
		}
		had := string(link.Token)
		if link, err = b.door.Users.LinkTo(b.ctx(), b.realm, link.User, link.Provider); err != nil || link == nil {
			return nil, cmp.Or(err, error(&broker.Refused{Why: "the link is gone"}))
		}
		if mine && string(link.Token) != had && !b.door.Broker.Stale(p, link.Token) { // somebody else has just done it
			_, err = b.door.Sessions.TakeSingleUse(b.ctx(), b.realm, key)
			return link.Token, ended(err)
		}
		if mine {
			token, err := b.door.Broker.Refresh(b.ctx(), b.realm, p, b.issuer(), link)
			_, taken := b.door.Sessions.TakeSingleUse(b.ctx(), b.realm, key)
			return token, cmp.Or(err, ended(taken))
		}
		select {
		case <-b.ctx().Done():
			return nil, b.ctx().Err()
		case <-time.After(refreshPoll):
		}
	}
	return link.Token, nil
}

// ended is an error but that what was to be taken is gone already.
func ended(err error) error {
	if errors.Is(err, sessions.ErrGone) {
		return nil
	}
	return err
}

// mayReadToken tells whether a token carries the role that reads providers' tokens.
func (b *backCall) mayReadToken(v *bearer.Verdict) (bool, error) {
	client, err := b.realm.ClientByName(b.ctx(), realms.ClientBroker)
	if realms.Missing(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	role := b.realm.RoleByName(client.ID, broker.RoleReadToken)
	granted, err := b.door.Bearer.Granted(b.ctx(), b.realm, v)
	if errors.Is(err, bearer.ErrUnreadable) {
		return false, nil
	}
	return err == nil && role != nil && granted.Roles.Has(role.ID), err
}

var brokerTokenChecks = []bearer.Check{
	bearer.OfHost, bearer.OfType, bearer.NotExpired, bearer.Proved, bearer.KnownClient, bearer.NotRevoked, bearer.AfterRealm,
	bearer.AfterClient,
	bearer.ClientOn, bearer.LiveSession, bearer.LiveClientSession, bearer.AfterSession, bearer.AfterClientSession,
	bearer.UserOn, bearer.AfterUser,
}
