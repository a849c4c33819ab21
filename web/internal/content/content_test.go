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

func TestNone(t *testing.T) {
	for _, c := range []struct {
		rule, method, body string
		length             int64
		want               bool
	}{
		{"GET", "GET", "", 0, true},
		{"DELETE", "DELETE", "", 0, true},
		{"GET with a body", "GET", "x", 1, false},
		{"GET with a body of unknown length", "GET", "x", -1, false},
		{"POST", "POST", "", 0, false},
		{"a method that nobody knows", "PURGE", "", 0, false},
	} {
		r := httptest.NewRequest(c.method, "/", strings.NewReader(c.body))
		r.ContentLength = c.length
		if got := None(r); got != c.want {
			t.Errorf("%s: got %v", c.rule, got)
		}
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.Body, r.ContentLength = nil, -1
	if !None(r) {
		t.Error("no body at all")
	}
}

func TestRefusalsSayWhatWouldBeTaken(t *testing.T) {
	for got, detail := range map[string]string{
		"":                       "the Content-Type must be a/b; there is none",
		"x/y":                    `the Content-Type must be a/b; it is "x/y"`,
		strings.Repeat("x", 100): `the Content-Type must be a/b; it is "` + strings.Repeat("x", 64) + `…"`,
	} {
		if e := Unsupported(got, "a/b"); e.Status != 415 || e.Detail != detail || e.Header.Get("Accept") != "a/b" {
			t.Errorf("%q: %v", got, e)
		}
	}
	for coding, refused := range map[string]bool{"": false, "identity": false, " Identity ": false, "gzip": true} {
		e := Encoded(http.Header{"Content-Encoding": {coding}})
		if (e != nil) != refused || e != nil && (e.Status != 415 || e.Header.Get("Accept-Encoding") != "identity") {
			t.Errorf("%q: %v", coding, e)
		}
	}
}

func TestReplace(t *testing.T) {
	r := httptest.NewRequest("POST", "/", strings.NewReader("old"))
	r.TransferEncoding = []string{"chunked"}
	Replace(r, []byte("new body"))
	if b, err := io.ReadAll(r.Body); string(b) != "new body" || err != nil || r.ContentLength != 8 || r.TransferEncoding != nil {
		t.Errorf("%q, %v, %d", b, err, r.ContentLength)
	}
}
