package authn

import (
	"context"
	"fmt"
	"slices"

	"latchkey/internal/iam"
)

// act gives a submit to an execution and goes on with the flow.
// Keycloak: DefaultAuthenticationFlow.processAction.
func (w *walk) act(x *node) (Outcome, error) {
	form := w.r.Form
	if form.Has(fieldOtherWay) {
		w.r.SetNote(noteSelector, string(x.ID))
		return w.choose(x)
	}
	if id := iam.ExecID(form.Get(fieldExecution)); id != "" {
		w.r.SetNote(noteSelector, "")
		options, err := w.options(x)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(options, func(o *node) bool { return o.ID == id })
		if i < 0 { // only what was offered may be chosen
			return nil, &FlowError{Code: InternalError, Provider: x.Authenticator}
		}
		out, err := w.execute(options[i], false)
		if out != nil || err != nil {
			return out, err
		}
		return w.proceed(options[i])
	}
	if x.Sub != nil {
		return w.actForm(x)
	}
	return w.tell(x, func(s Spec) stepFunc { return s.Submit })
}

// A stepFunc is what a step does about a request.
type stepFunc = func(context.Context, *Run) (Result, error)

// tell has a step do something, and goes on with the flow.
func (w *walk) tell(x *node, what func(Spec) stepFunc) (Outcome, error) {
	spec, err := w.spec(x)
	if err != nil {
		return nil, err
	}
	options, err := w.options(x)
	if err != nil {
		return nil, err
	}
	do := what(spec)
	if do == nil {
		return nil, &FlowError{Code: InternalError, Provider: x.Authenticator}
	}
	w.r.at, w.r.flow = x.Execution, x.flow
	res, err := do(w.ctx, w.r)
	if err != nil {
		return nil, fmt.Errorf("step %s: %w", spec.ID, err)
	}
	out, err := w.result(x, res, options)
	if out != nil || err != nil {
		return out, err
	}
	return w.proceed(x)
}

// proceed goes on after a submit, at the first ancestor that is not finished.
// Keycloak: DefaultAuthenticationFlow.continueAuthenticationAfterSuccessfulAction.
func (w *walk) proceed(x *node) (Outcome, error) {
	for {
		w.r.Tab.Current = ""
		parent, err := w.unfinished(x)
		if err != nil {
			return nil, err
		}
		if parent == nil {
			out, _, err := w.flow(w.r.top)
			return out, err
		}
		out, err := w.execute(parent, false)
		if out != nil || err != nil {
			return out, err
		}
		x = parent
	}
}

// unfinished marks the ancestors that x completes, and returns the execution
// of the first that it does not; nil stands for the top flow.
// Keycloak: DefaultAuthenticationFlow.checkAndValidateParentFlow.
func (w *walk) unfinished(x *node) (*node, error) {
	for x.parent != nil {
		required, alternative, err := w.lists(x.flow)
		if err != nil {
			return nil, err
		}
		success := func(x *node) bool { return w.status(x) == iam.ExecSuccess }
		all := !slices.ContainsFunc(required, func(x *node) bool { return !success(x) })
		complete := false
		switch x.Requirement {
		case iam.Required, iam.Conditional:
			complete = all
		case iam.Alternative:
			complete = len(required) == 0 && slices.ContainsFunc(alternative, success)
		}
		if !complete {
			return x.parent, nil
		}
		if err := w.set(x.parent, iam.ExecSuccess); err != nil {
			return nil, err
		}
		x = x.parent
	}
	return nil, nil
}

// render shows a form with its enabled actions.
// Keycloak: FormAuthenticationFlow.renderForm.
func (w *walk) render(x *node, state FormState) (Outcome, error) {
	spec, err := w.spec(x)
	if err != nil {
		return nil, err
	}
	for i := range x.Sub.Executions {
		a := w.nodes[x.Sub.Executions[i].ID]
		if a.Requirement == iam.Disabled {
			continue
		}
		if _, err := w.spec(a); err != nil {
			return nil, err
		}
		state.Actions = append(state.Actions, a.Authenticator)
	}
	w.r.Tab.Current = x.ID
	w.r.at, w.r.flow = x.Execution, x.flow
	page, err := spec.Render(w.ctx, w.r, state)
	if err != nil {
		return nil, fmt.Errorf("form %s: %w", spec.ID, err)
	}
	return Show{Exec: x.ID, Page: page}, nil
}

// actForm gives a submit to a form: all its actions look at it before any acts.
// Keycloak: FormAuthenticationFlow.processAction.
func (w *walk) actForm(x *node) (Outcome, error) {
	statuses := map[*node]iam.ExecStatus{}
	var good []*node
	var bad []Verdict
	for i := range x.Sub.Executions {
		a := w.nodes[x.Sub.Executions[i].ID]
		if a.Requirement == iam.Disabled {
			statuses[a] = iam.ExecSkipped
			continue
		}
		spec, err := w.spec(a)
		if err != nil {
			return nil, err
		}
		w.r.at, w.r.flow = a.Execution, a.flow
		v, err := spec.Validate(w.ctx, w.r)
		if err != nil {
			return nil, fmt.Errorf("form action %s: %w", spec.ID, err)
		}
		if len(v.Errors) > 0 {
			bad = append(bad, v)
			continue
		}
		statuses[a] = iam.ExecSuccess
		good = append(good, a)
	}
	if len(bad) > 0 {
		w.r.Failures = append(w.r.Failures, x.Authenticator)
		w.r.Emit(bad[0].Event)
		values := bad[0].Values
		if values == nil {
			values = w.r.Form
		}
		return w.render(x, FormState{Errors: merge(bad), Values: values})
	}
	for _, a := range good {
		w.r.at, w.r.flow = a.Execution, a.flow
		res, err := w.e.specs[a.Authenticator].Accept(w.ctx, w.r)
		if err != nil {
			return nil, fmt.Errorf("form action %s: %w", a.Authenticator, err)
		}
		if res != nil {
			if _, ok := res.(Success); !ok {
				return w.result(a, res, nil)
			}
		}
	}
	for a, s := range statuses {
		if err := w.set(a, s); err != nil {
			return nil, err
		}
	}
	if err := w.set(x, iam.ExecSuccess); err != nil {
		return nil, err
	}
	w.r.Tab.Current = ""
	if _, err := w.unfinished(x); err != nil {
		return nil, err
	}
	out, _, err := w.flow(w.r.top)
	return out, err
}

// merge keeps the first message about each field; a verdict that stands alone
// replaces the others by its first message.
func merge(bad []Verdict) []FieldError {
	var out []FieldError
	seen := map[string]bool{}
	for _, v := range bad {
		for _, e := range v.Errors {
			if seen[e.Field] {
				continue
			}
			if v.Alone {
				seen, out = map[string]bool{}, nil
			}
			seen[e.Field] = true
			out = append(out, e)
			if v.Alone {
				break
			}
		}
	}
	return out
}
