// Package authntest is the rooms that a login asks, on a database with one realm,
// for the tests of steps, required actions and the login door.
package authntest

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"latchkey/internal/authn/actions"
	"latchkey/internal/authn/steps"
	"latchkey/internal/deliveries"
	"latchkey/internal/emails"
	"latchkey/internal/events"
	"latchkey/internal/iam"
	"latchkey/internal/keys"
	"latchkey/internal/logout"
	"latchkey/internal/mail"
	"latchkey/internal/otp"
	"latchkey/internal/pages"
	"latchkey/internal/passhash"
	"latchkey/internal/policy"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/roles"
	"latchkey/internal/sessions"
	"latchkey/internal/store"
	"latchkey/internal/telemetry"
	"latchkey/internal/tokens"
	"latchkey/internal/users"
	"latchkey/internal/web"
)

// Members of a realm's document. Passwords cost little with CheapHash; Device is a
// credential whose codes Code returns; with ReusableCodes, an attribute, one may come twice.
const (
	CheapHash     = `"passwordPolicy":"hashAlgorithm(pbkdf2-sha256) and hashIterations(1) and length(6)"`
	ReusableCodes = `"realmReusableOtpCode":"true"`
	Device        = `{"id":"device","type":"otp","userLabel":"phone","credentialData":"` +
		`{\"subType\":\"totp\",\"digits\":6,\"counter\":0,\"period\":30,\"algorithm\":\"HmacSHA1\"}",` +
		`"secretData":"{\"value\":\"` + DeviceSecret + `\"}"}`
	DeviceSecret = "abcdefghij0123456789"
)

// Code is the one-time code that a device with a secret shows now.
func (h *House) Code(t testing.TB, secret string) string {
	t.Helper()
	c, err := otp.ParseCredential([]byte(`{"subType":"totp","digits":6,"counter":0,"period":30,"algorithm":"HmacSHA1"}`),
		[]byte(`{"value":"`+secret+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	code, err := c.Code(c.Step(h.DB.Now()))
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// A House is the rooms and their realm.
type House struct {
	DB       *store.DB
	Realms   *realms.Cache
	Keys     *keys.Service
	Users    *users.Service
	Roles    *roles.Service
	Sessions *sessions.Service
	Events   *events.Writer
	Notifier *logout.Notifier
	Ender    *logout.Ender
	Issuer   *tokens.Issuer
	Realm    *realms.Realm // as it was made

	emails *emails.Service
	mu     sync.Mutex
	told   []string
}

// Told is what clients were told of logouts: address and body.
func (h *House) Told() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.told)
}

func (h *House) post(_ context.Context, _ iam.Reach, to string, _ map[string]string, body string) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.told = append(h.told, to+" "+body)
	return 204, nil
}

// New opens a house on a database, with the realm of a document. Clients are told of
// logouts in OpenID Connect and in more protocols.
func New(t testing.TB, db *store.DB, document string, protocols map[iam.Protocol]logout.Protocol) *House {
	t.Helper()
	ctx, log := t.Context(), slog.New(slog.DiscardHandler)
	cache, maker := realms.NewCache(db), keys.NewMaker(db.Now)
	h := &House{DB: db, Realms: cache, Keys: &keys.Service{Cache: cache, Maker: maker, Log: log}, Roles: roles.New(db),
		Sessions: sessions.New(db, nil), Events: events.New(db, log, nil, nil)}
	h.Users = users.New(db, passhash.New(1<<20, passhash.DefaultQueue), policy.New(""), h.Sessions, nil)
	issuer := &tokens.Issuer{Keys: h.Keys, Roles: h.Roles, Now: db.Now}
	queue := deliveries.New(cache, log, telemetry.NewMetrics())
	set, err := pages.New(pages.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h.Issuer = issuer
	h.emails = emails.New(set, mail.NewSender(web.NewClient(web.MailToken), nil, time.Now, log), queue, db, issuer, log)
	all := map[iam.Protocol]logout.Protocol{iam.OIDC: logout.OIDC{Issuer: issuer}}
	maps.Copy(all, protocols)
	h.Notifier = logout.New(issuer, queue, h.post, func(context.Context, iam.Reach, string, string, string) error { return io.ErrClosedPipe },
		log, all)
	h.Ender = &logout.Ender{Sessions: h.Sessions, Notifier: h.Notifier}
	m := realms.NewManager(cache, db.Now, realms.Rules{NewKey: maker.Fill, Hash: h.Users.FirstPassword, CheckCredential: h.Users.CheckStored})
	for _, doc := range []string{`{"realm":"master","enabled":true}`, document} {
		given := new(rep.Realm)
		if err := rep.Unmarshal([]byte(doc), given); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Create(ctx, given); err != nil {
			t.Fatal(err)
		}
		if h.Realm, err = cache.Get(ctx, given.Realm); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// Steps are the rooms as steps see them.
func (h *House) Steps() steps.Rooms {
	return steps.Rooms{Users: h.Users, Roles: h.Roles, Sessions: h.Sessions, Ender: h.Ender, Emails: h.emails}
}

// Actions are the rooms as required actions see them.
func (h *House) Actions() actions.Rooms {
	return actions.Rooms{Users: h.Users, Roles: h.Roles, Ender: h.Ender, Emails: h.emails}
}

// User is a user by name, nil when there is none.
func (h *House) User(t testing.TB, name string) *iam.User {
	u, err := h.Users.ByName(t.Context(), h.Realm, name)
	if err != nil {
		return nil
	}
	return u
}
