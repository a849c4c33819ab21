// Package middytest tests middlewares and functions without AWS.
//
// A middleware is easy to get wrong in ways that show only in production: it
// wraps the handler's error, and a state machine's retry policy stops matching;
// it keeps a variable between invocations, and two of them meet in it on Managed
// Instances; it starts a goroutine, and the freeze catches that with a signed
// request in its hands; it ends the context when the handler returns, and a stream
// breaks off; it waits for a handler that never returns. [Run] is a suite that every middleware, ours or a
// stranger's, must pass:
//
//	func TestConformance(t *testing.T) {
//		middytest.Run(t, func() middy.Middleware { return mymw.New(mymw.Config{}) }, middytest.Options{})
//	}
//
// [Invoke] runs one event through a function as Lambda would.
package middytest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/gomiddy/middy"
)

// Options describe what a middleware may do. The zero value is a middleware that
// passes everything through.
type Options struct {
	// Event is the JSON event of the suite's invocations. Default:
	// {"middytest":true}.
	Event string

	// Allocs is how many allocations the middleware may add to an invocation.
	// Default 0; negative: not checked.
	Allocs int

	// MayAnswer says that the middleware may answer in place of the handler for
	// Event, or handle its errors, so that calls and results are not checked.
	MayAnswer bool
}

// Context returns a context as the handler gets it from aws-lambda-go: with a
// request id, an ARN and a deadline in 3 s. It ends with the test.
func Context(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	t.Cleanup(cancel)
	return lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{
		AwsRequestID:       "00000000-0000-4000-8000-000000000001",
		InvokedFunctionArn: "arn:aws:lambda:us-east-1:123456789012:function:middytest",
	})
}

// Invoke runs event through f and decodes its result. event is JSON text, or a
// value that encodes to it.
func Invoke[R any](t testing.TB, f *middy.Function, event any) (R, error) {
	t.Helper()
	var result R
	payload, err := payloadOf(event)
	if err != nil {
		t.Fatalf("middytest: the event does not encode: %v", err)
	}
	out, err := f.Invoke(Context(t), payload)
	if err != nil {
		return result, err
	}
	if err := json.Unmarshal(out, &result); err != nil {
		t.Fatalf("middytest: the result %.200q does not decode into %T: %v", out, result, err)
	}
	return result, nil
}

func payloadOf(event any) ([]byte, error) {
	switch e := event.(type) {
	case string:
		return []byte(e), nil
	case []byte:
		return e, nil
	case json.RawMessage:
		return e, nil
	}
	return json.Marshal(event)
}

// A finding is what a check has against a middleware; empty: nothing.
type finding string

// checks are the suite, in the order in which a reader wants to know.
var checks = []struct {
	name  string
	check func(newMW func() middy.Middleware, o Options) finding
}{
	{"assembles", assembles},
	{"calls the handler once", callsOnce},
	{"keeps the result", keepsResult},
	{"keeps the error", keepsError},
	{"lets a panic pass", keepsPanic},
	{"keeps values of the context", keepsContext},
	{"leaves the payload alone", leavesPayload},
	{"keeps invocations apart", keepsApart},
	{"leaves no goroutine behind", leavesNothing},
	{"keeps a stream alive until it is read", keepsStream},
	{"outlives a handler that never returns", outlivesHandler},
	{"stays in its allocation budget", staysInBudget},
}

// Run runs the suite on the middlewares that newMW makes, a fresh one for each
// check. Run it with the race detector.
func Run(t *testing.T, newMW func() middy.Middleware, o Options) {
	t.Helper()
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			if f := c.check(newMW, o.withDefaults()); f != "" {
				t.Error(f)
			}
		})
	}
}

func (o Options) withDefaults() Options {
	if o.Event == "" {
		o.Event = `{"middytest":true}`
	}
	return o
}

type (
	anyEvent  = json.RawMessage
	anyResult = map[string]string
	handler   = func(context.Context, anyEvent) (anyResult, error)
)

var errHandler = errors.New("middytest: the handler's error")

func build[R any](h func(context.Context, anyEvent) (R, error), mw ...middy.Middleware) (*middy.Function, error) {
	f, err := middy.New(h, mw...)
	if err != nil {
		return nil, err
	}
	return f, f.Init(context.Background())
}

func assembles(newMW func() middy.Middleware, _ Options) finding {
	if _, err := build(func(context.Context, anyEvent) (anyResult, error) { return nil, nil }, newMW()); err != nil {
		return finding("does not assemble: " + err.Error())
	}
	return ""
}

// invoke runs one event and closes the function again.
func invoke(newMW func() middy.Middleware, o Options, h handler) ([]byte, error) {
	f, err := build(h, newMW())
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close(context.Background()) }()
	return f.Invoke(context.Background(), []byte(o.Event))
}

func callsOnce(newMW func() middy.Middleware, o Options) finding {
	calls := 0
	_, _ = invoke(newMW, o, func(context.Context, anyEvent) (anyResult, error) { calls++; return nil, nil })
	if calls != 1 && !o.MayAnswer {
		return finding(fmt.Sprintf("called the handler %d times, want once", calls))
	}
	return ""
}

func keepsResult(newMW func() middy.Middleware, o Options) finding {
	got, err := invoke(newMW, o, func(context.Context, anyEvent) (anyResult, error) { return anyResult{"k": "v"}, nil })
	if want := `{"k":"v"}`; !o.MayAnswer && (err != nil || string(got) != want) {
		return finding(fmt.Sprintf("the handler's result arrived as %s, %v; want %s", got, err, want))
	}
	return ""
}

func keepsError(newMW func() middy.Middleware, o Options) finding {
	_, err := invoke(newMW, o, func(context.Context, anyEvent) (anyResult, error) { return nil, errHandler })
	switch {
	case o.MayAnswer || err == errHandler:
		return ""
	case errors.Is(err, errHandler):
		return "wrapped the handler's error: Lambda reports the outermost type, and ErrorEquals stops matching"
	}
	return finding(fmt.Sprintf("the handler's error arrived as %v", err))
}

func keepsPanic(newMW func() middy.Middleware, o Options) finding {
	_, err := invoke(newMW, o, func(context.Context, anyEvent) (anyResult, error) { panic("middytest") })
	if p, ok := errors.AsType[*middy.PanicError](err); !o.MayAnswer && (!ok || p.Value != "middytest") {
		return finding(fmt.Sprintf("the handler's panic arrived as %v", err))
	}
	return ""
}

type contextKey struct{}

func keepsContext(newMW func() middy.Middleware, o Options) finding {
	f, err := build(func(ctx context.Context, _ anyEvent) (anyResult, error) {
		if ctx.Value(contextKey{}) != "kept" {
			return nil, errHandler
		}
		return nil, nil
	}, newMW())
	if err != nil {
		return finding(err.Error())
	}
	defer func() { _ = f.Close(context.Background()) }()
	if _, err := f.Invoke(context.WithValue(context.Background(), contextKey{}, "kept"), []byte(o.Event)); errors.Is(err, errHandler) {
		return "the handler got a context that does not descend from the invocation's"
	}
	return ""
}

func leavesPayload(newMW func() middy.Middleware, o Options) finding {
	f, err := build(func(context.Context, anyEvent) (anyResult, error) { return nil, nil }, newMW())
	if err != nil {
		return finding(err.Error())
	}
	defer func() { _ = f.Close(context.Background()) }()
	payload := []byte(o.Event)
	_, _ = f.Invoke(context.Background(), payload)
	if !bytes.Equal(payload, []byte(o.Event)) {
		return finding(fmt.Sprintf("wrote to Invocation.Payload: %s", payload))
	}
	return ""
}

// keepsApart runs eight invocations at a time, each with a result of its own.
func keepsApart(newMW func() middy.Middleware, o Options) finding {
	f, err := build(func(ctx context.Context, _ anyEvent) (anyResult, error) {
		return anyResult{"id": ctx.Value(contextKey{}).(string)}, nil
	}, newMW())
	if err != nil {
		return finding(err.Error())
	}
	defer func() { _ = f.Close(context.Background()) }()
	mixed := make(chan finding, 8*32)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 32 {
				id := fmt.Sprintf("%d-%d", g, i)
				got, err := f.Invoke(context.WithValue(context.Background(), contextKey{}, id), []byte(o.Event))
				if want := `{"id":"` + id + `"}`; !o.MayAnswer && (err != nil || string(got) != want) {
					mixed <- finding(fmt.Sprintf("invocation %s got %s, %v", id, got, err))
				}
			}
		})
	}
	wg.Wait()
	close(mixed)
	return <-mixed // the zero value when nothing was mixed
}

// leavesNothing compares the goroutines before and after an invocation.
func leavesNothing(newMW func() middy.Middleware, o Options) finding {
	f, err := build(func(context.Context, anyEvent) (anyResult, error) { return nil, nil }, newMW())
	if err != nil {
		return finding(err.Error())
	}
	defer func() { _ = f.Close(context.Background()) }()
	before := goroutines()
	_, _ = f.Invoke(context.Background(), []byte(o.Event))
	return leftSince(before)
}

// leftSince names a goroutine that was not there before. One that is on its way
// out is given a second.
func leftSince(before map[string]string) finding {
	for deadline := time.Now().Add(time.Second); ; runtime.Gosched() {
		var left string
		for id, stack := range goroutines() {
			if _, known := before[id]; !known {
				left = stack
			}
		}
		if left == "" {
			return ""
		}
		if time.Now().After(deadline) {
			return finding("a goroutine that began in the invocation outlives it, into the freeze:\n" + left)
		}
	}
}

// body is a stream that needs the handler's context, as that of a request to
// another service does.
type body struct {
	ctx  context.Context
	text string
}

func (b *body) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	n := copy(p, b.text)
	b.text = b.text[n:]
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// keepsStream lets the handler return a stream. What the middleware began in the
// invocation lives as long as that, and no longer.
func keepsStream(newMW func() middy.Middleware, o Options) finding {
	const text = "streamed"
	f, err := build(func(ctx context.Context, _ anyEvent) (io.Reader, error) { return &body{ctx, text}, nil }, newMW())
	if err != nil {
		return finding("does not assemble around a handler that streams: " + err.Error())
	}
	defer func() { _ = f.Close(context.Background()) }()
	before := goroutines()
	got, err := f.Invoke(context.Background(), []byte(o.Event))
	switch {
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return "ended the handler's context before its stream was read"
	case !o.MayAnswer && (err != nil || string(got) != text):
		return finding(fmt.Sprintf("the handler's stream arrived as %q, %v; want %q", got, err, text))
	}
	return leftSince(before)
}

// outlivesHandler abandons one invocation, and looks whether the next one is as
// good as if nothing had happened.
func outlivesHandler(newMW func() middy.Middleware, o Options) finding {
	release := make(chan struct{})
	defer close(release)
	var calls atomic.Int32
	h := func(context.Context, anyEvent) (anyResult, error) {
		if calls.Add(1) == 1 {
			<-release
		}
		return anyResult{"k": "v"}, nil
	}
	f, err := build(h, &middy.Timeout{Logger: slog.New(slog.DiscardHandler)}, newMW())
	if err != nil {
		return finding(err.Error())
	}
	defer func() { _ = f.Close(context.Background()) }()
	invoke := func(limit time.Duration) ([]byte, error) {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		return f.Invoke(ctx, []byte(o.Event))
	}
	_, err = invoke(100 * time.Millisecond)
	if e, ok := errors.AsType[*middy.TimeoutError](err); !o.MayAnswer && (!ok || !e.Abandoned) {
		return finding(fmt.Sprintf("an invocation whose handler never returns ended with %v, want a TimeoutError", err))
	}
	calls.Store(1) // also if a middleware answered
	before := goroutines()
	if got, err := invoke(3 * time.Second); !o.MayAnswer && (err != nil || string(got) != `{"k":"v"}`) {
		return finding(fmt.Sprintf("after a handler that never returned, the next result arrived as %s, %v", got, err))
	}
	return leftSince(before)
}

func goroutines() map[string]string {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	all := map[string]string{}
	for g := range strings.SplitSeq(string(buf), "\n\n") {
		id, _, _ := strings.Cut(g, " [")
		// The testing package starts and ends goroutines of its own.
		if strings.Contains(g, "gomiddy/middy.") || !strings.Contains(g, "created by testing.") {
			all[id] = g
		}
	}
	return all
}

func staysInBudget(newMW func() middy.Middleware, o Options) finding {
	if o.Allocs < 0 {
		return ""
	}
	h := func(context.Context, anyEvent) (anyResult, error) { return nil, nil }
	bare, err := middy.New(h)
	if err != nil {
		return finding(err.Error())
	}
	f, err := build(h, newMW())
	if err != nil {
		return finding(err.Error())
	}
	defer func() { _ = f.Close(context.Background()) }()
	measure := func(f *middy.Function) int {
		return int(testing.AllocsPerRun(200, func() { _, _ = f.Invoke(context.Background(), []byte(o.Event)) }))
	}
	if added := measure(f) - measure(bare); added > o.Allocs {
		return finding(fmt.Sprintf("adds %d allocations to an invocation, its budget is %d", added, o.Allocs))
	}
	return ""
}
