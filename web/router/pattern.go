package router

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A place is where a route was registered.
type place struct {
	file string
	line int
}

func (p place) String() string { return filepath.Base(p.file) + ":" + strconv.Itoa(p.line) }

// A route is one registered pattern.
type route struct {
	name    string // the pattern with its prefix, as Request.Pattern has it
	at      place
	handler http.Handler // with the middlewares of its groups
	given   http.Handler // without

	method   string    // "": every one
	segments []segment // an empty one at the end for a slash that counts
}

// A segment is a part of a path between slashes.
type segment struct {
	text    string // the literal, or the wildcard's name
	literal string // the literal, decoded
	suffix  string // behind a wildcard
	wild    bool
	greedy  bool
}

// parse reads a pattern.
func parse(pattern, prefix string, strictSlash bool) (*route, error) {
	rt := &route{}
	path := pattern
	if i := strings.IndexAny(pattern, " \t"); i >= 0 {
		rt.method, path = pattern[:i], strings.TrimLeft(pattern[i:], " \t")
		if !validMethod(rt.method) {
			return nil, fmt.Errorf("router: %q: a method is written in capitals", pattern)
		}
	}
	if rt.method == "ANY" {
		rt.method = ""
	}
	if !strings.HasPrefix(path, "/") {
		return nil, fmt.Errorf("router: %q: a path begins with /", pattern)
	}
	if strings.ContainsAny(prefix+path, " \t") {
		return nil, fmt.Errorf("router: %q: a path has no blanks", pattern)
	}
	path = strings.TrimSuffix(prefix+path, "{$}")
	trimmed := strings.TrimSuffix(path, "/")
	for text := range strings.SplitSeq(strings.TrimPrefix(trimmed, "/"), "/") {
		if trimmed == "" {
			break
		}
		s, err := parseSegment(text)
		if err != nil {
			return nil, fmt.Errorf("router: %q: %w", pattern, err)
		}
		rt.segments = append(rt.segments, s)
	}
	if strictSlash && trimmed != "" && trimmed != path {
		rt.segments = append(rt.segments, segment{})
	}
	if err := rt.check(); err != nil {
		return nil, fmt.Errorf("router: %q: %w", pattern, err)
	}
	rt.name = rt.format()
	if rt.method != "" {
		rt.name = rt.method + " " + rt.name
	}
	return rt, nil
}

func validMethod(s string) bool {
	return s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_") == ""
}

// parseSegment reads text, {name}, {name}.suffix, {name+} or {name...}.
func parseSegment(text string) (segment, error) {
	switch {
	case text == "":
		return segment{}, errors.New("an empty segment")
	case text == "." || text == "..":
		return segment{}, errors.New("a segment " + text + " matches nothing")
	case !strings.ContainsAny(text, "{}"):
		return segment{text: text, literal: unescape(text)}, nil
	case text[0] != '{':
		return segment{}, fmt.Errorf("the wildcard in %q must stand at its segment's beginning", text)
	}
	name, suffix, closed := strings.Cut(text[1:], "}")
	if !closed || strings.ContainsAny(suffix, "{}") {
		return segment{}, fmt.Errorf("%q must have one pair of braces", text)
	}
	s := segment{wild: true, suffix: suffix}
	s.text, s.greedy = strings.CutSuffix(name, "+")
	if !s.greedy {
		s.text, s.greedy = strings.CutSuffix(name, "...")
	}
	if s.text == "" || strings.IndexFunc(s.text, notInName) >= 0 {
		return segment{}, fmt.Errorf("%q is no name for a wildcard: letters, digits and - _ . : are", s.text)
	}
	return s, nil
}

// notInName follows API Gateway, which allows letters, digits and these in a name.
func notInName(r rune) bool {
	letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	return !letter && !strings.ContainsRune("-_.:", r)
}

func (rt *route) check() error {
	var names []string
	for i, s := range rt.segments {
		switch {
		case !s.wild:
			continue
		case s.greedy && i != len(rt.segments)-1:
			return fmt.Errorf("{%s+} takes the rest of the path and must stand at its end", s.text)
		case s.greedy && s.suffix != "":
			return fmt.Errorf("{%s+} takes the rest of the path, also %s", s.text, s.suffix)
		case slices.Contains(names, s.text):
			return fmt.Errorf("there are two wildcards %s", s.text)
		}
		names = append(names, s.text)
	}
	return nil
}

func (rt *route) greedy() bool {
	return len(rt.segments) > 0 && rt.segments[len(rt.segments)-1].greedy
}

// format writes the path as ServeMux writes patterns.
func (rt *route) format() string {
	var b strings.Builder
	for _, s := range rt.segments {
		b.WriteByte('/')
		switch {
		case !s.wild:
			b.WriteString(s.text)
		case s.greedy:
			b.WriteString("{" + s.text + "...}")
		default:
			b.WriteString("{" + s.text + "}" + s.suffix)
		}
	}
	if len(rt.segments) == 0 {
		return "/"
	}
	return b.String()
}

// suffixed tells whether the route has a suffix behind a wildcard.
func (rt *route) suffixed() bool {
	return slices.ContainsFunc(rt.segments, func(s segment) bool { return s.suffix != "" })
}

// suffixes are what tells routes of one shape apart.
func suffixes(shape []segment) string {
	var b strings.Builder
	for _, s := range shape {
		b.WriteString(s.suffix)
		b.WriteByte('/')
	}
	return b.String()
}

// checkPrefix reports a path that cannot stand before others.
func checkPrefix(what, prefix string) error {
	rt, err := parse(prefix, "", false)
	switch {
	case err != nil:
		return err
	case rt.method != "" || rt.greedy() || rt.suffixed():
		return fmt.Errorf("router: %s is %q; it must be a path such as /v1", what, prefix)
	}
	return nil
}
