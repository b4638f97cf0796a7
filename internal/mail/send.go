package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	netmail "net/mail"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	gomaillog "github.com/wneessen/go-mail/log"
	"github.com/wneessen/go-mail/smtp"
)

// A Message is a mail to one address, in two forms of which the reader's program shows one.
type Message struct {
	To      string `json:"to"`
	Subject string `json:"subject"`
	Text    string `json:"text"`
	HTML    string `json:"html,omitempty"` // "" for none
}

// A Stage is what was being done when a mail could not be sent.
type Stage string

// The stages, in their order.
const (
	Connecting  Stage = "the mail server was not reached"
	Encrypting  Stage = "the connection to the mail server could not be encrypted"
	Fetching    Stage = "the access token for the mail server could not be got"
	LoggingIn   Stage = "the mail server refused the login"
	Sending     Stage = "the mail server refused the sender"
	Addressing  Stage = "the mail server refused the recipient"
	Handing     Stage = "the mail server refused the mail"
	NoSMTPUTF8  Stage = "the mail server takes no addresses with other than ASCII letters"
	LostContact Stage = "the connection to the mail server was lost"
)

// A Failure says how far a mail came.
type Failure struct {
	At   Stage
	Code int   // SMTP's reply code, 0 where none was given
	Err  error // for the log: it may name addresses
}

// Error is for the log.
func (f *Failure) Error() string { return string(f.At) + ": " + f.Err.Error() }

func (f *Failure) Unwrap() error { return f.Err }

// Words say it without addresses.
func (f *Failure) Words() string {
	if f.Code == 0 {
		return string(f.At)
	}
	return string(f.At) + " (" + strconv.Itoa(f.Code) + ")"
}

// Final tells whether the same mail will be refused again: the server will not have this
// recipient or this mail. What an administrator can mend is not final.
func (f *Failure) Final() bool {
	return f.Code/100 == 5 && (f.At == Addressing || f.At == Handing) || f.At == NoSMTPUTF8
}

// A Sender sends mails. It is safe for concurrent use.
type Sender struct {
	tokens *tokenCache
	roots  *x509.CertPool // nil for the system's
	log    *slog.Logger
}

// NewSender makes a Sender. roots are the authorities whose certificates mail servers may have, nil for the system's.
func NewSender(client HTTP, roots *x509.CertPool, now func() time.Time, log *slog.Logger) *Sender {
	return &Sender{tokens: &tokenCache{client: client, now: now, known: map[string]accessToken{}}, roots: roots, log: log}
}

// Send sends a mail. Errors are a *Failure or, for what cannot be a mail, an *AddressError.
func (s *Sender) Send(ctx context.Context, set Settings, m Message) error {
	msg, to, err := compose(set, m)
	if err != nil {
		return err
	}
	var auth smtp.Auth
	switch set.Auth {
	case Basic:
		auth = &login{user: set.User, password: string(set.Password), host: set.Host}
	case WithToken:
		token, err := s.tokens.get(ctx, set.Token)
		if err != nil {
			return &Failure{At: Fetching, Err: err}
		}
		auth = smtp.XOAuth2Auth(set.User, token)
	}
	dial := &dialer{ctx: ctx, set: set, now: time.Now, tls: &tls.Config{ServerName: set.Host, RootCAs: s.roots, MinVersion: tls.VersionTLS12}}
	o := []gomail.Option{
		gomail.WithPort(set.Port), gomail.WithTimeout(maxTimeout), gomail.WithDialContextFunc(dial.dial), gomail.WithTLSConfig(dial.tls),
		gomail.WithTLSPolicy(gomail.NoTLS),
	}
	if set.StartTLS && !set.SSL {
		o = append(o, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if !set.UTF8 {
		o = append(o, gomail.WithoutSMTPUTF8())
	}
	if auth != nil {
		o = append(o, gomail.WithSMTPAuthCustom(auth))
	}
	if set.Debug {
		o = append(o, gomail.WithDebugLog(), gomail.WithLogger(conversation{ctx, s.log}))
	}
	client, err := gomail.NewClient(set.Host, o...)
	if err != nil {
		return &Failure{At: Connecting, Err: err}
	}
	conn, err := client.DialToSMTPClientWithContext(ctx)
	if dial.stop != nil {
		defer dial.stop()
	}
	if err != nil {
		return dial.failure(err, auth != nil)
	}
	defer func() { _ = client.CloseWithSMTPClient(conn) }() // the mail is taken or refused by now
	if ok, _ := conn.Extension("SMTPUTF8"); !ok && !isASCII(to+set.Envelope+set.From.Mailbox) {
		return &Failure{At: NoSMTPUTF8, Err: errors.New("no SMTPUTF8")}
	}
	return hand(conn, set.Envelope, to, msg)
}

// hand is the transaction of one mail. A mail that the server has taken is sent, whatever is said after it.
func hand(conn *smtp.Client, from, to string, msg *gomail.Msg) error {
	refused := func(at Stage, err error) error {
		f := &Failure{At: LostContact, Err: err}
		if reply, ok := errors.AsType[*textproto.Error](err); ok {
			f.At, f.Code = at, reply.Code
		}
		return f
	}
	if err := conn.Mail("<" + from + ">"); err != nil {
		return refused(Sending, err)
	}
	if err := conn.Rcpt("<" + to + ">"); err != nil {
		return refused(Addressing, err)
	}
	w, err := conn.Data()
	if err != nil {
		return refused(Handing, err)
	}
	if _, err := msg.WriteTo(w); err != nil {
		return refused(Handing, err)
	}
	if err := w.Close(); err != nil {
		return refused(Handing, err)
	}
	return nil
}

func compose(set Settings, m Message) (msg *gomail.Msg, to string, err error) {
	to, err = Mailbox(m.To, set.UTF8)
	if err != nil {
		return nil, "", &AddressError{"address", m.To}
	}
	msg = gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	msg.SetGenHeaderPreformatted("From", set.From.header())
	msg.SetGenHeaderPreformatted("Reply-To", set.ReplyTo.header())
	msg.SetGenHeaderPreformatted("To", to)
	msg.Subject(oneLine(m.Subject))
	msg.SetDate()
	msg.SetMessageIDWithValue(messageID(set.From.Mailbox))
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	return msg, to, nil
}

// header is how the headers of a mail write an address: RFC 5322 3.4.
func (a Address) header() string {
	name := oneLine(a.Name)
	switch {
	case strings.TrimSpace(name) == "":
		return a.Mailbox
	case !strings.ContainsFunc(name, func(r rune) bool { return r >= 0x80 || strings.ContainsRune(`()<>[]:;@\,."`, r) }):
		return name + " <" + a.Mailbox + ">"
	}
	return (&netmail.Address{Name: name, Address: a.Mailbox}).String()
}

// oneLine makes a header's value of a text: nothing in it begins another header.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 {
			return ' '
		}
		return r
	}, text)
}

// messageID is an id of the sender's domain: the name of the machine is nobody's business.
func messageID(from string) string {
	return random() + from[strings.LastIndexByte(from, '@'):]
}

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r >= 0x80 })
}

// A dialer connects as the settings say, and remembers how far it came.
type dialer struct {
	ctx  context.Context // of the whole conversation
	set  Settings
	now  func() time.Time // of the machine: the network knows no other
	tls  *tls.Config
	stop func() bool // lets go of ctx
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	limit, cancel := context.WithTimeout(ctx, d.set.ConnectTimeout)
	defer cancel()
	raw, err := new(net.Dialer).DialContext(limit, network, address)
	if err != nil {
		return nil, err
	}
	d.stop = context.AfterFunc(d.ctx, func() { _ = raw.Close() })
	conn := &timedConn{raw, d.now, d.set.ReadTimeout, d.set.WriteTimeout}
	if !d.set.SSL {
		return conn, nil
	}
	secure := tls.Client(conn, d.tls)
	if err := secure.HandshakeContext(limit); err != nil {
		_ = raw.Close()
		return nil, &Failure{At: Encrypting, Err: err}
	}
	return secure, nil
}

// failure says what a failed beginning of the conversation is.
func (d *dialer) failure(err error, auth bool) error {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	f := &Failure{At: Connecting, Err: err}
	certificate, _ := errors.AsType[*tls.CertificateVerificationError](err)
	record, _ := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case certificate != nil || record.Msg != "" || strings.Contains(err.Error(), "STARTTLS"):
		f.At = Encrypting
	case auth && strings.Contains(err.Error(), "SMTP AUTH"):
		f.At = LoggingIn
	}
	return f
}

// A timedConn gives each read and each write its own time, and no other: what the library
// sets for the whole conversation does not count.
type timedConn struct {
	net.Conn
	now         func() time.Time
	read, write time.Duration
}

func (c *timedConn) Read(p []byte) (int, error) {
	if err := c.Conn.SetReadDeadline(c.now().Add(c.read)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c *timedConn) Write(p []byte) (int, error) {
	if err := c.Conn.SetWriteDeadline(c.now().Add(c.write)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

func (c *timedConn) SetDeadline(time.Time) error      { return nil }
func (c *timedConn) SetReadDeadline(time.Time) error  { return nil }
func (c *timedConn) SetWriteDeadline(time.Time) error { return nil }

// login shows user and password by the best way that the server offers. On a connection
// without TLS, which is the realm's choice, a password goes out as it is only if no better way is offered.
type login struct {
	user, password, host string
	by                   smtp.Auth
}

func (l *login) Start(server *smtp.ServerInfo) (string, []byte, error) {
	offers := func(name string) bool {
		return slices.ContainsFunc(server.Auth, func(a string) bool { return strings.EqualFold(a, name) })
	}
	switch {
	case offers("SCRAM-SHA-256"):
		l.by = smtp.ScramSHA256Auth(l.user, l.password)
	case offers("PLAIN"):
		l.by = smtp.PlainAuth("", l.user, l.password, server.Name, true)
	case offers("LOGIN"):
		l.by = smtp.LoginAuth(l.user, l.password, server.Name, true)
	case offers("CRAM-MD5"):
		l.by = smtp.CRAMMD5Auth(l.user, l.password)
	default:
		return "", nil, fmt.Errorf("the server offers no way to log in that is known here: %s", strings.Join(server.Auth, " "))
	}
	return l.by.Start(server)
}

func (l *login) Next(fromServer []byte, more bool) ([]byte, error) {
	return l.by.Next(fromServer, more)
}

// conversation logs what is said to a mail server and answered, without what the library holds
// back: it leaves out credentials, and the mail itself is not a command.
type conversation struct {
	ctx context.Context
	log *slog.Logger
}

func (c conversation) line(l gomaillog.Log) {
	who := "server"
	if l.Direction == gomaillog.DirClientToServer {
		who = "client"
	}
	c.log.InfoContext(c.ctx, "mail", "from", who, "line", fmt.Sprintf(l.Format, l.Messages...))
}

func (c conversation) Debugf(l gomaillog.Log) { c.line(l) }
func (c conversation) Infof(l gomaillog.Log)  { c.line(l) }
func (c conversation) Warnf(l gomaillog.Log)  { c.line(l) }
func (c conversation) Errorf(l gomaillog.Log) { c.line(l) }
