package store_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

// Nodes of this version and of the one before write one client session in every
// order. What either wrote last is what both read: a refresh token that was spent at
// one of them is spent at the other, and a chain that ended is there for none.
func TestChainsOfTwoVersionsInterleaved(t *testing.T) {
	p := iam.ClientSession{Realm: "r", Session: "s", Client: "c"}
	at := time.UnixMilli(1_764_000_000_123)
	chain := func(n int) iam.RefreshChain {
		return iam.RefreshChain{ReuseID: "login", Used: fmt.Sprint("used", n), Uses: n, Newest: fmt.Sprint("newest", n),
			Issued: at.Add(time.Duration(n) * time.Millisecond), Expires: at.Add(time.Hour).Truncate(time.Second)}
	}
	fromBefore := func(write func(*store.Tx, context.Context, *iam.ClientSession) (bool, error)) func(context.Context,
		*store.Tx, int) (bool, error) {
		return func(ctx context.Context, tx *store.Tx, n int) (bool, error) {
			part := p
			notes, version, err := tx.OldPart(ctx, &p)
			if err != nil {
				return false, err
			}
			part.Version, part.Notes = version, notes
			name, note := store.ChainNote(chain(n))
			part.Notes[name] = note
			return write(tx, ctx, &part)
		}
	}
	fromThis := func(write func(*store.Tx, context.Context, *iam.ClientSession) (bool, error)) func(context.Context,
		*store.Tx, int) (bool, error) {
		return func(ctx context.Context, tx *store.Tx, n int) (bool, error) {
			v, err := tx.Session(ctx, "r", iam.SessionRef{ID: "s"}, "c")
			if err != nil {
				return false, err
			}
			v.ClientSession.Chains = append(slices.DeleteFunc(v.ClientSession.Chains, func(c iam.RefreshChain) bool { return c.ReuseID == "login" }),
				chain(n))
			return write(tx, ctx, v.ClientSession)
		}
	}
	again := func(write func(*store.Tx, context.Context, *iam.ClientSession) (bool, error)) func(context.Context,
		*store.Tx, int) (bool, error) {
		return func(ctx context.Context, tx *store.Tx, _ int) (bool, error) {
			if _, err := tx.EndClientSessions(ctx, "r", iam.SessionRef{ID: "s"}.Only(), "c", func(*iam.ClientSession) {},
				iam.End{Reason: iam.Revoked}); err != nil {
				return false, err
			}
			part := p
			part.Notes = map[string]string{"scope": "openid"}
			return write(tx, ctx, &part)
		}
	}
	steps := []struct {
		name string
		none bool // no chain is there afterwards
		do   func(ctx context.Context, tx *store.Tx, n int) (bool, error)
	}{
		{"before: rotates", false, fromBefore((*store.Tx).OldSwap)},
		{"before: logs in once more", false, fromBefore((*store.Tx).OldPut)},
		{"before: begins anew", true, again((*store.Tx).OldPut)},
		{"this: rotates", false, fromThis((*store.Tx).SwapClientSession)},
		{"this: logs in once more", false, fromThis((*store.Tx).PutClientSession)},
		{"this: begins anew", true, again((*store.Tx).PutClientSession)},
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		addRealm(t, db, "r")
		addSession(t, db, &iam.UserSession{ID: "s", Realm: "r", User: "u", Started: db.Now(), LastAccess: db.Now()}, "c")
		const length = 3
		n := 0
		for order := range len(steps) * len(steps) * len(steps) {
			var done []string
			for range length {
				step := steps[order%len(steps)]
				order /= len(steps)
				n++
				done = append(done, step.name)
				err := db.Tx(ctx, func(tx *store.Tx) error {
					won, err := step.do(ctx, tx, n)
					if err == nil && !won {
						err = fmt.Errorf("nothing was written")
					}
					return err
				})
				if err != nil {
					t.Fatalf("%s: %v", strings.Join(done, ", "), err)
				}
				var want []iam.RefreshChain
				wantNotes := map[string]string{}
				if !step.none {
					want = append(want, chain(n))
					name, note := store.ChainNote(chain(n))
					wantNotes[name] = note
				}
				v, err := db.Session(ctx, "r", iam.SessionRef{ID: "s"}, "c")
				if err != nil {
					t.Fatal(err)
				}
				parts, err := db.ClientSessionsOf(ctx, "r", iam.SessionRef{ID: "s"}.Only())
				if err != nil {
					t.Fatal(err)
				}
				for _, got := range []*iam.ClientSession{v.ClientSession, parts[0]} {
					if !slices.EqualFunc(got.Chains, want, sameChain) || len(got.Notes) > 1 {
						t.Fatalf("%s: this version reads %+v and notes %v, want %+v", strings.Join(done, ", "), got.Chains, got.Notes, want)
					}
				}
				err = db.Tx(ctx, func(tx *store.Tx) error {
					notes, _, err := tx.OldPart(ctx, &p)
					delete(notes, "scope")
					if !maps.Equal(notes, wantNotes) {
						t.Fatalf("%s: the version before reads %v, want %v", strings.Join(done, ", "), notes, wantNotes)
					}
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

func sameChain(a, b iam.RefreshChain) bool {
	return a.Issued.Equal(b.Issued) && a.Expires.Equal(b.Expires) && a.ReuseID == b.ReuseID && a.Used == b.Used && a.Uses == b.Uses &&
		a.Newest == b.Newest
}
