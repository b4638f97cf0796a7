package iam

// Requirement says what an execution means to its flow.
type Requirement string

// Keycloak's AuthenticationExecutionModel.Requirement.
const (
	Required    Requirement = "REQUIRED"
	Alternative Requirement = "ALTERNATIVE"
	Conditional Requirement = "CONDITIONAL"
	Disabled    Requirement = "DISABLED"
)

// A Flow is a tree of executions, compiled: sub-flows are resolved and
// executions stand in order of priority.
type Flow struct {
	ID         FlowID
	Alias      string
	Provider   string // "basic-flow", "client-flow", "form-flow"
	TopLevel   bool
	BuiltIn    bool
	Executions []Execution
}

// An Execution is one line of a flow: an authenticator with its configuration,
// or a sub-flow.
type Execution struct {
	ID            ExecID
	Requirement   Requirement
	Authenticator string            // provider id, "" for a sub-flow (a form flow's sub-flow has both)
	Config        map[string]string // the authenticator's configuration, nil when it has none
	ConfigAlias   string
	Sub           *Flow
}

// A RequiredAction is a line of a realm's list of required actions.
type RequiredAction struct {
	Alias    string
	Provider string
	Name     string
	Enabled  bool
	Default  bool // set for every new user
	Priority int
	Config   map[string]string
}
