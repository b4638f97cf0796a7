package console

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"

	"latchkey/internal/web"
)

//go:embed all:dist
var dist embed.FS

// A Build is what ui/build/build.mjs has made: files, each compressed twice, texts by language, and a manifest.
type Build struct {
	files fs.FS
	manifest
}

type manifest struct {
	Version   string              `json:"version"` // of all of it, by its content
	Admin     entry               `json:"admin"`
	Account   entry               `json:"account"`
	Theme     string              `json:"theme"`     // the script that follows the system's colours
	Languages map[string][]string `json:"languages"` // by console
	Files     map[string]file     `json:"files"`
}

// An entry is what a page loads.
type entry struct {
	Script string   `json:"script"`
	Styles []string `json:"styles"`
}

type file struct {
	Size  int64 `json:"size"`  // before compression
	Plain bool  `json:"plain"` // not compressed, because its format is already
}

// ErrNotBuilt says that the server was built without the consoles.
var ErrNotBuilt = errors.New("this server was built without the consoles")

// Embedded returns the build that the server was built with, or ErrNotBuilt.
func Embedded() (*Build, error) {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		return nil, err
	}
	return open(files)
}

func open(files fs.FS) (*Build, error) {
	text, err := fs.ReadFile(files, "manifest.json")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotBuilt
	}
	if err != nil {
		return nil, err
	}
	b := &Build{files: files}
	if err := json.Unmarshal(text, &b.manifest); err != nil {
		return nil, fmt.Errorf("the consoles' manifest: %w", err)
	}
	return b, nil
}

// forms are the content codings in which files are kept, the better first.
var forms = []struct{ coding, ending string }{{"br", ".br"}, {"gzip", ".gz"}}

// serve answers with a file. version is that of the address: what has the build's own never changes.
// It returns false where there is no such file.
func (b *Build) serve(w http.ResponseWriter, r *http.Request, version, name string) (bool, error) {
	f, ok := b.Files[name]
	if !ok {
		return false, nil
	}
	h := w.Header()
	ending, coding := "", ""
	if !f.Plain {
		h.Set("Vary", "Accept-Encoding")
		ending = ".gz"
		for _, form := range forms {
			if web.AcceptsEncoding(r, form.coding) {
				ending, coding = form.ending, form.coding
				break
			}
		}
	}
	data, err := fs.ReadFile(b.files, path.Join("files", name+ending))
	if err != nil {
		return true, err
	}
	kind := mime.TypeByExtension(path.Ext(name))
	if kind == "" {
		kind = "application/octet-stream"
	}
	web.SecurityHeaders(h, nil, kind)
	h.Set("Content-Type", kind)
	cache := "max-age=2592000, public, immutable"
	if version != b.Version && !strings.HasPrefix(name, "assets/") { // those have a hash in their name
		cache = web.CacheNoCache
	}
	h.Set("Cache-Control", cache)
	if !f.Plain && coding == "" {
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return true, err
		}
		h.Set("Content-Length", strconv.FormatInt(f.Size, 10))
		_, _ = io.Copy(w, z)
		return true, nil
	}
	if coding != "" {
		h.Set("Content-Encoding", coding)
	}
	h.Set("Content-Length", strconv.Itoa(len(data)))
	_, _ = w.Write(data)
	return true, nil
}

// texts are a console's texts in one language, none for one that it lacks.
func (b *Build) texts(console, language string) (map[string]string, error) {
	packed, err := b.files.Open(path.Join("messages", console, language+".json.gz"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = packed.Close() }()
	z, err := gzip.NewReader(packed)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	return out, json.NewDecoder(z).Decode(&out)
}
