// Package bearer judges presented tokens: whether one is good now, and why not.
// Each door says what it wants of a token, in which order it is to be checked, and
// makes its own words and statuses of the refusal.
package bearer
