package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// defaultConfigFile is read if it exists.
const defaultConfigFile = "latchkey.conf"

// sources gives values to options that no flag set: from the environment, then
// from the configuration file. It is a kong.Resolver.
type sources struct {
	env  map[string]string
	file map[string]string // nil until read
	name string            // of the file
	from map[string]string // flag -> where its value comes from, for show-config
}

func newSources(environ []string) *sources {
	s := &sources{env: map[string]string{}, from: map[string]string{}}
	for _, kv := range environ {
		k, v, _ := strings.Cut(kv, "=")
		s.env[k] = v
	}
	return s
}

// Validate is part of kong.Resolver; the file is checked when it is read.
func (s *sources) Validate(*kong.Application) error { return nil }

// Resolve is part of kong.Resolver.
func (s *sources) Resolve(ctx *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if flag.Name == "help" || onlyFlag(flag) {
		return nil, nil
	}
	for _, name := range append([]string{envName(flag.Name)}, aliases(flag)...) {
		if v, ok := s.env[name]; ok && v != "" {
			s.from[flag.Name] = "environment " + name
			return v, nil
		}
		if file, ok := s.env[name+"_FILE"]; ok && file != "" && isSecret(flag) {
			s.from[flag.Name] = "environment " + name + "_FILE"
			return readSecret(file)
		}
	}
	if flag.Name == "config-file" {
		return nil, nil // not in itself
	}
	if err := s.readFile(ctx); err != nil {
		return nil, err
	}
	if v, ok := s.file[flag.Name]; ok {
		s.from[flag.Name] = s.name
		return v, nil
	}
	if file, ok := s.file[flag.Name+"-file"]; ok && isSecret(flag) {
		s.from[flag.Name] = s.name
		return readSecret(file)
	}
	return nil, nil
}

// readFile reads the configuration file once.
func (s *sources) readFile(ctx *kong.Context) error {
	if s.file != nil {
		return nil
	}
	s.file = map[string]string{}
	for _, name := range []string{"LATCHKEY_CONFIG_FILE", "KC_CONFIG_FILE"} {
		s.name = orElse(s.name, s.env[name])
	}
	for _, p := range ctx.Path {
		if p.Flag != nil && p.Flag.Name == "config-file" {
			s.name = fmt.Sprint(ctx.FlagValue(p.Flag))
		}
	}
	explicit := s.name != ""
	s.name = orElse(s.name, defaultConfigFile)
	f, err := os.Open(s.name)
	if errors.Is(err, fs.ErrNotExist) && !explicit {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	known := known(ctx.Model)
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		key = strings.TrimSpace(key)
		if !ok || !slices.Contains(known, key) {
			return fmt.Errorf("%s:%d: unknown option %q", s.name, n, key)
		}
		if s.file[key], err = s.expand(strings.TrimSpace(value)); err != nil {
			return fmt.Errorf("%s:%d: %w", s.name, n, err)
		}
	}
	return lines.Err()
}

// known are the keys that a configuration file may have: every command's
// options, so that all commands can share one file.
func known(app *kong.Application) []string {
	var names []string
	for _, node := range append([]*kong.Node{app.Node}, app.Children...) {
		for _, f := range node.Flags {
			if onlyFlag(f) {
				continue
			}
			names = append(names, f.Name)
			if isSecret(f) {
				names = append(names, f.Name+"-file")
			}
		}
	}
	return names
}

// expand replaces ${NAME} and ${NAME:default} by the environment's values, as
// in keycloak.conf.
func (s *sources) expand(value string) (string, error) {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(value, "${")
		b.WriteString(before)
		if !ok {
			return b.String(), nil
		}
		inside, after, ok := strings.Cut(rest, "}")
		if !ok {
			return "", errors.New("${ without }")
		}
		name, preset, hasPreset := strings.Cut(inside, ":")
		v, set := s.env[name]
		switch {
		case set:
			b.WriteString(v)
		case hasPreset:
			b.WriteString(preset)
		default:
			return "", fmt.Errorf("the environment has no %s", name)
		}
		value = after
	}
}

// lookup is os.LookupEnv in the environment that Main was given.
func (s *sources) lookup(name string) (string, bool) {
	v, ok := s.env[name]
	return v, ok
}

// envName is LATCHKEY_X_Y for --x-y.
func envName(flag string) string {
	return "LATCHKEY_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// aliases are Keycloak's names for the option.
func aliases(flag *kong.Flag) []string {
	if kc := flag.Tag.Get("kc"); kc != "" {
		return strings.Split(kc, ",")
	}
	return nil
}

// onlyFlag tells whether an option is for one call alone: what narrows a list
// unseen, out of an environment, hides what is looked for.
func onlyFlag(flag *kong.Flag) bool { return flag.Tag.Get("only") == "flag" }

func isSecret(flag *kong.Flag) bool { return flag.Target.Type() == reflect.TypeFor[secret]() }

// readSecret reads a secret's file; a newline at its end is not part of it.
func readSecret(name string) (string, error) {
	b, err := os.ReadFile(name)
	return strings.TrimRight(string(b), "\r\n"), err
}
