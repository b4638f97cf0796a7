package authn

// A Page is what steps and required actions show: a view of package pages,
// with what the user should be told. The login door adds where the form goes,
// language and looks.
type Page struct {
	View    any      // a pages.View
	Message *Message // above the form
	Errors  []FieldError
	Over    bool // the login ends with this page
	Status  int  // of the answer, 0 for 200
}

// A Message is a message key with a tone.
type Message struct {
	Tone   string // "success", "warning", "error" or "info"
	Key    string
	Params []any
}

// A Denial is what the steps of the direct grant flow show: an answer of the
// token endpoint.
type Denial struct {
	Status      int
	Error       string // RFC 6749 5.2
	Description string
}
