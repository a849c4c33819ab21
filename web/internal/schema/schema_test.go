package schema

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gomiddy/middy/web/internal/format"
)

func TestEveryFormatHasItsWords(t *testing.T) {
	t.Parallel()
	said := map[string]string{}
	for _, name := range format.Names() {
		words := (&Rules{Format: name, MaxLength: -1}).Text("{")
		if before, twice := said[words]; twice || !strings.HasPrefix(words, "must be a") {
			t.Errorf("%s: got %q, as for %s", name, words, before)
		}
		said[words] = name
	}
	_, err := Members(reflect.TypeFor[struct {
		S string `format:"ipv5"`
	}]())
	if err == nil || !strings.Contains(err.Error(), "date, date-time, duration, email") {
		t.Errorf("an unknown format: got %v, want the known ones", err)
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
