package attacks

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/test/harness"
	"latchkey/test/visitor"
)

var update = flag.Bool("update", false, "write what is lacking into doc/STATUS.md")

const (
	statusFile       = "../../doc/STATUS.md"
	lacksBegin       = "<!-- lacks: begin -->\n"
	lacksEnd         = "<!-- lacks: end -->"
	referenceListing = "testdata/serverinfo.txt"
)

// inside are the kinds of providers by which Keycloak is built: storage, caches,
// Java's libraries. Nobody outside can tell that this server has others.
var inside = strings.Fields(
	`alternativeLookup authenticationSessions authorization-request-parser authorizationCache authorizationPersister cacheEmbedded
	cacheRemote client client-policy-manager clientScope clientValidation cluster componentFactory connectionsHttpClient connectionsInfinispan connectionsJpa
	connectionsJpaUpdater connectionsLiquibase cookie cors crlCache crlStorage datastore dblock deployed-configurations deploymentState
	deviceRepresentation eventsStore exception-converter executors freemarker group hostname identity-provider-storage infinispanTransactions jgroupsMtls
	jta-lookup localCache localeSelector localeUpdater login loginFailure migration organization password-policy-manager publicKeyCache publicKeyStorage realm
	realm-manager realmCache refresh-token resource-encoding revokedToken revokedTokenPersister role scripting security-headers security-profile serverConfig
	singleUseObject stickySessionEncoder theme themeManager themeResource themeSelector timer token-interceptor tokenContextEncoder truststore user
	userCache userFederatedStorage userSessionPersister userSessions workflow workflow-state`)

// TestServerInfoNamesEveryFeature holds the server's list of features and
// providers against the reference's: each of those is there, or it is off and
// doc/STATUS.md says that it is lacking. go test ./test/attacks -run
// TestServerInfoNamesEveryFeature -update writes that part of the page.
func TestServerInfoNamesEveryFeature(t *testing.T) {
	s := harness.Start(t, harness.Options{})
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	var here struct {
		Features []struct {
			Name, Label, Type string
			Enabled           bool
		}
		ProfileInfo struct{ DisabledFeatures, PreviewFeatures, ExperimentalFeatures []string }
		Providers   map[string]struct {
			Internal  bool
			Providers map[string]struct{ Order int }
		}
	}
	serverInfo(t, ctx, s.URL, &here)
	listing, err := os.ReadFile(referenceListing)
	if err != nil {
		t.Fatal(err)
	}

	var features, profile []string
	lacking := map[string][]string{}
	for line := range strings.Lines(string(listing)) {
		f := strings.Fields(line)
		switch f[0] {
		case "feature":
			name := f[1]
			i := slices.IndexFunc(here.Features, func(x struct {
				Name, Label, Type string
				Enabled           bool
			}) bool {
				return x.Name == name
			})
			if i < 0 {
				t.Errorf("the feature %s is not listed", name)
				continue
			}
			x := here.Features[i]
			if x.Type != f[2] {
				t.Errorf("the feature %s is %s, not %s", name, x.Type, f[2])
			}
			if !x.Enabled {
				profile = append(profile, name)
				features = append(features, fmt.Sprintf("| `%s` | %s | %s |\n", name, x.Label, usually[x.Type]))
			}
		case "provider":
			kind, id, order := f[1], f[2], f[3]
			p, ok := here.Providers[kind].Providers[id]
			switch {
			case slices.Contains(inside, kind):
			case !ok:
				lacking[kind] = append(lacking[kind], "`"+id+"`")
			case fmt.Sprint(p.Order) != order:
				t.Errorf("the %s %s has the order %d, not %s", kind, id, p.Order, order)
			case here.Providers[kind].Internal != (f[4] == "internal"):
				t.Errorf("the kind %s is internal: %v", kind, !here.Providers[kind].Internal)
			}
		}
	}
	if got := slices.Sorted(slices.Values(here.ProfileInfo.DisabledFeatures)); !slices.Equal(got, profile) {
		t.Errorf("the profile has disabled %v, the features %v", got, profile)
	}

	var b strings.Builder
	b.WriteString("| feature | what it is | in Keycloak |\n|---|---|---|\n" + strings.Join(features, "") +
		"\n| kind of provider | lacking |\n|---|---|\n")
	for _, kind := range slices.Sorted(maps.Keys(lacking)) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", kind, strings.Join(lacking[kind], ", "))
	}
	page, err := os.ReadFile(statusFile)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(page), lacksBegin)
	said, tail, closed := strings.Cut(rest, lacksEnd)
	if !ok || !closed {
		t.Fatalf("%s has no place for what is lacking", statusFile)
	}
	if *update {
		if err := os.WriteFile(statusFile, []byte(head+lacksBegin+b.String()+lacksEnd+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if said != b.String() {
		t.Errorf("%s does not say what is lacking; -update writes:\n%s", statusFile, b.String())
	}
}

// usually says what Keycloak does with features of a type.
var usually = map[string]string{
	"DEFAULT": "on", "DISABLED_BY_DEFAULT": "off unless asked for", "PREVIEW": "preview, off unless asked for",
	"EXPERIMENTAL": "experimental, off unless asked for",
	"DEPRECATED":   "deprecated, off unless asked for",
}

// serverInfo reads what the server says of itself to an administrator.
func serverInfo(t *testing.T, ctx context.Context, base string, v any) {
	t.Helper()
	answer, err := visitor.Party{Base: base, Realm: "master", ClientID: "admin-cli"}.Post(ctx, "token",
		url.Values{"grant_type": {"password"}, "username": {"admin"}, "password": {"admin"}})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/admin/serverinfo", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+answer.Access)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		t.Fatal(err)
	}
}
