package sessions_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"latchkey/internal/iam"
	"latchkey/internal/sessions"
)

// unknownModels are phones whose maker Keycloak knows by tables of their models.
var unknownModels = []string{"OnePlus HD1913", "Huawei VOG-L29"}

// Keycloak: DeviceRepresentationProviderImpl; agents.json is what Keycloak
// 26.7.3 showed for each agent in the account API's list of devices.
func TestParseAgent(t *testing.T) {
	data, err := os.ReadFile("testdata/agents.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Agent string          `json:"agent"`
		Want  sessions.Device `json:",embed"`
	}
	if err := json.Unmarshal(data, &cases); err != nil || len(cases) == 0 {
		t.Fatal(len(cases), err)
	}
	for _, c := range cases {
		got := sessions.ParseAgent(c.Agent)
		if slices.Contains(unknownModels, c.Want.Device) {
			c.Want.Device = c.Want.Device[strings.Index(c.Want.Device, " ")+1:]
		}
		if got != c.Want {
			t.Errorf("%s\n got %+v\nwant %+v", c.Agent, got, c.Want)
		}
	}
}

func TestNoteDevice(t *testing.T) {
	s := new(iam.UserSession)
	unknown := sessions.Device{OS: "Other", OSVersion: "Unknown", Device: "Other"}
	for _, agent := range []string{"", strings.Repeat("x", 513)} {
		if sessions.NoteDevice(s, agent); sessions.DeviceOf(s) != unknown {
			t.Errorf("%.10q: %+v", agent, sessions.DeviceOf(s))
		}
	}
	sessions.NoteDevice(s, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	if d := sessions.DeviceOf(s); d.Browser != "Firefox/140.0" || d.OS != "Linux" {
		t.Errorf("%+v", d)
	}
}

// Keycloak: SecureContextResolver asks whether the browser's name has Safari in it.
func TestSafari(t *testing.T) {
	for agent, want := range map[string]bool{
		"": false,
		"Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 Version/17.4 Safari/605.1.15":         true,
		"Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 Version/17.4 Mobile Safari/604.1":        true,
		"Mozilla/5.0 (iPad) AppleWebKit/605.1.15 Mobile/15E148":                             true,
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0.0.0 Safari/537.36": false,
		"Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 CriOS/123.0 Mobile/15E148 Safari/604.1":  false,
		"Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0":            false,
	} {
		if got := sessions.Safari(agent); got != want {
			t.Errorf("%q: %v", agent, got)
		}
	}
}
