// Package content has what every middleware that reads a request body must do:
// look at the content type, bound the size, and leave the body readable for the
// handler behind it.
package content

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/internal/header"
)

// DefaultMaxBytes is the size limit of bodies that a Config leaves at 0: 6 MiB is
// the largest event that Lambda delivers,
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const DefaultMaxBytes = 6 << 20

// Unsupported is a 415 that says in words and in an Accept header what would have
// been taken: RFC 9110 section 15.5.16.
func Unsupported(got, accept string) *web.Error {
	have := "there is none"
	if got != "" {
		have = fmt.Sprintf("it is %q", Short(got))
	}
	return &web.Error{
		Status: http.StatusUnsupportedMediaType,
		Detail: fmt.Sprintf("the Content-Type must be %s; %s", accept, have),
		Header: http.Header{"Accept": {accept}},
	}
}

// Encoded is a 415 for a body with a content coding that nothing outside has
// undone, or nil. The Accept-Encoding is RFC 9110 section 12.5.3's.
func Encoded(h http.Header) *web.Error {
	coding := header.Coding(h)
	if coding == "" {
		return nil
	}
	return &web.Error{
		Status: http.StatusUnsupportedMediaType,
		Detail: fmt.Sprintf("the Content-Encoding %q is not supported", Short(coding)),
		Header: http.Header{"Accept-Encoding": {"identity"}},
	}
}

// Charset is a 415 for a text that is not UTF-8.
func Charset(contentType string) *web.Error {
	return &web.Error{
		Status: http.StatusUnsupportedMediaType,
		Detail: fmt.Sprintf("the body must be UTF-8; the Content-Type is %q", Short(contentType)),
		Header: http.Header{"Accept": {"application/json"}},
	}
}

// Short is text from outside, cut for a message to its sender.
func Short(s string) string {
	const limit = 64
	if len(s) <= limit {
		return s
	}
	cut := limit
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// None says that r comes without a body, with a method that needs none. RFC 9110
// section 9.3 gives a body no meaning there.
func None(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodDelete, http.MethodTrace, http.MethodConnect:
		return r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody
	}
	return false
}

// TooLarge is the 413 of a body beyond limit bytes.
func TooLarge(limit int64) *web.Error {
	return &web.Error{Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("the body must not be larger than %d bytes", limit)}
}

// Limited bounds r.Body. A limit below 0 is none. The error it returns is for a
// body that announces to be too large; one that turns out to be so fails to be
// read, with an error for [Failure].
func Limited(w http.ResponseWriter, r *http.Request, limit int64) (io.Reader, error) {
	switch {
	case r.Body == nil:
		return http.NoBody, nil
	case limit < 0:
		return r.Body, nil
	case r.ContentLength > limit:
		return nil, TooLarge(limit)
	}
	return http.MaxBytesReader(w, r.Body, limit), nil
}

// Failure turns what a read of a body from [Limited] returned into an answer.
func Failure(err error) *web.Error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		e := TooLarge(tooLarge.Limit)
		e.Err = err
		return e
	}
	return &web.Error{Status: http.StatusBadRequest, Detail: "the body could not be read to its end", Err: err}
}

// Read reads the whole body, up to limit bytes; below 0 there is no limit.
func Read(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	body, err := Limited(w, r, limit)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	// What the client announces is believed only so far: memory follows the bytes.
	if n := r.ContentLength; n > 0 {
		buf.Grow(int(min(n, 512<<10)) + bytes.MinRead)
	}
	if _, err := buf.ReadFrom(body); err != nil {
		return nil, Failure(err)
	}
	return buf.Bytes(), nil
}

// Replace gives r another body.
func Replace(r *http.Request, body []byte) {
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	r.TransferEncoding = nil
}

// UTF8 returns s with U+FFFD for what is not UTF-8: one for each maximal part of a
// character, as the Encoding standard decodes and browsers and Node.js do.
// https://encoding.spec.whatwg.org/#utf-8-decoder
func UTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	for s != "" {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n <= 1 {
			n = maximalPart(s)
			b.WriteRune(utf8.RuneError)
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

// maximalPart is the length of the longest beginning of s, at least 1, that is the
// beginning of some character. s begins with no whole character.
func maximalPart(s string) int {
	size, low, high := 0, byte(0x80), byte(0xBF)
	switch c := s[0]; {
	case c >= 0xC2 && c <= 0xDF:
		size = 2
	case c >= 0xE0 && c <= 0xEF:
		size = 3
		if c == 0xE0 {
			low = 0xA0
		}
		if c == 0xED {
			high = 0x9F
		}
	case c >= 0xF0 && c <= 0xF4:
		size = 4
		if c == 0xF0 {
			low = 0x90
		}
		if c == 0xF4 {
			high = 0x8F
		}
	}
	n := 1
	for n < size && n < len(s) && low <= s[n] && s[n] <= high {
		low, high = 0x80, 0xBF
		n++
	}
	return n
}
