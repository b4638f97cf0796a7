package cli

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"latchkey/internal/doctor/remote"
	"latchkey/internal/iam"
	"latchkey/internal/web"
)

// An account is whom to log in as at a server: a user, or a client with a
// service account.
type account struct {
	user     string
	password secret
	client   string
	secret   secret
	realm    string // where it is at home
}

// credentials asks for what is missing of an account. flag is what its options
// begin with, and environ what its variables do.
func (c *call) credentials(a account, flag, environ string) (remote.Credentials, error) {
	creds := remote.Credentials{Realm: a.realm, User: a.user, Password: a.password.Secret, ClientID: a.client, ClientSecret: a.secret.Secret}
	var err error
	if creds.User == "" && creds.ClientID == "" {
		if flag == "" || !term.IsTerminal(int(os.Stdin.Fd())) {
			return creds, fmt.Errorf("whom to log in as? give --%suser, or --%sclient-id of a client with a service account", flag, flag)
		}
		if creds.User, err = c.askName("Administrator: "); err != nil {
			return creds, err
		}
	}
	switch {
	case creds.User != "" && len(creds.Password) == 0:
		creds.Password, err = c.ask("Password of "+creds.User+": ", environ+"PASSWORD")
	case creds.User == "" && len(creds.ClientSecret) == 0:
		creds.ClientSecret, err = c.ask("Secret of "+creds.ClientID+": ", environ+"CLIENT_SECRET")
	}
	return creds, err
}

// remoteServer is a server at an address, without credentials yet.
func remoteServer(address string) (*remote.Server, error) {
	if !strings.HasPrefix(address, "http://") && !strings.HasPrefix(address, "https://") {
		return nil, errors.New("--server must begin with http:// or https://")
	}
	return &remote.Server{Base: strings.TrimRight(address, "/"), Now: time.Now, HTTP: web.NewClient(web.AnotherServer)}, nil
}

// ask reads a secret from the terminal without showing it.
func (c *call) ask(prompt, instead string) (iam.Secret, error) {
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) {
		return nil, fmt.Errorf("there is no terminal to ask at; set %s, or %s_FILE to a file that holds it", instead, instead)
	}
	_, _ = fmt.Fprint(c.err, prompt)
	text, err := term.ReadPassword(fd)
	_, _ = fmt.Fprintln(c.err)
	return text, err
}

// askName reads a line from the terminal.
func (c *call) askName(prompt string) (string, error) {
	_, _ = fmt.Fprint(c.err, prompt)
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	return strings.TrimSpace(line), err
}
