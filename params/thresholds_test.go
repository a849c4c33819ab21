package params

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomiddy/middy"
)

// fetched returns how often a value was asked for while fn ran.
func fetched(f *fake, fn func()) int {
	before := f.count()
	fn()
	return f.count() - before
}

func TestAStricterDeclarationCountsFromTheConfirmation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		f.setLatency(0)
		s := New(plain())
		v := String(s, f.ref("a"))
		wantRead(t, s, v, "one")
		wait(10 * time.Second)
		String(s, f.ref("a").TTL(time.Minute))
		wantRead(t, s, v, "one")
		wantCalls(t, f, 1) // within the shorter TTL
		wait(50*time.Second - time.Nanosecond)
		wantRead(t, s, v, "one")
		wantCalls(t, f, 1)
		wait(time.Nanosecond)
		wantRead(t, s, v, "one")
		wantCalls(t, f, 2) // not a nanosecond longer
	})
}

func TestAReplicasVersionOfTheSameAgeIsTaken(t *testing.T) {
	for _, tt := range []struct {
		name string
		age  time.Duration
		want string
	}{{"as old", 0, "replica"}, {"older", -time.Nanosecond, "primary"}, {"newer", time.Nanosecond, "replica"}} {
		synctest.Test(t, func(t *testing.T) {
			a, b := newFake("x", "primary"), newFake()
			b.name = "replica"
			b.values["x"] = fakeValue{"replica", "9", a.values["x"].created.Add(tt.age)}
			s := New(plain())
			v := String(s, a.ref("x").Fallback(b.ref("x")))
			wantRead(t, s, v, "primary")
			a.failWith("*", errDown)
			wait(time.Hour)
			if got, err := read(t, s, v); got != tt.want || err != nil {
				t.Errorf("%s: %q, %v", tt.name, got, err)
			}
		})
	}
}

func TestVersionsWithoutANameAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := New(plain())
		v := String(s, f.ref("a"))
		for i, want := range []string{"~1", "~2", "~3"} {
			f.values["a"] = fakeValue{text: want}
			wait(time.Duration(i) * time.Hour)
			wantRead(t, s, v, want)
			if v.Version() != want {
				t.Errorf("%s; want %s", v.Version(), want)
			}
		}
	})
}

func TestTheShortestGraceIsAGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		cfg := plain()
		cfg.Recheck = 1
		s := New(cfg)
		v := String(s, f.ref("a"))
		wantRead(t, s, v, "one")
		f.failWith("*", kind(Denied))
		wait(time.Hour)
		wantRead(t, s, v, "one")
		wait(1)
		wantErr(t, s, v, ErrDenied)
	})
}

func TestBackOffDoublesAndNeverOverflows(t *testing.T) {
	for failures, want := range map[int]time.Duration{
		1: 1 * time.Second, 2: 2 * time.Second, 3: 4 * time.Second, 31: 1 << 30 * time.Second, 32: 1 << 31 * time.Second,
		33: 1 << 32 * time.Second, 34: 1 << 33 * time.Second, 35: 1 << 33 * time.Second, 5000: 1 << 33 * time.Second,
	} {
		s := New(Config{NegativeTTL: time.Second, NegativeMax: 1 << 33 * time.Second, Rand: func() float64 { return 0.5 }})
		e := s.entryFor(newFake().ref("a"), false)
		st := &state{failures: failures - 1}
		e.confirmFailed(st, errDown, 0)
		if st.backoff != int64(want) || st.failures != failures {
			t.Errorf("after %d failures: %v; want %v", failures, time.Duration(st.backoff), want)
		}
	}
	s := New(Config{NegativeTTL: -1})
	st := &state{failures: 5000}
	if s.entryFor(newFake().ref("a"), false).confirmFailed(st, errDown, 7); st.backoff != 0 || st.retryAt != 7 {
		t.Error("a failure is remembered that was not to be:", st.backoff)
	}
}

func TestCoalescedCountsThoseWhoWaitForAnothersFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(plain())
		v := String(s, f.ref("a"))
		for range 5 {
			go v.Get(t.Context())
		}
		wait(time.Second)
		if got := s.Stats(); got.Coalesced != 4 || got.Requests != 1 || got.Fetched != 1 {
			t.Errorf("%+v", got)
		}
	})
}

func TestStaleIsCountedOncePerDecisionWithItsAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		f.setLatency(0)
		cfg := plain()
		var ages []time.Duration
		cfg.OnEvent = locked(func(e Event) {
			if e.Kind == EventStale {
				ages = append(ages, e.Age)
			}
		})
		s := New(cfg)
		v := String(s, f.ref("a"))
		wantRead(t, s, v, "one")
		wait(10 * time.Minute)
		wantRead(t, s, v, "one") // fetched
		if s.Stats().Stale != 0 {
			t.Error("a fresh value counts as stale:", s.Stats())
		}
		f.failWith("*", errDown)
		wait(7 * time.Minute)
		wantRead(t, s, v, "one") // the fetch fails
		wait(2 * time.Second)
		wantRead(t, s, v, "one") // cooling
		if len(ages) != 2 || ages[0] != 7*time.Minute || ages[1] != 7*time.Minute+2*time.Second || s.Stats().Stale != 2 {
			t.Error(ages, s.Stats())
		}
	})
}

func TestAReaderWhoMustBeCertainIsNotServedWhenItLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(plain())
		v := String(s, f.ref("a"))
		wantRead(t, s, v, "one")
		f.setLatency(time.Second)
		v.Suspect()
		invoke(t, s, func(ctx context.Context) {
			ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
			defer cancel()
			if got, err := v.Lookup(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("served %q, %v although it was reported", got, err)
			}
		})
	})
}

// A reader whose value reaches its hard limit while it waits gets the error that
// says so, also when nothing has failed yet.
func TestAValueThatExpiresWhileItIsAwaitedIsNotServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		f.setLatency(0)
		s := New(plain())
		v := String(s, f.ref("a"))
		wantRead(t, s, v, "one")
		f.setLatency(time.Hour)
		wait(24*time.Hour - 100*time.Millisecond)
		err := wantErr(t, s, v, ErrStale)
		if stale, _ := errors.AsType[*StaleError](err); stale == nil || stale.Age != 24*time.Hour+150*time.Millisecond || !errors.Is(err, ErrUnavailable) {
			t.Error(err)
		}
	})
}

// stubborn takes its time to notice that its request was cancelled.
type stubborn struct{ *fake }

func (f stubborn) Fetch(ctx context.Context, k Key) (Raw, error) {
	raw, err := f.fake.Fetch(ctx, k)
	if ctx.Err() != nil {
		wait(time.Second)
	}
	return raw, err
}

// What a goroutine of the user's asks for while the response waits for the end
// of what was cancelled is cancelled too, or the response would wait for it.
func TestNothingBeginsWhileTheResponseWaitsForTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, f := stubborn{newFake("a", "one")}, newFake("b", "two")
		f.name = "other"
		slow.setLatency(time.Hour)
		s := New(plain())
		a, b := String(s, NewRef(slow, "a")), String(s, f.ref("b"))
		got := make(chan string)
		took := invoke(t, s, func(ctx context.Context) {
			go func() { _, _ = a.Lookup(ctx) }()
			go func() {
				wait(500 * time.Millisecond) // a was cancelled at 250 ms
				f.setLatency(3 * time.Second)
				text, _ := b.Lookup(t.Context())
				got <- text
			}()
			wait(time.Millisecond)
		})
		if took != 1251*time.Millisecond {
			t.Errorf("the response left after %v; want 1.251 s: a's last second", took)
		}
		if text := <-got; text != "two" {
			t.Error(text)
		}
		if n := s.Stats().Cancelled; n != 2 {
			t.Error(n, "fetches were cancelled")
		}
		_ = s.Close(t.Context())
	})
}

func TestRefreshAfterCloseAsksNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(plain())
		_ = s.Close(t.Context())
		if err := s.Refresh(t.Context(), f.ref("a")); !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
		if f.answered() != 0 {
			t.Error("a closed store fetched a value")
		}
	})
}

func TestAfterRestoreHasNineOfItsTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		f.setLatency(time.Hour)
		cfg := plain()
		cfg.FetchTimeout = time.Hour
		s := New(cfg)
		String(s, f.ref("a").Required())
		start := time.Now()
		if err := s.AfterRestore(t.Context()); err == nil || time.Since(start) != 9*time.Second {
			t.Error(err, time.Since(start))
		}
	})
}

// An invocation decides anew only when a decision is due, or the clock was set
// back by more than a second: then every age may be wrong.
func TestAnInvocationDecidesAnewOnlyWhenSomethingIsDue(t *testing.T) {
	for _, tt := range []struct {
		name string
		step time.Duration
		anew uint64
	}{
		{"nothing happened", 0, 0},
		{"a minute passed", time.Minute, 0},
		{"the TTL is not over", 5*time.Minute - 1, 0},
		{"the TTL is over", 5 * time.Minute, 1},
		{"a second back", -time.Second, 0},
		{"more than a second back", -time.Second - 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, cfg := stepped()
				f := newFake("a", "one")
				f.setLatency(0)
				s := New(cfg)
				v := String(s, f.ref("a"))
				wantRead(t, s, v, "one")
				wantRead(t, s, v, "one")
				before := s.sweeps.Load()
				c.step.Add(int64(tt.step))
				invoke(t, s, func(context.Context) {})
				if got := s.sweeps.Load() - before; got != tt.anew {
					t.Errorf("%d decisions; want %d", got, tt.anew)
				}
			})
		})
	}
}

func TestWhatAThawDecidesHoldsUntilTheTTLAndNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one", "b", "x")
		f.setLatency(0)
		s := New(plain())
		v := String(s, f.ref("a"))
		wantRead(t, s, v, "one")
		wait(time.Minute)
		wantRead(t, s, String(s, f.ref("b")), "x")
		s.Thaw(t.Context(), middy.Gap{Wall: time.Minute})
		wantRead(t, s, v, "one")
		f.put("a", "two")
		wait(4*time.Minute - 1)
		wantRead(t, s, v, "one")
		wait(1)
		wantRead(t, s, v, "two")
	})
}

// An outage that is over leaves nothing behind: the first invocation that tries
// again in the next one waits, as in the first.
func TestEveryOutageBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(plain())
		v := String(s, f.ref("a"))
		wantRead(t, s, v, "one")
		for range 3 {
			f.setLatency(time.Hour)
			var took []time.Duration
			for range 3 {
				wait(10 * time.Minute)
				took = append(took, invoke(t, s, func(ctx context.Context) { _ = v.Get(ctx) }))
			}
			if took[0] != 500*time.Millisecond || took[1] != 250*time.Millisecond || took[2] != 0 {
				t.Error(took)
			}
			f.setLatency(0)
			f.put("a", "one")
			for range 5 {
				wait(10 * time.Minute)
				wantRead(t, s, v, "one")
			}
		}
	})
}

// The invocation that waits tries all that failed, also what would be left alone
// for longer; the others leave it alone.
func TestTheInvocationThatWaitsTriesAllThatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one", "b", "two", "c", "three")
		f.setLatency(0)
		s := New(plain())
		a, b, c := String(s, f.ref("a")), String(s, f.ref("b")), String(s, f.ref("c").TTL(time.Hour))
		wantRead(t, s, c, "three")
		wantRead(t, s, a, "one")
		f.failWith("a", errDown)
		wait(5*time.Minute - 2*time.Second)
		_, _ = read(t, s, b)
		call := func(after time.Duration, want ...string) {
			t.Helper()
			wait(after)
			n := f.count()
			invoke(t, s, func(context.Context) { wait(time.Second) })
			f.mu.Lock()
			defer f.mu.Unlock()
			got := map[string]bool{}
			for _, id := range f.calls[n:] {
				got[id] = true
			}
			for _, id := range want {
				if !got[id] {
					t.Errorf("%s was not tried: %v", id, f.calls[n:])
				}
			}
			if len(got) != len(want) || len(f.calls)-n != len(want) {
				t.Errorf("tried %v; want %v", f.calls[n:], want)
			}
		}
		call(2*time.Second, "a")                               // fails for the first time: left alone for 5 s
		f.failWith("b", errDown)                               //
		call(5*time.Minute-4*time.Second-3*time.Second+1, "a") // tried again; the first of the outage
		call(3*time.Second, "b")                               // its TTL is over: it fails for the first time
		call(8*time.Second, "a", "b")                          // both are due: the second of the outage
		call(11*time.Second, "b")                              // the third: a is left alone for 20 s
		call(10*time.Second, "a")                              // the fourth
		call(11*time.Second, "a", "b")                         // the fifth waits, and tries a too, which is left alone for 40 s
	})
}

func TestManagedInstancesAreThoseWithMoreThanOneInvocation(t *testing.T) {
	for n, want := range map[string]bool{"": false, "x": false, "0": false, "1": false, "2": true, "64": true} {
		t.Setenv("AWS_LAMBDA_MAX_CONCURRENCY", n)
		if New(Config{}).managed != want {
			t.Errorf("AWS_LAMBDA_MAX_CONCURRENCY=%q", n)
		}
	}
}

// On Managed Instances nobody waits for a try: it outlives the request.
func TestManagedInstancesNeverWaitForATry(t *testing.T) {
	t.Setenv("AWS_LAMBDA_MAX_CONCURRENCY", "2")
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(plain())
		v := String(s, f.ref("a"))
		wantRead(t, s, v, "one")
		f.setLatency(time.Hour)
		wait(10 * time.Minute)
		invoke(t, s, func(ctx context.Context) { _ = v.Get(ctx) })
		for range 8 {
			wait(10 * time.Minute)
			if took := invoke(t, s, func(ctx context.Context) { _ = v.Get(ctx) }); took != 0 {
				t.Error("waited", took)
			}
		}
		wait(10 * time.Second) // the last one ends
		f.put("a", "two")
		f.setLatency(4 * time.Second)
		wait(10 * time.Minute)
		wantRead(t, s, v, "one")
		wait(5 * time.Second)
		wantRead(t, s, v, "two")
	})
}

func TestDueIsTheEarliest(t *testing.T) {
	s := New(Config{})
	var wg sync.WaitGroup
	for i := range 1000 {
		wg.Go(func() { s.due(int64(1000 - i)) })
	}
	wg.Wait()
	if got := s.nextDue.Load(); got != 1 {
		t.Error(got)
	}
}
