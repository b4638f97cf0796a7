package login

import (
	"errors"
	"maps"
	"net/http"

	"latchkey/internal/authn"
	"latchkey/internal/authn/steps"
	"latchkey/internal/authn/tabs"
	"latchkey/internal/iam"
	"latchkey/internal/pages"
	"latchkey/internal/realms"
	"latchkey/internal/telemetry"
	"latchkey/internal/web"
)

func (a *attempt) addr() string { return web.RequestOf(a.r).Addr }

// flowPath serves the paths that walk a flow.
func (a *attempt) flowPath(path string) {
	if path == authn.PathReset && !a.allowed(path) {
		return
	}
	if path == authn.PathReset && a.form == nil && a.query.Get("session_code") == "" && a.query.Get("client_data") == "" &&
		a.query.Get("tab_id") == "" {
		a.resetFromOutside()
		return
	}
	action, ok := a.load(path, a.query.Get("session_code"))
	if !ok || path == authn.PathRegistration && !a.allowed(path) {
		return
	}
	if a.tab.Entered == nil && (path == pathFirstBroker || path == pathPostBroker) { // no step of this login has begun that flow
		a.emitError("invalid_code")
		a.errorPage(http.StatusBadRequest, "invalidCodeMessage")
		return
	}
	if a.tab.Flow == pathRequired { // this part is over
		a.pageExpired()
		return
	}
	if !a.sessionHolds() {
		a.expired()
		return
	}
	if !a.active(a.realm.Lifespans.Login) {
		return
	}
	if !action {
		a.walk("")
		return
	}
	a.walk(iam.ExecID(a.query.Get("execution")))
}

// resetFromOutside begins a reset that no application asked for: it ends at
// the account console. Keycloak: LoginActionsService.resetCredentialsGET.
func (a *attempt) resetFromOutside() {
	name := a.query.Get("client_id")
	if name == "" {
		name = "account"
	}
	client, err := a.realm.ClientByName(a.ctx, name)
	protocol := Protocol(nil)
	if err == nil {
		protocol = a.h.Protocols[client.Protocol]
	}
	if protocol == nil || !client.Enabled {
		a.errorPage(http.StatusBadRequest, "clientNotFoundMessage")
		return
	}
	a.client = client
	if err := a.readRoot(); err != nil {
		a.broken(err)
		return
	}
	a.root.Kind = rootPlain
	a.tab = a.newTab(protocol.Unasked(&client.Client, a.base), authn.PathReset)
	if err := a.setRoot(); err != nil {
		a.broken(err)
		return
	}
	a.walk("")
}

// walk runs the tab's flow: from where it is, or with a submit to an execution.
func (a *attempt) walk(submit iam.ExecID) {
	// A flow that a provider's answer began is stored from its first page on: its tab is.
	a.goOnBy(submit != "" || a.tab.Entered != nil && a.tab.Entered.Exec == "", func(flow *iam.Flow) (authn.Outcome, error) {
		if submit == "" {
			return a.h.Engine.Start(a.ctx, a.run, flow)
		}
		a.run.SetNote(steps.NoteInfo, "") // the page has shown it
		return a.h.Engine.Submit(a.ctx, a.run, flow, submit)
	})
}

// goOnBy has the engine go on with the tab's flow, and answers with what comes of it.
// moved: the browser sent something, and what comes of that is stored.
func (a *attempt) goOnBy(moved bool, on func(*iam.Flow) (authn.Outcome, error)) {
	kind := iam.EventKind("LOGIN")
	switch a.tab.Flow {
	case authn.PathRegistration:
		kind = "REGISTER"
	case authn.PathReset:
		kind = "RESET_PASSWORD"
	case pathFirstBroker:
		kind = "IDENTITY_PROVIDER_FIRST_LOGIN"
	case pathPostBroker:
		kind = "IDENTITY_PROVIDER_POST_LOGIN"
	}
	if err := a.newRun(kind); err != nil {
		a.broken(err)
		return
	}
	if a.outdated() {
		return
	}
	flow := a.flow(a.tab.Flow)
	if flow == nil {
		a.failed(&authn.FlowError{Code: authn.InternalError, Provider: "flow of " + a.tab.Flow})
		return
	}
	out, err := on(flow)
	for range maxFlows {
		if err != nil {
			break
		}
		flow = a.flow(a.tab.Flow)
		_, inside := out.(authn.Inside)
		_, passed := out.(authn.Passed)
		switch within := a.tab.Entered; {
		case passed && within != nil && within.Exec == "": // a provider's answer began it
		case inside && flow != nil:
			out, err = a.h.Engine.Start(a.ctx, a.run, flow)
		case passed && within != nil && within.Exec != "":
			a.tab.Entered, a.tab.Flow = nil, within.Path
			out, err = a.h.Engine.Entered(a.ctx, a.run, a.flow(within.Path), within.Exec)
		}
	}
	a.tellBrokered(out)
	if err := errors.Join(err, a.account()); err != nil {
		a.broken(err)
		return
	}
	a.outcome(out, moved)
}

// tellBrokered tells of each step of a flow of brokering, as the reference does: an event that is as the step has left it,
// an error once more. That of a submit names the page instead of the session. Oracle: broker/review-profile.
func (a *attempt) tellBrokered(out authn.Outcome) {
	if a.tab.Brokered == nil || a.tab.Flow != pathFirstBroker && a.tab.Flow != pathPostBroker {
		return
	}
	switch out.(type) {
	case authn.Show, authn.Choose, authn.Passed:
		word := ""
		if n := len(a.run.Events); n > 0 {
			word = a.run.Events[n-1].Error
		}
		a.run.Emit(word)
	}
}

// maxFlows is how many flows one request may enter or come out of.
const maxFlows = 4

// account writes the events of a walk, and tells brute force protection.
func (a *attempt) account() error {
	for _, text := range a.run.Warnings {
		a.h.Log.WarnContext(a.ctx, "authentication flow", "realm", a.realm.Name, "warning", text)
	}
	for i := range a.run.Events {
		a.emit(&a.run.Events[i])
	}
	a.run.Events, a.run.Warnings = nil, nil
	lockouts, err := steps.Settle(a.ctx, a.h.Users, a.h.Engine, a.run)
	for i := range lockouts {
		a.emit(&lockouts[i])
	}
	return err
}

func (a *attempt) outcome(out authn.Outcome, submitted bool) {
	switch out := out.(type) {
	case authn.Show:
		if a.passive {
			a.notSignedOn()
			a.refuse(authn.LoginRequired, "")
			return
		}
		a.askedAgain()
		if (submitted || a.switched) && !a.save() {
			return
		}
		a.flowPage(out)
	case authn.Choose:
		if (submitted || a.switched) && !a.save() {
			return
		}
		a.choices(out)
	case authn.Away:
		a.leave(out)
	case authn.Visiting:
		a.visit(out.Visit, submitted)
	case authn.Inside:
		a.failed(&authn.FlowError{Code: authn.InternalError, Provider: "flow " + a.tab.Entered.Flow})
	case authn.Stale:
		a.pageExpired()
	case authn.Forked:
		a.fork(out)
	case authn.Failed:
		a.failed(out.Err)
	case authn.Passed:
		if a.tab.Entered != nil {
			a.walked()
			return
		}
		a.flowDone()
	}
}

// flowPage shows the page of an execution.
func (a *attempt) flowPage(out authn.Show) {
	page, ok := out.Page.(authn.Page)
	if !ok {
		a.failed(&authn.FlowError{Code: authn.InternalError, Provider: a.run.Execution().Authenticator})
		return
	}
	// rather than a forwarded one. Oracle: login/left-pages
	if key := a.run.Note(steps.NoteInfo); key != "" && page.Message == nil && len(page.Errors) == 0 {
		a.message = &authn.Message{Tone: pages.Notice, Key: key}
	}
	if page.Message == nil && len(page.Errors) == 0 {
		page.Message = a.message
	}
	if err := a.offer(&page); err != nil {
		a.broken(err)
		return
	}
	a.showPage(page, a.tab.Flow, string(out.Exec), func(q *pages.Request) {
		q.TryAnotherWay = len(out.Choices) > 1
	})
}

// choices shows the list of ways to go on.
func (a *attempt) choices(out authn.Choose) {
	view := pages.SelectAuthenticator{}
	for _, x := range out.Choices {
		name := x.Authenticator
		if kind := a.h.Engine.Checks(name); kind != "" { // Keycloak: AuthenticationSelectionOption
			name = string(kind)
		}
		view.Choices = append(view.Choices, pages.Choice{Execution: string(x.ID), NameKey: name + "-display-name", HelpKey: name + "-help-text"})
	}
	a.showPage(authn.Page{View: view}, a.tab.Flow, string(out.Exec), nil)
}

// noteForkedTo marks a tab that waits for the link of a mail, while another goes on.
const noteForkedTo = "forked.to"

// fork goes on with the browser flow in a tab of its own. The one that it comes out
// of stays, for the link of a mail that went out.
// Keycloak: AuthenticationProcessor.handleBrowserException, ForkFlowException.
func (a *attempt) fork(out authn.Forked) {
	from := a.tab
	typed := a.form.Get("username")
	if a.run.User == nil { // no mail went out that would lead back
		if err := a.h.Tabs.Forget(a.ctx, a.realm.ID, from.Root, from.ID); err != nil {
			a.broken(err)
			return
		}
	} else {
		a.run.SetNote(noteForkedTo, "true")
		if !a.save() {
			return
		}
	}
	a.tab, a.proved = a.newTab(from.Request, authn.PathAuthenticate), ""
	a.tab.Notes = map[string]string{steps.NoteForked: from.ID}
	a.run, a.form, a.kind = nil, nil, "LOGIN"
	if typed != "" && a.tab.Request.LoginHint == "" {
		a.tab.Request.LoginHint = typed
	}
	switch {
	case out.Success != nil:
		a.message = &authn.Message{Tone: pages.Success, Key: out.Success.Key, Params: out.Success.Params}
	case out.Error != nil:
		a.message = &authn.Message{Tone: pages.Problem, Key: out.Error.Key, Params: out.Error.Params}
	}
	a.walk("")
}

// failed ends a flow in an error page.
// Keycloak: AuthenticationProcessor.handleBrowserException.
func (a *attempt) failed(e *authn.FlowError) {
	a.h.Log.WarnContext(a.ctx, "authentication failed", "realm", a.realm.Name, "client", a.client.ClientID, "flow",
		a.tab.Flow, "reason", e.Error())
	if e.Code == authn.NotBuilt {
		a.run.Detail("authenticator", e.Provider)
		a.run.Detail("reason", e.Error())
	}
	if e.Detail != "" {
		a.run.Detail("authentication_error_detail", e.Detail)
	}
	if a.run.User != nil && a.run.Event.User == "" {
		a.run.Event.User = a.run.User.ID
	}
	a.run.Event.Cause.Reason = e.Cause()
	if said := a.tab.Brokered; said != nil && a.tab.Flow == pathFirstBroker && a.run.Event.Cause.Reason == iam.LoginRefused {
		a.run.Event.Cause.Reason = iam.LinkMissing
	}
	a.run.Emit(e.Event())
	if err := a.account(); err != nil {
		a.broken(err)
		return
	}
	a.errorPage(http.StatusBadRequest, e.Key())
}

// forget drops what the flow has learnt, from the stored tab too.
func (a *attempt) forget() {
	loaded := a.tab.ID
	keep := a.tab.Notes[tabs.NoteType]
	a.tab.ID, a.tab.First = tabs.Began(a.tab), ""
	a.tab.User, a.tab.Current, a.tab.Status, a.tab.UserNotes, a.tab.Required = "", "", nil, nil, nil
	a.tab.Left, a.tab.Entered, a.tab.Brokered = nil, nil, nil
	a.tab.Notes, a.tab.Flow = nil, authn.PathAuthenticate
	if keep != "" {
		a.tab.Notes = map[string]string{tabs.NoteType: keep}
	}
	if a.tab.Version > 0 {
		if err := a.h.Tabs.Forget(a.ctx, a.realm.ID, a.tab.Root, loaded); err != nil {
			a.h.Log.ErrorContext(a.ctx, "login not forgotten", "realm", a.realm.Name, telemetry.KeyError, err)
		}
		a.tab.Version = 0
	}
}

// refuse sends the browser back to the client with an error.
func (a *attempt) refuse(why authn.Why, message string) {
	if a.root.fresh {
		if err := a.spendRoot(); err != nil {
			a.broken(err)
			return
		}
	}
	// A device's login stays where it is when the user has said no to the device, as in the reference: the answer is kept with the device's
	// code.
	if a.tab.Version > 0 && !(a.tab.Request.Confirm && why == authn.Denied) {
		if err := a.h.Tabs.Forget(a.ctx, a.realm.ID, a.tab.Root, a.tab.ID); err != nil {
			a.broken(err)
			return
		}
		a.endRestart()
	}
	a.protocol().Refuse(a.w, a.r, &authn.Refused{Realm: a.realm.ID, Client: &a.client.Client, Request: a.tab.Request,
		Why: why, Message: message})
}

// restart begins the login anew, as nobody.
// Keycloak: LoginActionsService.restartSession.
func (a *attempt) restart() {
	if err := a.loadTab(); err != nil {
		if errors.Is(err, tabs.ErrGone) {
			a.startOver()
		} else {
			a.broken(err)
		}
		return
	}
	if !a.stillAllowed(a.client, &a.tab.Request) {
		return
	}
	if a.query.Get("skip_logout") != "true" && a.identity != nil && !a.foreign {
		end := iam.End{Reason: iam.LogoutByUser, By: iam.ActorUser, Actor: a.identity.User.ID, Client: a.client.ID, Rule: "restart login"}
		if _, err := a.h.Sessions.End(a.ctx, a.realm, a.identity.Session.Ref(), end); err != nil && !sessionEnded(err) {
			a.broken(err)
			return
		}
		a.cookies.Expire(a.w, a.r, web.CookieIdentity)
		a.cookies.Expire(a.w, a.r, web.CookieSession)
	}
	if name := a.tab.Notes[steps.NoteAttempted]; name != "" {
		a.details["username"] = name
	} else if a.identity != nil && a.tab.User == a.identity.User.ID {
		a.details["username"] = a.identity.User.Username
	}
	a.details["code_id"] = string(a.tab.Root)
	a.forget()
	a.tab.Created = a.h.Tabs.Now()
	e := iam.Event{Kind: a.kind, Client: a.client.ClientID, IP: a.addr(), Details: maps.Clone(a.details)}
	a.emit(&e)
	a.toPage(authn.PathAuthenticate, "", "")
}

// detachedInfo shows a notice again, in the language that the user picks. Keycloak: LoginActionsService.detachedInfo.
func (a *attempt) detachedInfo() {
	n, err := a.h.Tabs.FindNotice(a.realm.ID, web.CookieValue(a.r, web.CookieStateChecker), a.query.Get(tabs.ParamNotice))
	if err != nil {
		a.client = nil
		a.errorPage(http.StatusBadRequest, "expiredActionTokenNoSessionMessage")
		return
	}
	if picked := a.query.Get("kc_locale"); picked != "" && a.realm.Locale.Enabled {
		a.cookies.Set(a.w, web.CookieLocale, picked)
		a.language = picked
	}
	if a.client = nil; n.Client != "" {
		if a.client, err = a.realm.Client(a.ctx, n.Client); err != nil && !realms.Missing(err) {
			a.broken(err)
			return
		}
	}
	m := &authn.Message{Tone: n.Tone, Key: n.Key}
	for _, p := range n.Params {
		m.Params = append(m.Params, p)
	}
	skip := a.client == nil || a.client.ClientID == accountClient
	if n.Status != 0 {
		a.notice(n.Status, pages.Error{SkipLink: skip}, m)
		return
	}
	a.notice(http.StatusOK, pages.Info{SkipLink: skip}, m)
}

// nowhere answers an address that only takes a form.
func (a *attempt) nowhere() { a.errorPage(http.StatusNotFound, "pageNotFound") }
