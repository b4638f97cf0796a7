package cli

import (
	"errors"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"latchkey/internal/pages"
	"latchkey/internal/server"
)

type themeCmd struct {
	New     newThemeCmd     `cmd:"" help:"Begin a theme: a folder with a style sheet and texts of its own."`
	Check   checkThemesCmd  `cmd:"" help:"Draw every page with each theme, and say what is wrong with them."`
	Preview previewThemeCmd `cmd:"" help:"Write every page of a theme, with sample data, to files that a browser opens."`
}

// A themesDir is where a command finds themes.
type themesDir struct {
	Dir string `help:"Directory of themes. Default: themes in --data-dir." placeholder:"DIR"`
}

func (d themesDir) path(c *call) (string, error) {
	if d.Dir != "" {
		return d.Dir, nil
	}
	cfg, err := c.config(server.Defaults())
	return cfg.ThemesFrom(), err
}

type newThemeCmd struct {
	themesDir
	Name string `arg:"" help:"Name of the theme."`
}

// begun are the files of a new theme.
var begun = map[string]string{
	"login/theme.properties": "# The theme that this one stands on; empty: the built-in one.\nparent=\n" +
		"# Style sheets in resources that pages link to after login.css.\nstyles=own.css\n",
	"login/resources/own.css": ":root { --accent: #7a1fa2; }\n",
	"login/messages/messages_en.properties": "# Texts by Keycloak's keys; others stay as they are.\n" +
		"loginAccountTitle=Sign in to your account\n",
	"email/theme.properties":                "parent=\n",
	"email/messages/messages_en.properties": "# emailVerificationSubject=Verify email\n",
}

// Run writes the theme's files; a folder that is there is left alone.
func (n *newThemeCmd) Run(c *call) error {
	dir, err := n.path(c)
	if err != nil {
		return err
	}
	to := filepath.Join(dir, n.Name)
	if filepath.Base(to) != n.Name || strings.HasPrefix(n.Name, ".") {
		return fmt.Errorf("%q is no name for a theme", n.Name)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(to, 0o755); err != nil {
		return err
	}
	for name, text := range begun {
		if err := writeBelow(to, name, []byte(text)); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(c.out, "%s is a theme now; a realm has it as its login theme and email theme, a client as its login theme\n", to)
	return err
}

func writeBelow(dir, name string, body []byte) error {
	at := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	return os.WriteFile(at, body, 0o644)
}

type checkThemesCmd struct {
	themesDir
	Names []string `arg:"" optional:"" help:"Names of themes. Default: all."`
}

// Run says of each theme whether it is good. It exits with 1 when one is not.
func (k *checkThemesCmd) Run(c *call) error {
	dir, err := k.path(c)
	if err != nil {
		return err
	}
	list, err := pages.CheckThemes(dir, "/resources")
	if err != nil {
		return err
	}
	var bad error
	missing := slices.Clone(k.Names)
	for _, t := range list {
		if len(k.Names) > 0 && !slices.Contains(k.Names, t.Name) {
			continue
		}
		missing = slices.DeleteFunc(missing, func(name string) bool { return name == t.Name })
		word := "good"
		if t.Err != nil {
			word, bad = t.Err.Error(), &exitError{1, nil}
		}
		if _, err := fmt.Fprintf(c.out, "%s: %s\n", t.Name, word); err != nil {
			return err
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("there is no theme %s in %s", strings.Join(missing, ", "), dir)
	}
	return bad
}

type previewThemeCmd struct {
	themesDir
	Name string `arg:"" help:"Name of the theme."`
	To   string `help:"Directory to write to." default:"preview" placeholder:"DIR"`
}

// Run writes the pages, and one that links to them.
func (p *previewThemeCmd) Run(c *call) error {
	dir, err := p.path(c)
	if err != nil {
		return err
	}
	list, err := pages.CheckThemes(dir, "resources")
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(t pages.Checked) bool { return t.Name == p.Name })
	if i < 0 {
		return fmt.Errorf("there is no theme %s in %s", p.Name, dir)
	}
	if list[i].Err != nil {
		return list[i].Err
	}
	var index strings.Builder
	fmt.Fprintf(&index, "<!DOCTYPE html>\n<html lang=\"en\"><title>%s</title>\n<ul>\n", html.EscapeString(p.Name))
	err = list[i].Set.Preview(func(name string, body []byte) error {
		if strings.HasSuffix(name, ".html") && !strings.Contains(name, "/") {
			fmt.Fprintf(&index, "<li><a href=\"%[1]s\">%[1]s</a>\n", html.EscapeString(name))
		}
		return writeBelow(p.To, name, body)
	})
	if err := errors.Join(err, writeBelow(p.To, "index.html", []byte(index.String()+"</ul>\n"))); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "%s shows all pages\n", filepath.Join(p.To, "index.html"))
	return err
}
