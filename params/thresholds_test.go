package params

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
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
		e := s.entryFor(newFake().ref("a"), asName)
		st := &state{failures: failures - 1}
		e.confirmFailed(st, errDown, 0)
		if st.backoff != int64(want) || st.failures != failures {
			t.Errorf("after %d failures: %v; want %v", failures, time.Duration(st.backoff), want)
		}
	}
	s := New(Config{NegativeTTL: -1})
	st := &state{failures: 5000}
	if s.entryFor(newFake().ref("a"), asName).confirmFailed(st, errDown, 7); st.backoff != 0 || st.retryAt != 7 {
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

func TestTheAgendaNamesTheEarliest(t *testing.T) {
	f, s := newFake(), New(Config{})
	s.mu.Lock()
	defer s.mu.Unlock()
	var entries []*entry
	for i := range int64(1000) {
		e := &entry{store: s, source: f.Source()}
		s.planLocked(e, i*7919%1000)
		entries = append(entries, e)
	}
	for i, e := range entries { // some are moved, some go
		switch i % 3 {
		case 0:
			s.planLocked(e, e.due+500)
		case 1:
			s.forgetLocked(e)
		}
	}
	want := map[*entry]bool{}
	for i, e := range entries {
		if i%3 != 1 {
			want[e] = true
		}
	}
	last := int64(-1)
	for len(s.agenda) > 0 {
		next := s.nextLocked()
		e := heap.Pop(&s.agenda).(*entry)
		if e.due != next || next < last || e.slot != 0 || !want[e] {
			t.Fatalf("an entry due at %d comes after one due at %d, when %d was named", e.due, last, next)
		}
		delete(want, e)
		last = next
	}
	if len(want) != 0 || s.nextLocked() != math.MaxInt64 {
		t.Errorf("%d entries are lost", len(want))
	}
}

func TestWhetherANameIsUsedIsSaidByTheSecondOfItsLastUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		f.setLatency(0)
		s := New(plain())
		for i := range 20 {
			wait(time.Duration(i) * 7 * time.Second)
			if _, err := s.Lookup(t.Context(), f.ref("a")); err != nil {
				t.Fatal(err)
			}
			wait(6 * time.Minute)
			if n := fetched(f, func() { invoke(t, s, func(context.Context) {}) }); n != 1 {
				t.Fatalf("round %d: a name in use was fetched %d times", i, n)
			}
			wait(6 * time.Minute)
			if n := fetched(f, func() { invoke(t, s, func(context.Context) {}) }); n != 0 {
				t.Fatalf("round %d: a name out of use was fetched %d times", i, n)
			}
		}
	})
}

func TestALoneKeyWaitsAMillisecondForCompany(t *testing.T) {
	for _, tt := range []struct {
		name   string
		single bool // the source has no batches
		denied bool // or they are not ours
		took   time.Duration
	}{
		{"of a source with batches", false, false, 11 * time.Millisecond},
		{"of a source without", true, false, 10 * time.Millisecond},
		{"of a source that denies batches", false, true, 10 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := batchFake{newFake("a", "1", "b", "2", "c", "3", "d", "4")}
				s := New(plain())
				if tt.denied {
					f.failWith("batch", kind(Denied))
					for _, id := range []string{"a", "b", "c"} {
						String(s, f.ref(id))
					}
					_ = s.Init(t.Context())
				}
				r := f.ref("d")
				if tt.single {
					r = f.fake.ref("d")
				}
				start := time.Now()
				if _, err := s.Lookup(t.Context(), r); err != nil || time.Since(start) != tt.took {
					t.Error(err, time.Since(start))
				}
			})
		})
	}
}

// crowd counts how many requests are under way at once.
type crowd struct {
	batchFake
	most *int
}

func (f crowd) Fetch(ctx context.Context, k Key) (Raw, error) {
	f.mu.Lock()
	*f.most = max(*f.most, f.open+1)
	f.mu.Unlock()
	return f.fake.Fetch(ctx, k)
}

func TestSinglesInPlaceOfABatchAreEightAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := crowd{batchFake{newFake()}, new(int)}
		f.failWith("batch", kind(Throttled))
		s := New(plain())
		for i := range 17 {
			f.put(string(rune('a'+i)), "x")
			String(s, NewRef(f, string(rune('a'+i))).Required())
		}
		start := time.Now()
		if err := s.Init(t.Context()); err != nil || time.Since(start) != 40*time.Millisecond {
			t.Error(err, time.Since(start)) // the batch, and three rounds
		}
		if *f.most != 8 {
			t.Error(*f.most, "at a time")
		}
		if got := s.Stats(); got.Requests != 18 || got.Batches != 1 || got.Failures != 1 || got.Fetched != 17 {
			t.Errorf("%+v", got)
		}
	})
}

// from makes a batch of fewer keys worth it.
type from struct {
	batchFake
	n int
}

func (f from) Batch() (int, int) { return 2, f.n }

func TestASourceSaysFromHowManyKeysABatchIsWorthIt(t *testing.T) {
	for _, tt := range []struct {
		from int
		keys string
		want []string // what is asked for, in any order
	}{
		{0, "a", []string{"[a]"}}, {1, "a", []string{"[a]"}}, {2, "a", []string{"a"}}, {2, "ab", []string{"[a b]"}},
		{1, "abc", []string{"[a b]", "[c]"}}, {2, "abc", []string{"[a b]", "c"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := from{batchFake{newFake("a", "1", "b", "2", "c", "3")}, tt.from}
			s := New(plain())
			for _, id := range tt.keys {
				String(s, NewRef(f, string(id)).Required())
			}
			if err := s.Init(t.Context()); err != nil {
				t.Fatal(err)
			}
			slices.Sort(f.calls)
			if !slices.Equal(f.calls, tt.want) {
				t.Errorf("from %d: %v; want %v", tt.from, f.calls, tt.want)
			}
		})
	}
}

func TestChainAsksEachSourceOnceAndNoneInVain(t *testing.T) {
	type chain struct {
		a, b, c *fake
		s       *Store
		v       *Value[string]
	}
	for _, tt := range []struct {
		name  string
		edit  func(*Config)
		setup func(chain)
		want  string // or the error
		calls [3]int
		falls uint64
	}{
		{"the primary answers", nil, func(chain) {}, "a", [3]int{1, 0, 0}, 0},
		{"the primary answers after the hedge began", nil, func(c chain) {
			c.a.setLatency(400 * time.Millisecond)
			c.b.setLatency(time.Hour)
		}, "a", [3]int{1, 1, 0}, 0},
		{"the first two fail", nil, func(c chain) { c.a.failWith("*", errDown); c.b.failWith("*", errDown) }, "c", [3]int{1, 1, 1}, 1},
		{"all fail alike: the primary's word counts", nil, func(c chain) {
			c.a.failWith("*", kind(Throttled))
			c.b.failWith("*", errDown)
			c.c.failWith("*", errDown)
		}, "throttling", [3]int{1, 1, 1}, 0},
		{"all fail, the primary last: its word counts", nil, func(c chain) {
			c.a.failWith("*", kind(Throttled))
			c.a.setLatency(time.Second)
			c.b.failWith("*", errDown)
			c.c.failWith("*", errDown)
		}, "throttling", [3]int{1, 1, 1}, 0},
		{"all are slow: the hedge goes no further than the last", nil, func(c chain) {
			c.a.setLatency(2 * time.Second)
			c.b.setLatency(2 * time.Second)
			c.c.setLatency(2 * time.Second)
		}, "a", [3]int{1, 1, 1}, 0},
		{"the time is over: nobody else is asked", func(c *Config) { c.HedgeAfter = -1 }, func(c chain) { c.a.setLatency(time.Hour) },
			"no answer within 5s", [3]int{1, 0, 0}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b, c := newFake("x", "a"), newFake("x", "b"), newFake("x", "c")
				b.name, c.name = "second", "third"
				cfg := plain()
				if tt.edit != nil {
					tt.edit(&cfg)
				}
				s := New(cfg)
				v := String(s, a.ref("x").Fallback(b.ref("x"), c.ref("x")))
				tt.setup(chain{a, b, c, s, v})
				got, err := read(t, s, v)
				if err == nil && got != tt.want || err != nil && !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%q, %v; want %s", got, err, tt.want)
				}
				if calls := [3]int{a.count(), b.count(), c.count()}; calls != tt.calls {
					t.Errorf("asked %v; want %v", calls, tt.calls)
				}
				if n := s.Stats().Fallbacks; n != tt.falls {
					t.Errorf("%d fallbacks counted; want %d", n, tt.falls)
				}
			})
		})
	}
}

func TestTheBoundsAreKeptWhateverTheyAre(t *testing.T) {
	for _, tt := range []struct {
		name           string
		entries, bytes int
		declare        int
		evicted        uint64
	}{
		{"one entry", 1, -1, 0, 3},
		{"one byte", -1, 1, 0, 3},
		{"one entry more than one", 2, -1, 0, 2},
		{"declared ones count", 3, -1, 2, 3},
		{"no bound", -1, -1, 2, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake("a", "1", "b", "2", "c", "3", "d", "4")
				f.setLatency(0)
				cfg := plain()
				cfg.MaxEntries, cfg.MaxBytes = tt.entries, int64(tt.bytes)
				s := New(cfg)
				for _, id := range []string{"a", "b", "c"} {
					if _, err := s.Lookup(t.Context(), f.ref(id)); err != nil {
						t.Fatal(err)
					}
					wait(time.Second)
				}
				for i := range tt.declare {
					String(s, f.ref(strings.Repeat("e", i+1)))
				}
				if _, err := s.Lookup(t.Context(), f.ref("d")); err != nil {
					t.Fatal(err)
				}
				if got := s.Stats().Evicted; got != tt.evicted {
					t.Errorf("%d evicted; want %d", got, tt.evicted)
				}
			})
		})
	}
}

// Two fields of one document are two names of one value: it stays until the last
// of them goes.
func TestAValueStaysAsLongAsAnyOfItsNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", `{"x":"1","y":"2"}`, "b", "3", "c", "4")
		f.setLatency(0)
		cfg := plain()
		cfg.MaxEntries = 2
		s := New(cfg)
		for _, id := range []string{"a#x", "a#y", "b"} {
			if _, err := s.Lookup(t.Context(), f.ref(id)); err != nil {
				t.Fatal(err)
			}
			wait(time.Second)
		}
		if s.Stats().Evicted != 0 {
			t.Fatal("two values do not fit into two places")
		}
		if _, err := s.Lookup(t.Context(), f.ref("b")); err != nil { // used last
			t.Fatal(err)
		}
		if _, err := s.Lookup(t.Context(), f.ref("c")); err != nil {
			t.Fatal(err)
		}
		if s.Stats().Evicted != 1 || s.entries[f.ref("a").entryKey()] != nil || len(s.names.byKey) != 2 {
			t.Errorf("%+v %d names", s.Stats(), len(s.names.byKey))
		}
	})
}

func TestADeclaredValueLosesItsNameAndStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "1", "b", "2", "c", "3")
		f.setLatency(0)
		cfg := plain()
		cfg.MaxEntries = 2
		s := New(cfg)
		String(s, f.ref("a"))
		for _, id := range []string{"a", "b", "c", "b"} {
			if _, err := s.Lookup(t.Context(), f.ref(id)); err != nil {
				t.Fatal(err)
			}
			wait(time.Second)
		}
		if s.entries[f.ref("a").entryKey()] == nil || s.Stats().Evicted != 2 {
			t.Errorf("%+v", s.Stats())
		}
		wantCalls(t, f, 4) // a, b, c, b
	})
}

func TestRotationDatesAreReadOncePerVersionUntilTheyPass(t *testing.T) {
	start := func() (*fake, *Store, *Value[string], *[]error) {
		f := newFake("a", "one")
		f.setLatency(0)
		cfg := plain()
		var problems []error
		cfg.NamesInEvents = true
		cfg.OnEvent = locked(func(e Event) {
			if e.Kind == EventRotation && e.Err != nil {
				problems = append(problems, e.Err)
			}
		})
		s := New(cfg)
		return f, s, String(s, f.ref("a").FollowRotation()), &problems
	}
	describes := func(f *fake) (n int) {
		for _, c := range f.calls {
			if c == "describe a" {
				n++
			}
		}
		return n
	}
	t.Run("a new version, a new date", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f, s, v, _ := start()
			f.setLatency(time.Nanosecond) // at 0 the fetch and its reader race
			f.rotates = Rotation{Latest: time.Now().Add(100 * time.Hour)}
			for i := range 3 {
				wantRead(t, s, v, []string{"one", "two", "three"}[i])
				wait(time.Hour)
				_, _ = read(t, s, v) // the same version
				if n := describes(f); n != i+1 {
					t.Errorf("%d descriptions of %d versions", n, i+1)
				}
				f.put("a", []string{"two", "three", ""}[i])
				wait(time.Hour)
			}
			if got := s.Stats(); got.Requests != uint64(f.count()) || got.Failures != 0 {
				t.Errorf("%+v for %v", got, f.calls)
			}
		})
	})
	t.Run("a description that failed is asked for again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f, s, v, problems := start()
			f.setLatency(time.Nanosecond) // at 0 the fetch and its reader race
			f.failWith("describe", kind(Denied))
			for range 3 {
				wantRead(t, s, v, "one")
				wait(time.Hour)
			}
			if got := s.Stats(); describes(f) != 3 || got.Failures != 3 || got.Requests != 6 || len(*problems) != 3 {
				t.Errorf("%+v for %v, %v", got, f.calls, *problems)
			}
		})
	})
	for _, tt := range []struct {
		name      string
		after     time.Duration // of the date
		describes int
	}{{"a date that has not come holds", -1, 1}, {"a date that is now has passed", 0, 2}, {"a date that has passed is asked for again", 1, 2}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, s, v, _ := start()
				date := time.Now().Add(time.Hour)
				f.rotates = Rotation{Latest: date}
				wantRead(t, s, v, "one")
				f.rotates = Rotation{Latest: date.Add(100 * time.Hour)}
				wait(time.Until(date.Add(tt.after)))
				wantRead(t, s, v, "one")
				if n := describes(f); n != tt.describes {
					t.Errorf("%d descriptions; want %d", n, tt.describes)
				}
			})
		})
	}
	for _, tt := range []struct {
		name    string
		latest  time.Duration
		ignored bool
	}{{"a date to come is followed", 1, false}, {"a date that is now is ignored", 0, true}, {"a date in the past is ignored", -1, true}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, s, v, problems := start()
				f.rotates = Rotation{Latest: time.Now().Add(tt.latest)}
				wantRead(t, s, v, "one")
				if got := len(*problems) == 1; got != tt.ignored || v.entry.state.Load().rotation.Latest.IsZero() != tt.ignored {
					t.Error(*problems)
				}
			})
		})
	}
}

func TestTwoReportsAtOneInstantAreOneLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		f.setLatency(0)
		s := New(plain())
		v := String(s, f.ref("a"))
		_ = v.Get(t.Context())
		for range 3 {
			v.Suspect()
			_ = v.Get(t.Context())
		}
		wantCalls(t, f, 2)
		if s.Stats().Suspects != 1 {
			t.Errorf("%+v", s.Stats())
		}
	})
}

func TestDefaults(t *testing.T) {
	comparable := func(c Config) Config {
		if c.Now == nil || c.Rand == nil {
			t.Error("no clock or no chance")
		}
		c.Now, c.Rand = nil, nil
		return c
	}
	equal := func(a, b Config) bool { return fmt.Sprintf("%#v", a) == fmt.Sprintf("%#v", b) }
	want := Config{TTL: 300 * time.Second, Jitter: 0.15, EarlyRefresh: 0.2, MaxStale: 86400 * time.Second,
		Patience: 250 * time.Millisecond, JoinBudget: 250 * time.Millisecond, FetchTimeout: 5 * time.Second,
		PrefetchBudget: 2 * time.Second, NegativeTTL: 5 * time.Second, NegativeMax: 60 * time.Second, Recheck: 5 * time.Second,
		HedgeAfter: 300 * time.Millisecond, MaxEntries: 1000, MaxBytes: 8388608}
	if got := comparable(Config{}.withDefaults()); !equal(got, want) {
		t.Errorf("zero gives\n%+v; want\n%+v", got, want)
	}
	own := Config{TTL: 1, Jitter: 0.01, EarlyRefresh: 0.01, MaxStale: 1, Patience: 1, JoinBudget: 1, FetchTimeout: 1, PrefetchBudget: 1,
		NegativeTTL: 1, NegativeMax: 1, Recheck: 1, HedgeAfter: 1, MaxEntries: 1, MaxBytes: 1}
	if got := comparable(own.withDefaults()); !equal(got, own) {
		t.Errorf("the smallest settings give\n%+v; want\n%+v", got, own)
	}
	off := Config{TTL: -1, Jitter: -1, EarlyRefresh: -1, MaxStale: -1, Patience: -1, JoinBudget: -1, PrefetchBudget: -1,
		NegativeTTL: -1, NegativeMax: -1, Recheck: -1, HedgeAfter: -1, MaxEntries: -1, MaxBytes: -1}
	if got := comparable(off.withDefaults()); !equal(got, Config{Patience: -1, HedgeAfter: -1, FetchTimeout: 5 * time.Second}) {
		t.Errorf("negative settings give %+v", got)
	}
}

func TestValidateComparesMaxStaleWithTTL(t *testing.T) {
	for _, tt := range []struct {
		cfg Config
		ok  bool
	}{
		{Config{MaxStale: -1}, true}, {Config{MaxStale: 1}, false},
		{Config{MaxStale: 5*time.Minute - 1}, false}, {Config{MaxStale: 5 * time.Minute}, true},
	} {
		if err := tt.cfg.Validate(); (err == nil) != tt.ok {
			t.Errorf("MaxStale %v: %v", tt.cfg.MaxStale, err)
		}
	}
}

func TestAnEventWithoutANameHasAKind(t *testing.T) {
	for k := Unavailable; k <= Unanswered; k++ {
		err := error(withoutName{k})
		for other := Unavailable; other <= Unanswered; other++ {
			if errors.Is(err, other.sentinel()) != (k.sentinel() == other.sentinel()) {
				t.Errorf("%v is %v", k, other)
			}
		}
	}
}

func TestAStaleErrorOfTheShortestLimitSaysIt(t *testing.T) {
	if text := (&StaleError{Limit: 1, Err: errDown}).Error(); !strings.Contains(text, "its limit is 0s") {
		t.Error(text)
	}
}

type batchPermitting struct {
	batchFake
	uses *[]Use
}

func (p batchPermitting) Permissions(uses []Use) []middy.Permission {
	*p.uses = append(*p.uses, uses...)
	return nil
}

func TestTheBatchActionIsNamedOnlyForWhatABatchHolds(t *testing.T) {
	for _, tt := range []struct {
		names, stages, batched int
	}{{2, 0, 0}, {2, 1, 0}, {3, 0, 3}, {3, 2, 3}, {4, 0, 4}, {0, 4, 0}} {
		var uses []Use
		p := batchPermitting{batchFake{newFake()}, &uses}
		s := New(Config{})
		for i := range tt.names {
			String(s, NewRef(p, fmt.Sprint(i)))
		}
		for i := range tt.stages {
			String(s, NewRef(p, fmt.Sprint(i)).Stage("AWSPREVIOUS"))
		}
		s.Permissions()
		n := 0
		for _, u := range uses {
			if u.Batched {
				n++
				if u.Key.Stage != "" {
					t.Error("a stage is no part of a batch:", u)
				}
			}
		}
		if n != tt.batched || len(uses) != tt.names+tt.stages {
			t.Errorf("%d names and %d stages: %d batched; want %d", tt.names, tt.stages, n, tt.batched)
		}
	}
}

// Sandboxes restored from one snapshot do not try again in step.
func TestARestoredSandboxDrawsItsOwnSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chance := 0.0
		cfg := plain()
		cfg.Rand = func() float64 { return chance }
		s := New(cfg)
		f := newFake()
		v := String(s, f.ref("a"))
		chance = 1
		if err := s.AfterRestore(t.Context()); err != nil { // and fetches a, which is missing
			t.Fatal(err)
		}
		wait(6*time.Second - 1)
		wantErr(t, s, v, ErrNotFound)
		wantCalls(t, f, 1)
		wait(1)
		wantErr(t, s, v, ErrNotFound)
		wantCalls(t, f, 2)
	})
}
