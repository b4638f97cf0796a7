package logout

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"latchkey/internal/claims"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/telemetry"
	"latchkey/internal/tokens"
)

// An Action is what a client's admin URL is told when an administrator wants it.
type Action struct{ name, path string }

// LogoutAll tells that every session is over. Keycloak: LogoutAction.
func LogoutAll() Action { return Action{"LOGOUT", "/k_logout"} }

// PushNotBefore tells of a not-before. Keycloak: PushNotBeforeAction.
func PushNotBefore() Action { return Action{"PUSH_NOT_BEFORE", "/k_push_not_before"} }

const actionLifespan = 30 * time.Second

// errBusy says that too many calls are under way.
var errBusy = errors.New("logout: too many calls under way")

// Push tells the clients that have an admin URL, those of list or all of the
// realm for nil, and waits for their answers. It returns the addresses that
// took the news and those that did not. Of a logout, clients that are off are
// not told. Keycloak: ResourceAdminManager.
func (n *Notifier) Push(ctx context.Context, r *realms.Realm, issuer string, what Action, list []*realms.Client,
	notBefore time.Time) (took, failed []string, err error) {
	if list == nil {
		if list, err = r.Clients(ctx, "", 0, -1); err != nil {
			return nil, nil, err
		}
	}
	var wait sync.WaitGroup
	var mu sync.Mutex
	for _, c := range list {
		if c.AdminURL == "" || what == LogoutAll() && !c.Enabled {
			continue
		}
		at := strings.TrimSuffix(resolve(&c.Client, c.AdminURL, issuer), "/")
		wait.Go(func() {
			err := n.push(ctx, r, &c.Client, at, what, notBefore)
			if err != nil {
				n.log.WarnContext(ctx, "a client's admin URL did not take "+what.name, telemetry.KeyRealm, r.Name, telemetry.KeyClient, c.ClientID,
					telemetry.KeyError, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = append(failed, at)
			} else {
				took = append(took, at)
			}
		})
	}
	wait.Wait()
	slices.Sort(took)
	slices.Sort(failed)
	return took, failed, nil
}

func (n *Notifier) push(ctx context.Context, r *realms.Realm, c *iam.Client, at string, what Action, notBefore time.Time) error {
	select {
	case n.calls <- struct{}{}:
		defer func() { <-n.calls }()
	default:
		return errBusy
	}
	seconds := int64(0)
	if c.NotBefore.After(notBefore) {
		notBefore = c.NotBefore
	}
	if !notBefore.IsZero() {
		seconds = notBefore.Unix()
	}
	token, err := action(ctx, n.issuer, r, c, what, seconds, "", "")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return n.post(ctx, r.Reach(c), at+what.path, "text/plain", token)
}

// action makes what an admin URL is sent: of one session, in the adapter's word
// for it and ours, or of all where these are "".
func action(ctx context.Context, issuer *tokens.Issuer, r *realms.Realm, c *iam.Client, what Action, notBefore int64, adapter string,
	session iam.SessionID) (string, error) {
	now := issuer.Now()
	t := new(claims.Set)
	t.Put("id", uuid.NewString()+"-"+strconv.FormatInt(now.UnixMilli(), 10))
	t.Put("expiration", now.Add(actionLifespan).Unix())
	t.Put("resource", c.ClientID)
	t.Put("action", what.name)
	if adapter != "" {
		t.Put("adapterSessionIds", []string{adapter})
	}
	t.Put("notBefore", notBefore)
	if session != "" {
		t.Put("keycloakSessionIds", []string{string(session)})
	}
	return issuer.Sign(ctx, r, t, "", "JWT")
}
