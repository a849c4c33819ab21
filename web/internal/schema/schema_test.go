package schema

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// The formats, held beside a validator of JSON Schema. apart says why ours differs.
func TestFormats(t *testing.T) {
	for _, c := range []struct {
		format, text string
		ok           bool
		apart        string
	}{
		{"date", "2026-01-31", true, ""},
		{"date", "2026-02-30", false, ""},
		{"date", "2026-1-31", false, ""},
		{"date", "31.01.2026", false, ""},
		{"date-time", "2026-01-31T15:04:05Z", true, ""},
		{"date-time", "2026-01-31T15:04:05.123+01:00", true, ""},
		{"date-time", "2026-01-31 15:04:05Z", false, ""},
		{"date-time", "2026-01-31", false, ""},
		{"email", "a@example.com", true, ""},
		{"email", "a.b+c@sub.example.com", true, ""},
		{"email", "example.com", false, ""},
		{"email", "@example.com", false, "the validator is lax"},
		{"email", "a@", false, ""},
		{"email", "a@-example.com", false, ""},
		{"email", "a@example-.com", false, ""},
		{"email", "a@exa mple.com", false, ""},
		{"email", "a b@example.com", false, ""},
		{"email", "a@b@c", false, ""},
		{"email", "a@" + strings.Repeat("b", 64) + ".com", false, ""},
		{"email", strings.Repeat("a", 250) + "@b.de", false, ""},
		{"email", `"a b"@example.com`, false, "no browser sends it"},
		{"email", "a@[192.0.2.1]", false, "no browser sends it"},
		{"ipv4", "192.0.2.1", true, ""},
		{"ipv4", "192.0.2.256", false, ""},
		{"ipv4", "::1", false, ""},
		{"ipv6", "2001:db8::1", true, ""},
		{"ipv6", "fe80::1%eth0", false, ""},
		{"ipv6", "192.0.2.1", false, ""},
		{"uri", "https://example.com/a?b=c#d", true, ""},
		{"uri", "mailto:a@example.com", true, ""},
		{"uri", "/relative", false, ""},
		{"uri", "https://exa mple.com/", false, ""},
		{"uri", "https://example.com/a b", false, "the validator is lax: RFC 3986 has no space"},
		{"uri", "://", false, ""},
		{"uuid", "0192f0c4-0000-7000-8000-00000000abcd", true, ""},
		{"uuid", "0192F0C4-0000-7000-8000-00000000ABCD", true, ""},
		{"uuid", "0192f0c400007000800000000000abcd", false, ""},
		{"uuid", "0192f0c4-0000-7000-8000-00000000abcg", false, ""},
		{"uuid", "0192f0c4-00007-000-8000-00000000abcd", false, ""},
	} {
		if got := formats(c.format)(c.text); got != c.ok {
			t.Errorf("%s %q: %v", c.format, c.text, got)
		}
		compiler := jsonschema.NewCompiler()
		compiler.AssertFormat()
		if err := compiler.AddResource("mem:///s", map[string]any{"format": c.format}); err != nil {
			t.Fatal(err)
		}
		s, err := compiler.Compile("mem:///s")
		if err != nil {
			t.Fatal(err)
		}
		if valid := s.Validate(c.text) == nil; valid != c.ok && c.apart == "" {
			t.Errorf("%s %q: the validator says %v", c.format, c.text, valid)
		}
	}
	for _, f := range []string{"date", "date-time", "email", "ipv4", "ipv6", "uri", "uuid"} {
		if rules := (&Rules{Format: f, MaxLength: -1}); !strings.HasPrefix(rules.Text("?"), "must be a") {
			t.Errorf("%s: %q", f, rules.Text("?"))
		}
	}
}

type (
	// A and B both have Same, at one depth.
	A struct {
		Same  string
		Apart string `json:"apart"`
		Deep
	}
	B struct {
		Same  string
		Other string `json:"other"`
	}
	C struct {
		Same string `json:"Same"` // tagged: it wins over those that are not
	}
	// Deep has what is hidden, and what is not.
	Deep struct {
		Hidden string `json:"top"`
		Below  int
	}
	Named  struct{ X int }
	hidden struct{ Y int }
	loop   struct {
		Z int
		//lint:ignore U1000 it is embedded
		*loop //nolint:unused // it is embedded
	}
	amount int
)

// Members must be what encoding/json writes.
func TestMembersAreThoseOfEncodingJSON(t *testing.T) {
	for _, v := range []any{
		struct {
			A
			B
		}{},
		struct {
			A
			B
			C
		}{},
		struct {
			A
			Top string `json:"top"`
		}{},
		struct {
			*Named
			hidden
			private int //nolint:unused // that is the test
			Skip    int `json:"-"`
			//lint:ignore SA5008 the name is "-": that is the test
			Dash   int   `json:"-,"` //nolint:staticcheck // the name is "-": that is the test
			Named2 Named `json:"named"`
		}{Named: &Named{}},
		struct {
			Named `json:"inner"`
			amount
		}{},
		struct {
			A int `json:",string"`
			B int `json:"b"`
		}{},
	} {
		fields, err := Members(reflect.TypeOf(v))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range fields {
			got = append(got, f.Name)
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var object map[string]any
		if err := json.Unmarshal(b, &object); err != nil {
			t.Fatal(err)
		}
		want := slices.Sorted(maps.Keys(object))
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%T: got %q, encoding/json %q", v, got, want)
		}
	}
	if fields, err := Members(reflect.TypeFor[loop]()); err != nil || len(fields) != 1 {
		t.Errorf("a type that embeds itself: %v %v", fields, err)
	}
	if _, err := Members(reflect.TypeFor[struct{ *hidden }]()); err == nil {
		t.Error("an unexported pointer can be set")
	}
	if _, err := Members(reflect.TypeFor[struct {
		A Deep `minimum:"1"`
	}]()); err == nil {
		t.Error("a struct has a minimum")
	}
}

func TestRulesOfNumbersAndItems(t *testing.T) {
	type in struct {
		N []float64 `json:"n" minimum:"1" maximum:"9" exclusiveMinimum:"2" exclusiveMaximum:"8" enum:"3,4.0,5" minItems:"1" maxItems:"2"`
	}
	fields, err := Members(reflect.TypeFor[in]())
	if err != nil {
		t.Fatal(err)
	}
	r := fields[0].Rules
	for _, c := range []struct {
		f    float64
		want string
	}{{0.5, "must be at least 1"}, {9.5, "must be at most 9"}, {2, "must be more than 2"}, {8, "must be less than 8"}, {6, "must be one of 3, 4.0, 5"}, {4, ""}} {
		if got := r.Number(c.f); got != c.want {
			t.Errorf("%v: %q", c.f, got)
		}
	}
	for n, want := range []string{"must have at least 1 item", "", "", "must have at most 2 items"} {
		if got := r.Items(n); got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
}
