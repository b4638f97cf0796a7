package steps

import (
	"context"
	"strings"

	"latchkey/internal/authn"
	"latchkey/internal/iam"
	"latchkey/internal/pages"
	"latchkey/internal/users"
	"latchkey/internal/webauthn"
)

// webAuthn: Keycloak's WebAuthnAuthenticator and WebAuthnPasswordlessAuthenticator.
func (w Rooms) webAuthn() []authn.Spec {
	return []authn.Spec{
		{ID: "webauthn-authenticator", Begin: w.showWebAuthn(iam.WebAuthn), Submit: w.submitWebAuthn(iam.WebAuthn), NeedsUser: true,
			Configured: w.has(iam.WebAuthn), Credential: iam.WebAuthn, Setup: "webauthn-register"},
		{ID: "webauthn-authenticator-passwordless", Begin: w.showWebAuthn(iam.WebAuthnPasswordless), Submit: w.submitPasswordless,
			Configured: w.has(iam.WebAuthnPasswordless), Credential: iam.WebAuthnPasswordless, Setup: "webauthn-register-passwordless"},
	}
}

// noteChallenge is what the page that is shown asks an authenticator to sign.
const noteChallenge = "WEBAUTH_CHALLENGE"

// assertion asks for a signature: of the user's credentials when somebody is
// known, else of any. It is nil when somebody is known who has none.
func (w Rooms) assertion(ctx context.Context, r *authn.Run, kind iam.CredentialKind) (*pages.Assertion, error) {
	p := users.WebAuthnPolicy(r.Realm, kind)
	a := &pages.Assertion{UserVerification: p.UserVerification, RPID: webauthn.PartyOf(p, r.Tab.Request.Issuer).ID, Timeout: p.Timeout,
		Known: r.User != nil}
	if r.User != nil {
		list, err := w.Users.Credentials(ctx, r.Realm, r.User.ID)
		if err != nil {
			return nil, err
		}
		for _, c := range list {
			if c.Kind != kind {
				continue
			}
			if key, err := webauthn.ParseKey(c.Data); err == nil {
				a.Authenticators = append(a.Authenticators, pages.Authenticator{ID: key.URLID(), Label: c.Label, Transports: key.Transports,
					Created: c.Created})
			}
		}
		if len(a.Authenticators) == 0 {
			return nil, nil
		}
	}
	a.Challenge = webauthn.NewChallenge()
	r.SetNote(noteChallenge, a.Challenge)
	return a, nil
}

func (w Rooms) showWebAuthn(kind iam.CredentialKind) func(context.Context, *authn.Run) (authn.Result, error) {
	return func(ctx context.Context, r *authn.Run) (authn.Result, error) {
		a, err := w.assertion(ctx, r, kind)
		if err != nil || a == nil {
			return authn.Attempted{}, err
		}
		return authn.Challenge{Page: authn.Page{View: pages.LoginWebAuthn{Assertion: *a, Listed: kind == iam.WebAuthn}}}, nil
	}
}

func (w Rooms) submitWebAuthn(kind iam.CredentialKind) func(context.Context, *authn.Run) (authn.Result, error) {
	return func(ctx context.Context, r *authn.Run) (authn.Result, error) {
		return w.prove(ctx, r, kind, func(m *authn.Message) (authn.Page, error) {
			return authn.Page{View: pages.WebAuthnError{Execution: string(r.Execution().ID)}, Message: m}, nil
		})
	}
}

func (w Rooms) submitPasswordless(ctx context.Context, r *authn.Run) (authn.Result, error) {
	if !r.Form.Has("userHandle") {
		return authn.Attempted{}, nil
	}
	remember(r)
	return w.submitWebAuthn(iam.WebAuthnPasswordless)(ctx, r)
}

// remember keeps whether the user wants to be remembered.
func remember(r *authn.Run) {
	if !r.Form.Has("rememberMe") {
		return
	}
	r.SetNote(NoteRemember, "")
	if r.Realm.Login.RememberMe && strings.EqualFold(r.Form.Get("rememberMe"), "on") {
		r.SetNote(NoteRemember, "true")
		r.Detail("remember_me", "true")
	}
}

// offer is what a login page offers beside its fields: a passkey, where the
// realm wants that and somebody who is known has one.
// Keycloak: UsernamePasswordForm.isConditionalPasskeysEnabled.
func (w Rooms) offer(ctx context.Context, r *authn.Run) (*pages.Assertion, error) {
	if !r.Realm.Passwordless.Passkeys {
		return nil, nil
	}
	a, err := w.assertion(ctx, r, iam.WebAuthnPasswordless)
	if a != nil {
		a.Mediation, a.Attachment = r.Realm.Passwordless.Mediation, r.Realm.Passwordless.Attachment
		if a.Mediation == "" {
			a.Mediation = "conditional"
		}
	}
	return a, err
}

// byPasskey tells whether a login page was answered by a passkey.
func byPasskey(r *authn.Run) bool {
	return r.Realm.Passwordless.Passkeys && (r.Form.Has("authenticatorData") || r.Form.Has("error"))
}

// passkey is what login pages do with a passkey. What was wrong is told on the page itself.
func (w Rooms) passkey(ctx context.Context, r *authn.Run, page func(*authn.Run, *pages.Assertion) pages.View) (authn.Result, error) {
	if !r.Form.Has("userHandle") {
		return authn.Attempted{}, nil
	}
	remember(r)
	return w.prove(ctx, r, iam.WebAuthnPasswordless, func(m *authn.Message) (authn.Page, error) {
		a, err := w.offer(ctx, r)
		return authn.Page{View: page(r, a), Message: m}, err
	})
}

// knownByPasskey tells whether a passkey has proved already who it is.
func knownByPasskey(r *authn.Run) bool {
	for kind := range strings.SplitSeq(r.Note(noteCredentials), ",") {
		if kind == string(iam.WebAuthnPasswordless) {
			return r.Realm.Passwordless.Passkeys
		}
	}
	return false
}

// hasPassword is whether the password form can be passed: by a password or a passkey.
func (w Rooms) hasPassword(ctx context.Context, r *authn.Run) (bool, error) {
	has, err := w.has(iam.Password)(ctx, r)
	if has || err != nil || !r.Realm.Passwordless.Passkeys {
		return has, err
	}
	if knownByPasskey(r) {
		return true, nil
	}
	return w.has(iam.WebAuthnPasswordless)(ctx, r)
}

// Message keys, which are error words of events, too.
const (
	errAPI          = "webauthn-error-api-get"
	errOtherUser    = "webauthn-error-different-user"
	errVerification = "webauthn-error-auth-verification"
	errUnknown      = "webauthn-error-user-not-found"
)

// prove judges the answer of an authenticator. page shows what was wrong.
// Keycloak: WebAuthnAuthenticator.action.
func (w Rooms) prove(ctx context.Context, r *authn.Run, kind iam.CredentialKind, page func(*authn.Message) (authn.Page,
	error)) (authn.Result, error) {
	challenge := r.Note(noteChallenge)
	r.SetNote(noteChallenge, "")
	r.Detail("credential_type", string(kind))
	refuse := func(code authn.Code, word, key, detail string) (authn.Result, error) {
		p, err := page(&authn.Message{Tone: pages.Problem, Key: key, Params: []any{""}})
		if err != nil {
			return nil, err
		}
		r.Detail("web_authn_authentication_error", key)
		if detail != "" {
			r.Detail("web_authn_authentication_error_detail", detail)
		}
		return authn.Failure{Code: code, Event: word, Page: p}, nil
	}
	if e := r.Form.Get("error"); strings.TrimSpace(e) != "" {
		return refuse(authn.InvalidUser, "not_allowed", errAPI, e)
	}
	var a webauthn.Assertion
	for name, to := range map[string]*[]byte{"credentialId": &a.ID, "clientDataJSON": &a.ClientData, "authenticatorData": &a.AuthenticatorData,
		"signature": &a.Signature} {
		b, err := webauthn.Decode(r.Form.Get(name))
		if *to = b; err != nil || len(b) == 0 {
			return refuse(authn.InvalidUser, "not_allowed", errAPI, "Missing compulsory webauthn parameters")
		}
	}
	u, res, err := w.whose(ctx, r, refuse)
	if u == nil || err != nil {
		return res, err
	}
	if word, err := w.guess(ctx, r, u); word != "" || err != nil {
		r.Event.User = u.ID
		return authn.Abort{Err: &authn.FlowError{Code: authn.UserTempDisabled}}, err
	}
	list, err := w.Users.Credentials(ctx, r.Realm, u.ID)
	if err != nil {
		return nil, err
	}
	if c, _ := users.PasskeyOf(list, kind, a.ID); c == nil {
		r.Detail("web_authn_authenticated_user_id", string(u.ID))
		r.Detail("public_key_credential_id", webauthn.Encode(a.ID))
		r.Event.Cause.Reason, r.Event.Cause.User = iam.PasskeyUnknown, u.ID
		return refuse(authn.UnknownUser, "user_not_found", errUnknown, "")
	}
	ok, refused, err := w.Users.CheckPasskey(ctx, r.Realm, u.ID, r.Guess, kind, r.Tab.Request.Issuer, challenge, a)
	if err != nil {
		return nil, err
	}
	if !ok {
		r.Event.Cause.Reason, r.Event.Cause.User = iam.PasskeyRefused, u.ID
		return refuse(authn.InvalidUser, "invalid_user_credentials", errVerification, refused.Error())
	}
	if res := r.SetUser(u); res != nil {
		return res, nil
	}
	verified := "false"
	if users.WebAuthnPolicy(r.Realm, kind).UserVerification == "required" {
		verified = "true"
	}
	r.Detail("web_authn_authenticator_user_verification_checked", verified)
	r.Detail("public_key_credential_id", webauthn.Encode(a.ID))
	return used(r, kind), nil
}

// whose finds the user whose credential it is: whom the authenticator names, who
// must be the one that is known, or the one that is known. A nil user comes with the result to give.
func (w Rooms) whose(ctx context.Context, r *authn.Run, refuse func(authn.Code, string, string, string) (authn.Result,
	error)) (*iam.User, authn.Result, error) {
	named, err := webauthn.Decode(r.Form.Get("userHandle"))
	switch {
	case err != nil || len(named) == 0 && r.User == nil:
		res, err := refuse(authn.UnknownUser, "user_not_found", errUnknown, "")
		return nil, res, err
	case len(named) == 0:
		return r.User, nil, nil
	case r.User != nil && string(r.User.ID) != string(named):
		r.Detail("first_authenticated_user_id", string(r.User.ID))
		r.Detail("web_authn_authenticated_user_id", string(named))
		res, err := refuse(authn.UserConflict, "different_user_authenticated", errOtherUser, "")
		return nil, res, err
	}
	u, err := w.Users.ByID(ctx, r.Realm, iam.UserID(named))
	if err != nil || u != nil && u.ServiceAccount == "" {
		return u, nil, err
	}
	r.Detail("web_authn_authenticated_user_id", string(named))
	r.Event.Cause.Reason = iam.PasskeyUnknown
	res, err := refuse(authn.UnknownUser, "user_not_found", errUnknown, "")
	return nil, res, err
}
