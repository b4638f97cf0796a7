// Package grants holds the ways to get tokens: one table from grant_type to a function
// that comes to a decision, or to a refusal. It reads no request and writes no answer;
// that is for the endpoint.
package grants
