package events

import (
	"maps"
	"slices"
	"strings"

	"latchkey/internal/iam"
)

// bound shortens what of an event strangers could make long, and takes out what
// no database keeps: claims of tokens pass no other gate. Details are kept
// in the order of their names, until there are too many of them.
func bound(e *iam.Event) {
	e.Client = storable(iam.Cut(e.Client, iam.MaxName))
	e.Session = iam.SessionID(storable(iam.Cut(string(e.Session), iam.MaxName)))
	size := 0
	for name, v := range e.Details {
		size += len(name) + len(v)
		if len(v) > iam.MaxDetail || !iam.Storable(name) || !iam.Storable(v) {
			size = iam.MaxDetails + 1
		}
	}
	if size <= iam.MaxDetails {
		return
	}
	details := make(map[string]string, len(e.Details)) // the map may be the caller's
	size = 0
	for _, name := range slices.Sorted(maps.Keys(e.Details)) {
		v := iam.Cut(e.Details[name], min(iam.MaxDetail, max(iam.MaxDetails-size, 0)))
		if size += len(name) + len(v); size > iam.MaxDetails {
			break
		}
		details[storable(name)] = storable(v)
	}
	e.Details = details
}

// storable takes NUL and broken UTF-8 out of a text.
func storable(text string) string {
	if iam.Storable(text) {
		return text
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "")
}
