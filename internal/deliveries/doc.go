// Package deliveries tells others what happened here, once each and
// durably: back-channel logouts to clients, and webhooks of beginnings and ends
// of sessions. What is to be told is written in the transaction in which it
// happens, tried at once by the node that wrote it, and tried again with growing
// pauses by whichever node is there, for a day; then it is given up, and an
// administrator may have it tried anew. A receiver gets it at least once: a node
// that is lost between the answer and its note tells it again.
//
// A room that has something to tell gives the Queue a Kind, which sends one attempt,
// and calls Enqueue in its transactions. HTTP is the Kind of calls: of webhooks (Hooks,
// which also writes the log of sessions) and of package logout.
package deliveries
