package users_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"latchkey/internal/iam"
	"latchkey/internal/store"
)

func TestConsentsAndLinks(t *testing.T) {
	each(t, realmDoc, func(w *world) {
		ctx, r := w.Context(), w.realm
		w.must(w.db.Tx(ctx, func(tx *store.Tx) error {
			return tx.InsertClient(ctx, r.ID, store.ClientRow{ID: "c", ClientID: "till", Enabled: true, Doc: []byte(`{}`)})
		}))
		if c, err := w.s.Consent(ctx, r, w.anna.ID, "c"); c != nil || err != nil {
			t.Errorf("before: %v, %v", c, err)
		}
		if _, first, err := w.s.SetConsent(ctx, r, w.anna.ID, "c", []iam.ScopeID{"one"}); !first || err != nil {
			t.Errorf("granted: %v, %v", first, err)
		}
		first, err := w.s.Consent(ctx, r, w.anna.ID, "c")
		w.must(err)
		if _, first, err := w.s.SetConsent(ctx, r, w.anna.ID, "c", []iam.ScopeID{"two"}); first || err != nil {
			t.Errorf("granted again: %v, %v", first, err)
		}
		all, err := w.s.Consents(ctx, r, w.anna.ID)
		w.must(err)
		if len(all) != 1 || all[0].Scopes[0] != "two" || !all[0].Created.Equal(first.Created) || all[0].Updated.Before(first.Updated) {
			t.Errorf("granted again: %+v after %+v", all[0], first)
		}
		for _, want := range []bool{true, false} {
			if was, err := w.s.RevokeConsent(ctx, r, w.anna.ID, "c"); was != want || err != nil {
				t.Errorf("revoked: %v, %v; want %v", was, err, want)
			}
		}

		link := &iam.FederatedIdentity{User: w.anna.ID, Provider: "hub", ExternalID: "7", ExternalUsername: "anna7"}
		w.must(w.s.AddLink(ctx, r, link))
		var refused *iam.Error
		if err := w.s.AddLink(ctx, r, link); !errors.As(err, &refused) || refused.Kind != iam.Conflict {
			t.Errorf("linked twice: %v", err)
		}
		if list, err := w.s.Links(ctx, r, w.anna.ID); err != nil || len(list) != 1 || list[0].ExternalUsername != "anna7" {
			t.Errorf("links %v, %v", list, err)
		}
		for _, want := range []bool{true, false} {
			if was, err := w.s.RemoveLink(ctx, r, w.anna.ID, "hub"); was != want || err != nil {
				t.Errorf("unlinked: %v, %v; want %v", was, err, want)
			}
		}
	})
}

// Logins in several tabs that grant a client different scopes at once all
// count, and of several grants at once exactly one is the first.
func TestConsentRaces(t *testing.T) {
	each(t, realmDoc, func(w *world) {
		ctx, r := w.Context(), w.realm
		race := func(n int, f func(i int) error) {
			var wg sync.WaitGroup
			start := make(chan struct{})
			for i := range n {
				wg.Go(func() {
					<-start
					if err := f(i); err != nil {
						w.Error(err)
					}
				})
			}
			close(start)
			wg.Wait()
		}
		const tabs = 6
		for round := range 4 {
			client := iam.ClientID(fmt.Sprint("added-", round))
			race(tabs, func(i int) error {
				return w.s.AddConsent(ctx, r, w.anna.ID, client, []iam.ScopeID{"all", iam.ScopeID(fmt.Sprint("scope-", i))})
			})
			c, err := w.s.Consent(ctx, r, w.anna.ID, client)
			w.must(err)
			if len(c.Scopes) != tabs+1 {
				w.Errorf("%d tabs granted one scope each and one together: %v is kept", tabs, c.Scopes)
			}

			client = iam.ClientID(fmt.Sprint("set-", round))
			var firsts atomic.Int32
			race(tabs, func(int) error {
				_, first, err := w.s.SetConsent(ctx, r, w.anna.ID, client, []iam.ScopeID{"one"})
				if first {
					firsts.Add(1)
				}
				return err
			})
			if n := firsts.Load(); n != 1 {
				w.Errorf("%d of %d were told that theirs is the first", n, tabs)
			}
		}
	})
}
