// Package doctor plays `latchkey doctor` as people use it: the program against a
// Latchkey on both engines and, where Java and Maven are installed, against
// Keycloak itself. What it says of the fix is then verified by doing.
package doctor
