package params

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
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
