package server

import (
	"bytes"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"latchkey/internal/console"
	"latchkey/internal/iam"
	"latchkey/internal/pages"
	"latchkey/internal/realms"
	"latchkey/internal/telemetry"
	"latchkey/internal/web"
)

// resourcesPath is where pages find their style sheets and scripts.
const resourcesPath = "/resources"

// frontRoutes are those that belong to no door: the root's page and what pages
// refer to.
func (s *Server) frontRoutes(mux *http.ServeMux, set *pages.Set, consoles *console.Handler) {
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		var b bytes.Buffer
		if err := set.Render(&b, pages.Request{}, pages.Welcome{}); err != nil {
			s.log.Error("the welcome page failed", telemetry.KeyError, err)
			web.WriteInternal(w, r)
			return
		}
		web.SecurityHeaders(w.Header(), nil, "text/html")
		w.Header().Set("Content-Type", "text/html;charset=utf-8")
		w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
		_, _ = w.Write(b.Bytes())
	})
	mux.HandleFunc("GET "+resourcesPath+"/{file...}", func(w http.ResponseWriter, r *http.Request) {
		f, ok := set.Resource("/" + r.PathValue("file"))
		if !ok && consoles.Asset(w, r, r.PathValue("file")) {
			return
		}
		if !ok {
			web.SecurityHeaders(w.Header(), nil, "application/json")
			web.WriteStatus(w, http.StatusNotFound)
			return
		}
		web.SecurityHeaders(w.Header(), nil, "text/css")
		w.Header().Set("Content-Type", f.ContentType)
		w.Header().Set("Content-Length", strconv.Itoa(len(f.Body)))
		w.Header().Set("Cache-Control", "max-age=2592000, public, immutable")
		_, _ = w.Write(f.Body)
	})
}

// unmatched answers what no route is for: with a page to whoever asks for one.
// Keycloak: KeycloakErrorHandler. Oracle: login/bad-requests. Below /realms and /admin the
// reference has resources that answer in JSON, and unknown realms go first;
// elsewhere it knows nothing at all.
func (s *Server) unmatched(w http.ResponseWriter, r *http.Request, status int) {
	if allow := w.Header().Get("Allow"); status == http.StatusMethodNotAllowed && r.Method == http.MethodOptions && allow != "" {
		web.SecurityHeaders(w.Header(), nil, "")
		if !strings.Contains(allow, http.MethodHead) {
			allow = "HEAD, " + allow // as JAX-RS says of every resource
		}
		w.Header().Set("Allow", allow+", OPTIONS")
		w.WriteHeader(http.StatusOK)
		return
	}
	if web.AcceptsHTML(r) && s.errorPage(w, status) {
		return
	}
	if name, rest, below := cutRealm(r.URL.Path); below {
		web.SecurityHeaders(w.Header(), nil, "application/json")
		if _, err := s.realms.Get(r.Context(), name); realms.Missing(err) {
			web.WriteProblem(w, http.StatusNotFound, "Realm does not exist", "")
			return
		}
		if protocol, ok := strings.CutPrefix(rest, "protocol/"); ok && status == http.StatusNotFound {
			if protocol, _, _ = strings.Cut(protocol, "/"); protocol != "" && protocol != string(iam.OIDC) {
				web.WriteProblem(w, status, "Protocol not found", "") // Keycloak: RealmsResource.getProtocol
				return
			}
		}
		web.WriteStatus(w, status)
		return
	}
	if status == http.StatusNotFound && !strings.HasPrefix(r.URL.Path, "/admin/") {
		web.WriteProblem(w, status, "Unable to find matching target resource method", "")
		return
	}
	web.SecurityHeaders(w.Header(), nil, "application/json")
	web.WriteStatus(w, status)
}

// errorPage answers with a page that says as much as the status; false if it
// cannot be drawn.
func (s *Server) errorPage(w http.ResponseWriter, status int) bool {
	key := "internalServerError"
	if status == http.StatusNotFound {
		key = "pageNotFound"
	}
	var b bytes.Buffer
	q := pages.Request{Message: &pages.Message{Type: pages.Problem, Key: key}}
	if err := s.pages.Render(&b, q, pages.Error{SkipLink: true}); err != nil {
		s.log.Error("the error page failed", telemetry.KeyError, err)
		return false
	}
	web.SecurityHeaders(w.Header(), nil, "text/html")
	w.Header().Set("Content-Type", "text/html;charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
	return true
}

// cutRealm finds the realm's name in a path below /realms/.
func cutRealm(at string) (name, rest string, ok bool) {
	at, ok = strings.CutPrefix(at, "/realms/")
	if !ok || at == "" {
		return "", "", false
	}
	name, rest, _ = strings.Cut(at, "/")
	return name, rest, true
}

// internalError answers what is the server's fault, and logs it.
func (s *Server) internalError(w http.ResponseWriter, r *http.Request, err error) {
	if !web.Left(r) {
		s.log.ErrorContext(r.Context(), "request failed", "path", r.Pattern, telemetry.KeyError, err)
	}
	if realms.Unavailable(err) {
		web.WriteStatus(w, http.StatusServiceUnavailable)
		return
	}
	web.WriteInternal(w, r)
}

// normalized refuses paths with empty segments and with steps upwards, which
// the mux would answer with a redirect. Keycloak 26.7 answers
// "missingNormalization", also to escaped steps.
func normalized(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimSuffix(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
		for s := range strings.SplitSeq(path, "/") {
			plain, err := url.PathUnescape(s)
			if s == "" && path != "" || err == nil && (plain == "." || plain == "..") {
				web.WriteProblem(w, http.StatusBadRequest, "missingNormalization", "Request path not normalized")
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// keepSegments lets an escaped slash in a path stay part of its segment where
// the mux would take "..%2F" for a step upwards and answer with a redirect.
func keepSegments(next http.Handler) http.Handler {
	keep := strings.NewReplacer("%2F", "%252F", "%2f", "%252f")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if raw := r.URL.RawPath; raw != "" && strings.TrimSuffix(path.Clean(r.URL.Path), "/") != strings.TrimSuffix(r.URL.Path, "/") {
			u := *r.URL
			u.RawPath = keep.Replace(raw)
			if plain, err := url.PathUnescape(u.RawPath); err == nil {
				u.Path = plain
				other := *r
				other.URL = &u
				r = &other
			}
		}
		next.ServeHTTP(w, r)
	})
}
