package settings

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"latchkey/test/visitor"
)

const (
	tooOften = "Maximum allowed refresh token reuse exceeded"
	stale    = "Stale token"
	noPart   = "Session doesn't have required client"
)

// rotating makes a realm whose refresh tokens rotate with a grace in seconds.
func (w *world) rotating(name string, grace, reuse int, more string) *realm {
	return w.realm(name,
		fmt.Sprintf(`"revokeRefreshToken": true, "refreshTokenMaxReuse": %d, "attributes": {"latchkey.refreshGraceSeconds": "%d"}, %s`,
			reuse, grace, more))
}

// wants presents a refresh token and checks how it is refused, "" for not at all;
// it returns the new refresh token.
func (r *realm) wants(what, token, want string) string {
	r.t.Helper()
	tok, refused := r.refresh(token)
	if refused != want {
		r.t.Fatalf("%s: refused with %q, want %q", what, refused, want)
	}
	if tok == nil {
		return ""
	}
	return tok.RefreshToken
}

func TestATokenThatWasJustRotatedHasTheSameSuccessor(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for reuse := range 2 {
			r := w.rotating(fmt.Sprintf("lost%d", reuse), 600, reuse, "")
			a := r.passwordGrant().RefreshToken
			b := r.wants("the first", a, "")
			for range 4 { // more often than reuse allows: it is none
				again := r.wants("the answer was lost", a, "")
				was, is := claims(t, b), claims(t, again)
				for _, name := range []string{"jti", "scope", "sid", "typ", "azp", "aud", "sub", "reuse_id"} {
					if fmt.Sprint(was[name]) != fmt.Sprint(is[name]) {
						t.Errorf("reuse %d: %s of the successor is %v, and then %v", reuse, name, was[name], is[name])
					}
				}
			}
			info, err := r.party.Post(r, "token/introspect", url.Values{"token": {a}, "token_type_hint": {"refresh_token"}})
			w.must(err)
			if spent := reuse == 0; info.Active == spent {
				t.Errorf("reuse %d: introspection says of the token that was just rotated active=%v", reuse, info.Active)
			}
			c := r.wants("the successor", r.wants("once more", a, ""), "")
			if again := r.wants("the successor in the other tab", b, ""); id(t, again) != id(t, c) {
				t.Errorf("reuse %d: the chain forks into %s and %s", reuse, id(t, c), id(t, again))
			}
			d := r.wants("the next", c, "")
			r.wants("one before the last", a, stale)
			r.wants("the newest, after that", d, noPart)
		}
	})
}

func TestAfterTheGraceReuseIsReuse(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r := w.rotating("late", 1, 0, "")
		a := r.passwordGrant().RefreshToken
		b := r.wants("the first", a, "")
		time.Sleep(1100 * time.Millisecond)
		r.wants("after the grace", a, tooOften)
		r.wants("the successor, after that", b, noPart)
		r.endedForReuse(a, b)

		r = w.rotating("latereuse", 1, 1, "")
		a = r.passwordGrant().RefreshToken
		r.wants("the first", a, "")
		b = r.wants("within the grace", a, "")
		time.Sleep(1100 * time.Millisecond)
		b2 := r.wants("the reuse that is allowed", a, "")
		if id(t, b) == id(t, b2) {
			t.Error("after the grace there is no new successor")
		}
		if again := r.wants("within the grace of that", a, ""); id(t, again) != id(t, b2) {
			t.Error("the grace of the allowed reuse gives another successor")
		}
		time.Sleep(1100 * time.Millisecond)
		r.wants("once too often", a, tooOften)

		r = w.rotating("none", 0, 0, "")
		a = r.passwordGrant().RefreshToken
		r.wants("the first", a, "")
		r.wants("without grace", a, tooOften)
	})
}

// Grace is for the same client's token of a session that is alive, and for nothing else.
func TestWhatEndsSessionsWinsOverGrace(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for i, c := range []struct {
			name string
			end  func(r *realm, user, successor string)
			more string
			want string
		}{
			{"a logout by the client", func(r *realm, _, b string) {
				a, err := r.party.Logout(r, b)
				w.must(err)
				if !a.OK() {
					t.Fatalf("logout: %d", a.Status)
				}
			}, "", "Session not active"},
			{"a logout by the administrator", func(r *realm, user, _ string) {
				w.must(w.second(w.admin.Post(w, r.at("/users/"+user+"/logout"),
					nil)))
			}, "", "Session not active"},
			{"revocation", func(r *realm, _, b string) {
				a, err := r.party.Post(r, "revoke", url.Values{"token": {b}})
				w.must(err)
				if !a.OK() {
					t.Fatalf("revoke: %d", a.Status)
				}
			}, "", "Session not active"},
			{"a not-before of the realm", func(r *realm, _, _ string) {
				w.must(w.admin.Put(w, r.at(""), map[string]any{"realm": r.name, "notBefore": time.Now().Unix() + 2}))
			}, "", "Stale token"},
			{"a disabled user", func(r *realm, user, _ string) {
				w.must(w.admin.Put(w, r.at("/users/"+user), map[string]any{"enabled": false}))
			}, "", "User disabled"},
			{"idleness", func(*realm, string, string) { time.Sleep(3 * time.Second) }, `"ssoSessionIdleTimeout": 2,`, "Token is not active"},
		} {
			r := w.rotating(fmt.Sprintf("ends%d", i), 600, 0, c.more)
			user, err := w.admin.ID(w, r.at("/users"), "username", username)
			w.must(err)
			a := r.passwordGrant().RefreshToken
			b := r.wants(c.name+": the first", a, "")
			if c.more == "" {
				b = r.wants(c.name+": within the grace", a, "")
			}
			c.end(r, user, b)
			r.wants(c.name, a, c.want)
		}
		r := w.rotating("other", 600, 0, "")
		_, err := w.admin.Post(w, r.at("/clients"), map[string]any{"clientId": "thief", "secret": "thief-secret",
			"redirectUris": []string{"http://thief.example/*"}})
		w.must(err)
		a := r.passwordGrant().RefreshToken
		b := r.wants("the first", a, "")
		thief := r.party
		thief.ClientID, thief.Secret = "thief", "thief-secret"
		got, err := thief.Renew(r, a)
		w.must(err)
		if got.OK() {
			t.Error("another client gets the successor")
		}
		r.wants("the owner's successor, after that", b, "")
	})
}

// Of many who present one token at once all get tokens, and one successor.
func TestRacingRefreshesGetOneSuccessor(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r := w.rotating("race", 600, 0, "")
		for range 3 {
			a := r.passwordGrant().RefreshToken
			const n = 16
			var answers [n]*visitor.Answer
			var errs [n]error
			together(n, func(i int) { answers[i], errs[i] = r.party.Renew(r, a) })
			successors := map[string]int{}
			for i, got := range answers {
				w.must(errs[i])
				if !got.OK() {
					t.Fatalf("one of %d is refused: %d %s", n, got.Status, got.Description)
				}
				successors[id(t, got.Refresh)]++
			}
			if len(successors) != 1 {
				t.Fatalf("%d requests got %d successors: %v", n, len(successors), successors)
			}
			r.wants("the successor", answers[n-1].Refresh, "")
		}
	})
}

// A client's new login writes its part in the session, where the spent refresh
// tokens are kept, while another of its tabs refreshes: what is spent stays spent.
func TestALoginKeepsWhatIsSpent(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r := w.rotating("login-race", 0, 0, "")
		b := visitor.NewBrowser()
		for round := range 12 {
			old := r.logIn(b, "openid").RefreshToken
			var fresh *visitor.Answer
			errs := make([]error, 4)
			together(len(errs), func(i int) {
				if i == 0 {
					fresh, errs[i] = r.party.Renew(r, old)
					return
				}
				_, errs[i] = r.party.Code(r, b, username, password)
			})
			w.must(errors.Join(errs...))
			if !fresh.OK() {
				t.Fatalf("round %d: the refresh is answered %d %s", round, fresh.Status, fresh.Description)
			}
			r.wants(fmt.Sprintf("round %d: the spent token", round), old, tooOften)
			b = visitor.NewBrowser() // the reuse ended the client's part
		}
	})
}

// endedForReuse checks that the record of kim's only session says that the
// client's part ended for the reuse of a token, and when its successor was issued.
func (r *realm) endedForReuse(token, successor string) {
	r.t.Helper()
	var list struct {
		Sessions []struct {
			ID      string `json:"id"`
			Clients []struct {
				End struct {
					Reason string `json:"reason"`
					Rule   string `json:"rule"`
					Token  string `json:"tokenId"`
				} `json:"end"`
			} `json:"clients"`
		} `json:"sessions"`
	}
	r.must(r.admin.Get(r, r.at("/users/"+r.userID()+"/session-explorer"), &list))
	if len(list.Sessions) != 1 || len(list.Sessions[0].Clients) != 1 {
		r.t.Fatalf("the explorer shows %+v", list)
	}
	issued := time.Unix(int64(claims(r.t, successor)["iat"].(float64)), 0).UTC().Format("2006-01-02T15:04:05")
	end := list.Sessions[0].Clients[0].End
	if end.Reason != "token-reuse" || end.Token != id(r.t, token) || !strings.Contains(end.Rule, "its successor was issued "+issued) {
		r.t.Errorf("the client's part ended %+v; want the reuse of %s, whose successor was issued %s", end, id(r.t, token), issued)
	}
}
