package multipart

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	stdlib "mime/multipart"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/gomiddy/middy/web"
)

const typeT = "multipart/form-data; boundary=T"

// part writes one part with the boundary T.
func part(header, body string) string {
	return "--T\r\n" + header + "\r\n\r\n" + body + "\r\n"
}

func value(name, body string) string {
	return part(fmt.Sprintf("Content-Disposition: form-data; name=%q", name), body)
}

func file(name, filename, body string) string {
	return part(fmt.Sprintf("Content-Disposition: form-data; name=%q; filename=%q", name, filename), body)
}

// send posts one body; the handler's view comes back.
func send(cfg Config, contentType, body string) (*httptest.ResponseRecorder, *http.Request) {
	r := httptest.NewRequest("POST", "/?q=1", strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	var seen *http.Request
	w := httptest.NewRecorder()
	New(cfg)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r })).ServeHTTP(w, r)
	return w, seen
}

func detail(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var p struct{ Detail string }
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	return p.Detail
}

func text(filename, body string) *File {
	return &File{Filename: filename, ContentType: "text/plain", Encoding: "7bit", Content: []byte(body)}
}

// The vectors of Middy's own tests and behaviour. Where Middy cuts silently ("field
// over fieldSize", "fields limit"), we answer 413; where it refuses quoted
// boundaries, we take them.
func TestMiddysVectors(t *testing.T) {
	decoded := func(s string) string { b, _ := base64.StdEncoding.DecodeString(s); return string(b) }
	const typeTEST = "multipart/form-data; boundary=TEST"
	inTEST := func(s string) string { return strings.ReplaceAll(s, "--T", "--TEST") }
	for _, c := range []struct {
		name, contentType, body string
		cfg                     Config
		status                  int
		want                    map[string]any
		detail                  string
	}{
		{"field, base64 body", "multipart/form-data; boundary=----WebKitFormBoundaryppsQEwf2BVJeCe0M", decoded("LS0tLS0tV2ViS2l0Rm9ybUJvdW5kYXJ5cHBzUUV3ZjJCVkplQ2UwTQ0KQ29udGVudC1EaXNwb3NpdGlvbjogZm9ybS1kYXRhOyBuYW1lPSJmb28iDQoNCmJhcg0KLS0tLS0tV2ViS2l0Rm9ybUJvdW5kYXJ5cHBzUUV3ZjJCVkplQ2UwTS0t"), Config{}, 200, map[string]any{"foo": "bar"}, ""},
		{"charset param without space", typeTEST + ";charset=utf-8", inTEST(value("a[b]", "bär") + "--T--"), Config{}, 200, map[string]any{"a": []string{"bär"}}, ""},
		{"file", typeTEST, inTEST(part("Content-Disposition: form-data; name=\"file\"; filename=\"f.txt\"\r\nContent-Type: text/plain", "hello world!") + "--T--"), Config{}, 200, map[string]any{"file": text("f.txt", "hello world!")}, ""},
		{"two files newest first", typeT, file("a", "f1", "1") + file("a", "../x/f2", "2") + "--T--", Config{}, 200, map[string]any{"a": []*File{text("f2", "2"), text("f1", "1")}}, ""},
		{"three files newest first", typeT, file("a", "f1", "1") + file("a", "f2", "2") + file("a", "f3", "3") + "--T--", Config{}, 200, map[string]any{"a": []*File{text("f3", "3"), text("f2", "2"), text("f1", "1")}}, ""},
		{"duplicate plain field, last wins", typeT, value("a", "1") + value("a", "2") + "--T--", Config{}, 200, map[string]any{"a": "2"}, ""},
		{"file too big", typeTEST, inTEST(file("file", "f.txt", "hello world!") + "--T--"), Config{MaxFileBytes: 4}, 413, nil, `the file "f.txt" must not be larger than 4 bytes`},
		{"name too long", typeT, value("field6", "val") + "--T--", Config{MaxNameLength: 5}, 422, nil, "Invalid or malformed multipart/form-data was provided: a name is longer than 5"},
		{"name at cap", typeT, value("field", "val") + "--T--", Config{MaxNameLength: 5}, 200, map[string]any{"field": "val"}, ""},
		{"unterminated", typeT, "--T\r\nContent-Disposition: form-data; name=\"foo\"\r\n\r\nbar", Config{}, 422, nil, "Invalid or malformed multipart/form-data was provided: it ends before its last boundary"},
		{"trailing junk in type", typeTEST + "; junk", "x", Config{}, 415, nil, `the Content-Type must be multipart/form-data; it is "multipart/form-data; boundary=TEST; junk"`},
		{"quoted boundary", `multipart/form-data; boundary="T"`, value("a", "1") + "--T--", Config{}, 200, map[string]any{"a": "1"}, ""},
		{"tolerated wrong type", "", "raw", Config{DisableContentTypeError: true}, 200, map[string]any{}, ""},
		{"body undefined", typeT, "", Config{}, 422, nil, "Invalid or malformed multipart/form-data was provided: it ends before its last boundary"},
		{"field over fieldSize", typeT, value("a", "123456") + "--T--", Config{MaxFieldBytes: 3}, 413, nil, `the field "a" must not be larger than 3 bytes`},
		{"fields limit", typeT, value("a", "1") + value("b", "2") + "--T--", Config{MaxFields: 1}, 413, nil, "the form must not have more than 1 fields"},
		{"nested brackets: the last one counts", typeT, value("a[b][c]", "1") + value("a[b][d]", "2") + "--T--", Config{}, 200, map[string]any{"a[b]": []string{"1", "2"}}, ""},
		{"a bracket at the front is a name", typeT, value("[a]", "1") + "--T--", Config{}, 200, map[string]any{"[a]": "1"}, ""},
		{"brackets mean nothing in files", typeT, file("a[]", "f", "1") + "--T--", Config{}, 200, map[string]any{"a[]": text("f", "1")}, ""},
		{"hostile names are data", typeT, value("__proto__", "1") + value("constructor", "2") + "--T--", Config{}, 200, map[string]any{"__proto__": "1", "constructor": "2"}, ""},
		{"preamble and epilogue", typeT, "hello\r\n" + value("a", "1") + "--T--\r\nbye", Config{}, 200, map[string]any{"a": "1"}, ""},
		{"preservePath", typeT, file("a", "../x/f2", "2") + "--T--", Config{PreservePath: true}, 200, map[string]any{"a": text("../x/f2", "2")}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, r := send(c.cfg, c.contentType, c.body)
			if w.Code != c.status {
				t.Fatalf("got %d %s", w.Code, w.Body)
			}
			if c.status != 200 {
				if got := detail(t, w); got != c.detail {
					t.Errorf("got %q\nwant %q", got, c.detail)
				}
				return
			}
			got, err := Form(r).Object()
			for _, v := range got { // headers are compared elsewhere
				for _, f := range files(v) {
					f.Header = nil
				}
			}
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, %v\nwant %v", got, err, c.want)
			}
		})
	}
}

func files(v any) []*File {
	switch v := v.(type) {
	case *File:
		return []*File{v}
	case []*File:
		return v
	}
	return nil
}

// Inputs that end Middy's process.
func TestWhatCrashesMiddyIsRefused(t *testing.T) {
	for rule, body := range map[string]string{
		"a part without a name":        part("Content-Disposition: form-data", "x"),
		"a part without a disposition": part("X-A: 1", "x"),
		"a disposition that is none":   part(`Content-Disposition: form-data; name="a`, "x"),
		"another disposition":          part(`Content-Disposition: attachment; name="a"`, "x"),
	} {
		if w, _ := send(Config{}, typeT, body+"--T--"); w.Code != 422 || !strings.Contains(w.Body.String(), "a part has no name") {
			t.Errorf("%s: %d %s", rule, w.Code, w.Body)
		}
	}
	for rule, body := range map[string]string{
		"a value, then a list":    value("a", "1") + value("a[]", "2"),
		"a file, then a list":     file("a", "f", "1") + value("a[]", "2"),
		"a value, then a file":    value("a", "1") + file("a", "f", "2"),
		"two files, then a list":  file("a", "f", "1") + file("a", "f", "1") + value("a[x]", "2"),
		"a file, then a value":    file("a", "f", "1") + value("a", "2"),
		"two files, then a value": file("a", "f", "1") + file("a", "f", "1") + value("a", "2"),
		"a list, then a value":    value("a[]", "1") + value("a", "2"),
		"a list, then a file":     value("a[]", "1") + file("a", "f", "2"),
	} {
		w, r := send(Config{}, typeT, body+"--T--")
		if w.Code != 200 {
			t.Fatalf("%s: %d", rule, w.Code)
		}
		_, err := Form(r).Object()
		if e, ok := errors.AsType[*web.Error](err); !ok || e.Status != 422 {
			t.Errorf("%s: %v", rule, err)
		}
	}
}

func TestBoundariesOfRFC2046(t *testing.T) {
	for _, c := range []struct {
		contentType string
		status      int // 422: taken, and then the empty body is refused
	}{
		{`multipart/form-data; boundary=a`, 422},
		{`multipart/form-data; boundary=azAZ09`, 422},
		{`Multipart/Form-Data;boundary=a_b.c`, 422},
		{`multipart/form-data; boundary="'()+_,-./:=? x"`, 422},
		{`multipart/form-data; charset=utf-8; boundary=a`, 422},
		{`multipart/form-data; boundary=` + strings.Repeat("a", 70), 422},
		{`multipart/form-data; boundary=` + strings.Repeat("a", 71), 415},
		{`multipart/form-data; boundary="a "`, 415},
		{`multipart/form-data; boundary="a@b"`, 415},
		{`multipart/form-data; boundary=""`, 415},
		{`multipart/form-data; boundary=`, 415},
		{`multipart/form-data; boundary=a; boundary=b`, 415},
		{`multipart/form-data`, 415},
		{`multipart/mixed; boundary=a`, 415},
		{`application/json`, 415},
		{``, 415},
	} {
		if w, _ := send(Config{}, c.contentType, ""); w.Code != c.status {
			t.Errorf("%s: got %d, want %d", c.contentType, w.Code, c.status)
		}
	}
	if w, _ := send(Config{DisableContentTypeCheck: true}, "multipart/mixed; boundary=T", value("a", "1")+"--T--"); w.Code != 200 {
		t.Errorf("another multipart type, not checked: %d", w.Code)
	}
	if w, _ := send(Config{DisableContentTypeCheck: true}, "text/plain", ""); w.Code != 422 {
		t.Errorf("no multipart type, not checked: %d", w.Code)
	}
}

func TestLimitsAreAnswers(t *testing.T) {
	for _, c := range []struct {
		rule, body string
		cfg        Config
		status     int
		detail     string
	}{
		{"as many parts as allowed", strings.Repeat(value("a", ""), 1000) + "--T--", Config{}, 200, ""},
		{"one part too many", strings.Repeat(value("a", ""), 1001) + "--T--", Config{}, 413, "the form must not have more than 1000 parts"},
		{"no limit of parts, but of fields", strings.Repeat(value("a", ""), 1001) + "--T--", Config{MaxParts: -1}, 413, "the form must not have more than 1000 fields"},
		{"no limits", strings.Repeat(value("a", ""), 1001) + "--T--", Config{MaxParts: -1, MaxFields: -1}, 200, ""},
		{"as many files as allowed", file("a", "f", "") + value("b", "") + "--T--", Config{MaxFiles: 1}, 200, ""},
		{"one file too many", file("a", "f", "") + file("a", "f", "") + "--T--", Config{MaxFiles: 1}, 413, "the form must not have more than 1 files"},
		{"a field as large as allowed", value("a", "123") + "--T--", Config{MaxFieldBytes: 3}, 200, ""},
		{"a file as large as allowed", file("a", "f", "1234") + "--T--", Config{MaxFileBytes: 4}, 200, ""},
		{"a field of 1 MiB and a byte", value("a", strings.Repeat("x", 1<<20+1)) + "--T--", Config{}, 413, `the field "a" must not be larger than 1048576 bytes`},
		{"a field of 1 MiB", value("a", strings.Repeat("x", 1<<20)) + "--T--", Config{}, 200, ""},
		{"a name of 100", value(strings.Repeat("n", 100), "") + "--T--", Config{}, 200, ""},
		{"a name of 101", value(strings.Repeat("n", 101), "") + "--T--", Config{}, 422, "Invalid or malformed multipart/form-data was provided: a name is longer than 100"},
		{"100 headers", part("Content-Disposition: form-data; name=a"+strings.Repeat("\r\nX: 1", 99), "") + "--T--", Config{}, 200, ""},
		{"as many fields as allowed by default", strings.Repeat(value("a", ""), 1000) + file("a", "f", "") + "--T--", Config{MaxParts: 1001}, 200, ""},
		{"no empty value is too large", value("a", "") + "--T--", Config{MaxFieldBytes: 1}, 200, ""},
		{"the whole", value("a", "123456789") + "--T--", Config{MaxBytes: 50}, 413, "the body must not be larger than 50 bytes"},
		{"6 MiB by default", file("a", "f", strings.Repeat("x", 6<<20)) + "--T--", Config{}, 413, "the body must not be larger than 6291456 bytes"},
		{"a name in UTF-16", value(strings.Repeat("😀", 3), "") + "--T--", Config{MaxNameLength: 5}, 422, "Invalid or malformed multipart/form-data was provided: a name is longer than 5"},
		{"headers", part("Content-Disposition: form-data; name=a"+strings.Repeat("\r\nX: 1", 100), "") + "--T--", Config{}, 422, "Invalid or malformed multipart/form-data was provided: a part has more than 100 headers"},
		{"headers of 80 KiB", part("Content-Disposition: form-data; name=a\r\nX: "+strings.Repeat("x", 80<<10-37), "") + "--T--", Config{}, 200, ""},
		{"headers of a byte more", part("Content-Disposition: form-data; name=a\r\nX: "+strings.Repeat("x", 80<<10-36), "") + "--T--", Config{}, 422, "Invalid or malformed multipart/form-data was provided: the headers of a part are larger than 81920 bytes"},
		{"mime/multipart's own limit of headers", part("Content-Disposition: form-data; name=a"+strings.Repeat("\r\nX: 1", 10001), "") + "--T--", Config{MaxPartHeaders: -1}, 413, "the form's headers are too large"},
		{"lines that end with LF", strings.ReplaceAll(value("a", "1")+"--T--", "\r\n", "\n"), Config{}, 422, "Invalid or malformed multipart/form-data was provided: its lines end with LF instead of CRLF"},
		{"no boundary", "hello", Config{}, 422, "Invalid or malformed multipart/form-data was provided: it ends before its last boundary"},
		{"text behind a boundary", "--T\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--Tx\r\n--T--", Config{}, 200, ""},
		{"no parts", "--T--", Config{}, 200, ""},
		{"no parts and LF", "--T--\n", Config{}, 200, ""},
		{"a header that is none", "--T\r\nno colon\r\n\r\n1\r\n--T--", Config{}, 422, "Invalid or malformed multipart/form-data was provided: its parts cannot be told apart"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			w, _ := send(c.cfg, typeT, c.body)
			if w.Code != c.status {
				t.Fatalf("got %d %s", w.Code, w.Body)
			}
			if c.status != 200 && detail(t, w) != c.detail {
				t.Errorf("got %q\nwant %q", detail(t, w), c.detail)
			}
		})
	}
}

// Wherever a body is cut off, it is refused, and no form is taken for a whole one.
func TestEveryBeginningOfAFormIsRefused(t *testing.T) {
	whole := value("a", "1") + file("b", "f", "2\r\n--") + "--T--"
	for i := range len(whole) {
		if w, _ := send(Config{}, typeT, whole[:i]); w.Code != 422 {
			t.Errorf("%q: got %d", whole[:i], w.Code)
		}
	}
	for _, end := range []string{"", "\r\n", "\r\n\r\nepilogue", " \t", "\n", "\r\n--T\r\n", "epilogue", strings.Repeat("x", 40_000)} {
		if w, r := send(Config{}, typeT, whole+end); w.Code != 200 || len(Form(r)) != 2 {
			t.Errorf("with %q behind it: got %d", end, w.Code)
		}
	}
}

// The last boundary is found wherever the reads of a body part it.
func TestTheLastBoundaryIsFoundAcrossReads(t *testing.T) {
	for _, size := range []int{0, 1, 16<<10 - 80, 16<<10 - 70, 16<<10 - 64, 16<<10 - 60, 40_000} {
		whole := file("b", "f", strings.Repeat("\r\n--T-", size/6)+"a--T--b") + "--T--\nepilogue"
		for name, from := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "halves": iotest.HalfReader, "bytes": iotest.OneByteReader, "data with its error": iotest.DataErrReader,
		} {
			cfg := Config{}.withDefaults()
			fields, err := collect(newPartReader(&cfg, from(strings.NewReader(whole)), "T"))
			if err != nil || len(fields) != 1 || len(fields[0].File.Content) != size/6*6+7 {
				t.Errorf("%d bytes, %s: %v, %d fields", size, name, err, len(fields))
			}
		}
	}
}

// A multipart body in a part is content: nothing opens it, so it cannot nest.
func TestNestedBodiesAreNotOpened(t *testing.T) {
	inner := "--U\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n--U--"
	for range 1000 {
		inner = "--U\r\nContent-Type: multipart/mixed; boundary=U\r\n\r\n" + inner
	}
	w, r := send(Config{}, typeT, part("Content-Disposition: form-data; name=a\r\nContent-Type: multipart/mixed; boundary=U", inner)+"--T--")
	if w.Code != 200 || Form(r).Value("a") != inner || len(Form(r)) != 1 {
		t.Errorf("got %d with %d fields", w.Code, len(Form(r)))
	}
}

func TestPartsSayWhatTheyAre(t *testing.T) {
	for _, c := range []struct {
		rule, header, body string
		cfg                Config
		want               Field
	}{
		{"a value", `Content-Disposition: form-data; name=a`, "1", Config{}, Field{Name: "a", Value: "1"}},
		{"a filename in RFC 5987's form", `Content-Disposition: form-data; name=a; filename*=UTF-8''%e2%82%ac.txt`, "1", Config{}, Field{Name: "a", File: text("€.txt", "1")}},
		{"a path of Windows", `Content-Disposition: form-data; name=a; filename="C:\dir\f.txt"`, "1", Config{}, Field{Name: "a", File: text("f.txt", "1")}},
		{"a directory for a filename", `Content-Disposition: form-data; name=a; filename=".."`, "1", Config{}, Field{Name: "a", File: text("", "1")}},
		{"an empty filename", `Content-Disposition: form-data; name=a; filename=""`, "", Config{}, Field{Name: "a", File: text("", "")}},
		{"a file without a name", "Content-Disposition: form-data; name=a\r\nContent-Type: Application/Octet-Stream; x=1", "\xff", Config{}, Field{Name: "a", File: &File{ContentType: "Application/Octet-Stream; x=1", Encoding: "7bit", Content: []byte("\xff")}}},
		{"an encoding is told, not undone", "Content-Disposition: form-data; name=a; filename=f\r\nContent-Transfer-Encoding: Quoted-Printable", "=41", Config{}, Field{Name: "a", File: &File{Filename: "f", ContentType: "text/plain", Encoding: "quoted-printable", Content: []byte("=41")}}},
		{"a charset", "Content-Disposition: form-data; name=a\r\nContent-Type: text/plain; charset=ISO-8859-1", "b\xe4r", Config{}, Field{Name: "a", Value: "bär"}},
		{"the default charset", "Content-Disposition: form-data; name=a", "b\xe4r", Config{DefaultCharset: "latin1"}, Field{Name: "a", Value: "bär"}},
		{"a filename before that in RFC 5987's form", `Content-Disposition: form-data; name=a; filename*=UTF-8''b.exe; filename="a.txt"`, "1", Config{}, Field{Name: "a", File: text("a.txt", "1")}},
		{"whatever the order", `Content-Disposition: form-data; name=a; filename="a;filename*=UTF-8''c.txt"; filename*=UTF-8''b.exe`, "1", Config{}, Field{Name: "a", File: text("a;filename*=UTF-8''c.txt", "1")}},
		{"a filename in several pieces does not hide it", `Content-Disposition: form-data; name=a; filename*0=b; filename*1=.exe; filename=a.txt`, "1", Config{}, Field{Name: "a", File: text("a.txt", "1")}},
		{"a name before that in RFC 5987's form", `Content-Disposition: form-data; name*=UTF-8''b; name=a`, "1", Config{}, Field{Name: "a", Value: "1"}},
		{"quotes and line ends as browsers write them", `Content-Disposition: form-data; name="a%22b%0D%0A"; filename="say %22hi%22 100%.txt"`, "1", Config{}, Field{Name: "a\"b\r\n", File: text(`say "hi" 100%.txt`, "1")}},
		{"a name that is not UTF-8", "Content-Disposition: form-data; name=\"\xff\"", "1", Config{}, Field{Name: "\ufffd", Value: "1"}},
		{"an empty name", `Content-Disposition: form-data; name=""`, "1", Config{}, Field{Value: "1"}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			w, r := send(c.cfg, typeT, part(c.header, c.body)+"--T--")
			if w.Code != 200 {
				t.Fatalf("got %d %s", w.Code, w.Body)
			}
			got := Form(r)[0]
			if got.File != nil {
				if got.File.Header.Get("Content-Disposition") == "" {
					t.Error("the headers are lost")
				}
				got.File.Header = nil
				if len(got.File.Content) == 0 {
					got.File.Content = []byte{}
				}
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v %+v\nwant %+v %+v", got, got.File, c.want, c.want.File)
			}
		})
	}
}

// Nothing that a client sent is changed or left out without a word.
func TestWhatCannotBeReadIsRefused(t *testing.T) {
	t.Parallel()
	field := func(header, body string) string {
		return part("Content-Disposition: form-data; name=a"+header, body) + "--T--"
	}
	for _, c := range []struct {
		rule, body string
		cfg        Config
		status     int
	}{
		{"a charset that is not known", field("\r\nContent-Type: text/plain; charset=iso-2022-jp", "\x1b$B"), Config{}, 415},
		{"but of a file it is not asked", field("; filename=f\r\nContent-Type: text/plain; charset=iso-2022-jp", "\x1b$B"), Config{}, 200},
		{"two dispositions", field("\r\nContent-Disposition: form-data; name=b", "1"), Config{}, 422},
		{"a parameter twice", field("; name=b", "1"), Config{}, 422},
		{"text and no part", "A--T\r\n\r\n1\r\n--T--", Config{}, 422},
		{"much text and no part", strings.Repeat("a", 40_000) + "\r\n--T--", Config{}, 422},
		{"an empty form", "--T--", Config{}, 200},
		{"an empty form behind a line end", "\r\n--T--\r\n", Config{}, 200},
		{"text before a part", "hello\r\n" + field("", "1"), Config{}, 200},
		{"a file where files are refused", field("; filename=f", "1"), Config{RefuseFiles: true}, 413},
		{"a value where files are refused", field("", "1"), Config{RefuseFiles: true}, 200},
	} {
		t.Run(c.rule, func(t *testing.T) {
			if w, _ := send(c.cfg, typeT, c.body); w.Code != c.status {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, c.status)
			}
		})
	}
	if err := (Config{RefuseFiles: true, MaxFiles: 3}).Validate(); err == nil {
		t.Error("Validate takes RefuseFiles beside MaxFiles")
	}
}

func TestAccessors(t *testing.T) {
	_, r := send(Config{}, typeT, value("a", "1")+file("a", "f1", "x")+value("a", "2")+file("a", "f2", "y")+value("q", "body")+"--T--")
	f := Form(r)
	if f.Value("a") != "1" || !reflect.DeepEqual(f.Values("a"), []string{"1", "2"}) || f.File("a").Filename != "f1" || len(f.Files("a")) != 2 {
		t.Errorf("got %v", f)
	}
	if f.Value("z") != "" || f.Values("z") != nil || f.File("z") != nil || f.Files("z") != nil {
		t.Error("there is no z")
	}
	if err := r.ParseMultipartForm(1 << 20); err != nil {
		t.Error(err)
	}
	if r.FormValue("q") != "body" || r.PostFormValue("a") != "1" || !reflect.DeepEqual(r.Form["q"], []string{"body", "1"}) || len(r.PostForm["q"]) != 1 {
		t.Errorf("Form %v, PostForm %v", r.Form, r.PostForm)
	}
	if _, _, err := r.FormFile("a"); !errors.Is(err, http.ErrMissingFile) {
		t.Errorf("FormFile: %v", err)
	}
}

func TestStreaming(t *testing.T) {
	r := httptest.NewRequest("POST", "/", iotest.OneByteReader(strings.NewReader(value("a", "1")+file("b", "f", "content")+file("c", "g", "skipped")+"--T--")))
	r.Header.Set("Content-Type", typeT)
	var got []string
	New(Config{Stream: true})(web.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
		if Form(r) != nil {
			t.Error("a form, though it streams")
		}
		for parts := Reader(r); ; {
			p, err := parts.Next()
			if err == io.EOF {
				if _, err := parts.Next(); err != io.EOF {
					t.Errorf("behind the end: %v", err)
				}
				return nil
			}
			if err != nil {
				t.Fatal(err)
			}
			if p.Name == "c" {
				continue
			}
			text, err := p.Text()
			got = append(got, fmt.Sprint(p.Name, p.File, p.Filename, text, err))
		}
	})).ServeHTTP(httptest.NewRecorder(), r)
	if want := []string{"afalse1<nil>", "btruefcontent<nil>"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestStreamingErrorsAreAnswers(t *testing.T) {
	for _, c := range []struct {
		rule, body string
		cfg        Config
		status     int
	}{
		{"a file too large", file("a", "f", "12345") + "--T--", Config{MaxFileBytes: 4}, 413},
		{"the body too large", file("a", "f", strings.Repeat("x", 10000)) + "--T--", Config{MaxBytes: 9000}, 413},
		{"cut off in a file", file("a", "f", "12345"), Config{}, 422},
		{"too many parts", value("a", "1") + value("a", "1") + "--T--", Config{MaxParts: 1}, 413},
	} {
		t.Run(c.rule, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", strings.NewReader(c.body))
			r.ContentLength = -1
			r.Header.Set("Content-Type", typeT)
			w := httptest.NewRecorder()
			c.cfg.Stream = true
			New(c.cfg)(web.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
				for parts := Reader(r); ; {
					p, err := parts.Next()
					if err == nil {
						_, err = io.Copy(io.Discard, p)
					}
					if err != nil {
						return err
					}
				}
			})).ServeHTTP(w, r)
			if w.Code != c.status {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
		})
	}
	if _, err := Reader(httptest.NewRequest("POST", "/", nil)).Next(); !errors.Is(err, ErrNotStreaming) {
		t.Errorf("without the middleware: %v", err)
	}
}

func TestABodyThatBreaksOff(t *testing.T) {
	r := httptest.NewRequest("POST", "/", iotest.ErrReader(errors.New("reset")))
	r.Header.Set("Content-Type", typeT)
	w := httptest.NewRecorder()
	New(Config{})(http.NotFoundHandler()).ServeHTTP(w, r)
	if w.Code != 422 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestMethodsAndCodings(t *testing.T) {
	for _, c := range []struct {
		rule, method, coding string
		cfg                  Config
		status               int
	}{
		{"GET without a body passes", "GET", "", Config{}, 200},
		{"every method, as Middy", "GET", "", Config{EveryMethod: true}, 415},
		{"gzip is refused", "POST", "gzip", Config{}, 415},
	} {
		r := httptest.NewRequest(c.method, "/", nil)
		if c.coding != "" {
			r.Header.Set("Content-Encoding", c.coding)
			r.Header.Set("Content-Type", typeT)
		}
		w := httptest.NewRecorder()
		New(c.cfg)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%s: got %d", c.rule, w.Code)
		}
	}
}

func TestValidate(t *testing.T) {
	if err := (Config{DefaultCharset: "UTF8"}).Validate(); err != nil {
		t.Error(err)
	}
	if (Config{DefaultCharset: "ebcdic"}).Validate() == nil {
		t.Error("a charset that is not known")
	}
	defer func() {
		if recover() == nil {
			t.Error("New took a bad Config")
		}
	}()
	New(Config{DefaultCharset: "ebcdic"})
}

func TestBehindARealServer(t *testing.T) {
	srv := httptest.NewServer(New(Config{})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, Form(r).Value("who"), " ", len(Form(r).File("upload").Content))
	})))
	defer srv.Close()
	var b bytes.Buffer
	mw := stdlib.NewWriter(&b)
	_ = mw.WriteField("who", "Ada")
	fw, _ := mw.CreateFormFile("upload", "big.bin")
	_, _ = fw.Write(make([]byte, 5<<20))
	_ = mw.Close()
	resp, err := http.Post(srv.URL, mw.FormDataContentType(), &b)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, _ := io.ReadAll(resp.Body); string(got) != "Ada 5242880" {
		t.Errorf("got %s", got)
	}
}

// Every body is a form or a 4xx, and what comes out came in.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{
		value("a", "1") + value("a[]", "2") + "--T--",
		part("Content-Disposition: form-data", "x") + "--T--",
		file("a", `..\..\x`, "1") + "--T--",
		"--T--", "--T\n\n--T--", "pre\r\n--T \r\n\r\n\r\n--T--",
	} {
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, body string, object bool) {
		w, r := send(Config{}, typeT, body)
		switch {
		case w.Code == 413 || w.Code == 422:
			return
		case w.Code != 200:
			t.Fatalf("%d for %q", w.Code, body)
		}
		for _, field := range Form(r) {
			if field.File == nil {
				continue
			}
			if !strings.Contains(body, string(field.File.Content)) || strings.ContainsAny(field.File.Filename, `/\`) {
				t.Fatalf("%q gave %+v", body, field.File)
			}
		}
		if object {
			_, _ = Form(r).Object()
		}
	})
}
