package oidc

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"latchkey/internal/authn"
	"latchkey/internal/claims"
	"latchkey/internal/iam"
	"latchkey/internal/oidc/grants"
	"latchkey/internal/sessions"
	"latchkey/internal/tokens"
)

// Refuse ends a login at the client with an error; see authn.Refused.
func (h *Handler) Refuse(w http.ResponseWriter, r *http.Request, x *authn.Refused) {
	c, ok := h.resume(w, r, x.Realm)
	if !ok {
		return
	}
	q, word := read(&x.Request), refusals[x.Why]
	if q.Device != "" {
		if err := c.refuseDevice(q.Device, x.Why); err != nil {
			c.fail(err)
		}
		return
	}
	if err := c.sendError(modeOf(q), x.Client, q, word.code, cmp.Or(x.Message, word.description)); err != nil {
		c.fail(err)
	}
}

// refusals are what clients are told of logins that ended without a user.
// Keycloak: OIDCLoginProtocol.translateError.
var refusals = map[authn.Why]struct{ code, description string }{
	authn.LoginRequired:       {"login_required", ""},
	authn.InteractionRequired: {"interaction_required", ""},
	authn.Denied:              {"access_denied", ""},
	authn.AlreadyLoggedIn:     {"temporarily_unavailable", "authentication_expired"},
}

// Parameters are those of an authorization request, further ones included; see login.Protocol.
// Keycloak: OIDCIdentityProvider.createAuthorizationUrl reads them as client notes.
func (h *Handler) Parameters(q *iam.LoginRequest) map[string]string {
	r := read(q)
	p := map[string]string{"scope": r.Scope, "prompt": r.Prompt, "max_age": r.MaxAge, "login_hint": r.LoginHint, "acr_values": r.ACRValues,
		"claims": r.Claims, "display": r.Display,
		"ui_locales": r.UILocales, "state": r.State, "nonce": r.Nonce, "kc_idp_hint": r.IDPHint}
	for name, value := range r.Extra {
		if name, further := strings.CutPrefix(name, extraNote); further {
			p[name] = value
		}
	}
	return p
}

// Finish stores a login that is at its end, the client's part in the session
// with it, and takes the browser back to the client; see authn.Done.
// Keycloak: OIDCLoginProtocol.authenticated.
func (h *Handler) Finish(w http.ResponseWriter, r *http.Request, d *authn.Done) {
	c, ok := h.resume(w, r, d.Realm)
	if !ok {
		return
	}
	if err := c.finish(d); err != nil {
		c.fail(err)
	}
}

// resume makes a call of a request that came in at the login door.
func (h *Handler) resume(w http.ResponseWriter, r *http.Request, id iam.RealmID) (*call, bool) {
	realm, err := h.Realms.ByID(r.Context(), id)
	if err != nil {
		h.broken(w, r, err)
		return nil, false
	}
	return h.call(w, r, realm), true
}

func (c *call) finish(d *authn.Done) error {
	q := read(&d.Request)
	types, _ := parseResponseType(q.ResponseType)
	scopes := tokens.Requested(c.realm, d.Client, q.Scope)
	if d.New {
		d.Session.Origin = d.Origin
		d.Session.Origin.Client = d.Client.ID
	}
	l, code, err := c.store(d, q, types, scopes)
	if errors.Is(err, sessions.ErrUsed) { // another login was faster to begin a session under the browser's root
		d.Session.ID = sessions.NewID()
		l, code, err = c.store(d, q, types, scopes)
	}
	if errors.Is(err, sessions.ErrGone) {
		return badPage("sessionNotActiveMessage")
	} else if err != nil {
		return err
	}
	if q.Device != "" {
		d.Stored(nil)
		return c.approveDevice(q.Device, d)
	}
	return c.answer(d, q, l, types, scopes, code)
}

// store stores a login with the code that it ends in, if any is asked for.
func (c *call) store(d *authn.Done, q *request, types responseType, scopes []*iam.ClientScope) (l *sessions.Login, code string, err error) {
	l = &sessions.Login{Realm: c.realm, Session: d.Session, New: d.New, Notes: d.Noted, Root: d.Root, Tab: d.Tab}
	if types.code {
		var once sessions.SingleUse
		code, once, err = c.door.grants.NewCode(c.realm, &grants.Code{
			Session: d.Session.ID, User: d.User.ID, Client: d.Client.ID, Scope: q.Scope, RedirectURI: q.Extra[noteRedirectParam], Nonce: q.Nonce,
			Challenge: q.Challenge, ChallengeAlg: q.ChallengeAlg, JKT: q.JKT,
		}, c.door.Now().Add(c.realm.Lifespans.AccessCode))
		if err != nil {
			return nil, "", err
		}
		l.SingleUse = append(l.SingleUse, once)
	}
	return l, code, c.storeLogin(d, q, l, scopes)
}

// answer takes the browser back to the client.
func (c *call) answer(d *authn.Done, q *request, l *sessions.Login, types responseType, scopes []*iam.ClientScope, code string) error {
	var p params
	p.state(q)
	if d.Client.OIDC.SessionState {
		p.add("session_state", string(d.Session.ID))
	}
	if d.Client.OIDC.IssuerParam {
		p.add("iss", q.Issuer)
	}
	if d.ActionStatus != "" {
		p.add("kc_action", d.Action)
		p.add("kc_action_status", d.ActionStatus)
	}
	p.add("code", code)
	var details map[string]string
	if types.implicit() {
		res, err := c.addTokens(&p, d, q, l.ClientSession, scopes, types, code)
		if err != nil {
			return err
		}
		details = map[string]string{"token_id": res.AccessID, "scope": res.Scope}
	}
	d.Stored(details)
	return c.send(modeOf(q), d.Client, q.RedirectURI, p)
}

// storeLogin stores a login with the client's part in the session, which another
// tab's login or refresh may be changing.
func (c *call) storeLogin(d *authn.Done, q *request, l *sessions.Login, scopes []*iam.ClientScope) error {
	was := d.Joined
	if d.New {
		was = new(authn.Joined)
	}
	return sessions.RetryChanged(func() (err error) {
		if was == nil {
			if was, err = c.joined(d); err != nil {
				return err
			}
		}
		if l.ClientSession, err = c.clientPart(d, q, scopes, was); err != nil {
			return err
		}
		was = nil
		return c.door.Sessions.Login(c.ctx(), l)
	})
}

// joined reads what the client has in the session.
func (c *call) joined(d *authn.Done) (*authn.Joined, error) {
	v, live, err := c.door.Sessions.Look(c.ctx(), c.realm, d.Session.Ref(), d.Client)
	switch {
	case v != nil:
		return &authn.Joined{ClientSession: v.ClientSession, Live: live}, nil
	case d.New && errors.Is(err, sessions.ErrGone):
		return new(authn.Joined), nil
	}
	return nil, err
}

// clientPart is the client's part in the session, with the request as notes under
// Keycloak's names. A client that comes again goes on with the part that it has, as
// long as that is alive. Keycloak: TokenManager.attachAuthenticationSession.
func (c *call) clientPart(d *authn.Done, q *request, scopes []*iam.ClientScope, was *authn.Joined) (*iam.ClientSession, error) {
	notes := map[string]string{
		"iss": q.Issuer, "response_type": q.ResponseType, "response_mode": q.ResponseMode, grants.NoteScope: q.Scope,
		"state": q.State, "nonce": q.Nonce,
		"prompt": q.Prompt, "max_age": q.MaxAge, "login_hint": q.LoginHint, "acr_values": q.ACRValues, "claims": q.Claims,
		"kc_idp_hint": q.IDPHint, "code_challenge": q.Challenge, "code_challenge_method": q.ChallengeAlg,
	}
	maps.Copy(notes, q.Extra)
	maps.DeleteFunc(notes, func(_, v string) bool { return v == "" })
	if d.SSO {
		notes[claims.NoteSSO] = "true"
	}
	if d.Level >= 0 {
		notes[claims.NoteLevel] = strconv.Itoa(d.Level)
	}
	offline := tokens.OfflineRequested(scopes)
	if d.New && offline {
		notes[grants.NoteFirstOffline] = "true"
	}
	now := c.door.Now()
	part := &iam.ClientSession{
		Session: d.Session.ID, Realm: d.Realm, Client: d.Client.ID, Started: now, LastAccess: now, Notes: notes, Origin: d.Origin,
	}
	if q.Device != "" {
		part.Origin.How = iam.HowDevice
	}
	part.Origin.Client, part.Origin.Scope, part.Origin.Issuer = d.Client.ID, q.Scope, q.Issuer
	part.Origin.Scopes = tokens.Why(d.Client, q.Scope, scopes)
	if was.ClientSession != nil {
		part.Version = was.ClientSession.Version
		if asked := was.ClientSession.Notes["acr_values"]; notes["acr_values"] == "" && asked != "" && was.Live {
			notes["acr_values"] = asked // a request that asks for no context goes on with the one before
		}
	}
	if offline && !d.New && was.ClientSession == nil {
		fresh, err := c.neverUsed(d.Session.Ref())
		if err != nil {
			return nil, err
		}
		if fresh {
			notes[grants.NoteFirstOffline] = "true"
		}
	}
	if was.Live {
		part.Started = was.ClientSession.Started
		part.Origin.Again = part.Started.Before(now)
		part.Chains = was.ClientSession.Chains // a spent refresh token stays spent
	}
	return part, nil
}

// neverUsed tells whether a session has not been used since it began and its
// clients have left it: it counts as new then.
// Keycloak: AuthenticationProcessor.attachSession.
func (c *call) neverUsed(ref iam.SessionRef) (bool, error) {
	v, err := c.door.Sessions.Find(c.ctx(), c.realm, ref, nil)
	switch {
	case v == nil && !errors.Is(err, sessions.ErrGone):
		return false, err
	case err != nil, v.Session.Started.Unix() != v.Session.LastAccess.Unix():
		return false, nil
	}
	parts, err := c.door.Sessions.ClientSessions(c.ctx(), c.realm, ref.Only())
	return err == nil && len(parts) == 0, err
}

// addTokens adds the tokens of an implicit or hybrid answer. Without a code no
// offline session is made, and so no token of one; Keycloak's then is good for nothing.
func (c *call) addTokens(p *params, d *authn.Done, q *request, part *iam.ClientSession, scopes []*iam.ClientScope, types responseType,
	code string) (*tokens.Response, error) {
	g := &iam.Grant{
		Client: d.Client, User: d.User, Session: d.Session, ClientSession: part, Scopes: scopes, Asked: d.Request.Scope,
		OpenID: tokens.HasScope(d.Request.Scope, tokens.ScopeOpenID), Nonce: q.Nonce,
		Offline: types.code && tokens.OfflineRequested(scopes), Type: "na", Issuer: d.Request.Issuer,
	}
	w := tokens.Want{NoAccess: !types.token, ID: types.idToken, NoID: !types.idToken}
	if types.code {
		w.Code = code
	}
	w.Encrypt = c.encryption(d.Client, d.Client.OIDC.IDToken, "JWT")
	w.State = q.State
	res, err := c.door.Issuer.Issue(c.ctx(), c.realm, g, w)
	if err != nil {
		return nil, err
	}
	if types.idToken {
		p.add("id_token", res.ID)
	}
	if types.token {
		p.add("access_token", res.Access)
		p.add("token_type", res.Type)
		p.add("expires_in", strconv.FormatInt(res.ExpiresIn, 10))
	}
	if types.code && tokens.OfflineRequested(scopes) {
		_, _, err = c.door.Sessions.GoOffline(c.ctx(), c.realm, sessions.OfflineGrant{Online: d.Session, ClientSession: part, Stored: true})
	}
	return res, err
}
