package visitor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// Agent is what a Browser says it is.
const Agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

// A Browser visits one server. It stops at a page, or where a redirect leads
// away from that server.
type Browser struct {
	Agent  string // what it says it is; Agent when empty
	client *http.Client
}

// A Page is what a Browser came to.
type Page struct {
	URL    *url.URL // of the page; or where it was sent to, away from the server
	Away   bool     // the browser was sent to URL, which it did not open
	Status int      // of the answer
	Header http.Header
	Body   string

	browser *Browser
	form    *form
}

// NewBrowser makes a browser without cookies.
func NewBrowser() *Browser {
	b := new(Browser)
	b.Forget()
	return b
}

// Forget clears the browser's cookies.
func (b *Browser) Forget() {
	jar, _ := cookiejar.New(nil) // cannot fail without options
	b.client = &http.Client{
		Jar: openJar{jar},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if req.URL.Host != via[0].URL.Host || len(via) > 20 {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
}

// openJar keeps Secure cookies of plain http, as browsers do for addresses of
// the machine itself.
type openJar struct{ http.CookieJar }

func (j openJar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	for _, c := range cookies {
		c.Secure = false
	}
	j.CookieJar.SetCookies(u, cookies)
}

// Cookies are those that the browser would send to an address.
func (b *Browser) Cookies(at string) []*http.Cookie {
	u, err := url.Parse(at)
	if err != nil {
		return nil
	}
	return b.client.Jar.Cookies(u)
}

// Plant sets cookies for an address, as who can write to the browser's cookies does.
func (b *Browser) Plant(at string, cookies ...*http.Cookie) error {
	u, err := url.Parse(at)
	if err == nil {
		b.client.Jar.SetCookies(u, cookies)
	}
	return err
}

// Open goes to an address.
func (b *Browser) Open(ctx context.Context, at string) (*Page, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	return b.do(req)
}

// Post has another site's page post a form to an address.
func (b *Browser) Post(ctx context.Context, at string, form url.Values) (*Page, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(req)
}

func (b *Browser) do(req *http.Request) (*Page, error) {
	agent := b.Agent
	if agent == "" {
		agent = Agent
	}
	req.Header.Set("User-Agent", agent)
	req.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	resp, err := b.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	p := &Page{URL: resp.Request.URL, Status: resp.StatusCode, Header: resp.Header, Body: string(data), browser: b}
	if to, err := resp.Location(); err == nil {
		p.URL, p.Away = to, true
		return p, nil
	}
	p.form = firstForm(p.Body)
	return p, nil
}

// Param is a parameter of the address that the browser was sent to, from its
// query or its fragment.
func (p *Page) Param(name string) string {
	if v := p.URL.Query().Get(name); v != "" {
		return v
	}
	fragment, _ := url.ParseQuery(p.URL.Fragment)
	return fragment.Get(name)
}

// Asks reports whether the page's form has a field of that name.
func (p *Page) Asks(name string) bool {
	if p.form == nil {
		return false
	}
	_, ok := p.form.fields[name]
	return ok
}

// ErrNoForm is a page that has nothing to submit.
var ErrNoForm = errors.New("the page has no form")

// Action is where the page's form goes.
func (p *Page) Action() (*url.URL, error) {
	if p.form == nil {
		return nil, ErrNoForm
	}
	return p.URL.Parse(p.form.action)
}

// Submit fills in the page's form, keeping what stands in it already, and sends it.
func (p *Page) Submit(ctx context.Context, fields map[string]string) (*Page, error) {
	if p.form == nil {
		return nil, fmt.Errorf("%s, status %d: %w", p.URL, p.Status, ErrNoForm)
	}
	values := url.Values{}
	for name, value := range p.form.fields {
		values.Set(name, value)
	}
	for name, value := range fields {
		values.Set(name, value)
	}
	to, err := p.URL.Parse(p.form.action)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), strings.NewReader(values.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return p.browser.do(req)
}

// Follow opens the page's first link whose address has a part in it.
func (p *Page) Follow(ctx context.Context, part string) (*Page, error) {
	root, err := html.Parse(strings.NewReader(p.Body))
	if err != nil {
		return nil, err
	}
	for n := range root.Descendants() {
		if to := attribute(n, "href"); n.Data == "a" && strings.Contains(to, part) {
			at, err := p.URL.Parse(to)
			if err != nil {
				return nil, err
			}
			return p.browser.Open(ctx, at.String())
		}
	}
	return nil, fmt.Errorf("%s, status %d, has no link with %q", p.URL, p.Status, part)
}

// Login fills in the login page.
func (p *Page) Login(ctx context.Context, username, password string) (*Page, error) {
	if !p.Asks("password") {
		return nil, fmt.Errorf("%s, status %d, asks for no password", p.URL, p.Status)
	}
	return p.Submit(ctx, map[string]string{"username": username, "password": password})
}

// form is a form that is posted, with the values that its fields have.
type form struct {
	action string
	fields map[string]string
}

// firstForm finds the first form that is posted; nil when there is none.
// Boxes that are not ticked and the buttons are left out.
func firstForm(page string) *form {
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		return nil
	}
	var found *form
	var walk func(n *html.Node, in *form)
	walk = func(n *html.Node, in *form) {
		switch {
		case n.Type == html.ElementNode && n.Data == "form" && found == nil && strings.EqualFold(attribute(n, "method"), "post"):
			found = &form{attribute(n, "action"), map[string]string{}}
			in = found
		case n.Type == html.ElementNode && n.Data == "input" && in != nil:
			switch kind := attribute(n, "type"); {
			case kind == "submit" || kind == "button" || attribute(n, "name") == "":
			case (kind == "checkbox" || kind == "radio") && !has(n, "checked"):
			default:
				in.fields[attribute(n, "name")] = attribute(n, "value")
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c, in)
		}
	}
	walk(root, nil)
	return found
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}
