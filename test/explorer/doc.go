// Package explorer tests, through the server's front door, that no session is
// invisible or unexplained: the list of sessions, their stories, and what is
// said of tokens.
package explorer
