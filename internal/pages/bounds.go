package pages

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"reflect"
	"text/template/parse"
)

// What themes may cost. The built-in theme stays far below.
const (
	maxPage  = 1 << 20   // bytes of a page
	maxText  = 64 << 10  // of one text within it
	maxItems = 1000      // of a list that a template goes through
	maxSteps = 1_000_000 // of a page, if each list has listLength items
	// listLength is how long lists of pages are taken to be when the steps of a page are counted before it is drawn.
	listLength = 50
)

// limited is a buffer that takes so many bytes; 0: any number.
type limited struct {
	bytes.Buffer
	limit int
}

func (l *limited) Write(p []byte) (int, error) {
	if l.limit > 0 && l.Len()+len(p) > l.limit {
		return 0, fmt.Errorf("the page is longer than %d bytes", l.limit)
	}
	return l.Buffer.Write(p)
}

// boundFunctions stand in for those of text/template that make long texts out of short ones.
var boundFunctions = template.FuncMap{
	"print":   func(args ...any) (string, error) { return bound(fmt.Sprint(args...)) },
	"println": func(args ...any) (string, error) { return bound(fmt.Sprintln(args...)) },
	"printf":  func(format string, args ...any) (string, error) { return bound(fmt.Sprintf(format, args...)) },
	"items":   items,
}

func bound(text string) (string, error) {
	if len(text) > maxText {
		return "", fmt.Errorf("a text is longer than %d bytes", maxText)
	}
	return text, nil
}

// items is put behind what a range goes through: lists that are there, and none that are counted out.
func items(list any) (any, error) {
	v := reflect.ValueOf(list)
	switch v.Kind() {
	case reflect.Slice, reflect.Array, reflect.Map:
		if v.Len() > maxItems {
			return nil, fmt.Errorf("a list has more than %d items", maxItems)
		}
	case reflect.Invalid: // nil
	default:
		return nil, fmt.Errorf("range goes through lists, not through %s", v.Type())
	}
	return list, nil
}

// bounded makes a parsed template one that ends: templates that call themselves are refused, and those of too many steps, and each range
// has its list looked at by items.
func bounded(t *template.Template, root string) error {
	w := &stepCounter{of: map[string]int{}, open: map[string]bool{}, trees: map[string]*parse.Tree{}}
	for _, one := range t.Templates() {
		if one.Tree != nil {
			w.trees[one.Name()] = one.Tree
		}
	}
	steps := w.called(root, nil)
	if w.err == nil && steps > maxSteps {
		w.err = fmt.Errorf("theme template: %s takes more than %d steps", root, maxSteps)
	}
	return w.err
}

// A stepCounter counts the steps of templates, at most maxSteps + 1 of each.
type stepCounter struct {
	trees map[string]*parse.Tree
	of    map[string]int
	open  map[string]bool
	tree  *parse.Tree // the one that is walked
	err   error
}

func (w *stepCounter) refuse(n parse.Node, format string, args ...any) int {
	place := "theme template"
	if w.tree != nil && n != nil {
		place, _ = w.tree.ErrorContext(n)
	}
	w.err = errors.Join(w.err, fmt.Errorf("%s: %s", place, fmt.Sprintf(format, args...)))
	return maxSteps
}

// called are the steps of a template by name; n is the call.
func (w *stepCounter) called(name string, n parse.Node) int {
	if steps, known := w.of[name]; known {
		return steps
	}
	tree := w.trees[name]
	switch {
	case tree == nil:
		return w.refuse(n, "there is no template %q", name)
	case w.open[name]:
		return w.refuse(n, "the template %q calls itself", name)
	}
	outer := w.tree
	w.tree, w.open[name] = tree, true
	steps := w.steps(tree.Root)
	w.tree = outer
	delete(w.open, name)
	w.of[name] = steps
	return steps
}

// steps are those of a node and what is in it.
func (w *stepCounter) steps(n parse.Node) int {
	steps := 1
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return 0
		}
		for _, one := range n.Nodes {
			steps = min(steps+w.steps(one), maxSteps+1)
		}
	case *parse.ActionNode:
		steps += w.pipe(n.Pipe)
	case *parse.IfNode:
		steps += w.pipe(n.Pipe) + w.steps(n.List) + w.steps(n.ElseList)
	case *parse.WithNode:
		steps += w.pipe(n.Pipe) + w.steps(n.List) + w.steps(n.ElseList)
	case *parse.RangeNode:
		steps += w.pipe(n.Pipe) + listLength*w.steps(n.List) + w.steps(n.ElseList)
		look := parse.NewIdentifier("items").SetPos(n.Pos).SetTree(w.tree)
		n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{NodeType: parse.NodeCommand, Pos: n.Pos, Args: []parse.Node{look}})
	case *parse.TemplateNode:
		steps += w.pipe(n.Pipe) + w.called(n.Name, n)
	}
	return min(steps, maxSteps+1)
}

// pipe are the steps of a pipeline.
func (w *stepCounter) pipe(p *parse.PipeNode) int {
	if p == nil {
		return 0
	}
	steps := 0
	for _, c := range p.Cmds {
		for _, arg := range c.Args {
			switch arg := arg.(type) {
			case *parse.IdentifierNode:
				switch arg.Ident {
				case "html", "js", "urlquery", "call":
					w.refuse(arg, "templates have no function %q", arg.Ident)
				}
			case *parse.PipeNode:
				steps += w.pipe(arg)
			}
			steps++
		}
	}
	return steps
}
