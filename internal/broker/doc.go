// Package broker logs people in by the word of other servers: identity providers. Each kind of
// provider answers three questions - where to send the browser, what came back (an iam.Brokered:
// who that is, and what is said of them), how to end the session there - and everything after
// that is the same for all kinds: which user it is, what mappers make of them, which link is kept.
// The door of logins asks it; the steps of the first broker login ask users.
package broker
