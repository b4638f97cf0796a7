package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// NewSender returns a function that posts a body with headers to other servers
// and returns the status of the answer. It follows no redirect. The context
// bounds a call; connections are kept for a while. Errors do not repeat the
// address, whose path may be a secret.
func NewSender() func(ctx context.Context, to string, header map[string]string, body string) (status int, err error) {
	client := &http.Client{
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: 5 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       10 * time.Second,
	}
	return func(ctx context.Context, to string, header map[string]string, body string) (int, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(body))
		if err != nil {
			return 0, errAddress
		}
		for name, value := range header {
			req.Header.Set(name, value)
		}
		res, err := client.Do(req)
		if err != nil {
			if inner, ok := errors.AsType[*url.Error](err); ok {
				err = inner.Err
			}
			return 0, err
		}
		defer func() { _ = res.Body.Close() }()
		_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection can be used again
		return res.StatusCode, nil
	}
}

// errAddress says that an address cannot be posted to.
var errAddress = errors.New("not an address to post to")

// NewPoster returns a function that posts a body as NewSender's does, and returns
// an error for every status but 2xx.
func NewPoster() func(ctx context.Context, to, contentType, body string) error {
	send := NewSender()
	return func(ctx context.Context, to, contentType, body string) error {
		status, err := send(ctx, to, map[string]string{"Content-Type": contentType}, body)
		if err == nil && status/100 != 2 {
			err = fmt.Errorf("answered %d", status)
		}
		return err
	}
}
