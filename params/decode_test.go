package params

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// refusing has its own idea of JSON, and a loose tongue.
type refusing struct{}

func (*refusing) UnmarshalJSON(b []byte) error { return errors.New("do not like " + string(b)) }

func TestWhyAValueIsNotJSON(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", `params: fake "a" (version 1) is not a struct { N int }: it is empty, not JSON`},
		{"{", `params: fake "a" (version 1) is not a struct { N int }: it is not valid JSON (at byte 1 of 1)`},
		{`{"N":"canary"}`, `params: fake "a" (version 1) is not a struct { N int }: a JSON string stands in the field "N" where the Go type has int (at byte 13)`},
		{`[]`, `params: fake "a" (version 1) is not a struct { N int }: a JSON array stands where the Go type has struct { N int } (at byte 1)`},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, f := New(plain()), newFake("a", tt.text)
			_, err := read(t, s, JSON[struct{ N int }](s, f.ref("a")))
			if err == nil || err.Error() != tt.want {
				t.Errorf("%v\nwant %s", err, tt.want)
			}
			_, err = read(t, s, JSON[refusing](s, f.ref("a")))
			if tt.text == "[]" && !strings.HasSuffix(err.Error(), "a decoding method of the Go type refused it (*errors.errorString)") {
				t.Error(err)
			}
		})
	}
}

type strict struct {
	User string `json:"user"`
	Min  int    `json:"min"`
}

func (s *strict) Validate() error {
	if s.User == "" || s.Min > 9 {
		return fmt.Errorf("user %q min %d", s.User, s.Min)
	}
	return nil
}

type byValue string

func (v byValue) Validate() error {
	if v == "" {
		return errors.New("empty")
	}
	return nil
}

type (
	base struct {
		ID string `required:"true"`
	}
	Base struct {
		Region string `json:"region" required:"true"`
	}
	tree struct {
		Name string `required:"true"`
		Kids []*tree
	}
	account struct {
		base
		*Base
		User     string `json:"user,omitempty" required:"true"`
		Password Secret `required:"true"`
		Port     *int   `required:"true"`
		Note     string `required:"false"`
		Free     string
		Skipped  string `json:"-" required:"true"`
		//lint:ignore U1000 JSON does not see it, and so it is not required
		hidden string `required:"true"`
		//lint:ignore SA5008 a name that is a dash
		Dash   string `json:"-," required:"true"` //nolint:staticcheck // see above
		Opaque opaque
		When   time.Time
	}
	opaque struct {
		Inner string `required:"true"`
	}
)

func (*opaque) UnmarshalJSON([]byte) error { return nil }

// inText is what encoding.TextUnmarshaler alone decodes.
type inText struct {
	Inner string `required:"true"`
}

func (*inText) UnmarshalText([]byte) error { return nil }

func decodesTo[T any](t *testing.T, text string) string {
	t.Helper()
	v, reason := decodeJSON[T](content{bytes: []byte(text)})
	if reason != "" && !reflect.ValueOf(v).IsZero() {
		t.Errorf("%s: %q, and yet %v", text, reason, v)
	}
	return reason
}

func TestRequiredFieldsAreThere(t *testing.T) {
	const whole = `"ID":"i","region":"r","user":"u","Password":"p","Port":1,"-":"d"`
	is := func(path string) string { return fmt.Sprintf("the field %q is required and is not there", path) }
	for text, want := range map[string]string{
		`{` + whole + `}`:              "",
		"\xEF\xBB\xBF {" + whole + `}`: "",
		`{"USER":"u","id":"i","Region":"r","PASSWORD":"","port":0,"-":""}`: "",
		`{` + whole + `,"Opaque":{},"When":"2026-01-02T03:04:05Z"}`:        "",
		strings.Replace(`{`+whole+`}`, `"user"`, `"usr"`, 1):               is("user"),
		strings.Replace(`{`+whole+`}`, `"Password"`, `"passwrd"`, 1):       is("Password"),
		strings.Replace(`{`+whole+`}`, `"Port":1`, `"Port":null`, 1):       is("Port"),
		strings.Replace(`{`+whole+`}`, `"ID"`, `"x"`, 1):                   is("ID"),
		strings.Replace(`{`+whole+`}`, `"region"`, `"x"`, 1):               is("region"),
		strings.Replace(`{`+whole+`}`, `"-"`, `"x"`, 1):                    is("-"),
		`{` + whole + `,"user":null}`:                                      is("user"),
		`null`:                                                             "",
	} {
		if got := decodesTo[account](t, text); got != want {
			t.Errorf("%s: %q; want %q", text, got, want)
		}
	}
	if got := decodesTo[tree](t, `{"Name":"a","Kids":[{"Name":"b"},null,{"Kids":[]}]}`); got != is("Kids.2.Name") {
		t.Errorf("in a list: %q; want it named by its index", got)
	}
	if got := decodesTo[map[string]*tree](t, `{"canary":{"Name":"a","Kids":[{}]}}`); got != is("*.Kids.0.Name") {
		t.Errorf("in a map: %q; want it named without the key, which is content", got)
	}
	if got := decodesTo[*tree](t, `{"Name":1}`); !strings.HasPrefix(got, "a JSON number") {
		t.Errorf("a wrong type: %q; want encoding/json's word first", got)
	}
	if got := decodesTo[[2]*tree](t, `[{"Name":"a"},{}]`); got != is("1.Name") {
		t.Errorf("in an array: %q; want it named by its index", got)
	}
	if got := decodesTo[struct{ T inText }](t, `{"T":"x"}`); got != "" {
		t.Errorf("a type that decodes text: %q; want it not looked into", got)
	}
	if got := decodesTo[[]byte](t, `"AAE="`) + decodesTo[any](t, `{"a":[{}]}`) + decodesTo[any](t, `[{}]`) + decodesTo[[2]tree](t, `[{"Name":"a"}]`); got != "" {
		t.Errorf("types without required fields: %q; want none", got)
	}
}

func TestAValidateMethodIsAsked(t *testing.T) {
	const refused = "its Validate method refused it (*"
	for text, ok := range map[string]bool{`{"user":"canary","min":1}`: true, `{"usr":"canary"}`: false, `{"user":"canary","min":10}`: false} {
		for _, got := range []string{decodesTo[strict](t, text), decodesTo[*strict](t, text)} {
			if (got == "") != ok || !ok && !strings.HasPrefix(got, refused) || strings.Contains(got, "canary") {
				t.Errorf("%s: %q; want refused: %v, without content", text, got, !ok)
			}
		}
	}
	if got := decodesTo[byValue](t, `"x"`) + "|" + decodesTo[byValue](t, `""`); !strings.HasPrefix(got, "|"+refused) {
		t.Errorf("a Validate method of the value: %q; want only the empty one refused", got)
	}
}

func TestAVersionWithoutARequiredFieldLeavesTheOneBeforeInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := New(plain()), newFake("a", `{"Name":"good"}`)
		v := JSON[tree](s, f.ref("a").Required())
		if err := s.Init(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, err := read(t, s, v); err != nil || got.Name != "good" {
			t.Fatalf("%v, %v", got, err)
		}
		f.put("a", `{"Title":"bad"}`)
		wait(6 * time.Minute)
		if got, err := read(t, s, v); err != nil || got.Name != "good" {
			t.Errorf("%v, %v; want the version before", got, err)
		}
		if _, err := JSON[tree](s, f.ref("a")).Lookup(t.Context()); !errors.Is(err, ErrDecode) {
			t.Errorf("without a version before: %v; want ErrDecode", err)
		}
	})
}

func FuzzMissing(f *testing.F) {
	for _, text := range []string{`{}`, `[]`, `null`, `{"Name":"a","Kids":[{"Name":"b"},null]}`, ` {"a" : [ 1 , {"b":null} ] } `, `{"\u004eame":"x"}`, `"x"`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, reason := range []func(content) string{
			func(c content) string { _, r := decodeJSON[tree](c); return r },
			func(c content) string { _, r := decodeJSON[map[string][]tree](c); return r },
			func(c content) string { _, r := decodeJSON[account](c); return r },
		} {
			_ = reason(content{bytes: text}) // it does not panic
		}
		var v tree
		if _, r := decodeJSON[tree](content{bytes: text}); r == "" && json.Unmarshal(trimBOM(text), &v) == nil && v.Name == "" &&
			!bytes.Contains(bytes.ToLower(text), []byte("name")) && !bytes.Contains(text, []byte(`\`)) && string(bytes.TrimSpace(trimBOM(text))) != "null" {
			t.Errorf("%q decodes without its required name", text)
		}
	})
}

func TestFieldPathEscapes(t *testing.T) {
	for path, want := range map[string][]string{
		`a\.`: {"a."}, `\.a`: {".a"}, `a\\`: {`a\`}, `a\.b.c`: {"a.b", "c"}, `a\\.b`: {`a\`, "b"}, `a\`: {`a\`}, `a\b`: {`a\b`}, `\`: {`\`},
	} {
		if got, err := splitPath(path); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v; want %q", path, got, err, want)
		}
	}
}

func TestOnlyAWholeByteOrderMarkIsDropped(t *testing.T) {
	for text, want := range map[string]string{
		"\xEF\xBB\xBF": "", "\xEF\xBB\xBF{}": "{}", "\xEF\xBB": "\xEF\xBB", "\xEF\xBBx": "\xEF\xBBx", "\xEFx\xBF": "\xEFx\xBF",
		"x\xBB\xBF": "x\xBB\xBF", "": "", "{}": "{}", "abc": "abc", "\xEF\xBB\xBF\xEF\xBB\xBF": "\xEF\xBB\xBF",
	} {
		if got := string(trimBOM([]byte(text))); got != want {
			t.Errorf("%q gives %q; want %q", text, got, want)
		}
	}
}

func TestElementsCountFromZero(t *testing.T) {
	for index, want := range map[string]string{"0": "1", "1": "2", "2": "3", "3": "", "-1": "", "x": ""} {
		got, reason := extract([]byte("[ 1,\n2\t,\r3 ]"), []string{index})
		if string(got) != want || (reason == "") != (want != "") {
			t.Errorf("[%s]: %q, %q; want %q", index, got, reason, want)
		}
	}
}

func TestSkippingEndsWithTheDocument(t *testing.T) {
	if got := skipSpace([]byte(" \n\t\r"), 0); got != 4 {
		t.Error("white space:", got)
	}
	for c := range 256 {
		want := 0
		if strings.ContainsRune(" \n\t\r", rune(c)) {
			want = 1
		}
		if got := skipSpace([]byte{byte(c), 'x'}, 0); got != want {
			t.Errorf("%q is white space: %d", rune(c), got)
		}
	}
	for doc, want := range map[string]int{" ": 1, "12": 2, "12,": 2, "true": 4, `"a"`: 3, "[1]": 3, " 1 ": 2} {
		if got := skipValue([]byte(doc), 0); got != want {
			t.Errorf("%q: %d; want %d", doc, got, want)
		}
	}
}
