// Package postbox is a mail server for tests, of another make than Latchkey's client: it listens on a
// loopback address, keeps what it takes, and is away for as long as a test wants.
package postbox

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"latchkey/test/ports"
)

// A Box is the mail server. Recipients whose name begins with "nobody" are refused.
type Box struct {
	Host, Port string

	mu     sync.Mutex
	server *smtp.Server
	mails  []Mail   // not taken yet
	proofs []string // by which senders have logged in
}

// A Mail is what a user reads.
type Mail struct {
	To, Subject, Text string
	Raw               []byte
}

// New reserves an address at which nobody listens yet.
func New(t testing.TB) *Box {
	b := &Box{Host: "127.0.0.1", Port: strconv.Itoa(ports.Free(t, 1))}
	t.Cleanup(b.Down)
	return b
}

// Settings are a realm's smtpServer for the box.
func (b *Box) Settings() map[string]string {
	return map[string]string{"host": b.Host, "port": b.Port, "from": "noreply@realm.example"}
}

// Up lets it listen.
func (b *Box) Up(t testing.TB) {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(b.Host, b.Port))
	if err != nil {
		t.Fatal(err)
	}
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &visit{box: b}, nil }))
	s.Domain, s.ErrorLog, s.AllowInsecureAuth = "box.test", quiet{}, true
	b.mu.Lock()
	b.server = s
	b.mu.Unlock()
	go func() { _ = s.Serve(l) }()
}

// Down lets nobody be there.
func (b *Box) Down() {
	b.mu.Lock()
	s := b.server
	b.server = nil
	b.mu.Unlock()
	if s != nil {
		_ = s.Close()
	}
}

// Next takes the oldest mail to an address, and waits for it.
func (b *Box) Next(t testing.TB, to string) Mail {
	t.Helper()
	for range 1500 {
		if m, ok := b.take(to); ok {
			return m
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("no mail came for %s", to)
	return Mail{}
}

// Empty tells whether no mail to an address waits.
func (b *Box) Empty(to string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !slices.ContainsFunc(b.mails, func(m Mail) bool { return m.To == to })
}

func (b *Box) take(to string) (Mail, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.IndexFunc(b.mails, func(m Mail) bool { return m.To == to })
	if i < 0 {
		return Mail{}, false
	}
	m := b.mails[i]
	b.mails = slices.Delete(b.mails, i, i+1)
	return m, true
}

var address = regexp.MustCompile(`https?://\S+`)

// Link is the first address in the text, "" without one.
func (m Mail) Link() string { return address.FindString(m.Text) }

// Told tells whether a sender has shown a password.
func (b *Box) Told(password string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Contains(b.proofs, password)
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

type visit struct {
	box *Box
	to  string
}

func (v *visit) AuthMechanisms() []string { return []string{sasl.Plain} }

func (v *visit) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, _, password string) error {
		v.box.mu.Lock()
		defer v.box.mu.Unlock()
		v.box.proofs = append(v.box.proofs, password)
		return nil
	}), nil
}

func (v *visit) Reset()                               { v.to = "" }
func (v *visit) Logout() error                        { return nil }
func (v *visit) Mail(string, *smtp.MailOptions) error { return nil }
func (v *visit) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "nobody") {
		return &smtp.SMTPError{Code: 550, Message: "no such user: " + to}
	}
	v.to = to
	return nil
}

func (v *visit) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m, err := read(v.to, raw)
	if err != nil {
		return errors.Join(&smtp.SMTPError{Code: 554, Message: "not a mail"}, err)
	}
	v.box.mu.Lock()
	defer v.box.mu.Unlock()
	v.box.mails = append(v.box.mails, m)
	return nil
}

func read(to string, raw []byte) (Mail, error) {
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return Mail{}, err
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		return Mail{}, err
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		return Mail{}, err
	}
	part, err := multipart.NewReader(m.Body, params["boundary"]).NextRawPart()
	if err != nil {
		return Mail{}, err
	}
	body := io.Reader(part)
	if part.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
		body = quotedprintable.NewReader(part)
	}
	text, err := io.ReadAll(body)
	return Mail{To: to, Subject: subject, Text: string(text), Raw: raw}, err
}
