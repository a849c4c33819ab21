// Package jsonbody checks JSON request bodies before the handler sees them.
//
// json.NewDecoder(r.Body).Decode(&v), which most handlers begin with, reads as much
// as the client sends, takes text behind the value, bytes that are not UTF-8, the
// same key twice, and any content type, which also lets a form on another site post
// to it. This middleware reads the body once, within bounds, and answers what is
// wrong with it: 415 for another type, 413 for too much, 422 for what is not JSON
// or forbidden. The handler then finds the checked bytes in r.Body, as they came in
// [Raw], for signatures, and decoded through [Decode] or [Value].
//
//	mux.Handle("POST /orders", jsonbody.New(jsonbody.Config{})(createOrder))
//
// Endpoints with types, [web.JSON], check their bodies themselves; this is for other
// handlers, and for middlewares that look at the body first.
//
// Requests with GET, HEAD, OPTIONS, DELETE, TRACE or CONNECT and no body pass
// untouched, so that it may stand around a whole mux.
//
// It is Middy's http-json-body-parser. Deviations from Middy: sizes, depths and numbers
// of values are bounded; bytes that are not UTF-8 are refused, where Middy puts U+FFFD; requests
// that need no body pass (see [Config.EveryMethod]); a body that is encoded
// with gzip is answered with 415 and Accept-Encoding, not with a syntax error; of
// keys that come twice the guard looks at both.
package jsonbody

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/internal/content"
	"github.com/gomiddy/middy/web/internal/header"
	"github.com/gomiddy/middy/web/internal/jsontoken"
	"github.com/gomiddy/middy/web/internal/layer"
)

// Config configures [New]. The zero value is Middy's behaviour within bounds.
type Config struct {
	// MaxBytes is the largest body, in bytes. More is answered with 413. Default:
	// 6 MiB, the largest event of Lambda. Negative: no limit.
	MaxBytes int64

	// MaxDepth is how many arrays and objects may stand in each other. More is
	// answered with SyntaxStatus. Default: 128. Negative: encoding/json's own limit
	// of 10,000.
	MaxDepth int

	// MaxValues is how many values, keys included, the body may have in all. More is
	// answered with 413. Default: 100,000. Negative: no limit. Six million bytes have
	// room for three million numbers, each of which becomes an object in memory.
	MaxValues int

	// SyntaxStatus answers a body that is not JSON, or forbidden. Default: 422, as
	// Middy does. 400 is the other usual choice.
	SyntaxStatus int

	// LenientContentType takes, beside application/json and application/…+json, any
	// type that ends in +json, which RFC 6839 allows, and text/json. Default: Middy's
	// stricter rule. A charset other than UTF-8 is answered with 415 in any case: RFC
	// 8259 section 8.1.
	LenientContentType bool

	// DisableContentTypeCheck takes every content type, and none.
	DisableContentTypeCheck bool

	// DisableContentTypeError passes a body of another content type on, unchecked
	// and untouched, instead of answering 415.
	DisableContentTypeError bool

	// EveryMethod demands a JSON body of GET, HEAD, OPTIONS, DELETE, TRACE and
	// CONNECT too, as Middy does.
	EveryMethod bool

	// AllowEmpty lets the handler run without a body. [Value] has none then.
	AllowEmpty bool

	// AllowBOM skips a byte order mark, which RFC 8259 section 8.1 forbids to send
	// and allows to ignore. Default: it is an error.
	AllowBOM bool

	// AllowInvalidUTF8 replaces bytes in strings that are not UTF-8 by U+FFFD, as
	// Middy does. Default: they are an error, since two programs may read them in
	// two ways.
	AllowInvalidUTF8 bool

	// AllowPrototypeKeys lets the keys pass that change an object's prototype in
	// JavaScript: "__proto__", and "constructor" with an object that has
	// "prototype". They are harmless in Go; what the handler sends on may reach code
	// where they are not. Default: an error, as in Middy.
	AllowPrototypeKeys bool

	// RejectDuplicateKeys refuses an object that has a key twice, also when only case
	// tells the two apart: encoding/json matches keys to fields in any case. Default:
	// the last one counts, as everywhere in JavaScript and Go.
	RejectDuplicateKeys bool

	// UseNumber makes numbers in [Value] a json.Number, which keeps every digit.
	// Default: float64, and a number beyond its range is an error.
	UseNumber bool

	// DisallowUnknownFields makes [Decode] refuse keys that the struct does not have.
	DisallowUnknownFields bool

	// Reviver is called by [Value] for every value, innermost first, with its key (an
	// array's index in decimal; "" at the top), and returns what stands in its
	// place, or false to leave it out. Keys of an object come in sorted order.
	// Default: none.
	Reviver func(key string, value any) (_ any, keep bool)
}

const (
	defaultDepth  = 128
	defaultValues = 100_000
)

// Validate reports a status that is not of the 4xx.
func (c Config) Validate() error {
	if c.SyntaxStatus != 0 && (c.SyntaxStatus < 400 || c.SyntaxStatus > 499) {
		return fmt.Errorf("jsonbody: SyntaxStatus is %d; it answers a client's mistake and must be from 400 to 499", c.SyntaxStatus)
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.MaxBytes == 0 {
		c.MaxBytes = content.DefaultMaxBytes
	}
	switch {
	case c.MaxDepth == 0:
		c.MaxDepth = defaultDepth
	case c.MaxDepth < 0 || c.MaxDepth > 10000:
		c.MaxDepth = 10000
	}
	if c.MaxValues == 0 {
		c.MaxValues = defaultValues
	}
	if c.SyntaxStatus == 0 {
		c.SyntaxStatus = http.StatusUnprocessableEntity
	}
	return c
}

// New returns the middleware. What it returns is safe for concurrent use. A Config
// that Validate refuses makes New panic with that error.
func New(cfg Config) func(http.Handler) http.Handler {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	cfg = cfg.withDefaults()
	return func(next http.Handler) http.Handler {
		layer.Refuses("jsonbody", next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !cfg.EveryMethod && content.None(r) {
				next.ServeHTTP(w, r)
				return
			}
			if err := cfg.refuses(header.ContentType(r.Header)); err != nil {
				if cfg.DisableContentTypeError {
					next.ServeHTTP(w, r)
					return
				}
				web.WriteError(w, r, err)
				return
			}
			b, err := cfg.read(w, r)
			if err != nil {
				web.WriteError(w, r, err)
				return
			}
			r = r.WithContext(context.WithValue(r.Context(), bodyKey{}, b))
			content.Replace(r, b.text)
			next.ServeHTTP(w, r)
		})
	}
}

// refuses is the answer to a content type that is not taken, or nil.
func (c *Config) refuses(contentType string) *web.Error {
	mediaType, utf8 := header.Media(contentType)
	switch {
	case c.DisableContentTypeCheck:
		return nil
	case !header.IsJSON(mediaType) && !(c.LenientContentType && mediaType == "text/json"),
		!c.LenientContentType && !strings.HasPrefix(mediaType, "application/"):
		return content.Unsupported(contentType, "application/json")
	case !utf8:
		return content.Charset(contentType)
	}
	return nil
}

// read returns the body when it may pass.
func (c *Config) read(w http.ResponseWriter, r *http.Request) (*body, error) {
	if err := content.Encoded(r.Header); err != nil {
		return nil, err
	}
	raw, err := content.Read(w, r, c.MaxBytes)
	if err != nil {
		return nil, err
	}
	b := &body{raw: raw, text: raw, cfg: c}
	if len(raw) == 0 {
		if c.AllowEmpty {
			return b, nil
		}
		return nil, c.malformed("there is no body", nil)
	}
	if bytes.HasPrefix(raw, []byte("\xef\xbb\xbf")) {
		if !c.AllowBOM {
			return nil, c.malformed("it begins with a byte order mark", nil)
		}
		b.text = raw[3:]
	}
	if c.AllowInvalidUTF8 && !utf8.Valid(b.text) {
		b.text = []byte(content.UTF8(string(b.text)))
	}
	if err := c.check(b.text); err != nil {
		return nil, err
	}
	return b, nil
}

// malformed is the answer to what is not JSON, in Middy's words and then ours.
func (c *Config) malformed(why string, err error) *web.Error {
	return &web.Error{Status: c.SyntaxStatus, Detail: "Invalid or malformed JSON was provided: " + why, Err: err}
}

// check makes the one pass over the body.
func (c *Config) check(text []byte) error {
	s := jsontoken.New(text, c.MaxDepth)
	s.Unique = c.RejectDuplicateKeys
	var open []bool      // for each open array and object: is it the value of a key "constructor"?
	constructor := false // the key before was "constructor"
	for values := 0; ; {
		tok, err := s.Next()
		if err != nil {
			return c.malformed(err.Error(), err)
		}
		if tok.Kind != jsontoken.ObjectEnd && tok.Kind != jsontoken.ArrayEnd && tok.Kind != jsontoken.EOF {
			values++
		}
		if c.MaxValues >= 0 && values > c.MaxValues {
			return &web.Error{Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("the body must not have more than %d values", c.MaxValues)}
		}
		switch tok.Kind {
		case jsontoken.EOF:
			return nil
		case jsontoken.Number:
			if c.UseNumber || !mayOverflow(text[tok.Start:tok.End]) {
				break
			}
			if _, err := strconv.ParseFloat(string(text[tok.Start:tok.End]), 64); err != nil {
				return c.malformed(fmt.Sprintf("the number at byte %d is out of range", tok.Start), err)
			}
		case jsontoken.ObjectStart:
			open = append(open, constructor)
		case jsontoken.ArrayStart:
			open = append(open, false)
		case jsontoken.ObjectEnd, jsontoken.ArrayEnd:
			open = open[:len(open)-1]
		}
		constructor = false
		if tok.Kind != jsontoken.Key || c.AllowPrototypeKeys {
			continue
		}
		key := text[tok.Start+1 : tok.End-1]
		if bytes.IndexByte(key, '\\') >= 0 {
			key = []byte(jsontoken.Unquote(text[tok.Start:tok.End]))
		}
		switch {
		case string(key) == "__proto__":
			return c.forbidden("__proto__", tok.Start)
		case string(key) == "prototype" && open[len(open)-1]:
			return c.forbidden("constructor", tok.Start)
		}
		constructor = string(key) == "constructor"
	}
}

// mayOverflow tells whether a number may be beyond a float64. It saves reading others:
// one just above 0, such as 1e-310, takes a thousand times as long as 0.1.
func mayOverflow(number []byte) bool {
	i := bytes.IndexAny(number, "eE")
	return len(number) > 300 || i >= 0 && number[i+1] != '-'
}

// ErrForbiddenKey is the reason of an answer to a key that the prototype guard
// refuses.
var ErrForbiddenKey = errors.New("jsonbody: forbidden key")

func (c *Config) forbidden(key string, offset int) *web.Error {
	return &web.Error{
		Status: c.SyntaxStatus,
		Detail: fmt.Sprintf("Forbidden key in JSON body: %q at byte %d", key, offset),
		Err:    ErrForbiddenKey,
	}
}
