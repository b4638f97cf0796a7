package store

import (
	"context"
	"errors"
	"time"

	"latchkey/internal/iam"
)

// A RealmRow is a realm's own settings. Doc is its representation without the
// collections that have tables of their own; it is sealed at rest.
type RealmRow struct {
	ID        iam.RealmID
	Name      string
	Enabled   bool
	NotBefore time.Time
	Doc       []byte
	Version   int64
	// Whole is the version of the realm's whole configuration when the row was
	// read; see BumpRealm. What is read after the row is at least as new.
	Whole int64
}

const realmColumns = `r.id, r.name, r.enabled, r.not_before, r.doc, r.version, coalesce(v.version, 0)
	from realms r left join realm_versions v on v.realm_id = r.id`

func (r *Reader) scanRealm(row row) (v RealmRow, err error) {
	var nb int64
	var doc []byte
	if err = row.Scan(&v.ID, &v.Name, &v.Enabled, &nb, &doc, &v.Version, &v.Whole); err != nil {
		return v, err
	}
	v.NotBefore = fromMillis(nb)
	v.Doc, err = r.unseal("realm "+string(v.ID), doc)
	return v, err
}

// RealmByName returns the realm of that name, or ErrNotFound.
func (r *Reader) RealmByName(ctx context.Context, name string) (RealmRow, error) {
	return one(ctx, r, r.scanRealm, `select `+realmColumns+` where r.name = $1`, name)
}

// RealmByID returns the realm with that id, or ErrNotFound.
func (r *Reader) RealmByID(ctx context.Context, id iam.RealmID) (RealmRow, error) {
	return one(ctx, r, r.scanRealm, `select `+realmColumns+` where r.id = $1`, id)
}

// EnabledNow says of a realm and a client whether they are enabled.
type EnabledNow struct{ Realm, Client bool }

// EnabledNow reports whether a realm and a client of it are enabled, or ErrNotFound.
func (r *Reader) EnabledNow(ctx context.Context, realm iam.RealmID, client iam.ClientID) (EnabledNow, error) {
	return one(ctx, r, func(row row) (v EnabledNow, err error) {
		err = row.Scan(&v.Realm, &v.Client)
		return v, err
	}, `select r.enabled, c.enabled from realms r join clients c on c.realm_id = r.id where r.id = $1 and c.id = $2`, realm, client)
}

// RealmNames returns the names of all realms, sorted.
func (r *Reader) RealmNames(ctx context.Context) ([]string, error) {
	return all(ctx, r, scanValue[string], `select name from realms order by name`)
}

// InsertRealm adds a realm; an ExistsError tells of a taken id or name.
func (tx *Tx) InsertRealm(ctx context.Context, v RealmRow) error {
	_, err := tx.exec(ctx, `insert into realms (id, name, enabled, not_before, doc, version) values ($1, $2, $3, $4, $5, 1)`,
		v.ID, v.Name, v.Enabled, millis(v.NotBefore), tx.seal("realm "+string(v.ID), v.Doc))
	return err
}

// UpdateRealm writes a realm back; ErrConflict when it changed since it was read.
func (tx *Tx) UpdateRealm(ctx context.Context, v RealmRow) error {
	return tx.must(ctx, `update realms set name = $1, enabled = $2, not_before = $3, doc = $4, version = version + 1 where id = $5 and version = $6`,
		v.Name, v.Enabled, millis(v.NotBefore), tx.seal("realm "+string(v.ID), v.Doc), v.ID, v.Version)
}

// DeleteRealm removes a realm and everything in it; ErrNotFound when it is not there.
func (tx *Tx) DeleteRealm(ctx context.Context, id iam.RealmID) error {
	n, err := tx.exec(ctx, `delete from realms where id = $1`, id)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

// ClearConfiguration removes what a realm is made of, but for the realm's own row, its
// users and what is known of sessions: it is about to be written anew.
func (tx *Tx) ClearConfiguration(ctx context.Context, id iam.RealmID) error {
	for _, table := range []string{"objects", "clients", "client_scopes", "roles", "role_composites", "scope_roles", "groups", "group_roles"} {
		if _, err := tx.exec(ctx, `delete from `+table+` where realm_id = $1`, id); err != nil {
			return err
		}
	}
	return nil
}

// BumpRealm tells every node that the realm's configuration changed. It belongs
// into the transaction that changes it.
func (tx *Tx) BumpRealm(ctx context.Context, id iam.RealmID) error {
	_, err := tx.exec(ctx, `insert into realm_versions (realm_id, version, changed_at) values ($1, 1, $2)
		on conflict (realm_id) do update set version = realm_versions.version + 1, changed_at = excluded.changed_at`, id, millis(tx.Now))
	return err
}

// A RealmVersion says how often a realm's configuration was changed.
type RealmVersion struct {
	Realm   iam.RealmID
	Version int64
}

func scanRealmVersion(row row) (v RealmVersion, err error) {
	return v, row.Scan(&v.Realm, &v.Version)
}

// maxNamed bounds how many realms a statement names. Of more it asks for all:
// a few bytes for each, read through once.
const maxNamed = 512

// RealmVersions returns the versions of realms' configurations, without those
// that were never changed, and possibly of others.
func (r *Reader) RealmVersions(ctx context.Context, ids []iam.RealmID) ([]RealmVersion, error) {
	const versions = `select realm_id, version from realm_versions`
	switch n := len(ids); {
	case n == 0:
		return nil, nil
	case n > maxNamed:
		return all(ctx, r, scanRealmVersion, versions)
	}
	ids = even(ids)
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	return all(ctx, few(r, len(ids)), scanRealmVersion, versions+` where realm_id in (`+binds(1, len(ids))+`)`, args...)
}

// An Object is a piece of configuration that is only read with its realm, or
// what a realm file says of a user who is not among the realm's own. Doc is its
// representation, sealed at rest.
type Object struct {
	Kind       string
	ID         string
	Parent     string // id of what it belongs to: a flow's executions, a component's parent
	Name       string
	UniqueName string // "" where names may repeat within the kind
	Position   int64  // order within the kind and parent
	Doc        []byte
	Version    int64
}

// The kinds of Object.
const (
	KindClientScope      = "client-scope"
	KindFlow             = "flow"
	KindExecution        = "execution" // its parent is a flow
	KindAuthConfig       = "authenticator-config"
	KindRequiredAction   = "required-action"
	KindComponent        = "component"
	KindIdentityProvider = "identity-provider"
	KindIDPMapper        = "identity-provider-mapper"
	KindInitialAccess    = "client-initial-access"
	KindFederatedUser    = "federated-user" // its parent is the component that the user comes from; read page by page
	KindMigration        = "migration"      // from where the realm was copied, and how far that has got
	KindUserExtra        = "user-extra"     // what is not known here of the user with its id, and goes with the user
)

func objectPlace(realm iam.RealmID, kind, id string) string {
	return "object " + string(realm) + " " + kind + " " + id
}

func (r *Reader) scanObject(realm iam.RealmID) func(row) (Object, error) {
	return func(row row) (v Object, err error) {
		var doc []byte
		if err = row.Scan(&v.Kind, &v.ID, &v.Parent, &v.Name, &v.UniqueName, &v.Position, &doc, &v.Version); err != nil {
			return v, err
		}
		v.Doc, err = r.unseal(objectPlace(realm, v.Kind, v.ID), doc)
		return v, err
	}
}

const objectColumns = `kind, id, parent_id, name, coalesce(unique_name, ''), position, doc, version`

// Objects returns all objects of a realm by kind, position and name, but for
// those of KindFederatedUser and KindUserExtra, of which there may be as many as users.
func (r *Reader) Objects(ctx context.Context, realm iam.RealmID) ([]Object, error) {
	return all(ctx, r, r.scanObject(realm), `select `+objectColumns+` from objects where realm_id = $1 and kind <> $2 and kind <> $3
		order by kind, position, name, id`, realm, KindFederatedUser, KindUserExtra)
}

// ObjectsAfter returns at most max objects of one kind by id, those after an id;
// "" is before all of them.
func (r *Reader) ObjectsAfter(ctx context.Context, realm iam.RealmID, kind, after string, max int) ([]Object, error) {
	return all(ctx, r, r.scanObject(realm), `select `+objectColumns+` from objects where realm_id = $1 and kind = $2 and id > $3
		order by id limit $4`, realm, kind, after, max)
}

// Object returns one object, or ErrNotFound.
func (r *Reader) Object(ctx context.Context, realm iam.RealmID, kind, id string) (Object, error) {
	return one(ctx, r, r.scanObject(realm), `select `+objectColumns+` from objects where realm_id = $1 and kind = $2 and id = $3`,
		realm, kind, id)
}

// InsertObject adds an object; an ExistsError tells of a taken id or unique name.
func (tx *Tx) InsertObject(ctx context.Context, realm iam.RealmID, v Object) error {
	_, err := tx.exec(ctx, `insert into objects (realm_id, kind, id, parent_id, name, unique_name, position, doc, version)
		values ($1, $2, $3, $4, $5, $6, $7, $8, 1)`,
		realm, v.Kind, v.ID, v.Parent, v.Name, nullable(v.UniqueName), v.Position, tx.seal(objectPlace(realm, v.Kind, v.ID), v.Doc))
	return err
}

// ReplaceObject stores an object in the place of the one that has its id, if there is one.
func (tx *Tx) ReplaceObject(ctx context.Context, realm iam.RealmID, v Object) error {
	if err := tx.DeleteObject(ctx, realm, v.Kind, v.ID); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	return tx.InsertObject(ctx, realm, v)
}

// UpdateObject writes an object back; ErrConflict when it changed since it was read.
func (tx *Tx) UpdateObject(ctx context.Context, realm iam.RealmID, v Object) error {
	return tx.must(ctx, `update objects set parent_id = $1, name = $2, unique_name = $3, position = $4, doc = $5, version = version + 1
		where realm_id = $6 and kind = $7 and id = $8 and version = $9`,
		v.Parent, v.Name, nullable(v.UniqueName), v.Position, tx.seal(objectPlace(realm, v.Kind, v.ID), v.Doc), realm, v.Kind, v.ID, v.Version)
}

// DeleteObject removes an object and the objects whose parent it is; ErrNotFound when it is not there.
func (tx *Tx) DeleteObject(ctx context.Context, realm iam.RealmID, kind, id string) error {
	n, err := tx.exec(ctx, `delete from objects where realm_id = $1 and kind = $2 and id = $3`, realm, kind, id)
	if err != nil {
		return err
	}
	if n == 0 {
		return ErrNotFound
	}
	_, err = tx.exec(ctx, `delete from objects where realm_id = $1 and parent_id = $2`, realm, id)
	return err
}

// nullable stores "" as null, where a unique index must not count it.
func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}
