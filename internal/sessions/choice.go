package sessions

import (
	"context"
	"slices"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/store"
)

// A Choice says which of a user's sessions are meant.
type Choice struct {
	Online, Offline bool
	Sessions        []iam.SessionID // nil: all
	Clients         []iam.ClientID  // nil: whole sessions; else only these clients' parts in them
}

// An Affected is a live session that a Choice is about.
type Affected struct {
	*iam.UserSession
	ClientSessions []*iam.ClientSession // that end
	Whole          bool                 // the session ends, not some parts in it alone
}

func (c *Choice) kinds() (list []iam.SessionKind) {
	if c.Online {
		list = append(list, iam.Online)
	}
	if c.Offline {
		list = append(list, iam.Offline)
	}
	return list
}

func (c *Choice) means(id iam.SessionID) bool {
	return c.Sessions == nil || slices.Contains(c.Sessions, id)
}

// Chosen says what EndChosen would end.
func (s *Service) Chosen(ctx context.Context, r *realms.Realm, user iam.UserID, c Choice) ([]Affected, error) {
	var out []Affected
	for _, kind := range c.kinds() {
		list, err := s.OfUser(ctx, r, user, kind)
		if err != nil {
			return nil, err
		}
		for _, l := range list {
			if !c.means(l.ID) {
				continue
			}
			if c.Clients == nil {
				out = append(out, Affected{l.UserSession, l.ClientSessions, true})
				continue
			}
			parts := slices.DeleteFunc(slices.Clone(l.ClientSessions),
				func(p *iam.ClientSession) bool { return !slices.Contains(c.Clients, p.Client) })
			if len(parts) > 0 {
				out = append(out, Affected{l.UserSession, parts, kind == iam.Offline && len(parts) == len(l.ClientSessions)})
			}
		}
	}
	return out, nil
}

// EndChosen ends what a Choice means and says what it was: nothing for what has
// ended before. Offline sessions end with their last part, online ones stay for
// single sign-on. within runs in the same transaction, if anything ended; it may
// be nil.
func (s *Service) EndChosen(ctx context.Context, r *realms.Realm, user iam.UserID, c Choice, e iam.End,
	within func(ctx context.Context, tx *store.Tx, ended []Affected) error) (out []Affected, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		out = nil
		for _, kind := range c.kinds() {
			live, err := s.liveOf(ctx, tx, r, user, c, kind)
			if err != nil {
				return err
			}
			end := s.endParts
			if c.Clients == nil {
				end = s.endWhole
			}
			list, err := end(ctx, tx, r, refsOf(user, kind, live), live, c, e)
			if err != nil {
				return err
			}
			out = append(out, list...)
		}
		if within == nil || len(out) == 0 {
			return nil
		}
		return within(ctx, tx, out)
	})
	return out, err
}

// liveOf lists the sessions that a choice means. Those that have timed out are
// left to the sweep, whose record says what they ended of.
func (s *Service) liveOf(ctx context.Context, tx *store.Tx, r *realms.Realm, user iam.UserID, c Choice,
	kind iam.SessionKind) ([]*iam.UserSession, error) {
	list, err := tx.SessionsOfUser(ctx, r.ID, user, kind)
	return slices.DeleteFunc(list, func(us *iam.UserSession) bool {
		_, live := s.Life(r, us)
		return !live || !c.means(us.ID)
	}), err
}

func refsOf(user iam.UserID, kind iam.SessionKind, list []*iam.UserSession) iam.SessionRefs {
	refs := iam.SessionRefs{Kind: kind, User: user}
	for _, us := range list {
		refs.IDs = append(refs.IDs, us.ID)
	}
	return refs
}

func (s *Service) endWhole(ctx context.Context, tx *store.Tx, r *realms.Realm, refs iam.SessionRefs, _ []*iam.UserSession, _ Choice,
	e iam.End) (out []Affected, err error) {
	list, err := s.endAll(ctx, tx, r, refs, e)
	for _, x := range list {
		out = append(out, Affected{x.Session, x.ClientSessions, true})
	}
	return out, err
}

func (s *Service) endParts(ctx context.Context, tx *store.Tx, r *realms.Realm, refs iam.SessionRefs, live []*iam.UserSession, c Choice,
	e iam.End) (out []Affected, err error) {
	parts := map[iam.SessionID][]*iam.ClientSession{}
	for _, client := range c.Clients {
		list, err := tx.EndClientSessions(ctx, r.ID, refs, client, s.toucher.adjustClientSession, e)
		if err != nil {
			return nil, err
		}
		for _, p := range list {
			parts[p.Session] = append(parts[p.Session], p)
		}
	}
	for _, us := range live {
		if parts[us.ID] != nil {
			out = append(out, Affected{us, parts[us.ID], false})
		}
	}
	if refs.Kind == iam.Online || len(out) == 0 {
		return out, nil
	}
	refs.IDs = make([]iam.SessionID, len(out))
	for i := range out {
		refs.IDs[i] = out[i].ID
	}
	emptied, err := s.endEmpty(ctx, tx, r, refs, e)
	for i := range out {
		out[i].Whole = slices.ContainsFunc(emptied, func(x *Ending) bool { return x.Session.ID == out[i].ID })
	}
	return out, err
}
