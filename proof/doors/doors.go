// Package doors puts an http.Handler behind Lambda's front doors, in this
// process, so that what was written for net/http's server can be held against
// them: the request becomes the door's event, the handler's answer becomes the
// function's result, and that becomes HTTP again.
package doors

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/gomiddy/middy"
	"github.com/gomiddy/middy/emulator/frontdoor"
	"github.com/gomiddy/middy/emulator/runtimeapi"
	"github.com/gomiddy/middy/web"
)

// A Place is one front door, and how a function behind it answers.
type Place struct {
	Name   string
	Door   frontdoor.Door
	Stream bool // the function is web.Stream's
}

// All are the places that Lambda has for an HTTP function.
var All = []Place{
	{"rest", frontdoor.RESTAPI{BinaryMediaTypes: []string{"*/*"}}, false},
	{"http1", frontdoor.HTTPAPI1{}, false},
	{"http", frontdoor.HTTPAPI{}, false},
	{"url", frontdoor.FunctionURL{}, false},
	{"alb", frontdoor.ALB{}, false},
	{"alb-multi", frontdoor.ALB{MultiValue: true}, false},
	{"lattice1", frontdoor.Lattice{EventVersion: "V1"}, false},
	{"lattice", frontdoor.Lattice{EventVersion: "V2"}, false},
	{"rest-stream", frontdoor.RESTAPI{Stream: true, BinaryMediaTypes: []string{"*/*"}}, true},
	{"url-stream", frontdoor.FunctionURL{Stream: true}, true},
}

// Wrap returns h as it answers in that place. warn gets what the door does not
// tell its client; nil drops it.
func (p Place) Wrap(h http.Handler, warn func(error)) (http.Handler, error) {
	var function runtimeapi.Invoker = streamed{web.Stream(h)}
	if !p.Stream {
		f, err := middy.New(web.Handler(h))
		if err != nil {
			return nil, err
		}
		function = frontdoor.InProcess(f)
	}
	cfg := frontdoor.Config{Function: function, Door: p.Door}
	if warn != nil {
		cfg.Warn = func(_ string, err error) { warn(err) }
	}
	return frontdoor.New(cfg), nil
}

// streamed calls a streaming function as Lambda does.
type streamed struct {
	h func(context.Context, web.Request) (*web.StreamedResponse, error)
}

func (s streamed) Invoke(ctx context.Context, req runtimeapi.Request) (*runtimeapi.Response, error) {
	resp := &runtimeapi.Response{RequestID: runtimeapi.NewRequestID(), TraceID: req.TraceID}
	var event web.Request
	if err := event.DecodeEvent(bytes.Clone(req.Payload)); err != nil {
		return failed(resp, err), nil
	}
	out, err := s.h(ctx, event)
	if err != nil {
		return failed(resp, err), nil
	}
	resp.Streamed, resp.ContentType, resp.Stream = true, out.ContentType(), &trailer{StreamedResponse: out, resp: resp}
	return resp, nil
}

// trailer ends a stream that failed as Lambda ends it.
type trailer struct {
	*web.StreamedResponse
	resp   *runtimeapi.Response
	failed atomic.Bool
}

func (t *trailer) Read(p []byte) (int, error) {
	n, err := t.StreamedResponse.Read(p)
	if err == nil || errors.Is(err, io.EOF) || t.failed.Swap(true) {
		return n, err
	}
	t.resp.FunctionError = "Unhandled"
	return n, &runtimeapi.FunctionError{Type: fmt.Sprintf("%T", err), Message: err.Error()}
}

func isBroken(err error) bool  { return errors.Is(err, frontdoor.ErrBroken) }
func isLenient(err error) bool { return errors.Is(err, frontdoor.ErrLenient) }
