package validate

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
)

func compile(t testing.TB, schema string) *Schema {
	t.Helper()
	s, err := Compile([]byte(schema), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func value(t testing.TB, text string) any {
	t.Helper()
	v, err := decode([]byte(text), 1000, nil)
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

// plain is what JSON keeps of a value.
func plain(t testing.TB, v any) any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var p any
	if err := json.Unmarshal(b, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// testdata/ajv.jsonl is what Ajv 8.20 with ajv-formats and ajv-errors answered to
// generated schemas and values, with the options of Middy's transpileSchema: allErrors, and in
// half of the cases coerceTypes "array" and useDefaults "empty".
func TestFindingsAreAjvs(t *testing.T) {
	f, err := os.Open("testdata/ajv.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	n := 0
	for lines.Scan() {
		var c struct {
			Schema        json.RawMessage
			Data, Coerced any
			Valid, Coerce bool
			Errors        []any
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		n++
		s, err := Compile(c.Schema, Options{})
		if err != nil {
			t.Errorf("%v: %s", err, c.Schema)
			continue
		}
		before := plain(t, c.Data)
		var got []Finding
		var v any
		if c.Coerce {
			v, got, err = s.Coerce(c.Data)
		} else {
			got, err = s.Validate(c.Data)
		}
		if err != nil || len(got) != len(c.Errors) || len(got) > 0 && !reflect.DeepEqual(plain(t, got), plain(t, c.Errors)) {
			t.Errorf("schema %s\ndata   %v\ngot    %v\nwant   %v (%v)", c.Schema, c.Data, got, c.Errors, err)
		}
		if c.Coerce && c.Valid && !reflect.DeepEqual(plain(t, v), c.Coerced) {
			t.Errorf("schema %s\ndata   %v\ngot    %v\nwant   %v", c.Schema, c.Data, v, c.Coerced)
		}
		if !reflect.DeepEqual(plain(t, c.Data), before) {
			t.Errorf("schema %s\nchanged the value: %v became %v", c.Schema, before, c.Data)
		}
	}
	if n < 400 {
		t.Fatalf("only %d cases", n)
	}
}

// Middy's vectors; localised messages are Config.Message, in TestMessage.
func TestMiddysVectors(t *testing.T) {
	for _, c := range []struct {
		rule, schema, event string
		want                string // the coerced event, or the findings
		valid               bool
	}{
		{"coercion", `{"type":"object","required":["body"],"properties":{"body":{"type":"object","properties":{"string":{"type":"string"},"boolean":{"type":"boolean"},"integer":{"type":"integer"},"number":{"type":"number"}}}}}`,
			`{"body":{"string":"{\"foo\":\"bar\"}","boolean":"true","integer":"0","number":"0.1"}}`,
			`{"body":{"string":"{\"foo\":\"bar\"}","boolean":true,"integer":0,"number":0.1}}`, true},
		{"missing property", `{"type":"object","required":["body","foo"],"properties":{"body":{"type":"string"},"foo":{"type":"string"}}}`, `{"body":"x"}`,
			`[{"instancePath":"","schemaPath":"#/required","keyword":"required","params":{"missingProperty":"foo"},"message":"must have required property 'foo'"}]`, false},
		{"response invalid", `{"type":"object","required":["body","statusCode"],"properties":{"body":{"type":"string"},"statusCode":{"type":"number"}}}`, `{}`,
			`[{"instancePath":"","schemaPath":"#/required","keyword":"required","params":{"missingProperty":"body"},"message":"must have required property 'body'"},{"instancePath":"","schemaPath":"#/required","keyword":"required","params":{"missingProperty":"statusCode"},"message":"must have required property 'statusCode'"}]`, false},
		{"response valid", `{"type":"object","required":["body","statusCode"],"properties":{"body":{"type":"string"},"statusCode":{"type":"number"}}}`, `{"body":"Hello world","statusCode":200}`, `{"body":"Hello world","statusCode":200}`, true},
		{"defaults for null, empty, missing", `{"type":"object","properties":{"a":{"type":"string","default":"d"},"b":{"type":"string","default":"d"},"c":{"type":"string","default":"d"}}}`, `{"a":"","b":null}`, `{"a":"d","b":"d","c":"d"}`, true},
		{"scalar to array and back", `{"type":"object","properties":{"q":{"type":"array","items":{"type":"integer"}},"s":{"type":"string"}}}`, `{"q":"1","s":["a"]}`, `{"q":[1],"s":"a"}`, true},
		{"two errors", `{"type":"object","required":["a","b"],"properties":{"a":{"type":"string"},"b":{"type":"string"}}}`, `{}`,
			`[{"instancePath":"","schemaPath":"#/required","keyword":"required","params":{"missingProperty":"a"},"message":"must have required property 'a'"},{"instancePath":"","schemaPath":"#/required","keyword":"required","params":{"missingProperty":"b"},"message":"must have required property 'b'"}]`, false},
		{"email format", `{"type":"object","required":["email"],"properties":{"email":{"type":"string","format":"email"}}}`, `{"email":"abc@abc"}`,
			`[{"instancePath":"/email","schemaPath":"#/properties/email/format","keyword":"format","params":{"format":"email"},"message":"must match format \"email\""}]`, false},
		{"boolean does not accept \"1\"", `{"type":"object","properties":{"v":{"type":"boolean"}}}`, `{"v":"1"}`,
			`[{"instancePath":"/v","schemaPath":"#/properties/v/type","keyword":"type","params":{"type":"boolean"},"message":"must be boolean"}]`, false},
	} {
		t.Run(c.rule, func(t *testing.T) {
			got, findings, err := compile(t, c.schema).Coerce(value(t, c.event))
			if err != nil {
				t.Fatal(err)
			}
			have := got
			if !c.valid {
				have = findings
			}
			if (len(findings) == 0) != c.valid || !reflect.DeepEqual(plain(t, have), plain(t, value(t, c.want))) {
				t.Fatalf("got %v, %v", got, findings)
			}
		})
	}
}

func TestKeywordsBeyondAjvsAnswers(t *testing.T) {
	node := `"$defs":{"node":{"type":"object","properties":{"v":{"type":"integer"},"next":{"$ref":"#/$defs/node"}}}}`
	for _, c := range []struct {
		rule, schema, value string
		want                string // keywords, with their places
	}{
		{"unevaluatedProperties", `{"type":"object","properties":{"a":true},"unevaluatedProperties":false}`, `{"a":1,"b":2,"c":3}`, ":unevaluatedProperties(b) :unevaluatedProperties(c)"},
		{"unevaluatedProperties beside another finding", `{"type":"object","properties":{"a":{"type":"string"}},"unevaluatedProperties":false}`, `{"a":1,"b":2}`, "/a:type :unevaluatedProperties(b)"},
		{"unevaluatedProperties through allOf", `{"type":"object","allOf":[{"properties":{"a":true}}],"unevaluatedProperties":false}`, `{"a":1}`, ""},
		{"unevaluatedProperties with a schema", `{"type":"object","unevaluatedProperties":{"type":"string"}}`, `{"a":1}`, "/a:type"},
		{"unevaluatedItems", `{"type":"array","prefixItems":[true],"unevaluatedItems":false}`, `[1,2]`, ":unevaluatedItems"},
		{"a recursive $ref", `{"$ref":"#/$defs/node",` + node + `}`, `{"next":{"next":{"v":"x"}}}`, "/next/next/v:type"},
		{"an anchor", `{"$ref":"#here","$defs":{"x":{"$anchor":"here","type":"string"}}}`, `1`, ":type"},
		{"a dynamic reference", `{"$dynamicRef":"#here","$defs":{"x":{"$dynamicAnchor":"here","type":"string"}}}`, `1`, ":type"},
		{"a resource of its own", `{"$ref":"/x","$defs":{"x":{"$id":"/x","type":"object","properties":{"b":{"type":"string"},"a":{"type":"string"}}}}}`, `{"a":1,"b":1}`, "/b:type /a:type"},
		{"the meta-schema", `{"$ref":"https://json-schema.org/draft/2020-12/schema"}`, `{"type":7}`, "*"},
		{"multipleOf is exact", `{"type":"number","multipleOf":0.01}`, `19.99`, ""},
		{"multipleOf", `{"type":"number","multipleOf":0.01}`, `0.001`, ":multipleOf"},
		{"integers of any size", `{"type":"integer","maximum":9007199254740993}`, `9007199254740994`, ":maximum"},
		{"1.0 is an integer", `{"type":"integer"}`, `1.0`, ""},
		{"numbers are equal by value", `{"const":1,"enum":[1.0]}`, `1e0`, ""},
		{"uniqueItems by value", `{"type":"array","uniqueItems":true}`, `[{"a":1,"b":[null]},{"b":[null],"a":1.0}]`, ":uniqueItems"},
		{"uniqueItems, 1 and \"1\" and true", `{"type":"array","uniqueItems":true}`, `[1,"1",true,"true",null,"null",[],{},[[]]]`, ""},
		{"a property with a strange name", `{"type":"object","properties":{"a/b~c d":{"type":"integer"}}}`, `{"a/b~c d":"x"}`, "/a~1b~0c d:type"},
		{"a message for an item", `{"type":"array","items":{"type":"integer"},"errorMessage":{"items":["first"]}}`, `["a","b"]`, "/1:type /0:errorMessage"},
		{"a message in items", `{"type":"array","items":{"type":"object","properties":{"q":{"type":"integer"}},"errorMessage":"item"}}`, `[{"q":"x"},{"q":1}]`, "/0:errorMessage"},
		{"JavaScript's names are names", `{"type":"object","required":["__proto__","constructor"],"additionalProperties":false,"properties":{"__proto__":true}}`, `{"toString":1}`, ":required(__proto__) :required(constructor) :additionalProperties(toString)"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			s := compile(t, c.schema)
			findings, err := s.Validate(value(t, c.value))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range findings {
				text := f.InstancePath + ":" + f.Keyword
				if name := missing(f); name != "" {
					text += "(" + name + ")"
				}
				got = append(got, text)
			}
			if c.want == "*" {
				if len(got) == 0 {
					t.Fatal("no finding")
				}
				return
			}
			if strings.Join(got, " ") != c.want {
				t.Fatalf("got %v", findings)
			}
		})
	}
}

func TestCoercionOfOurs(t *testing.T) {
	for _, c := range []struct{ schema, value, want string }{
		{`{"type":"integer"}`, `" 9007199254740993 "`, `9007199254740993`},
		{`{"type":"integer"}`, `"-007"`, `-7`},
		{`{"type":"integer"}`, `"+5"`, `5`},
		{`{"type":"integer"}`, `"-0"`, `0`},
		{`{"type":"number"}`, `".5"`, `0.5`},
		{`{"type":"number"}`, `"5."`, `5`},
		{`{"type":"number"}`, `"1e21"`, `1e+21`},
		{`{"type":"number"}`, `"1e-7"`, `1e-7`},
		{`{"type":"string"}`, `9007199254740993`, `"9007199254740993"`},
		{`{"type":"string"}`, `1.50`, `"1.5"`},
		{`{"type":"string"}`, `1e21`, `"1e+21"`},
		{`{"oneOf":[{"type":"integer"},{"type":"string"}]}`, `"5"`, `"5"`},
		{`{"oneOf":[{"type":"integer"},{"type":"boolean"}]}`, `"5"`, `5`},
		{`{"oneOf":[{"type":"object","properties":{"a":{"type":"integer"}}},{"type":"string"}]}`, `{"a":"5"}`, `{"a":5}`},
		{`{"anyOf":[{"type":"object","required":["b"],"properties":{"a":{"type":"integer"}}},{"type":"object"}]}`, `{"a":"5"}`, `{"a":"5"}`},
		{`{"not":{"type":"boolean","const":true}}`, `0`, `0`},
		{`{"type":"array","contains":{"type":"integer"}}`, `["5","x"]`, `[5,"x"]`},
		{`{"type":"object","if":{"properties":{"a":{"type":"integer","minimum":3}}},"then":{"properties":{"b":{"type":"integer"}}}}`, `{"a":"5","b":"5"}`, `{"a":"5","b":5}`},
		{`{"type":"object","properties":{"a":{"type":"object","default":{"b":[1]},"properties":{"c":{"default":2}}}}}`, `{}`, `{"a":{"b":[1],"c":2}}`},
	} {
		got, findings, err := compile(t, c.schema).Coerce(value(t, c.value))
		b, _ := json.Marshal(got)
		if err != nil || len(findings) > 0 || string(b) != c.want {
			t.Errorf("%s %s: got %s, %v, %v", c.schema, c.value, b, findings, err)
		}
	}
	for _, text := range []string{"", " ", "0x10", "0b1", "Infinity", "NaN", "1_000", "--1", "+-1", "1e", "1e999", "1 2", "٣", ".", "-"} {
		if n, ok := parseNumber(text); ok {
			t.Errorf("%q is %s", text, n)
		}
	}
}

func TestADefaultIsNotShared(t *testing.T) {
	s := compile(t, `{"type":"object","properties":{"a":{"type":"array","default":[1]}}}`)
	for range 2 {
		got, _, err := s.Coerce(map[string]any{})
		list := got.(map[string]any)["a"].([]any)
		if err != nil || len(list) != 1 || list[0] != json.Number("1") {
			t.Fatal(got, err)
		}
		list[0] = "changed"
	}
}

func TestBadSchemas(t *testing.T) {
	for _, c := range []struct{ schema, want string }{
		{`{"type":"object","somethingnew":"x"}`, `strict mode: unknown keyword: "somethingnew"`},
		{`{"properties":{"a":{"minLenght":1}}}`, `unknown keyword: "minLenght" at path "#/properties/a"`},
		{`{"allOf":[{"x":1}],"$defs":{"d/e":{"y":1}}}`, `unknown keyword: "y" at path "#/%24defs/d~1e"`},
		{`{"dependencies":{}}`, "unknown keyword"},
		{`{"type":"string","format":"nope"}`, `unknown format "nope" in schema at path "#"`},
		{`{"if":true}`, `"if" without "then" and "else"`},
		{`{"$schema":"http://json-schema.org/draft-07/schema#"}`, "$schema"},
		{`{"type":"nope"}`, "validate:"},
		{`{"minLength":-1}`, "validate:"},
		{`{"pattern":"("}`, "validate:"},
		{`{"required":["a","a"]}`, "validate:"},
		{`{"$ref":"#/nowhere"}`, "validate:"},
		{`{"$ref":"https://example.com/schema.json"}`, "only the schema itself"},
		{`{"$ref":"file:///etc/passwd"}`, "only the schema itself"},
		{`{"$ref":"other.json"}`, "only the schema itself"},
		{`{"type":"string","type":"object"}`, "comes twice"},
		{`{"errorMessage":7}`, "a string or an object"},
		{`{"errorMessage":"got ${/secret}"}`, "a template"},
		{`{"errorMessage":{"type":7}}`, "errorMessage.type must be a text"},
		{`{"errorMessage":{"type":{"a":"x"}}}`, "errorMessage.type must be a text"},
		{`{"errorMessage":{"required":{"a":1}}}`, "the text for a is none"},
		{`{"errorMessage":{"properties":{"a":"${/a}"}}}`, "a template"},
		{`{"errorMessage":{"items":[1]}}`, "texts only"},
		{`{"errorMessage":{"type":["x"]}}`, "texts only"},
		{`{`, "not JSON"},
		{``, "not JSON"},
		{`{} {}`, "not JSON"},
		{`[]`, "validate:"},
		{`7`, "validate:"},
	} {
		if _, err := Compile([]byte(c.schema), Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v", c.schema, err)
		}
	}
	s, err := Compile([]byte(`{"x":1,"format":"nope","type":"string"}`), Options{Loose: true})
	if err != nil {
		t.Fatal(err)
	}
	if f, err := s.Validate("x"); len(f) > 0 || err != nil {
		t.Error(f, err)
	}
}

func TestFormatsThatNoTagHas(t *testing.T) {
	for format, values := range map[string][2][]string{
		"url":                       {{`"https://a/b"`, `"ftp://a"`}, {`"a"`, `"javascript:x"`, `"http:///a"`}},
		"byte":                      {{`"YQ=="`, `""`}, {`"YQ"`, `"a\nb="`}},
		"iso-time":                  {{`"12:00:00"`, `"12:00:00Z"`, `"12:00:00+0100"`}, {`"25:00:00"`, `"x"`}},
		"iso-date-time":             {{`"2020-01-02T03:04:05"`, `"2020-01-02 03:04:05Z"`}, {`"2020-01-02"`}},
		"json-pointer-uri-fragment": {{`"#"`, `"#/a/~0b%20"`}, {`"/a"`, `"#a"`, `"#/~2"`}},
		"int32":                     {{`2147483647`, `-2147483648`, `"x"`}, {`2147483648`, `-2147483649`, `1.5`}},
		"int64":                     {{`9223372036854775807`, `-9223372036854775808`}, {`9223372036854775808`, `-9223372036854775809`}},
		"float":                     {{`1.5`}, nil},
		"password":                  {{`"x"`}, nil},
		"date":                      {{`"2020-02-29"`}, {`"2021-02-29"`}},
		"regex":                     {{`"^a"`}, {`"("`}},
	} {
		s := compile(t, `{"format":"`+format+`"}`)
		for i, list := range values {
			for _, v := range list {
				if f, err := s.Validate(value(t, v)); err != nil || len(f) != i {
					t.Errorf("%s: %s: %v, %v", format, v, f, err)
				}
			}
		}
	}
}

func TestBounds(t *testing.T) {
	list := compile(t, `{"type":"array","items":{"type":"string"}}`)
	many := make([]any, 100_000)
	if f, err := list.Validate(many); err != nil || len(f) != 100 {
		t.Errorf("%d findings, %v", len(f), err)
	}
	union := compile(t, `{"type":"array","items":{"anyOf":[{"type":"string"},{"type":"boolean"}]}}`)
	if f, err := union.Validate(many); err != nil || len(f) != 100 {
		t.Errorf("%d findings, %v", len(f), err)
	}
	refused := func(rule string, s *Schema, v any) {
		t.Helper()
		f, err := s.Validate(v)
		if _, ok := errors.AsType[*BoundError](err); !ok || f != nil {
			t.Errorf("%s: got %v, %v", rule, f, err)
		}
	}
	var deep any = 1
	for range 65 {
		deep = []any{deep}
	}
	refused("deep", compile(t, `true`), deep)
	refused("out of range", compile(t, `{"minimum":1}`), json.Number("1e999999999"))
	refused("not finite", compile(t, `true`), func() float64 { var z float64; return 1 / z }())
	refused("not JSON", compile(t, `true`), struct{}{})
	refused("in a member", compile(t, `true`), map[string]any{"a": []any{struct{}{}}})
	if f, err := compile(t, `{"minimum":1}`).Validate(json.Number("1e-999999999")); err != nil || len(f) != 1 {
		t.Errorf("a tiny number: %v, %v", f, err)
	}
	// Each level is judged twice by each of two: 4 to the power of 60.
	hard := compile(t, `{"$ref":"#/$defs/n","$defs":{"n":{"oneOf":[{"type":"array","items":{"$ref":"#/$defs/n"}},{"type":"array","items":{"$ref":"#/$defs/n"},"maxItems":1}]}}}`)
	var nest any = []any{}
	for range 60 {
		nest = []any{nest}
	}
	refused("exponential", hard, nest)
	beyond := compile(t, `{"$ref":"#/$defs/n","unevaluatedItems":true,"$defs":{"n":{"anyOf":[{"type":"array","items":{"$ref":"#/$defs/n"}},{"type":"array","items":{"$ref":"#/$defs/n"},"minItems":0}]}}}`)
	refused("exponential for jsonschema", beyond, nest)
	refused("a reference to itself", compile(t, `{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}}`), 1)
	refused("a reference to itself, whose steps would be many for a large value", compile(t, `{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}}`), make([]any, 400_000))
	small, err := Compile([]byte(`{"items":{"type":"string"}}`), Options{MaxDepth: 1, MaxFindings: 2})
	if err != nil {
		t.Fatal(err)
	}
	if f, err := small.Validate([]any{1, 2, 3}); err != nil || len(f) != 2 {
		t.Error(f, err)
	}
	refused("MaxDepth", small, []any{[]any{}})
}

func TestGoNumbersAreNumbers(t *testing.T) {
	s := compile(t, `{"type":"integer","minimum":5}`)
	for _, v := range []any{5, int8(5), uint64(5), float32(5), 5.0, json.Number("5")} {
		if f, err := s.Validate(v); len(f) > 0 || err != nil {
			t.Errorf("%T: %v %v", v, f, err)
		}
	}
}

// Whatever is let through, jsonschema finds valid, and what it finds valid is let
// through.
func FuzzAgreement(f *testing.F) {
	schemas := []string{
		`{"type":"object","required":["a"],"properties":{"a":{"type":"string","minLength":2},"b":{"type":"integer","maximum":5}},"additionalProperties":false}`,
		`{"type":"array","items":{"oneOf":[{"type":"integer","multipleOf":2},{"type":"number","minimum":3}]},"uniqueItems":true,"maxItems":4}`,
		`{"anyOf":[{"type":"object","dependentRequired":{"a":["b"]}},{"type":"array","contains":{"const":1},"maxContains":2}],"not":{"type":"object","maxProperties":0}}`,
		`{"if":{"type":"object","required":["a"]},"then":{"propertyNames":{"maxLength":1}},"else":{"type":["array","null","string"]}}`,
		`{"type":"object","properties":{"a":true},"patternProperties":{"^b":{"enum":[1,"x",null]}},"unevaluatedProperties":false}`,
	}
	var compiled []*Schema
	for _, s := range schemas {
		compiled = append(compiled, compile(f, s))
	}
	for _, s := range []string{`{"a":"xx"}`, `[1,1.0,3]`, `{"a":1,"bb":2}`, `null`, `[1,1,1]`, `{"b":"x","a":[]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := decode(text, 64, nil)
		if err != nil {
			return
		}
		if v, err = normal(v, 64, new(int)); err != nil { // jsonschema panics at 1e-9999999
			return
		}
		for i, s := range compiled {
			findings, err := s.Validate(v)
			if err != nil {
				continue
			}
			if theirs := s.compiled.Validate(v); (theirs == nil) != (len(findings) == 0) {
				t.Errorf("%s\n%s\nours %v\ntheirs %v", schemas[i], text, findings, theirs)
			}
			coerced, findings, err := s.Coerce(v)
			if err == nil && len(findings) == 0 && s.compiled.Validate(coerced) != nil {
				t.Errorf("%s\n%s\ncoerced to %v, which is not valid", schemas[i], text, coerced)
			}
		}
	})
}

func FuzzCoerce(f *testing.F) {
	for _, s := range []string{`"5"`, `" 1e2 "`, `true`, `null`, `[["x"]]`, `"-007"`, `1e21`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := decode(text, 64, nil)
		if err != nil {
			return
		}
		if v, err = normal(v, 64, new(int)); err != nil {
			return
		}
		for _, want := range []string{"string", "number", "integer", "boolean", "null", "array"} {
			got, ok := coerce(v, []string{want})
			if ok && !isType(got, want) {
				t.Fatalf("%s to %s is %v", text, want, got)
			}
			if _, err := json.Marshal(got); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func FuzzCompile(f *testing.F) {
	f.Add([]byte(`{"minimum":1,"unevaluatedItems":false}`), []byte(`1e-9999999`))
	f.Add([]byte(`{"type":"object","properties":{"a":{"$ref":"#"}}}`), []byte(`{"a":{}}`))
	f.Add([]byte(`{"oneOf":[true,false],"if":{},"then":false}`), []byte(`1`))
	f.Add([]byte(`{"items":{"$dynamicRef":"#a"},"$dynamicAnchor":"a","unevaluatedItems":false}`), []byte(`[[]]`))
	f.Fuzz(func(t *testing.T, schema, text []byte) {
		if len(schema) > 500 || len(text) > 200 {
			return
		}
		s, err := Compile(schema, Options{Loose: true})
		if err != nil {
			return
		}
		if v, err := decode(text, 64, nil); err == nil {
			_, _ = s.Validate(v)
			_, _, _ = s.Coerce(v)
		}
	})
}

// A pattern means what it means to Ajv, and is told as it was written.
func TestPatternsAreThoseOfECMA262(t *testing.T) {
	t.Parallel()
	s := compile(t, `{"pattern":"^\\s\\u0041.$","patternProperties":{"^\\cA$":false}}`)
	for text, ok := range map[string]bool{"\u00a0Ab": true, "\vAb": true, " A\u2028": false, "A": false} {
		f, err := s.Validate(text)
		if (len(f) == 0) != ok || err != nil {
			t.Errorf("%q: got %v, %v; want valid: %v", text, f, err, ok)
		}
		if !ok && f[0].Message != `must match pattern "^\s\u0041.$"` {
			t.Errorf("%q: got %s", text, f[0].Message)
		}
	}
	if f, err := s.Validate(map[string]any{"\x01": 1.0}); len(f) != 1 || err != nil {
		t.Errorf("a name that a pattern forbids: got %v, %v", f, err)
	}
	for _, pattern := range []string{`(?i)a`, `(?P<n>a)`, `\\Aa`, `(?=a)`, `(`, `a{1,1001}`} {
		if _, err := Compile([]byte(`{"pattern":"`+pattern+`"}`), Options{}); err == nil {
			t.Errorf("%s: got no error", pattern)
		}
		format := compile(t, `{"format":"regex"}`)
		if f, err := format.Validate(strings.ReplaceAll(pattern, `\\`, `\`)); len(f) != 1 || err != nil {
			t.Errorf("%s is a regex: got %v, %v", pattern, f, err)
		}
	}
}
