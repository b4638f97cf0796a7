// Package logout tells clients that a session has ended, by their back-channel
// logout address (OpenID Connect Back-Channel Logout 1.0), and knows the
// addresses of those that are told through the browser (Front-Channel Logout).
// Whoever ends a session calls Notify with the parts that clients had in it.
// Back-channel calls go through package deliveries: they are durable and repeated.
package logout
