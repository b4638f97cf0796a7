package admin

import (
	"net/http"

	"latchkey/internal/rep"
	"latchkey/internal/web"
)

// unbuiltRoutes answer for features that are not there as for ones of which
// nothing has been made, or that are off: what only asks goes on.
func (h *Handler) unbuiltRoutes() []Route {
	const at = "/admin/realms/{realm}"
	const workflows, organizations, types = at + "/workflows", at + "/organizations", at + "/client-types"
	return []Route{
		{"GET " + workflows, ManageRealm, None, "", noWorkflows, Silent},
		{"GET " + workflows + "/scheduled/{resource}", ManageRealm, None, "", noneScheduled, Silent},
		{"GET " + workflows + "/{workflow}", ManageRealm, None, "", noWorkflow, Silent},
		{"PUT " + workflows + "/{workflow}", ManageRealm, None, "", noWorkflow, NoCache},
		{"DELETE " + workflows + "/{workflow}", ManageRealm, None, "", noWorkflow, NoCache},
		{"POST " + workflows, ManageRealm, None, "", featureOff, NoCache},

		{"GET " + organizations, AnyAdmin, None, "", noOrganizations, ByMethod},
		{"POST " + organizations, AnyAdmin, None, "", noOrganizations, ByMethod},
		{"GET " + organizations + "/{rest...}", AnyAdmin, None, "", noOrganizations, ByMethod},
		{"POST " + organizations + "/{rest...}", AnyAdmin, None, "", noOrganizations, ByMethod},
		{"PUT " + organizations + "/{rest...}", AnyAdmin, None, "", noOrganizations, ByMethod},
		{"DELETE " + organizations + "/{rest...}", AnyAdmin, None, "", noOrganizations, ByMethod},

		{"GET " + types, ManageRealm, None, "", featureOff, ByMethod},
		{"PUT " + types, ManageRealm, None, "", featureOff, ByMethod},
	}
}

// noWorkflows lists them as YAML for who does not ask for JSON.
// Keycloak: WorkflowsResource.list.
func noWorkflows(c *Call) (any, error) {
	if web.Accepts(c.R, "application/json") {
		return []string{}, nil
	}
	return Raw{Type: "application/yaml", Data: []byte("--- []\n")}, nil
}

func noneScheduled(*Call) (any, error) { return []string{}, nil }

func noWorkflow(c *Call) (any, error) {
	return nil, Plain(http.StatusBadRequest, "Not a valid workflow resource: "+c.Path("workflow"))
}

// noOrganizations: Keycloak's OrganizationsResource, where the realm has them
// switched off. A realm file may have left them on.
func noOrganizations(c *Call) (any, error) {
	if rep.Val(c.Realm.Rep.OrganizationsEnabled) {
		return featureOff(c)
	}
	return nil, Message(http.StatusNotFound, "Organizations not enabled for this realm.")
}
