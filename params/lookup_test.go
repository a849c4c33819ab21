package params

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// instant answers at once, with the name as the value.
type instant struct{ service string }

func (p *instant) Source() Source { return Source{Service: p.service} }
func (p *instant) Fetch(_ context.Context, k Key) (Raw, error) {
	return Raw{Bytes: []byte(k.ID), Version: "1"}, nil
}

// size is the number of values and of names that s keeps.
func (s *Store) size() (entries, names int) {
	s.names.mu.Lock()
	defer s.names.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.entries), len(s.names.byKey)
}

// Names come and go while others evict them, in invocations and outside.
func TestLookupOfManyNamesByManyGoroutinesKeepsItsBounds(t *testing.T) {
	t.Parallel()
	for _, most := range []int{1, 10, 1000} {
		s := New(Config{MaxEntries: most})
		src := &instant{"tenants"}
		declared := String(s, NewRef(src, "declared"))
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := range 500 {
					id := fmt.Sprint(g, "/", i)
					look := func(ctx context.Context) {
						if v, err := s.Lookup(ctx, NewRef(src, id)); err != nil || v.Reveal() != id {
							t.Errorf("MaxEntries %d: Lookup(%s) is %v, %v", most, id, v, err)
						}
						if _, err := s.Lookup(ctx, NewRef(src, "shared"+strconv.Itoa(i%20))); err != nil {
							t.Errorf("MaxEntries %d: Lookup of a shared name: %v", most, err)
						}
					}
					if g%2 == 0 {
						during(s, look)
					} else {
						look(t.Context())
					}
					if entries, names := s.size(); entries > most+8 || names > most+8 { // each goroutine may have added one and not yet evicted
						t.Errorf("MaxEntries %d: %d values, %d names", most, entries, names)
					}
				}
			})
		}
		wg.Wait()
		if _, names := s.size(); names > most {
			t.Errorf("MaxEntries %d: %d names are left", most, names)
		}
		if got, err := declared.Lookup(t.Context()); got != "declared" || err != nil {
			t.Errorf("MaxEntries %d: the declared value is %q, %v", most, got, err)
		}
		s.mu.Lock()
		if n := len(s.agenda); n > len(s.entries) || s.failing != 0 {
			t.Errorf("MaxEntries %d: the agenda has %d values of %d, %d of them failing", most, n, len(s.entries), s.failing)
		}
		var sum int64
		for _, e := range s.entries {
			sum += e.state.Load().size()
		}
		if got := s.bytes.Load(); got != sum {
			t.Errorf("MaxEntries %d: %d bytes are counted; there are %d", most, got, sum)
		}
		s.mu.Unlock()
	}
}

func TestLookupEvictsTheNameThatWasNotUsedForTheLongestTime(t *testing.T) {
	t.Parallel()
	s, src := New(Config{MaxEntries: 3}), newFake("a", "1", "b", "2", "c", "3", "d", "4")
	src.setLatency(0)
	for _, id := range []string{"a", "b", "c", "a", "d", "a", "c"} { // d evicts b
		if _, err := s.Lookup(t.Context(), src.ref(id)); err != nil {
			t.Fatal(err)
		}
	}
	wantCalls(t, src, 4)
	if _, err := s.Lookup(t.Context(), src.ref("b")); err != nil {
		t.Fatal(err)
	}
	wantCalls(t, src, 5)
}

// What a caller asks for is a part of the key, and equal references share it.
func TestLookupTellsApartWhatChangesTheAnswer(t *testing.T) {
	t.Parallel()
	t.Run("Optional belongs to the caller", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, f := New(plain()), newFake()
			for range 2 {
				if v, err := s.Lookup(t.Context(), f.ref("a").Optional()); err != nil || !v.IsZero() {
					t.Errorf("an optional value that is missing is %v, %v", v, err)
				}
				if _, err := s.Lookup(t.Context(), f.ref("a")); !errors.Is(err, ErrNotFound) {
					t.Errorf("a value that is missing: %v; want ErrNotFound", err)
				}
			}
			wantCalls(t, f, 1)
		})
	})
	t.Run("a value that somebody needs is noticed soon after it was made, whoever found it missing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, f := New(plain()), newFake()
			_, _ = s.Lookup(t.Context(), f.ref("a").Optional())
			wait(10 * time.Second)
			f.put("a", "one")
			if v, err := s.Lookup(t.Context(), f.ref("a")); err != nil || v.Reveal() != "one" {
				t.Errorf("got %v, %v", v, err)
			}
		})
	})
	t.Run("a shorter TTL counts", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, f := New(plain()), newFake("a", "one")
			_, _ = s.Lookup(t.Context(), f.ref("a"))
			f.put("a", "two")
			wait(time.Minute)
			if v, err := s.Lookup(t.Context(), f.ref("a").TTL(10*time.Second)); err != nil || v.Reveal() != "two" {
				t.Errorf("got %v, %v", v, err)
			}
		})
	})
	t.Run("a shorter MaxStale counts", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, f := New(plain()), newFake("a", "one")
			_, _ = s.Lookup(t.Context(), f.ref("a"))
			f.failWith("*", errDown)
			wait(time.Hour)
			if _, err := s.Lookup(t.Context(), f.ref("a").MaxStale(-1)); !errors.Is(err, ErrStale) {
				t.Errorf("got %v; want ErrStale", err)
			}
		})
	})
	t.Run("a fallback answers those who named it, and nobody else", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, down, b, c := New(plain()), newFake(), newFake("x", "b"), newFake("x", "c")
			down.failWith("*", errDown)
			b.name, c.name = "b", "c"
			for range 2 {
				for want, r := range map[string]Ref{"b": down.ref("x").Fallback(b.ref("x")), "c": down.ref("x").Fallback(c.ref("x")), "": down.ref("x")} {
					v, err := s.Lookup(t.Context(), r)
					if want == "" && !errors.Is(err, ErrUnavailable) || want != "" && (err != nil || v.Reveal() != want) {
						t.Errorf("with the fallback %q: %v, %v", want, v, err)
					}
				}
			}
			wantCalls(t, b, 1)
		})
	})
	t.Run("rotation dates are read when somebody follows them", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, f := New(plain()), newFake("a", "one")
			_, _ = s.Lookup(t.Context(), f.ref("a"))
			f.rotates = Rotation{Window: time.Now().Add(time.Minute), Latest: time.Now().Add(time.Hour)}
			_, _ = s.Lookup(t.Context(), f.ref("a").FollowRotation())
			f.put("a", "two")
			wait(2 * time.Minute)
			if v, err := s.Lookup(t.Context(), f.ref("a").FollowRotation()); err != nil || v.Reveal() != "two" {
				t.Errorf("after the window has begun: %v, %v", v, err)
			}
		})
	})
	t.Run("references that are equal by value are one name", func(t *testing.T) {
		s := New(Config{MaxEntries: 10})
		for range 100 {
			src, fallback := &instant{"x"}, &instant{"y"} // as a Source that is made in the handler
			if _, err := s.Lookup(t.Context(), NewRef(src, "a#").Fallback(NewRef(fallback, "b")).Replica()); err != nil {
				t.Fatal(err)
			}
		}
		if entries, names := s.size(); entries != 1 || names != 1 {
			t.Errorf("%d values, %d names; want one", entries, names)
		}
	})
	t.Run("names of one value are counted", func(t *testing.T) {
		s := New(Config{MaxEntries: 10})
		for i := range 100 {
			_, _ = s.Lookup(t.Context(), NewRef(&instant{"x"}, "a").TTL(time.Hour+time.Duration(i)))
		}
		if entries, names := s.size(); entries != 1 || names != 10 {
			t.Errorf("%d values, %d names; want 1 and 10", entries, names)
		}
	})
	t.Run("what is refreshed is bounded too", func(t *testing.T) {
		s := New(Config{MaxEntries: 10})
		for i := range 100 {
			if err := s.Refresh(t.Context(), NewRef(&instant{"x"}, fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		if entries, _ := s.size(); entries != 10 {
			t.Errorf("%d values; want 10", entries)
		}
	})
}

func TestAValueThatIsEvictedWhileItIsFetchedStillArrives(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one", "b", "two")
		s := New(Config{MaxEntries: 1})
		got := make(chan string)
		go func() {
			v, err := s.Lookup(t.Context(), f.ref("a"))
			if err != nil {
				t.Error("the reader of the evicted value:", err)
			}
			got <- v.Reveal()
		}()
		wait(time.Millisecond)
		_, _ = s.Lookup(t.Context(), f.ref("b"))
		if text := <-got; text != "one" {
			t.Errorf("got %q", text)
		}
		if n := s.bytes.Load(); n != 3 {
			t.Errorf("%d bytes are counted; want the 3 of b", n)
		}
	})
}

// It would be taken for an outage that never ends.
func TestAValueThatIsEvictedWhileItsFetchFailsIsNotCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "one", "b", "two")
		s := New(Config{MaxEntries: 1})
		if _, err := s.Lookup(t.Context(), f.ref("a")); err != nil {
			t.Fatal(err)
		}
		f.failWith("a", errDown)
		go func() { _ = s.Refresh(t.Context(), f.ref("a")) }()
		wait(time.Millisecond)
		_, _ = s.Lookup(t.Context(), f.ref("b"))
		wait(time.Second)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.failing != 0 {
			t.Errorf("%d values are failing; want none", s.failing)
		}
	})
}

// A decision costs what is due, not what there is.
func TestAnInvocationLooksOnlyAtWhatIsDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.setLatency(0)
		s := New(plain())
		for i := range 100 {
			f.put(fmt.Sprint(i), "x")
			wait(time.Second)
			if _, err := s.Lookup(t.Context(), f.ref(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		wait(5*time.Minute - 90*time.Second + time.Millisecond) // since the tenth
		s.mu.Lock()
		due := s.decideLocked(s.now(), false)
		s.mu.Unlock()
		if len(due) != 10 {
			t.Errorf("%d values are due; want 10", len(due))
		}
	})
}

func TestAfterAFreezeFewOfManyNamesAreRefreshedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake("declared", "x")
		f.setLatency(0)
		s := New(plain())
		v := String(s, f.ref("declared"))
		for i := range 500 {
			f.put(fmt.Sprint(i), "old")
			if _, err := s.Lookup(t.Context(), f.ref(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
			f.put(fmt.Sprint(i), "new")
		}
		wantRead(t, s, v, "x")
		wait(time.Hour)
		if n := fetched(f, func() { invoke(t, s, func(context.Context) {}) }); n != mostNames+1 {
			t.Errorf("%d values are refreshed beside the handler; want %d and the declared one", n, mostNames)
		}
		for i := range 500 { // the others when they are read
			if v, err := s.Lookup(t.Context(), f.ref(fmt.Sprint(i))); err != nil || v.Reveal() != "new" {
				t.Fatalf("value %d is %v, %v", i, v, err)
			}
		}
		wantCalls(t, f, 2*501)
	})
}

func BenchmarkLookupMiss(b *testing.B) {
	for _, most := range []int{100, 1000, 10_000, 100_000} {
		b.Run(strconv.Itoa(most), func(b *testing.B) {
			s, src := New(Config{MaxEntries: most, MaxBytes: -1}), &instant{"tenants"}
			n := 0
			miss := func(ctx context.Context) {
				n++
				if _, err := s.Lookup(ctx, NewRef(src, strconv.Itoa(n))); err != nil {
					b.Fatal(err)
				}
			}
			for range most {
				miss(b.Context())
			}
			b.ReportAllocs()
			during(s, func(ctx context.Context) {
				for b.Loop() {
					miss(ctx)
				}
			})
		})
	}
}
