package users_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"latchkey/internal/iam"
	"latchkey/internal/passhash"
	"latchkey/internal/policy"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
	"latchkey/internal/users"
)

// What is asked by id, path, member or role is what the whole tree says, in a
// tree whose names hold slashes and recur at several levels.
func TestGroupsWithoutTheTree(t *testing.T) {
	each(t, realmDoc, func(w *world) {
		ctx, r := w.Context(), w.realm
		list := []store.GroupRow{{ID: "a", Name: "a"}, {ID: "ab", Name: "a/b"}, {ID: "a-b", Parent: "a", Name: "b"},
			{ID: "a-b-c", Parent: "a-b", Name: "c"},
			{ID: "ab-d", Parent: "ab", Name: "d"}, {ID: "b", Name: "b"}, {ID: "b-a", Parent: "b", Name: "a"}, {ID: "c/", Parent: "b", Name: "c/d"}}
		w.must(w.db.Tx(ctx, func(tx *store.Tx) error {
			var errs []error
			for i, g := range list {
				g.Doc = []byte(`{}`)
				role := iam.RoleID(fmt.Sprint("role-", i%3))
				if i < 3 {
					errs = append(errs, tx.InsertRole(ctx, r.ID, store.RoleRow{ID: role, Name: string(role), Doc: []byte(`{}`)}))
				}
				errs = append(errs, tx.InsertGroup(ctx, r.ID, g), tx.AddGroupRole(ctx, r.ID, g.ID, role))
			}
			return errors.Join(errs...)
		}))
		all, err := w.s.Groups(ctx, r)
		w.must(err)
		same := func(what string, got, want *users.Group) {
			w.Helper()
			if got.ID != want.ID || got.Path() != want.Path() || got.Count != len(want.Below) || !slices.Equal(got.Given(), want.Given()) {
				w.Errorf("%s: %s with %d below and %v, want %s with %d and %v", what, got.Path(), got.Count, got.Given(), want.Path(),
					len(want.Below), want.Given())
			}
		}
		for _, g := range list {
			want, err := all.Get(g.ID)
			w.must(err)
			got, err := w.s.Group(ctx, r, g.ID)
			w.must(err)
			same("by id", got, want)
			var around func(g *users.Group) []iam.RoleID
			around = func(g *users.Group) []iam.RoleID {
				ids := g.Given()
				for _, b := range g.Below {
					ids = append(ids, around(b)...)
				}
				slices.Sort(ids)
				return slices.Compact(ids)
			}
			ids, err := w.s.RolesAround(ctx, r, got)
			w.must(err)
			slices.Sort(ids)
			if ids = slices.Compact(ids); !slices.Equal(ids, around(want)) {
				w.Errorf("around %s: %v, want %v", want.Path(), ids, around(want))
			}
			if joined, err := w.s.Join(ctx, r, w.anna.ID, g.ID); !joined || err != nil {
				w.Fatal(joined, err)
			}
		}
		for path, want := range map[string]iam.GroupID{"a": "a", "/a": "a", "/a/": "a", "a/b": "a-b", "/a/b/c": "a-b-c", "/a/b/d": "ab-d",
			"/b/a": "b-a", "/b/c/d": "c/",
			"c": "", "/c": "", "": "", "/": "", "//a": "", "/a//b": "", "/b/c": "", "A": "", "/a/b/c/d": ""} {
			got, err := w.s.GroupAt(ctx, r, path)
			w.must(err)
			if got == nil && want != "" || got != nil && got.ID != want {
				w.Errorf("at %q: %v, want %q", path, got, want)
			}
		}
		mine, err := w.s.GroupsOf(ctx, r, w.anna.ID)
		w.must(err)
		for i, want := range all.Find(func(*users.Group) bool { return true }) {
			same("of a member", mine[i], want)
		}
		with, err := w.s.GroupsWith(ctx, r, "role-1")
		w.must(err)
		for i, want := range all.Find(func(g *users.Group) bool { return slices.Contains(g.Roles, "role-1") }) {
			same("with a role", with[i], want)
		}
		if _, err := w.s.Group(ctx, r, "nowhere"); !errors.Is(err, users.ErrNoGroup) {
			w.Errorf("a group that is not there: %v", err)
		}
		if err := w.s.MoveGroup(ctx, r, "a", "a-b-c", "a"); err == nil {
			w.Error("a group is moved below itself")
		}
	})
}

// BenchmarkGroups asks for one group of 20,000.
func BenchmarkGroups(b *testing.B) {
	db := storetest.SQLite(b)
	ctx := b.Context()
	if err := db.Tx(ctx, func(tx *store.Tx) error {
		errs := []error{tx.InsertRealm(ctx, store.RealmRow{ID: "r", Name: "shop", Enabled: true, Doc: []byte(realmDoc)})}
		for i := range 20000 {
			parent := ""
			if i >= 100 {
				parent = fmt.Sprint("g", i%100)
			}
			errs = append(errs, tx.InsertGroup(ctx, "r", store.GroupRow{ID: iam.GroupID(fmt.Sprint("g", i)), Parent: iam.GroupID(parent),
				Name: fmt.Sprint("n", i), Doc: []byte(`{}`)}))
		}
		return errors.Join(errs...)
	}); err != nil {
		b.Fatal(err)
	}
	r, err := realms.NewCache(db).Get(ctx, "shop")
	if err != nil {
		b.Fatal(err)
	}
	s := users.New(db, passhash.New(64<<20, passhash.DefaultQueue), policy.New(""), sessions.New(db, nil), nil)
	for name, f := range map[string]func() error{
		"tree": func() error { _, err := s.Groups(ctx, r); return err },
		"id":   func() error { _, err := s.Group(ctx, r, "g15042"); return err },
		"path": func() error { _, err := s.GroupAt(ctx, r, "/n42/n15042"); return err },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
