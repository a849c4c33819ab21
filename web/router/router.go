// Package router sends requests to handlers by method and path, for functions that
// answer more than one route.
//
// http.ServeMux matches well, but a function needs a little more: {proxy+} and
// {order-id} as API Gateway writes them, a stage or base path in front, /orders/ where
// /orders was meant, refusals in the form of the rest of the API instead of plain
// text, OPTIONS, and middlewares for a part of the routes. A Router has these, and
// decides as ServeMux does:
//
//	rt := router.New(router.Config{})
//	rt.HandleFunc("GET /orders/{order-id}", getOrder)
//	rt.With(auth).HandleFunc("POST /orders", createOrder)
//	rt.HandleFunc("ANY /files/{key+}", files)
//
// Of all routes that match, the one with the most specific path counts, whatever the
// order in which they were registered: /orders/new before /orders/{id} before
// /{proxy+}, as in ServeMux and API Gateway; and for one path GET before ANY. So what
// is static beats what is dynamic, as in Middy. Two paths of which neither is more
// specific, such as /a/{x} and /{y}/b, do not depend on their order either: registering
// the second one panics, and names both. Other than in ServeMux, paths are compared for
// each method apart: ANY /health and GET /{proxy+} get along.
//
// A pattern is "METHOD /path", or a path for every method; ANY says that too. Segments
// are text, {name}, {name}.suffix, or at the end {name+} (as in API Gateway, or
// {name...} as in ServeMux), which takes the rest of the path, also none: /files and
// /files/ have an empty key, unless another route matches that path too and neither is
// more specific. A GET route answers HEAD. Values are in r.PathValue,
// percent-decoded once. A path with segments . or .. matches nothing, and empty segments
// are kept, where ServeMux redirects: in Lambda a redirection would miss the stage. A
// value is never empty: /a//b goes to /{proxy+} and not to /a/{id}/b.
//
// An encoded slash does not separate: /admin%2fx is one segment, which /{proxy+} takes
// and /admin/{id} does not, while r.URL.Path is /admin/x. A handler of a {name+} that
// decides by r.URL.Path must not guard less than the routes that it stands beside. An
// HTTP API decodes the path before the event, so that the same request meets
// /admin/{id} there.
//
// A route that exists for other methods is answered with 405 and Allow, everything
// else with 404, both through [web.WriteError].
//
// It is Middy's http-router. Deviations from Middy: a specific route wins over an
// earlier general one, and GET over ANY; duplicates panic, where the last one wins;
// values are decoded; what the router matched wins over the event's pathParameters;
// HEAD and 405 (see [Config.DisableMethodNotAllowed]); ANY is every method.
package router

import (
	"iter"
	"net/http"
	"runtime"
	"slices"
	"strings"

	"github.com/gomiddy/middy/web"
)

// Config configures [New].
type Config struct {
	// BasePath is removed from the front of paths that have it, before they are
	// matched: the path of a custom domain's mapping, such as "/v1". Default: none.
	BasePath string

	// StripStage removes the stage's name from the front of paths that have it.
	// Package web has done so already for HTTP APIs; a REST API's path has it only
	// behind a proxy that puts it there. Default: paths stay.
	StripStage bool

	// StrictSlash takes /orders and /orders/ for two paths. Default: they are one.
	StrictSlash bool

	// AutoOptions answers OPTIONS, where no route does, with 204 and Allow. Default:
	// it is a method like any other.
	AutoOptions bool

	// DisableMethodNotAllowed answers 404 where a path has routes for other methods
	// only, as Middy does. Default: 405 with Allow, RFC 9110 section 15.5.6.
	DisableMethodNotAllowed bool

	// NotFound answers what matches no route. Default: a 404 through
	// [web.WriteError].
	NotFound http.Handler
}

// Validate reports a BasePath that is none.
func (c Config) Validate() error {
	if c.BasePath == "" || c.BasePath == "/" {
		return nil
	}
	return checkPrefix("BasePath", c.BasePath)
}

// A Router is an [http.Handler] that serves by the routes that it was given. Register
// all of them before it serves; then it is safe for concurrent use.
type Router struct {
	Group
}

// A Group registers routes of a [Router] with what they have in common. The Router is
// its own first Group.
type Group struct {
	table  *table
	prefix string
	around []func(http.Handler) http.Handler
}

// New returns a Router without routes. A Config that Validate refuses makes New panic
// with that error.
func New(cfg Config) *Router {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	cfg.BasePath = strings.TrimSuffix(cfg.BasePath, "/")
	return &Router{Group{table: &table{cfg: cfg}}}
}

// Handle registers a handler for a pattern. It panics when the pattern is none, or is
// not told apart from one that was registered before.
func (g *Group) Handle(pattern string, h http.Handler) {
	g.register(pattern, h)
}

// HandleFunc is [Group.Handle] of a function.
func (g *Group) HandleFunc(pattern string, f func(http.ResponseWriter, *http.Request)) {
	if f == nil {
		panic("router: " + pattern + " has no handler")
	}
	g.register(pattern, http.HandlerFunc(f))
}

func (g *Group) register(pattern string, h http.Handler) {
	if h == nil {
		panic("router: " + pattern + " has no handler")
	}
	wrapped := h
	for _, mw := range slices.Backward(g.around) {
		wrapped = mw(wrapped)
	}
	_, file, line, _ := runtime.Caller(2)
	if err := g.table.add(pattern, g.prefix, wrapped, h, place{file, line}); err != nil {
		panic(err)
	}
}

// With returns a Group whose handlers have these middlewares around them, inside
// those of g. The first one is the outermost. They see only what their routes match;
// for 404 and 405 too, wrap the Router.
func (g *Group) With(mw ...func(http.Handler) http.Handler) *Group {
	return &Group{g.table, g.prefix, slices.Concat(g.around, mw)}
}

// At returns a Group whose patterns have a prefix before their paths: "/v1".
func (g *Group) At(prefix string) *Group {
	if err := checkPrefix("a prefix", prefix); err != nil {
		panic(err)
	}
	return &Group{g.table, g.prefix + strings.TrimSuffix(prefix, "/"), g.around}
}

// Routes are the patterns of all routes, sorted by path and then method, with the
// handlers as they were given, without the middlewares of their groups: package
// openapi documents them.
//
//	doc.AddAll(rt.Routes())
func (rt *Router) Routes() iter.Seq2[string, http.Handler] {
	return func(yield func(string, http.Handler) bool) {
		for _, route := range rt.table.sorted() {
			if !yield(route.name, route.given) {
				return
			}
		}
	}
}

// ServeHTTP implements [http.Handler].
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t := rt.table
	var buffer [16]string
	p, ok := t.split(r, buffer[:])
	if !ok {
		t.notFound(w, r)
		return
	}
	found := t.root.find(r.Method, p.segments, 0)
	if found == nil {
		t.miss(w, r, p)
		return
	}
	found.publish(r, p)
	found.handler.ServeHTTP(w, r)
}

func (t *table) notFound(w http.ResponseWriter, r *http.Request) {
	if t.cfg.NotFound != nil {
		t.cfg.NotFound.ServeHTTP(w, r)
		return
	}
	web.WriteError(w, r, &web.Error{Status: http.StatusNotFound, Detail: "Route does not exist"})
}

// miss answers when no route matches.
func (t *table) miss(w http.ResponseWriter, r *http.Request, p path) {
	allowed := t.allowed(p)
	switch {
	case len(allowed) == 0:
		t.notFound(w, r)
	case r.Method == http.MethodOptions && t.cfg.AutoOptions:
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		w.WriteHeader(http.StatusNoContent)
	case t.cfg.DisableMethodNotAllowed:
		t.notFound(w, r)
	default:
		web.WriteError(w, r, &web.Error{
			Status: http.StatusMethodNotAllowed,
			Detail: "the methods here are " + strings.Join(allowed, ", "),
			Header: http.Header{"Allow": {strings.Join(allowed, ", ")}},
		})
	}
}
