// Package trace carries to the log what only an inner or an outer middleware knows: the
// stack of a panic from one goroutine to another, and the request's id.
//
// A middleware that runs the handler in a goroutine of its own must panic again in the
// caller's, with the same value, so that http.ErrAbortHandler and errors.Is go on
// working. The stack that a recover outside sees then begins in the middleware, and the
// line that panicked is lost. It is left here for whoever will log it.
package trace

import "context"

type key struct{}

type requestID struct{}

// WithRequestID returns a context in which [RequestID] finds id.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestID{}, id)
}

// RequestID is the id that package requestid gave the request, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestID{}).(string)
	return id
}

// A Trace keeps one stack. It is written before the panic that its reader recovers.
type Trace struct{ Stack []byte }

// With returns a context in which [Record] finds t.
func With(ctx context.Context, t *Trace) context.Context { return context.WithValue(ctx, key{}, t) }

// Record leaves a stack for the reader outside, if there is one.
func Record(ctx context.Context, stack []byte) {
	if t, ok := ctx.Value(key{}).(*Trace); ok {
		t.Stack = stack
	}
}
