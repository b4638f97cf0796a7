package authn

import (
	"context"
	"fmt"
	"slices"

	"latchkey/internal/iam"
)

// choice collects executions that a user could do next, for one list.
type choice struct {
	kinds map[iam.CredentialKind]*node // a later execution replaces an earlier one of the same kind
	order []iam.CredentialKind
	rest  []*node // those that check no credential
}

// selector shows the list of ways again when its page is reloaded.
func (w *walk) selector() (Outcome, error) {
	at := w.r.Note(noteSelector)
	if at == "" {
		return nil, nil
	}
	if x := w.nodes[iam.ExecID(at)]; x != nil && x.ID == w.r.Tab.Current {
		return w.choose(x)
	}
	w.r.SetNote(noteSelector, "")
	return nil, nil
}

func (w *walk) choose(x *node) (Outcome, error) {
	options, err := w.options(x)
	if err != nil {
		return nil, err
	}
	return Choose{Exec: x.ID, Choices: executions(options)}, nil
}

// options lists what could be done instead of an execution, itself included:
// first by the user's credentials, in the user's order, then everything else.
// While nobody is known, credentials come last.
// Keycloak: AuthenticationSelectionResolver.createAuthenticationSelectionList.
func (w *walk) options(x *node) ([]*node, error) {
	c := choice{kinds: map[iam.CredentialKind]*node{}}
	if f := w.widest(x); f == nil {
		if err := w.add(&c, x); err != nil {
			return nil, err
		}
	} else if err := w.addFlow(&c, f); err != nil {
		return nil, err
	}
	var out, last []*node
	if w.r.User == nil {
		for _, k := range c.order {
			if o := c.kinds[k]; !w.e.specs[o.Authenticator].NeedsUser {
				last = append(last, o)
			}
		}
	} else if len(c.kinds) > 0 {
		kinds, err := w.e.credentials(w.ctx, w.r)
		if err != nil {
			return nil, fmt.Errorf("list the user's credentials: %w", err)
		}
		seen := map[iam.CredentialKind]bool{}
		for _, k := range kinds {
			if o := c.kinds[k]; o != nil && !seen[k] {
				out = append(out, o)
			}
			seen[k] = true
		}
	}
	return slices.Concat(out, c.rest, last), nil
}

// widest returns the highest flow whose other ways may stand in for x: up from
// alternatives, and from the first execution of a flow. Nil: x is on its own.
// Keycloak: AuthenticationSelectionResolver.getFlowIdOfTheHighestUsefulFlow.
func (w *walk) widest(x *node) *iam.Flow {
	var f *iam.Flow
	for {
		switch x.Requirement {
		case iam.Alternative:
			f = x.flow
		case iam.Required, iam.Conditional:
			if x.Sub != nil {
				f = x.Sub
			}
			if x.flow.Executions[0].ID != x.ID {
				return f
			}
			f = x.flow
		}
		if f == nil || x.parent == nil {
			return f
		}
		x = x.parent
	}
}

func (w *walk) add(c *choice, x *node) error {
	if w.processed(x) {
		return nil
	}
	spec, err := w.spec(x)
	if err != nil {
		return err
	}
	if spec.Credential == "" {
		c.rest = append(c.rest, x)
		return nil
	}
	if !slices.Contains(c.order, spec.Credential) {
		c.order = append(c.order, spec.Credential)
	}
	c.kinds[spec.Credential] = x
	return nil
}

// addFlow adds what could be done next in a flow: its first required
// execution, or all its alternatives.
// Keycloak: AuthenticationSelectionResolver.addAllExecutionsFromSubflow.
func (w *walk) addFlow(c *choice, f *iam.Flow) error {
	required, alternative, err := w.lists(f)
	if err != nil {
		return err
	}
	for _, x := range required {
		absent, err := w.absent(x)
		if err != nil {
			return err
		}
		if absent {
			continue
		}
		if w.processed(x) {
			return nil
		}
		if x.Sub != nil && x.Sub.Provider != "form-flow" {
			return w.addFlow(c, x.Sub)
		}
		return w.add(c, x)
	}
	if len(required) > 0 {
		return nil
	}
	for _, x := range alternative {
		if w.processed(x) {
			continue
		}
		if x.Sub != nil {
			err = w.addFlow(c, x.Sub)
		} else {
			err = w.add(c, x)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// SiblingsConfigured tells whether the user can do the steps beside the
// current one: all required ones, or one of the alternatives.
// Keycloak: ConditionalUserConfiguredAuthenticator.
func (r *Run) SiblingsConfigured(ctx context.Context) (bool, error) {
	required, alternatives, any := 0, 0, false
	for i := range r.flow.Executions {
		x := &r.flow.Executions[i]
		if x.Sub != nil || x.ID == r.at.ID || x.Requirement == iam.Disabled {
			continue
		}
		spec, ok := r.e.specs[x.Authenticator]
		if !ok {
			return false, &FlowError{Code: NotBuilt, Provider: x.Authenticator}
		}
		if spec.Holds != nil {
			continue
		}
		configured := true
		if spec.Configured != nil {
			var err error
			if configured, err = spec.Configured(ctx, r); err != nil {
				return false, err
			}
		}
		switch x.Requirement {
		case iam.Required:
			required++
			if !configured {
				return false, nil
			}
		case iam.Alternative:
			alternatives++
			any = any || configured
		}
	}
	return required > 0 || alternatives == 0 || any, nil
}
