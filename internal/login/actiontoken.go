package login

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"latchkey/internal/authn"
	"latchkey/internal/authn/steps"
	"latchkey/internal/authn/tabs"
	"latchkey/internal/emails"
	"latchkey/internal/events"
	"latchkey/internal/iam"
	"latchkey/internal/pages"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
	"latchkey/internal/tokens"
	"latchkey/internal/users"
	"latchkey/internal/web"
)

// Notes in a tab that a link of a mail leads on with.
const (
	noteEndAfter = "END_AFTER_REQUIRED_ACTIONS"              // "true": it ends in a notice and not in a login
	noteLeadsOn  = "SET_REDIRECT_URI_AFTER_REQUIRED_ACTIONS" // "true": the notice has a link to the request's redirect URI
	noteToken    = "INVALIDATE_ACTION_TOKEN"                 // key under which it is kept which login uses the token
	noteTokenEnd = "INVALIDATE_ACTION_TOKEN_END"             // when it expires: RFC 3339
)

// accountClient is for whom a link is that names no client.
const accountClient = "account"

// A link is the link of a mail that is being followed.
type link struct {
	*attempt
	token *tokens.Action
	fresh bool // no login is gone on with: this begins one that ends in a notice
}

// A linkKind is what the door has to know of a type of action tokens.
type linkKind struct {
	event   iam.EventKind
	word    string // the event's, where no other is said
	message string // the page's, likewise
	check   func(*link) *linkRefusal
	once    func(*link) bool // the token is good for one use; nil: it may be followed again
	follow  func(*link)
}

// A linkRefusal is why a link leads nowhere: the event's word and the page's message, "" for those of its kind.
type linkRefusal struct {
	word, message string
	why           iam.Reason
}

// linkKinds are all of them. Keycloak: ActionTokenHandler and what implements it.
var linkKinds = map[string]linkKind{
	tokens.ActionVerifyEmail: {event: "VERIFY_EMAIL", word: "invalid_token", message: "staleEmailVerificationLink", check: (*link).sameEmail,
		follow: (*link).verifyEmail},
	tokens.ActionExecute: {event: "EXECUTE_ACTIONS", word: "not_allowed", message: "invalidCodeMessage", check: (*link).canExecute,
		once: (*link).hasOneTimeAction, follow: (*link).execute},
	tokens.ActionReset: {event: "RESET_PASSWORD", word: "not_allowed", message: "resetCredentialNotAllowedMessage", check: (*link).canReset,
		once: func(*link) bool { return true }, follow: (*link).reset},
	tokens.ActionLinkAccount: {event: "IDENTITY_PROVIDER_LINK_ACCOUNT", word: "invalid_token", message: "staleEmailVerificationLink",
		check: (*link).sameEmail, follow: (*link).linkAccount},
	tokens.ActionUpdateEmail: {event: "EXECUTE_ACTIONS", word: "invalid_token", message: "staleEmailVerificationLink", check: (*link).oldEmail,
		follow: (*link).updateEmail},
}

// actionToken follows a link from a mail. Keycloak: LoginActionsService.handleActionToken.
func (a *attempt) actionToken() {
	err := a.findClient()
	if err == nil {
		err = a.readRoot()
	}
	if err == nil {
		err = a.readIdentity()
	}
	if err != nil {
		a.broken(err)
		return
	}
	raw := a.query.Get("key")
	if raw == "" {
		a.refuseToken("not_allowed", "invalidRequestMessage", "invalidRequestMessage", "")
		return
	}
	token, err := a.h.Issuer.ReadAction(a.ctx, a.realm, a.base, raw)
	if token != nil {
		a.details["token_id"], a.details["action"] = token.ID, token.Type
	}
	if err != nil {
		a.unreadable(token, err)
		return
	}
	l := &link{attempt: a, token: token}
	if err := l.findLogin(); err != nil {
		a.broken(err)
		return
	}
	l.open(linkKinds[token.Type])
}

// unreadable answers a token that is not worth asking about.
func (a *attempt) unreadable(token *tokens.Action, err error) {
	switch kind := a.kindOf(token); {
	case errors.Is(err, tokens.ErrActionInactive):
		a.late(token)
	case kind.word != "":
		a.refuseToken(kind.word, err.Error(), kind.message, "")
	default:
		a.refuseToken("invalid_code", err.Error(), "invalidCodeMessage", "")
	}
}

// late answers a link that has expired. Where its login waits in this browser, that begins anew.
func (a *attempt) late(token *tokens.Action) {
	a.subject = token.Subject
	l := &link{attempt: a, token: token}
	t, err := l.openLogin()
	switch {
	case err != nil:
		a.broken(err)
	case t == nil:
		a.refuseToken("expired_code", tokens.ErrActionInactive.Error(), "expiredActionTokenNoSessionMessage", iam.LinkExpired)
	default:
		a.tab = t
		a.emitToken("expired_code", iam.LinkExpired)
		a.forget()
		a.tab.Created, a.kind, a.details, a.subject = a.h.Tabs.Now(), "LOGIN", map[string]string{}, ""
		a.forward("expiredActionTokenSessionExistsMessage")
		a.walk("")
	}
}

func (a *attempt) kindOf(token *tokens.Action) linkKind {
	if token == nil {
		return linkKind{}
	}
	return linkKinds[token.Type]
}

func (a *attempt) refuseToken(word, reason, message string, why iam.Reason) {
	a.details["reason"] = reason
	a.emitToken(word, why)
	a.errorPage(http.StatusBadRequest, message)
}

// emitToken writes the event of a link that leads nowhere.
func (a *attempt) emitToken(word string, why iam.Reason) {
	e := iam.Event{Kind: events.Failed(a.kind), User: a.subject, IP: a.addr(), Error: word, Details: a.details, Cause: iam.Cause{Reason: why}}
	if a.client != nil && a.kind != "EXECUTE_ACTION_TOKEN" { // whose a token is that is not read yet is not said
		e.Client = a.client.ClientID
	}
	a.emit(&e)
}

// findLogin finds the login that the link goes on with: the one that asked for the mail, if this is its
// browser and it is still open, or the one that an earlier page of this link began. Otherwise a
// new one begins, which ends in a notice: whoever has the mail has not thereby logged in.
// Keycloak: LoginActionsServiceChecks.doesAuthenticationSessionFromCookieMatchOneFromToken.
func (l *link) findLogin() error {
	if t, err := l.openLogin(); t != nil || err != nil {
		l.tab = t
		return err
	}
	l.fresh = true
	name := cmp.Or(l.token.Client, accountClient)
	client, err := l.realm.ClientByName(l.ctx, name)
	if err != nil && !realms.Missing(err) {
		return err
	}
	l.client = client
	l.newRoot()
	l.root.Kind = rootPlain
	var q iam.LoginRequest
	if client != nil {
		if protocol := l.h.Protocols[client.Protocol]; protocol != nil {
			q = protocol.Unasked(&client.Client, l.base)
		}
	}
	l.tab = l.newTab(q, pathRequired)
	l.tab.Notes = map[string]string{noteEndAfter: "true"}
	return l.setRoot()
}

// openLogin is the login under this browser's root that the token names, nil when there is none.
func (l *link) openLogin() (*iam.AuthTab, error) {
	root, _, _ := strings.Cut(l.token.Login, ".")
	if root == "" || l.root.fresh || root != string(l.root.ID) || l.client == nil {
		return nil, nil
	}
	list, err := l.h.Tabs.Stored(l.ctx, l.realm.ID, l.root.ID)
	if err != nil {
		return nil, err
	}
	for _, t := range list {
		if tabs.LoginID(t) == l.token.Login && t.Request.Client == l.client.ID && (t.User == "" || t.User == l.token.Subject) {
			l.proved = proved(t)
			return t, nil
		}
	}
	d, ok := l.readClientData() // of the page that asked whether to go on, which stored nothing
	if !ok || d.Action != l.token.ID || d.Root != l.root.ID || d.Request.Client != l.client.ID || !l.inTime(d.Issued) {
		return nil, nil
	}
	t := d.Fresh(l.root.ID, d.Tab)
	if tabs.LoginID(t) != l.token.Login {
		return nil, nil
	}
	t.Flow, t.User, t.Named = pathRequired, l.token.Subject, l.h.Tabs.Now()
	t.Notes = map[string]string{noteEndAfter: "true"}
	return t, nil
}

// open checks what the token is about, and follows the link.
func (l *link) open(kind linkKind) {
	l.kind = kind.event
	known := l.tab.User != ""
	u, err := l.h.Users.ByID(l.ctx, l.realm, l.token.Subject)
	if err != nil {
		l.broken(err)
		return
	}
	l.subject = l.token.Subject
	if known && u != nil {
		l.details["username"] = u.Username
	}
	l.loginDetails()
	switch {
	case u == nil:
		l.dead("user_not_found", "invalidUserMessage", iam.UnknownUser)
		return
	case !u.Enabled:
		l.dead("user_disabled", "accountDisabledMessage", iam.UserDisabled)
		return
	case l.identity != nil && l.identity.User.ID != u.ID:
		l.details["existing_user"] = string(l.identity.User.ID)
		l.emitToken("different_user_authenticated", iam.AskedOtherUser)
		l.errorPage(http.StatusBadRequest, "differentUserAuthenticated", l.identity.User.Username)
		return
	case l.client == nil, l.token.Client != "" && l.client.ClientID != l.token.Client:
		l.dead("client_not_found", "unknownLoginRequesterMessage", iam.UnknownClient)
		return
	case !l.client.Enabled:
		l.dead("client_not_found", "loginRequesterNotEnabledMessage", iam.ClientDisabled)
		return
	}
	l.tab.User, l.tab.Named = u.ID, l.h.Tabs.Now()
	if err := l.newRun(kind.event); err != nil {
		l.broken(err)
		return
	}
	if refused := kind.check(l); refused != nil {
		l.dead(cmp.Or(refused.word, kind.word), cmp.Or(refused.message, kind.message), refused.why)
		return
	}
	if kind.once != nil && kind.once(l) {
		owner, err := l.h.Sessions.LookSingleUse(l.ctx, l.realm, l.token.UsedKey())
		if err != nil && !errors.Is(err, sessions.ErrGone) {
			l.broken(err)
			return
		}
		if err == nil && string(owner) != tabs.LoginID(l.tab) {
			l.dead("expired_code", "expiredActionMessage", iam.LinkUsed)
			return
		}
		l.run.SetNote(noteToken, l.token.UsedKey())
		l.run.SetNote(noteTokenEnd, l.token.Ends().Format(time.RFC3339))
	}
	l.run.SetNote(steps.NoteTokenUser, string(u.ID))
	kind.follow(l)
}

// loginDetails puts the login into the details of events. Keycloak: LoginActionsService.initLoginEvent.
func (l *link) loginDetails() {
	if l.client != nil {
		if protocol := l.h.Protocols[l.client.Protocol]; protocol != nil {
			maps.Copy(l.details, protocol.Details(&l.tab.Request))
		}
		l.details["auth_method"] = string(l.client.Protocol)
	}
	l.details["code_id"], l.details["redirect_uri"], l.details["remember_me"] = string(l.tab.Root), l.tab.Request.RedirectURI, "false"
	if l.tab.Notes[steps.NoteRemember] == "true" {
		l.details["remember_me"] = "true"
	}
	for _, name := range []string{detailProvider, detailIdentity} {
		if v := l.tab.UserNotes[name]; v != "" {
			l.details[name] = v
		}
	}
}

// dead answers a link that leads nowhere, and ends the login that it would have gone on with.
// Keycloak: LoginActionsService.handleActionTokenVerificationException.
func (l *link) dead(word, message string, why iam.Reason) {
	if l.tab.Version > 0 {
		if err := l.h.Tabs.Forget(l.ctx, l.realm.ID, l.tab.Root, l.tab.ID); err != nil {
			l.broken(err)
			return
		}
	}
	l.cookies.Expire(l.w, l.r, web.CookieRestart)
	l.refuseToken(word, message, message, why)
}

// succeeded writes the event of what the link did.
func (l *link) succeeded(kind iam.EventKind) {
	e := iam.Event{Kind: kind, Client: l.client.ClientID, User: l.token.Subject, IP: l.addr(), Details: l.details}
	l.emit(&e)
}

// notice ends with a page of words.
func (l *link) notice(view pages.Info, tone, key string, params ...any) {
	l.show(http.StatusOK, view, &authn.Message{Tone: tone, Key: key, Params: params}, nil, nil)
}

// ask shows what the link will do, and does it when that is confirmed: mail programs and scanners open links, too.
func (l *link) ask(view pages.Info, key string, params ...any) {
	token := *l.token
	token.Original, token.Login = token.Login, tabs.LoginID(l.tab)
	raw, err := l.h.Issuer.ResignAction(l.ctx, l.realm, &token)
	if err != nil {
		l.broken(err)
		return
	}
	d := tabs.DataOf(l.tab)
	d.Action = token.ID
	data, err := l.h.Tabs.SealData(l.realm.ID, d)
	if err != nil {
		l.broken(err)
		return
	}
	view.ActionURL = emails.Address(l.base, raw, "client_id", l.client.ClientID, "tab_id", l.tab.ID, "client_data", data)
	l.notice(view, pages.Success, key, params...)
}

// sameEmail: the address is the one that the mail went to.
func (l *link) sameEmail() *linkRefusal {
	if l.token.Email != "" && !strings.EqualFold(l.token.Email, l.run.User.Email) {
		return &linkRefusal{word: "invalid_email", why: iam.LinkStale}
	}
	return nil
}

// verifyEmail: Keycloak's VerifyEmailActionTokenHandler.
func (l *link) verifyEmail() {
	u := l.run.User
	l.details["email"] = u.Email
	if asked := slices.Contains(u.Required, actionVerifyEmail) || slices.Contains(l.tab.Required, actionVerifyEmail); u.EmailVerified &&
		!asked {
		l.emitToken("email_already_verified", iam.LinkUsed)
		l.notice(pages.Info{HeaderKey: "emailVerifiedAlreadyMessageHeader"}, pages.Notice, "emailVerifiedAlreadyMessage", u.Email)
		return
	}
	if l.fresh {
		l.ask(pages.Info{HeaderKey: "confirmEmailAddressVerificationHeader"}, "confirmEmailAddressVerification", u.Email)
		return
	}
	if !l.verified(actionVerifyEmail) {
		return
	}
	l.succeeded("VERIFY_EMAIL")
	delete(l.details, "email")
	if l.token.Original != "" { // another browser's login asked for it, and goes on there
		if err := l.endOriginal(); err != nil {
			l.broken(err)
			return
		}
		l.endRestart()
		l.notice(pages.Info{HeaderKey: "emailVerifiedMessageHeader"}, pages.Success, "emailVerifiedMessage")
		return
	}
	l.leadOn()
	l.next()
}

// linkAccount has the login whose mail it was link the account that its user came with.
// Keycloak: IdpVerifyAccountLinkActionTokenHandler.
func (l *link) linkAccount() {
	u, t := l.run.User, l.token
	l.details["email"], l.details[detailProvider], l.details[detailIdentity] = u.Email, t.Provider, t.There
	key := tokens.LinkedKey(u.ID, t.Provider, t.ThereID)
	done, err := l.h.Sessions.HasSingleUse(l.ctx, l.realm, t.UsedKey())
	if err != nil {
		l.broken(err)
		return
	}
	if done {
		l.emitToken("email_already_verified", iam.LinkUsed)
		l.notice(pages.Info{HeaderKey: "emailVerifiedAlreadyMessageHeader"}, pages.Notice, "emailVerifiedAlreadyMessage", u.Email)
		return
	}
	if l.fresh {
		l.ask(pages.Info{}, "confirmAccountLinkingBody", t.There, t.Provider)
		return
	}
	said := l.tab.Brokered
	if t.Original == "" && (said == nil || said.Provider != t.Provider || said.ID != t.ThereID || said.Existing != u.ID) {
		l.dead("invalid_token", "staleEmailVerificationLink", iam.LinkStale)
		return
	}
	fresh, err := l.h.Sessions.PutSingleUse(l.ctx, l.realm, t.UsedKey(), []byte("used"), t.Ends())
	if err == nil && fresh && t.Original != "" {
		_, err = l.h.Sessions.PutSingleUse(l.ctx, l.realm, key, []byte("allowed"), t.Ends())
	}
	if err != nil {
		l.broken(err)
		return
	}
	if !l.verified() {
		return
	}
	if t.Original != "" {
		l.details["username"] = u.Username
	}
	l.succeeded("IDENTITY_PROVIDER_LINK_ACCOUNT")
	if t.Original != "" { // another browser's login asked for it, and goes on there
		l.endRestart()
		l.notice(pages.Info{}, pages.Success, "identityProviderLinkSuccess", t.Provider, t.There)
		return
	}
	said.Proved = u.ID
	l.run, l.form = nil, nil
	l.goOnBy(true, func(flow *iam.Flow) (authn.Outcome, error) { return l.h.Engine.Start(l.ctx, l.run, flow) })
}

// endOriginal ends the login that asked for the mail: what it waited for has happened, and it begins anew.
func (l *link) endOriginal() error {
	part := strings.Split(l.token.Original, ".")
	if len(part) != 3 {
		return nil
	}
	root := iam.SessionID(part[0])
	list, err := l.h.Tabs.Stored(l.ctx, l.realm.ID, root)
	if err != nil {
		return err
	}
	for _, t := range list {
		if tabs.LoginID(t) == l.token.Original {
			l.h.Events.Refuse(l.ctx, l.realm, &iam.Event{Kind: "LOGIN_ERROR", Client: l.client.ClientID, User: l.token.Subject, IP: l.addr(),
				Error: "expired_code", Cause: iam.Cause{Reason: iam.LinkElsewhere}})
			if err := l.h.Tabs.Forget(l.ctx, l.realm.ID, root, t.ID); err != nil {
				return err
			}
		}
	}
	_, err = l.h.Sessions.PutSingleUse(l.ctx, l.realm, rootGone(root), []byte("ended"), l.h.Tabs.Now().Add(l.rootLifespan()))
	return err
}

// rootGone is the key under which it is kept that a browser's root has ended although its cookies say otherwise: another
// browser ended it. It is asked when a login begins under the root.
func rootGone(root iam.SessionID) string { return "root gone " + string(root) }

// actionVerifyEmail is the alias of the required action that a link does away with.
const actionVerifyEmail = "VERIFY_EMAIL"

// verified notes that the user's address is theirs, and takes required actions away.
func (l *link) verified(aliases ...string) bool {
	gone := func(list []string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(alias string) bool { return slices.Contains(aliases, alias) })
	}
	u, err := l.h.Users.Change(l.ctx, l.realm, l.run.User.ID, func(u *iam.User) error {
		u.EmailVerified, u.Required = true, gone(u.Required)
		return nil
	})
	if err != nil {
		l.broken(err)
		return false
	}
	l.run.User, l.tab.Required = u, gone(l.tab.Required)
	return true
}

// leadOn has the notice at the end lead to where the mail said.
func (l *link) leadOn() {
	if to := l.token.Redirect; to != "" && l.mayLeadTo(to) {
		l.tab.Request.RedirectURI = to
		l.run.SetNote(noteLeadsOn, "true")
	}
}

// mayLeadTo tells whether an address is one of the client's.
func (l *link) mayLeadTo(to string) bool {
	front, _, _ := strings.Cut(l.base, "/realms/")
	_, ok := iam.RedirectsOf(&l.client.Client, front).Match(to)
	return ok
}

// next leads on to the next required action, or to the end.
// Keycloak: AuthenticationManager.redirectToRequiredActions.
func (l *link) next() {
	alias, err := l.h.Actions.Next(l.ctx, l.run, nil)
	if err != nil {
		l.broken(err)
		return
	}
	l.tab.Flow, l.tab.Current = pathRequired, iam.ExecID(alias)
	if l.save() {
		l.toPage(pathRequired, l.tab.Current, "")
	}
}

func (l *link) canExecute() *linkRefusal {
	if l.token.Redirect != "" && !l.mayLeadTo(l.token.Redirect) {
		return &linkRefusal{"invalid_redirect_uri", "invalidRedirectUriMessage", iam.RedirectMismatch}
	}
	if refused := l.sameEmail(); refused != nil {
		return refused
	}
	for _, alias := range l.token.Actions {
		if l.realm.RequiredAction(alias) == nil {
			return &linkRefusal{"resolve_required_actions", "invalidTokenRequiredActions", iam.ActionRequired}
		}
	}
	return nil
}

// hasOneTimeAction tells whether one of the actions would do harm a second time.
func (l *link) hasOneTimeAction() bool {
	return slices.ContainsFunc(l.token.Actions, func(alias string) bool {
		a := l.realm.RequiredAction(alias)
		return a != nil && a.Enabled && l.h.Actions.OneTime(a.Provider)
	})
}

// execute: Keycloak's ExecuteActionsActionTokenHandler.
func (l *link) execute() {
	if l.fresh {
		l.ask(pages.Info{RequiredActions: l.token.Actions}, "confirmExecutionOfActions")
		return
	}
	l.leadOn()
	for _, alias := range l.token.Actions {
		l.run.Require(alias)
	}
	if l.token.Email == "" || l.verified() {
		l.next()
	}
}

func (l *link) canReset() *linkRefusal {
	if !l.realm.Login.ResetPassword {
		return new(linkRefusal)
	}
	return l.sameEmail()
}

// reset goes on with the flow that asked for the mail, in whose next step the mail has proved the user, or
// begins one. Keycloak: ResetCredentialsActionTokenHandler.
func (l *link) reset() {
	if !l.fresh && l.tab.Flow == pathRequired { // followed before: the flow is over
		l.next()
		return
	}
	l.run, l.tab.Flow = nil, authn.PathReset
	if l.fresh {
		l.tab.Status, l.tab.Current = nil, ""
	}
	l.walk("")
}

// oldEmail: nothing has changed the address since.
func (l *link) oldEmail() *linkRefusal {
	if l.token.OldEmail != l.run.User.Email {
		return &linkRefusal{word: "invalid_email", why: iam.LinkStale}
	}
	return nil
}

// updateEmail: Keycloak's UpdateEmailActionTokenHandler.
func (l *link) updateEmail() {
	u := l.run.User
	if u.Attr(users.EmailPending) != l.token.NewEmail {
		l.errorPage(http.StatusBadRequest, "emailVerificationCancelled")
		return
	}
	_, err := l.h.Users.UpdateEmail(l.ctx, l.realm, u, l.token.NewEmail, true)
	if wrong, is := errors.AsType[iam.Errors](err); is {
		l.errorPage(http.StatusBadRequest, wrong[0].Msg, wrong[0].Params...)
		return
	}
	if err != nil {
		l.broken(err)
		return
	}
	if l.token.LogoutAll {
		if err := l.h.Actions.LogoutOthers(l.ctx, l.run); err != nil {
			l.broken(err)
			return
		}
	}
	if u.Email != "" {
		l.details["previous_email"] = u.Email
	}
	l.details["updated_email"] = l.token.NewEmail
	l.succeeded("UPDATE_EMAIL")
	l.notice(pages.Info{HeaderKey: "emailUpdatedTitle"}, pages.Success, "emailUpdated", l.token.NewEmail)
}

// spendToken takes the action token that led here for this login: of all logins that it led to, on any node, the first that
// does something goes on. For the others it answers, before they have done anything, and says false.
func (a *attempt) spendToken() bool {
	key := a.run.Note(noteToken)
	if key == "" {
		return true
	}
	until, err := time.Parse(time.RFC3339, a.run.Note(noteTokenEnd))
	if err != nil {
		a.broken(err)
		return false
	}
	own := tabs.LoginID(a.tab)
	// Who opened it in time may finish after its end.
	won, err := a.h.Sessions.PutSingleUse(a.ctx, a.realm, key, []byte(own), until.Add(a.rootLifespan()))
	if err == nil && !won {
		var owner []byte
		owner, err = a.h.Sessions.LookSingleUse(a.ctx, a.realm, key)
		won = string(owner) == own
	}
	if err != nil && !errors.Is(err, sessions.ErrGone) {
		a.broken(err)
		return false
	}
	if !won {
		a.run.Event.Cause.Reason = iam.LinkUsed
		a.run.Emit("expired_code")
		if a.accounted() {
			a.forget()
			a.endRestart()
			a.errorPage(http.StatusBadRequest, "expiredActionMessage")
		}
	}
	return won
}

// ends tells whether the login was a mail's and is over now: then the notice at its end has been shown.
// Keycloak: AuthenticationManager.finishedRequiredActions.
func (a *attempt) ends() bool {
	if a.run.Note(noteEndAfter) != "true" {
		return false
	}
	if !a.spendToken() || !a.accounted() {
		return true
	}
	view := pages.Info{SkipLink: a.client.ClientID == accountClient}
	if a.run.Note(noteLeadsOn) == "true" {
		view.RedirectURL = a.tab.Request.RedirectURI
	}
	a.forget()
	a.endRestart()
	a.notice(http.StatusOK, view, &authn.Message{Tone: pages.Success, Key: "accountUpdatedMessage"})
	return true
}
