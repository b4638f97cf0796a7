package store

import "latchkey/internal/store/engine"

var (
	// ErrNotFound is returned where exactly one row was asked for and there is none.
	ErrNotFound = engine.ErrNotFound
	// ErrConflict is returned when a compare-and-swap found another version.
	ErrConflict = engine.ErrConflict
	// ErrOrphan is returned when what a new row belongs to is gone.
	ErrOrphan = engine.ErrOrphan
	// ErrUnavailable marks a database that is gone, full or too busy; the same
	// request may succeed later. Doors answer 503.
	ErrUnavailable = engine.ErrUnavailable
)

// An ExistsError says which unique constraint a write ran into; use On to ask.
type ExistsError = engine.ExistsError

// Exists returns the ExistsError in err's chain, if any.
func Exists(err error) (*ExistsError, bool) { return engine.Exists(err) }
