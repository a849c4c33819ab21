// Package web serves HTTP events of Lambda with an ordinary [http.Handler].
//
// A function behind API Gateway gets its request as JSON, and every front door
// writes that JSON differently; handlers written over it run nowhere else and
// compose with nothing. Here the handler is net/http's: it runs in Lambda, in a
// container and on a laptop, with http.ServeMux, chi or whatever you own.
//
//	middy.Start(web.Handler(mux), store)
//
// This version serves HTTP API payload 2.0 and function URLs.
package web

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// A Request is an event of an HTTP API (payload 2.0) or of a function URL:
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
type Request struct {
	Version         string            `json:"version"`
	RouteKey        string            `json:"routeKey"`
	RawPath         string            `json:"rawPath"`
	RawQueryString  string            `json:"rawQueryString"`
	Cookies         []string          `json:"cookies,omitempty"`
	Headers         map[string]string `json:"headers"`
	PathParameters  map[string]string `json:"pathParameters,omitempty"`
	StageVariables  map[string]string `json:"stageVariables,omitempty"`
	Body            string            `json:"body,omitempty"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
	RequestContext  RequestContext    `json:"requestContext"`
}

// RequestContext is what the front door knows of the request.
type RequestContext struct {
	AccountID  string         `json:"accountId"`
	APIID      string         `json:"apiId"`
	DomainName string         `json:"domainName"`
	RequestID  string         `json:"requestId"`
	RouteKey   string         `json:"routeKey"`
	Stage      string         `json:"stage"`
	Time       string         `json:"time"`
	TimeEpoch  int64          `json:"timeEpoch"` // milliseconds
	Authorizer map[string]any `json:"authorizer,omitempty"`
	HTTP       struct {
		Method    string `json:"method"`
		Path      string `json:"path"`
		Protocol  string `json:"protocol"`
		SourceIP  string `json:"sourceIp"`
		UserAgent string `json:"userAgent"`
	} `json:"http"`
}

// A Response is the answer that the front door turns into HTTP.
type Response struct {
	StatusCode      int               `json:"statusCode"`
	Headers         map[string]string `json:"headers,omitempty"`
	Cookies         []string          `json:"cookies,omitempty"`
	Body            string            `json:"body,omitempty"`
	IsBase64Encoded bool              `json:"isBase64Encoded,omitempty"`
}

type eventKey struct{}

// Event returns the event that r was made from.
func Event(r *http.Request) (*Request, bool) {
	e, ok := r.Context().Value(eventKey{}).(*Request)
	return e, ok
}

// Handler returns a Lambda handler that serves with h. A body that says it is
// base64 and is not is answered with 400; an event that is no HTTP event is an
// error that says so.
func Handler(h http.Handler) func(context.Context, Request) (Response, error) {
	return func(ctx context.Context, e Request) (Response, error) {
		if e.RequestContext.HTTP.Method == "" {
			return Response{}, fmt.Errorf("web: the event has no requestContext.http.method: it is not from an HTTP API (payload 2.0) or a function URL; version is %q", e.Version)
		}
		r, err := newRequest(ctx, &e)
		if err != nil {
			//nolint:nilerr // the client's mistake is its answer, not the function's failure
			return Response{StatusCode: http.StatusBadRequest, Headers: map[string]string{"content-type": "text/plain; charset=utf-8"}, Body: err.Error()}, nil
		}
		w := &recorder{header: http.Header{}}
		h.ServeHTTP(w, r)
		return w.response(r.Method), nil
	}
}

func newRequest(ctx context.Context, e *Request) (*http.Request, error) {
	body := e.Body
	if e.IsBase64Encoded {
		b, err := base64.StdEncoding.DecodeString(body)
		if err != nil {
			return nil, fmt.Errorf("web: the request body is not the base64 that it is said to be")
		}
		body = string(b)
	}
	in := &e.RequestContext
	u := &url.URL{Path: withoutStage(e.RawPath, in.Stage), RawQuery: e.RawQueryString}
	r := &http.Request{
		Method:        in.HTTP.Method,
		URL:           u,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        make(http.Header, len(e.Headers)+1),
		Body:          io.NopCloser(strings.NewReader(body)),
		ContentLength: int64(len(body)),
		Host:          in.DomainName,
		RemoteAddr:    net.JoinHostPort(in.HTTP.SourceIP, "0"),
		RequestURI:    u.RequestURI(),
	}
	for name, value := range e.Headers {
		if strings.EqualFold(name, "host") {
			r.Host = value // net/http keeps it out of the map
			continue
		}
		r.Header.Set(name, value)
	}
	if len(e.Cookies) > 0 {
		r.Header.Set("Cookie", strings.Join(e.Cookies, "; "))
	}
	for name, value := range e.PathParameters {
		r.SetPathValue(name, value)
	}
	return r.WithContext(context.WithValue(ctx, eventKey{}, e)), nil
}

// withoutStage removes the stage that an HTTP API puts before the path, unless
// it is $default.
func withoutStage(path, stage string) string {
	if stage == "" || stage == "$default" {
		return path
	}
	rest, ok := strings.CutPrefix(path, "/"+stage)
	if !ok || (rest != "" && rest[0] != '/') {
		return path
	}
	if rest == "" {
		return "/"
	}
	return rest
}

// recorder is the http.ResponseWriter of one invocation.
type recorder struct {
	header http.Header
	sent   http.Header // the header as it was when the status was written
	status int
	body   []byte
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status != 0 || status < 200 { // 1xx cannot be sent through Lambda
		return
	}
	w.status, w.sent = status, w.header.Clone()
}

func (w *recorder) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if !bodyAllowed(w.status) {
		return 0, http.ErrBodyNotAllowed
	}
	w.body = append(w.body, p...)
	return len(p), nil
}

func bodyAllowed(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

func (w *recorder) response(method string) Response {
	w.WriteHeader(http.StatusOK)
	if len(w.body) > 0 && w.sent.Get("Content-Type") == "" {
		w.sent.Set("Content-Type", http.DetectContentType(w.body))
	}
	resp := Response{StatusCode: w.status, Headers: make(map[string]string, len(w.sent))}
	for name, values := range w.sent {
		if name == "Set-Cookie" {
			resp.Cookies = values
			continue
		}
		resp.Headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	switch {
	case method == http.MethodHead || len(w.body) == 0:
	case isText(w.sent, w.body):
		resp.Body = string(w.body)
	default:
		resp.Body, resp.IsBase64Encoded = base64.StdEncoding.EncodeToString(w.body), true
	}
	return resp
}

// isText reports whether a body may travel as a JSON string.
func isText(h http.Header, body []byte) bool {
	if h.Get("Content-Encoding") != "" || !utf8.Valid(body) {
		return false
	}
	t, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return false
	}
	switch {
	case strings.HasPrefix(t, "text/"), strings.HasSuffix(t, "+json"), strings.HasSuffix(t, "+xml"):
		return true
	}
	switch t {
	case "application/json", "application/xml", "application/javascript", "application/x-www-form-urlencoded":
		return true
	}
	return false
}
