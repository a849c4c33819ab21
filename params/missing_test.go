package params

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// That there is no value is an answer of the source, and is kept as a value is.

func TestAMissingOptionalValueCostsWhatAValueCosts(t *testing.T) {
	t.Parallel()
	hour := func(t *testing.T, ref func(*fake) Ref) (requests, waited int) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake("there", "x")
			f.setLatency(50 * time.Millisecond)
			s := New(Config{})
			v := String(s, ref(f))
			if err := s.Init(t.Context()); err != nil {
				t.Fatal(err)
			}
			for range 3600 {
				wait(time.Second)
				invoke(t, s, func(ctx context.Context) {
					start := time.Now()
					_ = v.Get(ctx)
					if time.Since(start) > 0 {
						waited++
					}
					wait(100 * time.Millisecond)
				})
			}
			requests = f.count()
		})
		return requests, waited
	}
	there, waits := hour(t, func(f *fake) Ref { return f.ref("there") })
	requests, waited := hour(t, func(f *fake) Ref { return f.ref("missing").Optional() })
	if requests > there+4 || waited > waits+4 { // each draws its own jitter
		t.Errorf("a missing value took %d requests, and %d reads waited; a value takes %d, and %d", requests, waited, there, waits)
	}
}

func TestAMissingValueStaysMissingInAnOutage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		kind Kind
		want error // of a value that somebody needs
	}{{"the source is down", Unavailable, ErrNotFound}, {"the source throttles", Throttled, ErrNotFound}, {"an answer that says nothing", Unanswered, ErrNotFound}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				s := New(plain())
				optional, needed := String(s, f.ref("a").Optional()), String(s, f.ref("b"))
				wantRead(t, s, optional, "")
				wantErr(t, s, needed, ErrNotFound)
				confirmed := time.Now()
				f.failWith("*", kind(tt.kind))
				for time.Since(confirmed) < 23*time.Hour {
					wait(2 * time.Minute)
					invoke(t, s, func(ctx context.Context) {
						if got := optional.Get(ctx); got != "" {
							t.Errorf("the optional value is %q", got)
						}
						if _, err := needed.Lookup(ctx); !errors.Is(err, tt.want) {
							t.Errorf("the needed value: %v; want %v", err, tt.want)
						}
					})
				}
				wait(time.Until(confirmed.Add(24 * time.Hour)))
				wantErr(t, s, optional, ErrStale) // as a value that was not confirmed
				f.failWith("*", nil)
				f.put("a", "one")
				wait(2 * time.Minute)
				wantRead(t, s, optional, "one")
			})
		})
	}
}

func TestAMissingValueThatIsDeniedHasOneGrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := New(plain())
		v := String(s, f.ref("a").Optional())
		wantRead(t, s, v, "")
		f.failWith("*", kind(Denied))
		wait(time.Hour)
		wantRead(t, s, v, "")
		wait(5 * time.Second)
		wantErr(t, s, v, ErrDenied)
	})
}

func TestAnOptionalValueThatIsDeletedBecomesZero(t *testing.T) {
	t.Parallel()
	for _, k := range []Kind{NotFound, Deleted} {
		t.Run(k.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake("a", "7")
				s := New(plain())
				v := Int(s, f.ref("a").Optional())
				wantRead(t, s, v, 7)
				f.failWith("*", kind(k))
				wait(time.Hour)
				wantRead(t, s, v, 7) // asked once more
				wait(5 * time.Second)
				wantRead(t, s, v, 0)
				if v.Version() != "" {
					t.Errorf("the version of nothing is %q", v.Version())
				}
				f.failWith("*", errDown)
				wait(time.Hour)
				wantRead(t, s, v, 0)
				f.failWith("*", nil)
				f.put("a", "not a number")
				wait(time.Hour)
				wantErr(t, s, v, ErrDecode) // that it was missing is no value to go on with
			})
		})
	}
}

func TestAMissingOptionalValueIsReadAsFastAsAValue(t *testing.T) {
	s, f := New(Config{}), newFake()
	f.setLatency(0)
	v := String(s, f.ref("a").Optional())
	if err := s.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	during(s, func(ctx context.Context) {
		_ = v.Get(ctx)
		if n := testing.AllocsPerRun(100, func() { _ = v.Get(ctx) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
		if snap := v.snap.Load(); snap.stamp.Load() != s.epoch.Load() {
			t.Error("each Get decides anew")
		}
	})
	wantCalls(t, f, 1)
}

func TestEveryInvocationAsksOnceForAMissingValueWithoutATTL(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := New(plain())
		v := String(s, f.ref("a").TTL(-1).Optional())
		for i := range 3 {
			invoke(t, s, func(ctx context.Context) { _, _ = v.Get(ctx), v.Get(ctx) })
			wantCalls(t, f, i+1)
		}
	})
}

// What was reported, or is forbidden, is not good for the rest of the invocation
// only because it was fetched in it.
func TestAReportCountsWithinTheInvocationThatFetched(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(plain())
		v := String(s, f.ref("a").TTL(-1))
		invoke(t, s, func(ctx context.Context) {
			_ = v.Get(ctx)
			f.put("a", "two")
			if got := v.Get(ctx); got != "one" {
				t.Errorf("asked more than once: %q", got)
			}
			v.Suspect()
			if got := v.Get(ctx); got != "two" {
				t.Errorf("after the report: %q; want the new version", got)
			}
		})
		wantCalls(t, f, 2)
	})
}

// An invocation without an answer asks for it once, and what says that the value
// is not ours to use is heard, in the same invocation.
func TestADenialCountsWithinTheInvocationThatFetched(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(plain())
		v := String(s, f.ref("a").TTL(-1))
		invoke(t, s, func(ctx context.Context) {
			_ = v.Get(ctx)
			f.failWith("*", kind(Denied))
			if err := s.Refresh(ctx, f.ref("a")); !errors.Is(err, ErrDenied) {
				t.Errorf("Refresh: %v; want ErrDenied", err)
			}
			wait(5 * time.Second)
			if got, err := v.Lookup(ctx); !errors.Is(err, ErrDenied) {
				t.Errorf("after the grace: %q, %v; want ErrDenied", got, err)
			}
		})
	})
}

// What was confirmed in this invocation is not lost by a refresh without an answer.
func TestARefreshThatFailsTakesNothingAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(plain())
		v, w := String(s, f.ref("a").TTL(-1).MaxStale(-1)), String(s, f.ref("b").Optional())
		invoke(t, s, func(ctx context.Context) {
			_ = v.Get(ctx)
			f.failWith("*", errDown)
			if err := s.Refresh(ctx, f.ref("a")); !errors.Is(err, ErrUnavailable) {
				t.Errorf("Refresh: %v; want ErrUnavailable", err)
			}
			if got, err := v.Lookup(ctx); got != "one" || err != nil {
				t.Errorf("got %q, %v; want the value", got, err)
			}
			if err := s.Refresh(ctx, w.Ref()); !errors.Is(err, ErrUnavailable) {
				t.Errorf("Refresh of an optional value: %v; want ErrUnavailable", err)
			}
		})
	})
}

func TestAValueThatIsThereIsNoNegativeAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(plain())
		for range 2 {
			wantRead(t, s, String(s, f.ref("a")), "one")
		}
		if got := s.Stats().Negative; got != 0 {
			t.Errorf("%d negative answers; want 0", got)
		}
	})
}

func TestANegativeNegativeTTLRemembersNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		cfg := plain()
		cfg.NegativeTTL = -1
		s := New(cfg)
		v := String(s, f.ref("a"))
		for i := range 3 {
			wantErr(t, s, v, ErrNotFound)
			wantCalls(t, f, i+1)
		}
		f.failWith("*", errDown)
		wantErr(t, s, v, ErrUnavailable)
	})
}
