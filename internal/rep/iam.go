package rep

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/internal/iam"
)

// unspecified is what a policy says where it leaves a choice to the browser.
const unspecified = "not specified"

// IAM compiles a realm's own settings; what the realm holds (clients, roles,
// flows and so on) is compiled from its own documents. Members that are absent
// count as zero: the settings that a new realm begins with are part of its
// document from the start.
func (r *Realm) IAM() (*iam.Realm, error) {
	ssl := iam.SSLRequirement(strings.ToLower(r.SSLRequired))
	switch ssl {
	case "":
		ssl = iam.SSLExternal
	case iam.SSLNone, iam.SSLExternal, iam.SSLAll:
	default:
		return nil, fmt.Errorf("sslRequired: %q is none of none, external, all", r.SSLRequired)
	}
	m := &iam.Realm{
		ID:              iam.RealmID(r.ID),
		Name:            r.Realm,
		DisplayName:     Val(r.DisplayName),
		DisplayNameHTML: Val(r.DisplayNameHTML),
		LoginTheme:      Val(r.LoginTheme),
		EmailTheme:      Val(r.EmailTheme),
		Enabled:         Val(r.Enabled),
		SSL:             ssl,
		Login: iam.LoginPolicy{
			Registration:                Val(r.RegistrationAllowed),
			RegistrationEmailAsUsername: Val(r.RegistrationEmailAsUsername),
			RememberMe:                  Val(r.RememberMe),
			VerifyEmail:                 Val(r.VerifyEmail),
			LoginWithEmail:              Val(r.LoginWithEmailAllowed),
			DuplicateEmails:             Val(r.DuplicateEmailsAllowed),
			ResetPassword:               Val(r.ResetPasswordAllowed),
			EditUsername:                Val(r.EditUsernameAllowed),
		},
		Lifespans: iam.Lifespans{
			AccessToken:         seconds(r.AccessTokenLifespan),
			AccessTokenImplicit: seconds(r.AccessTokenLifespanForImplicitFlow),
			AccessCode:          seconds(r.AccessCodeLifespan),
			DeviceCode:          seconds(r.OAuth2DeviceCodeLifespan),
			DevicePolling:       seconds(r.OAuth2DevicePollingInterval),
			UserAction:          seconds(r.AccessCodeLifespanUserAction),
			Login:               seconds(r.AccessCodeLifespanLogin),
			ActionTokenByUser:   seconds(r.ActionTokenGeneratedByUserLifespan),
			ActionTokenByAdmin:  seconds(r.ActionTokenGeneratedByAdminLifespan),
			SSOIdle:             lifespan(r.SSOSessionIdleTimeout, 30*time.Minute),
			SSOMax:              lifespan(r.SSOSessionMaxLifespan, 10*time.Hour),
			SSOIdleRememberMe:   seconds(r.SSOSessionIdleTimeoutRememberMe),
			SSOMaxRememberMe:    seconds(r.SSOSessionMaxLifespanRememberMe),
			ClientIdle:          seconds(r.ClientSessionIdleTimeout),
			ClientMax:           seconds(r.ClientSessionMaxLifespan),
			OfflineIdle:         lifespan(r.OfflineSessionIdleTimeout, 720*time.Hour),
			OfflineMax:          lifespan(r.OfflineSessionMaxLifespan, 1440*time.Hour),
			OfflineMaxEnabled:   Val(r.OfflineSessionMaxLifespanEnabled),
			ClientOfflineIdle:   seconds(r.ClientOfflineSessionIdleTimeout),
			ClientOfflineMax:    seconds(r.ClientOfflineSessionMaxLifespan),
		},
		Refresh:  iam.RefreshPolicy{Rotate: Val(r.RevokeRefreshToken), MaxReuse: Val(r.RefreshTokenMaxReuse)},
		Password: iam.ParsePasswordPolicy(Val(r.PasswordPolicy)),
		Brute: iam.BruteForcePolicy{
			Enabled:              Val(r.BruteForceProtected),
			Permanent:            Val(r.PermanentLockout),
			MaxTemporaryLockouts: Val(r.MaxTemporaryLockouts),
			Strategy:             r.BruteForceStrategy,
			FailureFactor:        Val(r.FailureFactor),
			WaitIncrement:        seconds(r.WaitIncrementSeconds),
			QuickLoginCheck:      time.Duration(Val(r.QuickLoginCheckMilliSeconds)) * time.Millisecond,
			MinimumQuickWait:     seconds(r.MinimumQuickLoginWaitSeconds),
			MaxWait:              seconds(r.MaxFailureWaitSeconds),
			MaxDelta:             seconds(r.MaxDeltaTimeSeconds),
			MaxSecondaryFailures: Val(r.MaxSecondaryAuthFailures),
		},
		OTP: iam.OTPPolicy{
			Type:            r.OTPPolicyType,
			Algorithm:       r.OTPPolicyAlgorithm,
			Digits:          Val(r.OTPPolicyDigits),
			InitialCounter:  int64(Val(r.OTPPolicyInitialCounter)),
			LookAheadWindow: Val(r.OTPPolicyLookAheadWindow),
			Period:          seconds(r.OTPPolicyPeriod),
			Reusable:        Val(r.OTPPolicyCodeReusable),
		},
		WebAuthn: iam.WebAuthnPolicy{
			RPName: or(r.WebAuthnPolicyRPEntityName, "keycloak"), RPID: Val(r.WebAuthnPolicyRPID), Algorithms: r.WebAuthnPolicySignatureAlgorithms,
			Attestation:        or(r.WebAuthnPolicyAttestationConveyancePreference, unspecified),
			Attachment:         or(r.WebAuthnPolicyAuthenticatorAttachment, unspecified),
			RequireResidentKey: or(r.WebAuthnPolicyRequireResidentKey, unspecified),
			ResidentKey:        or(r.WebAuthnPolicyResidentKey, unspecified),
			UserVerification:   or(r.WebAuthnPolicyUserVerificationRequirement, unspecified),
			Timeout:            Val(r.WebAuthnPolicyCreateTimeout), AvoidSame: Val(r.WebAuthnPolicyAvoidSameAuthenticatorRegister),
			AAGUIDs: r.WebAuthnPolicyAcceptableAaguids, ExtraOrigins: r.WebAuthnPolicyExtraOrigins,
		},
		Passwordless: iam.WebAuthnPolicy{
			RPName: or(r.WebAuthnPolicyPasswordlessRPEntityName, "keycloak"), RPID: Val(r.WebAuthnPolicyPasswordlessRPID),
			Algorithms:         r.WebAuthnPolicyPasswordlessSignatureAlgorithms,
			Attestation:        or(r.WebAuthnPolicyPasswordlessAttestationConveyancePreference, unspecified),
			Attachment:         or(r.WebAuthnPolicyPasswordlessAuthenticatorAttachment, unspecified),
			RequireResidentKey: or(r.WebAuthnPolicyPasswordlessRequireResidentKey, unspecified),
			ResidentKey:        or(r.WebAuthnPolicyPasswordlessResidentKey, "required"),
			UserVerification:   or(r.WebAuthnPolicyPasswordlessUserVerificationRequirement, "required"),
			Timeout:            Val(r.WebAuthnPolicyPasswordlessCreateTimeout),
			AvoidSame:          Val(r.WebAuthnPolicyPasswordlessAvoidSameAuthenticatorRegister),
			AAGUIDs:            r.WebAuthnPolicyPasswordlessAcceptableAaguids, ExtraOrigins: r.WebAuthnPolicyPasswordlessExtraOrigins,
			Passkeys: Val(r.WebAuthnPolicyPasswordlessPasskeysEnabled), Mediation: Val(r.WebAuthnPolicyPasswordlessMediation),
		},
		Flows: iam.FlowBindings{
			Browser:              r.BrowserFlow,
			DirectGrant:          r.DirectGrantFlow,
			Registration:         r.RegistrationFlow,
			ResetCredentials:     r.ResetCredentialsFlow,
			ClientAuthentication: r.ClientAuthenticationFlow,
			FirstBrokerLogin:     Val(r.FirstBrokerLoginFlow),
			Docker:               r.DockerAuthenticationFlow,
		},
		Events: iam.EventsConfig{
			Enabled:      Val(r.EventsEnabled),
			Kinds:        make(map[string]bool, len(r.EnabledEventTypes)),
			Expiration:   time.Duration(Val(r.EventsExpiration)) * time.Second,
			Listeners:    r.EventsListeners,
			Admin:        Val(r.AdminEventsEnabled),
			AdminDetails: Val(r.AdminEventsDetailsEnabled),
			AdminFor:     secondsOf(r.Attributes["adminEventsExpiration"]),
		},
		Locale: iam.LocalePolicy{
			Enabled:   Val(r.InternationalizationEnabled),
			Supported: r.SupportedLocales,
			Default:   Val(r.DefaultLocale),
			Texts:     r.LocalizationTexts,
		},
		NotBefore:       Epoch(r.NotBefore),
		SignatureAlg:    Val(r.DefaultSignatureAlgorithm),
		SecurityHeaders: r.BrowserSecurityHeaders,
		Attrs:           r.Attributes,
	}
	// Keycloak: SessionExpiration.getAuthSessionLifespan
	m.Lifespans.AuthenticationSession = max(m.Lifespans.Login, m.Lifespans.UserAction, m.Lifespans.AccessCode)
	for _, kind := range r.EnabledEventTypes {
		m.Events.Kinds[kind] = true
	}
	if r.DefaultRole != nil {
		m.DefaultRole = iam.RoleID(r.DefaultRole.ID)
	}
	if m.SignatureAlg == "" {
		m.SignatureAlg = "RS256"
	}
	if m.Brute.Strategy == "" {
		m.Brute.Strategy = "MULTIPLE"
	}
	return m, nil
}

// IAM compiles a client. DefaultScopes, OptionalScopes and ScopeRoles, which a
// representation gives by name or not at all, are left to the caller, who knows
// the ids; so is Realm.
func (c *Client) IAM() (*iam.Client, error) {
	m := &iam.Client{
		ID:               iam.ClientID(c.ID),
		ClientID:         c.ClientID,
		Name:             Val(c.Name),
		Protocol:         iam.Protocol(c.Protocol),
		Enabled:          Val(c.Enabled),
		Secret:           secret(Val(c.Secret)),
		AuthMethod:       c.ClientAuthenticatorType,
		RootURL:          Val(c.RootURL),
		BaseURL:          Val(c.BaseURL),
		AdminURL:         Val(c.AdminURL),
		RedirectURIs:     c.RedirectURIs,
		WebOrigins:       c.WebOrigins,
		StandardFlow:     Val(c.StandardFlowEnabled),
		ImplicitFlow:     Val(c.ImplicitFlowEnabled),
		DirectGrants:     Val(c.DirectAccessGrantsEnabled),
		ServiceAccounts:  Val(c.ServiceAccountsEnabled),
		ConsentRequired:  Val(c.ConsentRequired),
		AlwaysInConsole:  Val(c.AlwaysDisplayInConsole),
		FullScope:        Val(c.FullScopeAllowed),
		FrontLogout:      Val(c.FrontchannelLogout),
		SurrogateAuth:    Val(c.SurrogateAuthRequired),
		NotBefore:        Epoch(c.NotBefore),
		Mappers:          mappers(c.ProtocolMappers),
		OIDC:             clientOIDC(c.Attributes),
		Attrs:            c.Attributes,
		ManagesOwnAccess: Val(c.AuthorizationServicesEnabled),
		Registered:       Val(c.RegistrationAccessToken) != "",
	}
	switch m.Protocol {
	case "":
		m.Protocol = iam.OIDC
	case iam.OIDC, iam.SAML, "docker-v2":
	default:
		return nil, fmt.Errorf("protocol: no protocol %q", c.Protocol)
	}
	switch {
	case Val(c.BearerOnly):
		m.Access = iam.BearerOnly
	case Val(c.PublicClient):
		m.Access = iam.Public
	}
	for purpose, flow := range c.AuthenticationFlowBindingOverrides {
		if flow == "" {
			continue // how the admin console takes an override back
		}
		if m.FlowOverrides == nil {
			m.FlowOverrides = map[string]iam.FlowID{}
		}
		m.FlowOverrides[purpose] = iam.FlowID(flow)
	}
	return m, nil
}

// IAM compiles a client scope. Roles, DefaultOfRealm and OptionalOfRealm are
// left to the caller.
func (s *ClientScope) IAM() (*iam.ClientScope, error) {
	m := &iam.ClientScope{
		ID:          iam.ScopeID(s.ID),
		Name:        s.Name,
		Description: Val(s.Description),
		Protocol:    iam.Protocol(s.Protocol),
		Mappers:     mappers(s.ProtocolMappers),
		// Keycloak: ClientScopeModel, where both are true unless said otherwise.
		InTokenScope:  flag(s.Attributes, "include.in.token.scope", true),
		InMetadata:    flag(s.Attributes, "include.in.openid.provider.metadata", true),
		ShowOnConsent: flag(s.Attributes, "display.on.consent.screen", true),
		ConsentText:   s.Attributes["consent.screen.text"],
		GUIOrder:      s.Attributes["gui.order"],
		Attrs:         s.Attributes,
	}
	if m.ConsentText == "" {
		m.ConsentText = s.Name
	}
	if m.Protocol == "" {
		m.Protocol = iam.OIDC
	}
	return m, nil
}

// IAM compiles a role. Composites, which a representation gives by name, are
// left to the caller.
func (r *Role) IAM() *iam.Role {
	m := &iam.Role{ID: iam.RoleID(r.ID), Name: r.Name, Description: Val(r.Description), Attrs: r.Attributes}
	if Val(r.ClientRole) {
		m.Client = iam.ClientID(r.ContainerID)
	}
	return m
}

// IAM compiles a group without its subgroups.
func (g *Group) IAM() *iam.Group {
	return &iam.Group{
		ID: iam.GroupID(g.ID), Parent: iam.GroupID(g.ParentID), Name: g.Name,
		Description: Val(g.Description), Attrs: g.Attributes,
	}
}

// IAM compiles a user without credentials, roles, groups, links and consents,
// which are stored beside it. Realm and ServiceAccount, of which the
// representation has the client id only, are left to the caller.
func (u *User) IAM() *iam.User {
	m := &iam.User{
		ID:            iam.UserID(u.ID),
		Username:      strings.ToLower(u.Username),
		Email:         strings.ToLower(Val(u.Email)),
		EmailVerified: Val(u.EmailVerified),
		FirstName:     Val(u.FirstName),
		LastName:      Val(u.LastName),
		Enabled:       Val(u.Enabled),
		Federation:    u.FederationLink,
		Required:      u.RequiredActions,
		Attrs:         u.Attributes,
		NotBefore:     Epoch(u.NotBefore),
	}
	if u.CreatedTimestamp != nil {
		m.CreatedAt = time.UnixMilli(*u.CreatedTimestamp)
	}
	return m
}

// IAM compiles a link to an account at an identity provider; User is left to
// the caller.
func (f *FederatedIdentity) IAM() *iam.FederatedIdentity {
	link := &iam.FederatedIdentity{Provider: f.IdentityProvider, ExternalID: f.UserID, ExternalUsername: f.UserName}
	if f.Token != "" {
		link.Token = []byte(f.Token)
	}
	return link
}

// IAM compiles a component.
func (c *Component) IAM() *iam.Component {
	return &iam.Component{
		ID: c.ID, Name: c.Name, Provider: c.ProviderID, Type: c.ProviderType,
		Sub: c.SubType, Parent: c.ParentID, Config: c.Config,
	}
}

// IAM compiles an identity provider; its flows are left to the caller.
func (p *IdentityProvider) IAM() *iam.IdentityProvider {
	return &iam.IdentityProvider{
		ID: p.InternalID, Alias: p.Alias, DisplayName: Val(p.DisplayName), Provider: p.ProviderID,
		Enabled:    p.Enabled == nil || *p.Enabled,
		TrustEmail: Val(p.TrustEmail), StoreToken: Val(p.StoreToken), ReadToken: Val(p.AddReadTokenRoleOnCreate),
		LinkOnly: Val(p.LinkOnly),
		// Realm files older than Keycloak 26 have it in the configuration.
		HideOnLogin: Val(p.HideOnLogin) || p.HideOnLogin == nil && flag(p.Config, "hideOnLoginPage", false),
		Config:      p.Config,
	}
}

// IAM compiles a mapper of an identity provider.
func (m *IdentityProviderMapper) IAM() *iam.IdentityProviderMapper {
	return &iam.IdentityProviderMapper{ID: m.ID, Name: m.Name, Mapper: m.IdentityProviderMapper, Config: m.Config}
}

// IAM compiles a required action.
func (a *RequiredAction) IAM() *iam.RequiredAction {
	return &iam.RequiredAction{
		Alias: a.Alias, Provider: a.ProviderID, Name: a.Name,
		Enabled: a.Enabled, Default: a.DefaultAction, Priority: a.Priority, Config: a.Config,
	}
}

func mappers(list []ProtocolMapper) []iam.ProtocolMapper {
	var out []iam.ProtocolMapper
	for _, m := range list {
		out = append(out, iam.ProtocolMapper{
			ID: m.ID, Name: m.Name, Protocol: iam.Protocol(m.Protocol), Mapper: m.ProtocolMapper, Config: m.Config,
		})
	}
	return out
}

// ComponentsOf flattens the components of a realm file, which stand under their
// provider type and their parent, into components with both written down.
// Components without an id get one from newID, so that their children can name
// their parent.
func ComponentsOf(tree map[string][]ComponentExport, parent string, newID func() string) []Component {
	var out []Component
	for _, kind := range sortedKeys(tree) {
		for _, c := range tree[kind] {
			id := c.ID
			if id == "" {
				id = newID()
			}
			out = append(out, Component{
				ID: id, Name: c.Name, ProviderID: c.ProviderID, ProviderType: kind, ParentID: parent,
				SubType: c.SubType, Config: c.Config, Unknown: c.Unknown,
			})
			out = append(out, ComponentsOf(c.SubComponents, id, newID)...)
		}
	}
	return out
}

// ExportComponents is the inverse of ComponentsOf: the tree below parent.
func ExportComponents(list []Component, parent string) map[string][]ComponentExport {
	out := map[string][]ComponentExport{}
	for _, c := range list {
		if c.ParentID == parent && c.ID != parent {
			out[c.ProviderType] = append(out[c.ProviderType], ComponentExport{
				ID: c.ID, Name: c.Name, ProviderID: c.ProviderID, SubType: c.SubType,
				SubComponents: ExportComponents(list, c.ID), Config: c.Config, Unknown: c.Unknown,
			})
		}
	}
	return out
}

// secondsOf reads an attribute that is a number of seconds; what is none stands for none.
func secondsOf(text string) time.Duration {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(n) * time.Second
}

func seconds(n *int) time.Duration { return time.Duration(Val(n)) * time.Second }

// lifespan is a number of seconds that has a default for what is not positive.
// Keycloak: SessionExpirationUtils.getSsoSessionIdleTimeout and the like.
func lifespan(n *int, otherwise time.Duration) time.Duration {
	if d := seconds(n); d > 0 {
		return d
	}
	return otherwise
}

// Epoch is a not-before in seconds since 1970 as a time, zero for none.
func Epoch(n *int) time.Time {
	if n == nil || *n <= 0 {
		return time.Time{}
	}
	return time.Unix(int64(*n), 0)
}

func secret(s string) iam.Secret {
	if s == "" {
		return nil
	}
	return iam.Secret(s)
}

// flag is a boolean among attributes, where Keycloak takes any case of "true".
func flag(attrs map[string]string, name string, absent bool) bool {
	v, ok := attrs[name]
	if !ok {
		return absent
	}
	return strings.EqualFold(v, "true")
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
