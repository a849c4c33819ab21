package params

import (
	"context"
	"errors"
	"fmt"
	"math"
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

func (s *Store) prefetch(ctx context.Context, budget time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	s.mu.Lock()
	declared := append([]*entry(nil), s.declared...)
	s.mu.Unlock()
	s.fetch(ctx, declared, leave)
	deadline, _ := ctx.Deadline()
	s.drain(time.Until(deadline))
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
		if err == nil {
			err = &Error{Kind: Unavailable, Service: e.source.Service, Name: e.key.ID,
				Text: fmt.Sprintf("it did not come within the %s of Config.PrefetchBudget", s.cfg.PrefetchBudget)}
		}
		errs = append(errs, fmt.Errorf("params: the function cannot start without a required value: %w", err))
	}
	return errors.Join(errs...)
}

// Wrap is the Store's part in an invocation. Before the handler it decides,
// once, which values are still good, and begins to refresh those that soon will
// not be; that runs beside the handler. After the handler, and before the
// response leaves, it waits for what is under way, for [Config.JoinBudget] at
// most, and cancels the rest.
//
// Place it outside everything that reads values.
func (s *Store) Wrap(next middy.Handler) middy.Handler {
	return func(ctx context.Context, inv *middy.Invocation) (any, error) {
		s.begin(ctx)
		defer s.settle()
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
		if g, ok := p.Value.(getFailure); ok {
			return g.err
		}
	}
	return err
}

// begin starts an invocation.
func (s *Store) begin(ctx context.Context) {
	now := s.now()
	s.mu.Lock()
	s.active++
	if !s.managed {
		s.deadline.Store(0)
		if d, ok := ctx.Deadline(); ok {
			s.deadline.Store(d.UnixNano())
		}
	}
	last := s.lastNow.Swap(now)
	if now < s.nextDue.Load() && now >= last-backwards {
		s.epoch.Store(s.gen.Load())
		s.mu.Unlock()
		return
	}
	s.invalidateLocked()
	due := s.decideAllLocked(now)
	s.mu.Unlock()
	s.fetch(ctx, due, leave)
}

// decideAllLocked returns the entries to refresh beside the handler, and notes
// when the next decision is due.
func (s *Store) decideAllLocked(now int64) (due []*entry) {
	s.sweeps.Add(1)                //mutate:equivalent it is compared for equality
	s.nextDue.Store(math.MaxInt64) // before the states are read: what changes meanwhile makes it earlier
	next := int64(math.MaxInt64)
	var cooling []*entry
	failed, again := false, false
	for _, e := range s.entries {
		st := e.state.Load()
		if st.raw == nil {
			continue // it is fetched when somebody reads it
		}
		act, until := st.decide(now)
		next = min(next, until)
		if !e.declared && e.lastRead.Load() < st.confirmed/int64(time.Second) {
			continue
		}
		failing := st.failures > 0
		failed = failed || failing
		switch act {
		case refresh, waitPatient, waitCertain, waitNeedful:
			due = append(due, e)
			again = again || failing
		default:
			if failing {
				cooling = append(cooling, e)
			}
		}
	}
	s.due(next)
	if !failed {
		s.tries = 0
	}
	if !again || s.managed {
		return due
	}
	worth := patience(s.tries)
	s.tries++
	s.worth.Store(worth)
	if worth != 0 {
		due = append(due, cooling...) // one wait for all of them
	}
	return due
}

// settle ends an invocation.
func (s *Store) settle() {
	if s.managed {
		s.leaveInvocation()
		return
	}
	s.mu.Lock()
	alone, busy := s.active == 1, len(s.tasks) > 0 //mutate:equivalent `> -> >=`: without tasks there is nothing to wait for
	s.mu.Unlock()
	if alone && busy {
		s.joinFlights()
		s.drain(0)
	}
	s.leaveInvocation()
}

func (s *Store) leaveInvocation() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.active--; s.active == 0 {
		s.epoch.Store(idle)
		s.deadline.Store(0)
		s.worth.Store(0)
	}
}

// Thaw follows a freeze or a step of the clock: every age is looked at again, by
// the wall clock, and remembered failures are forgotten, since they say nothing
// about now. Values stay: time alone does not change a secret.
func (s *Store) Thaw(_ context.Context, gap middy.Gap) {
	s.mu.Lock()
	entries := make([]*entry, 0, len(s.entries))
	for _, e := range s.entries {
		entries = append(entries, e)
	}
	s.mu.Unlock()
	if gap.Skewed() {
		for _, e := range entries {
			e.forgetFailure()
		}
	}
	s.nextDue.Store(0)
	s.invalidate()
	s.event(nil, Event{Kind: EventClock, Duration: gap.Wall})
}

// Close cancels what is under way, waits for it, and wipes every value, also
// those that Secrets still refer to. Afterwards reads return [ErrClosed].
func (s *Store) Close(context.Context) error {
	s.closed.Store(true)
	s.drain(0)
	s.wipe()
	return nil
}

// wipe clears every value that is alive. A reader in the middle of one is waited
// for.
func (s *Store) wipe() {
	s.mu.Lock()
	for _, e := range s.entries {
		e.wipe()
	}
	s.nextDue.Store(math.MaxInt64)
	s.mu.Unlock()
	n := s.custody.wipeAll()
	s.invalidate()
	s.event(nil, Event{Kind: EventWiped, Keys: n})
}

// BeforeSnapshot wipes every value, so that none is stored in a snapshot of the
// sandbox, unless [Config.KeepInSnapshot]. Register it as SnapStart's
// before-snapshot hook; aws-lambda-go has none yet.
func (s *Store) BeforeSnapshot(context.Context) error {
	s.drain(0)
	if !s.cfg.KeepInSnapshot {
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
