package records

import (
	"slices"
	"time"

	"latchkey/internal/iam"
)

// askedAgain answers why the login page was shown, or would be.
func (f *facts) askedAgain() ([]*cause, error) {
	on, cuts := f.signedOn()
	var list []*cause
	if len(f.sessions) == 0 {
		return nil, nil
	}
	list = append(list, cuts...)
	lock, err := f.locked()
	if err != nil {
		return nil, err
	}
	if lock != nil {
		list = append(list, lock)
	}
	if !on {
		list = append(f.off(), list...)
		if s := f.newest(func(s *seenSession) bool { return !s.Offline }); s != nil {
			list = append(list, f.ending(s))
		}
	} else if s := f.endedInAnotherBrowser(); s != nil {
		list = append(list, f.ending(s))
	}
	for _, o := range slices.Concat(f.refusals, f.others) {
		if !o.Doc.Prompted || f.answered(o) {
			continue
		}
		if own, err := f.own(o); err != nil || !own { // nobody knows who came without a cookie from an address that others have, too
			if err != nil {
				return nil, err
			}
			continue
		}
		c := &cause{reason: o.reason, at: o.Last, rank: ended, client: o.Client, prompt: true, refusals: []*seenRefusal{o}}
		list = append(list, f.joined(c, o))
	}
	if c := f.lastPrompt(); c != nil {
		if !on {
			c.rank = slip // the next page will be shown for another reason
		}
		list = append(list, c)
	}
	return list, nil
}

// answered tells whether the browser that had to log in has done so since, as
// far as browsers are told apart: what another one does is no answer.
func (f *facts) answered(o *seenRefusal) bool {
	return slices.ContainsFunc(f.parts, func(p *seenClientSession) bool {
		if o.Client != "" && p.Client != o.Client || !p.session.sameBrowser(o) {
			return false
		}
		return p.Started.After(o.Last) || slices.ContainsFunc(iam.Issuances(p.Issued), func(i iam.Issuance) bool {
			return i.Grant == "ac" && i.At > o.Last.UnixMilli()
		})
	})
}

// endedInAnotherBrowser is the session in which the client that is asked about
// had its latest part, if no session of that browser lives: what is live in
// another signs nobody on.
func (f *facts) endedInAnotherBrowser() *seenSession {
	p := f.newestPart()
	if f.clientID == "" || p == nil || p.Offline || p.session == nil || p.session.live() {
		return nil
	}
	for _, s := range f.sessions {
		if !s.Offline && s.live() && s.browser() == p.session.browser() {
			return nil
		}
	}
	return p.session
}

// lastPrompt is why the login page was shown at the latest login in a browser.
func (f *facts) lastPrompt() *cause {
	var login *seenClientSession
	var at time.Time
	for _, p := range f.parts {
		if p.Offline || p.Origin.How != iam.HowBrowser && (f.clientID == "" || p.Origin.How != iam.HowSSO) {
			continue
		}
		when := p.Started
		if p.session != nil && askedInSession[p.Origin.Asked] {
			when = p.session.proved
		}
		if login == nil || when.After(at) || when.Equal(at) && p.LastAccess.After(login.LastAccess) {
			login, at = p, when
		}
	}
	if login == nil || login.Origin.How != iam.HowBrowser || login.Origin.Asked == "" {
		return nil
	}
	c := &cause{reason: login.Origin.Asked, rank: ended, at: at, prompt: true, client: login.Client, session: login.session, part: login}
	switch c.reason {
	case iam.SessionEnded, iam.CookieExpired:
		return f.promptOfEnded(c, login)
	case iam.NoCookie:
		return f.promptWithoutCookie(c, login)
	}
	c.settings = f.promptSettings(c)
	return c
}

// askedInSession are the prompts of people who are signed on: the session goes on.
var askedInSession = map[iam.Reason]bool{iam.AskedMaxAge: true, iam.AskedPrompt: true, iam.AskedACR: true}

// promptOfEnded joins a prompt to the session that the browser's cookie named.
func (f *facts) promptOfEnded(c *cause, login *seenClientSession) *cause {
	var named *seenSession
	for _, s := range f.sessions {
		if s.ID == login.Origin.Named && !s.Offline && s != login.session && (named == nil || s.Started.After(named.Started)) &&
			!s.Started.After(c.at) {
			named = s
		}
	}
	switch {
	case named == nil && c.reason == iam.SessionEnded && login.Origin.Named != "":
		return c // its record is gone, or it was another user's
	case named == nil || named.live():
		c.settings = f.promptSettings(c)
		return c
	}
	c.reason, c.session, c.end = named.end.Reason, named, &named.end
	c.part = nil
	for _, p := range f.parts {
		if p.session == named {
			c.part, c.scope = p, p.Origin.Scopes
		}
	}
	c.settings = f.endSettings(c)
	return c
}

// promptWithoutCookie explains a browser that came without a cookie: after the
// user's last session ended that is how it should be, and while one lives the
// same browser has lost it. A first login, or another browser's, needs no reason.
func (f *facts) promptWithoutCookie(c *cause, login *seenClientSession) *cause {
	if login.session == nil {
		return nil
	}
	if s := login.session; s.proved.After(s.Started) && !slices.ContainsFunc(f.parts,
		func(p *seenClientSession) bool { return p.session == s && askedInSession[p.Origin.Asked] }) {
		c.at = s.proved
		c.detail = ", while the session that began " + clock(s.Started) + " was live"
		return c
	}
	for _, s := range f.sessions { // the latest first
		if s.Offline || s.Origin.How == iam.HowDirect || s == login.session || !s.Started.Before(login.Started) ||
			s.browser() != login.session.browser() {
			continue
		}
		if s.live() || s.ended.After(login.Started) && s.end.Reason != iam.ReplacedByLogin {
			if f.r.KeptAddress(s.IP) != f.r.KeptAddress(login.session.IP) {
				continue
			}
			c.detail = ", while the session that began " + clock(s.Started) + " was live"
			return c
		}
		c.reason, c.session, c.end, c.part = s.end.Reason, s, &s.end, nil
		c.settings = f.endSettings(c)
		return c
	}
	return nil
}
