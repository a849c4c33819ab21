// Package compress encodes response bodies with gzip, deflate, Brotli or Zstandard, by
// what the client accepts.
//
// Lambda answers with at most 6 MB and bills the time that the bytes take; JSON
// shrinks to a sixth. The naive writer around gzip compresses images and what is
// compressed already, holds back what a streaming handler flushes, leaves the
// Content-Length and the strong ETag of a body that is no longer there, and forgets the
// Vary without which a cache serves gzip to a client that cannot read it.
//
//	compress.New(compress.Config{
//		Encodings: []compress.Encoding{zstd.New(zstd.Config{}), brotli.New(brotli.Config{}), compress.Gzip(0)},
//	})
//
// Brotli and Zstandard are packages of their own, so that only who uses them links them;
// so is deflate, whose gzip is 1.4 to 2.8 times as fast as the standard library's, which is
// the default here (BenchmarkGzip there; more, the larger the body): use it where gzip is what
// most clients take.
// What the client accepts is found in Accept-Encoding; where package negotiate ran
// before, its result counts.
//
// A response that ends within BufferSize is compressed whole, and sent so only if that
// made it smaller. A longer one, or one that is flushed, is compressed as it comes; each
// Flush reaches the client. A response is left alone when it has a Content-Encoding, a
// Content-Range, Cache-Control: no-transform, no body, less than MinSize, or a type that
// does not shrink.
//
// An encoded body is binary. A REST API of API Gateway sends it as base64 text unless the
// API's binaryMediaTypes, such as "*/*", match the first type in the client's Accept;
// HTTP APIs, function URLs and load balancers need no setting.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/lambda-proxy-binary-media.html
//
// Nothing here decodes the bodies of requests: the packages that read one answer 415 to
// a Content-Encoding.
//
// Place it outside of what writes bodies, and outside of what makes ETags and lengths
// of them. A response that repeats a client's input beside a secret should not be
// compressed: its length tells about the secret (the BREACH attack). Such a handler sets
// Cache-Control: no-transform.
//
// Deviations from Middy's http-content-encoding, each for the client's sake: Vary is
// set on every response that could have been compressed, not only on those that were;
// media that is compressed already is left alone; a strong ETag is changed, as
// RFC 9110 section 8.8.3.3 asks; Content-Length, Accept-Ranges and digests of the plain
// body do not stay behind;
// no-transform is matched in any case and only as a whole word; a client's first choice
// that is not ours falls to its next one; "*" in Accept-Encoding means any; and bodies
// below 1 KiB are sent as they are unless MinSize says otherwise.
package compress

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gomiddy/middy/web/internal/header"
	"github.com/gomiddy/middy/web/internal/layer"
	"github.com/gomiddy/middy/web/negotiate"
)

// Config configures [New]. The zero value offers gzip and deflate.
type Config struct {
	// Encodings are what the server offers. When a client gives two of them the same
	// weight, as browsers do, the earlier one is used; where package negotiate ran, the
	// client's order counts. Default: Gzip(0), Deflate(0).
	Encodings []Encoding

	// Prefer are names of Encodings. The first of them that the client accepts, with
	// whatever weight, is used, unless the client prefers no encoding. Default: none.
	Prefer []string

	// MinSize is the length in bytes from which a body is compressed: a smaller one fits
	// in a network packet as it is. Default: 1024. Negative: 0. A response that is
	// flushed is compressed whatever its length, unless it has said a smaller one in its
	// Content-Length.
	MinSize int

	// BufferSize is how many bytes of a response are held back to see whether they
	// shrink; if they do not, the rest is sent as it is too. Default: 65536. Negative:
	// MinSize. It is never less than MinSize. Less than 1024 bytes tell nothing: a longer
	// response is then compressed whatever comes of it.
	BufferSize int

	// Compressible says whether bodies of a media type shrink, by the value of
	// Content-Type. Default: the function [Compressible].
	Compressible func(contentType string) bool

	// ETag says what becomes of a strong ETag when the body is encoded.
	// Default: [WeakETag].
	ETag ETag
}

// An ETag says what becomes of a strong ETag when the body is encoded: two different
// bodies must not have the same one, RFC 9110 section 8.8.3.
type ETag int

const (
	// WeakETag turns "a" into W/"a". If-None-Match works with it, If-Match never matches
	// it: RFC 9110 section 13.1.1.
	WeakETag ETag = iota

	// SuffixETag turns "a" into "a-gzip". In the If-Match and If-None-Match that the
	// handler sees, the suffix is gone, so that a client which read the encoded
	// representation can change it on condition.
	SuffixETag

	// KeepETag leaves ETags alone.
	KeepETag
)

const (
	defaultMinSize    = 1 << 10
	defaultBufferSize = 64 << 10
)

// Validate reports what is wrong with c: an encoding without a name, one named twice, a
// preferred one that is not there.
func (c Config) Validate() error {
	var errs []error
	var names []string
	for i, e := range c.Encodings {
		switch {
		case e.pool == nil:
			errs = append(errs, fmt.Errorf("compress: Encodings[%d] is the zero Encoding; make one with NewEncoding, Gzip, or package brotli or zstd", i))
			continue
		case e.name == "" || strings.ContainsAny(e.name, "*,; \t\r\n") || strings.EqualFold(e.name, "identity"):
			errs = append(errs, fmt.Errorf("compress: Encodings[%d] is named %q, which is not the name of a content coding", i, e.name))
		case slices.Contains(names, e.name):
			errs = append(errs, fmt.Errorf("compress: Encodings[%d] is the second one named %q", i, e.name))
		}
		names = append(names, e.name)
	}
	if len(c.Encodings) == 0 {
		names = []string{"gzip", "deflate"}
	}
	for i, name := range c.Prefer {
		if !slices.Contains(names, name) {
			errs = append(errs, fmt.Errorf("compress: Prefer[%d] is %q, which is not among the Encodings: %s", i, name, strings.Join(names, ", ")))
		}
	}
	if c.ETag < WeakETag || c.ETag > KeepETag {
		errs = append(errs, fmt.Errorf("compress: ETag is %d; use WeakETag, SuffixETag or KeepETag", c.ETag))
	}
	return errors.Join(errs...)
}

// New returns the middleware, which is safe for concurrent use. It copies cfg and
// panics with the error of [Config.Validate] if there is one.
func New(cfg Config) func(http.Handler) http.Handler {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	m := &middleware{
		encodings:    slices.Clone(cfg.Encodings),
		prefer:       slices.Clone(cfg.Prefer),
		minSize:      cfg.MinSize,
		bufferSize:   cfg.BufferSize,
		compressible: cfg.Compressible,
		etag:         cfg.ETag,
	}
	if len(m.encodings) == 0 {
		m.encodings = []Encoding{Gzip(0), Deflate(0)}
	}
	if m.compressible == nil {
		m.compressible = Compressible
	}
	if m.minSize == 0 {
		m.minSize = defaultMinSize
	}
	if m.bufferSize == 0 {
		m.bufferSize = defaultBufferSize
	}
	m.minSize = max(m.minSize, 0)
	m.bufferSize = max(m.bufferSize, m.minSize)
	return func(next http.Handler) http.Handler {
		return layer.Passes(next, func(w http.ResponseWriter, r *http.Request) {
			c := &writer{ResponseWriter: w, m: m, r: r}
			next.ServeHTTP(c, m.withoutSuffix(r))
			// Not deferred: when the handler panics, what was sent must stay cut off, and
			// what is held back is for whoever recovers to replace.
			c.finish()
		})
	}
}

type middleware struct {
	encodings           []Encoding
	prefer              []string
	minSize, bufferSize int
	compressible        func(contentType string) bool
	etag                ETag
}

// choose finds the encoding for a response to r, or nil.
func (m *middleware) choose(r *http.Request) *Encoding {
	if p, ok := negotiate.From(r.Context()); ok && p.Encoding != "" && p.Encoding != "*" {
		return m.negotiated(p)
	}
	identity := negotiate.EncodingQuality(r.Header, "identity")
	var best *Encoding
	quality := 0.0
	for i := range m.encodings {
		if q := negotiate.EncodingQuality(r.Header, m.encodings[i].name); q > quality {
			best, quality = &m.encodings[i], q
		}
	}
	if best == nil || quality < identity {
		return nil
	}
	for _, name := range m.prefer {
		if negotiate.EncodingQuality(r.Header, name) > 0 {
			return m.named(name)
		}
	}
	return best
}

// negotiated is choose by the result of package negotiate.
func (m *middleware) negotiated(p negotiate.Preferred) *Encoding {
	if strings.EqualFold(p.Encoding, "identity") {
		return nil
	}
	for _, name := range m.prefer {
		if slices.ContainsFunc(p.Encodings, func(s string) bool { return strings.EqualFold(s, name) }) {
			return m.named(name)
		}
	}
	if e := m.named(p.Encoding); e != nil {
		return e
	}
	for _, name := range p.Encodings {
		if strings.EqualFold(name, "identity") || name == "*" {
			return nil
		}
		if e := m.named(name); e != nil {
			return e
		}
	}
	return nil
}

func (m *middleware) named(name string) *Encoding {
	for i := range m.encodings {
		if strings.EqualFold(m.encodings[i].name, name) || m.encodings[i].name == "gzip" && strings.EqualFold(name, "x-gzip") {
			return &m.encodings[i]
		}
	}
	return nil
}

// withoutSuffix shows the handler the ETags that it made.
func (m *middleware) withoutSuffix(r *http.Request) *http.Request {
	if m.etag != SuffixETag || r.Header.Get("If-Match") == "" && r.Header.Get("If-None-Match") == "" {
		return r
	}
	clone := *r
	clone.Header = r.Header.Clone()
	for _, name := range []string{"If-Match", "If-None-Match"} {
		var tags []string
		for tag := range header.Elements(r.Header, name) {
			for i := range m.encodings {
				if plain, ok := strings.CutSuffix(tag, "-"+m.encodings[i].name+`"`); ok {
					tag = plain + `"`
					break
				}
			}
			tags = append(tags, tag)
		}
		if tags != nil {
			clone.Header.Set(name, strings.Join(tags, ", "))
		}
	}
	return &clone
}

// encodedETag is the ETag of the representation that e makes of the one tagged tag.
func (m *middleware) encodedETag(tag string, e *Encoding) string {
	if m.etag == KeepETag || len(tag) < 2 || tag[0] != '"' { // weak already, or none
		return tag
	}
	if m.etag == SuffixETag {
		return tag[:len(tag)-1] + "-" + e.name + `"`
	}
	return "W/" + tag
}

// notModifiedETag is the ETag of a 304: the one of the representation that the client
// has, RFC 9110 section 15.4.5.
func (m *middleware) notModifiedETag(tag string, r *http.Request) string {
	for i := range m.encodings {
		if encoded := m.encodedETag(tag, &m.encodings[i]); encoded != tag && header.Has(r.Header, "If-None-Match", encoded) {
			return encoded
		}
	}
	return tag
}

// Compressible says whether bodies of a media type shrink. It says no to images, audio,
// video, fonts, archives and documents that are archives, which are compressed already,
// and yes to all others, images of vectors and bitmaps included. An empty type does not
// shrink.
func Compressible(contentType string) bool {
	mediaType, _, _ := strings.Cut(contentType, ";")
	mediaType = strings.ToLower(strings.Trim(mediaType, " \t"))
	kind, subtype, _ := strings.Cut(mediaType, "/")
	switch kind {
	case "":
		return false
	case "image":
		return strings.HasSuffix(subtype, "+xml") || slices.Contains([]string{"bmp", "x-ms-bmp", "x-icon", "vnd.microsoft.icon"}, subtype)
	case "audio":
		return slices.Contains([]string{"wav", "x-wav", "midi"}, subtype)
	case "video":
		return false
	case "font":
		return subtype != "woff" && subtype != "woff2"
	}
	for _, suffix := range []string{"zip", "-compressed", "+gzip", "+zstd", "zstd", "bzip2", "x-xz", "rar", "java-archive", "font-woff", "font-woff2", "/pdf"} {
		if strings.HasSuffix(mediaType, suffix) {
			return false
		}
	}
	for _, prefix := range []string{"application/vnd.openxmlformats-officedocument.", "application/vnd.oasis.opendocument.", "application/grpc"} {
		if strings.HasPrefix(mediaType, prefix) {
			return false
		}
	}
	return mediaType != "application/vnd.android.package-archive"
}
