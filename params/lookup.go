package params

import (
	"context"
	"maps"
	"slices"
)

// nameKey tells apart what Lookup was asked for.
type nameKey struct {
	provider Provider
	Key
	field string
}

// Lookup returns a value whose name is known only at run time, such as one per
// tenant. It keeps to the same rules as a declared value, is not prefetched, and
// is evicted when it was not used for the longest time and [Config.MaxEntries]
// or [Config.MaxBytes] is exceeded. A warm Lookup makes no allocation.
//
// The name should not come from a request without a check: it selects a secret.
func (s *Store) Lookup(ctx context.Context, r Ref) (Secret, error) {
	k := nameKey{r.provider, r.key, r.field}
	if v := (*s.byName.Load())[k]; v != nil {
		return v.Lookup(ctx)
	}
	if err := r.validate(); err != nil {
		return Secret{}, err
	}
	v := s.remember(k, r)
	secret, err := v.Lookup(ctx)
	s.evict(k)
	return secret, err
}

// remember adds a view to the map that readers load without a lock.
func (s *Store) remember(k nameKey, r Ref) *Value[Secret] {
	v := &Value[Secret]{store: s, ref: r, decode: decodeSecret}
	v.path, _ = splitPath(r.field)
	v.entry = s.entryFor(r, false)
	v.entry.touch(s.now())
	s.mu.Lock()
	defer s.mu.Unlock()
	old := *s.byName.Load()
	if known := old[k]; known != nil {
		return known
	}
	next := maps.Clone(old)
	if next == nil {
		next = make(map[nameKey]*Value[Secret])
	}
	next[k] = v
	s.byName.Store(&next)
	return v
}

// evict forgets the least recently used names until the bounds are kept. The one
// that was just asked for stays.
func (s *Store) evict(keep nameKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	count, bytes := s.sizeLocked()
	if !s.tooMuch(count, bytes) {
		return
	}
	next := maps.Clone(*s.byName.Load())
	oldest := slices.SortedFunc(maps.Keys(next), func(a, b nameKey) int {
		return int(next[a].entry.lastRead.Load() - next[b].entry.lastRead.Load())
	})
	for _, k := range oldest {
		e := next[k].entry
		if e == next[keep].entry {
			continue
		}
		delete(next, k)
		if !e.declared && !usesEntry(next, e) {
			count, bytes = count-1, bytes-e.size()
			delete(s.entries, entryKey{e.source, e.key})
			s.counters.evicted.Add(1)
			s.event(e, Event{Kind: EventEvicted})
		}
		if !s.tooMuch(count, bytes) {
			break
		}
	}
	s.byName.Store(&next)
}

func (s *Store) sizeLocked() (count int, bytes int64) {
	for _, e := range s.entries {
		bytes += e.size()
	}
	return len(s.entries), bytes
}

func (s *Store) tooMuch(count int, bytes int64) bool {
	return s.cfg.MaxEntries > 0 && count > s.cfg.MaxEntries || s.cfg.MaxBytes > 0 && bytes > s.cfg.MaxBytes
}

func usesEntry(views map[nameKey]*Value[Secret], e *entry) bool {
	for _, v := range views {
		if v.entry == e {
			return true
		}
	}
	return false
}
