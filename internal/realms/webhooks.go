package realms

import (
	"crypto/rand"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"

	"latchkey/internal/iam"
)

// TypeWebhook is the type of components that name addresses which are told of
// beginnings and ends of sessions, and WebhookProvider their only provider.
const (
	TypeWebhook     = "latchkey.sessions.Webhook"
	WebhookProvider = "webhook"
)

// What a webhook may be told of: the values of its setting "kinds".
const (
	WebhookBegan = "began"
	WebhookEnded = "ended"
)

// A Webhook is an address that is told of beginnings and ends of sessions.
type Webhook struct {
	ID           string // of the component
	URL          string
	Key          iam.Secret // signs what it is told
	Enabled      bool
	Began, Ended bool // whether it wants to know of these
}

const (
	minWebhookSecret = 16 // characters, or bytes once decoded
	secretPrefix     = "whsec_"
)

// ParseWebhook reads the configuration of a component of TypeWebhook. Its errors
// are for whoever wrote it.
func ParseWebhook(id string, config map[string][]string) (*Webhook, error) {
	one := func(name string) string {
		if v := config[name]; len(v) > 0 {
			return v[0]
		}
		return ""
	}
	w := &Webhook{ID: id, URL: one("url"), Enabled: true}
	u, err := url.Parse(w.URL)
	switch {
	case w.URL == "":
		return nil, iam.Errorf(iam.Invalid, "A webhook needs a url")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, iam.Errorf(iam.Invalid, "The url of a webhook must be an absolute http or https URL")
	case u.User != nil || u.Fragment != "":
		return nil, iam.Errorf(iam.Invalid, "The url of a webhook must have neither credentials nor a fragment")
	}
	secret := one("secret")
	w.Key = iam.Secret(secret)
	if encoded, ok := strings.CutPrefix(secret, secretPrefix); ok {
		if w.Key, err = base64.StdEncoding.DecodeString(encoded); err != nil {
			return nil, iam.Errorf(iam.Invalid, "What follows whsec_ in the secret of a webhook must be base64")
		}
	}
	switch {
	case secret == Masked:
		return nil, iam.Errorf(iam.Invalid, "The secret of the webhook is masked; give the secret itself")
	case len(w.Key) < minWebhookSecret:
		return nil, iam.Errorf(iam.Invalid, "The secret of a webhook must have at least %d characters", minWebhookSecret)
	}
	switch v := one("enabled"); v {
	case "", "true":
	case "false":
		w.Enabled = false
	default:
		return nil, iam.Errorf(iam.Invalid, "Whether a webhook is enabled is true or false, not %q", v)
	}
	kinds := slices.DeleteFunc(slices.Clone(config["kinds"]), func(v string) bool { return v == "" })
	for _, v := range kinds {
		if v != WebhookBegan && v != WebhookEnded {
			return nil, iam.Errorf(iam.Invalid, "There is no kind %q of webhooks: the kinds are %s and %s", v, WebhookBegan, WebhookEnded)
		}
	}
	w.Began = len(kinds) == 0 || slices.Contains(kinds, WebhookBegan)
	w.Ended = len(kinds) == 0 || slices.Contains(kinds, WebhookEnded)
	return w, nil
}

// NewWebhookSecret makes a secret for a webhook, in the form that libraries for
// Standard Webhooks read.
func NewWebhookSecret() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails
	return secretPrefix + base64.StdEncoding.EncodeToString(b)
}

// Webhook returns a webhook by the id of its component, nil when there is none
// or its configuration is none.
func (r *Realm) Webhook(id string) *Webhook {
	for _, w := range r.Webhooks {
		if w.ID == id {
			return w
		}
	}
	return nil
}
