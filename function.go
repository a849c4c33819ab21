package middy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"

	"github.com/gomiddy/middy/internal/panics"
)

// A Function is a handler with its middlewares around it. It is immutable and
// safe for concurrent use. It implements aws-lambda-go's lambda.Handler, so that
// other wrappers fit around it and see the same errors as with [Start]; but only
// Start streams [io.Reader] results.
type Function struct {
	event, result reflect.Type
	layers        []layer
	handler       Handler // the whole chain
	decode        func(payload []byte) (event any, err error)
	unbox         func(result any) any

	timeout    *Timeout
	observers  []Observer
	thawers    []Thawer
	permitters []Permitter
	initers    []named[Initer]
	settlers   []named[Settler]
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
		err := guarded(func() error { return decodeEvent(payload, event) })
		if _, panicked := err.(*PanicError); err != nil && !panicked { //nolint:errorlint // just made
			err = &DecodeError{Event: f.event, Err: err}
		}
		return event, err
	}
	f.unbox = func(result any) any {
		if p, _ := result.(*R); p != nil {
			return *p
		}
		return result
	}
	var misfits []error
	if h == nil {
		misfits = append(misfits, errors.New("middy: the handler is nil"))
	}
	if misfits = append(misfits, f.assemble(innermost(h), mw)...); len(misfits) > 0 {
		return nil, errors.Join(misfits...)
	}
	return f, nil
}

// innermost is the only place where the types come back.
func innermost[E, R any](h func(context.Context, E) (R, error)) Handler {
	return func(ctx context.Context, inv *Invocation) (_ any, err error) {
		defer func() {
			if v := recover(); v != nil {
				err = panics.Recovered(v)
			}
		}()
		if inv.decodeErr != nil {
			return nil, inv.decodeErr
		}
		event, _ := inv.Event.(*E)
		if event == nil {
			return nil, fmt.Errorf("middy: a middleware replaced the event: the handler takes a %v, Invocation.Event is a %T", reflect.TypeFor[*E](), inv.Event)
		}
		result, err := h(ctx, *event)
		if err != nil {
			return nil, err
		}
		return &result, nil
	}
}

// decodeEvent decodes a payload into event, a *E.
func decodeEvent(payload []byte, event any) error {
	if d, ok := event.(EventDecoder); ok {
		return d.DecodeEvent(payload)
	}
	return json.Unmarshal(payload, event)
}

// assemble wraps h in mw and collects what the middlewares can do besides.
func (f *Function) assemble(h Handler, mw []Middleware) (misfits []error) {
	f.layers = make([]layer, len(mw))
	seen := map[any]bool{}
	for i, m := range mw {
		f.layers[i] = layer{layerName(m), m}
		for _, err := range misfitsOf(m, f.event, f.result) {
			misfits = append(misfits, fmt.Errorf("middy: middleware %d (%s): %w", i, f.layers[i].name, err))
		}
		f.collect(f.layers[i].name, m, seen)
	}
	if len(misfits) == 0 {
		f.handler = f.chain(h)
	}
	return misfits
}

// watches reports whether anybody wants to know which layer runs, and how long.
func (f *Function) watches() bool { return f.timeout != nil || len(f.observers) > 0 }

func (f *Function) chain(h Handler) Handler {
	watched := f.watches()
	if watched {
		h = f.watch(len(f.layers), h)
	}
	for i := len(f.layers) - 1; i >= 0; i-- {
		h = f.layers[i].mw.Wrap(h)
		if watched {
			h = f.watch(i, h)
		}
	}
	return h
}

// Invoke runs one event through the layers and returns the result's JSON, or
// the bytes of an [io.Reader] result, read to its end. The error is the one that
// the outermost layer returned, unchanged.
//
// Under aws-lambda-go's loop (lambda.Start(f), or a wrapper around f that is
// started so) it is what that loop understands, a messages.InvokeResponse_Error:
// the error's name, and whether the sandbox is to be replaced, as with [Start].
// That type cannot be unwrapped.
//
// The JSON is that of aws-lambda-go: no HTML escaping, no newline.
func (f *Function) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	text, err := f.invoke(ctx, payload)
	if err == nil && len(text) > maxResult && underLambda() { // a stream, which this way is none
		err = &ResultSizeError{Size: len(text), Limit: maxResult}
	}
	if err == nil {
		return text, nil
	}
	if underLambda() {
		err = reported(err)
	}
	return nil, err
}

func (f *Function) invoke(ctx context.Context, payload []byte) ([]byte, error) {
	out := f.deliver(ctx, payload)
	switch {
	case out.err != nil:
		return nil, out.err
	case out.json != nil:
		defer out.json.Close() //nolint:errcheck // it is a buffer
		return bytes.Clone(out.json.Bytes()), nil
	}
	defer out.stream.Close() //nolint:errcheck // what failed is in what was read
	return io.ReadAll(out.stream)
}

// entry is Invoke for aws-lambda-go's loop: it streams, and its errors have the
// names that Lambda is to see. The loop's decoder copies the payload and looks no
// further; f decodes it, so that the layers see a failure.
func (f *Function) entry(ctx context.Context, payload json.RawMessage) (io.Reader, error) {
	out := f.deliver(ctx, payload)
	switch {
	case out.err != nil:
		return nil, reported(out.err)
	case out.json != nil:
		return out.json, nil
	case out.stream.contentType != "":
		return typedToLambda{toLambda{out.stream}}, nil
	}
	return toLambda{out.stream}, nil
}

// deliver is the only way of an event through f. A stream ends the invocation
// when it ends; with anything else it has ended when deliver returns, also by
// runtime.Goexit.
func (f *Function) deliver(ctx context.Context, payload []byte) outcome {
	c := f.begin(ctx, payload)
	out := outcome{err: &GoexitError{}}
	defer func() {
		if out.stream == nil {
			c.end(out.err)
		}
	}()
	out = c.run()
	return out
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
