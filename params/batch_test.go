package params

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A batch that fails as a whole says nothing about one key, unless nobody
// answers at all.
func TestABatchThatFailsAsAWholeSaysNothingAboutOneKey(t *testing.T) {
	for _, tt := range []struct {
		kind     Kind
		oneQuota bool
		calls    int // the batch, and what follows it
		want     error
	}{
		{kind: Unavailable, calls: 1, want: ErrUnavailable},
		{kind: Throttled, calls: 1 + 3},
		{kind: Throttled, oneQuota: true, calls: 1, want: ErrThrottled},
		{kind: NotFound, calls: 1 + 3},
		{kind: Deleted, calls: 1 + 3},
		{kind: Denied, calls: 1 + 3},
		{kind: Undecryptable, calls: 1 + 3},
		{kind: Invalid, calls: 1 + 3},
		{kind: Unsupported, calls: 1 + 3},
		{kind: Unanswered, calls: 1 + 3},
		{kind: Denied, oneQuota: true, calls: 1 + 3},
	} {
		t.Run(fmt.Sprintf("%v one quota %v", tt.kind, tt.oneQuota), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := batchFake{newFake("a", "1", "b", "2", "c", "3")}
				f.oneQuota = tt.oneQuota
				f.failWith("batch", &Error{Kind: tt.kind, Service: "fake", Name: "a"})
				s := New(plain())
				a, b, c := String(s, f.ref("a")), String(s, f.ref("b")), String(s, f.ref("c"))
				_ = s.Init(t.Context())
				wantCalls(t, f.fake, tt.calls)
				for v, want := range map[*Value[string]]string{a: "1", b: "2", c: "3"} {
					if tt.want == nil {
						wantRead(t, s, v, want)
						continue
					}
					err := wantErr(t, s, v, tt.want)
					if name := fmt.Sprintf("%q", v.Ref().key.ID); !strings.Contains(err.Error(), name) {
						t.Errorf("the failure of %s reads %q; want it to name %s", v.Ref(), err, name)
					}
				}
			})
		})
	}
}

// A provider that says nothing of quotas has one.
func TestSinglesDoNotFollowABatchThatWasThrottledUnlessTheirQuotaIsAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := batchFake{newFake("a", "1", "b", "2", "c", "3")}
		f.failWith("batch", kind(Throttled))
		s := New(plain())
		var values []*Value[string]
		for _, id := range []string{"a", "b", "c"} {
			values = append(values, String(s, NewRef(struct{ Batcher }{f}, id)))
		}
		_ = s.Init(t.Context())
		for _, v := range values {
			wantErr(t, s, v, ErrThrottled)
		}
		wantCalls(t, f.fake, 1)
	})
}

func TestAKeyThatABatchCannotHoldIsAskedForAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := batchFake{newFake("a", "1", "b", "2", "c", "3", "d@OLD", "4")}
		s := New(plain())
		for _, id := range []string{"a", "b", "c"} {
			String(s, f.ref(id))
		}
		d := String(s, f.ref("d").Stage("OLD"))
		_ = s.Init(t.Context())
		slices.Sort(f.calls)
		if want := []string{"[a b c]", "d@OLD"}; !slices.Equal(f.calls, want) {
			t.Errorf("asked for %q; want %q", f.calls, want)
		}
		wantRead(t, s, d, "4")
	})
}

// The source has answered: neither it nor the next one is asked.
func TestAWordInABatchIsNotAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, replica := batchFake{newFake("a", "1", "b", "2")}, newFake("c", "3")
		replica.name = "replica"
		s := New(plain())
		String(s, f.ref("a"))
		String(s, f.ref("b"))
		c := String(s, f.ref("c").Fallback(replica.ref("c")))
		_ = s.Init(t.Context())
		wantErr(t, s, c, ErrNotFound)
		wantCalls(t, f.fake, 1)
		wantCalls(t, replica, 0)
	})
}

// A request of its own has no time left.
func TestABatchWhoseTimeIsOverIsNotFollowedByTheFallbacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, replica := batchFake{newFake("a", "1", "b", "2", "c", "3")}, newFake("a", "1")
		replica.name = "replica"
		f.setLatency(time.Hour)
		s := New(plain())
		String(s, f.ref("a").Fallback(replica.ref("a")))
		String(s, f.ref("b"))
		String(s, f.ref("c"))
		_ = s.Init(t.Context())
		wantCalls(t, f.fake, 1)
		wantCalls(t, replica, 0)
	})
}

func TestARefusalOfABatchLastsFiveMinutesAndThenTwiceAsLong(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	cfg, src := plain(), Source{Service: "fake"}
	cfg.Now = func() time.Time { return now }
	s := New(cfg)
	for _, lasts := range []time.Duration{5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 40 * time.Minute} {
		s.refuse(src)
		began := now
		for at, want := range map[time.Duration]bool{-1: false, 0: true, lasts - 1: true, lasts: false} {
			if now = began.Add(at); s.isRefused(src) != want {
				t.Errorf("of %v, after %v: refused %v; want %v", lasts, at, !want, want)
			}
		}
		now = began.Add(lasts)
	}
}

func TestABatchOfOneIsMadeWhereItIsWorthIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := badBatch{batchFake{newFake("a", "1")}, func([]Key) ([]Result, error) { return []Result{{Raw: Raw{Bytes: []byte("batched")}}}, nil }, 20}
		s := New(plain())
		wantRead(t, s, String(s, NewRef(f, "a")), "batched")
	})
}

// With the clock set back, a refusal does not last for the step as well.
func TestARefusedBatchIsTriedAgainWhenTheClockWasSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := batchFake{newFake("a", "1", "b", "2", "c", "3")}
		cfg, step := plain(), time.Duration(0)
		cfg.Now = func() time.Time { return time.Now().Add(-step) }
		s := New(cfg)
		for _, id := range []string{"a", "b", "c"} {
			String(s, f.ref(id))
		}
		f.failWith("batch", kind(Denied))
		_ = s.Init(t.Context())
		invoke(t, s, func(context.Context) {})
		wantCalls(t, f.fake, 1+3)
		f.failWith("batch", nil)
		step = time.Hour
		invoke(t, s, func(context.Context) {})
		wantCalls(t, f.fake, 1+3+1)
	})
}

// What is warm stays: one bad key neither revokes the others nor delays them.
func TestABadKeyInABatchDoesNotRevokeTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := batchFake{newFake("a", "1", "b", "2", "c", "3")}
		s := New(plain())
		a, b, c := String(s, f.ref("a")), String(s, f.ref("b")), String(s, f.ref("c"))
		_ = s.Init(t.Context())
		f.failWith("batch", kind(Undecryptable))
		f.failWith("c", kind(Undecryptable))
		for range 3 {
			wait(6 * time.Minute)
			wantRead(t, s, a, "1")
			wantRead(t, s, b, "2")
		}
		wait(time.Minute)
		wantErr(t, s, c, ErrUndecryptable)
	})
}

func TestARefusedBatchIsTriedAgain(t *testing.T) {
	for _, k := range []Kind{Denied, Unsupported} {
		synctest.Test(t, func(t *testing.T) {
			f := batchFake{newFake("a", "1", "b", "2", "c", "3")}
			s := New(Config{TTL: time.Minute, Jitter: -1, EarlyRefresh: -1})
			for _, id := range []string{"a", "b", "c"} {
				String(s, f.ref(id))
			}
			asked := func() string {
				from := f.count()
				wait(61 * time.Second)
				invoke(t, s, func(context.Context) {})
				if f.count()-from == 1 {
					return "batch"
				}
				return fmt.Sprintf("%d requests", f.count()-from)
			}
			f.failWith("batch", kind(k))
			_ = s.Init(t.Context())
			for minute, want := range map[int]string{1: "3 requests", 4: "3 requests"} {
				if got := asked(); got != want {
					t.Errorf("%v: %s after about %d minutes; want %s: a refusal is remembered for five", k, got, minute, want)
				}
			}
			wait(5 * time.Minute)
			if got := asked(); got != "4 requests" {
				t.Errorf("%v: %s; want the batch, refused, and three singles", k, got)
			}
			wait(5 * time.Minute)
			if got := asked(); got != "3 requests" {
				t.Errorf("%v: %s; want 3: a second refusal counts twice as long", k, got)
			}
			f.failWith("batch", nil)
			wait(10 * time.Minute)
			if got := asked(); got != "batch" {
				t.Errorf("%v: %s once the policy is mended; want one batch", k, got)
			}
		})
	}
}

// A service that refuses the whole batch for one key, as Parameter Store does,
// takes it again when that key is allowed.
func TestABatchIsTriedAgainWhenADeniedKeyIsAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := batchFake{newFake("a", "1", "b", "2", "c", "3")}
		f.failWith("batch", kind(Denied))
		f.failWith("c", kind(Denied))
		s := New(Config{TTL: time.Minute, Jitter: -1, EarlyRefresh: -1})
		String(s, f.ref("a"))
		String(s, f.ref("b"))
		c := String(s, f.ref("c"))
		_ = s.Init(t.Context())
		wantErr(t, s, c, ErrDenied)
		f.failWith("batch", nil)
		f.failWith("c", nil)
		wait(10 * time.Second)
		wantRead(t, s, c, "3")
		from := f.count()
		wait(61 * time.Second)
		invoke(t, s, func(context.Context) {})
		if got := f.count() - from; got != 1 {
			t.Errorf("%d requests for three values after the policy was mended; want one batch", got)
		}
	})
}

// badBatch is a provider with a bug.
type badBatch struct {
	batchFake
	fetch func(keys []Key) ([]Result, error)
	limit int
}

func (f badBatch) Batch() (limit, from int) { return f.limit, 1 }
func (f badBatch) FetchBatch(_ context.Context, keys []Key) ([]Result, error) {
	return f.fetch(keys)
}

func TestABugInABatchLeavesNobodyWaiting(t *testing.T) {
	for name, tt := range map[string]struct {
		fetch func([]Key) ([]Result, error)
		limit int
		want  error // nil: the keys are fetched alone
	}{
		"fewer results than keys":     {fetch: func([]Key) ([]Result, error) { return nil, nil }, limit: 20},
		"more results than keys":      {fetch: func(k []Key) ([]Result, error) { return make([]Result, len(k)+1), nil }, limit: 20},
		"a panic":                     {fetch: func([]Key) ([]Result, error) { panic("s3cret") }, limit: 20, want: ErrUnavailable},
		"the end of the goroutine":    {fetch: func([]Key) ([]Result, error) { runtime.Goexit(); return nil, nil }, limit: 20, want: ErrUnavailable},
		"a batch of at most no keys":  {fetch: func([]Key) ([]Result, error) { return nil, kind(Invalid) }, limit: 0},
		"an error of an unknown type": {fetch: func([]Key) ([]Result, error) { return nil, errors.New("x") }, limit: 20, want: ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := badBatch{batchFake{newFake("a", "1", "b", "2")}, tt.fetch, tt.limit}
				s := New(plain())
				a, b := String(s, NewRef(f, "a")), String(s, NewRef(f, "b"))
				_ = s.Init(t.Context())
				for v, want := range map[*Value[string]]string{a: "1", b: "2"} {
					got, err := read(t, s, v)
					if tt.want == nil && (err != nil || got != want) || tt.want != nil && (err == nil || KindOf(err) != Unavailable) {
						t.Errorf("read %q, %v; want %q, %v", got, err, want, tt.want)
					}
					if err != nil && strings.Contains(err.Error(), "s3cret") {
						t.Errorf("the panic's text is in %q", err)
					}
				}
			})
		})
	}
}

// gone ends the goroutine that fetches, as t.FailNow in a fake does.
type gone struct{ *fake }

func (gone) Fetch(context.Context, Key) (Raw, error) { runtime.Goexit(); return Raw{}, nil }

func TestAFetchWhoseGoroutineEndsIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(plain())
		wantErr(t, s, String(s, NewRef(gone{newFake()}, "a")), ErrUnavailable)
	})
}
