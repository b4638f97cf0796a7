// Package attacks is tests alone: what attackers try, through the front door of
// the real binary, on both engines. Each file is one kind of attack.
package attacks
