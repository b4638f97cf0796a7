package claims

import (
	"bytes"
	"errors"

	"github.com/go-json-experiment/json/jsontext"
)

// Parse reads a JSON object into a Set, the order of its members kept. Numbers
// keep their digits; a list of texts becomes []string.
func Parse(b []byte) (*Set, error) {
	d := jsontext.NewDecoder(bytes.NewReader(b))
	v, err := parseValue(d)
	if err != nil {
		return nil, err
	}
	s, ok := v.(*Set)
	if !ok {
		return nil, errors.New("claims: not an object")
	}
	return s, nil
}

func parseValue(d *jsontext.Decoder) (any, error) {
	switch d.PeekKind() {
	case '{':
		if _, err := d.ReadToken(); err != nil {
			return nil, err
		}
		s := new(Set)
		for d.PeekKind() != '}' {
			name, err := d.ReadToken()
			if err != nil {
				return nil, err
			}
			key := name.String()
			v, err := parseValue(d)
			if err != nil {
				return nil, err
			}
			s.Put(key, v)
		}
		_, err := d.ReadToken()
		return s, err
	case '[':
		return parseList(d)
	case '"':
		t, err := d.ReadToken()
		return t.String(), err
	case 't', 'f':
		t, err := d.ReadToken()
		return t.Kind() == 't', err
	}
	v, err := d.ReadValue()
	return v.Clone(), err
}

func parseList(d *jsontext.Decoder) (any, error) {
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	list, texts, all := []any{}, []string{}, true
	for d.PeekKind() != ']' {
		v, err := parseValue(d)
		if err != nil {
			return nil, err
		}
		s, ok := v.(string)
		all = all && ok
		list, texts = append(list, v), append(texts, s)
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	if all {
		return texts, nil
	}
	return list, nil
}
