package authn_test

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"latchkey/internal/authn"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
)

// TestFlows plays testdata/flows/*.txtar. A file has a tree, one execution a
// line ("REQUIRED otp", a sub-flow ends in ":", indentation nests), and a
// script. How the steps behave is part of the script:
//
//	step ID WORD...      what the step says next, one word a call, the last for ever
//	cond ID true|false
//	user ID              somebody is already known
//	has KIND...          the user's credentials, in order
//	action ALIAS         the realm has this required action, enabled
//	start                walk
//	submit EXEC [k=v...] submit the page of an execution
//	show EXEC [way...]   the walk stopped here, with these ways to go on
//	choose EXEC way...   the walk stopped at the list of ways
//	done, stale          the walk ended so
//	failed CODE [PROVIDER|event]
//	status EXEC STATUS...
//	event WORD...        the error events since the last such line
//	required ALIAS...    the login's required actions
//	form NAME...         the shown form's actions
//	errors KEY...        the shown form's errors
//
// Execution ids are the step names. Sub-flows are called by their own name.
func TestFlows(t *testing.T) {
	files, err := filepath.Glob("testdata/flows/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no flows", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p := &player{t: t, says: map[string][]string{}, conds: map[string]bool{}, run: newRun()}
			for _, f := range a.Files {
				switch f.Name {
				case "tree":
					p.flow = parseTree(t, string(f.Data))
				case "script":
					for i, line := range strings.Split(string(f.Data), "\n") {
						if words := strings.Fields(line); len(words) > 0 && words[0] != "#" {
							p.line(fmt.Sprintf("script:%d: %s", i+1, line), words[0], words[1:])
						}
					}
				}
			}
		})
	}
}

func newRun() *authn.Run { return &authn.Run{Realm: &realms.Realm{}, Tab: &iam.AuthTab{}} }

// parseTree reads a flow from its indented text.
func parseTree(t *testing.T, text string) *iam.Flow {
	top := &iam.Flow{Alias: "top", Provider: "basic-flow", TopLevel: true}
	flows := []*iam.Flow{top}
	for _, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		depth := (len(line) - len(strings.TrimLeft(line, " "))) / 2
		name, sub := strings.CutSuffix(words[1], ":")
		x := iam.Execution{ID: iam.ExecID(name), Requirement: iam.Requirement(words[0]), Authenticator: name}
		if sub {
			x.Sub = &iam.Flow{Alias: name, Provider: "basic-flow"}
			if name == "form" {
				x.Sub.Provider = "form-flow"
			} else {
				x.Authenticator = ""
			}
		}
		if depth >= len(flows) {
			t.Fatalf("tree: %q is too deep", line)
		}
		flows = flows[:depth+1]
		parent := flows[depth]
		parent.Executions = append(parent.Executions, x)
		if sub {
			flows = append(flows, x.Sub)
		}
	}
	return top
}

type player struct {
	t      *testing.T
	flow   *iam.Flow
	says   map[string][]string
	conds  map[string]bool
	creds  []iam.CredentialKind
	run    *authn.Run
	out    authn.Outcome
	where  string
	events int
}

// next takes a step's next word; the last one stays.
func (p *player) next(id string) string {
	words := p.says[id]
	if len(words) == 0 {
		return "challenge"
	}
	if len(words) > 1 {
		p.says[id] = words[1:]
	}
	return words[0]
}

func (p *player) result(id, word string, r *authn.Run) authn.Result {
	word, arg, _ := strings.Cut(word, "=")
	switch word {
	case "success":
		if arg != "" {
			if res := r.SetUser(&iam.User{ID: iam.UserID(arg), Enabled: arg != "disabled"}); res != nil {
				return res
			}
		}
		return authn.Success{}
	case "attempted":
		return authn.Attempted{}
	case "challenge":
		return authn.Challenge{Page: id}
	case "refuse":
		return authn.Refusal{Code: authn.InvalidCredentials, Event: arg, Page: id}
	case "fail":
		return authn.Failure{Code: authn.Code(arg)}
	case "failpage":
		return authn.Failure{Code: authn.AccessDenied, Event: arg, Page: id}
	case "restart":
		return authn.Restart{}
	case "fork":
		return authn.Fork{Success: &authn.FieldError{Key: arg}}
	}
	p.t.Fatalf("%s: step %s cannot say %q", p.where, id, word)
	return nil
}

// engine knows each execution of the tree but those named "unbuilt…". The
// name says more: "cond…" is a condition, "form" is a form, "user…" needs a user,
// and "user-otp" is set up by CONFIGURE_TOTP and checks credential otp.
func (p *player) engine() *authn.Engine {
	var specs []authn.Spec
	var add func(f *iam.Flow)
	add = func(f *iam.Flow) {
		for _, x := range f.Executions {
			id := string(x.ID)
			if x.Sub != nil {
				add(x.Sub)
			}
			s := authn.Spec{ID: id}
			switch {
			case strings.HasPrefix(id, "unbuilt") || x.Sub != nil && x.Sub.Provider != "form-flow":
				continue
			case strings.HasPrefix(id, "cond"):
				s.Holds = func(context.Context, *authn.Run) (bool, error) { return p.conds[id], nil }
			case x.Sub != nil:
				s.Render = func(_ context.Context, _ *authn.Run, f authn.FormState) (any, error) { return f, nil }
			case f.Provider == "form-flow":
				s.Validate = func(_ context.Context, r *authn.Run) (authn.Verdict, error) {
					switch v := r.Form.Get(id); v {
					case "", "ok":
						return authn.Verdict{}, nil
					default:
						return authn.Verdict{Errors: []authn.FieldError{{Field: id, Key: v}}, Event: "invalid_registration", Alone: v == "alone"}, nil
					}
				}
				s.Accept = func(_ context.Context, r *authn.Run) (authn.Result, error) { return p.result(id, p.next(id), r), nil }
			default:
				s.NeedsUser = strings.HasPrefix(id, "user")
				if kind, ok := strings.CutPrefix(id, "user-"); ok {
					s.Credential = iam.CredentialKind(kind)
					s.Configured = func(context.Context, *authn.Run) (bool, error) {
						return slices.Contains(p.creds, iam.CredentialKind(kind)), nil
					}
					if kind == "otp" {
						s.Setup = "CONFIGURE_TOTP"
					}
				}
				say := func(_ context.Context, r *authn.Run) (authn.Result, error) { return p.result(id, p.next(id), r), nil }
				s.Begin, s.Submit = say, say
			}
			specs = append(specs, s)
		}
	}
	add(p.flow)
	return authn.New(specs, func(context.Context, *authn.Run) ([]iam.CredentialKind, error) { return p.creds, nil })
}

func ids(xs []iam.Execution) []string {
	var out []string
	for _, x := range xs {
		out = append(out, string(x.ID))
	}
	return out
}

func (p *player) want(got, want []string) {
	p.t.Helper()
	if !slices.Equal(got, want) {
		p.t.Fatalf("%s: got %q", p.where, got)
	}
}

func (p *player) line(where, verb string, args []string) {
	p.t.Helper()
	p.where = where
	ctx := context.Background()
	var err error
	switch verb {
	case "step":
		p.says[args[0]] = args[1:]
	case "cond":
		p.conds[args[0]] = args[1] == "true"
	case "user":
		p.run.User = &iam.User{ID: iam.UserID(args[0]), Enabled: true}
	case "has":
		p.creds = nil
		for _, a := range args {
			p.creds = append(p.creds, iam.CredentialKind(a))
		}
	case "action":
		p.run.Actions = append(p.run.Actions, iam.RequiredAction{Alias: args[0], Enabled: true})
	case "start":
		p.run.Form = nil
		p.out, err = p.engine().Start(ctx, p.run, p.flow)
	case "submit":
		p.run.Form = url.Values{}
		for _, a := range args[1:] {
			k, v, _ := strings.Cut(a, "=")
			p.run.Form.Set(k, v)
		}
		p.out, err = p.engine().Submit(ctx, p.run, p.flow, iam.ExecID(args[0]))
	case "show":
		s, ok := p.out.(authn.Show)
		if !ok || string(s.Exec) != args[0] {
			p.t.Fatalf("%s: got %T%+v", where, p.out, p.out)
		}
		if len(args) > 1 {
			p.want(ids(s.Choices), args[1:])
		}
	case "choose":
		c, ok := p.out.(authn.Choose)
		if !ok || string(c.Exec) != args[0] {
			p.t.Fatalf("%s: got %T%+v", where, p.out, p.out)
		}
		p.want(ids(c.Choices), args[1:])
	case "done", "stale":
		if want := map[string]authn.Outcome{"done": authn.Passed{}, "stale": authn.Stale{}}[verb]; p.out != want {
			p.t.Fatalf("%s: got %T%+v", where, p.out, p.out)
		}
	case "forked":
		f, ok := p.out.(authn.Forked)
		if !ok || f.Success.Key != args[0] {
			p.t.Fatalf("%s: got %T%+v", where, p.out, p.out)
		}
	case "failed":
		f, ok := p.out.(authn.Failed)
		if !ok {
			p.t.Fatalf("%s: got %T%+v", where, p.out, p.out)
		}
		got := []string{string(f.Err.Code)}
		if len(args) > 1 {
			got = append(got, f.Err.Provider)
		}
		if len(args) > 2 {
			got = append(got, f.Err.Event(), f.Err.Key())
		}
		p.want(got, args)
	case "status":
		var got []string
		for i := 0; i < len(args); i += 2 {
			got = append(got, args[i], string(p.run.Tab.Status[iam.ExecID(args[i])]))
			if got[i+1] == "" {
				got[i+1] = "-"
			}
		}
		p.want(got, args)
	case "event":
		var got []string
		for _, e := range p.run.Events[p.events:] {
			got = append(got, e.Error)
		}
		p.events = len(p.run.Events)
		p.want(got, args)
	case "required":
		p.want(p.run.Tab.Required, args)
	case "form":
		p.want(p.out.(authn.Show).Page.(authn.FormState).Actions, args)
	case "errors":
		var got []string
		for _, e := range p.out.(authn.Show).Page.(authn.FormState).Errors {
			got = append(got, e.Key)
		}
		p.want(got, args)
	default:
		p.t.Fatalf("%s: unknown verb", where)
	}
	if err != nil {
		p.t.Fatalf("%s: %v", where, err)
	}
}
