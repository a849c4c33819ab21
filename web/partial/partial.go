// Package partial sends only those parts of a JSON response that the client asks for.
//
// A client on a phone wants three fields of each order and gets forty. Endpoints that
// filter by hand do it each in its own way. This middleware reads a selector from the
// query, such as ?fields=id,items(name,price),customer/name, and filters whatever
// JSON the handler writes:
//
//	a,b       the members a and b
//	a/b       b of a
//	a(b,c)    b and c of a
//	*         every member
//	\*        a member named *; \ takes any character into a name
//
// Arrays are transparent: a selector applies to each element. Members that are not
// there are left out. Keys keep the order, and values the spelling, that the handler
// gave them.
//
// Only successful responses are filtered (an error keeps its details), with a JSON
// content type or none, whole, and not compressed: place it inside compress. A
// response that is flushed, or larger than [Config.MaxBytes], passes unfiltered.
// Content-Length is set anew, and digests of the content are removed. An ETag stays: the selector
// is part of the URL, and the same state filtered in the same way is the same bytes.
//
// It is Middy's http-partial-response. Deviations from Middy: keys keep the handler's
// order, not the selector's; space before the JSON does not turn the filter off;
// arrays in arrays are transparent too; errors are not filtered; a selector that
// reaches into a text's characters does not turn the filter off; a/b,a/c selects b and
// c, where Middy selects only c.
package partial

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/internal/header"
	"github.com/gomiddy/middy/web/internal/layer"
	"github.com/gomiddy/middy/web/internal/response"
	"github.com/gomiddy/middy/web/internal/urlencoded"
)

// Config configures [New]. The zero value is Middy's behaviour.
type Config struct {
	// Parameter is the query parameter with the selector. Given more than once, its
	// values are joined with commas. Default: fields.
	Parameter string

	// MaxLength is the longest selector, in bytes, and MaxDepth how many / and ( it
	// may have. Defaults: 2048 and 100, as in Middy.
	MaxLength, MaxDepth int

	// RejectSelector answers 400 to a selector beyond these limits. Default: it is
	// ignored, and the response not filtered, as in Middy.
	RejectSelector bool

	// MaxBytes is how large a response may be to be filtered, in bytes. Default:
	// 6 MiB, the largest response of Lambda.
	MaxBytes int
}

// Validate finds nothing: every Config works.
func (Config) Validate() error { return nil }

func (c Config) withDefaults() Config {
	if c.Parameter == "" {
		c.Parameter = "fields"
	}
	if c.MaxLength <= 0 {
		c.MaxLength = 2048
	}
	if c.MaxDepth <= 0 {
		c.MaxDepth = 100
	}
	if c.MaxBytes <= 0 {
		c.MaxBytes = 6 << 20
	}
	return c
}

// New returns the middleware. What it returns is safe for concurrent use. A Config
// that Validate refuses makes New panic with that error.
func New(cfg Config) func(http.Handler) http.Handler {
	cfg = cfg.withDefaults()
	return func(next http.Handler) http.Handler {
		return layer.Passes(next, func(w http.ResponseWriter, r *http.Request) {
			selector := cfg.selector(r.URL)
			if selector == "" {
				next.ServeHTTP(w, r)
				return
			}
			if len(selector) > cfg.MaxLength || strings.Count(selector, "/")+strings.Count(selector, "(") > cfg.MaxDepth {
				if cfg.RejectSelector {
					web.WriteError(w, r, cfg.tooMuch())
					return
				}
				next.ServeHTTP(w, r)
				return
			}
			cfg.serve(next, w, r, compile(selector))
		})
	}
}

func (c *Config) selector(u *url.URL) string {
	return strings.Join(urlencoded.Values(u.RawQuery)[c.Parameter], ",")
}

func (c *Config) tooMuch() *web.Error {
	detail := "must not be longer than " + strconv.Itoa(c.MaxLength) + " bytes or have more than " + strconv.Itoa(c.MaxDepth) + " of / and ("
	return &web.Error{
		Status: http.StatusBadRequest,
		Detail: "the selector " + detail,
		Fields: []web.FieldError{{Parameter: c.Parameter, In: "query", Detail: detail}},
	}
}

func (c *Config) serve(next http.Handler, w http.ResponseWriter, r *http.Request, m *mask) {
	buf := response.NewBuffer(w, c.MaxBytes)
	next.ServeHTTP(buf, r)
	status, body, whole := buf.Whole()
	if !whole {
		return
	}
	if filterable(status, w.Header()) {
		if filtered, ok := apply(body, m); ok {
			body = filtered
			changed(w.Header(), len(body))
		} else if r.Method == http.MethodHead && len(body) == 0 {
			w.Header().Del("Content-Length") // the GET would have another one
		}
	}
	_ = buf.Send(status, body) // the client has gone; there is nobody to tell
}

// filterable tells whether a response is JSON as far as its header says.
func filterable(status int, h http.Header) bool {
	if status < 200 || status > 299 || status == http.StatusNoContent || status == http.StatusPartialContent {
		return false
	}
	if header.Coding(h) != "" {
		return false
	}
	contentType := header.ContentType(h)
	if contentType == "" {
		return true // the content tells
	}
	mediaType, _ := header.Media(contentType)
	return header.IsJSON(mediaType) || mediaType == "text/json"
}

// changed makes the header fit the filtered body.
func changed(h http.Header, length int) {
	header.Replaced(h)
	h.Set("Content-Length", strconv.Itoa(length))
}
