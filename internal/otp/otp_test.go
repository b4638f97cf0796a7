package otp

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"
	"strings"
	"testing"
	"time"
)

func credential(t *testing.T, data, secret string) *Credential {
	t.Helper()
	c, err := ParseCredential([]byte(data), []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const (
	seed     = "12345678901234567890"
	seedData = `{"value":"` + seed + `"}`
)

// RFC 4226 appendix D.
func TestHOTP(t *testing.T) {
	c := credential(t, `{"subType":"hotp","digits":6,"counter":3,"period":0,"algorithm":"HmacSHA1"}`, seedData)
	codes := []string{"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"}
	for i, want := range codes {
		if got, err := c.Code(int64(i)); err != nil || got != want {
			t.Errorf("counter %d: %s, %v, want %s", i, got, err, want)
		}
		// Keycloak: HmacOTP.validateHOTP takes the counter and as many ahead of it as the window says, none before.
		match, ok := c.Verify(want, time.Time{}, 2)
		if ok != (i >= 3 && i <= 5) || ok && match != int64(i) {
			t.Errorf("counter %d: match %d, %v", i, match, ok)
		}
	}
}

// RFC 6238 appendix B.
func TestTOTP(t *testing.T) {
	for _, v := range []struct {
		unix                 int64
		sha1, sha256, sha512 string
	}{
		{59, "94287082", "46119246", "90693936"},
		{1111111109, "07081804", "68084774", "25091201"},
		{1111111111, "14050471", "67062674", "99943326"},
		{1234567890, "89005924", "91819424", "93441116"},
		{2000000000, "69279037", "90698825", "38618901"},
		{20000000000, "65353130", "77737706", "47863826"},
	} {
		for algorithm, c := range map[string]struct {
			length int
			want   string
		}{"HmacSHA1": {20, v.sha1}, "HmacSHA256": {32, v.sha256}, "HmacSHA512": {64, v.sha512}} {
			p := Policy{Type: TOTP, Algorithm: algorithm, Digits: 8, Period: 30}
			data, secret, err := p.NewCredential(strings.Repeat(seed, 4)[:c.length])
			if err != nil {
				t.Fatal(err)
			}
			cred := credential(t, string(data), string(secret))
			if match, ok := cred.Verify(c.want, time.Unix(v.unix, 0), 0); !ok || match != v.unix/30 {
				t.Errorf("%s at %d: %d, %v", algorithm, v.unix, match, ok)
			}
		}
	}
}

// Keycloak: seen on 26.7.3, a window of 1 takes the code of the step before and of the step after, not further.
func TestTOTPWindow(t *testing.T) {
	c := credential(t, `{"subType":"totp","digits":6,"counter":0,"period":30,"algorithm":"HmacSHA1"}`, seedData)
	now := time.Unix(1111111111, 0)
	for d := int64(-3); d <= 3; d++ {
		code, err := c.Code(c.Step(now) + d)
		if err != nil {
			t.Fatal(err)
		}
		for window := range 3 {
			match, ok := c.Verify(code, now, window)
			if want := d >= -int64(window) && d <= int64(window); ok != want || ok && match != c.Step(now)+d {
				t.Errorf("%d steps off, window %d: %d, %v", d, window, match, ok)
			}
		}
	}
	for _, bad := range []string{"", "0", "12345", "1234567", "abcdef", "      "} {
		if _, ok := c.Verify(bad, now, 1); ok {
			t.Errorf("%q is a code", bad)
		}
	}
	if _, ok := c.Verify("287082", time.Unix(0, 0), 1); !ok { // step 1; no step before 0 is tried
		t.Error("first step")
	}
}

// Keycloak: OTPCredentialModel; the strings are from kc.sh export of 26.7.3.
func TestCredential(t *testing.T) {
	b32 := credential(t, `{"subType":"totp","secretEncoding":"BASE32","period":30,"digits":6,"algorithm":"HmacSHA1"}`,
		`{"value":"gezdgnbvgy3tqojqGEZDGNBVGY3TQOJQ"}`)
	raw := credential(t, `{"subType":"totp","digits":6,"counter":0,"period":30,"algorithm":"HmacSHA1"}`, seedData)
	for _, step := range []int64{0, 1, 12345678} {
		a, err := b32.Code(step)
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := raw.Code(step); a != b {
			t.Errorf("step %d: base32 %s, raw %s", step, a, b)
		}
	}
	p := Policy{Type: HOTP, Algorithm: "HmacSHA1", Digits: 6, Counter: 7}
	data, secret, err := p.NewCredential(seed)
	if err != nil || string(data) != `{"subType":"hotp","digits":6,"counter":7,"period":0,"algorithm":"HmacSHA1"}` ||
		string(secret) != seedData {
		t.Errorf("%s %s %v", data, secret, err)
	}
	next, err := WithCounter([]byte(`{"subType":"hotp","digits":6,"counter":7,"algorithm":"HmacSHA1","future":{"x":1}}`), 9)
	if err != nil || string(next) != `{"subType":"hotp","digits":6,"counter":9,"period":0,"algorithm":"HmacSHA1","future":{"x":1}}` {
		t.Errorf("%s, %v", next, err)
	}
	if s := fmt.Sprintf("%v %+v %#v", *raw, raw, raw); strings.Contains(s, "GEZD") {
		t.Errorf("printed %s", s)
	}
	const good = `{"subType":"totp","digits":6,"period":30,"algorithm":"HmacSHA1"}`
	for _, bad := range [][2]string{
		{`x`, seedData},
		{good, `x`},
		{good, `{"value":""}`},
		{good, `{}`},
		{`{"subType":"totp","digits":6,"period":30,"algorithm":"HmacMD5"}`, seedData},
		{`{"subType":"sms","digits":6,"period":30,"algorithm":"HmacSHA1"}`, seedData},
		{`{"subType":"totp","digits":0,"period":30,"algorithm":"HmacSHA1"}`, seedData},
		{`{"subType":"totp","digits":20,"period":30,"algorithm":"HmacSHA1"}`, seedData},
		{`{"subType":"totp","digits":6,"period":0,"algorithm":"HmacSHA1"}`, seedData},
		{`{"subType":"hotp","digits":6,"counter":-1,"algorithm":"HmacSHA1"}`, seedData},
		{`{"subType":"totp","digits":6,"period":30,"algorithm":"HmacSHA1","secretEncoding":"HEX"}`, seedData},
		{`{"subType":"totp","digits":6,"period":30,"algorithm":"HmacSHA1","secretEncoding":"BASE32"}`, `{"value":"189"}`},
	} {
		if _, err := ParseCredential([]byte(bad[0]), []byte(bad[1])); !errors.Is(err, ErrCredential) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if _, _, err := (Policy{}).NewCredential(seed); !errors.Is(err, ErrCredential) {
		t.Errorf("empty policy: %v", err)
	}
}

// Keycloak: OTPPolicy.getKeyURI, with java.net.URLEncoder's idea of escaping; TotpUtils.encode.
func TestPresentation(t *testing.T) {
	p := DefaultPolicy()
	for _, c := range []struct{ issuer, account, want string }{
		{"acme", "ann", "otpauth://totp/acme:ann?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&digits=6&algorithm=SHA1&issuer=acme&period=30"},
		{"A: b*~", "a b@x.org",
			"otpauth://totp/A%20%20b*%7E:a+b%40x.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&digits=6&algorithm=SHA1&issuer=A%20%20b*%7E&period=30"},
	} {
		if got := p.KeyURI(c.issuer, c.account, seed); got != c.want {
			t.Errorf("%s\nwant %s", got, c.want)
		}
	}
	h := Policy{Type: HOTP, Algorithm: "HmacSHA256", Digits: 8, Counter: 4}
	if got := h.KeyURI("r", "u", "x"); got != "otpauth://hotp/r:u?secret=PA&digits=8&algorithm=SHA256&issuer=r&counter=4" {
		t.Error(got)
	}
	image, err := QR(p.KeyURI("acme", "ann", seed))
	if err != nil {
		t.Fatal(err)
	}
	if m, err := png.Decode(bytes.NewReader(image)); err != nil || m.Bounds().Dx() < 200 {
		t.Errorf("PNG: %v", err)
	}
	if _, err := QR(strings.Repeat("x", 5000)); err == nil {
		t.Error("a QR code of 5000 characters")
	}
	if got := Display(seed); got != "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ" {
		t.Error(got)
	}
	if got := Display("abc"); got != "MFRG G" {
		t.Error(got)
	}
	a, err := NewSecret()
	if err != nil {
		t.Fatal(err)
	}
	b, _ := NewSecret()
	if a == b || len(a) != 20 || strings.Trim(a, secretAlphabet) != "" {
		t.Errorf("secrets %s %s", a, b)
	}
}

// Keycloak: otpSupportedApplications of 26.7.3 under each policy.
func TestApplications(t *testing.T) {
	const free, google, microsoft = "totpAppFreeOTPName", "totpAppFreeOTPName totpAppGoogleName",
		"totpAppFreeOTPName totpAppGoogleName totpAppMicrosoftAuthenticatorName"
	for _, c := range []struct {
		p    Policy
		want string
	}{
		{DefaultPolicy(), microsoft},
		{Policy{Type: TOTP, Algorithm: "HmacSHA1", Digits: 6, Period: 60}, free},
		{Policy{Type: TOTP, Algorithm: "HmacSHA1", Digits: 8, Period: 30}, google},
		{Policy{Type: TOTP, Algorithm: "HmacSHA256", Digits: 6, Period: 30}, google},
		{Policy{Type: TOTP, Algorithm: "HmacSHA512", Digits: 8, Period: 60}, free},
		{Policy{Type: HOTP, Algorithm: "HmacSHA1", Digits: 6}, google},
		{Policy{Type: HOTP, Algorithm: "HmacSHA256", Digits: 8}, google},
	} {
		if got := strings.Join(c.p.Applications(), " "); got != c.want {
			t.Errorf("%+v: %s", c.p, got)
		}
	}
}
