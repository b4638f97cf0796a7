package seal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxFile is far more than any key file has.
const maxFile = 1 << 20

// Load reads a key file. A file that group or others may touch is ErrKeyFile; one that does not exist is fs.ErrNotExist.
func Load(path string) (*Ring, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("seal: key file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("seal: key file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%w: %s has mode %04o; make it 0600", ErrKeyFile, path, info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, fmt.Errorf("seal: key file: %w", err)
	}
	r, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// LoadOrCreate reads a key file, or makes one with a new key where there is none. Of several processes that do so at once, all get the key
// of one.
func LoadOrCreate(path string) (*Ring, error) {
	r, err := Load(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	if r, err = Generate(); err != nil {
		return nil, err
	}
	temp, err := writeTemp(path, r)
	if err != nil {
		return nil, err
	}
	defer os.Remove(temp)
	// Unlike a rename, a link never replaces a key file that somebody made in between.
	if err := os.Link(temp, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("seal: key file: %w", err)
	}
	if err := syncDir(path); err != nil {
		return nil, err
	}
	return Load(path)
}

// Rotate puts a new key before those of the file and returns the ring as it then is. Nothing is lost if it is interrupted.
func Rotate(path string) (*Ring, error) {
	return change(path, func(old *Ring) (*Ring, error) {
		fresh, err := Generate()
		if err != nil {
			return nil, err
		}
		return &Ring{append(fresh.keys, old.keys...)}, nil
	})
}

// Retire drops all keys but the active one, once nothing is left that another sealed (NeedsReseal).
func Retire(path string) (*Ring, error) {
	return change(path, func(old *Ring) (*Ring, error) { return &Ring{old.keys[:1]}, nil })
}

// change replaces the file atomically, one process at a time: two rotations at once would each drop the other's key.
func change(path string, next func(*Ring) (*Ring, error)) (*Ring, error) {
	lock := path + ".lock"
	l, err := os.OpenFile(lock, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%w: it is being changed; if nobody is, remove %s", ErrKeyFile, lock)
	}
	if err != nil {
		return nil, fmt.Errorf("seal: key file: %w", err)
	}
	defer os.Remove(lock)
	l.Close()

	old, err := Load(path)
	if err != nil {
		return nil, err
	}
	r, err := next(old)
	if err != nil {
		return nil, err
	}
	temp, err := writeTemp(path, r)
	if err != nil {
		return nil, err
	}
	if err := os.Rename(temp, path); err != nil {
		os.Remove(temp)
		return nil, fmt.Errorf("seal: key file: %w", err)
	}
	return r, syncDir(path)
}

// writeTemp writes the ring durably to a new file (mode 0600) beside path.
func writeTemp(path string, r *Ring) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return "", fmt.Errorf("seal: key file: %w", err)
	}
	_, err = f.Write(r.text())
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(f.Name())
		return "", fmt.Errorf("seal: key file: %w", err)
	}
	return f.Name(), nil
}

// syncDir makes the change of the directory durable.
func syncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err == nil {
		err = errors.Join(d.Sync(), d.Close())
	}
	if err != nil {
		return fmt.Errorf("seal: key file: %w", err)
	}
	return nil
}
