package actions

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"latchkey/internal/authn"
	"latchkey/internal/iam"
	"latchkey/internal/pages"
	"latchkey/internal/users"
)

const configureRecovery = "CONFIGURE_RECOVERY_AUTHN_CODES"

// noteRecovery is the hash of the codes that a page shows, and of when they were
// made: the form brings both back, and nothing else may come in their place.
const noteRecovery = "RecoveryAuthnCodes.generated"

// showRecovery, configureRecovery: Keycloak's RecoveryAuthnCodesAction.
func (w Rooms) showRecovery(_ context.Context, r *authn.Run) (authn.Result, error) {
	codes, err := users.NewRecoveryCodes()
	if err != nil {
		return nil, err
	}
	view := pages.ConfigRecoveryCodes{Codes: codes, Made: strconv.FormatInt(r.Now.UnixMilli(), 10)}
	r.SetNote(noteRecovery, recoveryNote(strings.Join(codes, ","), view.Made))
	return authn.Challenge{Page: authn.Page{View: view}}, nil
}

func recoveryNote(codes, made string) string {
	sum := sha256.Sum256([]byte(made + " " + codes))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (w Rooms) configureRecovery(ctx context.Context, r *authn.Run) (authn.Result, error) {
	codes, made := r.Form.Get("generatedRecoveryAuthnCodes"), r.Form.Get("generatedAt")
	ms, err := strconv.ParseInt(made, 10, 64)
	if err != nil || r.Note(noteRecovery) != recoveryNote(codes, made) {
		return w.showRecovery(ctx, r)
	}
	r.SetNote(noteRecovery, "")
	r.Event.Kind = "UPDATE_CREDENTIAL"
	r.Detail("credential_type", string(iam.RecoveryCodes))
	if r.Form.Get("logout-sessions") == "on" {
		if err := w.logoutOthers(ctx, r); err != nil {
			return nil, err
		}
	}
	if err := w.Users.PutRecoveryCodes(ctx, r.Realm, r.User.ID, strings.Split(codes, ","), r.Form.Get("userLabel"),
		time.UnixMilli(ms)); err != nil {
		return nil, err
	}
	r.Emit("")
	return authn.Success{}, nil
}
