package params

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomiddy/middy"
)

// initer is a middleware that does something at cold start.
type initer func(context.Context) error

func (i initer) Wrap(h middy.Handler) middy.Handler { return h }
func (i initer) Init(ctx context.Context) error     { return i(ctx) }

func TestARequiredValueMayBeReadInAnotherInit(t *testing.T) {
	t.Setenv("AWS_LAMBDA_FUNCTION_NAME", "orders")
	for i := range 1000 {
		s := New(Config{})
		db := String(s, NewRef(&instant{"x"}, "db").Required())
		f, err := middy.New(func(context.Context, any) (int, error) { return 1, nil }, s,
			initer(func(ctx context.Context) error { _, err := db.Lookup(ctx); return err }))
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Init(t.Context()); err != nil {
			t.Fatalf("cold start %d: %v", i, err)
		}
	}
}

// Between the moment at which an entry says that it is fetched and the one at
// which a goroutine does it, nobody may find that nothing is under way.
func TestAFetchThatHasNotLeftYetIsUnderWay(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(s *Store, leave func()){
		"Settle":         func(s *Store, leave func()) { leave() },
		"Close":          func(s *Store, leave func()) { leave(); _ = s.Close(context.Background()) },
		"BeforeSnapshot": func(s *Store, leave func()) { leave(); _ = s.BeforeSnapshot(context.Background()) },
		"Init":           func(s *Store, leave func()) { leave(); _ = s.Init(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake("a", "one")
				f.setLatency(time.Hour)
				cfg := plain()
				cfg.JoinBudget = -1
				s := New(cfg)
				v := String(s, f.ref("a"))
				_ = s.begin(t.Context())
				f1, _ := v.entry.takeOff()
				ended := make(chan struct{})
				go func() {
					end(s, func() { s.settle(context.Background()) })
					close(ended)
				}()
				synctest.Wait()
				select {
				case <-ended:
					t.Error("it ended before the fetch had begun")
				default:
				}
				s.schedule(t.Context(), []*flight{f1}, leave)
				<-ended
				if f.busy() != 0 {
					t.Error("a request survives")
				}
				_ = s.Close(t.Context())
			})
		})
	}
}

func TestPrefetchWaitsForDeclaredValuesOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, slow := newFake("a", "one"), newFake("b", "two")
		slow.name = "slow"
		slow.setLatency(4 * time.Second)
		s := New(plain())
		String(s, f.ref("a").Required())
		got := make(chan error)
		go func() {
			_, err := s.Lookup(t.Context(), slow.ref("b"))
			got <- err
		}()
		synctest.Wait()
		start := time.Now()
		if err := s.Init(t.Context()); err != nil || time.Since(start) != 10*time.Millisecond {
			t.Errorf("Init took %v: %v; want the 10 ms of the declared value", time.Since(start), err)
		}
		if err := <-got; err != nil || slow.count() != 1 {
			t.Errorf("somebody else's read: %v after %d requests", err, slow.count())
		}
	})
}

// stuck is a handler that blocks until the test ends, in a library without
// contexts.
func stuckFunction(t *testing.T, s *Store, v *Value[string], more ...middy.Middleware) (f *middy.Function, free func()) {
	hang := make(chan struct{})
	mw := append([]middy.Middleware{&middy.Timeout{
		Result: func(context.Context, *middy.Invocation, *middy.TimeoutError) (any, error) { return "503", nil }}, s}, more...)
	f, err := middy.New(func(ctx context.Context, wait bool) (string, error) {
		if wait {
			<-hang
		}
		return v.Get(ctx), nil
	}, mw...)
	if err != nil {
		t.Fatal(err)
	}
	return f, sync.OnceFunc(func() { close(hang) })
}

func call(f *middy.Function, event string) (time.Duration, string, error) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	out, err := f.Invoke(ctx, []byte(event))
	return time.Since(start), string(out), err
}

func TestAnInvocationWhoseHandlerWasGivenUpHasEnded(t *testing.T) {
	t.Setenv("AWS_LAMBDA_FUNCTION_NAME", "orders")
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(plain())
		v := String(s, f.ref("a").Required())
		fn, free := stuckFunction(t, s, v)
		defer free()
		if err := fn.Init(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, out, err := call(fn, "true"); out != `"503"` || err != nil {
			t.Fatalf("the early timeout answered %s, %v", out, err)
		}
		if s.active != 0 || s.epoch.Load() != idle {
			t.Errorf("%d invocations go on after the response", s.active)
		}
		f.setLatency(time.Hour)
		wait(10 * time.Minute)
		if took, out, err := call(fn, "false"); out != `"one"` || err != nil || took != 500*time.Millisecond {
			t.Errorf("after %v: %s, %v; want the old value after Patience and JoinBudget", took, out, err)
		}
		if f.busy() != 0 {
			t.Error("a request crosses into the freeze")
		}
		free() // the handler of the first event goes on, and leaves
		synctest.Wait()
		if s.active != 0 {
			t.Errorf("%d invocations are counted after the given up handler has returned", s.active)
		}
		start := time.Now()
		if err := s.Close(t.Context()); err != nil || time.Since(start) != 0 {
			t.Errorf("Close after %v: %v", time.Since(start), err)
		}
	})
}

// A layer that was given up may reach the Store when its invocation has ended.
func TestAnInvocationThatHasEndedDoesNotBeginAgain(t *testing.T) {
	t.Setenv("AWS_LAMBDA_FUNCTION_NAME", "orders")
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(plain())
		v := String(s, f.ref("a").Required())
		hang := make(chan struct{})
		fn, err := middy.New(func(ctx context.Context, _ any) (string, error) { return v.Get(ctx), nil },
			&middy.Timeout{Result: func(context.Context, *middy.Invocation, *middy.TimeoutError) (any, error) { return "503", nil }},
			middy.Func(func(next middy.Handler) middy.Handler {
				return func(ctx context.Context, inv *middy.Invocation) (any, error) {
					<-hang
					return next(ctx, inv)
				}
			}), s)
		if err != nil {
			t.Fatal(err)
		}
		if err := fn.Init(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, out, err := call(fn, "null"); out != `"503"` || err != nil {
			t.Fatalf("the early timeout answered %s, %v", out, err)
		}
		close(hang)
		synctest.Wait()
		if s.active != 0 || s.epoch.Load() != idle {
			t.Errorf("%d invocations go on", s.active)
		}
	})
}

// A layer outside the Store may not reach it, or call it twice.
func TestSettleIsPairedWithTheInvocationAndNotWithWrap(t *testing.T) {
	t.Setenv("AWS_LAMBDA_FUNCTION_NAME", "orders")
	for name, outer := range map[string]func(next middy.Handler) middy.Handler{
		"not reached": func(middy.Handler) middy.Handler {
			return func(context.Context, *middy.Invocation) (any, error) { return "cached", nil }
		},
		"called twice": func(next middy.Handler) middy.Handler {
			return func(ctx context.Context, inv *middy.Invocation) (any, error) {
				_, _ = next(ctx, inv)
				return next(ctx, inv)
			}
		},
		"called at once": func(next middy.Handler) middy.Handler {
			return func(ctx context.Context, inv *middy.Invocation) (out any, err error) {
				var wg sync.WaitGroup
				wg.Go(func() { _, _ = next(ctx, inv) })
				out, err = next(ctx, inv)
				wg.Wait()
				return out, err
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake("a", "one")
			f.setLatency(0)
			s := New(plain())
			v := String(s, f.ref("a"))
			most := 0
			fn, err := middy.New(func(ctx context.Context, _ any) (string, error) {
				s.mu.Lock()
				most = max(most, s.active)
				s.mu.Unlock()
				return v.Get(ctx), nil
			}, middy.Func(outer), s)
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if _, err := fn.Invoke(t.Context(), []byte("null")); err != nil {
					t.Fatal(err)
				}
				if s.active != 0 || s.epoch.Load() != idle || most > 1 {
					t.Errorf("%d invocations after the response, %d at most", s.active, most)
				}
			}
		})
	}
}

// A streamed response ends when its reader does: a refresh that begins while it is
// read is joined and cancelled there.
func TestSettleEndsWhatAStreamHasBegun(t *testing.T) {
	t.Setenv("AWS_LAMBDA_FUNCTION_NAME", "orders")
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(plain())
		v := String(s, f.ref("a").TTL(-1))
		fn, err := middy.New(func(ctx context.Context, _ any) (io.Reader, error) {
			f.setLatency(time.Hour)
			return readerFunc(func(p []byte) (int, error) {
				if s.active != 1 {
					t.Errorf("%d invocations while the response streams", s.active)
				}
				v.Suspect()
				reading, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
				defer cancel()
				_, _ = v.Lookup(reading)
				return copy(p, "x"), io.EOF
			}), nil
		}, s)
		if err != nil {
			t.Fatal(err)
		}
		_ = v.Get(t.Context())
		if out, err := fn.Invoke(t.Context(), []byte("null")); string(out) != "x" || err != nil {
			t.Errorf("%s, %v", out, err)
		}
		if f.busy() != 0 || s.active != 0 || s.epoch.Load() != idle {
			t.Errorf("%d requests, %d invocations after the end of the stream", f.busy(), s.active)
		}
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestWhoWaitsForAValueWhenTheStoreIsClosedIsNotServed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		cfg := plain()
		cfg.Patience = -1
		s := New(cfg)
		v := String(s, f.ref("a"))
		wantRead(t, s, v, "one")
		f.setLatency(time.Second)
		wait(10 * time.Minute)
		invoke(t, s, func(ctx context.Context) { // which keeps the value from being wiped
			time.AfterFunc(100*time.Millisecond, func() {
				ctx, cancel := context.WithCancel(context.Background())
				cancel()
				_ = s.Close(ctx)
			})
			if got, err := v.Lookup(ctx); !errors.Is(err, ErrClosed) {
				t.Errorf("got %q, %v; want ErrClosed", got, err)
			}
		})
	})
}

// A value that came although its fetch was cancelled is a value.
func TestWhatComesAfterItWasCancelledCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		f.setLatency(time.Second)
		s := New(plain())
		v := String(s, NewRef(deaf{f}, "a"))
		got := make(chan string)
		invoke(t, s, func(context.Context) {
			go func() {
				text, _ := v.Lookup(t.Context())
				got <- text
			}()
			wait(time.Millisecond)
		})
		if text := <-got; text != "one" {
			t.Errorf("got %q; want the value", text)
		}
		wantCalls(t, f, 1)
	})
}

func TestAColdStartFailsByTheLastFailureAndNamesAValueOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := New(plain())
		String(s, f.ref("a").Required())
		String(s, f.ref("a").Required())
		if err := s.Init(t.Context()); !errors.Is(err, ErrNotFound) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v; want ErrNotFound, once", err)
		}
		f.failWith("*", errDown)
		wait(time.Minute)
		if err := s.Init(t.Context()); !errors.Is(err, ErrUnavailable) {
			t.Errorf("got %v; want ErrUnavailable", err)
		}
	})
}

// A freeze ends a back-off, and the next invocation asks beside its handler.
func TestAfterAFreezeTheNextInvocationAsksAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(plain())
		v := String(s, f.ref("a"))
		wantRead(t, s, v, "one")
		f.failWith("*", errDown)
		wait(10 * time.Minute)
		wantRead(t, s, v, "one")
		wantCalls(t, f, 2)
		s.Thaw(t.Context(), middy.Gap{Wall: time.Hour})
		invoke(t, s, func(context.Context) {})
		wantCalls(t, f, 3)
	})
}

func TestNothingIsFetchedAfterClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(plain())
		v := String(s, f.ref("a"))
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		_ = s.Init(t.Context())
		if f.answered() != 0 || v.entry.state.Load().known() {
			t.Error("a closed Store has fetched a value; want its fetch cancelled")
		}
	})
}

func TestWhatWasWipedBeforeItsReaderCameIsNoZeroValue(t *testing.T) {
	t.Parallel()
	s := New(plain())
	e := s.entryFor(newFake().ref("a"), asName)
	if st, _, err := s.landed(e, &flight{e: e}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v, %v; want ErrUnavailable", st, err)
	}
}

func TestCloseLeavesWhatAnInvocationHolds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		handler time.Duration // goes on for
		took    time.Duration
		fails   bool
	}{
		{"the invocation ends in time", 100 * time.Millisecond, 100 * time.Millisecond, false},
		{"the invocation goes on", time.Second, 400 * time.Millisecond, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake("a", "s3cret", "b", "other")
				s := New(plain())
				v, w := Hidden(s, f.ref("a")), Hidden(s, f.ref("b"))
				var held Secret
				fn, err := middy.New(func(ctx context.Context, _ any) (int, error) {
					held = v.Get(ctx)
					wait(50 * time.Millisecond)
					if got := w.Get(ctx).Reveal(); got != "other" {
						t.Errorf("a value that is read while Close waits is %q", got)
					}
					wait(tt.handler - 60*time.Millisecond)
					if got := held.Reveal(); got != "s3cret" {
						t.Errorf("the handler logs in with %q", got)
					}
					return 1, nil
				}, s)
				if err != nil {
					t.Fatal(err)
				}
				ended := make(chan struct{})
				go func() {
					_, _ = fn.Invoke(context.Background(), []byte("null"))
					close(ended)
				}()
				wait(10 * time.Millisecond)
				ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
				defer cancel()
				start := time.Now()
				err = s.Close(ctx)
				if took := time.Since(start); took != tt.took || (err != nil) != tt.fails {
					t.Errorf("Close took %v: %v; want %v, and an error: %v", took, err, tt.took, tt.fails)
				}
				if _, err := v.Lookup(t.Context()); !errors.Is(err, ErrClosed) {
					t.Errorf("a read after Close: %v; want ErrClosed", err)
				}
				<-ended
				synctest.Wait()
				if held.Use(func([]byte) {}) {
					t.Error("the value was not wiped when nobody was inside")
				}
			})
		})
	}
}

func TestAWipedSecretIsNoEmptyOne(t *testing.T) {
	t.Parallel()
	f := newFake("a", "s3cret")
	s := New(plain())
	secret, err := Hidden(s, f.ref("a")).Lookup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Close(t.Context())
	fn, err := middy.New(func(context.Context, any) (string, error) { return secret.Reveal(), nil }, New(plain()))
	if err != nil {
		t.Fatal(err)
	}
	_, err = fn.Invoke(t.Context(), []byte("null"))
	if wiped, ok := errors.AsType[*WipedError](err); !ok || wiped.Version != "1" || !errors.Is(err, ErrClosed) || !strings.Contains(err.Error(), "closed") {
		t.Errorf("the invocation failed with %T: %v; want a *WipedError", err, err)
	}
}

// A handler that recovers by itself, or a layer of another package, knows the
// panic of Get by its method alone.
func TestThePanicOfGetSaysWhatFailed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := String(New(plain()), newFake().ref("a"))
		defer func() {
			p := recover()
			failure, ok := p.(interface{ Failure() error })
			if !ok || !errors.Is(failure.Failure(), ErrNotFound) {
				t.Fatalf("Get panicked with %T: %v", p, p)
			}
			if _, typed := failure.Failure().(*Error); !typed {
				t.Errorf("the failure is a %T", failure.Failure())
			}
			if text := p.(error).Error(); !strings.Contains(text, "Value.Lookup") {
				t.Errorf("a process that ends by it does not say what to do: %s", text)
			}
		}()
		_ = v.Get(t.Context())
	})
}

// goexit ends the goroutine that asks it, as t.FailNow does in a fake.
type goexit struct {
	batchFake
	in string
}

func (g goexit) Fetch(ctx context.Context, k Key) (Raw, error) {
	if g.in == "Fetch" {
		runtime.Goexit()
	}
	return g.batchFake.Fetch(ctx, k)
}

func (g goexit) FetchBatch(ctx context.Context, keys []Key) ([]Result, error) {
	if g.in == "FetchBatch" {
		runtime.Goexit()
	}
	return g.batchFake.FetchBatch(ctx, keys)
}

func (g goexit) Batchable(Key) bool {
	switch g.in {
	case "Batchable":
		runtime.Goexit()
	case "Batchable, by a panic":
		panic("secret-canary")
	}
	return true
}

func TestACallbackThatEndsItsGoroutineLeavesNobodyWaiting(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"Fetch", "FetchBatch", "Batchable", "Batchable, by a panic", "OnEvent", "OnEvent, by a panic"} {
		t.Run(in, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := plain()
				switch in {
				case "OnEvent":
					cfg.OnEvent = func(Event) { runtime.Goexit() }
				case "OnEvent, by a panic":
					cfg.OnEvent = func(Event) { panic("x") }
				}
				s := New(cfg)
				var values []*Value[string]
				for _, id := range []string{"a", "b", "c"} {
					values = append(values, String(s, NewRef(goexit{batchFake{newFake("a", "1", "b", "2", "c", "3")}, in}, id)))
				}
				start := time.Now()
				if err := s.Init(t.Context()); err != nil || time.Since(start) > time.Second {
					t.Errorf("Init after %v: %v", time.Since(start), err)
				}
				invoke(t, s, func(ctx context.Context) {
					for _, v := range values {
						read := make(chan error, 1) // OnEvent may end the reader's goroutine
						go func() {
							defer close(read)
							_, err := v.Lookup(ctx)
							read <- err
						}()
						if err := <-read; err != nil && strings.Contains(err.Error(), "canary") {
							t.Error(err)
						}
					}
				})
				if time.Since(start) > time.Second || len(s.flights) != 0 {
					t.Errorf("after %v %d fetches are under way", time.Since(start), len(s.flights))
				}
			})
		})
	}
}
