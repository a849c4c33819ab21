package params

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// The stricter of several views counts, whichever is declared last.
func TestAViewThatAsksForLessTakesNothingBack(t *testing.T) {
	t.Parallel()
	t.Run("Required", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			s := New(plain())
			String(s, f.ref("a").Required())
			String(s, f.ref("a"))
			if err := s.Init(t.Context()); !errors.Is(err, ErrNotFound) {
				t.Errorf("Init returns %v; want ErrNotFound", err)
			}
		})
	})
	t.Run("not Optional: a missing value is asked for again soon", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			s := New(plain())
			v := String(s, f.ref("a"))
			String(s, f.ref("a").Optional())
			wantErr(t, s, v, ErrNotFound)
			wait(5 * time.Second)
			wantErr(t, s, v, ErrNotFound)
			wantCalls(t, f, 2)
		})
	})
	t.Run("FollowRotation", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			f := newFake("a", "one")
			s := New(plain())
			v := String(s, f.ref("a").FollowRotation())
			String(s, f.ref("a"))
			wantRead(t, s, v, "one")
			wantCalls(t, f, 2) // its dates, too
		})
	})
}

func TestAValueThatNobodyHasReadIsNotLookedAtAgain(t *testing.T) {
	t.Parallel()
	f := newFake()
	s := New(plain())
	before := s.gen.Load()
	String(s, f.ref("a"))
	String(s, f.ref("a").TTL(time.Second).FollowRotation())
	if s.gen.Load() != before || len(s.agenda) != 0 {
		t.Errorf("declarations made every view look again, and %d values be decided on; want neither", len(s.agenda))
	}
}

func TestAViewThatAsksForNothingNewChangesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one", "b", "two")
		f.setLatency(0)
		s := New(Config{EarlyRefresh: -1, Rand: func() float64 { return 1 }}) // the TTL is 345 s
		v := String(s, f.ref("a").Optional())
		w := String(s, f.ref("b").FollowRotation())
		wantRead(t, s, v, "one")
		wantRead(t, s, w, "two")
		String(s, f.ref("a").Optional())
		String(s, f.ref("b").FollowRotation())
		wait(345*time.Second - time.Nanosecond)
		wantRead(t, s, v, "one")
		wantRead(t, s, w, "two")
		wantCalls(t, f, 3) // with the dates of b
	})
}

func TestAStricterViewOfAMissingValueCountsFromTheAnswer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		view func(Ref) Ref
		ttl  time.Duration
	}{
		{"that all can do without: the shorter TTL", func(r Ref) Ref { return r.Optional().TTL(time.Minute) }, time.Minute},
		{"that one cannot do without: NegativeTTL", func(r Ref) Ref { return r }, 5 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				f.setLatency(0)
				s := New(plain())
				v := String(s, f.ref("a").Optional())
				wantRead(t, s, v, "")
				String(s, tt.view(f.ref("a")))
				wait(tt.ttl - time.Nanosecond)
				wantRead(t, s, v, "")
				wantCalls(t, f, 1)
				wait(time.Nanosecond)
				wantRead(t, s, v, "")
				wantCalls(t, f, 2)
			})
		})
	}
}

// A replica may not know when its version was made.
func TestTheSameVersionIsNotOlderWithoutADate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := newFake("x", "one"), newFake()
		b.name = "replica"
		b.values["x"] = fakeValue{text: "one", version: "1"}
		s := New(plain())
		v := String(s, a.ref("x").Fallback(b.ref("x")))
		wantRead(t, s, v, "one")
		a.failWith("*", errDown)
		wait(time.Hour)
		wantRead(t, s, v, "one")
		if st := v.entry.state.Load(); st.failures != 0 || st.err != nil {
			t.Errorf("%d failures, %v; want the version confirmed", st.failures, st.err)
		}
	})
}

func TestADenialOfAValueThatNeverWasIsBackedOffLikeAnyFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		f.failWith("*", kind(Denied))
		s := New(plain())
		v := String(s, f.ref("a"))
		for i, hold := range []time.Duration{5, 10, 20, 40} {
			wantErr(t, s, v, ErrDenied)
			wait(hold*time.Second - time.Nanosecond)
			wantErr(t, s, v, ErrDenied)
			wantCalls(t, f, i+1)
			wait(time.Nanosecond)
		}
	})
}

// There is nothing to have a grace for, and the source is not asked by every read.
func TestADenialAfterTheHardLimitIsFinalAndBackedOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(plain())
		v := String(s, f.ref("a").MaxStale(-1))
		wantRead(t, s, v, "one")
		f.failWith("*", kind(Denied))
		wait(time.Hour)
		wantErr(t, s, v, ErrDenied)
		wantErr(t, s, v, ErrDenied)
		wantCalls(t, f, 2)
	})
}
