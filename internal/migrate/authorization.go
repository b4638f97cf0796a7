package migrate

import (
	"encoding/json"
	"slices"

	"latchkey/internal/rep"
)

// The words of Keycloak's numbers.
var (
	enforcements = []string{"ENFORCING", "PERMISSIVE", "DISABLED"}
	strategies   = []string{"AFFIRMATIVE", "UNANIMOUS", "CONSENSUS"}
	logics       = []string{"POSITIVE", "NEGATIVE"}
)

func word(list []string, n int64) string {
	if n < 0 || int(n) >= len(list) {
		return ""
	}
	return list[n]
}

const (
	ofServers   = ` in (select ID from CLIENT where REALM_ID = ?)` // a resource server has the id of its client
	ofResources = ` in (select ID from RESOURCE_SERVER_RESOURCE where RESOURCE_SERVER_ID` + ofServers + `)`
	ofPolicies  = ` in (select ID from RESOURCE_SERVER_POLICY where RESOURCE_SERVER_ID` + ofServers + `)`
)

// readAuthorization reads the resource servers of clients.
func (r *reader) readAuthorization() {
	servers := map[string]*rep.ResourceServer{}
	r.each(func(x row) {
		servers[x.text("id")] = &rep.ResourceServer{AllowRemoteResourceManagement: new(x.flag("allow_rs_remote_mgmt")),
			PolicyEnforcementMode: word(enforcements, x.num("policy_enforce_mode")), DecisionStrategy: word(strategies, x.num("decision_strategy")),
			Resources: []rep.AuthzResource{}, Policies: []rep.AuthzPolicy{}, Scopes: []rep.AuthzScope{}}
	}, `select * from RESOURCE_SERVER where ID`+ofServers)
	if len(servers) == 0 {
		return
	}
	scopes, resources, policies := map[string]string{}, map[string]string{}, map[string]string{}
	r.each(func(x row) {
		s := servers[x.text("resource_server_id")]
		if s == nil {
			return
		}
		scopes[x.text("id")] = x.text("name")
		s.Scopes = append(s.Scopes, rep.AuthzScope{ID: x.text("id"), Name: x.text("name"), DisplayName: x.opt("display_name"),
			IconURI: x.opt("icon_uri")})
	}, `select * from RESOURCE_SERVER_SCOPE where RESOURCE_SERVER_ID`+ofServers+` order by NAME`)
	r.readResources(servers, scopes, resources)
	r.readPolicies(servers, scopes, resources, policies)
	for i := range r.out.Clients {
		c := &r.out.Clients[i]
		if s := servers[c.ID]; s != nil {
			c.AuthorizationServicesEnabled, c.AuthorizationSettings = new(true), s
		}
	}
}

func (r *reader) readResources(servers map[string]*rep.ResourceServer, scopes, names map[string]string) {
	attrs := r.multi("resource_id", `select * from RESOURCE_ATTRIBUTE where RESOURCE_ID`+ofResources)
	uris := r.lists("resource_id", "value", `select * from RESOURCE_URIS where RESOURCE_ID`+ofResources)
	of := r.lists("resource_id", "scope_id", `select * from RESOURCE_SCOPE where RESOURCE_ID`+ofResources)
	r.each(func(x row) {
		id, server := x.text("id"), x.text("resource_server_id")
		s := servers[server]
		if s == nil {
			return
		}
		names[id] = x.text("name")
		res := rep.AuthzResource{ID: &id, Name: x.text("name"), Type: x.text("type"), IconURI: x.opt("icon_uri"),
			DisplayName:        x.opt("display_name"),
			OwnerManagedAccess: new(x.flag("owner_managed_access")), URIs: orEmpty(uris[id]), Attributes: attrs[id]}
		if res.Attributes == nil {
			res.Attributes = map[string][]string{}
		}
		if owner := x.text("owner"); owner != server {
			res.Owner = &rep.AuthzResourceOwner{ID: owner}
		}
		for _, scope := range of[id] {
			res.Scopes = append(res.Scopes, rep.AuthzScope{Name: scopes[scope]})
		}
		s.Resources = append(s.Resources, res)
	}, `select * from RESOURCE_SERVER_RESOURCE where RESOURCE_SERVER_ID`+ofServers+` order by NAME`)
}

// readPolicies reads policies and permissions. What they are about stands in their
// configuration, as in realm files: lists of names, as JSON.
func (r *reader) readPolicies(servers map[string]*rep.ResourceServer, scopes, resources, names map[string]string) {
	configs := r.values("policy_id", `select * from POLICY_CONFIG where POLICY_ID`+ofPolicies)
	about := map[string]map[string][]string{}
	link := func(member, column string, named map[string]string, q string) {
		r.each(func(x row) {
			if name, ok := named[x.text(column)]; ok {
				put(about, x.text("policy_id"), member, append(about[x.text("policy_id")][member], name))
			}
		}, q)
	}
	r.each(func(x row) { names[x.text("id")] = x.text("name") }, `select ID, NAME from RESOURCE_SERVER_POLICY
		where RESOURCE_SERVER_ID`+ofServers)
	link("resources", "resource_id", resources, `select * from RESOURCE_POLICY where POLICY_ID`+ofPolicies)
	link("scopes", "scope_id", scopes, `select * from SCOPE_POLICY where POLICY_ID`+ofPolicies)
	link("applyPolicies", "associated_policy_id", names, `select * from ASSOCIATED_POLICY where POLICY_ID`+ofPolicies)
	r.each(func(x row) {
		s := servers[x.text("resource_server_id")]
		if s == nil {
			return
		}
		id := x.text("id")
		p := rep.AuthzPolicy{ID: id, Name: x.text("name"), Description: x.opt("description"), Type: x.text("type"), Owner: x.opt("owner"),
			Logic: word(logics, x.num("logic")), DecisionStrategy: word(strategies, x.num("decision_strategy")), Config: configs[id]}
		if p.Config == nil {
			p.Config = map[string]string{}
		}
		for member, list := range about[id] {
			slices.Sort(list)
			text, err := json.Marshal(list)
			if r.err == nil {
				r.err = err
			}
			p.Config[member] = string(text)
		}
		s.Policies = append(s.Policies, p)
	}, `select * from RESOURCE_SERVER_POLICY where RESOURCE_SERVER_ID`+ofServers+` order by NAME`)
}

// readOrganizations reads organizations, whose attributes and members are those of a group of
// each. It is found by ORG.GROUP_ID: the group does not name it in every version.
func (r *reader) readOrganizations() {
	if len(r.orgs) == 0 {
		return
	}
	attrs := r.multi("group_id", `select * from GROUP_ATTRIBUTE where GROUP_ID in (select GROUP_ID from ORG where REALM_ID = ?)`)
	domains, members := map[string][]rep.OrganizationDomain{}, map[string][]rep.Member{}
	r.each(func(x row) {
		domains[x.text("org_id")] = append(domains[x.text("org_id")], rep.OrganizationDomain{Name: x.text("name"), Verified: x.flag("verified")})
	}, `select * from ORG_DOMAIN where ORG_ID in (select ID from ORG where REALM_ID = ?) order by NAME`)
	r.each(func(x row) {
		m := rep.Member{Username: x.text("username"), MembershipType: x.text("membership_type")}
		if m.MembershipType == "" {
			m.MembershipType = "UNMANAGED"
		}
		members[x.text("group_id")] = append(members[x.text("group_id")], m)
	}, `select m.*, u.USERNAME from USER_GROUP_MEMBERSHIP m join USER_ENTITY u on u.ID = m.USER_ID where m.GROUP_ID in (select GROUP_ID
		from ORG where REALM_ID = ?) order by u.USERNAME`)
	r.each(func(x row) {
		o := rep.Organization{ID: x.text("id"), Name: x.text("name"), Alias: x.text("alias"), Enabled: new(x.flag("enabled")),
			Description: x.opt("description"),
			RedirectURL: x.opt("redirect_url"), Attributes: attrs[x.text("group_id")], Domains: domains[x.text("id")],
			Members: members[x.text("group_id")]}
		for _, p := range r.out.IdentityProviders {
			if rep.Val(p.OrganizationID) == o.ID {
				o.IdentityProviders = append(o.IdentityProviders, rep.IdentityProvider{Alias: p.Alias})
			}
		}
		r.out.Organizations = append(r.out.Organizations, o)
	}, `select * from ORG where REALM_ID = ? order by NAME`)
}
