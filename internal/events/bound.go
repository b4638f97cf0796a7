package events

import (
	"maps"
	"slices"

	"latchkey/internal/iam"
)

// bound shortens what of an event strangers could make long. Details are kept
// in the order of their names, until there are too many of them.
func bound(e *iam.Event) {
	e.Client = iam.Cut(e.Client, iam.MaxName)
	e.Session = iam.SessionID(iam.Cut(string(e.Session), iam.MaxName))
	size := 0
	for name, v := range e.Details {
		size += len(name) + len(v)
		if len(v) > iam.MaxDetail {
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
		details[name] = v
	}
	e.Details = details
}
