// Package header has what several middlewares need to know of header fields:
// lists, tokens, Vary, and what a body says of itself.
//
// A list field may come as one line or as several, in any case, with empty
// elements and quoted commas; code that splits it by hand forgets one of these.
// RFC 9110 section 5.6.1.
package header

import (
	"errors"
	"iter"
	"mime"
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
func Split(line string) iter.Seq[string] { return pieces(line, ',') }

// Parameters are the pieces of a value with parameters, such as a media type: the
// value, and then each name=value as it is written, without the empty ones.
func Parameters(value string) iter.Seq[string] { return pieces(value, ';') }

func pieces(line string, separator byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		for line != "" {
			end := next(line, separator)
			element := strings.Trim(line[:end], " \t")
			if element != "" && !yield(element) {
				return
			}
			line = line[min(end+1, len(line)):]
		}
	}
}

// next is the index of the first separator outside quotes, or len(s).
func next(s string, separator byte) int {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '\\' && quoted:
			i++
		case s[i] == separator && !quoted:
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

// Replaced takes away what was computed over the bytes of a body, since other bytes are
// sent in its place: digests, which hold for one content coding too (RFC 9530 section
// 1.2, RFC 3230 section 4.3.2, RFC 1864), and the offer of ranges.
func Replaced(h http.Header) {
	for _, name := range []string{"Content-Digest", "Repr-Digest", "Digest", "Content-Md5", "Accept-Ranges"} {
		h.Del(name)
	}
}

// IsName reports whether s is a field's name: a token, RFC 9110 section 5.6.2.
func IsName(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?={}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// OneLine is a field's value. A control character becomes a space: RFC 9110 section 5.5
// has none but the tab, and what follows a line break must not become a field of its own
// at some front door.
func OneLine(value string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return ' '
		}
		return r
	}, value)
}

// ContentType is the Content-Type of a message. Lines that contradict each other
// become a list, which is no media type, so that every check refuses them: which of
// them another recipient believes is not known.
func ContentType(h http.Header) string {
	lines := h.Values("Content-Type")
	for _, line := range lines {
		if line != lines[0] {
			return strings.Join(lines, ", ")
		}
	}
	return h.Get("Content-Type")
}

// Media is the media type of a Content-Type in lower case, "" when it is none, and
// whether the text is UTF-8: it says so, or says nothing of a charset. ASCII is a part
// of UTF-8. Space around a semicolon is allowed, RFC 9110 section 5.6.6, and a
// parameter that is malformed says nothing, unless it is the charset.
func Media(contentType string) (mediaType string, utf8 bool) {
	mediaType, params, err := mime.ParseMediaType(contentType)
	if err != nil { // an empty parameter is none, RFC 9110 section 5.6.6; mime has another view
		mediaType, params, err = mime.ParseMediaType(strings.Join(slices.Collect(Parameters(contentType)), ";"))
	}
	if errors.Is(err, mime.ErrInvalidMediaParameter) {
		return mediaType, !strings.Contains(strings.ToLower(contentType), "charset")
	}
	switch strings.ToLower(params["charset"]) {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
		return mediaType, err == nil
	}
	return mediaType, false
}

// IsJSON reports whether a media type that [Media] returned is JSON: application/json
// or, RFC 6839 section 3.1, any type that ends in +json.
func IsJSON(mediaType string) bool {
	_, sub, _ := strings.Cut(mediaType, "/")
	name, suffixed := strings.CutSuffix(sub, "+json")
	return mediaType == "application/json" || suffixed && name != ""
}

// Coding is the first content coding of a message, over all lines of
// Content-Encoding, that changes the body; "" when there is none.
func Coding(h http.Header) string {
	for coding := range Elements(h, "Content-Encoding") {
		if !strings.EqualFold(coding, "identity") {
			return coding
		}
	}
	return ""
}
