package admin

import (
	"embed"
	"time"

	"latchkey/internal/realms"
	"latchkey/internal/rep"
)

// serverinfo.json is what GET /admin/serverinfo of Keycloak 26.7.3 says about
// providers, without those that Latchkey lacks.
//
//go:embed serverinfo.json
var serverInfoFS embed.FS

// serverInfoRoutes: Keycloak's ServerInfoAdminResource.
func (h *Handler) serverInfoRoutes() []Route {
	return []Route{{"GET /admin/serverinfo", Checked, None, "", h.serverInfo, ByMethod}}
}

// serverInfo tells any administrator what there is; how the server runs is for
// those who may look into the master realm.
func (h *Handler) serverInfo(c *Call) (any, error) {
	home := c.Caller.Realm
	if !c.CanIn(home, AnyAdmin) && !c.Caller.HoldsRealmRole(string(CreateRealm)) {
		return nil, errForbidden
	}
	v, err := storedServerInfo()
	if err != nil {
		return nil, err
	}
	v.ProfileInfo = &rep.ProfileInfo{Name: "default", DisabledFeatures: []string{}, PreviewFeatures: []string{}, ExperimentalFeatures: []string{}}
	v.SystemInfo = &rep.SystemInfo{Version: realms.KeycloakVersion}
	if home.Name == masterRealm && c.CanIn(home, ViewRealm) {
		v.SystemInfo.ServerTime = h.Manager.Clock().UTC().Format(time.UnixDate)
	}
	return v, nil
}

// storedServerInfo is what is the same for every server of this version.
func storedServerInfo() (*rep.ServerInfo, error) {
	text, err := serverInfoFS.ReadFile("serverinfo.json")
	if err != nil {
		return nil, err
	}
	v := new(rep.ServerInfo)
	return v, rep.Unmarshal(text, v)
}
