package validate

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// dynamic is a list whose items are what the schema that refers to it says.
const dynamic = `{"$ref":"list","$defs":{"mine":{"$dynamicAnchor":"items","type":"string"},
	"list":{"$id":"list","items":{"$dynamicRef":"#items"},"$defs":{"items":{"$dynamicAnchor":"items"}}}}}`

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
		{"a second item may be the one", `{"contains":{"type":"integer"}}`, `["a",1]`, ""},
		{"too many are too many", `{"contains":{"type":"integer"},"maxContains":1}`, `[1,2]`, "contains"},
		{"additional properties have a schema", `{"additionalProperties":{"type":"string"}}`, `{"a":1,"b":"x"}`, "type"},
		{"also beside names", `{"propertyNames":{"maxLength":1},"additionalProperties":{"type":"string"}}`, `{"a":1}`, "type"},
		{"a pattern is for the names that it fits", `{"patternProperties":{"^x":{"type":"string"}}}`, `{"a":1,"x1":2,"xa":"b"}`, "type"},
		{"a $dynamicRef leads to the outermost", dynamic, `["a",42]`, "type"},
		{"and may lead to a schema that is false", strings.Replace(dynamic, `"type":"string"`, `"properties":{"a":false}`, 1), `[{"a":1}]`, "false schema"},
		{"what stands in unevaluatedItems may be referred to", `{"$ref":"#/unevaluatedItems","unevaluatedItems":false}`, `5`, "false schema"},
		{"a format of numbers says nothing of strings", `{"format":"int32"}`, `"x"`, ""},
		{"the last number of 32 bits", `{"format":"int32"}`, `-2147483648`, ""},
		{"a multiple of it", `{"format":"int32"}`, `-6442450944`, "format"},
		{"a line break is not base64", `{"format":"byte"}`, `"aGk\n="`, "format"},
		{"a schema behind a reference keeps its message", `{"properties":{"a":{"$ref":"#/$defs/x","errorMessage":{"minLength":"mine"}}},"$defs":{"x":{"minLength":3}}}`, `{"a":""}`, "minLength"},
		{"also when it is all that is wrong", `{"properties":{"a":{"$ref":"#/$defs/x","errorMessage":"mine"}},"$defs":{"x":{"minLength":3}}}`, `{"a":""}`, "minLength"},
		{"also when it misses a property", `{"properties":{"a":{"$ref":"#/$defs/x","errorMessage":{"required":{"b":"mine"}}}},"$defs":{"x":{"required":["b"]}}}`, `{"a":{}}`, "required"},
		{"the message for a missing property is not for one inside", `{"properties":{"a":{"required":["b"]}},"errorMessage":{"required":{"b":"mine"}}}`, `{"a":{}}`, "required"},
		{"a number is no text", `{"const":"x"}`, `0.0`, "const"},
		{"one is one, however it is written", `{"const":1.0}`, `1`, ""},
		{"no list is a number", `{"const":5}`, `[]`, "const"},
		{"no object is a number", `{"const":5}`, `{}`, "const"},
		{"lists are equal by their items", `{"const":[1]}`, `[2]`, "const"},
		{"an empty list is not a number", `{"const":[]}`, `5`, "const"},
		{"objects are equal by their members", `{"const":{"a":1}}`, `{"a":2}`, "const"},
		{"what is too small for a float64 is 0", `{"const":0}`, `1e-350`, ""},
		{"and that is an integer", `{"type":"integer"}`, `1e-325`, ""},
		{"a float64 has one value, however it is written", `{"const":5e-324}`, `4e-324`, ""},
		{"digits that no float64 has do not count", `{"type":"integer"}`, "1." + strings.Repeat("0", 450) + "1", ""},
		{"nothing is said of what is fine", `{"type":"string","errorMessage":"mine"}`, `"a"`, ""},
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
		{"no default in what may not match", `{"anyOf":[{"properties":{"a":{"default":1}}}]}`, `{}`, "map[] map[string]interface {}"},
		{"the items of contains until there are enough", `{"contains":{"type":"integer"}}`, `["1","2"]`, "[1 2] [json.Number string]"},
		{"the first of an anyOf", `{"anyOf":[{"type":"integer"},{"type":"string"}]}`, `"5"`, "5 json.Number"},
		{"also where jsonschema judges after it", `{"anyOf":[{"type":"integer"},{"type":"string"}],"unevaluatedProperties":true}`, `"5"`, "5 json.Number"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			v, findings, err := compile(t, c.schema).Coerce(value(t, c.value))
			got := fmt.Sprintf("%v %T", v, v)
			if list, ok := v.([]any); ok {
				got = fmt.Sprintf("%v [%T %T]", v, list[0], list[1])
			}
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

// Ajv tells of a wrong type last when the schema has a keyword of that type.
func TestEachKeywordBelongsToAType(t *testing.T) {
	t.Parallel()
	for kind, keywords := range map[string][]string{
		"string": {`"maxLength":1`, `"minLength":1`, `"pattern":"a"`, `"format":"email"`},
		"array": {
			`"maxItems":1`, `"minItems":1`, `"uniqueItems":true`, `"prefixItems":[{}]`, `"items":{}`, `"contains":{}`, `"unevaluatedItems":false`,
		},
		"object": {
			`"maxProperties":1`, `"minProperties":1`, `"required":["a"]`, `"propertyNames":{}`, `"additionalProperties":{}`, `"additionalProperties":false`,
			`"properties":{"a":{}}`, `"patternProperties":{"a":{}}`, `"dependentRequired":{"a":["b"]}`, `"dependentSchemas":{"a":{}}`, `"unevaluatedProperties":false`,
		},
	} {
		for _, keyword := range keywords {
			schema := fmt.Sprintf(`{"type":%q,"enum":[1],%s}`, kind, keyword)
			findings, err := compile(t, schema).Validate(value(t, `5`))
			if len(findings) != 2 || findings[0].Keyword != "enum" || findings[1].Keyword != "type" || err != nil {
				t.Errorf("%s: got %v, %v; want enum, then type", schema, findings, err)
			}
		}
	}
}

func TestALimitIsToldAsItIs(t *testing.T) {
	t.Parallel()
	for schema, want := range map[string]string{`{"maximum":0.5}`: "must be <= 0.5", `{"maximum":100000000000000000000}`: "must be <= 100000000000000000000", `{"maximum":1e25}`: "must be <= 1e+25"} {
		findings, err := compile(t, schema).Validate(value(t, `1e26`))
		if err != nil || len(findings) != 1 || findings[0].Message != want {
			t.Errorf("%s: got %v, %v; want %s", schema, findings, err, want)
		}
	}
}

// Ajv looks for the pair from the end, and for scalars in a map.
func TestWhichItemsAreDuplicates(t *testing.T) {
	t.Parallel()
	for items, want := range map[string]string{
		`true`: "2 and 1", `{}`: "2 and 1", `{"type":["integer","object"]}`: "2 and 1", `{"type":["integer","array"]}`: "2 and 1", `{"type":"integer"}`: "1 and 2",
	} {
		findings, err := compile(t, `{"uniqueItems":true,"items":`+items+`}`).Validate(value(t, `[1,1,1]`))
		if err != nil || len(findings) != 1 || fmt.Sprint(findings[0].Params["i"], " and ", findings[0].Params["j"]) != want {
			t.Errorf("items %s: got %v, %v; want %s", items, findings, err, want)
		}
	}
}

func TestANumberThatIsNotFiniteIsNoJSON(t *testing.T) {
	t.Parallel()
	for _, v := range []any{math.NaN(), math.Inf(1), float32(math.Inf(-1))} {
		if _, err := compile(t, `{}`).Validate(v); err == nil || !strings.Contains(err.Error(), "not finite") {
			t.Errorf("%v: got %v", v, err)
		}
	}
}

func TestASchemaPathIsEncodedAsAURIComponent(t *testing.T) {
	t.Parallel()
	for token, want := range map[string]string{"azAZ09": "azAZ09", "-_.!*'()": "-_.!*'()", "a/b~c": "a~1b~0c", "{": "%7B", "`": "%60", "@[": "%40%5B", ":": "%3A", "ä": "%C3%A4", " ": "%20"} {
		if got := fragment(token); got != want {
			t.Errorf("%q: got %s, want %s", token, got, want)
		}
	}
}

func TestAFormatThatIsNoTextIsTheMetaSchemasToRefuse(t *testing.T) {
	t.Parallel()
	if _, err := Compile([]byte(`{"format":5}`), Options{}); err == nil || strings.Contains(err.Error(), "unknown format") {
		t.Errorf("got %v, want what the meta-schema says", err)
	}
}

// Where the mistake is, when a message stands for what was found.
func TestWhereAMessagePoints(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ rule, schema, body, want string }{
		{"to the property that is missing", `{"required":["a"],"errorMessage":"mine"}`, `{}`, "#/a"},
		{"to the object, of which two are missing", `{"required":["a","b"],"errorMessage":"mine"}`, `{}`, "#"},
		{"to the object, when the one that is missing is not its own", `{"properties":{"a":{"required":["b"]}},"errorMessage":"mine"}`, `{"a":{}}`, "#"},
	} {
		findings, err := compile(t, c.schema).Validate(value(t, c.body))
		if err != nil || len(findings) != 1 || pointerOf(findings[0]) != c.want {
			t.Errorf("%s: got %v, %v; want one at %s", c.rule, findings, err, c.want)
		}
	}
}

func TestWhichParametersAreGivenOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule, schema string
		status       int
	}{
		{"what is said of a text is for one", `{"properties":{"a":{"minLength":1}}}`, 400},
		{"what may be a list", `{"properties":{"a":{"type":["string","array"],"allOf":[{"minLength":1}]}}}`, 200},
		{"what has a keyword of lists", `{"properties":{"a":{"minLength":1,"maxItems":2}}}`, 200},
	} {
		w := httptest.NewRecorder()
		New(Config{Query: []byte(c.schema)})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, httptest.NewRequest("GET", "/?a=1&a=2", nil))
		if w.Code != c.status {
			t.Errorf("%s: got %d %s, want %d", c.rule, w.Code, w.Body, c.status)
		}
	}
}

func TestALimitCannotBeSwitchedOff(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]Config{
		"MaxBodyBytes": {MaxBodyBytes: -1}, "MaxDepth": {MaxDepth: -1}, "MaxFindings": {MaxFindings: -1}, "MaxResponseBytes": {MaxResponseBytes: -1},
	} {
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "cannot be switched off") {
			t.Errorf("%s is negative: got %v", name, err)
		}
	}
	if err := (Config{}).Validate(); err != nil {
		t.Errorf("the zero value: got %v", err)
	}
}

// Only numbers cost jsonschema arithmetic, and only where it judges.
func TestWhichComparisonsAreCounted(t *testing.T) {
	t.Parallel()
	list := func(n int, item string) string { return "[" + strings.Repeat(item+",", n-1) + item + "]" }
	const far, often = 301, 1000 // more than 300,000 together
	for _, c := range []struct {
		rule, schema, value string
		bound               bool
	}{
		{"numbers, judged by jsonschema", `{"unevaluatedItems":false,"items":{"enum":` + enum(far, "%d") + `}}`, list(often, "1"), true},
		{"numbers, judged here", `{"items":{"enum":` + enum(far, "%d") + `}}`, list(often, "1"), false},
		{"texts", `{"unevaluatedItems":false,"items":{"enum":` + enum(far, `"%d"`) + `}}`, list(often, `"1"`), false},
	} {
		findings, err := compile(t, c.schema).Validate(value(t, c.value))
		if isBound(err) != c.bound || len(findings) > 0 {
			t.Errorf("%s: got %v, %v; want a BoundError: %v", c.rule, findings, err, c.bound)
		}
	}
}

// enum is a list of n values that differ.
func enum(n int, format string) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(format, i))
	}
	return "[" + strings.Join(all, ",") + "]"
}
