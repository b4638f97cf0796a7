package tokens_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/keys"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/roles"
	"latchkey/internal/store/storetest"
	"latchkey/internal/tokens"
)

var at = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

const issuer = "http://localhost:8080/realms/shop"

type house struct {
	realm  *realms.Realm
	client *realms.Client
	issuer *tokens.Issuer
	user   *iam.User
}

// build makes a default realm with one client and one user; settings change the realm.
func build(t testing.TB, settings string) *house {
	t.Helper()
	ctx := t.Context()
	db := storetest.SQLite(t)
	cache := realms.NewCache(db)
	maker := keys.NewMaker(func() time.Time { return at })
	m := realms.NewManager(cache, func() time.Time { return at }, realms.Rules{NewKey: maker.Fill,
		Hash: func(context.Context, *iam.Realm, *iam.User, string) (*iam.Credential, error) {
			return nil, errors.New("no passwords here")
		}})
	given := new(rep.Realm)
	doc := `{"realm":"shop","enabled":true,"clients":[{"clientId":"app","redirectUris":["https://app.example.org/*"],"webOrigins":["+"]}],
		"users":[{"username":"ann","email":"ann@example.org","firstName":"Ann","lastName":"Lee","enabled":true,"realmRoles":["default-roles-shop"]}]`
	if err := rep.Unmarshal([]byte(doc+settings+"}"), given); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Create(ctx, given); err != nil {
		t.Fatal(err)
	}
	r, err := cache.Get(ctx, "shop")
	if err != nil {
		t.Fatal(err)
	}
	c, err := r.ClientByName(ctx, "app")
	if err != nil {
		t.Fatal(err)
	}
	u, err := db.UserByName(ctx, r.ID, "ann")
	if err != nil {
		t.Fatal(err)
	}
	return &house{r, c, &tokens.Issuer{Keys: &keys.Service{Cache: cache, Maker: maker, Log: slog.New(slog.DiscardHandler)},
		Roles: roles.New(db), Now: func() time.Time { return at }}, u}
}

// grant is a code's grant as the door makes it.
func (h *house) grant(scope string) *iam.Grant {
	scopes := tokens.Requested(h.realm, &h.client.Client, scope)
	return &iam.Grant{
		Client: &h.client.Client, User: h.user, Scopes: scopes, OpenID: tokens.HasScope(scope, "openid"),
		Offline: tokens.OfflineRequested(scopes),
		Session: &iam.UserSession{ID: "session-1", Realm: h.realm.ID, User: h.user.ID, Started: at, LastAccess: at,
			Notes: map[string]string{"AUTH_TIME": "1772600767"}},
		ClientSession: &iam.ClientSession{Session: "session-1", Client: h.client.ID, Started: at, LastAccess: at, Notes: map[string]string{}},
		Refresh:       iam.RefreshOnline, Type: "ac", Issuer: issuer, Nonce: "n",
	}
}

func (h *house) issue(t testing.TB, g *iam.Grant, w tokens.Want) *tokens.Response {
	t.Helper()
	res, err := h.issuer.Issue(t.Context(), h.realm, g, w)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// claims reads a token's claims after its signature was checked.
func (h *house) claims(t *testing.T, raw string) map[string]any {
	t.Helper()
	tok, err := tokens.Parse(t.Context(), h.realm, raw)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(tok.Payload, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func names(m map[string]any) string {
	var out []string
	for n := range m {
		out = append(out, n)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// Oracle: tokens/authorization-code
func TestTokensOfACode(t *testing.T) {
	h := build(t, "")
	res := h.issue(t, h.grant("openid"), tokens.Want{Code: "c", State: "s"})
	access, refresh, id := h.claims(t, res.Access), h.claims(t, res.Refresh), h.claims(t, res.ID)
	if want := "acr allowed-origins aud auth_time azp email email_verified exp family_name given_name iat iss jti name preferred_username " +
		"realm_access resource_access scope sid sub typ"; names(access) != want {
		t.Errorf("access token has %s", names(access))
	}
	if want := "aud aud_x azp exp iat iss jti prov scope sid sub typ"; names(refresh) != want {
		t.Errorf("refresh token has %s", names(refresh))
	}
	if want := "acr at_hash aud auth_time azp c_hash email email_verified exp family_name given_name iat iss jti name nonce " +
		"preferred_username s_hash sid sub typ"; names(id) != want {
		t.Errorf("ID token has %s", names(id))
	}
	for what, pair := range map[string][2]any{
		"jti":                {strings.HasPrefix(access["jti"].(string), "onrtac:"), true},
		"audience":           {access["aud"], "account"},
		"scope":              {sorted(access["scope"].(string)), "email openid profile"},
		"typ":                {access["typ"].(string) + refresh["typ"].(string) + id["typ"].(string), "BearerRefreshID"},
		"ID token's aud":     {id["aud"], "app"},
		"refresh token's":    {refresh["aud"], issuer},
		"life":               {access["exp"].(float64) - access["iat"].(float64), 300.0},
		"refresh life":       {refresh["exp"].(float64) - refresh["iat"].(float64), 1800.0},
		"expires_in":         {res.ExpiresIn, int64(300)},
		"refresh_expires_in": {res.RefreshExpiresIn, int64(1800)},
		"sid":                {id["sid"], "session-1"},
		"allowed-origins":    {access["allowed-origins"].([]any)[0], "https://app.example.org"},
		"auth_time":          {access["auth_time"], 1772600767.0},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %v, want %v", what, pair[0], pair[1])
		}
	}
	b, err := res.JSON()
	if err != nil || !strings.HasPrefix(string(b), `{"access_token":"`) ||
		!strings.HasSuffix(string(b), `","not-before-policy":0,"session_state":"session-1","scope":"`+res.Scope+`"}`) {
		t.Errorf("response %s, %v", b, err)
	}
}

// sorted is a scope without its order, which the ids of scopes make.
func sorted(scope string) string {
	list := strings.Split(scope, " ")
	slices.Sort(list)
	return strings.Join(list, " ")
}

// Oracle: sessions/token-types: an offline token has no end unless the realm sets one.
func TestOfflineTokens(t *testing.T) {
	h := build(t, "")
	g := h.grant("openid offline_access")
	g.Refresh = iam.RefreshOffline
	res := h.issue(t, g, tokens.Want{})
	refresh := h.claims(t, res.Refresh)
	if _, has := refresh["exp"]; has || refresh["typ"] != "Offline" || res.RefreshExpiresIn != 0 {
		t.Errorf("offline token: %v", refresh)
	}
	if !strings.HasPrefix(res.AccessID, "ofrtac:") || sorted(res.Scope) != "email offline_access openid profile" {
		t.Errorf("access token %s, scope %q", res.AccessID, res.Scope)
	}
	h = build(t, `,"offlineSessionMaxLifespanEnabled":true,"offlineSessionMaxLifespan":1000`)
	g = h.grant("openid offline_access")
	g.Refresh = iam.RefreshOffline
	if res = h.issue(t, g, tokens.Want{}); res.RefreshExpiresIn != 1000 {
		t.Errorf("offline token with a maximum lives %d s", res.RefreshExpiresIn)
	}
}

// Oracle: tokens/client-credentials
func TestTransientGrant(t *testing.T) {
	h := build(t, "")
	g := h.grant("")
	g.Transient, g.Refresh, g.Type = iam.Transient, iam.NoRefresh, "cc"
	res := h.issue(t, g, tokens.Want{})
	access := h.claims(t, res.Access)
	if _, has := access["sid"]; has || res.Session != "" || res.Refresh != "" || res.ID != "" || !strings.HasPrefix(res.AccessID, "trrtcc:") {
		t.Errorf("transient: %v, %+v", access, res)
	}
}

// Keycloak: DefaultClientSessionContext.isClientScopePermittedForUser: a user
// without the role offline_access gets no such scope.
func TestScopeNeedsItsRole(t *testing.T) {
	h := build(t, "")
	stranger := *h.user
	stranger.ID = "stranger"
	g := h.grant("openid offline_access")
	g.User = &stranger
	if res := h.issue(t, g, tokens.Want{}); sorted(res.Scope) != "email openid profile" {
		t.Errorf("scope %q", res.Scope)
	}
}

// Keycloak: AbstractOIDCProtocolMapper.getShouldUseLightweightToken.
func TestLightweightAccessToken(t *testing.T) {
	h := build(t, "")
	light := h.client.Client
	light.Attrs = map[string]string{"client.use.lightweight.access.token.enabled": "true", "access.token.header.type.rfc9068": "true"}
	g := h.grant("openid")
	g.Client = &light
	res := h.issue(t, g, tokens.Want{})
	if got, want := names(h.claims(t, res.Access)), "azp exp iat iss jti scope sid typ"; got != want ||
		!strings.HasPrefix(res.AccessID, "onlt") {
		t.Errorf("%s has %s", res.AccessID, got)
	}
}

// Keycloak: TokenManager.restrictRequestedAudience.
func TestRequestedAudience(t *testing.T) {
	h := build(t, "")
	g := h.grant("")
	g.Audience = []string{"elsewhere"}
	access := h.claims(t, h.issue(t, g, tokens.Want{}).Access)
	if roles, _ := access["resource_access"].(map[string]any); roles == nil || len(roles) > 0 { // Keycloak leaves an empty object
		t.Errorf("client roles outlived the audience: %v", access)
	}
}

// Keycloak: DefaultRefreshTokenProvider with revokeRefreshToken.
func TestRotatingTokensKeepTheirChain(t *testing.T) {
	h := build(t, `,"revokeRefreshToken":true`)
	first := h.issue(t, h.grant(""), tokens.Want{})
	g := h.grant("")
	g.ReuseID, g.Chained, g.KeepScope = first.ReuseID, true, "kept as it was"
	second := h.claims(t, h.issue(t, g, tokens.Want{}).Refresh)
	if first.ReuseID == "" || second["reuse_id"] != first.ReuseID || second["scope"] != "kept as it was" {
		t.Errorf("second token: %v", second)
	}
	g.ReuseID = "" // of a token from before the realm rotated them
	if third := h.claims(t, h.issue(t, g, tokens.Want{}).Refresh); third["reuse_id"] != nil {
		t.Errorf("a chain of its own: %v", third)
	}
}

func TestScopes(t *testing.T) {
	h := build(t, "")
	for param, want := range map[string]bool{"": true, "openid": true, "openid email": true, "phone": true, "openid nonsense": false,
		" ": false, "roles": true} {
		if got := tokens.ValidScope(h.realm, &h.client.Client, param); got != want {
			t.Errorf("%q valid: %v", param, got)
		}
	}
}

func TestPresentedTokens(t *testing.T) {
	h := build(t, "")
	res := h.issue(t, h.grant("openid"), tokens.Want{})
	tok, err := tokens.Parse(t.Context(), h.realm, res.Access)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		issuer string
		now    time.Time
		before time.Time
		want   error
	}{
		"good":                {issuer, at, time.Time{}, nil},
		"its last second":     {issuer, at.Add(300 * time.Second), at, nil},
		"over":                {issuer, at.Add(301 * time.Second), time.Time{}, tokens.ErrNotActive},
		"elsewhere":           {"http://elsewhere/realms/shop", at, time.Time{}, tokens.ErrIssuer},
		"before a not-before": {issuer, at, at.Add(time.Second), tokens.ErrStale},
	} {
		if err := tok.Check(c.issuer, c.now, c.before); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	head, rest, _ := strings.Cut(res.Access, ".")
	_, sig, _ := strings.Cut(rest, ".")
	for name, raw := range map[string]string{"nothing": "", "text": "nonsense", "foreign claims": head + ".eyJqdGkiOiJ4In0." + sig,
		"unsigned": "eyJhbGciOiJub25lIiwia2lkIjoieCJ9.eyJqdGkiOiJ4In0."} {
		if _, err := tokens.Parse(t.Context(), h.realm, raw); !errors.Is(err, tokens.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if c := tok.Context(); c.Offline || c.Transient || c.Unknown || c.Grant != "ac" {
		t.Errorf("context %+v", c)
	}
}

// BenchmarkIssue is an access token's cost; BenchmarkSign is that of its
// signature alone, which it may exceed by 30 %.
func BenchmarkIssue(b *testing.B) {
	h := build(b, "")
	g := h.grant("email")
	g.Refresh = iam.NoRefresh
	for b.Loop() {
		if _, err := h.issuer.Issue(b.Context(), h.realm, g, tokens.Want{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	h := build(b, "")
	k := keys.Of(h.realm).Active(iam.Sig, "RS256")
	payload := []byte(strings.Repeat("x", 900))
	for b.Loop() {
		if _, err := k.Sign("JWT", payload); err != nil {
			b.Fatal(err)
		}
	}
}
