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
		{"its predecessor, within the grace", (&chain{used: "a", times: 1, newest: "b", at: at}).String(), "a", 2 * time.Second, true, nil, ""},
		{"its predecessor, without grace", (&chain{used: "a", times: 1, newest: "b", at: at}).String(), "a", 0, false, errTooOften, "revokeRefreshToken: its successor was issued 2025-11-24T16:00:00.123Z"},
		{"its predecessor, at the end of the grace", (&chain{used: "a", times: 1, newest: "b", at: at}).String(), "a", time.Second, false, errTooOften, "revokeRefreshToken: its successor was issued 2025-11-24T16:00:00.123Z"},
		{"an older one", (&chain{used: "b", times: 1, newest: "c", at: at}).String(), "a", time.Minute, false, errStale, "revokeRefreshToken: a later one had been used, whose successor was issued 2025-11-24T16:00:00.123Z"},
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

// A chain is remembered until every token of it has expired, also one that was
// given a longer life than those after it, and no longer.
func TestChainsAreForgotten(t *testing.T) {
	now := time.Unix(1_764_000_000, 0)
	in := func(d time.Duration) time.Time { return now.Add(d) }
	for _, c := range []struct {
		name string
		note string
		used int64 // when the token that is used expires
		next time.Time
		want time.Time
	}{
		{"its first rotation", "", in(time.Hour).Unix(), in(30 * time.Minute), in(time.Hour + chainSlack)},
		{"the next one lives longer", "", in(time.Minute).Unix(), in(30 * time.Minute), in(30*time.Minute + chainSlack)},
		{"an earlier one lives longest", (&chain{used: "a", times: 1, newest: "b", at: now, until: in(9 * time.Hour)}).String(), in(time.Minute).Unix(), in(time.Minute), in(9 * time.Hour)},
		{"the next one never expires", "", in(time.Hour).Unix(), time.Time{}, time.Time{}},
		{"this one never expires", "", 0, in(time.Hour), time.Time{}},
		{"an earlier one never expires", (&chain{used: "a", times: 1, newest: "b", at: now}).String(), in(time.Hour).Unix(), in(time.Hour), time.Time{}},
	} {
		x := parseChain(c.note)
		x.keep(c.used, c.next)
		if !x.until.Equal(c.want) {
			t.Errorf("%s: kept until %v, want %v", c.name, x.until, c.want)
		}
		if err := x.use("b", 0); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		x.newest, x.at = "c", now
		for _, at := range []time.Time{now, c.want, c.want.Add(time.Second), in(1000 * time.Hour)} {
			notes := map[string]string{chainNote + "r": x.String(), "scope": "openid"}
			forgetChains(notes, at)
			if _, kept := notes[chainNote+"r"]; kept != (c.want.IsZero() || !at.After(c.want)) || notes["scope"] == "" {
				t.Errorf("%s: at %v the notes are %v", c.name, at, notes)
			}
		}
	}
}
