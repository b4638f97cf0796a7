package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/alecthomas/kong"

	"latchkey/internal/server"
)

// program is the table of subcommands and options.
type program struct {
	options

	Start      startCmd      `cmd:"" help:"Run the server."`
	StartDev   startDevCmd   `cmd:"" help:"Run a server to develop against: on loopback, with a SQLite file, admin/admin."`
	Import     importCmd     `cmd:"" help:"Import realm files, of Keycloak's kc.sh export or of latchkey export."`
	Export     exportCmd     `cmd:"" help:"Export realms to files."`
	Migrate    migrateCmd    `cmd:"" help:"Move in from a live Keycloak, by its own database: what would come, the copy, what changed since, and the switch."`
	Bootstrap  bootstrapCmd  `cmd:"" name:"bootstrap-admin" help:"Make another first administrator from the --bootstrap-admin-... options."`
	Doctor     doctorCmd     `cmd:"" help:"Say what is wrong with realms, in this database or on a running Keycloak 26 or Latchkey, and mend it."`
	Sessions   sessionsCmd   `cmd:"" help:"List a realm's sessions of every kind, live and ended, or tell the story of one."`
	Why        whyCmd        `cmd:"" help:"Say why a user has no session, was asked to log in again, or could not refresh."`
	Trust      trustCmd      `cmd:"" help:"Let users of one realm log in to another of the same server, or take that back."`
	Inspect    inspectCmd    `cmd:"" name:"inspect-token" help:"Say what a token is, whether it works now and where, and if not, why. It is read from a file, standard input or a prompt."`
	Watch      watchCmd      `cmd:"" help:"Follow a Keycloak's events, and keep the records of sessions that it does not keep; it is only read."`
	Backup     backupCmd     `cmd:"" help:"Copy the SQLite database to a new file, while the server may run. Keep the seal key file too: without it the copy is worthless."`
	Restore    restoreCmd    `cmd:"" help:"Put a backup in the place of the SQLite database, which must have been moved away."`
	Rotate     rotateCmd     `cmd:"" name:"rotate-seal-key" help:"Seal the secrets in the database with a new key. The servers must be stopped."`
	Theme      themeCmd      `cmd:"" help:"Begin a theme for login pages and mails, check themes, or see every page of one."`
	ShowConfig showConfigCmd `cmd:"" help:"Print every option's value and where it comes from; secrets are masked."`
	Version    versionCmd    `cmd:"" help:"Print the version."`
}

// call is what commands are given besides their options.
type call struct {
	ctx      context.Context
	options  *options
	kong     *kong.Context
	sources  *sources
	out, err io.Writer
}

// config is a command's configuration: its defaults, under the options given.
func (c *call) config(defaults server.Config) (server.Config, error) {
	defaults.LogTo = c.err
	return c.options.apply(defaults)
}

const description = `Latchkey is an identity and access server that speaks Keycloak's language.

Each option --x-y can also be given as LATCHKEY_X_Y in the environment, most under Keycloak's KC_X_Y as well, or as x-y=value in
latchkey.conf; a flag wins over the environment, and that over the file. A secret's value can be in a file: LATCHKEY_X_Y_FILE.`

// Main runs the program with its arguments (without the program's name) and
// environment, and returns the exit code: 0, 1 if a command failed, 2 if it
// could not be understood; commands that find things have their own. It ends when ctx does.
func Main(ctx context.Context, args, environ []string, out, errOut io.Writer) int {
	c, code, err := read(ctx, args, environ, out, errOut)
	if err != nil {
		fmt.Fprintf(errOut, "latchkey: %v\nTry latchkey --help.\n", err)
		return code
	}
	if c == nil { // the help was asked for
		return code
	}
	err = c.kong.Run(c)
	code = 0
	if err != nil {
		code = 1
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		code, err = e.code, e.err
	}
	if err != nil {
		fmt.Fprintln(errOut, "latchkey:", err)
	}
	return code
}

// An exitError ends the program with a code of the command's own; err nil has
// been told already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return fmt.Sprint("exit ", e.code) }

// read understands the command line; a nil call without an error means that
// nothing is left to do.
func read(ctx context.Context, args, environ []string, out, errOut io.Writer) (*call, int, error) {
	var p program
	src := newSources(environ)
	exit := -1
	parser, err := kong.New(&p, kong.Name("latchkey"), kong.Description(description), kong.Writers(out, errOut),
		kong.Exit(func(code int) { exit = code }), kong.Resolvers(src), kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		return nil, 1, err
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if exit >= 0 {
		return nil, exit, nil
	}
	if err != nil {
		return nil, 2, err
	}
	return &call{ctx: ctx, options: &p.options, kong: parsed, sources: src, out: out, err: errOut}, 0, nil
}
