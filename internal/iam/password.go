package iam

import "strings"

// PasswordPolicy is a realm's parsed passwordPolicy; String gives the text back.
type PasswordPolicy []PasswordRule

// A PasswordRule is one "id(value)" of a password policy. Value is "" when the
// text has none.
type PasswordRule struct {
	ID, Value string
	Given     bool // the text has parentheses, though there may be nothing in them
}

// ParsePasswordPolicy reads Keycloak's text, "length(8) and notUsername". It
// takes any text; which rules exist and what values they take is not its
// business. As in Keycloak, " and " separates wherever it stands, and of a rule
// named twice the last value counts, in the place of the first
// (PasswordPolicy.Builder).
func ParsePasswordPolicy(text string) PasswordPolicy {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	var p PasswordPolicy
	at := map[string]int{}
	parts := strings.Split(text, " and ")
	for len(parts) > 0 && parts[len(parts)-1] == "" { // which Java's String.split leaves out
		parts = parts[:len(parts)-1]
	}
	for _, part := range parts {
		part = strings.TrimSpace(part)
		id, value, found := strings.Cut(part, "(")
		if found && value != "" {
			value = value[:len(value)-1] // the closing parenthesis, unlooked at
		}
		id = strings.TrimSpace(id)
		if i, seen := at[id]; seen {
			p[i].Value, p[i].Given = value, found
			continue
		}
		at[id] = len(p)
		p = append(p, PasswordRule{id, value, found})
	}
	return p
}

// String is the policy as Keycloak writes it; ParsePasswordPolicy reads it back.
func (p PasswordPolicy) String() string {
	var b strings.Builder
	for i, r := range p {
		if i > 0 {
			b.WriteString(" and ")
		}
		b.WriteString(r.ID)
		if strings.TrimSpace(r.Value) != "" {
			b.WriteString("(" + r.Value + ")")
		}
	}
	return b.String()
}

// Rule returns the value of a rule and whether the policy has it.
func (p PasswordPolicy) Rule(id string) (value string, ok bool) {
	for _, r := range p {
		if r.ID == id {
			return r.Value, true
		}
	}
	return "", false
}
