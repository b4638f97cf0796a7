// Package realms holds the configuration of realms: the immutable snapshot
// that a request takes once at the door (Realm), the cache of snapshots and how
// nodes notice each other's changes (Cache), the life of a realm, its defaults,
// and import and export.
//
// The stored document of every configuration object is its Keycloak
// representation (package rep), so that members Latchkey does not know survive;
// snapshots compile these documents to iam values.
package realms
