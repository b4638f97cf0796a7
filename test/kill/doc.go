// Package kill is tests alone: the server is killed under load, and what it had
// acknowledged must have survived.
package kill
