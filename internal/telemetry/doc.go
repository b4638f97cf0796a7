// Package telemetry is how Latchkey tells its operators what it does: the
// logger with the keys that log lines share, and the metrics registry with
// every series the server exports. Label values are bounded (route patterns,
// grant types, error codes), never a user, a client or an address.
package telemetry
