package situations

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/records"
	"latchkey/test/harness"
)

// asks asks about kim with lee's token.
func (w *world) asks(token, query string) (status int, list []records.Finding) {
	w.Helper()
	req, err := http.NewRequestWithContext(w.ctx, http.MethodGet, w.site.base+"/admin/realms"+w.at("/users/"+w.user+"/why?"+query), nil)
	w.must(err)
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	w.must(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	w.must(err)
	if resp.StatusCode == http.StatusOK {
		w.must(json.Unmarshal(body, &list))
	}
	return resp.StatusCode, list
}

// lee logs in with rights to administer the realm, and returns a token.
func (w *world) lee(rights ...string) string {
	w.Helper()
	id, err := w.site.admin.ID(w.ctx, w.at("/users?username=lee"), "username", "lee")
	w.must(err)
	admin := w.clientID("realm-management")
	for _, name := range rights {
		w.post("/users/"+id+"/role-mappings/clients/"+admin, []settings{w.role(admin, name)})
	}
	a, err := w.party("shop").Post(w.ctx, "token", url.Values{"grant_type": {"password"}, "username": {"lee"}, "password": {password}})
	w.must(err)
	return a.Access
}

func TestWhyShowsWhatTheAskerMaySee(t *testing.T) {
	s := newSite(t, harness.SQLite)
	w, other := newWorld(t, s, nil, true), newWorld(t, s, nil, true)
	w.setClient("shop", settings{"attributes": settings{"client.session.idle.timeout": "1"}})
	shop := w.login(w.b, "shop", nil)
	w.wait(2100 * time.Millisecond)
	w.refreshFails("shop", shop)

	if status, _ := w.asks(w.lee(), ""); status != http.StatusForbidden {
		t.Errorf("somebody without rights is answered %d", status)
	}
	if status, _ := w.asks(other.lee("realm-admin"), ""); status != http.StatusForbidden && status != http.StatusUnauthorized {
		t.Errorf("another realm's administrator is answered %d", status)
	}
	kinds := func(f records.Finding) (list []string) {
		for _, e := range f.Evidence {
			list = append(list, e.Kind)
		}
		return list
	}
	for _, c := range []struct {
		rights      []string
		want, never string
	}{
		{[]string{"view-users"}, records.EvidenceHidden, records.EvidenceSetting},
		{[]string{"view-clients", "view-events"}, records.EvidenceSetting, records.EvidenceHidden},
	} {
		status, list := w.asks(w.lee(c.rights...), "question=refresh-failed&client=shop")
		if status != http.StatusOK || len(list) == 0 || list[0].Reason != iam.Idle {
			t.Fatalf("with %v: %d%s", c.rights, status, told(list))
		}
		if got := kinds(list[0]); !slices.Contains(got, c.want) || slices.Contains(got, c.never) {
			t.Errorf("with %v the evidence is %v", c.rights, got)
		}
	}
}

func TestWhyTellsOfATimeInThePast(t *testing.T) {
	w := newWorld(t, newSite(t, harness.SQLite), nil, false)
	shop := w.login(w.b, "shop", nil)
	w.delete("/sessions/" + shop.Session)
	w.wait(10 * time.Millisecond)
	then := time.Now()
	w.wait(10 * time.Millisecond)
	w.login(w.b, "shop", nil)
	if list := w.why(noSession("shop")); len(list) != 0 {
		t.Errorf("there is a session, found%s", told(list))
	}
	at := url.Values{"question": {"no-session"}, "at": {strconv.FormatInt(then.UnixMilli(), 10)}}
	token := w.lee("view-users")
	if status, list := w.asks(token, at.Encode()); status != http.StatusOK || len(list) != 1 || list[0].Reason != iam.LogoutByAdmin {
		t.Errorf("as of then: %d%s", status, told(list))
	}
	for query, want := range map[string]int{"question=who": http.StatusBadRequest, "at=yesterday": http.StatusBadRequest} {
		if status, _ := w.asks(token, query); status != want {
			t.Errorf("%s is answered %d", query, status)
		}
	}
	w.user = "nobody"
	if status, _ := w.asks(token, ""); status != http.StatusNotFound {
		t.Errorf("a user who never was is answered %d", status)
	}
}
