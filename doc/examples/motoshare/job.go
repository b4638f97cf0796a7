package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// A job is a background job that holds an offline token and refreshes it again
// and again, as long as its server takes.
type job struct {
	cancel context.CancelFunc
	done   chan struct{}

	mu    sync.Mutex
	count int   // refreshes that were answered with tokens
	err   error // the refusal that ended the job
}

// startJob refreshes a token several times a second until the job is stopped or
// refused. A server that cannot be reached is tried again.
func (s *story) startJob(ctx context.Context, token *oauth2.Token) *job {
	ctx, cancel := context.WithCancel(ctx)
	j := &job{cancel: cancel, done: make(chan struct{})}
	refresh := token.RefreshToken
	go func() {
		defer close(j.done)
		for ctx.Err() == nil {
			next, err := s.config.TokenSource(ctx, &oauth2.Token{RefreshToken: refresh}).Token()
			var refused *oauth2.RetrieveError
			j.mu.Lock()
			switch {
			case err == nil:
				refresh = next.RefreshToken
				j.count++
			case errors.As(err, &refused) && refused.Response.StatusCode < 500:
				j.err = err
			}
			ended := j.err != nil
			j.mu.Unlock()
			if ended {
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(200 * time.Millisecond):
			}
		}
	}()
	return j
}

func (j *job) stop() {
	j.cancel()
	<-j.done
}

func (j *job) failure() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

func (j *job) refreshed() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.count
}

// refreshes waits until the job has refreshed its token some times more.
func (j *job) refreshes(ctx context.Context, times int) error {
	for goal := j.refreshed() + times; j.refreshed() < goal; {
		select {
		case <-j.done:
			return errors.New("the job has ended")
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}
