package middy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// Timeout answers before Lambda's deadline kills the sandbox, and says what was
// still open. Lambda itself ends a function that is too slow without a stack,
// with nothing flushed and, in a batch, with nothing acknowledged.
//
// It covers the whole chain wherever it stands in the list given to [New]. An
// invocation without a deadline, as in tests, has no guard.
//
// At the deadline less Reserve the context of the whole chain is cancelled, with
// a [*TimeoutError] as its cause. Layers that heed it have a quarter of the
// reserve to return. Then the invocation is answered: with Result, or with the
// TimeoutError. If code is still running and the answer is the error, the
// sandbox is replaced, so that it cannot meet the next event; with a Result of
// your own it goes on running when the sandbox thaws.
type Timeout struct {
	// Reserve is the time kept for answering. Default 500 ms; never more than
	// half of what the invocation has when it begins. Negative: no guard.
	Reserve time.Duration

	// Result answers in place of the error, for instance with a 503. ctx ends
	// at Lambda's deadline. Code of the chain may still be running, so it must
	// not touch what the handler may be writing. Default: the TimeoutError.
	Result func(ctx context.Context, inv *Invocation, timeout *TimeoutError) (any, error)

	// Logger gets one line, at level error. Default: slog.Default().
	Logger *slog.Logger
}

// Wrap implements [Middleware]. The guard itself is put around the whole chain
// by [New].
func (t *Timeout) Wrap(next Handler) Handler { return next }

// Name names the layer in messages.
func (t *Timeout) Name() string { return "middy.Timeout" }

// A TimeoutError says that an invocation was ended before Lambda's deadline.
type TimeoutError struct {
	// After is how long the invocation had run.
	After time.Duration
	// Reserve is how long before Lambda's deadline it was ended.
	Reserve time.Duration
	// Open are the layers that had not returned, the slowest first. The time of
	// an outer layer includes that of the layers inside it.
	Open []OpenLayer
	// Abandoned says that code was still running when the answer was made.
	Abandoned bool
}

// An OpenLayer is a layer that was entered and had not returned.
type OpenLayer struct {
	Layer string
	For   time.Duration
}

func (e *TimeoutError) Error() string {
	var open strings.Builder
	for i, l := range e.Open {
		if i > 0 {
			open.WriteString(", ")
		}
		fmt.Fprintf(&open, "%s for %v", l.Layer, l.For.Round(time.Millisecond))
	}
	return fmt.Sprintf("middy: timed out after %v, %v before Lambda's deadline; still open: %s",
		e.After.Round(time.Millisecond), e.Reserve.Round(time.Millisecond), cmp.Or(open.String(), "nothing"))
}

// Is makes a TimeoutError a context.DeadlineExceeded.
func (e *TimeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

type outcome struct {
	result any
	err    error
}

// guard is f.handler under the deadline.
func (t *Timeout) guard(f *Function) Handler {
	return func(ctx context.Context, inv *Invocation) (any, error) {
		start := time.Now()
		reserve, ok := t.reserve(ctx, start)
		if !ok {
			return f.handler(ctx, inv)
		}
		inv.open = &openLayers{entered: make([]time.Time, len(f.layers)+1)}
		chain, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		done := make(chan outcome, 1)
		go runGuarded(f.handler, chain, inv, done)

		deadline, _ := ctx.Deadline()
		timer := time.NewTimer(time.Until(deadline) - reserve)
		defer timer.Stop()
		select {
		case out := <-done:
			return out.result, out.err
		case <-timer.C:
		}

		timeout := &TimeoutError{After: time.Since(start), Reserve: reserve, Open: f.stillOpen(inv.open)}
		stacks := guardedStacks()
		cancel(timeout)
		out, ended := waitFor(done, reserve/4)
		timeout.Abandoned = !ended
		if ended && out.err == nil {
			return out.result, nil // it made it within the reserve
		}
		t.log(ctx, timeout, stacks)
		if ended && !errors.Is(out.err, context.Canceled) && !errors.Is(out.err, context.DeadlineExceeded) {
			return out.result, out.err // a failure of its own
		}
		if t.Result == nil {
			return nil, timeout
		}
		return t.Result(ctx, inv, timeout)
	}
}

// reserve returns the time to keep, and whether there is a deadline to guard.
func (t *Timeout) reserve(ctx context.Context, now time.Time) (time.Duration, bool) {
	deadline, ok := ctx.Deadline()
	left := deadline.Sub(now)
	if !ok || t.Reserve < 0 || left <= 0 {
		return 0, false
	}
	return min(cmp.Or(t.Reserve, 500*time.Millisecond), left/2), true
}

// runGuarded is named so that a timeout can find its goroutine's stack.
func runGuarded(h Handler, ctx context.Context, inv *Invocation, done chan<- outcome) {
	result, err := h(ctx, inv)
	done <- outcome{result, err}
}

func waitFor(done <-chan outcome, d time.Duration) (outcome, bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case out := <-done:
		return out, true
	case <-timer.C:
		return outcome{}, false
	}
}

func (t *Timeout) log(ctx context.Context, e *TimeoutError, stacks string) {
	logger := t.Logger
	if logger == nil {
		logger = slog.Default()
	}
	id := ""
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		id = lc.AwsRequestID
	}
	logger.ErrorContext(ctx, e.Error(), "errorType", "TimeoutError", "requestId", id, "abandoned", e.Abandoned, "stacks", stacks)
}

func (f *Function) stillOpen(o *openLayers) []OpenLayer {
	o.mu.Lock()
	defer o.mu.Unlock()
	var open []OpenLayer
	for i, at := range o.entered {
		if !at.IsZero() {
			open = append(open, OpenLayer{f.layerName(i), time.Since(at)})
		}
	}
	slices.SortStableFunc(open, func(a, b OpenLayer) int { return cmp.Compare(b.For, a.For) })
	return open
}

// guardedStacks returns the stacks of the invocations under guard, at most 4 KiB.
func guardedStacks() string {
	const limit = 4 << 10
	all := make([]byte, 256<<10)
	all = all[:runtime.Stack(all, true)]
	var b strings.Builder
	for g := range strings.SplitSeq(string(all), "\n\n") {
		if strings.Contains(g, "middy.runGuarded(") && b.Len() < limit {
			b.WriteString(g)
			b.WriteString("\n\n")
		}
	}
	s := strings.TrimSpace(b.String())
	return s[:min(len(s), limit)]
}
