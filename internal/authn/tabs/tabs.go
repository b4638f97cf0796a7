// Package tabs keeps logins that are under way. Until a login's first POST its
// state travels sealed through the browser, so that opening a login page
// leaves no row; from then on it is a row that changes by compare-and-swap.
// Package login decides which of both holds.
package tabs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"latchkey/internal/iam"
	"latchkey/internal/store"
)

// ErrGone says that a login is not stored: it never was, is finished, or has
// run out of time.
var ErrGone = errors.New("login: it is not stored")

// ErrForged says that something is not what this server sealed, or not for this purpose.
var ErrForged = errors.New("login: not sealed here")

// A Keeper keeps logins. It is safe for concurrent use.
type Keeper struct{ db *store.DB }

// New makes a Keeper.
func New(db *store.DB) *Keeper { return &Keeper{db} }

// Now is the database's clock.
func (k *Keeper) Now() time.Time { return k.db.Now() }

// Load returns a stored login, or ErrGone.
func (k *Keeper) Load(ctx context.Context, realm iam.RealmID, root iam.SessionID, tab string) (*iam.AuthTab, error) {
	t, err := k.db.AuthTab(ctx, realm, root, tab, k.db.Now().UnixMilli())
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrGone
	}
	return t, err
}

// Any tells whether a browser has stored logins but for one.
func (k *Keeper) Any(ctx context.Context, realm iam.RealmID, root iam.SessionID, but string) (bool, error) {
	ids, err := k.db.AuthTabs(ctx, realm, root, k.db.Now().UnixMilli())
	for _, id := range ids {
		if id != but {
			return true, err
		}
	}
	return false, err
}

// Stored returns a browser's stored logins.
func (k *Keeper) Stored(ctx context.Context, realm iam.RealmID, root iam.SessionID) ([]*iam.AuthTab, error) {
	ids, err := k.db.AuthTabs(ctx, realm, root, k.db.Now().UnixMilli())
	if err != nil {
		return nil, err
	}
	var list []*iam.AuthTab
	for _, id := range ids {
		t, err := k.Load(ctx, realm, root, id)
		if errors.Is(err, ErrGone) { // finished since
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, t)
	}
	return list, nil
}

// Save stores a login that lives until a time: a new one when its Version is
// 0, else over what was loaded under an id. It reports whether it did; when it did
// not, another request was faster and what is stored holds.
func (k *Keeper) Save(ctx context.Context, realm iam.RealmID, loaded string, t *iam.AuthTab, until time.Time) (won bool, err error) {
	err = k.db.Tx(ctx, func(tx *store.Tx) (err error) {
		if t.Version > 0 {
			won, err = tx.SwapAuthTab(ctx, realm, loaded, t, until)
			return err
		}
		won, err = tx.OpenAuthTab(ctx, iam.AuthSession{ID: t.Root, Realm: realm, Created: tx.Now, Expires: until}, t)
		return err
	})
	if won {
		t.Version++
	}
	return won, err
}

// Forget removes a login; one that is gone already is no error.
func (k *Keeper) Forget(ctx context.Context, realm iam.RealmID, root iam.SessionID, tab string) error {
	return k.db.Tx(ctx, func(tx *store.Tx) error { return tx.DeleteAuthTab(ctx, realm, root, tab) })
}

// Seal makes a token of v for one purpose.
func (k *Keeper) Seal(purpose string, v any) (string, error) {
	doc, err := json.Marshal(v, jsontext.AllowInvalidUTF8(true)) // people's parameters
	if err != nil {
		return "", fmt.Errorf("seal %s: %w", purpose, err)
	}
	return k.db.SealToken(purpose, doc), nil
}

// Open reads what Seal returned for the same purpose into v, or returns ErrForged.
func (k *Keeper) Open(purpose, token string, v any) error {
	doc, err := k.db.OpenToken(purpose, token)
	if err != nil {
		return ErrForged
	}
	if err := json.Unmarshal(doc, v); err != nil {
		return ErrForged
	}
	return nil
}
