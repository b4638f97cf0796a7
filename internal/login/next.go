package login

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/internal/authn"
	"latchkey/internal/authn/actions"
	"latchkey/internal/authn/steps"
	"latchkey/internal/iam"
	"latchkey/internal/pages"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
	"latchkey/internal/telemetry"
	"latchkey/internal/tokens"
	"latchkey/internal/web"
)

// grantAction is the step that asks for consent, as if it were a required action.
const grantAction = "OAUTH_GRANT"

// flowDone goes on after a flow: to what is left to do, or to the end.
// Keycloak: AuthenticationProcessor.authenticationComplete.
func (a *attempt) flowDone() {
	next, err := a.h.Actions.Next(a.ctx, a.run, nil)
	if err != nil {
		a.broken(err)
		return
	}
	a.localeCookie()
	if next == "" && a.ends() {
		return
	}
	if next == "" {
		missing, detail, err := a.missingConsent()
		if err != nil {
			a.broken(err)
			return
		}
		if len(missing) > 0 {
			next = grantAction
		}
		a.run.Detail("consent", detail)
	}
	switch {
	case next == "":
		// no action was shown: the page that was submitted last is named
		if at := a.query.Get("execution"); at != "" && a.tab.Request.Action != "" {
			a.run.SetNote(actions.NoteRunning, at)
		}
		a.finish()
	case a.passive:
		a.refuse(authn.InteractionRequired, "")
	default:
		delete(a.run.Event.Details, "consent")
		if a.tab.Request.Action != "" && a.tab.Current != "" {
			a.run.SetNote(actions.NoteRunning, string(a.tab.Current))
		}
		a.tab.Flow, a.tab.Current = pathRequired, iam.ExecID(next)
		if a.run.Session != nil {
			a.run.SetNote(noteJoined, string(a.run.Session.ID))
		}
		if a.save() {
			a.toPage(pathRequired, a.tab.Current, "")
		}
	}
}

// noteJoined is the session that the cookie step found, while required actions come between.
const noteJoined = "joined.session"

// requiredAction serves the pages between a flow and the end of the login.
// Keycloak: LoginActionsService.processRequireAction.
func (a *attempt) requiredAction() {
	action, ok := a.load(pathRequired, a.query.Get("session_code"))
	if !ok || !a.inRequired() {
		return
	}
	if err := a.newRun("CUSTOM_REQUIRED_ACTION"); err != nil {
		a.broken(err)
		return
	}
	if a.outdated() {
		return
	}
	if a.run.User == nil || !a.run.User.Enabled {
		a.failed(&authn.FlowError{Code: authn.UserDisabled})
		return
	}
	a.loginEvent("CUSTOM_REQUIRED_ACTION")
	if !action {
		a.nextAction()
		return
	}
	alias := a.query.Get("execution")
	if alias != string(a.tab.Current) || alias == grantAction {
		a.again("")
		return
	}
	a.run.Detail("custom_required_action", alias)
	if a.form.Has("cancel-aia") && a.h.Actions.Initiated(a.run, alias) {
		a.h.Actions.Cancel(a.run)
		a.run.Emit("rejected_by_user")
		a.loginEvent("LOGIN")
		a.nextAction()
		return
	}
	if !a.spendToken() {
		return
	}
	res, err := a.h.Actions.Submit(a.ctx, a.run, alias)
	if err != nil {
		a.broken(err)
		return
	}
	if _, done := res.(authn.Success); done {
		a.loginEvent("LOGIN")
		a.nextAction()
		return
	}
	a.actionResult(alias, res)
}

// inRequired tells whether the login is past its flow and its page still fresh;
// when not, that has been answered.
func (a *attempt) inRequired() bool {
	if a.tab.Flow == pathRequired && a.tab.Version > 0 && a.sessionHolds() {
		return a.active(a.realm.Lifespans.UserAction)
	}
	a.details["code_id"] = string(a.tab.Root)
	a.emitError("invalid_code")
	a.pageExpired()
	return false
}

// nextAction shows the next required action, asks for consent, or finishes.
// Keycloak: AuthenticationManager.nextActionAfterAuthentication.
func (a *attempt) nextAction() {
	var passed []string
	for {
		alias, err := a.h.Actions.Next(a.ctx, a.run, passed)
		if err != nil {
			a.broken(err)
			return
		}
		a.localeCookie()
		if alias == "" {
			break
		}
		res, err := a.h.Actions.Show(a.ctx, a.run, alias)
		if err != nil {
			a.broken(err)
			return
		}
		switch res.(type) {
		case authn.Success:
			kind := a.run.Event.Kind
			a.run.Detail("custom_required_action", alias)
			a.run.EmitAs("CUSTOM_REQUIRED_ACTION", "")
			delete(a.run.Event.Details, "custom_required_action") // Oracle: mail/send-again
			a.run.Event.Kind = kind
		case authn.Attempted:
			passed = append(passed, alias)
		default:
			a.actionResult(alias, res)
			return
		}
	}
	if a.ends() {
		return
	}
	missing, detail, err := a.missingConsent()
	if err != nil {
		a.broken(err)
		return
	}
	if len(missing) > 0 {
		a.tab.Current = grantAction
		if a.save() && a.accounted() {
			a.consentPage(missing)
		}
		return
	}
	a.run.Event.Kind = "LOGIN"
	a.run.Detail("consent", detail)
	a.finish()
}

func (a *attempt) accounted() bool {
	if err := a.account(); err != nil {
		a.broken(err)
		return false
	}
	return true
}

// actionResult answers with what an action said, other than success.
func (a *attempt) actionResult(alias string, res authn.Result) {
	switch res := res.(type) {
	case authn.Challenge:
		page, ok := res.Page.(authn.Page)
		if !ok {
			a.failed(&authn.FlowError{Code: authn.InternalError, Provider: alias})
			return
		}
		if page.Over {
			a.over(page)
			return
		}
		a.tab.Current = iam.ExecID(alias)
		if !a.save() || !a.accounted() {
			return
		}
		if totp, ok := page.View.(pages.ConfigTOTP); ok {
			if err := a.totpModes(&totp, alias); err != nil {
				a.broken(err)
				return
			}
			page.View = totp
		}
		initiated := a.h.Actions.Initiated(a.run, alias)
		if initiated && page.Message != nil && page.Message.Tone == pages.Warning {
			page.Message = nil
		}
		if a.message != nil && page.Message == nil {
			page.Message = a.message
		}
		a.showPage(page, pathRequired, alias, func(q *pages.Request) { q.AppInitiated = initiated })
	case authn.Abort:
		a.failed(res.Err)
	case authn.Visit:
		if a.accounted() {
			a.send(res.Provider, true)
		}
	case authn.Failure:
		a.run.Detail("custom_required_action", alias)
		a.run.Emit("rejected_by_user")
		if a.accounted() {
			a.refuse(authn.Denied, res.Message)
		}
	default:
		a.failed(&authn.FlowError{Code: authn.InternalError, Provider: "required action " + alias})
	}
}

// over ends the login with a page that leads nowhere: there is nobody left to log in.
func (a *attempt) over(page authn.Page) {
	view, ok := page.View.(pages.View)
	if !ok {
		a.failed(&authn.FlowError{Code: authn.InternalError, Provider: "the last page"})
		return
	}
	if !a.accounted() {
		return
	}
	a.forget()
	a.endRestart()
	a.notice(http.StatusOK, view, page.Message)
}

// totpModes fills in where the page shows the secret in the other way.
func (a *attempt) totpModes(v *pages.ConfigTOTP, alias string) error {
	data, err := a.clientData("")
	if err != nil {
		return err
	}
	at := func(mode string) string {
		return a.url(pathRequired, "execution", alias, "client_id", a.client.ClientID, "tab_id", a.tab.ID, "client_data", data, "mode", mode)
	}
	v.ManualURL, v.BarcodeURL = at("manual"), at("qr")
	return nil
}

// A granted scope is a client scope, or the client itself, that consent is asked for.
type consentScope struct {
	id   iam.ScopeID
	text string
}

// wantedScopes are what the request's scope parameter asks for that shows on
// the consent page. Keycloak: TokenManager.getRequestedClientScopes.
func wantedScopes(r *realms.Realm, c *iam.Client, param string) (out []consentScope) {
	var scopes []*realms.Scope
	for _, id := range c.DefaultScopes {
		if s := r.Scope(id); s != nil {
			scopes = append(scopes, s)
		}
	}
	asked := strings.Fields(param)
	for _, id := range c.OptionalScopes {
		if s := r.Scope(id); s != nil && slices.Contains(asked, s.Name) {
			scopes = append(scopes, s)
		}
	}
	slices.SortStableFunc(scopes, func(x, y *realms.Scope) int { return guiOrder(x) - guiOrder(y) })
	if c.Flag("display.on.consent.screen") {
		text := c.Attr("consent.screen.text")
		if text == "" {
			text = c.ClientID
		}
		out = append(out, consentScope{iam.ScopeID(c.ID), text})
	}
	for _, s := range scopes {
		if s.ShowOnConsent {
			text := s.ConsentText
			if text == "" {
				text = s.Name
			}
			out = append(out, consentScope{s.ID, text})
		}
	}
	return out
}

func guiOrder(s *realms.Scope) int {
	n, err := strconv.Atoi(s.GUIOrder)
	if err != nil {
		return 1 << 30
	}
	return n
}

// missingConsent lists what the user must still grant, and how the event tells
// about consent otherwise.
// Keycloak: AuthenticationManager.getClientScopesToApproveOnConsentScreen.
func (a *attempt) missingConsent() (missing []consentScope, detail string, err error) {
	if !a.client.ConsentRequired && !a.tab.Request.Confirm {
		return nil, "no_consent_required", nil
	}
	var granted *iam.Consent
	if !a.tab.Request.Consent && !a.tab.Request.Confirm {
		if granted, err = a.h.Users.Consent(a.ctx, a.realm, a.run.User.ID, a.client.ID); err != nil {
			return nil, "", err
		}
	}
	detail = "no_consent_required"
	if granted != nil {
		detail = "persistent_consent"
	}
	for _, s := range wantedScopes(a.realm, &a.client.Client, a.tab.Request.Scope) {
		if granted == nil || !slices.Contains(granted.Scopes, s.id) {
			missing = append(missing, s)
		}
	}
	return missing, detail, nil
}

func (a *attempt) consentPage(missing []consentScope) {
	view := pages.Consent{Code: a.tab.Code}
	for _, s := range missing {
		view.Scopes = append(view.Scopes, pages.ConsentScope{Text: s.text})
		if scope := a.realm.Scope(s.id); scope != nil && scope.Name == tokens.ScopeOffline {
			view.Offline = a.offlineAccess()
		}
	}
	data, err := a.clientData("")
	if err != nil {
		a.broken(err)
		return
	}
	a.show(http.StatusOK, view, a.message, nil, func(u *pages.URLs) {
		u.Action = a.url("consent", "client_id", a.client.ClientID, "tab_id", a.tab.ID, "client_data", data)
	})
}

// offlineAccess is what the consent page says of an offline session that began now.
func (a *attempt) offlineAccess() *pages.OfflineAccess {
	now := a.h.Tabs.Now()
	e := sessions.OfClientSession(&a.realm.Realm, &a.client.Client,
		&iam.UserSession{Offline: true, Started: now, LastAccess: now}, &iam.ClientSession{Started: now, LastAccess: now})
	return &pages.OfflineAccess{Unused: e.Idle, Latest: e.Max}
}

// consent takes the answer of the consent page, whose code is in the form.
// Keycloak: LoginActionsService.processConsent.
func (a *attempt) consent() {
	code := a.form.Get("code")
	if code == "" {
		code = a.form.Get("session_code")
	}
	action, ok := a.load(pathRequired, code)
	if !ok || !a.inRequired() {
		return
	}
	if !action || a.tab.Current != grantAction {
		a.again("")
		return
	}
	if err := a.newRun("LOGIN"); err != nil {
		a.broken(err)
		return
	}
	if a.outdated() {
		return
	}
	if a.run.User == nil || !a.run.User.Enabled {
		a.failed(&authn.FlowError{Code: authn.UserDisabled})
		return
	}
	a.loginEvent("LOGIN")
	if a.form.Has("cancel") {
		a.run.Emit("rejected_by_user")
		if a.accounted() {
			a.refuse(authn.Denied, "")
		}
		return
	}
	if err := a.grant(); err != nil {
		a.broken(err)
		return
	}
	a.run.Detail("consent", "consent_granted")
	a.finish()
}

// grant keeps what the user allowed beside what was allowed before.
func (a *attempt) grant() error {
	var scopes []iam.ScopeID
	for _, s := range wantedScopes(a.realm, &a.client.Client, a.tab.Request.Scope) {
		scopes = append(scopes, s.id)
	}
	return a.h.Users.AddConsent(a.ctx, a.realm, a.run.User.ID, a.client.ID, scopes)
}

// errOtherUser: the browser's session is somebody else's.
var errOtherUser = errors.New("login: the session is another user's")

// finish hands the login to its protocol.
// Keycloak: AuthenticationProcessor.attachSession, AuthenticationManager.redirectAfterSuccessfulFlow.
func (a *attempt) finish() {
	run := a.run
	if !a.spendToken() {
		return
	}
	a.requestDetails()
	s, joined, err := a.session()
	if errors.Is(err, errOtherUser) {
		run.Detail("existing_user", string(s.User))
		run.Event.Kind, run.Event.Cause.User = "LOGIN", run.User.ID
		run.Emit("different_user_authenticated")
		if a.accounted() {
			a.errorPage(http.StatusBadRequest, "differentUserAuthenticated", s.Username)
		}
		return
	}
	if err != nil {
		a.broken(err)
		return
	}
	sso := run.Note(steps.NoteSSO) == "true"
	now, before := run.Now, maps.Clone(s.Notes)
	if s.Notes == nil {
		s.Notes = map[string]string{}
	}
	for k, v := range a.tab.UserNotes {
		s.Notes[k] = v
	}
	if !sso {
		s.Notes["AUTH_TIME"] = strconv.FormatInt(now.Unix(), 10)
	}
	authTime := s.Started
	if sec, err := strconv.ParseInt(s.Notes["AUTH_TIME"], 10, 64); err == nil {
		authTime = time.Unix(sec, 0)
	}
	d := &authn.Done{Realm: a.realm.ID, Client: &a.client.Client, User: run.User, Session: s, New: !joined,
		Noted: !maps.Equal(s.Notes, before), Request: a.tab.Request,
		SSO: sso, Level: authn.Level(a.tab), AuthTime: authTime, ActionStatus: run.Note(actions.NoteStatus),
		Action: run.Note(actions.NoteRunning)}
	if joined {
		d.Joined = a.joined(s.ID)
	}
	if a.tab.Version > 0 {
		d.Root, d.Tab = a.tab.Root, a.tab.ID
	}
	d.Origin = a.origin(sso)
	if !sso && !run.Clean {
		if err := a.h.Users.Succeeded(a.ctx, a.realm, run.User.ID, steps.SecondFactor(a.tab.Notes)); err != nil {
			a.broken(err)
			return
		}
	}
	d.Stored = func(details map[string]string) { a.stored(d, details) }
	a.protocol().Finish(a.w, a.r, d)
}

// session is the one that the login joins, or a new one. A login joins the
// browser's session, or one that a login of the same user in another tab has just
// begun, and no other: the id of a new one is either the root's, where no session
// had it when the browser got it, or is made now.
func (a *attempt) session() (s *iam.UserSession, joined bool, err error) {
	run := a.run
	if run.Session == nil && a.identity != nil {
		own := a.identity.Session
		if id := run.Note(noteJoined); string(own.ID) == id || own.ID == a.tab.Root {
			run.Session = own
		}
	}
	if run.Session != nil && run.Session.User != run.User.ID {
		return run.Session, false, errOtherUser
	}
	if run.Session != nil {
		return cloneSession(run.Session), true, nil
	}
	id := sessions.NewID()
	if a.unused() {
		id = a.tab.Root
		v, err := a.h.Sessions.Find(a.ctx, a.realm, iam.SessionRef{ID: id, User: run.User.ID}, nil)
		switch {
		case err == nil:
			return cloneSession(v.Session), true, nil
		case !sessionEnded(err):
			return nil, false, err
		case v != nil: // it has timed out and is still there
			id = sessions.NewID()
		}
	}
	s = &iam.UserSession{ID: id, Realm: a.realm.ID, User: run.User.ID, Remember: run.Note(steps.NoteRemember) == "true",
		Username: a.loginName(),
		IP:       run.IP, AuthMethod: string(a.tab.Request.Protocol), Started: run.Now, LastAccess: run.Now}
	if said := a.tab.Brokered; said != nil {
		s.BrokerID, s.BrokerUser = said.Session, said.Provider+"."+said.ID
	}
	sessions.NoteDevice(s, a.r.UserAgent())
	return s, false, nil
}

func cloneSession(s *iam.UserSession) *iam.UserSession {
	c := *s
	c.Notes = make(map[string]string, len(s.Notes))
	for k, v := range s.Notes {
		c.Notes[k] = v
	}
	return &c
}

// stored is what is left when the login is in the database: cookies and event.
func (a *attempt) stored(d *authn.Done, details map[string]string) {
	s := d.Session
	if a.identity != nil && a.identity.Session.ID != s.ID { // the browser has a new session now
		end := iam.End{Reason: iam.ReplacedByLogin, By: iam.ActorUser, Actor: s.User, Client: d.Client.ID}
		if _, err := a.h.Sessions.End(a.ctx, a.realm, a.identity.Session.Ref(), end); err != nil && !sessionEnded(err) {
			a.h.Log.ErrorContext(a.ctx, "old session not ended", "realm", a.realm.Name, telemetry.KeyError, err)
		}
	}
	if err := a.setIdentity(s); err != nil {
		a.h.Log.ErrorContext(a.ctx, "identity cookie not set", "realm", a.realm.Name, telemetry.KeyError, err)
	}
	if err := a.closeTab(); err != nil {
		a.h.Log.ErrorContext(a.ctx, "cookie not set", "realm", a.realm.Name, telemetry.KeyError, err)
	}
	run := a.run
	run.Event.Kind, run.Event.User, run.Event.Session = "LOGIN", s.User, s.ID
	run.Detail("username", a.loginName())
	run.Detail("code_id", string(s.ID))
	for name, value := range details {
		run.Detail(name, value)
	}
	run.Emit("")
	if err := a.account(); err != nil {
		a.h.Log.ErrorContext(a.ctx, "login not accounted", "realm", a.realm.Name, telemetry.KeyError, err)
	}
}

// closeTab brings the cookies about open logins up to date.
func (a *attempt) closeTab() error {
	if !a.starting {
		a.endRestart()
		return nil
	}
	// The reference sets KC_RESTART before it knows that nothing will be asked,
	// and then expires the one that the browser brought, if no other login is open.
	if !a.passive {
		if err := a.setRestart(false); err != nil {
			return err
		}
		h := a.w.Header()
		set := slices.Clone(h["Set-Cookie"])
		if a.endRestart(); web.CookieValue(a.r, web.CookieRestart) != "" && !slices.Equal(set, h["Set-Cookie"]) {
			h["Set-Cookie"] = append(set, h["Set-Cookie"][len(h["Set-Cookie"])-1])
		}
	}
	if a.root.fresh {
		return a.spendRoot()
	}
	return nil
}
