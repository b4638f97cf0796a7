package store_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"latchkey/internal/seal"
	"latchkey/internal/store"
)

// What is about one session or one user is found by an index that narrows to it, on a database
// without a row, too: SQLite would otherwise read all sessions of the realm for each login.
func TestNarrowStatements(t *testing.T) {
	path := filepath.Join(t.TempDir(), "latchkey.db")
	ring, err := seal.Generate()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // as it is made, and as it is opened again
		db, err := store.Open(t.Context(), store.Config{Engine: store.SQLite, Path: path, Ring: ring})
		if err != nil {
			t.Fatal(err)
		}
		plain, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		for name, query := range store.Narrow {
			nothing := make([]any, 20) // values are not looked at
			for n := len(nothing); n > 0 && !strings.Contains(query, fmt.Sprintf("$%d", n)); n-- {
				nothing = nothing[:n-1]
			}
			rows, err := plain.QueryContext(t.Context(), `explain query plan `+query, nothing...)
			if err != nil {
				t.Fatal(name, err)
			}
			steps := 0
			for rows.Next() {
				var id, parent, unused int
				var step string
				if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
					t.Fatal(err)
				}
				steps++
				if strings.HasSuffix(step, "(realm_id=?)") || strings.HasPrefix(step, "SCAN") && step != "SCAN CONSTANT ROW" {
					t.Errorf("%s reads all of a realm: %s", name, step)
				}
			}
			if err := rows.Err(); err != nil || steps == 0 {
				t.Errorf("%s: %d steps, %v", name, steps, err)
			}
		}
		plain.Close()
		db.Close()
	}
}
