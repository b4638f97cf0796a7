package login

import (
	"net/http"

	"github.com/google/uuid"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
	"latchkey/internal/web"
)

// SignIn begins a session of a user without a login, for an administrator who
// acts as the user, and gives the browser its cookies. notes go into the session.
// Keycloak: UserResource.impersonate.
func (h *Handler) SignIn(w http.ResponseWriter, r *http.Request, realm *realms.Realm, u *iam.User,
	notes map[string]string) (iam.SessionID, error) {
	front := h.Hostname.URLs(web.RequestOf(r), realm.Attrs["frontendUrl"]).Frontend
	a := &attempt{h: h, w: w, r: r, ctx: r.Context(), realm: realm, base: front + realm.Path(),
		cookies: web.NewCookies(front, realm.Name, sessions.Safari(r.UserAgent()))}
	now := h.Tabs.Now()
	s := &iam.UserSession{ID: iam.SessionID(uuid.NewString()), Realm: realm.ID, User: u.ID, Username: u.Username, IP: web.RequestOf(r).Addr,
		AuthMethod: "impersonate", Started: now, LastAccess: now, Notes: notes, Origin: iam.Origin{How: iam.HowImpersonate,
			By: iam.UserID(notes[iam.NoteImpersonator])}}
	sessions.NoteDevice(s, r.UserAgent())
	if err := h.Sessions.Login(r.Context(), &sessions.Login{Realm: realm, Session: s, New: true}); err != nil {
		return "", err
	}
	return s.ID, a.setIdentity(s)
}
