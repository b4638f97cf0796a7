package account

import (
	"errors"
	"net/http"
	"strings"

	"latchkey/internal/bearer"
	"latchkey/internal/claims"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/records"
	"latchkey/internal/tokens"
	"latchkey/internal/web"
)

// A Bearer finds out who a bearer token of a realm stands for. Its Authenticate is for
// Handler.
type Bearer struct {
	Judge    *bearer.Service
	Hostname *web.Hostname
	Counter  *records.Counter
}

// Authenticate judges a request's bearer token. Keycloak: AccountLoader.getAccountRestService.
func (b *Bearer) Authenticate(r *http.Request, realm *realms.Realm) (*Caller, error) {
	raw, dpop := bearer.OfHeader(r.Header.Get("Authorization"))
	if raw == "" {
		return nil, nil
	}
	urls := b.Hostname.URLs(web.RequestOf(r), realm.Attrs["frontendUrl"])
	_, path, _ := strings.Cut(r.URL.EscapedPath(), "/realms/")
	v, err := b.Judge.JudgeAPI(r.Context(), realm, raw, dpop, urls.Frontend+realm.Path(),
		tokens.Proof{Header: r.Header.Values("DPoP"), Method: r.Method, Bases: urls.All(), Path: "/realms/" + path})
	if err != nil {
		return nil, err
	}
	if !v.Good() {
		b.Counter.Refused(r.Context(), realm, v.Event(web.RequestOf(r).Addr, "as a bearer token at the account"))
		return nil, nil
	}
	granted, err := b.Judge.Granted(r.Context(), realm, v)
	if errors.Is(err, bearer.ErrUnreadable) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	client, err := realm.ClientByName(r.Context(), Client)
	if err != nil {
		return nil, err
	}
	var part *iam.ClientSession
	if v.View != nil {
		part = v.View.ClientSession
	}
	out := &Caller{
		User: v.User, Token: v.Token, Client: &v.Client.Client, Session: iam.SessionID(v.Token.Session), Offline: v.Token.Context().Offline,
		Level:    claims.Reached(part),
		Audience: granted.Audience, Origins: granted.Origins,
	}
	for _, role := range realm.RolesOf(client.ID) {
		if granted.Roles.Has(role.ID) {
			out.Roles = append(out.Roles, role.Name)
		}
	}
	return out, nil
}
