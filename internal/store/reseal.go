package store

import (
	"context"
	"fmt"

	"latchkey/internal/iam"
)

// sealedColumn is a column of sealed values: read pages through its rows after
// a key, write replaces one row's value, place is what the value is bound to.
type sealedColumn struct {
	name        string // table.column
	keys        int    // columns of the key
	read, write string
	place       func(key []string) string
}

// sealedColumns are all of them: Reseal must not miss one, or its values are
// lost with the old key.
var sealedColumns = []sealedColumn{
	{"meta.value", 1,
		`select name, '', '', value from meta where name > $1 order by name limit 500`,
		`update meta set value = $1 where name = $2`,
		func(k []string) string { return k[0] }},
	{"realms.doc", 1,
		`select id, '', '', doc from realms where id > $1 order by id limit 500`,
		`update realms set doc = $1 where id = $2`,
		func(k []string) string { return "realm " + k[0] }},
	{"objects.doc", 3,
		`select realm_id, kind, id, doc from objects where (realm_id, kind, id) > ($1, $2, $3) order by realm_id, kind, id limit 500`,
		`update objects set doc = $1 where realm_id = $2 and kind = $3 and id = $4`,
		func(k []string) string { return "object " + k[0] + " " + k[1] + " " + k[2] }},
	{"clients.doc", 2,
		`select realm_id, id, '', doc from clients where (realm_id, id) > ($1, $2) order by realm_id, id limit 500`,
		`update clients set doc = $1 where realm_id = $2 and id = $3`,
		func(k []string) string { return "client " + k[0] + " " + k[1] }},
	{"credentials.secret", 3,
		`select realm_id, user_id, id, secret from credentials where (realm_id, user_id, id) > ($1, $2, $3) order by realm_id, user_id, id limit 500`,
		`update credentials set secret = $1 where realm_id = $2 and user_id = $3 and id = $4`,
		func(k []string) string { return "credential " + k[0] + " " + k[1] + " " + k[2] }},
	{"federated_identities.token", 3,
		`select realm_id, user_id, provider, token from federated_identities where token is not null and (realm_id, user_id, provider) > ($1, $2, $3)
			order by realm_id, user_id, provider limit 500`,
		`update federated_identities set token = $1 where realm_id = $2 and user_id = $3 and provider = $4`,
		func(k []string) string { return "link " + k[0] + " " + k[1] + " " + k[2] }},
	{"auth_tabs.doc", 3,
		`select realm_id, root_id, id, doc from auth_tabs where (realm_id, root_id, id) > ($1, $2, $3) order by realm_id, root_id, id limit 500`,
		`update auth_tabs set doc = $1 where realm_id = $2 and root_id = $3 and id = $4`,
		func(k []string) string { return "tab " + k[0] + " " + k[1] + " " + k[2] }},
	{"single_use.value", 2,
		`select realm_id, key, '', value from single_use where (realm_id, key) > ($1, $2) order by realm_id, key limit 500`,
		`update single_use set value = $1 where realm_id = $2 and key = $3`,
		func(k []string) string { return "once " + k[1] }},
	{"deliveries.doc", 2,
		`select realm_id, id, '', doc from deliveries where doc is not null and (realm_id, id) > ($1, $2) order by realm_id, id limit 500`,
		`update deliveries set doc = $1 where realm_id = $2 and id = $3`,
		func(k []string) string { return deliveryPlace(iam.RealmID(k[0]), k[1]) }},
}

// sealedRow is a key of three columns at most and its value.
type sealedRow struct {
	key   [3]string
	value []byte
}

func scanSealed(r row) (v sealedRow, err error) {
	err = r.Scan(&v.key[0], &v.key[1], &v.key[2], &v.value)
	return v, err
}

// Reseal seals whatever another than the ring's active key has sealed with that
// one, and returns how many values that were. No other node may write.
func (db *DB) Reseal(ctx context.Context) (int, error) {
	total := 0
	for _, c := range sealedColumns {
		n, err := db.resealColumn(ctx, c)
		total += n
		if err != nil {
			return total, fmt.Errorf("sealing %s anew: %w", c.name, err)
		}
	}
	return total, nil
}

func (db *DB) resealColumn(ctx context.Context, c sealedColumn) (total int, err error) {
	after := make([]any, c.keys)
	for i := range after {
		after[i] = ""
	}
	for {
		n := 0
		var rows []sealedRow
		err := db.Tx(ctx, func(tx *Tx) error {
			n = 0
			var err error
			if rows, err = all(ctx, &tx.Reader, scanSealed, c.read, after...); err != nil {
				return err
			}
			for _, r := range rows {
				if !db.ring.NeedsReseal(r.value) {
					continue
				}
				key := r.key[:c.keys]
				plain, err := tx.unseal(c.place(key), r.value)
				if err != nil {
					return err
				}
				args := []any{tx.seal(c.place(key), plain)}
				for _, k := range key {
					args = append(args, k)
				}
				if err := tx.must(ctx, c.write, args...); err != nil {
					return err
				}
				n++
			}
			return nil
		})
		total += n
		if err != nil || len(rows) == 0 {
			return total, err
		}
		for i := range after {
			after[i] = rows[len(rows)-1].key[i]
		}
	}
}
