package kill

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"latchkey/test/visitor"
)

// An entry is one session as its client knows it.
type entry struct {
	code     string   // that the session came of
	redeemed bool     // the answer to the code's redemption was seen
	token    string   // the refresh token of the latest answer
	spent    []string // those before, whose rotation was answered
	out      bool     // the logout was answered
	open     string   // what was asked and not answered: "", "redeem", "refresh", "logout"
}

// A ledger is what all clients know together.
type ledger struct {
	mu      sync.Mutex
	entries []*entry
	acks    atomic.Int64 // answers that granted what was asked for
}

func (l *ledger) add(e *entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, e)
}

// errRefused is an answer that refuses what nobody had taken back: something was lost.
var errRefused = errors.New("refused")

// A worker is one person with one browser and one client, who logs in, refreshes
// and logs out until the server is gone.
type worker struct {
	party    visitor.Party
	username string
	random   *rand.Rand
	book     *ledger
	dead     *atomic.Bool // the server was killed
}

// work goes on until the server is killed, and returns an error when the server
// refused something before.
func (w *worker) work(ctx context.Context) error {
	for !w.dead.Load() {
		if err := w.session(ctx); err != nil {
			if w.dead.Load() {
				return nil
			}
			return err
		}
	}
	return nil
}

// session is one login with what follows. An error means that the connection
// broke or that the server refused.
func (w *worker) session(ctx context.Context) error {
	code, err := w.party.Code(ctx, visitor.NewBrowser(), w.username, w.username+"-pw")
	if err != nil {
		return err
	}
	e := &entry{code: code, open: "redeem"}
	w.book.add(e)
	got, err := w.ask(e, "redeem", func() (*visitor.Answer, error) { return w.party.Redeem(ctx, code) })
	if err != nil {
		return err
	}
	e.redeemed, e.token = true, got.Refresh
	for range w.random.IntN(8) {
		got, err := w.ask(e, "refresh", func() (*visitor.Answer, error) { return w.party.Renew(ctx, e.token) })
		if err != nil {
			return err
		}
		e.spent = append(e.spent, e.token)
		e.token = got.Refresh
	}
	if w.random.IntN(2) == 0 {
		return nil
	}
	if _, err := w.ask(e, "logout", func() (*visitor.Answer, error) { return w.party.Logout(ctx, e.token) }); err != nil {
		return err
	}
	e.out = true
	return nil
}

// ask notes in the entry what is under way, so that it counts as open when no
// answer comes.
func (w *worker) ask(e *entry, what string, f func() (*visitor.Answer, error)) (*visitor.Answer, error) {
	e.open = what
	got, err := f()
	if err != nil {
		return nil, err
	}
	if !got.OK() {
		return nil, fmt.Errorf("%s: %w with %d %s %s", what, errRefused, got.Status, got.Error, got.Description)
	}
	e.open = ""
	w.book.acks.Add(1)
	return got, nil
}

// audit asks the restarted server about every entry and returns what is not as
// it was acknowledged.
func (l *ledger) audit(ctx context.Context, party visitor.Party) (losses []string, err error) {
	for i, e := range l.entries {
		lost, err := e.audit(ctx, party)
		if err != nil {
			return nil, err
		}
		for _, text := range lost {
			losses = append(losses, fmt.Sprintf("session %d of %d (%d rotations, open %q): %s", i, len(l.entries), len(e.spent), e.open, text))
		}
	}
	return losses, nil
}

// audit asks first what must still work and then what must not, since the use
// of a spent token may end a session.
func (e *entry) audit(ctx context.Context, party visitor.Party) (lost []string, err error) {
	say := func(format string, args ...any) { lost = append(lost, fmt.Sprintf(format, args...)) }
	renew := func(token string) (ok bool) {
		if err != nil {
			return false
		}
		var got *visitor.Answer
		if got, err = party.Renew(ctx, token); err != nil {
			return false
		}
		if got.Status >= 500 {
			say("a refresh is answered %d", got.Status)
		}
		return got.OK()
	}
	redeem := func() bool {
		if err != nil {
			return false
		}
		var got *visitor.Answer
		if got, err = party.Redeem(ctx, e.code); err != nil {
			return false
		}
		return got.OK()
	}
	switch {
	case !e.redeemed: // nobody knows whether the code was taken
		first, second := redeem(), redeem()
		if first && second {
			say("the code worked twice")
		}
		return lost, err
	case e.out:
		if renew(e.token) {
			say("the logout is lost: the session's token still works")
		}
	case e.open == "":
		if !renew(e.token) {
			say("the session is lost: its latest token does not work")
		} else if renew(e.token) {
			say("the latest token worked twice")
		}
	default: // a refresh or a logout was under way: its token works once or not at all
		first, again := renew(e.token), renew(e.token)
		if first && again {
			say("the token of the open %s worked twice", e.open)
		}
	}
	for _, token := range e.spent {
		if renew(token) {
			say("a token works again that had been rotated")
		}
	}
	if redeem() {
		say("the code worked twice")
	}
	return lost, err
}

// rest waits for a random while, so that the kill comes at no particular moment.
func rest(random *rand.Rand) { time.Sleep(time.Duration(random.IntN(40_000)) * time.Microsecond) }
