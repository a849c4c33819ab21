// Package multipart parses multipart/form-data bodies, whole or part by part.
//
// r.ParseMultipartForm bounds what it keeps in memory and writes the rest to disk,
// which a function does not have to spare; it has no limit for one file, for their
// number or for the whole, and what is wrong with a body is one error for all. Here
// each limit is an answer that names it, 413 or 422, and nothing touches the disk.
//
// By default the body is parsed before the handler runs, which finds it in [Form],
// and its values in r.PostForm and r.FormValue too. With [Config.Stream] the handler
// takes one part after the other from [Reader], and no more than it reads is ever in
// memory: behind a server that streams, an upload may be larger than the machine.
// (Lambda delivers every request whole.)
//
// The parser is mime/multipart's: boundaries of RFC 2046, quoted or not; preamble and
// epilogue are ignored, lines end with CRLF. A multipart body inside a part is content like any other and
// is not opened, so that it cannot nest. API Gateway must be told that
// multipart/form-data is a binary media type, or it changes bytes that are not UTF-8
// before any function sees them.
//
// It is Middy's http-multipart-body-parser. Deviations from Middy: every boundary of
// RFC 2046 is taken, where Middy answers 415 to quoted ones; the limits of fields,
// field sizes and parts are answers, where Middy cuts without a word; a part without
// a name, and what [Fields.Object] calls a conflict, are 422, where they end Middy's
// process, as is a part that is no form-data, which Middy leaves out; and repeated
// names keep all their values in order.
package multipart

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/internal/content"
	"github.com/gomiddy/middy/web/internal/header"
	"github.com/gomiddy/middy/web/internal/layer"
)

// Config configures [New].
type Config struct {
	// Stream leaves reading to the handler: see [Reader]. Default: the body is
	// parsed before the handler runs: see [Form].
	Stream bool

	// MaxBytes is the largest body, in bytes, boundaries and headers included. More
	// is answered with 413. Default: 6 MiB, the largest event of Lambda. Negative: no
	// limit.
	MaxBytes int64

	// MaxParts is how many parts a body may have, MaxFields how many of them may be
	// values, and MaxFiles how many may be files. More is answered with 413.
	// Defaults: 1000, 1000, and as many as MaxParts. Negative: no limit.
	MaxParts, MaxFields, MaxFiles int

	// MaxFieldBytes is the largest value and MaxFileBytes the largest file, in bytes.
	// More is answered with 413. Defaults: 1 MiB, and what MaxBytes allows. Negative:
	// no limit.
	MaxFieldBytes, MaxFileBytes int64

	// MaxNameLength is the longest name of a part, in UTF-16 code units, as browsers
	// count. More is answered with 422. Default: 100. Negative: no limit.
	MaxNameLength int

	// MaxPartHeaders is how many header lines a part may have; all of them together
	// may have 80 KiB. More is answered with 422. Default: 100. Negative:
	// mime/multipart's own limit of 10,000 in a body.
	MaxPartHeaders int

	// PreservePath keeps directories in names of files. Default: what stands behind
	// the last / or \, since old browsers send whole paths, and attackers "../".
	PreservePath bool

	// DefaultCharset is how values are encoded that do not say it: "utf-8" or
	// "iso-8859-1". Default: UTF-8, RFC 7578 section 5.1.
	DefaultCharset string

	// DisableContentTypeCheck takes every multipart type. A type that is none is
	// answered with 422 then.
	DisableContentTypeCheck bool

	// DisableContentTypeError passes a body of another content type on, unchecked
	// and untouched, instead of answering 415.
	DisableContentTypeError bool

	// EveryMethod demands a body of GET, HEAD, OPTIONS, DELETE, TRACE and CONNECT
	// too, as Middy does.
	EveryMethod bool
}

const mediaType = "multipart/form-data"

// Validate reports a DefaultCharset that is not known.
func (c Config) Validate() error {
	if c.DefaultCharset != "" && charsetOf(c.DefaultCharset) == unknown {
		return fmt.Errorf("multipart: DefaultCharset is %q; utf-8 and iso-8859-1 are known", c.DefaultCharset)
	}
	return nil
}

func (c Config) withDefaults() Config {
	defaultTo(&c.MaxBytes, content.DefaultMaxBytes)
	defaultTo(&c.MaxParts, 1000)
	defaultTo(&c.MaxFields, 1000)
	defaultTo(&c.MaxFiles, -1)
	defaultTo(&c.MaxFieldBytes, 1<<20)
	defaultTo(&c.MaxFileBytes, -1)
	defaultTo(&c.MaxNameLength, 100)
	defaultTo(&c.MaxPartHeaders, 100)
	if c.DefaultCharset == "" {
		c.DefaultCharset = "utf-8"
	}
	return c
}

func defaultTo[T int | int64](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

type formKey struct{}

type readerKey struct{}

// Form returns the parsed body, or nil when this middleware parsed none.
func Form(r *http.Request) Fields {
	f, _ := r.Context().Value(formKey{}).(Fields)
	return f
}

// ErrNotStreaming is the error of [PartReader.Next] when there is nothing to read.
var ErrNotStreaming = errors.New("multipart: there is no body to read part by part: put multipart.New with Stream around the handler")

// Reader returns the body's parts, one after the other. It is never nil; when this
// middleware does not stream the body, its Next returns [ErrNotStreaming].
func Reader(r *http.Request) *PartReader {
	if p, ok := r.Context().Value(readerKey{}).(*PartReader); ok {
		return p
	}
	return &PartReader{}
}

// New returns the middleware. What it returns is safe for concurrent use. A Config
// that Validate refuses makes New panic with that error.
func New(cfg Config) func(http.Handler) http.Handler {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	cfg = cfg.withDefaults()
	return func(next http.Handler) http.Handler {
		layer.Refuses("multipart", next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !cfg.EveryMethod && content.None(r) {
				next.ServeHTTP(w, r)
				return
			}
			got := header.ContentType(r.Header)
			boundary, ok := cfg.boundary(got)
			switch {
			case !ok && cfg.DisableContentTypeCheck:
				web.WriteError(w, r, malformed("the Content-Type is no multipart type with a boundary", nil))
				return
			case !ok && cfg.DisableContentTypeError:
				next.ServeHTTP(w, r)
				return
			case !ok:
				web.WriteError(w, r, content.Unsupported(got, mediaType))
				return
			}
			parsed, err := cfg.read(w, r, boundary)
			if err != nil {
				web.WriteError(w, r, err)
				return
			}
			next.ServeHTTP(w, parsed)
		})
	}
}

// boundary is the boundary that a content type gives, or false when it is not taken.
func (c *Config) boundary(contentType string) (string, bool) {
	got, params, err := mime.ParseMediaType(contentType)
	if err != nil || got != mediaType && (!c.DisableContentTypeCheck || !strings.HasPrefix(got, "multipart/")) {
		return "", false
	}
	b := params["boundary"]
	return b, validBoundary(b)
}

// validBoundary follows RFC 2046 section 5.1.1.
func validBoundary(b string) bool {
	if b == "" || len(b) > 70 || b[len(b)-1] == ' ' {
		return false
	}
	for i := range len(b) {
		c := b[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && strings.IndexByte("'()+_,-./:=? ", c) < 0 {
			return false
		}
	}
	return true
}

// read returns r with what the handler reads from.
func (c *Config) read(w http.ResponseWriter, r *http.Request, boundary string) (*http.Request, error) {
	if err := content.Encoded(r.Header); err != nil {
		return nil, err
	}
	body, err := content.Limited(w, r, c.MaxBytes)
	if err != nil {
		return nil, err
	}
	parts := newPartReader(c, body, boundary)
	if c.Stream {
		return r.WithContext(context.WithValue(r.Context(), readerKey{}, parts)), nil
	}
	fields, err := collect(parts)
	if err != nil {
		return nil, err
	}
	r = r.WithContext(context.WithValue(r.Context(), formKey{}, fields))
	fields.publish(r)
	return r, nil
}

// collect reads all parts.
func collect(parts *PartReader) (Fields, error) {
	fields := Fields{}
	for {
		p, err := parts.Next()
		if err == io.EOF { //nolint:errorlint // a wrapped one is a body that was cut off
			return fields, nil
		}
		if err != nil {
			return nil, err
		}
		f, err := p.field()
		if err != nil {
			return nil, err
		}
		fields = append(fields, f)
	}
}

// malformed is the answer to what is not a form, in Middy's words and then ours.
func malformed(why string, err error) *web.Error {
	return &web.Error{
		Status: http.StatusUnprocessableEntity,
		Detail: "Invalid or malformed multipart/form-data was provided: " + why,
		Err:    err,
	}
}
