package ours

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/gomiddy/middy"
	"github.com/gomiddy/middy/conformance"
	"github.com/gomiddy/middy/web/ws"
)

// webSocket runs a case of Middy's ws packages on package ws.
func webSocket(ctx context.Context, c *conformance.Case) (got object) {
	defer func() {
		if p := recover(); p != nil {
			got = object{"error": object{"at": "construction"}}
		}
	}()
	r := &run{c: c}
	use := c.Use[len(c.Use)-1]
	all, _ := value(use.Options).(object)
	o := options{all, use.Options}
	var receive ws.Receiver
	switch use.Name {
	case "ws-json-body-parser":
		receive = ws.JSON(func(_ context.Context, _ *ws.Message, in any) (any, error) {
			r.ran++
			r.saw = object{"body": in}
			return nil, nil
		}, ws.JSONConfig{})
	case "ws-router":
		receive = r.routes(o)
	case "ws-response":
		receive = r.respond(o)
	}
	f, err := middy.New(ws.Handler(receive))
	if err != nil {
		return object{"error": object{"at": "construction", "message": err.Error()}}
	}
	if c.Steps == nil {
		return r.message(ctx, f, c.Event)
	}
	var steps []any
	for _, s := range c.Steps {
		one := r.message(ctx, f, s.Event)
		delete(one, "sends")
		steps = append(steps, one)
	}
	return object{"steps": steps, "sends": r.sends}
}

func (r *run) message(ctx context.Context, f *middy.Function, event json.RawMessage) object {
	r.ran, r.saw, r.err = 0, nil, nil
	payload, err := r.completeMessage(event)
	if err != nil {
		return object{"runner": err.Error()}
	}
	out, err := f.Invoke(ctx, payload)
	got := object{}
	if err != nil {
		got["error"] = errorOf(err)
	} else {
		var resp struct {
			StatusCode int               `json:"statusCode"`
			Headers    map[string]string `json:"headers"`
			Body       string            `json:"body"`
		}
		if err := json.Unmarshal(out, &resp); err != nil {
			return object{"runner": err.Error()}
		}
		switch {
		case resp.StatusCode >= 400 && resp.Headers["Content-Type"] != "application/json": // a *web.Error, as API Gateway reads it
			got["error"] = problemOf(resp.StatusCode, resp.Body)
		case r.saw == nil || r.c.Handler != nil && r.c.Handler.Return != nil:
			headers := object{}
			for name, v := range resp.Headers {
				headers[name] = v
			}
			got["response"] = object{"statusCode": resp.StatusCode, "headers": headers, "body": resp.Body}
		}
	}
	if r.saw != nil {
		got["saw"] = r.saw
	}
	if r.ran == 0 && got["error"] == nil {
		got["skipped"] = true
	}
	if len(r.sends) > 0 {
		got["sends"] = r.sends
	}
	return got
}

func problemOf(status int, body string) object {
	var p struct{ Title, Detail string }
	_ = json.Unmarshal([]byte(body), &p) // another form has no detail
	if p.Detail == "" {
		p.Detail = p.Title
	}
	return object{"status": status, "message": p.Detail}
}

// completeMessage adds what API Gateway always sends.
func (r *run) completeMessage(event json.RawMessage) (json.RawMessage, error) {
	payload, err := conformance.Plain(event)
	if err != nil {
		return nil, err
	}
	var e object
	if err := json.Unmarshal(payload, &e); err != nil || e == nil {
		return payload, err
	}
	add := object{"eventType": "MESSAGE", "requestId": "r"}
	switch r.c.Package() {
	case "ws-router": // lives by the route key
		add["connectionId"] = "c"
	case "ws-response": // lives by the connection
		add["routeKey"] = "$default"
	default:
		add["routeKey"], add["connectionId"] = "$default", "c"
	}
	in, ok := e["requestContext"].(object)
	if !ok && r.c.Package() != "ws-json-body-parser" {
		return payload, nil
	}
	if in == nil {
		in = object{}
		e["requestContext"] = in
	}
	if r.c.Package() == "ws-router" && in["routeKey"] == nil {
		return payload, nil
	}
	for key, v := range add {
		if _, has := in[key]; !has {
			in[key] = v
		}
	}
	return json.Marshal(e)
}

func (r *run) routes(o options) ws.Receiver {
	cfg := ws.RouterConfig{}
	if o.function("notFoundResponse") == "notFound" {
		cfg.NotFound = func(_ context.Context, m *ws.Message) (any, error) {
			body, _ := json.Marshal(object{"routeKey": m.RouteKey}) // it is a string
			return ws.Response{StatusCode: 404, Header: map[string]string{"Content-Type": "application/json"}, Body: body}, nil
		}
	}
	router := ws.NewRouter(cfg)
	routes, _ := o.all["routes"].([]any)
	for _, v := range routes {
		route, _ := v.(object)
		key, _ := route["routeKey"].(string)
		handler, _ := route["handler"].(object)
		router.HandleFunc(key, func(context.Context, *ws.Message) (any, error) {
			r.ran++
			r.saw = object{"tag": handler["tag"]}
			return nil, nil
		})
	}
	return router
}

// respond posts what the handler returns. A command for Middy's client, an object
// with Data or ConnectionId, is a call of ours.
func (r *run) respond(o options) ws.Receiver {
	//nolint:bodyclose // the SDK closes it
	cfg := aws.Config{Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", ""), HTTPClient: &http.Client{Transport: roundTripper(r.post(o.text("failure")))}}
	clientOptions := options{all: o.object("awsClientOptions")}
	client := ws.NewClient(cfg, ws.Config{Endpoint: clientOptions.text("endpoint")})
	return ws.Respond(client)(ws.Func(func(ctx context.Context, m *ws.Message) (any, error) {
		r.ran++
		if r.c.Handler.Throw != nil {
			return nil, thrown(r.c.Handler.Throw)
		}
		v := value(r.c.Handler.Return)
		if command, ok := v.(object); ok && (command["Data"] != nil || command["ConnectionId"] != nil) {
			if id, _ := command["ConnectionId"].(string); id != "" {
				return nil, client.Send(ctx, id, bytesOf(command["Data"]))
			}
			v = command["Data"]
		}
		if _, is := v.(conformance.Undefined); is {
			return nil, nil
		}
		return v, nil
	}))
}

// post is API Gateway's callback API: it notes what is sent.
func (r *run) post(failure string) func(*http.Request) (*http.Response, error) {
	return func(req *http.Request) (*http.Response, error) {
		stage, id, _ := strings.Cut(req.URL.EscapedPath(), "/@connections/")
		id, _ = url.PathUnescape(id)
		var data []byte
		if req.Body != nil {
			var err error
			if data, err = io.ReadAll(req.Body); err != nil {
				return nil, err
			}
		}
		r.sends = append(r.sends, []any{req.URL.Scheme + "://" + req.URL.Host + stage, object{"ConnectionId": id, "Data": text(data)}})
		resp := &http.Response{StatusCode: 200, Header: http.Header{}, Body: readCloser(nil), Request: req}
		if status, ok := failures[failure]; ok {
			resp.StatusCode = status
			resp.Header.Set("X-Amzn-Errortype", failure)
		}
		return resp, nil
	}
}

// failures are the errors of the callback API:
// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html
var failures = map[string]int{
	"GoneException": http.StatusGone, "ForbiddenException": http.StatusForbidden, "LimitExceededException": http.StatusTooManyRequests, "PayloadTooLargeException": http.StatusRequestEntityTooLarge,
}
