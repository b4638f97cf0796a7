// Package clients holds the rules of a realm's clients and client scopes as
// administrators change them: what a new one starts with, what an update may
// change, which scopes, mappers and role scope mappings they carry, and what is
// refused in which words. Every change is one transaction in realms.Cache.Change.
package clients
