// Package headers fills in request headers that are missing, and shows headers
// under the names that code from elsewhere expects.
//
// In Go header names need no normalising: http.Header finds them in any case, and
// lines of one name are one list. What is left of Middy's http-header-normalizer is
// defaults, which [New] sets, and maps with names in lower case, or in the case of
// the RFCs, for code that is ported, for templates and for events of one's own:
// [Lower], [Canonical] and [Rename].
//
// Deviations from Middy: values of names that differ only in case are all kept, where
// Middy keeps the last one; defaults are set although a request has no headers at
// all, which an event can lack and HTTP cannot.
package headers

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/gomiddy/middy/web/internal/layer"
)

// Config configures [New].
type Config struct {
	// Defaults are headers that a request gets when it has none of that name: a name
	// with one value for each line. What the request says counts, even if empty.
	// Names may be in any case. Default: none.
	Defaults http.Header
}

// Validate reports names that are no header names, and Host, which net/http keeps
// elsewhere.
func (c Config) Validate() error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(c.Defaults)) {
		switch {
		case !token(name):
			errs = append(errs, fmt.Errorf("headers: Defaults has %q, which is no header name", name))
		case strings.EqualFold(name, "Host"):
			errs = append(errs, errors.New("headers: Defaults has Host; every request has one, in r.Host"))
		}
	}
	return errors.Join(errs...)
}

// token is RFC 9110 section 5.6.2.
func token(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// New returns the middleware. What it returns is safe for concurrent use. A Config
// that Validate refuses makes New panic with that error.
func New(cfg Config) func(http.Handler) http.Handler {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	defaults := http.Header{}
	for _, name := range slices.Sorted(maps.Keys(cfg.Defaults)) {
		for _, value := range cfg.Defaults[name] {
			defaults.Add(name, value)
		}
	}
	return func(next http.Handler) http.Handler {
		return layer.Passes(next, func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, complete(r, defaults))
		})
	}
}

// complete returns r with its defaults. The caller's r keeps its headers: a log
// outside wants to see what came.
func complete(r *http.Request, defaults http.Header) *http.Request {
	var full *http.Request
	for name, values := range defaults {
		if len(r.Header[name]) > 0 {
			continue
		}
		if full == nil {
			full = new(http.Request)
			*full = *r
			full.Header = maps.Clone(r.Header)
			if full.Header == nil {
				full.Header = http.Header{}
			}
		}
		full.Header[name] = slices.Clone(values)
	}
	if full == nil {
		return r
	}
	return full
}

// Lower returns headers under names in lower case, as HTTP/2 and Middy's handlers
// have them. Host is not among them: net/http keeps it in r.Host.
func Lower(h http.Header) map[string][]string { return Rename(h, strings.ToLower) }

// Canonical returns headers under the names that [CanonicalName] gives them.
func Canonical(h http.Header) map[string][]string { return Rename(h, CanonicalName) }

// Rename returns headers under other names. Values whose names become the same
// stand behind each other, in the order of their sorted old names.
func Rename(h http.Header, name func(string) string) map[string][]string {
	renamed := make(map[string][]string, len(h))
	for _, old := range slices.Sorted(maps.Keys(h)) {
		to := name(old)
		renamed[to] = append(renamed[to], h[old]...)
	}
	return renamed
}

// Single joins the values of each name with a comma, as event.headers of a REST API
// does. Set-Cookie cannot be joined: RFC 9110 section 5.3.
func Single(h map[string][]string) map[string]string {
	single := make(map[string]string, len(h))
	for name, values := range h {
		single[name] = strings.Join(values, ",")
	}
	return single
}

// CanonicalName writes a header's name as its RFC does: each word with a capital,
// apart from "ETag", "WWW-Authenticate" and others like them. It differs from
// [http.CanonicalHeaderKey], which knows no exceptions, so that the result is no key
// of an http.Header.
func CanonicalName(name string) string {
	name = strings.ToLower(name)
	if exception, ok := exceptions[name]; ok {
		return exception
	}
	b := []byte(name)
	first := true
	for i, c := range b {
		if first && 'a' <= c && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
		first = c == '-'
	}
	return string(b)
}

// exceptions are Middy's.
var exceptions = map[string]string{
	"alpn":                      "ALPN",
	"c-pep":                     "C-PEP",
	"c-pep-info":                "C-PEP-Info",
	"caldav-timezones":          "CalDAV-Timezones",
	"content-id":                "Content-ID",
	"content-md5":               "Content-MD5",
	"dasl":                      "DASL",
	"dav":                       "DAV",
	"dnt":                       "DNT",
	"etag":                      "ETag",
	"getprofile":                "GetProfile",
	"http2-settings":            "HTTP2-Settings",
	"last-event-id":             "Last-Event-ID",
	"mime-version":              "MIME-Version",
	"nel":                       "NEL",
	"optional-www-authenticate": "Optional-WWW-Authenticate",
	"sec-websocket-accept":      "Sec-WebSocket-Accept",
	"sec-websocket-extensions":  "Sec-WebSocket-Extensions",
	"sec-websocket-key":         "Sec-WebSocket-Key",
	"sec-websocket-protocol":    "Sec-WebSocket-Protocol",
	"sec-websocket-version":     "Sec-WebSocket-Version",
	"slug":                      "SLUG",
	"tcn":                       "TCN",
	"te":                        "TE",
	"ttl":                       "TTL",
	"www-authenticate":          "WWW-Authenticate",
	"x-att-deviceid":            "X-ATT-DeviceId",
	"x-dnsprefetch-control":     "X-DNSPrefetch-Control",
	"x-uidh":                    "X-UIDH",
}
