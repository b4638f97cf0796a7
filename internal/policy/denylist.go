package policy

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// denylists are files of passwords nobody may have, one a line, read when first needed.
type denylists struct {
	dir string
	mu  sync.Mutex
	all map[string]map[string]struct{}
}

func newDenylists(dir string) *denylists {
	return &denylists{dir: dir, all: map[string]map[string]struct{}{}}
}

var (
	errNoLists  = errors.New("there is no folder for password blacklists on this server")
	errListName = errors.New("the name of a password blacklist is that of a file, without a path")
)

// get returns the list of that name. A list that cannot be read is an error
// each time, so that no password passes unchecked, and none once it is there.
func (d *denylists) get(name string) (map[string]struct{}, error) {
	switch {
	case d.dir == "":
		return nil, errNoLists
	case name == "", name != filepath.Base(name), name == "..", name == ".":
		return nil, errListName
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if list, ok := d.all[name]; ok {
		return list, nil
	}
	f, err := os.Open(filepath.Join(d.dir, name))
	if err != nil {
		return nil, fmt.Errorf("password blacklist %s: %w", name, err)
	}
	defer f.Close()
	list := map[string]struct{}{}
	in := bufio.NewScanner(f)
	for in.Scan() {
		list[strings.ToLower(in.Text())] = struct{}{}
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("password blacklist %s: %w", name, err)
	}
	d.all[name] = list
	return list, nil
}
