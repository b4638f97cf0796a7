package otp

import (
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	pquerna "github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"rsc.io/qr"

	"latchkey/internal/iam"
)

// The two types, as policies and credentials name them.
const (
	TOTP = "totp"
	HOTP = "hotp"
)

// ErrCredential is wrapped by errors about credentials and policies that cannot be used.
var ErrCredential = errors.New("otp: unusable credential")

// algorithms are Keycloak's names for the HMACs, and pquerna's.
var algorithms = map[string]pquerna.Algorithm{
	"HmacSHA1":   pquerna.AlgorithmSHA1,
	"HmacSHA256": pquerna.AlgorithmSHA256,
	"HmacSHA512": pquerna.AlgorithmSHA512,
}

// Policy is a realm's OTP policy.
type Policy struct {
	Type      string // TOTP or HOTP
	Algorithm string // HmacSHA1, HmacSHA256 or HmacSHA512
	Digits    int    // 6 or 8
	Period    int    // seconds, of TOTP
	Counter   int64  // the first one, of HOTP
	// Window is Keycloak's lookAheadWindow: how many steps a TOTP may be early or late, how many counters an HOTP may be ahead.
	Window int
}

// DefaultPolicy is that of a new realm (Keycloak: OTPPolicy.DEFAULT_POLICY).
func DefaultPolicy() Policy {
	return Policy{Type: TOTP, Algorithm: "HmacSHA1", Digits: 6, Period: 30, Window: 1}
}

// Applications lists the message keys of the authenticator apps that can follow the policy, as the realm's
// otpSupportedApplications member and the set-up page show them (Keycloak: the OTPApplicationProviders).
func (p Policy) Applications() []string {
	apps := []string{"totpAppFreeOTPName"}
	if p.Type == HOTP || p.Period == 30 {
		apps = append(apps, "totpAppGoogleName")
		if p.Type == TOTP && p.Algorithm == "HmacSHA1" && p.Digits == 6 {
			apps = append(apps, "totpAppMicrosoftAuthenticatorName")
		}
	}
	return apps
}

// KeyURI returns the otpauth URI of a secret (Keycloak: OTPPolicy.getKeyURI). The issuer is the realm's display name or name, the account
// the username.
func (p Policy) KeyURI(issuer, account, secret string) string {
	issuer = strings.ReplaceAll(javaEscape(strings.ReplaceAll(issuer, ":", " ")), "+", "%20")
	uri := "otpauth://" + p.Type + "/" + issuer + ":" + javaEscape(account) + "?secret=" + plainBase32.EncodeToString([]byte(secret)) +
		"&digits=" + strconv.Itoa(p.Digits) + "&algorithm=" + strings.TrimPrefix(p.Algorithm, "Hmac") + "&issuer=" + issuer
	if p.Type == HOTP {
		return uri + "&counter=" + strconv.FormatInt(p.Counter, 10)
	}
	return uri + "&period=" + strconv.Itoa(p.Period)
}

// javaEscape is java.net.URLEncoder, which differs from url.QueryEscape in two characters.
func javaEscape(s string) string {
	return strings.NewReplacer("%2A", "*", "~", "%7E").Replace(url.QueryEscape(s))
}

var plainBase32 = base32.StdEncoding.WithPadding(base32.NoPadding)

// QR returns a PNG of the key URI.
func QR(keyURI string) ([]byte, error) {
	code, err := qr.Encode(keyURI, qr.L)
	if err != nil {
		return nil, fmt.Errorf("otp: QR code: %w", err)
	}
	return code.PNG(), nil
}

// Display returns the secret as it is typed by hand: base32 in groups of four (Keycloak: TotpUtils.encode).
func Display(secret string) string {
	encoded := plainBase32.EncodeToString([]byte(secret))
	var b strings.Builder
	for i, c := range encoded {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// secretAlphabet is what Keycloak draws from (HmacOTP.generateSecret); it ends at W.
const (
	secretAlphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVW1234567890"
	secretLength   = 20
)

// NewSecret returns a new secret of 20 letters and digits, 117 bits. The characters themselves are the key.
func NewSecret() (string, error) {
	secret, err := iam.RandomText(secretAlphabet, secretLength)
	if err != nil {
		return "", fmt.Errorf("otp: %w", err)
	}
	return secret, nil
}

// credentialData is Keycloak's OTPCredentialData, members in its order.
type credentialData struct {
	SubType        string         `json:"subType"`
	Digits         int            `json:"digits"`
	Counter        int64          `json:"counter"`
	Period         int            `json:"period"`
	Algorithm      string         `json:"algorithm"`
	SecretEncoding string         `json:"secretEncoding,omitempty"`
	Rest           jsontext.Value `json:",embed"` // members that are unknown here
}

// secretData is Keycloak's OTPSecretData.
type secretData struct {
	Value string `json:"value"`
}

// NewCredential returns credentialData and secretData of a new credential under the policy.
func (p Policy) NewCredential(secret string) (credential, sealed []byte, err error) {
	d := credentialData{SubType: p.Type, Digits: p.Digits, Counter: p.Counter, Period: p.Period, Algorithm: p.Algorithm}
	if _, err := d.credential([]byte(secret)); err != nil {
		return nil, nil, err
	}
	if credential, err = json.Marshal(d); err != nil {
		return nil, nil, fmt.Errorf("otp: %w", err)
	}
	if sealed, err = json.Marshal(secretData{secret}); err != nil {
		return nil, nil, fmt.Errorf("otp: %w", err)
	}
	return credential, sealed, nil
}

// Credential is an otp credential understood.
type Credential struct {
	Type    string // TOTP or HOTP
	Counter int64  // of HOTP: the next one expected
	Period  int64  // of TOTP, in seconds

	secret string // base32
	opts   hotp.ValidateOpts
}

// ParseCredential reads Keycloak's credentialData and secretData. The secret is the value's bytes, or what they encode where
// secretEncoding says BASE32.
func ParseCredential(data, secret []byte) (*Credential, error) {
	var d credentialData
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, fmt.Errorf("%w: credentialData: %w", ErrCredential, err)
	}
	var s secretData
	if json.Unmarshal(secret, &s) != nil {
		return nil, fmt.Errorf("%w: secretData", ErrCredential) // the cause could quote the secret
	}
	raw := []byte(s.Value)
	switch strings.ToUpper(d.SecretEncoding) {
	case "":
	case "BASE32":
		var err error
		if raw, err = plainBase32.DecodeString(strings.ToUpper(strings.TrimRight(s.Value, "="))); err != nil {
			return nil, fmt.Errorf("%w: the secret is not base32", ErrCredential)
		}
	default:
		return nil, fmt.Errorf("%w: secret encoding %q", ErrCredential, d.SecretEncoding)
	}
	return d.credential(raw)
}

func (d credentialData) credential(secret []byte) (*Credential, error) {
	algorithm, ok := algorithms[d.Algorithm]
	switch {
	case !ok:
		return nil, fmt.Errorf("%w: algorithm %q", ErrCredential, d.Algorithm)
	case d.SubType != TOTP && d.SubType != HOTP:
		return nil, fmt.Errorf("%w: type %q", ErrCredential, d.SubType)
	case d.Digits < 4 || d.Digits > 8:
		return nil, fmt.Errorf("%w: %d digits", ErrCredential, d.Digits)
	case d.SubType == TOTP && d.Period < 1:
		return nil, fmt.Errorf("%w: a period of %d seconds", ErrCredential, d.Period)
	case d.Counter < 0:
		return nil, fmt.Errorf("%w: counter %d", ErrCredential, d.Counter)
	case len(secret) == 0:
		return nil, fmt.Errorf("%w: empty secret", ErrCredential)
	}
	return &Credential{
		Type: d.SubType, Counter: d.Counter, Period: int64(d.Period),
		secret: base32.StdEncoding.EncodeToString(secret),
		opts:   hotp.ValidateOpts{Digits: pquerna.Digits(d.Digits), Algorithm: algorithm},
	}, nil
}

// String tells the type only; the secret never prints.
func (c Credential) String() string { return c.Type + " credential" }

// GoString is String.
func (c Credential) GoString() string { return c.String() }

// LogValue is String.
func (c Credential) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Code returns the password of a step (TOTP: seconds since 1970 divided by the period) or counter (HOTP).
func (c *Credential) Code(step int64) (string, error) {
	code, err := hotp.GenerateCodeCustom(c.secret, uint64(step), c.opts)
	if err != nil {
		return "", fmt.Errorf("otp: %w", err)
	}
	return code, nil
}

// Step is the TOTP step of a time.
func (c *Credential) Step(now time.Time) int64 { return now.Unix() / c.Period }

// Verify looks for the code in the policy's window and returns the step or counter that it belongs to: for TOTP, window steps back and
// ahead
// of now (Keycloak: TimeBasedOTP.validateTOTP, 26.7), for HOTP, window counters from the next one on (HmacOTP.validateHOTP). The caller
// must record the
// match: a TOTP step is used up, the HOTP counter becomes WithCounter(match+1).
func (c *Credential) Verify(code string, now time.Time, window int) (match int64, ok bool) {
	first, last := c.Counter, c.Counter+int64(window)
	if c.Type == TOTP {
		first, last = c.Step(now)-int64(window), c.Step(now)+int64(window)
	}
	for step := max(first, 0); step <= last; step++ {
		want, err := c.Code(step)
		if err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 && !ok {
			match, ok = step, true
		}
	}
	return match, ok
}

// WithCounter returns the credentialData with another HOTP counter and everything else as it was.
func WithCounter(data []byte, counter int64) ([]byte, error) {
	var d credentialData
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, fmt.Errorf("%w: credentialData: %w", ErrCredential, err)
	}
	d.Counter = counter
	out, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("otp: %w", err)
	}
	return out, nil
}
