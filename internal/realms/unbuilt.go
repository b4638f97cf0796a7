package realms

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
)

// A realmSwitch is a setting by which a realm turns on a feature of Keycloak's.
// Where the feature is not there a request may not turn it on, and a file that
// has it on has a gap: a switch that is stored and does nothing deceives.
type realmSwitch struct {
	member  string                      // of RealmRepresentation
	feature string                      // what CanDo is asked for
	name    string                      // of the feature, in sentences
	on      func(r *rep.Realm) []string // what is on by it: the member, or the things of which it is a list
	whom    func(r *rep.Realm) string   // whom it affects that the feature is not there
}

func member(name string, value func(r *rep.Realm) *bool) func(r *rep.Realm) []string {
	return func(r *rep.Realm) []string {
		if rep.Val(value(r)) {
			return []string{name}
		}
		return nil
	}
}

func says(text string) func(*rep.Realm) string { return func(*rep.Realm) string { return text } }

// realmSwitches are all of RealmRepresentation's that turn on something that a
// build may lack. A test holds every other member against what becomes of it.
func realmSwitches() []realmSwitch {
	return []realmSwitch{
		{"organizationsEnabled", "organizations", "organizations",
			member("organizationsEnabled", func(r *rep.Realm) *bool { return r.OrganizationsEnabled }),
			func(r *rep.Realm) string {
				return count(len(r.Organizations), "organization", "is", "are") + " kept but not used; members log in as everybody else"
			}},
		{"adminPermissionsEnabled", "admin-permissions", "fine-grained admin permissions",
			member("adminPermissionsEnabled", func(r *rep.Realm) *bool { return r.AdminPermissionsEnabled }),
			says("administrators who depend on them")},
		{"scimApiEnabled", "scim", "the SCIM API",
			member("scimApiEnabled", func(r *rep.Realm) *bool { return r.SCIMAPIEnabled }), says("its clients")},
		{"userManagedAccessAllowed", "authorization", "user-managed access",
			member("userManagedAccessAllowed", func(r *rep.Realm) *bool { return r.UserManagedAccessAllowed }), says("users who share resources")},
		{"clientPolicies", "client-policies", "client policies", enabledPolicies, func(r *rep.Realm) string {
			return count(len(enabledPolicies(r)), "policy", "is", "are") + " not enforced"
		}},
	}
}

// fillPolicies gives a realm's client policies and profiles the lists that Keycloak always writes.
func fillPolicies(r *rep.Realm) error {
	for _, d := range []struct {
		member string
		doc    *jsontext.Value
		v      interface{ Fill() }
	}{
		{"clientPolicies", &r.ClientPolicies, new(rep.ClientPolicies)}, {"clientProfiles", &r.ClientProfiles, new(rep.ClientProfiles)},
	} {
		if len(*d.doc) == 0 || string(*d.doc) == "null" {
			continue
		}
		if err := rep.Unmarshal(*d.doc, d.v); err != nil {
			return iam.Errorf(iam.Invalid, "%s: %v", d.member, err)
		}
		d.v.Fill()
		text, err := rep.Marshal(d.v)
		if err != nil {
			return err
		}
		*d.doc = text
	}
	return nil
}

// refuseSwitches refuses what a request turns on that is not there. What was on
// before, since a file brought it, may stay: a realm that was read can be sent
// back as it was.
func (m *Manager) refuseSwitches(before, after *rep.Realm) error {
	for _, s := range realmSwitches() {
		if m.Can(CanDo, s.feature) {
			continue
		}
		was := s.on(before)
		for _, name := range s.on(after) {
			if slices.Contains(was, name) {
				continue
			}
			if name == s.member {
				return iam.Errorf(iam.Invalid, "%s cannot be enabled: %s is not supported by this server yet", s.member, s.name)
			}
			return iam.Errorf(iam.Invalid, "%s %s cannot be enabled: %s are not enforced by this server yet", s.member, name, s.name)
		}
	}
	return nil
}
