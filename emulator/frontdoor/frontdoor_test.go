package frontdoor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/gomiddy/middy/emulator/frontdoor"
	"github.com/gomiddy/middy/emulator/internal/testfn"
	"github.com/gomiddy/middy/emulator/runtimeapi"
)

var fnBinary string

func TestMain(m *testing.M) { testfn.Main(m, &fnBinary) }

// A double is a function that keeps the event and answers with one result.
type double struct {
	result string
	resp   *runtimeapi.Response
	err    error
	event  []byte
	req    runtimeapi.Request
}

func (d *double) Invoke(_ context.Context, req runtimeapi.Request) (*runtimeapi.Response, error) {
	d.event, d.req = req.Payload, req
	if d.resp != nil || d.err != nil {
		return d.resp, d.err
	}
	return &runtimeapi.Response{Payload: []byte(d.result)}, nil
}

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func request(method, target, body string, header http.Header) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host, r.RemoteAddr = "localhost:3000", "127.0.0.1:50000"
	for k, v := range header {
		r.Header[k] = v
	}
	r.Header.Set("X-Amzn-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1")
	return r
}

// fixed gives a door a known request id.
type fixed struct{ frontdoor.Door }

func (fixed) NewID() string { return "JKJaXmPLvHcESHA=" }

func send(door frontdoor.Door, fn runtimeapi.Invoker, r *http.Request) (*httptest.ResponseRecorder, []error) {
	var warnings []error
	h := frontdoor.New(frontdoor.Config{
		Function: fn, Door: door, Now: func() time.Time { return noon },
		Warn: func(_ string, err error) { warnings = append(warnings, err) },
	})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w, warnings
}

func TestTheWholeEventOfAnHTTPAPI(t *testing.T) {
	fn := &double{result: `{"statusCode":204}`}
	r := request("POST", "/prod/orders/4%2F2%20b?a=1&a=2&b=%C3%A4+c&e", `{"x":1}`, http.Header{
		"Content-Type": {"application/json"}, "X-Many": {"one", "two, three"}, "User-Agent": {"curl/8"},
		"Cookie": {"a=1; b=2", "c=3"}, "Connection": {"keep-alive"}, "X-Forwarded-For": {"10.0.0.1"},
	})
	send(fixed{frontdoor.HTTPAPI{
		Stage: "prod", StageVariables: map[string]string{"color": "blue"}, Routes: []string{"POST /orders/{id}"},
		Authorizer: map[string]any{"jwt": map[string]any{"scopes": nil}},
	}}, fn, r)
	want := `{"version":"2.0","routeKey":"POST /orders/{id}","rawPath":"/prod/orders/4/2 b","rawQueryString":"a=1&a=2&b=%C3%A4+c&e",` +
		`"cookies":["a=1","b=2","c=3"],` +
		`"headers":{"content-length":"7","content-type":"application/json","host":"localhost:3000","user-agent":"curl/8",` +
		`"x-amzn-trace-id":"Root=1-5759e988-bd862e3fe1be46a994272793","x-forwarded-for":"10.0.0.1, 127.0.0.1","x-forwarded-port":"3000","x-forwarded-proto":"http","x-many":"one,two, three"},` +
		`"queryStringParameters":{"a":"1,2","b":"ä c","e":""},` +
		`"requestContext":{"accountId":"000000000000","apiId":"local","authorizer":{"jwt":{"scopes":null}},"domainName":"localhost","domainPrefix":"localhost",` +
		`"http":{"method":"POST","path":"/prod/orders/4/2 b","protocol":"HTTP/1.1","sourceIp":"127.0.0.1","userAgent":"curl/8"},` +
		`"requestId":"JKJaXmPLvHcESHA=","routeKey":"POST /orders/{id}","stage":"prod","time":"25/Nov/2026:12:00:00 +0000","timeEpoch":1795608000000},` +
		`"body":"{\"x\":1}","pathParameters":{"id":"4/2 b"},"isBase64Encoded":false,"stageVariables":{"color":"blue"}}`
	if string(fn.event) != want {
		t.Errorf("got  %s\nwant %s", fn.event, want)
	}
	if fn.req.TraceID != "Root=1-5759e988-bd862e3fe1be46a994272793" || fn.req.Stream {
		t.Errorf("%+v", fn.req)
	}
	dec := json.NewDecoder(bytes.NewReader(fn.event))
	dec.DisallowUnknownFields()
	if err := dec.Decode(new(events.APIGatewayV2HTTPRequest)); err != nil {
		t.Errorf("aws-lambda-go's type does not know the event: %v", err)
	}
}

func TestWhatAnEmptyRequestLeavesOut(t *testing.T) {
	for name, door := range map[string]frontdoor.Door{"HTTP API": frontdoor.HTTPAPI{}, "function URL": frontdoor.FunctionURL{}} {
		fn := &double{}
		send(door, fn, request("GET", "/", "", nil))
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(fn.event, &fields); err != nil {
			t.Fatal(err)
		}
		for _, absent := range []string{"cookies", "queryStringParameters", "body", "pathParameters", "stageVariables"} {
			if v, ok := fields[absent]; ok {
				t.Errorf("%s: %s is %s, want absent", name, absent, v)
			}
		}
		if string(fields["rawQueryString"]) != `""` || string(fields["routeKey"]) != `"$default"` || string(fields["isBase64Encoded"]) != "false" {
			t.Errorf("%s: %s", name, fn.event)
		}
	}
}

func TestTheContextOfAFunctionURL(t *testing.T) {
	fn := &double{}
	send(frontdoor.FunctionURL{}, fn, request("GET", "/a%20b", "", http.Header{"Cookie": {"a=1", "b=2"}}))
	var e events.LambdaFunctionURLRequest
	if err := json.Unmarshal(fn.event, &e); err != nil {
		t.Fatal(err)
	}
	c := e.RequestContext
	if e.RawPath != "/a%20b" || c.HTTP.Path != "/a b" || e.Headers["cookie"] != "a=1; b=2" || len(e.Cookies) != 2 {
		t.Errorf("rawPath %q, path %q, cookie %q, cookies %q; want rawPath as sent, path decoded, and the cookies twice", e.RawPath, c.HTTP.Path, e.Headers["cookie"], e.Cookies)
	}
	if c.AccountID != "anonymous" || len(c.RequestID) != 36 || c.TimeEpoch != noon.UnixMilli() || c.Authorizer != nil {
		t.Errorf("%+v", e)
	}
}

func TestTheBodyIsTextOrBase64ByItsContentType(t *testing.T) {
	for _, tt := range []struct{ contentType, body, want string }{
		{"application/json", `{}`, `{}`},
		{"application/json; charset=utf-8", `{}`, `{}`},
		{"application/problem+json", `{}`, `{}`},
		{"text/html", `<p>`, `<p>`},
		{"application/xml", `<p/>`, `<p/>`},
		{"image/svg+xml", `<p/>`, `<p/>`},
		{"application/javascript", `1`, `1`},
		{"", `plain`, `base64 cGxhaW4=`},
		{"application/x-www-form-urlencoded", `a=1`, `base64 YT0x`},
		{"application/octet-stream", `abc`, `base64 YWJj`},
		{"image/png", `abc`, `base64 YWJj`},
		{"text/plain", "\xff", `base64 /w==`},
		{"application/json", ``, ``},
	} {
		fn := &double{}
		h := http.Header{}
		if tt.contentType != "" {
			h.Set("Content-Type", tt.contentType)
		}
		send(frontdoor.HTTPAPI{}, fn, request("POST", "/", tt.body, h))
		var e events.APIGatewayV2HTTPRequest
		if err := json.Unmarshal(fn.event, &e); err != nil {
			t.Fatal(err)
		}
		got := e.Body
		if e.IsBase64Encoded {
			got = "base64 " + got
		}
		if got != tt.want {
			t.Errorf("%q %q: got %q, want %q", tt.contentType, tt.body, got, tt.want)
		}
	}
}

func TestTheMostSpecificRouteIsTaken(t *testing.T) {
	door := frontdoor.HTTPAPI{Routes: []string{
		"$default", "ANY /{proxy+}", "GET /orders/{id}", "ANY /orders/{id}", "GET /orders/new", "POST /orders", "GET /files/{path+}",
	}}
	for _, tt := range []struct{ method, path, key, params string }{
		{"GET", "/orders/new", "GET /orders/new", `null`},
		{"GET", "/orders/42", "GET /orders/{id}", `{"id":"42"}`},
		{"PUT", "/orders/42", "ANY /orders/{id}", `{"id":"42"}`},
		{"POST", "/orders", "POST /orders", `null`},
		{"GET", "/orders", "ANY /{proxy+}", `{"proxy":"orders"}`},
		{"GET", "/files/a/b%2Fc", "GET /files/{path+}", `{"path":"a/b/c"}`},
		{"GET", "/files/", "ANY /{proxy+}", `{"proxy":"files/"}`},
		{"GET", "/", "$default", `null`},
	} {
		fn := &double{}
		send(door, fn, request(tt.method, tt.path, "", nil))
		var e events.APIGatewayV2HTTPRequest
		if err := json.Unmarshal(fn.event, &e); err != nil {
			t.Fatal(err)
		}
		params, _ := json.Marshal(e.PathParameters)
		if e.RouteKey != tt.key || string(params) != tt.params {
			t.Errorf("%s %s: %s %s, want %s %s", tt.method, tt.path, e.RouteKey, params, tt.key, tt.params)
		}
	}
	if err := door.Validate(); err != nil {
		t.Error(err)
	}
	if err := (frontdoor.HTTPAPI{Routes: []string{"/orders", "GET orders"}}).Validate(); err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("two bad routes: %v", err)
	}
}

func TestResultsBecomeResponses(t *testing.T) {
	api, url := frontdoor.HTTPAPI{}, frontdoor.FunctionURL{}
	const text = "text/plain; charset=utf-8"
	for _, tt := range []struct {
		name        string
		door        frontdoor.Door
		result      string
		status      int
		contentType string
		body        string
		warns       error
	}{
		{"the long form", api, `{"statusCode":201,"headers":{"content-type":"text/html","X-N":7,"x-b":true},"body":"hi"}`, 201, "text/html", "hi", nil},
		{"a default type", api, `{"statusCode":200,"body":"hi"}`, 200, text, "hi", nil},
		{"no body", api, `{"statusCode":200}`, 200, text, "", nil},
		{"base64", api, `{"statusCode":200,"body":"aGk=","isBase64Encoded":true}`, 200, text, "hi", nil},
		{"not base64", api, `{"statusCode":200,"body":"*","isBase64Encoded":true}`, 500, "application/json", `{"message":"Internal Server Error"}`, frontdoor.ErrMalformed},
		{"an object without statusCode", api, `{"message":"hi"}`, 200, "application/json", `{"message":"hi"}`, nil},
		{"a list", api, `[1]`, 200, "application/json", `[1]`, nil},
		{"a string, HTTP API", api, `"hi"`, 200, "application/json", `hi`, nil},
		{"a string, function URL", url, `"hi"`, 200, "application/json", `"hi"`, nil},
		{"broken JSON", api, `{"a`, 200, "application/json", `{"a`, nil},
		{"statusCode as a string", api, `{"statusCode":"418","body":"tea"}`, 418, text, "tea", frontdoor.ErrLenient},
		{"statusCode out of range", api, `{"statusCode":1000}`, 500, "application/json", `{"message":"Internal Server Error"}`, frontdoor.ErrMalformed},
		{"statusCode not a number", api, `{"statusCode":{}}`, 500, "application/json", `{"message":"Internal Server Error"}`, frontdoor.ErrMalformed},
		{"body not a string", url, `{"statusCode":200,"body":{}}`, 500, "application/json", `{"message":"Internal Server Error"}`, frontdoor.ErrMalformed},
		{"a list as header", api, `{"statusCode":200,"headers":{"a":["b"]}}`, 500, "application/json", `{"message":"Internal Server Error"}`, frontdoor.ErrMalformed},
		{"multiValueHeaders are ignored", api, `{"statusCode":200,"multiValueHeaders":{"x-n":["1"]}}`, 200, text, "", frontdoor.ErrLenient},
		{"204 has no body", api, `{"statusCode":204,"body":"ignored"}`, 204, text, "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, warnings := send(tt.door, &double{result: tt.result}, request("GET", "/", "", nil))
			if w.Code != tt.status || w.Header().Get("Content-Type") != tt.contentType || w.Body.String() != tt.body {
				t.Errorf("got %d %q %q, want %d %q %q", w.Code, w.Header().Get("Content-Type"), w.Body, tt.status, tt.contentType, tt.body)
			}
			if warned := errors.Join(warnings...); !errors.Is(warned, tt.warns) {
				t.Errorf("warned of %v, want %v", warned, tt.warns)
			}
		})
	}
}

func TestHeadersOfAResponse(t *testing.T) {
	fn := &double{result: `{"statusCode":200,"headers":{"Connection":"close","content-length":"999","x-a":"1\r\nx-evil: 2","transfer-encoding":"chunked"},"cookies":["a=1; Path=/","b=2"],"body":"abc"}`}
	w, _ := send(fixed{frontdoor.HTTPAPI{}}, fn, request("GET", "/", "", nil))
	h := w.Result().Header
	if got := fmt.Sprint(h.Values("Set-Cookie")); got != "[a=1; Path=/ b=2]" {
		t.Errorf("cookies %s", got)
	}
	if h.Get("Content-Length") != "3" || h.Get("Connection") != "" || h.Get("Transfer-Encoding") != "" || h.Get("X-A") != "1x-evil: 2" || h.Get("Apigw-Requestid") != "JKJaXmPLvHcESHA=" {
		t.Errorf("%v", h)
	}
	w, _ = send(frontdoor.FunctionURL{}, &double{result: `{"statusCode":200}`}, request("GET", "/", "", nil))
	if len(w.Header().Get("X-Amzn-Requestid")) != 36 || w.Header().Get("X-Amzn-Trace-Id") == "" {
		t.Errorf("%v", w.Header())
	}
}

func TestRefusals(t *testing.T) {
	failing := &double{resp: &runtimeapi.Response{FunctionError: "Unhandled", ErrorType: "errorString", Payload: []byte(`{"errorMessage":"secret detail"}`)}}
	throttled := &double{err: &runtimeapi.InvokeError{Reason: runtimeapi.ErrThrottled}}
	large := &double{err: &runtimeapi.InvokeError{Reason: runtimeapi.ErrTooLarge}}
	closed := &double{err: &runtimeapi.InvokeError{Reason: runtimeapi.ErrClosed}}
	api, url := frontdoor.HTTPAPI{}, frontdoor.FunctionURL{}
	for _, tt := range []struct {
		name   string
		door   frontdoor.Door
		fn     *double
		r      *http.Request
		status int
		body   string
	}{
		{"a failure tells the client nothing", api, failing, request("GET", "/", "", nil), 500, `{"message":"Internal Server Error"}`},
		{"the same at a URL", url, failing, request("GET", "/", "", nil), 500, `{"message":"Internal Server Error"}`},
		{"throttled", api, throttled, request("GET", "/", "", nil), 429, `{"message":"Too Many Requests"}`},
		{"throttled at a URL", url, throttled, request("GET", "/", "", nil), 429, `{"message":"Rate Exceeded."}`},
		{"too large for Lambda", api, large, request("GET", "/", "", nil), 413, `{"message":"Request Entity Too Large"}`},
		{"too large for a URL", url, &double{}, request("POST", "/", strings.Repeat("x", 6<<20+1), nil), 413, `{"message":"Request Entity Too Large"}`},
		{"too large for an HTTP API", api, &double{}, request("POST", "/", strings.Repeat("x", 10<<20+1), nil), 413, `{"message":"Request Entity Too Large"}`},
		{"shut down", api, closed, request("GET", "/", "", nil), 500, `{"message":"Internal Server Error"}`},
		{"no route", frontdoor.HTTPAPI{Routes: []string{"GET /a"}}, &double{}, request("GET", "/b", "", nil), 404, `{"message":"Not Found"}`},
		{"no stage", frontdoor.HTTPAPI{Stage: "prod"}, &double{}, request("GET", "/product", "", nil), 404, `{"message":"Not Found"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, warnings := send(tt.door, tt.fn, tt.r)
			if w.Code != tt.status || w.Body.String() != tt.body {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Body, tt.status, tt.body)
			}
			if len(warnings) != 1 {
				t.Errorf("the author hears %v", warnings)
			}
		})
	}
	t.Run("another Host", func(t *testing.T) {
		r := request("GET", "/", "", nil)
		r.Host = "attacker.example"
		fn := &double{}
		if w, _ := send(api, fn, r); w.Code != 403 || fn.event != nil {
			t.Errorf("%d %s", w.Code, fn.event)
		}
	})
}

// hanging waits for its caller to leave.
type hanging struct{}

func (hanging) Invoke(ctx context.Context, _ runtimeapi.Request) (*runtimeapi.Response, error) {
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

func TestAnHTTPAPIWaits30Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		w, warnings := send(frontdoor.HTTPAPI{}, hanging{}, request("GET", "/", "", nil))
		if w.Code != 503 || w.Body.String() != `{"message":"Service Unavailable"}` || time.Since(began) != 30*time.Second {
			t.Errorf("%d %s after %v", w.Code, w.Body, time.Since(began))
		}
		if !errors.Is(errors.Join(warnings...), frontdoor.ErrTooSlow) {
			t.Errorf("%v", warnings)
		}
	})
}

func TestStreamsOfAFunctionURL(t *testing.T) {
	const prelude = `{"statusCode":206,"headers":{"x-a":"1"},"cookies":["c=1"]}` + "\x00\x00\x00\x00\x00\x00\x00\x00"
	const integration = "application/vnd.awslambda.http-integration-response"
	failure := &runtimeapi.FunctionError{Type: "orderRejected"}
	for _, tt := range []struct {
		name, contentType, stream string
		end                       error
		status                    int
		body                      string
		broken                    bool
		warns                     error
	}{
		{"with a prelude", integration, prelude + "payload", io.EOF, 206, "payload", false, nil},
		{"without one", "text/csv", "a,b", io.EOF, 200, "a,b", false, nil},
		{"empty", "text/csv", "", io.EOF, 200, "", false, frontdoor.ErrLenient},
		{"a prelude alone", integration, strings.Replace(prelude, "206", "303", 1), io.EOF, 303, "", false, frontdoor.ErrLenient},
		{"a prelude alone, whose status has no body", integration, strings.Replace(prelude, "206", "204", 1), io.EOF, 204, "", false, nil},
		{"a prelude without an end", integration, "{}", io.EOF, 500, `{"message":"Internal Server Error"}`, false, frontdoor.ErrMalformed},
		{"an endless prelude", integration, strings.Repeat("x", 17<<10), io.EOF, 500, `{"message":"Internal Server Error"}`, false, frontdoor.ErrMalformed},
		{"a prelude that is null", integration, "null\x00\x00\x00\x00\x00\x00\x00\x00", io.EOF, 500, `{"message":"Internal Server Error"}`, false, frontdoor.ErrMalformed},
		{"a prelude that is not JSON", integration, "{\x00\x00\x00\x00\x00\x00\x00\x00", io.EOF, 500, `{"message":"Internal Server Error"}`, false, frontdoor.ErrMalformed},
		{"a failure before the first byte", "text/csv", "", failure, 500, `{"message":"Internal Server Error"}`, false, frontdoor.ErrFunction},
		{"a failure on the way breaks the connection", integration, prelude + "pay", failure, 206, "pay", true, frontdoor.ErrBroken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pr, pw := io.Pipe()
			go func() {
				_, _ = io.WriteString(pw, tt.stream)
				_ = pw.CloseWithError(tt.end)
			}()
			fn := &double{resp: &runtimeapi.Response{Streamed: true, Stream: pr, ContentType: tt.contentType}}
			var warned error
			srv := httptest.NewServer(frontdoor.New(frontdoor.Config{
				Function: fn, Door: frontdoor.FunctionURL{Stream: true}, Warn: func(_ string, err error) { warned = err },
			}))
			transport := &http.Transport{}
			resp, err := (&http.Client{Transport: transport}).Get(srv.URL)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			transport.CloseIdleConnections()
			srv.Close()
			if resp.StatusCode != tt.status || string(body) != tt.body || (err != nil) != tt.broken || !fn.req.Stream {
				t.Errorf("%d %q %v", resp.StatusCode, body, err)
			}
			if !errors.Is(warned, tt.warns) {
				t.Errorf("warned of %v, want %v", warned, tt.warns)
			}
			if tt.status == 206 && (resp.Header.Get("X-A") != "1" || resp.Header.Get("Set-Cookie") != "c=1") {
				t.Errorf("%v", resp.Header)
			}
		})
	}
}

// TestARealFunctionBehindAURL goes all the way: socket, event, process, stream.
func TestARealFunctionBehindAURL(t *testing.T) {
	fn, err := runtimeapi.New(runtimeapi.Config{
		Command: []string{fnBinary}, Env: []string{"FN_MODE=stream"}, Timeout: 30 * time.Second, InitTimeout: 30 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(frontdoor.New(frontdoor.Config{Function: fn, Door: frontdoor.FunctionURL{Stream: true}}))
	transport := &http.Transport{}
	defer func() {
		transport.CloseIdleConnections()
		srv.Close()
		_ = fn.Shutdown(context.Background())
	}()
	resp, err := (&http.Client{Transport: transport}).Get(srv.URL + "/hello")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || resp.StatusCode != 200 || string(body) != "first second " {
		t.Errorf("%d %q %v", resp.StatusCode, body, err)
	}
}

// TestFiftyRequestsAtOnce: more than there are sandboxes queue, or are refused.
func TestFiftyRequestsAtOnce(t *testing.T) {
	for name, overflow := range map[string]runtimeapi.Overflow{"queue": runtimeapi.Queue, "refuse": runtimeapi.Refuse} {
		t.Run(name, func(t *testing.T) {
			fn, err := runtimeapi.New(runtimeapi.Config{
				Command: []string{fnBinary}, Concurrency: 3, Overflow: overflow, Timeout: time.Minute, InitTimeout: time.Minute,
			})
			if err != nil {
				t.Fatal(err)
			}
			srv := httptest.NewServer(frontdoor.New(frontdoor.Config{Function: fn}))
			transport := &http.Transport{}
			statuses := make(chan int, 50)
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() {
					resp, err := (&http.Client{Transport: transport}).Post(srv.URL, "application/json", strings.NewReader(`{}`))
					if err != nil {
						t.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
					statuses <- resp.StatusCode
				})
			}
			wg.Wait()
			close(statuses)
			count := map[int]int{}
			for s := range statuses {
				count[s]++
			}
			if n := len(fn.Stats().Sandboxes); n == 0 || n > 3 {
				t.Errorf("%d sandboxes", n)
			}
			if overflow == runtimeapi.Queue && count[200] != 50 || count[200] == 0 || count[200]+count[429] != 50 {
				t.Errorf("%v", count)
			}
			transport.CloseIdleConnections()
			srv.Close()
			_ = fn.Shutdown(context.Background())
		})
	}
}

// FuzzRequest: any request that a socket accepts becomes an event that is JSON
// and that aws-lambda-go's type can hold.
func FuzzRequest(f *testing.F) {
	f.Add("/a%2Fb?x=1&x=2", "a=1; b", "text/plain", []byte("hi"))
	f.Add("/%ff?%zz=%", ";;", "multipart/form-data; boundary=", []byte{0xff, 0})
	f.Add("/", "", "", []byte{})
	f.Fuzz(func(t *testing.T, target, cookie, contentType string, body []byte) {
		r, err := http.NewRequest("POST", "http://localhost"+target, bytes.NewReader(body))
		if err != nil || r.URL.Host != "localhost" {
			return
		}
		r.RemoteAddr = "127.0.0.1:1"
		r.Header.Set("Cookie", cookie)
		r.Header.Set("Content-Type", contentType)
		event, err := frontdoor.HTTPAPI{}.Event(r, body, frontdoor.Arrival{})
		if err != nil {
			t.Fatalf("no event: %v", err)
		}
		var e events.APIGatewayV2HTTPRequest
		if err := json.Unmarshal(event, &e); err != nil {
			t.Fatalf("%s: %v", event, err)
		}
	})
}

// FuzzResult: whatever a function returns, the door answers with a valid status.
func FuzzResult(f *testing.F) {
	for _, s := range []string{`{"statusCode":200,"body":"x"}`, `{"statusCode":"2e2"}`, `"`, `{"statusCode":200,"headers":{"":"","a b":"c"}}`, `null`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		w := httptest.NewRecorder()
		err := frontdoor.HTTPAPI{}.Respond(w, &runtimeapi.Response{Payload: payload}, frontdoor.Arrival{})
		if err != nil && !errors.Is(err, frontdoor.ErrMalformed) && !errors.Is(err, frontdoor.ErrLenient) {
			t.Errorf("%q: %v", payload, err)
		}
		if w.Code < 200 || w.Code > 599 {
			t.Errorf("%q: status %d", payload, w.Code)
		}
	})
}

func ExampleHTTPAPI() {
	r := httptest.NewRequest("GET", "http://localhost/orders/42?expand=lines", nil)
	door := frontdoor.HTTPAPI{Routes: []string{"GET /orders/{id}"}}
	event, _ := door.Event(r, nil, frontdoor.Arrival{RequestID: "id", Time: time.Unix(0, 0)})
	var e struct {
		RouteKey       string
		PathParameters map[string]string
	}
	_ = json.Unmarshal(event, &e)
	fmt.Println(e.RouteKey, e.PathParameters["id"])
	// Output: GET /orders/{id} 42
}
