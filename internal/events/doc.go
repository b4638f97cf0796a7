// Package events writes down what users, clients and administrators do, in
// Keycloak's words: to the database when the realm says so, and to the log. A
// door emits one event per request it decides; rules never emit.
package events
