package login

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"latchkey/internal/authn"
	"latchkey/internal/authn/tabs"
	"latchkey/internal/bearer"
	"latchkey/internal/iam"
	"latchkey/internal/keys"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
	"latchkey/internal/tokens"
	"latchkey/internal/web"
)

// A root is a browser's logins in a realm, as the AUTH_SESSION_ID cookie names
// them. Since an anonymous request stores nothing, the cookie says itself what
// in Keycloak the stored root would: whether a login is still open under it.
type root struct {
	ID     iam.SessionID `json:"i"`
	Issued int64         `json:"t"` // seconds since 1970
	Kind   string        `json:"k"`
	Seen   string        `json:"v,omitempty"` // of a logout: the KEYCLOAK_SESSION cookie that it came with
	Unused bool          `json:"u,omitempty"` // ID was made for this cookie: no session had it then
	fresh  bool          // made by this request: the cookie is due
}

// The kinds of root cookie.
const (
	rootLogin = "l" // open for as long as KC_RESTART says so, too
	rootPlain = "p" // open: its login came without KC_RESTART
	rootSpent = "s" // its one login ended in the answer that set it
	rootOut   = "o" // a logout's
)

// A restartToken is the KC_RESTART cookie: how to begin anew when a login has
// run out of time, and which logins are open in this browser.
type restartToken struct {
	Root    iam.SessionID    `json:"r"`
	Client  string           `json:"c"` // OAuth's client_id
	Request iam.LoginRequest `json:"q"`
	Path    string           `json:"p,omitempty"`
	Issued  int64            `json:"i,omitempty"` // seconds since 1970; 0 in those of an earlier version
	Tabs    []string         `json:"t,omitempty"`
}

// maxUnused is for how long a root's id may become a session's: less than the
// records of ended sessions are kept, which tell that an id has been used.
const maxUnused = 12 * time.Hour

// maxTabs bounds how many open logins KC_RESTART lists.
const maxTabs = 16

func (a *attempt) purpose(what string) string { return "login " + what + " " + string(a.realm.ID) }

// readRoot takes the root that the browser's cookie names, if a login is open
// under it. Otherwise the root is new: under the id of the browser's session
// when it has one, as in Keycloak. A login under such an id joins that session, or
// begins one under another id.
func (a *attempt) readRoot() error {
	now := a.h.Tabs.Now()
	var c root
	named := a.h.Tabs.Open(a.purpose("root"), web.CookieValue(a.r, web.CookieAuthSession), &c) == nil && c.ID != ""
	if named {
		a.named = c.ID
		open := a.saysOpen(c)
		if open && a.starting {
			gone, err := a.h.Sessions.HasSingleUse(a.ctx, a.realm, rootGone(c.ID))
			if err != nil {
				return err
			}
			if gone {
				open, a.opened = false, new(restartToken)
			}
		}
		if open {
			a.root = c
			return nil
		}
		ref := iam.SessionRef{ID: c.ID}
		if t, err := a.token(web.CookieValue(a.r, web.CookieIdentity)); err == nil && t.Session != "" {
			ref.ID, ref.User = t.Session, t.Subject
		}
		// Most browsers that come again have a session and no open login: both are asked for at once.
		var ahead sync.WaitGroup
		ahead.Go(func() { _, _ = a.find(ref) })
		stored, err := a.h.Tabs.Any(a.ctx, a.realm.ID, c.ID, "")
		ahead.Wait()
		if err != nil {
			return err
		}
		if stored {
			a.root = c
			return nil
		}
		v, err := a.find(ref)
		switch {
		case err == nil && v.User.Enabled: // Oracle: sessions/disabled-user
			a.root = root{ID: ref.ID, Issued: now.Unix(), Kind: rootLogin, fresh: true}
			return nil
		case err != nil && !sessionEnded(err):
			return err
		}
	}
	a.newRoot()
	return nil
}

// saysOpen tells whether the browser's cookies say that a login is open under a root.
func (a *attempt) saysOpen(c root) bool {
	return (c.Kind == rootPlain || c.Kind == rootLogin && a.readRestart().Root == c.ID) &&
		a.h.Tabs.Now().Before(time.Unix(c.Issued, 0).Add(a.rootLifespan()))
}

func (a *attempt) newRoot() {
	a.root = root{ID: iam.SessionID(uuid.NewString()), Issued: a.h.Tabs.Now().Unix(), Kind: rootLogin, Unused: true, fresh: true}
}

// unused tells whether a session may begin under the root's id: no browser can
// have known it as a session's before. The id may have been used since; then
// sessions.Login says so.
func (a *attempt) unused() bool {
	return a.root.Unused && a.h.Tabs.Now().Before(time.Unix(a.root.Issued, 0).Add(maxUnused))
}

// A seen session is what one request has read of it, and of the client's part in it.
type seen struct {
	ref    iam.SessionRef
	client *iam.Client
	view   *sessions.View
	live   bool // the client's part
	err    error
}

// find reads an online session once for a request whose cookies name it twice.
func (a *attempt) find(ref iam.SessionRef) (*sessions.View, error) {
	if a.seen == nil || a.seen.ref != ref {
		var client *iam.Client
		if a.client != nil {
			client = &a.client.Client
		}
		v, live, err := a.h.Sessions.Look(a.ctx, a.realm, ref, client)
		a.seen = &seen{ref, client, v, live, err}
	}
	return a.seen.view, a.seen.err
}

// joined is what this request has seen of its client in a session, nil when it has seen nothing.
func (a *attempt) joined(id iam.SessionID) *authn.Joined {
	if a.seen == nil || a.seen.ref.ID != id || a.seen.client != &a.client.Client || a.seen.err != nil {
		return nil
	}
	return &authn.Joined{ClientSession: a.seen.view.ClientSession, Live: a.seen.live}
}

// sessionEnded tells errors about sessions from faults.
func sessionEnded(err error) bool {
	for _, e := range []error{sessions.ErrGone, sessions.ErrExpired, sessions.ErrUserGone, sessions.ErrUserDisabled, sessions.ErrRealmDisabled,
		sessions.ErrClientDisabled, sessions.ErrNoClientSession, sessions.ErrClientSessionExpired, sessions.ErrBeforeNotBefore} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// rootLifespan is how long a login may take in all.
// Keycloak: RealmInfoUtil.getDettachedClientSessionLifespan.
func (a *attempt) rootLifespan() time.Duration {
	l := a.realm.Lifespans
	return max(l.Login, l.UserAction, l.AccessCode)
}

// setRoot sets the cookies of a root that this request made.
func (a *attempt) setRoot() error {
	if !a.root.fresh {
		return nil
	}
	value, err := a.h.Tabs.Seal(a.purpose("root"), a.root)
	if err != nil {
		return err
	}
	a.cookies.Set(a.w, web.CookieAuthSession, value)
	sum := sha256.Sum256([]byte(a.root.ID))
	a.cookies.Set(a.w, web.CookieAuthSessionHash, base64.RawStdEncoding.EncodeToString(sum[:]))
	return nil
}

// spendRoot marks a new root's cookie when its login ends in this answer.
func (a *attempt) spendRoot() error {
	a.root.Kind = rootSpent
	return a.setRoot()
}

// LogoutRoot sets the AUTH_SESSION_ID cookie for a logout that a protocol's
// door begins, as the reference does, which keeps the state of logouts, too,
// under it. One that is open already is gone on with.
func (h *Handler) LogoutRoot(w http.ResponseWriter, r *http.Request, realm *realms.Realm) error {
	a := &attempt{h: h, w: w, r: r, ctx: r.Context(), realm: realm}
	a.cookies = web.NewCookies(h.Hostname.URLs(web.RequestOf(r), realm.Attrs["frontendUrl"]).Frontend, realm.Name,
		sessions.Safari(r.UserAgent()))
	seen := web.CookieValue(r, web.CookieSession)
	var c root
	named := h.Tabs.Open(a.purpose("root"), web.CookieValue(r, web.CookieAuthSession), &c) == nil
	if named && c.Kind == rootOut && c.Seen == seen {
		return nil
	}
	if named { // an open login keeps its root
		if a.saysOpen(c) {
			return nil
		}
		if open, err := h.Tabs.Any(a.ctx, realm.ID, c.ID, ""); open || err != nil {
			return err
		}
	}
	if !named {
		c.ID = iam.SessionID(uuid.NewString())
	}
	value, err := h.Tabs.Seal(a.purpose("root"), root{ID: c.ID, Issued: h.Tabs.Now().Unix(), Kind: rootOut, Seen: seen})
	if err == nil {
		a.cookies.Set(w, web.CookieAuthSession, value)
	}
	return err
}

// readRestart is what the browser's KC_RESTART says, empty when that is nothing.
func (a *attempt) readRestart() restartToken {
	if a.opened == nil {
		a.opened = new(restartToken)
		if a.h.Tabs.Open(a.purpose("restart"), web.CookieValue(a.r, web.CookieRestart), a.opened) != nil {
			*a.opened = restartToken{}
		}
	}
	return *a.opened
}

// setRestart sets KC_RESTART for the login, adding its tab to those open.
func (a *attempt) setRestart(open bool) error {
	old := a.readRestart()
	t := restartToken{Root: a.root.ID, Client: a.client.ClientID, Request: a.tab.Request, Issued: a.h.Tabs.Now().Unix()}
	if old.Root == a.root.ID {
		t.Tabs = old.Tabs
	}
	t.Tabs = slices.DeleteFunc(slices.Clone(t.Tabs), func(id string) bool { return id == tabs.Began(a.tab) })
	if open {
		t.Tabs = append(t.Tabs, tabs.Began(a.tab))
	}
	t.Tabs = t.Tabs[max(0, len(t.Tabs)-maxTabs):]
	value, err := a.h.Tabs.Seal(a.purpose("restart"), t)
	if err != nil {
		return err
	}
	a.cookies.Set(a.w, web.CookieRestart, value)
	return nil
}

// endRestart forgets KC_RESTART when the browser's last open login has ended.
func (a *attempt) endRestart() {
	if a.tab.Notes[noteForkedTo] != "" { // the other one is open
		return
	}
	t := a.readRestart()
	if t.Root == a.root.ID && slices.ContainsFunc(t.Tabs, func(id string) bool { return id != tabs.Began(a.tab) }) {
		return
	}
	a.cookies.Expire(a.w, a.r, web.CookieRestart)
}

// readIdentity finds the browser's single sign-on session. A cookie that is
// good for nothing any more is expired.
// Keycloak: AuthenticationManager.authenticateIdentityCookie.
func (a *attempt) readIdentity() error {
	cookie := web.CookieValue(a.r, web.CookieIdentity)
	if cookie == "" {
		a.why = iam.NoCookie
		return nil
	}
	id, err := a.identify(cookie)
	if err != nil {
		return err
	}
	if a.identity = id; id == nil {
		a.cookies.Expire(a.w, a.r, web.CookieIdentity)
		a.cookies.Expire(a.w, a.r, web.CookieSession)
		if err := a.endForgotten(); err != nil {
			return err
		}
		if a.starting && (a.why == iam.NotBeforeRealm || a.why == iam.NotBeforeUser) {
			a.newRoot() // the session stays to those who have tokens of it; the login makes another
		}
		return nil
	}
	a.h.Sessions.Touch(a.realm, id.Session.Ref(), "")
	return nil
}

// endForgotten ends the session of a cookie that was to be remembered by a realm
// that remembers none any more. The reference logs it out, which expires the
// cookies a second time. Oracle: sessions/remember-me-off.
func (a *attempt) endForgotten() error {
	if a.seen == nil || !errors.Is(a.seen.err, sessions.ErrForgotten) {
		return nil
	}
	us := a.seen.view.Session
	_, err := a.h.Sessions.End(a.ctx, a.realm, us.Ref(), a.h.Sessions.TimedOut(a.realm, us))
	if err != nil && !sessionEnded(err) {
		return err
	}
	h := a.w.Header()
	for _, line := range slices.Clone(h["Set-Cookie"]) {
		if strings.HasPrefix(line, web.CookieIdentity.Name+"=;") || strings.HasPrefix(line, web.CookieSession.Name+"=;") {
			h["Set-Cookie"] = append(h["Set-Cookie"], line)
		}
	}
	return nil
}

// Identity finds the live session that an identity cookie proves, nil when it
// proves none. issuer is the realm's address as the browser sees it.
func (h *Handler) Identity(ctx context.Context, realm *realms.Realm, issuer, cookie string) (*authn.Identity, error) {
	a := &attempt{h: h, ctx: ctx, realm: realm, base: issuer}
	return a.identify(cookie)
}

// token reads an identity cookie, once for a request. Whether what it says is
// still so is for identify.
func (a *attempt) token(cookie string) (*authn.IdentityToken, error) {
	if a.read == nil || a.read.cookie != cookie {
		t := new(authn.IdentityToken)
		err := keys.ReadInternal(a.ctx, a.realm, cookie, t)
		if err == nil && t.Type != authn.IdentityTokenType {
			err = keys.ErrForged
		}
		a.read = &readToken{cookie, t, err}
	}
	return a.read.token, a.read.err
}

// A readToken is an identity cookie that one request has read.
type readToken struct {
	cookie string
	token  *authn.IdentityToken
	err    error
}

// identify is Identity that leaves in the attempt why a cookie proves nothing.
func (a *attempt) identify(cookie string) (*authn.Identity, error) {
	t, err := a.token(cookie)
	switch {
	case errors.Is(err, keys.ErrUnknownKey):
		a.why = iam.CookieRetiredKey
		return nil, nil
	case err != nil:
		a.why = iam.NoCookie // none that this realm made
		return nil, nil
	}
	a.claimed = t
	said := &tokens.Token{Type: t.Type, ID: t.ID, Issuer: t.Issuer, Subject: string(t.Subject), Session: string(t.Session), IssuedAt: t.Issued,
		Expires: t.Expires}
	v, err := a.h.Judge.JudgeRead(a.ctx, a.realm, said, bearer.Want{Checks: cookieChecks, Issuer: a.base})
	if err == nil && v.Good() {
		found := new(bearer.Found)
		found.View, found.Err = a.find(iam.SessionRef{ID: t.Session, User: t.Subject})
		v, err = a.h.Judge.JudgeRead(a.ctx, a.realm, said, bearer.Want{Checks: identityChecks, Found: found})
	}
	if err != nil {
		return nil, err
	}
	if v.Good() {
		return &authn.Identity{Session: v.View.Session, User: v.User, Token: t}, nil
	}
	a.why = cmp.Or(cookieReasons[v.Refusal], v.Reason())
	return nil, nil
}

// cookieChecks are those of an identity cookie, identityChecks those of the session that it
// names. Keycloak: AuthenticationManager.verifyIdentityToken.
var (
	cookieChecks   = []bearer.Check{bearer.OfHost, bearer.NotExpired}
	identityChecks = []bearer.Check{bearer.LiveSession, bearer.OfSubject, bearer.UserOn, bearer.AfterRealm, bearer.AfterUser}
)

// cookieReasons are those that are of cookies alone.
var cookieReasons = map[bearer.Refusal]iam.Reason{bearer.OtherHost: iam.CookieOtherHost, bearer.Expired: iam.CookieExpired}

// setIdentity sets the cookies of a session.
// Keycloak: AuthenticationManager.createLoginCookie.
func (a *attempt) setIdentity(s *iam.UserSession) error {
	l := a.realm.Lifespans
	age := l.SSOMax
	if s.Remember && l.SSOMaxRememberMe > 0 {
		age = l.SSOMaxRememberMe
	}
	now := a.h.Tabs.Now()
	t := &authn.IdentityToken{Type: authn.IdentityTokenType, ID: uuid.NewString(), Issuer: a.base, Subject: s.User, Session: s.ID,
		Issued: now.Unix(), StateChecker: random(32)}
	if age > 0 {
		t.Expires = now.Add(age).Unix()
	}
	value, err := a.h.Keys.SignInternal(a.ctx, a.realm, t)
	if err != nil {
		return err
	}
	identityAge := 0
	if s.Remember {
		identityAge = int(age.Seconds())
	}
	a.cookies.SetFor(a.w, web.CookieIdentity, value, identityAge)
	a.cookies.SetFor(a.w, web.CookieSession, SessionCookie(s.ID), int(age.Seconds()))
	if s.Remember {
		a.cookies.Set(a.w, web.CookieRememberMe, "username:"+url.QueryEscape(s.Username))
	} else {
		a.cookies.Expire(a.w, a.r, web.CookieRememberMe)
	}
	return nil
}

// SessionCookie is the value of KEYCLOAK_SESSION for a session, which the frame
// of keycloak-js computes, too.
func SessionCookie(id iam.SessionID) string {
	sum := sha512.Sum384([]byte(id))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// remembered is the user name that the remember-me cookie suggests.
func (a *attempt) remembered() string {
	name, ok := strings.CutPrefix(web.CookieValue(a.r, web.CookieRememberMe), "username:")
	if !ok || !a.realm.Login.RememberMe {
		return ""
	}
	name, err := url.QueryUnescape(name)
	if err != nil {
		return ""
	}
	return name
}

// random returns n random bytes as base64url.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// privateAddress: sslRequired=external leaves local addresses alone.
// Keycloak: SslRequired.isLocal.
func privateAddress(addr string) bool {
	ip, err := netip.ParseAddr(addr)
	return err == nil && (ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast())
}
