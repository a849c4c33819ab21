package middytest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gomiddy/middy"
)

func around(f func(ctx context.Context, inv *middy.Invocation, next middy.Handler) (any, error)) func() middy.Middleware {
	return func() middy.Middleware {
		return middy.Func(func(next middy.Handler) middy.Handler {
			return func(ctx context.Context, inv *middy.Invocation) (any, error) { return f(ctx, inv, next) }
		})
	}
}

func pass(ctx context.Context, inv *middy.Invocation, next middy.Handler) (any, error) {
	return next(ctx, inv)
}

func TestGoodMiddlewaresPass(t *testing.T) {
	Run(t, around(pass), Options{})
	Run(t, func() middy.Middleware { return middy.Hooks{} }, Options{})
	Run(t, func() middy.Middleware { return &middy.Timeout{} }, Options{})
	Run(t, func() middy.Middleware { return &joiner{} }, Options{Allocs: -1})
	Run(t, around(func(context.Context, *middy.Invocation, middy.Handler) (any, error) { return "mine", nil }), Options{MayAnswer: true, Allocs: -1})
}

// joiner begins something in each invocation and joins it in Settle.
type joiner struct{ middy.Func }

var running = middy.NewKey[func()]("running")

func (j *joiner) Wrap(next middy.Handler) middy.Handler {
	return func(ctx context.Context, inv *middy.Invocation) (any, error) {
		stop, done := make(chan struct{}), make(chan struct{})
		running.Set(ctx, func() { close(stop); <-done })
		go func() { defer close(done); <-stop }()
		return next(ctx, inv)
	}
}

func (j *joiner) Settle(ctx context.Context) {
	if join, ok := running.Get(ctx); ok {
		join()
	}
}

func TestBadMiddlewaresFailOnTheRightCheck(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	var kept any
	for _, c := range []struct {
		check, want string
		mw          func() middy.Middleware
		o           Options
	}{
		{"assembles", "is nil", func() middy.Middleware { return nil }, Options{}},
		{"calls the handler once", "2 times", around(func(ctx context.Context, inv *middy.Invocation, next middy.Handler) (any, error) {
			_, _ = next(ctx, inv)
			return next(ctx, inv)
		}), Options{}},
		{"keeps the result", "arrived as {}", around(func(ctx context.Context, inv *middy.Invocation, next middy.Handler) (any, error) {
			_, err := next(ctx, inv)
			return struct{}{}, err
		}), Options{}},
		{"keeps the error", "wrapped", around(func(ctx context.Context, inv *middy.Invocation, next middy.Handler) (any, error) {
			result, err := next(ctx, inv)
			if err != nil {
				err = fmt.Errorf("mine: %w", err)
			}
			return result, err
		}), Options{}},
		{"keeps the error", "arrived as <nil>", around(func(ctx context.Context, inv *middy.Invocation, next middy.Handler) (any, error) {
			result, _ := next(ctx, inv)
			return result, nil
		}), Options{}},
		{"lets a panic pass", "arrived as <nil>", around(func(ctx context.Context, inv *middy.Invocation, next middy.Handler) (any, error) {
			result, _ := next(ctx, inv)
			return result, nil
		}), Options{}},
		{"keeps values of the context", "does not descend", around(func(_ context.Context, inv *middy.Invocation, next middy.Handler) (any, error) {
			return next(context.Background(), inv)
		}), Options{}},
		{"leaves the payload alone", "wrote to", around(func(ctx context.Context, inv *middy.Invocation, next middy.Handler) (any, error) {
			copy(inv.Payload, bytes.ToUpper(inv.Payload))
			return next(ctx, inv)
		}), Options{}},
		{"keeps invocations apart", "got", func() middy.Middleware {
			// A cache that forgets to ask who wants to know.
			return middy.Func(func(next middy.Handler) middy.Handler {
				first := make(chan any, 1)
				first <- nil
				return func(ctx context.Context, inv *middy.Invocation) (any, error) {
					cached := <-first
					defer func() { first <- cached }()
					if cached == nil {
						cached, _ = next(ctx, inv)
					}
					return cached, nil
				}
			})
		}, Options{}},
		{"leaves no goroutine behind", "outlives it", around(func(ctx context.Context, inv *middy.Invocation, next middy.Handler) (any, error) {
			go func() { <-release }()
			return next(ctx, inv)
		}), Options{}},
		{"keeps a stream alive until it is read", "before its stream was read", around(func(ctx context.Context, inv *middy.Invocation, next middy.Handler) (any, error) {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			return next(ctx, inv)
		}), Options{}},
		{"keeps a stream alive until it is read", "the handler's stream arrived as", around(func(ctx context.Context, inv *middy.Invocation, next middy.Handler) (any, error) {
			_, _ = next(ctx, inv)
			return "mine", nil
		}), Options{}},
		{"keeps a stream alive until it is read", "outlives it", around(func(ctx context.Context, inv *middy.Invocation, next middy.Handler) (any, error) {
			go func() { <-release }()
			return next(ctx, inv)
		}), Options{}},
		{"keeps a stream alive until it is read", "does not assemble", func() middy.Middleware { return nil }, Options{}},
		{"outlives a handler that never returns", "want a TimeoutError", around(func(_ context.Context, inv *middy.Invocation, next middy.Handler) (any, error) {
			return "mine", nil
		}), Options{}},
		{"outlives a handler that never returns", "the next result arrived as", func() middy.Middleware {
			// One at a time: the first never gives its turn back.
			turn := make(chan struct{}, 1)
			return around(func(ctx context.Context, inv *middy.Invocation, next middy.Handler) (any, error) {
				select {
				case turn <- struct{}{}:
				default:
					return nil, errors.New("busy")
				}
				defer func() { <-turn }()
				return next(ctx, inv)
			})()
		}, Options{}},
		{"outlives a handler that never returns", "outlives it", func() middy.Middleware {
			// A counter that assumes that every handler returns, and joins only then.
			var inside atomic.Int32
			return around(func(ctx context.Context, inv *middy.Invocation, next middy.Handler) (any, error) {
				if inside.Add(1) > 1 {
					go func() { <-release }()
				}
				defer inside.Add(-1)
				return next(ctx, inv)
			})()
		}, Options{}},
		{"stays in its allocation budget", "its budget is 0", around(func(ctx context.Context, inv *middy.Invocation, next middy.Handler) (any, error) {
			kept = new([64]byte)
			return next(ctx, inv)
		}), Options{}},
	} {
		t.Run(c.check+": "+c.want, func(t *testing.T) {
			for _, check := range checks {
				if check.name != c.check {
					continue
				}
				if got := check.check(c.mw, c.o.withDefaults()); !strings.Contains(string(got), c.want) {
					t.Errorf("found %q, want %q", got, c.want)
				}
				return
			}
			t.Fatal("no such check")
		})
	}
	_ = kept
}

func TestInvoke(t *testing.T) {
	f, err := middy.New(func(ctx context.Context, in map[string]int) (int, error) {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("no deadline")
		}
		return in["n"] + 1, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, event := range []any{`{"n":1}`, []byte(`{"n":1}`), map[string]int{"n": 1}} {
		if got, err := Invoke[int](t, f, event); err != nil || got != 2 {
			t.Errorf("%v: got %d, %v", event, got, err)
		}
	}
	if _, err := Invoke[int](t, f, `[]`); err == nil {
		t.Error("an event of another type was accepted")
	}
}
