package frontdoor

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// validateRoutes reports what is no route key. defaultToo allows "$default".
func validateRoutes(routes []string, defaultToo bool) error {
	var errs []error
	for _, key := range routes {
		method, path, ok := strings.Cut(key, " ")
		if (!defaultToo || key != "$default") && (!ok || method == "" || !strings.HasPrefix(path, "/")) {
			hint := "METHOD /path"
			if defaultToo {
				hint += " or $default"
			}
			errs = append(errs, fmt.Errorf("frontdoor: route %q is not a route key; write %s", key, hint))
		}
	}
	return errors.Join(errs...)
}

// An HTTP API takes the most specific route: literal segments before variables,
// both before a greedy one, and a method before ANY; $default is last.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
func findRoute(routes []string, method, path string) (key string, params map[string]string, ok bool) {
	if len(routes) == 0 {
		return "$default", nil, true
	}
	best := ""
	for _, route := range routes {
		m, pattern, isRoute := strings.Cut(route, " ")
		if !isRoute || m != "ANY" && m != method {
			continue
		}
		p, rank, fits := match(pattern, path)
		if m == "ANY" {
			rank += "1"
		} else {
			rank += "0"
		}
		if fits && (best == "" || rank < best) {
			key, params, best = route, p, rank
		}
	}
	if best != "" {
		return key, params, true
	}
	return "$default", nil, slices.Contains(routes, "$default")
}

// A REST API takes the most specific resource that has the method, or ANY: one that
// lacks it lets a less specific resource answer, as measured in
// https://github.com/ministackorg/ministack/pull/1423 and
// https://github.com/floci-io/floci/pull/3399.
func findResource(routes []string, method, path string) (resource string, params map[string]string, ok bool) {
	best := ""
	for _, route := range routes {
		m, pattern, isRoute := strings.Cut(route, " ")
		if !isRoute || m != "ANY" && m != method {
			continue
		}
		if p, rank, fits := match(pattern, path); fits && (!ok || rank < best) {
			resource, params, best, ok = pattern, p, rank, true
		}
	}
	return resource, params, ok
}

// withoutSlash is what a REST API routes by, which is not what it shows in the
// event: /thing/ is the resource /thing. An HTTP API tells them apart.
// https://github.com/aws/aws-sam-cli/issues/1495
func withoutSlash(path string) string {
	if short, ok := strings.CutSuffix(path, "/"); ok && short != "" {
		return short
	}
	return path
}

// match compares segment by segment. rank orders what fits: a digit for each
// segment, 0 literal, 1 variable, 2 greedy. Parameters are as sent.
func match(pattern, path string) (params map[string]string, rank string, ok bool) {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	for i, w := range want {
		if i >= len(have) {
			return nil, "", false
		}
		name, variable := strings.CutPrefix(w, "{")
		name = strings.TrimSuffix(name, "}")
		greedy, isGreedy := strings.CutSuffix(name, "+")
		switch {
		case variable && isGreedy:
			rest := strings.Join(have[i:], "/")
			return set(params, greedy, rest), rank + "2", rest != ""
		case variable:
			if have[i] == "" {
				return nil, "", false
			}
			params, rank = set(params, name, have[i]), rank+"1"
		case w != have[i] && w != unescapePath(have[i]):
			return nil, "", false
		default:
			rank += "0"
		}
	}
	return params, rank, len(want) == len(have)
}

func set(m map[string]string, name, value string) map[string]string {
	if m == nil {
		m = map[string]string{}
	}
	m[name] = value
	return m
}

// decoded path parameters: an escaped slash is part of its segment.
func decoded(params map[string]string) map[string]string {
	for name, value := range params {
		params[name] = unescapePath(value)
	}
	return params
}

func unescapePath(s string) string {
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}

// A place is where a request stands in an API: what comes before its route.
type place struct {
	stage   string // a name, or "$default"
	mapping string // the path under which a custom domain has the API, or ""
	staged  bool   // the stage is the first segment of the path
}

// errNoStage is an [ErrNoRoute] that REST APIs answer in another way.
var errNoStage = fmt.Errorf("%w of this API", ErrNoRoute)

// strip takes the mapping, or the stage, off an escaped path.
func (p place) strip(path string) (routed string, err error) {
	prefix := ""
	switch {
	case p.mapping != "":
		prefix = "/" + strings.Trim(p.mapping, "/")
	case p.staged:
		prefix = "/" + p.stage
	}
	rest, ok := strings.CutPrefix(path, prefix)
	if !ok || prefix != "" && rest != "" && rest[0] != '/' {
		return "", fmt.Errorf("%w: %s is not under %s", errNoStage, path, prefix)
	}
	if rest == "" {
		rest = "/"
	}
	return rest, nil
}
