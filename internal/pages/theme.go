package pages

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"io/fs"
	"mime"
	"path"
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

// overlay opens a file of the upper file system, or else of the lower.
type overlay struct{ upper, lower fs.FS }

func (o overlay) Open(name string) (fs.File, error) {
	if o.upper != nil {
		f, err := o.upper.Open(name)
		if !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
	return o.lower.Open(name)
}

// names are the files in a directory of either.
func (o overlay) names(dir string) ([]string, error) {
	seen := map[string]bool{}
	var out []string
	for _, files := range []fs.FS{o.lower, o.upper} {
		if files == nil {
			continue
		}
		entries, err := fs.ReadDir(files, dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			if !e.IsDir() && !seen[e.Name()] {
				seen[e.Name()] = true
				out = append(out, e.Name())
			}
		}
	}
	return out, nil
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

func readResources(files overlay) (map[string]Resource, error) {
	names, err := files.names("resources")
	if err != nil {
		return nil, err
	}
	out := map[string]Resource{}
	for _, name := range names {
		body, err := fs.ReadFile(files, path.Join("resources", name))
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(body)
		out[name] = Resource{
			Path:        "/" + hex.EncodeToString(sum[:6]) + "/login/" + name,
			ContentType: mime.TypeByExtension(path.Ext(name)),
			Body:        body,
		}
	}
	return out, nil
}

// Resource finds what is served at a path below Options.ResourcesPath. The content's hash in the path is not checked: a page that was drawn
// before an upgrade finds the file of today.
func (s *Set) Resource(at string) (Resource, bool) {
	r, ok := s.resources[path.Base(at)]
	return r, ok
}
