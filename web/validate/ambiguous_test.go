package validate

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// What the schema forbids never reaches a struct that encoding/json fills from the
// bytes that the handler reads.
func TestTheHandlerReadsWhatTheSchemaChecked(t *testing.T) {
	t.Parallel()
	const (
		role   = `{"type":"object","properties":{"role":{"enum":["user"]}}}`
		pay    = `{"type":"object","properties":{"pay":{"type":"object","properties":{"amount":{"maximum":100},"cur":{}},"additionalProperties":false}},"additionalProperties":false}`
		nested = `{"type":"object","properties":{"list":{"items":{"$ref":"#/$defs/user"}}},"$defs":{"user":` + role + `}}`
		both   = `{"type":"object","properties":{"id":{"const":1},"ID":{"const":2}}}`
	)
	for _, c := range []struct {
		rule, schema, body string
		status             int
		wrong              string // in the answer
	}{
		{"as the schema has it", role, `{"role":"user","other":1}`, 200, ""},
		{"a name twice", role, `{"role":"user","role":"user"}`, 422, `\"role\" comes twice`},
		{"a name in two cases", role, `{"role":"user","Role":"admin"}`, 422, `\"Role\" comes twice`},
		{"a name in another case only", role, `{"Role":"admin"}`, 422, `{"pointer":"#/Role","detail":"must be written \"role\""}`},
		{"a name with a letter that folds", `{"type":"object","properties":{"users":{"maximum":1}}}`, `{"u\u017fers":2}`, 422, `must be written \"users\"`},
		{"an object twice, which encoding/json merges", pay, `{"pay":{"amount":1000000},"pay":{"cur":"EUR"}}`, 422, `\"pay\" comes twice`},
		{"an unknown name of a closed object is a finding", pay, `{"Pay":{"amount":1000000}}`, 400, `must NOT have additional properties`},
		{"in an array behind a $ref", nested, `{"list":[{},{"ROLE":"admin"}]}`, 422, `"#/list/1/ROLE"`},
		{"in allOf", `{"allOf":[` + role + `]}`, `{"rolE":"admin"}`, 422, "rolE"},
		{"in anyOf", `{"anyOf":[` + role + `,{"required":["x"]}]}`, `{"rolE":"admin"}`, 422, "rolE"},
		{"in not", `{"not":{"required":["admin"]}}`, `{"Admin":true}`, 422, "Admin"},
		{"in if", `{"if":{"properties":{"a":{"const":1}}},"then":true}`, `{"A":2}`, 422, "#/A"},
		{"in dependentRequired", `{"dependentRequired":{"card":["zip"]}}`, `{"Card":1}`, 422, "#/Card"},
		{"what dependentRequired asks for", `{"dependentRequired":{"card":["zip"]}}`, `{"ZIP":1}`, 422, "#/ZIP"},
		{"in dependentSchemas", `{"dependentSchemas":{"card":true}}`, `{"Card":1}`, 422, "#/Card"},
		{"a name that must not be", `{"propertyNames":{"not":{"const":"admin"}}}`, `{"Admin":true}`, 422, "#/Admin"},
		{"one of several that must not be", `{"propertyNames":{"not":{"enum":["root","admin"]}}}`, `{"Admin":true}`, 422, "#/Admin"},
		{"a name that may be", `{"propertyNames":{"enum":["Admin"]}}`, `{"Admin":true}`, 200, ""},
		{"an object that must not be", `{"not":{"const":{"role":"admin"}}}`, `{"Role":"admin"}`, 422, "#/Role"},
		{"one of several objects that must not be", `{"not":{"enum":[{},{"role":"admin"}]}}`, `{"Role":"admin"}`, 422, "#/Role"},
		{"a name that a pattern knows", `{"properties":{"role":{}},"patternProperties":{"^R":{"const":1}}}`, `{"Role":1}`, 200, ""},
		{"names that the schema itself tells apart", both, `{"ID":2}`, 200, ""},
		{"but not both, which one field would get", both, `{"id":1,"ID":2}`, 422, `\"ID\" comes twice`},
		{"the name itself, which is only required", `{"required":["id"]}`, `{"id":1}`, 200, ""},
		{"a schema that knows the empty name", `{"properties":{"":{}}}`, `{"x":1,"":2}`, 200, ""},
		{"names of another object", role, `{"other":{"Role":1}}`, 200, ""},
		{"bytes that are not UTF-8", role, "{\"role\xff\":1}", 422, "not valid JSON"},
		{"a name in two cases, deep in what the schema does not know", role, `{"x":[{"a":1,"A":2}]}`, 422, `\"A\" comes twice`},
	} {
		for _, coerce := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, coerced %v", c.rule, coerce), func(t *testing.T) {
				h := New(Config{Body: []byte(c.schema), Coerce: coerce})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					var v any
					if err := json.NewDecoder(r.Body).Decode(&v); err != nil {
						t.Errorf("the handler cannot read the body: %v", err)
					}
				}))
				w := httptest.NewRecorder()
				h.ServeHTTP(w, post("/", "application/json", c.body))
				if w.Code != c.status || !strings.Contains(w.Body.String(), c.wrong) {
					t.Errorf("got %d %s, want %d with %s", w.Code, w.Body, c.status, c.wrong)
				}
			})
		}
	}
}

func TestABodyIsWhatItsHeadersSay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule           string
		types, codings []string
		status         int
	}{
		{"JSON", []string{"application/json"}, nil, 200},
		{"identity", []string{"application/json"}, []string{"identity"}, 200},
		{"gzip", []string{"application/json"}, []string{"gzip"}, 415},
		{"gzip in a second line", []string{"application/json"}, []string{"identity", "gzip"}, 415},
		{"the type twice", []string{"application/json", "application/json"}, nil, 200},
		{"two types", []string{"application/json", "text/plain"}, nil, 415},
		{"another charset", []string{"application/json; charset=utf-16"}, nil, 415},
		{"space before the semicolon", []string{"application/json ; charset=utf-8"}, nil, 200},
	} {
		t.Run(c.rule, func(t *testing.T) {
			r := post("/", "", `{}`)
			r.Header["Content-Type"], r.Header["Content-Encoding"] = c.types, c.codings
			w := httptest.NewRecorder()
			New(Config{Body: []byte(`{}`)})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
			if w.Code != c.status {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, c.status)
			}
		})
	}
}

func TestTheHandlerReadsTheQueryThatTheSchemaChecked(t *testing.T) {
	t.Parallel()
	mw := New(Config{Query: []byte(`{"type":"object","required":["q"],"properties":{"q":{"type":"string"}}}`)})
	for query, want := range map[string]string{"q=a;b": "a;b", "q=100%&z": "100%", "q=a&utm=x;y": "a", "q=%41+": "A ", "q=%ff": "\xff"} {
		var got string
		r := httptest.NewRequest("GET", "/?"+query, nil)
		w := httptest.NewRecorder()
		mw(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			in, _ := FromContext(r.Context())
			got = r.URL.Query().Get("q")
			if in.Query["q"] != got || r.FormValue("q") != got {
				t.Errorf("%s: the schema saw %q, the handler reads %q and %q", query, in.Query["q"], got, r.FormValue("q"))
			}
		})).ServeHTTP(w, r)
		if w.Code != 200 || got != want {
			t.Errorf("%s: got %d %q, want %q", query, w.Code, got, want)
		}
		if r.URL.RawQuery != query {
			t.Errorf("%s: the request outside became %s", query, r.URL.RawQuery)
		}
	}
}

// A number that is no integer is judged as the float64 that the handler makes of it.
func TestNumbersAreJudgedAsTheHandlerHasThem(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		schema, number string
		ok             bool
	}{
		{`{"exclusiveMinimum":0}`, "1e-400", false},
		{`{"exclusiveMinimum":0}`, "1e-10000", false},
		{`{"exclusiveMinimum":0}`, "5e-324", true},
		{`{"const":0}`, "1e-400", true},
		{`{"const":0}`, "1e-10000", true},
		{`{"minimum":0}`, "-1e-400", true},
		{`{"exclusiveMaximum":1}`, "0.99999999999999999999", false},
		{`{"exclusiveMaximum":1}`, "0.9999999999999999", true},
		{`{"exclusiveMaximum":1}`, "99999999999999999999e-20", false},
		{`{"not":{"const":1}}`, "1.00000000000000000001", false},
		{`{"type":"integer"}`, "1.00000000000000000001", false},
		{`{"type":"integer"}`, "1.0", true},
		{`{"maximum":9007199254740992}`, "9007199254740993", false},
		{`{"const":9007199254740993}`, "9007199254740993.0", true},
		{`{"const":9007199254740993}`, "9007199254740992", false},
		{`{"multipleOf":0.01}`, "0.07", true},
		{`{"multipleOf":0.01}`, "0.075", false},
		{`{"format":"int64"}`, "9223372036854775807.5", false},
		{`{"uniqueItems":true,"items":{"type":"number"}}`, "[0.1,0.10000000000000000001]", false},
	} {
		s := compile(t, c.schema)
		if f, err := s.Validate(value(t, c.number)); (len(f) == 0) != c.ok || err != nil {
			t.Errorf("%s, %s: got %v, %v; want valid: %v", c.schema, c.number, f, err, c.ok)
		}
	}
}

// What comes several times is judged as often as it is read.
func TestARepeatedParameterDoesNotSlipPast(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule, schema, query string
		wrong               string // "": valid
	}{
		{"once", `{"properties":{"q":{"pattern":"^a$"}}}`, "q=a", ""},
		{"a pattern is silent about a list", `{"properties":{"q":{"pattern":"^a$"}}}`, "q=b&q=a", "must be given once"},
		{"so is a format behind a $ref", `{"properties":{"q":{"$ref":"#/$defs/d"}},"$defs":{"d":{"allOf":[{"format":"date"}]}}}`, "q=b&q=a", "must be given once"},
		{"and a length in one of several", `{"properties":{"q":{"anyOf":[{"maxLength":1},{"const":"ab"}]}}}`, "q=abc&q=a", "must be given once"},
		{"and a maximum", `{"properties":{"q":{"maximum":5}}}`, "q=9&q=1", "must be given once"},
		{"a type has said it already", `{"properties":{"q":{"type":"string","pattern":"^a$"}}}`, "q=b&q=a", "must be string"},
		{"a list may be allowed", `{"properties":{"q":{"type":["array","string"],"pattern":"^a$"}}}`, "q=b&q=a", ""},
		{"and is meant by its keywords", `{"properties":{"q":{"pattern":"^a$","items":{"pattern":"^a$"}}}}`, "q=b&q=a", "must match pattern"},
		{"of which nothing is said", `{"properties":{"q":{}}}`, "q=b&q=a", ""},
		{"that the schema does not know", `{"properties":{"q":{"pattern":"a"}}}`, "z=b&z=a", ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			w := httptest.NewRecorder()
			New(Config{Query: []byte(c.schema)})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, httptest.NewRequest("GET", "/?"+c.query, nil))
			if (w.Code == 200) != (c.wrong == "") || !strings.Contains(w.Body.String(), c.wrong) || strings.Count(w.Body.String(), `"parameter":"q"`) > 2 {
				t.Errorf("got %d %s, want %q", w.Code, w.Body, c.wrong)
			}
		})
	}
}

// A header is read wherever the schema speaks of it.
func TestEveryHeaderThatASchemaNamesIsRead(t *testing.T) {
	t.Parallel()
	for rule, schema := range map[string]string{
		"in if":                `{"if":{"required":["X-Role"],"properties":{"X-Role":{"const":"admin"}}},"then":{"required":["X-Token"]}}`,
		"in not":               `{"not":{"required":["X-Role"]}}`,
		"in then":              `{"if":true,"then":{"properties":{"X-Role":false}}}`,
		"in else":              `{"if":false,"else":{"properties":{"X-Role":false}}}`,
		"in dependentRequired": `{"dependentRequired":{"X-Role":["X-Token"]}}`,
		"in dependentSchemas":  `{"dependentSchemas":{"X-Role":false}}`,
		"in anyOf":             `{"anyOf":[{"not":{"required":["X-Role"]}}]}`,
		"in oneOf":             `{"oneOf":[{"properties":{"X-Role":false}}]}`,
		"behind a $ref":        `{"$ref":"#/$defs/a","$defs":{"a":{"properties":{"X-Role":false}}}}`,
		"behind a $dynamicRef": `{"$dynamicRef":"#/$defs/a","$defs":{"a":{"properties":{"X-Role":false}}}}`,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("X-Role", "admin")
		w := httptest.NewRecorder()
		New(Config{Header: []byte(schema)})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
		if w.Code != 400 {
			t.Errorf("%s: got %d, want 400", rule, w.Code)
		}
	}
}

// What a client chooses costs no more than its length: names that are nearly those of
// the schema, in every spelling, and numbers that an enum has not.
func TestHostileNamesAndNumbersAreBounded(t *testing.T) {
	t.Parallel()
	var objects, numbers, allOf []string
	for i := range 20_000 {
		name := []byte("abcdefghijklmno")
		for bit := range name {
			if i>>bit&1 == 1 {
				name[bit] -= 'a' - 'A'
			}
		}
		objects = append(objects, `{"`+string(name)+`":1}`)
	}
	for i := range 1000 {
		numbers = append(numbers, fmt.Sprint(i))
		if i < 30 {
			allOf = append(allOf, `{"properties":{"abcdefghijklmno":{}}}`)
		}
	}
	for rule, c := range map[string]struct{ schema, body string }{
		"spellings": {`{"items":{"allOf":[` + strings.Join(allOf, ",") + `]}}`, "[" + strings.Join(objects, ",") + "]"},
		"an enum":   {`{"items":{"enum":[` + strings.Join(numbers, ",") + `]}}`, "[" + strings.Repeat("1000,", 100_000) + "1000]"},
	} {
		w := httptest.NewRecorder()
		start := time.Now()
		New(Config{Body: []byte(c.schema)})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, post("/", "application/json", c.body))
		if w.Code < 400 || w.Body.Len() > 20_000 {
			t.Errorf("%s: got %d with %d bytes", rule, w.Code, w.Body.Len())
		}
		t.Logf("%s: %d bytes took %v", rule, len(c.body), time.Since(start))
	}
}

// A pattern knows names only as they are written, as the schema does.
func TestAPatternIsNotSteppedAround(t *testing.T) {
	t.Parallel()
	const open = `{"properties":{"role":{"enum":["user"]}},"patternProperties":{"^[A-Za-z]+$":{}}}`
	const closed = `{"properties":{"role":{"enum":["user"]}},"patternProperties":{"^[A-Za-z]+$":{}},"additionalProperties":false}`
	for _, c := range []struct {
		rule, schema, body string
		status             int
		wrong              string
	}{
		{"a name that a pattern knows beside the property", open, `{"Role":"admin"}`, 422, `must be written \"role\"`},
		{"in a closed object", closed, `{"Role":"admin"}`, 422, `must be written \"role\"`},
		{"with a value that the property may have", closed, `{"Role":"user"}`, 200, ""},
		{"a name of its own", closed, `{"Other":"admin"}`, 200, ""},
		{"a name that the closed object has not", closed, `{"Role_":1}`, 400, "additional properties"},
		{"a pattern in another case", `{"patternProperties":{"^role$":{"enum":["user"]}}}`, `{"Role":"admin"}`, 422, "in the case of the schema's patterns"},
		{"a pattern that matches both", `{"patternProperties":{"^[rR]ole$":{"enum":["user"]}}}`, `{"Role":"user"}`, 200, ""},
		{"a pattern that is about something else", `{"patternProperties":{"^x-":{}}}`, `{"Role":1}`, 200, ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			w := httptest.NewRecorder()
			New(Config{Body: []byte(c.schema)})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, post("/", "application/json", c.body))
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.wrong) {
				t.Errorf("got %d %s, want %d with %s", w.Code, w.Body, c.status, c.wrong)
			}
		})
	}
}
