package jsontext

import (
	"encoding/json"
	"fmt"
	"testing"
)

func ExampleText() {
	var answer struct{ SecretString Text }
	err := json.Unmarshal([]byte(`{"SecretString":"caf\u00e9"}`), &answer)
	fmt.Println(string(answer.SecretString), err)
	clear(answer.SecretString) // which no string can be
	// Output: café <nil>
}

func FuzzText(f *testing.F) {
	for _, s := range []string{`"a"`, `""`, `null`, `"\u00e9\n\t\b\f\r\/\\\""`, `"\ud83d\ude00"`, `"\ud83d"`, `"\ud83dx"`, `"\ud83d\u0041"`, "\"\xff\"",
		`"\uD83D\uDE00"`, `1`, `"a`, `"\x"`, `"\u12"`, `"\u12g4"`, "\"\x01\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var want *string
		var got Text
		if json.Unmarshal([]byte(s), &want) != nil {
			return // encoding/json calls UnmarshalJSON with valid JSON only
		}
		if err := json.Unmarshal([]byte(s), &got); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if want == nil != (got == nil) || want != nil && *want != string(got) {
			t.Fatalf("%q: %q is not %q", s, got, *want)
		}
	})
}

func TestTextRefusesWhatIsNotAString(t *testing.T) {
	for _, s := range []string{``, `1`, `{}`, `"`, `"a`, `a"`, `"\"`, `"\x"`, `"\u12"`, `"\u12g4"`, "\"\x01\"", `"a"b"`} {
		if b, err := Unquote([]byte(s)); err == nil {
			t.Errorf("%q: %q", s, b)
		}
	}
}
