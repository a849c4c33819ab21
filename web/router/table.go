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

// A table is the routes of a Router: for each method a ServeMux over paths.
//
// One ServeMux with methods in its patterns would refuse ANY /health beside GET
// /{proxy+}, since of these one is more specific by its path and the other by its
// method. Here, as in API Gateway, the path decides, and then the method.
type table struct {
	cfg     Config
	routes  []*route
	methods map[string]*paths // "" for methods that no route names
}

// paths are the routes that one method can reach.
type paths struct {
	mux   *http.ServeMux
	plain *http.ServeMux // those without suffixes, for when a suffix does not fit
	slots map[string]*slot
}

func newPaths() *paths {
	return &paths{mux: http.NewServeMux(), plain: http.NewServeMux(), slots: map[string]*slot{}}
}

func newTable(cfg Config) *table {
	return &table{cfg: cfg, methods: map[string]*paths{"": newPaths()}}
}

// A slot is what is registered in a ServeMux: all routes that look alike to it. It is
// no handler that serves: it tells the finder what was found.
type slot struct {
	pattern string
	names   []string // the ServeMux's names for the wildcards
	entries []entry  // longer suffixes first
	plain   bool     // also in paths.plain
}

// An entry is a route in a slot. Those of one slot differ in suffixes.
type entry struct {
	*route
	suffixes string
	rank     rank
}

// A rank decides between routes for the same paths; see [paths.insert].
type rank int

const (
	anyMethod  rank = iota // ANY
	getForHead             // GET, for a HEAD request
	ownMethod
	ownPath rank = 10 // and not the path without the rest of a {name+}
)

// add registers a route.
func (t *table) add(pattern, prefix string, h, given http.Handler, at place) error {
	rt, err := parse(pattern, prefix, t.cfg.StrictSlash)
	if err != nil {
		return err
	}
	rt.handler, rt.given, rt.at = h, given, at
	for _, method := range rt.reaches() {
		if err := t.learn(method); err != nil {
			return err
		}
	}
	for _, method := range slices.Sorted(maps.Keys(t.methods)) {
		if err := t.methods[method].add(rt, method); err != nil {
			return err
		}
	}
	t.routes = append(t.routes, rt)
	return nil
}

// reaches are the methods that the route names.
func (rt *route) reaches() []string {
	if rt.method == http.MethodGet {
		return []string{http.MethodGet, http.MethodHead}
	}
	return []string{rt.method}
}

// learn makes the paths of a method that no route had named before.
func (t *table) learn(method string) error {
	if t.methods[method] != nil {
		return nil
	}
	p := newPaths()
	t.methods[method] = p
	for _, rt := range t.routes {
		if err := p.add(rt, method); err != nil {
			return err
		}
	}
	return nil
}

// add registers a route, if the method can reach it.
func (p *paths) add(rt *route, method string) error {
	r := ownMethod
	switch {
	case rt.method == method:
	case rt.method == "":
		r = anyMethod
	case rt.method == http.MethodGet && method == http.MethodHead:
		r = getForHead
	default:
		return nil
	}
	if err := p.insert(rt, rt, ownPath+r); err != nil {
		return err
	}
	if !rt.greedy() {
		return nil
	}
	bare := *rt
	bare.segments = rt.segments[:len(rt.segments)-1]
	return p.insert(&bare, rt, r)
}

// insert puts a route into the slot of a shape: its own, or, for one that takes the
// rest of the path, that of the path without a rest.
func (p *paths) insert(shape, rt *route, r rank) error {
	key := shape.format(func(int, segment) string { return "" }, false)
	s := p.slots[key]
	if s == nil {
		s = newSlot(shape)
		if !register(p.mux, s) {
			clashing := p.clashing(s)
			switch asked := p.asked(clashing); {
			case r < ownPath:
				return nil // nobody asked for this path
			case asked != nil:
				return fmt.Errorf("router: %s (%s) and %s (%s) match the same requests, and neither is more specific", rt.name, rt.at, asked.name, asked.at)
			}
			p.without(clashing)
			p.mux.Handle(s.pattern, s)
		}
		p.slots[key] = s
	}
	if err := s.join(entry{rt, shape.suffixes(), r}); err != nil {
		return err
	}
	if !shape.suffixed() && !s.plain {
		s.plain = true
		p.plain.Handle(s.pattern, s)
	}
	return nil
}

func newSlot(shape *route) *slot {
	s := &slot{}
	s.pattern = shape.format(func(i int, g segment) string {
		name := muxName(i, g.text)
		s.names = append(s.names, name)
		return name
	}, false)
	if len(shape.segments) == 0 || shape.slash {
		s.pattern += "{$}"
	}
	return s
}

// register reports false when ServeMux cannot tell a slot apart from those it has.
func register(mux *http.ServeMux, s *slot) (ok bool) {
	defer func() { ok = recover() == nil }()
	mux.Handle(s.pattern, s)
	return true
}

// clashing are the keys of slots that ServeMux cannot tell apart from s.
func (p *paths) clashing(s *slot) []string {
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(p.slots)) {
		pair := http.NewServeMux()
		register(pair, p.slots[key])
		if !register(pair, s) {
			keys = append(keys, key)
		}
	}
	return keys
}

// asked is a route in these slots for whose path somebody asked, or nil when all are
// there for the path without the rest of a {name+}.
func (p *paths) asked(keys []string) *route {
	for _, key := range keys {
		for _, e := range p.slots[key].entries {
			if e.rank >= ownPath {
				return e.route
			}
		}
	}
	return nil
}

// without takes slots out, and with them the ServeMuxes, which cannot forget.
func (p *paths) without(keys []string) {
	p.mux, p.plain = http.NewServeMux(), http.NewServeMux()
	for _, key := range keys {
		delete(p.slots, key)
	}
	for _, s := range p.slots {
		p.mux.Handle(s.pattern, s)
		if s.plain {
			p.plain.Handle(s.pattern, s)
		}
	}
}

// muxName is a wildcard's name in the ServeMux, which wants an identifier.
func muxName(i int, name string) string {
	if strings.IndexFunc(name, notInIdentifier) >= 0 || '0' <= name[0] && name[0] <= '9' {
		return "wildcard" + strconv.Itoa(i)
	}
	return name
}

func notInIdentifier(r rune) bool { return r == '-' || r == '.' || r == ':' }

// join adds a route that looks to ServeMux like those that are there. Of two for the
// same paths the one with the higher rank stays.
func (s *slot) join(e entry) error {
	for i, have := range s.entries {
		if have.suffixes != e.suffixes {
			continue
		}
		if have.rank == e.rank {
			return fmt.Errorf("router: %s (%s) is there already: %s (%s)", e.name, e.at, have.name, have.at)
		}
		if have.rank < e.rank {
			s.entries[i] = e
		}
		return nil
	}
	s.entries = append(s.entries, e)
	slices.SortStableFunc(s.entries, func(a, b entry) int { return cmp.Compare(len(b.suffixes), len(a.suffixes)) })
	return nil
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
	short = withoutLoneSlash(withoutEmpty(short))
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

// withoutLoneSlash puts empty before a segment that is an encoded slash and nothing
// else: ServeMux would take it for a slash at the end.
func withoutLoneSlash(path string) string {
	if !strings.Contains(path, "/%2") {
		return path
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if strings.EqualFold(s, "%2F") {
			segments[i] = "%00" + s
		}
	}
	return strings.Join(segments, "/")
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
	p := t.methods[r.Method]
	if p == nil {
		p = t.methods[""]
	}
	return p.find(r)
}

func (p *paths) find(r *http.Request) (finding, bool) {
	var f finder
	p.mux.ServeHTTP(&f, r)
	if !f.found && f.suffix {
		p.plain.ServeHTTP(&f, r)
	}
	return f.finding, f.found
}

// allowed are the methods that a path has routes for, sorted. There is none for all
// of them, or it would have been found.
func (t *table) allowed(in prepared) []string {
	var allowed []string
	for _, method := range slices.Sorted(maps.Keys(t.methods)) {
		asked := *in.r
		if _, ok := t.methods[method].find(&asked); ok {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) > 0 && t.cfg.AutoOptions && !slices.Contains(allowed, http.MethodOptions) {
		allowed = append(allowed, http.MethodOptions)
		slices.Sort(allowed)
	}
	return allowed
}

// ServeHTTP tells the finder.
func (s *slot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := w.(*finder)
	for _, e := range s.entries {
		if values, ok := s.fits(e.route, r); ok {
			f.finding, f.found = finding{e.route, values}, true
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
	if value == "" || value == empty {
		return "", false
	}
	return strings.TrimPrefix(value, empty), ok
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
