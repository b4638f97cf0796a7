package admin

import (
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
)

// An Object is what a permission is asked about: one thing, or all things of the
// permission's kind in the request's realm, which is the zero value. Roles answer for
// all alike; fine-grained permissions would look at the object.
type Object struct {
	Type  ObjectType
	ID    string
	realm *realms.Realm // where it is, nil for the request's
}

// An ObjectType is a type of objects that permissions can be given for. Keycloak:
// AdminPermissionsSchema, and the realm.
type ObjectType string

// The types of objects; All is no single one.
const (
	All       ObjectType = ""
	OneRealm  ObjectType = "Realms"
	OneUser   ObjectType = "Users"
	OneClient ObjectType = "Clients"
	OneGroup  ObjectType = "Groups"
	OneRole   ObjectType = "Roles"
)

var onAll = Object{}

func onRealm(r *realms.Realm) Object { return Object{OneRealm, string(r.ID), r} }

func onUser(id iam.UserID) Object { return Object{Type: OneUser, ID: string(id)} }

// onClient is about all where the id is "", as the container of the realm's own roles.
func onClient(id iam.ClientID) Object {
	if id == "" {
		return onAll
	}
	return Object{Type: OneClient, ID: string(id)}
}

func onGroup(id iam.GroupID) Object { return Object{Type: OneGroup, ID: string(id)} }

func onRole(r *realms.Role) Object { return Object{Type: OneRole, ID: string(r.ID)} }

// pathObjects says of what type the object is that a path names by a wildcard. Paths
// have no permission for what other wildcards name.
var pathObjects = map[string]ObjectType{"user": OneUser, "userid": OneUser, "client": OneClient, "group": OneGroup,
	"role": OneRole, "roleid": OneRole}

// objectOf is the wildcard of the object that a route's permission is about: the first
// that names one. What follows it is a part of that, or brought together with it.
func objectOf(pattern string) string {
	for segment := range strings.SplitSeq(pattern, "/") {
		if name, is := strings.CutPrefix(segment, "{"); is {
			if name = strings.TrimSuffix(name, "}"); pathObjects[name] != "" {
				return name
			}
		}
	}
	return ""
}

// named is the object that the path names by a wildcard, onAll for none. Of roles a
// path has the name or the id.
func (c *Call) named(wildcard string) Object {
	t := pathObjects[wildcard]
	if t == "" {
		return onAll
	}
	id := c.Path(wildcard)
	if wildcard == "role" {
		if role := c.Realm.RoleByName("", id); role != nil {
			return onRole(role)
		}
	}
	return Object{Type: t, ID: id}
}
