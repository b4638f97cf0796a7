package watch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"latchkey/internal/doctor/remote"
	"latchkey/internal/iam"
	"latchkey/internal/records"
	"latchkey/internal/rep"
	"latchkey/internal/users"
)

// An Answer is what can be said of a user's sessions on another server.
type Answer struct {
	Findings   []records.Finding `json:"findings"`
	CannotTell []Undecided       `json:"cannotTell"`
}

// An Undecided question has no answer, for a reason that something can be done about.
type Undecided struct {
	Question records.Question `json:"question"`
	Because  string           `json:"because"`
	Remedy   string           `json:"remedy"`
}

// ErrNoUser says that there is no such user, nor a record of one.
var ErrNoUser = errors.New("there is no such user")

// Why answers why a user has no session, was asked to log in, or could not refresh.
func (w *Watch) Why(ctx context.Context, x *Subject, name string, q records.WhyQuery) (*Answer, error) {
	user, now, err := w.ReadUser(ctx, x, name, q.Client)
	if err != nil {
		return nil, err
	}
	found, err := w.Explainer.Why(ctx, x.Realm, user, q)
	if errors.Is(err, users.ErrNotFound) {
		return nil, ErrNoUser
	}
	if err != nil {
		return nil, err
	}
	a := &Answer{Findings: []records.Finding{}, CannotTell: []Undecided{}}
	for _, f := range found {
		if f.Reason == iam.Untold {
			a.undecided(x.untold(f))
			continue
		}
		if f.Reason == iam.WrongPassword && now.several() {
			a.undecided(Undecided{f.Question, "a login was refused " + clock(time.UnixMilli(f.At)) +
				" with invalid_user_credentials, and Keycloak does not say which of the user's credentials was wrong: " +
				strings.Join(now.Credentials, ", "), "Have the user try again, one credential after the other, or remove the one " +
				"that is in doubt (Users, Credentials)."})
			continue
		}
		a.Findings = append(a.Findings, f)
	}
	for _, question := range []records.Question{records.NoSession, records.AskedAgain, records.RefreshFailed} {
		if q.Question != "" && q.Question != question {
			continue
		}
		answered := func(f records.Finding) bool { return f.Question == question }
		if slices.ContainsFunc(a.Findings, answered) || q.Question == "" && now.well(q.Client) {
			continue
		}
		if u := x.blind(question); u != nil {
			a.undecided(*u)
		}
	}
	return a, nil
}

// undecided adds a question that has no answer, once for each reason.
func (a *Answer) undecided(u Undecided) {
	if !slices.ContainsFunc(a.CannotTell, func(have Undecided) bool { return have.Question == u.Question && have.Because == u.Because }) {
		a.CannotTell = append(a.CannotTell, u)
	}
}

// A seen user is one as the server has them now.
type seen struct{ *remote.Standing }

// well tells whether the user is signed on, at a client if one is named.
func (s seen) well(client string) bool {
	if s.Standing == nil {
		return false
	}
	for _, x := range s.Online {
		if client == "" {
			return true
		}
		for _, name := range x.Clients {
			if name == client {
				return true
			}
		}
	}
	return false
}

// several tells whether the user has more than a password.
func (s seen) several() bool { return s.Standing != nil && len(s.Credentials) > 1 }

// ReadUser reads all that the server tells of a user. An id of nobody is returned as it
// is: a removed user leaves records.
func (w *Watch) ReadUser(ctx context.Context, x *Subject, name, client string) (iam.UserID, seen, error) {
	u, err := x.server.User(ctx, x.Name, name)
	if err != nil {
		return "", seen{}, err
	}
	if u == nil {
		id := iam.UserID(name)
		if known, err := w.DB.UserByName(ctx, x.ID, name); err == nil {
			id = known.ID
		}
		if err := w.readEvents(ctx, x, &rep.User{ID: string(id)}, client); err != nil {
			return "", seen{}, err
		}
		return id, seen{}, w.removed(ctx, x, id)
	}
	if err := w.putUser(ctx, x, u, nil); err != nil {
		return "", seen{}, err
	}
	if err := w.readEvents(ctx, x, u, client); err != nil {
		return "", seen{}, err
	}
	now, err := x.server.Standing(ctx, x.Name, u.ID)
	if err != nil {
		return "", seen{}, err
	}
	if now.Partly != "" {
		x.gaps = append(x.gaps, now.Partly)
	}
	id := iam.UserID(u.ID)
	if err := w.putUser(ctx, x, u, now); err != nil {
		return "", seen{}, err
	}
	if err := w.putFailures(ctx, x, id, now.Failures); err != nil {
		return "", seen{}, err
	}
	return id, seen{now}, w.putSessions(ctx, x, id, u, now)
}

// Remedies of what cannot be told.
const (
	switchOn = "Switch on Realm settings, Events, User events settings: Save events; from then on it is known. latchkey watch " +
		"keeps what they tell."
	switchOnAdmin = "Switch on Realm settings, Events, Admin events settings: Save events."
	watchIt       = "Run latchkey watch --server with this address: it keeps for this realm what Keycloak forgets."
)

// kindsOf are the events that answer a question, and Keycloak's console's names for those that it does not store unless told to.
var kindsOf = map[records.Question][]string{
	records.NoSession:     {"LOGIN", "LOGIN_ERROR", "LOGOUT", "CODE_TO_TOKEN"},
	records.AskedAgain:    {"LOGIN", "LOGOUT", "CODE_TO_TOKEN"},
	records.RefreshFailed: {"REFRESH_TOKEN_ERROR", "LOGOUT", "REVOKE_GRANT"},
}

// unsaved are the kinds of events that Keycloak does not store where the realm names
// none (EventType.isSaveByDefault).
var unsaved = map[string]bool{"REFRESH_TOKEN": true, "REFRESH_TOKEN_ERROR": true, "INTROSPECT_TOKEN": true, "INTROSPECT_TOKEN_ERROR": true,
	"USER_INFO_REQUEST": true, "USER_INFO_REQUEST_ERROR": true}

// blind says why a question that has no finding cannot be answered, nil when the evidence
// is whole: then nothing is wrong.
func (x *Subject) blind(question records.Question) *Undecided {
	u := &Undecided{Question: question}
	kept := remote.Kept(x.rep, kindsOf[question]...)
	switch {
	case x.rights != "":
		u.Because, u.Remedy = x.rights, "Give the account that role, or name another account with --admin-user."
	case !rep.Val(x.rep.EventsEnabled):
		u.Because, u.Remedy = "events are off in realm "+x.Name, switchOn
	case kept != "":
		u.Because, u.Remedy = kept+" in realm "+x.Name, "Add them in Realm settings, Events, User events settings: Add saved types."
	case len(x.rep.EnabledEventTypes) == 0 && slices.ContainsFunc(kindsOf[question], func(k string) bool { return unsaved[k] }):
		u.Because, u.Remedy = "events of type REFRESH_TOKEN_ERROR are not stored in realm "+x.Name+" (Keycloak does not by default)",
			"Add REFRESH_TOKEN_ERROR in Realm settings, Events, User events settings: Add saved types."
	case !x.oldest.IsZero():
		u.Because, u.Remedy = "only the newest "+fmt.Sprint(eventsOfUser)+" events were read, back to "+clock(x.oldest),
			"Ask about a client with --client. "+watchIt
	case len(x.gaps) > 0:
		u.Because, u.Remedy = x.gaps[0], watchIt
	case question == records.AskedAgain:
		u.Because, u.Remedy = "Keycloak writes no event when it shows a login page: a browser that lost its cookie, or came to "+
			"another address, leaves no trace", "Look at the browser: another profile, a private window, another host name of the server."
	case rep.Val(x.rep.EventsExpiration) > 0:
		u.Because = fmt.Sprintf("the realm keeps its events for %s, and none of those that are left is about it",
			time.Duration(rep.Val(x.rep.EventsExpiration))*time.Second)
		u.Remedy = "Keep them longer (Realm settings, Events: Expiration). " + watchIt
	default:
		return nil
	}
	return u
}

// untold says why nobody knows how a session ended.
func (x *Subject) untold(f records.Finding) Undecided {
	u := Undecided{Question: f.Question}
	began := ""
	for _, e := range f.Evidence {
		if e.Kind == records.EvidenceSession {
			began = " that " + e.Text
		}
	}
	what := "the session" + began + " is gone, and "
	switch {
	case x.rights != "":
		u.Because, u.Remedy = what+x.rights, "Give the account that role, or name another account with --admin-user."
	case !rep.Val(x.rep.EventsEnabled):
		u.Because, u.Remedy = what+"events are off in realm "+x.Name, switchOn
	case remote.Kept(x.rep, "LOGOUT") != "":
		u.Because, u.Remedy = what+remote.Kept(x.rep, "LOGOUT")+" in realm "+x.Name,
			"Add them in Realm settings, Events, User events settings: Add saved types."
	case !rep.Val(x.rep.AdminEventsEnabled):
		u.Because, u.Remedy = what+"no event of a user tells why; admin events are off in realm "+x.Name+", so it may have been an "+
			"administrator", switchOnAdmin
	default:
		u.Because, u.Remedy = what+"neither events nor admin events tell why: a restart of a Keycloak that keeps sessions in "+
			"memory, or a limit of its caches, leaves none",
			"Let Keycloak keep sessions in its database (26: feature persistent-user-sessions). "+watchIt
	}
	return u
}

func clock(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 UTC") }
