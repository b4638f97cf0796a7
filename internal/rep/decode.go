package rep

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// decoder reads one JSON text the way Jackson does with Keycloak's settings.
type decoder struct {
	data  []byte
	dec   *jsontext.Decoder
	keep  bool // unknown members go to Unknown
	types map[reflect.Type]*structInfo
}

// structInfo is what decoder knows of a representation.
type structInfo struct {
	class   string // Keycloak's name of it
	ignore  bool   // unknown members are dropped
	fields  map[string]fieldInfo
	unknown int // index of the field Unknown
	text    int // index of the field that a text in place of an object is for, or -1
}

type fieldInfo struct {
	index int
	hint  string // the tag rep
}

func newDecoder(data []byte, keep bool) *decoder {
	return &decoder{
		data: data, keep: keep, types: map[reflect.Type]*structInfo{},
		dec: jsontext.NewDecoder(bytes.NewBuffer(data), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)),
	}
}

func decode(data []byte, v any, keep bool) error {
	d := newDecoder(data, keep)
	switch d.dec.PeekKind() {
	case 'n':
		if _, err := d.dec.ReadToken(); err != nil {
			return d.syntax(err, false)
		}
		return ErrNoBody
	case 0:
		if len(bytes.TrimSpace(data)) == 0 {
			return ErrNoBody
		}
	}
	if err := d.value(reflect.ValueOf(v).Elem(), ""); err != nil {
		return err
	}
	if keep {
		if _, err := d.dec.ReadToken(); err == nil {
			return d.syntax(errors.New("text after the end of the JSON value"), false)
		} else if !errors.Is(err, io.EOF) {
			return d.syntax(err, false)
		}
	}
	return nil
}

// value reads the next JSON value into v. Null leaves v alone.
func (d *decoder) value(v reflect.Value, hint string) error {
	if v.Type() == reflect.TypeFor[jsontext.Value]() {
		raw, err := d.raw()
		if err != nil {
			return err
		}
		v.SetBytes(bytes.Clone(raw))
		return nil
	}
	if hint == "listmap" {
		return d.listMap(v)
	}
	switch kind := d.dec.PeekKind(); {
	case kind == 'n':
		_, err := d.token()
		return err
	case v.Kind() == reflect.Pointer:
		to := reflect.New(v.Type().Elem())
		if v.Type().Elem().Kind() != reflect.Struct {
			none, err := d.scalar(to.Elem(), hint)
			if err == nil && !none {
				v.Set(to)
			}
			return err
		}
		if err := d.value(to.Elem(), hint); err != nil {
			return err
		}
		v.Set(to)
		return nil
	case v.Kind() == reflect.Struct:
		if info := d.info(v.Type()); kind == '"' && info.text >= 0 {
			_, err := d.scalar(v.Field(info.text), "")
			return err
		}
		return d.object(v)
	case v.Kind() == reflect.Slice:
		return d.list(v)
	case v.Kind() == reflect.Map:
		return d.table(v)
	default:
		_, err := d.scalar(v, hint)
		return err
	}
}

// object reads a representation.
func (d *decoder) object(v reflect.Value) error {
	if err := d.open('{', "an object"); err != nil {
		return err
	}
	info := d.info(v.Type())
	for d.dec.PeekKind() != '}' {
		name, err := d.token()
		if err != nil {
			return err
		}
		field := name.String()
		if d.dec.PeekKind() == 0 {
			_, err := d.token()
			return err
		}
		f, known := info.fields[field]
		switch {
		case known:
			if err := d.value(v.Field(f.index), f.hint); err != nil {
				return err
			}
		case d.keep:
			raw, err := d.dec.ReadValue()
			if err != nil {
				return d.syntax(err, false)
			}
			u := v.Field(info.unknown)
			u.SetBytes(appendMember(u.Bytes(), field, raw))
		case info.ignore:
			nested := d.dec.StackDepth() > 1
			if err := d.dec.SkipValue(); err != nil {
				e := d.syntax(err, nested)
				e.Nested = nested // Jackson skips without going down
				return e
			}
		default:
			line, column, err := d.afterNextToken()
			if err != nil {
				return err
			}
			return &UnknownFieldError{Type: info.class, Field: field, Line: line, Column: column}
		}
	}
	_, err := d.token()
	return err
}

// appendMember adds a member to the text of an object, which may be empty.
func appendMember(object []byte, name string, value jsontext.Value) []byte {
	if len(object) == 0 {
		object = append(object, '{')
	} else {
		object[len(object)-1] = ','
	}
	object, _ = jsontext.AppendQuote(object, name) // its error is invalid UTF-8, replaced in the text it appends
	object = append(object, ':')
	object = append(object, value...)
	return append(object, '}')
}

func (d *decoder) list(v reflect.Value) error {
	if err := d.open('[', "a list"); err != nil {
		return err
	}
	list := reflect.MakeSlice(v.Type(), 0, 0)
	for d.dec.PeekKind() != ']' {
		elem := reflect.New(v.Type().Elem()).Elem()
		if elem.Kind() == reflect.Struct && d.dec.PeekKind() == 'n' {
			return d.wrong("null in a list of objects", false)
		}
		if err := d.value(elem, ""); err != nil {
			return err
		}
		list = reflect.Append(list, elem)
	}
	v.Set(list)
	_, err := d.token()
	return err
}

func (d *decoder) table(v reflect.Value) error {
	if err := d.open('{', "an object"); err != nil {
		return err
	}
	table := reflect.MakeMap(v.Type())
	for d.dec.PeekKind() != '}' {
		name, err := d.token()
		if err != nil {
			return err
		}
		key := reflect.ValueOf(name.String())
		elem := reflect.New(v.Type().Elem()).Elem()
		if err := d.value(elem, ""); err != nil {
			return err
		}
		table.SetMapIndex(key, elem)
	}
	v.Set(table)
	_, err := d.token()
	return err
}

// listMap reads a map of lists as Keycloak's StringListMapDeserializer does:
// a scalar stands for a list of one, and what fits nowhere is left out.
func (d *decoder) listMap(v reflect.Value) error {
	raw, err := d.raw()
	if err != nil {
		return err
	}
	if raw.Kind() == 'n' {
		return nil
	}
	table := map[string][]string{}
	in := jsontext.NewDecoder(bytes.NewReader(raw), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if raw.Kind() == '{' {
		if _, err := in.ReadToken(); err != nil {
			return d.syntax(err, true)
		}
		for in.PeekKind() != '}' {
			name, err := in.ReadToken()
			if err != nil {
				return d.syntax(err, true)
			}
			key := name.String()
			list, err := texts(in)
			if err != nil {
				return d.syntax(err, true)
			}
			if list != nil {
				table[key] = list
			}
		}
	}
	v.Set(reflect.ValueOf(table))
	return nil
}

// texts reads one value of a listMap: nil for null and objects.
func texts(in *jsontext.Decoder) ([]string, error) {
	switch in.PeekKind() {
	case '{', 'n':
		return nil, in.SkipValue()
	case '[':
		list := []string{}
		if _, err := in.ReadToken(); err != nil {
			return nil, err
		}
		for in.PeekKind() != ']' {
			if k := in.PeekKind(); k == '{' || k == '[' || k == 'n' {
				if err := in.SkipValue(); err != nil {
					return nil, err
				}
				continue
			}
			tok, err := in.ReadToken()
			if err != nil {
				return nil, err
			}
			list = append(list, tok.String())
		}
		_, err := in.ReadToken()
		return list, err
	default:
		tok, err := in.ReadToken()
		return []string{tok.String()}, err
	}
}

// scalar reads a string, boolean or integer into v, with Jackson's coercions.
// none says that the text stood for null.
func (d *decoder) scalar(v reflect.Value, hint string) (none bool, err error) {
	kind := d.dec.PeekKind()
	if kind == '{' || kind == '[' {
		return false, d.wrong("not a "+v.Kind().String(), false)
	}
	tok, err := d.token()
	if err != nil {
		return false, err
	}
	text := tok.String()
	if v.Kind() == reflect.String {
		if enum, ok := strings.CutPrefix(hint, "enum="); ok {
			if kind != '"' || !slices.Contains(strings.Split(enum, "|"), text) {
				return false, d.wrong(fmt.Sprintf("%q is none of %s", text, strings.ReplaceAll(enum, "|", ", ")), false)
			}
		}
		v.SetString(text)
		return false, nil
	}
	if kind == '"' {
		text = strings.TrimSpace(text)
		if text == "" || text == "null" {
			return true, nil
		}
	}
	if v.Kind() == reflect.Bool {
		switch b, known := booleans[text]; {
		case kind == '0' && !strings.ContainsAny(text, ".eE"):
			v.SetBool(strings.Trim(text, "-0") != "")
		case kind != '0' && known:
			v.SetBool(b)
		default:
			return false, d.wrong("not a boolean", false)
		}
		return false, nil
	}
	if kind == 't' || kind == 'f' {
		return false, d.wrong("not a number", false)
	}
	// Keycloak's Integer has 32 bits, its Long 64: int and int64 here.
	least, most := int64(math.MinInt32), int64(math.MaxInt32)
	if v.Kind() == reflect.Int64 {
		least, most = math.MinInt64, math.MaxInt64
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if f, ferr := strconv.ParseFloat(text, 64); err != nil && kind == '0' && (ferr == nil || math.IsInf(f, 0)) {
		// Jackson cuts fractions off numbers, though not off text.
		if f < float64(least) || f >= float64(most)+1 {
			return false, d.wrong("number too big", true)
		}
		n, err = int64(f), nil
	}
	if err != nil {
		return false, d.wrong("not a whole number", false)
	}
	if n < least || n > most {
		return false, d.wrong("number too big", kind == '0')
	}
	v.SetInt(n)
	return false, nil
}

// booleans are the texts that Jackson takes for booleans.
var booleans = map[string]bool{
	"true": true, "True": true, "TRUE": true, "false": false, "False": false, "FALSE": false,
}

// open reads the token that begins a list or an object.
func (d *decoder) open(kind jsontext.Kind, what string) error {
	if k := d.dec.PeekKind(); k != kind && k != 0 {
		if k == '{' || k == '[' {
			return d.wrong("not "+what, false)
		}
		if _, err := d.token(); err != nil {
			return err
		}
		return d.wrong("not "+what, false)
	}
	_, err := d.token()
	return err
}

func (d *decoder) token() (jsontext.Token, error) {
	// Jackson reads the text of a string when its value is wanted, all else
	// when it moves to the token.
	text := d.dec.PeekKind() == '"'
	tok, err := d.dec.ReadToken()
	if err != nil {
		return tok, d.syntax(err, text && d.dec.StackDepth() > 0)
	}
	return tok, nil
}

// raw reads a whole value.
func (d *decoder) raw() (jsontext.Value, error) {
	kind := d.dec.PeekKind()
	raw, err := d.dec.ReadValue()
	if err != nil {
		return nil, d.syntax(err, kind == '"' || kind == '{' || kind == '[')
	}
	return raw, nil
}

// syntax is err from the parser as a SyntaxError.
func (d *decoder) syntax(err error, nested bool) *SyntaxError {
	offset := d.dec.InputOffset()
	msg := err.Error()
	var s *jsontext.SyntacticError
	if errors.As(err, &s) {
		offset = s.ByteOffset
		msg = s.Err.Error()
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		offset, msg = int64(len(d.data)), "unexpected end of the text"
	}
	line, column := d.position(offset)
	return &SyntaxError{Msg: msg, Line: line, Column: column, Nested: nested || d.dec.StackDepth() > 1}
}

// wrong says that the value at hand has the wrong type.
func (d *decoder) wrong(msg string, overflow bool) error {
	line, column := d.position(d.dec.InputOffset())
	return &TypeError{Path: d.dec.StackPointer(), Msg: msg, Line: line, Column: column, Overflow: overflow}
}

// position is the line and column of the byte at offset, both from 1.
func (d *decoder) position(offset int64) (line, column int) {
	before := d.data[:min(offset, int64(len(d.data)))]
	return 1 + bytes.Count(before, []byte("\n")), len(before) - bytes.LastIndexByte(before, '\n')
}

// afterNextToken is where Jackson's parser stands once it has moved on to the
// value of a member whose name was just read: behind the token, but only
// behind the first quote of a string.
func (d *decoder) afterNextToken() (line, column int, err error) {
	kind := d.dec.PeekKind()
	end := int64(bytes.IndexByte(d.data[d.dec.InputOffset():], byte(kind))) + d.dec.InputOffset() + 1
	if kind != '"' && kind != '{' && kind != '[' {
		if _, err := d.token(); err != nil {
			return 0, 0, err
		}
		end = d.dec.InputOffset()
	}
	line, column = d.position(end)
	return line, column, nil
}

// info reads the tags of a representation.
func (d *decoder) info(t reflect.Type) *structInfo {
	if info := d.types[t]; info != nil {
		return info
	}
	info := &structInfo{fields: make(map[string]fieldInfo, t.NumField()), text: -1}
	var text string
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			info.unknown = i
			class, how, _ := strings.Cut(f.Tag.Get("rep"), ",")
			info.class, info.ignore = class, how == "ignore"
			text, _ = strings.CutPrefix(how, "text=")
			continue
		}
		info.fields[name] = fieldInfo{index: i, hint: f.Tag.Get("rep")}
	}
	if f, ok := info.fields[text]; ok {
		info.text = f.index
	}
	d.types[t] = info
	return info
}
