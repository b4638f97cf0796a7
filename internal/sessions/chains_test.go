package sessions

import (
	"errors"
	"slices"
	"testing"
	"time"

	"latchkey/internal/iam"
)

// A chain says of each token whether it may be used, and when a successor was issued
// to whoever presents what is spent.
func TestChainsAreRemembered(t *testing.T) {
	at := time.UnixMilli(1_764_000_000_123)
	for _, c := range []struct {
		name  string
		chain iam.RefreshChain
		id    string // that is presented, a second after the newest was issued
		grace time.Duration
		same  bool  // it gets the newest again
		err   error // otherwise
		rule  string
	}{
		{"a new chain", iam.RefreshChain{}, "a", time.Minute, false, nil, ""},
		{"the newest", iam.RefreshChain{Used: "a", Uses: 1, Newest: "b", Issued: at}, "b", time.Minute, false, nil, ""},
		{"its predecessor, within the grace", iam.RefreshChain{Used: "a", Uses: 1, Newest: "b", Issued: at}, "a", 2 * time.Second, true, nil, ""},
		{"its predecessor, without grace", iam.RefreshChain{Used: "a", Uses: 1, Newest: "b", Issued: at}, "a", 0, false, ErrReused,
			"revokeRefreshToken: its successor was issued 2025-11-24T16:00:00.123Z"},
		{"its predecessor, at the end of the grace", iam.RefreshChain{Used: "a", Uses: 1, Newest: "b", Issued: at}, "a",
			time.Second, false, ErrReused,
			"revokeRefreshToken: its successor was issued 2025-11-24T16:00:00.123Z"},
		{"an older one", iam.RefreshChain{Used: "b", Uses: 1, Newest: "c", Issued: at}, "a", time.Minute, false, ErrStale,
			"revokeRefreshToken: a later one had been used, whose successor was issued 2025-11-24T16:00:00.123Z"},
		{"one that another server gave out since", iam.RefreshChain{Used: "a", Uses: 1, Issued: at}, "b", 0, false, nil, ""},
		{"one that another server gave out before", iam.RefreshChain{Used: "b", Uses: 1, Issued: at.Add(time.Second)}, "a", 0, false, ErrStale,
			"revokeRefreshToken: a later one had been used, whose successor was issued 2025-11-24T16:00:01.123Z"},
		{"the one that was used at another server", iam.RefreshChain{Used: "a", Uses: 1, Issued: at}, "a", 0, false, ErrReused,
			"revokeRefreshToken: its successor was issued 2025-11-24T16:00:00.123Z"},
		{"a chain that does not say when", iam.RefreshChain{Used: "a", Uses: 1, Newest: "b"}, "a", time.Minute, false, ErrReused,
			"revokeRefreshToken"},
	} {
		if same := justRotated(c.chain, c.id, at.Add(time.Second), c.grace); same != c.same {
			t.Errorf("%s: the same successor again: %v", c.name, same)
			continue
		} else if same {
			continue
		}
		if err := spend(&c.chain, RefreshUse{ID: c.id, Issued: at}, 0); !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", c.name, err, c.err)
		}
		if c.err == nil {
			continue
		}
		want := iam.End{Reason: iam.TokenReuse, By: iam.ActorServer, Client: "client", Rule: c.rule, Token: c.id}
		if end := reused(c.chain, c.id, "client"); end != want {
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
		name  string
		chain iam.RefreshChain
		used  time.Time // when the token that is used expires
		next  time.Time
		want  time.Time
	}{
		{"its first rotation", iam.RefreshChain{}, in(time.Hour), in(30 * time.Minute), in(time.Hour + chainSlack)},
		{"the next one lives longer", iam.RefreshChain{}, in(time.Minute), in(30 * time.Minute), in(30*time.Minute + chainSlack)},
		{"an earlier one lives longest", iam.RefreshChain{Used: "a", Newest: "b", Expires: in(9 * time.Hour)}, in(time.Minute), in(time.Minute),
			in(9 * time.Hour)},
		{"the next one never expires", iam.RefreshChain{}, in(time.Hour), time.Time{}, time.Time{}},
		{"this one never expires", iam.RefreshChain{}, time.Time{}, in(time.Hour), time.Time{}},
		{"an earlier one never expires", iam.RefreshChain{Used: "a", Newest: "b"}, in(time.Hour), in(time.Hour), time.Time{}},
	} {
		c.chain.ReuseID = "r"
		if c.chain.Expires = keep(c.chain, c.used, c.next); !c.chain.Expires.Equal(c.want) {
			t.Errorf("%s: kept until %v, want %v", c.name, c.chain.Expires, c.want)
		}
		for _, at := range []time.Time{now, c.want, c.want.Add(time.Second), in(1000 * time.Hour)} {
			list := with([]iam.RefreshChain{c.chain}, iam.RefreshChain{ReuseID: "other"}, at)
			kept := slices.ContainsFunc(list, func(o iam.RefreshChain) bool { return o.ReuseID == "r" })
			if kept != (c.want.IsZero() || !at.After(c.want)) || list[len(list)-1].ReuseID != "other" {
				t.Errorf("%s: at %v the chains are %v", c.name, at, list)
			}
		}
	}
}
