package migrate

import (
	"bufio"
	"context"
	"database/sql"
	"os"
	"strings"
	"testing"

	"latchkey/internal/store/pgtest"
)

// keycloak makes a database with the tables of Keycloak 26.7 and runs statements in
// it. The tables are those that the reference made, without their constraints.
func keycloak(t *testing.T, statements ...string) string {
	t.Helper()
	url := pgtest.Database(t)
	file, err := os.Open("testdata/schema-26.7.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var tables []string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		name, columns, _ := strings.Cut(lines.Text(), ": ")
		tables = append(tables, "create table "+name+" ("+columns+")")
	}
	run(t, url, append(tables, statements...)...)
	return url
}

func run(t *testing.T, url string, statements ...string) {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

const version = `insert into migration_model (id, version, update_time) values ('a', '26.7.3', 5)`

func TestRecognises(t *testing.T) {
	model := func(v string, at int) string {
		return strings.Replace(strings.Replace(version, "26.7.3", v, 1), "5)", string(rune('0'+at))+")", 1)
	}
	for _, c := range []struct {
		name string
		url  func(t *testing.T) string
		want string // "" for a Keycloak's that can be read
	}{
		{"26.7", func(t *testing.T) string { return keycloak(t, version) }, ""},
		{"the newest row counts", func(t *testing.T) string { return keycloak(t, model("21.0.0", 1), model("26.7.3", 2)) }, ""},
		{"24", func(t *testing.T) string { return keycloak(t, model("24.0.5", 1)) }, ""},
		{"not Keycloak's", pgtestDatabase, "not a Keycloak's database: it has no table DATABASECHANGELOG (of 0 tables)"},
		{"half of one", func(t *testing.T) string { return keycloak(t, "drop table realm") }, "it has no table REALM"},
		{"too old", func(t *testing.T) string { return keycloak(t, model("23.0.7", 1)) }, "Keycloak 23.0.7, which is too old"},
		{"too new", func(t *testing.T) string { return keycloak(t, model("26.8.0", 1)) }, "Keycloak 26.8.0, which is newer"},
		{"of the next major", func(t *testing.T) string { return keycloak(t, model("27.0.0", 1)) }, "Keycloak 27.0.0, which is newer"},
		{"without a version", func(t *testing.T) string { return keycloak(t) }, "does not say which version"},
		{"foreign version", func(t *testing.T) string { return keycloak(t, model("nightly", 1)) }, `MIGRATION_MODEL says "nightly"`},
		{"in the middle of an update", func(t *testing.T) string {
			return keycloak(t, version, `insert into databasechangeloglock (id, locked) values (1, true)`)
		}, "updating the schema"},
		{"an update that stopped", func(t *testing.T) string {
			return keycloak(t, version, `insert into databasechangelog (id) values ('26.8.0-session-bucket')`)
		}, "has 1 changes of a newer one"},
		{"H2", func(*testing.T) string { return "jdbc:h2:file:/opt/keycloak/data/h2/keycloakdb" }, "bin/kc.sh export"},
		{"H2's file", func(*testing.T) string { return "data/h2/keycloakdb.mv.db" }, "bin/kc.sh export"},
		{"another kind", func(*testing.T) string { return "oracle://x:secret@y/z" }, `the kind "oracle"`},
		{"no URL", func(*testing.T) string { return "keycloak" }, "say where"},
		{"not there", func(*testing.T) string { return "postgres://x:secret@127.0.0.1:1/z" }, "reading Keycloak's database"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Open(context.Background(), c.url(t))
			if err == nil {
				defer s.Close()
			}
			switch {
			case c.want == "" && err != nil:
				t.Fatal(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Fatalf("%v; want %q", err, c.want)
			case err != nil && strings.Contains(err.Error(), "secret"):
				t.Fatalf("the error tells the password: %v", err)
			}
		})
	}
}

func pgtestDatabase(t *testing.T) string { return pgtest.Database(t) }

func TestNothingIsWritten(t *testing.T) {
	s, err := Open(context.Background(), keycloak(t, version))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.tx.Exec(`insert into realm (id) values ('x')`); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Fatalf("%v; want a refusal: the transaction is read-only", err)
	}
}
