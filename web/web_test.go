package web_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/gomiddy/middy"
	"github.com/gomiddy/middy/web"
)

// doors are the files of testdata/events: one request, as each door writes it.
var doors = map[string]web.Door{
	"rest": web.RESTAPI, "httpapi1": web.HTTPAPI1, "httpapi": web.HTTPAPI, "functionurl": web.FunctionURL,
	"alb": web.ALB, "albmulti": web.ALBMulti, "lattice1": web.Lattice1, "lattice": web.Lattice,
}

func payload(t testing.TB, door string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/events/" + door + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// invoke runs payload through a whole function and returns the response's JSON.
func invoke(t testing.TB, h http.Handler, payload []byte) map[string]any {
	t.Helper()
	f, err := middy.New(web.Handler(h))
	if err != nil {
		t.Fatal(err)
	}
	out, err := f.Invoke(t.Context(), payload)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(out, &m); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return m
}

// request captures what the handler gets.
func request(t testing.TB, payload []byte) (r *http.Request, body string) {
	t.Helper()
	invoke(t, http.HandlerFunc(func(_ http.ResponseWriter, got *http.Request) {
		b, err := io.ReadAll(got.Body)
		if err != nil {
			t.Error(err)
		}
		r, body = got, string(b)
	}), payload)
	if r == nil {
		t.Fatal("the handler did not run")
	}
	return r, body
}

func TestOneRequestIsTheSameFromEveryDoor(t *testing.T) {
	for name, door := range doors {
		t.Run(name, func(t *testing.T) {
			r, body := request(t, payload(t, name))
			e, ok := web.Event(r)
			if !ok || e.Door != door {
				t.Fatalf("Event: %v, %v", e.Door, ok)
			}
			tags := []string{"x", "y&z"}
			list := [][]string{{"1", "2"}, {"1,2"}}
			if door == web.ALB { // keeps the last one only
				tags, list = []string{"y&z"}, [][]string{{"2"}}
			}
			check := func(what string, got, want any) {
				t.Helper()
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%s: got %q, want %q", what, got, want)
				}
			}
			check("method", r.Method, "POST")
			check("path", r.URL.Path, "/orders/a b")
			check("escaped path", r.URL.EscapedPath(), "/orders/a%20b")
			check("tag", r.URL.Query()["tag"], tags)
			check("empty", r.URL.Query()["empty"], []string{""})
			check("request URI begins", strings.HasPrefix(r.RequestURI, "/orders/a%20b?"), true)
			check("host", r.Host, map[bool]string{true: "abc123.lambda-url.us-east-1.on.aws", false: "api.example.com"}[door == web.FunctionURL])
			check("host in the map", r.Header["Host"], []string(nil))
			check("body", body, `{"name":"Zoë"}`)
			check("length", r.ContentLength, int64(len(body)))
			check("client", r.RemoteAddr, "192.0.2.7:0")
			check("type", r.Header.Get("Content-Type"), "application/json")
			check("trace", r.Header.Get("X-Amzn-Trace-Id"), "Root=1-67891233-abcdef012345678912345678")
			if got := r.Header["X-List"]; !slices.ContainsFunc(list, func(want []string) bool { return slices.Equal(got, want) }) {
				t.Errorf("X-List: %q", got)
			}
			for name, value := range map[string]string{"session": "abc", "theme": "dark"} {
				if c, err := r.Cookie(name); err != nil || c.Value != value {
					t.Errorf("cookie %s: %v, %v", name, c, err)
				}
			}
			if door <= web.HTTPAPI {
				check("path value", r.PathValue("id"), "a b")
				check("stage", e.Stage, "prod")
				check("stage variables", e.StageVariables, map[string]string{"table": "orders"})
				check("claims", e.Claims()["sub"], "user-1")
				check("account", e.AccountID, "123456789012")
				check("time", e.Time, time.UnixMilli(1773119783123).UTC())
			}
		})
	}
}

func TestWhatOnlySomeDoorsSay(t *testing.T) {
	event := func(name string) *web.Request {
		r, _ := request(t, payload(t, name))
		e, _ := web.Event(r)
		return e
	}
	for _, c := range []struct{ rule, got, want string }{
		{"a REST API names the resource", event("rest").Route, "/orders/{id}"},
		{"an HTTP API names the route", event("httpapi").Route, "POST /orders/{id}"},
		{"a function URL has one route", event("functionurl").Route, "$default"},
		{"a REST API's request id is a UUID", event("rest").RequestID, "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"},
		{"an HTTP API's request id is short", event("httpapi").RequestID, "JKJaXmPLvHcESHA="},
		{"a REST API sends path parameters encoded", event("rest").PathParameters["id"], "a%20b"},
		{"an HTTP API sends path parameters decoded", event("httpapi").PathParameters["id"], "a b"},
		{"Lattice counts microseconds, in a string", event("lattice").Time.Format(time.RFC3339Nano), "2026-03-10T05:16:23.123456Z"},
		{"the protocol is the client's", event("rest").Door.String(), "REST API"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			if c.got != c.want {
				t.Errorf("got %q, want %q", c.got, c.want)
			}
		})
	}
	var identity struct{ Type, Principal string }
	if err := event("lattice").Identity(&identity); err != nil || identity.Type != "AWS_IAM" {
		t.Error(identity, err)
	}
	var wrong struct{ Claims int }
	if err := event("rest").Authorizer(&wrong); err == nil || !strings.Contains(err.Error(), "requestContext.authorizer") {
		t.Error("a wrong type for the authorizer:", err)
	}
	if c := event("alb").Claims(); c != nil {
		t.Error("claims without an authorizer:", c)
	}
	var typed events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(event("httpapi").Payload, &typed); err != nil || typed.RequestContext.Authorizer.JWT.Claims["sub"] != "user-1" {
		t.Error("the raw event does not fit aws-lambda-go's type:", err)
	}
}

func TestRequestEdges(t *testing.T) {
	for _, c := range []struct {
		rule, event string
		want        func(r *http.Request, body string) (got, want any)
	}{
		{"an empty query value keeps its name", `{"version":"2.0","rawPath":"/","rawQueryString":"a","requestContext":{"http":{"method":"GET"}}}`,
			func(r *http.Request, _ string) (any, any) { return r.URL.Query(), map[string][]string{"a": {""}} }},
		{"encoded plus and space stay apart", `{"version":"2.0","rawPath":"/","rawQueryString":"a=1%2B2&b=1+2&c=1%202","requestContext":{"http":{"method":"GET"}}}`,
			func(r *http.Request, _ string) (any, any) {
				return r.URL.Query(), map[string][]string{"a": {"1+2"}, "b": {"1 2"}, "c": {"1 2"}}
			}},
		{"a decoded plus of a REST API is encoded again", `{"httpMethod":"GET","path":"/","multiValueQueryStringParameters":{"a":["1+2"],"ä&":["=#"]},"requestContext":{}}`,
			func(r *http.Request, _ string) (any, any) {
				return r.URL.Query(), map[string][]string{"a": {"1+2"}, "ä&": {"=#"}}
			}},
		{"an encoded slash of a greedy parameter stays one segment of the path", `{"httpMethod":"GET","path":"/files/a%2Fb","pathParameters":{"proxy":"a%2Fb"},"requestContext":{}}`,
			func(r *http.Request, _ string) (any, any) {
				return []string{r.URL.EscapedPath(), r.PathValue("proxy")}, []string{"/files/a%2Fb", "a/b"}
			}},
		{"an HTTP API's path parameter is decoded already", `{"version":"2.0","rawPath":"/files/a%2Fb","pathParameters":{"id":"a%2Fb"},"requestContext":{"http":{"method":"GET"}}}`,
			func(r *http.Request, _ string) (any, any) { return r.PathValue("id"), "a%2Fb" }},
		{"a header in two cases is one header with two values", `{"httpMethod":"GET","path":"/","multiValueHeaders":{"X-A":["1"],"x-a":["2"]},"requestContext":{}}`,
			func(r *http.Request, _ string) (any, any) { return r.Header["X-A"], []string{"1", "2"} }},
		{"a comma inside a value is not a separator", `{"version":"2.0","rawPath":"/","headers":{"if-modified-since":"Mon, 01 Jan 2026 00:00:00 GMT"},"requestContext":{"http":{"method":"GET"}}}`,
			func(r *http.Request, _ string) (any, any) {
				return r.Header["If-Modified-Since"], []string{"Mon, 01 Jan 2026 00:00:00 GMT"}
			}},
		{"ALB does not decode, and we do not decode twice", `{"httpMethod":"GET","path":"/","queryStringParameters":{"a":"%2525"},"requestContext":{"elb":{}}}`,
			func(r *http.Request, _ string) (any, any) { return r.URL.Query().Get("a"), "%25" }},
		{"an ALB health check is a request", `{"requestContext":{"elb":{"targetGroupArn":"arn"}},"httpMethod":"GET","path":"/","queryStringParameters":{},"headers":{"user-agent":"ELB-HealthChecker/2.0"},"body":"","isBase64Encoded":false}`,
			func(r *http.Request, _ string) (any, any) { return r.UserAgent(), "ELB-HealthChecker/2.0" }},
		{"the client of a load balancer is what it saw, not what the client says", `{"httpMethod":"GET","path":"/","headers":{"x-forwarded-for":"10.0.0.1, 192.0.2.9"},"requestContext":{"elb":{}}}`,
			func(r *http.Request, _ string) (any, any) { return r.RemoteAddr, "192.0.2.9:0" }},
		{"an IPv6 client", `{"version":"2.0","rawPath":"/","requestContext":{"http":{"method":"GET","sourceIp":"2001:db8::1"}}}`,
			func(r *http.Request, _ string) (any, any) { return r.RemoteAddr, "[2001:db8::1]:0" }},
		{"nothing but the stage is the root", `{"version":"2.0","rawPath":"/prod","requestContext":{"stage":"prod","http":{"method":"GET"}}}`,
			func(r *http.Request, _ string) (any, any) { return r.URL.Path, "/" }},
		{"a path that only begins like the stage", `{"version":"2.0","rawPath":"/product","requestContext":{"stage":"prod","http":{"method":"GET"}}}`,
			func(r *http.Request, _ string) (any, any) { return r.URL.Path, "/product" }},
		{"a path that no URL can have is taken as it is", `{"httpMethod":"GET","path":"/100%","requestContext":{}}`,
			func(r *http.Request, _ string) (any, any) { return r.URL.Path, "/100%" }},
		{"without a path it is the root", `{"httpMethod":"GET","requestContext":{}}`,
			func(r *http.Request, _ string) (any, any) { return r.URL.Path, "/" }},
		{"nulls are absent", `{"httpMethod":"GET","path":"/","headers":null,"multiValueHeaders":null,"queryStringParameters":null,"multiValueQueryStringParameters":null,"pathParameters":null,"stageVariables":null,"body":null,"requestContext":{"authorizer":null,"identity":null}}`,
			func(r *http.Request, body string) (any, any) {
				return fmt.Sprint(len(r.Header), r.URL.RawQuery, body), "0"
			}},
		{"the version of HTTP is the client's", `{"version":"2.0","rawPath":"/","requestContext":{"http":{"method":"GET","protocol":"HTTP/2.0"}}}`,
			func(r *http.Request, _ string) (any, any) { return r.ProtoMajor, 2 }},
		{"a query in Lattice's raw_path wins", `{"method":"GET","raw_path":"/a?b=1&b=2","query_string_parameters":{"b":"2"}}`,
			func(r *http.Request, _ string) (any, any) { return r.URL.String(), "/a?b=1&b=2" }},
		{"a JSON body that was not quoted, as people write test events", `{"httpMethod":"POST","path":"/","body":{"a": 1},"requestContext":{}}`,
			func(_ *http.Request, body string) (any, any) { return body, `{"a": 1}` }},
		{"a hop-by-hop transfer encoding is undone", `{"httpMethod":"POST","path":"/","headers":{"Transfer-Encoding":"chunked"},"requestContext":{}}`,
			func(r *http.Request, _ string) (any, any) { return r.Header.Get("Transfer-Encoding"), "" }},
	} {
		t.Run(c.rule, func(t *testing.T) {
			r, body := request(t, []byte(c.event))
			got, want := c.want(r, body)
			if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
				t.Errorf("got %s, want %s", g, w)
			}
		})
	}
}

func TestABadBodyIsTheClientsMistake(t *testing.T) {
	m := invoke(t, http.NotFoundHandler(), []byte(`{"httpMethod":"POST","path":"/","body":"%%","isBase64Encoded":true,"requestContext":{}}`))
	if m["statusCode"] != 400.0 || !strings.Contains(m["body"].(string), "not the base64 that it is said to be") {
		t.Fatal(m)
	}
}

func TestAnEventThatIsNoRequestIsNamed(t *testing.T) {
	f, err := middy.New(web.Handler(http.NotFoundHandler()))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ rule, event, want string }{
		{"an SQS event", `{"Records":[{"eventSource":"aws:sqs"}]}`, `not from an HTTP front door`},
		{"a scheduled event", `{"version":"0","detail-type":"Scheduled Event","source":"aws.events"}`, `not from an HTTP front door`},
		{"a text", `"hello"`, `"\"hello\""`},
		{"null", `null`, `not from an HTTP front door`},
		{"a version that does not exist", `{"version":"__proto__","httpMethod":"GET","path":"/"}`, `not from an HTTP front door`},
		{"malformed JSON", `{"version":`, `malformed event JSON`},
		{"a header that is an object", `{"httpMethod":"GET","headers":{"a":{}}}`, `want a string`},
		{"a base64 flag that is no truth", `{"httpMethod":"GET","isBase64Encoded":"perhaps"}`, `want true or false`},
		{"the request of a Bedrock agent", `{"messageVersion":"1.0","agent":{"name":"a"},"httpMethod":"POST","apiPath":"/send","sessionId":"1"}`, `an Amazon Bedrock agent`},
		{"an authorizer's request from a REST API", `{"type":"REQUEST","methodArn":"arn:aws:execute-api:us-east-1:1:a/prod/GET/x","httpMethod":"GET","path":"/x","requestContext":{}}`, `a Lambda authorizer`},
		{"an authorizer's token", `{"type":"TOKEN","methodArn":"arn","authorizationToken":"t"}`, `a Lambda authorizer`},
		{"an authorizer's request from an HTTP API", `{"version":"2.0","type":"REQUEST","routeArn":"arn","rawPath":"/x","requestContext":{"http":{"method":"GET","path":"/x"}}}`, `a Lambda authorizer`},
		{"an authorizer's request without a type", `{"routeArn":"arn","version":"2.0","requestContext":{"http":{"method":"GET"}}}`, `a Lambda authorizer`},
		{"an event of a WebSocket API", `{"httpMethod":"GET","path":"/","requestContext":{"connectionId":"c","eventType":"CONNECT"}}`, `WebSocket API`},
	} {
		t.Run(c.rule, func(t *testing.T) {
			_, err := f.Invoke(t.Context(), []byte(c.event))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestAHandlerMayRunTwiceOnOneEvent(t *testing.T) {
	var hosts []string
	h := web.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		hosts = append(hosts, r.Host+string(b)+r.Header.Get("X-Mine"))
		r.Header.Set("X-Mine", "changed")
	}))
	var e web.Request
	if err := e.DecodeEvent(payload(t, "httpapi")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := h(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if hosts[0] != hosts[1] {
		t.Fatalf("%q", hosts)
	}
}

// response is what the front door reads back.
func TestResponseFormOfEachDoor(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header()["Set-Cookie"] = []string{"a=1", "b=2", "c=3"}
		w.Header()["X-List"] = []string{"1", "2"}
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, "tea")
	})
	joined := map[string]any{"Content-Type": "text/plain", "X-List": "1, 2"}
	spelled := map[string]any{"Content-Type": "text/plain", "X-List": "1, 2", "Set-Cookie": "a=1", "Set-CookiE": "b=2", "Set-CookIe": "c=3"}
	split := map[string]any{"Set-Cookie": []any{"a=1", "b=2", "c=3"}, "X-List": []any{"1", "2"}}
	all := maps.Clone(split)
	all["Content-Type"] = []any{"text/plain"}
	cookies := []any{"a=1", "b=2", "c=3"}
	for name, want := range map[string]map[string]any{
		"rest":        {"headers": map[string]any{"Content-Type": "text/plain"}, "multiValueHeaders": split},
		"httpapi1":    {"headers": map[string]any{"Content-Type": "text/plain"}, "multiValueHeaders": split},
		"httpapi":     {"headers": joined, "cookies": cookies},
		"functionurl": {"headers": joined, "cookies": cookies},
		"alb":         {"headers": spelled, "statusDescription": "418 I'm a teapot"},
		"albmulti":    {"multiValueHeaders": all, "statusDescription": "418 I'm a teapot"},
		"lattice1":    {"headers": spelled, "statusDescription": "418 I'm a teapot"},
		"lattice":     {"headers": spelled, "statusDescription": "418 I'm a teapot"},
	} {
		t.Run(name, func(t *testing.T) {
			want["statusCode"], want["body"] = 418.0, "tea"
			if got := invoke(t, h, payload(t, name)); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
		})
	}
}

func TestResponseEdgesOfALoadBalancer(t *testing.T) {
	var many []string
	for i := range 600 { // more than the name has spellings
		many = append(many, fmt.Sprintf("c%d=1", i))
	}
	for _, c := range []struct {
		rule, door string
		header     http.Header
		want       string
	}{
		{"multi-value headers are there without a header", "albmulti", nil, `"multiValueHeaders":{},`},
		{"a name without a value is no header", "albmulti", http.Header{"X-None": {}, "X-A": {"1"}}, `"multiValueHeaders":{"X-A":["1"]},`},
		{"more cookies than the name has spellings are sent all the same", "alb", http.Header{"Set-Cookie": many}, `"c599=1"`},
		{"512 have a spelling each", "alb", http.Header{"Set-Cookie": many}, `"sET-cOOKIE":"c511=1"`},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			resp := web.Response{Door: doors[c.door], Status: 200, Header: c.header}
			if b, err := resp.AppendJSON(nil); err != nil || !strings.Contains(string(b), c.want) {
				t.Errorf("got %s, %v; want %s in it", b, err, c.want)
			}
		})
	}
}

func TestResponse(t *testing.T) {
	none := map[string]any{}
	for _, c := range []struct {
		rule, method string
		serve        http.HandlerFunc
		status       int
		headers      map[string]any
		body         string
		encoded      bool
	}{
		{"nothing written is 200", "GET", func(http.ResponseWriter, *http.Request) {}, 200, none, "", false},
		{"the type is sniffed as net/http does", "GET", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, 200, map[string]any{"Content-Type": "text/html; charset=utf-8"}, "<html>", false},
		{"a type set to nothing is not sniffed", "GET", func(w http.ResponseWriter, _ *http.Request) { w.Header()["Content-Type"] = nil; fmt.Fprint(w, "x") }, 200, none, "eA==", true},
		{"bytes are base64", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "image/png")
			w.Write([]byte{0xff, 0})
		}, 200, map[string]any{"Content-Type": "image/png"}, "/wA=", true},
		{"text that is no UTF-8 is base64", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; charset=latin1")
			w.Write([]byte("\xe4"))
		}, 200, map[string]any{"Content-Type": "text/plain; charset=latin1"}, "5A==", true},
		{"an encoded body is base64", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Encoding", "gzip")
			fmt.Fprint(w, "zip")
		}, 200, map[string]any{"Content-Type": "text/plain", "Content-Encoding": "gzip"}, "emlw", true},
		{"a structured suffix is text", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/vnd.api+json; v=1")
			fmt.Fprint(w, "{}")
		}, 200, map[string]any{"Content-Type": "application/vnd.api+json; v=1"}, "{}", false},
		{"HEAD has the header of GET and no body", "HEAD", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
			n, err := fmt.Fprint(w, "hello")
			if n != 5 || err != nil {
				panic("HEAD: the handler must not notice")
			}
		}, 200, map[string]any{"Content-Type": "text/plain; charset=utf-8", "Content-Length": "5"}, "", false},
		{"HEAD: what fits the server's buffer is counted", "HEAD", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Write(make([]byte, 2048))
		}, 200, map[string]any{"Content-Type": "text/plain", "Content-Length": "2048"}, "", false},
		{"HEAD: a byte more is not", "HEAD", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Write(make([]byte, 2049))
		}, 200, map[string]any{"Content-Type": "text/plain"}, "", false},
		{"HEAD: nothing is not", "HEAD", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
		}, 200, map[string]any{"Content-Type": "text/plain"}, "", false},
		{"HEAD: nor is what was flushed, for more may come", "HEAD", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "hello")
			w.(http.Flusher).Flush()
		}, 200, map[string]any{"Content-Type": "text/plain; charset=utf-8"}, "", false},
		{"HEAD: a declared length stays, whatever was written", "HEAD", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			fmt.Fprint(w, "hello")
		}, 200, map[string]any{"Content-Type": "text/plain; charset=utf-8", "Content-Length": "10"}, "", false},
		{"HEAD: a negative length is none", "HEAD", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "-5")
			fmt.Fprint(w, "hello")
		}, 200, map[string]any{"Content-Type": "text/plain; charset=utf-8", "Content-Length": "5"}, "", false},
		{"304 may have the length of what it stands for", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
			w.WriteHeader(304)
		}, 304, none, "", false},
		{"a length is the front door's to count", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
			w.Header().Set("Content-Type", "text/plain")
			fmt.Fprint(w, "hello")
		}, 200, map[string]any{"Content-Type": "text/plain"}, "hello", false},
		{"204 has no body", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(204)
			if _, err := fmt.Fprint(w, "x"); !errors.Is(err, http.ErrBodyNotAllowed) {
				panic(err)
			}
		}, 204, map[string]any{"Content-Type": "text/plain"}, "", false},
		{"304 has no type, and keeps the rest", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Etag", `"a"`)
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(304)
		}, 304, map[string]any{"Etag": `"a"`}, "", false},
		{"1xx is passed over", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "</a.css>")
			w.WriteHeader(103)
			w.WriteHeader(404)
		}, 404, map[string]any{"Link": "</a.css>"}, "", false},
		{"the first status stays, and so does its header", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(201)
			w.WriteHeader(500)
			w.Header().Set("X-Late", "1")
		}, 201, none, "", false},
		{"hop-by-hop fields end here", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "close")
			w.Header().Set("Transfer-Encoding", "chunked")
		}, 200, none, "", false},
		{"trailers come with the header", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum, X-None")
			w.Header().Set("Content-Type", "text/plain")
			fmt.Fprint(w, "a")
			w.Header().Set("X-Sum", "1")
			w.Header().Set(http.TrailerPrefix+"X-More", "2")
		}, 200, map[string]any{"Content-Type": "text/plain", "X-Sum": "1", "X-More": "2"}, "a", false},
		{"a line break in a value is a space, as in net/http", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-A", "a\r\nSet-Cookie: b=1")
		}, 200, map[string]any{"X-A": "a  Set-Cookie: b=1"}, "", false},
		{"what is no name of a field is left out", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["X A"], w.Header()["X:"], w.Header()[""], w.Header()["X\n"], w.Header()["Xä"] = []string{"1"}, []string{"1"}, []string{"1"}, []string{"1"}, []string{"1"}
			w.Header()["X-!#$%&'*+.^_|~9"] = []string{"1"}
		}, 200, map[string]any{"X-!#$%&'*+.^_|~9": "1"}, "", false},
		{"a flush is not an error", "GET", func(w http.ResponseWriter, _ *http.Request) {
			if err := http.NewResponseController(w).Flush(); err != nil {
				panic(err)
			}
			w.(http.Flusher).Flush()
			w.(io.StringWriter).WriteString("") //nolint:errcheck
		}, 200, none, "", false},
	} {
		t.Run(c.rule, func(t *testing.T) {
			m := invoke(t, c.serve, fmt.Appendf(nil, `{"version":"2.0","rawPath":"/","requestContext":{"http":{"method":%q}}}`, c.method))
			encoded, _ := m["isBase64Encoded"].(bool)
			if m["statusCode"] != float64(c.status) || !reflect.DeepEqual(m["headers"], any(c.headers)) || m["body"] != c.body || encoded != c.encoded {
				t.Errorf("got %v", m)
			}
		})
	}
}

func TestHeaderInjectionInEveryForm(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Set-Cookie"] = []string{"a=1\r\nX-Evil: 1", "b=2"}
		w.Header()["X-List"] = []string{"1\nX-Evil: 1", "2"}
		w.WriteHeader(599)
	})
	for name := range doors {
		t.Run(name, func(t *testing.T) {
			m := invoke(t, h, payload(t, name))
			text, err := json.Marshal(m)
			if err != nil || strings.Contains(string(text), `\n`) || strings.Contains(string(text), `\r`) {
				t.Errorf("%s, %v", text, err)
			}
			if d, ok := m["statusDescription"]; ok && d != "599" {
				t.Errorf("%q", d)
			}
		})
	}
}

func TestAResponseThatLambdaWouldNotTakeIsAnErrorThatSaysWhatToDo(t *testing.T) {
	f, err := middy.New(web.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write(make([]byte, 7<<20)) //nolint:errcheck
	})))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Invoke(t.Context(), payload(t, "rest")); err == nil || !strings.Contains(err.Error(), "stream it (web.Stream)") {
		t.Fatal(err)
	}
}

func TestPanics(t *testing.T) {
	for _, c := range []struct {
		rule  string
		value any
		ends  bool // the sandbox
	}{
		{"an aborted response fails the invocation and not the sandbox", http.ErrAbortHandler, false},
		{"another panic is the engine's, with the line that made it", "no", true},
	} {
		t.Run(c.rule, func(t *testing.T) {
			f, err := middy.New(web.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprint(w, "half of it")
				panic(c.value)
			})))
			if err != nil {
				t.Fatal(err)
			}
			_, err = f.Invoke(t.Context(), payload(t, "rest"))
			p, panicked := errors.AsType[*middy.PanicError](err)
			if err == nil || panicked != c.ends {
				t.Fatalf("got %v", err)
			}
			if panicked {
				frames := runtime.CallersFrames(p.Stack)
				found := false
				for more := true; more && !found; {
					var frame runtime.Frame
					frame, more = frames.Next()
					found = strings.Contains(frame.Function, "web_test.TestPanics")
				}
				if !found {
					t.Error("the stack does not lead to the handler")
				}
			}
			if !panicked && !errors.Is(err, http.ErrAbortHandler) {
				t.Error(err)
			}
		})
	}
}

func TestEventHandlersGetInThroughAnAdapter(t *testing.T) {
	h := web.EventHandler(func(_ context.Context, e events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error) {
		return events.APIGatewayProxyResponse{
			StatusCode: 201, Headers: map[string]string{"x-id": e.PathParameters["id"]}, MultiValueHeaders: map[string][]string{"Set-Cookie": {"a=1", "b=2"}},
			Body: base64.StdEncoding.EncodeToString([]byte{1, 0xff}), IsBase64Encoded: true,
		}, nil
	})
	outer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Outer", "1")
		h.ServeHTTP(w, r)
	})
	got := invoke(t, outer, payload(t, "rest"))
	want := map[string]any{
		"statusCode": 201.0, "headers": map[string]any{"X-Id": "a%20b", "X-Outer": "1", "Content-Type": "application/octet-stream"},
		"multiValueHeaders": map[string]any{"Set-Cookie": []any{"a=1", "b=2"}}, "body": "Af8=", "isBase64Encoded": true,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}

	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
	if rec.Code != http.StatusNotImplemented {
		t.Error("over HTTP:", rec.Code)
	}
	for _, c := range []struct {
		rule string
		h    http.Handler
	}{
		{"a result that is no response", web.EventHandler(func(context.Context, json.RawMessage) (string, error) { return "hi", nil })},
		{"a body that is not base64", web.EventHandler(func(context.Context, json.RawMessage) (any, error) {
			return map[string]any{"statusCode": 200, "body": "%", "isBase64Encoded": true}, nil
		})},
		{"an error", web.EventHandler(func(context.Context, json.RawMessage) (any, error) { return nil, errors.New("secret") })},
		{"a result that JSON does not know", web.EventHandler(func(context.Context, json.RawMessage) (any, error) { return func() {}, nil })},
		{"an event of another type", web.EventHandler(func(context.Context, []int) (any, error) { return nil, nil })},
	} {
		t.Run(c.rule+" is a 500 without its reason", func(t *testing.T) {
			m := invoke(t, c.h, payload(t, "rest"))
			if m["statusCode"] != 500.0 || strings.Contains(m["body"].(string), "secret") {
				t.Error(m)
			}
		})
	}
}

// One mux, one function, whatever front door is before it.
func ExampleHandler() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello/{name}", func(w http.ResponseWriter, r *http.Request) {
		e, _ := web.Event(r)
		fmt.Fprintf(w, "hello %s, through the %v", r.PathValue("name"), e.Door)
	})
	f, err := middy.New(web.Handler(mux)) // in main: middy.Start(web.Handler(mux))
	if err != nil {
		panic(err)
	}
	for _, event := range []string{
		`{"version":"2.0","rawPath":"/hello/you","requestContext":{"http":{"method":"GET"}}}`,
		`{"httpMethod":"GET","path":"/hello/you","requestContext":{"elb":{}}}`,
	} {
		out, err := f.Invoke(context.Background(), []byte(event))
		fmt.Println(string(out), err)
	}
	// Output:
	// {"statusCode":200,"headers":{"Content-Type":"text/plain; charset=utf-8"},"body":"hello you, through the HTTP API 2.0"} <nil>
	// {"statusCode":200,"statusDescription":"200 OK","headers":{"Content-Type":"text/plain; charset=utf-8"},"body":"hello you, through the ALB"} <nil>
}

// A middleware refuses in the form that the user chose.
func ExampleWriteError() {
	h := web.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
		return web.Errorf(http.StatusNotFound, "there is no order 42")
	})
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("GET", "/orders/42", nil))
	fmt.Println(rec.Code, rec.Header().Get("Content-Type"))
	fmt.Print(rec.Body)
	// Output:
	// 404 application/problem+json
	// {"title":"Not Found","status":404,"detail":"there is no order 42"}
}
