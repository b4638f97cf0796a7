package domains

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"latchkey/test/chromium"
)

// An internet is a handful of host names on loopback and the authority that
// vouches for them. Everybody in the test uses it: the browser by flags, the
// server by a proxy and a file of authorities, the applications by a client.
// The identity server's hosts have a listener of their own; all other hosts
// share one, each with its own certificate, so that they can come and go while
// the browser runs.
type internet struct {
	dir   string
	ca    *x509.Certificate
	key   *ecdsa.PrivateKey
	roots *x509.CertPool

	servers map[string]string // identity hosts to where they listen
	sites   string            // where the others listen

	mu    sync.Mutex
	pages map[string]site // by host
}

// A site is what one host serves.
type site struct {
	cert tls.Certificate
	http.Handler
}

func newInternet(t *testing.T) *internet {
	t.Helper()
	n := &internet{dir: t.TempDir(), roots: x509.NewCertPool(), servers: map[string]string{}, pages: map[string]site{}}
	n.key = newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Authority of the tests"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, n.key.Public(), n.key)
	if err != nil {
		t.Fatal(err)
	}
	if n.ca, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	n.roots.AddCert(n.ca)
	n.write(t, "ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))

	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.site(r.Host).ServeHTTP(w, r)
	}))
	s.TLS = &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		cert := n.site(hello.ServerName).cert
		return &cert, nil
	}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // a refused certificate is part of the tests
	s.StartTLS()
	t.Cleanup(s.Close)
	n.sites = s.Listener.Addr().String()
	return n
}

func (n *internet) site(host string) site {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s, ok := n.pages[host]; ok {
		return s
	}
	return site{Handler: http.NotFoundHandler()}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (n *internet) write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(n.dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// certify writes a certificate for hosts, and its key, in PEM.
func (n *internet) certify(t *testing.T, hosts ...string) (certFile, keyFile string) {
	t.Helper()
	key := newKey(t)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: hosts[0]}, DNSNames: hosts,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, n.ca, key.Public(), n.key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = hosts[0]+".pem", hosts[0]+".key"
	// The authority's goes along, for browsers that know its key alone.
	n.write(t, certFile, append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: n.ca.Raw})...))
	n.write(t, keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	return filepath.Join(n.dir, certFile), filepath.Join(n.dir, keyFile)
}

// serve lets a host serve pages, with a certificate for a name, which is the host's unless something is to go wrong.
func (n *internet) serve(t *testing.T, host, name string, h http.Handler) {
	t.Helper()
	cert, err := tls.LoadX509KeyPair(n.certify(t, name))
	if err != nil {
		t.Fatal(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.pages[host] = site{cert, h}
}

// dial connects to a host that ends in .test.
func (n *internet) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || port != "443" || !strings.HasSuffix(host, ".test") {
		return nil, errors.New("no such host: " + addr)
	}
	to, ok := n.servers[host]
	if !ok {
		to = n.sites
	}
	return new(net.Dialer).DialContext(ctx, network, to)
}

// client is what applications call others with: it finds the hosts and checks their certificates.
func (n *internet) client(t *testing.T) *http.Client {
	transport := &http.Transport{DialContext: n.dial, TLSClientConfig: &tls.Config{RootCAs: n.roots}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

// proxy runs an HTTP proxy that finds the hosts, for the server's calls to applications.
func (n *internet) proxy(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			http.Error(w, "only CONNECT", http.StatusMethodNotAllowed)
			return
		}
		there, err := n.dial(r.Context(), "tcp", r.Host)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer there.Close()
		here, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer here.Close()
		if _, err := io.WriteString(here, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
			return
		}
		go func() {
			io.Copy(there, here)
			there.Close()
		}()
		io.Copy(here, there)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// start runs a browser on this internet, in a profile (a new one when empty):
// it trusts the authority, knows no other host, and its policy blocks
// third-party cookies.
func (n *internet) start(t *testing.T, ctx context.Context, profile string) *chromium.Tab {
	t.Helper()
	var rules []string
	for host, addr := range n.servers {
		rules = append(rules, "MAP "+host+" "+addr)
	}
	o := chromium.Options{Profile: profile, Flags: map[string]string{
		"host-resolver-rules": strings.Join(append(rules, "MAP *.test "+n.sites, "MAP * ~NOTFOUND"), ", "),
		"no-proxy-server":     "", // whatever the environment says
		"password-store":      "basic",
	}}
	n.trust(t, &o)
	b := chromium.Start(t, ctx, o)
	n.block(t, b, true)
	return b
}

// trust makes the browser trust the authority: as a user would, in the store
// of certificates of its home directory; where there is no certutil to write
// one, by the authority's key on the command line.
func (n *internet) trust(t *testing.T, o *chromium.Options) {
	t.Helper()
	certutil, err := exec.LookPath("certutil")
	if err != nil {
		t.Log("there is no certutil: Chromium is told the authority's key instead of trusting its certificate")
		key := sha256.Sum256(n.ca.RawSubjectPublicKeyInfo)
		o.Flags["ignore-certificate-errors-spki-list"] = base64.StdEncoding.EncodeToString(key[:])
		return
	}
	home := filepath.Join(n.dir, "home")
	db := filepath.Join(home, ".pki", "nssdb")
	o.Env = append(o.Env, "HOME="+home)
	if _, err := os.Stat(db); err == nil {
		return
	}
	if err := os.MkdirAll(db, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"-N", "--empty-password"},
		{"-A", "-n", "authority", "-t", "C,,", "-i", filepath.Join(n.dir, "ca.pem")},
	} {
		if out, err := exec.Command(certutil, append(args, "-d", "sql:"+db)...).CombinedOutput(); err != nil {
			t.Fatalf("certutil: %v\n%s", err, out)
		}
	}
}

// block sets the policy BlockThirdPartyCookies, on the page that Chromium has
// for trying policies, and waits until a frame of another site feels it.
func (n *internet) block(t *testing.T, b *chromium.Tab, blocked bool) {
	t.Helper()
	const page = "chrome://policy/test"
	if err := chromedp.Do(b, chromedp.Navigate(page)); err != nil || !strings.HasPrefix(chromium.MustEval[string](b, `location.href`), page) {
		t.Skipf("this browser has no page for trying policies (Google's own builds have none; Chromium has): %v", err)
	}
	chromium.MustEval[bool](b, `(async () => {
		const {sendWithPromise} = await import('chrome://resources/js/cr.js');
		chrome.send('listenPoliciesUpdates');
		const mandatory = 1, machine = 1, platform = 5;
		await sendWithPromise('setLocalTestPolicies', JSON.stringify([{namespace: 'chrome', name: 'BlockThirdPartyCookies',
			level: mandatory, scope: machine, source: platform, value: `+strconv.FormatBool(blocked)+`}]), '');
		return true;
	})()`)
	n.serveCookies(t)
	b.Go(embedding)
	b.Until(`set().then(get).then(got => got.sent === ` + strconv.FormatBool(!blocked) + `)`)
}

// Two sites: a page of the one embeds the other, which sets a cookie and says whether it got it back.
const (
	embedding = "https://www.frames.test/"
	embedded  = "https://www.cookies.test/"
)

func (n *internet) serveCookies(t *testing.T) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/set", func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "seen", Value: "yes", Path: "/", Secure: true, SameSite: http.SameSiteNoneMode})
		fmt.Fprint(w, `<!doctype html><p id=state>set</p><script>parent.postMessage({}, '*')</script>`)
	})
	mux.HandleFunc("/get", func(w http.ResponseWriter, r *http.Request) {
		_, err := r.Cookie("seen")
		fmt.Fprintf(w, `<!doctype html><p id=state>%t</p><script>parent.postMessage({sent: %[1]t, script: document.cookie}, '*')</script>`,
			err == nil)
	})
	n.serve(t, "www.cookies.test", "www.cookies.test", mux)
	n.serve(t, "www.frames.test", "www.frames.test", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<!doctype html><p>embeds</p><script>
			const load = path => new Promise(done => {
				const frame = document.createElement('iframe');
				addEventListener('message', e => { if (e.source === frame.contentWindow) done(e.data); });
				frame.src = '`+embedded+`' + path;
				document.body.append(frame);
			});
			const set = () => load('set'), get = () => load('get');
		</script>`)
	}))
}
