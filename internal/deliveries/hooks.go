package deliveries

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"strconv"
	"time"

	"github.com/google/uuid"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/store"
	"latchkey/internal/telemetry"
)

// What webhooks are told: the member "type" of messages.
const (
	EventBegan = "session.began"
	EventEnded = "session.ended"
)

// Hooks tells of beginnings and ends of sessions: to the realm's webhooks, and as
// lines of a log.
type Hooks struct {
	queue *Queue
	log   *slog.Logger
}

// NewHooks makes Hooks that send through queue, by post. log gets a line for each
// beginning and end; nil writes none.
func NewHooks(queue *Queue, post Post, log *slog.Logger) *Hooks {
	h := &Hooks{queue: queue, log: log}
	// 410 says that the receiver is gone for good.
	queue.Handle(KindWebhook, HTTP{Post: post, Make: h.call, Final: []int{410}})
	return h
}

// A message is the body of a webhook's call. Standard Webhooks; doc/webhooks.md.
type message struct {
	ID      string  `json:"id"`
	Type    string  `json:"type"`
	Time    string  `json:"time"`
	Realm   string  `json:"realm"`
	Session session `json:"session"`
}

type session struct {
	ID         iam.SessionID `json:"id"`
	Kind       string        `json:"kind"` // online or offline
	User       iam.UserID    `json:"userId"`
	Username   string        `json:"username,omitempty"`
	Address    string        `json:"ipAddress,omitempty"`
	Client     string        `json:"clientId,omitempty"` // for which it began
	How        iam.How       `json:"how,omitempty"`
	Flow       string        `json:"flow,omitempty"`
	Started    string        `json:"startedAt"`
	LastAccess string        `json:"lastAccessAt,omitempty"`
	Clients    []string      `json:"clientIds,omitempty"` // that had parts in it
	End        *end          `json:"end,omitempty"`
}

type end struct {
	Reason iam.Reason    `json:"reason"`
	Text   string        `json:"text"`
	By     iam.ActorKind `json:"by"`
	Actor  iam.UserID    `json:"actorId,omitempty"`
	Client string        `json:"clientId,omitempty"`
	Rule   string        `json:"rule,omitempty"`
}

// Began tells that a session has begun, if the transaction is committed. Where
// nobody wants to know it costs nothing. With Ended it is what sessions.Service
// calls in its transactions.
func (h *Hooks) Began(ctx context.Context, tx *store.Tx, r *realms.Realm, s *iam.UserSession, _ *iam.ClientSession) error {
	if h.log == nil && len(r.Webhooks) == 0 {
		return nil
	}
	if h.log != nil {
		tx.After(func() { h.log.InfoContext(ctx, "session began", logged(r, s)...) })
	}
	var list []*Delivery
	for _, w := range r.Webhooks {
		if w.Enabled && w.Began {
			list = append(list, newMessage(tx, r, w, EventBegan, s, told(r, s)))
		}
	}
	_, err := h.queue.Enqueue(ctx, tx, list)
	return err
}

// Ended tells that sessions of a realm have ended, if the transaction is
// committed. Where nobody wants to know it costs nothing.
func (h *Hooks) Ended(ctx context.Context, tx *store.Tx, r *realms.Realm, endings []*store.Ending) error {
	if h.log == nil && len(r.Webhooks) == 0 {
		return nil
	}
	if h.log != nil {
		tx.After(func() {
			for _, x := range endings {
				h.log.InfoContext(ctx, "session ended", append(logged(r, x.Session),
					telemetry.KeyReason, string(x.End.Reason), telemetry.KeyBy, string(x.End.By), telemetry.KeyRule, x.End.Rule)...)
			}
		})
	}
	var list []*Delivery
	for _, w := range r.Webhooks {
		if !w.Enabled || !w.Ended {
			continue
		}
		for _, x := range endings {
			s := told(r, x.Session)
			s.LastAccess = moment(x.Session.LastAccess)
			for _, p := range x.ClientSessions {
				s.Clients = append(s.Clients, nameOf(r, p.Client))
			}
			info, _ := x.End.Reason.Info()
			s.End = &end{Reason: x.End.Reason, Text: info.Text, By: x.End.By, Actor: x.End.Actor, Client: nameOf(r, x.End.Client), Rule: x.End.Rule}
			list = append(list, newMessage(tx, r, w, EventEnded, x.Session, s))
		}
	}
	_, err := h.queue.Enqueue(ctx, tx, list)
	return err
}

func newMessage(tx *store.Tx, r *realms.Realm, w *realms.Webhook, event string, s *iam.UserSession, what session) *Delivery {
	id := uuid.Must(uuid.NewV7()).String()
	body, _ := json.Marshal(message{ID: id, Type: event, Time: moment(tx.Now), Realm: r.Name, Session: what}) // texts always marshal
	return &Delivery{Realm: r.ID, ID: id, Kind: KindWebhook, Event: event, Hook: w.ID, Client: s.Origin.Client, User: s.User,
		Session: s.ID, Doc: body}
}

func told(r *realms.Realm, s *iam.UserSession) session {
	return session{ID: s.ID, Kind: kindOf(s), User: s.User, Username: s.Username, Address: r.KeptAddress(s.IP),
		Client: nameOf(r, s.Origin.Client),
		How:    s.Origin.How, Flow: s.Origin.Flow, Started: moment(s.Started)}
}

func kindOf(s *iam.UserSession) string {
	if s.Offline {
		return "offline"
	}
	return "online"
}

// nameOf is the client_id of a client, or its id where the snapshot lacks it.
func nameOf(r *realms.Realm, id iam.ClientID) string {
	if name := r.KnownClientName(id); name != "" {
		return name
	}
	return string(id)
}

// moment is how messages write times: RFC 3339, UTC, milliseconds.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

// logged is what a line of the log says of a session: ids and the address, no names of people.
func logged(r *realms.Realm, s *iam.UserSession) []any {
	return []any{telemetry.KeyRealm, r.Name, telemetry.KeySession, string(s.ID), telemetry.KeyKind, kindOf(s),
		telemetry.KeyUser, string(s.User),
		telemetry.KeyClient, nameOf(r, s.Origin.Client), telemetry.KeyAddr, r.KeptAddress(s.IP), telemetry.KeyHow, string(s.Origin.How)}
}

// call signs a message for one attempt. The body is as it was written; time and
// signature are the attempt's. https://www.standardwebhooks.com
func (h *Hooks) call(_ context.Context, r *realms.Realm, d *Delivery) (*Call, error) {
	w := r.Webhook(d.Hook)
	switch {
	case w == nil:
		return nil, Hopeless("the webhook is gone")
	case !w.Enabled:
		return nil, Hopeless("the webhook is disabled")
	}
	at := strconv.FormatInt(h.queue.db.Now().Unix(), 10)
	mac := hmac.New(sha256.New, w.Key)
	for _, part := range []string{d.ID, ".", at, ".", string(d.Doc)} {
		mac.Write([]byte(part))
	}
	return &Call{To: w.URL, Body: string(d.Doc), Header: map[string]string{
		"Content-Type": "application/json", "User-Agent": "Latchkey", "Webhook-Id": d.ID, "Webhook-Timestamp": at,
		"Webhook-Signature": "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)),
	}}, nil
}
