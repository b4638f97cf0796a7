package store

import (
	"context"
	"encoding/json"
	"time"

	"latchkey/internal/iam"
)

func tabPlace(realm iam.RealmID, root iam.SessionID, tab string) string {
	return "tab " + string(realm) + " " + string(root) + " " + tab
}

// AuthTab returns a login that is under way, or ErrNotFound when there is none
// or it has run out of time.
func (r *Reader) AuthTab(ctx context.Context, realm iam.RealmID, root iam.SessionID, tab string, now int64) (*iam.AuthTab, error) {
	return one(ctx, r.quick(), func(row row) (*iam.AuthTab, error) {
		var doc []byte
		var version int64
		if err := row.Scan(&doc, &version); err != nil {
			return nil, err
		}
		plain, err := r.unseal(tabPlace(realm, root, tab), doc)
		if err != nil {
			return nil, err
		}
		t := new(iam.AuthTab)
		if err := json.Unmarshal(plain, t); err != nil {
			return nil, err
		}
		t.Version = version
		return t, nil
	}, `select t.doc, t.version from auth_tabs t join auth_sessions a on a.realm_id = t.realm_id and a.id = t.root_id
		where t.realm_id = $1 and t.root_id = $2 and t.id = $3 and a.expires_at > $4`, realm, root, tab, now)
}

// AuthTabs returns all logins of one browser that are under way.
func (r *Reader) AuthTabs(ctx context.Context, realm iam.RealmID, root iam.SessionID, now int64) ([]string, error) {
	return all(ctx, r.quick(), scanValue[string],
		`select t.id from auth_tabs t join auth_sessions a on a.realm_id = t.realm_id and a.id = t.root_id
		where t.realm_id = $1 and t.root_id = $2 and a.expires_at > $3 order by t.id`, realm, root, now)
}

// OpenAuthTab stores a login's root and tab at its first POST. It reports
// whether the tab is new: a second POST of the same sealed page finds it there
// and goes on from what is stored. Of iam.MaxTabs tabs one that has not come far
// gives its place to the new one.
func (tx *Tx) OpenAuthTab(ctx context.Context, root iam.AuthSession, t *iam.AuthTab) (bool, error) {
	if _, err := tx.exec(ctx, `insert into auth_sessions (realm_id, id, shard, created_at, expires_at) values ($1, $2, $3, $4, $5)
		on conflict (realm_id, id) do update set expires_at = excluded.expires_at where auth_sessions.expires_at < excluded.expires_at`,
		root.Realm, root.ID, shard(string(root.ID)), millis(root.Created), millis(root.Expires)); err != nil {
		return false, err
	}
	doc, err := json.Marshal(t)
	if err != nil {
		return false, err
	}
	sealed := tx.seal(tabPlace(root.Realm, root.ID, t.ID), doc)
	insert := func() (int64, error) {
		return tx.exec(ctx, `insert into auth_tabs (realm_id, root_id, id, doc, version) select $1, $2, $3, $4, 1
			where (select count(*) from auth_tabs o where o.realm_id = $1 and o.root_id = $2) < $5
			on conflict (realm_id, root_id, id) do nothing`, root.Realm, root.ID, t.ID, sealed, iam.MaxTabs)
	}
	if n, err := insert(); n > 0 || err != nil {
		return n > 0, err
	}
	// It is there, or they are too many: the count costs no statement of its own but then.
	gone, err := tx.exec(ctx, `delete from auth_tabs where realm_id = $1 and root_id = $2 and id in
		(select id from auth_tabs where realm_id = $1 and root_id = $2 and id <> $3 order by version desc, id limit $4 offset $5)`,
		root.Realm, root.ID, t.ID, iam.MaxTabs, iam.MaxTabs-1)
	if gone == 0 || err != nil {
		return false, err
	}
	n, err := insert()
	return n > 0, err
}

// SwapAuthTab writes a login that was read under an id back, under the one that it
// has now, unless another request changed it since, and reports whether it did. The
// logins of its browser then live until a time, or longer.
func (tx *Tx) SwapAuthTab(ctx context.Context, realm iam.RealmID, read string, t *iam.AuthTab, until time.Time) (bool, error) {
	doc, err := json.Marshal(t)
	if err != nil {
		return false, err
	}
	n, err := tx.exec(ctx,
		`update auth_tabs set id = $1, doc = $2, version = version + 1 where realm_id = $3 and root_id = $4 and id = $5 and version = $6`,
		t.ID, tx.seal(tabPlace(realm, t.Root, t.ID), doc), realm, t.Root, read, t.Version)
	if err != nil || n == 0 {
		return false, err
	}
	_, err = tx.exec(ctx, `update auth_sessions set expires_at = $1 where realm_id = $2 and id = $3 and expires_at < $1`,
		millis(until), realm, t.Root)
	return true, err
}

// DeleteAuthTab forgets a login; one that is gone already is no error.
func (tx *Tx) DeleteAuthTab(ctx context.Context, realm iam.RealmID, root iam.SessionID, tab string) error {
	_, err := tx.exec(ctx, `delete from auth_tabs where realm_id = $1 and root_id = $2 and id = $3`, realm, root, tab)
	return err
}

// DeleteAuthSession forgets all logins of one browser.
func (tx *Tx) DeleteAuthSession(ctx context.Context, realm iam.RealmID, root iam.SessionID) error {
	_, err := tx.exec(ctx, `delete from auth_sessions where realm_id = $1 and id = $2`, realm, root)
	return err
}

// SweepAuthSessions removes up to max expired logins of a shard and returns how many.
func (tx *Tx) SweepAuthSessions(ctx context.Context, shard int64, max int) (int64, error) {
	return tx.exec(ctx, `delete from auth_sessions where (realm_id, id) in
		(select realm_id, id from auth_sessions where shard = $1 and expires_at <= $2 limit $3)`, shard, millis(tx.Now), max)
}

// SealToken encrypts state that goes through a browser; see seal.Ring.
func (db *DB) SealToken(purpose string, plain []byte) string {
	return db.ring.SealToken(purpose, plain)
}

// SealNumber encrypts a number for people who read it out; see seal.Ring.
func (db *DB) SealNumber(purpose string, n uint64) uint64 { return db.ring.SealNumber(purpose, n) }

// OpenNumber decrypts what SealNumber returned; see seal.Ring.
func (db *DB) OpenNumber(purpose string, n uint64) []uint64 { return db.ring.OpenNumber(purpose, n) }

// OpenToken decrypts what SealToken returned for the same purpose.
func (db *DB) OpenToken(purpose, token string) ([]byte, error) {
	return db.ring.OpenToken(purpose, token)
}
