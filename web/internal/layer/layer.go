// Package layer finds a mistake of order when the program starts.
//
// A layer that puts headers on every response can do so only for what happens
// inside of it. When a layer that refuses requests is outside, as in
// jsonbody(cors(mux)), its 422 has no Access-Control-Allow-Origin: the browser
// hides it from the page, which reports a network error (Fetch standard, CORS
// check). Middy's documentation lists its middlewares in that order, because there
// every onError runs wherever it is.
//
// What a [http.Handler] of a stranger has inside cannot be seen: a mux ends the
// search.
package layer

import (
	"fmt"
	"net/http"
	"path"
)

// handler is one that knows which layer at or below it decorates.
type handler struct {
	http.HandlerFunc
	decorator string
}

// Decorates is h as the handler of the package called name, which puts headers on
// every response.
func Decorates(name string, h http.HandlerFunc) http.Handler { return handler{h, name} }

// Passes is h as the handler of a package that neither refuses nor decorates: what
// is known of next is known of it.
func Passes(next http.Handler, h http.HandlerFunc) http.Handler {
	if inner, ok := next.(handler); ok {
		return handler{h, inner.decorator}
	}
	return h
}

// Refuses is called by the package called name, which may answer in the place of
// next. It panics when next has a layer whose headers that answer would lack.
func Refuses(name string, next http.Handler) {
	if inner, ok := next.(handler); ok {
		panic(fmt.Errorf("web/%[1]s: web/%[2]s is inside of it, so that a response with which web/%[1]s refuses a request lacks the headers of web/%[2]s; put web/%[2]s outside: %[2]s(… %[3]s(mux))", name, inner.decorator, path.Base(name)))
	}
}
