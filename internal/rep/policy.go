package rep

import "github.com/go-json-experiment/json/jsontext"

// ClientProfiles is Keycloak's ClientProfilesRepresentation.
type ClientProfiles struct {
	Profiles       []ClientProfile `json:"profiles,omitzero"`
	GlobalProfiles []ClientProfile `json:"globalProfiles,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"ClientProfilesRepresentation"`
}

// ClientProfile is Keycloak's ClientProfileRepresentation.
type ClientProfile struct {
	Name        string                 `json:"name,omitzero"`
	Description *string                `json:"description,omitzero"`
	Executors   []ClientPolicyExecutor `json:"executors,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"ClientProfileRepresentation"`
}

// ClientPolicyExecutor is Keycloak's ClientPolicyExecutorRepresentation.
type ClientPolicyExecutor struct {
	Executor      string         `json:"executor,omitzero"`
	Configuration jsontext.Value `json:"configuration,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"ClientPolicyExecutorRepresentation"`
}

// ClientPolicies is Keycloak's ClientPoliciesRepresentation.
type ClientPolicies struct {
	Policies       []ClientPolicy `json:"policies,omitzero"`
	GlobalPolicies []ClientPolicy `json:"globalPolicies,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"ClientPoliciesRepresentation"`
}

// ClientPolicy is Keycloak's ClientPolicyRepresentation.
type ClientPolicy struct {
	Name        string                  `json:"name,omitzero"`
	Description *string                 `json:"description,omitzero"`
	Enabled     *bool                   `json:"enabled,omitzero"`
	Mode        *string                 `json:"mode,omitzero"`
	Conditions  []ClientPolicyCondition `json:"conditions,omitzero"`
	Profiles    []string                `json:"profiles,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"ClientPolicyRepresentation"`
}

// Fill gives policies what Keycloak shows of every one.
func (v *ClientPolicies) Fill() {
	if v.Policies == nil {
		v.Policies = []ClientPolicy{}
	}
	for i := range v.Policies {
		p := &v.Policies[i]
		p.Enabled = new(Val(p.Enabled))
		if p.Conditions == nil {
			p.Conditions = []ClientPolicyCondition{}
		}
		if p.Profiles == nil {
			p.Profiles = []string{}
		}
	}
}

// Fill is that of policies.
func (v *ClientProfiles) Fill() {
	if v.Profiles == nil {
		v.Profiles = []ClientProfile{}
	}
}

// ClientPolicyCondition is Keycloak's ClientPolicyConditionRepresentation.
type ClientPolicyCondition struct {
	Condition     string         `json:"condition,omitzero"`
	Configuration jsontext.Value `json:"configuration,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"ClientPolicyConditionRepresentation"`
}
