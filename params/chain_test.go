package params

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A local source that lacks a value has said nothing about it. When the one behind
// it does not answer, there is an outage, and no revocation.
func TestALocalSourceWithoutTheValueIsNoWordInAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, far := local{newFake()}, newFake("x", "remote")
		far.name = "remote"
		s := New(plain())
		v := String(s, NewRef(near, "x").Fallback(far.ref("x")))
		optional := String(s, NewRef(near, "y").Fallback(far.ref("y")).Optional())
		wantRead(t, s, v, "remote")
		wantRead(t, s, optional, "") // both say so
		far.failWith("*", errDown)
		for range 10 {
			wait(time.Hour)
			wantRead(t, s, v, "remote")
			wantRead(t, s, optional, "")
		}
		wantErr(t, s, String(s, NewRef(near, "z").Fallback(far.ref("z")).Optional()), ErrUnavailable)
		far.failWith("*", nil)
		for range 4 { // one in four tries is waited for
			wait(2 * time.Minute)
			wantRead(t, s, v, "remote")
		}
		far.failWith("*", kind(NotFound)) // both say so
		wait(time.Hour)
		wantRead(t, s, v, "remote")
		wait(5 * time.Second)
		wantErr(t, s, v, ErrNotFound)
	})
}

// deaf does not notice that its request was cancelled.
type deaf struct{ *fake }

func (f deaf) Fetch(ctx context.Context, k Key) (Raw, error) {
	return f.fake.Fetch(context.WithoutCancel(ctx), k)
}

func TestTheFirstValueOfAChainCountsAndNobodyIsAskedAfterIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b, c := newFake("x", "late"), newFake("x", "first"), newFake("x", "third")
		b.name, c.name = "replica", "third"
		a.setLatency(time.Second) // two hedges would be due by then
		s := New(plain())
		v := String(s, NewRef(deaf{a}, "x").Fallback(b.ref("x"), c.ref("x")))
		if got, err := v.Lookup(t.Context()); got != "first" || err != nil {
			t.Errorf("got %q, %v; want the answer that came first", got, err)
		}
		wantCalls(t, c, 0)
	})
}

func TestWhoseFailureCountsWhenAllFail(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name          string
		latency       time.Duration // of the first source
		near          bool          // it is local
		first, second error
		want          error
	}{
		{"a local source that failed", 0, true, errDown, kind(NotFound), ErrUnavailable},
		{"the next one's, if a local source lacks the value", 0, true, kind(NotFound), errDown, ErrUnavailable},
		{"the first source's word, also if the next one has failed before", 400 * time.Millisecond, false, kind(NotFound), errDown, ErrNotFound},
		{"the time, if a local source lacks the value when it is over", time.Hour, true, kind(NotFound), errDown, ErrUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a, b := newFake(), newFake()
				b.name = "other"
				a.failWith("*", tt.first)
				b.failWith("*", tt.second)
				a.setLatency(tt.latency)
				cfg, first := plain(), Provider(deaf{a})
				if tt.near {
					first, cfg.HedgeAfter = localDeaf{deaf{a}}, -1
				}
				s := New(cfg)
				v := String(s, NewRef(first, "x").Fallback(b.ref("x")))
				if got, err := v.Lookup(t.Context()); !errors.Is(err, tt.want) {
					t.Errorf("got %q, %v; want %v", got, err, tt.want)
				}
			})
		})
	}
}

// notLocal could be local, and says that it is not.
type notLocal struct{ *fake }

func (notLocal) Local() bool { return false }

func TestASourceThatSaysThatItIsNotLocalIsNot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := notLocal{newFake()}, newFake("x", "other")
		b.name = "other"
		s := New(plain())
		wantErr(t, s, String(s, NewRef(a, "x").Fallback(b.ref("x"))), ErrNotFound)
		wantCalls(t, b, 0)
	})
}

func TestRotationDatesOfASourceWithoutThemAreNotAskedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		s := New(plain())
		wantRead(t, s, String(s, NewRef(struct{ Provider }{f}, "a").FollowRotation()), "one")
		if got := s.Stats(); got.Requests != 1 || got.Failures != 0 {
			t.Errorf("%d requests, %d failures; want 1 and 0", got.Requests, got.Failures)
		}
	})
}

func TestThatNoRotationIsPlannedIsNoDateThatHasPassed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		cfg, read := plain(), 0
		cfg.OnEvent = locked(func(e Event) {
			if e.Kind == EventRotation {
				read++
				if e.Err != nil {
					t.Errorf("got %v; want no failure", e.Err)
				}
			}
		})
		s := New(cfg)
		wantRead(t, s, String(s, f.ref("a").FollowRotation()), "one")
		if read != 1 {
			t.Errorf("the dates were read %d times; want once", read)
		}
	})
}

type localDeaf struct{ deaf }

func (localDeaf) Local() bool { return true }

func TestRotationDatesOfABatchAreRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := batchFake{newFake("a", "1", "b", "2", "c", "3")}
		f.rotates = Rotation{Window: time.Now().Add(time.Minute), Latest: time.Now().Add(time.Hour)}
		s := New(plain())
		var values []*Value[string]
		for _, id := range []string{"a", "b", "c"} {
			values = append(values, String(s, f.ref(id).FollowRotation()))
		}
		if err := s.Init(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantCalls(t, f.fake, 1+3)
		for _, id := range []string{"a", "b", "c"} {
			f.put(id, "new")
		}
		wait(time.Minute)
		invoke(t, s, func(ctx context.Context) {
			for i, v := range values {
				if got := v.Get(ctx); got != "new" {
					t.Errorf("value %d in the window of its rotation is %q", i, got)
				}
			}
		})
	})
}
