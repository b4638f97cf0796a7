package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"latchkey/internal/authn/actions"
	"latchkey/internal/authn/steps"
	"latchkey/internal/broker"
	"latchkey/internal/claims"
	"latchkey/internal/emails"
	"latchkey/internal/iam"
	"latchkey/internal/keys"
	"latchkey/internal/passhash"
	"latchkey/internal/policy"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/sessions"
	"latchkey/internal/store"
	"latchkey/internal/users"
)

// What to do with a realm of a file that exists already.
const (
	OnConflictSkip    = string(realms.Skip)
	OnConflictReplace = string(realms.Replace)
	OnConflictFail    = string(realms.Fail)
)

// ImportOptions say what Import reads and how.
type ImportOptions struct {
	Path       string                      // a realm file, or a directory as kc.sh export writes it
	OnConflict string                      // one of the constants above
	Check      bool                        // say what would not work; store nothing
	AcceptGaps bool                        // import a realm although something in it will not work yet
	Env        func(string) (string, bool) // values of ${...} placeholders
	Out        io.Writer                   // the report
}

// ExportOptions say what Export writes and where.
type ExportOptions struct {
	Realm        string // empty: all
	File         string // one file for everything, or
	Dir          string // a directory with a file per realm
	Users        string // skip, realm_file, same_file or different_files, as kc.sh export
	UsersPerFile int    // with different_files
}

// errUnwired is what a command answers whose room is not part of this build.
var errUnwired = errors.New("this build cannot do that yet")

// newManager puts together what makes, changes, imports and exports realms.
func newManager(db *store.DB, cache *realms.Cache, maker *keys.Maker, people *users.Service, live *sessions.Service) *realms.Manager {
	return realms.NewManager(cache, db.Now, realms.Rules{NewKey: maker.Fill, Hash: people.FirstPassword, Can: capabilities(),
		CheckPolicy:     people.ValidPolicy,
		CheckCredential: people.CheckStored, DeleteUser: live.DeleteUser})
}

// newUsers is the users' rules with the lists that password policies name.
func newUsers(db *store.DB, cfg Config, live *sessions.Service) *users.Service {
	hasher := passhash.New(hashMemory, cmp.Or(cfg.HashQueue, passhash.DefaultQueue))
	return users.New(db, hasher, policy.New(filepath.Join(cfg.DataDir, "password-blacklists")), live, cfg.Directories)
}

// capabilities says what this build can do of what a realm may need.
func capabilities() func(realms.Capability, string) bool {
	among := func(list ...string) func(string) bool {
		return func(id string) bool {
			for _, have := range list {
				if have == id {
					return true
				}
			}
			return false
		}
	}
	answers := map[realms.Capability]func(string) bool{
		realms.CanAuthenticate: func(id string) bool {
			return id != "organization" && steps.Built(id) // that one passes, whatever organizations a realm's file has brought
		},
		realms.CanRequire:    actions.Built,
		realms.CanMap:        claims.Known,
		realms.CanMakeKeys:   keys.Supported,
		realms.CanAuthClient: among("client-secret", "client-jwt", "client-secret-jwt"),
		realms.CanVerify: func(kind string) bool {
			return kind == string(iam.PasswordHistory) || users.Checks(iam.CredentialKind(kind))
		},
		realms.CanBroker: broker.Built,
		realms.CanImport: func(id string) bool { return !strings.HasPrefix(id, "saml-") },
		realms.CanListen: among("jboss-logging", emails.ListenerID),
		realms.CanSpeak:  among(string(iam.OIDC)),
	}
	return func(kind realms.Capability, id string) bool {
		answer, ok := answers[kind]
		return ok && answer(id)
	}
}

// withManager opens the database for a command and closes it after.
func withManager(ctx context.Context, cfg Config, f func(*realms.Manager) error) (err error) {
	db, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	live := sessions.New(db, nil)
	return f(newManager(db, realms.NewCache(db), keys.NewMaker(db.Now), newUsers(db, cfg, live), live))
}

// Import reads realm files into the database, all realms or none. A server that
// is running on it notices within a second.
func Import(ctx context.Context, cfg Config, o ImportOptions) error {
	return withManager(ctx, cfg, func(m *realms.Manager) error { return importFiles(ctx, m, o) })
}

func importFiles(ctx context.Context, m *realms.Manager, o ImportOptions) error {
	files, err := realms.ReadFiles(o.Path, o.Env)
	if err != nil {
		return err
	}
	var done []realms.Imported
	if o.Check {
		done, err = m.Check(ctx, files)
	} else {
		done, err = m.Import(ctx, files, realms.ImportOptions{OnConflict: realms.OnConflict(o.OnConflict), AcceptGaps: o.AcceptGaps})
	}
	if gaps, ok := errors.AsType[*realms.GapsError](err); ok {
		for _, g := range gaps.Gaps {
			_, _ = fmt.Fprintln(o.Out, g)
		}
		return err
	}
	if problem, ok := errors.AsType[*realms.Problem](err); ok {
		return problem
	}
	if refused, ok := errors.AsType[*iam.Error](err); ok && refused.Kind == iam.Conflict {
		return fmt.Errorf("%w; nothing was imported (on-conflict: skip leaves what exists, replace puts the file in its place)", err)
	}
	if err != nil {
		return err
	}
	for _, d := range done {
		for _, g := range d.Gaps {
			_, _ = fmt.Fprintln(o.Out, g)
		}
		for _, n := range d.Notes {
			_, _ = fmt.Fprintln(o.Out, "note:", n)
		}
		switch {
		case o.Check && len(d.Gaps) == 0:
			_, _ = fmt.Fprintf(o.Out, "%s: everything would work, for %d users\n", d.Realm, d.Users)
		case o.Check:
			_, _ = fmt.Fprintf(o.Out, "%s: %d things would not work, of a realm of %d users\n", d.Realm, len(d.Gaps), d.Users)
		case d.Skipped:
			_, _ = fmt.Fprintf(o.Out, "%s: exists already, skipped\n", d.Realm)
		default:
			_, _ = fmt.Fprintf(o.Out, "%s: imported with %d users\n", d.Realm, d.Users)
		}
	}
	return nil
}

// Export writes realms as files that Import, and Keycloak, read. They hold
// secrets: only their owner may read them.
func Export(ctx context.Context, cfg Config, o ExportOptions) error {
	return withManager(ctx, cfg, func(m *realms.Manager) error { return exportFiles(ctx, m, o) })
}

func exportFiles(ctx context.Context, m *realms.Manager, o ExportOptions) error {
	names := []string{o.Realm}
	if o.Realm == "" {
		var err error
		if names, err = m.Cache.Names(ctx); err != nil {
			return err
		}
	}
	if o.Dir != "" {
		if err := os.MkdirAll(o.Dir, 0o700); err != nil {
			return err
		}
	}
	var all []*rep.Realm
	for _, name := range names {
		r, err := m.Export(ctx, name)
		if err != nil {
			return fmt.Errorf("realm %s: %w", name, err)
		}
		inside := o.Users == "realm_file" || o.File != "" && o.Users != "skip"
		if inside {
			r.Users = []rep.User{}
		}
		size := 1000
		if o.Users == "different_files" && o.UsersPerFile > 0 {
			size = o.UsersPerFile
		}
		var users, federated [][]rep.User // by file
		if o.Users != "skip" {
			if users, err = o.files(func(f func([]rep.User) error) error { return m.ExportUsers(ctx, name, size, f) }); err != nil {
				return fmt.Errorf("users of realm %s: %w", name, err)
			}
			if federated, err = o.files(func(f func([]rep.User) error) error { return m.ExportFederated(ctx, name, size, f) }); err != nil {
				return fmt.Errorf("federated users of realm %s: %w", name, err)
			}
		}
		if inside {
			r.Users, r.FederatedUsers = append(r.Users, slices.Concat(users...)...), slices.Concat(federated...)
			users, federated = nil, nil
		}
		if o.File != "" {
			all = append(all, r)
			continue
		}
		if err := writeJSON(filepath.Join(o.Dir, fileName(name)+"-realm.json"), r); err != nil {
			return err
		}
		for i, list := range users {
			if err := writeJSON(filepath.Join(o.Dir, fmt.Sprintf("%s-users-%d.json", fileName(name), i)),
				&rep.Realm{Realm: name, Users: list}); err != nil {
				return err
			}
		}
		for i, list := range federated {
			part := &rep.Realm{Realm: name, FederatedUsers: list}
			if err := writeJSON(filepath.Join(o.Dir, fmt.Sprintf("%s-federated-users-%d.json", fileName(name), i)), part); err != nil {
				return err
			}
		}
	}
	switch {
	case o.File == "":
		return nil
	case o.Realm != "":
		return writeJSON(o.File, all[0])
	}
	return writeJSON(o.File, all)
}

// files gathers pages of users as the files of an export hold them: a page
// each, or all in one.
func (o ExportOptions) files(read func(yield func([]rep.User) error) error) ([][]rep.User, error) {
	var list [][]rep.User
	err := read(func(page []rep.User) error {
		if o.Users == "different_files" || len(list) == 0 {
			list = append(list, nil)
		}
		list[len(list)-1] = append(list[len(list)-1], page...)
		return nil
	})
	return list, err
}

// fileName keeps a realm's name from leading out of the directory.
func fileName(realm string) string {
	return strings.NewReplacer("/", "_", string(filepath.Separator), "_").Replace(realm)
}

// writeJSON writes a file whole or not at all.
func writeJSON(path string, v any) error {
	text, err := rep.MarshalIndent(v)
	if err != nil {
		return err
	}
	partial := path + ".partial"
	if err := os.WriteFile(partial, append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(partial, path)
}

// BootstrapAdmin makes Config.Bootstrap's administrator, also where there is
// one already: the way back in for whoever is locked out.
func BootstrapAdmin(_ context.Context, _ Config) error { return errUnwired }
