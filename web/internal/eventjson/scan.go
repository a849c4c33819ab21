// Package eventjson reads and writes the JSON of HTTP events, without reflection.
//
// An event is decoded once per request, and encoding/json would go over it twice:
// once to see that it is JSON, once to fill a struct whose every field it finds by
// name. A [Scanner] goes over it once, and strings without escapes are pieces of
// the payload. It accepts exactly what encoding/json accepts.
package eventjson

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDepth is how deep values may nest, as in encoding/json.
const MaxDepth = 10000

// A Scanner reads one JSON value from a string. Its first error stays; after it,
// every method returns a zero value and every loop ends.
type Scanner struct {
	s     string
	i     int
	depth int
	err   error
	// clone says that strings must not keep the payload alive.
	clone bool
}

// clones is the size of a payload, in bytes, from which strings are copied out: a
// handler that keeps a header value should not keep megabytes with it.
const clones = 32 << 10

// NewScanner returns a scanner over the whole of s.
func NewScanner(s string) *Scanner { return &Scanner{s: s, clone: len(s) >= clones} }

// Err returns the first error.
func (s *Scanner) Err() error { return s.err }

// End returns the first error, or one for what follows the value.
func (s *Scanner) End() error {
	if s.space(); s.err == nil && s.i < len(s.s) {
		s.fail("something follows the value")
	}
	return s.err
}

// Fail makes a wrong value an error, with what was expected.
func (s *Scanner) Fail(want string) { s.fail(want) }

func (s *Scanner) fail(want string) {
	if s.err == nil {
		at := "the end"
		if s.i < len(s.s) {
			r, _ := utf8.DecodeRuneInString(s.s[s.i:])
			at = strconv.QuoteRune(r)
		}
		s.err = fmt.Errorf("%w at offset %d, found %s: %s", ErrSyntax, s.i, at, want)
	}
	s.i = len(s.s)
}

// ErrSyntax is in the chain of every error of a [Scanner].
var ErrSyntax = errors.New("malformed event JSON")

func (s *Scanner) space() {
	for s.i < len(s.s) {
		switch s.s[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

// peek is the first byte of the next value, or 0.
func (s *Scanner) peek() byte {
	s.space()
	if s.i < len(s.s) {
		return s.s[s.i]
	}
	return 0
}

// take consumes c if it comes next.
func (s *Scanner) take(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.i++
	return true
}

// Kind is the kind of the next value: one of { [ " t f n 0, or 0 for none.
func (s *Scanner) Kind() byte {
	c := s.peek()
	if c == '-' || '0' <= c && c <= '9' {
		return '0'
	}
	return c
}

// Null consumes a null.
func (s *Scanner) Null() bool {
	if s.peek() != 'n' {
		return false
	}
	s.literal("null")
	return true
}

func (s *Scanner) literal(word string) {
	if !strings.HasPrefix(s.s[s.i:], word) {
		s.fail("want " + word)
		return
	}
	s.i += len(word)
}

// Members ranges over the names of an object; the body of the loop must consume
// each value. null has no members.
func (s *Scanner) Members(yield func(name string) bool) {
	if s.Null() || !s.open('{') {
		return
	}
	defer func() { s.depth-- }()
	if s.take('}') {
		return
	}
	for s.err == nil {
		if s.peek() != '"' {
			s.fail("want the name of a member")
			return
		}
		name := s.quoted()
		if !s.take(':') {
			s.fail("want a colon")
			return
		}
		if !yield(name) {
			return
		}
		if s.take('}') {
			return
		}
		if !s.take(',') {
			s.fail("want a comma or the object's end")
			return
		}
	}
}

// Elements ranges over an array; the body of the loop must consume each value.
// null has no elements.
func (s *Scanner) Elements(yield func(index int) bool) {
	if s.Null() || !s.open('[') {
		return
	}
	defer func() { s.depth-- }()
	if s.take(']') {
		return
	}
	for i := 0; s.err == nil; i++ {
		if !yield(i) || s.take(']') {
			return
		}
		if !s.take(',') {
			s.fail("want a comma or the array's end")
			return
		}
	}
}

func (s *Scanner) open(c byte) bool {
	if s.err != nil {
		return false
	}
	if !s.take(c) {
		s.fail("want " + string(c))
		return false
	}
	if s.depth++; s.depth > MaxDepth {
		s.fail("nested too deeply")
		return false
	}
	return true
}

// Text consumes a string; null is "".
func (s *Scanner) Text() string {
	text := s.SharedText()
	if s.clone {
		return strings.Clone(text)
	}
	return text
}

// Scalar consumes a string, or a number or a truth, of which it returns the text;
// null is "".
func (s *Scanner) Scalar() string {
	switch s.Kind() {
	case '0', 't', 'f':
		return strings.Clone(s.Raw())
	}
	return s.Text()
}

// SharedText is Text, as a piece of the payload where that is possible.
func (s *Scanner) SharedText() string {
	if s.err != nil || s.Null() {
		return ""
	}
	if s.peek() != '"' {
		s.fail("want a string")
		return ""
	}
	return s.quoted()
}

// quoted consumes a string, of which the quote comes next.
func (s *Scanner) quoted() string {
	s.i++
	start := s.i
	for s.i < len(s.s) {
		switch c := s.s[s.i]; {
		case c == '"':
			text := s.s[start:s.i]
			s.i++
			return text
		case c == '\\' || c >= utf8.RuneSelf:
			return s.decoded(start)
		case c < ' ':
			s.fail("a control character in a string")
			return ""
		default:
			s.i++
		}
	}
	s.fail("want the string's end")
	return ""
}

// decoded consumes the rest of a string that has escapes or is not ASCII. It
// copies from the first byte that differs from what it stands for.
func (s *Scanner) decoded(start int) string {
	var out []byte // nil as long as nothing differs
	for s.i < len(s.s) {
		switch c := s.s[s.i]; {
		case c == '"':
			text := s.s[start:s.i]
			if s.i++; out != nil {
				return string(out)
			}
			return text
		case c < ' ':
			s.fail("a control character in a string")
			return ""
		case c == '\\':
			if out == nil {
				out = append(make([]byte, 0, len(s.s[start:s.i])+64), s.s[start:s.i]...)
			}
			out = s.escape(out)
		case c < utf8.RuneSelf:
			if out != nil {
				out = append(out, c)
			}
			s.i++
		default:
			r, n := utf8.DecodeRuneInString(s.s[s.i:])
			if r == utf8.RuneError && n == 1 && out == nil {
				out = append(make([]byte, 0, len(s.s[start:s.i])+64), s.s[start:s.i]...)
			}
			if out != nil {
				out = utf8.AppendRune(out, r)
			}
			s.i += n
		}
	}
	s.fail("want the string's end")
	return ""
}

// escape appends what an escape sequence stands for. A lone surrogate is U+FFFD,
// as in encoding/json.
func (s *Scanner) escape(out []byte) []byte {
	if s.i+1 >= len(s.s) {
		s.fail("want an escape sequence")
		return out
	}
	switch c := s.s[s.i+1]; c {
	case '"', '\\', '/':
		out = append(out, c)
	case 'b':
		out = append(out, '\b')
	case 'f':
		out = append(out, '\f')
	case 'n':
		out = append(out, '\n')
	case 'r':
		out = append(out, '\r')
	case 't':
		out = append(out, '\t')
	case 'u':
		r, ok := s.unit(s.i)
		if !ok {
			s.fail("want four hexadecimal digits")
			return out
		}
		s.i += 6
		if utf16.IsSurrogate(r) {
			second, ok := s.unit(s.i)
			if pair := utf16.DecodeRune(r, second); ok && pair != utf8.RuneError {
				s.i += 6
				return utf8.AppendRune(out, pair)
			}
			r = utf8.RuneError
		}
		return utf8.AppendRune(out, r)
	default:
		s.fail("want an escape sequence")
		return out
	}
	s.i += 2
	return out
}

// unit is the UTF-16 unit of a \uXXXX at i.
func (s *Scanner) unit(i int) (rune, bool) {
	if i+6 > len(s.s) || s.s[i] != '\\' || s.s[i+1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range []byte(s.s[i+2 : i+6]) {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// Bool consumes true or false; null is false.
func (s *Scanner) Bool() bool {
	switch s.peek() {
	case 't':
		s.literal("true")
		return s.err == nil
	case 'f':
		s.literal("false")
	case 'n':
		s.literal("null")
	default:
		s.fail("want true or false")
	}
	return false
}

// Int consumes a whole number, or one in a string; null is 0.
func (s *Scanner) Int() int64 {
	if s.Null() {
		return 0
	}
	var text string
	if s.peek() == '"' {
		text = s.quoted()
	} else {
		text = s.Raw()
	}
	if s.err != nil {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		s.fail("want a whole number")
	}
	return n
}

// Scalars consumes an array of what [Scanner.Scalar] reads.
func (s *Scanner) Scalars() []string {
	var all []string
	for range s.Elements {
		all = append(all, s.Scalar())
	}
	return all
}

// StringMap consumes an object of what [Scanner.Scalar] reads; without members it is
// nil.
func (s *Scanner) StringMap() map[string]string {
	var m map[string]string
	for name := range s.Members {
		if m == nil {
			m = make(map[string]string)
		}
		if s.clone {
			name = strings.Clone(name)
		}
		m[name] = s.Scalar()
	}
	return m
}

// Raw consumes any value and returns its text.
func (s *Scanner) Raw() string {
	s.space()
	start := s.i
	s.skip()
	if s.err != nil {
		return ""
	}
	return s.s[start:s.i]
}

// Skip consumes any value.
func (s *Scanner) Skip() { s.Raw() }

func (s *Scanner) skip() {
	switch c := s.peek(); c {
	case '{':
		for range s.Members {
			s.skip()
		}
	case '[':
		for range s.Elements {
			s.skip()
		}
	case '"':
		s.quoted()
	case 't':
		s.literal("true")
	case 'f':
		s.literal("false")
	case 'n':
		s.literal("null")
	default:
		s.number()
	}
}

// number consumes a number: RFC 8259 section 6.
func (s *Scanner) number() {
	if s.i < len(s.s) && s.s[s.i] == '-' {
		s.i++
	}
	switch {
	case s.i < len(s.s) && s.s[s.i] == '0':
		s.i++
	case !s.digits():
		return
	}
	if s.i < len(s.s) && s.s[s.i] == '.' {
		if s.i++; !s.digits() {
			return
		}
	}
	if s.i < len(s.s) && (s.s[s.i] == 'e' || s.s[s.i] == 'E') {
		s.i++
		if s.i < len(s.s) && (s.s[s.i] == '+' || s.s[s.i] == '-') {
			s.i++
		}
		s.digits()
	}
}

func (s *Scanner) digits() bool {
	start := s.i
	for s.i < len(s.s) && '0' <= s.s[s.i] && s.s[s.i] <= '9' {
		s.i++
	}
	if s.i == start {
		s.fail("want a value")
		return false
	}
	return true
}
