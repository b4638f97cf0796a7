package tokens

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"latchkey/internal/iam"
	"latchkey/internal/jose"
	"latchkey/internal/keys"
	"latchkey/internal/realms"
)

// The "typ" claims of action tokens: what the link in a mail is for.
const (
	ActionVerifyEmail = "verify-email"
	ActionReset       = "reset-credentials"
	ActionExecute     = "execute-actions"
	ActionUpdateEmail = "update-email"
	ActionLinkAccount = "idp-verify-account-via-email"
)

// An Action is what an action token says. Who has one may do one thing as a user, until it
// expires. Keycloak: DefaultActionToken and its subclasses.
type Action struct {
	ID        string     `json:"jti"`
	Type      string     `json:"typ"`
	Issuer    string     `json:"iss"`
	Audience  textList   `json:"aud"`
	Subject   iam.UserID `json:"sub"`
	Client    string     `json:"azp,omitempty"` // client_id
	Nonce     string     `json:"nonce"`
	IssuedAt  int64      `json:"iat"`
	Expires   int64      `json:"exp"`
	Login     string     `json:"asid,omitempty"`  // the login that asked for the mail, or whose browser has opened the link since
	Original  string     `json:"oasid,omitempty"` // the login that asked for the mail, where Login is another
	Email     string     `json:"eml,omitempty"`   // the user's when the mail was sent
	Actions   []string   `json:"rqac,omitempty"`
	Redirect  string     `json:"reduri,omitempty"`
	OldEmail  string     `json:"oldEmail,omitempty"`
	NewEmail  string     `json:"newEmail,omitempty"`
	Provider  string     `json:"idpa,omitempty"` // alias of the identity provider whose account is linked
	There     string     `json:"idpu,omitempty"` // the user's name there
	ThereID   string     `json:"idpi,omitempty"` // and id
	LogoutAll bool       `json:"lgt,omitempty"`  // the user's other sessions end, too
}

// UsedKey is under which the id of an action token is kept once it has been used,
// by sessions.PutSingleUse. Keycloak: SingleUseObjectProvider, ".revoked".
func (a *Action) UsedKey() string { return "action " + a.ID }

// LinkedKey is under which it is kept that a user has allowed an account at an identity provider to be linked, by
// the link of a mail that was followed in another browser.
func LinkedKey(user iam.UserID, provider, id string) string {
	return "link by mail " + string(user) + " " + provider + " " + id
}

// Ends is when the token expires.
func (a *Action) Ends() time.Time { return time.Unix(a.Expires, 0) }

// ActionLifespan is for how long a link that a user asked for is good, in a realm.
// Keycloak: RealmModel.getActionTokenGeneratedByUserLifespan.
func ActionLifespan(r *realms.Realm, kind string) time.Duration {
	if sec, err := strconv.Atoi(r.Attrs["actionTokenGeneratedByUserLifespan."+kind]); err == nil {
		return time.Duration(sec) * time.Second
	}
	return r.Lifespans.ActionTokenByUser
}

// SignAction completes and signs an action token that is good for a time.
func (i *Issuer) SignAction(ctx context.Context, r *realms.Realm, issuer string, a Action, valid time.Duration) (string, error) {
	now := i.Now()
	a.Issuer, a.Audience, a.IssuedAt, a.Expires = issuer, textList{issuer}, now.Unix(), now.Add(valid).Unix()
	a.Nonce = cmp.Or(a.Nonce, uuid.NewString())
	a.ID = cmp.Or(a.ID, uuid.NewString())
	return i.Keys.SignInternal(ctx, r, a)
}

// ResignAction signs a token again that has changed: its id and its end stay.
func (i *Issuer) ResignAction(ctx context.Context, r *realms.Realm, a *Action) (string, error) {
	return i.Keys.SignInternal(ctx, r, a)
}

// Why an action token is refused before anything is asked about its user.
var (
	ErrNoAction       = errors.New("Failed to parse JWT")            //nolint:staticcheck // the reference's words, which events show
	ErrActionIssuer   = errors.New("Invalid token issuer")           //nolint:staticcheck // likewise
	ErrActionForged   = errors.New("Invalid token signature")        //nolint:staticcheck // likewise
	ErrActionKey      = errors.New("Key not found")                  //nolint:staticcheck // likewise
	ErrActionInactive = errors.New("Token is not active")            //nolint:staticcheck // likewise
	ErrActionType     = errors.New("Invalid action token operation") //nolint:staticcheck // likewise
)

// ReadAction reads an action token. What is no token at all is a nil Action; of one that is
// refused otherwise the Action says what it claims, which nobody may believe.
// Keycloak: LoginActionsService.handleActionToken.
func (i *Issuer) ReadAction(ctx context.Context, r *realms.Realm, issuer, raw string) (*Action, error) {
	claimed := new(Action)
	t, err := jose.Parse(raw)
	if err != nil || t.Claims(claimed) != nil {
		return nil, ErrNoAction
	}
	if !slices.Contains([]string{ActionVerifyEmail, ActionReset, ActionExecute, ActionUpdateEmail, ActionLinkAccount}, claimed.Type) {
		return claimed, ErrActionType
	}
	a := new(Action)
	switch err := keys.ReadInternal(ctx, r, raw, a); {
	case errors.Is(err, keys.ErrUnknownKey):
		return claimed, ErrActionKey
	case err != nil:
		return claimed, ErrActionForged
	case a.Expires == 0 || i.Now().Unix() > a.Expires:
		return a, ErrActionInactive
	case a.Issuer != issuer:
		return a, ErrActionIssuer
	}
	return a, nil
}
