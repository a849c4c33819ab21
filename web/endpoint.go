package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"sync"
)

// An EndpointConfig bounds what an endpoint made by [JSON] takes. The zero value
// is a useful default.
type EndpointConfig struct {
	// MaxBody is the largest body, in bytes. Default: 6 MiB, which is what Lambda
	// takes as an event. Negative: no limit. More is answered with 413.
	MaxBody int64
	// MaxDepth is how deep arrays and objects may be nested. Default: 64.
	// Negative: encoding/json's 10,000. Deeper is answered with 400.
	MaxDepth int
	// MaxValues is how many values the body may have in all, in whatever it holds
	// them. Default: 100,000. Negative: no limit. A body of 6 MiB has room for three
	// million empty objects, each of which becomes a whole struct. More is answered
	// with 413.
	MaxValues int
	// RefuseUnknown makes a member of a JSON object that no field takes an error,
	// 422. Default: it is ignored, so that clients may be newer than the function.
	RefuseUnknown bool
}

func (c EndpointConfig) limits() limits {
	l := limits{bytes: c.MaxBody, depth: c.MaxDepth, values: c.MaxValues, strict: c.RefuseUnknown}
	if l.bytes == 0 {
		l.bytes = 6 << 20
	}
	switch {
	case l.depth == 0:
		l.depth = 64
	case l.depth < 0:
		l.depth = 10000
	}
	switch {
	case l.values == 0:
		l.values = 100_000
	case l.values < 0:
		l.values = int(^uint(0) >> 1)
	}
	return l
}

// An Endpoint is a function with types behind HTTP. Make it with [JSON]. It is
// immutable and safe for concurrent use.
type Endpoint struct {
	serve http.HandlerFunc
	op    Operation
}

// An Operation is what an [Endpoint] takes and gives, for those who document it.
type Operation struct {
	// Input is the type of the struct that the request fills; its tags say how.
	Input reflect.Type
	// Output is the type of the JSON body of the response, nil when there is none.
	Output reflect.Type
	// Status is that of a success. Where the result chooses it, that of its zero
	// value.
	Status int
	// RefusesUnknown says that unknown members of JSON objects are errors.
	RefusesUnknown bool
}

// A Describer is a handler that knows its operation. [*Endpoint] is one; a
// middleware that wants to stay one returns a handler that is.
type Describer interface {
	http.Handler
	Describe() Operation
}

var _ Describer = (*Endpoint)(nil)

// ServeHTTP implements [http.Handler].
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) { e.serve(w, r) }

// Describe says what the endpoint takes and gives.
func (e *Endpoint) Describe() Operation { return e.op }

// JSON makes an ordinary function an HTTP handler. In is a struct; its tags say
// where each field comes from and what it must be:
//
//	type placeOrder struct {
//		Shop   string   `path:"shop"`
//		DryRun bool     `query:"dryRun"`
//		Key    string   `header:"Idempotency-Key" required:"true" format:"uuid"`
//		Item   string   `json:"item" required:"true" maxLength:"80"`
//		Count  int      `json:"count" minimum:"1" maximum:"99" default:"1"`
//		Tags   []string `json:"tags" maxItems:"5" pattern:"^[a-z]+$"`
//	}
//
//	mux.Handle("POST /shops/{shop}/orders", web.JSON(place))
//
// Fields come from path, query, header, cookie, or, with a tag json, from the JSON
// object in the body; a field with the tag body takes the whole body instead.
// Strings, bools, numbers, [time.Time], [time.Duration] and whatever implements
// [encoding.TextUnmarshaler] can come from anywhere; slices of them from a query
// parameter that is repeated or a header that is a list; a pointer tells whether
// the value was there. In JSON, everything is as encoding/json has it, except that
// null is the same as nothing where a type has no null, that a member which is
// given twice, in any case, is an error, also in a type that decodes itself, and that
// 1.0 and 1e2 are integers. A field of the type
// *[http.Request], without a tag, is the request itself, for what no tag can say:
// [Event], the client's address.
//
// The rules are named by JSON Schema's keywords: required, minimum, maximum,
// exclusiveMinimum, exclusiveMaximum, minLength, maxLength, pattern, enum (values
// with commas between), format (date, time, date-time, duration, email, hostname,
// ipv4, ipv6, uri, uri-reference, iri, iri-reference, uri-template, uuid), minItems,
// maxItems and default. The formats are those of package validate, each by the RFC
// that JSON Schema names; so is a [time.Time], and a leap second is the second after it. A pattern has Go's syntax, package regexp/syntax,
// and is not anchored. They hold for the fields of nested structs too.
// If In, or a pointer to it, has a method Validate() error, it is asked last, when
// every field has passed: its error is shown to the client. It may be an
// [*Error], or a [FieldError], or several joined.
//
// A request that does not fit never reaches f. It is answered with 400 when it is
// malformed, 413 when it is too large, 415 when the body is not application/json,
// and with 422 when fields are invalid: all of them, one [FieldError] each, up to
// 64. The error that f returns goes to [WriteError].
//
// The result is sent as JSON with 200, or with the status that its method Status()
// int gives, and after its method Headers(http.Header) has set headers; without a
// body when Out is struct{} (204), or when the status has none. The context is the
// request's.
//
// The tags are read here, once. JSON panics when they make no sense, with a
// sentence for each: at cold start, before any event.
func JSON[In, Out any](f func(context.Context, In) (Out, error), cfg ...EndpointConfig) *Endpoint {
	if len(cfg) > 1 {
		panic("web: JSON takes one EndpointConfig")
	}
	var c EndpointConfig
	if len(cfg) == 1 {
		c = cfg[0]
	}
	p, err := newPlan(reflect.TypeFor[In](), c.limits())
	if err != nil {
		panic(fmt.Errorf("web: JSON(func(context.Context, %v) (%v, error)): %w", reflect.TypeFor[In](), reflect.TypeFor[Out](), err))
	}
	op := Operation{Input: reflect.TypeFor[In](), Output: reflect.TypeFor[Out](), Status: statusOf[Out](), RefusesUnknown: c.RefuseUnknown}
	if !mayHaveBody(op.Status) {
		op.Output = nil
	}
	return &Endpoint{op: op, serve: func(w http.ResponseWriter, r *http.Request) {
		var in In
		err := p.bind(w, r, reflect.ValueOf(&in).Elem())
		if err == nil {
			err = validate(&in)
		}
		if err != nil {
			WriteError(w, r, err)
			return
		}
		out, err := f(r.Context(), in)
		if err == nil {
			err = writeResult(w, &out)
		}
		if err != nil {
			WriteError(w, r, err)
		}
	}}
}

// Error makes a FieldError something that a Validate method can return.
func (e FieldError) Error() string {
	switch {
	case e.Parameter != "":
		return fmt.Sprintf("%s parameter %s %s", e.In, e.Parameter, e.Detail)
	case e.Pointer != "":
		return e.Pointer + " " + e.Detail
	}
	return e.Detail
}

// validate asks the input itself. in is a pointer, which has the methods of both
// receivers.
func validate(in any) error {
	v, ok := in.(interface{ Validate() error })
	if !ok {
		return nil
	}
	err := v.Validate()
	if err == nil {
		return nil
	}
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	answer := &Error{Status: http.StatusUnprocessableEntity, Err: err}
	for _, err := range flatten(err, nil) {
		field, ok := errors.AsType[FieldError](err)
		if !ok {
			field = FieldError{Detail: err.Error()}
		}
		if len(answer.Fields) < maxWrong {
			answer.Fields = append(answer.Fields, field)
		}
	}
	answer.Detail = "The input is not valid."
	return answer
}

// flatten are the errors that were joined into err.
func flatten(err error, into []error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // each one is looked at
		for _, err := range joined.Unwrap() {
			into = flatten(err, into)
		}
		return into
	}
	return append(into, err)
}

type hasStatus interface{ Status() int }

// statusOf is the status of a success before there is a result.
func statusOf[Out any]() (status int) {
	t := reflect.TypeFor[Out]()
	if t == reflect.TypeFor[struct{}]() {
		return http.StatusNoContent
	}
	zero := reflect.New(t)
	if t.Kind() == reflect.Pointer {
		zero = reflect.New(t.Elem())
	}
	s, ok := zero.Interface().(hasStatus)
	if !ok {
		return http.StatusOK
	}
	defer func() {
		if recover() != nil { // it needs a result that is filled
			status = http.StatusOK
		}
	}()
	return s.Status()
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxPooled is the largest buffer that is kept for the next response.
const maxPooled = 64 << 10

// writeResult writes a result. The error is for the case that nothing was written.
func writeResult[Out any](w http.ResponseWriter, out *Out) error {
	status := http.StatusOK
	if s, ok := implements[hasStatus](out); ok {
		status = s.Status()
	} else if _, empty := any(*out).(struct{}); empty {
		status = http.StatusNoContent
	}
	if status < 200 || status > 599 {
		return fmt.Errorf("web: %T answers with the status %d, which is no final status", *out, status)
	}
	header, hasHeader := implements[interface{ Headers(http.Header) }](out)
	if !mayHaveBody(status) {
		if hasHeader {
			header.Headers(w.Header())
		}
		w.WriteHeader(status)
		return nil
	}
	buf, ok := buffers.Get().(*bytes.Buffer)
	if !ok {
		buf = new(bytes.Buffer)
	}
	defer func() {
		if buf.Cap() <= maxPooled {
			buf.Reset()
			buffers.Put(buf)
		}
	}()
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false) // for pages that write JSON into themselves; nosniff forbids the rest
	if err := enc.Encode(out); err != nil {
		return fmt.Errorf("web: encode the result: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	if hasHeader {
		header.Headers(h)
	}
	w.WriteHeader(status)
	_, _ = w.Write(bytes.TrimSuffix(buf.Bytes(), []byte("\n"))) // the client has gone; there is nobody to tell
	return nil
}

// implements finds a method of the result, whichever receiver it has. A pointer
// that is nil has none: the method would only fail on it.
func implements[T, Out any](out *Out) (T, bool) {
	if t, ok := any(*out).(T); ok && !isNilPointer(*out) {
		return t, true
	}
	t, ok := any(out).(T)
	return t, ok
}

func isNilPointer(v any) bool {
	r := reflect.ValueOf(v)
	return r.Kind() == reflect.Pointer && r.IsNil()
}

func mayHaveBody(status int) bool {
	return status != http.StatusNoContent && status != http.StatusResetContent && status != http.StatusNotModified
}
