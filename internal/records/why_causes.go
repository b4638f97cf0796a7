package records

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/store"
	"latchkey/internal/tokens"
)

// off are the switches that stop everything, as they stand now.
func (f *facts) off() (list []*cause) {
	add := func(reason iam.Reason, settings ...Evidence) {
		list = append(list, &cause{reason: reason, rank: blocks, at: f.now, state: true, settings: settings})
	}
	if f.past {
		return nil
	}
	if !f.r.Enabled {
		add(iam.RealmDisabled, f.realmSetting("enabled", "false"))
	}
	switch {
	case f.user == nil:
		c := &cause{reason: iam.UserRemoved, rank: blocks, at: f.now, state: true}
		if s := f.newest(func(s *seenSession) bool { return s.end.Reason == iam.UserRemoved }); s != nil {
			c.at, c.session, c.end, c.state = s.ended, s, &s.end, false
		}
		list = append(list, c)
	case !f.user.Enabled && f.r.Brute.Enabled && f.user.Attr("disabledReason") == "permanentLockout":
		add(iam.BruteForceLock, f.userState("enabled", "false"), f.realmSetting("permanentLockout", "true"))
	case !f.user.Enabled:
		add(iam.UserDisabled, f.userState("enabled", "false"))
	}
	switch {
	case f.unknown:
		add(iam.UnknownClient, Evidence{Kind: EvidenceState, Name: "client_id", Value: f.q.Client, Where: whereRealm,
			Text: "there is none, nor was there one that the user's records know"})
	case f.clientID != "" && f.client == nil:
		add(iam.ClientRemoved, Evidence{Kind: EvidenceState, Name: "client_id", Value: f.q.Client, Where: whereRealm, Text: "it was removed"})
	case f.client != nil && !f.client.Enabled:
		add(iam.ClientDisabled, f.clientSetting("enabled", "false"))
	}
	for _, c := range list {
		c.client = f.clientID
		f.attach(c)
	}
	return list
}

// attach takes the refusals that a cause explains. Without a record of its own,
// it happened when somebody last noticed.
func (f *facts) attach(c *cause) {
	for _, o := range slices.Concat(f.refusals, f.others) {
		if o.reason != c.reason {
			continue
		}
		c.refusals = append(c.refusals, o)
		if c.state && len(c.refusals) == 1 {
			c.at = o.Last
		}
	}
}

// locked is brute force protection's lock, as it stands now.
func (f *facts) locked() (*cause, error) {
	if f.past || f.user == nil || !f.user.Enabled {
		return nil, nil
	}
	word, err := f.x.Users.Locked(f.ctx, f.r, f.user)
	if word == "" || err != nil {
		return nil, err
	}
	c := &cause{reason: iam.BruteForceLock, rank: blocks, at: f.now, state: true, client: f.clientID, settings: []Evidence{
		f.realmSetting("failureFactor", number(f.r.Brute.FailureFactor)), f.realmSetting("waitIncrementSeconds", secs(f.r.Brute.WaitIncrement))}}
	failures, err := f.x.Users.Failures(f.ctx, f.r, f.user.ID)
	if err == nil && failures != nil {
		c.detail = ", until " + clock(failures.NotBefore) + ", after " + number(failures.Failures) + " failed logins"
	}
	for _, o := range f.locks {
		if !slices.ContainsFunc(f.joins, func(p *seenClientSession) bool { return p.Client == o.Client && p.Started.After(o.Last) }) {
			c.refusals = append(c.refusals, o)
		}
	}
	if len(c.refusals) > 0 {
		c.at = c.refusals[0].Last
	}
	if on, _ := f.signedOn(); on && len(c.refusals) == 0 { // who is signed on, and was let in where somebody guessed, is not locked out there
		return nil, nil
	}
	return c, err
}

// newest returns the session that ended last of those that have a property.
func (f *facts) newest(is func(*seenSession) bool) (last *seenSession) {
	for _, s := range f.sessions {
		if !s.live() && is(s) && (last == nil || s.ended.After(last.ended)) {
			last = s
		}
	}
	return last
}

// ending is the end of a session as a cause.
func (f *facts) ending(s *seenSession) *cause {
	c := &cause{reason: s.end.Reason, rank: ended, at: s.ended, session: s, end: &s.end, client: cmp.Or(s.end.Client, s.Origin.Client)}
	for _, p := range f.parts {
		if p.session == s && p.Client == c.client {
			c.part, c.scope = p, p.Origin.Scopes
		}
	}
	c.settings = f.endSettings(c)
	return c
}

// endingPart is the end of a client's part as a cause.
func (f *facts) endingPart(p *seenClientSession) *cause {
	c := &cause{reason: p.end.Reason, rank: ended, at: p.ended, session: p.session, part: p, end: &p.end, client: p.Client,
		scope: p.Origin.Scopes}
	c.settings = f.endSettings(c)
	return c
}

// stale is the not-before that refuses what was proved at a time, "" for none:
// cookies and tokens count in seconds.
func (f *facts) stale(at time.Time, client *iam.Client) (iam.Reason, time.Time) {
	at = at.Truncate(time.Second)
	switch {
	case f.past:
	case at.Before(f.r.NotBefore):
		return iam.NotBeforeRealm, f.r.NotBefore
	case client != nil && at.Before(client.NotBefore):
		return iam.NotBeforeClient, client.NotBefore
	case f.user != nil && at.Before(f.user.NotBefore):
		return iam.NotBeforeUser, f.user.NotBefore
	}
	return "", time.Time{}
}

// cut is a session or part whose cookie or tokens a not-before refuses.
func (f *facts) cut(s *seenSession, p *seenClientSession, reason iam.Reason, at time.Time) *cause {
	c := &cause{reason: reason, rank: holds, at: at, state: true, session: s, part: p, client: f.clientID}
	if p != nil {
		c.client = p.Client
	}
	c.detail = ": " + clock(at)
	switch reason {
	case iam.NotBeforeRealm:
		c.settings = []Evidence{f.realmSetting("notBefore", clock(at))}
	case iam.NotBeforeClient:
		c.settings = []Evidence{f.settingOf(c.client, "notBefore", clock(at))}
	case iam.NotBeforeUser:
		c.settings = []Evidence{f.userState("notBefore", clock(at))}
	}
	f.attach(c)
	c.at = at
	return c
}

// signedOn tells whether a live online session would sign a browser on, or else
// which not-before is in the way.
func (f *facts) signedOn() (on bool, cuts []*cause) {
	for _, s := range f.sessions {
		if s.Offline || !s.live() {
			continue
		}
		reason, at := f.stale(s.proved, nil)
		if reason == "" {
			return true, nil
		}
		cuts = append(cuts, f.cut(s, nil, reason, at))
	}
	return false, cuts
}

// noSession answers why there is no session: for a client, why it has no part
// in one.
func (f *facts) noSession() ([]*cause, error) {
	list := f.off()
	on, cuts := f.signedOn()
	lock, err := f.locked()
	if err != nil {
		return nil, err
	}
	if lock != nil { // a session that lives in one browser lets no other in
		list = append(list, lock)
	}
	if f.there(on) && len(cuts) == 0 {
		list = append(list, f.stillToDo()...)
		since, err := f.refusedSince(time.Time{}, "CODE_TO_TOKEN")
		return append(list, since...), err
	}
	list = append(list, cuts...)
	ends := f.ends(on)
	var last time.Time
	for _, c := range ends {
		if c.at.After(last) {
			last = c.at
		}
	}
	list = append(list, ends...)
	since, err := f.refusedSince(last, slices.Concat(ofLogins, []iam.EventKind{"CODE_TO_TOKEN", "OAUTH2_DEVICE_CODE_TO_TOKEN"})...)
	if err != nil {
		return nil, err
	}
	list = append(list, since...)
	if len(list) == 0 && f.user != nil && len(f.user.Required) > 0 && !f.past {
		list = append(list, f.todo(&cause{reason: iam.ActionRequired, rank: holds, at: f.now, state: true, client: f.clientID}))
	}
	return list, nil
}

// there tells whether there is a session, or the client's part in one. An
// offline one alone is as good as nobody ever had another.
func (f *facts) there(on bool) bool {
	if f.clientID == "" {
		return on || f.newest(func(s *seenSession) bool { return !s.Offline }) == nil && slices.ContainsFunc(f.sessions, (*seenSession).live)
	}
	is := func(p *seenClientSession, live, offline bool) bool { return p.live() == live && p.Offline == offline }
	if on && slices.ContainsFunc(f.parts, func(p *seenClientSession) bool { return is(p, true, false) }) {
		return true
	}
	return slices.ContainsFunc(f.parts, func(p *seenClientSession) bool { return is(p, true, true) }) &&
		!slices.ContainsFunc(f.parts, func(p *seenClientSession) bool { return is(p, false, false) })
}

// stillToDo are refusals for required actions that the user has still to do:
// a session that began before them goes on, and a new one does not begin.
func (f *facts) stillToDo() (list []*cause) {
	if f.past || f.user == nil || len(f.user.Required) == 0 {
		return nil
	}
	for _, o := range f.refusals {
		if o.reason == iam.ActionRequired && !f.answered(o) {
			list = append(list, f.todo(&cause{reason: o.reason, rank: holds, at: o.Last, client: o.Client, refusals: []*seenRefusal{o}}))
		}
	}
	return list
}

// todo tells which required actions there are.
func (f *facts) todo(c *cause) *cause {
	c.settings = append(c.settings, f.userState("requiredActions", strings.Join(f.user.Required, ", ")))
	return c
}

// ends are the latest ends that leave the user, or the client, without a session.
func (f *facts) ends(on bool) (list []*cause) {
	if f.clientID == "" || len(f.parts) == 0 && !on {
		for _, offline := range []bool{false, true} {
			if s := f.newest(func(s *seenSession) bool { return s.Offline == offline }); s != nil {
				list = append(list, f.ending(s))
			}
		}
		return list
	}
	p := f.newestPart()
	if p == nil {
		return nil
	}
	list = append(list, f.endingPart(p))
	// The client's part ended, and then the session that could have brought it back.
	if s := p.session; s != nil && !s.live() && s.ended.After(p.ended) {
		list = append(list, f.ending(s))
	}
	return list
}

// newestPart is the part that ended last.
func (f *facts) newestPart() (last *seenClientSession) {
	for _, p := range f.parts {
		if !p.live() && (last == nil || p.ended.After(last.ended)) {
			last = p
		}
	}
	return last
}

// ofLogins are the events of logins that come to nothing: at the page, at or after an identity provider, and while they
// wait for a mail or its link.
var ofLogins = []iam.EventKind{
	"LOGIN", "PUSHED_AUTHORIZATION_REQUEST", "OAUTH2_DEVICE_AUTH",
	"IDENTITY_PROVIDER_LOGIN", "IDENTITY_PROVIDER_FIRST_LOGIN", "IDENTITY_PROVIDER_POST_LOGIN",
	"SEND_VERIFY_EMAIL", "VERIFY_EMAIL", "EXECUTE_ACTIONS", "EXECUTE_ACTION_TOKEN", "RESET_PASSWORD",
}

// refusedSince are refusals of some events that nothing has overtaken: neither
// a later success nor a change of what they were refused for.
func (f *facts) refusedSince(end time.Time, kinds ...iam.EventKind) (list []*cause, err error) {
	for _, o := range slices.Concat(f.refusals, f.others) {
		if !slices.Contains(kinds, o.kind) || f.overtaken(o) || o.Doc.Prompted {
			continue
		}
		c := &cause{reason: o.reason, at: o.Last, client: o.Client, refusals: []*seenRefusal{o}, rank: refused}
		own, err := f.own(o)
		if err != nil {
			return nil, err
		}
		switch {
		case f.mended(o, c):
			continue
		case slips[o.reason] && own:
			c.rank = slip
		case !own:
			c.rank = elsewhere
		case !o.Last.Before(end): // in the same millisecond, after it
			c.rank = holds // what would be refused again outweighs an end before it
		}
		list = append(list, f.joined(c, o))
	}
	return list, nil
}

// own tells whether a refusal was the user's: it says so, or it came from an
// address that is the user's alone.
func (f *facts) own(o *seenRefusal) (bool, error) {
	if o.User != "" || !f.ips[o.IP] {
		return o.User != "", nil
	}
	if alone, ok := f.alone[o.IP]; ok {
		return alone, nil
	}
	if strings.Contains(o.IP, "/") { // the realm keeps networks alone
		return false, nil
	}
	list, err := f.x.Records.db.Records(f.ctx, f.r.ID, &store.RecordFilter{IP: o.IP, KeptIP: o.IP, Max: mostNeighbours,
		Sources: []store.RecordSource{{Table: store.LiveRecords}, {Table: store.EndedRecords}}})
	f.alone[o.IP] = !slices.ContainsFunc(list, func(rec *store.Record) bool { return rec.User != f.id })
	return f.alone[o.IP], err
}

// mostNeighbours is how many sessions from one address are looked at for others'.
const mostNeighbours = 20

// overtaken tells whether what was refused has gone well since.
func (f *facts) overtaken(o *seenRefusal) bool {
	since := func(at time.Time) bool { return at.After(o.Last) }
	if slices.Contains(ofLogins, o.kind) {
		if slips[o.reason] && slices.ContainsFunc(f.sessions, func(s *seenSession) bool { return since(s.Started) || since(s.proved) }) {
			return true
		}
		return slices.ContainsFunc(f.parts, func(p *seenClientSession) bool {
			return (o.Client == "" || p.Client == o.Client) && (since(p.Started) || since(p.issued()) || p.live() && since(p.LastAccess))
		})
	}
	return slices.ContainsFunc(f.parts, func(p *seenClientSession) bool {
		switch {
		case o.Client != "" && p.Client != o.Client:
			return false
		case o.kind == "REFRESH_TOKEN" && o.Doc.Session != "" && p.Session != o.Doc.Session:
			return since(p.Started)
		}
		return since(p.issued())
	})
}

// joined finds what a refusal is about: that a session had ended is no cause,
// its own end is.
func (f *facts) joined(c *cause, o *seenRefusal) *cause {
	p, s := f.partOf(o), f.sessionOf(o)
	switch {
	case o.reason == iam.SessionEnded && s != nil && !s.live():
		s.copyEnd(c)
	case o.reason == iam.SessionEnded && p != nil && !p.live(), o.reason == iam.ClientSessionEnded && p != nil && !p.live():
		p.copyEnd(c)
	case o.reason == iam.ClientSessionEnded && s != nil && !s.live():
		s.copyEnd(c)
	case o.reason == iam.TokenExpired && p != nil && !p.live() && (p.end.Reason == iam.Idle || p.end.Reason == iam.MaxAge):
		p.copyEnd(c)
	case p != nil && !p.live() && p.end.Reason == o.reason:
		p.copyEnd(c)
	default:
		c.session, c.part = s, p
		return c
	}
	c.rank = max(c.rank, ended)
	c.settings = f.endSettings(c)
	return c
}

func (s *seenSession) copyEnd(c *cause) {
	c.reason, c.at, c.session, c.end = s.end.Reason, s.ended, s, &s.end
}

func (p *seenClientSession) copyEnd(c *cause) {
	c.reason, c.at, c.session, c.part, c.end, c.scope = p.end.Reason, p.ended, p.session, p, &p.end, p.Origin.Scopes
}

// sessionOf is the session that a refusal named, the latest of its kind then.
func (f *facts) sessionOf(o *seenRefusal) (found *seenSession) {
	offline := o.Doc.Offline
	for _, s := range f.sessions {
		if s.ID != o.Doc.Session || s.Started.After(o.Last) || s.Offline != offline && (offline || s.live()) {
			continue
		}
		if found == nil || s.ended.After(found.ended) {
			found = s
		}
	}
	return found
}

// partOf is the client's part that a refusal was about, the one that ended last.
func (f *facts) partOf(o *seenRefusal) (found *seenClientSession) {
	for _, p := range f.parts {
		if p.Session == o.Doc.Session && p.Client == o.Client && !p.Started.After(o.Last) && (found == nil || p.ended.After(found.ended)) {
			found = p
		}
	}
	return found
}

// refreshFailed answers why a refresh token does not work.
func (f *facts) refreshFailed() ([]*cause, error) {
	var list []*cause
	since, err := f.refusedSince(time.Time{}, "REFRESH_TOKEN")
	if err != nil {
		return nil, err
	}
	if len(f.parts) > 0 || len(since) > 0 {
		list = f.off()
	}
	working := false
	for _, p := range f.parts {
		if !p.live() {
			continue
		}
		c, err := f.broken(p)
		if err != nil {
			return nil, err
		}
		if c == nil {
			working = true
			continue
		}
		list = append(list, c)
	}
	if !working {
		if p := f.newestPart(); p != nil {
			list = append(list, f.endingPart(p))
		}
	}
	for _, c := range since {
		if c.rank == holds { // of a token that may be one of several
			c.rank = refused
			if working {
				c.rank = ended
			}
		}
	}
	return append(list, since...), nil
}

// broken tells why a live part's refresh token would be refused, nil when it
// would not.
func (f *facts) broken(p *seenClientSession) (*cause, error) {
	client, err := f.clientOf(p.Client)
	if client == nil || err != nil || f.past || f.user == nil {
		return nil, err
	}
	at := p.issued()
	if at.IsZero() {
		at = p.LastAccess
	}
	if reason, before := f.stale(at, &client.Client); reason != "" {
		return f.cut(p.session, p, reason, before), nil
	}
	c := &cause{rank: holds, at: f.now, state: true, session: p.session, part: p, client: p.Client, scope: p.Origin.Scopes}
	if !client.Enabled {
		c.reason, c.rank, c.settings = iam.ClientDisabled, blocks, []Evidence{f.settingOf(p.Client, "enabled", "false")}
		f.attach(c)
		return c, nil
	}
	if p.Offline {
		granted, err := f.x.Issuer.OfflineGranted(f.ctx, f.r, &iam.Grant{Client: &client.Client, User: f.user,
			Scopes: tokens.Requested(f.r, &client.Client, tokens.ScopeOffline)})
		if err != nil {
			return nil, err
		}
		if !granted {
			c.reason, c.settings = iam.OfflineNotGranted, f.offlineSettings(client)
			f.attach(c)
			return c, nil
		}
	}
	missing, err := f.missingConsent(p, &client.Client)
	if err != nil || len(missing) == 0 {
		return nil, err
	}
	c.reason, c.settings = iam.ConsentMissing, []Evidence{f.settingOf(p.Client, "consentRequired", "true")}
	c.detail = ": " + strings.Join(missing, ", ")
	f.attach(c)
	return c, nil
}

// missingConsent lists the scopes of a part that need the user's consent and do
// not have it.
func (f *facts) missingConsent(p *seenClientSession, c *iam.Client) (missing []string, err error) {
	if !c.ConsentRequired {
		return nil, nil
	}
	consent, err := f.x.Users.Consent(f.ctx, f.r, f.id, c.ID)
	if err != nil {
		return nil, err
	}
	for _, s := range tokens.Requested(f.r, c, p.Origin.Scope) {
		if s.ShowOnConsent && (consent == nil || !slices.Contains(consent.Scopes, s.ID)) {
			missing = append(missing, s.Name)
		}
	}
	return missing, nil
}
