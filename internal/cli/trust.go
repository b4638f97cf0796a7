package cli

import (
	"fmt"
	"net/http"
	"net/url"
)

type trustCmd struct {
	Trusting string `arg:"" name:"realm" help:"Realm that people log in to."`
	Trusted  string `arg:"" name:"other" help:"Realm of the same server whose users they are."`
	DryRun   bool   `name:"dry-run" help:"Show what would be made, and make nothing." only:"flag"`
	Undo     bool   `help:"Take back what an earlier call has made, and nothing else." only:"flag"`

	asking
}

// A trust is what makes one realm's users log in to another, as the server tells of it.
type trust struct {
	Client struct {
		ClientID string `json:"clientId"`
	} `json:"client"`
	Provider struct {
		Alias string `json:"alias"`
	} `json:"provider"`
}

// Run makes a client in one realm and the identity provider in the other that is it.
func (t *trustCmd) Run(c *call) error {
	if t.asking.Realm != "" && t.asking.Realm != t.Trusting {
		return &exitError{exitFailed, fmt.Errorf("realm %s is named, and --realm %s", t.Trusting, t.asking.Realm)}
	}
	t.asking.Realm = t.Trusting
	if err := t.run(c); err != nil {
		return &exitError{exitFailed, err}
	}
	return nil
}

func (t *trustCmd) run(c *call) error {
	with, err := t.open(c)
	if err != nil {
		return err
	}
	method, path, words := http.MethodPost, "/trust/"+url.PathEscape(t.Trusted), "Made"
	var made trust
	out := any(&made)
	switch {
	case t.Undo && t.DryRun:
		return fmt.Errorf("--undo takes back at once: leave out --dry-run")
	case t.Undo:
		method, out = http.MethodDelete, nil
	case t.DryRun:
		path, words = path+"?dry-run=true", "Would make"
	}
	answer, err := with.ask(c.ctx, method, path, nil, "manage-identity-providers in this realm and manage-clients in the other", out)
	switch {
	case err != nil:
		return err
	case t.JSON && !t.Undo:
		return c.printJSON(answer)
	case t.Undo:
		_, err = fmt.Fprintf(c.out, "Taken back: users of %s no longer log in to %s by what the trust had made.\n",
			clean(t.Trusted), clean(t.Trusting))
		return err
	}
	_, err = fmt.Fprintf(c.out, "%s client %s in realm %s, and identity provider %s in realm %s.\n",
		words, clean(made.Client.ClientID), clean(t.Trusted), clean(made.Provider.Alias), clean(t.Trusting))
	return err
}
