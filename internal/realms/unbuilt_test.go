package realms

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"latchkey/internal/rep"
)

// yesMembers are the yes-or-no settings of RealmRepresentation, with what becomes
// of each. "switch" is refused where its feature is not there (realmSwitches).
var yesMembers = map[string]string{
	"adminEventsDetailsEnabled":                 "acted on",
	"adminEventsEnabled":                        "acted on",
	"adminPermissionsEnabled":                   "switch",
	"bruteForceProtected":                       "acted on",
	"duplicateEmailsAllowed":                    "acted on",
	"editUsernameAllowed":                       "acted on",
	"enabled":                                   "acted on",
	"eventsEnabled":                             "acted on",
	"internationalizationEnabled":               "acted on",
	"loginWithEmailAllowed":                     "acted on",
	"offlineSessionMaxLifespanEnabled":          "acted on",
	"organizationsEnabled":                      "switch",
	"otpPolicyCodeReusable":                     "acted on",
	"permanentLockout":                          "acted on",
	"registrationAllowed":                       "acted on",
	"registrationEmailAsUsername":               "acted on",
	"rememberMe":                                "acted on",
	"revokeRefreshToken":                        "acted on",
	"scimApiEnabled":                            "switch",
	"userManagedAccessAllowed":                  "switch",
	"webAuthnPolicyPasswordlessPasskeysEnabled": "acted on",

	// Without a mail server these do here what they do there.
	"resetPasswordAllowed": "acted on",
	"verifyEmail":          "acted on",
	// Details of the policies of WebAuthn.
	"webAuthnPolicyAvoidSameAuthenticatorRegister":             "acted on",
	"webAuthnPolicyPasswordlessAvoidSameAuthenticatorRegister": "acted on",
	// Keycloak does nothing with them either: old members, and a feature that is off.
	"passwordCredentialGrantAllowed":    "without meaning",
	"social":                            "without meaning",
	"updateProfileOnInitialSocialLogin": "without meaning",
	"verifiableCredentialsEnabled":      "without meaning",
}

// TestEverySwitch: a yes-or-no setting that is added to the representation needs
// a line above, and one that nothing acts on is refused.
func TestEverySwitch(t *testing.T) {
	var refused []string
	for _, s := range realmSwitches() {
		refused = append(refused, s.member)
	}
	seen := map[string]bool{}
	for f := range reflect.TypeFor[rep.Realm]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Type != reflect.TypeFor[*bool]() {
			continue
		}
		seen[name] = true
		what, ok := yesMembers[name]
		if !ok {
			t.Errorf("nobody says what becomes of %s", name)
		}
		if is := slices.Contains(refused, name); is != (what == "switch") {
			t.Errorf("%s is %q, refused: %v", name, what, is)
		}
	}
	for name := range yesMembers {
		if !seen[name] {
			t.Errorf("%s is no setting", name)
		}
	}
}
