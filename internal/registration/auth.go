package registration

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"latchkey/internal/bearer"
	"latchkey/internal/clients"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/roles"
	"latchkey/internal/tokens"
	"latchkey/internal/web"
)

// Who registers: the kinds of policies. Keycloak: RegistrationAuth.
const (
	anonymous     = "anonymous"
	authenticated = "authenticated"
)

// A presented token, of one of the three types that the door takes.
type presented struct {
	*tokens.Token
	verdict *bearer.Verdict
	auth    string // registration_auth
	origins []string
}

// initial is the id of an initial access token, "" for none.
func (p *presented) initial() string {
	if p == nil || p.Type != clients.TypeInitialAccess {
		return ""
	}
	return p.ID
}

// kind is which policies hold for who shows the token.
func (p *presented) kind() string {
	if p == nil || p.Type == clients.TypeRegistrationAccess && p.auth == anonymous {
		return anonymous
	}
	return authenticated
}

// origins are the web origins that may use the registration that the call makes
// or changes: those of its token and of the realm's policies.
// Keycloak: RegistrationWebOriginsPolicy.
func (c *call) origins(kind string) []string {
	list := []string{}
	if c.bearer != nil {
		list = append(list, c.bearer.origins...)
	}
	for _, policy := range clients.Policies(c.realm, kind) {
		if policy.Provider == "registration-web-origins" {
			list = append(list, policy.Config["web-origins"]...)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// checkOrigin refuses scripts of origins that neither the token nor a policy
// allows. The refusal leaves no event, as in the reference.
func (c *call) checkOrigin() error {
	if err := c.readToken(); err != nil {
		return err
	}
	if !(web.CORS{Origins: c.origins(c.bearer.kind()), Auth: true}).Apply(c.w, c.r) {
		return &Error{http.StatusForbidden, "Invalid origin", ""}
	}
	return nil
}

// readToken reads the Authorization header. Keycloak: ClientRegistrationAuth.init,
// ClientRegistrationTokenUtils.verifyToken.
func (c *call) readToken() error {
	if c.bearer != nil {
		return nil
	}
	scheme, raw, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil
	}
	v, err := c.Judge.Judge(c.ctx, c.realm, strings.TrimSpace(raw), bearer.Want{Checks: tokenChecks, Types: tokenTypes, Issuer: c.issuer()})
	if err != nil {
		return err
	}
	var more struct {
		Auth    string   `json:"registration_auth"`
		Origins []string `json:"allowed-origins"`
	}
	if v.Good() && json.Unmarshal(v.Token.Payload, &more) != nil {
		return c.unauthorized("Failed decode token")
	}
	if v.Good() && v.Token.Type == tokens.TypeBearer {
		if v, err = c.Judge.JudgeRead(c.ctx, c.realm, v.Token, bearer.Want{Checks: bearerChecks}); err != nil {
			return err
		}
	}
	switch v.Refusal {
	case bearer.WrongType:
		return c.unauthorized("Invalid type of token")
	case bearer.Unsigned, bearer.RetiredKey, bearer.OtherHost, bearer.Expired, bearer.RevokedToken:
		// Keycloak has one text for whatever TokenVerifier refuses. Oracle: bearers/users.
		return c.unauthorized("Failed decode token")
	}
	if v.Token.Type == clients.TypeInitialAccess {
		if err := c.Clients.CheckInitialAccess(c.ctx, c.realm, v.Token.ID); errors.Is(err, clients.ErrNoInitialAccess) {
			return c.unauthorized(err.Error())
		}
	}
	c.bearer = &presented{v.Token, v, more.Auth, more.Origins}
	return nil
}

// tokenTypes are the types that the door takes.
var tokenTypes = []string{tokens.TypeBearer, clients.TypeRegistrationAccess, clients.TypeInitialAccess}

// tokenChecks are those of any token, bearerChecks those of a user's besides: what these
// refuse has no rights, except a token that was revoked, which is none.
var (
	tokenChecks  = []bearer.Check{bearer.OfHost, bearer.NotExpired, bearer.OfType}
	bearerChecks = []bearer.Check{
		bearer.NotRevoked, bearer.KnownClient, bearer.LiveSession, bearer.LiveClientSession, bearer.ClientOn, bearer.UserOn, bearer.AfterRealm,
		bearer.AfterClient, bearer.AfterUser,
	}
)

// rights are those that the user behind a bearer token has, and the token names;
// none without one, or with one that is worth nothing.
func (c *call) rights() (roles.Rights, error) {
	none := roles.RightsOf(c.realm, nil)
	if c.bearer == nil || c.bearer.Type != tokens.TypeBearer || !c.bearer.verdict.Good() {
		return none, nil
	}
	may := c.Judge.Granted
	if c.bearer.verdict.Client.Lightweight() {
		may = c.Judge.Held
	}
	granted, err := may(c.ctx, c.realm, c.bearer.verdict)
	if errors.Is(err, bearer.ErrUnreadable) {
		return none, nil
	}
	if err != nil {
		return none, err
	}
	return roles.RightsOf(c.realm, granted.Roles), nil
}

// holds reports whether the bearer has one of the rights to manage clients.
func (c *call) holds(names ...string) (bool, error) {
	rights, err := c.rights()
	return err == nil && rights.Has(c.ctx, c.realm, names...), err
}

// mayGive refuses mappers that give rights to who lacks those, and the names of
// clients that carry them.
func (c *call) mayGive(given *rep.Client) error {
	rights, err := c.rights()
	if err != nil {
		return err
	}
	var there []rep.ProtocolMapper
	if c.client != nil {
		there = c.client.Rep.ProtocolMappers
	}
	ok, err := rights.MayMap(c.ctx, c.realm, given.ProtocolMappers, there)
	if err != nil {
		return err
	}
	if realms.Administrative(c.realm.Name, given.ClientID) || !ok {
		return c.forbidden("Forbidden")
	}
	return nil
}

// seesSecrets reports whether the bearer may know the client's secrets, as in the
// admin API. Keycloak: ClientRegistrationAuth.isViewOnly (26.7.5).
func (c *call) seesSecrets() (bool, error) {
	rights, err := c.rights()
	if err != nil || !rights.Has(c.ctx, c.realm, "manage-clients") {
		return false, err
	}
	return rights.OverClient(c.ctx, c.Roles, c.realm, c.client)
}

// mayCreate says as who a client is registered.
func (c *call) mayCreate() (kind string, err error) {
	if err := c.readToken(); err != nil {
		return "", err
	}
	if c.bearer == nil {
		return anonymous, nil
	}
	switch c.bearer.Type {
	case tokens.TypeBearer:
		ok, err := c.holds("manage-clients", "create-client")
		if err == nil && !ok {
			err = c.forbidden("Forbidden")
		}
		return authenticated, err
	case clients.TypeInitialAccess:
		err := c.Clients.CheckInitialAccess(c.ctx, c.realm, c.bearer.ID)
		if errors.Is(err, clients.ErrInitialAccessExpired) || errors.Is(err, clients.ErrInitialAccessUsedUp) {
			err = c.unauthorized(err.Error())
		}
		return authenticated, err
	}
	return anonymous, nil
}

// own reports whether the token is the registration access token of the client,
// which is enabled.
func (c *call) own() (bool, error) {
	if c.bearer == nil || c.bearer.Type != clients.TypeRegistrationAccess || c.client == nil {
		return false, nil
	}
	err := c.Clients.CheckRegistration(c.ctx, c.realm, c.client.ID, c.bearer.ID)
	if errors.Is(err, clients.ErrSpentRegistration) {
		return false, nil
	}
	return err == nil, err
}

var errNotFound = &Error{http.StatusNotFound, "invalid_request", "Client not found"}

// mayView decides about reading, and says as who; public clients' installation
// is for everybody.
func (c *call) mayView(install bool) (kind string, err error) {
	if err := c.readToken(); err != nil {
		return "", err
	}
	own, err := c.own()
	if err != nil {
		return "", err
	}
	switch {
	case c.bearer != nil && c.bearer.Type == tokens.TypeBearer:
		ok, err := c.holds("manage-clients", "view-clients")
		if err == nil && !ok {
			err = c.forbidden("Forbidden")
		}
		if err == nil && c.client == nil {
			err = c.refuse("client_not_found", "", errNotFound)
		}
		return authenticated, err
	case own:
		return c.bearer.kind(), c.rightProtocol()
	case c.bearer != nil && c.bearer.Type == clients.TypeInitialAccess:
		return "", c.unauthorized("Not initial access token allowed")
	case install && c.bearer == nil && c.client != nil && c.client.Access == iam.Public:
		return authenticated, nil
	case install && c.bearer == nil && c.client != nil:
		if ok, err := c.proved(); ok || err != nil {
			return authenticated, err
		}
		c.event.Client = c.client.ClientID
		return "", c.refuse("not_allowed", "", &Error{http.StatusUnauthorized, "invalid_token", "Failed to authenticate client"})
	}
	return "", c.unauthorized("Not authorized to view client. Not valid token or client credentials provided.")
}

func (c *call) rightProtocol() error {
	if c.r.PathValue("provider") == string(iam.OIDC) && c.client.Protocol != iam.OIDC {
		return &Error{http.StatusBadRequest, "invalid_client", "Wrong client protocol."}
	}
	return nil
}

// mayChange refuses what the admin API refuses who manages clients: a client that
// carries rights to administer a realm, and one with more rights than their own.
func (c *call) mayChange() error {
	ok, err := c.seesSecrets()
	if err == nil && (!ok || realms.Administrative(c.realm.Name, c.client.ClientID)) {
		err = c.forbidden("Forbidden")
	}
	return err
}

// mayUpdate decides about changing and removing, and says as who.
func (c *call) mayUpdate() (kind string, err error) {
	if err := c.readToken(); err != nil {
		return "", err
	}
	if c.bearer != nil && c.bearer.Type == tokens.TypeBearer {
		ok, err := c.holds("manage-clients")
		if err == nil && !ok {
			err = c.forbidden("Forbidden")
		}
		if err == nil && c.client == nil {
			err = c.refuse("client_not_found", "", errNotFound)
		}
		if err == nil {
			err = c.mayChange()
		}
		return authenticated, err
	}
	own, err := c.own()
	if err != nil {
		return "", err
	}
	if own {
		return c.bearer.kind(), nil
	}
	return "", c.mayNotUpdate()
}

func (c *call) mayNotUpdate() error {
	return c.unauthorized("Not authorized to update client. Maybe missing token or bad token type.")
}

// applyPolicies runs the realm's policies over a client that is registered or
// updated.
func (c *call) applyPolicies(kind string, given *rep.Client) error {
	for _, p := range clients.Policies(c.realm, kind) {
		err := c.Clients.ApplyPolicy(c.ctx, c.realm, p, given, c.client)
		if err == nil && p.Provider == "trusted-hosts" {
			err = c.checkHosts(p, given)
		}
		if refused, ok := errors.AsType[*clients.Refusal](err); ok {
			c.detail("client_registration_policy", refused.Policy)
			return c.forbidden(refused.Error())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkSender runs the policies that look at who reads or removes a client:
// those of trusted hosts. Keycloak: ClientRegistrationPolicyManager.
func (c *call) checkSender(kind string) error {
	for _, p := range clients.Policies(c.realm, kind) {
		if p.Provider == "trusted-hosts" && !c.senderMayAsk(p) {
			c.detail("client_registration_policy", p.Name)
			return c.forbidden((&clients.Refusal{Policy: p.Name, Details: notTrusted}).Error())
		}
	}
	return nil
}

const notTrusted = "Host not trusted."

func (c *call) senderMayAsk(p *realms.Component) bool {
	return p.Get("host-sending-registration-request-must-match") == "false" || c.trustedSender(p.Config["trusted-hosts"])
}

// checkHosts is the policy of trusted hosts: of who asks, and of the client's
// addresses. Keycloak: TrustedHostClientRegistrationPolicy.
func (c *call) checkHosts(p *realms.Component, given *rep.Client) error {
	if !c.senderMayAsk(p) {
		return &clients.Refusal{Policy: p.Name, Details: notTrusted}
	}
	if p.Get("client-uris-must-match") == "false" {
		return nil
	}
	for _, group := range []struct {
		name string // what the reference calls them
		uris []string
	}{{"URL", []string{rep.Val(given.RootURL), rep.Val(given.BaseURL), rep.Val(given.AdminURL)}}, {"URI", given.RedirectURIs}} {
		for _, uri := range group.uris {
			if uri == "" || strings.HasPrefix(uri, "/") {
				continue
			}
			u, err := url.Parse(strings.TrimSuffix(uri, "*"))
			if err != nil || !slices.ContainsFunc(p.Config["trusted-hosts"], func(name string) bool { return hostMatches(name, u.Hostname()) }) {
				return &clients.Refusal{Policy: p.Name, Details: group.name + " doesn't match any trusted host or trusted domain"}
			}
		}
	}
	return nil
}

// hostMatches compares a host with a trusted one, or with *.domain.
func hostMatches(trusted, host string) bool {
	if domain, ok := strings.CutPrefix(trusted, "*"); ok {
		return host != "" && strings.HasSuffix(host, domain)
	}
	return host != "" && strings.EqualFold(trusted, host)
}

// trustedSender reports whether the request comes from a trusted host's
// address. Names are looked up forwards only: what an address says about itself
// proves nothing.
func (c *call) trustedSender(trusted []string) bool {
	addr, err := netip.ParseAddr(c.event.IP)
	if err != nil {
		return false
	}
	for _, name := range trusted {
		if strings.HasPrefix(name, "*") {
			continue
		}
		found := []string{name}
		if net.ParseIP(name) == nil {
			if found, err = c.Lookup(c.ctx, name); err != nil {
				continue
			}
		}
		for _, text := range found {
			if a, err := netip.ParseAddr(text); err == nil && a.Unmap() == addr.Unmap() {
				return true
			}
		}
	}
	return false
}
