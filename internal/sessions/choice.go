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
	Parts []*iam.ClientSession // that end
	Whole bool                 // the session ends, not some parts in it alone
}

func (c *Choice) kinds() (list []bool) {
	if c.Online {
		list = append(list, false)
	}
	if c.Offline {
		list = append(list, true)
	}
	return list
}

func (c *Choice) means(id iam.SessionID) bool {
	return c.Sessions == nil || slices.Contains(c.Sessions, id)
}

// Chosen says what EndChosen would end.
func (s *Service) Chosen(ctx context.Context, r *realms.Realm, user iam.UserID, c Choice) ([]Affected, error) {
	var out []Affected
	for _, offline := range c.kinds() {
		list, err := s.OfUser(ctx, r, user, offline)
		if err != nil {
			return nil, err
		}
		for _, l := range list {
			if !c.means(l.ID) {
				continue
			}
			if c.Clients == nil {
				out = append(out, Affected{l.UserSession, l.Parts, true})
				continue
			}
			parts := slices.DeleteFunc(slices.Clone(l.Parts), func(p *iam.ClientSession) bool { return !slices.Contains(c.Clients, p.Client) })
			if len(parts) > 0 {
				out = append(out, Affected{l.UserSession, parts, offline && len(parts) == len(l.Parts)})
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
		for _, offline := range c.kinds() {
			live, err := s.liveOf(ctx, tx, r, user, c, offline)
			if err != nil {
				return err
			}
			end := s.endParts
			if c.Clients == nil {
				end = s.endWhole
			}
			list, err := end(ctx, tx, r, live, c, offline, e)
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
func (s *Service) liveOf(ctx context.Context, tx *store.Tx, r *realms.Realm, user iam.UserID, c Choice, offline bool) ([]*iam.UserSession, error) {
	list, err := tx.SessionsOfUser(ctx, r.ID, user, offline)
	return slices.DeleteFunc(list, func(us *iam.UserSession) bool {
		_, live := s.Life(r, us)
		return !live || !c.means(us.ID)
	}), err
}

func idsOf(list []*iam.UserSession) []iam.SessionID {
	ids := make([]iam.SessionID, len(list))
	for i, us := range list {
		ids[i] = us.ID
	}
	return ids
}

func (s *Service) endWhole(ctx context.Context, tx *store.Tx, r *realms.Realm, live []*iam.UserSession, _ Choice, offline bool, e iam.End) (out []Affected, err error) {
	list, err := s.endAll(ctx, tx, r, idsOf(live), offline, e)
	for _, x := range list {
		out = append(out, Affected{x.Session, x.Parts, true})
	}
	return out, err
}

func (s *Service) endParts(ctx context.Context, tx *store.Tx, r *realms.Realm, live []*iam.UserSession, c Choice, offline bool, e iam.End) (out []Affected, err error) {
	parts := map[iam.SessionID][]*iam.ClientSession{}
	for _, client := range c.Clients {
		list, err := tx.EndParts(ctx, r.ID, idsOf(live), offline, client, s.toucher.adjustPart, e)
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
	if !offline || len(out) == 0 {
		return out, nil
	}
	touched := make([]iam.SessionID, len(out))
	for i := range out {
		touched[i] = out[i].ID
	}
	emptied, err := s.endEmpty(ctx, tx, r, touched, true, e)
	for i := range out {
		out[i].Whole = slices.ContainsFunc(emptied, func(x *Ending) bool { return x.Session.ID == out[i].ID })
	}
	return out, err
}
