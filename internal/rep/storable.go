package rep

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// CheckText refuses JSON with text that cannot be stored: bytes that are no
// UTF-8, halves of surrogate pairs, and NUL, raw or escaped. The reference
// refuses the first as JSON that it cannot parse.
func CheckText(data []byte) error {
	bad := func(at int) error {
		before := data[:at]
		line := bytes.LastIndexByte(before, '\n')
		return &SyntaxError{Msg: "text that cannot be stored", Line: bytes.Count(before, []byte("\n")) + 1, Column: at - line, Nested: true}
	}
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return bad(i)
	}
	if !utf8.Valid(data) {
		return bad(validUntil(data))
	}
	for i := 0; ; {
		n := bytes.IndexByte(data[i:], '\\')
		if n < 0 {
			return nil
		}
		i += n
		code, ok := escaped(data[i:])
		if !ok {
			i += 2
			if i > len(data) {
				return nil
			}
			continue
		}
		width := len(`\u0000`)
		switch low, pair := escaped(data[i+width:]); {
		case code == 0:
			return bad(i)
		case code < 0xd800 || code > 0xdfff:
		case code > 0xdbff || !pair || low < 0xdc00 || low > 0xdfff:
			return bad(i)
		default:
			width *= 2
		}
		i += width
	}
}

// escaped reads the code unit of an escape at the beginning of data; false for
// any other text.
func escaped(data []byte) (code uint64, ok bool) {
	if len(data) < len(`\u0000`) || data[0] != '\\' || data[1] != 'u' {
		return 0, false
	}
	code, err := strconv.ParseUint(string(data[2:6]), 16, 32)
	return code, err == nil
}

// validUntil is where data ceases to be UTF-8.
func validUntil(data []byte) int {
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(data)
}
