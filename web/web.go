// Package web serves HTTP events of Lambda with an ordinary [http.Handler].
//
// A function behind API Gateway gets its request as JSON, and every front door
// writes that JSON differently; handlers written over it run nowhere else and
// compose with nothing. Here the handler is net/http's: it runs in Lambda, in a
// container and on a laptop, with http.ServeMux, chi or whatever you own.
//
//	middy.Start(web.Handler(mux), store)
//
// One binary serves every front door; the event tells which it was: API Gateway's
// REST and HTTP APIs (payload 1.0 and 2.0), function URLs, Application Load
// Balancers with and without multi-value headers, and VPC Lattice (V1 and V2).
// [Stream] sends the response as it is written. [JSON] makes a handler from a
// function over types. What an event says beyond HTTP is in [Event].
//
// # Stages and base paths
//
// The handler sees the path without the stage: routes are written without it, at
// every door. A REST API's event has no stage in the path, and that of an HTTP API
// is removed. What a custom domain maps stays: a base path such as /shop/v1 is in a
// REST API's path, where an HTTP API removes it itself. Remove it with
// [http.StripPrefix], or with StripStage of package router where it is the stage.
//
// The client's path has the stage still. A redirect to a path, such as /login or what
// [http.ServeMux] answers for a missing slash, leaves the stage at an execute-api
// address, and API Gateway answers 403. Redirect with the stage in front, as in the
// example of [Event], or give the API a custom domain, which needs none.
//
// # What differs from a server
//
// The handler gets what net/http's server gives it, but for what a function cannot do
// (see [Handler]) and what a front door loses. Each door has its own limit of the
// response, measured on the JSON that is sent: 6 MB, and 1 MB behind a load balancer.
// As there, the files of a form that [http.Request.ParseMultipartForm] wrote are
// removed when the handler has returned, unless a middleware gave it another request:
// call RemoveAll there.
//
// Middlewares are func(http.Handler) http.Handler, each in its own package below
// this one. They refuse with an [Error], which [WriteError] writes in the form of
// the user's choice; problem details (RFC 9457) are the default.
package web

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/gomiddy/middy/internal/panics"
)

// Handler returns a Lambda handler that serves with h, for middy.New and
// middy.Start. The response is sent when h has returned.
//
// What the client did wrong is answered with a 4xx. An event that no front door
// has sent, and a response that Lambda or the front door would not take, are errors
// that say so.
//
// h is served as net/http's server serves it. What a function cannot do is left:
// informational responses (1xx) are passed over, trailers come with the header, and
// there is no connection to take over.
//
// A panic of h goes to package middy, which reports it and ends the sandbox;
// package problem turns it into a 500 instead. [http.ErrAbortHandler] fails the
// invocation and nothing more: the client gets the front door's 5xx in place of
// half a response. So does a body that is shorter than the Content-Length that h
// declared. A panic value with a method Failure() error is no bug: the invocation
// fails with that error.
func Handler(h http.Handler) func(context.Context, Request) (Response, error) {
	return func(ctx context.Context, e Request) (Response, error) {
		if e.Door == 0 {
			return Response{}, notHTTP(&e)
		}
		w := newWriter(&e)
		if err := serve(ctx, h, w, &e); err != nil {
			return Response{}, err
		}
		return w.response(e.Door)
	}
}

// serve runs h as net/http's server does, or answers what the event itself does
// wrong. The error is a failure that h ended with in a panic; a bug goes on as one.
func serve(ctx context.Context, h http.Handler, w *writer, e *Request) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	r, bad := e.request(ctx, &w.broken)
	w.ctx = r.Context()
	defer func() {
		cancel()
		if r.MultipartForm != nil {
			_ = r.MultipartForm.RemoveAll() // a file that is left costs space until the sandbox ends
		}
		v := recover()
		if v == nil {
			return
		}
		failure, failed := panics.Failure(v)
		switch {
		case failed:
			err = failure
		case v != http.ErrAbortHandler: //nolint:errorlint // net/http compares so
			panic(v) // the stack still has where it came from
		case w.broken.Load() != nil:
			err = fmt.Errorf("web: the handler failed after its response had begun: %w", w.broken.Load())
		default:
			err = fmt.Errorf("web: the handler broke its response off: %w", http.ErrAbortHandler)
		}
	}()
	if bad != nil {
		WriteError(w, r, bad)
		return nil
	}
	h.ServeHTTP(w, r)
	return nil
}

func notHTTP(e *Request) error {
	return fmt.Errorf("web: the event is not from an HTTP front door that is known here (API Gateway, a function URL, ALB, VPC Lattice): %s", e.describe())
}

// EventHandler lets a handler over a type of aws-lambda-go's events package, or
// one of your own, serve as an [http.Handler], so that the middlewares of this
// module go around it unchanged. E must be the type of the door in use.
//
// It answers 501 to a request that came over HTTP: there is no event then.
func EventHandler[E, R any](h func(context.Context, E) (R, error)) http.Handler {
	return HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		e, ok := Event(r)
		if !ok {
			return &Error{Status: http.StatusNotImplemented, Detail: "this route answers to events of Lambda only"}
		}
		var event E
		if err := json.Unmarshal(e.Payload, &event); err != nil {
			return fmt.Errorf("web: the %v event does not fit %T: %w", e.Door, event, err)
		}
		result, err := h(r.Context(), event)
		if err != nil {
			return err
		}
		text, err := json.Marshal(result)
		if err != nil {
			return fmt.Errorf("web: the result does not encode to JSON: %w", err)
		}
		return writeEventResponse(w, e.Door, text)
	})
}

// writeEventResponse writes a response in any door's form. Behind an HTTP API with
// payload 2.0 and a function URL, a result without a statusCode is the body of a 200:
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
func writeEventResponse(w http.ResponseWriter, door Door, text []byte) error {
	var members map[string]json.RawMessage
	_ = json.Unmarshal(text, &members) // a result that is no object has none
	if members["statusCode"] == nil && (door == HTTPAPI || door == FunctionURL) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(inferredBody(door, text)) // the client has gone; there is nobody to tell
		return nil
	}
	var resp struct {
		StatusCode        int                 `json:"statusCode"`
		Headers           map[string]string   `json:"headers"`
		MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
		Cookies           []string            `json:"cookies"`
		Body              string              `json:"body"`
		IsBase64Encoded   bool                `json:"isBase64Encoded"`
	}
	if err := json.Unmarshal(text, &resp); err != nil || resp.StatusCode == 0 {
		return errors.Join(errors.New("web: the result has no statusCode: it is not the response of an HTTP front door"), err)
	}
	body := []byte(resp.Body)
	if resp.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(resp.Body); err != nil {
			return fmt.Errorf("web: the result's body is not the base64 that it is said to be: %w", err)
		}
	}
	for name, value := range resp.Headers {
		w.Header().Set(name, value)
	}
	for name, values := range resp.MultiValueHeaders {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	for _, cookie := range resp.Cookies {
		w.Header().Add("Set-Cookie", cookie)
	}
	w.WriteHeader(resp.StatusCode)
	if len(body) == 0 {
		return nil
	}
	_, _ = w.Write(body) // the client has gone; there is nobody to tell
	return nil
}

// inferredBody is the result itself. An HTTP API was seen to send a JSON string
// without its quotes; a function URL is documented to keep them.
func inferredBody(door Door, text []byte) []byte {
	var s string
	if door == HTTPAPI && text[0] == '"' && json.Unmarshal(text, &s) == nil {
		return []byte(s)
	}
	return text
}
