package sessions

import (
	"regexp"
	"strings"

	"github.com/go-json-experiment/json"

	"latchkey/internal/iam"
)

// A Device is what a browser said of itself when a session began.
type Device struct {
	OS        string `json:"os"`
	OSVersion string `json:"osVersion"`
	Device    string `json:"device"`
	Browser   string `json:"browser,omitzero"` // name and version, "Firefox/140.0"; empty when the browser said nothing
	Mobile    bool   `json:"mobile"`
}

// noteDevice is the session note that keeps the device.
// Keycloak: DeviceActivityManager.DEVICE_NOTE.
const noteDevice = "KC_DEVICE_NOTE"

// longestAgent bounds the User-Agent headers that are looked at.
// Keycloak: DeviceRepresentationProviderImpl.USER_AGENT_MAX_LENGTH.
const longestAgent = 512

// NoteDevice keeps what a User-Agent header says in a session that is about to
// be stored. Keycloak: DeviceActivityManager.attachDevice.
func NoteDevice(s *iam.UserSession, userAgent string) {
	if userAgent == "" || len(userAgent) > longestAgent {
		return
	}
	note, err := json.Marshal(ParseAgent(userAgent))
	if err != nil {
		return // strings that are no UTF-8: nothing that is worth showing
	}
	if s.Notes == nil {
		s.Notes = map[string]string{}
	}
	s.Notes[noteDevice] = string(note)
}

// DeviceOf returns the device of a session, or an unknown one.
// Keycloak: DeviceRepresentation.unknown.
func DeviceOf(s *iam.UserSession) Device {
	var d Device
	if note := s.Notes[noteDevice]; note == "" || json.Unmarshal([]byte(note), &d) != nil {
		return Device{OS: agentOther, OSVersion: agentUnknown, Device: agentOther}
	}
	return d
}

// Name tells operating systems and browsers apart.
func (d Device) Name() string { return d.OS + " " + d.Browser }

const (
	agentOther   = "Other"
	agentUnknown = "Unknown"
)

// ParseAgent reads a User-Agent header, naming things as the ua-parser project
// does, which Keycloak uses. It knows the browsers and tools that people have;
// what it does not know is "Other".
func ParseAgent(userAgent string) Device {
	d := Device{OS: agentOther, OSVersion: agentUnknown, Device: agentOther}
	if name, version, ok := match(systems, userAgent); ok {
		d.OS, d.OSVersion = name, version
	}
	browser, version, ok := match(browsers, userAgent)
	if !ok {
		browser, version = agentOther, agentUnknown
	}
	d.Browser = browser + "/" + version
	if name, _, ok := match(devices, userAgent); ok {
		d.Device = name
	}
	d.Mobile = strings.Contains(strings.ToLower(userAgent), "mobile")
	return d
}

// Safari tells whether a User-Agent header is of a Safari, which calls HTTP on a loopback address no secure context.
func Safari(userAgent string) bool {
	if !strings.Contains(userAgent, "AppleWebKit") || strings.Contains(userAgent, "Chrome/") { // most others, cheaply
		return false
	}
	name, _, _ := match(browsers, userAgent)
	return strings.Contains(name, "Safari")
}

// An agentRule names what a pattern finds. In name, $1 stands for the
// pattern's group called name; its other groups are the parts of the version.
type agentRule struct {
	pattern *regexp.Regexp
	name    string
	version string // instead of the groups
}

// match applies the first rule that fits.
func match(rules []agentRule, userAgent string) (name, version string, ok bool) {
	for _, rule := range rules {
		found := rule.pattern.FindStringSubmatch(userAgent)
		if found == nil {
			continue
		}
		name = rule.name
		var parts []string
		for i, group := range rule.pattern.SubexpNames() {
			switch {
			case i == 0:
			case group == "name":
				name = strings.ReplaceAll(name, "$1", strings.TrimSpace(found[i]))
			case found[i] != "":
				parts = append(parts, found[i])
			}
		}
		version = strings.Join(parts, ".")
		if rule.version != "" {
			version = rule.version
		}
		if version == "" {
			version = agentUnknown
		}
		return name, version, true
	}
	return "", "", false
}
