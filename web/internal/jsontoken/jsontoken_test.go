package jsontoken

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func kinds(data string, depth int) (string, error) {
	var b strings.Builder
	for s := New([]byte(data), depth); ; {
		tok, err := s.Next()
		if err != nil || tok.Kind == EOF {
			return b.String(), err
		}
		b.WriteByte(byte(tok.Kind))
	}
}

func TestTokens(t *testing.T) {
	for text, want := range map[string]string{
		`1`:                                "0",
		" \t\r\n-0.5e+7 ":                  "0",
		`"a\u0041\n"`:                      `"`,
		`[]`:                               "[]",
		`{}`:                               "{}",
		`{"a":[1,true,null],"b":{"c":""}}`: `{k[0ll]k{k"}}`,
		` [ [ ] , { } ] `:                  "[[]{}]",
	} {
		if got, err := kinds(text, 10); got != want || err != nil {
			t.Errorf("%s: got %s, %v; want %s", text, got, err, want)
		}
	}
}

func TestErrorsSayWhereAndWhy(t *testing.T) {
	for _, c := range []struct {
		text, want string
		reason     Reason
	}{
		{"", "unexpected end at byte 0", Syntax},
		{"  ", "unexpected end at byte 2", Syntax},
		{"make", "expected a value at byte 0", Syntax},
		{"nul", "unexpected end at byte 3", Syntax},
		{"nuts", "expected null at byte 2", Syntax},
		{"fals1", "expected false at byte 4", Syntax},
		{"1 2", "unexpected text behind the value at byte 2", Syntax},
		{"01", "a number must not begin with 0 at byte 0", Syntax},
		{"-", "unexpected end in a number at byte 1", Syntax},
		{"1.x", "expected a digit at byte 2", Syntax},
		{"1e", "unexpected end in a number at byte 2", Syntax},
		{"[1,]", "expected a value at byte 3", Syntax},
		{"[1}", "expected ',' or ']' at byte 2", Syntax},
		{`{"a":1]`, "expected ',' or '}' at byte 6", Syntax},
		{`{"a" 1}`, "expected ':' behind a key at byte 5", Syntax},
		{`{a:1}`, "expected a key in double quotes at byte 1", Syntax},
		{`{"a":1,}`, "expected a key in double quotes at byte 7", Syntax},
		{`{"a":1`, "unexpected end at byte 6", Syntax},
		{`"a`, "unexpected end in a string at byte 2", Syntax},
		{`"\`, "unexpected end in a string at byte 2", Syntax},
		{`"\u12`, "unexpected end in a string at byte 5", Syntax},
		{`"\u12g4"`, "expected four hexadecimal digits behind \\u at byte 1", Syntax},
		{`"\x"`, "unknown escape in a string at byte 1", Syntax},
		{"\"a\nb\"", "a control character in a string must be escaped at byte 2", Syntax},
		{"\"a\xff\"", "a string is not UTF-8 at byte 2", UTF8},
		{"\xef\xbb\xbf1", "expected a value at byte 0", Syntax},
		{"[[[[1]]]]", "more than 3 levels deep at byte 3", Depth},
	} {
		_, err := kinds(c.text, 3)
		var e *Error
		if !errors.As(err, &e) || e.Error() != c.want || e.Reason != c.reason {
			t.Errorf("%q: got %v, want %s", c.text, err, c.want)
		}
	}
}

func TestUnquote(t *testing.T) {
	for quoted, want := range map[string]string{
		`""`: "", `"a"`: "a", `"\u005f_proto__"`: "__proto__", `"\ud800"`: "\ufffd", `"ä\"/"`: `ä"/`, "\"\xff\"": "\ufffd",
	} {
		if got := Unquote([]byte(quoted)); got != want {
			t.Errorf("%s: got %q, want %q", quoted, got, want)
		}
	}
}

// encoding/json and the Scanner accept the same texts, apart from what RFC 8259
// demands and encoding/json lets pass: bytes that are not UTF-8.
func FuzzScanner(f *testing.F) {
	for _, seed := range []string{``, `1`, `-0.0E-1`, `{"a":[1,"b\u00e4"],"c":{}}`, `[[[]]]`, `{"a":1,}`, "\"\xff\"", `"\ud800"`, `nulL`, `01`, `1.`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		const depth = 9000 // below encoding/json's own limit of 10,000
		_, err := kinds(string(data), depth)
		var e *Error
		if errors.As(err, &e) && (e.Offset < 0 || e.Offset > len(data)) {
			t.Fatalf("offset %d of %d", e.Offset, len(data))
		}
		if e != nil && e.Reason != Syntax {
			return
		}
		if want := json.Valid(data) && utf8.Valid(data); want != (err == nil) {
			t.Fatalf("%q: %v, encoding/json says %v", data, err, want)
		}
	})
}

func BenchmarkScanner(b *testing.B) {
	data := []byte(`{"items":[` + strings.Repeat(`{"id":12345,"name":"a name of usual length","tags":["a","b"],"ok":true},`, 100) + `{}]}`)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		s := New(data, 10)
		for {
			tok, err := s.Next()
			if err != nil {
				b.Fatal(err)
			}
			if tok.Kind == EOF {
				break
			}
		}
	}
}

func TestUniqueRefusesNamesThatFoldToOne(t *testing.T) {
	t.Parallel()
	many := "{"
	for i := range 40 {
		many += fmt.Sprintf(`"n%d":0,`, i)
	}
	for _, c := range []struct {
		rule, text string
		ok         bool
	}{
		{"different names", `{"a":1,"b":2}`, true},
		{"a name twice", `{"a":1,"a":2}`, false},
		{"in another case", `{"role":1,"Role":2}`, false},
		{"written as an escape", `{"a":1,"\u0041":2}`, false},
		{"a letter that folds to ASCII", `{"userſ":1,"users":2}`, false},
		{"the Kelvin sign is a k", `{"key":1,"\u212aey":2}`, false},
		{"a Greek word in two cases", `{"σ":1,"ς":2}`, false},
		{"names that fold to different ones", `{"ı":1,"i":2}`, true},
		{"two halves of surrogate pairs decode alike", `{"\ud800":1,"\ud801":2}`, false},
		{"in another object", `[{"a":{"a":1}},{"a":1}]`, true},
		{"behind an inner object", `{"a":{"b":1},"A":{"c":1}}`, false},
		{"behind an inner array", `{"a":[{"b":1}],"b":[],"a":1}`, false},
		{"among many, different", many + `"x":1}`, true},
		{"among many, the first", many + `"N0":1}`, false},
		{"among many, the last", many + `"N39":1}`, false},
		{"the empty name", `{"":1,"":2}`, false},
	} {
		t.Run(c.rule, func(t *testing.T) {
			s := New([]byte(c.text), 10)
			s.Unique = true
			var err error
			for tok := (Token{Kind: Literal}); err == nil && tok.Kind != EOF; {
				tok, err = s.Next()
			}
			var e *Error
			if errors.As(err, &e); (err == nil) != c.ok || err != nil && e.Reason != Duplicate {
				t.Errorf("%s: got %v, want no error: %v", c.text, err, c.ok)
			}
		})
	}
}

// Fold must agree with encoding/json on which names are one.
func FuzzFold(f *testing.F) {
	for _, pair := range [][2]string{{"a", "A"}, {"s", "ſ"}, {"K", "\u212a"}, {"İ", "i"}, {"ß", "ẞ"}, {"ᲀ", "в"}, {"a\xff", "A\xfe"}} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if !utf8.ValidString(a) || !utf8.ValidString(b) {
			t.Skip("a JSON text has no such name")
		}
		if got, want := Fold(a) == Fold(b), strings.EqualFold(a, b); got != want {
			t.Errorf("%q and %q: one name is %v, want %v", a, b, got, want)
		}
	})
}
