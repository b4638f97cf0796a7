package store_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

func TestSearchUsers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		addRealm(t, db, "r")
		people := []*iam.User{
			{ID: "1", Username: "anna", Email: "anna@north.test", FirstName: "Anna", LastName: "Berg", Enabled: true,
				Attrs: map[string][]string{"Team": {"Blue", "Red"}}},
			{ID: "2", Username: "bert_1", Email: "bert@south.test", FirstName: "Bert", LastName: "Anders", EmailVerified: true},
			{ID: "3", Username: "bertx1", LastName: "Ünal"},
			{ID: "4", Username: "service-account-job", ServiceAccount: "job"},
		}
		err := db.Tx(ctx, func(tx *store.Tx) error {
			for _, u := range people {
				u.Realm, u.CreatedAt = "r", tx.Now
				if err := tx.InsertUser(ctx, u, false); err != nil {
					return err
				}
			}
			_, err := tx.AddUserRole(ctx, "r", "2", "role")
			_, err2 := tx.JoinGroup(ctx, "r", "1", "group")
			return errors.Join(err, err2, tx.InsertLink(ctx, "r", &iam.FederatedIdentity{User: "3", Provider: "idp", ExternalID: "x"}),
				tx.InsertCredential(ctx, "r", &iam.Credential{User: "1", ID: "c", Kind: iam.OTP, Data: []byte("{}")}))
		})
		if err != nil {
			t.Fatal(err)
		}
		yes, no := true, false
		for name, c := range map[string]struct {
			f    store.UserFilter
			want string
		}{
			"all but service accounts": {store.UserFilter{}, "anna bert_1 bertx1"},
			"beginning":                {store.UserFilter{Terms: []string{"an"}}, "anna bert_1"},
			"inside":                   {store.UserFilter{Terms: []string{"*nder*"}}, "bert_1"},
			"whole":                    {store.UserFilter{Terms: []string{`"berg"`}}, "anna"},
			"two terms":                {store.UserFilter{Terms: []string{"ann", "berg"}}, "anna"},
			"wildcards are letters":    {store.UserFilter{Username: "t_1"}, "bert_1"},
			"other letters":            {store.UserFilter{LastName: "ÜN"}, "bertx1"},
			"exact":                    {store.UserFilter{Username: "BERTX1", Exact: true}, "bertx1"},
			"enabled":                  {store.UserFilter{Enabled: &yes}, "anna"},
			"not verified":             {store.UserFilter{EmailVerified: &no}, "anna bertx1"},
			"attribute":                {store.UserFilter{Attrs: [][2]string{{"Team", "blue"}, {"Team", "RED"}}}, "anna"},
			"attribute's case":         {store.UserFilter{Attrs: [][2]string{{"team", "blue"}}}, ""},
			"service accounts, too":    {store.UserFilter{ServiceAccounts: true, Username: "SERVICE"}, "service-account-job"},
			"part of an attribute":     {store.UserFilter{Attrs: [][2]string{{"Team", "lU"}}, AttrsPart: true}, "anna"},
			"link by its id alone":     {store.UserFilter{ExternalID: "x"}, "bertx1"},
			"role":                     {store.UserFilter{Role: "role"}, "bert_1"},
			"group":                    {store.UserFilter{Group: "group"}, "anna"},
			"link":                     {store.UserFilter{Provider: "idp", ExternalID: "x"}, "bertx1"},
			"another's link":           {store.UserFilter{Provider: "idp", ExternalID: "y"}, ""},
			"future":                   {store.UserFilter{From: db.Now().Add(time.Hour)}, ""},
		} {
			c.f.Max = -1
			list, err := db.SearchUsers(ctx, "r", &c.f)
			n, err2 := db.CountUsers(ctx, "r", &c.f)
			if err := errors.Join(err, err2); err != nil {
				t.Fatal(name, err)
			}
			var got []string
			for _, u := range list {
				got = append(got, u.Username)
			}
			if strings.Join(got, " ") != c.want || n != int64(len(list)) {
				t.Errorf("%s: %v, counted %d, want %s", name, got, n, c.want)
			}
		}
		if list, err := db.SearchUsers(ctx, "r", &store.UserFilter{First: 1, Max: 1}); err != nil || len(list) != 1 ||
			list[0].Username != "bert_1" {
			t.Errorf("the second page: %v, %v", list, err)
		}
		kinds, err := db.CredentialKinds(ctx, "r", []iam.UserID{"1", "2"})
		if err != nil || len(kinds) != 1 || len(kinds["1"]) != 1 || kinds["1"][0] != iam.OTP {
			t.Errorf("kinds of credentials: %v, %v", kinds, err)
		}
	})
}

func TestFailuresAreOneStatementEach(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		addRealm(t, db, "r")
		count := func(forget time.Duration, secondary int) (f *iam.LoginFailures) {
			err := db.Tx(ctx, func(tx *store.Tx) (err error) {
				f, err = tx.CountFailure(ctx, "r", "u", "10.0.0.1", forget, secondary, nil)
				return err
			})
			if err != nil {
				t.Error(err)
			}
			return f
		}
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { count(time.Hour, 1) })
		}
		wg.Wait()
		f, err := db.LoginFailures(ctx, "r", "u")
		if err != nil || f.Failures != 10 || f.SecondaryFailures != 10 || f.LastIP != "10.0.0.1" {
			t.Fatalf("%+v, %v", f, err)
		}
		err = db.Tx(ctx, func(tx *store.Tx) error {
			n, err := tx.LockOut(ctx, "r", "u", tx.Now.Add(time.Minute), 1)
			if n != 1 {
				t.Errorf("%d lockouts", n)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
		if f := count(time.Millisecond, 0); f.Failures != 1 || f.TemporaryLockouts != 0 || !f.NotBefore.IsZero() || f.SecondaryFailures != 10 {
			t.Errorf("after a long pause: %+v", f)
		}
		for _, secondary := range []bool{false, true} {
			if err := db.Tx(ctx, func(tx *store.Tx) error { return tx.ForgiveFailures(ctx, "r", "u", secondary) }); err != nil {
				t.Fatal(err)
			}
			f, err := db.LoginFailures(ctx, "r", "u")
			if secondary != errors.Is(err, store.ErrNotFound) || !secondary && (f.Failures != 0 || f.SecondaryFailures != 10) {
				t.Errorf("cleared with the secondary ones %v: %+v, %v", secondary, f, err)
			}
		}
	})
}
