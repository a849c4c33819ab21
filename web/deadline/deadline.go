// Package deadline answers in time when the handler does not.
//
// When a function runs into its timeout, Lambda kills it where it stands: the client
// gets a 502 without a word, the log has no end, and the next request pays for a new
// sandbox. http.TimeoutHandler answers earlier, but with a time of its own, with HTML,
// and only by keeping every response in memory, streams included.
//
// This middleware takes the deadline of the request's context, which in Lambda is the
// function's, keeps a reserve, and answers 503 with Retry-After when the handler has
// not begun to answer by then. A response that has begun is left alone, so that
// streams stream.
//
// What remains: the handler runs in a goroutine, which Go cannot stop. Its context is
// cancelled, with [ErrTimeout] as the cause; it gets a short grace to return, and what
// it still writes fails with [http.ErrHandlerTimeout], and a panic goes to [Config.Late]. One that ignores its context goes
// on, in Lambda frozen and thawed with the sandbox, until its work is done: give the
// context to everything that waits. Nothing else is left behind, and without a deadline
// no goroutine is started at all.
//
// Place it inside problem, which renders its answer, and outside what takes time.
package deadline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	panicvalue "github.com/gomiddy/middy/internal/panics"
	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/internal/layer"
	"github.com/gomiddy/middy/web/internal/trace"
)

// ErrTimeout is the cause with which the handler's context is cancelled, and the reason
// of the [web.Error] that the client gets. It is a [context.DeadlineExceeded].
var ErrTimeout error = timeoutError{}

type timeoutError struct{}

func (timeoutError) Error() string {
	return "deadline: the handler had not answered when its time was up"
}
func (timeoutError) Timeout() bool        { return true }
func (timeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

// Config configures [New]. The zero value keeps half a second of Lambda's timeout.
type Config struct {
	// Reserve is how long before the context's deadline the client is answered.
	// Default: 500 ms. Negative: at the deadline, which in Lambda is too late.
	Reserve time.Duration

	// Timeout is how long a handler may take, also without a deadline. API Gateway
	// gives up after 29 s, whatever the function's timeout:
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
	// Default: only the deadline counts.
	Timeout time.Duration

	// Grace is how long the answer waits, when it is written, for the handler to see
	// that its context was cancelled and to return, so that in the usual case nothing
	// is left running. It is part of Reserve. Default: half the Reserve. Negative: none.
	Grace time.Duration

	// Status of the answer. Default: 503, which Retry-After belongs to. 504 is the
	// other usual choice.
	Status int

	// RetryAfter is sent as Retry-After, in whole seconds, at least one. Default: 1 s.
	// Negative: the header is omitted.
	RetryAfter time.Duration

	// Late gets what a handler panicked with after the client had been answered, and
	// the stack: nobody else could. Of a value with a method Failure() error, which is
	// no bug, it gets the error and no stack. It must be safe for concurrent use. Default: it is
	// logged with [slog.Default].
	Late func(r *http.Request, value any, stack []byte)
}

// Validate reports durations and a status that contradict their meaning.
func (c Config) Validate() error {
	var errs []error
	if c.Timeout < 0 {
		errs = append(errs, fmt.Errorf("deadline: Timeout is %v; leave it 0 for none", c.Timeout))
	}
	if c.Status != 0 && (c.Status < 500 || c.Status > 599) {
		errs = append(errs, fmt.Errorf("deadline: Status is %d; it answers for the server and must be from 500 to 599", c.Status))
	}
	if full := c.withDefaults(); full.Grace > max(full.Reserve, 0) && c.Grace > 0 {
		errs = append(errs, fmt.Errorf("deadline: Grace is %v; it must not be longer than Reserve, %v", c.Grace, full.Reserve))
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	if c.Reserve == 0 {
		c.Reserve = 500 * time.Millisecond
	}
	if c.Grace == 0 {
		c.Grace = c.Reserve / 2
	}
	if c.Status == 0 {
		c.Status = http.StatusServiceUnavailable
	}
	if c.RetryAfter == 0 {
		c.RetryAfter = time.Second
	}
	if c.Late == nil {
		c.Late = logLate
	}
	return c
}

func logLate(r *http.Request, value any, stack []byte) {
	if stack == nil {
		slog.ErrorContext(r.Context(), "a handler failed after its time was up", "error", value, "path", r.URL.Path)
		return
	}
	slog.ErrorContext(r.Context(), "a handler panicked after its time was up", "panic", value, "path", r.URL.Path, "stack", string(stack))
}

// New returns the middleware. What it returns is safe for concurrent use. A Config
// that Validate refuses makes New panic with that error.
func New(cfg Config) func(http.Handler) http.Handler {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	cfg = cfg.withDefaults()
	return func(next http.Handler) http.Handler {
		layer.Refuses("deadline", next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			budget, limited := cfg.budget(r.Context())
			switch {
			case !limited:
				next.ServeHTTP(w, r)
			case budget <= 0:
				web.WriteError(w, r, cfg.timeout())
			default:
				cfg.serve(next, w, r, budget)
			}
		})
	}
}

// budget is how long the handler may take.
func (c *Config) budget(ctx context.Context) (budget time.Duration, limited bool) {
	if c.Timeout > 0 {
		budget, limited = c.Timeout, true
	}
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline) - max(c.Reserve, 0)
		if !limited || left < budget {
			budget, limited = left, true
		}
	}
	return budget, limited
}

func (c *Config) timeout() *web.Error {
	e := &web.Error{Status: c.Status, Detail: "the request took too long", Err: ErrTimeout}
	if c.RetryAfter > 0 {
		seconds := int64((c.RetryAfter + time.Second - 1) / time.Second)
		e.Header = http.Header{"Retry-After": {strconv.FormatInt(seconds, 10)}}
	}
	return e
}

// An outcome is how the handler ended.
type outcome struct {
	panicked any
	stack    []byte
	exited   bool // by runtime.Goexit
}

func (c *Config) serve(next http.Handler, w http.ResponseWriter, r *http.Request, budget time.Duration) {
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	guarded := &writer{w: w, header: w.Header().Clone()}
	if guarded.header == nil {
		guarded.header = http.Header{}
	}
	end := outcome{exited: true}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.run(next, guarded, r.WithContext(ctx), &end)
	}()

	timer := time.NewTimer(budget)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
		if guarded.expire() {
			cancel(ErrTimeout)
			web.WriteError(w, r, c.timeout())
			c.wait(ended)
			return
		}
		<-ended // the response has begun, or was whole just now
	}
	switch {
	case end.panicked != nil:
		trace.Record(r.Context(), end.stack)
		panic(end.panicked)
	case end.exited:
		panic(http.ErrAbortHandler)
	}
	guarded.complete()
}

// run calls the handler. A panic that nobody waits for any more goes to Late.
func (c *Config) run(next http.Handler, w *writer, r *http.Request, end *outcome) {
	defer func() {
		if value := recover(); value != nil {
			*end = outcome{panicked: value, stack: debug.Stack()}
		}
		if !w.finish() && end.panicked != nil && end.panicked != http.ErrAbortHandler { //nolint:errorlint // net/http compares so
			if err, ok := panicvalue.Failure(end.panicked); ok {
				c.Late(r, err, nil) // not a bug, and so without a stack
				return
			}
			c.Late(r, end.panicked, end.stack)
		}
	}()
	next.ServeHTTP(w, r)
	end.exited = false
}

// wait gives the handler its grace.
func (c *Config) wait(ended <-chan struct{}) {
	if c.Grace < 0 {
		return
	}
	timer := time.NewTimer(c.Grace)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
	}
}
