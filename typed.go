package middy

import (
	"context"
	"fmt"
	"reflect"
)

// Hooks are Middy's three phases as a Middleware, for steps that do not deserve
// a closure. A nil field does nothing. The zero value passes everything through.
//
// Pairing is strict: After or OnError runs exactly when Before returned nil,
// whatever happened inside, so that what Before opened is always closed. In
// Middy every onError runs for any failure, wherever its middleware stands; here
// a layer sees what happens inside it.
type Hooks struct {
	// Name names the layer in spans and messages. Default: middy.Hooks.
	Name string

	// Before runs on the way in. An error stops here and goes to the layers
	// outside.
	Before func(ctx context.Context, inv *Invocation) error

	// After runs on the way out of a success. What it returns takes the place
	// of the result.
	After func(ctx context.Context, inv *Invocation, result any) (any, error)

	// OnError runs on the way out of a failure. Return nil, err to let the
	// failure pass, or a result and a nil error to answer in its place.
	OnError func(ctx context.Context, inv *Invocation, err error) (any, error)
}

// Wrap implements [Middleware].
func (h Hooks) Wrap(next Handler) Handler {
	return func(ctx context.Context, inv *Invocation) (result any, err error) {
		if h.Before != nil {
			if err := h.Before(ctx, inv); err != nil {
				return nil, err
			}
		}
		returned := false
		defer func() {
			// A panic of a layer inside passes through here. It is on its way
			// to become a PanicError; OnError sees it as one already. So it is
			// with runtime.Goexit, which nothing can stop.
			if returned || h.OnError == nil {
				return
			}
			var failure error = &GoexitError{}
			if v := recover(); v != nil {
				failure = recovered(v)
			}
			result, err = h.OnError(ctx, inv, failure)
		}()
		result, err = next(ctx, inv)
		returned = true
		switch {
		case err != nil && h.OnError != nil:
			return h.OnError(ctx, inv, err)
		case err == nil && h.After != nil:
			return h.After(ctx, inv, result)
		}
		return result, err
	}
}

// Typed brings the types back for a rule of the user's own. E and R are inferred
// from around, and must be the handler's.
//
//	middy.Typed(func(ctx context.Context, o *Order, next func(context.Context) (*Receipt, error)) (*Receipt, error) {
//		if o.Total < 0 {
//			return nil, errNegative
//		}
//		return next(ctx)
//	})
//
// When the event did not decode, around is not called and the [*DecodeError]
// passes. A nil *R without an error is sent as the JSON value null.
func Typed[E, R any](around func(ctx context.Context, event *E, next func(context.Context) (*R, error)) (*R, error)) Middleware {
	return typed[E, R]{around}
}

type typed[E, R any] struct {
	around func(context.Context, *E, func(context.Context) (*R, error)) (*R, error)
}

func (t typed[E, R]) Name() string {
	return fmt.Sprintf("middy.Typed[%v,%v]", reflect.TypeFor[E](), reflect.TypeFor[R]())
}

func (t typed[E, R]) Validate() error {
	if t.around == nil {
		return fmt.Errorf("the function given to Typed is nil")
	}
	return nil
}

func (t typed[E, R]) Accepts(event, result reflect.Type) error {
	if event == reflect.TypeFor[E]() && result == reflect.TypeFor[R]() {
		return nil
	}
	return fmt.Errorf("is made for (%v) (%v, error), the handler is (%v) (%v, error)",
		reflect.TypeFor[E](), reflect.TypeFor[R](), event, result)
}

func (t typed[E, R]) Wrap(next Handler) Handler {
	return func(ctx context.Context, inv *Invocation) (any, error) {
		event, ok := inv.Event.(*E)
		if inv.decodeErr != nil || !ok {
			return next(ctx, inv) // the innermost step says what is wrong
		}
		result, err := t.around(ctx, event, func(ctx context.Context) (*R, error) {
			result, err := next(ctx, inv)
			if err != nil {
				return nil, err
			}
			switch r := result.(type) {
			case *R:
				return r, nil
			case R:
				return &r, nil
			}
			return nil, fmt.Errorf("middy: %s: a layer inside answered with a %T in place of a %v", t.Name(), result, reflect.TypeFor[*R]())
		})
		if err != nil {
			return nil, err
		}
		if result == nil {
			return nil, nil // not a typed nil
		}
		return result, nil
	}
}

// When applies m to the invocations that match, and to no others. m is wrapped
// once, and its optional interfaces are found as if it stood alone.
func When(match func(context.Context, *Invocation) bool, m Middleware) Middleware {
	return &when{match, m}
}

type when struct {
	match func(context.Context, *Invocation) bool
	m     Middleware
}

func (w *when) Name() string { return "middy.When(" + layerName(w.m) + ")" }

func (w *when) Validate() error {
	if w.match == nil {
		return fmt.Errorf("the condition given to When is nil")
	}
	if isNil(w.m) {
		return fmt.Errorf("the middleware given to When is nil")
	}
	return nil
}

func (w *when) Unwrap() Middleware { return w.m }

func (w *when) Wrap(next Handler) Handler {
	wrapped := w.m.Wrap(next)
	return func(ctx context.Context, inv *Invocation) (any, error) {
		if w.match(ctx, inv) {
			return wrapped(ctx, inv)
		}
		return next(ctx, inv)
	}
}

// Compile-time checks.
var (
	_ Middleware = Func(nil)
	_ Middleware = Hooks{}
	_ Middleware = (*when)(nil)
	_ Validator  = (*when)(nil)
	_ Accepter   = typed[int, int]{}
	_ Validator  = typed[int, int]{}
)
