package records

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/keys"
	"latchkey/internal/realms"
	"latchkey/internal/tokens"
)

// Where settings are set.
const (
	whereRealm = "realm"
	whereUser  = "user"
)

func number(n int) string           { return strconv.Itoa(n) }
func secs(d time.Duration) string   { return strconv.FormatInt(int64(d/time.Second), 10) + " s" }
func onOff(on bool) string          { return strconv.FormatBool(on) }
func listed(values []string) string { return strings.Join(values, " ") }

func (f *facts) realmSetting(name, value string) Evidence {
	return Evidence{Kind: EvidenceSetting, Name: name, Value: value, Where: whereRealm}
}

func (f *facts) userState(name, value string) Evidence {
	return Evidence{Kind: EvidenceState, Name: name, Value: value, Where: whereUser}
}

func (f *facts) clientSetting(name, value string) Evidence {
	return f.settingOf(f.clientID, name, value)
}

func (f *facts) settingOf(id iam.ClientID, name, value string) Evidence {
	return Evidence{Kind: EvidenceSetting, Name: name, Value: value, Where: whereClient + f.name(id)}
}

// whereClient stands before a client_id.
const whereClient = "client "

// realmLimits are the times that end sessions, by the names of their settings.
func realmLimits(l iam.Lifespans) map[string]time.Duration {
	return map[string]time.Duration{
		"ssoSessionIdleTimeout": l.SSOIdle, "ssoSessionMaxLifespan": l.SSOMax,
		"ssoSessionIdleTimeoutRememberMe": l.SSOIdleRememberMe, "ssoSessionMaxLifespanRememberMe": l.SSOMaxRememberMe,
		"clientSessionIdleTimeout": l.ClientIdle, "clientSessionMaxLifespan": l.ClientMax,
		"offlineSessionIdleTimeout": l.OfflineIdle, "offlineSessionMaxLifespan": l.OfflineMax,
		"clientOfflineSessionIdleTimeout": l.ClientOfflineIdle, "clientOfflineSessionMaxLifespan": l.ClientOfflineMax,
	}
}

// ownLimits are the settings that a session falls back on where none is made for
// clients' parts, by the names of those.
var ownLimits = map[string]string{
	"clientSessionIdleTimeout": "ssoSessionIdleTimeout", "clientSessionMaxLifespan": "ssoSessionMaxLifespan",
	"clientOfflineSessionIdleTimeout": "offlineSessionIdleTimeout", "clientOfflineSessionMaxLifespan": "offlineSessionMaxLifespan",
}

// endSettings are the settings that an end followed from, as they are now.
func (f *facts) endSettings(c *cause) []Evidence {
	switch c.reason {
	case iam.Idle, iam.MaxAge:
		rule, limits := c.end.Setting.Name, realmLimits(f.r.Lifespans)
		if c.end.Setting.Of == iam.OfClient {
			client, err := f.clientOf(c.client)
			if err != nil || client == nil {
				return nil
			}
			return []Evidence{f.settingOf(c.client, rule, client.Attr(rule)+" s")}
		}
		if limits[rule] == 0 && ownLimits[rule] != "" {
			rule = ownLimits[rule]
		}
		return []Evidence{f.realmSetting(rule, secs(limits[rule]))}
	case iam.ReplacedByOffline:
		return []Evidence{f.offlineScope(c), f.realmSetting(iam.SettingOfflineSSO, orDefault(f.r.Attrs[iam.SettingOfflineSSO], "keycloak"))}
	case iam.TokenReuse:
		return []Evidence{f.realmSetting("revokeRefreshToken", onOff(f.r.Refresh.Rotate)), f.realmSetting("refreshTokenMaxReuse",
			number(f.r.Refresh.MaxReuse)),
			f.realmSetting(iam.SettingRefreshGrace, orDefault(f.r.Attrs[iam.SettingRefreshGrace], "0"))}
	case iam.SessionLimit:
		return []Evidence{{Kind: EvidenceSetting, Name: c.end.Setting.Name, Value: c.end.Setting.Value,
			Where: "authentication flow, step user-session-limits"}}
	case iam.CodeLate:
		return []Evidence{f.realmSetting("accessCodeLifespan", secs(f.r.Lifespans.AccessCode))}
	}
	return nil
}

func orDefault(value, preset string) string {
	if value == "" {
		return preset + " (the default)"
	}
	return value
}

// offlineWhy is why offline_access was granted, when an end or a part says so.
func offlineWhy(c *cause) iam.ScopeWhy {
	if c.end != nil && c.reason == iam.ReplacedByOffline {
		if why, ok := c.end.Scopes.Why(tokens.ScopeOffline); ok {
			return why
		}
	}
	why, _ := c.scope.Why(tokens.ScopeOffline)
	return why
}

// grantedBecause say how a client came to a scope.
var grantedBecause = map[iam.ScopeWhy]string{
	iam.ScopeRequested: "it asked for it",
	iam.ScopeDefault:   "default scope",
	iam.ScopeInherited: "default scope, inherited from the realm when the client was made",
}

func (f *facts) offlineScope(c *cause) Evidence {
	return f.settingOf(c.client, "client scope "+tokens.ScopeOffline, grantedBecause[offlineWhy(c)])
}

// offlineSettings say what is missing for offline access.
func (f *facts) offlineSettings(c *realms.Client) []Evidence {
	for list, word := range map[*[]iam.ScopeID]string{&c.DefaultScopes: "default scope", &c.OptionalScopes: "optional scope"} {
		for _, id := range *list {
			if s := f.r.Scope(id); s != nil && s.Name == tokens.ScopeOffline {
				return []Evidence{f.settingOf(c.ID, "client scope "+tokens.ScopeOffline, word), f.userState("role "+tokens.ScopeOffline, "missing")}
			}
		}
	}
	return []Evidence{f.settingOf(c.ID, "client scope "+tokens.ScopeOffline, "missing")}
}

// promptSettings are what a prompt followed from besides a session.
func (f *facts) promptSettings(c *cause) []Evidence {
	if c.reason == iam.CookieRetiredKey {
		return f.keySettings()
	}
	if c.part == nil {
		return nil
	}
	parameter := func(name string) []Evidence {
		v := c.part.Notes[name]
		if v == "" {
			return nil
		}
		return []Evidence{{Kind: EvidenceState, Name: name, Value: v, Where: "request of client " + f.name(c.part.Client)}}
	}
	switch c.reason {
	case iam.AskedMaxAge:
		return parameter("max_age")
	case iam.AskedPrompt:
		return parameter("prompt")
	case iam.AskedACR:
		return slices.Concat(parameter("acr_values"), parameter("claims"))
	case iam.CookieExpired:
		return []Evidence{f.realmSetting("ssoSessionMaxLifespan", secs(f.r.Lifespans.SSOMax))}
	}
	return nil
}

// keySettings tell which key signs cookies and refresh tokens now, and which
// keys of that kind are no longer accepted.
func (f *facts) keySettings() (list []Evidence) {
	for _, k := range keys.Of(f.r).All() {
		if k.Type != "OCT" || k.For != iam.Sig {
			continue
		}
		list = append(list, Evidence{Kind: EvidenceSetting, Name: "key " + k.KID, Value: string(k.Status), Where: whereRealm})
	}
	return list
}

// slips are refusals that say little about the next attempt.
var slips = map[iam.Reason]bool{
	iam.WrongPassword: true, iam.WrongOTP: true, iam.WrongRecoveryCode: true, iam.PasskeyRefused: true, iam.UnknownUser: true,
	iam.DirectoryUnavailable: true,
	iam.LoginExpired:         true, iam.ConsentRefused: true, iam.AskedOtherUser: true,
	iam.LinkExpired: true, iam.LinkUsed: true, iam.LinkStale: true,
	iam.ProviderState: true,
}

// mended tells whether what a login or token was refused for holds no more, and
// adds the settings that it is about.
func (f *facts) mended(o *seenRefusal, c *cause) bool {
	if f.past {
		return false
	}
	client, err := f.clientOf(o.Client)
	if err != nil {
		client = nil
	}
	set := func(list ...Evidence) { c.settings = append(c.settings, list...) }
	switch o.reason {
	case iam.RealmDisabled, iam.UserDisabled, iam.ClientDisabled, iam.BruteForceLock, iam.UserRemoved, iam.UnknownClient:
		return true // or off says so
	case iam.ActionRequired:
		if f.user == nil || len(f.user.Required) == 0 && (!f.r.Login.VerifyEmail || f.user.EmailVerified) {
			return true
		}
		f.todo(c)
	case iam.RedirectMismatch:
		if client == nil || o.kind != "LOGIN" {
			return false
		}
		_, ok := iam.RedirectsOf(&client.Client, "").Match(o.Doc.Redirect)
		set(f.settingOf(o.Client, "redirectUris", listed(client.RedirectURIs)))
		return ok
	case iam.ClientNotAllowed:
		return client != nil && f.allowed(client, o, set)
	case iam.ConsentMissing:
		set(f.settingOf(o.Client, "consentRequired", onOff(client != nil && client.ConsentRequired)))
		return client == nil || !client.ConsentRequired
	case iam.OfflineNotGranted:
		if client == nil || f.user == nil {
			return false
		}
		granted, err := f.x.Issuer.OfflineGranted(f.ctx, f.r, &iam.Grant{Client: &client.Client, User: f.user,
			Scopes: tokens.Requested(f.r, &client.Client, tokens.ScopeOffline)})
		set(f.offlineSettings(client)...)
		return err == nil && granted
	case iam.NotBeforeRealm:
		return f.r.NotBefore.IsZero()
	case iam.NotBeforeClient:
		return client != nil && client.NotBefore.IsZero()
	case iam.NotBeforeUser:
		return f.user != nil && f.user.NotBefore.IsZero()
	case iam.ClientCredentials:
		return f.works(o)
	case iam.WrongPKCE:
		if client != nil {
			set(f.settingOf(o.Client, "pkce.code.challenge.method", orDefault(client.Attr("pkce.code.challenge.method"), "not demanded")))
		}
	case iam.LoginExpired:
		set(f.realmSetting("accessCodeLifespanLogin", secs(f.r.Lifespans.Login)), f.realmSetting("accessCodeLifespanUserAction",
			secs(f.r.Lifespans.UserAction)))
	case iam.TokenRetiredKey:
		set(f.keySettings()...)
	}
	return false
}

// allowed tells whether a client may use now what it was refused.
func (f *facts) allowed(c *realms.Client, o *seenRefusal, set func(...Evidence)) bool {
	on, known := map[string]bool{
		iam.SettingStandardFlow: c.StandardFlow, iam.SettingImplicitFlow: c.ImplicitFlow, iam.SettingDirectGrants: c.DirectGrants,
		iam.AttrDeviceGrant: c.Flag(iam.AttrDeviceGrant),
	}[o.Doc.Setting]
	if known {
		set(f.settingOf(c.ID, o.Doc.Setting, onOff(on)))
	}
	return on
}

// works tells whether a client got tokens since a refusal, for whomever: then
// somebody else used its name.
func (f *facts) works(o *seenRefusal) bool {
	for _, kind := range iam.SessionKinds() {
		list, err := f.x.newestParts(f.ctx, f.r, o.Client, kind)
		if err != nil {
			return false
		}
		for _, p := range list {
			// Both are counted in milliseconds; what came in the same one came after.
			if issued := iam.Issuances(p.Issued); len(issued) > 0 && !time.UnixMilli(issued[0].At).Before(o.Last) {
				return true
			}
		}
	}
	return false
}
