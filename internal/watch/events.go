package watch

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"latchkey/internal/doctor/remote"
	"latchkey/internal/iam"
	"latchkey/internal/records"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// chunk is how many events one transaction takes.
const chunk = 200

// eventOf is an event as ours are. One without an id, of an older server, gets one
// that the same event gets again.
func eventOf(realm iam.RealmID, e *rep.Event) *iam.Event {
	out := &iam.Event{ID: e.ID, Time: time.UnixMilli(e.Time), Realm: realm, Kind: iam.EventKind(e.Type), Client: e.ClientID,
		User:    iam.UserID(e.UserID),
		Session: iam.SessionID(e.SessionID), IP: e.IPAddress, Error: e.Error, Details: e.Details}
	if out.ID == "" {
		sum := sha256.Sum256(fmt.Appendf(nil, "%d %q %q %q %q %q %q %q", e.Time, e.Type, e.ClientID, e.UserID, e.SessionID, e.IPAddress,
			e.Error, e.Details))
		out.ID = base64.RawURLEncoding.EncodeToString(sum[:18])
	}
	return out
}

// said says what a refusal's text in an event means, where its error word does not say it better.
var said = map[string]iam.Reason{
	"Session not active":                                                    iam.SessionEnded,
	"Offline user session not found":                                        iam.SessionEnded,
	"Offline session not active":                                            iam.SessionEnded,
	"Session doesn't have required client":                                  iam.ClientSessionEnded,
	"Client session not active":                                             iam.ClientSessionEnded,
	"Token is not active":                                                   iam.TokenExpired,
	"Maximum allowed refresh token reuse exceeded":                          iam.TokenReuse,
	"Invalid refresh token. Token client and authorized client don't match": iam.WrongClient,
	"Refresh token issued before the user session started":                  iam.TokenOfPast,
	"refresh token issued before the client session started":                iam.TokenOfPast,
	"Offline session invalid because offline access not granted anymore":    iam.OfflineNotGranted,
	"Offline tokens not allowed for the user or client":                     iam.OfflineNotGranted,
	"Client no longer has requested consent from user":                      iam.ConsentMissing,
	"User disabled":       iam.UserDisabled,
	"device code expired": iam.DeviceCodeLate,
	"device code not found (it may already have been used)":        iam.DeviceCodeUnknown,
	"The end user denied the authorization request":                iam.ConsentRefused,
	"Client not allowed for direct access grants":                  iam.ClientNotAllowed,
	"CODE_TO_TOKEN_ERROR expired_code":                             iam.CodeLate,
	"CODE_TO_TOKEN_ERROR user_session_not_found":                   iam.SessionEnded,
	"OAUTH2_DEVICE_CODE_TO_TOKEN_ERROR expired_oauth2_device_code": iam.DeviceCodeLate,
	"OAUTH2_DEVICE_CODE_TO_TOKEN_ERROR slow_down":                  iam.PolledTooFast,
	"OAUTH2_DEVICE_CODE_TO_TOKEN_ERROR invalid_oauth2_device_code": iam.DeviceCodeUnknown,
}

// begins are texts that go on with what they are about.
var begins = map[string]iam.Reason{"Invalid scopes": iam.WrongScope, "Invalid token issuer": iam.TokenOtherHost}

// disabled are the settings that refusals name in words.
var disabled = map[string]string{
	"Standard flow is disabled for the client":    iam.SettingStandardFlow,
	"Implicit flow is disabled for the client":    iam.SettingImplicitFlow,
	"Client not allowed for direct access grants": iam.SettingDirectGrants,
}

// cause fills in what an event's words say of a refusal.
func cause(x *Subject, u *rep.User, e *iam.Event) {
	text := e.Details["reason"]
	c := &e.Cause
	c.Reason = cmp.Or(said[text], said[string(e.Kind)+" "+e.Error])
	c.Offline = e.Details["refresh_token_type"] == typeOffline || strings.HasPrefix(text, "Offline ")
	c.Redirect, c.Token = e.Details["redirect_uri"], e.Details["refresh_token_id"]
	for words, setting := range disabled {
		if strings.Contains(text, words) {
			c.Reason, c.Setting = iam.ClientNotAllowed, setting
		}
	}
	for words, reason := range begins {
		if strings.HasPrefix(text, words) {
			c.Reason = reason
		}
	}
	if text == "Stale token" {
		c.Reason = stale(x, u, e)
	}
}

// stale is the not-before that made a token stale: the youngest that was set before.
func stale(x *Subject, u *rep.User, e *iam.Event) (reason iam.Reason) {
	var newest time.Time
	look := func(at time.Time, r iam.Reason) {
		if !at.IsZero() && !at.After(e.Time) && at.After(newest) {
			newest, reason = at, r
		}
	}
	look(x.NotBefore, iam.NotBeforeRealm)
	for i := range x.rep.Clients {
		if c := &x.rep.Clients[i]; c.ClientID == e.Client {
			look(rep.Epoch(c.NotBefore), iam.NotBeforeClient)
		}
	}
	if u != nil && u.ID == string(e.User) {
		look(rep.Epoch(u.NotBefore), iam.NotBeforeUser)
	}
	return reason
}

// codeLate tells whether a code that is not valid was given out too long ago: the
// event says the same of codes that were used already.
func codeLate(ctx context.Context, tx *store.Tx, x *Subject, e *iam.Event) (bool, error) {
	list, err := tx.Events(ctx, x.ID, store.EventFilter{Client: e.Client, Session: iam.SessionID(cmp.Or(string(e.Session),
		e.Details["code_id"])), To: e.Time, Max: 10})
	if err != nil {
		return false, err
	}
	for _, before := range list {
		if before.Error != "" {
			continue
		}
		return before.Kind == "LOGIN" && e.Time.Sub(before.Time) > x.Lifespans.AccessCode, nil
	}
	return false, nil
}

// take stores events, and counts those that are refusals; what is there already is
// left as it is. They may come in any order.
func (w *Watch) take(ctx context.Context, x *Subject, u *rep.User, list []rep.Event) error {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b rep.Event) int { return cmp.Compare(a.Time, b.Time) })
	for part := range slices.Chunk(list, chunk) {
		err := w.DB.Tx(ctx, func(tx *store.Tx) error {
			for i := range part {
				e := eventOf(x.ID, &part[i])
				fresh, err := tx.PutEvent(ctx, e)
				if err != nil {
					return err
				}
				if !fresh || e.Error == "" {
					continue
				}
				cause(x, u, e)
				if e.Kind == "CODE_TO_TOKEN_ERROR" && e.Error == "invalid_code" {
					late, err := codeLate(ctx, tx, x, e)
					if err != nil {
						return err
					}
					if late {
						e.Cause.Reason = iam.CodeLate
					}
				}
				refused := records.Refusal(ctx, x.Realm, e)
				if refused == nil {
					continue
				}
				records.At(x.Realm, refused, e.Time)
				if err := tx.AddOccurrences(ctx, []*store.Occurrence{refused}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// takeAdmin stores admin events.
func (w *Watch) takeAdmin(ctx context.Context, x *Subject, list []rep.AdminEvent) error {
	return w.DB.Tx(ctx, func(tx *store.Tx) error {
		for i := range list {
			v := &list[i]
			e := &iam.AdminEvent{ID: v.ID, Time: time.UnixMilli(v.Time), Realm: x.ID, Operation: v.OperationType,
				ResourceType: v.ResourceType, ResourcePath: v.ResourcePath, Error: v.Error}
			if v.AuthDetails != nil {
				e.AuthRealm, e.AuthClient, e.AuthUser = iam.RealmID(v.AuthDetails.RealmID), iam.ClientID(v.AuthDetails.ClientID),
					iam.UserID(v.AuthDetails.UserID)
			}
			if e.ID == "" {
				e.ID = fmt.Sprintf("%d %s %s", v.Time, v.OperationType, v.ResourcePath)
			}
			if err := tx.PutAdminEvent(ctx, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// eventsOfUser is how many events of one user are asked for, and likewise of a client.
const eventsOfUser = 1000

// refusals are the kinds of events that refuse a login or a token.
var refusals = []string{"LOGIN_ERROR", "CODE_TO_TOKEN_ERROR", "REFRESH_TOKEN_ERROR", "PUSHED_AUTHORIZATION_REQUEST_ERROR",
	"OAUTH2_DEVICE_AUTH_ERROR",
	"OAUTH2_DEVICE_CODE_TO_TOKEN_ERROR", "CLIENT_LOGIN_ERROR"}

// readEvents asks for the stored events about a user, and for refusals at a client
// that name nobody. What cannot be had is noted.
func (w *Watch) readEvents(ctx context.Context, x *Subject, u *rep.User, client string) error {
	since := w.DB.Now().Add(-x.RecordRetention())
	for _, f := range []remote.EventFilter{{User: u.ID, Since: since, Most: eventsOfUser}, {Client: client, Types: refusals,
		Since: since, Most: eventsOfUser}} {
		if f.User == "" && f.Client == "" {
			continue
		}
		list, more, err := x.server.Events(ctx, x.Name, f)
		if refused, ok := asRight(err); ok {
			x.rights = refused.Error()
			return nil
		}
		if err != nil {
			return err
		}
		if f.User == "" {
			list = slices.DeleteFunc(list, func(e rep.Event) bool { return e.UserID != "" && e.UserID != u.ID })
		}
		if more && len(list) > 0 {
			x.oldest = time.UnixMilli(list[len(list)-1].Time)
		}
		if err := w.take(ctx, x, u, list); err != nil {
			return err
		}
	}
	if rep.Val(x.rep.AdminEventsEnabled) {
		list, err := x.server.AdminEvents(ctx, x.Name, since)
		if _, ok := asRight(err); ok {
			return nil
		}
		if err != nil {
			return err
		}
		return w.takeAdmin(ctx, x, list)
	}
	return nil
}

func asRight(err error) (*remote.RightError, bool) { return errors.AsType[*remote.RightError](err) }
