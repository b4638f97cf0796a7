package admin

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"latchkey/internal/bearer"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/records"
	"latchkey/internal/tokens"
	"latchkey/internal/web"
)

// A Bearer finds out who a bearer token stands for. Its Authenticate is for
// Handler.
type Bearer struct {
	Realms   *realms.Cache
	Judge    *bearer.Service
	Hostname *web.Hostname
	Counter  *records.Counter
}

// Authenticate judges a request's bearer token. Any realm's token is taken; what its
// bearer may do is another question. Keycloak: AdminRoot.authenticateRealmAdminRequest.
func (b *Bearer) Authenticate(r *http.Request) (*Caller, error) {
	raw, dpop := bearer.OfHeader(r.Header.Get("Authorization"))
	if raw == "" {
		return nil, ErrUnauthenticated
	}
	home, err := b.Realms.Get(r.Context(), realmOf(raw))
	if errors.Is(err, realms.ErrNotFound) {
		return nil, ErrUnauthenticated
	}
	if err != nil {
		return nil, err
	}
	urls := b.Hostname.URLs(web.RequestOf(r), home.Attrs["frontendUrl"])
	v, err := b.Judge.JudgeAPI(r.Context(), home, raw, dpop, urls.Frontend+home.Path(),
		tokens.Proof{Header: r.Header.Values("DPoP"), Method: r.Method, Bases: urls.All(), Path: fromRoot(r.URL.EscapedPath())})
	if err != nil {
		return nil, err
	}
	if !v.Good() {
		b.Counter.Refused(r.Context(), home, v.Event(web.RequestOf(r).Addr, "as a bearer token at the administration or the account"))
		return nil, ErrUnauthenticated
	}
	may := b.Judge.Granted
	if realms.Administers(v.Client.ClientID) {
		may = b.Judge.Held // the tokens of clients that are made for administration name no roles
	}
	granted, err := may(r.Context(), home, v)
	if errors.Is(err, bearer.ErrUnreadable) {
		return nil, ErrUnauthenticated
	}
	if err != nil {
		return nil, err
	}
	return &Caller{
		Realm: home, Client: &v.Client.Client, User: v.User, Token: v.Token, Session: iam.SessionID(v.Token.Session),
		Offline: v.Token.Context().Offline, View: v.View,
		Roles: granted.Roles, Origins: granted.Origins,
	}, nil
}

// fromRoot is a request's path without what the server lies below.
func fromRoot(path string) string {
	for _, root := range []string{"/admin/", "/realms/"} {
		if i := strings.Index(path, root); i >= 0 {
			return path[i:]
		}
	}
	return path
}

// realmOf reads the realm from the issuer of a token that is not verified yet.
func realmOf(raw string) string {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	issuer := member(payload, "iss")
	name, err := url.PathUnescape(issuer[strings.LastIndex(issuer, "/")+1:])
	if err != nil {
		return ""
	}
	return name
}

// member returns a text of a JSON object, "" when there is none, and reads no further.
func member(object []byte, name string) string {
	d := jsontext.NewDecoder(bytes.NewBuffer(object))
	if start, err := d.ReadToken(); err != nil || start.Kind() != '{' {
		return ""
	}
	for d.PeekKind() == '"' {
		key, err := d.ReadToken()
		if err != nil {
			return ""
		}
		if key.String() == name && d.PeekKind() == '"' {
			value, err := d.ReadToken()
			if err != nil {
				return ""
			}
			return value.String()
		}
		if d.SkipValue() != nil {
			return ""
		}
	}
	return ""
}
