package pages

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
)

// An Attribute is one of the user profile, as the registration and profile pages ask for it.
type Attribute struct {
	Name        string
	DisplayName string // may be a ${key}
	Required    bool
	ReadOnly    bool
	Multivalued bool
	Values      []string
	Default     string // shown while there are no values
	// Annotations are those of the profile's configuration: inputType, inputTypePlaceholder, inputHelperTextBefore, inputOptionLabels, ...
	Annotations map[string]any
	// Validators are those of the profile's configuration; the options of selections come from them.
	Validators map[string]map[string]any
	Group      *Group
}

// A Group gathers attributes under a heading.
type Group struct {
	Name, DisplayHeader, DisplayDescription string // texts may be a ${key}
}

// A row is an attribute on a page.
type row struct {
	*scene
	Attribute
	Error     string
	First     bool // whether the heading of its group precedes it
	Autofocus bool
	After     []field
}

// Rows are the attributes of the page, in their order. Keycloak: user-profile-commons.ftl.
func (s *scene) Rows() []row {
	var attributes []Attribute
	var passwordAfter string
	switch v := s.View.(type) {
	case UpdateProfile:
		attributes = v.Attributes
	case UpdateEmail:
		attributes = v.Attributes
	case Register:
		attributes = v.Attributes
		if v.PasswordRequired {
			passwordAfter = "username"
			if s.Realm.EmailAsUsername {
				passwordAfter = "email"
			}
		}
	}
	var out []row
	group := ""
	for _, a := range attributes {
		r := row{scene: s, Attribute: a, Error: s.Error(a.Name)}
		name := ""
		if a.Group != nil {
			name = a.Group.Name
		}
		r.First = name != "" && name != group
		group = name
		if a.Name == passwordAfter {
			for _, p := range []string{"password", "password-confirm"} {
				label := map[string]string{"password": "password", "password-confirm": "passwordConfirm"}[p]
				r.After = append(r.After, s.Field(p, s.Text(label), "", "kind=password", "required", "autocomplete=new-password"))
			}
		}
		out = append(out, r)
	}
	// The cursor starts where something is wrong, or at the beginning.
	if i := slices.IndexFunc(out, func(r row) bool { return r.Error != "" }); i >= 0 {
		out[i].Autofocus = true
	} else if len(out) > 0 {
		out[0].Autofocus = true
	}
	return out
}

// HiddenLocale says that the attribute is the user's language, which the page's own choice decides.
func (r row) HiddenLocale() bool { return r.Name == "locale" && len(r.Locales) > 0 }

// Label is what the attribute is called.
func (r row) Label() string {
	if r.DisplayName == "" {
		return r.Name
	}
	return r.Advanced(r.DisplayName)
}

// Note is an annotation as text, or empty.
func (r row) Note(name string) string {
	v, ok := r.Annotations[name]
	if !ok || v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// Widget is the template that draws the attribute.
func (r row) Widget() string {
	switch r.Note("inputType") {
	case "textarea":
		return "textarea"
	case "select", "multiselect":
		return "select"
	case "select-radiobuttons":
		return "radio"
	case "multiselect-checkboxes":
		return "checkbox"
	}
	return "text"
}

// Choices says that the attribute is a list of boxes or buttons, one for each option.
func (r row) Choices() bool { w := r.Widget(); return w == "radio" || w == "checkbox" }

// Help is the text before or after the field; it may contain markup.
func (r row) Help(where string) template.HTML {
	return sanitize(r.Advanced(r.Note("inputHelperText" + where)))
}

// Placeholder is the hint in the empty field.
func (r row) Placeholder() string { return r.Advanced(r.Note("inputTypePlaceholder")) }

// Multiple says that several options may be chosen.
func (r row) Multiple() bool { return r.Note("inputType") == "multiselect" }

// Kind is the type of the input element.
func (r row) Kind() string {
	kind := strings.TrimPrefix(r.Note("inputType"), "html5-")
	if kind == "" {
		return "text"
	}
	return kind
}

// Autocomplete helps browsers fill in what they know.
func (r row) Autocomplete() string {
	switch r.Name {
	case "username", "email":
		return r.Name
	case "firstName":
		return "given-name"
	case "lastName":
		return "family-name"
	}
	return ""
}

// Shown are the values to show: at least one, the default or empty; one if the attribute has one.
func (r row) Shown() []string {
	switch {
	case len(r.Values) == 0:
		return []string{r.Default}
	case !r.Multivalued:
		return r.Values[:1]
	}
	return r.Values
}

// An option of a selection.
type option struct {
	Value, Label string
	Chosen       bool
}

// Options are what a selection offers.
func (r row) Options() []option {
	chosen := r.Values
	if len(chosen) == 0 && r.Default != "" {
		chosen = []string{r.Default}
	}
	labels, _ := r.Annotations["inputOptionLabels"].(map[string]any)
	prefix := r.Note("inputOptionLabelsI18nPrefix")
	var out []option
	for _, value := range r.optionValues() {
		o := option{Value: value, Label: value, Chosen: slices.Contains(chosen, value)}
		if labels != nil {
			if label, ok := labels[value]; ok {
				o.Label = r.Advanced(fmt.Sprint(label))
			}
		} else if prefix != "" {
			o.Label = r.Text(prefix + "." + value)
		}
		out = append(out, o)
	}
	return out
}

func (r row) optionValues() []string {
	for _, validator := range []string{r.Note("inputOptionsFromValidation"), "options"} {
		switch list := r.Validators[validator]["options"].(type) {
		case []string:
			return list
		case []any:
			var out []string
			for _, v := range list {
				out = append(out, fmt.Sprint(v))
			}
			return out
		}
	}
	return nil
}
