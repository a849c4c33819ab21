package params

import (
	"container/heap"
	"math"
	"time"
)

// An agenda holds entries by the instant at which the next decision on them is
// due, the earliest first: an invocation looks at what is due, and not at all
// that a Store has. It is a heap; Store.mu guards it.
type agenda []*entry

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].due < a[j].due }
func (a agenda) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].slot, a[j].slot = i+1, j+1
}
func (a *agenda) Push(x any) {
	e := x.(*entry)
	*a = append(*a, e)
	e.slot = len(*a)
}
func (a *agenda) Pop() any {
	last := len(*a) - 1
	e := (*a)[last]
	(*a)[last], *a = nil, (*a)[:last]
	e.slot = 0
	return e
}

// planLocked notes when the next decision on e is due.
func (s *Store) planLocked(e *entry, at int64) {
	switch {
	case e.evicted:
	case e.slot == 0:
		e.due = at
		heap.Push(&s.agenda, e)
	default:
		e.due = at
		heap.Fix(&s.agenda, e.slot-1)
	}
}

// forgetLocked takes e off the agenda.
func (s *Store) forgetLocked(e *entry) {
	if e.slot != 0 {
		heap.Remove(&s.agenda, e.slot-1)
	}
	s.failingLocked(e, false)
}

// failingLocked counts the entries whose last fetch failed.
func (s *Store) failingLocked(e *entry, failing bool) {
	switch {
	case failing && !e.failing:
		s.failing++
	case !failing && e.failing:
		s.failing--
	}
	e.failing = failing
}

// nextLocked is when the next decision is due.
func (s *Store) nextLocked() int64 {
	if len(s.agenda) == 0 {
		return math.MaxInt64
	}
	return s.agenda[0].due
}

// lookAgain makes every view look at e again, and the next invocation decide on
// it.
func (s *Store) lookAgain(e *entry, at int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.planLocked(e, at)
	s.invalidateLocked()
}

// mostNames is how many values of Lookup are refreshed beside one invocation. A
// freeze may end the TTL of thousands at once, and few of them will be read.
const mostNames = 100

// decideLocked takes the decisions that are due, or all of them, and returns the
// entries to refresh beside the handler.
func (s *Store) decideLocked(now int64, all bool) (due []*entry) {
	s.sweeps.Add(1) //mutate:equivalent it is compared for equality
	if all {
		for _, e := range s.entries {
			if e.state.Load().known() {
				s.planLocked(e, now)
			}
		}
	}
	again, names := false, 0
	for s.nextLocked() <= now {
		e := heap.Pop(&s.agenda).(*entry)
		if !s.decideOneLocked(e, now) {
			continue
		}
		if !e.declared {
			if names++; names > mostNames {
				s.failingLocked(e, false)
				continue // it is fetched when somebody reads it
			}
		}
		due = append(due, e)
		again = again || e.failing
	}
	if s.failing == 0 {
		s.tries = 0
	}
	if !again || s.managed {
		return due
	}
	worth := retryWeight(s.tries)
	s.tries++
	s.worth.Store(worth)
	if worth != 0 { // one wait for all that the program declares and that failed
		for _, e := range s.declared {
			if e.failing && e.slot != 0 {
				due = append(due, e)
			}
		}
	}
	return due
}

// decideOneLocked reports whether e, which was taken off the agenda, is to be
// fetched. Then the end of the fetch puts it back.
func (s *Store) decideOneLocked(e *entry, now int64) (fetch bool) {
	st := e.state.Load()
	if !st.known() {
		s.failingLocked(e, false)
		return false // it is fetched when somebody reads it
	}
	act, until := st.decide(now)
	used := e.declared || e.lastRead.Load() >= st.confirmed/int64(time.Second)
	if used {
		s.failingLocked(e, st.failures > 0)
		switch act {
		case refresh, waitPatient, waitCertain, waitNeedful:
			return true
		}
	}
	if until > now {
		s.planLocked(e, until)
	} else {
		s.failingLocked(e, false) // nobody has asked for it since it was confirmed
	}
	return false
}
