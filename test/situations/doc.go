// Package situations brings about, through public endpoints alone, what people
// ask "why?" about, and holds that the first answer names the true cause: that
// what it says fails does fail, and that it works once its remedy is applied.
// The table is what doc/sessions-reasons.md links to.
package situations
