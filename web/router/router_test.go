package router

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/openapi"
)

// tag answers with its name and the values of the named wildcards.
func tag(name string, params ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, name)
		for _, p := range params {
			fmt.Fprintf(w, " %s=%q", p, r.PathValue(p))
		}
	}
}

// routes builds a Router from patterns; each answers with its pattern and the values
// of every wildcard in it.
func routes(cfg Config, patterns ...string) *Router {
	rt := New(cfg)
	for _, p := range patterns {
		parsed, err := parse(p, "", cfg.StrictSlash)
		if err != nil {
			panic(err)
		}
		var names []string
		for _, s := range parsed.segments {
			if s.wild {
				names = append(names, s.text)
			}
		}
		rt.HandleFunc(p, tag(p, names...))
	}
	return rt
}

func do(h http.Handler, method, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w
}

// The vectors of Middy's own tests and behaviour, and where we differ. Those of events
// without a method or path are package web's: such an event is refused there.
func TestMiddysVectors(t *testing.T) {
	for _, c := range []struct {
		rule     string
		patterns []string
		method   string
		path     string
		want     string
	}{
		{"static", []string{"GET /user"}, "GET", "/user/", "200 GET /user"},
		{"param", []string{"GET /user/{id}/"}, "GET", "/user/1", `200 GET /user/{id}/ id="1"`},
		{"depth selects", []string{"GET /user/{id}", "GET /user/{id}/posts/{postId}"}, "GET", "/user/42/posts/9", `200 GET /user/{id}/posts/{postId} id="42" postId="9"`},
		{"proxy bare", []string{"GET /path/{proxy+}"}, "GET", "/path", `200 GET /path/{proxy+} proxy=""`},
		{"proxy bare with a slash", []string{"GET /path/{proxy+}"}, "GET", "/path/", `200 GET /path/{proxy+} proxy=""`},
		{"proxy deep", []string{"GET /files/{proxy+}"}, "GET", "/files/a/b/c", `200 GET /files/{proxy+} proxy="a/b/c"`},
		{"proxy keeps a slash at the end", []string{"GET /files/{proxy+}"}, "GET", "/files/a/b/", `200 GET /files/{proxy+} proxy="a/b/"`},
		{"proxy sibling", []string{"GET /path/{proxy+}"}, "GET", "/pathology", "404 Route does not exist"},
		{"the specific one, though it comes later (Middy: wild)", []string{"GET /{proxy+}", "GET /users/{id}"}, "GET", "/users/1", `200 GET /users/{id} id="1"`},
		{"static beats earlier wildcard", []string{"GET /{proxy+}", "GET /about"}, "GET", "/about", "200 GET /about"},
		{"any", []string{"ANY /"}, "PATCH", "/", "200 ANY /"},
		{"literal dot", []string{"GET /api/v1.0/{id}"}, "GET", "/api/v1X0/123", "404 Route does not exist"},
		{"HEAD uses GET (Middy: 404)", []string{"GET /a"}, "HEAD", "/a", "200 GET /a"},
		{"GET before ANY (Middy: the last)", []string{"GET /a", "ANY /a"}, "GET", "/a", "200 GET /a"},
		{"ANY for the others", []string{"GET /a", "ANY /a"}, "PUT", "/a", "200 ANY /a"},
		{"a literal segment outranks a parameter (Middy: the first)", []string{"PUT /b/{id}/p/{pid}", "PUT /b/{id}/p/list"}, "PUT", "/b/1/p/list", `200 PUT /b/{id}/p/list id="1"`},
		{"a suffix", []string{"GET /f/{a}.json"}, "GET", "/f/x.json", `200 GET /f/{a}.json a="x"`},
		{"root also matches two slashes", []string{"GET /"}, "GET", "//", "200 GET /"},
		{"metacharacters are literal", []string{"GET /a+(b)"}, "GET", "/aa(b)", "404 Route does not exist"},
		{"a parameter is not empty", []string{"GET /a/{id}/b"}, "GET", "/a//b", "404 Route does not exist"},
		{"case counts", []string{"GET /a"}, "GET", "/A", "404 Route does not exist"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			w := do(routes(Config{}, c.patterns...), c.method, c.path)
			got := w.Body.String()
			var p struct{ Detail string }
			if json.Unmarshal(w.Body.Bytes(), &p) == nil {
				got = p.Detail
			}
			if got = fmt.Sprint(w.Code, " ", got); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestBeyondMiddy(t *testing.T) {
	for _, c := range []struct {
		rule     string
		patterns []string
		method   string
		path     string
		want     string
	}{
		{"hyphenated", []string{"GET /o/{order-id}/{x.y:z}"}, "GET", "/o/7/8", `200 GET /o/{order-id}/{x.y:z} order-id="7" x.y:z="8"`},
		{"every letter and digit", []string{"GET /o/{azAZ09}"}, "GET", "/o/7", `200 GET /o/{azAZ09} azAZ09="7"`},
		{"every letter and digit in ServeMux's place", []string{"GET /o/{09azAZ}"}, "GET", "/o/7", `200 GET /o/{09azAZ} 09azAZ="7"`},
		{"one hyphen", []string{"GET /o/{a-b}"}, "GET", "/o/7", `200 GET /o/{a-b} a-b="7"`},
		{"one dot", []string{"GET /o/{a.b}"}, "GET", "/o/7", `200 GET /o/{a.b} a.b="7"`},
		{"one colon", []string{"GET /o/{a:b}"}, "GET", "/o/7", `200 GET /o/{a:b} a:b="7"`},
		{"a hyphen first", []string{"GET /o/{-a}"}, "GET", "/o/7", `200 GET /o/{-a} -a="7"`},
		{"the last digit first", []string{"GET /o/{9a}"}, "GET", "/o/7", `200 GET /o/{9a} 9a="7"`},
		{"a digit first", []string{"GET /o/{1st}"}, "GET", "/o/7", `200 GET /o/{1st} 1st="7"`},
		{"greedy with a hyphen", []string{"GET /o/{the-rest+}"}, "GET", "/o/7/8/", `200 GET /o/{the-rest+} the-rest="7/8/"`},
		{"greedy as ServeMux writes it", []string{"GET /o/{rest...}"}, "GET", "/o/7/8", `200 GET /o/{rest...} rest="7/8"`},
		{"greedy at the root", []string{"/{proxy+}"}, "GET", "/", `200 /{proxy+} proxy=""`},
		{"greedy keeps empty segments", []string{"GET /s3/{key+}"}, "GET", "/s3/a//b///c//", `200 GET /s3/{key+} key="a//b///c//"`},
		{"greedy may begin with a slash", []string{"GET /s3/{key+}"}, "GET", "/s3//a", `200 GET /s3/{key+} key="/a"`},
		{"a route of its own before a bare one", []string{"GET /a/{x+}", "GET /a"}, "GET", "/a/", "200 GET /a"},
		{"and if it comes first", []string{"GET /a", "GET /a/{x+}"}, "GET", "/a", "200 GET /a"},
		{"a static path for ANY beats a wildcard for GET", []string{"ANY /health", "GET /{proxy+}"}, "GET", "/health", "200 ANY /health"},
		{"every ANY reaches a method that comes later", []string{"ANY /a", "ANY /b", "GET /c"}, "GET", "/b", "200 ANY /b"},
		{"whatever the order", []string{"GET /{proxy+}", "ANY /health"}, "GET", "/health", "200 ANY /health"},
		{"and for another method", []string{"GET /{proxy+}", "ANY /health"}, "PURGE", "/health", "200 ANY /health"},
		{"the wildcard has the rest", []string{"GET /{proxy+}", "ANY /health"}, "GET", "/x", `200 GET /{proxy+} proxy="x"`},
		{"HEAD has the more specific path too", []string{"GET /{proxy+}", "ANY /health"}, "HEAD", "/health", "200 ANY /health"},
		{"a HEAD of one's own before GET", []string{"GET /a", "HEAD /a"}, "HEAD", "/a", "200 HEAD /a"},
		{"whatever the order of these", []string{"HEAD /a", "GET /a"}, "HEAD", "/a", "200 HEAD /a"},
		{"GET before ANY for a HEAD", []string{"ANY /a", "GET /a"}, "HEAD", "/a", "200 GET /a"},
		{"a path of its own before a bare one of a better method", []string{"GET /a/{x+}", "ANY /a"}, "GET", "/a", "200 ANY /a"},
		{"a suffix for ANY before none for GET", []string{"GET /{a}", "ANY /{a}.gz"}, "GET", "/x.gz", `200 ANY /{a}.gz a="x"`},
		{"the same suffix, GET before ANY", []string{"GET /{a}.gz", "ANY /{b}.gz"}, "GET", "/x.gz", `200 GET /{a}.gz a="x"`},
		{"a suffix before a rest that is not there", []string{"GET /{a}.d/{b+}", "GET /{c}"}, "GET", "/x.d", `200 GET /{a}.d/{b+} a="x" b=""`},
		{"and without the suffix", []string{"GET /{a}.d/{b+}", "GET /{c}"}, "GET", "/x", `200 GET /{c} c="x"`},
		{"a path that nobody asked for gives way", []string{"GET /{x}/b/{rest+}", "GET /a/{y}"}, "GET", "/a/b", `200 GET /a/{y} y="b"`},
		{"whatever the order, here too", []string{"GET /a/{y}", "GET /{x}/b/{rest+}"}, "GET", "/a/b", `200 GET /a/{y} y="b"`},
		{"and does not take its neighbours with it", []string{"GET /n", "GET /{x}/b/{rest+}", "GET /{z}.x/c/d", "GET /a/{y}"}, "GET", "/n", "200 GET /n"},
		{"nor those with a suffix", []string{"GET /n", "GET /{x}/b/{rest+}", "GET /{z}.x/c/d", "GET /a/{y}"}, "GET", "/q.x/c/d", `200 GET /{z}.x/c/d z="q"`},
		{"nor the way past a suffix", []string{"GET /{w+}", "GET /{x}/b/{rest+}", "GET /{z}.x/c/d", "GET /a/{y}"}, "GET", "/q/c/d", `200 GET /{w+} w="q/c/d"`},
		{"nor its own route", []string{"GET /{x}/b/{rest+}", "GET /a/{y}"}, "GET", "/a/b/c", `200 GET /{x}/b/{rest+} x="a" rest="c"`},
		{"a value is decoded once", []string{"GET /{id}"}, "GET", "/x%2Fy%2525", `200 GET /{id} id="x/y%25"`},
		{"a value that is a slash", []string{"GET /u/{id}"}, "GET", "/u/%2F", `200 GET /u/{id} id="/"`},
		{"a value that is a slash, with one behind it", []string{"GET /u/{id}"}, "GET", "/u/%2f/", `200 GET /u/{id} id="/"`},
		{"a value that is a slash, and others", []string{"GET /{a}/x/{key+}"}, "GET", "/%2F/x/a/%2F/b", `200 GET /{a}/x/{key+} a="/" key="a///b"`},
		{"a slash is no suffix", []string{"GET /u/{id}.json"}, "GET", "/u/%2F", "404"},
		{"a slash at the end of an encoded path", []string{"GET /{id}"}, "GET", "/x%2Fy/", `200 GET /{id} id="x/y"`},
		{"the longer suffix", []string{"GET /{a}.gz", "GET /{a}", "GET /{a}.tar.gz"}, "GET", "/x.tar.gz", `200 GET /{a}.tar.gz a="x"`},
		{"the shorter suffix", []string{"GET /{a}.gz", "GET /{a}", "GET /{a}.tar.gz"}, "GET", "/x.gz", `200 GET /{a}.gz a="x"`},
		{"no suffix", []string{"GET /{a}.gz", "GET /{a}", "GET /{b}.tar.gz"}, "GET", "/x.zip", `200 GET /{a} a="x.zip"`},
		{"nothing before the suffix", []string{"GET /{a}.gz", "GET /{b}"}, "GET", "/.gz", `200 GET /{b} b=".gz"`},
		{"a suffix that does not fit leaves it to others", []string{"GET /f/{a}.gz", "GET /f/{rest+}"}, "GET", "/f/x.zip", `200 GET /f/{rest+} rest="x.zip"`},
		{"a suffix in the middle", []string{"GET /{a}.d/{b}"}, "GET", "/x.d/y", `200 GET /{a}.d/{b} a="x" b="y"`},
		{"dots in a name", []string{"GET /{x+}"}, "GET", "/.well-known/..x", `200 GET /{x+} x=".well-known/..x"`},
		{"a dot segment", []string{"GET /{x+}"}, "GET", "/a/../b", "404"},
		{"a dot segment at the end", []string{"GET /{x+}"}, "GET", "/a/..", "404"},
		{"a single dot", []string{"GET /{x+}"}, "GET", "/a/./b", "404"},
		{"a single dot at the end", []string{"GET /{x+}"}, "GET", "/a/.", "404"},
		{"an encoded dot segment", []string{"GET /{x+}"}, "GET", "/a/%2e%2E/b", "404"},
		{"dots behind an encoded slash", []string{"GET /{x}"}, "GET", "/a%2f..%2fb", "404"},
		{"a null character", []string{"GET /{x+}"}, "GET", "/a%00", "404"},
		{"an end in ServeMux's way", []string{"GET /a/{$}"}, "GET", "/a", "200 GET /a/{$}"},
		{"another method", []string{"PROPFIND /a"}, "PROPFIND", "/a", "200 PROPFIND /a"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			w := do(routes(Config{}, c.patterns...), c.method, c.path)
			if got := fmt.Sprint(w.Code, " ", w.Body); !strings.HasPrefix(got, c.want) {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestMethodNotAllowedNamesTheOthers(t *testing.T) {
	patterns := []string{"GET /a", "POST /a", "PUT /{x+}", "DELETE /f/{a}.gz", "POST /b"}
	for _, c := range []struct {
		rule, method, path string
		cfg                Config
		status             int
		allow              string
	}{
		{"405", "PATCH", "/a", Config{}, 405, "GET, HEAD, POST, PUT"},
		{"with a slash", "PATCH", "/a/", Config{}, 405, "GET, HEAD, POST, PUT"},
		{"a suffix that fits", "GET", "/f/x.gz", Config{}, 405, "DELETE, PUT"},
		{"a suffix that does not", "GET", "/f/x.zip", Config{}, 405, "PUT"},
		{"without GET there is no HEAD", "HEAD", "/b", Config{}, 405, "POST, PUT"},
		{"OPTIONS is a method", "OPTIONS", "/b", Config{}, 405, "POST, PUT"},
		{"OPTIONS is answered", "OPTIONS", "/b", Config{AutoOptions: true}, 204, "OPTIONS, POST, PUT"},
		{"and named", "GET", "/b", Config{AutoOptions: true}, 405, "OPTIONS, POST, PUT"},
		{"404, as Middy", "PATCH", "/a", Config{DisableMethodNotAllowed: true}, 404, ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			w := do(routes(c.cfg, patterns...), c.method, c.path)
			if w.Code != c.status || w.Header().Get("Allow") != c.allow {
				t.Errorf("got %d %q, want %d %q", w.Code, w.Header().Get("Allow"), c.status, c.allow)
			}
		})
	}
	rt := routes(Config{AutoOptions: true}, "GET /a", "OPTIONS /c")
	if w := do(rt, "OPTIONS", "/nowhere"); w.Code != 404 {
		t.Errorf("OPTIONS of a path without routes: %d", w.Code)
	}
	if w := do(rt, "GET", "/c"); w.Code != 405 || w.Header().Get("Allow") != "OPTIONS" {
		t.Errorf("a route for OPTIONS alone: got %d %q, want 405 OPTIONS", w.Code, w.Header().Get("Allow"))
	}
	if w := do(rt, "OPTIONS", "/c"); w.Code != 200 || w.Body.String() != "OPTIONS /c" {
		t.Errorf("a route of one's own for OPTIONS: %d %s", w.Code, w.Body)
	}
}

func TestPatternsThatAreNone(t *testing.T) {
	for pattern, want := range map[string]string{
		"get /a":           `router: "get /a": a method is written in capitals`,
		" /a":              `router: " /a": a method is written in capitals`,
		"a":                `router: "a": a path begins with /`,
		"":                 `router: "": a path begins with /`,
		"GET a":            `router: "GET a": a path begins with /`,
		"GET /a b":         `router: "GET /a b": a path has no blanks`,
		"ANY / ":           `router: "ANY / ": a path has no blanks`,
		"/users/{":         `router: "/users/{": "{" must have one pair of braces`,
		"/users/}":         `router: "/users/}": the wildcard in "}" must stand at its segment's beginning`,
		"/{}":              `router: "/{}": "" is no name for a wildcard: letters, digits and - _ . : are`,
		"/{a b}":           `router: "/{a b}": a method is written in capitals`,
		"/{a*}":            `router: "/{a*}": "a*" is no name for a wildcard: letters, digits and - _ . : are`,
		"/{*a}":            `router: "/{*a}": "*a" is no name for a wildcard: letters, digits and - _ . : are`,
		"/{ä}":             `router: "/{ä}": "ä" is no name for a wildcard: letters, digits and - _ . : are`,
		"/v{a}":            `router: "/v{a}": the wildcard in "v{a}" must stand at its segment's beginning`,
		"/{a}{b}":          `router: "/{a}{b}": "{a}{b}" must have one pair of braces`,
		"/{a}/{a}":         `router: "/{a}/{a}": there are two wildcards a`,
		"/{proxy+}/suffix": `router: "/{proxy+}/suffix": {proxy+} takes the rest of the path and must stand at its end`,
		"/{proxy+}.json":   `router: "/{proxy+}.json": {proxy+} takes the rest of the path, also .json`,
		"/a//b":            `router: "/a//b": an empty segment`,
		"/a/../b":          `router: "/a/../b": a segment .. matches nothing`,
		"/a/.":             `router: "/a/.": a segment . matches nothing`,
	} {
		if got := refusal(func() { New(Config{}).HandleFunc(pattern, tag("")) }); got != want {
			t.Errorf("%q: got %s\nwant %s", pattern, got, want)
		}
	}
	if got := refusal(func() { New(Config{}).Handle("/a", nil) }); got != "router: /a has no handler" {
		t.Error(got)
	}
	if got := refusal(func() { New(Config{}).HandleFunc("/a", nil) }); got != "router: /a has no handler" {
		t.Error(got)
	}
}

// refusal is what f panics with.
func refusal(f func()) (text string) {
	defer func() {
		if value := recover(); value != nil {
			text = fmt.Sprint(value)
		}
	}()
	f()
	return ""
}

func TestConflictsNameBothRoutes(t *testing.T) {
	for _, c := range []struct {
		rule     string
		patterns []string
		want     string // without the places
	}{
		{"the same", []string{"GET /a", "GET /a/"}, "router: GET /a () is there already: GET /a ()"},
		{"the same with other names", []string{"GET /{a}", "GET /{b}"}, "router: GET /{b} () is there already: GET /{a} ()"},
		{"the same for every method", []string{"ANY /a", "/a"}, "router: /a () is there already: /a ()"},
		{"two greedy ones", []string{"GET /{a+}", "GET /{b...}"}, "router: GET /{b...} () is there already: GET /{a...} ()"},
		{"the same suffix", []string{"GET /{a}.x", "GET /{b}.x"}, "router: GET /{b}.x () is there already: GET /{a}.x ()"},
		{"neither is more specific", []string{"GET /z", "GET /a/{x}", "GET /{y}/b"}, "router: GET /{y}/b () and GET /a/{x} () match the same requests, and neither is more specific"},
		{"neither is more specific, and one is for every method", []string{"GET /a/{x}", "/{y}/b"}, "router: /{y}/b () and GET /a/{x} () match the same requests, and neither is more specific"},
		{"the same, the other way round", []string{"/{y}/b", "GET /a/{x}"}, "router: GET /a/{x} () and /{y}/b () match the same requests, and neither is more specific"},
		{"the same HEAD", []string{"GET /a", "HEAD /a", "HEAD /a"}, "router: HEAD /a () is there already: HEAD /a ()"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			rt := New(Config{})
			for _, p := range c.patterns[:len(c.patterns)-1] {
				rt.HandleFunc(p, tag(p))
			}
			got := refusal(func() { rt.HandleFunc(c.patterns[len(c.patterns)-1], tag("")) })
			if !strings.Contains(got, "router_test.go:") {
				t.Errorf("no place in %s", got)
			}
			if got = placeless(got); got != c.want {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
		})
	}
}

func placeless(s string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "router_test.go:")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		s = strings.TrimLeft(rest, "0123456789")
	}
}

func TestGroups(t *testing.T) {
	named := func(name string) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprint(w, name, "(")
				next.ServeHTTP(w, r)
				fmt.Fprint(w, ")")
			})
		}
	}
	rt := New(Config{})
	v1 := rt.At("/v1/").With(named("a"), named("b"))
	v1.HandleFunc("GET /", tag("root"))
	v1.With(named("c")).At("/x").HandleFunc("GET /{id}", tag("x", "id"))
	v1.HandleFunc("/plain", tag("plain"))
	rt.HandleFunc("GET /", tag("outside"))
	for path, want := range map[string]string{
		"/v1": "a(b(root))", "/v1/": "a(b(root))", "/v1/x/7": `a(b(c(x id="7")))`, "/v1/plain": "a(b(plain))", "/": "outside",
	} {
		if got := do(rt, "GET", path).Body.String(); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	var got []string
	for pattern, given := range rt.Routes() {
		got = append(got, pattern)
		if body := do(given, "GET", "/").Body.String(); strings.Contains(body, "(") {
			t.Errorf("%s has its middlewares: %s", pattern, body)
		}
	}
	if want := []string{"GET /", "GET /v1", "/v1/plain", "GET /v1/x/{id}"}; !slices.Equal(got, want) {
		t.Errorf("Routes: %q", got)
	}
	for range rt.Routes() {
		break // a loop may end early
	}
	for _, prefix := range []string{"v1", "GET /v1", "/{x+}", "/{x}.y"} {
		if refusal(func() { rt.At(prefix) }) == "" {
			t.Errorf("At took %q", prefix)
		}
	}
}

func TestStrictSlash(t *testing.T) {
	rt := routes(Config{StrictSlash: true}, "GET /a", "GET /b/", "GET /c", "GET /c/", "GET /f/{x+}", "GET /")
	for path, want := range map[string]string{
		"/a": "200 GET /a", "/a/": "404", "/b": "404", "/b/": "200 GET /b/", "/c": "200 GET /c", "/c/": "200 GET /c/",
		"/f": `200 GET /f/{x+} x=""`, "/f/": `200 GET /f/{x+} x=""`, "/f/a/": `200 GET /f/{x+} x="a/"`, "/": "200 GET /",
	} {
		w := do(rt, "GET", path)
		if got := fmt.Sprint(w.Code, " ", w.Body); !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

func TestBasePath(t *testing.T) {
	rt := New(Config{BasePath: "/v1/"})
	rt.HandleFunc("GET /a/{x}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.URL.RequestURI(), " ", r.PathValue("x"), " ", r.Pattern)
	})
	rt.HandleFunc("GET /", tag("root"))
	rt.HandleFunc("GET /v12", tag("v12"))
	for target, want := range map[string]string{
		"/v1/a/1?q": "200 /v1/a/1?q 1 GET /a/{x}",
		"/v1/a/1/":  "200 /v1/a/1/ 1 GET /a/{x}",
		"/a/1":      "200 /a/1 1 GET /a/{x}", // the API's own domain
		"/v1":       "200 root",
		"/v1/":      "200 root",
		"/v12/a/1":  "404",
		"/v12":      "200 v12", // which only begins like the base path
	} {
		w := do(rt, "GET", target)
		if got := fmt.Sprint(w.Code, " ", w.Body); !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %s, want %s", target, got, want)
		}
	}
	for _, base := range []string{"v1", "/{x+}", "GET /x"} {
		if (Config{BasePath: base}).Validate() == nil {
			t.Errorf("BasePath %q", base)
		}
	}
	if refusal(func() { New(Config{BasePath: "v1"}) }) == "" {
		t.Error("New took a bad Config")
	}
	if err := (Config{BasePath: "/"}).Validate(); err != nil {
		t.Error(err)
	}
}

// The endpoint behind a group's middlewares is documented, and finds its values.
func TestTypedEndpoints(t *testing.T) {
	type in struct {
		ID  string `path:"order-id"`
		Key string `query:"key"`
	}
	rt := New(Config{})
	hide := func(h http.Handler) http.Handler { return http.HandlerFunc(h.ServeHTTP) }
	rt.At("/v1").With(hide).Handle("GET /orders/{order-id}", web.JSON(func(_ context.Context, in in) (string, error) {
		return in.ID + in.Key, nil
	}))
	if got := do(rt, "GET", "/v1/orders/7/?key=8").Body.String(); strings.TrimSpace(got) != `"78"` {
		t.Errorf("got %s", got)
	}
	doc := openapi.New(openapi.Config{})
	doc.AddAll(rt.Routes())
	b, err := doc.JSON()
	if err != nil || !bytes.Contains(b, []byte("/v1/orders/{order-id}")) || !bytes.Contains(b, []byte(`"key"`)) {
		t.Errorf("got %s, %v", b, err)
	}
}

// invoke sends an event through web.Handler.
func invoke(t *testing.T, h http.Handler, event string) string {
	t.Helper()
	var e web.Request
	if err := json.Unmarshal([]byte(event), &e); err != nil {
		t.Fatal(err)
	}
	resp, err := web.Handler(h)(context.Background(), e)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(resp.Status, " ", string(resp.Body))
}

func TestInLambda(t *testing.T) {
	rt := routes(Config{StripStage: true}, "GET /u/{id}", "ANY /", "GET /path")
	for rule, c := range map[string]struct{ event, want string }{
		"the router's match wins over the event's": {`{"httpMethod":"GET","path":"/u/1","pathParameters":{"id":"gw","proxy":"u/1"}}`, `200 GET /u/{id} id="1"`},
		"v2":                              {`{"version":"2.0","rawPath":"/","requestContext":{"http":{"method":"PATCH","path":"/"}}}`, "200 ANY /"},
		"lattice v1":                      {`{"method":"GET","raw_path":"/path?a=1&b=2"}`, "200 GET /path"},
		"a stage":                         {`{"httpMethod":"GET","path":"/prod/path","requestContext":{"stage":"prod"}}`, "200 GET /path"},
		"no stage":                        {`{"httpMethod":"GET","path":"/path","requestContext":{"stage":"prod"}}`, "200 GET /path"},
		"only a stage":                    {`{"httpMethod":"GET","path":"/prod","requestContext":{"stage":"prod"}}`, "200 ANY /"},
		"like a stage":                    {`{"httpMethod":"GET","path":"/product","requestContext":{"stage":"prod"}}`, `404 {"title":"Not Found","status":404,"detail":"Route does not exist"}` + "\n"},
		"no stage is no empty segment":    {`{"httpMethod":"GET","path":"//u/1"}`, "404"},
		"the default stage is in no path": {`{"version":"2.0","rawPath":"/$default/path","requestContext":{"stage":"$default","http":{"method":"GET","path":"/$default/path"}}}`, "404"},
		"encoded":                         {`{"httpMethod":"GET","path":"/u/x%2Fy"}`, `200 GET /u/{id} id="x/y"`},
		"hostile names":                   {`{"httpMethod":"__proto__","path":"/u/1"}`, `405`},
	} {
		if got := invoke(t, rt, c.event); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: got %s, want %s", rule, got, c.want)
		}
	}
}

func TestNotFoundHandler(t *testing.T) {
	rt := routes(Config{NotFound: tag("none")}, "GET /a")
	for _, path := range []string{"/b", "/a/../b"} {
		if got := do(rt, "GET", path).Body.String(); got != "none" {
			t.Errorf("%s: got %s", path, got)
		}
	}
}

func TestOddURLs(t *testing.T) {
	rt := routes(Config{}, "GET /{x+}", "CONNECT /a")
	for _, path := range []string{"", "*", "a"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.Path = path
		w := httptest.NewRecorder()
		rt.ServeHTTP(w, r)
		if w.Code != 404 {
			t.Errorf("%q: %d", path, w.Code)
		}
	}
}

func TestBehindARealServer(t *testing.T) {
	srv := httptest.NewServer(routes(Config{}, "GET /files/{key+}", "POST /a"))
	defer srv.Close()
	for path, want := range map[string]string{
		"/files/a//b%2Fc/": `200 GET /files/{key+} key="a//b/c/"`,
		"/a":               `405 {"title":"Method Not Allowed","status":405,"detail":"the methods here are POST"}` + "\n",
	} {
		resp, err := http.Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if got := fmt.Sprintf("%d %s", resp.StatusCode, b); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

// No path is redirected or panics, and a greedy value is the path as it came.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"/a", "//", "/a//b/", "/%2e%2e/", "/a/%00", "/x.json", "/%"} {
		f.Add(seed)
	}
	rt := New(Config{})
	rt.HandleFunc("POST /{x}.json", tag(""))
	rt.HandleFunc("GET /{all+}", func(w http.ResponseWriter, r *http.Request) {
		if got := "/" + r.PathValue("all"); got != r.URL.Path && r.URL.Path != "//" {
			panic(fmt.Sprintf("%q from %q", got, r.URL.Path))
		}
	})
	f.Fuzz(func(t *testing.T, path string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.Path = path
		w := httptest.NewRecorder()
		rt.ServeHTTP(w, r)
		if w.Code != 200 && w.Code != 404 {
			t.Fatalf("%q: %d", path, w.Code)
		}
	})
}

func FuzzPattern(f *testing.F) {
	for _, seed := range []string{"GET /a/{b}/{c+}", "/{a}.x", "ANY /{$}", "/{a", "GET  /"} {
		f.Add(seed, "/a/b")
	}
	f.Fuzz(func(t *testing.T, pattern, path string) {
		rt, err := parse(pattern, "", false)
		if err != nil {
			return
		}
		again, err := parse(rt.name, "", false)
		if err != nil || again.name != rt.name {
			t.Fatalf("%q: %q, %v", pattern, rt.name, err)
		}
	})
}

func BenchmarkRouter(b *testing.B) {
	rt := routes(Config{}, "GET /", "GET /orders", "GET /orders/{id}", "POST /orders", "GET /orders/{id}/items/{item}", "GET /files/{key+}")
	rt.HandleFunc("GET /bench/{id}", func(http.ResponseWriter, *http.Request) {})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /bench/{id}", func(http.ResponseWriter, *http.Request) {})
	for name, h := range map[string]http.Handler{"Router": rt, "ServeMux": mux} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequest("GET", "/bench/7", nil)
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(nil, r)
			}
		})
	}
}
