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
)

// Timeout answers before Lambda's deadline kills the sandbox, and says what was
// still open. Lambda itself ends a function that is too slow without a stack,
// with nothing flushed and, in a batch, with nothing acknowledged.
//
// It covers the whole chain wherever it stands in the list given to [New], the
// encoding of the result, and a stream until it has ended. An invocation without a
// deadline, as in tests, has no guard.
//
// At the deadline less Reserve the context of the whole chain is cancelled, with
// a [*TimeoutError] as its cause. Layers that heed it have a quarter of the
// reserve to return. Then the invocation is answered: with Result, or with the
// TimeoutError. If code is still running and the answer is the error, the
// sandbox is replaced, so that it cannot meet the next event; with a Result of
// your own it goes on running when the sandbox thaws.
//
// A stream that has begun ends with the TimeoutError, also when its reader ends in
// time: nobody can tell whether it is whole.
type Timeout struct {
	// Reserve is the time kept for answering. Default 500 ms; never more than
	// half of what the invocation has when it begins. Negative: no guard.
	Reserve time.Duration

	// Result answers in place of the error, for instance with a 503. ctx ends
	// a little before Lambda's deadline. It does not answer for a stream that has
	// begun. Code of the chain may still be running, so it must
	// not touch what the handler may be writing. Default: the TimeoutError.
	Result func(ctx context.Context, inv *Invocation, timeout *TimeoutError) (any, error)

	// Logger gets one line, at level error, and whatever else the engine has to
	// say about an invocation, always with its request id. Default:
	// slog.Default().
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
	// an outer layer includes that of the layers inside it. "handler" is the
	// handler, "response" the encoding or the stream of its result.
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

// early is the early timeout of one invocation.
type early struct {
	cancel  context.CancelCauseFunc
	timer   *time.Timer
	reserve time.Duration

	expired chan struct{} // closed when time is up; what follows is set by then
	timeout TimeoutError
	stacks  string
	grace   time.Time // for what heeds the context
}

// begin puts c under the early timeout.
func (t *Timeout) begin(c *invocationContext) {
	reserve, ok := t.reserve(c, c.start)
	if !ok {
		return
	}
	c.inv.open = &openLayers{entered: make([]time.Time, len(c.f.layers)+2)}
	e := &early{reserve: reserve, expired: make(chan struct{})}
	c.Context, e.cancel = context.WithCancelCause(c.Context)
	c.early = e
	deadline, _ := c.Deadline()
	e.timer = time.AfterFunc(time.Until(deadline)-reserve, func() {
		e.timeout = TimeoutError{After: time.Since(c.start), Reserve: reserve, Open: c.f.stillOpen(c.inv.open)}
		e.stacks = guardedStacks()
		e.grace = time.Now().Add(reserve / 4)
		close(e.expired)
		timeout := e.timeout
		e.cancel(&timeout)
	})
}

// wait waits for what apart runs: under an early timeout until that has expired
// and the grace is over, otherwise to its end.
func (c *invocationContext) wait(done <-chan error) (err error, ended bool) {
	if c.early == nil {
		return <-done, true
	}
	select {
	case err := <-done:
		return err, true
	case <-c.early.expired:
		return waitFor(done, time.Until(c.early.grace))
	}
}

// expired reports whether the early timeout has expired.
func (c *invocationContext) expired() bool {
	if c.early == nil {
		return false
	}
	select {
	case <-c.early.expired:
		return true
	default:
		return false
	}
}

// cancel ends the context that the early timeout made.
func (c *invocationContext) cancel() {
	if c.early != nil {
		c.early.timer.Stop()
		c.early.cancel(nil)
	}
}

// late says how an invocation ends whose early timeout has expired: with a
// failure of its own, or with the TimeoutError.
func (c *invocationContext) late(err error, ended bool) error {
	timeout := c.early.timeout
	timeout.Abandoned = !ended
	c.logError(c.f.timeout.explained(&timeout), "abandoned", timeout.Abandoned, "stacks", c.early.stacks)
	if !ended || err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &timeout
	}
	return err
}

// explained says what follows for the sandbox, which the loop does not.
func (t *Timeout) explained(e *TimeoutError) error {
	switch {
	case !e.Abandoned:
		return e
	case t.Result == nil:
		return fmt.Errorf("%w; that code does not heed its context and is still running, so the sandbox is replaced (aws-lambda-go says next that the process should exit)", e)
	}
	return fmt.Errorf("%w; that code does not heed its context and goes on running beside the next event", e)
}

// answer is the response to a timeout.
func (t *Timeout) answer(c *invocationContext, err error) outcome {
	timeout, ok := err.(*TimeoutError)
	if !ok || t.Result == nil {
		return outcome{err: err}
	}
	c.early = nil // it has done its work, and has no power over this response
	var out outcome
	failure := together(c.rest(), 0, func() error {
		result, err := t.Result(c.rest(), &c.inv, timeout)
		if err != nil {
			return err
		}
		out = c.respond(result)
		return out.err
	})[0]
	switch failure {
	case nil:
		return out
	case errOverrun:
		return outcome{err: err}
	}
	return outcome{err: failure}
}

// reserve returns the time to keep, and whether there is a deadline to guard.
func (t *Timeout) reserve(ctx context.Context, now time.Time) (time.Duration, bool) {
	deadline, _ := ctx.Deadline() // the year 1 where there is none
	left := deadline.Sub(now)
	if t.Reserve < 0 || left <= 0 {
		return 0, false
	}
	return min(cmp.Or(t.Reserve, 500*time.Millisecond), left/2), true
}

// logger is where the engine's own lines go.
func (f *Function) logger() *slog.Logger {
	if f.timeout != nil && f.timeout.Logger != nil {
		return f.timeout.Logger
	}
	return slog.Default()
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
		if strings.Contains(g, "middy.runGuarded(") {
			b.WriteString(g)
			b.WriteString("\n\n")
		}
	}
	s := strings.TrimSpace(b.String())
	return s[:min(len(s), limit)]
}
