package engine

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// Statistics tell SQLite's planner how rows are spread over tables that grow, for it
// to take the index that narrows most. By itself it believes that the first column of an
// index narrows nearly as well as all of them, and reads a whole realm where another index has all columns that
// the statement names. They say what tables are like when they are large, once and
// for ever: statistics of a table's rows would be those of the day that they were made. PostgreSQL makes its own.
type Statistics struct {
	Tables []string
	// how many values a column has, for each combination of those before it; a column without a line is (nearly) unique
	Distinct map[string]int64
}

const largeTable = 1_000_000 // rows

// apply writes sqlite_stat1 unless it is as it should be. SQLite reads it with the schema.
func (s Statistics) apply(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	texts := func(query string) (list []string, err error) {
		rows, err := tx.QueryContext(ctx, query)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		for rows.Next() {
			var v string
			if err := rows.Scan(&v); err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, rows.Err()
	}
	columns, err := texts(`select t.name || '/' || l.name || '/' || group_concat(i.name order by i.seqno)
		from sqlite_schema t, pragma_index_list(t.name) l, pragma_index_info(l.name) i where t.type = 'table' group by t.name, l.name`)
	if err != nil {
		return err
	}
	var want []string
	for _, line := range columns {
		part := strings.Split(line, "/")
		if slices.Contains(s.Tables, part[0]) {
			want = append(want, part[0]+"/"+part[1]+"/"+s.spread(strings.Split(part[2], ",")))
		}
	}
	slices.Sort(want)
	there, err := texts(`select name from sqlite_schema where name = 'sqlite_stat1'`)
	if err != nil {
		return err
	}
	if len(there) > 0 {
		have, err := texts(`select tbl || '/' || idx || '/' || stat from sqlite_stat1 order by 1`)
		if err != nil || slices.Equal(have, want) {
			return err
		}
	} else if _, err := tx.ExecContext(ctx, `analyze realms`); err != nil { // this alone makes the table
		return err
	}
	if _, err := tx.ExecContext(ctx, `delete from sqlite_stat1`); err != nil {
		return err
	}
	for _, line := range want {
		part := strings.Split(line, "/")
		if _, err := tx.ExecContext(ctx, `insert into sqlite_stat1 (tbl, idx, stat) values ($1, $2, $3)`, part[0], part[1], part[2]); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, `analyze sqlite_schema`); err != nil { // reads it anew
		return err
	}
	return tx.Commit()
}

// spread says how many rows a table has, and how many agree in the first column of an
// index, in the first two, and so on. https://sqlite.org/fileformat2.html#stat1tab
func (s Statistics) spread(columns []string) string {
	rows := int64(largeTable)
	text := fmt.Sprint(rows)
	for _, c := range columns {
		n, known := s.Distinct[c]
		if !known {
			n = largeTable / 10
		}
		rows = max(1, rows/n)
		text += fmt.Sprint(" ", rows)
	}
	return text
}
