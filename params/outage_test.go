package params

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A function that is called seldom meets an outage with every invocation: its
// back-off is always over. That must not become the function's latency.
func TestPolicy_AnOutageIsNotTheLatencyOfASeldomCalledFunction(t *testing.T) {
	for _, gap := range []time.Duration{time.Minute, 72 * time.Second, 10 * time.Minute, time.Hour} {
		t.Run(fmt.Sprint("called every ", gap), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				s := New(Config{MaxStale: 1000 * time.Hour})
				var values []*Value[string]
				for i := range 25 { // their TTLs and back-offs are not in step
					id := fmt.Sprint(i)
					f.put(id, id)
					values = append(values, String(s, f.ref(id)))
					wantRead(t, s, values[i], id)
					wait(11 * time.Second)
				}
				f.setLatency(time.Hour) // a black hole
				var took []time.Duration
				var sum time.Duration
				for range 16 * 20 {
					wait(gap)
					d := invoke(t, s, func(ctx context.Context) {
						for i, v := range values {
							if v.Get(ctx) != fmt.Sprint(i) {
								t.Error("wrong value")
							}
						}
					})
					if f.busy() != 0 {
						t.Fatal("a request survives the invocation")
					}
					took, sum = append(took, d), sum+d
				}
				slices.Sort(took)
				p50, mean, longest := took[len(took)/2], sum/time.Duration(len(took)), took[len(took)-1]
				t.Logf("p50 %v, mean %v, longest %v", p50, mean, longest)
				// The longest waits 1 s for what failed before, and JoinBudget for a
				// value whose first refresh in the outage this is.
				if p50 != 0 || mean > 120*time.Millisecond || longest > 1250*time.Millisecond {
					t.Errorf("p50 %v, mean %v, longest %v; want 0, at most 120 ms, at most 1.25 s", p50, mean, longest)
				}
			})
		})
	}
}

// Whatever the try at which the service is back, the value is had soon.
func TestPolicy_AfterAnOutageTheValueIsHadWithinFourTries(t *testing.T) {
	for _, tt := range []struct {
		name             string
		handler, latency time.Duration
		within           int
	}{
		{"the fetch is shorter than the handler", 20 * time.Millisecond, 10 * time.Millisecond, 1},
		{"the fetch is longer than the handler", 0, 10 * time.Millisecond, 4},
		{"as long as JoinBudget, just", 0, 249 * time.Millisecond, 4},
		{"longer than JoinBudget: a slow source is not down", 0, 999 * time.Millisecond, 16},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for tries := range 40 {
				synctest.Test(t, func(t *testing.T) {
					f := newFake("a", "one")
					s := New(plain())
					v := String(s, f.ref("a"))
					wantRead(t, s, v, "one")
					f.setLatency(time.Hour)
					call := func() {
						wait(10 * time.Minute)
						invoke(t, s, func(ctx context.Context) {
							_ = v.Get(ctx)
							wait(tt.handler)
						})
					}
					for range 1 + tries {
						call()
					}
					f.put("a", "two")
					f.setLatency(tt.latency)
					n := 0
					for v.entry.state.Load().version != "2" && n < 100 {
						call()
						n++
					}
					if n > tt.within {
						t.Errorf("after %d failed tries it took %d more; want at most %d", tries, n, tt.within)
					}
					wantRead(t, s, v, "two")
				})
			}
		})
	}
}

// Which tries a response waits for, and how long: the whole table.
func TestPolicy_OneTryInFourIsWaitedFor(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name    string
		edit    func(*Config)
		handler time.Duration
		read    bool
		want    []time.Duration // of the invocations after the value's TTL
	}{
		{"by default", func(*Config) {}, 0, true, []time.Duration{
			500 * ms, // nothing is known of an outage: Patience, and then JoinBudget
			250 * ms, 0, 0, 0, 1000 * ms, 0, 0, 0, 250 * ms, 0, 0, 0, 250 * ms, 0, 0, 0, 250 * ms, 0, 0, 0, 1000 * ms, 0}},
		{"the handler's time counts", func(*Config) {}, 200 * ms, false, []time.Duration{
			450 * ms, 250 * ms, 200 * ms, 200 * ms, 200 * ms, 1000 * ms, 200 * ms}},
		{"a long handler has nothing to wait for", func(*Config) {}, 1100 * ms, false, []time.Duration{
			1350 * ms, 1100 * ms, 1100 * ms, 1100 * ms, 1100 * ms, 1100 * ms}},
		{"the reader waits for Patience", func(c *Config) { c.Patience = 100 * ms; c.JoinBudget = -1 }, 0, true, []time.Duration{
			100 * ms, 100 * ms, 0, 0, 0, 400 * ms, 0}},
		{"the response waits for JoinBudget", func(c *Config) { c.JoinBudget = 100 * ms }, 0, false, []time.Duration{
			100 * ms, 100 * ms, 0, 0, 0, 400 * ms, 0}},
		{"not longer than a fetch may take", func(c *Config) { c.FetchTimeout = 600 * ms }, 0, true, []time.Duration{
			500 * ms, 250 * ms, 0, 0, 0, 600 * ms, 0}},
		{"negative Patience: a reader waits for every fetch", func(c *Config) { c.Patience = -1; c.FetchTimeout = 600 * ms }, 0, true, []time.Duration{
			600 * ms, 600 * ms, 600 * ms, 600 * ms}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake("a", "one")
				cfg := plain()
				tt.edit(&cfg)
				s := New(cfg)
				s.background = false // as in a function
				v := String(s, f.ref("a"))
				wantRead(t, s, v, "one")
				f.setLatency(time.Hour)
				var took []time.Duration
				for range tt.want {
					wait(10 * time.Minute)
					took = append(took, invoke(t, s, func(ctx context.Context) {
						if tt.read && v.Get(ctx) != "one" {
							t.Error("wrong value")
						}
						wait(tt.handler)
					}))
				}
				if !slices.Equal(took, tt.want) {
					t.Errorf("took %v\n want %v", took, tt.want)
				}
				wantCalls(t, f, 1+len(tt.want)) // every invocation tries
			})
		})
	}
}

// A value that the source keeps from us does not make the response wait longer
// for one that comes.
func TestAValueThatComesIsNotHeldUpByOneThatDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost, fine := newFake("a", "one"), newFake("b", "two")
		fine.name = "other"
		s := New(plain())
		a, b := String(s, lost.ref("a")), String(s, fine.ref("b"))
		wantRead(t, s, a, "one")
		wantRead(t, s, b, "two")
		lost.setLatency(time.Hour)
		for range 3 {
			wait(10 * time.Minute)
			invoke(t, s, func(ctx context.Context) { _, _ = a.Get(ctx), b.Get(ctx) })
		}
		// a is down, and this is none of the tries that are waited for.
		wait(10 * time.Minute)
		took := invoke(t, s, func(context.Context) {}) // b is fetched beside it
		if took != 10*time.Millisecond {
			t.Error("the response waited", took)
		}
		if got := b.entry.state.Load().confirmed; got != time.Now().UnixNano() {
			t.Error("the value that came was not taken")
		}
	})
}

// One value's outage is not forgotten for another one that is due as well.
func TestATryIsWaitedForAlsoBesideAValueThatComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost, fine := newFake("a", "one"), newFake("b", "two")
		fine.name = "other"
		s := New(plain())
		wantRead(t, s, String(s, lost.ref("a")), "one")
		wantRead(t, s, String(s, fine.ref("b")), "two")
		lost.setLatency(time.Hour)
		for try := range 2 {
			wait(10 * time.Minute) // a is due before b
			if took := invoke(t, s, func(context.Context) {}); took != 250*time.Millisecond {
				t.Errorf("try %d: the response left after %v; want 250ms", try, took)
			}
		}
	})
}

// Outside of invocations nobody joins: a server tries in the background, and a
// function without the middleware waits, since what it begins may be frozen.
func TestPolicy_AnOutageOutsideInvocations(t *testing.T) {
	for _, tt := range []struct {
		where, env string
		took       time.Duration
	}{
		{"a server", "", 0},
		{"a function without the middleware", "orders", 250 * time.Millisecond},
	} {
		t.Run(tt.where, func(t *testing.T) {
			t.Setenv("AWS_LAMBDA_FUNCTION_NAME", tt.env)
			synctest.Test(t, func(t *testing.T) {
				f := newFake("a", "one")
				s := New(plain())
				v := String(s, f.ref("a"))
				_ = v.Get(t.Context())
				f.setLatency(time.Hour)
				for i := range 3 {
					wait(10 * time.Minute)
					start := time.Now()
					if v.Get(t.Context()) != "one" {
						t.Error("wrong value")
					}
					if i == 2 && time.Since(start) != tt.took {
						t.Errorf("the reader waited %v; want %v", time.Since(start), tt.took)
					}
					synctest.Wait()
					wantCalls(t, f, 2+i)
				}
				f.put("a", "two")
				f.setLatency(time.Second)
				wait(10 * time.Minute)
				_ = v.Get(t.Context())
				wait(2 * time.Second) // nobody cancels it
				if v.Get(t.Context()) != "two" {
					t.Error("the value did not come in the background")
				}
			})
		})
	}
}

// A caller whose own context ends first gets the old value, and one that waits
// beyond the hard limit gets the error.
func TestWhoWaitsForATryMayLeaveAndMayNotOutstayTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(plain())
		v := String(s, f.ref("a"))
		wantRead(t, s, v, "one")
		confirmed := time.Now()
		f.setLatency(time.Hour)
		wait(10 * time.Minute)
		wantRead(t, s, v, "one")
		wait(10 * time.Minute)
		invoke(t, s, func(ctx context.Context) {
			short, cancel := context.WithTimeout(ctx, time.Millisecond)
			defer cancel()
			start := time.Now()
			if got, err := v.Lookup(short); got != "one" || err != nil || time.Since(start) != 900*time.Microsecond { // a tenth is for what follows
				t.Error(got, err, time.Since(start))
			}
		})
		for range 3 {
			wait(10 * time.Minute)
			wantRead(t, s, v, "one")
		}
		wait(time.Until(confirmed.Add(24*time.Hour - 500*time.Millisecond))) // the fifth try: 1 s
		_, err := read(t, s, v)
		if !errors.Is(err, ErrStale) {
			t.Error("served beyond the hard limit:", err)
		}
	})
}

// The limit counts when the reader leaves, not when it came.
func TestWhoWaitsPastTheLimitGetsNoOldValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		cfg := plain()
		cfg.Patience = -1
		s := New(cfg)
		v := String(s, f.ref("a").MaxStale(5*time.Minute+time.Second))
		wantRead(t, s, v, "one")
		f.setLatency(time.Hour)
		wait(5 * time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if got, err := v.Lookup(ctx); err == nil {
			t.Errorf("got %q beyond its limit", got)
		}
		wait(time.Hour) // for the fetch
	})
}

// There is nothing to serve meanwhile: the response waits for it as for any fetch.
func TestAFetchOfAValueThatNeverCameIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		f.failWith("*", errDown)
		s := New(plain())
		v := String(s, f.ref("a"))
		wantErr(t, s, v, ErrUnavailable)
		f.failWith("*", nil)
		f.setLatency(100 * time.Millisecond)
		wait(time.Hour)
		took := invoke(t, s, func(ctx context.Context) {
			go func() { _, _ = v.Lookup(ctx) }()
			wait(time.Millisecond)
		})
		if st := v.entry.state.Load(); took != 100*time.Millisecond || st.raw == nil {
			t.Errorf("the response left after %v, with the value: %v; want 100ms and the value", took, st.raw != nil)
		}
	})
}

func TestStaleErrorSaysItsLimit(t *testing.T) {
	for _, tt := range []struct {
		name          string
		ttl, maxStale time.Duration
		age           time.Duration
		limit         time.Duration
		text          string
	}{
		{"MaxStale", 0, 0, 24 * time.Hour, 24 * time.Hour,
			`params: fake "a" was last confirmed 24h0m0s ago (at 2000-01-01T00:00:00Z), its limit is 24h0m0s, and it could not be confirmed since: `},
		{"the TTL where MaxStale is negative", 0, -1, 6 * time.Minute, 5 * time.Minute,
			`params: fake "a" was last confirmed 6m0s ago (at 2000-01-01T00:00:00Z), its limit is 5m0s, and it could not be confirmed since: `},
		{"the TTL where MaxStale is shorter", time.Hour, time.Minute, 2 * time.Hour, time.Hour,
			`params: fake "a" was last confirmed 2h0m0s ago (at 2000-01-01T00:00:00Z), its limit is 1h0m0s, and it could not be confirmed since: `},
		{"none where every use must be confirmed", -1, -1, 3 * time.Second, 0,
			`params: fake "a" was last confirmed 3s ago (at 2000-01-01T00:00:00Z), must be confirmed before every use, and could not be: `},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake("a", "one")
				f.setLatency(0)
				s := New(plain())
				r := f.ref("a")
				if tt.ttl != 0 {
					r = r.TTL(tt.ttl)
				}
				if tt.maxStale != 0 {
					r = r.MaxStale(tt.maxStale)
				}
				v := String(s, r)
				wantRead(t, s, v, "one")
				f.failWith("*", errDown)
				wait(tt.age)
				stale, ok := errors.AsType[*StaleError](wantErr(t, s, v, ErrStale))
				if !ok || stale.Limit != tt.limit || stale.Age != tt.age || stale.Error() != tt.text+errDown.Error() {
					t.Errorf("%v\n%#v\nwant %s", stale, stale, tt.text)
				}
			})
		})
	}
}

func TestTheShortestPatienceIsNoEndlessOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		cfg := plain()
		cfg.Patience = 1
		s := New(cfg)
		v := String(s, f.ref("a"))
		wantRead(t, s, v, "one")
		f.setLatency(time.Second)
		wait(time.Hour)
		invoke(t, s, func(ctx context.Context) {
			start := time.Now()
			if v.Get(ctx) != "one" || time.Since(start) != 1 {
				t.Error("waited", time.Since(start))
			}
		})
	})
}
