package eventjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/quick"
)

// value reads any value as encoding/json would.
func value(s *Scanner) any {
	switch s.Kind() {
	case '{':
		m := map[string]any{}
		for name := range s.Members {
			m[name] = value(s)
		}
		return m
	case '[':
		a := []any{}
		for range s.Elements {
			a = append(a, value(s))
		}
		return a
	case '"':
		return s.Text()
	case 't', 'f':
		return s.Bool()
	case 'n':
		s.Null()
		return nil
	}
	var f float64
	raw := s.Raw()
	if s.Err() == nil {
		_ = json.Unmarshal([]byte(raw), &f)
	}
	return f
}

var texts = []string{
	``, ` `, `null`, `nul`, `true`, `tru`, `false`, `0`, `-0`, `01`, `-`, `1.`, `1.5`, `.5`, `1e`, `1e+5`, `1E-2`, `+1`,
	`"a"`, `"`, `"a`, `"\`, `"\x"`, `"\n\b\f\r\t\/\\\""`, `"\u00e4"`, `"\u00e"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\ud83dx"`, `"\ud83d\u0041"`, `"\ude00"`,
	"\"a\x01\"", "\"\x7f\"", "\"\xff\"", "\"a\xffb\"", "\"\xed\xa0\x80\"", `"ä☃😀"`,
	`{}`, `{`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{"a":1 "b":2}`, `{a:1}`, `{"a":1,"a":2}`, ` { "a" : [ 1 , { "b" : null } ] } `, `{"\u0061":1}`,
	`[]`, `[`, `[1,]`, `[1 2]`, `[[[]]]`, `1 2`, `{} x`, `[1,2,"x",true,null]`, "\ufeff{}",
}

func TestTheScannerReadsWhatEncodingJSONReads(t *testing.T) {
	for _, text := range texts {
		t.Run(text, func(t *testing.T) { same(t, text) })
	}
}

func same(t *testing.T, text string) {
	t.Helper()
	var want any
	wantErr := json.Unmarshal([]byte(text), &want)
	s := NewScanner(text)
	got := value(s)
	err := s.End()
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("err %v, encoding/json %v", err, wantErr)
	}
	if err == nil && !reflect.DeepEqual(got, want) {
		t.Fatalf("got %#v, encoding/json %#v", got, want)
	}
	if err != nil && !errors.Is(err, ErrSyntax) {
		t.Fatalf("the error %v is no ErrSyntax", err)
	}
	skip := NewScanner(text)
	skip.Skip()
	if (skip.End() == nil) != (wantErr == nil) {
		t.Fatalf("Skip: %v, encoding/json %v", skip.Err(), wantErr)
	}
}

func FuzzScanner(f *testing.F) {
	for _, text := range texts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "e") && len(text) > 300 { // a number out of range is JSON to us
			return
		}
		var numbers any
		if err := json.Unmarshal([]byte(text), &numbers); err != nil && strings.Contains(err.Error(), "cannot unmarshal number") {
			return
		}
		same(t, text)
	})
}

func TestDepthIsBounded(t *testing.T) {
	for _, c := range []struct {
		rule  string
		depth int
		ok    bool
	}{{"as deep as encoding/json", MaxDepth, true}, {"deeper", MaxDepth + 1, false}, {"a million", 1e6, false}} {
		t.Run(c.rule, func(t *testing.T) {
			for _, open := range []string{"[", `{"a":`} {
				text := strings.Repeat(open, c.depth)
				if open == "[" {
					text += strings.Repeat("]", c.depth)
				} else {
					text += "1" + strings.Repeat("}", c.depth)
				}
				s := NewScanner(text)
				s.Skip()
				if err := s.End(); (err == nil) != c.ok {
					t.Fatalf("%q: %v", open, err)
				}
			}
		})
	}
}

func TestWrongTypesAreErrors(t *testing.T) {
	for _, c := range []struct {
		rule, text string
		read       func(*Scanner)
	}{
		{"a number is no string", `1`, func(s *Scanner) { s.Text() }},
		{"a string is no truth", `"true"`, func(s *Scanner) { s.Bool() }},
		{"an array is no object", `[]`, func(s *Scanner) { s.StringMap() }},
		{"an object is no array", `{}`, func(s *Scanner) { s.Scalars() }},
		{"a fraction is no whole number", `1.5`, func(s *Scanner) { s.Int() }},
		{"words are no number", `"ten"`, func(s *Scanner) { s.Int() }},
	} {
		t.Run(c.rule, func(t *testing.T) {
			s := NewScanner(c.text)
			c.read(s)
			if !errors.Is(s.End(), ErrSyntax) {
				t.Fatal(s.Err())
			}
		})
	}
	s := NewScanner(`[12,"13",null]`)
	var got []int64
	for range s.Elements {
		got = append(got, s.Int())
	}
	if s.End() != nil || !reflect.DeepEqual(got, []int64{12, 13, 0}) {
		t.Fatal(got, s.Err())
	}
}

func TestAppendStringIsEncodingJSONWithoutHTML(t *testing.T) {
	check := func(s string) bool {
		var buf bytes.Buffer
		enc := json.NewEncoder(&buf)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(s)
		want := strings.TrimSuffix(buf.String(), "\n")
		got := string(AppendString(nil, s))
		if got != want || string(AppendString(nil, []byte(s))) != want {
			t.Logf("%q: got %s, want %s", s, got, want)
			return false
		}
		if Len(s) != len(want) || Len([]byte(s)) != len(want) {
			t.Logf("%q: Len is %d, want %d", s, Len(s), len(want))
			return false
		}
		return true
	}
	for _, s := range []string{"", "a", "\x00\x01\x1f\x7f", "\"\\/<>&", "\b\f\n\r\t", "ä☃😀\u2028\u2029", "\xff", "a\xc3", "\xed\xa0\x80"} {
		if !check(s) {
			t.Errorf("%q", s)
		}
	}
	if err := quick.Check(func(b []byte) bool { return check(string(b)) }, nil); err != nil {
		t.Error(err)
	}
}
