package actions

import (
	"context"
	"errors"
	"slices"
	"strings"

	"latchkey/internal/authn"
	"latchkey/internal/iam"
	"latchkey/internal/pages"
	"latchkey/internal/users"
)

// credential finds the user's credential that the application named, nil when
// there is none.
func (w Rooms) credential(ctx context.Context, r *authn.Run) (*iam.Credential, error) {
	list, err := w.Users.Credentials(ctx, r.Realm, r.User.ID)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(list, func(c *iam.Credential) bool { return c.ID == r.Tab.Request.ActionParam })
	if i < 0 {
		return nil, nil
	}
	return list[i], nil
}

// showDeleteCredential, deleteCredential: Keycloak's DeleteCredentialAction.
func (w Rooms) showDeleteCredential(ctx context.Context, r *authn.Run) (authn.Result, error) {
	id := r.Tab.Request.ActionParam
	if id == "" {
		r.Emit("missing_credential_id")
		return authn.Attempted{}, nil
	}
	c, err := w.credential(ctx, r)
	if err != nil {
		return nil, err
	}
	if c == nil {
		r.Detail("credential_id", id)
		r.Emit("credential_not_found")
		delete(r.Event.Details, "credential_id")
		return authn.Attempted{}, nil
	}
	label := strings.TrimSpace(c.Label)
	if label == "" {
		label = string(c.Kind)
	}
	return authn.Challenge{Page: authn.Page{View: pages.DeleteCredential{Label: label}}}, nil
}

// deleteCredential takes a second factor away; a password stays, since nobody
// could log in without it. Keycloak: CredentialDeleteHelper.removeCredential.
func (w Rooms) deleteCredential(ctx context.Context, r *authn.Run) (authn.Result, error) {
	r.Event.Kind = "REMOVE_CREDENTIAL"
	c, err := w.credential(ctx, r)
	if err != nil {
		return nil, err
	}
	refuse := func(reason string) (authn.Result, error) {
		r.Detail("reason", reason)
		r.Emit("delete_credential_failed")
		return authn.Challenge{Page: authn.Page{View: pages.Error{}, Message: &authn.Message{Tone: pages.Problem, Key: reason}, Status: 400}}, nil
	}
	if c == nil {
		return refuse("Credential not found")
	}
	r.Detail("credential_type", string(c.Kind))
	r.Detail("credential_id", c.ID)
	if c.Label != "" {
		r.Detail("credential_user_label", c.Label)
	}
	if !users.Removable(c.Kind) {
		return refuse("Credential type cannot be removed")
	}
	if !authn.MayRemove(r.Browser, c.Kind, authn.Level(r.Tab)) {
		return refuse("Insufficient level of authentication for removing credential of type '" + string(c.Kind) + "'.")
	}
	if err := w.Users.RemoveCredential(ctx, r.Realm, r.User.ID, c.ID); err != nil {
		return nil, err
	}
	if c.Kind == iam.OTP {
		r.EmitAs("REMOVE_TOTP", "") // the older of two names, still written beside the newer
	}
	r.Emit("")
	return authn.Success{}, nil
}

// deleteAccountRole is what a user needs for deleting the own account.
const deleteAccountRole = "account.delete-account"

// showDeleteAccount, deleteAccount: Keycloak's DeleteAccount.
func (w Rooms) showDeleteAccount(ctx context.Context, r *authn.Run) (authn.Result, error) {
	may, err := w.Roles.Has(ctx, r.Realm, r.User.ID, deleteAccountRole)
	if err != nil {
		return nil, err
	}
	if !may {
		return authn.Challenge{Page: authn.Page{View: pages.Error{}, Message: &authn.Message{Tone: pages.Problem,
			Key: "deletingAccountForbidden"}}}, nil
	}
	return authn.Challenge{Page: authn.Page{View: pages.DeleteAccount{}}}, nil
}

func (w Rooms) deleteAccount(ctx context.Context, r *authn.Run) (authn.Result, error) {
	r.Event.Kind = "DELETE_ACCOUNT"
	may, err := w.Roles.Has(ctx, r.Realm, r.User.ID, deleteAccountRole)
	if err != nil {
		return nil, err
	}
	if !may {
		r.Detail("reason", "does not have the required roles for user deletion")
		r.Emit("user_delete_error")
		return authn.Challenge{Page: authn.Page{View: pages.DeleteAccount{}, Message: &authn.Message{Tone: pages.Problem,
			Key: "deletingAccountForbidden"}}}, nil
	}
	if err := w.Users.Delete(ctx, r.Realm, r.User.ID, iam.End{By: iam.ActorUser, Actor: r.User.ID, Rule: "delete_account"}); err != nil {
		return nil, errors.Join(errors.New("delete the own account"), err)
	}
	r.Emit("")
	return authn.Challenge{Page: authn.Page{View: pages.Info{}, Over: true, Message: &authn.Message{Tone: pages.Success,
		Key: "userDeletedSuccessfully"}}}, nil
}
