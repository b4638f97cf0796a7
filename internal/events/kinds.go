package events

import "latchkey/internal/iam"

// kinds is Keycloak's org.keycloak.events.EventType with its saveByDefault:
// what a realm that names no types keeps, of successes and of errors.
var kinds = []struct {
	kind         iam.EventKind
	saved, error bool
}{
	{"LOGIN", true, true},
	{"REGISTER", true, true},
	{"LOGOUT", true, true},
	{"CODE_TO_TOKEN", true, true},
	{"CLIENT_LOGIN", true, true},
	{"FEDERATED_IDENTITY_LINK", true, true},
	{"REMOVE_FEDERATED_IDENTITY", true, true},
	{"UPDATE_EMAIL", true, true},
	{"UPDATE_PROFILE", true, true},
	{"UPDATE_PASSWORD", true, true},
	{"UPDATE_TOTP", true, true},
	{"VERIFY_EMAIL", true, true},
	{"VERIFY_PROFILE", true, true},
	{"REMOVE_TOTP", true, true},
	{"GRANT_CONSENT", true, true},
	{"UPDATE_CONSENT", true, true},
	{"REVOKE_GRANT", true, true},
	{"SEND_VERIFY_EMAIL", true, true},
	{"SEND_RESET_PASSWORD", true, true},
	{"SEND_IDENTITY_PROVIDER_LINK", true, true},
	{"RESET_PASSWORD", true, true},
	{"RESTART_AUTHENTICATION", true, true},
	{"IDENTITY_PROVIDER_LINK_ACCOUNT", true, true},
	{"IDENTITY_PROVIDER_LOGIN", true, true},
	{"IDENTITY_PROVIDER_FIRST_LOGIN", true, true},
	{"IDENTITY_PROVIDER_POST_LOGIN", true, true},
	{"IMPERSONATE", true, true},
	{"CUSTOM_REQUIRED_ACTION", true, true},
	{"EXECUTE_ACTIONS", true, true},
	{"EXECUTE_ACTION_TOKEN", true, true},
	{"CLIENT_REGISTER", true, true},
	{"CLIENT_UPDATE", true, true},
	{"CLIENT_DELETE", true, true},
	{"CLIENT_INITIATED_ACCOUNT_LINKING", true, true},
	{"TOKEN_EXCHANGE", true, true},
	{"OAUTH2_DEVICE_AUTH", true, true},
	{"OAUTH2_DEVICE_VERIFY_USER_CODE", true, true},
	{"OAUTH2_DEVICE_CODE_TO_TOKEN", true, true},
	{"AUTHREQID_TO_TOKEN", true, true},
	{"PERMISSION_TOKEN", true, false},
	{"DELETE_ACCOUNT", true, true},
	{"USER_DISABLED_BY_PERMANENT_LOCKOUT", true, false},
	{"USER_DISABLED_BY_TEMPORARY_LOCKOUT", true, false},
	{"OAUTH2_EXTENSION_GRANT", true, true},
	{"FEDERATED_IDENTITY_OVERRIDE_LINK", true, true},
	{"UPDATE_CREDENTIAL", true, true},
	{"REMOVE_CREDENTIAL", true, true},
	{"INVITE_ORG", true, true},
	{"VERIFIABLE_CREDENTIAL_REQUEST", true, true},
	{"VERIFIABLE_CREDENTIAL_OFFER_REQUEST", true, true},
	{"VERIFIABLE_CREDENTIAL_CREATE_OFFER", true, true},
	{"VERIFIABLE_CREDENTIAL_PRE_AUTHORIZED_GRANT", true, true},
	{"JWT_AUTHORIZATION_GRANT", true, true},
	{"CLIENT_INFO", false, false},
	{"IDENTITY_PROVIDER_RESPONSE", false, false},
	{"IDENTITY_PROVIDER_RETRIEVE_TOKEN", false, false},
	{"INTROSPECT_TOKEN", false, false},
	{"INVALID_SIGNATURE", false, false},
	{"PUSHED_AUTHORIZATION_REQUEST", false, false},
	{"REFRESH_TOKEN", false, false},
	{"REGISTER_NODE", false, false},
	{"UNREGISTER_NODE", false, false},
	{"USER_INFO_REQUEST", false, false},
	{"USER_SESSION_DELETED", false, false},
	{"VALIDATE_ACCESS_TOKEN", false, false},
	{"VERIFIABLE_CREDENTIAL_NONCE_REQUEST", false, false},
}

// All returns every kind of event, errors included, in Keycloak's order.
func All() []string {
	list := make([]string, 0, 2*len(kinds))
	for _, k := range kinds {
		list = append(list, string(k.kind), string(k.kind)+"_ERROR")
	}
	return list
}

// SavedByDefault returns the kinds that a realm keeps which names none.
func SavedByDefault() []string {
	var list []string
	for _, k := range kinds {
		if k.saved {
			list = append(list, string(k.kind))
		}
		if k.error {
			list = append(list, string(k.kind)+"_ERROR")
		}
	}
	return list
}
