// Package formbody parses application/x-www-form-urlencoded bodies.
//
// r.ParseForm does it too, but reads 10 MiB, drops a pair with a broken escape or a
// semicolon and reports it in an error that few look at, and treats a body of
// another type as an empty form. This middleware parses as browsers and servers of
// other languages do, where every input is a form; its limits are answers, 413, and
// another content type is a 415. The handler reads [Values] or [Pairs], or r.PostForm,
// r.Form and r.FormValue as ever; r.Body holds the bytes as they came, for signatures.
//
// Pairs are separated by & only, names and values are not interpreted ("a[b]" is a
// name), + is a space, and an escape that is none stays as it is: the form-urlencoded
// parser of https://url.spec.whatwg.org/#urlencoded-parsing.
//
// It is Middy's http-urlencode-body-parser. Deviations from Middy: more pairs than
// allowed are answered with 413, where Middy drops them without a word; a name always
// has a list of values, so that it does not change its type with the second one;
// requests that need no body pass (see [Config.EveryMethod]); bodies are bounded.
package formbody

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/internal/content"
	"github.com/gomiddy/middy/web/internal/header"
	"github.com/gomiddy/middy/web/internal/layer"
	"github.com/gomiddy/middy/web/internal/urlencoded"
)

// Config configures [New].
type Config struct {
	// MaxBytes is the largest body, in bytes. More is answered with 413. Default:
	// 6 MiB, the largest event of Lambda. Negative: no limit.
	MaxBytes int64

	// MaxPairs is how many names and values a form may have. More is answered with
	// 413. Default: 1000, as in Node.js. Negative: no limit.
	MaxPairs int

	// DisableContentTypeCheck takes every content type, and none.
	DisableContentTypeCheck bool

	// DisableContentTypeError passes a body of another content type on, unchecked
	// and untouched, instead of answering 415.
	DisableContentTypeError bool

	// EveryMethod demands a form of GET, HEAD, OPTIONS, DELETE, TRACE and CONNECT
	// without a body too, as Middy does.
	EveryMethod bool
}

const mediaType = "application/x-www-form-urlencoded"

// Validate finds nothing: every Config works.
func (Config) Validate() error { return nil }

// A Pair is a name with one value.
type Pair struct{ Name, Value string }

type formKey struct{}

type form struct {
	pairs  []Pair
	values url.Values
}

// Values returns what this middleware parsed, or nil when it parsed nothing. The
// values of a name stand in the order in which they came.
func Values(r *http.Request) url.Values {
	if f, ok := r.Context().Value(formKey{}).(*form); ok {
		return f.values
	}
	return nil
}

// Pairs returns what [Values] returns, in the order in which it came.
func Pairs(r *http.Request) []Pair {
	if f, ok := r.Context().Value(formKey{}).(*form); ok {
		return f.pairs
	}
	return nil
}

// New returns the middleware. What it returns is safe for concurrent use. A Config
// that Validate refuses makes New panic with that error.
func New(cfg Config) func(http.Handler) http.Handler {
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = content.DefaultMaxBytes
	}
	if cfg.MaxPairs == 0 {
		cfg.MaxPairs = 1000
	}
	return func(next http.Handler) http.Handler {
		layer.Refuses("formbody", next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !cfg.EveryMethod && content.None(r) {
				next.ServeHTTP(w, r)
				return
			}
			if got := header.ContentType(r.Header); !cfg.DisableContentTypeCheck && !isForm(got) {
				if cfg.DisableContentTypeError {
					next.ServeHTTP(w, r)
					return
				}
				web.WriteError(w, r, content.Unsupported(got, mediaType))
				return
			}
			parsed, err := cfg.read(w, r)
			if err != nil {
				web.WriteError(w, r, err)
				return
			}
			next.ServeHTTP(w, parsed)
		})
	}
}

func isForm(contentType string) bool {
	got, _ := header.Media(contentType)
	return got == mediaType
}

// read returns r with its form.
func (c *Config) read(w http.ResponseWriter, r *http.Request) (*http.Request, error) {
	if err := content.Encoded(r.Header); err != nil {
		return nil, err
	}
	raw, err := content.Read(w, r, c.MaxBytes)
	if err != nil {
		return nil, err
	}
	pairs, ok := parse(string(raw), c.MaxPairs)
	if !ok {
		return nil, &web.Error{Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("the form must not have more than %d pairs", c.MaxPairs)}
	}
	f := &form{pairs: pairs, values: make(url.Values, len(pairs))}
	for _, p := range pairs {
		f.values.Add(p.Name, p.Value)
	}
	r = r.WithContext(context.WithValue(r.Context(), formKey{}, f))
	content.Replace(r, raw)
	r.PostForm = f.values
	r.Form = both(f.values, urlencoded.Values(r.URL.RawQuery))
	return r, nil
}

// both is r.Form: the body's values before the query's.
func both(body, query url.Values) url.Values {
	all := make(url.Values, len(body)+len(query))
	for _, from := range []url.Values{body, query} {
		for name, values := range from {
			all[name] = append(all[name], values...)
		}
	}
	return all
}

// parse splits a form. It reports false when there are more than limit pairs.
func parse(s string, limit int) ([]Pair, bool) {
	var pairs []Pair
	for name, value := range urlencoded.Pairs(s) {
		if len(pairs) == limit {
			return nil, false
		}
		pairs = append(pairs, Pair{content.UTF8(name), content.UTF8(value)})
	}
	return pairs, true
}
