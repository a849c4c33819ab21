package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/gomiddy/middy/web/internal/header"
	"github.com/gomiddy/middy/web/internal/response"
)

// An Error is an answer in place of a result: what the client may read, and
// apart from it the reason, which only the log may.
//
// Handlers return it from a [HandlerFunc]; middlewares write it with
// [WriteError]. The zero value is a 500.
type Error struct {
	// Status is an HTTP status from 400 to 599, or a redirect, from 300 to 308, with
	// its Location in Header: that ends a handler as well as an error does. Any other
	// is a 500: an error that says it is a success is a bug.
	Status int
	// Type is a URI that names the kind of problem. "" is about:blank, which says
	// that the status tells it all: RFC 9457 section 4.2.1.
	Type string
	// Title is the same for every problem of a kind. "" is the status's text.
	Title string
	// Detail explains this occurrence to the client. Public.
	Detail string
	// Fields are what was wrong with the input, one entry for each place.
	Fields []FieldError
	// Header is added to the response: Allow, Retry-After, WWW-Authenticate.
	Header http.Header
	// Err is the reason. It is never sent to the client.
	Err error
}

// A FieldError is one thing that is wrong with the input.
type FieldError struct {
	// Pointer leads to the field: "#/items/0/price" in the body, a JSON pointer as
	// a URI fragment (RFC 6901 section 6). "" when the field is not in the body.
	Pointer string `json:"pointer,omitempty"`
	// Parameter is the name of a path, query or header parameter.
	Parameter string `json:"parameter,omitempty"`
	// In is where a Parameter stood: path, query, header or cookie.
	In string `json:"in,omitempty"`
	// Detail says what is wrong, in words for the client. Required.
	Detail string `json:"detail"`
}

// Errorf makes an [Error] with a public detail. An error given to %w becomes Err,
// and its text stands in the detail: use it for errors that the client may read.
func Errorf(status int, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Status: status, Detail: err.Error(), Err: errors.Unwrap(err)}
}

// Error is for logs: it holds the reason too.
func (e *Error) Error() string {
	s := fmt.Sprintf("web: %d %s", e.status(), e.title())
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil && e.Err.Error() != e.Detail {
		s += ": " + e.Err.Error()
	}
	return s
}

// LogValue implements [slog.LogValuer]: a log has the text of Error in every format.
// MarshalJSON alone would give a JSON log what the client reads, without the reason.
func (e *Error) LogValue() slog.Value { return slog.StringValue(e.Error()) }

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

func (e *Error) status() int {
	if !response.EndsHandler(e.Status) {
		return http.StatusInternalServerError
	}
	return e.Status
}

func (e *Error) title() string {
	if e.Title != "" {
		return e.Title
	}
	return http.StatusText(e.status())
}

// A HandlerFunc is an [http.Handler] that may fail. What it returns is written with
// [WriteError], which breaks the response off when the handler has begun one.
type HandlerFunc func(w http.ResponseWriter, r *http.Request) error

// ServeHTTP implements [http.Handler].
func (f HandlerFunc) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w = response.Track(w)
	if err := f(w, r); err != nil {
		WriteError(w, r, err)
	}
}

// An ErrorWriter writes an error as a response. Package problem has one that can
// be configured.
type ErrorWriter func(w http.ResponseWriter, r *http.Request, err error)

type errorWriterKey struct{}

// WithErrorWriter says how [WriteError] writes below ctx.
func WithErrorWriter(ctx context.Context, f ErrorWriter) context.Context {
	return context.WithValue(ctx, errorWriterKey{}, f)
}

// WriteError answers r with err: in the form that [WithErrorWriter] chose, or as
// [WriteProblem] does. Every middleware of this module refuses through it.
//
// Nothing can be written behind a response that has begun, as far as w knows: a
// [HandlerFunc] has a writer that does. The response is broken off then, with a panic
// of [http.ErrAbortHandler], so that no client takes half of it for the whole. The
// ErrorWriter still gets err, for its log. In a function, the invocation fails with
// err; elsewhere err is logged with [slog.Default] where no ErrorWriter is.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	f, chosen := r.Context().Value(errorWriterKey{}).(ErrorWriter)
	if !chosen {
		f = WriteProblem
	}
	if !response.Begun(w) {
		f(w, r, err)
		return
	}
	if chosen {
		f(discard{}, r, err)
	}
	if !response.Record(r.Context(), err) && !chosen {
		slog.ErrorContext(r.Context(), "a response broke off", "path", r.URL.Path, "error", err)
	}
	panic(http.ErrAbortHandler)
}

// discard is a response that nobody gets.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}

// WriteProblem answers with problem details, application/problem+json: RFC 9457.
// An error that is not an [*Error], or has none in its chain, is a 500 without a
// detail: what it says was not written for clients.
func WriteProblem(w http.ResponseWriter, _ *http.Request, err error) {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Err: err}
	}
	h := w.Header()
	for _, name := range []string{"Content-Length", "Content-Encoding", "Etag", "Last-Modified", "Cache-Control"} {
		h.Del(name) // they described the response that does not come
	}
	header.Replaced(h)
	for name, values := range e.Header {
		h[http.CanonicalHeaderKey(name)] = values
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(e.status())
	_ = json.NewEncoder(w).Encode(e) // the client has gone; there is nobody to tell
}

// MarshalJSON writes what the client may read, as an object of RFC 9457 with the
// extension member errors, as in the RFC's own example of section 3.
func (e *Error) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Type   string       `json:"type,omitempty"`
		Title  string       `json:"title"`
		Status int          `json:"status"`
		Detail string       `json:"detail,omitempty"`
		Errors []FieldError `json:"errors,omitempty"`
	}{e.Type, e.title(), e.status(), e.Detail, e.Fields})
}
