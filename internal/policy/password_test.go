package policy_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/policy"
)

// Keycloak: the PasswordPolicyProviders in org.keycloak.policy.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "common.txt"), []byte("secret\nletmein\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	checker := policy.New(dir)
	used := func(context.Context, int) (bool, error) { return true, nil }
	within := func(_ context.Context, age time.Duration) (bool, error) { return age == 30*24*time.Hour, nil }
	s := &policy.Subject{Name: "anna", Email: "anna@x.test", UsedBefore: used, UsedWithin: within}
	for _, c := range []struct{ policy, password, want string }{
		{"", "", ""},
		{"length(8)", "1234567", "invalidPasswordMinLengthMessage [8]"},
		{"length", "12345678", ""},
		{"length(undefined)", "1234567", "invalidPasswordMinLengthMessage [8]"},
		{"length(2)", "😀", ""},
		{"maxLength(3)", "1234", "invalidPasswordMaxLengthMessage [3]"},
		{"digits(2)", "a1", "invalidPasswordMinDigitsMessage [2]"},
		{"lowerCase(1)", "A", "invalidPasswordMinLowerCaseCharsMessage [1]"},
		{"upperCase(1)", "a", "invalidPasswordMinUpperCaseCharsMessage [1]"},
		{"upperCase(1)", "É", ""},
		{"specialChars(1)", "a1", "invalidPasswordMinSpecialCharsMessage [1]"},
		{"specialChars(1)", "a b", ""},
		{"notUsername", "ANNA", "invalidPasswordNotUsernameMessage []"},
		{"notEmail", "Anna@x.test", "invalidPasswordNotEmailMessage []"},
		{"notContainsUsername", "xAnnax", "invalidPasswordNotContainsUsernameMessage []"},
		{"regexPattern(^(?=.*[A-Z]).{3,}$)", "abc", "invalidPasswordRegexPatternMessage [^(?=.*[A-Z]).{3,}$]"},
		{"regexPattern(^(?=.*[A-Z]).{3,}$)", "aBc", ""},
		{"regexPattern([a-z]+)", "abc1", "invalidPasswordRegexPatternMessage [[a-z]+]"},
		{"passwordBlacklist(common.txt)", "LetMeIn", "invalidPasswordBlacklistedMessage []"},
		{"passwordBlacklist(common.txt)", "other", ""},
		{"passwordHistory(5)", "x", "invalidPasswordHistoryMessage [5]"},
		{"passwordAge(30)", "x", "invalidPasswordGenericMessage [30]"},
		{"passwordAge(7)", "x", ""},
		{"hashIterations(5) and hashAlgorithm(argon2) and forceExpiredPasswordChange(3) and maxAuthAge(1)", "x", ""},
		// Keycloak 26.7.3, asked: the order is the hash table's, not the text's.
		{"digits(1) and length(8)", "x", "invalidPasswordMinLengthMessage [8]"},
		{"length(8) and digits(1) and specialChars(1)", "x", "invalidPasswordMinSpecialCharsMessage [1]"},
		// What cannot be followed lets nothing pass.
		{"passwordBlacklist(missing.txt)", "other", "fault"},
		{"passwordBlacklist(../common.txt)", "other", "fault"},
		{"regexPattern(()", "x", "fault"},
		{"length(many)", "x", "fault"},
		{"nonsense(1)", "x", "fault"},
	} {
		err := checker.Check(t.Context(), iam.ParsePasswordPolicy(c.policy), s, c.password)
		got := ""
		var refusal *iam.Error
		switch {
		case errors.As(err, &refusal):
			got = fmt.Sprint(refusal.Msg, " ", refusal.Params)
		case err != nil:
			got = "fault"
		}
		if got != c.want {
			t.Errorf("%s, %q: %q (%v), want %q", c.policy, c.password, got, err, c.want)
		}
		if valid := checker.Valid(iam.ParsePasswordPolicy(c.policy)); (valid != nil) != (c.want == "fault") {
			t.Errorf("%s: %v when it is stored", c.policy, valid)
		}
	}
}

func TestAges(t *testing.T) {
	p := iam.ParsePasswordPolicy("forceExpiredPasswordChange(2) and passwordHistory(4) and passwordAge(3) and maxAuthAge(60)")
	count, age := policy.History(p)
	if policy.Expiry(p) != 48*time.Hour || count != 4 || age != 72*time.Hour || policy.MaxAuthAge(p) != time.Minute {
		t.Error(policy.Expiry(p), count, age, policy.MaxAuthAge(p))
	}
	if policy.Expiry(nil) != 0 || policy.MaxAuthAge(nil) != 300*time.Second {
		t.Error("without a policy:", policy.Expiry(nil), policy.MaxAuthAge(nil))
	}
}
