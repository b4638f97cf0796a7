package i18n

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"
)

// ErrPattern is wrapped by errors about patterns that java.text.MessageFormat would refuse too, or that use a format not known here
// (dates).
var ErrPattern = errors.New("i18n: bad message pattern")

// maxNesting bounds choices within choices.
const maxNesting = 4

// Format fills a pattern of java.text.MessageFormat: {0} is an argument, written for the locale if it is a number; {0,number} and
// {0,choice,0#none|1#one|1<many} are formats; ' quotes up to the next ' and two of them are one. An argument that is not given stays as
// {n}.
func Format(locale language.Tag, pattern string, args ...any) (string, error) {
	return format(locale, pattern, args, 0)
}

func format(locale language.Tag, pattern string, args []any, depth int) (string, error) {
	if depth > maxNesting {
		return "", fmt.Errorf("%w: nested too deeply", ErrPattern)
	}
	var out strings.Builder
	quoted := false
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\'' && i+1 < len(pattern) && pattern[i+1] == '\'':
			out.WriteByte('\'')
			i++
		case c == '\'':
			quoted = !quoted
		case c == '{' && !quoted:
			end := closing(pattern, i)
			if end < 0 {
				return "", fmt.Errorf("%w: unmatched brace", ErrPattern)
			}
			s, err := element(locale, pattern[i+1:end], args, depth)
			if err != nil {
				return "", err
			}
			out.WriteString(s)
			i = end
		default:
			out.WriteByte(c)
		}
	}
	return out.String(), nil
}

// closing is the index of the brace that closes the one at start, or -1.
func closing(pattern string, start int) int {
	depth, quoted := 0, false
	for i := start; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\'':
			quoted = !quoted
		case quoted:
		case c == '{':
			depth++
		case c == '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// element formats what stands between braces.
func element(locale language.Tag, text string, args []any, depth int) (string, error) {
	index, rest, _ := strings.Cut(text, ",")
	kind, style, _ := strings.Cut(rest, ",")
	n, err := strconv.ParseUint(index, 10, 31)
	if err != nil {
		return "", fmt.Errorf("%w: argument {%s}", ErrPattern, text)
	}
	var choice []limit
	switch kind = strings.ToLower(strings.TrimSpace(kind)); {
	case kind == "", kind == "number" && (style == "" || strings.TrimSpace(style) == "integer"):
	case kind == "choice":
		if choice, err = parseChoice(style); err != nil {
			return "", err
		}
	default:
		return "", fmt.Errorf("%w: format {%s}", ErrPattern, text)
	}
	if n >= uint64(len(args)) {
		return "{" + strconv.FormatUint(n, 10) + "}", nil
	}
	arg := args[n]
	value, isNumber := toFloat(arg)
	switch {
	case kind != "" && !isNumber:
		return "", fmt.Errorf("%w: {%s} wants a number, not %T", ErrPattern, text, arg)
	case choice != nil:
		chosen := choice[0].text
		for _, l := range choice {
			if value >= l.from {
				chosen = l.text
			}
		}
		if strings.Contains(chosen, "{") {
			return format(locale, chosen, args, depth+1)
		}
		return chosen, nil
	case strings.TrimSpace(style) == "integer":
		return decimal(locale, math.RoundToEven(value)), nil
	case isNumber:
		return decimal(locale, arg), nil
	case arg == nil:
		return "null", nil // as Java has it
	}
	return fmt.Sprint(arg), nil
}

func decimal(locale language.Tag, v any) string {
	return message.NewPrinter(locale).Sprint(number.Decimal(v, number.MaxFractionDigits(3)))
}

func toFloat(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case int32:
		return float64(v), true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// limit is one branch of a choice: its text counts from this number on.
type limit struct {
	from float64
	text string
}

// parseChoice reads a pattern of java.text.ChoiceFormat: "0#none|1#one|1<many", limits ascending, # and ≤ inclusive, < exclusive.
func parseChoice(pattern string) ([]limit, error) {
	var out []limit
	var text strings.Builder
	number, inText, quoted := "", false, false
	flush := func() {
		if inText {
			out[len(out)-1].text = text.String()
			text.Reset()
		}
	}
	runes := []rune(pattern)
	for i := 0; i < len(runes); i++ {
		switch c := runes[i]; {
		case c == '\'' && i+1 < len(runes) && runes[i+1] == '\'':
			text.WriteRune('\'')
			i++
		case c == '\'':
			quoted = !quoted
		case !inText && (c == '#' || c == '<' || c == '≤') && !quoted:
			from, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
			if err != nil {
				switch strings.TrimSpace(number) {
				case "∞":
					from = math.Inf(1)
				case "-∞":
					from = math.Inf(-1)
				default:
					return nil, fmt.Errorf("%w: choice limit %q", ErrPattern, number)
				}
			}
			if c == '<' {
				from = math.Nextafter(from, math.Inf(1))
			}
			if math.IsNaN(from) || len(out) > 0 && from <= out[len(out)-1].from {
				return nil, fmt.Errorf("%w: choice limits do not ascend", ErrPattern)
			}
			out = append(out, limit{from: from})
			number, inText = "", true
		case c == '|' && inText && !quoted:
			flush()
			inText = false
		case inText:
			text.WriteRune(c)
		default:
			number += string(c)
		}
	}
	flush()
	if len(out) == 0 || !inText {
		return nil, fmt.Errorf("%w: choice %q", ErrPattern, pattern)
	}
	return out, nil
}
