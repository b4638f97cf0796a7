package pages

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"io/fs"
	"maps"
	"mime"
	"path"
	"slices"
	"strings"
)

//go:embed theme
var themeFiles embed.FS

func embedded() fs.FS {
	sub, err := fs.Sub(themeFiles, "theme")
	if err != nil {
		panic(err) // the name is a constant and valid
	}
	return sub
}

//go:embed all:translations
var translations embed.FS

// translated are the message bundles of Keycloak's that the server was built with: folders login, login.v2, account and email. There
// is nothing in it where they were left out; see packaging/translations/get.
func translated() (fs.FS, error) {
	text, err := translations.ReadFile("translations/keycloak.zip")
	if errors.Is(err, fs.ErrNotExist) {
		return embed.FS{}, nil
	}
	if err != nil {
		return nil, err
	}
	return zip.NewReader(bytes.NewReader(text), int64(len(text)))
}

// layers are file systems of which earlier ones hide what later ones have.
type layers []fs.FS

// Open opens a file of the first that has it.
func (l layers) Open(name string) (fs.File, error) {
	for _, files := range l {
		f, err := files.Open(name)
		if !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// names are the files below a directory of any, as paths within it.
func (l layers) names(dir string) ([]string, error) {
	seen := map[string]bool{}
	for _, files := range l {
		err := fs.WalkDir(files, dir, func(at string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() {
				seen[strings.TrimPrefix(at, dir+"/")] = true
			}
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return slices.Sorted(maps.Keys(seen)), nil
}

// sides are file systems by the first part of a path.
type sides map[string]fs.FS

func (s sides) Open(name string) (fs.File, error) {
	side, rest, _ := strings.Cut(name, "/")
	if files := s[side]; files != nil {
		return files.Open(rest)
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// A Resource is a file that pages refer to. Its path changes with its content, so it may be cached for ever.
type Resource struct {
	Path        string // below Options.ResourcesPath, with the slash in front
	ContentType string
	Body        []byte
}

// readResources reads the resources of a theme; name is the theme's, "" for the built-in one, whose files lie at its top.
func readResources(files layers, name string) (map[string]Resource, error) {
	names, err := files.names("resources")
	if err != nil {
		return nil, err
	}
	out := map[string]Resource{}
	for _, file := range names {
		body, err := fs.ReadFile(files, path.Join("resources", file))
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(body)
		out[file] = Resource{
			Path:        "/" + hex.EncodeToString(sum[:6]) + "/" + path.Join("login", name, file),
			ContentType: mime.TypeByExtension(path.Ext(file)),
			Body:        body,
		}
	}
	return out, nil
}

// Resource finds what is served at a path below Options.ResourcesPath. The content's hash in the path is not checked: a page that was drawn
// before an upgrade finds the file of today.
func (s *Set) Resource(at string) (Resource, bool) {
	_, name, ok := strings.Cut(strings.TrimPrefix(at, "/"), "/login/")
	if !ok {
		return Resource{}, false
	}
	if theme, file, ok := strings.Cut(name, "/"); ok {
		t := s.themes.find(LoginTheme, theme)
		if t == nil {
			return Resource{}, false
		}
		r, ok := t.resources[file]
		return r, ok
	}
	r, ok := s.resources[name]
	return r, ok
}
