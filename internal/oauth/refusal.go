package oauth

import (
	"cmp"
	"strings"

	"latchkey/internal/iam"
)

// A Refusal is a no to a program that asks: the answer in OAuth's words (RFC 6749 5.2), and
// what the event tells of it. Refusals are lines of a table; nobody changes one.
type Refusal struct {
	Word        string     // the error of the event, "" where no event tells of it
	Reason      iam.Reason // that is recorded, "" where the word says it
	Setting     string     // what this setting would allow
	Status      int        // of HTTP, 400 when 0
	Code        string     // the word when ""
	Description string
	Detail      string // the name of the event's detail that says why: "reason" when ""
	Told        string // what it says: the description when "", Untold for none
	Open        bool   // scripts of every origin may read it
}

// Untold is for refusals whose event has its word alone.
const Untold = "-"

func (no *Refusal) Error() string { return no.Answer() + ": " + no.Description }

// Answer is the error of the answer.
func (no *Refusal) Answer() string { return cmp.Or(no.Code, no.Word) }

// With is the refusal with texts put into its description and what the event is told:
// pairs of a name, as "$scope", and its text.
func (no *Refusal) With(pairs ...string) *Refusal {
	out, r := *no, strings.NewReplacer(pairs...)
	out.Description, out.Told = r.Replace(no.Description), r.Replace(no.Told)
	return &out
}

// Record tells an event of the refusal.
func (no *Refusal) Record(e *iam.Event) {
	e.Error = no.Word
	if no.Reason != "" {
		e.Cause.Reason = no.Reason
	}
	if no.Setting != "" {
		e.Cause.Setting = no.Setting
	}
	if no.Told != Untold {
		e.Detail(cmp.Or(no.Detail, "reason"), cmp.Or(no.Told, no.Description))
	}
}

// InvalidClient is what a client is told of whom nothing more is to be said.
const InvalidClient = "Invalid client or Invalid client credentials"

// The refusals of what is switched off.
var (
	RealmOff  = &Refusal{Status: 403, Code: "access_denied", Description: "Realm not enabled", Open: true}
	ClientOff = &Refusal{Word: "client_disabled", Status: 401, Code: "invalid_client", Description: InvalidClient, Told: Untold, Open: true}
)
