package router

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A route that does not match never hides one that does.
func TestTheNextRouteIsTried(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule     string
		patterns []string
		method   string
		path     string
		want     string
		allow    string
	}{
		{"an empty segment leaves the path to the rest", []string{"ANY /{proxy+}", "GET /a/{id}/b"}, "GET", "/a//b", `200 ANY /{proxy+} proxy="a//b"`, ""},
		{"whatever the order", []string{"GET /a/{id}/b", "GET /{proxy+}"}, "GET", "/a//b", `200 GET /{proxy+} proxy="a//b"`, ""},
		{"beside another method", []string{"ANY /{proxy+}", "GET /a/{id}/b", "PUT /c"}, "GET", "/a//b", `200 ANY /{proxy+} proxy="a//b"`, ""},
		{"to a rest that begins later", []string{"GET /{a+}", "GET /a/{b+}", "GET /a/{id}"}, "GET", "/a//", `200 GET /a/{b+} b="/"`, ""},
		{"a suffix leaves it to a less specific suffix", []string{"GET /a/{x}.json/c", "GET /a/{y}/{z}.xml"}, "GET", "/a/b/c.xml", `200 GET /a/{y}/{z}.xml y="b" z="c"`, ""},
		{"a literal that leads nowhere", []string{"GET /a/b/c", "GET /{x}/{y}/d"}, "GET", "/a/b/d", `200 GET /{x}/{y}/d x="a" y="b"`, ""},
		{"a wildcard that leads nowhere", []string{"GET /{x}/b", "GET /{all+}"}, "GET", "/a/c", `200 GET /{all+} all="a/c"`, ""},
		{"a more specific path of another method", []string{"POST /a/{id}", "GET /{all+}"}, "GET", "/a/1", `200 GET /{all+} all="a/1"`, ""},
		{"no route is left", []string{"PUT /{x}/b", "POST /a/{id}/b"}, "GET", "/a//b", "404", ""},
		{"the methods have no empty one among them", []string{"PUT /{proxy+}", "ANY /a/{id}/b"}, "GET", "/a//b", "405", "PUT"},
		{"a path without its rest gives way only where a method meets", []string{"GET /a/{x}/{rest+}", "POST /{y}/b"}, "GET", "/a/b", `200 GET /a/{x}/{rest+} x="b" rest=""`, ""},
		{"and is there for the other methods", []string{"ANY /a/{x}/{rest+}", "GET /{y}/b"}, "PUT", "/a/b", `200 ANY /a/{x}/{rest+} x="b" rest=""`, ""},
		{"but not for that one", []string{"ANY /a/{x}/{rest+}", "GET /{y}/b"}, "GET", "/a/b", `200 GET /{y}/b y="a"`, ""},
		{"nor when it comes later", []string{"GET /{y}/b", "ANY /a/{x}/{rest+}"}, "HEAD", "/a/b", `200 GET /{y}/b y="a"`, ""},
		{"it gives way only where the other one matches", []string{"GET /a/{x}/{rest+}", "GET /{y}/b"}, "GET", "/a/c", `200 GET /a/{x}/{rest+} x="c" rest=""`, ""},
		{"and its suffix fits", []string{"GET /a/{x}/c/{rest+}", "GET /{y}.z/b/c", "GET /{y}/b/{z}.d"}, "GET", "/a/b/c", `200 GET /a/{x}/c/{rest+} x="b" rest=""`, ""},
		{"a literal with an escape", []string{"GET /a%20b", "GET /{x}"}, "GET", "/a%20b", "200 GET /a%20b", ""},
		{"a literal in another alphabet", []string{"GET /ü"}, "GET", "/%C3%BC", "200 GET /ü", ""},
		{"more segments than most paths have", []string{"GET /{x+}"}, "GET", strings.Repeat("/a", 40), `200 GET /{x+} x="` + strings.Repeat("/a", 40)[1:] + `"`, ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			w := do(routes(Config{}, c.patterns...), c.method, c.path)
			if got := fmt.Sprint(w.Code, " ", w.Body); !strings.HasPrefix(got, c.want) || w.Header().Get("Allow") != c.allow {
				t.Errorf("got %s with Allow %q, want %s with %q", got, w.Header().Get("Allow"), c.want, c.allow)
			}
		})
	}
}

// For one method, without suffixes and empty segments, ServeMux and the table refuse
// the same routes and find the same ones.
func TestAsServeMux(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	randomPath := func(wild bool) string {
		path := ""
		for range 1 + random.IntN(4) {
			if wild && random.IntN(2) == 0 {
				path += "/{}"
			} else {
				path += "/" + pick("a", "b", "c")
			}
		}
		for i := 0; strings.Contains(path, "{}"); i++ {
			path = strings.Replace(path, "{}", fmt.Sprintf("{w%d}", i), 1)
		}
		if wild && random.IntN(3) == 0 {
			path += "/{rest...}"
		}
		return path
	}
	for range 2000 {
		mux, rt := http.NewServeMux(), New(Config{})
		found := ""
		for range 1 + random.IntN(8) {
			pattern := randomPath(true)
			h := func(_ http.ResponseWriter, r *http.Request) {
				found = pattern + " " + r.PathValue("w0") + " " + r.PathValue("rest")
			}
			ours := refusal(func() { rt.HandleFunc("GET "+pattern, h) }) != "<nil>"
			theirs := refusal(func() { mux.HandleFunc("GET "+pattern, h) }) != "<nil>"
			if ours != theirs {
				t.Fatalf("%s: refused %v, ServeMux %v, beside %v", pattern, ours, theirs, rt.table.routes)
			}
		}
		for range 20 {
			path := randomPath(false)
			lookup := func(h http.Handler) string {
				found = ""
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
				return found
			}
			ours, theirs := lookup(rt), lookup(mux)
			if rest := "/{rest...} "; ours != theirs && !(strings.Contains(ours, rest) && strings.HasSuffix(ours, " ")) {
				var names []string
				for _, r := range rt.table.routes {
					names = append(names, r.name)
				}
				t.Fatalf("%s: found %q, ServeMux %q, of %q", path, ours, theirs, names)
			}
		}
	}
}

func BenchmarkBuild(b *testing.B) {
	var patterns []string
	for i := range 1000 {
		patterns = append(patterns, fmt.Sprintf("GET /v1/r%d/{id}/items/{item}", i))
	}
	h := func(http.ResponseWriter, *http.Request) {}
	b.Run("Router", func(b *testing.B) {
		for b.Loop() {
			rt := New(Config{})
			for _, p := range patterns {
				rt.HandleFunc(p, h)
			}
		}
	})
	b.Run("ServeMux", func(b *testing.B) {
		for b.Loop() {
			mux := http.NewServeMux()
			for _, p := range patterns {
				mux.HandleFunc(p, h)
			}
		}
	})
	b.Run("NotFound", func(b *testing.B) {
		rt := New(Config{})
		for _, p := range patterns {
			rt.HandleFunc(p, h)
		}
		r := httptest.NewRequest("GET", "/v1/r7/x/nothing", nil)
		b.ReportAllocs()
		for b.Loop() {
			p, _ := rt.table.split(r, nil)
			if rt.table.root.find("GET", p.segments, 0) != nil || len(rt.table.allowed(p)) > 0 {
				b.Fatal("found")
			}
		}
	})
}
