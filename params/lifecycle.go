package params

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gomiddy/middy"
)

// Init prefetches all declared values, by as few requests as their sources
// allow, and has ended, or cancelled, every one of them when it returns. A value
// that did not come is fetched when it is first read, except a [Ref.Required]
// one, which fails the cold start.
func (s *Store) Init(ctx context.Context) error {
	if err := s.Validate(); err != nil {
		return err
	}
	if s.cfg.PrefetchBudget != 0 {
		s.prefetch(ctx, s.cfg.PrefetchBudget)
	}
	return s.missing()
}

// restoreBudget is within the 10 s that Lambda gives an after-restore hook.
// https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks.html
const restoreBudget = 9 * time.Second

// prefetch waits for the fetches of the declared values, whoever began them.
func (s *Store) prefetch(ctx context.Context, budget time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	s.mu.Lock()
	declared := slices.Clone(s.declared)
	s.mu.Unlock()
	s.fetch(ctx, declared, leave)
	for _, e := range declared {
		e.mu.Lock()
		f := e.flight
		e.mu.Unlock()
		if f == nil {
			continue
		}
		if _, err := f.wait(ctx, false); err != nil {
			s.stop()
			return
		}
	}
}

// missing is an error for each required value that could not be had.
func (s *Store) missing() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, e := range s.declared {
		e.mu.Lock()
		required := e.required
		e.mu.Unlock()
		st := e.state.Load()
		if !required || st.raw != nil {
			continue
		}
		err := st.err
		switch {
		case err == nil && st.absent != nil:
			err = st.absent
		case err == nil:
			err = &Error{Kind: Unavailable, Service: e.source.Service, Name: e.key.ID,
				Text: fmt.Sprintf("it did not come within the %s of Config.PrefetchBudget", s.cfg.PrefetchBudget)}
		}
		errs = append(errs, fmt.Errorf("params: the function cannot start without a required value: %w", err))
	}
	return errors.Join(errs...)
}

// Wrap is the Store's part in an invocation. Before the handler it decides,
// once, which values are still good, and begins to refresh those that soon will
// not be; that runs beside the handler. The end of it is [Store.Settle]'s.
//
// Place it outside everything that reads values.
func (s *Store) Wrap(next middy.Handler) middy.Handler {
	return func(ctx context.Context, inv *middy.Invocation) (any, error) {
		if settled := s.begin(ctx); !settled {
			defer s.settle(ctx)
		}
		out, err := next(ctx, inv)
		if err == nil {
			return out, nil
		}
		return out, failureOfGet(err)
	}
}

// failureOfGet returns what Get panicked with in the handler, as an error of its
// own: a missing secret is no reason to replace the sandbox.
func failureOfGet(err error) error {
	if p, ok := errors.AsType[*middy.PanicError](err); ok {
		if g, ok := p.Value.(interface{ Failure() error }); ok {
			return g.Failure()
		}
	}
	return err
}

// A phase is how far an invocation of a Function is.
type phase uint8

const (
	inside  phase = iota + 1
	settled       // its response has ended; a handler may still run
)

// begin starts an invocation. It reports whether Settle ends it, or has ended it
// already: where there is no Function, Wrap does.
func (s *Store) begin(ctx context.Context) (settles bool) {
	now := s.now()
	s.mu.Lock()
	was, _ := s.visit.Get(ctx)
	if was == settled { // its handler was given up
		s.mu.Unlock()
		return true
	}
	settles = s.visit.Set(ctx, inside)
	if was != inside { // a layer outside may call Wrap's handler again
		s.active++
	}
	if !s.managed {
		s.deadline.Store(0)
		if d, ok := ctx.Deadline(); ok {
			s.deadline.Store(d.UnixNano())
		}
	}
	last := s.lastNow.Swap(now)
	back := now < last-backwards
	if now < s.nextLocked() && !back && !s.all {
		s.epoch.Store(s.gen.Load())
		s.mu.Unlock()
		return settles
	}
	s.invalidateLocked()
	due := s.decideLocked(now, back || s.all)
	s.all = false
	s.mu.Unlock()
	s.fetch(ctx, due, leave)
	return settles
}

// Settle ends an invocation: its response has ended, a streamed one as a whole, or
// an early timeout has answered while the handler runs on. It waits for what is
// under way, for [Config.JoinBudget] at most or until ctx is done, and cancels the
// rest, unless other invocations go on.
func (s *Store) Settle(ctx context.Context) {
	s.mu.Lock()
	was, _ := s.visit.Get(ctx)
	s.visit.Set(ctx, settled)
	s.mu.Unlock()
	if was == inside {
		s.settle(ctx)
	}
}

func (s *Store) settle(ctx context.Context) {
	s.mu.Lock()
	join := s.active == 1 && len(s.flights) > 0 && !s.managed //mutate:equivalent `> -> >=`: without flights there is nothing to wait for
	s.mu.Unlock()
	if join {
		s.joinFlights(ctx)
	}
	s.mu.Lock()
	if s.active == 1 && !s.managed {
		s.stopLocked()
	}
	wipe := s.leaveLocked()
	s.mu.Unlock()
	if wipe {
		s.wipe()
	}
}

// leaveLocked reports whether values are to be wiped that were spared for the
// invocation which has ended.
func (s *Store) leaveLocked() (wipe bool) {
	if s.active--; s.active > 0 {
		return false
	}
	s.epoch.Store(idle)
	s.deadline.Store(0)
	s.worth.Store(0)
	if s.left != nil {
		close(s.left)
		s.left = nil
	}
	return s.closed.Load()
}

// Thaw follows a freeze or a step of the clock: every age is looked at again, by
// the wall clock, and remembered failures are forgotten, since they say nothing
// about now. Values stay: time alone does not change a secret.
func (s *Store) Thaw(_ context.Context, gap middy.Gap) {
	if gap.Skewed() {
		s.mu.Lock()
		entries := slices.Collect(maps.Values(s.entries))
		s.all = true
		s.mu.Unlock()
		for _, e := range entries {
			e.forgetFailure()
		}
	}
	s.invalidate()
	s.event(nil, Event{Kind: EventClock, Duration: gap.Wall})
}

// Close waits for the invocations under way until ctx is done, cancels what they
// left, and wipes every value, also those that Secrets still refer to. Afterwards
// reads return [ErrClosed], and [Secret.Reveal] panics with a [*WipedError].
//
// What an invocation holds is not wiped under it. If one goes on after ctx is
// done, Close returns an error, and the values are wiped when it ends.
func (s *Store) Close(ctx context.Context) error {
	s.mu.Lock()
	if s.active > 0 {
		if s.left == nil {
			s.left = make(chan struct{})
		}
		left := s.left
		s.mu.Unlock()
		select {
		case <-left:
		case <-ctx.Done():
		}
		s.mu.Lock()
	}
	s.closed.Store(true)
	s.invalidateLocked()
	s.stopLocked()
	active := s.active
	s.mu.Unlock()
	if active > 0 {
		return fmt.Errorf("params: values are wiped when the last of the invocations under way (%d) ends: %w", active, context.Cause(ctx))
	}
	s.wipe()
	return nil
}

// A WipedError says that the content of a [Secret] was asked for after its Store
// had wiped it: [Store.Close] or [Store.BeforeSnapshot] did. It is [ErrClosed].
type WipedError struct {
	// Version is the source's identifier of the content, or empty.
	Version string
}

func (e *WipedError) Error() string {
	return "params: a secret was revealed after its store had been closed and its values wiped"
}

// Is reports whether target is [ErrClosed].
func (e *WipedError) Is(target error) bool { return target == ErrClosed }

// wipe cancels what is under way and clears every value that is alive. A reader in
// the middle of one is waited for.
func (s *Store) wipe() {
	s.mu.Lock()
	s.stopLocked()
	for _, e := range s.entries {
		s.forgetLocked(e)
		e.wipe()
	}
	s.mu.Unlock()
	n := s.custody.wipeAll()
	s.invalidate()
	s.event(nil, Event{Kind: EventWiped, Keys: n})
}

// BeforeSnapshot wipes every value, so that none is stored in a snapshot of the
// sandbox, unless [Config.KeepInSnapshot]. Register it as SnapStart's
// before-snapshot hook; aws-lambda-go has none yet.
func (s *Store) BeforeSnapshot(context.Context) error {
	if s.cfg.KeepInSnapshot {
		s.stop()
	} else {
		s.wipe()
	}
	return nil
}

// AfterRestore fetches the declared values anew, within the 10 s that Lambda
// gives such a hook. Each restored sandbox draws its own jitter.
func (s *Store) AfterRestore(ctx context.Context) error {
	s.drawSpread()
	s.Thaw(ctx, middy.Gap{})
	s.prefetch(ctx, restoreBudget)
	return s.missing()
}
