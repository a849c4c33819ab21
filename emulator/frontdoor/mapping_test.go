package frontdoor_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gomiddy/middy/emulator/frontdoor"
	"github.com/gomiddy/middy/emulator/runtimeapi"
)

// The columns of the mapping tables.
var eight = []string{"REST API", "HTTP API 1.0", "HTTP API 2.0", "function URL", "ALB", "ALB multi-value", "Lattice V1", "Lattice V2"}

// doorsWith are the eight with a stage, a route and what belongs to them.
func doorsWith(stage string, routes ...string) []frontdoor.Door {
	vars := map[string]string{"color": "blue"}
	auth := func(m map[string]any) map[string]any { return m }
	api := frontdoor.HTTPAPI{Stage: stage, StageVariables: vars, Routes: routes, Authorizer: auth(map[string]any{"jwt": map[string]any{"claims": map[string]any{"sub": "me"}, "scopes": nil}})}
	old := api
	old.Authorizer = auth(map[string]any{"claims": map[string]any{"sub": "me"}, "scopes": nil})
	return []frontdoor.Door{
		frontdoor.RESTAPI{Stage: stage, StageVariables: vars, Routes: routes, Authorizer: auth(map[string]any{"principalId": "me"}), BinaryMediaTypes: []string{"image/*"}, Identity: map[string]any{"apiKey": "k"}},
		frontdoor.HTTPAPI1(old), api, frontdoor.FunctionURL{},
		frontdoor.ALB{}, frontdoor.ALB{MultiValue: true},
		frontdoor.Lattice{EventVersion: "V1"}, frontdoor.Lattice{EventVersion: "V2", Identity: map[string]any{"type": "AWS_IAM", "principal": "me"}},
	}
}

// bare are the eight as their zero values, or next to them.
func bare() []frontdoor.Door {
	return []frontdoor.Door{
		frontdoor.RESTAPI{}, frontdoor.HTTPAPI1{}, frontdoor.HTTPAPI{}, frontdoor.FunctionURL{},
		frontdoor.ALB{}, frontdoor.ALB{MultiValue: true}, frontdoor.Lattice{}, frontdoor.Lattice{EventVersion: "V2"},
	}
}

const trace = "Root=1-5759e988-bd862e3fe1be46a994272793"

// eventOf is the event as any JSON reader sees it.
func eventOf(t *testing.T, door frontdoor.Door, r *http.Request, body string) map[string]any {
	t.Helper()
	event, err := door.Event(r, []byte(body), frontdoor.Arrival{RequestID: "7b1f6f3c-0000-4000-8000-000000000000", TraceID: trace, Time: noon})
	if err != nil && !errors.Is(err, frontdoor.ErrLenient) {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(event, &m); err != nil {
		t.Fatalf("%s: %v", event, err)
	}
	return m
}

// at follows a path of names with slashes between; "absent" is what is not there.
func at(m map[string]any, path string) string {
	var v any = m
	for name := range strings.SplitSeq(path, "/") {
		object, _ := v.(map[string]any)
		next, ok := object[name]
		if !ok {
			return "absent"
		}
		v = next
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(b))
}

// A mapping is one row of the table of requests. Each cell has lines "path = JSON".
type mapping struct {
	name    string
	doors   []frontdoor.Door
	request *http.Request
	body    string
	cells   [8]string
}

func TestRequestsBecomeEventsRowByRow(t *testing.T) {
	staged := doorsWith("prod", "POST /orders/{id}", "$default")
	staged[0] = withRoutes(staged[0].(frontdoor.RESTAPI), "POST /orders/{id}", "ANY /{proxy+}")
	full := func() *http.Request {
		return request("POST", "/prod/orders/4%2F2%20b?a=1&a=2&b=%C3%A4+c&e", "", http.Header{
			"Content-Type": {"text/plain"}, "X-Many": {"one", "two, three"}, "User-Agent": {"curl/8"},
			"Cookie": {"a=1; b=2", "c=3"}, "Connection": {"keep-alive"}, "X-Forwarded-For": {"10.0.0.1"}, "Content-Length": {"2"},
		})
	}
	empty := func() *http.Request { return request("GET", "/", "", nil) }
	for _, row := range []mapping{
		{"version", staged, full(), "hi", [8]string{
			`version = absent`, `version = "1.0"`, `version = "2.0"`, `version = "2.0"`, `version = absent`, `version = absent`, `version = absent`, `version = "2.0"`,
		}},
		{"method", staged, full(), "hi", [8]string{
			`httpMethod = "POST"`, `httpMethod = "POST"`, `requestContext/http/method = "POST"`, `requestContext/http/method = "POST"`,
			`httpMethod = "POST"`, `httpMethod = "POST"`, `method = "POST"`, `method = "POST"`,
		}},
		{"path", staged, full(), "hi", [8]string{
			"path = \"/orders/4%2F2%20b\"\nrequestContext/path = \"/prod/orders/4%2F2%20b\"",
			"path = \"/prod/orders/4%2F2%20b\"\nrequestContext/path = \"/prod/orders/4%2F2%20b\"",
			"rawPath = \"/prod/orders/4/2 b\"\nrequestContext/http/path = \"/prod/orders/4/2 b\"",
			"rawPath = \"/prod/orders/4%2F2%20b\"\nrequestContext/http/path = \"/prod/orders/4/2 b\"",
			`path = "/prod/orders/4%2F2%20b"`, `path = "/prod/orders/4%2F2%20b"`,
			`raw_path = "/prod/orders/4%2F2%20b?a=1&a=2&b=%C3%A4+c&e"`, `path = "/prod/orders/4%2F2%20b"`,
		}},
		{"route", staged, full(), "hi", [8]string{
			"resource = \"/orders/{id}\"\nrequestContext/resourcePath = \"/orders/{id}\"",
			"resource = \"/orders/{id}\"\nrequestContext/resourceId = \"POST /orders/{id}\"",
			"routeKey = \"POST /orders/{id}\"\nrequestContext/routeKey = \"POST /orders/{id}\"",
			`routeKey = "$default"`, `resource = absent`, `resource = absent`, `resource = absent`, `routeKey = absent`,
		}},
		{"path parameters", staged, full(), "hi", [8]string{
			`pathParameters = {"id":"4%2F2%20b"}`, `pathParameters = {"id":"4%2F2%20b"}`, `pathParameters = {"id":"4/2 b"}`, `pathParameters = absent`,
			`pathParameters = absent`, `pathParameters = absent`, `pathParameters = absent`, `pathParameters = absent`,
		}},
		{"no path parameters", bare(), empty(), "", [8]string{
			`pathParameters = null`, `pathParameters = null`, `pathParameters = absent`, `pathParameters = absent`,
			`pathParameters = absent`, `pathParameters = absent`, `pathParameters = absent`, `pathParameters = absent`,
		}},
		{"query, single", staged, full(), "hi", [8]string{
			`queryStringParameters = {"a":"2","b":"ä c","e":""}`, `queryStringParameters = {"a":"2","b":"ä c","e":""}`,
			`queryStringParameters = {"a":"1,2","b":"ä c","e":""}`, `queryStringParameters = {"a":"1,2","b":"ä c","e":""}`,
			`queryStringParameters = {"a":"2","b":"%C3%A4+c","e":""}`, `queryStringParameters = absent`,
			`query_string_parameters = {"a":"2","b":"ä c","e":""}`, `queryStringParameters = {"a":["1","2"],"b":["ä c"],"e":[""]}`,
		}},
		{"query, multi", staged, full(), "hi", [8]string{
			`multiValueQueryStringParameters = {"a":["1","2"],"b":["ä c"],"e":[""]}`, `multiValueQueryStringParameters = {"a":["1","2"],"b":["ä c"],"e":[""]}`,
			`rawQueryString = "a=1&a=2&b=%C3%A4+c&e"`, `rawQueryString = "a=1&a=2&b=%C3%A4+c&e"`,
			`multiValueQueryStringParameters = absent`, `multiValueQueryStringParameters = {"a":["1","2"],"b":["%C3%A4+c"],"e":[""]}`,
			`multiValueQueryStringParameters = absent`, `queryStringParameters = {"a":["1","2"],"b":["ä c"],"e":[""]}`,
		}},
		{"no query", bare(), empty(), "", [8]string{
			"queryStringParameters = null\nmultiValueQueryStringParameters = null", "queryStringParameters = null\nmultiValueQueryStringParameters = null",
			"queryStringParameters = absent\nrawQueryString = \"\"", "queryStringParameters = absent\nrawQueryString = \"\"",
			`queryStringParameters = {}`, `multiValueQueryStringParameters = {}`, `query_string_parameters = {}`, `queryStringParameters = absent`,
		}},
		{"header keys", staged, full(), "hi", [8]string{
			"headers/X-Many = \"two, three\"\nheaders/x-many = absent", "headers/x-many = \"two, three\"\nheaders/X-Many = absent",
			`headers/user-agent = "curl/8"`, `headers/user-agent = "curl/8"`, `headers/user-agent = "curl/8"`, `multiValueHeaders/user-agent = ["curl/8"]`,
			`headers/user-agent = "curl/8"`, `headers/user-agent = ["curl/8"]`,
		}},
		{"header, single", staged, full(), "hi", [8]string{
			`headers/X-Many = "two, three"`, `headers/x-many = "two, three"`, `headers/x-many = "one,two, three"`, `headers/x-many = "one,two, three"`,
			`headers/x-many = "two, three"`, `headers = absent`, `headers/x-many = "one,two, three"`, `headers/x-many = ["one","two, three"]`,
		}},
		{"header, multi", staged, full(), "hi", [8]string{
			`multiValueHeaders/X-Many = ["one","two, three"]`, `multiValueHeaders/x-many = ["one","two, three"]`, `multiValueHeaders = absent`, `multiValueHeaders = absent`,
			`multiValueHeaders = absent`, `multiValueHeaders/x-many = ["one","two, three"]`, `multiValueHeaders = absent`, `headers/x-many = ["one","two, three"]`,
		}},
		{"cookies", staged, full(), "hi", [8]string{
			"multiValueHeaders/Cookie = [\"a=1; b=2\",\"c=3\"]\ncookies = absent", "multiValueHeaders/cookie = [\"a=1; b=2\",\"c=3\"]\ncookies = absent",
			"cookies = [\"a=1\",\"b=2\",\"c=3\"]\nheaders/cookie = absent", "cookies = [\"a=1\",\"b=2\",\"c=3\"]\nheaders/cookie = \"a=1; b=2; c=3\"",
			`headers/cookie = "c=3"`, `multiValueHeaders/cookie = ["a=1; b=2","c=3"]`, `headers/cookie = "a=1; b=2,c=3"`, `headers/cookie = ["a=1; b=2","c=3"]`,
		}},
		{"no body", bare(), empty(), "", [8]string{
			`body = null`, `body = null`, `body = absent`, `body = absent`, `body = ""`, `body = ""`, `body = ""`, `body = absent`,
		}},
		{"added headers", staged, full(), "hi", [8]string{
			"headers/Host = \"localhost:3000\"\nheaders/X-Forwarded-For = \"10.0.0.1, 127.0.0.1\"\nheaders/X-Forwarded-Port = \"3000\"\nheaders/X-Forwarded-Proto = \"http\"\n" +
				"headers/X-Amzn-Trace-Id = \"" + trace + "\"\nheaders/Content-Length = absent\nheaders/Connection = absent\nheaders/CloudFront-Viewer-Country = absent",
			"headers/host = \"localhost:3000\"\nheaders/x-forwarded-for = \"10.0.0.1, 127.0.0.1\"\nheaders/x-forwarded-port = \"3000\"\nheaders/x-forwarded-proto = \"http\"\n" +
				"headers/x-amzn-trace-id = \"" + trace + "\"\nheaders/content-length = \"2\"\nheaders/connection = absent",
			"headers/host = \"localhost:3000\"\nheaders/x-forwarded-for = \"10.0.0.1, 127.0.0.1\"\nheaders/x-forwarded-port = \"3000\"\nheaders/x-forwarded-proto = \"http\"\n" +
				"headers/x-amzn-trace-id = \"" + trace + "\"\nheaders/content-length = \"2\"",
			"headers/x-forwarded-for = \"10.0.0.1, 127.0.0.1\"\nheaders/x-amzn-trace-id = \"" + trace + "\"\nheaders/content-length = \"2\"",
			"headers/x-forwarded-for = \"10.0.0.1, 127.0.0.1\"\nheaders/x-forwarded-port = \"3000\"\nheaders/x-forwarded-proto = \"http\"\nheaders/x-amzn-trace-id = \"" + trace + "\"",
			"multiValueHeaders/x-forwarded-for = [\"10.0.0.1, 127.0.0.1\"]\nmultiValueHeaders/x-amzn-trace-id = [\"" + trace + "\"]",
			"headers/x-forwarded-for = \"10.0.0.1, 127.0.0.1\"\nheaders/x-forwarded-proto = absent",
			"headers/x-forwarded-for = [\"10.0.0.1, 127.0.0.1\"]\nheaders/x-forwarded-proto = absent",
		}},
		{"client address", bare(), empty(), "", [8]string{
			`requestContext/identity/sourceIp = "127.0.0.1"`, `requestContext/identity/sourceIp = "127.0.0.1"`,
			`requestContext/http/sourceIp = "127.0.0.1"`, `requestContext/http/sourceIp = "127.0.0.1"`,
			`headers/x-forwarded-for = "127.0.0.1"`, `multiValueHeaders/x-forwarded-for = ["127.0.0.1"]`,
			`headers/x-forwarded-for = "127.0.0.1"`, `headers/x-forwarded-for = ["127.0.0.1"]`,
		}},
		{"stage", staged, full(), "hi", [8]string{
			"requestContext/stage = \"prod\"\nstageVariables = {\"color\":\"blue\"}", "requestContext/stage = \"prod\"\nstageVariables = {\"color\":\"blue\"}",
			"requestContext/stage = \"prod\"\nstageVariables = {\"color\":\"blue\"}", "requestContext/stage = \"$default\"\nstageVariables = absent",
			`requestContext/stage = absent`, `requestContext/stage = absent`, `requestContext = absent`, `requestContext/stage = absent`,
		}},
		{"no stage", bare(), empty(), "", [8]string{
			"requestContext/stage = \"prod\"\nstageVariables = null", "requestContext/stage = \"$default\"\nstageVariables = null",
			"requestContext/stage = \"$default\"\nstageVariables = absent", `requestContext/stage = "$default"`,
			`stageVariables = absent`, `stageVariables = absent`, `stageVariables = absent`, `stageVariables = absent`,
		}},
		{"who asks", staged, full(), "hi", [8]string{
			"requestContext/authorizer = {\"principalId\":\"me\"}\nrequestContext/identity/apiKey = \"k\"\nrequestContext/identity/userArn = null",
			"requestContext/authorizer/claims = {\"sub\":\"me\"}\nrequestContext/authorizer/scopes = null\nrequestContext/identity/userArn = null",
			`requestContext/authorizer/jwt/claims = {"sub":"me"}`, `requestContext/authorizer = absent`,
			`requestContext/authorizer = absent`, `requestContext/authorizer = absent`, `requestContext = absent`,
			"requestContext/identity = {\"principal\":\"me\",\"type\":\"AWS_IAM\"}",
		}},
		{"ids and time", staged, full(), "hi", [8]string{
			"requestContext/requestId = \"7b1f6f3c-0000-4000-8000-000000000000\"\nrequestContext/extendedRequestId = \"ofyjfCTYkBA95dY=\"\n" +
				"requestContext/requestTime = \"25/Nov/2026:12:00:00 +0000\"\nrequestContext/requestTimeEpoch = 1795608000000",
			"requestContext/requestTime = \"25/Nov/2026:12:00:00 +0000\"\nrequestContext/requestTimeEpoch = 1795608000000",
			"requestContext/time = \"25/Nov/2026:12:00:00 +0000\"\nrequestContext/timeEpoch = 1795608000000",
			"requestContext/time = \"25/Nov/2026:12:00:00 +0000\"\nrequestContext/timeEpoch = 1795608000000",
			`requestContext = {"elb":{"targetGroupArn":"arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/local/0000000000000000"}}`,
			`requestContext/elb/targetGroupArn = "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/local/0000000000000000"`,
			`requestContext = absent`,
			"requestContext/timeEpoch = \"1795608000000000\"\nrequestContext/region = \"us-east-1\"\n" +
				"requestContext/serviceArn = \"arn:aws:vpc-lattice:us-east-1:000000000000:service/svc-00000000000000000\"",
		}},
	} {
		for i, door := range row.doors {
			t.Run(row.name+"/"+eight[i], func(t *testing.T) {
				m := eventOf(t, door, row.request, row.body)
				for line := range strings.SplitSeq(row.cells[i], "\n") {
					path, want, _ := strings.Cut(line, " = ")
					if got := at(m, path); got != want {
						t.Errorf("%s is %s, want %s", path, got, want)
					}
				}
			})
		}
	}
}

func withRoutes(d frontdoor.RESTAPI, routes ...string) frontdoor.RESTAPI {
	d.Routes = routes
	return d
}

// TestWhichBodiesAreEncoded is the row of the base64 rule.
func TestWhichBodiesAreEncoded(t *testing.T) {
	const text, coded, damaged = "text", "base64", "damaged"
	for _, tt := range []struct {
		contentType, encoding, body string
		want                        [8]string
	}{
		{"text/plain; charset=utf-8", "", "hi", [8]string{text, text, text, text, text, text, text, text}},
		{"application/json", "", "{}", [8]string{text, text, text, text, text, text, text, text}},
		{"application/javascript", "", "1", [8]string{text, text, text, text, text, text, text, text}},
		{"application/problem+json", "", "{}", [8]string{text, text, text, text, coded, coded, text, text}},
		{"image/svg+xml", "", "<p/>", [8]string{coded, text, text, text, coded, coded, text, text}},
		{"application/x-www-form-urlencoded", "", "a=1", [8]string{text, coded, coded, coded, coded, coded, coded, coded}},
		{"image/png", "", "\x89", [8]string{coded, coded, coded, coded, coded, coded, coded, coded}},
		{"application/octet-stream", "", "\x89", [8]string{damaged, coded, coded, coded, coded, coded, coded, coded}},
		{"text/plain", "gzip", "\x1f\x8b", [8]string{damaged, coded, coded, coded, coded, coded, coded, coded}},
		{"", "", "hi", [8]string{text, coded, coded, coded, coded, coded, coded, coded}},
	} {
		for i, door := range doorsWith("") {
			r := request("POST", "/", "", http.Header{})
			if tt.contentType != "" {
				r.Header.Set("Content-Type", tt.contentType)
			}
			if tt.encoding != "" {
				r.Header.Set("Content-Encoding", tt.encoding)
			}
			_, err := door.Event(r, []byte(tt.body), frontdoor.Arrival{})
			m := eventOf(t, door, r, tt.body)
			flag := at(m, "isBase64Encoded") + at(m, "is_base64_encoded")
			got := text
			switch {
			case strings.Contains(flag, "true"):
				got = coded
			case m["body"] != tt.body:
				got = damaged
			}
			if got != tt.want[i] || (got == damaged) != errors.Is(err, frontdoor.ErrLenient) {
				t.Errorf("%s: %q %q %q: %s %v, want %s", eight[i], tt.contentType, tt.encoding, tt.body, got, err, tt.want[i])
			}
		}
	}
}

// A response row has a result, or what happens in its place, and in each cell
// " | " between: a status, headers ("X-A: v"; "-" is absent), "body x", "warns".
type response struct {
	name   string
	result string
	fails  *double
	accept string
	cells  [8]string
}

func TestResultsBecomeResponsesRowByRow(t *testing.T) {
	const (
		restError = `502 | Content-Type: application/json | X-Amzn-Errortype: InternalServerErrorException | body {"message": "Internal server error"}`
		httpError = `500 | Content-Type: application/json | body {"message":"Internal Server Error"}`
		albError  = `502 | Content-Type: text/html | Server: awselb/2.0`
		malformed = " | warns"
	)
	failing := &double{resp: &runtimeapi.Response{FunctionError: "Unhandled", ErrorType: "errorString"}}
	throttled := &double{err: &runtimeapi.InvokeError{Reason: runtimeapi.ErrThrottled}}
	large := &double{err: &runtimeapi.InvokeError{Reason: runtimeapi.ErrTooLarge}}
	same := func(cell string) (all [8]string) {
		for i := range all {
			all[i] = cell
		}
		return all
	}
	refused := [8]string{restError + malformed, httpError + malformed, httpError + malformed, httpError + malformed,
		albError + malformed, albError + malformed, "500 | warns", "500 | warns"}
	inferred := func(body string) [8]string {
		cells := refused
		cells[2] = "200 | Content-Type: application/json | body " + body
		cells[3] = cells[2]
		return cells
	}
	for _, row := range []response{
		{"required: nothing, an object, a statusCode", `{"a":1}`, nil, "", inferred(`{"a":1}`)},
		{"required: null", `null`, nil, "", inferred(`null`)},
		{"required: a list", `[1]`, nil, "", inferred(`[1]`)},
		{"required: broken JSON", `{"statusCode":200`, nil, "", inferred(`{"statusCode":200`)},
		{"required: names are exact", `{"StatusCode":200,"body":"x"}`, nil, "", inferred(`{"StatusCode":200,"body":"x"}`)},
		{"required: a statusCode that HTTP has", `{"statusCode":42}`, nil, "", refused},
		{"required: the body is a string", `{"statusCode":200,"body":{"a":1}}`, nil, "", refused},
		{"allowed: exact names, too", `{"statusCode":200,"Body":"x","Headers":{"X-A":"1"}}`, nil, "", [8]string{
			restError + malformed, httpError + malformed, "200 | X-A: - | body ", "200 | X-A: - | body ", "200 | X-A: - | body ", "200 | body ", "200 | body ", "200 | body "}},
		{"allowed: status text", `{"statusCode":200,"statusDescription":"200 OK","body":"x"}`, nil, "", [8]string{
			restError + malformed, httpError + malformed, "200 | body x", "200 | body x", "200 | body x", "200 | body x", "200 | body x", "200 | body x"}},
		{"allowed: status text in its form", `{"statusCode":200,"statusDescription":"OK"}`, nil, "", [8]string{
			restError + malformed, httpError + malformed, "200", "200", "200 | warns", "200 | warns", "200 | warns", "200 | warns"}},
		{"allowed: cookies", `{"statusCode":200,"cookies":["a=1","b=2"]}`, nil, "", [8]string{
			restError + malformed, httpError + malformed, "200 | Set-Cookie: a=1,b=2", "200 | Set-Cookie: a=1,b=2", "200 | Set-Cookie: -", "200 | Set-Cookie: -", "200 | Set-Cookie: -", "200 | Set-Cookie: -"}},
		{"allowed: any other key", `{"statusCode":200,"other":1}`, nil, "", [8]string{restError + malformed, httpError + malformed, "200", "200", "200", "200", "200", "200"}},
		{"both header maps", `{"statusCode":200,"headers":{"X-A":"h","X-B":"h"},"multiValueHeaders":{"x-a":["m1","m2"],"X-C":["m"]}}`, nil, "", [8]string{
			"200 | X-A: m1,m2 | X-B: h | X-C: m", "200 | X-A: m1,m2 | X-B: h | X-C: m",
			"200 | X-A: h | X-B: h | X-C: - | warns", "200 | X-A: h | X-B: h | X-C: - | warns",
			"200 | X-A: h | X-B: h | X-C: - | warns", "200 | X-A: m1,m2 | X-B: - | X-C: m | warns",
			"200 | X-A: h | X-B: h | X-C: - | warns", "200 | X-A: h | X-B: h | X-C: - | warns"}},
		{"both header maps with the same names", `{"statusCode":200,"headers":{"X-A":"h"},"multiValueHeaders":{"x-a":["m1","m2"]}}`, nil, "", [8]string{
			"200 | X-A: m1,m2", "200 | X-A: m1,m2", "200 | X-A: h | warns", "200 | X-A: h | warns", "200 | X-A: h", "200 | X-A: m1,m2", "200 | X-A: h | warns", "200 | X-A: h | warns"}},
		{"an empty list is no header", `{"statusCode":200,"headers":{"X-A":"h"},"multiValueHeaders":{"x-a":[],"X-B":[null]}}`, nil, "", [8]string{
			"200 | X-A: h | X-B: -", "200 | X-A: h | X-B: -", "200 | X-A: h | warns", "200 | X-A: h | warns", "200 | X-A: h", albError + malformed, "200 | X-A: h | warns", "200 | X-A: h | warns"}},
		{"values that are no strings", `{"statusCode":200,"headers":{"X-N":1.50,"X-B":true,"X-0":null},"multiValueHeaders":{"X-N":[1.50],"X-B":[true,null]}}`, nil, "", [8]string{
			"200 | X-N: 1.50 | X-B: true | X-0: -", "200 | X-N: 1.50 | X-B: true | X-0: -", "200 | X-N: 1.50 | X-0: - | warns", "200 | X-N: 1.50 | warns",
			albError + malformed, albError + malformed, "200 | X-N: 1.50 | warns", "200 | X-N: 1.50 | warns"}},
		{"a value that is a list of lists", `{"statusCode":200,"headers":{"X-A":["h"]},"multiValueHeaders":{"X-A":[["h"]]}}`, nil, "", refused},
		{"headers that are no object", `{"statusCode":200,"headers":[],"multiValueHeaders":[]}`, nil, "", refused},
		{"base64 by its flag, which is a boolean", `{"statusCode":200,"body":"aGk=","isBase64Encoded":"true"}`, nil, "image/png", refused},
		{"cookies in headers", `{"statusCode":200,"headers":{"Set-Cookie":"a=1"}}`, nil, "", [8]string{
			"200 | Set-Cookie: a=1", "200 | Set-Cookie: a=1", "200 | Set-Cookie: a=1", "200 | Set-Cookie: a=1", "200 | Set-Cookie: a=1", "200 | Set-Cookie: - | warns", "200 | Set-Cookie: a=1", "200 | Set-Cookie: a=1"}},
		{"cookies in lists", `{"statusCode":200,"multiValueHeaders":{"Set-Cookie":["a=1","b=2"]}}`, nil, "", [8]string{
			"200 | Set-Cookie: a=1,b=2", "200 | Set-Cookie: a=1,b=2", "200 | Set-Cookie: - | warns", "200 | Set-Cookie: - | warns",
			"200 | Set-Cookie: - | warns", "200 | Set-Cookie: a=1,b=2", "200 | Set-Cookie: - | warns", "200 | Set-Cookie: - | warns"}},
		{"default content type", `{"statusCode":200,"body":"<p>"}`, nil, "", [8]string{
			"200 | Content-Type: application/json", "200 | Content-Type: text/plain; charset=utf-8", "200 | Content-Type: text/plain; charset=utf-8", "200 | Content-Type: text/plain; charset=utf-8",
			"200 | Content-Type: -", "200 | Content-Type: -", "200 | Content-Type: -", "200 | Content-Type: -"}},
		{"base64 for a client that accepts a picture", `{"statusCode":200,"body":"aGk=","isBase64Encoded":true}`, nil, "image/png, */*", same("200 | body hi")},
		{"base64 for a client that does so second", `{"statusCode":200,"body":"aGk=","isBase64Encoded":true}`, nil, "text/html, image/png", [8]string{
			"200 | body aGk= | warns", "200 | body hi", "200 | body hi", "200 | body hi", "200 | body hi", "200 | body hi", "200 | body hi", "200 | body hi"}},
		{"base64 that is none", `{"statusCode":200,"body":"*","isBase64Encoded":true}`, nil, "image/png", refused},
		{"a function error", "", failing, "", refused},
		{"throttled", "", throttled, "", [8]string{
			`500 | body {"message": "Internal server error"} | warns`, `503 | Apigw-Requestid: JKJaXmPLvHcESHA= | body {"message":"Service Unavailable"} | warns`, `429 | body {"message":"Too Many Requests"} | warns`,
			`429 | body {"message":"Rate Exceeded."} | warns`, albError + malformed, albError + malformed, "500 | warns", "500 | warns"}},
		{"too large", "", large, "", [8]string{
			`413 | body {"message":"Request Too Long"} | warns`, `413 | body {"message":"Request Entity Too Large"} | warns`, `413 | body {"message":"Request Entity Too Large"} | warns`,
			`413 | warns`, "413 | Content-Type: text/html | warns", "413 | warns", "413 | warns", "413 | warns"}},
		{"added headers", `{"statusCode":200}`, nil, "", [8]string{
			"200 | x-amzn-RequestId: JKJaXmPLvHcESHA= | x-amz-apigw-id: fk3bBgoXga__K38= | X-Amzn-Trace-Id: " + trace,
			"200 | Apigw-Requestid: JKJaXmPLvHcESHA=", "200 | Apigw-Requestid: JKJaXmPLvHcESHA=", "200 | X-Amzn-Requestid: JKJaXmPLvHcESHA= | X-Amzn-Trace-Id: " + trace,
			"200 | X-Amzn-Requestid: - | X-Amzn-Trace-Id: - | Server: -", "200 | X-Amzn-Trace-Id: -", "200 | X-Amzn-Trace-Id: -", "200 | X-Amzn-Trace-Id: -"}},
		{"hop-by-hop headers", `{"statusCode":200,"headers":{"Connection":"x","transfer-encoding":"chunked","Content-Length":"9","Server":"s","Keep-Alive":"1"},` +
			`"multiValueHeaders":{"Connection":["x"],"transfer-encoding":["chunked"],"Content-Length":["9"],"Server":["s"],"Keep-Alive":["1"]},"body":"abc"}`, nil, "", [8]string{
			"200 | X-Amzn-Remapped-Connection: x | X-Amzn-Remapped-Content-Length: 9 | X-Amzn-Remapped-Server: s | Server: - | Connection: - | Content-Length: 3 | Keep-Alive: - | Transfer-Encoding: -",
			"200 | Connection: - | Content-Length: 3 | Server: s | Keep-Alive: - | Transfer-Encoding: -", "200 | Connection: - | Content-Length: 3 | Keep-Alive: - | warns", "200 | Connection: - | Content-Length: 3 | warns",
			"200 | Connection: - | Content-Length: 3 | Transfer-Encoding: -", "200 | Connection: - | Content-Length: 3", "200 | Connection: - | Content-Length: 3 | warns", "200 | Connection: - | Content-Length: 3 | warns"}},
	} {
		for i, door := range doorsWith("") {
			t.Run(row.name+"/"+eight[i], func(t *testing.T) {
				fn := row.fails
				if fn == nil {
					fn = &double{result: row.result}
				}
				r := request("GET", "/", "", http.Header{})
				if row.accept != "" {
					r.Header.Set("Accept", row.accept)
				}
				w, warnings := send(fixed{door}, fn, r)
				checkCell(t, row.cells[i], w.Code, w.Header(), w.Body.String(), warnings)
			})
		}
	}
}

func checkCell(t *testing.T, cell string, status int, h http.Header, body string, warnings []error) {
	t.Helper()
	parts := strings.Split(cell, " | ")
	if fmt.Sprint(status) != parts[0] {
		t.Errorf("status %d, want %s", status, parts[0])
	}
	warned := false
	for _, part := range parts[1:] {
		if want, ok := strings.CutPrefix(part, "body "); ok {
			if body != want {
				t.Errorf("body %q, want %q", body, want)
			}
			continue
		}
		if part == "warns" {
			warned = true
			continue
		}
		name, want, _ := strings.Cut(part, ": ")
		var values []string
		for k, v := range h { // in the gateway's own spelling, which may not be net/http's
			if strings.EqualFold(k, name) {
				values = v
			}
		}
		if got := strings.Join(values, ","); got != strings.TrimPrefix(want, "-") {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if warned != (len(warnings) > 0) {
		t.Errorf("warned of %v", errors.Join(warnings...))
	}
}

func TestNoRoute(t *testing.T) {
	for i, want := range []string{
		`403 | X-Amzn-Errortype: MissingAuthenticationTokenException | body {"message":"Missing Authentication Token"} | warns`,
		`404 | body {"message":"Not Found"} | warns`, `404 | body {"message":"Not Found"} | warns`,
	} {
		t.Run(eight[i], func(t *testing.T) {
			w, warnings := send(doorsWith("", "GET /a", "POST /b")[i], &double{}, request("GET", "/b", "", nil))
			checkCell(t, want, w.Code, w.Header(), w.Body.String(), warnings)
		})
	}
}

func TestLimitsOfEachDoor(t *testing.T) {
	const mb = 1 << 20
	for i, want := range []int{10 * mb, 10 * mb, 10 * mb, 6 * mb, mb, mb, 6 * mb, 6 * mb} {
		door := bare()[i]
		if got := door.Limits().Body; got != int64(want) {
			t.Errorf("%s: %d bytes of body, want %d", eight[i], got, want)
		}
		if want > mb {
			continue // TestRefusals has the larger ones
		}
		for size, status := range map[int]int{want: 200, want + 1: 413} {
			r := request("POST", "/", strings.Repeat("x", size), http.Header{"Content-Type": {"text/plain"}})
			if w, _ := send(door, &double{result: `{"statusCode":200}`}, r); w.Code != status {
				t.Errorf("%s: %d bytes: %d, want %d", eight[i], size, w.Code, status)
			}
		}
	}
	for i, want := range []struct{ head, line, status int }{{10240, 0, 431}, {10240, 0, 431}, {10240, 0, 431}, {}, {64 << 10, 16 << 10, 400}, {64 << 10, 16 << 10, 400}, {}, {}} {
		limit := map[string]int{}
		if want.head > 0 {
			limit["head"] = want.head
		}
		if want.line > 0 {
			limit["line"] = want.line
		}
		for name, size := range limit {
			for over, status := range map[int]int{0: 200, 1: want.status} {
				r := request("GET", "/", "", nil)
				left := size + over - len(trace+";Sampled=1") - len("GET / HTTP/1.1")
				if name == "line" {
					r.Header.Set("X-Large", strings.Repeat("x", size+over))
					left = 0
				}
				for n := 0; left > 0; n++ {
					r.Header.Set(fmt.Sprint("X-", n), strings.Repeat("x", min(left, 8<<10)))
					left -= 8 << 10
				}
				if w, _ := send(bare()[i], &double{result: `{"statusCode":200}`}, r); w.Code != status {
					t.Errorf("%s: %s %d over: %d, want %d", eight[i], name, over, w.Code, status)
				}
			}
		}
	}
	const frame = len(`{"statusCode":200,"body":""}`)
	if w, _ := send(frontdoor.ALB{}, &double{result: `{"statusCode":200,"body":"` + strings.Repeat("x", mb-frame) + `"}`}, request("GET", "/", "", nil)); w.Code != 200 {
		t.Errorf("ALB: 1 MB of response: %d", w.Code)
	}
	big := `{"statusCode":200,"body":"` + strings.Repeat("x", mb-frame+1) + `"}`
	for _, i := range []int{4, 5} {
		if w, warnings := send(bare()[i], &double{result: big}, request("GET", "/", "", nil)); w.Code != 502 || len(warnings) != 1 {
			t.Errorf("%s: more than 1 MB of response: %d", eight[i], w.Code)
		}
	}
}
