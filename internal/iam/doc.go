// Package iam is Latchkey's vocabulary: realms, clients, users, credentials,
// sessions, grants, events, flows and keys, as plain values. It does no I/O,
// reads no clock, holds no locks and declares no interfaces; it imports only
// the standard library. Everything else in Latchkey is written in these words.
//
// Configuration values (Realm, Client, ClientScope, Role, Flow, ...) are
// compiled from Keycloak's representations (package rep) when a realm snapshot
// is built, and are immutable from then on: many requests share one.
package iam
