package claims

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestAnObjectHasEachMemberOnce(t *testing.T) {
	for _, c := range []struct {
		rule, text string
		ok         bool
	}{
		{"an object", `{"a":1,"b":{"a":2,"c":[{"a":1},{"a":2}]}}`, true},
		{"an empty object", ` {} `, true},
		{"siblings may have the same members", `{"a":{"x":1},"b":{"x":1}}`, true},
		{"a member twice", `{"a":1,"a":1}`, false},
		{"a member twice, once escaped", `{"a":1,"\u0061":1}`, false},
		{"a member twice by case", `{"sub":"u","Sub":"v"}`, false},
		{"a member twice by the Kelvin sign", `{"k":1,"\u212a":2}`, false},
		{"a member twice by the long s", `{"sub":1,"ſub":2}`, false},
		{"a member twice, deep", `{"a":[{"b":{"c":1,"C":2}}]}`, false},
		{"after an object that has closed", `{"a":{"b":1},"A":2}`, false},
		{"null", `null`, false},
		{"a list", `[]`, false},
		{"a text", `"a"`, false},
		{"nothing", ``, false},
		{"two values", `{}{}`, false},
		{"a byte order mark", "\ufeff{}", false},
		{"bytes that are not UTF-8", "{\"a\":\"\xff\"}", false},
		{"64 levels", strings.Repeat(`{"a":`, 63) + `{}` + strings.Repeat(`}`, 63), true},
		{"65 levels", strings.Repeat(`{"a":`, 64) + `{}` + strings.Repeat(`}`, 64), false},
	} {
		if got, err := Object([]byte(c.text)); (err == nil) != c.ok || c.ok && got == nil {
			t.Errorf("%s: got %v, %v", c.rule, got, err)
		}
	}
}

func TestRegisteredClaimsHaveOneSpelling(t *testing.T) {
	for text, ok := range map[string]bool{
		`{"sub":"u"}`: true, `{"Name":"u"}`: true, `{"SUB":"u"}`: false, `{"Exp":1}`: false, `{"ſub":"u"}`: false, `{"a":{"SUB":1}}`: true, `{`: false,
	} {
		if _, err := Set([]byte(text)); (err == nil) != ok {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

func TestAnErrorQuotesAndCutsTheClientsText(t *testing.T) {
	name := "\x1b\n" + strings.Repeat("a", 1000)
	quoted, _ := json.Marshal(name)
	_, err := Object([]byte(`{` + string(quoted) + `:1,` + string(quoted) + `:1}`))
	if err == nil || len(err.Error()) > 200 || strings.ContainsAny(err.Error(), "\x1b\n") {
		t.Errorf("got %q", err)
	}
}

// What Object accepts, a struct reads as the map does.
func FuzzObject(f *testing.F) {
	f.Add([]byte(`{"sub":"u","Sub":"v"}`))
	f.Add([]byte(`{"\u0073ub":"u"}`))
	f.Add([]byte(`{"ſub":"u"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := Set(data)
		if err != nil {
			return
		}
		var typed struct{ Sub any }
		if err := json.Unmarshal(data, &typed); err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		if _, has := set["sub"]; has != (typed.Sub != nil) && set["sub"] != nil {
			t.Fatalf("%q: the map has sub: %v, the struct has %v", data, has, typed.Sub)
		}
	})
}
