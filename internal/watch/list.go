package watch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"latchkey/internal/doctor/remote"
	"latchkey/internal/iam"
	"latchkey/internal/jose"
	"latchkey/internal/records"
	"latchkey/internal/tokens"
)

// How many sessions of each kind are read of a client that is named, and of each where none is.
const (
	ofClient     = 500
	ofEachClient = 100
)

// A List is a page of sessions, and what it does not show.
type List struct {
	records.Page
	Notes []string `json:"notes,omitzero"`
}

// List lists the sessions of a user, of a client, or of a realm's clients.
func (w *Watch) List(ctx context.Context, x *Subject, user, client string, q records.Query) (*List, error) {
	out := new(List)
	switch {
	case user != "":
		id, _, err := w.ReadUser(ctx, x, user, client)
		if err != nil {
			return nil, err
		}
		q.User = id
	default:
		notes, err := w.readClients(ctx, x, client)
		if err != nil {
			return nil, err
		}
		out.Notes = notes
	}
	if client != "" {
		id, err := w.asked(ctx, x, client)
		if err != nil {
			return nil, err
		}
		q.Client = id
	}
	page, err := w.Explorer.List(ctx, x.Realm, q)
	if err != nil {
		return nil, err
	}
	out.Page, out.Notes = *page, append(out.Notes, x.gaps...)
	return out, nil
}

// ErrNoClient says that there is no such client.
var ErrNoClient = errors.New("there is no such client")

// asked is the id of a client that is asked about, and has to be there.
func (w *Watch) asked(ctx context.Context, x *Subject, client string) (iam.ClientID, error) {
	id, err := w.clientNamed(ctx, x, client)
	if err == nil && id == "" {
		err = ErrNoClient
	}
	return id, err
}

// readClients reads the sessions of one client, or of those that have the most.
func (w *Watch) readClients(ctx context.Context, x *Subject, client string) (notes []string, err error) {
	holders, more, err := x.server.Holders(ctx, x.Name)
	if err != nil {
		return nil, err
	}
	if more && client == "" {
		notes = append(notes, fmt.Sprintf("Only the %d clients with the most sessions were asked; --client and --user ask about "+
			"others.", len(holders)))
	}
	most := ofEachClient
	if client != "" {
		id, err := w.asked(ctx, x, client)
		if err != nil {
			return nil, err
		}
		most = ofClient
		holders = slices.DeleteFunc(holders, func(h remote.Holder) bool { return h.ID != string(id) })
	}
	for _, h := range holders {
		for kind, n := range map[iam.SessionKind]int64{iam.Online: h.Online, iam.Offline: h.Offline} {
			if n == 0 {
				continue
			}
			list, more, err := x.server.ClientSessions(ctx, x.Name, h.ID, bool(kind), most)
			if err != nil {
				return nil, err
			}
			if more {
				name, err := x.ClientName(ctx, iam.ClientID(h.ID))
				if err != nil {
					return nil, err
				}
				notes = append(notes, fmt.Sprintf("Of %d sessions of client %s, %d were read.", n, name, len(list)))
			}
			if err := w.putListed(ctx, x, kind, list); err != nil {
				return nil, err
			}
		}
	}
	return notes, nil
}

// Story tells of one session: of a user that is named, or one that latchkey watch has kept.
func (w *Watch) Story(ctx context.Context, x *Subject, user, id string) (*records.Story, error) {
	if user != "" {
		if _, _, err := w.ReadUser(ctx, x, user, ""); err != nil {
			return nil, err
		}
	}
	return w.Explorer.Story(ctx, x.Realm, id, true)
}

// An Inspection is what a token is, as far as another server's keys and sessions tell.
type Inspection struct {
	records.Inspection
	Unverified string `json:"unverified,omitzero"` // why the signature was not checked, "" when it was
}

// ErrForeign is all that is said of what is no token of the realm.
var ErrForeign = errors.New("this is not a token of this realm, or the key that signed it is gone")

// Inspect tells of a token of the realm. Tokens that only the server itself can check -
// refresh tokens, whose key it tells nobody - are taken by their word, which is said.
func (w *Watch) Inspect(ctx context.Context, x *Subject, raw string) (*Inspection, error) {
	t, err := jose.Parse(strings.TrimSpace(raw))
	if err != nil {
		return nil, ErrForeign
	}
	listed, err := x.server.Keys(ctx, x.Name)
	if err != nil {
		return nil, err
	}
	key := &records.KeyInspected{Key: t.Header.KID, Alg: t.Header.Alg}
	for _, k := range listed.Keys {
		if k.Kid == t.Header.KID {
			key.Status = iam.KeyStatus(k.Status)
		}
	}
	if key.Status == "" {
		return nil, ErrForeign
	}
	out := new(Inspection)
	if strings.HasPrefix(t.Header.Alg, "HS") {
		out.Unverified = "Its signature was not checked: only the server has the key (" + t.Header.Alg +
			"). What is said here is what the token says of itself, and what the server says of its session."
	} else {
		data, err := x.server.Certificates(ctx, x.Name)
		if err != nil {
			return nil, err
		}
		set, err := jose.ParseSet(data)
		if err != nil {
			return nil, err
		}
		if !set.Has(t.Header.KID) {
			out.Unverified = "Its signature was not checked: the server publishes its key no more."
		} else if _, err := set.Verify(t); err != nil {
			return nil, ErrForeign
		}
	}
	claims := new(tokens.Token)
	if err := t.Claims(claims); err != nil {
		return nil, ErrForeign
	}
	claims.Payload = t.Payload
	if claims.Subject != "" {
		if _, _, err := w.ReadUser(ctx, x, claims.Subject, ""); err != nil {
			return nil, err
		}
	}
	if out.Unverified != "" && x.Refresh.Rotate {
		out.Unverified += " The realm rotates refresh tokens: whether this one was used already is not known."
	}
	issuer, err := x.server.Issuer(ctx, x.Name)
	if err != nil {
		return nil, err
	}
	in, err := w.Explorer.InspectRead(ctx, x.Realm, records.Seen{Issuer: issuer}, claims, key)
	if err != nil {
		return nil, err
	}
	out.Inspection = *in
	if out.Unverified != "" {
		out.Sentence = "By its own word: " + out.Sentence
	}
	return out, nil
}
