package router

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gomiddy/middy/web"
)

// A table is the routes of a Router, as a tree of segments.
//
// ServeMux would redirect paths with empty segments, refuse ANY /health beside GET
// /{proxy+}, since of these one is more specific by its path and the other by its
// method, and not look for another route when a suffix does not fit. Here, as in API
// Gateway, the path decides, and then the method.
type table struct {
	cfg     Config
	routes  []*route
	root    node
	methods []string // that routes name, sorted
}

// A node is where a path stands between two segments.
type node struct {
	literals map[string]*node
	wild     *node
	ends     []*entry // routes that end here
	rests    []*entry // routes that take the rest of the path, which is not empty
}

// An entry is a route in a node: the best one first, see [entry.compare].
type entry struct {
	*route
	shape []segment // of the path that leads here
	// bare is the path of a {name+} without a rest. Nobody asked for it: it gives way
	// where one of unless matches, which is neither more nor less specific.
	bare   bool
	unless []*entry
}

// add registers a route.
func (t *table) add(pattern, prefix string, h, given http.Handler, at place) error {
	rt, err := parse(pattern, prefix, t.cfg.StrictSlash)
	if err != nil {
		return err
	}
	rt.handler, rt.given, rt.at = h, given, at
	e := &entry{route: rt, shape: rt.segments}
	clashing := t.root.clashing(e)
	if i := slices.IndexFunc(clashing, func(other *entry) bool { return !other.bare }); i >= 0 {
		other := clashing[i]
		return fmt.Errorf("router: %s (%s) and %s (%s) match the same requests, and neither is more specific", rt.name, rt.at, other.name, other.at)
	}
	if err := t.root.insert(e); err != nil {
		return err
	}
	for _, other := range clashing {
		other.unless = append(other.unless, e)
	}
	if rt.greedy() {
		bare := &entry{route: rt, shape: rt.segments[:len(rt.segments)-1], bare: true}
		bare.unless = t.root.clashing(bare)
		if err := t.root.insert(bare); err != nil {
			return err
		}
	}
	for _, method := range rt.reaches() {
		if i, known := slices.BinarySearch(t.methods, method); !known {
			t.methods = slices.Insert(t.methods, i, method)
		}
	}
	t.routes = append(t.routes, rt)
	return nil
}

// reaches are the methods that the route names.
func (rt *route) reaches() []string {
	switch rt.method {
	case "":
		return nil
	case http.MethodGet:
		return []string{http.MethodGet, http.MethodHead}
	}
	return []string{rt.method}
}

// answers tells whether the route answers a method.
func (rt *route) answers(method string) bool {
	return rt.method == "" || rt.method == method || rt.method == http.MethodGet && method == http.MethodHead
}

// meets tells whether a request can have a method that both routes answer.
func (rt *route) meets(other *route) bool {
	return rt.answers(other.method) || other.answers(rt.method)
}

// insert puts an entry into the tree.
func (n *node) insert(e *entry) error {
	at := n
	for _, s := range e.shape {
		switch {
		case s.greedy:
			return join(&at.rests, e)
		case s.wild:
			if at.wild == nil {
				at.wild = &node{}
			}
			at = at.wild
		default:
			if at.literals == nil {
				at.literals = map[string]*node{}
			}
			if at.literals[s.literal] == nil {
				at.literals[s.literal] = &node{}
			}
			at = at.literals[s.literal]
		}
	}
	return join(&at.ends, e)
}

func join(entries *[]*entry, e *entry) error {
	i, taken := slices.BinarySearchFunc(*entries, e, (*entry).compare)
	if taken {
		have := (*entries)[i]
		return fmt.Errorf("router: %s (%s) is there already: %s (%s)", e.name, e.at, have.name, have.at)
	}
	*entries = slices.Insert(*entries, i, e)
	return nil
}

// compare sorts entries for the same paths: the longer suffix before the shorter one,
// a path that somebody asked for before one without its rest, a HEAD of one's own
// before GET, and both before ANY. Equal ones are duplicates.
func (e *entry) compare(other *entry) int {
	a, b := suffixes(e.shape), suffixes(other.shape)
	return cmp.Or(
		cmp.Compare(len(b), len(a)), cmp.Compare(a, b),
		compareBool(e.bare, other.bare),
		compareBool(e.method == "", other.method == ""),
		compareBool(e.method == http.MethodGet, other.method == http.MethodGet),
		cmp.Compare(e.method, other.method),
	)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// clashing are the entries that match some requests that e matches too, and of which
// neither is more specific than the other: at one segment e is, at another they are.
func (n *node) clashing(e *entry) []*entry {
	var found []*entry
	add := func(entries []*entry) {
		for _, other := range entries {
			if e.meets(other.route) {
				found = append(found, other)
			}
		}
	}
	var below func(n *node)
	below = func(n *node) {
		add(n.ends)
		add(n.rests)
		for _, child := range n.children() {
			below(child)
		}
	}
	var walk func(n *node, shape []segment, mine, theirs bool)
	walk = func(n *node, shape []segment, mine, theirs bool) {
		if len(shape) == 0 {
			if mine && theirs {
				add(n.ends)
			}
			return
		}
		s, rest := shape[0], shape[1:]
		switch {
		case s.greedy:
			if mine { // all that is below is more specific here
				for _, child := range n.children() {
					below(child)
				}
			}
			if mine && theirs {
				add(n.rests)
			}
			return
		case s.wild:
			for _, literal := range n.sorted() {
				if literal != "" {
					walk(n.literals[literal], rest, mine, true)
				}
			}
			if n.wild != nil {
				walk(n.wild, rest, mine, theirs)
			}
		default:
			if same := n.literals[s.literal]; same != nil {
				walk(same, rest, mine, theirs)
			}
			if n.wild != nil && s.literal != "" {
				walk(n.wild, rest, true, theirs)
			}
		}
		if theirs {
			add(n.rests)
		}
	}
	walk(n, e.shape, false, false)
	return found
}

// sorted are the texts of the literals.
func (n *node) sorted() []string {
	texts := make([]string, 0, len(n.literals))
	for text := range n.literals {
		texts = append(texts, text)
	}
	slices.Sort(texts)
	return texts
}

func (n *node) children() []*node {
	var children []*node
	for _, text := range n.sorted() {
		children = append(children, n.literals[text])
	}
	if n.wild != nil {
		children = append(children, n.wild)
	}
	return children
}

func (t *table) sorted() []*route {
	return slices.SortedFunc(slices.Values(t.routes), func(a, b *route) int {
		_, pathA, _ := strings.Cut(a.name, "/")
		_, pathB, _ := strings.Cut(b.name, "/")
		return cmp.Or(cmp.Compare(pathA, pathB), cmp.Compare(a.method, b.method))
	})
}

// A path is a request's path as it is matched.
type path struct {
	segments []string // decoded
	slash    bool     // a slash at the end was taken off
}

// split reports false for a path that no route can match.
func (t *table) split(r *http.Request, buffer []string) (path, bool) {
	short := t.withoutBase(r.URL.EscapedPath(), r)
	if !strings.HasPrefix(short, "/") || strings.Contains(r.URL.Path, "\x00") || dotted(r.URL.Path) {
		return path{}, false
	}
	p := path{segments: buffer[:0]}
	if !t.cfg.StrictSlash && len(short) > 1 && strings.HasSuffix(short, "/") {
		short, p.slash = short[:len(short)-1], true
	}
	if short == "/" {
		return p, true
	}
	for segment := range strings.SplitSeq(short[1:], "/") {
		p.segments = append(p.segments, unescape(segment))
	}
	return p, true
}

// unescape decodes a segment. What is no escape, in a URL that somebody made by hand,
// stands for itself.
func unescape(segment string) string {
	if plain, err := url.PathUnescape(segment); err == nil {
		return plain
	}
	return segment
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
	return strings.Contains(path, "/./") || strings.Contains(path, "/../") || strings.HasSuffix(path, "/.") || strings.HasSuffix(path, "/..")
}

// find returns the entry with the most specific path that answers the method, or nil.
// A literal is tried before a wildcard, and that before the rest: since no two routes
// clash, what is found first is what is more specific. What does not fit leaves the
// path to the next one.
func (n *node) find(method string, segments []string, at int) *entry {
	if at == len(segments) {
		return best(n.ends, method, segments)
	}
	if child := n.literals[segments[at]]; child != nil {
		if e := child.find(method, segments, at+1); e != nil {
			return e
		}
	}
	if n.wild != nil && segments[at] != "" {
		if e := n.wild.find(method, segments, at+1); e != nil {
			return e
		}
	}
	return best(n.rests, method, segments)
}

func best(entries []*entry, method string, segments []string) *entry {
	for _, e := range entries {
		if e.answers(method) && e.fits(segments) && !e.givesWay(method, segments) {
			return e
		}
	}
	return nil
}

// givesWay tells whether another route matches the path of a bare entry. Those of
// unless have as many segments: one that took a rest would clash with the route itself.
func (e *entry) givesWay(method string, segments []string) bool {
	return slices.ContainsFunc(e.unless, func(other *entry) bool {
		for i, s := range other.shape {
			if !s.wild && s.literal != segments[i] {
				return false
			}
		}
		return other.answers(method) && other.fits(segments)
	})
}

// fits checks the suffixes.
func (e *entry) fits(segments []string) bool {
	for i, s := range e.shape {
		if value, ok := strings.CutSuffix(segments[i], s.suffix); !ok || s.suffix != "" && value == "" {
			return false
		}
	}
	return true
}

// allowed are the methods that a path has routes for, sorted. A route for all methods
// is not among them, or it would have been found.
func (t *table) allowed(p path) []string {
	var allowed []string
	for _, method := range t.methods {
		if t.root.find(method, p.segments, 0) != nil {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) > 0 && t.cfg.AutoOptions && !slices.Contains(allowed, http.MethodOptions) {
		allowed = append(allowed, http.MethodOptions)
		slices.Sort(allowed)
	}
	return allowed
}

// publish makes the values readable with Request.PathValue.
func (e *entry) publish(r *http.Request, p path) {
	r.Pattern = e.name
	for i, s := range e.route.segments {
		switch {
		case s.greedy:
			rest := strings.Join(p.segments[i:], "/")
			if p.slash && i < len(p.segments) {
				rest += "/"
			}
			r.SetPathValue(s.text, rest)
		case s.wild:
			r.SetPathValue(s.text, strings.TrimSuffix(p.segments[i], s.suffix))
		}
	}
}
