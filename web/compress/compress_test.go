package compress_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	andybalholm "github.com/andybalholm/brotli"
	klauspost "github.com/klauspost/compress/zstd"

	"github.com/gomiddy/middy/middytest"
	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/compress"
	"github.com/gomiddy/middy/web/compress/brotli"
	"github.com/gomiddy/middy/web/compress/zstd"
	"github.com/gomiddy/middy/web/negotiate"
)

// answer is what a client got, byte for byte.
type answer struct {
	status int
	header http.Header
	wire   []byte
	body   []byte // decoded
}

var raw = &http.Client{Transport: &http.Transport{DisableCompression: true}}

func ask(t *testing.T, method, url string, header http.Header) answer {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header.Clone()
	resp, err := raw.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	wire, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, wire, decode(t, resp.Header.Get("Content-Encoding"), wire)}
}

func decode(t *testing.T, encoding string, wire []byte) []byte {
	t.Helper()
	if len(wire) == 0 { // to HEAD
		return nil
	}
	body, err := io.ReadAll(decoder(t, encoding, bytes.NewReader(wire)))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// sends is a handler that answers with the header, given in pairs, and the body.
func sends(status int, body string, pairs ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(pairs); i += 2 {
			w.Header().Add(pairs[i], pairs[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	})
}

// copies is an Encoder that changes nothing.
type copies struct{ io.Writer }

func (c *copies) Flush() error      { return nil }
func (c *copies) Close() error      { return nil }
func (c *copies) Reset(w io.Writer) { c.Writer = w }

func accepts(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// noise does not shrink, neither alone nor a part of it.
func noise(n int) string {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(7, 7))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
}

var (
	four = []compress.Encoding{compress.Gzip(0), compress.Deflate(0), brotli.New(brotli.Config{}), zstd.New(zstd.Config{})}
	long = strings.Repeat("order,paid\n", 300)
)

func TestEachResponseIsEncodedByTheRules(t *testing.T) {
	const text = "text/plain"
	tests := []struct {
		name    string
		config  compress.Config
		method  string // "" is GET
		request http.Header
		handler http.Handler

		encoding string            // wanted; "" is none
		header   map[string]string // wanted; "" is absent
	}{
		{
			name:    "gzip for who accepts it",
			request: accepts("Accept-Encoding", "gzip"), handler: sends(200, long, "Content-Type", text),
			encoding: "gzip", header: map[string]string{"Vary": "Accept-Encoding", "Content-Type": text},
		},
		{
			name:    "deflate is the zlib container",
			request: accepts("Accept-Encoding", "deflate"), handler: sends(200, long, "Content-Type", text),
			encoding: "deflate",
		},
		{
			name:    "nothing for who says nothing, and caches learn that it depends",
			handler: sends(200, long, "Content-Type", text),
			header:  map[string]string{"Vary": "Accept-Encoding"},
		},
		{
			name:    "a refused encoding is not used",
			request: accepts("Accept-Encoding", "gzip;q=0, deflate;q=0.1"), handler: sends(200, long, "Content-Type", text),
			encoding: "deflate",
		},
		{
			name:    "identity that is preferred stays",
			request: accepts("Accept-Encoding", "identity, gzip;q=0.5"), handler: sends(200, long, "Content-Type", text),
		},
		{
			name:    "any encoding means ours",
			request: accepts("Accept-Encoding", "*"), handler: sends(200, long, "Content-Type", text),
			encoding: "gzip",
		},
		{
			name:    "any but gzip",
			request: accepts("Accept-Encoding", "gzip;q=0, *"), handler: sends(200, long, "Content-Type", text),
			encoding: "deflate",
		},
		{
			name:    "the highest weight wins",
			config:  compress.Config{Encodings: four},
			request: accepts("Accept-Encoding", "gzip;q=0.5, zstd;q=0.9, br;q=0.7"), handler: sends(200, long, "Content-Type", text),
			encoding: "zstd",
		},
		{
			name:    "among equal weights the server's order wins",
			config:  compress.Config{Encodings: []compress.Encoding{brotli.New(brotli.Config{}), compress.Gzip(0)}},
			request: accepts("Accept-Encoding", "gzip, deflate, br, zstd"), handler: sends(200, long, "Content-Type", text),
			encoding: "br",
		},
		{
			name:    "what the server prefers beats a weight",
			config:  compress.Config{Encodings: four, Prefer: []string{"br", "gzip"}},
			request: accepts("Accept-Encoding", "gzip, br;q=0.1"), handler: sends(200, long, "Content-Type", text),
			encoding: "br",
		},
		{
			name:    "what the server prefers and the client refuses is passed over",
			config:  compress.Config{Encodings: four, Prefer: []string{"br", "gzip"}},
			request: accepts("Accept-Encoding", "gzip, br;q=0"), handler: sends(200, long, "Content-Type", text),
			encoding: "gzip",
		},
		{
			name:    "an encoding may be written in capitals",
			request: accepts("Accept-Encoding", "GZIP"), handler: sends(200, long, "Content-Type", text),
			encoding: "gzip",
		},
		{
			name:    "a small body stays",
			request: accepts("Accept-Encoding", "gzip"), handler: sends(200, strings.Repeat("a", 1023), "Content-Type", text),
			header: map[string]string{"Vary": "Accept-Encoding"},
		},
		{
			name:    "a body of the minimum is encoded",
			request: accepts("Accept-Encoding", "gzip"), handler: sends(200, strings.Repeat("a", 1024), "Content-Type", text),
			encoding: "gzip",
		},
		{
			name:    "a small body that has told its length stays",
			request: accepts("Accept-Encoding", "gzip"), handler: sends(200, "aaaa", "Content-Type", text, "Content-Length", "4"),
			header: map[string]string{"Content-Length": "4"},
		},
		{
			name:    "a body that has told the minimum is encoded",
			request: accepts("Accept-Encoding", "gzip"), handler: sends(200, strings.Repeat("a", 1024), "Content-Type", text, "Content-Length", "1024"),
			encoding: "gzip",
		},
		{
			name:    "1024 bytes are enough of a sample",
			config:  compress.Config{BufferSize: 1024},
			request: accepts("Accept-Encoding", "gzip"), handler: sends(200, noise(1024)+long, "Content-Type", text),
		},
		{
			name:    "1023 bytes are not",
			config:  compress.Config{BufferSize: 1023, MinSize: -1},
			request: accepts("Accept-Encoding", "gzip"), handler: sends(200, noise(1023)+long, "Content-Type", text),
			encoding: "gzip",
		},
		{
			name:    "what does not change its length stays",
			config:  compress.Config{Encodings: []compress.Encoding{compress.NewEncoding("copy", func() compress.Encoder { return new(copies) })}},
			request: accepts("Accept-Encoding", "copy"), handler: sends(200, long, "Content-Type", text),
		},
		{
			name:    "a type is found in one byte",
			request: accepts("Accept-Encoding", "gzip"),
			handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				io.WriteString(w, "a")
				io.WriteString(w, long)
			}),
			encoding: "gzip", header: map[string]string{"Content-Type": "text/plain; charset=utf-8"},
		},
		{
			name:    "there may be no minimum",
			config:  compress.Config{MinSize: -1},
			request: accepts("Accept-Encoding", "gzip"), handler: sends(200, strings.Repeat("a", 64), "Content-Type", text),
			encoding: "gzip",
		},
		{
			name:    "what would grow stays",
			config:  compress.Config{MinSize: -1},
			request: accepts("Accept-Encoding", "gzip"), handler: sends(200, "x", "Content-Type", text),
			header: map[string]string{"Vary": "Accept-Encoding"},
		},
		{
			name:    "what is long and would grow stays",
			request: accepts("Accept-Encoding", "gzip"), handler: sends(200, noise(200_000), "Content-Type", "application/octet-stream"),
		},
		{
			name:    "what is long and begins with what does not shrink stays",
			config:  compress.Config{BufferSize: 2000},
			request: accepts("Accept-Encoding", "gzip"),
			handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/octet-stream")
				io.WriteString(w, noise(2000))
				io.WriteString(w, long)
			}),
		},
		{
			name:    "what is long is encoded as it comes",
			request: accepts("Accept-Encoding", "gzip"), handler: sends(200, strings.Repeat(long, 100), "Content-Type", text, "Content-Length", fmt.Sprint(100*len(long))),
			encoding: "gzip",
		},
		{
			name:    "without a buffer too",
			config:  compress.Config{BufferSize: -1, MinSize: 10},
			request: accepts("Accept-Encoding", "gzip"),
			handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for range 1000 {
					w.Write([]byte("order,paid\n"))
				}
			}),
			encoding: "gzip",
		},
		{
			name:    "a type that is not given is found before it is hidden",
			request: accepts("Accept-Encoding", "gzip"), handler: sends(200, "<html>"+long),
			encoding: "gzip", header: map[string]string{"Content-Type": "text/html; charset=utf-8"},
		},
		{
			name:    "an image stays, and nothing depends",
			request: accepts("Accept-Encoding", "gzip"), handler: sends(200, long, "Content-Type", "image/png"),
			header: map[string]string{"Vary": ""},
		},
		{
			name:    "an image that is not given as one stays",
			request: accepts("Accept-Encoding", "gzip"), handler: sends(200, "\x89PNG\x0D\x0A\x1A\x0A"+long),
			header: map[string]string{"Vary": "", "Content-Type": "image/png"},
		},
		{
			name:    "a drawing is text",
			request: accepts("Accept-Encoding", "gzip"), handler: sends(200, long, "Content-Type", "Image/SVG+XML; charset=utf-8"),
			encoding: "gzip",
		},
		{
			name:    "the types are the user's",
			config:  compress.Config{Compressible: func(contentType string) bool { return contentType == "image/png" }},
			request: accepts("Accept-Encoding", "gzip"), handler: sends(200, long, "Content-Type", "image/png"),
			encoding: "gzip",
		},
		{
			name:    "no-transform in the response, in any case",
			request: accepts("Accept-Encoding", "gzip"), handler: sends(200, long, "Content-Type", text, "Cache-Control", "max-age=1, No-Transform"),
			header: map[string]string{"Vary": "", "Cache-Control": "max-age=1, No-Transform"},
		},
		{
			name:    "what contains no-transform is not it",
			request: accepts("Accept-Encoding", "gzip"), handler: sends(200, long, "Content-Type", text, "Cache-Control", "x-no-transform"),
			encoding: "gzip",
		},
		{
			name:    "no-transform in the request blocks, and goes on",
			request: accepts("Accept-Encoding", "gzip", "Cache-Control", "no-transform"), handler: sends(200, long, "Content-Type", text, "Cache-Control", "max-age=3600"),
			header: map[string]string{"Cache-Control": "max-age=3600, no-transform", "Vary": ""},
		},
		{
			name:    "no-transform goes on where nothing would be encoded",
			request: accepts("Cache-Control", "no-transform"), handler: sends(200, "x", "Content-Type", "image/png"),
			header: map[string]string{"Cache-Control": "no-transform"},
		},
		{
			name:    "what depends already depends on more",
			request: accepts("Accept-Encoding", "gzip"), handler: sends(200, long, "Content-Type", text, "Vary", "Origin, accept-encoding"),
			encoding: "gzip", header: map[string]string{"Vary": "Origin, accept-encoding"},
		},
		{
			name:    "vary * says it all",
			request: accepts("Accept-Encoding", "gzip"), handler: sends(200, long, "Content-Type", text, "Vary", "*"),
			encoding: "gzip", header: map[string]string{"Vary": "*"},
		},
		{
			name:    "a strong ETag becomes weak",
			request: accepts("Accept-Encoding", "gzip"), handler: sends(200, long, "Content-Type", text, "ETag", `"a"`),
			encoding: "gzip", header: map[string]string{"ETag": `W/"a"`},
		},
		{
			name:    "a weak ETag stays",
			request: accepts("Accept-Encoding", "gzip"), handler: sends(200, long, "Content-Type", text, "ETag", `W/"a"`),
			encoding: "gzip", header: map[string]string{"ETag": `W/"a"`},
		},
		{
			name:    "the ETag of what is not encoded stays",
			request: accepts("Accept-Encoding", "br"), handler: sends(200, long, "Content-Type", text, "ETag", `"a"`),
			header: map[string]string{"ETag": `"a"`},
		},
		{
			name:    "an ETag may get a suffix",
			config:  compress.Config{ETag: compress.SuffixETag},
			request: accepts("Accept-Encoding", "gzip"), handler: sends(200, long, "Content-Type", text, "ETag", `"a"`),
			encoding: "gzip", header: map[string]string{"ETag": `"a-gzip"`},
		},
		{
			name:    "an ETag may be kept",
			config:  compress.Config{ETag: compress.KeepETag},
			request: accepts("Accept-Encoding", "gzip"), handler: sends(200, long, "Content-Type", text, "ETag", `"a"`),
			encoding: "gzip", header: map[string]string{"ETag": `"a"`},
		},
		{
			name:    "a 304 has the ETag that the client has",
			request: accepts("Accept-Encoding", "gzip", "If-None-Match", `W/"a"`), handler: sends(304, "", "ETag", `"a"`),
			header: map[string]string{"ETag": `W/"a"`},
		},
		{
			name:    "a 304 for who has it plain",
			request: accepts("Accept-Encoding", "gzip", "If-None-Match", `"a"`), handler: sends(304, "", "ETag", `"a"`),
			header: map[string]string{"ETag": `"a"`},
		},
		{
			name:    "ranges of what is made anew are not offered",
			request: accepts("Accept-Encoding", "gzip"), handler: sends(200, long, "Content-Type", text, "Accept-Ranges", "bytes"),
			encoding: "gzip", header: map[string]string{"Accept-Ranges": ""},
		},
		{
			name:     "digests of the plain body do not stay behind",
			request:  accepts("Accept-Encoding", "gzip"),
			handler:  sends(200, long, "Content-Type", text, "Content-Digest", "sha-256=:x:", "Repr-Digest", "sha-256=:x:", "Digest", "sha-256=x", "Content-MD5", "x"),
			encoding: "gzip", header: map[string]string{"Content-Digest": "", "Repr-Digest": "", "Digest": "", "Content-MD5": ""},
		},
		{
			name:    "digests of a body that is not compressed stay",
			handler: sends(200, long, "Content-Type", text, "Content-Digest", "sha-256=:x:"),
			header:  map[string]string{"Content-Digest": "sha-256=:x:"},
		},
		{
			name:    "a range is sent as it is",
			request: accepts("Accept-Encoding", "gzip", "Range", "bytes=0-3299"), handler: sends(206, long, "Content-Type", text, "Content-Range", "bytes 0-3299/9999", "Accept-Ranges", "bytes"),
			header: map[string]string{"Content-Range": "bytes 0-3299/9999", "Accept-Ranges": "bytes"},
		},
		{
			name:    "a part has the Vary of the whole", // RFC 9110 section 15.3.7
			request: accepts("Accept-Encoding", "gzip", "Range", "bytes=0-9"), handler: sends(206, long[:10], "Content-Type", text, "Content-Range", "bytes 0-9/9999"),
			header: map[string]string{"Vary": "Accept-Encoding"},
		},
		{
			name:    "several parts as well",
			request: accepts("Accept-Encoding", "gzip", "Range", "bytes=0-9,20-29"), handler: sends(206, long, "Content-Type", "multipart/byteranges; boundary=x"),
			header: map[string]string{"Vary": "Accept-Encoding"},
		},
		{
			name:    "a part of an image depends on nothing",
			request: accepts("Accept-Encoding", "gzip", "Range", "bytes=0-9"), handler: sends(206, long[:10], "Content-Type", "image/png", "Content-Range", "bytes 0-9/9999"),
			header: map[string]string{"Vary": ""},
		},
		{
			name:    "304 has the Vary of the 200, whose type it does not say", // RFC 9110 section 15.4.5
			request: accepts("Accept-Encoding", "gzip", "If-None-Match", `W/"v1"`), handler: sends(304, "", "ETag", `"v1"`),
			header: map[string]string{"Vary": "Accept-Encoding", "ETag": `W/"v1"`},
		},
		{
			name:    "304 of an image",
			request: accepts("Accept-Encoding", "gzip"), handler: sends(304, "", "ETag", `"v1"`, "Content-Type", "image/png"),
			header: map[string]string{"Vary": "", "ETag": `"v1"`},
		},
		{
			name:    "304 of what must not be transformed",
			request: accepts("Accept-Encoding", "gzip"), handler: sends(304, "", "Cache-Control", "no-transform"),
			header: map[string]string{"Vary": ""},
		},
		{
			name:    "416 has a body of its own",
			request: accepts("Accept-Encoding", "gzip"), handler: sends(416, long, "Content-Type", text),
			header: map[string]string{"Vary": ""},
		},
		{
			name:    "x-gzip is gzip", // RFC 9110 section 8.4.1.3
			request: accepts("Accept-Encoding", "x-gzip;q=1.0, identity;q=0.5, *;q=0"), handler: sends(200, long, "Content-Type", text),
			encoding: "gzip",
		},
		{
			name:    "an empty body stays empty",
			request: accepts("Accept-Encoding", "gzip"), handler: sends(200, "", "Content-Type", text),
		},
		{
			name:    "204 has no body",
			request: accepts("Accept-Encoding", "gzip"), handler: sends(204, ""),
			header: map[string]string{"Vary": ""},
		},
		{
			name:    "a handler that does nothing answers 200",
			request: accepts("Accept-Encoding", "gzip"), handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
		},
		{
			name: "HEAD has the header of GET", method: http.MethodHead,
			request: accepts("Accept-Encoding", "gzip"), handler: sends(200, long, "Content-Type", text, "ETag", `"a"`),
			encoding: "gzip", header: map[string]string{"Vary": "Accept-Encoding", "ETag": `W/"a"`},
		},
		{
			name:     "an error is encoded too",
			config:   compress.Config{MinSize: -1},
			request:  accepts("Accept-Encoding", "gzip"),
			handler:  web.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return web.Errorf(422, "%s", long) }),
			encoding: "gzip", header: map[string]string{"Content-Type": "application/problem+json"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.method == "" {
				tt.method = http.MethodGet
			}
			plain := httptest.NewRecorder()
			tt.handler.ServeHTTP(plain, httptest.NewRequest(tt.method, "/", nil))
			middytest.Everywhere(t, compress.New(tt.config)(tt.handler), func(t *testing.T, url string) {
				got := ask(t, tt.method, url, tt.request)
				if got.status != plain.Code {
					t.Errorf("status %d, want %d", got.status, plain.Code)
				}
				if encoding := got.header.Get("Content-Encoding"); encoding != tt.encoding {
					t.Errorf("Content-Encoding is %q, want %q", encoding, tt.encoding)
				}
				for name, want := range tt.header {
					if value := strings.Join(got.header.Values(name), ", "); value != want {
						t.Errorf("%s is %q, want %q", name, value, want)
					}
				}
				if tt.method != http.MethodHead && string(got.body) != plain.Body.String() {
					t.Errorf("%d bytes came, %d were sent", len(got.body), plain.Body.Len())
				}
				if tt.encoding != "" && tt.method != http.MethodHead && len(got.wire) >= len(got.body) {
					t.Errorf("%d bytes became %d", len(got.body), len(got.wire))
				}
				if length := got.header.Get("Content-Length"); length != "" && tt.method != http.MethodHead && length != fmt.Sprint(len(got.wire)) {
					t.Errorf("Content-Length is %s for %d bytes", length, len(got.wire))
				}
			})
		})
	}
}

// Not in Lambda, whose front doors tell a length of their own.
func TestHEADOfAHandlerThatTellsOnlyTheLength(t *testing.T) {
	for _, tt := range []struct{ length, wantLength, encoding, etag string }{
		{"5000", "", "gzip", `W/"a"`}, // how long GET's answer would be is not known
		{"50", "50", "", `"a"`},
	} {
		server := httptest.NewServer(compress.New(compress.Config{})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Length", tt.length)
			w.Header().Set("ETag", `"a"`)
		})))
		defer server.Close()
		h := ask(t, http.MethodHead, server.URL, accepts("Accept-Encoding", "gzip")).header
		if h.Get("Content-Length") != tt.wantLength || h.Get("Content-Encoding") != tt.encoding || h.Get("ETag") != tt.etag || h.Get("Vary") != "Accept-Encoding" {
			t.Errorf("of %s bytes: %v", tt.length, h)
		}
	}
}

// With package negotiate outside, the client's order decides, as in Middy; these are
// Middy's own cases of http-content-encoding.
func TestTheResultOfNegotiationCounts(t *testing.T) {
	a64 := strings.Repeat("a", 64)
	tests := []struct {
		name     string
		prefer   []string
		offers   negotiate.Offers
		accept   string
		body     string
		encoding string
	}{
		{"br string", nil, negotiate.Offers{}, "br", "[0" + strings.Repeat(",0", 27) + "]", "br"},
		{"the client's order", nil, negotiate.Offers{}, "gzip, zstd, br", a64, "gzip"},
		{"override picks br over gzip", []string{"br", "gzip", "deflate"}, negotiate.Offers{}, "gzip, deflate, br", a64, "br"},
		{"override without a list is ignored", []string{"br"}, negotiate.Offers{Available: []string{"deflate"}, DefaultToFirst: true}, "x", a64, "deflate"},
		{"larger than the original is left alone", nil, negotiate.Offers{}, "gzip", "x", ""},
		{"identity", nil, negotiate.Offers{}, "", "test", ""},
		{"identity preferred beats override", []string{"br"}, negotiate.Offers{}, "identity, br", a64, ""},
		{"a list that was ignored is asked for", nil, negotiate.Offers{Ignore: true}, "gzip", a64, "gzip"},
		// Deviations from Middy, which does nothing in these cases.
		{"an encoding that is not ours falls to the next", nil, negotiate.Offers{}, "compress, gzip", a64, "gzip"},
		{"and to none", nil, negotiate.Offers{}, "compress, identity, gzip", a64, ""},
		{"a wildcard is any of ours", nil, negotiate.Offers{}, "*", a64, "gzip"},
		{"a wildcard behind one that is not ours is none", nil, negotiate.Offers{}, "compress, *", a64, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := compress.New(compress.Config{Encodings: four, Prefer: tt.prefer, MinSize: -1})
			handler := negotiate.New(negotiate.Config{Encoding: tt.offers})(m(sends(200, tt.body, "Content-Type", "text/plain")))
			middytest.Everywhere(t, handler, func(t *testing.T, url string) {
				got := ask(t, http.MethodGet, url, accepts("Accept-Encoding", tt.accept))
				if encoding := got.header.Get("Content-Encoding"); encoding != tt.encoding || string(got.body) != tt.body {
					t.Errorf("Content-Encoding is %q, want %q; %d bytes, want %d", encoding, tt.encoding, len(got.body), len(tt.body))
				}
			})
		})
	}
	// Middy's cases of a body that is a number and of one that says it is base64 do not
	// exist in net/http, where a body is bytes.
}

func TestWhatIsEncodedAlreadyStays(t *testing.T) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, long)
	w.Close()
	middytest.Everywhere(t, compress.New(compress.Config{})(sends(200, b.String(), "content-encoding", "gzip", "Content-Type", "text/plain")), func(t *testing.T, url string) {
		got := ask(t, http.MethodGet, url, accepts("Accept-Encoding", "gzip"))
		if !bytes.Equal(got.wire, b.Bytes()) || string(got.body) != long || len(got.header.Values("Content-Encoding")) != 1 {
			t.Errorf("%d bytes came as %d, encoded %q", len(got.body), len(got.wire), got.header.Values("Content-Encoding"))
		}
	})
}

func TestTwiceIsOnce(t *testing.T) {
	m := compress.New(compress.Config{})
	middytest.Everywhere(t, m(m(sends(200, long, "Content-Type", "text/plain", "ETag", `"a"`))), func(t *testing.T, url string) {
		got := ask(t, http.MethodGet, url, accepts("Accept-Encoding", "gzip"))
		if string(got.body) != long || got.header.Get("ETag") != `W/"a"` || got.header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%d bytes, %v", len(got.body), got.header)
		}
	})
}

// A client that read the encoded representation can change it on condition, and is told
// when it has not changed.
func TestASuffixedETagComesBackWithoutIt(t *testing.T) {
	handler := compress.New(compress.Config{ETag: compress.SuffixETag})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"a"`)
		if r.Header.Get("If-None-Match") == `"x", "a"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		if r.Header.Get("If-Match") == `"a"` {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		http.Error(w, "no such condition", http.StatusPreconditionFailed)
	}))
	middytest.Everywhere(t, handler, func(t *testing.T, url string) {
		if got := ask(t, http.MethodGet, url, accepts("Accept-Encoding", "gzip", "If-None-Match", `"x","a-gzip"`)); got.status != 304 || got.header.Get("ETag") != `"a-gzip"` {
			t.Errorf("If-None-Match: %d, %v", got.status, got.header)
		}
		if got := ask(t, http.MethodPut, url, accepts("If-Match", `"a-deflate"`)); got.status != 204 {
			t.Errorf("If-Match: %d", got.status)
		}
		if got := ask(t, http.MethodPut, url, accepts("If-Match", `"a-zip"`)); got.status != 412 {
			t.Errorf("If-Match of another: %d", got.status)
		}
	})
}

func TestWhatIsFlushedArrives(t *testing.T) {
	for _, encoding := range []string{"gzip", "deflate", "br", "zstd", ""} {
		t.Run("encoding "+encoding, func(t *testing.T) {
			read := make(chan bool)
			server := httptest.NewServer(compress.New(compress.Config{Encodings: four})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				for i := range 5 {
					fmt.Fprintf(w, "data: %d\n\n", i)
					if err := http.NewResponseController(w).Flush(); err != nil {
						t.Error(err)
					}
					if i < 4 && !<-read { // the next one only when this one was read
						return
					}
				}
			})))
			defer server.Close()
			defer close(read)
			r, _ := http.NewRequest(http.MethodGet, server.URL, nil)
			r.Header.Set("Accept-Encoding", encoding)
			resp, err := raw.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if got := resp.Header.Get("Content-Encoding"); got != encoding {
				t.Fatalf("Content-Encoding is %q", got)
			}
			body := decoder(t, encoding, resp.Body)
			for i := range 5 {
				want := fmt.Sprintf("data: %d\n\n", i)
				got := make([]byte, len(want))
				if _, err := io.ReadFull(body, got); err != nil || string(got) != want {
					t.Fatalf("event %d: %q, %v", i, got, err)
				}
				if i < 4 {
					read <- true
				}
			}
			if rest, err := io.ReadAll(body); err != nil || len(rest) > 0 {
				t.Errorf("at the end: %q, %v", rest, err)
			}
		})
	}
}

// Before its first byte nobody knows the type of a response that does not tell it.
func TestAFlushBeforeTheBody(t *testing.T) {
	for contentType, want := range map[string]string{"": "", "text/plain": "gzip"} {
		server := httptest.NewServer(compress.New(compress.Config{})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if contentType != "" {
				w.Header().Set("Content-Type", contentType)
			}
			w.(http.Flusher).Flush()
			io.WriteString(w, long)
		})))
		defer server.Close()
		got := ask(t, http.MethodGet, server.URL, accepts("Accept-Encoding", "gzip"))
		if got.header.Get("Content-Encoding") != want || string(got.body) != long || got.header.Get("Content-Type") != contentType {
			t.Errorf("type %q: %v, %d bytes", contentType, got.header, len(got.body))
		}
	}
}

func decoder(t *testing.T, encoding string, r io.Reader) io.Reader {
	t.Helper()
	var err error
	switch encoding {
	case "gzip":
		r, err = gzip.NewReader(r)
	case "deflate":
		r, err = zlib.NewReader(r)
	case "br":
		r = andybalholm.NewReader(r)
	case "zstd":
		var d *klauspost.Decoder
		if d, err = klauspost.NewReader(r, klauspost.WithDecoderConcurrency(1)); err == nil {
			t.Cleanup(d.Close)
			r = d
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Half a body must not look like a whole one, and what is held back must not stand in
// the way of who answers in the handler's place.
func TestAPanicIsNotAnEnd(t *testing.T) {
	stop := errors.New("stop")
	recovered := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				if recover() != nil {
					w.Header().Set("Content-Type", "text/plain")
					w.WriteHeader(http.StatusInternalServerError)
					io.WriteString(w, "sorry")
				}
			}()
			next.ServeHTTP(w, r)
		})
	}
	middytest.Everywhere(t, recovered(compress.New(compress.Config{})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, long)
		panic(stop)
	}))), func(t *testing.T, url string) {
		got := ask(t, http.MethodGet, url, accepts("Accept-Encoding", "gzip"))
		if got.status != 500 || string(got.body) != "sorry" {
			t.Errorf("%d %q", got.status, got.body)
		}
	})

	server := httptest.NewUnstartedServer(compress.New(compress.Config{})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, strings.Repeat(long, 100))
		panic(http.ErrAbortHandler)
	})))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	defer server.Close()
	r, _ := http.NewRequest(http.MethodGet, server.URL, nil)
	r.Header.Set("Accept-Encoding", "gzip")
	resp, err := raw.Do(r)
	if err != nil {
		return // cut off before the header: as good
	}
	defer resp.Body.Close()
	if body, err := gzip.NewReader(resp.Body); err == nil {
		if _, err := io.ReadAll(body); err == nil {
			t.Error("a body that was cut off looks whole")
		}
	}
}

func TestAConnectionCanBeTakenOver(t *testing.T) {
	server := httptest.NewServer(compress.New(compress.Config{})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		rw.WriteString("HTTP/1.1 299 Mine\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
		rw.Flush()
	})))
	defer server.Close()
	if got := ask(t, http.MethodGet, server.URL, accepts("Accept-Encoding", "gzip")); got.status != 299 || string(got.wire) != "hi" {
		t.Errorf("%d %q", got.status, got.wire)
	}

	w := httptest.NewRecorder() // which cannot
	compress.New(compress.Config{})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, _, err := w.(http.Hijacker).Hijack(); !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("error %v", err)
		}
		io.WriteString(w, long)
	})).ServeHTTP(w, func() *http.Request {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Encoding", "gzip")
		return r
	}())
	if got := decode(t, "gzip", w.Body.Bytes()); w.Header().Get("Content-Encoding") != "gzip" || string(got) != long {
		t.Errorf("%v, %d bytes", w.Header(), len(got))
	}
}

func TestInformationalResponsesComeFirst(t *testing.T) {
	server := httptest.NewServer(compress.New(compress.Config{})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusCreated)
		w.WriteHeader(http.StatusAccepted) // too late, as in net/http
		io.WriteString(w, long)
	})))
	defer server.Close()
	got := ask(t, http.MethodGet, server.URL, accepts("Accept-Encoding", "gzip"))
	if got.status != http.StatusCreated || string(got.body) != long || got.header.Get("Content-Encoding") != "gzip" {
		t.Errorf("%d, %d bytes, %v", got.status, len(got.body), got.header)
	}
}

// 64 KiB are held back, to the byte, and a write that goes beyond is whole for who wrote.
func TestHowMuchIsHeldBack(t *testing.T) {
	for name, write := range map[string]func(w io.Writer, s string) (int, error){
		"Write":       func(w io.Writer, s string) (int, error) { return w.Write([]byte(s)) },
		"WriteString": io.WriteString,
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Encoding", "gzip")
		body := strings.Repeat("0123456789abcde\n", 1<<13) // twice as much
		compress.New(compress.Config{})(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
			out.Header().Set("Content-Type", "text/plain")
			for _, part := range []struct {
				from, to int
				sent     bool
			}{{0, 1, false}, {1, 65_536, false}, {65_536, 65_537, true}, {65_537, len(body), true}} {
				n, err := write(out, body[part.from:part.to])
				if n != part.to-part.from || err != nil || (w.Body.Len() > 0) != part.sent {
					t.Errorf("%s, bytes %d to %d: %d, %v; sent: %d", name, part.from, part.to, n, err, w.Body.Len())
				}
			}
		})).ServeHTTP(w, r)
		if got := decode(t, "gzip", w.Body.Bytes()); string(got) != body {
			t.Errorf("%s: %d bytes came", name, len(got))
		}

		w = httptest.NewRecorder()
		compress.New(compress.Config{})(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
			out.Header().Set("Content-Type", "text/plain")
			if n, err := write(out, body); n != len(body) || err != nil { // at once
				t.Errorf("%s: %d, %v", name, n, err)
			}
		})).ServeHTTP(w, r)
		if got := decode(t, "gzip", w.Body.Bytes()); string(got) != body {
			t.Errorf("%s at once: %d bytes came", name, len(got))
		}
	}
}

func TestETagsThatAreNone(t *testing.T) {
	for tag, want := range map[string]string{`""`: `"-gzip"`, `"`: `"`, `x"`: `x"`, `"x"`: `"x-gzip"`, "": ""} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Encoding", "gzip")
		compress.New(compress.Config{ETag: compress.SuffixETag})(sends(200, long, "ETag", tag)).ServeHTTP(w, r)
		if got := w.Header().Get("ETag"); got != want || w.Header().Get("Content-Encoding") != "gzip" {
			t.Errorf("%s became %s", tag, got)
		}
	}
}

func TestEveryLevelThatExists(t *testing.T) {
	for level := -2; level <= 9; level++ {
		for _, e := range []compress.Encoding{compress.Gzip(level), compress.Deflate(level)} {
			w := httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Accept-Encoding", e.Name())
			compress.New(compress.Config{Encodings: []compress.Encoding{e}})(sends(200, long)).ServeHTTP(w, r)
			if got := decode(t, w.Header().Get("Content-Encoding"), w.Body.Bytes()); string(got) != long || w.Body.Len() >= len(long) {
				t.Errorf("%s %d: %d bytes as %d", e.Name(), level, len(got), w.Body.Len())
			}
		}
	}
}

func TestTrailersStayTrailers(t *testing.T) {
	server := httptest.NewServer(compress.New(compress.Config{})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Trailer", "Checksum")
		io.WriteString(w, r.URL.Query().Get("body"))
		w.Header().Set("Checksum", "42")
		w.Header().Set(http.TrailerPrefix+"Late", "43")
	})))
	defer server.Close()
	for _, want := range []string{long, ""} {
		r, _ := http.NewRequest(http.MethodGet, server.URL+"?body="+url.QueryEscape(want), nil)
		r.Header.Set("Accept-Encoding", "gzip")
		resp, err := raw.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(decoder(t, resp.Header.Get("Content-Encoding"), resp.Body))
		if err != nil || string(body) != want || resp.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%d bytes, %v, %v", len(body), err, resp.Header)
		}
		io.Copy(io.Discard, resp.Body) // trailers come at its end
		if resp.Header.Get("Checksum") != "" || resp.Trailer.Get("Checksum") != "42" || resp.Trailer.Get("Late") != "43" {
			t.Errorf("header %v, trailer %v", resp.Header, resp.Trailer)
		}
	}
}

// Encoders and buffers are shared; responses are not.
func TestResponsesAtTheSameTimeDoNotMix(t *testing.T) {
	server := httptest.NewServer(compress.New(compress.Config{Encodings: four})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		for range 20 {
			io.WriteString(w, strings.Repeat(r.URL.Path+"\n", 900))
		}
	})))
	defer server.Close()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 10 {
				path := fmt.Sprintf("/%d/%d", i, j)
				got := ask(t, http.MethodGet, server.URL+path, accepts("Accept-Encoding", four[(i+j)%len(four)].Name()))
				if want := strings.Repeat(path+"\n", 18_000); string(got.body) != want {
					t.Errorf("%s: %d bytes, want %d", path, len(got.body), len(want))
				}
			}
		})
	}
	wg.Wait()
}

type failing struct {
	http.ResponseWriter
	err error
}

func (w failing) Write([]byte) (int, error) { return 0, w.err }

func TestTheHandlerLearnsThatTheClientHasGone(t *testing.T) {
	gone := errors.New("gone")
	for _, body := range []string{strings.Repeat(long, 30), noise(70_000)} {
		var err error
		compress.New(compress.Config{})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			for i := 0; err == nil && i < 100; i++ {
				_, err = io.WriteString(w, body)
			}
		})).ServeHTTP(failing{httptest.NewRecorder(), gone}, func() *http.Request {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Accept-Encoding", "gzip")
			return r
		}())
		if !errors.Is(err, gone) {
			t.Errorf("error %v", err)
		}
	}
}

func TestEveryMistakeInAConfigIsReported(t *testing.T) {
	encoder := func() compress.Encoder { return gzip.NewWriter(nil) }
	err := compress.Config{
		Encodings: []compress.Encoding{{}, compress.NewEncoding("", encoder), compress.Gzip(1), compress.Gzip(2), compress.NewEncoding("identity", encoder)},
		Prefer:    []string{"gzip", "br"},
		ETag:      7,
	}.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"Encodings[0]", "Encodings[1]", `Encodings[3] is the second one named "gzip"`, `Encodings[4] is named "identity"`, `Prefer[1] is "br"`, "ETag is 7"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
	if err := (compress.Config{Prefer: []string{"deflate", "gzip"}}).Validate(); err != nil {
		t.Errorf("the default encodings cannot be preferred: %v", err)
	}
	for name, f := range map[string]func(){
		"a config":      func() { compress.New(compress.Config{Prefer: []string{"br"}}) },
		"a gzip level":  func() { compress.Gzip(10) },
		"a flate level": func() { compress.Deflate(-3) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s that does not exist is accepted", name)
				}
			}()
			f()
		}()
	}
}

func TestWhatShrinks(t *testing.T) {
	for contentType, want := range map[string]bool{
		"text/html; charset=utf-8": true, "application/json": true, "application/problem+json": true, "application/wasm": true,
		"application/octet-stream": true, "image/svg+xml": true, "image/bmp": true, "audio/wav": true, "font/ttf": true,
		"text/event-stream": true, "application/x-ndjson": true, " TEXT/CSV ;x=y": true,
		"": false, "image/png": false, "image/webp": false, "video/mp4": false, "audio/mpeg": false, "font/woff2": false,
		"application/zip": false, "application/gzip": false, "application/x-7z-compressed": false, "application/epub+zip": false,
		"application/pdf": false, "application/grpc-web+proto": false, "application/vnd.rar": false, "application/zstd": false,
		"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": false, "IMAGE/JPEG": false,
	} {
		if got := compress.Compressible(contentType); got != want {
			t.Errorf("Compressible(%q) = %v", contentType, got)
		}
	}
}

var payload = func() string {
	var b strings.Builder
	for i := range 1400 {
		fmt.Fprintf(&b, `{"id":%d,"customer":"c-%x","amount":%d.%02d,"currency":"EUR","paid":%v},`, i, i*7919, i%977, i%100, i%3 == 0)
	}
	return b.String()
}()

// discard is a client's connection that costs nothing.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

func BenchmarkCompress(b *testing.B) {
	for _, size := range []int{2 << 10, 32 << 10, len(payload)} {
		for _, accept := range []string{"", "gzip", "deflate", "br", "zstd"} {
			b.Run(fmt.Sprintf("%dKiB/%s", size>>10, cmp.Or(accept, "identity")), func(b *testing.B) {
				body := []byte(payload[:size])
				handler := compress.New(compress.Config{Encodings: four})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.Header()["Content-Type"] = []string{"application/json"}
					w.Write(body)
				}))
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				r.Header.Set("Accept-Encoding", accept)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					handler.ServeHTTP(discard{http.Header{}}, r)
				}
			})
		}
	}
}
