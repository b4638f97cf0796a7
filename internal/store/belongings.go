package store

import (
	"context"
	"encoding/json"
	"fmt"

	"latchkey/internal/iam"
)

func credentialPlace(realm iam.RealmID, user iam.UserID, id string) string {
	return "credential " + string(realm) + " " + string(user) + " " + id
}

const credentialColumns = `user_id, id, kind, coalesce(label, ''), priority, created_at, data, secret, version`

func (r *Reader) scanCredential(realm iam.RealmID) func(row) (*iam.Credential, error) {
	return func(row row) (*iam.Credential, error) {
		v := new(iam.Credential)
		var created int64
		var sealed []byte
		if err := row.Scan(&v.User, &v.ID, &v.Kind, &v.Label, &v.Priority, &created, &v.Data, &sealed, &v.Version); err != nil {
			return nil, err
		}
		v.Created = fromMillis(created)
		plain, err := r.unseal(credentialPlace(realm, v.User, v.ID), sealed)
		v.Secret = plain
		return v, err
	}
}

// Credentials returns a user's credentials in order of priority.
func (r *Reader) Credentials(ctx context.Context, realm iam.RealmID, user iam.UserID) ([]*iam.Credential, error) {
	return all(ctx, r.quick(), r.scanCredential(realm), `select `+credentialColumns+` from credentials
		where realm_id = $1 and user_id = $2 order by priority, created_at, id`, realm, user)
}

// Credential returns one credential of a user, or ErrNotFound.
func (r *Reader) Credential(ctx context.Context, realm iam.RealmID, user iam.UserID, id string) (*iam.Credential, error) {
	return one(ctx, r, r.scanCredential(realm), `select `+credentialColumns+` from credentials
		where realm_id = $1 and user_id = $2 and id = $3`, realm, user, id)
}

// InsertCredential adds a credential to its user.
func (tx *Tx) InsertCredential(ctx context.Context, realm iam.RealmID, v *iam.Credential) error {
	_, err := tx.exec(ctx, `insert into credentials (realm_id, user_id, id, kind, label, priority, created_at, data, secret, version)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1)`, realm, v.User, v.ID, string(v.Kind), nullable(v.Label), v.Priority, millis(v.Created),
		string(v.Data), tx.seal(credentialPlace(realm, v.User, v.ID), v.Secret))
	return err
}

// UpdateCredential writes a credential back; ErrConflict when it changed since it was read.
func (tx *Tx) UpdateCredential(ctx context.Context, realm iam.RealmID, v *iam.Credential) error {
	return tx.must(ctx, `update credentials set kind = $1, label = $2, priority = $3, created_at = $4, data = $5, secret = $6, version = version + 1
		where realm_id = $7 and user_id = $8 and id = $9 and version = $10`, string(v.Kind), nullable(v.Label), v.Priority, millis(v.Created),
		string(v.Data), tx.seal(credentialPlace(realm, v.User, v.ID), v.Secret), realm, v.User, v.ID, v.Version)
}

// DeleteCredential removes a credential; it reports whether it was there.
func (tx *Tx) DeleteCredential(ctx context.Context, realm iam.RealmID, user iam.UserID, id string) (bool, error) {
	n, err := tx.exec(ctx, `delete from credentials where realm_id = $1 and user_id = $2 and id = $3`, realm, user, id)
	return n > 0, err
}

func linkPlace(realm iam.RealmID, user iam.UserID, provider string) string {
	return "link " + string(realm) + " " + string(user) + " " + provider
}

func (r *Reader) scanLink(realm iam.RealmID) func(row) (*iam.FederatedIdentity, error) {
	return func(row row) (*iam.FederatedIdentity, error) {
		v := new(iam.FederatedIdentity)
		var sealed []byte
		if err := row.Scan(&v.User, &v.Provider, &v.ExternalID, &v.ExternalUsername, &sealed); err != nil {
			return nil, err
		}
		if sealed == nil {
			return v, nil
		}
		plain, err := r.unseal(linkPlace(realm, v.User, v.Provider), sealed)
		v.Token = plain
		return v, err
	}
}

// Links returns a user's accounts at identity providers.
func (r *Reader) Links(ctx context.Context, realm iam.RealmID, user iam.UserID) ([]*iam.FederatedIdentity, error) {
	return all(ctx, r, r.scanLink(realm), `select user_id, provider, external_id, external_username, token from federated_identities
		where realm_id = $1 and user_id = $2 order by provider`, realm, user)
}

// UserByLink returns the user who has an account at an identity provider, or ErrNotFound.
func (r *Reader) UserByLink(ctx context.Context, realm iam.RealmID, provider, external string) (*iam.User, error) {
	return one(ctx, r, scanUser(realm), `select `+userColumns+
		` from users u join federated_identities f on f.realm_id = u.realm_id and f.user_id = u.id
		where u.realm_id = $1 and f.provider = $2 and f.external_id = $3`, realm, provider, external)
}

// InsertLink adds a link; an ExistsError tells that the user has one for that
// provider, or that the external account is somebody's already.
func (tx *Tx) InsertLink(ctx context.Context, realm iam.RealmID, v *iam.FederatedIdentity) error {
	var token []byte
	if v.Token != nil {
		token = tx.seal(linkPlace(realm, v.User, v.Provider), v.Token)
	}
	_, err := tx.exec(ctx,
		`insert into federated_identities (realm_id, user_id, provider, external_id, external_username, token) values ($1, $2, $3, $4, $5, $6)`,
		realm, v.User, v.Provider, v.ExternalID, v.ExternalUsername, token)
	return err
}

// UpdateLink writes what changes of a link at later logins: the name there and, where one is given, the token.
func (tx *Tx) UpdateLink(ctx context.Context, realm iam.RealmID, v *iam.FederatedIdentity) error {
	if v.Token == nil {
		_, err := tx.exec(ctx, `update federated_identities set external_username = $1 where realm_id = $2 and user_id = $3 and provider = $4`,
			v.ExternalUsername, realm, v.User, v.Provider)
		return err
	}
	_, err := tx.exec(ctx,
		`update federated_identities set external_username = $1, token = $2 where realm_id = $3 and user_id = $4 and provider = $5`,
		v.ExternalUsername, tx.seal(linkPlace(realm, v.User, v.Provider), v.Token), realm, v.User, v.Provider)
	return err
}

// DeleteLink removes a link; it reports whether it was there.
func (tx *Tx) DeleteLink(ctx context.Context, realm iam.RealmID, user iam.UserID, provider string) (bool, error) {
	n, err := tx.exec(ctx, `delete from federated_identities where realm_id = $1 and user_id = $2 and provider = $3`, realm, user, provider)
	return n > 0, err
}

// DeleteLinks removes all links to an identity provider.
func (tx *Tx) DeleteLinks(ctx context.Context, realm iam.RealmID, provider string) error {
	_, err := tx.exec(ctx, `delete from federated_identities where realm_id = $1 and provider = $2`, realm, provider)
	return err
}

func scanConsent(row row) (*iam.Consent, error) {
	v := new(iam.Consent)
	var scopes []byte
	var created, updated int64
	if err := row.Scan(&v.User, &v.Client, &scopes, &created, &updated); err != nil {
		return nil, err
	}
	v.Created, v.Updated = fromMillis(created), fromMillis(updated)
	if err := json.Unmarshal(scopes, &v.Scopes); err != nil {
		return nil, fmt.Errorf("consent of %s: %w", v.User, err)
	}
	return v, nil
}

const consentColumns = `user_id, client_id, scopes, created_at, updated_at`

// Consents returns what a user allowed clients.
func (r *Reader) Consents(ctx context.Context, realm iam.RealmID, user iam.UserID) ([]*iam.Consent, error) {
	return all(ctx, r, scanConsent, `select `+consentColumns+` from consents where realm_id = $1 and user_id = $2 order by client_id`,
		realm, user)
}

// Consent returns what a user allowed one client, or ErrNotFound.
func (r *Reader) Consent(ctx context.Context, realm iam.RealmID, user iam.UserID, client iam.ClientID) (*iam.Consent, error) {
	return one(ctx, r.quick(), scanConsent, `select `+consentColumns+` from consents where realm_id = $1 and user_id = $2 and client_id = $3`,
		realm, user, client)
}

// PutConsent adds a consent or replaces its scopes and time of change.
func (tx *Tx) PutConsent(ctx context.Context, realm iam.RealmID, v *iam.Consent) error {
	scopes, err := json.Marshal(v.Scopes)
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, `insert into consents (realm_id, user_id, client_id, scopes, created_at, updated_at) values ($1, $2, $3, $4, $5, $6)
		on conflict (realm_id, user_id, client_id) do update set scopes = excluded.scopes, updated_at = excluded.updated_at`,
		realm, v.User, v.Client, string(scopes), millis(v.Created), millis(v.Updated))
	return err
}

// InsertConsent adds a consent; ErrConflict when there is one.
func (tx *Tx) InsertConsent(ctx context.Context, realm iam.RealmID, v *iam.Consent) error {
	scopes, err := json.Marshal(v.Scopes)
	if err != nil {
		return err
	}
	return tx.must(ctx, `insert into consents (realm_id, user_id, client_id, scopes, created_at, updated_at) values ($1, $2, $3, $4, $5, $6)
		on conflict (realm_id, user_id, client_id) do nothing`, realm, v.User, v.Client, string(scopes), millis(v.Created), millis(v.Updated))
}

// UpdateConsent writes a consent's scopes and time of change; ErrConflict when
// its scopes are no longer those that were read.
func (tx *Tx) UpdateConsent(ctx context.Context, realm iam.RealmID, read, v *iam.Consent) error {
	was, err := json.Marshal(read.Scopes)
	if err != nil {
		return err
	}
	scopes, err := json.Marshal(v.Scopes)
	if err != nil {
		return err
	}
	return tx.must(ctx, `update consents set scopes = $1, updated_at = $2 where realm_id = $3 and user_id = $4 and client_id = $5 and scopes = $6`,
		string(scopes), millis(v.Updated), realm, v.User, v.Client, string(was))
}

// DeleteConsent takes a consent back; it reports whether there was one.
func (tx *Tx) DeleteConsent(ctx context.Context, realm iam.RealmID, user iam.UserID, client iam.ClientID) (bool, error) {
	n, err := tx.exec(ctx, `delete from consents where realm_id = $1 and user_id = $2 and client_id = $3`, realm, user, client)
	return n > 0, err
}

// RoleIsHeld reports whether any user has a role, directly or by a group.
func (r *Reader) RoleIsHeld(ctx context.Context, realm iam.RealmID, role iam.RoleID) (bool, error) {
	list, err := all(ctx, r, scanValue[iam.UserID], `with recursive giving (id) as (
			select group_id from group_roles where realm_id = $1 and role_id = $2
			union
			select g.id from groups g join giving on g.parent_id = giving.id where g.realm_id = $1
		)
		select user_id from user_roles where realm_id = $1 and role_id = $2
		union
		select user_id from user_groups where realm_id = $1 and group_id in (select id from giving)
		order by user_id limit 1`, realm, role)
	return len(list) > 0, err
}

// UserRoles returns the roles mapped to a user directly.
func (r *Reader) UserRoles(ctx context.Context, realm iam.RealmID, user iam.UserID) ([]iam.RoleID, error) {
	return all(ctx, r, scanValue[iam.RoleID], `select role_id from user_roles where realm_id = $1 and user_id = $2 order by role_id`,
		realm, user)
}

// AddUserRole maps a role to a user; it reports whether that is new.
func (tx *Tx) AddUserRole(ctx context.Context, realm iam.RealmID, user iam.UserID, role iam.RoleID) (bool, error) {
	n, err := tx.exec(ctx,
		`insert into user_roles (realm_id, user_id, role_id) values ($1, $2, $3) on conflict (realm_id, user_id, role_id) do nothing`,
		realm, user, role)
	return n > 0, err
}

// RemoveUserRole takes a role from a user; it reports whether it was mapped.
func (tx *Tx) RemoveUserRole(ctx context.Context, realm iam.RealmID, user iam.UserID, role iam.RoleID) (bool, error) {
	n, err := tx.exec(ctx, `delete from user_roles where realm_id = $1 and user_id = $2 and role_id = $3`, realm, user, role)
	return n > 0, err
}

// UserGroups returns the groups a user is a direct member of.
func (r *Reader) UserGroups(ctx context.Context, realm iam.RealmID, user iam.UserID) ([]iam.GroupID, error) {
	return all(ctx, r, scanValue[iam.GroupID], `select group_id from user_groups where realm_id = $1 and user_id = $2 order by group_id`,
		realm, user)
}

// JoinGroup makes a user a member of a group; it reports whether that is new.
func (tx *Tx) JoinGroup(ctx context.Context, realm iam.RealmID, user iam.UserID, group iam.GroupID) (bool, error) {
	n, err := tx.exec(ctx,
		`insert into user_groups (realm_id, user_id, group_id) values ($1, $2, $3) on conflict (realm_id, user_id, group_id) do nothing`,
		realm, user, group)
	return n > 0, err
}

// LeaveGroup ends a membership; it reports whether there was one.
func (tx *Tx) LeaveGroup(ctx context.Context, realm iam.RealmID, user iam.UserID, group iam.GroupID) (bool, error) {
	n, err := tx.exec(ctx, `delete from user_groups where realm_id = $1 and user_id = $2 and group_id = $3`, realm, user, group)
	return n > 0, err
}

// UsersAfter returns the next users by user name, service accounts included: a
// page of at most max after the one named, for walking through all of them.
func (r *Reader) UsersAfter(ctx context.Context, realm iam.RealmID, username string, max int) ([]*iam.User, error) {
	return all(ctx, r, scanUser(realm), `select `+userColumns+
		` from users u where u.realm_id = $1 and u.username > $2 order by u.username limit $3`, realm, username, max)
}
