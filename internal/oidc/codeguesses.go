package oidc

import (
	"sync"
	"time"

	"latchkey/internal/iam"
)

// codeGuesses bounds how many wrong user codes of devices one address may type in a minute, at one node (RFC 8628 5.1):
// a user code is short, and whoever finds one lets a stranger's device in.
type codeGuesses struct {
	mu     sync.Mutex
	minute int64
	wrong  map[codeGuesser]int
}

type codeGuesser struct {
	realm iam.RealmID
	addr  string
}

const (
	// mostWrongCodes is many for people who share an address, and nothing beside 20^8 codes.
	mostWrongCodes = 30
	// mostGuessers bounds what is remembered; beyond it all addresses are one.
	mostGuessers = 20_000
)

// who is the entry of an address in this minute. The caller holds the lock.
func (g *codeGuesses) who(x codeGuesser, now time.Time) codeGuesser {
	if minute := now.Unix() / 60; minute != g.minute || g.wrong == nil {
		g.minute, g.wrong = minute, map[codeGuesser]int{}
	}
	if _, known := g.wrong[x]; !known && len(g.wrong) >= mostGuessers {
		x.addr = ""
	}
	return x
}

// spent tells whether an address has guessed enough.
func (g *codeGuesses) spent(x codeGuesser, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.wrong[g.who(x, now)] >= mostWrongCodes
}

func (g *codeGuesses) add(x codeGuesser, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.wrong[g.who(x, now)]++
}
