package deliveries_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"latchkey/internal/deliveries"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
	"latchkey/internal/web"
)

// hook is a component for a webhook.
func hook(id, url string, config map[string][]string) *rep.Component {
	c := &rep.Component{ID: id, Name: id, ProviderType: realms.TypeWebhook, ProviderID: realms.WebhookProvider,
		Config: map[string][]string{"url": {url}}}
	for k, v := range config {
		c.Config[k] = v
	}
	return c
}

// put stores components and returns the realm with them.
func (n *node) put(list ...*rep.Component) *realms.Realm {
	n.t.Helper()
	cache := realms.NewCache(n.db)
	m := realms.NewManager(cache, n.db.Now, realms.Rules{})
	for _, c := range list {
		r, err := cache.Get(n.t.Context(), "shop")
		if err == nil {
			err = m.PutComponent(n.t.Context(), r, c)
		}
		if err != nil {
			n.t.Fatal(err)
		}
	}
	r, err := cache.Get(n.t.Context(), "shop")
	if err != nil {
		n.t.Fatal(err)
	}
	return r
}

var (
	begun = time.Date(2026, 3, 1, 9, 0, 0, 5e6, time.UTC)
	spell = &iam.UserSession{ID: "s1", Realm: "r", User: "u1", Username: "ann", IP: "192.0.2.7", Started: begun, LastAccess: begun,
		Origin: iam.Origin{How: iam.HowBrowser, Flow: "browser", Client: "c1"}}
	ending = &store.Ending{Session: spell, ClientSessions: []*iam.ClientSession{{Client: "c1"}, {Client: "c2"}},
		End: iam.End{Reason: iam.Idle, By: iam.ActorSweep, Rule: "ssoSessionIdleTimeout"}}
)

// verify checks a call as the receiver would: by the rules of Standard Webhooks,
// from the headers and the body alone.
func verify(key []byte, header func(string) string, body string) error {
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", header("webhook-id"), header("webhook-timestamp"), body)
	for signature := range strings.FieldsSeq(header("webhook-signature")) {
		if version, sum, _ := strings.Cut(signature, ","); version == "v1" {
			if got, err := base64.StdEncoding.DecodeString(sum); err == nil && hmac.Equal(got, mac.Sum(nil)) {
				return nil
			}
		}
	}
	return fmt.Errorf("no signature of %s is right", header("webhook-signature"))
}

func TestWebhooks(t *testing.T) {
	c := new(clock)
	storetest.EachAt(t, c.now, func(t *testing.T, db *store.DB) {
		n := newNode(t, db, nil)
		const plain = "a secret in plain words"
		key := []byte("0123456789abcdef0123456789abcdef")
		both := newReceiver(t, func(n int) int { return map[bool]int{true: 500, false: 204}[n == 1] })
		ends := newReceiver(t, always(200))
		gone := newReceiver(t, always(410))
		off := newReceiver(t, always(200))
		r := n.put(
			hook("both", both.URL+"/x?y=1", map[string][]string{"secret": {"whsec_" + base64.StdEncoding.EncodeToString(key)}}),
			hook("ends", ends.URL, map[string][]string{"secret": {plain}, "kinds": {"ended"}, "enabled": {"true"}}),
			hook("gone", gone.URL, map[string][]string{"secret": {plain}, "kinds": {"ended"}}),
			hook("off", off.URL, map[string][]string{"secret": {plain}, "enabled": {"false"}}),
		)
		// The Queue's own snapshot is older than the components.
		n = newNode(t, db, nil)
		h := deliveries.NewHooks(n.queue, web.NewClient(web.Notification).Send, nil)
		err := db.Tx(t.Context(), func(tx *store.Tx) error { return h.Began(t.Context(), tx, r, spell, nil) })
		if err == nil {
			err = db.Tx(t.Context(), func(tx *store.Tx) error { return h.Ended(t.Context(), tx, r, []*store.Ending{ending}) })
		}
		if err != nil {
			t.Fatal(err)
		}
		state := func(s deliveries.State) int {
			list, err := n.queue.List(t.Context(), r, deliveries.Filter{State: s, Session: "s1", User: "u1", Client: "c1", Max: -1})
			if err != nil {
				t.Fatal(err)
			}
			return len(list)
		}
		until(t, "first attempts", func() bool {
			return state(deliveries.Delivered) == 2 && state(deliveries.GivenUp) == 1 && len(both.got()) == 2
		})
		c.jump(6 * time.Second)
		n.queue.Poll(t.Context())
		until(t, "the second attempt", func() bool { return state(deliveries.Delivered) == 3 })

		bodies := both.got()
		heads := both.heads
		if len(bodies) != 3 || len(ends.got()) != 1 || len(off.got()) != 0 {
			t.Fatalf("got %d, %d and %d messages", len(bodies), len(ends.got()), len(off.got()))
		}
		seen := map[string]int{}
		for i, body := range bodies {
			seen[heads[i].Get("Webhook-Id")+" "+body]++
			if err := verify(key, heads[i].Get, body); err != nil {
				t.Error(err)
			}
			if verify([]byte(plain), heads[i].Get, body) == nil || verify(key, heads[i].Get, body+" ") == nil {
				t.Error("a signature says nothing")
			}
		}
		if len(seen) != 2 {
			t.Errorf("the message that was repeated has changed: %v", seen)
		}
		if err := verify([]byte(plain), ends.heads[0].Get, ends.got()[0]); err != nil {
			t.Error(err)
		}
		var got struct {
			ID, Type, Time, Realm string
			Session               map[string]any
		}
		if err := json.Unmarshal([]byte(ends.got()[0]), &got); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"id": "s1", "kind": "online", "userId": "u1", "username": "ann", "ipAddress": "192.0.2.7", "clientId": "c1",
			"how": "browser", "flow": "browser",
			"startedAt": "2026-03-01T09:00:00.005Z", "lastAccessAt": "2026-03-01T09:00:00.005Z", "clientIds": []any{"c1", "c2"},
			"end": map[string]any{"reason": "idle", "text": "because it was not used for longer than the idle time allows", "by": "sweep",
				"rule": "ssoSessionIdleTimeout"}}
		if fmt.Sprint(got.Session) != fmt.Sprint(want) || got.ID != ends.heads[0].Get("Webhook-Id") || got.Type != "session.ended" ||
			got.Realm != "shop" || got.Time == "" {
			t.Errorf("got %+v", got)
		}
		if strings.Contains(n.log.String(), plain) || strings.Contains(n.log.String(), "whsec_") || strings.Contains(n.log.String(), "y=1") {
			t.Errorf("a secret is in the log:\n%s", n.log)
		}
	})
}

// What is enqueued for a webhook that is removed or switched off is given up.
func TestWebhookGone(t *testing.T) {
	db := storetest.SQLite(t)
	n := newNode(t, db, nil)
	rc := newReceiver(t, always(200))
	secret := map[string][]string{"secret": {"0123456789abcdef"}}
	r := n.put(hook("h", rc.URL, secret))
	for why, now := range map[string]func(){
		"the webhook is disabled": func() {
			n.put(hook("h", rc.URL, map[string][]string{"secret": {"0123456789abcdef"}, "enabled": {"false"}}))
		},
		"the webhook is gone": func() {
			cache := realms.NewCache(db)
			fresh, err := cache.Get(t.Context(), "shop")
			if err == nil {
				err = realms.NewManager(cache, db.Now, realms.Rules{}).DeleteComponent(t.Context(), fresh, "h")
			}
			if err != nil {
				t.Fatal(err)
			}
		},
	} {
		n.put(hook("h", rc.URL, secret))
		now()
		late := newNode(t, db, nil)
		h := deliveries.NewHooks(late.queue, web.NewClient(web.Notification).Send, nil)
		if err := db.Tx(t.Context(), func(tx *store.Tx) error { return h.Began(t.Context(), tx, r, spell, nil) }); err != nil {
			t.Fatal(err)
		}
		until(t, why, func() bool {
			list, err := late.queue.List(t.Context(), r, deliveries.Filter{State: deliveries.GivenUp, Max: 1})
			return err == nil && len(list) == 1 && list[0].LastError == why
		})
	}
	if len(rc.got()) != 0 {
		t.Errorf("told nevertheless: %q", rc.got())
	}
}

func TestNobodyWantsToKnow(t *testing.T) {
	db := storetest.SQLite(t)
	n := newNode(t, db, nil)
	h := deliveries.NewHooks(n.queue, web.NewClient(web.Notification).Send, nil)
	list := []*store.Ending{ending}
	if got := testing.AllocsPerRun(100, func() {
		// Without a transaction: nothing may be asked of it.
		if h.Began(t.Context(), nil, n.realm, spell, nil) != nil || h.Ended(t.Context(), nil, n.realm, list) != nil {
			t.Error("failed")
		}
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func TestLogOfSessions(t *testing.T) {
	db := storetest.SQLite(t)
	n := newNode(t, db, nil)
	var b strings.Builder
	h := deliveries.NewHooks(n.queue, nil, slog.New(slog.NewTextHandler(&b, nil)))
	err := db.Tx(t.Context(), func(tx *store.Tx) error {
		if err := h.Began(t.Context(), tx, n.realm, spell, nil); err != nil || b.Len() > 0 {
			t.Errorf("logged before the commit: %s %v", b.String(), err)
		}
		return h.Ended(t.Context(), tx, n.realm, []*store.Ending{ending})
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`msg="session began" realm=shop session=s1 kind=online user=u1 client=c1 addr=192.0.2.7 how=browser`,
		`msg="session ended" realm=shop session=s1 kind=online user=u1 client=c1 addr=192.0.2.7 how=browser reason=idle by=sweep rule=ssoSessionIdleTimeout`,
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in\n%s", want, b.String())
		}
	}
}
