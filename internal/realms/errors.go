package realms

import (
	"errors"

	"latchkey/internal/iam"
	"latchkey/internal/store"
)

// Missing reports whether err says that something asked for by id or name is
// not there, for doors, which do not know the store.
func Missing(err error) bool { return errors.Is(err, store.ErrNotFound) || errors.Is(err, ErrNotFound) }

// Unavailable reports whether err says that the database is gone, full or too
// busy, or the server itself: doors answer 503, and the same request may succeed later.
func Unavailable(err error) bool {
	return errors.Is(err, store.ErrUnavailable) || errors.Is(err, iam.ErrBusy)
}

// A placedError is a refusal that knows its place in a realm file.
type placedError struct {
	path string
	err  error
}

func (e *placedError) Error() string { return e.err.Error() }

func (e *placedError) Unwrap() error { return e.err }

// at says where in a realm file the reason of a refusal is.
func at(path string, err error) error {
	if err == nil {
		return nil
	}
	return &placedError{path, err}
}
