package admin

import (
	"net/http"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"latchkey/internal/rep"
)

// clientPolicyRoutes keep client policies and their profiles, so that what
// writes a realm as a whole gets through. Nothing enforces a policy yet, so
// none can be switched on here.
// Keycloak: ClientPoliciesResource, ClientProfilesResource, ClientPoliciesUtil.
func (h *Handler) clientPolicyRoutes() []Route {
	const policies, profiles = "/admin/realms/{realm}/client-policies/policies", "/admin/realms/{realm}/client-policies/profiles"
	return []Route{
		{"GET " + policies, ViewRealm, None, "", h.clientPolicies, ByMethod},
		{"PUT " + policies, ManageRealm, None, "", h.putClientPolicies, ByMethod},
		{"GET " + profiles, ViewRealm, None, "", h.clientProfiles, ByMethod},
		{"PUT " + profiles, ManageRealm, None, "", h.putClientProfiles, ByMethod},
	}
}

// What a policy may be made of, by Keycloak's ids, and the profiles that every
// realm of Keycloak has.
var (
	policyConditions = []string{
		"acr-condition", "any-client", "client-access-type", "client-attributes", "client-roles", "client-scopes", "client-type",
		"client-updater-context",
		"client-updater-source-groups", "client-updater-source-host", "client-updater-source-roles", "grant-type", "identity-provider-alias",
	}
	policyExecutors = []string{
		"auth-flow-enforcer", "confidential-client", "consent-required", "downscope-assertion-grant-enforcer", "dpop-bind-enforcer",
		"full-scope-disabled",
		"holder-of-key-enforcer", "intent-client-bind-checker", "jwt-claim-enforcer", "pkce-enforcer",
		"registration-access-token-rotation-disabled",
		"reject-implicit-grant", "reject-request", "reject-ropc-grant", "saml-avoid-redirect", "saml-secure-client-uris",
		"saml-signature-enforcer",
		"secure-ciba-req-sig-algorithm", "secure-ciba-session", "secure-ciba-signed-authn-req", "secure-client-authentication-assertion",
		"secure-client-authenticator", "secure-client-uris", "secure-client-uris-pattern", "secure-logout", "secure-par-content",
		"secure-redirect-uris-enforcer", "secure-request-object", "secure-response-type", "secure-session", "secure-signature-algorithm",
		"secure-signature-algorithm-signed-jwt", "suppress-refresh-token-rotation", "tls-client-auth-ca-subject-dn",
		"use-lightweight-access-token",
	}
	globalProfiles = []string{
		"fapi-1-advanced", "fapi-1-baseline", "fapi-2-dpop-message-signing", "fapi-2-dpop-security-profile", "fapi-2-message-signing",
		"fapi-2-security-profile", "fapi-ciba", "oauth-2-1-for-confidential-client", "oauth-2-1-for-public-client", "saml-security-profile",
	}
)

func (h *Handler) clientPolicies(c *Call) (any, error) {
	if !c.Bool("include-global-policies", false) {
		return document(c.Realm.Rep.ClientPolicies, `{"policies":[]}`), nil
	}
	v := rep.ClientPolicies{Policies: []rep.ClientPolicy{}, GlobalPolicies: []rep.ClientPolicy{}}
	if len(c.Realm.Rep.ClientPolicies) > 0 {
		if err := rep.Unmarshal(c.Realm.Rep.ClientPolicies, &v); err != nil {
			return nil, err
		}
	}
	return &v, nil
}

func (h *Handler) clientProfiles(c *Call) (any, error) {
	return document(c.Realm.Rep.ClientProfiles, `{"profiles":[]}`), nil
}

// document is JSON as it is stored, or what stands for nothing.
func document(v jsontext.Value, absent string) Raw {
	if len(v) == 0 {
		v = jsontext.Value(absent)
	}
	return Raw{Type: "application/json", Data: v}
}

func refusePolicy(msg string) error { return Message(http.StatusBadRequest, msg) }

func (h *Handler) putClientProfiles(c *Call) (any, error) {
	v, err := Body[rep.ClientProfiles](c)
	if err != nil {
		return nil, err
	}
	if v.GlobalProfiles != nil {
		return nil, refusePolicy("Global profiles cannot be updated")
	}
	seen := map[string]bool{}
	for _, p := range v.Profiles {
		switch {
		case p.Name == "":
			return nil, refusePolicy("client profile without its name not allowed.")
		case slices.Contains(globalProfiles, p.Name):
			return nil, refusePolicy("Proposed profile name '" + p.Name + "' is duplicated as a global profile")
		case seen[p.Name]:
			return nil, refusePolicy("proposed client profile name duplicated.")
		}
		seen[p.Name] = true
		for _, e := range p.Executors {
			if !slices.Contains(policyExecutors, e.Executor) {
				return nil, refusePolicy("proposed client profile contains the executor, which does not have valid provider, or has invalid " +
					"configuration.")
			}
		}
	}
	v.Fill()
	doc, err := rep.Marshal(v)
	if err != nil {
		return nil, err
	}
	return nil, h.Manager.Edit(c, c.Realm.ID, func(r *rep.Realm) error {
		r.ClientProfiles = doc
		return nil
	})
}

func (h *Handler) putClientPolicies(c *Call) (any, error) {
	v, err := Body[rep.ClientPolicies](c)
	if err != nil {
		return nil, err
	}
	v.Fill()
	seen := map[string]bool{}
	for i := range v.Policies {
		p := &v.Policies[i]
		if p.Name == "" {
			return nil, refusePolicy("client policy without name not allowed")
		}
		if seen[p.Name] {
			return nil, refusePolicy("proposed client policy name duplicated")
		}
		seen[p.Name] = true
	}
	return nil, h.Manager.Edit(c, c.Realm.ID, func(r *rep.Realm) error {
		known := slices.Clone(globalProfiles)
		var own rep.ClientProfiles
		if len(r.ClientProfiles) > 0 {
			if err := rep.Unmarshal(r.ClientProfiles, &own); err != nil {
				return err
			}
		}
		for _, p := range own.Profiles {
			known = append(known, p.Name)
		}
		stored := rep.ClientPolicies{Policies: slices.Clone(v.Policies), GlobalPolicies: v.GlobalPolicies, Unknown: v.Unknown}
		var old rep.ClientPolicies
		if len(r.ClientPolicies) > 0 {
			if err := rep.Unmarshal(r.ClientPolicies, &old); err != nil {
				return err
			}
		}
		for i := range stored.Policies {
			p := &stored.Policies[i]
			// What a file brought may be sent back as it was.
			was := slices.ContainsFunc(old.Policies, func(o rep.ClientPolicy) bool { return o.Name == p.Name && rep.Val(o.Enabled) })
			if err := checkClientPolicy(p, known, was); err != nil {
				return err
			}
		}
		stored.Fill()
		doc, err := rep.Marshal(&stored)
		r.ClientPolicies = doc
		return err
	})
}

// checkClientPolicy looks at a policy, of which it knows whether it was enabled before.
func checkClientPolicy(p *rep.ClientPolicy, profiles []string, was bool) error {
	for _, c := range p.Conditions {
		if !slices.Contains(policyConditions, c.Condition) {
			name := c.Condition
			if name == "" {
				name = "null"
			}
			return refusePolicy("Policy " + p.Name + " contains invalid condition " + name)
		}
	}
	for _, name := range p.Profiles {
		if !slices.Contains(profiles, name) {
			return refusePolicy("Policy " + p.Name + " contains invalid profile " + name)
		}
	}
	if rep.Val(p.Enabled) && !was {
		return refusePolicy("Policy " + p.Name + " cannot be enabled: client policies are not enforced by this server yet")
	}
	return nil
}
