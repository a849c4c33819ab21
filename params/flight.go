package params

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// A flight is one fetch of one entry, however many readers wait for it.
type flight struct {
	e    *entry
	done chan struct{} // closed when the entry's state says how it ended
	err  error
	// readers who could be served an old value wait until then: one instant for
	// all of them, or a handler that reads many values would wait for each.
	readers time.Time
	// again: the fetch before it failed, and there is a value to serve. Then
	// joiners is the instant until which the response waits.
	again   bool
	joiners time.Time
	// cancelled: it was ended by us, so it says nothing about the source.
	cancelled bool
}

// errSettled cancels fetches whose invocation is over.
var errSettled = errors.New("params: cancelled so that the response could leave; the next invocation tries again")

// await waits for a fetch of e, which it starts unless there is one, and returns
// the state to serve from.
//
// The fetch does not belong to the reader who started it: a reader leaves when
// its own ctx is done, and the others go on waiting.
func (s *Store) await(ctx context.Context, e *entry, act action) (*state, int64, error) {
	for {
		f, started := s.join(ctx, e)
		if !started {
			s.counters.coalesced.Add(1)
		}
		var patience <-chan time.Time
		if act == waitPatient && s.cfg.Patience > 0 { //mutate:equivalent `> -> >=`: it is never 0
			t := time.NewTimer(time.Until(f.readers))
			defer t.Stop()
			patience = t.C
		}
		select {
		case <-f.done:
			if !f.cancelled {
				return s.landed(e, f)
			}
			if s.closed.Load() {
				return nil, 0, ErrClosed
			}
			s.afterDrain(ctx)
			if ctx.Err() != nil {
				return s.left(ctx, e, act)
			}
		case <-patience:
			return s.landed(e, nil)
		case <-ctx.Done():
			return s.left(ctx, e, act)
		}
	}
}

// patience is how much of [Config.Patience] and [Config.JoinBudget] the n-th
// invocation that tries again is worth, from zero. The first and then one in four
// waits, so that a source which is back is noticed although handlers take no
// time, and one in sixteen four times as long, in case the source is slow and not
// down. The others give a try the time that the handler takes: an outage must not
// become the latency of a function whose every invocation finds the back-off
// over.
func patience(n int) int64 {
	switch {
	case n%4 != 0:
		return 0
	case n%16 == 4:
		return 4
	}
	return 1
}

// landed is what a reader gets when a fetch has ended, or when its patience has.
func (s *Store) landed(e *entry, f *flight) (*state, int64, error) {
	st, now := e.state.Load(), s.now()
	if st.usable(now) {
		_, until := st.decide(now)
		if f == nil || f.err != nil {
			s.stale(e, st, now)
		}
		return st, until, nil
	}
	if f != nil && f.err == nil && st.raw != nil {
		return st, now, nil // a TTL of zero and no staleness: good for this once
	}
	return nil, 0, st.failure(e, now)
}

// left is what a reader gets whose own ctx ended first.
func (s *Store) left(ctx context.Context, e *entry, act action) (*state, int64, error) {
	st, now := e.state.Load(), s.now()
	if act == waitPatient && st.usable(now) {
		s.stale(e, st, now)
		return st, now, nil
	}
	return nil, 0, &Error{Kind: Unavailable, Service: e.source.Service, Name: e.key.ID,
		Text: "the caller stopped waiting for it", Err: context.Cause(ctx)}
}

// join returns the flight of e, and starts one if there is none.
func (s *Store) join(ctx context.Context, e *entry) (f *flight, started bool) {
	f, started = e.takeOff()
	if started {
		s.schedule(ctx, []*flight{f}, linger)
	}
	return f, started
}

// takeOff returns the flight of e, or a new one, which the caller must schedule.
func (e *entry) takeOff() (f *flight, isNew bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.flight != nil {
		return e.flight, false
	}
	now, cfg := time.Now(), &e.store.cfg
	f = &flight{e: e, done: make(chan struct{}), readers: now.Add(cfg.Patience)}
	if st := e.state.Load(); st.failures > 0 && st.raw != nil && !e.store.unattended() {
		worth := time.Duration(e.store.worth.Load())
		f.again, f.readers, f.joiners = true, now.Add(worth*cfg.Patience), now.Add(worth*cfg.JoinBudget)
	}
	e.flight = f
	return f, true
}

// A task is a goroutine of the Store: what must be gone before a freeze.
type task struct{ cancel context.CancelCauseFunc }

// run starts a task. Its ctx keeps the values of parent (a trace header), is not
// cancelled with it, and is bounded by FetchTimeout and the invocation.
func (s *Store) run(parent context.Context, fn func(context.Context)) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(parent))
	ctx, stop := context.WithDeadlineCause(ctx, s.fetchDeadline(), errTimeout)
	t := &task{cancel}
	s.mu.Lock()
	s.tasks[t] = struct{}{}
	if s.closed.Load() || s.draining != nil {
		cancel(errSettled)
	}
	s.mu.Unlock()
	go func() {
		defer s.ended(t)
		defer stop()
		fn(ctx)
	}()
}

var errTimeout = errors.New("no answer in time")

// fetchDeadline is FetchTimeout from now, or before the end of the invocation: a
// tenth of what is left of it, 200 ms at most, is for telling how it failed.
func (s *Store) fetchDeadline() time.Time {
	now, timeout := time.Now(), s.cfg.FetchTimeout
	if d := s.deadline.Load(); d != 0 && !s.managed {
		left := time.Duration(d - now.UnixNano())
		timeout = min(timeout, left-min(left/10, 200*time.Millisecond))
	}
	return now.Add(timeout)
}

func (s *Store) ended(t *task) {
	t.cancel(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tasks, t)
	if len(s.tasks) == 0 && s.idle != nil {
		close(s.idle)
		s.idle = nil
	}
}

// joinFlights waits, at the end of an invocation, for the fetches under way: for
// each as long as it is worth. One that begins now is not waited for.
func (s *Store) joinFlights() {
	s.mu.Lock()
	flights := slices.Collect(maps.Keys(s.flights))
	s.mu.Unlock()
	budget := time.Now().Add(s.cfg.JoinBudget)
	for _, f := range flights {
		until := budget
		if f.again {
			until = f.joiners
		}
		t := time.NewTimer(time.Until(until))
		select {
		case <-f.done:
		case <-t.C:
		}
		t.Stop()
	}
}

// drain waits for all tasks, at most for budget; then it cancels them, and waits
// for them still: nothing of ours may cross into a freeze.
func (s *Store) drain(budget time.Duration) {
	s.mu.Lock()
	if len(s.tasks) == 0 {
		s.mu.Unlock()
		return
	}
	if s.idle == nil {
		s.idle = make(chan struct{})
	}
	quiet := s.idle
	s.mu.Unlock()

	t := time.NewTimer(budget)
	defer t.Stop()
	select {
	case <-quiet:
		return
	case <-t.C:
	}
	s.mu.Lock()
	if s.draining == nil {
		s.draining = make(chan struct{})
		defer s.drained()
	}
	for t := range s.tasks {
		t.cancel(errSettled)
	}
	s.mu.Unlock()
	<-quiet
}

func (s *Store) drained() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.draining)
	s.draining = nil
}

// afterDrain keeps a reader that outlives its invocation from starting, again
// and again, what the response is waiting to see the end of.
func (s *Store) afterDrain(ctx context.Context) {
	s.mu.Lock()
	done := s.draining
	s.mu.Unlock()
	if done == nil {
		return
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// land ends a flight with what was fetched.
func (s *Store) land(ctx context.Context, f *flight, raw Raw, fromFallback bool, err error, took time.Duration) {
	e := f.e
	settled := err != nil && errors.Is(context.Cause(ctx), errSettled)
	if err != nil && !settled && ctx.Err() != nil {
		err = &Error{Kind: Unavailable, Service: e.source.Service, Name: e.key.ID,
			Text: fmt.Sprintf("no answer within %s", took.Round(time.Millisecond)), Err: err}
	}
	var kind EventKind
	switch {
	case err == nil:
		kind = e.succeed(raw, fromFallback)
		s.counters.fetched.Add(1)
	case settled:
		s.counters.cancelled.Add(1)
		kind = e.cancelled()
	default:
		kind = e.failed(err)
	}
	s.finish(f, err, settled)
	s.report(e, kind, err, took)
}

// finish lets the waiters go, and makes every view look again if what it would
// find has changed.
func (s *Store) finish(f *flight, err error, cancelled bool) {
	e := f.e
	e.mu.Lock()
	f.err, f.cancelled = err, cancelled
	e.flight = nil
	st := e.state.Load()
	e.mu.Unlock()
	s.mu.Lock()
	delete(s.flights, f)
	s.invalidateLocked()
	s.mu.Unlock()
	if st.raw != nil {
		_, until := st.decide(s.now())
		s.due(until)
	}
	close(f.done)
}

func (s *Store) report(e *entry, kind EventKind, err error, took time.Duration) {
	version := e.state.Load().version
	s.event(e, Event{Kind: EventFetch, Version: version, Duration: took, Err: err})
	switch kind {
	case EventUnchanged:
		s.counters.unchanged.Add(1)
	case "":
		return
	}
	s.event(e, Event{Kind: kind, Version: version, Err: err})
}

// cancelled puts off the next try where there is a value to go on with:
// otherwise an outage would cost every invocation the whole JoinBudget.
func (e *entry) cancelled() EventKind {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state.Load().raw != nil {
		e.change(func(st *state) {
			e.confirmFailed(st, &Error{Kind: Unavailable, Service: e.source.Service, Name: e.key.ID,
				Text: "no answer before the response had to leave"}, e.store.now())
		})
	}
	return EventCancelled
}
