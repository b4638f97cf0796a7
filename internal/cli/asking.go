package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"latchkey/internal/doctor/remote"
	"latchkey/internal/server"
)

// asking are the options of commands that ask a running Latchkey.
type asking struct {
	Realm string `help:"Realm to look at. Default: the only one that the account administers, master left aside." placeholder:"NAME"`
	JSON  bool   `name:"json" help:"Print the server's answer as it is, indented." only:"flag"`

	Server            string `group:"Server" help:"Address of the Latchkey, or Keycloak 24 to 26, to ask. Default: this machine's, as the options say where it listens." placeholder:"URL"`
	FromOutside       bool   `group:"Server" help:"Ask a Latchkey as if it was a Keycloak: by Keycloak's own endpoints alone." only:"flag"`
	WatchDB           string `name:"watch-db" group:"Server" help:"File in which latchkey watch keeps what the Keycloak does not. Default: in --data-dir, by the server's address, where it is there." placeholder:"FILE"`
	AdminUser         string `group:"Server" help:"Administrator to log in as; the password is asked for, or comes from LATCHKEY_ADMIN_PASSWORD or the file that LATCHKEY_ADMIN_PASSWORD_FILE names." kc:"LATCHKEY_DOCTOR_USER" placeholder:"NAME"`
	AdminPassword     secret `hidden:"" kc:"LATCHKEY_DOCTOR_PASSWORD"`
	AdminClientID     string `name:"admin-client-id" group:"Server" help:"Client with a service account to log in as; its secret like a password, from LATCHKEY_ADMIN_CLIENT_SECRET." kc:"LATCHKEY_DOCTOR_CLIENT_ID" placeholder:"ID"`
	AdminClientSecret secret `hidden:"" kc:"LATCHKEY_DOCTOR_CLIENT_SECRET"`
	AuthRealm         string `group:"Server" help:"Realm in which the account is at home." default:"master" kc:"LATCHKEY_DOCTOR_AUTH_REALM" placeholder:"NAME"`
}

// exitNothing is the exit code of commands that found nothing.
const exitNothing = 1

// outcome makes an exit code of what a command found.
func outcome(found bool, err error) error {
	switch {
	case errors.Is(err, errNothing):
		return &exitError{exitNothing, err}
	case err != nil:
		return &exitError{exitFailed, err}
	case !found:
		return &exitError{exitNothing, nil}
	}
	return nil
}

// errNothing says that there is no such thing, where that is an answer.
var errNothing = errors.New("nothing was found")

// nothing is an errNothing in words.
type nothing string

func (n nothing) Error() string { return string(n) }

// Is makes it an errNothing.
func (n nothing) Is(err error) bool { return err == errNothing }

// A conversation is with one realm of a server.
type conversation struct {
	s     *remote.Server
	realm string
}

// open finds out whom to ask, and asks for a password if need be.
func (a *asking) open(c *call) (*conversation, error) {
	address := a.Server
	if address == "" {
		cfg, err := c.config(server.Defaults())
		if err != nil {
			return nil, err
		}
		address = here(cfg)
	}
	s, err := remoteServer(address)
	if err != nil {
		return nil, err
	}
	s.Credentials, err = c.credentials(account{a.AdminUser, a.AdminPassword, a.AdminClientID, a.AdminClientSecret, a.AuthRealm},
		"admin-", "LATCHKEY_ADMIN_")
	if err != nil {
		return nil, err
	}
	t := &conversation{s: s, realm: a.Realm}
	if t.realm == "" {
		t.realm, err = t.onlyRealm(c.ctx)
	}
	return t, err
}

// plain tells whether a server explains nothing by itself, and is asked by Keycloak's
// endpoints: it has the realm, and no explorer of sessions.
func (a *asking) plain(ctx context.Context, t *conversation) (bool, error) {
	if a.FromOutside || a.Server == "" {
		return a.FromOutside, nil
	}
	at := "/" + url.PathEscape(t.realm)
	_, err := t.s.Ask(ctx, http.MethodGet, at+"/session-explorer?max=1", nil)
	refused, answered := errors.AsType[*remote.StatusError](err)
	_, login := errors.AsType[*remote.LoginError](err)
	if err == nil || answered && !login && refused.Status == http.StatusForbidden {
		return false, nil
	}
	if !answered || login || refused.Status != http.StatusNotFound {
		return false, t.explain(ctx, err, "view-users")
	}
	if _, err = t.s.Ask(ctx, http.MethodGet, at, nil); err != nil {
		return false, t.explain(ctx, err, "view-realm")
	}
	return true, nil
}

// here is where this machine's server listens.
func here(cfg server.Config) string {
	host, port, scheme := cfg.HTTP.Host, cfg.HTTP.Port, "http"
	if cfg.HTTP.TLS() && !cfg.HTTP.Enabled {
		if strings.Contains(cfg.Hostname.Hostname, "://") {
			return cfg.Hostname.Hostname
		}
		host, port, scheme = cmp.Or(cfg.Hostname.Hostname, host), cfg.HTTP.TLSPort, "https"
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(port)) + cfg.HTTP.RelativePath
}

// onlyRealm is the realm that is meant where none is named.
func (t *conversation) onlyRealm(ctx context.Context) (string, error) {
	names, err := t.s.Realms(ctx)
	if err != nil {
		return "", t.explain(ctx, err, "")
	}
	if others := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == "master" }); len(others) > 0 {
		names = others
	}
	switch len(names) {
	case 0:
		return "", fmt.Errorf("%s administers no realm at %s", t.who(), t.s.Base)
	case 1:
		return names[0], nil
	}
	return "", fmt.Errorf("which realm? give --realm: %s", strings.Join(names, ", "))
}

func (t *conversation) who() string {
	return cmp.Or(t.s.Credentials.User, "client "+t.s.Credentials.ClientID)
}

// get asks for what is at a path of the realm, and reads it into out unless
// that is nil. role is what the asker needs for it.
func (t *conversation) get(ctx context.Context, path string, query url.Values, role string, out any) (jsontext.Value, error) {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return t.ask(ctx, http.MethodGet, path, nil, role, out)
}

func (t *conversation) ask(ctx context.Context, method, path string, body []byte, role string, out any) (jsontext.Value, error) {
	data, err := t.s.Ask(ctx, method, "/"+url.PathEscape(t.realm)+path, body)
	if err != nil {
		return nil, t.explain(ctx, err, role)
	}
	if out != nil {
		if err := json.Unmarshal(data, out); err != nil {
			return nil, fmt.Errorf("the answer of %s is not to be understood: %w", t.s.Base, err)
		}
	}
	return data, nil
}

// explain says in plain words why a server did not answer.
func (t *conversation) explain(ctx context.Context, err error, role string) error {
	if right, ok := errors.AsType[*remote.RightError](err); ok {
		return t.lacks(right.Role)
	}
	var refused *remote.StatusError
	_, login := errors.AsType[*remote.LoginError](err)
	switch answered := errors.As(err, &refused); {
	case !answered:
		if e, ok := errors.AsType[*url.Error](err); ok {
			return fmt.Errorf("%s cannot be reached (%w): --server names another address", t.s.Base, e.Err)
		}
		return err
	case login && (refused.Status == http.StatusBadRequest || refused.Status == http.StatusUnauthorized):
		return fmt.Errorf("%s could not log in to realm %s of %s: %s", t.who(), t.s.Credentials.Realm, t.s.Base,
			cmp.Or(refused.Message, "wrong credentials"))
	case login && refused.Status == http.StatusNotFound:
		return fmt.Errorf("there is no realm %s at %s to log in to, or it is neither a Latchkey nor a Keycloak", t.s.Credentials.Realm, t.s.Base)
	case refused.Status == http.StatusForbidden:
		return t.lacks(role)
	case refused.Status == http.StatusNotFound || refused.Status == http.StatusMethodNotAllowed:
		return t.missing(ctx, err)
	}
	return err
}

// lacks says which role the account needs.
func (t *conversation) lacks(role string) error {
	return fmt.Errorf("%s may not do this in realm %s: it takes the role %s of client realm-management (in realm master: of client %s-realm)",
		t.who(), t.realm, role, t.realm)
}

// missing finds out what it is that is not there.
func (t *conversation) missing(ctx context.Context, err error) error {
	at := "/" + url.PathEscape(t.realm)
	var refused *remote.StatusError
	if _, err := t.s.Ask(ctx, http.MethodGet, at, nil); errors.As(err, &refused) && refused.Status == http.StatusNotFound {
		return fmt.Errorf("there is no realm %s at %s", t.realm, t.s.Base)
	}
	if _, err := t.s.Ask(ctx, http.MethodGet, at+"/session-explorer?max=1", nil); errors.As(err, &refused) &&
		refused.Status == http.StatusNotFound {
		return fmt.Errorf("%s does not explain sessions: it is a Keycloak, or a Latchkey that is too old. What works with every Keycloak 26 "+
			"is: latchkey doctor --server %s", t.s.Base, t.s.Base)
	}
	if errors.As(err, &refused) {
		return nothing(cmp.Or(refused.Message, "there is no such thing"))
	}
	return err
}

// user finds a user by name, e-mail address or id, and returns the id. An id of
// nobody is returned as it is: a removed user leaves records.
func (t *conversation) user(ctx context.Context, name string) (string, error) {
	for _, by := range []string{"username", "email"} {
		var list []struct {
			ID string `json:"id"`
		}
		if _, err := t.get(ctx, "/users", url.Values{by: {name}, "exact": {"true"}, "briefRepresentation": {"true"}}, "view-users",
			&list); err != nil {
			return "", err
		}
		if len(list) > 0 {
			return list[0].ID, nil
		}
	}
	if looksLikeID(name) {
		return name, nil
	}
	return "", fmt.Errorf("there is no user %s in realm %s: neither a user name nor an e-mail address", name, t.realm)
}

// client checks that there is a client. One that is gone may be named by its id.
func (t *conversation) client(ctx context.Context, name string) error {
	var list []struct {
		ID string `json:"id"`
	}
	_, err := t.get(ctx, "/clients", url.Values{"clientId": {name}}, "view-clients", &list)
	if err != nil || len(list) > 0 || looksLikeID(name) {
		return err
	}
	return fmt.Errorf("there is no client %s in realm %s", name, t.realm)
}

// looksLikeID tells whether a text has the form of a UUID.
func looksLikeID(text string) bool {
	return len(text) == 36 && strings.Count(text, "-") == 4 && strings.Trim(text, "0123456789abcdefABCDEF-") == ""
}

// printJSON prints an answer as it is, indented.
func (c *call) printJSON(v jsontext.Value) error {
	if err := v.Indent(jsontext.WithIndent("  ")); err != nil {
		return err
	}
	_, err := fmt.Fprintf(c.out, "%s\n", v)
	return err
}
