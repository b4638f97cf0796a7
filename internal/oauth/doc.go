// Package oauth holds how endpoints of OAuth 2.0 say no to a program.
package oauth
