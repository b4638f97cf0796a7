// Package remote examines and mends realms of other servers, Keycloak 26 or
// Latchkey, through their admin REST. Examining reads only, by a bounded number
// of requests; where that bound, or a right that the account lacks, leaves a
// part of the evidence out, the evidence says so. A new piece of evidence is a
// step of collection.run, with what it costs in requests.
package remote
