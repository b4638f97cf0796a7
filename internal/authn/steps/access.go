package steps

import (
	"context"

	"latchkey/internal/authn"
	"latchkey/internal/pages"
)

// access are the two steps that ask nothing.
// Keycloak: AllowAccessAuthenticator, DenyAccessAuthenticator.
func access() []authn.Spec {
	allow := func(context.Context, *authn.Run) (authn.Result, error) { return authn.Success{}, nil }
	return []authn.Spec{
		{ID: "allow-access-authenticator", Begin: allow, Submit: allow},
		{ID: "deny-access-authenticator", Begin: deny, Submit: deny},
	}
}

func deny(_ context.Context, r *authn.Run) (authn.Result, error) {
	key := r.Config("denyErrorMessage")
	if key == "" {
		key = "access-denied"
	}
	return authn.Failure{Code: authn.AccessDenied, Event: "access_denied",
		Page: authn.Page{View: pages.Error{}, Message: &authn.Message{Tone: pages.Problem, Key: key}, Status: 401}}, nil
}
