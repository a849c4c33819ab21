package params

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// names is what Lookup keeps, in the order of its last use. All operations take
// constant time. Its lock is taken before Store.mu.
type names struct {
	mu    sync.Mutex
	byKey map[nameKey]*list.Element // of *name
	order *list.List                // the one used last is first
}

type name struct {
	key nameKey
	*Value[Secret]
}

// nameKey tells apart what Lookup was asked for: it has all of a [Ref] that
// changes the answer, compared by value.
type nameKey struct {
	entryKey
	field              string
	ttl, maxStale      time.Duration
	optional, rotation bool
}

func (r Ref) nameKey() nameKey {
	return nameKey{r.entryKey(), r.field, r.ttl, r.maxStale, r.optional, r.rotation}
}

// Lookup returns a value whose name is known only at run time, such as one per
// tenant. It keeps to the same rules as a declared value, is not prefetched, and
// is evicted when it was not used for the longest time and [Config.MaxEntries]
// or [Config.MaxBytes] is exceeded. A warm Lookup makes no allocation, and the
// time of a cold one does not depend on how many names there are.
//
// Two calls share a value when their references are equal: of sources that count
// as one ([Source]), with the same name, field and options.
//
// The name should not come from a request without a check: it selects a secret.
func (s *Store) Lookup(ctx context.Context, r Ref) (Secret, error) {
	v, known, err := s.byName(r)
	if err != nil {
		return Secret{}, err
	}
	secret, err := v.Lookup(ctx)
	if !known {
		s.evict(v)
	}
	return secret, err
}

// byName returns the view that Lookup keeps for r, and whether it was there.
func (s *Store) byName(r Ref) (v *Value[Secret], known bool, err error) {
	if r.provider == nil {
		return nil, false, r.validate()
	}
	n, k := &s.names, r.nameKey()
	n.mu.Lock()
	if el := n.byKey[k]; el != nil {
		n.order.MoveToFront(el)
		v = el.Value.(*name).Value
		n.mu.Unlock()
		return v, true, nil
	}
	n.mu.Unlock()
	if err := r.validate(); err != nil {
		return nil, false, err
	}
	v = &Value[Secret]{store: s, ref: r, decode: decodeSecret}
	v.path, _ = splitPath(r.field)
	v, known = s.remember(k, v)
	s.evict(v)
	return v, known, nil
}

func (s *Store) remember(k nameKey, v *Value[Secret]) (_ *Value[Secret], known bool) {
	n := &s.names
	n.mu.Lock()
	defer n.mu.Unlock()
	if el := n.byKey[k]; el != nil {
		return el.Value.(*name).Value, true
	}
	v.entry = s.entryFor(v.ref, asName)
	v.entry.names++
	v.entry.touch(s.now())
	n.byKey[k] = n.order.PushFront(&name{k, v})
	return v, false
}

// evict forgets the least recently used names until the bounds are kept. The one
// that was just asked for stays.
func (s *Store) evict(keep *Value[Secret]) {
	for _, e := range s.names.evict(s, keep) {
		s.counters.evicted.Add(1)
		s.event(e, Event{Kind: EventEvicted})
	}
}

func (n *names) evict(s *Store, keep *Value[Secret]) (gone []*entry) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for s.tooMuch(len(n.byKey)) {
		el := n.order.Back()
		if el == nil {
			break
		}
		last := el.Value.(*name)
		if last.Value == keep {
			if el == n.order.Front() {
				break
			}
			n.order.MoveToFront(el)
			continue
		}
		n.order.Remove(el)
		delete(n.byKey, last.key)
		last.entry.names--
		if last.entry.names == 0 && s.dismiss(last.entry) {
			gone = append(gone, last.entry)
		}
	}
	return gone
}

func (s *Store) tooMuch(names int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	most := s.cfg.MaxEntries
	return most > 0 && max(len(s.entries), names) > most || s.cfg.MaxBytes > 0 && s.bytes.Load() > s.cfg.MaxBytes
}

// dismiss forgets an entry that has lost its last name. Those who wait for it
// are served still.
func (s *Store) dismiss(e *entry) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.declared {
		return false
	}
	delete(s.entries, e.id)
	s.forgetLocked(e)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.evicted = true
	s.bytes.Add(-e.state.Load().size())
	return true
}
