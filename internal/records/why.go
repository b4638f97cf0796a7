package records

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
	"latchkey/internal/tokens"
	"latchkey/internal/users"
)

// An Explainer answers people who wonder what became of a session. It only
// reads: what stands in records, what was refused, and how the user, the client
// and the realm stand now. It needs no stored events.
type Explainer struct {
	Records  *Counter // flushed before it is read
	Sessions *sessions.Service
	Users    *users.Service
	Issuer   *tokens.Issuer
}

// A Question is one of those that can be asked of a user.
type Question string

// The questions.
const (
	NoSession     Question = "no-session"
	AskedAgain    Question = "asked-again"
	RefreshFailed Question = "refresh-failed"
)

var questions = []Question{NoSession, AskedAgain, RefreshFailed}

// A WhyQuery narrows what is asked; its zero value asks everything as of now.
type WhyQuery struct {
	Client   string    // OAuth's client_id, "" for any
	At       time.Time // what was the matter then; zero for now
	Question Question  // "" for all
	// HideEvents and HideClients leave out what the asker may not see: stored
	// events, and the settings of clients.
	HideEvents, HideClients bool
}

// A Finding is one answer, out of the closed list of reasons.
type Finding struct {
	Question Question   `json:"question"`
	Reason   iam.Reason `json:"reason"`
	At       int64      `json:"at"`    // milliseconds since 1970
	Holds    bool       `json:"holds"` // it would happen again now
	Sentence string     `json:"sentence"`
	Evidence []Evidence `json:"evidence"`
	Remedy   string     `json:"remedy"`
}

// Evidence is what a finding rests on: a record, a refusal, an event, a setting.
type Evidence struct {
	Kind  string `json:"kind"`            // see the constants
	ID    string `json:"id,omitzero"`     // of a session or refusal, as the session explorer names it; of an event
	Name  string `json:"name,omitzero"`   // of a setting
	Value string `json:"value,omitzero"`  // of a setting
	Where string `json:"where,omitzero"`  // a setting is set
	Text  string `json:"text,omitzero"`   // in words
	At    int64  `json:"at,omitzero"`     // milliseconds since 1970
	Count int64  `json:"count,omitempty"` // how often, within the hour
}

// Kinds of Evidence. EvidenceHidden stands for what the asker may not see.
const (
	EvidenceSession = "session"
	EvidenceRefusal = "refusal"
	EvidenceEvent   = "event"
	EvidenceSetting = "setting"
	EvidenceState   = "state"
	EvidenceHidden  = "hidden"
)

// mostFindings bounds the answer to one question.
const mostFindings = 10

var errQuestion = &iam.Error{Kind: iam.Invalid, Msg: "question must be no-session, asked-again or refresh-failed"}

// Why explains a user's state: what holds now before what has passed, what is
// the user's own before what befell the client, and the latest first. Where
// nothing is wrong it finds nothing. A user who was removed is explained for as
// long as records are kept; users.ErrNotFound after that.
func (x *Explainer) Why(ctx context.Context, r *realms.Realm, user iam.UserID, q WhyQuery) ([]Finding, error) {
	if q.Question != "" && !slices.Contains(questions, q.Question) {
		return nil, errQuestion
	}
	x.Records.Flush(ctx)
	x.Sessions.Flush(ctx)
	f, err := x.gather(ctx, r, user, q)
	if err != nil {
		return nil, err
	}
	var causes []*cause
	for _, ask := range []struct {
		Question
		find func(*facts) ([]*cause, error)
	}{{NoSession, (*facts).noSession}, {AskedAgain, (*facts).askedAgain}, {RefreshFailed, (*facts).refreshFailed}} {
		if q.Question != "" && q.Question != ask.Question {
			continue
		}
		list, err := ask.find(f)
		if err != nil {
			return nil, err
		}
		list = ranked(list)
		for _, c := range list[:min(len(list), mostFindings)] {
			c.question = ask.Question
			causes = append(causes, c)
		}
	}
	slices.SortStableFunc(causes, byRank)
	out := make([]Finding, 0, len(causes))
	for _, c := range causes {
		found, err := f.finding(c)
		if err != nil {
			return nil, err
		}
		out = append(out, found)
	}
	return out, nil
}

// gather finds the user and reads the facts.
func (x *Explainer) gather(ctx context.Context, r *realms.Realm, id iam.UserID, q WhyQuery) (*facts, error) {
	f := &facts{x: x, ctx: ctx, r: r, q: q, id: id, now: x.Records.db.Now(), names: clientNames{}}
	if !q.At.IsZero() && q.At.Before(f.now) {
		f.now, f.past = q.At, true
	}
	u, err := x.Users.Get(ctx, r, id)
	if err != nil && !errors.Is(err, users.ErrNotFound) {
		return nil, err
	}
	f.user = u
	if err := f.findClient(); err != nil {
		return nil, err
	}
	if err := f.read(); err != nil {
		return nil, err
	}
	if f.user == nil && len(f.sessions)+len(f.parts) == 0 {
		return nil, users.ErrNotFound
	}
	return f, nil
}

// A rank says how well a cause explains the present: lower is better.
type rank int

const (
	blocks    rank = iota // whatever else may be: the realm, the user or the client is off
	holds                 // this session or token cannot work as things stand
	ended                 // it worked, and ended
	refused               // something of the user was refused since
	slip                  // something of the user went wrong that may go right next time
	elsewhere             // something of the client was refused, who knows to whom
)

// A cause is what may explain a state, before it is put in words.
type cause struct {
	question Question
	reason   iam.Reason
	rank     rank
	at       time.Time
	state    bool               // as things stand, whatever has happened
	prompt   bool               // it is why the login page was shown
	client   iam.ClientID       // that it is about
	session  *seenSession       // that ended, or that is not good for something
	part     *seenClientSession // of which the same is true
	end      *iam.End           // why it ended
	refusals []*seenRefusal     // that it explains
	scope    iam.Scopes         // of the part, for offline_access
	settings []Evidence         // that led to it
	detail   string             // goes on after the clause of the reason
}

// ranked sorts causes, and makes one of those that are the same.
func ranked(list []*cause) []*cause {
	slices.SortStableFunc(list, byRank)
	type key struct {
		reason  iam.Reason
		session string
	}
	var out []*cause
	at := map[key]*cause{}
	for _, c := range list {
		k := key{c.reason, ""}
		if c.session != nil {
			k.session = c.session.id()
		}
		if was := at[k]; was != nil {
			for _, o := range c.refusals {
				if !slices.Contains(was.refusals, o) {
					was.refusals = append(was.refusals, o)
				}
			}
			continue
		}
		at[k] = c
		out = append(out, c)
	}
	return out
}

func byRank(a, b *cause) int { return cmp.Or(cmp.Compare(a.rank, b.rank), b.at.Compare(a.at)) }
