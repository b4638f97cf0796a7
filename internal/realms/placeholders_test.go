package realms_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"latchkey/internal/realms"
	"latchkey/internal/store/storetest"
)

// TestNestedPlaceholders: defaults and values may hold placeholders.
// Keycloak: StringPropertyReplacer
func TestNestedPlaceholders(t *testing.T) {
	env := map[string]string{"C": "sea", "HOLDS": "a ${C} b", "SELF": "${SELF}", "QUOTED": `"${C}"`}
	for given, want := range map[string]string{
		"${A:${B:c}}": "c", "${A:${C}}": "sea", "${A:${B:${C}}}": "sea", "${HOLDS}": "a sea b", "${A:x-${HOLDS}}": "x-a sea b",
		"${A,C}": "sea", "${A,B:d}": "d",
		"${SELF}": "${SELF}", "${A}": "${A}", "${A:}": "", "${:x}": "${:x}", "$C": "$C", "${": "${", "${role_admin}": "${role_admin}",
		"${env.C}": "sea", `${QUOTED}`: `"sea"`,
		"${A:{x}}": "{x}",
	} {
		dir := write(t, map[string]string{"r.json": `{"realm":"x","displayName":"` + given + `"}`})
		files, err := realms.ReadFiles(dir, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
		if err != nil {
			t.Fatalf("%s: %v", given, err)
		}
		if got := *files[0].Realm.DisplayName; got != want {
			t.Errorf("%s: got %s, want %s", given, got, want)
		}
	}
}

// TestUnreplacedPlaceholders: each is named with its place; those of messages are none.
func TestUnreplacedPlaceholders(t *testing.T) {
	m := newManager(storetest.SQLite(t))
	files, err := realms.ReadFiles(write(t,
		map[string]string{"r.json": `[{"realm":"other","displayName":"${OTHER}"},{"realm":"x","clients":[{"clientId":"${ID}","secret":"a ${SECRET} b",
		"name":"${client_x}","description":"${A:default}"}],"users":[{"username":"${env.USER_NAME}"}]}]`}), noEnv)
	if err != nil {
		t.Fatal(err)
	}
	done, err := m.Check(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range done {
		for _, g := range d.Gaps {
			got = append(got, g.String())
		}
	}
	var want []string
	for _, line := range []string{"other: placeholder ${OTHER}: /displayName", "x: placeholder ${ID}: /clients/0/clientId",
		"x: placeholder ${SECRET}: /clients/0/secret",
		"x: placeholder ${env.USER_NAME}: /users/0/username"} {
		what, place, _ := strings.Cut(line, "}: ")
		want = append(want, what+"}: there is no such variable, and "+place+" has the text itself")
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if _, err := m.Import(t.Context(), files, realms.ImportOptions{OnConflict: realms.Fail}); !isGaps(err) {
		t.Errorf("imported: %v", err)
	}
}

// TestClientsAreChecked: what Keycloak's client validation refuses is refused
// in files and posted realms, too, at its place.
// Keycloak: DefaultExportImportManager.createClients, DefaultClientValidationProvider
func TestClientsAreChecked(t *testing.T) {
	m := newManager(storetest.SQLite(t))
	for client, want := range map[string]string{
		`"rootUrl":"${URL}"`:                      "/clients/0/rootUrl: Root URL is not a valid URL",
		`"baseUrl":"foo"`:                         "/clients/0/baseUrl: Base URL is not a valid URL",
		`"redirectUris":["http://x/*","foo bar"]`: "/clients/0/redirectUris/1: A redirect URI is not a valid URI",
		`"redirectUris":["http://a#b"]`: "/clients/0/redirectUris/0: A redirect URI must not contain an URL " +
			"fragment",
		`"adminUrl":"x"`:                  "/clients/0/adminUrl: Admin URL is not a valid URL",
		`"attributes":{"jwks.url":"x y"}`: "/clients/0/attributes/jwks.url: JWKS URL is not a valid URL",
		`"attributes":{"backchannel.logout.url":"foo"}`: "/clients/0/attributes/backchannel.logout.url: Backchannel logout URL " +
			"is not a valid URL",
		`"attributes":{"client.session.idle.timeout":"99999"}`: "/clients/0/attributes/client.session.idle.timeout: Client session " +
			"idle timeout cannot exceed realm SSO session idle timeout.",
		`"attributes":{"client.session.max.lifespan":"999999"}`: "/clients/0/attributes/client.session.max.lifespan: Client session max " +
			"lifespan cannot exceed realm SSO session max lifespan.",
		`"attributes":{"acr.loa.map":"x"}`: "/clients/0/attributes/acr.loa.map: Invalid client configuration " +
			"(ACR-LOA map) for client",
		`"attributes":{"default.acr.values":"gold"}`: "/clients/0/attributes/default.acr.values: Default ACR values need to " +
			"contain",
		`"protocol":"radius"`: `/clients/0: protocol: no protocol "radius"`,
		`"rootUrl":"${authBaseUrl}","baseUrl":"/x","webOrigins":["x"]`: "",
	} {
		_, err := m.Create(t.Context(), parse(t, `{"realm":"x","clients":[{"clientId":"c",`+client+`}]}`))
		if want == "" {
			if err != nil {
				t.Errorf("%s: %v", client, err)
			}
			continue
		}
		problem, ok := errors.AsType[*realms.Problem](err)
		if !ok || !strings.HasPrefix(problem.Path+": "+problem.Msg, want) {
			t.Errorf("%s: got %v, want %s", client, err, want)
		}
	}
}
