package admin

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
)

// userCredentialRoutes: the credentials of Keycloak's UserResource, and the
// mails that ask users to change them.
func (h *Handler) userCredentialRoutes() []Route {
	const one = userPath + "/credentials/{credential}"
	return []Route{
		{"GET " + userPath + "/credentials", ViewUsers, None, "", h.listCredentials, ByMethod},
		{"PUT " + userPath + "/reset-password", ManageUser, Action, "USER", h.resetPassword, ByMethod},
		{"PUT " + userPath + "/disable-credential-types", ManageUser, None, "", h.disableCredentials, ByMethod},
		{"GET " + userPath + "/configured-user-storage-credential-types", ViewUsers, None, "", h.storageCredentials, ByMethod},
		{"DELETE " + one, ManageUser, Action, "USER", h.deleteCredential, NoCache},
		{"PUT " + one + "/userLabel", ManageUser, None, "", h.labelCredential, ByMethod},
		{"POST " + one + "/moveToFirst", ManageUser, None, "", h.moveCredential, ByMethod},
		{"POST " + one + "/moveAfter/{after}", ManageUser, None, "", h.moveCredential, ByMethod},
	}
}

// policyTexts are the English messages of password policies: the admin API
// explains a refusal in words beside the key.
var policyTexts = map[string]string{
	"invalidPasswordMinLengthMessage":           "Invalid password: minimum length %v.",
	"invalidPasswordMaxLengthMessage":           "Invalid password: maximum length %v.",
	"invalidPasswordMinDigitsMessage":           "Invalid password: must contain at least %v numerical digits.",
	"invalidPasswordMinLowerCaseCharsMessage":   "Invalid password: must contain at least %v lower case characters.",
	"invalidPasswordMinUpperCaseCharsMessage":   "Invalid password: must contain at least %v upper case characters.",
	"invalidPasswordMinSpecialCharsMessage":     "Invalid password: must contain at least %v special characters.",
	"invalidPasswordNotUsernameMessage":         "Invalid password: must not be equal to the username.",
	"invalidPasswordNotContainsUsernameMessage": "Invalid password: Can not contain the username.",
	"invalidPasswordNotEmailMessage":            "Invalid password: must not be equal to the email.",
	"invalidPasswordRegexPatternMessage":        "Invalid password: fails to match regex pattern(s).",
	"invalidPasswordHistoryMessage":             "Invalid password: must not be equal to any of last %v passwords.",
	"invalidPasswordBlacklistedMessage":         "Invalid password: password is not allowed.",
	"invalidPasswordGenericMessage":             "Invalid password: new password doesn't match password policies.",
}

// policyRefusal answers a password that the policy refuses; other errors stay.
// Keycloak: UserResource.resetPassword, UsersResource.createUser.
func policyRefusal(err error) error {
	refused, ok := errors.AsType[*iam.Error](err)
	if !ok {
		return err
	}
	text := policyTexts[refused.Msg]
	if strings.Contains(text, "%v") && len(refused.Params) > 0 {
		text = fmt.Sprintf(text, refused.Params[0])
	}
	return &Error{Status: http.StatusBadRequest, Body: plainBody{refused.Msg, text}, Err: err}
}

func (h *Handler) listCredentials(c *Call) (any, error) {
	u, err := h.user(c)
	if err != nil {
		return nil, err
	}
	creds, err := h.Users.Credentials(c, c.Realm, u.ID)
	if err != nil {
		return nil, err
	}
	list := make([]rep.Credential, 0, len(creds))
	for _, cred := range creds {
		list = append(list, rep.ShownCredential(cred))
	}
	return list, nil
}

// errNoPasswords refuses to give a service account a password.
// Keycloak: UserCredentialManager.updateCredential.
func errNoPasswords() error {
	const text = "You can not manage credentials for this user"
	return &Error{Status: http.StatusBadRequest, Body: plainBody{text, text}}
}

func (h *Handler) resetPassword(c *Call) (any, error) {
	u, err := h.user(c)
	if err != nil {
		return nil, err
	}
	v, err := Body[rep.Credential](c)
	if errors.Is(err, rep.ErrNoBody) {
		v, err = new(rep.Credential), nil
	}
	if err != nil {
		return nil, err
	}
	switch {
	case v.Value == nil:
		return nil, Plain(http.StatusBadRequest, "No password provided")
	case strings.TrimSpace(*v.Value) == "":
		return nil, Plain(http.StatusBadRequest, "Empty password not allowed")
	case u.ServiceAccount != "":
		return nil, errNoPasswords()
	}
	if err := policyRefusal(h.Users.SetPassword(c, c.Realm, u, *v.Value)); err != nil {
		return nil, err
	}
	c.Represent(nil)
	switch {
	case v.Temporary == nil:
	case *v.Temporary:
		_, err = h.Users.Require(c, c.Realm, u.ID, "UPDATE_PASSWORD")
	case slices.Contains(u.Required, "UPDATE_PASSWORD"):
		_, err = h.Users.Done(c, c.Realm, u.ID, "UPDATE_PASSWORD")
	}
	return nil, err
}

// disableCredentials does nothing to local users, whose credentials are deleted
// instead. Keycloak: UserCredentialManager.disableCredentialType.
func (h *Handler) disableCredentials(c *Call) (any, error) {
	if _, err := h.user(c); err != nil {
		return nil, err
	}
	_, err := Body[[]string](c)
	return nil, err
}

// storageCredentials lists what a federation knows of a local user: nothing.
func (h *Handler) storageCredentials(c *Call) (any, error) {
	_, err := h.user(c)
	return []string{}, err
}

func (h *Handler) deleteCredential(c *Call) (any, error) {
	u, err := h.user(c)
	if err != nil {
		return nil, err
	}
	list, err := h.Users.Credentials(c, c.Realm, u.ID)
	if err != nil {
		return nil, err
	}
	for _, cred := range list {
		if cred.ID != c.Path("credential") {
			continue
		}
		about := map[string]string{"credential_id": cred.ID, "credential_type": string(cred.Kind)}
		if cred.Label != "" {
			about["credential_user_label"] = cred.Label
		}
		c.EventDetails(Action, "USER", c.resource(), nil, about)
	}
	return nil, h.Users.RemoveCredential(c, c.Realm, u.ID, c.Path("credential"))
}

func (h *Handler) labelCredential(c *Call) (any, error) {
	u, err := h.user(c)
	if err != nil {
		return nil, err
	}
	label, err := c.Text()
	switch {
	case err != nil:
		return nil, err
	case strings.TrimSpace(label) == "":
		return nil, &Error{Status: http.StatusBadRequest, Body: plainBody{"missingCredentialLabel", "Credential label must not be empty"}}
	}
	return nil, h.Users.Label(c, c.Realm, u.ID, c.Path("credential"), label)
}

func (h *Handler) moveCredential(c *Call) (any, error) {
	u, err := h.user(c)
	if err != nil {
		return nil, err
	}
	return nil, h.Users.MoveCredential(c, c.Realm, u.ID, c.Path("credential"), c.Path("after"))
}

// newCredentials makes credentials of those that are posted with a new user.
// Keycloak: RepresentationToModel.createCredentials.
func (h *Handler) newCredentials(c *Call, u *iam.User, posted []rep.Credential) ([]*iam.Credential, error) {
	var list []*iam.Credential
	refused := func() error { return Message(http.StatusBadRequest, "Could not create user") }
	for i := range posted {
		p := &posted[i]
		switch {
		case rep.Val(p.Value) != "":
			if err := policyRefusal(h.Users.CheckNewPassword(c, &c.Realm.Realm, u, *p.Value)); err != nil {
				return nil, err
			}
			cred, err := h.Users.HashPassword(c, &c.Realm.Realm, *p.Value)
			if err != nil {
				return nil, err
			}
			// A user has one password: each replaces the one before.
			list = slices.DeleteFunc(list, func(before *iam.Credential) bool { return before.Kind == iam.Password })
			list = append(list, cred)
		case stored(p):
			cred := hashed(p)
			if cred == nil {
				return nil, refused()
			}
			list = append(list, cred)
		case p.Value == nil:
			return nil, refused() // nothing that could be kept
		}
	}
	return list, nil
}

// stored reports whether a posted credential is one that realm files have, not
// in clear.
func stored(p *rep.Credential) bool {
	return p.SecretData != "" && p.CredentialData != "" || p.HashedSaltedValue != nil
}

// hashed is a posted credential of that kind, nil if it cannot be read.
func hashed(p *rep.Credential) *iam.Credential {
	cred, err := p.IAM()
	if err != nil || !jsontext.Value(cred.Data).IsValid() || !jsontext.Value(cred.Secret).IsValid() {
		return nil
	}
	return cred
}

// resetPosted stores the credentials that are posted with a user who is there.
// Those that the user has already stay as they are.
// Keycloak: RepresentationToModel.createCredentials.
func (h *Handler) resetPosted(c *Call, u *iam.User, posted []rep.Credential) error {
	if len(posted) == 0 {
		return nil
	}
	has, err := h.Users.Credentials(c, c.Realm, u.ID)
	if err != nil {
		return err
	}
	for i := range posted {
		p := &posted[i]
		switch {
		case p.ID != "" && slices.ContainsFunc(has, func(own *iam.Credential) bool { return own.ID == p.ID }):
		case rep.Val(p.Value) != "":
			if err := policyRefusal(h.Users.SetPassword(c, c.Realm, u, *p.Value)); err != nil {
				return err
			}
		case stored(p):
			cred := hashed(p)
			cred.User = u.ID
			if err := h.Users.PutCredential(c, c.Realm, cred); err != nil {
				return err
			}
		}
	}
	return nil
}
