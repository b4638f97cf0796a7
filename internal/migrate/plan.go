package migrate

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"latchkey/internal/realms"
	"latchkey/internal/rep"
)

// Counts are how much of everything a realm has, in the source or here.
type Counts struct {
	Clients, Roles, Groups, Users      int64
	OnlineSessions, OfflineSessions    int64
	OnlineParts, OfflineParts          int64 // clients in sessions
	Events, AdminEvents, InitialAccess int64
}

// A RealmPlan is what would become of a realm.
type RealmPlan struct {
	Realm  string
	Counts Counts
	Gaps   []realms.Gap // what would be stored, and not work yet
	Lost   []string     // what cannot be taken, with the numbers
}

// A Plan is what would become of all of a source.
type Plan struct {
	Product, Version string
	Realms           []RealmPlan
	Lost             []string // what no move can take
}

// Plan reads what there is, and stores nothing. check says what of a realm would not work.
func (s *Source) Plan(ctx context.Context, only string, check func(context.Context, *realms.RealmFile) ([]realms.Gap, error)) (*Plan,
	error) {
	list, err := s.selected(ctx, only)
	if err != nil {
		return nil, err
	}
	p := &Plan{Product: s.Product, Version: s.Version.Text, Lost: s.always()}
	for _, of := range list {
		one, err := s.planRealm(ctx, of, check)
		if err != nil {
			return nil, err
		}
		p.Realms = append(p.Realms, *one)
	}
	return p, nil
}

// selected are all realms, or the one of a name.
func (s *Source) selected(ctx context.Context, only string) ([]RealmID, error) {
	list, err := s.Realms(ctx)
	if err != nil || only == "" {
		return list, err
	}
	i := slices.IndexFunc(list, func(of RealmID) bool { return of.Name == only })
	if i < 0 {
		return nil, fmt.Errorf("there is no realm %q in that Keycloak", only)
	}
	return list[i : i+1], nil
}

// always is what no move takes: it is in the memory of Keycloak's processes.
func (s *Source) always() []string {
	list := []string{
		"logins in progress, authorization codes, device codes and pushed requests: who is in the middle of one begins anew",
		"links in mails that were sent before the move: they will be refused; send them again",
		"counts of failed logins, which Keycloak keeps in memory: they begin at zero",
	}
	if !s.onlineSessions() {
		list = append(list, "sessions of browsers: Keycloak "+s.Version.Text+" keeps them in memory alone; "+
			"everybody logs in once, offline tokens go on working")
	}
	return append(list, "themes, and classes of your own: authenticators, listeners, mappers, password hashes, user storage")
}

// onlineSessions reports whether this version stores the sessions of browsers, unless that is switched off.
func (s *Source) onlineSessions() bool { return s.Version.AtLeast(26, 0) }

func (s *Source) planRealm(ctx context.Context, of RealmID, check func(context.Context, *realms.RealmFile) ([]realms.Gap,
	error)) (*RealmPlan, error) {
	r, err := s.Realm(ctx, of)
	if err != nil {
		return nil, err
	}
	p := &RealmPlan{Realm: of.Name}
	if p.Counts, err = s.counts(ctx, of); err != nil {
		return nil, err
	}
	if p.Gaps, err = check(ctx, realms.FileOf(s.where(of), r)); err != nil {
		return nil, err
	}
	lost, err := s.lost(ctx, of, p.Counts)
	p.Lost = append(keysElsewhere(r), lost...)
	return p, err
}

// where names a realm of the source, for errors.
func (s *Source) where(of RealmID) string {
	return "realm " + of.Name + " of Keycloak " + s.Version.Text
}

// counts counts what a realm has.
func (s *Source) counts(ctx context.Context, of RealmID) (c Counts, err error) {
	for to, q := range map[*int64]string{
		&c.Clients: `select count(*) from CLIENT where REALM_ID = ?`,
		&c.Roles:   `select count(*) from KEYCLOAK_ROLE where REALM_ID = ?`,
		&c.Groups:  `select count(*) from KEYCLOAK_GROUP where REALM_ID = ?`,
		&c.Users:   `select count(*) from USER_ENTITY where REALM_ID = ? and SERVICE_ACCOUNT_CLIENT_LINK is null`,
		&c.OnlineSessions: `select count(*) from OFFLINE_USER_SESSION where OFFLINE_FLAG = '0' and REALM_ID = ?
			and USER_ID in (select ID from USER_ENTITY where REALM_ID = OFFLINE_USER_SESSION.REALM_ID)`,
		&c.OfflineSessions: `select count(*) from OFFLINE_USER_SESSION where OFFLINE_FLAG = '1' and REALM_ID = ?
			and USER_ID in (select ID from USER_ENTITY where REALM_ID = OFFLINE_USER_SESSION.REALM_ID)`,
		&c.OnlineParts:   countParts('0'),
		&c.OfflineParts:  countParts('1'),
		&c.Events:        `select count(*) from EVENT_ENTITY where REALM_ID = ?`,
		&c.AdminEvents:   `select count(*) from ADMIN_EVENT_ENTITY where REALM_ID = ?`,
		&c.InitialAccess: `select count(*) from CLIENT_INITIAL_ACCESS where REALM_ID = ?`,
	} {
		if *to, err = s.count(ctx, q, of.ID); err != nil {
			return c, err
		}
	}
	return c, nil
}

func countParts(flag rune) string {
	return fmt.Sprintf(`select count(*) from OFFLINE_CLIENT_SESSION c join CLIENT k on k.ID = c.CLIENT_ID
		join OFFLINE_USER_SESSION s on s.USER_SESSION_ID = c.USER_SESSION_ID and s.OFFLINE_FLAG = c.OFFLINE_FLAG
		where c.OFFLINE_FLAG = '%c' and s.REALM_ID = ? and s.USER_ID in (select ID from USER_ENTITY where REALM_ID = s.REALM_ID)`, flag)
}

// lost counts what of a realm cannot be taken.
func (s *Source) lost(ctx context.Context, of RealmID, have Counts) ([]string, error) {
	var list []string
	tell := func(q, text string) error {
		n, err := s.count(ctx, q, of.ID)
		if err == nil && n > 0 {
			list = append(list, fmt.Sprintf(text, n))
		}
		return err
	}
	for _, x := range [][2]string{
		{`select count(*) from OFFLINE_USER_SESSION where REALM_ID = ? and USER_ID not in (select ID from USER_ENTITY
			where REALM_ID = OFFLINE_USER_SESSION.REALM_ID)`,
			"%d sessions whose user is not in this database: deleted since, or one that lives in a directory"},
		{`select count(*) from OFFLINE_CLIENT_SESSION c join OFFLINE_USER_SESSION s on s.USER_SESSION_ID = c.USER_SESSION_ID
			and s.OFFLINE_FLAG = c.OFFLINE_FLAG
			where s.REALM_ID = ? and c.CLIENT_ID not in (select ID from CLIENT)`, "%d clients' parts in sessions: the client was deleted"},
		{`select count(*) from FEDERATED_USER where REALM_ID = ?`,
			"the own data of %d users who live in a directory and are not imported: attributes, roles, groups, consents and credentials"},
	} {
		if err := tell(x[0], x[1]); err != nil {
			return nil, err
		}
	}
	if have.OnlineSessions > 0 && !s.onlineSessions() {
		list = append(list, fmt.Sprintf("%d sessions of browsers that a preview of this version stored", have.OnlineSessions))
	}
	for _, look := range []func(context.Context, RealmID) ([]string, error){s.unknownHashes, s.unknownCredentials} {
		more, err := look(ctx, of)
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	return list, nil
}

// unknownCredentials counts credentials of kinds that come with classes of somebody's own.
func (s *Source) unknownCredentials(ctx context.Context, of RealmID) ([]string, error) {
	var list []string
	err := s.each(ctx, func(x row) error {
		if kind := x.text("type"); !slices.Contains(credentialKinds, kind) {
			list = append(list, fmt.Sprintf("%d credentials of the kind %q: they are kept, and nothing asks for them", x.num("n"), kind))
		}
		return nil
	}, `select TYPE, count(*) as n from CREDENTIAL where USER_ID in (select ID from USER_ENTITY where REALM_ID = ?) group by TYPE
		order by TYPE`, of.ID)
	return list, err
}

var credentialKinds = []string{"password", "password-history", "otp", "webauthn", "webauthn-passwordless", "recovery-authn-codes",
	"recovery-authn-codes-old"}

// hashes are the password hashes that can be checked here. Keycloak: PasswordHashProvider.
var hashes = []string{"argon2", "pbkdf2", "pbkdf2-sha256", "pbkdf2-sha512"}

// unknownHashes counts passwords that nobody can be checked against, by their algorithm.
func (s *Source) unknownHashes(ctx context.Context, of RealmID) ([]string, error) {
	counts := map[string]int{}
	err := s.each(ctx, func(x row) error {
		var data struct {
			Algorithm string `json:"algorithm"`
		}
		if err := json.Unmarshal([]byte(x.text("credential_data")), &data); err != nil {
			data.Algorithm = "unreadable"
		}
		counts[data.Algorithm] += int(x.num("n"))
		return nil
	}, `select CREDENTIAL_DATA, count(*) as n from CREDENTIAL where TYPE = 'password' and USER_ID in (select ID from USER_ENTITY
		where REALM_ID = ?) group by CREDENTIAL_DATA`, of.ID)
	var list []string
	for name, n := range counts {
		if !slices.Contains(hashes, name) {
			list = append(list, fmt.Sprintf("%d passwords hashed with %q: they are kept, and nobody can log in with one", n, name))
		}
	}
	slices.Sort(list)
	return list, err
}

// keysElsewhere lists keys and secrets that are not in the database.
func keysElsewhere(r *rep.Realm) []string {
	var list []string
	for _, c := range r.Components[realms.TypeKeyProvider] {
		if c.ProviderID == "java-keystore" {
			list = append(list, "keys of component "+c.Name+" (java-keystore): they are in a file of the Keycloak's; "+
				"what only they signed is refused")
		}
	}
	if strings.HasPrefix(r.SMTPServer["password"], "${vault.") {
		list = append(list, "the password of the mail server, which is in a vault")
	}
	for _, p := range r.IdentityProviders {
		if strings.HasPrefix(p.Config["clientSecret"], "${vault.") {
			list = append(list, "the secret of identity provider "+p.Alias+", which is in a vault")
		}
	}
	return list
}
