package users

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
)

// A check is a configured validator: it returns what it refuses of the values,
// each reason once.
type check func(values []string) []refusal

// A refusal is a message key and its parameters (without the attribute's name).
type refusal struct {
	key    string
	params []any
}

// settings are a validator's configuration.
type settings map[string]jsontext.Value

func (s settings) text(name string) string {
	var v any
	if err := json.Unmarshal(s[name], &v); err != nil || v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// A mistake is something wrong with a validator's configuration.
type mistake struct {
	setting, key string
	params       []any
}

// mistakes are all there are in one configuration, an error in Keycloak's words
// once the validator is known.
type mistakes []mistake

func (m mistakes) Error() string { return m.of("") }

// of writes the mistakes as Keycloak's ValidationError.toString does.
func (m mistakes) of(validator string) string {
	var b strings.Builder
	for _, one := range m {
		params := make([]string, len(one.params))
		for i, p := range one.params {
			params[i] = fmt.Sprint(p)
		}
		fmt.Fprintf(&b, "ValidationError{validatorId='%s', inputHint='%s', message='error-validator-config-%s', messageParameters=[%s]}, ",
			validator, one.setting, one.key, strings.Join(params, ", "))
	}
	return b.String()
}

// limits reads min and max, which may be written as text, and gives them back
// as parameters of messages. Those in need must be there.
func (s settings) limits(need ...string) (lo, hi float64, params []any, bad mistakes) {
	params = []any{nil, nil}
	lo, hi = -1e308, 1e308
	for i, name := range []string{"min", "max"} {
		text := s.text(name)
		n, err := strconv.ParseFloat(text, 64)
		switch {
		case text == "":
			if slices.Contains(need, name) {
				bad = append(bad, mistake{name, "missing-value", nil})
			}
			continue
		case err != nil:
			bad = append(bad, mistake{name, "invalid-number-value", []any{text}})
			continue
		case i == 0:
			lo = n
		default:
			hi = n
		}
		params[i] = n
		if n == float64(int64(n)) {
			params[i] = int64(n)
		}
	}
	if bad == nil && lo > hi {
		bad = mistakes{{"max", "invalid-value", nil}}
	}
	return lo, hi, params, bad
}

// validators makes checks by Keycloak's validator ids.
var validators = map[string]func(settings) (check, error){
	"length":                            lengthCheck,
	"email":                             emailCheck,
	"person-name-prohibited-characters": characters(personName, "error-person-name-invalid-character"),
	"username-prohibited-characters":    characters(userName, "error-username-invalid-character"),
	"up-username-not-idn-homograph":     characters(latinOrCommon, "error-username-invalid-character"),
	"pattern":                           patternCheck,
	"options":                           optionsCheck,
	"integer":                           numberCheck(func(s string) bool { _, err := strconv.ParseInt(s, 10, 64); return err == nil }),
	"double":                            numberCheck(func(s string) bool { _, err := strconv.ParseFloat(s, 64); return err == nil }),
	"uri":                               uriCheck,
	"local-date":                        simple(dated("1/2/06", "1/2/2006"), "error-invalid-date", false),
	"iso-date":                          simple(dated(time.DateOnly), "error-invalid-date", true),
	"multivalued":                       sizeCheck,
	"not-blank":                         blankCheck,
	"not-empty":                         blankCheck,
}

func newCheck(id string, cfg map[string]jsontext.Value) (check, error) {
	make, ok := validators[id]
	if !ok {
		return nil, fmt.Errorf("user profile: there is no validator %q", id)
	}
	c, err := make(cfg)
	if err != nil {
		return nil, fmt.Errorf("user profile: validator %s: %w", id, err)
	}
	return c, nil
}

// valueLength is what values must keep to where the profile has no validator of
// lengths, and of attributes that it does not know.
func valueLength(values []string) []refusal {
	for _, v := range values {
		if iam.Characters(v) > iam.MaxValue {
			return []refusal{{"error-invalid-length", []any{0, iam.MaxValue}}}
		}
	}
	return nil
}

// single is what attributes without multivalued must be.
func single(values []string) []refusal {
	if count(values) > 1 {
		return []refusal{{"error-invalid-multivalued-size", []any{0, 1}}}
	}
	return nil
}

func count(values []string) (n int) {
	for _, v := range values {
		if strings.TrimSpace(v) != "" {
			n++
		}
	}
	return n
}

// shownValidations are an attribute's validators as metadata show them.
func shownValidations(a *rep.UPAttribute) map[string]map[string]jsontext.Value {
	out := map[string]map[string]jsontext.Value{}
	add := func(id string, cfg map[string]jsontext.Value) {
		c := maps.Clone(cfg)
		if c == nil {
			c = map[string]jsontext.Value{}
		}
		c["ignore.empty.value"] = jsontext.Value("true")
		out[id] = c
	}
	for id, cfg := range a.Validations {
		add(id, cfg)
	}
	if !a.Multivalued && a.Name != "locale" {
		out["multivalued"] = map[string]jsontext.Value{"max": jsontext.Value(`"1"`)}
	}
	return out
}

// perValue makes a check of one that looks at each value that is not empty.
// Reasons that name their value are as many as there are values.
func perValue(one func(value string) (string, []any)) check {
	return func(values []string) []refusal {
		var all []refusal
		for _, v := range values {
			if strings.TrimSpace(v) == "" {
				continue
			}
			key, params := one(v)
			if key != "" && !slices.ContainsFunc(all, func(r refusal) bool { return r.key == key && slices.Equal(r.params, params) }) {
				all = append(all, refusal{key, params})
			}
		}
		return all
	}
}

func lengthCheck(s settings) (check, error) {
	var need []string
	if s.text("min") == "" && s.text("max") == "" {
		need = []string{"min", "max"}
	}
	lo, hi, params, bad := s.limits(need...)
	if bad != nil {
		return nil, bad
	}
	key := "error-invalid-length"
	switch {
	case params[0] == nil:
		key = "error-invalid-length-too-long"
	case params[1] == nil:
		key = "error-invalid-length-too-short"
	}
	keepSpaces := s.text("trim-disabled") == "true"
	return perValue(func(v string) (string, []any) {
		if !keepSpaces {
			v = strings.TrimSpace(v)
		}
		if n := float64(iam.Characters(v)); n < lo || n > hi {
			return key, params
		}
		return "", nil
	}), nil
}

// simple makes a validator of a predicate; withValue adds the value to the message.
func simple(ok func(string) bool, key string, withValue bool) func(settings) (check, error) {
	return func(settings) (check, error) {
		return perValue(func(v string) (string, []any) {
			switch {
			case ok(v):
				return "", nil
			case withValue:
				return key, []any{v}
			}
			return key, nil
		}), nil
	}
}

func characters(allowed func(rune) bool, key string) func(settings) (check, error) {
	return func(s settings) (check, error) {
		message := key
		if own := s.text("error-message"); own != "" {
			message = own
		}
		return simple(func(v string) bool { return !strings.ContainsFunc(v, func(r rune) bool { return !allowed(r) }) }, message, false)(s)
	}
}

// Keycloak: PersonNameProhibitedCharactersValidator, UsernameProhibitedCharactersValidator, UsernameIDNHomographValidator.
func personName(r rune) bool {
	return !strings.ContainsRune("<>&\"\v$%!#?§;*~/\\|^=[]{}()", r) && !unicode.IsControl(r)
}

func userName(r rune) bool {
	return !strings.ContainsRune("<>&\"'$%!#?§,;:*~/\\|^=[]{}()`", r) && !unicode.IsControl(r) && !unicode.IsSpace(r)
}

func latinOrCommon(r rune) bool { return unicode.In(r, unicode.Latin, unicode.Common) || r == '|' }

// patternTimeout bounds what an administrator's pattern may cost.
const patternTimeout = 200 * time.Millisecond

func patternCheck(s settings) (check, error) {
	text := s.text("pattern")
	if s["pattern"] == nil {
		return nil, mistakes{{"pattern", "missing-value", nil}}
	}
	re, err := regexp2.Compile(`\A(?:`+text+`)\z`, regexp2.None)
	if err != nil {
		return nil, mistakes{{"pattern", "invalid-value", []any{text, err}}}
	}
	re.MatchTimeout = patternTimeout
	key := "error-pattern-no-match"
	if own := s.text("error-message"); own != "" {
		key = own
	}
	return perValue(func(v string) (string, []any) {
		if ok, err := re.MatchString(v); err != nil || !ok {
			return key, []any{text}
		}
		return "", nil
	}), nil
}

func optionsCheck(s settings) (check, error) {
	var options []string
	if s["options"] == nil {
		return nil, mistakes{{"options", "missing-value", nil}}
	}
	if err := json.Unmarshal(s["options"], &options); err != nil {
		return nil, mistakes{{"options", "invalid-value", []any{"must be list of values"}}}
	}
	return perValue(func(v string) (string, []any) {
		if slices.Contains(options, v) {
			return "", nil
		}
		return "error-invalid-value", nil
	}), nil
}

func numberCheck(isNumber func(string) bool) func(settings) (check, error) {
	return func(s settings) (check, error) {
		lo, hi, params, bad := s.limits()
		if bad != nil {
			return nil, bad
		}
		key := "error-number-out-of-range"
		switch {
		case params[0] == nil:
			key = "error-number-out-of-range-too-big"
		case params[1] == nil:
			key = "error-number-out-of-range-too-small"
		}
		return perValue(func(v string) (string, []any) {
			if !isNumber(v) {
				return "error-invalid-number", nil
			}
			if n, _ := strconv.ParseFloat(v, 64); n < lo || n > hi {
				return key, params
			}
			return "", nil
		}), nil
	}
}

func uriCheck(s settings) (check, error) {
	schemes := []string{"http", "https"}
	if own := s["allowedSchemes"]; own != nil {
		if err := json.Unmarshal(own, &schemes); err != nil {
			schemes = []string{s.text("allowedSchemes")}
		}
	}
	fragments := s.text("allowFragment") != "false"
	return perValue(func(v string) (string, []any) {
		if bad := uriMistake(v); bad != "" {
			return "error-invalid-uri", []any{v, bad}
		}
		scheme, _, _ := strings.Cut(v, ":")
		if !slices.Contains(schemes, scheme) {
			return "error-invalid-uri-scheme", []any{v, scheme}
		}
		if _, fragment, _ := strings.Cut(v, "#"); !fragments && fragment != "" {
			return "error-invalid-uri-fragment", []any{v, fragment}
		}
		if _, err := url.Parse(v); err != nil { // such as a port that is no number
			return "error-invalid-uri", []any{v, "Malformed URL"}
		}
		return "", nil
	}), nil
}

// uriMistake says what keeps a text from being an absolute URI, in the words of java.net.URI.
func uriMistake(v string) string {
	part, begin := "path", strings.IndexAny(v, ":/?#")
	at := func(what string, i int) string { return fmt.Sprintf("%s at index %d: %s", what, i, v) }
	if begin > 0 && v[begin] == ':' {
		// RFC 3986, section 3.1.
		if i := strings.IndexFunc(v[:begin], func(c rune) bool { return !alphanumeric(c) && !strings.ContainsRune("+-.", c) }); i >= 0 &&
			v[0] > '9' {
			return at("Illegal character in scheme name", utf8.RuneCountInString(v[:i]))
		}
		if !alphanumeric(rune(v[0])) || v[0] <= '9' {
			return at("Illegal character in scheme name", 0)
		}
	}
	switch {
	case begin == 0 && v[0] == ':':
		return at("Expected scheme name", 0)
	case begin < 0 || v[begin] != ':':
		begin = 0
	case begin+1 == len(v):
		return at("Expected scheme-specific part", begin+1)
	case v[begin:] == "://":
		return at("Expected authority", begin+3)
	case strings.HasPrefix(v[begin:], "://"):
		part, begin = "authority", begin+3
	default:
		begin++
	}
	for i := begin; i < len(v); i++ {
		switch c := v[i]; {
		case c == '#' && part != "fragment":
			part = "fragment"
		case c == '?' && part != "fragment":
			part = "query"
		case c == '/' && part == "authority":
			part = "path"
		case c <= ' ' || strings.IndexByte("\"#<>[\\]^`{|}\x7f", c) >= 0 && (part != "authority" || c != '[' && c != ']'):
			return at("Illegal character in "+part, utf8.RuneCountInString(v[:i]))
		case c == '%':
			if _, err := url.PathUnescape(v[i:min(i+3, len(v))]); err != nil {
				return at("Malformed escape pair", utf8.RuneCountInString(v[:i]))
			}
		}
	}
	if begin == 0 {
		return "URI is not absolute"
	}
	return ""
}

func dated(layouts ...string) func(string) bool {
	return func(v string) bool {
		return slices.ContainsFunc(layouts, func(layout string) bool { _, err := time.Parse(layout, v); return err == nil })
	}
}

func sizeCheck(s settings) (check, error) {
	lo, hi, params, bad := s.limits("max")
	for i := range bad {
		bad[i].params = nil // unlike other validators'
	}
	if bad != nil {
		return nil, bad
	}
	if params[0] == nil {
		params[0] = 0
	}
	return func(values []string) []refusal {
		if n := float64(count(values)); n < lo || n > hi {
			return []refusal{{"error-invalid-multivalued-size", params}}
		}
		return nil
	}, nil
}

func blankCheck(settings) (check, error) {
	return func(values []string) []refusal {
		if count(values) == 0 {
			return []refusal{{"error-invalid-blank", nil}}
		}
		return nil
	}, nil
}

// emailCheck: the length of the local part may be set, up to Keycloak's limit.
func emailCheck(s settings) (check, error) {
	longest := maxLocalPart
	if text := s.text("max-local-length"); text != "" {
		var err error
		if longest, err = strconv.Atoi(text); err != nil {
			return nil, mistakes{{"max-local-length", "invalid-number-value", []any{text}}}
		}
	}
	return simple(func(v string) bool { return validEmail(v, longest) }, "error-invalid-email", true)(s)
}

const (
	maxLocalPart = 64 // Keycloak: MAX_EMAIL_LOCAL_PART_LENGTH
	maxDomain    = 255
	maxLabel     = 63
)

// validEmail is Keycloak's EmailValidationUtil; longest bounds the local part.
func validEmail(s string, longest int) bool {
	at := strings.LastIndexByte(s, '@')
	if at < 1 {
		return false
	}
	local, domain := s[:at], s[at+1:]
	if len(utf16.Encode([]rune(local))) > longest || len(domain) > maxDomain || domain == "" {
		return false
	}
	if quoted := strings.TrimSuffix(strings.TrimPrefix(local, `"`), `"`); len(quoted) == len(local)-2 {
		return !strings.ContainsAny(quoted, "\"\r\n")
	}
	for atom := range strings.SplitSeq(local, ".") {
		if atom == "" || strings.ContainsFunc(atom, func(r rune) bool { return !atomText(r) }) {
			return false
		}
	}
	if ip, ok := strings.CutPrefix(domain, "["); ok {
		_, err := netip.ParseAddr(strings.TrimPrefix(strings.TrimSuffix(ip, "]"), "IPv6:"))
		return err == nil && strings.HasSuffix(ip, "]")
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(domain, "."), ".") {
		if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.ContainsFunc(label, func(r rune) bool { return r < 0x80 && r != '-' && !alphanumeric(r) }) {
			return false
		}
	}
	return true
}

func alphanumeric(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

func atomText(r rune) bool {
	return alphanumeric(r) || r >= 0x80 || strings.ContainsRune("!#$%&'*+/=?^_`{|}~-", r)
}
