package attacks

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"latchkey/test/visitor"
)

// Who guesses user codes of devices is soon told nothing any more, even where the guess is right (RFC 8628 5.1).
func TestGuessedUserCodes(t *testing.T) {
	t.Parallel()
	eachShop(t, func(t *testing.T, s *shop) {
		id, err := s.admin.ID(s, "/shop/clients?clientId=web", "clientId", "web")
		s.must(err)
		var client map[string]any
		s.must(s.admin.Get(s, "/shop/clients/"+id, &client))
		client["attributes"].(map[string]any)["oauth2.device.authorization.grant.enabled"] = "true"
		s.must(s.admin.Put(s, "/shop/clients/"+id, client))
		code := func() string {
			a, err := s.party("web").Post(s, "auth/device", url.Values{"scope": {"openid"}})
			s.must(err)
			return fmt.Sprint(a.Members["user_code"])
		}
		typed := func(code string) *visitor.Page {
			p, err := visitor.NewBrowser().Open(s, s.base+"/realms/shop/device?user_code="+code)
			s.must(err)
			return p
		}
		if left := time.Until(time.Now().Truncate(time.Minute).Add(time.Minute)); left < 10*time.Second {
			time.Sleep(left) // the guesses are counted by the minute
		}
		if p := typed(code()); !p.Asks("password") {
			t.Fatalf("the right code leads to %s, status %d", p.URL, p.Status)
		}
		for i := range 30 {
			if p := typed(fmt.Sprintf("AAAA-BB%s%s", string(rune('A'+i%26)), string(rune('A'+i/26)))); !strings.Contains(p.URL.Path, "/device") {
				t.Fatalf("a wrong code leads to %s", p.URL)
			}
		}
		if p := typed(code()); p.Asks("password") {
			t.Errorf("the guess after many wrong ones leads to %s", p.URL)
		}
	})
}
