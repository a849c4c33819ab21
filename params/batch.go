package params

import (
	"context"
	"errors"
	"sync"
	"time"
)

// coalesce is how long a fetch waits for others to go into the same request.
const coalesce = time.Millisecond

// concurrency bounds the single requests that stand in for a batch.
const concurrency = 8

// A pending is the flights of one source that have not left yet.
type pending struct{ flights []*flight }

type departure int

const (
	linger departure = iota // for others
	leave                   // at once: all that will come are here
)

// fetch starts flights for those entries that have none, and returns them.
func (s *Store) fetch(ctx context.Context, entries []*entry, when departure) (started []*flight) {
	for _, e := range entries {
		if f, isNew := e.takeOff(); isNew {
			started = append(started, f)
		}
	}
	s.schedule(ctx, started, when)
	return started
}

// schedule sends flights on their way, those of one source together.
func (s *Store) schedule(ctx context.Context, flights []*flight, when departure) {
	groups := make(map[Source][]*flight)
	for _, f := range flights {
		groups[f.e.source] = append(groups[f.e.source], f)
	}
	for source, group := range groups {
		if when == leave {
			s.run(ctx, func(ctx context.Context) { s.fly(ctx, group) })
			continue
		}
		if s.board(source, group) {
			s.run(ctx, func(ctx context.Context) { s.depart(ctx, source) })
		}
	}
}

// board adds flights to those that wait for company, and reports whether they
// are the first.
func (s *Store) board(source Source, flights []*flight) (first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.pending[source]; p != nil {
		p.flights = append(p.flights, flights...)
		return false
	}
	s.pending[source] = &pending{flights}
	return true
}

// depart waits for company, and leaves.
func (s *Store) depart(ctx context.Context, source Source) {
	if s.batcher(source) {
		t := time.NewTimer(coalesce)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
		}
	}
	s.mu.Lock()
	flights := s.pending[source].flights
	delete(s.pending, source)
	s.mu.Unlock()
	s.fly(ctx, flights)
}

// batcher reports whether waiting for company can be worth it.
func (s *Store) batcher(source Source) bool {
	if s.isRefused(source) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.pending[source].flights[0].e.provider.(Batcher)
	return ok
}

// fly fetches flights of one source: by batches where that is possible and worth
// it, one by one otherwise.
func (s *Store) fly(ctx context.Context, flights []*flight) {
	defer s.rescue(ctx, flights)
	var batch, single []*flight
	b, ok := flights[0].e.provider.(Batcher)
	for _, f := range flights {
		if ok && b.Batchable(f.e.key) {
			batch = append(batch, f)
		} else {
			single = append(single, f)
		}
	}
	var wg sync.WaitGroup
	if ok {
		limit, from := b.Batch()
		for len(batch) >= max(from, 1) && !s.isRefused(flights[0].e.source) {
			chunk := batch[:min(len(batch), max(limit, 1))]
			batch = batch[len(chunk):]
			wg.Go(func() { s.flyBatch(ctx, b, chunk) })
		}
	}
	s.flySingles(ctx, append(single, batch...))
	wg.Wait()
}

// A refusal says how long a source's batch action is taken for not ours.
type refusal struct {
	until int64 // wall-clock nanoseconds
	wait  int64 // how long that was when it began
}

// firstRefusal is how long the first refusal of a batch counts. Each further one
// counts twice as long: the policy may be mended while the sandbox lives, and
// where it is not, CloudTrail should not fill with denied calls.
const firstRefusal = 5 * time.Minute

func (s *Store) isRefused(source Source) bool {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.refused[source]
	return now < r.until && r.until-now <= r.wait // more is left only if the clock was set back
}

func (s *Store) refuse(source Source) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	wait := max(2*s.refused[source].wait, int64(firstRefusal))
	s.refused[source] = refusal{now + wait, wait}
}

// permit forgets a refusal.
func (s *Store) permit(source Source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.refused, source)
}

func (s *Store) flyBatch(ctx context.Context, b Batcher, flights []*flight) {
	keys := make([]Key, len(flights))
	for i, f := range flights {
		keys[i] = f.e.key
	}
	s.counters.requests.Add(1)
	s.counters.batches.Add(1)
	start := time.Now()
	results, err := protect(flights[0].e.source, "", func() ([]Result, error) {
		results, err := b.FetchBatch(ctx, keys)
		if err == nil && len(results) != len(keys) {
			err = &Error{Kind: Unanswered, Service: flights[0].e.source.Service, Err: errPairs}
		}
		return results, err
	})
	took := time.Since(start)
	if err != nil {
		s.counters.failures.Add(1)
		s.batchFailed(ctx, b, flights, err, took)
		return
	}
	s.permit(flights[0].e.source)
	var alone []*flight
	var wg sync.WaitGroup
	defer wg.Wait()
	for i, f := range flights {
		switch r := results[i]; {
		case r.Err == nil:
			wg.Go(func() {
				s.followRotation(ctx, f.e, r.Raw)
				s.land(ctx, f, r.Raw, false, nil, took)
			})
		case KindOf(r.Err) == Unanswered:
			alone = append(alone, f)
		default:
			s.arrive(ctx, f, Raw{}, r.Err, took)
		}
	}
	s.flySingles(ctx, alone)
}

// batchFailed follows a batch that failed as a whole. Only that the source does
// not answer, or throttles, is true of every key: anything else may be the fault
// of one of them, or of the batch action, and each key is asked for alone.
func (s *Store) batchFailed(ctx context.Context, b Batcher, flights []*flight, err error, took time.Duration) {
	source := flights[0].e.source
	switch kind := KindOf(err); {
	case kind == Unavailable, kind == Throttled && !hasSeparateQuota(b):
		for _, f := range flights {
			s.arrive(ctx, f, Raw{}, aboutKey(err, f.e), took)
		}
		return
	case kind == Denied, kind == Unsupported:
		s.refuse(source)
	}
	s.event(nil, Event{Kind: EventBatchRefused, Service: source.Service, Keys: len(flights), Duration: took, Err: withoutName{KindOf(err)}})
	s.flySingles(ctx, flights)
}

// aboutKey is the failure of a whole batch as the failure of one of its keys.
func aboutKey(err error, e *entry) error {
	whole, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	one := *whole
	one.Name = e.key.ID
	return &one
}

func hasSeparateQuota(b Batcher) bool {
	q, ok := b.(SeparateQuota)
	return ok && q.SeparateQuota()
}

func (s *Store) flySingles(ctx context.Context, flights []*flight) {
	if len(flights) == 1 {
		s.flyChain(ctx, flights[0])
		return
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, concurrency)
	for _, f := range flights {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			s.flyChain(ctx, f)
		})
	}
	wg.Wait()
}

// arrive is land for a batch's failures: the fallbacks have not been asked yet.
func (s *Store) arrive(ctx context.Context, f *flight, raw Raw, err error, took time.Duration) {
	if len(f.e.fallback) > 0 && ctx.Err() == nil && movesOn(f.e.provider, err) {
		s.flyChain(ctx, f)
		return
	}
	s.land(ctx, f, raw, false, err, took)
}

// ask makes one request.
func (s *Store) ask(ctx context.Context, p Provider, k Key) (Raw, error) {
	s.counters.requests.Add(1)
	raw, err := protect(p.Source(), k.ID, func() (Raw, error) { return p.Fetch(ctx, k) })
	if err != nil {
		s.counters.failures.Add(1)
	}
	return raw, err
}

// protect turns a panic of a provider, and the end of its goroutine by
// [runtime.Goexit], into a failure: nobody else could catch it, and the waiters
// must be let go.
func protect[T any](source Source, name string, fn func() (T, error)) (v T, err error) {
	failed := func(text string) error {
		return &Error{Kind: Unavailable, Service: source.Service, Name: name, Text: text, Err: errBug}
	}
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		err = failed("its provider did not return")
		defer func() {
			if recover() != nil { // its text is not ours to print
				err = failed("its provider panicked")
			}
		}()
		v, err = fn()
	}()
	<-returned
	return v, err
}

var (
	errBug   = errors.New("a bug in the provider")
	errPairs = errors.New("a bug in the provider: a batch has a result for each key")
)
