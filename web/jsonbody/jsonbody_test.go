package jsonbody

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/gomiddy/middy/web"
)

// post sends one body through the middleware to a handler that writes what it got.
func post(cfg Config, contentType, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	w := httptest.NewRecorder()
	New(cfg)(http.HandlerFunc(echo)).ServeHTTP(w, r)
	return w
}

func echo(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	v, ok := Value(r)
	fmt.Fprintf(w, "%s|%v %v|%v|%d", b, v, ok, err, r.ContentLength-int64(len(b)))
}

func detail(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var p struct{ Detail string }
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	return p.Detail
}

// The vectors of Middy's own tests and behaviour. Some have no form here: a body that
// is null, which HTTP does not know, and undefined, which is empty; base64 is undone by
// package web; and "lowercase header wins" is
// TestContradictingContentTypesAreRefused, since Go has one header of a name.
func TestMiddysVectors(t *testing.T) {
	for _, c := range []struct {
		name, contentType, body string
		cfg                     Config
		status                  int
		want                    string // the handler's answer, or the beginning of the detail
	}{
		{"parses", "application/json", `{ "foo" :   "bar"   }`, Config{}, 200, `{ "foo" :   "bar"   }|map[foo:bar] true|<nil>|0`},
		{"suffix type", "application/vnd+json", "{}", Config{}, 200, "{}|map[] true|<nil>|0"},
		{"invalid", "application/json", "make it broken{}", Config{}, 422, "Invalid or malformed JSON was provided"},
		{"missing type", "", "{}", Config{}, 415, "the Content-Type must be application/json; there is none"},
		{"missing type tolerated", "", `{"foo":"bar"}`, Config{DisableContentTypeError: true}, 200, `{"foo":"bar"}|<nil> false|<nil>|0`},
		{"check disabled", "text/plain", "{}", Config{DisableContentTypeCheck: true}, 200, "{}|map[] true|<nil>|0"},
		{"body undefined", "", "", Config{DisableContentTypeCheck: true}, 422, "Invalid or malformed JSON was provided: there is no body"},
		{"nested __proto__", "application/json", `{"a":{"b":{"__proto__":{"x":1}}}}`, Config{}, 422, `Forbidden key in JSON body: "__proto__" at byte 11`},
		{"constructor.prototype", "application/json", `{"constructor":{"prototype":{}}}`, Config{}, 422, `Forbidden key in JSON body: "constructor"`},
		{"benign keys", "application/json", `{"prototype":{"x":1},"constructor":"Widget"}`, Config{}, 200, `{"prototype":{"x":1},"constructor":"Widget"}|map[constructor:Widget prototype:map[x:1]] true|<nil>|0`},
		{"escaped __proto__", "application/json", `{"\u005f_proto__":1}`, Config{}, 422, "Forbidden key"},
		{"space before semicolon", "application/json ;charset=utf-8", "{}", Config{}, 200, `{}|map[] true|<nil>|0`},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := post(c.cfg, c.contentType, c.body)
			got := w.Body.String()
			if c.status != 200 {
				got = detail(t, w)
			}
			if w.Code != c.status || !strings.HasPrefix(got, c.want) {
				t.Errorf("got %d %s\nwant %d %s", w.Code, got, c.status, c.want)
			}
		})
	}
}

func TestContentTypes(t *testing.T) {
	for _, c := range []struct {
		contentType     string
		strict, lenient bool
	}{
		{"application/json", true, true},
		{"APPLICATION/JSON", true, true},
		{"application/json; charset=utf-8", true, true},
		{"application/vnd.api+json", true, true},
		{"application/ld+json;profile=x", true, true},
		{"application/json ;charset=utf-8", true, true},
		{"application/json ; ; charset=\"UTF-8\"", true, true},
		{"application/json;charset=us-ascii", true, true},
		{"application/json;charset=iso-8859-1", false, false},
		{"application/json;charset=utf-16", false, false},
		{"application/json;charset=utf-8;charset=utf-7", false, false},
		{"application/json;charset", false, false},
		{"text/json", false, true},
		{"text/plain+json", false, true},
		{"model/gltf+json", false, true},
		{"application/vnd.a_b+json", true, true},
		{"application/+json", false, false},
		{"application/json5", false, false},
		{"application/jsonx", false, false},
		{"application/xml", false, false},
		{"text/plain", false, false},
		{"json", false, false},
		{"", false, false},
		{"application/json, text/plain", false, false},
	} {
		for _, lenient := range []bool{false, true} {
			want := 415
			if lenient && c.lenient || !lenient && c.strict {
				want = 200
			}
			if w := post(Config{LenientContentType: lenient}, c.contentType, "1"); w.Code != want {
				t.Errorf("%q, lenient %v: got %d, want %d", c.contentType, lenient, w.Code, want)
			} else if want == 415 && w.Header().Get("Accept") != "application/json" {
				t.Errorf("%q: a 415 without Accept", c.contentType)
			}
		}
	}
}

func TestContradictingContentTypesAreRefused(t *testing.T) {
	r := httptest.NewRequest("POST", "/", strings.NewReader("{}"))
	r.Header["Content-Type"] = []string{"application/json", "text/plain"}
	w := httptest.NewRecorder()
	New(Config{})(http.HandlerFunc(echo)).ServeHTTP(w, r)
	if w.Code != 415 {
		t.Errorf("got %d", w.Code)
	}
}

func TestLimitsAndOptions(t *testing.T) {
	for _, c := range []struct {
		rule, body string
		cfg        Config
		status     int
		want       string
	}{
		{"as large as allowed", `"12345678"`, Config{MaxBytes: 10}, 200, ""},
		{"one byte too large", `"123456789"`, Config{MaxBytes: 10}, 413, "the body must not be larger than 10 bytes"},
		{"6 MiB by default", strings.Repeat(" ", 6<<20) + "1", Config{}, 413, "the body must not be larger than 6291456 bytes"},
		{"no limit", strings.Repeat(" ", 6<<20) + "1", Config{MaxBytes: -1}, 200, ""},
		{"as deep as allowed", strings.Repeat("[", 128) + strings.Repeat("]", 128), Config{}, 200, ""},
		{"one level too deep", strings.Repeat("[", 129) + strings.Repeat("]", 129), Config{}, 422, "Invalid or malformed JSON was provided: more than 128 levels deep at byte 128"},
		{"a million levels", strings.Repeat(`{"a":`, 1<<20), Config{MaxDepth: -1}, 422, "Invalid or malformed JSON was provided: more than 10000 levels deep at byte 50000"},
		{"as many values as allowed", `{"a":[1,"b",null],"c":{}}`, Config{MaxValues: 8}, 200, ""},
		{"one value too many", `{"a":[1,"b",null],"c":{}}`, Config{MaxValues: 7}, 413, "the body must not have more than 7 values"},
		{"100,000 values by default", "[" + strings.Repeat("0,", 99_999) + "0]", Config{}, 413, "the body must not have more than 100000 values"},
		{"no limit of values", "[" + strings.Repeat("0,", 99_999) + "0]", Config{MaxValues: -1}, 200, ""},
		{"as deep as encoding/json goes", strings.Repeat("[", 10000) + strings.Repeat("]", 10000), Config{MaxDepth: 20000}, 200, ""},
		{"deeper than encoding/json goes", strings.Repeat("[", 10001) + strings.Repeat("]", 10001), Config{MaxDepth: 20000}, 422, "Invalid or malformed JSON was provided: more than 10000 levels deep at byte 10000"},
		{"a depth of one", "[[]]", Config{MaxDepth: 1}, 422, "Invalid or malformed JSON was provided: more than 1 levels deep at byte 1"},
		{"a depth of one's own", strings.Repeat("[", 200) + strings.Repeat("]", 200), Config{MaxDepth: 200}, 200, ""},
		{"another status", "{", Config{SyntaxStatus: 400}, 400, "Invalid or malformed JSON was provided: unexpected end at byte 1"},
		{"text behind the value", "{}{}", Config{}, 422, "Invalid or malformed JSON was provided: unexpected text behind the value at byte 2"},
		{"a byte order mark", "\xef\xbb\xbf{}", Config{}, 422, "Invalid or malformed JSON was provided: it begins with a byte order mark"},
		{"a byte order mark, allowed", "\xef\xbb\xbf{}", Config{AllowBOM: true}, 200, "{}|map[] true"},
		{"not UTF-8", "\"a\xff\"", Config{}, 422, "Invalid or malformed JSON was provided: a string is not UTF-8 at byte 2"},
		{"not UTF-8, allowed", "\"a\xff\"", Config{AllowInvalidUTF8: true}, 200, "\"a\ufffd\"|a\ufffd true"},
		{"empty, allowed", "", Config{AllowEmpty: true}, 200, "|<nil> false"},
		{"a key twice", `{"a":1,"a":2}`, Config{}, 200, `{"a":1,"a":2}|map[a:2]`},
		{"a key twice, refused", `{"a":1,"b":{"a":1},"\u0061":2}`, Config{RejectDuplicateKeys: true}, 422, `Invalid or malformed JSON was provided: the name "a" comes twice in one object, in this case or another, at byte 19`},
		{"a key in two cases, refused", `{"role":"user","Role":"admin"}`, Config{RejectDuplicateKeys: true}, 422, `Invalid or malformed JSON was provided: the name "Role" comes twice in one object, in this case or another, at byte 15`},
		{"a key twice, refused without the prototype guard", `{"a":1,"A":2}`, Config{RejectDuplicateKeys: true, AllowPrototypeKeys: true}, 422, `Invalid or malformed JSON was provided: the name "A" comes twice in one object, in this case or another, at byte 7`},
		{"the same key in two objects", `[{"a":1},{"a":{"a":1}}]`, Config{RejectDuplicateKeys: true}, 200, ""},
		{"prototype keys, allowed", `{"__proto__":1,"constructor":{"prototype":1}}`, Config{AllowPrototypeKeys: true}, 200, ""},
		{"constructor holds an array", `{"constructor":["prototype",{"prototype":1}]}`, Config{}, 200, ""},
		{"constructor holds an object that holds one", `{"constructor":{"a":{"prototype":1}}}`, Config{}, 200, ""},
		{"a key after a constructor", `{"constructor":{"a":1},"b":{"prototype":1}}`, Config{}, 200, ""},
		{"a number beyond float64 has no type that is float64", `[1e999]`, Config{}, 422, "Invalid or malformed JSON was provided: the number at byte 1 is out of range"},
		{"a number beyond float64 as it is", `[1e999]`, Config{UseNumber: true}, 200, "[1e999]|[1e999] true"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			w := post(c.cfg, "application/json", c.body)
			got := w.Body.String()
			if c.status != 200 {
				got = detail(t, w)
			}
			if w.Code != c.status || !strings.HasPrefix(got, c.want) {
				t.Errorf("got %d %.200s\nwant %d %s", w.Code, got, c.status, c.want)
			}
		})
	}
}

func TestRequestsThatNeedNoBody(t *testing.T) {
	for _, c := range []struct {
		rule, method, body string
		cfg                Config
		status             int
	}{
		{"GET without a body passes", "GET", "", Config{}, 200},
		{"DELETE without a body passes", "DELETE", "", Config{}, 200},
		{"GET with a body is checked", "GET", "x", Config{}, 415},
		{"every method, as Middy", "GET", "", Config{EveryMethod: true}, 415},
		{"POST without a body is checked", "POST", "", Config{}, 415},
	} {
		t.Run(c.rule, func(t *testing.T) {
			w := httptest.NewRecorder()
			New(c.cfg)(http.HandlerFunc(echo)).ServeHTTP(w, httptest.NewRequest(c.method, "/", strings.NewReader(c.body)))
			if w.Code != c.status {
				t.Errorf("got %d, want %d", w.Code, c.status)
			}
		})
	}
}

func TestAnEncodedBodyIsRefusedByItsCoding(t *testing.T) {
	for coding, status := range map[string]int{"gzip": 415, "identity": 200, "": 200} {
		r := httptest.NewRequest("POST", "/", strings.NewReader("{}"))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Content-Encoding", coding)
		w := httptest.NewRecorder()
		New(Config{})(http.HandlerFunc(echo)).ServeHTTP(w, r)
		if w.Code != status || status == 415 && w.Header().Get("Accept-Encoding") != "identity" {
			t.Errorf("%q: got %d %v", coding, w.Code, w.Header())
		}
	}
}

func TestRawIsWhatCame(t *testing.T) {
	const sent = "\xef\xbb\xbf {\"a\":\"\xff\"}"
	r := httptest.NewRequest("POST", "/", strings.NewReader(sent))
	if Raw(r) != nil {
		t.Error("Raw without the middleware")
	}
	r.Header.Set("Content-Type", "application/json")
	called := false
	New(Config{AllowBOM: true, AllowInvalidUTF8: true})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		called = true
		if got := string(Raw(r)); got != sent {
			t.Errorf("Raw is %q", got)
		}
		if b, _ := io.ReadAll(r.Body); string(b) != " {\"a\":\"\ufffd\"}" {
			t.Errorf("Body is %q", b)
		}
	})).ServeHTTP(httptest.NewRecorder(), r)
	if !called {
		t.Error("the handler was not called")
	}
}

// with runs f in a handler behind the middleware.
func with(t *testing.T, cfg Config, body string, f func(r *http.Request)) {
	t.Helper()
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	called := false
	New(cfg)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { called = true; f(r) })).ServeHTTP(w, r)
	if !called {
		t.Fatalf("refused: %s", w.Body)
	}
}

func TestDecodeNamesTheField(t *testing.T) {
	type order struct {
		Items []struct {
			Price int `json:"price"`
		} `json:"items"`
		Small int8 `json:"small"`
	}
	for _, c := range []struct {
		rule, body string
		cfg        Config
		want       []web.FieldError
	}{
		{"fits", `{"items":[{"price":3}]}`, Config{}, nil},
		{"another type", `{"items":[{"price":"secret"}]}`, Config{}, []web.FieldError{{Pointer: "#/items/price", Detail: "a string does not fit here"}}},
		{"out of range", `{"small":300}`, Config{}, []web.FieldError{{Pointer: "#/small", Detail: "a number does not fit here"}}},
		{"at the top", `[]`, Config{}, []web.FieldError{{Pointer: "#", Detail: "an array does not fit here"}}},
		{"unknown", `{"a\"b":1}`, Config{DisallowUnknownFields: true}, []web.FieldError{{Detail: `the key "a\"b" is not known`}}},
		{"unknown is allowed", `{"x":1}`, Config{}, nil},
	} {
		t.Run(c.rule, func(t *testing.T) {
			with(t, c.cfg, c.body, func(r *http.Request) {
				var o order
				err := Decode(r, &o)
				if c.want == nil {
					if err != nil {
						t.Error(err)
					}
					return
				}
				var e *web.Error
				if !errors.As(err, &e) || e.Status != 422 || !reflect.DeepEqual(e.Fields, c.want) {
					t.Errorf("got %#v, want %v", err, c.want)
				}
			})
		})
	}
	if err := Decode(httptest.NewRequest("POST", "/", nil), new(int)); !errors.Is(err, ErrNoBody) {
		t.Errorf("without the middleware: %v", err)
	}
	with(t, Config{AllowEmpty: true}, "", func(r *http.Request) {
		var e *web.Error
		if err := Decode(r, new(int)); !errors.As(err, &e) || e.Status != 422 {
			t.Errorf("an empty body: %v", err)
		}
	})
	with(t, Config{}, "1", func(r *http.Request) {
		var e *web.Error
		if err := Decode(r, 1); err == nil || errors.As(err, &e) {
			t.Errorf("a program's mistake must not be the client's: %v", err)
		}
	})
}

func TestReviverSeesEveryValueInnermostFirst(t *testing.T) {
	var keys []string
	reviver := func(key string, v any) (any, bool) {
		keys = append(keys, key)
		if key == "drop" || key == "1" {
			return nil, false
		}
		if n, ok := v.(float64); ok {
			return n * 2, true
		}
		return v, true
	}
	with(t, Config{Reviver: reviver}, `{"b":[1,2,3],"a":{"n":4},"drop":"x"}`, func(r *http.Request) {
		v, ok := Value(r)
		want := map[string]any{"b": []any{2.0, nil, 6.0}, "a": map[string]any{"n": 8.0}}
		if !ok || !reflect.DeepEqual(v, want) {
			t.Errorf("got %v", v)
		}
		if order := "n a 0 1 2 b drop "; strings.Join(keys, " ") != order {
			t.Errorf("keys %q, want %q", keys, order)
		}
		if again, _ := Value(r); !reflect.DeepEqual(again, v) || len(keys) != 8 {
			t.Error("decoded twice")
		}
	})
}

func TestUseNumberKeepsDigits(t *testing.T) {
	with(t, Config{UseNumber: true}, `[12345678901234567890]`, func(r *http.Request) {
		if v, _ := Value(r); fmt.Sprint(v) != "[12345678901234567890]" {
			t.Errorf("got %v", v)
		}
	})
}

func TestValidate(t *testing.T) {
	for status, ok := range map[int]bool{0: true, 400: true, 422: true, 499: true, 200: false, 500: false, -1: false} {
		if err := (Config{SyntaxStatus: status}).Validate(); (err == nil) != ok {
			t.Errorf("%d: %v", status, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("New took a bad Config")
		}
	}()
	New(Config{SyntaxStatus: 200})
}

func TestBehindARealServer(t *testing.T) {
	srv := httptest.NewServer(New(Config{MaxBytes: 100})(http.HandlerFunc(echo)))
	defer srv.Close()
	for body, status := range map[string]int{`{"a":1}`: 200, strings.Repeat("1", 101): 413, "{": 422} {
		// a pipe has no length: the request is chunked
		pr, pw := io.Pipe()
		go func() { _, err := io.WriteString(pw, body); pw.CloseWithError(err) }()
		resp, err := http.Post(srv.URL, "application/json", pr)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != status {
			t.Errorf("%.20s: got %d, want %d", body, resp.StatusCode, status)
		}
	}
}

// What passes is JSON of UTF-8, decodes, and holds no forbidden key.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{`{"a":[1,{"__proto__":1}]}`, `{"constructor":{"prototype":1}}`, "\xef\xbb\xbf1", `{"a":1,"a":2}`, "\"\xff\"", `"\ud800"`, "[1e400]"} {
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, lenient bool) {
		cfg := Config{AllowBOM: lenient, AllowInvalidUTF8: lenient, RejectDuplicateKeys: !lenient}
		r := httptest.NewRequest("POST", "/", strings.NewReader(string(data)))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		New(cfg)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			if !json.Valid(b) {
				t.Fatalf("%q passed", data)
			}
			v, ok := Value(r)
			if !ok {
				t.Fatalf("%q has no value", data)
			}
			if forbidden(v) {
				t.Fatalf("%q passed the guard", data)
			}
		})).ServeHTTP(w, r)
		if w.Code != 200 && w.Code != 422 {
			t.Fatalf("%q: %d", data, w.Code)
		}
	})
}

func forbidden(v any) bool {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if forbidden(e) {
				return true
			}
		}
	case map[string]any:
		for k, e := range v {
			inner, isObject := e.(map[string]any)
			_, has := inner["prototype"]
			if k == "__proto__" || k == "constructor" && isObject && has || forbidden(e) {
				return true
			}
		}
	}
	return false
}
