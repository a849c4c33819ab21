package router

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gomiddy/middy/web"
)

// A table is the routes of a Router, in a ServeMux.
type table struct {
	cfg     Config
	mux     *http.ServeMux
	plain   *http.ServeMux // the routes without suffixes, for when a suffix does not fit
	slots   map[string]*slot
	routes  []*route
	methods []string // that routes name, sorted
}

func newTable(cfg Config) *table {
	return &table{cfg: cfg, mux: http.NewServeMux(), plain: http.NewServeMux(), slots: map[string]*slot{}}
}

// A slot is what is registered in the ServeMux: all routes that look alike to it.
// They differ in suffixes behind wildcards. It is no handler that serves: it tells the
// finder what was found.
type slot struct {
	pattern string
	names   []string // the ServeMux's names for the wildcards
	routes  []*route // longer suffixes first
	implied bool     // the only route is one with {name+}, for the path without the rest
	plain   bool     // also in table.plain
}

// add registers a route.
func (t *table) add(pattern, prefix string, h, given http.Handler, at place) error {
	rt, err := parse(pattern, prefix, t.cfg.StrictSlash)
	if err != nil {
		return err
	}
	rt.handler, rt.given, rt.at = h, given, at
	if err := t.insert(rt, rt, false); err != nil {
		return err
	}
	if rt.greedy() {
		bare := *rt
		bare.segments = rt.segments[:len(rt.segments)-1]
		if err := t.insert(&bare, rt, true); err != nil {
			return err
		}
	}
	t.routes = append(t.routes, rt)
	if rt.method != "" && !slices.Contains(t.methods, rt.method) {
		t.methods = append(t.methods, rt.method)
		slices.Sort(t.methods)
	}
	return nil
}

// insert puts a route into the slot of a shape: its own, or, for one that takes the
// rest of the path, that of the path without a rest.
func (t *table) insert(shape, rt *route, implied bool) error {
	key := shape.format(func(int, segment) string { return "" }, false)
	s := t.slots[key]
	if s == nil {
		s = &slot{implied: implied, routes: []*route{rt}}
		s.pattern = shape.format(func(i int, g segment) string {
			name := muxName(i, g.text)
			s.names = append(s.names, name)
			return name
		}, false)
		if len(shape.segments) == 0 || shape.slash {
			s.pattern += "{$}"
		}
		if err := t.handle(t.mux, s, rt); err != nil {
			return err
		}
		t.slots[key] = s
	} else if err := s.join(rt, implied); err != nil {
		return err
	}
	if !shape.suffixed() && !s.plain {
		s.plain = true
		return t.handle(t.plain, s, rt)
	}
	return nil
}

// muxName is a wildcard's name in the ServeMux, which wants an identifier.
func muxName(i int, name string) string {
	if strings.IndexFunc(name, notInIdentifier) >= 0 || '0' <= name[0] && name[0] <= '9' {
		return "wildcard" + strconv.Itoa(i)
	}
	return name
}

func notInIdentifier(r rune) bool { return r == '-' || r == '.' || r == ':' }

// join adds a route that looks to ServeMux like those that are there.
func (s *slot) join(rt *route, implied bool) error {
	switch {
	case implied && !s.implied:
		return nil // a route of its own counts more
	case s.implied && !implied:
		s.routes, s.implied = []*route{rt}, false
		return nil
	}
	for _, have := range s.routes {
		if have.suffixes() == rt.suffixes() {
			return fmt.Errorf("router: %s (%s) is there already: %s (%s)", rt.name, rt.at, have.name, have.at)
		}
	}
	s.routes = append(s.routes, rt)
	slices.SortStableFunc(s.routes, func(a, b *route) int { return cmp.Compare(len(b.suffixes()), len(a.suffixes())) })
	return nil
}

// handle registers a slot, and names both routes when ServeMux cannot tell them apart.
func (t *table) handle(mux *http.ServeMux, s *slot, rt *route) (err error) {
	defer func() {
		if refusal := recover(); refusal != nil {
			err = t.conflict(s, rt, refusal)
		}
	}()
	mux.Handle(s.pattern, s)
	return nil
}

func (t *table) conflict(s *slot, rt *route, refusal any) error {
	for _, key := range slices.Sorted(maps.Keys(t.slots)) {
		if have := t.slots[key]; conflicts(have.pattern, s.pattern) {
			other := have.routes[0]
			return fmt.Errorf("router: %s (%s) and %s (%s) match the same requests, and neither is more specific", rt.name, rt.at, other.name, other.at)
		}
	}
	return fmt.Errorf("router: %s (%s): %v", rt.name, rt.at, refusal)
}

func conflicts(a, b string) (yes bool) {
	defer func() { yes = recover() != nil }()
	mux := http.NewServeMux()
	mux.Handle(a, http.NotFoundHandler())
	mux.Handle(b, http.NotFoundHandler())
	return false
}

func (t *table) sorted() []*route {
	return slices.SortedFunc(slices.Values(t.routes), func(a, b *route) int {
		_, pathA, _ := strings.Cut(a.name, "/")
		_, pathB, _ := strings.Cut(b.name, "/")
		return cmp.Or(cmp.Compare(pathA, pathB), cmp.Compare(a.method, b.method))
	})
}

// empty stands for an empty segment while ServeMux matches, which would redirect.
const empty = "\x00"

// prepared is a request as it is matched.
type prepared struct {
	r     *http.Request
	slash bool // a slash at the end was taken off
}

// prepare makes a path that ServeMux matches without redirecting. It reports false
// for one that no route can match.
func (t *table) prepare(r *http.Request) (prepared, bool) {
	path := r.URL.EscapedPath()
	short := t.withoutBase(path, r)
	if !strings.HasPrefix(short, "/") || strings.Contains(r.URL.Path, empty) || dotted(r.URL.Path) {
		return prepared{}, false
	}
	slash := false
	if !t.cfg.StrictSlash && len(short) > 1 && strings.HasSuffix(short, "/") {
		short, slash = short[:len(short)-1], true
	}
	short = withoutEmpty(short)
	if short == path {
		return prepared{r: r}, true
	}
	in := prepared{r: new(http.Request), slash: slash}
	*in.r = *r
	plain, err := url.PathUnescape(short)
	if err != nil { // a URL that somebody made by hand
		return prepared{}, false
	}
	in.r.URL = &url.URL{Path: plain, RawPath: short}
	return in, true
}

func (t *table) withoutBase(path string, r *http.Request) string {
	if t.cfg.StripStage {
		if e, ok := web.Event(r); ok && e.Stage != "" && e.Stage != "$default" {
			path = cutSegments(path, "/"+e.Stage)
		}
	}
	return cutSegments(path, t.cfg.BasePath)
}

// cutSegments removes a prefix of whole segments.
func cutSegments(path, prefix string) string {
	rest, ok := strings.CutPrefix(path, prefix)
	switch {
	case !ok || prefix == "" || rest != "" && rest[0] != '/':
		return path
	case rest == "":
		return "/"
	}
	return rest
}

// dotted tells whether a decoded path has segments . or .., which a client must
// resolve (RFC 3986 section 5.2.4), so that only an attack sends them, encoded or not.
func dotted(path string) bool {
	return strings.Contains(path, "/.") && (strings.Contains(path, "/./") || strings.Contains(path, "/../") ||
		strings.HasSuffix(path, "/.") || strings.HasSuffix(path, "/.."))
}

// withoutEmpty replaces empty segments, apart from one at the end.
func withoutEmpty(path string) string {
	for strings.Contains(path, "//") { // twice, since matches do not overlap
		path = strings.ReplaceAll(path, "//", "/%00/")
	}
	return path
}

// A finding is a route and the values of its wildcards.
type finding struct {
	route  *route
	values []string // nil: ServeMux has published them already
}

// A finder goes through a ServeMux in place of a response writer and comes back with
// what was found there.
type finder struct {
	finding
	found  bool
	suffix bool // a slot was found, but no suffix in it fits
}

// Header, Write and WriteHeader take ServeMux's own answers: 404, 405, redirections.
func (*finder) Header() http.Header         { return http.Header{} }
func (*finder) Write(p []byte) (int, error) { return len(p), nil }
func (*finder) WriteHeader(int)             {}

func (t *table) find(r *http.Request) (finding, bool) {
	var f finder
	t.mux.ServeHTTP(&f, r)
	if !f.found && f.suffix {
		t.plain.ServeHTTP(&f, r)
	}
	return f.finding, f.found
}

// ServeHTTP tells the finder.
func (s *slot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := w.(*finder)
	for _, rt := range s.routes {
		if values, ok := s.fits(rt, r); ok {
			f.finding, f.found = finding{rt, values}, true
			return
		}
	}
	f.suffix = true
}

// fits checks what ServeMux cannot, suffixes and empty segments. It returns the
// values, or none when they are what ServeMux has, under the same names.
func (s *slot) fits(rt *route, r *http.Request) (values []string, ok bool) {
	same := true
	i := 0
	for _, seg := range rt.segments {
		if !seg.wild {
			continue
		}
		if i == len(s.names) { // {name+}, and the path has no rest
			return append(rt.values(s.names, r), ""), true
		}
		matched := r.PathValue(s.names[i])
		value, ok := seg.value(matched)
		if !ok {
			return nil, false
		}
		same = same && s.names[i] == seg.text && value == matched
		i++
	}
	if same {
		return nil, true
	}
	return rt.values(s.names, r), true
}

// values are those of the wildcards that ServeMux knows under the names.
func (rt *route) values(names []string, r *http.Request) []string {
	values := make([]string, 0, len(names)+1)
	for _, seg := range rt.segments {
		if seg.wild && len(values) < len(names) {
			value, _ := seg.value(r.PathValue(names[len(values)]))
			values = append(values, value)
		}
	}
	return values
}

// value is what a wildcard has of a segment, or of several.
func (s *segment) value(matched string) (string, bool) {
	if s.greedy {
		return strings.ReplaceAll(matched, empty, ""), true
	}
	value, ok := strings.CutSuffix(matched, s.suffix)
	return value, ok && value != "" && value != empty
}

// publish makes the values readable with Request.PathValue.
func (f *finding) publish(in prepared) {
	in.r.Pattern = f.route.name
	i := 0
	for _, s := range f.route.segments {
		if !s.wild {
			continue
		}
		if f.values != nil {
			in.r.SetPathValue(s.text, f.values[i])
		}
		i++
		if s.greedy && in.slash {
			if rest := in.r.PathValue(s.text); rest != "" {
				in.r.SetPathValue(s.text, rest+"/")
			}
		}
	}
}
