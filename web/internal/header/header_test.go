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
