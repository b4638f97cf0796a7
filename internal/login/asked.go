package login

import (
	"latchkey/internal/authn/tabs"
	"latchkey/internal/iam"
)

// noteAsked remembers, when a login begins, why the browser is not signed on,
// for the record of the session that comes of it: nothing is written until then.
func (a *attempt) noteAsked() {
	var named iam.SessionID
	if a.claimed != nil {
		named = a.claimed.Session
	}
	if a.identity == nil {
		a.keepAsked(a.why, named)
	}
}

func (a *attempt) keepAsked(why iam.Reason, named iam.SessionID) {
	for name, value := range map[string]string{tabs.NoteAsked: string(why), tabs.NoteNamed: string(named)} {
		if value == "" {
			continue
		}
		if a.tab.Notes == nil {
			a.tab.Notes = map[string]string{}
		}
		a.tab.Notes[name] = value
	}
}

// origin is how the session, or the client's part in it, begins with this login.
func (a *attempt) origin(sso bool) iam.Origin {
	if sso {
		return iam.Origin{How: iam.HowSSO}
	}
	o := iam.Origin{How: iam.HowBrowser, Flow: a.realm.Flows.Browser, Asked: iam.Reason(a.tab.Notes[tabs.NoteAsked]),
		Named: iam.SessionID(a.tab.Notes[tabs.NoteNamed])}
	if flow := a.flow(a.tab.Flow); flow != nil {
		o.Flow = flow.Alias
	}
	if said := a.tab.Brokered; said != nil {
		o.Provider, o.Mapped = said.Provider, said.Mapped
	}
	return o
}

// askedAgain tells of a login page that a browser is shown although it is
// signed on: who does not fill it in leaves no other trace. There is no event of it.
func (a *attempt) askedAgain() {
	if a.starting && a.identity != nil && a.tab.Notes[tabs.NoteAsked] != "" {
		a.notSignedOn()
	}
}

// notSignedOn tells of a request that finds no session that is enough:
// there is no event of it, as in the reference.
func (a *attempt) notSignedOn() {
	e := &iam.Event{Kind: "LOGIN_ERROR", Client: a.client.ClientID, IP: a.addr(), Error: "login_required",
		Cause: iam.Cause{Reason: iam.Reason(a.tab.Notes[tabs.NoteAsked]), Agent: a.r.UserAgent(), Refusal: iam.Refusal{Prompted: true}}}
	switch {
	case a.identity != nil:
		e.User, e.Session = a.identity.User.ID, a.identity.Session.ID
	case a.claimed != nil:
		e.User, e.Session = a.claimed.Subject, a.claimed.Session
	}
	a.h.Events.Refuse(a.ctx, a.realm, e)
}
