package cli

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// rows lays cells out in columns and returns the lines.
func rows(cells [][]string) []string {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range cells {
		for i, cell := range row {
			row[i] = clean(cell)
		}
		_, _ = fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	_ = w.Flush() // into memory
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}

// facts prints names and values, leaving out the empty ones.
func facts(w io.Writer, pairs ...string) {
	width := 0
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			width = max(width, len(pairs[i]))
		}
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			wrap(w, fmt.Sprintf("%-*s  ", width, pairs[i]), strings.Repeat(" ", width+2), clean(pairs[i+1]))
		}
	}
}

// clean takes out of what others have chosen whatever moves a terminal's cursor.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return '?'
		}
		return r
	}, text)
}

// cut shortens a text to n characters.
func cut(text string, n int) string {
	if r := []rune(text); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return text
}

// moment shows milliseconds since 1970 in the local zone.
func moment(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).Format("2006-01-02 15:04:05")
}

// minute is moment without seconds.
func minute(ms int64) string {
	if ms == 0 {
		return "-"
	}
	return time.UnixMilli(ms).Format("2006-01-02 15:04")
}

// zone says which times are meant.
func zone() string {
	return time.Now().Format("Times are local (MST, -07:00); those in sentences say theirs")
}

// parseMoment reads a time as people type it: a day, a day and time of the local
// zone, RFC 3339, milliseconds since 1970, or how long ago ("90m", "3d"). A day
// is its beginning, or its end if end is set. "" is 0.
func parseMoment(text string, now time.Time, end bool) (int64, error) {
	if text == "" {
		return 0, nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	ago, days := text, time.Duration(0)
	if before, after, ok := strings.Cut(text, "d"); ok {
		if n, err := strconv.Atoi(before); err == nil && n >= 0 {
			days, ago = time.Duration(n)*24*time.Hour, after
		}
	}
	if d, err := time.ParseDuration(ago); ago == "" || err == nil && d >= 0 {
		return now.Add(-days - d).UnixMilli(), nil
	}
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02T15:04", time.RFC3339} {
		if at, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return at.UnixMilli(), nil
		}
	}
	day, err := time.ParseInLocation("2006-01-02", text, now.Location())
	if err != nil {
		return 0, fmt.Errorf("%q is no time: give 2006-01-02, \"2006-01-02 15:04\" (local), 2006-01-02T15:04:05Z, milliseconds since 1970, or "+
			"how long ago: 90m, 3d", text)
	}
	if end {
		day = day.AddDate(0, 0, 1).Add(-time.Millisecond)
	}
	return day.UnixMilli(), nil
}
