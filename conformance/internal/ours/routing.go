package ours

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"

	"github.com/gomiddy/middy/conformance"
	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/router"
)

// routing is Middy's router, which takes the handler's place.
func routing(r *run, o options) (func(http.Handler) http.Handler, error) {
	cfg := router.Config{DisableMethodNotAllowed: true} // as Middy
	if o.function("notFoundResponse") == "notFound" {
		cfg.NotFound = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusNotFound)
			e, _ := web.Event(req)
			_, _ = w.Write([]byte(compact(object{"method": req.Method, "path": e.Path})))
		})
	}
	rt := router.New(cfg)
	var routes []struct {
		Method, Path string
		Handler      *conformance.Handler
	}
	var all struct {
		Routes json.RawMessage `json:"routes"`
	}
	if err := json.Unmarshal(o.raw, &all); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(all.Routes, &routes); err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, route := range routes {
		for _, m := range parameter.FindAllStringSubmatch(route.Path, -1) {
			names[m[1]] = true
		}
		rt.Handle(fmt.Sprintf("%s %s", route.Method, route.Path), r.scripted(route.Handler))
	}
	r.facets["pathParameters"] = func(req *http.Request) (any, error) {
		out := object{}
		if e, ok := web.Event(req); ok {
			for name := range e.PathParameters {
				out[name] = req.PathValue(name)
			}
		}
		for name := range names {
			if v := req.PathValue(name); v != "" || matched(req, name) {
				out[name] = v
			}
		}
		return out, nil
	}
	return func(http.Handler) http.Handler { return rt }, nil
}

var parameter = regexp.MustCompile(`\{([^}+.]+)(?:\+|\.\.\.)?\}`)

// matched reports whether the route that was chosen has the parameter: one that is
// empty is there all the same.
func matched(req *http.Request, name string) bool {
	for _, m := range parameter.FindAllStringSubmatch(req.Pattern, -1) {
		if m[1] == name {
			return true
		}
	}
	return false
}
