package account

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"latchkey/internal/authn"
	"latchkey/internal/authn/steps"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/users"
)

// A credentialType is what the account console shows of a kind of credential:
// Keycloak's AccountCredentialResource.CredentialContainer.
type credentialType struct {
	Type         iam.CredentialKind              `json:"type"`
	Category     string                          `json:"category"`
	DisplayName  string                          `json:"displayName"`
	HelpText     string                          `json:"helptext"`
	Icon         string                          `json:"iconCssClass"`
	CreateAction string                          `json:"createAction,omitzero"`
	UpdateAction string                          `json:"updateAction,omitzero"`
	Removable    bool                            `json:"removeable"`
	Credentials  []rep.AccountCredentialMetadata `json:"userCredentialMetadatas,omitzero"`
}

// offered reports whether users of a realm may have credentials of a kind: one
// can be checked, and some flow has an authenticator of the kind switched on.
// Keycloak: AccountCredentialResource.getEnabledCredentialTypes.
func offered(realm *realms.Realm, t *iam.CredentialType) bool {
	if !users.Checks(t.Kind) {
		return false
	}
	if t.Kind == iam.WebAuthnPasswordless && realm.Passwordless.Passkeys { // login pages offer them
		return true
	}
	var in func(f *iam.Flow) bool
	in = func(f *iam.Flow) bool {
		if f == nil {
			return false
		}
		for _, e := range f.Executions {
			if e.Requirement != iam.Disabled && (t.Uses(e.Authenticator) || in(e.Sub)) {
				return true
			}
		}
		return false
	}
	for _, doc := range realm.FlowDocs {
		if doc.TopLevel && in(realm.FlowByID(iam.FlowID(doc.ID))) {
			return true
		}
	}
	return false
}

// credentials shows the kinds of credential that the caller may have and, but
// for their secrets, those that they have.
func (h *Handler) credentials(c *call) (any, error) {
	own, err := h.Users.Credentials(c, c.realm, c.caller.User.ID)
	if err != nil {
		return nil, err
	}
	only := c.r.URL.Query().Get("type")
	out := []credentialType{}
	for i := range iam.CredentialTypes {
		t := &iam.CredentialTypes[i]
		if only != "" && only != string(t.Kind) || !offered(c.realm, t) {
			continue
		}
		shown := credentialType{
			Type: t.Kind, Category: t.Category, DisplayName: t.DisplayName, HelpText: t.HelpText, Icon: t.Icon,
			CreateAction: t.Create, UpdateAction: t.Update, Removable: t.Removable,
		}
		if c.flag("user-credentials", true) {
			shown.Credentials = []rep.AccountCredentialMetadata{}
			for _, k := range own {
				if k.Kind == t.Kind {
					shown.Credentials = append(shown.Credentials, metadata(c.realm, k))
				}
			}
		}
		out = append(out, shown)
	}
	return out, nil
}

// metadata is a credential with what accounts say of it: how far recovery codes
// are used up, and by what way a passkey is reached. Keycloak: CredentialProvider.getCredentialMetadata.
func metadata(r *realms.Realm, k *iam.Credential) rep.AccountCredentialMetadata {
	out := rep.AccountCredentialMetadata{Credential: new(rep.ShownCredential(k))}
	switch k.Kind {
	case iam.WebAuthn, iam.WebAuthnPasswordless:
		if ways := users.PasskeyTransports(k); len(ways) > 0 {
			out.InfoProperties = []rep.AccountMessage{{Key: "webauthn-transports", Parameters: []string{strings.Join(ways, ", ")}}}
		}
	case iam.RecoveryCodes:
		state, ok := users.RecoveryStateOf(k)
		if !ok {
			break
		}
		out.InfoMessage = &rep.AccountMessage{Key: "recovery-codes-number-used",
			Parameters: []string{fmt.Sprintf("%d/%d", state.Total-state.Remaining, state.Total)}}
		if state.Remaining < users.RecoveryThreshold(r) {
			out.WarningMessageTitle = &rep.AccountMessage{Key: "recovery-codes-number-remaining",
				Parameters: []string{strconv.Itoa(state.Remaining)}}
			out.WarningMessageDescription = &rep.AccountMessage{Key: "recovery-codes-generate-new-codes"}
		}
	}
	return out
}

// own returns the caller's credential that the path names.
func (h *Handler) own(c *call) (*iam.Credential, error) {
	list, err := h.Users.Credentials(c, c.realm, c.caller.User.ID)
	if err != nil {
		return nil, err
	}
	for _, k := range list {
		if k.ID == c.r.PathValue("credential") {
			return k, nil
		}
	}
	return nil, plain(http.StatusNotFound, "Credential not found")
}

// deleteCredential removes a second factor, for who has reached the level that it
// stands for; a password stays.
// Keycloak: CredentialDeleteHelper.removeCredential.
func (h *Handler) deleteCredential(c *call) (any, error) {
	k, err := h.own(c)
	if err != nil {
		return nil, err
	}
	if !users.Removable(k.Kind) {
		return nil, plain(http.StatusBadRequest, "Credential type cannot be removed")
	}
	if !authn.MayRemove(c.realm.Flow(c.realm.Flows.Browser), k.Kind, c.level()) {
		return nil, plain(http.StatusForbidden, "Insufficient level of authentication for removing credential of type '"+string(k.Kind)+"'.")
	}
	if err := h.Users.RemoveCredential(c, c.realm, c.caller.User.ID, k.ID); err != nil {
		return nil, err
	}
	details := map[string]string{"credential_type": string(k.Kind), "selected_credential_id": k.ID}
	if k.Label != "" {
		details["credential_user_label"] = k.Label
	}
	if k.Kind == iam.OTP {
		h.emit(c, "REMOVE_TOTP", "", details)
	}
	h.emit(c, "REMOVE_CREDENTIAL", "", details)
	return nil, nil
}

// level is the one that the caller's login has reached. What the token calls it lowers
// it and never raises it: the client's own map, and its mappers, have the last word
// on the name.
func (c *call) level() int {
	acr := c.caller.Token.ACR()
	if acr == "" { // a lightweight token does not say
		return c.caller.Level
	}
	named, ok := steps.LevelOf(c.realm, c.caller.Client, acr)
	if !ok {
		return -1
	}
	return min(named, c.caller.Level)
}

// labelCredential names a credential; the body is a JSON string.
func (h *Handler) labelCredential(c *call) (any, error) {
	k, err := h.own(c)
	if err != nil {
		return nil, err
	}
	data, err := c.body()
	if err != nil {
		return nil, err
	}
	var label string
	if json.Unmarshal(data, &label) != nil {
		return nil, message(http.StatusBadRequest, "invalidRequestMessage")
	}
	return nil, h.Users.Label(c, c.realm, c.caller.User.ID, k.ID, label)
}
