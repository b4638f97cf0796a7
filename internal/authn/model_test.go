package authn_test

import (
	"context"
	"fmt"
	"net/url"
	"testing"

	"pgregory.net/rapid"

	"latchkey/internal/authn"
	"latchkey/internal/iam"
)

// drawFlow makes a random tree; leaves gets its steps, conds its conditions.
func drawFlow(t *rapid.T, depth int, n *int, leaves, conds *[]iam.ExecID) *iam.Flow {
	f := &iam.Flow{Alias: fmt.Sprint("flow", *n), Provider: "basic-flow"}
	reqs := []iam.Requirement{iam.Required, iam.Alternative, iam.Alternative, iam.Disabled, iam.Conditional}
	for range rapid.IntRange(0, 4).Draw(t, "size") {
		*n++
		x := iam.Execution{ID: iam.ExecID(fmt.Sprint("x", *n)), Requirement: rapid.SampledFrom(reqs).Draw(t, "requirement")}
		switch kind := rapid.IntRange(0, 5).Draw(t, "kind"); {
		case depth > 0 && (kind < 3 || x.Requirement == iam.Conditional):
			x.Sub = drawFlow(t, depth-1, n, leaves, conds)
		case kind == 5:
			x.Requirement = iam.Required
			x.Authenticator = string(x.ID)
			*conds = append(*conds, x.ID)
		default:
			if x.Requirement == iam.Conditional {
				x.Requirement = iam.Required
			}
			x.Authenticator = string(x.ID)
			*leaves = append(*leaves, x.ID)
		}
		f.Executions = append(f.Executions, x)
	}
	return f
}

// naive evaluates a flow from scratch each time, given what each step says by
// now. It knows no statuses: that the engine's agree with it is the test.
type naive struct {
	says  map[iam.ExecID]string // success, attempted, challenge, fail
	conds map[iam.ExecID]bool
}

// flow returns "ok", "no", "fail" or the id of the step that shows its page.
func (m naive) flow(f *iam.Flow) string {
	var required, alternative []iam.Execution
	for _, x := range f.Executions {
		_, cond := m.conds[x.ID]
		switch {
		case cond || x.Requirement == iam.Disabled:
		case x.Requirement == iam.Alternative:
			alternative = append(alternative, x)
		case x.Requirement == iam.Required || m.holds(x.Sub):
			required = append(required, x)
		}
	}
	if m.hides(f) {
		alternative = nil
	}
	for _, x := range required {
		if got := m.exec(x); got != "ok" {
			return got
		}
	}
	if len(required) > 0 {
		return "ok"
	}
	for _, x := range alternative {
		if got := m.exec(x); got != "no" && got != "fail" {
			return got
		}
	}
	return "no"
}

// hides: required or conditional executions, present or not, hide alternatives.
func (m naive) hides(f *iam.Flow) bool {
	for _, x := range f.Executions {
		if _, cond := m.conds[x.ID]; !cond && (x.Requirement == iam.Required || x.Requirement == iam.Conditional) {
			return true
		}
	}
	return false
}

func (m naive) exec(x iam.Execution) string {
	if x.Sub != nil {
		return m.flow(x.Sub)
	}
	return map[string]string{"success": "ok", "attempted": "no", "challenge": string(x.ID), "fail": "fail"}[m.says[x.ID]]
}

func (m naive) holds(f *iam.Flow) bool {
	some := false
	for _, x := range f.Executions {
		if v, cond := m.conds[x.ID]; cond {
			if some = true; !v {
				return false
			}
		}
	}
	return some
}

// TestEngineAgreesWithNaiveModel plays random trees: whatever the statuses
// say, the walk must stop where an evaluation from scratch stops.
func TestEngineAgreesWithNaiveModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var n int
		var leaves, conds []iam.ExecID
		f := drawFlow(t, 3, &n, &leaves, &conds)
		m := naive{says: map[iam.ExecID]string{}, conds: map[iam.ExecID]bool{}}
		// After a submit the walk goes on inside the tree, where an error no longer
		// meets the alternatives above; errors and pages are therefore not mixed.
		words := rapid.SampledFrom([][]string{{"success", "attempted", "challenge", "challenge"}, {"success", "attempted", "fail"}}).
			Draw(t, "words")
		var specs []authn.Spec
		for _, id := range leaves {
			m.says[id] = rapid.SampledFrom(words).Draw(t, "says")
			say := func(context.Context, *authn.Run) (authn.Result, error) {
				return map[string]authn.Result{"success": authn.Success{}, "attempted": authn.Attempted{}, "challenge": authn.Challenge{Page: id},
					"fail": authn.Failure{Code: authn.InvalidUser}}[m.says[id]], nil
			}
			specs = append(specs, authn.Spec{ID: string(id), Begin: say, Submit: say})
		}
		for _, id := range conds {
			m.conds[id] = rapid.Bool().Draw(t, "holds")
			specs = append(specs, authn.Spec{ID: string(id), Holds: func(context.Context, *authn.Run) (bool, error) { return m.conds[id], nil }})
		}
		e := authn.New(specs, func(context.Context, *authn.Run) ([]iam.CredentialKind, error) { return nil, nil })
		r := &authn.Run{Tab: &iam.AuthTab{}, User: &iam.User{ID: "ann", Enabled: true}}
		out, err := e.Start(context.Background(), r, f)
		for range len(leaves) + 1 {
			if err != nil {
				t.Fatal(err)
			}
			var got string
			switch out := out.(type) {
			case authn.Show:
				got = string(out.Exec)
			case authn.Passed:
				got = "ok"
			case authn.Failed:
				got = "no"
			}
			want := m.flow(f)
			if want == "fail" {
				want = "no"
			}
			if got != want {
				t.Fatalf("engine %q, model %q after %v, statuses %v", got, want, m.says, r.Tab.Status)
			}
			show, ok := out.(authn.Show)
			if !ok {
				return
			}
			m.says[show.Exec] = rapid.SampledFrom([]string{"success", "attempted", "challenge"}).Draw(t, "answer")
			r.Form = url.Values{}
			out, err = e.Submit(context.Background(), r, f, show.Exec)
		}
	})
}
