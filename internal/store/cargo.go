package store

import (
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"reflect"

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
		return append([]byte{}, v.Bytes()...), nil
	}
	return nil, unfit("%T does not fit type %d", arg, oid)
}

// A cargo is the rows of one read, as they came over, to be scanned by whoever asked.
type cargo struct {
	fields []pgconn.FieldDescription
	rows   [][][]byte
	at     int // rows that Next has passed
}

// add keeps a row; values is only lent.
func (c *cargo) add(values [][]byte) {
	size := 0
	for _, v := range values {
		size += len(v)
	}
	kept, buf := make([][]byte, len(values)), make([]byte, 0, size)
	for i, v := range values {
		if v != nil {
			from := len(buf)
			buf = append(buf, v...)
			kept[i] = buf[from:len(buf):len(buf)]
		}
	}
	c.rows = append(c.rows, kept)
}

func (c *cargo) Next() bool {
	if c.at == len(c.rows) {
		return false
	}
	c.at++
	return true
}

func (c *cargo) Err() error   { return nil }
func (c *cargo) Close() error { return nil }

// Scan does what sql.Rows.Scan does, for the types that encode knows.
func (c *cargo) Scan(dest ...any) error {
	if len(dest) != len(c.fields) {
		return unfit("%d destinations for %d columns", len(dest), len(c.fields))
	}
	for i, raw := range c.rows[c.at-1] {
		if err := assign(dest[i], raw, c.fields[i].DataTypeOID); err != nil {
			return fmt.Errorf("column %s: %w", c.fields[i].Name, err)
		}
	}
	return nil
}

// assign decodes a column's value. The first cases are those that a session has dozens of.
func assign(dest any, raw []byte, oid uint32) error {
	isText := oid == pgtype.TextOID || oid == pgtype.VarcharOID
	switch d := dest.(type) {
	case *string:
		if isText && raw != nil {
			*d = string(raw)
			return nil
		}
	case *sql.Null[string]:
		if isText {
			*d = sql.Null[string]{V: string(raw), Valid: raw != nil}
			return nil
		}
	case *[]byte:
		if isText || oid == pgtype.ByteaOID {
			*d = raw
			return nil
		}
	}
	v, err := decode(raw, oid)
	if err != nil {
		return err
	}
	switch d := dest.(type) {
	case *sql.Null[int64]:
		d.V, d.Valid = v.(int64)
		if d.Valid == (v != nil) {
			return nil
		}
	case *sql.Null[bool]:
		d.V, d.Valid = v.(bool)
		if d.Valid == (v != nil) {
			return nil
		}
	case sql.Scanner:
		return d.Scan(v)
	}
	to := reflect.ValueOf(dest).Elem()
	switch v := v.(type) {
	case string:
		if to.Kind() == reflect.String {
			to.SetString(v)
			return nil
		}
	case bool:
		if to.Kind() == reflect.Bool {
			to.SetBool(v)
			return nil
		}
	case int64:
		if to.CanInt() && !to.OverflowInt(v) {
			to.SetInt(v)
			return nil
		}
	}
	return unfit("%T of type %d into %T", v, oid, dest)
}

// decode reads PostgreSQL's binary form; nil is null.
func decode(raw []byte, oid uint32) (driver.Value, error) {
	switch {
	case raw == nil:
		return nil, nil
	case oid == pgtype.TextOID, oid == pgtype.VarcharOID:
		return string(raw), nil
	case oid == pgtype.ByteaOID:
		return raw, nil
	case oid == pgtype.BoolOID && len(raw) == 1:
		return raw[0] != 0, nil
	case oid == pgtype.Int8OID && len(raw) == 8:
		return int64(binary.BigEndian.Uint64(raw)), nil
	case oid == pgtype.Int4OID && len(raw) == 4:
		return int64(int32(binary.BigEndian.Uint32(raw))), nil
	}
	return nil, unfit("%d bytes of type %d", len(raw), oid)
}
