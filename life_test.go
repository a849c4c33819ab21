package middy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
)

type notFound struct{}

func (notFound) Error() string { return "not found" }

type rejected struct{}

func (*rejected) Error() string     { return "rejected" }
func (*rejected) ErrorType() string { return "OrderRejected" }

func TestErrorTypeIsTheFirstThatSaysWhatWentWrong(t *testing.T) {
	for _, c := range []struct {
		rule string
		err  error
		want string
	}{
		{"a type of one's own", notFound{}, "notFound"},
		{"behind fmt.Errorf", fmt.Errorf("order 7: %w", notFound{}), "notFound"},
		{"behind several", fmt.Errorf("a: %w", fmt.Errorf("b: %w", notFound{})), "notFound"},
		{"behind errors.Join, the first that has one", errors.Join(errors.New("words"), notFound{}), "notFound"},
		{"behind fmt.Errorf with two", fmt.Errorf("%w %w", errors.New("words"), notFound{}), "notFound"},
		{"a name of one's own", fmt.Errorf("x: %w", &rejected{}), "OrderRejected"},
		{"only words: as aws-lambda-go", errors.New("words"), "errorString"},
		{"only wrapped words: as aws-lambda-go", fmt.Errorf("a: %w", errors.New("words")), "wrapError"},
		{"joined words: as aws-lambda-go", errors.Join(errors.New("words")), "joinError"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			if got := errorType(c.err); got != c.want {
				t.Fatalf("errorType %q, want %q", got, c.want)
			}
			got := reported(c.err)
			if e, ok := got.(messages.InvokeResponse_Error); ok {
				if e.Type != c.want || e.Message != c.err.Error() || e.ShouldExit {
					t.Fatalf("reported as %#v", e)
				}
			} else if got != c.err || typeName(got) != c.want {
				t.Fatalf("reported as %#v", got)
			}
		})
	}
}

func TestAnErrorMadeForLambdaIsReportedUnwrapped(t *testing.T) {
	made := messages.InvokeResponse_Error{Type: "Custom", Message: "m"}
	if got := reported(fmt.Errorf("x: %w", made)); got.(messages.InvokeResponse_Error).Type != "Custom" {
		t.Fatalf("got %#v", got)
	}
	if got := reported(&PanicError{Value: made}); got.(messages.InvokeResponse_Error).Type != "Custom" {
		t.Fatalf("panic: got %#v", got)
	}
}

func TestAnUnmappedPanicEndsTheSandbox(t *testing.T) {
	f := mustNew(t, func(context.Context, order) (receipt, error) { panic("boom") })
	_, err := lambda.NewHandler(f.entry).Invoke(t.Context(), []byte(`{}`))
	e, ok := err.(messages.InvokeResponse_Error)
	if !ok || !e.ShouldExit || e.Type != "string" || e.Message != "boom" || len(e.StackTrace) == 0 {
		t.Fatalf("got %#v", err)
	}
	if top := e.StackTrace[0]; top.Path != "github.com/gomiddy/middy/life_test.go" && !strings.HasSuffix(top.Path, "life_test.go") || top.Line == 0 {
		t.Fatalf("first frame %+v", top)
	}
	if typeName(nil) != "" || stackFrames(nil) != nil {
		t.Fatal("nothing has no name and no frames")
	}
}

func TestDecodeErrorKeepsAwsLambdaGosName(t *testing.T) {
	_, err := mustNew(t, accept).Invoke(t.Context(), []byte(`{"total":"many"}`))
	if errorType(err) != "UnmarshalTypeError" {
		t.Fatalf("errorType %q", errorType(err))
	}
	if !strings.HasPrefix(err.Error(), "middy: the event does not decode into middy.order: json: cannot unmarshal string") {
		t.Fatal(err)
	}
}

// life is a middleware with every optional interface.
type life struct {
	inits, closes, thaws atomic.Int32
	gap                  Gap
	init, close          func(context.Context) error
}

func (l *life) Wrap(next Handler) Handler { return next }
func (l *life) Init(ctx context.Context) error {
	l.inits.Add(1)
	if l.init != nil {
		return l.init(ctx)
	}
	return nil
}
func (l *life) Close(ctx context.Context) error {
	l.closes.Add(1)
	if l.close != nil {
		return l.close(ctx)
	}
	return nil
}
func (l *life) Thaw(_ context.Context, gap Gap) { l.thaws.Add(1); l.gap = gap }
func (l *life) Permissions() []Permission {
	return []Permission{{Actions: []string{"secretsmanager:GetSecretValue"}, Resources: []string{"*"}}}
}

func TestAMiddlewareThatStandsTwiceLivesOnce(t *testing.T) {
	l := &life{}
	f := mustNew(t, accept, l, When(func(context.Context, *Invocation) bool { return true }, l))
	if err := errors.Join(f.Init(t.Context()), f.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	if l.inits.Load() != 1 || l.closes.Load() != 1 || len(f.Manifest().Permissions) != 1 {
		t.Fatalf("%d inits, %d closes, %d permissions", l.inits.Load(), l.closes.Load(), len(f.Manifest().Permissions))
	}
}

func TestManifest(t *testing.T) {
	m := mustNew(t, accept, &life{}).Manifest()
	if m.Event != "middy.order" || m.Result != "middy.receipt" || !slices.Equal(m.Layers, []string{"*middy.life"}) {
		t.Fatalf("%+v", m)
	}
}

func TestInitsRunConcurrentlyAndAllAreJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(d time.Duration, err error) *life {
			return &life{init: func(ctx context.Context) error { time.Sleep(d); return err }}
		}
		start := time.Now()
		err := mustNew(t, accept, slow(3*time.Second, nil), slow(2*time.Second, errors.New("no database")), slow(time.Second, notFound{})).Init(t.Context())
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("took %v, want that of the slowest", d)
		}
		if err == nil || !strings.Contains(err.Error(), "middy: init of *middy.life: no database") || !errors.Is(err, notFound{}) {
			t.Errorf("got %v", err)
		}
	})
}

func TestInitIsCancelledWithinItsBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), InitBudget)
		defer cancel()
		start := time.Now()
		heeds := &life{init: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
		err := mustNew(t, accept, heeds).Init(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != InitBudget {
			t.Errorf("heeds: %v after %v", err, time.Since(start))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), InitBudget)
		defer cancel()
		start, release := time.Now(), make(chan struct{})
		defer close(release)
		ignores := &life{init: func(context.Context) error { <-release; return nil }}
		err := mustNew(t, accept, ignores).Init(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != InitBudget+initGrace {
			t.Errorf("ignores: %v after %v", err, time.Since(start))
		}
	})
}

func TestAHangingInitIsNamedBesideTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), InitBudget)
		defer cancel()
		start, release := time.Now(), make(chan struct{})
		hangs := func(context.Context) error { <-release; return nil }
		f := mustNew(t, accept, When(func(context.Context, *Invocation) bool { return true }, &life{init: hangs}), &life{init: hangs},
			&life{init: func(context.Context) error { return errors.New("the certificate is missing") }},
			&life{init: func(context.Context) error { runtime.Goexit(); return nil }})
		err := f.Init(ctx)
		if took := time.Since(start); took != InitBudget+initGrace {
			t.Errorf("took %v", took)
		}
		want := "middy: init of middy.When(*middy.life) did not end in its budget: context deadline exceeded\n" +
			"middy: init of *middy.life did not end in its budget: context deadline exceeded\n" +
			"middy: init of *middy.life: the certificate is missing\n" +
			"middy: init of *middy.life: middy: a goroutine ended without returning (runtime.Goexit, or FailNow in a test)"
		if err == nil || err.Error() != want {
			t.Errorf("got %v", err)
		}
		close(release)
	})
}

func TestGoexitInCloseIsReportedAtOnce(t *testing.T) {
	f := mustNew(t, accept, &life{close: func(context.Context) error { runtime.Goexit(); return nil }})
	if err := f.Close(t.Context()); err == nil || !strings.Contains(err.Error(), "middy: close of *middy.life: middy: a goroutine ended") {
		t.Fatalf("got %v", err)
	}
}

func TestPanicInInitIsAnError(t *testing.T) {
	err := mustNew(t, accept, &life{init: func(context.Context) error { panic("boom") }}).Init(t.Context())
	if _, ok := errors.AsType[*PanicError](err); !ok {
		t.Fatalf("got %v", err)
	}
}

func TestClosersRunInnermostFirstWithinTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order []string
		note := func(name string, err error) *life {
			return &life{close: func(context.Context) error { order = append(order, name); return err }}
		}
		f := mustNew(t, accept, note("outer", errors.New("no flush")), note("inner", nil), &life{close: func(context.Context) error { panic("boom") }})
		err := f.Close(t.Context())
		if !slices.Equal(order, []string{"inner", "outer"}) {
			t.Errorf("order %q", order)
		}
		if _, ok := errors.AsType[*PanicError](err); !ok || !strings.Contains(err.Error(), "close of *middy.life: no flush") {
			t.Errorf("got %v", err)
		}
		release := make(chan struct{})
		defer close(release)
		ctx, cancel := context.WithTimeout(t.Context(), CloseBudget)
		defer cancel()
		err = mustNew(t, accept, &life{close: func(context.Context) error { <-release; return nil }}).Close(ctx)
		if err == nil || !strings.Contains(err.Error(), "did not end in its budget") {
			t.Errorf("got %v", err)
		}
	})
}

func TestThawersAreToldOfAGap(t *testing.T) {
	for _, c := range []struct {
		rule       string
		wall, mono time.Duration
		told       bool
	}{
		{"999 ms is no gap", 999 * time.Millisecond, 999 * time.Millisecond, false},
		{"1 s is one", time.Second, time.Second, true},
		{"1 s by the wall clock alone", time.Second, 999 * time.Millisecond, true},
		{"1 s by the monotonic clock alone", 999 * time.Millisecond, time.Second, true},
		{"a freeze of 9 h", 9 * time.Hour, 9 * time.Hour, true},
		{"the monotonic clock stood still (SnapStart)", 2 * time.Minute, 0, true},
		{"the wall clock was set back by 2 s", -2 * time.Second, time.Millisecond, true},
		{"the wall clock was set back by less than a second", -900 * time.Millisecond, 0, false},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &life{}
				f := mustNew(t, accept, l)
				skew, read := time.Duration(0), f.clock.now
				f.clock.now = func() reading {
					r := read()
					r.wall = r.wall.Add(skew)
					return r
				}
				time.Sleep(time.Hour) // the clocks do not begin at zero
				if err := f.Init(t.Context()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(c.mono)
				skew = c.wall - c.mono
				if _, err := f.Invoke(t.Context(), []byte(`{}`)); err != nil {
					t.Fatal(err)
				}
				if (l.thaws.Load() == 1) != c.told {
					t.Fatalf("told %d times", l.thaws.Load())
				}
				if c.told && (l.gap.Wall != c.wall || l.gap.Mono != c.mono) {
					t.Fatalf("gap %+v", l.gap)
				}
			})
		})
	}
}

func TestGapSkewed(t *testing.T) {
	for _, c := range []struct {
		g    Gap
		want bool
	}{
		{Gap{time.Second, 0}, false},
		{Gap{time.Second + 1, 0}, true},
		{Gap{-time.Second, 0}, false},
		{Gap{-time.Second - 1, 0}, true},
		{Gap{time.Hour, time.Hour}, false},
	} {
		if c.g.Skewed() != c.want {
			t.Errorf("%+v: Skewed() = %v", c.g, !c.want)
		}
	}
}

func TestABusySandboxIsNotToldOfItsOwnWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &life{}
		f := mustNew(t, func(context.Context, order) (receipt, error) { time.Sleep(time.Minute); return receipt{}, nil }, l)
		for range 3 {
			if _, err := f.Invoke(t.Context(), []byte(`{}`)); err != nil {
				t.Fatal(err)
			}
		}
		if l.thaws.Load() != 0 {
			t.Fatalf("told %d times", l.thaws.Load())
		}
	})
}

// --- the early timeout

func underTimeout(t *testing.T, timeout *Timeout, left time.Duration, h func(context.Context, order) (receipt, error)) (string, time.Duration, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), left)
	defer cancel()
	start := time.Now()
	out, err := mustNew(t, h, timeout).Invoke(ctx, []byte(`{}`))
	return string(out), time.Since(start), err
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func heed(d time.Duration) func(context.Context, order) (receipt, error) {
	return func(ctx context.Context, _ order) (receipt, error) {
		select {
		case <-time.After(d):
			return receipt{OK: true}, nil
		case <-ctx.Done():
			return receipt{}, ctx.Err()
		}
	}
}

func ignore(d time.Duration) func(context.Context, order) (receipt, error) {
	return func(context.Context, order) (receipt, error) { time.Sleep(d); return receipt{OK: true}, nil }
}

func TestTimeout(t *testing.T) {
	const ok = `{"id":"","ok":true}`
	fallback := func(context.Context, *Invocation, *TimeoutError) (any, error) { return "fallback", nil }
	for _, c := range []struct {
		rule      string
		timeout   Timeout
		left      time.Duration
		handler   func(context.Context, order) (receipt, error)
		want      string
		err       bool
		abandoned bool
		after     time.Duration
	}{
		{"in time: untouched", Timeout{}, 3 * time.Second, heed(time.Second), ok, false, false, time.Second},
		{"heeds the context: TimeoutError at once", Timeout{}, 3 * time.Second, heed(time.Hour), "", true, false, 2500 * time.Millisecond},
		{"ignores it: abandoned after a quarter of the reserve", Timeout{}, 3 * time.Second, ignore(time.Hour), "", true, true, 2625 * time.Millisecond},
		{"ends within that quarter: its result counts", Timeout{}, 3 * time.Second, ignore(2600 * time.Millisecond), ok, false, false, 2600 * time.Millisecond},
		{"a result of the user's choice", Timeout{Result: fallback}, 3 * time.Second, heed(time.Hour), `"fallback"`, false, false, 2500 * time.Millisecond},
		{"a reserve of the user's choice", Timeout{Reserve: time.Second}, 3 * time.Second, heed(time.Hour), "", true, false, 2 * time.Second},
		{"never more than half of what is left", Timeout{Reserve: time.Minute}, 3 * time.Second, heed(time.Hour), "", true, false, 1500 * time.Millisecond},
		{"negative: no guard", Timeout{Reserve: -1}, 3 * time.Second, heed(5 * time.Second), "", true, false, 3 * time.Second},
		{"negative: nothing is abandoned", Timeout{Reserve: -1}, 3 * time.Second, ignore(5 * time.Second), ok, false, false, 5 * time.Second},
		{"the deadline is over already: no guard", Timeout{}, -time.Second, ignore(time.Second), ok, false, false, time.Second},
		{"the deadline is now: no guard", Timeout{}, 0, ignore(time.Second), ok, false, false, time.Second},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.timeout.Logger = quiet()
				got, took, err := underTimeout(t, &c.timeout, c.left, c.handler)
				if got != c.want || (err != nil) != c.err || took != c.after {
					t.Fatalf("got %q, %v after %v", got, err, took)
				}
				if c.err && !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("%v is no DeadlineExceeded", err)
				}
				if e, ok := errors.AsType[*TimeoutError](err); ok && e.Abandoned != c.abandoned {
					t.Fatalf("abandoned: %v", e.Abandoned)
				}
				time.Sleep(2 * time.Hour) // let an abandoned handler end inside the bubble
			})
		})
	}
}

func TestNoDeadlineMeansNoGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := mustNew(t, ignore(24*time.Hour), &Timeout{})
		if out, err := f.Invoke(context.Background(), []byte(`{}`)); err != nil || string(out) != `{"id":"","ok":true}` {
			t.Fatalf("got %s, %v", out, err)
		}
	})
}

func TestTimeoutCoversTheWholeChainAndNamesWhatIsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		timeout := &Timeout{Logger: slog.New(slog.NewTextHandler(&log, nil))}
		hang := Func(func(next Handler) Handler {
			return func(ctx context.Context, inv *Invocation) (any, error) {
				time.Sleep(time.Second)
				return next(ctx, inv)
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		// The guard stands last in the list and still covers what precedes it.
		_, err := mustNew(t, heed(time.Hour), &life{}, hang, timeout).Invoke(ctx, []byte(`{}`))
		e, ok := errors.AsType[*TimeoutError](err)
		if !ok {
			t.Fatalf("got %v", err)
		}
		names := make([]string, len(e.Open))
		for i, l := range e.Open {
			names[i] = fmt.Sprint(l.Layer, " ", l.For)
		}
		if len(names) != 4 || names[0] != "*middy.life 2.5s" || names[3] != "handler 1.5s" {
			t.Fatalf("open: %q", names)
		}
		if errorType(err) != "TimeoutError" {
			t.Errorf("errorType %q", errorType(err))
		}
		if strings.Count(log.String(), "\n") != 1 {
			t.Errorf("not one line:\n%s", log.String())
		}
		for _, want := range []string{"timed out after 2.5s, 500ms before Lambda's deadline", "handler for 1.5s", "middy.runGuarded", "abandoned=false"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("%q is not in the line:\n%s", want, log.String())
			}
		}
	})
}

func TestAFailureOfItsOwnIsNotATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		own := func(ctx context.Context, _ order) (receipt, error) { <-ctx.Done(); return receipt{}, notFound{} }
		for _, timeout := range []*Timeout{{}, {Result: func(context.Context, *Invocation, *TimeoutError) (any, error) { return "late", nil }}} {
			timeout.Logger = quiet()
			if got, _, err := underTimeout(t, timeout, 3*time.Second, own); !errors.Is(err, notFound{}) {
				t.Errorf("got %q, %v; want the handler's own failure", got, err)
			}
		}
	})
}

func TestWhatTheContextCausedIsATimeout(t *testing.T) {
	for _, caused := range []error{context.Canceled, context.DeadlineExceeded} {
		synctest.Test(t, func(t *testing.T) {
			h := func(ctx context.Context, _ order) (receipt, error) {
				<-ctx.Done()
				return receipt{}, fmt.Errorf("get: %w", caused)
			}
			_, _, err := underTimeout(t, &Timeout{Logger: quiet()}, 3*time.Second, h)
			if _, ok := err.(*TimeoutError); !ok {
				t.Errorf("%v: got %v", caused, err)
			}
		})
	}
}

func TestAnAbandonedHandlerCostsTheSandbox(t *testing.T) {
	e, ok := reported(&TimeoutError{Abandoned: true}).(messages.InvokeResponse_Error)
	if !ok || !e.ShouldExit || e.Type != "TimeoutError" || !strings.Contains(e.Message, "still open: nothing") {
		t.Fatalf("got %#v", e)
	}
	if _, ok := reported(&TimeoutError{}).(messages.InvokeResponse_Error); ok {
		t.Fatal("a handler that has ended costs it too")
	}
}

// --- observers

type observer struct{ spans []Span }

func (o *observer) Wrap(next Handler) Handler         { return next }
func (o *observer) Observe(_ context.Context, s Span) { o.spans = append(o.spans, s) }

func TestObserverIsToldOfEachPhase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &observer{}
		work := Func(func(next Handler) Handler {
			return func(ctx context.Context, inv *Invocation) (any, error) {
				time.Sleep(time.Second)
				_, _ = next(ctx, inv)
				time.Sleep(2 * time.Second)
				result, err := next(ctx, inv)
				time.Sleep(4 * time.Second)
				return result, err
			}
		})
		f := mustNew(t, func(context.Context, order) (receipt, error) {
			time.Sleep(8 * time.Second)
			return receipt{}, notFound{}
		}, o, work)
		_, _ = f.Invoke(t.Context(), []byte(`{}`))
		var got []string
		for _, s := range o.spans {
			name := s.Layer
			if s.Index == 1 {
				name = "work"
			}
			got = append(got, fmt.Sprintf("%s %s %v %v", name, s.Phase, s.Duration, s.Err))
		}
		want := []string{
			"*middy.observer before 0s <nil>",
			"work before 1s <nil>",
			"handler whole 8s not found",
			"work after 2s <nil>",
			"handler whole 8s not found",
			"work after 4s not found",
			"*middy.observer after 0s not found",
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// --- init errors

func TestInitErrorIsReportedToLambda(t *testing.T) {
	var path, kind, body string
	status := http.StatusAccepted
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		path, kind, body = r.URL.Path, r.Header.Get("Lambda-Runtime-Function-Error-Type"), string(b)
		w.WriteHeader(status)
	}))
	defer api.Close()
	address := strings.TrimPrefix(api.URL, "http://")
	if err := reportInitError(address, "Function.Init", errors.New("no database")); err != nil {
		t.Fatal(err)
	}
	if path != "/2018-06-01/runtime/init/error" || kind != "Function.Init" || body != `{"errorMessage":"no database","errorType":"Function.Init"}` {
		t.Fatalf("%s %s %s", path, kind, body)
	}
	status = http.StatusForbidden
	if err := reportInitError(address, "Function.Init", errors.New("x")); err == nil || !strings.Contains(err.Error(), "403") {
		t.Fatalf("got %v", err)
	}
	if err := reportInitError("a b", "x", errors.New("x")); err == nil {
		t.Fatal("an address that is none was accepted")
	}
	api.Close()
	if err := reportInitError(address, "x", errors.New("x")); err == nil {
		t.Fatal("nobody listens, and no error")
	}
}
