// Package problem decides how errors become responses.
//
// A handler that fails has three readers: the client, who must get a status and a
// text that was written for clients; the operator, who must get the reason; and
// the connection, which must not get a second response behind one that has begun.
// http.Error in every handler mixes the three up, and a panic serves none of them.
//
// This middleware renders every error of [web.HandlerFunc], [web.WriteError] and the
// middlewares inside it, as problem details of RFC 9457 or in Middy's plain form, and
// logs the reason. A panic becomes a 500; [http.ErrAbortHandler] passes, as net/http
// wants it. When the response has begun already, nothing is written behind it: it is
// broken off with ErrAbortHandler, after an error as after a panic, so that no client
// takes half a response for a whole one. A panic value with a method Failure() error
// is that error, as if the handler had returned it.
//
// Place it outside the middlewares whose errors it shall render, and inside those
// that decorate every response, such as cors and secure: they see its answers.
//
// It is Middy's http-error-handler. Deviations from Middy: an [*web.Error] keeps its
// status and shows its Detail, whatever the status, since its public text stands
// apart from the reason, and there is nothing to hide; and of an error of another
// type nothing is shown, unless it asks for it: see [Exposer] and
// [Config.ExposeStatusCode].
package problem

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync/atomic"

	"github.com/aws/aws-lambda-go/lambdacontext"
	panicvalue "github.com/gomiddy/middy/internal/panics"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/internal/header"
	"github.com/gomiddy/middy/web/internal/layer"
	"github.com/gomiddy/middy/web/internal/response"
	"github.com/gomiddy/middy/web/internal/trace"
)

// A Form is how errors are written.
type Form int

const (
	// Details is application/problem+json: RFC 9457.
	Details Form = iota

	// Plain writes the message alone, as Middy does: text/plain, or application/json
	// when its first character is { or [. Without a message there is no body.
	Plain
)

// Config configures [New]. The zero value writes problem details and logs with slog.
type Config struct {
	// Form is how errors are written. Default: [Details].
	Form Form

	// FallbackMessage stands in for the text of errors that are not for clients: the
	// detail, or in the plain form the body. Default: none.
	FallbackMessage string

	// Logger gets every error, whatever its status, before it is written. It must be
	// safe for concurrent use. Default: [slog.Default], with level Error from status
	// 500 on and Info below: the error's text and type, the stack of a panic, and as
	// requestId the id of package requestid or else the invocation's.
	Logger func(r *http.Request, err error)

	// DisableLog logs nothing, not even through Logger.
	DisableLog bool

	// Map replaces an error that the program knows by one that says its status, for
	// example sql.ErrNoRows by a 404. It returns err itself for those that it does
	// not know. It is not asked about panics. Default: none.
	Map func(err error) error

	// ExposeStatusCode trusts every error that has a method StatusCode() int, as
	// Middy trusts a field statusCode: below 500 its text is shown. Clients of other
	// services have such errors too, and then their 404 is yours. Default: only an
	// [Exposer] is trusted.
	ExposeStatusCode bool
}

// An Exposer is an error of another package that knows its HTTP status and whether
// its text may be shown. One that may not is a 500, whatever its status, as in
// Middy. It may have a method Headers() http.Header too.
type Exposer interface {
	error
	StatusCode() int
	Expose() bool
}

// A PanicError is a panic of a handler, for the log.
type PanicError struct {
	// Value is what was given to panic.
	Value any
	// Stack is the goroutine's stack, as debug.Stack formats it.
	Stack []byte
}

// Error has no stack: error texts travel further than logs.
func (e *PanicError) Error() string { return fmt.Sprintf("problem: the handler panicked: %v", e.Value) }

// Unwrap returns the value given to panic, when it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Validate reports a Form that does not exist.
func (c Config) Validate() error {
	if c.Form != Details && c.Form != Plain {
		return fmt.Errorf("problem: there is no Form %d", c.Form)
	}
	return nil
}

// New returns the middleware. What it returns is safe for concurrent use. A Config
// that Validate refuses makes New panic with that error.
func New(cfg Config) func(http.Handler) http.Handler {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	return func(next http.Handler) http.Handler {
		return layer.Passes(next, func(w http.ResponseWriter, r *http.Request) { cfg.serve(next, w, r) })
	}
}

func (c *Config) serve(next http.Handler, w http.ResponseWriter, r *http.Request) {
	var begun atomic.Bool     // a handler that package deadline has given up asks in its own goroutine
	var elsewhere trace.Trace // of a panic in another goroutine, which package deadline brings here
	tracked, _ := response.OnHeader(w, func(status int, _ http.Header) int { begun.Store(true); return status })
	write := func(w http.ResponseWriter, r *http.Request, err error) {
		e := c.describe(err)
		c.log(r, err, e.Status)
		if begun.Load() {
			response.Record(r.Context(), err)
			panic(http.ErrAbortHandler)
		}
		c.write(w, r, e)
	}
	defer func() {
		value := recover()
		switch {
		case value == nil:
			return
		case value == http.ErrAbortHandler: //nolint:errorlint // net/http compares so: a wrapped one is a panic like any other
			panic(value)
		}
		if err, ok := panicvalue.Failure(value); ok {
			write(tracked, r, err)
			return
		}
		stack := elsewhere.Stack
		if stack == nil {
			stack = debug.Stack()
		}
		write(tracked, r, &PanicError{Value: value, Stack: stack})
	}()
	ctx := trace.With(web.WithErrorWriter(r.Context(), write), &elsewhere)
	next.ServeHTTP(tracked, r.WithContext(ctx))
}

// An answer is what the client gets to know of an error. Its Status is set.
type answer struct {
	*web.Error
	message string // of the plain form
}

// describe decides what of err the client gets to know.
func (c *Config) describe(err error) answer {
	hidden := answer{&web.Error{Status: http.StatusInternalServerError, Detail: c.FallbackMessage, Err: err}, c.FallbackMessage}
	if _, panicked := errors.AsType[*PanicError](err); panicked {
		return hidden // also when it panicked with an error for clients: a bug is no answer
	}
	if c.Map != nil {
		if known := c.Map(err); known != nil {
			err = known
		}
	}
	if e, ok := errors.AsType[*web.Error](err); ok {
		return c.ours(e)
	}
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return c.ours(&web.Error{
			Status: http.StatusRequestEntityTooLarge,
			Detail: fmt.Sprintf("the body must not be larger than %d bytes", e.Limit),
			Err:    err,
		})
	}
	if e := c.exposed(err); e != nil {
		return answer{e, e.Detail}
	}
	return hidden
}

// ours is the answer of an error that was made for clients. One that says nothing is
// called by its status, as Middy's createError does it, or hides behind the fallback.
func (c *Config) ours(e *web.Error) answer {
	full := *e
	if !response.EndsHandler(full.Status) {
		full.Status = http.StatusInternalServerError
	}
	switch {
	case full.Detail != "":
		return answer{&full, full.Detail}
	case full.Status >= 500:
		full.Detail = c.FallbackMessage
		return answer{&full, full.Detail}
	case full.Title != "":
		return answer{&full, full.Title}
	}
	return answer{&full, http.StatusText(full.Status)}
}

// exposed is an error of another package that may be shown, or nil.
func (c *Config) exposed(err error) *web.Error {
	status, expose := 0, false
	if e, ok := errors.AsType[Exposer](err); ok {
		status, expose = e.StatusCode(), e.Expose()
		err = e
	} else if e, ok := errors.AsType[coder](err); ok && c.ExposeStatusCode {
		status, expose = e.StatusCode(), e.StatusCode() < 500
		err = e
	}
	if !expose || !response.EndsHandler(status) {
		return nil
	}
	e := &web.Error{Status: status, Detail: err.Error(), Err: err}
	if h, ok := errors.AsType[interface {
		error
		Headers() http.Header
	}](err); ok {
		e.Header = h.Headers()
	}
	return e
}

type coder interface {
	error
	StatusCode() int
}

func (c *Config) write(w http.ResponseWriter, r *http.Request, e answer) {
	if c.Form == Details {
		web.WriteProblem(w, r, e.Error)
		return
	}
	h := w.Header()
	for _, name := range []string{"Content-Type", "Content-Length", "Content-Encoding", "Etag", "Last-Modified", "Cache-Control"} {
		h.Del(name) // they described the response that does not come
	}
	header.Replaced(h)
	h.Set("X-Content-Type-Options", "nosniff") // the text may repeat input
	switch {
	case e.message == "":
	case e.message[0] == '{' || e.message[0] == '[':
		h.Set("Content-Type", "application/json")
	default:
		h.Set("Content-Type", "text/plain")
	}
	for name, values := range e.Header {
		h[http.CanonicalHeaderKey(name)] = values
	}
	w.WriteHeader(e.Status)
	if e.message != "" {
		_, _ = w.Write([]byte(e.message)) // the client has gone; there is nobody to tell
	}
}

// requestID is the id under which other lines of the log stand.
func requestID(ctx context.Context) string {
	if id := trace.RequestID(ctx); id != "" {
		return id
	}
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		return lc.AwsRequestID
	}
	return ""
}

func (c *Config) log(r *http.Request, err error, status int) {
	switch {
	case c.DisableLog:
		return
	case c.Logger != nil:
		c.Logger(r, err)
		return
	}
	level := slog.LevelInfo
	if status >= 500 {
		level = slog.LevelError
	}
	// the path without the query: tokens stand there
	attrs := []slog.Attr{
		slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", status),
		// As text, in every format: an error may have a JSON of its own, which is for clients.
		slog.String("error", err.Error()), slog.String("errorType", fmt.Sprintf("%T", err)),
	}
	if id := requestID(r.Context()); id != "" {
		attrs = append(attrs, slog.String("requestId", id))
	}
	if p, ok := errors.AsType[*PanicError](err); ok {
		attrs = append(attrs, slog.String("stack", string(p.Stack)))
	}
	slog.LogAttrs(r.Context(), level, "request failed", attrs...)
}
