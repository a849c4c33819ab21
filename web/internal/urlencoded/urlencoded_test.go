package urlencoded

import (
	"net/url"
	"reflect"
	"testing"
)

func TestValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule, query string
		want        url.Values
	}{
		{"pairs", "a=1&b=2&a=3", url.Values{"a": {"1", "3"}, "b": {"2"}}},
		{"no value", "a&b=", url.Values{"a": {""}, "b": {""}}},
		{"nothing between separators", "&&a=1&", url.Values{"a": {"1"}}},
		{"a semicolon is a character", "q=a;b&utm=x;y", url.Values{"q": {"a;b"}, "utm": {"x;y"}}},
		{"escapes", "a+b=%C3%A4%2b%2B", url.Values{"a b": {"ä++"}}},
		{"escapes that are none", "q=100%&r=%4&s=%g4&t=%4g", url.Values{"q": {"100%"}, "r": {"%4"}, "s": {"%g4"}, "t": {"%4g"}}},
		{"nothing", "", url.Values{}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			if got := Values(c.query); !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s: got %v, want %v", c.query, got, c.want)
			}
		})
	}
	for range Pairs("a&b") {
		break // a loop may end early
	}
}

func FuzzValues(f *testing.F) {
	for _, s := range []string{"a=1&b=%41+", "q=a;b", "%", "=&=", "a=%C3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Values(s)
		if want, err := url.ParseQuery(s); err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %v, url.ParseQuery says %v", s, got, want)
		}
		if again, err := url.ParseQuery(got.Encode()); err == nil && !reflect.DeepEqual(got, again) {
			t.Errorf("%q: got %v, written anew it is %v", s, got, again)
		}
	})
}
