package partial

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

func get(cfg Config, fields string, h http.HandlerFunc) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	New(cfg)(h).ServeHTTP(w, httptest.NewRequest("GET", "/?x=1&fields="+url.QueryEscape(fields), nil))
	return w
}

func writing(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
}

const document = `{"id":1,"user":{"first":"f","last":"l","addr":{"city":"c","zip":"z"}},"items":[{"id":1,"n":"a"},{"id":2,"n":"b"}]}`

// The vectors of Middy's own tests and behaviour; json-mask's own answers for the
// rest, apart from the order of keys.
func TestSelectors(t *testing.T) {
	for _, c := range []struct{ rule, fields, body, want string }{
		{"object", "firstname", `{"firstname":"john","lastname":"doe"}`, `{"firstname":"john"}`},
		{"non-json string", "firstname", "response", "response"},
		{"group and path", "user(first,addr/city),items/id", document, `{"user":{"first":"f","addr":{"city":"c"}},"items":[{"id":1},{"id":2}]}`},
		{"wildcard child", "*/first", `{"user":{"first":"f","last":"l"},"items":[{"id":1},{"id":2}]}`, `{"user":{"first":"f"},"items":[{},{}]}`},
		{"a name in two places selects what both select", "user/first,user/last", document, `{"user":{"first":"f","last":"l"}}`},
		{"in groups and paths, at every depth", "user(addr/city),user/addr(zip),user/first", document, `{"user":{"first":"f","addr":{"city":"c","zip":"z"}}}`},
		{"everything and a part of it is everything", "user,user/last", document, `{"user":{"first":"f","last":"l","addr":{"city":"c","zip":"z"}}}`},
		{"a part and everything is everything", "user/last,user", document, `{"user":{"first":"f","last":"l","addr":{"city":"c","zip":"z"}}}`},
		{"a wildcard in two places", "*/first,*/last", document, `{"user":{"first":"f","last":"l"},"items":[{},{}]}`},
		{"a star that is escaped is a name", `\*/a,*/b`, `{"*":{"a":1,"b":2},"c":{"a":1,"b":2}}`, `{"*":{"b":2},"c":{"b":2}}`},
		{"no match", "nope", `{"a":1}`, `{}`},
		{"no match below", "user/nope", document, `{"user":{}}`},
		{"root array", "id", `[{"id":1,"x":2},{"id":3,"x":4}]`, `[{"id":1},{"id":3}]`},
		{"leading space", "id", ` {"id":1,"x":2}`, `{"id":1}`},
		{"the order of the document", "c,a", `{"a":1,"b":2,"c":3}`, `{"a":1,"c":3}`},
		{"a wildcard takes all", "*", document, document},
		{"a wildcard overrides what stands before it", "user,*/last", document, `{"user":{"last":"l"},"items":[{},{}]}`},
		{"a name overrides a wildcard before it", "*/last,user/first", document, `{"user":{"first":"f"},"items":[{},{}]}`},
		{"what a later one does not select stays", "id,*/x", document, `{"id":1,"user":{},"items":[{},{}]}`},
		{"and an array of texts", "tags,*/x", `{"tags":["a",["b"]],"z":2}`, `{"tags":["a",["b"]]}`},
		{"a text has no members", "a/b", `{"a":"text","c":{"b":1}}`, `{}`},
		{"nothing stays nothing", "a/b,c/b,d/b,e/b,f/b,g/b", `{"a":null,"b":1,"c":0,"d":"","e":false,"f":-0.0e5,"g":true}`, `{"a":null,"c":0,"d":"","e":false,"f":-0.0e5}`},
		{"an empty array stays", "a/b", `{"a":[]}`, `{"a":[]}`},
		{"an array of texts has no members", "a/b,c", `{"a":["x",1],"c":2}`, `{"c":2}`},
		{"elements that have none are left out", "a/b", `{"a":["x",{"b":1},null,{"c":1}]}`, `{"a":[{"b":1},null,{}]}`},
		{"a root array of texts", "a", `["x","y"]`, `null`},
		{"an empty root array", "a", `[]`, `[]`},
		{"arrays in arrays", "id", `[[{"id":1,"x":1}],[]]`, `[[{"id":1}],[]]`},
		{"an escaped slash", `a\/b,c\,d`, `{"a/b":1,"c,d":2,"a":{"b":3}}`, `{"a/b":1,"c,d":2}`},
		{"an escaped star", `\*`, `{"*":1,"a":2}`, `{"*":1}`},
		{"a star and an escaped one are two", `*/a,\*/b`, `{"*":{"a":1,"b":2},"x":{"a":3,"b":4}}`, `{"*":{"b":2},"x":{"a":3}}`},
		{"a star in a name", `a*`, `{"a*":1,"ab":2}`, `{"a*":1}`},
		{"a backslash at the end", `a\`, `{"a":1,"b":2}`, `{"a":1}`},
		{"an unclosed group", `user(first`, document, `{"user":{"first":"f"}}`},
		{"an unopened group", `id)user/first`, document, `{"id":1,"user":{"first":"f"}}`},
		{"an empty group", `user()`, document, `{"user":{"first":"f","last":"l","addr":{"city":"c","zip":"z"}}}`},
		{"a slash at the end", `id/`, document, `{"id":1}`},
		{"a slash at the front ends after one", `/id,user`, document, `{"id":1}`},
		{"a comma at the front ends at once", `,id`, document, `{}`},
		{"a path in a group", `user(addr/city,last)`, document, `{"user":{"last":"l","addr":{"city":"c"}}}`},
		{"a group in a group", `user(addr(zip)),id`, document, `{"id":1,"user":{"addr":{"zip":"z"}}}`},
		{"a group in a path", `user/addr(zip),id`, document, `{"id":1,"user":{"addr":{"zip":"z"}}}`},
		{"an escaped key", `ä`, `{"\u00e4":1.50,"b":2}`, `{"\u00e4":1.50}`},
		{"hostile names are data", `__proto__,constructor`, `{"__proto__":1,"constructor":2,"a":3}`, `{"__proto__":1,"constructor":2}`},
		{"space goes", `a,b`, "{ \"a\" : [ 1 , { } ] ,\n \"b\" : { \"c\" : null , \"d\" : [ ] } }", `{"a":[1,{}],"b":{"c":null,"d":[]}}`},
		{"a scalar", "a", `"text"`, `"text"`},
		{"broken JSON", "a", `{"a":1`, `{"a":1`},
		{"broken below", "a/b", `{"a":{"b":tru}}`, `{"a":{"b":tru}}`},
		{"broken in what is skipped", "a", `{"b":[1,],"a":1}`, `{"b":[1,],"a":1}`},
		{"broken in an array", "a", `[{"a":1},]`, `[{"a":1},]`},
		{"text behind it", "a", `{"a":1,"b":2} x`, `{"a":1,"b":2} x`},
		{"no selector", "", `{"a":1,"b":2}`, `{"a":1,"b":2}`},
	} {
		t.Run(c.rule, func(t *testing.T) {
			if got := get(Config{}, c.fields, writing(c.body)).Body.String(); got != c.want {
				t.Errorf("%s of %s\n got %s\nwant %s", c.fields, c.body, got, c.want)
			}
		})
	}
}

func TestAbusiveSelectorsAreIgnoredOrRefused(t *testing.T) {
	body := `{"a":{"a":{"a":1}},"b":1}`
	for rule, fields := range map[string]string{
		"too long":          strings.Repeat("a,", 1025),
		"too many levels":   strings.Repeat("a/", 101),
		"too many groups":   strings.Repeat("a(", 101),
		"9000 nested":       strings.Repeat("a/", 9000),
		"levels and groups": strings.Repeat("a(a/", 51),
	} {
		if w := get(Config{}, fields, writing(body)); w.Code != 200 || w.Body.String() != body {
			t.Errorf("%s: %d %s", rule, w.Code, w.Body)
		}
		if w := get(Config{RejectSelector: true}, fields, writing(body)); w.Code != 400 || !strings.Contains(w.Body.String(), `{"parameter":"fields","in":"query"`) {
			t.Errorf("%s, refused: %d %s", rule, w.Code, w.Body)
		}
	}
	if w := get(Config{RejectSelector: true}, strings.Repeat("a/", 99)+"(a", writing(body)); w.Code != 200 || w.Body.String() != `{"a":{"a":{}}}` {
		t.Errorf("at the limit: %d %s", w.Code, w.Body)
	}
}

func TestLimitsOnBothSides(t *testing.T) {
	const body = `{"a":{"c":1},"b":2}`
	pad := strings.Repeat("x", 6<<20-len(body)-len(`,"p":""`))
	large := body[:len(body)-1] + `,"p":"` + pad
	for _, c := range []struct {
		rule, fields, body string
		cfg                Config
		filtered           bool
	}{
		{"a selector of 2048 bytes", "a," + strings.Repeat("x", 2046), body, Config{}, true},
		{"a selector of 2049 bytes", "a," + strings.Repeat("x", 2047), body, Config{}, false},
		{"one byte", "a", body, Config{MaxLength: 1}, true},
		{"two bytes", "ab", body, Config{MaxLength: 1}, false},
		{"one level", "a/c", body, Config{MaxDepth: 1}, true},
		{"two levels", "a/c/d", body, Config{MaxDepth: 1}, false},
		{"100 levels", strings.Repeat("a/", 100), body, Config{}, true},
		{"6 MiB", "a", large + `"}`, Config{}, true},
		{"a byte more", "a", large + `x"}`, Config{}, false},
		{"a response of one byte, which is no document", "a", "{", Config{MaxBytes: 1}, false},
	} {
		if got := get(c.cfg, c.fields, writing(c.body)).Body.String(); (got != c.body) != c.filtered {
			t.Errorf("%s: %.100s", c.rule, got)
		}
	}
}

func TestAnEmptyBodyKeepsItsLength(t *testing.T) {
	w := get(Config{}, "a", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "0") })
	if w.Header().Get("Content-Length") != "0" {
		t.Errorf("got %v", w.Header())
	}
	h := New(Config{})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "4")
		_, _ = io.WriteString(w, "text")
	}))
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("HEAD", "/?fields=a", nil))
	if w.Header().Get("Content-Length") != "4" {
		t.Errorf("HEAD of what is not filtered: %v", w.Header())
	}
}

func TestWhatIsFiltered(t *testing.T) {
	const body, filtered = `{"a":1,"b":2}`, `{"a":1}`
	for _, c := range []struct {
		rule   string
		status int
		header http.Header
		want   string
	}{
		{"no content type", 200, nil, filtered},
		{"JSON", 201, http.Header{"Content-Type": {"application/json; charset=utf-8"}}, filtered},
		{"a suffix", 200, http.Header{"Content-Type": {"application/hal+json"}}, filtered},
		{"text", 200, http.Header{"Content-Type": {"text/plain"}}, body},
		{"a broken type", 200, http.Header{"Content-Type": {"application/json/a"}}, body},
		{"an error", 404, nil, body},
		{"the last success", 299, nil, filtered},
		{"the first redirection", 300, nil, body},
		{"a redirection", 302, nil, body},
		{"a part", 206, nil, body},
		{"compressed", 200, http.Header{"Content-Encoding": {"gzip"}}, body},
		{"not compressed", 200, http.Header{"Content-Encoding": {"identity"}}, filtered},
	} {
		t.Run(c.rule, func(t *testing.T) {
			w := get(Config{}, "a", func(w http.ResponseWriter, _ *http.Request) {
				for k, v := range c.header {
					w.Header()[k] = v
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, body)
			})
			if w.Code != c.status || w.Body.String() != c.want {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
		})
	}
}

func TestTheHeaderFitsTheFilteredBody(t *testing.T) {
	w := get(Config{}, "a", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "13")
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Content-Digest", "sha-256=:x:")
		_, _ = io.WriteString(w, `{"a":1,"b":2}`)
	})
	h := w.Header()
	if h.Get("Content-Length") != "7" || h.Get("ETag") != `"v1"` || h.Get("Content-Digest") != "" {
		t.Errorf("got %v", h)
	}
}

func TestHeadDoesNotPromiseTheWholeLength(t *testing.T) {
	srv := httptest.NewServer(New(Config{})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/short" {
			w.Header().Set("Content-Length", "13")
			return
		}
		_, _ = io.WriteString(w, `{"a":1,"b":2}`)
	})))
	defer srv.Close()
	for path, want := range map[string]int64{"/short": -1, "/": 7} {
		resp, err := http.Head(srv.URL + path + "?fields=a")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.ContentLength != want {
			t.Errorf("%s: got %d, want %d", path, resp.ContentLength, want)
		}
	}
}

func TestStreamsAndLargeResponsesPass(t *testing.T) {
	w := get(Config{}, "a", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"a":1,`)
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, `"b":2}`)
	})
	if w.Body.String() != `{"a":1,"b":2}` {
		t.Errorf("flushed: %s", w.Body)
	}
	if w := get(Config{MaxBytes: 5}, "a", writing(`{"a":1,"b":2}`)); w.Body.String() != `{"a":1,"b":2}` {
		t.Errorf("large: %s", w.Body)
	}
}

func TestParameter(t *testing.T) {
	for target, want := range map[string]string{
		"/?filter=lastname":          `{"lastname":"doe"}`,
		"/?filter=x&filter=lastname": `{"lastname":"doe"}`,
		"/?fields=x":                 `{"firstname":"john","lastname":"doe"}`,
		"/":                          `{"firstname":"john","lastname":"doe"}`,
	} {
		w := httptest.NewRecorder()
		New(Config{Parameter: "filter"})(writing(`{"firstname":"john","lastname":"doe"}`)).ServeHTTP(w, httptest.NewRequest("GET", target, nil))
		if w.Body.String() != want {
			t.Errorf("%s: %s", target, w.Body)
		}
	}
}

func TestADeepDocumentIsLeftAlone(t *testing.T) {
	nested := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	for n, filtered := range map[int]bool{1000: true, 1001: false, 100_000: false} {
		body := `{"b":1,` + nested(n)[1:]
		if got := get(Config{}, "a", writing(body)).Body.String(); (got != body) != filtered {
			t.Errorf("%d levels: %.20s", n, got)
		}
	}
}

// Whatever is filtered is JSON, no longer than what it came from unless it is null,
// and filtering it again changes nothing.
func FuzzApply(f *testing.F) {
	f.Add(document, "user(first,addr/city),items/id")
	f.Add(`[[{"a":0}],"x",null]`, `*/a,\*,a(`)
	f.Add(`{"a":{"b":[1,{"c":2}]}}`, "a/b/c,*/b")
	f.Fuzz(func(t *testing.T, src, selector string) {
		if len(selector) > 100 || selector == "" {
			return
		}
		m := compile(selector)
		got, ok := apply([]byte(src), m)
		if !ok {
			return
		}
		if !json.Valid(got) {
			t.Fatalf("%q of %q is %q", selector, src, got)
		}
		var before, after any
		if json.Unmarshal([]byte(src), &before) != nil || json.Unmarshal(got, &after) != nil {
			return // a number that Go cannot hold
		}
		if !within(after, before) {
			t.Fatalf("%q of %q invents %q", selector, src, got)
		}
	})
}

// within tells whether part has nothing that whole does not have.
func within(part, whole any) bool {
	switch p := part.(type) {
	case nil:
		return true
	case map[string]any:
		w, ok := whole.(map[string]any)
		for k, v := range p {
			ok = ok && within(v, w[k])
		}
		return ok
	case []any:
		w, ok := whole.([]any)
		return ok && len(p) <= len(w)
	}
	return reflect.DeepEqual(part, whole)
}

func BenchmarkFilter(b *testing.B) {
	src := []byte(`[` + strings.Repeat(document+",", 100) + document + `]`)
	m := compile("id,user(first,addr/city),items/id")
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := apply(src, m); !ok {
			b.Fatal("not filtered")
		}
	}
}

// A long selector costs no more for each member than a short one.
func BenchmarkManyNames(b *testing.B) {
	var names, members []string
	for i := range 680 {
		names = append(names, strconv.FormatInt(int64(i), 36))
	}
	for i := range 100_000 {
		members = append(members, `"m`+strconv.Itoa(i)+`":1`)
	}
	body := []byte("{" + strings.Join(members, ",") + "}")
	for name, selector := range map[string]string{"1": "x", "680": strings.Join(names, ",")} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, ok := apply(body, compile(selector)); !ok {
					b.Fatal("the body was not filtered")
				}
			}
		})
	}
}
