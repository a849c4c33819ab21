package headers

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
)

// The vectors of Middy's own tests and behaviour. "no headers: nothing added" has
// no form in HTTP, and in "case collision" both values are kept.
func TestMiddysVectorsOfNames(t *testing.T) {
	for _, c := range []struct {
		rule string
		view func(http.Header) map[string][]string
		in   http.Header
		want map[string]string
	}{
		{"lowercase", Lower, http.Header{"x-aPi-key": {"1"}, "DNS": {"d"}, "FOO": {"bar"}}, map[string]string{"x-api-key": "1", "dns": "d", "foo": "bar"}},
		{"canonical", Canonical, http.Header{"x-api-key": {"1"}, "tcn": {"a"}, "te": {"b"}, "DNS": {"d"}, "constructor": {"c"}, "X----": {"foo"}}, map[string]string{"X-Api-Key": "1", "TCN": "a", "TE": "b", "Dns": "d", "Constructor": "c", "X----": "foo"}},
		{"x-dns-prefetch-control", Canonical, http.Header{"x-dns-prefetch-control": {"off"}, "etag": {"e"}}, map[string]string{"X-Dns-Prefetch-Control": "off", "ETag": "e"}},
		{"case collision: both, in a fixed order", Lower, http.Header{"x-a": {"2"}, "X-A": {"1", "0"}}, map[string]string{"x-a": "1,0,2"}},
		{"hostile names are data", Lower, http.Header{"__proto__": {"1"}}, map[string]string{"__proto__": "1"}},
		{"a rule of one's own", func(h http.Header) map[string][]string { return Rename(h, strings.ToUpper) }, http.Header{"a-b": {"1"}}, map[string]string{"A-B": "1"}},
		{"none", Lower, nil, map[string]string{}},
	} {
		if got := Single(c.view(c.in)); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.rule, got, c.want)
		}
	}
}

func TestTheExceptionsAreWrittenAsTheyAreFound(t *testing.T) {
	for lower, name := range exceptions {
		if strings.ToLower(name) != lower || CanonicalName(strings.ToUpper(name)) != name {
			t.Errorf("%s: %s", lower, CanonicalName(name))
		}
	}
	if len(exceptions) != 29 {
		t.Errorf("Middy has 29 exceptions, there are %d", len(exceptions))
	}
}

// The vectors of Middy's defaults. Its two spellings of a default, an array and a
// text with commas, are values of one list here, joined by [Single].
func TestDefaults(t *testing.T) {
	for _, c := range []struct {
		rule          string
		defaults, in  http.Header
		want          http.Header
		changesNoCopy bool
	}{
		{"defaults single", http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json,*/*"}}, http.Header{"Accept": {"application/json"}}, http.Header{"Accept": {"application/json"}, "Content-Type": {"application/json"}}, false},
		{"defaults multi", http.Header{"content-type": {"application/json", "*/*"}, "ACCEPT": {"x"}}, http.Header{"Accept": {"application/json"}, "Cookie": {"1", "2"}}, http.Header{"Accept": {"application/json"}, "Cookie": {"1", "2"}, "Content-Type": {"application/json", "*/*"}}, false},
		{"names that differ in case", http.Header{"a": {"2"}, "A": {"1"}}, http.Header{}, http.Header{"A": {"1", "2"}}, false},
		{"no headers at all", http.Header{"Foo": {"bar"}}, nil, http.Header{"Foo": {"bar"}}, false},
		{"an empty value counts", http.Header{"Foo": {"bar"}}, http.Header{"Foo": {""}}, http.Header{"Foo": {""}}, true},
		{"nothing is missing", http.Header{"Foo": {"bar"}}, http.Header{"Foo": {"x"}}, http.Header{"Foo": {"x"}}, true},
		{"no defaults", nil, http.Header{"Foo": {"x"}}, http.Header{"Foo": {"x"}}, true},
	} {
		t.Run(c.rule, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header = c.in
			before := c.in.Clone()
			var seen *http.Request
			New(Config{Defaults: c.defaults})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r })).ServeHTTP(nil, r)
			if !reflect.DeepEqual(seen.Header, c.want) {
				t.Errorf("got %v, want %v", seen.Header, c.want)
			}
			if !reflect.DeepEqual(r.Header, before) {
				t.Error("the caller's headers changed")
			}
			if (seen == r) != c.changesNoCopy {
				t.Error("copied without need, or not where needed")
			}
		})
	}
}

func TestADefaultIsNotShared(t *testing.T) {
	cfg := Config{Defaults: http.Header{"A": {"1"}}}
	h := New(cfg)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Seen", r.Header.Get("A"))
		r.Header["A"][0] = "changed"
	}))
	cfg.Defaults["A"][0] = "changed"
	for range 2 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if w.Header().Get("Seen") != "1" {
			t.Errorf("got %q", w.Header().Get("Seen"))
		}
	}
}

func TestValidate(t *testing.T) {
	err := Config{Defaults: http.Header{"a b": nil, "": nil, "host": nil, "X-Ok!": nil}}.Validate()
	want := "headers: Defaults has \"\", which is no header name\nheaders: Defaults has \"a b\", which is no header name\nheaders: Defaults has Host; every request has one, in r.Host"
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("New took a bad Config")
		}
	}()
	New(Config{Defaults: http.Header{"a b": nil}})
}

func FuzzCanonicalName(f *testing.F) {
	f.Add("x-api-key")
	f.Add("WWW-Authenticate")
	f.Fuzz(func(t *testing.T, name string) {
		got := CanonicalName(name)
		if token(name) && (!strings.EqualFold(got, name) || CanonicalName(got) != got) {
			t.Errorf("%q became %q", name, got)
		}
	})
}
