package grants

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"latchkey/internal/bearer"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
)

// The device authorization grant (RFC 8628): a device without a browser shows a
// user code, somebody types that into a browser elsewhere, logs in and allows
// it, and the device, which asks again and again, gets its tokens.
//
// What there is of it are single-use objects: the device code with the request,
// the user code that leads to it, and the answer, which only one of all browsers
// that have typed the code can give.

// A DeviceCode is what a device asked for. Keycloak: OAuth2DeviceCodeModel.
type DeviceCode struct {
	Client       iam.ClientID `json:"client"`
	UserCode     string       `json:"user_code"`
	Scope        string       `json:"scope,omitempty"`
	Nonce        string       `json:"nonce,omitempty"`
	Challenge    string       `json:"code_challenge,omitempty"`
	ChallengeAlg string       `json:"code_challenge_method,omitempty"`
	Interval     int64        `json:"interval"` // seconds
	Expires      int64        `json:"exp"`      // milliseconds since 1970
}

// A DeviceAnswer is what the user said: no, or yes within a session.
type DeviceAnswer struct {
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

// A Device is a device's request with the code that it has for it.
type Device struct {
	ID   string
	Code *DeviceCode
}

// keptUntil is how long what belongs to the request is stored.
func (d *Device) keptUntil() time.Time {
	return time.UnixMilli(d.Code.Expires).Add(time.Duration(2*d.Code.Interval)*time.Second + deviceGrace)
}

// NewDevice stores a request under new codes. A user code that somebody else has is not given out twice.
func (s *Service) NewDevice(ctx context.Context, r *realms.Realm, q *DeviceCode) (*Device, error) {
	var id [32]byte
	_, _ = rand.Read(id[:]) // never fails
	d := &Device{base64.RawURLEncoding.EncodeToString(id[:]), q}
	for fresh := false; !fresh; {
		var err error
		if q.UserCode, err = iam.RandomText(userCodeLetters, userCodeLength); err != nil {
			return nil, err
		}
		if fresh, err = s.Sessions.PutSingleUse(ctx, r, deviceUserKey(q.UserCode), []byte(d.ID), d.keptUntil()); err != nil {
			return nil, err
		}
	}
	doc, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	_, err = s.Sessions.PutSingleUse(ctx, r, deviceKey(d.ID), doc, d.keptUntil())
	return d, err
}

// Device finds the request of a device code; nil when there is none, or no longer.
func (s *Service) Device(ctx context.Context, r *realms.Realm, id string) (*Device, error) {
	doc, err := s.Sessions.LookSingleUse(ctx, r, deviceKey(id))
	if errors.Is(err, sessions.ErrGone) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	d := &Device{id, new(DeviceCode)}
	if err := json.Unmarshal(doc, d.Code); err != nil {
		return nil, fmt.Errorf("device code: %w", err)
	}
	return d, nil
}

// DeviceByUserCode finds the request that a user code belongs to.
func (s *Service) DeviceByUserCode(ctx context.Context, r *realms.Realm, typed string) (*Device, error) {
	id, err := s.Sessions.LookSingleUse(ctx, r, deviceUserKey(readUserCode(typed)))
	if errors.Is(err, sessions.ErrGone) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return s.Device(ctx, r, string(id))
}

// AnswerFor is what the user said to a request, nil while nothing was said.
func (s *Service) AnswerFor(ctx context.Context, r *realms.Realm, d *Device) (*DeviceAnswer, error) {
	doc, err := s.Sessions.LookSingleUse(ctx, r, deviceAnswerKey(d.ID))
	if errors.Is(err, sessions.ErrGone) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	a := new(DeviceAnswer)
	return a, json.Unmarshal(doc, a)
}

// AnswerDevice keeps what the user said, and reports whether that was in time and the first answer.
func (s *Service) AnswerDevice(ctx context.Context, r *realms.Realm, id string, a *DeviceAnswer) (bool, error) {
	d, err := s.Device(ctx, r, id)
	if err != nil || d == nil || s.Now().UnixMilli() >= d.Code.Expires {
		return false, err
	}
	doc, err := json.Marshal(a)
	if err != nil {
		return false, err
	}
	first, err := s.Sessions.PutSingleUse(ctx, r, deviceAnswerKey(id), doc, d.keptUntil())
	if err != nil || !first || a.Denied {
		return first, err
	}
	// The code was typed for the last time.
	if _, err := s.Sessions.TakeSingleUse(ctx, r, deviceUserKey(d.Code.UserCode)); err != nil && !errors.Is(err, sessions.ErrGone) {
		return false, err
	}
	return true, nil
}

// device answers a device that asks for its tokens (RFC 8628 3.4).
// Keycloak: DeviceGrantType.process.
func (s *Service) device(ctx context.Context, q *Request) (*Decision, error) {
	if !q.Client.OIDC.Device {
		return nil, deviceOff
	}
	if !q.Params.DeviceCode.Given {
		return nil, deviceMissing
	}
	d, err := s.Device(ctx, q.Realm, q.Params.DeviceCode.Text)
	switch {
	case err != nil:
		return nil, err
	case d == nil:
		return nil, deviceUnknown
	case d.Code.Client != q.Client.ID:
		return nil, deviceOfOther
	case s.Now().UnixMilli() >= d.Code.Expires:
		return nil, deviceLate
	}
	allowed, err := s.Sessions.PutSingleUse(ctx, q.Realm, devicePollKey(d.ID), nil, s.Now().Add(time.Duration(d.Code.Interval)*time.Second))
	if err != nil {
		return nil, err
	}
	if !allowed {
		return nil, deviceTooFast
	}
	said, err := s.AnswerFor(ctx, q.Realm, d)
	switch {
	case err != nil:
		return nil, err
	case said == nil:
		return nil, devicePending
	case said.Denied:
		return nil, deviceDenied
	}
	if err := checkVerifier(q, d.Code.Challenge, d.Code.ChallengeAlg); err != nil {
		return nil, err
	}
	return s.redeemDevice(ctx, q, d, said)
}

// deviceChecks are those of the session behind a device code.
var deviceChecks = []bearer.Check{bearer.UserOn, bearer.LiveSession, bearer.LiveClientSession, bearer.ClientOn}

// redeemDevice gives out the tokens of a request that was allowed, once.
func (s *Service) redeemDevice(ctx context.Context, q *Request, d *Device, said *DeviceAnswer) (*Decision, error) {
	q.Event.Detail("code_id", string(said.Session))
	q.Event.Session = said.Session
	of := iam.SessionRef{ID: said.Session, User: said.User}
	v, err := s.Bearer.JudgeSession(ctx, q.Realm, of, q.Client, bearer.Want{Checks: deviceChecks})
	if err != nil {
		return nil, err
	}
	if v.View == nil {
		return nil, deviceNoSession
	}
	if _, err := s.Sessions.TakeSingleUse(ctx, q.Realm, deviceKey(d.ID)); errors.Is(err, sessions.ErrGone) { // somebody asked at the same time
		return nil, deviceUnknown
	} else if err != nil {
		return nil, err
	}
	q.Event.User = v.View.Session.User
	if !v.Good() {
		return nil, refusedSession(v.Refusal)
	}
	g, err := s.loginGrant(ctx, q, v.View, "dg", d.Code.Scope, d.Code.Nonce)
	if err != nil {
		return nil, err
	}
	if err := s.withRefresh(ctx, q, g, d.Code.Scope); err != nil {
		return nil, err
	}
	return &Decision{Grant: g}, nil
}
