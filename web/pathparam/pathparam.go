// Package pathparam sees to it that path values are decoded, once, and are text.
//
// Who decodes a path value depends on who cut it out of the path: http.ServeMux
// does, and so does package web with those that a REST API sends encoded, but both
// keep what is no valid encoding as it came, and neither looks whether the outcome is
// UTF-8; some routers do not decode at all. A handler that decodes once more, to be
// sure, turns "100%2525" into something that nobody sent.
//
// This middleware goes around a routed handler, inside the router, and answers 400
// with the parameter's name when a value is no valid encoding of UTF-8. Values that
// ServeMux matched are only checked. Of a REST API's event they are decoded from what
// the event says, so that a second run changes nothing. Those that another router left
// encoded are decoded when [Config.Names] names them. + stays +.
//
// It is Middy's http-urlencode-path-parser. Deviations from Middy: running twice does
// not decode twice; values that HTTP APIs send decoded are not decoded again.
package pathparam

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/internal/layer"
)

// Config configures [New].
type Config struct {
	// Names are path values that the router in use leaves encoded. They are decoded
	// wherever they come from, once. Default: none; http.ServeMux and package web
	// leave none that can be decoded.
	Names []string
}

// Validate reports a name that is empty.
func (c Config) Validate() error {
	if slices.Contains(c.Names, "") {
		return errors.New("pathparam: Names has an empty name")
	}
	return nil
}

type doneKey struct{}

// New returns the middleware. What it returns is safe for concurrent use. A Config
// that Validate refuses makes New panic with that error.
func New(cfg Config) func(http.Handler) http.Handler {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	names := slices.Clone(cfg.Names)
	return func(next http.Handler) http.Handler {
		layer.Refuses("pathparam", next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := check(r); err != nil {
				web.WriteError(w, r, err)
				return
			}
			decoded, err := decode(r, names)
			if err != nil {
				web.WriteError(w, r, err)
				return
			}
			next.ServeHTTP(w, decoded)
		})
	}
}

// check looks at what others have cut out and decoded.
func check(r *http.Request) error {
	matched := wildcards(r.Pattern)
	for _, name := range matched {
		if !utf8.ValidString(r.PathValue(name)) {
			return invalid(name, nil)
		}
	}
	e, ok := web.Event(r)
	if !ok || e.Door != web.RESTAPI {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(e.PathParameters)) { // the first one is always the same
		name := strings.TrimSuffix(key, "+")
		if slices.Contains(matched, name) {
			continue // the router's own
		}
		value, err := unescape(name, e.PathParameters[key])
		if err != nil {
			return err
		}
		if r.PathValue(name) == e.PathParameters[key] {
			r.SetPathValue(name, value)
		}
	}
	return nil
}

// wildcards are the names in a pattern of http.ServeMux.
func wildcards(pattern string) []string {
	var names []string
	for {
		_, rest, found := strings.Cut(pattern, "{")
		if !found {
			return names
		}
		name, after, _ := strings.Cut(rest, "}")
		if name = strings.TrimSuffix(name, "..."); name != "$" {
			names = append(names, name)
		}
		pattern = after
	}
}

// decode decodes the named values and remembers that it did.
func decode(r *http.Request, names []string) (*http.Request, error) {
	if len(names) == 0 {
		return r, nil
	}
	done, _ := r.Context().Value(doneKey{}).([]string)
	all := slices.Clone(done)
	for _, name := range names {
		if slices.Contains(all, name) || decodedEvent(r, name) {
			continue
		}
		value, err := unescape(name, r.PathValue(name))
		if err != nil {
			return nil, err
		}
		r.SetPathValue(name, value)
		all = append(all, name)
	}
	return r.WithContext(context.WithValue(r.Context(), doneKey{}, all)), nil
}

// decodedEvent says that the value is that of a REST API's event, which check and package
// web have decoded.
func decodedEvent(r *http.Request, name string) bool {
	e, ok := web.Event(r)
	if !ok || e.Door != web.RESTAPI {
		return false
	}
	for _, key := range []string{name, name + "+"} {
		if raw, ok := e.PathParameters[key]; ok {
			plain, err := url.PathUnescape(raw)
			return err == nil && plain == r.PathValue(name)
		}
	}
	return false
}

func unescape(name, value string) (string, error) {
	plain, err := url.PathUnescape(value)
	if err != nil || !utf8.ValidString(plain) {
		return "", invalid(name, err)
	}
	return plain, nil
}

// invalid is the answer, in Middy's words.
func invalid(name string, err error) *web.Error {
	return &web.Error{
		Status: http.StatusBadRequest,
		Detail: fmt.Sprintf("Invalid path parameter encoding: %s", name),
		Fields: []web.FieldError{{Parameter: name, In: "path", Detail: "is no percent-encoded UTF-8"}},
		Err:    err,
	}
}
