package attacks

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"latchkey/test/harness"
	"latchkey/test/visitor"
)

// anonymousDoors are the places that read a body of somebody they do not know,
// with what they answer to a body that is too large to be read: 413, or what
// they answer to anybody who does not say who they are.
var anonymousDoors = []struct {
	method, path, contentType string
	status                    int
}{
	{"POST", "/realms/master/protocol/openid-connect/token", formType, 413},
	{"POST", "/realms/master/protocol/openid-connect/token/introspect", formType, 413},
	{"POST", "/realms/master/protocol/openid-connect/revoke", formType, 413},
	{"POST", "/realms/master/protocol/openid-connect/userinfo", formType, 413},
	{"POST", "/realms/master/protocol/openid-connect/ext/par/request", formType, 413},
	{"POST", "/realms/master/protocol/openid-connect/ext/ciba/auth", formType, 413},
	{"POST", "/realms/master/protocol/openid-connect/auth/device", formType, 413},
	{"POST", "/realms/master/protocol/openid-connect/auth", formType, 413},
	{"POST", "/realms/master/protocol/openid-connect/logout", formType, 413},
	{"POST", "/realms/master/protocol/openid-connect/logout/logout-confirm", formType, 413},
	{"POST", "/realms/master/protocol/openid-connect/logout/backchannel-logout", formType, 413},
	{"POST", "/realms/master/login-actions/authenticate", formType, 413},
	{"POST", "/realms/master/login-actions/registration", formType, 413},
	{"POST", "/realms/master/login-actions/reset-credentials", formType, 413},
	{"POST", "/realms/master/login-actions/required-action", formType, 413},
	{"POST", "/realms/master/login-actions/consent", formType, 413},
	{"POST", "/realms/master/clients-registrations/default", jsonType, 413},
	{"POST", "/realms/master/clients-registrations/openid-connect", jsonType, 413},
	{"PUT", "/realms/master/clients-registrations/default/app", jsonType, 413},
	{"POST", "/realms/master/account", jsonType, 401},
	{"PUT", "/realms/master/account/credentials/x/label", jsonType, 401},
	{"POST", "/admin/realms", jsonType, 401},
	{"POST", "/admin/realms/master/users", jsonType, 401},
	{"PUT", "/admin/realms/master/users/x", jsonType, 401},
}

const (
	formType = "application/x-www-form-urlencoded"
	jsonType = "application/json"
)

// hold sends a request's head and some of its body, and leaves the connection open.
func hold(t *testing.T, addr, method, path, head, sent string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetWriteDeadline(time.Now().Add(20 * time.Second))
	// What the server refuses early it does not read: an error here is its answer.
	_, _ = io.WriteString(c, method+" "+path+" HTTP/1.1\r\nHost: "+addr+"\r\n"+head+"\r\n\r\n"+sent)
	return c
}

// statusOf reads the status of the answer on a connection.
func statusOf(t *testing.T, c net.Conn, within time.Duration) int {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(within))
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Error(err)
		return 0
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// A body that nobody vouches for is refused by its announced length, before a
// byte of it came, and by its size where none is announced.
func TestLargeBodiesOfStrangers(t *testing.T) {
	s := harness.Start(t, harness.Options{})
	for _, d := range anonymousDoors {
		for name, c := range map[string]net.Conn{
			"announced": hold(t, s.Addr, d.method, d.path, "Content-Type: "+d.contentType+"\r\nContent-Length: 9000000", ""),
			"chunked": hold(t, s.Addr, d.method, d.path, "Content-Type: "+d.contentType+"\r\nTransfer-Encoding: chunked",
				fmt.Sprintf("%x\r\n%s\r\n", 300<<10, "a="+strings.Repeat("x", 300<<10-2))),
		} {
			if got := statusOf(t, c, 5*time.Second); got != d.status {
				t.Errorf("%s %s, %s: %d, want %d", d.method, d.path, name, got, d.status)
			}
		}
	}
	admin := visitor.NewAdmin(s.URL)
	long := strings.Repeat("x", 900<<10)
	if _, err := admin.Post(t.Context(), "", map[string]any{"realm": "large", "displayName": long}); err != nil {
		t.Errorf("an administrator's large body is refused: %v", err)
	}
}

// Whoever holds many requests open takes no more memory than all of them
// together may, and keeps nobody out.
func TestHeldBodies(t *testing.T) {
	s := harness.Start(t, harness.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	before := resident(t, s)
	for _, size := range []int{9_000_000, 250_000} {
		for i := range 500 {
			if size > 1_000_000 && i == 100 {
				break
			}
			hold(t, s.Addr, "POST", "/realms/master/protocol/openid-connect/token", "Content-Type: "+formType+"\r\nContent-Length: "+
				strconv.Itoa(size),
				"a="+strings.Repeat("x", 240_000))
		}
	}
	time.Sleep(time.Second)
	if grown := resident(t, s) - before; grown > 400<<20 {
		t.Errorf("600 held requests take %d MB", grown>>20)
	}
	p := visitor.Party{Base: s.URL, Realm: "master", ClientID: "admin-cli"}
	a, err := p.Post(ctx, "token", url.Values{"grant_type": {"password"}, "username": {"admin"}, "password": {"admin"}})
	if err != nil || !a.OK() {
		t.Errorf("a login beside them: %+v, %v", a, err)
	}
}

// resident is how much memory the server's process has, in bytes.
func resident(t *testing.T, s *harness.Server) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID()))
	if err != nil {
		t.Skip("no /proc to look into")
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}
