package realms

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"latchkey/internal/rep"
)

// A RealmFile is a realm read from one file or several, and where its parts
// came from.
type RealmFile struct {
	Realm *rep.Realm
	parts []part
}

// A part is the text that a realm, or some of its users, were read from.
type part struct {
	file   string
	text   []byte
	prefix string // JSON pointer of the realm in the text: "/1" in a list of realms
	member string // "users" or "federatedUsers" for a file of users, "" for the realm itself
	first  int    // index of the part's first user among all of them
	count  int
}

// ReadFiles reads a realm file, or a directory of them as kc.sh export writes
// it: a file for each realm and, beside it, files of users. A file may hold a
// list of realms. env gives the values of ${...} placeholders; what it does not
// know stays as it is. The realms come sorted by name, master first. The error
// is a *Problem where something is wrong with what the files say.
func ReadFiles(path string, env func(string) (string, bool)) ([]*RealmFile, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	files := []string{path}
	if info.IsDir() {
		if files, err = jsonFiles(path); err != nil {
			return nil, err
		}
	}
	var realms []*RealmFile
	var users []part
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
		if env != nil {
			text = []byte(expandJSON(string(text), env))
		}
		p := part{file: file, text: text}
		if m := usersFile.FindStringSubmatch(filepath.Base(file)); m != nil && info.IsDir() {
			p.member = map[string]string{"users": "users", "federated-users": "federatedUsers"}[m[1]]
			users = append(users, p)
			continue
		}
		more, err := p.realms()
		if err != nil {
			return nil, err
		}
		realms = append(realms, more...)
	}
	for _, p := range users {
		if err := p.addTo(realms); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(realms, func(a, b *RealmFile) int {
		if (a.Realm.Realm == Master) != (b.Realm.Realm == Master) {
			return map[bool]int{true: -1, false: 1}[a.Realm.Realm == Master]
		}
		return strings.Compare(a.Realm.Realm, b.Realm.Realm)
	})
	for i, f := range realms {
		if i > 0 && f.Realm.Realm == realms[i-1].Realm.Realm {
			return nil, f.locate(&Problem{Path: "/realm", Msg: fmt.Sprintf("realm %q is there twice", f.Realm.Realm)})
		}
	}
	return realms, nil
}

// usersFile is how kc.sh export names files of users.
var usersFile = regexp.MustCompile(`-(users|federated-users)-\d+\.json$`)

func jsonFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if e.Type()&fs.ModeDir == 0 && strings.HasSuffix(e.Name(), ".json") {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: no realm files (*.json)", dir)
	}
	return files, nil
}

// realms reads the realm or realms of a file.
func (p part) realms() ([]*RealmFile, error) {
	if jsontext.NewDecoder(bytes.NewReader(p.text)).PeekKind() != '[' {
		r := new(rep.Realm)
		if err := p.read(r); err != nil {
			return nil, err
		}
		if r.Realm == "" {
			return nil, p.locate(&Problem{Path: "/realm", Msg: `Realm name cannot be empty; a realm file has a member "realm"`})
		}
		return []*RealmFile{{Realm: r, parts: []part{p}}}, nil
	}
	var list []*rep.Realm
	if err := p.read(&list); err != nil {
		return nil, err
	}
	var out []*RealmFile
	for i, r := range list {
		p.prefix = fmt.Sprintf("/%d", i)
		if r == nil {
			return nil, p.locate(&Problem{Msg: "null is no realm"})
		}
		out = append(out, &RealmFile{Realm: r, parts: []part{p}})
	}
	return out, nil
}

// read parses the part's text; what is wrong with it is a *Problem.
func (p part) read(v any) error {
	err := rep.Unmarshal(p.text, v)
	var syntax *rep.SyntaxError
	var kind *rep.TypeError
	switch {
	case errors.As(err, &syntax):
		return &Problem{File: p.file, Line: syntax.Line, Column: syntax.Column, Msg: syntax.Msg}
	case errors.As(err, &kind):
		return &Problem{File: p.file, Path: string(kind.Path), Line: kind.Line, Column: kind.Column, Msg: kind.Msg}
	case errors.Is(err, rep.ErrNoBody):
		return &Problem{File: p.file, Line: 1, Column: 1, Msg: "there is nothing in it"}
	}
	return err
}

// addTo gives the users of a file to their realm.
func (p part) addTo(realms []*RealmFile) error {
	r := new(rep.Realm)
	if err := p.read(r); err != nil {
		return err
	}
	i := slices.IndexFunc(realms, func(f *RealmFile) bool { return f.Realm.Realm == r.Realm })
	if i < 0 {
		return p.locate(&Problem{Path: "/realm", Msg: fmt.Sprintf("there is no file for realm %q", r.Realm)})
	}
	to := realms[i].Realm
	if p.member == "users" {
		p.first, p.count = len(to.Users), len(r.Users)
		to.Users = append(to.Users, r.Users...)
	} else {
		p.first, p.count = len(to.FederatedUsers), len(r.FederatedUsers)
		to.FederatedUsers = append(to.FederatedUsers, r.FederatedUsers...)
	}
	realms[i].parts = append(realms[i].parts, p)
	return nil
}

// locate says in which file, line and column a problem is.
func (f *RealmFile) locate(problem *Problem) *Problem {
	for _, p := range f.parts[1:] {
		prefix := "/" + p.member + "/"
		rest, ok := strings.CutPrefix(problem.Path, prefix)
		if !ok {
			continue
		}
		number, below, _ := strings.Cut(rest, "/")
		n := 0
		if _, err := fmt.Sscanf(number, "%d", &n); err != nil || n < p.first || n >= p.first+p.count {
			continue
		}
		problem.Path = fmt.Sprintf("%s%d/%s", prefix, n-p.first, below)
		return p.locate(problem)
	}
	return f.parts[0].locate(problem)
}

func (p part) locate(problem *Problem) *Problem {
	problem.File, problem.Path = p.file, p.prefix+problem.Path
	problem.Line, problem.Column = position(p.text, problem.Path)
	return problem
}

// position is where the value at a JSON pointer begins, or the nearest
// value around it that is there.
func position(text []byte, pointer string) (line, column int) {
	d := jsontext.NewDecoder(bytes.NewReader(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	best, at := -1, int64(0)
	for {
		start := d.InputOffset()
		token, err := d.ReadToken()
		if err != nil {
			break
		}
		for start < int64(len(text)) && strings.IndexByte(" \t\r\n,:", text[start]) >= 0 {
			start++
		}
		here := string(d.StackPointer())
		if token.Kind() == '}' || token.Kind() == ']' || len(here) <= best {
			continue
		}
		if here == pointer || here == "" || strings.HasPrefix(pointer, here+"/") {
			// A member's name and its value have the same pointer: the name comes first.
			best, at = len(here), start
			if here == pointer {
				break
			}
		}
	}
	before := text[:min(int(at), len(text))]
	return 1 + bytes.Count(before, []byte("\n")), len(before) - bytes.LastIndexByte(before, '\n')
}

// FileOf is a realm that was read from elsewhere than a file, as Import and Check take it.
// from says where it was read, in what they refuse.
func FileOf(from string, r *rep.Realm) *RealmFile {
	return &RealmFile{Realm: r, parts: []part{{file: from}}}
}
