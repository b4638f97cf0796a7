package oidc

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"latchkey/internal/authn"
	"latchkey/internal/claims"
	"latchkey/internal/iam"
	"latchkey/internal/pages"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
	"latchkey/internal/web"
)

// The device authorization grant (RFC 8628): a device without a browser shows a
// user code, somebody types that into a browser elsewhere, logs in and allows
// it, and the device, which asks again and again, gets its tokens.
//
// What there is of it are single-use objects: the device code with the request,
// the user code that leads to it, and the answer, which only one of all browsers
// that have typed the code can give.

// A deviceCode is what a device asked for. Keycloak: OAuth2DeviceCodeModel.
type deviceCode struct {
	Client       iam.ClientID `json:"client"`
	UserCode     string       `json:"user_code"`
	Scope        string       `json:"scope,omitempty"`
	Nonce        string       `json:"nonce,omitempty"`
	Challenge    string       `json:"code_challenge,omitempty"`
	ChallengeAlg string       `json:"code_challenge_method,omitempty"`
	Interval     int64        `json:"interval"` // seconds
	Expires      int64        `json:"exp"`      // milliseconds since 1970
}

// A deviceAnswer is what the user said: no, or yes within a session.
type deviceAnswer struct {
	Denied  bool          `json:"denied,omitempty"`
	Session iam.SessionID `json:"sid,omitempty"`
	User    iam.UserID    `json:"sub,omitempty"`
}

func deviceKey(code string) string       { return "device " + code }
func deviceUserKey(code string) string   { return "device user " + code }
func deviceAnswerKey(code string) string { return "device answer " + code }
func devicePollKey(code string) string   { return "device poll " + code }

// deviceGrace is how much longer than its code, and twice its interval, a device is told that it comes too late.
const deviceGrace = 10 * time.Second

// deviceOff is said to clients that may not use the grant.
const deviceOff = "Client is not allowed to initiate OAuth 2.0 Device Authorization Grant. The flow is disabled for the client."

// deviceEndpoint serves the two addresses that devices and browsers share: a form is a device's
// unless its sender wants a page. Keycloak: DeviceEndpoint.
func (h *Handler) deviceEndpoint(c *call) error {
	if c.r.Method == http.MethodPost && web.MediaType(c.r) != "application/x-www-form-urlencoded" {
		return statusError(http.StatusUnsupportedMediaType)
	}
	if c.r.Method == http.MethodPost && !web.AcceptsHTML(c.r) {
		c.event.Kind = "OAUTH2_DEVICE_AUTH"
		return h.deviceAuth(c)
	}
	form, err := readParams(c.r)
	if err != nil {
		return err
	}
	switch {
	case !c.secure():
		return c.refuse("ssl_required", badPage("httpsRequiredMessage"))
	case !c.realm.Enabled:
		return c.refuse("realm_disabled", badPage("realmNotEnabledMessage"))
	case form.Has("cancel"):
		c.deviceOver("oauth2DeviceConsentDeniedMessage")
		return nil
	case c.r.Method == http.MethodPost:
		return c.typedCode(form.Get("device_user_code"))
	}
	return c.typedCode(form.Get("user_code"))
}

// deviceAuth answers a device with its codes (RFC 8628 3.1). Keycloak: DeviceEndpoint.handleDeviceRequest.
func (h *Handler) deviceAuth(c *call) error {
	b, err := c.back()
	if err != nil {
		return err
	}
	if err := b.authenticateClient(); err != nil {
		return err
	}
	b.event.Client = b.client.ClientID
	if err := b.checkOrigin(b.client); err != nil {
		return err
	}
	switch {
	case !b.client.OIDC.Device:
		b.event.Cause.Setting = iam.AttrDeviceGrant
		return b.deny(refusal{word: "not_allowed", code: "unauthorized_client", description: deviceOff})
	case b.client.Access == iam.BearerOnly:
		return b.deny(refusal{word: "not_allowed", status: http.StatusForbidden, code: "unauthorized_client",
			description: "Bearer-only applications are not allowed to initiate browser login."})
	case b.client.Protocol != iam.OIDC:
		return b.deny(refusal{word: "invalid_client", code: "unauthorized_client", description: "Wrong client protocol."})
	case b.form.Duplicate() != "":
		return b.deny(refusal{word: "invalid_request", code: "invalid_grant", description: "duplicated parameter"})
	}
	c.w.Header().Set("Cache-Control", web.CacheNoPage)
	a := &authCall{call: b.call, form: b.form, client: b.client, pushing: true}
	if err := a.parse(); err != nil {
		return err
	}
	var refused *clientError
	if err := a.checkPKCE(); errors.As(err, &refused) {
		return &Error{http.StatusBadRequest, refused.code, refused.description}
	} else if err != nil {
		return err
	}
	life, interval := deviceTimes(c.realm, b.client)
	code, err := c.newDevice(&deviceCode{
		Client: b.client.ID, Scope: a.req.Scope, Nonce: a.req.Nonce, Challenge: a.req.Challenge, ChallengeAlg: a.req.ChallengeAlg,
		Interval: interval, Expires: c.Now().Add(time.Duration(life) * time.Second).UnixMilli(),
	})
	if err != nil {
		return err
	}
	at := c.realm.Attrs["shortVerificationUri"]
	if at == "" {
		at = c.deviceURL()
	}
	shown := code.text.UserCode[:4] + "-" + code.text.UserCode[4:]
	out := new(claims.Set)
	out.Put("device_code", code.id)
	out.Put("user_code", shown)
	out.Put("verification_uri", at)
	out.Put("verification_uri_complete", at+"?user_code="+shown)
	out.Put("expires_in", life)
	out.Put("interval", interval)
	body, err := out.Plain()
	if err != nil {
		return err
	}
	c.bytes(http.StatusOK, "application/json", body)
	return nil
}

// deviceTimes are the life of a client's device codes and how often it may ask, in
// seconds: its own, else the realm's. Keycloak: OAuth2DeviceConfig.
func deviceTimes(r *realms.Realm, client *realms.Client) (life, interval int64) {
	return cmp.Or(client.OIDC.DeviceLife, int64(r.Lifespans.DeviceCode/time.Second)), cmp.Or(client.OIDC.DeviceInterval,
		int64(r.Lifespans.DevicePolling/time.Second))
}

// userCodeLetters make no words and are not taken for one another.
// Keycloak: DefaultOAuth2DeviceUserCodeProvider.
const (
	userCodeLetters = "BCDFGHJKLMNPQRSTVWXZ"
	userCodeLength  = 8
)

// readUserCode is a user code as it was typed, in the form in which it is kept.
func readUserCode(typed string) string {
	return strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(typed))
}

// A knownDevice is a device's request with the code that it has for it.
type knownDevice struct {
	id   string
	text *deviceCode
}

// keptUntil is how long what belongs to the request is stored.
func (d *knownDevice) keptUntil() time.Time {
	return time.UnixMilli(d.text.Expires).Add(time.Duration(2*d.text.Interval)*time.Second + deviceGrace)
}

// newDevice stores a request under new codes. A user code that somebody else has is not given out twice.
func (c *call) newDevice(q *deviceCode) (*knownDevice, error) {
	var id [32]byte
	_, _ = rand.Read(id[:]) // never fails
	d := &knownDevice{base64.RawURLEncoding.EncodeToString(id[:]), q}
	for fresh := false; !fresh; {
		var err error
		if q.UserCode, err = iam.RandomText(userCodeLetters, userCodeLength); err != nil {
			return nil, err
		}
		if fresh, err = c.Sessions.PutSingleUse(c.ctx(), c.realm, deviceUserKey(q.UserCode), []byte(d.id), d.keptUntil()); err != nil {
			return nil, err
		}
	}
	doc, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	_, err = c.Sessions.PutSingleUse(c.ctx(), c.realm, deviceKey(d.id), doc, d.keptUntil())
	return d, err
}

// device finds the request of a device code; nil when there is none, or no longer.
func (c *call) device(id string) (*knownDevice, error) {
	doc, err := c.Sessions.LookSingleUse(c.ctx(), c.realm, deviceKey(id))
	if errors.Is(err, sessions.ErrGone) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	d := &knownDevice{id, new(deviceCode)}
	if err := json.Unmarshal(doc, d.text); err != nil {
		return nil, fmt.Errorf("device code: %w", err)
	}
	return d, nil
}

// deviceByUserCode finds the request that a user code belongs to.
func (c *call) deviceByUserCode(code string) (*knownDevice, error) {
	id, err := c.Sessions.LookSingleUse(c.ctx(), c.realm, deviceUserKey(code))
	if errors.Is(err, sessions.ErrGone) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return c.device(string(id))
}

// answerFor is what the user said to a request, nil while nothing was said.
func (c *call) answerFor(d *knownDevice) (*deviceAnswer, error) {
	doc, err := c.Sessions.LookSingleUse(c.ctx(), c.realm, deviceAnswerKey(d.id))
	if errors.Is(err, sessions.ErrGone) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	a := new(deviceAnswer)
	return a, json.Unmarshal(doc, a)
}

// typedCode takes a user code to the login of the device's client, or asks for another.
// Keycloak: DeviceEndpoint.verifyUserCode, processVerification.
func (c *call) typedCode(typed string) error {
	if typed == "" {
		c.askCode("")
		return nil
	}
	again := func(key, reason string) error {
		c.detail("reason", reason)
		_ = c.refuse("invalid_oauth2_user_code", nil)
		c.askCode(key)
		return nil
	}
	gone := func() error {
		return again("oauth2DeviceInvalidUserCodeMessage", "device code not found (it may already have been used)")
	}
	d, err := c.deviceByUserCode(readUserCode(typed))
	if err != nil {
		return err
	}
	if d == nil {
		return gone()
	}
	said, err := c.answerFor(d)
	switch {
	case err != nil:
		return err
	case said != nil && said.Denied:
		return again("oauth2DeviceInvalidUserCodeMessage", "device code denied")
	case said != nil:
		return gone()
	case c.Now().UnixMilli() >= d.text.Expires:
		return again("oauth2DeviceExpiredUserCodeMessage", "device code expired")
	}
	client, err := c.realm.Client(c.ctx(), d.text.Client)
	if realms.Missing(err) {
		return gone()
	} else if err != nil {
		return err
	}
	c.asks = c.pageClient(client)
	c.event.Client = client.ClientID
	switch {
	case !client.Enabled:
		return c.refuse("client_disabled", badPage("clientDisabledMessage"))
	case !client.OIDC.Device:
		c.event.Cause.Setting = iam.AttrDeviceGrant
		return c.refuse("not_allowed", badPage("oauth2DeviceAuthorizationGrantDisabledMessage"))
	}
	c.detail("scope", d.text.Scope)
	c.emit()
	q := request{
		iam.LoginRequest{Client: client.ID, Issuer: c.issuer(), Scope: d.text.Scope, Confirm: true},
		own{Device: d.id},
	}
	c.login.Start(c.w, c.r, &authn.Begin{Realm: c.realm.ID, Client: &client.Client, Request: q.seal(), Redirect: true})
	return nil
}

func (c *call) deviceURL() string { return c.issuer() + "/device" }

// askCode asks for a user code; key is a message about the one before, "" for none.
func (c *call) askCode(key string) {
	p := pages.Request{URLs: pages.URLs{Action: c.deviceURL()}}
	if key != "" {
		p.Message = &pages.Message{Type: pages.Problem, Key: key}
	}
	c.w.Header().Set("Cache-Control", web.CacheNoPage)
	c.page(http.StatusOK, p, pages.DeviceCode{})
}

// deviceStatus says how it ended, after a redirect. Keycloak: DeviceEndpoint.status.
func (h *Handler) deviceStatus(c *call) error {
	form, err := web.Query(c.r)
	if err != nil {
		return err
	}
	switch form.Get("error") {
	case "":
		c.page(http.StatusOK, pages.Request{Message: &pages.Message{Type: pages.Success, Key: "oauth2DeviceVerificationCompleteMessage"}},
			pages.Info{HeaderKey: "oauth2DeviceVerificationCompleteHeader", SkipLink: true})
	case "access_denied":
		c.deviceOver("oauth2DeviceConsentDeniedMessage")
	case "expired_token":
		c.deviceOver("oauth2DeviceExpiredUserCodeMessage")
	default:
		c.deviceOver("oauth2DeviceVerificationFailedMessage")
	}
	return nil
}

// deviceOver shows that a device was not let in, with the way back to the beginning.
func (c *call) deviceOver(key string) {
	c.page(http.StatusOK, pages.Request{Message: &pages.Message{Type: pages.Problem, Key: key}},
		pages.Info{HeaderKey: "oauth2DeviceVerificationFailedHeader", ActionURL: c.deviceURL()})
}

// deviceEnd leads the browser to deviceStatus; code is an error's, "" for none.
func (c *call) deviceEnd(code string) {
	at := c.deviceURL() + "/status"
	if code != "" {
		at += "?error=" + code
	}
	c.w.Header().Set("Cache-Control", web.CacheNoPage)
	c.redirect(at)
}

// endDevice keeps what the user said, and leads to where it is told, word for a no: it says so where it came too late, or was not the
// first.
func (c *call) endDevice(id string, a *deviceAnswer, word string) error {
	ok, err := c.answerDevice(id, a)
	if err != nil {
		return err
	}
	if !ok {
		word = "expired_token"
	}
	c.deviceEnd(word)
	return nil
}

// answerDevice keeps what the user said, and reports whether that was in time and the first answer.
func (c *call) answerDevice(id string, a *deviceAnswer) (bool, error) {
	d, err := c.device(id)
	if err != nil || d == nil || c.Now().UnixMilli() >= d.text.Expires {
		return false, err
	}
	doc, err := json.Marshal(a)
	if err != nil {
		return false, err
	}
	first, err := c.Sessions.PutSingleUse(c.ctx(), c.realm, deviceAnswerKey(id), doc, d.keptUntil())
	if err != nil || !first || a.Denied {
		return first, err
	}
	// The code was typed for the last time.
	if _, err := c.Sessions.TakeSingleUse(c.ctx(), c.realm, deviceUserKey(d.text.UserCode)); err != nil && !errors.Is(err, sessions.ErrGone) {
		return false, err
	}
	return true, nil
}

// approveDevice lets the device in, whose login is stored.
// Keycloak: DeviceGrantType.approveOAuth2DeviceAuthorization.
func (c *call) approveDevice(id string, d *authn.Done) error {
	return c.endDevice(id, &deviceAnswer{Session: d.Session.ID, User: d.User.ID}, "")
}

// refuseDevice ends a login without letting the device in; only the user's own no is
// the last word. Keycloak: DeviceGrantType.denyOAuth2DeviceAuthorization.
func (c *call) refuseDevice(id string, why authn.Why) error {
	if why != authn.Denied {
		c.deviceEnd("server_error")
		return nil
	}
	return c.endDevice(id, &deviceAnswer{Denied: true}, "access_denied")
}

// device answers a device that asks for its tokens (RFC 8628 3.4).
// Keycloak: DeviceGrantType.process.
func (t *tokenCall) device() (*decision, error) {
	if !t.client.OIDC.Device {
		t.event.Cause.Setting = iam.AttrDeviceGrant
		return nil, t.deny(refusal{word: "not_allowed", code: "invalid_grant",
			description: "Client not allowed OAuth 2.0 Device Authorization Grant"})
	}
	if !t.form.Has("device_code") {
		return nil, t.deny(refusal{word: "invalid_oauth2_device_code", code: "invalid_request", description: "Missing parameter: device_code"})
	}
	d, err := t.call.device(t.form.Get("device_code"))
	switch {
	case err != nil:
		return nil, err
	case d == nil:
		return nil, t.deny(refusal{reason: iam.DeviceCodeUnknown, word: "invalid_oauth2_device_code", code: "invalid_grant",
			description: "Device code not valid", detail: untold})
	case d.text.Client != t.client.ID:
		return nil, t.deny(refusal{reason: iam.WrongClient, word: "invalid_oauth2_device_code", code: "invalid_grant",
			description: "unauthorized client"})
	case t.Now().UnixMilli() >= d.text.Expires:
		return nil, t.deny(refusal{reason: iam.DeviceCodeLate, word: "expired_oauth2_device_code", code: "expired_token",
			description: "Device code is expired", detail: untold})
	}
	allowed, err := t.Sessions.PutSingleUse(t.ctx(), t.realm, devicePollKey(d.id), nil,
		t.Now().Add(time.Duration(d.text.Interval)*time.Second))
	if err != nil {
		return nil, err
	}
	if !allowed {
		return nil, t.deny(refusal{reason: iam.PolledTooFast, word: "slow_down", description: "Slow down", detail: untold})
	}
	said, err := t.answerFor(d)
	switch {
	case err != nil:
		return nil, err
	case said == nil: // nothing is refused yet, and no event tells of it
		return nil, &Error{http.StatusBadRequest, "authorization_pending", "The authorization request is still pending"}
	case said.Denied:
		return nil, t.deny(refusal{reason: iam.ConsentRefused, word: "access_denied",
			description: "The end user denied the authorization request"})
	}
	if err := t.checkVerifier(d.text.Challenge, d.text.ChallengeAlg); err != nil {
		return nil, err
	}
	return t.redeemDevice(d, said)
}

// redeemDevice gives out the tokens of a request that was allowed, once.
func (t *tokenCall) redeemDevice(d *knownDevice, said *deviceAnswer) (*decision, error) {
	t.detail("code_id", string(said.Session))
	t.event.Session = said.Session
	view, err := t.Sessions.Find(t.ctx(), t.realm, iam.SessionRef{ID: said.Session, User: said.User}, &t.client.Client)
	if errors.Is(err, sessions.ErrGone) {
		return nil, &Error{http.StatusBadRequest, "authorization_pending",
			"The authorization request is verified but can not lookup the user session yet"}
	}
	if view == nil {
		return nil, err
	}
	// somebody asked at the same time
	if _, gone := t.Sessions.TakeSingleUse(t.ctx(), t.realm, deviceKey(d.id)); errors.Is(gone, sessions.ErrGone) {
		return nil, t.deny(refusal{reason: iam.DeviceCodeUnknown, word: "invalid_oauth2_device_code", code: "invalid_grant",
			description: "Device code not valid", detail: untold})
	} else if gone != nil {
		return nil, gone
	}
	t.event.User = view.Session.User
	switch {
	case errors.Is(err, sessions.ErrUserGone):
		return nil, t.deny(refusal{word: "user_not_found", code: "invalid_grant", description: "User not found", detail: untold})
	case view.User != nil && !view.User.Enabled:
		return nil, t.deny(refusal{word: "user_disabled", code: "invalid_grant", description: "User disabled", detail: untold})
	case errors.Is(err, sessions.ErrExpired), errors.Is(err, sessions.ErrClientSessionExpired), errors.Is(err, sessions.ErrNoClientSession):
		return nil, t.deny(refusal{reason: iam.SessionEnded, word: "user_session_not_found", code: "invalid_grant",
			description: "Session not active"})
	case err != nil:
		return nil, t.switchedOff(err)
	}
	g, err := t.loginGrant(view, "dg", d.text.Scope, d.text.Nonce)
	if err != nil {
		return nil, err
	}
	if err := t.withRefresh(g, d.text.Scope, view.ClientSession.Notes[noteFirstOffline] != ""); err != nil {
		return nil, err
	}
	return &decision{grant: g}, nil
}
