package authn

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"latchkey/internal/iam"
)

// An Engine walks flows with the steps it was given.
type Engine struct {
	specs map[string]Spec
	// credentials lists the kinds of the user's credentials, most preferred first.
	credentials func(context.Context, *Run) ([]iam.CredentialKind, error)
}

// New makes an engine. credentials lists the kinds of credential that
// run.User has, in the user's order of preference.
func New(specs []Spec, credentials func(context.Context, *Run) ([]iam.CredentialKind, error)) *Engine {
	e := &Engine{specs: make(map[string]Spec, len(specs)), credentials: credentials}
	for _, s := range specs {
		e.specs[s.ID] = s
	}
	return e
}

// Knows tells whether a provider is built.
func (e *Engine) Knows(id string) bool { _, ok := e.specs[id]; return ok }

// Checks returns the kind of credential that an authenticator checks, "" for none.
func (e *Engine) Checks(id string) iam.CredentialKind { return e.specs[id].Credential }

// Second tells whether an authenticator checks a second factor.
func (e *Engine) Second(id string) bool { k := e.Checks(id); return k != "" && k != iam.Password }

// An Outcome is where a walk stopped.
type Outcome interface{ outcome() }

type (
	// Show waits for the user at an execution's page.
	Show struct {
		Exec    iam.ExecID
		Page    any
		Choices []iam.Execution // what "try another way" offers, the shown one included
	}
	// Choose shows the list of ways to go on, after "try another way".
	Choose struct {
		Exec    iam.ExecID
		Choices []iam.Execution
	}
	// Away: the browser goes to another site; the tab must be stored before.
	Away struct{ Leave }
	// Visiting: the browser goes to an identity provider.
	Visiting struct{ Visit }
	// Inside: another flow, that the tab names now, is to be walked.
	Inside struct{}
	// Passed: the flow succeeded, and run.User is who logs in.
	Passed struct{}
	// Failed: the flow ended in an error.
	Failed struct{ Err *FlowError }
	// Forked: go on with the browser flow in a new tab, with a message.
	Forked struct{ Success, Error *FieldError }
	// Stale: the page that was submitted is not the one that is due.
	Stale struct{}
)

func (Show) outcome()     {}
func (Choose) outcome()   {}
func (Away) outcome()     {}
func (Visiting) outcome() {}
func (Inside) outcome()   {}
func (Passed) outcome()   {}
func (Failed) outcome()   {}
func (Forked) outcome()   {}
func (Stale) outcome()    {}

// noteSelector remembers at which execution the list of ways is shown.
const noteSelector = "auth.selection.screen.displayed"

// form fields of the selection list (Keycloak's names).
const (
	fieldOtherWay  = "tryAnotherWay"
	fieldExecution = "authenticationExecution"
)

// errRestart unwinds a walk that a step wants begun anew, errAgain one that keeps what
// an identity provider said.
var (
	errRestart = errors.New("restart the flow")
	errAgain   = fmt.Errorf("within another: %w", errRestart)
)

// Start walks a flow from where the tab has got to, without a submit.
// An error is a fault of the server, never of the user.
// Keycloak: AuthenticationProcessor.authenticateOnly.
func (e *Engine) Start(ctx context.Context, r *Run, f *iam.Flow) (Outcome, error) {
	w := newWalk(ctx, e, r, f)
	out, err := w.begin()
	for restarts := 0; errors.Is(err, errRestart); restarts++ {
		if restarts == 3 { // a step that always restarts would never end
			return Failed{&FlowError{Code: InternalError}}, nil
		}
		if restart(r, err) {
			return Inside{}, nil
		}
		w = newWalk(ctx, e, r, f)
		out, err = w.begin()
	}
	return settle(out, err)
}

// Submit gives the posted form (r.Form) to the execution whose page is shown.
// Keycloak: AuthenticationProcessor.authenticationAction.
func (e *Engine) Submit(ctx context.Context, r *Run, f *iam.Flow, exec iam.ExecID) (Outcome, error) {
	if exec == "" || exec != r.Tab.Current {
		return Stale{}, nil
	}
	return e.resume(ctx, r, f, exec, (*walk).act)
}

// Return goes on at the execution that the browser had left for another site.
func (e *Engine) Return(ctx context.Context, r *Run, f *iam.Flow, exec iam.ExecID) (Outcome, error) {
	return e.resume(ctx, r, f, exec, func(w *walk, x *node) (Outcome, error) {
		return w.tell(x, func(s Spec) stepFunc { return s.Return })
	})
}

// Entered goes on at the execution that began a flow which has succeeded. f is the
// flow around that execution.
func (e *Engine) Entered(ctx context.Context, r *Run, f *iam.Flow, exec iam.ExecID) (Outcome, error) {
	return e.resume(ctx, r, f, exec, func(w *walk, x *node) (Outcome, error) {
		return w.tell(x, func(s Spec) stepFunc { return s.Entered })
	})
}

// resume goes on with a flow at an execution.
func (e *Engine) resume(ctx context.Context, r *Run, f *iam.Flow, exec iam.ExecID, act func(*walk, *node) (Outcome,
	error)) (Outcome, error) {
	w := newWalk(ctx, e, r, f)
	if err := r.validate(r.User); err != nil {
		return Failed{err}, nil
	}
	x := w.nodes[exec]
	if x == nil { // the flow was changed meanwhile
		return e.anew(ctx, r, f, errRestart)
	}
	out, err := act(w, x)
	if errors.Is(err, errRestart) {
		return e.anew(ctx, r, f, err)
	}
	if out == nil && err == nil {
		err = w.complete()
	}
	return settle(out, err)
}

// anew begins a flow from its beginning: the login's own, or the one within it.
func (e *Engine) anew(ctx context.Context, r *Run, f *iam.Flow, why error) (Outcome, error) {
	if restart(r, why) {
		return Inside{}, nil
	}
	return e.Start(ctx, r, f)
}

// restart forgets what a flow has learnt, and tells whether another one is to be walked now.
func restart(r *Run, why error) (another bool) {
	if within, said := r.Tab.Entered, r.Tab.Brokered; within != nil && errors.Is(why, errAgain) {
		path := r.Tab.Flow
		Reset(r)
		r.Tab.Entered, r.Tab.Brokered, r.Tab.Flow = within, said, path
		return false
	}
	another = r.Tab.Entered != nil
	Reset(r)
	return another
}

// Reset forgets everything that the tab's flow has learnt.
// Keycloak: AuthenticationProcessor.resetFlow.
func Reset(r *Run) {
	r.User = nil
	r.Session = nil
	r.Tab.User = ""
	r.Tab.Current = ""
	r.Tab.Status = nil
	r.Tab.Notes = nil
	r.Tab.UserNotes = nil
	r.Tab.Required = nil
	if r.Tab.Entered != nil { // nothing is left of why
		r.Tab.Flow = r.Tab.Entered.Path
	}
	r.Tab.Left, r.Tab.Entered, r.Tab.Brokered = nil, nil, nil
}

func settle(out Outcome, err error) (Outcome, error) {
	var fe *FlowError
	switch {
	case errors.As(err, &fe) && fe.Code == ForkFlow:
		return Forked{fe.fork.Success, fe.fork.Error}, nil
	case errors.As(err, &fe):
		return Failed{fe}, nil
	case err != nil:
		return nil, err
	case out == nil:
		return Passed{}, nil
	}
	return out, nil
}

// A node is an execution with its place in the tree.
type node struct {
	*iam.Execution
	flow   *iam.Flow // the flow it stands in
	parent *node     // the execution of that flow, nil at the top
}

// A walk is one Start or Submit. Its methods return an Outcome when the walk
// must stop and show something, nil to go on.
type walk struct {
	ctx    context.Context
	e      *Engine
	r      *Run
	nodes  map[iam.ExecID]*node
	topOK  bool
	causes []*FlowError // of the top flow's alternatives
}

func newWalk(ctx context.Context, e *Engine, r *Run, f *iam.Flow) *walk {
	w := &walk{ctx: ctx, e: e, r: r, nodes: map[iam.ExecID]*node{}}
	w.index(f, nil)
	r.top, r.e = f, e
	return w
}

func (w *walk) index(f *iam.Flow, parent *node) {
	for i := range f.Executions {
		x := &node{&f.Executions[i], f, parent}
		w.nodes[x.ID] = x
		if x.Sub != nil {
			w.index(x.Sub, x)
		}
	}
}

func (w *walk) begin() (Outcome, error) {
	if err := w.r.validate(w.r.User); err != nil {
		return nil, err
	}
	out, _, err := w.flow(w.r.top)
	if out != nil || err != nil {
		return out, err
	}
	return nil, w.complete()
}

// complete checks that a walk that shows nothing has really succeeded.
func (w *walk) complete() error {
	switch {
	case w.r.User == nil:
		return &FlowError{Code: UnknownUser}
	case !w.topOK:
		return &FlowError{Code: InternalError, Causes: w.causes}
	}
	return nil
}

func (w *walk) status(x *node) iam.ExecStatus { return w.r.Tab.Status[x.ID] }

// set records a status. A sub-flow that succeeds tells its members.
func (w *walk) set(x *node, s iam.ExecStatus) error {
	if w.r.Tab.Status == nil {
		w.r.Tab.Status = map[iam.ExecID]iam.ExecStatus{}
	}
	w.r.Tab.Status[x.ID] = s
	if x.Sub != nil && s == iam.ExecSuccess {
		return w.finished(x.Sub, false)
	}
	return nil
}

// finished calls back the steps that succeeded, and the conditions that held,
// in a flow that has succeeded; at the top, those of all sub-flows that were
// told so before.
func (w *walk) finished(f *iam.Flow, top bool) error {
	for i := range f.Executions {
		x := w.nodes[f.Executions[i].ID]
		if top && x.Sub != nil {
			if err := w.finished(x.Sub, true); err != nil {
				return err
			}
		}
		spec := w.e.specs[x.Authenticator]
		s := w.status(x)
		if x.Sub != nil || spec.Finished == nil || s != iam.ExecSuccess && s != iam.ExecEvaluatedTrue {
			continue
		}
		w.r.at, w.r.flow = x.Execution, f
		if err := spec.Finished(w.ctx, w.r, top); err != nil {
			return err
		}
	}
	return nil
}

func processed(x *node, s iam.ExecStatus) bool {
	if x.Requirement == iam.Disabled {
		return true
	}
	return s == iam.ExecSuccess || s == iam.ExecSkipped || s == iam.ExecAttempted || s == iam.ExecSetupRequired
}

func (w *walk) processed(x *node) bool { return processed(x, w.status(x)) }

// passed tells whether an execution needs no more of its flow.
func (w *walk) passed(x *node) bool {
	s := w.status(x)
	return s == iam.ExecSuccess || s == iam.ExecSetupRequired
}

// spec finds an execution's provider; that it is not built ends the walk.
func (w *walk) spec(x *node) (Spec, error) {
	s, ok := w.e.specs[x.Authenticator]
	if !ok {
		return Spec{}, &FlowError{Code: NotBuilt, Provider: x.Authenticator}
	}
	return s, nil
}

// condition tells whether an execution is an enabled condition.
func (w *walk) condition(x *node) (bool, error) {
	if x.Sub != nil || x.Requirement == iam.Disabled {
		return false, nil
	}
	s, err := w.spec(x)
	return s.Holds != nil, err
}

// lists splits a flow's executions; conditions and disabled ones are in neither list.
// Keycloak: DefaultAuthenticationFlow.fillListsOfExecutions.
func (w *walk) lists(f *iam.Flow) (required, alternative []*node, err error) {
	for i := range f.Executions {
		x := w.nodes[f.Executions[i].ID]
		cond, err := w.condition(x)
		if err != nil {
			return nil, nil, err
		}
		switch {
		case cond:
		case x.Requirement == iam.Required || x.Requirement == iam.Conditional:
			required = append(required, x)
		case x.Requirement == iam.Alternative:
			alternative = append(alternative, x)
		}
	}
	if len(required) > 0 && len(alternative) > 0 {
		w.r.Warnings = append(w.r.Warnings, fmt.Sprintf("flow %q: alternative executions beside required ones are ignored", f.Alias))
		alternative = nil
	}
	return required, alternative, nil
}

// absent tells whether a conditional sub-flow does not exist in this login.
// Keycloak: DefaultAuthenticationFlow.isConditionalSubflowDisabled.
func (w *walk) absent(x *node) (bool, error) {
	if x.Sub == nil || x.Requirement != iam.Conditional {
		return false, nil
	}
	any := false
	for i := range x.Sub.Executions {
		c := w.nodes[x.Sub.Executions[i].ID]
		cond, err := w.condition(c)
		if err != nil {
			return false, err
		}
		if !cond {
			continue
		}
		any = true
		spec := w.e.specs[c.Authenticator]
		w.r.at, w.r.flow = c.Execution, c.flow
		holds, err := spec.Holds(w.ctx, w.r)
		if err != nil {
			return false, fmt.Errorf("condition %s: %w", c.Authenticator, err)
		}
		s := iam.ExecEvaluatedTrue
		if !holds {
			s = iam.ExecEvaluatedFalse
		}
		// recorded each time: a condition may change its mind within a flow
		if err := w.set(c, s); err != nil {
			return false, err
		}
		if !holds {
			return true, nil
		}
	}
	return !any, nil
}

// flow walks a flow: a page to stop at, or whether it succeeded.
// Keycloak: DefaultAuthenticationFlow.processFlow.
func (w *walk) flow(f *iam.Flow) (Outcome, bool, error) {
	if out, err := w.selector(); out != nil || err != nil {
		return out, false, err
	}
	required, alternative, err := w.lists(f)
	if err != nil {
		return nil, false, err
	}
	there, ok := 0, true
	for _, x := range required {
		if x.Requirement == iam.Conditional && !w.processed(x) {
			absent, err := w.absent(x)
			if err != nil {
				return nil, false, err
			}
			if absent {
				continue
			}
		}
		there++
		out, err := w.execute(x, true)
		if out != nil || err != nil {
			return out, false, err
		}
		if ok = w.passed(x); !ok {
			break
		}
	}
	if there > 0 {
		if !ok {
			return nil, false, nil
		}
		return nil, true, w.succeeded(f)
	}
	if slices.ContainsFunc(alternative, w.passed) {
		return nil, true, w.succeeded(f)
	}
	for _, x := range alternative {
		out, err := w.execute(x, true)
		if out != nil {
			return out, false, nil
		}
		var fe *FlowError
		switch {
		case errors.As(err, &fe) && fe.Code != NotBuilt:
			if f == w.r.top {
				w.causes = append(w.causes, fe)
			}
			if err := w.set(x, iam.ExecAttempted); err != nil {
				return nil, false, err
			}
		case err != nil:
			return nil, false, err
		case w.passed(x):
			return nil, true, w.succeeded(f)
		}
	}
	return nil, false, nil
}

func (w *walk) succeeded(f *iam.Flow) error {
	if f != w.r.top {
		return nil
	}
	w.topOK = true
	return w.finished(f, true)
}

// execute runs one execution. inFlow: the walk came to it from its flow, so
// the user's preference may put another alternative in its place.
// Keycloak: DefaultAuthenticationFlow.processSingleFlowExecutionModel.
func (w *walk) execute(x *node, inFlow bool) (Outcome, error) {
	if w.processed(x) {
		return nil, nil
	}
	if x.Sub != nil {
		return w.executeSub(x)
	}
	spec, err := w.spec(x)
	if err != nil {
		return nil, err
	}
	options, err := w.options(x)
	if err != nil {
		return nil, err
	}
	if inFlow && len(options) > 0 {
		open := slices.DeleteFunc(slices.Clone(options), func(o *node) bool { return o.Sub != nil || w.processed(o) })
		if len(open) == 0 {
			return nil, nil
		}
		x = open[0]
		for _, o := range open {
			if o.ID == w.r.Tab.Current {
				x = o
			}
		}
		if spec, err = w.spec(x); err != nil {
			return nil, err
		}
	}
	w.r.at, w.r.flow = x.Execution, x.flow
	configured := true
	if spec.Configured != nil && w.r.User != nil {
		if configured, err = spec.Configured(w.ctx, w.r); err != nil {
			return nil, fmt.Errorf("step %s: %w", spec.ID, err)
		}
	}
	switch {
	case spec.NeedsUser && w.r.User == nil:
		return nil, &FlowError{Code: UnknownUser, Provider: spec.ID}
	case spec.NeedsUser && !configured && spec.Setup != "" && x.Requirement == iam.Required && w.r.ActionEnabled(spec.Setup):
		w.r.Require(spec.Setup)
		return nil, w.set(x, iam.ExecSetupRequired)
	case spec.NeedsUser && !configured,
		!configured && spec.Setup == "" && spec.Credential != "":
		return nil, &FlowError{Code: SetupRequired, Provider: spec.ID}
	}
	res, err := spec.Begin(w.ctx, w.r)
	if err != nil {
		return nil, fmt.Errorf("step %s: %w", spec.ID, err)
	}
	return w.result(x, res, options)
}

func (w *walk) executeSub(x *node) (Outcome, error) {
	var out Outcome
	var ok bool
	var err error
	if x.Sub.Provider == "form-flow" {
		out, err = w.render(x, FormState{})
	} else {
		out, ok, err = w.flow(x.Sub)
	}
	switch {
	case err != nil:
		return nil, err
	case out != nil:
		return out, w.set(x, iam.ExecChallenged)
	case ok:
		return nil, w.set(x, iam.ExecSuccess)
	}
	return nil, w.set(x, iam.ExecFailed)
}

// result turns what a step said into statuses.
// Keycloak: DefaultAuthenticationFlow.processResult.
func (w *walk) result(x *node, res Result, options []*node) (Outcome, error) {
	show := func(page any) (Outcome, error) {
		w.r.Tab.Current = x.ID
		return Show{Exec: x.ID, Page: page, Choices: executions(options)}, nil
	}
	switch res := res.(type) {
	case Success:
		w.r.completed(x.Execution)
		return nil, w.set(x, iam.ExecSuccess)
	case Attempted:
		return nil, w.set(x, iam.ExecAttempted)
	case Challenge:
		if err := w.set(x, iam.ExecChallenged); err != nil {
			return nil, err
		}
		return show(res.Page)
	case Refusal:
		w.failed(x, res.Event)
		if err := w.set(x, iam.ExecChallenged); err != nil {
			return nil, err
		}
		return show(res.Page)
	case Failure:
		w.failed(x, res.Event)
		if err := w.set(x, iam.ExecFailed); err != nil {
			return nil, err
		}
		if res.Page != nil {
			return show(res.Page)
		}
		return nil, &FlowError{Code: res.Code, Provider: x.Authenticator, Detail: res.Detail, Message: res.Message}
	case Leave:
		w.r.Tab.Current, w.r.Tab.Left = x.ID, &iam.Left{Exec: x.ID, State: w.r.State()}
		return Away{res}, w.set(x, iam.ExecChallenged)
	case Enter:
		w.r.Tab.Entered = &iam.Entered{Flow: res.Flow, Exec: x.ID, Path: w.r.Tab.Flow}
		w.r.Tab.Flow, w.r.Tab.Current = res.Path, ""
		return Inside{}, w.set(x, iam.ExecChallenged)
	case Visit:
		w.r.Tab.Current = x.ID
		return Visiting{res}, w.set(x, iam.ExecChallenged)
	case Restart:
		if res.Within {
			return nil, errAgain
		}
		return nil, errRestart
	case Fork:
		w.r.Tab.Current = x.ID
		return nil, &FlowError{Code: ForkFlow, Provider: x.Authenticator, fork: res}
	case Abort:
		return nil, res.Err
	}
	return nil, &FlowError{Code: InternalError, Provider: x.Authenticator}
}

func (w *walk) failed(x *node, event string) {
	w.r.Failures = append(w.r.Failures, x.Authenticator)
	if event != "" {
		w.r.Emit(event)
	}
}

func executions(nodes []*node) []iam.Execution {
	out := make([]iam.Execution, len(nodes))
	for i, x := range nodes {
		out[i] = *x.Execution
	}
	return out
}
