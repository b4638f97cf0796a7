package rep

import "testing"

func TestCheckText(t *testing.T) {
	for text, good := range map[string]bool{
		`{"a":"b"}`: true, `{"a":"\\u0000"}`: true, `{"a":"\\\\u0000"}`: true, `"😀"`: true, `"\ud83d\ude00"`: true, `"\uFFFD"`: true, `"\"`: true,
		`"\u00`: true, `\`: true,
		`{"a":"\u0000"}`: false, `{"\u0000":1}`: false, `"\\\u0000"`: false, "\"\x00\"": false, "\"\xff\"": false, "\"\xc0\x80\"": false,
		"\"\xed\xa0\x80\"": false,
		`"\ud800"`:         false, `"\ud800x"`: false, `"\udc00"`: false, `"\ud800\ud800"`: false, `"\ud800\u0041"`: false, `"\ud83d\ude00\udc00"`: false,
	} {
		if err := CheckText([]byte(text)); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
	err := CheckText([]byte("{\n \"a\": \"\\u0000\"}"))
	if e, ok := err.(*SyntaxError); !ok || e.Line != 2 || e.Column != 8 {
		t.Errorf("the place is %v", err)
	}
}
