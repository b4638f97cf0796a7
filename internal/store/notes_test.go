package store

import (
	"maps"
	"testing"
)

// What is read is what was written, the short way or the other; and what is no
// object of texts is an error.
func TestNotesAreReadAsWritten(t *testing.T) {
	for _, c := range []struct {
		notes map[string]string
		plain bool
	}{
		{map[string]string{}, false},
		{map[string]string{"a": "b"}, true},
		{map[string]string{"a": "", "": "b", "c,": ":{}", "ü": "日本"}, true},
		{map[string]string{"iss": "http://localhost:8080/realms/r", "scope": "openid profile", "client_request_param_x": "[1,2]"}, true},
		{map[string]string{"a": `say "b":"c"`, "d": "e"}, false},
		{map[string]string{`a":"b`: "c"}, false},
		{map[string]string{"a": "line\nline\\"}, false},
		{map[string]string{"a": "<&>"}, false},
	} {
		doc := notes(c.notes)
		if _, ok := plainNotes(doc); ok != c.plain {
			t.Errorf("%s is read in short: %v", doc, ok)
		}
		var got map[string]string
		if err := readNotes([]byte(doc), &got); err != nil || !maps.Equal(got, c.notes) {
			t.Errorf("%s is read as %v, %v", doc, got, err)
		}
	}
	for _, doc := range []string{"", "{", `{"a"}`, `{"a":"b"`, `{"a":"b",}`, `{"a":"b"}x`, `{"a":1}`, `["a":"b"]`, `x{"a":"b"}`,
		`{"a":"b""c":"d"}`} {
		if got, ok := plainNotes(doc); ok {
			t.Errorf("%s is read in short, as %v", doc, got)
		}
		var got map[string]string
		if err := readNotes([]byte(doc), &got); err == nil {
			t.Errorf("%s is read as %v", doc, got)
		}
	}
}
