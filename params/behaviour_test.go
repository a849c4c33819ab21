package params

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomiddy/middy"
)

// clock is a wall clock that can be stepped, on top of virtual time.
type clock struct{ step atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.step.Load())) }

func stepped() (*clock, Config) {
	c, cfg := &clock{}, plain()
	cfg.Now = c.now
	return c, cfg
}

func TestAgesGoByTheWallClock(t *testing.T) {
	// The monotonic clock stood still over a freeze: only the wall clock knows.
	synctest.Test(t, func(t *testing.T) {
		c, cfg := stepped()
		f := newFake("a", "one")
		s := New(cfg)
		v := String(s, f.ref("a"))
		wantRead(t, s, v, "one")
		f.put("a", "two")
		c.step.Store(int64(5*time.Minute - time.Second))
		wantRead(t, s, v, "one")
		c.step.Store(int64(5 * time.Minute))
		wantRead(t, s, v, "two")
	})
}

func TestAClockSetBackMakesNoImmortalEntry(t *testing.T) {
	for _, tt := range []struct {
		back  time.Duration
		calls int
	}{{time.Second, 1}, {time.Second + 11*time.Millisecond, 2}, {24 * time.Hour, 2}} {
		synctest.Test(t, func(t *testing.T) {
			c, cfg := stepped()
			f := newFake("a", "one")
			s := New(cfg)
			v := String(s, f.ref("a"))
			wantRead(t, s, v, "one")
			c.step.Store(-int64(tt.back))
			wantRead(t, s, v, "one")
			if n := f.count(); n != tt.calls {
				t.Errorf("%v back: %d requests; want %d", tt.back, n, tt.calls)
			}
		})
	}
	t.Run("in an outage the hard limit counts from the step", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, cfg := stepped()
			f := newFake("a", "one")
			s := New(cfg)
			v := String(s, f.ref("a"))
			wantRead(t, s, v, "one")
			f.failWith("*", errDown)
			c.step.Store(-int64(10 * 24 * time.Hour))
			wantRead(t, s, v, "one")
			wait(24*time.Hour - time.Minute)
			wantRead(t, s, v, "one")
			wait(2 * time.Minute)
			wantErr(t, s, v, ErrStale)
		})
	})
	t.Run("a back-off from the future does not count", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, cfg := stepped()
			f := newFake()
			s := New(cfg)
			v := String(s, f.ref("a"))
			wantErr(t, s, v, ErrNotFound)
			f.put("a", "one")
			c.step.Store(-int64(time.Hour))
			wantRead(t, s, v, "one")
		})
	})
}

func TestThawLooksAtAgesAgainAndKeepsValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, cfg := stepped()
		f := newFake("a", "one")
		s := New(cfg)
		v := String(s, f.ref("a"))
		wantRead(t, s, v, "one")
		for range 100 { // a freeze between any two invocations is no reason to ask again
			c.step.Add(int64(2 * time.Second))
			s.Thaw(t.Context(), middy.Gap{Wall: 2 * time.Second})
			wantRead(t, s, v, "one")
		}
		wantCalls(t, f, 1)
	})
	for gap, calls := range map[middy.Gap]int{
		{Wall: time.Second, Mono: time.Second}: 1, {Wall: time.Second}: 1, {Wall: time.Second + 1}: 2, {Mono: time.Second + 1}: 2,
	} {
		t.Run(fmt.Sprint("failures are forgotten when the clocks disagree: ", gap), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				s := New(plain())
				v := String(s, f.ref("a"))
				wantErr(t, s, v, ErrNotFound)
				s.Thaw(t.Context(), gap)
				wantErr(t, s, v, ErrNotFound)
				wantCalls(t, f, calls)
			})
		})
	}
}

func TestPolicy_ManagedInstances(t *testing.T) {
	t.Setenv("AWS_LAMBDA_MAX_CONCURRENCY", "64")
	t.Setenv("AWS_LAMBDA_FUNCTION_NAME", "orders")
	t.Run("one request's deadline is not the others'", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake("a", "one", "revoked", "x")
			f.failWith("revoked", kind(Denied))
			f.setLatency(time.Second)
			s := New(plain())
			v, r := String(s, f.ref("a")), String(s, f.ref("revoked"))
			results := make(chan error, 64)
			for i := range 64 {
				go func() {
					ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
					defer cancel()
					if i > 0 {
						ctx = t.Context()
					}
					h := s.Wrap(func(ctx context.Context, _ *middy.Invocation) (any, error) {
						if i == 1 {
							return r.Lookup(ctx)
						}
						return v.Lookup(ctx)
					})
					_, err := h(ctx, &middy.Invocation{})
					results <- err
				}()
				if i == 0 {
					synctest.Wait()
				}
			}
			var late, denied int
			for range 64 {
				switch err := <-results; {
				case errors.Is(err, context.DeadlineExceeded):
					late++
				case errors.Is(err, ErrDenied):
					denied++
				case err != nil:
					t.Error(err)
				}
			}
			if late != 1 || denied != 1 {
				t.Error(late, denied)
			}
			wantCalls(t, f, 2)
		})
	})
	t.Run("a refresh may outlive its request, and ends at Close", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake("a", "one")
			s := New(Config{Jitter: -1, Rand: func() float64 { return 0 }})
			v := String(s, f.ref("a"))
			wantRead(t, s, v, "one")
			f.put("a", "two")
			f.setLatency(time.Second)
			wait(250 * time.Second)
			took := invoke(t, s, func(ctx context.Context) { _ = v.Get(ctx) })
			synctest.Wait()
			if took != 0 || f.busy() != 1 {
				t.Error(took, f.busy())
			}
			wait(2 * time.Second)
			wantRead(t, s, v, "two")
			if err := s.Close(t.Context()); err != nil || f.busy() != 0 {
				t.Error(err)
			}
		})
	})
}

func TestConcurrentInvocationsShareTheJoin(t *testing.T) {
	// Two at a time without Managed Instances: a local server.
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(Config{Jitter: -1, Rand: func() float64 { return 0 }})
		v := String(s, f.ref("a"))
		wantRead(t, s, v, "one")
		f.put("a", "two")
		f.setLatency(time.Second)
		wait(250 * time.Second)
		done := make(chan time.Duration)
		go func() {
			done <- invoke(t, s, func(context.Context) { wait(900 * time.Millisecond) })
		}()
		synctest.Wait()
		if took := invoke(t, s, func(ctx context.Context) { _ = v.Get(ctx) }); took != 0 {
			t.Error("the first of two waited", took)
		}
		if took := <-done; took != time.Second {
			t.Error("the last one did not join:", took)
		}
		wantRead(t, s, v, "two")
	})
}

func TestAReaderWhoseFlightIsCancelledFliesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		f.setLatency(time.Second)
		s := New(plain())
		v := String(s, f.ref("a"))
		got := make(chan string)
		go func() { got <- v.Get(t.Context()) }() // a goroutine of the user's, outside
		synctest.Wait()
		if took := invoke(t, s, func(context.Context) {}); took != 250*time.Millisecond { // joins, and cancels
			t.Error("a reader that outlives its invocation held the response up:", took)
		}
		if text := <-got; text != "one" {
			t.Error(text)
		}
		wantCalls(t, f, 2)
	})
}

func TestPatience(t *testing.T) {
	for _, tt := range []struct {
		latency, took time.Duration
		want          string
	}{
		{249 * time.Millisecond, 249 * time.Millisecond, "two"},
		{251 * time.Millisecond, 250 * time.Millisecond, "one"},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake("a", "one")
			cfg := plain()
			cfg.JoinBudget = -1
			s := New(cfg)
			v := String(s, f.ref("a"))
			_ = v.Get(t.Context())
			f.put("a", "two")
			f.setLatency(tt.latency)
			wait(5 * time.Minute)
			start := time.Now()
			if got := v.Get(t.Context()); got != tt.want || time.Since(start) != tt.took {
				t.Errorf("%q after %v", got, time.Since(start))
			}
			wait(time.Second)
		})
	}
	t.Run("grows, so that a slow source still confirms", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake("a", "one")
			s := New(plain())
			v := String(s, f.ref("a"))
			wantRead(t, s, v, "one")
			f.put("a", "two")
			f.setLatency(900 * time.Millisecond)
			wait(5 * time.Minute)
			for range 10 {
				if got, _ := read(t, s, v); got == "two" {
					return
				}
				wait(30 * time.Second)
			}
			t.Error("a source that takes 900 ms was never waited for")
		})
	})
	t.Run("negative: as long as the fetch takes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake("a", "one")
			cfg := plain()
			cfg.Patience = -1
			s := New(cfg)
			v := String(s, f.ref("a"))
			wantRead(t, s, v, "one")
			f.put("a", "two")
			f.setLatency(4 * time.Second)
			wait(5 * time.Minute)
			wantRead(t, s, v, "two")
		})
	})
	t.Run("a caller in a hurry gets the old value", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake("a", "one")
			s := New(plain())
			v := String(s, f.ref("a"))
			wantRead(t, s, v, "one")
			f.setLatency(time.Second)
			wait(5 * time.Minute)
			invoke(t, s, func(ctx context.Context) {
				ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
				defer cancel()
				if got, err := v.Lookup(ctx); got != "one" || err != nil {
					t.Error(got, err)
				}
			})
		})
	})
}

func TestABlackHoleCostsLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(Config{})
		v := String(s, f.ref("a"))
		wantRead(t, s, v, "one")
		f.setLatency(time.Hour)
		wait(6 * time.Minute)
		var slow int
		for range 3600 {
			if took := invoke(t, s, func(ctx context.Context) { _ = v.Get(ctx) }); took > 5*time.Millisecond {
				slow++
			}
			wait(time.Second)
		}
		if slow > 90 {
			t.Errorf("%d of 3,600 invocations waited", slow)
		}
	})
}

func TestPolicy_FailoverChain(t *testing.T) {
	two := func(t *testing.T, fn func(t *testing.T, a, b *fake, s *Store, v *Value[string])) {
		synctest.Test(t, func(t *testing.T) {
			a, b := newFake("x", "primary"), newFake("x", "replica")
			b.name = "replica"
			s := New(plain())
			fn(t, a, b, s, String(s, a.ref("x").Fallback(b.ref("x"))))
		})
	}
	t.Run("the primary answers: nobody else is asked", func(t *testing.T) {
		two(t, func(t *testing.T, a, b *fake, s *Store, v *Value[string]) {
			wantRead(t, s, v, "primary")
			wantCalls(t, b, 0)
		})
	})
	for _, k := range []Kind{Unavailable, Throttled} {
		t.Run("the primary is "+k.String(), func(t *testing.T) {
			two(t, func(t *testing.T, a, b *fake, s *Store, v *Value[string]) {
				a.failWith("*", kind(k))
				wantRead(t, s, v, "replica")
				if s.Stats().Fallbacks != 1 {
					t.Error(s.Stats())
				}
			})
		})
	}
	for _, k := range []Kind{NotFound, Denied, Deleted, Undecryptable} {
		t.Run("the primary says "+k.String()+": that is an answer", func(t *testing.T) {
			two(t, func(t *testing.T, a, b *fake, s *Store, v *Value[string]) {
				a.failWith("*", kind(k))
				wantErr(t, s, v, k.sentinel())
				wantCalls(t, b, 0)
			})
		})
	}
	t.Run("hedge", func(t *testing.T) {
		for latency, calls := range map[time.Duration]int{299 * time.Millisecond: 0, 301 * time.Millisecond: 1} {
			two(t, func(t *testing.T, a, b *fake, s *Store, v *Value[string]) {
				a.setLatency(latency)
				start := time.Now()
				_, err := read(t, s, v)
				wantCalls(t, b, calls)
				if err != nil || time.Since(start) > 310*time.Millisecond || a.busy() != 0 {
					t.Error(err, time.Since(start))
				}
			})
		}
	})
	t.Run("a black hole as primary: the hedge wins, the rest is cancelled", func(t *testing.T) {
		two(t, func(t *testing.T, a, b *fake, s *Store, v *Value[string]) {
			a.setLatency(time.Hour)
			start := time.Now()
			wantRead(t, s, v, "replica")
			if took := time.Since(start); took != 310*time.Millisecond || a.busy() != 0 {
				t.Error(took, a.busy())
			}
		})
	})
	t.Run("without a hedge the fallback waits for the failure", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, b := newFake("x", "primary"), newFake("x", "replica")
			cfg := plain()
			cfg.HedgeAfter = -1
			s := New(cfg)
			b.name = "replica"
			v := String(s, a.ref("x").Fallback(b.ref("x")))
			a.setLatency(4 * time.Second)
			wantRead(t, s, v, "primary")
			wantCalls(t, b, 0)
		})
	})
	t.Run("all fail: the primary's error", func(t *testing.T) {
		two(t, func(t *testing.T, a, b *fake, s *Store, v *Value[string]) {
			a.failWith("*", kind(Throttled))
			b.failWith("*", kind(NotFound))
			wantErr(t, s, v, ErrThrottled)
		})
	})
	t.Run("a replica that lags does not take the value back", func(t *testing.T) {
		two(t, func(t *testing.T, a, b *fake, s *Store, v *Value[string]) {
			wait(time.Hour)
			a.put("x", "newer")
			wantRead(t, s, v, "newer")
			a.failWith("*", errDown)
			wait(time.Hour)
			wantRead(t, s, v, "newer") // b's version is older
			b.mu.Lock()
			b.values["x"] = fakeValue{"newest", "7", time.Now()}
			b.mu.Unlock()
			wait(time.Hour)
			wantRead(t, s, v, "newest")
		})
	})
	t.Run("the primary may go back: a rotation was rolled back", func(t *testing.T) {
		two(t, func(t *testing.T, a, b *fake, s *Store, v *Value[string]) {
			a.put("x", "new")
			wantRead(t, s, v, "new")
			a.mu.Lock()
			a.values["x"] = fakeValue{"old", "1", time.Now().Add(-time.Hour)}
			a.mu.Unlock()
			wait(time.Hour)
			wantRead(t, s, v, "old")
		})
	})
	t.Run("a local source may lack the value", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, b := local{newFake()}, newFake("x", "remote")
			b.name = "remote"
			s := New(plain())
			wantRead(t, s, String(s, NewRef(a, "x").Fallback(b.ref("x"))), "remote")
		})
	})
	t.Run("in a batch that fails", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, b := batchFake{newFake("x", "1", "y", "2", "z", "3")}, newFake("x", "replica")
			b.name = "replica"
			a.failWith("*", errDown)
			s := New(plain())
			v := String(s, a.ref("x").Fallback(b.ref("x")))
			String(s, a.ref("y"))
			String(s, a.ref("z"))
			if err := s.Init(t.Context()); err != nil {
				t.Fatal(err)
			}
			wantRead(t, s, v, "replica")
		})
	})
}

type local struct{ *fake }

func (local) Local() bool { return true }

func TestGetPanicsBecomeTheInvocationsError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := New(plain())
		v := String(s, f.ref("a"))
		fn, err := middy.New(func(ctx context.Context, _ struct{}) (string, error) { return v.Get(ctx), nil }, s)
		if err != nil {
			t.Fatal(err)
		}
		_, err = fn.Invoke(t.Context(), []byte("{}"))
		if !errors.Is(err, ErrNotFound) && !strings.Contains(fmt.Sprint(err), `fake "a"`) {
			t.Errorf("%T %v", err, err)
		}
		if _, isPanic := errors.AsType[*middy.PanicError](err); isPanic {
			t.Error("it would end the sandbox")
		}
		// Another panic stays one.
		_, err = s.Wrap(func(context.Context, *middy.Invocation) (any, error) {
			return nil, &middy.PanicError{Value: "mine"}
		})(t.Context(), &middy.Invocation{})
		if _, isPanic := errors.AsType[*middy.PanicError](err); !isPanic {
			t.Error(err)
		}
		func() {
			defer func() {
				if err, ok := recover().(error); !ok || !errors.Is(err, ErrNotFound) || err.Error() == "" {
					t.Error("outside the middleware Get panics with an error")
				}
			}()
			_ = v.Get(t.Context())
		}()
	})
}

func TestAPanickingHandlerIsJoinedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(Config{Jitter: -1, Rand: func() float64 { return 0 }})
		v := String(s, f.ref("a"))
		wantRead(t, s, v, "one")
		f.setLatency(time.Second)
		wait(250 * time.Second)
		func() {
			defer func() { _ = recover() }()
			_, _ = s.Wrap(func(context.Context, *middy.Invocation) (any, error) { panic("x") })(t.Context(), &middy.Invocation{})
		}()
		if f.busy() != 0 {
			t.Error("a request survives a panic")
		}
	})
}

func TestAPanickingProviderIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(plain())
		v := String(s, NewRef(panicking{newFake()}, "a"))
		err := wantErr(t, s, v, ErrUnavailable)
		if strings.Contains(err.Error(), "canary") {
			t.Error(err)
		}
	})
}

type panicking struct{ *fake }

func (panicking) Fetch(context.Context, Key) (Raw, error) { panic("secret-canary") }

func TestOptional(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("denied", "x")
		f.failWith("denied", kind(Denied))
		s := New(plain())
		v := String(s, f.ref("a").Optional())
		wantRead(t, s, v, "")
		wantErr(t, s, String(s, f.ref("denied").Optional()), ErrDenied)
		f.put("a", "one")
		wait(5*time.Minute - time.Second)
		wantRead(t, s, v, "") // that it is missing has a TTL, as a value has
		wait(time.Second)
		wantRead(t, s, v, "one")
		if v.Version() != "1" || v.Ref().String() != "fake:a" {
			t.Error(v.Version(), v.Ref())
		}
	})
}

func TestFetchesCarryTheContextsValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(plain())
		v := String(s, f.ref("a"))
		_ = v.Get(context.WithValue(t.Context(), traceKey{}, "Root=1-a"))
		if f.seen[0] != "Root=1-a" {
			t.Error(f.seen)
		}
	})
}

func TestViewsShareOneEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", `{"user":"u","n":7,"deep":{"x":[1,{"y":true}]},"d":"30s"}`)
		s := New(plain())
		user, n := String(s, f.ref("a").Field("user")), Int(s, f.ref("a#n"))
		y, d := Bool(s, f.ref("a#deep.x.1.y")), Duration(s, f.ref("a#d"))
		sec, all := Hidden(s, f.ref("a#user")), JSON[map[string]any](s, f.ref("a"))
		invoke(t, s, func(ctx context.Context) {
			if user.Get(ctx) != "u" || n.Get(ctx) != 7 || !y.Get(ctx) || d.Get(ctx) != 30*time.Second ||
				sec.Get(ctx).Reveal() != "u" || len(all.Get(ctx)) != 4 {
				t.Error("wrong values")
			}
		})
		wantCalls(t, f, 1)
		// A stage and a version are other values.
		if _, err := s.Lookup(t.Context(), f.ref("a").Stage("AWSPENDING")); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
	})
}

func TestDecodeErrorOnANewVersionKeepsTheOldValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events []Event
		f := newFake("a", "7")
		cfg := plain()
		cfg.OnEvent = locked(func(e Event) {
			if e.Kind == EventDecode {
				events = append(events, e)
			}
		})
		s := New(cfg)
		v := Int(s, f.ref("a"))
		wantRead(t, s, v, 7)
		broken := time.Now()
		f.put("a", "seven-canary")
		wait(time.Hour)
		for range 3 {
			wantRead(t, s, v, 7)
		}
		if len(events) != 1 || events[0].Version != "2" || s.Stats().DecodeErrors != 1 {
			t.Error("it must be reported once:", events)
		}
		f.setLatency(0)
		wait(time.Until(broken.Add(24*time.Hour - time.Nanosecond)))
		wantRead(t, s, v, 7)
		wait(time.Nanosecond)
		err := wantErr(t, s, v, ErrDecode)
		want := `params: fake "a" (version 2) is not a int: it is not a whole number`
		if err.Error() != want {
			t.Error(err)
		}
		f.put("a", "8")
		wait(time.Hour)
		wantRead(t, s, v, 8)
	})
}

func TestEventsHaveNamesOnlyIfAllowed(t *testing.T) {
	for _, allowed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var text strings.Builder
			cfg := plain()
			cfg.NamesInEvents = allowed
			cfg.OnEvent = locked(func(e Event) { fmt.Fprintf(&text, "%s %+v\n", e.Kind, e) })
			f := newFake()
			s := New(cfg)
			v := String(s, f.ref("prod/name-canary"))
			wantErr(t, s, v, ErrNotFound)
			wantErr(t, s, v, ErrNotFound)
			if got := strings.Contains(text.String(), "name-canary"); got != allowed {
				t.Error(text.String())
			}
			if !strings.Contains(text.String(), "negative") || !strings.Contains(text.String(), "not found") {
				t.Error(text.String())
			}
		})
	}
}

func TestPolicy_Metrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kinds := map[EventKind]int{}
		cfg := plain()
		cfg.OnEvent = locked(func(e Event) { kinds[e.Kind]++ })
		f := newFake("a", "one")
		s := New(cfg)
		v := String(s, f.ref("a"))
		wantRead(t, s, v, "one") // fetch, changed
		wait(time.Hour)
		wantRead(t, s, v, "one") // fetch, unchanged
		f.failWith("*", errDown)
		wait(time.Hour)
		wantRead(t, s, v, "one") // fetch, stale
		f.failWith("*", kind(Denied))
		wait(time.Hour)
		wantRead(t, s, v, "one") // fetch, forbidden, stale
		wait(time.Hour)
		wantErr(t, s, v, ErrDenied) // fetch, revoked
		wantErr(t, s, v, ErrDenied) // negative
		s.Thaw(t.Context(), middy.Gap{})
		_ = s.Close(t.Context())
		for k, n := range map[EventKind]int{EventFetch: 5, EventChanged: 1, EventUnchanged: 1, EventForbidden: 1, EventRevoked: 1,
			EventNegative: 1, EventClock: 1, EventWiped: 1} {
			if kinds[k] != n {
				t.Errorf("%s: %d; want %d", k, kinds[k], n)
			}
		}
		got := s.Stats()
		if got.Requests != 5 || got.Failures != 3 || got.Fetched != 2 || got.Unchanged != 1 || got.Negative != 1 || got.Stale < 2 {
			t.Errorf("%+v", got)
		}
	})
}

func TestValidate(t *testing.T) {
	p := newFake()
	for _, tt := range []struct {
		name string
		cfg  Config
		ref  Ref
		want string
	}{
		{"jitter", Config{Jitter: 1}, p.ref("a"), "Jitter is 1"},
		{"early", Config{EarlyRefresh: 1}, p.ref("a"), "EarlyRefresh is 1"},
		{"timeout", Config{FetchTimeout: -1}, p.ref("a"), "FetchTimeout is negative"},
		{"stale below TTL", Config{TTL: time.Hour, MaxStale: time.Hour - 1}, p.ref("a"), "MaxStale"},
		{"stale as TTL", Config{TTL: time.Hour, MaxStale: time.Hour}, p.ref("a"), ""},
		{"negative max", Config{NegativeTTL: 61 * time.Second}, p.ref("a"), "NegativeMax"},
		{"negative max as TTL", Config{NegativeTTL: 60 * time.Second}, p.ref("a"), ""},
		{"all negative is valid", Config{TTL: -1, Jitter: -1, EarlyRefresh: -1, MaxStale: -1, Patience: -1, NegativeTTL: -1, Recheck: -1}, p.ref("a"), ""},
		{"no provider", Config{}, Ref{}, "without a provider"},
		{"no name", Config{}, p.ref(""), "without a name"},
		{"required and optional", Config{}, p.ref("a").Required().Optional(), "both Required and Optional"},
		{"replica without regions", Config{}, p.ref("a").Replica("eu-west-1"), "knows no regions"},
		{"empty fallback", Config{}, p.ref("a").Fallback(Ref{}), "fallback without a provider"},
		{"field path", Config{}, p.ref("a#x..y"), "empty part"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := New(tt.cfg)
			v := String(s, tt.ref)
			err := s.Validate()
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || s.Init(t.Context()) == nil {
				t.Error(err)
			}
			if tt.cfg.TTL == 0 && tt.cfg.Jitter == 0 && tt.cfg.EarlyRefresh == 0 && tt.cfg.FetchTimeout == 0 && tt.cfg.NegativeTTL == 0 {
				if _, err := v.Lookup(t.Context()); err == nil {
					t.Error("a bad declaration was read")
				}
				if _, err := s.Lookup(t.Context(), tt.ref); err == nil && tt.name != "required and optional" {
					t.Error("a bad reference was looked up")
				}
				if s.Refresh(t.Context(), tt.ref) == nil {
					t.Error("a bad reference was refreshed")
				}
			}
		})
	}
}

func TestRefString(t *testing.T) {
	p := newFake()
	for want, r := range map[string]Ref{
		"params.Ref{}": {}, "fake:a": p.ref("a"), "fake:a#b.c": p.ref("a#b.c"), "fake:a@1#f": p.ref("a").Version("1").Field("f"),
		"fake:a@AWSPENDING": p.ref("a").Stage("AWSPENDING"),
	} {
		if r.String() != want {
			t.Errorf("%s; want %s", r, want)
		}
	}
	base := p.ref("a").Fallback(p.ref("b"))
	one, two := base.Fallback(p.ref("c")), base.Fallback(p.ref("d"))
	if one.fallback[1].key.ID != "c" || two.fallback[1].key.ID != "d" {
		t.Error("two references share their fallbacks")
	}
	if s := (Source{Service: "x", Region: "r", Identity: "secret-canary"}); fmt.Sprintf("%v %+v %#v", s, s, s) != "x in r x in r x in r" {
		t.Errorf("%+v %#v", s, s)
	}
}

func TestKinds(t *testing.T) {
	for k := Unavailable; k <= Unanswered; k++ {
		err := &Error{Kind: k, Service: "s", Name: "n", Err: context.Canceled}
		if k.String() == "" || !errors.Is(err, k.sentinel()) || !errors.Is(err, context.Canceled) || KindOf(fmt.Errorf("x: %w", err)) != k {
			t.Error(k)
		}
		if !strings.HasPrefix(err.Error(), `params: s "n": `) {
			t.Error(err)
		}
	}
	if Kind(0).String() != "" || KindOf(errors.New("x")) != Unavailable {
		t.Error("an unknown error is not Unavailable")
	}
}

func TestARequiredValueThatIsMissingFailsTheColdStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("c", "x")
		f.failWith("b", kind(Denied))
		s := New(plain())
		String(s, f.ref("a").Required())
		String(s, f.ref("b").Required())
		String(s, f.ref("c").Required())
		String(s, f.ref("d"))
		err := s.Init(t.Context())
		if !errors.Is(err, ErrNotFound) || !errors.Is(err, ErrDenied) || strings.Count(err.Error(), "\n") != 1 {
			t.Error(err)
		}
	})
}

func TestANewerDeclarationTightensWhatIsThere(t *testing.T) {
	for _, tt := range []struct {
		name  string
		again func(Ref) Ref
		after time.Duration
		err   error
		calls int
	}{
		{"a shorter TTL", func(r Ref) Ref { return r.TTL(time.Minute) }, 2 * time.Minute, nil, 2},
		{"a shorter limit", func(r Ref) Ref { return r.MaxStale(6 * time.Minute) }, 7 * time.Minute, ErrStale, 2},
		{"both", func(r Ref) Ref { return r.TTL(time.Minute).MaxStale(90 * time.Second) }, 2 * time.Minute, ErrStale, 2},
		{"the same keeps its jitter", func(r Ref) Ref { return r.TTL(5 * time.Minute).MaxStale(24 * time.Hour) }, 340 * time.Second, nil, 1},
		{"a longer one changes nothing", func(r Ref) Ref { return r.TTL(time.Hour).MaxStale(48 * time.Hour) }, 346 * time.Second, nil, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake("a", "one")
				s := New(Config{EarlyRefresh: -1, Rand: func() float64 { return 1 }}) // TTL 345 s
				wantRead(t, s, String(s, f.ref("a")), "one")
				v := String(s, tt.again(f.ref("a")))
				f.failWith("*", errDown)
				wait(tt.after)
				if _, err := read(t, s, v); !errors.Is(err, tt.err) {
					t.Error(err)
				}
				wantCalls(t, f, tt.calls)
			})
		})
	}
}

func TestAClockASecondBackIsNotAStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, cfg := stepped()
		f := newFake("a", "one")
		s := New(cfg)
		v := String(s, f.ref("a"))
		wantRead(t, s, v, "one")
		f.setLatency(0)
		f.failWith("*", errDown)
		c.step.Store(-int64(time.Second))
		v.Suspect()
		wantRead(t, s, v, "one")
		wantCalls(t, f, 2)
		wait(10 * time.Second)
		wantRead(t, s, v, "one") // its TTL is not over
		wantCalls(t, f, 2)
	})
}

// permitting shows what a provider is told.
type permitting struct {
	*fake
	uses *[]Use
}

func (p permitting) Permissions(uses []Use) []middy.Permission {
	*p.uses = append(*p.uses, uses...)
	return []middy.Permission{{Actions: []string{"a"}}}
}

func TestPolicy_IAMHelper(t *testing.T) {
	var uses []Use
	p, silent := permitting{newFake(), &uses}, newFake()
	silent.name = "silent"
	s := New(Config{})
	String(s, NewRef(p, "a").KMSKey("arn:key").FollowRotation().Fallback(silent.ref("b")))
	Int(s, NewRef(p, "a#n"))
	String(s, NewRef(p, "c").Stage("AWSPREVIOUS"))
	String(s, NewRef(p, "d").Fallback(silent.ref("e")))
	String(s, NewRef(p, "d").FollowRotation())
	if _, err := s.Lookup(t.Context(), NewRef(p, "by name")); err == nil {
		t.Error("there is none")
	}
	got := s.Permissions()
	want := []Use{{Key: Key{ID: "a"}, KMSKey: "arn:key", Rotation: true}, {Key: Key{ID: "c", Stage: "AWSPREVIOUS"}}, {Key: Key{ID: "d"}, Rotation: true}}
	if len(got) != 1 || fmt.Sprint(uses) != fmt.Sprint(want) {
		t.Errorf("%v %+v", got, uses)
	}
}

func TestDecodeGetsAFieldAsItIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", `{"o":{"x":1},"s":"caf\u00e9","n":null}`)
		s := New(plain())
		text := func(b []byte) (string, error) { return string(b), nil }
		for path, want := range map[string]string{"o": `{"x":1}`, "s": "café", "n": "null", "": `{"o":{"x":1},"s":"caf\u00e9","n":null}`} {
			wantRead(t, s, Decode(s, f.ref("a").Field(path), text), want)
		}
	})
}

func TestTheClockPathIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, cfg := stepped()
		f := newFake("a", "one")
		s := New(cfg)
		v := String(s, f.ref("a"))
		_, _ = v.Get(t.Context()), v.Get(t.Context())
		for step, want := range map[time.Duration]bool{0: true, -time.Second: true, -time.Second - 1: false,
			5*time.Minute - 1: true, 5 * time.Minute: false} {
			c.step.Store(int64(step))
			if got := v.byClock() != nil; got != want {
				t.Errorf("%v: %v", step, got)
			}
		}
	})
}

func TestOncePerInvocation(t *testing.T) {
	v := &Value[int]{}
	for _, tt := range []struct {
		name string
		st   state
		want bool
	}{
		{"usual", state{confirmed: 10, expires: 20, hard: 30}, true},
		{"strict", state{confirmed: 10, expires: 20, hard: 10}, false},
		{"TTL zero", state{confirmed: 10, expires: 10, hard: 30}, true},
		{"TTL zero and strict", state{confirmed: 10, expires: 10, hard: 10}, true},
	} {
		if v.oncePerInvocation(&tt.st) != tt.want {
			t.Error(tt.name)
		}
	}
}

func TestANameIsRefreshedBesideTheHandlerOnlyWhileItIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(plain())
		if _, err := s.Lookup(t.Context(), f.ref("a")); err != nil {
			t.Fatal(err)
		}
		wait(6 * time.Minute)
		invoke(t, s, func(context.Context) {})
		wantCalls(t, f, 2)
		wait(6 * time.Minute)
		invoke(t, s, func(context.Context) {})
		wantCalls(t, f, 2) // nobody asked for it since
	})
}

func TestAfterAnInvocationTheClockCountsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(plain())
		v := String(s, f.ref("a"))
		invoke(t, s, func(ctx context.Context) { _, _, _ = v.Get(ctx), v.Get(ctx), v.Get(ctx) })
		f.put("a", "two")
		wait(5 * time.Minute)
		if got := v.Get(t.Context()); got != "two" {
			t.Error(got)
		}
	})
}
