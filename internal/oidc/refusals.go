package oidc

import (
	"net/http"

	"latchkey/internal/iam"
	"latchkey/internal/oauth"
)

// What programs are refused with, in the reference's words; those of grants are package grants'.
// What is wrong with a token is looked up in the table of its endpoint.
var (
	// of every endpoint that programs call
	httpsRequired = &oauth.Refusal{Status: http.StatusForbidden, Code: "invalid_request", Description: "HTTPS required", Open: true}
	wrongOrigin   = &oauth.Refusal{Status: http.StatusForbidden, Code: "Invalid origin"}
	bearerOnly    = &oauth.Refusal{Code: "invalid_client", Description: "Bearer-only not allowed"}
	duplicated    = &oauth.Refusal{Code: "invalid_request", Description: "duplicated parameter"}
	noEncryption  = &oauth.Refusal{Code: "invalid_request", Description: "can not get encryption KEK"}

	// of the token endpoint
	grantMissing     = &oauth.Refusal{Code: "invalid_request", Description: "Missing form parameter: grant_type"}
	grantUnknown     = &oauth.Refusal{Code: "unsupported_grant_type", Description: "Unsupported grant_type"}
	certificateBound = &oauth.Refusal{Word: "invalid_request", Description: "Client Certification missing for MTLS HoK Token Binding"}

	// of the endpoint for devices (RFC 8628 3.1)
	deviceOff = &oauth.Refusal{Setting: iam.AttrDeviceGrant, Word: "not_allowed", Code: "unauthorized_client",
		Description: "Client is not allowed to initiate OAuth 2.0 Device Authorization Grant. The flow is disabled for the client."}
	deviceBearerOnly = &oauth.Refusal{Word: "not_allowed", Status: http.StatusForbidden, Code: "unauthorized_client",
		Description: "Bearer-only applications are not allowed to initiate browser login."}
	deviceProtocol   = &oauth.Refusal{Word: "invalid_client", Code: "unauthorized_client", Description: "Wrong client protocol."}
	deviceDuplicated = &oauth.Refusal{Word: "invalid_request", Code: "invalid_grant", Description: "duplicated parameter"}

	// of introspection
	introspectorUnproved = &oauth.Refusal{Word: "invalid_client", Status: http.StatusUnauthorized,
		Description: "Client authentication failed.", Detail: "detail"}
	introspectorPublic = &oauth.Refusal{Word: "invalid_request", Status: http.StatusForbidden,
		Description: "Client not allowed.", Detail: "detail"}
	introspectTwice   = &oauth.Refusal{Word: "invalid_request", Description: "duplicated parameter", Detail: "detail"}
	introspectNothing = &oauth.Refusal{Word: "invalid_request", Description: "Token not provided.", Detail: "detail"}
	introspectHint    = &oauth.Refusal{Word: "invalid_request", Description: "Unsupported token type.", Detail: "detail"}

	// of revocation
	revokeNothing   = &oauth.Refusal{Word: "invalid_request", Description: "Token not provided"}
	revokeType      = &oauth.Refusal{Word: "invalid_token_type", Code: "unsupported_token_type", Description: "Unsupported token type"}
	revokeOfOther   = &oauth.Refusal{Word: "invalid_request", Description: "Unmatching clients"}
	revokeWorthless = &oauth.Refusal{Word: "invalid_token", Status: http.StatusOK, Code: "invalid_token",
		Description: "Invalid token", Told: oauth.Untold}
	revokeUnassigned = &oauth.Refusal{Word: "invalid_token", Status: http.StatusOK, Code: "invalid_token",
		Description: "Invalid token", Told: "Issued for not set"}

	// of the logout by a refresh token, and by an identity provider
	logoutOlder = &oauth.Refusal{Word: "invalid_token", Code: "invalid_grant",
		Description: "Refresh toked issued before the user session started"}
	logoutTokenNone   = &oauth.Refusal{Word: "invalid_token", Code: "invalid_request", Description: "No logout token"}
	logoutTokenBad    = &oauth.Refusal{Word: "invalid_token", Code: "invalid_request", Description: "$why"}
	logoutTokenUnread = &oauth.Refusal{Word: "invalid_token", Code: "invalid_request",
		Description: "The signature verification of the logoutToken failed"}

	// of pushed authorization requests (RFC 9126)
	pushedUnproved = &oauth.Refusal{Word: "invalid_request", Status: http.StatusUnauthorized,
		Description: "Authentication failed.", Detail: "detail"}
	pushedURI = &oauth.Refusal{Word: "invalid_request",
		Description: "It is not allowed to include request_uri to PAR.", Detail: "detail"}
	pushedTooLong  = &oauth.Refusal{Word: "invalid_request", Description: "the request is too long", Detail: "detail"}
	pushedProof    = &oauth.Refusal{Word: "invalid_request", Description: "$proof", Detail: "detail"}
	pushedOtherKey = &oauth.Refusal{Word: "invalid_request",
		Description: "DPoP Proof public key thumbprint does not match dpop_jkt.", Detail: "detail"}
	pushedRedirect     = &oauth.Refusal{Word: "invalid_request", Description: "Invalid parameter: redirect_uri", Detail: "detail"}
	pushedObject       = &oauth.Refusal{Word: "invalid_request_object", Description: "$why", Detail: "detail"}
	pushedInvalid      = &oauth.Refusal{Word: "invalid_request", Description: "$why", Detail: "detail"}
	pushedType         = &oauth.Refusal{Word: "invalid_request", Description: "Unsupported response type", Detail: "detail"}
	pushedUnauthorized = &oauth.Refusal{Word: "unauthorized_client", Status: http.StatusUnauthorized,
		Description: "$why", Detail: "detail"}

	// of what is not built
	backchannelOff = &oauth.Refusal{Word: "not_allowed", Status: http.StatusUnauthorized, Code: "invalid_grant",
		Description: "Client not allowed OIDC CIBA Grant", Told: oauth.Untold}
)

// What browsers are refused with: by a page, or at the client.
var (
	// of authorization requests whose client, or its address, is not known to be right
	authClientID = &browserRefusal{
		Refusal: oauth.Refusal{Word: "invalid_request",
			Told: "Parameter 'client_id' not present or present multiple times in the HTTP request parameters"},
		page: "invalidRequestMessage",
	}
	authHTTPS      = &browserRefusal{Refusal: oauth.Refusal{Word: "ssl_required"}, page: "httpsRequiredMessage"}
	authRealmOff   = &browserRefusal{Refusal: oauth.Refusal{Word: "realm_disabled"}, page: "realmNotEnabledMessage"}
	authNoClient   = &browserRefusal{Refusal: oauth.Refusal{Word: "client_not_found"}, page: "clientNotFoundMessage"}
	authClientOff  = &browserRefusal{Refusal: oauth.Refusal{Word: "client_disabled"}, page: "clientDisabledMessage"}
	authBearerOnly = &browserRefusal{
		Refusal: oauth.Refusal{Word: "not_allowed"},
		page:    "bearerOnlyMessage", status: http.StatusForbidden,
	}
	authProtocol = &browserRefusal{
		Refusal: oauth.Refusal{Word: "invalid_client", Told: "Wrong client protocol."},
		page:    "Wrong client protocol.",
	}
	authNotPushed = &browserRefusal{
		Refusal: oauth.Refusal{Word: "invalid_request", Told: "PAR not found, not issued or used multiple times."},
		page:    "invalidRequestMessage",
	}
	authMaxAge = &browserRefusal{
		Refusal: oauth.Refusal{Word: "invalid_request", Told: `For input string: "$given"`},
		page:    "invalidRequestMessage",
	}
	authTooLong = &browserRefusal{
		Refusal: oauth.Refusal{Word: "invalid_request", Told: "the request is too long"},
		page:    "invalidRequestMessage",
	}
	authObject   = &browserRefusal{Refusal: oauth.Refusal{Word: "invalid_request", Told: "$why"}, page: "invalidRequestMessage"}
	authRedirect = &browserRefusal{
		Refusal: oauth.Refusal{Word: "invalid_redirect_uri"},
		page:    "invalidParameterMessage", args: []any{"redirect_uri"},
	}
	authACR = &browserRefusal{
		Refusal: oauth.Refusal{Word: "invalid_request", Told: "Invalid requested essential acr value"},
		page:    "invalidParameterMessage", args: []any{"claims"},
	}

	// of user codes; the page asks again
	userCodeGone = &browserRefusal{
		Refusal: oauth.Refusal{Word: "invalid_oauth2_user_code", Told: "device code not found (it may already have been used)"},
		page:    "oauth2DeviceInvalidUserCodeMessage",
	}
	userCodeGuessed = &browserRefusal{
		Refusal: oauth.Refusal{Word: "invalid_oauth2_user_code", Told: "too many wrong user codes from this address within a minute"},
		page:    "oauth2DeviceInvalidUserCodeMessage",
	}
	userCodeDenied = &browserRefusal{
		Refusal: oauth.Refusal{Word: "invalid_oauth2_user_code", Told: "device code denied"}, page: "oauth2DeviceInvalidUserCodeMessage",
	}
	userCodeLate = &browserRefusal{
		Refusal: oauth.Refusal{Word: "invalid_oauth2_user_code", Told: "device code expired"}, page: "oauth2DeviceExpiredUserCodeMessage",
	}
	devicePageOff = &browserRefusal{
		Refusal: oauth.Refusal{Word: "not_allowed", Setting: iam.AttrDeviceGrant},
		page:    "oauth2DeviceAuthorizationGrantDisabledMessage",
	}

	// of logouts
	logoutNobody = &browserRefusal{
		Refusal: oauth.Refusal{Word: "invalid_request", Told: "Either the parameter 'client_id' or the parameter 'id_token_hint' is required " +
			"when 'post_logout_redirect_uri' is used."},
		page: "missingParameterMessage", args: []any{"id_token_hint"},
	}
	logoutRedirect = &browserRefusal{Refusal: oauth.Refusal{Word: "invalid_redirect_uri"}, page: "invalidRedirectUriMessage"}
	logoutHint     = &browserRefusal{
		Refusal: oauth.Refusal{Word: "invalid_token", Told: "Invalid IDToken"}, page: "invalidParameterMessage", args: []any{"id_token_hint"},
	}
	logoutHintType = &browserRefusal{
		Refusal: oauth.Refusal{Word: "invalid_token", Told: "Token type is incorrect. Expected '[ID]' but was '$type'"},
		page:    "invalidParameterMessage", args: []any{"id_token_hint"},
	}
	logoutHintOther = &browserRefusal{
		Refusal: oauth.Refusal{Word: "invalid_token", Told: "Parameter client_id is different than the client for which ID Token was issued."},
		page:    "invalidParameterMessage", args: []any{"id_token_hint"},
	}
	logoutHintOlder   = &browserRefusal{Refusal: oauth.Refusal{Word: "invalid_token"}, page: "sessionNotActiveMessage"}
	logoutUnconfirmed = &browserRefusal{
		Refusal: oauth.Refusal{Word: "session_expired", Told: "Failed verification during logout."}, page: "failedLogout",
	}
	logoutLost = &browserRefusal{Refusal: oauth.Refusal{Word: "user_session_not_found"}, page: "identityProviderUnexpectedErrorMessage"}

	// of authorization requests that the client is told of
	authNoType      = &browserRefusal{Refusal: oauth.Refusal{Word: "invalid_request", Description: "Missing parameter: response_type"}}
	authTypeUnknown = &browserRefusal{
		Refusal: oauth.Refusal{Word: "invalid_request", Code: "unsupported_response_type", Told: "Unsupported response_type"},
	}
	authNoneAlone = &browserRefusal{
		Refusal: oauth.Refusal{Word: "invalid_request", Code: "unsupported_response_type",
			Told: "'None' not allowed with some other response_type"},
	}
	authMode      = &browserRefusal{Refusal: oauth.Refusal{Word: "invalid_request", Description: "Invalid parameter: response_mode"}}
	authModeQuery = &browserRefusal{
		Refusal: oauth.Refusal{Word: "invalid_request", Description: "Response_mode 'query' not allowed for implicit or hybrid flow"},
	}
	authModeJWT = &browserRefusal{
		Refusal: oauth.Refusal{Word: "invalid_request",
			Description: "Response_mode 'query.jwt' is allowed only when the authorization response token is encrypted"},
	}
	authImplicitBound = &browserRefusal{
		Refusal: oauth.Refusal{Word: "not_allowed", Code: "unauthorized_client",
			Description: "DPoP is not supported for implicit nor hybrid flows. Client requires DPoP bound access tokens."},
	}
	authStandardOff = &browserRefusal{
		Refusal: oauth.Refusal{Word: "not_allowed", Code: "unauthorized_client", Setting: iam.SettingStandardFlow,
			Description: "Client is not allowed to initiate browser login with given response_type. Standard flow is disabled for the client."},
	}
	authImplicitOff = &browserRefusal{
		Refusal: oauth.Refusal{Word: "not_allowed", Code: "unauthorized_client", Setting: iam.SettingImplicitFlow,
			Description: "Client is not allowed to initiate browser login with given response_type. Implicit flow is disabled for the client."},
	}
	authPushedOnly = &browserRefusal{
		Refusal: oauth.Refusal{Word: "invalid_request", Description: "Pushed Authorization Request is only allowed."},
	}
	authMismatch = &browserRefusal{
		Refusal: oauth.Refusal{Word: "invalid_request", Description: "Parameter response_type does not match", Told: oauth.Untold},
	}
	authTwice = &browserRefusal{Refusal: oauth.Refusal{Word: "invalid_request", Description: "duplicated parameter", Told: oauth.Untold}}
	authScope = &browserRefusal{
		Refusal: oauth.Refusal{Word: "invalid_request", Code: "invalid_scope", Reason: iam.WrongScope,
			Description: "Invalid scopes: $scope"},
	}
	authNonce    = &browserRefusal{Refusal: oauth.Refusal{Word: "invalid_request", Description: "Missing parameter: nonce"}}
	pkceNoMethod = &browserRefusal{
		Refusal: oauth.Refusal{Word: "invalid_request", Description: "Missing parameter: code_challenge_method"},
	}
	pkceOtherMethod = &browserRefusal{
		Refusal: oauth.Refusal{Word: "invalid_request",
			Description: "Invalid parameter: code challenge method is not matching the configured one"},
	}
	pkceNoChallenge = &browserRefusal{Refusal: oauth.Refusal{Word: "invalid_request", Description: "Missing parameter: code_challenge"}}
	pkceMethod      = &browserRefusal{
		Refusal: oauth.Refusal{Word: "invalid_request", Description: "Invalid parameter: code_challenge_method"},
	}
	pkceChallenge = &browserRefusal{Refusal: oauth.Refusal{Word: "invalid_request", Description: "Invalid parameter: code_challenge"}}
)
