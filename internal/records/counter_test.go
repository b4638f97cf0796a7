package records_test

import (
	"fmt"
	"testing"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/records"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

func world(t *testing.T, db *store.DB) *realms.Realm {
	t.Helper()
	ctx := t.Context()
	if err := db.Tx(ctx, func(tx *store.Tx) error {
		return tx.InsertRealm(ctx, store.RealmRow{ID: "r", Name: "shop", Enabled: true, Doc: []byte(`{"realm":"shop"}`)})
	}); err != nil {
		t.Fatal(err)
	}
	r, err := realms.NewCache(db).ByID(ctx, "r")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func refusals(t *testing.T, db *store.DB) []*store.Record {
	t.Helper()
	list, err := db.Records(t.Context(), "r", &store.RecordFilter{Sources: []store.RecordSource{{Table: store.OccurrenceRecords,
		Kind: store.Refused}}, Max: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestRefusalsAreCountedAndBounded(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := world(t, db)
		l := records.NewCounter(db)
		refuse := func(ip string) {
			l.Refused(t.Context(), r, &iam.Event{Kind: "LOGIN_ERROR", Error: "invalid_user_credentials", User: "u", IP: ip,
				Details: map[string]string{"username": "ann"}})
		}
		for range 40 {
			refuse("10.0.0.1")
		}
		l.Flush(t.Context())
		refuse("10.0.0.1")
		l.Flush(t.Context())
		list := refusals(t, db)
		if len(list) != 1 || list[0].Occurrence.Count != 41 || list[0].Occurrence.Reason != string(iam.WrongPassword) {
			t.Fatalf("%d rows, want one of 41: %+v", len(list), list)
		}
		for i := range 500 {
			refuse(fmt.Sprintf("10.1.%d.%d", i/250, i%250))
		}
		l.Flush(t.Context())
		var sum int64
		list = refusals(t, db)
		for _, x := range list {
			sum += x.Occurrence.Count
		}
		if len(list) > 51 || sum != 541 {
			t.Errorf("500 addresses made %d rows that count %d; want at most 51, and 541", len(list), sum)
		}
	})
}

func TestWhatIsNoRefusalIsNotCounted(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := world(t, db)
		l := records.NewCounter(db)
		for _, e := range []*iam.Event{{Kind: "UPDATE_PASSWORD_ERROR", Error: "password_rejected"},
			{Kind: "LOGIN_ERROR", Error: "already_logged_in"}} {
			l.Refused(t.Context(), r, e)
		}
		l.Flush(t.Context())
		if list := refusals(t, db); len(list) != 0 {
			t.Errorf("counted %+v", list[0].Occurrence)
		}
	})
}

func TestARemovedRealmTakesNoCounts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := world(t, db)
		l := records.NewCounter(db)
		l.Transient(r, records.Transient{User: "u", Client: "c", How: iam.HowService, Token: "t"})
		if err := db.Tx(t.Context(), func(tx *store.Tx) error { return tx.DeleteRealm(t.Context(), "r") }); err != nil {
			t.Fatal(err)
		}
		l.Flush(t.Context())
		var n int64
		for _, kind := range []string{store.Refused, store.TransientToken} {
			c, err := db.CountRecords(t.Context(), "r", &store.RecordFilter{Sources: []store.RecordSource{{Table: store.OccurrenceRecords,
				Kind: kind}}}, -1)
			if err != nil {
				t.Fatal(err)
			}
			n += c
		}
		if n != 0 {
			t.Errorf("%d rows of a realm that is gone", n)
		}
	})
}

func TestAddressesOfRemovedUsersAreNotWritten(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := world(t, db)
		l := records.NewCounter(db)
		for _, user := range []iam.UserID{"", "gone"} {
			l.Refused(t.Context(), r, &iam.Event{Kind: "LOGIN_ERROR", Error: "invalid_user_credentials", User: user, IP: "192.0.2.1"})
		}
		l.Flush(t.Context())
		for _, x := range refusals(t, db) {
			if want := map[iam.UserID]string{"": "192.0.2.1", "gone": ""}[x.User]; x.IP != want {
				t.Errorf("the address of user %q is %q, want %q", x.User, x.IP, want)
			}
		}
	})
}
