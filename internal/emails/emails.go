// Package emails writes mails to users and sends them by their realm's mail server: at once,
// where somebody is to be told that it failed, else through the durable outbox
// of package deliveries. It also makes the links in them, which carry action
// tokens. What the texts are is for package pages, how SMTP is spoken for package mail.
package emails

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"latchkey/internal/authn/tabs"
	"latchkey/internal/deliveries"
	"latchkey/internal/i18n"
	"latchkey/internal/iam"
	"latchkey/internal/mail"
	"latchkey/internal/pages"
	"latchkey/internal/realms"
	"latchkey/internal/store"
	"latchkey/internal/telemetry"
	"latchkey/internal/tokens"
)

const (
	sendTime     = 30 * time.Second // of a mail that somebody waits for
	attempt      = 25 * time.Second // of one attempt out of the outbox
	maxWaiting   = 1000             // mails about events in a realm's outbox; those beyond are not written
	maxPerServer = 8                // attempts at a realm's mail server, under way at a time
	maxSending   = 64               // that somebody waits for, at a time
)

// A Service writes and sends mails. It is safe for concurrent use.
type Service struct {
	pages   *pages.Set
	sender  *mail.Sender
	queue   *deliveries.Queue
	db      *store.DB
	issuer  *tokens.Issuer
	tabs    *tabs.Keeper
	log     *slog.Logger
	sending chan struct{}
}

// New makes a Service and has queue send mails by it.
func New(set *pages.Set, sender *mail.Sender, queue *deliveries.Queue, db *store.DB, issuer *tokens.Issuer, log *slog.Logger) *Service {
	s := &Service{pages: set, sender: sender, queue: queue, db: db, issuer: issuer, tabs: tabs.New(db), log: log,
		sending: make(chan struct{}, maxSending)}
	queue.Handle(deliveries.KindMail, outbox{s})
	return s
}

// A To is whom a mail goes to.
type To struct {
	User    *iam.User
	Address string // "" for the user's own
	Locale  string // "" for the user's own, or the realm's
}

func (t To) address() string { return cmp.Or(t.Address, t.User.Email) }

// An Error says why a mail was not sent.
type Error struct{ Err error }

func (e *Error) Error() string { return "mail: " + e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// Words are the reference's, which events show and which hold no more than settings.
// Keycloak: DefaultEmailSenderProvider.
func (e *Error) Words() string {
	if wrong, ok := errors.AsType[*mail.AddressError](e.Err); ok {
		return wrong.Error()
	}
	return "Error when attempting to send the email to the server. More information is available in the server log."
}

// Words are those of an Error, and "" for other errors.
func Words(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Words()
	}
	return ""
}

// Send writes a mail and hands it to the realm's mail server. That this was not possible is an *Error.
func (s *Service) Send(ctx context.Context, r *realms.Realm, to To, m pages.Mail) error {
	set, msg, err := s.write(r, r.Rep.SMTPServer, to, m)
	if err != nil {
		return err
	}
	return s.now(ctx, set, msg)
}

// Try sends an administrator a mail by settings that are to be tried. Keycloak: RealmAdminResource.testSMTPConnection.
func (s *Service) Try(ctx context.Context, r *realms.Realm, config map[string]string, u *iam.User) error {
	set, msg, err := s.write(r, config, To{User: u}, pages.TestMail{})
	if err != nil {
		return err
	}
	return s.now(ctx, set, msg)
}

func (s *Service) now(ctx context.Context, set mail.Settings, msg mail.Message) error {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	select {
	case s.sending <- struct{}{}:
		defer func() { <-s.sending }()
	case <-ctx.Done():
		return &Error{errors.New("too many mails are being sent")}
	}
	if err := s.sender.Send(ctx, set, msg); err != nil {
		return &Error{err}
	}
	return nil
}

// write makes a mail. A sender or an address that mail cannot have is an *Error.
func (s *Service) write(r *realms.Realm, config map[string]string, to To, m pages.Mail) (mail.Settings, mail.Message, error) {
	set, err := mail.Read(config)
	if err == nil {
		if _, wrong := mail.Mailbox(to.address(), set.UTF8); wrong != nil {
			err = &mail.AddressError{What: "address", Address: to.address()}
		}
	}
	if err != nil {
		return set, mail.Message{}, &Error{err}
	}
	q := pages.Request{Realm: pages.RealmOf(&r.Realm), Locale: locale(r, to), Texts: r.Locale.Texts}
	letter, err := s.pages.Mail(q, m)
	return set, mail.Message{To: to.address(), Subject: letter.Subject, Text: letter.Text, HTML: letter.HTML}, err
}

// locale is the language of a mail. Keycloak: DefaultLocaleSelectorProvider.
func locale(r *realms.Realm, to To) string {
	if !r.Locale.Enabled {
		return "en"
	}
	return i18n.Choose(r.Locale.Supported, r.Locale.Default, to.Locale, to.User.Attr("locale"))
}

// letter is a mail in the outbox.
type letter struct {
	mail.Message
	Until int64 `json:"until,omitempty"` // when the link in it expires: seconds since 1970
}

// Post writes a mail into the outbox: it is sent soon, and again until the realm's mail server has
// taken it, or until it is of no use any more; zero is never. what names it
// among deliveries. That it can never be sent is an *Error.
func (s *Service) Post(ctx context.Context, r *realms.Realm, to To, what string, m pages.Mail, until time.Time) error {
	_, msg, err := s.write(r, r.Rep.SMTPServer, to, m)
	if err != nil {
		return err
	}
	l := letter{Message: msg}
	if !until.IsZero() {
		l.Until = until.Unix()
	}
	doc, err := json.Marshal(l)
	if err != nil {
		return err
	}
	_, err = s.queue.Put(ctx, []*deliveries.Delivery{{Realm: r.ID, Kind: deliveries.KindMail, Event: what, User: to.User.ID, Doc: doc}})
	return err
}

// An outbox is the deliveries.Kind of mails.
type outbox struct{ *Service }

// Limit is how long an attempt may take.
func (outbox) Limit() time.Duration { return attempt }

// Receiver is the realm's mail server. What users are told of events goes out one by one, in order and beside the mails that
// somebody waits for: however many failed logins there are, a link is not late.
func (outbox) Receiver(d *deliveries.Delivery) (string, int) {
	if slices.Contains(told, iam.EventKind(d.Event)) {
		return "events", 1
	}
	return "links", maxPerServer
}

// Send is one attempt, by the settings of now.
func (s outbox) Send(ctx context.Context, r *realms.Realm, d *deliveries.Delivery) error {
	var l letter
	if json.Unmarshal(d.Doc, &l) != nil {
		return deliveries.Unreadable
	}
	if l.Until != 0 && s.db.Now().Unix() > l.Until {
		return deliveries.Hopeless("the link in it has expired")
	}
	set, err := mail.Read(r.Rep.SMTPServer)
	if err == nil {
		err = s.sender.Send(ctx, set, l.Message)
	}
	if err == nil {
		return nil
	}
	if wrong, ok := errors.AsType[*mail.AddressError](err); ok {
		return deliveries.Failure("the realm has no usable " + wrong.What)
	}
	f, ok := errors.AsType[*mail.Failure](err)
	if !ok {
		return err
	}
	s.log.WarnContext(ctx, "a mail was not sent", telemetry.KeyRealm, r.Name, telemetry.KeyDelivery, d.ID, telemetry.KeyError, f)
	if f.Final() {
		return deliveries.Hopeless(f.Words())
	}
	return deliveries.Failure(f.Words())
}

// Pause begins a time in which a user is not sent another mail of a kind, and returns 0. If one runs already, it
// returns what is left of it: of all who ask at once, one is told 0. Keycloak: EmailCooldownManager.
func (s *Service) Pause(ctx context.Context, r *realms.Realm, user iam.UserID, kind string,
	d time.Duration) (left time.Duration, err error) {
	key := "mail pause " + kind + " " + string(user)
	var won bool
	err = s.db.Single(ctx, func(tx *store.Tx) error {
		until := tx.Now.Add(d)
		won, err = tx.PutSingleUse(ctx, r.ID, store.SingleUse{Key: key, Value: strconv.AppendInt(nil, until.UnixMilli(), 10), Expires: until})
		return err
	})
	if err != nil || won {
		return 0, err
	}
	now := s.db.Now()
	text, err := s.db.LookSingleUse(ctx, r.ID, key, now)
	if errors.Is(err, store.ErrNotFound) { // it has just ended
		return time.Second, nil
	}
	if err != nil {
		return 0, err
	}
	until, err := strconv.ParseInt(string(text), 10, 64)
	return max(time.Second, time.UnixMilli(until).Sub(now).Round(time.Second)), err
}

// A Link is an address of the login that a mail leads to, and until when.
type Link struct {
	URL   string
	Valid time.Duration
	Until time.Time
}

// Link makes the address of an action token below a realm's address. pairs are further parameters; empty ones are left out.
func (s *Service) Link(ctx context.Context, r *realms.Realm, base string, a tokens.Action, valid time.Duration,
	pairs ...string) (Link, error) {
	raw, err := s.issuer.SignAction(ctx, r, base, a, valid)
	if err != nil {
		return Link{}, fmt.Errorf("make a link for a mail: %w", err)
	}
	return Link{Address(base, raw, pairs...), valid, s.db.Now().Add(valid)}, nil
}

// Address is where an action token is taken.
func Address(base, token string, pairs ...string) string {
	var b strings.Builder
	b.WriteString(base + "/login-actions/action-token?key=" + token)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			b.WriteString("&" + pairs[i] + "=" + url.QueryEscape(pairs[i+1]))
		}
	}
	return b.String()
}
