package engine

import (
	"database/sql"
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// An unfitError says that a value and its column or parameter do not fit:
// a mistake in the statement's code.
type unfitError struct{ msg string }

func (e *unfitError) Error() string { return e.msg }

func unfit(format string, args ...any) error { return &unfitError{fmt.Sprintf(format, args...)} }

// encode turns arguments into PostgreSQL's binary form. It knows the types that
// the schema uses: texts, integers, booleans and bytes.
func encode(args []any, oids []uint32) ([][]byte, error) {
	if len(args) != len(oids) {
		return nil, unfit("%d arguments for %d parameters", len(args), len(oids))
	}
	values := make([][]byte, len(args))
	for i, arg := range args {
		v, err := encodeOne(arg, oids[i])
		if err != nil {
			return nil, fmt.Errorf("parameter $%d: %w", i+1, err)
		}
		values[i] = v
	}
	return values, nil
}

func encodeOne(arg any, oid uint32) ([]byte, error) {
	switch v := reflect.ValueOf(arg); {
	case arg == nil:
		return nil, nil
	case v.Kind() == reflect.String && (oid == pgtype.TextOID || oid == pgtype.VarcharOID):
		return []byte(v.String()), nil // empty, not nil: that is null
	case v.Kind() == reflect.Bool && oid == pgtype.BoolOID:
		if v.Bool() {
			return []byte{1}, nil
		}
		return []byte{0}, nil
	case v.CanInt() && oid == pgtype.Int8OID:
		return binary.BigEndian.AppendUint64(nil, uint64(v.Int())), nil
	case v.CanInt() && oid == pgtype.Int4OID && int64(int32(v.Int())) == v.Int():
		return binary.BigEndian.AppendUint32(nil, uint32(v.Int())), nil
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 && oid == pgtype.ByteaOID:
		if v.IsNil() {
			return nil, nil // as database/sql has it
		}
		return append([]byte{}, v.Bytes()...), nil
	}
	return nil, unfit("%T does not fit type %d", arg, oid)
}

// A rowBuffer holds all rows of one answer, in PostgreSQL's binary form, until its reader scans them.
type rowBuffer struct {
	stmt    *pgStmt
	data    []byte // all values, one after the other
	lengths []int32
	row     []int32 // lengths of the row that Next moved to
	from    int     // where its values begin, and
	to      int     // end
}

const null = -1 // the length of what is not there

// fill copies all rows of an answer, and has the statement remember their size.
func (b *rowBuffer) fill(r *pgconn.ResultReader) (pgconn.CommandTag, error) {
	for r.NextRow() {
		b.add(r.Values())
	}
	tag, err := r.Close()
	if err == nil {
		b.stmt.bytes, b.stmt.values = min(len(b.data), maxPrealloc), min(len(b.lengths), maxPrealloc/4)
	}
	return tag, err
}

// add copies a row: values is valid only until the next one is read.
func (b *rowBuffer) add(values [][]byte) {
	size := 0
	for _, v := range values {
		size += len(v)
	}
	b.lengths, b.data = slices.Grow(b.lengths, len(values)), slices.Grow(b.data, size)
	for _, v := range values {
		length := int32(null)
		if v != nil {
			length = int32(len(v))
		}
		b.lengths = append(b.lengths, length)
		b.data = append(b.data, v...)
	}
}

func (b *rowBuffer) Next() bool {
	if len(b.lengths) == 0 {
		return false
	}
	b.row, b.lengths = b.lengths[:len(b.stmt.Fields)], b.lengths[len(b.stmt.Fields):]
	b.from = b.to
	for _, n := range b.row {
		b.to += max(int(n), 0)
	}
	return true
}

func (b *rowBuffer) Err() error   { return nil }
func (b *rowBuffer) Close() error { return nil }

// Scan does what sql.Rows.Scan does, for the types that encode knows.
func (b *rowBuffer) Scan(dest ...any) error {
	if len(dest) != len(b.stmt.Fields) {
		return unfit("%d destinations for %d columns", len(dest), len(b.stmt.Fields))
	}
	at := b.from
	for i, n := range b.row {
		var raw []byte
		if n != null {
			end := at + int(n)
			raw, at = b.data[at:end:end], end
		}
		if err := assign(dest[i], raw, b.stmt.Fields[i].DataTypeOID); err != nil {
			return fmt.Errorf("column %s: %w", b.stmt.Fields[i].Name, err)
		}
	}
	return nil
}

// assign decodes a column's value, from PostgreSQL's binary form; nil is null.
func assign(dest any, raw []byte, oid uint32) error {
	fits := false
	switch oid {
	case pgtype.TextOID, pgtype.VarcharOID:
		fits = assignText(dest, raw)
	case pgtype.ByteaOID:
		var d *[]byte
		if d, fits = dest.(*[]byte); fits {
			*d = raw
		}
	case pgtype.BoolOID:
		fits = len(raw) <= 1 && assignBool(dest, len(raw) == 1 && raw[0] != 0, raw != nil)
	case pgtype.Int8OID:
		switch len(raw) {
		case 0:
			fits = assignInt(dest, 0, false)
		case 8:
			fits = assignInt(dest, int64(binary.BigEndian.Uint64(raw)), true)
		}
	case pgtype.Int4OID:
		switch len(raw) {
		case 0:
			fits = assignInt(dest, 0, false)
		case 4:
			fits = assignInt(dest, int64(int32(binary.BigEndian.Uint32(raw))), true)
		}
	}
	if !fits {
		return unfit("%d bytes of type %d into %T", len(raw), oid, dest)
	}
	return nil
}

func assignText(dest any, raw []byte) bool {
	switch d := dest.(type) {
	case *[]byte:
		*d = raw
		return true
	case *sql.Null[string]:
		*d = sql.Null[string]{V: string(raw), Valid: raw != nil}
		return true
	case *string:
		*d = string(raw)
		return raw != nil
	}
	to := reflect.ValueOf(dest).Elem()
	if to.Kind() != reflect.String || raw == nil {
		return false
	}
	to.SetString(string(raw))
	return true
}

func assignBool(dest any, v, valid bool) bool {
	switch d := dest.(type) {
	case *sql.Null[bool]:
		*d = sql.Null[bool]{V: v, Valid: valid}
		return true
	case *bool:
		*d = v
		return valid
	}
	to := reflect.ValueOf(dest).Elem()
	if to.Kind() != reflect.Bool || !valid {
		return false
	}
	to.SetBool(v)
	return true
}

func assignInt(dest any, v int64, valid bool) bool {
	switch d := dest.(type) {
	case *sql.Null[int64]:
		*d = sql.Null[int64]{V: v, Valid: valid}
		return true
	case *int64:
		*d = v
		return valid
	}
	to := reflect.ValueOf(dest).Elem()
	if !to.CanInt() || to.OverflowInt(v) || !valid {
		return false
	}
	to.SetInt(v)
	return true
}
