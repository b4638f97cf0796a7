package visitor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// A Party is a confidential relying party, plain enough to send what it likes
// to whichever node it likes.
type Party struct {
	Base     string // the server's address that endpoints are asked at
	Realm    string
	ClientID string
	Secret   string
	Redirect string
	Scope    string // "openid" when empty
}

// At is the same party talking to another address.
func (p Party) At(base string) Party {
	p.Base = base
	return p
}

// Endpoint is the address of one of the protocol's endpoints, such as "token".
func (p Party) Endpoint(name string) string {
	return p.Base + "/realms/" + p.Realm + "/protocol/openid-connect/" + name
}

// AuthURL is where a browser is sent for a login.
func (p Party) AuthURL() string {
	scope := p.Scope
	if scope == "" {
		scope = "openid"
	}
	return p.Endpoint("auth") + "?" + url.Values{
		"client_id": {p.ClientID}, "redirect_uri": {p.Redirect}, "response_type": {"code"}, "scope": {scope}, "state": {"state"},
	}.Encode()
}

// Code logs somebody in, if need be, and returns the code that the party is sent.
func (p Party) Code(ctx context.Context, b *Browser, username, password string) (string, error) {
	page, err := b.Open(ctx, p.AuthURL())
	if err != nil {
		return "", err
	}
	if page.Asks("password") {
		if page, err = page.Login(ctx, username, password); err != nil {
			return "", err
		}
	}
	return page.Code()
}

// Code is the authorization code that the browser carries to a party.
func (p *Page) Code() (string, error) {
	if code := p.Param("code"); p.Away && code != "" {
		return code, nil
	}
	return "", fmt.Errorf("the browser is at %s with status %d and carries no code", p.URL, p.Status)
}

// An Answer is what an endpoint said.
type Answer struct {
	Status      int
	Access      string `json:"access_token"`
	Refresh     string `json:"refresh_token"`
	ID          string `json:"id_token"`
	Scope       string `json:"scope"`
	Session     string `json:"session_state"`
	Error       string `json:"error"`
	Description string `json:"error_description"`
	Active      bool   `json:"active"`

	Members map[string]any `json:"-"` // all of them
}

// OK reports whether the request was granted.
func (a *Answer) OK() bool { return a.Status >= 200 && a.Status < 300 }

// Redeem redeems a code.
func (p Party) Redeem(ctx context.Context, code string) (*Answer, error) {
	return p.Post(ctx, "token", url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {p.Redirect}})
}

// Renew refreshes tokens.
func (p Party) Renew(ctx context.Context, token string) (*Answer, error) {
	return p.Post(ctx, "token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

// Logout ends the session of a refresh token.
func (p Party) Logout(ctx context.Context, token string) (*Answer, error) {
	return p.Post(ctx, "logout", url.Values{"refresh_token": {token}})
}

// Introspect asks what a token is worth.
func (p Party) Introspect(ctx context.Context, token string) (*Answer, error) {
	return p.Post(ctx, "token/introspect", url.Values{"token": {token}})
}

// Post sends a form to an endpoint with the party's credentials. The error is
// that of the connection: a refusal is an Answer.
func (p Party) Post(ctx context.Context, endpoint string, form url.Values) (*Answer, error) {
	form.Set("client_id", p.ClientID)
	form.Set("client_secret", p.Secret)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.Endpoint(endpoint), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return answer(req)
}

// UserInfo asks who an access token is about.
func (p Party) UserInfo(ctx context.Context, token string) (*Answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.Endpoint("userinfo"), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return answer(req)
}

func answer(req *http.Request) (*Answer, error) {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	a := &Answer{Status: resp.StatusCode}
	if len(data) > 0 && strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		if err := errors.Join(json.Unmarshal(data, a), json.Unmarshal(data, &a.Members)); err != nil {
			return nil, err
		}
	}
	return a, nil
}
