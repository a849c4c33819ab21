package params

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gomiddy/middy"
)

// peer stands in for AWS's caching library for Go, which is not available to
// this build: a cache of the same shape, without its defects. A mutex guards an
// LRU; an entry has an expiry, looked at by the clock, and a map of stages to
// versions. The library's own measured figure is 139.5 ns for a warm get.
type peer struct {
	mu    sync.Mutex
	items map[string]*list.Element
	order *list.List
}

type peerItem struct {
	id      string
	expires time.Time
	stages  map[string]string
	values  map[string]string
}

func newPeer(id, value string) *peer {
	p := &peer{items: map[string]*list.Element{}, order: list.New()}
	p.items[id] = p.order.PushFront(&peerItem{id, time.Now().Add(time.Hour),
		map[string]string{"AWSCURRENT": "v1"}, map[string]string{"v1": value}})
	return p
}

func (p *peer) get(id, stage string) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	el, ok := p.items[id]
	if !ok {
		return "", false
	}
	p.order.MoveToFront(el)
	item := el.Value.(*peerItem)
	if !time.Now().Before(item.expires) {
		return "", false
	}
	version, ok := item.stages[stage]
	if !ok {
		return "", false
	}
	v, ok := item.values[version]
	return v, ok
}

type credentials struct{ User, Password, Host, Database string }

// warm is a store with n values that are there.
func warm(tb testing.TB, n int) (*Store, []*Value[credentials], *fake) {
	f := newFake()
	f.setLatency(0)
	s := New(Config{})
	var vs []*Value[credentials]
	for i := range n {
		id := fmt.Sprintf("prod/orders/%d", i)
		f.put(id, `{"User":"orders","Password":"p","Host":"h","Database":"d"}`)
		vs = append(vs, JSON[credentials](s, f.ref(id).Required()))
	}
	if err := s.Init(context.Background()); err != nil {
		tb.Fatal(err)
	}
	for _, v := range vs {
		_ = v.Get(context.Background())
	}
	return s, vs, f
}

// during runs fn within an invocation.
func during(s *Store, fn func(ctx context.Context)) {
	_, _ = s.Wrap(func(ctx context.Context, _ *middy.Invocation) (any, error) {
		fn(ctx)
		return nil, nil
	})(context.Background(), &middy.Invocation{})
}

// timePeer measures the stand-in in the same run: nanoseconds per warm get.
func timePeer(b *testing.B) float64 {
	p := newPeer("prod/orders/0", "secret")
	const n = 1_000_000
	start := time.Now()
	for range n {
		if _, ok := p.get("prod/orders/0", "AWSCURRENT"); !ok {
			b.Fatal("missing")
		}
	}
	return float64(time.Since(start).Nanoseconds()) / n
}

func report(b *testing.B, peer float64) {
	ns := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
	b.ReportMetric(peer, "peer-ns/op")
	b.ReportMetric(peer/ns, "times-peer")
}

// text is a store with one string that is there.
func text(b *testing.B) (*Store, *Value[string]) {
	f := newFake("prod/orders/0", "secret")
	f.setLatency(0)
	s := New(Config{})
	v := String(s, f.ref("prod/orders/0"))
	for range 3 {
		_ = v.Get(context.Background())
	}
	return s, v
}

func BenchmarkGet(b *testing.B) {
	peer := timePeer(b)
	s, v := text(b)
	b.ReportAllocs()
	during(s, func(ctx context.Context) {
		for b.Loop() {
			if v.Get(ctx) == "" {
				b.Fatal("empty")
			}
		}
	})
	report(b, peer)
}

// A struct of 64 bytes is copied out: JSON[*T] saves that.
func BenchmarkGetStruct(b *testing.B) {
	peer := timePeer(b)
	s, vs, _ := warm(b, 1)
	b.ReportAllocs()
	during(s, func(ctx context.Context) {
		for b.Loop() {
			if v := vs[0].Get(ctx); v.User == "" {
				b.Fatal("empty")
			}
		}
	})
	report(b, peer)
}

func BenchmarkGetByTheClock(b *testing.B) {
	peer := timePeer(b)
	_, v := text(b)
	b.ReportAllocs()
	for b.Loop() {
		if v.Get(context.Background()) == "" {
			b.Fatal("empty")
		}
	}
	report(b, peer)
}

func BenchmarkLookupByName(b *testing.B) {
	peer := timePeer(b)
	s, _, f := warm(b, 1)
	ref := f.ref("prod/orders/0")
	b.ReportAllocs()
	_, _ = s.Lookup(context.Background(), ref)
	during(s, func(ctx context.Context) {
		for b.Loop() {
			if _, err := s.Lookup(ctx, ref); err != nil {
				b.Fatal(err)
			}
		}
	})
	report(b, peer)
}

func BenchmarkGetParallel(b *testing.B) {
	s, vs, _ := warm(b, 1)
	b.ReportAllocs()
	during(s, func(ctx context.Context) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				_ = vs[0].Get(ctx)
			}
		})
	})
}

func BenchmarkInvocationWith20Values(b *testing.B) {
	s, _, _ := warm(b, 20)
	h := s.Wrap(func(context.Context, *middy.Invocation) (any, error) { return nil, nil })
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	inv := &middy.Invocation{}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = h(ctx, inv)
	}
}

func TestWarmReadsDoNotAllocate(t *testing.T) {
	s, vs, f := warm(t, 20)
	ref := f.ref("prod/orders/0")
	_, _ = s.Lookup(t.Context(), ref)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	h := s.Wrap(func(ctx context.Context, _ *middy.Invocation) (any, error) {
		for _, v := range vs {
			_ = v.Get(ctx)
		}
		return nil, nil
	})
	inv := &middy.Invocation{}
	for name, fn := range map[string]func(){
		"Get by the clock":          func() { _ = vs[0].Get(ctx) },
		"Lookup by the clock":       func() { _, _ = vs[0].Lookup(ctx) },
		"Lookup by name":            func() { _, _ = s.Lookup(ctx, ref) },
		"invocation with 20 values": func() { _, _ = h(ctx, inv) },
	} {
		if n := testing.AllocsPerRun(100, fn); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	during(s, func(ctx context.Context) {
		if n := testing.AllocsPerRun(100, func() { _ = vs[0].Get(ctx) }); n != 0 {
			t.Errorf("Get in an invocation: %v allocations", n)
		}
	})
}
