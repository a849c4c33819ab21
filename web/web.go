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
)

// maxResponse is Lambda's limit of a buffered response in bytes:
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxResponse = 6<<20 + 100

// Handler returns a Lambda handler that serves with h, for [middy.New] and
// [middy.Start]. The response is sent when h has returned.
//
// What the client did wrong is answered with a 4xx. An event that no front door
// has sent, and a response that Lambda would not take, are errors that say so.
//
// A panic of h goes to package middy, which reports it and ends the sandbox;
// package problem turns it into a 500 instead. [http.ErrAbortHandler] fails the
// invocation and nothing more: the client gets the front door's 5xx in place of
// half a response.
func Handler(h http.Handler) func(context.Context, Request) (Response, error) {
	return func(ctx context.Context, e Request) (_ Response, err error) {
		if e.Door == 0 {
			return Response{}, notHTTP(&e)
		}
		defer func() {
			switch v := recover(); v {
			case nil:
			case http.ErrAbortHandler:
				err = fmt.Errorf("web: the handler broke its response off: %w", http.ErrAbortHandler)
			default:
				panic(v) // the stack still has where it came from
			}
		}()
		w := &recorder{header: make(http.Header, 8), head: e.Method == http.MethodHead}
		serve(ctx, h, w, &e)
		resp := w.response(e.Door)
		if len(resp.Body) > maxResponse {
			return Response{}, fmt.Errorf("web: the response has %d bytes, and Lambda takes %d: stream it (web.Stream), or answer with a link to S3", len(resp.Body), maxResponse)
		}
		return resp, nil
	}
}

// serve runs h, or answers what the event itself does wrong.
func serve(ctx context.Context, h http.Handler, w http.ResponseWriter, e *Request) {
	r, err := e.HTTPRequest(ctx)
	if err != nil {
		WriteError(w, r, err)
		return
	}
	h.ServeHTTP(w, r)
}

func notHTTP(e *Request) error {
	return fmt.Errorf("web: the event is not from an HTTP front door that is known here (API Gateway, a function URL, ALB, VPC Lattice): it begins with %s", e.describe())
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
		return writeEventResponse(w, text)
	})
}

// writeEventResponse writes a response in any door's form.
func writeEventResponse(w http.ResponseWriter, text []byte) error {
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
