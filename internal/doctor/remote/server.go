package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
	"latchkey/internal/web"
)

// RequestsMost is how many requests one examination of a realm sends at most.
const RequestsMost = 400

// Credentials are those of a user, or of a client with a service account.
type Credentials struct {
	Realm        string // where the account is at home; "" is master
	User         string
	Password     iam.Secret
	ClientID     string // "" is admin-cli, for users
	ClientSecret iam.Secret
}

// A Server is a server to examine. Its fields are set once; it serves one
// caller at a time.
type Server struct {
	Base        string // its address, with its path, without a slash at the end
	Credentials Credentials
	Now         func() time.Time
	HTTP        *web.Client // of web.AnotherServer
	// Progress is told how many of about how many requests are done; nil is told nothing.
	Progress func(done, of int)

	token   string
	expires time.Time
	sent    int // requests of this examination
	planned int
}

// A StatusError is an answer of 400 and more.
type StatusError struct {
	Method, Path string
	Status       int
	Message      string // of the answer, as far as it has one
}

func (e *StatusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s: %d %s", e.Method, e.Path, e.Status, e.Message))
}

// A LoginError says that the account could not log in, and why.
type LoginError struct{ Err error }

func (e *LoginError) Error() string { return "logging in: " + e.Err.Error() }

// Unwrap returns the reason.
func (e *LoginError) Unwrap() error { return e.Err }

// errMost says that the examination has sent all the requests it may.
var errMost = fmt.Errorf("the limit of %d requests was reached", RequestsMost)

func status(err error) int {
	if e, ok := errors.AsType[*StatusError](err); ok {
		return e.Status
	}
	return 0
}

// plan says that so many more requests are to come.
func (s *Server) plan(n int) { s.planned += n }

// do sends a request to a path below Base and returns the answer's body.
func (s *Server) do(ctx context.Context, method, path, contentType, host string, body []byte, bearer string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.Base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if host != "" {
		req.Host = host
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	req.Header.Set("Accept", "application/json")
	resp, err := s.HTTP.Do(req, iam.ReachAll)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 {
		at, _, _ := strings.Cut(path, "?")
		return nil, &StatusError{method, at, resp.StatusCode, message(data)}
	}
	return data, nil
}

// message is what an error's body says.
func message(body []byte) string {
	var e struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Message     string `json:"errorMessage"`
	}
	if json.Unmarshal(body, &e) != nil {
		return ""
	}
	return strings.TrimSpace(e.Error + " " + e.Description + e.Message)
}

// bearer is an access token that is good for some seconds more.
func (s *Server) bearer(ctx context.Context) (string, error) {
	if s.token != "" && s.Now().Before(s.expires) {
		return s.token, nil
	}
	c := s.Credentials
	form := url.Values{"client_id": {c.ClientID}}
	switch {
	case c.User != "":
		form.Set("grant_type", "password")
		form.Set("username", c.User)
		form.Set("password", string(c.Password))
		if c.ClientID == "" {
			form.Set("client_id", "admin-cli")
		}
	default:
		form.Set("grant_type", "client_credentials")
	}
	if len(c.ClientSecret) > 0 {
		form.Set("client_secret", string(c.ClientSecret))
	}
	realm := c.Realm
	if realm == "" {
		realm = "master"
	}
	data, err := s.do(ctx, http.MethodPost, "/realms/"+url.PathEscape(realm)+"/protocol/openid-connect/token",
		"application/x-www-form-urlencoded", "", []byte(form.Encode()), "")
	if err != nil {
		return "", &LoginError{err}
	}
	var answer struct {
		Token   string `json:"access_token"`
		Expires int    `json:"expires_in"`
	}
	if err := json.Unmarshal(data, &answer); err != nil || answer.Token == "" {
		return "", &LoginError{errors.New("the answer holds no token; is that the address of a Keycloak?")}
	}
	s.token, s.expires = answer.Token, s.Now().Add(time.Duration(answer.Expires)*time.Second-10*time.Second)
	return s.token, nil
}

// admin sends a request to the admin REST, its path below /admin/realms.
func (s *Server) admin(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	token, err := s.bearer(ctx)
	if err != nil {
		return nil, err
	}
	contentType := ""
	if body != nil {
		contentType = "application/json"
	}
	return s.do(ctx, method, "/admin/realms"+path, contentType, "", body, token)
}

// Ask sends a request to the admin REST, its path below /admin/realms, and
// returns the answer's body. A refusal is a StatusError; one of the account
// itself is a LoginError.
func (s *Server) Ask(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	return s.admin(ctx, method, path, body)
}

// count counts a request of the examination, or says that there have been enough.
func (s *Server) count() error {
	if s.sent >= RequestsMost {
		return errMost
	}
	s.sent++
	if s.Progress != nil {
		s.Progress(s.sent, max(s.planned, s.sent+1))
	}
	return nil
}

// get reads what is at a path of the admin REST into v.
func (s *Server) get(ctx context.Context, path string, v any) error {
	if err := s.count(); err != nil {
		return err
	}
	data, err := s.admin(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if err := rep.Unmarshal(data, v); err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	return nil
}

// Realms returns the names of the realms that the account administers.
func (s *Server) Realms(ctx context.Context) ([]string, error) {
	data, err := s.admin(ctx, http.MethodGet, "?briefRepresentation=true", nil)
	if err != nil {
		return nil, err
	}
	var list []rep.Realm
	if err := rep.Unmarshal(data, &list); err != nil {
		return nil, err
	}
	var names []string
	for _, r := range list {
		names = append(names, r.Realm)
	}
	return names, nil
}
