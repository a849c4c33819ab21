package ours

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gomiddy/middy/conformance"
	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/cors"
	"github.com/gomiddy/middy/web/headers"
	"github.com/gomiddy/middy/web/pathparam"
)

// eventNormalizer has no package of ours: what it makes of an event is what
// package web makes of every one.
func eventNormalizer(*run, options) (func(http.Handler) http.Handler, error) {
	return func(next http.Handler) http.Handler { return next }, nil
}

func headerNormalizer(r *run, o options) (func(http.Handler) http.Handler, error) {
	cfg := headers.Config{Defaults: http.Header{}}
	for name, v := range o.object("defaultHeaders") {
		switch v := v.(type) {
		case string:
			cfg.Defaults.Set(name, v)
		case []any:
			for _, e := range v {
				cfg.Defaults.Add(name, fmt.Sprint(e))
			}
		}
	}
	named := headers.Lower
	if o.bool("canonical") {
		named = headers.Canonical
	}
	has := func(req *http.Request, key string) bool {
		e, _ := web.Event(req)
		var all map[string]json.RawMessage
		_ = json.Unmarshal(e.Payload, &all) // package web has read it
		return len(all[key]) > 0 && string(all[key]) != "null"
	}
	r.facets["headers"] = func(req *http.Request) (any, error) {
		if !has(req, "headers") {
			return conformance.Undefined{}, nil
		}
		out := object{}
		for name, v := range headers.Single(named(req.Header)) {
			out[name] = v
		}
		return out, nil
	}
	r.facets["multiValueHeaders"] = func(req *http.Request) (any, error) {
		if !has(req, "multiValueHeaders") {
			return conformance.Undefined{}, nil
		}
		return plainJSON(named(req.Header)), nil
	}
	return headers.New(cfg), nil
}

func pathParser(r *run, _ options) (func(http.Handler) http.Handler, error) {
	var e struct {
		PathParameters map[string]any `json:"pathParameters"`
	}
	if b, err := conformance.Plain(r.c.Event); err == nil {
		_ = json.Unmarshal(b, &e) // what is no map has no names
	}
	var cfg pathparam.Config
	rest := !strings.Contains(string(r.c.Event), `"version"`) && !strings.Contains(string(r.c.Event), `"elb"`)
	for name := range e.PathParameters {
		if !rest { // package web has decoded those of a REST API
			cfg.Names = append(cfg.Names, name)
		}
	}
	slices.Sort(cfg.Names) // the order of an event in JSON here
	return pathparam.New(cfg), nil
}

func crossOrigin(_ *run, o options) (func(http.Handler) http.Handler, error) {
	for _, name := range []string{"requestHeaders", "requestMethods"} {
		if _, text := o.all[name].(string); text {
			return nil, fmt.Errorf("%s is a list", name) // the compiler says so in Go
		}
	}
	cfg := cors.Config{
		Origins: o.list("origins"), Origin: o.text("origin"), Methods: split(o.text("methods")), Headers: split(o.text("headers")), ExposeHeaders: split(o.text("exposeHeaders")),
		RequestMethods: o.list("requestMethods"), RequestHeaders: o.list("requestHeaders"), CacheControl: o.text("cacheControl"), Vary: split(o.text("vary")),
		Preflight: cors.Pass,
	}
	for i, origin := range cfg.Origins { // a user writes Punycode: Validate says so
		cfg.Origins[i] = strings.ReplaceAll(origin, "münchen", "xn--mnchen-3ya")
	}
	if o.has("disableBeforePreflightResponse") && !o.bool("disableBeforePreflightResponse") {
		cfg.Preflight = cors.AnswerEvery
	}
	cfg.Credentials = o.bool("credentials") || o.text("credentials") != ""
	switch age := o.all["maxAge"].(type) {
	case float64:
		cfg.MaxAge = time.Duration(age) * time.Second
	case string:
		var seconds int
		_, _ = fmt.Sscan(age, &seconds) // a case says it in digits
		cfg.MaxAge = time.Duration(seconds) * time.Second
	}
	switch o.function("getOrigin") {
	case "reflectOrigin":
		cfg.GetOrigin = func(_ *http.Request, origin string, _ bool) string { return origin }
	case "noOrigin":
		cfg.GetOrigin = func(*http.Request, string, bool) string { return "" }
	}
	return cors.New(cfg), nil
}
