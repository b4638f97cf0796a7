// Package deliveries tells other servers what happened here, once each and
// durably: back-channel logouts to clients, and webhooks of beginnings and ends
// of sessions. What is to be told is written in the transaction in which it
// happens, tried at once by the node that wrote it, and tried again with growing
// pauses by whichever node is there, for a day; then it is given up, and an
// administrator may have it tried anew. A receiver gets it at least once: a node
// that is lost between the answer and its note tells it again.
//
// A room that has something to tell gives the Queue a Kind - how to make the call
// of one attempt - and calls Enqueue in its transactions. Hooks is the one for
// webhooks and the log of sessions, package logout the other.
package deliveries
