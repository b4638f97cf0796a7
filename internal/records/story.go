package records

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/internal/events"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/store"
	"latchkey/internal/tokens"
)

// A Story is all that is known of one session.
type Story struct {
	*Entry
	Sentence  string     `json:"sentence"`
	Timeline  []Step     `json:"timeline"` // the earliest first
	Relations []Relation `json:"relations"`
	// Events says whether the realm stores user events: where it does not, the
	// timeline is made of records alone.
	Events string `json:"events"`
}

// A Step is one line of a timeline.
type Step struct {
	At   int64  `json:"at"`   // milliseconds since 1970
	What string `json:"what"` // "began", "client", "tokens", "refused", "event", "client ended", "ended"
	Text string `json:"text"`
	ID   string `json:"id,omitzero"` // of the event, refusal or token
}

// A Relation is another session that has to do with this one.
type Relation struct {
	ID    string `json:"id"`
	Kind  string `json:"kind"`
	State string `json:"state"`
	Text  string `json:"text"`
}

// maxRelated bounds what a story lists of refusals and events.
const maxRelated = 200

// Story tells of one session, or of what is counted by the hour. name is an
// Entry's ID, or a session id: then the live session, else the latest. seeEvents
// tells whether the caller may see the realm's events.
func (x *Explorer) Story(ctx context.Context, r *realms.Realm, name string, seeEvents bool) (*Story, error) {
	list, err := x.find(ctx, r, name)
	if err != nil {
		return nil, err
	}
	entries, err := x.entries(ctx, r, list)
	if err != nil {
		return nil, err
	}
	s := &Story{Entry: entries[0], Timeline: []Step{}, Relations: []Relation{}}
	if list[0].Occurrence != nil {
		s.counted(list[0].Occurrence)
		return s, nil
	}
	t := &describer{ctx: ctx, x: x, r: r, names: map[iam.UserID]string{}, clients: clientNames{}}
	if t.names, err = x.DB.Usernames(ctx, r.ID, []iam.UserID{list[0].User, list[0].Origin.By, list[0].End.Actor}); err != nil {
		return nil, err
	}
	sid := iam.SessionID(list[0].ID)
	for _, kind := range iam.SessionKinds() {
		parts, err := x.Sessions.ClientSessions(ctx, r, iam.SessionRef{ID: sid, Kind: kind}.Only())
		if err != nil {
			return nil, err
		}
		t.live = append(t.live, parts...)
	}
	if t.ended, err = x.DB.EndedClientSessions(ctx, r.ID, sid); err != nil {
		return nil, err
	}
	if err := t.nameClients(list); err != nil {
		return nil, err
	}
	s.relate(list, entries)
	if err := x.follow(ctx, r, s, list[0]); err != nil {
		return nil, err
	}
	s.Sentence = t.sentence(list[0], s)
	t.timeline(s, list[0])
	if err := x.refusals(ctx, r, s, list[0]); err != nil {
		return nil, err
	}
	if err := x.events(ctx, r, s, list[0], seeEvents); err != nil {
		return nil, err
	}
	slices.SortStableFunc(s.Timeline, func(a, b Step) int { return cmp.Compare(a.At, b.At) })
	return s, nil
}

func (s *Story) counted(o *store.Occurrence) {
	s.Sentence = s.Text
	if o.Kind == store.TransientToken {
		s.Sentence = "A token without a session" + times(o.Count) +
			". It is good until it expires; there is nothing to refresh and nothing to log out of."
	}
	s.Timeline = append(s.Timeline, Step{At: ms(o.First), What: "first", Text: "The first within the hour."})
	if o.Count > 1 {
		s.Timeline = append(s.Timeline, Step{At: ms(o.Last), What: "last", Text: "The last of " + strconv.FormatInt(o.Count, 10) + ".",
			ID: o.Doc.Token})
	}
}

// relate adds the other sessions that had the same id.
func (s *Story) relate(list []*store.Record, entries []*Entry) {
	for i := 1; i < len(list); i++ {
		e := entries[i]
		text := "An earlier session with the same id."
		switch {
		case list[i].Source.Offline && !list[0].Source.Offline:
			text = "The offline session that came out of this one."
		case !list[i].Source.Offline && list[0].Source.Offline:
			text = "The online session that this one came out of."
		}
		s.Relations = append(s.Relations, Relation{ID: e.ID, Kind: e.Kind, State: e.State, Text: text})
	}
	if b := s.Began; list[0].Source.Offline && list[0].Origin.Online {
		for _, rel := range s.Relations {
			if rel.Kind == KindOnline {
				b.OutOf = rel.ID
			}
		}
	}
}

// follow adds the sessions of the user whose browser still named this one when
// they began, and the one that this one's browser named.
func (x *Explorer) follow(ctx context.Context, r *realms.Realm, s *Story, rec *store.Record) error {
	if rec.Origin.Named != "" && string(rec.Origin.Named) != rec.ID {
		before, err := x.DB.RecordsOfSession(ctx, r.ID, rec.Origin.Named)
		if err != nil {
			return err
		}
		if err := x.addRelations(ctx, r, s, before[:min(1, len(before))],
			"The session that the browser's cookie named when this one began."); err != nil {
			return err
		}
	}
	if rec.User == "" {
		return nil // everybody's would be found
	}
	f := &store.RecordFilter{User: rec.User, From: rec.Started, Max: maxRelated}
	for _, table := range []store.RecordTable{store.LiveRecords, store.EndedRecords} {
		f.Sources = append(f.Sources, store.RecordSource{Table: table})
	}
	later, err := x.DB.Records(ctx, r.ID, f)
	if err != nil {
		return err
	}
	later = slices.DeleteFunc(later, func(o *store.Record) bool { return string(o.Origin.Named) != rec.ID || o.ID == rec.ID })
	return x.addRelations(ctx, r, s, later, "A session that began in the same browser when this one was no longer good for it.")
}

func (x *Explorer) addRelations(ctx context.Context, r *realms.Realm, s *Story, list []*store.Record, text string) error {
	entries, err := x.entries(ctx, r, list)
	for _, e := range entries {
		s.Relations = append(s.Relations, Relation{ID: e.ID, Kind: e.Kind, State: e.State, Text: text})
	}
	return err
}

// sentence says in plain words what the session is, or why it ended.
func (t *describer) sentence(rec *store.Record, s *Story) string {
	var b strings.Builder
	if s.State == StateLive {
		b.WriteString("Live. ")
	}
	b.WriteString("Began " + clock(rec.Started) + " " + t.by(rec) + ".")
	if s.Began.Why != "" {
		b.WriteString(" " + s.Began.Why)
	}
	if s.State == StateLive {
		b.WriteString(" " + t.goodFor(s))
		return b.String()
	}
	b.WriteString(" " + t.endSentence(rec, s))
	return b.String()
}

func (t *describer) by(rec *store.Record) string {
	o := rec.Origin
	client := ""
	if o.Client != "" {
		client = " for client " + t.client(o.Client)
	}
	switch o.How {
	case iam.HowBrowser:
		return "by a login in a browser (flow " + o.Flow + ")" + client + brokerWords(rec)
	case iam.HowDirect:
		return "by a direct grant: client " + t.client(o.Client) + " sent the user's password (flow " + o.Flow + ")"
	case iam.HowService:
		return "by client credentials: client " + t.client(o.Client) + " logged itself in"
	case iam.HowOffline:
		return "when client " + t.client(o.Client) + " was given an offline token" + t.offlineWhy(rec)
	case iam.HowImpersonate:
		return "by impersonation: administrator " + t.user(o.By) + " acts as the user"
	case iam.HowMigrated:
		return "in " + o.From + ", out of whose database it was copied; how it began there, and by which flow, is not known"
	}
	return "before beginnings were recorded"
}

// brokerWords tell through which identity provider somebody came, as whom, and what its mappers gave. The name there goes with the session.
func brokerWords(rec *store.Record) string {
	o := rec.Origin
	if o.Provider == "" {
		return ""
	}
	text := ", through identity provider " + o.Provider
	if name := rec.Notes["identity_provider_identity"]; name != "" {
		text += " as " + name + " there"
	}
	for _, m := range o.Mapped {
		what := "role " + m.Role
		if m.Group != "" {
			what = "group " + m.Group
		}
		text += ", with " + what + " by mapper " + m.Mapper
	}
	return text
}

// offlineWhy says why there was an offline token at all.
func (t *describer) offlineWhy(rec *store.Record) string {
	for _, p := range t.liveOf(iam.SessionID(rec.ID), true) {
		if p.Client == rec.Origin.Client {
			return t.scopeWhy(p.Origin.Scopes, p.Client)
		}
	}
	for _, p := range t.ended {
		if p.Offline && p.Client == rec.Origin.Client {
			return t.scopeWhy(p.Origin.Scopes, p.Client)
		}
	}
	return ""
}

func (t *describer) scopeWhy(scopes iam.Scopes, client iam.ClientID) string {
	switch why, _ := scopes.Why(tokens.ScopeOffline); why {
	case iam.ScopeRequested:
		return ", because it asked for offline_access"
	case iam.ScopeDefault:
		return ", because offline_access is a default scope of client " + t.client(client)
	case iam.ScopeInherited:
		return ", because offline_access is a default scope of client " + t.client(client) +
			" (inherited from the realm when the client was made)"
	}
	return ""
}

func (t *describer) goodFor(s *Story) string {
	what := "It is good for single sign-on and for refreshing tokens"
	if s.Kind == KindOffline {
		what = "It is good for refreshing tokens, not for single sign-on"
	}
	until := ", until it is not used by " + clock(time.UnixMilli(s.GoodFor.UntilIdle))
	if s.GoodFor.UntilMax != 0 {
		until += ", and until " + clock(time.UnixMilli(s.GoodFor.UntilMax)) + " at most."
	} else {
		until += "; it has no maximum age."
	}
	return what + until
}

func (t *describer) endSentence(rec *store.Record, s *Story) string {
	e := rec.End
	if rec.Ended.IsZero() { // timed out, and not swept yet
		e = t.x.Sessions.TimedOut(t.r, userSession(t.r, rec))
	}
	text := "Ended " + clock(time.UnixMilli(s.End.At)) + " "
	switch e.Reason {
	case iam.ReplacedByOffline:
		text += "when its first code was redeemed with offline_access" + replacedWords(e.Scopes, t.client(e.Client)) + "."
		for _, rel := range s.Relations {
			if rel.Kind == KindOffline {
				text += " The offline session of the same id is " + rel.State + "; single sign-on does not work with it."
				break
			}
		}
		return text
	case iam.LogoutByAdmin:
		name, realm := t.actor(e)
		who := "administrator " + cmp.Or(name, string(e.Actor))
		if realm != "" {
			who += " of realm " + realm
		}
		return text + "because " + who + " ended it (" + e.Rule + ")."
	case iam.Idle, iam.MaxAge:
		text += s.End.Text + " (" + t.rule(e) + ")"
		if e.By == iam.ActorSweep {
			text += "; nobody came back to it, and the server swept it away"
		}
		return text + "."
	}
	text += s.End.Text
	if e.Client != "" {
		text += ", through client " + t.client(e.Client)
	}
	if e.Rule != "" {
		text += " (" + e.Rule + ")"
	}
	return text + "."
}

func replacedWords(scopes iam.Scopes, client string) string {
	switch why, _ := scopes.Why(tokens.ScopeOffline); why {
	case iam.ScopeRequested:
		return ", which client " + client + " asked for"
	case iam.ScopeDefault:
		return ", which client " + client + " has as a default scope"
	case iam.ScopeInherited:
		return ", which client " + client + " has as a default scope (inherited from the realm when the client was made)"
	}
	return " by client " + client
}

// timeline adds what the records tell.
func (t *describer) timeline(s *Story, rec *store.Record) {
	add := func(at int64, what, text, id string) { s.Timeline = append(s.Timeline, Step{at, what, text, id}) }
	add(s.Start, "began", "Began "+t.by(rec)+".", "")
	for _, part := range s.Clients {
		switch {
		case part.Again && part.How == iam.HowSSO:
			add(part.Start, "client", "Client "+t.client(part.ID)+" took part; the last time it came by single sign-on"+scopeWords(part)+".", "")
		case part.How == iam.HowSSO:
			add(part.Start, "client", "Client "+t.client(part.ID)+" came in by single sign-on"+scopeWords(part)+".", "")
		case part.How == iam.HowDevice:
			add(part.Start, "client", "Client "+t.client(part.ID)+" was let in on a device, by the code that the device showed"+
				scopeWords(part)+".", "")
		case part.How == iam.HowMigrated:
			add(part.Start, "client", "Client "+t.client(part.ID)+" took part in "+rec.Origin.From+"; how it came in is not known.", "")
		case part.How == iam.HowExchange:
			add(part.Start, "client", "Client "+t.client(part.ID)+" came in by exchanging another client's token"+scopeWords(part)+".", "")
		default:
			add(part.Start, "client", "Client "+t.client(part.ID)+" took part"+scopeWords(part)+".", "")
		}
		if part.End != nil && (s.End == nil || part.End.At != s.End.At) {
			add(part.End.At, "client ended", "The part of client "+t.client(part.ID)+" ended "+part.End.Text+".", part.End.Token)
		}
	}
	sid, offline := iam.SessionID(rec.ID), rec.Source.Offline
	issued := func(p *iam.ClientSession) {
		part := slices.IndexFunc(s.Clients, func(x *ClientSession) bool { return x.ID == p.Client && x.Start == ms(p.Started) })
		for _, i := range iam.Issuances(p.Issued) {
			add(i.At, "tokens", "Client "+t.client(p.Client)+" was given tokens"+grantWords[i.Grant]+".", i.Access)
			if part >= 0 {
				s.Clients[part].Issued = append(s.Clients[part].Issued, Issued{i.At, i.Grant, i.Access, i.RefreshType, i.Refresh})
			}
		}
	}
	if rec.Ended.IsZero() {
		for _, p := range t.liveOf(sid, offline) {
			issued(p)
		}
	}
	for _, p := range t.ended {
		if p.Offline == offline && !p.Started.Before(rec.Started) && (rec.Ended.IsZero() || p.Ended <= ms(rec.Ended)) {
			issued(&p.ClientSession)
		}
	}
	if s.End != nil {
		add(s.End.At, "ended", t.endSentence(rec, s), s.End.Token)
	}
}

var grantWords = map[string]string{
	"ac": " for an authorization code", "rt": " by refreshing", "ro": " by a direct grant", "cc": " by client credentials",
	"te": " by token exchange", "dg": " for a device code", "na": " with the authorization response",
}

func scopeWords(p *ClientSession) string {
	// Alike ones together: most have one reason.
	var words []string
	for rest := p.Scopes; len(rest) > 0; {
		why := rest[0].Why
		var names []string
		var others []Scope
		for _, s := range rest {
			if s.Why == why {
				names = append(names, s.Name)
			} else {
				others = append(others, s)
			}
		}
		words = append(words, strings.Join(names, ", ")+" ("+why+")")
		rest = others
	}
	if len(words) == 0 {
		return ""
	}
	return ", with the scopes " + strings.Join(words, "; ")
}

// refusals adds what was refused of this session's tokens and cookies.
func (x *Explorer) refusals(ctx context.Context, r *realms.Realm, s *Story, rec *store.Record) error {
	if rec.User == "" {
		return nil // everybody's would be found
	}
	x.Counter.Flush(ctx)
	list, err := x.DB.Records(ctx, r.ID, &store.RecordFilter{
		Sources: []store.RecordSource{{Table: store.OccurrenceRecords, Kind: store.Refused}}, User: rec.User,
		From: rec.Started.Truncate(time.Hour), Max: maxRelated,
	})
	if err != nil {
		return err
	}
	for _, o := range list {
		if string(o.Occurrence.Doc.Session) != rec.ID || o.LastAccess.Before(rec.Started) {
			continue // another session's, or one that had the id before
		}
		info, _ := iam.Reason(o.Occurrence.Reason).Info()
		s.Timeline = append(s.Timeline, Step{ms(o.LastAccess), "refused", "A token or login was refused " + info.Text +
			times(o.Occurrence.Count) + ".", id(o)})
	}
	return nil
}

// events adds the stored events of this session id, while it lived or was spoken of.
func (x *Explorer) events(ctx context.Context, r *realms.Realm, s *Story, rec *store.Record, see bool) error {
	switch {
	case !see:
		s.Events = "You may not see events: it takes the role view-events."
		return nil
	case !r.Realm.Events.Enabled:
		s.Events = "The realm stores no user events: the timeline is made of records alone."
	default:
		s.Events = "The realm stores user events."
	}
	list, err := x.Events.List(ctx, r, events.Filter{Session: iam.SessionID(rec.ID), Max: maxRelated})
	for _, e := range list {
		// Both kinds of session share the id; a refresh says which it was of.
		kind := e.Details["refresh_token_type"]
		if e.Kind == "REFRESH_TOKEN" && kind != "" && (kind == "Offline") != rec.Source.Offline || e.Time.Before(rec.Started.Add(-time.Minute)) ||
			!rec.Ended.IsZero() && e.Time.After(rec.Ended.Add(time.Second)) && e.Error == "" {
			continue
		}
		text := "Event " + string(e.Kind)
		if e.Error != "" {
			text += " (" + e.Error + ")"
		}
		if e.Client != "" {
			text += " of client " + e.Client
		}
		s.Timeline = append(s.Timeline, Step{ms(e.Time), "event", text + ".", e.ID})
	}
	return err
}
