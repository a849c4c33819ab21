package web_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomiddy/middy"
	"github.com/gomiddy/middy/emulator/frontdoor"
	"github.com/gomiddy/middy/web"
	"pgregory.net/rapid"
)

// through serves h behind a real front door.
func through(t testing.TB, door frontdoor.Door, h http.Handler) http.Handler {
	t.Helper()
	f, err := middy.New(web.Handler(h))
	if err != nil {
		t.Fatal(err)
	}
	return frontdoor.New(frontdoor.Config{Function: frontdoor.InProcess(f), Door: door, Now: func() time.Time { return time.UnixMilli(1773119783123) }})
}

var emulated = map[string]frontdoor.Door{
	"REST API":        frontdoor.RESTAPI{BinaryMediaTypes: []string{"*/*"}},
	"HTTP API 1.0":    frontdoor.HTTPAPI1{},
	"HTTP API 2.0":    frontdoor.HTTPAPI{},
	"function URL":    frontdoor.FunctionURL{},
	"ALB":             frontdoor.ALB{},
	"ALB multi-value": frontdoor.ALB{MultiValue: true},
	"VPC Lattice V1":  frontdoor.Lattice{},
	"VPC Lattice V2":  frontdoor.Lattice{EventVersion: "V2"},
}

// exchange is a request and the response to it, at random.
type exchange struct {
	Method, Path string
	Query        url.Values
	Lists        map[string][]string
	Cookies      map[string]string
	Body         []byte

	Status         int
	Answer         []byte
	AnswerLists    map[string][]string
	AnswerCookies  []string
	AnswerTypeText bool
}

var (
	word    = rapid.StringMatching(`[a-z]{1,6}`)
	unicode = rapid.StringMatching(`[a-zA-Zäß☃😀 %+&=?#/;,'"<>\\]{0,8}`)
	bytes64 = rapid.OneOf(rapid.SliceOfN(rapid.Byte(), 0, 64), rapid.Map(unicode, func(s string) []byte { return []byte(s) }))
)

func draw(t *rapid.T) exchange {
	lists := func(label string) map[string][]string {
		m := map[string][]string{}
		for _, name := range rapid.SliceOfN(word, 0, 3).Draw(t, label) {
			m[http.CanonicalHeaderKey("x-"+name)] = rapid.SliceOfN(rapid.StringMatching(`[!-+\--~]{1,8}`), 1, 3).Draw(t, label+" values")
		}
		return m
	}
	e := exchange{
		Method:        rapid.SampledFrom([]string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}).Draw(t, "method"),
		Query:         url.Values{},
		Lists:         lists("header"),
		Cookies:       rapid.MapOfN(word, rapid.StringMatching(`[a-zA-Z0-9=%+/]{0,8}`), 0, 3).Draw(t, "cookies"),
		Body:          bytes64.Draw(t, "body"),
		Status:        rapid.SampledFrom([]int{200, 201, 301, 400, 404, 418, 500, 503}).Draw(t, "status"),
		Answer:        bytes64.Draw(t, "answer"),
		AnswerLists:   lists("answer header"),
		AnswerCookies: rapid.SliceOfN(rapid.StringMatching(`[a-z]=[a-z]{1,5}; Path=/`), 0, 4).Draw(t, "answer cookies"),
	}
	for _, segment := range rapid.SliceOfN(rapid.StringMatching(`[a-zA-Zäß☃ %+&=?#;,]{1,6}`), 0, 4).Draw(t, "path") {
		e.Path += "/" + segment
	}
	if e.Path == "" {
		e.Path = "/"
	}
	for range rapid.IntRange(0, 4).Draw(t, "parameters") {
		e.Query.Add(word.Draw(t, "name"), unicode.Draw(t, "value"))
	}
	if e.Method == "GET" || e.Method == "HEAD" {
		e.Body = nil
	}
	e.AnswerTypeText = rapid.Bool().Draw(t, "text")
	return e
}

// seen is what a handler sees of an exchange.
type seen struct {
	Method, Path string
	Query        url.Values
	Lists        map[string][]string
	Cookies      map[string]string
	Body         string
	Length       int64
}

func look(r *http.Request) seen {
	b, _ := io.ReadAll(r.Body)
	s := seen{Method: r.Method, Path: r.URL.Path, Query: r.URL.Query(), Lists: map[string][]string{}, Cookies: map[string]string{}, Body: string(b), Length: r.ContentLength}
	for name, values := range r.Header {
		if strings.HasPrefix(name, "X-") && name != "X-Amzn-Trace-Id" && !strings.HasPrefix(name, "X-Forwarded-") && name != "X-Amz-Cf-Id" {
			s.Lists[name] = values
		}
	}
	for _, c := range r.Cookies() {
		s.Cookies[c.Name] = c.Value
	}
	return s
}

func (e exchange) request() *http.Request {
	u := url.URL{Scheme: "http", Host: "localhost", Path: e.Path, RawQuery: e.Query.Encode()}
	r := httptest.NewRequest(e.Method, u.String(), bytes.NewReader(e.Body))
	r.Header.Set("Content-Type", "application/octet-stream")
	for name, values := range e.Lists {
		r.Header[name] = values
	}
	for _, name := range slices.Sorted(maps.Keys(e.Cookies)) {
		r.AddCookie(&http.Cookie{Name: name, Value: e.Cookies[name]})
	}
	return r
}

func (e exchange) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Seen", "1")
	for name, values := range e.AnswerLists {
		w.Header()["Out-"+name] = values
	}
	for _, c := range e.AnswerCookies {
		w.Header().Add("Set-Cookie", c)
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	if e.AnswerTypeText {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	w.WriteHeader(e.Status)
	_, _ = w.Write(e.Answer)
}

// narrow is what a door lets through of several values of one name.
func narrow(door string, values []string, query bool) []string {
	switch {
	case len(values) < 2:
		return values
	case door == "ALB": // the last one wins
		return values[len(values)-1:]
	case query || door == "REST API" || door == "HTTP API 1.0" || door == "ALB multi-value" || door == "VPC Lattice V2":
		return values
	}
	return []string{strings.Join(values, ",")}
}

// What a handler gets behind a front door, and what the client gets of its
// answer, is what they get of each other without one, but for the several values
// that a door cannot carry.
func TestRoundTrip(t *testing.T) {
	for name, door := range emulated {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				e := draw(t)
				direct, got := seen{}, seen{}
				plain, behind := httptest.NewRecorder(), httptest.NewRecorder()
				observe := func(s *seen) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						*s = look(r)
						e.ServeHTTP(w, r)
					})
				}
				observe(&direct).ServeHTTP(plain, e.request())
				f, err := middy.New(web.Handler(observe(&got)))
				if err != nil {
					t.Fatal(err)
				}
				frontdoor.New(frontdoor.Config{Function: frontdoor.InProcess(f), Door: door}).ServeHTTP(behind, e.request())

				for _, m := range []map[string][]string{direct.Lists, direct.Query} {
					for k := range m {
						m[k] = narrow(name, m[k], reflect.ValueOf(m).Pointer() == reflect.ValueOf(map[string][]string(direct.Query)).Pointer())
					}
				}
				if !reflect.DeepEqual(got, direct) {
					t.Fatalf("the handler\ngot  %+v\nwant %+v", got, direct)
				}
				if behind.Code != plain.Code {
					t.Fatalf("status %d, want %d: %s", behind.Code, plain.Code, behind.Body)
				}
				if want := plain.Body.String(); e.Method != "HEAD" && behind.Body.String() != want {
					t.Fatalf("body %q, want %q", behind.Body, want)
				}
				if g, w := behind.Header()["Set-Cookie"], plain.Header()["Set-Cookie"]; !sameCookies(name, g, w) {
					t.Fatalf("cookies %q, want %q", g, w)
				}
				for k, v := range plain.Header() {
					if k != "Set-Cookie" && k != "Content-Length" && strings.Join(behind.Header()[k], ", ") != strings.Join(v, ", ") {
						t.Fatalf("header %s: %q, want %q", k, behind.Header()[k], v)
					}
				}
			})
		})
	}
}

// sameCookies: a load balancer without multi-value headers, and VPC Lattice,
// promise one of them only.
func sameCookies(door string, got, want []string) bool {
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if (door == "ALB" || strings.HasPrefix(door, "VPC")) && len(want) > 1 {
		return len(got) > 0 && slices.Contains(want, got[0])
	}
	return slices.Equal(got, want)
}

// The rows of the mapping, in the direction of the request: for each, what the
// handler sees of a field of the event, from every door that has it.
func TestMappingRowsOfTheRequest(t *testing.T) {
	all := slices.Sorted(maps.Keys(emulated))
	without := func(names ...string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(d string) bool { return slices.Contains(names, d) })
	}
	type arrived struct {
		r     *http.Request
		e     *web.Request
		event map[string]any
	}
	for _, row := range []struct {
		row   string
		doors []string
		send  func(*http.Request)
		see   func(arrived) any
		want  any
	}{
		{"version field", all, nil, func(a arrived) any { return a.e.Door.String() }, func(door string) any { return strings.Replace(door, "function URL", "HTTP API 2.0", 1) }},
		{"method", all, func(r *http.Request) { r.Method = "PURGE" }, func(a arrived) any { return a.r.Method }, "PURGE"},
		{"path", all, func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/a b/ä%", "" }, func(a arrived) any { return a.r.URL.Path }, "/a b/ä%"},
		{"path, an encoded slash", without("HTTP API 2.0", "function URL"), func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/a/b", "/a%2Fb" }, func(a arrived) any { return a.r.URL.EscapedPath() }, "/a%2Fb"},
		{"route", []string{"HTTP API 2.0", "function URL"}, nil, func(a arrived) any { return a.e.Route }, "$default"},
		{"route, a resource", []string{"REST API"}, func(r *http.Request) { r.URL.Path = "/x" }, func(a arrived) any { return a.e.Route }, "/{proxy+}"},
		{"path parameters", []string{"REST API"}, func(r *http.Request) { r.URL.Path = "/x/y z" }, func(a arrived) any { return a.r.PathValue("proxy") }, "x/y z"},
		{"query, one value", all, func(r *http.Request) { r.URL.RawQuery = "a=1%202&b=%26" }, func(a arrived) any { return a.r.URL.Query().Encode() }, "a=1+2&b=%26"},
		{"query, several values", without("ALB"), func(r *http.Request) { r.URL.RawQuery = "a=1&a=2" }, func(a arrived) any { return a.r.URL.Query()["a"] }, []string{"1", "2"}},
		{"query, several values, the last wins", []string{"ALB"}, func(r *http.Request) { r.URL.RawQuery = "a=1&a=2" }, func(a arrived) any { return a.r.URL.Query()["a"] }, []string{"2"}},
		{"query, empty", all, nil, func(a arrived) any { return a.r.URL.RawQuery }, ""},
		{"header keys, case does not matter", all, func(r *http.Request) { r.Header["X-mIxEd"] = []string{"1"} }, func(a arrived) any { return a.r.Header.Get("x-Mixed") }, "1"},
		{"header, several values, joined", []string{"HTTP API 2.0", "function URL", "VPC Lattice V1"}, func(r *http.Request) { r.Header["X-L"] = []string{"1", "2"} }, func(a arrived) any { return a.r.Header["X-L"] }, []string{"1,2"}},
		{"header, several values, listed", []string{"REST API", "HTTP API 1.0", "ALB multi-value", "VPC Lattice V2"}, func(r *http.Request) { r.Header["X-L"] = []string{"1", "2"} }, func(a arrived) any { return a.r.Header["X-L"] }, []string{"1", "2"}},
		{"header, several values, the last wins", []string{"ALB"}, func(r *http.Request) { r.Header["X-L"] = []string{"1", "2"} }, func(a arrived) any { return a.r.Header["X-L"] }, []string{"2"}},
		{"cookies", all, func(r *http.Request) { r.Header["Cookie"] = []string{"a=1; b=2"} }, func(a arrived) any { return a.r.Header["Cookie"] }, []string{"a=1; b=2"}},
		{"body, empty", all, nil, func(a arrived) any { return []any{a.r.ContentLength, a.r.Body == http.NoBody} }, []any{int64(0), true}},
		{"body, text", all, func(r *http.Request) { body(r, "text/plain", "ä") }, func(a arrived) any { return a.r.Body.(fmt.Stringer) }, nil},
		{"body, bytes", all, func(r *http.Request) { body(r, "image/png", "\xff\x00") }, func(a arrived) any { return a.r.ContentLength }, int64(2)},
		{"added headers: trace", without("VPC Lattice V1", "VPC Lattice V2"), nil, func(a arrived) any { return strings.HasPrefix(a.r.Header.Get("X-Amzn-Trace-Id"), "Root=1-") }, true},
		{"added headers: the client", all, nil, func(a arrived) any { return a.r.Header.Get("X-Forwarded-For") }, "192.0.2.1"},
		{"client IP", all, nil, func(a arrived) any { return a.e.SourceIP }, "192.0.2.1"},
		{"client IP, of which the client lies", all, func(r *http.Request) { r.Header.Set("X-Forwarded-For", "10.9.8.7") }, func(a arrived) any { return a.e.SourceIP }, "192.0.2.1"},
		{"stage, none to see", []string{"HTTP API 2.0", "HTTP API 1.0", "function URL"}, nil, func(a arrived) any { return a.e.Stage }, "$default"},
		{"auth data, none", all, nil, func(a arrived) any { return a.e.Claims() == nil }, true},
		{"ids", without("ALB", "ALB multi-value", "VPC Lattice V1", "VPC Lattice V2"), nil, func(a arrived) any { return a.e.RequestID != "" }, true},
		{"time", without("ALB", "ALB multi-value", "VPC Lattice V1"), nil, func(a arrived) any { return a.e.Time.UnixMilli() }, int64(1773119783123)},
		{"the event as it was", all, nil, func(a arrived) any { return len(a.event) > 3 }, true},
	} {
		for _, door := range row.doors {
			t.Run(row.row+"/"+door, func(t *testing.T) {
				var a arrived
				h := through(t, emulated[door], http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					a.r = r
					a.e, _ = web.Event(r)
					if err := json.Unmarshal(a.e.Payload, &a.event); err != nil {
						t.Error(err)
					}
				}))
				r := httptest.NewRequest("GET", "http://localhost/", nil)
				if row.send != nil {
					row.send(r)
				}
				h.ServeHTTP(httptest.NewRecorder(), r)
				if a.r == nil {
					t.Fatal("the handler did not run")
				}
				want := row.want
				if f, ok := want.(func(string) any); ok {
					want = f(door)
				}
				if want == nil { // the body's text
					b, err := io.ReadAll(a.r.Body)
					if err != nil || string(b) != "ä" {
						t.Fatalf("%q, %v", b, err)
					}
					return
				}
				if got := row.see(a); !reflect.DeepEqual(got, want) {
					t.Errorf("got %#v, want %#v", got, want)
				}
			})
		}
	}
}

func body(r *http.Request, contentType, text string) {
	r.Method = "POST"
	r.Header.Set("Content-Type", contentType)
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
}

// The rows in the direction of the response: what the client gets.
func TestMappingRowsOfTheResponse(t *testing.T) {
	all := slices.Sorted(maps.Keys(emulated))
	apis := []string{"REST API", "HTTP API 1.0", "HTTP API 2.0", "function URL", "ALB multi-value"}
	for _, row := range []struct {
		row   string
		doors []string
		serve http.HandlerFunc
		see   func(*http.Response) any
		want  any
	}{
		{"status", all, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(418) }, func(r *http.Response) any { return r.StatusCode }, 418},
		{"one value of a header", all, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-A", "1") }, func(r *http.Response) any { return r.Header["X-A"] }, []string{"1"}},
		{"several values of a header", all, func(w http.ResponseWriter, _ *http.Request) { w.Header()["X-A"] = []string{"1", "2"} }, func(r *http.Response) any { return strings.Join(r.Header["X-A"], ", ") }, "1, 2"},
		{"cookies, several, in order", apis, func(w http.ResponseWriter, _ *http.Request) { w.Header()["Set-Cookie"] = []string{"b=1", "a=2"} }, func(r *http.Response) any { return r.Header["Set-Cookie"] }, []string{"b=1", "a=2"}},
		{"content type, as set", all, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/css")
			fmt.Fprint(w, "a{}")
		}, func(r *http.Response) any { return r.Header.Get("Content-Type") }, "text/css"},
		{"text", all, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ä") }, func(r *http.Response) any { b, _ := io.ReadAll(r.Body); return string(b) }, "ä"},
		{"bytes", all, func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte{0xff, 0}) }, func(r *http.Response) any { b, _ := io.ReadAll(r.Body); return string(b) }, "\xff\x00"},
		{"no body", all, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, func(r *http.Response) any { b, _ := io.ReadAll(r.Body); return string(b) }, ""},
		{"hop-by-hop", all, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Keep-Alive", "timeout=1") }, func(r *http.Response) any { return r.Header["Keep-Alive"] }, []string(nil)},
		{"what Connection names", all, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Hop", "1")
			w.Header().Set("Connection", "close, x-hop")
		}, func(r *http.Response) any { return r.Header["X-Hop"] }, []string(nil)},
	} {
		for _, door := range row.doors {
			t.Run(row.row+"/"+door, func(t *testing.T) {
				rec := httptest.NewRecorder()
				through(t, emulated[door], row.serve).ServeHTTP(rec, httptest.NewRequest("GET", "http://localhost/", nil))
				if got := row.see(rec.Result()); !reflect.DeepEqual(got, row.want) {
					t.Errorf("got %#v, want %#v", got, row.want)
				}
			})
		}
	}
}
