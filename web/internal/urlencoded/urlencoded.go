// Package urlencoded reads queries and forms as browsers and the servers of other
// languages do, where every input is one:
// https://url.spec.whatwg.org/#urlencoded-parsing
//
// url.ParseQuery takes a semicolon or a broken escape, in whatever parameter, for an
// error of the whole. Some front doors deliver the parameters already decoded, so
// that there is none; the same request must not be refused at one door and served at
// another.
package urlencoded

import (
	"iter"
	"net/url"
	"strings"
)

// Pairs are the names and values of s, in order, decoded. & separates them, + is a
// space, and an escape that is none stays as it is.
func Pairs(s string) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for pair := range strings.SplitSeq(s, "&") {
			if pair == "" {
				continue
			}
			name, value, _ := strings.Cut(pair, "=")
			if !yield(unescape(name), unescape(value)) {
				return
			}
		}
	}
}

// Values are the pairs of s by name. They are url.ParseQuery's when that has no error.
func Values(s string) url.Values {
	values := url.Values{}
	for name, value := range Pairs(s) {
		values.Add(name, value)
	}
	return values
}

func unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			b = append(b, ' ')
		case s[i] == '%' && i+2 < len(s) && hex(s[i+1]) >= 0 && hex(s[i+2]) >= 0:
			b = append(b, byte(hex(s[i+1])<<4|hex(s[i+2])))
			i += 2
		default:
			b = append(b, s[i])
		}
	}
	return string(b)
}

// hex is the value of a hexadecimal digit, or -1.
func hex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c - 'a' + 10)
	case 'A' <= c && c <= 'F':
		return int(c - 'A' + 10)
	}
	return -1
}
