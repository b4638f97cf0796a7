package doctor

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"latchkey/internal/clients"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// A Record is a fix that was applied, and how it can be taken back.
type Record struct {
	ID       string   `json:"id"`
	Finding  string   `json:"finding"`
	Fix      string   `json:"fix"`
	Made     int64    `json:"made"` // milliseconds since 1970
	MadeBy   string   `json:"madeBy"`
	Undone   int64    `json:"undone,omitzero"`
	UndoneBy string   `json:"undoneBy,omitzero"`
	Changes  []Change `json:"changes"`
}

// The refusals of fixes.
var (
	ErrNoFinding = &iam.Error{Kind: iam.NotFound, Msg: "There is no such finding"}
	ErrNoFix     = &iam.Error{Kind: iam.NotFound, Msg: "The finding has no such fix"}
	ErrNoRecord  = &iam.Error{Kind: iam.NotFound, Msg: "There is no such record"}
	ErrUndone    = &iam.Error{Kind: iam.Conflict, Msg: "The fix was undone before"}
	ErrExpected  = &iam.Error{Kind: iam.Conflict, Msg: "The fix is not the one that was previewed"}
)

// Preview finds out anew what a fix would do; fix "" is the finding's default.
func (s *Service) Preview(ctx context.Context, r *realms.Realm, v View, finding, fix string) (*Preview, error) {
	report, err := s.Examine(ctx, r, v, Filter{Check: CheckOf(finding)})
	if err != nil {
		return nil, err
	}
	f := report.Finding(finding)
	if f == nil {
		return nil, ErrNoFinding
	}
	x := f.Fix(fix)
	if x == nil {
		return nil, ErrNoFix
	}
	return f.Preview(x)
}

// CheckOf is the check of a finding's id.
func CheckOf(finding string) string {
	for _, c := range Checks() {
		if len(finding) > len(c.ID) && finding[:len(c.ID)] == c.ID && finding[len(c.ID)] == '.' {
			return c.ID
		}
	}
	return "none" // and so no finding
}

// Apply makes the changes of a preview, all or none, and keeps a record of
// them. A *ChangedError says that something is not as it was previewed.
func (s *Service) Apply(ctx context.Context, r *realms.Realm, p *Preview, by iam.UserID) (*Record, error) {
	text, err := json.Marshal(p.Changes)
	if err != nil {
		return nil, err
	}
	rec := &Record{ID: uuid.Must(uuid.NewV7()).String(), Finding: p.Finding, Fix: p.Fix.ID, MadeBy: string(by), Changes: p.Changes}
	err = s.Cache.Change(ctx, r.ID, func(tx *store.Tx) error {
		rec.Made = tx.Now.UnixMilli()
		if err := s.change(ctx, tx, r, p.Changes); err != nil {
			return err
		}
		return tx.InsertDoctorFix(ctx, r.ID, store.DoctorFix{ID: rec.ID, Finding: rec.Finding, Fix: rec.Fix, MadeBy: rec.MadeBy, Changes: text})
	})
	return rec, err
}

// Undo takes a fix back by its own record, once. A *ChangedError says that
// something has changed since.
func (s *Service) Undo(ctx context.Context, r *realms.Realm, rec *Record, by iam.UserID) error {
	if rec.Undone != 0 {
		return ErrUndone
	}
	return s.Cache.Change(ctx, r.ID, func(tx *store.Tx) error {
		first, err := tx.UndoDoctorFix(ctx, r.ID, rec.ID, string(by))
		if err != nil {
			return err
		}
		if !first {
			return ErrUndone
		}
		return s.change(ctx, tx, r, Reversed(rec.Changes))
	})
}

// Record returns a record by its id, or ErrNoRecord.
func (s *Service) Record(ctx context.Context, r *realms.Realm, id string) (*Record, error) {
	row, err := s.Cache.DB().DoctorFix(ctx, r.ID, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrNoRecord
	}
	if err != nil {
		return nil, err
	}
	return recordOf(row)
}

// Records returns at most max records, the newest first, those made before one
// of an id if that is not "".
func (s *Service) Records(ctx context.Context, r *realms.Realm, before string, max int) ([]*Record, error) {
	var from store.DoctorFix
	if before != "" {
		row, err := s.Cache.DB().DoctorFix(ctx, r.ID, before)
		if errors.Is(err, store.ErrNotFound) {
			return nil, ErrNoRecord
		}
		if err != nil {
			return nil, err
		}
		from = row
	}
	rows, err := s.Cache.DB().DoctorFixes(ctx, r.ID, from, max)
	if err != nil {
		return nil, err
	}
	list := make([]*Record, 0, len(rows))
	for _, row := range rows {
		rec, err := recordOf(row)
		if err != nil {
			return nil, err
		}
		list = append(list, rec)
	}
	return list, nil
}

func recordOf(row store.DoctorFix) (*Record, error) {
	rec := &Record{ID: row.ID, Finding: row.Finding, Fix: row.Fix, Made: row.Made.UnixMilli(), MadeBy: row.MadeBy, UndoneBy: row.UndoneBy}
	if !row.Undone.IsZero() {
		rec.Undone = row.Undone.UnixMilli()
	}
	if err := json.Unmarshal(row.Changes, &rec.Changes); err != nil {
		return nil, fmt.Errorf("record %s: %w", row.ID, err)
	}
	return rec, nil
}

// SweepRealm removes a realm's fixes that are older than records of ended sessions may be.
func (s *Service) SweepRealm(ctx context.Context, r *realms.Realm) error {
	const chunk = 500
	return s.Cache.DB().InChunks(ctx, chunk, func(tx *store.Tx) (int64, error) {
		return tx.SweepDoctorFixes(ctx, r.ID, tx.Now.Add(-r.RecordRetention()), chunk)
	})
}

// change makes changes by the rules of the rooms that own the objects, once all
// of them are found to be as the changes expect.
func (s *Service) change(ctx context.Context, tx *store.Tx, r *realms.Realm, list []Change) error {
	var differs []Difference
	for _, c := range list {
		now, _, err := current(ctx, tx, r, &c)
		if err != nil {
			return err
		}
		if !Same(now, c.Before) {
			differs = append(differs, Difference{c, now})
		}
	}
	if len(differs) > 0 {
		return &ChangedError{differs}
	}
	for _, c := range list {
		if err := s.changeOne(ctx, tx, r, &c); err != nil {
			return err
		}
	}
	return nil
}

// current reads what a change is about, and the object that it is a member of.
func current(ctx context.Context, tx *store.Tx, r *realms.Realm, c *Change) (now, object jsontext.Value, err error) {
	var client iam.ClientID
	if c.Subject.Kind == KindClient {
		client = iam.ClientID(c.Subject.ID)
		row, err := tx.Client(ctx, r.ID, client)
		if errors.Is(err, store.ErrNotFound) {
			return nil, nil, clients.ErrNoClient
		}
		if err != nil {
			return nil, nil, err
		}
		object = row.Doc
	} else {
		row, err := tx.RealmByID(ctx, r.ID)
		if err != nil {
			return nil, nil, err
		}
		object = row.Doc
	}
	if c.Member != MemberScope {
		now, err = c.Current(object)
		return now, object, err
	}
	bindings, err := tx.ScopeBindings(ctx, r.ID, client)
	if err != nil {
		return nil, nil, err
	}
	is := Unassigned
	for _, b := range bindings {
		switch {
		case string(b.Scope) != c.Scope.ID:
		case b.Optional:
			is = Optional
		default:
			is = Default
		}
	}
	return value(is), object, nil
}

func (s *Service) changeOne(ctx context.Context, tx *store.Tx, r *realms.Realm, c *Change) error {
	if c.Member == MemberScope {
		return s.reassign(ctx, tx, r, c)
	}
	_, object, err := current(ctx, tx, r, c)
	if err != nil {
		return err
	}
	if object, err = c.Put(object); err != nil {
		return err
	}
	if c.Subject.Kind == KindClient {
		given := new(rep.Client)
		if err := rep.Unmarshal(object, given); err != nil {
			return err
		}
		return s.Clients.UpdateIn(ctx, tx, r, iam.ClientID(c.Subject.ID), given)
	}
	whole, given := new(rep.Realm), new(rep.Realm)
	if err := rep.Unmarshal(object, whole); err != nil {
		return err
	}
	// Of a realm only the member: what else is in it is not posted, and stays.
	if _, ok := c.Attribute(); ok {
		given.Attributes = whole.Attributes
	} else if object, err = c.Put(jsontext.Value("{}")); err != nil {
		return err
	} else if err = rep.Unmarshal(object, given); err != nil {
		return err
	}
	return s.Manager.UpdateIn(ctx, tx, r.ID, given)
}

// reassign takes a scope away, and gives it as it is to be.
func (s *Service) reassign(ctx context.Context, tx *store.Tx, r *realms.Realm, c *Change) error {
	_, after, err := c.Assignments()
	if err != nil {
		return err
	}
	scope := r.Scope(iam.ScopeID(c.Scope.ID))
	if scope == nil {
		return clients.ErrNoScope
	}
	client := iam.ClientID(c.Subject.ID)
	if c.Subject.Kind == KindRealm {
		if err := s.Manager.UnbindDefaultScopeIn(ctx, tx, r, scope.ID); err != nil || after == Unassigned {
			return err
		}
		return s.Manager.BindDefaultScopeIn(ctx, tx, r, scope.ID, after == Optional)
	}
	if err := s.Clients.UnassignIn(ctx, tx, r, client, scope); err != nil || after == Unassigned {
		return err
	}
	return s.Clients.AssignIn(ctx, tx, r, client, scope, after == Optional)
}
