package cli

import (
	"fmt"
	"reflect"

	"github.com/alecthomas/kong"
)

type showConfigCmd struct{}

// Run prints the options in the form of a configuration file.
func (showConfigCmd) Run(c *call) error {
	for _, flag := range c.kong.Model.Flags {
		if flag.Name == "help" || flag.Hidden {
			continue
		}
		line := fmt.Sprintf("#%s=", flag.Name)
		if value, given := shown(flag); given {
			from, resolved := c.sources.from[flag.Name]
			if !resolved {
				from = "command line"
			}
			line = fmt.Sprintf("%s=%s  # %s", flag.Name, value, from)
		}
		if _, err := fmt.Fprintln(c.out, line); err != nil {
			return err
		}
	}
	return nil
}

// shown is an option's value for print, and whether it was given.
func shown(flag *kong.Flag) (value string, given bool) {
	v := flag.Target
	if s, ok := v.Interface().(secret); ok {
		return s.String(), len(s.Secret) > 0
	}
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return "", false
		}
		v = v.Elem()
		return fmt.Sprint(v), true
	}
	return fmt.Sprint(v), !v.IsZero()
}
