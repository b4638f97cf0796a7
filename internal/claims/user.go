package claims

import (
	"crypto/md5"
	"crypto/sha256"
	"net/url"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"latchkey/internal/iam"
	"latchkey/internal/roles"
)

// userAttribute: UserAttributeMapper.
func userAttribute(in *Input, m *iam.ProtocolMapper, kind Kind, t *Set) {
	if v := attribute(in, m.Config["user.attribute"], m.Config["aggregate.attrs"] == "true"); len(v) > 0 {
		set(m, kind, t, v)
	}
}

// attribute returns a user's attribute or, where the user has none or with
// aggregate, that of the user's groups. Keycloak: KeycloakModelUtils.resolveAttribute.
func attribute(in *Input, name string, aggregate bool) []string {
	values := own(in.user(), name)
	if in.Effective == nil || !aggregate && (len(values) > 0 || len(in.Effective.Groups) == 0) {
		return values
	}
	seen := map[string]bool{}
	var out []string
	add := func(list []string) {
		for _, v := range list {
			if !seen[v] {
				seen[v] = true
				out = append(out, v)
			}
		}
	}
	add(values)
	for _, g := range in.Effective.Groups {
		list := groupAttribute(g, name, aggregate)
		add(list)
		if len(list) > 0 && !aggregate {
			break
		}
	}
	return out
}

func groupAttribute(g *roles.Group, name string, aggregate bool) []string {
	var out []string
	for ; g != nil; g = g.Up {
		out = append(out, g.Attrs[name]...)
		if len(out) > 0 && !aggregate {
			break
		}
	}
	return out
}

// own returns an attribute as Keycloak's UserModel has it, where user name,
// e-mail and names are attributes, too.
func own(u *iam.User, name string) []string {
	v := ""
	switch name {
	case "username":
		v = u.Username
	case "email":
		v = u.Email
	case "firstName":
		v = u.FirstName
	case "lastName":
		v = u.LastName
	default:
		return u.Attrs[name]
	}
	if v == "" {
		return nil
	}
	return []string{v}
}

// userProperty: UserPropertyMapper, the getters of UserModel by name.
func userProperty(in *Input, m *iam.ProtocolMapper, kind Kind, t *Set) {
	u, v := in.user(), ""
	name := m.Config["user.attribute"]
	if name != "" {
		name = strings.ToLower(name[:1]) + name[1:]
	}
	switch name {
	case "id":
		v = string(u.ID)
	case "username":
		v = u.Username
	case "email":
		v = u.Email
	case "firstName":
		v = u.FirstName
	case "lastName":
		v = u.LastName
	case "emailVerified":
		v = strconv.FormatBool(u.EmailVerified)
	case "enabled":
		v = strconv.FormatBool(u.Enabled)
	case "createdTimestamp":
		v = strconv.FormatInt(u.CreatedAt.UnixMilli(), 10)
	case "federationLink":
		v = u.Federation
	case "serviceAccountClientLink":
		v = string(u.ServiceAccount)
	}
	if v != "" {
		set(m, kind, t, v)
	}
}

// fullName: FullNameMapper.
func fullName(in *Input, _ *iam.ProtocolMapper, _ Kind, t *Set) {
	if name := strings.TrimSpace(in.user().FirstName + " " + in.user().LastName); name != "" {
		t.Put("name", name)
	}
}

// address: AddressMapper. Each field has the name of its attribute in the
// configuration, "user.attribute.street", else that of the field.
func address(in *Input, m *iam.ProtocolMapper, _ Kind, t *Set) {
	out, _ := t.Get("address").(*Set)
	if out == nil {
		out = new(Set)
	}
	for _, f := range [...]struct{ field, claim string }{
		{"street", "street_address"}, {"locality", "locality"}, {"region", "region"},
		{"postal_code", "postal_code"}, {"country", "country"}, {"formatted", "formatted"},
	} {
		name, ok := m.Config["user.attribute."+f.field]
		if !ok {
			name = f.field
		}
		if v := own(in.user(), name); len(v) > 0 {
			out.Put(f.claim, v[0])
		}
	}
	if out.Len() > 0 {
		t.Put("address", out)
	}
}

// groupMembership: GroupMembershipMapper, always with several values.
func groupMembership(in *Input, m *iam.ProtocolMapper, kind Kind, t *Set) {
	list := []any{}
	if in.Effective != nil {
		for _, g := range in.Effective.Groups {
			name := g.Name
			if m.Config["full.path"] == "true" {
				name = g.Path()
			}
			list = append(list, name)
		}
	}
	if path := iam.ClaimPath(m.Config["claim.name"]); len(path) > 0 && len(list) > 0 {
		nest(path, list, t, true)
	}
}

// subject: SubMapper.
func subject(in *Input, _ *iam.ProtocolMapper, _ Kind, t *Set) { t.Put("sub", string(in.user().ID)) }

// pairwise: SHA256PairwiseSubMapper.
func pairwise(in *Input, m *iam.ProtocolMapper, _ Kind, t *Set) {
	if sub := PairwiseSubject(in.Grant.Client, m, in.user().ID); sub != "" {
		t.Put("sub", sub)
	}
}

// PairwiseSubject computes the subject that a user has at a client's sector by
// a pairwise mapper (OpenID Connect Core 8.1); "" when the mapper has no salt or
// the client no single sector.
func PairwiseSubject(c *iam.Client, m *iam.ProtocolMapper, user iam.UserID) string {
	salt, sector := m.Config["pairwiseSubAlgorithmSalt"], sectorOf(c, m)
	if salt == "" || sector == "" {
		return ""
	}
	h := sha256.Sum256([]byte(sector + string(user) + salt))
	// Java's UUID.nameUUIDFromBytes: a version 3 UUID without a name space.
	id := uuid.UUID(md5.Sum(h[:]))
	id[6], id[8] = id[6]&0x0f|0x30, id[8]&0x3f|0x80
	return id.String()
}

// sectorOf: PairwiseSubMapperUtils.resolveValidSectorIdentifier.
func sectorOf(c *iam.Client, m *iam.ProtocolMapper) string {
	hostOf := func(s string) string {
		u, err := url.Parse(s)
		if err != nil {
			return ""
		}
		return u.Hostname()
	}
	if s := m.Config["sectorIdentifierUri"]; s != "" {
		return hostOf(s)
	}
	sector := ""
	for _, u := range c.RedirectURIs {
		if strings.HasPrefix(u, "/") {
			u = c.RootURL + u
		}
		host := hostOf(u)
		if host == "" {
			continue
		}
		if sector != "" && sector != host {
			return ""
		}
		sector = host
	}
	if sector == "" {
		return hostOf(c.RootURL)
	}
	return sector
}
