package realms

import (
	"context"
	"errors"
	"fmt"

	"latchkey/internal/iam"
	"latchkey/internal/store"
)

// OnConflict says what Import does with a realm that exists already.
type OnConflict string

// The ways to treat a realm that exists already.
const (
	Skip    OnConflict = "skip"
	Replace OnConflict = "replace"
	Fail    OnConflict = "fail"
)

// ImportOptions say how Import treats what it finds.
type ImportOptions struct {
	OnConflict OnConflict
	AcceptGaps bool           // import realms although something in them will not work yet
	Objects    []store.Object // stored along with each realm
}

// A GapsError refuses realms of which something would not work.
type GapsError struct{ Gaps []Gap }

func (e *GapsError) Error() string {
	return fmt.Sprintf("%d things would not work; see what, and if that is all right, import with --accept-gaps, or start with "+
		"--import-accept-gaps", len(e.Gaps))
}

// Imported says what became of one realm.
type Imported struct {
	Realm   string
	Users   int
	Skipped bool // it exists already
	Gaps    []Gap
	Notes   []Gap // what is not taken over from the file, by Keycloak neither
}

// Import stores realms that were read by ReadFiles, all of them or none. The
// error is a *Problem with file, line and column when one has a mistake, a
// *GapsError when something would not work and that is not accepted, and an
// *iam.Error of kind Conflict when one exists and OnConflict is Fail.
func (m *Manager) Import(ctx context.Context, files []*RealmFile, o ImportOptions) ([]Imported, error) {
	have := map[string]bool{}
	if o.OnConflict == Skip {
		names, err := m.Cache.Names(ctx)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			have[name] = true
		}
	}
	ready, done, err := m.prepareAll(ctx, files, have)
	if err != nil {
		return nil, err
	}
	var gaps []Gap
	for _, d := range done {
		gaps = append(gaps, d.Gaps...)
	}
	if len(gaps) > 0 && !o.AcceptGaps {
		return nil, &GapsError{gaps}
	}
	err = m.Cache.db.Tx(ctx, func(tx *store.Tx) error {
		for i, p := range ready {
			if p == nil {
				continue
			}
			done[i].Skipped = false
			row, err := tx.RealmByName(ctx, p.realm.Realm)
			switch {
			case errors.Is(err, store.ErrNotFound):
			case err != nil:
				return err
			case o.OnConflict == Skip:
				done[i].Skipped = true
				continue
			case o.OnConflict == Replace:
				// Its client in the master realm stays, and with it what administrators hold of it.
				if err := tx.DeleteRealm(ctx, row.ID); err != nil {
					return err
				}
				if err := m.Cache.Changed(ctx, tx, row.ID); err != nil {
					return err
				}
			default:
				return errExists("Realm " + p.realm.Realm + " already exists")
			}
			if err := m.put(ctx, tx, p); err != nil {
				return fmt.Errorf("%s: %w", files[i].parts[0].file, err)
			}
			for _, object := range o.Objects {
				if err := tx.InsertObject(ctx, iam.RealmID(p.realm.ID), object); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return done, m.announce(ctx, ready, done)
}

// announce tells other nodes again: a long import's own mark carries the time
// that it began, further back than they look.
func (m *Manager) announce(ctx context.Context, ready []*prepared, done []Imported) error {
	changed := map[iam.RealmID]bool{}
	for i, p := range ready {
		if !done[i].Skipped {
			changed[iam.RealmID(p.realm.ID)] = true
		}
	}
	if len(changed) == 0 {
		return nil
	}
	return m.Cache.db.Tx(ctx, func(tx *store.Tx) error {
		switch master, err := tx.RealmByName(ctx, Master); {
		case err == nil:
			changed[master.ID] = true
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
		for id := range changed {
			if err := m.Cache.Changed(ctx, tx, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// Check reads realms as Import does and stores nothing: its answer says what
// would not work yet, and whom it affects.
func (m *Manager) Check(ctx context.Context, files []*RealmFile) ([]Imported, error) {
	_, done, err := m.prepareAll(ctx, files, nil)
	return done, err
}

// prepareAll prepares realms; those that are there already and shall stay are
// nil: what would not work of their files is not asked any more.
func (m *Manager) prepareAll(ctx context.Context, files []*RealmFile, have map[string]bool) ([]*prepared, []Imported, error) {
	var ready []*prepared
	var done []Imported
	for _, f := range files {
		if have[f.Realm.Realm] {
			ready = append(ready, nil)
			done = append(done, Imported{Realm: f.Realm.Realm, Users: len(f.Realm.Users), Skipped: true})
			continue
		}
		p, err := m.prepare(ctx, f.Realm)
		if problem, ok := errors.AsType[*Problem](err); ok {
			return nil, nil, f.locate(problem)
		}
		if refused, ok := errors.AsType[*iam.Error](err); ok {
			problem := &Problem{Msg: refused.Msg}
			if placed, ok := errors.AsType[*placedError](err); ok {
				problem.Path = placed.path
			}
			return nil, nil, f.locate(problem)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", f.parts[0].file, err)
		}
		ready = append(ready, p)
		done = append(done, Imported{Realm: p.realm.Realm, Users: len(p.users), Gaps: append(m.gaps(p), f.unreplaced()...), Notes: p.notes})
	}
	return ready, done, nil
}
