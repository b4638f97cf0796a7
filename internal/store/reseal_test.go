package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/seal"
)

// Sealed values are the columns of type bytea, and nothing else is.
func TestEverySealedColumnIsKnown(t *testing.T) {
	table, column := regexp.MustCompile(`(?m)^create table (\w+)|^  (\w+) bytea`), ""
	var found []string
	err := fs.WalkDir(migrations, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(p) != ".sql" {
			return err
		}
		text, err := fs.ReadFile(migrations, p)
		for _, m := range table.FindAllStringSubmatch(string(text), -1) {
			if m[1] != "" {
				column = m[1]
			} else {
				found = append(found, column+"."+m[2])
			}
		}
		return err
	})
	if err != nil || len(found) == 0 {
		t.Fatal(err, found)
	}
	for _, c := range found {
		if !slices.ContainsFunc(sealedColumns, func(s sealedColumn) bool { return s.name == c }) {
			t.Errorf("%s must be in sealedColumns", c)
		}
	}
}

func TestReseal(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	keyFile := filepath.Join(dir, "key")
	ring, err := seal.LoadOrCreate(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	reopen := func(r *seal.Ring) *DB {
		t.Helper()
		db, err := Open(ctx, Config{Engine: SQLite, Path: filepath.Join(dir, "db"), Ring: r})
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	db := reopen(ring)
	const objects = 501 // more than a page
	err = db.Tx(ctx, func(tx *Tx) error {
		if err := tx.InsertRealm(ctx, RealmRow{ID: "r", Name: "r", Enabled: true, Doc: []byte("realm")}); err != nil {
			return err
		}
		for i := range objects {
			if err := tx.InsertObject(ctx, "r", Object{Kind: KindComponent, ID: fmt.Sprint(i), Doc: []byte("object")}); err != nil {
				return err
			}
		}
		if err := tx.InsertClient(ctx, "r", ClientRow{ID: "c", ClientID: "c", Doc: []byte("client")}); err != nil {
			return err
		}
		user := &iam.User{Realm: "r", ID: "u", Username: "u"}
		if err := errors.Join(tx.InsertUser(ctx, user, false),
			tx.InsertCredential(ctx, "r", &iam.Credential{ID: "k", User: "u", Kind: iam.OTP, Secret: iam.Secret("otp")}),
			tx.InsertLink(ctx, "r", &iam.FederatedIdentity{User: "u", Provider: "p", ExternalID: "x", Token: iam.Secret("token")}),
			tx.InsertLink(ctx, "r", &iam.FederatedIdentity{User: "u", Provider: "q", ExternalID: "x"}),
			tx.InsertDeliveries(ctx, []*Delivery{{Realm: "r", ID: "d", State: Due, Doc: []byte("news")}, {Realm: "r", ID: "e", State: Due}}),
			tx.FinishDelivery(ctx, "r", "e")); err != nil {
			return err
		}
		if _, err := tx.OpenAuthTab(ctx, iam.AuthSession{ID: "s", Realm: "r", Expires: db.Now().Add(time.Hour)}, &iam.AuthTab{Root: "s", ID: "t",
			Code: "tab"}); err != nil {
			return err
		}
		_, err := tx.PutSingleUse(ctx, "r", SingleUse{Key: "code", Value: []byte("once"), Expires: db.Now().Add(time.Hour)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = db.Close()
	if ring, err = seal.Rotate(keyFile); err != nil {
		t.Fatal(err)
	}
	db = reopen(ring)
	if n, err := db.Reseal(ctx); n != objects+8 || err != nil {
		t.Errorf("%d values sealed anew, want %d (%v)", n, objects+8, err)
	}
	if n, err := db.Reseal(ctx); n != 0 || err != nil {
		t.Errorf("again: %d %v", n, err)
	}
	_ = db.Close()
	if ring, err = seal.Retire(keyFile); err != nil {
		t.Fatal(err)
	}
	db = reopen(ring) // with the new key alone
	defer db.Close()
	realm, err := db.RealmByName(ctx, "r")
	if err != nil || string(realm.Doc) != "realm" {
		t.Error(realm, err)
	}
	if tab, err := db.AuthTab(ctx, "r", "s", "t", db.Now().UnixMilli()); err != nil || tab.Code != "tab" {
		t.Error(tab, err)
	}
	if all, err := db.Objects(ctx, "r"); err != nil || len(all) != objects || string(all[0].Doc) != "object" {
		t.Error(len(all), err)
	}
	if c, err := db.Client(ctx, "r", iam.ClientID("c")); err != nil || string(c.Doc) != "client" {
		t.Error(c, err)
	}
	if list, err := db.Credentials(ctx, "r", "u"); err != nil || len(list) != 1 || !list[0].Secret.Equal("otp") {
		t.Error(list, err)
	}
	if list, err := db.Links(ctx, "r", "u"); err != nil || len(list) != 2 || !list[0].Token.Equal("token") || list[1].Token != nil {
		t.Error(list, err)
	}
	err = db.Tx(ctx, func(tx *Tx) error {
		due, err := tx.TakeDue(ctx, tx.Now.Add(time.Minute), 10)
		if err != nil || len(due) != 1 || string(due[0].Doc) != "news" {
			t.Error(due, err)
		}
		v, err := tx.TakeSingleUse(ctx, "r", "code")
		if string(v) != "once" {
			t.Error(v)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
