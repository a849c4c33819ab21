package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/build"
	"io"
	"log"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/quick"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/gomiddy/middy"
	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/compress"
	"github.com/gomiddy/middy/web/cors"
	"github.com/gomiddy/middy/web/deadline"
	"github.com/gomiddy/middy/web/partial"
	problems "github.com/gomiddy/middy/web/problem"
	"github.com/gomiddy/middy/web/secure"
	"github.com/gomiddy/middy/web/serialize"
)

// event is a request of a function URL, with members in place of its own.
func urlEvent(rawPath, httpPath, more string) string {
	return fmt.Sprintf(`{"version":"2.0","rawPath":%q,"requestContext":{"accountId":"anonymous","domainName":"x.lambda-url.us-east-1.on.aws","http":{"method":"GET","path":%q}}%s}`, rawPath, httpPath, more)
}

// What net/http's server gives for the path that the client sent, from the event of
// each door, as public captures have it.
func TestThePathOfEveryDoor(t *testing.T) {
	restEvent := func(path string) string {
		return fmt.Sprintf(`{"httpMethod":"GET","path":%q,"requestContext":{}}`, path)
	}
	albEvent := func(path string) string {
		return fmt.Sprintf(`{"httpMethod":"GET","path":%q,"requestContext":{"elb":{}},"headers":{}}`, path)
	}
	v2 := func(rawPath, httpPath string) string {
		return fmt.Sprintf(`{"version":"2.0","rawPath":%q,"requestContext":{"accountId":"1","domainName":"x.execute-api.us-east-1.amazonaws.com","http":{"method":"GET","path":%q}}}`, rawPath, httpPath)
	}
	v1 := func(path string) string {
		return fmt.Sprintf(`{"version":"1.0","httpMethod":"GET","path":%q,"requestContext":{}}`, path)
	}
	for _, c := range []struct{ rule, event, path, rawPath, uri string }{
		// https://github.com/hotsock/voker/pull/8
		{"a function URL keeps the encoding", urlEvent("/capture/space%20value", "/capture/space value", ""), "/capture/space value", "", "/capture/space%20value"},
		{"a function URL, an encoded slash", urlEvent("/a%2Fb", "/a/b", ""), "/a/b", "/a%2Fb", "/a%2Fb"},
		{"a function URL, an escape that was escaped", urlEvent("/a%2541", "/a%41", ""), "/a%41", "", "/a%2541"},
		{"a function URL, beyond ASCII", urlEvent("/caf%C3%A9", "/café", ""), "/café", "", "/caf%C3%A9"},
		{"a function URL, OData", urlEvent("/P('x')", "/P('x')", ""), "/P('x')", "/P('x')", "/P('x')"},
		{"a function URL whose event has only the decoded path", `{"version":"2.0","requestContext":{"domainName":"x.lambda-url.us-east-1.on.aws","http":{"method":"GET","path":"/100%41"}}}`, "/100%41", "", "/100%2541"},
		{"a function URL under a name of one's own", strings.Replace(urlEvent("/a%20b", "/a b", ""), "x.lambda-url.us-east-1.on.aws", "localhost", 1), "/a b", "", "/a%20b"},
		{"an HTTP API decodes", v2("/a b/ä", "/a b/ä"), "/a b/ä", "", "/a%20b/%C3%A4"},
		{"an HTTP API: what it decoded is encoded for the request line", v2("/ä", "/ä"), "/ä", "", "/%C3%A4"},
		{"an HTTP API decodes once", v2("/a%41", "/a%41"), "/a%41", "", "/a%2541"},
		{"an HTTP API with payload 1.0, if it encodes", v1("/caf%C3%A9"), "/café", "", "/caf%C3%A9"},
		{"an HTTP API with payload 1.0, if it decodes", v1("/café 100%41"), "/café 100%41", "", "/caf%C3%A9%20100%2541"},
		{"an HTTP API with payload 1.0 that has a space", v1("/a b%2F"), "/a b%2F", "", "/a%20b%252F"},
		{"an HTTP API with payload 1.0 that has more than ASCII", v1("/ä%2F"), "/ä%2F", "", "/%C3%A4%252F"},
		{"a REST API: the usual spelling", restEvent("/files/It%20is"), "/files/It is", "", "/files/It%20is"},
		{"a REST API: another spelling", restEvent("/files/%49t"), "/files/It", "/files/%49t", "/files/%49t"},
		{"a REST API: marks that may stand in a path", restEvent("/a!b*c[1]"), "/a!b*c[1]", "/a!b*c[1]", "/a!b*c[1]"},
		{"a load balancer: as it came, also what should be escaped", albEvent("/a|b"), "/a|b", "/a|b", "/a|b"},
		{"a load balancer: bytes beyond ASCII", albEvent("/ä"), "/ä", "/ä", "/ä"},
		{"a space, which no client has sent, is not in a request line", albEvent("/a b"), "/a b", "", "/a%20b"},
		{"nor is DEL", `{"httpMethod":"GET","path":"/a\u007f","requestContext":{"elb":{}},"headers":{}}`, "/a\x7f", "", "/a%7F"},
		{"nor a question mark in the path", restEvent("/a?b"), "/a?b", "", "/a%3Fb"},
		{"a bad escape stays", restEvent("/100%"), "/100%", "", "/100%25"},
		{"VPC Lattice", `{"method":"GET","raw_path":"/a%2Fb%20c?x=1"}`, "/a/b c", "/a%2Fb%20c", "/a%2Fb%20c?x=1"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			r, _ := request(t, []byte(c.event))
			if r.URL.Path != c.path || r.URL.RawPath != c.rawPath || r.RequestURI != c.uri {
				t.Errorf("got  %q %q %q\nwant %q %q %q", r.URL.Path, r.URL.RawPath, r.RequestURI, c.path, c.rawPath, c.uri)
			}
		})
	}
}

func TestTheClientOfALoadBalancer(t *testing.T) {
	for _, c := range []struct{ rule, xff, ip, remote string }{
		{"an address", "198.51.100.4", "198.51.100.4", "198.51.100.4:0"},
		{"with client port preservation", "198.51.100.4:54321", "198.51.100.4", "198.51.100.4:54321"},
		{"behind a proxy", "10.0.0.1:1, 198.51.100.4:54321", "198.51.100.4", "198.51.100.4:54321"},
		{"IPv6", "2001:db8::1", "2001:db8::1", "[2001:db8::1]:0"},
		{"IPv6 with its port", "[2001:db8::1]:443", "2001:db8::1", "[2001:db8::1]:443"},
		{"what is no address is none", "not an ip, ::1]:99", "", ":0"},
		{"a zone is the client's text", "fe80::1%<script>", "", ":0"},
		{"a name is none", "attacker.example", "", ":0"},
		{"nothing", "", "", ":0"},
	} {
		for _, event := range []string{
			`{"requestContext":{"elb":{}},"httpMethod":"GET","path":"/","headers":{"x-forwarded-for":%q}}`,
			`{"requestContext":{"elb":{}},"httpMethod":"GET","path":"/","multiValueHeaders":{"x-forwarded-for":[%q]}}`,
			`{"method":"GET","raw_path":"/","headers":{"x-forwarded-for":%q}}`,
		} {
			t.Run(c.rule, func(t *testing.T) {
				t.Parallel()
				r, _ := request(t, fmt.Appendf(nil, event, c.xff))
				if e, _ := web.Event(r); e.SourceIP != c.ip || r.RemoteAddr != c.remote {
					t.Errorf("got %q, %q; want %q, %q", e.SourceIP, r.RemoteAddr, c.ip, c.remote)
				}
			})
		}
	}
}

func TestTestEventsOfPeopleAreRead(t *testing.T) {
	r, body := request(t, []byte(`{"httpMethod":"POST","path":"/","headers":{"x-n":1,"x-f":-1.5e3,"x-t":true,"x-null":null},"multiValueHeaders":{"x-n":[1,false],"x-t":[true],"x-f":[-1.5e3]},
		"queryStringParameters":{"limit":10,"all":true},"pathParameters":{"id":7},"stageVariables":{"v":1},"requestContext":{},"body":"eA==","isBase64Encoded":"true"}`))
	e, _ := web.Event(r)
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"numbers and truths in headers", fmt.Sprint(r.Header["X-N"], r.Header["X-T"], r.Header["X-F"]), "[1 false] [true] [-1.5e3]"},
		{"in the query", r.URL.RawQuery, "limit=10&all=true"},
		{"in path parameters", r.PathValue("id"), "7"},
		{"in stage variables", e.StageVariables["v"], "1"},
		{"a truth in quotes", body, "x"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %v, want %v", c.what, c.got, c.want)
		}
	}
	for text, want := range map[string]string{`"false"`: "eA==", `false`: "eA==", `null`: "eA==", `""`: "eA==", `true`: "x", `1`: "x"} {
		if _, body := request(t, fmt.Appendf(nil, `{"httpMethod":"POST","path":"/","body":"eA==","isBase64Encoded":%s}`, text)); body != want {
			t.Errorf("isBase64Encoded %s: got %q, want %q", text, body, want)
		}
	}
}

// The events that aws-lambda-go publishes with its types.
func TestEventsOfAWSLambdaGo(t *testing.T) {
	p, err := build.Import("github.com/aws/aws-lambda-go/events", ".", build.FindOnly)
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]any{
		"apigw-request.json":                                web.RESTAPI,
		"apigw-restapi-openapi-request.json":                web.RESTAPI,
		"apigw-v2-request-iam.json":                         web.HTTPAPI,
		"apigw-v2-request-jwt-authorizer.json":              web.HTTPAPI,
		"apigw-v2-request-lambda-authorizer.json":           web.HTTPAPI,
		"apigw-v2-request-no-authorizer.json":               web.HTTPAPI,
		"lambda-urls-request.json":                          web.FunctionURL,
		"alb-lambda-target-request-headers-only.json":       web.ALB,
		"alb-lambda-target-request-multivalue-headers.json": web.ALBMulti,
		"apigw-custom-auth-request.json":                    "a Lambda authorizer",
		"apigw-custom-auth-request-type-request.json":       "a Lambda authorizer",
		"apigw-v2-custom-authorizer-v1-request.json":        "a Lambda authorizer",
		"apigw-v2-custom-authorizer-v2-request.json":        "a Lambda authorizer",
		"apigw-websocket-request.json":                      "WebSocket API",
		"apigw-websocket-request-send-message.json":         "WebSocket API",
		"apigw-websocket-request-disconnect.json":           "WebSocket API",
		"sqs-event.json":                                    "not from an HTTP front door",
		"s3-event.json":                                     "not from an HTTP front door",
		"cloudwatch-logs-event.json":                        "not from an HTTP front door",
		"cognito-event.json":                                "not from an HTTP front door",
		"lex-event.json":                                    "not from an HTTP front door",
		"appsync-lambda-auth-request.json":                  "not from an HTTP front door",
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			b, err := os.ReadFile(filepath.Join(p.Dir, "testdata", file))
			if err != nil {
				t.Fatal(err)
			}
			var e web.Request
			if err := e.DecodeEvent(b); err != nil {
				t.Fatal(err)
			}
			_, err = web.Handler(http.NotFoundHandler())(t.Context(), e)
			switch want := want.(type) {
			case web.Door:
				if e.Door != want || err != nil {
					t.Errorf("got %v, %v; want %v", e.Door, err, want)
				}
			case string:
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, %v; want an error with %q", e.Door, err, want)
				}
			}
		})
	}
}

func writing(contentType string, body []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(body)
	})
}

// The limit is one of what is sent: JSON, with base64 and escapes.
func TestALimitIsMeasuredOnWhatIsSent(t *testing.T) {
	const lambda, alb = "Lambda takes 6291556", "an Application Load Balancer takes 1048576"
	for _, c := range []struct {
		rule, door, contentType string
		body                    []byte
		want                    string // "" passes
	}{
		{"bytes become a third more", "rest", "image/png", bytes.Repeat([]byte{0xff}, 5<<20), lambda},
		{"fewer bytes pass", "rest", "image/png", bytes.Repeat([]byte{0xff}, 4<<20), ""},
		{"quotes become two", "httpapi", "application/json", bytes.Repeat([]byte(`""`), 2_800_000), lambda},
		{"text of that size passes", "httpapi", "text/plain; charset=utf-8", bytes.Repeat([]byte("ab"), 2_800_000), ""},
		{"control characters become six", "functionurl", "text/plain", bytes.Repeat([]byte{1}, 1_100_000), lambda},
		{"VPC Lattice", "lattice", "text/plain", bytes.Repeat([]byte("a"), 7<<20), lambda},
		{"a load balancer takes 1 MB", "alb", "image/png", bytes.Repeat([]byte{0xff}, 819_200), alb},
		{"with multi-value headers too", "albmulti", "text/plain", bytes.Repeat([]byte("a"), 1<<20), alb},
		{"less passes a load balancer", "alb", "text/plain", bytes.Repeat([]byte("a"), 1<<20-1000), ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			f, err := middy.New(web.Handler(writing(c.contentType, c.body)))
			if err != nil {
				t.Fatal(err)
			}
			out, err := f.Invoke(t.Context(), payload(t, c.door))
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %d bytes, %v; want an error with %q", len(out), err, c.want)
			}
		})
	}
}

// What a layer makes of a response is measured too.
func TestALayersResponseIsMeasured(t *testing.T) {
	_, err := web.Response{Door: web.ALB, Status: 200, Header: http.Header{"X-Big": {strings.Repeat("a", 1<<20)}}}.AppendJSON(nil)
	if err == nil || !strings.Contains(err.Error(), "takes 1048576") {
		t.Errorf("got %v, want the load balancer's limit", err)
	}
}

func TestTextGoesAsText(t *testing.T) {
	for contentType, text := range map[string]bool{
		"application/openapi+yaml": true, "application/yaml": true, "application/toml": true, "application/graphql": true, "application/sql": true,
		"application/openmetrics-text; version=1.0.0; charset=utf-8": true, "application/x-anything; charset=utf-8": true,
		"application/javascript": true, "application/x-ndjson": true, "application/x-www-form-urlencoded": true, "application/jwt": true,
		"text/csv": true, "text/event-stream": true, "message/http": true, "multipart/mixed; boundary=a": true,
		"image/svg+xml": true, "application/atom+xml": true, "model/gltf+json": true,
		"image/png": false, "image/x-icon": false, "audio/mpeg": false, "video/mp4": false, "font/woff2": false,
		"application/octet-stream": false, "application/pdf": false, "application/zip": false, "application/gzip": false,
		"application/wasm": false, "application/protobuf": false, "application/vnd.google.protobuf": false, "application/cbor": false,
	} {
		t.Run(contentType, func(t *testing.T) {
			t.Parallel()
			m := invoke(t, writing(contentType, []byte("# EOF\n")), payload(t, "rest"))
			if encoded, _ := m["isBase64Encoded"].(bool); encoded == text {
				t.Errorf("isBase64Encoded is %v for text", encoded)
			}
			m = invoke(t, writing(contentType, []byte("\xff")), payload(t, "rest"))
			if m["isBase64Encoded"] != true {
				t.Error("bytes that are not UTF-8 went as text")
			}
		})
	}
}

// No byte of a body is lost, whatever its type.
func TestABodyArrivesAsItWas(t *testing.T) {
	check := func(body []byte, kind uint8) bool {
		types := []string{"text/plain", "application/openapi+yaml", "image/png", ""}
		f, err := middy.New(web.Handler(writing(types[int(kind)%len(types)], body)))
		if err != nil {
			t.Fatal(err)
		}
		out, err := f.Invoke(t.Context(), []byte(`{"httpMethod":"GET","path":"/","requestContext":{}}`))
		if err != nil {
			t.Fatal(err)
		}
		var resp struct {
			Text    string          `json:"body"`
			Raw     json.RawMessage `json:"body2"`
			Encoded bool            `json:"isBase64Encoded"`
		}
		if err := json.Unmarshal(out, &resp); err != nil {
			t.Fatal(err)
		}
		if !resp.Encoded {
			return resp.Text == string(body)
		}
		var b []byte
		return json.Unmarshal([]byte(`"`+resp.Text+`"`), &b) == nil && bytes.Equal(b, body)
	}
	if err := quick.Check(check, nil); err != nil {
		t.Error(err)
	}
}

func TestHeaderValues(t *testing.T) {
	for _, c := range []struct{ rule, value, want string }{
		{"Latin-1 bytes are their characters", "attachment; filename=caf\xe9.txt", "attachment; filename=café.txt"},
		{"UTF-8 stays", "café", "café"},
		{"a line break is a space", "a\r\nb", "a  b"},
		{"so is any control character", "a\x00b\x01c\x7fd", "a b c d"},
		{"a tab stays", "a\tb", "a\tb"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-A", c.value) })
			for door := range doors {
				m := invoke(t, h, payload(t, door))
				var got any
				if lists, ok := m["multiValueHeaders"].(map[string]any); ok && lists["X-A"] != nil {
					got = lists["X-A"].([]any)[0]
				} else {
					got = m["headers"].(map[string]any)["X-A"]
				}
				if got != c.want {
					t.Errorf("%s: got %q, want %q", door, got, c.want)
				}
			}
		})
	}
}

func TestANameHasOneSpelling(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["set-cookie"] = []string{"b=2", "c=3"}
		w.Header()["Set-Cookie"] = []string{"a=1"}
		w.Header()["content-type"] = []string{"application/json"}
		w.Header()["connection"] = []string{"close"}
		_, _ = io.WriteString(w, "<html>")
	})
	m := invoke(t, h, payload(t, "httpapi"))
	if got := fmt.Sprint(m["headers"], m["cookies"]); got != "map[Content-Type:application/json] [a=1 b=2 c=3]" {
		t.Errorf("got %s", got)
	}
	b, err := web.Response{Status: 200, Header: http.Header{"set-cookie": {"a=1", "b=2"}}}.AppendJSON(nil)
	if want := `{"statusCode":200,"headers":{},"cookies":["a=1","b=2"],"body":""}`; string(b) != want || err != nil {
		t.Errorf("a layer's response: got %s, %v; want %s", b, err, want)
	}
}

// failure is a panic value that is no bug, as a required value has it.
type failure struct{ err error }

func (f failure) Failure() error { return f.err }

type notFound struct{}

func (notFound) Error() string { return "the secret is not there" }

// The same typed error comes out, wherever the handler runs.
func TestAFailureThatWasThrown(t *testing.T) {
	h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(failure{fmt.Errorf("orders: %w", notFound{})}) })
	for rule, h := range map[string]http.Handler{
		"in the handler":                       h,
		"in another goroutine":                 deadline.New(deadline.Config{Timeout: time.Minute})(h),
		"in the goroutine of a TimeoutHandler": http.TimeoutHandler(h, time.Minute, ""),
		"behind middlewares":                   secure.New(secure.Config{})(cors.New(cors.Config{})(h)),
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			_, err := web.Handler(h)(t.Context(), decode(t, "rest"))
			checkFailure(t, "Handler", err)
			_, err = web.Stream(h)(t.Context(), decode(t, "functionurl"))
			checkFailure(t, "Stream", err)
			resp, err := web.Stream(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.WriteString(w, "begun")
				_ = http.NewResponseController(w).Flush()
				h.ServeHTTP(w, r)
			}))(t.Context(), decode(t, "functionurl"))
			if err == nil {
				_, err = io.ReadAll(resp)
			}
			checkFailure(t, "Stream, after the first byte", err)
		})
	}
	t.Run("inside problem", func(t *testing.T) {
		t.Parallel()
		h := problems.New(problems.Config{DisableLog: true})(h)
		resp, err := web.Handler(h)(t.Context(), decode(t, "rest"))
		if err != nil || resp.Status != 500 || strings.Contains(string(resp.Body), "secret") {
			t.Errorf("got %d %s, %v; want a 500 that says nothing", resp.Status, resp.Body, err)
		}
	})
}

func checkFailure(t *testing.T, where string, err error) {
	t.Helper()
	if !errors.As(err, &notFound{}) || err.Error() != "orders: the secret is not there" {
		t.Errorf("%s: got %#v, want the error that was thrown", where, err)
	}
}

func TestAPanicOfAStreamHasItsStackApart(t *testing.T) {
	_, err := web.Stream(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(io.ErrUnexpectedEOF) }))(t.Context(), decode(t, "functionurl"))
	if err == nil || strings.Contains(err.Error(), "goroutine") || strings.Contains(err.Error(), ".go:") {
		t.Errorf("got %v, want an error without a stack", err)
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the value is not in the chain of %v", err)
	}
}

// An error after the response has begun fails the invocation, with its reason.
func TestAnErrorAfterTheFirstByte(t *testing.T) {
	reason := fmt.Errorf("row 2: %w", notFound{})
	broken := web.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", "text/csv")
		_, _ = io.WriteString(w, "a,b\n")
		return reason
	})
	flushed := web.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		_, _ = io.WriteString(w, "a,b\n")
		w.(http.Flusher).Flush()
		return reason
	})
	logs := 0
	logged := problems.New(problems.Config{Logger: func(*http.Request, error) { logs++ }})
	own := func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(w, r.WithContext(web.WithErrorWriter(r.Context(), func(w http.ResponseWriter, _ *http.Request, err error) {
				logs++
				http.Error(w, "failed", 500)
			})))
		})
	}
	for rule, wrap := range map[string]func(http.Handler) http.Handler{
		"alone":                 func(h http.Handler) http.Handler { return h },
		"inside problem":        logged,
		"inside compress":       compress.New(compress.Config{}),
		"problem(compress":      func(h http.Handler) http.Handler { return logged(compress.New(compress.Config{})(h)) },
		"inside cors":           cors.New(cors.Config{}),
		"inside deadline":       deadline.New(deadline.Config{Timeout: time.Minute}),
		"a writer of one's own": own,
	} {
		t.Run(rule, func(t *testing.T) {
			logs = 0
			for _, h := range []http.Handler{broken, flushed} {
				if _, err := web.Handler(wrap(h))(t.Context(), decode(t, "rest")); !errors.Is(err, notFound{}) {
					t.Errorf("Handler: got %v, want the reason", err)
				}
				resp, err := web.Stream(wrap(h))(t.Context(), decode(t, "functionurl"))
				var b []byte
				if err == nil {
					b, err = io.ReadAll(resp)
				}
				if !errors.Is(err, notFound{}) || strings.Contains(string(b), "status") && !strings.HasPrefix(string(b), `{"statusCode":200`) {
					t.Errorf("Stream: got %q, %v; want the reason", b, err)
				}
			}
			if heard := strings.Contains(rule, "problem") || strings.Contains(rule, "own"); heard != (logs == 4) {
				t.Errorf("the error writer heard of %d errors", logs)
			}
		})
	}
}

func TestTheContextEndsWithTheHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, serve := range map[string]func(http.Handler){
			"Handler": func(h http.Handler) { _, _ = web.Handler(h)(t.Context(), decode(t, "rest")) },
			"Stream": func(h http.Handler) {
				resp, err := web.Stream(h)(t.Context(), decode(t, "functionurl"))
				if err == nil {
					_, _ = io.ReadAll(resp)
				}
			},
		} {
			for rule, end := range map[string]func(){"it returns": func() {}, "it aborts": func() { panic(http.ErrAbortHandler) }} {
				ended := false
				serve(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					context.AfterFunc(r.Context(), func() { ended = true })
					end()
				}))
				synctest.Wait()
				if !ended {
					t.Errorf("%s: the request's context lives on when %s", name, rule)
				}
			}
		}
	})
}

// Frameworks assert what net/http's writer has without a look, such as gin.
func TestEveryWriterHasWhatTheServersHas(t *testing.T) {
	for rule, mw := range map[string]func(http.Handler) http.Handler{
		"web's own": func(h http.Handler) http.Handler { return h },
		"cors":      cors.New(cors.Config{}),
		"secure":    secure.New(secure.Config{}),
		"problem":   problems.New(problems.Config{}),
		"compress":  compress.New(compress.Config{}),
		"partial":   partial.New(partial.Config{}),
		"serialize": serialize.New(serialize.Config{}),
		"deadline":  deadline.New(deadline.Config{Timeout: time.Minute}),
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			h := mw(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				gone := w.(interface{ CloseNotify() <-chan bool }).CloseNotify()
				select {
				case <-gone:
					t.Error("the client is gone before it is")
				default:
				}
				if _, _, err := w.(http.Hijacker).Hijack(); !errors.Is(err, http.ErrNotSupported) {
					t.Errorf("Hijack: got %v, want ErrNotSupported", err)
				}
				c := http.NewResponseController(w)
				for what, err := range map[string]error{
					"SetReadDeadline": c.SetReadDeadline(time.Time{}), "SetWriteDeadline": c.SetWriteDeadline(time.Time{}), "EnableFullDuplex": c.EnableFullDuplex(),
				} {
					if err != nil {
						t.Errorf("%s: %v", what, err)
					}
				}
				_, _ = io.WriteString(w, "event")
				w.(http.Flusher).Flush()
			}))
			if m := invoke(t, h, payload(t, "rest")); m["statusCode"] != 200.0 {
				t.Errorf("got %v", m)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		heard := false
		resp, err := web.Stream(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).Flush()
			<-w.(interface{ CloseNotify() <-chan bool }).CloseNotify()
			heard = true
		}))(t.Context(), decode(t, "functionurl"))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = resp.Read(make([]byte, 1))
		_ = resp.Close()
		if !heard {
			t.Error("a stream whose reader has gone did not say so")
		}
	})
}

func TestAWriteDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var wrote, flushed error
		resp, err := web.Stream(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			c := http.NewResponseController(w)
			_ = c.SetWriteDeadline(time.Now().Add(time.Hour)) // moved
			_ = c.SetWriteDeadline(time.Now().Add(time.Second))
			_, wrote = w.Write(make([]byte, 1<<20)) // nobody reads
			flushed = c.Flush()
		}))(t.Context(), decode(t, "functionurl"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if _, err := io.ReadAll(resp); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the response ended with %v, want a deadline", err)
		}
		_ = resp.Close()
		if wrote == nil || !errors.Is(flushed, os.ErrDeadlineExceeded) {
			t.Errorf("Write: %v, Flush: %v; want both to fail", wrote, flushed)
		}

		_, err = web.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			c := http.NewResponseController(w)
			_ = c.SetWriteDeadline(time.Now().Add(time.Second))
			time.Sleep(2 * time.Second)
			_ = c.SetWriteDeadline(time.Time{}) // there is none any more
			_, wrote = io.WriteString(w, "a")
		}))(t.Context(), decode(t, "rest"))
		if wrote != nil || err != nil {
			t.Errorf("without a deadline: %v, %v", wrote, err)
		}
	})
}

func TestASecondStatusIsLoggedWithItsLine(t *testing.T) {
	var b bytes.Buffer
	log.SetOutput(&b)
	defer log.SetOutput(os.Stderr)
	twice := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(201)
		w.WriteHeader(500)
	})
	late := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(201)
		http.Error(w, "no", 500)
	})
	var deep http.Handler = http.HandlerFunc(http.NotFound)
	for range 20 {
		deep = http.HandlerFunc(deep.ServeHTTP)
	}
	far := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(201)
		deep.ServeHTTP(w, r)
	})
	for _, c := range []struct {
		rule string
		h    http.Handler
		want string
	}{
		{"the handler", twice, "promises_test.go:"},
		{"the handler inside a middleware", cors.New(cors.Config{})(twice), "promises_test.go:"},
		{"who called net/http", late, "promises_test.go:"},
		{"the last that is known of a deep stack", far, "call from net/http.HandlerFunc.ServeHTTP ("},
	} {
		b.Reset()
		invoke(t, c.h, payload(t, "rest"))
		if got := b.String(); !strings.Contains(got, "superfluous response.WriteHeader call from") || !strings.Contains(got, c.want) {
			t.Errorf("%s: logged %q, want net/http's sentence and %q", c.rule, got, c.want)
		}
	}
}

func TestWhatAFunctionCannotSend(t *testing.T) {
	upgrade := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusSwitchingProtocols) })
	if _, err := web.Handler(upgrade)(t.Context(), decode(t, "rest")); err == nil || !strings.Contains(err.Error(), "switches protocols") {
		t.Errorf("101: got %v", err)
	}
	if _, err := web.Stream(upgrade)(t.Context(), decode(t, "functionurl")); err == nil || !strings.Contains(err.Error(), "switches protocols") {
		t.Errorf("101, streamed: got %v", err)
	}
	var after error
	_, _ = web.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		upgrade(w, r)
		_, after = io.WriteString(w, "a")
	}))(t.Context(), decode(t, "rest"))
	if !errors.Is(after, http.ErrBodyNotAllowed) {
		t.Errorf("Write after 101: got %v, want ErrBodyNotAllowed", after)
	}
	for _, status := range []int{-1, 0, 99, 1000} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("WriteHeader(%d) did not panic", status)
				}
			}()
			_, _ = web.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))(t.Context(), decode(t, "rest"))
		}()
	}
	var hijack error
	invoke(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _, hijack = http.NewResponseController(w).Hijack()
	}), payload(t, "rest"))
	if !errors.Is(hijack, http.ErrNotSupported) {
		t.Errorf("Hijack: got %v, want ErrNotSupported", hijack)
	}
}

// The length in a stream's prelude is the handler's, where it is one to rely on.
func TestTheLengthOfAStream(t *testing.T) {
	for _, c := range []struct {
		rule   string
		method string
		header http.Header
		body   string
		want   string
	}{
		{"a length that the handler knows", "GET", http.Header{"Content-Length": {"5"}}, "hello", `"Content-Length":"5"`},
		{"none", "GET", nil, "hello", ""},
		{"of an encoded body it is perhaps that before the encoding", "GET", http.Header{"Content-Length": {"50"}, "Content-Encoding": {"gzip"}}, "hello", ""},
		{"HEAD says what GET would have", "HEAD", nil, "hello", `"Content-Length":"5"`},
		{"trailers are not announced", "GET", http.Header{"Trailer": {"X-Sum"}}, "hello", ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			e := decode(t, "functionurl")
			e.Method = c.method
			resp, err := web.Stream(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for k, v := range c.header {
					w.Header()[k] = v
				}
				w.Header().Set("Content-Type", "text/plain")
				_, _ = io.WriteString(w, c.body)
			}))(t.Context(), e)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp)
			prelude, body, _ := strings.Cut(string(b), delimiter)
			if err != nil || strings.Contains(prelude, "Content-Length") != (c.want != "") || !strings.Contains(prelude, c.want) || strings.Contains(prelude, "Trailer") {
				t.Errorf("got %s, %v; want %s in it", prelude, err, c.want)
			}
			if (c.method == "HEAD") != (body == "") {
				t.Errorf("body %q", body)
			}
		})
	}
}

// A result without a statusCode is the body where payload 2.0 says so.
func TestAResultThatIsNoResponse(t *testing.T) {
	typed := web.EventHandler(func(context.Context, events.APIGatewayV2HTTPRequest) (map[string]string, error) {
		return map[string]string{"message": "hi"}, nil
	})
	text := web.EventHandler(func(context.Context, json.RawMessage) (string, error) { return "hi", nil })
	list := web.EventHandler(func(context.Context, json.RawMessage) ([]int, error) { return []int{1}, nil })
	response := func(text string) http.Handler {
		return web.EventHandler(func(context.Context, json.RawMessage) (json.RawMessage, error) { return json.RawMessage(text), nil })
	}
	none := web.EventHandler(func(context.Context, json.RawMessage) (any, error) { return nil, nil })
	for _, c := range []struct {
		rule, door string
		h          http.Handler
		status     float64
		body       string
	}{
		{"an HTTP API: JSON", "httpapi", typed, 200, `{"message":"hi"}`},
		{"a function URL: JSON", "functionurl", typed, 200, `{"message":"hi"}`},
		{"an HTTP API: a list", "httpapi", list, 200, `[1]`},
		{"an HTTP API: nothing", "httpapi", none, 200, `null`},
		{"an HTTP API: a text without its quotes", "httpapi", text, 200, `hi`},
		{"a function URL: a text with them", "functionurl", text, 200, `"hi"`},
		{"an HTTP API: a response", "httpapi", response(`{"statusCode":201,"body":"hi"}`), 201, `hi`},
		{"a response whose headers are none", "httpapi", response(`{"statusCode":201,"headers":[1]}`), 500, ""},
		{"an object without a statusCode at a REST API", "rest", typed, 500, ""},
		{"a REST API has no such rule", "rest", list, 500, ""},
		{"payload 1.0 has none", "httpapi1", list, 500, ""},
		{"a load balancer has none", "alb", list, 500, ""},
		{"VPC Lattice has none", "lattice", list, 500, ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			m := invoke(t, c.h, payload(t, c.door))
			if m["statusCode"] != c.status || c.body != "" && m["body"] != c.body {
				t.Errorf("got %v", m)
			}
			if h, _ := m["headers"].(map[string]any); c.status == 200 && h["Content-Type"] != "application/json" {
				t.Errorf("Content-Type is %v", h["Content-Type"])
			}
		})
	}
}

func TestTheReasonIsInEveryLog(t *testing.T) {
	err := &web.Error{Status: 503, Detail: "try later", Err: errors.New("refused to 10.0.0.7")}
	for format, handler := range map[string]func(io.Writer) slog.Handler{
		"JSON": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
		"text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
	} {
		for rule, attr := range map[string]slog.Attr{
			"itself":     slog.Any("err", err),
			"wrapped":    slog.Any("err", fmt.Errorf("orders: %w", err)),
			"in a group": slog.Group("g", slog.Any("err", err)),
		} {
			var b bytes.Buffer
			slog.New(handler(&b)).LogAttrs(t.Context(), slog.LevelError, "failed", attr)
			if !strings.Contains(b.String(), "refused to 10.0.0.7") {
				t.Errorf("%s, %s: no reason in %s", format, rule, &b)
			}
		}
	}
	if b, _ := json.Marshal(err); strings.Contains(string(b), "refused") {
		t.Errorf("the client reads %s", b)
	}
}

// A redirect that stays in the stage of an execute-api address.
func ExampleEvent() {
	inStage := func(r *http.Request, path string) string {
		e, ok := web.Event(r)
		if !ok || e.Stage == "" || e.Stage == "$default" || !strings.Contains(e.DomainName, ".execute-api.") {
			return path // a server, or a domain of one's own
		}
		return "/" + e.Stage + path
	}
	h := web.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, inStage(r, "/login"), http.StatusFound)
	}))
	var e web.Request
	if err := e.DecodeEvent([]byte(`{"httpMethod":"GET","path":"/","requestContext":{"stage":"live","domainName":"a1.execute-api.us-east-1.amazonaws.com"}}`)); err != nil {
		panic(err)
	}
	resp, err := h(context.Background(), e)
	fmt.Println(resp.Header.Get("Location"), err)
	// Output: /live/login <nil>
}
