package users_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/otp"
	"latchkey/internal/passhash"
	"latchkey/internal/policy"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
	"latchkey/internal/users"
)

// world is a realm with one user, anna.
type world struct {
	*testing.T
	db    *store.DB
	s     *users.Service
	realm *realms.Realm
	anna  *iam.User
}

// realmDoc hashes cheaply: what hashing costs is not under test.
const realmDoc = `{"loginWithEmailAllowed":true,"passwordPolicy":"hashAlgorithm(pbkdf2-sha256) and hashIterations(1)","defaultRole":{"id":"default","name":"default-roles-shop"}}`

func each(t *testing.T, doc string, f func(w *world)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		err := db.Tx(ctx, func(tx *store.Tx) error {
			return errors.Join(
				tx.InsertRealm(ctx, store.RealmRow{ID: "r", Name: "shop", Enabled: true, Doc: []byte(doc)}),
				tx.InsertRole(ctx, "r", store.RoleRow{ID: "default", Name: "default-roles-shop", Doc: []byte(`{}`)}),
				tx.InsertGroup(ctx, "r", store.GroupRow{ID: "g", Name: "all", Default: true, Doc: []byte(`{}`)}))
		})
		r, err2 := realms.NewCache(db).Get(ctx, "shop")
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		w := &world{T: t, db: db,
			s: users.New(db, passhash.New(64<<20, passhash.DefaultQueue), policy.New(""), sessions.New(db, nil), nil), realm: r}
		w.anna = &iam.User{Username: "Anna", Email: "Anna@X.test", Enabled: true}
		w.must(w.s.Create(ctx, r, &users.Newcomer{User: w.anna}))
		f(w)
	})
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) check(password string) bool {
	w.Helper()
	u, err := w.s.Get(w.Context(), w.realm, w.anna.ID)
	w.must(err)
	out, err := w.s.CheckPassword(w.Context(), w.realm, u, nil, password)
	w.must(err)
	return out == users.Accepted
}

func TestCreateAndFind(t *testing.T) {
	each(t, realmDoc, func(w *world) {
		ctx, r := w.Context(), w.realm
		for login, want := range map[string]bool{"ANNA": true, "anna@x.TEST": true, "nobody": false, "no@x.test": false} {
			u, err := w.s.Find(ctx, r, login)
			w.must(err)
			if (u != nil) != want || u != nil && u.ID != w.anna.ID {
				w.Errorf("%s: %v", login, u)
			}
		}
		roles, err := w.db.UserRoles(ctx, "r", w.anna.ID)
		groups, err2 := w.db.UserGroups(ctx, "r", w.anna.ID)
		if err := errors.Join(err, err2); err != nil || len(roles) != 1 || len(groups) != 1 {
			w.Errorf("a new user has roles %v, groups %v, %v", roles, groups, err)
		}
		for _, c := range []struct {
			u    iam.User
			want error
		}{
			{iam.User{Username: "aNNa"}, users.ErrNameTaken},
			{iam.User{Username: "other", Email: "ANNA@x.test"}, users.ErrEmailTaken},
		} {
			if err := w.s.Create(ctx, w.realm, &users.Newcomer{User: &c.u}); !errors.Is(err, c.want) {
				w.Errorf("%s: %v", c.u.Username, err)
			}
		}
		w.must(w.s.Delete(ctx, w.realm, w.anna.ID, iam.End{By: iam.ActorAdmin}))
		if err := w.s.Delete(ctx, w.realm, w.anna.ID, iam.End{By: iam.ActorAdmin}); !errors.Is(err, users.ErrNotFound) {
			w.Errorf("deleting twice: %v", err)
		}
	})
}

func TestPasswords(t *testing.T) {
	each(t, realmDoc, func(w *world) {
		ctx, r := w.Context(), w.realm
		if w.check("one") {
			w.Error("a user without password logs in")
		}
		w.must(w.s.SetPassword(ctx, r, w.anna, "one"))
		before, err := w.s.Credentials(ctx, r, w.anna.ID)
		w.must(err)
		if !w.check("one") || w.check("One") {
			w.Error("the password does not decide")
		}
		w.must(w.s.SetPassword(ctx, r, w.anna, "two"))
		after, err := w.s.Credentials(ctx, r, w.anna.ID)
		w.must(err)
		if len(after) != 1 || after[0].ID != before[0].ID || w.check("one") || !w.check("two") {
			w.Errorf("a new password makes %d credentials", len(after))
		}
		// Keycloak: PasswordCredentialProvider.isValid re-hashes on a policy's change.
		stricter := &realms.Realm{Realm: r.Realm}
		stricter.Password = iam.ParsePasswordPolicy("hashAlgorithm(pbkdf2-sha256) and hashIterations(2)")
		if out, err := w.s.CheckPassword(ctx, stricter, w.anna, nil, "two"); out != users.Accepted || err != nil {
			w.Error(out, err)
		}
		renewed, err := w.s.Credentials(ctx, r, w.anna.ID)
		w.must(err)
		if !strings.Contains(string(renewed[0].Data), `"hashIterations":2`) || !w.check("two") {
			w.Errorf("not hashed anew: %s", renewed[0].Data)
		}
		if out, err := w.s.CheckPassword(ctx, r, nil, nil, "two"); out != users.Wrong || err != nil {
			w.Error("nobody has a password:", out, err)
		}
	})
}

// Keycloak: HistoryPasswordPolicyProvider, PasswordCredentialProvider.createCredential.
func TestPasswordHistory(t *testing.T) {
	each(t, realmDoc, func(w *world) {
		ctx := w.Context()
		r := w.realm
		r.Password = iam.ParsePasswordPolicy("hashAlgorithm(pbkdf2-sha256) and hashIterations(1) and passwordHistory(3)")
		for _, p := range []string{"one", "two", "three", "four"} {
			w.must(w.s.SetPassword(ctx, r, w.anna, p))
		}
		list, err := w.s.Credentials(ctx, r, w.anna.ID)
		w.must(err)
		if len(list) != 3 {
			w.Errorf("%d credentials are kept, want the password and two before it", len(list))
		}
		for p, ok := range map[string]bool{"four": false, "three": false, "two": false, "one": true} {
			if err := w.s.CheckNewPassword(ctx, &r.Realm, w.anna, p); (err == nil) != ok {
				w.Errorf("%s again: %v", p, err)
			}
		}
	})
}

func TestCodesWorkOnce(t *testing.T) {
	for kind, doc := range map[string]string{
		"totp": `{"otpPolicyType":"totp","otpPolicyAlgorithm":"HmacSHA1","otpPolicyDigits":6,"otpPolicyPeriod":30,"otpPolicyLookAheadWindow":1}`,
		"hotp": `{"otpPolicyType":"hotp","otpPolicyAlgorithm":"HmacSHA1","otpPolicyDigits":6,"otpPolicyPeriod":30,"otpPolicyLookAheadWindow":5,"otpPolicyInitialCounter":3}`,
	} {
		t.Run(kind, func(t *testing.T) {
			each(t, doc, func(w *world) {
				ctx, r := w.Context(), w.realm
				secret := "12345678901234567890"
				data, sealed, err := users.OTPPolicy(r).NewCredential(secret)
				w.must(err)
				parsed, err := otp.ParseCredential(data, sealed)
				w.must(err)
				first, second := r.OTP.InitialCounter, r.OTP.InitialCounter+1
				if kind == "totp" {
					first = parsed.Step(w.db.Now())
					second = first + 1
				}
				code := func(step int64) string {
					c, err := parsed.Code(step)
					w.must(err)
					return c
				}
				if ok, err := w.s.AddOTP(ctx, r, w.anna.ID, secret, "phone", "000"); ok || err != nil {
					w.Error("a wrong code proves nothing:", ok, err)
				}
				ok, err := w.s.AddOTP(ctx, r, w.anna.ID, secret, "phone", code(first))
				w.must(err)
				if !ok {
					w.Fatal("the right code does not do")
				}
				if ok, _ := w.s.CheckOTP(ctx, r, w.anna.ID, nil, "", code(first)); ok {
					w.Error("the code of the set-up works again")
				}
				var won atomic.Int32
				var wg sync.WaitGroup
				for range 12 {
					wg.Go(func() {
						ok, err := w.s.CheckOTP(ctx, r, w.anna.ID, nil, "", code(second))
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
			})
		})
	}
}

// Keycloak: DefaultBruteForceProtector (26.7).
func TestBruteForce(t *testing.T) {
	const common = `"bruteForceProtected":true,"failureFactor":3,"waitIncrementSeconds":60,"maxFailureWaitSeconds":900,"maxDeltaTimeSeconds":43200,"quickLoginCheckMilliSeconds":0,"minimumQuickLoginWaitSeconds":60`
	for name, c := range map[string]struct {
		doc    string
		fails  int
		locked string
		events string
	}{
		"not yet":     {`{` + common + `}`, 2, "", ""},
		"temporarily": {`{` + common + `}`, 3, "user_temporarily_disabled", "USER_DISABLED_BY_TEMPORARY_LOCKOUT"},
		"linear": {`{` + common + `,"bruteForceStrategy":"LINEAR"}`, 3, "user_temporarily_disabled",
			"USER_DISABLED_BY_TEMPORARY_LOCKOUT"},
		"for good": {`{` + common + `,"permanentLockout":true}`, 3, "user_disabled", "USER_DISABLED_BY_PERMANENT_LOCKOUT"},
		"quickly": {`{` + strings.Replace(common, `MilliSeconds":0`, `MilliSeconds":100000`, 1) + `}`, 2, "user_temporarily_disabled",
			"USER_DISABLED_BY_TEMPORARY_LOCKOUT"},
		"for good, in time": {`{` + common + `,"permanentLockout":true,"maxTemporaryLockouts":1}`, 3, "user_temporarily_disabled",
			"USER_DISABLED_BY_TEMPORARY_LOCKOUT"},
		"for good, later": {`{` + common + `,"permanentLockout":true,"maxTemporaryLockouts":1}`, 4, "user_disabled",
			"USER_DISABLED_BY_PERMANENT_LOCKOUT"},
		"off": {`{}`, 5, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, c.doc, func(w *world) {
				ctx, r := w.Context(), w.realm
				var last []iam.Event
				for range c.fails {
					var err error
					last, err = w.s.Failed(ctx, r, w.anna.ID, "10.0.0.1", false, nil)
					w.must(err)
				}
				u, err := w.s.Get(ctx, r, w.anna.ID)
				w.must(err)
				got, err := w.s.Locked(ctx, r, u)
				w.must(err)
				var kinds []string
				for _, e := range last {
					kinds = append(kinds, string(e.Kind))
				}
				if got != c.locked || strings.Join(kinds, " ") != c.events {
					w.Errorf("locked %q, events %v", got, kinds)
				}
				w.must(w.s.Succeeded(ctx, r, w.anna.ID, true))
				if f, err := w.s.Failures(ctx, r, w.anna.ID); f != nil || err != nil {
					w.Errorf("after a login: %+v %v", f, err)
				}
			})
		})
	}
}

func TestFailuresAreCountedOnceEach(t *testing.T) {
	each(t, `{"bruteForceProtected":true,"failureFactor":100,"waitIncrementSeconds":1,"maxDeltaTimeSeconds":1000}`, func(w *world) {
		ctx, r := w.Context(), w.realm
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				if _, err := w.s.Failed(ctx, r, w.anna.ID, fmt.Sprint("10.0.0.", i), i%2 == 0, nil); err != nil {
					w.Error(err)
				}
			})
		}
		wg.Wait()
		f, err := w.s.Failures(ctx, r, w.anna.ID)
		w.must(err)
		if f.Failures != 20 || f.SecondaryFailures != 10 || time.Since(f.LastFailure) > time.Minute {
			w.Errorf("%+v", f)
		}
	})
}

func TestMoveAndLabelCredentials(t *testing.T) {
	each(t, realmDoc, func(w *world) {
		ctx, r := w.Context(), w.realm
		for _, id := range []string{"a", "b", "c"} {
			w.must(w.s.AddCredential(ctx, r, &iam.Credential{ID: id, User: w.anna.ID, Kind: iam.OTP, Data: []byte("{}")}))
		}
		order := func() string {
			list, err := w.s.Credentials(ctx, r, w.anna.ID)
			w.must(err)
			var ids string
			for _, c := range list {
				ids += c.ID + c.Label
			}
			return ids
		}
		w.must(w.s.MoveCredential(ctx, r, w.anna.ID, "c", ""))
		w.must(w.s.MoveCredential(ctx, r, w.anna.ID, "a", "b"))
		w.must(w.s.Label(ctx, r, w.anna.ID, "b", "!"))
		if got := order(); got != "cb!a" {
			w.Error(got)
		}
		w.must(w.s.RemoveCredential(ctx, r, w.anna.ID, "b"))
		for _, err := range []error{w.s.RemoveCredential(ctx, r, w.anna.ID, "b"), w.s.Label(ctx, r, w.anna.ID, "b", ""),
			w.s.MoveCredential(ctx, r, w.anna.ID, "b", "a")} {
			if !errors.Is(err, users.ErrNoCredential) {
				w.Error(err)
			}
		}
		// Behind one that is not there, or itself, it stays. Keycloak: JpaUserCredentialStore.moveCredentialTo
		w.must(w.s.MoveCredential(ctx, r, w.anna.ID, "c", "b"))
		w.must(w.s.MoveCredential(ctx, r, w.anna.ID, "c", "c"))
		if got := order(); got != "ca" {
			w.Error(got)
		}
	})
}
