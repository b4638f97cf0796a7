package realms

import (
	"context"
	"errors"
	"strconv"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// A Manager creates, changes and removes realms, and reads and writes realm
// files. It is safe for concurrent use.
type Manager struct {
	Cache *Cache
	Clock func() time.Time
	Rules
}

// Rules are what realms are made by that other rooms know. What is nil is filled in by NewManager.
type Rules struct {
	// NewKey puts a new key into the configuration of a key component that has
	// none; ErrUnsupportedKey when it cannot. See keys.Maker.Fill.
	NewKey func(ctx context.Context, realm, providerID string, config map[string][]string) error
	// Can says what this server can do, for Check; nil: everything.
	Can func(kind Capability, id string) bool
	// Hash makes a credential (Data and Secret) of a password in clear, as it may
	// stand in a posted realm. An *iam.Error tells that the realm's policy refuses it.
	Hash func(ctx context.Context, r *iam.Realm, u *iam.User, password string) (*iam.Credential, error)
	// CheckPolicy refuses a password policy that cannot be followed, with an
	// *iam.Error; nil takes every one. See policy.Checker.Valid.
	CheckPolicy func(iam.PasswordPolicy) error
	// CheckCredential says why nothing can fit a stored credential, for Check; nil
	// takes every one. See users.Service.CheckStored.
	CheckCredential func(*iam.Credential) error
	// DeleteUser removes who is overwritten by a partial import, and tells of the
	// sessions that end with them. See sessions.Service.DeleteUser.
	DeleteUser func(ctx context.Context, tx *store.Tx, r *Realm, id iam.UserID, by iam.End) error
}

// errNoRule is what a Manager answers that was made without a rule that it needs.
var errNoRule = errors.New("realms: this was made without the rule for it")

// NewManager makes a Manager.
func NewManager(cache *Cache, clock func() time.Time, r Rules) *Manager {
	if r.NewKey == nil {
		r.NewKey = func(context.Context, string, string, map[string][]string) error { return errNoRule }
	}
	if r.Can == nil {
		r.Can = func(Capability, string) bool { return true }
	}
	if r.Hash == nil {
		r.Hash = func(context.Context, *iam.Realm, *iam.User, string) (*iam.Credential, error) { return nil, errNoRule }
	}
	if r.CheckPolicy == nil {
		r.CheckPolicy = func(iam.PasswordPolicy) error { return nil }
	}
	if r.CheckCredential == nil {
		r.CheckCredential = func(*iam.Credential) error { return nil }
	}
	if r.DeleteUser == nil {
		r.DeleteUser = func(context.Context, *store.Tx, *Realm, iam.UserID, iam.End) error { return errNoRule }
	}
	return &Manager{cache, clock, r}
}

// ErrUnsupportedKey marks a key provider of Keycloak's that Latchkey lacks, or a
// setting of one. Its component is kept, but yields no keys.
var ErrUnsupportedKey = errors.New("realms: key provider not supported")

// errExists is Keycloak's answer to a second realm of one name or id.
func errExists(msg string) error { return iam.Errorf(iam.Conflict, "%s", msg) }

// Create makes a realm of what is given, with its users, and stores it whole
// or not at all; see Complete for what is filled in. The error is an
// *iam.Error where Keycloak would refuse the realm, or break down over it.
// Keycloak: RealmManager.importRealm.
func (m *Manager) Create(ctx context.Context, given *rep.Realm) (*rep.Realm, error) {
	p, err := m.prepare(ctx, given)
	if err != nil {
		return nil, err
	}
	if err := m.refuseSwitches(new(rep.Realm), p.realm); err != nil {
		return nil, err
	}
	err = m.Cache.db.Tx(ctx, func(tx *store.Tx) error { return m.put(ctx, tx, p) })
	if err != nil {
		return nil, err
	}
	return p.realm, nil
}

// A prepared realm is ready to be stored: complete, checked, with keys and hashes.
type prepared struct {
	given     *rep.Realm
	realm     *rep.Realm
	users     []preparedUser
	federated []rep.User
	notes     []Gap // what Keycloak does not take over from such a file either
}

func (m *Manager) prepare(ctx context.Context, given *rep.Realm) (*prepared, error) {
	now := m.Clock()
	c, err := complete(given, now)
	if err != nil {
		return nil, err
	}
	if err := checkSettings(c.r); err != nil {
		return nil, err
	}
	if err := m.checkPasswordPolicy(rep.Val(c.r.PasswordPolicy)); err != nil {
		return nil, at("/passwordPolicy", err)
	}
	if problems := validate(c.said, c.r); len(problems) > 0 {
		problems[0].Path = c.placeInFile(problems[0].Path)
		return nil, &problems[0]
	}
	r, err := c.finish()
	if err != nil {
		return nil, err
	}
	if err := m.newKeys(ctx, r); err != nil {
		return nil, err
	}
	p := &prepared{given: given, realm: r, notes: c.notes}
	if p.users, err = m.prepareUsers(ctx, r, now); err != nil {
		return nil, err
	}
	p.federated, err = m.prepareFederated(ctx, r, now)
	return p, err
}

func (m *Manager) newKeys(ctx context.Context, r *rep.Realm) error {
	list := r.Components[TypeKeyProvider]
	errs := make(chan error, len(list))
	for i := range list {
		place := "/components/" + TypeKeyProvider + "/" + strconv.Itoa(i) + "/config"
		go func() { errs <- at(place, m.NewKey(ctx, r.Realm, list[i].ProviderID, list[i].Config)) }()
	}
	var err error
	for range list {
		if e := <-errs; e != nil && !errors.Is(e, ErrUnsupportedKey) {
			err = e
		}
	}
	return err
}

// put stores a prepared realm, and its client in the master realm.
func (m *Manager) put(ctx context.Context, tx *store.Tx, p *prepared) error {
	r := p.realm
	w, err := writeRealm(ctx, tx, r)
	if exists, ok := store.Exists(err); ok {
		if exists.On("realms", "name") {
			return errExists("Realm " + r.Realm + " already exists")
		}
		return errExists("Duplicate resource error")
	}
	if err != nil {
		return err
	}
	for i := range p.users {
		if err := w.writeUser(ctx, &p.users[i]); err != nil {
			return err
		}
	}
	for i := range p.federated {
		if err := w.writeFederated(ctx, &p.federated[i]); err != nil {
			return err
		}
	}
	if err := m.Cache.Changed(ctx, tx, w.id); err != nil {
		return err
	}
	if r.Realm == Master {
		names, err := tx.RealmNames(ctx)
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := m.addToMaster(ctx, tx, name); err != nil {
				return err
			}
		}
		return nil
	}
	return m.addToMaster(ctx, tx, r.Realm)
}

// addToMaster gives a realm its client in the master realm, and the master
// realm's administrators its roles. What is there already stays. Without a
// master realm there is nothing to do.
func (m *Manager) addToMaster(ctx context.Context, tx *store.Tx, realm string) error {
	master, err := tx.RealmByName(ctx, Master)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	cl, roles, err := masterClient(realm)
	if err != nil {
		return err
	}
	w := &writer{tx: tx, id: master.ID, clients: map[string]iam.ClientID{}, ofCl: map[string]map[string]iam.RoleID{}}
	_, err = tx.ClientByName(ctx, master.ID, cl.ClientID)
	switch {
	case err == nil:
		return nil // a restored master realm has it
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	if err := w.writeClient(ctx, &cl); err != nil {
		return err
	}
	if err := w.rolesOf(ctx, cl.ClientID, roles); err != nil {
		return err
	}
	if err := w.composites(ctx, roles); err != nil {
		return err
	}
	all, err := tx.Roles(ctx, master.ID)
	if err != nil {
		return err
	}
	for _, admin := range all {
		if admin.Client != "" || admin.Name != RoleAdmin {
			continue
		}
		for _, role := range roles {
			if err := tx.AddComposite(ctx, master.ID, admin.ID, iam.RoleID(role.ID)); err != nil {
				return err
			}
		}
	}
	return m.Cache.Changed(ctx, tx, master.ID)
}

// Delete removes a realm with all that is in it, and its client in the master
// realm. Keycloak: RealmManager.removeRealm, RealmAdminResource.deleteRealm.
func (m *Manager) Delete(ctx context.Context, name string) error {
	if name == Master {
		return iam.Errorf(iam.Invalid, "Can't remove master realm")
	}
	return m.Cache.db.Tx(ctx, func(tx *store.Tx) error { return m.remove(ctx, tx, name) })
}

func (m *Manager) remove(ctx context.Context, tx *store.Tx, name string) error {
	row, err := tx.RealmByName(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return ErrNotFound
	}
	if err != nil {
		return err
	}
	if err := tx.DeleteRealm(ctx, row.ID); err != nil {
		return err
	}
	if err := m.Cache.Changed(ctx, tx, row.ID); err != nil {
		return err
	}
	return m.changeMaster(ctx, tx, MasterClient(name), func(master iam.RealmID, c store.ClientRow) error {
		return tx.DeleteClient(ctx, master, c.ID)
	})
}

// changeMaster does something with a realm's client in the master realm, if
// both are there.
func (m *Manager) changeMaster(ctx context.Context, tx *store.Tx, client string,
	f func(master iam.RealmID, c store.ClientRow) error) error {
	master, err := tx.RealmByName(ctx, Master)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	c, err := tx.ClientByName(ctx, master.ID, client)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := f(master.ID, c); err != nil {
		return err
	}
	return m.Cache.Changed(ctx, tx, master.ID)
}

// Forget drops the snapshot of a realm: somebody has found it to be out of date.
func (c *Cache) Forget(realm iam.RealmID) { c.drop(realm) }
