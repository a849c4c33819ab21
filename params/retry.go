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
// and then the current version is awaited, with 250 ms to 2 s between looks, for
// 10 seconds or until shortly before ctx's deadline: a tenth of the time, 200 ms
// at most, is left for reporting the refusal.
//
// A version is tried at most 3 times a minute, by all goroutines together, once
// it was refused: more would lock a database account. When the version gets
// another label, such as AWSCURRENT after AWSPENDING, it has a fresh chance. fn
// must be safe to run again, and for concurrent use if Retry is called
// concurrently.
//
// # Pools
//
// fn must log in with the value that it is given. If it runs a query on a pool
// that reads the value by itself, the refusal is booked on a version that nobody
// tried. With database/sql, call Retry in the Connect method of a
// driver.Connector, as in the example: then fn is the login. A pool with a hook,
// such as pgxpool's BeforeConnect or pgx/stdlib's OptionBeforeConnect, gets the
// value through the context, which pgx passes from the query to the hook:
//
//	type login struct{} // the context's key
//
//	cfg.BeforeConnect = func(ctx context.Context, c *pgx.ConnConfig) error {
//		d, ok := ctx.Value(login{}).(Database)
//		if !ok { // the pool opens a connection of its own accord
//			var err error
//			if d, err = db.Lookup(ctx); err != nil {
//				return err
//			}
//		}
//		c.User, c.Password = d.User, d.Password.Reveal()
//		return nil
//	}
//
//	err := params.Retry(ctx, db, refused, func(ctx context.Context, d Database) error {
//		return query(context.WithValue(ctx, login{}, d), pool)
//	})
func Retry[T any](ctx context.Context, v *Value[T], isAuthError func(error) bool, fn func(ctx context.Context, value T) error) error {
	if v.bad != nil {
		return v.bad
	}
	value, version, err := v.resolve(ctx)
	if err != nil {
		return err
	}
	key := loginKey{version: version}
	if other, preferred, ok := v.preferred(ctx, version); ok {
		value, key = other, preferred
	}
	wait, cancel := reportBy(ctx)
	defer cancel()
	a := &attempt[T]{v: v, isAuthError: isAuthError, tried: make(map[loginKey]bool),
		login: func(value T) error { return fn(ctx, value) }}
	done, err := a.try(wait, key, value)
	if done {
		return err
	}
	return a.follow(wait, err)
}

// resolve is Lookup with the version of what it returns.
func (v *Value[T]) resolve(ctx context.Context) (value T, version string, err error) {
	value, err = v.Lookup(ctx)
	if err != nil {
		return value, "", err
	}
	s := v.snap.Load()
	return s.value, s.version, nil
}

// preferred is the value of the stage that worked when the current version did
// not, as long as that is still the current one.
func (v *Value[T]) preferred(ctx context.Context, current string) (value T, key loginKey, ok bool) {
	stage := v.entry.login.preferred(current)
	if stage == "" {
		return value, key, false
	}
	value, version, err := v.stage(stage).resolve(ctx)
	return value, loginKey{version, stage}, err == nil
}

type attempt[T any] struct {
	v           *Value[T]
	isAuthError func(error) bool
	login       func(T) error
	tried       map[loginKey]bool // what was refused in this call
}

// try logs in with one version. done is false when the login was refused, or when
// this version may not be tried now. ctx bounds the wait for its turn.
func (a *attempt[T]) try(ctx context.Context, key loginKey, value T) (done bool, err error) {
	l := &a.v.entry.login
	if err := l.enter(ctx, key, a.v.store.cfg.Now); err != nil {
		if ctx.Err() != nil {
			return true, err
		}
		a.tried[key] = true
		return false, err
	}
	ok := false
	defer func() { l.leave(key, ok) }() // also when fn panics
	err = a.login(value)
	if err != nil && a.isAuthError(err) {
		l.refused(key, a.v.store.cfg.Now())
		a.tried[key] = true
		return false, err
	}
	ok = err == nil
	return true, err
}

// follow looks for a version that is not refused, until ctx ends.
func (a *attempt[T]) follow(ctx context.Context, refusal error) error {
	ctx, cancel := context.WithTimeout(ctx, retryBudget)
	defer cancel()
	for wait := pollFirst; ctx.Err() == nil; wait = min(2*wait, pollMax) {
		a.v.suspect(wait * 2 / 5) // less than the wait before: other goroutines' looks count too
		value, version, err := a.v.resolve(ctx)
		switch {
		case ctx.Err() != nil:
			continue // the refusal says more than that the time is over
		case err != nil:
			return err
		}
		if key := (loginKey{version: version}); !a.tried[key] {
			done, err := a.try(ctx, key, value)
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
		case <-ctx.Done():
		}
		t.Stop()
	}
	return fmt.Errorf("%w: %s (versions tried: %d): %w", ErrLoginRefused, a.v.ref, len(a.tried), refusal)
}

// tryStages tries the versions that the reference allows besides the current
// one. That a stage has no version is normal: there is no rotation.
func (a *attempt[T]) tryStages(ctx context.Context) (done bool, err error) {
	for _, stage := range a.v.ref.stages {
		value, version, err := a.v.stage(stage).latest(ctx)
		key := loginKey{version, stage}
		if err != nil || a.tried[key] || a.tried[loginKey{version: version}] {
			continue
		}
		done, err := a.try(ctx, key, value)
		if !done {
			continue
		}
		if err == nil {
			a.v.entry.login.prefer(stage, a.v.Version())
			a.v.store.event(a.v.entry, Event{Kind: EventStage, Version: version, Stage: stage})
		}
		return true, err
	}
	return false, nil
}

// latest is resolve without what was known before: the label may have got a
// version since. A version within its TTL is not asked for again.
func (v *Value[T]) latest(ctx context.Context) (value T, version string, err error) {
	if st := v.entry.state.Load(); st.raw == nil || v.store.now() >= st.expires {
		if err := v.store.force(ctx, v.entry); err != nil {
			return value, "", err
		}
	}
	return v.resolve(ctx)
}

// stage is a view of the same value at another label. It is not prefetched, and
// asked anew when it is needed: a rotation moves labels within seconds.
func (v *Value[T]) stage(label string) *Value[T] {
	r := v.ref
	r.key.Stage, r.fallback, r.chain, r.required, r.optional = label, nil, nil, false, false
	r.ttl = time.Second
	return &Value[T]{store: v.store, ref: r, path: v.path, decode: v.decode, entry: v.store.entryFor(r, asName)}
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
	if st.raw == nil || st.label != version {
		e.mu.Unlock()
		return
	}
	recent := now-st.suspected < int64(every) && now >= st.suspected
	if st.suspect || recent {
		e.change(func(st *state) { st.suspectAfter = e.flights }) // not by a fetch that is under way
		e.mu.Unlock()
		return
	}
	e.change(func(st *state) { st.suspect, st.suspectAfter, st.retryAt = true, e.flights, 0 })
	e.mu.Unlock()
	s.counters.suspects.Add(1)
	s.lookAgain(e, now)
	s.event(e, Event{Kind: EventSuspect, Version: version})
}

// logins is what is known of logins with the versions of one value.
type logins struct {
	mu       sync.Mutex
	versions map[loginKey]*login
	stage    string // worked, when current did not
	current  string // the current version at that time
}

// A loginKey is a version and the label that it was found under; the current one
// has none. A refusal counts for both: a version that gets another label has
// taken a step of the rotation, after which it may be accepted.
type loginKey struct{ version, stage string }

// A login is the record of one version.
type login struct {
	refusals []time.Time // within the last loginWindow
	running  int         // while it has been refused before
	changed  chan struct{}
}

// enter waits for leave to try a version. A version that was never refused is
// not held up. One that was is tried by one goroutine at a time, at most three
// times a minute.
func (l *logins) enter(ctx context.Context, key loginKey, now func() time.Time) error {
	for {
		l.mu.Lock()
		rec := l.record(key)
		rec.forget(now())
		switch {
		case len(rec.refusals) == 0:
			rec.running++
			l.mu.Unlock()
			return nil
		case len(rec.refusals) >= loginAttempts:
			l.mu.Unlock()
			return fmt.Errorf("%w: version %s was refused %d times in the last minute and is not tried again yet", ErrLoginRefused, key.version, loginAttempts)
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

func (l *logins) record(key loginKey) *login {
	if l.versions == nil {
		l.versions = make(map[loginKey]*login)
	}
	rec := l.versions[key]
	if rec == nil {
		rec = &login{changed: make(chan struct{})}
		l.versions[key] = rec
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

func (l *logins) refused(key loginKey, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rec := l.record(key)
	rec.refusals = append(rec.refusals, now)
}

// leave ends an attempt and lets those who wait look again.
func (l *logins) leave(key loginKey, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rec := l.record(key)
	rec.running--
	if ok {
		rec.refusals = nil
	}
	close(rec.changed)
	rec.changed = make(chan struct{})
	if rec.running == 0 && len(rec.refusals) == 0 {
		delete(l.versions, key)
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
