package validate

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// A body of 200 kB is judged in some milliseconds. Exact arithmetic with each of its
// numbers took from 3 to 17 seconds.
func TestNumbersCostLittleToJudge(t *testing.T) {
	var hundred []string
	for i := range 100 {
		hundred = append(hundred, fmt.Sprint(i+2))
	}
	enum := `{"enum":[` + strings.Join(hundred, ",") + `]}`
	for _, c := range []struct{ items, number string }{
		{enum, "101.0"},
		{enum, "1.01e2"},
		{`{"not":` + enum + `}`, "1e308"},
		{`{"not":` + enum + `}`, "1e-306"},
		{`{"minimum":0}`, "1e-306"},
		{`{"not":{"multipleOf":1}}`, "1e-306"},
		{`{"not":{"type":"integer"}}`, "1e-306"},
		{`{"not":{"format":"int64"}}`, "1e308"},
	} {
		s, body := compile(t, `{"items":`+c.items+`}`), value(t, "["+strings.Repeat(c.number+",", 200_000/(len(c.number)+1))+c.number+"]")
		start := time.Now()
		f, err := s.Validate(body)
		if len(f) > 0 || err != nil {
			t.Errorf("%s, %s: got %v, %v, want valid", c.items, c.number, f, err)
		}
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("%s, %s: took %v", c.items, c.number, d)
		}
	}
}

// jsonschema compares each number with each of an enum.
func TestComparisonsOfAnotherJudgeAreBounded(t *testing.T) {
	t.Parallel()
	s := compile(t, `{"unevaluatedItems":false,"items":{"enum":[1,2,3]}}`)
	list := func(n int) any { return value(t, "["+strings.Repeat("3,", n-1)+"3]") }
	if f, err := s.Validate(list(1000)); len(f) > 0 || err != nil {
		t.Errorf("got %v, %v, want valid", f, err)
	}
	if _, err := s.Validate(list(maxCompared/3 + 1)); !isBound(err) {
		t.Errorf("got %v, want a BoundError", err)
	}
}

func TestUniqueNumbersAreFoundWithoutArithmetic(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		list   string
		unique bool
	}{
		{"[100,1e2]", false}, {"[100,100.0]", false}, {"[0,-0]", false}, {"[0,0.0e5]", false}, {"[1e308,10e307]", false},
		{"[1,10]", true}, {"[1,-1]", true}, {"[0.1,0.10]", false}, {"[0.1,1e-1]", false}, {"[9007199254740992,9007199254740993]", true},
		{`[1,"1"]`, true}, {`[null,"null"]`, true}, {`[true,"true"]`, true}, {`[[1],[1.0]]`, false}, {`[{"a":1},{"a":1e0}]`, false},
	} {
		f, err := compile(t, `{"uniqueItems":true}`).Validate(value(t, c.list))
		if (len(f) == 0) != c.unique || err != nil {
			t.Errorf("%s: got %v, %v; want unique: %v", c.list, f, err, c.unique)
		}
	}
}

func TestFewNumbersMayBeNextToZero(t *testing.T) {
	t.Parallel()
	s := compile(t, `{"items":{"type":"number","exclusiveMinimum":0}}`)
	list := func(n int) string { return "[" + strings.Repeat("1e-310,", n-1) + "1e-310]" }
	if f, err := s.Validate(value(t, list(maxSubnormal))); len(f) > 0 || err != nil {
		t.Errorf("got %v, %v, want valid", f, err)
	}
	if _, err := s.Validate(value(t, list(maxSubnormal+1))); !isBound(err) {
		t.Errorf("got %v, want a BoundError", err)
	}
	for text, ok := range map[string]bool{"1e-306": true, "1e-310": false, "+5e-324": false, "1e-400": true, "0": true, ".0": true} {
		_, f, err := s.Coerce([]any{text})
		if number := len(f) == 0 || f[0].Keyword == "exclusiveMinimum"; number != ok || err != nil {
			t.Errorf("text %s: got %v, %v; want a number: %v", text, f, err, ok)
		}
	}
	for _, number := range []string{"1e309", "-1e309", "1e99999999999999999999"} {
		if _, err := s.Validate(value(t, "["+number+"]")); !isBound(err) {
			t.Errorf("%s: got %v, want a BoundError", number, err)
		}
	}
}

func isBound(err error) bool {
	_, ok := errors.AsType[*BoundError](err)
	return ok
}
