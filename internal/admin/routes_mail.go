package admin

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"latchkey/internal/emails"
	"latchkey/internal/iam"
	"latchkey/internal/pages"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/telemetry"
	"latchkey/internal/tokens"
)

// mailRoutes send mails to users. Keycloak: UserResource, RealmAdminResource.testSMTPConnection.
func (h *Handler) mailRoutes() []Route {
	return []Route{
		{"PUT " + userPath + "/execute-actions-email", ManageUser, Action, "USER", h.executeActions, ByMethod},
		{"PUT " + userPath + "/reset-password-email", ManageUser, Action, "USER", h.executeReset, ByMethod},
		{"PUT " + userPath + "/send-verify-email", ManageUser, Action, "USER", h.sendVerification, ByMethod},
		{"POST /admin/realms/{realm}/testSMTPConnection", ManageRealm, None, "", h.testMail, NoCache},
	}
}

// A mailing is what a mail to a user is to lead to.
type mailing struct {
	user     *iam.User
	valid    time.Duration
	client   string // client_id
	redirect string
}

// mailing checks whom and from where a mail would be about. Keycloak:
// UserResource.verifySendEmailParams.
func (h *Handler) mailing(c *Call) (m mailing, err error) {
	if m.user, err = h.user(c); err != nil {
		return m, err
	}
	lifespan, err := c.Int("lifespan", int(c.Realm.Lifespans.ActionTokenByAdmin/time.Second))
	if err != nil {
		return m, err
	}
	m.valid, m.client, m.redirect = time.Duration(lifespan)*time.Second, c.Query("client_id"), c.Query("redirect_uri")
	switch {
	case m.user.Email == "":
		return m, Message(http.StatusBadRequest, "User email missing")
	case !m.user.Enabled:
		return m, Message(http.StatusBadRequest, "User is disabled")
	case m.redirect != "" && m.client == "":
		return m, Message(http.StatusBadRequest, "Client id missing")
	case m.client == "":
		m.client = accountClient
		return m, nil
	}
	client, err := c.Realm.ClientByName(c, m.client)
	switch {
	case err != nil && !realms.Missing(err):
		return m, err
	case err != nil:
		return m, Message(http.StatusBadRequest, "Client doesn't exist")
	case !client.Enabled:
		return m, Message(http.StatusBadRequest, "Client is not enabled")
	case m.redirect != "":
		if _, ok := iam.RedirectsOf(&client.Client, c.URLs.Frontend).Match(m.redirect); !ok {
			return m, Message(http.StatusBadRequest, "Invalid redirect uri.")
		}
	}
	return m, nil
}

// accountClient is for whom a mail is that names no client.
const accountClient = "account"

func (h *Handler) executeActions(c *Call) (any, error) {
	actions, err := Body[[]string](c)
	if errors.Is(err, rep.ErrNoBody) {
		actions, err = new([]string), nil
	}
	if err != nil {
		return nil, err
	}
	return nil, h.mailActions(c, *actions)
}

func (h *Handler) executeReset(c *Call) (any, error) {
	return nil, h.mailActions(c, []string{"UPDATE_PASSWORD"})
}

// mailActions mails a user the link to required actions. The actions are in the link alone.
func (h *Handler) mailActions(c *Call, actions []string) error {
	m, err := h.mailing(c)
	if err != nil {
		return err
	}
	for _, a := range actions {
		if c.Realm.RequiredAction(a) == nil {
			return Message(http.StatusBadRequest, "Provided invalid required actions")
		}
	}
	token := tokens.Action{Type: tokens.ActionExecute, Subject: m.user.ID, Client: m.client, Email: m.user.Email, Actions: actions,
		Redirect: m.redirect}
	return h.mail(c, m, token, "Failed to send execute actions email: %s", func(l emails.Link) pages.Mail {
		return pages.ActionsMail{Link: l.URL, Valid: l.Valid, Actions: actions}
	})
}

func (h *Handler) sendVerification(c *Call) (any, error) {
	m, err := h.mailing(c)
	if err != nil {
		return nil, err
	}
	token := tokens.Action{Type: tokens.ActionVerifyEmail, Subject: m.user.ID, Client: m.client, Email: m.user.Email, Redirect: m.redirect}
	return nil, h.mail(c, m, token, "Failed to send verify email", func(l emails.Link) pages.Mail {
		return pages.VerificationMail{Link: l.URL, Valid: l.Valid}
	})
}

// mail sends a mail with a link while the administrator waits. failed says that it was not
// possible; %s in it stands for why.
func (h *Handler) mail(c *Call, m mailing, token tokens.Action, failed string, content func(emails.Link) pages.Mail) error {
	link, err := h.Mails.Link(c, c.Realm, c.URLs.Frontend+c.Realm.Path(), token, m.valid)
	if err != nil {
		return err
	}
	err = h.Mails.Send(c, c.Realm, emails.To{User: m.user}, content(link))
	if _, ok := errors.AsType[*emails.Error](err); !ok {
		return err
	}
	h.notSent(c, err)
	if token.Type == tokens.ActionExecute {
		failed = fmt.Sprintf(failed, emails.Words(err))
	}
	return Message(http.StatusInternalServerError, failed)
}

func (h *Handler) notSent(c *Call, err error) {
	h.Log.WarnContext(c, "a mail was not sent", telemetry.KeyRealm, c.Realm.Name, telemetry.KeyError, err)
}

// testMail sends the administrator a mail by settings that are not stored yet; a masked secret is the stored one.
func (h *Handler) testMail(c *Call) (any, error) {
	config, err := Body[map[string]string](c)
	if errors.Is(err, rep.ErrNoBody) {
		config, err = new(map[string]string), nil
	}
	if err != nil {
		return nil, err
	}
	err = h.Mails.Try(c, c.Realm, realms.UnmaskedMail(*config, c.Realm.Rep.SMTPServer), c.Caller.User)
	if _, ok := errors.AsType[*emails.Error](err); ok {
		h.notSent(c, err)
		err = Message(http.StatusInternalServerError, "Failed to send email")
	}
	return nil, err
}
