package authn

import (
	"strconv"

	"latchkey/internal/iam"
)

// noteLevel is the tab's note of the level of authentication that a login has reached.
const noteLevel = "level-of-authentication"

// Level is the level of authentication that a login has reached, -1 when its flow has no levels.
func Level(t *iam.AuthTab) int {
	if n, err := strconv.Atoi(t.Notes[noteLevel]); err == nil {
		return n
	}
	return -1
}

// SetLevel notes the level that the login has reached.
func (r *Run) SetLevel(level int) {
	if level >= 0 || r.Note(noteLevel) != "" {
		r.SetNote(noteLevel, strconv.Itoa(level))
	}
}

// LevelCondition is the condition that gives its sub-flow a level.
const LevelCondition = "conditional-level-of-authentication"

// proves lists the kinds of credential by the authenticator that checks them,
// also of those that are not built yet. Keycloak: AuthenticatorFactory.getReferenceCategory.
var proves = map[string]iam.CredentialKind{
	"auth-username-password-form":         iam.Password,
	"auth-password-form":                  iam.Password,
	"auth-otp-form":                       iam.OTP,
	"auth-conditional-otp-form":           iam.OTP,
	"webauthn-authenticator":              "webauthn",
	"webauthn-authenticator-passwordless": "webauthn-passwordless",
	"auth-recovery-authn-code-form":       "recovery-authn-codes",
}

// CredentialLevels tells which level each kind of credential stands for in a
// flow, -1 outside of all levels. Kinds that the flow does not check are left
// out. Keycloak: LoAUtil.getCredentialTypesToLoAMap.
func CredentialLevels(f *iam.Flow) map[iam.CredentialKind]int {
	out := map[iam.CredentialKind]int{}
	var walk func(f *iam.Flow, level int)
	walk = func(f *iam.Flow, level int) {
		for _, x := range f.Executions {
			switch kind, ok := proves[x.Authenticator]; {
			case x.Sub != nil:
				walk(x.Sub, level)
			case x.Authenticator == LevelCondition:
				if n, err := strconv.Atoi(x.Config["loa-condition-level"]); err == nil {
					level = n
				}
			case ok:
				out[kind] = level
			}
		}
	}
	if f != nil {
		walk(f, -1)
	}
	return out
}

// MayRemove tells whether a level of authentication is enough for taking a kind
// of credential away, under the realm's browser flow.
// Keycloak: CredentialDeleteHelper.
func MayRemove(browser *iam.Flow, kind iam.CredentialKind, level int) bool {
	least, ok := CredentialLevels(browser)[kind]
	return !ok || level >= least
}

// changes lists the kinds of credential that applications' actions change, by
// the action's provider. Keycloak: CredentialAction.getCredentialType.
var changes = map[string]iam.CredentialKind{
	"UPDATE_PASSWORD":                iam.Password,
	"CONFIGURE_TOTP":                 iam.OTP,
	"webauthn-register":              "webauthn",
	"webauthn-register-passwordless": "webauthn-passwordless",
	"CONFIGURE_RECOVERY_AUTHN_CODES": "recovery-authn-codes",
}

// ActionLevel is the level that the application's action asks for: that of the
// kind of credential that it changes, or the next below of which the user has
// something to prove; -1 for none. own are the user's credentials.
// Keycloak: AcrStore.getRequestedLevelOfAuthenticationByKcAction.
func (r *Run) ActionLevel(own []iam.Credential) int {
	kind := iam.CredentialKind("")
	for _, a := range r.Actions {
		if a.Alias == r.Tab.Request.Action {
			kind = changes[a.Provider]
			for _, c := range own {
				if a.Provider == "delete_credential" && c.ID == r.Tab.Request.ActionParam {
					kind = c.Kind
				}
			}
		}
	}
	levels := CredentialLevels(r.top)
	level, ok := levels[kind]
	if !ok {
		return -1
	}
	for ; level > -1; level-- {
		asked, has := false, false
		for kind, at := range levels {
			if at == level {
				asked = true
				for _, c := range own {
					has = has || c.Kind == kind
				}
			}
		}
		if has || !asked {
			break
		}
	}
	return level
}
