package users_test

import (
	"errors"
	"testing"

	"latchkey/internal/iam"
	"latchkey/internal/store"
)

func TestConsentsAndLinks(t *testing.T) {
	each(t, realmDoc, func(w *world) {
		ctx, r := w.Context(), &w.realm.Realm
		w.must(w.db.Tx(ctx, func(tx *store.Tx) error {
			return tx.InsertClient(ctx, r.ID, store.ClientRow{ID: "c", ClientID: "till", Enabled: true, Doc: []byte(`{}`)})
		}))
		if c, err := w.s.Consent(ctx, r, w.anna.ID, "c"); c != nil || err != nil {
			t.Errorf("before: %v, %v", c, err)
		}
		w.must(w.s.Grant(ctx, r, &iam.Consent{User: w.anna.ID, Client: "c", Scopes: []iam.ScopeID{"one"}}))
		first, err := w.s.Consent(ctx, r, w.anna.ID, "c")
		w.must(err)
		w.must(w.s.Grant(ctx, r, &iam.Consent{User: w.anna.ID, Client: "c", Scopes: []iam.ScopeID{"two"}}))
		all, err := w.s.Consents(ctx, r, w.anna.ID)
		w.must(err)
		if len(all) != 1 || all[0].Scopes[0] != "two" || !all[0].Created.Equal(first.Created) || all[0].Updated.Before(first.Updated) {
			t.Errorf("granted again: %+v after %+v", all[0], first)
		}
		for _, want := range []bool{true, false} {
			if was, err := w.s.RevokeConsent(ctx, r, w.anna.ID, "c"); was != want || err != nil {
				t.Errorf("revoked: %v, %v; want %v", was, err, want)
			}
		}

		link := &iam.FederatedIdentity{User: w.anna.ID, Provider: "hub", ExternalID: "7", ExternalUsername: "anna7"}
		w.must(w.s.AddLink(ctx, r, link))
		var refused *iam.Error
		if err := w.s.AddLink(ctx, r, link); !errors.As(err, &refused) || refused.Kind != iam.Conflict {
			t.Errorf("linked twice: %v", err)
		}
		if list, err := w.s.Links(ctx, r, w.anna.ID); err != nil || len(list) != 1 || list[0].ExternalUsername != "anna7" {
			t.Errorf("links %v, %v", list, err)
		}
		for _, want := range []bool{true, false} {
			if was, err := w.s.RemoveLink(ctx, r, w.anna.ID, "hub"); was != want || err != nil {
				t.Errorf("unlinked: %v, %v; want %v", was, err, want)
			}
		}
	})
}
