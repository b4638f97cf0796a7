package web

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"latchkey/internal/iam"
)

// ErrMalformed says that a form or query cannot be understood: answer 400.
var ErrMalformed = errors.New("the form cannot be understood")

// Bounds of one form or query: the number of parameters, and the bytes of one
// of a form. Keycloak: quarkus.http.limits.max-form-attribute-size.
const (
	maxParams = 1000
	maxValue  = 128 << 10
)

const formType = "application/x-www-form-urlencoded"

// Form holds the parameters of a form or query in the order in which each name
// was given.
type Form struct{ url.Values }

// A Param is a parameter that may be missing: "" that was given is another thing.
type Param struct {
	Text  string
	Given bool
}

// Param reads a parameter.
func (f Form) Param(name string) Param { return Param{f.Get(name), f.Has(name)} }

// ParseForm reads application/x-www-form-urlencoded text. Unlike url.ParseQuery
// it takes a raw ';' as a letter, as the reference does; a broken escape is
// ErrMalformed, and so is text that cannot be stored. Of queries Gate has made
// each ';' a '&'.
func ParseForm(s string) (Form, error) {
	f := Form{url.Values{}}
	n := 0
	for pair := range strings.SplitSeq(s, "&") {
		if pair == "" {
			continue
		}
		if n++; n > maxParams {
			return f, fmt.Errorf("more than %d parameters: %w", maxParams, ErrMalformed)
		}
		k, v, _ := strings.Cut(pair, "=")
		k, err := url.QueryUnescape(k)
		if err != nil {
			return f, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		if v, err = url.QueryUnescape(v); err != nil {
			return f, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		if !iam.Storable(k) || !iam.Storable(v) {
			return f, fmt.Errorf("%w: a parameter holds NUL or is no UTF-8", ErrMalformed)
		}
		f.Values[k] = append(f.Values[k], v)
	}
	return f, nil
}

// ReadForm reads the request's body as a form; the query does not count. A body
// of another type is an empty form, as in the reference, whose endpoints then
// miss their parameters. The errors are ErrMalformed and BodyErrors.
func ReadForm(r *http.Request) (Form, error) {
	if MediaType(r) != formType {
		return Form{url.Values{}}, nil
	}
	b, err := ReadBody(r)
	if err != nil {
		return Form{url.Values{}}, err
	}
	f, err := ParseForm(string(b))
	for _, values := range f.Values {
		for _, v := range values {
			if len(v) > maxValue {
				return Form{url.Values{}}, ErrTooLarge
			}
		}
	}
	return f, err
}

// Query reads the request's query. The error is ErrMalformed.
func Query(r *http.Request) (Form, error) { return ParseForm(r.URL.RawQuery) }

// Duplicate returns the first name (in alphabetical order) that was given more
// than once, but for those in except; empty if there is none. RFC 6749 3.1 and
// 3.2: parameters must not be included more than once.
func (f Form) Duplicate(except ...string) string {
	var found []string
	for k, v := range f.Values {
		if len(v) > 1 && !slices.Contains(except, k) {
			found = append(found, k)
		}
	}
	if len(found) == 0 {
		return ""
	}
	return slices.Min(found)
}

// ReadBody reads the whole body, within the bounds of Bodies. The errors are
// BodyErrors.
func ReadBody(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	var b bytes.Buffer
	if r.ContentLength > 0 {
		b.Grow(int(min(r.ContentLength, 64<<10)) + bytes.MinRead)
	}
	if _, err := b.ReadFrom(r.Body); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// MediaType is the request body's type in lower case without parameters; empty
// if there is none or it makes no sense.
func MediaType(r *http.Request) string {
	header := r.Header.Get("Content-Type")
	if header == formType {
		return header
	}
	t, _, err := mime.ParseMediaType(header)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return ""
	}
	return t
}

// WriteJSON answers with v as JSON: the Content-Type without a charset, no
// HTML escapes and no newline at the end, as the reference writes it. Maps are
// written in the order of their keys. A value that cannot be written becomes a
// 500 and is returned as an error for the caller's log.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	b, err := json.Marshal(v, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		WriteStatus(w, http.StatusInternalServerError)
		return fmt.Errorf("write %T: %w", v, err)
	}
	writeBytes(w, status, b)
	return nil
}

// compressed is the size from which on WriteLargeJSON compresses. Below it the
// time of both sides is worth more than the bytes.
const compressed = 16 << 10

// WriteLargeJSON is WriteJSON for answers that may be large: these are compressed for
// who takes that. It is for answers to requests with a bearer token alone: where a
// browser sends credentials by itself, the size of a compressed answer tells strangers of it (BREACH).
func WriteLargeJSON(w http.ResponseWriter, r *http.Request, v any) error {
	b, err := json.Marshal(v, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		WriteStatus(w, http.StatusInternalServerError)
		return fmt.Errorf("write %T: %w", v, err)
	}
	if len(b) >= compressed {
		w.Header().Add("Vary", "Accept-Encoding")
		if AcceptsEncoding(r, "gzip") {
			var out bytes.Buffer
			z, _ := gzip.NewWriterLevel(&out, gzip.BestSpeed) // of a level that there is
			_, _ = z.Write(b)                                 // to memory
			_ = z.Close()
			w.Header().Set("Content-Encoding", "gzip")
			b = out.Bytes()
		}
	}
	writeBytes(w, http.StatusOK, b)
	return nil
}

// AcceptsEncoding reports whether a request takes a content coding by name (RFC 9110 12.5.3).
func AcceptsEncoding(r *http.Request, coding string) bool {
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		name, params, _ := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(name), coding) {
			continue
		}
		q, given := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
		weight, err := strconv.ParseFloat(q, 64)
		return !given || err == nil && weight > 0
	}
	return false
}

// Problem is the error document of OAuth 2.0 (RFC 6749 5.2) and of Keycloak's
// REST services.
type Problem struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
	ID          string `json:"id,omitempty"` // of the request, where the log says more
}

// WriteProblem answers with an error document.
func WriteProblem(w http.ResponseWriter, status int, code, description string) {
	_ = WriteJSON(w, status, Problem{Error: code, Description: description})
}

// WriteStatus answers with a status alone, in the reference's words
// (KeycloakErrorHandler): {"error":"HTTP 404 Not Found"}.
func WriteStatus(w http.ResponseWriter, status int) {
	if status == http.StatusServiceUnavailable && w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	}
	WriteProblem(w, status, "HTTP "+strconv.Itoa(status)+" "+http.StatusText(status), "")
}

// WriteInternal answers 500 in the reference's words and with the request's id,
// under which the caller has logged what happened.
func WriteInternal(w http.ResponseWriter, r *http.Request) {
	_ = WriteJSON(w, http.StatusInternalServerError, Problem{
		Error: "unknown_error", Description: "For more on this error consult the server log.", ID: RequestOf(r).ID,
	})
}

func writeBytes(w http.ResponseWriter, status int, b []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b)
}
