package emails

import (
	"context"
	"errors"

	"latchkey/internal/authn"
)

// A Service sends the mails of logins. Make it with New.
type Service struct{}

// New makes a Service.
func New() *Service { return &Service{} }

// errNoSender is the reference's complaint about a realm without a mail server.
// Keycloak: DefaultEmailSenderProvider.
var errNoSender = errors.New("Invalid sender address 'null'. If the address contains UTF-8 characters in the local part please ensure the SMTP server supports the SMTPUTF8 extension and enable 'Allow UTF-8' in the email realm configuration.") //nolint:staticcheck // the reference's words, which events show

// SendReset mails the user of a login the link that resets the credentials.
func (s *Service) SendReset(context.Context, *authn.Run) error { return errNoSender }

// SendVerification mails the user of a login the link that verifies the address.
func (s *Service) SendVerification(context.Context, *authn.Run) error { return errNoSender }
