// Package serialize writes a Go value in the format that the client accepts.
//
// A handler that begins with json.NewEncoder(w).Encode(v) has decided for all
// clients, also for the one that said Accept: application/xml, and has sent 200
// before it can know that v cannot be encoded. With [Write] the handler hands over
// the value; the format is chosen by Accept, the status goes out when the bytes are
// there, and Vary tells caches that there is a choice.
//
//	mux.Handle("GET /orders/{id}", web.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
//		return serialize.Write(w, r, http.StatusOK, order)
//	}))
//
// [New] says which formats there are; without it they are [JSON] and [Text]. [XML] is
// one more. What the client named itself is answered under that name: a serializer
// whose Match knows application/vnd.api+json writes that as its Content-Type.
//
// It is Middy's http-response-serializer, which serialises bodies that handlers wrote
// without a Content-Type: see [Config.Bodies]. Deviations from Middy: wildcards and
// weights in Accept count, also without package negotiate; a Content-Type may have
// parameters; what is not a media type is never chosen, where Middy serialises it and
// sends no Content-Type.
package serialize

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/internal/header"
	"github.com/gomiddy/middy/web/internal/layer"
	"github.com/gomiddy/middy/web/negotiate"
)

// A Serializer is one format.
type Serializer struct {
	// MediaType is what it is offered as, and the response's Content-Type, with
	// parameters if it shall have some: "text/csv; charset=utf-8". Required.
	MediaType string

	// Match tells whether it serves a media type that the client named, in lower
	// case, without parameters. Default: only MediaType.
	Match func(mediaType string) bool

	// Serialize encodes a value. It must be safe for concurrent use. Required.
	Serialize func(v any) ([]byte, error)

	essence string // of MediaType
}

// JSON is application/json, and whatever ends in +json, by encoding/json.
func JSON() Serializer {
	return Serializer{
		MediaType: "application/json",
		Match:     func(t string) bool { return t == "application/json" || strings.HasSuffix(t, "+json") },
		Serialize: json.Marshal,
	}
}

// XML is application/xml, text/xml, and whatever ends in +xml, by encoding/xml. A map
// has no form in XML: it is an error, and a 500.
func XML() Serializer {
	return Serializer{
		MediaType: "application/xml",
		Match: func(t string) bool {
			return t == "application/xml" || t == "text/xml" || strings.HasSuffix(t, "+xml")
		},
		Serialize: func(v any) ([]byte, error) {
			b, err := xml.Marshal(v)
			return append([]byte(xml.Header), b...), err
		},
	}
}

// Text is text/plain in UTF-8: a text or []byte as it is, other values as fmt.Sprint
// writes them.
func Text() Serializer {
	return Serializer{
		MediaType: "text/plain; charset=utf-8",
		Serialize: func(v any) ([]byte, error) {
			if b, ok := v.([]byte); ok {
				return b, nil
			}
			return fmt.Append(nil, v), nil
		},
	}
}

// Config configures [New].
type Config struct {
	// Serializers are the formats. On equal terms the earlier one is chosen.
	// Default: [JSON] and [Text].
	Serializers []Serializer

	// Default is the media type for a client that accepts every one, or, unless
	// NotAcceptable, none of them. A serializer must serve it. Default: that of the
	// first serializer.
	Default string

	// NotAcceptable answers 406 to a client that accepts none. Default: it gets
	// Default, which RFC 9110 section 12.4.1 allows.
	NotAcceptable bool

	// Bodies serialises, as a string, the body of a handler that has set no
	// Content-Type, as Middy does. Up to MaxBytes are kept for that; a response that
	// is flushed or larger passes as it is. Default: only [Write] serialises.
	Bodies bool

	// MaxBytes is the bound for Bodies. Default: 6 MiB.
	MaxBytes int

	// OmitVary does not add Accept to Vary. Default: it is added where there is
	// more than one serializer.
	OmitVary bool

	fallback string // the essence of Default
}

// maxName is the longest media type that is taken from a client, as in Middy.
const maxName = 128

func (c Config) withDefaults() *Config {
	c.Serializers = slices.Clone(c.Serializers)
	if len(c.Serializers) == 0 {
		c.Serializers = []Serializer{JSON(), Text()}
	}
	for i := range c.Serializers {
		c.Serializers[i].essence = essence(c.Serializers[i].MediaType)
	}
	if c.Default == "" {
		c.Default = c.Serializers[0].MediaType
	}
	c.fallback = essence(c.Default)
	if c.MaxBytes <= 0 {
		c.MaxBytes = 6 << 20
	}
	return &c
}

// Validate reports all serializers that cannot work, and a Default that none serves.
func (c Config) Validate() error {
	full := c.withDefaults()
	var errs []error
	for i, s := range full.Serializers {
		if s.essence == "" {
			errs = append(errs, fmt.Errorf("serialize: Serializers[%d].MediaType is %q, which is no media type", i, s.MediaType))
		}
		if s.Serialize == nil {
			errs = append(errs, fmt.Errorf("serialize: Serializers[%d] (%s) has no Serialize", i, s.MediaType))
		}
	}
	if len(errs) == 0 && full.find(full.fallback) == nil {
		errs = append(errs, fmt.Errorf("serialize: no serializer serves the Default %q", c.Default))
	}
	return errors.Join(errs...)
}

// essence is a media type in lower case without its parameters, or "".
func essence(mediaType string) string {
	t, _, err := mime.ParseMediaType(mediaType)
	if err != nil || !strings.Contains(t, "/") || strings.Contains(t, "*") {
		return ""
	}
	return t
}

type configKey struct{}

// New returns the middleware. What it returns is safe for concurrent use. A Config
// that Validate refuses makes New panic with that error.
func New(cfg Config) func(http.Handler) http.Handler {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	c := cfg.withDefaults()
	return func(next http.Handler) http.Handler {
		return layer.Passes(next, func(w http.ResponseWriter, r *http.Request) {
			r = r.WithContext(context.WithValue(r.Context(), configKey{}, c))
			if !c.Bodies {
				next.ServeHTTP(w, r)
				return
			}
			c.serveBodies(next, w, r)
		})
	}
}

// Write writes v with a status, in the format that the client accepts, or of the
// Content-Type that the handler has set. Nothing is written when it returns an error:
// return that from a [web.HandlerFunc]. It is a [*web.Error] with status 406 where
// [Config.NotAcceptable] wants it, and otherwise says why v could not be encoded.
func Write(w http.ResponseWriter, r *http.Request, status int, v any) error {
	c, ok := r.Context().Value(configKey{}).(*Config)
	if !ok {
		c = standard()
	}
	return c.write(w, r, status, v)
}

// standard is the configuration without New.
var standard = sync.OnceValue(Config{}.withDefaults)

func (c *Config) write(w http.ResponseWriter, r *http.Request, status int, v any) error {
	h := w.Header()
	if h.Get("Content-Type") == "" && len(c.Serializers) > 1 && !c.OmitVary {
		header.Vary(h, "Accept")
	}
	if noBody(status) {
		w.WriteHeader(status)
		return nil
	}
	s, name, err := c.choose(h, r)
	if err != nil {
		return err
	}
	b, err := s.Serialize(v)
	if err != nil {
		return fmt.Errorf("serialize: a %T as %s: %w", v, name, err)
	}
	h.Set("Content-Type", name)
	h.Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b) // the client has gone; there is nobody to tell
	return nil
}

func noBody(status int) bool {
	return status < 200 || status == http.StatusNoContent || status == http.StatusNotModified
}

// choose returns the serializer and the Content-Type of the response.
func (c *Config) choose(h http.Header, r *http.Request) (*Serializer, string, error) {
	if set := h.Get("Content-Type"); set != "" {
		s := c.find(essence(set))
		if s == nil {
			return nil, "", fmt.Errorf("serialize: the handler has set the Content-Type %q, and no serializer serves it", set)
		}
		return s, set, nil
	}
	for _, name := range c.candidates(r) {
		if s := c.find(name); s != nil {
			return s, c.spelled(s, name), nil
		}
	}
	if c.NotAcceptable {
		return nil, "", c.notAcceptable()
	}
	s := c.find(c.fallback)
	return s, c.spelled(s, c.fallback), nil
}

// candidates are media types in lower case, without parameters, in the order of the
// client's preference: what package negotiate found, or what Accept says of our types
// and of those it names.
func (c *Config) candidates(r *http.Request) []string {
	if p, ok := negotiate.From(r.Context()); ok {
		return c.withoutWildcards(p.MediaTypes)
	}
	offers := append(make([]string, 0, len(c.Serializers)+1), c.fallback)
	for i := range c.Serializers {
		offers = append(offers, c.Serializers[i].essence)
	}
	for _, named := range negotiate.MediaTypes(r.Header) {
		if len(named) <= maxName && plain(named) && c.find(strings.ToLower(named)) != nil {
			offers = append(offers, strings.ToLower(named))
		}
	}
	return negotiate.MediaTypes(r.Header, offers...)
}

// withoutWildcards puts our types where the client takes every one, or all of a kind.
func (c *Config) withoutWildcards(names []string) []string {
	var candidates []string
	for _, name := range names {
		kind, all := strings.CutSuffix(strings.ToLower(name), "/*")
		switch {
		case name == "*/*":
			candidates = append(candidates, c.fallback)
		case all:
			for i := range c.Serializers {
				if e := c.Serializers[i].essence; strings.HasPrefix(e, kind+"/") {
					candidates = append(candidates, e)
				}
			}
		case len(name) <= maxName && plain(essence(name)):
			candidates = append(candidates, essence(name))
		}
	}
	return candidates
}

// plain tells whether a name from a client may stand in a response.
func plain(name string) bool {
	top, sub, ok := strings.Cut(name, "/")
	return ok && word(top) && word(sub)
}

func word(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && (i == 0 || strings.IndexByte("!#$&^_.+-", c) < 0) { // RFC 6838 section 4.2
			return false
		}
	}
	return s != ""
}

// find returns the first serializer for a media type in lower case.
func (c *Config) find(mediaType string) *Serializer {
	for i := range c.Serializers {
		s := &c.Serializers[i]
		if mediaType == s.essence || s.Match != nil && mediaType != "" && s.Match(mediaType) {
			return s
		}
	}
	return nil
}

// spelled is the Content-Type for a chosen name: as the Config writes it, with
// parameters, if the name is there.
func (c *Config) spelled(s *Serializer, name string) string {
	switch {
	case name == c.fallback && strings.Contains(c.Default, ";"):
		return c.Default
	case name == s.essence:
		return s.MediaType
	}
	return name
}

func (c *Config) notAcceptable() *web.Error {
	var have []string
	for _, s := range c.Serializers {
		have = append(have, s.MediaType)
	}
	return &web.Error{Status: http.StatusNotAcceptable, Detail: "there is " + strings.Join(have, ", ")}
}
