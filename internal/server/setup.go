package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/google/uuid"

	"latchkey/internal/iam"
	"latchkey/internal/pages"
	"latchkey/internal/realms"
	"latchkey/internal/roles"
	"latchkey/internal/store"
	"latchkey/internal/web"
)

const setupPath = "/setup/"

// setup is the one-time link that makes the first administrator of a server
// which was started without any in its options. The link is known to whoever
// reads what the server printed, and to nobody else.
type setup struct {
	db     *store.DB
	realms *realms.Cache
	pages  *pages.Set
	hash   func(ctx context.Context, r *iam.Realm, u *iam.User, password string) (*iam.Credential, error)
	token  string
	done   atomic.Bool // an administrator was seen: the link is never good again
	fail   func(w http.ResponseWriter, r *http.Request, err error)
}

// firstAdministrator is the id that every node gives the user whom the link
// makes: of several links on several nodes, the primary key lets one through.
const firstAdministrator iam.UserID = "6c617463-686b-4579-8000-000000000001"

// newSetup returns nil when somebody has the administrator's role already.
func newSetup(ctx context.Context, s *setup) (*setup, error) {
	_, _, held, err := s.administrators(ctx)
	if err != nil || held {
		return nil, err
	}
	s.token = rand.Text()
	return s, nil
}

// administrators returns the master realm, its role admin, and whether any user
// has it, by whatever way: directly, by a role that contains it, or by a group.
func (s *setup) administrators(ctx context.Context) (master *realms.Realm, admin *realms.Role, held bool, err error) {
	if master, err = s.realms.Get(ctx, realms.Master); err != nil {
		return nil, nil, false, err
	}
	if admin = master.RoleByName("", "admin"); admin == nil {
		return nil, nil, false, errors.New("the master realm has no role admin")
	}
	for role := range master.AllRoles {
		if held || err != nil {
			break
		}
		if roles.Expand(master, role.ID).Has(admin.ID) {
			held, err = s.db.RoleIsHeld(ctx, master.ID, role.ID)
		}
	}
	if held {
		s.done.Store(true)
	}
	return master, admin, held, err
}

// address is the link, under the name by which clients know the server.
func (s *setup) address(listening string, name string) string {
	if base, err := url.Parse(listening); err == nil && name != "" {
		if public, err := url.Parse(name); err == nil && public.Host != "" {
			base = public
		} else if port := base.Port(); port != "" {
			base.Host = net.JoinHostPort(name, port)
		}
		listening = strings.TrimSuffix(base.String(), "/")
	}
	return listening + setupPath + s.token
}

func (s *setup) routes(mux *http.ServeMux) {
	mux.HandleFunc("GET "+setupPath+"{token}", func(w http.ResponseWriter, r *http.Request) {
		if s.allowed(w, r) {
			s.page(w, r, http.StatusOK, pages.Request{}, pages.Setup{})
		}
	})
	mux.HandleFunc("POST "+setupPath+"{token}", func(w http.ResponseWriter, r *http.Request) {
		if s.allowed(w, r) {
			s.make(w, r)
		}
	})
}

func (s *setup) allowed(w http.ResponseWriter, r *http.Request) bool {
	if subtle.ConstantTimeCompare([]byte(r.PathValue("token")), []byte(s.token)) != 1 {
		s.gone(w, r)
		return false
	}
	_, _, held, err := s.administrators(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return false
	}
	if held || s.done.Load() {
		s.gone(w, r)
		return false
	}
	return true
}

func (s *setup) gone(w http.ResponseWriter, r *http.Request) {
	s.page(w, r, http.StatusNotFound, pages.Request{Message: &pages.Message{Type: pages.Problem, Key: "setupLinkGoneMessage"}},
		pages.Error{SkipLink: true})
}

func (s *setup) make(w http.ResponseWriter, r *http.Request) {
	form, err := web.ReadForm(r)
	if err != nil {
		s.gone(w, r)
		return
	}
	name, password := strings.ToLower(strings.TrimSpace(form.Get("username"))), form.Get("password-new")
	var wrong []pages.FieldError
	if name == "" {
		wrong = append(wrong, pages.FieldError{Field: "username", Key: "missingUsernameMessage"})
	}
	if password == "" {
		wrong = append(wrong, pages.FieldError{Field: "password", Key: "missingPasswordMessage"})
	} else if password != form.Get("password-confirm") {
		wrong = append(wrong, pages.FieldError{Field: "password-confirm", Key: "invalidPasswordConfirmMessage"})
	}
	if wrong != nil {
		s.page(w, r, http.StatusOK, pages.Request{Errors: wrong}, pages.Setup{Username: name})
		return
	}
	err = s.store(r.Context(), name, password)
	if exists, ok := store.Exists(err); ok && exists.On("users", "username") {
		s.page(w, r, http.StatusOK, pages.Request{Errors: []pages.FieldError{{Field: "username", Key: "usernameExistsMessage"}}},
			pages.Setup{Username: name})
		return
	} else if ok {
		s.gone(w, r)
		return
	}
	if refused, ok := errors.AsType[*iam.Error](err); ok { // by the password policy of a realm that was imported
		wrong := []pages.FieldError{{Field: "password", Key: refused.Msg, Args: refused.Params}}
		s.page(w, r, http.StatusOK, pages.Request{Errors: wrong}, pages.Setup{Username: name})
		return
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.done.Store(true)
	s.page(w, r, http.StatusOK, pages.Request{Message: &pages.Message{Type: pages.Success, Key: "setupDoneMessage", Args: []any{name}}},
		pages.Info{SkipLink: true})
}

// store makes the administrator with role and password, or nothing.
func (s *setup) store(ctx context.Context, name, password string) error {
	master, admin, _, err := s.administrators(ctx)
	if err != nil {
		return err
	}
	user := &iam.User{ID: firstAdministrator, Realm: master.ID, Username: name, Enabled: true}
	credential, err := s.hash(ctx, &master.Realm, user, password)
	if err != nil {
		return err
	}
	return s.db.Tx(ctx, func(tx *store.Tx) error {
		user.CreatedAt = tx.Now
		if err := tx.InsertUser(ctx, user, master.Login.DuplicateEmails); err != nil {
			return err
		}
		for _, role := range []iam.RoleID{master.DefaultRole, admin.ID} {
			if _, err := tx.AddUserRole(ctx, master.ID, user.ID, role); err != nil {
				return err
			}
		}
		c := *credential
		c.ID, c.User, c.Created, c.Priority = uuid.NewString(), user.ID, tx.Now, 10
		return tx.InsertCredential(ctx, master.ID, &c)
	})
}

func (s *setup) page(w http.ResponseWriter, r *http.Request, status int, q pages.Request, v pages.View) {
	q.Realm.Name, q.Realm.DisplayName = realms.Master, "Latchkey"
	q.URLs.Action = r.URL.Path
	var b bytes.Buffer
	if err := s.pages.Render(&b, q, v); err != nil {
		s.fail(w, r, err)
		return
	}
	web.SecurityHeaders(w.Header(), nil, "text/html")
	w.Header().Set("Content-Type", "text/html;charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}
