// Package cors lets web pages of other origins read responses, within limits: it
// answers the browser's preflight requests and adds the CORS headers of the Fetch
// standard, https://fetch.spec.whatwg.org/#http-cors-protocol.
//
// Written by hand, CORS fails in three ways. It is too strict: the error responses lack
// the headers, so that the page sees "network error" where the server said what was
// wrong. It is too lax: a pattern for *.example.com lets evil-example.com in, and then
// with cookies. Or it is confused: a cache keeps the response to one origin and serves
// it to another, because Vary does not say that they differ.
//
//	cors.New(cors.Config{
//		Origins: []string{"https://app.example.com", "https://*.preview.example.com"},
//		Methods: []string{"GET", "PUT"},
//		Headers: []string{"Authorization", "Content-Type"},
//		MaxAge:  time.Hour,
//	})
//
// Place it outside of all that refuses requests, so that refusals carry the headers too
// and preflights, which never carry credentials, are not refused. With http.ServeMux,
// that is around the mux.
//
// Deviations from Middy's http-cors, each for the client's sake:
//   - A preflight is an OPTIONS request with Origin and Access-Control-Request-Method, and
//     is answered unless Preflight says otherwise; Middy passes it on by default, and when
//     told to answer takes every OPTIONS for one. Both can be had.
//   - Access-Control-Allow-Origin: * never goes with Access-Control-Allow-Credentials:
//     true, which browsers refuse.
//   - Vary names Origin whenever the response would be another one for another origin,
//     also when a single allowed origin did not match and when GetOrigin decides; and
//     what else a preflight's answer depends on. No name stands twice in it, and a Vary of
//     the handler does not keep those of the Config away.
//   - Credentials is a bool: the texts "false" and "include" mean no credentials in
//     browsers.
//   - A MaxAge that is negative is sent, as 0.
//   - Origins are ASCII, as browsers send them. What no browser sends is refused at start
//     in a Config, and not allowed in a request.
package cors

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gomiddy/middy/web/internal/header"
	"github.com/gomiddy/middy/web/internal/layer"
	"github.com/gomiddy/middy/web/internal/response"
)

// Config configures [New]. The zero value allows no origin: it answers preflights with
// nothing that a browser takes for a permission.
type Config struct {
	// Origins are the allowed origins: scheme, host and, if it is not the scheme's
	// default, port, such as "https://app.example.com". In an origin, "*" stands for any
	// number of characters that are not dots: "https://*.example.com" allows
	// https://a.example.com, not https://a.b.example.com, and "http://localhost:*" any
	// port. The origin "*" alone allows all; with Credentials, that is every page on the
	// web in the name of your user. Hosts may be written in any script. Default: none.
	Origins []string

	// Origin is the one origin that is sent whatever the request says, as it is written
	// here. With "*" and Credentials the request's origin is sent in its place. When there
	// are Origins, it is one more of them. Default: none.
	Origin string

	// GetOrigin takes the place of the rules above: it returns the origin to allow, or
	// "". It gets the request's Origin as it came, and whether credentials are allowed,
	// which the handler may have changed. Default: the rules above.
	GetOrigin func(r *http.Request, origin string, credentials bool) string

	// Credentials lets pages send cookies and read the responses to such requests. A
	// handler can decide otherwise in Access-Control-Allow-Credentials.
	Credentials bool

	// Methods are what a page may use beside GET, HEAD and POST; "*" is any, and does not go
	// with Credentials. Default: none.
	Methods []string

	// Headers are what a page may send beside the safelisted ones; "*" is any but
	// Authorization, and does not go with Credentials. Default: none.
	Headers []string

	// ExposeHeaders are what a page may read beside the safelisted ones; "*" is any, and
	// does not go with Credentials. Default: none.
	ExposeHeaders []string

	// MaxAge is how long a browser may keep the answer to a preflight, in whole seconds;
	// browsers keep it for two hours at most. Default: the header is not sent, and they
	// keep it for 5 s. Negative: they do not keep it.
	MaxAge time.Duration

	// Preflight says who answers preflights. Default: [Answer].
	Preflight Preflight

	// RequestMethods are the methods for which a preflight is answered with a permission.
	// A browser compares with Methods; this keeps even those from a page that asks for another one.
	// Default: all.
	RequestMethods []string

	// RequestHeaders are the headers for which a preflight is answered with a permission,
	// beside Accept, Accept-Language, Content-Language, Content-Type and Range.
	// Default: all.
	RequestHeaders []string

	// PrivateNetwork allows pages of the public internet to reach a server in a private
	// network, when the browser asks with Access-Control-Request-Private-Network:
	// https://wicg.github.io/private-network-access/.
	PrivateNetwork bool

	// CacheControl is the Cache-Control of the responses to OPTIONS. Default: none.
	CacheControl string

	// Vary are request headers on which responses depend, beside those that this package
	// knows of. Default: none.
	Vary []string
}

// A Preflight says who answers preflights, the OPTIONS requests by which a browser asks
// before it sends what a form could not.
type Preflight int

const (
	// Answer answers OPTIONS requests that are preflights with 204.
	Answer Preflight = iota

	// AnswerEvery answers every OPTIONS request with 204, as Middy does with
	// disableBeforePreflightResponse: false.
	AnswerEvery

	// Pass leaves preflights to the handler and adds the headers to what it answers, as
	// Middy does by default. RequestMethods and RequestHeaders are not looked at.
	Pass
)

// Validate reports invalid header values, methods and names in c, and what browsers never
// send, refuse or do not let a page read, so that it could only look like a permission.
func (c Config) Validate() error {
	var errs []error
	report := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("cors: "+format, args...))
		}
	}
	for i, o := range c.Origins {
		if o == "*" {
			continue
		}
		err := checkOrigin(lower(o), "*")
		report(err == nil, "Origins[%d] is %q: %v", i, o, err)
		report(!c.Credentials || !wide(lower(o)), "Origins[%d] is %q, which anybody can register a host for; with Credentials that is everybody in the name of your user", i, o)
	}
	if c.Origin != "" && c.Origin != "*" {
		err := checkOrigin(lower(c.Origin), "")
		report(err == nil, "Origin is %q: %v", c.Origin, err)
	}
	for _, list := range []struct {
		name     string
		elements []string
		refuse   func(token string) string
	}{
		{"Methods", c.Methods, c.methodRefused},
		{"Headers", c.Headers, c.headerRefused},
		{"ExposeHeaders", c.ExposeHeaders, c.exposedRefused},
		{"RequestMethods", c.RequestMethods, forbiddenMethod},
		{"RequestHeaders", c.RequestHeaders, forbiddenHeader},
		{"Vary", c.Vary, func(string) string { return "" }},
	} {
		for i, element := range list.elements {
			for token := range header.Split(element) { // "GET,POST" is as good as two
				report(isToken(token), "%s[%d] has %q, which is not a name", list.name, i, token)
				why := list.refuse(token)
				report(why == "", "%s[%d] has %q: %s", list.name, i, token, why)
			}
			report(strings.Trim(element, ", ") != "", "%s[%d] is %q, which names nothing", list.name, i, element)
		}
	}
	report(isValue(c.CacheControl), "CacheControl is %q, which no header can carry", c.CacheControl)
	report(c.MaxAge <= 0 || c.MaxAge >= time.Second, "MaxAge is %v; browsers count seconds", c.MaxAge)
	report(c.Preflight >= Answer && c.Preflight <= Pass, "Preflight is %d; use Answer, AnswerEvery or Pass", c.Preflight)
	return errors.Join(errs...)
}

// literal is why "*" is no wildcard: https://fetch.spec.whatwg.org/#cors-preflight-fetch.
const literal = "with Credentials browsers take * for a name; list what is allowed"

func (c *Config) methodRefused(method string) string {
	if c.Credentials && method == "*" {
		return literal
	}
	if upper := strings.ToUpper(method); upper != method && slices.Contains([]string{"DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"}, upper) {
		return "browsers compare by case and send " + upper
	}
	return forbiddenMethod(method)
}

// forbiddenMethod: https://fetch.spec.whatwg.org/#forbidden-method.
func forbiddenMethod(method string) string {
	if slices.Contains([]string{"CONNECT", "TRACE", "TRACK"}, strings.ToUpper(method)) {
		return "browsers do not let a page use it"
	}
	return ""
}

func (c *Config) headerRefused(name string) string {
	if c.Credentials && name == "*" {
		return literal
	}
	return forbiddenHeader(name)
}

// forbidden are the headers that a page cannot set:
// https://fetch.spec.whatwg.org/#forbidden-request-header.
var forbidden = []string{
	"Accept-Charset", "Accept-Encoding", "Access-Control-Request-Headers", "Access-Control-Request-Method", "Access-Control-Request-Private-Network",
	"Connection", "Content-Length", "Cookie", "Cookie2", "Date", "Dnt", "Expect", "Host", "Keep-Alive", "Origin", "Referer", "Set-Cookie", "Te",
	"Trailer", "Transfer-Encoding", "Upgrade", "Via",
}

func forbiddenHeader(name string) string {
	canonical := http.CanonicalHeaderKey(name)
	if slices.Contains(forbidden, canonical) || strings.HasPrefix(canonical, "Proxy-") || strings.HasPrefix(canonical, "Sec-") {
		return "browsers do not let a page set it"
	}
	return ""
}

// exposedRefused: https://fetch.spec.whatwg.org/#forbidden-response-header-name.
func (c *Config) exposedRefused(name string) string {
	if c.Credentials && name == "*" {
		return literal
	}
	if strings.EqualFold(name, "Set-Cookie") || strings.EqualFold(name, "Set-Cookie2") {
		return "browsers do not let a page read it"
	}
	return ""
}

func isValue(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

// New returns the middleware, which is safe for concurrent use. It copies cfg and
// panics with the error of [Config.Validate] if there is one.
func New(cfg Config) func(http.Handler) http.Handler {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	m := &middleware{
		cfg:              cfg,
		allow:            compile(cfg),
		credentials:      []string{"true"},
		methods:          line(cfg.Methods),
		headers:          line(cfg.Headers),
		exposed:          line(cfg.ExposeHeaders),
		vary:             varies(cfg.Vary),
		varyOrigin:       varies(cfg.Vary, "Origin"),
		cacheControl:     line([]string{cfg.CacheControl}),
		privateNetwork:   []string{"true"},
		requestedMethods: each(cfg.RequestMethods, strings.ToUpper),
		requestedHeaders: each(cfg.RequestHeaders, strings.ToLower),
	}
	if cfg.MaxAge != 0 {
		m.maxAge = []string{strconv.FormatInt(int64(max(cfg.MaxAge, 0)/time.Second), 10)}
	}
	if len(m.requestedMethods) > 0 {
		m.preflightVary = append(m.preflightVary, "Access-Control-Request-Method")
	}
	if len(m.requestedHeaders) > 0 {
		m.preflightVary = append(m.preflightVary, "Access-Control-Request-Headers")
		m.requestedHeaders = append(m.requestedHeaders, "accept", "accept-language", "content-language", "content-type", "range")
	}
	if cfg.PrivateNetwork {
		m.preflightVary = append(m.preflightVary, "Access-Control-Request-Private-Network")
	}
	return func(next http.Handler) http.Handler {
		return layer.Decorates("cors", func(w http.ResponseWriter, r *http.Request) {
			if m.answers(r) {
				m.preflight(w, r)
				return
			}
			w, finish := response.OnHeader(w, func(status int, h http.Header) int {
				m.decorate(h, r)
				return status
			})
			next.ServeHTTP(w, r)
			finish()
		})
	}
}

// line is the one line of a list header, or nil. It is shared by all responses, and full,
// so that who appends to it gets a copy.
func line(list []string) []string {
	if s := strings.Join(list, ", "); s != "" {
		return []string{s}
	}
	return nil
}

// varies is the one line of Vary with the names of list and others, without repetitions.
func varies(list []string, others ...string) []string {
	h := http.Header{}
	header.Vary(h, each(list, strings.TrimSpace)...)
	header.Vary(h, others...)
	return h["Vary"]
}

// each has the tokens of list, each mapped.
func each(list []string, f func(string) string) []string {
	var all []string
	for _, element := range list {
		for token := range header.Split(element) {
			all = append(all, f(token))
		}
	}
	return all
}

type middleware struct {
	cfg            Config
	allow          allowed
	vary           []string // one line
	varyOrigin     []string // one line, with Origin
	preflightVary  []string // what the answer to a preflight depends on, beside Origin
	credentials    []string // header lines, shared by all responses
	methods        []string
	headers        []string
	exposed        []string
	maxAge         []string
	cacheControl   []string
	privateNetwork []string

	requestedMethods []string // upper case
	requestedHeaders []string // lower case
}

// answers says whether r is answered here.
func (m *middleware) answers(r *http.Request) bool {
	if r.Method != http.MethodOptions {
		return false
	}
	switch m.cfg.Preflight {
	case AnswerEvery:
		return true
	case Pass:
		return false
	}
	return r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

func (m *middleware) preflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	header.Vary(h, m.preflightVary...)
	if m.permits(r) {
		m.decorate(h, r)
		if m.cfg.PrivateNetwork && h.Get("Access-Control-Allow-Origin") != "" && r.Header.Get("Access-Control-Request-Private-Network") == "true" {
			h["Access-Control-Allow-Private-Network"] = m.privateNetwork
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// permits says whether what a preflight asks for may be had. Methods are compared by
// case, as browsers do: https://fetch.spec.whatwg.org/#methods.
func (m *middleware) permits(r *http.Request) bool {
	if method := r.Header.Get("Access-Control-Request-Method"); method != "" && len(m.requestedMethods) > 0 && !slices.Contains(m.requestedMethods, method) {
		return false
	}
	if m.requestedHeaders == nil {
		return true
	}
	for name := range header.Elements(r.Header, "Access-Control-Request-Headers") {
		if !slices.ContainsFunc(m.requestedHeaders, func(s string) bool { return strings.EqualFold(s, name) }) {
			return false
		}
	}
	return true
}

// decorate adds to a response what a browser wants to see. What the handler set, stays.
func (m *middleware) decorate(h http.Header, r *http.Request) {
	credentials := m.cfg.Credentials
	if set, ok := h["Access-Control-Allow-Credentials"]; ok {
		credentials = len(set) > 0 && set[0] == "true"
	} else if credentials {
		h["Access-Control-Allow-Credentials"] = m.credentials
	}
	put(h, "Access-Control-Allow-Headers", m.headers)
	put(h, "Access-Control-Allow-Methods", m.methods)
	if origin := m.origin(r, credentials); origin != "" {
		put(h, "Access-Control-Allow-Origin", []string{origin})
	}
	if credentials && h.Get("Access-Control-Allow-Origin") == "*" {
		h.Del("Access-Control-Allow-Credentials") // the pair is refused, * alone is not
	}
	vary := m.vary
	if m.cfg.GetOrigin != nil || m.allow.depends(credentials) {
		vary = m.varyOrigin
	}
	if _, ok := h["Vary"]; ok {
		header.Vary(h, each(vary, strings.TrimSpace)...)
	} else {
		put(h, "Vary", vary)
	}
	put(h, "Access-Control-Expose-Headers", m.exposed)
	put(h, "Access-Control-Max-Age", m.maxAge)
	if r.Method == http.MethodOptions {
		put(h, "Cache-Control", m.cacheControl)
	}
}

// put sets a header that is not there, not even without a value.
func put(h http.Header, name string, lines []string) {
	if _, ok := h[name]; !ok && lines != nil {
		h[name] = lines
	}
}

func (m *middleware) origin(r *http.Request, credentials bool) string {
	incoming := strings.Join(r.Header["Origin"], ",") // a browser sends one
	if m.cfg.GetOrigin == nil {
		return m.allow.origin(incoming, credentials)
	}
	if origin := m.cfg.GetOrigin(r, incoming, credentials); isValue(origin) {
		return origin
	}
	return ""
}
