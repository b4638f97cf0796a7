package pages

import (
	"archive/zip"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"latchkey/internal/i18n"
	"latchkey/internal/telemetry"
)

// What a theme may be for, by the folder that holds it.
const (
	LoginTheme = "login"
	EmailTheme = "email"
)

// builtIn are the names that the reference's own themes have: the theme that is built in stands for each of them.
var builtIn = []string{"", "base", "keycloak", "keycloak.v2"}

// What a theme's files may be.
const (
	maxFile  = 2 << 20
	maxFiles = 1000
	maxTheme = 20 << 20
)

// resourceTypes are the kinds of file that pages load.
var resourceTypes = []string{".css", ".js", ".svg", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".ico", ".woff", ".woff2", ".ttf",
	".otf", ".json", ".txt"}

var themeName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// Themes are those in a directory, each a folder or a zip file of it: NAME/login and NAME/email, in each theme.properties, messages and, of
// pages, templates and resources. Everything is read when they are loaded, and served from memory.
type Themes struct {
	dir  string
	live bool // look for changes
	now  func() time.Time
	base string
	log  *slog.Logger

	mu     sync.Mutex
	looked time.Time
	state  string // of the files when they were read
	sets   map[string]*Set
	kinds  map[string]map[string]bool // name -> what it is for
}

// NewThemes are the themes of a directory, which need not exist; live ones are read again when their files change.
func NewThemes(dir string, live bool, now func() time.Time, log *slog.Logger) *Themes {
	return &Themes{dir: dir, live: live, now: now, log: log}
}

// A theme is one as it is read: its files before its parents'.
type theme struct {
	name         string
	login, email layers
	styles       []string
}

// find is a theme that is for a kind of content, nil when there is none of the name.
func (t *Themes) find(kind, name string) *Set {
	if t == nil || slices.Contains(builtIn, name) {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.live && t.now().Sub(t.looked) > 300*time.Millisecond {
		t.read()
	}
	if !t.kinds[name][kind] {
		return nil
	}
	return t.sets[name]
}

// Names are the themes that are there for a kind of content.
func (s *Set) Names(kind string) (names []string) {
	t := s.themes
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, kinds := range t.kinds {
		if kinds[kind] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (t *Themes) load() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.read()
}

// read reads the directory if it has changed. A theme that changed into one with a mistake is left out, as at the start.
func (t *Themes) read() {
	t.looked = t.now()
	state := stateOf(t.dir)
	if state == t.state {
		return
	}
	t.state, t.sets, t.kinds = state, map[string]*Set{}, map[string]map[string]bool{}
	sources, err := sourcesOf(t.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.log.Error("the themes cannot be read", "directory", t.dir, telemetry.KeyError, err)
	}
	for name, files := range sources {
		set, kinds, err := compile(t.base, name, files, sources)
		if err != nil {
			t.log.Error("a theme is left out", "theme", name, telemetry.KeyError, err)
			continue
		}
		t.sets[name], t.kinds[name] = set, kinds
	}
}

// stateOf says by names, sizes and times what a directory holds.
func stateOf(dir string) string {
	var b strings.Builder
	_ = fs.WalkDir(os.DirFS(dir), ".", func(at string, e fs.DirEntry, err error) error {
		if err != nil || b.Len() > 1<<20 {
			return err
		}
		if info, err := e.Info(); err == nil && !e.IsDir() {
			fmt.Fprintln(&b, at, info.Size(), info.ModTime().UnixNano())
		}
		return nil
	})
	return cmp.Or(b.String(), "empty")
}

// A source is the files of a theme, or why they cannot be had.
type source struct {
	files fs.FS
	err   error
}

// sourcesOf reads the themes of a directory: all or nothing of each.
func sourcesOf(dir string) (map[string]source, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, err
	}
	out := map[string]source{}
	for _, e := range entries {
		name, zipped := strings.CutSuffix(e.Name(), ".zip")
		if strings.HasPrefix(name, ".") || !e.IsDir() && !zipped {
			continue
		}
		_, twice := out[name]
		switch {
		case !themeName.MatchString(name) || slices.Contains(builtIn, name):
			out[name] = source{err: fmt.Errorf("%q is no name for a theme", name)}
		case twice:
			out[name] = source{err: errors.New("there is a folder and a zip file of it")}
		case zipped:
			files, err := readZip(root, e.Name())
			out[name] = source{files, err}
		default:
			files, err := readFolder(root, name)
			out[name] = source{files, err}
		}
	}
	return out, nil
}

// A packer keeps the files of a theme in memory, as a zip file without compression.
type packer struct {
	to    bytes.Buffer
	zip   *zip.Writer
	files int
}

func newPacker() *packer {
	p := new(packer)
	p.zip = zip.NewWriter(&p.to)
	return p
}

// add takes a file of a theme, if it may be one.
func (p *packer) add(name string, from io.Reader) error {
	if p.files++; p.files > maxFiles {
		return fmt.Errorf("it has more than %d files", maxFiles)
	}
	if !fs.ValidPath(name) || strings.ContainsAny(name, "\\\x00") {
		return fmt.Errorf("%q is no path within a theme", name)
	}
	body, err := io.ReadAll(io.LimitReader(from, maxFile+1))
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	case len(body) > maxFile:
		return fmt.Errorf("%s is longer than %d bytes", name, maxFile)
	case p.to.Len()+len(body) > maxTheme:
		return fmt.Errorf("it is longer than %d bytes", maxTheme)
	}
	if _, file, ok := strings.Cut(name, "/resources/"); ok && !slices.Contains(resourceTypes, strings.ToLower(path.Ext(file))) {
		return fmt.Errorf("%s is no kind of file that pages load: these are %s", name, strings.Join(resourceTypes, " "))
	}
	w, err := p.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
	if err == nil {
		_, err = w.Write(body)
	}
	return err
}

func (p *packer) open() (fs.FS, error) {
	if err := p.zip.Close(); err != nil {
		return nil, err
	}
	return zip.NewReader(bytes.NewReader(p.to.Bytes()), int64(p.to.Len()))
}

// readFolder reads a theme out of a folder. A link in it is refused, wherever it leads.
func readFolder(root *os.Root, name string) (fs.FS, error) {
	files, err := fs.Sub(root.FS(), name)
	if err != nil {
		return nil, err
	}
	p := newPacker()
	err = fs.WalkDir(files, ".", func(at string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir():
			return nil
		case !e.Type().IsRegular():
			return fmt.Errorf("%s is no file but a link or a device", at)
		}
		f, err := files.Open(at)
		if err != nil {
			return err
		}
		defer f.Close()
		return p.add(at, f)
	})
	if err != nil {
		return nil, err
	}
	return p.open()
}

// readZip reads a theme out of a zip file: at its top, or in one folder that has the theme's name.
func readZip(root *os.Root, file string) (fs.FS, error) {
	f, err := root.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	z, err := zip.NewReader(f, info.Size())
	if err != nil {
		return nil, err
	}
	p, top := newPacker(), strings.TrimSuffix(file, ".zip")+"/"
	for _, one := range z.File {
		mode := one.Mode()
		switch {
		case mode.IsDir() || strings.HasSuffix(one.Name, "/"):
			continue
		case !mode.IsRegular():
			return nil, fmt.Errorf("%s is no file but a link or a device", one.Name)
		}
		body, err := one.Open()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", one.Name, err)
		}
		err = errors.Join(p.add(strings.TrimPrefix(one.Name, top), body), body.Close())
		if err != nil {
			return nil, err
		}
	}
	return p.open()
}

// compile makes a theme ready, with its parents, and draws every page with it once.
func compile(base, name string, own source, all map[string]source) (*Set, map[string]bool, error) {
	if own.err != nil {
		return nil, nil, own.err
	}
	t, kinds := theme{name: name}, map[string]bool{}
	for kind, to := range map[string]*layers{LoginTheme: &t.login, EmailTheme: &t.email} {
		list, styles, err := lineage(kind, name, all)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", kind, err)
		}
		if *to, kinds[kind] = list, len(list) > 0; kind == LoginTheme {
			t.styles = styles
		}
	}
	if !kinds[LoginTheme] && !kinds[EmailTheme] {
		return nil, nil, errors.New("it has neither a folder login nor a folder email")
	}
	set, err := build(base, t)
	if err != nil {
		return nil, nil, err
	}
	for _, style := range set.styles {
		if _, ok := set.resources[style]; !ok {
			return nil, nil, fmt.Errorf("login/theme.properties: styles: there is no resources/%s", style)
		}
	}
	for _, sample := range Samples() {
		if _, err := set.draw(sample.Request, sample.View); err != nil {
			return nil, nil, err
		}
	}
	for _, m := range []Mail{TestMail{}, VerificationMail{Link: "https://id.example.test/", Valid: time.Hour}} {
		if _, err := set.letter(Samples()[0].Request, m); err != nil {
			return nil, nil, err
		}
	}
	return set, kinds, nil
}

// lineage are a theme's files of a kind and those of its parents, the theme's own first; none when the theme has none of the kind.
func lineage(kind, name string, all map[string]source) (list layers, styles []string, err error) {
	seen := map[string]bool{}
	for !slices.Contains(builtIn, name) {
		from, ok := all[name]
		switch {
		case seen[name]:
			return nil, nil, fmt.Errorf("the theme %s is its own parent", name)
		case !ok:
			return nil, nil, fmt.Errorf("the parent %s is not there", name)
		case from.err != nil:
			return nil, nil, fmt.Errorf("the parent %s: %w", name, from.err)
		}
		seen[name] = true
		if _, err := fs.Stat(from.files, kind); err != nil {
			return list, styles, nil
		}
		files, err := fs.Sub(from.files, kind)
		if err != nil {
			return nil, nil, err
		}
		list = append(list, files)
		text, err := fs.ReadFile(files, "theme.properties")
		if errors.Is(err, fs.ErrNotExist) {
			return list, styles, nil
		}
		if err != nil {
			return nil, nil, err
		}
		p, err := i18n.Properties(text)
		if err != nil {
			return nil, nil, fmt.Errorf("theme.properties: %w", err)
		}
		if styles == nil {
			styles = strings.Fields(p["styles"])
		}
		name = p["parent"]
	}
	return list, styles, nil
}

// A Checked is what a check of a theme found.
type Checked struct {
	Name string
	Err  error // nil: nothing is wrong
	Set  *Set
}

// CheckThemes reads and draws the themes of a directory, in the order of their names; resources are below base.
func CheckThemes(dir, base string) ([]Checked, error) {
	sources, err := sourcesOf(dir)
	if err != nil {
		return nil, err
	}
	var out []Checked
	for name, files := range sources {
		set, _, err := compile(base, name, files, sources)
		out = append(out, Checked{name, err, set})
	}
	slices.SortFunc(out, func(a, b Checked) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Preview writes every page of a theme as a file NAME.html, and what they load, by write.
func (s *Set) Preview(write func(name string, body []byte) error) error {
	for _, sample := range Samples() {
		page, err := s.draw(sample.Request, sample.View)
		if err == nil {
			err = write(sample.Name+".html", page)
		}
		if err != nil {
			return err
		}
	}
	for _, r := range s.resources {
		if err := write(strings.TrimPrefix(s.base+r.Path, "/"), r.Body); err != nil {
			return err
		}
	}
	return nil
}
