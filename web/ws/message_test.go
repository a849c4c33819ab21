package ws_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/gomiddy/middy"
	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/ws"
)

const connectEvent = `{
	"headers":{"Host":"abc.execute-api.eu-west-1.amazonaws.com","sec-websocket-protocol":"a"},
	"multiValueHeaders":{"Host":["abc.execute-api.eu-west-1.amazonaws.com"],"sec-websocket-protocol":["a","b"]},
	"queryStringParameters":{"room":"2"},"multiValueQueryStringParameters":{"room":["1","2"]},
	"stageVariables":{"v":"1"},
	"requestContext":{"routeKey":"$connect","eventType":"CONNECT","extendedRequestId":"x=","requestTime":"31/Jan/2026:15:04:05 +0000",
		"messageDirection":"IN","stage":"prod","connectedAt":1769871845000,"requestTimeEpoch":1769871845123,
		"identity":{"sourceIp":"192.0.2.1","userAgent":"test","cognitoIdentityId":null},"requestId":"r=","domainName":"abc.execute-api.eu-west-1.amazonaws.com",
		"connectionId":"L0SM9cOFvHcCIhw=","apiId":"abc","authorizer":{"principalId":"p","n":1}},
	"isBase64Encoded":false}`

func decode(t testing.TB, payload string) ws.Message {
	t.Helper()
	var m ws.Message
	if err := m.DecodeEvent([]byte(payload)); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAHandshakeIsDecoded(t *testing.T) {
	m := decode(t, connectEvent)
	got := fmt.Sprint(m.RouteKey, m.EventType, m.ConnectionID, m.RequestID, m.ExtendedRequestID, m.APIID, m.DomainName, m.Stage,
		m.ConnectedAt.UnixMilli(), m.Time.UnixMilli(), m.SourceIP, m.UserAgent, m.Header["Sec-Websocket-Protocol"], m.Query["room"], m.StageVariables)
	want := fmt.Sprint("$connect", "CONNECT", "L0SM9cOFvHcCIhw=", "r=", "x=", "abc", "abc.execute-api.eu-west-1.amazonaws.com", "prod",
		1769871845000, 1769871845123, "192.0.2.1", "test", []string{"a", "b"}, []string{"1", "2"}, map[string]string{"v": "1"})
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	var a struct{ PrincipalID string }
	if err := m.Authorizer(&a); err != nil || a.PrincipalID != "p" {
		t.Errorf("%+v %v", a, err)
	}
	if err := m.Authorizer(new(int)); err == nil {
		t.Error("an authorizer is no number")
	}
	if body, err := m.Body(); len(body) != 0 || err != nil {
		t.Errorf("%q %v", body, err)
	}
}

func TestAGoodbyeAndAMessageAreDecoded(t *testing.T) {
	bye := decode(t, `{"requestContext":{"routeKey":"$disconnect","eventType":"DISCONNECT","connectionId":"c","disconnectStatusCode":1001,"disconnectReason":"Going away","connectedAt":null}}`)
	if bye.DisconnectCode != 1001 || bye.DisconnectReason != "Going away" || !bye.ConnectedAt.IsZero() {
		t.Errorf("%+v", bye)
	}
	if err := bye.Authorizer(new(any)); err == nil || !strings.Contains(err.Error(), "no authorizer") {
		t.Errorf("%v", err)
	}
	single := decode(t, `{"headers":{"A":"1"},"queryStringParameters":{"q":"1"},"stageVariables":null,"requestContext":{"routeKey":"say","messageId":"m"},"body":"aGk=","isBase64Encoded":true}`)
	if body, err := single.Body(); string(body) != "hi" || err != nil || single.MessageID != "m" || single.Header.Get("a") != "1" || single.Query.Get("q") != "1" {
		t.Errorf("%q %v %+v", body, err, single)
	}
	broken := decode(t, `{"body":"?","isBase64Encoded":true}`)
	if _, err := broken.Body(); err == nil {
		t.Error("? is no base64")
	}
}

func TestEventsOfOtherKindsAreTaken(t *testing.T) {
	for _, payload := range []string{`[]`, `null`, `1`, `{}`, `{"requestContext":1,"headers":[],"multiValueHeaders":{"a":[1,"b"]},"queryStringParameters":"x","body":{"a":1},"stageVariables":[]}`,
		`{"requestContext":{"identity":"x","connectedAt":"soon"}}`} {
		var m ws.Message
		if err := json.Unmarshal([]byte(payload), &m); payload != `null` && payload != `{"requestContext":{"identity":"x","connectedAt":"soon"}}` && err != nil {
			t.Errorf("%s: %v", payload, err)
		}
	}
	var m ws.Message
	if err := m.DecodeEvent([]byte(`{`)); err == nil {
		t.Error("{ is no JSON")
	}
	if b, err := json.Marshal(ws.Message{}); string(b) != "null" || err != nil {
		t.Errorf("%s %v", b, err)
	}
	if b, err := json.Marshal(decode(t, `{"a":1}`)); string(b) != `{"a":1}` || err != nil {
		t.Errorf("%s %v", b, err)
	}
}

func FuzzMessage(f *testing.F) {
	f.Add([]byte(connectEvent))
	f.Add([]byte(`{"requestContext":{"routeKey":"\u0073ay","connectedAt":1e3},"body":"{}","headers":{"a":null}}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		var ours ws.Message
		ourErr := ours.DecodeEvent(payload)
		var theirs events.APIGatewayWebsocketProxyRequest
		if json.Unmarshal(payload, &theirs) != nil {
			return
		}
		if ourErr != nil {
			// Ours wants whole numbers as numbers, as theirs does, and booleans as such.
			t.Fatalf("aws-lambda-go decodes it: %v", ourErr)
		}
		_, _ = ours.Body()
	})
}

func TestResponses(t *testing.T) {
	for _, c := range []struct {
		rule string
		resp ws.Response
		want string
	}{
		{"nothing is 200", ws.Response{}, `{"statusCode":200}`},
		{"what a field's value may not have becomes a space", ws.Response{Header: map[string]string{"A": "a\x00b\x7f\x0b\tc"}}, `{"statusCode":200,"headers":{"A":"a b  \tc"}}`},
		{"a line break makes no second header, and what is no name none", ws.Response{Header: map[string]string{"B": "1\r\nX: y", "A": "\n", "C\r\nD": "1", "": "1", "E F": "1", "G:": "1"}}, `{"statusCode":200,"headers":{"A":" ","B":"1  X: y"}}`},
		{"everything", ws.Response{StatusCode: 401, Header: map[string]string{"Sec-WebSocket-Protocol": "a"}, Body: []byte("ä\n\"")}, `{"statusCode":401,"headers":{"Sec-WebSocket-Protocol":"a"},"body":"ä\n\""}`},
		{"bytes are base64", ws.Response{Body: []byte{0xff}}, `{"statusCode":200,"isBase64Encoded":true,"body":"/w=="}`},
	} {
		t.Run(c.rule, func(t *testing.T) {
			if b, err := json.Marshal(c.resp); string(b) != c.want || err != nil {
				t.Errorf("got %s %v", b, err)
			}
		})
	}
}

// through runs a whole function.
func through(t testing.TB, r ws.Receiver, payload string) (string, error) {
	t.Helper()
	f, err := middy.New(ws.Handler(r))
	if err != nil {
		t.Fatal(err)
	}
	out, err := f.Invoke(t.Context(), []byte(payload))
	return string(out), err
}

func on(route, more string) string {
	return `{"requestContext":{"domainName":"d.example.com","stage":"s","connectionId":"c1","routeKey":"` + route + `"}` + more + `}`
}

// The vectors of Middy's ws-router: spec 20.4.
func TestRouting(t *testing.T) {
	answer := func(s string) ws.Receiver {
		return ws.Func(func(context.Context, *ws.Message) (any, error) { return map[string]string{"t": s}, nil })
	}
	router := func(cfg ws.RouterConfig, keys ...string) *ws.Router {
		r := ws.NewRouter(cfg)
		for _, k := range keys {
			r.Handle(k, answer(k))
		}
		return r
	}
	for _, c := range []struct {
		rule    string
		r       ws.Receiver
		payload string
		want    string
	}{
		{"match", router(ws.RouterConfig{}, "$connect"), on("$connect", ""), `{"statusCode":200,"body":"{\"t\":\"$connect\"}"}`},
		{"not found", router(ws.RouterConfig{}, "$connect"), on("missing", ""), `{"statusCode":404,"body":"{\"title\":\"Not Found\",\"status\":404,\"detail\":\"Route does not exist\"}"}`},
		{"a key that is a name in JavaScript", router(ws.RouterConfig{}, "$connect"), on("__proto__", ""), `{"statusCode":404,"body":"{\"title\":\"Not Found\",\"status\":404,\"detail\":\"Route does not exist\"}"}`},
		{"$default is no fallback", router(ws.RouterConfig{}, "$default"), on("foo", ""), `{"statusCode":404,"body":"{\"title\":\"Not Found\",\"status\":404,\"detail\":\"Route does not exist\"}"}`},
		{"$default is a fallback on demand", router(ws.RouterConfig{Fallback: true}, "$default"), on("foo", ""), `{"statusCode":200,"body":"{\"t\":\"$default\"}"}`},
		{"which a handshake never takes", router(ws.RouterConfig{Fallback: true}, "$default"), on("$connect", ""), `{"statusCode":404,"body":"{\"title\":\"Not Found\",\"status\":404,\"detail\":\"Route does not exist\"}"}`},
		{"no routes", router(ws.RouterConfig{}), on("$connect", ""), `{"statusCode":404,"body":"{\"title\":\"Not Found\",\"status\":404,\"detail\":\"Route does not exist\"}"}`},
		{"keys are compared exactly", router(ws.RouterConfig{}, "Say"), on("say", ""), `{"statusCode":404,"body":"{\"title\":\"Not Found\",\"status\":404,\"detail\":\"Route does not exist\"}"}`},
		{"no route key", router(ws.RouterConfig{}), `{"requestContext":{"connectionId":"c"}}`, `{"statusCode":400,"body":"{\"title\":\"Bad Request\",\"status\":400,\"detail\":\"Unknown WebSocket event format: missing 'requestContext.routeKey'\"}"}`},
		{"an answer of one's own", router(ws.RouterConfig{NotFound: func(_ context.Context, m *ws.Message) (any, error) { return m.RouteKey + "?", nil }}), on("x", ""), `{"statusCode":200,"body":"x?"}`},
	} {
		t.Run(c.rule, func(t *testing.T) {
			if got, err := through(t, c.r, c.payload); got != c.want || err != nil {
				t.Errorf("got  %s %v\nwant %s", got, err, c.want)
			}
		})
	}
	t.Run("an event that is not of a WebSocket API fails, with its name", func(t *testing.T) {
		if _, err := through(t, router(ws.RouterConfig{}), `{"path":"/"}`); err == nil || !strings.Contains(err.Error(), `it begins with {"path":"/"}`) {
			t.Errorf("%v", err)
		}
	})
	for _, c := range []struct {
		want string
		f    func(*ws.Router)
	}{
		{"without a key", func(r *ws.Router) { r.Handle("", answer("")) }},
		{"no receiver", func(r *ws.Router) { r.Handle("a", nil) }},
		{"no receiver", func(r *ws.Router) { r.HandleFunc("a", nil) }},
		{"twice", func(r *ws.Router) { r.Handle("a", answer("")); r.Handle("a", answer("")) }},
	} {
		t.Run("misuse: "+c.want, func(t *testing.T) {
			defer func() {
				if said := fmt.Sprint(recover()); !strings.Contains(said, c.want) {
					t.Errorf("got %s", said)
				}
			}()
			c.f(ws.NewRouter(ws.RouterConfig{}))
		})
	}
}

func TestAnswers(t *testing.T) {
	private := errors.New("private")
	for _, c := range []struct {
		rule   string
		result any
		err    error
		want   string
	}{
		{"nil", nil, nil, `{"statusCode":200}`},
		{"a string", "hi", nil, `{"statusCode":200,"body":"hi"}`},
		{"bytes", []byte("hi"), nil, `{"statusCode":200,"body":"hi"}`},
		{"a response", ws.Response{StatusCode: 401}, nil, `{"statusCode":401}`},
		{"a pointer to one", &ws.Response{StatusCode: 401}, nil, `{"statusCode":401}`},
		{"a nil one", (*ws.Response)(nil), nil, `{"statusCode":200}`},
		{"a number", 5, nil, `{"statusCode":200,"body":"5"}`},
		{"a refusal", nil, fmt.Errorf("outer: %w", &web.Error{Status: 401, Err: private}), `{"statusCode":401,"body":"{\"title\":\"Unauthorized\",\"status\":401}"}`},
		{"a refusal without a status", nil, &web.Error{}, `{"statusCode":500,"body":"{\"title\":\"Internal Server Error\",\"status\":500}"}`},
	} {
		t.Run(c.rule, func(t *testing.T) {
			got, err := through(t, ws.Func(func(context.Context, *ws.Message) (any, error) { return c.result, c.err }), on("a", ""))
			if got != c.want || err != nil {
				t.Errorf("got %s %v", got, err)
			}
		})
	}
	t.Run("another error is the function's", func(t *testing.T) {
		if _, err := through(t, ws.Func(func(context.Context, *ws.Message) (any, error) { return nil, private }), on("a", "")); !errors.Is(err, private) {
			t.Errorf("%v", err)
		}
	})
	t.Run("what cannot be JSON", func(t *testing.T) {
		if _, err := through(t, ws.Func(func(context.Context, *ws.Message) (any, error) { return func() {}, nil }), on("a", "")); err == nil {
			t.Error("a func was sent")
		}
	})
}

type say struct {
	Foo string `json:"foo" required:"true" maxLength:"3"`
}

// The vectors of Middy's ws-json-body-parser: spec 18.4.
func TestJSONMessages(t *testing.T) {
	h := ws.JSON(func(_ context.Context, m *ws.Message, in say) (say, error) { return in, nil })
	raw := ws.JSON(func(_ context.Context, m *ws.Message, in any) (any, error) { return in, nil })
	loose := ws.JSON(func(_ context.Context, m *ws.Message, in any) (any, error) { return in, nil }, ws.JSONConfig{AllowPrototypeKeys: true})
	const bad = `{"statusCode":422,"body":"{\"title\":\"Unprocessable Entity\",\"status\":422,\"detail\":\"Invalid or malformed JSON was provided`
	const forbidden = `{"statusCode":422,"body":"{\"title\":\"Unprocessable Entity\",\"status\":422,\"detail\":\"Forbidden key in JSON body: `
	for _, c := range []struct {
		rule  string
		r     ws.Receiver
		route string
		more  string
		want  string
	}{
		{"parse", h, "say", `,"body":"{ \"foo\" :   \"bar\"   }"`, `{"statusCode":200,"body":"{\"foo\":\"bar\"}"}`},
		{"base64", h, "say", `,"isBase64Encoded":true,"body":"eyJmb28iOiJiYXIifQ=="`, `{"statusCode":200,"body":"{\"foo\":\"bar\"}"}`},
		{"invalid", h, "say", `,"body":"make it broken{}"`, bad + `: The body is not JSON: invalid character 'm' looking for beginning of value, at byte 1.\"}"}`},
		{"missing", h, "say", ``, bad + `\"}"}`},
		{"not the base64 it is said to be", h, "say", `,"isBase64Encoded":true,"body":"?"`, bad + `\"}"}`},
		{"nested constructor.prototype", raw, "say", `,"body":"{ \"a\": { \"constructor\": { \"prototype\": { \"x\": 1 } } } }"`, forbidden + `\\\"constructor\\\"\"}"}`},
		{"__proto__ in an array, escaped", raw, "say", `,"body":"[{\"\\u005f_proto__\":1}]"`, forbidden + `\\\"__proto__\\\"\"}"}`},
		{"benign", raw, "say", `,"body":"{\"prototype\":{\"x\":1},\"constructor\":\"Widget\"}"`, `{"statusCode":200,"body":"{\"constructor\":\"Widget\",\"prototype\":{\"x\":1}}"}`},
		{"an array in a constructor is benign", raw, "say", `,"body":"{\"constructor\":[{\"prototype\":1}]}"`, `{"statusCode":200,"body":"{\"constructor\":[{\"prototype\":1}]}"}`},
		{"allowed on demand", loose, "say", `,"body":"{\"__proto__\":1}"`, `{"statusCode":200,"body":"{\"__proto__\":1}"}`},
		{"a name twice", h, "say", `,"body":"{\"foo\":\"a\",\"FOO\":\"b\"}"`, bad + `: the name \\\"FOO\\\" comes twice in one object, in this case or another, at byte 11\"}"}`},
		{"a name twice that no field takes", loose, "say", `,"body":"{\"a\":{\"x\":1,\"X\":2}}"`, bad + `: the name \\\"X\\\" comes twice in one object, in this case or another, at byte 12\"}"}`},
		{"the rules of the tags", h, "say", `,"body":"{\"foo\":\"long\"}"`, `{"statusCode":422,"body":"{\"title\":\"Unprocessable Entity\",\"status\":422,\"detail\":\"One field is invalid.\",\"errors\":[{\"pointer\":\"#/foo\",\"detail\":\"must have at most 3 characters\"}]}"}`},
		{"no body on $connect", h, "$connect", ``, `{"statusCode":200,"body":"{\"foo\":\"\"}"}`},
		{"no body on $disconnect", h, "$disconnect", ``, `{"statusCode":200,"body":"{\"foo\":\"\"}"}`},
	} {
		t.Run(c.rule, func(t *testing.T) {
			if got, err := through(t, c.r, on(c.route, c.more)); got != c.want || err != nil {
				t.Errorf("got  %s %v\nwant %s", got, err, c.want)
			}
		})
	}
	t.Run("struct{} is no answer", func(t *testing.T) {
		h := ws.JSON(func(context.Context, *ws.Message, say) (struct{}, error) { return struct{}{}, nil })
		if got, err := through(t, h, on("say", `,"body":"{\"foo\":\"a\"}"`)); got != `{"statusCode":200}` || err != nil {
			t.Errorf("%s %v", got, err)
		}
	})
	t.Run("the function's error", func(t *testing.T) {
		h := ws.JSON(func(context.Context, *ws.Message, say) (struct{}, error) { return struct{}{}, web.Errorf(403, "no") })
		if got, err := through(t, h, on("say", `,"body":"{\"foo\":\"a\"}"`)); !strings.Contains(got, `"statusCode":403`) || err != nil {
			t.Errorf("%s %v", got, err)
		}
	})
	t.Run("two configurations", func(t *testing.T) {
		defer func() {
			if recover() == nil {
				t.Error("taken")
			}
		}()
		ws.JSON(func(context.Context, *ws.Message, say) (struct{}, error) { return struct{}{}, nil }, ws.JSONConfig{}, ws.JSONConfig{})
	})
}

func BenchmarkMessage(b *testing.B) {
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var m ws.Message
			if err := m.DecodeEvent([]byte(connectEvent)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("aws-lambda-go", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var e events.APIGatewayWebsocketProxyRequest
			if err := json.Unmarshal([]byte(connectEvent), &e); err != nil {
				b.Fatal(err)
			}
		}
	})
}
