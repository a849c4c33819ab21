package header

import (
	"net/http"
	"slices"
	"testing"
)

func TestElements(t *testing.T) {
	for _, c := range []struct {
		rule  string
		lines []string
		want  []string
	}{
		{"one line", []string{"a, b ,\tc"}, []string{"a", "b", "c"}},
		{"several lines are one list", []string{"a", "b,c"}, []string{"a", "b", "c"}},
		{"empty elements are none", []string{",a,, ,b,"}, []string{"a", "b"}},
		{"a quoted comma does not separate", []string{`a="1,2", b`}, []string{`a="1,2"`, "b"}},
		{"an escaped quote does not end the quotes", []string{`"\",", b`}, []string{`"\","`, "b"}},
		{"quotes that never end", []string{`a, "b, c`}, []string{"a", `"b, c`}},
		{"no line", nil, nil},
	} {
		t.Run(c.rule, func(t *testing.T) {
			if got := slices.Collect(Elements(http.Header{"X": c.lines}, "x")); !slices.Equal(got, c.want) {
				t.Errorf("got %q", got)
			}
		})
	}
	for range Elements(http.Header{"X": {"a,b"}}, "x") {
		break // a loop may end early
	}
}

func TestVary(t *testing.T) {
	for _, c := range []struct {
		rule  string
		have  []string
		names []string
		want  []string
	}{
		{"nothing yet", nil, []string{"Origin"}, []string{"Origin"}},
		{"another one", []string{"Accept"}, []string{"Origin"}, []string{"Accept, Origin"}},
		{"once, in whatever case", []string{"origin"}, []string{"Origin"}, []string{"origin"}},
		{"several lines become one when it grows", []string{"A", "B"}, []string{"b", "C"}, []string{"A, B, C"}},
		{"a star says everything", []string{"*"}, []string{"Origin"}, []string{"*"}},
		{"an empty name is none", nil, []string{""}, nil},
	} {
		t.Run(c.rule, func(t *testing.T) {
			h := http.Header{}
			if c.have != nil {
				h["Vary"] = c.have
			}
			Vary(h, c.names...)
			if !slices.Equal(h["Vary"], c.want) {
				t.Errorf("got %q", h["Vary"])
			}
		})
	}
}

func FuzzSplit(f *testing.F) {
	for _, s := range []string{"", ",", `"`, `\`, `a,"b\"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		total := 0
		for element := range Split(line) {
			if element == "" {
				t.Fatal("an empty element")
			}
			total += len(element)
		}
		if total > len(line) {
			t.Fatal("more than there is")
		}
	})
}

func TestWhatABodySaysOfItself(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule, contentType, media string
		utf8, json               bool
	}{
		{"JSON", "application/json", "application/json", true, true},
		{"in capitals", "Application/JSON", "application/json", true, true},
		{"with a suffix", "application/problem+json", "application/problem+json", true, true},
		{"a suffix without a name", "application/+json", "application/+json", true, false},
		{"of another tree", "image/x+json", "image/x+json", true, true},
		{"text", "text/json", "text/json", true, false},
		{"space around the semicolon", "application/json \t; charset=UTF-8 ", "application/json", true, true},
		{"a quoted charset", `application/json;charset="utf-8"`, "application/json", true, true},
		{"another charset", "application/json; charset=iso-8859-1", "application/json", false, true},
		{"an empty parameter is none", "application/json;; charset=utf-16;", "application/json", false, true},
		{"a malformed parameter says nothing", "application/json; a b", "application/json", true, true},
		{"a malformed charset is not UTF-8", "application/json; charset", "application/json", false, true},
		{"two charsets", "application/json; charset=utf-8; charset=utf-16", "", false, false},
		{"a list", "application/json, text/plain", "", false, false},
		{"nothing", "", "", false, false},
	} {
		t.Run(c.rule, func(t *testing.T) {
			media, utf8 := Media(c.contentType)
			if media != c.media || utf8 != c.utf8 || IsJSON(media) != c.json {
				t.Errorf("%q: got %q, UTF-8 %v, JSON %v; want %q, %v, %v", c.contentType, media, utf8, IsJSON(media), c.media, c.utf8, c.json)
			}
		})
	}
	for _, c := range []struct {
		rule  string
		lines []string
		want  string
	}{
		{"one line", []string{"text/plain"}, "text/plain"},
		{"two that agree", []string{"text/plain", "text/plain"}, "text/plain"},
		{"two that do not", []string{"application/json", "text/plain"}, "application/json, text/plain"},
		{"none", nil, ""},
	} {
		t.Run("Content-Type, "+c.rule, func(t *testing.T) {
			if got := ContentType(http.Header{"Content-Type": c.lines}); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
		t.Run("Content-Encoding, "+c.rule, func(t *testing.T) {
			lines := append([]string{"Identity, , "}, c.lines...)
			want := ""
			if len(c.lines) > 0 {
				want = c.lines[0]
			}
			if got := Coding(http.Header{"Content-Encoding": lines}); got != want {
				t.Errorf("%q: got %q, want %q", lines, got, want)
			}
		})
	}
}

func TestReplacedTakesAwayWhatTheBytesOfABodyGave(t *testing.T) {
	t.Parallel()
	h := http.Header{"Content-Type": {"text/plain"}, "Etag": {`"a"`}, "Unencoded-Digest": {"sha-256=:x:"}}
	for _, name := range []string{"Content-Digest", "Repr-Digest", "Digest", "Content-MD5", "Accept-Ranges"} {
		h.Set(name, "x")
	}
	Replaced(h)
	if len(h) != 3 {
		t.Errorf("left: %v; want the type, the tag and the digest that no coding changes", h)
	}
}
