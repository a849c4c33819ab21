// Package negotiate finds which of the things that a server has the client wants:
// charsets, content codings, languages and media types.
//
// A client says what it can read in Accept headers, with weights and wildcards. The
// first substring that looks right serves "br;q=0" with Brotli and
// "text/*;q=0.1, application/json" with text. This package reads the headers as
// RFC 9110 section 12.5 has them and orders as the npm module negotiator does, so
// that what a client was served by Node it is served by Go.
//
// [Charsets], [Encodings], [Languages] and [MediaTypes] are functions of a header and
// need no middleware. [New] does the four at once before the handler, answers 406
// when nothing fits, and leaves the result for [From]:
//
//	negotiate.New(negotiate.Config{
//		MediaType: negotiate.Offers{Available: []string{"application/json", "text/csv"}},
//	})
//
// Place it outside of the middlewares that read its result, such as package compress,
// and inside of those that decorate errors, such as package cors.
//
// Deviations from Middy's http-content-negotiation, each for the client's sake:
//   - When no content coding fits, the response goes without one, unless the client
//     refused that too: RFC 9110 section 12.5.3. Middy answers 406 to every client
//     that sends no Accept-Encoding.
//   - Spaces around a weight are allowed in Accept-Language as everywhere, a weight may
//     be written "Q", and weights are clamped to [0, 1].
//   - Vary names the headers that were asked, so that a cache does not serve one
//     client's choice to another. OmitVary turns that off.
//   - A header counts up to its 8192nd element.
package negotiate

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/gomiddy/middy/web/internal/header"
)

// maxElements bounds what one header can cost. API Gateway lets 10,240 bytes of
// headers through, so that a client of a function never comes near.
const maxElements = 8192

// Charsets returns the offers that the client accepts by Accept-Charset, the best one
// first. Without offers it returns what the client named, as written, "*" included.
// A request without the header accepts everything.
func Charsets(h http.Header, offers ...string) []string {
	return rank(tokens(h, "Accept-Charset", "*"), offers, ofToken)
}

// Encodings returns the offers that the client accepts by Accept-Encoding, the best one
// first. Without offers it returns what the client named, as written, "*" included.
//
// The coding identity, which is none, is accepted with the lowest weight that the header
// gives, unless the header names it or "*". A request without the header accepts
// identity alone: RFC 9110 section 12.5.3 would allow anything, but a client that does
// not ask seldom decodes.
func Encodings(h http.Header, offers ...string) []string {
	return rank(encodings(h), offers, ofCoding)
}

// EncodingQuality returns the weight, from 0 to 1, that the client gives to one content
// coding; 0 when it does not accept it. It allocates nothing.
func EncodingQuality(h http.Header, coding string) float64 {
	quality, lowest, named := 0.0, 1.0, false
	specificity, n := -1, 0
	for _, line := range h.Values("Accept-Encoding") {
		for element := range header.Split(line) {
			a, ok := token(element)
			if !ok {
				continue
			}
			if n++; n > maxElements {
				break
			}
			named = named || ofCoding("identity", a) >= 0
			lowest = min(lowest, weightOrOne(a.q))
			switch s := ofCoding(coding, a); {
			case s > specificity:
				specificity, quality = s, a.q
			case s == specificity && s >= 0:
				quality = max(quality, a.q)
			}
		}
	}
	if !named && strings.EqualFold(coding, "identity") {
		return lowest
	}
	return quality
}

// Languages returns the offers that the client accepts by Accept-Language, the best one
// first. Without offers it returns what the client named, as written, "*" included.
// A request without the header accepts everything.
//
// "en" in the header accepts the offer "en-CA", and "en-US" accepts the offer "en", but
// not "en-CA".
func Languages(h http.Header, offers ...string) []string {
	return rank(tokens(h, "Accept-Language", "*"), offers, ofLanguage)
}

// MediaTypes returns the offers that the client accepts by Accept, the best one first.
// Without offers it returns the types that the client named, without their parameters,
// "*/*" included. A request without the header accepts everything.
//
// A parameter in the header must be the offer's too: "text/html;level=1" accepts the
// offer "text/html;level=1" only.
func MediaTypes(h http.Header, offers ...string) []string {
	return rank(mediaTypes(h), offers, ofMediaType)
}

// accepted is one element of an Accept header.
type accepted struct {
	value  string // as the client wrote it, without parameters
	params string // of a media type, up to the weight; from the first ";"
	q      float64
	at     int // place in the header
}

// match is how an offer, or an element when there are no offers, did.
type match struct {
	value           string
	q               float64
	specificity, at int
	offer           int
}

// rank orders offers, or the elements themselves. specificity says how closely an
// element names an offer, and is negative when it does not.
func rank(elements []accepted, offers []string, specificity func(offer string, a accepted) int) []string {
	var matches []match
	if len(offers) == 0 {
		for _, a := range elements {
			matches = append(matches, match{value: a.value, q: a.q, at: a.at})
		}
	}
	for i, offer := range offers {
		best := match{value: offer, specificity: -1, offer: i}
		for _, a := range elements {
			s := specificity(offer, a)
			// The closest element decides, also with a lower weight: "text/*, text/html;q=0".
			if s > best.specificity || s == best.specificity && s >= 0 && a.q >= best.q {
				best.q, best.specificity, best.at = a.q, s, a.at
			}
		}
		matches = append(matches, best)
	}
	matches = slices.DeleteFunc(matches, func(m match) bool { return m.q <= 0 })
	slices.SortStableFunc(matches, func(a, b match) int {
		return cmp.Or(
			cmp.Compare(b.q, a.q),
			cmp.Compare(b.specificity, a.specificity),
			cmp.Compare(a.at, b.at),
			cmp.Compare(a.offer, b.offer),
		)
	})
	values := make([]string, len(matches))
	for i, m := range matches {
		values[i] = m.value
	}
	return values
}

// tokens are the elements of a header whose values are tokens. An absent header
// stands for all; an empty one for nothing.
func tokens(h http.Header, name, absent string) []accepted {
	lines := h.Values(name)
	if len(lines) == 0 && absent != "" {
		return []accepted{{value: absent, q: 1}}
	}
	var all []accepted
	for _, line := range lines {
		for element := range header.Split(line) {
			if len(all) == maxElements {
				return all
			}
			if a, ok := token(element); ok {
				a.at = len(all)
				all = append(all, a)
			}
		}
	}
	return all
}

// encodings adds the identity that every header implies.
func encodings(h http.Header) []accepted {
	all := tokens(h, "Accept-Encoding", "")
	lowest := 1.0
	for _, a := range all {
		if ofCoding("identity", a) >= 0 {
			return all
		}
		lowest = min(lowest, weightOrOne(a.q))
	}
	return append(all, accepted{value: "identity", q: lowest, at: len(all)})
}

// weightOrOne is for the weight of the implied identity: "gzip;q=0" alone does not
// refuse identity.
func weightOrOne(q float64) float64 {
	if q == 0 {
		return 1
	}
	return q
}

// token parses "value;q=0.5". Anything that is not one word before the parameters is
// dropped.
func token(element string) (accepted, bool) {
	value, params, _ := strings.Cut(element, ";")
	value = strings.TrimSpace(value)
	if value == "" || strings.ContainsFunc(value, unicode.IsSpace) {
		return accepted{}, false
	}
	q := 1.0
	for params != "" {
		var param string
		param, params = cutParam(params)
		if name, v, _ := strings.Cut(param, "="); isWeight(name) {
			q = weight(v)
			break
		}
	}
	return accepted{value: value, q: q}, true
}

func mediaTypes(h http.Header) []accepted {
	lines := h.Values("Accept")
	if len(lines) == 0 {
		return []accepted{{value: "*/*", q: 1}}
	}
	var all []accepted
	for _, line := range lines {
		for element := range header.Split(line) {
			if len(all) == maxElements {
				return all
			}
			if a, ok := mediaType(element); ok {
				a.at = len(all)
				all = append(all, a)
			}
		}
	}
	return all
}

// mediaType parses "type/subtype;name=value;q=0.5;extension". What follows the weight
// belongs to no media type: RFC 7231 section 5.3.2, which RFC 9110 dropped.
func mediaType(element string) (accepted, bool) {
	value, params, _ := strings.Cut(element, ";")
	value = strings.TrimSpace(value)
	typ, subtype, ok := strings.Cut(value, "/")
	if !ok || typ == "" || subtype == "" || strings.ContainsFunc(value, unicode.IsSpace) {
		return accepted{}, false
	}
	a := accepted{value: value, params: params, q: 1}
	for rest := params; rest != ""; {
		param, next := cutParam(rest)
		if name, v, _ := strings.Cut(param, "="); isWeight(name) {
			a.params = params[:len(params)-len(rest)]
			a.q = weight(unquote(v))
			break
		}
		rest = next
	}
	return a, true
}

// cutParam cuts at the first semicolon outside quotes.
func cutParam(params string) (param, rest string) {
	quoted := false
	for i := 0; i < len(params); i++ {
		switch {
		case params[i] == '"':
			quoted = !quoted
		case params[i] == '\\' && quoted:
			i++
		case params[i] == ';' && !quoted:
			return params[:i], params[i+1:]
		}
	}
	return params, ""
}

// param returns a parameter's value without quotes, or "".
func param(params, name string) string {
	for params != "" {
		var p string
		p, params = cutParam(params)
		if n, v, _ := strings.Cut(p, "="); strings.EqualFold(strings.TrimSpace(n), name) {
			return unquote(v)
		}
	}
	return ""
}

// unquote trims a value and removes its quotes. Escapes stay: both sides of a
// comparison have them.
func unquote(v string) string {
	v = strings.TrimSpace(v)
	if len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"' {
		return v[1 : len(v)-1]
	}
	return v
}

func isWeight(name string) bool {
	name = strings.TrimSpace(name)
	return name == "q" || name == "Q"
}

// weight reads the number that s begins with, as JavaScript does, so that "0.5abc" is
// a half. What does not begin with a number is 0: the element is not accepted.
func weight(s string) float64 {
	s = strings.TrimSpace(s)
	end, digits, point, exponent := 0, false, false, false
scan:
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits, end = true, i+1
		case c == '.' && !point && !exponent:
			point = true
		case (c == 'e' || c == 'E') && digits && !exponent:
			exponent = true
		case (c == '+' || c == '-') && (i == 0 || s[i-1] == 'e' || s[i-1] == 'E'):
		default:
			break scan
		}
	}
	q, err := strconv.ParseFloat(s[:end], 64)
	if err != nil && q == 0 {
		return 0
	}
	return min(max(q, 0), 1)
}

func ofToken(offer string, a accepted) int {
	switch {
	case strings.EqualFold(a.value, offer):
		return 1
	case a.value == "*":
		return 0
	}
	return -1
}

// ofCoding knows the names of old clients: RFC 9110 sections 8.4.1.1 and 8.4.1.3.
func ofCoding(offer string, a accepted) int {
	if strings.EqualFold(a.value, "x-gzip") || strings.EqualFold(a.value, "x-compress") {
		a.value = a.value[len("x-"):]
	}
	return ofToken(offer, a)
}

func ofLanguage(offer string, a accepted) int {
	switch {
	case !isLanguage(a.value) || !isLanguage(offer):
		return -1
	case strings.EqualFold(a.value, offer):
		return 4
	case strings.EqualFold(primary(a.value), offer):
		return 2
	case strings.EqualFold(a.value, primary(offer)):
		return 1
	case a.value == "*":
		return 0
	}
	return -1
}

// isLanguage says whether s has a primary subtag and no hyphen that leads nowhere.
func isLanguage(s string) bool {
	return s != "" && s[0] != '-' && (strings.IndexByte(s, '-') != len(s)-1)
}

func primary(tag string) string {
	p, _, _ := strings.Cut(tag, "-")
	return p
}

func ofMediaType(offer string, a accepted) int {
	offer, offered, _ := strings.Cut(offer, ";")
	typ, subtype, ok := strings.Cut(strings.TrimSpace(offer), "/")
	if !ok {
		return -1
	}
	wantType, wantSubtype, _ := strings.Cut(a.value, "/")
	s := 0
	switch {
	case strings.EqualFold(wantType, typ):
		s += 4
	case wantType != "*":
		return -1
	}
	switch {
	case strings.EqualFold(wantSubtype, subtype):
		s += 2
	case wantSubtype != "*":
		return -1
	}
	if strings.Trim(a.params, "; \t") == "" {
		return s
	}
	for rest := a.params; rest != ""; {
		var p string
		p, rest = cutParam(rest)
		name, want, _ := strings.Cut(p, "=")
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		if want = unquote(want); want != "*" && !strings.EqualFold(want, param(offered, name)) {
			return -1
		}
	}
	return s + 1
}
