package validate

import (
	"fmt"
	"testing"
)

// The order of findings, and which of them there are, is Ajv's.
func TestFindingsAreThoseOfAjv(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ rule, schema, value, want string }{
		{"a type that no keyword needs is told first", `{"type":"string","enum":["a"]}`, `5`, "type enum"},
		{"one that a keyword needs is told last", `{"type":"string","minLength":1,"enum":["a"]}`, `5`, "enum type"},
		{"of several types first", `{"type":["string","null"],"minLength":1,"enum":["a"]}`, `5`, "type enum"},
		{"no item is false for each", `{"items":false}`, `[1]`, "false schema"},
		{"no more items is one finding", `{"prefixItems":[{}],"items":false}`, `[1,2,3]`, "items"},
		{"other items are judged one by one", `{"prefixItems":[{}],"items":{"type":"string"}}`, `[1,2,3]`, "type type"},
		{"true items are fine", `{"prefixItems":[{}],"items":true}`, `[1,2,3]`, ""},
		{"then without if says nothing", `{"then":false,"else":false}`, `1`, ""},
		{"a bound of strings says nothing of numbers", `{"minLength":3}`, `1`, ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			findings, err := compile(t, c.schema).Validate(value(t, c.value))
			got := ""
			for i, f := range findings {
				if i > 0 {
					got += " "
				}
				got += f.Keyword
			}
			if got != c.want || err != nil {
				t.Errorf("%s, %s: got %q, %v; want %q", c.schema, c.value, got, err, c.want)
			}
		})
	}
}

func TestCoercionChooses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ rule, schema, value, want string }{
		{"an object among other types does not forbid it", `{"type":["object","string"]}`, `5`, "5 string"},
		{"an object alone is coerced from nothing", `{"type":"object"}`, `5`, "invalid"},
		{"the first of an anyOf", `{"anyOf":[{"type":"integer"},{"type":"string"}]}`, `"5"`, "5 json.Number"},
		{"also where jsonschema judges after it", `{"anyOf":[{"type":"integer"},{"type":"string"}],"unevaluatedProperties":true}`, `"5"`, "5 json.Number"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			v, findings, err := compile(t, c.schema).Coerce(value(t, c.value))
			got := fmt.Sprintf("%v %T", v, v)
			if len(findings) > 0 {
				got = "invalid"
			}
			if got != c.want || err != nil {
				t.Errorf("%s, %s: got %s, %v; want %s", c.schema, c.value, got, err, c.want)
			}
		})
	}
}

// What nobody will be told is not looked for.
func TestAFullListEndsTheWork(t *testing.T) {
	t.Parallel()
	properties, object := "", map[string]any{}
	for i := range 1000 {
		properties += fmt.Sprintf(`,"p%d":{"type":"string"}`, i)
		object[fmt.Sprint("p", i)] = 1
	}
	s, err := Compile([]byte(`{"properties":{`+properties[1:]+`}}`), Options{MaxFindings: 3})
	if err != nil {
		t.Fatal(err)
	}
	e := s.evaluation(false)
	if _, findings, err := s.judge(e, object, ""); len(findings) != 3 || err != nil || e.steps > 10 {
		t.Errorf("got %d findings in %d steps, %v; want 3 in a few", len(findings), e.steps, err)
	}
}
