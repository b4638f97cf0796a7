// Package doctor examines a realm: it holds the table of checks, the evidence
// that they look at, and what mends what they find. A check is a pure function
// of an Evidence, which is made of Keycloak's representations and of numbers;
// the collector in this package gathers it inside Latchkey, that of
// doctor/remote through the admin REST of any Keycloak 26. A part of the
// evidence may be missing, with the reason: then a check says that it cannot
// tell, and why. To add a check write its function and its line in Checks, its
// three cases in checks_test.go, and its section in doc/doctor.md.
package doctor
