package params

import (
	"bytes"
	"errors"
	"math"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// An entry is one remote value. All views of it share the fetches and the bytes.
type entry struct {
	store    *Store
	provider Provider
	source   Source
	key      Key
	state    atomic.Pointer[state] // never nil
	lastRead atomic.Int64          // to refresh beside the handler only what is used
	fallback []Ref                 // immutable: it is a part of the key

	// Guarded by Store.mu.
	due     int64 // when the next decision is due
	slot    int   // in the agenda, from 1; 0: not there
	failing bool  // the last fetch failed

	id      entryKey
	names   int  // of Lookup; guarded by names.mu
	evicted bool // changed under Store.mu and mu

	mu       sync.Mutex // guards what follows, and changes of state
	flight   *flight
	flights  uint64 // that have begun
	ttl      time.Duration
	maxStale time.Duration
	declared bool
	required bool
	needed   bool // a view is not Optional
	rotation bool
	kmsKey   string
	login    logins
}

// entryKey tells entries apart. It is a struct, so that no name can look like
// another name with a stage. The chain of fallbacks is a part of it: a caller who
// did not name a source must not get its answer.
type entryKey struct {
	Source
	Key
	chain any
}

func (r Ref) entryKey() entryKey { return entryKey{r.provider.Source(), r.key, r.chain} }

// settings takes over what a view asks for. Where several views of one value
// disagree, the stricter one counts. It reports whether that changed the value
// that is there.
func (e *entry) settings(r Ref) (tightened bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	ttl, stale := e.store.cfg.TTL, e.store.cfg.MaxStale
	if r.ttl != 0 {
		ttl = max(r.ttl, 0)
	}
	if r.maxStale != 0 {
		stale = max(r.maxStale, 0)
	}
	first := e.ttl < 0
	stricter := ttl < e.ttl || stale < e.maxStale || !r.optional && !e.needed
	if first {
		e.ttl, e.maxStale = ttl, stale
	}
	e.ttl, e.maxStale = min(e.ttl, ttl), min(e.maxStale, stale)
	e.required = e.required || r.required
	e.needed = e.needed || !r.optional
	if r.kmsKey != "" {
		e.kmsKey = r.kmsKey
	}
	dates := r.rotation && !e.rotation
	e.rotation = e.rotation || r.rotation
	if st := e.state.Load(); !st.known() || !stricter && !dates {
		return false
	}
	e.change(func(st *state) {
		now := e.store.now()
		st.expires = min(st.expires, st.confirmed+int64(e.lifetime(st)))
		if dates {
			st.expires = min(st.expires, now) // it may end earlier than was known
		}
		st.refreshAt = min(st.refreshAt, st.expires)
		st.hard = min(st.hard, st.confirmed+int64(e.maxStale))
	})
	return true
}

// lifetime is how long the answer that st has is used without asking again. That
// a value is missing holds for the TTL if everybody can do without it. Otherwise
// somebody is about to create it, and it is asked for as after a failure.
func (e *entry) lifetime(st *state) time.Duration {
	if st.raw == nil && e.needed {
		return e.store.backoff(st.misses)
	}
	return e.ttl
}

// backoff is how long the source is left alone after the n-th failure in a row.
func (s *Store) backoff(n int) time.Duration {
	wait := min(math.Ldexp(float64(s.cfg.NegativeTTL), n-1), float64(s.cfg.NegativeMax))
	return time.Duration(wait * math.Float64frombits(s.spread.Load()))
}

// change replaces the state. The caller holds e.mu; edit gets a copy.
func (e *entry) change(edit func(*state)) *state {
	old := e.state.Load()
	next := *old
	edit(&next)
	e.state.Store(&next)
	if !e.evicted {
		e.store.bytes.Add(next.size() - old.size())
	}
	return &next
}

// succeed takes a value that the n-th fetch brought. It reports what is new.
func (e *entry) succeed(n uint64, raw Raw, fromFallback bool) (kind EventKind) {
	e.mu.Lock()
	defer e.mu.Unlock()
	old, now := e.state.Load(), e.store.now()
	switch {
	case fromFallback && raw.Version != old.version && raw.Created.Before(old.created):
		clear(raw.Bytes)
		e.change(func(st *state) {
			st.heard(n, now)
			e.confirmFailed(st, &Error{Kind: Unavailable, Service: e.source.Service, Name: e.key.ID,
				Text: "only a replica answers, and it lags behind the version in use"}, now)
		})
		return EventLagging
	case old.same(raw):
		clear(raw.Bytes)
		kind = EventUnchanged
	default:
		kind = EventChanged
	}
	e.change(func(st *state) {
		st.heard(n, now)
		if kind == EventChanged {
			st.raw, st.version, st.created = e.store.custody.take(raw.Bytes), raw.Version, raw.Created
			st.suspected = 0
			st.changes++
			if st.label = raw.Version; st.label == "" {
				st.label = "~" + strconv.Itoa(st.changes)
			}
		}
		st.absent, st.misses = nil, 0
		e.confirm(st, now)
	})
	return kind
}

// same reports whether raw is the version that st has.
func (st *state) same(raw Raw) bool {
	if st.raw == nil || raw.Version != st.version {
		return false
	}
	if raw.Version != "" {
		return true
	}
	equal := false
	st.raw.read(func(b []byte) { equal = bytes.Equal(b, raw.Bytes) })
	return equal
}

// confirm notes that the source has just given the answer that st has, and draws
// the instants at which it is refreshed and expires.
func (e *entry) confirm(st *state, now int64) {
	cfg := &e.store.cfg
	st.confirmed, st.sweep = now, e.store.sweeps.Load()
	st.err, st.failures, st.retryAt, st.forbidden = nil, 0, 0, false
	st.hard = now + int64(e.maxStale)
	if st.raw == nil && e.needed {
		st.expires = now + int64(e.lifetime(st))
		st.refreshAt = st.expires
		if st.expires == now {
			st.hard = now // nothing is to be remembered
		}
		return
	}
	ttl := float64(e.ttl)
	ttl += ttl * cfg.Jitter * (2*cfg.Rand() - 1)
	st.expires = now + int64(ttl)
	if w := st.rotation.Window; w.After(time.Unix(0, now)) {
		// Reach the beginning of the window, not its end: rotation may come at
		// any time in it.
		st.expires = min(st.expires, w.UnixNano())
	}
	// The square root makes later instants likelier: one caller refreshes, and
	// the nearer the end the surer somebody does.
	early := float64(st.expires-now) * cfg.EarlyRefresh
	st.refreshAt = st.expires - int64(early*(1-math.Sqrt(cfg.Rand())))
}

// failed takes the failure of the n-th fetch.
func (e *entry) failed(n uint64, err error) (kind EventKind) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.store.now()
	e.change(func(st *state) {
		st.heard(n, now)
		missing := errors.Is(err, ErrNotFound)
		switch {
		case missing && st.raw == nil:
			e.miss(st, err, now)
		case KindOf(err).forbidsStale() && st.known():
			kind = e.forbid(st, err, now)
		default:
			e.confirmFailed(st, err, now)
		}
	})
	return kind
}

// miss follows the answer that there is no value.
func (e *entry) miss(st *state, err error, now int64) {
	*st = state{changes: st.changes, absent: err, misses: st.misses + 1}
	e.confirm(st, now)
}

// forbid follows an answer that says the value is not ours to use: a grace of
// one re-check, and then it is gone.
func (e *entry) forbid(st *state, err error, now int64) EventKind {
	if grace := int64(e.store.cfg.Recheck); !st.forbidden && grace > 0 && st.usable(now) {
		st.forbidden, st.recheckAt = true, now+grace
		st.err = err
		st.failures, st.retryAt = 0, 0
		return EventForbidden
	}
	if errors.Is(err, ErrNotFound) {
		e.miss(st, err, now)
		return EventRevoked
	}
	*st = state{changes: st.changes}
	e.confirmFailed(st, err, now)
	return EventRevoked
}

// confirmFailed puts off the next request.
func (e *entry) confirmFailed(st *state, err error, now int64) {
	st.err = err
	st.failures++
	st.backoff = int64(e.store.backoff(st.failures))
	st.retryAt = now + st.backoff
	if now < st.confirmed-backwards {
		// The clock was set back: count the age from here, or the value would
		// live for MaxStale plus the step.
		st.hard -= st.confirmed - now
		st.expires = now
		st.confirmed = now
	}
}

// forgetFailure makes the next reader ask again, whatever was remembered: a
// failure, or that there is no value.
func (e *entry) forgetFailure() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.change(func(st *state) {
		st.retryAt, st.backoff = 0, 0
		if st.raw == nil {
			st.refreshAt, st.expires = 0, 0
		}
	})
}

// begun is how many fetches have begun: the next one is later than now.
func (e *entry) begun() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.flights
}

// wipe forgets the value, not the declaration.
func (e *entry) wipe() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.change(func(st *state) { *st = state{changes: st.changes} })
}

func (st *state) size() int64 {
	if st.raw != nil {
		return int64(st.raw.n)
	}
	return 0
}
