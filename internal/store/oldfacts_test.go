package store_test

import (
	"testing"

	"latchkey/internal/iam"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

// Records that nodes of the version before write tell what records of this one do.
func TestRecordsOfTheVersionBeforeTellTheFacts(t *testing.T) {
	ends := map[iam.SessionID]struct{ old, want iam.End }{
		"idle": {iam.End{Reason: iam.Idle, Rule: "ssoSessionIdleTimeoutRememberMe"},
			iam.End{Setting: iam.Setting{Of: iam.OfRealm, Name: "ssoSessionIdleTimeoutRememberMe"}}},
		"client": {iam.End{Reason: iam.MaxAge, Rule: "client.session.max.lifespan"},
			iam.End{Setting: iam.Setting{Of: iam.OfClient, Name: "client.session.max.lifespan"}}},
		"limit": {iam.End{Reason: iam.SessionLimit, Rule: "userRealmLimit: 5"},
			iam.End{Setting: iam.Setting{Of: iam.OfStep, Name: "userRealmLimit", Value: "5"}}},
		"offline":   {iam.End{Reason: iam.ReplacedByOffline, Rule: "offline_access:i"}, iam.End{Scopes: "offline_access:i"}},
		"unknown":   {iam.End{Reason: iam.ReplacedByOffline, Rule: "offline_access:"}, iam.End{Scopes: "offline_access:"}},
		"logout":    {iam.End{Reason: iam.LogoutByUser, Rule: "logout endpoint, with its offline session"}, iam.End{}},
		"migration": {iam.End{Reason: iam.Idle}, iam.End{}},
		"new": {iam.End{Reason: iam.Idle, Rule: "words", Setting: iam.Setting{Of: iam.OfClient, Name: "client.session.idle.timeout"}},
			iam.End{Setting: iam.Setting{Of: iam.OfClient, Name: "client.session.idle.timeout"}}},
	}
	refusals := map[iam.SessionID]struct {
		reason iam.Reason
		old    store.OccurrenceDoc
		want   iam.Refusal
	}{
		"offline": {iam.SessionEnded, store.OccurrenceDoc{Event: "REFRESH_TOKEN_ERROR", Text: "Offline user session not found"},
			iam.Refusal{Offline: true}},
		"online": {iam.SessionEnded, store.OccurrenceDoc{Event: "REFRESH_TOKEN_ERROR", Text: "Session not active"}, iam.Refusal{}},
		"prompt": {iam.NoCookie, store.OccurrenceDoc{Event: "LOGIN_ERROR", Error: "login_required"}, iam.Refusal{Prompted: true}},
		"redirect": {iam.RedirectMismatch, store.OccurrenceDoc{Event: "LOGIN_ERROR", Error: "invalid_redirect_uri", Text: "https://x/"},
			iam.Refusal{Redirect: "https://x/"}},
		"code": {iam.RedirectMismatch, store.OccurrenceDoc{Event: "CODE_TO_TOKEN_ERROR", Error: "invalid_redirect_uri", Text: "Parameter"},
			iam.Refusal{}},
		"flow": {iam.ClientNotAllowed, store.OccurrenceDoc{Event: "LOGIN_ERROR",
			Text: "Client is not allowed. Implicit flow is disabled for the client."},
			iam.Refusal{Setting: iam.SettingImplicitFlow}},
		"exchange": {iam.ClientNotAllowed, store.OccurrenceDoc{Event: "CODE_TO_TOKEN_ERROR", Text: "Client not allowed to exchange code"},
			iam.Refusal{Setting: iam.SettingStandardFlow}},
		"password": {iam.ClientNotAllowed, store.OccurrenceDoc{Event: "LOGIN_ERROR", Text: "Client not allowed for direct access grants"},
			iam.Refusal{Setting: iam.SettingDirectGrants}},
		"scope": {iam.WrongRequest, store.OccurrenceDoc{Event: "TOKEN_EXCHANGE_ERROR",
			Text: "Standard token exchange is not enabled for the requested client"}, iam.Refusal{}},
		"new": {iam.ClientNotAllowed, store.OccurrenceDoc{Facts: true, Text: "Offline, Standard"}, iam.Refusal{}},
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		addRealm(t, db, "r")
		for id, x := range ends {
			addSession(t, db, &iam.UserSession{ID: id, Realm: "r", User: "u", Started: db.Now(), LastAccess: db.Now()}, "c")
			if err := db.Tx(ctx, func(tx *store.Tx) error {
				_, err := tx.EndSessions(ctx, "r", iam.SessionRef{ID: id}.Only(), func(e *store.Ending) { e.End = x.old })
				return err
			}); err != nil {
				t.Fatal(err)
			}
			x.want.Reason, x.want.Rule = x.old.Reason, x.old.Rule
			list, err := db.RecordsOfSession(ctx, "r", id)
			if err != nil || len(list) != 1 || list[0].End != x.want {
				t.Errorf("session %s: %+v, %v; want %+v", id, list, err, x.want)
			}
			parts, err := db.EndedClientSessions(ctx, "r", id)
			if err != nil || len(parts) != 1 || parts[0].End != x.want {
				t.Errorf("part %s: %+v, %v; want %+v", id, parts, err, x.want)
			}
		}
		for id, x := range refusals {
			key := store.OccurrenceKey{Realm: "r", Kind: store.Refused, IP: string(id), Reason: string(x.reason)}
			if err := db.Tx(ctx, func(tx *store.Tx) error {
				return tx.AddOccurrences(ctx, []*store.Occurrence{{OccurrenceKey: key, Count: 1, Doc: x.old}})
			}); err != nil {
				t.Fatal(err)
			}
			if o, err := db.Occurrence(ctx, "r", key.ID()); err != nil || o.Doc.Refusal != x.want {
				t.Errorf("refusal %s: %+v, %v; want %+v", id, o, err, x.want)
			}
		}
	})
}
