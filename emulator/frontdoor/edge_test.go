package frontdoor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/gomiddy/middy/emulator/frontdoor"
	"github.com/gomiddy/middy/emulator/runtimeapi"
)

// 1. Observed, contrary to the documentation: format 2.0 does not look whether the
// output is JSON, and an HTTP API takes the quotes off a string, a URL does not.
func TestEdge1OutputThatIsNotJSONPasses(t *testing.T) {
	for _, tt := range []struct {
		door         frontdoor.Door
		result, body string
	}{
		{frontdoor.HTTPAPI{}, `{"broken`, `{"broken`},
		{frontdoor.FunctionURL{}, `{"broken`, `{"broken`},
		{frontdoor.HTTPAPI{}, `"a string"`, `a string`},
		{frontdoor.FunctionURL{}, `"a string"`, `"a string"`},
	} {
		w, warnings := send(tt.door, &double{result: tt.result}, request("GET", "/", "", nil))
		if w.Code != 200 || w.Body.String() != tt.body || w.Header().Get("Content-Type") != "application/json" || len(warnings) != 0 {
			t.Errorf("%T %s: %d %s %v", tt.door, tt.result, w.Code, w.Body, warnings)
		}
	}
}

// 2. Commas inside of joined values stay ambiguous: the event has one string, and
// nothing splits it.
func TestEdge2CommasInJoinedValuesAreNotSplit(t *testing.T) {
	dates := []string{"Wed, 25 Nov 2026 12:00:00 GMT", "Thu, 26 Nov 2026 12:00:00 GMT"}
	r := request("GET", "/?d=a,b&d=c", "", http.Header{"X-Dates": dates})
	for i, want := range []string{dates[1], dates[1], strings.Join(dates, ","), strings.Join(dates, ","), dates[1], "", strings.Join(dates, ","), ""} {
		if want == "" {
			continue // lists only
		}
		m := eventOf(t, bare()[i], r, "")
		header := "x-dates"
		if i == 0 {
			header = "X-Dates"
		}
		if got := at(m, "headers/"+header); got != fmt.Sprintf("%q", want) {
			t.Errorf("%s: %s", eight[i], got)
		}
	}
	if got := at(eventOf(t, frontdoor.HTTPAPI{}, r, ""), "queryStringParameters/d"); got != `"a,b,c"` {
		t.Errorf("query: %s", got)
	}
	w, _ := send(frontdoor.HTTPAPI{}, &double{result: `{"statusCode":200,"headers":{"set-cookie":"a=1; Expires=Wed, 25 Nov 2026 12:00:00 GMT"}}`}, request("GET", "/", "", nil))
	if got := w.Header().Values("Set-Cookie"); len(got) != 1 {
		t.Errorf("a cookie with a date becomes %q", got)
	}
}

// 3. A statusCode in quotes is taken for a number, with a warning, at every door but
// a load balancer.
func TestEdge3StatusCodeAsAString(t *testing.T) {
	for i, door := range bare() {
		if _, strict := door.(frontdoor.ALB); strict {
			continue
		}
		w, warnings := send(door, &double{result: `{"statusCode":"418"}`}, request("GET", "/", "", nil))
		if w.Code != 418 || !errors.Is(errors.Join(warnings...), frontdoor.ErrLenient) {
			t.Errorf("%s: %d %v", eight[i], w.Code, warnings)
		}
	}
}

func TestAStatusIsOneFrom200To599(t *testing.T) {
	for i, door := range bare() {
		for status, ok := range map[int]bool{199: false, 200: true, 599: true, 600: false} {
			w, warnings := send(door, &double{result: fmt.Sprintf(`{"statusCode":%d}`, status)}, request("GET", "/", "", nil))
			if (w.Code == status && len(warnings) == 0) != ok {
				t.Errorf("%s: %d becomes %d, %v", eight[i], status, w.Code, warnings)
			}
		}
	}
}

// 4. A load balancer's health check is the smallest event that a function gets.
func TestEdge4HealthChecks(t *testing.T) {
	for _, multi := range []bool{false, true} {
		event := frontdoor.ALB{MultiValue: multi}.HealthCheck("/health")
		var e events.ALBTargetGroupRequest
		if err := json.Unmarshal(event, &e); err != nil {
			t.Fatal(err)
		}
		agent := e.Headers["user-agent"]
		if multi {
			agent = strings.Join(e.MultiValueHeaders["user-agent"], ",")
		}
		if e.HTTPMethod != "GET" || e.Path != "/health" || agent != "ELB-HealthChecker/2.0" || len(e.Headers)+len(e.MultiValueHeaders) != 1 || e.Body != "" || e.RequestContext.ELB.TargetGroupArn == "" {
			t.Errorf("%s", event)
		}
	}
}

// 5. A load balancer refuses a WebSocket, and the function does not hear of it.
func TestEdge5LoadBalancersRefuseUpgrades(t *testing.T) {
	for _, multi := range []bool{false, true} {
		fn := &double{result: `{"statusCode":200}`}
		r := request("GET", "/", "", http.Header{"Connection": {"Upgrade"}, "Upgrade": {"WebSocket"}})
		w, warnings := send(frontdoor.ALB{MultiValue: multi}, fn, r)
		if w.Code != 400 || fn.event != nil || !errors.Is(errors.Join(warnings...), frontdoor.ErrUpgrade) {
			t.Errorf("%d %s %v", w.Code, fn.event, warnings)
		}
	}
}

// 6. Names that differ in case are one name, but for a REST API, which keeps them.
func TestEdge6NamesThatDifferInCase(t *testing.T) {
	r := request("GET", "/", "", http.Header{"X-A": {"1"}, "x-a": {"2"}})
	for i, door := range bare() {
		m := eventOf(t, door, r, "")
		upper, lower := at(m, "headers/X-A"), at(m, "headers/x-a")+at(m, "multiValueHeaders/x-a")
		if i == 0 {
			if upper != `"1"` || at(m, "headers/x-a") != `"2"` {
				t.Errorf("REST: %s", at(m, "headers"))
			}
			continue
		}
		if upper != "absent" || lower == "absentabsent" {
			t.Errorf("%s: %s", eight[i], at(m, "headers"))
		}
		if i == 2 && !strings.Contains(`"1,2" "2,1"`, at(m, "headers/x-a")) {
			t.Errorf("%s: %s", eight[i], lower)
		}
	}
}

// 7. An empty value, a plus, an escaped plus and space, an escaped slash in a
// greedy segment.
func TestEdge7EscapesInQueryAndPath(t *testing.T) {
	r := request("GET", "/files/a%2Fb/c%20d?a&b=&c=1+2&d=1%2B2&e=%zz", "", nil)
	for i, want := range [][2]string{
		{`"files/a%2Fb/c%20d"`, `{"a":"","b":"","c":"1 2","d":"1+2","e":"%zz"}`},
		{`"files/a%2Fb/c%20d"`, `{"a":"","b":"","c":"1 2","d":"1+2","e":"%zz"}`},
		{`"files/a/b/c d"`, `{"a":"","b":"","c":"1 2","d":"1+2","e":"%zz"}`},
		{`absent`, `{"a":"","b":"","c":"1 2","d":"1+2","e":"%zz"}`},
		{`absent`, `{"a":"","b":"","c":"1+2","d":"1%2B2","e":"%zz"}`},
	} {
		m := eventOf(t, doorsWith("", "ANY /{proxy+}")[i], r, "")
		if got := [2]string{at(m, "pathParameters/proxy"), at(m, "queryStringParameters")}; got != want {
			t.Errorf("%s: %v, want %v", eight[i], got, want)
		}
	}
	if got := at(eventOf(t, frontdoor.Lattice{EventVersion: "V1"}, r, ""), "raw_path"); got != `"/files/a%2Fb/c%20d?a&b=&c=1+2&d=1%2B2&e=%zz"` {
		t.Errorf("Lattice V1: %s", got)
	}
}

// 8. The path under which a custom domain has an API is in path, and not in rawPath.
func TestEdge8CustomDomains(t *testing.T) {
	r := request("GET", "/shop/v1/orders/a%20b", "", nil)
	routes := []string{"GET /orders/{id}"}
	rest := frontdoor.RESTAPI{Stage: "prod", Mapping: "shop/v1", Routes: routes}
	api := frontdoor.HTTPAPI{Stage: "prod", Mapping: "shop/v1", Routes: routes}
	for _, tt := range []struct {
		door             frontdoor.Door
		path, want, also string
	}{
		{rest, "path", `"/shop/v1/orders/a%20b"`, "requestContext/path"},
		{frontdoor.HTTPAPI1(api), "path", `"/shop/v1/orders/a%20b"`, "requestContext/path"},
		{api, "rawPath", `"/prod/orders/a b"`, "requestContext/http/path"},
		{frontdoor.HTTPAPI{Mapping: "shop/v1", Routes: routes}, "rawPath", `"/orders/a b"`, "requestContext/http/path"},
	} {
		m := eventOf(t, tt.door, r, "")
		if at(m, tt.path) != tt.want || at(m, tt.also) != tt.want {
			t.Errorf("%T: %s, %s", tt.door, at(m, tt.path), at(m, tt.also))
		}
		for _, other := range []string{"/orders/a", "/shop/v1x/orders/a", "/prod/orders/a"} {
			if _, err := tt.door.Event(request("GET", other, "", nil), nil, frontdoor.Arrival{}); !errors.Is(err, frontdoor.ErrNoRoute) {
				t.Errorf("%T takes %s: %v", tt.door, other, err)
			}
		}
	}
	w, _ := send(frontdoor.RESTAPI{Stage: "prod"}, &double{}, request("GET", "/orders", "", nil))
	if w.Code != 403 || w.Body.String() != `{"message":"Forbidden"}` {
		t.Errorf("without its stage: %d %s", w.Code, w.Body)
	}
}

// 9. A Lattice target group has V1 unless it was made in the console.
func TestEdge9LatticeIsV1ByDefault(t *testing.T) {
	r := request("GET", "/a", "", nil)
	if m := eventOf(t, frontdoor.Lattice{}, r, ""); at(m, "raw_path") != `"/a"` || at(m, "version") != "absent" {
		t.Errorf("%v", m)
	}
	if m := eventOf(t, frontdoor.Lattice{EventVersion: "V2"}, r, ""); at(m, "path") != `"/a"` || at(m, "version") != `"2.0"` {
		t.Errorf("%v", m)
	}
	if (frontdoor.Lattice{EventVersion: "2.0"}).Validate() == nil || (frontdoor.Lattice{EventVersion: "V1"}).Validate() != nil {
		t.Error("V1 and V2 are the versions")
	}
}

// 10. Headers in the map of the other mode do not reach the client, and the author
// is told which, and why.
func TestEdge10TheWrongHeaderMapIsToldAndNotGuessed(t *testing.T) {
	for _, tt := range []struct {
		multi  bool
		result string
		want   string
	}{
		{false, `{"statusCode":200,"multiValueHeaders":{"Location":["/"]}}`, "multiValueHeaders was ignored, with Location in it: the target group's multi-value headers are off, so it reads headers"},
		{true, `{"statusCode":200,"headers":{"Location":"/"}}`, "headers was ignored, with Location in it: the target group's multi-value headers are on, so it reads multiValueHeaders"},
	} {
		w, warnings := send(frontdoor.ALB{MultiValue: tt.multi}, &double{result: tt.result}, request("GET", "/", "", nil))
		if w.Code != 200 || w.Header().Get("Location") != "" {
			t.Errorf("%d %v", w.Code, w.Header())
		}
		if err := errors.Join(warnings...); !errors.Is(err, frontdoor.ErrLenient) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v", err)
		}
	}
}

// What aws-lambda-go's own response types write for a map that is not set is null,
// which is no member at these doors. (A load balancer refuses a null of its own members.)
func TestAMemberThatIsNullIsAbsent(t *testing.T) {
	headers := map[string]string{"X-A": "1"}
	for _, tt := range []struct {
		door   frontdoor.Door
		result any
	}{
		{fixed{frontdoor.HTTPAPI{}}, events.APIGatewayV2HTTPResponse{StatusCode: 200, Headers: headers, Body: "hi"}},
		{frontdoor.FunctionURL{}, events.APIGatewayV2HTTPResponse{StatusCode: 200, Headers: headers, Body: "hi"}},
		{frontdoor.Lattice{}, events.APIGatewayProxyResponse{StatusCode: 200, Headers: headers, Body: "hi"}},
		{frontdoor.RESTAPI{}, events.APIGatewayProxyResponse{StatusCode: 200, Headers: headers, Body: "hi"}},
		{frontdoor.HTTPAPI1{}, events.APIGatewayProxyResponse{StatusCode: 200, Headers: headers, Body: "hi"}},
		{frontdoor.ALB{}, events.ALBTargetGroupResponse{StatusCode: 200, StatusDescription: "200 OK", Headers: headers, Body: "hi"}},
		{frontdoor.ALB{MultiValue: true}, events.ALBTargetGroupResponse{StatusCode: 200, StatusDescription: "200 OK", MultiValueHeaders: map[string][]string{"X-A": {"1"}}, Body: "hi"}},
		{frontdoor.HTTPAPI{}, map[string]any{"statusCode": 200, "headers": headers, "body": "hi", "isBase64Encoded": nil, "cookies": nil}},
	} {
		result, err := json.Marshal(tt.result)
		if err != nil {
			t.Fatal(err)
		}
		w, warnings := send(tt.door, &double{result: string(result)}, request("GET", "/", "", nil))
		if w.Code != 200 || w.Header().Get("X-A") != "1" || w.Body.String() != "hi" || len(warnings) > 0 {
			t.Errorf("%T, %T %s: got %d %v %q, warned of %v; want 200 and no warning", tt.door, tt.result, result, w.Code, w.Header(), w.Body, warnings)
		}
	}
}

func TestARESTAPITakesTheMostSpecificResourceThatHasTheMethod(t *testing.T) {
	door := frontdoor.RESTAPI{Routes: []string{
		"GET /orders/{id}", "ANY /files/{proxy+}", "POST /orders/new", "DELETE /orders/new", "OPTIONS /files", "ANY /files/list", "GET /files/{name}",
	}}
	for _, tt := range []struct{ method, path, resource string }{
		{"GET", "/orders/42", "/orders/{id}"},
		{"DELETE", "/orders/new", "/orders/new"},
		{"GET", "/orders/new", "/orders/{id}"},  // the literal has no GET
		{"PUT", "/orders/42", ""},               // no resource has PUT
		{"POST", "/files/a", "/files/{proxy+}"}, // the variable has no POST
		{"GET", "/files/a", "/files/{name}"},    // and GET is its own
		{"GET", "/files/list", "/files/list"},   // ANY of the literal before GET of the variable
		{"OPTIONS", "/files", "/files"},         // only for the preflight
		{"GET", "/files", ""},                   // a greedy variable is not empty
		{"GET", "/files/a/b", "/files/{proxy+}"},
		{"GET", "/", ""},
	} {
		event, err := door.Event(request(tt.method, tt.path, "", nil), nil, frontdoor.Arrival{})
		var e events.APIGatewayProxyRequest
		if err == nil {
			err = json.Unmarshal(event, &e)
		}
		if e.Resource != tt.resource || errors.Is(err, frontdoor.ErrNoRoute) != (tt.resource == "") {
			t.Errorf("%s %s: %q %v, want %q", tt.method, tt.path, e.Resource, err, tt.resource)
		}
	}
	if door.Validate() != nil || (frontdoor.RESTAPI{Routes: []string{"$default"}}).Validate() == nil {
		t.Error("a REST API has no $default")
	}
}

// https://github.com/aws/aws-sam-cli/issues/1495 and
// https://github.com/aws-powertools/powertools-lambda-python/issues/1552
func TestARESTAPIRoutesASlashAtTheEndAsWithoutIt(t *testing.T) {
	door := frontdoor.RESTAPI{Stage: "prod", Routes: []string{"GET /", "GET /thing", "GET /things/{id}", "ANY /{proxy+}"}}
	for _, tt := range []struct{ path, resource, params string }{
		{"/thing/", "/thing", `null`},
		{"/things/7/", "/things/{id}", `{"id":"7"}`},
		{"/things/", "/{proxy+}", `{"proxy":"things"}`}, // a variable is not empty
		{"/a/b/", "/{proxy+}", `{"proxy":"a/b"}`},
		{"/", "/", `null`},
	} {
		m := eventOf(t, door, request("GET", "/prod"+tt.path, "", nil), "")
		for name, want := range map[string]string{
			"resource": tt.resource, "path": tt.path, "requestContext/path": "/prod" + tt.path, "requestContext/resourcePath": tt.resource,
		} {
			if got := at(m, name); got != strconv.Quote(want) {
				t.Errorf("%s: %s is %s, want %q", tt.path, name, got, want)
			}
		}
		if got := at(m, "pathParameters"); got != tt.params {
			t.Errorf("%s: pathParameters %s, want %s", tt.path, got, tt.params)
		}
	}
	httpAPI := frontdoor.HTTPAPI{Routes: []string{"GET /thing"}}
	if _, err := httpAPI.Event(request("GET", "/thing/", "", nil), nil, frontdoor.Arrival{}); !errors.Is(err, frontdoor.ErrNoRoute) {
		t.Errorf("an HTTP API tells them apart: %v", err)
	}
}

// Every member has its one type at a load balancer, and null is none; a member that
// is not there is fine, and so is what stands in the map of the other mode.
// https://github.com/aws/aws-lambda-go/issues/438 (body),
// https://github.com/aws/aws-lambda-dotnet/issues/507 (statusDescription),
// https://github.com/awslabs/aws-lambda-go-api-proxy/issues/79 (headers),
// https://github.com/jeremydaly/lambda-api/issues/117 and
// https://github.com/CodeGenieApp/serverless-express/pull/699 (their values),
// https://github.com/adamchainz/apig-wsgi/issues/52 (statusCode)
func TestALoadBalancerTakesEachMemberInItsOwnType(t *testing.T) {
	for _, tt := range []struct {
		multi        bool
		result, want string
	}{
		{false, `{"statusCode":200}`, ""},
		{true, `{"statusCode":200}`, ""},
		{false, `{"statusCode":200,"statusDescription":"200 OK","headers":{},"multiValueHeaders":null,"body":"","isBase64Encoded":false}`, ""},
		{true, `{"statusCode":200,"headers":null,"multiValueHeaders":{"A":["b","c"],"D":[]},"extra":null}`, ""},
		{false, `{"statusCode":"200"}`, "statusCode is a string, and a load balancer takes a number"},
		{false, `{"statusCode":200,"body":null}`, "body is null, and a load balancer takes a string"},
		{false, `{"statusCode":200,"body":{}}`, "body is an object, and a load balancer takes a string"},
		{false, `{"statusCode":200,"statusDescription":null}`, "statusDescription is null, and a load balancer takes a string"},
		{false, `{"statusCode":200,"isBase64Encoded":null}`, "isBase64Encoded is null, and a load balancer takes a boolean"},
		{false, `{"statusCode":200,"headers":null,"multiValueHeaders":{"A":["b"]}}`, "headers is null, and a load balancer takes an object"},
		{true, `{"statusCode":200,"headers":{"A":"b"},"multiValueHeaders":null}`, "multiValueHeaders is null, and a load balancer takes an object"},
		{false, `{"statusCode":200,"headers":{"A":"b","Content-Length":1}}`, `headers: "Content-Length" is a number, and a load balancer takes a string`},
		{false, `{"statusCode":200,"headers":{"A":true}}`, `headers: "A" is a boolean, and a load balancer takes a string`},
		{false, `{"statusCode":200,"headers":{"A":["b"]}}`, `headers: "A" is a list, and a load balancer takes a string`},
		{true, `{"statusCode":200,"multiValueHeaders":{"A":"b"}}`, `multiValueHeaders: "A" is a string, and a load balancer takes a list`},
		{true, `{"statusCode":200,"multiValueHeaders":{"A":["b",1]}}`, `multiValueHeaders: "A" is a number, and a load balancer takes a string`},
	} {
		w, warnings := send(frontdoor.ALB{MultiValue: tt.multi}, &double{result: tt.result}, request("GET", "/", "", nil))
		err := errors.Join(warnings...)
		if tt.want == "" && (w.Code != 200 || err != nil) {
			t.Errorf("%s: %d, %v", tt.result, w.Code, err)
		}
		if tt.want != "" && (w.Code != 502 || !errors.Is(err, frontdoor.ErrMalformed) || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %d, %v; want %q", tt.result, w.Code, err, tt.want)
		}
	}
}

func TestADamagedBodyStillArrivesAndIsToldOf(t *testing.T) {
	fn := &double{result: `{"statusCode":200}`}
	w, warnings := send(frontdoor.RESTAPI{}, fn, request("POST", "/", "\xff", http.Header{"Content-Type": {"image/png"}}))
	if w.Code != 200 || !strings.Contains(string(fn.event), "\"body\":\"\uFFFD\"") {
		t.Errorf("%d %s", w.Code, fn.event)
	}
	if err := errors.Join(warnings...); !errors.Is(err, frontdoor.ErrLenient) || !strings.Contains(err.Error(), `Content-Type "image/png"`) {
		t.Errorf("%v", err)
	}
}

func TestAnEdgeOptimisedAPIAddsCloudFront(t *testing.T) {
	m := eventOf(t, frontdoor.RESTAPI{Edge: true}, request("GET", "/", "", nil), "")
	for name, want := range map[string]string{"CloudFront-Viewer-Country": `"US"`, "CloudFront-Forwarded-Proto": `"http"`, "Via": `"1.1 local.cloudfront.net (CloudFront)"`} {
		if got := at(m, "headers/"+name); got != want {
			t.Errorf("%s is %s", name, got)
		}
	}
}

func TestHowLongEachDoorWaits(t *testing.T) {
	for i, want := range []struct {
		wait   time.Duration
		status int
		body   string
	}{
		{29 * time.Second, 504, `{"message": "Endpoint request timed out"}`},
		{30 * time.Second, 503, `{"message":"Service Unavailable"}`},
		{30 * time.Second, 503, `{"message":"Service Unavailable"}`},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			w, _ := send(bare()[i], hanging{}, request("GET", "/", "", nil))
			if w.Code != want.status || w.Body.String() != want.body || time.Since(began) != want.wait {
				t.Errorf("%s: %d %s after %v", eight[i], w.Code, w.Body, time.Since(began))
			}
		})
	}
	if got := (frontdoor.RESTAPI{Stream: true}).Limits(); got != (frontdoor.Limits{Body: 10 << 20, Head: 10240, Wait: 15 * time.Minute, Stream: true}) {
		t.Errorf("a REST API that streams has %+v", got)
	}
	for i := 3; i < 8; i++ {
		if wait := bare()[i].Limits().Wait; wait != 0 {
			t.Errorf("%s waits %v, and not as long as the function may take", eight[i], wait)
		}
	}
}

func TestARESTAPIThatStreams(t *testing.T) {
	zeros := strings.Repeat("\x00", 8)
	for _, tt := range []struct {
		name, stream string
		status       int
		body         string
	}{
		{"lists, cookies and a body", `{"statusCode":201,"headers":{"X-A":"h"},"multiValueHeaders":{"X-M":["1","2"]},"cookies":["c=1","d=2"]}` + zeros + "payload", 201, "payload"},
		{"no status is 200", `{}` + zeros + "payload", 200, "payload"},
		{"no body for 304", `{"statusCode":304}` + zeros + "payload", 304, ""},
		{"a prelude that is null", "null" + zeros, 502, `{"message": "Internal server error"}`},
		{"no prelude", "payload", 502, `{"message": "Internal server error"}`},
		{"a key that it does not know", `{"statusCode":200,"body":"x"}` + zeros, 502, `{"message": "Internal server error"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fn := &double{resp: &runtimeapi.Response{Streamed: true, Stream: io.NopCloser(strings.NewReader(tt.stream)), ContentType: "text/plain"}}
			w, warnings := send(frontdoor.RESTAPI{Stream: true}, fn, request("GET", "/", "", nil))
			if w.Code != tt.status || w.Body.String() != tt.body || !fn.req.Stream || (len(warnings) > 0) != (tt.status == 502) {
				t.Errorf("%d %q %v", w.Code, w.Body, warnings)
			}
			if h := w.Header(); tt.status == 201 && (len(h.Values("X-M")) != 2 || len(h.Values("Set-Cookie")) != 2 || h.Get("X-A") != "h" || h.Get("Content-Type") != "application/json") {
				t.Errorf("%v", h)
			}
		})
	}
}

func TestTheHeadOfAStreamDoesNotWaitForItsBody(t *testing.T) {
	for _, door := range []frontdoor.Door{frontdoor.RESTAPI{Stream: true}, frontdoor.FunctionURL{Stream: true}} {
		pr, pw := io.Pipe()
		fn := &double{resp: &runtimeapi.Response{Streamed: true, Stream: pr, ContentType: "application/vnd.awslambda.http-integration-response"}}
		srv := httptest.NewServer(frontdoor.New(frontdoor.Config{Function: fn, Door: door}))
		go func() { _, _ = io.WriteString(pw, `{"statusCode":202}`+strings.Repeat("\x00", 8)) }()
		transport := &http.Transport{}
		resp, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Get(srv.URL)
		if err != nil {
			t.Fatalf("%T: %v", door, err)
		}
		if resp.StatusCode != 202 {
			t.Errorf("%T: %d", door, resp.StatusCode)
		}
		go func() { _, _ = io.WriteString(pw, "body"); _ = pw.Close() }()
		body, err := io.ReadAll(resp.Body)
		if err != nil || string(body) != "body" {
			t.Errorf("%T: %q %v", door, body, err)
		}
		_ = resp.Body.Close()
		transport.CloseIdleConnections()
		srv.Close()
	}
}

// Every door's event is one that aws-lambda-go's type for it knows whole.
func TestEventsFitTheTypesOfAWSLambdaGo(t *testing.T) {
	types := []any{new(events.APIGatewayProxyRequest), nil, new(events.APIGatewayV2HTTPRequest), nil, new(events.ALBTargetGroupRequest), new(events.ALBTargetGroupRequest)}
	for i, into := range types {
		if into == nil {
			continue // it has version, or leaves out what its type has not got
		}
		event, err := doorsWith("")[i].Event(request("POST", "/a?b=c", "", http.Header{"Cookie": {"a=b"}}), []byte("x"), frontdoor.Arrival{Time: noon})
		if err != nil {
			t.Fatal(err)
		}
		dec := json.NewDecoder(strings.NewReader(strings.ReplaceAll(string(event), `"principalOrgId":null,`, ``))) // newer than the type
		dec.DisallowUnknownFields()
		if err := dec.Decode(into); err != nil {
			t.Errorf("%s: %v", eight[i], err)
		}
	}
}

// FuzzDoors: whatever is asked is an event that is JSON, or an answer of the
// door's own, and whatever the function returns is a response that HTTP has.
func FuzzDoors(f *testing.F) {
	f.Add("GET", "/a%2Fb?x=1&x=2", "X-A", "1", []byte("hi"), []byte(`{"statusCode":200,"body":"x"}`), false)
	f.Add("POST", "/%ff?%zz=%", "Upgrade", "websocket", []byte{0xff, 0}, []byte(`{"statusCode":"2e2","headers":{"":"","a b":"c"},"multiValueHeaders":{"a":[1,null,true,[]]}}`), false)
	f.Add("OPTIONS", "*", "Cookie", ";;=", []byte{}, []byte(`null`), true)
	f.Add("PUT", "/", "Accept", ",", []byte{}, []byte("{\"statusCode\":200,\"multiValueHeaders\":{\"a\":[\"\\r\\nb: c\"]}}\x00\x00\x00\x00\x00\x00\x00\x00body"), true)
	doors := append(bare(), doorsWith("prod", "GET /{a}/{b+}", "ANY /x")...)
	doors = append(doors, frontdoor.RESTAPI{Stream: true, Edge: true, Mapping: "a"}, frontdoor.FunctionURL{Stream: true})
	f.Fuzz(func(t *testing.T, method, target, name, value string, body, result []byte, stream bool) {
		r, err := http.NewRequest(method, "http://localhost", nil)
		if err != nil {
			return
		}
		if r.URL, err = r.URL.Parse(target); err != nil {
			return
		}
		r.Host, r.RemoteAddr, r.RequestURI = "localhost", "127.0.0.1:1", target
		r.Header = http.Header{name: {value, value}}
		for _, door := range doors {
			event, err := door.Event(r, body, frontdoor.Arrival{RequestID: "id"})
			if err != nil && !errors.Is(err, frontdoor.ErrNoRoute) && !errors.Is(err, frontdoor.ErrUpgrade) && !errors.Is(err, frontdoor.ErrLenient) {
				t.Errorf("%T: %v", door, err)
			}
			if event != nil && !json.Valid(event) {
				t.Errorf("%T: the event is not JSON: %s", door, event)
			}
			fn := &double{resp: &runtimeapi.Response{Payload: result, ContentType: "application/vnd.awslambda.http-integration-response"}}
			if stream && door.Limits().Stream {
				fn.resp.Streamed, fn.resp.Stream = true, io.NopCloser(strings.NewReader(string(result)))
			}
			w := httptest.NewRecorder()
			h := frontdoor.New(frontdoor.Config{Function: fn, Door: door})
			again := r.Clone(context.Background())
			again.Body = io.NopCloser(strings.NewReader(string(body)))
			h.ServeHTTP(w, again)
			if w.Code < 200 || w.Code > 599 {
				t.Errorf("%T: %q becomes status %d", door, result, w.Code)
			}
			for name, values := range w.Header() {
				for _, v := range values {
					if strings.ContainsAny(v, "\r\n\x00") {
						t.Errorf("%T: header %q is %q", door, name, v)
					}
				}
			}
		}
	})
}

func ExampleALB_HealthCheck() {
	fmt.Println(string(frontdoor.ALB{}.HealthCheck("/health")))
	// Output: {"requestContext":{"elb":{"targetGroupArn":"arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/local/0000000000000000"}},"httpMethod":"GET","path":"/health","queryStringParameters":{},"headers":{"user-agent":"ELB-HealthChecker/2.0"},"body":"","isBase64Encoded":false}
}

func ExampleRESTAPI() {
	door := frontdoor.RESTAPI{Stage: "prod", Routes: []string{"GET /orders/{id}"}}
	event, _ := door.Event(httptest.NewRequest("GET", "http://localhost/prod/orders/a%2Fb", nil), nil, frontdoor.Arrival{})
	var e events.APIGatewayProxyRequest
	_ = json.Unmarshal(event, &e)
	fmt.Println(e.Resource, e.Path, e.RequestContext.Path, e.PathParameters)
	// Output: /orders/{id} /orders/a%2Fb /prod/orders/a%2Fb map[id:a%2Fb]
}

func ExampleLattice() {
	event, _ := frontdoor.Lattice{}.Event(httptest.NewRequest("GET", "http://localhost/orders?a=1", nil), nil, frontdoor.Arrival{})
	fmt.Println(string(event))
	// Output: {"raw_path":"/orders?a=1","method":"GET","headers":{"host":"localhost","x-forwarded-for":"192.0.2.1"},"query_string_parameters":{"a":"1"},"body":"","is_base64_encoded":false}
}

// What a door makes of one header in several spellings is the same each time.
func TestHeadersThatDifferInCaseAreReadInTheOrderOfTheJSON(t *testing.T) {
	const single = `{"statusCode":200,"headers":{"Set-Cookie":"b=1","set-cookie":"a=2","SET-COOKIE":"c=3","X-A":"1"}}`
	const multi = `{"statusCode":200,"multiValueHeaders":{"Set-Cookie":["b=1","a=2"],"set-cookie":["c=3"]}}`
	for _, tt := range []struct {
		rule   string
		door   frontdoor.Door
		result string
		want   []string
	}{
		{"a load balancer sends each of them", frontdoor.ALB{}, single, []string{"b=1", "a=2", "c=3"}},
		{"also in lists", frontdoor.ALB{MultiValue: true}, multi, []string{"b=1", "a=2", "c=3"}},
		{"VPC Lattice takes the first", frontdoor.Lattice{}, single, []string{"b=1"}},
		{"a REST API takes the first", frontdoor.RESTAPI{}, single, []string{"b=1"}},
		{"a REST API takes the first list", frontdoor.RESTAPI{}, multi, []string{"b=1", "a=2"}},
		{"an HTTP API takes the first, format 1.0", frontdoor.HTTPAPI1{}, single, []string{"b=1"}},
		{"an HTTP API takes the first, format 2.0", frontdoor.HTTPAPI{}, single, []string{"b=1"}},
		{"a function URL takes the first", frontdoor.FunctionURL{}, single, []string{"b=1"}},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			t.Parallel()
			for range 20 {
				w, _ := send(tt.door, &double{result: tt.result}, request("GET", "/", "", nil))
				if got := w.Header()["Set-Cookie"]; fmt.Sprint(got) != fmt.Sprint(tt.want) {
					t.Fatalf("got %q, want %q", got, tt.want)
				}
			}
		})
	}
}

func TestAHEADSaysNoLengthThatNobodyCounted(t *testing.T) {
	for _, tt := range []struct{ rule, result, want string }{
		{"a function that sent no body", `{"statusCode":200,"body":""}`, ""},
		{"a length that the function says is not passed on", `{"statusCode":200,"headers":{"Content-Length":"5"},"body":""}`, ""},
		{"a body is counted", `{"statusCode":200,"body":"hello"}`, "5"},
	} {
		for _, door := range []frontdoor.Door{frontdoor.HTTPAPI{}, frontdoor.HTTPAPI1{}, frontdoor.FunctionURL{}, frontdoor.ALB{}, frontdoor.Lattice{}} {
			t.Run(fmt.Sprintf("%s/%T", tt.rule, door), func(t *testing.T) {
				t.Parallel()
				w, _ := send(door, &double{result: tt.result}, request("HEAD", "/", "", nil))
				if got := w.Header().Get("Content-Length"); got != tt.want || w.Code != 200 {
					t.Errorf("got status %d, length %q, want length %q", w.Code, got, tt.want)
				}
			})
		}
	}
}

func TestWhatConnectionNamesEndsAtAGateway(t *testing.T) {
	for _, tt := range []struct {
		door   frontdoor.Door
		passed bool
	}{
		{frontdoor.RESTAPI{}, false}, {frontdoor.HTTPAPI{}, false}, {frontdoor.HTTPAPI1{}, false}, {frontdoor.FunctionURL{}, false},
		{frontdoor.Lattice{}, false}, {frontdoor.Lattice{EventVersion: "V2"}, false},
		{frontdoor.ALB{}, true}, // Connection itself is in its captured events
	} {
		t.Run(fmt.Sprintf("%T", tt.door), func(t *testing.T) {
			t.Parallel()
			fn := &double{result: `{"statusCode":200}`}
			send(tt.door, fn, request("GET", "/", "", http.Header{"Connection": {"X-Hop, close"}, "X-Hop": {"1"}, "X-End": {"1"}}))
			event := strings.ToLower(string(fn.event))
			if got := strings.Contains(event, `"x-hop"`); got != tt.passed {
				t.Errorf("X-Hop was passed: %v, want %v", got, tt.passed)
			}
			if !strings.Contains(event, `"x-end"`) {
				t.Errorf("X-End is lost in %s", event)
			}
		})
	}
}

// https://github.com/cargo-lambda/cargo-lambda/issues/862
func TestAStreamsLengthIsRemapped(t *testing.T) {
	for _, door := range []frontdoor.Door{frontdoor.FunctionURL{Stream: true}, frontdoor.RESTAPI{Stream: true}} {
		w, _ := send(door, &double{resp: &runtimeapi.Response{
			Streamed: true, ContentType: "application/vnd.awslambda.http-integration-response",
			Stream: io.NopCloser(strings.NewReader(`{"statusCode":200,"headers":{"Content-Length":"2"}}` + "\x00\x00\x00\x00\x00\x00\x00\x00hi")),
		}}, request("GET", "/", "", nil))
		if got := w.Header().Get("X-Amzn-Remapped-Content-Length"); got != "2" || w.Header().Get("Content-Length") != "" || w.Body.String() != "hi" {
			t.Errorf("%T: %v %q, want the length under its other name", door, w.Header(), w.Body)
		}
	}
}

func TestALoadBalancerMayWriteTheClientsPort(t *testing.T) {
	for remote, want := range map[string]string{"198.51.100.4:54321": "10.0.0.1, 198.51.100.4:54321", "[2001:db8::1]:443": "10.0.0.1, [2001:db8::1]:443"} {
		fn := &double{result: `{"statusCode":200}`}
		r := request("GET", "/", "", http.Header{"X-Forwarded-For": {"10.0.0.1"}})
		r.RemoteAddr = remote
		send(frontdoor.ALB{ClientPort: true}, fn, r)
		var e events.ALBTargetGroupRequest
		if err := json.Unmarshal(fn.event, &e); err != nil {
			t.Fatal(err)
		}
		if got := e.Headers["x-forwarded-for"]; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestARESTAPILeavesOutATypeThatIsNull(t *testing.T) {
	for result, want := range map[string]string{
		`{"statusCode":200,"body":"x"}`:                                                                                   "application/json",
		`{"statusCode":200,"body":"x","headers":{"Content-Type":null}}`:                                                   "",
		`{"statusCode":200,"body":"x","headers":{"content-type":null}}`:                                                   "",
		`{"statusCode":200,"body":"x","headers":{"Content-Type":null},"multiValueHeaders":{"content-type":["text/csv"]}}`: "text/csv",
	} {
		srv := httptest.NewServer(frontdoor.New(frontdoor.Config{Function: &double{result: result}, Door: frontdoor.RESTAPI{}}))
		resp, err := srv.Client().Get(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		srv.Close()
		if got := resp.Header.Get("Content-Type"); got != want {
			t.Errorf("%s: type %q, want %q", result, got, want)
		}
	}
}
