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
	n    uint64        // counts the fetches of the entry
	done chan struct{} // closed when the entry's state says how it ended
	err  error
	// readers who could be served an old value wait until then: one instant for
	// all of them, or a handler that reads many values would wait for each.
	readers time.Time
	// again: the fetch before it failed, and there is an answer to serve. Then
	// joiners is the instant until which the response waits.
	again   bool
	joiners time.Time
	// cancelled: it was ended by us, so it says nothing about the source.
	cancelled bool
}

// errSettled cancels fetches whose invocation is over.
var errSettled = errors.New("params: cancelled so that the response could leave; the next invocation tries again")

// reportBy is ctx with an earlier end. Of the time until its deadline a tenth,
// 200 ms at most, is for reporting how a wait failed: on Lambda nobody reads an
// error that comes at the deadline.
func reportBy(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok || ctx.Value(reserved{}) != nil {
		return ctx, func() {}
	}
	ctx = context.WithValue(ctx, reserved{}, true)
	return context.WithDeadline(ctx, deadline.Add(-reserve(time.Until(deadline))))
}

// reserved marks a context whose deadline leaves the time already.
type reserved struct{}

func reserve(left time.Duration) time.Duration { return min(left/10, 200*time.Millisecond) }

// await waits for a fetch of e that began after the n-th, and returns the state to
// serve from.
func (s *Store) await(ctx context.Context, e *entry, act action, n uint64) (*state, int64, error) {
	f, err := s.wait(ctx, e, act, n)
	if err == nil {
		return s.landed(e, f)
	}
	if st, now := e.state.Load(), s.now(); act == waitPatient && st.usable(now) && !errors.Is(err, ErrClosed) {
		s.stale(e, st, now)
		return st, now, nil
	}
	return nil, 0, err
}

// wait waits for a fetch of e that began after the n-th, and begins one if there
// is none. It returns nil when the patience of act is over, and an error when ctx
// is, or the Store was closed.
//
// The fetch does not belong to the reader who began it: a reader leaves when its
// own ctx is done, and the others go on waiting.
func (s *Store) wait(ctx context.Context, e *entry, act action, n uint64) (*flight, error) {
	ctx, cancel := reportBy(ctx)
	defer cancel()
	for ctx.Err() == nil {
		f, started := s.join(ctx, e)
		if !started {
			s.counters.coalesced.Add(1)
		}
		over, err := f.wait(ctx, act == waitPatient && s.cfg.Patience > 0)
		switch {
		case err != nil:
		case over:
			return nil, nil
		case s.closed.Load():
			return nil, ErrClosed
		case f.cancelled:
			s.afterStop(ctx)
		case f.n > n:
			return f, nil
		}
	}
	return nil, &Error{Kind: Unavailable, Service: e.source.Service, Name: e.key.ID,
		Text: "the caller stopped waiting for it", Err: context.Cause(ctx)}
}

// wait waits for the end of f. It reports whether the patience of its readers was
// over before.
func (f *flight) wait(ctx context.Context, patient bool) (over bool, err error) {
	var patience <-chan time.Time
	if patient {
		t := time.NewTimer(time.Until(f.readers))
		defer t.Stop()
		patience = t.C
	}
	select {
	case <-f.done:
		return false, nil
	case <-patience:
		return true, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// retryWeight is by what factor the n-th invocation that tries again, from zero,
// multiplies [Config.Patience] and [Config.JoinBudget]. The first and then one in
// four waits, so that a source which is back is noticed although handlers take no
// time, and one in sixteen four times as long, in case the source is slow and not
// down. The others give a try the time that the handler takes: an outage must not
// become the latency of a function whose every invocation finds the back-off
// over.
func retryWeight(n int) int64 {
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
	if f != nil && f.err == nil && st.known() {
		return st, now, nil // a TTL of zero and no staleness: good for this once
	}
	return nil, 0, st.failure(e, now)
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
// It is under way from here on, for all who wait for the end of what is.
func (e *entry) takeOff() (f *flight, isNew bool) {
	s := e.store
	s.mu.Lock()
	defer s.mu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.flight != nil {
		return e.flight, false
	}
	e.flights++
	now, cfg := time.Now(), &s.cfg
	f = &flight{e: e, n: e.flights, done: make(chan struct{}), readers: now.Add(cfg.Patience)}
	if st := e.state.Load(); st.failures > 0 && st.known() && !s.unattended() {
		worth := time.Duration(s.worth.Load())
		f.again, f.readers, f.joiners = true, now.Add(worth*cfg.Patience), now.Add(worth*cfg.JoinBudget)
	}
	e.flight = f
	s.flights[f] = struct{}{}
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
	if s.closed.Load() || s.stopping > 0 {
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

// fetchDeadline is FetchTimeout from now, or before the end of the invocation, as
// with reportBy.
func (s *Store) fetchDeadline() time.Time {
	now, timeout := time.Now(), s.cfg.FetchTimeout
	if d := s.deadline.Load(); d != 0 {
		left := time.Duration(d - now.UnixNano())
		timeout = min(timeout, left-reserve(left))
	}
	return now.Add(timeout)
}

func (s *Store) ended(t *task) {
	t.cancel(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tasks, t)
	s.quiet.Broadcast()
}

// joinFlights waits, at the end of an invocation, for the fetches under way: for
// each as long as it is worth, or until ctx is done. One that begins now is not
// waited for.
func (s *Store) joinFlights(ctx context.Context) {
	s.mu.Lock()
	flights := slices.Collect(maps.Keys(s.flights))
	s.mu.Unlock()
	budget := time.Now().Add(s.cfg.JoinBudget)
	for _, f := range flights {
		until := budget
		if f.again {
			until = f.joiners
		}
		ctx, cancel := context.WithDeadline(ctx, until)
		_, _ = f.wait(ctx, false)
		cancel()
	}
}

// stopLocked cancels what is under way, and what begins meanwhile, and waits for
// the end of it: nothing of ours may cross into a freeze. When it returns s.mu has
// not been released since the end, so that what the caller does next comes before
// anything can begin.
func (s *Store) stopLocked() {
	if len(s.tasks)+len(s.flights) == 0 {
		return
	}
	if s.stopping++; s.stopping == 1 {
		s.stopped = make(chan struct{})
	}
	for t := range s.tasks {
		t.cancel(errSettled)
	}
	for len(s.tasks)+len(s.flights) > 0 {
		s.quiet.Wait()
	}
	if s.stopping--; s.stopping == 0 {
		close(s.stopped)
	}
}

func (s *Store) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopLocked()
}

// afterStop keeps a reader that outlives its invocation from starting, again and
// again, what the response is waiting to see the end of.
func (s *Store) afterStop(ctx context.Context) {
	s.mu.Lock()
	stopping, stopped := s.stopping > 0, s.stopped
	s.mu.Unlock()
	if !stopping {
		return
	}
	select {
	case <-stopped:
	case <-ctx.Done():
	}
}

// land ends a flight with what was fetched.
func (s *Store) land(ctx context.Context, f *flight, raw Raw, fromFallback bool, err error, took time.Duration) {
	e := f.e
	settled := err != nil && errors.Is(context.Cause(ctx), errSettled)
	if err != nil && ctx.Err() != nil {
		err = &Error{Kind: Unavailable, Service: e.source.Service, Name: e.key.ID,
			Text: fmt.Sprintf("no answer within %s", took.Round(time.Millisecond)), Err: err}
	}
	var kind EventKind
	switch {
	case err == nil:
		kind = e.succeed(f.n, raw, fromFallback)
		s.counters.fetched.Add(1)
		if kind == EventLagging {
			err = e.state.Load().err
		}
	case settled:
		s.counters.cancelled.Add(1)
		kind = e.cancelled(f.n)
	default:
		kind = e.failed(f.n, err)
	}
	s.finish(f, err, settled)
	s.report(e, kind, err, took)
}

// rescue ends the flights of a task that ended without: a provider, or OnEvent,
// panicked or ended the goroutine. Readers and the next freeze wait for them.
func (s *Store) rescue(ctx context.Context, flights []*flight) {
	_ = recover() // its text is not ours to print
	for i, f := range flights {
		select {
		case <-f.done:
		default:
			defer s.rescue(ctx, flights[i+1:]) // OnEvent may do it again
			s.land(ctx, f, Raw{}, false, &Error{Kind: Unavailable, Service: f.e.source.Service, Name: f.e.key.ID,
				Text: "its fetch ended without an answer: a bug in the provider, or in Config.OnEvent"}, 0)
			return
		}
	}
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
	now := s.now()
	s.mu.Lock()
	delete(s.flights, f)
	s.quiet.Broadcast()
	s.invalidateLocked()
	if st.known() {
		_, until := st.decide(now)
		s.planLocked(e, until)
		s.failingLocked(e, st.failures > 0 && !e.evicted)
	} else {
		s.forgetLocked(e)
	}
	s.mu.Unlock()
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
func (e *entry) cancelled(n uint64) EventKind {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state.Load().known() {
		e.change(func(st *state) {
			st.heard(n, e.store.now())
			e.confirmFailed(st, &Error{Kind: Unavailable, Service: e.source.Service, Name: e.key.ID,
				Text: "no answer before the response had to leave"}, e.store.now())
		})
	}
	return EventCancelled
}
