package account

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"latchkey/internal/i18n"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
)

// client returns a client by its database id, nil when there is none any more.
func (c *call) client(id iam.ClientID) (*realms.Client, error) {
	client, err := c.realm.Client(c, id)
	if realms.Missing(err) {
		return nil, nil
	}
	return client, err
}

// applications shows the clients that the caller has to do with.
// Keycloak: AccountRestService.applications.
func (h *Handler) applications(c *call) (any, error) {
	shown := map[iam.ClientID]*rep.AccountClient{}
	show := func(id iam.ClientID) *rep.AccountClient {
		if shown[id] == nil {
			shown[id] = new(rep.AccountClient)
		}
		return shown[id]
	}
	for _, kind := range iam.SessionKinds() {
		list, err := h.Sessions.OfUser(c, c.realm, c.caller.User.ID, kind)
		if err != nil {
			return nil, err
		}
		for _, s := range list {
			for _, p := range s.ClientSessions {
				if kind == iam.Offline {
					show(p.Client).OfflineAccess = true
				} else {
					show(p.Client).InUse = true
				}
			}
		}
	}
	consents, err := h.Users.Consents(c, c.realm, c.caller.User.ID)
	if err != nil {
		return nil, err
	}
	given := map[iam.ClientID]*iam.Consent{}
	for _, consent := range consents {
		given[consent.Client] = consent
		show(consent.Client)
	}
	all, err := c.realm.Clients(c, "", 0, -1)
	if err != nil {
		return nil, err
	}
	for _, client := range all {
		if client.AlwaysInConsole {
			show(client.ID)
		}
	}
	out := []*rep.AccountClient{}
	name, named := strings.ToLower(c.r.URL.Query().Get("name")), c.r.URL.Query().Has("name")
	for id, a := range shown {
		client, err := c.client(id)
		if err != nil {
			return nil, err
		}
		if client == nil || client.Access == iam.BearerOnly || named && (client.Name == "" ||
			!strings.Contains(strings.ToLower(client.Name), name)) {
			continue
		}
		if consent := given[id]; consent != nil {
			a.Consent = h.consentOf(c, client, consent, true)
		}
		c.describe(a, client)
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b *rep.AccountClient) int { return cmp.Compare(a.ClientID, b.ClientID) })
	return out, nil
}

func (c *call) describe(a *rep.AccountClient, client *realms.Client) {
	a.ClientID, a.ClientName, a.Description = client.ClientID, client.Name, rep.Val(client.Rep.Description)
	a.UserConsentRequired = client.ConsentRequired
	a.RootURL, a.BaseURL, a.EffectiveURL = client.RootURL, client.BaseURL, client.BaseURL
	if strings.HasPrefix(client.BaseURL, "/") {
		a.EffectiveURL = client.ResolvedRoot(c.urls.Frontend) + client.BaseURL
	}
	if a.Consent != nil {
		a.LogoURI, a.PolicyURI, a.TosURI = client.Attr("logoUri"), client.Attr("policyUri"), client.Attr("tosUri")
	}
}

// consentOf shows a consent with its scopes' texts in the caller's language.
func (h *Handler) consentOf(c *call, client *realms.Client, consent *iam.Consent, brief bool) *rep.AccountConsent {
	texts := h.texts(c)
	out := &rep.AccountConsent{
		GrantedScopes: []rep.AccountConsentScope{},
		CreatedDate:   new(consent.Created.UnixMilli()), LastUpdatedDate: new(consent.Updated.UnixMilli()),
	}
	for _, id := range consent.Scopes {
		scope := scopeOrClient(c.realm, client, id)
		if scope == nil {
			continue
		}
		name := cmp.Or(scope.ConsentText, scope.Name)
		text := name
		if key, ok := strings.CutPrefix(name, "${"); ok {
			text = texts.Format(strings.TrimSuffix(key, "}"))
		}
		one := rep.AccountConsentScope{ID: string(id), Name: name, DisplayText: text, DisplayTest: text}
		if !brief {
			one.Description, one.Protocol = scope.Description, string(scope.Protocol)
		}
		out.GrantedScopes = append(out.GrantedScopes, one)
	}
	return out
}

// scopeOrClient is a client scope of the realm or, of the client's own id, the client as a scope;
// nil when it is neither. Keycloak: ClientModel is a ClientScopeModel.
func scopeOrClient(r *realms.Realm, client *realms.Client, id iam.ScopeID) *iam.ClientScope {
	if s := r.Scope(id); s != nil {
		return &s.ClientScope
	}
	if iam.ClientID(id) == client.ID {
		return &iam.ClientScope{ID: id, Name: client.ClientID, ConsentText: client.Attr("consent.screen.text"), Protocol: client.Protocol,
			Description: rep.Val(client.Rep.Description)}
	}
	return nil
}

func (h *Handler) texts(c *call) *i18n.Messages {
	l := c.realm.Locale
	if !l.Enabled {
		return h.Texts.Messages("en", "en", nil)
	}
	return h.Texts.Messages(i18n.Choose(l.Supported, l.Default, c.caller.User.Attr("locale")), l.Default, l.Texts)
}

// named returns the client that the path names by its client_id.
func (c *call) named() (*realms.Client, error) {
	name := c.r.PathValue("client")
	client, err := c.realm.ClientByName(c, name)
	if realms.Missing(err) {
		return nil, message(http.StatusNotFound, noClient(name))
	}
	return client, err
}

func noClient(name string) string { return "No client with clientId: " + name + " found." }

func (h *Handler) consent(c *call) (any, error) {
	client, err := c.named()
	if err != nil {
		return nil, err
	}
	consent, err := h.Users.Consent(c, c.realm, c.caller.User.ID, client.ID)
	if consent == nil || err != nil {
		return nil, err
	}
	return h.consentOf(c, client, consent, c.flag("briefRepresentation", true)), nil
}

// putConsent grants or changes a consent. Keycloak: AccountRestService.upsert.
func (h *Handler) putConsent(c *call) (any, error) {
	kind := iam.EventKind("GRANT_CONSENT")
	if c.r.Method == http.MethodPut {
		kind = "UPDATE_CONSENT"
	}
	client, err := h.namedOrEvent(c, kind)
	if err != nil {
		return nil, err
	}
	body, err := decode[rep.AccountConsent](c)
	if err != nil {
		return nil, err
	}
	if body.GrantedScopes == nil { // where the reference fails
		return nil, message(http.StatusBadRequest, "grantedScopes is missing")
	}
	var ids []iam.ScopeID
	var names []string
	for _, s := range body.GrantedScopes { // each of the realm's counts once, however often it is named
		scope := scopeOrClient(c.realm, client, iam.ScopeID(s.ID))
		if scope == nil {
			msg := fmt.Sprintf("Scope id %s does not exist for client %s.", s.ID, client.Name)
			h.emitError(c, kind, "", "invalid_scope", map[string]string{"reason": msg})
			return nil, message(http.StatusBadRequest, msg)
		}
		if !slices.Contains(ids, scope.ID) {
			ids, names = append(ids, scope.ID), append(names, scope.Name)
		}
	}
	consent, first, err := h.Users.SetConsent(c, c.realm, c.caller.User.ID, client.ID, ids)
	if err != nil {
		return nil, err
	}
	if kind = "UPDATE_CONSENT"; first {
		kind = "GRANT_CONSENT"
	}
	h.emit(c, kind, "", map[string]string{"granted_client": client.ClientID, "scope": strings.Join(names, " ")})
	return h.consentOf(c, client, consent, true), nil
}

// namedOrEvent is named, with an event when there is no such client.
func (h *Handler) namedOrEvent(c *call, kind iam.EventKind) (*realms.Client, error) {
	client, err := c.named()
	if client == nil {
		h.emitError(c, kind, "", "client_not_found", map[string]string{"reason": noClient(c.r.PathValue("client"))})
	}
	return client, err
}

// revokeConsent takes a consent back, and ends the client's part in the
// caller's sessions, offline ones too. Keycloak: UserConsentManager.revokeConsentToClient.
func (h *Handler) revokeConsent(c *call) (any, error) {
	client, err := h.namedOrEvent(c, "REVOKE_GRANT")
	if err != nil {
		return nil, err
	}
	if _, err := h.Users.RevokeConsent(c, c.realm, c.caller.User.ID, client.ID); err != nil {
		return nil, err
	}
	return nil, h.revoke(c, client)
}

func (h *Handler) revoke(c *call, client *realms.Client) error {
	list, err := h.Sessions.OfUser(c, c.realm, c.caller.User.ID, iam.Online)
	if err != nil {
		return err
	}
	end := c.ending("account: applications")
	end.Reason, end.Client = iam.ConsentWithdrawn, client.ID
	for _, kind := range []iam.SessionKind{iam.Offline, iam.Online} {
		if _, err := h.Sessions.RevokeClient(c, c.realm, client.ID, c.caller.User.ID, kind, end); err != nil {
			return err
		}
	}
	var ended []*iam.ClientSession
	for _, s := range list {
		for _, p := range s.ClientSessions {
			if p.Client == client.ID {
				ended = append(ended, p)
			}
		}
	}
	h.tell(c, ended)
	h.emit(c, "REVOKE_GRANT", "", map[string]string{"revoked_client": client.ClientID})
	return nil
}
