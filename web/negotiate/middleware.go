package negotiate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/internal/header"
	"github.com/gomiddy/middy/web/internal/layer"
	"github.com/gomiddy/middy/web/internal/response"
)

// Config configures [New]. The zero value finds what the client prefers in all four
// dimensions and refuses nothing.
type Config struct {
	Charset   Offers // Accept-Charset
	Encoding  Offers // Accept-Encoding
	Language  Offers // Accept-Language
	MediaType Offers // Accept

	// AllowMismatch lets a request through that accepts none of the Available ones;
	// the handler then finds "" in [Preferred]. Default: it is answered with 406.
	AllowMismatch bool

	// OmitVary does not add the headers that were compared with Available ones to the
	// response's Vary. Default: they are added, RFC 9110 section 12.5.5.
	OmitVary bool
}

// Offers says what the server has in one dimension.
type Offers struct {
	// Available are the values that the server can produce. On equal terms the earlier
	// one is chosen. Default: none, so that all that the client names is preferred, and
	// nothing is a mismatch.
	Available []string

	// DefaultToFirst chooses the first of the Available ones when the client accepts
	// none of them, also when the client refused it. Default: 406.
	DefaultToFirst bool

	// Ignore does not look at this header.
	Ignore bool
}

// Preferred is what a client prefers. The lists are ordered, the best one first; a
// single value is the first of its list, or what stands in for it. A dimension that is
// ignored, or in which nothing fits, has "" and an empty list.
//
// Without Available ones, values are the client's own words, "*" and "*/*" included.
type Preferred struct {
	Charset, Encoding, Language, MediaType     string
	Charsets, Encodings, Languages, MediaTypes []string
}

type key struct{}

// From returns what [New] found, and whether it ran.
func From(ctx context.Context) (Preferred, bool) {
	p, ok := ctx.Value(key{}).(*Preferred)
	if !ok {
		return Preferred{}, false
	}
	return *p, true
}

// Validate reports what is wrong with c: a value in Available that no Accept header
// could name.
func (c Config) Validate() error {
	var errs []error
	for _, d := range c.dimensions() {
		for i, value := range d.offers.Available {
			_, ok := token(value)
			if d.header == "Accept" {
				_, ok = mediaType(value)
			}
			if !ok || strings.Contains(value, ",") {
				errs = append(errs, fmt.Errorf("negotiate: %s.Available[%d] is %q, which %s cannot name; give one %s", d.name, i, value, d.header, d.example))
			}
		}
	}
	return errors.Join(errs...)
}

// dimension is one of the four headers.
type dimension struct {
	name, header, example string
	offers                Offers
	find                  func(h http.Header, offers ...string) []string
	single                func(p *Preferred) *string
	list                  func(p *Preferred) *[]string
}

// dimensions are in the order in which a mismatch is reported.
func (c Config) dimensions() []dimension {
	return []dimension{
		{"Charset", "Accept-Charset", "charset, such as utf-8", c.Charset, Charsets,
			func(p *Preferred) *string { return &p.Charset }, func(p *Preferred) *[]string { return &p.Charsets }},
		{"Encoding", "Accept-Encoding", "content coding, such as gzip", c.Encoding, Encodings,
			func(p *Preferred) *string { return &p.Encoding }, func(p *Preferred) *[]string { return &p.Encodings }},
		{"Language", "Accept-Language", "language tag, such as en-CA", c.Language, Languages,
			func(p *Preferred) *string { return &p.Language }, func(p *Preferred) *[]string { return &p.Languages }},
		{"MediaType", "Accept", "media type, such as application/json", c.MediaType, MediaTypes,
			func(p *Preferred) *string { return &p.MediaType }, func(p *Preferred) *[]string { return &p.MediaTypes }},
	}
}

// New returns the middleware, which is safe for concurrent use. It copies cfg and
// panics with the error of [Config.Validate] if there is one.
func New(cfg Config) func(http.Handler) http.Handler {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	var asked []dimension
	var vary []string
	for _, d := range cfg.dimensions() {
		if d.offers.Ignore {
			continue
		}
		d.offers.Available = append([]string(nil), d.offers.Available...)
		asked = append(asked, d)
		if len(d.offers.Available) > 0 && !cfg.OmitVary {
			vary = append(vary, d.header)
		}
	}
	return func(next http.Handler) http.Handler {
		layer.Refuses("negotiate", next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			finish := func() {}
			if len(vary) > 0 {
				w, finish = response.OnHeader(w, func(status int, h http.Header) int {
					header.Vary(h, vary...)
					return status
				})
			}
			p := new(Preferred)
			for _, d := range asked {
				if err := d.negotiate(p, r.Header, cfg.AllowMismatch); err != nil {
					web.WriteError(w, r, err)
					return
				}
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, p)))
			finish()
		})
	}
}

func (d *dimension) negotiate(p *Preferred, h http.Header, allowMismatch bool) error {
	offers := d.offers.Available
	list := d.find(h, offers...)
	single := ""
	switch {
	case len(list) > 0:
		single = list[0]
	case len(offers) == 0:
	case d.offers.DefaultToFirst:
		single = offers[0]
	case d.header == "Accept-Encoding" && EncodingQuality(h, "identity") > 0:
		single, list = "identity", []string{"identity"}
	case !allowMismatch:
		// Values are the server's own; the client's are not repeated to it.
		return web.Errorf(http.StatusNotAcceptable, "Unsupported %s. Acceptable values: %s", d.name, strings.Join(offers, ", "))
	}
	*d.single(p), *d.list(p) = single, list
	return nil
}
