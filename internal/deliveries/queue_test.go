package deliveries_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/internal/deliveries"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
	"latchkey/internal/web"
)

// A clock goes on by itself and jumps when told to.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time       { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) jump(d time.Duration) { c.ahead.Add(int64(d)) }

// A receiver answers as it is told and remembers what arrived.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	answer func(n int) int // status of the nth request from 1; 0 hangs up
	seen   []string
	heads  []http.Header
}

func newReceiver(t *testing.T, answer func(n int) int) *receiver {
	rc := &receiver{answer: answer}
	rc.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		rc.mu.Lock()
		rc.seen, rc.heads = append(rc.seen, string(body)), append(rc.heads, r.Header)
		status := rc.answer(len(rc.seen))
		rc.mu.Unlock()
		if status == 0 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(rc.Close)
	return rc
}

func (rc *receiver) got() []string {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	return append([]string(nil), rc.seen...)
}

// always answers with one status.
func always(status int) func(int) int { return func(int) int { return status } }

// A node is a Queue on a database with one realm, whose deliveries say where
// they go and what to tell: "URL text".
type node struct {
	t     *testing.T
	db    *store.DB
	queue *deliveries.Queue
	log   *strings.Builder
	realm *realms.Realm
}

const kind = "test"

func newNode(t *testing.T, db *store.DB, send deliveries.Post) *node {
	t.Helper()
	if _, err := db.RealmByID(t.Context(), "r"); err != nil {
		err := db.Tx(t.Context(), func(tx *store.Tx) error {
			return tx.InsertRealm(t.Context(), store.RealmRow{ID: "r", Name: "shop", Enabled: true, Doc: []byte(`{}`)})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if send == nil {
		send = web.NewClient(web.Notification).Send
	}
	cache := realms.NewCache(db)
	n := &node{t: t, db: db, log: new(strings.Builder)}
	n.queue = deliveries.New(cache, slog.New(slog.NewTextHandler(&lockedWriter{w: n.log}, nil)), nil)
	n.queue.Handle(kind, deliveries.HTTP{Post: send, Final: []int{400}, Make: func(_ context.Context, _ *realms.Realm,
		d *deliveries.Delivery) (*deliveries.Call, error) {
		to, text, _ := strings.Cut(string(d.Doc), " ")
		if text == "hopeless" {
			return nil, deliveries.Hopeless("nobody lives there")
		}
		if text == "broken" {
			return nil, fmt.Errorf("the inside of the server")
		}
		return &deliveries.Call{To: to, Header: map[string]string{"Content-Type": "text/plain"}, Body: text}, nil
	}})
	var err error
	if n.realm, err = cache.Get(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	return n
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// tell enqueues news for a receiver and waits for the first attempt.
func (n *node) tell(to string, texts ...string) []string {
	n.t.Helper()
	var list []*deliveries.Delivery
	for _, text := range texts {
		list = append(list, &deliveries.Delivery{Realm: "r", Kind: kind, Event: "news", Hook: to, Session: "s1", Doc: []byte(to + " " + text)})
	}
	b, err := n.queue.Put(n.t.Context(), list)
	if err != nil {
		n.t.Fatal(err)
	}
	b.Wait(n.t.Context(), 10*time.Second)
	var ids []string
	for _, d := range list {
		ids = append(ids, d.ID)
	}
	return ids
}

func (n *node) delivery(id string) *deliveries.Delivery {
	n.t.Helper()
	d, err := n.db.Delivery(n.t.Context(), "r", id)
	if err != nil {
		n.t.Fatal(err)
	}
	return d
}

// until waits until a condition holds.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never comes to pass: %s", what)
		}
	}
}

func TestRetriedUntilItArrives(t *testing.T) {
	c := new(clock)
	storetest.EachAt(t, c.now, func(t *testing.T, db *store.DB) {
		rc := newReceiver(t, func(n int) int { return []int{503, 0, 302, 204}[min(n, 4)-1] })
		n := newNode(t, db, nil)
		id := n.tell(rc.URL, "hello")[0]
		for i, want := range []struct {
			after time.Duration
			why   string
		}{{0, "answered 503"}, {6 * time.Second, "EOF"}, {34 * time.Second, "answered 302"}, {133 * time.Second, ""}} {
			if i > 0 {
				n.queue.Poll(t.Context()) // too early
				if got := len(rc.got()); got != i {
					t.Fatalf("attempt %d came too early", got)
				}
				c.jump(want.after)
				n.queue.Poll(t.Context())
				until(t, "the attempt", func() bool { d := n.delivery(id); return d.State != deliveries.Due || d.LastError == want.why })
			}
			d := n.delivery(id)
			if want.why != "" && (d.State != deliveries.Due || d.LastError != want.why || d.Attempts != i+1) {
				t.Fatalf("after attempt %d: %+v", i+1, d)
			}
		}
		if d := n.delivery(id); d.State != deliveries.Delivered || d.Attempts != 4 || d.DeliveredAt.IsZero() {
			t.Errorf("in the end: %+v", d)
		}
		c.jump(48 * time.Hour)
		n.queue.Poll(t.Context())
		if got := rc.got(); len(got) != 4 || got[3] != "hello" {
			t.Errorf("the receiver has seen %q", got)
		}
	})
}

func TestGivenUp(t *testing.T) {
	c := new(clock)
	storetest.EachAt(t, c.now, func(t *testing.T, db *store.DB) {
		n := newNode(t, db, nil)
		refuses := newReceiver(t, always(400))
		for _, x := range []struct{ text, why string }{{"hello", "answered 400"}, {"hopeless", "nobody lives there"}} {
			id := n.tell(refuses.URL, x.text)[0]
			if d := n.delivery(id); d.State != deliveries.GivenUp || d.LastError != x.why {
				t.Errorf("%s: %+v", x.text, d)
			}
		}
		if id := n.tell(refuses.URL, "broken")[0]; n.delivery(id).State != deliveries.Due ||
			strings.Contains(n.delivery(id).LastError, "inside") {
			t.Errorf("what went wrong inside: %+v", n.delivery(id))
		}

		// One that is away for a day, and then comes back.
		var back atomic.Bool
		away := newReceiver(t, func(n int) int {
			if back.Load() {
				return 200
			}
			return 500 + n
		})
		begin := c.now()
		id := n.tell(away.URL, "long")[0]
		for i := 1; n.delivery(id).State == deliveries.Due && i < 20; i++ {
			d := n.delivery(id)
			if d.LastError != fmt.Sprint("answered ", 500+i) {
				t.Fatalf("after attempt %d: %+v", i, d)
			}
			c.jump(d.DueAt.Sub(c.now()) + time.Millisecond)
			n.queue.Poll(t.Context())
			until(t, "the next attempt", func() bool { return n.delivery(id).LastError != d.LastError })
		}
		if d, took := n.delivery(id), c.now().Sub(begin); d.State != deliveries.GivenUp || d.Attempts != 10 || took < 21*time.Hour ||
			took > 27*time.Hour {
			t.Errorf("after %s: %+v", took, d)
		}
		back.Store(true)
		if err := n.queue.Retry(t.Context(), n.realm, id); err != nil {
			t.Fatal(err)
		}
		n.queue.Poll(t.Context())
		until(t, "the delivery", func() bool { return n.delivery(id).State == deliveries.Delivered })
		for at, want := range map[string]iam.Kind{id: iam.Conflict, "none": iam.NotFound} {
			if err, _ := n.queue.Retry(t.Context(), n.realm, at).(*iam.Error); err == nil || err.Kind != want {
				t.Errorf("retry of %s: %v", at, err)
			}
		}
	})
}

// Two nodes and many deliveries, half of them taken by a node that was lost:
// each arrives once.
func TestOneNodeDelivers(t *testing.T) {
	c := new(clock)
	storetest.EachAt(t, c.now, func(t *testing.T, db *store.DB) {
		// Not over the network: a call that a busy machine makes late is made again, and rightly.
		var mu sync.Mutex
		seen := map[string]int{}
		send := func(_ context.Context, _ iam.Reach, _ string, _ map[string]string, body string) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			seen[body]++
			return 200, nil
		}
		const count = 60
		var texts []string
		for i := range count {
			texts = append(texts, fmt.Sprint("news ", i))
		}
		lost := newNode(t, db, func(ctx context.Context, _ iam.Reach, _ string, _ map[string]string, _ string) (int, error) {
			<-ctx.Done() // as if it had been killed: nothing comes of it
			select {}
		})
		list := make([]*deliveries.Delivery, 0, count)
		for _, text := range texts {
			// Receivers of their own: none has more than its share of the calls.
			list = append(list, &deliveries.Delivery{Realm: "r", Kind: kind, Hook: text, Doc: []byte("http://hook.test " + text)})
		}
		if _, err := lost.queue.Put(t.Context(), list); err != nil {
			t.Fatal(err)
		}
		a, b := newNode(t, db, send), newNode(t, db, send)
		a.queue.Poll(t.Context())
		if mu.Lock(); len(seen) != 0 {
			t.Fatalf("delivered while another has them: %v", seen)
		}
		mu.Unlock()
		c.jump(31 * time.Second)
		var both sync.WaitGroup
		for _, n := range []*node{a, b} {
			both.Go(func() { n.queue.Poll(t.Context()) })
		}
		both.Wait()
		until(t, "all are delivered", func() bool {
			// A turn that came too late on a busy machine was put back for the next poll.
			for _, n := range []*node{a, b} {
				n.queue.Poll(t.Context())
			}
			rest, err := db.Deliveries(t.Context(), "r", store.DeliveryFilter{State: store.Due, Max: 1})
			return err == nil && len(rest) == 0
		})
		mu.Lock()
		defer mu.Unlock()
		for _, text := range texts {
			if seen[text] != 1 {
				t.Errorf("%s arrived %d times", text, seen[text])
			}
		}
	})
}

// A receiver that does not answer has no more than its share of the calls.
func TestDeafReceiverHoldsUpNobody(t *testing.T) {
	db := storetest.SQLite(t)
	var under, most atomic.Int64
	deaf := "http://deaf.test"
	send := web.NewClient(web.Notification).Send
	n := newNode(t, db, func(ctx context.Context, reach iam.Reach, to string, header map[string]string, body string) (int, error) {
		if to != deaf {
			return send(ctx, reach, to, header, body)
		}
		if now := under.Add(1); now > most.Load() {
			most.Store(now)
		}
		defer under.Add(-1)
		<-ctx.Done()
		return 0, ctx.Err()
	})
	rc := newReceiver(t, always(200))
	err := db.Tx(t.Context(), func(tx *store.Tx) error {
		var list []*store.Delivery
		for i := range 300 {
			to := deaf
			if i%100 == 99 {
				to = rc.URL
			}
			list = append(list, &store.Delivery{Realm: "r", ID: fmt.Sprintf("%03d", i), Kind: kind, State: store.Due, Hook: to,
				DueAt: tx.Now.Add(-time.Second), Doc: []byte(to + " x")})
		}
		return tx.InsertDeliveries(t.Context(), list)
	})
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	n.queue.Poll(t.Context())
	until(t, "the others are told", func() bool { return len(rc.got()) == 3 })
	if took := time.Since(begin); took > 4*time.Second || most.Load() > 8 {
		t.Errorf("it took %s, with %d calls to the deaf one at a time", took, most.Load())
	}
}

// When the server stops, what is under way is given back at once.
func TestStop(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		begun := make(chan struct{})
		n := newNode(t, db, func(ctx context.Context, _ iam.Reach, _ string, _ map[string]string, _ string) (int, error) {
			close(begun)
			<-ctx.Done()
			return 0, ctx.Err()
		})
		list := []*deliveries.Delivery{{Realm: "r", Kind: kind, Doc: []byte("http://x.test x")}}
		if _, err := n.queue.Put(t.Context(), list); err != nil {
			t.Fatal(err)
		}
		<-begun
		n.queue.Close(t.Context())
		if d := n.delivery(list[0].ID); d.State != deliveries.Due || d.Attempts != 0 || d.DueAt.After(db.Now()) {
			t.Errorf("left behind: %+v", d)
		}
		// What is enqueued now is left to others, at once.
		later := []*deliveries.Delivery{{Realm: "r", Kind: kind, Doc: []byte("http://x.test x")}}
		if b, err := n.queue.Put(t.Context(), later); err != nil || b != nil {
			t.Errorf("after the end: %v %v", b, err)
		}
		if d := n.delivery(later[0].ID); d.Attempts != 0 || d.DueAt.After(db.Now()) {
			t.Errorf("enqueued after the end: %+v", d)
		}
	})
}

// A transaction that fails tells nothing.
func TestOnlyWhatIsCommittedIsTold(t *testing.T) {
	db := storetest.SQLite(t)
	rc := newReceiver(t, always(200))
	n := newNode(t, db, nil)
	err := db.Tx(t.Context(), func(tx *store.Tx) error {
		if _, err := n.queue.Enqueue(t.Context(), tx, []*deliveries.Delivery{{Realm: "r", Kind: kind, Doc: []byte(rc.URL + " x")}}); err != nil {
			return err
		}
		return io.ErrUnexpectedEOF
	})
	if err == nil {
		t.Fatal("the transaction succeeded")
	}
	n.tell(rc.URL, "y")
	if got := rc.got(); len(got) != 1 || got[0] != "y" {
		t.Errorf("told %q", got)
	}
}

// slow is a kind whose attempts take as long as they may, and then fail as they are told to.
type slow struct {
	limit time.Duration
	err   error
}

func (s slow) Limit() time.Duration { return s.limit }

func (s slow) Receiver(*deliveries.Delivery) (string, int) { return "", 1 }

func (s slow) Send(ctx context.Context, _ *realms.Realm, _ *deliveries.Delivery) error {
	<-ctx.Done()
	return s.err
}

// Each kind has its own time for an attempt, and says itself what administrators are shown.
func TestKindsSendThemselves(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		n := newNode(t, db, nil)
		for _, x := range []struct {
			kind  string
			err   error
			state deliveries.State
			shown string
		}{
			{"hopeless", deliveries.Hopeless("nobody lives there"), deliveries.GivenUp, "nobody lives there"},
			{"failure", fmt.Errorf("at last: %w", deliveries.Failure("the line is busy")), deliveries.Due, "the line is busy"},
			{"inside", errors.New("password hunter2 is wrong"), deliveries.Due, "the call could not be made"},
			{"fine", nil, deliveries.Delivered, ""},
		} {
			n.queue.Handle(x.kind, slow{20 * time.Millisecond, x.err})
			list := []*deliveries.Delivery{{Realm: "r", Kind: x.kind, Doc: []byte("news")}}
			batch, err := n.queue.Put(t.Context(), list)
			if err != nil {
				t.Fatal(err)
			}
			batch.Wait(t.Context(), 10*time.Second)
			if d := n.delivery(list[0].ID); d.State != x.state || d.LastError != x.shown {
				t.Errorf("%s: %+v", x.kind, d)
			}
		}
	})
}
