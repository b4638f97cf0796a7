package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/internal/server"
)

// configOf reads a command line as start-dev would, in a directory that holds
// the configuration file conf if it is not empty.
func configOf(t *testing.T, conf string, environ []string, args ...string) (server.Config, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	if conf != "" {
		if err := os.WriteFile(defaultConfigFile, []byte(conf), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, _, err := read(t.Context(), append([]string{"start-dev"}, args...), environ, os.Stdout, os.Stderr)
	if err != nil {
		return server.Config{}, err
	}
	return c.config(server.DevDefaults())
}

func TestPrecedence(t *testing.T) {
	for _, c := range []struct {
		name string
		conf string
		env  []string
		args []string
		want int
	}{
		{"default", "", nil, nil, 8080},
		{"file", "http-port=1", nil, nil, 1},
		{"Keycloak's environment over the file", "http-port=1", []string{"KC_HTTP_PORT=2"}, nil, 2},
		{"Latchkey's environment over Keycloak's", "http-port=1", []string{"KC_HTTP_PORT=2", "LATCHKEY_HTTP_PORT=3"}, nil, 3},
		{"flag over all", "http-port=1", []string{"KC_HTTP_PORT=2", "LATCHKEY_HTTP_PORT=3"}, []string{"--http-port=4"}, 4},
		{"flag, even if it is the default", "http-port=1", nil, []string{"--http-port", "8080"}, 8080},
		{"zero is a value", "http-port=1", []string{"LATCHKEY_HTTP_PORT=0"}, nil, 0},
		{"empty is none", "http-port=1", []string{"LATCHKEY_HTTP_PORT="}, nil, 1},
		{"placeholder", "# port\n\n http-port = ${MY_PORT}\n", []string{"MY_PORT=5"}, nil, 5},
		{"placeholder with a default", "http-port=6${MY_PORT:7}", nil, nil, 67},
	} {
		cfg, err := configOf(t, c.conf, c.env, c.args...)
		if err != nil || cfg.HTTP.Port != c.want {
			t.Errorf("%s: %d, want %d (%v)", c.name, cfg.HTTP.Port, c.want, err)
		}
	}
}

func TestConfigurationFile(t *testing.T) {
	other := filepath.Join(t.TempDir(), "other.conf")
	if err := os.WriteFile(other, []byte("hostname=other\nimport-realm=true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		env  []string
		args []string
	}{
		{nil, []string{"--config-file=" + other}},
		{[]string{"LATCHKEY_CONFIG_FILE=" + other}, nil},
		{[]string{"KC_CONFIG_FILE=" + other}, nil},
		{[]string{"LATCHKEY_CONFIG_FILE=/nonexistent"}, []string{"--config-file=" + other}},
	} {
		if cfg, err := configOf(t, "hostname=here", c.env, c.args...); err != nil || cfg.Hostname.Hostname != "other" {
			t.Errorf("%v %v: %q %v", c.env, c.args, cfg.Hostname.Hostname, err)
		}
	}
	for conf, want := range map[string]string{
		"http-port=1\nhtttp-port=2": `latchkey.conf:2: unknown option "htttp-port"`,
		"nonsense":                  "latchkey.conf:1: unknown option",
		"hostname=${NOT_SET}":       "latchkey.conf:1: the environment has no NOT_SET",
		"hostname=${OPEN":           "latchkey.conf:1: ${ without }",
		"http-port=x":               "http-port",
	} {
		if _, err := configOf(t, conf, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", conf, err)
		}
	}
	if _, err := configOf(t, "", nil, "--config-file=/nonexistent"); err == nil {
		t.Error("a missing file that was asked for went unnoticed")
	}
}

// Keycloak: the server's "All configuration" reference.
func TestKeycloaksNames(t *testing.T) {
	for _, c := range []struct {
		env  string
		got  func(server.Config) any
		want any
	}{
		{"KC_HOSTNAME=https://id.example", func(c server.Config) any { return c.Hostname.Hostname }, "https://id.example"},
		{"KC_HOSTNAME_ADMIN=https://adm.example", func(c server.Config) any { return c.Hostname.Admin }, "https://adm.example"},
		{"KC_HOSTNAME_STRICT=true", func(c server.Config) any { return c.Hostname.Strict }, true},
		{"KC_HOSTNAME_BACKCHANNEL_DYNAMIC=true", func(c server.Config) any { return c.Hostname.BackchannelDynamic }, true},
		{"KC_PROXY_HEADERS=xforwarded", func(c server.Config) any { return c.Proxy.Headers }, "xforwarded"},
		{"KC_PROXY_TRUSTED_ADDRESSES=10.0.0.0/8", func(c server.Config) any { return c.Proxy.Trusted }, "10.0.0.0/8"},
		{"KC_HTTP_ENABLED=false", func(c server.Config) any { return c.HTTP.Enabled }, false},
		{"KC_HTTP_HOST=::1", func(c server.Config) any { return c.HTTP.Host }, "::1"},
		{"KC_HTTP_PORT=1", func(c server.Config) any { return c.HTTP.Port }, 1},
		{"KC_HTTPS_PORT=2", func(c server.Config) any { return c.HTTP.TLSPort }, 2},
		{"KC_HTTP_RELATIVE_PATH=/auth", func(c server.Config) any { return c.HTTP.RelativePath }, "/auth"},
		{"KC_HTTP_RELATIVE_PATH=/", func(c server.Config) any { return c.HTTP.RelativePath }, ""},
		{"KC_HTTP_MANAGEMENT_PORT=3", func(c server.Config) any { return c.Management.Port }, 3},
		{"KC_HTTP_MANAGEMENT_SCHEME=http", func(c server.Config) any { return c.Management.Plain }, true},
		{"KC_HEALTH_ENABLED=true", func(c server.Config) any { return c.Management.Health }, true},
		{"KC_METRICS_ENABLED=true", func(c server.Config) any { return c.Management.Metrics }, true},
		{"KC_HTTPS_CERTIFICATE_FILE=c.pem", func(c server.Config) any { return c.HTTP.CertFile }, "c.pem"},
		{"KC_HTTPS_CERTIFICATE_KEY_FILE=k.pem", func(c server.Config) any { return c.HTTP.KeyFile }, "k.pem"},
		{"KC_DB=postgres", func(c server.Config) any { return c.DB.Engine }, server.Postgres},
		{"KC_DB=dev-file", func(c server.Config) any { return c.DB.Engine }, server.SQLite},
		{"KC_DB_URL_HOST=db", func(c server.Config) any { return c.DB.URL }, "postgres://db/latchkey"},
		{"KC_DB_POOL_MAX_SIZE=9", func(c server.Config) any { return c.DB.MaxPool }, 9},
		{"KC_LOG_LEVEL=DEBUG", func(c server.Config) any { return c.Log.Level }, "DEBUG"},
		{"KC_LOG_CONSOLE_OUTPUT=json", func(c server.Config) any { return c.Log.JSON }, true},
		{"KC_BOOTSTRAP_ADMIN_USERNAME=root", func(c server.Config) any { return c.Bootstrap.Username }, "root"},
		{"KEYCLOAK_ADMIN=root", func(c server.Config) any { return c.Bootstrap.Username }, "root"},
		{"KC_BOOTSTRAP_ADMIN_PASSWORD=pw", func(c server.Config) any { return string(c.Bootstrap.Password) }, "pw"},
		{"KC_BOOTSTRAP_ADMIN_PASSWORD=pw", func(c server.Config) any { return c.Bootstrap.Username }, "temp-admin"},
		{"KEYCLOAK_ADMIN_PASSWORD=pw", func(c server.Config) any { return string(c.Bootstrap.Password) }, "pw"},
		{"KC_BOOTSTRAP_ADMIN_CLIENT_ID=cli", func(c server.Config) any { return c.Bootstrap.ClientID }, "cli"},
		{"KC_BOOTSTRAP_ADMIN_CLIENT_SECRET=cs", func(c server.Config) any { return string(c.Bootstrap.ClientSecret) }, "cs"},
	} {
		cfg, err := configOf(t, "", []string{c.env})
		if err != nil || c.got(cfg) != c.want {
			t.Errorf("%s: %v, want %v (%v)", c.env, c.got(cfg), c.want, err)
		}
	}
	for _, env := range []string{"KC_DB=mysql", "KC_LOG_CONSOLE_OUTPUT=xml", "KC_HTTP_ENABLED=perhaps", "KC_HTTP_MANAGEMENT_SCHEME=ftp"} {
		if _, err := configOf(t, "", []string{env}); err == nil {
			t.Errorf("%s was accepted", env)
		}
	}
}

func TestDatabaseURL(t *testing.T) {
	for _, c := range []struct{ env, want string }{
		{"KC_DB_URL=postgres://u:p@h:1/d?sslmode=require", "postgres://u:p@h:1/d?sslmode=require"},
		{"KC_DB_URL=jdbc:postgresql://h:5432/keycloak?user=me&password=x%26", "postgres://me:x&@h:5432/keycloak"},
		{"KC_DB_URL=jdbc:postgresql://h/d KC_DB_USERNAME=me KC_DB_PASSWORD=p@/", "postgres://me:p%40%2F@h/d"},
		{"KC_DB_URL=jdbc:postgresql://a:1,b:2/d?targetServerType=primary&currentSchema=kc&prepareThreshold=0",
			"postgres://a:1,b:2/d?search_path=kc&target_session_attrs=read-write"},
		{"KC_DB_URL=jdbc:postgresql://h/d?ssl=true", "postgres://h/d?sslmode=verify-full"},
		{"KC_DB_URL=jdbc:postgresql:d", "postgres://localhost/d"},
		{"KC_DB=postgres KC_DB_URL_HOST=h KC_DB_URL_PORT=6 KC_DB_URL_DATABASE=d KC_DB_URL_PROPERTIES=?sslmode=disable KC_DB_USERNAME=me",
			"postgres://me@h:6/d?sslmode=disable"},
		{"KC_DB_URL=jdbc:mysql://h/d", "error"},
		{"KC_DB_URL=h/d", "error"},
		{"KC_DB_URL=jdbc:postgresql://h/d?targetServerType=odd", "error"},
		{"KC_DB_URL=postgres://u:geheim@h/d?%zz", "error"},
	} {
		cfg, err := configOf(t, "", strings.Fields(c.env))
		if c.want == "error" {
			if err == nil || strings.Contains(err.Error(), "geheim") {
				t.Errorf("%s: %v", c.env, err)
			}
			continue
		}
		if err != nil || cfg.DB.URL != c.want || cfg.DB.Engine != server.Postgres {
			t.Errorf("%s: %s %s, want %s (%v)", c.env, cfg.DB.Engine, cfg.DB.URL, c.want, err)
		}
	}
}

func TestSecretsFromFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pw")
	if err := os.WriteFile(file, []byte("geheim\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ conf, env string }{
		{"", "LATCHKEY_BOOTSTRAP_ADMIN_PASSWORD_FILE=" + file},
		{"", "KC_BOOTSTRAP_ADMIN_PASSWORD_FILE=" + file},
		{"bootstrap-admin-password-file=" + file, ""},
	} {
		if cfg, err := configOf(t, c.conf, []string{c.env}); err != nil || string(cfg.Bootstrap.Password) != "geheim" {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, err := configOf(t, "", []string{"LATCHKEY_DB_PASSWORD_FILE=/nonexistent"}); err == nil {
		t.Error("a missing file went unnoticed")
	}
}

func TestShowConfigMasksSecrets(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile(defaultConfigFile, []byte("hostname=id.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errOut strings.Builder
	env := []string{"KC_DB_URL=postgres://u:geheim@h/d", "LATCHKEY_DB_PASSWORD=geheim", "KEYCLOAK_ADMIN_PASSWORD=geheim"}
	code := Main(t.Context(), []string{"show-config", "--http-port=99", "--no-health-enabled", "--bootstrap-admin-client-secret=geheim"},
		env, &out, &errOut)
	if code != 0 || strings.Contains(out.String()+errOut.String(), "geheim") {
		t.Error(code, out.String(), errOut.String())
	}
	for _, want := range []string{
		"\nhttp-port=99  # command line\n", "\nhealth-enabled=false  # command line\n", "\nhostname=id.example  # latchkey.conf\n",
		"\ndb-url=***  # environment KC_DB_URL\n", "\ndb-password=***  # environment LATCHKEY_DB_PASSWORD\n", "\n#https-port=\n",
		"\nbootstrap-admin-password=***  # environment KEYCLOAK_ADMIN_PASSWORD\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q", want)
		}
	}
}

func TestExitCodes(t *testing.T) {
	t.Chdir(t.TempDir())
	for args, want := range map[string]int{
		"": 0, "--help": 0, "start --help": 0, "version": 0,
		"bootstrap-admin": 1, "export": 2, "export --dir=x --file=y": 2, "import": 2, "import x --on-conflict=perhaps": 2,
		"nonsense": 2, "start --nonsense": 2, "start --http-port=x": 2,
		"start": 1, // neither TLS files nor a name
	} {
		var out, errOut strings.Builder
		if code := Main(t.Context(), strings.Fields(args), nil, &out, &errOut); code != want {
			t.Errorf("%q: %d, want %d: %s", args, code, want, errOut.String())
		}
	}
}

// An until is an output that calls stop when it has been written some words.
type until struct {
	strings.Builder
	words string
	stop  func()
}

func (u *until) Write(b []byte) (int, error) {
	n, err := u.Builder.Write(b)
	if strings.Contains(u.String(), u.words) {
		u.stop()
	}
	return n, err
}

func TestStartDev(t *testing.T) {
	t.Chdir(t.TempDir())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out := &until{words: "Ctrl-C", stop: cancel}
	var errOut strings.Builder
	if code := Main(ctx, []string{"start-dev", "--http-port=0"}, nil, out, &errOut); code != 0 {
		t.Fatal(code, errOut.String())
	}
	for _, want := range []string{"ready at http://127.0.0.1:", "admin / admin", fmt.Sprint(filepath.Join("data", "latchkey.db"))} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %s", want, out.String())
		}
	}
}
