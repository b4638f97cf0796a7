package cli

import (
	"fmt"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/server"
)

// options are the server's, shared by all commands. Each flag --x-y is also
// LATCHKEY_X_Y in the environment and x-y in the configuration file; a tag kc
// names the variables of Keycloak that mean the same. An option that was not
// given (nil, zero or empty) leaves the command's default. A secret's value can
// be read from a file: LATCHKEY_X_Y_FILE, or x-y-file in the configuration file.
type options struct {
	ConfigFile string `help:"Configuration file of key=value lines, as keycloak.conf. Default: latchkey.conf, if there is one." kc:"KC_CONFIG_FILE" placeholder:"FILE"`
	DataDir    string `help:"Directory of the SQLite file, its seal key and files to import. Default: data." placeholder:"DIR"`

	HTTPEnabled      *bool  `name:"http-enabled" negatable:"" group:"Listening" help:"Listen on HTTP." kc:"KC_HTTP_ENABLED"`
	HTTPHost         string `name:"http-host" group:"Listening" help:"Address to listen on." kc:"KC_HTTP_HOST" placeholder:"ADDR"`
	HTTPPort         *int   `name:"http-port" group:"Listening" help:"Port of HTTP. Default: 8080." kc:"KC_HTTP_PORT" placeholder:"PORT"`
	HTTPSPort        *int   `name:"https-port" group:"Listening" help:"Port of HTTPS. Default: 8443." kc:"KC_HTTPS_PORT" placeholder:"PORT"`
	HTTPSCert        string `name:"https-certificate-file" group:"Listening" help:"PEM file of the certificate chain; read again when it changes." kc:"KC_HTTPS_CERTIFICATE_FILE" placeholder:"FILE"`
	HTTPSKey         string `name:"https-certificate-key-file" group:"Listening" help:"PEM file of the private key." kc:"KC_HTTPS_CERTIFICATE_KEY_FILE" placeholder:"FILE"`
	HTTPRelativePath string `name:"http-relative-path" group:"Listening" help:"Serve everything below this path." kc:"KC_HTTP_RELATIVE_PATH" placeholder:"/PATH"`

	ManagementHost   string `name:"http-management-host" group:"Management" help:"Address of the management listener." kc:"KC_HTTP_MANAGEMENT_HOST" placeholder:"ADDR"`
	ManagementPort   *int   `name:"http-management-port" group:"Management" help:"Port of the management listener. Default: 9000." kc:"KC_HTTP_MANAGEMENT_PORT" placeholder:"PORT"`
	ManagementScheme string `name:"http-management-scheme" group:"Management" help:"http, or inherited: HTTPS if the server has TLS files." enum:"http,inherited," default:"" kc:"KC_HTTP_MANAGEMENT_SCHEME" placeholder:"SCHEME"`
	HealthEnabled    *bool  `name:"health-enabled" negatable:"" group:"Management" help:"Offer /health." kc:"KC_HEALTH_ENABLED"`
	MetricsEnabled   *bool  `name:"metrics-enabled" negatable:"" group:"Management" help:"Offer /metrics." kc:"KC_METRICS_ENABLED"`

	Hostname            string `group:"Addresses" help:"Name or full URL under which clients know the server." kc:"KC_HOSTNAME" placeholder:"NAME|URL"`
	HostnameAdmin       string `group:"Addresses" help:"Full URL of the administration, if it differs." kc:"KC_HOSTNAME_ADMIN" placeholder:"URL"`
	HostnameStrict      *bool  `negatable:"" group:"Addresses" help:"Refuse to start without --hostname." kc:"KC_HOSTNAME_STRICT"`
	HostnameBackchannel *bool  `name:"hostname-backchannel-dynamic" negatable:"" group:"Addresses" help:"Back-channel addresses follow the request." kc:"KC_HOSTNAME_BACKCHANNEL_DYNAMIC"`
	ProxyHeaders        string `group:"Addresses" help:"Headers to believe of the proxy in front: forwarded or xforwarded. Default: none." kc:"KC_PROXY_HEADERS" placeholder:"KIND"`
	ProxyTrusted        string `name:"proxy-trusted-addresses" group:"Addresses" help:"Addresses and CIDR ranges of the proxies to believe." kc:"KC_PROXY_TRUSTED_ADDRESSES" placeholder:"LIST"`

	DB           string        `name:"db" group:"Database" help:"sqlite or postgres. Default: sqlite, or what --db-url says." kc:"KC_DB" placeholder:"ENGINE"`
	DBPath       string        `name:"db-path" group:"Database" help:"SQLite file. Default: latchkey.db in --data-dir." placeholder:"FILE"`
	DBURL        secret        `name:"db-url" group:"Database" help:"PostgreSQL's address, postgres:// or jdbc:postgresql://." kc:"KC_DB_URL" placeholder:"URL"`
	DBHost       string        `name:"db-url-host" group:"Database" help:"PostgreSQL's host, instead of --db-url." kc:"KC_DB_URL_HOST" placeholder:"HOST"`
	DBPort       string        `name:"db-url-port" group:"Database" help:"PostgreSQL's port." kc:"KC_DB_URL_PORT" placeholder:"PORT"`
	DBName       string        `name:"db-url-database" group:"Database" help:"PostgreSQL's database. Default: latchkey." kc:"KC_DB_URL_DATABASE" placeholder:"NAME"`
	DBProperties string        `name:"db-url-properties" group:"Database" help:"More of the URL, e.g. ?sslmode=verify-full." kc:"KC_DB_URL_PROPERTIES" placeholder:"QUERY"`
	DBUser       string        `name:"db-username" group:"Database" help:"PostgreSQL user." kc:"KC_DB_USERNAME" placeholder:"NAME"`
	DBPassword   secret        `name:"db-password" group:"Database" help:"Password of the PostgreSQL user." kc:"KC_DB_PASSWORD" placeholder:"PASSWORD"`
	DBPool       int           `name:"db-pool-max-size" group:"Database" help:"Connections to PostgreSQL at most." kc:"KC_DB_POOL_MAX_SIZE" placeholder:"N"`
	DBWait       time.Duration `name:"db-wait" group:"Database" help:"How long a server that starts waits for PostgreSQL to answer, e.g. 30s. Default: 5m." placeholder:"TIME"`
	SealKeyFile  string        `group:"Database" help:"File of the keys that seal secrets at rest; needed with PostgreSQL, the same on each node." placeholder:"FILE"`

	BootstrapUser         string `name:"bootstrap-admin-username" group:"First administrator" help:"Name of the first administrator, if there is none." kc:"KC_BOOTSTRAP_ADMIN_USERNAME,KEYCLOAK_ADMIN" placeholder:"NAME"`
	BootstrapPassword     secret `name:"bootstrap-admin-password" group:"First administrator" help:"Its password." kc:"KC_BOOTSTRAP_ADMIN_PASSWORD,KEYCLOAK_ADMIN_PASSWORD" placeholder:"PASSWORD"`
	BootstrapClient       string `name:"bootstrap-admin-client-id" group:"First administrator" help:"Client id of a first administrative service account." kc:"KC_BOOTSTRAP_ADMIN_CLIENT_ID" placeholder:"ID"`
	BootstrapClientSecret secret `name:"bootstrap-admin-client-secret" group:"First administrator" help:"Its secret." kc:"KC_BOOTSTRAP_ADMIN_CLIENT_SECRET" placeholder:"SECRET"`

	LogLevel    string `group:"Logs" help:"debug, info, warn, error or off. Default: info." kc:"KC_LOG_LEVEL" placeholder:"LEVEL"`
	LogOutput   string `name:"log-console-output" group:"Logs" help:"text (Keycloak: default) or json. Default: json, in development text." kc:"KC_LOG_CONSOLE_OUTPUT" placeholder:"FORM"`
	AccessLog   *bool  `name:"http-access-log-enabled" negatable:"" group:"Logs" help:"Log each request." kc:"KC_HTTP_ACCESS_LOG_ENABLED"`
	HashQueue   int    `name:"password-hash-queue" group:"Load" help:"Password hashes that wait for others at most; whoever comes beyond is answered 503. Default: 256." placeholder:"N"`
	LogSessions *bool  `name:"log-sessions" negatable:"" group:"Logs" help:"Log each beginning and end of a session."`
}

// apply writes the options that were given over a command's defaults.
func (o *options) apply(c server.Config) (server.Config, error) {
	give(&c.DataDir, o.DataDir)
	giveIf(&c.HTTP.Enabled, o.HTTPEnabled)
	give(&c.HTTP.Host, o.HTTPHost)
	giveIf(&c.HTTP.Port, o.HTTPPort)
	giveIf(&c.HTTP.TLSPort, o.HTTPSPort)
	give(&c.HTTP.CertFile, o.HTTPSCert)
	give(&c.HTTP.KeyFile, o.HTTPSKey)
	give(&c.HTTP.RelativePath, o.HTTPRelativePath)
	if c.HTTP.RelativePath == "/" {
		c.HTTP.RelativePath = "" // Keycloak's way to say "none"
	}
	give(&c.Management.Host, o.ManagementHost)
	giveIf(&c.Management.Port, o.ManagementPort)
	c.Management.Plain = o.ManagementScheme == "http"
	giveIf(&c.Management.Health, o.HealthEnabled)
	giveIf(&c.Management.Metrics, o.MetricsEnabled)
	give(&c.Hostname.Hostname, o.Hostname)
	give(&c.Hostname.Admin, o.HostnameAdmin)
	giveIf(&c.Hostname.Strict, o.HostnameStrict)
	giveIf(&c.Hostname.BackchannelDynamic, o.HostnameBackchannel)
	give(&c.Proxy.Headers, o.ProxyHeaders)
	give(&c.Proxy.Trusted, o.ProxyTrusted)
	give(&c.SealKeyFile, o.SealKeyFile)
	if o.BootstrapUser != "" || len(o.BootstrapPassword.Secret) > 0 || o.BootstrapClient != "" || len(o.BootstrapClientSecret.Secret) > 0 {
		c.Bootstrap = server.Bootstrap{Username: o.BootstrapUser, Password: o.BootstrapPassword.Secret,
			ClientID: o.BootstrapClient, ClientSecret: o.BootstrapClientSecret.Secret}
		if o.BootstrapUser == "" && len(o.BootstrapPassword.Secret) > 0 {
			c.Bootstrap.Username = "temp-admin" // Keycloak's name for whoever gives a password only
		}
	}
	give(&c.Log.Level, o.LogLevel)
	switch o.LogOutput {
	case "":
	case "json":
		c.Log.JSON = true
	case "text", "default":
		c.Log.JSON = false
	default:
		return c, fmt.Errorf("unknown log-console-output %q (text, json)", o.LogOutput)
	}
	giveIf(&c.AccessLog, o.AccessLog)
	if o.HashQueue > 0 {
		c.HashQueue = o.HashQueue
	}
	giveIf(&c.LogSessions, o.LogSessions)
	return c, o.applyDB(&c.DB)
}

func give(to *string, value string) {
	if value != "" {
		*to = value
	}
}

func giveIf[T any](to *T, value *T) {
	if value != nil {
		*to = *value
	}
}

// secret is an option that no output shows.
type secret struct{ iam.Secret }

// UnmarshalText reads the option.
func (s *secret) UnmarshalText(b []byte) error {
	s.Secret = append(iam.Secret(nil), b...)
	return nil
}
