package realms

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"latchkey/internal/rep"
)

// expandDepth bounds how often a value may name another: one may name itself.
const expandDepth = 16

// expandJSON replaces ${NAME}, ${NAME,OTHER} and ${NAME:default} in a JSON text
// by values from the environment. A default may hold placeholders, and so may a
// value. Within a JSON string a value is written as JSON wants it, so that it
// can neither end the string nor add members. A name that is not known and has
// no default stays: realm files are full of ${role_...}.
// Keycloak: StringPropertyReplacer.
func expandJSON(text string, env func(string) (string, bool)) string {
	var out strings.Builder
	inString := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			inString = !inString
		case c == '\\' && inString && i+1 < len(text):
			out.WriteByte(c)
			i++
		case c == '$':
			content, ok := placeholder(text[i:])
			if !ok || inString && strings.Contains(content, `"`) {
				break
			}
			value, plain, known := lookUp(content, env, expandDepth)
			if !known {
				break
			}
			if plain && inString {
				quoted, err := rep.Marshal(value)
				if err != nil {
					break
				}
				value = string(quoted[1 : len(quoted)-1])
			}
			out.WriteString(value)
			i += len("${}") + len(content) - 1
			continue
		}
		out.WriteByte(text[i])
	}
	return out.String()
}

// placeholder returns what stands between the braces that a text begins with,
// "${...}", which may hold others.
func placeholder(text string) (string, bool) {
	if !strings.HasPrefix(text, "${") {
		return "", false
	}
	open := 0
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '{':
			open++
		case '}':
			if open--; open == 0 {
				return text[2:i], true
			}
		case '\n':
			return "", false
		}
	}
	return "", false
}

// lookUp looks a placeholder up. A plain value is not yet written as JSON, as
// a default of the file is.
func lookUp(content string, env func(string) (string, bool), depth int) (value string, plain, known bool) {
	names, def, hasDefault := strings.Cut(content, ":")
	for _, name := range strings.Split(names, ",") {
		if value, ok := env(strings.TrimPrefix(name, "env.")); ok {
			return expandText(value, env, depth-1), true, true
		}
	}
	if !hasDefault || names == "" {
		return "", false, false
	}
	return expandText(def, env, depth-1), false, true
}

// expandText replaces the placeholders in a value or a default.
func expandText(text string, env func(string) (string, bool), depth int) string {
	if depth == 0 || !strings.Contains(text, "${") {
		return text
	}
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if content, ok := placeholder(text[i:]); ok {
			if value, _, known := lookUp(content, env, depth); known {
				out.WriteString(value)
				i += len("${}") + len(content) - 1
				continue
			}
		}
		out.WriteByte(text[i])
	}
	return out.String()
}

// variable is a placeholder that is meant for a value of the environment: those
// of messages are in small letters.
var variable = regexp.MustCompile(`\$\{(?:env\.)?[A-Z][A-Z0-9_]*(?:,[A-Za-z0-9_.]*)*\}`)

// unreplaced lists the placeholders of a realm for which there was no value,
// with their places.
func (f *RealmFile) unreplaced() []Gap {
	var found []Gap
	for _, p := range f.parts {
		if !bytes.Contains(p.text, []byte("${")) {
			continue
		}
		d := jsontext.NewDecoder(bytes.NewReader(p.text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
		for {
			token, err := d.ReadToken()
			if err != nil {
				break
			}
			if token.Kind() != '"' {
				continue
			}
			place, ok := strings.CutPrefix(string(d.StackPointer()), p.prefix)
			if !ok {
				continue
			}
			for _, name := range variable.FindAllString(token.String(), -1) {
				found = append(found, Gap{Realm: f.Realm.Realm, What: "placeholder " + name, Whom: "there is no such variable, and " + place +
					" has the text itself"})
			}
		}
	}
	return found
}
