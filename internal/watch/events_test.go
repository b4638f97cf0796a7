package watch

import (
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
)

// The words of events come to reasons; what they do not say is left to package records.
func TestCauses(t *testing.T) {
	at := time.Unix(1_000_000, 0)
	before, later := new(999_000), new(999_500)
	x := &Subject{Realm: &realms.Realm{Realm: iam.Realm{NotBefore: time.Unix(998_000, 0)}},
		rep: &rep.Realm{Clients: []rep.Client{{ClientID: "shop", NotBefore: before}}}}
	kim := &rep.User{ID: "kim", NotBefore: later}
	for _, c := range []struct {
		name    string
		e       iam.Event
		reason  iam.Reason
		offline bool
		setting string
	}{
		{"a spent token", iam.Event{Kind: "REFRESH_TOKEN_ERROR", Error: "invalid_token",
			Details: map[string]string{"reason": "Maximum allowed refresh token reuse exceeded"}},
			iam.TokenReuse, false, ""},
		{"an offline session", iam.Event{Kind: "REFRESH_TOKEN_ERROR", Error: "invalid_token",
			Details: map[string]string{"reason": "Offline user session not found"}},
			iam.SessionEnded, true, ""},
		{"a flow that is off", iam.Event{Kind: "LOGIN_ERROR", Error: "not_allowed", Details: map[string]string{
			"reason": "Client is not allowed to initiate browser login with given response_type. Standard flow is disabled for the " +
				"client."}},
			iam.ClientNotAllowed, false, iam.SettingStandardFlow},
		{"scopes", iam.Event{Kind: "LOGIN_ERROR", Error: "invalid_request",
			Details: map[string]string{"reason": "Invalid scopes: openid x"}}, iam.WrongScope, false, ""},
		{"a password", iam.Event{Kind: "LOGIN_ERROR", Error: "invalid_user_credentials"}, "", false, ""},
		{"stale by the user", iam.Event{Kind: "REFRESH_TOKEN_ERROR", User: "kim", Client: "shop",
			Details: map[string]string{"reason": "Stale token"}}, iam.NotBeforeUser, false, ""},
		{"stale by the client", iam.Event{Kind: "REFRESH_TOKEN_ERROR", Client: "shop",
			Details: map[string]string{"reason": "Stale token"}}, iam.NotBeforeClient, false, ""},
		{"stale by the realm", iam.Event{Kind: "REFRESH_TOKEN_ERROR", Client: "desk",
			Details: map[string]string{"reason": "Stale token"}}, iam.NotBeforeRealm, false, ""},
	} {
		e := c.e
		e.Time = at
		cause(x, kim, &e)
		if e.Cause.Reason != c.reason || e.Cause.Offline != c.offline || e.Cause.Setting != c.setting {
			t.Errorf("%s: %+v", c.name, e.Cause)
		}
	}
}

// An event of a server that gives none an id has the same one each time, and no other has it.
func TestEventsWithoutIds(t *testing.T) {
	e := rep.Event{Time: 1, Type: "LOGIN", UserID: "u", Details: map[string]string{"a": "1", "b": "2"}}
	other := e
	other.Details = map[string]string{"a": "1", "b": "3"}
	a, b, c := eventOf("r", &e), eventOf("r", &e), eventOf("r", &other)
	if a.ID == "" || a.ID != b.ID || a.ID == c.ID {
		t.Errorf("%q %q %q", a.ID, b.ID, c.ID)
	}
}
