package store_test

import (
	"fmt"
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

// Records that begin in the same millisecond, even under the same id, are all
// found, each once, whatever the size of a page.
func TestPagesOfOneMillisecond(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		at := db.Now().Truncate(time.Millisecond)
		err := db.Tx(ctx, func(tx *store.Tx) error {
			if err := tx.InsertRealm(ctx, store.RealmRow{ID: "r", Name: "r", Enabled: true, Doc: []byte("{}")}); err != nil {
				return err
			}
			for i := range 5 {
				for _, offline := range []bool{false, true} {
					us := &iam.UserSession{ID: iam.SessionID(fmt.Sprint("s", i)), Realm: "r", Offline: offline, User: "u", Started: at, LastAccess: at}
					if _, err := tx.BeginSession(ctx, us); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for size := 1; size <= 11; size++ {
			for _, byAccess := range []bool{false, true} {
				f := &store.RecordFilter{Sources: []store.RecordSource{{Table: store.LiveRecords}, {Table: store.LiveRecords, Offline: true}},
					Max: size, ByAccess: byAccess}
				seen := map[string]int{}
				for range 20 {
					list, err := db.Records(ctx, "r", f)
					if err != nil {
						t.Fatal(err)
					}
					if len(list) == 0 {
						break
					}
					for _, x := range list {
						seen[fmt.Sprint(x.ID, x.Source.Offline)]++
					}
					last := list[len(list)-1]
					f.After = &store.RecordCursor{At: last.Key, ID: last.ID, Source: last.Place}
				}
				if len(seen) != 10 {
					t.Errorf("pages of %d show %d of 10: %v", size, len(seen), seen)
				}
				for id, n := range seen {
					if n != 1 {
						t.Errorf("pages of %d show %s %d times", size, id, n)
					}
				}
			}
		}
	})
}
