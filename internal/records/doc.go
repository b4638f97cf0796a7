// Package records keeps and explains what became of sessions. The beginning and
// the end of a session are stored with it, by package sessions; here are the
// Counter, which counts refusals and tokens without a session, and what reads all
// of it: the explorer's list, the story of one session, the answers to "why?".
package records
