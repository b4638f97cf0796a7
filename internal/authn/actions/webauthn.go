package actions

import (
	"context"
	"errors"
	"strings"

	"latchkey/internal/authn"
	"latchkey/internal/iam"
	"latchkey/internal/pages"
	"latchkey/internal/users"
	"latchkey/internal/webauthn"
)

// noteChallenge is what the page that is shown asks an authenticator to sign.
const noteChallenge = "WEBAUTH_CHALLENGE"

// skipIfExists is the parameter of an application's action that leaves users
// alone who have such a credential. Keycloak: Constants.KC_ACTION_PARAMETER_SKIP_IF_EXISTS.
const skipIfExists = "skip_if_exists"

// registration is the action that registers an authenticator of a kind.
// Keycloak: WebAuthnRegister, WebAuthnPasswordlessRegister.
func (w Rooms) registration(id string, kind iam.CredentialKind) spec {
	return spec{id: id, initiable: true,
		show:   func(ctx context.Context, r *authn.Run) (authn.Result, error) { return w.showRegistration(ctx, r, kind) },
		submit: func(ctx context.Context, r *authn.Run) (authn.Result, error) { return w.register(ctx, r, kind) }}
}

func (w Rooms) showRegistration(ctx context.Context, r *authn.Run, kind iam.CredentialKind) (authn.Result, error) {
	list, err := w.Users.Credentials(ctx, r.Realm, r.User.ID)
	if err != nil {
		return nil, err
	}
	var own []string
	for _, c := range list {
		if c.Kind != kind {
			continue
		}
		if r.Tab.Request.ActionParam == skipIfExists {
			return authn.Success{}, nil
		}
		if key, err := webauthn.ParseKey(c.Data); err == nil {
			own = append(own, key.URLID())
		}
	}
	p := users.WebAuthnPolicy(r.Realm, kind)
	view := pages.WebAuthnRegister{
		Challenge: webauthn.NewChallenge(), UserID: webauthn.Encode([]byte(r.User.ID)), Username: r.User.Username, RPName: p.RPName,
		RPID: webauthn.PartyOf(p, r.Tab.Request.Issuer).ID, Algorithms: webauthn.Algorithms(p.Algorithms), Attestation: p.Attestation,
		Attachment:         p.Attachment,
		RequireResidentKey: p.RequireResidentKey, ResidentKey: p.ResidentKey, UserVerification: p.UserVerification, Timeout: p.Timeout,
		Retry: r.Form.Get("isSetRetry") != "",
	}
	if p.AvoidSame {
		view.Exclude = strings.Join(own, ",")
	}
	r.SetNote(noteChallenge, view.Challenge)
	return authn.Challenge{Page: authn.Page{View: view}}, nil
}

func (w Rooms) register(ctx context.Context, r *authn.Run, kind iam.CredentialKind) (authn.Result, error) {
	if r.Form.Get("isSetRetry") != "" {
		return w.showRegistration(ctx, r, kind)
	}
	older := r.Event.Kind // the event that was written before there was one for all credentials
	r.Event.Kind = "UPDATE_CREDENTIAL"
	r.Detail("credential_type", string(kind))
	refuse := func(word, key, detail string) (authn.Result, error) {
		r.Detail("web_authn_registration_error", key)
		r.Detail("web_authn_registration_error_detail", detail)
		r.EmitAs(older, word)
		r.Emit(word)
		return authn.Challenge{Page: authn.Page{View: pages.WebAuthnError{}, Message: &authn.Message{Tone: pages.Problem, Key: key,
			Params: []any{detail}}}}, nil
	}
	if e := r.Form.Get("error"); e != "" {
		return refuse("invalid_user_credentials", "webauthn-error-register-verification", e)
	}
	challenge := r.Note(noteChallenge)
	r.SetNote(noteChallenge, "")
	const failed, word = "webauthn-error-registration", "invalid_registration"
	clientData, err1 := webauthn.Decode(r.Form.Get("clientDataJSON"))
	attestation, err2 := webauthn.Decode(r.Form.Get("attestationObject"))
	if errors.Join(err1, err2) != nil {
		return refuse(word, failed, "the answer of the authenticator cannot be read")
	}
	if r.Form.Get("logout-sessions") == "on" {
		if err := w.logoutOthers(ctx, r); err != nil {
			return nil, err
		}
	}
	p, label := users.WebAuthnPolicy(r.Realm, kind), r.Form.Get("authenticatorLabel")
	key, err := webauthn.Register(p, webauthn.PartyOf(p, r.Tab.Request.Issuer), challenge, webauthn.Creation{ClientData: clientData,
		Attestation: attestation,
		Transports:  strings.FieldsFunc(r.Form.Get("transports"), func(c rune) bool { return c == ',' }),
		Attachment:  r.Form.Get("authenticatorAttachment")})
	if err != nil {
		return refuse(word, failed, err.Error())
	}
	err = w.Users.AddPasskey(ctx, r.Realm, r.User.ID, kind, challenge, label, key)
	if refused, is := errors.AsType[*iam.Error](err); is {
		return refuse(word, failed, refused.Msg)
	}
	if err != nil {
		return nil, err
	}
	r.Detail("public_key_credential_id", key.URLID())
	r.Detail("public_key_credential_label", label)
	r.Detail("public_key_credential_aaguid", key.AAGUID)
	r.EmitAs(older, "")
	r.Emit("")
	return authn.Success{}, nil
}
