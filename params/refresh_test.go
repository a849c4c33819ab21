package params

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestRefreshReturnsTheErrorOfItsOwnFetch(t *testing.T) {
	t.Parallel()
	for _, k := range []Kind{Unavailable, Throttled, NotFound, Deleted, Denied, Undecryptable, Invalid} {
		t.Run(k.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake("a", "old")
				s := New(plain())
				v := String(s, f.ref("a"))
				wantRead(t, s, v, "old")
				f.failWith("*", kind(k))
				if err := s.Refresh(t.Context(), f.ref("a")); !errors.Is(err, k.sentinel()) {
					t.Errorf("Refresh returned %v; want %v", err, k.sentinel())
				}
				wantRead(t, s, v, "old") // goes on being served
			})
		})
	}
	t.Run("a replica that lags is no success", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, b := newFake("x", "primary"), newFake()
			b.name = "replica"
			b.values["x"] = fakeValue{"older", "0", time.Now().Add(-time.Hour)}
			s := New(plain())
			r := a.ref("x").Fallback(b.ref("x"))
			wantRead(t, s, String(s, r), "primary")
			a.failWith("*", errDown)
			if err := s.Refresh(t.Context(), r); !errors.Is(err, ErrUnavailable) {
				t.Errorf("Refresh returned %v; want ErrUnavailable", err)
			}
		})
	})
	t.Run("a missing value is no error to those who can do without", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, f := New(plain()), newFake()
			if err := s.Refresh(t.Context(), f.ref("a").Optional()); err != nil {
				t.Errorf("Refresh of an optional value returned %v", err)
			}
			if err := s.Refresh(t.Context(), f.ref("a")); !errors.Is(err, ErrNotFound) {
				t.Errorf("Refresh returned %v; want ErrNotFound", err)
			}
		})
	})
}

// early reads the value when it is asked, and answers later.
type early struct{ *fake }

func (f *early) Fetch(ctx context.Context, k Key) (Raw, error) {
	raw, err := f.answer(k.ID)
	defer f.end()
	if ended := sleep(ctx, f.begin(ctx, k.ID)); ended != nil {
		return Raw{}, ended
	}
	return raw, err
}

func TestWhatWasForcedIsNeverOlderThanTheCall(t *testing.T) {
	t.Parallel()
	for name, force := range map[string]func(t *testing.T, s *Store, r Ref, v *Value[string]){
		"Refresh": func(t *testing.T, s *Store, r Ref, v *Value[string]) {
			if err := s.Refresh(t.Context(), r); err != nil {
				t.Errorf("Refresh: %v", err)
			}
		},
		"Suspect": func(t *testing.T, s *Store, r Ref, v *Value[string]) { v.Suspect() },
		"Suspect twice": func(t *testing.T, s *Store, r Ref, v *Value[string]) {
			v.Suspect()
			wait(50 * time.Millisecond)
			v.Suspect()
		},
		"Retry": func(t *testing.T, s *Store, r Ref, v *Value[string]) {
			if err := Retry(t.Context(), v, isLogin, accepting("new").login); err != nil {
				t.Errorf("Retry: %v", err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &early{newFake("a", "old")}
				s := New(plain())
				r := NewRef(f, "a")
				v := String(s, r)
				_ = v.Get(t.Context())
				f.setLatency(300 * time.Millisecond)
				go func() { _ = s.Refresh(t.Context(), r) }() // reads "old", and is slow to say so
				wait(100 * time.Millisecond)
				f.put("a", "new")
				force(t, s, r, v)
				if got, err := v.Lookup(t.Context()); got != "new" || err != nil {
					t.Errorf("got %q, %v; want the value that was there at the call", got, err)
				}
				if n := f.count(); n > 3 {
					t.Errorf("%d requests", n)
				}
			})
		})
	}
}

func TestRefreshesAtOneTimeShareAFetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		f.setLatency(100 * time.Millisecond)
		s := New(plain())
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				wait(time.Duration(i) * 100 * time.Microsecond)
				if err := s.Refresh(t.Context(), f.ref("a")); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		wantCalls(t, f, 2) // the first one's, and the others'
	})
}

func TestRefreshEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one")
		f.setLatency(time.Hour)
		s := New(plain())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if err := s.Refresh(ctx, f.ref("a")); !errors.Is(err, ErrUnavailable) || time.Since(start) != 900*time.Millisecond {
			t.Errorf("after %v: %v; want a failure that leaves time to report it", time.Since(start), err)
		}
		_ = s.Close(t.Context())
	})
}
