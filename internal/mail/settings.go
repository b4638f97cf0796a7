package mail

import (
	"cmp"
	"fmt"
	"net/mail"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"latchkey/internal/iam"
)

// Settings are how a realm sends mail: Keycloak's smtpServer.
type Settings struct {
	Host           string
	Port           int
	SSL            bool // TLS from the first byte
	StartTLS       bool // TLS by STARTTLS, or no mail
	From           Address
	ReplyTo        Address // From where none is set
	Envelope       string  // where refused mails go; From where none is set
	Auth           AuthType
	User           string
	Password       iam.Secret
	Token          TokenRequest
	UTF8           bool          // addresses may have other letters before the @ (RFC 6531)
	ConnectTimeout time.Duration // of the connection
	ReadTimeout    time.Duration // of each answer
	WriteTimeout   time.Duration // of each command
	Debug          bool          // the conversation is logged, without what is secret
}

// An AuthType is how Latchkey shows the mail server who it is.
type AuthType string

// The ways to authenticate.
const (
	NoAuth    AuthType = ""
	Basic     AuthType = "basic" // user and password
	WithToken AuthType = "token" // an access token by XOAUTH2
)

// A TokenRequest is how the access token for the mail server is got: OAuth client credentials.
type TokenRequest struct {
	URL, Scope, Client string
	Secret             iam.Secret
}

// An Address is a mailbox and the name that is shown for it.
type Address struct{ Name, Mailbox string }

// An AddressError says that a configured or a user's address is none that mail can be sent to or from.
type AddressError struct {
	What    string // "sender address", "reply-to address", "address"
	Address string // as Keycloak shows it: null when there is none
}

// Error is in Keycloak's words, which events show. Keycloak: DefaultEmailSenderProvider.
func (e *AddressError) Error() string {
	return fmt.Sprintf("Invalid %s '%s'. If the address contains UTF-8 characters in the local part please ensure the SMTP server supports "+
		"the SMTPUTF8 extension and enable 'Allow UTF-8' in the email realm configuration.", e.What, e.Address)
}

const (
	defaultPort    = 25
	defaultTimeout = 10 * time.Second
	maxTimeout     = time.Minute
)

// Read reads a realm's smtpServer. Values that mean nothing count as their defaults, as
// in Keycloak; an address that cannot be used is an *AddressError.
func Read(config map[string]string) (Settings, error) {
	on := func(name string) bool { return config[name] == "true" }
	s := Settings{
		Host: cmp.Or(config["host"], "localhost"), Port: defaultPort, SSL: on("ssl"), StartTLS: on("starttls"), User: config["user"],
		Password: iam.Secret(config["password"]),
		Token: TokenRequest{config["authTokenUrl"], config["authTokenScope"], config["authTokenClientId"],
			iam.Secret(config["authTokenClientSecret"])},
		UTF8: on("allowutf8"), Debug: on("debug"),
		ConnectTimeout: timeout(config["connectionTimeout"]), ReadTimeout: timeout(config["timeout"]),
		WriteTimeout: timeout(config["writeTimeout"]),
	}
	if port, err := strconv.Atoi(config["port"]); err == nil && port > 0 && port < 1<<16 {
		s.Port = port
	}
	if on("auth") {
		s.Auth = Basic
		if config["authType"] == string(WithToken) {
			s.Auth = WithToken
		}
	}
	var err error
	if s.From.Mailbox, err = Mailbox(config["from"], s.UTF8); err != nil {
		return s, &AddressError{"sender address", cmp.Or(config["from"], "null")}
	}
	s.From.Name = config["fromDisplayName"]
	s.ReplyTo = s.From
	if to := config["replyTo"]; strings.TrimSpace(to) != "" {
		s.ReplyTo.Name = config["replyToDisplayName"]
		if s.ReplyTo.Mailbox, err = Mailbox(to, s.UTF8); err != nil {
			return s, &AddressError{"reply-to address", to}
		}
	}
	s.Envelope = s.From.Mailbox
	if from := config["envelopeFrom"]; strings.TrimSpace(from) != "" {
		if s.Envelope, err = Mailbox(from, s.UTF8); err != nil {
			return s, &AddressError{"envelope address", from}
		}
	}
	return s, nil
}

// timeout is one in milliseconds.
func timeout(text string) time.Duration {
	ms, err := strconv.Atoi(text)
	if err != nil || ms <= 0 {
		return defaultTimeout
	}
	return min(time.Duration(ms)*time.Millisecond, maxTimeout)
}

// Mailbox is an address as mail servers know it: the domain in ASCII, and before the @
// nothing but ASCII unless utf8 allows it. What has a line break, or is more than one address, is an error.
// Keycloak: SMTPUtil.convertIDNEmailAddress.
func Mailbox(text string, utf8 bool) (string, error) {
	text = strings.TrimSpace(text)
	at := strings.LastIndexByte(text, '@')
	if at < 1 {
		return "", fmt.Errorf("no mail address: %q", text)
	}
	local := text[:at]
	domain, err := idna.Lookup.ToASCII(text[at+1:])
	if err != nil || domain == "" {
		return "", fmt.Errorf("no mail address: the domain of %q", text)
	}
	ascii := func(r rune) bool { return r < 0x80 }
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) || !utf8 && strings.ContainsFunc(local,
		func(r rune) bool { return !ascii(r) }) {
		return "", fmt.Errorf("no mail address: %q", text)
	}
	if _, err := mail.ParseAddress("<" + local + "@" + domain + ">"); err != nil {
		return "", fmt.Errorf("no mail address: %w", err)
	}
	return local + "@" + domain, nil
}
