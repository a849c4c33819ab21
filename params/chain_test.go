package params

import (
	"context"
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
