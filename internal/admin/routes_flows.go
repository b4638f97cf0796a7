package admin

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
)

// flowRoutes are flows, their executions and configurations.
// Keycloak: AuthenticationManagementResource.
func (h *Handler) flowRoutes() []Route {
	const at = "/admin/realms/{realm}/authentication"
	return []Route{
		{"GET " + at + "/flows", ViewFlows, None, "", h.listFlows, ByMethod},
		{"POST " + at + "/flows", ManageRealm, Create, "AUTH_FLOW", h.createFlow, NoCache},
		{"GET " + at + "/flows/{id}", ViewRealm, None, "", h.getFlow, ByMethod},
		{"PUT " + at + "/flows/{id}", ManageRealm, Update, "AUTH_FLOW", h.updateFlow, NoCache},
		{"DELETE " + at + "/flows/{id}", ManageRealm, Delete, "AUTH_FLOW", h.deleteFlow, NoCache},
		{"POST " + at + "/flows/{alias}/copy", ManageRealm, Create, "AUTH_FLOW", h.copyFlow, NoCache},
		{"GET " + at + "/flows/{alias}/executions", ViewRealm, None, "", h.listExecutions, ByMethod},
		{"PUT " + at + "/flows/{alias}/executions", ManageRealm, Update, "AUTH_EXECUTION", h.updateExecution, NoCache},
		{"POST " + at + "/flows/{alias}/executions/execution", ManageRealm, Create, "AUTH_EXECUTION", h.addToFlow, NoCache},
		{"POST " + at + "/flows/{alias}/executions/flow", ManageRealm, Create, "AUTH_EXECUTION_FLOW", h.addSubflow, NoCache},
		{"POST " + at + "/executions", ManageRealm, Create, "AUTH_EXECUTION", h.addExecution, NoCache},
		{"GET " + at + "/executions/{execution}", ViewRealm, None, "", h.getExecution, ByMethod},
		{"DELETE " + at + "/executions/{execution}", ManageRealm, Delete, "AUTH_EXECUTION", h.deleteExecution, NoCache},
		{"POST " + at + "/executions/{execution}/raise-priority", ManageRealm, Update, "AUTH_EXECUTION", h.moveExecution(false), NoCache},
		{"POST " + at + "/executions/{execution}/lower-priority", ManageRealm, Update, "AUTH_EXECUTION", h.moveExecution(true), NoCache},
		{"POST " + at + "/executions/{execution}/config", ManageRealm, Create, "AUTHENTICATOR_CONFIG", h.createExecutionConfig, NoCache},
		{"GET " + at + "/executions/{execution}/config/{id}", ViewRealm, None, "", h.getAuthConfig, ByMethod},
		{"POST " + at + "/config", ManageRealm, Create, "AUTHENTICATOR_CONFIG", h.createAuthConfig, NoCache},
		{"GET " + at + "/config/{id}", ViewRealm, None, "", h.getAuthConfig, ByMethod},
		{"PUT " + at + "/config/{id}", ManageRealm, Update, "AUTHENTICATOR_CONFIG", h.updateAuthConfig, NoCache},
		{"DELETE " + at + "/config/{id}", ManageRealm, Delete, "AUTHENTICATOR_CONFIG", h.deleteAuthConfig, NoCache},
		{"GET " + at + "/authenticator-providers", ViewRealm, None, "",
			describe(func(p *authProviders) []authProvider { return p.Authenticators }), ByMethod},
		{"GET " + at + "/client-authenticator-providers", ViewClientAuth, None, "",
			describe(func(p *authProviders) []authProvider { return p.ClientAuthenticators }), ByMethod},
		{"GET " + at + "/form-providers", ViewRealm, None, "", describe(func(p *authProviders) []authProvider { return p.Forms }), ByMethod},
		{"GET " + at + "/form-action-providers", ViewRealm, None, "", describe(func(p *authProviders) []authProvider { return p.FormActions }),
			ByMethod},
		{"GET " + at + "/config-description/{provider}", ViewRealm, None, "", h.describeConfig, ByMethod},
		{"GET " + at + "/per-client-config-description", ViewClientAuth, None, "", h.describePerClient, ByMethod},
	}
}

var errNoFlow = &iam.Error{Kind: iam.NotFound, Msg: "Flow not found"}

// flowRep is a flow with its executions as they stand in realm files.
func flowRep(r *realms.Realm, f *realms.FlowDoc) rep.Flow {
	v := *f.Flow
	v.AuthenticationExecutions = []rep.ExecutionExport{}
	for _, e := range f.Executions {
		x := rep.ExecutionExport{
			Authenticator: e.Authenticator, AuthenticatorFlow: e.AuthenticatorFlow, AutheticatorFlow: e.AuthenticatorFlow,
			Requirement: e.Requirement, Priority: e.Priority,
		}
		if sub := flowByID(r, e.FlowID); sub != nil {
			x.FlowAlias = sub.Alias
		}
		if c := authConfig(r, e.AuthenticatorConfig); c != nil {
			x.AuthenticatorConfig = c.Alias
		}
		v.AuthenticationExecutions = append(v.AuthenticationExecutions, x)
	}
	return v
}

func flowByID(r *realms.Realm, id *string) *realms.FlowDoc {
	for _, f := range r.FlowDocs {
		if id != nil && f.ID == *id {
			return f
		}
	}
	return nil
}

// executionByID finds an execution of any flow, nil when there is none.
func executionByID(r *realms.Realm, id string) *rep.Execution {
	for _, f := range r.FlowDocs {
		for _, e := range f.Executions {
			if e.ID == id {
				return e
			}
		}
	}
	return nil
}

func authConfig(r *realms.Realm, id string) *rep.AuthenticatorConfig {
	for _, c := range r.AuthConfigs {
		if c.ID == id && id != "" {
			return c
		}
	}
	return nil
}

func (h *Handler) listFlows(c *Call) (any, error) {
	list := []rep.Flow{}
	for _, f := range c.Realm.FlowDocs {
		if f.TopLevel && f.Alias != "saml ecp" { // which Keycloak does not list
			list = append(list, flowRep(c.Realm, f))
		}
	}
	return list, nil
}

func (h *Handler) getFlow(c *Call) (any, error) {
	id := c.Path("id")
	if f := flowByID(c.Realm, &id); f != nil {
		return flowRep(c.Realm, f), nil
	}
	return nil, iam.Errorf(iam.NotFound, "Could not find flow with id")
}

func (h *Handler) listExecutions(c *Call) (any, error) {
	f := c.Realm.FlowDoc(c.Path("alias"))
	if f == nil {
		return nil, errNoFlow
	}
	list := []rep.ExecutionInfo{}
	executionsBelow(c.Realm, f, 0, &list)
	return list, nil
}

// executionsBelow lists a flow's executions and those of its sub-flows, depth
// first. Keycloak: AuthenticationManagementResource.recurseExecutions.
func executionsBelow(r *realms.Realm, f *realms.FlowDoc, level int, list *[]rep.ExecutionInfo) {
	if level > len(r.FlowDocs) {
		return // a flow that contains itself
	}
	for i, e := range f.Executions {
		v := rep.ExecutionInfo{ID: e.ID, Requirement: e.Requirement, Level: level, Index: i, Priority: rep.Val(e.Priority),
			Configurable: new(false)}
		sub := flowByID(r, e.FlowID)
		if sub != nil {
			v.DisplayName, v.FlowID, v.AuthenticationFlow = sub.Alias, sub.ID, new(true)
			v.Description = sub.Description
			v.RequirementChoices = []string{}
			switch sub.ProviderID {
			case basicFlow:
				v.RequirementChoices = allRequirements
			case formFlow:
				v.ProviderID = e.Authenticator
				v.RequirementChoices = []string{string(iam.Required), string(iam.Disabled)}
			case clientFlow:
				v.RequirementChoices = []string{string(iam.Alternative), string(iam.Required), string(iam.Disabled)}
			}
		} else {
			info := infoOf(e.Authenticator)
			v.ProviderID, v.DisplayName, v.RequirementChoices, v.Configurable = e.Authenticator, info.DisplayName, info.Requirements,
				&info.Configurable
		}
		if config := authConfig(r, e.AuthenticatorConfig); config != nil {
			v.AuthenticationConfig = config.ID
			if *v.Configurable {
				v.Alias = config.Alias
			}
		}
		*list = append(*list, v)
		if sub != nil {
			executionsBelow(r, sub, level+1, list)
		}
	}
}

// flowError puts the words of a refusal where Keycloak puts them: those of a
// BadRequestException and of its database in another member than its own.
func flowError(err error) error {
	refused, ok := errors.AsType[*iam.Error](err)
	switch {
	case ok && errors.Is(err, realms.ErrBadRequest):
		return Plain(http.StatusBadRequest, refused.Msg)
	case ok && errors.Is(err, realms.ErrDuplicate):
		return &Error{Status: http.StatusConflict, Body: plainBody{"conflict", refused.Msg}}
	}
	return err
}

func (h *Handler) createFlow(c *Call) (any, error) {
	v, err := Body[rep.Flow](c)
	if err != nil {
		return nil, err
	}
	if err := h.Manager.CreateFlow(c, c.Realm, v); err != nil {
		return nil, flowError(err)
	}
	c.Created(v.ID)
	return nil, nil
}

func (h *Handler) updateFlow(c *Call) (any, error) {
	v, err := Body[rep.Flow](c)
	if err != nil {
		return nil, err
	}
	return nil, flowError(h.Manager.UpdateFlow(c, c.Realm, c.Path("id"), v))
}

func (h *Handler) deleteFlow(c *Call) (any, error) {
	return nil, flowError(h.Manager.DeleteFlow(c, c.Realm, c.Path("id")))
}

// A flowForm is what copies and additions are posted as: any members, which the
// admin event repeats.
type flowForm map[string]jsontext.Value

// text reads a member that must be a text, "" where it is absent or null.
func (f flowForm) text(name string) (string, error) {
	var text string
	if raw := f[name]; len(raw) > 0 && rep.Unmarshal(raw, &text) != nil {
		return "", Plain(http.StatusBadRequest, name+" must be a text")
	}
	return text, nil
}

// priority reads the member of that name, nil where it is absent.
func (f flowForm) priority() (*int, error) {
	raw := f["priority"]
	if len(raw) == 0 || raw.Kind() == 'n' {
		return nil, nil
	}
	n, err := strconv.ParseInt(string(raw), 10, 32)
	if err != nil {
		return nil, Plain(http.StatusBadRequest, "priority must be a whole number")
	}
	return new(int(n)), nil
}

// made writes down the id of what was made, for the admin event.
func (f flowForm) made(id string) { f["id"] = jsontext.Value(strconv.Quote(id)) }

func formOf(c *Call) (flowForm, error) {
	f, err := Body[flowForm](c)
	if err != nil {
		return nil, err
	}
	if *f == nil {
		*f = flowForm{}
	}
	return *f, nil
}

func (h *Handler) copyFlow(c *Call) (any, error) {
	form, err := formOf(c)
	if err != nil {
		return nil, err
	}
	name, err := form.text("newName")
	if err != nil {
		return nil, err
	}
	if name == "" {
		if c.Realm.FlowDoc(c.Path("alias")) == nil {
			return nil, errNoFlow
		}
		return nil, Plain(http.StatusBadRequest, "newName must not be empty")
	}
	id, err := h.Manager.CopyFlow(c, c.Realm, c.Path("alias"), name)
	if err != nil {
		return nil, flowError(err)
	}
	form.made(id)
	c.CreatedAt("authentication", "flows", c.Path("alias"), "copy", id)
	return nil, nil
}

func (h *Handler) updateExecution(c *Call) (any, error) {
	if c.Realm.FlowDoc(c.Path("alias")) == nil {
		return nil, iam.Errorf(iam.NotFound, "flow not found")
	}
	v, err := Body[rep.ExecutionInfo](c)
	if err != nil {
		return nil, err
	}
	changed, err := h.Manager.SetExecution(c, c.Realm, v)
	if !changed {
		c.NoEvent()
	}
	return nil, flowError(err)
}

// fitting finds the provider of an execution among those that its flow may have.
// Keycloak: AuthenticationManagementResource.getProviderFactory.
func fitting(flow, id string) (*authProvider, error) {
	if p := authProvidersOf().of(flow, id); p != nil {
		return p, nil
	}
	if id == "" {
		id = "null"
	}
	return nil, Plain(http.StatusBadRequest, "No authentication provider found for id: "+id)
}

func (h *Handler) addToFlow(c *Call) (any, error) {
	form, err := formOf(c)
	if err != nil {
		return nil, err
	}
	provider, err := form.text("provider")
	if err != nil {
		return nil, err
	}
	n := &realms.NewExecution{Parent: c.Path("alias"), Execution: rep.Execution{Authenticator: provider, Requirement: string(iam.Disabled)}}
	if n.Execution.Priority, err = form.priority(); err != nil {
		return nil, err
	}
	n.Last = n.Execution.Priority == nil
	if parent := c.Realm.FlowDoc(n.Parent); parent != nil && !parent.BuiltIn {
		p, err := fitting(parent.ProviderID, provider)
		if err != nil {
			return nil, err
		}
		if len(p.Requirements) == 1 {
			n.Execution.Requirement = p.Requirements[0]
		}
	}
	if err := h.Manager.AddToFlow(c, c.Realm, n); err != nil {
		return nil, flowError(err)
	}
	form.made(n.Execution.ID)
	c.CreatedAt("authentication", "executions", n.Execution.ID)
	return nil, nil
}

func (h *Handler) addSubflow(c *Call) (any, error) {
	form, err := formOf(c)
	if err != nil {
		return nil, err
	}
	words := map[string]string{}
	for _, name := range []string{"alias", "type", "provider", "description"} {
		if words[name], err = form.text(name); err != nil {
			return nil, err
		}
	}
	n := &realms.NewExecution{Parent: c.Path("alias"), Execution: rep.Execution{Requirement: string(iam.Disabled), AuthenticatorFlow: true}}
	if n.Execution.Priority, err = form.priority(); err != nil {
		return nil, err
	}
	n.Last = n.Execution.Priority == nil
	if parent := c.Realm.FlowDoc(n.Parent); parent == nil {
		return nil, Message(http.StatusBadRequest, "Parent flow doesn't exist")
	} else if taken := c.Realm.FlowDoc(words["alias"]) != nil; !parent.BuiltIn && !taken && (words["alias"] == "" || words["type"] == "") {
		return nil, Plain(http.StatusBadRequest, "A flow needs an alias and a type")
	}
	n.Sub = &rep.Flow{Alias: words["alias"], ProviderID: words["type"], Description: new(words["description"])}
	if n.Sub.ProviderID == formFlow {
		n.Execution.Authenticator = words["provider"]
	}
	if err := h.Manager.AddToFlow(c, c.Realm, n); err != nil {
		return nil, flowError(err)
	}
	form.made(n.Execution.ID)
	c.CreatedAt("authentication", "flows", n.Sub.ID)
	return nil, nil
}

func (h *Handler) addExecution(c *Call) (any, error) {
	v, err := Body[rep.Execution](c)
	if err != nil {
		return nil, err
	}
	v.AuthenticatorFlow = v.AuthenticatorFlow || v.AutheticatorFlow
	v.AutheticatorFlow = v.AuthenticatorFlow
	parent := flowByID(c.Realm, v.ParentFlow)
	if parent != nil && !parent.BuiltIn {
		if !v.AuthenticatorFlow {
			if _, err := fitting(parent.ProviderID, v.Authenticator); err != nil {
				return nil, err
			}
		}
		if !slices.Contains(allRequirements, v.Requirement) {
			return nil, Plain(http.StatusBadRequest, "The requirement must be one of "+strings.Join(allRequirements, ", "))
		}
	}
	shown := *v
	shown.ID = ""
	c.Represent(&shown)
	v.ID = ""
	if err := h.Manager.AddExecution(c, c.Realm, v); err != nil {
		return nil, flowError(err)
	}
	c.Created(v.ID)
	return nil, nil
}

var allRequirements = []string{string(iam.Required), string(iam.Alternative), string(iam.Disabled), string(iam.Conditional)}

func (h *Handler) getExecution(c *Call) (any, error) {
	if e := executionByID(c.Realm, c.Path("execution")); e != nil {
		return e, nil
	}
	return nil, iam.Errorf(iam.NotFound, "Illegal execution")
}

func (h *Handler) deleteExecution(c *Call) (any, error) {
	return nil, flowError(h.Manager.DeleteExecution(c, c.Realm, c.Path("execution")))
}

func (h *Handler) moveExecution(down bool) func(*Call) (any, error) {
	return func(c *Call) (any, error) {
		moved, err := h.Manager.MoveExecution(c, c.Realm, c.Path("execution"), down)
		if !moved {
			c.NoEvent()
		}
		return nil, flowError(err)
	}
}
