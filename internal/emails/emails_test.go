package emails_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"latchkey/internal/authn/authntest"
	"latchkey/internal/emails"
	"latchkey/internal/pages"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

const shop = `{"realm":"shop","enabled":true,"users":[{"username":"ann","enabled":true,"email":"ann@example.test"},{"username":"bob","enabled":true}]}`

// Of all who ask for a mail at once one is told to send it, the others how long to wait.
func TestPauseHasOneWinner(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h := authntest.New(t, db, shop, nil)
		s, ann := h.Steps().Emails, h.User(t, "ann")
		var mu sync.Mutex
		var all sync.WaitGroup
		won := 0
		for range 12 {
			all.Go(func() {
				left, err := s.Pause(t.Context(), h.Realm, ann.ID, "k", time.Minute)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err != nil:
					t.Error(err)
				case left == 0:
					won++
				case left < time.Second || left > time.Minute:
					t.Errorf("%s are left", left)
				}
			})
		}
		all.Wait()
		if won != 1 {
			t.Errorf("%d were told to send", won)
		}
		if left, err := s.Pause(t.Context(), h.Realm, ann.ID, "another", time.Minute); left != 0 || err != nil {
			t.Errorf("another kind of mail waits %s, %v", left, err)
		}
	})
}

// What can never be sent is an Error in Keycloak's words, at once, and leaves nothing in the outbox.
func TestWhatCannotBeSent(t *testing.T) {
	db := storetest.SQLite(t)
	h := authntest.New(t, db, shop, nil)
	s := h.Steps().Emails
	for name, want := range map[string]string{"ann": "Invalid sender address 'null'.", "bob": "Invalid sender address 'null'."} {
		err := s.Post(t.Context(), h.Realm, emails.To{User: h.User(t, name)}, "x", pages.TestMail{}, time.Time{})
		var e *emails.Error
		if !errors.As(err, &e) || len(e.Words()) < len(want) || e.Words()[:len(want)] != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if list, err := db.Deliveries(t.Context(), h.Realm.ID, store.DeliveryFilter{Max: -1}); err != nil || len(list) != 0 {
		t.Errorf("%d deliveries, %v", len(list), err)
	}
}
