// Package jsontext decodes JSON strings into bytes.
//
// A secret that encoding/json decodes is a Go string, which cannot be cleared.
// [Text] decodes the same strings, to the same bytes, into a slice that can.
package jsontext

import (
	"errors"
	"unicode/utf16"
	"unicode/utf8"
)

// Text is a JSON string decoded into bytes, which can be cleared, where a Go
// string cannot. It replaces invalid UTF-8 and lone surrogates by U+FFFD, as
// encoding/json does.
type Text []byte

var errNotText = errors.New("jsontext: not a JSON string")

// UnmarshalJSON decodes a JSON string; null leaves t nil.
func (t *Text) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return errNotText
	}
	out, err := unquote(b[1 : len(b)-1])
	if err != nil {
		return err
	}
	*t = out
	return nil
}

// Unquote decodes a JSON string with its quotes.
func Unquote(b []byte) ([]byte, error) {
	var t Text
	if len(b) == 0 || b[0] != '"' {
		return nil, errNotText
	}
	err := t.UnmarshalJSON(b)
	return t, err
}

// unquote decodes the inside of a JSON string into one allocation: no escape is
// shorter than what it stands for, except invalid UTF-8, which grows.
func unquote(s []byte) ([]byte, error) {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c < ' ':
			return nil, errNotText
		case c == '\\':
			r, n := escape(s[i:])
			if n == 0 {
				return nil, errNotText
			}
			out, i = utf8.AppendRune(out, r), i+n
		case c < utf8.RuneSelf:
			out, i = append(out, c), i+1
		default:
			r, n := utf8.DecodeRune(s[i:])
			out, i = utf8.AppendRune(out, r), i+n
		}
	}
	return out, nil
}

// escape decodes the escape sequence that s starts with; n is 0 for a bad one.
func escape(s []byte) (r rune, n int) {
	if len(s) < 2 {
		return 0, 0
	}
	switch s[1] {
	case '"', '\\', '/':
		return rune(s[1]), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		return unicodeEscape(s)
	}
	return 0, 0
}

func unicodeEscape(s []byte) (rune, int) {
	hi, ok := hex4(s)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(hi) {
		return hi, 6
	}
	if lo, ok := hex4(s[6:]); ok {
		if r := utf16.DecodeRune(hi, lo); r != utf8.RuneError {
			return r, 12
		}
	}
	return utf8.RuneError, 6
}

// hex4 reads \uXXXX.
func hex4(s []byte) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range s[2:6] {
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
