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
	proof := &tokens.Proof{
		Header: r.Header.Values("DPoP"), Method: r.Method, Bases: []string{urls.Admin, urls.Frontend, urls.Backchannel}, Path: "/realms/" + path, Access: raw,
		Now: b.Judge.Now(), Once: b.Judge.Once(r.Context(), realm),
	}
	v, err := b.Judge.Judge(r.Context(), realm, raw, bearer.Want{Checks: bearer.APIChecks, Types: bearer.APITypes, Issuer: urls.Frontend + realm.Path(), DPoP: dpop, Proof: proof})
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
		User: v.User, Token: v.Token, Client: &v.Client.Client, Session: iam.SessionID(v.Token.Session), Offline: v.Token.Context().Offline, Level: claims.Reached(part),
		Audience: granted.Audience, Origins: granted.Origins,
	}
	for _, role := range realm.RolesOf(client.ID) {
		if granted.Roles.Has(role.ID) {
			out.Roles = append(out.Roles, role.Name)
		}
	}
	return out, nil
}
