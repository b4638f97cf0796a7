package migrate

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// A Version is that of a Keycloak's schema, as its MIGRATION_MODEL says.
type Version struct {
	Major, Minor int
	Text         string // "26.7.3"
}

// AtLeast reports whether v is not older than a version.
func (v Version) AtLeast(major, minor int) bool {
	return v.Major > major || v.Major == major && v.Minor >= minor
}

// known are the versions whose tables this was written for, the newest minor of each major.
var known = map[int]int{24: 0, 25: 0, 26: 7}

const knownText = "24, 25 and 26.0 to 26.7"

// newest are changes of the schema, by the ids of their changelog, that came
// after the newest version that is known. MIGRATION_MODEL is written at the end of an
// update; these are there as soon as it has begun.
const newerChanges = "26.8.%"

// recognise finds out what the database is, or says why it is none that can be read.
func (s *Source) recognise(ctx context.Context) error {
	for _, table := range []string{"DATABASECHANGELOG", "MIGRATION_MODEL", "REALM", "USER_ENTITY", "CLIENT", "OFFLINE_USER_SESSION"} {
		if !s.has(table) {
			return fmt.Errorf("this is not a Keycloak's database: it has no table %s (of %d tables)", table, len(s.tables))
		}
	}
	if s.has("DATABASECHANGELOGLOCK") {
		held, err := s.count(ctx, `select count(*) from DATABASECHANGELOGLOCK where LOCKED = ?`, true)
		if err != nil {
			return err
		}
		if held > 0 {
			return fmt.Errorf("a Keycloak is updating the schema of this database, or stopped while it did: " +
				"let it start until it answers, and try again")
		}
	}
	text := ""
	err := s.each(ctx, func(r row) error { text = r.text("version"); return nil }, `select VERSION from MIGRATION_MODEL
		order by UPDATE_TIME, ID`)
	if err != nil {
		return err
	}
	if s.Version, err = parseVersion(text); err != nil {
		return err
	}
	newer, err := s.count(ctx, `select count(*) from DATABASECHANGELOG where ID like ?`, newerChanges)
	if err != nil {
		return err
	}
	minor, ok := known[s.Version.Major]
	switch {
	case s.Version.Major < 24:
		return fmt.Errorf("the schema is of Keycloak %s, which is too old (%s can be read): let a Keycloak of these update it, on a copy",
			text, knownText)
	case !ok, s.Version.Major == 26 && s.Version.Minor > minor:
		return fmt.Errorf("the schema is of Keycloak %s, which is newer than this Latchkey knows (%s can be read)", text, knownText)
	case newer > 0:
		return fmt.Errorf("the schema says that it is of Keycloak %s, and has %d changes of a newer one: an update has begun and not ended",
			text, newer)
	}
	return nil
}

func parseVersion(text string) (Version, error) {
	v := Version{Text: text}
	major, rest, _ := strings.Cut(text, ".")
	minor, _, _ := strings.Cut(rest, ".")
	var err, err2 error
	v.Major, err = strconv.Atoi(major)
	v.Minor, err2 = strconv.Atoi(minor)
	if err != nil || err2 != nil {
		return v, fmt.Errorf("the database does not say which version of Keycloak it is of: MIGRATION_MODEL says %q", text)
	}
	return v, nil
}
