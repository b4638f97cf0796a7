package scale

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
	"latchkey/test/harness"
)

var (
	measure = flag.Bool("measure", false, "measure -n sessions on -engine, instead of a hundred thousand on both")
	size    = flag.Int("n", 1_000_000, "sessions, live and ended")
	engine  = flag.String("engine", "sqlite", "sqlite or postgres")
	runs    = flag.Int("runs", 21, "runs of each operation on each server")
)

const (
	small  = 10_000
	floor  = 3 * time.Millisecond // and this much more: what is shorter drowns in the machine's own noise
	passes = 4                    // over operations that seem slow: what is slow stays slow
)

// An operation is something that people do. prepare does what must come before it and is not measured.
type operation struct {
	name    string
	like    string  // the operation whose time with the small realm is the measure; its own when empty
	often   float64 // times as long as that, at most; 2 when 0
	prepare func(w *realm) (string, error)
	run     func(ctx context.Context, w *realm, with string) (rows int, err error)
}

// lists are the documented filters of the explorer, with as many lines on either server.
func lists(w *realm) map[string]string {
	light, heavy := string(w.fill.Clients[5]), string(w.fill.Clients[0])
	month := w.fill.Now.Add(-30 * 24 * time.Hour)
	user := string(w.fill.User(w.typical))
	day := fmt.Sprintf("from=%d&to=%d", month.UnixMilli(), month.Add(24*time.Hour).UnixMilli())
	return map[string]string{
		"all":                      "",
		"all by last access":       "sort=lastAccess",
		"kind online":              "kind=online",
		"kind offline":             "kind=offline",
		"kind transient":           "kind=transient",
		"kind refused":             "kind=refused",
		"state live":               "state=live",
		"state ended":              "state=ended",
		"state live, last access":  "state=live&sort=lastAccess",
		"state ended, last access": "state=ended&sort=lastAccess",
		"user":                     "user=" + user,
		"service user":             "user=" + string(w.fill.User(0)),
		"service user, ended":      "user=" + string(w.fill.User(0)) + "&state=ended",
		"client":                   "client=" + light,
		"large client":             "client=" + heavy,
		"large client, live":       "client=" + heavy + "&state=live",
		"large client, ended":      "client=" + heavy + "&state=ended",
		"user and large client":    "client=" + heavy + "&user=" + user,
		"reason idle":              "reason=idle",
		"reason idle, a day":       "reason=idle&" + day,
		"address, ended":           "state=ended&address=" + storetest.Office,
		"reason token-reuse":       "reason=token-reuse&max=5",
		"reason wrong-password":    "reason=wrong-password",
		"address":                  "address=" + storetest.Office,
		"a day":                    day,
		"a day of a large client":  day + "&client=" + heavy,
	}
}

func operations(w *realm) []operation {
	var ops []operation
	get := func(name string, at func(w *realm) string) {
		ops = append(ops, operation{name: name, run: func(ctx context.Context, w *realm, _ string) (int, error) {
			return 0, w.admin.Get(ctx, at(w), nil)
		}})
	}
	names := make([]string, 0, 40)
	for name := range lists(w) {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		ops = append(ops, operation{name: "list: " + name, run: func(ctx context.Context, w *realm, _ string) (int, error) {
			p, err := w.list(ctx, lists(w)[name])
			return len(p.Sessions), err
		}})
		if name == "user" || name == "user and large client" || name == "reason token-reuse" || name == "service user, ended" ||
			strings.Contains(name, "a day") || name == "address, ended" {
			continue // one page is all there is, or its middle is no other than its beginning
		}
		ops = append(ops, operation{name: "middle: " + name, prepare: func(w *realm) (string, error) { return w.cursor(name) },
			run: func(ctx context.Context, w *realm, after string) (int, error) {
				p, err := w.list(ctx, lists(w)[name]+"&after="+after)
				return len(p.Sessions), err
			}})
	}
	// A count ends at ten thousand: it may take what counting so many takes.
	for _, name := range []string{"large client", "all", "state live", "service user", "client", "reason idle", "address"} {
		get("count: "+name, func(w *realm) string { return "/scale/session-explorer?max=1&count=true&" + lists(w)[name] })
		ops[len(ops)-1].like = "count: large client"
	}
	f := w.fill
	get("story of a live session", func(w *realm) string {
		return "/scale/session-explorer/" + string(w.session(func(n int) bool { return !f.Ended(n) && f.UserOf(n) != 0 }))
	})
	get("story of an ended session", func(w *realm) string {
		return "/scale/session-explorer/" + string(w.session(func(n int) bool { return f.Ended(n) && f.UserOf(n) != 0 }))
	})
	get("why, a user", func(w *realm) string { return "/scale/users/" + string(w.fill.User(w.typical)) + "/why" })
	get("why, the service user", func(w *realm) string { return "/scale/users/" + string(w.fill.User(0)) + "/why" })
	return append(ops,
		operation{name: "refresh", run: func(ctx context.Context, w *realm, _ string) (int, error) {
			a, err := w.web.Renew(ctx, w.refresh)
			if err == nil && !a.OK() {
				err = errors.New(a.Error)
			}
			return 0, err
		}},
		operation{name: "log in and out", run: func(ctx context.Context, w *realm, _ string) (int, error) {
			a, err := w.web.Post(ctx, "token", url.Values{"grant_type": {"password"}, "username": {"ada"}, "password": {"ada-pw"},
				"scope": {"openid"}})
			if err != nil {
				return 0, err
			}
			_, err = w.web.Logout(ctx, a.Refresh)
			return 0, err
		}},
		operation{name: "end a session", prepare: func(w *realm) (string, error) { return w.login().Session, nil },
			run: func(ctx context.Context, w *realm, id string) (int, error) {
				return 0, w.admin.Delete(ctx, "/scale/sessions/"+id)
			}},
		// Housekeeping: in a small realm many of the removed share a page of an index, in a large one hardly any do.
		operation{name: "sweep, 500 records", often: 8, run: func(ctx context.Context, w *realm, _ string) (int, error) {
			return undone(ctx, w.db, func(tx *store.Tx) error {
				n, err := tx.SweepEnded(ctx, w.fill.Realm, w.fill.Now, 500)
				if err == nil && n != 500 {
					err = fmt.Errorf("swept %d", n)
				}
				return err
			})
		}},
		operation{name: "sweep, nothing is due", run: func(ctx context.Context, w *realm, _ string) (int, error) {
			long := w.fill.Now.Add(-live * time.Second)
			return undone(ctx, w.db, func(tx *store.Tx) error {
				for _, due := range []store.Overdue{{Used: long, Begun: long}, {Remember: true, Used: long, Begun: long}} {
					for _, kind := range iam.SessionKinds() {
						if _, err := tx.SweepSessions(ctx, w.fill.Realm, kind, due, 500, func(*store.Ending) {}); err != nil {
							return err
						}
					}
				}
				return nil
			})
		}},
	)
}

// cursor is the place in a list that is a month back, by the beginning of
// sessions; as a place in what is sorted by last access it is as good.
func (w *realm) cursor(name string) (string, error) {
	if w.middle[name] == "" {
		query := strings.ReplaceAll(lists(w)[name], "sort=lastAccess", "")
		p, err := w.list(w.Context(), query+fmt.Sprintf("&to=%d", w.fill.Now.Add(-30*24*time.Hour).UnixMilli()))
		if err != nil {
			return "", err
		}
		if w.middle[name] = p.Next; p.Next == "" {
			return "", errors.New("there is no middle")
		}
	}
	return w.middle[name], nil
}

// undone runs a transaction and takes it back, so that it can be measured again.
func undone(ctx context.Context, db *store.DB, f func(tx *store.Tx) error) (int, error) {
	back := errors.New("taken back")
	err := db.Tx(ctx, func(tx *store.Tx) error {
		if err := f(tx); err != nil {
			return err
		}
		return back
	})
	if errors.Is(err, back) {
		return 0, nil
	}
	return 0, err
}

// once measures one run of an operation.
func (w *realm) once(op operation) (took time.Duration, rows int) {
	w.Helper()
	with := ""
	var err error
	if op.prepare != nil {
		if with, err = op.prepare(w); err != nil {
			w.Fatalf("%s, with %d sessions: %v", op.name, w.fill.Sessions, err)
		}
	}
	begun := time.Now()
	rows, err = op.run(w.Context(), w, with)
	took = time.Since(begun)
	if err != nil && strings.Contains(err.Error(), "Narrow it") {
		return took, -1 // too slow, then, unless it is better next time
	}
	if err != nil {
		w.Fatalf("%s, with %d sessions: %v", op.name, w.fill.Sessions, err)
	}
	return took, rows
}

func median(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)/2]
}

func TestTheSameAtAnySize(t *testing.T) {
	if *measure {
		compare(t, harness.Engine(*engine), *size, *runs)
		return
	}
	if testing.Short() {
		t.Skip("loads a hundred thousand sessions")
	}
	harness.Each(t, func(t *testing.T, e harness.Engine) { compare(t, e, 100_000, 9) })
}

func compare(t *testing.T, e harness.Engine, n, runs int) {
	few, many := open(t, e, small), open(t, e, n)
	var table strings.Builder
	fmt.Fprintf(&table, "\n%s, %d sessions beside %d, %d runs each, %d processors; milliseconds: median (least); the ratio is of the least, "+
		"to which other work on the machine adds nothing\n", e, n, small, runs, runtime.NumCPU())
	fmt.Fprintf(&table, "%-34s %18s %18s %6s\n", "", fmt.Sprint(small), fmt.Sprint(n), "ratio")
	// What seems slow is measured again after all the rest: the machine may have had other things to do.
	measured := map[string]*[2][]time.Duration{}
	slow := func(op operation) bool {
		like, own := measured[cmp.Or(op.like, op.name)], measured[op.name]
		limit, more := cmp.Or(op.often, 2), floor
		if !*measure {
			// An ordinary run, with ten times the sessions, shares its machine: it notices what
			// grows with their number, not what a neighbour made twice as slow.
			limit, more = 2*limit, 10*floor
		}
		return float64(slices.Min(own[1])-more) > limit*float64(slices.Min(like[0]))
	}
	all := operations(few)
	for pass, pending := 0, all; pass < passes && len(pending) > 0; pass++ {
		for _, op := range pending {
			got := measured[op.name]
			if got == nil {
				got = new([2][]time.Duration)
				measured[op.name] = got
			}
			for i := range runs + 2 {
				ta, rowsA := few.once(op)
				tb, rowsB := many.once(op)
				if rowsA != rowsB && rowsA >= 0 && rowsB >= 0 {
					t.Errorf("%s: %d lines with %d sessions, %d with %d", op.name, rowsA, small, rowsB, n)
				}
				if i >= 2 { // the first are for the caches
					got[0], got[1] = append(got[0], ta), append(got[1], tb)
				}
			}
		}
		pending = slices.DeleteFunc(slices.Clone(pending), func(op operation) bool { return !slow(op) })
	}
	ms := func(list []time.Duration) string {
		return fmt.Sprintf("%.2f (%.2f)", float64(median(list))/1e6, float64(slices.Min(list))/1e6)
	}
	for _, op := range all {
		got, mark := measured[op.name], ""
		if slow(op) {
			mark = " TOO SLOW"
			t.Errorf("%s takes %v with %d sessions and %v with %d", op.name, slices.Min(got[0]), small, slices.Min(got[1]), n)
		}
		fmt.Fprintf(&table, "%-34s %18s %18s %6.2f%s\n", op.name, ms(got[0]), ms(got[1]),
			float64(slices.Min(got[1]))/float64(slices.Min(got[0])), mark)
	}
	t.Log(table.String())
	patience(t, many)
}

// patience asks for what no index helps with: an answer comes in time, be it a
// page or the advice to ask for less. Only an exact count is waited for.
func patience(t *testing.T, w *realm) {
	t.Helper()
	long := fmt.Sprintf("from=%d", w.fill.Now.Add(-59*24*time.Hour).UnixMilli())
	for _, query := range []string{
		"address=" + storetest.Office + "&reason=max-age&kind=online,offline&sort=lastAccess&" + long,
		"client=" + string(w.fill.Clients[7]) + "&reason=" + string(iam.TokenReuse) + "&sort=lastAccess&" + long,
		"client=" + string(w.fill.Clients[0]) + "&reason=idle&sort=lastAccess&count=true",
		"client=" + string(w.fill.Clients[0]) + "&reason=idle&sort=lastAccess&count=exact",
		"count=exact",
	} {
		begun := time.Now()
		_, err := w.list(t.Context(), query)
		took := time.Since(begun)
		said := "a page"
		if err != nil {
			said = err.Error()
			if !strings.Contains(said, "400") || !strings.Contains(said, "Narrow it") {
				t.Errorf("%q: %v", query, err)
			}
		}
		t.Logf("%q: %v, %s", query, took.Round(time.Millisecond), said)
		if took > 2500*time.Millisecond && !strings.Contains(query, "count=exact") {
			t.Errorf("%q is answered after %v", query, took)
		}
	}
}
