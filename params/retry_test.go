package params

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var errLogin = errors.New("password authentication failed")

func isLogin(err error) bool { return errors.Is(err, errLogin) }

// database accepts some passwords, and counts.
type database struct {
	mu      sync.Mutex
	accepts map[string]bool
	tries   []string
	took    time.Duration
}

func accepting(passwords ...string) *database {
	d := &database{accepts: map[string]bool{}}
	for _, p := range passwords {
		d.accepts[p] = true
	}
	return d
}

func (d *database) login(_ context.Context, password string) error {
	wait(d.took)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tries = append(d.tries, password)
	if !d.accepts[password] {
		return errLogin
	}
	return nil
}

func (d *database) set(passwords ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.accepts = accepting(passwords...).accepts
}

func (d *database) count(password string) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.tries {
		if p == password {
			n++
		}
	}
	return n
}

func TestPolicy_RotationLoop(t *testing.T) {
	t.Run("a good login runs once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f, db := newFake("a", "p1"), accepting("p1")
			v := String(New(plain()), f.ref("a"))
			if err := Retry(t.Context(), v, isLogin, db.login); err != nil || len(db.tries) != 1 {
				t.Error(err, db.tries)
			}
		})
	})
	t.Run("another error is returned as it is", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f, other := newFake("a", "p1"), errors.New("syntax error")
			v := String(New(plain()), f.ref("a"))
			runs := 0
			err := Retry(t.Context(), v, isLogin, func(context.Context, string) error { runs++; return other })
			if err != other || runs != 1 {
				t.Error(err, runs)
			}
		})
	})
	t.Run("after a rotation the new version is fetched", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f, db := newFake("a", "p1"), accepting("p1")
			s := New(plain())
			v := String(s, f.ref("a"))
			_ = v.Get(t.Context())
			f.put("a", "p2")
			db.set("p2")
			start := time.Now()
			if err := Retry(t.Context(), v, isLogin, db.login); err != nil {
				t.Error(err)
			}
			if took := time.Since(start); took > 20*time.Millisecond || db.count("p1") != 1 || db.count("p2") != 1 {
				t.Error(took, db.tries)
			}
		})
	})
	t.Run("in the window before finishSecret the current version is awaited", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f, db := newFake("a", "p1"), accepting("p2")
			v := String(New(plain()), f.ref("a"))
			time.AfterFunc(3*time.Second, func() { f.put("a", "p2") })
			if err := Retry(t.Context(), v, isLogin, db.login); err != nil || db.count("p1") != 1 {
				t.Error(err, db.tries)
			}
		})
	})
	t.Run("AWSPENDING is tried, remembered, and left when current changes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f, db := newFake("a", "p1"), accepting("p2")
			f.values["a@AWSPENDING"] = fakeValue{"p2", "9", time.Now()}
			s := New(plain())
			v := String(s, f.ref("a").TryStages("AWSPENDING", "AWSPREVIOUS"))
			start := time.Now()
			for range 3 {
				if err := Retry(t.Context(), v, isLogin, db.login); err != nil {
					t.Fatal(err)
				}
			}
			if time.Since(start) > 100*time.Millisecond || db.count("p1") != 1 || db.count("p2") != 3 {
				t.Error(db.tries)
			}
			f.values["a"] = fakeValue{"p2", "9", time.Now()} // finishSecret
			delete(f.values, "a@AWSPENDING")
			wait(time.Hour)
			if err := Retry(t.Context(), v, isLogin, db.login); err != nil || db.count("p1") != 1 {
				t.Error(err, db.tries)
			}
		})
	})
	t.Run("AWSPREVIOUS is tried where AWSPENDING has no value yet", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f, db := newFake("a", "new", "a@AWSPREVIOUS", "old"), accepting("old")
			f.values["a@AWSPREVIOUS"] = fakeValue{"old", "0", time.Now()}
			v := String(New(plain()), f.ref("a").TryStages("AWSPENDING", "AWSPREVIOUS"))
			if err := Retry(t.Context(), v, isLogin, db.login); err != nil {
				t.Error(err, db.tries)
			}
		})
	})
	t.Run("stages are tried only when asked for", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f, db := newFake("a", "p1", "a@AWSPENDING", "p2"), accepting("p2")
			v := String(New(plain()), f.ref("a"))
			if err := Retry(t.Context(), v, isLogin, db.login); !errors.Is(err, ErrLoginRefused) || db.count("p2") != 0 {
				t.Error(err, db.tries)
			}
		})
	})
	t.Run("it gives up after 10 s, or in time to report it before ctx ends", func(t *testing.T) {
		for _, tt := range []struct{ ctx, took time.Duration }{{time.Minute, 10 * time.Second}, {3 * time.Second, 2800 * time.Millisecond}, {time.Second, 900 * time.Millisecond}} {
			synctest.Test(t, func(t *testing.T) {
				f, db := newFake("a", "p1"), accepting()
				v := String(New(plain()), f.ref("a"))
				ctx, cancel := context.WithTimeout(t.Context(), tt.ctx)
				defer cancel()
				start := time.Now()
				err := Retry(ctx, v, isLogin, db.login)
				if took := time.Since(start); took-tt.took > 20*time.Millisecond || took < tt.took {
					t.Error("took", took)
				}
				if !errors.Is(err, ErrLoginRefused) || !errors.Is(err, errLogin) || !strings.Contains(err.Error(), "fake:a") {
					t.Error(err)
				}
			})
		}
	})
	t.Run("a refused version is polled with back-off, not hammered", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f, db := newFake("a", "p1"), accepting()
			v := String(New(plain()), f.ref("a"))
			_ = Retry(t.Context(), v, isLogin, db.login)
			// At 0, 250 ms, 750 ms, 1.75 s, then every 2 s until 10 s, after the first fetch.
			if n := f.count(); n < 7 || n > 10 {
				t.Errorf("%d requests in 10 s", n)
			}
		})
	})
}

// A wrong password for a day must not lock the account: scenario 43.
func TestPolicy_RotationLoopAttemptsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, db := newFake("a", "wrong"), accepting()
		v := String(New(plain()), f.ref("a"))
		for range 24 * 60 * 2 { // every 30 s
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_ = Retry(ctx, v, isLogin, db.login)
			cancel()
			wait(30*time.Second - time.Second)
		}
		if n := db.count("wrong"); n > 3*24*60 || n == 0 {
			t.Errorf("%d attempts in a day", n)
		}
	})
}

func TestPolicy_RotationLoopThreeAttemptsAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, db := newFake("a", "wrong"), accepting()
		v := String(New(plain()), f.ref("a"))
		try := func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			_ = Retry(ctx, v, isLogin, db.login)
		}
		_ = v.Get(t.Context())
		f.setLatency(0)
		start := time.Now()
		for range 10 {
			try()
		}
		if n := db.count("wrong"); n != 3 {
			t.Fatalf("%d attempts; want 3", n)
		}
		wait(time.Until(start.Add(time.Minute - time.Nanosecond)))
		try()
		if n := db.count("wrong"); n != 3 {
			t.Errorf("%d attempts just within the minute", n)
		}
		wait(time.Until(start.Add(time.Minute + 10*time.Millisecond)))
		try()
		if n := db.count("wrong"); n != 4 {
			t.Errorf("%d attempts after the minute", n)
		}
	})
}

func TestPolicy_RotationLoopOneGoroutineTriesAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, db := newFake("a", "p1"), accepting()
		v := String(New(plain()), f.ref("a"))
		_ = v.Get(t.Context())
		f.setLatency(0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		_ = Retry(ctx, v, isLogin, db.login) // now it has been refused once
		cancel()
		db.took = 50 * time.Millisecond
		db.set("p1") // and works again
		var now, most atomic.Int64
		var wg sync.WaitGroup
		start := make(chan struct{})
		for range 100 {
			wg.Go(func() {
				<-start
				err := Retry(t.Context(), v, isLogin, func(ctx context.Context, p string) error {
					most.Store(max(most.Load(), now.Add(1)))
					defer now.Add(-1)
					return db.login(ctx, p)
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		begun := time.Now()
		close(start)
		wg.Wait()
		// One proves it, then all go at once.
		if took := time.Since(begun); took != 100*time.Millisecond || most.Load() != 99 {
			t.Error(took, most.Load())
		}
	})
}

func TestRetryWaiterLeavesWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, db := newFake("a", "p1"), accepting()
		v := String(New(plain()), f.ref("a"))
		_ = v.Get(t.Context())
		f.setLatency(0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		_ = Retry(ctx, v, isLogin, db.login)
		cancel()
		db.took = time.Second
		go func() { _ = Retry(t.Context(), v, isLogin, db.login) }()
		synctest.Wait()
		ctx, cancel = context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		begun := time.Now()
		if err := Retry(ctx, v, isLogin, db.login); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != 9*time.Millisecond {
			t.Error(err)
		}
		wait(time.Minute)
	})
}

func TestRetryReleasesItsPlaceWhenTheLoginPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, db := newFake("a", "p1"), accepting()
		v := String(New(plain()), f.ref("a"))
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			_ = Retry(ctx, v, isLogin, db.login)
			cancel()
		}
		func() {
			defer func() { _ = recover() }()
			_ = Retry(t.Context(), v, isLogin, func(context.Context, string) error { panic("x") })
		}()
		db.set("p1")
		if err := Retry(t.Context(), v, isLogin, db.login); err != nil {
			t.Error(err)
		}
	})
}

func TestRetryWithoutAValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := New(plain())
		run := func(context.Context, string) error { t.Error("it ran"); return nil }
		if err := Retry(t.Context(), String(s, f.ref("a")), isLogin, run); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
		if err := Retry(t.Context(), String(s, Ref{}), isLogin, run); err == nil {
			t.Error("a bad declaration was accepted")
		}
		String(s, Ref{}).Suspect() // says nothing, does nothing
	})
}

func TestRetryWhenTheValueIsRevokedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, db := newFake("a", "p1"), accepting()
		cfg := plain()
		cfg.Recheck = -1
		v := String(New(cfg), f.ref("a"))
		_ = v.Get(t.Context())
		f.failWith("*", kind(Denied))
		if err := Retry(t.Context(), v, isLogin, db.login); !errors.Is(err, ErrDenied) {
			t.Error(err)
		}
	})
}

func TestPolicy_RotationWindowWithPendingHasNoFailedOperation(t *testing.T) {
	// Single user, 60 s between setSecret and finishSecret, opt-in PENDING.
	synctest.Test(t, func(t *testing.T) {
		f, db := newFake("a", "p1"), accepting("p1")
		v := String(New(plain()), f.ref("a").TryStages("AWSPENDING"))
		time.AfterFunc(10*time.Second, func() {
			f.mu.Lock()
			f.values["a@AWSPENDING"] = fakeValue{"p2", "2", time.Now()}
			f.mu.Unlock()
			db.set("p2")
		})
		time.AfterFunc(70*time.Second, func() {
			f.mu.Lock()
			f.values["a"] = fakeValue{"p2", "2", time.Now()}
			delete(f.values, "a@AWSPENDING")
			f.mu.Unlock()
		})
		for range 1200 { // every 100 ms for two minutes
			if err := Retry(t.Context(), v, isLogin, db.login); err != nil {
				t.Fatal(err)
			}
			wait(100 * time.Millisecond)
		}
		if n := db.count("p1"); n != 100 && n != 101 && n != 102 {
			t.Error("p1 was tried", n)
		}
	})
}

func TestAStageThatIsTheRefusedVersionIsNotTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, db := newFake("a", "p1"), accepting()
		f.values["a@AWSPENDING"] = f.values["a"]
		v := String(New(plain()), f.ref("a").TryStages("AWSPENDING"))
		if err := Retry(t.Context(), v, isLogin, db.login); !errors.Is(err, ErrLoginRefused) || db.count("p1") != 1 {
			t.Error(err, db.tries)
		}
	})
}

func TestAStageThatWasRefusedIsNotTriedAgainInThisCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, db := newFake("a", "p1"), accepting()
		f.values["a@AWSPENDING"] = fakeValue{"p2", "9", time.Now()}
		v := String(New(plain()), f.ref("a").TryStages("AWSPENDING"))
		if err := Retry(t.Context(), v, isLogin, db.login); !errors.Is(err, ErrLoginRefused) || db.count("p2") != 1 {
			t.Errorf("got %v after %q; want p2 tried once", err, db.tries)
		}
	})
}

func TestAStageThatDoesNotComeIsNotTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, db := newFake("a", "p1"), accepting()
		v := String(New(plain()), f.ref("a").TryStages("AWSPENDING"))
		if err := Retry(t.Context(), v, isLogin, db.login); !errors.Is(err, ErrLoginRefused) || len(db.tries) != db.count("p1") {
			t.Errorf("got %v after %q; want only p1 tried", err, db.tries)
		}
	})
}

// A rotation moves labels within seconds: that there is none, or an old version
// that would do for a reader, is not relied on.
func TestAStageIsAskedForAnew(t *testing.T) {
	t.Run("where there was none a moment ago", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f, db := newFake("a", "p1"), accepting("p2")
			v := String(New(plain()), f.ref("a").TryStages("AWSPENDING"))
			time.AfterFunc(time.Second, func() { f.values["a@AWSPENDING"] = fakeValue{"p2", "9", time.Now()} })
			start := time.Now()
			if err := Retry(t.Context(), v, isLogin, db.login); err != nil || time.Since(start) > 3*time.Second {
				t.Errorf("got %v after %v; want the login at the next look", err, time.Since(start))
			}
		})
	})
	t.Run("where the old one is stale", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f, db := newFake("a", "p1"), accepting("p2")
			f.values["a@AWSPENDING"] = fakeValue{"p2", "9", time.Now()}
			s := New(plain())
			v := String(s, f.ref("a").TryStages("AWSPENDING"))
			if err := Retry(t.Context(), v, isLogin, db.login); err != nil {
				t.Fatalf("the first login: %v", err)
			}
			f.put("a", "p3")
			if err := s.Refresh(t.Context(), f.ref("a")); err != nil {
				t.Fatal(err)
			}
			f.values["a@AWSPENDING"] = fakeValue{"p4", "10", time.Now()}
			f.setLatency(time.Second) // longer than Patience
			db.set("p4")
			wait(2 * time.Second)
			if err := Retry(t.Context(), v, isLogin, db.login); err != nil || db.count("p2") != 1 {
				t.Errorf("got %v after %q; want p4 and not p2 again", err, db.tries)
			}
		})
	})
}

func TestAGoodLoginIsNotShownToIsAuthError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := String(New(plain()), newFake("a", "p1").ref("a"))
		is := func(err error) bool { return err.Error() != "" }
		if err := Retry(t.Context(), v, is, accepting("p1").login); err != nil {
			t.Errorf("got %v; want nil", err)
		}
	})
}

// The value is zero and has no version, also where there was one before.
func TestRetryOfAValueThatIsMissingAndMustBeConfirmed(t *testing.T) {
	for name, before := range map[string]bool{"and never was there": false, "and was there before": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				s := New(plain())
				v := String(s, f.ref("a").Optional().TTL(-1).MaxStale(-1))
				if before {
					f.put("a", "p1")
					wantRead(t, s, v, "p1")
					delete(f.values, "a")
				}
				got := "nothing"
				if err := Retry(t.Context(), v, isLogin, func(_ context.Context, value string) error { got = value; return nil }); err != nil || got != "" || v.Version() != "" {
					t.Errorf("logged in with %q of version %q, %v; want the zero value", got, v.Version(), err)
				}
			})
		})
	}
}

func TestALoginIsNotTriedWithWhatComesWhenTheTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, db := newFake("a", "p1"), accepting("p2")
		s := New(plain())
		v := String(s, f.ref("a"))
		_ = v.Get(t.Context())
		ctx, cancel := context.WithCancel(t.Context())
		f.put("a", "p2")
		f.setLatency(0)
		err := Retry(ctx, v, func(err error) bool { // the refusal is the last that the caller waits for
			cancel()
			return isLogin(err)
		}, db.login)
		if !errors.Is(err, ErrLoginRefused) || db.count("p2") != 0 {
			t.Errorf("got %v after %q; want no further login", err, db.tries)
		}
	})
}

func TestAReportIsNotRecentWhenTheClockWasSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		cfg, step := plain(), time.Duration(0)
		cfg.Now = func() time.Time { return time.Now().Add(-step) }
		s := New(cfg)
		v := String(s, f.ref("a"))
		v.Suspect() // there is nothing to suspect
		wantRead(t, s, v, "one")
		v.Suspect()
		wantRead(t, s, v, "one")
		step = time.Hour
		v.Suspect()
		if got := s.Stats().Suspects; got != 2 {
			t.Errorf("%d reports were followed; want 2", got)
		}
	})
}

func TestAReportAboutAnOlderVersionIsIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(plain())
		v, w := String(s, f.ref("a")), String(s, f.ref("a"))
		wantRead(t, s, v, "one")
		f.put("a", "two")
		wait(time.Hour)
		wantRead(t, s, w, "two")
		v.Suspect() // v has seen the first version only
		wantRead(t, s, w, "two")
		wantCalls(t, f, 2)
		if s.Stats().Suspects != 0 {
			t.Error(s.Stats())
		}
		w.Suspect()
		w.Suspect() // once is enough
		if s.Stats().Suspects != 1 {
			t.Error(s.Stats())
		}
		_ = s.Close(t.Context())
		w.Suspect() // nothing is there
		if s.Stats().Suspects != 1 {
			t.Error(s.Stats())
		}
	})
}

func TestRefusalsAreForgottenAfterAMinute(t *testing.T) {
	now := time.Unix(1000, 0)
	for ago, kept := range map[time.Duration]int{-1: 0, 0: 1, time.Minute - 1: 1, time.Minute: 0} {
		rec := &login{refusals: []time.Time{now.Add(-ago)}}
		if rec.forget(now); len(rec.refusals) != kept {
			t.Errorf("after %v: %d", ago, len(rec.refusals))
		}
	}
}

func TestLoginsOfGoodVersionsLeaveNothingBehind(t *testing.T) {
	var l logins
	now := time.Now
	for range 2 {
		if err := l.enter(t.Context(), loginKey{version: "v"}, now); err != nil {
			t.Fatal(err)
		}
	}
	l.leave(loginKey{version: "v"}, true)
	if len(l.versions) != 1 {
		t.Error("forgotten while an attempt runs")
	}
	l.leave(loginKey{version: "v"}, true)
	if len(l.versions) != 0 {
		t.Error("kept for ever")
	}
}

// looks returns the instants, since the first, at which a value was fetched while
// a login with it was refused for ten seconds.
func looks(t *testing.T, meanwhile func(v *Value[string])) (at []time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		f, db := newFake("a", "p1"), accepting()
		f.setLatency(0)
		start := time.Now()
		cfg := plain()
		cfg.OnEvent = locked(func(e Event) {
			if e.Kind == EventFetch {
				at = append(at, time.Since(start))
			}
		})
		v := String(New(cfg), f.ref("a"))
		go meanwhile(v)
		_ = Retry(t.Context(), v, isLogin, db.login)
	})
	return at
}

func TestARefusedVersionIsLookedAtWithGrowingPauses(t *testing.T) {
	const ms = time.Millisecond
	want := []time.Duration{0, 0, 250 * ms, 750 * ms, 1750 * ms, 3750 * ms, 5750 * ms, 7750 * ms, 9750 * ms}
	if got := looks(t, func(*Value[string]) {}); !slices.Equal(got, want) {
		t.Errorf("%v\nwant %v", got, want)
	}
}

func TestALookOfAnotherGoroutineCountsForTwoFifthsOfThePause(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		at   time.Duration // of the other's look; the next one is due at 250 ms, with a pause of 500 ms
		want []time.Duration
	}{
		{50*ms + 1, []time.Duration{0, 0, 50*ms + 1, 750 * ms, 1750 * ms}},
		{50 * ms, []time.Duration{0, 0, 50 * ms, 250 * ms, 750 * ms}},
	} {
		got := looks(t, func(v *Value[string]) {
			wait(tt.at)
			v.suspect(0)
			_ = v.Get(context.Background())
		})
		if !slices.Equal(got[:5], tt.want) {
			t.Errorf("%v\nwant %v", got[:5], tt.want)
		}
	}
}

func TestAVersionThatMayNotBeTriedYetIsNoReasonToGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, db := newFake("a", "p1"), accepting("p2")
		f.setLatency(0)
		v := String(New(plain()), f.ref("a"))
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			_ = Retry(ctx, v, isLogin, db.login)
			cancel()
		}
		go func() {
			wait(time.Second)
			f.put("a", "p2")
		}()
		if err := Retry(t.Context(), v, isLogin, db.login); err != nil {
			t.Error(err)
		}
		if db.count("p2") != 1 || db.count("p1") != 3 {
			t.Error(db.tries)
		}
	})
}

// N calls on a pool that reads the value by itself: fn ignores what it is given,
// so that refusals are booked on a version that nobody has tried.
func TestAVersionThatBecomesCurrentHasAFreshChance(t *testing.T) {
	t.Parallel()
	rotation := func(t *testing.T, login func(f *fake, db *database, v *Value[string]) func(context.Context, string) error, within time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			f, db := newFake("a", "p1"), accepting("p2")
			f.values["a@AWSPENDING"] = fakeValue{"p2", "2", time.Now()}
			v := String(New(plain()), f.ref("a").TryStages("AWSPENDING"))
			try := login(f, db, v)
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			for range 4 {
				_ = Retry(ctx, v, isLogin, try) // in the window before finishSecret
			}
			f.mu.Lock()
			f.values["a"] = fakeValue{"p2", "2", time.Now()} // AWSPENDING stays on the version
			f.mu.Unlock()
			finished := time.Now()
			if err := Retry(t.Context(), v, isLogin, try); err != nil || time.Since(finished) > within {
				t.Errorf("%v after the rotation was complete: %v", time.Since(finished), err)
			}
		})
	}
	t.Run("that nobody tried", func(t *testing.T) {
		rotation(t, func(f *fake, db *database, v *Value[string]) func(context.Context, string) error {
			return func(ctx context.Context, _ string) error {
				current, err := v.Lookup(ctx)
				if err != nil {
					return err
				}
				return db.login(ctx, current)
			}
		}, time.Second)
	})
	t.Run("that the database did not know yet", func(t *testing.T) {
		rotation(t, func(f *fake, db *database, v *Value[string]) func(context.Context, string) error {
			db.set()
			time.AfterFunc(3*time.Second, func() { db.set("p2") })
			return db.login
		}, time.Second)
	})
	t.Run("but no more tries under one label", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f, db := newFake("a", "p1"), accepting()
			f.setLatency(0)
			f.values["a@AWSPENDING"] = fakeValue{"p2", "2", time.Now()}
			v := String(New(plain()), f.ref("a").TryStages("AWSPENDING"))
			for range 5 {
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				_ = Retry(ctx, v, isLogin, db.login)
				cancel()
			}
			if db.count("p1") != 3 || db.count("p2") != 3 {
				t.Errorf("tried %v; want each version three times", db.tries)
			}
		})
	})
}

// On Lambda an error that is returned at the deadline is read by nobody.
func TestEveryWaitLeavesTimeToReportBeforeTheDeadline(t *testing.T) {
	t.Parallel()
	for _, managed := range []string{"", "64"} {
		for name, wait := range map[string]func(ctx context.Context, f *fake, s *Store, v *Value[string]) error{
			"a refused login": func(ctx context.Context, f *fake, s *Store, v *Value[string]) error {
				return Retry(ctx, v, isLogin, accepting().login)
			},
			"a refused login, and the source goes away": func(ctx context.Context, f *fake, s *Store, v *Value[string]) error {
				return Retry(ctx, v, isLogin, func(context.Context, string) error { f.setLatency(time.Hour); return errLogin })
			},
			"a read": func(ctx context.Context, f *fake, s *Store, v *Value[string]) error {
				f.setLatency(time.Hour)
				_, err := String(s, f.ref("b")).Lookup(ctx)
				return err
			},
			"a read that joins an older fetch": func(ctx context.Context, f *fake, s *Store, v *Value[string]) error {
				f.setLatency(time.Hour)
				b := String(s, f.ref("b"))
				go func() { _, _ = b.Lookup(context.WithoutCancel(ctx)) }()
				wait(time.Millisecond)
				_, err := b.Lookup(ctx)
				return err
			},
			"a refresh": func(ctx context.Context, f *fake, s *Store, v *Value[string]) error {
				f.setLatency(time.Hour)
				return s.Refresh(ctx, f.ref("a"))
			},
		} {
			t.Run(name+managed, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					for _, timeout := range []time.Duration{3 * time.Second, time.Second, 100 * time.Millisecond} {
						f := newFake("a", "wrong")
						s := New(plain())
						s.managed = managed != ""
						v := String(s, f.ref("a"))
						_ = v.Get(t.Context())
						ctx, cancel := context.WithTimeout(t.Context(), timeout)
						deadline, _ := ctx.Deadline()
						err := wait(ctx, f, s, v)
						if left := time.Until(deadline); left < timeout/20 || err == nil {
							t.Errorf("%v of %v are left to report %v", left, timeout, err)
						}
						if strings.HasPrefix(name, "a refused login") && !errors.Is(err, ErrLoginRefused) {
							t.Errorf("got %v; want ErrLoginRefused", err)
						}
						cancel()
						_ = s.Close(t.Context())
					}
				})
			})
		}
	}
}
