package validate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gomiddy/middy/middytest"
	"github.com/gomiddy/middy/web"
)

const orderSchema = `{"type":"object","required":["id"],"properties":{"id":{"type":"integer"},"items":{"type":"array","items":{"type":"object","properties":{"price":{"type":"number","minimum":0}}}},"tag":{"type":"string","default":"none"}},"additionalProperties":false}`

type outcome struct {
	status int
	header http.Header
	body   string
	err    error
	in     *Input
	read   string
}

// serve routes a request through mw, and keeps what all sides saw.
func serve(cfg Config, r *http.Request) outcome {
	var o outcome
	mux := http.NewServeMux()
	mux.Handle("/orders/{id}", New(cfg)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.in, _ = FromContext(r.Context())
		b, _ := io.ReadAll(r.Body)
		o.read = string(b)
		if int64(len(b)) != r.ContentLength && r.ContentLength >= 0 {
			panic("the body is not as long as it says")
		}
	})))
	r = r.WithContext(web.WithErrorWriter(r.Context(), func(w http.ResponseWriter, r *http.Request, err error) {
		o.err = err
		web.WriteProblem(w, r, err)
	}))
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	o.status, o.header, o.body = w.Code, w.Header(), w.Body.String()
	return o
}

func post(target, contentType, body string) *http.Request {
	r := httptest.NewRequest("POST", target, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	return r
}

func TestRequests(t *testing.T) {
	body := Config{Body: []byte(orderSchema)}
	coerced := Config{Body: []byte(orderSchema), Coerce: true}
	all := Config{
		Body:   []byte(orderSchema),
		Path:   []byte(`{"type":"object","required":["id"],"properties":{"id":{"type":"integer"}}}`),
		Query:  []byte(`{"type":"object","required":["limit"],"properties":{"limit":{"type":"integer","maximum":100},"tags":{"type":"array","items":{"type":"string","minLength":2}},"a/b":{"type":"boolean"}},"additionalProperties":false}`),
		Header: []byte(`{"type":"object","required":["X-Tenant"],"properties":{"X-Tenant":{"type":"string"},"x-level":{"type":"integer"},"Host":{"type":"string","pattern":"^example"}},"additionalProperties":false}`),
	}
	tenant := func(r *http.Request) *http.Request { r.Header.Set("x-TENANT", "t1"); return r }
	for _, c := range []struct {
		rule   string
		cfg    Config
		r      *http.Request
		status int
		errors string // of the problem, JSON
		read   string // by the handler
		in     string // JSON
	}{
		{rule: "valid", cfg: body, r: post("/orders/1", "application/json", ` {"id": 1}`), status: 200, read: ` {"id": 1}`},
		{rule: "a media type of JSON", cfg: body, r: post("/orders/1", "application/vnd.api+json; charset=utf-8", `{"id":1}`), status: 200, read: `{"id":1}`},
		{rule: "another media type", cfg: body, r: post("/orders/1", "text/plain", `{"id":1}`), status: 415},
		{rule: "no media type", cfg: body, r: post("/orders/1", "", `{"id":1}`), status: 415},
		{rule: "every finding", cfg: body, r: post("/orders/1", "application/json", `{"items":[{"price":-1},{"price":"x"}],"a b":1}`), status: 400,
			errors: `[{"pointer":"#/id","detail":"must have required property 'id'"},{"pointer":"#/a%20b","detail":"must NOT have additional properties"},{"pointer":"#/items/0/price","detail":"must be \u003e= 0"},{"pointer":"#/items/1/price","detail":"must be number"}]`},
		{rule: "a body is not coerced", cfg: body, r: post("/orders/1", "application/json", `{"id":"1"}`), status: 400, errors: `[{"pointer":"#/id","detail":"must be integer"}]`},
		{rule: "unless it shall be", cfg: coerced, r: post("/orders/1", "application/json", `{"id":"9007199254740993","tag":""}`), status: 200, read: `{"id":9007199254740993,"tag":"none"}`},
		{rule: "a message of the schema's own", cfg: Config{Body: []byte(`{"type":"object","required":["a","b"],"errorMessage":{"required":{"a":"a, please"},"_":"no"}}`)}, r: post("/orders/1", "application/json", `{}`), status: 400,
			errors: `[{"pointer":"#/a","detail":"a, please"},{"pointer":"#/b","detail":"no"}]`},
		{rule: "the whole body is wrong", cfg: body, r: post("/orders/1", "application/json", `[]`), status: 400, errors: `[{"pointer":"#","detail":"must be object"}]`},
		{rule: "not JSON", cfg: body, r: post("/orders/1", "application/json", `{"id":`), status: 422},
		{rule: "nothing", cfg: body, r: post("/orders/1", "application/json", ``), status: 422},
		{rule: "more than one", cfg: body, r: post("/orders/1", "application/json", `{"id":1}{}`), status: 422},
		{rule: "a byte order mark", cfg: body, r: post("/orders/1", "application/json", "\ufeff{}"), status: 422},
		{rule: "too large", cfg: Config{Body: []byte(`true`), MaxBodyBytes: 10}, r: post("/orders/1", "application/json", `"12345678 "`), status: 413},
		{rule: "just not", cfg: Config{Body: []byte(`true`), MaxBodyBytes: 10}, r: post("/orders/1", "application/json", `"12345678"`), status: 200, read: `"12345678"`},
		{rule: "too large, without a length", cfg: Config{Body: []byte(`true`), MaxBodyBytes: 10}, r: func() *http.Request {
			r := post("/orders/1", "application/json", `"12345678 "`)
			r.ContentLength = -1
			return r
		}(), status: 413},
		{rule: "too large for somebody outside", cfg: body, r: func() *http.Request {
			r := post("/orders/1", "application/json", `"12345678 "`)
			r.Body = http.MaxBytesReader(nil, r.Body, 5)
			return r
		}(), status: 413},
		{rule: "a connection that breaks", cfg: body, r: func() *http.Request {
			r := post("/orders/1", "application/json", ``)
			r.Body, r.ContentLength = io.NopCloser(broken{}), -1
			return r
		}(), status: 400},
		{rule: "too deep", cfg: body, r: post("/orders/1", "application/json", strings.Repeat("[", 65)), status: 400},
		{rule: "deep in a string is not deep", cfg: Config{Body: []byte(`true`), MaxDepth: 1}, r: post("/orders/1", "application/json", `["\"[[[[", "]"]`), status: 200, read: `["\"[[[[", "]"]`},
		{rule: "a number out of range", cfg: body, r: post("/orders/1", "application/json", `{"id":1e999999999}`), status: 400},
		{rule: "all parts", cfg: all, r: tenant(post("http://example.com/orders/7?limit=5&tags=ab&tags=cd&a/b=true", "application/json", `{"id":1}`)), status: 200, read: `{"id":1}`,
			in: `{"Body":{"id":1},"Query":{"a/b":true,"limit":5,"tags":["ab","cd"]},"Path":{"id":7},"Header":{"Host":"example.com","X-Tenant":"t1"}}`},
		{rule: "one value for a list", cfg: all, r: tenant(post("http://example.com/orders/7?limit=5&tags=ab", "application/json", `{"id":1}`)), status: 200, read: `{"id":1}`,
			in: `{"Body":{"id":1},"Query":{"limit":5,"tags":["ab"]},"Path":{"id":7},"Header":{"Host":"example.com","X-Tenant":"t1"}}`},
		{rule: "all parts are wrong", cfg: all, r: post("http://evil/orders/x?limit=101&limit=5&tags=a&tags=bc&a/b=1&z=1", "application/json", `{"id":"x"}`), status: 400,
			errors: `[{"parameter":"id","in":"path","detail":"must be integer"},{"parameter":"z","in":"query","detail":"must NOT have additional properties"},{"parameter":"limit","in":"query","detail":"must be integer"},{"parameter":"tags","in":"query","detail":"0 must NOT have fewer than 2 characters"},{"parameter":"a/b","in":"query","detail":"must be boolean"},{"parameter":"X-Tenant","in":"header","detail":"must have required property 'X-Tenant'"},{"parameter":"Host","in":"header","detail":"must match pattern \"^example\""},{"pointer":"#/id","detail":"must be integer"}]`},
		{rule: "a query with an escape that is none", cfg: all, r: tenant(post("http://example.com/orders/7?limit=%zz", "application/json", `{"id":1}`)), status: 400, errors: `[{"parameter":"limit","in":"query","detail":"must be integer"}]`},
		{rule: "more parameters than net/url reads", cfg: all, r: tenant(post("http://example.com/orders/7?limit=1"+strings.Repeat("&a", 20000), "application/json", `{"id":1}`)), status: 400},
		{rule: "a number of a query out of range", cfg: Config{Query: []byte(`{"type":"object","properties":{"n":{"type":"number"}}}`)}, r: post("/orders/1?n=1e999", "", ""), status: 400, errors: `[{"parameter":"n","in":"query","detail":"must be number"}]`},
	} {
		t.Run(c.rule, func(t *testing.T) {
			got := serve(c.cfg, c.r)
			if got.status != c.status || c.status == 200 && got.read != c.read {
				t.Fatalf("got %d %s, the handler read %q", got.status, got.body, got.read)
			}
			var problem struct{ Errors json.RawMessage }
			if c.status != 200 {
				if err := json.Unmarshal([]byte(got.body), &problem); err != nil {
					t.Fatal(err)
				}
			}
			if string(problem.Errors) != c.errors {
				t.Fatalf("errors\n got %s\nwant %s", problem.Errors, c.errors)
			}
			if e, ok := errors.AsType[*Error](got.err); (ok != (c.errors != "")) || ok && (len(e.Findings) == 0 || !strings.Contains(e.Error(), "the request does not match")) {
				t.Fatalf("the reason is %v", got.err)
			}
			if c.in != "" {
				if b, _ := json.Marshal(got.in); string(b) != c.in {
					t.Fatalf("input\n got %s\nwant %s", b, c.in)
				}
			}
		})
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("reset") }

func TestResponses(t *testing.T) {
	write := func(status int, contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("Etag", `"1"`)
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	for _, c := range []struct {
		rule, method string
		h            http.HandlerFunc
		status       int
		body         string // of a 2xx
		logged       string
	}{
		{"valid", "GET", write(201, "application/json", `{"id":1}`), 201, `{"id":1}`, ""},
		{"invalid", "GET", write(200, "application/json", `{"id":"canary"}`), 500, "", "does not match its schema"},
		{"not coerced", "GET", write(200, "application/json", `{"id":"1"}`), 500, "", "must be integer"},
		{"not JSON", "GET", write(200, "application/json", `{`), 500, "", "unexpected end"},
		{"another type", "GET", write(200, "text/html", `<p>`), 500, "", "text/html"},
		{"too deep", "GET", write(200, "application/json", strings.Repeat("[", 100)), 500, "", "too deeply"},
		{"out of range", "GET", write(200, "application/json", `{"id":1e999}`), 500, "", "out of range"},
		{"an error of the handler's own", "GET", write(404, "text/plain", `no`), 404, "no", ""},
		{"a redirect", "GET", write(302, "", ""), 302, "", ""},
		{"no content", "DELETE", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, 204, "", ""},
		{"HEAD", "HEAD", write(200, "application/json", ""), 200, "", ""},
		{"a stream passes, and is told of", "GET", func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "data: 1\n\n")
			w.(http.Flusher).Flush()
		}, 200, "data: 1\n\n", "was not validated"},
		{"a large one as well", "GET", write(200, "application/json", strings.Repeat("x", 200)), 200, strings.Repeat("x", 200), "was not validated"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			var log bytes.Buffer
			mw := New(Config{Response: []byte(orderSchema), MaxResponseBytes: 150, Log: slog.New(slog.NewTextHandler(&log, nil))})
			w := httptest.NewRecorder()
			mw(c.h).ServeHTTP(w, httptest.NewRequest(c.method, "/", nil))
			if w.Code != c.status || w.Code < 500 && w.Body.String() != c.body {
				t.Fatalf("got %d %s", w.Code, w.Body)
			}
			if w.Code == 500 && (w.Header().Get("Etag") != "" || strings.Contains(w.Body.String(), "errors")) {
				t.Fatalf("got %v %s", w.Header(), w.Body)
			}
			if !strings.Contains(log.String(), c.logged) || (c.logged == "") != (log.Len() == 0) || strings.Contains(log.String(), "canary") {
				t.Fatalf("logged %s", &log)
			}
		})
	}
}

func TestMessage(t *testing.T) {
	texts := map[string]string{"en": "must have required property %s", "fr": "requiert la propriété %s", "zh": "应当有必需属性 %s", "zh-TW": "應該有必須屬性 %s", "pt-BR": "deve ter a propriedade obrigatória %s"}
	cfg := Config{Body: []byte(`{"type":"object","required":["foo"]}`), Message: func(r *http.Request, f Finding) string {
		return fmt.Sprintf(texts[r.Header.Get("Accept-Language")], f.Params["missingProperty"])
	}}
	for language, text := range texts {
		r := post("/orders/1", "application/json", `{}`)
		r.Header.Set("Accept-Language", language)
		if got := serve(cfg, r); got.status != 400 || !strings.Contains(got.body, fmt.Sprintf(text, "foo")) {
			t.Errorf("%s: %s", language, got.body)
		}
	}
}

func TestInLambda(t *testing.T) {
	h := web.Handler(New(Config{Body: []byte(orderSchema), Coerce: true, Query: []byte(`{"type":"object","properties":{"n":{"type":"integer"}}}`)})(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			in, _ := FromContext(r.Context())
			fmt.Fprint(w, "n is ", in.Query["n"], "; ")
			io.Copy(w, r.Body)
		})))
	event := `{"version":"2.0","rawPath":"/","rawQueryString":"n=5","headers":{"content-type":"application/json"},"body":%q,"requestContext":{"http":{"method":"POST","path":"/"}}}`
	if got := string(middytest.Respond(t, h, fmt.Appendf(nil, event, `{"id":"1"}`))); !strings.Contains(got, `n is 5; {\"id\":1,\"tag\":\"none\"}`) {
		t.Errorf("got %s", got)
	}
	if got := string(middytest.Respond(t, h, fmt.Appendf(nil, event, `{"id":"x"}`))); !strings.Contains(got, `400`) || !strings.Contains(got, `#/id`) {
		t.Errorf("got %s", got)
	}
}

func TestConfigReportsEverySchema(t *testing.T) {
	err := Config{Body: []byte(`{"x":1}`), Query: []byte(`{`), Response: []byte(`{"type":"x"}`), MaxDepth: -1}.Validate()
	for _, want := range []string{"Body:", "Query:", "Response:", "MaxDepth"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %s in %v", want, err)
		}
	}
	if err := (Config{}).Validate(); err != nil {
		t.Error(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("New did not panic")
		}
	}()
	New(Config{Body: []byte(`{`)})
}

func TestConcurrentRequests(t *testing.T) {
	h := New(Config{Body: []byte(orderSchema), Coerce: true})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, r.Body)
	}))
	done := make(chan string)
	for i := range 8 {
		go func() {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, post("/", "application/json", fmt.Sprintf(`{"id":"%d"}`, i)))
			done <- strings.TrimPrefix(w.Body.String(), fmt.Sprintf(`{"id":%d,"tag":"none"}`, i))
		}()
	}
	for range 8 {
		if rest := <-done; rest != "" {
			t.Error(rest)
		}
	}
}

func FuzzRequest(f *testing.F) {
	mw := New(Config{
		Body:  []byte(orderSchema),
		Query: []byte(`{"type":"object","properties":{"n":{"type":"integer"},"t":{"type":"array","items":{"type":"boolean"}}}}`),
	})
	f.Add("n=1&t=true", "application/json", []byte(`{"id":1}`))
	f.Add("%", "application/json;", []byte(`{"id":"\ud800"}`))
	f.Add("t=&t=", "a/b+json", []byte("[[[["))
	f.Fuzz(func(t *testing.T, query, contentType string, body []byte) {
		r := httptest.NewRequest("POST", "/", bytes.NewReader(body))
		r.URL.RawQuery = query
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		mw(http.NotFoundHandler()).ServeHTTP(w, r)
		if w.Code < 400 || w.Code >= 500 || !json.Valid(w.Body.Bytes()) && w.Code != 404 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	})
}
