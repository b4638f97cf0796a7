package oidc

import (
	"slices"
	"testing"

	"latchkey/internal/events"
	"latchkey/internal/oidc/grants"
)

// Each rule of authorization requests asks one thing, and has its own place at each endpoint that has it.
func TestChecksHavePlaces(t *testing.T) {
	for _, x := range authChecks {
		if (x.judge == nil) == (x.take == nil) {
			t.Errorf("%s: neither or both of judge and take", x.rule)
		}
	}
	for endpoint, place := range map[string]func(check) int{"pushed": check.placeOfPushed, "device": check.placeOfDevice} {
		for i, x := range checksOf(place) {
			if place(x) != i+1 {
				t.Errorf("%s: %q has the place %d, after %d others", endpoint, x.rule, place(x), i)
			}
		}
	}
}

// What discovery names is there, and each grant writes an event that there is.
func TestGrantsOfDiscovery(t *testing.T) {
	for _, name := range grantTypes {
		kind, ok := grants.Of(name)
		if ok == (name == "implicit") { // which has no token request
			t.Errorf("%s: a grant: %v", name, ok)
		}
		if ok && !slices.Contains(events.All(), string(kind.Event)) {
			t.Errorf("%s: no event is %s", name, kind.Event)
		}
	}
}
