package web

import (
	"net/http"
	"slices"
	"strings"
)

// CORS is the policy of one endpoint for one client, as Keycloak's DefaultCors
// applies it.
type CORS struct {
	Origins []string // allowed web origins; "*" allows every one
	Methods []string // for the preflight; empty is GET, HEAD, OPTIONS
	Expose  []string // response headers that scripts may read
	Auth    bool     // credentials are allowed, and the Authorization header
}

const corsHeaders = "Origin, Accept, X-Requested-With, Access-Control-Request-Method, Access-Control-Request-Headers, DPoP, Content-Type"

// Apply sets the headers of an answer. It returns false if the request has an
// Origin that the policy does not allow: then nothing is set, and endpoints
// that insist answer 403 "Invalid origin". Without an Origin there is nothing
// to do.
func (c CORS) Apply(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	if !slices.Contains(c.Origins, origin) && !slices.Contains(c.Origins, "*") {
		return false
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", origin)
	if len(c.Expose) > 0 {
		h.Set("Access-Control-Expose-Headers", strings.Join(c.Expose, ", "))
	}
	h.Set("Access-Control-Allow-Credentials", boolText(c.Auth))
	return true
}

// Preflight answers an OPTIONS request with 200. The origin is not checked: the
// client is not known yet, and the real request's answer decides.
func (c CORS) Preflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	if origin := r.Header.Get("Origin"); origin != "" {
		methods, headers := "GET, HEAD, OPTIONS", corsHeaders
		if len(c.Methods) > 0 {
			methods = strings.Join(c.Methods, ", ")
		}
		if c.Auth {
			headers += ", Authorization"
		}
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Methods", methods)
		h.Set("Access-Control-Allow-Credentials", boolText(c.Auth))
		h.Set("Access-Control-Allow-Headers", headers)
		h.Set("Access-Control-Max-Age", "3600")
	}
	w.WriteHeader(http.StatusOK)
}

func boolText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}
