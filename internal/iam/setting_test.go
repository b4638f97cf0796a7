package iam_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"latchkey/internal/iam"
)

func realmWith(name, value string) *iam.Realm {
	return &iam.Realm{Attrs: map[string]string{name: value}}
}

func TestSettingsOfRealmsAreChecked(t *testing.T) {
	for _, c := range []struct {
		name, value string
		ok          bool
	}{
		{iam.SettingOfflineSSO, "keycloak", true},
		{iam.SettingOfflineSSO, "keep", true},
		{iam.SettingOfflineSSO, "auto", true},
		{iam.SettingOfflineSSO, "", true},
		{iam.SettingOfflineSSO, "Keep", false},
		{iam.SettingOfflineSSO, "yes", false},
		{iam.SettingRefreshGrace, "0", true},
		{iam.SettingRefreshGrace, "3600", true},
		{iam.SettingRefreshGrace, "3601", false},
		{iam.SettingRefreshGrace, "-1", false},
		{iam.SettingRefreshGrace, "+1", false},
		{iam.SettingRefreshGrace, "1.5", false},
		{iam.SettingRefreshGrace, "10s", false},
		{iam.SettingRecordRetention, "1", true},
		{iam.SettingRecordRetention, "0", false},
		{iam.SettingRecordRetention, "3651", false},
		{iam.SettingRecordRetention, "9999999999999999999", false},
		{iam.SettingAddresses, "full", true},
		{iam.SettingAddresses, "short", true},
		{iam.SettingAddresses, "off", true},
		{iam.SettingAddresses, "none", false},
		{"somebody.else's", "whatever", true},
	} {
		err := iam.CheckRealmSettings(map[string]string{c.name: c.value, "other": "x"})
		e, refused := errors.AsType[*iam.Error](err)
		switch {
		case c.ok != (err == nil):
			t.Errorf("%s = %q: %v", c.name, c.value, err)
		case refused && (e.Kind != iam.Invalid || e.Field != "attributes."+c.name || !strings.Contains(e.Msg, c.name+" must be ") ||
			!strings.Contains(e.Msg, "'"+c.value+"'")):
			t.Errorf("%s = %q is refused with %+v", c.name, c.value, e)
		}
	}
}

// A value that was stored before it was checked counts for nothing.
func TestSettingsOfRealmsAreRead(t *testing.T) {
	for value, want := range map[string]time.Duration{"": 0, "0": 0, "10": 10 * time.Second, "x": 0, "-5": 0, "99999": 0} {
		if got := realmWith(iam.SettingRefreshGrace, value).RefreshGrace(); got != want {
			t.Errorf("a grace of %q is %v", value, got)
		}
	}
	const day = 24 * time.Hour
	for value, want := range map[string]time.Duration{"": 30 * day, "7": 7 * day, "0": 30 * day, "x": 30 * day} {
		if got := realmWith(iam.SettingRecordRetention, value).RecordRetention(); got != want {
			t.Errorf("a retention of %q is %v", value, got)
		}
	}
	for value, want := range map[string][2]bool{"": {true, true}, "keycloak": {true, true}, "keep": {false, false}, "auto": {false, true},
		"x": {true, true}} {
		o := realmWith(iam.SettingOfflineSSO, value).OfflineSSO()
		if got := [2]bool{o.EndsOnline(false), o.EndsOnline(true)}; got != want {
			t.Errorf("%q ends the online session: by default %v, when asked %v", value, got[0], got[1])
		}
	}
}

func TestAddressesAreKeptAsTheRealmSays(t *testing.T) {
	for _, c := range []struct{ setting, ip, want string }{
		{"", "192.0.2.77", "192.0.2.77"},
		{"full", "2001:db8:1:2::3", "2001:db8:1:2::3"},
		{"short", "192.0.2.77", "192.0.2.0/24"},
		{"short", "::ffff:192.0.2.77", "192.0.2.0/24"},
		{"short", "2001:db8:1:2::3", "2001:db8:1::/48"},
		{"short", "fe80::1%eth0", "fe80::/48"},
		{"short", "192.0.2.0/24", "192.0.2.0/24"},
		{"short", "unknown", ""},
		{"off", "192.0.2.77", ""},
	} {
		if got := realmWith(iam.SettingAddresses, c.setting).KeptAddress(c.ip); got != c.want {
			t.Errorf("%s of %s: %q, want %q", c.setting, c.ip, got, c.want)
		}
	}
}
