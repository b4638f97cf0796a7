package situations

import (
	"net/url"
	"time"

	"latchkey/internal/iam"
	"latchkey/test/visitor"
)

// deviceGrant lets a client be used on a device without a browser.
func deviceGrant(more settings) settings {
	attributes := settings{iam.AttrDeviceGrant: "true", "oauth2.device.polling.interval": "1"}
	for k, v := range more {
		attributes[k] = v
	}
	return settings{"attributes": attributes}
}

// device asks for a device's codes.
func (w *world) device(client string) (deviceCode, at string) {
	w.Helper()
	a, err := w.party(client).Post(w.ctx, "auth/device", url.Values{"scope": {"openid"}})
	w.must(err)
	if !a.OK() {
		w.Fatalf("a device gets no codes: %+v", a)
	}
	return a.Members["device_code"].(string), a.Members["verification_uri_complete"].(string)
}

// poll asks for a device's tokens.
func (w *world) poll(client, deviceCode string) *visitor.Answer {
	w.Helper()
	a, err := w.party(client).Post(w.ctx, "token", url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"},
		"device_code": {deviceCode}})
	w.must(err)
	return a
}

func (w *world) pollFails(client, deviceCode, with string) {
	w.Helper()
	if a := w.poll(client, deviceCode); a.Error != with {
		w.Fatalf("a device is told %q, want %q", a.Error, with)
	}
}

// letIn logs kim in at the address that a device shows, and says yes or no.
func (w *world) letIn(at string, answer map[string]string) {
	w.Helper()
	p := w.open(w.b, at)
	if p.Asks("password") {
		p = w.submit(p, right)
	}
	w.submit(p, answer)
}

var yes, no = map[string]string{"accept": "Yes"}, map[string]string{"cancel": "No"}

// deviceWorks lets a device in and sees it get its tokens.
func deviceWorks(w *world) {
	w.Helper()
	code, at := w.device("shop")
	w.letIn(at, yes)
	if a := w.poll("shop", code); !a.OK() {
		w.Fatalf("a device that was let in gets no tokens: %+v", a)
	}
}

// devices are those that were not let in.
var devices = []situation{
	{name: "nobody typed a device's code in time", reason: iam.DeviceCodeLate, ask: noSession("shop"),
		happens: func(w *world) {
			w.setClient("shop", deviceGrant(settings{"oauth2.device.code.lifespan": "1"}))
			code, _ := w.device("shop")
			w.wait(1200 * time.Millisecond)
			w.pollFails("shop", code, "expired_token")
		},
		mended: func(w *world) {
			w.setClient("shop", deviceGrant(settings{"oauth2.device.code.lifespan": "60"}))
			deviceWorks(w)
		}},
	{name: "a device that asks too often", reason: iam.PolledTooFast, ask: noSession("shop"),
		happens: func(w *world) {
			w.setClient("shop", deviceGrant(settings{"oauth2.device.polling.interval": "60"}))
			code, _ := w.device("shop")
			w.pollFails("shop", code, "authorization_pending")
			w.pollFails("shop", code, "slow_down")
		},
		mended: func(w *world) {
			w.setClient("shop", deviceGrant(nil))
			deviceWorks(w)
		}},
	{name: "a device code that was never given", reason: iam.DeviceCodeUnknown, ask: noSession("shop"),
		happens: func(w *world) {
			w.setClient("shop", deviceGrant(nil))
			w.device("shop")
			w.pollFails("shop", "of-another-device", "invalid_grant")
		},
		mended: deviceWorks},
	{name: "the user refused a device", reason: iam.ConsentRefused, ask: noSession("shop"), two: true,
		happens: func(w *world) {
			w.setClient("shop", deviceGrant(nil))
			code, at := w.device("shop")
			w.letIn(at, no)
			w.pollFails("shop", code, "access_denied")
		},
		mended: deviceWorks},
	{name: "devices may not use the client", reason: iam.ClientNotAllowed, ask: noSession("shop"),
		happens: func(w *world) {
			a, err := w.party("shop").Post(w.ctx, "auth/device", url.Values{"scope": {"openid"}})
			w.must(err)
			if a.Error != "unauthorized_client" {
				w.Fatalf("a device gets codes: %+v", a)
			}
		},
		mended: func(w *world) {
			w.setClient("shop", deviceGrant(nil))
			deviceWorks(w)
		}},
}
