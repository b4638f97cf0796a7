package doctor

import (
	"fmt"
	"slices"
	"strings"

	"latchkey/internal/rep"
)

// A Check looks for one kind of trouble.
type Check struct {
	ID       string
	Severity Severity // of its findings, unless a finding has one of its own
	Title    string
	Needs    string // the evidence that it looks at
	look     func(*answer)
}

// Checks is the table of all checks, in the order of doc/doctor.md.
func Checks() []Check { return checks }

var checks = []Check{
	{"offline-access-realm-default", Warning, "offline_access is a default client scope of the realm", "client scopes of the realm",
		offlineRealmDefault},
	{"offline-access-client-default", Error, "offline_access is a default client scope of a browser client",
		"clients, client scopes, session numbers", offlineClientDefault},
	{"offline-sessions-without-maximum", Warning, "offline sessions have no maximum life", "realm settings, session numbers",
		offlineNoMaximum},
	{"zombie-offline-sessions", Warning, "offline sessions are left behind by a logout",
		"offline sessions, not-before of realm, clients and users, logouts", zombies},
	{"rotation-without-grace", Warning, "refresh tokens rotate without grace on public clients", "realm settings, clients", rotationNoGrace},
	{"direct-grants-unused", Warning, "direct access grants are enabled and not used", "clients, stored events", directGrantsUnused},
	{"implicit-flow", Warning, "the implicit flow is enabled", "clients", implicitFlow},
	{"redirect-uri-wildcard", Error, "a redirect URI has a wildcard", "clients", redirectWildcard},
	{"redirect-uri-http", Warning, "a redirect URI is plain http", "clients", redirectHTTP},
	{"web-origins-any", Warning, "every web origin is allowed", "clients", webOriginsAny},
	{"access-token-outlives-session", Warning, "access tokens live longer than sessions", "realm settings, clients", accessTokenLong},
	{"idle-longer-than-maximum", Warning, "an idle time is longer than the maximum life", "realm settings", idleLonger},
	{"client-unused", Info, "a client has not been used for long", "clients, sessions, stored events", clientUnused},
	{"consent-third-party", Warning, "a third party's client never asks for consent", "clients, the realm's address", consentThirdParty},
	{"signing-key-single", Info, "there is one signing key only", "keys", signingKeySingle},
	{"signing-key-old", Warning, "the signing key is old", "keys with certificates", signingKeyOld},
	{"brute-force-off", Warning, "brute force protection is off", "realm settings", bruteForceOff},
	{"smtp-missing", Error, "mail is needed and no server for it is set", "realm settings, required actions", smtpMissing},
	{"smtp-broken", Error, "the settings of the mail server cannot work", "realm settings", smtpBroken},
	{"hostname-follows-request", Warning, "the realm answers under any host name", "the issuer under two host names", hostnameFollows},
	{"hostname-differs", Info, "the realm is asked at another address than its issuer's", "the issuer, the address asked", hostnameDiffers},
	{"issuer-over-http", Error, "the realm is reached over plain http", "the issuer", issuerHTTP},
	{"third-party-cookies", Warning, "single sign-on of a browser application depends on third-party cookies", "clients, the issuer",
		thirdPartyCookies},
	{"provider-trusts-email", Warning, "an identity provider is trusted with addresses that nobody has verified", "identity providers",
		providerTrustsEmail},
	{"provider-signatures-unchecked", Warning, "signatures of an identity provider's tokens are not checked", "identity providers",
		providerUnsigned},
	{"provider-only-way-in", Info, "users cannot log in without an identity provider", "identity providers, users", providerOnlyWay},
	{"provider-mapper-gives-rights", Error, "a mapper of an identity provider gives administrators' roles or offline_access",
		"identity providers, their mappers, roles", providerMapperGivesRights},
}

// An answer collects what a check has to say.
type answer struct {
	e        *Evidence
	check    Check
	findings []Finding
	untold   []string
}

// cannot notes, once for each reason, that something could not be told.
func (a *answer) cannot(why string) {
	if !slices.Contains(a.untold, why) {
		a.untold = append(a.untold, why)
	}
}

// need returns a piece of evidence, or notes that it is missing.
func need[T any](a *answer, k Known[T]) (T, bool) {
	v, ok := k.Get()
	if !ok {
		a.cannot(k.Why())
	}
	return v, ok
}

// find adds a finding about the realm or a client; what is common is filled in.
func (a *answer) find(s Subject, f Finding) {
	f.Check, f.Subject = a.check.ID, s
	f.ID = f.Check + "." + s.ID
	if s.Kind == KindRealm {
		f.ID = f.Check + ".realm" // the same for whoever asks, with or without the realm's id
	}
	if f.Severity == "" {
		f.Severity = a.check.Severity
	}
	if f.Evidence == nil {
		f.Evidence = []string{}
	}
	if f.Fixes == nil {
		f.Fixes = []Fix{}
	}
	a.findings = append(a.findings, f)
}

// realm returns the realm's settings.
func (a *answer) realm() (*rep.Realm, Subject, bool) {
	r, ok := need(a, a.e.Realm)
	if !ok {
		return nil, Subject{}, false
	}
	return r, Subject{KindRealm, r.ID, r.Realm}, true
}

// builtIn are the clients that every realm has. Keycloak: Constants.defaultClients.
var builtIn = []string{"account", "account-console", "admin-cli", "broker", "realm-management", "security-admin-console"}

// isBuiltIn tells of a client that came with the realm, not with an application.
func isBuiltIn(c *rep.Client) bool {
	return slices.Contains(builtIn, c.ClientID) || c.Attributes["realm_client"] == "true"
}

// Application reports whether a client is one that can be used, and did not come
// with the realm.
func Application(c *rep.Client) bool {
	return (c.Enabled == nil || *c.Enabled) && (c.Protocol == "" || c.Protocol == "openid-connect") && !rep.Val(c.BearerOnly) && !isBuiltIn(c)
}

// clients calls f for every enabled OpenID Connect client.
func (a *answer) clients(f func(c *rep.Client, s Subject)) {
	list, ok := need(a, a.e.Clients)
	if !ok {
		return
	}
	for _, c := range list {
		if c.Enabled != nil && !*c.Enabled || c.Protocol != "" && c.Protocol != "openid-connect" || rep.Val(c.BearerOnly) {
			continue
		}
		f(c, Subject{KindClient, c.ID, c.ClientID})
	}
}

// applications calls f for the clients that did not come with the realm.
func (a *answer) applications(f func(c *rep.Client, s Subject)) {
	a.clients(func(c *rep.Client, s Subject) {
		if !isBuiltIn(c) {
			f(c, s)
		}
	})
}

// numbers are what is known of a client's sessions.
func (e *Evidence) numbers(client string) ClientSessions {
	all, ok := e.Sessions.Get()
	if !ok {
		why := e.Sessions.Why()
		return ClientSessions{Untold[Count](why), Untold[Count](why), Untold[Week](why), Untold[Count](why), Untold[Count](why),
			Untold[Count](why)}
	}
	if n, ok := all[client]; ok {
		return n
	}
	none := Told(Count{})
	return ClientSessions{none, none, Told(Week{}), none, none, none}
}

// sum adds up a number of all clients that the evidence has.
func (e *Evidence) sum(of func(ClientSessions) Known[Count]) Known[Count] {
	all, ok := e.Sessions.Get()
	if !ok {
		return Untold[Count](e.Sessions.Why())
	}
	total := Told(Count{})
	for _, n := range all {
		total = add(total, of(n))
	}
	return total
}

// add adds up numbers, of which one that is missing makes the sum missing.
func add(a, b Known[Count]) Known[Count] {
	x, ok := a.Get()
	if !ok {
		return a
	}
	y, ok := b.Get()
	if !ok {
		return b
	}
	return Told(x.Add(y))
}

// live is the number of a client's live sessions of both kinds.
func (n ClientSessions) live() Known[Count] { return add(n.Online, n.Offline) }

// say writes a number, or why there is none.
func say(k Known[Count], what string) string {
	if n, ok := k.Get(); ok {
		return plural(n, what)
	}
	return "an unknown number of " + what + "s (cannot tell, because " + k.Why() + ")"
}

// access says what kind of client it is.
func access(c *rep.Client) string {
	if rep.Val(c.PublicClient) {
		return "public"
	}
	return "confidential"
}

// browser reports whether people log in to a client with a browser.
func browser(c *rep.Client) bool {
	return (c.StandardFlowEnabled == nil || *c.StandardFlowEnabled || rep.Val(c.ImplicitFlowEnabled)) && len(c.RedirectURIs) > 0
}

func quoted(list []string) string {
	if len(list) > 5 {
		return strings.Join(list[:5], ", ") + fmt.Sprintf(" and %d more", len(list)-5)
	}
	return strings.Join(list, ", ")
}

// agree is the clause that goes with a number that say wrote.
func agree(k Known[Count], one, many string) string {
	if n, ok := k.Get(); ok && n == (Count{N: 1}) {
		return one
	}
	return many
}

func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
