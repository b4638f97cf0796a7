package login

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"latchkey/internal/authn"
	"latchkey/internal/authn/steps"
	"latchkey/internal/authn/tabs"
	"latchkey/internal/iam"
	"latchkey/internal/pages"
	"latchkey/internal/realms"
	"latchkey/internal/web"
)

// pathRequired is the path, and the tab's Flow, once a flow has succeeded.
const pathRequired = "required-action"

func (a *attempt) readClientData() (d tabs.Data, ok bool) {
	v := a.query.Get("client_data")
	if v == "" {
		return d, false
	}
	d, err := a.h.Tabs.OpenData(a.realm.ID, v)
	return d, err == nil
}

func (a *attempt) clientData(message string) (string, error) {
	d := tabs.DataOf(a.tab)
	d.Message = message
	return a.h.Tabs.SealData(a.realm.ID, d)
}

// codePurpose binds a sealed session code to realm, browser and tab.
func (a *attempt) codePurpose() string {
	return a.purpose("code") + " " + string(a.tab.Root) + " " + a.tab.ID
}

// sessionCode is what the next POST must carry: the stored tab's code, or the
// whole state of a tab that is not stored.
func (a *attempt) sessionCode() (string, error) {
	if a.tab.Version > 0 {
		return a.tab.Code, nil
	}
	t := *a.tab
	t.Request = iam.LoginRequest{} // travels in client_data
	return a.h.Tabs.Seal(a.codePurpose(), t)
}

// load finds the login that a request belongs to. action: it is a submit, to
// be given to execution. When ok is false the request has been answered.
// Keycloak: SessionCodeChecks.initialVerify.
func (a *attempt) load(path, code string) (action, ok bool) {
	if err := a.loadTab(); err != nil {
		if !errors.Is(err, tabs.ErrGone) {
			a.broken(err)
			return false, false
		}
		a.startOver()
		return false, false
	}
	if !a.client.Enabled {
		a.details["code_id"] = string(a.tab.Root)
		a.emitError("client_disabled")
		a.errorPage(http.StatusBadRequest, "loginRequesterNotEnabledMessage")
		return false, false
	}
	if !a.stillAllowed(a.client, &a.tab.Request) {
		return false, false
	}
	execution := iam.ExecID(a.query.Get("execution"))
	if a.picked && a.tab.Version > 0 && a.form == nil && !a.save() {
		return false, false
	}
	if a.form == nil && path == pathRequired && code != "" && code == a.tab.Code && execution == a.tab.Current &&
		a.h.Actions.ByLink(string(execution)) {
		a.form = url.Values{} // the page's link is its form
	}
	if code == "" || a.form == nil {
		// only a flow that has succeeded leads past flows
		if execution == "" && path != a.tab.Flow && path != pathRequired && a.tab.Flow != pathRequired {
			a.tab.Flow, a.tab.Current = path, ""
			a.tab.Entered = nil
			a.switched = a.tab.Version > 0
		}
		if a.tab.Version == 0 || execution == "" || execution == a.tab.Current || a.tab.Status[execution] == iam.ExecChallenged {
			return false, true
		}
		a.pageExpired()
		return false, false
	}
	if a.tab.Version == 0 {
		sealed := iam.AuthTab{}
		if a.h.Tabs.Open(a.codePurpose(), code, &sealed) != nil {
			a.toPage(a.tab.Flow, execution, "expiredActionMessage")
			return false, false
		}
		sealed.Request, sealed.Version = a.tab.Request, 0
		*a.tab = sealed
		a.proved = proved(a.tab)
		return true, true
	}
	if code == a.tab.Code {
		return true, true
	}
	if execution == a.tab.Current {
		a.again("expiredActionMessage")
		return false, false
	}
	a.pageExpired()
	return false, false
}

// loadTab finds the tab: stored, or sealed in the address and not begun.
func (a *attempt) loadTab() error {
	if err := a.findClient(); err != nil {
		return err
	}
	if err := a.readRoot(); err != nil {
		return err
	}
	if err := a.readIdentity(); err != nil {
		return err
	}
	if a.root.fresh || a.client == nil {
		return tabs.ErrGone
	}
	data, sealed := a.readClientData()
	id := a.query.Get("tab_id")
	t, err := a.h.Tabs.Load(a.ctx, a.realm.ID, a.root.ID, id)
	switch {
	case err == nil && t.Request.Client == a.client.ID:
		a.tab, a.proved = t, proved(t)
	case err != nil && !errors.Is(err, tabs.ErrGone):
		return err
	case !sealed || data.Tab != id || data.Request.Client != a.client.ID || data.Root != "" && data.Root != a.root.ID ||
		!a.inTime(data.Issued):
		return tabs.ErrGone
	default:
		a.foreign = data.Root == ""
		a.tab = data.Fresh(a.root.ID, id)
		a.tab.Flow = authn.PathAuthenticate
		a.keepAsked(data.Asked, data.Named)
	}
	a.pickLocale()
	if key := a.tab.Notes[noteForward]; key != "" {
		a.forward(key)
		delete(a.tab.Notes, noteForward)
	}
	if sealed && data.Message != "" {
		a.forward(data.Message)
	}
	return nil
}

// noteForward is a message key for the next page of a stored tab.
const noteForward = "forwardedErrorMessage"

func (a *attempt) forward(key string) { a.message = &authn.Message{Tone: pages.Problem, Key: key} }

// inTime tells whether a login that began at a time may still go on.
func (a *attempt) inTime(began int64) bool {
	return a.h.Tabs.Now().Before(time.Unix(began, 0).Add(a.realm.Lifespans.Login))
}

// active tells whether the page that a stored login shows has not been left
// open for too long: for l since the last step. One that has is answered by
// the beginning of the login. Keycloak: SessionCodeChecks.isActionActive,
// ClientSessionCode.isActionActive.
func (a *attempt) active(l time.Duration) bool {
	touched := a.tab.Touched
	if touched.IsZero() { // stored before it was noted
		touched = a.tab.Created
	}
	if a.tab.Version == 0 || a.h.Tabs.Now().Before(touched.Add(l)) {
		return true
	}
	a.expired()
	return false
}

func (a *attempt) expired() {
	a.details["code_id"] = string(a.tab.Root)
	a.emitError("expired_code")
	a.tab.Created = a.h.Tabs.Now()
	a.forget()
	a.toPage(authn.PathAuthenticate, "", "loginTimeout")
}

// startOver answers a request whose login is not there: it begins anew from
// KC_RESTART, tells who is logged in already, or gives up.
// Keycloak: SessionCodeChecks.restartAuthenticationSessionFromCookie.
func (a *attempt) startOver() {
	if web.CookieValue(a.r, web.CookieRestart) == "" {
		if a.identity != nil {
			a.alreadyLoggedIn()
			return
		}
		a.emitError("cookie_not_found")
		a.errorPage(http.StatusBadRequest, "cookieNotFoundMessage")
		return
	}
	t := a.readRestart()
	client, err := a.realm.ClientByName(a.ctx, t.Client)
	if t.Client == "" || err != nil || a.query.Get("client_id") != "" && a.query.Get("client_id") != t.Client ||
		t.Issued != 0 && a.tooOld(t.Issued) {
		a.emitError("invalid_code")
		a.errorPage(http.StatusBadRequest, "invalidCodeMessage")
		return
	}
	a.client = client
	a.details["restart_after_timeout"] = "true"
	a.emitError("expired_code")
	a.tab = a.newTab(t.Request, authn.PathAuthenticate)
	// what the page says is newer than the cookie
	if d, ok := a.readClientData(); ok && d.Request.Client == client.ID && d.Root == t.Root && !a.tooOld(d.Issued) {
		a.tab.Request = d.Request
	}
	if !client.Enabled {
		a.errorPage(http.StatusBadRequest, "loginRequesterNotEnabledMessage")
		return
	}
	if !a.stillAllowed(client, &a.tab.Request) {
		return
	}
	if err := a.setRoot(); err != nil {
		a.broken(err)
		return
	}
	if a.root.fresh { // where the root goes on, so does its KC_RESTART
		if err := a.setRestart(true); err != nil {
			a.broken(err)
			return
		}
	}
	a.toPage(authn.PathAuthenticate, "", "loginTimeout")
}

// alreadyLoggedIn: the login has been finished, in another tab perhaps.
func (a *attempt) alreadyLoggedIn() {
	d, ok := a.readClientData()
	if ok && a.client != nil && d.Request.Client == a.client.ID && d.Request.RedirectURI != "" && d.Root == a.named && !a.tooOld(d.Issued) {
		if !a.stillAllowed(a.client, &d.Request) {
			return
		}
		a.details["redirected_to_client"], a.details["redirect_uri"] = "true", d.Request.RedirectURI
		protocol := a.h.Protocols[d.Request.Protocol]
		maps.Copy(a.details, protocol.Details(&d.Request))
		a.emitError("already_logged_in")
		protocol.Refuse(a.w, a.r, &authn.Refused{Realm: a.realm.ID, Client: &a.client.Client, Request: d.Request, Why: authn.AlreadyLoggedIn})
		return
	}
	a.details["redirected_to_client"] = "false"
	a.emitError("already_logged_in")
	// Oracle: login/left-pages
	a.notice(http.StatusBadRequest, pages.Info{SkipLink: a.client == nil}, &authn.Message{Tone: pages.Success, Key: "alreadyLoggedIn"})
}

// maxLeftOpen is for how long a page that lay open, or KC_RESTART, still leads on to
// a new login or back to its client.
const maxLeftOpen = 24 * time.Hour

func (a *attempt) tooOld(issued int64) bool {
	return a.h.Tabs.Now().After(time.Unix(issued, 0).Add(maxLeftOpen))
}

// stillAllowed has a request judged again, by the client's rules of now. When it
// says false, that has been answered.
func (a *attempt) stillAllowed(c *realms.Client, q *iam.LoginRequest) bool {
	no := &authn.Unfit{Status: http.StatusBadRequest, Event: "invalid_client", Message: "Wrong client protocol."}
	if p := a.h.Protocols[q.Protocol]; p != nil && q.Protocol == c.Protocol {
		if no = p.Judge(a.r, a.realm, c, q); no == nil {
			return true
		}
	}
	a.details["redirect_uri"] = q.RedirectURI
	a.emitRefusal(no.Event, no.Refusal)
	a.errorPage(no.Status, no.Message)
	return false
}

// protocol is the one that the login was asked for in: stillAllowed has seen that there is one.
func (a *attempt) protocol() Protocol { return a.h.Protocols[a.tab.Request.Protocol] }

// toPage redirects to where a login goes on, without a code.
func (a *attempt) toPage(path string, execution iam.ExecID, message string) {
	data, err := a.clientData(message)
	if err != nil {
		a.broken(err)
		return
	}
	a.redirect(a.url(path, "execution", string(execution), "client_id", a.client.ClientID, "tab_id", a.tab.ID, "client_data", data))
}

// again redirects to the page that is due, with a message.
func (a *attempt) again(message string) {
	a.toPage(a.tab.Flow, a.tab.Current, message)
}

// pageExpired offers to start over or to go on.
// Keycloak: AuthenticationFlowURLHelper.showPageExpired.
func (a *attempt) pageExpired() {
	data, err := a.clientData("")
	if err != nil {
		a.broken(err)
		return
	}
	a.show(http.StatusOK, pages.PageExpired{}, nil, nil, func(u *pages.URLs) {
		u.Action = a.url(a.tab.Flow, "execution", string(a.tab.Current), "client_id", a.client.ClientID, "tab_id", a.tab.ID, "client_data", data)
		u.Restart = a.url("restart", "client_id", a.client.ClientID, "tab_id", a.tab.ID, "client_data", data, "skip_logout", "true")
	})
}

// save stores the tab; false when another request was faster, which has been answered.
// A tab that knows more of its user than before goes on under a new id: whoever knew
// its address and has the same cookies need not be the one who proved that.
func (a *attempt) save() bool {
	now := a.h.Tabs.Now()
	a.tab.Code, a.tab.Touched = random(32), now
	loaded := a.tab.ID
	switch p := proved(a.tab); {
	case a.tab.Left != nil: // to be found by what comes back
		id, _, _ := strings.Cut(a.tab.Left.State, ".")
		a.tab.First, a.tab.ID, a.proved = tabs.Began(a.tab), id, p
	case p != a.proved:
		a.tab.First, a.tab.ID, a.proved = tabs.Began(a.tab), random(8), p
	}
	won, err := a.h.Tabs.Save(a.ctx, a.realm.ID, loaded, a.tab, now.Add(a.rootLifespan()))
	if err != nil {
		a.broken(err)
		return false
	}
	if won {
		return true
	}
	t, err := a.h.Tabs.Load(a.ctx, a.realm.ID, a.tab.Root, loaded)
	if errors.Is(err, tabs.ErrGone) { // finished, or taken further, by the other request
		a.startOver()
		return false
	}
	if err != nil {
		a.broken(err)
		return false
	}
	a.tab = t
	a.again("")
	return false
}

// proved is what a tab knows of its user: who it is, and what has succeeded.
func proved(t *iam.AuthTab) string {
	out := []string{string(t.User)}
	for x, status := range t.Status {
		if status == iam.ExecSuccess {
			out = append(out, string(x))
		}
	}
	slices.Sort(out[1:])
	return strings.Join(out, " ")
}

// sessionHolds tells whether what the tab learnt from a single sign-on session
// still holds: the session is live and the browser's.
func (a *attempt) sessionHolds() bool {
	from := a.tab.Notes[steps.NoteFrom]
	return from == "" || a.identity != nil && string(a.identity.Session.ID) == from
}
