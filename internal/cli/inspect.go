package cli

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json"
	"golang.org/x/term"

	"latchkey/internal/doctor/remote"
	"latchkey/internal/records"
)

type inspectCmd struct {
	File string `help:"File that holds the token. Default: standard input, or a prompt." placeholder:"FILE" only:"flag"`

	// A token that is given all the same would be shown in an error of the parser.
	Given []string `arg:"" optional:"" hidden:""`

	asking
}

const (
	longestToken  = 64 << 10
	longestTyping = 4095 // of a terminal's line: more is cut off without a word
)

// Run inspects the token.
func (i *inspectCmd) Run(c *call) error { return outcome(i.run(c)) }

func (i *inspectCmd) run(c *call) (works bool, err error) {
	if len(i.Given) > 0 {
		return false, errors.New("a token on the command line is seen by everybody on this machine, and kept by the shell: give it on standard " +
			"input, in a --file, or at the prompt")
	}
	token, err := i.read(c)
	if err != nil {
		return false, err
	}
	if i.Realm == "" {
		if i.Realm = realmOf(token); i.Realm == "" {
			return false, errors.New("this is not a signed token of a realm; --realm has a realm look at it all the same")
		}
	}
	t, err := i.open(c)
	if err != nil {
		return false, err
	}
	if plain, err := i.plain(c.ctx, t); err != nil {
		return false, err
	} else if plain {
		return i.fromOutside(c, t, token)
	}
	body, err := json.Marshal(map[string]string{"token": token})
	if err != nil {
		return false, err
	}
	in := new(records.Inspection)
	answer, err := t.ask(c.ctx, http.MethodPost, "/inspect-token", body, "view-users", in)
	if refused, ok := errors.AsType[*remote.StatusError](err); ok && refused.Status == http.StatusBadRequest {
		return false, nothing(refused.Message)
	}
	if err != nil {
		return false, err
	}
	if i.JSON {
		return in.Works, c.printJSON(answer)
	}
	printInspection(c.out, in, t.realm)
	return in.Works, nil
}

// read gets the token, without what surrounds it.
func (i *inspectCmd) read(c *call) (string, error) {
	var text []byte
	var err error
	switch fd := int(os.Stdin.Fd()); {
	case i.File != "" && i.File != "-":
		text, err = readFile(i.File)
	case i.File == "" && term.IsTerminal(fd):
		if text, err = c.ask("Token (it is not shown): ", "--file"); err == nil && len(text) >= longestTyping {
			err = errors.New("the terminal has cut the token off: put it into a --file")
		}
	default:
		text, err = io.ReadAll(io.LimitReader(os.Stdin, longestToken+1))
	}
	if err != nil {
		return "", err
	}
	if len(text) > longestToken {
		return "", errors.New("this is too long for a token")
	}
	token := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, strings.TrimPrefix(strings.TrimSpace(string(text)), "Bearer "))
	if token == "" {
		return "", errors.New("there is no token on standard input")
	}
	return token, nil
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, longestToken+1))
}

// realmOf is the realm that a token names as its issuer; nothing is believed of
// it but where to ask.
func realmOf(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct {
		Issuer string `json:"iss"`
	}
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		return ""
	}
	_, name, ok := strings.Cut(claims.Issuer, "/realms/")
	if name, err = url.PathUnescape(name); !ok || err != nil || strings.Contains(name, "/") {
		return ""
	}
	return name
}

// printInspection prints what a token is.
func printInspection(w io.Writer, in *records.Inspection, realm string) {
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
	wrap(w, "", "", clean(in.Sentence))
	line("")
	user := orElse(in.Username, string(in.User))
	if in.Username != "" && in.User != "" {
		user += " (" + string(in.User) + ")"
	}
	expires := "never by itself"
	if in.Expires != 0 {
		expires = moment(in.Expires)
	}
	facts(w, "kind", in.Kind, "token id", in.ID, "client", in.Client, "user", user, "session", in.Session, "scope", in.Scope, "audience",
		strings.Join(in.Audience, " "),
		"issued", moment(in.Issued), "expires", expires, "signed with", in.Signature.Alg+" key "+in.Signature.Key+" ("+
			strings.ToLower(string(in.Signature.Status))+")")
	if len(in.Where) > 0 {
		line("\nWHERE IT WORKS")
		for _, p := range in.Where {
			works := "yes"
			if !p.Works {
				works = "no "
			}
			text := p.At
			if p.Text != "" {
				text += ": " + p.Text
			}
			wrap(w, "  "+works+"  ", "       ", clean(text))
		}
	}
	section := func(title string, list []string) {
		if len(list) > 0 {
			line("\n%s", title)
		}
		for _, text := range list {
			wrap(w, "  - ", "    ", clean(text))
		}
	}
	var why []string
	for _, x := range in.Why {
		why = append(why, string(x.Reason)+": "+x.Text)
	}
	section("WHY NOT", why)
	section("WHAT WOULD END IT", in.WouldEnd)
	line("")
	if in.Story != "" {
		line("Its session's story: latchkey sessions %s --realm %s", shell(in.Story), shell(realm))
	}
	line("%s.", zone())
}
