package params

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// retryBudget is how long Retry follows a rotation when ctx has no earlier
	// end. The window between setSecret and finishSecret lasts seconds.
	retryBudget = 10 * time.Second
	pollFirst   = 250 * time.Millisecond
	pollMax     = 2 * time.Second

	// loginAttempts with one version are made per loginWindow, at most: databases
	// lock an account out after a few wrong passwords.
	loginAttempts = 3
	loginWindow   = time.Minute

	// suspectEvery is how often a reported failure makes a version be fetched
	// anew.
	suspectEvery = time.Second
)

// ErrLoginRefused is in the chain of what [Retry] returns when every version it
// was allowed to try was refused.
var ErrLoginRefused = errors.New("params: the login was refused with every version of the value")

// Retry runs fn, which logs in with the value, and follows a rotation when that
// is refused.
//
// isAuthError tells a refused login (SQLSTATE 28P01, MySQL 1045, HTTP 401) from
// other errors of fn, which Retry returns as they are. After a refusal the value
// is fetched anew. If its version changed, fn runs again with it. If not, a
// rotation may be between its steps: the stages of [Ref.TryStages] are tried,
// and then the current version is awaited, with 250 ms to 2 s between looks,
// until ctx ends or for 10 seconds.
//
// A version is tried at most 3 times a minute, by all goroutines together, once
// it was refused: more would lock a database account. fn must be safe to run
// again, and for concurrent use if Retry is called concurrently.
func Retry[T any](ctx context.Context, v *Value[T], isAuthError func(error) bool, fn func(ctx context.Context, value T) error) error {
	if v.bad != nil {
		return v.bad
	}
	value, version, err := v.resolve(ctx)
	if err != nil {
		return err
	}
	if other, id, ok := v.preferred(ctx, version); ok {
		value, version = other, id
	}
	a := &attempt[T]{v: v, isAuthError: isAuthError, fn: fn, tried: make(map[string]bool)}
	done, err := a.try(ctx, version, value)
	if done {
		return err
	}
	return a.follow(ctx, err)
}

// resolve is Lookup with the version of what it returns.
func (v *Value[T]) resolve(ctx context.Context) (value T, version string, err error) {
	value, err = v.Lookup(ctx)
	if s := v.snap.Load(); err == nil && s != nil {
		return s.value, s.version, nil
	}
	return value, "", err
}

// preferred is the value of the stage that worked when the current version did
// not, as long as that is still the current one.
func (v *Value[T]) preferred(ctx context.Context, current string) (value T, version string, ok bool) {
	stage := v.entry.login.preferred(current)
	if stage == "" {
		return value, "", false
	}
	value, version, err := v.stage(stage).resolve(ctx)
	return value, version, err == nil
}

type attempt[T any] struct {
	v           *Value[T]
	isAuthError func(error) bool
	fn          func(context.Context, T) error
	tried       map[string]bool // versions that were refused in this call
}

// try runs fn with one version. done is false when the login was refused, or
// when this version may not be tried now.
func (a *attempt[T]) try(ctx context.Context, version string, value T) (done bool, err error) {
	l := &a.v.entry.login
	if err := l.enter(ctx, version, a.v.store.cfg.Now); err != nil {
		if ctx.Err() != nil {
			return true, err
		}
		a.tried[version] = true
		return false, err
	}
	ok := false
	defer func() { l.leave(version, ok) }() // also when fn panics
	err = a.fn(ctx, value)
	if err != nil && a.isAuthError(err) {
		l.refused(version, a.v.store.cfg.Now())
		a.tried[version] = true
		return false, err
	}
	ok = err == nil
	return true, err
}

// follow looks for a version that is not refused.
func (a *attempt[T]) follow(ctx context.Context, refusal error) error {
	v := a.v
	budget := time.NewTimer(retryBudget)
	defer budget.Stop()
	for wait := pollFirst; ; wait = min(2*wait, pollMax) {
		v.suspect(wait * 2 / 5) // less than the wait before: other goroutines' looks count too
		value, id, err := v.resolve(ctx)
		if err != nil {
			return err
		}
		if !a.tried[id] {
			done, err := a.try(ctx, id, value)
			if done {
				return err
			}
			refusal = err
		}
		if done, err := a.tryStages(ctx); done {
			return err
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
			continue
		case <-budget.C:
		case <-ctx.Done():
		}
		t.Stop()
		return fmt.Errorf("%w: %s (versions tried: %d): %w", ErrLoginRefused, v.ref, len(a.tried), refusal)
	}
}

// tryStages tries the versions that the reference allows besides the current
// one. That a stage has no version is normal: there is no rotation.
func (a *attempt[T]) tryStages(ctx context.Context) (done bool, err error) {
	for _, stage := range a.v.ref.stages {
		other := a.v.stage(stage)
		other.entry.forgetFailure() // the label may have got a version since
		value, id, err := other.resolve(ctx)
		if err != nil || a.tried[id] {
			continue
		}
		done, err := a.try(ctx, id, value)
		if !done {
			continue
		}
		if err == nil {
			a.v.entry.login.prefer(stage, a.v.Version())
			a.v.store.event(a.v.entry, Event{Kind: EventStage, Version: id, Stage: stage})
		}
		return true, err
	}
	return false, nil
}

// stage is a view of the same value at another label. It is not prefetched, and
// asked anew when it is needed: a rotation moves labels within seconds.
func (v *Value[T]) stage(label string) *Value[T] {
	r := v.ref
	r.key.Stage, r.fallback, r.required = label, nil, false
	r.ttl = time.Second
	return &Value[T]{store: v.store, ref: r, path: v.path, decode: v.decode, entry: v.store.entryFor(r, false)}
}

// Suspect reports that the version which was returned last was refused somewhere.
// The next read waits until the source has confirmed it or named another. One
// version is asked for again at most once a second. [Retry] calls it.
func (v *Value[T]) Suspect() {
	if v.bad == nil {
		v.suspect(suspectEvery)
	}
}

func (v *Value[T]) suspect(every time.Duration) {
	s, e, version := v.store, v.entry, v.Version()
	e.mu.Lock()
	st, now := e.state.Load(), s.now()
	recent := now-st.suspected < int64(every) && now >= st.suspected
	if st.raw == nil || st.label != version || st.suspect || recent {
		e.mu.Unlock()
		return
	}
	e.change(func(st *state) { st.suspect, st.retryAt = true, 0 })
	e.mu.Unlock()
	s.counters.suspects.Add(1)
	s.invalidate()
	s.due(now)
	s.event(e, Event{Kind: EventSuspect, Version: version})
}

// logins is what is known of logins with the versions of one value.
type logins struct {
	mu       sync.Mutex
	versions map[string]*login
	stage    string // worked, when current did not
	current  string // the current version at that time
}

// A login is the record of one version.
type login struct {
	refusals []time.Time // within the last loginWindow
	running  int         // while it has been refused before
	changed  chan struct{}
}

// enter waits for leave to try a version. A version that was never refused is
// not held up. One that was is tried by one goroutine at a time, at most three
// times a minute.
func (l *logins) enter(ctx context.Context, version string, now func() time.Time) error {
	for {
		l.mu.Lock()
		rec := l.record(version)
		rec.forget(now())
		switch {
		case len(rec.refusals) == 0:
			rec.running++
			l.mu.Unlock()
			return nil
		case len(rec.refusals) >= loginAttempts:
			l.mu.Unlock()
			return fmt.Errorf("%w: version %s was refused %d times in the last minute and is not tried again yet", ErrLoginRefused, version, loginAttempts)
		case rec.running == 0:
			rec.running++
			l.mu.Unlock()
			return nil
		}
		changed := rec.changed
		l.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (l *logins) record(version string) *login {
	if l.versions == nil {
		l.versions = make(map[string]*login)
	}
	rec := l.versions[version]
	if rec == nil {
		rec = &login{changed: make(chan struct{})}
		l.versions[version] = rec
	}
	return rec
}

// forget drops refusals that are older than the window, or, after a step of the
// clock, in the future.
func (r *login) forget(now time.Time) {
	kept := r.refusals[:0]
	for _, at := range r.refusals {
		if age := now.Round(0).Sub(at.Round(0)); age >= 0 && age < loginWindow {
			kept = append(kept, at)
		}
	}
	r.refusals = kept
}

func (l *logins) refused(version string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rec := l.record(version)
	rec.refusals = append(rec.refusals, now)
}

// leave ends an attempt and lets those who wait look again.
func (l *logins) leave(version string, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rec := l.record(version)
	rec.running--
	if ok {
		rec.refusals = nil
	}
	close(rec.changed)
	rec.changed = make(chan struct{})
	if rec.running == 0 && len(rec.refusals) == 0 {
		delete(l.versions, version)
	}
}

func (l *logins) prefer(stage, current string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stage, l.current = stage, current
}

// preferred returns the stage that worked, unless there is a new current version.
func (l *logins) preferred(current string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current != current {
		return ""
	}
	return l.stage
}
