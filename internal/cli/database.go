package cli

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"latchkey/internal/server"
)

// applyDB turns the database options, in Latchkey's and in Keycloak's words,
// into the engine and its address.
func (o *options) applyDB(db *server.DBConfig) error {
	dsn := string(o.DBURL.Secret)
	switch o.DB {
	case "":
		if dsn != "" || o.DBHost != "" {
			db.Engine = server.Postgres
		}
	case "sqlite", "dev-file":
		db.Engine = server.SQLite
	case "postgres", "postgresql":
		db.Engine = server.Postgres
	default:
		return fmt.Errorf("db=%s is not supported (sqlite, postgres)", o.DB)
	}
	give(&db.Path, o.DBPath)
	if o.DBWait != 0 {
		db.Wait = o.DBWait
	}
	if o.DBPool > 0 {
		db.MaxPool = o.DBPool
	}
	if db.Engine != server.Postgres {
		db.URL = dsn
		return nil
	}
	if dsn == "" {
		dsn = "postgres://" + orElse(o.DBHost, "localhost")
		if o.DBPort != "" {
			dsn += ":" + o.DBPort
		}
		dsn += "/" + orElse(o.DBName, "latchkey") + o.properties()
	}
	dsn, err := postgresURL(dsn, o.DBUser, string(o.DBPassword.Secret))
	db.URL = dsn
	return err
}

// properties is --db-url-properties as a query, whatever it begins with.
func (o *options) properties() string {
	if o.DBProperties == "" {
		return ""
	}
	return "?" + strings.ReplaceAll(strings.TrimLeft(o.DBProperties, "?;&"), ";", "&")
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// jdbcNames are the parameters of PostgreSQL's JDBC driver that libpq's URLs
// have under another name. Those of neither list concern Java alone.
var jdbcNames = map[string]string{
	"sslmode": "sslmode", "sslrootcert": "sslrootcert", "sslcert": "sslcert", "sslkey": "sslkey", "sslpassword": "sslpassword",
	"currentSchema": "search_path", "ApplicationName": "application_name", "connectTimeout": "connect_timeout",
	"options": "options", "targetServerType": "target_session_attrs", "channelBinding": "channel_binding",
}

// jdbcServerTypes are the values of targetServerType in libpq's words.
var jdbcServerTypes = map[string]string{
	"any": "any", "primary": "read-write", "master": "read-write", "secondary": "read-only", "slave": "read-only",
	"preferSecondary": "prefer-standby", "preferSlave": "prefer-standby",
}

var errDSN = errors.New("db-url cannot be understood") // without the URL, which may hold a password

// postgresURL reads postgres:// and jdbc:postgresql:// URLs; user and password
// are used where the URL has none.
func postgresURL(dsn, user, password string) (string, error) {
	rest, jdbc := strings.CutPrefix(dsn, "jdbc:")
	if jdbc && !strings.HasPrefix(rest, "postgresql:") {
		return "", errors.New("db-url must be one of PostgreSQL")
	}
	if jdbc && !strings.HasPrefix(rest, "postgresql://") { // jdbc:postgresql:database, jdbc:postgresql:/
		rest = "postgresql://localhost/" + strings.TrimLeft(strings.TrimPrefix(rest, "postgresql:"), "/")
	}
	// Several hosts with ports are an address for libpq and pgx but not for net/url.
	scheme, after, ok := strings.Cut(rest, "://")
	if !ok || (scheme != "postgres" && scheme != "postgresql") {
		return "", errors.New("db-url must begin with postgres:// or jdbc:postgresql://")
	}
	after, query, _ := strings.Cut(after, "?")
	authority, path, _ := strings.Cut(after, "/")
	userinfo, hosts := "", authority
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		userinfo, hosts = authority[:i+1], authority[i+1:]
	}
	in, err := url.ParseQuery(query)
	if err != nil {
		return "", errDSN
	}
	out := in
	if jdbc {
		out = url.Values{}
		for k := range in {
			if name, ok := jdbcNames[k]; ok {
				out.Set(name, in.Get(k))
			}
		}
		if ssl, set := in["ssl"]; set && ssl[0] != "false" && in.Get("sslmode") == "" {
			out.Set("sslmode", "verify-full") // what ssl=true means to the JDBC driver
		}
		if t := out.Get("target_session_attrs"); t != "" {
			if out.Set("target_session_attrs", jdbcServerTypes[t]); jdbcServerTypes[t] == "" {
				return "", fmt.Errorf("db-url: unknown targetServerType %q", t)
			}
		}
		user, password = orElse(in.Get("user"), user), orElse(in.Get("password"), password)
	}
	if userinfo == "" && user != "" {
		userinfo = url.User(user).String() + "@"
		if password != "" {
			userinfo = url.UserPassword(user, password).String() + "@"
		}
	}
	dsn = "postgres://" + userinfo + hosts + "/" + path
	if q := out.Encode(); q != "" {
		dsn += "?" + q
	}
	return dsn, nil
}
