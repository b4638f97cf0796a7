package actions

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"

	"latchkey/internal/authn"
	"latchkey/internal/iam"
	"latchkey/internal/otp"
	"latchkey/internal/pages"
	"latchkey/internal/users"
)

// showTerms, acceptTerms: Keycloak's TermsAndConditions.
func showTerms(context.Context, *authn.Run) (authn.Result, error) {
	return authn.Challenge{Page: authn.Page{View: pages.Terms{}}}, nil
}

func (w Rooms) acceptTerms(ctx context.Context, r *authn.Run) (authn.Result, error) {
	if r.Form.Has("cancel") {
		if _, err := w.Users.SetAttr(ctx, r.Realm, r.User.ID, users.TermsAccepted); err != nil {
			return nil, err
		}
		return authn.Failure{Code: authn.AccessDenied, Message: "termsAndConditionsDeclined"}, nil
	}
	if _, err := w.Users.SetAttr(ctx, r.Realm, r.User.ID, users.TermsAccepted, strconv.FormatInt(r.Now.Unix(), 10)); err != nil {
		return nil, err
	}
	r.Emit("")
	return authn.Success{}, nil
}

// showTOTP, configureTOTP: Keycloak's UpdateTotp.
func (w Rooms) showTOTP(ctx context.Context, r *authn.Run) (authn.Result, error) {
	secret := r.Note(noteSecret)
	if secret == "" {
		var err error
		if secret, err = otp.NewSecret(); err != nil {
			return nil, err
		}
		r.SetNote(noteSecret, secret)
	}
	view, _, err := w.totpView(ctx, r, secret)
	return authn.Challenge{Page: page(view, "configureTotpMessage")}, err
}

func (w Rooms) totpView(ctx context.Context, r *authn.Run, secret string) (pages.ConfigTOTP, int, error) {
	creds, err := w.Users.Credentials(ctx, r.Realm, r.User.ID)
	n := 0
	for _, c := range creds {
		if c.Kind == iam.OTP {
			n++
		}
	}
	p := users.OTPPolicy(r.Realm)
	issuer := r.Realm.DisplayName
	if issuer == "" {
		issuer = r.Realm.Name
	}
	mode := r.Form.Get("mode")
	if mode == "" {
		mode = r.Query.Get("mode")
	}
	qr, qrErr := otp.QR(p.KeyURI(issuer, r.User.Username, secret))
	return pages.ConfigTOTP{
		Secret: secret, SecretEncoded: otp.Display(secret), QRCode: qr,
		Manual: mode == "manual", ShowMode: mode != "", Apps: p.Applications(), Type: p.Type,
		Algorithm: strings.TrimPrefix(p.Algorithm, "Hmac"), Digits: p.Digits, Period: p.Period, Counter: int(p.Counter), HasOther: n > 0,
	}, n, errors.Join(err, qrErr)
}

func (w Rooms) configureTOTP(ctx context.Context, r *authn.Run) (authn.Result, error) {
	r.Event.Kind = "UPDATE_CREDENTIAL"
	r.Detail("credential_type", "otp")
	secret, code, label := r.Form.Get("totpSecret"), r.Form.Get("totp"), r.Form.Get("userLabel")
	view, others, err := w.totpView(ctx, r, secret)
	if err != nil {
		return nil, err
	}
	again := func(field, key string) (authn.Result, error) {
		return authn.Challenge{Page: page(view, "", authn.FieldError{Field: field, Key: key})}, nil
	}
	switch {
	case strings.TrimSpace(code) == "":
		return again("totp", "missingTotpMessage")
	case len(secret) < minSecret:
		return again("totp", "invalidTotpMessage")
	case others > 0 && strings.TrimSpace(label) == "":
		return again("userLabel", "missingTotpDeviceNameMessage")
	}
	ok, err := w.Users.AddOTP(ctx, r.Realm, r.User.ID, secret, label, code)
	if refused, is := errors.AsType[*iam.Error](err); is { // there is no room for it
		return again(cmp.Or(refused.Field, "totp"), refused.Msg)
	}
	if err != nil {
		return nil, err
	}
	if !ok {
		return again("totp", "invalidTotpMessage")
	}
	if r.Form.Get("logout-sessions") == "on" {
		if err := w.logoutOthers(ctx, r); err != nil {
			return nil, err
		}
	}
	r.SetNote(noteSecret, "")
	r.EmitAs("UPDATE_TOTP", "")
	r.Emit("")
	return authn.Success{}, nil
}

// noteSecret is the secret that the page shows. It stays the same until a code
// has proved that it arrived. Keycloak: Constants.TOTP_SECRET_KEY.
const noteSecret = "TOTP_SECRET_KEY"

// minSecret is the length of the secrets that showTOTP makes: the form sends
// them back, and a shorter one is nothing that it sent.
const minSecret = 20
