package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"latchkey/internal/iam"
)

// A Purpose is why the server calls another one.
type Purpose int

// The purposes. Calls of the same purpose share connections and nothing else.
const (
	KeySet        Purpose = iota // a client's keys (jwks_uri)
	RequestObject                // a client's authorization request (request_uri)
	Notification                 // back-channel logouts and webhooks
	AdminURL                     // not-before policies and logouts at a client's admin URL
	MailToken                    // access tokens for a realm's mail server
	Metadata                     // an identity provider's metadata, whose address an administrator gives
	Provider                     // an identity provider's tokens, keys and profiles
	AnotherServer                // the doctor's questions to a server, which its caller names
)

// purposes says how long a call may take and how much of an answer is read. None
// follows a redirect: it would lead a call, and what it carries, to an address that
// nobody has checked. Keycloak: DefaultHttpClientFactory, allow-redirects.
var purposes = [...]struct {
	within time.Duration
	most   int64 // bytes of the answer's body
}{
	KeySet:        {5 * time.Second, 1 << 20},
	RequestObject: {5 * time.Second, iam.MaxObject},
	Notification:  {10 * time.Second, 64 << 10},
	AdminURL:      {10 * time.Second, 64 << 10},
	MailToken:     {10 * time.Second, 64 << 10},
	Metadata:      {10 * time.Second, 1 << 20},
	Provider:      {10 * time.Second, 1 << 20},
	AnotherServer: {time.Minute, 64 << 20},
}

// A Client calls other servers for one purpose. It is safe for concurrent use.
type Client struct {
	by [iam.ReachPublic + 1]*http.Client
}

// NewClient makes the client of a purpose. It is the one place that makes HTTP
// clients; the tests of the house look for others.
func NewClient(p Purpose) *Client {
	c := new(Client)
	for reach := range c.by { // each with connections of its own, so that none is lent to who may not open it
		c.by[reach] = &http.Client{
			Transport:     bounded{newTransport(iam.Reach(reach)), purposes[p].most},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Timeout:       purposes[p].within,
		}
	}
	return c
}

// Do sends a request as far as reach allows. The request's context bounds it, too.
func (c *Client) Do(r *http.Request, reach iam.Reach) (*http.Response, error) {
	return c.by[reach].Do(r)
}

// Get returns the body of an answer with a status of 2xx.
func (c *Client) Get(ctx context.Context, address string, reach iam.Reach) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/json, */*;q=0.5")
	answer, err := c.Do(r, reach)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		return nil, fmt.Errorf("answered %d", answer.StatusCode)
	}
	return io.ReadAll(answer.Body)
}

// Send posts a body with headers and returns the status of the answer. Errors do
// not repeat the address, whose path may be a secret.
func (c *Client) Send(ctx context.Context, reach iam.Reach, to string, header map[string]string, body string) (status int, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(body))
	if err != nil {
		return 0, errAddress
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	answer, err := c.Do(r, reach)
	if err != nil {
		if inner, ok := errors.AsType[*url.Error](err); ok {
			err = inner.Err
		}
		return 0, err
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body) // so that the connection can be used again
	return answer.StatusCode, nil
}

// Post is Send for one media type, with an error for every status but 2xx.
func (c *Client) Post(ctx context.Context, reach iam.Reach, to, contentType, body string) error {
	status, err := c.Send(ctx, reach, to, map[string]string{"Content-Type": contentType}, body)
	if err == nil && status/100 != 2 {
		err = fmt.Errorf("answered %d", status)
	}
	return err
}

var (
	errAddress  = errors.New("not an address to post to")
	errTooLarge = errors.New("the answer is too large")
	errReach    = errors.New("the address is not one that a registered client may have called")
)

// newTransport makes connections as far as reach allows: judged is the address that
// is connected to, after its name was looked up, so that no name stands for another
// address the next time.
func newTransport(reach iam.Reach) http.RoundTripper {
	via := func(control func(network, address string, _ syscall.RawConn) error) *http.Transport {
		dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second, Control: control}
		return &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 4, MaxIdleConns: 100, IdleConnTimeout: time.Minute,
			TLSHandshakeTimeout: 5 * time.Second, ForceAttemptHTTP2: true}
	}
	proxied := via(nil)
	proxied.Proxy = http.ProxyFromEnvironment
	if reach == iam.ReachAll {
		return proxied
	}
	return judged{reach, proxied, via(func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !reaches(reach, at.Addr()) {
			return errReach
		}
		return nil
	})}
}

// judged calls by the proxy where there is one, which looks names up itself and is
// where an operator forbids what they stand for, and directly elsewhere.
type judged struct {
	reach   iam.Reach
	proxied *http.Transport
	direct  *http.Transport
}

func (j judged) RoundTrip(r *http.Request) (*http.Response, error) {
	if proxy, err := http.ProxyFromEnvironment(r); err != nil || proxy == nil {
		return j.direct.RoundTrip(r)
	}
	if at, err := netip.ParseAddr(r.URL.Hostname()); err == nil && !reaches(j.reach, at) {
		return nil, errReach
	}
	return j.proxied.RoundTrip(r)
}

// secrets are where machines in clouds find their own credentials.
var secrets = []netip.Prefix{
	netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("fd00:ec2::254/128"),
	netip.MustParsePrefix("100.100.100.200/32"), netip.MustParsePrefix("168.63.129.16/32"), netip.MustParsePrefix("64:ff9b::a9fe:0/112"),
	netip.MustParsePrefix("::a9fe:0/112"), netip.MustParsePrefix("2002:a9fe::/32"), // IPv4 within IPv6: RFC 4291 2.5.5.1, RFC 3056
}

// inside are addresses of no public network, beside those that netip knows.
var inside = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("2001::/32"), netip.MustParsePrefix("fec0::/10"),
}

// reaches tells whether an address is within reach.
func reaches(reach iam.Reach, at netip.Addr) bool {
	at = at.Unmap().WithZone("")
	within := func(list []netip.Prefix) bool {
		for _, p := range list {
			if p.Contains(at) {
				return true
			}
		}
		return false
	}
	switch {
	case reach == iam.ReachAll:
		return true
	case within(secrets) || at.IsMulticast():
		return false
	case reach == iam.ReachNetwork:
		return true
	}
	return at.IsGlobalUnicast() && !at.IsPrivate() && !within(inside)
}

// bounded ends answers that are longer than most, with an error.
type bounded struct {
	http.RoundTripper
	most int64
}

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		answer.Body = &boundedBody{answer.Body, b.most}
	}
	return answer, err
}

type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, errTooLarge
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1] // one more tells whether there is more
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n - 1, errTooLarge
	}
	return n, err
}
