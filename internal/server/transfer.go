package server

import (
	"context"
	"errors"
	"io"
)

// What to do with a realm of a file that exists already.
const (
	OnConflictSkip    = "skip"
	OnConflictReplace = "replace"
	OnConflictFail    = "fail"
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

// Import reads realm files into the database, each realm whole or not at all.
func Import(_ context.Context, _ Config, _ ImportOptions) error { return errUnwired }

// Export writes realms as files that Import, and Keycloak, read.
func Export(_ context.Context, _ Config, _ ExportOptions) error { return errUnwired }

// BootstrapAdmin makes Config.Bootstrap's administrator, also where there is
// one already: the way back in for whoever is locked out.
func BootstrapAdmin(_ context.Context, _ Config) error { return errUnwired }
