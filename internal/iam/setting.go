package iam

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Names of Latchkey's own settings of a realm. They are attributes, so that they
// travel in realm files and are set through Keycloak's admin REST.
const (
	SettingOfflineSSO      = "latchkey.offlineSso"
	SettingRefreshGrace    = "latchkey.refreshGraceSeconds"
	SettingRecordRetention = "latchkey.recordRetentionDays"
	SettingAddresses       = "latchkey.addresses"
	// SettingRegisteredAddresses says which addresses of clients that registered
	// themselves the server calls.
	SettingRegisteredAddresses = "latchkey.registeredAddresses"
)

const (
	// maxRefreshGrace bounds how long a spent refresh token may be good for its
	// successor: beyond it, grace would be a second life.
	maxRefreshGrace  = time.Hour
	defaultRetention = 30 * 24 * time.Hour
	maxRetention     = 10 * 365 * 24 * time.Hour
)

// A RealmSetting is one of Latchkey's own attributes of a realm.
type RealmSetting struct {
	Name   string
	Values string // which it may have, in words that complete "must be"
	valid  func(string) bool
}

// RealmSettings lists them all.
func RealmSettings() []RealmSetting { return realmSettings }

var realmSettings = []RealmSetting{
	{SettingOfflineSSO, "keycloak, keep or auto", oneOf(string(OfflineAsKeycloak), string(OfflineKeeps), string(OfflineAuto))},
	{SettingRefreshGrace, "a whole number of seconds from 0 to 3600", whole(0, int(maxRefreshGrace/time.Second))},
	{SettingRecordRetention, "a whole number of days from 1 to 3650", whole(1, int(maxRetention/(24*time.Hour)))},
	{SettingAddresses, "full, short or off", oneOf(addressesFull, addressesShort, addressesOff)},
	{SettingRegisteredAddresses, "any or public", oneOf(addressesAny, addressesPublic)},
}

func oneOf(words ...string) func(string) bool {
	return func(v string) bool {
		for _, w := range words {
			if v == w {
				return true
			}
		}
		return false
	}
}

func whole(from, to int) func(string) bool {
	return func(v string) bool {
		n, err := strconv.Atoi(v)
		return err == nil && from <= n && n <= to && !strings.HasPrefix(v, "+")
	}
}

// CheckRealmSettings refuses values of Latchkey's own attributes that mean
// nothing; "" stands for the default. Other attributes are none of its business.
func CheckRealmSettings(attrs map[string]string) error {
	for _, s := range realmSettings {
		if v := attrs[s.Name]; v != "" && !s.valid(v) {
			return &Error{Kind: Invalid, Field: "attributes." + s.Name, Msg: "The realm attribute " + s.Name + " must be " +
				s.Values + ", not '" + v + "'"}
		}
	}
	return nil
}

// OfflineSSO says what becomes of the online session when its first code is
// redeemed with offline_access.
type OfflineSSO string

// The values of SettingOfflineSSO. Keycloak ends the online session; Auto does
// so only when the client itself asked for offline_access, not when it has it as
// a default scope.
const (
	OfflineAsKeycloak OfflineSSO = "keycloak"
	OfflineKeeps      OfflineSSO = "keep"
	OfflineAuto       OfflineSSO = "auto"
)

// EndsOnline reports whether the online session ends for an offline grant;
// asked says that the client's scope parameter named offline_access.
func (o OfflineSSO) EndsOnline(asked bool) bool {
	switch o {
	case OfflineKeeps:
		return false
	case OfflineAuto:
		return asked
	}
	return true
}

// OfflineSSO is the realm's, OfflineAsKeycloak unless it says otherwise.
func (r *Realm) OfflineSSO() OfflineSSO {
	switch o := OfflineSSO(r.Attrs[SettingOfflineSSO]); o {
	case OfflineKeeps, OfflineAuto:
		return o
	}
	return OfflineAsKeycloak
}

// RefreshGrace is how long a refresh token that was rotated gives its successor
// again, 0 for never.
func (r *Realm) RefreshGrace() time.Duration {
	v := r.Attrs[SettingRefreshGrace]
	if v == "" || !whole(0, int(maxRefreshGrace/time.Second))(v) {
		return 0
	}
	n, _ := strconv.Atoi(v)
	return time.Duration(n) * time.Second
}

// RecordRetention is how long the records of a realm's ended sessions and
// refusals are kept: 30 days, unless the realm says otherwise.
func (r *Realm) RecordRetention() time.Duration {
	v := r.Attrs[SettingRecordRetention]
	if v == "" || !whole(1, int(maxRetention/(24*time.Hour)))(v) {
		return defaultRetention
	}
	n, _ := strconv.Atoi(v)
	return time.Duration(n) * 24 * time.Hour
}

// The values of SettingRegisteredAddresses.
const (
	addressesAny    = "any"
	addressesPublic = "public"
)

// The values of SettingAddresses.
const (
	addressesFull  = "full"
	addressesShort = "short"
	addressesOff   = "off"
)

// KeptAddress is what a realm keeps of an address in records: all of it, the
// network alone (24 bits of IPv4, 48 of IPv6), or nothing. Kept once more it
// stays what it is.
func (r *Realm) KeptAddress(ip string) string {
	switch r.Attrs[SettingAddresses] {
	case addressesOff:
		return ""
	case addressesShort:
		if _, err := netip.ParsePrefix(ip); err == nil {
			return ip
		}
		addr, err := netip.ParseAddr(ip)
		if err != nil {
			return ""
		}
		bits := 24
		if addr.Unmap().Is6() {
			bits = 48
		}
		p, err := addr.Unmap().WithZone("").Prefix(bits)
		if err != nil {
			return ""
		}
		return p.String()
	}
	return ip
}
