// Package server puts Latchkey together: New wires every room in one readable
// function from a Config, and Run listens until its context ends. The commands
// of the program that need no listener (backup, import, ...) are functions here
// too, so that cli only reads options.
package server
