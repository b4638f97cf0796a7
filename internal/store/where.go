package store

import (
	"strconv"
	"strings"
)

// where collects the conditions of a search with optional filters. Texts of
// conditions are constants of this package; values only ever become binds.
type where struct {
	text strings.Builder
	args []any
}

// and adds a condition in which each ? stands for the next value.
func (w *where) and(cond string, values ...any) {
	if w.text.Len() == 0 {
		w.text.WriteString(" where ")
	} else {
		w.text.WriteString(" and ")
	}
	for _, v := range values {
		before, after, _ := strings.Cut(cond, "?")
		w.text.WriteString(before)
		w.text.WriteString(w.bind(v))
		cond = after
	}
	w.text.WriteString(cond)
}

// bind adds a value and returns its placeholder.
func (w *where) bind(v any) string {
	w.args = append(w.args, v)
	return "$" + strconv.Itoa(len(w.args))
}

// in adds "column in (...)" for a list; an empty list adds nothing.
func in[T any](w *where, column string, list []T) {
	if len(list) == 0 {
		return
	}
	marks := make([]any, len(list))
	for i, v := range list {
		marks[i] = v
	}
	w.and(column+" in (?"+strings.Repeat(", ?", len(list)-1)+")", marks...)
}
