package emails

import (
	"context"

	"latchkey/internal/authn"
	"latchkey/internal/authn/tabs"
	"latchkey/internal/i18n"
	"latchkey/internal/iam"
	"latchkey/internal/pages"
	"latchkey/internal/tokens"
)

// SendVerification mails the user of a login the link that verifies the address, while the user waits.
// Keycloak: VerifyEmail.sendVerifyEmail.
func (s *Service) SendVerification(ctx context.Context, r *authn.Run) error {
	link, err := s.login(ctx, r, tokens.Action{Type: tokens.ActionVerifyEmail, Email: r.User.Email, Login: tabs.LoginID(r.Tab)}, "")
	if err != nil {
		return err
	}
	return s.Send(ctx, r.Realm, to(r), pages.VerificationMail{Link: link.URL, Valid: link.Valid})
}

// SendUpdate mails the link by which an address takes the place of the user's. Keycloak: UpdateEmail.sendEmailUpdateConfirmation.
func (s *Service) SendUpdate(ctx context.Context, r *authn.Run, address string, logoutAll bool) error {
	link, err := s.login(ctx, r, tokens.Action{Type: tokens.ActionUpdateEmail, OldEmail: r.User.Email, NewEmail: address,
		LogoutAll: logoutAll}, "")
	if err != nil {
		return err
	}
	whom := to(r)
	whom.Address = address
	return s.Send(ctx, r.Realm, whom, pages.UpdateEmailMail{Link: link.URL, Valid: link.Valid, Address: address})
}

// SendLinking mails a user the link by which an account at an identity provider becomes theirs, too.
// Keycloak: IdpEmailVerificationAuthenticator.sendVerifyEmail.
func (s *Service) SendLinking(ctx context.Context, r *authn.Run, u *iam.User, said *iam.Brokered, name string) error {
	link, err := s.login(ctx, r, tokens.Action{Type: tokens.ActionLinkAccount, Subject: u.ID, Email: u.Email, Login: tabs.LoginID(r.Tab),
		Provider: said.Provider,
		There:    said.Username, ThereID: said.ID}, string(r.Execution().ID))
	if err != nil {
		return err
	}
	return s.Send(ctx, r.Realm, To{User: u}, pages.LinkingMail{Link: link.URL, Valid: link.Valid, Provider: name, Username: said.Username})
}

// PostReset writes the mail with the link that resets credentials into the outbox: neither the answer
// nor the time that it takes tells whether there was anybody to write to.
// Keycloak: ResetCredentialEmail.
func (s *Service) PostReset(ctx context.Context, r *authn.Run) error {
	link, err := s.login(ctx, r, tokens.Action{Type: tokens.ActionReset, Email: r.User.Email, Login: tabs.LoginID(r.Tab)},
		string(r.Execution().ID))
	if err != nil {
		return err
	}
	return s.Post(ctx, r.Realm, to(r), tokens.ActionReset, pages.ResetMail{Link: link.URL, Valid: link.Valid}, link.Until)
}

// login makes a link that goes on with the login.
func (s *Service) login(ctx context.Context, r *authn.Run, a tokens.Action, execution string) (Link, error) {
	if a.Client = r.Client.ClientID; a.Subject == "" {
		a.Subject = r.User.ID
	}
	data, err := s.tabs.SealData(r.Realm.ID, tabs.DataOf(r.Tab))
	if err != nil {
		return Link{}, err
	}
	return s.Link(ctx, r.Realm, r.Tab.Request.Issuer, a, tokens.ActionLifespan(r.Realm, a.Type),
		"execution", execution, "client_id", r.Client.ClientID, "tab_id", r.Tab.ID, "client_data", data)
}

// to is the user of a login, who reads the language of its pages.
func to(r *authn.Run) To {
	if !r.Realm.Locale.Enabled {
		return To{User: r.User}
	}
	return To{User: r.User, Locale: i18n.Choose(r.Realm.Locale.Supported, r.Realm.Locale.Default,
		append([]string{r.Note(tabs.NoteLocale), r.User.Attr("locale")}, r.Wishes...)...)}
}
