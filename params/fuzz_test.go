package params

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
)

// walk is what extract does, by way of encoding/json.
func walk(doc []byte, path []string) (any, bool) {
	var v any
	dec := json.NewDecoder(strings.NewReader(string(trimBOM(doc))))
	dec.UseNumber()
	if dec.Decode(&v) != nil {
		return nil, false
	}
	for _, name := range path {
		switch x := v.(type) {
		case map[string]any:
			inner, ok := x[name]
			if !ok {
				return nil, false
			}
			v = inner
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(x) {
				return nil, false
			}
			v = x[i]
		default:
			return nil, false
		}
	}
	return v, true
}

func FuzzField(f *testing.F) {
	for _, seed := range [][2]string{
		{`{"a":{"b":1}}`, "a.b"}, {`{"a":[1,{"c":"x"}]}`, "a.1.c"}, {`{"a.b":1}`, `a\.b`}, {`{"a":1,"a":2}`, "a"}, {` [ 1 , 2 ] `, "1"},
		{`{"\u0061":true}`, "a"}, {`{}`, "a"}, {`[]`, "0"}, {`"a"`, "a"}, {`{"a":"\"}"}`, "a"}, {"\ufeff{\"a\":null}", "a"}, {`{"a":{}}`, "a.b.c"},
		{`[1]`, "-1"}, {`{"a":1.5e3}`, "a"}, {`{"a\\":1}`, `a\\`}, {`{"":1}`, ""}, {`{"a":1`, "a"}, {`{"\ud800":1}`, "a"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, doc, fieldPath string) {
		path, err := splitPath(fieldPath)
		if err != nil || !json.Valid(trimBOM([]byte(doc))) {
			if got, reason := extract([]byte(doc), path); err == nil && reason == "" {
				t.Fatalf("%q has a field: %q", doc, got)
			}
			return
		}
		want, ok := walk([]byte(doc), path)
		got, reason := extract([]byte(doc), path)
		if ok != (reason == "") {
			t.Fatalf("%q at %q: %q, %s; encoding/json finds it: %v", doc, path, got, reason, ok)
		}
		if !ok {
			return
		}
		var v any
		dec := json.NewDecoder(strings.NewReader(string(got)))
		dec.UseNumber()
		if err := dec.Decode(&v); err != nil {
			t.Fatalf("%q at %q: %q is not JSON: %v", doc, path, got, err)
		}
		a, _ := json.Marshal(v)
		b, _ := json.Marshal(want)
		if string(a) != string(b) {
			t.Fatalf("%q at %q: %s is not %s", doc, path, a, b)
		}
	})
}

func FuzzDecoders(f *testing.F) {
	for _, s := range []string{"1", " 7\n", "true", "30s", `"x"`, `{"A":1}`, "", "\ufeff{}", "null", "-9223372036854775809", "1e3", "[]"} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, b []byte, fragment bool) {
		if fragment && (!json.Valid(b) || strings.TrimSpace(string(b)) != string(b)) {
			return // extract cuts out nothing else
		}
		c := content{bytes: b, fragment: fragment}
		if n, reason := decodeText(parseInt)(c); reason == "" {
			text, _ := c.text()
			if strconv.Itoa(n) != strings.TrimLeft(strings.TrimPrefix(strings.TrimSpace(string(text)), "+"), "0") && n != 0 && !strings.HasPrefix(strings.TrimSpace(string(text)), "-0") {
				t.Fatalf("%q is %d", b, n)
			}
		}
		_, _ = decodeText(parseBool)(c)
		_, _ = decodeText(parseDuration)(c)
		_, _ = decodeBytes(c)
		type doc struct {
			A int
			S Secret
		}
		if _, reason := decodeJSON[doc](c); (reason == "") != (json.Unmarshal(trimBOM(b), new(doc)) == nil) {
			t.Fatalf("%q: %s", b, reason)
		}
		whole := Secret{b: newBlob(b)}
		if secret, reason := decodeSecret(content{b, fragment, whole}); reason == "" {
			if text, _ := c.text(); secret.Reveal() != string(text) {
				t.Fatalf("%q is %q", b, secret.Reveal())
			}
		}
	})
}

func TestSplitPath(t *testing.T) {
	for path, want := range map[string]string{"": "", "a": "a", "a.b": "a|b", `a\.b.c`: "a.b|c", `a\\.b`: `a\|b`, `a\x`: `a\x`, `a\`: `a\`} {
		got, err := splitPath(path)
		if err != nil || strings.Join(got, "|") != want {
			t.Errorf("%q: %q, %v", path, got, err)
		}
	}
	for _, path := range []string{".", "a.", ".a", "a..b"} {
		if _, err := splitPath(path); err == nil {
			t.Errorf("%q was accepted", path)
		}
	}
}

func TestFieldsThatAreNotThere(t *testing.T) {
	for doc, want := range map[string]string{
		`{"b":1}`: `it has no field "a"`, `[1]`: `it has no field "a"`, `7`: `it has no field "a": a JSON number stands where an object is needed`,
		`"x"`: "a JSON string stands", `true`: "a JSON boolean stands", `null`: "a JSON null stands", `x`: "not valid JSON",
	} {
		if _, reason := extract([]byte(doc), []string{"a"}); !strings.Contains(reason, want) {
			t.Errorf("%s: %s", doc, reason)
		}
	}
	if _, reason := (content{bytes: []byte(`[]`), fragment: true}).text(); reason != "it is a JSON array" {
		t.Error(reason)
	}
}
