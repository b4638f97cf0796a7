package tabs_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"latchkey/internal/authn/authntest"
	"latchkey/internal/authn/tabs"
	"latchkey/internal/iam"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

// During an update a login that the version before has sealed in a page, or that
// this one has stored, goes on at whichever node the browser comes to.
func TestRequestsOfBothVersions(t *testing.T) {
	old := map[string]any{"client": "c", "redirect_uri": "https://app.test/cb", "response_type": "code", "scope": "openid", "state": "s",
		"prompt": "login", "max_age": "60"}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		k, realm := tabs.New(db), authntest.New(t, db, `{"realm":"shop","enabled":true}`, nil).Realm.ID
		sealed, err := k.Seal("page", map[string]any{"q": old})
		if err != nil {
			t.Fatal(err)
		}
		var page struct {
			Request iam.LoginRequest `json:"q"`
		}
		if err := k.Open("page", sealed, &page); err != nil {
			t.Fatal(err)
		}
		q := page.Request
		if q.Client != "c" || q.Protocol != iam.OIDC || !q.Force || q.MaxAge != "60" || q.RedirectURI != "https://app.test/cb" {
			t.Errorf("read as %+v", q)
		}
		tab := &iam.AuthTab{Root: "root", ID: "tab", Request: q, Created: k.Now()}
		if won, err := k.Save(t.Context(), realm, "tab", tab, k.Now().Add(time.Hour)); !won || err != nil {
			t.Fatal(won, err)
		}
		back, err := k.Load(t.Context(), realm, "root", "tab")
		if err != nil {
			t.Fatal(err)
		}
		doc, err := json.Marshal(back.Request)
		if err != nil {
			t.Fatal(err)
		}
		var has map[string]any
		if err := json.Unmarshal(doc, &has); err != nil {
			t.Fatal(err)
		}
		for name, want := range old {
			if !reflect.DeepEqual(has[name], want) {
				t.Errorf("%s is stored as %v, was %v", name, has[name], want)
			}
		}
	})
}
