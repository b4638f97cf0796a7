// Package pgtest gives tests a PostgreSQL: it finds the installed binaries,
// runs one server per test binary as an unprivileged user on loopback, and
// hands out databases that are gone when the test is. Where PostgreSQL is not
// installed the test is skipped, and says so. It knows nothing of the store
// and returns URLs, so tests of the whole server use it too.
package pgtest
