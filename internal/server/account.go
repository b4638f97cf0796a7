package server

import (
	"errors"
	"net/http"

	"latchkey/internal/account"
	"latchkey/internal/admin"
	"latchkey/internal/claims"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
)

// ownAccount makes of the admin door's judgement of a bearer token that of the
// account door, which takes its own realm's tokens alone.
func ownAccount(b *admin.Bearer) func(*http.Request, *realms.Realm) (*account.Caller, error) {
	return func(r *http.Request, realm *realms.Realm) (*account.Caller, error) {
		c, err := b.Authenticate(r)
		if refused := (*iam.Error)(nil); errors.As(err, &refused) && refused.Kind == iam.Unauthenticated {
			return nil, nil
		}
		if err != nil || c.Realm.ID != realm.ID {
			return nil, err
		}
		if realms.Administers(c.Client.ClientID) {
			if err := b.Complete(r, c); err != nil {
				return nil, err
			}
		}
		client, err := realm.ClientByName(r.Context(), account.Client)
		if err != nil {
			return nil, err
		}
		var part *iam.ClientSession
		if c.View != nil {
			part = c.View.Part
		}
		out := &account.Caller{User: c.User, Token: c.Token, Client: c.Client, Session: c.Session, Offline: c.Offline, Level: claims.Reached(part), Audience: c.Audience, Origins: c.Origins}
		for _, role := range realm.RolesOf(client.ID) {
			if _, ok := c.Roles[role.ID]; ok {
				out.Roles = append(out.Roles, role.Name)
			}
		}
		return out, nil
	}
}
