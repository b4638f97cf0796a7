package oidc

import (
	"errors"
	"testing"
	"time"

	"latchkey/internal/iam"
)

// What a chain is stored as is read back, and says when a successor was issued
// to whoever presents what is spent.
func TestChainsAreRemembered(t *testing.T) {
	at := time.UnixMilli(1_764_000_000_123)
	for _, c := range []struct {
		name  string
		note  string
		id    string // that is presented, a second after the newest was issued
		grace time.Duration
		same  bool  // it gets the newest again
		err   error // otherwise
		rule  string
	}{
		{"a new chain", "", "a", time.Minute, false, nil, ""},
		{"the newest", "a 1 b " + "mi7uvk3f", "b", time.Minute, false, nil, ""},
		{"its predecessor, within the grace", (&chain{"a", 1, "b", at}).String(), "a", 2 * time.Second, true, nil, ""},
		{"its predecessor, without grace", (&chain{"a", 1, "b", at}).String(), "a", 0, false, errTooOften, "revokeRefreshToken: its successor was issued 2025-11-24T16:00:00.123Z"},
		{"its predecessor, at the end of the grace", (&chain{"a", 1, "b", at}).String(), "a", time.Second, false, errTooOften, "revokeRefreshToken: its successor was issued 2025-11-24T16:00:00.123Z"},
		{"an older one", (&chain{"b", 1, "c", at}).String(), "a", time.Minute, false, errStale, "revokeRefreshToken: a later one had been used, whose successor was issued 2025-11-24T16:00:00.123Z"},
		{"a chain that does not say when", "a 1 b", "a", time.Minute, false, errTooOften, "revokeRefreshToken"},
	} {
		x := readChain(&iam.ClientSession{Notes: map[string]string{chainNote + "r": c.note}}, "r")
		if c.note != "" && x.String() != c.note {
			t.Errorf("%s: %q is written back as %q", c.name, c.note, x.String())
		}
		if same := x.justRotated(c.id, at.Add(time.Second), c.grace); same != c.same {
			t.Errorf("%s: the same successor again: %v", c.name, same)
			continue
		} else if same {
			continue
		}
		if err := x.use(c.id, 0); !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", c.name, err, c.err)
		}
		if c.err == nil {
			continue
		}
		want := iam.End{Reason: iam.TokenReuse, By: iam.ActorServer, Client: "client", Rule: c.rule, Token: c.id}
		if end := x.reused(c.id, "client"); end != want {
			t.Errorf("%s: ends %+v, want %+v", c.name, end, want)
		}
	}
}
