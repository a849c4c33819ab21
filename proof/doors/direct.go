package doors

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/gomiddy/middy/emulator/frontdoor"
	"github.com/gomiddy/middy/emulator/runtimeapi"
	"github.com/gomiddy/middy/web"
)

// Direct is Wrap without what surrounds a door on a socket: any Host is answered,
// a request that a test made up is completed as net/http's server would have read
// it, its context's values reach the handler, and a panic of a buffered handler
// reaches the caller.
func (p Place) Direct(h http.Handler) http.Handler {
	var function runtimeapi.Invoker = buffered{web.Handler(h)}
	if p.Stream {
		function = streamed{web.Stream(h)}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = complete(r)
		in := frontdoor.Arrival{RequestID: p.Door.NewID(), TraceID: "Root=1-5759e988-bd862e3fe1be46a994272793", Accept: r.Header.Get("Accept"), Head: r.Method == http.MethodHead, Time: time.Now()}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		payload, err := p.Door.Event(r, body, in)
		if payload == nil {
			p.Door.Refuse(w, err, in)
			return
		}
		result, err := function.Invoke(r.Context(), runtimeapi.Request{Payload: payload, TraceID: in.TraceID, Stream: p.Stream})
		if err == nil {
			err = p.answer(w, result, in)
		}
		if err != nil {
			p.Door.Refuse(w, err, in)
		}
	})
}

func (p Place) answer(w http.ResponseWriter, result *runtimeapi.Response, in frontdoor.Arrival) error {
	if result.Stream != nil {
		defer result.Stream.Close()
	}
	if result.FunctionError != "" && !result.Streamed {
		return fmt.Errorf("%w: %s", frontdoor.ErrFunction, result.Explanation)
	}
	err := p.Door.Respond(w, result, in)
	switch {
	case isBroken(err):
		panic(http.ErrAbortHandler)
	case isLenient(err):
		return nil
	}
	return err
}

// complete gives a request of http.NewRequest what a server's has.
func complete(r *http.Request) *http.Request {
	r = r.Clone(r.Context())
	if r.Body == nil {
		r.Body = http.NoBody
	}
	if r.RequestURI == "" {
		r.RequestURI = r.URL.RequestURI()
	}
	if r.Host == "" {
		r.Host = r.URL.Host
	}
	if r.RemoteAddr == "" {
		r.RemoteAddr = "192.0.2.1:1234"
	}
	return r
}

// buffered calls a function that answers at its end as Lambda does.
type buffered struct {
	h func(context.Context, web.Request) (web.Response, error)
}

func (b buffered) Invoke(ctx context.Context, req runtimeapi.Request) (*runtimeapi.Response, error) {
	resp := &runtimeapi.Response{RequestID: runtimeapi.NewRequestID(), TraceID: req.TraceID, ContentType: "application/json"}
	var event web.Request
	err := event.DecodeEvent(req.Payload)
	var out web.Response
	if err == nil {
		out, err = b.h(ctx, event)
	}
	if err == nil {
		resp.Payload, err = out.AppendJSON(nil)
	}
	if err != nil {
		return failed(resp, err), nil
	}
	return resp, nil
}

func failed(resp *runtimeapi.Response, err error) *runtimeapi.Response {
	resp.FunctionError, resp.ErrorType, resp.ErrorMessage = "Unhandled", fmt.Sprintf("%T", err), err.Error()
	resp.Explanation = "the function failed: " + err.Error()
	return resp
}
