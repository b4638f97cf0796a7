package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"latchkey/test/harness"
)

// The story plays on both engines, with a restart of the server while the
// background job goes on. Its claims were first played against Keycloak 26.7.3.
func TestStory(t *testing.T) {
	harness.Each(t, func(t *testing.T, e harness.Engine) {
		server := harness.Start(t, harness.Options{Engine: e})
		var told strings.Builder
		s := newStory(server.URL, &told)
		s.restart = func(context.Context) error {
			server.Stop(t)
			time.Sleep(500 * time.Millisecond) // the job meets a server that is not there
			server.Restart(t)
			return nil
		}
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		if err := s.play(ctx); err != nil {
			t.Errorf("%v\n%s", err, told.String())
		}
	})
}

func TestClaimsFail(t *testing.T) {
	s := newStory("", new(strings.Builder))
	if err := claims(s.claim(true, "one"), s.claim(1 > 2, "two")); err == nil || !strings.Contains(err.Error(), "two") {
		t.Error(err)
	}
	if !sameWords("openid email", "email openid") || sameWords("openid", "openid email") {
		t.Error("sameWords compares wrongly")
	}
}
