package realms

import (
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
)

// Master is the name of the realm whose users may administer all others.
const Master = "master"

// Ids of built-in clients. Keycloak: Constants.
const (
	ClientAccount        = "account"
	ClientAccountConsole = "account-console"
	ClientAdminCLI       = "admin-cli"
	ClientBroker         = "broker"
	ClientAdmin          = "realm-management"
	ClientAdminConsole   = "security-admin-console"

	clientAdminPermissions = "admin-permissions" // of realms with fine-grained administration
)

// Administers tells whether a client is made for administration: its tokens stand for
// all roles of their user.
func Administers(clientID string) bool {
	return clientID == ClientAdminCLI || clientID == ClientAdminConsole
}

// BuiltIn reports whether a client is one that every realm has, by its name: it
// is neither removed nor overwritten.
// Keycloak: Constants.defaultClients, JpaRealmProvider.removeClient.
func BuiltIn(clientID string) bool {
	switch clientID {
	case ClientAccount, ClientAccountConsole, ClientAdminCLI, ClientBroker, ClientAdmin, ClientAdminConsole:
		return true
	}
	return false
}

// Types of components that every realm has. Keycloak: the providers' interfaces.
const (
	TypeKeyProvider        = "org.keycloak.keys.KeyProvider"
	TypeRegistrationPolicy = "org.keycloak.services.clientregistration.policy.ClientRegistrationPolicy"
	TypeUserProfile        = "org.keycloak.userprofile.UserProfileProvider"
	TypeUserStorage        = "org.keycloak.storage.UserStorageProvider"
)

// defaultsFS holds a default realm of Keycloak 26.7.3 in pieces, in the format
// of its realm files, without ids and keys, "{realm}" for the realm's name.
//
//go:embed defaults/*.json
var defaultsFS embed.FS

// DefaultProfile is the user profile of realms that have none of their own, as
// JSON. Keycloak: keycloak-default-user-profile.json.
func DefaultProfile() ([]byte, error) { return defaultsFS.ReadFile("defaults/profile.json") }

// template reads a piece of the default realm for a realm of that name.
func template(file, realm string) (*rep.Realm, error) {
	text, err := defaultsFS.ReadFile("defaults/" + file)
	if err != nil {
		return nil, err
	}
	r := new(rep.Realm)
	quoted, err := rep.Marshal(realm)
	if err != nil {
		return nil, err
	}
	name := string(quoted[1 : len(quoted)-1])
	lower := strings.ToLower(name)
	doc := strings.NewReplacer("default-roles-{realm}", "default-roles-"+lower, "{realm}", iam.PathName(realm)).Replace(string(text))
	if err := rep.Unmarshal([]byte(doc), r); err != nil {
		return nil, fmt.Errorf("defaults/%s: %w", file, err)
	}
	return r, nil
}

// AdminRoles are the client roles that let somebody administer a realm: those
// of its own realm-management client and of its client in the master realm.
// Composites are named by the roles of the same client. Keycloak: AdminRoles.
func AdminRoles() ([]rep.Role, error) {
	t, err := template("roles.json", "")
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(t.Roles.Client[ClientAdmin], func(r rep.Role) bool { return r.Name == RoleRealmAdmin }), nil
}

// Names of roles that give rights over realms: the sum of those over one, all
// rights over all realms, and the right to make one. Keycloak: AdminRoles.
const (
	RoleRealmAdmin  = "realm-admin"
	RoleAdmin       = "admin"
	RoleCreateRealm = "create-realm"
)

const (
	roleOffline       = "offline_access"
	roleUMA           = "uma_authorization"
	roleProtection    = "uma_protection"
	roleDeleteAccount = "delete-account"
	scopeOffline      = "offline_access"
	scopeService      = "service_account"
)

// MasterClient is the id of the client in the master realm that stands for a
// realm and carries the roles to administer it. Keycloak:
// KeycloakModelUtils.getMasterRealmAdminManagementClientId.
func MasterClient(realm string) string { return realm + masterSuffix }

const masterSuffix = "-realm"

// Administrative reports whether a client of a realm is one that carries the
// roles to administer it, or another realm, by its name.
// Keycloak: ClientPermissions.isInternal.
func Administrative(realm, clientID string) bool {
	if realm == Master {
		return strings.HasSuffix(clientID, masterSuffix)
	}
	return clientID == ClientAdmin
}

// masterClient returns that client and its roles, with ids.
func masterClient(realm string) (rep.Client, []rep.Role, error) {
	t, err := template("clients.json", Master)
	if err != nil {
		return rep.Client{}, nil, err
	}
	i := slices.IndexFunc(t.Clients, func(c rep.Client) bool { return c.ClientID == ClientAdmin })
	c := t.Clients[i]
	c.ID = NewID()
	c.ClientID = MasterClient(realm)
	c.Name = new(realm + " Realm")
	c.Protocol = "" // as Keycloak leaves it: nobody logs in to this client
	roles, err := AdminRoles()
	if err != nil {
		return rep.Client{}, nil, err
	}
	for i := range roles {
		roles[i].ID = NewID()
		roles[i].ContainerID = c.ID
		if cs := roles[i].Composites; cs != nil {
			cs.Client = map[string][]string{c.ClientID: cs.Client[ClientAdmin]}
		}
	}
	return c, roles, nil
}

// checkName refuses names that Keycloak refuses. Keycloak: ReservedCharValidator,
// RealmManager.importRealm.
func checkName(name string) error {
	if strings.TrimSpace(name) == "" {
		return iam.Errorf(iam.Invalid, "Realm name cannot be empty")
	}
	if name == "." || name == ".." { // which no path names
		return &iam.Error{Kind: iam.Invalid, Msg: "Realm name cannot be " + name, Err: ErrBadRequest}
	}
	return CheckReserved(name)
}

// reserved are the characters that may not stand in names that become part of
// a URL. Keycloak: ReservedCharValidator.
const reserved = ":/?#@[]!$&()*+,;=\\"

// ErrBadRequest marks the refusals that Keycloak makes by BadRequestException: a
// reserved character in a name, a sender without address. For a new realm
// their words stand in another member than those of others.
var ErrBadRequest = errors.New("bad request")

// ErrPrecondition marks the refusals that Keycloak answers with 412.
var ErrPrecondition = errors.New("precondition failed")

// CheckReserved refuses text with characters that may not stand in names that become part of a URL.
func CheckReserved(name string) error {
	if i := strings.IndexAny(name, reserved); i >= 0 {
		return &iam.Error{Kind: iam.Invalid, Msg: "Character '" + name[i:i+1] + "' not allowed.", Err: ErrBadRequest}
	}
	return nil
}
