package attacks

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"latchkey/test/visitor"
)

// A fixated login goes on in two browsers with the same cookies: the attacker's, who
// opened its page, and the victim's, where he planted them.
type fixated struct {
	*shop
	client, user string
	code         string // the one-time code that is good now
}

const plantedDoc = `{"realm": "shop", "enabled": true, "otpPolicyType": "totp", "otpPolicyCodeReusable": true,
	"passwordPolicy": "hashAlgorithm(pbkdf2-sha512) and hashIterations(1)", %s
	"clients": [
		{"clientId": "web", "secret": "web-secret", "redirectUris": ["http://web.example/*"]},
		{"clientId": "asks", "secret": "asks-secret", "redirectUris": ["http://asks.example/*"], "consentRequired": true, "fullScopeAllowed": true}],
	"users": [%s]}`

// nameFirst is a browser flow that asks for the name and then for the password.
const nameFirst = `"browserFlow": "name first", "authenticationFlows": [
	{"alias": "name first", "providerId": "basic-flow", "topLevel": true, "authenticationExecutions": [
		{"authenticator": "auth-username-form", "requirement": "REQUIRED", "priority": 10},
		{"authenticator": "auth-password-form", "requirement": "REQUIRED", "priority": 20},
		{"authenticatorFlow": true, "flowAlias": "second", "requirement": "CONDITIONAL", "priority": 30}]},
	{"alias": "second", "providerId": "basic-flow", "authenticationExecutions": [
		{"authenticator": "conditional-user-configured", "requirement": "REQUIRED", "priority": 10},
		{"authenticator": "auth-otp-form", "requirement": "REQUIRED", "priority": 20}]}],`

func plantedUser(name, more string) string {
	return fmt.Sprintf(`{"username": %q, "enabled": true, "email": "%s@shop.example", "emailVerified": true, "firstName": "A", "lastName": "L",
		"realmRoles": ["default-roles-shop"], "credentials": [{"type": "password", "value": "%s-pw"}%s`, name, name, name, more)
}

// oneTimeCode is the code of device's secret at a time.
func oneTimeCode(at time.Time) string {
	mac := hmac.New(sha1.New, []byte("ORHF6ORHF6ORHF6ORHF6"))
	_ = binary.Write(mac, binary.BigEndian, at.Unix()/30)
	sum := mac.Sum(nil)
	n := binary.BigEndian.Uint32(sum[sum[19]&15:]) & 0x7fffffff
	return fmt.Sprintf("%06d", n%1_000_000)
}

// step fills in what a page asks for; false when it asks for nothing that proves somebody.
func (p *fixated) step(page *visitor.Page, password string) (*visitor.Page, bool) {
	p.Helper()
	fields := map[string]string{}
	for name, value := range map[string]string{"username": p.user, "password": password, "otp": p.code} {
		if page.Asks(name) {
			fields[name] = value
		}
	}
	if page.Away || len(fields) == 0 {
		return page, false
	}
	next, err := page.Submit(p, fields)
	p.must(err)
	return next, true
}

// spy looks with the attacker's browser for what the victim has proved, at every
// address that he knows.
func (p *fixated) spy(mallory *visitor.Browser, known []*visitor.Page) {
	p.Helper()
	for _, page := range known {
		for _, path := range []string{"authenticate", "required-action", "consent", "registration", "reset-credentials"} {
			for _, execution := range []string{"", "UPDATE_PASSWORD", "OAUTH_GRANT"} {
				at := action(page, path)
				if execution != "" {
					at += "&execution=" + execution
				}
				got, err := mallory.Open(p, at)
				p.must(err)
				for _, asked := range []string{"otp", "password-new", "code"} {
					if got.Asks(asked) {
						p.Errorf("the attacker is shown at %s %s a page with %s", path, execution, asked)
					}
				}
				if got.Asks("password") && !got.Asks("username") {
					p.Errorf("the attacker is shown at %s %s whose login it is", path, execution)
				}
				if _, err := got.Code(); err == nil {
					p.Errorf("the attacker is given a code at %s %s", path, execution)
				}
			}
		}
		// A form of the attacker's, sent again.
		if page.Asks("otp") || page.Asks("password") {
			got, err := page.Submit(p, map[string]string{"username": p.user, "password": "guessed", "otp": "guessed"})
			p.must(err)
			if got.Asks("password-new") || got.Asks("code") || got.Away {
				p.Errorf("the attacker goes on by a form of his to %s", got.URL)
			}
		}
	}
}

// An attacker opens a login page, plants its cookies into the victim's browser and has
// it opened there. What the victim proves there is of no use to him, wherever the login
// waits and whatever he has done at his page before.
func TestPlantedCookies(t *testing.T) {
	t.Parallel()
	waits := []struct{ name, client, user, ends string }{
		{"at a required action", "web", "must", "password-new"},
		{"at a second factor", "web", "otto", ""},
		{"at a required action after a second factor", "web", "both", "password-new"},
		{"at consent", "asks", "alice", "code"},
		{"at consent after a second factor", "asks", "otto", "code"},
	}
	before := []struct {
		name string
		do   func(p *fixated, page *visitor.Page) *visitor.Page
	}{
		{"", func(_ *fixated, page *visitor.Page) *visitor.Page { return page }},
		{"after a wrong password", func(p *fixated, page *visitor.Page) *visitor.Page {
			for range 2 {
				if !page.Asks("otp") {
					page, _ = p.step(page, "wrong")
				}
			}
			return page
		}},
		{"who has given her name", func(p *fixated, page *visitor.Page) *visitor.Page {
			if !page.Asks("password") {
				page, _ = p.step(page, "")
			}
			return page
		}},
		{"who knows her password", func(p *fixated, page *visitor.Page) *visitor.Page {
			for range 2 {
				if p.user != "must" && p.user != "alice" && !page.Asks("otp") { // else he needs nothing more
					page, _ = p.step(page, p.user+"-pw")
				}
			}
			return page
		}},
	}
	const otp = `, {"type": "otp", "secretData": "{\"value\":\"ORHF6ORHF6ORHF6ORHF6\"}", "credentialData": "{\"subType\":\"totp\",\"period\":30,\"digits\":6,\"algorithm\":\"HmacSHA1\"}"}`
	users := strings.Join([]string{
		plantedUser("alice", `]}`), plantedUser("otto", otp+`]}`),
		plantedUser("must", `], "requiredActions": ["UPDATE_PASSWORD"]}`), plantedUser("both", otp+`], "requiredActions": ["UPDATE_PASSWORD"]}`)},
		",")
	eachShop(t, func(t *testing.T, s *shop) {
		for name, flow := range map[string]string{"form": "", "name first": nameFirst} {
			s.must(s.admin.Delete(s, "/shop"))
			_, err := s.admin.Post(s, "", json.RawMessage(fmt.Sprintf(plantedDoc, flow, users)))
			s.must(err)
			for _, w := range waits {
				for _, prepared := range before {
					t.Run(strings.Join([]string{name, w.name, prepared.name}, ", "), func(t *testing.T) {
						own := *s
						own.TB = t
						p := &fixated{&own, w.client, w.user, oneTimeCode(time.Now())}
						at := p.base + "/realms/shop/"
						mallory, victim := visitor.NewBrowser(), visitor.NewBrowser()
						first := p.open(mallory, p.client, "")
						known := []*visitor.Page{first, prepared.do(p, first)}
						for _, c := range mallory.Cookies(at) {
							p.must(victim.Plant(at, &http.Cookie{Name: c.Name, Value: c.Value, Path: "/realms/shop/"}))
						}
						page, err := victim.Open(p, action(known[1], "authenticate"))
						p.must(err)
						for range 5 {
							next, ok := p.step(page, p.user+"-pw")
							if !ok {
								break
							}
							page = next
							if t.Failed() {
								return
							}
							if !page.Away {
								p.spy(mallory, known)
							}
						}
						if w.ends != "" && !page.Asks(w.ends) {
							t.Fatalf("the victim comes to %d %s, not to a page that asks for %s", page.Status, page.URL, w.ends)
						}
						if w.ends == "code" {
							page, err = page.Submit(p, map[string]string{"accept": "Yes"})
							p.must(err)
						}
						if w.ends == "password-new" {
							page, err = page.Submit(p, map[string]string{"password-new": p.user + "-pw", "password-confirm": p.user + "-pw"})
							p.must(err)
						}
						a := p.redeem(page, p.client)
						p.names("the victim's", a, p.client, p.user, true)
						p.again()
					})
				}
			}
		}
	})
}

// again has the user asked once more for what she did in a login.
func (p *fixated) again() {
	p.Helper()
	id, err := p.admin.ID(p, "/shop/users?username="+url.QueryEscape(p.user), "username", p.user)
	p.must(err)
	_ = p.admin.Delete(p, "/shop/users/"+id+"/consents/asks") // 404 where there is none
	if p.user == "must" || p.user == "both" {
		p.must(p.admin.Put(p, "/shop/users/"+id, map[string]any{"requiredActions": []string{"UPDATE_PASSWORD"}}))
	}
}
