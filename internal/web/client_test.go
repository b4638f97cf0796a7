package web

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"latchkey/internal/iam"
)

// What every purpose has in common: no redirect is followed, no answer is longer
// than its bound, and what a registered client names is judged by the address that
// is connected to.
func TestClient(t *testing.T) {
	reached := 0
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
	defer target.Close()
	away := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/long" {
			_, _ = io.Copy(w, io.LimitReader(zeros{}, 300<<20))
			return
		}
		http.Redirect(w, r, target.URL, http.StatusFound)
	}))
	defer away.Close()
	for p := range purposes {
		c := NewClient(Purpose(p))
		for _, reach := range []iam.Reach{iam.ReachAll, iam.ReachNetwork} {
			if _, err := c.Get(t.Context(), away.URL, reach); err == nil || !strings.Contains(err.Error(), "302") {
				t.Errorf("purpose %d, reach %d: a redirect: %v", p, reach, err)
			}
			if status, err := c.Send(t.Context(), reach, away.URL, nil, "x"); status != 302 || err != nil {
				t.Errorf("purpose %d, reach %d: a redirected post: %d, %v", p, reach, status, err)
			}
		}
		if _, err := c.Get(t.Context(), away.URL+"/long", iam.ReachAll); err != errTooLarge {
			t.Errorf("purpose %d: a long answer: %v", p, err)
		}
		if _, err := c.Get(t.Context(), target.URL, iam.ReachPublic); err == nil || !strings.Contains(err.Error(), errReach.Error()) {
			t.Errorf("purpose %d: inside the network: %v", p, err)
		}
		if _, err := c.Get(t.Context(), strings.Replace(target.URL, "127.0.0.1", "localhost", 1), iam.ReachPublic); err == nil ||
			!strings.Contains(err.Error(), errReach.Error()) {
			t.Errorf("purpose %d: inside the network by name: %v", p, err)
		}
	}
	if reached != 0 {
		t.Errorf("the target was called %d times", reached)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestBoundedBody(t *testing.T) {
	for text, want := range map[string]error{"": nil, "123": nil, "1234": nil, "12345": errTooLarge} {
		got, err := io.ReadAll(&boundedBody{io.NopCloser(strings.NewReader(text)), 4})
		if err != want || want == nil && string(got) != text || len(got) > 4 {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestReaches(t *testing.T) {
	for at, want := range map[string]iam.Reach{ // the farthest that may call it
		"93.184.216.34": iam.ReachPublic, "2606:2800:220:1::1": iam.ReachPublic,
		"127.0.0.1": iam.ReachNetwork, "::1": iam.ReachNetwork, "10.1.2.3": iam.ReachNetwork, "192.168.0.1": iam.ReachNetwork,
		"172.16.9.9": iam.ReachNetwork,
		"fd12::1":    iam.ReachNetwork, "100.64.0.1": iam.ReachNetwork, "0.0.0.0": iam.ReachNetwork, "::": iam.ReachNetwork,
		"::ffff:10.0.0.1": iam.ReachNetwork,
		"64:ff9b::a00:1":  iam.ReachNetwork,
		"169.254.169.254": iam.ReachAll, "::ffff:169.254.169.254": iam.ReachAll, "fe80::1%eth0": iam.ReachAll, "fd00:ec2::254": iam.ReachAll,
		"224.0.0.1":          iam.ReachAll,
		"64:ff9b::a9fe:a9fe": iam.ReachAll, "::a9fe:a9fe": iam.ReachAll, "2002:a9fe:a9fe::1": iam.ReachAll,
		"::a00:1": iam.ReachNetwork, "2002:a00:1::1": iam.ReachNetwork, "64:ff9b:1::a00:1": iam.ReachNetwork, "fec0::1": iam.ReachNetwork,
	} {
		for reach := iam.ReachAll; reach <= iam.ReachPublic; reach++ {
			if got := reaches(reach, netip.MustParseAddr(at)); got != (reach <= want) {
				t.Errorf("%s with reach %d: %v", at, reach, got)
			}
		}
	}
}
