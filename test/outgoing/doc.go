// Package outgoing is tests alone: what Latchkey tells other servers - logouts
// to clients, webhooks - arrives, whatever happens to either side in between.
package outgoing
