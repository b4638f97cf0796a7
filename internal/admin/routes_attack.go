package admin

import (
	"errors"
	"math"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/users"
)

// attackRoutes: Keycloak's AttackDetectionResource.
func (h *Handler) attackRoutes() []Route {
	const at = "/admin/realms/{realm}/attack-detection/brute-force/users"
	return []Route{
		{"GET " + at + "/{userid}", ViewUsers, None, "", h.bruteForceStatus, ByMethod},
		{"DELETE " + at + "/{userid}", ManageUsers, Delete, "USER_LOGIN_FAILURE", h.clearUserFailures, ByMethod},
		{"DELETE " + at, ManageUsers, Delete, "USER_LOGIN_FAILURE", h.clearAllFailures, ByMethod},
	}
}

// attackView is what is known of a user's failed logins.
type attackView struct {
	Failures  int    `json:"numFailures"`
	Disabled  bool   `json:"disabled"`
	LastIP    string `json:"lastIPFailure"`
	Last      int64  `json:"lastFailure"` // milliseconds
	Lockouts  int    `json:"numTemporaryLockouts"`
	NotBefore int64  `json:"failedLoginNotBefore"` // seconds
	Secondary int    `json:"numSecondaryAuthFailures"`
}

func (h *Handler) bruteForceStatus(c *Call) (any, error) {
	v := attackView{LastIP: "n/a"}
	u, err := h.Users.Get(c, c.Realm, iam.UserID(c.Path("userid")))
	if errors.Is(err, users.ErrNotFound) || err == nil && !c.Realm.Brute.Enabled {
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	locked, err := h.Users.Locked(c, c.Realm, u)
	if err != nil {
		return nil, err
	}
	v.Disabled = locked != ""
	if locked == "user_disabled" {
		v.NotBefore = math.MaxInt64
	}
	f, err := h.Users.Failures(c, c.Realm, u.ID)
	if err != nil || f == nil {
		return v, err
	}
	v.Failures, v.Lockouts, v.Secondary = f.Failures, f.TemporaryLockouts, f.SecondaryFailures
	if f.LastIP != "" {
		v.LastIP = f.LastIP
	}
	v.Last = stamp(f.LastFailure, time.Time.UnixMilli)
	if locked != "user_disabled" {
		v.NotBefore = stamp(f.NotBefore, time.Time.Unix)
	}
	return v, nil
}

// stamp is a time as a number, 0 for none.
func stamp(t time.Time, as func(time.Time) int64) int64 {
	if t.IsZero() {
		return 0
	}
	return as(t)
}

func (h *Handler) clearUserFailures(c *Call) (any, error) {
	id := iam.UserID(c.Path("userid"))
	if err := h.overUser(c, id, false); err != nil {
		return nil, err
	}
	f, err := h.Users.Failures(c, c.Realm, id)
	if err != nil {
		return nil, err
	}
	if f == nil {
		c.NoEvent()
		return nil, nil
	}
	return nil, h.Users.ClearFailures(c, c.Realm, id)
}

func (h *Handler) clearAllFailures(c *Call) (any, error) {
	return nil, h.Users.ClearAllFailures(c, c.Realm)
}
