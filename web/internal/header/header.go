// Package header has what several middlewares need to know of header fields:
// lists, tokens and Vary.
//
// A list field may come as one line or as several, in any case, with empty
// elements and quoted commas; code that splits it by hand forgets one of these.
// RFC 9110 section 5.6.1.
package header

import (
	"iter"
	"net/http"
	"slices"
	"strings"
)

// Elements are the elements of a list field, over all its lines, trimmed, without
// the empty ones. A comma in a quoted string does not separate.
func Elements(h http.Header, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range h.Values(name) {
			for element := range Split(line) {
				if !yield(element) {
					return
				}
			}
		}
	}
}

// Split is Elements of one line.
func Split(line string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for line != "" {
			end := comma(line)
			element := strings.Trim(line[:end], " \t")
			if element != "" && !yield(element) {
				return
			}
			line = line[min(end+1, len(line)):]
		}
	}
}

// comma is the index of the first comma outside quotes, or len(s).
func comma(s string) int {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '\\' && quoted:
			i++
		case s[i] == ',' && !quoted:
			return i
		}
	}
	return len(s)
}

// Has says whether a list field has the token, in any case.
func Has(h http.Header, name, token string) bool {
	for element := range Elements(h, name) {
		if strings.EqualFold(element, token) {
			return true
		}
	}
	return false
}

// Add puts tokens at the end of a list field, each one only if it is not there.
// The field becomes one line.
func Add(h http.Header, name string, tokens ...string) {
	all := slices.Collect(Elements(h, name))
	before := len(all)
	for _, token := range tokens {
		if token != "" && !slices.ContainsFunc(all, func(have string) bool { return strings.EqualFold(have, token) }) {
			all = append(all, token)
		}
	}
	if len(all) > before {
		h.Set(name, strings.Join(all, ", "))
	}
}

// Vary says that the response depends on these request headers. "*" already says
// everything: RFC 9110 section 12.5.5.
func Vary(h http.Header, names ...string) {
	if !Has(h, "Vary", "*") {
		Add(h, "Vary", names...)
	}
}
