package params

import (
	"bytes"
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
	lastRead atomic.Int64          // for the LRU, and to refresh only what is used

	mu       sync.Mutex // guards what follows, and changes of state
	flight   *flight
	ttl      time.Duration
	maxStale time.Duration
	declared bool
	required bool
	rotation bool
	kmsKey   string
	fallback []Ref
	login    logins
}

// entryKey tells entries apart. It is a struct, so that no name can look like
// another name with a stage.
type entryKey struct {
	Source
	Key
}

// settings takes over what a declaration asks for. Where several views of one
// value disagree, the stricter one counts.
func (e *entry) settings(r Ref) {
	e.mu.Lock()
	defer e.mu.Unlock()
	ttl, stale := e.store.cfg.TTL, e.store.cfg.MaxStale
	if r.ttl != 0 {
		ttl = max(r.ttl, 0)
	}
	if r.maxStale != 0 {
		stale = max(r.maxStale, 0)
	}
	if first := e.ttl < 0; first {
		e.ttl, e.maxStale = ttl, stale
	} else {
		stricter := ttl < e.ttl || stale < e.maxStale
		e.ttl, e.maxStale = min(e.ttl, ttl), min(e.maxStale, stale)
		if stricter {
			e.tighten()
		}
	}
	e.required = e.required || r.required
	e.rotation = e.rotation || r.rotation
	if r.kmsKey != "" {
		e.kmsKey = r.kmsKey
	}
	if len(e.fallback) == 0 {
		e.fallback = r.fallback
	}
}

// tighten applies a stricter declaration to the value that is there.
func (e *entry) tighten() {
	if e.state.Load().raw == nil {
		return
	}
	e.change(func(st *state) {
		st.expires = min(st.expires, st.confirmed+int64(e.ttl))
		st.refreshAt = min(st.refreshAt, st.expires)
		st.hard = min(st.hard, st.confirmed+int64(e.maxStale))
	})
	e.store.due(0)
}

// change replaces the state. The caller holds e.mu; edit gets a copy.
func (e *entry) change(edit func(*state)) *state {
	next := *e.state.Load()
	edit(&next)
	e.state.Store(&next)
	return &next
}

// succeed takes a fetched value. It reports what is new.
func (e *entry) succeed(raw Raw, fromFallback bool) (kind EventKind) {
	e.mu.Lock()
	defer e.mu.Unlock()
	old, now := e.state.Load(), e.store.now()
	switch {
	case fromFallback && old.raw != nil && raw.Version != old.version && raw.Created.Before(old.created):
		clear(raw.Bytes)
		e.change(func(st *state) {
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
		if kind == EventChanged {
			st.raw, st.version, st.created = e.store.custody.take(raw.Bytes), raw.Version, raw.Created
			st.suspected = 0
			st.changes++
			if st.label = raw.Version; st.label == "" {
				st.label = "~" + strconv.Itoa(st.changes)
			}
		}
		if st.suspect && kind == EventUnchanged {
			st.suspected = now // this version was asked for again
		}
		st.suspect = false
		st.confirmed, st.sweep = now, e.store.sweeps.Load()
		st.err, st.failures, st.retryAt, st.forbidden = nil, 0, 0, false
		e.schedule(st, now)
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

// schedule draws the instants at which a value that was confirmed now is
// refreshed and expires.
func (e *entry) schedule(st *state, now int64) {
	cfg := &e.store.cfg
	ttl := float64(e.ttl)
	ttl += ttl * cfg.Jitter * (2*cfg.Rand() - 1)
	st.expires = now + int64(ttl)
	if w := st.rotation.Window; !w.IsZero() && w.UnixNano() > now {
		// Reach the beginning of the window, not its end: rotation may come at
		// any time in it.
		st.expires = min(st.expires, w.UnixNano())
	}
	// The square root makes later instants likelier: one caller refreshes, and
	// the nearer the end the surer somebody does.
	early := float64(st.expires-now) * cfg.EarlyRefresh
	st.refreshAt = st.expires - int64(early*(1-math.Sqrt(cfg.Rand())))
	st.hard = now + int64(e.maxStale)
}

// failed takes a failure to fetch.
func (e *entry) failed(err error) (kind EventKind) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.store.now()
	e.change(func(st *state) {
		if KindOf(err).forbidsStale() && st.raw != nil {
			kind = e.forbid(st, err, now)
			return
		}
		e.confirmFailed(st, err, now)
	})
	return kind
}

// forbid follows an answer that says the value is not ours to use: a grace of
// one re-check, and then it is gone.
func (e *entry) forbid(st *state, err error, now int64) EventKind {
	if grace := int64(e.store.cfg.Recheck); !st.forbidden && grace > 0 && st.usable(now) {
		st.forbidden, st.recheckAt = true, now+grace
		st.err, st.suspect = err, false
		st.failures, st.retryAt = 0, 0
		return EventForbidden
	}
	*st = state{changes: st.changes}
	e.confirmFailed(st, err, now)
	return EventRevoked
}

// confirmFailed puts off the next request.
func (e *entry) confirmFailed(st *state, err error, now int64) {
	cfg := &e.store.cfg
	st.err = err
	st.failures++
	wait := min(math.Ldexp(float64(cfg.NegativeTTL), st.failures-1), float64(cfg.NegativeMax))
	st.backoff = int64(wait * math.Float64frombits(e.store.spread.Load()))
	st.retryAt = now + st.backoff
	if st.suspect {
		st.suspect, st.suspected = false, now
	}
	if now < st.confirmed-backwards {
		// The clock was set back: count the age from here, or the value would
		// live for MaxStale plus the step.
		st.hard -= st.confirmed - now
		st.expires = now
		st.confirmed = now
	}
}

// forgetFailure makes the next reader ask again, whatever was remembered.
func (e *entry) forgetFailure() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.change(func(st *state) { st.retryAt, st.backoff = 0, 0 })
}

// wipe forgets the value, not the declaration.
func (e *entry) wipe() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.state.Store(&state{changes: e.state.Load().changes})
}

func (e *entry) size() int64 {
	if raw := e.state.Load().raw; raw != nil {
		return int64(raw.n)
	}
	return 0
}
