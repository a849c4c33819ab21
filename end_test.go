package middy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// read is a reader made of a function, and closed by another.
type read struct {
	read  func([]byte) (int, error)
	close func() error
}

func (r *read) Read(p []byte) (int, error) { return r.read(p) }
func (r *read) Close() error {
	if r.close == nil {
		return nil
	}
	return r.close()
}

// chunks reads n times "x", each a second later, for as long as ctx lets it.
func chunks(ctx context.Context, n int) *read {
	return &read{read: func(p []byte) (int, error) {
		if n--; n < 0 {
			return 0, io.EOF
		}
		select {
		case <-time.After(time.Second):
			return copy(p, "x"), nil
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}}
}

// settler notes that it settled.
type settler struct {
	name   string
	mu     *sync.Mutex
	log    *[]string
	settle func(context.Context)
}

func note(log *[]string, name string) *settler {
	return &settler{name: name, mu: new(sync.Mutex), log: log}
}

func (s *settler) Wrap(next Handler) Handler { return next }
func (s *settler) Settle(ctx context.Context) {
	if s.settle != nil {
		s.settle(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	*s.log = append(*s.log, s.name)
}

// loop is f as aws-lambda-go's loop calls it, with what it would do with a
// response: read it to its end, and close it.
func loop(ctx context.Context, f *Function, event string) (text string, sent, crash error) {
	r, err := f.entry(ctx, json.RawMessage(event))
	if err != nil {
		return "", err, nil
	}
	b, sent := io.ReadAll(r)
	crash = guarded(r.(io.Closer).Close)
	return string(b), sent, crash
}

func TestAStreamLivesUnderTheEarlyTimeoutUntilItHasEnded(t *testing.T) {
	for _, c := range []struct {
		rule  string
		n     int
		want  string
		err   bool
		after time.Duration
	}{
		{"within the deadline: whole", 2, "xx", false, 2 * time.Second},
		{"beyond it: TimeoutError at the deadline less the reserve", 10, "xx", true, 2500 * time.Millisecond},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var inside context.Context
				h := func(ctx context.Context, _ order) (io.Reader, error) { inside = ctx; return chunks(ctx, c.n), nil }
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				start := time.Now()
				text, err, crash := loop(ctx, mustNew(t, h, &Timeout{Logger: quiet()}), `{}`)
				if text != c.want || (err != nil) != c.err || crash != nil || time.Since(start) != c.after {
					t.Fatalf("got %q, %v, %v after %v", text, err, crash, time.Since(start))
				}
				if inside.Err() == nil {
					t.Error("the invocation's context outlives its response")
				}
				if e, ok := err.(messages.InvokeResponse_Error); c.err && (!ok || e.Type != "TimeoutError" || e.ShouldExit || !strings.Contains(e.Message, "still open: response for 2.5s")) {
					t.Errorf("reported as %#v", err)
				}
			})
		})
	}
}

func TestAStreamThatDoesNotHeedItsTimeoutIsAbandonedWithTheSandbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		h := func(context.Context, order) (io.Reader, error) {
			return &read{read: func([]byte) (int, error) { <-release; return 0, io.EOF }}, nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		_, err, crash := loop(ctx, mustNew(t, h, &Timeout{Logger: quiet()}), `{}`)
		if e, ok := err.(messages.InvokeResponse_Error); !ok || e.Type != "TimeoutError" || !e.ShouldExit {
			t.Errorf("reported as %#v", err)
		}
		if crash == nil || !strings.Contains(crash.Error(), "the sandbox is replaced: TimeoutError") {
			t.Errorf("the process goes on: %v", crash)
		}
		if took := time.Since(start); took >= 3*time.Second {
			t.Errorf("took %v", took)
		}
		close(release)
	})
}

func TestAStreamThatCloseEndsIsNotAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipe, _ := io.Pipe() // nobody writes, and Read heeds no context
		h := func(context.Context, order) (io.Reader, error) { return pipe, nil }
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, err, crash := loop(ctx, mustNew(t, h, &Timeout{Logger: quiet()}), `{}`)
		if e, ok := err.(messages.InvokeResponse_Error); crash != nil || ok && e.ShouldExit || errorType(err) != "InvokeResponse_Error" || e.Type != "TimeoutError" {
			t.Fatalf("got %#v, %v", err, crash)
		}
	})
}

func TestAStreamThatIsWholeIsSoHoweverLateItIsAsked(t *testing.T) {
	slow := func(t *testing.T, last error) error {
		reads := 0
		defer func() {
			synctest.Wait()
			if reads != 1 {
				t.Errorf("read %d times, want nothing after the timeout", reads)
			}
		}()
		h := func(context.Context, order) (io.Reader, error) {
			return &read{read: func(p []byte) (int, error) { reads++; return copy(p, "all"), last }}, nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		r, err := mustNew(t, h, &Timeout{Logger: quiet()}).entry(ctx, json.RawMessage(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		defer r.(io.Closer).Close()
		if n, err := r.Read(make([]byte, 10)); n != 3 || err != nil {
			t.Errorf("read %d, %v", n, err)
		}
		time.Sleep(2900 * time.Millisecond) // Lambda takes its time
		_, err = r.Read(make([]byte, 10))
		return err
	}
	synctest.Test(t, func(t *testing.T) {
		if err := slow(t, io.EOF); err != io.EOF {
			t.Errorf("it came with its end: %v", err)
		}
		if err := slow(t, nil); report(err).Type != "TimeoutError" || report(err).ShouldExit {
			t.Errorf("it may go on: %v", err)
		}
		if err := slow(t, notFound{}); report(err).Type != "notFound" {
			t.Errorf("it had failed already: %v", err)
		}
	})
}

func TestAReadOfNothingIsNotTheEnd(t *testing.T) {
	n := 0
	h := func(context.Context, order) (io.Reader, error) {
		return &read{read: func(p []byte) (int, error) {
			if n++; n == 1 {
				return 0, nil
			}
			return copy(p, "x"), io.EOF
		}}, nil
	}
	if text, err, crash := loop(t.Context(), mustNew(t, h), `{}`); text != "x" || err != nil || crash != nil {
		t.Fatalf("got %q, %v, %v", text, err, crash)
	}
}

func TestTheEndOfAStreamIsOneLineInTheLogOrNone(t *testing.T) {
	for _, c := range []struct {
		rule  string
		r     func(context.Context) io.Reader
		reads int
		want  int
	}{
		{"whole", func(context.Context) io.Reader { return strings.NewReader("x") }, 2, 0},
		{"closed by Lambda", func(context.Context) io.Reader { return strings.NewReader("x") }, 1, 0},
		{"cut by the timeout", func(ctx context.Context) io.Reader { return chunks(ctx, 9) }, 9, 1},
		{"failed", func(context.Context) io.Reader { return failingR{} }, 1, 1},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var text bytes.Buffer
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				f := mustNew(t, func(ctx context.Context, _ order) (io.Reader, error) { return c.r(ctx), nil },
					&Timeout{Logger: slog.New(slog.NewTextHandler(&text, nil))})
				r, err := f.entry(ctx, json.RawMessage(`{}`))
				if err != nil {
					t.Fatal(err)
				}
				for range c.reads {
					_, _ = r.Read(make([]byte, 8))
				}
				_ = r.(io.Closer).Close()
				if got := strings.Count(text.String(), "\n"); got != c.want {
					t.Errorf("%d lines, want %d:\n%s", got, c.want, text.String())
				}
			})
		})
	}
}

type failingR struct{}

func (failingR) Read([]byte) (int, error) { return 0, notFound{} }

func TestCloseEndsAReadThatIsUnderWay(t *testing.T) {
	pipe, _ := io.Pipe()
	var log []string
	f := mustNew(t, func(context.Context, order) (io.Reader, error) { return pipe, nil }, note(&log, "settled"))
	r, err := f.entry(t.Context(), json.RawMessage(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		_, err := r.Read(make([]byte, 10))
		ended <- err
	}()
	_ = r.(io.Closer).Close()
	if err := <-ended; err == nil || err == io.EOF || !slices.Equal(log, []string{"settled"}) {
		t.Errorf("Read: %v; settled: %q", err, log)
	}
}

func TestAReaderThatFailsAfterTheTimeoutAndCannotBeClosedIsAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		h := func(ctx context.Context, _ order) (io.Reader, error) {
			return &read{func([]byte) (int, error) { <-ctx.Done(); return 0, notFound{} }, func() error { <-release; return nil }}, nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, err, crash := loop(ctx, mustNew(t, h, &Timeout{Logger: quiet()}), `{}`)
		if e := report(err); e.Type != "TimeoutError" || !e.ShouldExit || crash == nil {
			t.Errorf("got %v, %v", err, crash)
		}
		close(release)
	})
}

func TestAReaderThatCannotBeClosedCostsTheSandbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		h := func(context.Context, order) (io.Reader, error) {
			return &read{func([]byte) (int, error) { return 0, io.EOF }, func() error { <-release; return nil }}, nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		var text bytes.Buffer
		f := mustNew(t, h, &Timeout{Reserve: -1, Logger: slog.New(slog.NewTextHandler(&text, nil))})
		_, err, crash := loop(ctx, f, `{}`)
		if e := report(err); e.Type != "TimeoutError" || !e.ShouldExit || crash == nil || time.Since(start) >= 2*time.Second {
			t.Errorf("got %v, %v after %v", err, crash, time.Since(start))
		}
		if !strings.Contains(text.String(), "middy: the stream of the response broke off: middy: timed out after 1.45s") {
			t.Errorf("the log: %s", text.String())
		}
		close(release)
	})
}

func TestAStreamAfterTheTimeoutIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var closed atomic.Int32
		late := func(context.Context, order) (io.Reader, error) {
			time.Sleep(2600 * time.Millisecond)
			return &read{func([]byte) (int, error) { return 0, io.EOF }, func() error { closed.Add(1); return nil }}, nil
		}
		_, _, err := underTimeoutOf(t, &Timeout{Logger: quiet()}, 3*time.Second, late)
		if e, ok := errors.AsType[*TimeoutError](err); !ok || e.Abandoned || closed.Load() != 1 {
			t.Fatalf("got %v, closed %d times", err, closed.Load())
		}
		hangs := func(context.Context, order) (io.Reader, error) {
			time.Sleep(time.Hour)
			return &read{func([]byte) (int, error) { return 0, io.EOF }, func() error { closed.Add(1); return nil }}, nil
		}
		_, _, err = underTimeoutOf(t, &Timeout{Logger: quiet()}, 3*time.Second, hangs)
		time.Sleep(2 * time.Hour)
		if e, ok := errors.AsType[*TimeoutError](err); !ok || !e.Abandoned || closed.Load() != 2 {
			t.Fatalf("got %v; what an abandoned handler returned is closed: %d of 2", err, closed.Load())
		}
	})
}

func TestATimeoutsResultMayStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		timeout := &Timeout{Logger: quiet(), Result: func(ctx context.Context, _ *Invocation, _ *TimeoutError) (any, error) {
			if ctx.Err() != nil {
				t.Error("Result got a context that is over")
			}
			return strings.NewReader("try later"), nil
		}}
		if got, _, err := underTimeoutOf(t, timeout, 3*time.Second, heed(time.Hour)); err != nil || got != "try later" {
			t.Fatalf("got %q, %v", got, err)
		}
	})
}

// underTimeoutOf is underTimeout for any result.
func underTimeoutOf[R any](t *testing.T, timeout *Timeout, left time.Duration, h func(context.Context, order) (R, error)) (string, time.Duration, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), left)
	defer cancel()
	start := time.Now()
	out, err := mustNew(t, h, timeout).Invoke(ctx, []byte(`{}`))
	return string(out), time.Since(start), err
}

func TestSettleRunsOnceWhenTheResponseHasEnded(t *testing.T) {
	answer := Func(func(Handler) Handler {
		return func(context.Context, *Invocation) (any, error) { return "early", nil }
	})
	for _, c := range []struct {
		rule string
		h    func(log *[]string) func(context.Context, order) (any, error)
		mw   []Middleware
		want string
	}{
		{"after the outermost layer and the encoder", func(log *[]string) func(context.Context, order) (any, error) {
			return func(context.Context, order) (any, error) {
				return marshaler(func() { *log = append(*log, "encoded") }), nil
			}
		}, nil, "encoded settled"},
		{"after a failure", func(*[]string) func(context.Context, order) (any, error) {
			return func(context.Context, order) (any, error) { return nil, notFound{} }
		}, nil, "settled"},
		{"after a panic", func(*[]string) func(context.Context, order) (any, error) {
			return func(context.Context, order) (any, error) { panic("boom") }
		}, nil, "settled"},
		{"after a panic of the encoder", func(*[]string) func(context.Context, order) (any, error) {
			return func(context.Context, order) (any, error) { return marshaler(func() { panic("boom") }), nil }
		}, nil, "settled"},
		{"also when an outer layer answered", nil, []Middleware{answer}, "settled"},
		{"after a stream", func(log *[]string) func(context.Context, order) (any, error) {
			return func(context.Context, order) (any, error) {
				return &read{func([]byte) (int, error) { *log = append(*log, "read"); return 0, io.EOF }, func() error { *log = append(*log, "closed"); return nil }}, nil
			}
		}, nil, "read closed settled"},
		{"after a stream that fails", func(*[]string) func(context.Context, order) (any, error) {
			return func(context.Context, order) (any, error) {
				return &read{read: func([]byte) (int, error) { return 0, notFound{} }}, nil
			}
		}, nil, "settled"},
		{"after a stream that panics", func(*[]string) func(context.Context, order) (any, error) {
			return func(context.Context, order) (any, error) {
				return &read{read: func([]byte) (int, error) { panic("boom") }}, nil
			}
		}, nil, "settled"},
		{"at the early timeout of a handler that never returns", func(*[]string) func(context.Context, order) (any, error) {
			return func(context.Context, order) (any, error) { time.Sleep(time.Hour); return nil, nil }
		}, []Middleware{&Timeout{Logger: quiet()}}, "settled"},
		{"after an event that did not decode", nil, nil, "settled"},
		{"after runtime.Goexit", func(*[]string) func(context.Context, order) (any, error) {
			return func(context.Context, order) (any, error) { runtime.Goexit(); return nil, nil }
		}, nil, "settled"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log []string
				h, event := func(context.Context, order) (any, error) { return nil, nil }, `[]`
				if c.h != nil {
					h, event = c.h(&log), `{}`
				}
				s := note(&log, "settled")
				f := mustNew(t, h, append(c.mw, s, When(func(context.Context, *Invocation) bool { return true }, s))...)
				slog.SetDefault(quiet())
				for _, invoke := range []func(context.Context, *Function, string) (string, error, error){
					loop,
					func(ctx context.Context, f *Function, event string) (string, error, error) {
						_, err := f.Invoke(ctx, []byte(event))
						return "", err, nil
					},
				} {
					log = nil
					ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
					_, _, _ = invoke(ctx, f, event)
					if got := strings.Join(log, " "); got != c.want {
						t.Errorf("got %q, want %q", got, c.want)
					}
					cancel()
				}
				time.Sleep(2 * time.Hour) // let an abandoned handler end inside the bubble
				if got := strings.Join(log, " "); got != c.want {
					t.Errorf("later: %q, want %q", got, c.want)
				}
			})
		})
	}
}

// marshaler runs a function when it is encoded.
type marshaler func()

func (m marshaler) MarshalJSON() ([]byte, error) { m(); return []byte("1"), nil }

func TestAStreamThatIsClosedEarlySettlesOnce(t *testing.T) {
	var log []string
	h := func(ctx context.Context, _ order) (io.Reader, error) {
		return &read{func(p []byte) (int, error) { return copy(p, "x"), nil }, func() error { log = append(log, "closed"); return nil }}, nil
	}
	r, err := mustNew(t, h, note(&log, "settled")).entry(t.Context(), json.RawMessage(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := r.Read(make([]byte, 3)); n != 1 || err != nil {
		t.Fatalf("read %d, %v", n, err)
	}
	for range 2 {
		if err := r.(io.Closer).Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := r.Read(make([]byte, 3)); n != 0 || err == nil || err == io.EOF {
		t.Errorf("after Close: read %d, %v", n, err)
	}
	if got := strings.Join(log, " "); got != "closed settled" {
		t.Errorf("got %q", got)
	}
}

func TestSettlersRunAtTheSameTimeAndAreNotWaitedForBeyondTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []string
		var text bytes.Buffer
		user := NewKey[string]("user")
		var seen string
		var until time.Time
		slow := func(name string, d time.Duration) *settler {
			s := note(&log, name)
			s.settle = func(context.Context) { time.Sleep(d) }
			return s
		}
		good := note(&log, "good")
		good.settle = func(ctx context.Context) {
			seen, _ = user.Get(ctx)
			until, _ = ctx.Deadline()
			if ctx.Err() != nil {
				t.Error("Settle got a context that is over")
			}
		}
		bad := note(&log, "bad")
		bad.settle = func(context.Context) { panic("boom") }
		gone := note(&log, "gone")
		gone.settle = func(context.Context) { runtime.Goexit() }
		mu := new(sync.Mutex)
		mw := []Middleware{&Timeout{Reserve: -1, Logger: slog.New(slog.NewTextHandler(&text, nil))}}
		for _, s := range []*settler{slow("hangs", time.Hour), slow("a", time.Second), slow("b", 2*time.Second), good, bad, gone} {
			s.mu = mu
			mw = append(mw, s)
		}
		f := mustNew(t, func(ctx context.Context, _ order) (int, error) { user.Set(ctx, "ada"); return 1, nil }, mw...)
		ctx, cancel := context.WithTimeout(lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "id-7"}), 5*time.Second)
		defer cancel()
		start := time.Now()
		out, err := f.Invoke(ctx, []byte(`{}`))
		if took := time.Since(start); string(out) != "1" || err != nil || took != 4900*time.Millisecond+settleGrace {
			t.Errorf("got %s, %v after %v", out, err, took)
		}
		mu.Lock()
		got := strings.Join(log, " ")
		mu.Unlock()
		if got != "good a b" || seen != "ada" || until != start.Add(4900*time.Millisecond) {
			t.Errorf("settled %q, saw %q until %v", got, seen, until.Sub(start))
		}
		for _, want := range []string{
			"middy: settle of *middy.settler: panic: boom", "settle of *middy.settler did not end in its budget", "runtime.Goexit", "requestId=id-7",
		} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("%q is not in the log:\n%s", want, text.String())
			}
		}
		time.Sleep(2 * time.Hour)
	})
}

func TestTheEnginesLinesGoToTheDefaultLogger(t *testing.T) {
	var text bytes.Buffer
	slog.SetDefault(slog.New(slog.NewTextHandler(&text, nil)))
	defer slog.SetDefault(quiet())
	bad := note(new([]string), "bad")
	bad.settle = func(context.Context) { panic("boom") }
	for _, mw := range [][]Middleware{{bad}, {bad, &Timeout{}}} {
		text.Reset()
		if _, err := mustNew(t, accept, mw...).Invoke(t.Context(), []byte(`{}`)); err != nil || !strings.Contains(text.String(), "settle of *middy.settler: panic: boom") {
			t.Errorf("%d layers: %v, %q", len(mw), err, text.String())
		}
	}
}

func TestWithoutSettlersAnInvocationPaysNothingForThem(t *testing.T) {
	var log []string
	none := mustNew(t, accept)
	one := mustNew(t, accept, note(&log, "x"))
	measure := func(f *Function) float64 {
		return testing.AllocsPerRun(200, func() { f.begin(context.Background(), nil).end(nil) })
	}
	if got := measure(none); got != 1 {
		t.Errorf("begin and end: %v allocations, want that of the context", got)
	}
	if measure(one) <= 1 {
		t.Error("a Settler did not run")
	}
}

func TestTheSandboxIsBusyUntilTheResponseHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &life{}
		f := mustNew(t, func(ctx context.Context, _ order) (io.Reader, error) { return chunks(ctx, 60), nil }, l)
		for range 2 {
			if _, err := f.Invoke(t.Context(), []byte(`{}`)); err != nil {
				t.Fatal(err)
			}
		}
		if l.thaws.Load() != 0 {
			t.Fatalf("told %d times of its own streaming", l.thaws.Load())
		}
	})
}

func TestNilReadersAreNull(t *testing.T) {
	for name, h := range map[string][2]lambda.Handler{
		"*bytes.Buffer":                 both(t, func(context.Context, order) (*bytes.Buffer, error) { return nil, nil }),
		"io.Reader":                     both(t, func(context.Context, order) (io.Reader, error) { return nil, nil }),
		"io.Reader with a nil pointer":  both(t, func(context.Context, order) (io.Reader, error) { return (*bytes.Reader)(nil), nil }),
		"any with a nil pointer":        both(t, func(context.Context, order) (any, error) { return (*read)(nil), nil }),
		"a nil slice that reads":        both(t, func(context.Context, order) (sliceReader, error) { return nil, nil }),
		"a nil slice that marshals":     both(t, func(context.Context, order) (ids, error) { return nil, nil }),
		"a nil pointer that marshals":   both(t, func(context.Context, order) (*marshalingReader, error) { return nil, nil }),
		"a nil reading slice, own JSON": both(t, func(context.Context, order) (readingIDs, error) { return nil, nil }),
	} {
		want, werr := h[0].Invoke(t.Context(), []byte(`{}`))
		got, err := h[1].Invoke(t.Context(), []byte(`{}`))
		if !bytes.Equal(got, want) || err != nil || werr != nil {
			t.Errorf("%s: %s, %v; aws-lambda-go: %s, %v", name, got, err, want, werr)
		}
	}
	// aws-lambda-go would call these two, and crash.
	f := mustNew(t, func(context.Context, order) (funcReader, error) { return nil, nil })
	if got, err := f.Invoke(t.Context(), []byte(`{}`)); string(got) != "null" || err != nil {
		t.Errorf("a nil func that reads: %s, %v", got, err)
	}
	f = mustNew(t, func(context.Context, order) (*ownResult, error) { return nil, nil })
	if got, err := f.Invoke(t.Context(), []byte(`{}`)); string(got) != "null" || err != nil {
		t.Errorf("a nil pointer that appends: %s, %v", got, err)
	}
}

type (
	sliceReader []byte
	ids         []string
	readingIDs  []string
	funcReader  func([]byte) (int, error)
)

func (sliceReader) Read([]byte) (int, error)      { return 0, io.EOF }
func (i ids) MarshalJSON() ([]byte, error)        { return []byte("[]"), nil }
func (readingIDs) Read([]byte) (int, error)       { return 0, io.EOF }
func (i readingIDs) MarshalJSON() ([]byte, error) { return []byte("[]"), nil }
func (f funcReader) Read(p []byte) (int, error)   { return f(p) }

func TestAFailureOfAReaderHasItsName(t *testing.T) {
	slog.SetDefault(quiet())
	for _, c := range []struct {
		rule string
		r    *read
		text string
		want messages.InvokeResponse_Error
		is   error
	}{
		{"an error behind words", &read{read: func([]byte) (int, error) { return 0, fmt.Errorf("reading: %w", notFound{}) }}, "",
			messages.InvokeResponse_Error{Message: "reading: not found", Type: "notFound"}, notFound{}},
		{"an error that came with the last bytes", &read{read: func(p []byte) (int, error) { return copy(p, "last"), notFound{} }}, "last",
			messages.InvokeResponse_Error{Message: "not found", Type: "notFound"}, notFound{}},
		{"a panic", &read{read: func([]byte) (int, error) { panic("boom") }}, "",
			messages.InvokeResponse_Error{Message: "boom", Type: "string", ShouldExit: true}, nil},
		{"a panic with an error", &read{read: func([]byte) (int, error) { panic(notFound{}) }}, "",
			messages.InvokeResponse_Error{Message: "not found", Type: "notFound", ShouldExit: true}, notFound{}},
		{"a count that cannot be", &read{read: func(p []byte) (int, error) { return len(p) + 1, nil }}, "",
			messages.InvokeResponse_Error{Type: "boundsError", ShouldExit: true}, nil},
		{"a panic of Close", &read{func([]byte) (int, error) { return 0, io.EOF }, func() error { panic("boom") }}, "",
			messages.InvokeResponse_Error{Message: "boom", Type: "string", ShouldExit: true}, nil},
		{"runtime.Goexit", &read{read: func([]byte) (int, error) { runtime.Goexit(); return 0, nil }}, "",
			messages.InvokeResponse_Error{Message: (&GoexitError{}).Error(), Type: "GoexitError", ShouldExit: true}, nil},
		{"an error whose text panics", &read{read: func([]byte) (int, error) { return 0, (*textless)(nil) }}, "",
			messages.InvokeResponse_Error{Message: "<nil>", Type: "textless"}, nil},
	} {
		t.Run(c.rule, func(t *testing.T) {
			f := mustNew(t, func(context.Context, order) (io.Reader, error) { return c.r, nil })
			text, err, crash := loop(t.Context(), f, `{}`)
			e, ok := err.(messages.InvokeResponse_Error)
			if !ok || text != c.text || e.Type != c.want.Type || e.ShouldExit != c.want.ShouldExit || c.want.Message != "" && e.Message != c.want.Message {
				t.Errorf("got %.20q, %.300v", text, err)
			}
			if (crash != nil) != c.want.ShouldExit {
				t.Errorf("the process ends: %v", crash)
			}
			if _, err := f.Invoke(t.Context(), []byte(`{}`)); err == nil || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("Invoke: %v", err)
			}
		})
	}
}

type textless struct{ text string }

func (e *textless) Error() string { return e.text }

func TestAnErrorOfCloseIsNobodys(t *testing.T) {
	h := func(context.Context, order) (io.Reader, error) {
		return &read{func([]byte) (int, error) { return 0, io.EOF }, func() error { return notFound{} }}, nil
	}
	if text, err, crash := loop(t.Context(), mustNew(t, h), `{}`); text != "" || err != nil || crash != nil {
		t.Fatalf("got %q, %v, %v", text, err, crash)
	}
}

func TestAReaderKeepsItsContentType(t *testing.T) {
	for want, r := range map[string]io.Reader{"": plainR{}, "text/event-stream": typedR{}} {
		got, err := mustNew(t, func(context.Context, order) (io.Reader, error) { return r, nil }).entry(t.Context(), json.RawMessage(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		ct, typed := got.(interface{ ContentType() string })
		if typed != (want != "") || typed && ct.ContentType() != want {
			t.Errorf("%T: content type of its own: %v", r, typed)
		}
	}
}

func TestALargeStreamArrivesWhole(t *testing.T) {
	body := strings.Repeat("0123456789", 200_000)
	for _, left := range []time.Duration{0, time.Hour} {
		ctx := t.Context()
		if left > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, left)
			defer cancel()
		}
		f := mustNew(t, func(context.Context, order) (io.Reader, error) { return strings.NewReader(body), nil }, &Timeout{})
		if text, err, crash := loop(ctx, f, `{}`); text != body || err != nil || crash != nil {
			t.Errorf("%d of %d bytes, %v, %v", len(text), len(body), err, crash)
		}
	}
}

func TestPanicsOfTheUsersOwnEncodingAreErrors(t *testing.T) {
	var seen []error
	see := Hooks{OnError: func(_ context.Context, _ *Invocation, err error) (any, error) {
		seen = append(seen, err)
		return nil, err
	}}
	o := &observer{}
	for _, c := range []struct {
		rule   string
		f      *Function
		layers bool
	}{
		{"UnmarshalJSON: travels through the layers", mustNew(t, func(context.Context, panicEvent) (int, error) { return 1, nil }, see), true},
		{"DecodeEvent: too", mustNew(t, func(context.Context, panicDecoder) (int, error) { return 1, nil }, see), true},
		{"MarshalJSON: the layers have returned", mustNew(t, func(context.Context, order) (any, error) { return marshaler(func() { panic("boom") }), nil }, see, o), false},
		{"AppendJSON: too", mustNew(t, func(context.Context, order) (panicAppender, error) { return panicAppender{}, nil }, see, o), false},
		{"ContentType: too", mustNew(t, func(context.Context, order) (io.Reader, error) { return panicTyped{}, nil }, see, o), false},
		{"Thaw: before the layers", thawed(t, mustNew(t, accept, see, panicThawer{})), false},
	} {
		t.Run(c.rule, func(t *testing.T) {
			seen, o.spans = nil, nil
			_, err := c.f.Invoke(t.Context(), []byte(`{}`))
			p, ok := err.(*PanicError) // and no DecodeError: the event is not at fault
			if !ok || p.Value != "boom" || (len(seen) == 1) != c.layers || c.layers && seen[0] != err {
				t.Errorf("got %v, the layers saw %v", err, seen)
			}
			seenByObserver := slices.ContainsFunc(o.spans, func(s Span) bool {
				return s.Layer == "response" && s.Index == 3 && s.Phase == "whole" && s.Err == err
			})
			if len(o.spans) > 0 && !seenByObserver {
				t.Errorf("the observer saw %+v", o.spans)
			}
			_, err = lambda.NewHandler(c.f.entry).Invoke(t.Context(), []byte(`{}`))
			if e, ok := err.(messages.InvokeResponse_Error); !ok || e.Type != "string" || e.Message != "boom" || !e.ShouldExit {
				t.Errorf("reported as %#v", err)
			}
		})
	}
}

type (
	panicEvent    struct{}
	panicDecoder  struct{}
	panicAppender struct{}
	panicTyped    struct{ plainR }
	panicThawer   struct{}
)

func (*panicEvent) UnmarshalJSON([]byte) error          { panic("boom") }
func (*panicDecoder) DecodeEvent([]byte) error          { panic("boom") }
func (panicAppender) AppendJSON([]byte) ([]byte, error) { panic("boom") }
func (panicTyped) ContentType() string                  { panic("boom") }
func (panicThawer) Wrap(next Handler) Handler           { return next }
func (panicThawer) Thaw(context.Context, Gap)           { panic("boom") }

// thawed makes f see a gap at every look.
func thawed(t *testing.T, f *Function) *Function {
	t.Helper()
	now := time.Duration(0)
	f.clock.now = func() reading { now += time.Hour; return reading{mono: now} }
	f.clock.busy()
	return f
}

func TestAPanicOfATimeoutsResultIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for rule, result := range map[string]func() (any, error){
			"Result panics":          func() (any, error) { panic("boom") },
			"its result's JSON does": func() (any, error) { return marshaler(func() { panic("boom") }), nil },
		} {
			timeout := &Timeout{Logger: quiet(), Result: func(context.Context, *Invocation, *TimeoutError) (any, error) { return result() }}
			_, _, err := underTimeout(t, timeout, 3*time.Second, heed(time.Hour))
			if p, ok := errors.AsType[*PanicError](err); !ok || p.Value != "boom" {
				t.Errorf("%s: got %v", rule, err)
			}
		}
		own := &Timeout{Logger: quiet(), Result: func(context.Context, *Invocation, *TimeoutError) (any, error) { return nil, notFound{} }}
		if _, _, err := underTimeout(t, own, 3*time.Second, heed(time.Hour)); err != (notFound{}) {
			t.Errorf("an error of Result: got %v", err)
		}
		hangs := &Timeout{Logger: quiet(), Result: func(context.Context, *Invocation, *TimeoutError) (any, error) { time.Sleep(time.Hour); return nil, nil }}
		_, took, err := underTimeout(t, hangs, 3*time.Second, heed(time.Hour))
		if _, ok := errors.AsType[*TimeoutError](err); !ok || took >= 3*time.Second {
			t.Errorf("Result hangs: got %v after %v", err, took)
		}
		time.Sleep(2 * time.Hour)
	})
}

func TestGoexitIsReportedAtOnce(t *testing.T) {
	exit := func(context.Context, order) (receipt, error) { runtime.Goexit(); return receipt{}, nil }
	layer := Func(func(Handler) Handler {
		return func(context.Context, *Invocation) (any, error) { runtime.Goexit(); return nil, nil }
	})
	encoder := func(context.Context, order) (any, error) { return marshaler(runtime.Goexit), nil }
	for rule, f := range map[string]*Function{
		"of the handler":                    mustNew(t, exit),
		"of the handler, under a Timeout":   mustNew(t, exit, &Timeout{}),
		"of a layer":                        mustNew(t, accept, layer),
		"of the result's MarshalJSON":       mustNew(t, encoder),
		"of the handler, which a layer saw": mustNew(t, exit, Hooks{OnError: func(_ context.Context, _ *Invocation, err error) (any, error) { return "mapped", nil }}),
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			start := time.Now()
			_, err := lambda.NewHandler(f.entry).Invoke(ctx, []byte(`{}`))
			if e, ok := err.(messages.InvokeResponse_Error); !ok || e.Type != "GoexitError" || !e.ShouldExit || !strings.Contains(e.Message, "runtime.Goexit") {
				t.Errorf("%s: reported as %#v", rule, err)
			}
			if took := time.Since(start); took != 0 {
				t.Errorf("%s: reported after %v", rule, took)
			}
		})
	}
}

func TestHooksPairAlsoOverGoexit(t *testing.T) {
	var seen error
	see := Hooks{OnError: func(_ context.Context, _ *Invocation, err error) (any, error) { seen = err; return nil, err }}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, _ = mustNew(t, func(context.Context, order) (int, error) { runtime.Goexit(); return 0, nil }, see).Invoke(ctx, []byte(`{}`))
	if _, ok := seen.(*GoexitError); !ok {
		t.Fatalf("OnError saw %v", seen)
	}
}

func TestWithoutADeadlineGoexitIsTheCallersOwn(t *testing.T) {
	var log []string
	f := mustNew(t, func(context.Context, order) (int, error) { runtime.Goexit(); return 0, nil }, note(&log, "settled"))
	done := make(chan bool)
	go func() {
		defer close(done)
		_, _ = f.Invoke(context.Background(), []byte(`{}`))
		done <- true // not reached
	}()
	if <-done || !slices.Equal(log, []string{"settled"}) {
		t.Fatalf("Invoke returned, or did not settle: %q", log)
	}
}

func TestInvokeHasTheNamesOfStartUnderAwsLambdaGo(t *testing.T) {
	for _, c := range []struct {
		rule  string
		err   error
		panic any
		want  string
		exit  bool
	}{
		{"a type of one's own", notFound{}, nil, "notFound", false},
		{"behind words", fmt.Errorf("order: %w", notFound{}), nil, "notFound", false},
		{"a panic", nil, "boom", "string", true},
		{"an abandoned handler", &TimeoutError{Abandoned: true}, nil, "TimeoutError", true},
	} {
		t.Run(c.rule, func(t *testing.T) {
			f := mustNew(t, func(context.Context, order) (int, error) {
				if c.panic != nil {
					panic(c.panic)
				}
				return 0, c.err
			})
			_, started := lambda.NewHandler(f.entry).Invoke(t.Context(), []byte(`{}`))
			_, err := lambda.NewHandler(f).Invoke(t.Context(), []byte(`{}`))
			_, wrapped := lambda.NewHandler(func(ctx context.Context, b json.RawMessage) (any, error) {
				_, err := f.Invoke(ctx, b) // as the tracers' wrappers do
				return nil, err
			}).Invoke(t.Context(), []byte(`{}`))
			for _, got := range []error{started, err, wrapped} {
				e, ok := got.(messages.InvokeResponse_Error)
				if !ok {
					e = messages.InvokeResponse_Error{Type: typeName(got)}
				}
				if e.Type != c.want || e.ShouldExit != c.exit {
					t.Errorf("got %#v", got)
				}
			}
			_, plain := f.Invoke(t.Context(), []byte(`{}`))
			if c.err != nil && plain != c.err {
				t.Errorf("a caller of one's own gets %#v", plain)
			}
			if _, ok := errors.AsType[*PanicError](plain); c.panic != nil && !ok {
				t.Errorf("a caller of one's own gets %#v", plain)
			}
		})
	}
}

func TestAResultThatLambdaWouldRefuseIsNotSent(t *testing.T) {
	of := func(n int) *Function {
		return mustNew(t, func(context.Context, order) (string, error) { return strings.Repeat("x", n-2), nil })
	}
	if out, err := of(6291556).Invoke(t.Context(), []byte(`{}`)); err != nil || len(out) != 6291556 {
		t.Errorf("6291556 bytes: %d, %v", len(out), err)
	}
	_, err := of(6291557).Invoke(t.Context(), []byte(`{}`))
	if err == nil || err.Error() != "middy: the result has 6291557 bytes, and Lambda takes 6291556: return an io.Reader to stream it, or a link to S3" {
		t.Errorf("6291557 bytes: %v", err)
	}
	_, err = lambda.NewHandler(of(6291557).entry).Invoke(t.Context(), []byte(`{}`))
	if e, ok := err.(messages.InvokeResponse_Error); !ok || e.Type != "Function.ResponseSizeTooLarge" || e.ShouldExit {
		t.Errorf("reported as %v", typeName(err))
	}
	stream := func(n int) *Function {
		return mustNew(t, func(context.Context, order) (io.Reader, error) { return strings.NewReader(strings.Repeat("x", n)), nil })
	}
	if out, err := stream(7<<20).Invoke(t.Context(), []byte(`{}`)); err != nil || len(out) != 7<<20 {
		t.Errorf("a stream that is read in a test: %d, %v", len(out), err)
	}
	if out, err := lambda.NewHandler(stream(7<<20).entry).Invoke(t.Context(), []byte(`{}`)); err != nil || len(out) != 7<<20 {
		t.Errorf("a stream under Start: %d, %v", len(out), err)
	}
	breaks := mustNew(t, func(context.Context, order) (io.Reader, error) {
		return io.MultiReader(strings.NewReader(strings.Repeat("x", 7<<20)), &read{read: func([]byte) (int, error) { return 0, notFound{} }}), nil
	})
	if _, err := lambda.NewHandler(breaks).Invoke(t.Context(), []byte(`{}`)); report(err).Type != "notFound" {
		t.Errorf("a reader that breaks off is named %q", report(err).Type)
	}
	for n, refused := range map[int]bool{6291556: false, 6291557: true} {
		_, err := lambda.NewHandler(stream(n)).Invoke(t.Context(), []byte(`{}`))
		if e, ok := err.(messages.InvokeResponse_Error); ok != refused || ok && e.Type != "Function.ResponseSizeTooLarge" {
			t.Errorf("a reader of %d bytes that another loop sends as a whole: refused %v", n, ok)
		}
	}
}

// --- spans

func TestTheLastSpanOfAStreamingLayerEndsWithTheStream(t *testing.T) {
	for _, c := range []struct {
		rule string
		n    int
		left time.Duration
		err  string
	}{
		{"read whole", 4, time.Minute, "<nil>"},
		{"cut by the early timeout", 9, 5 * time.Second, "middy: timed out"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &observer{}
				pass := Func(func(next Handler) Handler {
					return func(ctx context.Context, inv *Invocation) (any, error) { return next(ctx, inv) }
				})
				h := func(ctx context.Context, _ order) (io.Reader, error) {
					time.Sleep(500 * time.Millisecond)
					return chunks(ctx, c.n), nil
				}
				ctx, cancel := context.WithTimeout(t.Context(), c.left)
				defer cancel()
				_, _ = mustNew(t, h, o, pass, &Timeout{Logger: quiet()}).Invoke(ctx, []byte(`{}`))
				var got []string
				for _, s := range o.spans {
					got = append(got, fmt.Sprintf("%d %s %v %.16s", s.Index, s.Phase, s.Duration, fmt.Sprint(s.Err)))
				}
				want := []string{"0 before 0s <nil>", "1 before 0s <nil>", "2 before 0s <nil>", "3 whole 4.5s " + c.err, "2 after 4s " + c.err, "1 after 4s " + c.err, "0 after 4s " + c.err}
				if !slices.Equal(got, want) {
					t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			})
		})
	}
}

func TestSpansOfWhatDoesNotReturnEndWithTheInvocation(t *testing.T) {
	boom := Func(func(Handler) Handler {
		return func(context.Context, *Invocation) (any, error) { panic("boom") }
	})
	for _, c := range []struct {
		rule string
		h    func(context.Context, order) (receipt, error)
		mw   []Middleware
		want string
	}{
		{"a layer that panics", accept, []Middleware{boom}, "0 before 0s <nil>, 1 whole 0s panic: boom, 0 after 0s panic: boom"},
		{"a handler that is abandoned", ignore(time.Hour), []Middleware{&Timeout{Logger: quiet()}}, "0 before 0s <nil>, 1 before 0s <nil>, 2 whole 2.625s middy: timed out, 1 after 2.625s middy: timed out, 0 after 2.625s middy: timed out"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &observer{}
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				_, _ = mustNew(t, c.h, append([]Middleware{o}, c.mw...)...).Invoke(ctx, []byte(`{}`))
				time.Sleep(2 * time.Hour) // what an abandoned handler does later is nobody's
				var got []string
				for _, s := range o.spans {
					got = append(got, fmt.Sprintf("%d %s %v %.16s", s.Index, s.Phase, s.Duration, fmt.Sprint(s.Err)))
				}
				if text := strings.Join(got, ", "); text != c.want {
					t.Errorf("got  %s\nwant %s", text, c.want)
				}
			})
		})
	}
}

func TestAPanicOfAnObserverAtTheEndIsLogged(t *testing.T) {
	var text bytes.Buffer
	f := mustNew(t, func(context.Context, order) (io.Reader, error) { return strings.NewReader("x"), nil },
		panicObserver{}, &Timeout{Logger: slog.New(slog.NewTextHandler(&text, nil))})
	if out, err := f.Invoke(t.Context(), []byte(`{}`)); string(out) != "x" || err != nil {
		t.Errorf("got %s, %v", out, err)
	}
	if !strings.Contains(text.String(), "middy: an Observer failed: panic: boom") {
		t.Errorf("the log: %s", text.String())
	}
}

type panicObserver struct{}

func (panicObserver) Wrap(next Handler) Handler { return next }
func (panicObserver) Observe(_ context.Context, s Span) {
	if s.Phase != "before" {
		panic("boom")
	}
}

func TestHooksHaveANameOfTheUsersChoice(t *testing.T) {
	always := func(context.Context, *Invocation) bool { return true }
	f := mustNew(t, accept, Hooks{Name: "audit"}, &Hooks{Name: "billing"}, Hooks{}, &Hooks{}, When(always, Hooks{Name: "beta"}))
	if got := strings.Join(f.Layers(), " "); got != "audit billing middy.Hooks middy.Hooks middy.When(beta)" {
		t.Errorf("layers %q", got)
	}
}

func TestTheLineOfATimeoutSaysWhatFollows(t *testing.T) {
	answer := func(context.Context, *Invocation, *TimeoutError) (any, error) { return 1, nil }
	for _, c := range []struct {
		rule      string
		result    func(context.Context, *Invocation, *TimeoutError) (any, error)
		h         func(context.Context, order) (receipt, error)
		want, not string
	}{
		{"the handler returned", nil, heed(time.Hour), "handler for 2.5s", "running"},
		{"it never returns: the sandbox is replaced", nil, ignore(time.Hour), "is still running, so the sandbox is replaced", "beside"},
		{"it never returns, with a Result", answer, ignore(time.Hour), "goes on running beside the next event", "replaced"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var text bytes.Buffer
				ctx, cancel := context.WithTimeout(lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "id-7"}), 3*time.Second)
				defer cancel()
				_, _ = mustNew(t, c.h, &Timeout{Result: c.result, Logger: slog.New(slog.NewTextHandler(&text, nil))}).Invoke(ctx, []byte(`{}`))
				for _, want := range []string{c.want, "errorType=TimeoutError", "requestId=id-7"} {
					if !strings.Contains(text.String(), want) {
						t.Errorf("%q is not in the line:\n%s", want, text.String())
					}
				}
				if strings.Contains(text.String(), c.not) || strings.Count(text.String(), "\n") != 1 {
					t.Errorf("the log:\n%s", text.String())
				}
				time.Sleep(2 * time.Hour)
			})
		})
	}
}
