package nodes

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// A relay is a line between a node and its database that can be cut.
type relay struct {
	to    string
	ln    net.Listener
	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

// newRelay leads to the database of a URL.
func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{to: u.Host, ln: ln}
	t.Cleanup(func() {
		ln.Close()
		r.Cut()
	})
	go func() {
		for {
			from, err := ln.Accept()
			if err != nil {
				return
			}
			r.join(from)
		}
	}()
	return r
}

// URL is the database's, by way of the relay.
func (r *relay) URL(to string) string {
	u, err := url.Parse(to)
	if err != nil {
		return ""
	}
	u.Host = r.ln.Addr().String()
	return u.String()
}

func (r *relay) join(from net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cut {
		from.Close()
		return
	}
	to, err := net.Dial("tcp", r.to)
	if err != nil {
		from.Close()
		return
	}
	r.conns = append(r.conns, from, to)
	for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
		go func() {
			io.Copy(way[1], way[0])
			way[0].Close()
			way[1].Close()
		}()
	}
}

// Cut ends all connections and refuses others.
func (r *relay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut = true
	for _, c := range r.conns {
		c.Close()
	}
	r.conns = nil
}

// Mend lets connections pass again.
func (r *relay) Mend() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut = false
}
