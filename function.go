package middy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"sync"
)

// A Function is a handler with its middlewares around it. It is immutable and
// safe for concurrent use. It implements aws-lambda-go's lambda.Handler, so that
// other wrappers fit around it; only [Start] streams [io.Reader] results.
type Function struct {
	event, result reflect.Type
	layers        []layer
	handler       Handler // the whole chain, panics recovered
	run           Handler // handler under the early timeout
	decode        func(payload []byte) (event any, err error)
	unbox         func(result any) any
	entry         any // func(context.Context, *delivery[E]) (io.Reader, error), for lambda.Start

	timeout    *Timeout
	observers  []Observer
	thawers    []Thawer
	settlers   []Settler
	permitters []Permitter
	initers    []named[Initer]
	closers    []named[Closer]
	clock      lastSeen
}

// A layer is a middleware and the name it has in spans and messages.
type layer struct {
	name string
	mw   Middleware
}

type named[T any] struct {
	name  string
	value T
}

// New puts mw around h: the first middleware is the outermost.
//
//	New(h, a, b)   a( b( h ) )      a before, b before, h, b after, a after
//
// It reports every misfit at once, as one error with a line for each: a nil
// middleware, a configuration that is not sound ([Validator]), a middleware that
// does not fit the handler's types ([Accepter]).
func New[E, R any](h func(context.Context, E) (R, error), mw ...Middleware) (*Function, error) {
	f := &Function{event: reflect.TypeFor[E](), result: reflect.TypeFor[R](), clock: lastSeen{now: clocks()}}
	f.decode = func(payload []byte) (any, error) {
		event := new(E)
		if err := decodeEvent(payload, event); err != nil {
			return event, &DecodeError{Event: f.event, Err: err}
		}
		return event, nil
	}
	f.unbox = func(result any) any {
		if p, ok := result.(*R); ok && p != nil {
			return *p
		}
		return result
	}
	f.entry = func(ctx context.Context, d *delivery[E]) (io.Reader, error) {
		if d == nil { // the event was the JSON value null
			d = new(delivery[E])
			_ = d.UnmarshalJSON([]byte("null"))
		}
		var err error
		if d.err != nil {
			err = &DecodeError{Event: f.event, Err: d.err}
		}
		return f.deliver(ctx, d.payload, &d.event, err)
	}
	if err := f.assemble(innermost(h), mw); err != nil {
		return nil, err
	}
	if h == nil {
		return nil, errors.New("middy: the handler is nil")
	}
	return f, nil
}

// innermost is the only place where the types come back.
func innermost[E, R any](h func(context.Context, E) (R, error)) Handler {
	return func(ctx context.Context, inv *Invocation) (_ any, err error) {
		defer func() {
			if v := recover(); v != nil {
				err = recovered(v)
			}
		}()
		if inv.decodeErr != nil {
			return nil, inv.decodeErr
		}
		event, ok := inv.Event.(*E)
		if !ok || event == nil {
			return nil, fmt.Errorf("middy: a middleware replaced the event: the handler takes a %v, Invocation.Event is a %T", reflect.TypeFor[*E](), inv.Event)
		}
		result, err := h(ctx, *event)
		if err != nil {
			return nil, err
		}
		return &result, nil
	}
}

// delivery receives an event from aws-lambda-go's JSON decoder: the bytes and
// the value in one pass, and a failure to decode as a value, so that the layers
// see it.
type delivery[E any] struct {
	payload []byte
	event   E
	err     error
}

// UnmarshalJSON implements json.Unmarshaler. It never fails.
func (d *delivery[E]) UnmarshalJSON(b []byte) error {
	d.payload = bytes.Clone(b) // the decoder owns b
	d.err = decodeEvent(d.payload, &d.event)
	return nil
}

// decodeEvent decodes a payload into event, a *E.
func decodeEvent(payload []byte, event any) error {
	if d, ok := event.(EventDecoder); ok {
		return d.DecodeEvent(payload)
	}
	return json.Unmarshal(payload, event)
}

// assemble wraps h in mw and collects what the middlewares can do besides.
func (f *Function) assemble(h Handler, mw []Middleware) error {
	f.layers = make([]layer, len(mw))
	var misfits []error
	seen := map[any]bool{}
	for i, m := range mw {
		f.layers[i] = layer{layerName(m), m}
		for _, err := range misfitsOf(m, f.event, f.result) {
			misfits = append(misfits, fmt.Errorf("middy: middleware %d (%s): %w", i, f.layers[i].name, err))
		}
		f.collect(f.layers[i].name, m, seen)
	}
	if len(misfits) > 0 {
		return errors.Join(misfits...)
	}
	f.handler = f.recoverAll(f.chain(h))
	f.run = f.handler
	if f.timeout != nil {
		f.run = f.timeout.guard(f)
	}
	return nil
}

func (f *Function) chain(h Handler) Handler {
	watched := f.timeout != nil || len(f.observers) > 0
	if watched {
		h = f.watch(len(f.layers), "handler", h)
	}
	for i := len(f.layers) - 1; i >= 0; i-- {
		h = f.layers[i].mw.Wrap(h)
		if watched {
			h = f.watch(i, f.layers[i].name, h)
		}
	}
	return h
}

// recoverAll turns a panic of a middleware into an error.
func (f *Function) recoverAll(h Handler) Handler {
	return func(ctx context.Context, inv *Invocation) (result any, err error) {
		defer func() {
			if v := recover(); v != nil {
				result, err = nil, recovered(v)
			}
		}()
		return h(ctx, inv)
	}
}

// Invoke runs one event through the layers and returns the result's JSON, or
// the bytes of an [io.Reader] result, read to its end. The error is the one that
// the outermost layer returned, unchanged.
//
// The JSON is that of aws-lambda-go: no HTML escaping, no newline.
func (f *Function) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	event, err := f.decode(payload)
	result, err := f.invoke(ctx, payload, event, err)
	if err != nil {
		return nil, err
	}
	r, err := f.encode(result)
	if err != nil {
		return nil, err
	}
	if c, ok := r.(io.Closer); ok {
		defer c.Close()
	}
	if b, ok := r.(*jsonResult); ok {
		return bytes.Clone(b.Bytes()), nil
	}
	return io.ReadAll(r)
}

// deliver is Invoke for aws-lambda-go's loop: a reader, and an error whose type
// it reports as it is.
func (f *Function) deliver(ctx context.Context, payload []byte, event any, decodeErr error) (io.Reader, error) {
	result, err := f.invoke(ctx, payload, event, decodeErr)
	if err != nil {
		return nil, reported(err)
	}
	r, err := f.encode(result)
	if err != nil {
		return nil, reported(err)
	}
	return r, nil
}

func (f *Function) invoke(ctx context.Context, payload []byte, event any, decodeErr error) (any, error) {
	c := &invocationContext{Context: ctx, inv: Invocation{Payload: payload, Event: event, decodeErr: decodeErr}}
	if len(f.thawers) > 0 {
		f.thaw(c)
		defer f.clock.busy()
	}
	defer func() {
		for _, s := range f.settlers {
			s.Settle(c)
		}
	}()
	return f.run(c, &c.inv)
}

// Event and Result return the handler's types.
func (f *Function) Event() reflect.Type  { return f.event }
func (f *Function) Result() reflect.Type { return f.result }

// Layers returns the names of the middlewares, the outermost first.
func (f *Function) Layers() []string {
	names := make([]string, len(f.layers))
	for i, l := range f.layers {
		names[i] = l.name
	}
	return names
}

// encode returns the result as aws-lambda-go sends it: a reader as a stream,
// anything else as JSON.
//
// aws-lambda-go sends a reader as JSON when it has exported fields, so that an
// *io.LimitedReader arrives as {"R":{},"N":6}. Here a reader is a stream, unless
// its type says how it is to be encoded (json.Marshaler).
func (f *Function) encode(result any) (io.Reader, error) {
	v := f.unbox(result)
	reader, isReader := v.(io.Reader)
	if _, marshals := v.(json.Marshaler); isReader && !marshals {
		return stream(reader), nil
	}
	out := resultPool.Get().(*jsonResult)
	if a, ok := v.(ResultAppender); ok {
		return out.appended(a)
	}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		_ = out.Close()
		if isReader {
			return stream(reader), nil
		}
		return nil, fmt.Errorf("middy: the handler's result does not encode to JSON: %w", err)
	}
	if isReader && bytes.HasPrefix(out.Bytes(), []byte("{}")) {
		_ = out.Close()
		return stream(reader), nil
	}
	out.Truncate(out.Len() - 1) // the encoder's newline
	return out, nil
}

var resultPool = sync.Pool{New: func() any { return new(jsonResult) }}

// jsonResult is a pooled buffer that tells aws-lambda-go its content type and is
// closed by it when it was sent. It hides the buffer's methods from
// encoding/json, which finds no exported field.
type jsonResult struct{ buf bytes.Buffer }

func (b *jsonResult) Bytes() []byte               { return b.buf.Bytes() }
func (b *jsonResult) Len() int                    { return b.buf.Len() }
func (b *jsonResult) Truncate(n int)              { b.buf.Truncate(n) }
func (b *jsonResult) Write(p []byte) (int, error) { return b.buf.Write(p) }
func (b *jsonResult) Read(p []byte) (int, error)  { return b.buf.Read(p) }
func (b *jsonResult) ContentType() string         { return "application/json" }

// appended fills b with a result that encodes itself.
func (b *jsonResult) appended(a ResultAppender) (io.Reader, error) {
	text, err := a.AppendJSON(b.buf.AvailableBuffer())
	if err != nil {
		_ = b.Close()
		return nil, fmt.Errorf("middy: the handler's result does not encode to JSON: %w", err)
	}
	_, _ = b.buf.Write(text)
	return b, nil
}

func (b *jsonResult) Close() error {
	const keep = 1 << 20 // a rare huge result should not stay for ever
	if b.buf.Cap() <= keep {
		b.buf.Reset()
		resultPool.Put(b)
	}
	return nil
}

// stream hides a reader's exported fields from encoding/json, and keeps what
// aws-lambda-go asks a reader for: Close and ContentType.
func stream(r io.Reader) io.Reader {
	type contentTyper interface{ ContentType() string }
	_, closes := r.(io.Closer)
	_, typed := r.(contentTyper)
	switch {
	case closes && typed:
		return typedCloser{r}
	case closes:
		return closer{r}
	case typed:
		return typedReader{r}
	}
	return plainReader{r}
}

type (
	plainReader struct{ r io.Reader }
	closer      struct{ r io.Reader }
	typedReader struct{ r io.Reader }
	typedCloser struct{ r io.Reader }
)

func (s plainReader) Read(p []byte) (int, error) { return s.r.Read(p) }
func (s closer) Read(p []byte) (int, error)      { return s.r.Read(p) }
func (s closer) Close() error                    { return s.r.(io.Closer).Close() }
func (s typedReader) Read(p []byte) (int, error) { return s.r.Read(p) }
func (s typedReader) ContentType() string {
	return s.r.(interface{ ContentType() string }).ContentType()
}
func (s typedCloser) Read(p []byte) (int, error) { return s.r.Read(p) }
func (s typedCloser) Close() error               { return s.r.(io.Closer).Close() }
func (s typedCloser) ContentType() string {
	return s.r.(interface{ ContentType() string }).ContentType()
}
