package actions

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/internal/authn"
	"latchkey/internal/emails"
	"latchkey/internal/iam"
	"latchkey/internal/pages"
	"latchkey/internal/users"
)

// Keycloak: VerifyEmail, UpdateEmail, EmailCooldownManager.

const (
	verifyEmail = "VERIFY_EMAIL"
	updateEmail = "UPDATE_EMAIL"

	reasonVerify = "verifyEmailMessage"
	defaultPause = 30 * time.Second // between mails of a kind to a user
)

// emailDue: an address that is not verified is verified, unless it is about to be changed.
func emailDue(_ context.Context, r *authn.Run) (bool, error) {
	return r.Realm.Login.VerifyEmail && !r.User.EmailVerified && strings.TrimSpace(r.User.Email) != "" &&
		!slices.Contains(r.User.Required, updateEmail), nil
}

// showVerifyEmail sends the mail when the page is shown first, and not when it is loaded again. Who is asked by an
// application says first that a mail may be sent.
func (w Rooms) showVerifyEmail(ctx context.Context, r *authn.Run) (authn.Result, error) {
	if over := nothingToVerify(r); over != nil {
		return over, nil
	}
	switch {
	case r.Note(noteMailed) == r.User.Email:
		return authn.Challenge{Page: page(pages.VerifyEmail{Email: r.User.Email, Sent: true}, reasonVerify)}, nil
	case r.Tab.Request.Action == verifyEmail:
		return authn.Challenge{Page: page(pages.VerifyEmail{Email: r.User.Email}, reasonVerify)}, nil
	}
	if _, err := w.Emails.Pause(ctx, r.Realm, r.User.ID, verifyEmail, pause(r, verifyEmail)); err != nil {
		return nil, err
	}
	return w.sendVerification(ctx, r)
}

// nothingToVerify is what comes of an address that is verified by now, or is not there; else nil.
func nothingToVerify(r *authn.Run) authn.Result {
	switch {
	case r.User.EmailVerified:
		r.SetNote(noteMailed, "")
		return authn.Success{}
	case strings.TrimSpace(r.User.Email) == "":
		return authn.Attempted{}
	}
	return nil
}

// sendVerifyEmail sends the mail again, but not at once.
func (w Rooms) sendVerifyEmail(ctx context.Context, r *authn.Run) (authn.Result, error) {
	if over := nothingToVerify(r); over != nil {
		return over, nil
	}
	left, err := w.Emails.Pause(ctx, r.Realm, r.User.ID, verifyEmail, pause(r, verifyEmail))
	if err != nil {
		return nil, err
	}
	if left > 0 {
		return authn.Challenge{Page: authn.Page{View: pages.VerifyEmail{Email: r.User.Email, Sent: r.Note(noteMailed) != ""},
			Message: tooSoon(left)}}, nil
	}
	return w.sendVerification(ctx, r)
}

func (w Rooms) sendVerification(ctx context.Context, r *authn.Run) (authn.Result, error) {
	r.Detail("email", r.User.Email)
	if err := w.Emails.SendVerification(ctx, r); err != nil {
		return notSent(r, err)
	}
	r.SetNote(noteMailed, r.User.Email)
	r.EmitAs("SEND_VERIFY_EMAIL", "")
	delete(r.Event.Details, "email")
	return authn.Challenge{Page: page(pages.VerifyEmail{Email: r.User.Email, Sent: true}, reasonVerify)}, nil
}

// notSent ends with a page that says that no mail could be sent; other faults are errors.
func notSent(r *authn.Run, err error) (authn.Result, error) {
	words := emails.Words(err)
	if words == "" {
		return nil, err
	}
	r.Warnings = append(r.Warnings, err.Error())
	r.Detail("reason", words)
	r.Event.Cause.Reason = iam.MailNotSent
	r.EmitAs("SEND_VERIFY_EMAIL", "email_send_failed")
	r.Event.Cause.Reason = ""
	return authn.Challenge{Page: authn.Page{View: pages.Error{}, Message: &authn.Message{Tone: pages.Problem, Key: "emailSendErrorMessage"},
		Status: 500}}, nil
}

func tooSoon(left time.Duration) *authn.Message {
	return &authn.Message{Tone: pages.Problem, Key: "emailVerifySendCooldown", Params: []any{int(left / time.Second)}}
}

// setting is one of a required action's, "" when there is none.
func setting(r *authn.Run, alias, name string) string {
	for _, a := range r.Actions {
		if a.Alias == alias {
			return a.Config[name]
		}
	}
	return ""
}

func pause(r *authn.Run, alias string) time.Duration {
	if sec, err := strconv.Atoi(setting(r, alias, "emailResendCooldownSeconds")); err == nil {
		return time.Duration(sec) * time.Second
	}
	return defaultPause
}

// updateDue: an address that waits to be verified keeps the action due.
func updateDue(_ context.Context, r *authn.Run) (bool, error) {
	return r.User.Attr(users.EmailPending) != "", nil
}

func emailView(r *authn.Run, typed []string) (*users.View, pages.UpdateEmail, error) {
	p, err := users.ProfileOf(r.Realm)
	if err != nil {
		return nil, pages.UpdateEmail{}, err
	}
	v := p.In(users.UpdateEmail, r.User)
	list := slices.DeleteFunc(Attributes(v, nil), func(a pages.Attribute) bool { return a.Name != "email" })
	if typed != nil && len(list) > 0 {
		list[0].Values = typed
	}
	return v, pages.UpdateEmail{Attributes: list}, nil
}

func showUpdateEmail(_ context.Context, r *authn.Run) (authn.Result, error) {
	_, view, err := emailView(r, nil)
	switch waiting := r.User.Attr(users.EmailPending); {
	case err != nil:
		return nil, err
	case len(view.Attributes) == 0 || view.Attributes[0].ReadOnly:
		return authn.Success{}, nil
	case waiting != "":
		view.Attributes[0].Values = []string{waiting}
		return authn.Challenge{Page: authn.Page{View: view, Message: &authn.Message{Tone: pages.Notice, Key: "emailVerificationPending",
			Params: []any{waiting}}}}, nil
	}
	return authn.Challenge{Page: page(view, "updateEmailMessage")}, nil
}

func (w Rooms) updateEmail(ctx context.Context, r *authn.Run) (authn.Result, error) {
	address := strings.TrimSpace(r.Form.Get("email"))
	errs, err := w.Users.CheckEmail(ctx, r.Realm, r.User, address)
	if err != nil {
		return nil, err
	}
	_, view, err := emailView(r, []string{address})
	if err != nil {
		return nil, err
	}
	if len(errs) > 0 {
		return authn.Challenge{Page: page(view, "", FieldErrors(errs)...)}, nil
	}
	all := r.Form.Get("logout-sessions") == "on"
	verify := setting(r, updateEmail, "verifyEmail") == "true" || r.Realm.Login.VerifyEmail
	if !verify || address == "" || address == r.User.Email && r.User.EmailVerified {
		if all {
			if err := w.logoutOthers(ctx, r); err != nil {
				return nil, err
			}
		}
		return w.changeEmail(ctx, r, address, view)
	}
	left, err := w.Emails.Pause(ctx, r.Realm, r.User.ID, updateEmail, pause(r, updateEmail))
	if err != nil {
		return nil, err
	}
	if left > 0 {
		if waiting := r.User.Attr(users.EmailPending); waiting != "" {
			view.Attributes[0].Values = []string{waiting}
		}
		return authn.Challenge{Page: authn.Page{View: view, Message: tooSoon(left)}}, nil
	}
	r.Detail("email", address)
	if err := w.Emails.SendUpdate(ctx, r, address, all); err != nil {
		return notSent(r, err)
	}
	r.EmitAs("SEND_VERIFY_EMAIL", "")
	delete(r.Event.Details, "email")
	u, err := w.Users.SetAttr(ctx, r.Realm, r.User.ID, users.EmailPending, address)
	if err != nil {
		return nil, err
	}
	r.User = u
	return authn.Challenge{Page: authn.Page{View: pages.Info{HeaderKey: "emailUpdateConfirmationSentTitle"},
		Message: &authn.Message{Tone: pages.Notice, Key: "emailUpdateConfirmationSent", Params: []any{address}}}}, nil
}

// changeEmail changes the address at once.
func (w Rooms) changeEmail(ctx context.Context, r *authn.Run, address string, view pages.UpdateEmail) (authn.Result, error) {
	before := *r.User
	after, err := w.Users.UpdateEmail(ctx, r.Realm, r.User, address, false)
	if wrong, is := errors.AsType[iam.Errors](err); is { // somebody was faster
		return authn.Challenge{Page: page(view, "", FieldErrors(wrong)...)}, nil
	}
	if err != nil {
		return nil, err
	}
	r.User, r.Event.Kind = after, "UPDATE_EMAIL"
	if before.Email != "" {
		r.Detail("previous_email", before.Email)
	}
	r.Detail("updated_email", after.Email)
	r.Emit("")
	return authn.Success{}, nil
}
