package web

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// Request is what the middleware found out about a request: where it comes
// from and the address that its sender used, after trusted proxies.
type Request struct {
	ID     string // of this request, in logs and in the 500 answer; not guessable, not secret
	Addr   string // the client's IP address without port, as events show it; empty if unknown
	Secure bool   // the client used https
	Host   string // host[:port] as the client addressed it, without the scheme's default port
	Prefix string // path that the proxy or the relative path puts before the server's own, "" or "/auth"
}

type requestKey struct{}

// RequestOf returns what Identify found out. Without Identify (in a test of one
// handler) it is made from the bare request, trusting no proxy.
func RequestOf(r *http.Request) *Request {
	if q, ok := r.Context().Value(requestKey{}).(*Request); ok {
		return q
	}
	return (&Proxy{}).read(r, "")
}

// Left reports whether a request's sender has broken it off: what fails then is
// no fault of the server, and nobody reads the answer.
func Left(r *http.Request) bool { return errors.Is(r.Context().Err(), context.Canceled) }

// Scheme is "https" or "http", as the client used it.
func (q *Request) Scheme() string {
	if q.Secure {
		return "https"
	}
	return "http"
}

// Proxy says which reverse proxies to believe. The zero value believes none.
type Proxy struct {
	// Headers is "forwarded" (RFC 7239), "xforwarded" (X-Forwarded-*) or empty:
	// then no header is read. Keycloak's proxy-headers.
	Headers string
	// Trusted are the proxies' addresses. If empty and Headers is set, whoever
	// connects is taken for the proxy, and nobody behind it. Keycloak's
	// proxy-trusted-addresses.
	Trusted []netip.Prefix
}

func (p *Proxy) trusts(a netip.Addr) bool {
	for _, t := range p.Trusted {
		if t.Contains(a) {
			return true
		}
	}
	return false
}

// read makes the Request. relative is the path under which the server's own
// paths are mounted.
func (p *Proxy) read(r *http.Request, relative string) *Request {
	peer := peerAddr(r)
	q := &Request{ID: newID(), Addr: addrText(peer), Secure: r.TLS != nil, Host: r.Host, Prefix: relative}
	if p.Headers == "" || (len(p.Trusted) > 0 && !p.trusts(peer)) {
		q.Host = normalHost(q.Host, q.Secure)
		return q
	}
	var h hop
	switch p.Headers {
	case "forwarded":
		h = p.choose(forwardedHops(r.Header.Values("Forwarded")))
	case "xforwarded":
		h = p.choose(xForwardedHops(r.Header))
	}
	if h.addr.IsValid() {
		q.Addr = addrText(h.addr)
	}
	switch strings.ToLower(h.proto) {
	case "https":
		q.Secure = true
	case "http":
		q.Secure = false
	}
	if validHost(h.host) {
		q.Host = h.host
	}
	if port, err := strconv.ParseUint(h.port, 10, 16); err == nil {
		host, _ := splitHost(q.Host)
		q.Host = host + ":" + strconv.FormatUint(port, 10)
	}
	if strings.HasPrefix(h.prefix, "/") && !strings.HasPrefix(h.prefix, "//") && !strings.ContainsAny(h.prefix, "\"'<>?#\\ ") {
		q.Prefix = strings.TrimRight(h.prefix, "/") + relative
	}
	q.Host = normalHost(q.Host, q.Secure)
	return q
}

// hop is what one proxy said about the one that connected to it.
type hop struct {
	addr                      netip.Addr
	proto, host, port, prefix string
}

// choose walks from the nearest proxy outwards and stops at the first sender
// that is no trusted proxy: all further left can be invented by it.
func (p *Proxy) choose(hops []hop) hop {
	for i := len(hops) - 1; i >= 0; i-- {
		if i == 0 || !hops[i].addr.IsValid() || !p.trusts(hops[i].addr) {
			return hops[i]
		}
	}
	return hop{}
}

// forwardedHops reads RFC 7239's header, whose elements are in the order in
// which the proxies were passed.
func forwardedHops(values []string) []hop {
	var hops []hop
	for _, element := range splitQuoted(strings.Join(values, ","), ',') {
		var h hop
		for _, pair := range splitQuoted(element, ';') {
			k, v, _ := strings.Cut(strings.TrimSpace(pair), "=")
			v = unquote(strings.TrimSpace(v))
			switch strings.ToLower(strings.TrimSpace(k)) {
			case "for":
				h.addr = parseAddr(v)
			case "proto":
				h.proto = v
			case "host":
				h.host = v
			}
		}
		hops = append(hops, h)
	}
	return hops
}

// xForwardedHops aligns the lists from their right ends: a proxy that appends
// to one appends to all, and one that overwrites leaves a single value, which
// then holds for every hop.
func xForwardedHops(h http.Header) []hop {
	list := func(name string) []string {
		var out []string
		for v := range strings.SplitSeq(strings.Join(h.Values(name), ","), ",") {
			if v = strings.TrimSpace(v); v != "" {
				out = append(out, v)
			}
		}
		return out
	}
	addrs, protos, hosts, ports, prefixes := list("X-Forwarded-For"), list("X-Forwarded-Proto"),
		list("X-Forwarded-Host"), list("X-Forwarded-Port"), list("X-Forwarded-Prefix")
	hops := make([]hop, max(len(addrs), 1))
	at := func(values []string, i int) string {
		if len(values) == 0 {
			return ""
		}
		return values[max(0, len(values)-(len(hops)-i))]
	}
	for i := range hops {
		hops[i] = hop{proto: at(protos, i), host: at(hosts, i), port: at(ports, i), prefix: at(prefixes, i)}
		if len(addrs) > 0 {
			hops[i].addr = parseAddr(addrs[i])
		}
	}
	return hops
}

// splitQuoted splits at sep outside of quoted strings.
func splitQuoted(s string, sep byte) []string {
	var out []string
	start, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == sep && !quoted:
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return append(out, s[start:])
}

func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	return strings.ReplaceAll(s[1:len(s)-1], `\`, "")
}

// parseAddr reads an address with or without port and brackets; the zero Addr
// stands for anything else ("unknown", an obfuscated name).
func parseAddr(s string) netip.Addr {
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return a.Unmap().WithZone("")
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

func peerAddr(r *http.Request) netip.Addr {
	return parseAddr(r.RemoteAddr)
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// ParsePrefixes reads a comma separated list of addresses and CIDR ranges.
func ParsePrefixes(s string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		if p, err := netip.ParsePrefix(part); err == nil {
			out = append(out, p.Masked())
			continue
		}
		a, err := netip.ParseAddr(part)
		if err != nil {
			return nil, err
		}
		out = append(out, netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()))
	}
	return out, nil
}

// splitHost cuts the port from a host header; an IPv6 address keeps its
// brackets.
func splitHost(hostport string) (host, port string) {
	i := strings.LastIndexByte(hostport, ':')
	if i < 0 || strings.HasSuffix(hostport, "]") {
		return hostport, ""
	}
	return hostport[:i], hostport[i+1:]
}

// normalHost drops the scheme's default port, as Keycloak's HostnameV2Provider.
func normalHost(hostport string, secure bool) string {
	host, port := splitHost(hostport)
	if port == "" || (secure && port == "443") || (!secure && port == "80") {
		return host
	}
	return host + ":" + port
}

// validHost accepts what can stand between "://" and "/" of an address and
// nothing that could end it or break out of a page.
func validHost(s string) bool {
	if s == "" || len(s) > 261 {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '-', c == '_', c == ':', c == '[', c == ']':
		default:
			return false
		}
	}
	if host, port := splitHost(s); port != "" {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return false
		}
		s = host
	}
	if strings.ContainsAny(s, "[]:") {
		return strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") && net.ParseIP(s[1:len(s)-1]) != nil
	}
	return true
}

func newID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand aborts the program instead
	return hex.EncodeToString(b[:])
}

func withRequest(r *http.Request, q *Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), requestKey{}, q))
}
