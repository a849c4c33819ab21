// Package pattern carries regular expressions between JSON Schema, whose syntax is
// JavaScript's, ECMA-262 with the flag u, and Go, whose syntax is RE2's.
//
// Most patterns are both. The rest would fail, or silently mean something else: \s
// has more characters in JavaScript, . has fewer, [^] is a class there and the begin
// of one here, and \A is no anchor.
package pattern

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// WhiteSpace and LineTerminator of ECMA-262 section 12.2, 12.3.
	spaces    = `\t-\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}`
	notSpaces = `\x{0}-\x{8}\x{e}-\x{1f}!-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{fefe}\x{ff00}-\x{10ffff}`
	lines     = `\n\r\x{2028}\x{2029}`
)

// Go returns an expression of ECMA-262 in Go's syntax. Lookaround, backreferences and
// counts above 1000, which RE2 does not have, are left for [regexp.Compile] to refuse.
func Go(ecma string) (string, error) {
	var b strings.Builder
	class := false
	for rest := ecma; rest != ""; {
		c := rest[0]
		switch {
		case c == '\\':
			piece, n, err := escape(rest, class)
			if err != nil {
				return "", err
			}
			b.WriteString(piece)
			rest = rest[n:]
			continue
		case class && c == '[': // [[:alpha:]] is no class in a class
			b.WriteByte('\\')
		case class && c == ']':
			class = false
		case class:
		case strings.HasPrefix(rest, "[^]"):
			b.WriteString(`[\x{0}-\x{10ffff}]`)
			rest = rest[3:]
			continue
		case strings.HasPrefix(rest, "[]"):
			b.WriteString(`[^\x{0}-\x{10ffff}]`)
			rest = rest[2:]
			continue
		case c == '[':
			class = true
			if strings.HasPrefix(rest, "[^") {
				b.WriteByte('[')
				rest, c = rest[1:], '^'
			}
		case c == '.':
			b.WriteString("[^" + lines + "]")
			rest = rest[1:]
			continue
		case strings.HasPrefix(rest, "(?") && !group(rest[2:]):
			return "", fmt.Errorf("%.8q begins no group of ECMA-262", rest)
		}
		b.WriteByte(c)
		rest = rest[1:]
	}
	return b.String(), nil
}

// group tells whether ECMA-262 has a group that begins with (? and s: Go's (?P<name>
// and (?i) are not among them.
func group(s string) bool {
	for _, begin := range []string{":", "=", "!", "<"} {
		if strings.HasPrefix(s, begin) {
			return true
		}
	}
	flags, _, ok := strings.Cut(s, ":")
	return ok && flags != "" && strings.Trim(flags, "ims-") == ""
}

// escape translates the escape that s begins with, and says how long it is.
func escape(s string, class bool) (piece string, n int, err error) {
	if len(s) < 2 {
		return "", 0, errors.New(`a \ at the end`)
	}
	bracket := func(set string) string {
		if class {
			return set
		}
		return "[" + set + "]"
	}
	switch c := s[1]; c {
	case 's':
		return bracket(spaces), 2, nil
	case 'S':
		return bracket(notSpaces), 2, nil
	case 'd', 'D', 'w', 'W', 't', 'n', 'v', 'f', 'r', '^', '$', '\\', '.', '*', '+', '?', '(', ')', '[', ']', '{', '}', '|':
		return s[:2], 2, nil
	case '/':
		return "/", 2, nil
	case '-':
		if class {
			return `\-`, 2, nil
		}
	case 'b':
		if class {
			return `\x08`, 2, nil
		}
		return `\b`, 2, nil
	case 'B':
		if !class {
			return `\B`, 2, nil
		}
	case '0':
		if len(s) == 2 || s[2] < '0' || s[2] > '9' {
			return `\x00`, 2, nil
		}
	case 'c':
		if len(s) > 2 && 'a' <= s[2]|0x20 && s[2]|0x20 <= 'z' {
			return fmt.Sprintf(`\x%02x`, s[2]&0x1f), 3, nil
		}
	case 'x':
		if len(s) >= 4 {
			if r, err := strconv.ParseUint(s[2:4], 16, 32); err == nil {
				return fmt.Sprintf(`\x{%x}`, r), 4, nil
			}
		}
	case 'u':
		return codePoint(s)
	case 'p', 'P':
		return property(s)
	case 'k', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return s[:2], 2, nil // a backreference, which regexp refuses
	}
	_, size := utf8.DecodeRuneInString(s[1:])
	return "", 0, fmt.Errorf("%q is no escape of ECMA-262", s[:1+size])
}

// codePoint reads \u{1F600}, \u0041, and two of the latter that are a surrogate pair.
func codePoint(s string) (string, int, error) {
	if braced, rest, ok := strings.Cut(s, "}"); ok && strings.HasPrefix(braced, `\u{`) {
		if r, err := strconv.ParseUint(braced[3:], 16, 32); err == nil && r <= utf8.MaxRune {
			return fmt.Sprintf(`\x{%x}`, r), len(s) - len(rest), nil
		}
	}
	unit := func(s string) (uint64, bool) {
		if len(s) < 6 || s[:2] != `\u` {
			return 0, false
		}
		r, err := strconv.ParseUint(s[2:6], 16, 32)
		return r, err == nil
	}
	high, ok := unit(s)
	if !ok {
		return "", 0, fmt.Errorf("%.6q is no escape of ECMA-262", s)
	}
	if low, ok := unit(s[6:]); ok && high>>10 == 0xd800>>10 && low>>10 == 0xdc00>>10 {
		return fmt.Sprintf(`\x{%x}`, 0x10000+(high&0x3ff)<<10+low&0x3ff), 12, nil
	}
	return fmt.Sprintf(`\x{%x}`, high), 6, nil
}

// property reads \p{L}, \p{Script=Greek} and \p{General_Category=Letter}.
func property(s string) (string, int, error) {
	braced, rest, ok := strings.Cut(s, "}")
	if !ok || len(braced) < 4 || braced[2] != '{' {
		return "", 0, fmt.Errorf("%.8q is no escape of ECMA-262", s)
	}
	name := braced[3:]
	for _, of := range []string{"Script=", "sc=", "General_Category=", "gc="} {
		name = strings.TrimPrefix(name, of)
	}
	return s[:2] + "{" + name + "}", len(s) - len(rest), nil
}

// ECMA returns an expression of Go, which compiles, in the syntax of ECMA-262, or
// false when it has something that ECMA-262 has not: flags, \Q, classes of POSIX.
func ECMA(expr string) (string, bool) {
	var b strings.Builder
	class := false
	for rest := expr; rest != ""; {
		c := rest[0]
		switch {
		case c == '\\':
			piece, n, ok := unescape(rest, class)
			if !ok {
				return "", false
			}
			b.WriteString(piece)
			rest = rest[n:]
			continue
		case class && strings.HasPrefix(rest, "[:"):
			return "", false
		case class && c == '[':
			b.WriteByte('\\') // the flag v wants it
		case class && c == ']':
			class = false
		case class:
		case strings.HasPrefix(rest, "[]"), strings.HasPrefix(rest, "[^]"): // a ] as the first one of a class
			end := strings.IndexByte(rest, ']')
			b.WriteString(rest[:end] + `\]`)
			rest, class = rest[end+1:], true
			continue
		case c == '[':
			class = true
		case c == '.':
			b.WriteString(`[^\n]`)
			rest = rest[1:]
			continue
		case c == '{' && !counts(rest), c == '}' && !counted(b.String()):
			b.WriteByte('\\')
		case strings.HasPrefix(rest, "(?P<"):
			b.WriteString("(?<")
			rest = rest[len("(?P<"):]
			continue
		case strings.HasPrefix(rest, "(?") && !strings.HasPrefix(rest, "(?:") && !strings.HasPrefix(rest, "(?<"):
			return "", false
		}
		b.WriteByte(c)
		rest = rest[1:]
	}
	return b.String(), true
}

// counts tells whether s begins with a count, such as {2,3}; another { is a character.
func counts(s string) bool {
	inner, _, ok := strings.Cut(s[1:], "}")
	low, high, _ := strings.Cut(inner, ",")
	return ok && low != "" && strings.Trim(low+high, "0123456789") == ""
}

// counted tells whether s ends within a count.
func counted(s string) bool {
	i := strings.LastIndexByte(s, '{')
	return i >= 0 && (i == 0 || s[i-1] != '\\') && counts(s[i:]+"}")
}

// unescape translates an escape of Go.
func unescape(s string, class bool) (piece string, n int, ok bool) {
	switch c := s[1]; {
	case c == 'A' || c == 'z':
		return map[byte]string{'A': "^", 'z': "$"}[c], 2, true
	case c == 's' && !class:
		return `[\t\n\f\r ]`, 2, true
	case c == 'S' && !class:
		return `[^\t\n\f\r ]`, 2, true
	case c == 's':
		return `\t\n\f\r `, 2, true
	case c == 'a':
		return `\x07`, 2, true
	case c == 'x' && s[2] == '{':
		braced, rest, _ := strings.Cut(s, "}")
		return `\u` + braced[2:] + "}", len(s) - len(rest), true
	case c == 'x':
		return s[:4], 4, true
	case (c == 'p' || c == 'P') && s[2] != '{':
		return s[:2] + "{" + s[2:3] + "}", 3, true
	case c == 'p' || c == 'P':
		braced, rest, _ := strings.Cut(s, "}")
		name := braced[3:]
		if name[0] == '^' {
			return "", 0, false
		}
		if unicode.Scripts[name] != nil {
			name = "Script=" + name
		}
		return s[:2] + "{" + name + "}", len(s) - len(rest), true
	case strings.IndexByte(`^$\.*+?()[]{}|/dDwWbBtnvfr`, c) >= 0, c == '-' && class:
		return s[:2], 2, true
	case c < utf8.RuneSelf && strings.IndexByte("!\"#%&',-:;<=>@_`~ ", c) >= 0:
		return string(rune(c)), 2, true
	}
	return "", 0, false
}
