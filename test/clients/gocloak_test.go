package clients

import (
	"testing"

	"github.com/Nerzal/gocloak/v13"
)

// gocloak v13.9.0, a client of the admin REST API and of the token endpoint:
// realms, users, clients, roles, groups, scopes, sessions, events, tokens.
func TestGocloak(t *testing.T) {
	w := newWorld(t)
	g := gocloak.NewClient(w.base)
	admin, err := g.LoginAdmin(w, "admin", "admin", "master")
	w.must(t, err)
	k := &gocloakRun{w, t, g, admin.AccessToken}

	realm, err := g.GetRealm(w, k.token, w.realm)
	w.must(t, err)
	realm.DisplayName, realm.EventsEnabled = gocloak.StringP("By gocloak"), gocloak.BoolP(true)
	w.must(t, g.UpdateRealm(w, k.token, *realm))
	again, err := g.GetRealm(w, k.token, w.realm)
	w.must(t, err)
	if gocloak.PString(again.DisplayName) != "By gocloak" || !gocloak.PBool(again.EventsEnabled) {
		t.Errorf("the realm is %v", again)
	}
	if _, err := g.CreateRealm(w, k.token, gocloak.RealmRepresentation{Realm: &w.realm}); status(err) != 409 {
		t.Errorf("the same realm twice: %v", err)
	}
	user := k.user()
	client := k.client()
	k.roles(user, client)
	k.groups(user)
	k.tokens(user, client)
	w.must(t, g.DeleteUser(w, k.token, w.realm, user))
	if _, err := g.GetUserByID(w, k.token, w.realm, user); status(err) != 404 {
		t.Errorf("a removed user: %v", err)
	}
	if info, err := g.GetServerInfo(w, k.token); err != nil || info.SystemInfo == nil && info.Themes == nil {
		t.Errorf("server info %v, %v", info, err)
	}
}

// status is the HTTP status of an answer of 400 and more, 0 without one.
func status(err error) int {
	if e, ok := err.(*gocloak.APIError); ok {
		return e.Code
	}
	return 0
}

type gocloakRun struct {
	*world
	t     *testing.T
	g     *gocloak.GoCloak
	token string
}

func (k *gocloakRun) user() string {
	g, t := k.g, k.t
	user := gocloak.User{
		Username: gocloak.StringP("lee"), Email: gocloak.StringP("lee@clients.example"), EmailVerified: gocloak.BoolP(true),
		FirstName: gocloak.StringP("Lee"), LastName: gocloak.StringP("Client"), Enabled: gocloak.BoolP(true),
	}
	id, err := g.CreateUser(k, k.token, k.realm, user)
	k.must(t, err)
	if _, err := g.CreateUser(k, k.token, k.realm, user); status(err) != 409 {
		t.Errorf("the same user twice: %v", err)
	}
	k.must(t, g.SetPassword(k, k.token, id, k.realm, "lee-password", false))
	list, err := g.GetUsers(k, k.token, k.realm, gocloak.GetUsersParams{Search: gocloak.StringP("lee")})
	k.must(t, err)
	if len(list) != 1 || gocloak.PString(list[0].ID) != id {
		t.Errorf("found %v", list)
	}
	if n, err := g.GetUserCount(k, k.token, k.realm, gocloak.GetUsersParams{}); err != nil || n != 2 {
		t.Errorf("%d users, %v", n, err)
	}
	found := *list[0]
	found.LastName = gocloak.StringP("Changed")
	k.must(t, g.UpdateUser(k, k.token, k.realm, found))
	if u, err := g.GetUserByID(k, k.token, k.realm, id); err != nil || gocloak.PString(u.LastName) != "Changed" {
		t.Errorf("changed to %v, %v", u, err)
	}
	if list, err := g.GetCredentials(k, k.token, k.realm, id); err != nil || len(list) != 1 || gocloak.PString(list[0].Type) != "password" {
		t.Errorf("credentials %v, %v", list, err)
	}
	return id
}

func (k *gocloakRun) client() string {
	g, t := k.g, k.t
	id, err := g.CreateClient(k, k.token, k.realm, gocloak.Client{
		ClientID: gocloak.StringP("till"), Enabled: gocloak.BoolP(true), PublicClient: gocloak.BoolP(false),
		DirectAccessGrantsEnabled: gocloak.BoolP(true), ServiceAccountsEnabled: gocloak.BoolP(true),
		ProtocolMappers: &[]gocloak.ProtocolMapperRepresentation{{ // introspection asks whether the token is meant for who asks
			Name: gocloak.StringP("own audience"), Protocol: gocloak.StringP("openid-connect"),
			ProtocolMapper: gocloak.StringP("oidc-audience-mapper"),
			Config:         &map[string]string{"included.client.audience": "till", "access.token.claim": "true"},
		}},
	})
	k.must(t, err)
	if list, err := g.GetClients(k, k.token, k.realm, gocloak.GetClientsParams{ClientID: gocloak.StringP("till")}); err != nil ||
		len(list) != 1 || *list[0].ID != id {
		t.Errorf("found %v, %v", list, err)
	}
	before, err := g.GetClientSecret(k, k.token, k.realm, id)
	k.must(t, err)
	after, err := g.RegenerateClientSecret(k, k.token, k.realm, id)
	k.must(t, err)
	if gocloak.PString(before.Value) == "" || gocloak.PString(before.Value) == gocloak.PString(after.Value) {
		t.Error("the secret is empty or was not made anew")
	}
	if u, err := g.GetClientServiceAccount(k, k.token, k.realm, id); err != nil || gocloak.PString(u.Username) != "service-account-till" {
		t.Errorf("service account %v, %v", u, err)
	}
	scope, err := g.CreateClientScope(k, k.token, k.realm, gocloak.ClientScope{Name: gocloak.StringP("tips"),
		Protocol: gocloak.StringP("openid-connect")})
	k.must(t, err)
	k.must(t, g.AddOptionalScopeToClient(k, k.token, k.realm, id, scope))
	return id
}

func (k *gocloakRun) roles(user, client string) {
	g, t := k.g, k.t
	_, err := g.CreateRealmRole(k, k.token, k.realm, gocloak.Role{Name: gocloak.StringP("cook")})
	k.must(t, err)
	role, err := g.GetRealmRole(k, k.token, k.realm, "cook")
	k.must(t, err)
	k.must(t, g.AddRealmRoleToUser(k, k.token, k.realm, user, []gocloak.Role{*role}))
	_, err = g.CreateClientRole(k, k.token, k.realm, client, gocloak.Role{Name: gocloak.StringP("cashier")})
	k.must(t, err)
	own, err := g.GetClientRole(k, k.token, k.realm, client, "cashier")
	k.must(t, err)
	k.must(t, g.AddClientRolesToUser(k, k.token, k.realm, client, user, []gocloak.Role{*own}))
	all, err := g.GetRoleMappingByUserID(k, k.token, k.realm, user)
	k.must(t, err)
	if all.RealmMappings == nil || len(*all.RealmMappings) != 2 || all.ClientMappings["till"] == nil {
		t.Errorf("mappings %v", all)
	}
}

func (k *gocloakRun) groups(user string) {
	g, t := k.g, k.t
	kitchen, err := g.CreateGroup(k, k.token, k.realm, gocloak.Group{Name: gocloak.StringP("kitchen")})
	k.must(t, err)
	night, err := g.CreateChildGroup(k, k.token, k.realm, kitchen, gocloak.Group{Name: gocloak.StringP("night")})
	k.must(t, err)
	k.must(t, g.AddUserToGroup(k, k.token, k.realm, user, night))
	in, err := g.GetUserGroups(k, k.token, k.realm, user, gocloak.GetGroupsParams{})
	k.must(t, err)
	if len(in) != 1 || gocloak.PString(in[0].Path) != "/kitchen/night" {
		t.Errorf("groups %v", in)
	}
	if members, err := g.GetGroupMembers(k, k.token, k.realm, night, gocloak.GetGroupsParams{}); err != nil || len(members) != 1 {
		t.Errorf("members %v, %v", members, err)
	}
}

func (k *gocloakRun) tokens(user, client string) {
	g, t := k.g, k.t
	key, err := g.GetClientSecret(k, k.token, k.realm, client)
	k.must(t, err)
	secret := *key.Value
	jwt, err := g.GetToken(k, k.realm, gocloak.TokenOptions{
		ClientID: gocloak.StringP("till"), ClientSecret: &secret, GrantType: gocloak.StringP("password"),
		Username: gocloak.StringP("lee"), Password: gocloak.StringP("lee-password"), Scope: gocloak.StringP("openid"),
	})
	k.must(t, err)
	_, claims, err := g.DecodeAccessToken(k, jwt.AccessToken, k.realm)
	k.must(t, err)
	if sub, _ := claims.GetSubject(); sub != user {
		t.Errorf("sub %q", sub)
	}
	if info, err := g.GetUserInfo(k, jwt.AccessToken, k.realm); err != nil || gocloak.PString(info.PreferredUsername) != "lee" {
		t.Errorf("user info %v, %v", info, err)
	}
	active := func(token string) bool {
		result, err := g.RetrospectToken(k, token, "till", secret, k.realm)
		k.must(t, err)
		return gocloak.PBool(result.Active)
	}
	fresh, err := g.RefreshToken(k, jwt.RefreshToken, "till", secret, k.realm)
	k.must(t, err)
	if !active(fresh.AccessToken) {
		t.Error("the fresh token is not active")
	}
	list, err := g.GetUserSessions(k, k.token, k.realm, user)
	k.must(t, err)
	if len(list) != 1 || gocloak.PString(list[0].Username) != "lee" {
		t.Errorf("sessions %v", list)
	}
	k.must(t, g.Logout(k, "till", secret, k.realm, fresh.RefreshToken))
	if active(fresh.AccessToken) {
		t.Error("the token is active after the logout")
	}
	if list, err = g.GetUserSessions(k, k.token, k.realm, user); err != nil || len(list) != 0 {
		t.Errorf("sessions %v, %v", list, err)
	}
	if _, err := g.Login(k, "till", secret, k.realm, "lee", "wrong"); status(err) != 400 {
		t.Errorf("a wrong password: %v", err)
	}
	events, err := g.GetEvents(k, k.token, k.realm, gocloak.GetEventsParams{})
	k.must(t, err)
	if len(events) == 0 || gocloak.PString(events[0].Type) != "LOGIN_ERROR" {
		t.Errorf("events %v", events)
	}
	// A service account that may create clients registers one; its token has no session.
	account, err := g.GetClientServiceAccount(k, k.token, k.realm, client)
	k.must(t, err)
	found, err := g.GetClients(k, k.token, k.realm, gocloak.GetClientsParams{ClientID: gocloak.StringP("realm-management")})
	k.must(t, err)
	creator, err := g.GetClientRole(k, k.token, k.realm, *found[0].ID, "create-client")
	k.must(t, err)
	k.must(t, g.AddClientRolesToUser(k, k.token, k.realm, *found[0].ID, *account.ID, []gocloak.Role{*creator}))
	till, err := g.LoginClient(k, "till", secret, k.realm)
	k.must(t, err)
	if made, err := g.CreateClientRepresentation(k, till.AccessToken, k.realm,
		gocloak.Client{ClientID: gocloak.StringP("registered")}); err != nil || gocloak.PString(made.ClientID) != "registered" {
		t.Errorf("registered %v, %v", made, err)
	}
	if own, err := g.LoginClient(k, "till", secret, k.realm); err != nil || own.AccessToken == "" {
		t.Errorf("the client's token: %v", err)
	}
}
