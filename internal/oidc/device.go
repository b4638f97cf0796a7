package oidc

import (
	"cmp"
	"net/http"
	"time"

	"latchkey/internal/authn"
	"latchkey/internal/claims"
	"latchkey/internal/iam"
	"latchkey/internal/oidc/grants"
	"latchkey/internal/pages"
	"latchkey/internal/realms"
	"latchkey/internal/web"
)

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
		return authHTTPS
	case !c.realm.Enabled:
		return authRealmOff
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
	b, form, err := c.back()
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
		return deviceOff
	case b.client.Access == iam.BearerOnly:
		return deviceBearerOnly
	case b.client.Protocol != iam.OIDC:
		return deviceProtocol
	case form.Duplicate() != "":
		return deviceDuplicated
	}
	c.w.Header().Set("Cache-Control", web.CacheNoPage)
	a := b.asking(b.client)
	a.from.pushing = true
	err = b.check(a, form, checksOf(check.placeOfDevice))
	if no, ok := err.(*browserRefusal); ok && no.page == "" { //nolint:errorlint // checks return it bare
		return &no.Refusal
	}
	if err != nil {
		return err
	}
	life, interval := deviceTimes(c.realm, b.client)
	code, err := c.door.grants.NewDevice(c.ctx(), c.realm, &grants.DeviceCode{
		Client: b.client.ID, Scope: a.req.Scope, Nonce: a.req.Nonce, Challenge: a.req.Challenge, ChallengeAlg: a.req.ChallengeAlg,
		Interval: interval, Expires: c.door.Now().Add(time.Duration(life) * time.Second).UnixMilli(),
	})
	if err != nil {
		return err
	}
	return c.writeDevice(code, life)
}

// writeDevice answers with a device's codes.
func (c *call) writeDevice(d *grants.Device, life int64) error {
	at := cmp.Or(c.realm.Attrs["shortVerificationUri"], c.deviceURL())
	shown := d.Code.UserCode[:4] + "-" + d.Code.UserCode[4:]
	out := new(claims.Set)
	out.Put("device_code", d.ID)
	out.Put("user_code", shown)
	out.Put("verification_uri", at)
	out.Put("verification_uri_complete", at+"?user_code="+shown)
	out.Put("expires_in", life)
	out.Put("interval", d.Code.Interval)
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

// typedCode takes a user code to the login of the device's client, or asks for another.
// Keycloak: DeviceEndpoint.verifyUserCode, processVerification.
func (c *call) typedCode(typed string) error {
	if typed == "" {
		c.askCode("")
		return nil
	}
	d, client, err := c.typedDevice(typed)
	if no, ok := err.(*browserRefusal); ok { //nolint:errorlint // it is returned bare
		c.record(&no.Refusal)
		c.askCode(no.page)
		return nil
	}
	if err != nil {
		return err
	}
	c.asks = c.pageClient(client)
	c.event.Client = client.ClientID
	switch {
	case !client.Enabled:
		return authClientOff
	case !client.OIDC.Device:
		return devicePageOff
	}
	c.detail("scope", d.Code.Scope)
	c.emit()
	q := request{
		iam.LoginRequest{Client: client.ID, Issuer: c.issuer(), Scope: d.Code.Scope, Confirm: true},
		own{Device: d.ID},
	}
	c.login.Start(c.w, c.r, &authn.Begin{Realm: c.realm.ID, Client: &client.Client, Request: q.seal(), Redirect: true})
	return nil
}

// typedDevice finds the request that waits under a user code, and its client.
func (c *call) typedDevice(typed string) (*grants.Device, *realms.Client, error) {
	guesser := codeGuesser{c.realm.ID, web.RequestOf(c.r).Addr}
	if c.door.guesses.spent(guesser, c.door.Now()) {
		return nil, nil, userCodeGuessed
	}
	d, err := c.door.grants.DeviceByUserCode(c.ctx(), c.realm, typed)
	if err != nil {
		return nil, nil, err
	}
	if d == nil {
		c.door.guesses.add(guesser, c.door.Now())
		return nil, nil, userCodeGone
	}
	said, err := c.door.grants.AnswerFor(c.ctx(), c.realm, d)
	switch {
	case err != nil:
		return nil, nil, err
	case said != nil && said.Denied:
		return nil, nil, userCodeDenied
	case said != nil:
		return nil, nil, userCodeGone
	case c.door.Now().UnixMilli() >= d.Code.Expires:
		return nil, nil, userCodeLate
	}
	client, err := c.realm.Client(c.ctx(), d.Code.Client)
	if realms.Missing(err) {
		return nil, nil, userCodeGone
	}
	return d, client, err
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
func (c *call) endDevice(id string, a *grants.DeviceAnswer, word string) error {
	ok, err := c.door.grants.AnswerDevice(c.ctx(), c.realm, id, a)
	if err != nil {
		return err
	}
	if !ok {
		word = "expired_token"
	}
	c.deviceEnd(word)
	return nil
}

// approveDevice lets the device in, whose login is stored.
// Keycloak: DeviceGrantType.approveOAuth2DeviceAuthorization.
func (c *call) approveDevice(id string, d *authn.Done) error {
	return c.endDevice(id, &grants.DeviceAnswer{Session: d.Session.ID, User: d.User.ID}, "")
}

// refuseDevice ends a login without letting the device in; only the user's own no is
// the last word. Keycloak: DeviceGrantType.denyOAuth2DeviceAuthorization.
func (c *call) refuseDevice(id string, why authn.Why) error {
	if why != authn.Denied {
		c.deviceEnd("server_error")
		return nil
	}
	return c.endDevice(id, &grants.DeviceAnswer{Denied: true}, "access_denied")
}
