package latchkey_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// rules are the rooms that hold the product: every door may use them.
const rules = "realms clients doctor keys users sessions deliveries logout events records roles oauth authn authn/steps authn/actions " +
	"authn/tabs emails claims tokens bearer clientauth broker authz policy jobs"

// doorMay is what a door may import: never store, never another door.
const doorMay = "iam rep web i18n telemetry " + rules

// layers is the dependency rule, whole. A room (a folder of internal/) may
// import itself and the rooms its line names; "*" is all of them. A folder
// below a room has its room's line unless it has one of its own, and then it
// is a room like any other. A new room fails until its line is written, which
// is the moment to argue about it.
var layers = map[string]string{
	// words
	"iam":   "",
	"rep":   "iam",
	"oauth": "iam", // the refusals of OAuth 2.0
	// tools
	"jose":      "iam",
	"xmlsec":    "iam",
	"passhash":  "iam",
	"otp":       "iam",
	"webauthn":  "iam",
	"seal":      "iam",
	"i18n":      "iam",
	"mail":      "iam",
	"telemetry": "iam",
	"web":       "iam telemetry",
	"pages":     "iam i18n telemetry",
	// state
	"store":           "iam seal telemetry store/engine",
	"store/engine":    "", // opens databases, runs transactions and statements; knows no table
	"store/pgtest":    "",
	"store/storetest": "iam seal store store/pgtest",
	// rules
	"realms":     "iam rep store",
	"clients":    "iam rep jose realms store claims tokens sessions",
	"keys":       "iam jose realms rep store telemetry",
	"roles":      "iam rep realms store",
	"policy":     "iam realms store passhash",
	"events":     "iam realms store mail telemetry", // the realm says what is kept
	"users":      "iam rep realms store roles policy passhash otp seal events sessions webauthn",
	"sessions":   "iam realms store events deliveries",
	"records":    "iam jose realms store sessions events tokens bearer keys users roles", // reads what all of them keep
	"claims":     "iam roles",
	"deliveries": "iam realms store telemetry",
	"logout":     "iam realms store deliveries claims tokens sessions broker telemetry",
	"tokens":     "iam jose keys claims sessions roles realms",
	"clientauth": "iam oauth jose realms sessions authn web", // which client sent a request
	"bearer":     "iam realms roles sessions tokens users",   // whether a presented token is good
	"authn":      "iam realms",                               // the snapshot that a walk is in; it asks no rule
	"authn/steps": "iam authn authn/actions authn/tabs users roles sessions logout emails policy events otp i18n realms pages webauthn " +
		"tokens",
	"authn/tabs":      "iam store",
	"authn/authntest": "*", // the rooms of a login, for tests
	"authn/actions":   "iam rep authn authn/tabs users roles sessions logout emails policy events otp i18n realms pages webauthn",
	"emails":          "iam authn authn/tabs realms users store deliveries tokens telemetry mail pages i18n",
	"broker":          "iam realms users roles keys jose xmlsec web", // who comes from another server
	"authz":           "iam realms store users roles",
	"jobs":            "store telemetry",                        // when work is done; what it is stays with its room
	"doctor":          "iam rep clients keys realms store mail", // looks at a whole realm, and mends it by the rules of its rooms
	"migrate":         "iam rep realms store sessions",          // reads Keycloak's own tables, and stores by the rules of its rooms
	// another server's realm, as records of ours
	"watch":         "iam jose rep realms store tokens sessions events users records doctor/remote",
	"doctor/remote": "doctor iam rep web", // asks other servers; knows nothing of ours
	// doors
	"oidc": doorMay + " pages jose oidc/grants", // the tokens that clients sign
	"oidc/grants": "iam oauth jose realms users sessions tokens claims bearer authn authn/steps " +
		"authn/actions authn/tabs events logout telemetry web",
	"saml":         doorMay + " xmlsec",
	"login":        doorMay + " pages",
	"admin":        doorMay + " pages", // names the mails that it sends
	"account":      doorMay,
	"scim":         doorMay,
	"registration": doorMay,
	"console":      doorMay + " pages",
	// assembly
	"server": "*",
	"cli":    "server iam rep web telemetry doctor doctor/remote watch records jose pages", // jose: whose RSA it is; pages: themes
	// the server, for the tests of doors
	"server/servertest": "server store/pgtest",
}

// owners names the rooms that may import a package and what is below it; "*"
// is every room but iam, which is made of the standard library alone. An
// outside package without a line is refused: a dependency is a hire.
var owners = map[string]string{
	"database/sql": "store store/engine migrate", // the last reads the database of a Keycloak
	// the last is a client
	"net/http": "oidc saml login admin account scim registration console broker mail web server cli telemetry " +
		"doctor/remote",
	"html/template":                       "pages mail console",
	"github.com/jackc/pgx/v5":             "store/engine store/pgtest store/storetest migrate",
	"modernc.org/sqlite":                  "store/engine",
	"github.com/pressly/goose/v3":         "store/engine",
	"github.com/go-jose/go-jose/v4":       "jose",
	"github.com/prometheus/client_golang": "telemetry",
	"go.opentelemetry.io/otel":            "telemetry",
	"github.com/alecthomas/kong":          "cli",
	"github.com/pquerna/otp":              "otp",
	"rsc.io/qr":                           "otp",
	"github.com/go-webauthn/webauthn":     "webauthn",
	"golang.org/x/crypto/argon2":          "passhash",
	"golang.org/x/crypto":                 "passhash seal jose",
	"golang.org/x/sys/cpu":                "passhash", // whether there is AVX2
	"golang.org/x/term":                   "cli",
	"github.com/magiconair/properties":    "i18n",
	"github.com/go-json-experiment/json":  "*",
	"github.com/google/uuid":              "*",
	"github.com/hashicorp/golang-lru/v2":  "*",
	"golang.org/x/sync":                   "*",
	"golang.org/x/text":                   "*",
	"golang.org/x/time":                   "*",
	"github.com/emersion/go-sasl":         "",
	"github.com/emersion/go-smtp":         "",
	"golang.org/x/net/idna":               "mail",       // domains of addresses
	"golang.org/x/net/publicsuffix":       "web doctor", // which hosts are of one site
	"github.com/dlclark/regexp2":          "policy users",
	"github.com/russellhaering/goxmldsig": "xmlsec",
	"github.com/beevik/etree":             "xmlsec",
	"github.com/go-ldap/ldap/v3":          "users/ldap",
	"github.com/jcmturner/gokrb5/v8":      "users/kerberos",
	"github.com/wneessen/go-mail":         "mail",
	"github.com/google/go-cmp/cmp":        "",
	"golang.org/x/exp":                    "",
	"github.com/pkg/errors":               "",
	"math/rand":                           "jobs store/engine deliveries",
	"github.com/coreos/go-oidc/v3":        "broker",
	"golang.org/x/oauth2":                 "broker",
	"golang.org/x/net/html":               "pages",
	"github.com/stretchr/testify":         "",
	"github.com/rogpeppe/go-internal":     "",
	"github.com/chromedp/chromedp":        "",
	"pgregory.net/rapid":                  "",
	"github.com/Nerzal/gocloak/v13":       "",
	"github.com/zitadel/oidc/v3":          "",
}

// room is the innermost folder on a package's path that has a line in layers.
func room(pkg string) (name string, ok bool) {
	for p := pkg; p != "."; p = path.Dir(p) {
		if _, ok := layers[p]; ok {
			return p, true
		}
	}
	first, _, _ := strings.Cut(pkg, "/")
	return first, false
}

// lookupOwner finds the line for an import: the longest that covers it.
func lookupOwner(imp string) (line string, ok bool) {
	for p := imp; p != "."; p = path.Dir(p) {
		if line, ok := owners[p]; ok {
			return line, true
		}
	}
	return "", false
}

// allowed tells whether a line names the room, or a room it is a folder of.
func allowed(line, room string) bool {
	parent, _, _ := strings.Cut(room, "/")
	names := strings.Fields(line)
	return slices.Contains(names, room) || slices.Contains(names, parent) || slices.Contains(names, "*") && room != "iam"
}

// brokenLayers reads the imports of every Go file below internal/ that is not a test and says
// which break the rule. Files are read here, not by an exec'd "go list": go
// test caches results by the files the test itself opened.
func brokenLayers(internal fs.FS) (broken []string, err error) {
	const mod = "latchkey/internal/"
	say := func(format string, args ...any) { broken = append(broken, fmt.Sprintf(format, args...)) }
	err = fs.WalkDir(internal, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return err
		}
		from, ok := room(path.Dir(p))
		if !ok {
			say("internal/%s: room %q has no line in layers", p, from)
			return nil
		}
		src, err := fs.ReadFile(internal, p)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, src, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			imp, _ := strconv.Unquote(spec.Path.Value)
			if rest, ours := strings.CutPrefix(imp, mod); ours {
				to, _ := room(rest)
				may := strings.Fields(layers[from])
				if to != from && !slices.Contains(may, to) && !slices.Contains(may, "*") {
					say("internal/%s imports %s; %s may import only [%s]", p, imp, from, layers[from])
				}
				continue
			}
			line, ok := lookupOwner(imp)
			first, _, _ := strings.Cut(imp, "/")
			switch {
			case !ok && strings.Contains(first, "."):
				say("internal/%s imports %s, which has no line in owners", p, imp)
			case ok && !allowed(line, from):
				say("internal/%s imports %s, which is for [%s] alone", p, imp, line)
			}
		}
		return nil
	})
	return broken, err
}

func TestLayers(t *testing.T) {
	broken, err := brokenLayers(os.DirFS("internal"))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range broken {
		t.Error(b)
	}
}

func TestLayersNoticesViolations(t *testing.T) {
	for _, c := range []struct{ file, imports, want string }{
		{"oidc/token.go", "latchkey/internal/tokens", ""},
		{"oidc/token.go", "latchkey/internal/store", "internal/oidc/token.go imports latchkey/internal/store; oidc may import only"},
		{"oidc/token.go", "latchkey/internal/admin", "oidc may import only"},
		{"iam/realm.go", "latchkey/internal/rep", "iam may import only []"},
		{"iam/realm.go", "golang.org/x/text/language", "which is for [*] alone"},
		{"users/find.go", "database/sql", "which is for [store store/engine migrate] alone"},
		{"users/find.go", "net/http", "alone"},
		{"store/users.go", "database/sql/driver", ""},
		{"store/users.go", "latchkey/internal/store/engine", ""},
		{"store/users.go", "github.com/jackc/pgx/v5", "which is for [store/engine store/pgtest store/storetest migrate] alone"},
		{"users/find.go", "latchkey/internal/store/engine", "users may import only"},
		{"store/storetest/each.go", "latchkey/internal/store", ""},
		{"store/storetest/each.go", "latchkey/internal/store/pgtest", ""},
		{"store/pgtest/start.go", "latchkey/internal/store", "store/pgtest may import only []"},
		{"store/users.go", "latchkey/internal/store/pgtest", "store may import only"},
		{"authn/engine.go", "latchkey/internal/authn/steps", "authn may import only [iam realms]"},
		{"authn/steps/otp.go", "latchkey/internal/otp", ""},
		{"helpers/x.go", "fmt", `room "helpers" has no line in layers`},
		{"server/server.go", "latchkey/internal/store", ""},
		{"server/server.go", "example.org/unheard/of", "has no line in owners"},
		{"store/users_test.go", "latchkey/internal/oidc", ""},
	} {
		name := path.Base(path.Dir(c.file))
		fsys := fstest.MapFS{c.file: {Data: fmt.Appendf(nil, "package %s\n\nimport _ %q\n", name, c.imports)}}
		broken, err := brokenLayers(fsys)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(broken, "\n")
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s importing %s: got %q, want %q", c.file, c.imports, got, c.want)
		}
	}
}
