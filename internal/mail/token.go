package mail

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"latchkey/internal/iam"
)

// HTTP calls other servers: web.Client.
type HTTP interface {
	Do(r *http.Request, reach iam.Reach) (*http.Response, error)
}

// A tokenCache keeps access tokens for mail servers until they run out.
type tokenCache struct {
	client HTTP
	now    func() time.Time
	mu     sync.Mutex
	known  map[string]accessToken
}

type accessToken struct {
	value string
	until time.Time
}

const (
	maxTokens = 1000             // kept
	early     = 30 * time.Second // that a token is not used any more before it ends
)

// get returns an access token by OAuth client credentials (RFC 6749 4.4). Keycloak: TokenAuthEmailAuthenticator.
func (c *tokenCache) get(ctx context.Context, q TokenRequest) (string, error) {
	key := strings.Join([]string{q.URL, q.Scope, q.Client, string(q.Secret)}, "\n")
	c.mu.Lock()
	t, ok := c.known[key]
	c.mu.Unlock()
	if ok && c.now().Before(t.until) {
		return t.value, nil
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {q.Client}, "client_secret": {string(q.Secret)}}
	if q.Scope != "" {
		form.Set("scope", q.Scope)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, q.URL, strings.NewReader(form.Encode()))
	if err != nil {
		return "", errors.New("authTokenUrl is no address")
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	answer, err := c.client.Do(r, iam.ReachAll) // an administrator's setting may point inside the network
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", err
	}
	var got struct {
		Token   string `json:"access_token"`
		Expires int64  `json:"expires_in"`
	}
	if answer.StatusCode/100 != 2 || json.Unmarshal(body, &got) != nil || got.Token == "" {
		return "", fmt.Errorf("the token endpoint answered %d without an access token", answer.StatusCode)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxTokens {
		clear(c.known)
	}
	c.known[key] = accessToken{got.Token, c.now().Add(time.Duration(got.Expires)*time.Second - early)}
	return got.Token, nil
}

func random() string { return rand.Text() }
