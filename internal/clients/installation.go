package clients

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
)

// A File is something to download.
type File struct {
	Type string // media type
	Data []byte
}

// adapterConfig is Keycloak's ClientManager.InstallationAdapterConfig.
type adapterConfig struct {
	Realm           string         `json:"realm"`
	BearerOnly      bool           `json:"bearer-only,omitzero"`
	AuthServerURL   string         `json:"auth-server-url"`
	SSLRequired     string         `json:"ssl-required"`
	Resource        string         `json:"resource"`
	PublicClient    bool           `json:"public-client,omitzero"`
	VerifyAudience  bool           `json:"verify-token-audience,omitzero"`
	UseRoleMappings bool           `json:"use-resource-role-mappings,omitzero"`
	Credentials     map[string]any `json:"credentials,omitzero"`
	Port            int            `json:"confidential-port"`
}

// Installation renders what a client's developer configures an application
// with, nil for a provider that is not there. base is the server's address
// with a slash at its end. Keycloak: KeycloakOIDCClientInstallation,
// KeycloakOIDCJbossSubsystemClientInstallation, KeycloakOIDCJbossSubsystemClientCliInstallation.
func Installation(r *realms.Realm, c *realms.Client, provider, base string) (*File, error) {
	a := adapter(r, c, base)
	switch provider {
	case "keycloak-oidc-keycloak-json":
		data, err := json.MarshalIndent(a, "", "  ")
		return &File{"text/plain;charset=utf-8", data}, err
	case "keycloak-oidc-jboss-subsystem":
		return &File{"text/plain;charset=utf-8", a.subsystem(r)}, nil
	case "keycloak-oidc-jboss-subsystem-cli":
		return &File{"text/plain;charset=utf-8", a.script(r)}, nil
	}
	return nil, nil
}

// Adapter is the JSON of the provider keycloak-oidc-keycloak-json as the client
// registration service's "install" gives it: it says nothing of the audience.
func Adapter(r *realms.Realm, c *realms.Client, base string) any {
	a := adapter(r, c, base)
	a.VerifyAudience = false
	return a
}

func adapter(r *realms.Realm, c *realms.Client, base string) adapterConfig {
	roles := len(r.RolesOf(c.ID)) > 0
	return adapterConfig{
		Realm: r.Name, AuthServerURL: base, SSLRequired: string(r.SSL), Resource: c.ClientID,
		BearerOnly: c.Access == iam.BearerOnly, PublicClient: c.Access == iam.Public,
		VerifyAudience: resolvesAudience(r, c), UseRoleMappings: roles, Credentials: credentials(c),
	}
}

// resolvesAudience reports whether tokens for the client's users name it in
// their audience. Keycloak: ClientManager.showVerifyTokenAudience.
func resolvesAudience(r *realms.Realm, c *realms.Client) bool {
	if len(r.RolesOf(c.ID)) == 0 {
		return false
	}
	for _, s := range r.Scopes {
		if !s.DefaultOfRealm {
			continue
		}
		for _, m := range s.Mappers {
			if m.Mapper == "oidc-audience-resolve-mapper" {
				return true
			}
		}
	}
	return false
}

func credentials(c *realms.Client) map[string]any {
	if c.Access == iam.Public || c.Access == iam.BearerOnly && rep.Val(c.Rep.NodeReRegistrationTimeout) <= 0 {
		return nil
	}
	secret := rep.Val(c.Rep.Secret)
	switch c.AuthMethod {
	case "client-jwt":
		return map[string]any{"jwt": map[string]any{
			"client-keystore-file": "REPLACE WITH THE LOCATION OF YOUR KEYSTORE FILE", "client-keystore-type": "jks",
			"client-keystore-password": "REPLACE WITH THE KEYSTORE PASSWORD", "client-key-password": "REPLACE WITH THE KEY PASSWORD IN KEYSTORE",
			"client-key-alias": c.ClientID, "token-timeout": 10,
		}}
	case "client-secret-jwt":
		return map[string]any{"secret-jwt": map[string]any{"secret": secret}}
	case "client-secret":
		return map[string]any{"secret": secret}
	}
	return map[string]any{}
}

func (a adapterConfig) subsystem(r *realms.Realm) []byte {
	var b bytes.Buffer
	element := func(indent, name, value string) { fmt.Fprintf(&b, "%s<%s>%s</%s>\n", indent, name, value, name) }
	flag := func(name string, is bool) {
		if is {
			element("    ", name, "true")
		}
	}
	b.WriteString("<secure-deployment name=\"WAR MODULE NAME.war\">\n")
	element("    ", "realm", a.Realm)
	element("    ", "auth-server-url", a.AuthServerURL)
	flag("bearer-only", a.BearerOnly)
	flag("public-client", a.PublicClient)
	element("    ", "ssl-required", strings.ToUpper(string(r.SSL)))
	element("    ", "resource", a.Resource)
	flag("verify-token-audience", a.VerifyAudience)
	for _, name := range sortedKeys(a.Credentials) {
		switch v := a.Credentials[name].(type) {
		case map[string]any:
			fmt.Fprintf(&b, "    <credential name=%q>\n", name)
			for _, k := range sortedKeys(v) {
				element("        ", k, fmt.Sprint(v[k]))
			}
			b.WriteString("    </credential>\n")
		default:
			fmt.Fprintf(&b, "    <credential name=%q>%v</credential>\n", name, v)
		}
	}
	flag("use-resource-role-mappings", a.UseRoleMappings)
	b.WriteString("</secure-deployment>\n")
	return b.Bytes()
}

func (a adapterConfig) script(r *realms.Realm) []byte {
	const deployment = `/subsystem=keycloak/secure-deployment="WAR MODULE NAME.war"/`
	var b bytes.Buffer
	lines := []string{fmt.Sprintf("realm=%q", a.Realm), fmt.Sprintf("resource=%q", a.Resource), "auth-server-url=" + a.AuthServerURL}
	for _, f := range []struct {
		name string
		is   bool
	}{
		{"bearer-only", a.BearerOnly}, {"public-client", a.PublicClient},
		{"verify-token-audience", a.VerifyAudience}, {"use-resource-role-mappings", a.UseRoleMappings},
	} {
		if f.is {
			lines = append(lines, f.name+"=true")
		}
	}
	lines = append(lines, "ssl-required="+strings.ToUpper(string(r.SSL)))
	b.WriteString(deployment + ":add( \\\n    " + strings.Join(lines, ", \\\n    ") + ")\n\n")
	for _, name := range sortedKeys(a.Credentials) {
		value := fmt.Sprint(a.Credentials[name])
		if v, ok := a.Credentials[name].(map[string]any); ok {
			pairs := make([]string, 0, len(v))
			for _, k := range sortedKeys(v) {
				pairs = append(pairs, k+"="+fmt.Sprint(v[k]))
			}
			value = "{" + strings.Join(pairs, ", ") + "}"
		}
		b.WriteString(deployment + "credential=" + name + ":add(value=" + value + ")\n")
	}
	return b.Bytes()
}

// jwtKeys is the order in which the reference writes the settings of signed JWTs.
var jwtKeys = []string{"client-key-password", "client-keystore-file", "client-keystore-password", "client-key-alias", "token-timeout",
	"client-keystore-type"}

func sortedKeys(m map[string]any) []string {
	return slices.SortedFunc(maps.Keys(m), func(a, b string) int { return slices.Index(jwtKeys, a) - slices.Index(jwtKeys, b) })
}
