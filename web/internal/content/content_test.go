package content

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/gomiddy/middy/web"
)

func TestContradictingContentTypesAreNone(t *testing.T) {
	for _, c := range []struct {
		lines []string
		want  string
	}{
		{nil, ""},
		{[]string{"a/b"}, "a/b"},
		{[]string{"a/b", "a/b"}, "a/b"},
		{[]string{"a/b", "c/d"}, "a/b, c/d"},
	} {
		if got := Type(http.Header{"Content-Type": c.lines}); got != c.want {
			t.Errorf("%q: got %q, want %q", c.lines, got, c.want)
		}
	}
}

func TestReadIsBounded(t *testing.T) {
	for _, c := range []struct {
		rule   string
		body   io.Reader
		length int64
		limit  int64
		status int // 0: read
	}{
		{"at the limit", strings.NewReader("12345"), 5, 5, 0},
		{"announced beyond the limit", strings.NewReader("123456"), 6, 5, 413},
		{"found beyond the limit", strings.NewReader("123456"), -1, 5, 413},
		{"no limit", strings.NewReader("123456"), -1, -1, 0},
		{"broken off", io.MultiReader(strings.NewReader("1"), iotest.ErrReader(io.ErrUnexpectedEOF)), 6, 10, 400},
		{"a huge announcement is not believed", strings.NewReader("1"), 1 << 40, -1, 0},
	} {
		t.Run(c.rule, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", c.body)
			r.ContentLength = c.length
			got, err := Read(httptest.NewRecorder(), r, c.limit)
			if c.status == 0 {
				if err != nil || len(got) == 0 || cap(got) > 1<<20 {
					t.Fatalf("%d bytes (capacity %d), %v", len(got), cap(got), err)
				}
				return
			}
			var e *web.Error
			if !errors.As(err, &e) || e.Status != c.status {
				t.Fatalf("got %v, want %d", err, c.status)
			}
		})
	}
	r := httptest.NewRequest("POST", "/", nil)
	r.Body = nil
	if got, err := Read(httptest.NewRecorder(), r, 5); err != nil || len(got) != 0 {
		t.Errorf("no body: %q, %v", got, err)
	}
}

func TestUTF8ReplacesAsBrowsersDo(t *testing.T) {
	for in, want := range map[string]string{
		"ä":                "ä",
		"a\xffb":           "a\ufffdb",
		"\xff\xff":         "\ufffd\ufffd",
		"\xe0\xa4A":        "\ufffdA",            // a begun character is one
		"\xe0\x80A":        "\ufffd\ufffdA",      // overlong: not even begun
		"\xed\xa0\x80":     "\ufffd\ufffd\ufffd", // a surrogate
		"\xf0\x9f\x98":     "\ufffd",
		"\xf4\x90\x80\x80": "\ufffd\ufffd\ufffd\ufffd", // beyond U+10FFFF
		"\xc2":             "\ufffd",
		"\ufffd":           "\ufffd",
	} {
		if got := UTF8(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzUTF8(f *testing.F) {
	f.Add("a\xe0\xa4A\xf0\x9f\x98\x80")
	f.Fuzz(func(t *testing.T, s string) {
		got := UTF8(s)
		if !utf8.ValidString(got) || utf8.ValidString(s) && got != s {
			t.Fatalf("%q became %q", s, got)
		}
	})
}

func TestShortKeepsCharactersWhole(t *testing.T) {
	if got := Short(strings.Repeat("ä", 100)); !utf8.ValidString(got) || len(got) > 70 {
		t.Errorf("%q", got)
	}
	if got := Short("a"); got != "a" {
		t.Error(got)
	}
}
