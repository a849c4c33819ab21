package params

import (
	"context"
	"fmt"
)

// followRotation reads when a value that was just fetched will rotate: once per
// version, and again when the date has passed, so that it is no second call for
// every fetch. A failure costs nothing but the shortening.
func (s *Store) followRotation(ctx context.Context, e *entry, raw Raw) {
	rr, ok := e.provider.(RotationReader)
	e.mu.Lock()
	follow := e.rotation
	e.mu.Unlock()
	if !follow || !ok {
		return
	}
	st, now := e.state.Load(), s.now()
	known := st.rotated && st.rotates == raw.Version
	passed := !st.rotation.Latest.IsZero() && st.rotation.Latest.UnixNano() <= now
	if known && !passed {
		return
	}
	s.counters.requests.Add(1)
	r, err := protect(e.source, e.key.ID, func() (Rotation, error) { return rr.Rotation(ctx, e.key) })
	known = err == nil
	if err != nil {
		s.counters.failures.Add(1)
	} else if !r.Latest.IsZero() && r.Latest.UnixNano() <= now {
		err = fmt.Errorf("params: %s %q should have been rotated by %s: the date is ignored; see why its rotation failed",
			e.source.Service, e.key.ID, r.Latest.UTC())
		r = Rotation{}
	}
	s.event(e, Event{Kind: EventRotation, Version: raw.Version, Err: err})
	e.mu.Lock()
	defer e.mu.Unlock()
	e.change(func(st *state) { st.rotation, st.rotated, st.rotates = r, known, raw.Version })
}
