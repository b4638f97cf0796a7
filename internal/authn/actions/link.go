package actions

import (
	"context"

	"latchkey/internal/authn"
	"latchkey/internal/iam"
	"latchkey/internal/pages"
	"latchkey/internal/realms"
)

// LinkProvider is the alias of the action by which applications have users link accounts at
// identity providers: kc_action=idp_link:ALIAS. Keycloak: IdpLinkAction.
const LinkProvider = "idp_link"

// linkable is the provider that an application names. Without one the action fails.
func (w Rooms) linkable(ctx context.Context, r *authn.Run) (*realms.IdentityProvider, error) {
	p := r.Realm.IDP(r.Tab.Request.ActionParam)
	word := ""
	switch may, err := w.mayLink(ctx, r); {
	case err != nil:
		return nil, err
	case r.Tab.Request.ActionParam == "":
		word = "missing_identity_provider"
	case p == nil || !p.Enabled:
		word = "unknown_identity_provider"
	case !may:
		word = "not_allowed"
	default:
		return p, nil
	}
	kind := r.Event.Kind
	if alias := r.Tab.Request.ActionParam; alias != "" {
		r.Detail("identity_provider", alias)
	}
	r.EmitAs("FEDERATED_IDENTITY_LINK", word)
	delete(r.Event.Details, "identity_provider")
	r.Event.Kind = kind
	return nil, nil
}

// mayLink tells whether the user may link accounts: manages the own one, or its links.
func (w Rooms) mayLink(ctx context.Context, r *authn.Run) (bool, error) {
	client, err := r.Realm.ClientByName(ctx, realms.ClientAccount)
	if realms.Missing(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	s, err := w.Roles.Of(ctx, r.Realm, r.User.ID)
	if err != nil {
		return false, err
	}
	for _, name := range []string{"manage-account", "manage-account-links"} {
		if role := r.Realm.RoleByName(client.ID, name); role != nil && s.Roles.Has(role.ID) {
			return true, nil
		}
	}
	return false, nil
}

func (w Rooms) showLink(ctx context.Context, r *authn.Run) (authn.Result, error) {
	p, err := w.linkable(ctx, r)
	if p == nil {
		return authn.Attempted{}, err
	}
	return authn.Challenge{Page: page(pages.LinkProvider{Provider: providerName(&p.IdentityProvider)}, "")}, nil
}

func (w Rooms) linkProvider(ctx context.Context, r *authn.Run) (authn.Result, error) {
	p, err := w.linkable(ctx, r)
	if p == nil {
		return authn.Attempted{}, err
	}
	return authn.Visit{Provider: p.Alias}, nil
}

func providerName(p *iam.IdentityProvider) string {
	if p.DisplayName != "" {
		return p.DisplayName
	}
	return p.Alias
}
