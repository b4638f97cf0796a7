package visitor

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"
)

// An Admin speaks the admin REST API in the name of an administrator of the
// master realm. It is safe for concurrent use.
type Admin struct {
	Base               string // the server's address, without a slash at the end
	Username, Password string
	Realm              string // where the administrator is at home; "" for the master realm

	mu      sync.Mutex
	token   string
	expires time.Time
}

// NewAdmin is the administrator that development servers have.
func NewAdmin(base string) *Admin { return &Admin{Base: base, Username: "admin", Password: "admin"} }

// A StatusError is an answer of 400 and more.
type StatusError struct {
	Method, Path string
	Status       int
	Body         string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s %s: %d %s", e.Method, e.Path, e.Status, e.Body)
}

// Do sends a request; the path is below /admin/realms. in, unless nil, goes as
// JSON; the answer is read into out, unless nil. It returns the last segment of
// the answer's Location: the id of what was made.
func (a *Admin) Do(ctx context.Context, method, at string, in, out any) (id string, err error) {
	token, err := a.bearer(ctx)
	if err != nil {
		return "", err
	}
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return "", err
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.Base+"/admin/realms"+at, body)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode >= 400 {
		return "", &StatusError{method, at, resp.StatusCode, string(data)}
	}
	if out != nil {
		if err := json.Unmarshal(data, out); err != nil {
			return "", fmt.Errorf("%s %s: %w in %s", method, at, err, data)
		}
	}
	return path.Base(resp.Header.Get("Location")), nil
}

// Get reads what is at a path into out.
func (a *Admin) Get(ctx context.Context, at string, out any) error {
	_, err := a.Do(ctx, http.MethodGet, at, nil, out)
	return err
}

// Post makes something and returns its id.
func (a *Admin) Post(ctx context.Context, at string, in any) (id string, err error) {
	return a.Do(ctx, http.MethodPost, at, in, nil)
}

// Put changes something.
func (a *Admin) Put(ctx context.Context, at string, in any) error {
	_, err := a.Do(ctx, http.MethodPut, at, in, nil)
	return err
}

// Delete removes something.
func (a *Admin) Delete(ctx context.Context, at string) error {
	_, err := a.Do(ctx, http.MethodDelete, at, nil, nil)
	return err
}

// ID finds the id of the first of a list whose member has a value, such as the
// client whose clientId is "web" at /realm/clients.
func (a *Admin) ID(ctx context.Context, at, member, value string) (string, error) {
	var list []map[string]any
	if err := a.Get(ctx, at, &list); err != nil {
		return "", err
	}
	for _, one := range list {
		if one[member] == value {
			id, _ := one["id"].(string)
			return id, nil
		}
	}
	return "", fmt.Errorf("%s has nothing whose %s is %q", at, member, value)
}

// bearer is an access token that is good for some seconds more.
func (a *Admin) bearer(ctx context.Context) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if time.Until(a.expires) > 10*time.Second {
		return a.token, nil
	}
	form := url.Values{"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {a.Username}, "password": {a.Password}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.Base+"/realms/"+cmp.Or(a.Realm, "master")+"/protocol/openid-connect/token",
		strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var answer struct {
		Token   string `json:"access_token"`
		Expires int    `json:"expires_in"`
		Error   string `json:"error"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return "", err
	}
	if answer.Token == "" {
		return "", fmt.Errorf("no token for the administrator: %d %s", resp.StatusCode, answer.Error)
	}
	a.token, a.expires = answer.Token, time.Now().Add(time.Duration(answer.Expires)*time.Second)
	return a.token, nil
}
