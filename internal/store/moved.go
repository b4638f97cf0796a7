package store

import (
	"context"
	"time"

	"latchkey/internal/iam"
)

// A MovedSession is one that another server kept, with its clients' parts.
type MovedSession struct {
	Session *iam.UserSession
	Parts   []*iam.ClientSession
}

// AddMoved stores a session that another server kept, unless its id is taken, and
// reports whether it did.
func (tx *Tx) AddMoved(ctx context.Context, m MovedSession) (bool, error) {
	ok, err := tx.BeginSession(ctx, m.Session)
	if err != nil || !ok {
		return false, err
	}
	for _, p := range m.Parts {
		if _, err := tx.PutClientSession(ctx, p); err != nil {
			return false, err
		}
	}
	return true, nil
}

// ClearMoved removes up to limit sessions of a realm and keeps no record of them: they have
// not ended, and are about to be copied again. It returns how many there were.
func (tx *Tx) ClearMoved(ctx context.Context, realm iam.RealmID, limit int) (int64, error) {
	return tx.exec(ctx, `delete from user_sessions where (realm_id, id, offline) in
		(select realm_id, id, offline from user_sessions where realm_id = $1 limit $2)`, realm, limit)
}

// SessionTotals counts the sessions of a kind that a realm has, and the clients' parts in them.
func (r *Reader) SessionTotals(ctx context.Context, realm iam.RealmID, kind iam.SessionKind) (sessions, parts int64, err error) {
	sessions, err = one(ctx, r, scanValue[int64], `select count(*) from user_sessions where realm_id = $1 and offline = $2`, realm, kind)
	if err != nil {
		return 0, 0, err
	}
	parts, err = one(ctx, r, scanValue[int64], `select count(*) from client_sessions where realm_id = $1 and offline = $2`, realm, kind)
	return sessions, parts, err
}

// UsedSince counts the sessions of a realm that began since a time, and the clients' parts that were used since.
func (r *Reader) UsedSince(ctx context.Context, realm iam.RealmID, since time.Time) (begun, used int64, err error) {
	begun, err = one(ctx, r, scanValue[int64], `select count(*) from user_sessions where realm_id = $1 and started_at > $2`, realm,
		millis(since))
	if err != nil {
		return 0, 0, err
	}
	used, err = one(ctx, r, scanValue[int64], `select count(*) from client_sessions where realm_id = $1 and last_access > $2`, realm,
		millis(since))
	return begun, used, err
}
