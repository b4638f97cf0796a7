package oidc

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"latchkey/internal/authn"
	"latchkey/internal/bearer"
	"latchkey/internal/iam"
	"latchkey/internal/logout"
	"latchkey/internal/oidc/grants"
	"latchkey/internal/pages"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
	"latchkey/internal/tokens"
	"latchkey/internal/web"
)

// A logoutState is a logout that waits for its confirmation. It travels sealed
// in the page, and counts only in the browser whose session it was shown to.
type logoutState struct {
	Session  iam.SessionID `json:"s,omitempty"` // of the browser
	Client   string        `json:"c,omitempty"` // client_id
	Redirect string        `json:"r,omitempty"`
	State    string        `json:"t,omitempty"`
	Hint     iam.SessionID `json:"h,omitempty"` // the ID token's session
	HintUser iam.UserID    `json:"u,omitempty"` // its subject
	HintAt   int64         `json:"a,omitempty"` // when it was issued, seconds
	Expires  int64         `json:"e"`
}

// A logoutCall is a request of a browser at the logout endpoint (OpenID Connect
// RP-Initiated Logout 1.0).
type logoutCall struct {
	*call
	client   *realms.Client // nil while nobody says for whom
	identity *authn.Identity
	state    logoutState
}

// logoutParams are those of the logout endpoint.
type logoutParams struct {
	client   string // client_id
	redirect string // post_logout_redirect_uri
	hint     string // id_token_hint
	state    string
	refresh  bool // a refresh token was given
}

func readLogout(form web.Form) logoutParams {
	return logoutParams{
		client: form.Get("client_id"), redirect: form.Get("post_logout_redirect_uri"), hint: form.Get("id_token_hint"),
		state: form.Get("state"), refresh: form.Has("refresh_token"),
	}
}

// logout serves the logout endpoint. Keycloak: LogoutEndpoint.logout.
func (h *Handler) logout(c *call) error {
	form, err := readParams(c.r)
	if err != nil {
		return err
	}
	p := readLogout(form)
	if c.r.Method == http.MethodPost && p.refresh {
		return c.logoutToken(form)
	}
	c.w.Header().Set("Cache-Control", web.CacheNoCache)
	l := &logoutCall{call: c}
	l.state.State = p.state
	confirm, err := l.check(p)
	if err != nil {
		return err
	}
	if err := c.login.LogoutRoot(c.w, c.r, c.realm); err != nil {
		return err
	}
	if confirm {
		return l.confirmPage()
	}
	return l.end()
}

// check verifies the request's parameters and tells whether to ask the user.
func (l *logoutCall) check(p logoutParams) (confirm bool, err error) {
	id, redirect := p.client, p.redirect
	if redirect != "" && p.hint == "" && id == "" {
		return false, logoutNobody
	}
	forced := false
	if id != "" {
		if err := l.find(id); err != nil {
			return false, err
		}
		forced = l.client == nil
	}
	confirm = true
	if p.hint != "" {
		matched, err := l.takeHint(p)
		if err != nil {
			return false, err
		}
		confirm = !matched
	}
	if l.client != nil {
		l.event.Client, l.state.Client = l.client.ClientID, l.client.ClientID
		l.asks = l.pageClient(l.client)
	}
	if redirect != "" && l.client != nil {
		var ok bool
		if l.state.Redirect, ok = iam.PostLogoutRedirectsOf(&l.client.Client, l.urls.Of(l.client.RootURL)).Match(redirect); !ok {
			l.detail("redirect_uri", redirect)
			l.event.Cause.Redirect = redirect
			return false, logoutRedirect
		}
	}
	if err := l.readIdentity(); err != nil {
		return false, err
	}
	switch {
	case l.identity != nil:
		forced = forced || l.state.Hint != "" && l.state.Hint != l.identity.Session.ID
	case p.hint == "" && l.client != nil && l.state.Redirect != "":
		confirm = false // nobody is logged in, and the client knows where to go on
	}
	return confirm || forced, nil
}

// find takes the client that is named, nil when there is none.
func (l *logoutCall) find(id string) error {
	client, err := l.realm.ClientByName(l.ctx(), id)
	if realms.Missing(err) {
		return nil
	}
	l.client = client
	return err
}

// takeHint reads the ID token, which may have expired; matched says that it
// was issued for the client.
func (l *logoutCall) takeHint(p logoutParams) (matched bool, err error) {
	tok, err := tokens.Parse(l.ctx(), l.realm, p.hint)
	if err != nil {
		return false, logoutHint
	}
	if tok.Type != tokens.TypeID {
		return false, logoutHintType.with("$type", tok.Type)
	}
	l.state.Hint, l.state.HintUser, l.state.HintAt = iam.SessionID(tok.Session), iam.UserID(tok.Subject), tok.IssuedAt
	if p.client == "" {
		err = l.find(tok.Client)
		return l.client != nil, err
	}
	if tok.Client != "" && tok.Client != p.client {
		l.event.Client = p.client
		return false, logoutHintOther
	}
	return tok.Client != "", nil
}

// readIdentity finds the browser's session. A cookie of one that is over is expired.
// Keycloak: AuthenticationManager.authenticateIdentityCookie.
func (l *logoutCall) readIdentity() error {
	cookie := web.CookieValue(l.r, web.CookieIdentity)
	if cookie == "" {
		return nil
	}
	var err error
	if l.identity, err = l.login.Identity(l.ctx(), l.realm, l.issuer(), cookie); err == nil && l.identity == nil {
		l.expireIdentity()
	}
	return err
}

func (l *logoutCall) expireIdentity() {
	cookies := l.cookies()
	for _, k := range []web.CookieKind{web.CookieIdentity, web.CookieSession} {
		cookies.Expire(l.w, l.r, k)
	}
}

func (l *logoutCall) purpose() string { return "oidc logout " + string(l.realm.ID) }

// systemClient stands for logouts that no client asked for. Keycloak: SystemClientUtil.
const systemClient = realms.ClientAccount

// confirmPage asks the user.
func (l *logoutCall) confirmPage() error {
	if l.identity != nil {
		l.state.Session = l.identity.Session.ID
	}
	l.state.Expires = l.door.Now().Add(l.realm.Lifespans.UserAction).Unix()
	code, err := l.door.Tabs.Seal(l.purpose(), l.state)
	if err != nil {
		return err
	}
	id := l.state.Client
	if id == "" {
		id = systemClient
	}
	q := "?client_id=" + url.QueryEscape(id) + "&tab_id=" + uuid.NewString()[:8]
	l.page(http.StatusOK, pages.Request{Client: l.asks, URLs: pages.URLs{Action: l.endpoint("/logout/logout-confirm") + q}},
		pages.LogoutConfirm{Code: code, SkipLink: l.client == nil})
	return nil
}

// confirmLogout takes the confirmation. Keycloak: LogoutEndpoint.logoutConfirmAction.
func (h *Handler) confirmLogout(c *call) error {
	c.w.Header().Set("Cache-Control", web.CacheNoCache)
	form, err := web.ReadForm(c.r)
	if err != nil {
		return err
	}
	l := &logoutCall{call: c}
	if err := l.readIdentity(); err != nil {
		return err
	}
	var own iam.SessionID
	if l.identity != nil {
		own = l.identity.Session.ID
	}
	err = l.door.Tabs.Open(l.purpose(), form.Get("session_code"), &l.state)
	if err != nil || l.state.Expires < l.door.Now().Unix() || l.state.Session != own {
		return l.unconfirmed()
	}
	if l.state.Client != "" {
		if err := l.find(l.state.Client); err != nil {
			return err
		}
	}
	return l.end()
}

// end logs out whom the hint and the browser's cookie name.
// Keycloak: LogoutEndpoint.doBrowserLogout.
func (l *logoutCall) end() error {
	l.event.Client = systemClient
	if l.client != nil {
		l.event.Client, l.asks = l.client.ClientID, l.pageClient(l.client)
	}
	session, err := l.hinted()
	if err != nil {
		return err
	}
	if session == nil && l.identity != nil {
		session = l.identity.Session
	}
	if session == nil {
		return l.goOn(nil)
	}
	asked := l.endAtProvider(session)
	expire := func() {
		if l.identity == nil && web.CookieValue(l.r, web.CookieSession) == "" {
			return
		}
		l.expireIdentity()
		if session.Remember {
			l.cookies().Expire(l.w, l.r, web.CookieRememberMe)
		}
	}
	end := iam.End{Reason: iam.LogoutByUser, By: iam.ActorUser, Actor: session.User, Rule: "logout endpoint"}
	if l.client != nil {
		end.Client = l.client.ID
	}
	parts, err := l.door.Ender.Here(l.ctx(), l.realm, l.issuer(), session.Ref(), end)
	if errors.Is(err, sessions.ErrGone) && !asked { // another request was faster
		expire()
		return l.goOn(nil)
	}
	if err != nil && !errors.Is(err, sessions.ErrGone) { // a provider that was asked has ended it by its back channel
		return err
	}
	l.detail("redirect_uri", l.state.Redirect)
	l.event.User, l.event.Session = session.User, session.ID
	l.emit()
	front := logout.Front(l.ctx(), l.realm, l.issuer(), parts)
	if away, err := l.toProvider(session, front); away || err != nil {
		return err
	}
	expire()
	return l.goOn(front)
}

// hinted is the session of the ID token, nil when it is over.
func (l *logoutCall) hinted() (*iam.UserSession, error) {
	if l.state.Hint == "" {
		return nil, nil
	}
	v, err := l.door.Sessions.Find(l.ctx(), l.realm, iam.SessionRef{ID: l.state.Hint, User: l.state.HintUser}, nil)
	switch {
	case errors.Is(err, sessions.ErrGone), errors.Is(err, sessions.ErrExpired):
		e := l.event
		l.event.Client = ""
		if l.client != nil {
			l.event.Client = l.client.ClientID
		}
		l.failed("session_expired")
		l.event = e
		return nil, nil
	case v == nil:
		return nil, err
	case time.Unix(l.state.HintAt+1, 0).Before(v.Session.Started.Truncate(time.Second)):
		return nil, logoutHintOlder
	}
	return v.Session, nil
}

// goOn leads on after a logout: through the frames of clients that are told by
// the browser, to the client, or to a page that says that it is done.
func (l *logoutCall) goOn(front []logout.FrontClient) error {
	to := l.state.Redirect
	if to != "" && l.state.State != "" {
		sep := "?"
		if strings.Contains(to, "?") {
			sep = "&"
		}
		bare, fragment, has := strings.Cut(to, "#")
		if to = bare + sep + "state=" + url.QueryEscape(l.state.State); has {
			to += "#" + fragment
		}
	}
	if len(front) > 0 {
		v := pages.FrontchannelLogout{RedirectURL: to}
		for _, f := range front {
			v.Clients = append(v.Clients, pages.LogoutClient(f))
		}
		l.w.Header().Set("Content-Security-Policy", withFrames(l.realm.SecurityHeaders["contentSecurityPolicy"], v.FrameSources()))
		l.page(http.StatusOK, pages.Request{}, v)
		return nil
	}
	// Keycloak: OIDCAdvancedConfigWrapper.isLogoutConfirmationEnabled.
	if to != "" && (l.client == nil || !l.client.OIDC.ConfirmLogout) {
		l.redirect(to)
		return nil
	}
	return l.loggedOut(http.StatusOK)
}

// withFrames adds origins to the frame-src of a policy.
func withFrames(policy string, origins []string) string {
	const directive = "frame-src 'self'"
	if len(origins) == 0 {
		return policy
	}
	if strings.Contains(policy, directive) {
		return strings.Replace(policy, directive, directive+" "+strings.Join(origins, " "), 1)
	}
	return policy
}

// unconfirmed answers a confirmation that belongs to no logout of the browser's.
// Keycloak: SessionCodeChecks.restartAuthenticationSessionFromCookie, LogoutEndpoint.logoutConfirmAction.
func (l *logoutCall) unconfirmed() error {
	tell := func(word string) {
		e := l.event
		l.failed(word)
		l.event = e
	}
	if l.identity == nil {
		tell("cookie_not_found")
		tell("session_expired")
		if l.r.Method == http.MethodGet {
			return l.loggedOut(http.StatusBadRequest)
		}
	}
	return logoutUnconfirmed
}

func (l *logoutCall) loggedOut(status int) error {
	l.page(status, pages.Request{Client: l.asks, Message: &pages.Message{Type: pages.Success, Key: "successLogout"}},
		pages.Info{SkipLink: l.client == nil})
	return nil
}

// logoutChecks are those of a refresh token that a session is ended by: it may have expired.
var logoutChecks = []bearer.Check{bearer.OfType, bearer.OfHost, bearer.OfClient}

// logoutToken ends the session of a refresh token, for clients without a
// browser, in a realm that is switched off too. Keycloak: LogoutEndpoint.logoutToken.
func (c *call) logoutToken(form web.Form) error {
	b, err := c.backAnyway(form)
	if err != nil {
		return err
	}
	if err := b.admitClient(); err != nil {
		return err
	}
	q := &grants.Request{Realm: b.realm, Client: b.client, Params: grants.Read(form), Issuer: b.issuer(), Event: &b.event}
	verdict, err := b.door.grants.JudgeRefresh(b.ctx(), q, logoutChecks)
	if err != nil {
		return err
	}
	if err := b.logoutBound(verdict.Token); err != nil {
		return err
	}
	tok := verdict.Token
	v, err := b.door.Sessions.Find(b.ctx(), b.realm, tok.Ref(tok.Kind()), nil)
	over := errors.Is(err, sessions.ErrGone) || errors.Is(err, sessions.ErrExpired)
	if v == nil && !over {
		return err
	}
	if !over {
		if tok.BeforeSession(v.Session.Started) {
			return logoutOlder
		}
		if err := b.endSession(v.Session); err != nil {
			return err
		}
	}
	b.w.Header().Set("Cache-Control", web.CacheNoCache)
	web.SecurityHeaders(b.w.Header(), b.realm.SecurityHeaders, "")
	b.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (b *backCall) endSession(s *iam.UserSession) error {
	asked := b.endAtProvider(s)
	_, err := b.door.Ender.Here(b.ctx(), b.realm, b.issuer(), s.Ref(),
		iam.End{Reason: iam.LogoutByClient, By: iam.ActorClient, Client: b.client.ID, Rule: "logout endpoint, with a refresh token"})
	if errors.Is(err, sessions.ErrGone) && !asked {
		return nil
	}
	if err != nil && !errors.Is(err, sessions.ErrGone) {
		return err
	}
	b.event.User, b.event.Session = s.User, s.ID
	b.emit()
	return nil
}
