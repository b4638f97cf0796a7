package emails

import (
	"context"
	"errors"
	"slices"
	"time"

	"latchkey/internal/deliveries"
	"latchkey/internal/iam"
	"latchkey/internal/pages"
	"latchkey/internal/realms"
	"latchkey/internal/telemetry"
	"latchkey/internal/users"
)

// ListenerID is the event listener that mails users what happened to their accounts, as a realm's eventsListeners
// name it. Keycloak: EmailEventListenerProvider.
const ListenerID = "email"

// told are the events that users are told of. Keycloak: EmailEventListenerProviderFactory.SUPPORTED_EVENTS.
var told = []iam.EventKind{
	"LOGIN_ERROR", "UPDATE_PASSWORD", "REMOVE_TOTP", "UPDATE_TOTP", "UPDATE_CREDENTIAL", "REMOVE_CREDENTIAL",
	"USER_DISABLED_BY_TEMPORARY_LOCKOUT", "USER_DISABLED_BY_PERMANENT_LOCKOUT",
}

// Listener returns what hears of events for a realm that mails them to users.
func (s *Service) Listener(people *users.Service) func(context.Context, *realms.Realm, *iam.Event) {
	return func(ctx context.Context, r *realms.Realm, e *iam.Event) {
		if e.User == "" || !slices.Contains(told, e.Kind) || !slices.Contains(r.Events.Listeners, ListenerID) {
			return
		}
		ctx = context.WithoutCancel(ctx) // who leaves early is told, too
		if err := s.tell(ctx, r, people, e); err != nil {
			s.log.WarnContext(ctx, "a user is not told of an event", telemetry.KeyRealm, r.Name, telemetry.KeyEvent, string(e.Kind),
				telemetry.KeyUser, string(e.User), telemetry.KeyError, err)
		}
	}
}

var errFull = errors.New("too many mails wait in the realm's outbox")

func (s *Service) tell(ctx context.Context, r *realms.Realm, people *users.Service, e *iam.Event) error {
	u, err := people.ByID(ctx, r, e.User)
	if err != nil || u == nil || u.Email == "" || !u.EmailVerified {
		return err
	}
	// Strangers can cause failed logins as they like, for as long as the mail server is away.
	waiting, err := s.db.DueDeliveries(ctx, r.ID, deliveries.KindMail, maxWaiting)
	if err != nil {
		return err
	}
	if waiting >= maxWaiting {
		return errFull
	}
	return s.Post(ctx, r, To{User: u}, string(e.Kind), pages.EventMail{Kind: string(e.Kind), At: e.Time.Local(), Addr: e.IP,
		Credential: e.Details["credential_type"]}, time.Time{})
}
