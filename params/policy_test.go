package params

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomiddy/middy"
)

// The tests below carry the names of the rows of the policy in doc.go.

func TestPolicy_TTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(plain())
		v := String(s, f.ref("a"))
		wantRead(t, s, v, "one")
		f.put("a", "two")
		wait(5*time.Minute - time.Nanosecond) // since the fetch ended
		wantRead(t, s, v, "one")
		wantCalls(t, f, 1)
		wait(time.Nanosecond)
		wantRead(t, s, v, "two") // exactly the TTL is over
		wantCalls(t, f, 2)
	})
}

func TestPolicy_TTLJitter(t *testing.T) {
	for _, tt := range []struct {
		rand float64
		ttl  time.Duration
	}{{0, 255 * time.Second}, {0.5, 300 * time.Second}, {1, 345 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake("a", "one")
			s := New(Config{EarlyRefresh: -1, Rand: func() float64 { return tt.rand }})
			v := String(s, f.ref("a"))
			wantRead(t, s, v, "one")
			wait(tt.ttl - time.Nanosecond)
			wantRead(t, s, v, "one")
			wantCalls(t, f, 1)
			wait(time.Nanosecond)
			wantRead(t, s, v, "one")
			wantCalls(t, f, 2)
		})
	}
}

func TestPolicy_TTLZeroAsksOncePerInvocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(plain())
		v, w := String(s, f.ref("a").TTL(-1)), String(s, f.ref("a"))
		for i := range 3 {
			invoke(t, s, func(ctx context.Context) {
				for range 3 {
					if v.Get(ctx) != "one" || w.Get(ctx) != "one" {
						t.Error("wrong value")
					}
				}
			})
			wantCalls(t, f, i+1)
		}
	})
}

func TestPolicy_EarlyRefresh(t *testing.T) {
	// In the last 20 % of 300 s, at a drawn instant; readers are served the value
	// they have, and one request is made beside the handler.
	for _, tt := range []struct {
		rand float64
		at   time.Duration
	}{{0, 240 * time.Second}, {0.25, 270 * time.Second}, {1, 300 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake("a", "one")
			s := New(Config{Jitter: -1, Rand: func() float64 { return tt.rand }})
			v := String(s, f.ref("a"))
			wantRead(t, s, v, "one")
			f.put("a", "two")
			wait(tt.at - time.Nanosecond)
			wantRead(t, s, v, "one")
			wantCalls(t, f, 1)
			wait(time.Nanosecond)
			if tt.rand < 1 {
				wantRead(t, s, v, "one") // served at once, refreshed beside
				wantCalls(t, f, 2)
			}
			wantRead(t, s, v, "two")
			wantCalls(t, f, 2)
		})
	}
}

func TestPolicy_EarlyRefreshOutsideInvocations(t *testing.T) {
	for _, tt := range []struct {
		where string
		env   string
		calls int
	}{
		{"a server refreshes in the background", "", 2},
		{"a function without the middleware does not: nobody would join it", "orders", 1},
	} {
		t.Run(tt.where, func(t *testing.T) {
			t.Setenv("AWS_LAMBDA_FUNCTION_NAME", tt.env)
			synctest.Test(t, func(t *testing.T) {
				f := newFake("a", "one")
				s := New(Config{Jitter: -1, Rand: func() float64 { return 0 }})
				v := String(s, f.ref("a"))
				_ = v.Get(t.Context())
				wait(240 * time.Second)
				if got := v.Get(t.Context()); got != "one" {
					t.Error(got)
				}
				wait(time.Second)
				wantCalls(t, f, tt.calls)
			})
		})
	}
}

func TestPolicy_RefreshPlacement(t *testing.T) {
	early := Config{Jitter: -1, Rand: func() float64 { return 0 }}
	for _, tt := range []struct {
		name      string
		handler   time.Duration // how long the handler works
		latency   time.Duration
		took      time.Duration
		refreshed bool
	}{
		{"runs in parallel with the handler", 300 * time.Millisecond, 200 * time.Millisecond, 300 * time.Millisecond, true},
		{"is joined before the response", 0, 249 * time.Millisecond, 249 * time.Millisecond, true},
		{"is cancelled after the budget", 0, 251 * time.Millisecond, 250 * time.Millisecond, false},
		{"counts the budget from the handler's end", 100 * time.Millisecond, 340 * time.Millisecond, 340 * time.Millisecond, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake("a", "one")
				s := New(early)
				v := String(s, f.ref("a"))
				wantRead(t, s, v, "one")
				f.put("a", "two")
				f.setLatency(tt.latency)
				wait(250 * time.Second)
				took := invoke(t, s, func(ctx context.Context) {
					if got := v.Get(ctx); got != "one" {
						t.Error("the handler waited for the refresh:", got)
					}
					wait(tt.handler)
				})
				if took != tt.took {
					t.Errorf("the invocation took %v; want %v", took, tt.took)
				}
				if f.busy() != 0 {
					t.Error("a request survives the invocation")
				}
				synctest.Wait()
				want := "one"
				if tt.refreshed {
					want = "two"
				}
				wantRead(t, s, v, want)
			})
		})
	}
}

// The next one does: then it runs beside a handler, and not after this one.
func TestPolicy_NoRefreshBeginsWithinAnInvocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(Config{Jitter: -1, MaxStale: -1, Rand: func() float64 { return 0 }}) // it is early from 240 s on
		v := String(s, f.ref("a"))
		wantRead(t, s, v, "one")
		wait(230 * time.Second)
		invoke(t, s, func(ctx context.Context) {
			wait(20 * time.Second)
			if got, err := v.Lookup(ctx); got != "one" || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
		})
		wantCalls(t, f, 1)
		invoke(t, s, func(context.Context) {})
		wantCalls(t, f, 2)
	})
}

func TestPolicy_HardStaleLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(plain())
		v := String(s, f.ref("a"))
		wantRead(t, s, v, "one")
		confirmed := time.Now()
		f.failWith("*", errDown)
		for time.Since(confirmed) < 24*time.Hour-10*time.Minute {
			wait(10 * time.Minute)
			wantRead(t, s, v, "one")
		}
		wait(time.Until(confirmed.Add(24*time.Hour - time.Second)))
		wantRead(t, s, v, "one")
		wait(time.Until(confirmed.Add(24 * time.Hour)))
		err := wantErr(t, s, v, ErrStale)
		stale, ok := errors.AsType[*StaleError](err)
		if !ok || !stale.Confirmed.Equal(confirmed) || stale.Limit != 24*time.Hour || !errors.Is(err, ErrUnavailable) {
			t.Errorf("%#v does not say since when and why", err)
		}
		f.failWith("*", nil)
		wait(73 * time.Second)
		wantRead(t, s, v, "one") // and it comes back
	})
}

func TestPolicy_HardStaleLimitZeroIsStrict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(plain())
		v := String(s, f.ref("a").MaxStale(-1))
		wantRead(t, s, v, "one")
		f.failWith("*", errDown)
		wait(299 * time.Second)
		invoke(t, s, func(ctx context.Context) {
			for range 3 {
				if _, err := v.Lookup(ctx); err != nil {
					t.Error("within the TTL:", err)
				}
			}
			wait(time.Second)
			if _, err := v.Lookup(ctx); !errors.Is(err, ErrStale) {
				t.Error("a strict value passed its TTL within an invocation:", err)
			}
		})
	})
}

func TestPolicy_StaleAllowedOn(t *testing.T) {
	for _, k := range []Kind{Unavailable, Throttled, Invalid, Unsupported} {
		t.Run(k.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake("a", "one")
				s := New(plain())
				v := String(s, f.ref("a"))
				wantRead(t, s, v, "one")
				f.failWith("*", kind(k))
				wait(time.Hour)
				wantRead(t, s, v, "one")
				wantCalls(t, f, 2)
			})
		})
	}
	t.Run("another error type", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake("a", "one")
			s := New(plain())
			v := String(s, f.ref("a"))
			wantRead(t, s, v, "one")
			f.failWith("*", errors.New("connection reset"))
			wait(time.Hour)
			wantRead(t, s, v, "one")
		})
	})
}

func TestPolicy_StaleForbiddenOn(t *testing.T) {
	for _, k := range []Kind{NotFound, Deleted, Denied, Undecryptable} {
		t.Run(k.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake("a", "one")
				s := New(plain())
				v := String(s, f.ref("a"))
				wantRead(t, s, v, "one")
				f.failWith("*", kind(k))
				wait(time.Hour)
				wantRead(t, s, v, "one") // grace
				wantCalls(t, f, 2)
				wait(5*time.Second - time.Nanosecond)
				wantRead(t, s, v, "one")
				wantCalls(t, f, 2)
				wait(time.Nanosecond)
				wantErr(t, s, v, k.sentinel())
				wantCalls(t, f, 3)
			})
		})
	}
}

func TestPolicy_StaleForbiddenRecheckSavesTheValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(plain())
		v := String(s, f.ref("a"))
		wantRead(t, s, v, "one")
		f.failWith("*", kind(Denied))
		wait(time.Hour)
		wantRead(t, s, v, "one")
		f.failWith("*", errDown) // the re-check gets no answer: that is no second refusal
		wait(5 * time.Second)
		wantRead(t, s, v, "one")
		f.failWith("*", nil)
		wait(time.Minute)
		wantRead(t, s, v, "one")
		f.failWith("*", kind(Denied)) // a first refusal again
		wait(time.Hour)
		wantRead(t, s, v, "one")
	})
}

func TestPolicy_StaleForbiddenWithoutGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		cfg := plain()
		cfg.Recheck = -1
		s := New(cfg)
		v := String(s, f.ref("a"))
		wantRead(t, s, v, "one")
		f.failWith("*", kind(Denied))
		wait(time.Hour)
		wantErr(t, s, v, ErrDenied)
	})
}

func TestPolicy_AuthFailureReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(plain())
		v := String(s, f.ref("a"))
		wantRead(t, s, v, "one")
		f.put("a", "two")
		invoke(t, s, func(ctx context.Context) {
			v.Suspect()
			if got := v.Get(ctx); got != "two" {
				t.Error("the next Get did not wait for revalidation:", got)
			}
		})
		wantCalls(t, f, 2)

		// At most one refetch per version per second.
		invoke(t, s, func(ctx context.Context) { v.Suspect(); _ = v.Get(ctx) })
		wantCalls(t, f, 3)
		suspected := time.Now()
		wait(time.Until(suspected.Add(time.Second - time.Nanosecond)))
		invoke(t, s, func(ctx context.Context) { v.Suspect(); _ = v.Get(ctx) })
		wantCalls(t, f, 3)
		wait(time.Nanosecond)
		invoke(t, s, func(ctx context.Context) { v.Suspect(); _ = v.Get(ctx) })
		wantCalls(t, f, 4)
	})
}

func TestPolicy_AuthFailureDuringOutageServesTheOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(plain())
		v := String(s, f.ref("a"))
		wantRead(t, s, v, "one")
		f.failWith("*", errDown)
		v.Suspect()
		wantRead(t, s, v, "one")
		wantCalls(t, f, 2)
	})
}

func TestPolicy_NegativeCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := New(plain())
		v := String(s, f.ref("a"))
		calls := 0
		for _, hold := range []time.Duration{5, 10, 20, 40, 60, 60} {
			wantErr(t, s, v, ErrNotFound)
			calls++
			wantCalls(t, f, calls)
			wait(hold*time.Second - time.Nanosecond)
			wantErr(t, s, v, ErrNotFound)
			wantCalls(t, f, calls)
			wait(time.Nanosecond)
		}
		f.put("a", "one")
		wantRead(t, s, v, "one")
	})
}

func TestPolicy_NegativeCacheSpread(t *testing.T) {
	for rand, hold := range map[float64]time.Duration{0: 4 * time.Second, 1: 6 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			s := New(Config{Rand: func() float64 { return rand }})
			v := String(s, f.ref("a"))
			wantErr(t, s, v, ErrNotFound)
			wait(hold - time.Nanosecond)
			wantErr(t, s, v, ErrNotFound)
			wantCalls(t, f, 1)
			wait(time.Nanosecond)
			wantErr(t, s, v, ErrNotFound)
			wantCalls(t, f, 2)
		})
	}
}

func TestPolicy_NegativeCacheIsClearedByClockEventsAndRefresh(t *testing.T) {
	for name, clear := range map[string]func(*Store, Ref){
		"clock event": func(s *Store, _ Ref) {
			s.Thaw(context.Background(), middy.Gap{Wall: time.Hour})
		},
		"explicit refresh": func(s *Store, r Ref) { _ = s.Refresh(context.Background(), r) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				s := New(plain())
				v := String(s, f.ref("a"))
				wantErr(t, s, v, ErrNotFound)
				f.put("a", "one")
				clear(s, f.ref("a"))
				wantRead(t, s, v, "one")
			})
		})
	}
}

func TestPolicy_SingleFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(plain())
		v := String(s, f.ref("a"))
		wantRead(t, s, v, "one")
		f.put("a", "two")
		f.setLatency(100 * time.Millisecond)
		wait(5 * time.Minute)
		invoke(t, s, func(ctx context.Context) {
			done := make(chan string, 1000)
			for range 1000 {
				go func() { done <- v.Get(ctx) }()
			}
			for range 1000 {
				if got := <-done; got != "two" {
					t.Error(got)
				}
			}
		})
		wantCalls(t, f, 2) // exactly one more
	})
}

func TestPolicy_SingleFlightWaitersLeaveOnTheirOwnContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		f.setLatency(3 * time.Second)
		s := New(plain())
		v := String(s, f.ref("a"))
		invoke(t, s, func(ctx context.Context) {
			start := time.Now()
			leader, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
			defer cancel()
			other := make(chan string)
			go func() {
				wait(50 * time.Millisecond)
				other <- v.Get(ctx)
			}()
			_, err := v.Lookup(leader)
			if late := time.Since(start) - 100*time.Millisecond; late > time.Millisecond || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("left %v late with %v", late, err)
			}
			if got := <-other; got != "one" { // the flight went on
				t.Error(got)
			}
		})
		wantCalls(t, f, 1)
	})
}

func TestPolicy_SingleFlightIsBoundedByFiveSecondsAndTheInvocation(t *testing.T) {
	for _, tt := range []struct{ deadline, took time.Duration }{
		{30 * time.Second, 5 * time.Second},
		{5200 * time.Millisecond, 5 * time.Second},
		{5100 * time.Millisecond, 4900 * time.Millisecond}, // 200 ms to tell how it failed
		{2 * time.Second, 1800 * time.Millisecond},
		{time.Second, 900 * time.Millisecond}, // or a tenth
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake("a", "one")
			f.setLatency(time.Hour)
			s := New(plain())
			v := String(s, f.ref("a"))
			ctx, cancel := context.WithTimeout(t.Context(), tt.deadline)
			defer cancel()
			start := time.Now()
			_, err := s.Wrap(func(context.Context, *middy.Invocation) (any, error) {
				return v.Lookup(t.Context())
			})(ctx, &middy.Invocation{})
			if took := time.Since(start); took != tt.took || !errors.Is(err, ErrUnavailable) {
				t.Errorf("after %v: %v", took, err)
			}
		})
	}
}

func TestPolicy_Batch(t *testing.T) {
	for n, want := range map[int]int{1: 1, 2: 2, 3: 1, 20: 1, 21: 2, 25: 2, 40: 2, 43: 3, 22: 3} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := batchFake{newFake()}
				s := New(plain())
				for i := range n {
					f.put(fmt.Sprint(i), "x")
					String(s, f.ref(fmt.Sprint(i)).Required())
				}
				if err := s.Init(t.Context()); err != nil {
					t.Fatal(err)
				}
				wantCalls(t, f.fake, want) // 21 and 22 have one or two singles beside the batch
			})
		})
	}
}

func TestPolicy_BatchCoalescesWithinAMillisecond(t *testing.T) {
	for gap, want := range map[time.Duration]int{999 * time.Microsecond: 1, 1001 * time.Microsecond: 3} {
		synctest.Test(t, func(t *testing.T) {
			f := batchFake{newFake("a", "1", "b", "2", "c", "3")}
			s := New(plain())
			a, b, c := String(s, f.ref("a")), String(s, f.ref("b")), String(s, f.ref("c"))
			go a.Get(t.Context())
			wait(gap)
			go b.Get(t.Context())
			c.Get(t.Context())
			synctest.Wait()
			wantCalls(t, f.fake, want)
		})
	}
}

func TestPolicy_BatchMapsItemErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := batchFake{newFake("ok", "1", "denied", "2", "lost", "3")}
		f.failWith("denied", kind(Denied))
		s := New(plain())
		ok, denied := String(s, f.ref("ok")), String(s, f.ref("denied"))
		missing := String(s, f.ref("missing"))
		if err := s.Init(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantRead(t, s, ok, "1")
		wantErr(t, s, denied, ErrDenied)
		wantErr(t, s, missing, ErrNotFound)
		wantCalls(t, f.fake, 1)
	})
}

func TestPolicy_BatchFetchesAnUnansweredKeyAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := forgetful{batchFake{newFake("a", "1", "b", "2", "c", "3")}}
		s := New(plain())
		var vs []*Value[string]
		for _, id := range []string{"a", "b", "c"} {
			vs = append(vs, String(s, NewRef(f, id)))
		}
		_ = s.Init(t.Context())
		wantRead(t, s, vs[2], "3")
		if got := f.calls[len(f.calls)-1]; got != "c" || len(f.calls) != 2 {
			t.Error(f.calls)
		}
	})
}

// forgetful does not answer for the last key of a batch.
type forgetful struct{ batchFake }

func (f forgetful) FetchBatch(ctx context.Context, keys []Key) ([]Result, error) {
	out, err := f.batchFake.FetchBatch(ctx, keys)
	out[len(out)-1] = Result{Err: kind(Unanswered)}
	return out, err
}

func TestPolicy_BatchAtFleetScale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := batchFake{newFake()}
		f.failWith("batch", kind(Throttled))
		s := New(plain())
		for i := range 20 {
			f.put(fmt.Sprint(i), "x")
			String(s, f.ref(fmt.Sprint(i)).Required())
		}
		start := time.Now()
		if err := s.Init(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantCalls(t, f.fake, 1+20)
		// At once, eight at a time, 10 ms each: the batch, then three rounds.
		if took := time.Since(start); took != 40*time.Millisecond {
			t.Errorf("took %v", took)
		}
		f.failWith("batch", nil)
		wait(time.Hour)
		invoke(t, s, func(context.Context) {})
		wantCalls(t, f.fake, 1+20+1) // throttling is not remembered
	})
}

func TestPolicy_BatchFailureIsEveryKeysFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := batchFake{newFake("a", "1", "b", "2", "c", "3")}
		f.failWith("batch", errDown)
		s := New(plain())
		a := String(s, f.ref("a"))
		String(s, f.ref("b"))
		String(s, f.ref("c"))
		_ = s.Init(t.Context())
		wantErr(t, s, a, ErrUnavailable)
		wantCalls(t, f.fake, 1) // no singles into a service that is down
	})
}

func TestPolicy_Size(t *testing.T) {
	for _, tt := range []struct {
		name             string
		entries, bytes   int
		names, evictions int
	}{
		{"1,000 entries fit", 1000, -1, 1000, 0},
		{"the 1,001st evicts one", 1000, -1, 1001, 1},
		{"bytes that just fit", -1, 40, 10, 0},
		{"bytes that do not", -1, 39, 10, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				f.setLatency(0)
				cfg := plain()
				cfg.MaxEntries, cfg.MaxBytes = tt.entries, int64(tt.bytes)
				s := New(cfg)
				for i := range tt.names {
					id := fmt.Sprint(i)
					f.put(id, "four")
					if _, err := s.Lookup(t.Context(), f.ref(id)); err != nil {
						t.Fatal(err)
					}
					if i == 0 {
						wait(time.Second)
					}
				}
				if got := s.Stats().Evicted; got != uint64(tt.evictions) {
					t.Errorf("%d evictions; want %d", got, tt.evictions)
				}
				if n := f.count(); n != tt.names {
					t.Fatal(n)
				}
				_, _ = s.Lookup(t.Context(), f.ref("0"))
				if again := f.count() - tt.names; again != min(tt.evictions, 1) {
					t.Error("the least recently used name was not the one to go")
				}
			})
		})
	}
}

func TestPolicy_SizeNeverEvictsDeclaredValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one", "b", "two", "c", "three")
		cfg := plain()
		cfg.MaxEntries = 1
		s := New(cfg)
		a := String(s, f.ref("a"))
		wantRead(t, s, a, "one")
		for _, id := range []string{"b", "c", "b", "a"} {
			if _, err := s.Lookup(t.Context(), f.ref(id)); err != nil {
				t.Fatal(err)
			}
			wait(time.Second)
		}
		wantRead(t, s, a, "one")
		if n := f.count(); n != 4 { // a, b, c, b
			t.Error(f.calls)
		}
	})
}

func TestPolicy_DescribeUsage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(plain())
		v := String(s, f.ref("a"))
		wantRead(t, s, v, "one")
		wantCalls(t, f, 1) // off by default
	})
}

func TestPolicy_RotationDate(t *testing.T) {
	for _, tt := range []struct {
		name           string
		window, latest time.Duration // from now; 0: none
		expires        time.Duration
		describes      int // after two fetches
	}{
		{"shortens the TTL to the window's start", 100 * time.Second, 400 * time.Second, 100 * time.Second, 1},
		{"does not lengthen it", time.Hour, 2 * time.Hour, 300 * time.Second, 1},
		{"within the window the TTL is as ever", -time.Minute, time.Hour, 300 * time.Second, 1},
		{"a date in the past is ignored", -2 * time.Hour, -time.Hour, 300 * time.Second, 1},
		{"a window that begins now is no reason to ask at once", 10 * time.Millisecond, time.Hour, 300 * time.Second, 1},
		{"no rotation is planned", 0, 0, 300 * time.Second, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake("a", "one")
				if tt.latest != 0 {
					f.rotates = Rotation{time.Now().Add(tt.window), time.Now().Add(tt.latest)}
				}
				s := New(plain())
				v := String(s, f.ref("a").FollowRotation())
				start := time.Now()
				wantRead(t, s, v, "one")
				fetched := time.Now()
				until := fetched.Add(tt.expires)
				if tt.window > 0 && tt.expires < 300*time.Second {
					until = start.Add(tt.expires)
				}
				wait(time.Until(until) - time.Nanosecond)
				wantRead(t, s, v, "one")
				wantCalls(t, f, 2)
				wait(time.Nanosecond)
				wantRead(t, s, v, "one")
				wantCalls(t, f, 2+tt.describes) // the second fetch, no second describe
			})
		})
	}
}

func TestPolicy_VersionIDCompare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		decoded := 0
		f := newFake("a", `{"N":1}`)
		s := New(plain())
		v := Decode(s, f.ref("a"), func(b []byte) (*string, error) {
			decoded++
			str := string(b)
			return &str, nil
		})
		first, _ := read(t, s, v)
		for range 5 {
			wait(time.Hour)
			again, err := read(t, s, v)
			if err != nil || again != first {
				t.Fatal("the same version gave a new value", err)
			}
		}
		wantCalls(t, f, 6)
		if decoded != 1 || s.Stats().Unchanged != 5 {
			t.Error(decoded, s.Stats())
		}
		f.put("a", "{}")
		wait(time.Hour)
		if again, _ := read(t, s, v); again == first || v.Version() != "2" {
			t.Error("a new version was not decoded")
		}
	})
}

func TestPolicy_VersionIDUnknownComparesBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.values["a"] = fakeValue{text: "one"}
		s := New(plain())
		v := Bytes(s, f.ref("a"))
		first, _ := read(t, s, v)
		wait(time.Hour)
		if again, _ := read(t, s, v); &again[0] != &first[0] {
			t.Error("equal bytes were decoded again")
		}
		f.values["a"] = fakeValue{text: "two"}
		wait(time.Hour)
		if again, _ := read(t, s, v); string(again) != "two" {
			t.Errorf("%s", again)
		}
	})
}

func TestPolicy_Prefetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one", "b", "two")
		f.setLatency(1999 * time.Millisecond)
		s := New(plain())
		a, b := String(s, f.ref("a").Required()), String(s, f.ref("b"))
		if err := s.Init(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantCalls(t, f, 2)
		invoke(t, s, func(ctx context.Context) {
			if a.Get(ctx)+b.Get(ctx) != "onetwo" {
				t.Error("wrong values")
			}
		})
		wantCalls(t, f, 2)
	})
}

func TestPolicy_PrefetchBudget(t *testing.T) {
	for name, required := range map[string]bool{"lazy": false, "required": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake("a", "one")
				f.setLatency(2001 * time.Millisecond)
				s := New(plain())
				r := f.ref("a")
				if required {
					r = r.Required()
				}
				v := String(s, r)
				start := time.Now()
				err := s.Init(t.Context())
				if took := time.Since(start); took != 2*time.Second || f.busy() != 0 {
					t.Errorf("Init took %v and left %d requests", took, f.busy())
				}
				if required {
					if err == nil || !errors.Is(err, ErrUnavailable) {
						t.Error(err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				wantRead(t, s, v, "one") // no failure is remembered of a budget
			})
		})
	}
}

func TestPolicy_PrefetchOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		cfg := plain()
		cfg.PrefetchBudget = -1
		s := New(cfg)
		String(s, f.ref("a"))
		if err := s.Init(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantCalls(t, f, 0)
	})
}

func TestPolicy_OnSnapStartSnapshot(t *testing.T) {
	for name, keep := range map[string]bool{"wiped": false, "kept": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake("a", "one")
				cfg := plain()
				cfg.KeepInSnapshot = keep
				s := New(cfg)
				v := Hidden(s, f.ref("a"))
				secret, _ := read(t, s, v)
				if err := s.BeforeSnapshot(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := secret.EqualString("one"); got != keep {
					t.Error("in the snapshot:", got)
				}
				if err := s.AfterRestore(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got, err := read(t, s, v); err != nil || got.Reveal() != "one" {
					t.Error(err)
				}
			})
		})
	}
}

func TestPolicy_OnSIGTERM(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one", "b", "two")
		s := New(plain())
		a, b := Hidden(s, f.ref("a")), Hidden(s, f.ref("b"))
		secret, _ := read(t, s, a)
		var held []byte
		secret.Use(func(b []byte) { held = b })
		f.setLatency(time.Hour)
		failed := make(chan error)
		go func() {
			_, err := b.Lookup(t.Context())
			failed <- err
		}()
		synctest.Wait()
		start := time.Now()
		if err := s.Close(t.Context()); err != nil || time.Since(start) != 0 {
			t.Error(err, time.Since(start))
		}
		if err := <-failed; !errors.Is(err, ErrClosed) {
			t.Error("a reader waits for a closed store:", err)
		}
		if string(held) != "\x00\x00\x00" || secret.Use(func([]byte) {}) {
			t.Errorf("%q is still in memory", held)
		}
		if _, err := a.Lookup(t.Context()); !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
		if f.busy() != 0 {
			t.Error("a request survives")
		}
	})
}
