package records

import (
	"context"
	"slices"
	"strings"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/store"
)

// finding puts a cause in words, with its evidence as far as the asker may see it.
func (f *facts) finding(c *cause) (Finding, error) {
	info, _ := c.reason.Info()
	var b strings.Builder
	switch {
	case c.prompt && c.end != nil:
		b.WriteString("Asked to log in " + clock(c.at) + ": the session from before ended " + clock(c.session.ended) + " ")
	case c.prompt:
		b.WriteString("Asked to log in " + clock(c.at) + " ")
	case c.end != nil:
		b.WriteString("Ended " + clock(c.at) + " ")
	case c.state:
		b.WriteString("Refused ")
	default:
		b.WriteString("Refused " + clock(c.at) + " ")
	}
	extra, err := f.extra(c)
	if err != nil {
		return Finding{}, err
	}
	if c.reason == iam.ReplacedByOffline { // it says more of the scope
		b.WriteString(strings.Replace(info.Text, "offline_access", "offline_access"+extra, 1) + ".")
	} else {
		b.WriteString(info.Text + extra + c.detail + ".")
	}
	x := Finding{Question: c.question, Reason: c.reason, At: c.at.UnixMilli(), Holds: c.rank <= holds && !f.past,
		Remedy: Advice(c.reason).Remedy}
	x.Evidence, err = f.evidence(c)
	if c.session != nil && !c.session.Offline && c.reason == iam.ReplacedByOffline {
		b.WriteString(f.successor(c.session.ID))
	}
	x.Sentence = b.String()
	return x, err
}

// successor tells what became of the offline session that took an online one's place.
func (f *facts) successor(id iam.SessionID) string {
	for _, s := range f.sessions {
		if s.ID == id && s.Offline && s.live() {
			return " The offline session of the same id is live; single sign-on does not work with it."
		}
	}
	return ""
}

// extra names who and what, after the clause of the reason.
func (f *facts) extra(c *cause) (string, error) {
	if c.end == nil {
		return "", nil
	}
	switch c.reason {
	case iam.LogoutByAdmin, iam.ReplacedByLogin, iam.ConsentWithdrawn:
		if c.end.By != iam.ActorAdmin {
			break
		}
		name, err := f.actor(c.end)
		if err != nil || name == "" {
			return "", err
		}
		return " (administrator " + name + ")", nil
	case iam.LogoutByUser, iam.LogoutByClient, iam.Revoked:
		if c.end.Client != "" {
			return " (client " + f.name(c.end.Client) + ")", nil
		}
	case iam.Idle, iam.MaxAge:
		if len(c.settings) > 0 && !f.hidden(c.settings[0]) {
			return " (" + c.settings[0].Name + ": " + c.settings[0].Value + ", set at " + c.settings[0].Where + ")", nil
		}
	case iam.ReplacedByOffline:
		if f.q.HideClients {
			break
		}
		switch name := f.name(c.client); offlineWhy(c) {
		case iam.ScopeInherited:
			return ", which client " + name + " has as a default scope (inherited from the realm when the client was made)", nil
		case iam.ScopeDefault:
			return ", which client " + name + " has as a default scope", nil
		case iam.ScopeRequested:
			return ", which client " + name + " asked for", nil
		}
	}
	return "", nil
}

// actor is the name of an administrator, where it is one of this realm's.
func (f *facts) actor(e *iam.End) (string, error) {
	if e.Actor == "" || e.Realm != "" && e.Realm != f.r.ID {
		return "", nil
	}
	names, err := f.x.Records.db.Usernames(f.ctx, f.r.ID, []iam.UserID{e.Actor})
	return names[e.Actor], err
}

// hidden tells whether the asker may not see a setting.
func (f *facts) hidden(e Evidence) bool {
	return f.q.HideClients && e.Kind == EvidenceSetting && strings.HasPrefix(e.Where, whereClient)
}

func (f *facts) evidence(c *cause) ([]Evidence, error) {
	var list []Evidence
	if s := c.session; s != nil {
		e := Evidence{Kind: EvidenceSession, ID: s.id(), At: s.Started.UnixMilli(), Text: "began " + clock(s.Started)}
		if s.Origin.Client != "" {
			e.Text += " for client " + f.name(s.Origin.Client)
		}
		if s.IP != "" && f.user != nil {
			e.Text += ", from " + f.r.KeptAddress(s.IP)
		}
		if device := s.browser(); device != "" {
			e.Text += " (" + device + ")"
		}
		if !s.live() {
			e.Text += ", ended " + clock(s.ended)
		}
		if p := c.part; p != nil && !p.live() && s.live() {
			e.Text += "; the part of client " + f.name(p.Client) + " ended " + clock(p.ended)
		}
		list = append(list, e)
	}
	for _, o := range c.refusals[:min(len(c.refusals), 3)] {
		e := Evidence{Kind: EvidenceRefusal, ID: o.Kind + "." + o.ID, At: o.Last.UnixMilli(), Count: o.Count,
			Text: strings.ReplaceAll(strings.ToLower(string(o.kind)), "_", " ")}
		if o.Doc.Error != "" {
			e.Text += ": " + o.Doc.Error
		}
		if o.Doc.Text != "" {
			e.Text += " (" + o.Doc.Text + ")"
		}
		if o.Client != "" {
			e.Text += ", client " + f.name(o.Client)
		}
		if o.IP != "" {
			e.Text += ", from " + o.IP
		}
		if o.Doc.Device != "" {
			e.Text += " (" + o.Doc.Device + ")"
		}
		list = append(list, e)
	}
	hidden := false
	for _, e := range c.settings {
		if f.hidden(e) {
			hidden = true
			continue
		}
		list = append(list, e)
	}
	if hidden {
		list = append(list, Evidence{Kind: EvidenceHidden, Text: "You may not see the settings of clients"})
	}
	stored, err := f.events(c)
	if list = append(list, stored...); list == nil {
		list = []Evidence{}
	}
	return list, err
}

// around is how far the time of an event may be from that of what it tells of.
const around = 2 * time.Second

// events are the stored events about a cause, where the realm keeps any.
func (f *facts) events(c *cause) (list []Evidence, err error) {
	if !f.r.Events.Enabled {
		return nil, nil
	}
	if f.q.HideEvents {
		return []Evidence{{Kind: EvidenceHidden, Text: "You may not see events"}}, nil
	}
	stored, err := f.x.Records.db.Events(f.ctx, f.r.ID, store.EventFilter{User: f.id, From: c.at.Add(-around), To: c.at.Add(around), Max: 20})
	if err != nil {
		return nil, err
	}
	for _, e := range stored {
		refused := func(o *seenRefusal) bool { return o.Doc.Event == e.Kind && o.Doc.Error == e.Error }
		about := e.Error != "" && slices.ContainsFunc(c.refusals, refused) || e.Error == "" && c.end != nil && (e.Session == "" ||
			c.session != nil && e.Session == c.session.ID)
		if !about {
			continue
		}
		text := string(e.Kind)
		if e.Error != "" {
			text += ": " + e.Error
		}
		list = append(list, Evidence{Kind: EvidenceEvent, ID: e.ID, At: e.Time.UnixMilli(), Text: text})
	}
	return list[:min(len(list), 3)], nil
}

// newestParts are the latest parts of a client in live sessions of one kind, with
// what is not written yet.
func (x *Explainer) newestParts(ctx context.Context, r *realms.Realm, client iam.ClientID,
	kind iam.SessionKind) ([]*iam.ClientSession, error) {
	list, err := x.Records.db.Records(ctx, r.ID, &store.RecordFilter{Client: client, Max: 20,
		Sources: []store.RecordSource{{Table: store.LiveRecords, Offline: bool(kind)}}})
	if err != nil {
		return nil, err
	}
	refs := iam.SessionRefs{Kind: kind}
	for _, rec := range list {
		refs.IDs = append(refs.IDs, iam.SessionID(rec.ID))
	}
	parts, err := x.Sessions.ClientSessions(ctx, r, refs)
	return slices.DeleteFunc(parts, func(p *iam.ClientSession) bool { return p.Client != client }), err
}
