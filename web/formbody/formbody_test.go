package formbody

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// send posts one body through the middleware; the handler's view comes back.
func send(cfg Config, method, contentType, target, body string) (*httptest.ResponseRecorder, *http.Request) {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	var seen *http.Request
	w := httptest.NewRecorder()
	New(cfg)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r })).ServeHTTP(w, r)
	return w, seen
}

// The vectors of Middy's own tests and behaviour. Base64 is undone by package web, and
// an undefined body is an empty one.
func TestMiddysVectors(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	for _, c := range []struct {
		name, contentType, body string
		cfg                     Config
		status                  int
		want                    url.Values
	}{
		{"brackets are literal", form + "; charset=UTF-8", "a[b][c][d]=i", Config{}, 200, url.Values{"a[b][c][d]": {"i"}}},
		{"duplicates", form, "solo=one&multi=a&multi=b&another=two", Config{}, 200, url.Values{"solo": {"one"}, "multi": {"a", "b"}, "another": {"two"}}},
		{"empty", form, "", Config{}, 200, url.Values{}},
		{"bare key", form, "search", Config{}, 200, url.Values{"search": {""}}},
		{"malformed percent kept", form, "a=%ZZ&b+c=d+e&&x=1=2", Config{}, 200, url.Values{"a": {"%ZZ"}, "b c": {"d e"}, "x": {"1=2"}}},
		{"semicolon is not a separator", form, "a=1;b=2", Config{}, 200, url.Values{"a": {"1;b=2"}}},
		{"wrong type", form + "-extra", "a=1", Config{}, 415, nil},
		{"tolerated", "", "a=1", Config{DisableContentTypeError: true}, 200, nil},
		{"no headers, check disabled", "", "a=1", Config{DisableContentTypeCheck: true}, 200, url.Values{"a": {"1"}}},
		{"space before the semicolon", form + " ;charset=x", "a=1", Config{}, 200, url.Values{"a": {"1"}}},
		{"hostile names are data", form, "__proto__=1&constructor=2", Config{}, 200, url.Values{"__proto__": {"1"}, "constructor": {"2"}}},
		{"not UTF-8", form, "a=%E0%A4x&b=\xff", Config{}, 200, url.Values{"a": {"\ufffdx"}, "b": {"\ufffd"}}},
		{"an escape cut off", form, "a=%&b=%4&c=%41", Config{}, 200, url.Values{"a": {"%"}, "b": {"%4"}, "c": {"A"}}},
		{"upper case type", strings.ToUpper(form), "a=1", Config{}, 200, url.Values{"a": {"1"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, r := send(c.cfg, "POST", c.contentType, "/", c.body)
			if w.Code != c.status {
				t.Fatalf("got %d %s", w.Code, w.Body)
			}
			if c.status != 200 {
				return
			}
			if got := Values(r); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if b, _ := io.ReadAll(r.Body); string(b) != c.body {
				t.Errorf("the body is %q now", b)
			}
		})
	}
}

func TestLimitsAreAnswers(t *testing.T) {
	for _, c := range []struct {
		rule, body string
		cfg        Config
		status     int
		detail     string
	}{
		{"as many pairs as allowed", strings.Repeat("a=1&", 1000), Config{}, 200, ""},
		{"one pair too many", strings.Repeat("a=1&", 1000) + "b", Config{}, 413, "the form must not have more than 1000 pairs"},
		{"no limit of pairs", strings.Repeat("a&", 2000), Config{MaxPairs: -1}, 200, ""},
		{"as large as allowed", "a=1", Config{MaxBytes: 3}, 200, ""},
		{"too large", "a=12", Config{MaxBytes: 3}, 413, "the body must not be larger than 3 bytes"},
		{"too large by default", strings.Repeat("a", 6<<20+1), Config{}, 413, "the body must not be larger than 6291456 bytes"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			w, _ := send(c.cfg, "POST", mediaType, "/", c.body)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.detail) {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
		})
	}
}

func TestTheStandardAccessorsWork(t *testing.T) {
	_, r := send(Config{}, "POST", mediaType, "/?a=query&q=1", "a=body&b=%zz")
	if err := r.ParseForm(); err != nil {
		t.Error(err)
	}
	if r.FormValue("a") != "body" || r.FormValue("q") != "1" || r.PostFormValue("b") != "%zz" || r.PostFormValue("q") != "" {
		t.Errorf("Form %v, PostForm %v", r.Form, r.PostForm)
	}
	if want := []Pair{{"a", "body"}, {"b", "%zz"}}; !slices.Equal(Pairs(r), want) {
		t.Errorf("got %v", Pairs(r))
	}
	if plain := httptest.NewRequest("POST", "/", nil); Values(plain) != nil || Pairs(plain) != nil {
		t.Error("a form without the middleware")
	}
}

func TestMethodsAndCodings(t *testing.T) {
	for _, c := range []struct {
		rule, method, coding, body string
		cfg                        Config
		status                     int
	}{
		{"GET without a body passes", "GET", "", "", Config{}, 200},
		{"GET with a body is checked", "GET", "", "a", Config{}, 415},
		{"every method, as Middy", "GET", "", "", Config{EveryMethod: true}, 415},
		{"gzip is refused", "POST", "gzip", "a", Config{DisableContentTypeCheck: true}, 415},
	} {
		t.Run(c.rule, func(t *testing.T) {
			r := httptest.NewRequest(c.method, "/", strings.NewReader(c.body))
			r.Header.Set("Content-Encoding", c.coding)
			w := httptest.NewRecorder()
			New(c.cfg)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
			if w.Code != c.status {
				t.Errorf("got %d, want %d", w.Code, c.status)
			}
		})
	}
	if w, _ := send(Config{}, "POST", mediaType+" ; charset=utf-8", "/", "a"); w.Code != 200 {
		t.Errorf("space before the semicolon: got %d, want 200", w.Code)
	}
}

func TestBehindARealServer(t *testing.T) {
	srv := httptest.NewServer(New(Config{})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, Pairs(r))
	})))
	defer srv.Close()
	resp, err := http.PostForm(srv.URL, url.Values{"ä": {"1 2", "3+4"}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); string(b) != "[{ä 1 2} {ä 3+4}]" {
		t.Errorf("got %s", b)
	}
}

// Whatever url.ParseQuery can parse is parsed alike, and everything else is UTF-8.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"a=1&b=2", "a=%ZZ", "&&=&=", "a+b=%2B", "a;b", "%E0%A4%A"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		pairs, ok := parse(s, -1)
		if !ok {
			t.Fatal("a limit without a limit")
		}
		got := url.Values{}
		for _, p := range pairs {
			if !utf8.ValidString(p.Name) || !utf8.ValidString(p.Value) {
				t.Fatalf("%q is not UTF-8", p)
			}
			got.Add(p.Name, p.Value)
		}
		want, err := url.ParseQuery(s)
		if err != nil {
			return
		}
		for name, values := range want {
			if !utf8.ValidString(name) || !utf8.ValidString(strings.Join(values, "")) {
				return
			}
		}
		if len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: got %v, want %v", s, got, want)
		}
	})
}
