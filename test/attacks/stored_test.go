package attacks

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"latchkey/test/harness"
	"latchkey/test/visitor"
)

// TestStoredCredentialsThatNothingFits: a realm file may bring passwords and
// one-time code devices that nothing can be compared with. Whoever logs in with
// one is told what a wrong password is told, as at the reference (26.7.3).
func TestStoredCredentialsThatNothingFits(t *testing.T) {
	const hash = `{"value":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","salt":"AAAAAAAAAAAAAAAAAAAAAA=="}`
	argon := func(parameters string) string {
		return `{"hashIterations":5,"algorithm":"argon2","additionalParameters":{` + parameters + `}}`
	}
	rows := []struct{ name, kind, data, secret string }{
		{"whole", "password", argon(``), hash},
		{"unknown algorithm", "password", `{"hashIterations":10,"algorithm":"bcrypt"}`, hash},
		{"no algorithm", "password", `{"hashIterations":10}`, hash},
		{"nothing", "password", `{}`, `{}`},
		{"argon2 without secret", "password", argon(``), `{}`},
		{"pbkdf2 without secret", "password", `{"hashIterations":10,"algorithm":"pbkdf2-sha256"}`, `{}`},
		{"salt not base64", "password", argon(``), `{"value":"AAAA","salt":"%%%"}`},
		{"value not base64", "password", argon(``), `{"value":"%%%","salt":"AAAAAAAAAAAAAAAAAAAAAA=="}`},
		{"short value", "password", argon(``), `{"value":"AAAA","salt":"AAAAAAAAAAAAAAAAAAAAAA=="}`},
		{"unknown type", "password", argon(`"type":["zz"]`), hash},
		{"unknown version", "password", argon(`"version":["9"]`), hash},
		{"memory not a number", "password", argon(`"memory":["x"]`), hash},
		{"memory without end", "password", argon(`"memory":["4294967295"]`), hash},
		{"parameters no lists", "password", argon(`"type":"id"`), hash},
		{"no iterations", "password", `{"hashIterations":0,"algorithm":"pbkdf2-sha256"}`, hash},
		{"fewer than none", "password", `{"hashIterations":-1,"algorithm":"pbkdf2-sha512"}`, hash},
		{"device without digits", "otp", `{"subType":"totp","period":30,"algorithm":"HmacSHA1"}`, `{"value":"x"}`},
		{"device without anything", "otp", `{}`, `{}`},
		{"device of an unknown type", "otp", `{"subType":"zz","digits":6,"period":30,"algorithm":"HmacSHA1"}`, `{"value":"x"}`},
	}
	var users []string
	for i, r := range rows {
		credentials := fmt.Sprintf(`{"type":%q,"credentialData":%s,"secretData":%s}`, r.kind, strconv.Quote(r.data), strconv.Quote(r.secret))
		if r.kind != "password" {
			credentials += `,{"type":"password","value":"pw"}`
		}
		users = append(users,
			fmt.Sprintf(`{"username":"u%d","enabled":true,"email":"u%d@attacks.example","firstName":"a","lastName":"b","credentials":[%s]}`,
				i, i, credentials))
	}
	harness.Each(t, func(t *testing.T, e harness.Engine) {
		s := harness.Start(t, harness.Options{Engine: e})
		_, err := visitor.NewAdmin(s.URL).Post(t.Context(), "", json.RawMessage(`{"realm":"stored","enabled":true,"clients":[
			{"clientId":"pub","publicClient":true,"directAccessGrantsEnabled":true}],"users":[`+strings.Join(users, ",")+`]}`))
		if err != nil {
			t.Fatal(err)
		}
		p := visitor.Party{Base: s.URL, Realm: "stored", ClientID: "pub"}
		for i, r := range rows {
			got, err := p.Post(t.Context(), "token", url.Values{"grant_type": {"password"}, "username": {fmt.Sprintf("u%d", i)}, "password": {"pw"},
				"totp": {"123456"}})
			if err != nil {
				t.Fatal(err)
			}
			if got.Status >= http.StatusInternalServerError || got.Error != "invalid_grant" {
				t.Errorf("%s: %d %s", r.name, got.Status, got.Error)
			}
		}
	})
}
