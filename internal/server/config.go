package server

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/telemetry"
	"latchkey/internal/users"
	"latchkey/internal/web"
)

// Config is everything that a server is told. Start from Defaults or
// DevDefaults; the zero value of the rest works.
type Config struct {
	Dev bool // development: friendlier, never for the world

	HTTP       HTTPConfig
	Management ManagementConfig
	Hostname   web.HostnameOptions
	Proxy      ProxyConfig
	DB         DBConfig
	Bootstrap  Bootstrap

	DataDir     string // where the SQLite file, its seal key and files to import are
	SealKeyFile string // keys that seal secrets at rest; empty: beside the SQLite file; PostgreSQL insists on one
	ImportRealm bool   // import the realm files in ImportDir before listening
	ImportDir   string // empty: DataDir/import
	ThemesDir   string // empty: DataDir/themes
	// ImportAcceptGaps imports realms although something in them will not work yet.
	ImportAcceptGaps bool

	HashQueue int // password hashes that wait for others at most; 0: the default

	Log       telemetry.LogOptions
	LogTo     io.Writer // nil: standard error
	AccessLog bool      // a line for each request

	LogSessions bool // a line for each session that begins or ends

	// Directories are where users come from besides the table of the database, by the provider ids of their components.
	Directories users.Directories

	// SetupLink is called with the address at which whoever opens it first
	// becomes administrator, where there is none and Bootstrap names none.
	SetupLink func(address string)
	// Ready is called once, when the server listens, with its address.
	Ready func(address string)
}

// HTTPConfig says where and how the server listens.
type HTTPConfig struct {
	Enabled      bool          // plain HTTP; without it TLS files are needed
	Host         string        // address to listen on, for both
	Port         int           // of HTTP; 0 takes a free one
	TLSPort      int           // of HTTPS
	CertFile     string        // PEM chain; read again when it changes
	KeyFile      string        // PEM key
	RelativePath string        // "/auth" serves everything below /auth
	Timeout      time.Duration // of one request
	StopTimeout  time.Duration // that requests get to finish when the server stops
}

// TLS says whether the server listens on HTTPS.
func (c HTTPConfig) TLS() bool { return c.CertFile != "" }

// ManagementConfig says what the management listener offers; with neither
// health nor metrics there is none.
type ManagementConfig struct {
	Host    string
	Port    int // 0 takes a free one
	Health  bool
	Metrics bool
	Plain   bool // HTTP even if the server has TLS files
}

// ProxyConfig is Keycloak's proxy-headers ("forwarded", "xforwarded" or empty)
// and proxy-trusted-addresses.
type ProxyConfig struct {
	Headers string
	Trusted string
}

// The engines of DBConfig.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// DBConfig says which database to use.
type DBConfig struct {
	Engine  string // SQLite or Postgres
	Path    string // of the SQLite file; empty: DataDir/latchkey.db
	URL     string // of PostgreSQL, postgres://...; holds the password: never log it
	MaxPool int    // connections at most; 0: the store's default
	// Wait is for how long a server that starts waits for a database that does not answer.
	Wait time.Duration
}

// Bootstrap is the first administrator, made when there is none.
type Bootstrap struct {
	Username     string
	Password     iam.Secret
	ClientID     string // a service account instead of, or besides, a user
	ClientSecret iam.Secret
}

// Set says whether any administrator was asked for.
func (b Bootstrap) Set() bool { return b.Username != "" || b.ClientID != "" }

// Defaults returns the options of a production server.
func Defaults() Config {
	return Config{
		HTTP: HTTPConfig{
			Host: "0.0.0.0", Port: 8080, TLSPort: 8443,
			Timeout: time.Minute, StopTimeout: 20 * time.Second,
		},
		Management: ManagementConfig{Host: "0.0.0.0", Port: 9000, Health: true, Metrics: true},
		Hostname:   web.HostnameOptions{Strict: true},
		DB:         DBConfig{Engine: SQLite, Wait: 5 * time.Minute},
		DataDir:    "data",
		Log:        telemetry.LogOptions{JSON: true},
	}
}

// DevDefaults returns the options of a server for development: on loopback,
// any host name, and admin/admin.
func DevDefaults() Config {
	c := Defaults()
	c.Dev = true
	c.HTTP.Enabled, c.HTTP.Host, c.Management.Host = true, "127.0.0.1", "127.0.0.1"
	c.HTTP.StopTimeout = 3 * time.Second
	c.Management.Health, c.Management.Metrics = false, false
	c.Hostname.Strict = false
	c.Log.JSON = false
	c.Bootstrap = Bootstrap{Username: "admin", Password: iam.Secret("admin")}
	return c
}

// SQLitePath is where the SQLite file is.
func (c Config) SQLitePath() string {
	if c.DB.Path != "" {
		return c.DB.Path
	}
	return filepath.Join(c.DataDir, "latchkey.db")
}

// ImportFrom is the directory of realm files that ImportRealm reads.
func (c Config) ImportFrom() string {
	if c.ImportDir != "" {
		return c.ImportDir
	}
	return filepath.Join(c.DataDir, "import")
}

// ThemesFrom is the directory of themes.
func (c Config) ThemesFrom() string {
	if c.ThemesDir != "" {
		return c.ThemesDir
	}
	return filepath.Join(c.DataDir, "themes")
}

// Check finds options that contradict each other or cannot work, in words for
// whoever wrote them. It opens nothing.
func (c Config) Check() error {
	var errs []error
	say := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if (c.HTTP.CertFile == "") != (c.HTTP.KeyFile == "") {
		say("https-certificate-file and https-certificate-key-file go together")
	}
	if !c.HTTP.Enabled && !c.HTTP.TLS() {
		say("nothing to listen on: give https-certificate-file and https-certificate-key-file, or http-enabled=true behind a proxy that ends TLS")
	}
	if p := c.HTTP.RelativePath; p != "" && p[0] != '/' {
		say("http-relative-path %q must begin with a slash", p)
	}
	if _, err := web.NewHostname(c.Hostname); err != nil {
		errs = append(errs, err)
	}
	if _, err := c.proxy(); err != nil {
		errs = append(errs, err)
	}
	if _, err := telemetry.ParseLevel(c.Log.Level); err != nil {
		errs = append(errs, err)
	}
	if (c.Bootstrap.Username == "") != (len(c.Bootstrap.Password) == 0) {
		say("bootstrap-admin-username and bootstrap-admin-password go together")
	}
	if (c.Bootstrap.ClientID == "") != (len(c.Bootstrap.ClientSecret) == 0) {
		say("bootstrap-admin-client-id and bootstrap-admin-client-secret go together")
	}
	errs = append(errs, c.checkDB())
	return errors.Join(errs...)
}

func (c Config) checkDB() error {
	switch c.DB.Engine {
	case SQLite:
		if c.DB.URL != "" {
			return errors.New("db-url is for db=postgres; db-path names the SQLite file")
		}
	case Postgres:
		u, err := url.Parse(c.DB.URL)
		switch {
		case c.DB.URL == "":
			return errors.New("db=postgres needs db-url")
		case err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql"):
			return errors.New("db-url must begin with postgres:// or jdbc:postgresql://") // the URL may hold a password
		case c.SealKeyFile == "":
			return errors.New("db=postgres needs seal-key-file: the key that seals secrets must not be in the database, and every node needs the " +
				"same")
		}
	default:
		return fmt.Errorf("unknown database %q (sqlite, postgres)", c.DB.Engine)
	}
	return nil
}

// proxy reads the proxy options.
func (c Config) proxy() (web.Proxy, error) {
	p := web.Proxy{Headers: c.Proxy.Headers}
	if p.Headers != "" && p.Headers != "forwarded" && p.Headers != "xforwarded" {
		return p, fmt.Errorf("unknown proxy-headers %q (forwarded, xforwarded)", p.Headers)
	}
	var err error
	if p.Trusted, err = web.ParsePrefixes(c.Proxy.Trusted); err != nil {
		return p, fmt.Errorf("proxy-trusted-addresses: %w", err)
	}
	if len(p.Trusted) > 0 && p.Headers == "" {
		return p, errors.New("proxy-trusted-addresses needs proxy-headers")
	}
	return p, nil
}
