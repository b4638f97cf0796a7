// Command motoshare plays a story against a running server: what becomes of
// logins when offline_access is a default client scope, what becomes of them
// when it no longer is, and who else holds tokens. At each step it prints what
// the server's endpoints show, and it ends with 1 where one shows something else
// than the story says.
//
//	latchkey start-dev &
//	go run ./doc/examples/motoshare
//
// It makes the realm motoshare of motoshare-realm.json, anew with -fresh.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"os"
	"time"
)

//go:embed motoshare-realm.json
var realmFile []byte

func main() {
	s := newStory("http://127.0.0.1:8080", os.Stdout)
	flag.StringVar(&s.base, "url", s.base, "address of the server")
	flag.StringVar(&s.admin.Username, "user", "admin", "administrator of the master realm")
	flag.StringVar(&s.admin.Password, "password", "admin", "the administrator's password")
	flag.BoolVar(&s.fresh, "fresh", false, "remove the realm motoshare first, if there is one")
	restart := flag.Bool("restart", false, "ask for a restart of the server in between, and wait for it")
	flag.Parse()
	s.admin.Base = s.base
	if *restart {
		s.restart = s.awaitRestart
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if err := s.play(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "\nThe story went otherwise:", err)
		os.Exit(1)
	}
}

// awaitRestart waits until the server has been stopped and started again.
func (s *story) awaitRestart(ctx context.Context) error {
	s.say("Please stop the server and start it again; waiting.")
	u, err := url.Parse(s.base)
	if err != nil {
		return err
	}
	for _, up := range []bool{false, true} {
		for s.listens(u.Host) != up {
			select {
			case <-ctx.Done():
				return errors.New("the server was not restarted")
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	return nil
}

func (s *story) listens(host string) bool {
	conn, err := net.DialTimeout("tcp", host, time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}
