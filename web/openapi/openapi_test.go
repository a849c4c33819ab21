package openapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/compress"
	"github.com/gomiddy/middy/web/openapi"
	"github.com/gomiddy/middy/web/router"
)

type money struct{ cents int64 }

func (m *money) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &m.cents) }
func (m money) MarshalJSON() ([]byte, error)  { return json.Marshal(m.cents) }
func (money) OpenAPISchema() map[string]any {
	return map[string]any{"type": "integer", "description": "In cents."}
}

type line struct {
	SKU   string  `json:"sku" required:"true" pattern:"^[A-Z]{2}-[0-9]+$" doc:"The article."`
	Count int     `json:"count" minimum:"1" maximum:"99" default:"1"`
	Price float64 `json:"price" exclusiveMinimum:"0"`
	Bytes []byte  `json:"bytes,omitempty"`
	Sub   []line  `json:"sub,omitempty" maxItems:"2"`
}

type placeOrder struct {
	Shop   string            `path:"shop" doc:"Which shop."`
	DryRun bool              `query:"dryRun" default:"false"`
	Wait   time.Duration     `query:"wait" default:"1m30s"`
	Tags   []string          `query:"tag" maxItems:"3" minLength:"2"`
	Key    string            `header:"Idempotency-Key" required:"true" format:"uuid"`
	Auth   string            `header:"Authorization"`
	Sess   string            `cookie:"session"`
	Lines  []line            `json:"lines" required:"true" minItems:"1" maxItems:"3"`
	Email  string            `json:"email" format:"email"`
	Kind   string            `json:"kind" enum:"gift,own" default:"own"`
	Level  *int              `json:"level" enum:"1,2,3"`
	Labels map[string]string `json:"labels" maxLength:"3" maxItems:"2"`
	Total  money             `json:"total" doc:"What the client expects to pay."`
	When   *time.Time        `json:"when"`
	Pair   [2]uint8          `json:"pair"`
	Small  int8              `json:"small"`
	First  *line             `json:"first"`
	Any    any               `json:"any"`
	Quoted int               `json:"quoted,string"`
	Ptrs   []*string         `json:"ptrs" minLength:"1"`
	Flag   bool              `json:"flag"`
	F32    float32           `json:"f32"`
}

type page[T any] struct {
	Items []T `json:"items" required:"true"`
}

type order struct {
	ID    string    `json:"id"`
	Lines []line    `json:"lines"`
	Made  time.Time `json:"made"`
}

func (order) Status() int { return 201 }

func document() (*openapi.Document, *http.ServeMux) {
	mux := http.NewServeMux()
	doc := openapi.New(openapi.Config{
		Title: "Orders", Version: "1.2.3", Description: "All about <orders>.",
		Servers:         []openapi.Server{{URL: "https://api.example.com"}},
		SecuritySchemes: map[string]openapi.SecurityScheme{"token": openapi.Bearer("JWT")}, Security: []string{"token"},
	})
	doc.Handle(mux, "POST /shops/{shop}/orders", web.JSON(func(context.Context, placeOrder) (order, error) { return order{}, nil }),
		openapi.Operation{Summary: "Place an order", Tags: []string{"orders"}, Errors: []int{409}})
	doc.Handle(mux, "GET /orders/{id}", web.JSON(func(context.Context, struct {
		ID string `path:"id"`
	}) (*order, error) {
		return nil, nil
	}), openapi.Operation{ID: "getOrder", Errors: []int{404}})
	doc.Handle(mux, "GET /orders/{$}", web.JSON(func(context.Context, struct {
		Limit int `query:"limit" maximum:"100"`
	}) (page[line], error) {
		return page[line]{}, nil
	}))
	doc.Handle(mux, "PUT /lines/{id}", web.JSON(func(context.Context, struct {
		Line line `body:""`
	}) (struct{}, error) {
		return struct{}{}, nil
	}, web.EndpointConfig{RefuseUnknown: true}), openapi.Operation{Security: []string{}, Deprecated: true})
	doc.Handle(mux, "GET /files/{path...}", http.NotFoundHandler())
	return doc, mux
}

func decoded(t testing.TB, doc *openapi.Document) map[string]any {
	t.Helper()
	b, err := doc.JSON()
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	m, ok := v.(map[string]any)
	if !ok {
		t.Fatalf("%s", b)
	}
	return m
}

func dig(t testing.TB, v any, path ...string) any {
	t.Helper()
	for i, p := range path {
		m, ok := v.(map[string]any)
		if !ok || m[p] == nil {
			t.Fatalf("nothing at %q", path[:i+1])
		}
		v = m[p]
	}
	return v
}

func TestTheDocumentSaysWhatTheTypesSay(t *testing.T) {
	doc, _ := document()
	got := decoded(t, doc)
	want, err := os.ReadFile("testdata/orders.json")
	if err != nil {
		t.Fatal(err)
	}
	have, err := doc.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile("testdata/orders.json", have, 0o644); err != nil {
			t.Fatal(err)
		}
	} else if diff := cmp.Diff(string(want), string(have)); diff != "" {
		t.Errorf("testdata/orders.json (UPDATE_GOLDEN=1 writes it anew):\n%s", diff)
	}
	if dig(t, got, "paths", "/orders/", "get", "operationId") != "getOrders_" {
		t.Error("the id of GET /orders/")
	}
}

// Every schema in the document is one of JSON Schema 2020-12, and every reference
// leads somewhere: the compiler checks both.
func compiler(t testing.TB, doc *openapi.Document) *jsonschema.Compiler {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("mem:///openapi.json", decoded(t, doc)); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEverySchemaIsValidAndEveryReferenceLeadsSomewhere(t *testing.T) {
	doc, _ := document()
	c := compiler(t, doc)
	n := 0
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, inner := range v {
				p := at + "/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(k)
				if k == "schema" || strings.HasSuffix(at, "/components/schemas") {
					n++
					if _, err := c.Compile("mem:///openapi.json#" + p); err != nil {
						t.Errorf("%s: %v", p, err)
					}
					continue
				}
				walk(p, inner)
			}
		case []any:
			for i, inner := range v {
				walk(fmt.Sprintf("%s/%d", at, i), inner)
			}
		}
	}
	walk("", decoded(t, doc))
	if n < 15 {
		t.Errorf("only %d schemas found", n)
	}
}

// The rules of the specification that a document of ours could break.
func TestTheDocumentKeepsTheSpecification(t *testing.T) {
	doc, _ := document()
	d := decoded(t, doc)
	if dig(t, d, "openapi") != "3.1.1" || dig(t, d, "info", "title") != "Orders" || dig(t, d, "info", "version") != "1.2.3" {
		t.Error("the required fields of the root")
	}
	ids := map[any]bool{}
	paths, _ := dig(t, d, "paths").(map[string]any)
	for path, methods := range paths {
		if path[0] != '/' {
			t.Errorf("%s does not begin with a slash", path)
		}
		for method, op := range methods.(map[string]any) {
			where := method + " " + path
			if id := dig(t, op, "operationId"); ids[id] {
				t.Errorf("%s: the id %v is used twice", where, id)
			} else {
				ids[id] = true
			}
			if responses, _ := dig(t, op, "responses").(map[string]any); len(responses) == 0 {
				t.Errorf("%s has no response", where)
			} else {
				for status, r := range responses {
					r := r.(map[string]any)
					if r["description"] == nil && r["$ref"] == nil {
						t.Errorf("%s: the response %s has no description", where, status)
					}
				}
			}
			params, _ := op.(map[string]any)["parameters"].([]any)
			inPath, seen := map[string]bool{}, map[string]bool{}
			for _, p := range params {
				name, in := dig(t, p, "name").(string), dig(t, p, "in").(string)
				if seen[in+name] {
					t.Errorf("%s: %s %s is there twice", where, in, name)
				}
				seen[in+name] = true
				if in == "path" {
					inPath[name] = true
					if dig(t, p, "required") != true {
						t.Errorf("%s: the path parameter %s is not required", where, name)
					}
				}
				if in == "header" && name == "Authorization" {
					t.Errorf("%s: a header that the specification ignores", where)
				}
			}
			if n := strings.Count(path, "{"); n != len(inPath) {
				t.Errorf("%s: %d path parameters, %d documented", where, n, len(inPath))
			}
		}
	}
	if len(ids) != 5 {
		t.Errorf("%d operations", len(ids))
	}
}

// What the document promises and what the endpoint does must be the same.
func TestTheEndpointAcceptsWhatTheSchemaAccepts(t *testing.T) {
	doc, mux := document()
	s, err := compiler(t, doc).Compile("mem:///openapi.json#/components/schemas/placeOrderBody")
	if err != nil {
		t.Fatal(err)
	}
	const ok = `"lines":[{"sku":"AB-1"}]`
	accepted := 0
	for _, body := range []string{
		`{` + ok + `}`, `{}`, `{"lines":[]}`, `{"lines":null}`, `{"lines":[{}]}`, `{"lines":[{"sku":"ab"}]}`, `{"lines":{}}`, `[]`, `null`, `1`,
		`{"lines":[{"sku":"AB-1"},{"sku":"AB-1"},{"sku":"AB-1"}]}`, `{"lines":[{"sku":"AB-1"},{"sku":"AB-1"},{"sku":"AB-1"},{"sku":"AB-1"}]}`,
		`{"lines":[{"sku":"AB-1","count":1}]}`, `{"lines":[{"sku":"AB-1","count":0}]}`, `{"lines":[{"sku":"AB-1","count":100}]}`, `{"lines":[{"sku":"AB-1","count":1.5}]}`, `{"lines":[{"sku":"AB-1","count":2.0}]}`, `{"lines":[{"sku":"AB-1","count":1e1}]}`,
		`{"lines":[{"sku":"AB-1","price":0}]}`, `{"lines":[{"sku":"AB-1","price":0.01}]}`, `{"lines":[{"sku":"AB-1","bytes":"aGk="}]}`,
		`{"lines":[{"sku":"AB-1","sub":[{"sku":"AB-2"}]}]}`, `{"lines":[{"sku":"AB-1","sub":[{"sku":"x"}]}]}`, `{"lines":[{"sku":"AB-1","sub":[{},{},{}]}]}`,
		`{` + ok + `,"email":"a@example.com"}`, `{` + ok + `,"email":"a"}`, `{` + ok + `,"email":7}`,
		`{` + ok + `,"kind":"gift"}`, `{` + ok + `,"kind":"loan"}`, `{` + ok + `,"level":2}`, `{` + ok + `,"level":2.5}`, `{` + ok + `,"level":4}`, `{` + ok + `,"level":null}`,
		`{` + ok + `,"labels":{"a":"abc"}}`, `{` + ok + `,"labels":{"a":"abcd"}}`, `{` + ok + `,"labels":{"a":1}}`, `{` + ok + `,"labels":{"a":"","b":"","c":""}}`, `{` + ok + `,"labels":null}`, `{` + ok + `,"labels":[]}`,
		`{` + ok + `,"total":5}`, `{` + ok + `,"total":"5"}`, `{` + ok + `,"when":"2026-01-31T15:04:05Z"}`, `{` + ok + `,"when":"2026-01-31"}`, `{` + ok + `,"when":null}`,
		`{` + ok + `,"pair":[1,255]}`, `{` + ok + `,"pair":[1,256]}`, `{` + ok + `,"pair":[1]}`, `{` + ok + `,"pair":[1,2,3]}`, `{` + ok + `,"pair":[-1,2]}`,
		`{` + ok + `,"small":127}`, `{` + ok + `,"small":128}`, `{` + ok + `,"small":-129}`, `{` + ok + `,"first":{"sku":"AB-1"}}`, `{` + ok + `,"first":{}}`, `{` + ok + `,"first":null}`,
		`{` + ok + `,"any":[null,{}]}`, `{` + ok + `,"any":null}`, `{` + ok + `,"quoted":"5"}`, `{` + ok + `,"quoted":5}`, `{` + ok + `,"ptrs":["a",null]}`, `{` + ok + `,"ptrs":[""]}`, `{` + ok + `,"ptrs":null}`,
		`{` + ok + `,"flag":true}`, `{` + ok + `,"flag":"true"}`, `{` + ok + `,"f32":1.5}`, `{` + ok + `,"f32":[]}`, `{` + ok + `,"unknown":1}`,
	} {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		promised := s.Validate(v)
		r := httptest.NewRequest("POST", "/shops/a/orders", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", "0192f0c4-0000-7000-8000-000000000000")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		if (promised == nil) != (w.Code == 201) || w.Code != 201 && w.Code != 422 {
			t.Errorf("%s\nthe schema says %v\nthe endpoint %d %s", body, promised, w.Code, w.Body)
		}
		if w.Code == 201 {
			accepted++
			checkResult(t, doc, w.Body.Bytes())
		}
	}
	if accepted < 20 {
		t.Errorf("only %d bodies were accepted: the test lost its sense", accepted)
	}
}

// checkResult holds a response against its schema, the nulls of nil slices included.
func checkResult(t *testing.T, doc *openapi.Document, body []byte) {
	t.Helper()
	s, err := compiler(t, doc).Compile("mem:///openapi.json#/components/schemas/order")
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(v); err != nil {
		t.Errorf("%s: %v", body, err)
	}
}

func TestUnknownMembersAreRefusedInTheDocumentToo(t *testing.T) {
	doc, _ := document()
	for name, v := range dig(t, decoded(t, doc), "components", "schemas").(map[string]any) {
		extra, has := v.(map[string]any)["additionalProperties"]
		if (name == "line2") != (has && extra == false) {
			t.Errorf("%s: additionalProperties is %v", name, extra)
		}
	}
}

// The official meta-schema is not in this repository. With a copy of
// https://spec.openapis.org/oas/3.1/schema-base at hand, this holds the document
// against it.
func TestTheDocumentFitsTheOfficialMetaSchema(t *testing.T) {
	file := os.Getenv("OPENAPI_META_SCHEMA")
	if file == "" {
		t.Skip("OPENAPI_META_SCHEMA does not name a copy of the OpenAPI 3.1 meta-schema, https://spec.openapis.org/oas/3.1/schema")
	}
	s, err := jsonschema.NewCompiler().Compile(file)
	if err != nil {
		t.Fatal(err)
	}
	doc, _ := document()
	if err := s.Validate(decoded(t, doc)); err != nil {
		t.Error(err)
	}
	broken := decoded(t, doc)
	delete(broken, "info")
	if s.Validate(broken) == nil {
		t.Error("the meta-schema accepts a document without info")
	}
}

func TestTheDocumentPassesOpenapiSpecValidator(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err == nil {
		err = exec.Command(python, "-c", "import openapi_spec_validator").Run()
	}
	if err != nil {
		t.Skip("Python's openapi-spec-validator is not installed: pip install openapi-spec-validator")
	}
	doc, _ := document()
	b, err := doc.JSON()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "openapi.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(python, "-m", "openapi_spec_validator", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

type behind struct{ http.Handler }

func (b behind) Unwrap() http.Handler { return b.Handler }

func TestAnEndpointIsFoundBehindHandlersThatLetItBeSeen(t *testing.T) {
	doc := openapi.New(openapi.Config{})
	e := web.JSON(func(context.Context, struct {
		Q string `query:"q"`
	}) (struct{}, error) {
		return struct{}{}, nil
	})
	doc.AddAll(func(yield func(string, http.Handler) bool) {
		_ = yield("GET /a", behind{behind{e}}) && yield("GET /b", behind{http.NotFoundHandler()})
	})
	d := decoded(t, doc)
	if p := dig(t, d, "paths", "/a", "get", "parameters").([]any); len(p) != 1 {
		t.Errorf("%v", p)
	}
	if dig(t, d, "paths", "/b", "get", "responses", "default", "description") != "Not described." {
		t.Error("/b")
	}
	if dig(t, d, "info", "title") != "API" || dig(t, d, "info", "version") != "0" {
		t.Error("the defaults")
	}
}

func TestPatternsOfPackageRouter(t *testing.T) {
	rt := router.New(router.Config{})
	doc := openapi.New(openapi.Config{})
	doc.Handle(rt, "GET /files/{file-key+}", web.JSON(func(_ context.Context, in struct {
		Key string `path:"file-key"`
	}) (string, error) {
		return in.Key, nil
	}))
	p := dig(t, decoded(t, doc), "paths", "/files/{file-key}", "get", "parameters").([]any)
	if len(p) != 1 || dig(t, p[0], "name") != "file-key" {
		t.Errorf("%v", p)
	}
	for path, want := range map[string]string{
		"/files/a/b": `"a/b"`,
		"/files/":    `{"title":"Unprocessable Entity","status":422,"detail":"One field is invalid.","errors":[{"parameter":"file-key","in":"path","detail":"is required"}]}`,
	} {
		w := httptest.NewRecorder()
		rt.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if strings.TrimSpace(w.Body.String()) != want {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestMisuseIsFoundAtColdStart(t *testing.T) {
	e := web.JSON(func(context.Context, struct {
		ID string `path:"id"`
	}) (struct{}, error) {
		return struct{}{}, nil
	})
	for _, c := range []struct {
		want string
		f    func(*openapi.Document)
	}{
		{"has no method", func(d *openapi.Document) { d.Add("/a/{id}", e) }},
		{"the operation ID", func(d *openapi.Document) { d.Add("GET /a/b", behind{}); d.Add("GET /a-b", behind{}) }},
		{"has no method", func(d *openapi.Document) { d.Add("ANY /a/{id}", e) }},
		{"has no path", func(d *openapi.Document) { d.Add("GET x", e) }},
		{"OpenAPI does not know", func(d *openapi.Document) { d.Add("BREW /a/{id}", e) }},
		{"twice", func(d *openapi.Document) { d.Add("GET /a/{id}", e); d.Add("GET /a/{id}", e) }},
		{`binds the path parameter "id"`, func(d *openapi.Document) { d.Add("GET /a/{other}", e) }},
		{"one Operation", func(d *openapi.Document) { d.Add("GET /a/{id}", e, openapi.Operation{}, openapi.Operation{}) }},
		{"security scheme", func(d *openapi.Document) { d.Add("GET /a/{id}", e, openapi.Operation{Security: []string{"x"}}) }},
		{"Config.Security", func(*openapi.Document) { openapi.New(openapi.Config{Security: []string{"x"}}) }},
		{"interface with methods", func(d *openapi.Document) {
			d.Add("GET /a", web.JSON(func(context.Context, struct{}) (map[string]fmt.Stringer, error) { return nil, nil }))
		}},
	} {
		func() {
			defer func() {
				if said := fmt.Sprint(recover()); !strings.Contains(said, c.want) {
					t.Errorf("got %s, want %s", said, c.want)
				}
			}()
			c.f(openapi.New(openapi.Config{}))
		}()
	}
}

func TestServing(t *testing.T) {
	doc, _ := document()
	get := func(method, etag string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/openapi.json", nil)
		if etag != "" {
			r.Header.Set("If-None-Match", etag)
		}
		w := httptest.NewRecorder()
		doc.ServeHTTP(w, r)
		return w
	}
	full := get("GET", "")
	etag := full.Header().Get("Etag")
	if full.Code != 200 || full.Header().Get("Content-Type") != "application/json" || !json.Valid(full.Body.Bytes()) || len(etag) != 26 {
		t.Errorf("GET: %d %v", full.Code, full.Header())
	}
	if w := get("HEAD", ""); w.Code != 200 || w.Body.Len() != 0 || w.Header().Get("Content-Length") != fmt.Sprint(full.Body.Len()) {
		t.Errorf("HEAD: %d %v", w.Code, w.Header())
	}
	if w := get("GET", etag); w.Code != 304 || w.Body.Len() != 0 {
		t.Errorf("not modified: %d", w.Code)
	}
	if w := get("POST", ""); w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d", w.Code)
	}
	doc.Add("GET /more", http.NotFoundHandler())
	if w := get("GET", etag); w.Code != 200 || !strings.Contains(w.Body.String(), "/more") {
		t.Errorf("after a change: %d", w.Code)
	}
}

func TestTheOrderOfAddingDoesNotMatter(t *testing.T) {
	patterns := []string{"GET /a", "GET /b", "POST /a", "DELETE /c/{id}"}
	var first []byte
	for range patterns {
		patterns = append(patterns[1:], patterns[0])
		doc := openapi.New(openapi.Config{})
		for _, p := range patterns {
			doc.Add(p, http.NotFoundHandler())
		}
		b, err := doc.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if first != nil && !slices.Equal(first, b) {
			t.Errorf("%s\n%s", first, b)
		}
		first = b
	}
}

func Example() {
	type input struct {
		ID    string `path:"id" format:"uuid"`
		Limit int    `query:"limit" minimum:"1" default:"20"`
	}
	mux := http.NewServeMux()
	doc := openapi.New(openapi.Config{Title: "Orders", Version: "1.0.0"})
	doc.Handle(mux, "GET /orders/{id}/lines", web.JSON(func(context.Context, input) ([]string, error) { return nil, nil }))
	mux.Handle("GET /openapi.json", doc)

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("GET", "/openapi.json", nil))
	var got struct {
		Paths map[string]map[string]struct{ Parameters json.RawMessage }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		panic(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, got.Paths["/orders/{id}/lines"]["get"].Parameters); err != nil {
		panic(err)
	}
	fmt.Println(compact.String())
	// Output:
	// [{"name":"id","in":"path","required":true,"schema":{"type":"string","format":"uuid"}},{"name":"limit","in":"query","schema":{"type":"integer","format":"int64","minimum":1,"default":20}}]
}

type part struct {
	Next *part    `json:"next"`
	Ref  *string  `json:"ref" required:"true"`
	Tags []string `json:"tags" required:"true"`
	Gone *string  `json:"gone,omitempty" required:"true"`
	Name string   `json:"name" required:"true" pattern:"(?P<a>\\A\\w)\\z"`
	Any  string   `json:"any" pattern:"(?i)a"`
}

// A result may have a null, or nothing, where a request must have a value.
func TestAResultIsDescribedAsItIsWritten(t *testing.T) {
	t.Parallel()
	type in struct {
		Part  part           `json:"part"`
		Codes map[int]string `json:"codes"`
		Zones map[uint8]bool `json:"zones"`
	}
	doc := openapi.New(openapi.Config{})
	doc.Add("POST /parts", web.JSON(func(context.Context, in) (*part, error) { return &part{}, nil }))
	doc.Add("GET /parts", web.JSON(func(context.Context, struct{}) ([]string, error) { return nil, nil }))
	b, err := doc.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var got any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	schemas := dig(t, got, "components", "schemas")
	text := func(v any) string {
		b, _ := json.Marshal(v)
		return string(b)
	}
	for _, c := range []struct {
		what string
		got  any
		want string
	}{
		{"a request's required members", dig(t, schemas, "part", "required"), `["ref","tags","gone","name"]`},
		{"a result's required members", dig(t, schemas, "partResult", "required"), `["ref","tags","name"]`},
		{"a pointer that a request must have", dig(t, schemas, "part", "properties", "ref", "type"), `"string"`},
		{"a pointer that a result may lack", dig(t, schemas, "partResult", "properties", "ref", "type"), `["string","null"]`},
		{"a slice that a result may lack", dig(t, schemas, "partResult", "properties", "tags", "type"), `["array","null"]`},
		{"a type in itself", dig(t, schemas, "partResult", "properties", "next"), `{"anyOf":[{"$ref":"#/components/schemas/partResult"},{"type":"null"}]}`},
		{"a result that is a pointer", dig(t, got, "paths", "/parts", "post", "responses", "200", "content", "application/json", "schema"), `{"anyOf":[{"$ref":"#/components/schemas/partResult"},{"type":"null"}]}`},
		{"a result that is a slice", dig(t, got, "paths", "/parts", "get", "responses", "200", "content", "application/json", "schema", "type"), `["array","null"]`},
		{"a pattern in JavaScript's syntax", dig(t, schemas, "part", "properties", "name", "pattern"), `"(?\u003ca\u003e^\\w)$"`},
		{"a pattern that JavaScript has not", dig(t, schemas, "part", "properties", "any"), `{"type":"string"}`},
		{"a map of integers", dig(t, schemas, "in", "properties", "codes"), `{"additionalProperties":{"type":["string","null"]},"propertyNames":{"pattern":"^[-+]?[0-9]+$"},"type":["object","null"]}`},
		{"a map of unsigned ones", dig(t, schemas, "in", "properties", "zones", "propertyNames"), `{"pattern":"^[0-9]+$"}`},
	} {
		if text(c.got) != c.want {
			t.Errorf("%s: got %s, want %s", c.what, text(c.got), c.want)
		}
	}
}

func TestTheDocumentIsRevalidated(t *testing.T) {
	t.Parallel()
	doc := openapi.New(openapi.Config{})
	for name, h := range map[string]http.Handler{"bare": doc, "compressed": compress.New(compress.Config{})(doc)} {
		get := func(ifNoneMatch string) *httptest.ResponseRecorder {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Accept-Encoding", "gzip")
			if ifNoneMatch != "" {
				r.Header.Set("If-None-Match", ifNoneMatch)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w
		}
		tag := get("").Header().Get("Etag")
		for ask, want := range map[string]int{tag: 304, "W/" + strings.TrimPrefix(tag, "W/"): 304, `"x", ` + tag: 304, "*": 304, `"x"`: 200, `W/"x", "y"`: 200} {
			if w := get(ask); w.Code != want || want == 304 && w.Body.Len() > 0 {
				t.Errorf("%s, If-None-Match %s: got %d with %d bytes, want %d", name, ask, w.Code, w.Body.Len(), want)
			}
		}
	}
}
