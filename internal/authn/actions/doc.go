// Package actions has the required actions: what a user must do between the
// end of a flow and the end of the login, because an administrator, the realm
// or the application said so. Set decides which is due and runs it; what an
// action needs of the world it takes from World, and what it decides it returns
// in the engine's words.
package actions
