package store

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

// A cargo is the rows of one read, as they came over, to be scanned by whoever asked.
type cargo struct {
	stmt    *readied
	data    []byte // all values, one after the other
	lengths []int32
	row     []int32 // lengths of the row that Next has come to
	from    int     // where its values begin, and
	to      int     // end
}

const null = -1 // the length of what is not there

// unload keeps all rows of an answer, and how much room they took.
func (c *cargo) unload(r *pgconn.ResultReader) (pgconn.CommandTag, error) {
	for r.NextRow() {
		c.add(r.Values())
	}
	tag, err := r.Close()
	if err == nil {
		c.stmt.bytes, c.stmt.values = min(len(c.data), maxRoom), min(len(c.lengths), maxRoom/4)
	}
	return tag, err
}

// add keeps a row; values is only lent.
func (c *cargo) add(values [][]byte) {
	size := 0
	for _, v := range values {
		size += len(v)
	}
	c.lengths, c.data = slices.Grow(c.lengths, len(values)), slices.Grow(c.data, size)
	for _, v := range values {
		length := int32(null)
		if v != nil {
			length = int32(len(v))
		}
		c.lengths = append(c.lengths, length)
		c.data = append(c.data, v...)
	}
}

func (c *cargo) Next() bool {
	if len(c.lengths) == 0 {
		return false
	}
	c.row, c.lengths = c.lengths[:len(c.stmt.Fields)], c.lengths[len(c.stmt.Fields):]
	c.from = c.to
	for _, n := range c.row {
		c.to += max(int(n), 0)
	}
	return true
}

func (c *cargo) Err() error   { return nil }
func (c *cargo) Close() error { return nil }

// Scan does what sql.Rows.Scan does, for the types that encode knows.
func (c *cargo) Scan(dest ...any) error {
	if len(dest) != len(c.stmt.Fields) {
		return unfit("%d destinations for %d columns", len(dest), len(c.stmt.Fields))
	}
	at := c.from
	for i, n := range c.row {
		var raw []byte
		if n != null {
			end := at + int(n)
			raw, at = c.data[at:end:end], end
		}
		if err := assign(dest[i], raw, c.stmt.Fields[i].DataTypeOID); err != nil {
			return fmt.Errorf("column %s: %w", c.stmt.Fields[i].Name, err)
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
