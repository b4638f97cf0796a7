package mail_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"latchkey/internal/mail"
	"latchkey/internal/web"
)

// A post office is a mail server on a loopback address. What it takes is in box.
type office struct {
	host, port string
	roots      *x509.CertPool
	mechanisms []string

	mu   sync.Mutex
	box  []letter
	seen []string // how senders logged in
}

type letter struct{ from, to, data string }

type kind struct{ implicit, noTLS, utf8 bool }

func newOffice(t *testing.T, k kind) *office {
	t.Helper()
	certificate, roots := newCertificate(t)
	o := &office{roots: roots, mechanisms: []string{sasl.Plain, "XOAUTH2"}}
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &visit{o: o}, nil }))
	s.Domain, s.AllowInsecureAuth, s.EnableSMTPUTF8, s.ErrorLog = "office.test", true, k.utf8, quiet{}
	config := &tls.Config{Certificates: []tls.Certificate{certificate}}
	if !k.noTLS && !k.implicit {
		s.TLSConfig = config
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.host, o.port, _ = net.SplitHostPort(l.Addr().String())
	if k.implicit {
		l = tls.NewListener(l, config)
	}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return o
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

type visit struct {
	o  *office
	in letter
}

func (v *visit) Reset()        { v.in = letter{} }
func (v *visit) Logout() error { return nil }
func (v *visit) Mail(from string, _ *smtp.MailOptions) error {
	v.in.from = from
	if strings.HasPrefix(from, "forbidden@") {
		return &smtp.SMTPError{Code: 553, Message: "not you"}
	}
	return nil
}

func (v *visit) Rcpt(to string, _ *smtp.RcptOptions) error {
	switch {
	case strings.HasPrefix(to, "nobody@"):
		return &smtp.SMTPError{Code: 550, Message: "no such user here: " + to}
	case strings.HasPrefix(to, "full@"):
		return &smtp.SMTPError{Code: 452, Message: "mailbox full"}
	}
	v.in.to = to
	return nil
}

func (v *visit) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	v.in.data = string(data)
	if strings.Contains(v.in.data, "Subject: spam") {
		return &smtp.SMTPError{Code: 554, Message: "no spam"}
	}
	v.o.mu.Lock()
	defer v.o.mu.Unlock()
	v.o.box = append(v.o.box, v.in)
	return err
}

func (v *visit) AuthMechanisms() []string { return v.o.mechanisms }

func (v *visit) Auth(mech string) (sasl.Server, error) {
	note := func(user string) {
		v.o.mu.Lock()
		defer v.o.mu.Unlock()
		v.o.seen = append(v.o.seen, mech+" "+user)
	}
	if mech == sasl.Plain {
		return sasl.NewPlainServer(func(_, user, password string) error {
			if user != "mailer" || password != "right" {
				return errors.New("wrong password")
			}
			note(user)
			return nil
		}), nil
	}
	return bearer(func(text string) error {
		if text != "user=mailer\x01auth=Bearer for-mail-1\x01\x01" {
			return errors.New("wrong token")
		}
		note("mailer")
		return nil
	}), nil
}

type bearer func(string) error

func (b bearer) Next(response []byte) ([]byte, bool, error) { return nil, true, b(string(response)) }

func newCertificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "office"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:   time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(c)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// config is a smtpServer for the office, with changes: "name", "value", ...
func (o *office) config(changes ...string) map[string]string {
	c := map[string]string{"host": o.host, "port": o.port, "from": "noreply@realm.test", "timeout": "2000", "connectionTimeout": "2000"}
	for i := 0; i < len(changes); i += 2 {
		c[changes[i]] = changes[i+1]
	}
	return c
}

func (o *office) send(t *testing.T, config map[string]string, m mail.Message) error {
	t.Helper()
	set, err := mail.Read(config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return mail.NewSender(web.NewClient(web.MailToken), o.roots, time.Now, slog.New(slog.DiscardHandler)).Send(ctx, set, m)
}

var hello = mail.Message{To: "alice@example.test", Subject: "Hello", Text: "Hello, Alice", HTML: "<p>Hello, Alice</p>"}

// Every setting of smtpServer, against a server of another make.
func TestSettings(t *testing.T) {
	plain, secure, utf8 := newOffice(t, kind{}), newOffice(t, kind{implicit: true}), newOffice(t, kind{noTLS: true, utf8: true})
	bare := newOffice(t, kind{noTLS: true})
	stranger := newOffice(t, kind{})
	_, stranger.roots = newCertificate(t)
	token := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("grant_type") != "client_credentials" || r.FormValue("client_id") != "mail" || r.FormValue("client_secret") != "s" ||
			r.FormValue("scope") != "smtp" {
			w.WriteHeader(401)
			return
		}
		_, _ = io.WriteString(w, `{"access_token":"for-mail-1","expires_in":300}`)
	}))
	defer token.Close()
	tokens := []string{"auth", "true", "authType", "token", "user", "mailer", "authTokenUrl", token.URL, "authTokenScope", "smtp",
		"authTokenClientId", "mail", "authTokenClientSecret"}
	for _, c := range []struct {
		what    string
		o       *office
		changes []string
		m       mail.Message
		at      mail.Stage // of the failure, "" for none
		final   bool
	}{
		{what: "plain", o: plain},
		{what: "STARTTLS", o: plain, changes: []string{"starttls", "true"}},
		{what: "STARTTLS that the server has not", o: bare, changes: []string{"starttls", "true"}, at: mail.Encrypting},
		{what: "STARTTLS with a stranger's certificate", o: stranger, changes: []string{"starttls", "true"}, at: mail.Encrypting},
		{what: "STARTTLS under another name", o: plain, changes: []string{"starttls", "true", "host", "localhost"}, at: mail.Encrypting},
		{what: "SSL", o: secure, changes: []string{"ssl", "true"}},
		{what: "SSL and STARTTLS", o: secure, changes: []string{"ssl", "true", "starttls", "true"}},
		{what: "SSL where there is none", o: plain, changes: []string{"ssl", "true"}, at: mail.Encrypting},
		{what: "no SSL where there is", o: secure, at: mail.Connecting},
		{what: "right password", o: plain, changes: []string{"auth", "true", "user", "mailer", "password", "right"}},
		{what: "wrong password", o: plain, changes: []string{"auth", "true", "user", "mailer", "password", "wrong"}, at: mail.LoggingIn},
		{what: "password without auth", o: plain, changes: []string{"user", "mailer", "password", "wrong"}},
		{what: "token", o: plain, changes: append(tokens, "s")},
		{what: "wrong client secret", o: plain, changes: append(tokens, "x"), at: mail.Fetching},
		{what: "refused recipient", o: plain, m: mail.Message{To: "nobody@example.test"}, at: mail.Addressing, final: true},
		{what: "recipient that is full", o: plain, m: mail.Message{To: "full@example.test"}, at: mail.Addressing},
		{what: "refused sender", o: plain, changes: []string{"envelopeFrom", "forbidden@realm.test"}, at: mail.Sending},
		{what: "refused mail", o: plain, m: mail.Message{To: "a@example.test", Subject: "spam"}, at: mail.Handing, final: true},
		{what: "nobody listens", o: plain, changes: []string{"port", "1"}, at: mail.Connecting},
		{what: "letters before the @", o: utf8, changes: []string{"allowutf8", "true"}, m: mail.Message{To: "jürgen@example.test"}},
		{what: "letters that the server does not take", o: plain, changes: []string{"allowutf8", "true"},
			m: mail.Message{To: "jürgen@example.test"}, at: mail.NoSMTPUTF8, final: true},
		{what: "a domain of other letters", o: plain, m: mail.Message{To: "a@bücher.test"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			if c.m.To == "" {
				c.m = hello
			}
			before := len(c.o.box)
			err := c.o.send(t, c.o.config(c.changes...), c.m)
			f, _ := errors.AsType[*mail.Failure](err)
			switch {
			case c.at == "" && err != nil:
				t.Fatal(err)
			case c.at == "":
				if len(c.o.box) != before+1 {
					t.Error("no mail came")
				}
			case f == nil || f.At != c.at || f.Final() != c.final:
				t.Errorf("%v, final %v; want %q, final %v", err, f != nil && f.Final(), c.at, c.final)
			case strings.Contains(f.Words(), "@"):
				t.Errorf("shown to administrators: %s", f.Words())
			}
		})
	}
	if got := strings.Join(plain.seen, ", "); got != "PLAIN mailer, XOAUTH2 mailer" {
		t.Errorf("logins: %s", got)
	}
}

func TestHeaders(t *testing.T) {
	o := newOffice(t, kind{})
	err := o.send(t, o.config("fromDisplayName", "Ä \"Name\"\r\nBcc: thief@evil.test", "replyTo", "you@example.test", "replyToDisplayName",
		"You", "envelopeFrom", "bounces@realm.test"),
		mail.Message{To: "alice@example.test", Subject: "Grüße\r\nBcc: thief@evil.test\r\n\r\nbody", Text: "one\n.\ntwo", HTML: "<p>ö</p>"})
	if err != nil {
		t.Fatal(err)
	}
	got := o.box[0]
	if got.from != "bounces@realm.test" || got.to != "alice@example.test" {
		t.Errorf("envelope %s -> %s", got.from, got.to)
	}
	m, err := netmail.ReadMessage(strings.NewReader(got.data))
	if err != nil {
		t.Fatal(err)
	}
	words := new(mime.WordDecoder)
	header := func(name string) string { v, _ := words.DecodeHeader(m.Header.Get(name)); return v }
	from, err := m.Header.AddressList("From")
	if err != nil || from[0].Name != `Ä "Name"  Bcc: thief@evil.test` || from[0].Address != "noreply@realm.test" || len(from) != 1 {
		t.Errorf("From: %v %v", from, err)
	}
	if header("Reply-To") != `You <you@example.test>` || header("To") != "alice@example.test" ||
		header("Subject") != "Grüße  Bcc: thief@evil.test    body" || m.Header.Get("Bcc") != "" || m.Header.Get("User-Agent") != "" ||
		!strings.HasSuffix(m.Header.Get("Message-Id"), "@realm.test>") {
		t.Errorf("headers: %q", m.Header)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for _, want := range []string{"one\n.\ntwo", "<p>ö</p>"} {
		p, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(p)
		if text := strings.ReplaceAll(strings.TrimSpace(string(body)), "\r\n", "\n"); text != want {
			t.Errorf("part %q, want %q", text, want)
		}
	}
}

func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		text, want string
		utf8       bool
	}{
		{"a@b.test", "a@b.test", false}, {" a@b.test ", "a@b.test", false}, {"a@bücher.test", "a@xn--bcher-kva.test", false},
		{"ü@b.test", "", false}, {"ü@b.test", "ü@b.test", true},
		{"", "", false}, {"a", "", false}, {"@b.test", "", false}, {"a@", "", false}, {"a@b.test\r\nBcc: c@d.test", "", true},
		{"a\n@b.test", "", true}, {"a@b.test, c@d.test", "", false},
		{"a b@c.test", "", false}, {"A <a@b.test>", "", false}, {"a@b.test>\x00", "", true}, {`"a b"@c.test`, `"a b"@c.test`, false},
	} {
		got, err := mail.Mailbox(c.text, c.utf8)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q: %q %v, want %q", c.text, got, err, c.want)
		}
	}
	for _, c := range []struct{ name, value, want string }{
		{"from", "", "Invalid sender address 'null'."}, {"from", "x\r\n@y", "Invalid sender address"},
		{"replyTo", "x", "Invalid reply-to address 'x'"},
	} {
		o := map[string]string{"from": "a@b.test"}
		maps.Copy(o, map[string]string{c.name: c.value})
		if _, err := mail.Read(o); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s=%q: %v", c.name, c.value, err)
		}
	}
}

// A server that never answers is waited for as long as the settings say, and a caller who leaves is not held.
func TestSilentServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	o := new(office)
	o.host, o.port, _ = net.SplitHostPort(l.Addr().String())
	begin := time.Now()
	err = o.send(t, o.config("timeout", "200"), hello)
	if f, _ := errors.AsType[*mail.Failure](err); f == nil || f.At != mail.Connecting || time.Since(begin) > 5*time.Second {
		t.Errorf("after %s: %v", time.Since(begin), err)
	}
	set, err := mail.Read(o.config("timeout", "60000"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begin = time.Now()
	if err := mail.NewSender(nil, nil, time.Now, slog.New(slog.DiscardHandler)).Send(ctx, set, hello); err == nil ||
		time.Since(begin) > 5*time.Second {
		t.Errorf("left after %s: %v", time.Since(begin), err)
	}
}

// debug logs the conversation, but neither passwords nor what the mail says.
func TestDebug(t *testing.T) {
	o := newOffice(t, kind{})
	var lines bytes.Buffer
	set, err := mail.Read(o.config("debug", "true", "auth", "true", "user", "mailer", "password", "right"))
	if err != nil {
		t.Fatal(err)
	}
	m := hello
	m.Text = "https://id.test/action-token?key=secret-link"
	if err := mail.NewSender(nil, nil, time.Now, slog.New(slog.NewTextHandler(&lines, nil))).Send(t.Context(), set, m); err != nil {
		t.Fatal(err)
	}
	text := lines.String()
	if !strings.Contains(text, "MAIL FROM") || strings.Contains(text, "secret-link") || strings.Contains(text, "bWFpbGVyAHJpZ2h0") ||
		strings.Contains(text, "right") {
		t.Error(text)
	}
}
