// Package cli is the command line: one struct is the table of subcommands and
// options, each of which can be given as a flag, in the environment or in the
// configuration file, in this order of precedence. Commands turn options into a
// server.Config and call package server; they hold no logic of their own.
package cli
