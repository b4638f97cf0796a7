package telemetry

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"latchkey/internal/iam"
)

// Keys of log attributes, shared so that one search finds a realm's or a
// request's lines in every room.
const (
	KeyRequest  = "req"
	KeyRealm    = "realm"
	KeyClient   = "client"
	KeyUser     = "user"
	KeySession  = "session"
	KeyAddr     = "addr"
	KeyMethod   = "method"
	KeyPath     = "path"
	KeyRoute    = "route"
	KeyStatus   = "status"
	KeyDuration = "ms"
	KeyError    = "error"
	KeyEvent    = "event"
	KeyProvider = "provider"
	KeyKind     = "kind"
	KeyReason   = "reason"
	KeyBy       = "by"
	KeyRule     = "rule"
	KeyHow      = "how"
	KeyHook     = "hook"
	KeyDelivery = "delivery"
	KeyAttempt  = "attempt"
	KeyStack    = "stack"
)

// hushed are keys whose values are never printed, whatever their type: the
// second fence behind iam.Secret, for a string that slipped through as such.
var hushed = []string{"password", "secret", "client_secret", "token", "access_token", "refresh_token", "id_token", "code",
	"cookie", "authorization"}

// LogOptions chooses a logger's form.
type LogOptions struct {
	JSON  bool   // one JSON object a line; otherwise logfmt-like text
	Level string // debug, info, warn or error; Keycloak's trace, fatal, all and off are understood; empty is info
}

// NewLogger returns a logger that writes to w, or an error that names the
// unknown level.
func NewLogger(w io.Writer, o LogOptions) (*slog.Logger, error) {
	level, err := ParseLevel(o.Level)
	if err != nil {
		return nil, err
	}
	opts := &slog.HandlerOptions{Level: level, ReplaceAttr: hush}
	if o.JSON {
		return slog.New(limited(slog.NewJSONHandler(w, opts))), nil
	}
	return slog.New(limited(slog.NewTextHandler(w, opts))), nil
}

// ParseLevel reads a level in slog's or Keycloak's words. Keycloak's per
// category list ("INFO,org.x:debug") gives its root level: Latchkey has no
// categories.
func ParseLevel(s string) (slog.Level, error) {
	for part := range strings.SplitSeq(s, ",") {
		if !strings.Contains(part, ":") {
			s = part
			break
		}
		s = ""
	}
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "", "info":
		return slog.LevelInfo, nil
	case "all", "trace", "debug":
		return slog.LevelDebug, nil
	case "warn", "warning":
		return slog.LevelWarn, nil
	case "error", "fatal":
		return slog.LevelError, nil
	case "off":
		return slog.LevelError + 100, nil
	}
	return 0, fmt.Errorf("unknown log level %q (debug, info, warn, error, off)", s)
}

func hush(_ []string, a slog.Attr) slog.Attr {
	if slices.Contains(hushed, strings.ToLower(a.Key)) {
		return slog.String(a.Key, "***")
	}
	return cut(a)
}

// cut shortens what strangers could make long. slog hands values to it that
// are text, or will be.
func cut(a slog.Attr) slog.Attr {
	most := iam.MaxLogged
	if a.Key == KeyStack {
		most = iam.MaxStack
	}
	var text string
	switch v := a.Value.Any().(type) {
	case string:
		text = v
	case error:
		text = v.Error()
	default:
		if a.Value.Kind() != slog.KindAny {
			return a
		}
		text = fmt.Sprint(v)
	}
	if len(text) > most {
		return slog.String(a.Key, fmt.Sprintf("%s... (%d bytes)", iam.Cut(text, most), len(text)))
	}
	return a
}
