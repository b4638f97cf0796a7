package policy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/dlclark/regexp2"

	"latchkey/internal/iam"
	"latchkey/internal/passhash"
)

// A Subject is whose password is to be checked. Name and Email may be empty.
type Subject struct {
	Name, Email string
	// UsedBefore tells whether the password is the current one or one of the
	// last count-1 before it; UsedWithin whether it is the current one or one
	// that was set less than age ago. Both are nil for users who have none yet.
	UsedBefore func(ctx context.Context, count int) (bool, error)
	UsedWithin func(ctx context.Context, age time.Duration) (bool, error)
}

// A Checker checks passwords.
type Checker struct{ lists *denylists }

// New makes a Checker whose password blacklists are files in dir; "" means that
// there are none, and a policy that names one refuses every password.
func New(dir string) *Checker { return &Checker{newDenylists(dir)} }

// A rule says what is wrong with a password: "" for nothing, else a message key
// with parameters.
type rule func(ctx context.Context, c *Checker, s *Subject, value, password string) (key string, params []any, err error)

// rules are the PasswordPolicyProviders of Keycloak 26.7 that look at the
// password. A nil rule is about something else: hashing, or the time of login.
var rules = map[string]rule{
	"length":    counted("invalidPasswordMinLengthMessage", 8, func(p string, n int) bool { return javaLength(p) >= n }),
	"maxLength": counted("invalidPasswordMaxLengthMessage", 64, func(p string, n int) bool { return javaLength(p) <= n }),
	"digits":    counted("invalidPasswordMinDigitsMessage", 1, atLeast(unicode.IsDigit)),
	"lowerCase": counted("invalidPasswordMinLowerCaseCharsMessage", 1, atLeast(unicode.IsLower)),
	"upperCase": counted("invalidPasswordMinUpperCaseCharsMessage", 1, atLeast(unicode.IsUpper)),
	"specialChars": counted("invalidPasswordMinSpecialCharsMessage", 1, atLeast(func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})),
	"notUsername":         notUsername,
	"notEmail":            notEmail,
	"notContainsUsername": notContainsUsername,
	"regexPattern":        regexPattern,
	"passwordBlacklist":   notListed,
	"passwordHistory":     passwordHistory,
	"passwordAge":         passwordAge,

	"hashAlgorithm":                 nil,
	"hashIterations":                nil,
	"forceExpiredPasswordChange":    nil,
	"maxAuthAge":                    nil,
	"recoveryCodesWarningThreshold": nil,
}

// Check returns nil for a password that the policy takes, an *iam.Error with
// Keycloak's message key and parameters for one that it refuses, and any other
// error when the policy itself cannot be followed: the password must not be
// taken then. Of several reasons the first in Keycloak's order is told.
// Keycloak: DefaultPasswordPolicyManagerProvider.
func (c *Checker) Check(ctx context.Context, p iam.PasswordPolicy, s *Subject, password string) error {
	for _, r := range ordered(p) {
		check, known := rules[r.ID]
		switch {
		case !known:
			return fmt.Errorf("password policy: there is no rule %q", r.ID)
		case check == nil:
			continue
		}
		key, params, err := check(ctx, c, s, r.Value, password)
		if err != nil {
			return fmt.Errorf("password policy %s: %w", r.ID, err)
		}
		if key != "" {
			return &iam.Error{Kind: iam.Invalid, Msg: key, Params: params}
		}
	}
	return nil
}

// ordered is a policy in the order in which Keycloak follows it: that of the
// hash table of Java that holds it there, so that the same one of several
// reasons is told. Keycloak: PasswordPolicy.getPolicies.
func ordered(p iam.PasswordPolicy) iam.PasswordPolicy {
	size := uint32(16)
	for 4*len(p) > 3*int(size) {
		size *= 2
	}
	bucket := func(r iam.PasswordRule) uint32 {
		h := uint32(0)
		for _, c := range utf16.Encode([]rune(r.ID)) {
			h = 31*h + uint32(c)
		}
		return (h ^ h>>16) & (size - 1)
	}
	return slices.SortedStableFunc(slices.Values(p), func(x, y iam.PasswordRule) int { return cmp.Compare(bucket(x), bucket(y)) })
}

// Valid reports what is wrong with a policy before it is stored, as an
// *iam.Error in Keycloak's words: a rule that does not exist, a number that is
// none, a pattern, a list or an algorithm that there is not.
// Keycloak: the PasswordPolicyProvider implementations' parseConfig.
func (c *Checker) Valid(p iam.PasswordPolicy) error {
	for _, r := range p {
		if _, known := rules[r.ID]; !known {
			return iam.Errorf(iam.Invalid, "Password policy not found")
		}
		if err := c.validValue(r); err != nil {
			return iam.Errorf(iam.Invalid, "Invalid config for %s: %v", r.ID, err)
		}
	}
	return nil
}

// The mistakes in values, in Keycloak's words.
var (
	errNumber      = errors.New("Not a valid number")                       //nolint:staticcheck // Keycloak's words
	errNoPattern   = errors.New("Config required")                          //nolint:staticcheck // Keycloak's words
	errBlank       = errors.New("White space not acepted")                  //nolint:staticcheck // Keycloak's words
	errPattern     = errors.New("Not a valid regular expression")           //nolint:staticcheck // Keycloak's words
	errNoAlgorithm = errors.New("Password hashing provider id must be set") //nolint:staticcheck // Keycloak's words
	errAlgorithm   = errors.New("Password hashing provider not found")      //nolint:staticcheck // Keycloak's words
)

func (c *Checker) validValue(r iam.PasswordRule) error {
	blank := strings.TrimSpace(r.Value) == ""
	switch r.ID {
	case "notUsername", "notEmail", "notContainsUsername":
	case "regexPattern":
		switch {
		case !r.Given:
			return errNoPattern
		case blank:
			return errBlank
		}
		if _, err := pattern(r.Value); err != nil {
			return errPattern
		}
	case "passwordBlacklist":
		_, err := c.lists.get(r.Value)
		return err
	case "hashAlgorithm":
		switch {
		case !r.Given:
			return errNoAlgorithm
		case !passhash.Known(strings.TrimSpace(r.Value)):
			return errAlgorithm
		}
	default:
		text := strings.TrimSpace(r.Value)
		if n, err := strconv.Atoi(text); r.Given && text != "undefined" && (err != nil || int64(n) != int64(int32(n))) {
			return errNumber
		}
	}
	return nil
}

// Expiry is how old passwords may become, 0 for any age.
// Keycloak: ForceExpiredPasswordPolicyProvider.
func Expiry(p iam.PasswordPolicy) time.Duration {
	value, ok := p.Rule("forceExpiredPasswordChange")
	if !ok {
		return 0
	}
	days, err := number(value, 365)
	if err != nil || days <= 0 {
		return 0
	}
	return time.Duration(days) * 24 * time.Hour
}

// History is how many passwords must be kept to follow the policy, the current
// one included, and for how long those are that passwordAge wants.
func History(p iam.PasswordPolicy) (count int, age time.Duration) {
	if value, ok := p.Rule("passwordHistory"); ok {
		count, _ = number(value, 3)
	}
	if value, ok := p.Rule("passwordAge"); ok {
		days, _ := number(value, 30)
		age = time.Duration(days) * 24 * time.Hour
	}
	return count, age
}

// MaxAuthAge is how long ago a login may be for a password to be changed
// without another one. Keycloak: MaxAuthAgePasswordPolicyProvider.
func MaxAuthAge(p iam.PasswordPolicy) time.Duration {
	value, _ := p.Rule("maxAuthAge")
	n, err := number(value, 300)
	if err != nil || n < 0 {
		n = 300
	}
	return time.Duration(n) * time.Second
}

func number(value string, absent int) (int, error) {
	value = strings.TrimSpace(value)
	if value == "" || value == "undefined" {
		return absent, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		return 0, errNumber
	}
	return n, nil
}

// counted makes a rule with a number.
func counted(key string, absent int, ok func(password string, n int) bool) rule {
	return func(_ context.Context, _ *Checker, _ *Subject, value, password string) (string, []any, error) {
		n, err := number(value, absent)
		if err != nil || ok(password, n) {
			return "", nil, err
		}
		return key, []any{n}, nil
	}
}

func atLeast(is func(rune) bool) func(string, int) bool {
	return func(password string, n int) bool {
		for _, r := range password {
			if is(r) {
				n--
			}
		}
		return n <= 0
	}
}

// javaLength counts UTF-16 units, as String.length does.
func javaLength(s string) int { return len(utf16.Encode([]rune(s))) }

func notUsername(_ context.Context, _ *Checker, s *Subject, _, password string) (string, []any, error) {
	if s.Name != "" && strings.EqualFold(s.Name, password) {
		return "invalidPasswordNotUsernameMessage", nil, nil
	}
	return "", nil, nil
}

func notEmail(_ context.Context, _ *Checker, s *Subject, _, password string) (string, []any, error) {
	if s.Email != "" && strings.EqualFold(s.Email, password) {
		return "invalidPasswordNotEmailMessage", nil, nil
	}
	return "", nil, nil
}

func notContainsUsername(_ context.Context, _ *Checker, s *Subject, _, password string) (string, []any, error) {
	if s.Name != "" && strings.Contains(strings.ToLower(password), strings.ToLower(s.Name)) {
		return "invalidPasswordNotContainsUsernameMessage", nil, nil
	}
	return "", nil, nil
}

// matchTimeout bounds what a pattern may cost: administrators write them, but
// passwords come from anybody.
const matchTimeout = 200 * time.Millisecond

// pattern compiles a pattern in Java's dialect, which has to match the whole.
func pattern(value string) (*regexp2.Regexp, error) {
	re, err := regexp2.Compile(`\A(?:`+value+`)\z`, regexp2.None)
	if err != nil {
		return nil, fmt.Errorf("not a valid regular expression: %w", err)
	}
	re.MatchTimeout = matchTimeout
	return re, nil
}

func regexPattern(_ context.Context, _ *Checker, _ *Subject, value, password string) (string, []any, error) {
	re, err := pattern(value)
	if err != nil {
		return "", nil, err
	}
	// The one error is that of time: a password that takes so long is refused.
	if ok, err := re.MatchString(password); err == nil && ok {
		return "", nil, nil
	}
	return "invalidPasswordRegexPatternMessage", []any{value}, nil
}

func notListed(_ context.Context, c *Checker, _ *Subject, value, password string) (string, []any, error) {
	list, err := c.lists.get(value)
	if err != nil {
		return "", nil, err
	}
	if _, listed := list[strings.ToLower(password)]; listed {
		return "invalidPasswordBlacklistedMessage", nil, nil
	}
	return "", nil, nil
}

func passwordHistory(ctx context.Context, _ *Checker, s *Subject, value, _ string) (string, []any, error) {
	n, err := number(value, 3)
	if err != nil || s.UsedBefore == nil {
		return "", nil, err
	}
	if used, err := s.UsedBefore(ctx, n); err != nil || !used {
		return "", nil, err
	}
	return "invalidPasswordHistoryMessage", []any{n}, nil
}

func passwordAge(ctx context.Context, _ *Checker, s *Subject, value, _ string) (string, []any, error) {
	days, err := number(value, 30)
	if err != nil || s.UsedWithin == nil {
		return "", nil, err
	}
	if used, err := s.UsedWithin(ctx, time.Duration(days)*24*time.Hour); err != nil || !used {
		return "", nil, err
	}
	return "invalidPasswordGenericMessage", []any{days}, nil
}
