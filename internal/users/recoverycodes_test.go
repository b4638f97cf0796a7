package users_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"latchkey/internal/iam"
	"latchkey/internal/users"
)

// Keycloak: RecoveryAuthnCodesCredentialProvider.isValid, in its own stored form.
func TestRecoveryCodesWorkOnceAndInTurn(t *testing.T) {
	each(t, `{}`, func(w *world) {
		ctx, r := w.Context(), w.realm
		codes, err := users.NewRecoveryCodes()
		w.must(err)
		w.must(w.s.PutRecoveryCodes(ctx, r, w.anna.ID, []string{"LOST"}, "old", w.db.Now()))
		w.must(w.s.PutRecoveryCodes(ctx, r, w.anna.ID, codes[:3], "mine", w.db.Now()))
		stored := func() (found *iam.Credential) {
			list, err := w.s.Credentials(ctx, r, w.anna.ID)
			w.must(err)
			for _, c := range list {
				if c.Kind == iam.RecoveryCodes && found != nil {
					w.Error("new codes do not replace the old ones")
				}
				if c.Kind == iam.RecoveryCodes {
					found = c
				}
			}
			return found
		}
		c := stored()
		if string(c.Data) != `{"algorithm":"SHA-512","totalCodes":3,"remainingCodes":3}` || strings.Contains(string(c.Secret), codes[0]) {
			w.Errorf("stored as %s", c.Data)
		}
		for _, wrong := range []string{"LOST", codes[1], "", strings.ToLower(codes[0])} {
			if ok, err := w.s.CheckRecoveryCode(ctx, r, w.anna.ID, nil, wrong); ok || err != nil {
				w.Errorf("%q works: %v", wrong, err)
			}
		}
		var won atomic.Int32
		var wg sync.WaitGroup
		for range 12 {
			wg.Go(func() {
				ok, err := w.s.CheckRecoveryCode(ctx, r, w.anna.ID, nil, codes[0][:4]+"-"+codes[0][4:])
				if err != nil {
					w.Error(err)
				}
				if ok {
					won.Add(1)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			w.Errorf("%d logins with one code", won.Load())
		}
		if state, ok := users.RecoveryStateOf(stored()); !ok || state != (users.RecoveryState{Next: 2, Total: 3, Remaining: 2}) {
			w.Errorf("%+v", state)
		}
		for _, code := range codes[1:3] {
			if ok, err := w.s.CheckRecoveryCode(ctx, r, w.anna.ID, nil, code); !ok || err != nil {
				w.Errorf("the next code: %v, %v", ok, err)
			}
		}
		if stored() != nil {
			w.Error("codes that are all used stay")
		}
	})
}
